"""How fast the station answers at 100,000 and 1,000,000 tracks: search, pages, writes, start, memory."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
import statistics
import time

from bench import corpus
from bench.measure import Client, Table, percentile, resident_mib, serving_process, timed_ms
from tests.running import RunningStation, start_station

QUIET = {"SOUNDSIBLE_SCAN_ON_START": "false", "SOUNDSIBLE_WATCH": "false", "SOUNDSIBLE_MANIFEST": "false"}


def run(table: Table, sizes: tuple[int, ...] = (100_000, 1_000_000)) -> None:
    for size in sizes:
        home = corpus.library(size)
        station = start_station(home, [], environ=QUIET)
        try:
            _search(table, station, size)
            if size == 100_000:
                _pages(table, station)
                _writes(table, station)
        finally:
            station.stop()
        if size == 100_000:
            _start(table, size)


def queries(count: int) -> list[str]:
    """What people type: prefixes of growing length, whole names, two words, a typo."""
    dice = random.Random(7)
    asked = []
    while len(asked) < count:
        this = corpus.album(dice.randrange(10_000))
        titles = this["tracks"]
        assert isinstance(titles, list)
        text = str(dice.choice([this["artist"], this["title"], dice.choice(titles)]))
        kind = dice.randrange(6)
        if kind < 3:
            asked.append(text[: dice.randint(1, 6)])
        elif kind == 3:
            asked.append(text)
        elif kind == 4:
            asked.append(f"{text.split()[0]} {str(this['artist']).split()[0][:4]}")
        elif len(text) > 5:
            at = dice.randrange(1, len(text) - 1)
            asked.append(text[:at] + "x" + text[at + 1:])
    return asked


def _search(table: Table, station: RunningStation, size: int) -> None:
    from urllib.parse import quote

    client = Client(station.url, station.login())
    asked = queries(400)
    for query in asked[:20]:
        client.get(f"/api/library/search?limit=20&q={quote(query)}")
    taken = []
    for query in asked:
        taken += timed_ms(lambda query=query: client.get(f"/api/library/search?limit=20&q={quote(query)}"), 1)
    floor = timed_ms(lambda: client.get("/api/health"), 200)
    p95 = percentile(taken, 0.95)
    aim = 8 if size == 100_000 else 20
    table.add("search p95", f"{size:,} tracks", p95, "ms", bare=percentile(floor, 0.95), bare_name="/health p95",
              aim=f"≤ {aim} ms", met=p95 <= aim)


def _pages(table: Table, station: RunningStation) -> None:
    client = Client(station.url, station.login())
    status, body = client.get("/api/library/albums?limit=500")
    assert status == 200 and len(json.loads(body)["items"]) == 500
    cursor_pages = timed_ms(lambda: client.get(f"/api/library/albums?limit=500&offset={random.randrange(9000)}"), 40)
    table.add("a page of 500 albums, median", "100,000 tracks", statistics.median(cursor_pages), "ms", aim="≤ 30 ms",
              met=statistics.median(cursor_pages) <= 30)
    ids = [one["id"] for one in json.loads(client.get("/api/library/tracks?limit=500")[1])["items"]]
    singles = timed_ms(lambda: client.get(f"/api/library/tracks/{random.choice(ids)}"), 300)
    database = sqlite3.connect(station.home / "data" / "library.db")
    bare = timed_ms(lambda: database.execute(
        "SELECT * FROM tracks JOIN files ON files.track_id = tracks.id WHERE tracks.uid = ?", (random.choice(ids),)
    ).fetchall(), 300)
    database.close()
    table.add("one track, median", "100,000 tracks", statistics.median(singles), "ms", bare=statistics.median(bare),
              bare_name="a raw query", aim="≤ 3 ms", met=statistics.median(singles) <= 3)


def _writes(table: Table, station: RunningStation) -> None:
    client = Client(station.url, station.login())
    ids = [one["id"] for one in json.loads(client.get("/api/library/tracks?limit=500&sort=random&seed=5")[1])["items"]]
    made: list[str] = []

    def make() -> None:
        status, body = client.send("POST", "/api/library/playlists", {"name": "Bench", "track_ids": ids[:100]})
        assert status == 201, body
        made.append(json.loads(body)["id"])

    taken = timed_ms(make, 30)
    table.add("playlist of 100 made, median", "100,000 tracks", statistics.median(taken), "ms", aim="≤ 20 ms",
              met=statistics.median(taken) <= 20)
    for one in made:
        client.send("DELETE", f"/api/library/playlists/{one}")


def writes_on_files(table: Table) -> None:
    """Tag edits and the trash need real files: 100,000 of them."""
    music = corpus.music(100_000)
    home = corpus.folder() / "writes-home"
    shutil.rmtree(home, ignore_errors=True)
    station = start_station(home, [music], environ={"SOUNDSIBLE_WATCH": "false", "SOUNDSIBLE_MANIFEST": "false"})
    try:
        station.wait_for_scan(1800)
        client = Client(station.url, station.login())
        ids = [one["id"] for one in json.loads(
            client.get("/api/library/tracks?limit=100&sort=random&seed=9")[1])["items"]]
        client.send("PATCH", f"/api/library/tracks/{ids[0]}", {"genres": ["Warm"]})
        numbers = iter(range(1, 1000))

        def edit() -> None:
            number = next(numbers)
            status, body = client.send("PATCH", f"/api/library/tracks/{ids[number]}", {"track_number": number})
            assert status == 200, body

        taken = timed_ms(edit, 30)
        table.add("tag edited (file and row), median", "100,000 tracks", statistics.median(taken), "ms",
                  aim="≤ 20 ms", met=statistics.median(taken) <= 20)
        binned = iter(ids[40:70])
        gone: list[str] = []

        def trash() -> None:
            gone.append(next(binned))
            status, body = client.send("DELETE", f"/api/library/tracks/{gone[-1]}")
            assert status in (200, 204), body

        taken = timed_ms(trash, 30)
        table.add("track to the trash, median", "100,000 tracks", statistics.median(taken), "ms", aim="≤ 20 ms",
                  met=statistics.median(taken) <= 20)
        for one in gone:
            status, body = client.send("POST", f"/api/library/trash/{one}/restore")
            assert status == 200, body
    finally:
        station.stop()
        shutil.rmtree(home, ignore_errors=True)


def _start(table: Table, size: int) -> None:
    home = corpus.library(size)
    taken, memory = [], []
    for _ in range(3):
        begun = time.perf_counter()
        station = start_station(home, [], environ=QUIET)
        taken.append(time.perf_counter() - begun)
        time.sleep(2)
        client = Client(station.url, station.login())
        client.get("/api/library/albums?limit=100")
        memory.append(resident_mib(serving_process(station.process.pid)))
        station.stop()
    table.add("start to first answer, median", f"{size:,} tracks", statistics.median(taken), "s", aim="≤ 1.5 s",
              met=statistics.median(taken) <= 1.5)
    table.add("memory of the serving process, idle", f"{size:,} tracks", statistics.median(memory), "MiB",
              aim="≤ 120 MB", met=statistics.median(memory) * 1.048576 <= 120)
