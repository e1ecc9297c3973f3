"""What a download tells: its row and its moves first, then everybody who looks, and a line in its log.

Rows are written when something happened, and for progress every two seconds; progress itself is told twice a second.
The last lines of each log stay in memory; all go into a rotating file as well.
"""

from __future__ import annotations

import logging
import logging.handlers
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shared.events import DownloadLogged, DownloadMoved, DownloadRemoved, EventBus
from shared.logs import FORMAT, Redacting, redact
from shared.model.download import Candidate, Download, Progress, ShownProgress, Status
from shared.model.errors import SoundsibleError
from shared.model.units import MIB, Seconds

log = logging.getLogger("soundsible.downloads")

TOLD_EVERY_S: Seconds = 0.5
WRITTEN_EVERY_S: Seconds = 2.0
LINES_KEPT = 200            # of one download
LOGS_KEPT = 500             # downloads whose lines are in memory
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


@dataclass(slots=True)
class _Live:
    """A download under way, as it was told last."""

    user_id: int
    shown: Download
    told_at: float = float("-inf")
    written_at: float = float("-inf")


class Ledger:
    """records: records.downloads.Downloads. Safe from any thread."""

    def __init__(self, *, records: Any, events: EventBus, clock: Callable[[], float] = time.monotonic) -> None:
        self.records = records
        self._events = events
        self._clock = clock
        self._lock = threading.Lock()
        self._live: dict[str, _Live] = {}
        self._lines: OrderedDict[str, deque[dict[str, str]]] = OrderedDict()

    # ---- moves

    def move(self, uid: str, *steps: tuple[Status, str | None], **fields: Any) -> None:
        """See records.downloads.Downloads.move; then everybody hears how it stands now. Raises IllegalMove."""
        self.records.move(uid, *steps, **fields)
        self.tell(uid)

    def update(self, uid: str, **fields: Any) -> None:
        self.records.update(uid, **fields)
        self.tell(uid)

    def tell(self, uid: str) -> None:
        """Everybody who may see it hears how it stands. Costs one row read."""
        user_id, shown = self.records.as_shown(uid)
        with self._lock:
            if shown.status in (Status.DOWNLOADING, Status.PROCESSING):
                live = self._live.setdefault(uid, _Live(user_id or 0, shown))
                live.shown, live.told_at = shown, self._clock()
            else:
                self._live.pop(uid, None)
        self._events.publish(DownloadMoved(user_id or 0, shown))

    def tell_removed(self, uid: str, user_id: int | None) -> None:
        with self._lock:
            self._live.pop(uid, None)
            self._lines.pop(uid, None)
        self._events.publish(DownloadRemoved(user_id or 0, uid))

    def progress(self, uid: str, progress: Progress) -> None:
        """How far a fetch is. As often as there is news; told and written now and then."""
        now = self._clock()
        with self._lock:
            live = self._live.get(uid)
            if live is None or now - live.told_at < TOLD_EVERY_S:
                return
            live.told_at = now
            written = now - live.written_at >= WRITTEN_EVERY_S
            if written:
                live.written_at = now
            live.shown = replace(live.shown, progress=ShownProgress(
                bytes=progress.bytes, total_bytes=progress.total_bytes, percent=progress.percent,
                bytes_per_second=progress.bytes_per_second, eta_s=progress.eta_s))
            user_id, shown = live.user_id, live.shown
        if written:
            try:
                self.records.update(uid, progress=progress)
            except SoundsibleError as error:    # the next one will be written; a fetch does not end for it
                log.debug("progress of %s was not written: %s", uid, error.message)
        self._events.publish(DownloadMoved(user_id, shown))

    # ---- candidates

    def candidates(self, uid: str) -> list[Candidate]:
        found: list[Candidate] = self.records.candidates(uid)
        return found

    def reject(self, uid: str, candidate: Candidate, reason: str) -> None:
        self.records.candidate_reject(uid, candidate.id, reason)
        self.log(uid, "warning", f"{candidate.provider}: “{candidate.title}” is out: {reason}")

    # ---- log lines

    def log(self, uid: str, level: str, message: str, *, user_id: int | None = None) -> None:
        """A line of a download's own log. `level`: debug | info | warning | error."""
        line = {"level": level, "at": _now(), "message": redact(message)[:2000]}
        with self._lock:
            lines = self._lines.setdefault(uid, deque(maxlen=LINES_KEPT))
            lines.append(line)
            self._lines.move_to_end(uid)
            while len(self._lines) > LOGS_KEPT:
                self._lines.popitem(last=False)
            live = self._live.get(uid)
        log.log(_LEVELS.get(level, logging.INFO), "%s %s", uid, message)
        if level != "debug":
            owner = user_id if user_id is not None else live.user_id if live is not None else None
            if owner is None:
                try:
                    owner = self.records.as_shown(uid)[0] or 0
                except SoundsibleError:
                    return
            self._events.publish(DownloadLogged(owner, uid, level, line["at"], line["message"]))

    def lines(self, uid: str) -> list[dict[str, str]]:
        with self._lock:
            return list(self._lines.get(uid, ()))


class LogFile:
    """`downloads.log`, a few files of a few MB, beside the station's other logs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._handler: logging.Handler | None = None

    def start(self) -> None:
        """A folder that cannot be written keeps the lines in memory alone."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handler = logging.handlers.RotatingFileHandler(
                self._folder / "downloads.log", maxBytes=4 * MIB, backupCount=3, encoding="utf-8", delay=True,
                errors="backslashreplace")
        except OSError as error:
            log.warning("there is no log file of downloads: %s", error)
            return
        handler.setFormatter(Redacting(FORMAT, "%Y-%m-%d %H:%M:%S"))
        self._handler = handler
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        log.propagate = logging.getLogger().isEnabledFor(logging.DEBUG)    # the terminal has enough to read

    def stop(self) -> None:
        if self._handler is not None:
            log.removeHandler(self._handler)
            self._handler.close()
            self._handler = None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
