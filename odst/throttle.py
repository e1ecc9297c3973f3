"""The listener comes first: how fast downloads may go while somebody listens.

Streams that begin and end, and players that tell whether they play, say whether anybody listens. While somebody does,
and a little longer, all fetches together get a share of the bandwidth that was measured when they ran free; each asks
for its rate as it goes (ports.Fetching.rate), so it takes effect within a second, in both directions.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from shared.events import EventBus, PlaybackMoved, StreamEnded, StreamStarted
from shared.model.units import MIB, Bytes, Seconds

LINGER_S: Seconds = 8.0         # between two tracks, or two ranges of one, somebody still listens
WINDOW_S: Seconds = 5.0
BUSY_AT_LEAST_S: Seconds = 0.5  # of a window, to say anything
REMEMBERED_S: Seconds = 1800.0  # a line's bandwidth is what it was in the last half hour
PLAYER_NEWS_S: Seconds = 30.0   # a player that says nothing for so long is not counted any more
ASSUMED = 2.0 * MIB             # bytes/s, until something was measured
SLOWEST = 16.0 * 1024           # bytes/s; below this, services hang up


class Throttle:
    """share    of the measured bandwidth that fetches get while somebody listens, 0-1."""

    def __init__(self, *, events: EventBus, share: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._events = events
        self._share = share
        self._clock = clock
        self._lock = threading.Lock()
        self._endings: list[Callable[[], None]] = []
        # who listens
        self._streams = 0
        self._ended_at = float("-inf")
        self._players: dict[Any, tuple[bool, float]] = {}   # player → (plays, told at)
        # who fetches, and how fast it went
        self._fetches = 0
        self._busy_s = 0.0          # of the window that is open: time in which anybody fetched
        self._busy_since = 0.0
        self._window_bytes = 0
        self._best: deque[tuple[float, float]] = deque()    # (when, bytes/s), falling

    def start(self) -> None:
        self._endings = [
            self._events.subscribe(StreamStarted, lambda event: self._stream(+1)),
            self._events.subscribe(StreamEnded, lambda event: self._stream(-1)),
            self._events.subscribe(PlaybackMoved, self._player),
        ]

    def stop(self) -> None:
        for end in self._endings:
            end()
        self._endings = []

    # ---- who listens

    def listening(self) -> bool:
        """Whether anybody listens now, or did a moment ago.

        An open stream counts, unless all players that speak for themselves say that they are paused.
        """
        now = self._clock()
        with self._lock:
            fresh = [plays for plays, at in self._players.values() if now - at < PLAYER_NEWS_S]
            if any(fresh):
                return True
            return (self._streams > 0 and not fresh) or now - self._ended_at < LINGER_S

    def _stream(self, more: int) -> None:
        with self._lock:
            self._streams = max(0, self._streams + more)
            if more < 0 and not self._streams:
                self._ended_at = self._clock()

    def _player(self, event: PlaybackMoved) -> None:
        state = event.state
        plays = bool(state.get("playing", state.get("state") == "playing"))
        with self._lock:
            if len(self._players) > 1000:
                self._players.clear()
            self._players[event.user_id, state.get("from") or state.get("device")] = (plays, self._clock())

    # ---- how fast

    def rate(self) -> float | None:
        """Bytes/s for each running fetch now; None: all it can get."""
        if not self.listening():
            return None
        with self._lock:
            return max(SLOWEST, self._bandwidth() * self._share / max(1, self._fetches))

    @contextlib.contextmanager
    def fetching(self) -> Iterator[None]:
        """Around a fetch: who shares, and when there is something to measure."""
        with self._lock:
            if not self._fetches:
                self._busy_since = self._clock()
            self._fetches += 1
        try:
            yield
        finally:
            with self._lock:
                self._fetches -= 1
                if not self._fetches:
                    self._busy_s += self._clock() - self._busy_since
                    self._close_window(final=True)

    def fetched(self, size: Bytes) -> None:
        """So many bytes more have come in."""
        with self._lock:
            self._window_bytes += size
            self._close_window()

    def bandwidth(self) -> float | None:
        """Bytes/s, the best of the last half hour; None when nothing was measured."""
        with self._lock:
            self._close_window()
            return self._best[0][1] if self._best else None

    def _bandwidth(self) -> float:
        return self._best[0][1] if self._best else ASSUMED

    def _close_window(self, *, final: bool = False) -> None:
        now = self._clock()
        if self._fetches:
            self._busy_s += now - self._busy_since
            self._busy_since = now
        if self._busy_s >= WINDOW_S or (final and self._busy_s >= BUSY_AT_LEAST_S):
            rate = self._window_bytes / self._busy_s
            held_back = self._streams > 0 or now - self._ended_at < LINGER_S
            if not held_back or rate > self._bandwidth():   # what was slowed on purpose measures nothing
                while self._best and self._best[-1][1] <= rate:
                    self._best.pop()
                self._best.append((now, rate))
            self._busy_s, self._window_bytes = 0.0, 0
        while len(self._best) > 1 and now - self._best[0][0] > REMEMBERED_S:
            self._best.popleft()

    def state(self) -> dict[str, Any]:
        """For health pages."""
        listening, rate, bandwidth = self.listening(), self.rate(), self.bandwidth()
        return {
            "listening": listening, "share_percent": round(self._share * 100), "fetches": self._fetches,
            "bytes_per_second_each": None if rate is None else round(rate),
            "measured_bytes_per_second": None if bandwidth is None else round(bandwidth),
        }
