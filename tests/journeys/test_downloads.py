"""From a pasted link to a track that plays: a real station, real files from a server on this machine."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import socketio

from tests.journeys.downloading import ask, look, nothing_staged, staged, start, tracks, until_over
from tests.media_server import MediaServer, audio
from tests.running import RunningStation

TAGS = {"title": "Nightfall", "artist": "The Testers", "album": "Signals", "track_number": 3, "date": "2011"}


class Home:
    def __init__(self, station: RunningStation, server: MediaServer, music: Path) -> None:
        self.station, self.server, self.music = station, server, music


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    base = tmp_path_factory.mktemp("downloads")
    with MediaServer() as server:
        server.add_usual()
        station = start(base / "home", base / "music", server)
        try:
            yield Home(station, server, base / "music")
        finally:
            station.stop()


def events_of(station: RunningStation, heard: list[tuple[str, Any]]) -> socketio.Client:
    client = socketio.Client(reconnection=False)
    for name in ("snapshot", "library:changed", "download:changed", "download:log", "download:removed"):
        client.on(name, lambda data, name=name: heard.append((name, data)))
    client.connect(station.url, auth={"token": station.login()}, transports=["websocket"])
    return client


def heard_until(heard: list[tuple[str, Any]], there: Any, timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not there():
        assert time.monotonic() < deadline, heard[-20:]
        time.sleep(0.05)


def test_a_conversion_that_was_asked_for_is_what_stands_in_the_library(home: Home) -> None:
    link = home.server.add("convert.flac", audio(".flac", seconds=3, tone_hz=500, tags={
        "title": "Converted", "artist": "The Testers"}))
    (done,) = until_over(home.station, ask(home.station, link, format="opus", bitrate_kbps=128, level="audio")["id"])
    assert done["status"] == "completed", done["error"]
    track = next(one for one in tracks(home.station) if one["id"] == done["track_id"])
    assert track["format"] == "opus" and track["path"].endswith(".opus")
    assert (done["quality_got"] or "").startswith("opus")


def test_a_pasted_link_becomes_a_tagged_track_that_plays_in_an_open_player(home: Home) -> None:
    sound = audio(".flac", seconds=4, tags=TAGS)
    link = home.server.add("night/fall.flac", sound)
    heard: list[tuple[str, Any]] = []
    client = events_of(home.station, heard)
    try:
        asked = ask(home.station, link)
        assert asked["status"] == "waiting" and asked["url"] == link
        (done,) = until_over(home.station, asked["id"])
        assert done["status"] == "completed", done
        heard_until(heard, lambda: any(name == "library:changed" for name, _ in heard))
        heard_until(heard, lambda: any(data["download"]["status"] == "completed" for name, data in heard
                                       if name == "download:changed"))
    finally:
        client.disconnect()

    assert [row["to"] for row in done["history"]] == [
        "waiting", "pending", "queued", "downloading", "processing", "completed"]
    assert done["progress"]["bytes"] == done["progress"]["total_bytes"] == len(sound)
    told = [data["download"]["status"] for name, data in heard if name == "download:changed"
            and data["download"]["id"] == asked["id"]]
    assert told == sorted(told, key=["waiting", "pending", "queued", "downloading", "processing", "completed"].index)
    assert any(name == "download:log" and data["id"] == asked["id"] for name, data in heard)

    track = next(one for one in tracks(home.station) if one["id"] == done["track_id"])
    assert (track["title"], track["artist"], track["album"], track["track_number"]) == (
        "Nightfall", "The Testers", "Signals", 3)
    assert track["replaygain"]["track_gain_db"] is not None     # measured, the sound itself untouched
    assert track["place"] == "local"
    kept = home.music / track["path"]
    assert kept.parts[-3:] == ("The Testers", "Signals", "03 Nightfall.flac")
    status, played = home.station.call("GET", f"/api/stream/{track['id']}")
    assert status == 200 and hashlib.sha256(played).digest() == hashlib.sha256(kept.read_bytes()).digest()
    assert nothing_staged(home.music)


def test_the_same_link_again_is_the_same_download_or_is_owned_already(home: Home) -> None:
    link = home.server.add("twice.flac", audio(".flac", seconds=3, tone_hz=300, tags={
        "title": "Twice", "artist": "The Testers"}))
    first = ask(home.station, link, idempotency_key="k1")
    again = ask(home.station, link, idempotency_key="k1")
    assert first["id"] == again["id"]
    (done,) = until_over(home.station, first["id"])
    status, _ = home.station.call("POST", "/api/downloads", {"url": link + "?other", "idempotency_key": "k1"})
    assert status == 409
    (second,) = until_over(home.station, ask(home.station, link)["id"])
    assert second["status"] == "completed" and second["duplicate_of"] == second["track_id"] == done["track_id"]
    assert [one["title"] for one in tracks(home.station)].count("Twice") == 1


@pytest.mark.parametrize(("link", "code"), [
    ("http://192.168.0.1/a.mp3", "forbidden_address"),
    ("http://[::1]:80/a.mp3", "forbidden_address"),
    ("http://localhost:1/a.mp3", "forbidden_address"),
])
def test_addresses_inside_the_home_network_are_not_fetched_from(home: Home, link: str, code: str) -> None:
    (done,) = until_over(home.station, ask(home.station, link)["id"])
    assert done["status"] == "failed" and done["error"]["code"] == code and done["attempt"] == 1


@pytest.mark.parametrize("link", ["file:///etc/passwd", "ftp://host/a.mp3", "gopher://x", "javascript:alert(1)", "x"])
def test_what_is_no_link_of_the_web_is_refused_when_it_is_asked_for(home: Home, link: str) -> None:
    status, answer = home.station.call("POST", "/api/downloads", {"url": link})
    assert status in (400, 422), answer


@pytest.mark.parametrize(("name", "content", "codes"), [
    ("three.mp3", b"abc", {"not_audio", "empty", "damaged"}),
    ("page.mp3", b"<!doctype html><html><body>Not found</body></html>", {"not_audio", "not_found", "unsupported"}),
    ("nothing.flac", b"", {"empty", "not_audio"}),
])
def test_what_is_no_music_leaves_library_and_staging_as_they_were(home: Home, name: str, content: bytes,
                                                                 codes: set[str]) -> None:
    before = len(tracks(home.station))
    (done,) = until_over(home.station, ask(home.station, home.server.add(f"bad/{name}", content))["id"])
    assert done["status"] == "failed" and done["error"]["code"] in codes, done["error"]
    assert len(tracks(home.station)) == before and nothing_staged(home.music)


def test_a_missing_file_fails_at_once_with_its_reason(home: Home) -> None:
    (done,) = until_over(home.station, ask(home.station, home.server.url("not/there.mp3"))["id"])
    assert done["status"] == "failed" and done["error"]["code"] in ("not_found", "removed") and done["attempt"] == 1


def test_cancelling_a_running_download_leaves_nothing(home: Home) -> None:
    link = home.server.add("slow.flac", audio(".flac", seconds=30), slow=20_000)
    uid = ask(home.station, link)["id"]
    heard_until([], lambda: look(home.station, uid)["status"] == "downloading")
    heard_until([], lambda: staged(home.music))
    status, answer = home.station.call("DELETE", f"/api/downloads/{uid}")
    assert status == 200 and answer["download"]["status"] == "cancelled"
    assert nothing_staged(home.music)
    assert home.station.call("DELETE", f"/api/downloads/{uid}")[0] == 409


def test_pausing_keeps_what_came_and_resuming_goes_on_from_there(home: Home) -> None:
    sound = audio(".flac", seconds=8, tone_hz=351, tags={"title": "Paused", "artist": "The Testers"})
    link = home.server.add("pause.flac", sound, slow=len(sound) // 4)
    uid = ask(home.station, link)["id"]
    heard_until([], lambda: look(home.station, uid)["progress"]["bytes"] > 0
                or any(path.endswith("part") for path in staged(home.music)))
    time.sleep(0.5)
    status, answer = home.station.call("POST", f"/api/downloads/{uid}/pause")
    assert status == 200 and (answer.get("download") or answer)["status"] == "paused"
    assert staged(home.music)
    home.server.change("pause.flac", slow=None)
    home.station.call("POST", f"/api/downloads/{uid}/resume")
    (done,) = until_over(home.station, uid)
    assert done["status"] == "completed", done
    assert any("range" in asked.headers and asked.headers["range"] != "bytes=0-"
               for asked in home.server.asked("pause.flac"))
    status, played = home.station.call("GET", f"/api/stream/{done['track_id']}")
    assert status == 200 and played


def test_a_lossy_source_is_never_written_into_a_lossless_file(home: Home) -> None:
    link = home.server.add("lossy.mp3", audio(".mp3", seconds=3, tone_hz=620, tags={
        "title": "Lossy", "artist": "The Testers"}))
    (done,) = until_over(home.station, ask(home.station, link, format="flac")["id"])
    assert done["status"] == "completed" and any("lossy" in one for one in done["warnings"])
    assert next(one for one in tracks(home.station) if one["id"] == done["track_id"])["format"] == "mp3"


def test_a_feed_becomes_one_download_for_each_of_its_episodes(home: Home) -> None:
    entries = []
    for number in range(3):
        name = f"feed/{number}.mp3"
        home.server.add(name, audio(".mp3", seconds=2, tone_hz=700 + 60 * number, tags={
            "title": f"Episode {number}", "artist": "The Speaker"}))
        entries.append((f"Episode {number}", name))
    link = home.server.add_feed("feed.xml", entries)
    uid = ask(home.station, link)["id"]
    until_over(home.station, uid)

    def group() -> list[dict[str, Any]]:
        return list(home.station.call("GET", f"/api/downloads?group={uid}")[1]["items"])

    heard_until([], lambda: len(group()) == 2 and all(one["status"] == "completed" for one in group()))
    titles = {one["title"] for one in tracks(home.station)}
    assert {"Episode 0", "Episode 1", "Episode 2"} <= titles


def test_while_somebody_listens_fetches_are_held_back(home: Home) -> None:
    listened = home.server.add("listen.flac", audio(".flac", seconds=60, tone_hz=900, tags={
        "title": "Listened", "artist": "The Testers"}))
    (done,) = until_over(home.station, ask(home.station, listened)["id"])
    import http.client
    from urllib.parse import urlsplit

    def throttle() -> dict[str, Any]:
        return dict(home.station.call("GET", "/api/downloads/manager/health")[1]["throttle"])

    connection = http.client.HTTPConnection(urlsplit(home.station.url).netloc, timeout=30)
    connection.request("GET", f"/api/stream/{done['track_id']}",
                       headers={"Authorization": f"Bearer {home.station.login()}"})
    answer = connection.getresponse()
    answer.read(10)
    held = throttle()
    assert held["listening"] and held["bytes_per_second_each"] is not None
    with contextlib.suppress(OSError):
        answer.close()
        connection.close()


def test_ten_thousand_links_at_once_are_queued_and_not_run(tmp_path: Path) -> None:
    with MediaServer() as server:
        server.add("wait.mp3", audio(".mp3"), hang=True)
        station = start(tmp_path / "home", tmp_path / "music", server, download_workers="2")
        try:
            items = [{"url": server.url(f"wait.mp3?{number}")} for number in range(10_000)]
            status, answer = station.call("POST", "/api/downloads/batch", {"items": items})
            assert status == 202 and answer["added"] == 10_000, str(answer)[:500]
            stats = station.call("GET", "/api/downloads/manager/stats")[1]
            assert stats["waiting"] >= 9_990
            assert stats["pending"] + stats["queued"] + stats["downloading"] <= 2
            status, answer = station.call("POST", "/api/downloads/bulk", {"action": "cancel", "status": "active"})
            assert status == 200 and len(answer["done"]) == 10_000
            assert station.call("GET", "/api/downloads/manager/stats")[1]["cancelled"] == 10_000
        finally:
            station.stop()
