"""How often one client may ask: all of it, and what is dear; other clients are not held up by it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from shared import limits
from shared.routes import respond
from shared.routes.guard import Guard
from shared.routes.operation import Operation

CLAIM = Operation(method="POST", path="/api/pairing/claim", allows="open", answers={201: None}, name="claim",
                  summary="", room="pairing")
OTHER = Operation(method="GET", path="/api/other", allows="open", answers={200: None}, name="other", summary="",
                  room="pairing")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app() -> Iterator[Flask]:
    app = Flask("small", static_folder=None)
    for one in (CLAIM, OTHER):
        app.add_url_rule(one.path, one.endpoint, lambda: respond.json_of({}), methods=[one.method])
    Guard(who=lambda token, address: None, host_named=lambda header: True, same_site=lambda headers: True,
          operations=[CLAIM, OTHER]).install(app)
    limits.install(app, [CLAIM, OTHER], requests_per_second=100)
    yield app


def ask(app: Flask, method: str, path: str, address: str) -> Any:
    return app.test_client().open(path, method=method, environ_overrides={"REMOTE_ADDR": address})


def test_a_second_s_requests_at_once_and_then_as_many_a_second(clock: Clock) -> None:
    rates = limits.Rates(per_second=10, clock=clock)
    assert [rates.take("192.0.2.1") for _ in range(12)] == [True] * 10 + [False] * 2
    clock.now += 0.5
    assert [rates.take("192.0.2.1") for _ in range(6)] == [True] * 5 + [False]
    clock.now += 3600
    assert sum(rates.take("192.0.2.1") for _ in range(50)) == 10


def test_one_client_s_flood_leaves_the_others_theirs(clock: Clock) -> None:
    rates = limits.Rates(per_second=10, clock=clock)
    assert sum(rates.take("192.0.2.1") for _ in range(1000)) == 10
    assert sum(rates.take("192.0.2.2") for _ in range(1000)) == 10


def test_all_addresses_of_an_ipv6_household_are_one_client(clock: Clock) -> None:
    rates = limits.Rates(per_second=10, clock=clock)
    assert sum(rates.take(f"2001:db8:1:2::{n:x}") for n in range(100)) == 10
    assert rates.take("2001:db8:1:3::1")


def test_this_machine_may_speak_for_many(clock: Clock) -> None:
    rates = limits.Rates(per_second=10, clock=clock)
    assert sum(rates.take("127.0.0.1") for _ in range(1000)) == 10 * limits.MANY
    assert not rates.take("::1")


def test_a_million_clients_take_no_more_room_than_some_thousands(clock: Clock) -> None:
    rates = limits.Rates(per_second=10, clock=clock)
    for number in range(3 * limits.HOUSEHOLDS):
        assert rates.take(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(rates._filled) == limits.HOUSEHOLDS
    clock.now += 2
    rates.take("192.0.2.9")
    assert len(rates._filled) == 1


def test_when_all_are_busy_it_is_the_longest_silent_that_is_forgotten(
        clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HOUSEHOLDS", 3)
    rates = limits.Rates(per_second=1, clock=clock)
    for number in (1, 2, 3):
        assert rates.take(f"192.0.2.{number}")
        clock.now += 0.1
    assert not rates.take("192.0.2.1")      # refused, and seen
    assert rates.take("192.0.2.4")          # in the place of the second
    assert [rates.take(f"192.0.2.{number}") for number in (3, 1, 4)] == [False] * 3
    assert rates.take("192.0.2.2")


def test_the_promised_five_hundred_a_second_pass(clock: Clock) -> None:
    from shared.settings import Settings

    rates = limits.Rates(per_second=Settings().requests_per_second, clock=clock)
    refused = 0
    for _ in range(20 * 400):       # twenty seconds, in bursts of 25 every twentieth of a second
        clock.now += 1 / 20
        refused += sum(not rates.take("192.0.2.1") for _ in range(25))
    assert not refused


def test_too_fast_is_answered_429_with_what_to_do(app: Flask) -> None:
    answers = [ask(app, "GET", OTHER.path, "192.0.2.1") for _ in range(150)]
    last = answers[-1]
    assert {one.status_code for one in answers} == {200, 429}
    assert last.json["error"]["code"] == "too_often"
    assert last.headers["Retry-After"] == "1"
    assert last.headers["X-Content-Type-Options"] == "nosniff"
    assert ask(app, "GET", OTHER.path, "192.0.2.2").status_code == 200


def test_what_strangers_may_ask_for_has_a_limit_of_its_own(app: Flask) -> None:
    answers = [ask(app, "POST", CLAIM.path, "192.0.2.1") for _ in range(61)]
    assert [one.status_code for one in answers] == [200] * 60 + [429]
    assert answers[-1].json["error"]["code"] == "too_often"
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 61
    assert ask(app, "GET", OTHER.path, "192.0.2.1").status_code == 200
    assert ask(app, "POST", CLAIM.path, "192.0.2.2").status_code == 200


def test_an_address_in_a_header_gives_nobody_a_fresh_allowance(app: Flask) -> None:
    def claim(number: int) -> int:
        return int(app.test_client().post(CLAIM.path, headers={"X-Forwarded-For": f"198.51.100.{number}"},
                                          environ_overrides={"REMOTE_ADDR": "192.0.2.1"}).status_code)

    assert [claim(number) for number in range(61)].count(429) == 1


def test_each_limit_can_be_read() -> None:
    from limits import parse

    assert all(parse(limit).amount >= 20 for limit in limits.LIMITS.values())
