"""Devices and sessions as people see and end them: whose they are, since when, and used when and from where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared.database import Database, driver_cursor

KINDS = ("device", "session")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRow:
    """A token with its person. Times in Unix seconds."""

    id: int
    uid: str
    kind: str  # one of KINDS
    name: str  # of a session: what the browser calls itself
    scope: str
    created_at: float
    expires_at: float | None
    last_used_at: float | None
    last_address: str | None
    user_id: int
    user_uid: str
    username: str
    station: bool  # another station's, not a device's


_QUERY = (
    "SELECT t.id, t.uid, t.kind, t.name, t.scope, t.created_at, t.expires_at, t.last_used_at, t.last_address, "
    "u.id, u.uid, u.username, t.id IN (SELECT token_id FROM pairings WHERE kind = 'station' AND used_at IS NOT NULL "
    "AND token_id IS NOT NULL) FROM tokens t JOIN users u ON u.id = t.user_id WHERE t.kind = ? "
)


class Devices:
    """Everybody's; whoever asks says whose they mean."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    def list(self, kind: str, *, user_id: int | None, now: float) -> Sequence[DeviceRow]:
        """Those that count at `now`, the last used first; of one person, or None: of all."""
        with self._database.read() as conn:
            found = driver_cursor(conn).execute(
                _QUERY + "AND (? IS NULL OR t.user_id = ?) AND (t.expires_at IS NULL OR t.expires_at > ?) "
                "ORDER BY coalesce(t.last_used_at, t.created_at) DESC, t.id DESC",
                (kind, user_id, user_id, now),
            )
            return [_row(row) for row in found]

    def find(self, kind: str, uid: str, *, user_id: int | None) -> DeviceRow | None:
        """One; of one person, or None: whose ever it is."""
        with self._database.read() as conn:
            row = (
                driver_cursor(conn)
                .execute(_QUERY + "AND t.uid = ? AND (? IS NULL OR t.user_id = ?)", (kind, uid, user_id, user_id))
                .fetchone()
            )
            return None if row is None else _row(row)

    def rename(self, token_id: int, uid: str, name: str) -> bool:
        """Whether it was still there."""
        with self._database.transaction() as conn:
            changed = driver_cursor(conn).execute(
                "UPDATE tokens SET name = ? WHERE id = ? AND uid = ?", (name, token_id, uid)
            )
            return changed.rowcount > 0


def _row(row: Any) -> DeviceRow:
    return DeviceRow(
        id=row[0],
        uid=row[1],
        kind=row[2],
        name=row[3],
        scope=row[4],
        created_at=row[5],
        expires_at=row[6],
        last_used_at=row[7],
        last_address=row[8],
        user_id=row[9],
        user_uid=row[10],
        username=row[11],
        station=bool(row[12]),
    )
