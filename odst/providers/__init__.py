"""Providers fetch music. Here: what those have in common that work in the nursery's children.

What a child answers is looked at before it is believed: texts are bounded, numbers sane, files plain ones inside the
staging folder.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from odst.nursery import clean, read_progress
from shared.model.download import Candidate, Failure, Fetched, Offer, Wanted
from shared.ports import Fetching

FIND_S = 45.0           # for a search, all its requests
RESOLVE_S = 180.0       # a playlist of thousands is many pages
_KINDS = ("track", "album", "artist", "playlist")
_TEXTS = {"title": 500, "artist": 500, "album": 500, "album_artist": 500, "isrc": 20, "date": 10, "source_id": 500,
          "recording_mbid": 36, "release_mbid": 36, "lyrics": 100_000}
_NUMBERS = {"duration_ms": 10**9, "track_number": 9999, "track_total": 9999, "disc_number": 999, "disc_total": 999}
_LINKS = ("cover_url", "source_url", "fetch_url")


def text(value: Any, most: int = 500) -> str | None:
    """A text of a child, or None."""
    return clean(value, most) or None if isinstance(value, str) else None


def number(value: Any, most: int) -> int | None:
    """A positive whole number of a child, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most:
        return None
    return round(value)


def link(value: Any) -> str | None:
    """A web link of a child, or None. Whether it may be followed is for who follows it."""
    if isinstance(value, str) and len(value) <= 8000 and not re.search(r"[\x00-\x20\x7f]", value):
        with contextlib.suppress(ValueError):
            if urlsplit(value).scheme in ("http", "https") and urlsplit(value).hostname:
                return value
    return None


def read_wanted(said: Any, *, source: str) -> Wanted:
    """What a child says of a recording."""
    said = said if isinstance(said, Mapping) else {}
    fields: dict[str, Any] = {name: text(said.get(name), most) for name, most in _TEXTS.items()}
    fields |= {name: number(said.get(name), most) for name, most in _NUMBERS.items()}
    fields |= {name: link(said.get(name)) for name in _LINKS}
    for name in ("artists", "genres"):
        given = said.get(name)
        words = [text(one, 300) for one in given[:50]] if isinstance(given, list) else []
        fields[name] = tuple(word for word in words if word)
    if isinstance(said.get("explicit"), bool):
        fields["explicit"] = said["explicit"]
    if fields["isrc"] and not re.fullmatch(r"[A-Za-z]{2}[A-Za-z0-9]{3}[0-9]{7}", fields["isrc"]):
        fields["isrc"] = None
    if fields["date"] and not re.fullmatch(r"\d{4}(?:-\d\d(?:-\d\d)?)?", fields["date"]):
        fields["date"] = None
    return Wanted(source=source, **fields)


def read_offer(said: Any, *, source: str, limit: int) -> Offer:
    """What a child says that a link leads to. Raises Failure garbage."""
    if not isinstance(said, Mapping) or said.get("kind") not in _KINDS or not isinstance(said.get("tracks"), list):
        raise Failure("garbage", "What the link leads to is not understood.")
    tracks = tuple(read_wanted(one, source=source) for one in said["tracks"][:limit])
    if not tracks:
        raise Failure("not_audio", "There is nothing to hear at this link.")
    return Offer(
        kind=said["kind"], source=source, id=text(said.get("id")) or "?", title=text(said.get("title")) or "?",
        url=link(said.get("url")), artist=text(said.get("artist")), album=text(said.get("album")),
        date=tracks[0].date if said["kind"] == "track" else None, cover_url=link(said.get("cover_url")),
        duration_ms=number(said.get("duration_ms"), 10**9), isrc=tracks[0].isrc if said["kind"] == "track" else None,
        track_count=len(tracks) if said["kind"] != "track" else None, tracks=tracks)


def read_candidate(said: Any, *, provider: str) -> Candidate | None:
    """A search result of a child; None when it makes no sense."""
    locator = said.get("locator") if isinstance(said, Mapping) else None
    if not isinstance(locator, Mapping) or link(locator.get("url")) is None or text(locator.get("key")) is None:
        return None
    extra = said.get("extra")
    kept = {name: value for name, value in extra.items() if isinstance(name, str) and isinstance(
        value, str | int | float | bool)} if isinstance(extra, Mapping) else {}
    return Candidate(
        provider=provider, locator={"key": text(locator["key"]), "url": link(locator["url"])},
        title=text(said.get("title")) or "?", artist=text(said.get("artist")) or "", album=text(said.get("album")),
        duration_ms=number(said.get("duration_ms"), 10**9),
        explicit=said["explicit"] if isinstance(said.get("explicit"), bool) else None,
        extra={name[:40]: clean(value, 500) if isinstance(value, str) else value
               for name, value in list(kept.items())[:20]})


def file_in(folder: Path, name: Any) -> Path:
    """The plain file called `name` in `folder`. Raises Failure crashed when a child names anything else."""
    if isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}", name):
        path = folder / name
        with contextlib.suppress(OSError):
            found = os.lstat(path)
            if stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
                return path
    raise Failure("crashed", "The process that fetched it names a file that is not there.")


def fetch_in_nursery(nursery: Any, deed: str, candidate: Candidate, fetching: Fetching, *, source: str,
                     cookies: str | None) -> Fetched:
    """Have a child fetch the link of `candidate` into `fetching.folder`. See ports.Provider.fetch; failures that name
    nobody are `source`'s."""
    url = link(candidate.locator.get("url"))
    if url is None:
        raise Failure("bad_link", "The candidate has no link.", provider=source)
    job = {"deed": deed, "url": url, "quality": fetching.options.quality, "cookies": cookies}
    try:
        answer = nursery.run(job, folder=fetching.folder, on_message=_teller(fetching), rate=fetching.rate,
                             cancelled=fetching.cancelled, limit_s=fetching.limit_s, limit_bytes=fetching.limit_bytes)
        path = file_in(fetching.folder, answer.get("file"))
    except Failure as failure:
        failure.provider = failure.provider or source
        raise
    cover = None
    if answer.get("cover") is not None:
        with contextlib.suppress(Failure):
            cover = str(file_in(fetching.folder, answer["cover"]))
    return Fetched(path=str(path), said=read_wanted(answer.get("said"), source=source),
                   format_note=text(answer.get("format_note"), 100), cover=cover)


def _teller(fetching: Fetching) -> Callable[[dict[str, Any]], None]:
    def tell(message: dict[str, Any]) -> None:
        if "progress" in message:
            fetching.report(read_progress(message["progress"]))
        elif "log" in message:
            fetching.log(*message["log"])

    return tell
