"""What a worker process does to state tags anew: only what was agreed on, and only where nobody else was there first.

Imported by worker processes only.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from shared.audio import embedding, stating, tags
from shared.library.reading import lyrics_beside
from shared.model.errors import UnreadableFile
from shared.model.track import Reading


def restate(path: str, real: str, wanted: Mapping[str, Any], expected: Mapping[str, Any], whole: bool
            ) -> dict[str, Any]:
    """Have the tags of the file at `path` say `wanted` (fields of audio.stating) where they say `expected` now.

    real        what the file really was when it was allowed to be written
    whole       all of it or nothing: a single field that says something third leaves the file as it is
    Answers {set [field], others [field that says something third], reading (None when such fields keep it from being
    written)}. The sound stays bit for bit. Raises UnreadableFile, DiskFull, Conflict.
    """
    if os.path.realpath(path) != real:
        raise UnreadableFile("It has just become a link to something else.", reason="vanished")
    beside = lyrics_beside(path)
    reading = tags.read(real)
    now = stating.values_of(reading.metadata)
    others = [name for name in wanted if not same(now[name], wanted[name]) and not same(now[name], expected[name])]
    setting = [name for name in wanted if name not in others and not same(now[name], wanted[name])]
    if others and whole:
        return {"set": [], "others": others, "reading": None}
    if setting:
        values = {name: wanted[name] for name in setting}
        for pair in stating.TOGETHER:
            if any(name in values for name in pair):
                values = {**{name: now[name] for name in pair}, **values}
        reading = tags.rewrite(real, lambda partial, before: _state(partial, before, values), prove=_same_sound)
    if beside is not None:
        reading = replace(reading, lyrics=(beside, *reading.lyrics))
    return {"set": setting, "others": others, "reading": reading}


def same(one: Any, other: Any) -> bool:
    """Whether two values say the same; nothing and an empty list do."""
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return (one or None) == (other or None)


def _state(partial: str, before: Reading, values: Mapping[str, Any]) -> None:
    pen = tags.pen_for(partial, before.facts)
    for name, held in stating.canonical(values).items():
        pen.set(name, held)
    pen.save()


def _same_sound(path: str, partial: str) -> None:
    if embedding.sound(path) != embedding.sound(partial):
        raise UnreadableFile("With other tags the file would not hold the very same sound; it stays as it was.",
                             reason="damaged")
