"""Downloads that another process wrote down (the command line): noticed within a second, and queued."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence

from shared.model.errors import SoundsibleError
from shared.model.units import Seconds

log = logging.getLogger(__name__)

LOOK_S: Seconds = 1.0


class Outside:
    """version() moves when another process has written; waiting() tells the ids of all that waits; announce(ids)
    queues them and tells who looks. Announcing one that is known already does no harm."""

    def __init__(self, *, version: Callable[[], int], waiting: Callable[[], Iterable[str]],
                 announce: Callable[[Sequence[str]], None], look_s: Seconds = LOOK_S) -> None:
        self._version, self._waiting, self._announce, self._look_s = version, waiting, announce, look_s
        self._last: int | None = None
        self._known: set[str] = set()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Once the engine has taken up what waits: that is known."""
        self._last = self._version()
        self._known = set(self._waiting())
        self._thread = threading.Thread(target=self._watch, name="downloads outside", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        if self._thread is not None:
            self._thread.join(self._look_s + 1)

    def look(self) -> list[str]:
        """Queue what is new since the last look; which. Costs one page read when nothing was written."""
        version = self._version()
        if version == self._last:
            return []
        waiting = list(self._waiting())
        new = [uid for uid in waiting if uid not in self._known]
        if new:
            self._announce(new)
        self._known = set(waiting)      # one that waits again after a failed try is queued by whoever made it wait
        self._last = version
        return new

    def _watch(self) -> None:
        while not self._ending.wait(self._look_s):
            try:
                self.look()
            except SoundsibleError as error:    # the memory is busy or its disk full: the next look may be luckier
                log.warning("new downloads of other programs cannot be looked for: %s", error.message)
            except Exception:                   # the edge of a thread
                log.exception("looking for downloads of other programs failed")
