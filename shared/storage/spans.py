"""Which bytes of an object are there already: pure arithmetic on half-open spans."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from shared.model.units import Bytes


class Spans:
    """What is there of `size_bytes`. Few spans at a time; each call costs one search in a sorted list."""

    def __init__(self, size_bytes: Bytes) -> None:
        self._size = size_bytes
        self._starts: list[int] = []
        self._ends: list[int] = []      # of the same spans; they never touch each other
        self.total: Bytes = 0

    @property
    def whole(self) -> bool:
        return self.total == self._size

    def add(self, start: int, end: int) -> None:
        """The bytes from `start` up to but without `end` have come; some may have been there."""
        if start >= end:
            return
        first = bisect_left(self._ends, start)      # the first span that touches or follows
        last = bisect_right(self._starts, end)      # one behind the last that touches
        if first < last:
            start = min(start, self._starts[first])
            end = max(end, self._ends[last - 1])
        gone = sum(self._ends[first:last]) - sum(self._starts[first:last])
        self._starts[first:last] = [start]
        self._ends[first:last] = [end]
        self.total += end - start - gone

    def reach(self, at: int) -> int:
        """Up to where all is there from `at` on; `at` itself when its byte is not."""
        index = bisect_right(self._starts, at) - 1
        return max(at, self._ends[index]) if index >= 0 and self._ends[index] > at else at

    def gap(self, at: int) -> tuple[int, int] | None:
        """The first bytes missing at or behind `at`, as (start, end); None when nothing is missing there."""
        start = self.reach(at)
        if start >= self._size:
            return None
        index = bisect_right(self._starts, start)
        return start, self._starts[index] if index < len(self._starts) else self._size
