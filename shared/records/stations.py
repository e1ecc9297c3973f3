"""Other stations that people paired this one with. Their tokens stand here sealed (vault)."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.database import Database, driver_cursor
from shared.model.errors import Conflict, NotFound
from shared.records.moments import make_uid

MOST_STATIONS = 50  # of one person
MOST_ENDPOINTS = 8
_COLUMNS = "uid, user_id, fingerprint, name, endpoints, token, created_at, last_seen_at, last_error"


@dataclass(frozen=True, slots=True, kw_only=True)
class StationRow:
    uid: str
    user_id: int
    fingerprint: str  # of its public key
    name: str
    endpoints: tuple[str, ...]  # in the order they are tried
    token: str = field(repr=False)  # sealed
    created_at: float  # Unix seconds
    last_seen_at: float | None
    last_error: str | None


class Stations:
    """Everybody's; each call names whose."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    def put(self, user_id: int, *, fingerprint: str, name: str, endpoints: Sequence[str], token: str) -> StationRow:
        """Remember a station, or anew: a person has each only once. Raises Conflict for too many."""
        now = time.time()
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            others = cursor.execute(
                "SELECT count(*) FROM stations WHERE user_id = ? AND fingerprint != ?", (user_id, fingerprint)
            ).fetchone()[0]
            if others >= MOST_STATIONS:
                raise Conflict(f"At most {MOST_STATIONS} other stations can be paired. Remove one first.")
            cursor.execute(
                "INSERT INTO stations (uid, user_id, fingerprint, name, endpoints, token, created_at, last_seen_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (user_id, fingerprint) DO UPDATE SET "
                "name = excluded.name, endpoints = excluded.endpoints, token = excluded.token, "
                "last_seen_at = excluded.last_seen_at, last_error = NULL",
                (make_uid(), user_id, fingerprint, name, json.dumps(list(endpoints)[:MOST_ENDPOINTS]), token, now, now),
            )
            return _row(
                cursor.execute(
                    f"SELECT {_COLUMNS} FROM stations WHERE user_id = ? AND fingerprint = ?", (user_id, fingerprint)
                ).fetchone()
            )

    def list(self, user_id: int) -> Sequence[StationRow]:
        """By name."""
        with self._database.read() as conn:
            found = driver_cursor(conn).execute(
                f"SELECT {_COLUMNS} FROM stations WHERE user_id = ? ORDER BY name COLLATE NOCASE, id", (user_id,)
            )
            return [_row(one) for one in found]

    def get(self, user_id: int, uid: str) -> StationRow:
        """Raises NotFound, also for somebody else's."""
        with self._database.read() as conn:
            found = driver_cursor(conn).execute(
                f"SELECT {_COLUMNS} FROM stations WHERE user_id = ? AND uid = ?", (user_id, uid)
            ).fetchone()
        if found is None:
            raise NotFound("There is no such station among those that you paired.")
        return _row(found)

    def remove(self, user_id: int, uid: str) -> None:
        """Raises NotFound."""
        with self._database.transaction() as conn:
            gone = driver_cursor(conn).execute("DELETE FROM stations WHERE user_id = ? AND uid = ?", (user_id, uid))
            if not gone.rowcount:
                raise NotFound("There is no such station among those that you paired.")

    def moved(self, uid: str, endpoints: Sequence[str]) -> None:
        """It answers at these addresses now."""
        kept = json.dumps(list(endpoints)[:MOST_ENDPOINTS])
        with self._database.transaction(durable=False) as conn:
            driver_cursor(conn).execute("UPDATE stations SET endpoints = ? WHERE uid = ?", (kept, uid))

    def told(self, uid: str, *, error: str | None) -> None:
        """It answered just now (`error` None), or did not."""
        with self._database.transaction(durable=False) as conn:
            driver_cursor(conn).execute(
                "UPDATE stations SET last_error = ?, last_seen_at = CASE WHEN ? IS NULL THEN ? ELSE last_seen_at END "
                "WHERE uid = ?",
                (error, error, time.time(), uid),
            )


def _row(found: tuple[Any, ...]) -> StationRow:
    uid, user_id, fingerprint, name, endpoints, token, created_at, last_seen_at, last_error = found
    return StationRow(
        uid=uid,
        user_id=user_id,
        fingerprint=fingerprint,
        name=name,
        endpoints=tuple(str(one) for one in json.loads(endpoints)),
        token=token,
        created_at=created_at,
        last_seen_at=last_seen_at,
        last_error=last_error,
    )
