"""Watching: what is new is queued once, within limits; what cannot be looked at is put off and told."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from odst.watching import Watching, keys_of, newest_first
from shared.database import Database
from shared.model.download import Failure, Offer, Options, Request, Wanted
from shared.model.errors import Conflict, Forbidden, NotFound, Unprocessable
from shared.model.person import Person
from shared.records.people import People
from shared.records.watches import Watches

LINK = "https://www.deezer.com/artist/7"


def song(number: int, **given: Any) -> Wanted:
    return Wanted(**{"title": f"Song {number}", "artist": "Band", "source": "deezer", "source_id": str(number),
                     "date": f"20{number:02}-01-01", **given})


class World:
    """A link that leads to `tracks`, a queue that keeps what is asked for, a clock under the test's hand."""

    def __init__(self, database: Database) -> None:
        row = People(database=database).make_user("anna", "hash", "adult")
        self.anna = Person(user_id=row.id, id=row.uid, username=row.username, role=row.role)
        self.records = Watches(database=database)
        self.tracks: list[Wanted] = [song(1), song(2)]
        self.kind, self.source = "artist", "deezer"
        self.failure: Exception | None = None
        self.queued: list[tuple[int, Request, str]] = []
        self.asked = 0
        self.owned: set[str] = set()
        self.refusal: Exception | None = None
        self.now = 1_800_000_000.0
        self.watching = self.make()

    def make(self, **given: Any) -> Watching:
        return Watching(**{"watches": self.records, "resolve": self._resolve, "submit": self._submit,
                           "owned": lambda one: one.title if one.title in self.owned else None,
                           "clock": lambda: self.now, "first_s": 0.0, "apart_s": (0.0, 0.0), **given})

    def _resolve(self, url: str) -> Offer:
        self.asked += 1
        if self.failure is not None:
            raise self.failure
        return Offer(kind=self.kind, source=self.source, id="7", title="Band", url=url, tracks=tuple(self.tracks))

    def _submit(self, user_id: int, requests: Sequence[Request], group: str) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.queued += [(user_id, one, group) for one in requests]

    def add(self, **given: Any) -> Any:
        return self.watching.add(self.anna, **{"url": LINK, **given})

    @property
    def titles(self) -> list[str | None]:
        return [one.wanted.title for _, one, _ in self.queued if one.wanted]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    database = Database(tmp_path / "library.db")
    database.prepare()
    yield World(database)
    database.close()


# ---- adding ------------------------------------------------------------------------------------------------------


def test_a_watch_is_named_by_what_its_link_leads_to_and_only_remembers_what_is_there(world: World) -> None:
    made = world.add()
    assert (made.name, made.kind, made.seen, made.username) == ("Band", "artist", 2, "anna")
    assert world.watching.check(made.id) == 0 and not world.queued
    assert world.records.get(world.anna, made.id).checked_at is not None


@pytest.mark.parametrize(("kind", "source", "given", "expected"), [
    ("playlist", "youtube", {}, "playlist"), ("playlist", "direct", {}, "feed"), ("album", "local", {}, "album"),
    ("track", "direct", {"kind": "feed"}, "feed"), ("artist", "deezer", {"name": "Mine"}, "artist"),
])
def test_its_kind_is_what_the_link_is(world: World, kind: str, source: str, given: dict[str, Any],
                                      expected: str) -> None:
    world.kind, world.source = kind, source
    made = world.add(**given)
    assert made.kind == expected and made.name == given.get("name", "Band")


def test_a_single_track_is_nothing_to_watch(world: World) -> None:
    world.kind, world.tracks = "track", [song(1)]
    with pytest.raises(Unprocessable, match="single track"):
        world.add()


def test_what_cannot_be_asked_for_is_not_watched(world: World) -> None:
    world.failure = Failure("not_found", "There is no such artist.")
    with pytest.raises(Failure):
        world.add()
    assert world.records.list(world.anna) == []


def test_one_link_is_watched_once(world: World) -> None:
    world.add()
    with pytest.raises(Conflict):
        world.add()


# ---- looking -----------------------------------------------------------------------------------------------------


def test_what_is_new_is_queued_once_as_the_person_wants_it(world: World) -> None:
    made = world.add(options=Options(quality="320"), nightly=True)
    world.tracks = [song(3), *world.tracks]
    assert world.watching.check(made.id) == 1
    assert world.watching.check(made.id) == 0
    [(user_id, request, group)] = world.queued
    assert user_id == world.anna.user_id and request.nightly and request.options.quality == "320"
    assert request.wanted is not None and request.wanted.title == "Song 3" and request.group == group


def test_with_existing_the_newest_come_first_and_no_more_at_a_time_than_allowed(world: World) -> None:
    world.tracks = [song(number) for number in (3, 9, 1, 7, 5)]
    made = world.add(existing=True, most=2)
    assert world.watching.check(made.id) == 2 and world.titles == ["Song 9", "Song 7"]
    assert world.watching.check(made.id) == 2 and world.titles[2:] == ["Song 3", "Song 5"]
    assert world.watching.check(made.id) == 1
    assert world.watching.check(made.id) == 0 and len(world.queued) == 5


def test_what_is_owned_is_not_queued_and_takes_no_place(world: World) -> None:
    world.owned = {"Song 1", "Song 2"}
    world.tracks = [song(number) for number in (1, 2, 3)]
    made = world.add(existing=True, most=1)
    assert world.watching.check(made.id) == 1 and world.titles == ["Song 3"]
    world.owned = set()
    assert world.watching.check(made.id) == 0, "what was owned is known"


def test_a_recording_on_another_album_is_not_new(world: World) -> None:
    world.tracks = [song(1, isrc="GBAAP8300001")]
    made = world.add()
    world.tracks = [song(77, isrc="GBAAP8300001"), song(1)]
    assert world.watching.check(made.id) == 0
    world.tracks = [song(77)]       # this time without its ISRC
    assert world.watching.check(made.id) == 0


def test_one_thing_twice_in_a_playlist_is_queued_once(world: World) -> None:
    world.kind = "playlist"
    made = world.add()
    world.tracks = [*world.tracks, song(3), song(3)]
    assert world.watching.check(made.id) == 1


def test_things_without_a_name_and_a_link_are_passed_over(world: World) -> None:
    made = world.add()
    world.tracks = [song(4, title=None), Wanted(), song(5, title=None, fetch_url="https://x/a.mp3")]
    assert world.watching.check(made.id) == 1
    assert world.watching.check(made.id) == 0


def test_newest_is_what_each_kind_puts_where() -> None:
    one, two, three = song(1), song(2), song(3)
    assert newest_first("artist", [one, three, two]) == [three, two, one]
    assert newest_first("playlist", [one, three, two]) == [two, three, one]
    assert newest_first("feed", [one, two]) == [two, one]
    undated = [song(1, date=None), song(2)]
    assert newest_first("feed", undated) == undated
    assert newest_first("album", [one, two]) == [one, two]


def test_everything_has_a_key() -> None:
    assert keys_of(Wanted()) and keys_of(Wanted(title="a", artist="B")) == keys_of(Wanted(title="A", artist="b"))
    assert keys_of(song(1, isrc="X")) == ["isrc:X", "deezer:1"]
    assert keys_of(Wanted(fetch_url="https://x/a.mp3", source="direct")) == ["url:https://x/a.mp3"]


# ---- trouble -----------------------------------------------------------------------------------------------------


def _due(world: World) -> list[str]:
    return [one.uid for one in world.records.due(world.now)]


def test_what_fails_is_told_and_put_off_twice_as_long_each_time(world: World) -> None:
    made = world.add()
    world.failure = Failure("service_error", "Deezer has a fault of its own.", provider="deezer")
    waits = []
    for _ in range(3):
        assert world.watching.check(made.id) == 0
        waits.append(world.watching._not_before[made.id] - world.now)
    assert 3400 < waits[0] < 3800 and 6800 < waits[1] < 7600 and 13_600 < waits[2] < 15_200
    assert world.records.get(world.anna, made.id).last_error == "Deezer has a fault of its own."
    world.failure = None
    world.tracks = [*world.tracks, song(3)]
    assert world.watching.check(made.id) == 1
    assert world.records.get(world.anna, made.id).last_error is None and made.id not in world.watching._not_before


def test_an_open_breaker_is_waited_for_and_not_counted(world: World) -> None:
    made = world.add()
    world.failure = Failure("refused", "deezer is left alone for another 40 s.", retry_after_s=40.0,
                            opens_at=world.now + 40)
    world.watching.check(made.id)
    assert 30 < world.watching._not_before[made.id] - world.now < 50 and made.id not in world.watching._failed


def test_a_queue_that_refuses_leaves_the_new_ones_new(world: World) -> None:
    made = world.add()
    world.tracks = [*world.tracks, song(3)]
    world.refusal = Forbidden("anna may not add music any more.")
    assert world.watching.check(made.id) == 0
    assert "may not" in (world.records.get(world.anna, made.id).last_error or "")
    world.refusal = None
    assert world.watching.check(made.id) == 1


def test_a_bug_in_a_catalogue_is_kept_to_its_watch(world: World) -> None:
    made = world.add()
    world.failure = ZeroDivisionError()
    assert world.watching.check(made.id) == 0
    assert world.records.get(world.anna, made.id).last_error


def test_a_watch_that_is_not_there_is_not_found(world: World) -> None:
    with pytest.raises(NotFound):
        world.watching.check("nothing")


def test_two_looks_at_once_are_one(world: World) -> None:
    made = world.add()
    world.tracks = [*world.tracks, song(3)]
    inside, go = threading.Event(), threading.Event()
    resolve = world._resolve

    def slow(url: str) -> Offer:
        inside.set()
        go.wait(5)
        return resolve(url)

    watching = world.make(resolve=slow)
    first = threading.Thread(target=watching.check, args=(made.id,))
    first.start()
    inside.wait(5)
    assert watching.check(made.id) == 0
    go.set()
    first.join()
    assert world.titles == ["Song 3"]


# ---- by itself ---------------------------------------------------------------------------------------------------


def _until(there: Any) -> None:
    ends = time.monotonic() + 10
    while not there() and time.monotonic() < ends:
        time.sleep(0.01)
    assert there()


def test_what_is_due_is_looked_at_by_itself_and_what_is_paused_is_not(world: World) -> None:
    made = world.add()
    paused = world.watching.add(world.anna, url=LINK + "8")
    world.records.change(world.anna, paused.id, paused=True)
    world.tracks = [*world.tracks, song(3)]
    asked = world.asked
    world.now += 2 * 86_400
    assert _due(world) == [made.id]
    world.watching.start()
    try:
        _until(lambda: world.queued)
        assert world.titles == ["Song 3"] and world.asked == asked + 1
        _until(lambda: _due(world) == [])   # when the next look is due is written after what was found is queued
    finally:
        world.watching.stop()


def test_a_new_watch_with_existing_is_looked_at_at_once(world: World) -> None:
    world.watching.start()
    try:
        time.sleep(0.05)
        world.add(existing=True)
        _until(lambda: len(world.queued) == 2)
    finally:
        world.watching.stop()


def test_stopping_comes_at_once_and_a_look_under_way_queues_nothing_more(world: World) -> None:
    made = world.add()
    world.tracks = [*world.tracks, song(3)]
    inside, go = threading.Event(), threading.Event()

    def slow(url: str) -> Offer:
        inside.set()
        go.wait(5)
        return Offer(kind="artist", source="deezer", id="7", title="Band", tracks=tuple(world.tracks))

    watching = world.make(resolve=slow)
    world.now += 2 * 86_400
    watching.start()
    inside.wait(5)
    thread = watching._thread
    watching.stop(timeout_s=0.05)
    go.set()
    assert thread is not None
    thread.join(5)
    assert not thread.is_alive() and not world.queued
    assert _due(world) == [made.id], "it is looked at after the next start"
