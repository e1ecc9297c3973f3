"""Downloads: what one costs besides its transfer, 500 in the queue, the listener while four of them and a conversion
run; and `drops`, the crash test's long form.

Everything comes from a server on this machine; nothing outside is asked (its services refuse the connection).
"""

from __future__ import annotations

import os
import random
import shutil
import statistics
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench import corpus
from bench.measure import Table, children, percentile
from bench.streaming import pull_one
from tests.journeys import test_downloads_crash as crash
from tests.journeys.downloading import ask, look, start, until_over
from tests.media_server import MediaServer, audio
from tests.running import RunningStation

WARM, MEASURED, QUEUED = 6, 40, 500
QUIET = {"watch": "false", "manifest": "false", "scan_on_start": "false", "download_workers": "4"}
KILLS = 40


def _house(name: str) -> Path:
    base = corpus.folder() / name
    shutil.rmtree(base, ignore_errors=True)
    return base


def cpu_s(pid: int) -> float:
    """CPU that `pid`, all its descendants and their children that have ended have used."""
    everyone, used = [pid], 0.0
    for one in everyone:
        everyone += children(one)
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        used += sum(int(number) for number in fields[11:15]) / os.sysconf("SC_CLK_TCK")
    return used


def _song(number: int) -> bytes:
    return audio(".flac", seconds=1, tone_hz=200 + number % 900, tags={
        "title": f"Song {number}", "artist": "The Bench", "album": f"Album {number // 10}"})


def _batch(station: RunningStation, links: list[str], timeout_s: float = 300) -> float:
    """Seconds until all of them are over; all must be completed."""
    begun = time.monotonic()
    status, answer = station.call("POST", "/api/downloads/batch", {"items": [{"url": link} for link in links]})
    assert status == 202 and answer["added"] == len(links), answer
    while True:
        _, stats = station.call("GET", "/api/downloads/manager/stats")
        if not any(stats[one] for one in ("waiting", "pending", "queued", "downloading", "processing")):
            assert not stats["failed"], stats
            return time.monotonic() - begun
        assert time.monotonic() - begun < timeout_s, stats
        time.sleep(0.25)    # asking costs the station, too


def run(table: Table) -> None:
    base = _house("downloads")
    with MediaServer() as server:
        links = [server.add(f"{number}.flac", _song(number)) for number in range(WARM + MEASURED + QUEUED)]
        station = start(base / "home", base / "music", server, **QUIET)
        try:
            _batch(station, links[:WARM])
            before = cpu_s(station.process.pid)
            _batch(station, links[WARM:WARM + MEASURED])
            each_ms = (cpu_s(station.process.pid) - before) / MEASURED * 1000
            table.add("CPU of a download besides its transfer, warm", "1 s FLAC, whole pipeline", each_ms, "ms",
                      aim="≤ 60 ms", met=each_ms <= 60)
            taken = _batch(station, links[WARM + MEASURED:])
            table.add("queued downloads, four workers", f"{QUEUED} × 1 s FLAC", QUEUED / taken, "a second")
            _listener_first(table, station, server)
        finally:
            station.stop()
            shutil.rmtree(base, ignore_errors=True)


def _first_bytes(station: RunningStation, track: str, count: int) -> list[float]:
    port = urlsplit(station.url).port or 0
    headers = f"Authorization: Bearer {station.login()}\r\nRange: bytes=0-65535\r\n"
    taken = []
    for _ in range(count):
        taken.append(pull_one(port, f"/api/stream/{track}", headers))
        time.sleep(0.01)
    return taken


def _listener_first(table: Table, station: RunningStation, server: MediaServer) -> None:
    """First byte of a stream, alone and while four downloads run and a conversion that had begun before."""
    _, page = station.call("GET", "/api/library/tracks?limit=1")
    track = page["items"][0]["id"]
    _first_bytes(station, track, 30)
    idle = _first_bytes(station, track, 300)
    _until(lambda: not station.call("GET", "/api/downloads/manager/health")[1]["throttle"]["listening"])
    long = server.add("long.flac", audio(".flac", seconds=1800, tags={"title": "Long", "artist": "The Bench"}))
    converted = ask(station, long, format="opus", bitrate_kbps=128)["id"]
    _until(lambda: look(station, converted)["stage"] == "process")
    time.sleep(1)
    endless = [ask(station, server.add(f"endless{n}.flac", _song(9000 + n) * 4000, slow=3_000_000))["id"]
               for n in range(4)]
    _until(lambda: sum(look(station, one)["status"] == "downloading" for one in endless) >= 3)
    busy = _first_bytes(station, track, 300)
    still = look(station, converted)["stage"]
    for one in endless:
        station.call("DELETE", f"/api/downloads/{one}")
    p99, bare = percentile(busy, 0.99), percentile(idle, 0.99)
    print(f"    median idle {statistics.median(idle):.2f} ms, busy {statistics.median(busy):.2f} ms; at the end the "
          f"conversion was {'still running' if still == 'process' else 'done'}")
    table.add("first byte p99 while four downloads and a conversion run", "64 kB ranges, one at a time", p99, "ms",
              bare=bare, bare_name="idle p99", aim="≤ 2", met=p99 / bare <= 2)
    until_over(station, converted, timeout_s=180)


def _until(there: Any, timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not there():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)


def drops(table: Table) -> None:
    """Killed again and again, at every stage and at random moments; compared with an undisturbed run."""
    base = _house("drops")
    with MediaServer() as server:
        links = crash.goods(server)
        expected = crash.undisturbed(base / "calm", server, links)
        lost = 0
        for round_ in range(KILLS // 10):
            found = crash.killed(base / f"killed{round_}", server, links, kills=10, dice=random.Random())
            lost += found != expected
    table.add("runs that differ from an undisturbed one", f"{KILLS // 10} runs of a dozen downloads, 10 kills each",
              lost, "runs", aim="0", met=lost == 0)
    shutil.rmtree(base, ignore_errors=True)
