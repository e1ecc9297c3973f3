"""First scan and rescan, beside a bare mutagen loop and a bare walk; and how the station answers meanwhile."""

from __future__ import annotations

import os
import shutil
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from bench import corpus
from bench.measure import Asking, Client, Table, percentile, timed_ms
from tests.running import start_station

MUTAGEN = {".mp3": "mutagen.mp3:MP3", ".flac": "mutagen.flac:FLAC", ".ogg": "mutagen.oggvorbis:OggVorbis",
           ".m4a": "mutagen.mp4:MP4", ".opus": "mutagen.oggopus:OggOpus"}


def _files(top: str) -> Iterator[str]:
    pending = [top]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_dir():
                    pending.append(entry.path)
                else:
                    entry.stat()
                    yield entry.path


def _read(paths: list[str]) -> int:
    """The bare loop's work: mutagen's class chosen by extension, nothing done with the tags."""
    import importlib

    classes = {}
    for suffix, where in MUTAGEN.items():
        module, name = where.split(":")
        classes[suffix] = getattr(importlib.import_module(module), name)
    for path in paths:
        classes[os.path.splitext(path)[1]](path)
    return len(paths)


def bare_mutagen(top: Path) -> float:
    """Files per second of two processes that read tags and do nothing else (walk included)."""
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(_read, [[], []]))      # started and imported
        begun = time.perf_counter()
        paths = list(_files(str(top)))
        chunks = [paths[at:at + 256] for at in range(0, len(paths), 256)]
        done = sum(pool.map(_read, chunks))
        return done / (time.perf_counter() - begun)


def run(table: Table, sizes: tuple[int, ...] = (10_000, 100_000)) -> None:
    for size in sizes:
        _one(table, size)


def _one(table: Table, size: int) -> None:
    music = corpus.music(size)
    home = corpus.folder() / "scan-home"
    shutil.rmtree(home, ignore_errors=True)
    station = start_station(home, [], environ={"SOUNDSIBLE_WATCH": "false", "SOUNDSIBLE_MANIFEST": "false"})
    try:
        token = station.login()
        client = Client(station.url, token)
        idle = timed_ms(lambda: client.get("/api/library/albums?limit=20"), 300)
        bare = bare_mutagen(music)
        with Asking(station.url, token, "/api/library/albums?limit=20", every_s=0.02) as asking:
            begun = time.perf_counter()
            status, body = client.send("POST", "/api/library/roots", {"path": str(music)})
            assert status == 201, body
            # The folder is scanned at once; asking for a scan as well would have it walked twice.
            while (report := station.call("GET", "/api/library/scan")[1]["scan"])["state"] == "running":
                time.sleep(0.02)
            taken = time.perf_counter() - begun
        assert report["added"] == size, report
        ours = size / taken
        table.add("first scan", f"{size:,} files", ours, "files/s", bare=bare, bare_name="bare mutagen, 2 processes",
                  aim="≥ 0.6", met=ours / bare >= 0.6)
        p99_idle, p99_scan = percentile(idle, 0.99), percentile(asking.taken_ms, 0.99)
        table.add("JSON p99 during the first scan", f"{size:,} files", p99_scan, "ms", bare=p99_idle,
                  bare_name="idle p99", aim="≤ 2 × idle", met=p99_scan <= 2 * p99_idle)
        walks, rescans = [], []
        for _ in range(3):
            begun = time.perf_counter()
            assert sum(1 for _ in _files(str(music))) == size
            walks.append(time.perf_counter() - begun)
            _, before = station.call("GET", "/api/library/scan")
            begun = time.perf_counter()
            client.send("POST", "/api/library/scan", {})
            while True:
                _, now = station.call("GET", "/api/library/scan")
                now, old = now.get("scan", now), before.get("scan", before)
                if now["id"] != old["id"] and now["state"] == "done":
                    break
                time.sleep(0.01)
            rescans.append(time.perf_counter() - begun)
        ours_s, bare_s = statistics.median(rescans), statistics.median(walks)
        table.add("rescan, nothing changed", f"{size:,} files", ours_s, "s", bare=bare_s, bare_name="walk with stat",
                  aim="≤ 1.5 at 100,000", met=ours_s / bare_s <= 1.5 if size >= 100_000 else None)
    finally:
        station.stop()
        shutil.rmtree(home, ignore_errors=True)
