"""The threads that work on downloads, and how what runs is told to stop."""

from __future__ import annotations

import threading

import pytest

from odst.queue import MemoryDispatcher
from odst.running import Running, Slots, Token
from odst.worker import Crew
from shared.model.download import Cancelled
from tests.odst.standins import until


def crew(queue: MemoryDispatcher, deed: object, size: int = 2, **more: object) -> Crew:
    return Crew(size=size, dispatcher=queue, deed=deed, **more)     # type: ignore[arg-type]


def test_a_crew_does_all_that_waits_no_more_at_once_than_it_has_hands() -> None:
    queue, done, running, most, lock = MemoryDispatcher(), [], [0], [0], threading.Lock()

    def deed(uid: str) -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        threading.Event().wait(0.002)
        with lock:
            running[0] -= 1
            done.append(uid)

    for number in range(30):
        queue.offer(f"d{number}", priority=1, created_at=number)
    working = crew(queue, deed, size=3)
    working.start()
    until(lambda: len(done) == 30)
    working.end()
    queue.close()
    assert working.join(10) and most[0] <= 3 and len(set(done)) == 30


def test_a_deed_that_breaks_takes_no_thread_along(caplog: pytest.LogCaptureFixture) -> None:
    queue, done = MemoryDispatcher(), []

    def deed(uid: str) -> None:
        if uid == "bad":
            raise RuntimeError("a defect")
        done.append(uid)

    working = crew(queue, deed, size=1)
    working.start()
    queue.offer("bad", priority=2, created_at=1)
    queue.offer("good", priority=1, created_at=1)
    until(lambda: done == ["good"])
    working.end()
    queue.close()
    assert working.join(10) and "a defect" in caplog.text


def test_nothing_is_taken_while_nothing_may_begin() -> None:
    queue, done, may = MemoryDispatcher(), [], threading.Event()
    queue.offer("a", priority=1, created_at=1)
    working = crew(queue, done.append, may_begin=may.is_set)
    working.start()
    assert queue.waiting() == 1 and done == []
    may.set()
    until(lambda: done == ["a"])
    working.end()
    queue.close()
    assert working.join(10)


# ---- tokens and places --------------------------------------------------------------------------------------------


def test_a_token_that_was_ended_stops_its_download_and_a_committed_one_goes_on() -> None:
    token = Token()
    token.check()
    assert token.end("pause") and token.ended() and token.reason == "pause"
    assert token.end("cancel") and token.reason == "cancel"     # who cancels means more than who pauses
    assert token.end("pause") and token.reason == "cancel"
    with pytest.raises(Cancelled):
        token.check()
    with pytest.raises(Cancelled):
        token.commit()
    late = Token()
    late.commit()
    assert not late.end("cancel") and not late.ended()
    late.uncommit()
    assert late.end("cancel")


def test_two_runs_of_one_download_never_overlap() -> None:
    running, order, inside = Running(), [], threading.Event()

    def second() -> None:
        inside.wait(10)
        with running.entered("a"):
            order.append("second")

    with running.entered("a") as token:
        thread = threading.Thread(target=second)
        thread.start()
        inside.set()
        assert running.token("a") is token and running.count() == 1
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"] and running.token("a") is None and token.wait_left(0)


def test_who_waits_for_a_place_can_be_called_off_and_takes_none() -> None:
    slots, called_off, gone = Slots({"youtube": 1}), Token(), []

    def wait() -> None:
        try:
            with slots.at("youtube", called_off):
                raise AssertionError("it had no place")
        except Cancelled:
            gone.append(True)

    with slots.at("youtube", Token()):
        thread = threading.Thread(target=wait)
        thread.start()
        called_off.end("cancel")
        thread.join(10)
    assert gone == [True]
    with slots.at("youtube", Token()):      # the place was given back once
        pass
