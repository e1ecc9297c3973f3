"""A person moves an album to the cloud and back, in the player alone; the station is killed in between."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any

from tests.builders import make_album
from tests.running import RunningStation, start_station
from tests.s3_server import server


def until_over(station: RunningStation, errand: Any) -> Any:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        _, told = station.call("GET", f"/api/storage/errands/{errand['id']}")
        if told["state"] in ("done", "failed", "cancelled"):
            return told
        time.sleep(0.1)
    raise AssertionError(f"the errand is not over: {told}\n{(station.home / 'station.log').read_text()[-3000:]}")


def ask(station: RunningStation, **what: Any) -> Any:
    status, answer = station.call("POST", "/api/storage/errands", what)
    assert status == 202, answer
    return answer["errand"]


def files(music: Path) -> dict[str, str]:
    return {str(one.relative_to(music)): hashlib.sha256(one.read_bytes()).hexdigest() for one in music.rglob("*.flac")}


def test_an_album_goes_to_the_cloud_plays_from_there_and_comes_back(tmp_path: Path) -> None:
    music, home = tmp_path / "music", tmp_path / "home"
    make_album(music, artist="Ann", album="Weather", count=3)
    before = files(music)
    provider = server().add_to(home, name="r2")
    station = start_station(home, [music])
    try:
        station.wait_for_scan()
        (album,) = station.call("GET", "/api/library/albums")[1]["items"]
        tracks = station.call("GET", f"/api/library/albums/{album['id']}")[1]["tracks"]
        content = {one["id"]: station.call("GET", f"/api/stream/{one['id']}")[1] for one in tracks}

        done = until_over(station, ask(station, kind="offload", album_ids=[album["id"]]))
        assert (done["state"], done["title"], done["report"]["offloaded"], done["report"]["uploaded"]) == (
            "done", album["title"], 3, 3), done
        assert done["progress"]["done"] == 3 and files(music) == {}
        places = station.call("GET", "/api/storage")[1]
        assert places["providers"][0]["copies"] == places["cloud_only"]["tracks"] == 3
        assert places["local"]["tracks"] == 0
        tracks = station.call("GET", f"/api/library/albums/{album['id']}")[1]["tracks"]
        assert {one["place"] for one in tracks} == {"cloud"}
        assert {one: station.call("GET", f"/api/stream/{one}")[1] for one in content} == content
        told = station.call("GET", f"/api/storage/places/{tracks[0]['id']}")[1]["places"]
        assert [(one["kind"], one["state"]) for one in told if one["kind"] != "cache"] == [
            ("local", "gone"), ("cloud", "here")]

        # Killed as soon as the errand is written down, it does it after its next start.
        station.call("PUT", f"/api/storage/pins/album/{album['id']}")
        station.process.kill()
        station.process.wait()
        station = start_station(home, [music])
        (errand,) = station.call("GET", "/api/storage/errands?state=waiting,running,done")[1]["items"][:1]
        back = until_over(station, errand)
        assert (back["kind"], back["state"], back["report"]["failed"]) == ("fetch", "done", []), back
        assert files(music) == before
        tracks = station.call("GET", f"/api/library/albums/{album['id']}")[1]["tracks"]
        assert {one["place"] for one in tracks} == {"local"}
        kept = until_over(station, ask(station, kind="offload", everything=True))
        assert [one["reason"] for one in kept["report"]["kept"]] == ["pinned"] * 3 and files(music) == before
        assert len(server().keys(provider, "music/")) == 3
    finally:
        station.stop()
