"""What sounds at /rest, from the real server: the file itself, parts of it, what is still being made, and its end."""

from __future__ import annotations

import http.client
import io
import socket
import time
import wave
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from tests.builders import make_album
from tests.running import start_station

LONG_S = 240    # a WAV of 42 MB: more than waits in any buffer on its way


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    base = tmp_path_factory.mktemp("served")
    music = base / "music"
    make_album(music, artist="Short", album="Three", count=3, suffix=".flac", seconds=3)
    (music / "Long").mkdir()
    with wave.open(str(music / "Long" / "Long.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(44100)
        second = bytes(range(0, 200)) * 882
        for _ in range(LONG_S):
            file.writeframes(second)
    running = start_station(base / "home", [music])
    try:
        running.wait_for_scan()
        status, made = running.call("POST", "/api/app-passwords", {"name": "a test"})
        assert status == 201
        yield SimpleNamespace(running=running, key=made["app_password"], id=made["id"], music=music)
    finally:
        running.stop()


class Wire:
    """One connection, kept for several calls."""

    def __init__(self, served: SimpleNamespace) -> None:
        self.served = served
        self.http = http.client.HTTPConnection("127.0.0.1", urlsplit(served.running.url).port, timeout=60)

    def path(self, call: str, **given: Any) -> str:
        return f"/rest/{call}?" + urlencode({"apiKey": self.served.key, "c": "t", "v": "1.16.1", "f": "json", **given})

    def ask(self, call: str, method: str = "GET", headers: dict[str, str] | None = None, **given: Any) -> Any:
        self.http.request(method, self.path(call, **given), headers=headers or {})
        answer = self.http.getresponse()
        return SimpleNamespace(status=answer.status, headers=answer.headers, data=answer.read())


@pytest.fixture
def wire(served: SimpleNamespace) -> Iterator[Wire]:
    made = Wire(served)
    yield made
    made.http.close()


def track(served: SimpleNamespace, title: str) -> dict[str, Any]:
    _, page = served.running.call("GET", "/api/library/tracks?limit=100")
    return dict(next(one for one in page["items"] if one["title"] == title))


def test_the_file_and_its_ranges_come_one_after_the_other_on_one_connection(served: SimpleNamespace, wire: Wire
                                                                           ) -> None:
    content = (served.music / "Long" / "Long.wav").read_bytes()
    id = track(served, "Long")["id"]
    part = wire.ask("stream", id=id, headers={"Range": "bytes=40000000-40000999"})
    assert (part.status, part.data) == (206, content[40_000_000:40_001_000])
    head = wire.ask("stream", "HEAD", id=id)
    assert (head.status, head.headers["Content-Length"], head.data) == (200, str(len(content)), b"")
    whole = wire.ask("stream", id=id, format="raw")
    assert whole.data == content
    last = wire.ask("download", id=id, headers={"Range": "bytes=-10"})
    assert (last.status, last.data) == (206, content[-10:])
    _, same = served.running.call("GET", f"/api/stream/{id}")
    assert same == content


def test_a_transcode_is_heard_while_it_is_made_and_has_ranges_afterwards(served: SimpleNamespace, wire: Wire) -> None:
    id = track(served, "Three 1")["id"]
    wish: dict[str, Any] = {"id": id, "format": "mp3", "maxBitRate": 64}
    first = wire.ask("stream", **wish)
    assert (first.status, first.headers["Content-Type"]) == (200, "audio/mpeg")
    again = wire.ask("stream", **wish)      # finished by now
    assert (again.data, again.headers["Content-Length"]) == (first.data, str(len(first.data)))
    part = wire.ask("stream", headers={"Range": "bytes=100-199"}, **wish)
    assert (part.status, part.data) == (206, first.data[100:200])


def test_an_estimated_length_is_the_length(served: SimpleNamespace, wire: Wire) -> None:
    """And the connection goes on: what was promised was sent, not more and not less."""
    id = track(served, "Three 2")["id"]
    answer = wire.ask("stream", id=id, format="mp3", maxBitRate=96, estimateContentLength="true")
    assert answer.headers["Content-Length"] == str(len(answer.data)) == str(4000 * 12)
    assert wire.ask("ping").status == 200


def test_an_archive_arrives_whole(served: SimpleNamespace, wire: Wire) -> None:
    album = track(served, "Three 1")["album_id"]
    answer = wire.ask("download", id=album)
    found = zipfile.ZipFile(io.BytesIO(answer.data))
    assert found.testzip() is None and len(found.namelist()) == 3
    files = sorted(path.read_bytes() for path in Path(served.music, "Short").rglob("*.flac"))
    assert sorted(found.read(name) for name in found.namelist()) == files
    assert wire.ask("ping").status == 200


def test_a_stream_ends_when_its_app_password_is_revoked(served: SimpleNamespace, wire: Wire) -> None:
    """The last test here: nobody is let in with it afterwards."""
    id = track(served, "Long")["id"]
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)      # nearly all waits on the station's side
        slow.settimeout(30)
        slow.connect(("127.0.0.1", urlsplit(served.running.url).port))
        slow.sendall(f"GET {wire.path('stream', id=id)} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        came = len(slow.recv(100))
        time.sleep(0.3)     # until it has filled the buffers
        assert served.running.call("DELETE", f"/api/app-passwords/{served.id}")[0] == 204
        try:
            while data := slow.recv(1 << 20):
                came += len(data)
        except ConnectionResetError:
            pass
    assert 0 < came < 20_000_000
    assert b'"code":44' in wire.ask("stream", id=id).data
