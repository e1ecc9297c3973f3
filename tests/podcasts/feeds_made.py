"""Feeds and a station for the tests of podcasts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from email.utils import formatdate
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from tests.holding.whole import Whole, whole
from tests.media_server import Asked, MediaServer, Thing

FIRST_AT = 1_700_000_000    # the day of episode 1; each further one comes a day later


def item(number: int, url: str, *, title: str | None = None, guid: str | None = None, extra: str = "",
         at: float | None = None) -> str:
    date = formatdate(FIRST_AT + 86_400 * number if at is None else at, usegmt=True)
    return (f"<item><title>{escape(title or f'Episode {number}')}</title>"
            f'<guid isPermaLink="false">{escape(guid or f"guid-{number}")}</guid><pubDate>{date}</pubDate>'
            f"<description>About {number}</description><itunes:duration>0:02</itunes:duration>"
            f'<enclosure url={quoteattr(url)} length="1000" type="audio/mpeg"/>{extra}</item>')


def rss(items: Iterable[str], *, title: str = "The Show", extra: str = "", encoding: str = "utf-8") -> bytes:
    """Newest first, as feeds are."""
    return (f'<?xml version="1.0" encoding="{encoding}"?><rss version="2.0" '
            'xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"><channel>'
            f"<title>{escape(title)}</title><itunes:author>Those Who Speak</itunes:author>"
            f"<description>What it is about</description><language>en</language>{extra}{''.join(items)}"
            "</channel></rss>").encode(encoding)


def minding_tags(content: Callable[[], bytes], etag: Callable[[], str]) -> Callable[[Asked], Thing]:
    """As a server that answers 304 to whoever knows the ETag."""
    def act(asked: Asked) -> Thing:
        if asked.headers.get("if-none-match") == etag():
            return Thing(b"", status=304, etag=False, headers={"ETag": etag()})
        return Thing(content(), "application/rss+xml", etag=False, headers={"ETag": etag()})

    return act


def station(folder: Path, server: MediaServer, **settings: Any) -> Whole:
    """With a music folder, that reaches `server` and fetches what it links to."""
    made = whole(folder / "home", https=False, download_providers=("direct",), download_catalogues=(),
                 allow_private_hosts=(server.allow,), download_min_free_bytes=0, **settings)
    music = folder / "music"
    music.mkdir(exist_ok=True)
    made.station.scans.add_root(str(music))
    return made


def until(seen: Callable[[], Any], timeout_s: float = 30.0) -> Any:
    """What `seen` gives once it is something."""
    ends_at = time.monotonic() + timeout_s
    while time.monotonic() < ends_at:
        if found := seen():
            return found
        time.sleep(0.02)
    raise AssertionError(f"it did not happen within {timeout_s:g} s")
