"""Three places: the first byte from a bucket through the station beside the signed address itself, with and without a
distance between; a seek far ahead; a cached track beside a local one; many listeners of one track.

The server is the tests' own (moto on loopback). It is slow and shares the processor with the station: read the ratios.
"""

from __future__ import annotations

import hashlib
import http.client
import random
import shutil
import socket
import statistics
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import urlsplit

from bench import corpus
from bench.measure import Table, percentile, resident_mib, serving_process
from bench.streaming import QUIET, pull
from shared.database import Database
from shared.model.cloud import Copy
from shared.records.copies import Copies
from shared.records.tracks import Tracks
from shared.settings import Settings
from shared.storage.providers import Providers
from shared.storage.signing import Signer
from tests.builders import make_audio
from tests.running import start_station
from tests.s3_server import FaultProxy, server

TRACKS, SECONDS = 24, 24            # WAV: about 4 MB each
DISTANCE_S = 0.04                   # to a provider in the same part of the world, in the bench that has one


def first_byte_ms(link: str, headers: dict[str, str], *, wire: http.client.HTTPConnection | None = None) -> float:
    """From asking to the first byte of the body, which is then left; a new connection unless one is given."""
    parts = urlsplit(link)
    begun = time.perf_counter()
    mine = wire or http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    mine.request("GET", f"{parts.path}?{parts.query}" if parts.query else parts.path, headers=headers)
    answer = mine.getresponse()
    assert answer.status in (200, 206), (answer.status, answer.read()[:500])
    answer.read(1)
    taken = (time.perf_counter() - begun) * 1000
    if wire is None:
        mine.close()
    else:
        answer.read()
    return taken


class Home:
    """A station whose music lies in a bucket as well; `distance` stands between."""

    def __init__(self, base: Path) -> None:
        shutil.rmtree(base, ignore_errors=True)
        self.base, self.music = base, base / "music"
        dice = random.Random(5)
        for number in range(TRACKS):
            path = make_audio(self.music / "Album", f"{number:02}.wav", seconds=SECONDS, tone_hz=200 + number,
                              tags={"title": f"{number:02}", "artist": "A", "album": "B", "track_number": number + 1})
            content = bytearray(path.read_bytes())
            content[100_000:100_016] = dice.randbytes(16)
            path.write_bytes(content)
        self.distance = FaultProxy(server().url)
        server().add_to(base / "home", server().provider("r2", endpoint=self.distance.url))
        self.station = start_station(base / "home", [self.music], environ=QUIET)
        self.station.wait_for_scan()
        _, page = self.station.call("GET", "/api/library/tracks?limit=100")
        self.ids = [str(one["id"]) for one in page["items"]]
        self.provider = Providers(settings=Settings(home=base / "home")).named("r2")
        self.keys = self._copy_up(page["items"])
        self.login = {"Authorization": f"Bearer {self.station.login()}"}

    def _copy_up(self, items: Iterable[dict[str, str]]) -> dict[str, str]:
        keys = {}
        memory = Database(self.base / "home" / "data" / "library.db")
        for one in items:
            content = (self.music / one["path"]).read_bytes()
            sha256 = hashlib.sha256(content).hexdigest()
            key = f"music/{sha256[:2]}/{sha256}.wav"
            server().put(self.provider, key, content)
            file = Tracks(database=memory).file_of(one["id"])
            Copies(database=memory).put([Copy(
                track_id=one["id"], provider="r2", key=key, size_bytes=len(content), stored_bytes=len(content),
                sha256=sha256, format=file.format, mime_type=file.mime_type, bitrate_kbps=None, compression="",
                source_sha256=sha256, source_size_bytes=file.size_bytes, source_mtime_ns=file.mtime_ns,
                etag=hashlib.md5(content).hexdigest(), sealed=False, verified_at=time.time(), added_at=time.time())])
            keys[one["id"]] = key
        memory.close()
        return keys

    def link(self, id: str) -> str:
        return f"{self.station.url}/api/stream/{id}"

    def signed(self, id: str) -> str:
        return Signer(self.provider).url(self.keys[id], seconds=3600).url

    def unplug(self) -> None:
        self.music.rename(self.base / "away")

    def plug_in(self) -> None:
        (self.base / "away").rename(self.music)

    def forget(self) -> None:
        """Nothing of it is cached any more."""
        for path in (self.base / "home" / "cache" / "tracks").glob("??/*"):
            path.unlink()

    def cached(self, count: int) -> None:
        until = time.monotonic() + 60
        while sum(1 for _ in (self.base / "home" / "cache" / "tracks").glob("??/*")) < count:
            assert time.monotonic() < until, "the cache does not fill"
            time.sleep(0.05)

    def close(self) -> None:
        self.station.stop()
        self.distance.close()
        shutil.rmtree(self.base, ignore_errors=True)


def run(table: Table) -> None:
    home = Home(corpus.folder() / "cloud-home")
    try:
        home.unplug()
        _first_byte(table, home, "on this machine")
        home.distance.fault("^GET .*/music/", delay_s=DISTANCE_S)
        _first_byte(table, home, f"{DISTANCE_S * 1000:.0f} ms away")
        _far_seek(table, home)
        home.distance.heal()
        _many(table, home)
        _cache(table, home)
    finally:
        home.close()


def _settle(home: Home) -> None:
    """Until nothing is under way: what one measurement left is not the next one's."""
    home.cached(len(home.ids))
    time.sleep(0.7)


def _in_turn(number: int, *ways: tuple[list[float], str, dict[str, str]]) -> None:
    """Each first once in two, both on a connection that is open already, as a player has one; what of one is still
    coming does not meet the next."""
    for figures, link, headers in ways if number % 2 else reversed(ways):
        parts = urlsplit(link)
        wire = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        first_byte_ms(f"{parts.scheme}://{parts.netloc}/api/health", {}, wire=wire) if "/api/" in link else (
            first_byte_ms(link, {"Range": "bytes=0-0"}, wire=wire))
        figures.append(first_byte_ms(link, headers, wire=wire))
        wire.close()
        time.sleep(0.4)


def _first_byte(table: Table, home: Home, where: str) -> None:
    """Each track once by each way, in turn; the station's cache is empty."""
    home.forget()
    ours, theirs = [], []
    for number, id in enumerate(home.ids):
        _in_turn(number, (theirs, home.signed(id), {}), (ours, home.link(id), home.login))
    for name, share in (("median", 0.5), ("p95", 0.95)):
        figure, bare = percentile(ours, share), percentile(theirs, share)
        table.add("first byte from the bucket", f"{where}, {name} of {len(ours)}", figure, "ms", bare=bare,
                  bare_name="signed address", aim="≤ 1.5", met=figure / bare <= 1.5)
    _settle(home)


def _far_seek(table: Table, home: Home) -> None:
    home.forget()
    span = {"Range": "bytes=3500000-3600000"}
    ours, theirs = [], []
    for number, id in enumerate(home.ids[:12]):
        _in_turn(number, (theirs, home.signed(id), span), (ours, home.link(id), {**home.login, **span}))
    figure, bare = statistics.median(ours), statistics.median(theirs)
    table.add("seek to what is not there yet", f"{DISTANCE_S * 1000:.0f} ms away, median", figure, "ms", bare=bare,
              bare_name="signed address", aim="≤ 1.5", met=figure / bare <= 1.5)
    for id in home.ids[12:]:
        first_byte_ms(home.link(id), home.login)
    _settle(home)


def _many(table: Table, home: Home) -> None:
    """Twenty listeners of one track that is only in the bucket, at once."""
    home.forget()
    asked = home.distance.count("^GET .*/music/")
    links = [urlsplit(home.link(home.ids[0]))] * 20
    wires = [socket.create_connection((one.hostname or "", one.port or 0)) for one in links]
    for wire in wires:
        wire.sendall(f"GET {links[0].path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                     f"Authorization: {home.login['Authorization']}\r\n\r\n".encode())
    for wire in wires:
        while wire.recv(1 << 20):
            pass
        wire.close()
    table.add("requests to the bucket", "20 listeners of one track", home.distance.count("^GET .*/music/") - asked, "",
              aim="1", met=home.distance.count("^GET .*/music/") - asked == 1)
    table.add("memory of the serving process", "after all this",
              resident_mib(serving_process(home.station.process.pid)), "MiB", aim="≤ 120",
              met=resident_mib(serving_process(home.station.process.pid)) <= 120)


def _cache(table: Table, home: Home) -> None:
    """The same track, in turn from its folder and, with that unplugged, from the cache."""
    for id in home.ids[:2]:
        first_byte_ms(home.link(id), home.login)
    home.cached(2)
    id, port = home.ids[1], urlsplit(home.station.url).port or 0
    login = f"Authorization: {home.login['Authorization']}\r\n"
    ways: dict[str, Callable[[], None]] = {"local": home.plug_in, "cache": home.unplug}
    rates: dict[str, list[float]] = {"local": [], "cache": []}
    firsts: dict[str, list[float]] = {"local": [], "cache": []}
    for _ in range(4):
        for way, prepare in ways.items():
            prepare()
            time.sleep(0.2)
            rate, _ = pull(port, f"/api/stream/{id}", login + "Range: bytes=1000-\r\n", connections=16, seconds=2)
            rates[way].append(rate)
            wire = http.client.HTTPConnection("127.0.0.1", port)
            for _ in range(300):
                firsts[way].append(first_byte_ms(home.link(id), {**home.login, "Range": "bytes=1000-65000"}, wire=wire))
            wire.close()
    mine, bare = statistics.median(rates["cache"]), statistics.median(rates["local"])
    table.add("a cached track, throughput", "16 connections, 4 MB", mine, "MB/s", bare=bare, bare_name="local",
              aim="≥ 1 / 1.1", met=mine / bare >= 1 / 1.1)
    mine, bare = statistics.median(firsts["cache"]), statistics.median(firsts["local"])
    table.add("a cached track, first byte", "median, one connection", mine, "ms", bare=bare, bare_name="local",
              aim="≤ 1.1", met=mine / bare <= 1.1)
