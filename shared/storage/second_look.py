"""Copies that were called gone or altered are looked at again: a provider may have been wrong for a while.

A bucket that answers "there is no such object" in the middle of its own trouble, or a network that answers every
address with a page of its own, must not cost a track that lies nowhere else. What is found right, whole and by its
hash, counts again; a track that a clean-up put into the trash meanwhile, because it was nowhere, is taken out of it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from shared.model.cloud import CloudFailure, Copy
from shared.model.errors import SoundsibleError
from shared.model.units import Seconds
from shared.records.copies import Copies

log = logging.getLogger(__name__)

LOOK_EVERY_S: Seconds = 60.0
FIRST_S: Seconds = 60.0         # after it was called broken; doubled each time it still is
LONGEST_S: Seconds = 86_400.0
TURN_S: Seconds = 30.0          # so long at a time
MOST = 100_000


class SecondLook:
    """look    reads a copy: "gone", "corrupted", or None when it is as it should be (Inflows.look_again)
    restore takes those of these tracks out of the trash that went there without a file (Leftovers.restore_rows)

    Looks at copies of tracks whose file is not here; the others are sent again by the next upload.
    """

    def __init__(
        self, *, copies: Copies, look: Callable[[Copy], str | None], restore: Callable[[Sequence[str]], object],
        clock: Callable[[], float] = time.time, ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._copies = copies
        self._look = look
        self._restore = restore
        self._clock = clock
        self._ticks = ticks
        self._waiting: dict[tuple[str, str], tuple[float, Seconds]] = {}    # when next (ticks), and how long after
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        if self._thread is None:
            self._ending.clear()
            self._thread = threading.Thread(target=self._run, daemon=True, name="second look")
            self._thread.start()

    def stop(self, timeout_s: Seconds = 1.0) -> None:
        self._ending.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
            self._thread = None

    def turn(self) -> int:
        """Look at what is due; how many objects count again. Costs a query, and for each object that is due a request
        that fails, or reading it."""
        doubtful = {(one.provider, one.key): one for one in self._copies.doubtful(MOST)}
        self._waiting = {name: its for name, its in self._waiting.items() if name in doubtful}
        began, back, silent = self._ticks(), 0, set[str]()
        for name, copy in doubtful.items():
            now = self._ticks()
            at, step = self._waiting.setdefault(name, (now + FIRST_S, FIRST_S))
            if at > now or copy.provider in silent:
                continue
            if self._ending.is_set() or now - began > TURN_S:
                break
            try:
                why = self._look(copy)
            except CloudFailure as failure:
                log.info("the copy %s at %s could not be looked at: %s", copy.key, copy.provider, failure.message)
                silent.add(copy.provider)
                continue
            if self._ending.is_set():
                break
            if why is None:
                self._copies.verified(copy.provider, copy.key, copy.etag, self._clock())
                self._restore([one.track_id for one in self._copies.at(copy.provider, copy.key)])
                log.info("the copy %s at %s is as it should be after all, and counts again", copy.key, copy.provider)
                del self._waiting[name]
                back += 1
            else:
                step = min(LONGEST_S, step * 2)
                self._waiting[name] = (self._ticks() + step, step)
        return back

    def _run(self) -> None:
        while not self._ending.wait(LOOK_EVERY_S):
            try:
                self.turn()
            except SoundsibleError as error:
                log.warning("broken copies could not be looked at again: %s", error.message)
            except Exception:       # the edge of a thread; it must not end
                log.exception("broken copies could not be looked at again")
