"""Ranges beside nginx on the same file with the same client; JSON while everybody streams; JSON while a call hangs."""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import socket
import statistics
import subprocess
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from bench import corpus
from bench.measure import Asking, Client, Table, percentile, timed_ms
from tests.running import RunningStation, start_station

QUIET = {"SOUNDSIBLE_WATCH": "false", "SOUNDSIBLE_MANIFEST": "false"}


def pull(port: int, path: str, headers: str, *, connections: int, seconds: float) -> tuple[float, list[float]]:
    """Ask for `path` on `connections` keep-alive connections at once, again and again.

    One selector, one large buffer: the client must not be what is measured. Returns (MB/s, first-byte times in ms).
    """
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n".encode()
    buffer = bytearray(1 << 20)
    chooser = selectors.DefaultSelector()
    states: dict[socket.socket, list[float]] = {}       # [bytes still to come or -1, asked at]
    for _ in range(connections):
        one = socket.create_connection(("127.0.0.1", port))
        one.setblocking(False)
        one.sendall(request)
        states[one] = [-1, time.perf_counter()]
        chooser.register(one, selectors.EVENT_READ)
    total, firsts = 0, []
    begun = time.perf_counter()
    end = begun + seconds
    while (now := time.perf_counter()) < end:
        for key, _ in chooser.select(0.5):
            one = key.fileobj
            assert isinstance(one, socket.socket)
            state = states[one]
            try:
                got = one.recv_into(buffer)
            except BlockingIOError:
                continue
            if not got:
                raise AssertionError("the server closed a connection in the middle")
            total += got
            if state[0] < 0:
                firsts.append((time.perf_counter() - state[1]) * 1000)
                head, _, _ = bytes(buffer[:got]).partition(b"\r\n\r\n")
                assert b" 206 " in head[:20] or b" 200 " in head[:20], head[:200]
                length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n")
                              if line.lower().startswith(b"content-length"))
                state[0] = length - (got - len(head) - 4)
            else:
                state[0] -= got
            if state[0] == 0:
                one.sendall(request)
                state[0], state[1] = -1, time.perf_counter()
    taken = now - begun
    for one in states:
        chooser.unregister(one)
        one.close()
    return total / taken / 1e6, firsts


class Nginx:
    """nginx with sendfile over one folder, on a free port; None where it is not installed."""

    def __init__(self, top: Path, *, certificate: Path | None = None, key: Path | None = None) -> None:
        self.base = corpus.folder() / "nginx"
        shutil.rmtree(self.base, ignore_errors=True)
        self.base.mkdir()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        tls = f"ssl_certificate {certificate}; ssl_certificate_key {key};" if certificate else ""
        (self.base / "nginx.conf").write_text(f"""
            daemon off; worker_processes 1; pid {self.base}/pid; error_log {self.base}/error.log;
            events {{ worker_connections 512; }}
            http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;
              client_body_temp_path {self.base}; proxy_temp_path {self.base}; fastcgi_temp_path {self.base};
              uwsgi_temp_path {self.base}; scgi_temp_path {self.base};
              server {{ listen 127.0.0.1:{self.port} {'ssl' if tls else ''}; {tls} root "{top}"; }} }}""")
        user = ["-g", "user root;"] if os.geteuid() == 0 else []
        self.process = subprocess.Popen(["nginx", "-c", str(self.base / "nginx.conf"), *user],
                                        stderr=subprocess.DEVNULL)
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                time.sleep(0.05)
        raise AssertionError("nginx did not start")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)


def run(table: Table) -> None:
    music = corpus.real_flac()
    file = next(music.rglob("*.flac"))
    home = corpus.folder() / "stream-home"
    shutil.rmtree(home, ignore_errors=True)
    station = start_station(home, [music], environ=QUIET)
    nginx = Nginx(music) if shutil.which("nginx") else None
    try:
        station.wait_for_scan()
        _, page = station.call("GET", "/api/library/tracks")
        track = page["items"][0]["id"]
        size = file.stat().st_size
        _ranges(table, station, track, nginx, str(file.relative_to(music)).replace(" ", "%20"), size)
        _json_while_streaming(table, station, track)
    finally:
        station.stop()
        if nginx:
            nginx.stop()
        shutil.rmtree(home, ignore_errors=True)


def _ranges(table: Table, station: RunningStation, track: str, nginx: Nginx | None, name: str, size: int) -> None:
    port = urlsplit(station.url).port or 0
    login = f"Authorization: Bearer {station.login()}\r\n"
    span = f"Range: bytes=1000-{size - 1}\r\n"
    for connections in (16, 64):
        ours, theirs, ours_first, theirs_first = [], [], [], []
        for _ in range(3):      # in turn, so that a change of the machine's pace meets both
            rate, firsts = pull(port, f"/api/stream/{track}", login + span, connections=connections, seconds=3)
            ours.append(rate)
            ours_first += firsts
            if nginx:
                rate, firsts = pull(nginx.port, f"/{name}", span, connections=connections, seconds=3)
                theirs.append(rate)
                theirs_first += firsts
        rate = statistics.median(ours)
        peer = statistics.median(theirs) if theirs else None
        table.add("range throughput", f"{connections} connections, {size / 1e6:.0f} MB file", rate, "MB/s", bare=peer,
                  bare_name="nginx", aim="≥ 0.9", met=rate / peer >= 0.9 if peer else None)
        first, peer = percentile(ours_first, 0.99), percentile(theirs_first, 0.99) if theirs_first else None
        table.add("first byte p99 meanwhile", f"{connections} connections, {size / 1e6:.0f} MB file", first, "ms",
                  bare=peer, bare_name="nginx", aim="≤ 4", met=first / peer <= 4 if peer else None)
    # Beyond the aims: where requests, not bytes, are what costs, Python shows.
    small = "Range: bytes=1000-66535\r\n"
    _, ours_first = pull(port, f"/api/stream/{track}", login + small, connections=16, seconds=4)
    theirs_first = pull(nginx.port, f"/{name}", small, connections=16, seconds=4)[1] if nginx else []
    table.add("first byte p99, saturated with 64 kB ranges", "16 connections", percentile(ours_first, 0.99), "ms",
              bare=percentile(theirs_first, 0.99) if theirs_first else None, bare_name="nginx")
    # As players do it: a request now and then, on one connection.
    ours = [pull_one(port, f"/api/stream/{track}", login + small) for _ in range(300)]
    theirs = [pull_one(nginx.port, f"/{name}", small) for _ in range(300)] if nginx else []
    table.add("first byte p99, one request at a time", "new connection each", percentile(ours, 0.99), "ms",
              bare=percentile(theirs, 0.99) if theirs else None, bare_name="nginx")


def pull_one(port: int, path: str, headers: str) -> float:
    """ms from asking to the first byte of one request on its own connection."""
    with socket.create_connection(("127.0.0.1", port)) as one:
        begun = time.perf_counter()
        one.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{headers}\r\n".encode())
        one.recv(4096)
        taken = (time.perf_counter() - begun) * 1000
        while one.recv(1 << 20):
            pass
    return taken


def _json_while_streaming(table: Table, station: RunningStation, track: str) -> None:
    port = urlsplit(station.url).port or 0
    token = station.login()
    client = Client(station.url, token)
    idle = percentile(timed_ms(lambda: client.get("/api/library/albums?limit=20"), 300), 0.99)
    puller = threading.Thread(target=pull, args=(port, f"/api/stream/{track}", f"Authorization: Bearer {token}\r\n"),
                              kwargs={"connections": 32, "seconds": 8})
    # In a process of its own, so that the client's pulling does not hold the asking thread back.
    child = os.fork()
    if child == 0:
        try:
            puller.run()
        finally:
            os._exit(0)
    time.sleep(0.5)
    with Asking(station.url, token, "/api/library/albums?limit=20") as asking:
        time.sleep(6.5)
    os.waitpid(child, 0)
    p99 = percentile(asking.taken_ms, 0.99)
    table.add("JSON p99 while 32 clients stream at full speed", "30 MB file", p99, "ms", bare=idle,
              bare_name="idle p99", aim="≤ 10 ms", met=p99 <= 10)


def hang(table: Table) -> None:
    """A music folder that stops answering: a folder over FUSE where there is FUSE, a blocked open elsewhere."""
    music = corpus.folder() / "hanging"
    shutil.rmtree(music, ignore_errors=True)
    shutil.copytree(corpus.real_flac(), music)
    home = corpus.folder() / "hang-home"
    shutil.rmtree(home, ignore_errors=True)
    # SOUNDSIBLE_SERVER's threads answer while this many requests wait for a file that hangs.
    station = start_station(home, [music], environ=QUIET)
    try:
        station.wait_for_scan()
        _, page = station.call("GET", "/api/library/tracks")
        track = page["items"][0]["id"]
        file = next(music.rglob("*.flac"))
        token = station.login()
        client = Client(station.url, token)
        idle = percentile(timed_ms(lambda: client.get("/api/library/albums?limit=20"), 300), 0.99)
        file.unlink()
        os.mkfifo(file)     # opening it for reading blocks until somebody writes
        stuck = [threading.Thread(target=lambda: Client(station.url, token).get(f"/api/stream/{track}"), daemon=True)
                 for _ in range(8)]
        for one in stuck:
            one.start()
        with Asking(station.url, token, "/api/library/albums?limit=20") as asking:
            time.sleep(5)
        p99 = percentile(asking.taken_ms, 0.99)
        table.add("JSON p99 while 8 streams ask for a file that hangs", "", p99, "ms", bare=idle, bare_name="idle p99",
                  aim="≤ 10 ms", met=p99 <= 10)
    finally:
        station.stop()
        shutil.rmtree(home, ignore_errors=True)
        shutil.rmtree(music, ignore_errors=True)
