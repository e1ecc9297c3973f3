"""The waiting downloads: by priority, then age, never before their time."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from odst.queue import MemoryDispatcher


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def emptied(queue: MemoryDispatcher) -> list[str]:
    taken = []
    while (uid := queue.take(0)) is not None:
        taken.append(uid)
    return taken


def test_larger_priorities_come_first_and_older_ones_before_younger() -> None:
    queue = MemoryDispatcher()
    queue.offer("young", priority=50, created_at=20)
    queue.offer("old", priority=50, created_at=10)
    queue.offer("urgent", priority=90, created_at=30)
    queue.offer("idle", priority=0, created_at=1)
    assert emptied(queue) == ["urgent", "old", "young", "idle"]


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 50)), max_size=60))
def test_whatever_comes_in_goes_out_once_and_in_order(offers: list[tuple[int, int]]) -> None:
    queue = MemoryDispatcher()
    for number, (priority, created_at) in enumerate(offers):
        queue.offer(f"d{number}", priority=priority, created_at=created_at)
    expected = sorted(range(len(offers)), key=lambda n: (-offers[n][0], offers[n][1], n))
    assert queue.waiting() == len(offers)
    assert emptied(queue) == [f"d{number}" for number in expected]
    assert queue.waiting() == 0


def test_nobody_is_taken_before_its_time() -> None:
    clock = Clock()
    queue = MemoryDispatcher(clock=clock)
    queue.offer("later", priority=100, created_at=1, not_before=1010)
    queue.offer("now", priority=1, created_at=2, not_before=900)
    assert emptied(queue) == ["now"]
    clock.now = 1010
    assert emptied(queue) == ["later"]


def test_a_changed_priority_takes_the_place_of_the_first_one() -> None:
    queue = MemoryDispatcher()
    queue.offer("a", priority=50, created_at=1)
    queue.offer("b", priority=60, created_at=2)
    queue.offer("a", priority=70, created_at=1)
    queue.offer("b", priority=10, created_at=2)
    assert emptied(queue) == ["a", "b"]


def test_what_was_withdrawn_is_not_taken() -> None:
    queue = MemoryDispatcher()
    queue.offer("a", priority=50, created_at=1)
    queue.withdraw("a")
    queue.withdraw("never known")
    assert queue.waiting() == 0
    assert queue.take(0) is None


def test_an_offer_wakes_who_waits() -> None:
    queue = MemoryDispatcher()
    taken: list[str | None] = []
    waiting = threading.Thread(target=lambda: taken.append(queue.take(30)))
    waiting.start()
    queue.offer("a", priority=1, created_at=1)
    waiting.join(10)
    assert taken == ["a"]


def test_closing_sends_everybody_home() -> None:
    queue = MemoryDispatcher()
    taken: list[str | None] = []
    waiting = threading.Thread(target=lambda: taken.append(queue.take(30)))
    waiting.start()
    queue.close()
    waiting.join(10)
    assert taken == [None]
    queue.offer("a", priority=1, created_at=1)
    assert queue.take(0) is None


def test_thousands_of_changed_priorities_leave_no_clutter() -> None:
    queue = MemoryDispatcher()
    for round_ in range(20):
        for number in range(500):
            queue.offer(f"d{number}", priority=round_ % 100, created_at=number)
    assert queue.waiting() == 500
    assert len(queue._ready) <= 2 * 500 + 1001
    assert emptied(queue) == [f"d{number}" for number in range(500)]
