"""Things made when somebody asks for them: one request makes a thing while the others wait for it, and what cannot be
made is not tried again for a while."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from shared.model.errors import NotFound
from shared.model.units import Seconds


class Making:
    """Safe to use from many threads. Remembers at most `refusals` things that could not be made, the latest."""

    def __init__(self, *, refusals: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = refusals
        self._clock = clock
        self._lock = threading.Lock()
        self._under_way: dict[str, threading.Event] = {}                    # key → set when that making has ended
        self._refused: OrderedDict[str, tuple[float, str]] = OrderedDict()  # thing → until when, why

    def once(
        self, key: str, *, is_there: Callable[[], bool], make: Callable[[], None], patience_s: Seconds
    ) -> bool:
        """Return when `is_there()`, by this caller's `make()` or that of another who asked for `key`; False when
        `patience_s` were spent waiting for others. What either of the two raises goes through, to this caller alone.
        """
        until = self._clock() + patience_s
        while True:
            with self._lock:
                others = self._under_way.get(key)
                if others is None:
                    mine = self._under_way[key] = threading.Event()
            if others is None:
                try:
                    if not is_there():      # somebody may have been quicker
                        make()
                    return True
                finally:
                    with self._lock:
                        del self._under_way[key]
                    mine.set()
            if not others.wait(max(0.0, until - self._clock())):
                return False
            if is_there():
                return True

    def refuse(self, thing: str, holds_s: Seconds, message: str) -> NotFound:
        """It cannot be made, and is not to be tried again for so long; what to raise."""
        with self._lock:
            self._refused[thing] = (self._clock() + holds_s, message)
            while len(self._refused) > self._most:
                self._refused.popitem(last=False)
        return NotFound(message)

    def raise_if_refused(self, thing: str) -> None:
        """Raises NotFound while it is not to be tried again."""
        known = self._refused.get(thing)
        if known is not None:
            if self._clock() < known[0]:
                raise NotFound(known[1])
            self._refused.pop(thing, None)
