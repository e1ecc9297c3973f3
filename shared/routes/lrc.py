"""Read LRC: lyrics with a time before each line, and maybe before each word. Pure.

    [00:12.00]One line                          a line
    [00:12.00]<00:12.00>One <00:12.50>line<00:13.10>    with its words (enhanced LRC); the last stamp is where it ends
    [00:12.00]v2: <00:12.00>One …               sung by the second voice
    [bg:<00:12.80>(one line)]                   in the background of the line before
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

_STAMP = re.compile(r"\[(\d{1,3}):(\d{1,2})(?:[.:](\d{1,3}))?\]", re.ASCII)
_WORD_STAMP = re.compile(r"<(\d{1,3}):(\d{1,2})(?:[.:](\d{1,3}))?>", re.ASCII)
_TAG = re.compile(r"\[([a-zA-Z#]+):(.*)\]")
_VOICE = re.compile(r"(v\d{1,4}):\s*", re.ASCII)

BACKGROUND = "bg"


@dataclass(frozen=True, slots=True)
class Word:
    """A word or syllable: from which character of its line's text to before which."""

    start_ms: int
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Line:
    """A line and when it begins. `voice`: "v1", "v2" … or "bg", where that is said."""

    start_ms: int
    text: str
    words: tuple[Word, ...] = ()
    end_ms: int | None = None       # of its last word
    voice: str = ""
    background: Line | None = None


def lines(text: str) -> list[tuple[int, str]]:
    """(start in ms, words) in the order of time; what is in the background stands behind its line."""
    return [(line.start_ms, whole(line)) for line in timed(text)]


def whole(line: Line) -> str:
    """A line's text with its background's."""
    return line.text if line.background is None else f"{line.text} {line.background.text}".strip()


def timed(text: str) -> list[Line]:
    """The lines in the order of time.

    A line may carry several stamps (a chorus); `[offset:±ms]` moves all (positive: earlier). Lines without a stamp and
    the other tags (`[ar:…]`) are no lyrics.
    """
    found: list[Line] = []
    before = 0      # how many of `found` the last line with a stamp became
    offset_ms = 0
    for line in text.splitlines():
        rest = line.strip()
        stamps: list[int] = []
        while match := _STAMP.match(rest):
            stamps.append(_ms(match))
            rest = rest[match.end():].lstrip()
        if stamps:
            voice = _VOICE.match(rest)
            if voice is not None:
                rest = rest[voice.end():]
            first = _line(rest, stamps[0], voice[1] if voice is not None else "")
            found += [_later(first, stamp - stamps[0]) for stamp in stamps]
            before = len(stamps)
        elif tag := _TAG.fullmatch(rest):
            name = tag[1].lower()
            if name == BACKGROUND and before:
                first_ms = found[-before].start_ms
                background = _line(tag[2], first_ms, BACKGROUND)
                if background.text and found[-1].background is None:
                    found[-before:] = [replace(one, background=_later(background, one.start_ms - first_ms))
                                       for one in found[-before:]]
            elif name == "offset":
                try:
                    offset_ms = int(tag[2])
                except ValueError:
                    continue
    return sorted((_later(line, -offset_ms) for line in found), key=lambda line: line.start_ms)


def _line(rest: str, start_ms: int, voice: str) -> Line:
    """What stands behind a line's stamps. Runs of white space become one space."""
    text, words = "", []
    begin_ms: int | None = None     # of the words before the first stamp: the line's own, if a stamp follows
    end_ms: int | None = None
    at = 0
    pieces: list[tuple[int | None, str]] = []
    for match in _WORD_STAMP.finditer(rest):
        pieces.append((begin_ms, rest[at:match.start()]))
        begin_ms, at = _ms(match), match.end()
    pieces.append((begin_ms, rest[at:]))
    gap = False
    for begin_ms, piece in pieces:
        said = " ".join(piece.split())
        if not said:
            gap = gap or bool(piece)
            continue
        if text and (gap or piece[0].isspace()):
            text += " "
        if len(pieces) > 1:
            words.append(Word(start_ms if begin_ms is None else begin_ms, len(text), len(text) + len(said)))
        text += said
        gap = piece[-1].isspace()
    if words and not pieces[-1][1].strip():
        end_ms = pieces[-1][0]
    return Line(start_ms, text, tuple(words), end_ms, voice)


def _later(line: Line, by_ms: int) -> Line:
    """The same at another time, but never before the beginning."""
    return Line(
        max(0, line.start_ms + by_ms), line.text,
        tuple(Word(max(0, word.start_ms + by_ms), word.begin, word.end) for word in line.words),
        None if line.end_ms is None else max(0, line.end_ms + by_ms), line.voice,
        None if line.background is None else _later(line.background, by_ms),
    )


def _ms(match: re.Match[str]) -> int:
    minutes, seconds, fraction = match.groups()
    return (int(minutes) * 60 + int(seconds)) * 1000 + int((fraction or "0").ljust(3, "0"))
