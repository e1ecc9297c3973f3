"""Covers of albums: by their ids, by their names, and never another album's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from shared.metadata.client import _PACE, pace_of
from shared.metadata.sleeves import Offered, Sleeves, Sought
from shared.model.download import Failure
from shared.settings import Settings
from tests.builders import make_picture
from tests.fakes.answering import Asked, Reply
from tests.fakes.coverart import FakeCoverArt
from tests.fakes.deezer import Album, FakeDeezer, Track
from tests.fakes.musicbrainz import FakeMusicBrainz, Recording, Release

RELEASE = Release("Low", [[Recording("Speed of Life", ["David Bowie"])]], ["David Bowie"])
LIVE = Release("Low", [[Recording("Speed of Life (live)", ["David Bowie"])]], ["David Bowie"], type="EP")
LOW = Sought("Low", "David Bowie", tracks=1)
RED, BLUE = make_picture(300, (200, 0, 0)), make_picture(300, (0, 0, 200))


class Deezer(FakeDeezer):
    """Whose pictures lie on itself."""

    def __init__(self, pictures: dict[int, bytes], albums: list[Album]) -> None:
        super().__init__(albums=albums)
        self.pictures = pictures

    def answer(self, asked: Asked) -> Reply:
        if asked.path.startswith("/images/cover/"):
            data = self.pictures.get(int(asked.path.split("/")[3]))
            return Reply(404) if data is None else Reply(200, data, "image/jpeg")
        made = super().answer(asked)
        return replace(made, body=made.body.replace(b"https://cdn-images.dzcdn.net", self.url.encode()))


class Kept:
    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], Any] = {}

    def get(self, service: str, key: str, *, max_age_s: float) -> Any | None:
        return self.answers.get((service, key))

    def put(self, service: str, key: str, answer: Any) -> None:
        self.answers[service, key] = answer


class World:
    def __init__(self) -> None:
        self.brainz = FakeMusicBrainz(releases=[RELEASE, LIVE])
        self.archive = FakeCoverArt()
        self.deezer = Deezer({7: BLUE}, [
            Album(6, "Low", "David Bowie", [Track(1, "A"), Track(2, "B")]),
            Album(7, "Low", "David Bowie", [Track(3, "A")]),
            Album(8, "Low Tide", "David Bowie", [Track(4, "A")]),
            Album(9, "Low", "Testament", [Track(5, "A")])])

    def sleeves(self) -> Sleeves:
        settings = Settings(musicbrainz_url=self.brainz.url, coverart_url=self.archive.url, deezer_url=self.deezer.url)
        self.kept = Kept()
        return Sleeves(settings=settings, lookups=self.kept)


@pytest.fixture
def world() -> Iterator[World]:
    one = World()
    with one.brainz, one.archive, one.deezer:
        yield one


def test_the_release_comes_before_its_group_and_both_are_sure(world: World) -> None:
    world.archive.covers = {RELEASE.id: RED, RELEASE.group_id: BLUE}
    found = list(world.sleeves().of("coverart", replace(LOW, mbid=RELEASE.id, release_group_mbid=RELEASE.group_id)))
    assert found == [Offered("coverart", RED, True), Offered("coverart", BLUE, True)]
    assert world.brainz.asked == []


def test_without_ids_the_album_is_found_by_its_name_which_is_not_sure(world: World) -> None:
    world.archive.covers = {RELEASE.group_id: RED}
    assert list(world.sleeves().of("coverart", LOW)) == [Offered("coverart", RED, False)]
    assert list(world.sleeves().of("coverart", replace(LOW, title="Lodger"))) == []
    assert list(world.sleeves().of("coverart", replace(LOW, artist="Testament"))) == []


def test_two_albums_of_that_name_are_none(world: World) -> None:
    world.archive.covers = {RELEASE.group_id: RED}
    other = Release("Low", [[Recording("Other", ["David Bowie"])]], ["David Bowie"], secondary=["Live"])
    world.brainz.releases.append(other)
    assert other.group_id != RELEASE.group_id
    assert list(world.sleeves().of("coverart", LOW)) == []


def test_deezer_gives_the_album_of_that_name_artist_and_length(world: World) -> None:
    sleeves = world.sleeves()
    assert list(sleeves.of("deezer", LOW)) == [Offered("deezer", BLUE, False)]
    asked = len(world.deezer.asked)
    assert list(sleeves.of("deezer", LOW)) == [Offered("deezer", BLUE, False)]
    assert len(world.deezer.asked) == asked, "the link and the picture were remembered"
    assert list(sleeves.of("deezer", replace(LOW, artist="David Byrne"))) == []
    assert list(sleeves.of("deezer", replace(LOW, title=""))) == []


@pytest.mark.parametrize(("reply", "code"), [
    (Reply(200, b'{"error": {"code": 4, "message": "Quota limit exceeded"}}'), "rate_limited"),
    (Reply(200, b'{"error": {"code": 700, "message": "busy"}}'), "service_error"),
    (Reply(200, b"<html>"), "garbage"), (Reply(200, b"[]"), "garbage"), (Reply(200, b'{"data": [7]}'), "garbage"),
    (Reply(503), "service_error"),
])
def test_what_deezer_fails_to_answer_is_told(world: World, reply: Reply, code: str) -> None:
    world.deezer.always(reply)
    with pytest.raises(Failure) as told:
        list(world.sleeves().of("deezer", LOW))
    assert told.value.code == code and told.value.provider == "deezer"


def test_only_the_public_musicbrainz_is_asked_slowly() -> None:
    assert pace_of(Settings()) is _PACE
    assert pace_of(Settings(musicbrainz_url="http://127.0.0.1:5000")).interval_s == 0
    assert pace_of(Settings(musicbrainz_url="https://musicbrainz.org.example.net")).interval_s == 0
