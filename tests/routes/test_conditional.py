"""Preconditions and If-Range, each header as RFC 9110 has it."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.routes.conditional import Validators, precondition, range_allowed

THEN = 1_700_000_000.75
NOW = Validators('"a-b"', THEN)
DATE = formatdate(int(THEN), usegmt=True)
BEFORE, AFTER = (formatdate(int(THEN) + step, usegmt=True) for step in (-1, 1))


@pytest.mark.parametrize(("headers", "status"), [
    ({}, None),
    ({"If-None-Match": '"a-b"'}, 304),
    ({"If-None-Match": 'W/"a-b"'}, 304),
    ({"If-None-Match": '"x", "a-b"'}, 304),
    ({"If-None-Match": "*"}, 304),
    ({"If-None-Match": '"x"'}, None),
    ({"If-None-Match": "a-b"}, None),
    ({"If-None-Match": '"x"', "If-Modified-Since": DATE}, None),
    ({"If-Modified-Since": DATE}, 304),
    ({"If-Modified-Since": AFTER}, 304),
    ({"If-Modified-Since": BEFORE}, None),
    ({"If-Modified-Since": "yesterday"}, None),
    ({"If-Match": '"a-b"'}, None),
    ({"If-Match": "*"}, None),
    ({"If-Match": 'W/"a-b"'}, 412),
    ({"If-Match": '"x"'}, 412),
    ({"If-Unmodified-Since": DATE}, None),
    ({"If-Unmodified-Since": BEFORE}, 412),
    ({"If-Match": '"a-b"', "If-Unmodified-Since": BEFORE}, None),
    ({"If-Match": '"a-b"', "If-None-Match": '"a-b"'}, 304),
])
def test_preconditions_of_reading(headers: dict[str, str], status: int | None) -> None:
    assert precondition("GET", headers, NOW) == precondition("HEAD", headers, NOW) == status


@pytest.mark.parametrize("date", [
    "Tue, 14 Nov 2023 22:13:20 GMT", "Tuesday, 14-Nov-23 22:13:20 GMT", "Tue Nov 14 22:13:20 2023",
])
def test_all_three_forms_of_dates_are_read(date: str) -> None:
    assert precondition("GET", {"If-Modified-Since": date}, NOW) == 304


@pytest.mark.parametrize(("if_range", "allowed"), [
    (None, True), ('"a-b"', True), ('"x"', False), ('W/"a-b"', False), (DATE, True), (BEFORE, False), (AFTER, False),
    ("nonsense", False), ("", False), ("a-b", False),
])
def test_a_range_counts_only_for_the_file_as_it_is(if_range: str | None, allowed: bool) -> None:
    assert range_allowed(if_range, NOW, clock=THEN + 100) is allowed


def test_a_date_of_this_very_moment_is_no_strong_validator() -> None:
    assert not range_allowed(DATE, NOW, clock=THEN + 0.5)


@given(st.text(max_size=40))
def test_no_header_whatever_breaks_it(text: str) -> None:
    for name in ("If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"):
        assert precondition("GET", {name: text}, NOW) in (None, 304, 412)
    assert range_allowed(text, NOW) in (True, False)
