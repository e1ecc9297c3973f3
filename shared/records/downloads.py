"""Downloads as they are written down: what was asked for, every move with its reason, and the candidates.

A row is written before anything remote happens. `move` is the one way from status to status: it looks the move up in
the one table of legal moves, and writes the row and its history together. Who sees which download is decided here: a
person their own, an owner all. The speed of a running fetch is kept in memory only.
"""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from sqlalchemy import ColumnElement, and_

from shared.database import Database, driver_cursor
from shared.model.download import (
    ACTIVE,
    NIGHT_NOTE,
    ON_THE_WAY,
    OVER,
    Candidate,
    Download,
    DownloadWhole,
    Failure,
    HistoryRow,
    Options,
    Progress,
    Request,
    ShownCandidate,
    ShownFailure,
    ShownProgress,
    Status,
    Wanted,
    check_move,
)
from shared.model.errors import BadInput, Conflict, NotFound
from shared.model.person import Person
from shared.model.track import Page
from shared.records import revisions
from shared.records.moments import make_uids, shown
from shared.records.pages import Counts, Listed, Order, page_ids
from shared.records.settling import chunks
from shared.records.tables import downloads
from shared.records.tracks import track_ids_of

MOST_ACTIVE = 1_000  # shown at once as under way
UNSEEN = "It lies in a folder that you do not see; whoever looks after this station can show it to you."
_NEWEST_FIRST = Order((downloads.c.created_at,))
_NEXT_FIRST = Order((-downloads.c.priority, downloads.c.created_at))  # as the queue runs them
_RESTING = frozenset({Status.WAITING.value, Status.PAUSED.value})


class IdempotencyConflict(Conflict):
    """The key was used before, for something else."""

    code = "idempotency_conflict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A download as whoever works on it needs it."""

    uid: str
    user_id: int | None  # None: who asked is no more
    status: Status
    stage: str | None
    request: Request
    wanted: Wanted | None  # once it is understood, or from the start
    attempt: int
    priority: int
    not_before: float | None  # Unix seconds
    nightly: bool
    created_at: float
    started_at: float | None
    parcel: dict[str, Any] | None  # what the pipeline has worked out so far
    parent: str | None  # uid of the download whose link led to this one too
    group: str | None
    candidate: str | None  # the one that is fetched, or was
    bytes: int
    total_bytes: int | None
    note: str | None
    warnings: list[str]
    stage_ms: dict[str, int]
    track_uid: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRow:
    """A download that is over, for reports."""

    id: str
    status: str
    title: str | None
    artist: str | None
    album: str | None
    url: str | None
    query: str | None
    source: str | None
    quality: str
    quality_got: str | None
    bytes: int
    attempt: int
    error_code: str | None
    error_message: str | None
    track_id: str | None
    duplicate_of: str | None
    username: str | None
    created_at: str
    finished_at: str
    duration_ms: int  # from its first start (or from being asked for) to its end
    stage_ms: dict[str, int]

_Told = TypeVar("_Told", Download, DownloadWhole, ReportRow)


# ---- what a caller may write besides a status: field → how its value stands in the row


def _same(value: Any) -> Any:
    return value


def _flag(value: Any) -> int:
    return int(bool(value))


def _text(value: Any) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()


_PLAIN = (
    "stage", "title", "artist", "album", "cover_url", "source", "attempt", "priority", "not_before", "note",
    "track_uid", "duplicate_of", "quality_got", "sha256", "total_bytes", "bytes", "started_at",
)  # fmt: skip
_FIELDS: dict[str, Any] = {
    **dict.fromkeys(_PLAIN, _same),
    "nightly": _flag,
    "warnings": _text,
    "stage_ms": _text,
    "parcel": _text,
}

_COLUMNS = (
    "d.uid, d.status, d.stage, d.title, d.artist, d.album, d.cover_url, d.url, d.query, d.source, d.quality, "
    "d.options, d.priority, d.bytes, d.total_bytes, d.attempt, d.error_code, d.error_message, d.error_retryable, "
    "d.note, d.track_uid, d.duplicate_of, d.quality_got, d.warnings, d.group_uid, u.username, d.not_before, "
    "d.created_at, d.updated_at, d.finished_at, d.id, d.user_id, d.candidate_id, d.stage_ms"
)
_SHOWN = f"SELECT {_COLUMNS} FROM downloads d LEFT JOIN users u ON u.id = d.user_id"
_ADD = (
    "INSERT INTO downloads (uid, user_id, status, priority, quality, options, url, query, replaces_track, wanted, "
    "title, artist, album, cover_url, source, group_uid, parent_id, idempotency_key, fingerprint, not_before, nightly, "
    "note, created_at, updated_at) "
    "VALUES (?, ?, 'waiting', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_JOB = (
    "SELECT d.uid, d.user_id, d.status, d.stage, d.url, d.query, d.replaces_track, d.wanted, d.options, d.attempt, "
    "d.priority, d.not_before, d.nightly, d.created_at, d.started_at, d.parcel, p.uid, d.group_uid, c.uid, d.bytes, "
    "d.total_bytes, d.note, d.warnings, d.stage_ms, d.track_uid, d.idempotency_key FROM downloads d "
    "LEFT JOIN downloads p ON p.id = d.parent_id LEFT JOIN download_candidates c ON c.id = d.candidate_id "
    "WHERE d.uid = ?"
)
#: Why a download goes on when nothing else is said.
_USUAL_REASONS = {
    Status.PENDING: "its turn has come",
    Status.QUEUED: "it is known who has it",
    Status.DOWNLOADING: "a place was free",
    Status.PROCESSING: "it is fetched",
    Status.COMPLETED: "it is in the library",
}
_MOVED = 'INSERT INTO download_moves (download_id, at, "from", "to", stage, reason) VALUES (?, ?, ?, ?, ?, ?)'


def _in(statuses: Iterable[Status]) -> str:
    return ", ".join(f"'{one.value}'" for one in sorted(statuses))


_decode_options = msgspec.json.Decoder(Options).decode
_decode_wanted = msgspec.json.Decoder(Wanted).decode
_decode_candidate = msgspec.json.Decoder(Candidate).decode
_decode = msgspec.json.Decoder().decode


class Downloads:
    """Every download there is or was."""

    def __init__(self, *, database: Database) -> None:
        self._database = database
        self._speeds: dict[str, float | None] = {}  # of what runs: uid → bytes per second

    # ---- asking for music

    def submit(self, user_id: int | None, request: Request, *, parent: str | None = None) -> tuple[str, bool]:
        """(the download's id, whether it is new). See `submit_many`."""
        return self.submit_many(user_id, [request], parent=parent)[0]

    def submit_many(
        self, user_id: int | None, requests: Sequence[Request], *, parent: str | None = None, group: str | None = None
    ) -> list[tuple[str, bool]]:
        """Write down what is asked for, in this order: for each its id, and whether it is new.

        Not new: its person's idempotency key was used for the same before; the same is still under way for the same
        person; or the same came from `parent`'s link before (so doing that again after a crash adds nothing).
        One transaction. Raises IdempotencyConflict when a key was used for something else, NotFound for `parent`;
        then nothing is added.
        """
        prints = [fingerprint(one) for one in requests]
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            parent_id = None if parent is None else _id_of(cursor, parent)
            by_key = _by_key(cursor, user_id, requests)
            by_print = _under_way(cursor, user_id, prints)
            if parent_id is not None:
                by_print.update(_of_parent(cursor, parent_id, prints))
            last = cursor.execute("SELECT coalesce(max(id), 0) FROM downloads").fetchone()[0]
            now, answers, rows = time.time(), [], []
            uids = iter(make_uids(len(requests)))
            for place, (request, mark) in enumerate(zip(requests, prints, strict=True)):
                key = request.idempotency_key
                if key is not None and key in by_key:
                    uid, before = by_key[key]
                    if before != mark:
                        raise IdempotencyConflict(
                            f"The idempotency key {key!r} was used before, for a different download ({uid}). "
                            "Use a new key.",
                            id=uid,
                        )
                    answers.append((uid, False))
                elif mark in by_print:
                    answers.append((by_print[mark], False))
                else:
                    uid = next(uids)
                    rows.append(_new_row(uid, user_id, request, mark, parent_id, group, now + place * 1e-6))
                    by_print[mark] = uid
                    if key is not None:
                        by_key[key] = (uid, mark)
                    answers.append((uid, True))
            cursor.executemany(_ADD, rows)
            cursor.execute(
                'INSERT INTO download_moves (download_id, at, "to", reason) '
                "SELECT id, created_at, status, ? FROM downloads WHERE id > ? ORDER BY id",
                ("asked for" if parent is None else "led to by a link", last),
            )
            return answers

    # ---- on the way

    def move(self, uid: str, *steps: tuple[Status, str | None], **fields: Any) -> None:
        """Move a download through `steps` (each a status and its reason), and write `fields` with the last of them.

        All in one transaction, a history row a step. Fields are those of `update`. Raises IllegalMove (nothing is
        written then), NotFound.
        """
        if not steps:
            raise ValueError("a move needs a step")
        now = time.time()
        durable = any(status in OVER or status is Status.PAUSED for status, _ in steps)
        with self._database.transaction(durable=durable) as conn:
            cursor = driver_cursor(conn)
            found = cursor.execute("SELECT id, status, stage FROM downloads WHERE uid = ?", (uid,)).fetchone()
            if found is None:
                raise _not_there()
            download_id, status, stage = found[0], Status(found[1]), found[2]
            for to, _ in steps:
                check_move(status, to)
                status = to
            values: dict[str, Any] = {}
            status = Status(found[1])
            for to, reason in steps:
                values |= _with_status(to, now)
                aside = to in (Status.PAUSED, Status.FAILED, Status.CANCELLED)
                at_stage = stage if aside else fields.get("stage", values.get("stage"))
                cursor.execute(
                    _MOVED, (download_id, now, status.value, to.value, at_stage, reason or _USUAL_REASONS.get(to))
                )
                status = to
            if status is Status.PENDING:
                cursor.execute(
                    "UPDATE downloads SET started_at = coalesce(started_at, ?) WHERE id = ?", (now, download_id)
                )
            values |= self._values(cursor, download_id, fields)
            _write(cursor, download_id, values, now)
        if status is not Status.DOWNLOADING:
            self._speeds.pop(uid, None)

    def move_many(self, uids: Iterable[str], step: tuple[Status, str | None], *, only: Iterable[Status]) -> list[str]:
        """Move those of `uids` that have one of the statuses `only` now, in one transaction; which they were.

        For deeds on thousands that wait. Raises IllegalMove when one of `only` may not become that.
        """
        to, reason = step
        allowed = frozenset(only)
        for status in allowed:
            check_move(status, to)
        now, moved = time.time(), []
        values = {**_with_status(to, now), "updated_at": now}
        changes = ", ".join(f"{name} = ?" for name in values)
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            found: dict[str, tuple[int, str, str | None]] = {}
            for marks, part in chunks(dict.fromkeys(uids)):
                for uid, *row in cursor.execute(
                    f"SELECT uid, id, status, stage FROM downloads WHERE uid IN ({marks})", part
                ):
                    found[uid] = (row[0], row[1], row[2])
            moves = []
            for uid in dict.fromkeys(uids):
                if uid in found and Status(found[uid][1]) in allowed:
                    download_id, before, stage = found[uid]
                    moves.append((download_id, now, before, to.value, stage, reason))
                    moved.append(uid)
            cursor.executemany(_MOVED, moves)
            cursor.executemany(
                f"UPDATE downloads SET {changes} WHERE id = ?", [(*values.values(), one[0]) for one in moves]
            )
        return moved

    def update(self, uid: str, **fields: Any) -> None:
        """Write some fields of a download without moving it; does not wait for the disk.

        stage title artist album cover_url source attempt priority not_before note track_uid duplicate_of quality_got
        sha256 bytes total_bytes nightly, as they are; `wanted` a Wanted (and what is shown of it), `options` Options,
        `error` a Failure or None, `candidate` an id or None, `warnings` a list, `stage_ms` and `parcel` dicts,
        `bytes_per_second` kept in memory, `progress` a Progress instead of those three. Raises NotFound.
        """
        with self._database.transaction(durable=False) as conn:
            cursor = driver_cursor(conn)
            download_id = _id_of(cursor, uid)
            _write(cursor, download_id, self._values(cursor, download_id, fields, uid), time.time())

    def _values(
        self, cursor: sqlite3.Cursor, download_id: int, fields: Mapping[str, Any], uid: str | None = None
    ) -> dict[str, Any]:
        """`fields` as columns. Raises TypeError for one that is none, NotFound for a candidate that is not there."""
        values: dict[str, Any] = {}
        for name, value in fields.items():
            if name in _FIELDS:
                values[name] = _FIELDS[name](value)
            elif name == "wanted":
                values["wanted"] = _wanted_text(value)
                if value is not None:
                    said = {one: getattr(value, one) for one in ("title", "artist", "album", "cover_url")}
                    values |= {one: text for one, text in said.items() if text and one not in fields}
            elif name == "options":
                values |= {"options": _compact(value), "quality": value.quality}
            elif name == "error":
                values |= _error_values(value)
            elif name == "candidate":
                values |= _candidate_values(cursor, download_id, value, "source" in fields)
            elif name == "progress":
                values |= {"bytes": value.bytes, "total_bytes": value.total_bytes}
                if uid is not None:
                    self._speeds[uid] = value.bytes_per_second
            elif name == "bytes_per_second":
                if uid is not None:
                    self._speeds[uid] = value
            else:
                raise TypeError(f"a download has no field {name!r} to write")
        return values

    def job(self, uid: str) -> Job:
        """All that is needed to work on it. Raises NotFound."""
        with self._database.read() as conn:
            row = driver_cursor(conn).execute(_JOB, (uid,)).fetchone()
        if row is None:
            raise _not_there()
        url, query, track_id = row[4], row[5], row[6]
        wanted = None if row[7] is None else _decode_wanted(row[7])
        asked = url is None and query is None and track_id is None
        return Job(
            uid=row[0], user_id=row[1], status=Status(row[2]), stage=row[3],
            request=Request(
                url=url, query=query, track_id=track_id, wanted=wanted if asked else None,
                options=_decode_options(row[8]), priority=row[10], idempotency_key=row[25], group=row[17],
                not_before=row[11], nightly=bool(row[12]),
            ),
            wanted=wanted, attempt=row[9], priority=row[10], not_before=row[11], nightly=bool(row[12]),
            created_at=row[13], started_at=row[14], parcel=None if row[15] is None else _decode(row[15]),
            parent=row[16], group=row[17], candidate=row[18], bytes=row[19], total_bytes=row[20], note=row[21],
            warnings=_decode(row[22]), stage_ms=_decode(row[23]), track_uid=row[24],
        )  # fmt: skip

    def waiting(self) -> list[tuple[str, int, float, float | None, bool]]:
        """All that waits, the first to run first: (id, priority, created_at, not_before, whether only at night)."""
        with self._database.read() as conn:
            rows = driver_cursor(conn).execute(
                "SELECT uid, priority, created_at, not_before, nightly FROM downloads WHERE status = 'waiting' "
                "ORDER BY priority DESC, created_at"
            )
            return [(uid, priority, at, not_before, bool(night)) for uid, priority, at, not_before, night in rows]

    def recover(self, reason: str) -> list[str]:
        """At the start: what was on the way when the station ended waits again. Which, the oldest first."""
        now = time.time()
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            found = cursor.execute(
                f"SELECT id, uid, status, stage FROM downloads WHERE status IN ({_in(ON_THE_WAY)}) ORDER BY created_at"
            ).fetchall()
            moves = []
            for download_id, _, status, stage in found:
                check_move(Status(status), Status.PAUSED)
                check_move(Status.PAUSED, Status.WAITING)
                moves.append((download_id, now, status, Status.PAUSED.value, stage, reason))
                moves.append((download_id, now, Status.PAUSED.value, Status.WAITING.value, None, "goes on by itself"))
            cursor.executemany(_MOVED, moves)
            cursor.executemany(
                "UPDATE downloads SET status = 'waiting', stage = NULL, updated_at = ? WHERE id = ?",
                [(now, row[0]) for row in found],
            )
            self._speeds.clear()
            return [row[1] for row in found]

    def hide(self, uid: str) -> None:
        """Take a download that is over off the list; reports still count it. Raises NotFound, Conflict."""
        now = time.time()
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            row = cursor.execute("SELECT id, status FROM downloads WHERE uid = ?", (uid,)).fetchone()
            if row is None:
                raise _not_there()
            if Status(row[1]) not in OVER:
                raise Conflict(f"This download is still {row[1]}: cancel it first.", status=row[1])
            cursor.execute("UPDATE downloads SET hidden_at = coalesce(hidden_at, ?) WHERE id = ?", (now, row[0]))

    # ---- candidates

    def candidates_write(self, uid: str, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Keep these, best first; the same with their ids. One that is known keeps its id and, unless it brings one,
        its reason for being rejected; those of before that are not among these stay only if they were rejected."""
        with self._database.transaction(durable=False) as conn:
            cursor = driver_cursor(conn)
            download_id = _id_of(cursor, uid)
            known = {
                key: (candidate_uid, rejected)
                for key, candidate_uid, rejected in cursor.execute(
                    "SELECT key, uid, rejected FROM download_candidates WHERE download_id = ?", (download_id,)
                )
            }
            kept: dict[str, Candidate] = {}
            uids = iter(make_uids(len(candidates)))
            for one in candidates:
                if one.key in kept:
                    continue
                candidate_uid, rejected = known.get(one.key, (None, None))
                kept[one.key] = replace(one, id=candidate_uid or next(uids), rejected=one.rejected or rejected)
            cursor.executemany(
                "DELETE FROM download_candidates WHERE download_id = ? AND key = ? AND rejected IS NULL AND id <> "
                "coalesce((SELECT candidate_id FROM downloads WHERE id = download_id), 0)",
                [(download_id, key) for key in known if key not in kept],
            )
            cursor.execute(
                "UPDATE download_candidates SET position = position + ? WHERE download_id = ?",
                (len(kept), download_id),
            )
            cursor.executemany(
                "INSERT INTO download_candidates (uid, download_id, position, provider, key, score, rejected, content) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (download_id, key) DO UPDATE SET "
                "position = excluded.position, score = excluded.score, rejected = excluded.rejected, "
                "content = excluded.content",
                [
                    (one.id, download_id, place, one.provider, key, one.score, one.rejected, _compact(one))
                    for place, (key, one) in enumerate(kept.items())
                ],
            )
            return list(kept.values())

    def candidates(self, uid: str) -> list[Candidate]:
        """Best first, the rejected among them. Raises NotFound."""
        with self._database.read() as conn:
            cursor = driver_cursor(conn)
            return [row[0] for row in _candidates(cursor, _id_of(cursor, uid))]

    def candidate_of(self, candidate_id: str) -> tuple[str, Candidate]:
        """(the download's id, the candidate). Raises NotFound."""
        with self._database.read() as conn:
            row = (
                driver_cursor(conn)
                .execute(
                    "SELECT d.uid, c.content, c.uid, c.score, c.rejected FROM download_candidates c "
                    "JOIN downloads d ON d.id = c.download_id WHERE c.uid = ?",
                    (candidate_id,),
                )
                .fetchone()
            )
        if row is None:
            raise NotFound("There is no such candidate.")
        return row[0], _candidate(row[1:])

    def candidate_reject(self, uid: str, candidate_id: str, reason: str) -> None:
        """It is not tried again for this download. Raises NotFound."""
        self._change_candidate(uid, candidate_id, "rejected = ?", (reason,))

    def candidate_first(self, uid: str, candidate_id: str) -> None:
        """It is the next one tried, also when it was rejected before. Raises NotFound."""
        self._change_candidate(
            uid,
            candidate_id,
            "rejected = NULL, position = (SELECT min(o.position) - 1 FROM download_candidates o "
            "WHERE o.download_id = download_candidates.download_id)",
        )

    def _change_candidate(self, uid: str, candidate_id: str, change: str, values: tuple[Any, ...] = ()) -> None:
        with self._database.transaction(durable=False) as conn:
            cursor = driver_cursor(conn)
            cursor.execute(
                f"UPDATE download_candidates SET {change} WHERE uid = ? "
                "AND download_id = (SELECT id FROM downloads WHERE uid = ?)",
                (*values, candidate_id, uid),
            )
            if not cursor.rowcount:
                raise NotFound("This download has no such candidate.")

    def blocked(self, wanted_key: str) -> set[str]:
        """The keys of what people said is not this recording (see odst.matching.wanted_key), or no good at all."""
        with self._database.read() as conn:
            rows = driver_cursor(conn).execute(
                "SELECT key FROM blocked_candidates WHERE wanted_key IN (?, '')", (wanted_key,)
            )
            return {key for (key,) in rows}

    def block(self, key: str, wanted_key: str, user_id: int | None) -> None:
        """A person says that the candidate known by `key` is not this recording."""
        with self._database.transaction() as conn:
            driver_cursor(conn).execute(
                "INSERT INTO blocked_candidates (key, wanted_key, user_id, at) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (key, wanted_key) DO NOTHING",
                (key, wanted_key, user_id, time.time()),
            )

    def unblock(self, key: str, wanted_key: str) -> None:
        with self._database.transaction() as conn:
            driver_cursor(conn).execute(
                "DELETE FROM blocked_candidates WHERE key = ? AND wanted_key = ?", (key, wanted_key)
            )

    # ---- looking

    def shown(self, person: Person, uid: str) -> Download:
        """Raises NotFound, also when it is somebody else's."""
        with self._database.read() as conn:
            found = self._download(_visible_row(driver_cursor(conn), person, uid))
        return self._seen_by(person, [found])[0]

    def as_shown(self, uid: str) -> tuple[int, Download]:
        """(who asked for it, 0 when they are no more; the download), for telling of it. Raises NotFound."""
        with self._database.read() as conn:
            row = driver_cursor(conn).execute(f"{_SHOWN} WHERE d.uid = ?", (uid,)).fetchone()
        if row is None:
            raise _not_there()
        return row[31] or 0, self._download(row)

    def whole(self, person: Person, uid: str) -> DownloadWhole:
        """With its history, candidates and the time each stage took. Raises NotFound."""
        with self._database.read() as conn:
            cursor = driver_cursor(conn)
            row = _visible_row(cursor, person, uid)
            download, download_id, chosen = self._download(row), row[30], row[32]
            history = [
                HistoryRow(at=shown(at), from_=before, to=to, reason=reason, stage=stage)
                for at, before, to, reason, stage in cursor.execute(
                    'SELECT at, "from", "to", reason, stage FROM download_moves WHERE download_id = ? ORDER BY id',
                    (download_id,),
                )
            ]
            whole = DownloadWhole(
                **{one.name: getattr(download, one.name) for one in fields(Download)},
                history=history,
                candidates=[
                    _shown_candidate(one, row_id == chosen) for one, row_id in _candidates(cursor, download_id)
                ],
                stage_ms=_decode(row[33]),
            )
        return self._seen_by(person, [whole])[0]

    def page(
        self,
        person: Person,
        *,
        status: str | Sequence[str] | None = None,
        group: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
        offset: int | None = None,
    ) -> Page[Download]:
        """A page of what `person` may see: the newest first; of what only waits or is paused, who has the next turn.

        `status`: one or several of Status. Raises BadInput.
        """
        statuses = _statuses(status)
        where: list[ColumnElement[bool]] = [downloads.c.hidden_at.is_(None)]
        if not person.owns:
            where.append(downloads.c.user_id == person.user_id)
        if statuses:
            where.append(downloads.c.status.in_(statuses))
        if group is not None:
            where.append(downloads.c.group_uid == group)
        scope = (0 if person.owns else person.user_id, statuses, group)
        with self._database.read() as conn:
            revision = revisions.current(conn)
            sort, name = (_NEXT_FIRST, "turn") if statuses and _RESTING.issuperset(statuses) else (
                _NEWEST_FIRST, "created")
            listed = Listed("downloads", downloads.c.id, (and_(*where),), person.user_id, scope, revision)
            found, following = page_ids(
                conn, listed, sort=sort, name=name, descending=sort is _NEWEST_FIRST, limit=limit, cursor=cursor,
                offset=offset, seed=None,
            )  # fmt: skip
            marks = ", ".join("?" * len(found))
            rows = driver_cursor(conn).execute(f"{_SHOWN} WHERE d.id IN ({marks})", found)
            by_id = {row[30]: self._download(row) for row in rows}
            page = Page(
                items=[by_id[one] for one in found],
                next_cursor=following,
                total=Counts().total(conn, listed),
                revision=revision,
            )
        return replace(page, items=self._seen_by(person, page.items)) if person.limited else page

    def active(self, person: Person, limit: int = MOST_ACTIVE) -> list[Download]:
        """What is under way, waits or is paused: the nearest to its end first, at most `limit`."""
        mine, values = _mine(person)
        with self._database.read() as conn:
            rows: list[Any] = []
            for statuses in ((*sorted(ON_THE_WAY),), (Status.WAITING,), (Status.PAUSED,)):
                if len(rows) < limit:
                    rows += driver_cursor(conn).execute(
                        f"{_SHOWN} WHERE d.status IN ({_in(statuses)}) AND d.hidden_at IS NULL{mine} "
                        "ORDER BY d.priority DESC, d.created_at LIMIT ?",
                        (*values, limit - len(rows)),
                    )
            active = [self._download(row) for row in rows]
        return self._seen_by(person, active)

    def recent(self, person: Person, *, since: float, limit: int = 50) -> list[Download]:
        """What was over after `since` (Unix seconds), the latest first."""
        mine, values = _mine(person)
        with self._database.read() as conn:
            rows = driver_cursor(conn).execute(
                f"{_SHOWN} WHERE d.finished_at > ? AND d.hidden_at IS NULL{mine} ORDER BY d.finished_at DESC LIMIT ?",
                (since, *values, limit),
            )
            recent = [self._download(row) for row in rows]
        return self._seen_by(person, recent)

    def ids(self, person: Person, *, statuses: Iterable[str] = (), group: str | None = None) -> list[str]:
        """The ids of all that `person` may see with one of these statuses, the oldest first: for deeds on many."""
        mine, values = _mine(person)
        wanted = _statuses(list(statuses))
        if wanted:
            mine += f" AND d.status IN ({', '.join('?' * len(wanted))})"
            values = (*values, *wanted)
        if group is not None:
            mine, values = mine + " AND d.group_uid = ?", (*values, group)
        with self._database.read() as conn:
            rows = driver_cursor(conn).execute(
                f"SELECT d.uid FROM downloads d WHERE d.hidden_at IS NULL{mine} ORDER BY d.created_at", values
            )
            return [uid for (uid,) in rows]

    def stats(self, person: Person) -> dict[str, Any]:
        """How many of each status are on the list; bytes fetched and what was over today count what is off it, too."""
        mine, values = _mine(person)
        midnight = datetime.now().replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
        counts: dict[str, Any] = {status.value: 0 for status in Status}
        with self._database.read() as conn:
            cursor = driver_cursor(conn)
            for status, count in cursor.execute(
                f"SELECT d.status, count(*) FROM downloads d WHERE d.hidden_at IS NULL{mine} GROUP BY d.status", values
            ):
                counts[status] = count
            counts["bytes"] = cursor.execute(
                f"SELECT coalesce(sum(d.bytes), 0) FROM downloads d WHERE d.status = 'completed'{mine}", values
            ).fetchone()[0]
            today = dict(
                cursor.execute(
                    f"SELECT d.status, count(*) FROM downloads d WHERE d.finished_at >= ?{mine} GROUP BY d.status",
                    (midnight, *values),
                ).fetchall()
            )
        counts["today"] = {"completed": today.get("completed", 0), "failed": today.get("failed", 0)}
        return counts

    def report(
        self, person: Person, since: float | None = None, until: float | None = None, *, limit: int = 100_000
    ) -> list[ReportRow]:
        """What was over in this span (Unix seconds), the earliest first, at most `limit`; what is off the list too."""
        mine, values = _mine(person)
        with self._database.read() as conn:
            rows = driver_cursor(conn).execute(
                "SELECT d.uid, d.status, d.title, d.artist, d.album, d.url, d.query, d.source, d.quality, "
                "d.quality_got, d.bytes, d.attempt, d.error_code, d.error_message, d.track_uid, d.duplicate_of, "
                "u.username, d.created_at, d.finished_at, coalesce(d.started_at, d.created_at), d.stage_ms "
                "FROM downloads d LEFT JOIN users u ON u.id = d.user_id "
                f"WHERE d.status IN ({_in(OVER)}) AND d.finished_at >= ? AND d.finished_at < ?{mine} "
                "ORDER BY d.finished_at LIMIT ?",
                (since or 0.0, 1e12 if until is None else until, *values, limit),
            )
            told = [
                ReportRow(
                    id=row[0], status=row[1], title=row[2], artist=row[3], album=row[4], url=row[5], query=row[6],
                    source=row[7], quality=row[8], quality_got=row[9], bytes=row[10], attempt=row[11],
                    error_code=row[12], error_message=row[13], track_id=row[14], duplicate_of=row[15],
                    username=row[16], created_at=shown(row[17]), finished_at=shown(row[18]),
                    duration_ms=max(0, round((row[18] - row[19]) * 1000)), stage_ms=_decode(row[20]),
                )
                for row in rows
            ]  # fmt: skip
        return self._seen_by(person, told)

    def _seen_by(self, person: Person, told: list[_Told]) -> list[_Told]:
        """Downloads or rows of a report, without what a limited person does not see of the library."""
        if not person.limited:
            return told
        uids = {uid for one in told for uid in (one.track_id, one.duplicate_of) if uid is not None}
        if not uids:
            return told
        with self._database.read(person) as conn:
            seen = track_ids_of(conn, sorted(uids))
        return [
            one if seen.keys() >= {one.track_id, one.duplicate_of} - {None} else unseen(one) for one in told
        ]

    def by_url(self, url: str) -> str | None:
        """The id of a track of the library that came from this link; see records.origins."""
        with self._database.read() as conn:
            return track_by_url(driver_cursor(conn), url)

    def _download(self, row: Sequence[Any]) -> Download:
        (
            uid, status, stage, title, artist, album, cover_url, url, query, source, quality, options, priority, done,
            total, attempt, error_code, error_message, retryable, note, track_uid, duplicate_of, quality_got, warnings,
            group, username, not_before, created_at, updated_at, finished_at,
        ) = row[:30]  # fmt: skip
        speed = self._speeds.get(uid) if status == Status.DOWNLOADING else None
        progress = Progress(bytes=done, total_bytes=total, bytes_per_second=speed)
        return Download(
            id=uid, status=status, stage=stage, title=title, artist=artist, album=album, cover_url=cover_url, url=url,
            query=query, source=source, quality=quality, options=_decode_options(options), priority=priority,
            progress=ShownProgress(
                bytes=done, total_bytes=total, percent=progress.percent, bytes_per_second=speed, eta_s=progress.eta_s
            ),
            attempt=attempt,
            error=None if error_code is None else ShownFailure(
                code=error_code, message=error_message or "", retryable=bool(retryable)
            ),
            note=note, track_id=track_uid, duplicate_of=duplicate_of, quality_got=quality_got,
            warnings=_decode(warnings), group=group, username=username,
            not_before=None if not_before is None else shown(not_before), created_at=shown(created_at),
            updated_at=shown(updated_at), finished_at=None if finished_at is None else shown(finished_at),
        )  # fmt: skip


# ---- what was asked for ------------------------------------------------------------------------------------------


def unseen(one: _Told) -> _Told:
    """A download as it is told to who does not see where it went, nor what was there before."""
    nothing: dict[str, Any] = {"track_id": None, "duplicate_of": None}
    if isinstance(one, Download) and (one.note is not None or one.status == Status.COMPLETED):
        nothing["note"] = UNSEEN
        if isinstance(one, DownloadWhole):
            nothing["history"] = [
                replace(row, reason=UNSEEN) if row.reason is not None and row.reason == one.note else row
                for row in one.history
            ]
    return replace(one, **nothing)


def fingerprint(request: Request) -> str:
    """What tells a request from others: what is wanted and how, not when, how soon or with what else."""
    wanted: Any = request.wanted
    if wanted is not None:
        if wanted.source_id:
            wanted = (wanted.source, wanted.source_id, wanted.title, wanted.artist, wanted.isrc, wanted.fetch_url)
        else:
            wanted = _said(replace(wanted, cover_url=None, lyrics=None, genres=()))
    what = (request.url, request.query, request.track_id, wanted, _said(request.options))
    return hashlib.blake2s(msgspec.json.encode(what), digest_size=16).hexdigest()


def _said(thing: Any) -> dict[str, Any]:
    """A dataclass's fields that hold something; the rest come back by their defaults."""
    return {
        name: value
        for name, value in ((one, getattr(thing, one)) for one in _names(type(thing)))
        if value is not None and value != () and value != {}
    }


_NAMES: dict[type, tuple[str, ...]] = {}


def _names(kind: type) -> tuple[str, ...]:
    if kind not in _NAMES:
        _NAMES[kind] = tuple(one.name for one in fields(kind))
    return _NAMES[kind]


def _compact(thing: Any) -> str:
    return msgspec.json.encode(_said(thing)).decode()


def _wanted_text(wanted: Wanted | None) -> str | None:
    return None if wanted is None else _compact(wanted)


def _new_row(
    uid: str, user_id: int | None, request: Request, mark: str, parent_id: int | None, group: str | None, at: float
) -> tuple[Any, ...]:
    wanted = request.wanted
    return (
        uid, user_id, request.priority, request.options.quality, _compact(request.options), request.url, request.query,
        request.track_id, _wanted_text(wanted), wanted and wanted.title, wanted and wanted.artist,
        wanted and wanted.album, wanted and wanted.cover_url,
        wanted.source if wanted is not None and wanted.source != "words" else None,
        group or request.group, parent_id, request.idempotency_key, mark, request.not_before, int(request.nightly),
        NIGHT_NOTE if request.nightly else None, at, at,
    )  # fmt: skip


def _by_key(cursor: sqlite3.Cursor, user_id: int | None, requests: Sequence[Request]) -> dict[str, tuple[str, str]]:
    keys = {one.idempotency_key for one in requests if one.idempotency_key is not None}
    return {
        key: (uid, mark)
        for marks, part in chunks(keys)
        for key, uid, mark in cursor.execute(
            "SELECT idempotency_key, uid, fingerprint FROM downloads "
            f"WHERE user_id IS ? AND idempotency_key IN ({marks})",
            (user_id, *part),
        )
    }


def _under_way(cursor: sqlite3.Cursor, user_id: int | None, prints: Iterable[str]) -> dict[str, str]:
    return {
        mark: uid
        for marks, part in chunks(set(prints))
        for mark, uid in cursor.execute(
            f"SELECT fingerprint, uid FROM downloads WHERE fingerprint IN ({marks}) AND user_id IS ? "
            f"AND status IN ({_in(ACTIVE)})",
            (*part, user_id),
        )
    }


def _of_parent(cursor: sqlite3.Cursor, parent_id: int, prints: Iterable[str]) -> dict[str, str]:
    return {
        mark: uid
        for marks, part in chunks(set(prints))
        for mark, uid in cursor.execute(
            f"SELECT fingerprint, uid FROM downloads WHERE parent_id = ? AND fingerprint IN ({marks})",
            (parent_id, *part),
        )
    }


# ---- rows --------------------------------------------------------------------------------------------------------


def _with_status(to: Status, now: float) -> dict[str, Any]:
    """What follows from a status, unless the mover says otherwise."""
    values: dict[str, Any] = {"status": to.value, "finished_at": now if to in OVER else None}
    if to in (Status.WAITING, Status.QUEUED, Status.COMPLETED):
        values["stage"] = None
    if to is Status.PENDING:
        values |= {"stage": "understand", "not_before": None, "note": None, **_error_values(None)}
    if to is Status.DOWNLOADING:
        values["stage"] = "fetch"
    if to is Status.PROCESSING:
        values["stage"] = "inspect"
    if to is Status.COMPLETED:
        values |= _error_values(None)
    if to in (Status.COMPLETED, Status.CANCELLED):
        values |= {"parcel": None, "not_before": None}
    if to in (Status.PAUSED, Status.CANCELLED):
        values["note"] = None
    return values


def _write(cursor: sqlite3.Cursor, download_id: int, values: dict[str, Any], now: float) -> None:
    values["updated_at"] = now
    changes = ", ".join(f"{name} = ?" for name in values)
    cursor.execute(f"UPDATE downloads SET {changes} WHERE id = ?", (*values.values(), download_id))


def _error_values(error: Failure | None) -> dict[str, Any]:
    if error is None:
        return {"error_code": None, "error_message": None, "error_retryable": None}
    return {"error_code": error.code, "error_message": error.message, "error_retryable": int(error.retryable)}


def _candidate_values(
    cursor: sqlite3.Cursor, download_id: int, candidate: str | None, source_given: bool
) -> dict[str, Any]:
    if candidate is None:
        return {"candidate_id": None}
    row = cursor.execute(
        "SELECT id, provider FROM download_candidates WHERE uid = ? AND download_id = ?", (candidate, download_id)
    ).fetchone()
    if row is None:
        raise NotFound("This download has no such candidate.")
    return {"candidate_id": row[0]} if source_given else {"candidate_id": row[0], "source": row[1]}


def _not_there() -> NotFound:
    return NotFound("There is no such download.")


def _id_of(cursor: sqlite3.Cursor, uid: str) -> int:
    row = cursor.execute("SELECT id FROM downloads WHERE uid = ?", (uid,)).fetchone()
    if row is None:
        raise _not_there()
    return int(row[0])


def _mine(person: Person) -> tuple[str, tuple[Any, ...]]:
    # The plus: a person's downloads are many, so the index by status or time finds sooner what is asked for.
    return ("", ()) if person.owns else (" AND +d.user_id = ?", (person.user_id,))


def _visible_row(cursor: sqlite3.Cursor, person: Person, uid: str) -> Any:
    mine, values = _mine(person)
    row = cursor.execute(f"{_SHOWN} WHERE d.uid = ?{mine}", (uid, *values)).fetchone()
    if row is None:
        raise _not_there()
    return row


def _statuses(status: str | Sequence[str] | None) -> tuple[str, ...]:
    """Raises BadInput for a word that is no status."""
    words = () if status is None else (status,) if isinstance(status, str) else tuple(status)
    known = [one.value for one in Status]
    for word in words:
        if word not in known:
            raise BadInput(f"{word!r} is no status of a download; they are {', '.join(known)}.", field="status")
    return tuple(sorted(set(words)))


def _candidate(row: Sequence[Any]) -> Candidate:
    content, uid, score, rejected = row
    return replace(_decode_candidate(content), id=uid, score=score, rejected=rejected)


def _candidates(cursor: sqlite3.Cursor, download_id: int) -> list[tuple[Candidate, int]]:
    """(candidate, its row's id), best first."""
    rows = cursor.execute(
        "SELECT content, uid, score, rejected, id FROM download_candidates WHERE download_id = ? ORDER BY position, id",
        (download_id,),
    )
    return [(_candidate(row[:4]), row[4]) for row in rows]


def _shown_candidate(one: Candidate, chosen: bool) -> ShownCandidate:
    return ShownCandidate(
        id=one.id, provider=one.provider, title=one.title, artist=one.artist, album=one.album,
        duration_ms=one.duration_ms, format=one.format, bitrate_kbps=one.bitrate_kbps, size_bytes=one.size_bytes,
        score=round(one.score, 1), parts=dict(one.parts), rejected=one.rejected, chosen=chosen,
    )  # fmt: skip


def track_by_url(cursor: sqlite3.Cursor, url: str) -> str | None:
    """The id of the track, not in the trash, that was downloaded from `url`; the latest one."""
    row = cursor.execute(
        "SELECT t.uid FROM origins o JOIN tracks t ON t.id = o.track_id WHERE o.url = ? AND t.trashed_at IS NULL "
        "ORDER BY o.downloaded_at DESC LIMIT 1",
        (url,),
    ).fetchone()
    return None if row is None else str(row[0])
