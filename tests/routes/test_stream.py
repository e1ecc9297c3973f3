"""A track's sound over HTTP: the file bit for bit, transcodes on request, and words when it cannot be had."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

from shared.events import StreamEnded, StreamStarted
from shared.library.transcodes import Transcode
from shared.model.errors import Overloaded, StorageOffline, UnreadableFile
from tests.routes.houses import PASSWORD, Front

SONG = b"Song 01" * 500


class FakeTranscodes:
    """Finished ones are files; others come in chunks."""

    def __init__(self) -> None:
        self.finished: Path | None = None
        self.chunks: list[Any] = [b"abc", b"def"]
        self.asked: list[Any] = []
        self.closed = 0

    def open(self, track: Any, source: Any, format: str, bitrate: int, start_ms: int, *, lend: Any = None) -> Any:
        self.asked.append((source.path, format, bitrate, start_ms))
        if isinstance(self.chunks, Exception):
            raise self.chunks
        if self.finished is not None:
            return Transcode("audio/ogg", self.finished)
        return Growing(self)


class Growing:
    mime_type, finished = "audio/ogg", None

    def __init__(self, owner: FakeTranscodes) -> None:
        self._owner = owner

    def chunks(self) -> Iterator[bytes]:
        try:
            for chunk in self._owner.chunks:
                if isinstance(chunk, Exception):
                    raise chunk
                yield chunk
        finally:
            self._owner.closed += 1


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Front:
    return Front(tmp_path_factory.mktemp("house"), transcodes=FakeTranscodes())


@pytest.fixture
def song(front: Front) -> str:
    return str(next(one["id"] for one in front.tracks() if one["title"] == "Song 01"))


@pytest.fixture
def transcodes(front: Front) -> FakeTranscodes:
    front.house.transcodes.__init__()
    return front.house.transcodes  # type: ignore[no-any-return]


def test_the_file_is_sent_bit_for_bit_with_its_ranges(front: Front, song: str) -> None:
    whole = front.ask("GET", f"/api/stream/{song}")
    assert (whole.status, whole.data) == (200, SONG)
    assert whole.headers["Content-Type"] == "audio/flac"
    assert whole.headers["Cache-Control"] == "private, no-cache"
    part = front.ask("GET", f"/api/stream/{song}", Range="bytes=10-19")
    assert (part.status, part.data) == (206, SONG[10:20])
    assert part.headers["Content-Range"] == f"bytes 10-19/{len(SONG)}"
    head = front.ask("HEAD", f"/api/stream/{song}", Range="bytes=10-19")
    assert (head.status, head.data, head.headers["Content-Length"]) == (200, b"", str(len(SONG)))
    outside = front.ask("GET", f"/api/stream/{song}", Range="bytes=99999-")
    assert (outside.status, outside.headers["Content-Range"]) == (416, f"bytes */{len(SONG)}")
    assert front.ask("GET", f"/api/stream/{song}", If_None_Match=whole.headers["ETag"]).status == 304


def test_a_file_that_was_written_anew_is_sent_as_it_is_now(front: Front, song: str) -> None:
    path = front.house.music / front.get(f"/api/library/tracks/{song}")["path"]
    before = front.ask("GET", f"/api/stream/{song}").headers["ETag"]
    path.write_bytes(b"new")
    try:
        after = front.ask("GET", f"/api/stream/{song}", If_None_Match=before)
        assert (after.status, after.data) == (200, b"new")
    finally:
        path.write_bytes(SONG)


def test_a_child_may_listen_too_and_a_stranger_not(front: Front, song: str) -> None:
    assert front.ask("GET", f"/api/stream/{song}", who="kid").data == SONG
    assert front.ask("GET", f"/api/stream/{song}", who=None).status == 401


def test_a_track_that_is_not_there_is_404(front: Front) -> None:
    for id in ("none", "%00", "..%2f..%2fetc%2fpasswd"):
        answer = front.ask("GET", f"/api/stream/{id}")
        assert (answer.status, answer.json["error"]["code"]) == (404, "not_found")


def test_a_missing_file_is_told_as_such(front: Front, song: str) -> None:
    path = front.house.music / front.get(f"/api/library/tracks/{song}")["path"]
    path.rename(path.with_suffix(".away"))
    try:
        for method in ("GET", "HEAD"):
            answer = front.ask(method, f"/api/stream/{song}")
            assert answer.status == 404
        assert front.ask("GET", f"/api/stream/{song}").json["error"]["code"] == "track_missing"
    finally:
        path.with_suffix(".away").rename(path)


def test_a_vanished_folder_is_told_in_words_and_is_no_overload(front: Front, song: str, tmp_path: Path) -> None:
    away = tmp_path / "away"
    shutil.move(front.house.music, away)
    try:
        answer = front.ask("GET", f"/api/stream/{song}")
        assert (answer.status, answer.json["error"]["code"]) == (404, "track_missing")
        front.house.music.mkdir()
        answer = front.ask("GET", f"/api/stream/{song}")
        assert (answer.status, answer.json["error"]["code"]) == (404, "track_missing")
        front.house.music.rmdir()
    finally:
        shutil.move(away, front.house.music)
    front.house.access.probe(str(front.house.music))
    assert front.ask("GET", f"/api/stream/{song}").data == SONG


def test_a_folder_that_hangs_between_look_and_opening_is_told_in_words(
    front: Front, song: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for problem in (StorageOffline("It does not answer."), FileNotFoundError(2, "gone"), PermissionError(13, "no")):
        def open_badly(root: str, path: str, problem: Exception = problem) -> Any:
            raise problem

        monkeypatch.setattr(front.house.access, "open", open_badly)
        answer = front.ask("GET", f"/api/stream/{song}")
        assert (answer.status, answer.json["error"]["code"]) == (404, "track_missing")
        assert answer.json["error"]["message"]


def test_listening_is_told_from_its_beginning_to_its_end(front: Front, song: str) -> None:
    told: list[Any] = []
    ends = [front.house.events.subscribe(kind, told.append) for kind in (StreamStarted, StreamEnded)]
    try:
        front.ask("GET", f"/api/stream/{song}", Range="bytes=0-1")
        assert [type(one) for one in told] == [StreamStarted, StreamEnded]
        assert {one.track_id for one in told} == {song}
        assert told[1].bytes_sent == 2
        told.clear()
        front.ask("HEAD", f"/api/stream/{song}")
        front.ask("GET", f"/api/stream/{song}", If_None_Match="*")
        assert [type(one) for one in told] in ([], [StreamStarted, StreamEnded])
    finally:
        for end in ends:
            end()


class Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *args: Any) -> None: ...


def test_a_stream_ends_with_its_session(tmp_path: Path) -> None:
    front = Front(tmp_path)
    song = next(one for one in front.tracks() if one["title"] == "Song 01")
    size = 64 * 1024 * 1024
    os.truncate(front.house.music / song["path"], size)
    token, other = (front.house.accounts.login("ben", PASSWORD).token for _ in range(2))
    server = make_server("127.0.0.1", 0, front.app, threaded=True, request_handler=Quiet)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def listen(token: str) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", server.server_port), timeout=20)
        client.sendall(f"GET /api/stream/{song['id']} HTTP/1.1\r\nHost: localhost\r\n"
                       f"Authorization: Bearer {token}\r\n\r\n".encode())
        assert client.recv(5) == b"HTTP/"
        return client

    def rest(client: socket.socket) -> int:
        got = 0
        with client:
            while got < size:
                try:
                    data = client.recv(1 << 20)
                except ConnectionError:
                    break
                if not data:
                    break
                got += len(data)
        return got

    try:
        ended, stays = listen(token), listen(other)
        person = front.house.accounts.who(token)
        assert person is not None
        front.house.accounts.logout(person)
        assert rest(ended) < size
        assert rest(stays) >= size
    finally:
        server.shutdown()
        server.server_close()


# ---- transcodes ----------------------------------------------------------------------------------------------------


def test_a_transcode_follows_its_making(front: Front, song: str, transcodes: FakeTranscodes) -> None:
    told: list[Any] = []
    end = front.house.events.subscribe(StreamEnded, told.append)
    answer = front.ask("GET", f"/api/stream/{song}?format=opus&bitrate=96&start=5000", Range="bytes=0-1")
    end()
    assert (answer.status, answer.data) == (200, b"abcdef")
    assert answer.headers["Content-Type"] == "audio/ogg"
    assert answer.headers["Accept-Ranges"] == "none"
    path = front.house.music / front.get(f"/api/library/tracks/{song}")["path"]
    assert transcodes.asked == [(str(path), "opus", 96, 5000)]
    assert transcodes.closed == 1
    assert told == [StreamEnded(song, 6)]


def test_a_finished_transcode_has_ranges(front: Front, song: str, transcodes: FakeTranscodes, tmp_path: Path) -> None:
    transcodes.finished = tmp_path / "x.opus"
    transcodes.finished.write_bytes(b"0123456789")
    answer = front.ask("GET", f"/api/stream/{song}?format=opus", Range="bytes=2-4")
    assert (answer.status, answer.data, answer.headers["Content-Type"]) == (206, b"234", "audio/ogg")
    assert transcodes.asked[0][1:] == ("opus", 128, 0)


def test_asking_for_the_head_starts_no_transcode(front: Front, song: str, transcodes: FakeTranscodes) -> None:
    answer = front.ask("HEAD", f"/api/stream/{song}?format=mp3")
    assert (answer.status, answer.headers["Content-Type"], transcodes.asked) == (200, "audio/mpeg", [])


@pytest.mark.parametrize("query", [
    "format=flac", "format=opus;rm", "format=opus&bitrate=5", "format=opus&bitrate=9999", "format=opus&bitrate=x",
    "format=opus&start=-1", "format=opus&start=180000", "format=opus&start=1.5", "bitrate=128", "start=5000",
])
def test_a_wish_that_is_not_known_is_400(front: Front, song: str, transcodes: FakeTranscodes, query: str) -> None:
    answer = front.ask("GET", f"/api/stream/{song}?{query}")
    assert (answer.status, answer.json["error"]["code"]) == (400, "bad_input")
    assert answer.json["error"]["details"]["field"] in ("format", "bitrate", "start")
    assert not transcodes.asked


def test_too_many_transcodes_are_told_to_come_back(front: Front, song: str, transcodes: FakeTranscodes) -> None:
    transcodes.chunks = Overloaded("As many as this machine can bear.", retry_after_s=5)  # type: ignore[assignment]
    answer = front.ask("GET", f"/api/stream/{song}?format=opus")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")


def test_a_file_that_cannot_be_decoded_is_told(front: Front, song: str, transcodes: FakeTranscodes) -> None:
    transcodes.chunks = UnreadableFile("It is no audio.", reason="not_audio")  # type: ignore[assignment]
    answer = front.ask("GET", f"/api/stream/{song}?format=opus")
    assert (answer.status, answer.json["error"]["details"]) == (422, {"reason": "not_audio"})


def test_a_transcode_that_breaks_off_breaks_the_connection(
    front: Front, song: str, transcodes: FakeTranscodes
) -> None:
    transcodes.chunks = [b"abc", UnreadableFile("It ends early.", reason="truncated")]
    with pytest.raises(BrokenPipeError):
        front.ask("GET", f"/api/stream/{song}?format=opus")
    assert transcodes.closed == 1


def test_an_undecodable_name_is_streamed(tmp_path: Path) -> None:
    from shared.model.filepath import to_text
    from shared.model.scan import Batch, Found, NewFile
    from shared.model.track import AudioFacts, Metadata, Reading

    front = Front(tmp_path, music=False)
    name = os.fsdecode(b"caf\xe9.mp3")
    try:
        (front.house.music / name).write_bytes(b"latin-1")
    except OSError:
        pytest.skip("this file system takes only UTF-8")
    root = front.house.scans.add_root(str(front.house.music))
    reading = Reading(Metadata(title="Café"), AudioFacts("mp3", "audio/mpeg", 1000))
    front.house.scans.apply(Batch(root_id=root.id, new=[NewFile(Found(to_text(name), 7, 1, "1", "1"), reading)]))
    front.house.scans.finish()
    track = front.tracks()[0]
    assert front.ask("GET", f"/api/stream/{track['id']}").data == b"latin-1"
    track_as_json = front.ask("GET", f"/api/library/tracks/{track['id']}")
    assert track_as_json.status == 200
