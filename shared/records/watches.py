"""What people have watched: artists, albums, playlists and feeds whose new tracks are queued by themselves."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy.exc import IntegrityError

from shared.database import Database, driver_cursor
from shared.model.download import Options
from shared.model.errors import BadInput, Conflict, NotFound
from shared.model.person import Person
from shared.records.moments import make_uid, shown
from shared.records.tables import watches

KINDS = ("artist", "album", "playlist", "feed")
MOST_SEEN = 50_000  # keys remembered of one watch; the latest stay
MOST_WATCHES = 500  # of one person


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """As it is shown."""

    id: str
    kind: str  # one of KINDS
    url: str
    name: str
    options: Options
    every_s: int
    most: int  # new tracks queued a check
    nightly: bool
    paused: bool
    seen: int  # how many things of it are known
    checked_at: str | None
    next_at: str
    last_error: str | None
    username: str
    created_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DueWatch:
    """As whoever checks it needs it."""

    uid: str
    user_id: int
    kind: str
    url: str
    name: str
    options: Options
    most: int
    nightly: bool
    seen: frozenset[str]
    checked_at: float | None  # None: for the first time


_SHOWN = (
    "SELECT w.uid, w.kind, w.url, w.name, w.options, w.every_s, w.most, w.nightly, w.paused, "
    "json_array_length(w.seen), w.checked_at, w.next_at, w.last_error, u.username, w.created_at "
    "FROM watches w JOIN users u ON u.id = w.user_id"
)
# As model.person.Person.adds says of whoever is here with a password.
_MAY_ADD = "user_id IN (SELECT id FROM users WHERE role = 'owner' OR coalesce(may_add, role = 'adult'))"
_DUE = "SELECT uid, user_id, kind, url, name, options, most, nightly, seen, checked_at FROM watches"
_decode_options = msgspec.json.Decoder(Options).decode


class Watches:
    """Everybody's; a person sees and changes their own, an owner all."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    def add(
        self,
        user_id: int,
        *,
        kind: str,
        url: str,
        name: str,
        options: Options | None = None,
        every_s: int = 86_400,
        most: int = 50,
        nightly: bool = False,
        seen: Iterable[str] = (),
        next_at: float | None = None,
    ) -> Watch:
        """Watch a link. `seen`: keys of what is there already and not wanted; `next_at`: the first check (now).

        Raises Conflict when this person watches it already or watches too much, BadInput.
        """
        if kind not in KINDS:
            raise BadInput(f"A watch is of an {', '.join(KINDS)}.", field="kind")
        uid, now = make_uid(), time.time()
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            if cursor.execute("SELECT 1 FROM watches WHERE user_id = ? AND url = ?", (user_id, url)).fetchone():
                raise Conflict("This is watched already.", field="url")
            count = cursor.execute("SELECT count(*) FROM watches WHERE user_id = ?", (user_id,)).fetchone()[0]
            if count >= MOST_WATCHES:
                raise Conflict(f"One person watches at most {MOST_WATCHES} things; remove one first.")
            try:
                conn.execute(
                    watches.insert().values(
                        uid=uid, user_id=user_id, kind=kind, url=url, name=name,
                        options=_text(options or Options()), every_s=every_s, most=most, nightly=int(nightly),
                        seen=_keys(seen), next_at=now if next_at is None else next_at, created_at=now,
                    )
                )  # fmt: skip
            except IntegrityError as error:
                raise NotFound("There is no such user.") from error
            return _watch(cursor.execute(f"{_SHOWN} WHERE w.uid = ?", (uid,)).fetchone())

    def list(self, person: Person) -> list[Watch]:
        """By name."""
        mine, values = _mine(person)
        with self._database.read() as conn:
            rows = driver_cursor(conn).execute(f"{_SHOWN} WHERE 1{mine} ORDER BY lower(w.name), w.id", values)
            return [_watch(row) for row in rows]

    def get(self, person: Person, uid: str) -> Watch:
        """Raises NotFound."""
        mine, values = _mine(person)
        with self._database.read() as conn:
            row = driver_cursor(conn).execute(f"{_SHOWN} WHERE w.uid = ?{mine}", (uid, *values)).fetchone()
        if row is None:
            raise _not_there()
        return _watch(row)

    def change(
        self,
        person: Person,
        uid: str,
        *,
        name: str | None = None,
        options: Options | None = None,
        every_s: int | None = None,
        most: int | None = None,
        nightly: bool | None = None,
        paused: bool | None = None,
    ) -> Watch:
        """Change what is given; a new `every_s` counts from the last check. Raises NotFound."""
        given = {
            "name": name,
            "options": None if options is None else _text(options),
            "every_s": every_s,
            "most": most,
            "nightly": None if nightly is None else int(nightly),
            "paused": None if paused is None else int(paused),
        }
        changes: dict[str, Any] = {column: value for column, value in given.items() if value is not None}
        mine, values = _mine(person)
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            if not cursor.execute(f"SELECT 1 FROM watches w WHERE w.uid = ?{mine}", (uid, *values)).fetchone():
                raise _not_there()
            for column, value in changes.items():
                cursor.execute(f"UPDATE watches SET {column} = ? WHERE uid = ?", (value, uid))
            if every_s is not None:
                cursor.execute(
                    "UPDATE watches SET next_at = checked_at + every_s WHERE uid = ? AND checked_at IS NOT NULL", (uid,)
                )
            return _watch(cursor.execute(f"{_SHOWN} WHERE w.uid = ?", (uid,)).fetchone())

    def remove(self, person: Person, uid: str) -> None:
        """Raises NotFound."""
        mine, values = _mine(person)
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            cursor.execute(
                f"DELETE FROM watches WHERE id IN (SELECT w.id FROM watches w WHERE w.uid = ?{mine})", (uid, *values)
            )
            if not cursor.rowcount:
                raise _not_there()

    def due(self, now: float) -> list[DueWatch]:  # type: ignore[valid-type]
        """Those whose time has come and that are not paused, the longest overdue first; of people who may add music."""
        with self._database.read() as conn:
            rows = driver_cursor(conn).execute(
                f"{_DUE} WHERE paused = 0 AND next_at <= ? AND {_MAY_ADD} ORDER BY next_at", (now,)
            )
            return [_due(row) for row in rows]

    def next_at(self) -> float | None:
        """When the next one is due (Unix seconds); None when nothing is watched."""
        with self._database.read() as conn:
            asked = f"SELECT min(next_at) FROM watches WHERE paused = 0 AND {_MAY_ADD}"
            row = driver_cursor(conn).execute(asked).fetchone()
        return None if row[0] is None else float(row[0])

    def one(self, uid: str) -> DueWatch:
        """One, due or not, for a check that was asked for. Raises NotFound."""
        with self._database.read() as conn:
            row = driver_cursor(conn).execute(f"{_DUE} WHERE uid = ?", (uid,)).fetchone()
        if row is None:
            raise _not_there()
        return _due(row)

    def mark_checked(
        self, uid: str, seen: Iterable[str] = (), error: str | None = None, *, now: float | None = None
    ) -> None:
        """It was looked at: `seen` is known from now on, too; `error` says why it could not be. The next check is
        `every_s` later (after an error: an hour later at most). A watch that is gone meanwhile is no matter."""
        at = time.time() if now is None else now
        with self._database.transaction(durable=False) as conn:
            cursor = driver_cursor(conn)
            row = cursor.execute("SELECT seen FROM watches WHERE uid = ?", (uid,)).fetchone()
            if row is None:
                return
            known = _keys([*msgspec.json.decode(row[0]), *seen])
            cursor.execute(
                "UPDATE watches SET seen = ?, checked_at = ?, last_error = ?, next_at = ? + "
                "CASE WHEN ? IS NULL THEN every_s ELSE min(every_s, 3600) END WHERE uid = ?",
                (known, at, error, at, error, uid),
            )


def _mine(person: Person) -> tuple[str, tuple[Any, ...]]:
    return ("", ()) if person.owns else (" AND w.user_id = ?", (person.user_id,))


def _text(options: Options) -> str:
    return msgspec.json.encode(options).decode()


def _keys(keys: Iterable[str]) -> str:
    """JSON of the latest keys, each once."""
    return msgspec.json.encode(list(dict.fromkeys(keys))[-MOST_SEEN:]).decode()


def _not_there() -> NotFound:
    return NotFound("There is no such watch.")


def _watch(row: Any) -> Watch:
    return Watch(
        id=row[0], kind=row[1], url=row[2], name=row[3], options=_decode_options(row[4]), every_s=row[5], most=row[6],
        nightly=bool(row[7]), paused=bool(row[8]), seen=row[9], checked_at=None if row[10] is None else shown(row[10]),
        next_at=shown(row[11]), last_error=row[12], username=row[13], created_at=shown(row[14]),
    )  # fmt: skip


def _due(row: Any) -> DueWatch:
    return DueWatch(
        uid=row[0], user_id=row[1], kind=row[2], url=row[3], name=row[4], options=_decode_options(row[5]), most=row[6],
        nightly=bool(row[7]), seen=frozenset(msgspec.json.decode(row[8])), checked_at=row[9],
    )  # fmt: skip
