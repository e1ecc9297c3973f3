"""What the way onto the shelf asks the library and writes into it: is this recording there, and now it is.

Rows are written by the same code as a scan's (records.intake), so that a scan which meets the file later finds it
known and changes nothing.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.database import Database, driver_cursor
from shared.model.errors import NotFound
from shared.model.filepath import to_path
from shared.model.scan import Batch, Found, NewFile
from shared.model.track import Reading
from shared.records import folding, revisions
from shared.records.intake import Intake, edited, make_ready
from shared.records.origins import write_origin
from shared.records.tracks import Tracks

_MOST_ALIKE = 2000  # tracks whose words are all there, looked at one by one
_GUESTS = re.compile(r"\s*[(\[]\s*(?:feat|ft|featuring)\b[^)\]]*[)\]]|\s+(?:feat\.|ft\.|featuring)\s.*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Held:
    """A track of the library, not in the trash, and its file."""

    track_id: str  # public
    root_id: int
    root: str  # as the file system wants it
    path: str  # relative, as text
    size_bytes: int
    mtime_ns: int
    format: str
    bitrate_kbps: int | None
    sample_rate_hz: int | None
    bit_depth: int | None
    duration_ms: int
    missing: bool  # its file is not here
    artist: str
    title: str
    copied: bool = False  # it lies in the cloud


_HELD = (
    "SELECT t.uid, f.root_id, r.path, f.path, f.size_bytes, f.mtime_ns, f.format, f.bitrate_kbps, f.sample_rate_hz, "
    "f.bit_depth, t.duration_ms, f.missing_since, t.artist, t.title, EXISTS (SELECT 1 FROM copies k "
    "WHERE k.track_id = t.id AND k.broken IS NULL), t.id FROM tracks t "
    "JOIN files f ON f.track_id = t.id JOIN roots r ON r.id = f.root_id WHERE t.trashed_at IS NULL AND "
)


class Shelving:
    """Safe to use from many threads."""

    def __init__(self, *, database: Database) -> None:
        self._database = database
        self._tracks = Tracks(database=database)

    # ---- looking

    def held(self, uid: str) -> Held | None:
        """The track with this public id; None when there is none, or it is in the trash."""
        return next(iter(self._ask("t.uid = ?", uid)), None)

    def by_isrc(self, isrc: str) -> list[Held]:
        return self._ask("t.isrc = ?", isrc)

    def by_recording(self, mbid: str) -> list[Held]:
        return self._ask("t.recording_mbid = ?", mbid)

    def by_content(self, sha256: Iterable[str], audio_md5: str | None = None) -> list[Held]:
        """With one of these hashes, of the file as it is or as it was fetched; or with this checksum of the sound,
        which costs a look at every file (some 20 ms at 100,000)."""
        found: list[Held] = []
        for one in dict.fromkeys(sha256):
            found += self._ask("f.sha256 = ?", one)
            found += self._ask("t.id IN (SELECT track_id FROM origins WHERE sha256 = ?)", one)
        if audio_md5 and not found:
            found = self._ask("f.audio_md5 = ?", audio_md5)
        return found

    def by_name(self, title: str, artist: str) -> list[Held]:
        """Called so, whatever the case, accents and punctuation, guests left aside; by this artist, perhaps among
        others. Some milliseconds at 100,000."""
        title, artist = plain_title(title), plain_title(artist)
        words = [word for text in (title, artist) for word, _ in folding.query_words(text)]
        wanted, by = folding.fold(title), folding.fold(artist)
        if not (words and wanted and by):
            return []
        match = " AND ".join('"{}"'.format(word.replace('"', '""')) for word in words)
        found: list[Held] = []
        with self._database.read() as conn:
            cursor = driver_cursor(conn)
            rows = cursor.execute(
                f"{_HELD} t.id IN (SELECT rowid FROM track_words WHERE track_words MATCH ? LIMIT {_MOST_ALIKE}) "
                "ORDER BY t.id",
                (match,),
            ).fetchall()
            for row in rows:
                one = _held(row)
                if folding.fold(plain_title(one.title)) != wanted:
                    continue
                if folding.fold(plain_title(one.artist)) == by or any(
                    folding.fold(name) == by
                    for (name,) in cursor.execute(
                        "SELECT name FROM credits WHERE track_id = ? AND role IN ('artist', 'albumartist')", (row[-1],)
                    )
                ):
                    found.append(one)
        return found

    def at(self, root_id: int, path: str) -> tuple[str, bool] | None:
        """(public id, in the trash) of the track whose file the library holds to lie at `path`."""
        with self._database.read() as conn:
            row = (
                driver_cursor(conn)
                .execute(
                    "SELECT t.uid, t.trashed_at IS NOT NULL FROM files f JOIN tracks t ON t.id = f.track_id "
                    "WHERE f.root_id = ? AND f.path = ?",
                    (root_id, path),
                )
                .fetchone()
            )
        return None if row is None else (row[0], bool(row[1]))

    # ---- writing

    def put(
        self,
        root_id: int,
        found: Found,
        reading: Reading,
        *,
        sha256: str,
        origin: Mapping[str, Any],
        lyrics: str | None = None,
    ) -> str:
        """A file that has just come to lie at `found.path` becomes a track; its public id.

        When the library knows a file there already (a scan was quicker, or it had vanished) it is that one's track.
        `lyrics`: the stamp of the .lrc beside it. `origin`: as for records.origins. One durable transaction.
        """
        ready = make_ready(root_id, found, reading, sha256)
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            intake = Intake(cursor, root_id=root_id, revision=revisions.bump(conn), now=time.time())
            intake.take(Batch(root_id, new=[NewFile(found, reading, sha256)]), [ready])
            track_id, uid = cursor.execute(
                "SELECT t.id, t.uid FROM files f JOIN tracks t ON t.id = f.track_id WHERE f.root_id = ? AND f.path = ?",
                (root_id, found.path),
            ).fetchone()
            self._finish(cursor, root_id, found.path, track_id, origin, lyrics)
            return str(uid)

    def put_in_place(
        self,
        uid: str,
        root_id: int,
        found: Found,
        reading: Reading,
        *,
        sha256: str,
        origin: Mapping[str, Any],
        lyrics: str | None = None,
    ) -> None:
        """The file at `found.path` is the track's from now on. Its id, plays, favourites, playlists, the time it was
        added and what a person edited stay. A track that a scan has made of the new file meanwhile goes. Raises
        NotFound when the track is gone or in the trash."""
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            row = cursor.execute(
                "SELECT id, edited FROM tracks WHERE uid = ? AND trashed_at IS NULL", (uid,)
            ).fetchone()
            if row is None:
                raise NotFound("The track whose file was to be replaced is no longer in the library.")
            track_id, edits = row
            # Another track at this path makes way (records.intake), but for one made of this very file.
            stranger = cursor.execute(
                "SELECT track_id FROM files WHERE root_id = ? AND path = ? AND track_id <> ? AND size_bytes = ? "
                "AND mtime_ns = ? AND inode = ?",
                (root_id, found.path, track_id, found.size_bytes, found.mtime_ns, found.inode),
            ).fetchone()
            if stranger is not None:
                self._tracks._forget(conn, [stranger[0]])
            intake = Intake(cursor, root_id=root_id, revision=revisions.bump(conn), now=time.time())
            known = intake.known_track(track_id)
            assert known is not None
            metadata = edited(reading.metadata, json.loads(edits))
            intake.rewrite([(known, make_ready(root_id, found, reading, sha256, metadata))])
            intake.finish()
            cursor.execute(
                "UPDATE files SET missing_since = NULL, offloaded_at = NULL WHERE track_id = ?", (track_id,)
            )
            self._finish(cursor, root_id, found.path, track_id, origin, lyrics)

    def forget_at(self, root_id: int, path: str, *, but: str) -> None:
        """A file that has gone from `path` was taken for a new track by a scan: that track goes, unless it is `but`."""
        with self._database.transaction() as conn:
            row = (
                driver_cursor(conn)
                .execute(
                    "SELECT t.id FROM files f JOIN tracks t ON t.id = f.track_id WHERE f.root_id = ? AND f.path = ? "
                    "AND t.uid <> ? AND t.trashed_at IS NULL",
                    (root_id, path, but),
                )
                .fetchone()
            )
            if row is not None:
                self._tracks._forget(conn, [row[0]])

    # ---- inside

    def _ask(self, condition: str, value: Any) -> list[Held]:
        with self._database.read() as conn:
            rows = driver_cursor(conn).execute(f"{_HELD}{condition} ORDER BY t.id LIMIT 100", (value,)).fetchall()
        return [_held(row) for row in rows]

    def _finish(
        self, cursor: Any, root_id: int, path: str, track_id: int, origin: Mapping[str, Any], lyrics: str | None
    ) -> None:
        cursor.execute("UPDATE files SET sidecar_lyrics = ? WHERE root_id = ? AND path = ?", (lyrics, root_id, path))
        said = {key: value for key, value in origin.items() if key not in ("provider", "track_id", "cursor")}
        write_origin(cursor, track_id, provider=str(origin.get("provider") or "unknown"), **said)


def plain_title(text: str) -> str:
    """Without the guests that some name in the title, others not."""
    return _GUESTS.sub("", text).strip() or text


def _held(row: tuple[Any, ...]) -> Held:
    return Held(
        row[0], row[1], to_path(row[2]), row[3], row[4], row[5], row[6], row[7], row[8], row[9], row[10],
        row[11] is not None, row[12], row[13], bool(row[14]),
    )  # fmt: skip
