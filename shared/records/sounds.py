"""What tracks sound like: which were listened to, which are still to be, and what came of it.

A row holds for one state of one file ("size-mtime_ns") and one way of computing (model.sound.VERSION). One without a
vector remembers a file that cannot be listened to, so that it is not tried again before it changes.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from shared.database import Database, driver_cursor
from shared.model.filepath import to_path
from shared.model.person import Person
from shared.model.sound import VERSION
from shared.model.source import TrackFile
from shared.records.moments import make_uid
from shared.records.settling import chunks

_STAMP = "sounds"  # in `state`: another word after every change
_SOURCE = "f.size_bytes || '-' || f.mtime_ns"
_DUE = (
    "SELECT t.id, t.uid, r.path, f.path, f.size_bytes, f.mtime_ns, f.mime_type, f.format, t.duration_ms, f.sha256, "
    "f.missing_since FROM tracks t JOIN files f ON f.track_id = t.id JOIN roots r ON r.id = f.root_id "
    "LEFT JOIN sounds s ON s.track_id = t.id WHERE t.trashed_at IS NULL AND t.id > ? "
    f"AND (s.track_id IS NULL OR s.version <> ? OR s.source <> {_SOURCE}) "
)
_KNOWN = (  # tracks whose sound is known
    "FROM tracks t JOIN sounds s ON s.track_id = t.id "
    f"WHERE s.vector IS NOT NULL AND s.version = {VERSION} AND t.trashed_at IS NULL"
)


@dataclass(frozen=True, slots=True)
class Due:
    """A track to be listened to."""

    id: int  # inner
    file: TrackFile

    @property
    def source(self) -> str:
        return f"{self.file.size_bytes}-{self.file.mtime_ns}"


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of listening to a track. vector: None when it cannot be listened to."""

    id: int  # inner
    source: str
    vector: bytes | None


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of the library is known by its sound."""

    tracks: int  # in the library, not in the trash
    known: int
    unheard: int  # looked at, and not to be listened to


class Sounds:
    """The descriptions of tracks, as rows."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    def due(self, *, after: int = 0, limit: int = 100, uid: str | None = None) -> list[Due]:
        """Tracks that are to be listened to, by inner id from behind `after` on; or the one called `uid`, if it is."""
        with self._database.read() as conn:
            given: tuple[int | str, ...] = (after, VERSION)
            query = _DUE
            if uid is not None:
                query, given = query + "AND t.uid = ? ", (*given, uid)
            rows = driver_cursor(conn).execute(query + "ORDER BY t.id LIMIT ?", (*given, limit)).fetchall()
        return [
            Due(
                row[0],
                TrackFile(
                    row[1], to_path(row[2]), to_path(row[3]), row[4], row[5], row[6], row[7], row[8], row[9],
                    row[10] is not None,
                ),
            )
            for row in rows
        ]  # fmt: skip

    def put(self, heard: Collection[Heard]) -> None:
        """Remember what came of listening. Tracks that are gone meanwhile are left out."""
        if not heard:
            return
        now = time.time()
        with self._database.transaction(durable=False) as conn:
            cursor = driver_cursor(conn)
            cursor.executemany(
                "INSERT OR REPLACE INTO sounds (track_id, version, source, vector, at) "
                "SELECT ?, ?, ?, ?, ? WHERE EXISTS (SELECT 1 FROM tracks WHERE id = ?)",
                [(one.id, VERSION, one.source, one.vector, now, one.id) for one in heard],
            )
            cursor.execute("INSERT OR REPLACE INTO state (name, value) VALUES (?, ?)", (_STAMP, make_uid()))

    def stamp(self) -> str:
        """A word that is another one after each change of the descriptions; "" before the first. Some 20 µs."""
        with self._database.read() as conn:
            row = driver_cursor(conn).execute("SELECT value FROM state WHERE name = ?", (_STAMP,)).fetchone()
        return "" if row is None else f"{VERSION}-{row[0]}"

    def coverage(self) -> Coverage:
        """Costs some 50 ms at 100,000 tracks."""
        with self._database.read() as conn:
            cursor = driver_cursor(conn)
            (tracks,) = cursor.execute("SELECT count(*) FROM tracks WHERE trashed_at IS NULL").fetchone()
            known, unheard = cursor.execute(
                "SELECT coalesce(sum(typeof(s.vector) = 'blob'), 0), coalesce(sum(typeof(s.vector) = 'null'), 0) "
                "FROM sounds s JOIN tracks t ON t.id = s.track_id WHERE s.version = ? AND t.trashed_at IS NULL",
                (VERSION,),
            ).fetchone()
        return Coverage(tracks, known, unheard)

    def known(self, person: Person, uids: Sequence[str]) -> dict[str, int]:
        """The inner ids of those of these tracks that a person sees and whose sound is known."""
        with self._database.read(person) as conn:
            cursor = driver_cursor(conn)
            return {
                uid: track_id
                for marks, part in chunks(uids)
                for uid, track_id in cursor.execute(
                    f"SELECT t.uid, t.id {_KNOWN} AND t.uid IN ({marks})", part
                )
            }

    def uids(self, person: Person, ids: Sequence[int]) -> dict[int, str]:
        """The public ids of those of these tracks (by inner id) that a person sees and whose sound is known."""
        with self._database.read(person) as conn:
            cursor = driver_cursor(conn)
            return {
                track_id: uid
                for marks, part in chunks(ids)
                for track_id, uid in cursor.execute(
                    f"SELECT t.id, t.uid {_KNOWN} AND t.id IN ({marks})", part
                )
            }

    def seen(self, person: Person) -> bytes | None:
        """The inner ids of all tracks that a limited person sees, as int64; None: everybody else sees all.

        Costs some 15 ms for 100,000.
        """
        if not person.limited:
            return None
        with self._database.read(person) as conn:
            # What they see is listed there (records.sights); asking its view of `tracks` would look up every one.
            cursor = driver_cursor(conn).execute("SELECT id FROM temp.seen WHERE NOT trashed")
            return array("q", (row[0] for row in cursor)).tobytes()
