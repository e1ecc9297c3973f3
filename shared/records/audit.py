"""The audit log: who did what from where. Rows say the name, so that they tell who it was when the account is gone."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from shared.database import Database, driver_cursor
from shared.model.audit import Deed
from shared.model.errors import BadInput
from shared.model.person import Person
from shared.model.track import Page
from shared.records import revisions
from shared.records.moments import shown
from shared.records.pages import clamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A line before it is written. `at` in Unix seconds; `user_id` 0: no account."""

    at: float
    user_id: int
    username: str
    address: str
    deed: str
    subject: str
    details: dict[str, Any] = field(default_factory=dict)


class Audit:
    """Lines are added and, when they are old, removed; never changed."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    def add(self, person: Person | None, address: str, deed: str, subject: str = "", **details: Any) -> None:
        """One line, now."""
        self.add_all(
            [
                Entry(
                    at=time.time(),
                    user_id=person.user_id if person else 0,
                    username=person.username if person else "",
                    address=address,
                    deed=deed,
                    subject=subject,
                    details=details,
                )
            ]
        )

    def add_all(self, entries: Iterable[Entry]) -> None:
        """Lines in the order given, in one transaction."""
        rows = [
            (
                one.at,
                one.user_id or None,
                one.username,
                one.address,
                one.deed,
                one.subject,
                msgspec.json.encode(one.details).decode(),
            )
            for one in entries
        ]
        with self._database.transaction() as conn:
            driver_cursor(conn).executemany(
                "INSERT INTO audit (at, user_id, username, address, deed, subject, details) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                rows,
            )

    def list(
        self, limit: int = 100, cursor: str | None = None, *, deed: str | None = None, username: str | None = None
    ) -> Page[Deed]:
        """The newest first; `username` in whatever case. A cursor stays good while lines are added. Raises BadInput."""
        limit = clamp(limit)
        where = "1"
        values: tuple[str, ...] = ()
        if deed is not None:
            where, values = f"{where} AND deed = ?", (*values, deed)
        if username is not None:
            where, values = f"{where} AND username = ? COLLATE NOCASE", (*values, username)
        before = _place(cursor)
        with self._database.read() as conn:
            revision, look = revisions.current(conn), driver_cursor(conn)
            (total,) = look.execute(f"SELECT count(*) FROM audit WHERE {where}", values).fetchone()
            rows = look.execute(
                f"SELECT id, at, username, address, deed, subject, details FROM audit WHERE {where} AND id < ? "
                "ORDER BY id DESC LIMIT ?",
                (*values, before, limit + 1),
            ).fetchall()
        following = str(rows[limit - 1][0]) if len(rows) > limit else None
        return Page(
            items=[_deed(row) for row in rows[:limit]], next_cursor=following, total=int(total), revision=revision
        )

    def trim(self, before: float) -> int:
        """Remove what is older than `before` (Unix seconds). How many lines."""
        with self._database.transaction(durable=False) as conn:
            cursor = driver_cursor(conn)
            cursor.execute("DELETE FROM audit WHERE at < ?", (before,))
            return int(cursor.rowcount)


def _place(cursor: str | None) -> int:
    if cursor is None:
        return 2**63 - 1
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise BadInput("This cursor is not one of this list's. Begin again without it.", field="cursor")
    return int(cursor)


def _deed(row: Any) -> Deed:
    _, at, username, address, deed, subject, details = row
    try:
        told = msgspec.json.decode(details)
    except msgspec.DecodeError:
        told = {}
    return Deed(
        at=shown(at),
        username=username,
        address=address,
        deed=deed,
        subject=subject,
        details=told if isinstance(told, dict) else {},
    )
