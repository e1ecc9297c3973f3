"""What a worker that was taken over would try."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shared.model.errors import UnreadableFile


def tried(deed: Callable[[], Any]) -> str:
    """ "done", or the name of what kept it from that."""
    try:
        deed()
    except OSError as error:
        return type(error).__name__
    return "done"


def read(path: str) -> str:
    return tried(lambda: Path(path).read_bytes())


def write(path: str) -> str:
    return tried(lambda: Path(path).write_bytes(b"mine"))


def replace(path: str) -> str:
    """As tags are written: a new file beside it takes its place."""
    def deed() -> None:
        part = Path(path).with_name(".part")
        part.write_bytes(b"new")
        part.replace(path)

    return tried(deed)


def remove(path: str) -> str:
    return tried(lambda: os.unlink(path))


def link(path: str, to: str) -> str:
    """A second name for a file that may not be read, where it could be."""
    def deed() -> None:
        os.link(path, to)
        Path(to).read_bytes()

    return tried(deed)


def call(port: int) -> str:
    return tried(lambda: socket.create_connection(("127.0.0.1", port), 2).close())


def listen() -> str:
    def deed() -> None:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))

    return tried(deed)


def hit(pid: int) -> str:
    return tried(lambda: os.kill(pid, signal.SIGCONT))


def environment() -> dict[str, str]:
    return dict(os.environ)


def temporary() -> str:
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        return file.name


def read_each(paths: list[str]) -> list[Any]:
    """As tags are read: what cannot be read is told of, not raised."""
    answers: list[Any] = []
    for path in paths:
        try:
            answers.append(Path(path).read_bytes().decode())
        except OSError:
            answers.append(UnreadableFile("It cannot be read.", reason="no_permission"))
    return answers


def limits() -> dict[str, int]:
    """The soft limits of this process, -1: none."""
    names = {"memory": "RLIMIT_AS", "data": "RLIMIT_DATA", "file": "RLIMIT_FSIZE", "files": "RLIMIT_NOFILE",
             "cpu": "RLIMIT_CPU", "core": "RLIMIT_CORE"}
    return {name: resource.getrlimit(getattr(resource, kind))[0] for name, kind in names.items()}


def fill(path: str, amount: int) -> str:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    return tried(lambda: os.truncate(os.open(path, os.O_CREAT | os.O_WRONLY), amount))


def hold_open(count: int) -> str:
    def deed() -> None:
        with contextlib.ExitStack() as stack:
            for _ in range(count):
                stack.enter_context(open(os.devnull, "rb"))

    return tried(deed)


def spin() -> None:
    while True:
        pass


def sleep(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def ask_of_the_kernel(pid: int) -> dict[str, str]:
    """What else would lead out: by name, "done" or what kept it from that. `pid`: another process."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)

    def call(number: int, *args: int) -> None:
        if libc.syscall(ctypes.c_long(number), *(ctypes.c_long(one) for one in args)) < 0:
            raise OSError(ctypes.get_errno(), "refused")

    def socket_of(family: int, kind: int = socket.SOCK_STREAM, protocol: int = 0) -> Callable[[], None]:
        return lambda: socket.socket(family, kind, protocol).close()

    def begin() -> None:
        child = os.fork()
        if not child:
            os._exit(0)
        os.waitpid(child, 0)

    return {
        "environment of the station": tried(lambda: Path(f"/proc/{pid}/environ").read_bytes()),
        "memory of the station": tried(lambda: Path(f"/proc/{pid}/maps").read_bytes()),
        "process": tried(begin), "program": tried(lambda: os.posix_spawn("/bin/true", ["true"], {})),
        "of a file": tried(socket_of(socket.AF_UNIX)),
        "datagram": tried(socket_of(socket.AF_INET, socket.SOCK_DGRAM)), "six": tried(socket_of(socket.AF_INET6)),
        "many ways": tried(socket_of(socket.AF_INET, protocol=262)), "netlink": tried(socket_of(16, socket.SOCK_RAW)),
        "priority": tried(lambda: os.setpriority(os.PRIO_PROCESS, pid, 19)),
        "processor": tried(lambda: os.sched_setaffinity(pid, {0})),
        "limit": tried(lambda: resource.prlimit(pid, resource.RLIMIT_CPU, resource.prlimit(pid, resource.RLIMIT_CPU))),
        "namespace": tried(lambda: call(97 if os.uname().machine == "aarch64" else 272, 0x10000000)),
        "ring": tried(lambda: call(425, 1, 0)), "file of another process": tried(lambda: call(438, 0, 0, 0)),
        "device": tried(lambda: os.mknod(f"/tmp/soundsible-{os.getpid()}", 0o60600, 0)),
    }


def threads() -> int:
    """That threads still begin."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        return sum(pool.map(len, ["a", "bc"]))
