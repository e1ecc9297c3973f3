"""The station's long work as it is written down: the row first, then a child process that does it.

What runs when the station ends is waiting again at its next start: every piece of this work can be cut off anywhere and
be run again.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import msgspec
from sqlalchemy import and_

from shared.database import Database, driver_cursor
from shared.model.errand import KINDS, OVER, STATES, Errand, Selection, ShownSelection, Task
from shared.model.errors import BadInput, NotFound
from shared.model.person import Person
from shared.model.track import Page
from shared.model.work import Moved
from shared.records import revisions
from shared.records.moments import make_uid, shown
from shared.records.pages import Counts, Listed, Order, page_ids
from shared.records.settling import chunks
from shared.records.tables import errands

MOST_SHOWN_IDS = 20  # of a selection
_NEWEST_FIRST = Order((errands.c.created_at,))
_SHOWN = (
    "SELECT e.uid, e.kind, e.state, e.arguments, e.progress, e.report, e.message, e.attempt, u.username, e.not_before, "
    "e.created_at, e.started_at, e.finished_at, e.id FROM errands e LEFT JOIN users u ON u.id = e.user_id"
)
_OVER = ", ".join(f"'{one}'" for one in sorted(OVER))


class _Arguments(msgspec.Struct, omit_defaults=True):
    """The row's JSON."""

    selection: Selection = Selection()
    title: str | None = None


_encode = msgspec.json.Encoder().encode
_arguments = msgspec.json.Decoder(_Arguments).decode
_moved = msgspec.json.Decoder(Moved).decode
_report = msgspec.json.Decoder(dict[str, Any]).decode


class Errands:
    """Safe to use from many threads and processes."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    # ---- asking for work

    def add(
        self, kind: str, selection: Selection, user_id: int | None, *, now: float | None = None
    ) -> tuple[Errand, bool]:
        """(the errand, whether it is new): one that waits for the same thing is joined, and no longer put off.

        Raises BadInput for a kind that there is not.
        """
        if kind not in KINDS:
            raise BadInput(f"There is no errand {kind!r}, but {', '.join(KINDS)}.", field="kind")
        at = time.time() if now is None else now
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            arguments = _encode(_Arguments(selection, _title(cursor, selection))).decode()
            row = cursor.execute(
                "SELECT uid FROM errands WHERE state = 'waiting' AND kind = ? AND arguments = ?", (kind, arguments)
            ).fetchone()
            if row is not None:
                cursor.execute("UPDATE errands SET not_before = NULL, message = NULL WHERE uid = ?", row)
                return _one(cursor, row[0]), False
            uid = make_uid()
            cursor.execute(
                "INSERT INTO errands (uid, user_id, kind, arguments, state, created_at) "
                "VALUES (?, ?, ?, ?, 'waiting', ?)",
                (uid, user_id, kind, arguments, at),
            )
            return _one(cursor, uid), True

    def gather(
        self, kind: str, selection: Selection, most: int, *, now: float | None = None
    ) -> tuple[Errand, bool]:
        """The same for the station itself, which asks again and again: tracks join an errand of its own that waits for
        others on the same storage, as long as that then has no more than `most`."""
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            rows = cursor.execute(
                "SELECT uid, arguments FROM errands WHERE state = 'waiting' AND kind = ? AND user_id IS NULL "
                "ORDER BY created_at", (kind,)
            ).fetchall()  # fmt: skip
            for uid, text in rows:
                waiting = _arguments(text).selection
                if waiting.provider != selection.provider or waiting.everything or waiting.album_ids:
                    continue
                ids = tuple(dict.fromkeys((*waiting.track_ids, *selection.track_ids)))
                if len(ids) <= most:
                    merged = replace(waiting, track_ids=ids)
                    arguments = _encode(_Arguments(merged, _title(cursor, merged))).decode()
                    cursor.execute("UPDATE errands SET arguments = ? WHERE uid = ?", (arguments, uid))
                    return _one(cursor, uid), False
        return self.add(kind, selection, None, now=now)

    def strange(self, selection: Selection) -> tuple[str, str] | None:
        """The first album or track of it that there is not: (album or track, its id)."""
        with self._database.read() as conn:
            cursor = driver_cursor(conn)
            for kind, uids in (("album", selection.album_ids), ("track", selection.track_ids)):
                known: set[str] = set()
                for marks, part in chunks(uids):
                    known.update(
                        row[0] for row in cursor.execute(f"SELECT uid FROM {kind}s WHERE uid IN ({marks})", part)
                    )
                for uid in uids:
                    if uid not in known:
                        return kind, uid
        return None

    # ---- looking

    def get(self, uid: str) -> Errand:
        """Raises NotFound."""
        with self._database.read() as conn:
            return _one(driver_cursor(conn), uid)

    def task(self, uid: str) -> Task:
        """The same with all that it is about. Raises NotFound."""
        with self._database.read() as conn:
            row = driver_cursor(conn).execute(
                "SELECT uid, kind, attempt, user_id, arguments FROM errands WHERE uid = ?", (uid,)
            ).fetchone()
        if row is None:
            raise _not_there()
        return _task(row)

    def page(
        self, person: Person, *, states: Sequence[str] = (), limit: int = 100, cursor: str | None = None
    ) -> Page[Errand]:
        """The newest first; all, or those in `states`. Raises BadInput."""
        strange = [one for one in states if one not in STATES]
        if strange:
            raise BadInput(f"There is no state {strange[0]!r}, but {', '.join(STATES)}.", field="state")
        where = [errands.c.state.in_(sorted(set(states)))] if states else []
        with self._database.read() as conn:
            revision = revisions.current(conn)
            scope = tuple(sorted(set(states)))
            listed = Listed("errands", errands.c.id, (and_(True, *where),), person.user_id, scope, revision)
            found, following = page_ids(
                conn, listed, sort=_NEWEST_FIRST, name="created", descending=True, limit=limit, cursor=cursor,
                offset=None, seed=None,
            )  # fmt: skip
            marks = ", ".join("?" * len(found))
            rows = driver_cursor(conn).execute(f"{_SHOWN} WHERE e.id IN ({marks})", found)
            by_id = {row[13]: _errand(row) for row in rows}
            total = Counts().total(conn, listed)
        return Page(items=[by_id[one] for one in found], next_cursor=following, total=total, revision=revision)

    def active(self, limit: int = 100) -> list[Errand]:
        """What runs, then what waits, in the order of its turn."""
        with self._database.read() as conn:
            rows = driver_cursor(conn).execute(
                f"{_SHOWN} WHERE e.state IN ('running', 'waiting') "
                "ORDER BY e.state = 'waiting', coalesce(e.not_before, 0), e.created_at, e.id LIMIT ?", (limit,)
            )  # fmt: skip
            return [_errand(row) for row in rows]

    def recent(self, since: float) -> list[Errand]:
        """What was over after `since` (Unix seconds), the newest first."""
        with self._database.read() as conn:
            rows = driver_cursor(conn).execute(
                f"{_SHOWN} WHERE e.state IN ({_OVER}) AND e.finished_at >= ? ORDER BY e.finished_at DESC LIMIT 100",
                (since,),
            )
            return [_errand(row) for row in rows]

    def last(self, kind: str, *, states: Iterable[str] = ("done",)) -> Errand | None:
        """The one of that kind that was over last, in one of `states`."""
        wanted = list(states)
        marks = ", ".join("?" * len(wanted))
        with self._database.read() as conn:
            row = driver_cursor(conn).execute(
                f"{_SHOWN} WHERE e.kind = ? AND e.state IN ({marks}) ORDER BY e.finished_at DESC LIMIT 1",
                (kind, *wanted),
            ).fetchone()
        return None if row is None else _errand(row)

    # ---- doing it

    def take(self, now: float) -> Task | None:
        """The next one whose time has come, now running; None when there is none."""
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            row = cursor.execute(
                "SELECT uid, kind, attempt, user_id, arguments FROM errands "
                "WHERE state = 'waiting' AND (not_before IS NULL OR not_before <= ?) ORDER BY created_at, id LIMIT 1",
                (now,),
            ).fetchone()
            if row is None:
                return None
            cursor.execute(
                "UPDATE errands SET state = 'running', started_at = ?, not_before = NULL, message = NULL, "
                "progress = NULL, report = NULL WHERE uid = ?",
                (now, row[0]),
            )
            return _task(row)

    def next_at(self) -> float | None:
        """When the next one may begin (Unix seconds); 0 is now, None is never."""
        with self._database.read() as conn:
            row = driver_cursor(conn).execute(
                "SELECT min(coalesce(not_before, 0)) FROM errands WHERE state = 'waiting'"
            ).fetchone()
        return None if row[0] is None else float(row[0])

    def moved(self, uid: str, progress: Moved) -> None:
        """How far it is, for other processes and for after a restart. Survives no power cut."""
        with self._database.transaction(durable=False) as conn:
            driver_cursor(conn).execute(
                "UPDATE errands SET progress = ? WHERE uid = ? AND state = 'running'",
                (_encode(progress).decode(), uid),
            )

    def end(
        self,
        uid: str,
        state: str,
        *,
        progress: Moved | None = None,
        report: dict[str, Any] | None = None,
        message: str | None = None,
        now: float | None = None,
    ) -> Errand:
        """It is over. One that was cancelled meanwhile stays so, with the report of what was done. Raises NotFound."""
        at = time.time() if now is None else now
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            cursor.execute(
                "UPDATE errands SET state = CASE state WHEN 'cancelled' THEN state ELSE ? END, "
                "message = CASE state WHEN 'cancelled' THEN message ELSE ? END, "
                "attempt = attempt + (state = 'running' AND ? = 'failed'), "
                "finished_at = ?, progress = coalesce(?, progress), report = ? WHERE uid = ?",
                (
                    state, message, state, at, None if progress is None else _encode(progress).decode(),
                    None if report is None else _encode(report).decode(), uid,
                ),
            )  # fmt: skip
            return _one(cursor, uid)

    def put_off(
        self, uid: str, *, message: str | None = None, not_before: float | None = None, failed: bool = False
    ) -> Errand:
        """What ran waits again: until `not_before` when it failed, else for its next turn. Raises NotFound."""
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            cursor.execute(
                "UPDATE errands SET state = 'waiting', message = ?, not_before = ?, progress = NULL, "
                "attempt = attempt + ? WHERE uid = ? AND state = 'running'",
                (message, not_before, int(failed), uid),
            )
            return _one(cursor, uid)

    def cancel(self, uid: str, *, now: float | None = None) -> tuple[Errand, str]:
        """(the errand, its state before). What is over stays as it is. Raises NotFound."""
        at = time.time() if now is None else now
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            before = _one(cursor, uid).state
            cursor.execute(
                "UPDATE errands SET state = 'cancelled', finished_at = ?, not_before = NULL, message = NULL "
                "WHERE uid = ? AND state IN ('waiting', 'running')",
                (at, uid),
            )
            return _one(cursor, uid), before

    def recover(self) -> int:
        """After a start: what ran when the last station ended waits again. How many."""
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            cursor.execute("UPDATE errands SET state = 'waiting', progress = NULL WHERE state = 'running'")
            return int(cursor.rowcount)

    def prune(self, keep: int = 200) -> int:
        """Forget what is over, but the latest `keep`, and the latest of each kind. How many."""
        with self._database.transaction(durable=False) as conn:
            cursor = driver_cursor(conn)
            cursor.execute(
                f"DELETE FROM errands WHERE state IN ({_OVER}) "
                f"AND id NOT IN (SELECT id FROM errands WHERE state IN ({_OVER}) ORDER BY finished_at DESC LIMIT ?) "
                "AND id NOT IN (SELECT id FROM (SELECT id, max(finished_at) FROM errands WHERE state = 'done' "
                "GROUP BY kind))",
                (keep,),
            )
            return int(cursor.rowcount)


def _title(cursor: Any, selection: Selection) -> str | None:
    """Of the one album or track that is meant."""
    if selection.everything or len(selection.album_ids) + len(selection.track_ids) != 1:
        return None
    table, uids = ("albums", selection.album_ids) if selection.album_ids else ("tracks", selection.track_ids)
    row = cursor.execute(f"SELECT title FROM {table} WHERE uid = ?", uids).fetchone()
    return None if row is None else str(row[0])


def _one(cursor: Any, uid: str) -> Errand:
    row = cursor.execute(f"{_SHOWN} WHERE e.uid = ?", (uid,)).fetchone()
    if row is None:
        raise _not_there()
    return _errand(row)


def _not_there() -> NotFound:
    return NotFound("There is no such errand.")


def _task(row: Any) -> Task:
    return Task(id=row[0], kind=row[1], attempt=row[2], user_id=row[3], selection=_arguments(row[4]).selection)


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else shown(seconds)


def _errand(row: Any) -> Errand:
    arguments = _arguments(row[3])
    meant = arguments.selection
    return Errand(
        id=row[0], kind=row[1], state=row[2], title=arguments.title,
        selection=ShownSelection(
            provider=meant.provider, everything=meant.everything,
            album_ids=list(meant.album_ids[:MOST_SHOWN_IDS]), album_count=len(meant.album_ids),
            track_ids=list(meant.track_ids[:MOST_SHOWN_IDS]), track_count=len(meant.track_ids),
        ),
        progress=None if row[4] is None else _moved(row[4]), report=None if row[5] is None else _report(row[5]),
        message=row[6], attempt=row[7], username=row[8], not_before=_moment(row[9]), created_at=shown(row[10]),
        started_at=_moment(row[11]), finished_at=_moment(row[12]),
    )  # fmt: skip
