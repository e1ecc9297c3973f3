"""A scan's batch becomes rows: the hot path, on the driver's cursor, inside one transaction.

What needs no database (identity, folding) is made ready before the transaction begins, so that others wait less.
Ids are given out here, from the highest in each table on; nothing is asked for row by row.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from shared.model.scan import BadFile, Batch, ChangedFile, Found, MovedFile, Picture
from shared.model.track import Credit, Metadata, Reading
from shared.records import folding, identity
from shared.records.bulk import insert_rows
from shared.records.moments import make_uids
from shared.records.search_index import Indexing
from shared.records.settling import COUNTED, Hint, Names, Settling, chunks, keep_artwork, name_of

EDITABLE = ("title", "artist", "album", "album_artist", "track_number", "disc_number", "year", "genres")


@dataclass(slots=True)
class Ready:
    """One reading with all that can be worked out before the transaction."""

    found: Found
    reading: Reading
    metadata: Metadata  # the reading's, with a person's edits laid over it
    sha256: str | None
    identity: identity.Identity
    sort_key: str
    title_tokens: str
    artist_tokens: str
    album_tokens: str


def make_ready(
    root_id: int, found: Found, reading: Reading, sha256: str | None, metadata: Metadata | None = None
) -> Ready:
    metadata = metadata or reading.metadata
    its = identity.identify(root_id, found.path, metadata)
    title = folding.fold(its.title)
    artist_tokens = name_of(its.artist).tokens
    if its.album_artist and its.album_artist != its.artist and not identity.is_various(its.album_artist):
        artist_tokens = f"{artist_tokens} {name_of(its.album_artist).tokens}"
    return Ready(
        found,
        reading,
        metadata,
        sha256,
        its,
        folding.fold(metadata.title_sort) if metadata.title_sort else title,
        " ".join(folding.index_words(its.title, title)),
        artist_tokens,
        name_of(its.album).tokens if its.album else "",
    )


def edited(metadata: Metadata, edits: dict[str, Any]) -> Metadata:
    """`metadata` with a person's edits laid over it. Names that were edited lose the MBIDs of the old ones."""
    changes: dict[str, Any] = {name: value for name, value in edits.items() if name in EDITABLE}
    if not changes:
        return metadata
    if "genres" in changes:
        changes["genres"] = tuple(changes["genres"] or ())
    if "year" in changes and changes["year"] != metadata.year:
        changes["date"] = None if changes["year"] is None else f"{changes['year']:04d}"
    credits = list(metadata.credits)
    for name, role in (("artist", "artist"), ("album_artist", "albumartist")):
        if name in changes and changes[name] != getattr(metadata, name):
            credits = [credit for credit in credits if credit.role != role]
            if changes[name]:
                credits.append(Credit(changes[name], role))
    if tuple(credits) != metadata.credits:
        changes["credits"] = tuple(credits)
    if any(name in changes and changes[name] != getattr(metadata, name) for name in ("album", "album_artist")):
        changes.update(release_mbid=None, release_group_mbid=None, album_sort=None)
    if "title" in changes and changes["title"] != metadata.title:
        changes["title_sort"] = None
    return replace(metadata, **changes)


@dataclass(slots=True)
class _KnownTrack:
    file_id: int
    track_id: int
    album_id: int | None
    edited: str
    trashed_at: float | None
    credits: dict[tuple[str, int], int]


_TRACK = (
    "title",
    "sort_key",
    "artist",
    "artist_sort_key",
    "album_id",
    "album_sort_key",
    "album_position",
    "track_number",
    "track_total",
    "disc_number",
    "disc_total",
    "year",
    "year_key",
    "date",
    "original_date",
    "duration_ms",
    "bpm",
    "isrc",
    "recording_mbid",
    "comment",
    "track_gain_db",
    "track_peak",
    "album_gain_db",
    "album_peak",
    "has_lyrics",
    "artwork_id",
)
_FILE = (
    "root_id",
    "path",
    "size_bytes",
    "mtime_ns",
    "device",
    "inode",
    "format",
    "mime_type",
    "bitrate_kbps",
    "sample_rate_hz",
    "bit_depth",
    "channels",
    "picture_bytes",
    "audio_md5",
    "sha256",
)
_INSERT_TRACK = (
    f"INSERT INTO tracks ({', '.join(_TRACK)}, id, uid, added_at, added_rev, changed_rev) "
    f"VALUES ({', '.join('?' * (len(_TRACK) + 5))})"
)
_UPDATE_TRACK = f"UPDATE tracks SET {', '.join(f'{name} = ?' for name in _TRACK)}, changed_rev = ? WHERE id = ?"
_INSERT_FILE = f"INSERT INTO files ({', '.join(_FILE)}, id, track_id) VALUES ({', '.join('?' * (len(_FILE) + 2))})"
_UPDATE_FILE = f"UPDATE files SET {', '.join(f'{name} = ?' for name in _FILE)} WHERE id = ?"


def _lyrics_rows(track_id: int, reading: Reading) -> list[tuple[Any, ...]]:
    return [(track_id, i, one.source, int(one.synced), one.language, one.text) for i, one in enumerate(reading.lyrics)]


class Intake:
    """One transaction's worth of a scan. `added`, `changed`, `moved`, `missing` count what was written."""

    def __init__(self, cursor: sqlite3.Cursor, *, root_id: int, revision: int, now: float) -> None:
        self._cursor, self._root_id, self._revision, self._now = cursor, root_id, revision, now
        self._indexing = Indexing(cursor)
        self._names = Names(cursor, revision, now, self._indexing)
        self._settling = Settling(cursor, revision, now, self._names, self._indexing)
        self._album_ids: dict[str, int] = {}
        self._new_albums: list[tuple[Any, ...]] = []
        self._next_album: int | None = None
        self.added = self.changed = self.moved = self.missing = 0

    def take(self, batch: Batch, new: Sequence[Ready]) -> None:
        """All of `batch`; `new` are its new files made ready."""
        changed = list(batch.changed)
        again = self._already_there([one.found.path for one in new])
        if again:  # a scan that was cut off after its commit, or two at once: they are changed, not new
            changed.extend(
                ChangedFile(again[one.found.path], one.found, one.reading, one.sha256)
                for one in new
                if one.found.path in again
            )
            new = [one for one in new if one.found.path not in again]
        pictured = self._keep_pictures(batch.pictures) if batch.pictures else set()
        self._change(changed)
        self._add(new)
        self._move(batch.moved)
        self._mark(batch.returned, None)
        self.missing = self._mark(batch.missing, self._now)
        self._keep_bad(
            batch.bad, [*batch.cured, *(one.found.path for one in new), *(one.found.path for one in changed)]
        )
        self._settling.albums |= pictured
        self.finish()

    def finish(self) -> None:
        self._settling.settle()
        self._names.write()
        self._indexing.write()

    # ---- files

    def _already_there(self, paths: Iterable[str]) -> dict[str, int]:
        there: dict[str, int] = {}
        for marks, part in chunks(paths):
            there.update(
                self._cursor.execute(
                    f"SELECT path, id FROM files WHERE root_id = ? AND path IN ({marks})", (self._root_id, *part)
                ).fetchall()
            )
        return there

    def _add(self, new: Sequence[Ready]) -> None:
        if not new:
            return
        self._load(new)
        cursor = self._cursor
        track_id = cursor.execute("SELECT coalesce(max(id), 0) + 1 FROM tracks").fetchone()[0]
        file_id = cursor.execute("SELECT coalesce(max(id), 0) + 1 FROM files").fetchone()[0]
        tracks, files, credits, genres, lyrics = [], [], [], [], []
        for number, (one, uid) in enumerate(zip(new, make_uids(len(new)), strict=True), track_id):
            album_id = self._album(one, None)
            tracks.append((*self._track_row(one, album_id), number, uid, self._now, self._revision, self._revision))
            files.append((*self._file_row(one), file_id, number))
            file_id += 1
            its_credits, its_genres = self._parts(one, number)
            credits += its_credits
            genres += its_genres
            if one.reading.lyrics:
                lyrics += _lyrics_rows(number, one.reading)
            self._indexing.track(number, one.title_tokens, one.artist_tokens, one.album_tokens, known=False)
            self._settling.added(
                (
                    album_id,
                    {row[3] for row in its_credits if row[1] in COUNTED},
                    [row[2] for row in its_genres],
                )
            )
        self._write_names()
        cursor.executemany(_INSERT_TRACK, tracks)
        cursor.executemany(_INSERT_FILE, files)
        self._write_parts(credits, genres, lyrics)
        self.added += len(new)

    def _change(self, changed: Sequence[ChangedFile]) -> None:
        if not changed:
            return
        known = {one.file_id: one for one in self._known(one.file_id for one in changed)}
        ready: list[tuple[_KnownTrack, Ready]] = []
        for one in changed:
            track = known.get(one.file_id)
            if track is None:
                continue
            metadata = one.reading.metadata
            if track.edited != "{}":
                metadata = edited(metadata, json.loads(track.edited))
            ready.append((track, make_ready(self._root_id, one.found, one.reading, one.sha256, metadata)))
        self.rewrite(ready)
        self._mark([track.file_id for track, _ in ready], None)
        self.changed += len(ready)

    def rewrite(self, ready: Sequence[tuple[_KnownTrack, Ready]]) -> None:
        """Known tracks get what their readings say now."""
        if not ready:
            return
        cursor = self._cursor
        ids = [track.track_id for track, _ in ready]
        self._settling.before(ids)
        self._load([one for _, one in ready])
        tracks, files, credits, genres, lyrics = [], [], [], [], []
        for track, one in ready:
            album_id = self._album(one, track.album_id)
            tracks.append((*self._track_row(one, album_id), self._revision, track.track_id))
            files.append((*self._file_row(one), track.file_id))
            its_credits, its_genres = self._parts(one, track.track_id)
            for row in its_credits:
                stood_there = track.credits.get((row[1], row[2]))
                if stood_there is not None:
                    self._names.follow(row[3], stood_there)
            credits.extend(its_credits)
            genres.extend(its_genres)
            lyrics.extend(_lyrics_rows(track.track_id, one.reading))
            self._indexing.track(track.track_id, one.title_tokens, one.artist_tokens, one.album_tokens, known=True)
        self._write_names()
        self._make_way([(row[-1], row[1]) for row in files])
        cursor.executemany(_UPDATE_TRACK, tracks)
        cursor.executemany(_UPDATE_FILE, files)
        for marks, part in chunks(ids):
            for table in ("credits", "track_genres", "lyrics"):
                cursor.execute(f"DELETE FROM {table} WHERE track_id IN ({marks})", part)
        self._write_parts(credits, genres, lyrics)
        self._settling.after(ids)

    def _move(self, moved: Sequence[MovedFile]) -> None:
        if not moved:
            return
        tracks = {
            row[0]: row[1]
            for row in self._pairs("SELECT id, track_id FROM files WHERE id IN ({})", (one.file_id for one in moved))
        }
        there = [one for one in moved if one.file_id in tracks]
        self._make_way([(one.file_id, one.found.path) for one in there])
        self._cursor.executemany(
            "UPDATE files SET sha256 = CASE WHEN size_bytes = ? AND mtime_ns = ? THEN sha256 END, "
            "root_id = ?, path = ?, size_bytes = ?, mtime_ns = ?, device = ?, inode = ?, "
            "missing_since = NULL, offloaded_at = NULL WHERE id = ?",
            [
                (
                    one.found.size_bytes,
                    one.found.mtime_ns,
                    self._root_id,
                    one.found.path,
                    one.found.size_bytes,
                    one.found.mtime_ns,
                    one.found.device,
                    one.found.inode,
                    one.file_id,
                )
                for one in there
            ],
        )
        ids = list(tracks.values())
        self._settling.albums.update(
            row[0]
            for row in self._pairs("SELECT album_id, id FROM tracks WHERE album_id IS NOT NULL AND id IN ({})", ids)
        )
        self._touch(ids)
        self.moved += len(there)

    def _make_way(self, places: Sequence[tuple[int, str]]) -> None:
        """Two files that changed places meet UNIQUE (root, path) half-way: step aside first."""
        here = self._already_there(path for _, path in places)
        in_the_way = [(file_id, path) for file_id, path in places if here.get(path, file_id) != file_id]
        if not in_the_way:
            return
        coming = {file_id for file_id, _ in places}
        for _, path in in_the_way:
            other = here[path]
            if other in coming:
                self._cursor.execute("UPDATE files SET path = ? WHERE id = ?", (f"\x00aside/{other}", other))
            else:
                # The file at this path is another one now; the old row's own file is gone.
                self._cursor.execute(
                    "UPDATE files SET path = ?, missing_since = coalesce(missing_since, ?) WHERE id = ?",
                    (f"{path}\x00replaced/{other}", self._now, other),
                )
                self._cursor.execute(
                    "UPDATE tracks SET changed_rev = ? WHERE id = (SELECT track_id FROM files WHERE id = ?)",
                    (self._revision, other),
                )

    def _mark(self, file_ids: Sequence[int], missing_since: float | None) -> int:
        """Missing since then, or back again (None). Those that were already so are left alone; how many moved."""
        moved = 0
        condition = "missing_since IS NULL" if missing_since is not None else "missing_since IS NOT NULL"
        for marks, part in chunks(file_ids):
            ids = [
                row[0]
                for row in self._cursor.execute(
                    f"SELECT track_id FROM files WHERE id IN ({marks}) AND {condition}", part
                )
            ]
            offloaded = ", offloaded_at = NULL" if missing_since is None else ""  # it is here again
            self._cursor.execute(
                f"UPDATE files SET missing_since = ?{offloaded} WHERE id IN ({marks}) AND {condition}",
                (missing_since, *part),
            )
            self._touch(ids)
            moved += len(ids)
        return moved

    def _touch(self, track_ids: Sequence[int]) -> None:
        self._cursor.executemany(
            "UPDATE tracks SET changed_rev = ? WHERE id = ?", [(self._revision, track_id) for track_id in track_ids]
        )

    def _keep_bad(self, bad: Sequence[BadFile], cured: Sequence[str]) -> None:
        if (
            cured
            and self._cursor.execute("SELECT 1 FROM bad_files WHERE root_id = ? LIMIT 1", (self._root_id,)).fetchone()
        ):
            self._cursor.executemany(
                "DELETE FROM bad_files WHERE root_id = ? AND path = ?", [(self._root_id, path) for path in cured]
            )
        self._cursor.executemany(
            "INSERT OR REPLACE INTO bad_files (root_id, path, size_bytes, mtime_ns, reason, message, seen_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    self._root_id,
                    one.found.path,
                    one.found.size_bytes,
                    one.found.mtime_ns,
                    one.reason,
                    one.message,
                    self._now,
                )
                for one in bad
            ],
        )

    # ---- pictures

    def _keep_pictures(self, pictures: Sequence[Picture]) -> set[int]:
        """Remember the pictures lying in folders; one without a path says that there is none any more. The albums
        that may show another picture now."""
        cursor = self._cursor
        before: dict[str, tuple[int, str, int, int]] = {}
        for marks, part in chunks({one.folder for one in pictures}):
            for row in cursor.execute(
                "SELECT folder, id, path, size_bytes, mtime_ns FROM artwork WHERE kind <> 'embedded' "
                f"AND root_id = ? AND folder IN ({marks})",
                (self._root_id, *part),
            ):
                before[row[0]] = row[1:]
        moved = [
            one
            for one in pictures
            if before.get(one.folder, (0, "", 0, 0))[1:] != (one.path, one.size_bytes, one.mtime_ns)
            and (one.path or not self._is_kept_for(one.folder))
        ]
        wanted: dict[Any, tuple[int, str, str, int, int]] = {}
        for one in moved:
            was = before.get(one.folder)
            if was is not None and was[1] != one.path:
                cursor.execute("DELETE FROM artwork WHERE id = ?", (was[0],))
            if one.path:
                wanted[one.folder] = (self._root_id, one.folder, one.path, one.size_bytes, one.mtime_ns)
        keep_artwork(cursor, self._revision, "sidecar", wanted)
        touched: set[int] = set()
        for one in moved:
            begin = f"{one.folder}/" if one.folder else ""
            depth = begin.count("/")
            rows = cursor.execute(
                "SELECT f.path, t.album_id FROM files f JOIN tracks t ON t.id = f.track_id WHERE f.root_id = ? "
                "AND f.path >= ? AND f.path < ? AND t.album_id IS NOT NULL",
                (self._root_id, begin, f"{begin[:-1]}0" if begin else "\U0010ffff"),
            )
            touched.update(album_id for path, album_id in rows if path.count("/") <= depth + 1)
        return touched

    def _is_kept_for(self, folder: str) -> bool:
        """Whether a copy of the folder's picture is kept, and shown, for tracks that were taken off this machine."""
        begin = f"{folder}/" if folder else ""
        row = self._cursor.execute(
            "SELECT 1 FROM artwork a WHERE a.root_id = ? AND a.folder = ? AND a.kind <> 'embedded' "
            "AND a.kept IS NOT NULL AND EXISTS (SELECT 1 FROM files f WHERE f.root_id = a.root_id "
            "AND f.offloaded_at IS NOT NULL AND f.path >= ? AND f.path < ?)",
            (self._root_id, folder, begin, f"{begin[:-1]}0" if begin else "\U0010ffff"),
        ).fetchone()
        return row is not None

    # ---- rows

    def _load(self, ready: Sequence[Ready]) -> None:
        self._names.load(
            (credit for one in ready for credit in one.identity.credits),
            {genre for one in ready for genre in one.metadata.genres},
        )
        keys = {one.identity.key for one in ready if one.identity.key is not None} - self._album_ids.keys()
        for marks, part in chunks(keys):
            self._album_ids.update(
                self._cursor.execute(f"SELECT key, id FROM albums WHERE key IN ({marks})", part).fetchall()
            )

    def _album(self, one: Ready, before: int | None) -> int | None:
        """The album of a reading, made when there is none of its key; its latest names are kept for settling."""
        its, metadata = one.identity, one.metadata
        if its.key is None or its.album is None:
            return None
        album_id = self._album_ids.get(its.key)
        if album_id is None:
            if self._next_album is None:
                self._next_album = self._cursor.execute("SELECT coalesce(max(id), 0) + 1 FROM albums").fetchone()[0]
            album_id = self._album_ids[its.key] = self._next_album
            self._next_album += 1
            self._settling.new_albums.add(album_id)
            name = name_of(its.album)
            artist = its.album_artist or its.artist
            self._new_albums.append(
                (
                    album_id,
                    its.key,
                    int(its.loose),
                    its.album,
                    name.sort_key,
                    name.search_key,
                    artist,
                    name_of(artist).sort_key,
                    before,
                )
            )
        hint = self._settling.hints.get(album_id)
        mbid = its.key[5:] if its.key.startswith("mbid:") else None
        if hint is None:
            hint = self._settling.hints[album_id] = Hint(
                its.album,
                folding.sort_key(metadata.album_sort) if metadata.album_sort else name_of(its.album).sort_key,
                its.album_artist,
                [(self._names.artist(credit), credit.name) for credit in its.album_credits],
                its.compilation,
                mbid,
                metadata.release_group_mbid if mbid else None,
            )
        elif its.compilation:
            hint.compilation = True
        number = its.disc_number or 1
        if metadata.disc_title or number not in hint.disc_titles:
            hint.disc_titles[number] = metadata.disc_title
        return album_id

    def _write_names(self) -> None:
        self._names.write()
        if self._new_albums:
            self._cursor.executemany(
                "INSERT INTO albums (id, key, loose, title, sort_key, search_key, artist, artist_sort_key, "
                "predecessor_id, uid, added_at, added_rev, changed_rev) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (*row, uid, self._now, self._revision, self._revision)
                    for row, uid in zip(self._new_albums, make_uids(len(self._new_albums)), strict=True)
                ],
            )
            self._new_albums = []

    def _track_row(self, one: Ready, album_id: int | None) -> tuple[Any, ...]:
        its, reading, metadata, gain = one.identity, one.reading, one.metadata, one.metadata.replaygain
        artist = name_of(its.artist).sort_key
        artwork_id = None
        if album_id is None:
            album_key = identity.NO_ALBUM_SORT_KEY
            if reading.picture_bytes:
                found = one.found
                artwork_id = self._settling.embedded_artwork(
                    {0: (self._root_id, found.path, found.size_bytes, found.mtime_ns)}
                )[0]
        else:
            album_key = (
                f"{self._settling.hints[album_id].sort_key}\x1f{name_of(its.album_artist or its.artist).sort_key}"
            )
        return (
            its.title,
            one.sort_key,
            its.artist,
            artist,
            album_id,
            album_key,
            identity.position(its.disc_number, its.track_number),
            its.track_number,
            metadata.track_total,
            its.disc_number,
            metadata.disc_total,
            metadata.year,
            metadata.year or 0,
            metadata.date,
            metadata.original_date,
            reading.facts.duration_ms,
            metadata.bpm,
            metadata.isrc,
            metadata.recording_mbid,
            metadata.comment,
            gain.track_gain_db,
            gain.track_peak,
            gain.album_gain_db,
            gain.album_peak,
            int(bool(reading.lyrics)),
            artwork_id,
        )

    def _file_row(self, one: Ready) -> tuple[Any, ...]:
        found, reading, facts = one.found, one.reading, one.reading.facts
        return (
            self._root_id,
            found.path,
            found.size_bytes,
            found.mtime_ns,
            found.device,
            found.inode,
            facts.format,
            facts.mime_type,
            facts.bitrate_kbps,
            facts.sample_rate_hz,
            facts.bit_depth,
            facts.channels,
            reading.picture_bytes,
            reading.audio_md5,
            one.sha256,
        )

    def _parts(
        self, one: Ready, track_id: int
    ) -> tuple[list[tuple[int, str, int, int, str]], list[tuple[int, int, int]]]:
        credits: list[tuple[int, str, int, int, str]] = []
        positions: dict[str, int] = {}
        artist, genre = self._names.artist, self._names.genre
        for credit in one.identity.credits:
            role = credit.role
            position = positions[role] = positions.get(role, -1) + 1
            credits.append((track_id, role, position, artist(credit), credit.name))
        genre_ids = dict.fromkeys([genre(name) for name in one.metadata.genres])
        return credits, [(track_id, i, genre_id) for i, genre_id in enumerate(genre_ids)]

    def _write_parts(
        self, credits: list[tuple[Any, ...]], genres: list[tuple[Any, ...]], lyrics: list[tuple[Any, ...]]
    ) -> None:
        cursor = self._cursor
        insert_rows(cursor, "INSERT INTO credits (track_id, role, position, artist_id, name)", credits)
        insert_rows(cursor, "INSERT INTO track_genres (track_id, position, genre_id)", genres)
        cursor.executemany(
            "INSERT INTO lyrics (track_id, position, source, synced, language, text) VALUES (?, ?, ?, ?, ?, ?)", lyrics
        )

    def _known(self, file_ids: Iterable[int]) -> list[_KnownTrack]:
        found: list[_KnownTrack] = []
        for marks, part in chunks(file_ids):
            some = [
                _KnownTrack(row[0], row[1], row[2], row[3], row[4], {})
                for row in self._cursor.execute(
                    "SELECT f.id, t.id, t.album_id, t.edited, t.trashed_at FROM files f "
                    f"JOIN tracks t ON t.id = f.track_id WHERE f.id IN ({marks})",
                    part,
                )
            ]
            by_track = {one.track_id: one for one in some}
            for track_id, role, place, artist_id in self._pairs(
                "SELECT track_id, role, position, artist_id FROM credits WHERE track_id IN ({})", by_track
            ):
                by_track[track_id].credits[(role, place)] = artist_id
            found.extend(some)
        return found

    def known_track(self, track_id: int) -> _KnownTrack | None:
        row = self._cursor.execute("SELECT id FROM files WHERE track_id = ?", (track_id,)).fetchone()
        return self._known([row[0]])[0] if row else None

    def _pairs(self, query: str, values: Iterable[Any]) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = []
        for marks, part in chunks(values):
            rows.extend(self._cursor.execute(query.format(marks), part).fetchall())
        return rows
