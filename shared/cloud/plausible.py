"""Whether a line of a bucket's catalogue can be what a station of ours wrote there.

Whoever may write into the bucket can put anything into its catalogue; what is told becomes rows, headers and names of
files. Values that no upload of ours tells are not taken up: numbers no table holds, times beyond the calendar, types
of content that a browser would run, texts of megabytes.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from shared.model.track import FORMATS
from shared.model.units import GIB, Bytes

LARGEST: Bytes = 16 * 1024 * GIB            # of a file
LARGEST_NUMBER = 2**45                      # of any other whole number (2**45 ms are a thousand years)
LAST_MOMENT = 253_000_000_000.0             # Unix time, s: the year 9987
LONGEST_TEXT = 20_000                       # characters; lyrics have their own
LONGEST_LYRICS = 2_000_000
LONGEST_PATH = 4_096                        # bytes, and of a name in it:
LONGEST_NAME = 255
MOST = 10_000                               # of a list

_HASH = re.compile(r"[0-9a-f]{64}")
_ID = re.compile(r"[a-z0-9]{1,40}")
_MIME = re.compile(r"(?:audio|video)/[a-z0-9][a-z0-9.+-]{0,60}")
_COMPRESSION = re.compile(r"|(?:mp3|opus):[0-9]{2,3}")
_KEY = re.compile(r"music/[!-~]{1,500}")
_SIZES = ("size_bytes", "stored_bytes", "source_size_bytes")
_MOMENTS = ("verified_at", "added_at", "at")


def station(uid: str) -> bool:
    """Whether this can be the id of a station."""
    return _ID.fullmatch(uid) is not None


def moment(at: float) -> bool:
    """Whether this is a time that can be told, Unix time in s."""
    return 0 <= at <= LAST_MOMENT


def line(told: Any) -> bool:
    """`told`: a line of a segment (catalogue._Line). Some 20 µs."""
    track = told.track
    return (
        all(0 <= getattr(told, name) <= LARGEST for name in _SIZES) and 0 <= track.size_bytes <= LARGEST
        and all(moment(getattr(told, name)) for name in _MOMENTS) and moment(track.added_at)
        and all(-(2**62) < one < 2**62 for one in (told.source_mtime_ns, track.mtime_ns))
        and all(_HASH.fullmatch(one) is not None for one in (told.sha256, told.source_sha256))
        and (told.cover is None or _HASH.fullmatch(told.cover) is not None)
        and all(one in FORMATS for one in (told.format, track.facts.format))
        and all(_MIME.fullmatch(one) is not None for one in (told.mime_type, track.facts.mime_type))
        and _COMPRESSION.fullmatch(told.compression) is not None and _KEY.fullmatch(told.key) is not None
        and _number(told.bitrate_kbps) and len(told.etag) <= LONGEST_TEXT and _ID.fullmatch(track.uid) is not None
        and _path(track.root) and _path(track.path) and _sane(track.metadata) and _sane(track.facts)
        and len(track.lyrics) <= MOST and all(len(one.text) <= LONGEST_LYRICS for one in track.lyrics)
        and all(_sane(dataclasses.replace(one, text="")) for one in track.lyrics)
    )


def _number(value: int | None) -> bool:
    return value is None or 0 <= value <= LARGEST_NUMBER


def _path(text: str) -> bool:
    """Whether a file could have it."""
    named = text.encode("utf-8", "surrogatepass")
    return len(named) <= LONGEST_PATH and b"\0" not in named and all(
        len(one) <= LONGEST_NAME for one in named.split(b"/"))


def _sane(value: Any) -> bool:
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, str):
        return len(value) <= LONGEST_TEXT and "\0" not in value
    if isinstance(value, int | float):
        return -LARGEST_NUMBER <= value <= LARGEST_NUMBER
    if isinstance(value, tuple | list):
        return len(value) <= MOST and all(map(_sane, value))
    return all(_sane(getattr(value, one.name)) for one in dataclasses.fields(value))
