"""App passwords: tokens that count at /rest alone. Beside the hash the secret stands here sealed (vault)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.database import Database, driver_cursor
from shared.model.errors import Conflict, NotFound
from shared.records.folding import same
from shared.records.moments import make_uid

KIND = "app"  # of their tokens
MOST = 50  # of one person


@dataclass(frozen=True, slots=True, kw_only=True)
class AppPasswordRow:
    """One with its person. Times in Unix seconds."""

    id: int  # of the token
    uid: str
    name: str
    scope: str
    created_at: float
    last_used_at: float | None
    last_address: str | None
    user_id: int
    user_uid: str
    username: str


@dataclass(frozen=True, slots=True)
class SealedSecret:
    """What a program's login is compared with."""

    sealed: str = field(repr=False)
    hash: bytes  # of its token


_COLUMNS = "t.id, t.uid, t.name, t.scope, t.created_at, t.last_used_at, t.last_address, u.id, u.uid, u.username"
_QUERY = f"SELECT {_COLUMNS} FROM tokens t JOIN users u ON u.id = t.user_id WHERE t.kind = '{KIND}' "


class AppPasswords:
    """Everybody's; whoever asks says whose they mean."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    def add(self, user_id: int, *, name: str, scope: str, hash: bytes, sealed: str) -> AppPasswordRow:
        """Raises Conflict for too many, NotFound when the user is gone."""
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            if not cursor.execute("SELECT 1 FROM users WHERE id = ?", (user_id,)).fetchone():
                raise NotFound("There is no such user.")
            count = cursor.execute(
                "SELECT count(*) FROM tokens WHERE user_id = ? AND kind = ?", (user_id, KIND)
            ).fetchone()[0]
            if count >= MOST:
                raise Conflict(f"At most {MOST} app passwords a person. Revoke one that is not used any more.")
            uid = make_uid()
            cursor.execute(
                "INSERT INTO tokens (uid, user_id, kind, hash, name, scope, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (uid, user_id, KIND, hash, name, scope, time.time()),
            )
            cursor.execute("INSERT INTO app_secrets (token_id, secret) VALUES (?, ?)", (cursor.lastrowid, sealed))
            return _row(cursor.execute(_QUERY + "AND t.uid = ?", (uid,)).fetchone())

    def list(self, user_id: int | None) -> Sequence[AppPasswordRow]:
        """The last used first; of one person, or None: of all."""
        with self._database.read() as conn:
            found = driver_cursor(conn).execute(
                _QUERY + "AND (? IS NULL OR t.user_id = ?) "
                "ORDER BY coalesce(t.last_used_at, t.created_at) DESC, t.id DESC",
                (user_id, user_id),
            )
            return [_row(row) for row in found]

    def find(self, uid: str, *, user_id: int | None) -> AppPasswordRow | None:
        """One; of one person, or None: whose ever it is."""
        with self._database.read() as conn:
            row = (
                driver_cursor(conn)
                .execute(_QUERY + "AND t.uid = ? AND (? IS NULL OR t.user_id = ?)", (uid, user_id, user_id))
                .fetchone()
            )
            return None if row is None else _row(row)

    def secrets_of(self, username: str) -> Sequence[SealedSecret]:
        """Of who has that name (case and width do not count), the last used first; none of who is not known."""
        with self._database.read() as conn:
            found = driver_cursor(conn).execute(
                "SELECT s.secret, t.hash FROM users u JOIN tokens t ON t.user_id = u.id "
                "JOIN app_secrets s ON s.token_id = t.id WHERE u.folded = ? AND t.kind = ? "
                "ORDER BY coalesce(t.last_used_at, t.created_at) DESC, t.id DESC",
                (same(username), KIND),
            )
            return [SealedSecret(*row) for row in found]


def _row(row: Any) -> AppPasswordRow:
    return AppPasswordRow(
        id=row[0],
        uid=row[1],
        name=row[2],
        scope=row[3],
        created_at=row[4],
        last_used_at=row[5],
        last_address=row[6],
        user_id=row[7],
        user_uid=row[8],
        username=row[9],
    )
