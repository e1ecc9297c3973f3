"""What shall lie on this machine: albums and tracks that are pinned."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from shared.database import Database, driver_cursor
from shared.model.errors import BadInput, NotFound
from shared.records.moments import shown

KINDS = ("album", "track")
_TABLES = {"album": "albums", "track": "tracks"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """As it is shown. `local_count` of `track_count` tracks lie on this machine."""

    kind: str  # one of KINDS
    id: str  # of the album or track
    title: str
    artist: str
    track_count: int
    local_count: int
    created_at: str


# A pin's tracks: pins p beside tracks t and files f.
_TRACKS = (
    "tracks t JOIN files f ON f.track_id = t.id WHERE t.trashed_at IS NULL AND ("
    "p.kind = 'track' AND t.uid = p.uid OR "
    "p.kind = 'album' AND t.album_id = (SELECT id FROM albums WHERE uid = p.uid))"
)


class Pins:
    """Of the station, not of a person."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    def add(self, kind: str, uid: str, *, now: float | None = None) -> bool:
        """Whether it was not pinned yet. Raises NotFound, BadInput."""
        _check(kind)
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            if not cursor.execute(f"SELECT 1 FROM {_TABLES[kind]} WHERE uid = ?", (uid,)).fetchone():
                raise NotFound(f"There is no such {kind}.")
            cursor.execute(
                "INSERT OR IGNORE INTO pins (kind, uid, created_at) VALUES (?, ?, ?)",
                (kind, uid, time.time() if now is None else now),
            )
            return bool(cursor.rowcount)

    def remove(self, kind: str, uid: str) -> bool:
        """Whether it was pinned; what lies here stays. Raises BadInput."""
        _check(kind)
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            cursor.execute("DELETE FROM pins WHERE kind = ? AND uid = ?", (kind, uid))
            return bool(cursor.rowcount)

    def list(self) -> list[Pin]:
        """By title. Those whose album or track is gone are not shown."""
        with self._database.read() as conn:
            rows = driver_cursor(conn).execute(
                "SELECT p.kind, p.uid, coalesce(a.title, o.title), coalesce(a.artist, o.artist), p.created_at, "
                f"(SELECT count(*) FROM {_TRACKS}), "
                f"(SELECT count(*) FROM {_TRACKS} AND f.missing_since IS NULL) "
                "FROM pins p LEFT JOIN albums a ON p.kind = 'album' AND a.uid = p.uid "
                "LEFT JOIN tracks o ON p.kind = 'track' AND o.uid = p.uid WHERE coalesce(a.id, o.id) IS NOT NULL "
                "ORDER BY lower(coalesce(a.title, o.title)), p.kind, p.uid"
            )
            return [
                Pin(kind=row[0], id=row[1], title=row[2], artist=row[3], created_at=shown(row[4]), track_count=row[5],
                    local_count=row[6])
                for row in rows
            ]  # fmt: skip

    def pinned(self, uids: Sequence[str]) -> set[str]:
        """Those of these tracks that are pinned, by themselves or with their album."""
        found: set[str] = set()
        with self._database.read() as conn:
            cursor = driver_cursor(conn)
            if not cursor.execute("SELECT 1 FROM pins LIMIT 1").fetchone():
                return found
            for start in range(0, len(uids), 500):
                some = uids[start : start + 500]
                marks = ", ".join("?" * len(some))
                rows = cursor.execute(
                    "SELECT t.uid FROM tracks t LEFT JOIN albums a ON a.id = t.album_id "
                    f"WHERE t.uid IN ({marks}) AND (EXISTS (SELECT 1 FROM pins WHERE kind = 'track' AND uid = t.uid) "
                    "OR EXISTS (SELECT 1 FROM pins WHERE kind = 'album' AND uid = a.uid))",
                    some,
                )
                found.update(row[0] for row in rows)
        return found

    def wanting(self, kind: str | None = None, uid: str | None = None) -> Sequence[str]:
        """Public ids of pinned tracks (of all pins, or of one) that do not lie here and have an exact copy in a bucket:
        to be fetched back."""
        which, values = ("1", ()) if uid is None else ("p.kind = ? AND p.uid = ?", (kind, uid))
        with self._database.read() as conn:
            cursor = driver_cursor(conn)
            if not cursor.execute("SELECT 1 FROM pins LIMIT 1").fetchone():
                return []
            rows = cursor.execute(
                f"SELECT DISTINCT t.uid FROM pins p, {_TRACKS} AND {which} "
                "AND f.missing_since IS NOT NULL AND f.trashed_from IS NULL "
                "AND f.root_id IN (SELECT id FROM roots WHERE forgotten_at IS NULL) AND EXISTS "
                "(SELECT 1 FROM copies c WHERE c.track_id = t.id AND c.broken IS NULL AND c.compression = '') "
                "ORDER BY t.uid",
                values,
            )
            return [row[0] for row in rows]


def _check(kind: str) -> None:
    if kind not in KINDS:
        raise BadInput(f"An album or a track can be pinned, not a {kind!r}.", field="kind")
