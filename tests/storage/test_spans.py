"""Which bytes are there: the arithmetic, against a set of numbers."""

from hypothesis import given
from hypothesis import strategies as st

from shared.storage.spans import Spans

SIZE = 60
PIECES = st.lists(st.tuples(st.integers(0, SIZE), st.integers(0, SIZE)).map(sorted), max_size=12)


def spans_and_set(pieces):
    spans, bytes_there = Spans(SIZE), set()
    for start, end in pieces:
        spans.add(start, end)
        bytes_there |= set(range(start, end))
    return spans, bytes_there


@given(PIECES, st.integers(0, SIZE - 1))
def test_reach_ends_at_the_first_byte_that_is_missing(pieces, at):
    spans, there = spans_and_set(pieces)
    assert spans.reach(at) == next((n for n in range(at, SIZE) if n not in there), SIZE)


@given(PIECES, st.integers(0, SIZE - 1))
def test_a_gap_is_all_that_is_missing_in_a_row_from_there_on(pieces, at):
    spans, there = spans_and_set(pieces)
    start = next((n for n in range(at, SIZE) if n not in there), None)
    end = None if start is None else next((n for n in range(start, SIZE) if n in there), SIZE)
    assert spans.gap(at) == (None if start is None else (start, end))


@given(PIECES)
def test_the_total_counts_each_byte_once(pieces):
    spans, there = spans_and_set(pieces)
    assert spans.total == len(there)
    assert spans.whole == (len(there) == SIZE)
