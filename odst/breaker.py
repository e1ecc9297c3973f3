"""Circuit breakers: a service that fails three times in a row is left alone for a minute, then asked once.

One for each provider or service and operation (for direct links: each host). Only faults of the service's own count
(model.download.SERVICE_FAULTS); a bad file or a private video shows that it works. Written down as they change, so
that a restart forgets nothing.

    closed ──three faults──▶ open ──60 s──▶ half_open ──the one probe succeeds──▶ closed
                              ▲                 └──the probe fails──┐
                              └─────────────────────────────────────┘
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from shared.model.download import Failure
from shared.model.errors import SoundsibleError
from shared.model.units import Seconds

log = logging.getLogger(__name__)

FAULTS_TO_OPEN = 3
OPEN_S: Seconds = 60.0
PROBE_S: Seconds = 15 * 60.0        # a probe that was never told of has been lost after so long
LOOK_AGAIN_S: Seconds = 5.0         # for who finds the one probe under way
SAVED_AT_LEAST_EVERY_S: Seconds = 60.0
MOST_KEPT = 200                     # beyond it those in no trouble are forgotten: each host of a link has one

#: Failures in which neither the service nor its answer had a part: they tell nothing about it.
_SILENT = frozenset({"connection_lost", "rate_limited", "disk_full", "library_offline", "read_only", "no_music_folder",
                     "crashed", "out_of_time", "out_of_memory", "cancelled", "internal", "not_configured", "blocked",
                     "forbidden_address", "bad_link", "no_candidates", "no_permission"})


#: What services are called, for people.
_NAMES = {"youtube": "YouTube", "soulseek": "Soulseek", "deezer": "Deezer", "musicbrainz": "MusicBrainz",
          "spotify": "Spotify", "coverart": "The Cover Art Archive", "lrclib": "LRCLIB", "acoustid": "AcoustID",
          "local": "the library"}


def called(name: str, operation: str = "") -> str:
    """A service for people: "YouTube"; of direct links the host that is asked."""
    if name == "direct":
        return operation if "." in operation or ":" in operation else "The link's host"
    return _NAMES.get(name, name)


class Store(Protocol):
    """records.breakers.Breakers."""

    def load(self) -> list[Any]: ...

    def save(self, row: Any) -> None: ...


@dataclass(slots=True)
class _Breaker:
    name: str
    operation: str
    state: str = "closed"               # closed open half_open
    failure_count: int = 0              # in a row
    opened_at: float | None = None      # Unix seconds, as all times here
    last_success: float | None = None
    last_failure: float | None = None
    last_error: str | None = None
    probe_at: float | None = None       # when the one probe was let go
    saved_at: float = 0.0


class Breakers:
    """Safe from any thread. `row` makes what the store keeps (records.breakers.BreakerRow); `on_change(name,
    operation, state)` is called when one opens or closes."""

    def __init__(self, *, store: Store | None = None, row: Callable[..., Any] | None = None,
                 clock: Callable[[], float] = time.time,
                 on_change: Callable[[str, str, str], None] | None = None) -> None:
        self._store = store
        self._row = row
        self._clock = clock
        self._on_change = on_change
        self._lock = threading.Lock()
        self._breakers: dict[tuple[str, str], _Breaker] = {}

    def load(self) -> None:
        """Take up what is written down. A probe that was under way is lost."""
        for row in self._store.load() if self._store is not None else ():
            self._breakers[row.name, row.operation] = _Breaker(
                row.name, row.operation, "open" if row.state == "half_open" else row.state, row.failure_count,
                row.opened_at, row.last_success, row.last_failure, row.last_error)

    def know(self, name: str, operation: str) -> None:
        """List it among the states from now on, also while nothing was asked of it yet."""
        with self._lock:
            self._of(name, operation)

    # ---- asking and telling

    def allow(self, name: str, operation: str) -> float | None:
        """None: go on, and tell how it went (when half open, the caller is the one probe). Else when it opens."""
        with self._lock:
            return self._closed_until(self._of(name, operation), take_probe=True)

    def opens_at(self, name: str, operation: str) -> float | None:
        """As `allow`, for who only wants to know."""
        with self._lock:
            return self._closed_until(self._of(name, operation), take_probe=False)

    def succeeded(self, name: str, operation: str) -> None:
        with self._lock:
            breaker, now = self._of(name, operation), self._clock()
            changed = breaker.state != "closed"
            news = changed or breaker.failure_count or now - breaker.saved_at > SAVED_AT_LEAST_EVERY_S
            breaker.state, breaker.failure_count, breaker.opened_at, breaker.probe_at = "closed", 0, None, None
            breaker.last_success = now
            if news:
                self._save(breaker)
        if changed:
            self._tell(breaker, "answers again")

    def failed(self, name: str, operation: str, failure: Failure) -> None:
        if failure.code in _SILENT:
            return self.let_go(name, operation)
        if not failure.service_fault:
            return self.succeeded(name, operation)
        with self._lock:
            breaker, now = self._of(name, operation), self._clock()
            breaker.failure_count += 1
            breaker.last_failure, breaker.last_error, breaker.probe_at = now, failure.message, None
            changed = breaker.state == "half_open" or (
                breaker.state == "closed" and breaker.failure_count >= FAULTS_TO_OPEN)
            if changed:
                breaker.state = "open"
                breaker.opened_at = now + max(0.0, (failure.retry_after_s or 0.0) - OPEN_S)
            self._save(breaker)
        if changed:
            self._tell(breaker, f"is left alone for a while: {failure.message}")

    def let_go(self, name: str, operation: str) -> None:
        """Nothing was learnt: a probe that was taken may be taken by somebody else."""
        with self._lock:
            breaker = self._of(name, operation)
            if breaker.state == "half_open" and breaker.probe_at is not None:
                breaker.probe_at = None

    @contextlib.contextmanager
    def guard(self, name: str, operation: str) -> Iterator[None]:
        """Around one call of the service. Raises Failure "refused" with `retry_after_s` and the detail `opens_at`
        while it is open."""
        opens_at = self.allow(name, operation)
        if opens_at is not None:
            wait_s = max(1.0, opens_at - self._clock())
            at = datetime.fromtimestamp(self._clock() + wait_s).strftime("%H:%M:%S")
            raise Failure("refused", f"{called(name, operation)} does not answer (asked again at {at}).",
                          provider=name, retry_after_s=wait_s, opens_at=opens_at)
        try:
            yield
        except Failure as failure:
            self.failed(name, operation, failure)
            raise
        except BaseException:
            self.let_go(name, operation)
            raise
        self.succeeded(name, operation)

    def others_open(self, name: str, operation: str) -> bool:
        """Whether another operation of the same service is left alone (of direct links each host is its own)."""
        with self._lock:
            return name != "direct" and any(one.state != "closed" for one in self._breakers.values()
                                            if one.name == name and one.operation != operation)

    def states(self) -> list[dict[str, Any]]:
        """All of them for people, times as RFC 3339."""
        with self._lock:
            now = self._clock()
            found = []
            for one in sorted(self._breakers.values(), key=lambda one: (one.name, one.operation)):
                opens_at = self._closed_until(one, take_probe=False) if one.state == "open" else None
                due = one.state == "open" and opens_at is None
                found.append({
                    "name": one.name, "operation": one.operation, "state": "half_open" if due else one.state,
                    "failure_count": one.failure_count, "last_success": _shown(one.last_success),
                    "last_failure": _shown(one.last_failure), "last_error": one.last_error,
                    "opens_at": _shown(opens_at) if opens_at is not None and opens_at > now else None,
                })
            return found

    # ---- inside

    def _of(self, name: str, operation: str) -> _Breaker:
        found = self._breakers.get((name, operation))
        if found is None:
            if len(self._breakers) >= MOST_KEPT:
                self._forget_some()
            found = self._breakers[name, operation] = _Breaker(name, operation)
        return found

    def _forget_some(self) -> None:
        """Those of hosts that are closed, the longest unheard of first, half of all that may be kept."""
        spare = sorted((one for one in self._breakers.values() if one.name == "direct" and one.state == "closed"),
                       key=lambda one: max(one.last_success or 0.0, one.last_failure or 0.0))
        for one in spare[:MOST_KEPT // 2]:
            del self._breakers[one.name, one.operation]

    def _closed_until(self, breaker: _Breaker, *, take_probe: bool) -> float | None:
        if breaker.state == "closed":
            return None
        now = self._clock()
        if breaker.state == "open":
            opens_at = (breaker.opened_at or 0.0) + OPEN_S
            if now < opens_at:
                return opens_at
            if take_probe:
                breaker.state = "half_open"
                self._save(breaker)
        if breaker.probe_at is not None and now - breaker.probe_at < PROBE_S:
            return now + LOOK_AGAIN_S
        if take_probe:
            breaker.probe_at = now
        return None

    def _save(self, breaker: _Breaker) -> None:
        breaker.saved_at = self._clock()
        if self._store is None or self._row is None:
            return
        try:
            self._store.save(self._row(
                name=breaker.name, operation=breaker.operation, state=breaker.state,
                failure_count=breaker.failure_count, opened_at=breaker.opened_at, last_success=breaker.last_success,
                last_failure=breaker.last_failure, last_error=breaker.last_error))
        except SoundsibleError as error:    # it holds in memory; a full disk must not add to the trouble
            log.warning("the state of %s cannot be written down: %s", breaker.name, error.message)

    def _tell(self, breaker: _Breaker, what: str) -> None:
        log.log(logging.INFO if breaker.state == "closed" else logging.WARNING, "%s (%s) %s", breaker.name,
                breaker.operation, what)
        if self._on_change is not None:
            self._on_change(breaker.name, breaker.operation, breaker.state)


def _shown(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
