"""Pictures from outside: fetched once, drawn small, kept; what is none is not asked for again and again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from shared.audio.pool import WorkerPool
from shared.library import outside_covers
from shared.library.outside_covers import OutsideCovers, over
from shared.model.download import Failure
from shared.model.errors import NotFound, Overloaded
from shared.model.units import MIB
from shared.outbound import Outbound
from tests.builders import make_picture
from tests.media_server import MediaServer

URL = "https://covers.example/1.jpg"


class Outside:
    """Pictures by their links; counts what is asked."""

    def __init__(self) -> None:
        self.pictures: dict[str, bytes | Failure] = {URL: make_picture(400, (10, 90, 60))}
        self.asked: list[str] = []
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, url: str) -> bytes:
        self.asked.append(url)
        assert self.gate.wait(10)
        found = self.pictures[url]
        if isinstance(found, Failure):
            raise found
        return found


@pytest.fixture(scope="module")
def workers() -> Iterator[WorkerPool]:
    pool = WorkerPool(size=1, memory_bytes=1024 * MIB, name="outside")
    yield pool
    pool.stop()


@pytest.fixture
def outside() -> Outside:
    return Outside()


@pytest.fixture
def now() -> list[float]:
    return [0.0]


@pytest.fixture
def covers(outside: Outside, workers: WorkerPool, tmp_path: Path, now: list[float]) -> OutsideCovers:
    return OutsideCovers(fetch=outside, workers=workers, folder=tmp_path / "outside", clock=lambda: now[0])


def test_a_picture_is_fetched_once_a_size_and_drawn_small(covers: OutsideCovers, outside: Outside) -> None:
    found = covers.get(URL, 120)
    with Image.open(found.path) as image:
        assert (image.format, image.size) == ("WEBP", (128, 128))
    assert covers.get(URL, 128) == found
    assert outside.asked == [URL]
    assert covers.get(URL, 300).path != found.path


def test_what_is_no_picture_is_not_asked_for_again_for_a_while(
    covers: OutsideCovers, outside: Outside, now: list[float]
) -> None:
    outside.pictures[URL] = b"<html>not a picture</html>"
    for _ in range(3):
        with pytest.raises(NotFound):
            covers.get(URL, 128)
    assert len(outside.asked) == 1
    outside.pictures[URL] = make_picture(100, (1, 2, 3))
    now[0] += outside_covers.BAD_HOLDS_S
    assert covers.get(URL, 128)


def test_who_is_silent_is_asked_again_sooner(covers: OutsideCovers, outside: Outside, now: list[float]) -> None:
    outside.pictures[URL] = Failure("timed_out", "It is slow.")
    for _ in range(2):
        with pytest.raises(NotFound):
            covers.get(URL, 128)
    now[0] += outside_covers.SILENT_HOLDS_S
    outside.pictures[URL] = Failure("removed", "It is gone.")
    for _ in range(2):
        with pytest.raises(NotFound):
            covers.get(URL, 128)
    now[0] += outside_covers.SILENT_HOLDS_S
    with pytest.raises(NotFound):
        covers.get(URL, 128)
    assert len(outside.asked) == 2


def test_many_who_want_the_same_wait_for_one_fetch(covers: OutsideCovers, outside: Outside) -> None:
    outside.gate.clear()
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(covers.get(URL, 200).path)) for _ in range(8)]
    for thread in threads:
        thread.start()
    outside.gate.set()
    for thread in threads:
        thread.join(10)
    assert (len(found), len(set(found)), outside.asked) == (8, 1, [URL])


def test_slow_sources_hold_a_few_places_only(
    covers: OutsideCovers, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outside_covers, "WAIT_S", 0.05)
    outside.gate.clear()
    urls = [f"{URL}?{number}" for number in range(outside_covers.FETCHES_AT_ONCE + 1)]
    outside.pictures.update(dict.fromkeys(urls, make_picture(64, (1, 1, 1))))
    answers: list[object] = []

    def ask(url: str) -> None:
        try:
            answers.append(covers.get(url, 64))
        except Overloaded as problem:
            answers.append(problem)

    threads = [threading.Thread(target=ask, args=(url,)) for url in urls]
    for thread in threads:
        thread.start()
    while not answers:
        threads[0].join(0.01)
    assert isinstance(answers[0], Overloaded)
    outside.gate.set()
    for thread in threads:
        thread.join(10)
    assert len(answers) == len(urls)


def test_only_pictures_of_public_addresses_or_allowed_ones_are_fetched() -> None:
    with MediaServer() as server:
        server.add("cover.jpg", make_picture(64, (9, 9, 9)))
        with pytest.raises(Failure) as raised:
            over(Outbound())(server.url("cover.jpg"))
        assert raised.value.code == "forbidden_address"
        fetch = over(Outbound([server.allow]))
        assert fetch(server.url("cover.jpg")).startswith(b"\xff\xd8")
        with pytest.raises(Failure) as raised:
            fetch(server.url("nothing.jpg"))
        assert not raised.value.retryable


def test_a_picture_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside_covers, "PICTURE_LIMIT", 1000)
    with MediaServer() as server:
        server.add("large.jpg", b"\xff\xd8" + b"x" * 100_000)
        with pytest.raises(Failure) as raised:
            over(Outbound([server.allow]))(server.url("large.jpg"))
        assert raised.value.code == "too_large"
