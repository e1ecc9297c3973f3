"""Read LRC: lyrics with a time before each line. Pure."""

from __future__ import annotations

import re

_STAMP = re.compile(r"\[(\d{1,3}):(\d{1,2})(?:[.:](\d{1,3}))?\]", re.ASCII)
_WORD_STAMP = re.compile(r"<\d{1,3}:\d{1,2}(?:[.:]\d{1,3})?>", re.ASCII)
_TAG = re.compile(r"\[([a-zA-Z#]+):(.*)\]")


def lines(text: str) -> list[tuple[int, str]]:
    """(start in ms, words) in the order of time.

    A line may carry several stamps (a chorus); stamps of single words are left out; `[offset:±ms]` moves all
    (positive: earlier). Lines without a stamp and the other tags (`[ar:…]`) are no lyrics.
    """
    found: list[tuple[int, str]] = []
    offset_ms = 0
    for line in text.splitlines():
        rest = line.strip()
        stamps: list[int] = []
        while match := _STAMP.match(rest):
            minutes, seconds, fraction = match.groups()
            stamps.append((int(minutes) * 60 + int(seconds)) * 1000 + int((fraction or "0").ljust(3, "0")))
            rest = rest[match.end():].lstrip()
        if stamps:
            words = " ".join(_WORD_STAMP.sub("", rest).split())
            found += [(stamp, words) for stamp in stamps]
        elif (tag := _TAG.fullmatch(rest)) and tag[1].lower() == "offset":
            try:
                offset_ms = int(tag[2])
            except ValueError:
                continue
    return sorted(((max(0, start - offset_ms), words) for start, words in found), key=lambda one: one[0])
