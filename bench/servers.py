"""How each server serves: bytes of many streams, and how long a small answer takes meanwhile.

    .venv/bin/python bench/servers.py [--seconds 6] [--streams 64] [--json FILE]

For each of gunicorn, eventlet and Werkzeug, with one small application in a process of its own:

- MB/s of a 33 MB file at 64 connections, all of it read again and again;
- the longest, p99 and median time of a small JSON answer while 32 clients stream at full speed;
- the same while one call hangs in the file system for 5 s;
- how long a small answer takes while 300 paused players hold their streams, and the memory then.

The clients are one process of their own on the same machine, so the figures compare servers with one another
and say little about a network.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FILE_BYTES = 33_000_000
KINDS = ("gunicorn", "eventlet", "werkzeug")


# ---- the small application (in a process of its own)


def serve(kind: str, folder: Path) -> None:
    from shared import server

    def create() -> Any:
        from flask import Flask, Response, jsonify, request
        from werkzeug.wsgi import wrap_file

        app = Flask("small")

        @app.get("/api/health")
        def health() -> Any:
            return jsonify(status="ok", items=list(range(100)))

        @app.get("/api/stream/file")
        def stream() -> Any:
            file = (folder / "file").open("rb")
            response = Response(wrap_file(request.environ, file), direct_passthrough=True)
            response.headers["Content-Length"] = str(FILE_BYTES)
            return response

        @app.get("/api/stuck")
        def stuck() -> str:
            time.sleep(5)
            return "late"

        return app

    def ready(addresses: list[tuple[str, int]]) -> None:
        (folder / "port.new").write_text(str(addresses[0][1]))
        os.replace(folder / "port.new", folder / "port")

    settings = SimpleNamespace(host="127.0.0.1", port=0, server=kind, threads=400)
    sys.exit(server.serve(create=create, settings=settings, on_ready=ready))


# ---- the clients (in a process of their own, so that their Python does not slow the server's)


class Readers:
    """Connections that read streams as fast as they come, in one loop."""

    def __init__(self, port: int, count: int) -> None:
        self.port, self.bytes, self.stopped = port, 0, False
        self._poll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        for _ in range(count):
            self._open()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _open(self) -> None:
        client = socket.create_connection(("127.0.0.1", self.port))
        client.sendall(b"GET /api/stream/file HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        client.setblocking(False)
        self._sockets[client.fileno()] = client
        self._poll.register(client.fileno(), select.EPOLLIN)

    def _read(self) -> None:
        into = bytearray(1 << 20)
        while not self.stopped:
            for number, _ in self._poll.poll(0.1):
                try:
                    count = self._sockets[number].recv_into(into)
                except BlockingIOError:
                    continue
                self.bytes += count
                if not count:
                    self._poll.unregister(number)
                    self._sockets.pop(number).close()
                    self._open()

    def stop(self) -> None:
        self.stopped = True
        self._thread.join()
        for client in self._sockets.values():
            client.close()


def answer_times(port: int, seconds: float) -> list[float]:
    """Milliseconds of small answers, one after the other, 100 a second at most; on one kept connection where
    the server keeps it (Werkzeug closes it after each answer: connecting counts)."""
    times = []
    until = time.monotonic() + seconds
    kept: socket.socket | None = None
    while time.monotonic() < until:
        begun = time.perf_counter()
        if kept is None:
            kept = socket.create_connection(("127.0.0.1", port))
        kept.sendall(b"GET /api/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        received = b""
        while b'"ok"' not in received:
            received += kept.recv(65536)
        times.append((time.perf_counter() - begun) * 1000)
        if b"connection: close" in received.lower():
            kept.close()
            kept = None
        time.sleep(0.01)
    if kept is not None:
        kept.close()
    return sorted(times)


def client(deed: str, port: int, count: int, seconds: float) -> None:
    """Runs in the clients' process; prints one JSON document."""
    if deed == "throughput":
        readers = Readers(port, count)
        time.sleep(1)
        before = readers.bytes
        time.sleep(seconds)
        result: Any = (readers.bytes - before) / seconds / 1e6
        readers.stop()
    elif deed == "stream":
        readers = Readers(port, count)
        time.sleep(60 * 60)
        result = None
    elif deed == "pause":
        paused = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
        for one in paused:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            one.sendall(b"GET /api/stream/file HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(60 * 60)
        result = None
    else:
        result = answer_times(port, seconds)
    print(json.dumps(result))


def clients(deed: str, port: int, *, count: int = 0, seconds: float = 0) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "--client", deed, "--port", str(port)]
    command += ["--streams", str(count), "--seconds", str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def said(process: subprocess.Popen[str]) -> Any:
    return json.loads(process.communicate()[0])


def figures(times: list[float]) -> dict[str, float]:
    return {
        "median_ms": round(times[len(times) // 2], 1),
        "p99_ms": round(times[int(len(times) * 0.99)], 1),
        "longest_ms": round(times[-1], 1),
    }


# ---- measuring


def children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(word) for word in path.read_text().split()] if path.exists() else []


def memory_mb(pid: int) -> float:
    """The serving process's own memory: the worker's where there is one."""
    serving = (children(pid) or [pid])[-1]
    for line in Path(f"/proc/{serving}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return round(int(line.split()[1]) / 1024, 1)
    return 0.0


def cpu_seconds(pid: int) -> float:
    serving = (children(pid) or [pid])[-1]
    fields = Path(f"/proc/{serving}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(kind: str, folder: Path, *, streams: int, seconds: float) -> dict[str, Any]:
    (folder / "port").unlink(missing_ok=True)
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    station = subprocess.Popen([sys.executable, __file__, "--serve", kind, str(folder)], env=environment)
    try:
        while not (folder / "port").exists():
            if station.poll() is not None:
                raise SystemExit(f"{kind} did not start")
            time.sleep(0.05)
        port = int((folder / "port").read_text())
        found: dict[str, Any] = {"server": kind, "idle_memory_mb": memory_mb(station.pid)}

        used = cpu_seconds(station.pid)
        found["throughput_mb_s"] = round(said(clients("throughput", port, count=streams, seconds=seconds)))
        found["throughput_cpu_cores"] = round((cpu_seconds(station.pid) - used) / (seconds + 1), 2)

        full_speed = clients("stream", port, count=32)
        time.sleep(1)
        found["json_while_32_stream"] = figures(said(clients("answers", port, seconds=seconds)))
        full_speed.kill()
        full_speed.communicate()

        time.sleep(0.5)
        with socket.create_connection(("127.0.0.1", port)) as hanging:
            hanging.sendall(b"GET /api/stuck HTTP/1.1\r\nHost: localhost\r\n\r\n")
            time.sleep(0.2)
            found["json_while_one_hangs"] = figures(said(clients("answers", port, seconds=3)))

        paused = clients("pause", port, count=300)
        time.sleep(3)
        found["json_while_300_paused"] = figures(said(clients("answers", port, seconds=2)))
        found["memory_300_paused_mb"] = memory_mb(station.pid)
        paused.kill()
        paused.communicate()
        return found
    finally:
        station.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            station.wait(10)
        station.kill()


def main() -> None:
    words = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    words.add_argument("--seconds", type=float, default=6)
    words.add_argument("--streams", type=int, default=64)
    words.add_argument("--only", choices=KINDS, action="append")
    words.add_argument("--json", type=Path)
    words.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    words.add_argument("--client", help=argparse.SUPPRESS)
    words.add_argument("--port", type=int, help=argparse.SUPPRESS)
    given = words.parse_args()
    if given.serve:
        return serve(given.serve[0], Path(given.serve[1]))
    if given.client:
        return client(given.client, given.port, given.streams, given.seconds)

    results = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "file").write_bytes(os.urandom(1 << 20) * 32)
        os.truncate(folder / "file", FILE_BYTES)
        print("server    MB/s  cores | JSON ms while 32 stream | one hangs | 300 paused | memory MB idle/paused")
        print("                      |   median   p99 longest  |  longest  |  longest   |")
        for kind in given.only or KINDS:
            one = measure(kind, folder, streams=given.streams, seconds=given.seconds)
            results.append(one)
            under, hang, paused = (
                one[f"json_while_{what}"] for what in ("32_stream", "one_hangs", "300_paused")
            )
            print(
                f"{kind:9} {one['throughput_mb_s']:5} {one['throughput_cpu_cores']:5} | "
                f"{under['median_ms']:8} {under['p99_ms']:5} {under['longest_ms']:7}  | "
                f"{hang['longest_ms']:8}  | {paused['longest_ms']:9}  | "
                f"{one['idle_memory_mb']} / {one['memory_300_paused_mb']}",
                flush=True,
            )
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
