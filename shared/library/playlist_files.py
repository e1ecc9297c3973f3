"""Playlists as files that other programs read, under names that every system takes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

_UNFIT = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
_RESERVED = re.compile(r"(?i)^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?$")     # Windows' own


def m3u8(name: str, entries: Iterable[tuple[int, str, str, str]]) -> Iterator[str]:
    """An extended M3U, UTF-8, line by line. `entries`: (duration in ms, artist, title, path)."""
    yield f"#EXTM3U\n#PLAYLIST:{one_line(name)}\n"
    for duration_ms, artist, title, path in entries:
        if "\n" in path or "\r" in path:    # such a name cannot stand in this format
            continue
        yield f"#EXTINF:{round(duration_ms / 1000)},{one_line(artist)} - {one_line(title)}\n{path}\n"


def encoded(text: str) -> bytes:
    """UTF-8; bytes of file names that are not stay the bytes they are."""
    return text.encode("utf-8", "surrogateescape")


def file_stem(name: str) -> str:
    """`name` as a file name that every system takes: no separators, not hidden, not reserved, at most 120 bytes."""
    clean = _UNFIT.sub("_", unicodedata.normalize("NFC", one_line(name))).strip(" .")
    clean = clean.encode("utf-8", "replace")[:120].decode("utf-8", "ignore").strip(" .")
    return f"_{clean}" if not clean or _RESERVED.match(clean) else clean


def free_name(stem: str, suffix: str, taken: set[str]) -> str:
    """`stem`+`suffix`, with a number when some file of that name (in whatever case) is `taken`; it is from now on."""
    name, number = f"{stem}{suffix}", 2
    while name.casefold() in taken:
        name, number = f"{stem} {number}{suffix}", number + 1
    taken.add(name.casefold())
    return name


def one_line(text: str) -> str:
    return "".join(one if one.isprintable() else " " for one in text).strip()
