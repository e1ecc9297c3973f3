"""What lies in the cache, by what is in it: a row for each whole file whose hash was found right, and no other.

Rows come and go as music is listened to, so they do not move the library's own revision (its counts and its manifest
stay); the tracks whose place changes by it are told of all the same.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from shared.database import Database, driver_cursor
from shared.model.units import Bytes, Nanoseconds
from shared.records import places, revisions
from shared.records.settling import chunks


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in the cache. Times are Unix seconds."""

    sha256: str
    size_bytes: Bytes
    mtime_ns: Nanoseconds   # of the file when it was found right
    verified_at: float
    last_used_at: float


_ENTRY = "SELECT c.sha256, c.size_bytes, c.mtime_ns, c.verified_at, c.last_used_at FROM cached c"
_OF_TRACK = (
    "SELECT c.sha256, c.size_bytes, c.mtime_ns, c.verified_at, c.last_used_at, k.mime_type FROM tracks t "
    "JOIN copies k ON k.track_id = t.id JOIN cached c ON c.sha256 = k.sha256 WHERE t.uid = ? AND k.broken IS NULL "
    "ORDER BY k.compression <> '', k.verified_at DESC, k.id"
)
_UNREFERENCED = (
    "NOT EXISTS (SELECT 1 FROM files f WHERE f.sha256 = c.sha256) "
    "AND NOT EXISTS (SELECT 1 FROM copies k WHERE k.sha256 = c.sha256)"
)


class Cached:
    """The rows of the cache."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    # ---- looking

    def all(self) -> list[Entry]:
        """Every entry, the one that was not used for longest first."""
        return self._ask("ORDER BY c.last_used_at, c.sha256")

    def get(self, sha256: str) -> Entry | None:
        found = self._ask("WHERE c.sha256 = ?", sha256)
        return found[0] if found else None

    def of_track(self, uid: str) -> list[tuple[Entry, str]]:
        """(an entry, its MIME type) for each of a track's copies that count, exact ones first. One query by index."""
        with self._database.read() as conn:
            rows = driver_cursor(conn).execute(_OF_TRACK, (uid,))
            return list({row[0]: (Entry(*row[:5]), str(row[5])) for row in rows}.values())

    def oldest_verified(self, limit: int) -> list[Entry]:
        """Those that were found right longest ago."""
        return self._ask("ORDER BY c.verified_at, c.sha256 LIMIT ?", limit)

    def unreferenced(self) -> list[Entry]:
        """Entries that are the content of no file of the library and of no copy."""
        return self._ask(f"WHERE {_UNREFERENCED} ORDER BY c.sha256")

    def totals(self) -> tuple[int, Bytes]:
        """(files, their bytes)"""
        with self._database.read() as conn:
            files, size = driver_cursor(conn).execute(
                "SELECT count(*), coalesce(sum(size_bytes), 0) FROM cached"
            ).fetchone()
        return int(files), int(size)

    # ---- writing

    def put(self, entries: Iterable[Entry]) -> None:
        """Keep these, each in the place of one with the same content."""
        rows = [(one.sha256, one.size_bytes, one.mtime_ns, one.verified_at, one.last_used_at) for one in entries]
        if not rows:
            return
        with self._database.transaction(durable=False) as conn:
            cursor = driver_cursor(conn)
            new = {row[0] for row in rows} - {
                sha256
                for marks, part in chunks(row[0] for row in rows)
                for (sha256,) in cursor.execute(f"SELECT sha256 FROM cached WHERE sha256 IN ({marks})", part).fetchall()
            }
            cursor.executemany(
                "INSERT OR REPLACE INTO cached (sha256, size_bytes, mtime_ns, verified_at, last_used_at) "
                "VALUES (?, ?, ?, ?, ?)",
                rows,
            )
            _tell(conn, new)

    def drop(self, hashes: Iterable[str]) -> int:
        """Forget these; how many there were."""
        wanted = list(hashes)
        if not wanted:
            return 0
        with self._database.transaction(durable=False) as conn:
            gone = [
                sha256
                for marks, part in chunks(wanted)
                for (sha256,) in driver_cursor(conn)
                .execute(f"DELETE FROM cached WHERE sha256 IN ({marks}) RETURNING sha256", part)
                .fetchall()
            ]
            _tell(conn, gone)
            return len(gone)

    def drop_as(self, entries: Iterable[Entry]) -> int:
        """Forget those whose row still tells of the same file (by its mtime); how many went."""
        wanted = list(entries)
        if not wanted:
            return 0
        with self._database.transaction(durable=False) as conn:
            cursor = driver_cursor(conn)
            gone = [
                one.sha256
                for one in wanted
                if cursor.execute(
                    "DELETE FROM cached WHERE sha256 = ? AND mtime_ns = ? AND size_bytes = ?",
                    (one.sha256, one.mtime_ns, one.size_bytes),
                ).rowcount
            ]
            _tell(conn, gone)
            return len(gone)

    def verified(self, sha256: str, at: float) -> None:
        """It was found right at `at`."""
        with self._database.transaction(durable=False) as conn:
            driver_cursor(conn).execute("UPDATE cached SET verified_at = ? WHERE sha256 = ?", (at, sha256))

    def used(self, times: Mapping[str, float]) -> None:
        """content → when it was last used."""
        if not times:
            return
        with self._database.transaction(durable=False) as conn:
            driver_cursor(conn).executemany(
                "UPDATE cached SET last_used_at = ? WHERE sha256 = ?", [(at, sha256) for sha256, at in times.items()]
            )

    # ---- inside

    def _ask(self, rest: str, *values: Any) -> list[Entry]:
        with self._database.read() as conn:
            return [Entry(*row) for row in driver_cursor(conn).execute(f"{_ENTRY} {rest}", values)]


def _tell(conn: Connection, hashes: Iterable[str]) -> None:
    """These came to the cache or left it: tracks whose file is not here and has this content lie elsewhere now."""
    cursor = driver_cursor(conn)
    absent: set[int] = set()
    for marks, part in chunks(hashes):
        absent.update(_absent(cursor, f"files.sha256 IN ({marks})", part))
        absent.update(
            _absent(cursor, f"files.track_id IN (SELECT track_id FROM copies WHERE sha256 IN ({marks}))", part)
        )
    if absent:
        revision = revisions.bump(conn, library_too=False)
        cursor.executemany(
            "UPDATE tracks SET changed_rev = ? WHERE id = ?", [(revision, track_id) for track_id in absent]
        )


def _absent(cursor: sqlite3.Cursor, where: str, values: list[str]) -> list[int]:
    return [
        track_id
        for (track_id,) in cursor.execute(f"SELECT track_id FROM files WHERE {where} AND {places.ABSENT}", values)
    ]
