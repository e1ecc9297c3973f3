"""The whole station on eventlet: what works elsewhere works there, and nothing that hangs or waits holds the others."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import socketio

from tests.builders import make_audio
from tests.running import RunningStation, make_music, start_station

GUARD_S = 30    # against waiting for ever; nothing here measures speed


def start(base: Path) -> RunningStation:
    return start_station(base / "home", [base / "music"], environ={"SOUNDSIBLE_SERVER": "eventlet"},
                         as_people_do=True)


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStation]:
    base = tmp_path_factory.mktemp("eventlet")
    make_music(base / "music")
    # More than the buffers between two ends hold: a stream of it can be paused.
    make_audio(base / "music", "Long.wav", seconds=90, tags={"title": "Long"})
    running = start(base)
    try:
        assert running.wait_for_scan()["state"] == "done"
        yield running
    finally:
        running.stop()


def track(station: RunningStation, title: str) -> dict[str, Any]:
    _, found = station.call("GET", f"/api/library/search?q={title}")
    return dict(next(one for one in found["tracks"] if one["title"] == title))


def get(station: RunningStation, path: str, **headers: str) -> socket.socket:
    """A request of which the answer is not read: its connection."""
    host, port = station.url.removeprefix("http://").split(":")
    wire = socket.socket()
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    wire.settimeout(GUARD_S)
    wire.connect((host, int(port)))
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}:{port}", f"Authorization: Bearer {station.login()}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    wire.sendall("\r\n".join([*lines, "", ""]).encode())
    return wire


def read(wire: socket.socket) -> bytes:
    """All that comes until the other end closes; then the part behind the head."""
    received = bytearray()
    while data := wire.recv(1 << 18):
        received += data
    return bytes(received).partition(b"\r\n\r\n")[2]


def paused(station: RunningStation) -> socket.socket:
    """A stream that has begun and of which nothing more is taken."""
    wire = get(station, f"/api/stream/{track(station, 'Long')['id']}")
    assert wire.recv(12) == b"HTTP/1.1 200"
    return wire


def eventually(true: Callable[[], bool]) -> None:
    until = time.monotonic() + GUARD_S
    while not true():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.02)


def test_what_was_scanned_is_streamed_bit_for_bit(station: RunningStation) -> None:
    _, page = station.call("GET", "/api/library/tracks?sort=title")
    assert page["total"] == 14
    for one in page["items"]:
        original = (station.music / one["path"]).read_bytes()
        with get(station, f"/api/stream/{one['id']}", Connection="close") as wire:
            assert hashlib.sha256(read(wire)).digest() == hashlib.sha256(original).digest()
    long = (station.music / "Long.wav").read_bytes()
    path = f"/api/stream/{track(station, 'Long')['id']}"
    for first, last in ((0, 0), (len(long) - 1, len(long) - 1), (1, 300_000), (4_321_987, 9_999_999)):
        with get(station, path, Range=f"bytes={first}-{last}", Connection="close") as wire:
            assert read(wire) == long[first : last + 1]
    status, parts = station.call("GET", path, headers={"Range": "bytes=5-14,1000000-2000000"})
    assert status == 206
    assert long[5:15] in parts
    assert long[1_000_000:2_000_001] in parts


def test_a_transcode_is_followed_while_it_is_made_and_has_ranges_afterwards(station: RunningStation) -> None:
    path = f"/api/stream/{track(station, 'Long')['id']}?format=opus&bitrate=48"
    status, whole = station.call("GET", path)
    assert (status, whole[:4]) == (200, b"OggS")
    eventually(lambda: station.call("GET", path, headers={"Range": "bytes=0-3"}) == (206, b"OggS"))
    with get(station, path, Connection="close") as wire:
        assert read(wire) == whole


def test_lists_search_and_covers_answer_on_one_kept_connection(station: RunningStation) -> None:
    _, page = station.call("GET", "/api/library/albums")
    album = next(one for one in page["items"] if one["cover"])
    status, picture = station.call("GET", f"/api/covers/{album['id']}?size=300")
    assert (status, picture[8:12]) == (200, b"WEBP")
    _, found = station.call("GET", "/api/library/search?q=senorita")
    assert [one["title"] for one in found["tracks"]] == ["Señorita"]
    with get(station, "/api/health") as wire:
        assert wire.recv(12) == b"HTTP/1.1 200"
        wire.recv(1 << 16)
        host = wire.getpeername()
        wire.sendall(f"GET /api/health HTTP/1.1\r\nHost: {host[0]}:{host[1]}\r\nConnection: close\r\n\r\n".encode())
        assert b'"ok"' in read(wire)


def test_bodies_are_read_whole_also_in_chunks_and_wrong_ones_refused(station: RunningStation) -> None:
    status, told = station.call("POST", "/api/session", {"username": "ann", "password": "wrong wrong"}, token="")
    assert (status, told["error"]["code"]) == (401, "not_logged_in")
    wire = http.client.HTTPConnection(station.url.removeprefix("http://"), timeout=GUARD_S)
    name = "Made in chunks " * 10
    wire.request("POST", "/api/library/playlists", iter([b'{"name": "', name.encode(), b'"}']), encode_chunked=True,
                 headers={"Authorization": f"Bearer {station.login()}", "Content-Type": "application/json",
                          "Transfer-Encoding": "chunked"})
    made = wire.getresponse()
    assert (made.status, json.loads(made.read())["name"]) == (201, name.strip())
    wire.close()


@pytest.mark.parametrize("transports", [["websocket"], ["polling"]])
def test_an_open_player_hears_of_every_change(station: RunningStation, transports: list[str]) -> None:
    with socketio.SimpleClient(reconnection=False) as player:
        player.connect(station.url, auth={"token": station.login()}, transports=transports)
        name, snapshot = player.receive(timeout=GUARD_S)
        assert name == "snapshot"
        # A file that appears is seen by the watcher, read by the scan's process, and told by the pulse.
        title = f"New by {transports[0]}"
        make_audio(station.music, f"{title}.flac", seconds=1, tags={"title": title})
        # Earlier changes may still be told first: heard out is this one when the revision that holds it is told.
        told, holds = snapshot["revision"], None
        while holds is None or told < holds:
            name, event = player.receive(timeout=GUARD_S)
            told = event["revision"] if name == "library:changed" else told
            if holds is None:
                _, page = station.call("GET", "/api/library/tracks?limit=500")
                holds = page["revision"] if title in [track["title"] for track in page["items"]] else None
        assert holds > snapshot["revision"]
    (station.music / f"{title}.flac").unlink()


def test_others_are_answered_while_requests_hang_in_the_file_system_and_players_are_paused(
    station: RunningStation,
) -> None:
    _, page = station.call("GET", "/api/library/albums")
    album = next(one for one in page["items"] if one["cover"])
    station.call("GET", f"/api/covers/{album['id']}?size=64")
    (kept,) = station.home.glob("cache/covers/*/*/64.webp")
    kept.unlink()
    os.mkfifo(kept)     # to open it waits until somebody writes: a dead mount, for whoever asks
    open_wires = [paused(station) for _ in range(12)]
    hanging = [get(station, f"/api/covers/{album['id']}?size=64", Connection="close") for _ in range(6)]
    try:
        for _ in range(3):
            assert station.call("GET", "/api/health", token="")[0] == 200
            assert track(station, "Plain")["artist"] == "Björk"
            assert station.call("GET", f"/api/covers/{album['id']}?size=300")[0] == 200
            with get(station, f"/api/stream/{track(station, 'Plain')['id']}", Connection="close") as wire:
                assert read(wire) == (station.music / track(station, "Plain")["path"]).read_bytes()
        for one in hanging:
            one.setblocking(False)
            with pytest.raises(BlockingIOError):
                one.recv(1)     # it does hang, and nobody noticed
            one.settimeout(GUARD_S)
        back = os.open(kept, os.O_WRONLY)   # the mount answers again
        for one in hanging:
            assert one.recv(1)
        os.close(back)
    finally:
        kept.unlink()
        for one in (*open_wires, *hanging):
            one.close()


def test_a_paused_stream_goes_on_where_it_stood(station: RunningStation) -> None:
    with get(station, f"/api/stream/{track(station, 'Long')['id']}", Connection="close") as wire:
        assert wire.recv(12) == b"HTTP/1.1 200"
        station.call("GET", "/api/health")
        assert read(wire) == (station.music / "Long.wav").read_bytes()


def test_it_stops_in_order_with_streams_and_players_open(tmp_path: Path) -> None:
    make_audio(tmp_path / "music", "Long.wav", seconds=90, tags={"title": "Long"})
    station = start(tmp_path)
    try:
        station.wait_for_scan()
        wires = [paused(station) for _ in range(3)]
        with socketio.SimpleClient(reconnection=False) as player:
            player.connect(station.url, auth={"token": station.login()}, transports=["websocket"])
            assert player.receive(timeout=GUARD_S)[0] == "snapshot"
            status, made = station.call("POST", "/api/library/playlists", {"name": "Kept"})
            assert status == 201
            assert station.stop() == 0
        for wire in wires:
            assert len(read(wire)) < 90 * 44100 * 4
            wire.close()
    finally:
        station.stop()
    assert "Traceback" not in (station.home / "station.log").read_text("utf-8")
    files = list(station.home.rglob("*.db"))
    assert files and not list(station.home.rglob("*.db-wal"))   # closed, not dropped
    with sqlite3.connect(files[0]) as database:
        assert database.execute("SELECT name FROM playlists WHERE uid = ?", (made["id"],)).fetchone() == ("Kept",)
