"""HTTPS beside HTTP of the same station in one run, and beside nginx: bytes, small answers, handshakes, memory."""

from __future__ import annotations

import http.client
import selectors
import shutil
import socket
import ssl
import statistics
import time
from pathlib import Path

from bench import corpus
from bench.measure import Table, children, percentile, resident_mib, serving_process
from bench.streaming import QUIET, Nginx
from tests.running import start_station

CONNECTIONS, SECONDS = 4, 3.0
ANSWERS, HANDSHAKES, ROUNDS = 200, 40, 5
HELD = 100


def run(table: Table) -> None:
    music = corpus.real_flac()
    file = next(music.rglob("*.flac"))
    home = corpus.folder() / "https-home"
    shutil.rmtree(home, ignore_errors=True)
    station = start_station(home, [music], environ={**QUIET, "SOUNDSIBLE_MDNS": "off"})
    folder = home / "config" / "identity"
    nginx = None
    try:
        station.wait_for_scan()
        port = int(station.url.rpartition(":")[2])
        token = station.login()
        _, page = station.call("GET", "/api/library/tracks")
        track = page["items"][0]["id"]
        tls = ssl.create_default_context(cafile=str(folder / "authority.crt"))
        if shutil.which("nginx"):
            nginx = Nginx(music, certificate=folder / "leaf.crt", key=folder / "leaf.key")
        _bytes(table, port, nginx, f"/api/stream/{track}", "/" + str(file.relative_to(music)).replace(" ", "%20"),
               token, tls)
        _small_answers(table, port, tls)
        _handshakes(table, port, tls)
        _memory(table, port, tls, serving_process(station.process.pid), f"/api/stream/{track}", token)
    finally:
        if nginx is not None:
            nginx.stop()
        station.stop()
        shutil.rmtree(home, ignore_errors=True)


def _open(port: int, tls: ssl.SSLContext | None, session: ssl.SSLSession | None = None) -> socket.socket:
    wire = socket.create_connection(("127.0.0.1", port))
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return wire if tls is None else tls.wrap_socket(wire, server_hostname="localhost", session=session)


def _pull(port: int, path: str, token: str, tls: ssl.SSLContext | None) -> float:
    """MB/s of one file asked for again and again on CONNECTIONS kept connections."""
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    chooser, buffer, total = selectors.DefaultSelector(), bytearray(1 << 18), 0
    left: dict[socket.socket, int] = {}
    for _ in range(CONNECTIONS):
        one = _open(port, tls)
        one.setblocking(False)
        one.send(request)
        left[one] = -1
        chooser.register(one, selectors.EVENT_READ)
    begun = time.perf_counter()
    while (now := time.perf_counter()) < begun + SECONDS:
        for key, _ in chooser.select(0.5):
            one = key.fileobj
            assert isinstance(one, socket.socket)
            try:
                got = one.recv_into(buffer)
            except (BlockingIOError, ssl.SSLWantReadError):
                continue
            assert got, "the server closed a connection in the middle"
            total += got
            if left[one] < 0:
                head, _, _ = bytes(buffer[:got]).partition(b"\r\n\r\n")
                assert b" 200 " in head[:20], head[:100]
                left[one] = next(int(line.split(b":")[1]) for line in head.split(b"\r\n")
                                 if line.lower().startswith(b"content-length")) + len(head) + 4
            left[one] -= got
            if not left[one]:
                one.send(request)
                left[one] = -1
    for one in left:
        one.close()
    return total / (now - begun) / 1e6


def _bytes(table: Table, port: int, nginx: Nginx | None, path: str, at_nginx: str, token: str,
           tls: ssl.SSLContext) -> None:
    plain, secure, peer = [], [], []
    for _ in range(3):
        secure.append(_pull(port, path, token, tls))
        plain.append(_pull(port, path, token, None))
        if nginx is not None:
            peer.append(_pull(nginx.port, at_nginx, "none", tls))
    figure = statistics.median(secure)
    table.add("HTTPS throughput", f"{CONNECTIONS} connections", figure, "MB/s", bare=statistics.median(plain),
              bare_name="HTTP")
    if peer:
        table.add("HTTPS throughput", f"{CONNECTIONS} connections", figure, "MB/s", bare=statistics.median(peer),
                  bare_name="nginx TLS", aim="≥ 0.5", met=figure >= 0.5 * statistics.median(peer))


def _small_answers(table: Table, port: int, tls: ssl.SSLContext) -> None:
    """On a connection that is kept, taking turns."""
    taken: dict[bool, list[float]] = {True: [], False: []}
    wires = {True: http.client.HTTPSConnection("localhost", port, context=tls, timeout=30),
             False: http.client.HTTPConnection("localhost", port, timeout=30)}
    for number in range(2 * ANSWERS + 20):
        secure = bool(number % 2)
        begun = time.perf_counter()
        wires[secure].request("GET", "/api/health")
        assert wires[secure].getresponse().read()
        if number >= 20:
            taken[secure].append((time.perf_counter() - begun) * 1000)
    for wire in wires.values():
        wire.close()
    table.add("small answer over HTTPS, median", "kept connection", statistics.median(taken[True]), "ms",
              bare=statistics.median(taken[False]), bare_name="HTTP")
    table.add("small answer over HTTPS, p99", "kept connection", percentile(taken[True], 0.99), "ms",
              bare=percentile(taken[False], 0.99), bare_name="HTTP")


def _handshakes(table: Table, port: int, tls: ssl.SSLContext) -> None:
    """A new connection and its first small answer: in full, resumed, and over HTTP."""
    def once(context: ssl.SSLContext | None, session: ssl.SSLSession | None = None) -> tuple[float, object]:
        begun = time.perf_counter()
        with _open(port, context, session) as wire:
            wire.sendall(b"GET /api/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            while wire.recv(65536):
                pass
            return (time.perf_counter() - begun) * 1000, getattr(wire, "session", None)

    full, resumed, plain = [], [], []
    for _ in range(HANDSHAKES):
        took, session = once(tls)
        full.append(took)
        assert isinstance(session, ssl.SSLSession)
        resumed.append(once(tls, session)[0])
        plain.append(once(None)[0])
    for name, figures in (("in full", full), ("resumed", resumed)):
        table.add(f"new HTTPS connection and its answer, {name}", "median", statistics.median(figures), "ms",
                  bare=statistics.median(plain), bare_name="HTTP")


def _memory(table: Table, port: int, tls: ssl.SSLContext, serving: int, path: str, token: str) -> None:
    process = next(one for one in children(serving) if b"tls_process" in Path(f"/proc/{one}/cmdline").read_bytes())
    before = resident_mib(process)
    table.add("process that speaks TLS", "no connection", before, "MiB", aim="≤ 32 MiB", met=before <= 32)
    wires = [_open(port, tls) for _ in range(HELD)]
    for wire in wires:
        wire.sendall(b"GET /api/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert wire.recv(65536)
    table.add("process that speaks TLS", f"{HELD} connections kept", resident_mib(process), "MiB")
    for wire in wires:
        wire.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
        assert wire.recv(10)
    time.sleep(1)
    table.add("process that speaks TLS", f"{HELD} paused players", resident_mib(process), "MiB")
    for wire in wires:
        wire.close()
