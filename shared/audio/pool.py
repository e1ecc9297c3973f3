"""Worker processes in which hostile media is opened: limited in memory, files and time, replaced when they die.

A worker is a fresh interpreter (no fork: the parent has threads) with hardly any environment, its own process group
and a niceness; it ends with its parent. With `bounds` it reads none of the station's secrets, changes nothing of the
program and talks to nobody (confine.shut_off). Light enough for the serving process: standard library and words only.
Works on POSIX; threads and eventlet's green ones may call.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from pathlib import Path
from typing import Any

from shared.audio import wire
from shared.confine import Bounds
from shared.model.errors import Overloaded, StartFailed, UnreadableFile
from shared.model.units import MIB, Bytes, Seconds

log = logging.getLogger(__name__)

IDLE_S = 60.0           # a worker without work ends after so long
START_S = 30.0          # within which a new one must say that it is there
AHEAD = 2               # batches a worker holds: while one is read, the next is there already
LARGEST_ANSWER = 256 * MIB

_ROOT = str(Path(__file__).resolve().parents[2])
_START = ("import sys; sys.path[:0] = sys.argv[5:]; from shared.audio.worker import main; "
          "main(int(sys.argv[1]), int(sys.argv[2]), tuple(sys.argv[3].split(',')), sys.argv[4])")
PACKAGES = ("shared.audio", "shared.library", "shared.podcasts")     # where deeds may live
_KEPT = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT")


class WorkerPool:
    """Implements ports.Workers. `size` workers at most, started when there is work; `memory_bytes` of address space
        each (0: unlimited). One pool for short and long deeds needs a worker for each long one and some to spare.
    `bounds` is asked whenever one starts; None leaves them open. `packages` and `folders` (of modules) are for tests
        that bring deeds of their own."""

    def __init__(self, *, size: int, memory_bytes: Bytes = 1536 * MIB, nice: int = 5, name: str = "workers",
                 idle_s: Seconds = IDLE_S, bounds: Callable[[], Bounds] | None = None,
                 packages: Sequence[str] = PACKAGES, folders: Sequence[str] = ()) -> None:
        self._size = max(1, size)
        self._limits = [str(memory_bytes), str(nice), ",".join(packages)]
        self._folders = [_ROOT, *folders]
        self._bounds = bounds
        self._name = name
        self._idle_s = idle_s
        self._changed = threading.Condition()
        self._idle: list[_Worker] = []          # the last one used is taken first, so that the others can end
        self._busy: set[_Worker] = set()
        self._starting = 0
        self._owner = os.getpid()
        self._reaper: threading.Thread | None = None
        self._stopped = False

    def run(self, deed: str, /, *args: Any, timeout_s: Seconds = 30.0, **kwargs: Any) -> Any:
        """See ports.Workers. Also raises Overloaded when the pool is being stopped, StartFailed when no worker can
        be started."""
        frame = wire.pack((deed, args, kwargs, timeout_s))
        retired = 0
        while True:
            worker = self._take()
            try:
                worker.send(frame)
                answer = worker.receive(time.monotonic() + timeout_s)
                self._give_back(worker)
                break
            except BaseException as error:
                self._drop(worker)
                if self._stopped:
                    raise _stopping() from None
                if isinstance(error, _Retired) and retired < self._size:
                    retired += 1                # it went while it had nothing to do: nobody's fault
                    continue
                if isinstance(error, _TimedOut):
                    raise UnreadableFile(f"Reading took longer than {timeout_s:g} s and was stopped.",
                                         reason="timed_out") from None
                if isinstance(error, _Died):
                    raise UnreadableFile(f"The reader process died on it ({error}).", reason="reader_crashed") from None
                raise
        return _answer_of(answer)

    def map_batches(self, deed: str, batches: Iterable[Sequence[Any]], *, timeout_s: Seconds = 60.0
                    ) -> Generator[tuple[int, list[Any]]]:
        """Call `deed(batch)` for each batch, in all workers at once; (number of the batch, its answers) as they come.

        `deed` answers a list as long as the batch. When a worker dies or takes longer than `timeout_s` for a batch,
        its items are tried one by one, and only the guilty one is answered by an UnreadableFile. `batches` is asked
        for more as workers become free. Closing the generator ends what is under way. What `deed` raises is raised.
        """
        yield from _Mapping(self, deed, batches, timeout_s).results()

    def warm(self, deed: str, /, *args: Any) -> None:
        """Have all workers started, each by calling `deed`, while the caller goes on. What goes wrong is told to who
        asks for work next."""
        def start() -> None:
            with contextlib.suppress(Exception):    # the edge of a thread
                self.run(deed, *args)

        for _ in range(self._size):
            threading.Thread(target=start, daemon=True, name=f"{self._name} start").start()

    def stop(self) -> None:
        """End all workers at once; who waits for one gets Overloaded. The pool cannot be used again."""
        with self._changed:
            self._stopped = True
            idle, busy = self._idle, list(self._busy)
            self._idle = []
            self._changed.notify_all()
        for worker in busy:
            worker.end()        # whoever waits for it notices, and clears away
        for worker in idle:
            worker.kill()

    @property
    def size(self) -> int:
        return self._size

    # ---- inside ---------------------------------------------------------------------------------------------------

    def _take(self) -> _Worker:
        """A worker of the caller's own; waits while all are busy."""
        with self._changed:
            if os.getpid() != self._owner:      # forked: these are the parent's
                self._idle, self._busy, self._starting, self._reaper = [], set(), 0, None
                self._owner = os.getpid()
            while True:
                if self._stopped:
                    raise _stopping()
                if self._idle:
                    worker = self._idle.pop()
                    self._busy.add(worker)
                    return worker
                if len(self._busy) + self._starting < self._size:
                    self._starting += 1
                    break
                self._changed.wait()
        try:
            worker = _Worker([*self._limits, self._bounded(), *self._folders], self._name)
        except BaseException:
            with self._changed:
                self._starting -= 1
                self._changed.notify()
            raise
        with self._changed:
            self._starting -= 1
            self._busy.add(worker)
            stopped = self._stopped
        if stopped:
            self._drop(worker)
            raise _stopping()
        return worker

    def _bounded(self) -> str:
        if self._bounds is None:
            return ""
        bounds = self._bounds()
        return json.dumps([bounds.hidden, bounds.kept, bounds.own, bounds.programs, bounds.sockets])

    def _give_back(self, worker: _Worker) -> None:
        worker.idle_since = time.monotonic()
        with self._changed:
            self._busy.discard(worker)
            if self._stopped:
                worker.kill()
                return
            self._idle.append(worker)
            if self._reaper is None:
                self._reaper = threading.Thread(target=self._reap, daemon=True, name=f"{self._name} idle")
                self._reaper.start()
            self._changed.notify()

    def _drop(self, worker: _Worker) -> None:
        worker.kill()
        with self._changed:
            self._busy.discard(worker)
            self._changed.notify()

    def _reap(self) -> None:
        """End workers that have been idle for long; gone when there is none."""
        while True:
            time.sleep(self._idle_s / 4)
            with self._changed:
                late = time.monotonic() - self._idle_s
                old = [worker for worker in self._idle if worker.idle_since < late]
                self._idle = [worker for worker in self._idle if worker.idle_since >= late]
                last = not self._idle and not self._busy and not self._starting
                if last or self._stopped:
                    self._reaper = None
            for worker in old:
                worker.kill()
            if last or self._stopped:
                return


class _Died(Exception):
    """The worker is gone."""


class _Retired(_Died):
    """The worker had ended of its own will, before it took up the work."""


class _TimedOut(Exception):
    pass


def _stopping() -> Overloaded:
    return Overloaded("The station is stopping.", retry_after_s=5)


def _answer_of(answer: tuple[Any, ...]) -> Any:
    if answer[0]:
        return answer[1]
    error = wire.revive(*answer[1:])
    for note in error.__dict__.pop("__notes__", ()):
        log.debug("in a worker: %s", note)
    raise error


class _Worker:
    """One process, and what goes to and fro. Raises _Died, _Retired, _TimedOut."""

    def __init__(self, arguments: list[str], name: str) -> None:
        environment = {key: os.environ[key] for key in _KEPT if key in os.environ}
        environment |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", _START, *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, cwd="/" if os.name == "posix" else None,
            close_fds=True, start_new_session=True, bufsize=0,
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._to, self._from = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._to, False)
        os.set_blocking(self._from, False)
        self._out: deque[memoryview] = deque()
        self._in = bytearray()
        # readv and writev, because eventlet makes read and write wait, and here they must not.
        self._buffer = memoryview(bytearray(1 << 17))
        self._lock = threading.Lock()
        self.idle_since = time.monotonic()
        self.waiting: deque[_Job] = deque()     # of a mapping: what it was given, in order
        self.deadline = 0.0
        try:
            self.receive(time.monotonic() + START_S)
        except BaseException as error:
            self.kill()
            if isinstance(error, _Died | _TimedOut):
                raise StartFailed(f"A worker process does not start ({error or 'no answer'}); standard error may say "
                                  "why, or the setting worker_memory_bytes is too small.") from None
            raise
        log.debug("%s: worker %d started", name, self._process.pid)

    def send(self, frame: bytes) -> None:
        """Hand `frame` over; what the pipe does not take at once goes out while waiting for the answer."""
        fresh = not self._out
        self._out.append(memoryview(frame))
        if fresh:
            self.write()

    def receive(self, deadline: float) -> tuple[Any, ...]:
        """The next answer."""
        while True:
            answer = self.read()
            if answer is not None:
                return answer
            left = deadline - time.monotonic()
            if left <= 0:
                raise _TimedOut
            if wait([self], left):
                self.write()

    def write(self) -> None:
        """As much as goes."""
        while self._out:
            try:
                sent = os.writev(self._to, [self._out[0]])
            except BlockingIOError:
                return
            except OSError:
                raise self._fate() from None
            rest = self._out[0][sent:]
            if rest:
                self._out[0] = rest
            else:
                self._out.popleft()

    def read(self) -> tuple[Any, ...] | None:
        """A whole answer if one is there."""
        while True:
            if len(self._in) >= wire.HEADER:
                end = wire.HEADER + int.from_bytes(self._in[:wire.HEADER], "big")
                if end > LARGEST_ANSWER:
                    raise _Died("its answer is too long")
                if len(self._in) >= end:
                    with memoryview(self._in) as whole:
                        try:
                            answer = wire.unpack(whole[wire.HEADER:end])
                        except Exception as error:      # whatever a worker gone mad has written
                            raise _Died(f"its answer makes no sense: {error}") from None
                    del self._in[:end]
                    if not isinstance(answer, tuple) or len(answer) != (2 if answer[:1] == (True,) else 4):
                        raise _Died("its answer makes no sense")
                    return answer
            try:
                amount = os.readv(self._from, [self._buffer])
            except BlockingIOError:
                return None
            except OSError:
                amount = 0
            if not amount:
                raise self._fate()
            self._in += self._buffer[:amount]

    def interests(self) -> list[tuple[int, bool]]:
        """(file descriptor, to be written) it waits for."""
        return [(self._from, False), (self._to, True)] if self._out else [(self._from, False)]

    def _fate(self) -> _Died:
        try:
            code = self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            return _Died("it closed its pipe")
        if code == 0:
            return _Retired("it had grown")
        if code < 0:
            with contextlib.suppress(ValueError):
                return _Died(f"signal {signal.Signals(-code).name}")
        return _Died(f"exit code {code}")

    def end(self) -> None:
        """Have it killed; from any thread."""
        with self._lock, contextlib.suppress(ProcessLookupError, PermissionError):
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)

    def kill(self) -> None:
        """End it and clear away; by the thread that it works for."""
        self.end()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5.0)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def wait(workers: Iterable[_Worker], timeout_s: Seconds) -> bool:
    """Until one of `workers` can be read from or written to, or the time is up."""
    interests = [interest for worker in workers for interest in worker.interests()]
    if hasattr(select, "poll"):
        poll = select.poll()
        for descriptor, writing in interests:
            poll.register(descriptor, select.POLLOUT if writing else select.POLLIN)
        return bool(poll.poll(max(0.0, timeout_s) * 1000))
    # eventlet takes poll away and makes select wait in green.
    ready = select.select([d for d, writing in interests if not writing], [d for d, writing in interests if writing],
                          [], max(0.0, timeout_s))
    return bool(ready[0] or ready[1])


class _Job:
    """A batch, or one item of a batch that went wrong."""

    __slots__ = ("at", "forgiven", "items", "number")

    def __init__(self, number: int, items: Sequence[Any], at: int = 0) -> None:
        self.number = number    # of the batch
        self.items = items
        self.at = at            # where they stand in it
        self.forgiven = False   # the worker that had it ended of its own will


class _Mapping:
    """One call of map_batches."""

    def __init__(self, pool: WorkerPool, deed: str, batches: Iterable[Sequence[Any]], timeout_s: Seconds) -> None:
        self._pool = pool
        self._deed = deed
        self._batches = enumerate(batches)
        self._timeout_s = timeout_s
        self._again: deque[_Job] = deque()
        self._parts: dict[int, list[Any]] = {}      # of batches that are tried item by item
        self._left: dict[int, int] = {}
        self._workers: list[_Worker] = []
        self._exhausted = False

    def results(self) -> Generator[tuple[int, list[Any]]]:
        try:
            while True:
                self._hand_out()
                waiting = [worker for worker in self._workers if worker.waiting]
                if not waiting:
                    return
                soonest = min(worker.deadline for worker in waiting)
                wait(waiting, soonest - time.monotonic())
                for worker in waiting:
                    yield from self._collect(worker)
        finally:
            for worker in self._workers:
                if worker.waiting:
                    worker.waiting.clear()
                    self._pool._drop(worker)
                else:
                    self._pool._give_back(worker)

    def _next(self) -> _Job | None:
        if self._again:
            return self._again.popleft()
        while not self._exhausted:
            found = next(self._batches, None)
            if found is None:
                self._exhausted = True
            elif found[1]:
                return _Job(*found)
        return None

    def _hand_out(self) -> None:
        """Give every worker something to do and something to do next, as long as there is something."""
        for depth in range(1, AHEAD + 1):
            for worker in list(self._workers):
                if len(worker.waiting) < depth and not self._give(worker):
                    return
            while depth == 1 and len(self._workers) < self._pool.size:
                job = self._next()
                if job is None:
                    return
                self._again.appendleft(job)
                worker = self._pool._take()
                self._workers.append(worker)
                if not self._give(worker):
                    return

    def _give(self, worker: _Worker) -> bool:
        job = self._next()
        if job is None:
            return False
        if not worker.waiting:
            worker.deadline = time.monotonic() + self._timeout_s
        worker.waiting.append(job)
        with contextlib.suppress(_Died):    # noticed, and put right, when its answer is waited for
            worker.send(wire.pack((self._deed, (list(job.items),), {}, self._timeout_s)))
        return True

    def _collect(self, worker: _Worker) -> Generator[tuple[int, list[Any]]]:
        try:
            worker.write()
            while worker.waiting and (answer := worker.read()) is not None:
                job = worker.waiting.popleft()
                worker.deadline = time.monotonic() + self._timeout_s
                yield from self._done(job, _checked(_answer_of(answer), job))
            if worker.waiting and time.monotonic() > worker.deadline:
                raise _TimedOut
        except (_Died, _TimedOut) as error:
            yield from self._lost(worker, error)

    def _lost(self, worker: _Worker, error: Exception) -> Generator[tuple[int, list[Any]]]:
        """`worker` died, or is ended here: the first of what it had is suspect, the rest is given to others."""
        if self._pool._stopped:
            raise _stopping()
        jobs = list(worker.waiting)
        worker.waiting.clear()
        self._workers.remove(worker)
        self._pool._drop(worker)
        self._again.extend(jobs[1:])
        if not jobs:
            return
        suspect = jobs[0]
        if isinstance(error, _Retired) and not suspect.forgiven:
            suspect.forgiven = True
            self._again.appendleft(suspect)
            return
        if len(suspect.items) > 1:
            log.info("a worker was lost with %d files (%s): they are tried one by one", len(suspect.items),
                     error or "too slow")
            self._again.extendleft(_Job(suspect.number, [item], suspect.at + i)
                                   for i, item in reversed(list(enumerate(suspect.items))))
            self._parts[suspect.number] = [None] * len(suspect.items)
            self._left[suspect.number] = len(suspect.items)
            return
        if suspect.number not in self._parts:
            # Alone from the beginning: it gets the second chance that the items of a longer batch have.
            self._parts[suspect.number], self._left[suspect.number] = [None], 1
            self._again.appendleft(suspect)
            return
        if isinstance(error, _TimedOut):
            blame = UnreadableFile(f"Reading took longer than {self._timeout_s:g} s and was stopped.",
                                   reason="timed_out")
        else:
            blame = UnreadableFile(f"The reader process died on it ({error}).", reason="reader_crashed")
        yield from self._done(suspect, [blame])

    def _done(self, job: _Job, answers: list[Any]) -> Generator[tuple[int, list[Any]]]:
        parts = self._parts.get(job.number)
        if parts is None:
            yield job.number, answers
            return
        parts[job.at:job.at + len(answers)] = answers
        self._left[job.number] -= len(answers)
        if not self._left[job.number]:
            del self._parts[job.number], self._left[job.number]
            yield job.number, parts


def _checked(answer: Any, job: _Job) -> list[Any]:
    if not isinstance(answer, list) or len(answer) != len(job.items):
        raise TypeError(f"a deed for batches must answer a list of {len(job.items)}")
    return answer
