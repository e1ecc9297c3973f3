"""What both doors send with, where it is not already seen through /api/stream: several in one answer, own files,
lengths that were promised."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, request

from shared.events import EventBus, StreamEnded, StreamStarted
from shared.model.cloud import CloudFailure
from shared.model.errors import NotFound, TrackMissing, UnreadableFile
from shared.model.person import Person
from shared.model.source import TrackFile
from shared.routes.sending import Conversion, Sending
from shared.security.open_streams import OpenStreams
from tests.routes.test_stream_cloud import EXACT, SMALL, SMALLER, SONG, Places

PERSON = Person(user_id=1, id="p", username="ann", role="owner")
TRACK = TrackFile("t", "/m", "1.flac", len(SONG), 1, "audio/flac", "flac", 4000)


class Made:
    """Transcodes of which the test says what they are."""

    def __init__(self) -> None:
        self.chunks: list[Any] = []
        self.asked: list[Any] = []

    def open(self, track: Any, source: Any, format: str, kbps: int, start_ms: int, *, lend: Any = None) -> Any:
        self.asked.append((getattr(source, "path", None), format, kbps, start_ms))
        chunks = self.chunks

        class Growing:
            mime_type, finished = "audio/mpeg", None

            def chunks(self) -> Iterator[bytes]:
                for chunk in chunks:
                    if isinstance(chunk, Exception):
                        raise chunk
                    yield chunk

        return Growing()


class House:
    def __init__(self) -> None:
        self.places, self.made, self.told = Places(), Made(), list[Any]()
        events = EventBus()
        events.subscribe(StreamStarted, self.told.append)
        events.subscribe(StreamEnded, self.told.append)
        playing: Any = self.places
        transcodes: Any = self.made
        self.sending = Sending(playing=playing, transcodes=transcodes, events=events,
                               streams=OpenStreams(events=events), redirect=self.places.address)


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    with Flask("t").test_request_context("/"):
        yield made
    assert all(one.closed for one in made.places.raws), "a reader was left open"


def content(answer: Any) -> bytes:
    data = b"".join(answer.response)
    answer.close()
    return data


def test_who_may_not_be_sent_elsewhere_gets_it_from_here(house: House) -> None:
    house.places.sent_to = "https://bucket.example/1?signed"
    sent = house.sending.track(PERSON, TRACK)
    assert (sent.status_code, sent.headers["Location"]) == (302, "https://bucket.example/1?signed")
    here = house.sending.track(PERSON, TRACK, redirects=False)
    assert (here.status_code, content(here)) == (200, SONG)


def test_one_of_several_comes_from_the_first_place_that_gives_it(house: House) -> None:
    house.places.found.append(SMALLER)
    house.places.failures[EXACT.sha256] = CloudFailure("no", reason="forbidden")
    file = house.sending.open(PERSON, TRACK)
    assert (file.size_bytes, file.read()) == (len(SMALL), SMALL[:1000])
    file.close()
    house.places.failures[SMALLER.sha256] = CloudFailure("no", reason="forbidden")
    with pytest.raises(TrackMissing):
        house.sending.open(PERSON, TRACK)


def test_a_length_that_was_promised_is_kept_to_at_both_ends(house: House) -> None:
    def sent(chunks: list[Any], length: int | None) -> bytes:
        house.made.chunks = chunks
        answer = house.sending.track(PERSON, TRACK, Conversion("mp3", 128, 500, length))
        assert answer.headers.get("Content-Length") == (None if length is None else str(length))
        return content(answer)

    assert sent([b"abc", b"def"], None) == b"abcdef"
    assert sent([b"abc", b"def"], 10) == b"abcdef\0\0\0\0"
    assert sent([b"abc", b"def"], 4) == b"abcd"
    assert sent([b"abc", b"def"], 3) == b"abc"
    assert len(sent([b"abc"], 200_000)) == 200_000
    assert [event.bytes_sent for event in house.told if isinstance(event, StreamEnded)] == [6, 10, 4, 3, 200_000]
    # What breaks is not filled up: the client has to see that it is not the whole.
    with pytest.raises(BrokenPipeError):
        sent([b"abc", UnreadableFile("It is damaged.", reason="damaged")], 10)


def test_a_file_of_the_station_s_own_is_sent_and_converted(house: House, tmp_path: Path) -> None:
    path = tmp_path / "episode.mp3"
    path.write_bytes(SONG)
    assert content(house.sending.file(PERSON, "e", path, "audio/mpeg", 9000)) == SONG
    house.made.chunks = [b"x"]
    assert content(house.sending.file(PERSON, "e", path, "audio/mpeg", 9000, Conversion("opus", 64, 1000))) == b"x"
    assert house.made.asked == [(str(path), "opus", 64, 1000)]
    assert [type(event) for event in house.told] == [StreamStarted, StreamEnded] * 2
    path.unlink()
    for conversion in (None, Conversion("opus", 64)):
        with pytest.raises(NotFound):
            house.sending.file(PERSON, "e", path, "audio/mpeg", 9000, conversion)


def test_nobody_listens_who_asks_for_the_head(house: House, tmp_path: Path) -> None:
    finished = tmp_path / "finished.mp3"
    finished.write_bytes(b"abc")
    with Flask("t").test_request_context("/", method="HEAD"):
        assert request.method == "HEAD"
        told = house.sending.track(PERSON, TRACK, Conversion("mp3", 128, 0, 77))
        assert (told.headers["Content-Length"], told.headers["Content-Type"]) == ("77", "audio/mpeg")
        house.sending.track(PERSON, TRACK).close()
        house.sending.file(PERSON, "e", finished, "audio/mpeg", 9000).close()
    assert house.told == [] and house.made.asked == []
