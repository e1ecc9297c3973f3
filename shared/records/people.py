"""People, what they may and see, and their tokens."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, null, or_, select, update
from sqlalchemy.exc import IntegrityError

from shared.database import Database, driver_cursor
from shared.model.errors import BadInput, Conflict, Forbidden, NotFound
from shared.model.person import RIGHTS
from shared.records import revisions
from shared.records.folding import same
from shared.records.moments import make_uid
from shared.records.settling import chunks, remember_removed
from shared.records.tables import pairings, playlists, roots, tokens, user_folders, users
from shared.records.visible import plain, sees_other_things, write_folders

Folder = tuple[str, str]  # path of its root (as Scans.roots has it), path beneath it; "" is all of the root


@dataclass(frozen=True, slots=True)
class UserRow:
    id: int
    uid: str
    username: str
    password_hash: str
    role: str
    created_at: float  # Unix seconds
    may_add: int | None = None  # 1 yes, 0 no; None: as the role has it
    may_edit: int | None = None
    may_delete: int | None = None
    limited: int = 0
    has_second_factor: int = 0
    has_identity: int = 0

    @property
    def said(self) -> dict[str, bool | None]:
        """What was said of this person alone, by right."""
        given = (self.may_add, self.may_edit, self.may_delete)
        return {right: None if one is None else bool(one) for right, one in zip(RIGHTS, given, strict=True)}


@dataclass(frozen=True, slots=True)
class FactorRow:
    """A second factor as it is kept."""

    sealed: str | None  # by the vault; None: there is none
    step: int  # the last time step of which a code was used
    recovery: tuple[str, ...]  # SHA-256 (hex) of the codes that are left


@dataclass(frozen=True, slots=True)
class TokenRow:
    id: int
    uid: str
    user_id: int
    kind: str  # session | device | app
    name: str
    scope: str
    created_at: float
    expires_at: float | None
    last_used_at: float | None
    last_address: str | None


_USER = (
    users.c.id,
    users.c.uid,
    users.c.username,
    users.c.password_hash,
    users.c.role,
    users.c.created_at,
    users.c.may_add,
    users.c.may_edit,
    users.c.may_delete,
    users.c.limited,
    users.c.second_factor.is_not(None),
    users.c.identity.is_not(None),
)
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

    def find_identity(self, identity: str) -> UserRow | None:
        """By what an OpenID Connect provider calls the person: "issuer subject"."""
        with self._database.read() as conn:
            row = conn.execute(select(*_USER).where(users.c.identity == identity)).first()
            return UserRow(*row) if row else None

    def marks(self) -> dict[int, tuple[Any, ...]]:
        """Of everybody what a Person is made of, by inner id: to see whom another process changed."""
        with self._database.read() as conn:
            rows = driver_cursor(conn).execute(
                "SELECT id, username, role, may_add, may_edit, may_delete, limited FROM users"
            )
            return {row[0]: tuple(row[1:]) for row in rows}

    def folders(self, user_id: int | None = None) -> dict[int, list[Folder]]:
        """The folders that limited people see, by the person's inner id; of one person or of all."""
        query = (
            select(user_folders.c.user_id, roots.c.path, user_folders.c.path)
            .join(roots, roots.c.id == user_folders.c.root_id)
            .order_by(user_folders.c.user_id, roots.c.position, roots.c.id, user_folders.c.path)
        )
        found: dict[int, list[Folder]] = {}
        with self._database.read() as conn:
            rows = conn.execute(query if user_id is None else query.where(user_folders.c.user_id == user_id))
            for whose, root, path in rows:
                found.setdefault(whose, []).append((root, path))
        return found

    def has_music_in(self, root: str, path: str) -> bool:
        """Whether the library knows a file (also one that is missing now) in this folder or deeper."""
        with self._database.read() as conn:
            return (
                driver_cursor(conn)
                .execute(
                    "SELECT 1 FROM files JOIN roots ON roots.id = files.root_id WHERE roots.path = ? "
                    "AND files.path >= ? || '/' AND files.path < ? || '0' LIMIT 1",
                    (root, path, path),
                )
                .fetchone()
                is not None
            )

    def make_user(
        self,
        username: str,
        password_hash: str,
        role: str,
        *,
        said: Mapping[str, bool | None] | None = None,
        limited: bool = False,
        folders: Iterable[Folder] = (),
        identity: str | None = None,
        by: int = 0,
    ) -> UserRow:
        """`by`: the inner id of the owner who makes it; 0 is the station itself. Raises Conflict when the name is
        taken, Forbidden when `by` is no owner any more, BadInput for a folder that is none."""
        with self._database.transaction() as conn:
            still_owns(conn, by)
            made = make(conn, username, password_hash, role)
            return dress(conn, made, said=said, limited=limited, folders=folders, identity=identity)

    def make_first_owner(self, username: str, password_hash: str) -> UserRow:
        """The owner of a station that has none. Raises Conflict when it has one, whoever was quicker."""
        with self._database.transaction() as conn:
            if _owners(conn):
                raise Conflict("This station has an owner already.")
            return make(conn, username, password_hash, _ROLES_THAT_OWN)

    def change_user(
        self,
        uid: str,
        *,
        username: str | None = None,
        password_hash: str | None = None,
        role: str | None = None,
        said: Mapping[str, bool | None] | None = None,
        limited: bool | None = None,
        folders: Iterable[Folder] | None = None,
        only_if_hash: str | None = None,
        by: int = 0,
    ) -> UserRow:
        """Change what is given (of `said` only the rights it names); nothing when the password's hash is no longer
        `only_if_hash`. The user as it is then. A new password takes back the sync tokens that nobody claimed yet.

        `by` as for `make_user`. Raises NotFound, Forbidden, BadInput; Conflict when the name is taken, the last owner
        would be one no more, or an owner would be limited or lose a right.
        """
        with self._database.transaction() as conn:
            still_owns(conn, by)
            before = _get(conn, uid)
            if only_if_hash is not None and before.password_hash != only_if_hash:
                return before
            changes: dict[str, Any] = {}
            if username is not None and username != before.username:
                changes.update(username=username, folded=same(username))
            if password_hash is not None:
                changes["password_hash"] = password_hash
                if only_if_hash is None:
                    conn.execute(delete(pairings).where(pairings.c.user_id == before.id, pairings.c.used_at.is_(None)))
            if role is not None and role != before.role:
                if before.role == _ROLES_THAT_OWN and _owners(conn) == 1:
                    raise Conflict("The last owner stays one: make another owner first.")
                changes["role"] = role
                if before.limited:  # what an owner sees has no limit
                    sees_other_things(conn, before.id)
            if changes:
                try:
                    conn.execute(update(users).where(users.c.id == before.id).values(**changes))
                except IntegrityError as error:
                    raise _taken(username or "") from error
            return dress(conn, _get(conn, uid), said=said, limited=limited, folders=folders)

    def delete_user(self, uid: str, *, by: int = 0) -> None:
        """Remove a user with all that is theirs. `by` as for `make_user`. Raises NotFound, Forbidden; Conflict for
        the last owner."""
        with self._database.transaction() as conn:
            still_owns(conn, by)
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

    def set_identity(self, uid: str, identity: str | None) -> UserRow:
        """What an OpenID Connect provider calls the person; None: nothing. Raises NotFound; Conflict when it is
        another account's."""
        with self._database.transaction() as conn:
            return dress(conn, _get(conn, uid), identity=identity, any_identity=True)

    # ---- second factors

    def factor(self, user_id: int) -> FactorRow:
        """Raises NotFound when the user is gone."""
        query = select(users.c.second_factor, users.c.second_factor_step, users.c.recovery_codes)
        with self._database.read() as conn:
            row = conn.execute(query.where(users.c.id == user_id)).first()
        if row is None:
            raise NotFound("There is no such user.")
        return FactorRow(row[0], row[1], tuple(json.loads(row[2])))

    def set_factor(
        self, user_id: int, sealed: str | None, *, step: int = 0, recovery: Sequence[str] = (), anew: bool = False
    ) -> bool:
        """Keep a second factor, or with None take it away. `anew`: only where there is none; whether it was done."""
        query = update(users).where(users.c.id == user_id)
        if anew:
            query = query.where(users.c.second_factor.is_(None))
        with self._database.transaction() as conn:
            done = conn.execute(
                query.values(
                    second_factor=null() if sealed is None else sealed,
                    second_factor_step=step,
                    recovery_codes=json.dumps(list(recovery)),
                )
            )
            return done.rowcount == 1

    def use_step(self, user_id: int, step: int) -> bool:
        """Note that a code of the time step `step` was used. False when that one or a later one was already, also by
        somebody else in this very moment."""
        with self._database.transaction() as conn:
            done = conn.execute(
                update(users)
                .where(users.c.id == user_id, users.c.second_factor.is_not(None), users.c.second_factor_step < step)
                .values(second_factor_step=step)
            )
            return done.rowcount == 1

    def use_recovery(self, user_id: int, hash: str) -> int | None:
        """Take a recovery code off the list; how many are left, or None when it is not on it (any more)."""
        with self._database.transaction() as conn:
            row = conn.execute(
                select(users.c.recovery_codes).where(users.c.id == user_id, users.c.second_factor.is_not(None))
            ).first()
            left = list(json.loads(row[0])) if row else []
            if hash not in left:
                return None
            left.remove(hash)
            conn.execute(update(users).where(users.c.id == user_id).values(recovery_codes=json.dumps(left)))
            return len(left)

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
            return (TokenRow(*row[: len(_TOKEN)]), UserRow(*row[len(_TOKEN) :])) if row else None

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


def make(conn: Connection, username: str, password_hash: str, role: str) -> UserRow:
    """A new user, inside a transaction of the caller's. Raises Conflict when the name is taken."""
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


def placed(conn: Connection, folders: Iterable[Folder]) -> list[tuple[int, str]]:
    """`folders` by the ids of their roots. Raises BadInput for a root that is none, or a path that leaves it."""
    known: dict[str, int] = {row[0]: row[1] for row in conn.execute(select(roots.c.path, roots.c.id))}
    found = []
    for root, path in folders:
        if root not in known:
            raise BadInput(f"{root} is no music folder of this station.", field="folders")
        found.append((known[root], plain(path)))
    return found


def still_owns(conn: Connection, by: int) -> None:
    """Raises Forbidden when the user with the inner id `by` is no owner (0 is the station itself): between the look
    at the door and this transaction somebody may have lost the role."""
    if by and conn.execute(select(users.c.role).where(users.c.id == by)).scalar() != _ROLES_THAT_OWN:
        raise Forbidden("Only an owner of this station may do that.")


def dress(
    conn: Connection,
    user: UserRow,
    *,
    said: Mapping[str, bool | None] | None = None,
    limited: bool | None = None,
    folders: Iterable[Folder] | None = None,
    identity: str | None = None,
    any_identity: bool = False,
) -> UserRow:
    """Give a user rights, folders and an identity, where they are given, inside a transaction of the caller's.

    Raises Conflict, BadInput.
    """
    said = dict(said or {})
    if user.role == _ROLES_THAT_OWN and (limited or False in said.values()):
        raise Conflict("An owner may do and see everything: give this person another role first.")
    changes: dict[str, Any] = {
        f"may_{right}": null() if one is None else int(one) for right, one in said.items() if right in RIGHTS
    }
    if limited is not None and bool(user.limited) != limited:
        changes["limited"] = int(limited)
        sees_other_things(conn, user.id)
    if identity is not None or any_identity:
        changes["identity"] = null() if identity is None else identity
    if changes:
        try:
            conn.execute(update(users).where(users.c.id == user.id).values(**changes))
        except IntegrityError as error:
            raise Conflict("Another account is connected with this person at the provider already.") from error
    if folders is not None:
        write_folders(conn, user.id, placed(conn, folders))
    return _get(conn, user.uid)
