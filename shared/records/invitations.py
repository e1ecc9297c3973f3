"""Invitations: links that make an account, once. Only the hash of a link's code is kept."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, delete, func, insert, select, update

from shared.database import Database
from shared.model.errors import Conflict, NotFound
from shared.model.person import RIGHTS
from shared.records.moments import make_uid
from shared.records.people import Folder, UserRow, dress, make, placed, still_owns
from shared.records.tables import invitations, roots, users

MOST_OPEN = 200  # invitations that can still be accepted


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationRow:
    uid: str
    created_by: str  # the owner's user name
    owned: bool  # whether who made it is an owner still; else it counts no more
    name: str  # whom it is for, as the owner says
    role: str
    said: dict[str, bool | None]
    limited: bool
    folders: list[Folder]
    created_at: float  # Unix seconds
    expires_at: float
    used_at: float | None
    used_by: str | None  # the user name it made


class Invitations:
    """Made by owners, accepted by strangers."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    def add(
        self,
        *,
        hash: bytes,
        created_by: int,
        role: str,
        expires_at: float,
        name: str = "",
        said: Mapping[str, bool | None] | None = None,
        limited: bool = False,
        folders: Iterable[Folder] = (),
    ) -> InvitationRow:
        """Raises Forbidden when `created_by` is no owner (any more), BadInput for a folder that is none, Conflict
        when there are too many."""
        uid, now = make_uid(), time.time()
        with self._database.transaction() as conn:
            still_owns(conn, created_by)
            wanted = placed(conn, folders)
            open_ones = select(func.count()).where(invitations.c.used_at.is_(None), invitations.c.expires_at > now)
            if conn.execute(open_ones).scalar_one() >= MOST_OPEN:
                raise Conflict(f"There are {MOST_OPEN} open invitations already: withdraw some first.")
            conn.execute(
                insert(invitations).values(
                    uid=uid,
                    hash=hash,
                    created_by=created_by,
                    name=name,
                    role=role,
                    rights=json.dumps({f"may_{right}": one for right, one in (said or {}).items() if one is not None}),
                    folders=json.dumps(wanted) if limited else None,
                    created_at=now,
                    expires_at=expires_at,
                )
            )
            return _one(conn, invitations.c.uid == uid)

    def list(self) -> list[InvitationRow]:
        """All that are kept, the newest first."""
        with self._database.read() as conn:
            paths = _paths(conn)
            return [_row(row, paths) for row in conn.execute(_SHOWN.order_by(invitations.c.id.desc()))]

    def find(self, hash: bytes) -> InvitationRow:
        """By the hash of its code; also one that was used or is too old. Raises NotFound."""
        with self._database.read() as conn:
            return _one(conn, invitations.c.hash == hash)

    def get(self, uid: str) -> InvitationRow:
        """Raises NotFound."""
        with self._database.read() as conn:
            return _one(conn, invitations.c.uid == uid)

    def remove(self, uid: str) -> None:
        """Raises NotFound."""
        with self._database.transaction() as conn:
            if conn.execute(delete(invitations).where(invitations.c.uid == uid)).rowcount == 0:
                raise _not_there()

    def accept(self, hash: bytes, *, username: str, password_hash: str, now: float) -> UserRow | None:
        """Make the account, and the invitation is used: both or neither. None when it can be accepted no more (used,
        too old, withdrawn, or from somebody who is no owner), also when somebody is quicker in this very moment.

        Raises Conflict when the name is taken; the invitation stays good then.
        """
        with self._database.transaction() as conn:
            done = conn.execute(
                update(invitations)
                .where(
                    invitations.c.hash == hash,
                    invitations.c.used_at.is_(None),
                    invitations.c.expires_at > now,
                    invitations.c.created_by.in_(select(users.c.id).where(users.c.role == "owner")),
                )
                .values(used_at=now)
            )
            if done.rowcount != 1:
                return None
            given = _one(conn, invitations.c.hash == hash)
            made = make(conn, username, password_hash, given.role)
            made = dress(conn, made, said=given.said, limited=given.limited, folders=given.folders)
            conn.execute(update(invitations).where(invitations.c.hash == hash).values(used_by=made.id))
            return made

    def prune(self, before: float) -> int:
        """Remove those that were used, or ran out, before `before` (Unix seconds). How many."""
        last = func.coalesce(invitations.c.used_at, invitations.c.expires_at)
        with self._database.transaction(durable=False) as conn:
            return int(conn.execute(delete(invitations).where(last < before)).rowcount)


_MAKER, _MADE = users.alias("maker"), users.alias("made")
_SHOWN: Select[Any] = (
    select(
        invitations.c.uid,
        _MAKER.c.username,
        _MAKER.c.role == "owner",
        invitations.c.name,
        invitations.c.role,
        invitations.c.rights,
        invitations.c.folders,
        invitations.c.created_at,
        invitations.c.expires_at,
        invitations.c.used_at,
        _MADE.c.username,
    )
    .select_from(invitations)
    .join(_MAKER, _MAKER.c.id == invitations.c.created_by)
    .outerjoin(_MADE, _MADE.c.id == invitations.c.used_by)
)


def _one(conn: Connection, which: ColumnElement[bool]) -> InvitationRow:
    row = conn.execute(_SHOWN.where(which)).first()
    if row is None:
        raise _not_there()
    return _row(row, _paths(conn))


def _paths(conn: Connection) -> dict[int, str]:
    return {row[0]: row[1] for row in conn.execute(select(roots.c.id, roots.c.path))}


def _row(row: Any, paths: Mapping[int, str]) -> InvitationRow:
    uid, created_by, owned, name, role, rights, folders, created_at, expires_at, used_at, used_by = row
    given = json.loads(rights)
    return InvitationRow(
        uid=uid,
        created_by=created_by,
        owned=bool(owned),
        name=name,
        role=role,
        said={right: given.get(f"may_{right}") for right in RIGHTS},
        limited=folders is not None,
        folders=[(paths[root], path) for root, path in json.loads(folders or "[]") if root in paths],
        created_at=created_at,
        expires_at=expires_at,
        used_at=used_at,
        used_by=used_by,
    )


def _not_there() -> NotFound:
    return NotFound("There is no such invitation.")
