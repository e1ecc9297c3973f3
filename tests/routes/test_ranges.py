"""Range headers against a simple model, and the cases that RFC 9110 names."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.routes.ranges import GAP_BYTES, MOST_SPECS, merge, parse
from tests.patience import often

SIZE = 1000


@pytest.mark.parametrize(("header", "spans"), [
    ("bytes=0-0", [(0, 0)]),
    ("bytes=0-499", [(0, 499)]),
    ("bytes=500-", [(500, 999)]),
    ("bytes=-1", [(999, 999)]),
    ("bytes=-500", [(500, 999)]),
    ("bytes=-5000", [(0, 999)]),
    ("bytes=999-5000", [(999, 999)]),
    ("bytes=0-99999999999999999999999999999999", [(0, 999)]),
    ("bytes=0000000000000000000000000000000001-1", [(1, 1)]),
    ("BYTES=1-2", [(1, 2)]),
    ("bytes= 1-2 ", [(1, 2)]),
    ("bytes=0-9, 500-509", [(0, 9), (500, 509)]),
    ("bytes=500-509,0-9", [(500, 509), (0, 9)]),
    ("bytes=,,0-9, ,500-509,", [(0, 9), (500, 509)]),
    ("bytes=0-9,2000-2009", [(0, 9)]),
    ("bytes=0-9,5-20,21-30", [(0, 30)]),
    ("bytes=0-,0-,0-,0-", [(0, 999)]),
])
def test_what_is_asked_for_is_found(header: str, spans: list[tuple[int, int]]) -> None:
    assert parse(header, SIZE) == spans


@pytest.mark.parametrize("header", ["bytes=1000-", "bytes=1000-2000", "bytes=5000-,6000-7000", "bytes=-0"])
def test_what_lies_behind_the_end_cannot_be_satisfied(header: str) -> None:
    assert parse(header, SIZE) == []


@pytest.mark.parametrize("header", [
    None, "", "bytes", "bytes=", "bytes=,", "bytes=-", "bytes=a-b", "bytes=5-2", "bytes=0-9,5-2", "bytes=0-9;5-20",
    "bytes=0x1-0x2", "bytes=+1-2", "bytes=1--2", "bytes=--2", "bytes=1-2-3", "bytes=٣-٤", "bytes=1.5-2", "items=0-5",
    "bytes 0-5", "seconds=1-2", "=0-5", "bytes=0 0-5", "\x00", "bytes=0-\x00",
])
def test_what_is_malformed_or_in_another_unit_counts_as_absent(header: str | None) -> None:
    assert parse(header, SIZE) is None


def test_more_pieces_than_a_player_needs_count_as_absent() -> None:
    assert parse("bytes=" + ",".join(f"{n * 400}-{n * 400}" for n in range(MOST_SPECS + 1)), 10**6) is None
    assert len(parse("bytes=" + ",".join(f"{n * 400}-{n * 400}" for n in range(MOST_SPECS)), 10**6) or []) == MOST_SPECS


def test_an_empty_file_has_no_ranges_but_the_last_bytes_of_nothing() -> None:
    assert parse("bytes=0-", 0) == []
    assert parse("bytes=0-0", 0) == []
    assert parse("bytes=-5", 0) is None


def test_numbers_of_any_length_cost_nothing() -> None:
    assert parse("bytes=" + "9" * 100_000 + "-", SIZE) == []


spec = st.one_of(
    st.tuples(st.integers(0, 1500), st.integers(0, 1500)).map(lambda ends: f"{ends[0]}-{ends[1]}"),
    st.integers(0, 1500).map(lambda first: f"{first}-"),
    st.integers(0, 1500).map(lambda suffix: f"-{suffix}"),
)


def model(text: str, size: int) -> set[int] | None:
    """Byte numbers that one spec stands for; None when it is malformed."""
    first, _, last = text.partition("-")
    if first and last and int(last) < int(first):
        return None
    if not first:
        return set(range(max(0, size - int(last)), size))
    return set(range(int(first), min(size, int(last) + 1 if last else size)))


@given(specs=st.lists(spec, min_size=1, max_size=6), size=st.integers(1, 1200), space=st.sampled_from(["", " ", "\t"]))
@settings(max_examples=often(80), deadline=None)
def test_the_spans_hold_exactly_the_bytes_of_the_model(specs: list[str], size: int, space: str) -> None:
    spans = parse("bytes=" + f"{space},{space}".join(specs), size)
    sets = [model(one, size) for one in specs]
    if any(one is None for one in sets):
        assert spans is None
        return
    wanted = set().union(*(one for one in sets if one is not None))
    assert spans is not None
    covered: set[int] = set()
    for first, last in spans:
        assert 0 <= first <= last < size
        here = set(range(first, last + 1))
        assert not covered & here, "no byte is sent twice"
        covered |= here
    assert wanted <= covered
    # What is sent besides lies in gaps shorter than a part's own header.
    for extra in covered - wanted:
        assert any(extra - n in wanted for n in range(1, GAP_BYTES + 1))
        assert any(extra + n in wanted for n in range(1, GAP_BYTES + 1))


@given(st.text(max_size=60))
@settings(max_examples=often(80), deadline=None)
def test_no_text_whatever_breaks_it(text: str) -> None:
    for header in (text, f"bytes={text}"):
        spans = parse(header, SIZE)
        assert spans is None or all(0 <= first <= last < SIZE for first, last in spans)


def test_merging_keeps_the_order_of_first_mention() -> None:
    assert merge([(900, 950), (0, 9), (960, 990)]) == [(900, 990), (0, 9)]
