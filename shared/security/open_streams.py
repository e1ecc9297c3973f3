"""What is on its way to somebody right now, so that it can be ended the moment their token counts no more.

Long answers enter with the token they came with and a way to hang up. Hanging up ends the connection itself: whatever
sends on it (the server, a relay from the cloud, a transcode) fails with its next byte, also when the client is slow.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from shared.events import EventBus, SessionsEnded
from shared.model.units import Seconds

log = logging.getLogger(__name__)

REMEMBERED_S: Seconds = 30.0    # an ending, for answers that began before it and enter after it

HangUp = Callable[[], object]


class Handle(NamedTuple):
    token_id: int
    number: int


class OpenStreams:
    """Safe from any thread. `clock` gives seconds that only grow."""

    def __init__(self, *, events: EventBus | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[int, dict[int, HangUp]] = {}   # token id → number → deed
        self._ended: dict[int, float] = {}              # token id → when, the earliest first
        self._numbers = itertools.count()
        if events is not None:
            events.subscribe(SessionsEnded, lambda event: self.end(event.token_ids))

    def enter(self, token_id: int, hang_up: HangUp | None, *, since: float | None = None) -> Handle:
        """An answer begins. `hang_up` may be called from any thread, once. `since`: when (clock) the token was looked
        at; if it has ended meanwhile, it is hung up at once."""
        handle = Handle(token_id, next(self._numbers))
        if hang_up is None:
            return handle
        with self._lock:
            ended_at = self._ended.get(token_id)
            late = since is not None and ended_at is not None and ended_at >= since
            if not late:
                self._open.setdefault(token_id, {})[handle.number] = hang_up
        if late:
            _do(hang_up)
        return handle

    def leave(self, handle: Handle) -> None:
        """The answer is over. Leaving twice is no harm."""
        with self._lock:
            numbers = self._open.get(handle.token_id)
            if numbers is not None:
                numbers.pop(handle.number, None)
                if not numbers:
                    del self._open[handle.token_id]

    def end(self, token_ids: Iterable[int]) -> None:
        """Hang up on all that these tokens hold open."""
        due: list[HangUp] = []
        now = self._clock()
        with self._lock:
            while self._ended and now - next(iter(self._ended.values())) > REMEMBERED_S:
                del self._ended[next(iter(self._ended))]
            for token_id in token_ids:
                self._ended.pop(token_id, None)
                self._ended[token_id] = now
                due += self._open.pop(token_id, {}).values()
        for hang_up in due:
            _do(hang_up)

    def __len__(self) -> int:
        """Answers on their way."""
        with self._lock:
            return sum(map(len, self._open.values()))


def _do(hang_up: HangUp) -> None:
    try:
        hang_up()
    except Exception:  # the edge between rooms: the others must be hung up too
        log.exception("a connection could not be ended")
