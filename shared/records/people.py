"""People and their tokens."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from shared.database import Database, driver_cursor
from shared.model.errors import Conflict, NotFound
from shared.records import revisions
from shared.records.folding import same
from shared.records.moments import make_uid
from shared.records.settling import chunks, remember_removed
from shared.records.tables import playlists, tokens, users


@dataclass(frozen=True, slots=True)
class UserRow:
    id: int
    uid: str
    username: str
    password_hash: str
    role: str
    created_at: float  # Unix seconds


@dataclass(frozen=True, slots=True)
class TokenRow:
    id: int
    uid: str
    user_id: int
    kind: str  # session | device
    name: str
    scope: str
    created_at: float
    expires_at: float | None
    last_used_at: float | None
    last_address: str | None


_USER = (users.c.id, users.c.uid, users.c.username, users.c.password_hash, users.c.role, users.c.created_at)
_TOKEN = (
    tokens.c.id,
    tokens.c.uid,
    tokens.c.user_id,
    tokens.c.kind,
    tokens.c.name,
    tokens.c.scope,
    tokens.c.created_at,
    tokens.c.expires_at,
    tokens.c.last_used_at,
    tokens.c.last_address,
)
_FIND_TOKEN = (
    select(*_TOKEN, *_USER).join(users, users.c.id == tokens.c.user_id).where(tokens.c.hash == bindparam("hash"))
)
_ROLES_THAT_OWN = "owner"


class People:
    """Who may log in, and by which tokens. Knows hashes only."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    # ---- users

    def count_owners(self) -> int:
        with self._database.read() as conn:
            return _owners(conn)

    def users(self) -> list[UserRow]:
        """All of them, the oldest first."""
        with self._database.read() as conn:
            return [UserRow(*row) for row in conn.execute(select(*_USER).order_by(users.c.id))]

    def find_user(self, username: str) -> UserRow | None:
        """By name; case and width do not count."""
        with self._database.read() as conn:
            row = conn.execute(select(*_USER).where(users.c.folded == same(username))).first()
            return UserRow(*row) if row else None

    def get_user(self, uid: str) -> UserRow | None:
        with self._database.read() as conn:
            row = conn.execute(select(*_USER).where(users.c.uid == uid)).first()
            return UserRow(*row) if row else None

    def make_user(self, username: str, password_hash: str, role: str) -> UserRow:
        """Raises Conflict when the name is taken."""
        with self._database.transaction() as conn:
            return _make(conn, username, password_hash, role)

    def make_first_owner(self, username: str, password_hash: str) -> UserRow:
        """The owner of a station that has none. Raises Conflict when it has one, whoever was quicker."""
        with self._database.transaction() as conn:
            if _owners(conn):
                raise Conflict("This station has an owner already.")
            return _make(conn, username, password_hash, _ROLES_THAT_OWN)

    def change_user(
        self,
        uid: str,
        *,
        username: str | None = None,
        password_hash: str | None = None,
        role: str | None = None,
        only_if_hash: str | None = None,
    ) -> UserRow:
        """Change what is given; nothing when the password's hash is no longer `only_if_hash`. The user as it is then.

        Raises NotFound; Conflict when the name is taken or the last owner would be one no more.
        """
        with self._database.transaction() as conn:
            before = _get(conn, uid)
            if only_if_hash is not None and before.password_hash != only_if_hash:
                return before
            changes: dict[str, Any] = {}
            if username is not None and username != before.username:
                changes.update(username=username, folded=same(username))
            if password_hash is not None:
                changes["password_hash"] = password_hash
            if role is not None and role != before.role:
                if before.role == _ROLES_THAT_OWN and _owners(conn) == 1:
                    raise Conflict("The last owner stays one: make another owner first.")
                changes["role"] = role
            if changes:
                try:
                    conn.execute(update(users).where(users.c.id == before.id).values(**changes))
                except IntegrityError as error:
                    raise _taken(username or "") from error
            return _get(conn, uid)

    def delete_user(self, uid: str) -> None:
        """Remove a user with all that is theirs. Raises NotFound; Conflict for the last owner."""
        with self._database.transaction() as conn:
            user = _get(conn, uid)
            if user.role == _ROLES_THAT_OWN and _owners(conn) == 1:
                raise Conflict("The last owner stays: make another owner first.")
            seen = (
                conn.execute(
                    select(playlists.c.uid).where(playlists.c.user_id == user.id, playlists.c.visibility != "private")
                )
                .scalars()
                .all()
            )
            if seen:
                remember_removed(driver_cursor(conn), "playlist", seen, revisions.bump(conn, library_too=False))
            conn.execute(delete(users).where(users.c.id == user.id))

    # ---- tokens

    def add_token(
        self,
        *,
        user_id: int,
        kind: str,
        hash: bytes,
        name: str = "",
        scope: str = "own",
        expires_at: float | None = None,
        last_address: str | None = None,
    ) -> int:
        """The new token's inner id. Raises NotFound when the user is gone."""
        with self._database.transaction() as conn:
            try:
                return int(
                    conn.execute(
                        insert(tokens)
                        .values(
                            uid=make_uid(),
                            user_id=user_id,
                            kind=kind,
                            hash=hash,
                            name=name,
                            scope=scope,
                            created_at=time.time(),
                            expires_at=expires_at,
                            last_address=last_address,
                        )
                        .returning(tokens.c.id)
                    ).scalar_one()
                )
            except IntegrityError as error:
                raise NotFound("There is no such user.") from error

    def find_token(self, hash: bytes) -> tuple[TokenRow, UserRow] | None:
        """The token with this hash and whose it is; also one that has expired."""
        with self._database.read() as conn:
            row: Any = conn.execute(_FIND_TOKEN, {"hash": hash}).first()
            return (TokenRow(*row[:10]), UserRow(*row[10:])) if row else None

    def tokens(self, user_id: int, *, kind: str | None = None) -> list[TokenRow]:
        """A person's tokens, the oldest first."""
        with self._database.read() as conn:
            query = select(*_TOKEN).where(tokens.c.user_id == user_id).order_by(tokens.c.id)
            rows: Any = conn.execute(query if kind is None else query.where(tokens.c.kind == kind))
            return [TokenRow(*row) for row in rows]

    def token_ids(self, user_id: int, *, kind: str | None = None) -> list[int]:
        return [token.id for token in self.tokens(user_id, kind=kind)]

    def live_tokens(self, token_ids: Sequence[int], *, now: float) -> dict[int, bytes]:
        """Those of `token_ids` that are there and have not expired, with their hashes: an id that became free may
        name another token."""
        with self._database.read() as conn:
            cursor = driver_cursor(conn)
            return {
                row[0]: row[1]
                for marks, part in chunks(token_ids)
                for row in cursor.execute(
                    f"SELECT id, hash FROM tokens WHERE id IN ({marks}) AND (expires_at IS NULL OR expires_at > ?)",
                    (*part, now),
                )
            }

    def data_version(self) -> int:
        """Moves when another process has changed anything; see Database.data_version."""
        return self._database.data_version()

    def touch_token(
        self, token_id: int, at: float, address: str | None = None, expires_at: float | None = None
    ) -> None:
        self.touch_tokens([(token_id, at, address, expires_at)])

    def touch_tokens(self, uses: Iterable[tuple[int, float, str | None, float | None]]) -> None:
        """Keep when and from where tokens were last used: (token id, Unix time, address, new expiry or None)."""
        with self._database.transaction(durable=False) as conn:
            driver_cursor(conn).executemany(
                "UPDATE tokens SET last_used_at = ?, last_address = coalesce(nullif(?, ''), last_address), "
                "expires_at = coalesce(?, expires_at) WHERE id = ?",
                [(at, address, expires_at, token_id) for token_id, at, address, expires_at in uses],
            )

    def trim_tokens(self, user_id: int, *, kind: str, keep: int, now: float) -> list[int]:
        """Remove a person's expired tokens of `kind`, and beyond `keep` the least recently used. Which."""
        with self._database.transaction() as conn:
            recent = func.coalesce(tokens.c.last_used_at, tokens.c.created_at)
            kept = (
                select(tokens.c.id)
                .where(
                    tokens.c.user_id == user_id,
                    tokens.c.kind == kind,
                    or_(tokens.c.expires_at.is_(None), tokens.c.expires_at > now),
                )
                .order_by(recent.desc(), tokens.c.id.desc())
                .limit(keep)
            )
            gone = (
                conn.execute(
                    select(tokens.c.id).where(
                        tokens.c.user_id == user_id, tokens.c.kind == kind, tokens.c.id.not_in(kept)
                    )
                )
                .scalars()
                .all()
            )
            if gone:
                conn.execute(delete(tokens).where(tokens.c.id.in_(gone)))
            return list(gone)

    def revoke_token(self, token_id: int) -> None:
        self.revoke_tokens([token_id])

    def revoke_tokens(self, token_ids: Iterable[int]) -> None:
        with self._database.transaction() as conn:
            driver_cursor(conn).executemany("DELETE FROM tokens WHERE id = ?", [(one,) for one in token_ids])


def _owners(conn: Connection) -> int:
    return int(
        conn.execute(select(func.count()).select_from(users).where(users.c.role == _ROLES_THAT_OWN)).scalar_one()
    )


def _get(conn: Connection, uid: str) -> UserRow:
    row = conn.execute(select(*_USER).where(users.c.uid == uid)).first()
    if row is None:
        raise NotFound("There is no such user.")
    return UserRow(*row)


def _make(conn: Connection, username: str, password_hash: str, role: str) -> UserRow:
    uid = make_uid()
    try:
        conn.execute(
            insert(users).values(
                uid=uid,
                username=username,
                folded=same(username),
                password_hash=password_hash,
                role=role,
                created_at=time.time(),
            )
        )
    except IntegrityError as error:
        raise _taken(username) from error
    return _get(conn, uid)


def _taken(username: str) -> Conflict:
    return Conflict(f"The user name {username!r} is taken.", field="username")
