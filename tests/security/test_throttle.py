"""Guessing is slowed down, people are not, and neither costs more than a fixed room."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model.errors import Overloaded, TooOften
from shared.security import throttle as module
from shared.security.throttle import FREE, FREE_OF_ADDRESS, Throttle, address_of, keys


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def throttle(clock: Clock) -> Throttle:
    return Throttle(clock=clock)


def fail(throttle: Throttle, account: str = "ann", address: str = "192.0.2.1") -> None:
    with throttle.attempt(account, address):
        pass


def succeed(throttle: Throttle, account: str = "ann", address: str = "192.0.2.1") -> None:
    with throttle.attempt(account, address) as attempt:
        attempt.succeeded()


def refused(throttle: Throttle, account: str = "ann", address: str = "192.0.2.1") -> TooOften | None:
    try:
        fail(throttle, account, address)
    except TooOften as error:
        return error
    return None


def test_ten_failures_in_a_row_are_free_and_the_eleventh_try_waits(throttle: Throttle) -> None:
    for _ in range(FREE):
        fail(throttle)
    error = refused(throttle)
    assert error is not None and error.http_status == 429 and error.retry_after_s == 4


def test_waits_grow_to_five_minutes_and_no_further(throttle: Throttle, clock: Clock) -> None:
    for _ in range(FREE):
        fail(throttle)
    waits = []
    for _ in range(12):
        error = refused(throttle)
        assert error is not None
        waits.append(error.retry_after_s)
        clock.now += error.retry_after_s
        fail(throttle)
    assert waits[:4] == [4, 8, 16, 32]
    assert waits == sorted(waits)
    assert waits[-1] == 300


def test_being_refused_does_not_make_the_wait_longer(throttle: Throttle, clock: Clock) -> None:
    for _ in range(FREE):
        fail(throttle)
    for _ in range(50):
        assert refused(throttle)
    clock.now += 4
    succeed(throttle)


def test_success_clears(throttle: Throttle) -> None:
    for _ in range(5):
        for _ in range(FREE - 1):
            fail(throttle)
        succeed(throttle)
    assert refused(throttle) is None


def test_failures_are_forgotten_after_an_hour(throttle: Throttle, clock: Clock) -> None:
    for _ in range(FREE - 1):
        fail(throttle)
    clock.now += 3601
    for _ in range(FREE):
        fail(throttle)
    assert refused(throttle)


def test_an_attacker_does_not_lock_the_owner_out_elsewhere(throttle: Throttle) -> None:
    for _ in range(FREE):
        fail(throttle, "ann", "198.51.100.7")
    assert refused(throttle, "ann", "198.51.100.7")
    succeed(throttle, "ann", "192.0.2.1")
    assert refused(throttle, "ann", "198.51.100.7"), "a success elsewhere clears nothing here"


def test_spelling_variants_of_a_name_count_as_one(throttle: Throttle) -> None:
    for name in ["ann", "ANN", " Ann ", "aNN", "Ａｎｎ", "ann ", "Ann", "anN", "ANN ", "an\u006e"]:
        fail(throttle, name)
    assert refused(throttle)


def test_all_addresses_of_one_ipv6_network_count_as_one(throttle: Throttle) -> None:
    for number in range(FREE):
        fail(throttle, "ann", f"2001:db8:1:2::{number}")
    assert refused(throttle, "ann", "2001:db8:1:2:ffff::1")
    assert refused(throttle, "ann", "2001:db8:1:3::1") is None


def test_an_ipv4_address_in_ipv6_clothes_is_itself() -> None:
    assert address_of("::ffff:192.0.2.1") == address_of("192.0.2.1") == "192.0.2.1"
    assert address_of("fe80::1%eth0") == "fe80::/64"


def test_a_hundred_parallel_guesses_are_ten(throttle: Throttle) -> None:
    tried = []
    start = threading.Barrier(50)

    def guess(_: int) -> None:
        start.wait()
        for _ in range(2):
            try:
                with throttle.attempt("ann", "192.0.2.1"):
                    tried.append(1)
                    time.sleep(0.01)    # as hashing takes: all others come meanwhile
            except TooOften:
                pass

    with ThreadPoolExecutor(50) as pool:
        list(pool.map(guess, range(50)))
    assert len(tried) == FREE


def test_parallel_logins_with_the_right_password_all_pass(throttle: Throttle) -> None:
    for _ in range(FREE - 1):
        fail(throttle)
    with ThreadPoolExecutor(40) as pool:
        list(pool.map(lambda _: succeed(throttle), range(200)))


def test_a_try_that_ended_in_an_error_does_not_count(throttle: Throttle) -> None:
    for _ in range(FREE * 2):
        with pytest.raises(RuntimeError), throttle.attempt("ann", "192.0.2.1"):
            raise RuntimeError
    assert refused(throttle) is None


def test_an_address_that_tries_many_names_waits_but_not_who_logged_in_there_before(throttle: Throttle) -> None:
    succeed(throttle, "ann")
    for number in range(FREE_OF_ADDRESS):
        fail(throttle, f"name {number}")
    assert refused(throttle, "bob")
    succeed(throttle, "ann")
    assert refused(throttle, "bob", "192.0.2.2") is None


def test_a_flood_of_names_takes_no_more_room_and_frees_no_guesser(clock: Clock) -> None:
    throttle = Throttle(clock=clock, room=64)
    for _ in range(FREE):
        fail(throttle, "ann", "198.51.100.7")
    for number in range(5000):
        fail(throttle, f"{number}" * 100, f"10.0.{number // 250}.{number % 250}")
    assert len(throttle) <= 4 * 64
    assert refused(throttle, "ann", "198.51.100.7")


@given(st.text(max_size=300), st.text(max_size=80))
def test_any_name_and_address_make_keys_of_one_size(account: str, address: str) -> None:
    pair, place = keys(account, address)
    assert len(pair) == len(place) == 16
    assert keys(account.upper(), address)[1] == place


def test_who_queues_too_long_behind_others_is_told_of_overload_not_of_failure(
    throttle: Throttle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "QUEUE_S", 0.01)
    with ExitStack() as others:
        for _ in range(FREE):
            others.enter_context(throttle.attempt("ann", "192.0.2.1")).succeeded()
        with pytest.raises(Overloaded):
            succeed(throttle)
    succeed(throttle)
