"""Follow long work from the command line: a bar on a terminal, JSON lines for the station, an end on Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from shared.model.work import Moved

if TYPE_CHECKING:
    from setup_tool.cli import Context

LINES_EVERY_S = 0.2
ENDING = "Ending, so that nothing is lost; Ctrl-C once more ends it at once."


class _Followed:
    """What the work talks to (ports.Work). Safe from any thread."""

    def __init__(self, *, lines: bool, bar: Any = None, task: Any = None) -> None:
        self._lines = lines
        self._bar = bar
        self._task = task
        self._lock = threading.Lock()
        self._said_at = float("-inf")
        self._phase = ""
        self.moved = Moved()
        self.ending = threading.Event()

    def tell(self, moved: Moved) -> None:
        with self._lock:
            self.moved = moved
            if self._lines:
                now = time.monotonic()
                if moved.phase != self._phase or now - self._said_at >= LINES_EVERY_S:
                    self._phase, self._said_at = moved.phase, now
                    _say({"progress": asdict(moved)})
            elif self._bar is not None:
                by_bytes = bool(moved.bytes_total)
                if not self.ending.is_set():
                    self._bar.now = moved.now
                self._bar.update(
                    self._task, description=(moved.phase or "working").capitalize(),
                    completed=moved.bytes_done if by_bytes else moved.done,
                    total=moved.bytes_total if by_bytes else moved.total, told=told(moved))

    def log(self, level: str, message: str) -> None:
        with self._lock:
            if self._lines:
                _say({"log": {"level": level, "message": message}})
            elif self._bar is not None and self._bar.console.is_terminal:
                from setup_tool import show

                self._bar.console.print(show.text(message, {"warning": show.UNSURE, "error": show.BAD}.get(level, "")))
            elif level != "info":
                sys.stderr.write(f"{message}\n")

    def stopped(self) -> bool:
        return self.ending.is_set()


@contextmanager
def working(title: str, context: Context) -> Iterator[_Followed]:
    """A ports.Work for one command. Ctrl-C (or SIGTERM) ends it at the next safe point, the second one at once."""
    from setup_tool import show

    with show.bar() as bar:
        followed = _Followed(lines=context.lines, bar=bar, task=bar.add_task(title, total=None, told=""))

        def end(number: int, frame: Any) -> None:
            if followed.ending.is_set():    # requests that are under way are not waited for: a kill loses nothing
                os.write(2, b"\x1b[?25h\nStopped.\n" if bar.console.is_terminal else b"Stopped.\n")
                os._exit(1)
            followed.ending.set()
            if bar.console.is_terminal:     # drawn within a tenth of a second; nothing is locked here
                bar.now = ENDING

        before = {}
        for sign in (signal.SIGINT, signal.SIGTERM):
            with suppress(ValueError):      # not the main thread: a test
                before[sign] = signal.signal(sign, end)
        try:
            yield followed
        finally:
            for sign, handler in before.items():
                signal.signal(sign, handler)
            if context.lines:
                _say({"progress": asdict(followed.moved)})


def told(moved: Moved) -> str:
    """How far, in words: 12 of 300 · 1.2 of 4.0 GB."""
    from setup_tool import show

    parts = []
    if moved.total:
        parts.append(f"{moved.done:,} of {moved.total:,}")
    elif moved.done:
        parts.append(f"{moved.done:,}")
    if moved.bytes_total:
        parts.append(f"{show.size(moved.bytes_done)} of {show.size(moved.bytes_total)}")
    elif moved.bytes_done:
        parts.append(show.size(moved.bytes_done))
    if moved.failed:
        parts.append(f"{moved.failed:,} failed")
    return " · ".join(parts)


def _say(line: dict[str, Any]) -> None:
    sys.stderr.write(json.dumps(line, ensure_ascii=False) + "\n")
    sys.stderr.flush()
