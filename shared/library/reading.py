"""What a worker process does with music files: read and write them with the lyrics beside, examine them whole.

Imported by worker processes only.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from shared.audio import tags
from shared.audio.fields import lyrics_of
from shared.model.errors import UnreadableFile
from shared.model.track import Lyrics, Reading
from shared.storage.bounds import read_beside

LONGEST_LYRICS = 1 << 20    # bytes of an .lrc; what is longer is none

Item = tuple[str, bool]     # a path, and whether an .lrc lies beside it


Content = tuple[str, bool | None]       # SHA-256; whether a FLAC's own checksum fits its sound (None: it has none)


def read_many(items: list[Item]) -> list[Reading | UnreadableFile]:
    """Each file's reading, or why there is none, in its place."""
    readings = tags.read_many([path for path, _ in items])
    for index, (path, has_lyrics) in enumerate(items):
        reading = readings[index]
        if has_lyrics and isinstance(reading, Reading):
            beside = lyrics_beside(path)
            if beside is not None:
                readings[index] = replace(reading, lyrics=(beside, *reading.lyrics))
    return readings


def lyrics_beside(path: str) -> Lyrics | None:
    """The .lrc that is called like the file at `path`; None when it says nothing, or is no regular file."""
    stem = os.path.splitext(path)[0]
    for ending in (".lrc", ".LRC", ".Lrc"):
        try:
            content = read_beside(stem + ending, LONGEST_LYRICS + 1)
        except OSError:
            continue
        return lyrics_of(_decoded(content), None, "sidecar") if len(content) <= LONGEST_LYRICS else None
    return None


def write(path: str, fields: dict[str, Any], real: str | None = None) -> Reading:
    """Write `fields` into the tags of `path` (see audio.tags.write); its reading, with the lyrics beside it.

    `real` is what the file really was when it was allowed to be written: if it has become another, nothing is done.
    """
    if real is not None and os.path.realpath(path) != real:
        raise UnreadableFile("It has just become a link to something else.", reason="vanished")
    beside = lyrics_beside(path)    # first: what is wrong with it must not be found out once the file is another one
    reading = tags.write(real or path, fields)
    return reading if beside is None else replace(reading, lyrics=(beside, *reading.lyrics))


def examine(paths: list[str]) -> list[Content | UnreadableFile]:
    """Hash each file; hold a FLAC's sound against its checksum. Costs reading all, and decoding what is FLAC."""
    from shared.audio import integrity  # brings a decoder along, which readers of tags do without

    contents: list[Content | UnreadableFile] = []
    for path in paths:
        try:
            fits = integrity.flac_md5_fits(path) if path.lower().endswith(".flac") else None
            contents.append((integrity.sha256(path), fits))
        except UnreadableFile as error:
            contents.append(UnreadableFile(error.message, reason=error.reason))
        except OSError as error:
            contents.append(UnreadableFile(str(error.strerror), reason="vanished"))
    return contents


def _decoded(content: bytes) -> str:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")
