"""How many things are sent at a time, how patiently, and how large parts are."""

from __future__ import annotations

import hashlib
import io
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.cloud.parts import MOST_PARTS, PART, Lanes, Patience, etag_of, part_bytes_of
from shared.model.cloud import CloudFailure
from shared.model.units import MIB
from shared.model.work import Stopped


def failure(reason: str, **more: Any) -> CloudFailure:
    return CloudFailure("no", reason=reason, **more)


def patience(slept: list[float], *, stopped: Any = lambda: False, tries: int = 4, lanes: Lanes | None = None,
             ) -> Patience:
    return Patience(stopped=stopped, sleep=slept.append, lanes=lanes or Lanes(4), tries=tries)


@given(st.integers(1, 5 * 2**40))
def test_parts_are_whole_mebibytes_few_enough_and_none_is_too_small(size: int) -> None:
    part = part_bytes_of(size)
    assert part >= PART and part % MIB == 0 and -(-size // part) <= MOST_PARTS


@given(st.binary(max_size=100))
def test_the_etag_of_small_bytes_is_their_md5(body: bytes) -> None:
    assert etag_of(io.BytesIO(body), len(body), "0" * 32) == hashlib.md5(body).hexdigest()


def test_the_etag_of_parts_is_said_only_where_they_were_cut_as_here() -> None:
    body = bytes(PART + 1)
    whole = hashlib.md5(hashlib.md5(body[:PART]).digest() + hashlib.md5(body[PART:]).digest()).hexdigest()
    assert etag_of(io.BytesIO(body), len(body), f"{'0' * 32}-2") == f"{whole}-2"
    assert etag_of(io.BytesIO(body), len(body), f"{'0' * 32}-3") is None


def test_there_are_never_more_in_the_lanes_than_fit() -> None:
    lanes, now, most = Lanes(3), [0], [0]
    lock = threading.Lock()

    def drive(_: int) -> None:
        with lanes.one():
            with lock:
                now[0] += 1
                most[0] = max(most[0], now[0])
            time.sleep(0.002)
            with lock:
                now[0] -= 1

    with ThreadPoolExecutor(12) as threads:
        list(threads.map(drive, range(60)))
    assert most[0] == 3


def test_slowing_down_halves_the_lanes_and_what_goes_well_opens_them_again() -> None:
    lanes = Lanes(8)
    for left in (4, 2, 1, 1):
        lanes.slower()
        assert lanes.limit == left
    for _ in range(20):
        lanes.went_well()
    assert lanes.limit == 2
    for _ in range(1000):
        lanes.went_well()
    assert lanes.limit == 8


def test_what_may_help_is_tried_again_and_longer_each_time() -> None:
    slept: list[float] = []
    left = [failure("no_answer"), failure("no_answer"), failure("no_answer")]

    def deed() -> str:
        if left:
            raise left.pop()
        return "done"

    assert patience(slept)(deed) == "done"
    assert len(slept) == 3 and 0.5 <= slept[0] <= 1 and 1 <= slept[1] <= 2 and 2 <= slept[2] <= 4


def test_what_cannot_help_is_raised_at_once_and_what_does_not_at_last() -> None:
    slept: list[float] = []
    for reason, pauses in (("wrong_key", 0), ("no_answer", 3)):
        slept.clear()

        def deed(reason: str = reason) -> None:
            raise failure(reason)

        with pytest.raises(CloudFailure) as error:
            patience(slept)(deed)
        assert error.value.reason == reason and len(slept) == pauses


def test_a_provider_that_says_when_is_obeyed_and_halves_the_lanes() -> None:
    slept: list[float] = []
    lanes = Lanes(4)
    left = [failure("slow_down", retry_after_s=17)]
    patience(slept, lanes=lanes)(lambda: left and (_ for _ in ()).throw(left.pop()))
    assert slept == [17] and lanes.limit == 2


def test_whoever_waits_ends_when_asked() -> None:
    ending = threading.Event()
    patient = Patience(stopped=ending.is_set, sleep=lambda seconds: ending.set(), lanes=Lanes(1), tries=4)

    def deed() -> None:
        raise failure("no_answer")

    with pytest.raises(Stopped):
        patient(deed)
