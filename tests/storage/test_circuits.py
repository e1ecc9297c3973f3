"""Providers that do not answer are left alone for a while."""

from shared.model.cloud import CloudFailure
from shared.storage.circuits import FAULTS_TO_OPEN, OPEN_S, PROBE_S, Circuits

SILENT = CloudFailure("nothing", reason="no_answer")
REFUSED = CloudFailure("no", reason="forbidden")


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def opened(clock, told=None):
    circuits = Circuits(clock=clock, on_change=None if told is None else lambda *one: told.append(one))
    for _ in range(FAULTS_TO_OPEN):
        assert circuits.allow("r2")
        circuits.failed("r2", SILENT)
    return circuits


def test_three_silences_in_a_row_open_it_and_others_are_asked_on():
    told = []
    circuits = opened(Clock(), told)
    assert (circuits.state("r2"), circuits.allow("r2")) == ("open", False)
    assert (circuits.state("b2"), circuits.allow("b2")) == ("closed", True)
    assert told == [("r2", "open")]


def test_who_refuses_answers():
    circuits = Circuits(clock=Clock())
    for reason in (SILENT, SILENT, REFUSED, SILENT, SILENT):
        circuits.failed("r2", reason)
    assert circuits.state("r2") == "closed"


def test_after_a_while_one_may_try_and_its_answer_closes_it():
    clock, told = Clock(), []
    circuits = opened(clock, told)
    clock.now = OPEN_S
    assert circuits.state("r2") == "half_open"
    assert [circuits.allow("r2") for _ in range(3)] == [True, False, False]
    circuits.answered("r2")
    assert (circuits.state("r2"), circuits.allow("r2"), told[-1]) == ("closed", True, ("r2", "closed"))


def test_a_probe_that_fails_doubles_the_wait():
    clock = Clock()
    circuits = opened(clock)
    clock.now = OPEN_S
    assert circuits.allow("r2")
    circuits.failed("r2", SILENT)
    clock.now += OPEN_S
    assert circuits.state("r2") == "open"
    clock.now += OPEN_S
    assert circuits.allow("r2")


def test_a_probe_that_nobody_told_of_is_lost_after_a_while():
    clock = Clock()
    circuits = opened(clock)
    clock.now = OPEN_S
    assert circuits.allow("r2")
    clock.now += PROBE_S
    assert circuits.allow("r2")
