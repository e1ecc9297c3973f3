"""A day with the API as programs and browsers use it, against a running station."""

from __future__ import annotations

import hashlib
import http.client
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import websocket

from tests.running import RunningStation


@pytest.fixture
def wire(station: RunningStation) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection(station.url.removeprefix("http://"), timeout=20)
    yield connection
    connection.close()


def ask(wire: http.client.HTTPConnection, method: str, path: str, body: Any = None,
        **headers: str) -> tuple[int, Any, bytes]:
    """One request on a kept connection: status, headers, body."""
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is not None:
        told.setdefault("Content-Type", "application/json")
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
    wire.request(method, path, body, told)
    answer = wire.getresponse()
    return answer.status, answer.headers, answer.read()


class Live:
    """An open player's WebSocket."""

    def __init__(self, station: RunningStation, token: str) -> None:
        self.wire = websocket.create_connection(
            station.url.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket", timeout=20)
        self.wire.recv()
        self.wire.send("40" + json.dumps({"token": token}))
        assert self.wire.recv().startswith("40")
        self.snapshot = self.next()[1]

    def next(self) -> tuple[str, Any]:
        while True:
            text = self.wire.recv()
            if text == "2":
                self.wire.send("3")
            if not text or text == "41":
                return "", None
            if text.startswith("42"):
                name, data = json.loads(text[2:])
                return name, data

    def until(self, true: Callable[[str, Any], bool]) -> Any:
        while True:
            name, data = self.next()
            assert name, "the connection ended"
            if true(name, data):
                return data


def test_a_browser_logs_in_looks_listens_and_logs_out(
    station: RunningStation, wire: http.client.HTTPConnection
) -> None:
    login = {"username": station.owner_name, "password": station.owner_password}
    status, headers, _ = ask(wire, "POST", "/api/session", login, Origin=station.url, Sec_Fetch_Site="same-origin")
    assert status == 200
    cookie = headers["Set-Cookie"].partition(";")[0]

    status, headers, content = ask(wire, "GET", "/api/library/tracks?sort=title", Cookie=cookie, Accept_Encoding="gzip")
    assert status == 200
    assert headers["Content-Encoding"] == "gzip"
    etag = headers["ETag"]
    assert ask(wire, "GET", "/api/library/tracks?sort=title", Cookie=cookie, If_None_Match=etag)[0] == 304

    _, page = station.call("GET", "/api/library/tracks?sort=title")
    for track in page["items"]:
        original = (station.music / track["path"]).read_bytes()
        status, headers, content = ask(wire, "GET", f"/api/stream/{track['id']}", Cookie=cookie)
        assert (status, headers["Content-Type"]) == (200, track["mime_type"])
        assert hashlib.sha256(content).digest() == hashlib.sha256(original).digest()
        last = len(original) - 1
        status, headers, content = ask(wire, "GET", f"/api/stream/{track['id']}", Cookie=cookie,
                                       Range=f"bytes={last - 99}-")
        assert (status, content) == (206, original[-100:])
        assert headers["Content-Range"] == f"bytes {last - 99}-{last}/{len(original)}"
    track = page["items"][0]
    status, headers, content = ask(wire, "GET", f"/api/stream/{track['id']}", Cookie=cookie, Range="bytes=0-9,500-509")
    assert status == 206
    assert headers["Content-Type"].startswith("multipart/byteranges")
    assert int(headers["Content-Length"]) == len(content)
    status, headers, content = ask(wire, "HEAD", f"/api/stream/{track['id']}", Cookie=cookie, Range="bytes=0-9")
    assert (status, headers["Content-Length"], content) == (200, str(track["size_bytes"]), b"")

    assert ask(wire, "DELETE", "/api/session", {}, Cookie=cookie, Origin=station.url)[0] == 204
    assert ask(wire, "GET", f"/api/stream/{track['id']}", Cookie=cookie)[0] == 401


def test_a_transcode_is_followed_and_has_ranges_afterwards(station: RunningStation) -> None:
    _, page = station.call("GET", "/api/library/tracks?sort=-duration&limit=1")
    path = f"/api/stream/{page['items'][0]['id']}?format=opus&bitrate=48"
    status, whole = station.call("GET", path)
    assert status == 200
    assert whole[:4] == b"OggS"
    deadline = time.monotonic() + 20
    while True:
        status, part = station.call("GET", path, headers={"Range": "bytes=0-3"})
        if status == 206:
            break
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert part == b"OggS"
    status, later = station.call("GET", path + "&start=4000")
    assert status == 200
    assert later[:4] == b"OggS"
    assert len(later) < len(whole)


def test_covers_come_in_the_sizes_asked_for(station: RunningStation, wire: http.client.HTTPConnection) -> None:
    _, page = station.call("GET", "/api/library/albums")
    with_cover = next(one for one in page["items"] if one["cover"])
    bearer = f"Bearer {station.login()}"
    path = f"/api/covers/{with_cover['id']}?size=64&v={with_cover['cover']['version']}"
    status, headers, content = ask(wire, "GET", path, Authorization=bearer)
    assert status == 200
    assert headers["Content-Type"] in ("image/webp", "image/jpeg")
    assert "immutable" in headers["Cache-Control"]
    assert content
    assert ask(wire, "GET", f"/api/covers/{with_cover['id']}?size=100000", Authorization=bearer)[0] == 200
    without = next(one for one in page["items"] if one["cover"] is None)
    status, _, content = ask(wire, "GET", f"/api/covers/{without['id']}", Authorization=bearer)
    assert (status, json.loads(content)["error"]["code"]) == (404, "not_found")


def test_an_open_player_hears_what_others_do_and_ends_with_its_session(station: RunningStation) -> None:
    login = {"username": station.owner_name, "password": station.owner_password}
    _, session = station.call("POST", "/api/session", login, token="")
    live = Live(station, session["token"])
    assert live.snapshot["scan"]["state"] in ("done", "idle")
    status, made = station.call("POST", "/api/library/playlists", {"name": "Heard"})
    assert status == 201
    told = live.until(lambda name, data: name == "library:changed" and data["revision"] > live.snapshot["revision"])
    assert told["seq"] > live.snapshot["seq"]
    _, changes = station.call("GET", f"/api/library/changes?since={live.snapshot['revision']}")
    assert made["id"] in changes["playlists"]["added"]

    assert station.call("POST", "/api/library/scan", {})[0] == 202
    done = live.until(lambda name, data: name == "scan:progress" and data["state"] == "done")
    assert done["found"] >= 13
    assert station.call("DELETE", f"/api/library/playlists/{made['id']}")[0] == 204

    assert station.call("DELETE", "/api/session", token=session["token"])[0] == 204
    try:
        while live.next()[0]:
            pass
    except (websocket.WebSocketConnectionClosedException, ConnectionError):
        pass
    with pytest.raises(AssertionError):
        Live(station, session["token"])


def test_an_edit_is_in_the_file_and_the_trash_gives_back(station: RunningStation) -> None:
    _, page = station.call("GET", "/api/library/tracks?sort=title&q=Rest")
    track = page["items"][0]
    file = station.music / track["path"]
    before = file.read_bytes()
    path = f"/api/library/tracks/{track['id']}"
    status, edited = station.call("PATCH", path, {"title": "Rested", "genres": ["Calm"]})
    assert (status, edited["title"], edited["genres"], edited["id"]) == (200, "Rested", ["Calm"], track["id"])
    assert b"Rested" in file.read_bytes()
    status, _ = station.call("PATCH", f"/api/library/tracks/{track['id']}", {"title": "Only here", "write_tags": False})
    assert status == 200
    assert b"Only here" not in file.read_bytes()

    assert station.call("DELETE", f"/api/library/tracks/{track['id']}")[0] == 204
    assert not file.exists()
    station.call("POST", "/api/library/scan", {})
    station.wait_for_scan()
    assert station.call("GET", f"/api/library/tracks/{track['id']}")[0] == 404
    _, trash = station.call("GET", "/api/library/trash")
    assert track["id"] in [one["id"] for one in trash["items"]]
    status, back = station.call("POST", f"/api/library/trash/{track['id']}/restore", {})
    assert (status, back["id"]) == (200, track["id"])
    assert file.exists()
    station.call("PATCH", f"/api/library/tracks/{track['id']}", {"title": track["title"], "genres": track["genres"]})
    assert len(file.read_bytes()) > len(before) // 2


def test_two_people_share_a_house_but_not_their_things(station: RunningStation) -> None:
    password = "a guest's password"
    status, user = station.call("POST", "/api/users", {"username": "visitor", "password": password, "role": "child"})
    assert status == 201
    try:
        visitor = station.login("visitor", password)
        _, page = station.call("GET", "/api/library/tracks?limit=1", token=visitor)
        track = page["items"][0]
        assert track["path"] is None
        assert station.call("PUT", f"/api/library/favourites/{track['id']}", {}, token=visitor)[0] == 204
        assert station.call("GET", f"/api/library/tracks/{track['id']}")[1]["favourite"] is False
        _, own = station.call("POST", "/api/library/playlists", {"name": "Secret"})
        assert station.call("GET", f"/api/library/playlists/{own['id']}", token=visitor)[0] == 404
        assert station.call("DELETE", f"/api/library/playlists/{own['id']}", token=visitor)[0] == 404
        assert station.call("DELETE", f"/api/library/tracks/{track['id']}", token=visitor)[0] == 403
        assert station.call("GET", "/api/users", token=visitor)[0] == 403
        assert station.call("DELETE", f"/api/library/playlists/{own['id']}")[0] == 204
    finally:
        assert station.call("DELETE", f"/api/users/{user['id']}")[0] == 204
    assert station.call("GET", "/api/library/tracks", token=visitor)[0] == 401


def test_a_refused_body_does_not_become_the_next_request(
    station: RunningStation, wire: http.client.HTTPConnection
) -> None:
    """What the guard refuses unread must not be taken for a request of its own on the same connection."""
    smuggled = b"GET /api/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    bearer = f"Bearer {station.login()}"
    for headers in ({"Content_Type": "text/plain"}, {"Origin": "http://evil.example"},
                    {"Authorization": "Bearer wrong"}):
        status, _, _ = ask(wire, "POST", "/api/library/playlists", smuggled, **headers)
        assert status in (401, 403, 415)
        status, _, content = ask(wire, "GET", "/api/session", Authorization=bearer)
        assert (status, json.loads(content)["user"]["username"]) == (200, station.owner_name)


def test_a_body_that_is_too_large_is_refused_at_its_announcement(
    station: RunningStation, wire: http.client.HTTPConnection
) -> None:
    wire.putrequest("POST", "/api/session")
    wire.putheader("Content-Type", "application/json")
    wire.putheader("Content-Length", str(10**9))
    wire.endheaders()
    wire.send(b"{" * 1000)
    answer = wire.getresponse()
    assert answer.status == 413
    assert json.loads(answer.read())["error"]["code"] == "too_large"


def test_the_description_and_its_page_are_there(station: RunningStation) -> None:
    status, told = station.call("GET", "/api/openapi.json")
    assert (status, told["openapi"]) == (200, "3.1.0")
    assert station.call("GET", "/api/docs")[0] == 200
    assert station.call("GET", "/api/docs", token="")[0] == 401
