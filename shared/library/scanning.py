"""Scans as the station sees them: started in a process of their own, followed, joined, stopped.

The station is never slowed by walking, comparing and writing: Python runs one thread at a time. The child is niced,
gets no secret in its environment, and dies with the station.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from shared.events import EventBus, ScanMoved
from shared.library.scan_lock import ScanLock
from shared.model.errors import Conflict, NotFound, SoundsibleError
from shared.model.scan import BadEntry, ScanReport
from shared.records.moments import make_uid, shown
from shared.records.scans import Scans
from shared.settings import Settings

log = logging.getLogger(__name__)

STOP_PATIENCE_S = 3.5
LOOK_EVERY_S = 0.5          # at a scan that another process runs
_PROJECT = Path(__file__).resolve().parent.parent.parent
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TZ", "VIRTUAL_ENV", "SYSTEMROOT", "TEMP", "TMP")
_FIELDS = frozenset(one.name for one in fields(ScanReport))


@dataclass(slots=True)
class _Wish:
    roots: list[str] | None
    deep: bool
    id: str = field(default_factory=make_uid)

    def as_json(self) -> dict[str, Any]:
        return {"roots": self.roots, "deep": self.deep, "id": self.id}


class Scanning:
    """Starts at most one scan; safe to ask from many threads.

    hang_s      how long one call on a music folder may take before the scan leaves it out
    """

    def __init__(self, *, settings: Settings, scans: Scans, events: EventBus, hang_s: float = 20.0) -> None:
        self._settings = settings
        self._scans = scans
        self._events = events
        self._hang_s = hang_s
        self._lock = threading.Lock()
        self._report: ScanReport | None = None
        self._process: subprocess.Popen[str] | None = None
        self._thread: threading.Thread | None = None
        self._waiting: list[_Wish] = []     # not handed to a process yet
        self._handed: list[_Wish] = []      # to the process, since a scan of its last ended
        self._failed: ScanReport | None = None      # the last one, if so: the database may have had no room for it
        self._ended = ""                    # the id of the last scan that did
        self._stopping = False
        self._moved = threading.Condition(self._lock)

    # ---- asking ---------------------------------------------------------------------------------------------------

    def start(self, roots: Sequence[str] | None = None, deep: bool = False) -> ScanReport:
        """Scan `roots` (paths of music folders; None is all) and return at once with the scan that does it.

        A running scan is joined: it then looks through `roots` once more before it ends, so that what is there now
        will be found. Raises NotFound for a path that is no music folder, Conflict while the station stops.
        """
        if roots is not None:
            known = {root.path for root in self._scans.roots()}
            strange = [path for path in roots if path not in known]
            if strange:
                raise NotFound(f"{strange[0]} is not one of the music folders.", roots=strange)
        wish = _Wish(list(roots) if roots is not None else None, deep or (roots is None and self._deep_was_cut_off()))
        bad = self._scans.bad_entries()     # listed until they are cured, also before the process speaks
        with self._lock:
            if self._stopping:
                raise Conflict("The station is stopping; the scan can be started when it is back.")
            running = self._report
            if running is None or running.state != "running":
                running = self._report = ScanReport(
                    id=wish.id, state="running", phase="walk", started_at=shown(time.time()), bad=bad)
                self._failed = None
            if self._process is not None and self._send({"scan": wish.as_json()}):
                self._handed.append(wish)
                return running
            self._waiting.append(wish)
            if self._thread is None:
                # The thread that starts the process must live as long as it: Linux ties the child to it.
                self._thread = threading.Thread(target=self._run, daemon=True, name="scanning")
                self._thread.start()
            return running

    def progress(self) -> ScanReport:
        """How far the scan is that runs, here or in another process; else what the last one found."""
        with self._lock:
            report = self._report
            if self._thread is not None and report is not None and report.state == "running":
                return report
        kept = self._scans.last()
        failed = self._failed
        if failed is not None and (kept is None or (kept.started_at or "") <= (failed.started_at or "")):
            return failed
        if kept is None:
            return ScanReport(id="", state="idle")
        if kept.state == "running" and ScanLock(self._settings.data_dir).is_free():
            again = self._scans.last() or kept      # it may have ended while this was asked
            if again.state == "running":
                return replace(again, state="failed", phase=None,
                               message="The scan was cut off; the next one goes on where it was.")
            return again
        return kept

    def is_running(self) -> bool:
        return self.progress().state == "running"

    def wait(self, timeout_s: float | None = None) -> ScanReport:
        """Until the scan started here has ended, or so long; the report."""
        with self._moved:
            self._moved.wait_for(lambda: self._report is None or self._report.state != "running", timeout_s)
        return self.progress()

    def stop(self) -> None:
        """End the scan after the batch under way; what it has written stays. Starts nothing more. About a second."""
        with self._lock:
            self._stopping = True
            self._waiting.clear()
            process, thread = self._process, self._thread
            if process is not None:
                self._send({"stop": True})
            self._moved.notify_all()
        if thread is not None:
            thread.join(STOP_PATIENCE_S)
            if thread.is_alive() and process is not None:
                log.warning("the scan does not end; it is killed")
                _kill(process)
                thread.join(1.0)

    # ---- following ------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        """The thread beside the process: starts it, and another one as long as something is wished for."""
        while True:
            with self._lock:
                if self._stopping or not self._waiting:
                    self._thread = None
                    return
                wishes, self._waiting = self._waiting, []
            try:
                self._follow_one(wishes)
            except Exception as error:  # the edge of a worker
                log.exception("the scan's process could not be followed")
                with contextlib.suppress(SoundsibleError):
                    self._fail(f"The scan could not be run ({error}).")

    def _follow_one(self, wishes: list[_Wish]) -> None:
        process = self._begin(wishes)
        busy, told = False, ""      # told: the id of the scan that it spoke of last
        try:
            assert process.stdout is not None
            for line in process.stdout:
                said = json.loads(line)
                if said.get("busy"):
                    busy = True
                else:
                    told = said["scan"].get("id", told)
                    self._heard(said["scan"])
        finally:
            with self._lock:
                self._process = None
                wishes, self._handed = self._handed, []
            with contextlib.suppress(OSError):
                process.communicate()
            code = process.wait()
            _kill(process)      # readers that outlived it
        if busy:
            self._follow_other(wishes)
        elif code == 0 or (told and self._report is not None and self._report.id != told):
            with self._lock:
                self._waiting[:0] = wishes      # handed over when it was just going, or killed while it lingered
        elif self._report is not None and self._report.state == "running":
            how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
            self._fail(f"The scan's process {how}. What it had read is kept; the next scan goes on from there.")

    def _begin(self, wishes: list[_Wish]) -> subprocess.Popen[str]:
        settings = self._settings
        order = {
            "parent": os.getpid(), "database": str(settings.database_path), "data_dir": str(settings.data_dir),
            "workers": settings.scan_workers, "memory_bytes": settings.worker_memory_bytes, "hang_s": self._hang_s,
            "closed": [str(one) for one in (settings.config_dir, settings.data_dir, settings.cache_dir)],
            "fresh": not any(self._scans.track_counts().values()),
            "log_level": settings.log_level, "scan": wishes[0].as_json(),
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "shared.library.scan_process"], cwd=_PROJECT, env=child_environment(),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8", errors="surrogatepass",
            start_new_session=True, close_fds=True)
        with self._lock:
            self._process = process
            self._handed = wishes
            self._send(order)
            for wish in wishes[1:]:
                self._send({"scan": wish.as_json()})
            if self._stopping:
                self._send({"stop": True})
        return process

    def _follow_other(self, wishes: list[_Wish]) -> None:
        """Another process (the command line) scans this library: show how far it is, then do what was wished."""
        lock = ScanLock(self._settings.data_dir)
        while not self._stopping and not lock.is_free():
            kept = self._scans.last()
            if kept is not None and kept.state == "running":
                self._tell(kept)
            with self._moved:
                self._moved.wait_for(lambda: self._stopping, LOOK_EVERY_S)
        with self._lock:
            self._waiting[:0] = wishes

    def _heard(self, told: dict[str, Any]) -> None:
        known = {name: value for name, value in told.items() if name in _FIELDS}
        if "bad" in known:
            known["bad"] = [BadEntry(**one) for one in known["bad"]]
        if "id" in known:
            self._tell(ScanReport(**known))
        else:
            self._fail(str(told.get("message")))

    def _tell(self, report: ScanReport) -> None:
        with self._moved:
            if report.id == self._ended:
                return
            self._report = report
            if report.state != "running":
                self._ended = report.id
                self._handed = []
            self._moved.notify_all()
        self._events.publish(ScanMoved(_as_fields(report)))

    def _fail(self, message: str) -> None:
        report = self._report or ScanReport(id=make_uid(), state="failed")
        report = replace(report, state="failed", phase=None, message=message, finished_at=shown(time.time()))
        log.error("%s", message)
        self._failed = report
        try:
            self._scans.progress(report)    # says nothing when not even the scan's beginning could be kept
        except SoundsibleError as error:    # what failed the scan, perhaps: a full disk
            log.warning("that the scan failed could not be kept: %s", error.message)
        self._tell(report)

    def _send(self, order: dict[str, Any]) -> bool:
        """Hand `order` to the process; False when it is no longer there to take it. Call with the lock held."""
        if self._process is None or self._process.stdin is None:
            return False
        try:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
        except (OSError, ValueError):
            return False
        return True

    def _deep_was_cut_off(self) -> bool:
        return (self._settings.data_dir / "deep-scan.json").exists()


def child_environment() -> dict[str, str]:
    """What the scan's process may see of this one's environment: no setting, no secret."""
    return {name: os.environ[name] for name in _KEPT if name in os.environ}


def _as_fields(report: ScanReport) -> dict[str, Any]:
    told = {name: getattr(report, name) for name in _FIELDS}
    told["bad"] = [{"path": one.path, "reason": one.reason} for one in report.bad]
    return told


def _kill(process: subprocess.Popen[str]) -> None:
    """The process and what it started: they are a session of their own."""
    try:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, 9)
        else:
            process.kill()
    except OSError:
        pass    # all of them have ended
