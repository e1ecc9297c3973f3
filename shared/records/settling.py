"""What follows from tracks: albums, artists, genres and their counts, brought in order inside one transaction.

Only what a transaction touches is looked at. Works on the driver's cursor: this is the hot path of a scan.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from shared.model.track import Credit
from shared.records import folding, identity
from shared.records.bulk import insert_rows
from shared.records.moments import make_uids
from shared.records.search_index import Indexing, tokens

_AT_ONCE = 500  # values in one IN (…)
_MOST_GENRES = 10  # of an album
COUNTED = ("artist", "albumartist")  # the roles by which a track counts as an artist's

Contribution = tuple[int | None, Collection[int], Collection[int]]  # album, counted artists, genres: each once


def chunks(values: Iterable[Any]) -> Iterator[tuple[str, list[Any]]]:
    """`values` in parts, each with its marks for IN (…)."""
    every = list(values)
    for start in range(0, len(every), _AT_ONCE):
        part = every[start : start + _AT_ONCE]
        yield ", ".join("?" * len(part)), part


def picture_version(size_bytes: int, mtime_ns: int) -> str:
    return hashlib.blake2s(f"{size_bytes}-{mtime_ns}".encode(), digest_size=6).hexdigest()


@dataclass(frozen=True, slots=True)
class Name:
    """All spellings of a name that the tables keep."""

    same: str
    sort_key: str
    search_key: str
    tokens: str


@lru_cache(maxsize=8192)
def name_of(name: str) -> Name:
    folded = folding.fold(name)
    return Name(folding.same(name) or name, folding.sort_key(name), folded, tokens(name, folded))


class Names:
    """Ids of artists and genres by name; makes those that are missing."""

    def __init__(self, cursor: sqlite3.Cursor, revision: int, now: float, indexing: Indexing) -> None:
        self._cursor, self._revision, self._now, self._indexing = cursor, revision, now, indexing
        self._artists: dict[str, tuple[int, str | None]] = {}
        self._genres: dict[str, int] = {}
        self._new_artists: list[tuple[Any, ...]] = []
        self._new_genres: list[tuple[Any, ...]] = []
        self._adopted: list[tuple[str, int, int]] = []
        self._predecessors: dict[int, int] = {}
        self._next_artist: int = cursor.execute("SELECT coalesce(max(id), 0) + 1 FROM artists").fetchone()[0]
        self._next_genre: int = cursor.execute("SELECT coalesce(max(id), 0) + 1 FROM genres").fetchone()[0]
        self._first_new_artist: int = self._next_artist

    def load(self, credits: Iterable[Credit], genres: Iterable[str]) -> None:
        """Look up all names that will be asked for, in a few queries."""
        wanted: set[str] = set()
        for credit in credits:
            plain = name_of(credit.name).same
            wanted.add(plain)
            if credit.mbid:
                wanted.add(f"{plain}\x1f{credit.mbid}")
        for marks, part in chunks(wanted - self._artists.keys()):
            for row in self._cursor.execute(f"SELECT folded, id, mbid FROM artists WHERE folded IN ({marks})", part):
                self._artists[row[0]] = (row[1], row[2])
        folded = {name_of(genre).same for genre in genres}
        for marks, part in chunks(folded - self._genres.keys()):
            for row in self._cursor.execute(f"SELECT folded, id FROM genres WHERE folded IN ({marks})", part):
                self._genres[row[0]] = row[1]

    def artist(self, credit: Credit) -> int:
        """The artist of `credit`. One name with two MBIDs is two artists; without one it is the first of that name."""
        plain = name_of(credit.name).same
        known = self._artists.get(plain)
        if known is None:
            return self._make(plain, credit)
        artist_id, mbid = known
        if credit.mbid is None or credit.mbid == mbid:
            return artist_id
        if mbid is None:
            self._artists[plain] = (artist_id, credit.mbid)
            self._adopted.append((credit.mbid, self._revision, artist_id))
            return artist_id
        other = f"{plain}\x1f{credit.mbid}"
        known = self._artists.get(other)
        return known[0] if known else self._make(other, credit)

    def _make(self, folded: str, credit: Credit) -> int:
        artist_id, self._next_artist = self._next_artist, self._next_artist + 1
        name = name_of(credit.name)
        sort_name = credit.sort_name or credit.name
        sort_key = folding.sort_key(credit.sort_name) if credit.sort_name else name.sort_key
        self._artists[folded] = (artist_id, credit.mbid)
        self._new_artists.append((artist_id, folded, credit.name, sort_name, sort_key, name.search_key, credit.mbid))
        words = name.tokens
        if credit.sort_name:  # 東京事変 is found as Tokyo Jihen
            words = " ".join(dict.fromkeys((*words.split(), *folding.index_words(credit.sort_name))))
        self._indexing.artist(artist_id, words)
        return artist_id

    def is_new(self, artist_id: int) -> bool:
        return artist_id >= self._first_new_artist

    def follow(self, artist_id: int, predecessor_id: int) -> None:
        """`artist_id` stands where `predecessor_id` stood before a retag."""
        if artist_id != predecessor_id and self.is_new(artist_id):
            self._predecessors.setdefault(artist_id, predecessor_id)

    def genre(self, name: str) -> int:
        folded = name_of(name).same
        known = self._genres.get(folded)
        if known is None:
            known = self._genres[folded] = self._next_genre
            self._next_genre += 1
            self._new_genres.append((known, folded, name))
        return known

    def write(self) -> None:
        """Before anything refers to the new ones. May be called more than once."""
        if self._new_artists:
            uids = make_uids(len(self._new_artists))
            self._cursor.executemany(
                "INSERT INTO artists (id, folded, name, sort_name, sort_key, search_key, mbid, uid, added_at, "
                "predecessor_id, added_rev, changed_rev) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (*row, uid, self._now, self._predecessors.get(row[0]), self._revision, self._revision)
                    for row, uid in zip(self._new_artists, uids, strict=True)
                ],
            )
            self._new_artists = []
        if self._new_genres:
            self._cursor.executemany("INSERT INTO genres (id, folded, name) VALUES (?, ?, ?)", self._new_genres)
            self._new_genres = []
        if self._adopted:
            self._cursor.executemany("UPDATE artists SET mbid = ?, changed_rev = ? WHERE id = ?", self._adopted)
            self._adopted = []


@dataclass(slots=True)
class Hint:
    """What the latest reading says about an album."""

    title: str
    sort_key: str
    artist: str | None  # as shown; None: loose
    credits: list[tuple[int, str]]  # album artists; [] when loose
    compilation: bool
    mbid: str | None
    release_group_mbid: str | None
    disc_titles: dict[int, str | None] = field(default_factory=dict)


@dataclass(slots=True)
class _Album:
    """An album row, as it is or as it shall be."""

    title: str
    sort_key: str
    artist: str
    artist_sort_key: str
    year: int | None
    date: str | None
    original_date: str | None
    mbid: str | None
    release_group_mbid: str | None
    compilation: int
    track_count: int
    disc_count: int
    duration_ms: int
    artwork_id: int | None
    added_at: float
    key: str


_ALBUM = (
    "title",
    "sort_key",
    "artist",
    "artist_sort_key",
    "year",
    "date",
    "original_date",
    "mbid",
    "release_group_mbid",
    "compilation",
    "track_count",
    "disc_count",
    "duration_ms",
    "artwork_id",
    "added_at",
    "key",
)


class Settling:
    """Collects what a transaction touches; `settle` then makes albums, artists, genres and counts right.

    Tracks that change are named twice: `before` they do and `after`. The differences move the counts, so that one
    new track of an artist with ten thousand costs as little as of one with none.
    """

    def __init__(self, cursor: sqlite3.Cursor, revision: int, now: float, names: Names, indexing: Indexing) -> None:
        self._cursor, self._revision, self._now = cursor, revision, now
        self._names, self._indexing = names, indexing
        self.albums: set[int] = set()
        self.new_albums: set[int] = set()
        self.hints: dict[int, Hint] = {}
        self._artist_tracks: Counter[int] = Counter()
        self._artist_albums: Counter[int] = Counter()
        self._genre_tracks: Counter[int] = Counter()
        self._genre_albums: Counter[int] = Counter()

    # ---- what changes

    def before(self, track_ids: Sequence[int]) -> None:
        for contribution in self._contributions(track_ids):
            self._count(contribution, -1)

    def after(self, track_ids: Sequence[int]) -> None:
        for contribution in self._contributions(track_ids):
            self._count(contribution, 1)

    def added(self, contribution: Contribution) -> None:
        """A new, visible track whose parts are at hand."""
        self._count(contribution, 1)

    def _count(self, contribution: Contribution, by: int) -> None:
        album_id, artists, genres = contribution
        if album_id is not None:
            self.albums.add(album_id)
        for artist_id in artists:
            self._artist_tracks[artist_id] += by
        for genre_id in genres:
            self._genre_tracks[genre_id] += by

    def _contributions(self, track_ids: Sequence[int]) -> Iterator[Contribution]:
        """Of the visible ones among `track_ids`; those in the trash only name their album."""
        for marks, part in chunks(track_ids):
            artists: defaultdict[int, set[int]] = defaultdict(set)
            genres: defaultdict[int, set[int]] = defaultdict(set)
            roles = ", ".join(f"'{role}'" for role in COUNTED)
            for track_id, artist_id in self._cursor.execute(
                f"SELECT track_id, artist_id FROM credits WHERE track_id IN ({marks}) AND role IN ({roles})", part
            ):
                artists[track_id].add(artist_id)
            for track_id, genre_id in self._cursor.execute(
                f"SELECT track_id, genre_id FROM track_genres WHERE track_id IN ({marks})", part
            ):
                genres[track_id].add(genre_id)
            rows = self._cursor.execute(
                f"SELECT id, album_id, trashed_at FROM tracks WHERE id IN ({marks})", part
            ).fetchall()
            for track_id, album_id, trashed_at in rows:
                if trashed_at is None:
                    yield album_id, artists[track_id], genres[track_id]
                else:
                    yield album_id, (), ()

    # ---- what follows

    def settle(self) -> None:
        self._names.write()
        for marks, part in chunks(sorted(self.albums)):
            self._settle_albums(marks, part)
        self._settle_genres()
        self._settle_artists()
        empty = self._without_tracks(self.albums)
        if empty:
            self._hand_on("album", empty)
        poor = [
            artist_id
            for artist_id in {*self._artist_tracks, *self._artist_albums}
            if self._artist_tracks[artist_id] < 0 or self._artist_albums[artist_id] < 0
        ]
        if poor:
            forsaken = self._without_credits(poor)
            if forsaken:
                self._hand_on("artist", forsaken)

    def _settle_albums(self, marks: str, album_ids: list[int]) -> None:
        cursor = self._cursor
        old: dict[int, _Album] = {}
        uids: dict[int, str] = {}
        loose: set[int] = set()
        for row in cursor.execute(
            f"SELECT id, uid, loose, {', '.join(_ALBUM)} FROM albums WHERE id IN ({marks})", album_ids
        ):
            old[row[0]] = _Album(*row[3:])
            uids[row[0]] = row[1]
            if row[2]:
                loose.add(row[0])
        credits: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)
        genres: defaultdict[int, list[int]] = defaultdict(list)
        if len(self.new_albums) < len(self.albums):
            for album_id, artist_id, name in cursor.execute(
                "SELECT album_id, artist_id, name FROM album_credits "
                f"WHERE album_id IN ({marks}) ORDER BY album_id, position",
                album_ids,
            ):
                credits[album_id].append((artist_id, name))
            for album_id, genre_id in cursor.execute(
                f"SELECT album_id, genre_id FROM album_genres WHERE album_id IN ({marks}) ORDER BY album_id, position",
                album_ids,
            ):
                genres[album_id].append(genre_id)
        tracks: defaultdict[int, list[tuple[Any, ...]]] = defaultdict(list)
        for row in cursor.execute(
            "SELECT t.album_id, t.disc_number, t.year, t.date, t.original_date, t.duration_ms, t.added_at, "
            "f.root_id, f.path, f.picture_bytes, f.size_bytes, f.mtime_ns "
            "FROM tracks t LEFT JOIN files f ON f.track_id = t.id "
            f"WHERE t.album_id IN ({marks}) AND t.trashed_at IS NULL ORDER BY t.album_id, t.album_position, t.id",
            album_ids,
        ):
            tracks[row[0]].append(row)
        new_genres = self._genres_of(marks, album_ids)
        told = self._told_artists([one for one in album_ids if one in loose])
        artwork = self._artwork_of(tracks)
        writes: list[tuple[Any, ...]] = []
        genre_rows: list[tuple[Any, ...]] = []
        new_credits: dict[int, list[tuple[int, str]]] = {}
        for album_id in album_ids:
            was = old.get(album_id)
            if was is None:
                continue
            now, its_credits = self._album(
                album_id,
                was,
                tracks[album_id],
                credits[album_id],
                told.get(album_id) if album_id in loose else None,
                album_id in loose,
            )
            now.artwork_id = artwork.get(album_id)
            its_genres = new_genres[album_id] if now.track_count else []
            is_new = album_id in self.new_albums
            visible, was_visible = now.track_count > 0, was.track_count > 0
            if not visible:
                its_credits = credits[album_id] or its_credits
            for artist_id, _ in credits[album_id] if was_visible else ():
                self._artist_albums[artist_id] -= 1
            for artist_id, _ in its_credits if visible else ():
                self._artist_albums[artist_id] += 1
            for genre_id in genres[album_id] if was_visible else ():
                self._genre_albums[genre_id] -= 1
            for genre_id in its_genres if visible else ():
                self._genre_albums[genre_id] += 1
            if its_credits != credits[album_id]:
                new_credits[album_id] = its_credits
            if its_genres != genres[album_id]:
                if genres[album_id]:
                    cursor.execute("DELETE FROM album_genres WHERE album_id = ?", (album_id,))
                genre_rows += [(album_id, i, genre_id) for i, genre_id in enumerate(its_genres)]
            if (now.title, now.artist) != (was.title, was.artist) or is_new:
                self._indexing.album(album_id, name_of(now.title).tokens, name_of(now.artist).tokens, known=not is_new)
            if (
                now.sort_key != was.sort_key
                or now.artist_sort_key != was.artist_sort_key
                or not now.key.startswith("by:")
            ):
                key = f"{now.sort_key}\x1f{now.artist_sort_key}"
                cursor.execute(
                    "UPDATE tracks SET album_sort_key = ? WHERE album_id = ? AND album_sort_key <> ?",
                    (key, album_id, key),
                )
            if now != was or its_credits != credits[album_id] or its_genres != genres[album_id]:
                if (now.title, now.artist, now.artwork_id) != (was.title, was.artist, was.artwork_id) and not is_new:
                    # Its tracks show them too.
                    cursor.execute("UPDATE tracks SET changed_rev = ? WHERE album_id = ?", (self._revision, album_id))
                writes.append(
                    (
                        *(getattr(now, name) for name in _ALBUM),
                        name_of(now.title).search_key,
                        now.year or 0,
                        self._revision,
                        album_id,
                    )
                )
            if visible != was_visible:
                self._shown("album", album_id, uids[album_id], visible, fresh=is_new)
        insert_rows(cursor, "INSERT INTO album_genres (album_id, position, genre_id)", genre_rows)
        if new_credits:
            self._names.write()
            old_ones = [album_id for album_id in new_credits if credits[album_id]]
            for few, part in chunks(old_ones):
                cursor.execute(f"DELETE FROM album_credits WHERE album_id IN ({few})", part)
            insert_rows(
                cursor,
                "INSERT INTO album_credits (album_id, position, artist_id, name)",
                [
                    (album_id, i, artist_id, name)
                    for album_id, them in new_credits.items()
                    for i, (artist_id, name) in enumerate(them)
                ],
            )
        if writes:
            cursor.executemany(
                f"UPDATE albums SET {', '.join(f'{name} = ?' for name in _ALBUM)}, search_key = ?, "
                "year_key = ?, changed_rev = ? WHERE id = ?",
                writes,
            )

    def _album(
        self,
        album_id: int,
        was: _Album,
        tracks: list[tuple[Any, ...]],
        credits: list[tuple[int, str]],
        told: tuple[bool, int, str] | None,
        loose: bool,
    ) -> tuple[_Album, list[tuple[int, str]]]:
        """What the album shall be: names from the latest reading, the rest from its tracks.

        Year and date are those most of its tracks have (the earlier when equal), the original date the earliest.
        """
        hint = self.hints.get(album_id)
        title, sort_key = (hint.title, hint.sort_key) if hint else (was.title, was.sort_key)
        compilation = bool(hint.compilation) if hint else bool(was.compilation)
        if loose:
            if told is not None and told[0]:
                artist, compilation = identity.VARIOUS_ARTISTS, True
                its_credits = [(self._various(), artist)]
            elif told is not None:
                artist, its_credits = told[2], [(told[1], told[2])]
                if hint is None and was.artist == identity.VARIOUS_ARTISTS:
                    compilation = False
            else:
                artist, its_credits = was.artist, credits
        elif hint and hint.artist is not None:
            artist, its_credits = hint.artist, hint.credits
        else:
            artist, its_credits = was.artist, credits
        years: Counter[tuple[int, str | None]] = Counter()
        discs: set[int] = set()
        duration_ms, added_at, original = 0, was.added_at if was.track_count else float("inf"), None
        for row in tracks:
            discs.add(row[1] or 1)
            if row[2] is not None:
                years[(row[2], row[3])] += 1
            if row[4] and (original is None or row[4] < original):
                original = row[4]
            duration_ms += row[5]
            added_at = min(added_at, row[6])
        year, date = None, None
        if years:
            (year, date), _ = min(years.items(), key=lambda item: (-item[1], item[0][0], item[0][1] or ""))
        key = was.key
        if loose and key.startswith("in:") and tracks and tracks[0][8] is not None:
            moved = identity.loose_key(tracks[0][7], tracks[0][8], title)
            if moved != key and not self._cursor.execute("SELECT 1 FROM albums WHERE key = ?", (moved,)).fetchone():
                key = moved
        now = _Album(
            title,
            sort_key,
            artist,
            name_of(artist).sort_key,
            year,
            date,
            original,
            hint.mbid if hint else was.mbid,
            hint.release_group_mbid if hint else was.release_group_mbid,
            int(compilation),
            len(tracks),
            len(discs),
            duration_ms,
            None,
            added_at if tracks else was.added_at,
            key,
        )
        if hint:
            for number, disc_title in hint.disc_titles.items():
                if disc_title:
                    self._cursor.execute(
                        "INSERT INTO discs (album_id, number, title) VALUES (?, ?, ?) ON CONFLICT "
                        "(album_id, number) DO UPDATE SET title = excluded.title",
                        (album_id, number, disc_title),
                    )
                elif album_id not in self.new_albums:
                    self._cursor.execute("DELETE FROM discs WHERE album_id = ? AND number = ?", (album_id, number))
        return now, its_credits

    def _various(self) -> int:
        credit = Credit(identity.VARIOUS_ARTISTS, "albumartist")
        self._names.load([credit], [])
        return self._names.artist(credit)

    def _genres_of(self, marks: str, album_ids: list[int]) -> defaultdict[int, list[int]]:
        """Each album's genres, those of most tracks first."""
        genres: defaultdict[int, list[int]] = defaultdict(list)
        for album_id, genre_id in self._cursor.execute(
            "SELECT t.album_id, g.genre_id FROM tracks t JOIN track_genres g ON g.track_id = t.id "
            f"WHERE t.album_id IN ({marks}) AND t.trashed_at IS NULL GROUP BY t.album_id, g.genre_id "
            "ORDER BY t.album_id, count(*) DESC, min(g.position), g.genre_id",
            album_ids,
        ):
            if len(genres[album_id]) < _MOST_GENRES:
                genres[album_id].append(genre_id)
        return genres

    def _told_artists(self, album_ids: list[int]) -> dict[int, tuple[bool, int, str]]:
        """For loose albums: whether their tracks' first artists differ, and the first one."""
        told: dict[int, tuple[bool, int, str]] = {}
        for marks, part in chunks(album_ids):
            for album_id, artist_id, name in self._cursor.execute(
                "SELECT t.album_id, c.artist_id, min(c.name) FROM tracks t JOIN credits c ON c.track_id = t.id "
                f"WHERE t.album_id IN ({marks}) AND t.trashed_at IS NULL AND c.role = 'artist' AND c.position = 0 "
                "GROUP BY t.album_id, c.artist_id",
                part,
            ):
                told[album_id] = (album_id in told, artist_id, name)
        return told

    # ---- pictures

    def _artwork_of(self, tracks: dict[int, list[tuple[Any, ...]]]) -> dict[int, int]:
        """Each album's picture: one lying in the folder of its first disc (or above it, or of its other discs), else
        the one embedded in its first track that has any; a lying one that is outdone by what is embedded comes last."""
        folders: dict[int, list[tuple[int, str]]] = {}
        for album_id, rows in tracks.items():
            ordered: dict[tuple[int, str], None] = {}
            for row in rows:
                if row[8] is not None:
                    ordered[(row[7], identity.folder_of(row[8]))] = None
            own = list(ordered)
            above = [
                (root_id, identity.folder_of(folder)) for root_id, folder in own if identity.is_disc_folder(folder)
            ]
            folders[album_id] = own[:1] + above[:1] + own[1:]
        wanted = {folder for them in folders.values() for _, folder in them}
        lying: dict[tuple[int, str], int] = {}
        outdone: dict[tuple[int, str], int] = {}
        for marks, part in chunks(wanted):
            for artwork_id, root_id, folder, kind in self._cursor.execute(
                "SELECT id, root_id, folder, kind FROM artwork WHERE kind <> 'embedded' AND root_id IN "
                f"(SELECT id FROM roots) AND folder IN ({marks})",
                part,
            ):
                (lying if kind == "sidecar" else outdone)[(root_id, folder)] = artwork_id
        chosen: dict[int, int] = {}
        embedded: dict[int, tuple[int, str, int, int]] = {}
        for album_id, rows in tracks.items():
            for place in folders[album_id]:
                if place in lying:
                    chosen[album_id] = lying[place]
                    break
            else:
                for row in rows:
                    if row[9]:
                        embedded[album_id] = (row[7], row[8], row[10], row[11])
                        break
                else:
                    for place in folders[album_id]:
                        if place in outdone:
                            chosen[album_id] = outdone[place]
                            break
        if embedded:
            chosen.update(self.embedded_artwork(embedded))
        return chosen

    def embedded_artwork(self, wanted: dict[int, tuple[int, str, int, int]]) -> dict[int, int]:
        """Artwork rows for pictures inside audio files: {owner: (root, path, size, mtime_ns)} → {owner: artwork id}."""
        return keep_artwork(
            self._cursor,
            self._revision,
            "embedded",
            {
                owner: (root_id, identity.folder_of(path), path, size, mtime)
                for owner, (root_id, path, size, mtime) in wanted.items()
            },
        )

    # ---- counts and who is shown

    def _settle_genres(self) -> None:
        moved = [
            (self._genre_tracks[genre_id], self._genre_albums[genre_id], genre_id)
            for genre_id in {*self._genre_tracks, *self._genre_albums}
            if self._genre_tracks[genre_id] or self._genre_albums[genre_id]
        ]
        self._cursor.executemany(
            "UPDATE genres SET track_count = track_count + ?, album_count = album_count + ? WHERE id = ?", moved
        )

    def _settle_artists(self) -> None:
        moved = [
            artist_id
            for artist_id in {*self._artist_tracks, *self._artist_albums}
            if self._artist_tracks[artist_id] or self._artist_albums[artist_id]
        ]
        writes = []
        for marks, part in chunks(sorted(moved)):
            rows = self._cursor.execute(
                f"SELECT id, uid, track_count, album_count FROM artists WHERE id IN ({marks})", part
            ).fetchall()
            for artist_id, uid, tracks, albums in rows:
                now_tracks = tracks + self._artist_tracks[artist_id]
                now_albums = albums + self._artist_albums[artist_id]
                writes.append((now_tracks, now_albums, self._revision, artist_id))
                was_visible, visible = tracks + albums > 0, now_tracks + now_albums > 0
                if visible != was_visible:
                    self._shown("artist", artist_id, uid, visible, fresh=self._names.is_new(artist_id))
        self._cursor.executemany(
            "UPDATE artists SET track_count = ?, album_count = ?, changed_rev = ? WHERE id = ?", writes
        )

    def _shown(self, kind: Literal["album", "artist"], thing_id: int, uid: str, visible: bool, *, fresh: bool) -> None:
        if not visible:
            remember_removed(self._cursor, kind, [uid], self._revision)
        elif not fresh:
            self._cursor.execute("DELETE FROM removed WHERE kind = ? AND uid = ?", (kind, uid))
            self._cursor.execute(f"UPDATE {kind}s SET added_rev = ? WHERE id = ?", (self._revision, thing_id))

    # ---- a retag of the whole keeps the public id

    def _without_tracks(self, album_ids: Iterable[int]) -> list[int]:
        suspects = set(album_ids) - self.new_albums
        held: set[int] = set()
        for marks, part in chunks(suspects):
            held.update(
                row[0]
                for row in self._cursor.execute(
                    f"SELECT id FROM albums a WHERE id IN ({marks}) AND EXISTS "
                    "(SELECT 1 FROM tracks t WHERE t.album_id = a.id)",
                    part,
                )
            )
        return sorted(suspects - held)

    def _without_credits(self, artist_ids: Iterable[int]) -> list[int]:
        held: set[int] = set()
        suspects = {one for one in artist_ids if not self._names.is_new(one)}
        for marks, part in chunks(suspects):
            held.update(
                row[0]
                for row in self._cursor.execute(
                    f"SELECT id FROM artists a WHERE id IN ({marks}) AND (EXISTS (SELECT 1 FROM credits c WHERE "
                    "c.artist_id = a.id) OR EXISTS (SELECT 1 FROM album_credits c WHERE c.artist_id = a.id))",
                    part,
                )
            )
        return sorted(suspects - held)

    def _hand_on(self, kind: Literal["album", "artist"], empty: list[int]) -> None:
        """The public id, favourites and plays of things left empty go to the one their tracks went to."""
        cursor, table = self._cursor, f"{kind}s"
        for marks, part in chunks(empty):
            heirs: dict[int, int] = {}
            for heir, old in cursor.execute(
                f"SELECT id, predecessor_id FROM {table} WHERE predecessor_id IN ({marks}) AND track_count > 0 "
                "ORDER BY track_count, id",
                part,
            ):
                heirs[old] = heir
            for old, heir in heirs.items():
                old_uid, old_added_at, old_added_rev = cursor.execute(
                    f"SELECT uid, added_at, added_rev FROM {table} WHERE id = ?", (old,)
                ).fetchone()
                heir_uid, heir_added_rev = cursor.execute(
                    f"SELECT uid, added_rev FROM {table} WHERE id = ?", (heir,)
                ).fetchone()
                move_listening(cursor, kind, old, heir, self._revision)
                cursor.execute(f"DELETE FROM {table} WHERE id = ?", (old,))
                cursor.execute("DELETE FROM removed WHERE kind = ? AND uid = ?", (kind, old_uid))
                if heir_added_rev != self._revision:  # it was seen under its own id
                    remember_removed(cursor, kind, [heir_uid], self._revision)
                cursor.execute(
                    f"UPDATE {table} SET uid = ?, added_at = ?, added_rev = ?, changed_rev = ?, "
                    "predecessor_id = NULL WHERE id = ?",
                    (old_uid, old_added_at, old_added_rev, self._revision, heir),
                )
                cursor.execute(f"UPDATE {table} SET predecessor_id = NULL WHERE predecessor_id = ?", (old,))
                if kind == "album":  # its tracks name it by the public id
                    cursor.execute("UPDATE tracks SET changed_rev = ? WHERE album_id = ?", (self._revision, heir))
            self._indexing.forget(f"{kind}_words", heirs)


def remember_removed(
    cursor: sqlite3.Cursor, kind: str, uids: Iterable[str], revision: int, user_id: int | None = None
) -> None:
    cursor.executemany(
        "INSERT OR REPLACE INTO removed (kind, uid, rev, user_id) VALUES (?, ?, ?, ?)",
        [(kind, uid, revision, user_id) for uid in uids],
    )


def move_listening(cursor: sqlite3.Cursor, kind: str, old: int, heir: int, revision: int) -> None:
    cursor.execute(
        f"INSERT INTO {kind}_listening (user_id, {kind}_id, favourite_at, rating, play_count, last_played_at, "
        "changed_rev) SELECT user_id, ?, favourite_at, rating, play_count, last_played_at, ? "
        f"FROM {kind}_listening WHERE {kind}_id = ? "
        f"ON CONFLICT (user_id, {kind}_id) DO UPDATE SET favourite_at = coalesce(favourite_at, excluded.favourite_at), "
        "rating = max(rating, excluded.rating), play_count = play_count + excluded.play_count, "
        "last_played_at = max(coalesce(last_played_at, 0), coalesce(excluded.last_played_at, 0)), "
        "changed_rev = excluded.changed_rev",
        (heir, revision, old),
    )


def keep_artwork(
    cursor: sqlite3.Cursor, revision: int, kind: str, wanted: dict[Any, tuple[int, str, str, int, int]]
) -> dict[Any, int]:
    """Rows for pictures: {owner: (root, folder, path, size, mtime_ns)} → {owner: artwork id}. A picture that changed
    gets a new version and loses its colour, its size, and the copy that was kept of it."""
    known: dict[tuple[int, str], tuple[int, str, int, int, str]] = {}
    for marks, part in chunks({path for _, _, path, _, _ in wanted.values()}):
        for row in cursor.execute(
            "SELECT root_id, path, id, kind, size_bytes, mtime_ns, folder FROM artwork "
            f"WHERE root_id IN (SELECT id FROM roots) AND path IN ({marks})",
            part,
        ):
            known[(row[0], row[1])] = (row[2], row[3], row[4], row[5], row[6])
    fresh: list[tuple[Any, ...]] = []
    changed: list[tuple[Any, ...]] = []
    chosen: dict[Any, int] = {}
    next_id: int = cursor.execute("SELECT coalesce(max(id), 0) + 1 FROM artwork").fetchone()[0]
    for owner, (root_id, folder, path, size, mtime) in wanted.items():
        row = known.get((root_id, path))
        if row is None:
            fresh.append((next_id, kind, root_id, folder, path, size, mtime, picture_version(size, mtime)))
            row = known[(root_id, path)] = (next_id, kind, size, mtime, folder)
            next_id += 1
        elif row[1:] != (kind, size, mtime, folder):
            changed.append((kind, folder, size, mtime, picture_version(size, mtime), row[0]))
        chosen[owner] = row[0]
    cursor.executemany(
        "INSERT INTO artwork (id, kind, root_id, folder, path, size_bytes, mtime_ns, version) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        fresh,
    )
    cursor.executemany(
        "UPDATE artwork SET kind = ?, folder = ?, size_bytes = ?, mtime_ns = ?, version = ?, color = NULL, "
        "width = NULL, height = NULL, kept = NULL WHERE id = ?",
        changed,
    )
    for row in changed:
        cursor.execute("UPDATE albums SET changed_rev = ? WHERE artwork_id = ?", (revision, row[-1]))
        cursor.execute(
            "UPDATE tracks SET changed_rev = ? WHERE artwork_id = ? OR album_id IN "
            "(SELECT id FROM albums WHERE artwork_id = ?)",
            (revision, row[-1], row[-1]),
        )
    return chosen
