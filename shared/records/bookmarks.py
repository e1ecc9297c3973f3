"""Bookmarks: places in tracks and episodes that a person comes back to. Each person's own, one for each thing."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, select, text

from shared.database import Database, driver_cursor
from shared.model.errors import BadInput, NotFound, Unprocessable
from shared.model.person import Person
from shared.model.units import Milliseconds
from shared.records.moments import shown
from shared.records.settling import chunks
from shared.records.tables import bookmarks
from shared.records.tracks import track_ids_of

MOST_OF_PERSON = 10_000
LONGEST_COMMENT = 5_000  # characters

_SET = text(
    "INSERT INTO bookmarks (user_id, kind, thing_uid, position_ms, comment, created_at, changed_at) "
    "VALUES (:user, :kind, :thing, :position, :comment, :now, :now) ON CONFLICT (user_id, kind, thing_uid) "
    "DO UPDATE SET position_ms = excluded.position_ms, comment = excluded.comment, changed_at = excluded.changed_at"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bookmark:
    """`kind`: track | episode. Moments as RFC 3339 UTC."""

    kind: str
    thing_id: str
    position_ms: Milliseconds
    comment: str
    created_at: str
    changed_at: str


class Bookmarks:
    """Everybody's bookmarks; each call touches the rows of one person."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    def list(self, person: Person) -> Sequence[Bookmark]:
        """Those of things that are there and that the person sees, the last changed first."""
        with self._database.read(person) as conn:
            rows = conn.execute(
                select(bookmarks)
                .where(bookmarks.c.user_id == person.user_id)
                .order_by(bookmarks.c.changed_at.desc(), bookmarks.c.thing_uid)
            ).all()
            there = _there(conn, ((row.kind, row.thing_uid) for row in rows))
        return [_bookmark(row) for row in rows if (row.kind, row.thing_uid) in there]

    def positions(self, person: Person, uids: Iterable[str]) -> dict[str, Milliseconds]:
        """Where in each of these things the bookmark is, of those that have one."""
        found: dict[str, Milliseconds] = {}
        with self._database.read() as conn:
            cursor = driver_cursor(conn)
            for marks, part in chunks(dict.fromkeys(uids)):
                found.update(
                    cursor.execute(
                        f"SELECT thing_uid, position_ms FROM bookmarks WHERE user_id = ? AND thing_uid IN ({marks})",
                        (person.user_id, *part),
                    ).fetchall()
                )
        return found

    def set(self, person: Person, uid: str, position_ms: Milliseconds, comment: str = "") -> None:
        """Put the bookmark of a track or an episode there. Raises NotFound, BadInput, Unprocessable."""
        if position_ms < 0 or len(comment) > LONGEST_COMMENT:
            raise BadInput(
                f"A bookmark lies in its track, and its comment has at most {LONGEST_COMMENT} characters.",
                field="position",
            )
        with self._database.transaction() as conn:
            kind = _kind_of(conn, person, uid)
            values = {"user": person.user_id, "kind": kind, "thing": uid}
            _must_have_room(conn, person, uid)
            conn.execute(_SET, {**values, "position": position_ms, "comment": comment, "now": time.time()})

    def remove(self, person: Person, uid: str) -> None:
        """Raises NotFound."""
        with self._database.transaction() as conn:
            its = (bookmarks.c.user_id == person.user_id, bookmarks.c.thing_uid == uid)
            if conn.execute(delete(bookmarks).where(*its)).rowcount == 0:
                raise NotFound("There is no bookmark in this.")


def _kind_of(conn: Connection, person: Person, uid: str) -> str:
    if track_ids_of(conn, [uid], person):
        return "track"
    if driver_cursor(conn).execute("SELECT 1 FROM episodes WHERE uid = ?", (uid,)).fetchone():
        return "episode"
    raise NotFound("There is no such track or episode here.")


def _must_have_room(conn: Connection, person: Person, uid: str) -> None:
    cursor = driver_cursor(conn)

    def count() -> int:
        (found,) = cursor.execute(
            "SELECT count(*) FROM bookmarks WHERE user_id = ? AND thing_uid <> ?", (person.user_id, uid)
        ).fetchone()
        return int(found)

    if count() < MOST_OF_PERSON:
        return
    cursor.execute(
        "DELETE FROM bookmarks WHERE user_id = ? AND thing_uid NOT IN (SELECT uid FROM tracks) "
        "AND thing_uid NOT IN (SELECT uid FROM episodes)",
        (person.user_id,),
    )
    if count() >= MOST_OF_PERSON:
        raise Unprocessable(f"One person has at most {MOST_OF_PERSON:,} bookmarks: delete some first.")


def _there(conn: Connection, things: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    uids: dict[str, list[str]] = {"track": [], "episode": []}
    for kind, uid in things:
        uids.setdefault(kind, []).append(uid)
    there = {("track", uid) for uid in track_ids_of(conn, uids["track"])}
    cursor = driver_cursor(conn)
    for marks, part in chunks(uids["episode"]):
        rows = cursor.execute(f"SELECT uid FROM episodes WHERE uid IN ({marks})", part)
        there |= {("episode", row[0]) for row in rows}
    return there


def _bookmark(row: Any) -> Bookmark:
    return Bookmark(
        kind=row.kind,
        thing_id=row.thing_uid,
        position_ms=row.position_ms,
        comment=row.comment,
        created_at=shown(row.created_at),
        changed_at=shown(row.changed_at),
    )
