"""Circuit breakers: three faults open one for a minute, then one probe decides."""

from __future__ import annotations

from pathlib import Path

import pytest

from odst.breaker import OPEN_S, Breakers
from shared.database import Database
from shared.model.download import FAILURES, SERVICE_FAULTS, Failure
from shared.records.breakers import BreakerRow
from shared.records.breakers import Breakers as Stored

FAULT = Failure("timed_out", "YouTube does not answer.")


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breakers(clock: Clock) -> Breakers:
    return Breakers(clock=clock)


def opened(breakers: Breakers) -> None:
    for _ in range(3):
        assert breakers.allow("youtube", "fetch") is None
        breakers.failed("youtube", "fetch", FAULT)


def state(breakers: Breakers) -> str:
    return str(breakers.states()[0]["state"])


def test_three_faults_in_a_row_open_it_for_a_minute(breakers: Breakers, clock: Clock) -> None:
    opened(breakers)
    assert breakers.allow("youtube", "fetch") == clock.now + OPEN_S
    assert state(breakers) == "open"
    assert breakers.allow("youtube", "search") is None      # another operation is another breaker


def test_a_success_in_between_begins_the_count_anew(breakers: Breakers) -> None:
    for outcome in (FAULT, FAULT, None, FAULT, FAULT):
        breakers.allow("youtube", "fetch")
        if outcome:
            breakers.failed("youtube", "fetch", outcome)
        else:
            breakers.succeeded("youtube", "fetch")
    assert breakers.allow("youtube", "fetch") is None


@pytest.mark.parametrize("code", sorted(set(FAILURES) - SERVICE_FAULTS))
def test_what_is_not_the_services_own_fault_never_opens_it(breakers: Breakers, code: str) -> None:
    for _ in range(5):
        assert breakers.allow("youtube", "fetch") is None
        breakers.failed("youtube", "fetch", Failure(code, "x"))
    assert state(breakers) == "closed"


def test_after_the_minute_one_probe_goes_and_the_others_wait(breakers: Breakers, clock: Clock) -> None:
    opened(breakers)
    clock.now += OPEN_S
    assert breakers.opens_at("youtube", "fetch") is None    # looking takes no probe
    assert breakers.allow("youtube", "fetch") is None
    assert breakers.allow("youtube", "fetch") is not None
    assert state(breakers) == "half_open"
    breakers.succeeded("youtube", "fetch")
    assert breakers.allow("youtube", "fetch") is None
    assert state(breakers) == "closed"


def test_a_probe_that_fails_opens_it_again(breakers: Breakers, clock: Clock) -> None:
    opened(breakers)
    clock.now += OPEN_S
    assert breakers.allow("youtube", "fetch") is None
    breakers.failed("youtube", "fetch", FAULT)
    assert breakers.allow("youtube", "fetch") == clock.now + OPEN_S


def test_a_probe_that_was_cancelled_leaves_its_place_to_the_next(breakers: Breakers, clock: Clock) -> None:
    opened(breakers)
    clock.now += OPEN_S
    with pytest.raises(KeyboardInterrupt), breakers.guard("youtube", "fetch"):
        raise KeyboardInterrupt
    assert breakers.allow("youtube", "fetch") is None


def test_guard_tells_how_it_went_and_refuses_while_it_is_open(breakers: Breakers, clock: Clock) -> None:
    for _ in range(3):
        with pytest.raises(Failure, match="does not answer"), breakers.guard("deezer", "search"):
            raise Failure("service_error", "Deezer does not answer.")
    with pytest.raises(Failure) as refused, breakers.guard("deezer", "search"):
        raise AssertionError("it must not be asked")
    assert refused.value.code == "refused"
    assert refused.value.retry_after_s == OPEN_S
    assert refused.value.details["opens_at"] == clock.now + OPEN_S
    clock.now += OPEN_S
    with breakers.guard("deezer", "search"):
        pass
    assert state(breakers) == "closed"


def test_services_are_called_by_their_names(breakers: Breakers) -> None:
    for _ in range(3):
        for name, operation in (("youtube", "fetch"), ("direct", "example.org")):
            breakers.failed(name, operation, FAULT)
    for name, operation, told in (("youtube", "fetch", r"YouTube does not answer \(asked again at "),
                                  ("direct", "example.org", r"example.org does not answer \(asked again at ")):
        with pytest.raises(Failure, match=told), breakers.guard(name, operation):
            pass
    assert breakers.others_open("youtube", "search") and not breakers.others_open("youtube", "fetch")
    assert not breakers.others_open("direct", "other.org")      # each host is its own


def test_who_asks_to_be_left_alone_for_longer_is(breakers: Breakers, clock: Clock) -> None:
    for _ in range(3):
        breakers.failed("youtube", "fetch", Failure("service_error", "x", retry_after_s=300))
    assert breakers.allow("youtube", "fetch") == clock.now + 300


def test_a_restart_forgets_nothing(tmp_path: Path, clock: Clock) -> None:
    database = Database(tmp_path / "library.db")
    database.prepare()
    breakers = Breakers(store=Stored(database=database), row=BreakerRow, clock=clock)
    opened(breakers)
    later = Breakers(store=Stored(database=database), row=BreakerRow, clock=clock)
    later.load()
    assert later.allow("youtube", "fetch") == clock.now + OPEN_S
    assert later.states() == breakers.states()
    assert later.states()[0]["last_error"] == "YouTube does not answer."
    clock.now += OPEN_S
    assert later.allow("youtube", "fetch") is None      # the probe is under way when the station dies …
    afterwards = Breakers(store=Stored(database=database), row=BreakerRow, clock=clock)
    afterwards.load()
    assert afterwards.allow("youtube", "fetch") is None     # … and lost, so there is another one
    database.close()


def test_of_thousands_of_hosts_those_in_no_trouble_are_forgotten(breakers: Breakers) -> None:
    breakers.succeeded("youtube", "fetch")
    for _ in range(3):
        breakers.failed("direct", "down.example", FAULT)
    for number in range(1000):
        breakers.succeeded("direct", f"host{number}.example")
    kept = {(one["name"], one["operation"]): one["state"] for one in breakers.states()}
    assert len(kept) <= 200
    assert kept["youtube", "fetch"] == "closed" and kept["direct", "down.example"] == "open"
    assert ("direct", "host999.example") in kept


def test_services_are_listed_before_their_first_use(breakers: Breakers) -> None:
    breakers.know("soulseek", "fetch")
    assert breakers.states() == [{
        "name": "soulseek", "operation": "fetch", "state": "closed", "failure_count": 0, "last_success": None,
        "last_failure": None, "last_error": None, "opens_at": None}]


def test_opening_and_closing_are_told(clock: Clock) -> None:
    told: list[tuple[str, str, str]] = []
    breakers = Breakers(clock=clock, on_change=lambda *what: told.append(what))
    opened(breakers)
    clock.now += OPEN_S
    breakers.allow("youtube", "fetch")
    breakers.succeeded("youtube", "fetch")
    assert told == [("youtube", "fetch", "open"), ("youtube", "fetch", "closed")]
