"""What a worker process does about covers: look at pictures, judge those that were found, put them into files.

Imported by worker processes only. Pictures travel as files, not through the pipe.
"""

from __future__ import annotations

import errno
import hashlib
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from shared import durable
from shared.audio import artwork, embedding
from shared.library import kept_covers
from shared.library.reading import lyrics_beside
from shared.model.errors import DiskFull, NotFound, SoundsibleError, UnreadableFile
from shared.model.track import Reading
from shared.storage.bounds import read_beside

Item = tuple[str, str]      # embedded | another kind of picture, and a path
_GRID = 24                  # pixels a side, where two pictures are compared
_FLAT = 2.0                 # levels of 255: a picture with less in it is alike to everything


def look(items: list[Item]) -> list[tuple[int, int] | None]:
    """How large each picture is, (width, height); None where there is none, or none that can be shown."""
    found: list[tuple[int, int] | None] = []
    for kind, path in items:
        try:
            data = _data(kind, path)
            found.append(artwork.measured(data) if data else None)
        except (SoundsibleError, OSError):
            found.append(None)
    return found


def judge(candidate: str, kind: str | None, path: str, folder: str) -> dict[str, Any]:
    """Of the picture in the file `candidate`: {sha256, bytes, width, height, likeness} as it would be embedded, and how
    alike it is to the picture of `path` (-1 to 1; None without one). It is written to `folder` as JPEG.

    Raises UnreadableFile when it is no picture that can be shown.
    """
    with open(candidate, "rb") as file:
        data = file.read(artwork.LARGEST_PICTURE + 1)
    return _judged(data, kind, path, folder)


def judge_embedded(source: str, kind: str | None, path: str, folder: str) -> dict[str, Any]:
    """The same for the picture inside the music file at `source`. Raises NotFound when there is none."""
    data = artwork.embedded(source)
    if not data:
        raise NotFound("There is no picture in it.")
    return _judged(data, kind, path, folder)


def _judged(data: bytes, kind: str | None, path: str, folder: str) -> dict[str, Any]:
    made = artwork.for_embedding(data, longest=kept_covers.LONGEST, limit_bytes=kept_covers.LARGEST)
    width, height = artwork.measured(made)
    likeness = None
    if kind is not None:
        with suppress(SoundsibleError, OSError):
            shown = _data(kind, path)
            likeness = alikeness(made, shown) if shown else None
    return {"sha256": kept_covers.write(made, folder), "bytes": len(made), "width": width, "height": height,
            "likeness": likeness}


def alikeness(one: bytes, other: bytes) -> float:
    """How alike two pictures are, -1 to 1: the correlation of their lightness on a small grid."""
    grids = [np.asarray(artwork.small(data, _GRID), dtype=np.float64) for data in (one, other)]
    spread = [float(grid.std()) for grid in grids]
    if min(spread) < _FLAT:
        return 1.0
    return float(((grids[0] - grids[0].mean()) * (grids[1] - grids[1].mean())).mean() / (spread[0] * spread[1]))


def take(paths: list[str], folder: str) -> list[dict[str, Any] | UnreadableFile]:
    """Keep the front pictures of files in `folder`, each under its sha256, durably: {fronts [[label, sha256]], shown
    (sha256 of the cover as it is seen, or None)} for each, or why that is not possible."""
    taken: list[dict[str, Any] | UnreadableFile] = []
    for path in paths:
        try:
            fronts = [[label, _keep(data, folder)] for label, data in embedding.fronts(path)]
            taken.append({"fronts": fronts, "shown": _shown(path)})
        except UnreadableFile as error:
            taken.append(UnreadableFile(error.message, reason=error.reason))
    return taken


def shown(paths: list[str]) -> list[str | None]:
    """The sha256 of the cover in each file; None where there is none or the file cannot be read."""
    found: list[str | None] = []
    for path in paths:
        try:
            found.append(_shown(path))
        except SoundsibleError:
            found.append(None)
    return found


def embed(path: str, real: str, picture: str) -> Reading:
    """Have the JPEG in the file `picture` be the front cover of `path`; what its tags then say.

    `real` is what the file really was when it was allowed to be written. Raises as audio.embedding:embed.
    """
    _check(path, real)
    with open(picture, "rb") as file:
        data = file.read()
    beside = lyrics_beside(path)
    reading = embedding.embed(real, data)
    return reading if beside is None else replace(reading, lyrics=(beside, *reading.lyrics))


def put_back(path: str, real: str, fronts: list[list[str]], folder: str, new: str) -> tuple[str, Reading | None]:
    """Undo `embed`: ("put_back" | "as_it_was" | "changed", its reading, unless it was changed since).

    `fronts` as `take` told them; `new`: the sha256 of the picture that was put in. Raises as `embed`, and NotFound when
    an old picture is no longer kept.
    """
    _check(path, real)
    beside = lyrics_beside(path)
    now = embedding.fronts(real)
    if [[label, hashlib.sha256(data).hexdigest()] for label, data in now] == fronts:
        from shared.audio import tags

        said, reading = "as_it_was", tags.read(real)
    elif _shown(real) != new:
        return "changed", None
    else:
        kept = []
        for label, sha256 in fronts:
            try:
                with open(f"{folder}/{sha256}", "rb") as file:
                    kept.append((label, file.read()))
            except FileNotFoundError as error:
                raise NotFound("The old picture is no longer in the station's trash.") from error
        said, reading = "put_back", embedding.put_back(real, kept)
    return said, reading if beside is None else replace(reading, lyrics=(beside, *reading.lyrics))


def _check(path: str, real: str) -> None:
    if os.path.realpath(path) != real:
        raise UnreadableFile("It has just become a link to something else.", reason="vanished")


def _shown(path: str) -> str | None:
    data = artwork.embedded(path)
    return hashlib.sha256(data).hexdigest() if data else None


def _data(kind: str, path: str) -> bytes | None:
    return artwork.embedded(path) if kind == "embedded" else read_beside(path, kept_covers.PICTURE_LIMIT)


def _keep(data: bytes, folder: str) -> str:
    sha256 = hashlib.sha256(data).hexdigest()
    path = f"{folder}/{sha256}"
    with suppress(OSError):
        if os.stat(path).st_size == len(data):
            return sha256
    os.makedirs(folder, mode=0o700, exist_ok=True)
    try:
        durable.write(Path(path), data)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull("There is no room to keep the old pictures. Nothing was changed.") from error
        raise
    return sha256
