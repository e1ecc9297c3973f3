"""The same album from its folder, from the cache with the folder unplugged, and from the bucket with both gone."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from shared.database import Database
from shared.model.cloud import Copy, Provider
from shared.records.copies import Copies
from shared.records.tracks import Tracks
from shared.storage.sealing import Sealer
from tests.builders import make_audio
from tests.running import RunningStation, start_station
from tests.s3_server import FaultProxy, server

GET = r"^GET .*/music/"
OPEN, SEALED = "open", "sealed"


@dataclass
class Home:
    """A station with one album, each track with a copy in a bucket: of one the object is sealed."""

    station: RunningStation
    proxy: FaultProxy
    music: Path
    tracks: dict[str, str]          # title → id
    contents: dict[str, bytes]      # id → the file

    @property
    def cache(self) -> Path:
        return self.station.home / "cache" / "tracks"

    def ask(self, id: str, method: str = "GET", query: str = "", **headers: str) -> tuple[int, Any, bytes]:
        link = urlsplit(self.station.url)
        wire = http.client.HTTPConnection(link.hostname or "", link.port, timeout=30)
        try:
            told = {name.replace("_", "-"): value for name, value in headers.items()}
            wire.request(method, f"/api/stream/{id}{query}",
                         headers={"Authorization": f"Bearer {self.station.login()}", **told})
            answer = wire.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            wire.close()

    def cached(self, id: str) -> Path:
        sha256 = hashlib.sha256(self.contents[id]).hexdigest()
        return self.cache / sha256[:2] / sha256

    def unplug(self) -> None:
        self.music.rename(self.music.with_name("away"))

    def plug_in(self) -> None:
        self.music.with_name("away").rename(self.music)

    def empty_the_cache(self) -> None:
        """As another process would: the files go, the rows stay."""
        for id in self.contents:
            self.cached(id).unlink(missing_ok=True)


def copy_up(database: Path, provider: Provider, id: str, content: bytes) -> None:
    """An object and its row, as an upload leaves them."""
    memory = Database(database)
    try:
        file, sha256 = Tracks(database=memory).file_of(id), hashlib.sha256(content).hexdigest()
        body, key = content, f"music/{sha256[:2]}/{sha256}.flac"
        if provider.seal_key is not None:
            body, key = Sealer(provider.seal_key).seal_bytes(content), f"music/{sha256[2:4]}/{sha256[2:]}.sealed"
        server().put(provider, key, body)
        Copies(database=memory).put([Copy(
            track_id=id, provider=provider.name, key=key, size_bytes=len(content), stored_bytes=len(body),
            sha256=sha256, format=file.format, mime_type=file.mime_type, bitrate_kbps=None, compression="",
            source_sha256=sha256, source_size_bytes=file.size_bytes, source_mtime_ns=file.mtime_ns,
            etag=hashlib.md5(body).hexdigest(), sealed=provider.seal_key is not None, verified_at=time.time(),
            added_at=time.time())])
    finally:
        memory.close()


def make_home(base: Path, **environ: str) -> Home:
    music = base / "music"
    for number, title in enumerate((OPEN, SEALED, "slow"), start=1):
        make_audio(music / "Album", f"{number:02} {title}.wav", seconds=60, tone_hz=200 + 100 * number, tags={
            "title": title, "artist": "One", "album": "Album", "album_artist": "One", "track_number": number})
    proxy = FaultProxy(server().url)
    server().add_to(base / "home", server().provider("r2", endpoint=proxy.url))
    server().add_to(base / "home", server().provider("vault", endpoint=proxy.url, seal_key=bytes(range(32))))
    station = start_station(base / "home", [music], environ={"SOUNDSIBLE_WATCH": "false", **environ})
    station.wait_for_scan()
    _, page = station.call("GET", "/api/library/tracks")
    tracks = {one["title"]: one["id"] for one in page["items"]}
    contents = {one["id"]: (music / one["path"]).read_bytes() for one in page["items"]}
    from shared.settings import Settings
    from shared.storage.providers import Providers

    providers = Providers(settings=Settings(home=base / "home"))
    for title, id in tracks.items():
        copy_up(base / "home" / "data" / "library.db", providers.named("vault" if title == SEALED else "r2"), id,
                contents[id])
    return Home(station, proxy, music, tracks, contents)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    made = make_home(tmp_path_factory.mktemp("places"))
    yield made
    made.station.stop()
    made.proxy.close()


def soon(what: Any, timeout_s: float = 15.0) -> None:
    until = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < until, "it did not come to that"
        time.sleep(0.02)


def test_the_same_album_plays_from_the_folder_from_the_bucket_and_from_the_cache(home: Home) -> None:
    etags = {}
    for id, content in home.contents.items():
        status, headers, body = home.ask(id)
        assert (status, body) == (200, content)
        etags[id] = headers["ETag"]
        assert headers["ETag"] == f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    assert home.proxy.count(GET) == 0               # nobody asked the bucket for what is here

    home.unplug()
    try:
        for id, content in home.contents.items():   # the folder is gone: from the bucket
            status, headers, part = home.ask(id, Range="bytes=100000-100099", If_Range=etags[id])
            assert (status, part) == (206, content[100000:100100])
            assert headers["Content-Range"] == f"bytes 100000-100099/{len(content)}"
            status, headers, body = home.ask(id)
            assert (status, body, headers["ETag"]) == (200, content, etags[id])
        for id, content in home.contents.items():   # it came into the cache by that
            soon(home.cached(id).exists)
            assert home.cached(id).read_bytes() == content
        asked = home.proxy.count(GET)
        for id, content in home.contents.items():
            status, headers, part = home.ask(id, Range="bytes=-1000", If_Range=etags[id])
            assert (status, part) == (206, content[-1000:])
            assert home.ask(id)[2] == content
            assert home.ask(id, If_None_Match=etags[id])[0] == 304
        assert home.proxy.count(GET) == asked       # from the cache

        home.empty_the_cache()                      # both are gone
        for id, content in home.contents.items():
            assert home.ask(id)[2] == content
        assert home.proxy.count(GET) > asked
    finally:
        home.plug_in()


def test_head_and_what_is_known_ask_nobody_outside(home: Home) -> None:
    home.unplug()
    try:
        home.empty_the_cache()
        asked = home.proxy.count()
        for id, content in home.contents.items():
            status, headers, body = home.ask(id, "HEAD", Range="bytes=0-1")
            assert (status, headers["Content-Length"], body) == (200, str(len(content)), b"")
            assert home.ask(id, If_None_Match=headers["ETag"])[0] == 304
            assert home.ask(id, Range="bytes=99999999-")[0] == 416
        assert home.proxy.count() == asked
    finally:
        home.plug_in()


def test_pieces_of_one_answer_come_from_the_bucket_too(home: Home) -> None:
    home.unplug()
    try:
        home.empty_the_cache()
        id = home.tracks[OPEN]
        content = home.contents[id]
        status, headers, body = home.ask(id, Range="bytes=0-9,500000-500009")
        assert status == 206 and headers["Content-Type"].startswith("multipart/byteranges")
        assert content[:10] in body and content[500000:500010] in body
    finally:
        home.plug_in()


def test_a_stream_from_the_bucket_that_is_cut_goes_on_for_the_listener(home: Home) -> None:
    home.unplug()
    try:
        home.empty_the_cache()
        home.proxy.fault(GET, cut_after=300_000, times=2)
        id = home.tracks["slow"]
        assert home.ask(id)[2] == home.contents[id]
    finally:
        home.proxy.heal()
        home.plug_in()


def test_a_stream_from_the_bucket_ends_with_the_device_it_goes_to(home: Home) -> None:
    _, made = home.station.call("POST", "/api/pairing/tokens", {})
    _, paired = home.station.call("POST", "/api/pairing/claim", {"token": made["token"]}, token="")
    home.unplug()
    link = urlsplit(home.station.url)
    wire = socket.socket()
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)      # it has enough for now
    wire.settimeout(30)
    wire.connect((link.hostname, link.port))
    try:
        home.empty_the_cache()
        id = home.tracks[SEALED]
        wire.sendall(f"GET /api/stream/{id} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "
                     f"{paired['token']}\r\n\r\n".encode())
        got = wire.recv(1000)
        assert b" 200 " in got.partition(b"\r\n")[0]
        assert home.station.call("DELETE", f"/api/devices/{paired['device']['id']}")[0] == 204
        with contextlib.suppress(ConnectionResetError):    # what waited in the kernel is dropped with the connection
            while data := wire.recv(65536):
                got += data
        assert len(got) < len(home.contents[id])
    finally:
        wire.close()
        home.plug_in()


def test_a_copy_of_nobody_is_a_missing_track_with_its_reason(home: Home) -> None:
    home.unplug()
    try:
        soon(lambda: not list((home.cache / "incoming").iterdir()))    # what the others left is all there
        home.empty_the_cache()
        home.proxy.fault(GET, error="AccessDenied")
        id = home.tracks[OPEN]
        status, _, body = home.ask(id)
        assert status == 404 and b"track_missing" in body and b"forbidden" in body
    finally:
        home.proxy.heal()
        home.plug_in()


def test_a_file_that_is_cut_short_under_a_listener_goes_on_from_the_bucket(home: Home) -> None:
    """The local file loses its end in mid-stream; the listener gets every byte all the same."""
    id = home.tracks[OPEN]
    content = home.contents[id]
    path = home.music / "Album" / "01 open.wav"
    before = os.stat(path)
    link = urlsplit(home.station.url)
    wire = socket.socket()
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    wire.connect((link.hostname, link.port))
    try:
        home.empty_the_cache()
        wire.sendall(f"GET /api/stream/{id} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "
                     f"{home.station.login()}\r\nConnection: close\r\n\r\n".encode())
        got = wire.recv(1000)
        time.sleep(0.3)                     # the station sends until the connection is full
        os.truncate(path, 0)       # whole pages: what is on its way stays as it is
        wire.settimeout(20)
        while data := wire.recv(65536):
            got += data
        head, _, body = got.partition(b"\r\n\r\n")
        assert b" 200 " in head
        assert hashlib.sha256(body).digest() == hashlib.sha256(content).digest()
    finally:
        wire.close()
        path.write_bytes(content)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    said = (home.station.home / "station.log").read_text("utf-8", "replace")
    assert re.search(rf"track {id} goes on from cloud at byte [1-9]", said)


def test_what_is_in_the_cloud_alone_is_transcoded_too(home: Home) -> None:
    home.unplug()
    try:
        home.empty_the_cache()
        id = home.tracks[OPEN]
        status, headers, body = home.ask(id, query="?format=opus&bitrate=96")
        assert (status, headers["Content-Type"]) == (200, "audio/ogg")
        assert body[:4] == b"OggS" and len(body) > 50_000
    finally:
        home.plug_in()


def test_a_provider_that_is_silent_keeps_nothing_else_waiting(home: Home) -> None:
    home.unplug()
    fault = home.proxy.fault(GET, stall_after=0)
    try:
        home.empty_the_cache()

        def listen(id: str) -> None:
            with contextlib.suppress(OSError, http.client.HTTPException):   # at the station's end
                home.ask(id)

        waiting = [threading.Thread(target=listen, args=(id,), daemon=True) for id in home.contents]
        for one in waiting:
            one.start()
        soon(lambda: fault.hits >= 1)
        status, health = home.station.call("GET", "/api/health")
        assert status == 200 and {one["name"] for one in health["cloud"]} == {"r2", "vault"}
        assert home.station.call("GET", "/api/library/tracks")[0] == 200
        assert any(one.is_alive() for one in waiting)
    finally:
        home.proxy.heal()
        home.plug_in()


def test_with_cloud_redirect_players_are_sent_to_the_bucket_and_the_cache_stays_empty(tmp_path: Path) -> None:
    home = make_home(tmp_path, SOUNDSIBLE_CLOUD_REDIRECT="true", SOUNDSIBLE_SERVER="eventlet")
    try:
        id, sealed = home.tracks[OPEN], home.tracks[SEALED]
        assert home.ask(id)[0] == 200               # what is here is not sent for
        home.unplug()
        status, headers, _ = home.ask(id, Range="bytes=5-9")
        assert (status, headers["Cache-Control"]) == (302, "no-store")
        link = urlsplit(headers["Location"])
        wire = http.client.HTTPConnection(link.hostname or "", link.port, timeout=30)
        wire.request("GET", f"{link.path}?{link.query}", headers={"Range": "bytes=5-9"})
        answer = wire.getresponse()
        assert (answer.status, answer.read()) == (206, home.contents[id][5:10])
        wire.close()
        assert home.ask(id, "HEAD")[0] == 200       # the address is signed for GET
        assert home.ask(id, If_None_Match=home.ask(id, "HEAD")[1]["ETag"])[0] == 304
        home.proxy.fault(GET, cut_after=400_000, bytes_per_s=20_000_000, times=1)
        assert home.ask(sealed)[2] == home.contents[sealed]     # nobody else can open it
        assert not home.cached(id).exists()
    finally:
        home.station.stop()
        home.proxy.close()
        shutil.rmtree(tmp_path / "away", ignore_errors=True)
