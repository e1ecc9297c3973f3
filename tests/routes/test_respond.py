"""JSON, errors, and files bit for bit with ranges."""

from __future__ import annotations

import email
import gzip
import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from flask import Flask, Response, request
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.serving import WSGIRequestHandler, make_server

from shared.model.errors import NotFound, Overloaded, SoundsibleError, StorageOffline, TooOften
from shared.routes import respond
from shared.routes.respond import OpenFile, audio, json_of, unless_known
from tests.patience import often

CONTENT = bytes(range(256)) * 40


def opened(path: Path) -> OpenFile:
    return OpenFile(open(path, "rb", buffering=0))


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "song.flac"
    path.write_bytes(CONTENT)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    return path


@pytest.fixture
def app(song: Path) -> Flask:
    app = Flask("test", static_folder=None)

    @app.get("/song")
    def send() -> Response:
        return audio(opened(song), "audio/flac", request)

    return app


def get(app: Flask, method: str = "GET", **headers: str) -> Any:
    return app.test_client().open("/song", method=method,
                                  headers={name.replace("_", "-"): value for name, value in headers.items()})


# ---- audio -------------------------------------------------------------------------------------------------------


def test_a_file_is_sent_bit_for_bit(app: Flask) -> None:
    answer = get(app)
    assert (answer.status_code, answer.data) == (200, CONTENT)
    assert answer.headers["Content-Type"] == "audio/flac"
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["Last-Modified"] == "Tue, 14 Nov 2023 22:13:20 GMT"
    assert answer.headers["ETag"].startswith('"')


@pytest.mark.parametrize(("asked", "first", "last"), [
    ("bytes=0-99", 0, 99), ("bytes=100-", 100, 10239), ("bytes=-100", 10140, 10239), ("bytes=10239-", 10239, 10239),
    ("bytes=5-5,6-6", 5, 6), ("bytes=0-9,99999-", 0, 9),
])
def test_one_range_is_sent_as_such(app: Flask, asked: str, first: int, last: int) -> None:
    answer = get(app, Range=asked)
    assert answer.status_code == 206
    assert answer.data == CONTENT[first:last + 1]
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/10240"
    assert answer.headers["Content-Length"] == str(last - first + 1)
    assert answer.headers["Content-Type"] == "audio/flac"


def parts_of(answer: Any) -> list[tuple[str, bytes]]:
    head = f"Content-Type: {answer.headers['Content-Type']}\r\n\r\n".encode()
    whole = email.message_from_bytes(head + answer.data)
    assert whole.is_multipart()
    boundary = whole.get_boundary()
    assert boundary is not None
    found = []
    for piece in answer.data.split(b"--" + boundary.encode())[1:-1]:
        head, _, body = piece.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().strip().split("\r\n"))
        assert headers["Content-Type"] == "audio/flac"
        found.append((headers["Content-Range"], body[:-2]))
    return found


def test_several_ranges_are_sent_as_parts_in_their_order(app: Flask) -> None:
    answer = get(app, Range="bytes=9000-9009,0-4,-3")
    assert answer.status_code == 206
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    assert "Content-Range" not in answer.headers
    assert parts_of(answer) == [
        ("bytes 9000-9009/10240", CONTENT[9000:9010]), ("bytes 0-4/10240", CONTENT[:5]),
        ("bytes 10237-10239/10240", CONTENT[-3:]),
    ]


@pytest.mark.parametrize("asked", ["bytes=10240-", "bytes=99999-100000", "bytes=-0"])
def test_a_range_outside_the_file_is_416_with_its_size(app: Flask, asked: str) -> None:
    answer = get(app, Range=asked)
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == "bytes */10240"
    assert answer.json["error"]["code"] == "range_not_satisfiable"


@pytest.mark.parametrize("asked", ["items=0-5", "bytes=5-2", "bytes=x", "nonsense", "bytes=" + "0-1," * 200])
def test_ranges_that_are_none_are_ignored(app: Flask, asked: str) -> None:
    answer = get(app, Range=asked)
    assert (answer.status_code, answer.data) == (200, CONTENT)


def test_head_ignores_ranges_and_sends_the_same_headers(app: Flask) -> None:
    answer = get(app, "HEAD", Range="bytes=0-9")
    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.headers["Content-Length"] == "10240"
    whole = get(app)
    assert {name: value for name, value in answer.headers} == {name: value for name, value in whole.headers}


def test_what_the_client_holds_is_not_sent_again(app: Flask) -> None:
    etag = get(app).headers["ETag"]
    answer = get(app, If_None_Match=etag, Range="bytes=0-9")
    assert (answer.status_code, answer.data) == (304, b"")
    assert answer.headers["ETag"] == etag
    assert get(app, If_Modified_Since="Tue, 14 Nov 2023 22:13:20 GMT").status_code == 304
    assert get(app, If_Match='"other"').status_code == 412


def test_if_range_decides_whether_a_range_counts(app: Flask, song: Path) -> None:
    etag = get(app).headers["ETag"]
    assert get(app, Range="bytes=0-9", If_Range=etag).status_code == 206
    assert get(app, Range="bytes=0-9", If_Range="Tue, 14 Nov 2023 22:13:20 GMT").status_code == 206
    os.utime(song, (1_700_000_001, 1_700_000_001))
    changed = get(app, Range="bytes=0-9", If_Range=etag)
    assert (changed.status_code, changed.data) == (200, CONTENT)
    assert get(app, Range="bytes=0-9", If_Range="Tue, 14 Nov 2023 22:13:20 GMT").status_code == 200
    assert changed.headers["ETag"] != etag


def test_an_empty_file_is_sent_as_nothing(app: Flask, song: Path) -> None:
    song.write_bytes(b"")
    assert (get(app).status_code, get(app).data, get(app).headers["Content-Length"]) == (200, b"", "0")
    assert get(app, Range="bytes=0-").headers["Content-Range"] == "bytes */0"
    assert get(app, Range="bytes=-5").status_code == 200


@given(st.text(alphabet="bytes=0123456789-, ", max_size=40))
@settings(max_examples=often(50), deadline=None)
def test_whatever_is_asked_the_answer_is_legal_and_its_bytes_are_the_files(asked: str) -> None:
    import tempfile

    with tempfile.NamedTemporaryFile(suffix=".flac") as file:
        file.write(CONTENT[:500])
        file.flush()
        app = Flask("test", static_folder=None)
        with app.test_request_context("/", headers={"Range": f"bytes={asked}"}):
            answer = audio(opened(Path(file.name)), "audio/flac", request)
            data = answer.get_data() if answer.status_code == 416 else b"".join(answer.response)  # type: ignore[arg-type]
            answer.close()
        assert answer.status_code in (200, 206, 416)
        if answer.status_code != 416:
            assert int(answer.headers["Content-Length"]) == len(data)
        if "Content-Range" in answer.headers and answer.status_code == 206:
            first, last = answer.headers["Content-Range"][6:].partition("/")[0].split("-")
            assert data == CONTENT[int(first):int(last) + 1]


def test_files_are_closed_whatever_the_answer_is(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Any] = []
    original = respond.OpenFile.__init__

    def remember(self: Any, raw: Any) -> None:
        opened.append(raw)
        original(self, raw)

    monkeypatch.setattr(respond.OpenFile, "__init__", remember)
    for headers in ({}, {"Range": "bytes=0-1"}, {"Range": "bytes=0-1,5000-5001"}, {"Range": "bytes=99999-"},
                    {"If_None_Match": "*"}, {"If_Match": '"x"'}):
        get(app, **headers).close()
    get(app, "HEAD").close()
    assert len(opened) == 7
    assert all(raw.closed for raw in opened)


def test_the_end_of_an_answer_is_told_once(song: Path) -> None:
    told: list[int] = []
    file = opened(song)
    file.on_close = told.append
    file.close()
    file.close()
    assert told == [0]


class Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *args: Any) -> None: ...


@pytest.fixture
def port(app: Flask) -> Iterator[int]:
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("asked", ["bytes=0-", "bytes=0-1,4000-"])
def test_a_file_that_shrinks_meanwhile_ends_the_connection(port: int, song: Path, asked: str) -> None:
    """Fewer bytes than promised must never look like a whole answer."""
    size = 64 * 1024 * 1024
    with open(song, "r+b") as file:
        file.truncate(size)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(f"GET /song HTTP/1.1\r\nHost: x\r\nRange: {asked}\r\n\r\n".encode())
        got = len(client.recv(1000))
        os.truncate(song, 100_000)
        while data := client.recv(1 << 20):
            got += len(data)
    assert 0 < got < size


# ---- JSON --------------------------------------------------------------------------------------------------------


def test_long_answers_are_gzipped_for_who_takes_it() -> None:
    app = Flask("test", static_folder=None)
    thing = {"items": ["a name that repeats"] * 200}
    for accepted, packed in (("gzip", True), ("br, gzip;q=0.5", True), ("*", True), ("gzip;q=0", False),
                             ("gzip; q=0.0", False), ("br", False), ("", False)):
        with app.test_request_context("/", headers={"Accept-Encoding": accepted}):
            answer = json_of(thing)
        assert (answer.headers.get("Content-Encoding") == "gzip") is packed, accepted
        assert answer.headers["Vary"] == "Accept-Encoding"
        data = gzip.decompress(answer.data) if packed else answer.data
        assert json.loads(data) == thing


def test_short_answers_are_sent_as_they_are() -> None:
    with Flask("test").test_request_context("/", headers={"Accept-Encoding": "gzip"}):
        assert "Content-Encoding" not in json_of({"a": 1}).headers


def test_a_list_the_client_holds_is_not_made_again() -> None:
    made: list[int] = []

    def make() -> dict[str, int]:
        made.append(1)
        return {"n": len(made)}

    app = Flask("test", static_folder=None)
    with app.test_request_context("/"):
        etag = unless_known(("tracks", 1, 7), make).headers["ETag"]
    assert etag.startswith('W/"')
    with app.test_request_context("/", headers={"If-None-Match": etag}):
        assert unless_known(("tracks", 1, 7), make).status_code == 304
        assert len(made) == 1
        for other in (("tracks", 1, 8), ("tracks", 2, 7), ("albums", 1, 7)):
            assert unless_known(other, make).status_code == 200
    assert len(made) == 4


# ---- errors --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("problem", "status", "told"), [
    (NotFound("There is no such thing.", id="x"), 404,
     {"code": "not_found", "message": "There is no such thing.", "details": {"id": "x"}}),
    (SoundsibleError("Words."), 500, {"code": "internal", "message": "Words."}),
    (StorageOffline("It is silent."), 422, {"code": "storage_offline", "message": "It is silent."}),
    (NotFound("\udcff", odd=b"\xff", things={1, 2}), 404, None),
])
def test_an_error_is_told_with_its_code(problem: SoundsibleError, status: int, told: Any) -> None:
    with Flask("test").test_request_context("/"):
        answer = respond.error_of(problem)
    assert answer.status_code == status
    body = msgspec.json.decode(answer.data)["error"]
    assert told is None or body == told
    assert set(body) <= {"code", "message", "details"}


@pytest.mark.parametrize("kind", [TooOften, Overloaded])
def test_who_comes_too_often_is_told_when_to_come_back(kind: Any) -> None:
    with Flask("test").test_request_context("/"):
        answer = respond.error_of(kind("Wait.", retry_after_s=8))
    assert answer.headers["Retry-After"] == "8"
