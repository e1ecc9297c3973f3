"""Providers that do not answer are left alone for a while, so that nobody who listens waits for them again and again.

    closed ──three faults in a row──▶ open ──a while──▶ half open ──one request succeeds──▶ closed
                                       ▲                    └── it fails: twice as long ──┐
                                       └──────────────────────────────────────────────────┘

Only silence counts as a fault: who refuses answers.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from shared.model.cloud import CloudFailure
from shared.model.units import Seconds

State = Literal["closed", "half_open", "open"]

FAULTS_TO_OPEN = 3
OPEN_S: Seconds = 5.0               # the first time
OPEN_AT_MOST_S: Seconds = 120.0
PROBE_S: Seconds = 30.0             # a probe that was never told of has been lost after so long
FAULTS = frozenset({"no_answer"})


@dataclass(slots=True)
class _Circuit:
    faults: int = 0                 # in a row
    lasts_s: Seconds = OPEN_S
    opened_at: float | None = None
    probe_at: float | None = None


class Circuits:
    """One for each provider by name; safe from any thread. `on_change(name, state)` hears "open" and "closed"."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic,
                 on_change: Callable[[str, State], None] | None = None) -> None:
        self._clock = clock
        self._on_change = on_change
        self._lock = threading.Lock()
        self._circuits: dict[str, _Circuit] = {}

    def state(self, name: str) -> State:
        with self._lock:
            one = self._circuits.get(name)
            if one is None or one.opened_at is None:
                return "closed"
            return "open" if self._clock() - one.opened_at < one.lasts_s else "half_open"

    def allow(self, name: str) -> bool:
        """Whether to ask it now, and then to tell how it went. While it is half open, one may."""
        with self._lock:
            one = self._circuits.get(name)
            if one is None or one.opened_at is None:
                return True
            now = self._clock()
            if now - one.opened_at < one.lasts_s:
                return False
            if one.probe_at is not None and now - one.probe_at < PROBE_S:
                return False
            one.probe_at = now
            return True

    def answered(self, name: str) -> None:
        """It gave an answer, whatever it was."""
        with self._lock:
            one = self._circuits.pop(name, None)
        if one is not None and one.opened_at is not None:
            self._tell(name, "closed")

    def failed(self, name: str, failure: CloudFailure) -> None:
        """It did not do what was asked."""
        if failure.reason not in FAULTS:
            self.answered(name)
            return
        with self._lock:
            one = self._circuits.setdefault(name, _Circuit())
            one.faults += 1
            probed, one.probe_at = one.probe_at is not None, None
            opens = one.opened_at is None and one.faults >= FAULTS_TO_OPEN
            if opens:
                one.opened_at = self._clock()
            elif probed:
                one.opened_at = self._clock()
                one.lasts_s = min(OPEN_AT_MOST_S, one.lasts_s * 2)
        if opens:
            self._tell(name, "open")

    def _tell(self, name: str, state: State) -> None:
        if self._on_change is not None:
            self._on_change(name, state)
