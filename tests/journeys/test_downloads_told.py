"""What a real station tells of downloads: to whom, over both wires, and to who comes later."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import socketio

from tests.builders import make_picture
from tests.journeys.downloading import ask, start, until_over
from tests.media_server import MediaServer, audio
from tests.running import RunningStation

BEN = ("ben", "another good password")


class Home:
    def __init__(self, station: RunningStation, server: MediaServer) -> None:
        self.station, self.server = station, server

    def asked(self, name: str, title: str) -> dict[str, Any]:
        sound = audio(".mp3", seconds=2, tags={"title": title, "artist": "The Testers"})
        return ask(self.station, self.server.add(name, sound))


class Stream:
    """Server-Sent Events of one person, read in a thread."""

    def __init__(self, station: RunningStation, token: str, after: str | None = None) -> None:
        headers = {"Authorization": f"Bearer {token}", **({"Last-Event-ID": after} if after else {})}
        wish = urllib.request.Request(station.url + "/api/downloads/manager/events", headers=headers)
        self.answer = urllib.request.urlopen(wish, timeout=30)
        self.events: list[tuple[str, str, Any]] = []
        self.came = threading.Condition()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self) -> None:
        said: dict[str, str] = {}
        try:
            for line in self.answer:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name:
                    said[name] = value
                elif said.get("data"):
                    with self.came:
                        self.events.append((said["id"], said["event"], json.loads(said["data"])))
                        self.came.notify_all()
                    said = {}
        except (OSError, ValueError, AttributeError):   # closed by the test
            pass

    def wait_for(self, there: Any) -> list[tuple[str, str, Any]]:
        with self.came:
            assert self.came.wait_for(lambda: there(self.events), 30), self.events
            return list(self.events)

    def close(self) -> None:
        self.answer.close()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    base = tmp_path_factory.mktemp("told")
    with MediaServer() as server:
        station = start(base / "home", base / "music", server)
        try:
            station.call("POST", "/api/users", {"username": BEN[0], "password": BEN[1], "role": "adult"})
            yield Home(station, server)
        finally:
            station.stop()


def completed(id: str) -> Any:
    return lambda events: any(name == "download:changed" and data["download"]["id"] == id
                              and data["download"]["status"] == "completed" for _, name, data in events)


def test_both_wires_tell_the_same_and_who_was_away_misses_nothing(home: Home) -> None:
    heard: list[tuple[str, Any]] = []
    client = socketio.Client(reconnection=False)
    client.on("*", lambda event, data: heard.append((event, data)))
    client.connect(home.station.url, auth={"token": home.station.login()}, transports=["websocket"])
    stream = Stream(home.station, home.station.login())
    try:
        first = stream.wait_for(lambda events: events)[0]
        assert first[1] == "snapshot" and first[2]["downloads"] == []
        uid = home.asked("told.mp3", "Told")["id"]
        told = stream.wait_for(completed(uid))
        until_over(home.station, uid)
    finally:
        client.disconnect()
        stream.close()
    over_http = [(name, data["download"]["status"]) for _, name, data in told if name == "download:changed"]
    over_socket = [(name, data["download"]["status"]) for name, data in heard if name == "download:changed"]
    assert over_socket[:len(over_http)] == over_http
    numbers = [data["seq"] for _, data in heard]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))

    again = Stream(home.station, home.station.login(), after=told[1][0])
    try:
        rest = again.wait_for(completed(uid))
    finally:
        again.close()
    assert [(id, name) for id, name, _ in rest][:len(told) - 2] == [(id, name) for id, name, _ in told[2:]]


def test_who_comes_later_sees_what_has_just_come(home: Home) -> None:
    uid = home.asked("later.mp3", "Later")["id"]
    until_over(home.station, uid)
    stream = Stream(home.station, home.station.login())
    try:
        (_, _, snapshot), *_ = stream.wait_for(lambda events: events)
    finally:
        stream.close()
    assert (uid, "completed") in [(one["id"], one["status"]) for one in snapshot["downloads"]]


def test_nobody_hears_of_other_peoples_downloads_but_an_owner(home: Home) -> None:
    station = home.station
    owner, ben = Stream(station, station.login()), Stream(station, station.login(*BEN))
    try:
        owner.wait_for(lambda events: events), ben.wait_for(lambda events: events)
        of_owner = home.asked("owners.mp3", "Of the owner")["id"]
        link = home.server.add("bens.mp3", audio(".mp3", seconds=2, tone_hz=333, tags={"title": "Of Ben"}))
        _, answer = station.call("POST", "/api/downloads", {"url": link}, token=station.login(*BEN))
        of_ben = answer["download"]["id"]
        owner.wait_for(completed(of_owner)), owner.wait_for(completed(of_ben)), ben.wait_for(completed(of_ben))
        assert of_owner not in json.dumps(ben.events)
        assert station.call("GET", f"/api/downloads/{of_owner}", token=station.login(*BEN))[0] == 404
        assert station.call("GET", f"/api/downloads/{of_ben}")[1]["username"] == "ben"
        assert station.call("POST", f"/api/downloads/{of_ben}/dismiss", token=station.login(*BEN))[0] == 204
        owner.wait_for(lambda events: any(name == "download:removed" and data["id"] == of_ben
                                          for _, name, data in events))
    finally:
        owner.close(), ben.close()


def test_a_picture_from_outside_comes_through_the_station(home: Home, tmp_path: Path) -> None:
    home.server.add("cover.jpg", make_picture(300, (90, 20, 20)))
    status, picture = home.station.call("GET", f"/api/acquire/cover?size=64&url={home.server.url('cover.jpg')}")
    assert status == 200 and picture[:4] == b"RIFF" and picture[8:12] == b"WEBP"
    status, answer = home.station.call("GET", "/api/acquire/cover?url=http://192.168.0.1/x.jpg")
    assert (status, answer["error"]["code"]) == (404, "not_found")


def test_health_names_who_fetches(home: Home) -> None:
    _, health = home.station.call("GET", "/api/health")
    assert {"name": "direct", "state": "closed"} in health["providers"]
