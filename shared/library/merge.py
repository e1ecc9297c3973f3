"""Settle who changed what: three ways, field by field, and nothing else. Pure; touches no file.

`base` is what the station last wrote, `theirs` what another program made of it, `ours` what the library says now.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: What may be edited in library.json; the same as over HTTP.
EDITABLE = ("title", "artist", "album", "album_artist", "track_number", "disc_number", "year", "genres")

_NUMBERS = frozenset({"track_number", "disc_number", "year"})
_LONGEST, _MOST_GENRES, _HIGHEST = 1000, 50, 9999


@dataclass(slots=True)
class Merged:
    """What to take over from `theirs`; where both moved, who won; and fields that hold nonsense."""

    take: dict[str, Any] = field(default_factory=dict)
    conflicts: list[tuple[str, str]] = field(default_factory=list)     # (field, "theirs" | "ours": which was kept)
    wrong: list[str] = field(default_factory=list)


def merge(
    base: Mapping[str, Any] | None, theirs: Mapping[str, Any], ours: Mapping[str, Any], *, theirs_newer: bool
) -> Merged:
    """Three-way merge of one track's editable fields.

    Only they changed a field → it is taken. Both did → the newer wins, and it is a conflict. A field they left out
    is no edit. Without a `base` nobody can tell who moved: every difference is a conflict.
    """
    merged = Merged()
    for name in EDITABLE:
        if name not in theirs:
            continue
        value = theirs[name]
        if base is not None and _same(value, base.get(name)):
            continue
        if not is_valid(name, value):
            merged.wrong.append(name)
            continue
        value, now = _clean(value), ours.get(name)
        if _same(value, now):
            continue
        if base is not None and _same(base.get(name), now):
            merged.take[name] = value
            continue
        merged.conflicts.append((name, "theirs" if theirs_newer else "ours"))
        if theirs_newer:
            merged.take[name] = value
    return merged


def is_valid(name: str, value: Any) -> bool:
    """Whether the library could hold `value` as its field `name`."""
    if name == "genres":
        return isinstance(value, list) and len(value) <= _MOST_GENRES and all(_is_words(one) for one in value)
    if value is None:
        return name != "title"
    if name in _NUMBERS:
        return type(value) is int and 0 <= value <= _HIGHEST
    return _is_words(value)


def _is_words(value: Any) -> bool:
    if not (isinstance(value, str) and 0 < len(value) <= _LONGEST and value.strip()):
        return False
    return not any(ord(letter) < 32 or 0xD800 <= ord(letter) < 0xE000 for letter in value)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.strip()
    return [one.strip() for one in value] if isinstance(value, list) else value


def _same(one: Any, other: Any) -> bool:
    """True and 1 are equal to Python, but not to a person who edits a file."""
    return type(one) is type(other) and bool(one == other)
