"""A small station in a process of its own, and a plain wire to talk to it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

SMALL_STATION = Path(__file__).parent / "small_station.py"
ROOT = Path(__file__).resolve().parents[2]
HANG_S = 30  # a guard against hanging for ever, no measure of speed


class Wire:
    """One connection, spoken to in bytes; with `tls` (an SSLContext) these are encrypted."""

    def __init__(self, port, *, tls=None, session=None, source=None):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=HANG_S, source_address=source)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost", session=session)
        self.received = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def ask(self, path, method="GET", body=b"", **headers):
        self.request(path, method, body, **headers)
        return self.answer(method)

    def request(self, path, method="GET", body=b"", **headers):
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def answer(self, method="GET"):
        """(status, headers in lower case, body); status 0 when the other side closed without an answer."""
        while b"\r\n\r\n" not in self.received:
            if not self._more():
                return 0, {}, b""
        head, _, self.received = self.received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        length = 0 if method == "HEAD" else int(headers.get("content-length", 0))
        while len(self.received) < length and self._more():
            pass
        body, self.received = self.received[:length], self.received[length:]
        return int(first.split()[1]), headers, body

    def _more(self):
        try:
            data = self.socket.recv(1 << 16)
        except ConnectionResetError:
            data = b""
        self.received += data
        return bool(data)

    def ended(self):
        """Wait until the other side closes; what came before is thrown away."""
        while self._more():
            self.received = b""
        return True


class SmallStation:
    def __init__(self, kind, folder, env):
        self.folder = folder
        self.errors = (folder / "errors").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, str(SMALL_STATION), kind, str(folder)],
            env={**os.environ, "PYTHONPATH": str(ROOT), **env},
            stderr=self.errors,
            start_new_session=True,
        )
        self.port = 0

    def ready(self):
        self.wait_for(lambda: (self.folder / "ready").exists() or self.process.poll() is not None)
        assert self.process.poll() is None, self.stderr()
        self.port = int((self.folder / "ready").read_text())
        return self

    @staticmethod
    def wait_for(condition):
        until = time.monotonic() + HANG_S
        while not condition():
            assert time.monotonic() < until, "it never came"
            time.sleep(0.01)

    def wire(self, **how):
        return Wire(self.port, **how)

    def health(self):
        with self.wire() as wire:
            status, _, body = wire.ask("/api/health")
            return json.loads(body) if status == 200 else status

    def diary(self):
        path = self.folder / "diary"
        return path.read_text().splitlines() if path.exists() else []

    def stderr(self):
        return (self.folder / "errors").read_text()

    def stop(self, sign=signal.SIGTERM):
        self.process.send_signal(sign)
        return self.process.wait(HANG_S)

    def give_up(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)  # its own session: only what this test started
            self.process.wait()
        self.errors.close()


@pytest.fixture
def small_station(tmp_path):
    """`small_station("gunicorn", TIMES={...}, THREADS="64")` starts one; all end with the test."""
    started = []

    def start(kind="gunicorn", *, wait=True, times=None, **env):
        folder = tmp_path / f"station-{len(started)}"
        folder.mkdir()
        env["TIMES"] = json.dumps(times or {})
        station = SmallStation(kind, folder, env)
        started.append(station)
        return station.ready() if wait else station

    yield start
    for station in started:
        station.give_up()
    shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.fixture(scope="session")
def music_bytes():
    return os.urandom(3_000_001)
