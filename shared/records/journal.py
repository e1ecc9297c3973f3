"""Steps of maintenance as they are written down, so that they can be taken back: each with its entries."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from shared.database import Database, driver_cursor
from shared.model.errors import Conflict, NotFound
from shared.records.moments import make_uid

_PAGE = 500  # entries read at a time
STATES = ("open", "done", "undoing", "undone")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepInfo:
    """One step, as it stands. Times are Unix seconds."""

    id: str
    command: str  # "cleanup", "fix-library-covers" …
    summary: str  # what it did, for people
    state: str  # open: under way, or cut off; done; undoing: being taken back, or cut off in that; undone
    created_at: float
    undone_at: float | None
    entries: int  # deeds that were written down
    done: int  # of them, those known to have happened


@dataclass(frozen=True, slots=True)
class Entry:
    """One deed, written down before it was done: it may have happened even when `done` is False."""

    number: int
    content: dict[str, Any]
    done: bool


_INFO = (
    "SELECT j.uid, j.command, j.summary, j.state, j.created_at, j.undone_at, "
    "(SELECT count(*) FROM journal_entries e WHERE e.journal_id = j.id), "
    "(SELECT count(*) FROM journal_entries e WHERE e.journal_id = j.id AND e.done) FROM journal j"
)
_ID = "(SELECT id FROM journal WHERE uid = ?)"


class JournalRecords:
    """The steps of every command. What is noted outlives a power cut; what is ticked off need not."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    def begin(self, command: str, summary: str) -> str:
        """A new step, open; its id."""
        uid = make_uid()
        with self._database.transaction() as conn:
            driver_cursor(conn).execute(
                "INSERT INTO journal (uid, command, summary, state, created_at) VALUES (?, ?, ?, 'open', ?)",
                (uid, command, summary, time.time()),
            )
        return uid

    def note(self, uid: str, contents: Sequence[dict[str, Any]]) -> list[int]:
        """Write deeds down, in one transaction that is on the disk when this returns. Their numbers, in order.

        Raises NotFound when the step was forgotten.
        """
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            journal_id = _id(cursor, uid)
            numbers = []
            for content in contents:
                cursor.execute(
                    "INSERT INTO journal_entries (journal_id, content) VALUES (?, ?)",
                    (journal_id, msgspec.json.encode(content).decode()),
                )
                numbers.append(int(cursor.lastrowid or 0))
            return numbers

    def did(self, numbers: Sequence[int]) -> None:
        """These deeds have happened. Does not wait for the disk: without it a deed is only looked at when undone."""
        with self._database.transaction(durable=False) as conn:
            driver_cursor(conn).executemany(
                "UPDATE journal_entries SET done = 1 WHERE id = ?", [(number,) for number in numbers]
            )

    def drop(self, numbers: Sequence[int]) -> None:
        """These deeds did not happen, and will not."""
        with self._database.transaction(durable=False) as conn:
            driver_cursor(conn).executemany("DELETE FROM journal_entries WHERE id = ?", [(one,) for one in numbers])

    def set_state(self, uid: str, state: str, *, summary: str | None = None, expected: Sequence[str] = STATES) -> None:
        """Move a step on. Raises NotFound, and Conflict when it is in none of the `expected` states."""
        if state not in STATES:
            raise ValueError(f"{state!r} is no state of a step")
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            _id(cursor, uid)
            (now,) = cursor.execute("SELECT state FROM journal WHERE uid = ?", (uid,)).fetchone()
            if now not in expected:
                raise Conflict(f"This step is {now} already." if now == state else f"This step is {now}.")
            cursor.execute(
                "UPDATE journal SET state = ?, summary = coalesce(?, summary), undone_at = ? WHERE uid = ?",
                (state, summary, time.time() if state == "undone" else None, uid),
            )

    def forget(self, uid: str) -> None:
        """A step and its entries leave for good; fine when it is not there."""
        with self._database.transaction(durable=False) as conn:
            cursor = driver_cursor(conn)
            cursor.execute(f"DELETE FROM journal_entries WHERE journal_id = {_ID}", (uid,))
            cursor.execute("DELETE FROM journal WHERE uid = ?", (uid,))

    def get(self, uid: str) -> StepInfo:
        """Raises NotFound."""
        with self._database.read() as conn:
            row = driver_cursor(conn).execute(f"{_INFO} WHERE j.uid = ?", (uid,)).fetchone()
        if row is None:
            raise _no_such_step()
        return _info(row)

    def list(
        self, *, command: str | None = None, states: Sequence[str] = STATES, limit: int = 100
    ) -> list[StepInfo]:
        """Newest first."""
        marks = ", ".join("?" * len(states))
        with self._database.read() as conn:
            rows = driver_cursor(conn).execute(
                f"{_INFO} WHERE (? IS NULL OR j.command = ?) AND j.state IN ({marks}) ORDER BY j.id DESC LIMIT ?",
                (command, command, *states, limit),
            )
            return [_info(row) for row in rows]

    def entries(self, uid: str) -> Iterator[Entry]:
        """What a step wrote down, newest first; read page by page, so that the reader may write meanwhile."""
        before = 1 << 62
        while True:
            with self._database.read() as conn:
                page = (
                    driver_cursor(conn)
                    .execute(
                        f"SELECT id, content, done FROM journal_entries WHERE journal_id = {_ID} AND id < ? "
                        "ORDER BY id DESC LIMIT ?",
                        (uid, before, _PAGE),
                    )
                    .fetchall()
                )
            for number, content, done in page:
                yield Entry(number, msgspec.json.decode(content), bool(done))
            if len(page) < _PAGE:
                return
            before = page[-1][0]


def _id(cursor: Any, uid: str) -> int:
    row = cursor.execute("SELECT id FROM journal WHERE uid = ?", (uid,)).fetchone()
    if row is None:
        raise _no_such_step()
    return int(row[0])


def _no_such_step() -> NotFound:
    return NotFound("There is no such step in the journal.")


def _info(row: Any) -> StepInfo:
    return StepInfo(
        id=row[0], command=row[1], summary=row[2], state=row[3], created_at=row[4], undone_at=row[5], entries=row[6],
        done=row[7],
    )  # fmt: skip
