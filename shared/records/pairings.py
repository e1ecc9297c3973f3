"""Sync tokens that were made, and the devices they become. Each is good once, whoever asks at the same moment."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

from shared.database import Database, driver_cursor
from shared.model.errors import Conflict, NotFound
from shared.records.moments import make_uid

KINDS = ("device", "move", "station")
MOST_REMEMBERED = 200  # of one person: used and old ones are still known as such
MOST_DEVICES = 200  # of one person


@dataclass(frozen=True, slots=True, kw_only=True)
class PairingRow:
    id: int
    uid: str
    key: bytes  # sync_token.pairing_key
    user_id: int
    kind: str  # one of KINDS
    token_id: int | None  # of who made it, with whose token it ends; once used: of the device
    name: str  # of a station's, once used: that station's fingerprint, when it is known, else ""
    scope: str
    created_at: float  # Unix seconds
    expires_at: float
    used_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """The token that a pairing became."""

    token_id: int
    uid: str
    name: str
    scope: str
    kind: str  # of the token: device | session
    expires_at: float | None


_COLUMNS = "id, uid, key, user_id, kind, token_id, name, scope, created_at, expires_at, used_at"


class Pairings:
    """Everybody's. Knows keys that were derived from secrets, never the secrets."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    def add(
        self,
        *,
        user_id: int,
        kind: str,
        key: bytes,
        name: str,
        scope: str,
        token_id: int | None,
        now: float,
        expires_at: float,
        most_open: int,
    ) -> PairingRow:
        """A new one. Of this person's open ones beyond `most_open` the oldest end. Raises NotFound: the person, or the
        session that makes it, is gone."""
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            uid = make_uid()
            try:
                cursor.execute(
                    "INSERT INTO pairings (uid, key, user_id, kind, token_id, name, scope, created_at, expires_at) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (uid, key, user_id, kind, token_id, name, scope, now, expires_at),
                )
            except sqlite3.IntegrityError as error:
                raise NotFound("There is no such user, or this login has ended.") from error
            cursor.execute(
                "UPDATE pairings SET expires_at = ? WHERE user_id = ? AND used_at IS NULL AND expires_at > ? "
                "AND id NOT IN (SELECT id FROM pairings WHERE user_id = ? AND used_at IS NULL AND expires_at > ? "
                "ORDER BY id DESC LIMIT ?)",
                (now, user_id, now, user_id, now, most_open),
            )
            cursor.execute(
                "DELETE FROM pairings WHERE user_id = ? AND NOT (kind = 'station' AND used_at IS NOT NULL) "
                "AND id NOT IN (SELECT id FROM pairings WHERE user_id = ? ORDER BY id DESC LIMIT ?)",
                (user_id, user_id, MOST_REMEMBERED),
            )
            return _row(cursor.execute(f"SELECT {_COLUMNS} FROM pairings WHERE uid = ?", (uid,)).fetchone())

    def find(self, uid: str) -> PairingRow | None:
        """Also one that was used or is too old."""
        with self._database.read() as conn:
            row = driver_cursor(conn).execute(f"SELECT {_COLUMNS} FROM pairings WHERE uid = ?", (uid,)).fetchone()
            return None if row is None else _row(row)

    def open(self, user_id: int | None, *, now: float) -> list[PairingRow]:
        """Those that can still be used, the newest first; of one person, or None: of all."""
        with self._database.read() as conn:
            return [
                _row(row)
                for row in driver_cursor(conn).execute(
                    f"SELECT {_COLUMNS} FROM pairings WHERE (? IS NULL OR user_id = ?) AND used_at IS NULL "
                    "AND expires_at > ? AND kind <> 'move' ORDER BY id DESC",
                    (user_id, user_id, now),
                )
            ]

    def withdraw(self, uid: str, *, user_id: int | None, now: float) -> bool:
        """End one that was not used yet; whether there was one. `user_id` None: whose ever it is."""
        with self._database.transaction() as conn:
            return (
                driver_cursor(conn)
                .execute(
                    "UPDATE pairings SET expires_at = ? WHERE uid = ? AND (? IS NULL OR user_id = ?) "
                    "AND used_at IS NULL AND expires_at > ?",
                    (now, uid, user_id, user_id, now),
                )
                .rowcount
                > 0
            )

    def claim(
        self,
        pairing: PairingRow,
        *,
        hash: bytes,
        name: str,
        scope: str,
        station: bool,
        now: float,
        expires_at: float | None,
        address: str,
    ) -> Claimed | None:
        """Use it up and make its device, which may be another station; None when somebody was quicker, or it ended
        meanwhile.

        `expires_at` is the new device's. Raises Conflict when the person has too many devices.
        """
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            if not _use(cursor, pairing, now):
                return None
            held = cursor.execute(
                "SELECT count(*) FROM tokens WHERE user_id = ? AND kind = 'device'", (pairing.user_id,)
            ).fetchone()[0]
            if held >= MOST_DEVICES:
                raise Conflict(f"This account has {held} devices: revoke those that are no longer used.")
            uid = make_uid()
            token_id = cursor.execute(
                "INSERT INTO tokens (uid, user_id, kind, hash, name, scope, created_at, expires_at, last_address) "
                "VALUES (?, ?, 'device', ?, ?, ?, ?, ?, ?) RETURNING id",
                (uid, pairing.user_id, hash, name, scope, now, expires_at, address),
            ).fetchone()[0]
            cursor.execute("UPDATE pairings SET token_id = ? WHERE id = ?", (token_id, pairing.id))
            if station:
                cursor.execute("UPDATE pairings SET kind = 'station', name = '' WHERE id = ?", (pairing.id,))
            return Claimed(token_id=token_id, uid=uid, name=name, scope=scope, kind="device", expires_at=expires_at)

    def is_station(self, token_id: int, fingerprint: str) -> None:
        """The device of that token is the station with this fingerprint."""
        with self._database.transaction() as conn:
            driver_cursor(conn).execute(
                "UPDATE pairings SET kind = 'station', name = ? WHERE token_id = ? AND used_at IS NOT NULL",
                (fingerprint, token_id),
            )

    def of_station(self, user_id: int, fingerprint: str) -> list[int]:
        """The tokens that a person's other station was given here, the oldest first."""
        with self._database.read() as conn:
            found = driver_cursor(conn).execute(
                "SELECT token_id FROM pairings WHERE user_id = ? AND kind = 'station' AND name = ? "
                "AND used_at IS NOT NULL AND token_id IS NOT NULL ORDER BY id",
                (user_id, fingerprint),
            )
            return [row[0] for row in found]

    def move(self, pairing: PairingRow, *, hash: bytes, now: float) -> Claimed | None:
        """Use it up and give the login that made it another token: the one before counts no more. None as above."""
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            if not _use(cursor, pairing, now):
                return None
            row = cursor.execute(
                "UPDATE tokens SET hash = ? WHERE id = ? AND user_id = ? AND (expires_at IS NULL OR expires_at > ?) "
                "RETURNING id, uid, name, scope, kind, expires_at",
                (hash, pairing.token_id, pairing.user_id, now),
            ).fetchone()
            if row is None:
                return None
            return Claimed(token_id=row[0], uid=row[1], name=row[2], scope=row[3], kind=row[4], expires_at=row[5])


def _use(cursor: Any, pairing: PairingRow, now: float) -> bool:
    """Of all who try at once, one."""
    used = cursor.execute(
        "UPDATE pairings SET used_at = ? WHERE id = ? AND uid = ? AND used_at IS NULL AND expires_at > ?",
        (now, pairing.id, pairing.uid, now),
    )
    return bool(used.rowcount > 0)


def _row(row: Any) -> PairingRow:
    return PairingRow(
        id=row[0],
        uid=row[1],
        key=row[2],
        user_id=row[3],
        kind=row[4],
        token_id=row[5],
        name=row[6],
        scope=row[7],
        created_at=row[8],
        expires_at=row[9],
        used_at=row[10],
    )
