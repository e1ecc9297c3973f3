"""The threads that work on downloads: each takes the next one, does it whole, and comes back for another."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from shared.model.units import Seconds
from shared.ports import Dispatcher

log = logging.getLogger(__name__)

PATIENCE_S: Seconds = 5.0       # of one look into the queue; an offer ends it at once
STEP_ASIDE_S: Seconds = 1.0     # between looks while nothing may be begun


class Crew:
    """`size` threads that take from `dispatcher` and do `deed(uid)`.

    `may_begin` is asked before each one: while it says no (the disk is full), nothing new is taken.
    """

    def __init__(self, *, size: int, dispatcher: Dispatcher, deed: Callable[[str], None],
                 may_begin: Callable[[], bool] = lambda: True) -> None:
        self._size = size
        self._dispatcher = dispatcher
        self._deed = deed
        self._may_begin = may_begin
        self._ending = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        for number in range(1, self._size + 1):
            thread = threading.Thread(target=self._work, name=f"download {number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def end(self) -> None:
        """Let nobody begin anything new. What runs is told by its own token."""
        self._ending.set()

    def join(self, timeout_s: Seconds) -> bool:
        """Wait until all have gone home; whether they have."""
        share = timeout_s / max(1, len(self._threads))
        for thread in self._threads:
            thread.join(share)
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        while not self._ending.is_set():
            if not self._may_begin():
                self._ending.wait(STEP_ASIDE_S)
                continue
            uid = self._dispatcher.take(PATIENCE_S)
            if uid is None or self._ending.is_set():
                continue
            try:
                self._deed(uid)
            except Exception:   # the edge of a worker: one download must not take the thread along
                log.exception("working on download %s failed", uid)
