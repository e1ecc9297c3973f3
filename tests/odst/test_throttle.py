"""The listener comes first."""

from __future__ import annotations

import pytest

from odst.throttle import LINGER_S, SLOWEST, Throttle
from shared.events import EventBus, PlaybackMoved, StreamEnded, StreamStarted
from shared.model.units import MIB


class Clock:
    def __init__(self) -> None:
        self.now = 5000.0

    def __call__(self) -> float:
        return self.now


class Scene:
    def __init__(self, share: float = 0.33) -> None:
        self.events, self.clock = EventBus(), Clock()
        self.throttle = Throttle(events=self.events, share=share, clock=self.clock)
        self.throttle.start()

    def stream(self) -> None:
        self.events.publish(StreamStarted("t"))

    def end(self) -> None:
        self.events.publish(StreamEnded("t", 100))

    def run_free(self, mib_per_s: float, seconds: int = 6) -> None:
        """One fetch, at so much a second."""
        with self.throttle.fetching():
            for _ in range(seconds):
                self.clock.now += 1
                self.throttle.fetched(int(mib_per_s * MIB))


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_without_listeners_nothing_is_held_back(scene: Scene) -> None:
    assert scene.throttle.rate() is None
    assert not scene.throttle.listening()


def test_while_somebody_streams_fetches_share_a_third_of_what_was_measured(scene: Scene) -> None:
    scene.run_free(12)
    scene.stream()
    with scene.throttle.fetching():
        one = scene.throttle.rate()
        with scene.throttle.fetching():
            both = scene.throttle.rate()
    assert one == pytest.approx(12 * MIB * 0.33, rel=0.05)
    assert both == pytest.approx(one / 2)


def test_it_speeds_up_a_few_seconds_after_the_last_stream(scene: Scene) -> None:
    scene.stream()
    scene.stream()
    scene.end()
    assert scene.throttle.rate() is not None
    scene.end()
    scene.clock.now += LINGER_S - 1
    assert scene.throttle.rate() is not None
    scene.clock.now += 1
    assert scene.throttle.rate() is None


def test_the_best_window_counts_and_not_the_last(scene: Scene) -> None:
    scene.run_free(10)
    scene.run_free(2)
    assert scene.throttle.bandwidth() == pytest.approx(10 * MIB, rel=0.05)


def test_what_was_held_back_measures_nothing(scene: Scene) -> None:
    scene.run_free(10)
    scene.stream()
    for _ in range(3):
        scene.clock.now += 3600
        scene.run_free(3)
    assert scene.throttle.rate() == pytest.approx(10 * MIB * 0.33, rel=0.05)


def test_before_anything_was_measured_there_is_a_modest_rate(scene: Scene) -> None:
    scene.stream()
    rate = scene.throttle.rate()
    assert rate is not None and SLOWEST < rate < 2 * MIB


def test_no_fetch_is_starved() -> None:
    scene = Scene(share=0.01)
    scene.run_free(0.01)
    scene.stream()
    assert scene.throttle.rate() == SLOWEST


def test_a_player_that_says_it_is_paused_is_not_listened_to(scene: Scene) -> None:
    scene.stream()      # its connection stays open
    scene.events.publish(PlaybackMoved(1, {"playing": False}))
    assert not scene.throttle.listening()
    scene.events.publish(PlaybackMoved(2, {"playing": True}))
    assert scene.throttle.listening()


def test_two_streams_ended_thrice_are_none_and_not_minus_one(scene: Scene) -> None:
    scene.end()
    scene.stream()
    assert scene.throttle.listening()


def test_after_stop_nothing_is_heard(scene: Scene) -> None:
    scene.throttle.stop()
    scene.stream()
    assert not scene.throttle.listening()
