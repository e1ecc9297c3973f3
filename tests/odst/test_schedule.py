"""The nightly window: over midnight, by the clocks as they are changed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odst.schedule import inside, next_moment

_TIME = st.tuples(st.integers(0, 23), st.integers(0, 59)).map(lambda at: f"{at[0]:02}:{at[1]:02}")


@pytest.fixture(autouse=True, scope="module")
def central_europe() -> Iterator[None]:
    """Local time with summer time from the last Sunday of March to the last of October."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
        time.tzset()
        yield
    time.tzset()


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def local(at: float) -> str:
    return datetime.fromtimestamp(at).strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(("window", "at", "open"), [
    ("01:00-06:00", "2026-01-10T00:00", True),      # 01:00 here
    ("01:00-06:00", "2026-01-09T23:59", False),
    ("01:00-06:00", "2026-01-10T04:59", True),
    ("01:00-06:00", "2026-01-10T05:00", False),
    ("22:00-06:00", "2026-01-10T21:00", True),
    ("22:00-06:00", "2026-01-10T02:00", True),
    ("22:00-06:00", "2026-01-10T12:00", False),
    ("00:00-00:00", "2026-01-10T12:00", True),
    ("01:00-06:00", "2026-07-10T23:00", True),      # 01:00 in summer
])
def test_a_window_is_open_from_its_first_minute_to_before_its_last(window: str, at: str, open: bool) -> None:
    assert inside(window, utc(at)) is open


@pytest.mark.parametrize(("window", "at", "opens"), [
    ("01:00-06:00", "2026-01-10T12:00", "2026-01-11 01:00"),
    ("01:00-06:00", "2026-01-09T23:30", "2026-01-10 01:00"),
    ("22:00-06:00", "2026-01-10T12:00", "2026-01-10 22:00"),
    ("22:00-06:00", "2026-12-31T12:00", "2026-12-31 22:00"),
    ("01:00-06:00", "2026-12-31T12:00", "2027-01-01 01:00"),
    ("02:30-06:00", "2026-03-28T20:00", "2026-03-29 03:30"),    # the clocks leap from 02:00 to 03:00
    ("02:10-02:50", "2026-03-28T20:00", "2026-03-30 02:10"),    # that night the window is leapt over
    ("02:30-06:00", "2026-10-24T20:00", "2026-10-25 02:30"),    # that hour comes twice
])
def test_it_opens_next_by_what_the_clocks_show(window: str, at: str, opens: str) -> None:
    assert local(next_moment(window, utc(at))) == opens


def test_while_it_is_open_the_next_moment_is_now() -> None:
    assert next_moment("01:00-06:00", utc("2026-01-10T02:00")) == utc("2026-01-10T02:00")


def test_the_hour_that_comes_twice_is_open_twice() -> None:
    first, second = utc("2026-10-25T00:30"), utc("2026-10-25T01:30")
    assert local(first) == local(second) == "2026-10-25 02:30"
    assert inside("02:00-03:00", first) and inside("02:00-03:00", second)


@given(_TIME, _TIME, st.integers(1_700_000_000, 1_900_000_000))
def test_the_next_moment_is_open_and_not_far(first: str, last: str, now: int) -> None:
    opens = next_moment(f"{first}-{last}", now)
    assert now <= opens <= now + 3 * 86_400
    assert inside(f"{first}-{last}", opens)


@pytest.mark.parametrize("window", ["", "01:00", "25:00-01:00", "a-b"])
def test_what_is_no_window_is_refused(window: str) -> None:
    with pytest.raises(ValueError):
        inside(window, 0.0)
