"""/rest as apps use it, beside supysonic on the same rows and files in the same run.

A page of 500 albums, the whole library read page by page (search3 with "", as apps do that keep a copy), the last of
these pages alone, a picture that was made before, and ranges of a file beside /api/stream. Both servers run in one
gunicorn process; one client asks on one kept connection. supysonic does not know the literal "": it is asked with an
empty query, and for some pages of all, since it takes minutes.
"""

from __future__ import annotations

import json
import random
import re
import shutil
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from bench import corpus, supysonic
from bench.measure import Client, Table, cpu_seconds, percentile, resident_mib, serving_process, timed_ms
from bench.streaming import pull, pull_one
from tests.running import RunningStation, start_station

QUIET = {"SOUNDSIBLE_SCAN_ON_START": "false", "SOUNDSIBLE_WATCH": "false", "SOUNDSIBLE_MANIFEST": "false"}
TRACKS = 100_000
PAGE = 500
ROUNDS = 7          # of pulling bytes
PEER_PAGES = 8      # of supysonic's sync, spread over the whole


def run(table: Table) -> None:
    environment = supysonic.installed()
    peer = _peer_lists(environment) if environment else {}
    home = corpus.library(TRACKS)
    station = start_station(home, [], environ=QUIET)
    try:
        _lists(table, station, peer)
    finally:
        station.stop()
    _media(table, environment)


class Rest:
    """A station as one program asks it."""

    def __init__(self, station: RunningStation, name: str = "bench") -> None:
        status, made = station.call("POST", "/api/app-passwords", {"name": name})
        assert status == 201, made
        self.key, self.name = made["app_password"], name
        self.client = Client(station.url)
        self.forget = lambda: station.call("DELETE", f"/api/app-passwords/{made['id']}")

    def path(self, call: str, f: str = "json", **given: object) -> str:
        known = {"apiKey": self.key, "v": "1.16.1", "c": self.name, "f": f}
        return f"/rest/{call}?{urlencode({**known, **given})}"

    def get(self, call: str, f: str = "json", **given: object) -> bytes:
        status, body = self.client.get(self.path(call, f, **given))
        assert status == 200, (status, body[:200])
        return body


def songs_of(body: bytes) -> list[dict[str, object]]:
    answer = json.loads(body)["subsonic-response"]
    assert answer["status"] == "ok", answer
    return list(answer["searchResult3"].get("song", []))


def sync_seconds(page: Callable[[int], bytes], count: int) -> tuple[float, list[bytes]]:
    """Seconds until `count` songs came, and the pages. What the client does with them does not count."""
    pages, begun = [], time.perf_counter()
    for offset in range(0, count, PAGE):
        pages.append(page(offset))
    return time.perf_counter() - begun, pages


# ---- lists -------------------------------------------------------------------------------------------------------


def _peer_lists(environment: Path) -> dict[str, float]:
    home = supysonic.filled(environment, TRACKS)
    with supysonic.serving(environment, home) as port:
        client = Client(f"http://127.0.0.1:{port}")

        def ask(call: str, **given: object) -> bytes:
            status, body = client.get(supysonic.path(call, **given))
            assert status == 200, (status, body[:200])
            return body

        dice = random.Random(3)
        albums = timed_ms(lambda: ask("getAlbumList2", type="alphabeticalByName", size=PAGE,
                                      offset=dice.randrange(9000)), 4)
        offsets = [TRACKS // PEER_PAGES * number for number in range(PEER_PAGES)]
        begun = time.perf_counter()
        pages = [ask("search3", query="", artistCount=0, albumCount=0, songCount=PAGE, songOffset=offset)
                 for offset in offsets]
        taken = time.perf_counter() - begun
        assert all(len(songs_of(page)) == PAGE for page in pages)
        last = timed_ms(lambda: ask("search3", query="", artistCount=0, albumCount=0, songCount=PAGE,
                                    songOffset=TRACKS - PAGE), 3)
    return {"albums": statistics.median(albums), "sync": PEER_PAGES * PAGE / taken, "last": statistics.median(last)}


def _lists(table: Table, station: RunningStation, peer: dict[str, float]) -> None:
    serving = serving_process(station.process.pid)
    rest, idle = Rest(station), resident_mib(serving)
    at, dice = f"{TRACKS:,} tracks", random.Random(3)
    name = f"supysonic {supysonic.VERSION}"
    for kind in ("alphabeticalByName", "newest", "byYear", "random"):
        def ask(kind: str = kind) -> bytes:
            return rest.get("getAlbumList2", type=kind, size=PAGE, offset=dice.randrange(9000), fromYear=2026,
                            toYear=1955)
        answer = json.loads(ask())["subsonic-response"]
        assert len(answer["albumList2"]["album"]) == PAGE
        taken = statistics.median(timed_ms(ask, 40))
        beside = peer.get("albums") if kind == "alphabeticalByName" else None
        table.add(f"getAlbumList2 {kind}, 500 albums, median", at, taken, "ms", bare=beside, bare_name=name,
                  aim="≤ 40 ms", met=taken <= 40)

    def sync(format: str, rest: Rest) -> float:
        taken, pages = sync_seconds(lambda offset: rest.get("search3", format, query='""', artistCount=0, albumCount=0,
                                                            songCount=PAGE, songOffset=offset), TRACKS)
        if format == "json":
            ids = {song["id"] for page in pages for song in songs_of(page)}
        else:
            ids = {one for page in pages for one in re.findall(rb'<song id="([^"]+)"', page)}
        assert len(ids) == TRACKS, len(ids)
        return TRACKS / taken

    used = cpu_seconds(serving)
    rate = statistics.median(sync("json", rest) for _ in range(3))
    used = (cpu_seconds(serving) - used) / 3
    table.add('the whole library by search3 "", pages of 500, JSON', at, rate, "tracks/s", bare=peer.get("sync"),
              bare_name=name, aim="≥ 20,000", met=rate >= 20_000)
    # What other programs on the machine take does not count here.
    table.add("the same, for a second of the serving process's CPU", at, TRACKS / used, "tracks", bare=rate,
              bare_name="by the clock")
    table.add("the same, XML", at, sync("xml", rest), "tracks/s", bare=rate, bare_name="JSON")
    numbers = iter(range(1000))     # a program that was never seen has no place remembered: only the marks help

    def last() -> bytes:
        return rest.get("search3", query='""', artistCount=0, albumCount=0, songCount=PAGE, songOffset=TRACKS - PAGE,
                        c=f"new {next(numbers)}")
    first = statistics.median(timed_ms(lambda: rest.get("search3", query='""', artistCount=0, albumCount=0,
                                                        songCount=PAGE), 20))
    last()
    taken = statistics.median(timed_ms(last, 20))
    what = "the last page of 500 songs, asked alone, median"
    table.add(what, at, taken, "ms", bare=first, bare_name="the first page")
    if "last" in peer:
        table.add(what, at, taken, "ms", bare=peer["last"], bare_name=name)
    table.add("memory of the serving process after that", at, resident_mib(serving), "MiB", bare=idle,
              bare_name="before")
    rest.forget()


# ---- pictures and sound ------------------------------------------------------------------------------------------


def _media(table: Table, environment: Path | None) -> None:
    music = corpus.folder() / "rest-media"
    shutil.rmtree(music, ignore_errors=True)
    shutil.copytree(corpus.real_flac(), music)
    file = next(music.rglob("*.flac"))
    from tests.builders import make_audio, make_picture

    make_audio(music / "Pictured", "01 Red.flac", seconds=1, tags={
        "title": "Red", "artist": "Ann", "album": "Pictured", "album_artist": "Ann", "track_number": 1})
    (music / "Pictured" / "cover.jpg").write_bytes(make_picture(1200, (150, 60, 50)))
    home = corpus.folder() / "rest-home"
    shutil.rmtree(home, ignore_errors=True)
    peer_cover: float | None = None
    peer_rate: list[float] = []
    peer_first: float | None = None
    span = f"Range: bytes=1000-{file.stat().st_size - 1}\r\n"
    small = "Range: bytes=1000-66535\r\n"
    station = start_station(home, [music], environ={"SOUNDSIBLE_WATCH": "false", "SOUNDSIBLE_MANIFEST": "false"})
    try:
        station.wait_for_scan()
        rest = Rest(station)
        port = urlsplit(station.url).port or 0
        uid, cover = _long_and_pictured(songs_of(rest.get("search3", query="")))
        login = f"Authorization: Bearer {station.login()}\r\n"
        ours = (port, rest.path("stream", id=uid, format="raw"), "")
        api = (port, f"/api/stream/{uid}", login)
        rates: dict[str, list[float]] = {"ours": [], "api": []}
        assert rest.client.get(ours[1], Range="bytes=1000-1999")[0] == 206
        rest.get("getCoverArt", id=cover, size=300)
        picture = statistics.median(timed_ms(lambda: rest.get("getCoverArt", id=cover, size=300), 200))
        if environment is not None:
            with supysonic.serving(environment, supysonic.scanned(environment, music)) as peer_port:
                client = Client(f"http://127.0.0.1:{peer_port}")
                long, pictured = _long_and_pictured(songs_of(client.get(supysonic.path("search3", query=""))[1]))
                where = supysonic.path("getCoverArt", id=pictured, size=300)
                assert client.get(where)[0] == 200
                peer_cover = statistics.median(timed_ms(lambda: client.get(where), 100))
                stream = supysonic.path("stream", id=long, format="raw")
                for _ in range(ROUNDS):     # in turn, so that a change of the machine's pace meets all
                    peer_rate.append(pull(peer_port, stream, span, connections=8, seconds=1)[0])
                    _pull_both(rates, ours, api, span)
                peer_first = percentile([pull_one(peer_port, stream, small) for _ in range(100)], 0.5)
        else:
            for _ in range(ROUNDS):
                _pull_both(rates, ours, api, span)
        firsts = {name: percentile([pull_one(one[0], one[1], one[2] + small) for _ in range(200)], 0.5)
                  for name, one in (("ours", ours), ("api", api))}
    finally:
        station.stop()
        shutil.rmtree(home, ignore_errors=True)
        shutil.rmtree(music, ignore_errors=True)
    name = f"supysonic {supysonic.VERSION}"
    table.add("getCoverArt of 300 pixels, warm, median", "one kept connection", picture, "ms", bare=peer_cover,
              bare_name=name, aim="≤ 3 ms", met=picture <= 3)
    rate = statistics.median(rates["ours"])
    at = "8 connections, 30 MB file"
    table.add("range throughput of /rest/stream", at, rate, "MB/s", bare=statistics.median(rates["api"]),
              bare_name="/api/stream", aim="≥ 0.9", met=rate / statistics.median(rates["api"]) >= 0.9)
    if peer_rate:
        table.add("range throughput of /rest/stream", at, rate, "MB/s", bare=statistics.median(peer_rate),
                  bare_name=name)
    table.add("first byte of a 64 kB range, median", "new connection each", firsts["ours"], "ms", bare=firsts["api"],
              bare_name="/api/stream")
    if peer_first:
        table.add("first byte of a 64 kB range, median", "new connection each", firsts["ours"], "ms", bare=peer_first,
                  bare_name=name)


def _long_and_pictured(songs: list[dict[str, object]]) -> tuple[str, str]:
    """(id of the song of minutes, id of a picture)"""
    long = next(song for song in songs if int(str(song["duration"])) > 60)
    return str(long["id"]), next(str(song["coverArt"]) for song in songs if "coverArt" in song)


def _pull_both(rates: dict[str, list[float]], ours: tuple[int, str, str], api: tuple[int, str, str], span: str) -> None:
    both = [("ours", ours), ("api", api)]
    for name, (port, path, login) in both if len(rates["ours"]) % 2 else reversed(both):
        rates[name].append(pull(port, path, login + span, connections=8, seconds=1)[0])
