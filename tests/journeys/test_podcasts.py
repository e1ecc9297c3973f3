"""A real station follows a podcast, is killed amid its episodes, and has them all in the end; and it
passes a radio on to somebody who listens."""

from __future__ import annotations

import time
import urllib.request
from pathlib import Path
from typing import Any

from tests.fakes.icy import Icy
from tests.journeys.downloading import start
from tests.journeys.test_downloads_crash import HOW, kill
from tests.media_server import MediaServer, audio
from tests.patience import LONG
from tests.podcasts.feeds_made import item, rss
from tests.running import RunningStation

KILLS_AFTER_S = (0.6, 0.15, 0.0, 1.2) if LONG else (0.6,)       # of the episodes being asked for, or of the last one
COUNT = 4


def episodes(station: RunningStation, show: str) -> dict[str, dict[str, Any]]:
    status, page = station.call("GET", f"/api/podcasts/{show}/episodes")
    assert status == 200, page
    return {one["title"]: one for one in page["items"]}


def until_settled(station: RunningStation, show: str, timeout_s: float = 60.0) -> dict[str, dict[str, Any]]:
    ends_at = time.monotonic() + timeout_s
    while True:
        found = episodes(station, show)
        if not [one for one in found.values() if one["status"] in ("new", "downloading")]:
            return found
        assert time.monotonic() < ends_at, {title: one["status"] for title, one in found.items()}
        time.sleep(0.1)


def heard(station: RunningStation, path: str, size: int) -> tuple[str, bytes]:
    asked = urllib.request.Request(f"{station.url}{path}", headers={"Authorization": f"Bearer {station.login()}"})
    with urllib.request.urlopen(asked, timeout=20) as answer:
        return answer.headers["Content-Type"], answer.read(size)


def test_killed_amid_its_episodes_a_station_has_them_all_in_the_end(tmp_path: Path) -> None:
    home, music = tmp_path / "home", tmp_path / "music"
    with MediaServer() as server, Icy(titles=["Her Band - A Song"]) as radio:
        sounds = {f"Episode {number}": audio(".mp3", seconds=6, tone_hz=200 + 40 * number)
                  for number in range(1, COUNT + 1)}
        for number, sound in enumerate(sounds.values(), start=1):
            server.add(f"{number}.mp3", sound, slow=len(sound))
        server.add("show.xml", rss([item(number, server.url(f"{number}.mp3")) for number in range(COUNT, 0, -1)]))
        how = {**HOW, "allow_private_hosts": f"{server.allow},{radio.host}", "download_workers": "2"}
        station = start(home, music, server, **how)
        try:
            status, show = station.call("POST", "/api/podcasts", {"url": server.url("show.xml"), "keep": COUNT})
            assert status == 201, show
            status, noted = station.call("POST", "/api/radios", {"name": "A Radio", "stream_url": radio.url})
            assert status == 201, noted
            kind, sound = heard(station, f"/api/radios/{noted['id']}/stream", 4000)
            assert kind == "audio/mpeg" and sound in radio.sound * 3
            for wait_s in KILLS_AFTER_S:
                time.sleep(wait_s)
                kill(station)
                station = start(home, music, server, **how)
            found = until_settled(station, show["id"])
            assert {title: (one["status"], one["error"]) for title, one in found.items()} == dict.fromkeys(
                sounds, ("completed", None))
            for title, sound in sounds.items():
                assert heard(station, f"/api/episodes/{found[title]['id']}/stream", 10**7) == ("audio/mpeg", sound)
            folder = home / "data" / "podcasts" / show["id"]
            assert sorted(path.name for path in folder.iterdir()) == sorted(
                f"{one['id']}.mp3" for one in found.values())
            _, page = station.call("GET", "/api/downloads?limit=500")
            assert [one["status"] for one in page["items"]] == ["completed"] * COUNT
            _, page = station.call("GET", "/api/library/tracks")
            assert page["items"] == []
        finally:
            station.stop()
