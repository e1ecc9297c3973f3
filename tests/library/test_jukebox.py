"""One queue a person, which an open player plays and apps steer."""

from __future__ import annotations

import pytest

from shared.events import EventBus, JukeboxMoved
from shared.library.jukebox import HELD_S, Jukebox
from shared.model.errors import BadInput, Conflict
from shared.model.person import Person

ANN = Person(user_id=1, id="a", username="ann", role="owner")
BEN = Person(user_id=2, id="b", username="ben", role="adult")


class Box:
    def __init__(self) -> None:
        self.now = 100.0
        self.events = EventBus()
        self.told: list[JukeboxMoved] = []
        self.events.subscribe(JukeboxMoved, self.told.append)
        self.jukebox = Jukebox(events=self.events, clock=lambda: self.now)


@pytest.fixture
def box() -> Box:
    return Box()


def test_nothing_plays_where_no_player_is_there_to_do_so(box: Box) -> None:
    box.jukebox.set(ANN, ["a", "b"])
    with pytest.raises(Conflict, match="No player"):
        box.jukebox.start(ANN)
    with pytest.raises(Conflict):
        box.jukebox.skip(ANN, 1)
    assert not box.jukebox.state(ANN).playing


def test_a_player_follows_and_its_place_goes_on_by_the_clock(box: Box) -> None:
    box.jukebox.hold(ANN, "desk")
    box.jukebox.set(ANN, ["a", "b", "c"])
    state = box.jukebox.skip(ANN, 1, 5000)
    assert (state.index, state.position_ms, state.playing) == (1, 5000, True)
    box.now += 2.5
    assert box.jukebox.state(ANN).position_ms == 7500
    told = box.jukebox.report(ANN, "desk", turn=state.turn, index=2, position_ms=100, playing=True)
    assert told is not None and (told.index, told.position_ms) == (2, 100)
    assert box.jukebox.stop(ANN).position_ms == 100


def test_a_report_from_before_a_command_changes_nothing(box: Box) -> None:
    old = box.jukebox.hold(ANN, "desk")
    box.jukebox.set(ANN, ["a", "b"])
    box.jukebox.skip(ANN, 1)
    told = box.jukebox.report(ANN, "desk", turn=old.turn, index=0, position_ms=9000, playing=False)
    assert told is not None and (told.index, told.playing) == (1, True)


def test_a_silent_player_is_no_jukebox_any_more_and_another_one_takes_its_place(box: Box) -> None:
    box.jukebox.hold(ANN, "desk")
    box.jukebox.set(ANN, ["a"])
    assert box.jukebox.start(ANN).playing
    box.now += HELD_S
    assert not box.jukebox.state(ANN).playing
    box.jukebox.hold(ANN, "wall")
    assert box.jukebox.report(ANN, "desk", turn=9, index=0, position_ms=0, playing=True) is None
    box.jukebox.let_go(ANN, "desk")
    assert box.jukebox.state(ANN).held
    box.jukebox.let_go(ANN, "wall")
    assert not box.jukebox.state(ANN).held


@pytest.mark.parametrize("at, removed, then", [(0, 0, 0), (1, 0, 0), (1, 1, 1), (2, 2, 1), (0, 2, 0)])
def test_what_is_taken_out_moves_the_place_only_as_it_must(box: Box, at: int, removed: int, then: int) -> None:
    box.jukebox.hold(ANN, "desk")
    box.jukebox.set(ANN, ["a", "b", "c"])
    box.jukebox.skip(ANN, at, 3000)
    state = box.jukebox.remove(ANN, removed)
    assert (state.index, len(state.track_ids)) == (then, 2)
    assert state.position_ms == (0 if at == removed else 3000)


def test_the_last_one_taken_out_leaves_silence(box: Box) -> None:
    box.jukebox.hold(ANN, "desk")
    box.jukebox.set(ANN, ["a"])
    box.jukebox.start(ANN)
    state = box.jukebox.remove(ANN, 0)
    assert (state.index, state.playing, state.track_ids) == (-1, False, ())


def test_a_shuffle_keeps_what_plays_and_loses_nothing(box: Box) -> None:
    every = [str(one) for one in range(40)]
    box.jukebox.hold(ANN, "desk")
    box.jukebox.set(ANN, every)
    box.jukebox.skip(ANN, 17)
    state = box.jukebox.shuffle(ANN)
    assert (state.index, state.track_ids[0], sorted(state.track_ids)) == (0, "17", sorted(every))


def test_everybody_has_their_own(box: Box) -> None:
    box.jukebox.set(ANN, ["a"])
    assert box.jukebox.state(BEN).track_ids == ()
    assert {one.user_id for one in box.told} == {1}


@pytest.mark.parametrize("wrong", [lambda j: j.remove(ANN, 0), lambda j: j.set_gain(ANN, 1.5),
                                   lambda j: j.set_gain(ANN, float("nan")), lambda j: j.set(ANN, ["x"] * 10_001)])
def test_what_cannot_be_is_refused(box: Box, wrong: object) -> None:
    with pytest.raises(BadInput):
        wrong(box.jukebox)  # type: ignore[operator]
