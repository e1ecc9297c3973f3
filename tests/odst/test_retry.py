"""When a failed download is tried again."""

from __future__ import annotations

import pytest

from odst.retry import JITTER_S, wait_before_next
from shared.model.download import FAILURES, Failure


@pytest.mark.parametrize(("attempt", "least"), [(1, 1), (2, 2), (3, 4)])
def test_the_waits_are_one_two_and_four_seconds_and_a_little(attempt: int, least: float) -> None:
    waits = [wait_before_next(attempt, Failure("timed_out", "x")) for _ in range(50)]
    assert all(wait is not None and least <= wait <= least + JITTER_S for wait in waits)
    assert len(set(waits)) > 10     # jitter: many that failed together do not come back together


def test_after_three_retries_there_is_none() -> None:
    assert wait_before_next(4, Failure("timed_out", "x")) is None


@pytest.mark.parametrize("code", [code for code, again in FAILURES.items() if not again])
def test_what_cannot_be_helped_is_not_tried_again(code: str) -> None:
    assert wait_before_next(1, Failure(code, "x")) is None


def test_what_the_service_asks_for_counts_when_it_is_longer() -> None:
    assert wait_before_next(1, Failure("rate_limited", "x", retry_after_s=40)) == 40
    short = wait_before_next(3, Failure("rate_limited", "x", retry_after_s=0.5))
    assert short is not None and short >= 4


def test_nobody_is_waited_for_longer_than_a_day() -> None:
    assert wait_before_next(1, Failure("rate_limited", "x", retry_after_s=1e12)) == 24 * 3600
