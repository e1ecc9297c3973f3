"""What the station does between this machine and the cloud by itself: copy what is new, bring back what is pinned.

When something happened in the library and then nothing more for a while, it looks what lacks a copy and what is pinned
and not here, and has that done as errands. It looks at the library, not at the events: what happened while the station
was off, or was cut off, is found as well. What was tried is not tried again before it changes, or the next start.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from typing import Any

from shared.cloud.errands import MOST_GATHERED, Errands
from shared.events import DownloadMoved, EventBus, LibraryChanged
from shared.model.download import Status
from shared.model.errand import Selection
from shared.model.errors import SoundsibleError
from shared.model.units import Seconds
from shared.records.uncopied import Uncopied
from shared.settings import Settings

log = logging.getLogger(__name__)

QUIET_S: Seconds = 15.0         # after the last thing that happened …
PATIENCE_S: Seconds = 300.0     # … or the first
FIRST_S: Seconds = 60.0         # after the start, when the station has enough to do


class StandingOrders:
    """pins: cloud.pins.Pins; providers: storage.providers.Providers."""

    def __init__(
        self,
        *,
        errands: Errands,
        pins: Any,
        uncopied: Uncopied,
        providers: Any,
        settings: Settings,
        events: EventBus,
        quiet_s: Seconds = QUIET_S,
        first_s: Seconds = FIRST_S,
    ) -> None:
        self._errands = errands
        self._pins = pins
        self._uncopied = uncopied
        self._providers = providers
        self._settings = settings
        self._events = events
        self._quiet_s, self._first_s = quiet_s, first_s
        self._changed = threading.Condition()
        self._stirred_at: float | None = None       # monotonic: the last thing that happened
        self._since = 0.0                           # … and the first that was not looked at
        self._ending = False
        self._thread: threading.Thread | None = None
        self._tried: set[tuple[str, ...]] = set()
        self._endings: list[Any] = []

    def start(self) -> None:
        self._endings = [self._events.subscribe(LibraryChanged, self._stir),
                         self._events.subscribe(DownloadMoved, self._hear_download)]
        self._thread = threading.Thread(target=self._run, name="standing orders", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        for end in self._endings:
            end()
        with self._changed:
            self._ending = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(1.0)

    def turn(self) -> Sequence[str]:
        """Look now; the ids of the errands that this led to."""
        made = []
        wanting = self._new("fetch", [(uid, "") for uid in self._pins.wanting()])
        for some in _parts(wanting):
            made.append(self._errands.gather("fetch", Selection(track_ids=some)))
        provider = None if self._settings.cloud_copy == "off" else self._providers.default()
        if provider is not None:
            lacking = self._uncopied.at(provider.name, downloads=self._settings.cloud_copy == "downloads")
            for some in _parts(self._new(f"upload {provider.name}", lacking)):
                made.append(self._errands.gather("upload", Selection(provider=provider.name, track_ids=some)))
        return [one.id for one in made if one is not None]

    def _new(self, what: str, found: Sequence[tuple[str, str]]) -> list[str]:
        """Those that were not tried yet, as they are."""
        wanted = {(what, uid, stamp) for uid, stamp in found}
        self._tried = {one for one in self._tried if one[0] != what or one in wanted}      # the rest was done
        fresh = [uid for uid, stamp in found if (what, uid, stamp) not in self._tried]
        self._tried |= wanted
        return fresh

    # ---- when ------------------------------------------------------------------------------------------------------

    def _hear_download(self, event: DownloadMoved) -> None:
        if event.download.status == Status.COMPLETED:
            self._stir(event)

    def _stir(self, event: object) -> None:
        with self._changed:
            now = time.monotonic()
            if self._stirred_at is None:
                self._since = now
                self._changed.notify()
            self._stirred_at = now

    def _run(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._ending, self._first_s)
            self._stirred_at = self._since = time.monotonic() - self._quiet_s
        while not self._ending:
            with self._changed:
                self._changed.wait_for(lambda: self._ending or self._stirred_at is not None)
                while not self._ending and self._stirred_at is not None:
                    wait_s = min(self._stirred_at + self._quiet_s, self._since + PATIENCE_S) - time.monotonic()
                    if wait_s <= 0:
                        break
                    self._changed.wait(wait_s)
                self._stirred_at = None
            if not self._ending:
                self._look()

    def _look(self) -> None:
        try:
            self.turn()
        except SoundsibleError as error:
            log.warning("what is to be copied or brought back could not be looked up: %s", error.message)
        except Exception:  # the edge of a thread; it must not end
            log.exception("what is to be copied or brought back could not be looked up")


def _parts(uids: Sequence[str]) -> Sequence[tuple[str, ...]]:
    return [tuple(uids[start:start + MOST_GATHERED]) for start in range(0, len(uids), MOST_GATHERED)]
