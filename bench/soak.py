"""Everything at once for ten minutes: 200 Socket.IO clients, 64 streams (a quarter over HTTPS), searches and lists,
scans, downloads, and people with bad manners (heads that drip, handshakes that stop half-way, a thousand silent
connections).

What is asked: does the music go on, do answers stay quick, and is everything given back in the end: memory, threads,
open files? `python3 -m bench.soak 60` is a minute of it.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import multiprocessing
import os
import random
import shutil
import ssl
import statistics
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench import corpus
from bench.measure import Table, children, percentile, resident_mib, serving_process
from tests.media_server import MediaServer, audio
from tests.running import RunningStation, start_station

SECONDS = 600
SOCKETS, STREAMS, SEARCHERS, LORISES, HALF_OPEN, IDLE = 200, 64, 4, 50, 50, 1000
FILES = 2000
SONG_S, PACE_BYTES = 45.0, 48_000           # a listener takes so much a second (384 kbit/s), a song so long
STALL_S = 2.0                               # this long without a byte a listener has heard a gap
WORDS = ("ka", "lo", "ten", "sol", "brilo", "mar", "wenka", "zo na", "jazz", "1987")


@dataclass
class Heard:
    """What the clients saw. Times in milliseconds."""

    taken: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    counts: Counter[str] = field(default_factory=Counter)
    odd: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Sample:
    """The station at one moment: all its processes, and the one that answers."""

    at_s: float
    resident_mib: float
    serving_mib: float
    threads: int
    files: int
    processes: int


# ---- the clients, in a process of their own ----------------------------------------------------------------------


class Crowd:
    def __init__(self, *, port: int, token: str, tracks: list[str], ends: float, https: bool) -> None:
        self.port, self.token, self.tracks, self.ends = port, token, tracks, ends
        self.heard = Heard()
        self.dice = random.Random(7)
        self.tls: ssl.SSLContext | None = None
        if https:
            self.tls = ssl.create_default_context()
            self.tls.check_hostname, self.tls.verify_mode = False, ssl.CERT_NONE

    @property
    def over(self) -> bool:
        return time.monotonic() >= self.ends

    async def run(self) -> Heard:
        jobs = [self._listener(number) for number in range(STREAMS)]
        jobs += [self._socket(number) for number in range(SOCKETS)]
        jobs += [self._searcher() for _ in range(SEARCHERS)]
        jobs += [self._loris() for _ in range(LORISES)]
        jobs += [self._half_open() for _ in range(HALF_OPEN)]
        jobs += [self._idle() for _ in range(IDLE)]
        await asyncio.gather(*(self._kept_going(job) for job in jobs))
        return self.heard

    async def _kept_going(self, job: Any) -> None:
        try:
            await job
        except Exception as error:  # the edge of one client: it is counted, the others go on
            self.heard.odd[f"client gave up: {type(error).__name__}: {error}"[:120]] += 1

    async def _open(self, *, secure: bool = False) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port, ssl=self.tls if secure else None)

    def _head(self, path: str, *more: str) -> bytes:
        lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}", f"Authorization: Bearer {self.token}", *more]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    async def _listener(self, number: int) -> None:
        """Song after song, at the pace of playing."""
        secure = self.tls is not None and number % 4 == 0
        kind = "first byte over HTTPS" if secure else "first byte"
        await asyncio.sleep(number * 0.1)
        while not self.over:
            first = self.dice.randrange(0, 20_000_000)
            begun = time.perf_counter()
            reader, writer = await self._open(secure=secure)
            try:
                writer.write(self._head(f"/api/stream/{self.dice.choice(self.tracks)}", f"Range: bytes={first}-"))
                head = await reader.readuntil(b"\r\n\r\n")
                if b" 206 " not in head[:20]:
                    self.heard.odd[head.split(b"\r\n")[0].decode()] += 1
                    await asyncio.sleep(1)
                    continue
                song_ends = min(self.ends, time.monotonic() + SONG_S)
                data = await reader.read(4096)
                self.heard.taken[kind].append((time.perf_counter() - begun) * 1000)
                while data and time.monotonic() < song_ends:
                    asked = time.monotonic()
                    data = await reader.read(24_000)
                    waited = time.monotonic() - asked
                    self.heard.counts["stream bytes"] += len(data)
                    if waited > STALL_S:
                        self.heard.odd[f"a stream stood still for {waited:.0f} s"] += 1
                    await asyncio.sleep(len(data) / PACE_BYTES)
                self.heard.counts["songs"] += 1
            finally:
                writer.close()

    async def _socket(self, number: int) -> None:
        """A player that is open: answers pings, hears what happens."""
        await asyncio.sleep(number * 0.02)
        while not self.over:
            reader, writer = await self._open(secure=self.tls is not None and number % 4 == 0)
            try:
                key = base64.b64encode(os.urandom(16)).decode()
                writer.write(self._head("/socket.io/?EIO=4&transport=websocket", "Connection: Upgrade",
                                        "Upgrade: websocket", f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13"))
                head = await reader.readuntil(b"\r\n\r\n")
                if b" 101 " not in head[:20]:
                    self.heard.odd[f"socket: {head.split(bytes((13, 10)))[0].decode()}"] += 1
                    await asyncio.sleep(2)
                    continue
                writer.write(_frame("40" + json.dumps({"token": self.token})))
                while not self.over:
                    text = await asyncio.wait_for(_text(reader), max(1.0, self.ends - time.monotonic() + 1))
                    if text is None:
                        self.heard.odd["a socket was closed by the station"] += 1
                        break
                    if text == "2":
                        writer.write(_frame("3"))
                        self.heard.counts["pings"] += 1
                    else:
                        self.heard.counts["events"] += 1
            except TimeoutError:
                pass    # it is over
            finally:
                writer.close()

    async def _searcher(self) -> None:
        """Types, scrolls, looks."""
        reader, writer = await self._open()
        while not self.over:
            kind, path = self.dice.choice((
                ("search", f"/api/library/search?q={self.dice.choice(WORDS).replace(' ', '%20')}"),
                ("list", "/api/library/albums?limit=100"), ("list", "/api/library/tracks?limit=100"),
                ("small answer", "/api/health"),
            ))
            begun = time.perf_counter()
            writer.write(self._head(path))
            head = await reader.readuntil(b"\r\n\r\n")
            length = next((int(line.split(b":")[1]) for line in head.lower().split(b"\r\n")
                           if line.startswith(b"content-length")), 0)
            await reader.readexactly(length)
            self.heard.taken[kind].append((time.perf_counter() - begun) * 1000)
            if b" 200 " not in head[:20]:
                self.heard.odd[f"{path.split('?')[0]}: {head.split(bytes((13, 10)))[0].decode()}"] += 1
            await asyncio.sleep(0.2)
        writer.close()

    async def _loris(self) -> None:
        """A head that comes letter by letter and never ends."""
        while not self.over:
            with contextlib.suppress(OSError):
                _, writer = await self._open()
                try:
                    for letter in f"GET /api/health HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nX-Slow: {'a' * 600}":
                        writer.write(letter.encode())
                        await writer.drain()
                        await asyncio.sleep(3)
                        if self.over:
                            return
                finally:
                    writer.close()
                self.heard.counts["heads that dripped"] += 1

    async def _half_open(self) -> None:
        """The beginning of a TLS handshake, and then nothing."""
        while not self.over:
            with contextlib.suppress(OSError):
                reader, writer = await self._open()
                writer.write(b"\x16\x03\x01\x02\x00\x01")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(reader.read(1), 30)
                writer.close()
                self.heard.counts["handshakes that stopped half-way"] += 1

    async def _idle(self) -> None:
        """A connection that says nothing; opened again when it was closed."""
        while not self.over:
            with contextlib.suppress(OSError):
                reader, writer = await self._open()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(reader.read(1), max(0.1, self.ends - time.monotonic()))
                writer.close()
                self.heard.counts["silent connections"] += 1
            await asyncio.sleep(0.5)


def _frame(text: str) -> bytes:
    """A masked WebSocket text frame (RFC 6455, 5.2) of less than 64 kB."""
    data, mask = text.encode(), os.urandom(4)
    head = bytes((0x81, 0x80 | len(data))) if len(data) < 126 else bytes((0x81, 0xFE)) + len(data).to_bytes(2, "big")
    return head + mask + bytes(letter ^ mask[place % 4] for place, letter in enumerate(data))


async def _text(reader: asyncio.StreamReader) -> str | None:
    """The next message of a WebSocket, None at its end."""
    try:
        first, length = await reader.readexactly(2)
        if length == 126:
            length = int.from_bytes(await reader.readexactly(2), "big")
        elif length == 127:
            length = int.from_bytes(await reader.readexactly(8), "big")
        data = await reader.readexactly(length)
    except (asyncio.IncompleteReadError, OSError):
        return None
    return None if first & 0x0F == 8 else data.decode(errors="replace")


def crowd(port: int, token: str, tracks: list[str], seconds: float, https: bool, answer: Any) -> None:
    """In a process of its own: what everybody saw goes into the pipe `answer`."""
    here = Crowd(port=port, token=token, tracks=tracks, ends=time.monotonic() + seconds, https=https)
    heard = asyncio.run(here.run())
    answer.send((dict(heard.taken), dict(heard.counts), dict(heard.odd)))


# ---- the station, looked at --------------------------------------------------------------------------------------


def look(station: RunningStation, begun: float) -> Sample:
    """All processes of the station now."""
    serving = serving_process(station.process.pid)
    everyone = [station.process.pid]
    for one in everyone:
        everyone += children(one)
    threads = files = 0
    resident = 0.0
    for one in everyone:
        with contextlib.suppress(OSError):
            threads += len(os.listdir(f"/proc/{one}/task"))
            files += len(os.listdir(f"/proc/{one}/fd"))
            resident += resident_mib(one)
    return Sample(time.monotonic() - begun, resident, resident_mib(serving), threads, files, len(everyone))


def serving_sample(station: RunningStation) -> tuple[int, int]:
    """(threads, open files) of the process that answers."""
    serving = serving_process(station.process.pid)
    return len(os.listdir(f"/proc/{serving}/task")), len(os.listdir(f"/proc/{serving}/fd"))


def _busy(station: RunningStation, music: Path, server: MediaServer, until: float) -> Counter[str]:
    """Scans, downloads and their removal, from this process, until the time is up."""
    counts: Counter[str] = Counter()
    dice = random.Random(3)
    files = sorted(music.rglob("*.mp3"))
    next_scan = next_download = time.monotonic()
    while time.monotonic() < until:
        now = time.monotonic()
        if now >= next_scan:
            for path in dice.sample(files, 40):
                os.utime(path)
            status, _ = station.call("POST", "/api/library/scan", {"deep": counts["scans"] % 3 == 2})
            assert status == 202, status
            counts["scans"] += 1
            next_scan = now + 20
        if now >= next_download:
            number = counts["downloads"]
            link = server.add(f"soak{number}.flac", audio(".flac", seconds=1, tone_hz=200 + number, tags={
                "title": f"Soak {number}", "artist": "The Soak", "album": "Long"}))
            status, _ = station.call("POST", "/api/downloads", {"url": link})
            assert status == 202, status
            counts["downloads"] += 1
            next_download = now + 3
        time.sleep(0.5)
    return counts


def run(table: Table, seconds: float = SECONDS) -> None:
    base = corpus.folder() / "soak-home"
    shutil.rmtree(base, ignore_errors=True)
    shutil.copytree(corpus.music(FILES), base / "music")
    shutil.copytree(corpus.real_flac(), base / "large")
    with MediaServer() as server:
        station = start_station(base / "home", [base / "music", base / "large"], environ={
            "SOUNDSIBLE_ALLOW_PRIVATE_HOSTS": server.allow, "SOUNDSIBLE_WATCH": "false", "SOUNDSIBLE_HTTPS": "true",
            "SOUNDSIBLE_MDNS": "false"})
        try:
            station.wait_for_scan()
            _soak(table, station, base / "music", server, seconds)
        finally:
            station.stop()
            shutil.rmtree(base, ignore_errors=True)


def _soak(table: Table, station: RunningStation, music: Path, server: MediaServer, seconds: float) -> None:
    port, token = urlsplit(station.url).port or 0, station.login()
    _, found = station.call("GET", "/api/library/search?q=Noise")
    tracks = [one["id"] for one in found["tracks"][:1]]
    https = _speaks_tls(port)
    at_rest, all_at_rest = serving_sample(station), look(station, time.monotonic())

    mine, theirs = multiprocessing.Pipe(duplex=False)
    clients = multiprocessing.get_context("spawn").Process(
        target=crowd, args=(port, token, tracks, seconds, https, theirs))
    begun = time.monotonic()
    clients.start()
    samples: list[Sample] = []
    counts: Counter[str] = Counter()
    while (left := begun + seconds - time.monotonic()) > 0:
        counts += _busy(station, music, server, time.monotonic() + min(10.0, left))
        samples.append(look(station, begun))
    while not mine.poll(1.0):
        assert clients.is_alive(), "the clients died"
    taken, seen, odd = mine.recv()
    clients.join(30)
    _until_still(station)
    time.sleep(75)      # threads that answer go home after a minute without work
    at_end, all_at_end = serving_sample(station), look(station, time.monotonic())

    span = f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"
    for kind, aim_ms in (("first byte", 250), ("first byte over HTTPS", 400), ("search", 250), ("list", 250),
                         ("small answer", 100)):
        if taken.get(kind):
            p99 = percentile(taken[kind], 0.99)
            table.add(f"soak: {kind}, p99", f"{span}, {len(taken[kind]):,} times (median "
                      f"{statistics.median(taken[kind]):.1f} ms)", p99, "ms", aim=f"≤ {aim_ms} ms", met=p99 <= aim_ms)
    third = max(1, len(samples) // 3)
    early = statistics.median(one.serving_mib for one in samples[third:2 * third] or samples)
    late = statistics.median(one.serving_mib for one in samples[-third:])
    table.add("soak: memory of the serving process, last third beside the one before", span, late, "MiB", bare=early,
              bare_name="before", aim="≤ 1.05", met=late <= early * 1.05)
    table.add("soak: threads of the serving process, before and after", span, at_end[0], "threads", bare=at_rest[0],
              bare_name="before", aim="≤ 4 more", met=at_end[0] <= at_rest[0] + 4)
    table.add("soak: open files of the serving process, before and after", span, at_end[1], "files", bare=at_rest[1],
              bare_name="before", aim="≤ 8 more", met=at_end[1] <= at_rest[1] + 8)
    table.add("soak: memory of all processes, before and after", span, all_at_end.resident_mib, "MiB",
              bare=all_at_rest.resident_mib, bare_name="before")
    table.add("soak: threads of all processes, before and after", f"{span}; {all_at_rest.processes} processes, then "
              f"{all_at_end.processes}", all_at_end.threads, "threads", bare=all_at_rest.threads, bare_name="before")
    table.add("soak: what went wrong for a client", f"{span}; {seen.get('songs', 0):,} songs, "
              f"{seen.get('events', 0):,} events, {counts['scans']} scans, {counts['downloads']} downloads",
              sum(odd.values()), "times", aim="0", met=not odd)
    for what, times in {**seen, **counts}.items():
        print(f"    {what}: {times:,}")
    for what, times in odd.items():
        print(f"    WRONG {times} × {what}")
    for one in samples[:: max(1, len(samples) // 12)]:
        print(f"    at {one.at_s:4.0f} s: serving {one.serving_mib:.0f} MiB, all {one.processes} processes "
              f"{one.resident_mib:.0f} MiB, {one.threads} threads, {one.files} open files")


def _speaks_tls(port: int) -> bool:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    import socket

    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as plain, context.wrap_socket(plain):
            return True
    except OSError:
        print("  the station does not answer HTTPS; everything goes over HTTP", flush=True)
        return False


def _until_still(station: RunningStation, timeout_s: float = 120) -> None:
    """Until no scan and no download is under way."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        _, stats = station.call("GET", "/api/downloads/manager/stats")
        _, scan = station.call("GET", "/api/library/scan")
        running = any(stats[one] for one in ("waiting", "pending", "queued", "downloading", "processing"))
        if not running and scan.get("scan", scan)["state"] != "running":
            return
        time.sleep(0.5)


if __name__ == "__main__":
    run(Table(), float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS)
