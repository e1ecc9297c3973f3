"""What is playing, and what of it counts as heard."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.events import EventBus, NowPlayingMoved
from shared.library import now_playing
from shared.library.now_playing import NowPlaying
from shared.model.errors import BadInput, DiskFull, NotFound
from shared.model.person import Person

ANN = Person(user_id=1, id="a", username="ann", role="owner", token_id=11)
BOB = Person(user_id=2, id="b", username="bob", role="adult", token_id=12)
LENGTHS = {"song": 200_000, "long": 3_600_000, "other": 100_000, "endless": None}


class Room:
    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.heard: list[tuple[str, float, int]] = []
        self.told: list[NowPlayingMoved] = []
        events = EventBus()
        events.subscribe(NowPlayingMoved, self.told.append)
        self._events = events
        self.count_with(self.count)

    def count_with(self, count: Any) -> None:
        self.playing = NowPlaying(events=self._events, length_of=self.length_of, count=count, clock=lambda: self.now)

    def length_of(self, person: Person, kind: str, uid: str) -> int | None:
        if uid not in LENGTHS:
            raise NotFound("no such thing")
        return LENGTHS[uid]

    def count(self, person: Person, kind: str, uid: str, at: float, ms: int, client: str) -> None:
        self.heard.append((uid, at, ms))

    def tell(self, uid: str, state: str, at_s: float, after_s: float = 0.0, **more: Any) -> None:
        self.now += after_s
        self.playing.report(ANN, "app", uid, "track", state, int(at_s * 1000), **more)


@pytest.fixture
def room() -> Room:
    return Room()


def test_half_a_track_that_is_stopped_is_one_play_told_from_its_beginning(room: Room) -> None:
    room.tell("song", "starting", 0)
    room.tell("song", "playing", 1, 1)
    room.tell("song", "stopped", 120, 120)
    assert room.heard == [("song", 1_000_000.0, 120_000)]
    room.tell("song", "stopped", 120, 1)        # told twice
    assert len(room.heard) == 1


def test_less_than_half_is_none_and_four_minutes_of_a_long_one_are(room: Room) -> None:
    room.tell("song", "playing", 0)
    room.tell("song", "stopped", 90, 90)
    assert room.heard == []
    room.tell("long", "playing", 0)
    room.tell("long", "stopped", 241, 241)
    assert [uid for uid, _, _ in room.heard] == ["long"]


def test_the_next_start_ends_what_was_playing(room: Room) -> None:
    room.tell("song", "playing", 0)
    room.tell("other", "playing", 0, 199)       # by its clock it was nearly through
    assert [uid for uid, _, _ in room.heard] == ["song"]
    room.tell("other", "starting", 0, 99)       # and once more from the beginning
    room.tell("other", "stopped", 99, 99)
    assert [uid for uid, _, _ in room.heard] == ["song", "other", "other"]


def test_who_begins_in_the_middle_has_not_heard_the_first_half(room: Room) -> None:
    room.tell("song", "playing", 120)
    room.tell("song", "stopped", 199, 79)
    assert room.heard == []


def test_what_is_told_of_at_its_end_alone_counts(room: Room) -> None:
    room.tell("song", "stopped", 150)
    assert room.heard == [("song", 1_000_000.0 - 150, 150_000)]


def test_an_app_that_falls_silent_counts_what_it_told_and_no_more(room: Room) -> None:
    room.tell("song", "playing", 0)
    room.now += 86_400
    assert room.playing.playing(ANN) == [] and room.heard == []
    room.tell("song", "playing", 0)
    room.tell("song", "playing", 110, 110)
    room.now += 86_400
    assert room.playing.playing(ANN) == []
    assert [ms for _, _, ms in room.heard] == [110_000]


def test_nothing_is_counted_where_the_app_says_so(room: Room) -> None:
    room.tell("song", "playing", 0, quiet=True)
    room.tell("song", "stopped", 190, 190, quiet=True)
    assert room.heard == []


def test_a_play_told_outright_is_not_counted_once_more(room: Room) -> None:
    room.tell("song", "playing", 0)
    room.now += 101
    assert not room.playing.scrobbled(ANN, "app", "song", None)     # so it is counted, by who asked
    room.tell("song", "stopped", 200, 99)
    assert room.heard == []


def test_a_play_that_was_counted_is_not_told_once_more(room: Room) -> None:
    began = room.now
    room.tell("song", "playing", 0)
    room.tell("song", "stopped", 200, 200)
    assert len(room.heard) == 1
    for at in (None, began, began + 100):
        assert room.playing.scrobbled(ANN, "app", "song", at)
    assert not room.playing.scrobbled(ANN, "app", "song", began - 7200)      # heard without a network, hours ago
    assert not room.playing.scrobbled(ANN, "other app", "song", None)
    assert not room.playing.scrobbled(BOB, "app", "song", None)
    assert not room.playing.scrobbled(ANN, "app", "other", None)


def test_apps_that_merely_say_what_is_on_are_shown_and_never_counted(room: Room) -> None:
    room.playing.began(ANN, "app", "song")
    room.now += 50
    (one,) = room.playing.playing(BOB)
    assert (one.uid, one.state, room.playing.position_of(one), room.playing.minutes_ago(one)) == (
        "song", "playing", 50_000, 0)
    for _ in range(2):      # the same once more, without another word of what is on
        assert not room.playing.scrobbled(ANN, "app", "song", None)
        room.now += 100
    room.now += 300
    assert room.playing.playing(BOB) == [] and room.heard == []


def test_where_it_is_follows_its_speed_and_stands_while_paused(room: Room) -> None:
    room.tell("song", "playing", 10, rate=2.0)
    room.now += 20
    (one,) = room.playing.playing(ANN)
    assert room.playing.position_of(one) == 50_000
    room.tell("song", "paused", 50)
    room.now += 120
    (one,) = room.playing.playing(ANN)
    assert (one.state, room.playing.position_of(one), room.playing.minutes_ago(one)) == ("paused", 50_000, 2)
    room.now += 86_400
    assert room.playing.playing(ANN) == []


def test_every_app_of_everybody_is_one_and_is_heard_of(room: Room) -> None:
    room.playing.report(ANN, "app", "song")
    room.playing.report(ANN, "second", "long")
    room.playing.report(BOB, "app", "other")
    assert [(one.person.username, one.uid) for one in room.playing.playing(ANN)] == [
        ("bob", "other"), ("ann", "long"), ("ann", "song")]
    assert len({one.player_id for one in room.playing.playing(ANN)}) == 3
    assert [(one.user_id, one.uid, one.state) for one in room.told] == [
        (1, "song", "playing"), (1, "long", "playing"), (2, "other", "playing")]


def test_what_makes_no_sense_is_refused(room: Room) -> None:
    with pytest.raises(NotFound):
        room.tell("nothing", "playing", 0)
    with pytest.raises(NotFound):
        room.playing.began(ANN, "app", "nothing")
    for more in ({"state": "dancing"}, {"rate": 0.0}, {"rate": float("nan")}, {"position_ms": -1}):
        with pytest.raises(BadInput):
            room.playing.report(ANN, "app", "song", **more)
    assert room.playing.playing(ANN) == []


@given(st.lists(st.tuples(st.sampled_from(["song", "other", "endless"]),
                          st.sampled_from(["starting", "playing", "paused", "stopped"]),
                          st.integers(0, 250), st.integers(0, 400)), max_size=25))
def test_no_more_is_counted_than_there_was_time_for(steps: list[tuple[str, str, int, int]]) -> None:
    room = Room()
    for uid, state, at_s, after_s in steps:
        room.tell(uid, state, at_s, after_s)
        for one in room.playing.playing(ANN):
            assert 0 <= room.playing.position_of(one) <= (LENGTHS[one.uid] or 2**40)
    assert len(room.heard) <= len(steps)
    for uid, _, ms in room.heard:
        assert ms >= min((LENGTHS[uid] or 10**9) / 2, 240_000)
        assert ms <= (LENGTHS[uid] or 10**9)


def test_a_play_that_cannot_be_written_now_is_written_later_and_once(room: Room) -> None:
    write, full = room.count, True

    def count(*what: Any) -> None:
        if full:
            raise DiskFull("The disk is full.")
        write(*what)

    room.count_with(count)
    room.tell("song", "playing", 0)
    room.tell("song", "stopped", 150, 150)
    room.tell("song", "stopped", 150, 1)                        # the app tries again
    assert room.playing.scrobbled(ANN, "app", "song", room.now)  # it is counted, so nobody else writes it
    assert room.playing.playing(BOB) == [] and room.heard == []
    full = False
    assert room.playing.playing(BOB) == []
    assert room.heard == [("song", 1_000_000.0, 150_000)]
    room.playing.playing(BOB)
    assert len(room.heard) == 1


def test_what_goes_wrong_with_somebody_s_play_is_not_told_to_others(room: Room) -> None:
    def gone(*what: Any) -> None:
        raise ZeroDivisionError("their row is gone")

    room.count_with(gone)
    room.tell("song", "playing", 0)
    room.tell("song", "playing", 150, 150)
    room.now += 3600
    assert room.playing.playing(BOB) == []


def test_an_episode_that_is_told_of_twice_was_heard_once(room: Room) -> None:
    def told(uid: str) -> bool:
        return room.playing.scrobbled(ANN, "app", uid, None, "episode")

    assert (told("long"), told("long")) == (False, True)
    room.now += 600
    room.playing.began(ANN, "app", "other", "episode")
    assert (told("other"), told("other")) == (False, True)
    room.now += 4000
    assert not told("other")                                    # once more


def test_an_app_that_calls_itself_otherwise_each_time_drives_out_nobody_elses(room: Room) -> None:
    room.tell("long", "playing", 0)
    for number in range(3 * now_playing.MOST):
        for told in (lambda name: room.playing.began(BOB, name, "song"),
                     lambda name: room.playing.report(BOB, f"{name} b", "song", "track", "playing", 0)):
            told(f"app {number}")
    shown = room.playing.playing(ANN)
    assert [one.uid for one in shown if one.person == ANN] == ["long"]
    assert len(shown) == now_playing.MOST_OF_PERSON + 1
    for number in range(now_playing.MOST):
        room.playing.began(replace(BOB, user_id=100 + number), "app", "song")
    assert len(room.playing.playing(ANN)) == now_playing.MOST
