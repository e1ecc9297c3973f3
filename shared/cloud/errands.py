"""Long work of the station (copying to a bucket, making room, bringing back, backup, check), one piece at a time.

An errand is a row first. Then it is a command of the maintenance tool, run as a niced child and followed line by line:
what a person does at a terminal and what the station does are the same code. Each of these commands can be cut off
anywhere and be run again; so an errand that a restart cut off is begun again, and one that failed because something did
not answer is tried again later.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import IO, Any

from shared.events import ErrandMoved, EventBus
from shared.model.cloud import CloudFailure
from shared.model.errand import Errand, Selection, Task
from shared.model.errors import Conflict, NotFound, SoundsibleError, Unprocessable
from shared.model.person import Person
from shared.model.track import Page
from shared.model.work import Moved
from shared.records import errands as records
from shared.settings import Settings

log = logging.getLogger(__name__)

STOP_PATIENCE_S = 1.5           # between asking the child to end and killing it
CANCEL_PATIENCE_S = 30.0
SILENCE_S = 3600.0              # a child that says nothing for so long hangs
KEEP_EVERY_S = 10.0             # how far it is, written down
RETRY_AFTER_S = (60.0, 300.0, 1800.0, 7200.0, 21600.0)
LONGEST_REPORT = 16 * 1024 * 1024
MOST_LISTED = 100               # entries of a list in a report that are kept
MOST_GATHERED = 5_000           # tracks in one errand of the station's own
_PROJECT = Path(__file__).resolve().parents[2]
_MOVED = {one.name: one for one in fields(Moved)}

#: kind → the tool's command. What it is about follows as options; it never asks.
COMMANDS: Mapping[str, tuple[str, ...]] = {
    "upload": ("upload",),
    "offload": ("offload", "--yes"),
    "fetch": ("pin", "--once"),
    "backup": ("backup",),
    "check": ("doctor", "--self-check"),
}
_OUTWARD = ("upload", "offload")        # needs a storage
_RETRYABLE = frozenset({"storage_offline", "overloaded", "internal"}) | {
    reason for reason, later in CloudFailure.REASONS.items() if later}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a child's end means."""

    done: bool
    report: dict[str, Any] | None
    message: str | None
    retryable: bool = False


class Errands:
    """Safe to ask from many threads.

    records     shared.records.errands.Errands
    providers   storage.providers.Providers: which storages there are
    module      what a child runs; tests bring their own
    clock       Unix seconds
    """

    def __init__(
        self,
        *,
        records: records.Errands,
        providers: Any,
        settings: Settings,
        events: EventBus,
        module: str = "setup_tool",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._records = records
        self._providers = providers
        self._settings = settings
        self._events = events
        self._module = module
        self._clock = clock
        self._changed = threading.Condition()
        self._stirred = False
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._now: Errand | None = None     # the one that runs, with its progress
        self._kept_at = self._heard_at = 0.0

    def start(self) -> None:
        """What the last run left undone is begun again."""
        self._records.recover()
        self._records.prune()
        with self._changed:
            if self._records.next_at() is not None:
                self._wake_locked()

    def stop(self) -> None:
        """End what runs; it is begun again at the next start. Some seconds at most."""
        with self._changed:
            self._stopping = True
            child, thread = self._child, self._thread
            self._changed.notify_all()
        if child is not None:
            _ask(child)
        if thread is not None:
            thread.join(STOP_PATIENCE_S)
            if thread.is_alive() and child is not None:
                _kill(child)
                thread.join(1.0)

    # ---- asking -----------------------------------------------------------------------------------------------------

    def submit(self, kind: str, selection: Selection, person: Person | None = None) -> Errand:
        """Have it done; joins an errand that waits for the same. `person` None: the station itself asks.

        Raises NotFound for an album, track or storage that there is not, Unprocessable where there is no storage at
        all, Conflict while the station stops.
        """
        if kind in _OUTWARD or selection.provider is not None:
            self._check_provider(selection.provider)
        strange = self._records.strange(selection)
        if strange is not None:
            raise NotFound(f"There is no such {strange[0]} in the library.", id=strange[1])
        if self._stopping:
            raise Conflict("The station is stopping; ask again when it is back.")
        errand, new = self._records.add(kind, selection, person.user_id or None if person else None, now=self._clock())
        self._submitted(errand, new)
        return errand

    def again(self, id: str, person: Person | None = None) -> Errand:
        """Have the same done once more, whole, as a new errand. Raises as `submit`, and NotFound."""
        before = self._records.task(id)
        return self.submit(before.kind, before.selection, person)

    def gather(self, kind: str, selection: Selection) -> Errand | None:
        """The same for what the station does by itself again and again: tracks join those that wait already. None
        while the station stops."""
        if self._stopping:
            return None
        errand, new = self._records.gather(kind, selection, MOST_GATHERED, now=self._clock())
        self._submitted(errand, new)
        return errand

    def get(self, id: str) -> Errand:
        """Raises NotFound."""
        return self._live(self._records.get(id))

    def list(
        self, person: Person, *, states: Sequence[str] = (), limit: int = 100, cursor: str | None = None
    ) -> Page[Errand]:
        """The newest first. Raises BadInput."""
        page = self._records.page(person, states=states, limit=limit, cursor=cursor)
        return replace(page, items=[self._live(one) for one in page.items])

    def under_way(self, recent_s: float = 600.0) -> Sequence[Errand]:
        """What runs and waits, and what was over within the last `recent_s`: for who connects."""
        active = [self._live(one) for one in self._records.active()]
        return [*active, *self._records.recent(self._clock() - recent_s)]

    def last(self, kind: str) -> Errand | None:
        """The last of that kind that was done."""
        return self._records.last(kind)

    def cancel(self, id: str) -> Errand:
        """End it, or do not begin it. What is done stays done; what is over stays as it is. Raises NotFound."""
        errand, before = self._records.cancel(id, now=self._clock())
        if before not in ("waiting", "running"):
            return errand
        self._tell(errand)
        with self._changed:
            child = None
            if self._now is not None and self._now.id == id:
                self._now, child = replace(errand, progress=self._now.progress), self._child
        if child is not None:
            _ask(child)
            timer = threading.Timer(CANCEL_PATIENCE_S, _kill_late, (child,))
            timer.daemon = True
            timer.start()
        return errand

    # ---- doing ------------------------------------------------------------------------------------------------------

    def _submitted(self, errand: Errand, new: bool) -> None:
        if new:
            self._tell(errand)
        with self._changed:
            self._wake_locked()

    def _wake_locked(self) -> None:
        if self._stopping:
            return
        self._stirred = True
        if self._thread is None:
            # The thread that starts the process must live as long as it: Linux ties the child to it.
            self._thread = threading.Thread(target=self._run, name="errands", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _run(self) -> None:
        unsettled = False
        while not self._stopping:
            try:
                if unsettled:       # how the last one ended could not be written down
                    self._records.recover()
                    unsettled = False
                task = self._records.take(self._clock())
                if task is not None:
                    self._do(task)
                    continue
                due = self._records.next_at()
            except SoundsibleError as error:
                log.warning("the next errand cannot be begun now: %s", error.message)
                due, unsettled = self._clock() + 10.0, True
            except Exception:  # the edge of a worker
                log.exception("an errand could not be followed")
                due, unsettled = self._clock() + 60.0, True
            with self._changed:
                if not self._stirred and not self._stopping:
                    self._changed.wait(3600.0 if due is None else min(3600.0, max(0.05, due - self._clock())))
                self._stirred = False

    def _do(self, task: Task) -> None:
        errand = self._records.get(task.id)
        with self._changed:
            self._now, self._kept_at = errand, time.monotonic()
            self._heard_at = self._kept_at
        self._tell(errand)
        log.info("errand %s (%s) begins", task.id, task.kind)
        try:
            outcome = self._outcome(task)
        except Exception as error:  # the child could not even be started
            log.exception("errand %s failed", task.id)
            outcome = Outcome(False, None, f"It could not be started ({error}).", retryable=True)
        with self._changed:
            progress = None if self._now is None else self._now.progress
            self._now = None
        if self._stopping and not outcome.done:
            ended = self._records.put_off(task.id)
        elif not outcome.done and outcome.retryable and task.attempt < len(RETRY_AFTER_S):
            ended = self._records.put_off(
                task.id, message=outcome.message, not_before=self._clock() + RETRY_AFTER_S[task.attempt], failed=True)
            if ended.state == "cancelled":
                ended = self._records.end(task.id, "cancelled", progress=progress, report=outcome.report,
                                          now=self._clock())
        else:
            ended = self._records.end(
                task.id, "done" if outcome.done else "failed", progress=progress, report=outcome.report,
                message=outcome.message, now=self._clock())
        if ended.state == "failed":
            log.warning("errand %s (%s) failed: %s", task.id, task.kind, outcome.message)
        else:
            log.info("errand %s (%s) is %s", task.id, task.kind, ended.state)
        self._tell(ended)

    def _outcome(self, task: Task) -> Outcome:
        """Run the child to its end."""
        command = [
            sys.executable, "-m", "shared.cloud.errand_process", str(os.getpid()), str(self._settings.data_dir),
            self._module, *COMMANDS[task.kind], *options(task), "--json", "--progress-lines",
        ]
        with tempfile.TemporaryFile() as answer:
            child = subprocess.Popen(
                command, cwd=_PROJECT, env=self._settings.for_child(), stdin=subprocess.PIPE, stdout=answer,
                stderr=subprocess.PIPE, start_new_session=True, close_fds=True)
            last_words: deque[str] = deque(maxlen=20)
            assert child.stderr is not None
            listener = threading.Thread(
                target=self._listen, args=(child.stderr, last_words), name="errand", daemon=True)
            listener.start()
            with self._changed:
                self._child = child
            try:
                if self._stopping or self._records.get(task.id).state == "cancelled":
                    _ask(child)     # it was said before there was a child to hear it
                code = self._wait(child)
            finally:
                with self._changed:
                    self._child = None
                _kill(child)        # and what it started
                listener.join(5.0)
                with contextlib.suppress(OSError):
                    if child.stdin is not None:
                        child.stdin.close()
                    child.stderr.close()
            answer.seek(0)
            return judge(code, answer.read(LONGEST_REPORT + 1), list(last_words))

    def _wait(self, child: subprocess.Popen[bytes]) -> int:
        """Its exit code. One that hangs (on a disk that is gone, say) is killed."""
        while True:
            try:
                return child.wait(10.0)
            except subprocess.TimeoutExpired:
                if time.monotonic() - self._heard_at > SILENCE_S:
                    log.warning("an errand's process says nothing any more; it is killed")
                    _kill(child)

    def _listen(self, lines: IO[bytes], last_words: deque[str]) -> None:
        with contextlib.suppress(OSError, ValueError):
            for line in lines:
                self._heard_at = time.monotonic()
                text = line.decode("utf-8", "replace").rstrip()
                said = _object(text)
                if said is not None and isinstance(said.get("progress"), dict):
                    self._moved(moved(said["progress"]))
                elif said is not None and isinstance(said.get("log"), dict):
                    level = logging.getLevelNamesMapping().get(str(said["log"].get("level")).upper(), logging.INFO)
                    log.log(level, "errand: %s", said["log"].get("message"))
                elif text:
                    last_words.append(text[:500])

    def _moved(self, progress: Moved) -> None:
        with self._changed:
            if self._now is None:
                return
            self._now = errand = replace(self._now, progress=progress)
            if errand.state != "running":
                return      # cancelled: what its child still says is for its end
            keep = time.monotonic() - self._kept_at >= KEEP_EVERY_S
            if keep:
                self._kept_at = time.monotonic()
        if keep:
            try:
                self._records.moved(errand.id, progress)
            except SoundsibleError as error:
                log.debug("how far errand %s is could not be written down: %s", errand.id, error.message)
        self._tell(errand)

    # ---- inside -----------------------------------------------------------------------------------------------------

    def _check_provider(self, name: str | None) -> None:
        if name is not None:
            self._providers.named(name)
        elif self._providers.default() is None:
            raise Unprocessable(
                "There is no storage to copy to yet. Add one: python3 run.py tool storage add r2 (or b2, s3, other)")

    def _live(self, errand: Errand) -> Errand:
        now = self._now
        if now is not None and now.id == errand.id and errand.state == "running":
            return replace(errand, progress=now.progress)
        return errand

    def _tell(self, errand: Errand) -> None:
        self._events.publish(ErrandMoved(errand))


def options(task: Task) -> list[str]:
    """What the command is told to work on."""
    meant = task.selection
    told = [] if meant.provider is None else ["--provider", meant.provider]
    if meant.everything:
        told.append("--all")
    for option, ids in (("--album", meant.album_ids), ("--track", meant.track_ids)):
        for id in ids:
            told += [option, id]
    return told


def judge(code: int, answer: bytes, last_words: Sequence[str]) -> Outcome:
    """What a child's exit code, its JSON and its last lines on standard error mean."""
    said = _object(answer.decode("utf-8", "replace")) if len(answer) <= LONGEST_REPORT else None
    if said is not None and isinstance(said.get("error"), dict):
        error = said["error"]
        details = error.get("details") if isinstance(error.get("details"), dict) else {}
        reason = str((details or {}).get("reason") or error.get("code"))
        return Outcome(False, None, str(error.get("message"))[:1000], reason in _RETRYABLE)
    report = None if said is None else {
        name: value[:MOST_LISTED] if isinstance(value, list) else value for name, value in said.items()}
    if code == 0:
        return Outcome(True, report, None)
    if isinstance((said or {}).get("ended_by"), str):
        return Outcome(False, report, said["ended_by"][:1000], said.get("ended_reason") in _RETRYABLE)  # type: ignore
    failed = (said or {}).get("failed")
    if isinstance(failed, list) and failed:
        first = failed[0] if isinstance(failed[0], dict) else {}
        reasons = {str(one.get("reason")) for one in failed if isinstance(one, dict)}
        message = first.get("message") or first.get("reason") or "see the report"
        more = f"{len(failed)} tracks failed. The first: " if len(failed) > 1 else ""
        return Outcome(False, report, f"{more}{message}"[:1000], bool(reasons & _RETRYABLE))
    if said is not None and isinstance(said.get("message"), str):
        return Outcome(False, report, said["message"][:1000])
    if code < 0:
        return Outcome(False, report, f"Its process was ended by signal {-code}.", retryable=True)
    words = next((one for one in reversed(last_words) if one.strip()), "")
    return Outcome(False, report, words or f"Its process ended with code {code}.", retryable=code not in (1, 2))


def moved(said: Mapping[str, Any]) -> Moved:
    """A line's progress. What is not as it should be is left out."""
    known: dict[str, Any] = {}
    for name, value in said.items():
        if name in ("phase", "now") and isinstance(value, str):
            known[name] = value[:300]
        elif name in _MOVED and name not in ("phase", "now") and type(value) is int and value >= 0:
            known[name] = value
    return Moved(**known)


def _object(text: str) -> dict[str, Any] | None:
    try:
        said = json.loads(text)
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


def _ask(child: subprocess.Popen[bytes]) -> None:
    """End at the next safe point."""
    with contextlib.suppress(OSError):
        child.send_signal(signal.SIGTERM)


def _kill_late(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        _kill(child)


def _kill(child: subprocess.Popen[bytes]) -> None:
    """The process and what it started: they are a session of their own."""
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(child.pid, signal.SIGKILL)
        else:
            child.kill()
