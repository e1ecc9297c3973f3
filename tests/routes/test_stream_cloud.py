"""Streams from the cloud as the door answers them: what is promised, what is told when it fails, and to whom."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from typing import Any

import pytest

from shared.model.cloud import CloudFailure, Copy
from shared.model.errors import StorageOffline, TrackMissing
from shared.model.source import CloudFile, LocalFile, SignedUrl, Source, TrackFile
from shared.routes.respond import OpenFile
from shared.storage.playing import Sound
from tests.routes.houses import Front

SONG = bytes(range(256)) * 2000
SMALL = b"smaller" * 3000


def copies(content: bytes, sha256: str, **changes: Any) -> CloudFile:
    copy = Copy(**{
        "track_id": "t", "provider": "r2", "key": f"music/{sha256}", "size_bytes": len(content),
        "stored_bytes": len(content), "sha256": sha256, "format": "flac", "mime_type": "audio/flac",
        "bitrate_kbps": None, "compression": "", "source_sha256": sha256, "source_size_bytes": 1,
        "source_mtime_ns": 1, "etag": "e", "sealed": False, "verified_at": 1.0, **changes})
    return CloudFile((copy,), len(content), copy.mime_type, sha256)


EXACT, SMALLER = copies(SONG, "a" * 64), copies(SMALL, "b" * 64, mime_type="audio/ogg")
CONTENTS = {EXACT.sha256: SONG, SMALLER.sha256: SMALL}


class Coming(io.BytesIO):
    """As a reader of a fetch: has no descriptor, may fail before its first byte or later."""

    def __init__(self, content: bytes, failure: CloudFailure | None, fails_at: int | None) -> None:
        super().__init__(content)
        self.failure, self.fails_at = failure, fails_at

    def prime(self) -> None:
        if self.failure is not None and self.fails_at is None:
            raise self.failure

    def read(self, size: int | None = -1) -> bytes:
        if self.failure is not None and self.fails_at is not None and self.tell() >= self.fails_at:
            raise self.failure
        return super().read(min(1000, size or 0) if size != -1 else 1000)

    def fileno(self) -> int:
        raise io.UnsupportedOperation


class Places:
    """playing.Playing with what the test puts in it."""

    def __init__(self) -> None:
        self.found: list[Source] = [EXACT]
        self.failures: dict[str, CloudFailure] = {}
        self.fails_at: int | None = None
        self.sent_to: str | None = None
        self.opened: list[Source] = []
        self.raws: list[Any] = []

    def find(self, file: TrackFile, *, without: frozenset[str] = frozenset()) -> Source:
        for one in self.found:
            if ("local" if isinstance(one, LocalFile) else "cloud") not in without:
                return one
        raise TrackMissing("nowhere")

    def other(self, file: TrackFile, failed: frozenset[str]) -> CloudFile | None:
        return next((one for one in (EXACT, SMALLER) if one in self.found and one.sha256 not in failed), None)

    def open(self, file: TrackFile, source: Source) -> Sound:
        self.opened.append(source)
        if isinstance(source, LocalFile):
            raise StorageOffline("It hangs.")
        assert isinstance(source, CloudFile)
        raw = Coming(CONTENTS[source.sha256], self.failures.get(source.sha256), self.fails_at)
        self.raws.append(raw)
        return Sound(raw, source, source.size_bytes, source.sha256)

    def address(self, source: CloudFile) -> SignedUrl | None:
        return None if self.sent_to is None else SignedUrl(self.sent_to, 1, "audio/flac", 0.0, "r2")


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Front:
    return Front(tmp_path_factory.mktemp("house"), playing=Places())


@pytest.fixture
def places(front: Front) -> Iterator[Places]:
    made: Any = front.house.playing
    made.__init__()
    yield made
    assert all(one.closed for one in made.raws), "a reader was left open"


@pytest.fixture
def song(front: Front) -> str:
    return str(front.tracks()[0]["id"])


def test_what_comes_from_a_bucket_is_promised_and_sent_like_a_file(front: Front, places: Places, song: str) -> None:
    whole = front.ask("GET", f"/api/stream/{song}")
    assert (whole.status, whole.data, whole.headers["Content-Type"]) == (200, SONG, "audio/flac")
    assert whole.headers["ETag"] == f'"{"a" * 32}"'
    part = front.ask("GET", f"/api/stream/{song}", Range="bytes=1000-1999", If_Range=whole.headers["ETag"])
    assert (part.status, part.data) == (206, SONG[1000:2000])
    several = front.ask("GET", f"/api/stream/{song}", Range="bytes=0-99,5000-5099")
    assert several.status == 206 and SONG[5000:5100] in several.data


def test_nothing_is_promised_before_the_first_byte_is_there(front: Front, places: Places, song: str) -> None:
    places.failures[EXACT.sha256] = CloudFailure("The key AKIA is not known.", reason="wrong_key")
    for wish in ("bytes=0-", "bytes=5-9", "bytes=0-9,500-509"):
        answer = front.ask("GET", f"/api/stream/{song}", Range=wish)
        assert (answer.status, answer.json["error"]["code"]) == (404, "track_missing")
        assert answer.json["error"]["details"]["reason"] == "wrong_key"


def test_what_a_provider_said_is_for_who_may_see_files(front: Front, places: Places, song: str) -> None:
    places.failures[EXACT.sha256] = CloudFailure("The key AKIA is not known.", reason="wrong_key")
    assert "AKIA" in front.ask("GET", f"/api/stream/{song}").json["error"]["message"]
    assert b"AKIA" not in front.ask("GET", f"/api/stream/{song}", who="kid").data


def test_another_content_of_the_track_is_better_than_none(front: Front, places: Places, song: str) -> None:
    places.found.append(SMALLER)
    places.failures[EXACT.sha256] = CloudFailure("no", reason="forbidden")
    answer = front.ask("GET", f"/api/stream/{song}")
    assert (answer.status, answer.data, answer.headers["Content-Type"]) == (200, SMALL, "audio/ogg")


def test_a_folder_that_hangs_when_it_is_opened_is_passed_over(front: Front, places: Places, song: str) -> None:
    places.found.insert(0, LocalFile("/m/1", 1, 1, "audio/flac"))
    assert front.ask("GET", f"/api/stream/{song}").data == SONG
    places.found.pop()
    answer = front.ask("GET", f"/api/stream/{song}")
    assert answer.status == 404 and "does not answer" in answer.json["error"]["message"]


def test_a_stream_that_breaks_off_does_not_look_whole(front: Front, places: Places, song: str) -> None:
    places.failures[EXACT.sha256], places.fails_at = CloudFailure("cut", reason="no_answer"), 5000
    with pytest.raises(BrokenPipeError):
        front.ask("GET", f"/api/stream/{song}")


def test_head_and_conditions_wait_for_no_byte(front: Front, places: Places, song: str) -> None:
    places.failures[EXACT.sha256] = CloudFailure("no", reason="forbidden")
    head = front.ask("HEAD", f"/api/stream/{song}")
    assert (head.status, head.headers["Content-Length"]) == (200, str(len(SONG)))
    assert front.ask("GET", f"/api/stream/{song}", If_None_Match=head.headers["ETag"]).status == 304
    assert front.ask("GET", f"/api/stream/{song}", Range="bytes=9999999-").status == 416


def test_players_are_sent_to_the_bucket_only_for_what_it_answers(front: Front, places: Places, song: str) -> None:
    places.sent_to = "https://bucket.example/music/a?X-Amz-Signature=1"
    sent = front.ask("GET", f"/api/stream/{song}", Range="bytes=0-9")
    assert (sent.status, sent.headers["Location"]) == (302, places.sent_to)
    assert sent.headers["Cache-Control"] == "no-store"
    assert not places.opened
    head = front.ask("HEAD", f"/api/stream/{song}")
    assert head.status == 200
    assert front.ask("GET", f"/api/stream/{song}", If_None_Match=head.headers["ETag"]).status == 304


def test_a_descriptor_is_shown_to_servers_once_there_is_one() -> None:
    read_end, write_end = os.pipe()

    class Later(Coming):
        ready = False

        def prime(self) -> None:
            self.ready = True

        def fileno(self) -> int:
            if not self.ready:
                raise io.UnsupportedOperation
            return read_end

        def stretch(self, offset: int, most: int) -> tuple[int, int]:
            raise CloudFailure("cut", reason="no_answer")

    from shared.routes.conditional import Validators

    file = OpenFile(Later(SONG, None, None), size_bytes=len(SONG), validators=Validators('"x"'))
    assert not hasattr(file, "fileno")
    file.prime()
    assert file.fileno() == read_end
    with pytest.raises(BrokenPipeError):
        file.stretch(0, 10)
    assert file.gone(read_end, 0) is False
    file.close()
    for one in (read_end, write_end):
        with contextlib.suppress(OSError):
            os.close(one)
