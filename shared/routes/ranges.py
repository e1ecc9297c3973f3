"""Read a Range header (RFC 9110, section 14): pure, no I/O.

A header that is malformed, in another unit, or unreasonable counts as absent, which the RFC always allows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

Span = tuple[int, int]      # first and last byte, both included

MOST_SPECS = 64             # more pieces than any player asks for: the whole file is the legal answer
GAP_BYTES = 128             # a part's own header costs about this much: nearer pieces become one
_SPEC = re.compile(r"(\d*)[ \t]*-[ \t]*(\d*)", re.ASCII)
_HUGE = 10**19              # beyond every file; so long numbers never become long integers


def parse(header: str | None, size_bytes: int) -> list[Span] | None:
    """The spans of a file of `size_bytes` that `header` asks for, in its order and merged where they touch.

    None: answer the whole file. []: none of them is in the file (416).
    """
    if not header:
        return None
    unit, equals, rest = header.partition("=")
    if not equals or unit.strip(" \t").lower() != "bytes":
        return None
    specs = [one for one in (piece.strip(" \t") for piece in rest.split(",", MOST_SPECS * 2)) if one]
    if not specs or len(specs) > MOST_SPECS:
        return None
    wanted: list[Span] = []
    for spec in specs:
        match = _SPEC.fullmatch(spec)
        if match is None:
            return None
        first_text, last_text = match.groups()
        if first_text:
            first = _number(first_text)
            last = _number(last_text) if last_text else _HUGE
            if last < first:
                return None
            if first < size_bytes:
                wanted.append((first, min(last, size_bytes - 1)))
        elif last_text:
            suffix = _number(last_text)
            if suffix and not size_bytes:
                return None     # the last bytes of nothing are nothing: the whole, empty file
            if suffix:
                wanted.append((max(0, size_bytes - suffix), size_bytes - 1))
        else:
            return None
    return merge(wanted)


def merge(spans: Sequence[Span]) -> list[Span]:
    """`spans` with those that overlap, touch, or lie nearer than GAP_BYTES made one.

    Keeps the order of first mention, so that a client that wants the end first gets it first.
    """
    if len(spans) < 2:
        return list(spans)
    order = sorted(range(len(spans)), key=lambda index: spans[index])
    merged: list[tuple[int, int, int]] = []     # first mention, first byte, last byte
    for index in order:
        first, last = spans[index]
        if merged and first <= merged[-1][2] + 1 + GAP_BYTES:
            mention, start, end = merged[-1]
            merged[-1] = (min(mention, index), start, max(end, last))
        else:
            merged.append((index, first, last))
    return [(first, last) for _, first, last in sorted(merged)]


def _number(digits: str) -> int:
    significant = digits.lstrip("0")
    return _HUGE if len(significant) > 18 else int(significant or "0")
