"""What single programs need otherwise than the protocol says: one table, each row with its reason and its thread.

A row changes what a program is heard to ask, or what it is told; everybody else's calls pass untouched. What a program
does otherwise than documented and harms nobody (a version of its own, other cover ids, empty parameters) is taken from
all, where it is read, and has no row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from shared.subsonic.asking import Asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirk:
    """One program's. `client`: how it names itself (`c`), from the beginning. `calls`: the calls concerned; empty: all.
    """

    client: re.Pattern[str]
    calls: frozenset[str] = frozenset()
    why: str
    threads: tuple[str, ...]
    heard: Callable[[Asked], Asked] | None = None       # what it means by what it asks
    told: Callable[[Any], Any] | None = None            # what it can read of an answer

    def concerns(self, asked: Asked, name: str) -> bool:
        return (not self.calls or name in self.calls) and self.client.match(asked.client) is not None


# ---- deeds ---------------------------------------------------------------------------------------------------------

_FIRST_MS = 100_000_000_000     # as a number of seconds that is the year 5138, as milliseconds 1973


def seconds_are_meant(asked: Asked) -> Asked:
    """Moments that were given in seconds (or under the name date) as what they are in milliseconds, as `time`."""
    given = dict(asked.given)
    moments = [*given.get("time", ()), *([] if "time" in given else given.pop("date", ()))]
    if not moments:
        return asked
    given["time"] = [f"{one}000" if one.isdecimal() and int(one[:20]) < _FIRST_MS else one for one in moments]
    return replace(asked, given=given)


# What songs, albums, artists and playlists had before OpenSubsonic: Subsonic's own schema, 1.16.1.
_ENTRIES = frozenset({"song", "entry", "child", "album", "artist", "playlist", "match"})
_OLD = frozenset({
    "id", "parent", "isDir", "title", "album", "artist", "track", "year", "genre", "coverArt", "size", "contentType",
    "suffix", "transcodedContentType", "transcodedSuffix", "duration", "bitRate", "path", "isVideo", "userRating",
    "averageRating", "playCount", "discNumber", "created", "starred", "albumId", "artistId", "type",
    "bookmarkPosition", "name", "songCount", "albumCount", "artistImageUrl", "comment", "owner", "public", "changed",
    "allowedUser", *_ENTRIES,
})


def as_before_opensubsonic(payload: Any) -> Any:
    """Entries with what they had before OpenSubsonic alone: no lists and objects in them, and fewer words."""
    return {name: _plain(name, value) for name, value in payload.items()} if isinstance(payload, Mapping) else payload


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(name, one) for one in value]
    if not isinstance(value, Mapping):
        return value
    return {key: _plain(key, one) for key, one in value.items() if name not in _ENTRIES or key in _OLD}


# ---- the table -----------------------------------------------------------------------------------------------------

QUIRKS = (
    Quirk(
        client=re.compile(r"Amperfy", re.IGNORECASE), calls=frozenset({"scrobble"}), heard=seconds_are_meant,
        why="What was heard offline came with the moment as `date`, and in seconds; later versions send `time`, first "
            "in seconds, then in milliseconds.",
        threads=("https://github.com/BLeeEZ/amperfy/issues/461", "https://github.com/BLeeEZ/amperfy/pull/605",
                 "https://github.com/BLeeEZ/amperfy/pull/622")),
    Quirk(
        client=re.compile(r"SubMusic", re.IGNORECASE), calls=frozenset({"scrobble"}), heard=seconds_are_meant,
        why="The moment comes in seconds: everything would have been heard in January 1970.",
        threads=("https://github.com/memen45/SubMusic/issues/108",)),
    Quirk(
        client=re.compile(r"SubMusic", re.IGNORECASE), told=as_before_opensubsonic,
        why="A Garmin watch has little memory for an answer: a playlist of twenty songs with all that OpenSubsonic "
            "adds is too large, and is not synced.",
        threads=("https://github.com/memen45/SubMusic/issues/109", "https://github.com/memen45/SubMusic/issues/37")),
    Quirk(
        client=re.compile(r"Clementine", re.IGNORECASE), told=as_before_opensubsonic,
        why="It shows an empty library where songs and albums hold what OpenSubsonic added to them.",
        threads=("https://github.com/clementine-player/Clementine/issues/7323",
                 "https://github.com/navidrome/navidrome/issues/2924")),
)


def meaning(asked: Asked, name: str) -> Asked:
    """What the program means by the call `name`."""
    if asked.client:
        for one in QUIRKS:
            if one.heard is not None and one.concerns(asked, name):
                asked = one.heard(asked)
    return asked


def fitting(asked: Asked, name: str, payload: Any) -> Any:
    """What the answer `payload` of the call `name` becomes for the program that asks."""
    if asked.client:
        for one in QUIRKS:
            if one.told is not None and one.concerns(asked, name):
                payload = one.told(payload)
    return payload
