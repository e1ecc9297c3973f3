"""MusicBrainzClient: one request a second, answers kept, faults told as what they are."""

from __future__ import annotations

import itertools
import threading
import time
from contextlib import contextmanager
from typing import Any

import pytest

from shared.metadata import client as room
from shared.metadata.client import MusicBrainzClient, Pace, quoted
from shared.model.download import Failure
from shared.settings import Settings
from tests.fakes.answering import Reply
from tests.fakes.musicbrainz import FakeMusicBrainz, Recording, Release, mbid

SONG = Recording("Blue Monday", artists=["New Order"], length_ms=449_000, isrcs=["GBAAP8300001"],
                 tags=[("synth-pop", 5)])
OTHER = Recording("Age of Consent", artists=["New Order"], length_ms=316_000)
ALBUM = Release("Power, Corruption & Lies", media=[[OTHER, SONG]], artists=["New Order"], date="1983-05-02")


class Kept:
    """ports.Lookups in memory, with the age of each answer under the test's hand."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], Any] = {}

    def get(self, service: str, key: str, *, max_age_s: float) -> Any | None:
        return self.held.get((service, key))

    def put(self, service: str, key: str, answer: Any) -> None:
        self.held[service, key] = answer


def client(fake: FakeMusicBrainz, **given: Any) -> MusicBrainzClient:
    given.setdefault("pace", Pace(0.0))
    return MusicBrainzClient(settings=Settings(musicbrainz_url=fake.url, contact="who@example.org"), **given)


def test_every_question_is_answered_in_the_librarys_words() -> None:
    with FakeMusicBrainz(releases=[ALBUM]) as fake:
        asked = client(fake)
        assert asked.search_recordings("recording:" + quoted("Blue Monday"), limit=5)[0]["title"] == "Blue Monday"
        assert asked.search_recordings("blue monday")[0]["ext:score"] == "100"
        assert asked.search_releases("release:" + quoted("Power, Corruption & Lies"))[0]["id"] == ALBUM.id
        assert asked.search_release_groups("corruption")[0]["primary-type"] == "Album"
        assert asked.search_artists("artist:" + quoted("New Order"))[0]["name"] == "New Order"
        assert [one["id"] for one in asked.recordings_by_isrc("GBAAP8300001")] == [SONG.id]
        assert asked.recording(SONG.id)["artist-credit-phrase"] == "New Order"
        assert len(asked.release(ALBUM.id)["medium-list"][0]["track-list"]) == 2
        assert asked.release_group(ALBUM.group_id)["title"] == ALBUM.title
        assert asked.artist(mbid("artist", "New Order"))["name"] == "New Order"
        assert asked.releases_of_recording(SONG.id)[0]["release-group"]["primary-type"] == "Album"
        assert asked.releases_of_group(ALBUM.group_id)[0]["id"] == ALBUM.id
        assert asked.release_groups_of_artist(mbid("artist", "New Order"))[0]["id"] == ALBUM.group_id


def test_it_says_who_asks() -> None:
    with FakeMusicBrainz(releases=[ALBUM]) as fake:
        client(fake).recording(SONG.id)
        assert fake.asked[0].headers["user-agent"].startswith("Soundsible/")
        assert "who@example.org" in fake.asked[0].headers["user-agent"]


def test_what_is_not_there_is_not_found_and_lists_are_empty() -> None:
    with FakeMusicBrainz() as fake:
        asked = client(fake)
        with pytest.raises(Failure) as caught:
            asked.recording(SONG.id)
        assert (caught.value.code, caught.value.provider) == ("not_found", "musicbrainz")
        assert asked.recordings_by_isrc("GBAAP8300001") == [] and asked.search_recordings("nothing") == []


def test_an_answer_is_kept_and_nothing_is_asked_twice() -> None:
    with FakeMusicBrainz(releases=[ALBUM]) as fake:
        kept = Kept()
        first = client(fake, lookups=kept).release(ALBUM.id)
        assert client(fake, lookups=kept).release(ALBUM.id) == first
        assert len(fake.asked) == 1


def test_what_was_not_found_is_asked_again_after_a_day() -> None:
    with FakeMusicBrainz() as fake:
        kept = Kept()
        asked = client(fake, lookups=kept)
        assert asked.recordings_by_isrc("GBAAP8300001") == []
        fake.recordings.append(SONG)
        assert asked.recordings_by_isrc("GBAAP8300001") == [] and len(fake.asked) == 1
        for answer in kept.held.values():
            answer["at"] -= 90_000
        assert [one["id"] for one in asked.recordings_by_isrc("GBAAP8300001")] == [SONG.id]


def test_threads_that_want_the_same_answer_ask_once() -> None:
    with FakeMusicBrainz(releases=[ALBUM]) as fake:
        asked = client(fake, lookups=Kept())
        threads = [threading.Thread(target=asked.release, args=(ALBUM.id,)) for _ in range(6)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert len(fake.asked) == 1


@pytest.mark.parametrize(("reply", "code"), [
    (Reply(500), "service_error"),
    (Reply(503), "service_error"),
    (Reply(503, headers={"Retry-After": "30"}), "rate_limited"),
    (Reply(429, headers={"Retry-After": "30"}), "rate_limited"),
    (Reply(200, b"<html>maintenance</html>"), "garbage"),
    (Reply(200, b"\x00\x01 not xml"), "garbage"),
    (Reply(200, b'<!DOCTYPE a [<!ENTITY b "bb">]><metadata>&b;</metadata>'), "garbage"),
    (Reply(302, headers={"Location": "http://127.0.0.1:1/"}), "garbage"),
    (Reply(403), "no_permission"),
    (Reply(200, b"<metadata/>" * 10, break_off_after=20), "connection_lost"),
])
def test_a_fault_of_the_service_is_told_as_what_it_is(reply: Reply, code: str) -> None:
    with FakeMusicBrainz(releases=[ALBUM]) as fake:
        fake.always(reply)
        with pytest.raises(Failure) as caught:
            client(fake).recording(SONG.id)
        assert (caught.value.code, caught.value.provider) == (code, "musicbrainz")
        assert fake.url not in caught.value.message


def test_a_service_that_cannot_be_reached_is_refused() -> None:
    with FakeMusicBrainz() as fake:
        asked = client(fake)
    with pytest.raises(Failure) as caught:
        asked.recording(SONG.id)
    assert caught.value.code == "refused" and caught.value.service_fault


def test_an_answer_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeMusicBrainz() as fake:
        fake.always(Reply(200, b"<metadata>" + b" " * (9 * 1024 * 1024)))
        with pytest.raises(Failure) as caught:
            client(fake).recording(SONG.id)
        assert caught.value.code == "garbage"


def test_a_short_rest_is_taken_and_the_question_asked_again() -> None:
    with FakeMusicBrainz(releases=[ALBUM]) as fake:
        rests: list[float] = []
        pace = Pace(0.0, clock=lambda: sum(rests), sleep=rests.append)
        fake.next(Reply(503, headers={"Retry-After": "3"}))
        assert client(fake, pace=pace).recording(SONG.id)["id"] == SONG.id
        assert sum(rests) == pytest.approx(3.0) and len(fake.asked) == 2


def test_a_long_rest_is_told_to_everybody_and_nobody_asks_meanwhile() -> None:
    with FakeMusicBrainz(releases=[ALBUM]) as fake:
        now = [100.0]
        pace = Pace(1.0, clock=lambda: now[0], sleep=lambda s: now.__setitem__(0, now[0] + s))
        fake.next(Reply(503, headers={"Retry-After": "120"}))
        asked = client(fake, pace=pace)
        for waited in (120.0, 120.0):
            with pytest.raises(Failure) as caught:
                asked.recording(SONG.id)
            assert caught.value.code == "rate_limited"
            assert caught.value.retry_after_s == pytest.approx(waited)
        assert len(fake.asked) == 1
        now[0] += 121
        assert asked.recording(SONG.id)["id"] == SONG.id


def test_requests_of_many_threads_are_a_second_apart_and_in_their_order() -> None:
    now, at, order = [0.0], [], []
    pace = Pace(1.0, clock=lambda: now[0], sleep=lambda s: now.__setitem__(0, now[0] + s))
    inside = threading.Event()
    held = threading.Event()

    def first() -> None:
        with pace.turn():
            inside.set()
            held.wait(5)

    def later(name: int) -> None:
        with pace.turn():
            pace.wait()
            at.append(now[0])
            order.append(name)

    threads = [threading.Thread(target=first)]
    threads[0].start()
    inside.wait(5)
    for name in range(5):
        threads.append(threading.Thread(target=later, args=(name,)))
        threads[-1].start()
        while pace._next_ticket < name + 2:
            time.sleep(0.001)
    held.set()
    for one in threads:
        one.join()
    assert order == [0, 1, 2, 3, 4]
    assert all(b - a >= 1.0 for a, b in itertools.pairwise(at))


def test_an_error_within_a_turn_lets_the_next_one_through() -> None:
    pace = Pace(0.0)
    with pytest.raises(ValueError), pace.turn():
        raise ValueError
    with pace.turn():
        pace.wait()


def test_two_clients_of_one_process_share_the_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    shared, now, asked = room._PACE, 100.0, list[float]()

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        asked.append(len(fake.asked))

    monkeypatch.setattr(shared, "_free_at", 0.0)
    monkeypatch.setattr(shared, "_clock", lambda: now)
    monkeypatch.setattr(shared, "_sleep", sleep)
    with FakeMusicBrainz(releases=[ALBUM]) as fake:
        settings = Settings(musicbrainz_url=fake.url)
        MusicBrainzClient(settings=settings).recording(SONG.id)
        assert (now, asked) == (100.0, [])
        MusicBrainzClient(settings=settings).recording(OTHER.id)
        assert (now, asked) == (100.0 + room.INTERVAL_S, [1])
        assert len(fake.asked) == 2


def test_each_request_goes_through_the_circuit_breaker_and_kept_answers_do_not() -> None:
    seen: list[tuple[str, str]] = []

    class Breakers:
        @contextmanager
        def guard(self, name: str, operation: str):
            seen.append((name, operation))
            yield

    with FakeMusicBrainz(releases=[ALBUM]) as fake:
        asked = client(fake, breakers=Breakers(), lookups=Kept())
        asked.recording(SONG.id)
        asked.recording(SONG.id)
        assert seen == [("musicbrainz", "lookup")]


def test_a_mirror_below_a_path_is_asked_there() -> None:
    with FakeMusicBrainz(releases=[ALBUM]) as fake:
        asked = MusicBrainzClient(settings=Settings(musicbrainz_url=fake.url + "/mirror"), pace=Pace(0.0))
        with pytest.raises(Failure):
            asked.recording(SONG.id)
        assert fake.paths == [f"/mirror/ws/2/recording/{SONG.id}"]


@pytest.mark.parametrize("text", ['AC/DC "live" (1980) [x] {y} a:b ^~*?\\ + - && ||', "", "\x00"])
def test_a_text_with_operators_is_searched_as_a_phrase(text: str) -> None:
    with FakeMusicBrainz(recordings=[Recording(text or "x")]) as fake:
        found = client(fake).search_recordings("recording:" + quoted(text))
        assert "query" in fake.asked[0].query and isinstance(found, list)
