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

from shared.subsonic.answer import Pieces
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


def _with(asked: Asked, **values: list[str]) -> Asked:
    return replace(asked, given={**asked.given, **values})


def ids_are_joined(asked: Asked) -> Asked:
    """`id=a;b` as id=a&id=b: two of one name are one to the program, with both ids."""
    joined = {name: [one for value in asked.given[name] for one in value.split(";")] for name in _IDS
              if any(";" in value for value in asked.given.get(name, ()))}
    return _with(asked, **joined) if joined else asked


_IDS = ("id", "artistId", "albumId")
_FIELD = re.compile(r'\b(?:artist|album|title):"([^"]*)"', re.ASCII)
_OR_FIELD = re.compile(r'\s+OR\s+(?:artist|album|title):"[^"]*"', re.ASCII)


def words_are_meant(asked: Asked) -> Asked:
    """A query of fields, `artist:"x" AND title:"y"`, as its words. Of what is one or the other (OR) the first."""
    query = asked.text("query") or asked.text("any")
    words = [word for word in _FIELD.findall(_OR_FIELD.sub("", query)) if word]
    if not words:
        return asked
    return _with(asked, **{name: [" ".join(words)] for name in ("query", "any") if name in asked.given})


def limit_is_the_size(asked: Asked) -> Asked:
    return asked if asked.has("size") or not asked.has("limit") else _with(asked, size=list(asked.given["limit"]))


def description_is_the_comment(asked: Asked) -> Asked:
    if asked.has("comment") or not asked.has("description"):
        return asked
    return _with(asked, comment=list(asked.given["description"]))


def nothing_is_made_public(asked: Asked) -> Asked:
    """Who takes songs out of a playlist says nothing of who sees it."""
    if not asked.has("public") or not asked.has("songIndexToRemove"):
        return asked
    return replace(asked, given={name: values for name, values in asked.given.items() if name != "public"})


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
    if isinstance(value, Pieces):
        return value.each(lambda one: _plain(name, one))
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
    Quirk(
        client=re.compile(r"DSub"), told=as_before_opensubsonic,
        why="It takes every `artist` in an answer for one of its artists, also the one inside a song's contributors: "
            "a search found people who were not searched for, and albums went by the name of whoever mixed them.",
        threads=("https://github.com/InstaZDLL/waveflow-server/blob/cf00a16e8d0ca78bafa9a7e2d45f9a67ad746941/docs/"
                 "subsonic-compatibility.md",
                 "https://github.com/daneren2005/Subsonic/blob/1a319189413be73fbd4976620ffd438e836955f4/app/src/main/"
                 "java/github/daneren2005/dsub/service/parser/SearchResult2Parser.java")),
    Quirk(
        client=re.compile(r"DSub"), calls=frozenset({"search", "search2", "search3"}), heard=words_are_meant,
        why="What was heard and starred offline is looked up with Lucene's syntax, artist:\"x\" AND title:\"y\": "
            "nothing would be found, and no play would count.",
        threads=("https://github.com/navidrome/navidrome/issues/1466",
                 "https://github.com/redshodan/unsonic/issues/93", "https://github.com/paroj/DSub2000/pull/4")),
    Quirk(
        client=re.compile(r"DSub"), heard=ids_are_joined,
        why="Artists and folders of the same name are one line there, with the ids of all of them between semicolons.",
        threads=("https://github.com/daneren2005/Subsonic/blob/6b08efedf0f212e99b627ebf590fa014b955351a/app/src/main/"
                 "java/github/daneren2005/dsub/service/parser/IndexesParser.java",)),
    Quirk(
        client=re.compile(r"Supersonic", re.IGNORECASE), calls=frozenset({"getAlbumList2"}), heard=limit_is_the_size,
        why="By year and by genre it says limit for size: its pages were ten albums long.",
        threads=("https://github.com/dweymouth/supersonic/blob/06b221a46d9df7091afd61347697491a8f365852/backend/"
                 "mediaprovider/subsonic/albumiterator.go",)),
    Quirk(
        client=re.compile(r"Supersonic", re.IGNORECASE), calls=frozenset({"updatePlaylist"}),
        heard=description_is_the_comment,
        why="The description of a new playlist comes as `description`, and would be lost.",
        threads=("https://github.com/dweymouth/supersonic/blob/b0d918b93ead8a0066e38fc885b8abbce2d62406/backend/"
                 "mediaprovider/subsonic/subsonicmediaprovider.go",)),
    Quirk(
        client=re.compile(r"Tempus", re.IGNORECASE), calls=frozenset({"updatePlaylist"}), heard=nothing_is_made_public,
        why="Taking a song out comes with public=true, whatever the playlist is: everybody would see it from then on.",
        threads=("https://github.com/eddyizm/tempus/blob/0625b7c63461c228bf1c2973ecac6a378486f9fa/app/src/main/java/com/"
                 "cappielloantonio/tempo/repository/PlaylistRepository.java",)),
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
