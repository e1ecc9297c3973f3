"""A revoked device is out at once: what it plays ends in the middle, its sockets close, its next request is refused."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import socketio

from tests.builders import make_audio
from tests.running import ROOT, RunningStation, clean_environment, start_station

PATIENCE_S = 60.0       # of this test, with a busy machine
PASSWORD = "another good password"
END = b"0\r\n\r\n"       # of an answer whose length was not known before


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStation]:
    """With one long track: no buffer between station and player holds it."""
    base = tmp_path_factory.mktemp("out")
    make_audio(base / "music", "long.wav", seconds=150, tags={"title": "Long", "artist": "The Testers"})
    running = start_station(base / "home", [base / "music"], as_people_do=True)
    try:
        running.wait_for_scan()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def track(station: RunningStation) -> dict[str, Any]:
    return dict(station.call("GET", "/api/library/tracks")[1]["items"][0])


def pair(station: RunningStation, scope: str = "listen", token: str | None = None) -> tuple[str, str]:
    """A new device: (id, token)."""
    status, made = station.call("POST", "/api/pairing/tokens", {"scope": scope}, token=token)
    assert status == 201, made
    status, paired = station.call("POST", "/api/pairing/claim", {"token": made["token"], "name": "phone"}, token="")
    assert status == 201, paired
    return paired["device"]["id"], paired["token"]


def revoke(station: RunningStation, device: str) -> None:
    assert station.call("DELETE", f"/api/devices/{device}")[0] == 204


class Slow:
    """A request whose answer is taken a little at a time, as a player does that has enough for now."""

    def __init__(self, station: RunningStation, path: str, token: str) -> None:
        host, port = station.url.removeprefix("http://").split(":")
        self.wire = socket.socket()
        self.wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.wire.settimeout(PATIENCE_S)
        self.wire.connect((host, int(port)))
        lines = f"GET {path} HTTP/1.1", f"Host: {host}:{port}", f"Authorization: Bearer {token}", "", ""
        self.wire.sendall("\r\n".join(lines).encode())
        self.got = b""
        while b"\r\n\r\n" not in self.got:
            self.got += self.take()
        head = self.got.partition(b"\r\n\r\n")[0].decode()
        assert " 200 " in head.split("\r\n")[0], head

    def take(self) -> bytes:
        data = self.wire.recv(1024)
        assert data
        return data

    def rest(self) -> bytes:
        """What comes until the connection ends."""
        data = bytearray()
        with contextlib.suppress(ConnectionError):
            while more := self.wire.recv(65536):
                data += more
        self.wire.close()
        return bytes(data)


def ends_it_all(station: RunningStation, track: dict[str, Any], token: str, end: Callable[[], None], *,
                events: bool = False) -> None:
    """With a stream, a transcode and a socket open for `token`, `end` ends all of them, and the next request is 401."""
    stream = Slow(station, f"/api/stream/{track['id']}", token)
    transcode = Slow(station, f"/api/stream/{track['id']}?format=mp3&bitrate=320", token)
    told = Slow(station, "/api/downloads/manager/events", token) if events else None
    player = socketio.Client(reconnection=False)
    closed = threading.Event()
    player.on("disconnect", lambda *reason: closed.set())
    player.connect(station.url, auth={"token": token}, wait_timeout=30)
    end()
    assert closed.wait(PATIENCE_S), "its socket is still open"
    assert station.call("GET", "/api/me", token=token)[0] == 401
    assert len(stream.rest()) < track["size_bytes"] - len(stream.got), "the whole file came"
    assert not transcode.rest().endswith(END), "the whole transcode came"
    if told is not None:
        told.rest()     # would take longer than this waits


def test_a_device_that_is_revoked_over_http(station: RunningStation, track: dict[str, Any]) -> None:
    device, token = pair(station, "add")
    stays = Slow(station, f"/api/stream/{track['id']}", station.login())
    ends_it_all(station, track, token, lambda: revoke(station, device), events=True)
    assert station.call("GET", "/api/me")[0] == 200
    body = track["size_bytes"] - len(stays.got.partition(b"\r\n\r\n")[2])
    while body > 0:
        data = stays.wire.recv(1 << 20)
        assert data, "another device's stream ended too"
        body -= len(data)
    stays.wire.close()


def test_a_device_that_another_process_revokes(station: RunningStation, track: dict[str, Any]) -> None:
    device, token = pair(station)

    def tool() -> None:
        done = subprocess.run([sys.executable, "-m", "setup_tool", "pair", "--revoke", device], cwd=ROOT,
                              env=clean_environment(station.home), capture_output=True, text=True, timeout=PATIENCE_S)
        assert done.returncode == 0, done.stderr

    ends_it_all(station, track, token, tool)


def test_a_device_whose_person_is_lowered_or_removed(station: RunningStation, track: dict[str, Any]) -> None:
    for method, body in (("PATCH", {"role": "guest"}), ("DELETE", None)):
        name = f"ben {method}"
        _, user = station.call("POST", "/api/users", {"username": name, "password": PASSWORD, "role": "adult"})
        _, token = pair(station, "own", station.login(name, PASSWORD))

        def end(method: str = method, user: Any = user, body: Any = body) -> None:
            assert station.call(method, f"/api/users/{user['id']}", body)[0] in (200, 204)

        ends_it_all(station, track, token, end)


def test_a_new_password_ends_the_other_sessions_in_the_middle(station: RunningStation, track: dict[str, Any]) -> None:
    station.call("POST", "/api/users", {"username": "eva", "password": PASSWORD, "role": "adult"})
    other = station.call("POST", "/api/session", {"username": "eva", "password": PASSWORD}, token="")[1]["token"]
    keeps = station.login("eva", PASSWORD)

    def change() -> None:
        body = {"current": PASSWORD, "new": "yet another password"}
        assert station.call("POST", "/api/me/password", body, token=keeps)[0] == 204

    ends_it_all(station, track, other, change, events=True)
    assert station.call("GET", "/api/me", token=keeps)[0] == 200


def test_all_other_sessions_at_once(station: RunningStation, track: dict[str, Any]) -> None:
    body = {"username": station.owner_name, "password": station.owner_password}
    lost = station.call("POST", "/api/session", body, token="")[1]["token"]
    ends_it_all(station, track, lost, lambda: station.call("DELETE", "/api/sessions"))


def test_a_device_that_moves_leaves_nothing_open_behind(station: RunningStation, track: dict[str, Any]) -> None:
    _, token = pair(station)
    moved: list[str] = []

    def move() -> None:
        made = station.call("POST", "/api/pairing/move", {}, token=token)[1]
        moved.append(station.call("POST", "/api/pairing/claim", {"token": made["token"]}, token="")[1]["token"])

    ends_it_all(station, track, token, move)
    assert station.call("GET", "/api/me", token=moved[0])[0] == 200


def test_nothing_of_it_is_in_the_log_or_the_process_list(station: RunningStation) -> None:
    made = station.call("POST", "/api/pairing/tokens", {})[1]
    station.call("POST", "/api/pairing/claim", {"token": made["token"][:-6]}, token="")
    paired = station.call("POST", "/api/pairing/claim", {"token": made["token"]}, token="")[1]
    said = (station.home / "station.log").read_text("utf-8", errors="replace")
    kept = b"".join(path.read_bytes() for path in station.home.rglob("*") if path.is_file())
    running = "".join(Path(f"/proc/{pid}/cmdline").read_text("utf-8", errors="replace")
                      for pid in [station.process.pid, *_children(station.process.pid)])
    for secret in (made["token"], made["token"][:40], paired["token"]):
        assert secret not in said and secret not in running and secret.encode() not in kept


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [child for one in map(int, text.split()) for child in (one, *_children(one)) if os.path.exists(
            f"/proc/{child}/cmdline")]
    return []
