"""The isolated side of odst.nursery: a warm process that forks one child a job, and what a child does first.

The warm process is single-threaded, decodes nothing and reads nothing from outside; it imports what jobs need once, so
that a child costs a fork. It waits for the station's orders on one socket; each job brings a leash of its own, over
which the station has it interrupted or killed, and hears when the last process of its group is gone. The station's end
closes all of them, and everything here ends with it. Where there is no fork, `alone` does one job in a fresh process.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from odst.deeds.talk import Talk
from shared import confine
from shared.model.download import Failure
from shared.outbound import Outbound

DEEDS: Mapping[str, str] = {
    "direct.fetch": "odst.deeds.direct:fetch", "direct.resolve": "odst.deeds.direct:resolve",
    "youtube.fetch": "odst.deeds.youtube:fetch", "youtube.resolve": "odst.deeds.youtube:resolve",
    "youtube.search": "odst.deeds.youtube:search", "preview": "odst.deeds.preview:preview",
}
#: what a child may find that the next ones should have loaded; costly, so not before
SOON: Mapping[str, str] = {"pages": "odst.deeds.youtube:warm_pages", "youtube": "odst.deeds.youtube:warm"}
TEMPORARY = ".tmp"      # inside the staging folder; the station removes it
HEADER = 4
NICE = 5
_TICK_MS = 5            # while a group is on its way out


# ---- the warm process --------------------------------------------------------------------------------------------


class _Job:
    __slots__ = ("leash", "pid", "status")

    def __init__(self, pid: int, leash: socket.socket) -> None:
        self.pid = pid
        self.leash: socket.socket | None = leash
        self.status: int | None = None      # once the leader has ended: an exit code, or minus a signal


class Zygote:
    def __init__(self, control: socket.socket, deeds: Mapping[str, str], idle_s: float) -> None:
        self._control = control
        self._deeds = {**DEEDS, **deeds}
        self._idle_s = idle_s
        self._jobs: dict[int, _Job] = {}        # by the leader's pid, which is the group's and the session's too
        self._buffer = bytearray()
        self._plugs: list[int] = []
        self._loaded: set[tuple[str, str]] = set()
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)

    def serve(self) -> None:
        """Until the station closes its end, or nothing was asked for in a long while."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        confine.adopt_orphans()
        self._control.sendall(json.dumps({"ready": True, "landlock": confine.landlock_version()}).encode() + b"\n")
        while True:
            poll = select.poll()
            poll.register(self._control, select.POLLIN)
            poll.register(self._woken, select.POLLIN)
            by_leash = {job.leash.fileno(): job for job in self._jobs.values() if job.leash is not None}
            for descriptor in by_leash:
                poll.register(descriptor, select.POLLIN)
            leaving = any(job.status is not None for job in self._jobs.values())
            ready = poll.poll(_TICK_MS if leaving else int(self._idle_s * 1000))
            if not ready and not self._jobs:
                return
            for descriptor, _ in ready:
                if descriptor == self._woken.fileno():
                    with contextlib.suppress(BlockingIOError):
                        self._woken.recv(4096)
                elif descriptor in by_leash:
                    self._obey(by_leash[descriptor])
            self._reap()
            if any(descriptor == self._control.fileno() for descriptor, _ in ready) and not self._listen():
                return self._end()

    def _listen(self) -> bool:
        """Orders; False when the station is gone."""
        try:
            part, plugs, _, _ = socket.recv_fds(self._control, 1 << 16, 16)
        except OSError:
            return False
        if not part:
            return False
        self._plugs += plugs
        self._buffer += part
        while len(self._buffer) >= HEADER:
            end = HEADER + int.from_bytes(self._buffer[:HEADER], "big")
            if len(self._buffer) < end:
                break
            order = json.loads(bytes(self._buffer[HEADER:end]))
            del self._buffer[:end]
            amount = 3 if order["data"] else 2
            mine, self._plugs = self._plugs[:amount], self._plugs[amount:]
            self._begin(order, *mine)
        return True

    def _begin(self, order: dict[str, Any], leash_fd: int, channel_fd: int, data_fd: int | None = None) -> None:
        leash = socket.socket(fileno=leash_fd)
        try:
            self._load(self._deeds[order["deed"]].partition(":")[0], "warm")
            for name in order["soon"]:
                self._load(*SOON[name].split(":"))
        except Exception as error:      # the edge of a process
            os.close(channel_fd)
            if data_fd is not None:
                os.close(data_fd)
            _tell(leash, f"broken {type(error).__name__}: {error}")
            leash.close()
            return
        parent = os.getpid()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            pid = os.fork()
        except OSError as error:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
            for plug in (channel_fd, data_fd):
                if plug is not None:
                    os.close(plug)
            _tell(leash, f"full {error.strerror}")
            leash.close()
            return
        if not pid:
            try:
                os.setsid()
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                signal.signal(signal.SIGINT, signal.default_int_handler)
                confine.die_with_parent(parent)
                channel_fd, data_fd = _only(channel_fd, data_fd)
                work(order, self._deeds, socket.socket(fileno=channel_fd), data_fd)
            finally:
                os._exit(70)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        os.close(channel_fd)
        if data_fd is not None:
            os.close(data_fd)
        self._jobs[pid] = _Job(pid, leash)
        _tell(leash, f"pid {pid}")

    def _load(self, name: str, function: str) -> None:
        """What a deed needs, done once and shared by all children."""
        if (name, function) in self._loaded:
            return
        getattr(importlib.import_module(name), function, lambda: None)()
        self._loaded.add((name, function))
        gc.collect()
        gc.freeze()

    def _obey(self, job: _Job) -> None:
        assert job.leash is not None
        try:
            said = job.leash.recv(64)
        except OSError:
            said = b""
        if said and set(said) == {ord("i")}:
            _signal(job.pid, signal.SIGINT, led=job.status is None)
            return
        _signal(job.pid, signal.SIGKILL, led=job.status is None)
        if not said:                    # the station let go of it
            job.leash.close()
            job.leash = None

    def _reap(self) -> None:
        """Notice who ended, see to it that nobody of its group is left, and say so."""
        while True:
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                found = None
            if found is None:
                break
            job = self._jobs.get(found.si_pid)
            if job is not None:
                _signal(job.pid, signal.SIGKILL, led=True)      # its number is not free before it is waited for
                job.status = found.si_status if found.si_code == os.CLD_EXITED else -found.si_status
            with contextlib.suppress(ChildProcessError):
                os.waitpid(found.si_pid, 0)
        leaving = [job for job in self._jobs.values() if job.status is not None]
        if leaving and not self._strays():
            for job in leaving:
                try:
                    os.killpg(job.pid, signal.SIGKILL)
                except PermissionError:         # macOS says so of a group of zombies
                    continue
                except ProcessLookupError:
                    del self._jobs[job.pid]
                    if job.leash is not None:
                        _tell(job.leash, f"ended {job.status}")
                        job.leash.close()

    def _strays(self) -> bool:
        """Kill adopted processes that belong to no running job: they had left their group. Whether there were any."""
        me = os.getpid()
        try:
            with open(f"/proc/{me}/task/{me}/children") as file:
                children = [int(word) for word in file.read().split()]
        except OSError:
            return False
        found = False
        for pid in children:
            if pid in self._jobs:
                continue
            with contextlib.suppress(ProcessLookupError):
                leader = self._jobs.get(os.getsid(pid))
                if leader is None or leader.status is not None:
                    os.kill(pid, signal.SIGKILL)
                    found = True
        return found

    def _end(self) -> None:
        until = time.monotonic() + 5.0
        while self._jobs and time.monotonic() < until:
            for job in self._jobs.values():
                _signal(job.pid, signal.SIGKILL, led=job.status is None)
            self._reap()
            time.sleep(0.005)


def zygote(descriptor: int, deeds: Mapping[str, str], idle_s: float) -> None:
    """The warm process's life."""
    Zygote(socket.socket(fileno=descriptor), deeds, idle_s).serve()


def _tell(leash: socket.socket, line: str) -> None:
    with contextlib.suppress(OSError):
        leash.sendall(line.replace("\n", " ")[:1000].encode() + b"\n")


def _signal(group: int, number: int, *, led: bool) -> None:
    try:
        os.killpg(group, number)
    except PermissionError:
        pass
    except ProcessLookupError:
        if led:                 # so young that it has no group yet
            with contextlib.suppress(ProcessLookupError):
                os.kill(group, number)


def _only(*plugs: int | None) -> Any:
    """Keep nothing open but `plugs`, which get numbers from 3 on, and nothing on the first three."""
    nothing = os.open(os.devnull, os.O_RDWR)
    high = [None if plug is None else os.dup2(plug, 200 + n) for n, plug in enumerate(plugs)]
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    kept = [None if plug is None else os.dup2(plug, 3 + n, False) for n, plug in enumerate(high)]
    os.closerange(3 + len(plugs), 1024)
    if kept[-1] is None:
        os.closerange(2 + len(plugs), 3 + len(plugs))
    return kept


# ---- a child -----------------------------------------------------------------------------------------------------


def alone(descriptor: int | None, deeds: Mapping[str, str]) -> None:
    """One job in a process of its own; the order comes on standard input. `descriptor` None: the socket comes there
    too (Windows)."""
    head = sys.stdin.buffer.read(HEADER)
    order = json.loads(sys.stdin.buffer.read(int.from_bytes(head, "big")))
    if descriptor is None:
        channel = socket.fromshare(base64.b64decode(order["share"]))    # type: ignore[attr-defined, unused-ignore]
    else:
        channel = socket.socket(fileno=descriptor)
    if hasattr(signal, "SIGINT"):
        signal.signal(signal.SIGINT, signal.default_int_handler)
    work(order, {**DEEDS, **deeds}, channel, order.get("data_fd"))


def work(order: dict[str, Any], deeds: Mapping[str, str], channel: socket.socket, data: int | None) -> None:
    """Shut this process in, do the deed, answer, end. Never returns."""
    code = 0
    try:
        try:
            talk = _settle(order, channel, data)
            if hasattr(signal, "pthread_sigmask"):
                signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
            module, _, name = deeds[order["deed"]].partition(":")
            answer = getattr(importlib.import_module(module), name)(order["job"], talk)
            message = {"answer": answer}
        except KeyboardInterrupt:
            os._exit(130)
        except BaseException as error:      # the edge of a process
            message = {"failure": _as_failure(error, order)}
            if message["failure"]["code"] in ("internal", "crashed"):
                message["trace"] = "".join(traceback.format_exception(error))[-4000:]
            code = 1
        channel.setblocking(True)
        channel.sendall(json.dumps(message, separators=(",", ":")).encode() + b"\n")
        with contextlib.suppress(OSError):
            channel.shutdown(socket.SHUT_WR)
    except BaseException:                   # nobody is left to be told
        code = 71
    os._exit(code)


def _settle(order: dict[str, Any], channel: socket.socket, data: int | None) -> Talk:
    folder = Path(order["folder"])
    temporary = folder / TEMPORARY
    try:
        temporary.mkdir(mode=0o700, exist_ok=True)
        os.chdir(folder)
    except PermissionError:
        raise Failure("read_only", "The folder for downloads under way cannot be written to.") from None
    except FileNotFoundError:
        raise Failure("library_offline", "The folder for downloads under way is gone.") from None
    os.environ.clear()
    os.environ.update(order["environment"])
    for name in ("HOME", "TMPDIR", "TEMP", "TMP", "DENO_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME",
                 "XDG_STATE_HOME", "APPDATA", "LOCALAPPDATA", "USERPROFILE"):
        os.environ[name] = str(temporary)
    import tempfile

    tempfile.tempdir = str(temporary)
    if hasattr(os, "nice"):
        with contextlib.suppress(OSError):
            os.nice(NICE)
    confine.limit(memory_bytes=order["memory_bytes"], file_bytes=order["limit_bytes"], seconds=order["limit_s"])
    outbound = Outbound(order["allowed"], contact=order["contact"])
    guard = outbound.guard_process()
    confine.give_up_rank()
    confine.ask_little(programs=True, network=True)
    confine.write_only_below(folder, hidden=order["hidden"], readable=_needed(order))
    return Talk(channel, folder=folder, temporary=temporary, limit_bytes=order["limit_bytes"],
                limit_s=order["limit_s"], outbound=outbound, guard=guard, rate=order["rate"], data=data)


def _needed(order: dict[str, Any]) -> list[str]:
    """What must be readable although a folder of the station's own is beside or around it."""
    here = Path(__file__).resolve().parent
    own = [os.path.realpath(one) for one in (sys.prefix, sys.base_prefix, here, here.parent / "shared")]
    own = [one for one in own if not any(hidden.startswith(one + os.sep) for hidden in order["hidden"])]
    cookies = order["job"].get("cookies")
    return [*own, *([cookies] if isinstance(cookies, str) else [])]


def _as_failure(error: BaseException, order: dict[str, Any]) -> dict[str, Any]:
    """What is told of `error`: a Failure as it is, others by what they mean."""
    if not isinstance(error, Failure):
        error = _meaning(error)
        if error.code == "internal" and not os.path.isdir(order["folder"]):     # its disk went meanwhile
            error = Failure("library_offline", "The folder for downloads under way is gone.")
    return {"code": error.code, "message": error.message, "retry_after_s": error.retry_after_s,
            "retryable": error.retryable}


def _meaning(error: BaseException) -> Failure:
    seen: BaseException | None = error
    known: set[int] = set()             # what is raised from itself has itself for a cause
    while seen is not None and id(seen) not in known:
        known.add(id(seen))
        if isinstance(seen, Failure):
            return seen
        if isinstance(seen, MemoryError):
            return Failure("out_of_memory", "It needs more memory than one download may have.")
        if isinstance(seen, OSError):
            if seen.errno in (errno.ENOSPC, errno.EDQUOT):
                return Failure("disk_full", "There is no room left on the disk of the music folder.")
            if seen.errno == errno.EFBIG:
                return Failure("too_large", "It is larger than one download may be.")
            if seen.errno == errno.EROFS:
                return Failure("read_only", "The music folder cannot be written to.")
            if seen.errno in (errno.EIO, errno.ESTALE, errno.ENODEV, errno.ENOTCONN) and seen.filename:
                return Failure("library_offline", "The music folder does not answer.")
            if seen.errno == errno.ENOMEM:
                return Failure("out_of_memory", "It needs more memory than one download may have.")
        seen = seen.__cause__ or seen.__context__
    return Failure("internal", f"Fetching ended with an error of its own ({type(error).__name__}).")
