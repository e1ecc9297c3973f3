"""Stations that begin where they would be after their imports, which are most of what the start of a small one costs.

A test process has one nest, made for its first station: a process with one thread that has imported what a station
imports, and does nothing but fork. What begins there runs shared.api.main with a command line, an environment, an
output and an end of its own; its children and signals are a station's too. What is not: the program's name and
environment in /proc, and how much memory it needs. Who tests those starts it as people do: tests.running.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# They bring nearly all that a station comes to import.
IMPORTED = ("api", "server", "settings", "logs", "terminal", "confine", "station", "feed", "limits", "sockets",
            "routes.register", "serving.gunicorn_server", "serving.listening", "upkeep.switch")
LONGEST_MESSAGE = 1 << 20

POSSIBLE = sys.platform.startswith("linux")


class Born:
    """A process that began in the nest, with what tests ask of a subprocess.Popen."""

    def __init__(self, args: Sequence[str], pid: int, ending: int) -> None:
        self.args, self.pid, self.returncode = args, pid, None
        self._ending = ending       # a pipe: the exit code comes through it, or nothing when the nest is gone

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not select.select([self._ending], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(list(self.args), timeout or 0.0)
            self.returncode = int(os.read(self._ending, 100) or -signal.SIGKILL)
            os.close(self._ending)
        return self.returncode

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0.0)
        return None

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Nest:
    """Ask it from one thread at a time. It ends with this process, and with it what began there."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environ = {name: value for name, value in os.environ.items() if not name.startswith("SOUNDSIBLE_")}
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.nest", str(theirs.fileno())], cwd=ROOT, stdin=subprocess.DEVNULL,
                env={**environ, "PYTHONUNBUFFERED": "1"}, pass_fds=[theirs.fileno()])
        self._ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LONGEST_MESSAGE)
        atexit.register(self.end)

    @property
    def lives(self) -> bool:
        return self._process.poll() is None

    def begin(self, arguments: Sequence[str], environ: Mapping[str, str], output: int) -> Born:
        """A station with these arguments and nothing but this environment, that writes to a file of this process."""
        ours, theirs = os.pipe()
        try:
            socket.send_fds(self._ours, [json.dumps([list(arguments), dict(environ)]).encode()], [output, theirs])
        finally:
            os.close(theirs)
        pid = int(self._ours.recv(100) or 0)
        if not pid:
            os.close(ours)
            raise AssertionError(f"the nest is gone: {self._process.wait(10)}")
        return Born(["shared.api", *arguments], pid, ours)

    def end(self) -> None:
        self._ours.close()
        self._process.wait(30)


def main(asked: socket.socket) -> int:
    """Fork when asked, and tell how those ended; in each of them, the station's exit code."""
    for name in IMPORTED:
        importlib.import_module(f"shared.{name}")
    assert len(os.listdir("/proc/self/task")) == 1
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    woken, waker = socket.socketpair()
    for one in (woken, waker):
        one.setblocking(False)
    signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    born: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([asked, woken], [], [])
        if woken in ready:
            woken.recv(1000)
            tell_ends(born)
        if asked not in ready:
            continue
        message, files, _, _ = socket.recv_fds(asked, LONGEST_MESSAGE, 2)
        if not message:
            end_all(born)
            return 0
        output, ending = files
        arguments, environ = json.loads(message)
        pid = os.fork()
        if not pid:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            for one in (asked, woken, waker):
                one.close()
            for number in (ending, *born.values()):
                os.close(number)
            return be_a_station(arguments, environ, output)
        os.close(output)
        born[pid] = ending
        asked.send(str(pid).encode())


def be_a_station(arguments: list[str], environ: dict[str, str], output: int) -> int:
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    os.environ.clear()
    os.environ.update(environ)
    time.tzset()
    from shared import api

    sys.argv = [str(api.__file__), *arguments]
    return api.main()


def tell_ends(born: dict[int, int]) -> None:
    for pid, ending in list(born.items()):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            del born[pid]
            with contextlib.suppress(BrokenPipeError):
                os.write(ending, str(os.waitstatus_to_exitcode(status)).encode())
            os.close(ending)


def end_all(born: dict[int, int]) -> None:
    """Who asked is gone, and left these behind."""
    for pid in born:
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 10
    while born and time.monotonic() < deadline:
        tell_ends(born)
        time.sleep(0.02)
    for pid in born:
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(socket.socket(fileno=int(sys.argv[1]))))
