"""A worker process: does deeds that shared/audio/pool.py sends, one after the other, within limits.

Started as `python -I -c "… worker.main(…)"`. It shuts itself in first. A thread reads what comes in, so that the pipe
never stands still and the end of the parent is noticed at once, also in the middle of a deed: the worker then ends
without a word.
"""

from __future__ import annotations

import json
import os
import queue
import re
import sys
import threading
import traceback
from collections.abc import Callable
from importlib import import_module
from typing import Any

from shared import confine
from shared.audio import wire
from shared.model.errors import UnreadableFile

_DEED = re.compile(r"(?P<package>[a-z_.]+)\.[a-z][a-z0-9_]*:[a-z][a-z0-9_]*\Z")
_OPEN_FILES = 256
_LARGEST_FILE = 16 << 30


def main(memory_bytes: int, nice: int, packages: tuple[str, ...], bounded: str = "") -> None:
    """Serve until standard input ends. `bounded`: confine.Bounds as JSON; "": none."""
    incoming, outgoing = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(2, 1)                           # what a library prints must not get between the answers
    os.close(nothing)
    limit(memory_bytes, nice)
    shut = _shut_off(bounded)
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(incoming, requests), daemon=True, name="listen").start()
    _send(outgoing, wire.pack((True, "ready")))
    deeds: dict[str, Callable[..., Any]] = {}
    while True:
        deed, args, kwargs, timeout_s = wire.unpack(requests.get())  # nosec B113  # a queue
        try:
            _limit_cpu(timeout_s)
            if deed not in deeds:
                deeds[deed] = find(deed, packages)
            found = deeds[deed](*args, **kwargs)
            if shut is not None and _some_failed(found) and shut.outdated():
                os._exit(0)                 # a fresh one sees what is new; it is asked again
            answer = wire.pack((True, found))
        except Exception as error:          # the edge of a worker
            if shut is not None and shut.outdated():
                os._exit(0)
            told = "".join(traceback.format_exception(error))[-4000:]
            answer = wire.pack_error(error, told)
        try:
            _send(outgoing, answer)
        except BrokenPipeError:
            os._exit(0)
        if _swollen(memory_bytes):
            os._exit(0)                     # between two deeds: the next one starts fresh


def _shut_off(bounded: str) -> confine.Shut | None:
    if not bounded:
        return None
    hidden, kept, own, programs, sockets = json.loads(bounded)
    bounds = confine.Bounds(tuple(hidden), tuple(kept), tuple(own), tuple(programs), sockets)
    if bounds.own:
        import tempfile

        tempfile.tempdir = bounds.own[0]
    return confine.shut_off(bounds)


def _some_failed(found: Any) -> bool:
    return isinstance(found, list) and any(isinstance(one, UnreadableFile) for one in found)


def find(deed: str, packages: tuple[str, ...]) -> Callable[..., Any]:
    """The function called "package.module:function"; only public ones of `packages` may be asked for."""
    match = _DEED.match(deed)
    if match is None or match["package"] not in packages:
        raise ValueError(f"{deed} is not something that workers do")
    module, _, name = deed.partition(":")
    found = getattr(import_module(module), name)
    if not callable(found):
        raise ValueError(f"{deed} is not a function")
    return found  # type: ignore[no-any-return]


def limit(memory_bytes: int, nice: int) -> None:
    """Bound what this process may take of the machine, for good."""
    os.umask(0o077)
    confine.gain_nothing()
    if sys.platform == "win32":
        return
    import resource

    if nice:
        os.nice(nice)
    bounds = [(resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, _LARGEST_FILE), (resource.RLIMIT_NOFILE, _OPEN_FILES)]
    if memory_bytes and sys.platform != "darwin":       # macOS does not know how to hold it
        bounds.append((resource.RLIMIT_AS, memory_bytes))
    for kind, most in bounds:
        _, hard = resource.getrlimit(kind)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))


def _limit_cpu(timeout_s: float) -> None:
    """The kernel ends a deed that computes for twice its time, also when nobody watches any more."""
    if sys.platform == "win32":
        return
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = int(used.ru_utime + used.ru_stime + 2 * timeout_s) + 10
    if hard == resource.RLIM_INFINITY or soft < hard:
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def _swollen(memory_bytes: int) -> bool:
    """Whether this process once held more than half of what it may."""
    if not memory_bytes or sys.platform == "win32":
        return False
    return _most_held() > memory_bytes // 2


def _most_held() -> int:
    """Bytes, at the worst moment so far."""
    try:
        # Not ru_maxrss, where there is this: a child starts with its parent's.
        with open("/proc/self/status", "rb") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith(b"VmHWM:"))
    except (OSError, StopIteration):
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _listen(incoming: int, requests: queue.SimpleQueue[bytes]) -> None:
    try:
        while True:
            length = int.from_bytes(_receive(incoming, wire.HEADER), "big")
            requests.put(_receive(incoming, length))  # nosec B113  # a queue
    except (EOFError, OSError):
        os._exit(0)


def _receive(incoming: int, amount: int) -> bytes:
    parts = []
    while amount:
        part = os.read(incoming, min(amount, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        amount -= len(part)
    return b"".join(parts)


def _send(outgoing: int, frame: bytes) -> None:
    view = memoryview(frame)
    while view:
        view = view[os.write(outgoing, view):]
