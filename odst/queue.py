"""The waiting downloads, in memory: by priority, then age, never before their time. Implements ports.Dispatcher.

Two heaps: those whose time has come, and those that wait for theirs. An offer that no longer holds stays where it is
and is passed over when it comes up, so every call costs O(log n); 10,000 waiting downloads are nothing.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from shared.model.units import Seconds

_CLUTTER = 1000     # offers that no longer hold before the heaps are made anew


@dataclass(frozen=True, slots=True, order=True)
class _Offer:
    """Ordered as they are taken."""

    minus_priority: int
    created_at: float
    number: int         # of two made in one moment, the one that was offered first
    uid: str


class MemoryDispatcher:
    """Implements ports.Dispatcher; safe from any thread. A distributed queue can take its place."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._ready: list[_Offer] = []
        self._later: list[tuple[float, _Offer]] = []
        self._standing: dict[str, _Offer] = {}      # the one offer of each that holds
        self._numbers = itertools.count()
        self._closed = False

    def offer(self, uid: str, *, priority: int, created_at: float, not_before: float | None = None) -> None:
        offer = _Offer(-priority, created_at, next(self._numbers), uid)
        with self._changed:
            self._standing[uid] = offer
            if not_before is not None and not_before > self._clock():
                heapq.heappush(self._later, (not_before, offer))
            else:
                heapq.heappush(self._ready, offer)
            self._tidy()
            self._changed.notify()

    def withdraw(self, uid: str) -> None:
        with self._changed:
            self._standing.pop(uid, None)

    def take(self, timeout_s: Seconds) -> str | None:
        until = time.monotonic() + timeout_s
        with self._changed:
            while not self._closed:
                self._ripen()
                while self._ready:
                    offer = heapq.heappop(self._ready)
                    if self._standing.get(offer.uid) is offer:
                        del self._standing[offer.uid]
                        return offer.uid
                left = until - time.monotonic()
                if left <= 0:
                    return None
                self._changed.wait(min(left, self._next_in()))
            return None

    def waiting(self) -> int:
        with self._changed:
            return len(self._standing)

    def close(self) -> None:
        """Nobody gets anything any more; who waits in `take` leaves at once."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    # ---- inside, with the lock held

    def _ripen(self) -> None:
        """Bring over what has come to its time."""
        now = self._clock()
        while self._later and self._later[0][0] <= now:
            heapq.heappush(self._ready, heapq.heappop(self._later)[1])

    def _next_in(self) -> Seconds:
        """Until the next one's time. A clock that is set meanwhile is noticed after a minute."""
        return max(0.0, min(60.0, self._later[0][0] - self._clock())) if self._later else 60.0

    def _tidy(self) -> None:
        if len(self._ready) + len(self._later) > 2 * len(self._standing) + _CLUTTER:
            self._ready = [one for one in self._ready if self._standing.get(one.uid) is one]
            self._later = [one for one in self._later if self._standing.get(one[1].uid) is one[1]]
            heapq.heapify(self._ready)
            heapq.heapify(self._later)
