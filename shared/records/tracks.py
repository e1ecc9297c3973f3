"""Tracks: lists, one of them, its file, its words; edits, the trash, and what is missing."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, bindparam, select, text

from shared.database import Database, driver_cursor
from shared.model.errors import BadInput, Conflict, NotFound
from shared.model.filepath import to_path
from shared.model.person import Person
from shared.model.scan import Found
from shared.model.source import TrackFile
from shared.model.track import AudioFacts, Credit, Filters, Lyrics, Metadata, Page, Reading, ReplayGain, Track
from shared.records import folding, places, revisions, search_index, visible
from shared.records.intake import EDITABLE, Intake, edited, make_ready
from shared.records.moments import shown
from shared.records.pages import (
    Counts,
    Heard,
    Listed,
    Lists,
    Order,
    Shuffled,
    Sort,
    clamp,
    in_pieces,
    page_ids,
    sight_of,
)
from shared.records.search_index import Indexing
from shared.records.settling import Names, Settling, chunks, remember_removed
from shared.records.showing import show_tracks
from shared.records.tables import (
    albums,
    artists,
    files,
    genres,
    lyrics,
    roots,
    track_genres,
    track_listening,
    tracks,
)
from shared.records.tables import (
    credits as track_credits,
)

EVERYTHING = Filters()
Made = TypeVar("Made")
_MOST_KEPT = 60  # letters and counts of limited people
_PLACES = {  # which files; of local ones those that are not, which are fewer
    "local": text(places.ABSENT),
    "cache": text(places.CACHE),
    "cloud": text(places.CLOUD),
    "missing": text(places.NOWHERE),
}
ARTIST_ROLES = ("artist", "albumartist")  # by which a track is in an artist's list

_VISIBLE = tracks.c.trashed_at.is_(None)


def _heard(column: str) -> Heard:
    value = track_listening.c[column]
    there = value > 0 if column in ("rating", "play_count") else value.is_not(None)
    return Heard(track_listening, track_listening.c.track_id, value, there)


SORTS: dict[str, Sort] = {
    "title": Order((tracks.c.sort_key,)),
    "artist": Order((tracks.c.artist_sort_key, tracks.c.album_sort_key, tracks.c.album_position)),
    "album": Order((tracks.c.album_sort_key, tracks.c.album_position)),
    "added": Order((tracks.c.added_at,)),
    "year": Order((tracks.c.year_key,)),
    "duration": Order((tracks.c.duration_ms,)),
    "plays": _heard("play_count"),
    "played": _heard("last_played_at"),
    "rating": _heard("rating"),
    "favourited": _heard("favourite_at"),
    "random": Shuffled(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrashedTrack(Track):
    trashed_at: str  # RFC 3339 UTC


@dataclass(frozen=True, slots=True)
class Letter:
    """Where a letter begins in a sorted list."""

    letter: str
    offset: int


@dataclass(frozen=True, slots=True)
class LibraryStats:
    tracks: int
    albums: int
    artists: int
    duration_ms: int
    size_bytes: int
    missing: int
    revision: int


@dataclass(frozen=True, slots=True)
class TrashPlace:
    """Where a track in the trash lies, and where it lay. Paths are relative to `root`, as text."""

    root: str
    path: str
    trashed_from: str
    trashed_at: float
    alone: bool = False  # the row went to the trash without a file: what lies at `path` now is no business of it


_GET = select(tracks.c.id).where(tracks.c.uid == bindparam("uid"), _VISIBLE)
_BY_UID = select(tracks.c.uid, tracks.c.id).where(tracks.c.uid.in_(bindparam("uids", expanding=True)), _VISIBLE)
_FILE = (
    select(
        tracks.c.uid,
        roots.c.path,
        files.c.path,
        files.c.size_bytes,
        files.c.mtime_ns,
        files.c.mime_type,
        files.c.format,
        tracks.c.duration_ms,
        files.c.sha256,
        files.c.missing_since,
    )
    .select_from(tracks.join(files, files.c.track_id == tracks.c.id).join(roots, roots.c.id == files.c.root_id))
    .where(tracks.c.uid == bindparam("uid"), _VISIBLE)
)
_LYRICS = (
    select(lyrics.c.text, lyrics.c.synced, lyrics.c.language, lyrics.c.source)
    .where(lyrics.c.track_id == bindparam("track_id"))
    .order_by(lyrics.c.position)
)


def no_such_track() -> NotFound:
    return NotFound("There is no such track in the library.")


def track_id_of(conn: Connection, uid: str, person: Person | None = None) -> int:
    """The inner id of a visible track; `person`: who must see it, inside a transaction. Raises NotFound."""
    found = conn.execute(_GET, {"uid": uid}).scalar_one_or_none()
    if found is None or not visible.sees(conn, person, "track", found):
        raise no_such_track()
    return int(found)


def track_ids_of(conn: Connection, uids: Sequence[str], person: Person | None = None) -> dict[str, int]:
    """The inner ids of visible tracks; uids that are not there are left out."""
    found = in_pieces(conn, _BY_UID, uids)
    if person is not None and person.limited:
        seen = visible.seen_of(conn, person, found.values())
        found = {uid: one for uid, one in found.items() if one in seen}
    return found


def conditions(conn: Connection, person: Person, filters: Filters) -> list[ColumnElement[bool]] | None:
    """`filters` as SQL on tracks; None when nothing can match."""
    where: list[ColumnElement[bool]] = [_VISIBLE]
    if filters.album_id is not None:
        where.append(tracks.c.album_id == select(albums.c.id).where(albums.c.uid == filters.album_id).scalar_subquery())
    if filters.artist_id is not None:
        where.append(
            tracks.c.id.in_(
                select(track_credits.c.track_id)
                .join(artists, artists.c.id == track_credits.c.artist_id)
                .where(artists.c.uid == filters.artist_id, track_credits.c.role.in_(ARTIST_ROLES))
            )
        )
    if filters.genre is not None:
        where.append(
            tracks.c.id.in_(
                select(track_genres.c.track_id)
                .join(genres, genres.c.id == track_genres.c.genre_id)
                .where(genres.c.folded == (folding.same(filters.genre) or filters.genre))
            )
        )
    if filters.year is not None:
        where.append(tracks.c.year_key == filters.year)
    if filters.favourite is not None:
        mine = select(track_listening.c.track_id).where(
            track_listening.c.user_id == person.user_id, track_listening.c.favourite_at.is_not(None)
        )
        where.append(tracks.c.id.in_(mine) if filters.favourite else tracks.c.id.not_in(mine))
    if filters.place is not None:
        if filters.place not in _PLACES:
            raise BadInput("place is local, cache, cloud or missing.", field="place")
        there = tracks.c.id.in_(select(files.c.track_id).where(_PLACES[filters.place]))
        where.append(there if filters.place != "local" else ~there)
    if filters.q is not None:
        matching = search_index.matching(driver_cursor(conn), "track_words", filters.q, limited=person.limited)
        if matching is None:
            return None
        where.append(tracks.c.id.in_(matching))
    return where


class Tracks:
    """The library's tracks."""

    def __init__(self, *, database: Database) -> None:
        self._database = database
        self._trash_counts = Counts()
        self._lists = Lists(
            database=database, id=tracks.c.id, sorts=SORTS, conditions=conditions, ids_of=track_ids_of, show=show_tracks
        )
        self._letters: dict[tuple[str, str], tuple[int, tuple[Letter, ...]]] = {}
        self._stats: tuple[int, LibraryStats] | None = None
        self._seen_kept: dict[tuple[Any, ...], tuple[int, Any]] = {}
        self._lock = threading.Lock()

    # ---- looking

    def list(
        self,
        person: Person,
        *,
        filters: Filters = EVERYTHING,
        sort: str = "title",
        limit: int = 100,
        cursor: str | None = None,
        offset: int | None = None,
        ids: Sequence[str] | None = None,
        seed: int | None = None,
    ) -> Page[Track]:
        """A page of tracks; `ids` asks for these, in that order, and nothing else. Raises BadInput."""
        return self._lists.page(
            person, filters=filters, sort=sort, limit=limit, cursor=cursor, offset=offset, ids=ids, seed=seed
        )

    def get(self, person: Person, uid: str) -> Track:
        """One track. Raises NotFound, also for one in the trash."""
        with self._database.read(person) as conn:
            return show_tracks(conn, person, [track_id_of(conn, uid)])[0]

    def seen(self, person: Person, uids: Sequence[str]) -> set[str]:
        """Those of these tracks that are there for a person. Of who is not limited nothing is asked: all of them."""
        if not person.limited:
            return set(uids)
        with self._database.read(person) as conn:
            return set(track_ids_of(conn, uids))

    def must_see(self, person: Person, uid: str, *, trashed: bool = False) -> None:
        """Raise NotFound, as for a track that is not there (or not in the trash), when a person does not see it."""
        if person.limited:
            with self._database.read(person) as conn:
                _trashed_id(conn, uid) if trashed else track_id_of(conn, uid)

    def file_of(self, uid: str, *, person: Person | None = None) -> TrackFile:
        """What is known of a track's file. Raises NotFound, also for one in the trash."""
        with self._database.read(person) as conn:
            row = conn.execute(_FILE, {"uid": uid}).first()
        if row is None:
            raise no_such_track()
        return TrackFile(
            row[0], to_path(row[1]), to_path(row[2]), row[3], row[4], row[5], row[6], row[7], row[8], row[9] is not None
        )

    def is_there(self, person: Person, uid: str) -> bool:
        """Whether it is there, and the person sees it."""
        with self._database.read(person) as conn:
            return bool(track_ids_of(conn, [uid]))

    def lyrics(self, uid: str, *, person: Person | None = None) -> Sequence[Lyrics]:
        """The words of a track, as its file and the one beside it have them. Raises NotFound."""
        with self._database.read(person) as conn:
            rows = conn.execute(_LYRICS, {"track_id": track_id_of(conn, uid)})
            return [Lyrics(text, bool(synced), language, source) for text, synced, language, source in rows]

    def letters(self, of: str, sort: str, *, person: Person | None = None) -> Sequence[Letter]:
        """Where each letter begins in the list `of` tracks, albums or artists, sorted by title, artist or name."""
        columns = {
            ("tracks", "title"): ("tracks", "sort_key", "trashed_at IS NULL"),
            ("tracks", "artist"): ("tracks", "artist_sort_key", "trashed_at IS NULL"),
            ("albums", "title"): ("albums", "sort_key", "track_count > 0"),
            ("albums", "artist"): ("albums", "artist_sort_key", "track_count > 0"),
            ("artists", "name"): ("artists", "sort_key", "(track_count > 0 OR album_count > 0)"),
        }
        if (of, sort) not in columns:
            raise BadInput(f"There are no letters for {of} sorted by {sort}.", field="sort")
        table, column, condition = columns[of, sort]
        if person is not None and person.limited:
            with self._database.read(person) as conn:
                return self._kept(
                    conn, person, (of, sort), lambda: tuple(_letters(driver_cursor(conn), table, column, condition))
                )
        with self._database.read() as conn:
            library = revisions.library(conn)
            kept = self._letters.get((of, sort))
            if kept is not None and kept[0] == library:
                return kept[1]
            found = tuple(_letters(driver_cursor(conn), table, column, condition))
        with self._lock:
            self._letters[of, sort] = (library, found)
        return found

    def stats(self, *, person: Person | None = None) -> LibraryStats:
        """How much there is. What is in the trash does not count, what is missing does."""
        if person is not None and person.limited:
            return self._stats_of(person)
        with self._database.read() as conn:
            revision, library = revisions.current(conn), revisions.library(conn)
            kept = self._stats
            if kept is None or kept[0] != library:
                cursor = driver_cursor(conn)
                count, duration = cursor.execute(
                    "SELECT count(*), coalesce(sum(duration_ms), 0) FROM tracks WHERE trashed_at IS NULL"
                ).fetchone()
                (size,) = cursor.execute(
                    "SELECT coalesce(sum(size_bytes), 0) FROM files WHERE trashed_from IS NULL"
                ).fetchone()
                (alone,) = cursor.execute(  # rows that went to the trash without their files
                    "SELECT coalesce(sum(f.size_bytes), 0) FROM tracks t CROSS JOIN files f "
                    "ON f.track_id = t.id WHERE t.trashed_at IS NOT NULL AND f.trashed_from IS NULL"
                ).fetchone()
                size, missing = size - alone, len(_nowhere(cursor))
                (albums_,) = cursor.execute("SELECT count(*) FROM albums WHERE track_count > 0").fetchone()
                (artists_,) = cursor.execute(
                    "SELECT count(*) FROM artists WHERE track_count > 0 OR album_count > 0"
                ).fetchone()
                kept = (library, LibraryStats(count, albums_, artists_, duration, size, missing, revision))
                self._stats = kept
            one = kept[1]
            return LibraryStats(
                one.tracks, one.albums, one.artists, one.duration_ms, one.size_bytes, one.missing, revision
            )

    def _stats_of(self, person: Person) -> LibraryStats:
        """The same for a limited person."""
        with self._database.read(person) as conn:
            one = self._kept(conn, person, ("stats",), lambda: self._count_for(conn))
            return replace(one, revision=revisions.current(conn))

    @staticmethod
    def _count_for(conn: Connection) -> LibraryStats:
        cursor = driver_cursor(conn)
        count, duration, size = cursor.execute(
            "SELECT count(*), coalesce(sum(t.duration_ms), 0), coalesce(sum(f.size_bytes), 0) "
            "FROM tracks t LEFT JOIN files f ON f.track_id = t.id WHERE t.trashed_at IS NULL"
        ).fetchone()
        (albums_,) = cursor.execute("SELECT count(*) FROM albums WHERE track_count > 0").fetchone()
        (artists_,) = cursor.execute(
            "SELECT count(*) FROM artists WHERE track_count > 0 OR album_count > 0"
        ).fetchone()
        missing = len(_nowhere(cursor))
        return LibraryStats(count, albums_, artists_, duration, size, missing, 0)

    def _kept(self, conn: Connection, person: Person, what: tuple[str, ...], make: Callable[[], Made]) -> Made:
        """What was made for this limited person while the library (and their folders) stayed as they are."""
        key, library = (person.user_id, *what), revisions.library(conn)
        kept = self._seen_kept.get(key)
        if kept is not None and kept[0] == library:
            known: Made = kept[1]
            return known
        made = make()
        with self._lock:
            if len(self._seen_kept) >= _MOST_KEPT:
                self._seen_kept.clear()
            self._seen_kept[key] = (library, made)
        return made

    # ---- editing

    def override(self, uid: str, fields: dict[str, Any]) -> None:
        """Edit a track without its file: kept, and laid over every later reading until the file itself is written.

        `fields`: some of title artist album album_artist track_number disc_number year genres.
        Raises NotFound, BadInput.
        """
        unknown = set(fields) - set(EDITABLE)
        if unknown:
            raise BadInput(f"{', '.join(sorted(unknown))} cannot be edited.", field=sorted(unknown)[0])
        with self._database.transaction() as conn:
            track_id = track_id_of(conn, uid)
            cursor = driver_cursor(conn)
            (edits,) = cursor.execute("SELECT edited FROM tracks WHERE id = ?", (track_id,)).fetchone()
            edits = {**json.loads(edits), **fields}
            root_id, found, reading, sha256 = _as_read(conn, track_id)
            revision = revisions.bump(conn)
            intake = Intake(cursor, root_id=root_id, revision=revision, now=time.time())
            known = intake.known_track(track_id)
            assert known is not None
            metadata = edited(reading.metadata, fields)
            intake.rewrite([(known, make_ready(root_id, found, reading, sha256, metadata))])
            intake.finish()
            cursor.execute(
                "UPDATE tracks SET edited = ? WHERE id = ?", (json.dumps(edits, ensure_ascii=False), track_id)
            )

    def edits(self, uid: str) -> dict[str, Any]:
        """What a person set without writing the file. Raises NotFound."""
        with self._database.read() as conn:
            row = conn.execute(select(tracks.c.edited).where(tracks.c.id == track_id_of(conn, uid))).scalar_one()
            kept: dict[str, Any] = json.loads(row)
            return kept

    def apply_reading(
        self, uid: str, found: Found, reading: Reading, *, written: Collection[str] | None = None
    ) -> None:
        """Take over what a track's file says after tags were written to it; edits kept until now no longer count.

        `written`: only edits of these fields are dropped, the others stay laid over. Raises NotFound.
        """
        with self._database.transaction() as conn:
            track_id = track_id_of(conn, uid)
            cursor = driver_cursor(conn)
            root_id, edits = cursor.execute(
                "SELECT f.root_id, t.edited FROM tracks t JOIN files f ON f.track_id = t.id WHERE t.id = ?", (track_id,)
            ).fetchone() or (None, "{}")
            if root_id is None:
                raise no_such_track()
            kept = (
                {}
                if written is None
                else {name: value for name, value in json.loads(edits).items() if name not in written}
            )
            revision = revisions.bump(conn)
            intake = Intake(cursor, root_id=root_id, revision=revision, now=time.time())
            known = intake.known_track(track_id)
            assert known is not None
            intake.rewrite([(known, make_ready(root_id, found, reading, None, edited(reading.metadata, kept)))])
            intake.finish()
            cursor.execute(
                "UPDATE tracks SET edited = ? WHERE id = ?", (json.dumps(kept, ensure_ascii=False), track_id)
            )
            cursor.execute(
                "UPDATE files SET missing_since = NULL, offloaded_at = NULL WHERE track_id = ?", (track_id,)
            )

    # ---- the trash

    def trash(self, uid: str, *, trashed_from: str, path: str) -> None:
        """A track's file went to the trash: `path` is where it lies now, `trashed_from` where it lay (text, relative
        to its root; the same when it could only be marked). Raises NotFound."""
        with self._database.transaction() as conn:
            track_id = track_id_of(conn, uid)
            cursor = driver_cursor(conn)
            revision = revisions.bump(conn)
            settling, indexing = _settling(cursor, revision)
            settling.before([track_id])
            cursor.execute(
                "UPDATE tracks SET trashed_at = ?, changed_rev = ? WHERE id = ?", (time.time(), revision, track_id)
            )
            cursor.execute(
                "UPDATE files SET path = ?, trashed_from = ? WHERE track_id = ?", (path, trashed_from, track_id)
            )
            remember_removed(cursor, "track", [uid], revision)
            settling.after([track_id])
            settling.settle()
            indexing.write()
            recount_playlists(conn, playlists_with(conn, [track_id]), revision)

    def restore(self, uid: str, *, path: str) -> None:
        """A track's file is back, at `path`. It has the same id, plays and playlists as before; one that went to the
        trash without a file is as missing as it was. Raises NotFound."""
        with self._database.transaction() as conn:
            track_id = _trashed_id(conn, uid)
            cursor = driver_cursor(conn)
            if cursor.execute(
                "SELECT 1 FROM files WHERE path = ? AND track_id <> ? AND root_id = (SELECT root_id FROM "
                "files WHERE track_id = ?)",
                (path, track_id, track_id),
            ).fetchone():
                raise Conflict("Another track's file lies where this one would go.")
            revision = revisions.bump(conn)
            settling, indexing = _settling(cursor, revision)
            settling.before([track_id])
            cursor.execute(
                "UPDATE tracks SET trashed_at = NULL, added_rev = ?, changed_rev = ? WHERE id = ?",
                (revision, revision, track_id),
            )
            cursor.execute(
                "UPDATE files SET path = ?, trashed_from = NULL, missing_since = CASE "
                "WHEN offloaded_at IS NOT NULL OR trashed_from IS NULL THEN missing_since END "  # it was in no trash
                "WHERE track_id = ?",
                (path, track_id),
            )
            cursor.execute("DELETE FROM removed WHERE kind = 'track' AND uid = ?", (uid,))
            settling.after([track_id])
            settling.settle()
            indexing.write()
            recount_playlists(conn, playlists_with(conn, [track_id]), revision)

    def purge(self, uid: str) -> None:
        """Forget a track in the trash for ever. Raises NotFound."""
        with self._database.transaction() as conn:
            self._forget(conn, [_trashed_id(conn, uid)])

    def purge_alone(self, uids: Collection[str]) -> int:
        """Forget for ever those of these tracks in the trash whose rows went there without a file; how many."""
        wanted = set(uids)
        with self._database.transaction() as conn:
            rows = driver_cursor(conn).execute(
                "SELECT t.uid, t.id FROM tracks t CROSS JOIN files f ON f.track_id = t.id "
                "WHERE t.trashed_at IS NOT NULL AND f.trashed_from IS NULL"
            )
            gone = [track_id for uid, track_id in rows if uid in wanted]
            if gone:
                self._forget(conn, gone)
            return len(gone)

    def trash_place(self, uid: str) -> TrashPlace:
        """Where a track in the trash lies. Raises NotFound."""
        with self._database.read() as conn:
            track_id = _trashed_id(conn, uid)
            row = conn.execute(
                select(roots.c.path, files.c.path, files.c.trashed_from, tracks.c.trashed_at)
                .select_from(
                    tracks.join(files, files.c.track_id == tracks.c.id).join(roots, roots.c.id == files.c.root_id)
                )
                .where(tracks.c.id == track_id)
            ).one()
            return TrashPlace(row[0], row[1], row[2] or row[1], row[3], row[2] is None)

    def trashed(
        self, limit: int = 100, cursor: str | None = None, *, person: Person | None = None
    ) -> Page[TrashedTrack]:
        """What is in the trash, the latest first."""
        viewer = person or Person(user_id=0, id="", username="", role="owner")
        where = (tracks.c.trashed_at.is_not(None),)
        with self._database.read(person) as conn:
            listed = Listed("trash", tracks.c.id, where, 0, sight_of(viewer), revisions.library(conn))
            found, following = page_ids(
                conn,
                listed,
                sort=Order((tracks.c.trashed_at,)),
                name="trashed",
                descending=True,
                limit=clamp(limit),
                cursor=cursor,
                offset=None,
                seed=None,
            )
            times = {
                row[0]: (row[1], row[2])
                for row in conn.execute(
                    select(tracks.c.uid, tracks.c.trashed_at, files.c.trashed_from)
                    .outerjoin(files, files.c.track_id == tracks.c.id)
                    .where(tracks.c.id.in_(found))
                )
            }
            names = [one.name for one in fields(Track)]
            items = []
            for one in show_tracks(conn, viewer, found):
                values = {name: getattr(one, name) for name in names}
                trashed_at, trashed_from = times[one.id]
                values["path"] = (trashed_from or one.path) if viewer.sees_files else None
                items.append(TrashedTrack(**values, trashed_at=shown(trashed_at)))
            return Page(
                items=items,
                next_cursor=following,
                total=self._trash_counts.total(conn, listed),
                revision=revisions.current(conn),
            )

    # ---- the missing

    def missing_ids(self) -> Sequence[str]:
        """Public ids of tracks whose files were not found at the last scan, and that no copy is known of."""
        with self._database.read() as conn:
            return [uid for uid, _ in _nowhere(driver_cursor(conn))]

    def purge_missing(self, uids: Collection[str] | None = None) -> int:
        """Forget missing tracks (all, or those named that are missing) for ever; how many. No file is touched; those
        that lie in the cloud or the cache are not missing."""
        if uids is not None and not uids:
            return 0
        with self._database.transaction() as conn:
            wanted = None if uids is None else set(uids)
            gone = [
                track_id for uid, track_id in _nowhere(driver_cursor(conn)) if wanted is None or uid in wanted
            ]
            if gone:
                self._forget(conn, gone)
            return len(gone)

    def _forget(self, conn: Connection, track_ids: Sequence[int]) -> None:
        cursor = driver_cursor(conn)
        revision = revisions.bump(conn)
        settling, indexing = _settling(cursor, revision)
        settling.before(track_ids)
        forget_in_playlists(conn, track_ids, revision)
        for marks, part in chunks(track_ids):
            uids = [row[0] for row in cursor.execute(f"SELECT uid FROM tracks WHERE id IN ({marks})", part)]
            remember_removed(cursor, "track", uids, revision)
            cursor.execute(f"DELETE FROM tracks WHERE id IN ({marks})", part)
        indexing.forget("track_words", track_ids)
        settling.settle()
        indexing.write()
        if len(track_ids) > 1000:
            from shared.records.scans import prune_removed

            prune_removed(conn)


def _nowhere(cursor: sqlite3.Cursor) -> list[tuple[str, int]]:
    """(public id, inner id) of visible tracks that are in none of the three places; about 3 µs each absent one."""
    return cursor.execute(
        "SELECT t.uid, t.id FROM files JOIN tracks t ON t.id = files.track_id "
        f"WHERE t.trashed_at IS NULL AND {places.NOWHERE} ORDER BY t.id"
    ).fetchall()


def _letters(cursor: sqlite3.Cursor, table: str, column: str, visible: str) -> Iterator[Letter]:
    """From letter to letter by the index, counting what lies between: a few milliseconds at 100,000."""
    met: set[str] = set()
    begin, offset = "", 0
    while True:
        row = cursor.execute(
            f"SELECT {column} FROM {table} WHERE {visible} AND {column} >= ? ORDER BY {column} LIMIT 1", (begin,)
        ).fetchone()
        if row is None:
            return
        letter = folding.letter(row[0][:1])
        if letter not in met:
            met.add(letter)
            yield Letter(letter, offset)
        end = folding.after_letter(row[0][:1])
        count = f"SELECT count(*) FROM {table} WHERE {visible} AND {column} >= ? AND {column} < ?"
        offset += cursor.execute(count, (begin, end)).fetchone()[0]
        if end <= begin:
            return
        begin = end


def forget_in_playlists(conn: Connection, track_ids: Sequence[int], revision: int) -> None:
    """Take tracks that go for ever out of all playlists, and set those right."""
    cursor = driver_cursor(conn)
    touched = playlists_with(conn, track_ids)
    for marks, part in chunks(track_ids):
        cursor.execute(f"DELETE FROM playlist_entries WHERE track_id IN ({marks})", part)
    recount_playlists(conn, touched, revision)


def playlists_with(conn: Connection, track_ids: Sequence[int]) -> set[int]:
    """The inner ids of playlists that hold any of these tracks."""
    cursor = driver_cursor(conn)
    return {
        row[0]
        for marks, part in chunks(track_ids)
        for row in cursor.execute(
            f"SELECT DISTINCT playlist_id FROM playlist_entries WHERE track_id IN ({marks})", part
        )
    }


def recount_playlists(conn: Connection, playlist_ids: Collection[int], revision: int) -> None:
    """Their tracks changed: count those that are shown, and tell."""
    driver_cursor(conn).executemany(
        "UPDATE playlists SET changed_rev = ?, (track_count, duration_ms) = (SELECT count(*), "
        "coalesce(sum(t.duration_ms), 0) FROM playlist_entries e JOIN tracks t ON t.id = e.track_id "
        "WHERE e.playlist_id = playlists.id AND t.trashed_at IS NULL) WHERE id = ?",
        [(revision, playlist_id) for playlist_id in playlist_ids],
    )


def _settling(cursor: Any, revision: int) -> tuple[Settling, Indexing]:
    now, indexing = time.time(), Indexing(cursor)
    return Settling(cursor, revision, now, Names(cursor, revision, now, indexing), indexing), indexing


def _trashed_id(conn: Connection, uid: str) -> int:
    found = conn.execute(
        select(tracks.c.id).where(tracks.c.uid == uid, tracks.c.trashed_at.is_not(None))
    ).scalar_one_or_none()
    if found is None:
        raise NotFound("There is no such track in the trash.")
    return int(found)


def _as_read(conn: Connection, track_id: int) -> tuple[int, Found, Reading, str | None]:
    """A track's reading, put together again from its rows: (root id, its file, the reading, the file's hash)."""
    row = conn.execute(
        select(
            tracks,
            albums.c.title.label("album"),
            albums.c.artist.label("album_artist"),
            albums.c.key,
            albums.c.loose,
            albums.c.mbid,
            albums.c.release_group_mbid,
            albums.c.compilation,
            files,
        )
        .select_from(
            tracks.join(files, files.c.track_id == tracks.c.id).outerjoin(albums, albums.c.id == tracks.c.album_id)
        )
        .where(tracks.c.id == track_id)
    ).first()
    if row is None:
        raise no_such_track()
    its = row._mapping
    credited = conn.execute(
        select(track_credits.c.name, track_credits.c.role, artists.c.mbid, artists.c.sort_name, artists.c.name)
        .join(artists, artists.c.id == track_credits.c.artist_id)
        .where(track_credits.c.track_id == track_id)
        .order_by(track_credits.c.role, track_credits.c.position)
    )
    named = conn.execute(
        select(genres.c.name)
        .join(track_genres, track_genres.c.genre_id == genres.c.id)
        .where(track_genres.c.track_id == track_id)
        .order_by(track_genres.c.position)
    ).scalars()
    words = conn.execute(_LYRICS, {"track_id": track_id})
    by_mbid = its[albums.c.key] is not None and its[albums.c.key].startswith("mbid:")
    metadata = Metadata(
        title=its[tracks.c.title],
        artist=its[tracks.c.artist],
        album=its["album"],
        album_artist=None if its[albums.c.loose] else its["album_artist"],
        credits=tuple(
            Credit(name, role, mbid, sort_name if sort_name != own else None)
            for name, role, mbid, sort_name, own in credited
        ),
        track_number=its[tracks.c.track_number],
        track_total=its[tracks.c.track_total],
        disc_number=its[tracks.c.disc_number],
        disc_total=its[tracks.c.disc_total],
        year=its[tracks.c.year],
        date=its[tracks.c.date],
        original_date=its[tracks.c.original_date],
        genres=tuple(named),
        compilation=bool(its[albums.c.compilation]),
        isrc=its[tracks.c.isrc],
        recording_mbid=its[tracks.c.recording_mbid],
        release_mbid=its[albums.c.mbid] if by_mbid else None,
        release_group_mbid=its[albums.c.release_group_mbid] if by_mbid else None,
        bpm=its[tracks.c.bpm],
        replaygain=ReplayGain(
            its[tracks.c.track_gain_db], its[tracks.c.track_peak], its[tracks.c.album_gain_db], its[tracks.c.album_peak]
        ),
        comment=its[tracks.c.comment],
    )
    facts = AudioFacts(
        its[files.c.format],
        its[files.c.mime_type],
        its[tracks.c.duration_ms],
        its[files.c.bitrate_kbps],
        its[files.c.sample_rate_hz],
        its[files.c.bit_depth],
        its[files.c.channels],
    )
    found = Found(
        its[files.c.path], its[files.c.size_bytes], its[files.c.mtime_ns], its[files.c.device], its[files.c.inode]
    )
    reading = Reading(
        metadata,
        facts,
        tuple(Lyrics(text, bool(synced), language, source) for text, synced, language, source in words),
        its[files.c.picture_bytes],
        its[files.c.audio_md5],
    )
    return its[files.c.root_id], found, reading, its[files.c.sha256]
