"""Isolated child processes in which all fetching is done: limited, confined to one folder, ended without a trace.

The station keeps one warm process (odst.fetch_process), started when first needed and ended when idle; it forks a child
for each job. This module is the station's side: light, and it believes nothing that a child says without looking at it.
A child may be hostile: it reads what strangers send. Any number of threads may call.
"""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import math
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from shared.model.download import FAILURES, Cancelled, Failure, Progress
from shared.model.units import GIB, MIB, Bytes, Seconds
from shared.outbound import Outbound

log = logging.getLogger(__name__)

IDLE_S = 300.0              # the warm process ends after so long without work
START_S = 30.0
INTERRUPT_S = 1.5           # between asking a group to end and killing it
GONE_S = 10.0               # from the kill until nothing is left; more means that a disk hangs
STEP_S = 0.2                # how often a running job is looked at when it says nothing
LONGEST_MESSAGE = 64 * 1024
LONGEST_ANSWER = 16 * MIB   # 10,000 tracks
MESSAGES_PER_S = 200        # more than that is no honest child
SOON = ("pages", "youtube") # what a child may ask to have loaded for the next ones; as in fetch_process
TEMPORARY = ".tmp"          # as in fetch_process
LEVELS = ("debug", "info", "warning", "error")

_UNWANTED = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_ROOT = str(Path(__file__).resolve().parents[1])
_WARM = ("import sys, json; sys.path[:0] = sys.argv[4:]; from odst.fetch_process import zygote; "
         "zygote(int(sys.argv[1]), json.loads(sys.argv[2]), float(sys.argv[3]))")
_ALONE = ("import sys, json; sys.path[:0] = sys.argv[3:]; from odst.fetch_process import alone; "
          "alone(int(sys.argv[1]) if int(sys.argv[1]) >= 0 else None, json.loads(sys.argv[2]))")

OnMessage = Callable[[dict[str, Any]], None]


class Nursery:
    """Runs jobs, each in a child of its own.

    settings    allow_private_hosts, contact, download_max_bytes, download_max_minutes, worker_memory_bytes are read;
                children read no file below config_dir, data_dir, cache_dir (where the kernel can see to it)
    allowed     hosts on private addresses that may be reached; the setting's when not given
    deeds, folders      for tests that bring deeds of their own: name → "module:function", and where modules lie
    fork        False: a fresh process a job, as on systems that cannot fork
    """

    def __init__(self, *, settings: Any, allowed: Iterable[str] | None = None, idle_s: Seconds = IDLE_S,
                 deeds: Mapping[str, str] | None = None, folders: Sequence[str] = (), fork: bool | None = None) -> None:
        self._settings = settings
        self._allowed = Outbound(settings.allow_private_hosts if allowed is None else allowed).allowed
        # Keys, passwords' hashes and tokens are nothing for a child, who reads what strangers send.
        self._hidden = [str(folder) for name in ("config_dir", "data_dir", "cache_dir")
                        if (folder := getattr(settings, name, None)) is not None]
        self._idle_s = idle_s
        self._deeds = json.dumps(dict(deeds or {}))
        self._folders = [_ROOT, *folders]
        self._fork = hasattr(os, "fork") and hasattr(socket, "send_fds") if fork is None else fork
        self._lock = threading.Lock()
        self._warm: _Warm | None = None
        self._stopped = False
        self._running: set[_Run] = set()
        self._soon: set[str] = set()        # deeds that children of others turned out to need

    def run(self, job: Mapping[str, Any], *, folder: Path | None = None, on_message: OnMessage | None = None,
            rate: Callable[[], float | None] | None = None, cancelled: Callable[[], bool] | None = None,
            limit_s: Seconds | None = None, limit_bytes: Bytes | None = None, memory_bytes: Bytes | None = None
            ) -> dict[str, Any]:
        """Do `job` ({"deed": …, and what the deed wants}: JSON) and give the child's answer.

        folder      the only place the child may write to; None: one of its own that is removed afterwards
        on_message  gets {"progress": {bytes, total_bytes, bytes_per_second}} and {"log": [level, message]}; what it
                    raises ends the job and is raised
        rate        bytes per second the child may use now
        Costs about 10 ms of CPU beside the work itself once the warm process stands. Raises Failure (the child's own;
        out_of_time, out_of_memory, crashed) and Cancelled; when this returns or raises, nothing of it runs any more.
        """
        with _place(folder) as place:
            run = self._begin(job, place, on_message=on_message, rate=rate, cancelled=cancelled, limit_s=limit_s,
                              limit_bytes=limit_bytes, memory_bytes=memory_bytes)
            try:
                while not run.over:
                    run.step(STEP_S)
                return run.answer()
            finally:
                self._finish(run)

    def open(self, job: Mapping[str, Any], *, cancelled: Callable[[], bool] | None = None,
             on_message: OnMessage | None = None, limit_s: Seconds = 900.0, limit_bytes: Bytes = 256 * MIB,
             memory_bytes: Bytes | None = None) -> Stream:
        """Do a job that streams bytes (`preview`): returns when the child has said what is coming.

        Raises what `run` raises. The caller closes the stream; that ends the child.
        """
        place = tempfile.mkdtemp(prefix="soundsible-stream-")
        run = None
        try:
            run = self._begin(job, Path(place), on_message=on_message, rate=None, cancelled=cancelled, limit_s=limit_s,
                              limit_bytes=limit_bytes, memory_bytes=memory_bytes, data=True)
            return Stream(self, run, Path(place), limit_bytes)
        except BaseException:
            if run is not None:
                self._finish(run)
            shutil.rmtree(place, ignore_errors=True)
            raise

    def stop(self) -> None:
        """End everything at once; who waits for a job gets Cancelled. The nursery cannot be used again."""
        with self._lock:
            self._stopped = True
            warm, self._warm = self._warm, None
            running = list(self._running)
        for run in running:
            run.abandon()
        if warm is not None:
            warm.stop()

    # ---- inside ---------------------------------------------------------------------------------------------------

    def _begin(self, job: Mapping[str, Any], place: Path, *, on_message: OnMessage | None,
               rate: Callable[[], float | None] | None, cancelled: Callable[[], bool] | None, limit_s: Seconds | None,
               limit_bytes: Bytes | None, memory_bytes: Bytes | None, data: bool = False) -> _Run:
        settings = self._settings
        limit_s = settings.download_max_minutes * 60 if limit_s is None else limit_s
        limit_bytes = settings.download_max_bytes if limit_bytes is None else limit_bytes
        order = {
            "deed": job["deed"], "job": {key: value for key, value in job.items() if key != "deed"},
            "folder": str(place.absolute()), "limit_s": limit_s, "limit_bytes": limit_bytes, "data": data,
            # The JavaScript engine that some sites need does not start with less than a gibibyte.
            "memory_bytes": max(GIB, settings.worker_memory_bytes) if memory_bytes is None else memory_bytes,
            "allowed": self._allowed, "contact": getattr(settings, "contact", ""), "environment": _environment(),
            "rate": rate() if rate else None, "soon": sorted(self._soon), "hidden": self._hidden,
        }
        if cancelled is not None and cancelled():
            raise Cancelled
        started = time.monotonic()
        while True:
            child = self._born(order) if self._fork else _Spawned(order, self._deeds, self._folders)
            run = _Run(child, on_message=on_message, rate=rate, cancelled=cancelled, limit_s=limit_s,
                       folder=place, limit_bytes=limit_bytes, soon=self._soon)
            with self._lock:
                stopped = self._stopped
                self._running.add(run)
            if stopped:
                self._finish(run)
                raise Cancelled
            try:
                run.wait_for_birth()
                return run
            except _NotBorn:
                self._finish(run)
                if time.monotonic() - started > START_S:
                    raise Failure("crashed", "The process that fetches does not start; the log may say why.") from None
            except BaseException:
                self._finish(run)
                raise

    def _born(self, order: dict[str, Any]) -> _Born:
        with self._lock:
            if self._stopped:
                raise Cancelled
            if self._warm is not None:
                with contextlib.suppress(OSError):
                    return self._warm.beget(order)
                self._warm.stop()
            self._warm = _Warm(self._deeds, self._idle_s, self._folders)
            try:
                return self._warm.beget(order)
            except OSError:
                raise Failure("crashed", "The process that fetches ended at its start.") from None

    def _finish(self, run: _Run) -> None:
        try:
            run.end()
        finally:
            with self._lock:
                self._running.discard(run)


class _NotBorn(Exception):
    """The warm process ended before it took up the job."""


@contextlib.contextmanager
def _place(folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        try:
            yield folder
        finally:
            shutil.rmtree(folder / TEMPORARY, ignore_errors=True)
        return
    own = tempfile.mkdtemp(prefix="soundsible-fetch-")
    try:
        yield Path(own)
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _environment() -> dict[str, str]:
    """All that a child gets of this process's environment; no proxies, no secrets."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")
            if name in os.environ}
    return {"PATH": os.defpath, "LANG": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1",
            "PYTHONDONTWRITEBYTECODE": "1", **kept}


# ---- one job under way -------------------------------------------------------------------------------------------


class _Run:
    """Follows one child: hears it, tells it the rate, ends it. For the one thread that it belongs to, but `abandon`."""

    def __init__(self, child: _Child, *, on_message: OnMessage | None, rate: Callable[[], float | None] | None,
                 cancelled: Callable[[], bool] | None, limit_s: Seconds, folder: Path, limit_bytes: Bytes,
                 soon: set[str]) -> None:
        self.child = child
        self._soon = soon
        self.over = False
        self._on_message = on_message or (lambda message: None)
        self._rate, self._told_rate, self._rated_at = rate, rate() if rate else None, 0.0
        self._cancelled = cancelled or (lambda: False)
        self._abandoned = self._ended = False
        self._until = time.monotonic() + limit_s
        self._limit_s = limit_s
        self._folder, self._limit_bytes, self._weighed_at = folder, limit_bytes, time.monotonic()
        self._heard = bytearray()
        self._answer: dict[str, Any] | None = None
        self._failure: Failure | None = None
        self._counted = (time.monotonic(), 0)

    def wait_for_birth(self) -> None:
        """Raises _NotBorn, Failure."""
        until = time.monotonic() + START_S
        while not self.child.born:
            if self._abandoned or self._cancelled():
                raise Cancelled
            if self.child.gone:
                if self.child.broken:
                    log.error("a fetching process cannot do its work: %s", self.child.broken)
                    raise Failure("internal", "A part of the downloader cannot be loaded; the log says why.")
                if self.child.full:
                    raise Failure("crashed", f"This machine has no room for another process ({self.child.full}).")
                raise _NotBorn
            if time.monotonic() > until:
                raise Failure("crashed", "The process that fetches does not start.")
            wait_for([self.child.leash], 0.2)
            self.child.look()

    def step(self, wait_s: Seconds, also: int | None = None) -> None:
        """Wait a little and take what there is. Raises Failure and Cancelled after ending the child."""
        try:
            if self._abandoned or self._cancelled():
                raise Cancelled
            left = self._until - time.monotonic()
            if left <= 0:
                raise Failure("out_of_time", f"It was not done within {_duration(self._limit_s)} and was stopped.")
            sockets: list[Any] = [] if self.child.silent else [self.child.channel]
            if self.child.leash is not None and not self.child.gone:
                sockets.append(self.child.leash)
            if also is not None:
                sockets.append(also)
            if sockets:
                wait_for(sockets, min(wait_s, left))
            else:
                time.sleep(min(0.02, left))     # no fork here: its end is asked for
            self.child.look()
            gone = self.child.gone      # looked at before the last words are heard
            self._hear()
            if gone:
                self._hear()
                self.over = True
                return
            self._tell_rate()
            self._weigh()
        except BaseException:
            self.end()
            raise

    def answer(self) -> dict[str, Any]:
        """What the child said at last. Raises Failure; Cancelled when the nursery ended it meanwhile."""
        if self._failure is not None:
            raise self._failure
        if self._answer is not None:
            return self._answer
        if self._abandoned:
            raise Cancelled
        status = self.child.status
        if status is not None and status == -getattr(signal, "SIGXCPU", 0):
            raise Failure("out_of_time", "It computed for longer than a download may and was stopped.")
        if status is not None and status == -getattr(signal, "SIGXFSZ", 0):
            raise Failure("too_large", "It is larger than one download may be.")
        raise Failure("crashed", f"The process that fetched it ended unexpectedly ({_fate(status)}).")

    @property
    def said_something(self) -> bool:
        return self._answer is not None or self._failure is not None

    def abandon(self) -> None:
        """Have it end soon; from any thread."""
        self._abandoned = True
        with contextlib.suppress(OSError):
            self.child.kill()

    def end(self) -> None:
        """See that nothing of it runs any more: asked first, then killed. Again and again is fine."""
        if not self.child.gone and not self._ended:
            now = time.monotonic()
            if self._abandoned:
                self.child.kill()
                killed = True
            else:
                self.child.interrupt()
                killed = False
            while not self.child.gone and time.monotonic() < now + INTERRUPT_S + GONE_S:
                if not killed and time.monotonic() > now + INTERRUPT_S:
                    self.child.kill()
                    killed = True
                if self.child.leash is not None:
                    wait_for([self.child.leash], 0.05)
                else:
                    time.sleep(0.01)
                with contextlib.suppress(OSError):      # a full pipe would hold it
                    while not self.child.silent and self.child.channel.recv(1 << 16):
                        pass
                self.child.look()
            if not self.child.gone:
                log.error("a fetching process does not end; does a disk hang?")
        self._ended = True
        self.child.close()

    # ---- inside ---------------------------------------------------------------------------------------------------

    def _hear(self) -> None:
        while not self.child.silent:
            try:
                part = self.child.channel.recv(1 << 16)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                part = b""
            if not part:
                self.child.silent = True
                return
            self._heard += part
            while (end := self._heard.find(b"\n")) >= 0:
                line = bytes(self._heard[:end])
                del self._heard[:end + 1]
                self._take(line)
            if len(self._heard) > LONGEST_ANSWER:
                raise Failure("crashed", "The process that fetched it went mad: it says more than there is to say.")

    def _take(self, line: bytes) -> None:
        moment, count = self._counted
        now = time.monotonic()
        self._counted = (moment, count + 1) if now - moment < 1.0 else (now, 1)
        try:
            if self._counted[1] > MESSAGES_PER_S:
                raise ValueError("too many messages")
            message = json.loads(line)
            if not isinstance(message, dict):
                raise ValueError("no object")
            if "answer" in message and isinstance(message["answer"], dict):
                # The first counts: one that streams says beforehand what comes, and at its end nothing.
                self._answer = message["answer"] if self._answer is None else self._answer
                return
            if len(line) > LONGEST_MESSAGE:
                raise ValueError("too long")
            if "failure" in message:
                self._failure = read_failure(message["failure"])
                if isinstance(trace := message.get("trace"), str):
                    log.warning("in a fetching process: %s", trace[-4000:])
                return
            if message.get("soon") in SOON:
                self._soon.add(message["soon"])
                return
            checked = _checked(message)
        except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
            raise Failure("crashed", f"The process that fetched it went mad ({type(error).__name__}).") from None
        if checked:
            self._on_message(checked)

    def _tell_rate(self) -> None:
        now = time.monotonic()
        if self._rate is None or now - self._rated_at < STEP_S:
            return
        self._rated_at = now
        rate = self._rate()
        old = self._told_rate
        if (rate is None) != (old is None) or (rate is not None and old is not None and abs(rate - old) > 0.03 * old):
            with contextlib.suppress(OSError):
                self.child.channel.send(json.dumps({"rate": rate}).encode() + b"\n")
                self._told_rate = rate

    def _weigh(self) -> None:
        """Many files may be too much as well."""
        now = time.monotonic()
        if now - self._weighed_at < 2.0:
            return
        self._weighed_at = now
        size = 0
        with contextlib.suppress(OSError):
            for count, (base, folders, files) in enumerate(os.walk(self._folder)):
                if count > 200:
                    folders.clear()
                for name in files[:2000]:
                    with contextlib.suppress(OSError):
                        size += os.lstat(os.path.join(base, name)).st_size
        if size > 2 * self._limit_bytes + 256 * MIB:
            raise Failure("too_large", "It writes more than one download may.")


class Stream:
    """Bytes that a child sends. Iterate and close.

    said    what it told beforehand: mime (audio/… or video/…, nothing that a browser would run), size_bytes, title,
            artist, duration_ms; None where it does not know

    Raises Failure when it ends otherwise than well, Cancelled when the nursery stops.
    """

    def __init__(self, nursery: Nursery, run: _Run, place: Path, limit_bytes: Bytes) -> None:
        self._nursery, self._run, self._place = nursery, run, place
        self._left = limit_bytes
        while not run.over and not run.said_something:
            run.step(STEP_S)
        self.said = _described(run.answer())

    def __iter__(self) -> Iterator[bytes]:
        """Pieces of 64 KiB at most, as they come; bounded in bytes and time."""
        run = self._run
        data = run.child.data
        assert data is not None
        try:
            while self._left > 0:
                try:
                    part = os.read(data, min(1 << 16, self._left))
                except BlockingIOError:
                    if run.over:
                        break
                    run.step(STEP_S, also=data)
                    continue
                if not part:
                    break
                self._left -= len(part)
                yield part
            while not run.over and self._left > 0:
                run.step(STEP_S)
            if run.over:
                run.answer()
        finally:
            self.close()

    def close(self) -> None:
        """Ends the child, if it still runs."""
        self._nursery._finish(self._run)
        shutil.rmtree(self._place, ignore_errors=True)

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


# ---- where children come from ------------------------------------------------------------------------------------


class _Child(Protocol):
    channel: socket.socket
    leash: socket.socket | None     # readable when there is news of its life; None: ask
    data: int | None
    born: bool
    gone: bool                      # the whole group
    silent: bool                    # it closed its side of the channel
    status: int | None              # exit code, or minus a signal
    broken: str                     # why a deed cannot be begun at all
    full: str                       # why the system has no room for another process

    def look(self) -> None: ...
    def interrupt(self) -> None: ...
    def kill(self) -> None: ...
    def close(self) -> None: ...


class _Warm:
    """The warm process. Raises Failure when it does not start, OSError when it is gone."""

    _told = False

    def __init__(self, deeds: str, idle_s: Seconds, folders: Sequence[str]) -> None:
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", _WARM, str(theirs.fileno()), deeds, str(idle_s), *folders],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=_environment(), cwd="/",
                pass_fds=[theirs.fileno()], start_new_session=True)
        self._control.settimeout(START_S)
        try:
            ready = json.loads(self._control.recv(4096) or b"{}")
        except (OSError, ValueError):
            ready = {}
        if not ready.get("ready"):
            self.stop()
            raise Failure("crashed", "The process that fetches does not start; the log may say why.")
        log.debug("the fetching process %d stands", self._process.pid)
        if not ready.get("landlock") and not _Warm._told:
            _Warm._told = True
            log.info("this system has no Landlock: fetching processes are kept apart by rights and limits alone")

    def beget(self, order: dict[str, Any]) -> _Born:
        frame = json.dumps(order).encode()
        leash, their_leash = socket.socketpair()
        channel, their_channel = socket.socketpair()
        data, their_data = os.pipe() if order["data"] else (None, None)
        theirs = [their_leash.fileno(), their_channel.fileno()] + ([] if their_data is None else [their_data])
        try:
            frame = len(frame).to_bytes(4, "big") + frame
            sent = socket.send_fds(self._control, [frame], theirs)
            if sent < len(frame):
                self._control.sendall(frame[sent:])
        except BaseException:
            leash.close()
            channel.close()
            if data is not None:
                os.close(data)
            raise
        finally:
            their_leash.close()
            their_channel.close()
            if their_data is not None:
                os.close(their_data)
        return _Born(leash, channel, data)

    def stop(self) -> None:
        self._control.close()
        try:
            self._process.wait(3.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(3.0)


class _Born:
    """A child of the warm process, held by its leash."""

    def __init__(self, leash: socket.socket, channel: socket.socket, data: int | None) -> None:
        self.leash: socket.socket | None = leash
        self.channel, self.data = channel, data
        self.born = self.gone = self.silent = False
        self.status: int | None = None
        self.broken = self.full = ""
        self.pid = 0
        self._said = b""
        leash.setblocking(False)
        channel.setblocking(False)
        if data is not None:
            os.set_blocking(data, False)

    def look(self) -> None:
        if self.gone or self.leash is None:
            return
        try:
            while part := self.leash.recv(4096):
                self._said += part
            closed = True
        except (BlockingIOError, InterruptedError):
            closed = False
        except OSError:
            closed = True
        *lines, self._said = self._said.split(b"\n")
        for line in lines:
            word, _, rest = line.decode("utf-8", "replace").partition(" ")
            if word == "pid":
                self.born, self.pid = True, int(rest)
            elif word == "ended":
                self.gone, self.status = True, int(rest)
            elif word == "broken":
                self.broken = rest
            elif word == "full":
                self.full = rest
        if closed and not self.gone:
            self.gone = True            # the warm process died, and its children with it
            if self.pid and not sys.platform.startswith("linux"):
                with contextlib.suppress(OSError):
                    os.killpg(self.pid, signal.SIGKILL)

    def interrupt(self) -> None:
        self._send(b"i")

    def kill(self) -> None:
        self._send(b"k")

    def _send(self, word: bytes) -> None:
        with contextlib.suppress(OSError):
            if self.leash is not None:
                self.leash.send(word)

    def close(self) -> None:
        if self.leash is not None:
            self.leash.close()
        self.channel.close()
        if self.data is not None:
            os.close(self.data)
            self.data = None


class _Spawned:
    """A fresh process, where there is no fork. Its group is ended as well as the system allows."""

    def __init__(self, order: dict[str, Any], deeds: str, folders: Sequence[str]) -> None:
        self.channel, theirs = socket.socketpair()
        self.leash: socket.socket | None = None
        self.data: int | None = None
        self.born, self.gone, self.silent = True, False, False
        self.status: int | None = None
        self.broken = self.full = ""
        posix = os.name == "posix"
        their_data: int | None = None
        with theirs:
            kept = [theirs.fileno()] if posix else []
            if order["data"]:
                if not posix:
                    raise Failure("unsupported", "This system cannot stream a preview.")
                self.data, their_data = os.pipe()
                os.set_blocking(self.data, False)
                kept.append(their_data)
            more: dict[str, Any] = {"pass_fds": kept, "start_new_session": True} if posix else {
                "creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", _ALONE, str(theirs.fileno() if posix else -1), deeds, *folders],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=_environment(), **more)
            share = {} if posix else {"share": base64.b64encode(
                theirs.share(self._process.pid)).decode()}      # type: ignore[attr-defined, unused-ignore]
            frame = json.dumps({**order, "data_fd": their_data, **share}).encode()
            assert self._process.stdin is not None
            with contextlib.suppress(OSError), self._process.stdin as pipe:
                pipe.write(len(frame).to_bytes(4, "big") + frame)
        if their_data is not None:
            os.close(their_data)
        self.channel.setblocking(False)

    def look(self) -> None:
        code = self._process.poll()
        if code is None or self.gone:
            return
        self._group(getattr(signal, "SIGKILL", signal.SIGTERM))
        self.status, self.gone = code, True

    def interrupt(self) -> None:
        self._group(signal.SIGINT if os.name == "posix" else signal.SIGTERM)

    def kill(self) -> None:
        self._group(getattr(signal, "SIGKILL", signal.SIGTERM))

    def _group(self, number: int) -> None:
        with contextlib.suppress(OSError):
            if os.name == "posix":
                os.killpg(self._process.pid, number)
            else:
                self._process.kill()

    def close(self) -> None:
        self.channel.close()
        if self.data is not None:
            os.close(self.data)
            self.data = None


# ---- what a child says, looked at --------------------------------------------------------------------------------


def read_failure(said: Any) -> Failure:
    """Raises ValueError, TypeError, LookupError when it is none."""
    code, message = said["code"], said["message"]
    if code not in FAILURES or not isinstance(message, str):
        raise ValueError("an unknown failure")
    wait = said.get("retry_after_s")
    retryable = said.get("retryable")
    return Failure(code, clean(message, 500), retry_after_s=_number(wait, 0.0, 86400.0),
                   retryable=retryable if isinstance(retryable, bool) else None)


def read_progress(said: Mapping[str, Any]) -> Progress:
    """A {"progress": …} message's content as the model has it."""
    return Progress(bytes=said["bytes"], total_bytes=said["total_bytes"], bytes_per_second=said["bytes_per_second"])


def clean(text: str, most: int) -> str:
    """One line for people: no control characters, none that turn the writing round, `most` characters."""
    return " ".join(_UNWANTED.sub(" ", text[:most * 4]).split())[:most]


def wait_for(readable: Iterable[Any], wait_s: Seconds) -> bool:
    """Until one of them can be read, or the time is up."""
    if hasattr(select, "poll"):
        poll = select.poll()
        for one in readable:
            if one is not None:
                poll.register(one, select.POLLIN)
        return bool(poll.poll(max(0.0, wait_s) * 1000))
    return bool(select.select([one for one in readable if one is not None], [], [], max(0.0, wait_s))[0])


def _checked(message: dict[str, Any]) -> dict[str, Any] | None:
    if "progress" in message:
        said = message["progress"]
        total = said.get("total_bytes")
        return {"progress": {
            "bytes": int(_number(said["bytes"], 0, 2**53) or 0),
            "total_bytes": None if total is None else int(_number(total, 0, 2**53) or 0),
            "bytes_per_second": _number(said.get("bytes_per_second"), 0, 2**53)}}
    if "log" in message:
        level, text = message["log"]
        if level in LEVELS and isinstance(text, str):
            return {"log": [level, clean(text, 2000)]}
    return None


def _described(said: Mapping[str, Any]) -> dict[str, Any]:
    mime = said.get("mime")
    if not isinstance(mime, str) or not re.fullmatch(r"(?:audio|video)/[a-z0-9.+-]{1,40}", mime):
        mime = "application/octet-stream"
    texts = {name: clean(said[name], 500) if isinstance(said.get(name), str) else None for name in ("title", "artist")}
    numbers = {name: _number(said.get(name), 0, 2**53) for name in ("size_bytes", "duration_ms")}
    return {"mime": mime, **texts, **{name: None if one is None else int(one) for name, one in numbers.items()}}


def _number(value: Any, least: float, most: float) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(min(most, max(least, value)))


def _duration(seconds: Seconds) -> str:
    return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"


def _fate(status: int | None) -> str:
    if status is None:
        return "the process that began it ended"
    if status < 0:
        with contextlib.suppress(ValueError):
            return f"signal {signal.Signals(-status).name}"
    return f"exit code {status}"
