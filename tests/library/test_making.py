from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from shared.library.making import Making
from shared.model.errors import NotFound


class Work:
    """Something that is made by hand, and who asked for it."""

    def __init__(self) -> None:
        self.making = Making(refusals=2)
        self.made: list[str] = []
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.answers: list[object] = []

    def slowly(self) -> None:
        self.begun.set()
        assert self.go_on.wait(10)
        self.made.append("it")

    def ask(self, make: Callable[[], None], patience_s: float = 10.0) -> threading.Thread:
        def run() -> None:
            try:
                self.answers.append(
                    self.making.once("key", is_there=lambda: bool(self.made), make=make, patience_s=patience_s)
                )
            except Exception as error:  # the edge of a thread
                self.answers.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        return thread


@pytest.fixture
def work() -> Work:
    return Work()


def test_many_who_ask_for_the_same_have_it_made_once(work: Work) -> None:
    threads = [work.ask(work.slowly)]
    assert work.begun.wait(10)
    threads += [work.ask(work.slowly) for _ in range(5)]
    work.go_on.set()
    for thread in threads:
        thread.join(10)
    assert work.answers == [True] * 6
    assert work.made == ["it"]


def test_what_is_there_is_not_made_again(work: Work) -> None:
    work.made.append("it")
    work.ask(work.slowly).join(10)
    assert (work.answers, work.made) == ([True], ["it"])


def test_when_one_fails_the_next_makes_it(work: Work) -> None:
    def fail() -> None:
        work.begun.set()
        assert work.go_on.wait(10)
        raise RuntimeError("broken")

    first = work.ask(fail)
    assert work.begun.wait(10)
    second = work.ask(lambda: work.made.append("it"))
    work.go_on.set()
    first.join(10)
    second.join(10)
    assert {repr(one) for one in work.answers} == {"RuntimeError('broken')", "True"}
    assert work.made == ["it"]


def test_who_has_no_patience_is_told_so(work: Work) -> None:
    first = work.ask(work.slowly)
    assert work.begun.wait(10)
    work.ask(work.slowly, patience_s=0.0).join(10)
    assert work.answers == [False]
    work.go_on.set()
    first.join(10)
    assert work.answers == [False, True]


def test_others_do_not_wait_for_another_thing(work: Work) -> None:
    first = work.ask(work.slowly)
    assert work.begun.wait(10)
    other: list[int] = []
    assert work.making.once("other", is_there=lambda: False, make=lambda: other.append(1), patience_s=0.0)
    work.go_on.set()
    first.join(10)
    assert other == [1]


def test_what_cannot_be_made_is_refused_for_a_while_and_the_oldest_refusals_are_forgotten() -> None:
    now = [100.0]
    making = Making(refusals=2, clock=lambda: now[0])
    assert str(making.refuse("a", 10.0, "It is broken.")) == "It is broken."
    with pytest.raises(NotFound, match="It is broken"):
        making.raise_if_refused("a")
    making.raise_if_refused("b")
    now[0] = 110.0
    making.raise_if_refused("a")
    for thing in "xyz":
        making.refuse(thing, 10.0, thing)
    making.raise_if_refused("x")
    with pytest.raises(NotFound):
        making.raise_if_refused("y")
