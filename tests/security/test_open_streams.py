"""What is on its way ends with the token it came with: now, whoever enters late, and nobody else's."""

from __future__ import annotations

import threading

from shared.events import EventBus, SessionsEnded
from shared.security.open_streams import REMEMBERED_S, OpenStreams


class Ticks:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_end_of_a_token_hangs_up_on_all_that_is_its_own() -> None:
    streams, hung = OpenStreams(), []
    for token_id, name in ((1, "a"), (1, "b"), (2, "c")):
        streams.enter(token_id, lambda name=name: hung.append(name))
    streams.end([1, 7])
    assert hung == ["a", "b"] and len(streams) == 1
    streams.end([1])
    assert hung == ["a", "b"], "once"


def test_it_hears_of_endings_by_itself() -> None:
    events, hung = EventBus(), []
    streams = OpenStreams(events=events)
    streams.enter(5, lambda: hung.append(5))
    events.publish(SessionsEnded((4,)))
    assert hung == []
    events.publish(SessionsEnded((4, 5)))
    assert hung == [5]


def test_what_is_over_is_forgotten() -> None:
    streams, hung = OpenStreams(), []
    first, second = streams.enter(1, lambda: hung.append(1)), streams.enter(2, None)
    for one in (first, second, first):
        streams.leave(one)
    streams.end([1, 2])
    assert hung == [] and len(streams) == 0


def test_who_was_let_in_before_the_end_and_enters_after_it_is_hung_up_on() -> None:
    ticks, hung = Ticks(), []
    streams = OpenStreams(clock=ticks)
    looked_at = ticks.now
    ticks.now += 1
    streams.end([1])
    handle = streams.enter(1, lambda: hung.append("late"), since=looked_at)
    assert hung == ["late"] and len(streams) == 0
    streams.leave(handle)


def test_a_new_token_with_the_number_of_an_old_one_is_let_be() -> None:
    ticks, hung = Ticks(), []
    streams = OpenStreams(clock=ticks)
    streams.end([1])
    ticks.now += 0.001
    streams.enter(1, lambda: hung.append("new"), since=ticks.now)
    assert hung == [] and len(streams) == 1
    streams.end([1])
    assert hung == ["new"]


def test_endings_are_not_remembered_for_ever() -> None:
    ticks = Ticks()
    streams = OpenStreams(clock=ticks)
    for number in range(50):
        streams.end([number])
        ticks.now += REMEMBERED_S / 10
    assert len(streams._ended) <= 12


def test_one_that_cannot_be_ended_does_not_keep_the_others() -> None:
    streams, hung = OpenStreams(), []

    def broken() -> None:
        raise OSError("not connected")

    streams.enter(1, broken)
    streams.enter(1, lambda: hung.append(1))
    streams.end([1])
    assert hung == [1]


def test_entering_leaving_and_ending_at_once_leaves_nothing_behind() -> None:
    streams = OpenStreams()
    over = threading.Event()

    def end() -> None:
        while not over.is_set():
            streams.end(range(4))

    ender = threading.Thread(target=end)
    ender.start()

    def stream(token_id: int) -> None:
        for _ in range(300):
            streams.leave(streams.enter(token_id, lambda: None, since=0.0))

    threads = [threading.Thread(target=stream, args=(number,)) for number in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    over.set()
    ender.join(30)
    assert len(streams) == 0
