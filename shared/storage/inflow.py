"""One fetch from the cloud for everybody who listens, and for the cache.

    bucket ──runner──▶ .part of the cache (sparse) ──▶ listener ──▶ sendfile
           ──runner──▶   which bytes are there: Spans    └──▶ another listener, at another place

A *runner* is a thread with one request; it writes what comes where it belongs. A *reader* is one listener: it waits
until the byte it stands at is there and then sends from the file, so a client that is slow or paused holds nothing up
and costs no memory. Who jumps ahead of what is there gets a runner of their own; one that nobody waits for any more
gives way. When all is there, the cache looks at the hash; then it counts.

Where the cache has no room, a reader reads alone, from a request of its own. Failures are the supply's: the next copy
goes on at the same byte.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from shared.model.cloud import CloudFailure, Copy
from shared.model.errors import Overloaded
from shared.model.source import CloudFile, TrackFile
from shared.model.units import KIB, MIB, Bytes, Seconds
from shared.storage.spans import Spans
from shared.storage.supply import LOST, Flow, Supply
from shared.storage.taps import Taps

if TYPE_CHECKING:
    from shared.records.copies import Copies
    from shared.storage.cache import Cache, Incoming, Lease

log = logging.getLogger(__name__)

RUNNERS = 24                    # requests under way for listeners together; each is a thread and a connection
RUNNERS_EACH = 3                # for one content
ALONE = 24                      # readers without room in the cache, each with a request of their own
NEAR_BYTES: Bytes = 256 * KIB   # so far ahead of a runner it is waited for
NEAR_S: Seconds = 0.4           # … or what it brings in so long
HEDGE_S: Seconds = 3.0          # a runner that brings nothing for so long gets a rival at another copy
WAIT_S: Seconds = 30.0          # nothing for so long, and the listener is told
SHORT_BYTES: Bytes = MIB        # is there in a moment
LINGER_S: Seconds = 10.0        # after the last listener: they may be about to come back elsewhere in the track
FINISH_S: Seconds = 180.0       # … or nearly all is there: it is completed, within this
SMALL_REST_BYTES: Bytes = 8 * MIB
KEPT_S: Seconds = 300.0         # what was not completed stays so long
KEPT = 4                        # … and so many of them
FORGIVEN_S: Seconds = 0.25      # after a failure, who asks again is tried again
POLITE_S: Seconds = 0.05        # what nobody listens to waits so long after each piece while somebody else is waiting
STOP_S: Seconds = 1.0
_CHUNK: Bytes = 64 * KIB


class _NoRoom(Exception):
    """The bytes cannot be kept: read alone."""


@dataclass(eq=False, slots=True)
class _Runner:
    at: Bytes                           # the next byte it brings
    until: Bytes                        # up to there it goes, this one not included
    flow: Flow
    moved_at: float                     # monotonic seconds: when it began or last brought something
    rate: float = 0.0                   # bytes per second, smoothed
    stopped: bool = False

    def stop(self) -> None:
        self.stopped = True
        self.flow.cut()


@dataclass(eq=False, slots=True)
class _Inflow:
    """One content on its way into the cache. Its fields belong to the lock of Inflows."""

    sha256: str
    size: Bytes
    supply: Supply
    incoming: Incoming
    changed: threading.Condition
    have: Spans
    readers: dict[Reader, Bytes] = field(default_factory=dict)      # where each stands
    runners: list[_Runner] = field(default_factory=list)
    left_at: float = 0.0                # monotonic seconds: since then nobody listens
    failure: CloudFailure | None = None
    failed_at: float = 0.0
    over: bool = False                  # no runner begins any more: it is whole, spoiled or let go
    spoiled: bool = False               # its file cannot be written, or holds wrong bytes
    whole: bool = False
    discards: bool = False
    closed: bool = False                # its file is let go of

    @property
    def worth_finishing(self) -> bool:
        return self.have.total * 2 >= self.size or self.size - self.have.total <= SMALL_REST_BYTES


class Inflows:
    """All contents that are on their way in; safe from any thread.

    spare   a file on this machine that holds just these bytes by now (its disk came back), open, or None
    """

    def __init__(self, *, cache: Cache, copies: Copies, taps: Taps,
                 spare: Callable[[TrackFile, str], BinaryIO | None] | None = None) -> None:
        self._cache = cache
        self._copies = copies
        self._taps = taps
        self._spare = spare
        self._lock = threading.Lock()
        self._making = threading.Lock()
        self._inflows: dict[str, _Inflow] = {}
        self._running = 0
        self._alone = 0
        self._hungry = 0                # readers who wait for bytes now
        self._threads: set[threading.Thread] = set()
        self._warden: threading.Thread | None = None
        self._wake = threading.Event()
        self._proving: set[tuple[str, str]] = set()
        self._stopped = False

    def open(self, source: CloudFile, file: TrackFile) -> Reader:
        """The bytes of `source`, to be read like a file. Costs nothing before they are asked for."""
        return Reader(self, source, self._supply(source, file))

    def states(self) -> dict[str, int]:
        """How much is under way, for who watches over it."""
        with self._lock:
            return {"inflows": len(self._inflows), "runners": self._running, "alone": self._alone,
                    "readers": sum(len(one.readers) for one in self._inflows.values()), "waiting": self._hungry}

    def stop(self) -> None:
        """End every request; who waits hears an error. What is not whole is given up."""
        with self._lock:
            self._stopped = True
            for inflow in self._inflows.values():
                inflow.over = inflow.discards = True
                for runner in inflow.runners:
                    runner.stop()
                inflow.changed.notify_all()
            threads = list(self._threads)
        self._wake.set()
        until = time.monotonic() + STOP_S
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
        with self._lock:
            left = [one for one in self._inflows.values() if not one.runners]
            self._inflows = {one.sha256: one for one in self._inflows.values() if one.runners}
        for inflow in left:
            self._discard(inflow)

    # ---- for readers ----------------------------------------------------------------------------------------------

    def _join(self, reader: Reader) -> _Inflow:
        """The content's inflow, begun if it has to be; the reader gets its descriptor. Raises _NoRoom, CloudFailure."""
        source = reader.source
        with self._lock:
            found = self._known(source.sha256, reader)
        if found is not None:
            return found
        with self._making:
            with self._lock:
                found = self._known(source.sha256, reader)
            if found is not None:
                return found
            incoming = self._room(source)
            if incoming is None:
                raise _NoRoom
            inflow = _Inflow(source.sha256, source.size_bytes, reader.supply, incoming,
                             threading.Condition(self._lock), Spans(source.size_bytes))
            with self._lock:
                if not self._stopped:
                    reader._fd = _reopened(incoming)
                    inflow.readers[reader] = 0
                    self._inflows[source.sha256] = inflow
                    self._watch()
                    return inflow
        incoming.close()
        raise _stopping()

    def _known(self, sha256: str, reader: Reader) -> _Inflow | None:
        """The lock is held."""
        inflow = self._inflows.get(sha256)
        if inflow is None or inflow.closed or (inflow.over and not inflow.whole):
            return None
        try:
            reader._fd = _reopened(inflow.incoming)
        except OSError:     # it gets its final name in this very moment
            return None
        inflow.readers[reader] = 0
        if inflow.failure is not None:
            inflow.supply = reader.supply       # whose copies may be others by now
        return inflow

    def _room(self, source: CloudFile) -> Incoming | None:
        """A place for the bytes; what nobody listens to and is not whole gives way for it."""
        while True:
            incoming = self._cache.incoming(source.sha256, source.size_bytes, source.mime_type)
            if incoming is not None:
                return incoming
            with self._lock:
                parked = [one for one in self._inflows.values()
                          if not one.readers and not one.runners and not one.over]
                if not parked:
                    return None
                oldest = min(parked, key=lambda one: one.left_at)
                oldest.over = oldest.discards = True
                del self._inflows[oldest.sha256]
            self._discard(oldest)

    def _await(self, reader: Reader, inflow: _Inflow, at: Bytes) -> Bytes:
        """Wait until the byte at `at` is there; up to where all is there from it on.

        Raises _NoRoom when the bytes cannot be kept any more, CloudFailure when none come.
        """
        with self._lock:
            inflow.readers[reader] = at
            reach = inflow.have.reach(at)
            if reach > at and not inflow.spoiled:
                return reach
            if inflow.failure is not None and time.monotonic() - inflow.failed_at > FORGIVEN_S:
                inflow.failure = None
                inflow.supply.forgive()
            came_at, came = time.monotonic(), inflow.have.total
            self._hungry += 1
            try:
                while True:
                    if inflow.spoiled:
                        raise _NoRoom
                    reach = inflow.have.reach(at)
                    if reach > at:
                        return reach
                    if self._stopped:
                        raise _stopping()
                    if inflow.over:
                        raise _NoRoom
                    if inflow.failure is not None:
                        raise _again(inflow.failure)
                    now = time.monotonic()
                    if inflow.have.total != came:
                        came_at, came = now, inflow.have.total
                    if now - came_at > WAIT_S:
                        raise CloudFailure("The storage this track lies in does not answer in time.",
                                           reason="no_answer")
                    self._see_to(inflow, at, now)
                    inflow.changed.wait(0.25)
            finally:
                self._hungry -= 1

    def _leave(self, reader: Reader, inflow: _Inflow) -> None:
        with self._lock:
            inflow.readers.pop(reader, None)
            if inflow.readers:
                self._stop_unneeded(inflow)
            else:
                inflow.left_at = time.monotonic()

    def _enter_alone(self) -> None:
        with self._lock:
            if self._stopped:
                raise _stopping()
            if self._alone >= ALONE:
                raise Overloaded("As many tracks are playing from the cloud as the station can bring at once. Try "
                                 "again in ten seconds.", retry_after_s=10)
            self._alone += 1

    def _leave_alone(self) -> None:
        with self._lock:
            self._alone -= 1

    # ---- runners --------------------------------------------------------------------------------------------------

    def _see_to(self, inflow: _Inflow, at: Bytes, now: float) -> None:
        """Let a runner bring the byte at `at`, which is missing; the lock is held."""
        active = [one for one in inflow.runners if not one.stopped]
        coming = max((one for one in active if one.at <= at < one.until), key=lambda one: one.at, default=None)
        avoid: Copy | None = None
        if coming is not None and at - coming.at <= max(NEAR_BYTES, coming.rate * NEAR_S):
            late = now - coming.moved_at > HEDGE_S
            if not late or not inflow.supply.has_other_than(coming.flow.copy):
                return
            avoid = coming.flow.copy
            log.info("%s brings nothing; another copy is asked", avoid.provider if avoid else "a provider")
            coming.stop()
            active.remove(coming)
        if len(active) >= RUNNERS_EACH:
            idle = [one for one in active if not self._needed(inflow, one)]
            if not idle:
                return
            idle[0].stop()
        if self._running >= RUNNERS and not self._make_way():
            return
        gap = inflow.have.gap(at)
        if gap is None:
            return
        for one in active:
            if one.at <= at < one.until:
                one.until = at
        ends = [one.at for one in inflow.runners if not one.stopped and one.at > at]
        self._start(inflow, at, min([gap[1], *ends]), now, avoid)
        self._stop_unneeded(inflow)

    def _start(self, inflow: _Inflow, at: Bytes, until: Bytes, now: float, avoid: Copy | None = None) -> None:
        runner = _Runner(at, until, inflow.supply.flow(at, until - 1, avoid=avoid), now)
        thread = threading.Thread(target=self._run, args=(inflow, runner), daemon=True,
                                  name=f"inflow {inflow.sha256[:8]}")
        inflow.runners.append(runner)
        self._running += 1
        self._threads.add(thread)
        try:
            thread.start()
        except RuntimeError as error:       # no thread to be had: who waits asks again
            log.warning("no thread could be started for a track from the cloud (%s)", error)
            inflow.runners.remove(runner)
            self._running -= 1
            self._threads.discard(thread)

    def _needed(self, inflow: _Inflow, runner: _Runner) -> bool:
        """Whether it brings what a listener will come to next; the lock is held."""
        for at in inflow.readers.values():
            gap = inflow.have.gap(at)
            if gap is not None and runner.at <= gap[0] < runner.until:
                return True
        return False

    def _stop_unneeded(self, inflow: _Inflow) -> None:
        """Where a listener waits for one runner, the others of that content do not take bandwidth from it; but a look
        at the end of a file, which players take before they begin, costs nobody the connection."""
        active = [one for one in inflow.runners if not one.stopped]
        needed = [one for one in active if self._needed(inflow, one)]
        if sum(one.until - one.at for one in needed) > SHORT_BYTES:
            for one in active:
                if one not in needed:
                    one.stop()

    def _make_way(self) -> bool:
        """Stop a runner that nobody listens to; whether there is room at once (else the one who asks looks again)."""
        for inflow in self._inflows.values():
            if not inflow.readers:
                for one in inflow.runners:
                    if not one.stopped:
                        one.stop()
                        return False
        return False

    def _run(self, inflow: _Inflow, runner: _Runner) -> None:
        """A runner's thread: gap after gap, as long as somebody wants them."""
        try:
            while True:
                try:
                    self._pour(inflow, runner)
                finally:
                    runner.flow.close()
                with self._lock:
                    if not self._go_on(inflow, runner):
                        return
        except CloudFailure as failure:
            with self._lock:
                inflow.failure, inflow.failed_at = failure, time.monotonic()
        except OSError as error:
            log.warning("a track from the cloud cannot be kept: %s", error)
            with self._lock:
                inflow.over = inflow.spoiled = inflow.discards = True
        except Exception:       # the edge of a thread: who waits must hear of it
            log.exception("bringing a track from the cloud failed")
            with self._lock:
                inflow.failure = CloudFailure("The track cannot be read from the cloud.", reason="refused")
                inflow.failed_at = time.monotonic()
        finally:
            self._end(inflow, runner)

    def _pour(self, inflow: _Inflow, runner: _Runner) -> None:
        """Write what comes, until the gap is closed or it is told to stop. Raises CloudFailure, OSError."""
        flow, target = runner.flow, inflow.incoming.fd
        while not runner.stopped:
            data = flow.read()
            if not data:
                return
            _write_at(target, data, runner.at)
            with self._lock:
                now = time.monotonic()
                taken, runner.moved_at = max(1e-6, now - runner.moved_at), now
                runner.rate += (len(data) / taken - runner.rate) * 0.2
                inflow.have.add(runner.at, runner.at + len(data))
                runner.at += len(data)
                inflow.changed.notify_all()
                if runner.at >= runner.until or inflow.over or inflow.have.reach(runner.at) > runner.at:
                    return
                polite = self._hungry > 0 and not inflow.readers
            if polite:
                flow.pause(POLITE_S)

    def _go_on(self, inflow: _Inflow, runner: _Runner) -> bool:
        """Give a runner that is through the next gap that nobody is at; the lock is held."""
        if runner.stopped or inflow.over or self._stopped or not (inflow.readers or inflow.worth_finishing):
            return False
        others = [one for one in inflow.runners if one is not runner and not one.stopped]
        for begin in (runner.at, 0):
            at = begin
            while (gap := inflow.have.gap(at)) is not None:
                start, end = gap
                ends = [one.at for one in others if start <= one.at < end]
                if not ends or min(ends) > start:
                    runner.at, runner.until = start, min([end, *ends])
                    runner.flow = inflow.supply.flow(start, runner.until - 1)
                    runner.moved_at = time.monotonic()
                    return True
                at = end
        return False

    def _end(self, inflow: _Inflow, runner: _Runner) -> None:
        whole = discards = False
        with self._lock:
            inflow.runners.remove(runner)
            self._running -= 1
            if not inflow.runners:
                if not inflow.over and inflow.have.whole:
                    inflow.over = inflow.whole = whole = True
                elif inflow.discards:
                    discards = True
                    if self._inflows.get(inflow.sha256) is inflow:
                        del self._inflows[inflow.sha256]
            inflow.changed.notify_all()
        try:
            if whole:
                self._complete(inflow)
            elif discards:
                self._discard(inflow)
        finally:
            with self._lock:
                self._threads.discard(threading.current_thread())

    def _complete(self, inflow: _Inflow) -> None:
        """All is there: the cache looks whether it is what it should be."""
        wrong = False
        try:
            inflow.incoming.commit()
        except CloudFailure as failure:
            wrong = True
            log.warning("what came for %s is not what was put there: %s", inflow.sha256, failure.message)
        suspects = set(inflow.supply.used) if wrong else set()
        with self._lock:
            if wrong and inflow.supply.leave_out(suspects):
                inflow.spoiled = True       # who listens goes on from another copy
            inflow.closed = True
            if self._inflows.get(inflow.sha256) is inflow:
                del self._inflows[inflow.sha256]
            inflow.changed.notify_all()
        inflow.incoming.close()
        for copy in suspects:
            self._prove(copy)

    def _discard(self, inflow: _Inflow) -> None:
        """Nobody writes to it any more. Those who still read have the file open."""
        with self._lock:
            inflow.over = inflow.closed = True
            inflow.changed.notify_all()
        inflow.incoming.close()

    # ---- who looks after them -------------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Start the warden when there is something to look after; the lock is held."""
        if self._warden is None and not self._stopped:
            self._warden = threading.Thread(target=self._look_after, daemon=True, name="inflows")
            self._warden.start()

    def _look_after(self) -> None:
        """What nobody listens to is completed, kept for a while, or let go."""
        while True:
            self._wake.wait(0.5)
            gone = []
            with self._lock:
                if self._stopped or not self._inflows:
                    self._warden = None
                    return
                now = time.monotonic()
                parked = []
                for inflow in self._inflows.values():
                    if inflow.readers or inflow.over:
                        continue
                    idle = now - inflow.left_at
                    active = [one for one in inflow.runners if not one.stopped]
                    if idle > (FINISH_S if inflow.worth_finishing else LINGER_S):
                        for one in active:
                            one.stop()
                    elif not inflow.runners and inflow.worth_finishing and inflow.failure is None and (
                            self._running < RUNNERS // 2):
                        gap = inflow.have.gap(0)
                        if gap is not None:
                            self._start(inflow, gap[0], gap[1], now)
                    if not inflow.runners:
                        parked.append(inflow)
                parked.sort(key=lambda one: one.left_at, reverse=True)
                for number, inflow in enumerate(parked):
                    if number >= KEPT or now - inflow.left_at > KEPT_S:
                        inflow.over = inflow.discards = True
                        del self._inflows[inflow.sha256]
                        gone.append(inflow)
            for inflow in gone:
                self._discard(inflow)

    # ---- copies that are not what they were -----------------------------------------------------------------------

    def _supply(self, source: CloudFile, file: TrackFile) -> Supply:
        spare = self._spare
        return Supply(source.copies, taps=self._taps, on_lost=self._doubt,
                      spare=None if spare is None else lambda: spare(file, source.sha256))

    def _doubt(self, copy: Copy, failure: CloudFailure) -> None:
        """Look at a copy again in a thread of its own: nothing is called broken after one answer."""
        if failure.reason in LOST:
            threading.Thread(target=self._prove, args=(copy,), daemon=True, name="prove a copy").start()

    def _prove(self, copy: Copy) -> None:
        """Read a copy once more; when it is gone or not what it was, it counts no more."""
        name = (copy.provider, copy.key)
        with self._lock:
            if name in self._proving or self._stopped:
                return
            self._proving.add(name)
        try:
            why = self.look_again(copy)
            if why is not None:
                log.warning("the copy %s at %s counts no more: %s", copy.key, copy.provider, why)
                self._copies.broken(copy.provider, copy.key, why)
        except CloudFailure as failure:
            log.info("the copy %s at %s could not be looked at: %s", copy.key, copy.provider, failure.message)
        except Exception:       # the edge of a thread
            log.exception("looking at a copy again failed")
        finally:
            with self._lock:
                self._proving.discard(name)

    def look_again(self, copy: Copy) -> str | None:
        """Read all of it: "gone", "corrupted", or None when it is as it should be. Raises CloudFailure when nobody can
        say."""
        digest = hashlib.sha256()
        try:
            with contextlib.closing(self._taps.open(copy)) as tap:
                while data := tap.read():
                    digest.update(data)
                    if self._stopped:
                        raise _stopping()
        except CloudFailure as failure:
            if failure.reason == "not_there":
                return "gone"
            if failure.reason == "corrupted":
                return "corrupted"
            raise
        return None if digest.hexdigest() == copy.sha256 else "corrupted"


class Reader:
    """What one listener reads, like an unbuffered file. For one thread. Close it.

    `stretch` tells a server which bytes it may send from which descriptor; where there is none, `read` gives them.
    """

    def __init__(self, inflows: Inflows, source: CloudFile, supply: Supply) -> None:
        self._inflows = inflows
        self._inflow: _Inflow | None = None
        self._lease: Lease | None = None
        self._fd: int | None = None
        self._flow: Flow | None = None      # when it reads alone
        self._alone = False
        self._whole = False                 # the descriptor holds all of it
        self._at: Bytes = 0
        self._closed = False
        self.source = source
        self.supply = supply
        self.size_bytes = source.size_bytes
        self.sha256 = source.sha256

    def prime(self) -> None:
        """Wait for the first byte at this place, so that what fails is known before anything is promised.

        Raises CloudFailure, Overloaded.
        """
        if self._at >= self.size_bytes:
            return
        if self.stretch(self._at, 1) is None:
            self._flow_at(self._at).read(0)

    def fileno(self) -> int:
        """A descriptor of this reader's own, standing where it stands. Raises UnsupportedOperation without one."""
        if self._fd is None or self._alone:
            raise io.UnsupportedOperation("these bytes lie in no file")
        return self._fd

    def stretch(self, offset: Bytes, most: Bytes) -> tuple[int, Bytes] | None:
        """(descriptor, how many bytes from `offset` on are there), once there is one; None: they must be `read`.

        Raises CloudFailure.
        """
        if self._closed:
            raise ValueError("this reader is closed")
        if not self._alone and self._fd is None:
            self._begin()
        if self._alone or self._fd is None:
            return None
        if self._whole or self._inflow is None:
            return self._fd, most
        try:
            reach = self._inflows._await(self, self._inflow, offset)
        except _NoRoom:
            self._go_alone()
            return None
        return self._fd, min(most, reach - offset)

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, fewer when fewer are there; b"" at the end alone. Raises CloudFailure."""
        left = self.size_bytes - self._at
        size = left if size < 0 else min(size, left)
        if size <= 0:
            return b""
        piece = self.stretch(self._at, size)
        if piece is not None:
            data = _read_at(piece[0], min(piece[1], size), self._at)
            if not data:
                self._go_alone()
        if piece is None or not data:
            data = self._flow_at(self._at).read(size)
            if not data:
                raise CloudFailure("The station is stopping.", reason="no_answer")
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_CUR:
            offset += self._at
        elif whence == os.SEEK_END:
            offset += self.size_bytes
        if offset < 0:
            raise ValueError("there is nothing before the first byte")
        self._at = offset
        if self._fd is not None and not self._alone:
            os.lseek(self._fd, offset, os.SEEK_SET)
        return offset

    def tell(self) -> int:
        return self._at

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._inflow is not None:
            self._inflows._leave(self, self._inflow)
        if self._flow is not None:
            self._flow.close()
        if self._alone:
            self._inflows._leave_alone()
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
        if self._lease is not None:
            self._lease.release()

    # ---- inside

    def _begin(self) -> None:
        """Find out where the bytes will come from: the cache, which may have them by now, a fetch, or alone."""
        self._lease = self._inflows._cache.hold(self.sha256)
        self._fd = self._cached()
        if self._fd is None:
            try:
                self._inflow = self._inflows._join(self)
            except _NoRoom:
                self._fd = self._cached()       # there is no room for what has just come
                if self._fd is None:
                    self._inflows._enter_alone()
                    self._alone = True
                    return
        if self._fd is not None:
            os.lseek(self._fd, self._at, os.SEEK_SET)

    def _cached(self) -> int | None:
        found = self._inflows._cache.at(self.sha256)
        if found is None:
            return None
        try:
            fd = os.open(found.path, _READ)
        except OSError:
            return None
        self._whole = True
        return fd

    def _go_alone(self) -> None:
        if not self._alone:
            self._inflows._enter_alone()
            self._alone = True
        if self._inflow is not None:
            self._inflows._leave(self, self._inflow)
            self._inflow = None

    def _flow_at(self, at: Bytes) -> Flow:
        if self._flow is None or self._flow.at != at or self._flow.is_cut:
            if self._flow is not None:
                self._flow.close()
            self._flow = self.supply.flow(at, self.size_bytes - 1)
        return self._flow


_READ = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_seeking = threading.Lock()


def _reopened(incoming: Incoming) -> int:
    """A descriptor of one's own for what is on its way in, whatever it is called by now. Raises OSError."""
    if sys.platform == "linux":
        return os.open(f"/proc/self/fd/{incoming.fd}", _READ)
    return os.open(incoming.path, _READ)


def _read_at(fd: int, size: Bytes, at: Bytes) -> bytes:
    """The descriptor is the caller's own."""
    if hasattr(os, "pread"):
        return os.pread(fd, size, at)
    os.lseek(fd, at, os.SEEK_SET)
    return os.read(fd, size)


def _write_at(fd: int, data: bytes, at: Bytes) -> None:
    view = memoryview(data)
    while view:
        if hasattr(os, "pwrite"):
            done = os.pwrite(fd, view, at)
        else:
            with _seeking:
                os.lseek(fd, at, os.SEEK_SET)
                done = os.write(fd, view)
        view, at = view[done:], at + done


def _stopping() -> CloudFailure:
    return CloudFailure("The station is stopping.", reason="no_answer")


def _again(failure: CloudFailure) -> CloudFailure:
    """Each listener gets one of their own: a traceback is not shared."""
    return CloudFailure(failure.message, reason=failure.reason, provider=failure.provider,
                        retry_after_s=failure.retry_after_s)
