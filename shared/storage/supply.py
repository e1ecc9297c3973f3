"""One content, wherever it lies: asked of one copy after the other, so that what fails is replaced at the same byte."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from shared.model.cloud import CloudFailure, Copy
from shared.model.units import Bytes, Seconds
from shared.storage.taps import PIECE_BYTES, Taps

log = logging.getLogger(__name__)

TRIES = 4                       # of a copy that gives nothing; one that gave some begins anew
BACKOFF_S: Seconds = 0.25       # doubled with each try
LONGEST_WAIT_S: Seconds = 8.0   # also when the provider asks for more: somebody listens
ENOUGH_BYTES: Bytes = 4096      # so much counts as having given something
LOST = frozenset({"not_there", "corrupted"})    # what is wrong with the copy, not with the way to it


class Source(Protocol):
    """What gives bytes one after the other: a tap at a provider, or a file that came back."""

    def read(self, most: int = PIECE_BYTES) -> bytes: ...

    def cut(self) -> None: ...

    def close(self) -> None: ...


@dataclass(slots=True)
class _Fault:
    count: int
    again_at: float | None      # monotonic seconds; None: not for this content any more


class Supply:
    """The copies that hold the same bytes; safe from any thread.

    spare       a file on this machine with just these bytes, open, when there is one by now; asked when no copy helps
    on_lost     hears of a copy that is gone or altered, so that it can be looked at again
    """

    def __init__(self, copies: Sequence[Copy], *, taps: Taps, spare: Callable[[], BinaryIO | None] | None = None,
                 on_lost: Callable[[Copy, CloudFailure], None] | None = None,
                 clock: Callable[[], float] = time.monotonic) -> None:
        self._copies = tuple(copies)
        self._taps = taps
        self._spare = spare
        self._on_lost = on_lost
        self._clock = clock
        self._lock = threading.Lock()
        self._faults: dict[Copy, _Fault] = {}
        self._failure: CloudFailure | None = None
        self.used: set[Copy] = set()    # gave bytes

    def flow(self, first: Bytes, last: Bytes, *, avoid: Copy | None = None) -> Flow:
        """The bytes from `first` to `last`, both included. Nothing is asked before they are read."""
        return Flow(self, first, last, avoid)

    def has_other_than(self, copy: Copy | None) -> bool:
        """Whether another copy may help now."""
        with self._lock:
            return any(one != copy and self._open_to(one) for one in self._copies)

    def forgive(self) -> None:
        """Forget what failed: somebody asks anew."""
        with self._lock:
            self._faults.clear()
            self._failure = None

    def leave_out(self, copies: set[Copy]) -> bool:
        """Ask these no more; whether there are others."""
        with self._lock:
            for one in copies:
                self._faults[one] = _Fault(TRIES, None)
            return any(self._open_to(one) for one in self._copies)

    # ---- for flows

    def _next(self, flow: Flow) -> tuple[Source, Copy | None]:
        """What to read from now, waiting for what may answer in a moment. Raises CloudFailure when nothing helps."""
        while True:
            copy, wait_s = self._choose(flow.avoid)
            if copy is not None:
                flow.copy = copy
                try:
                    return self._taps.open(copy, flow.at, flow.last), copy
                except CloudFailure as failure:
                    self._fault(copy, failure, gained=0)
                    if flow.is_cut:
                        raise
                    continue
            spare = self._spared(flow.at)
            if spare is not None:
                return spare, None
            if wait_s is None or flow.is_cut:
                raise self._last_failure()
            flow.pause(wait_s)

    def _choose(self, avoid: Copy | None) -> tuple[Copy | None, Seconds | None]:
        """The copy with the fewest faults that may be asked now; else how long until one may be; else nothing."""
        now = self._clock()
        best: tuple[int, bool, int] | None = None
        soonest: float | None = None
        with self._lock:
            for index, copy in enumerate(self._copies):
                fault = self._faults.get(copy)
                if fault is not None and fault.again_at is None:
                    continue
                if fault is not None and fault.again_at is not None and fault.again_at > now:
                    soonest = fault.again_at if soonest is None else min(soonest, fault.again_at)
                    continue
                rank = (0 if fault is None else fault.count, copy == avoid, index)
                if best is None or rank < best:
                    best = rank
        if best is not None:
            return self._copies[best[2]], None
        return None, None if soonest is None else max(0.01, soonest - now)

    def _fault(self, copy: Copy, failure: CloudFailure, *, gained: Bytes) -> None:
        log.info("reading %s from %s stopped: %s (%s)", copy.key, copy.provider, failure.message, failure.reason)
        with self._lock:
            self._failure = failure
            if gained >= ENOUGH_BYTES and failure.retryable:
                self._faults[copy] = _Fault(1, self._clock())
            elif not failure.retryable:
                self._faults[copy] = _Fault(TRIES, None)
            else:
                count = 1 + (self._faults[copy].count if copy in self._faults else 0)
                wait_s = max(BACKOFF_S * 2 ** (count - 1), failure.retry_after_s or 0.0)
                self._faults[copy] = _Fault(
                    count, self._clock() + min(wait_s, LONGEST_WAIT_S) if count < TRIES else None)
        if failure.reason in LOST and self._on_lost is not None:
            self._on_lost(copy, failure)

    def _open_to(self, copy: Copy) -> bool:
        return copy not in self._faults or self._faults[copy].again_at is not None

    def _spared(self, at: Bytes) -> Source | None:
        file = None if self._spare is None else self._spare()
        return None if file is None else _FileTap(file, at)

    def _last_failure(self) -> CloudFailure:
        failure = self._failure
        if failure is None:
            return CloudFailure("No copy of this track can be asked now.", reason="no_answer")
        return CloudFailure(failure.message, reason=failure.reason, provider=failure.provider,
                            retry_after_s=failure.retry_after_s)


class Flow:
    """Bytes in order, from whoever gives them. For one thread; `cut` from any."""

    def __init__(self, supply: Supply, first: Bytes, last: Bytes, avoid: Copy | None) -> None:
        self._supply = supply
        self._source: Source | None = None
        self._gained: Bytes = 0             # from this source
        self._cut = threading.Event()
        self._lock = threading.Lock()
        self.at = first
        self.last = last
        self.avoid = avoid
        self.copy: Copy | None = None       # asked now; None: nobody yet, or a file on this machine

    @property
    def is_cut(self) -> bool:
        return self._cut.is_set()

    def read(self, most: Bytes = PIECE_BYTES) -> bytes:
        """What has come, `most` bytes at most; b"" at the end, and when it was cut.

        Raises CloudFailure when no copy, and no file on this machine, goes on with it.
        """
        while self.at <= self.last and not self._cut.is_set():
            source = self._source
            if source is None:
                try:
                    source, copy = self._supply._next(self)
                except CloudFailure:
                    if self._cut.is_set():
                        return b""
                    raise
                with self._lock:
                    self._source, self.copy, self._gained = source, copy, 0
                if self._cut.is_set():
                    return b""
            try:
                data = source.read(min(most, self.last + 1 - self.at))
            except CloudFailure as failure:
                if self._cut.is_set():
                    return b""
                if self.copy is None:
                    self._supply._spare = None
                else:
                    self._supply._fault(self.copy, failure, gained=self._gained)
                self._drop()
                continue
            if self.copy is not None and not self._gained:
                self._supply.used.add(self.copy)
            self.at += len(data)
            self._gained += len(data)
            return data
        return b""

    def pause(self, seconds: Seconds) -> None:
        """Wait, unless it is cut."""
        self._cut.wait(seconds)

    def cut(self) -> None:
        """End it, whatever it waits for."""
        self._cut.set()
        with self._lock:
            if self._source is not None:
                self._source.cut()

    def close(self) -> None:
        self._cut.set()
        self._drop()

    def _drop(self) -> None:
        with self._lock:
            source, self._source = self._source, None
        if source is not None:
            source.close()


class _FileTap:
    """A file on this machine, from some byte on."""

    def __init__(self, file: BinaryIO, at: Bytes) -> None:
        self._file = file
        self._at = at

    def read(self, most: int = PIECE_BYTES) -> bytes:
        try:
            self._file.seek(self._at)
            data = self._file.read(most)
        except OSError as error:
            raise CloudFailure(f"The file cannot be read ({error.strerror}).", reason="no_answer") from error
        if most and not data:
            raise CloudFailure("The file ended early.", reason="no_answer")
        self._at += len(data)
        return data

    def cut(self) -> None:
        """Nothing to wait for."""

    def close(self) -> None:
        self._file.close()
