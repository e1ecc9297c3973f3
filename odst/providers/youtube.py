"""YouTube and the other sites that yt-dlp knows by name; fetched in isolated children."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from odst.nursery import Nursery
from odst.providers import FIND_S, RESOLVE_S, fetch_in_nursery, read_candidate, read_offer
from shared.model.download import Candidate, Failure, Fetched, Offer, Options, Wanted
from shared.ports import Fetching

# Sites whose pages are taken to yt-dlp at once. All others go by way of `direct`, which asks yt-dlp when it meets a
# page: so this list saves a request, no more, and the serving process need not load 1,800 extractors.
_SITES = frozenset({
    "youtube.com", "youtu.be", "youtube-nocookie.com", "soundcloud.com", "snd.sc", "bandcamp.com", "archive.org",
    "mixcloud.com", "vimeo.com", "audiomack.com", "hearthis.at", "dailymotion.com", "twitch.tv", "nicovideo.jp",
    "bilibili.com", "jamendo.com", "reverbnation.com", "audius.co", "tiktok.com", "facebook.com", "instagram.com",
    "twitter.com", "x.com", "bbc.co.uk", "npr.org", "ted.com", "rumble.com", "odysee.com", "ardaudiothek.de",
    "ardmediathek.de", "boomplay.com", "freesound.org", "clyp.it", "iheart.com", "podcasts.apple.com", "vk.com",
})
_FILES = re.compile(r"\.(?:mp3|flac|ogg|oga|opus|m4a|wav|aiff?|aac|wma|wv|ape|m3u8?|pls|xspf|rss|xml)$", re.IGNORECASE)
_IDENTITY = re.compile(r"[A-Za-z0-9_-]{11}")


class YouTube:
    """Implements ports.Provider."""

    name = "youtube"
    slots = 3

    def __init__(self, *, nursery: Nursery, settings: Any) -> None:
        self._nursery = nursery
        self._settings = settings

    def understands(self, url: str) -> bool:
        return known_site(url)

    def resolve(self, url: str) -> Offer:
        limit = self._settings.download_batch_limit
        answer = self._run({"deed": "youtube.resolve", "url": url, "limit": limit}, RESOLVE_S)
        return read_offer(answer.get("offer"), source=self.name, limit=limit)

    def find(self, wanted: Wanted, options: Options, *, limit: int) -> list[Candidate]:
        """The person's own link alone, when there is one; else what a search offers."""
        if wanted.fetch_url:
            return [own_link(wanted, self.name, key_of(wanted.fetch_url))] if self.understands(wanted.fetch_url) else []
        words = " ".join(part for part in (wanted.artist or " ".join(wanted.artists), wanted.title) if part)
        if not words:
            return []
        answer = self._run({"deed": "youtube.search", "words": words, "limit": limit}, FIND_S)
        found = answer.get("candidates")
        if not isinstance(found, list):
            raise Failure("garbage", "YouTube's answer to the search is not understood.", provider=self.name)
        read = [read_candidate(one, provider=self.name) for one in found[:limit]]
        return [one for one in read if one is not None]

    def fetch(self, candidate: Candidate, fetching: Fetching) -> Fetched:
        return fetch_in_nursery(self._nursery, "youtube.fetch", candidate, fetching, source=self.name,
                                cookies=self._cookies())

    def operation(self, candidate: Candidate) -> str:
        return "fetch"

    def _run(self, job: dict[str, Any], limit_s: float) -> dict[str, Any]:
        try:
            return self._nursery.run({**job, "cookies": self._cookies()}, limit_s=limit_s)
        except Failure as failure:
            failure.provider = failure.provider or self.name
            raise

    def _cookies(self) -> str | None:
        path = getattr(self._settings, "download_cookies", None)
        return str(path) if path else None


def known_site(url: str) -> bool:
    """Whether `url` is a page of a site in the list, not a file that happens to lie there. Pure."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower().rstrip(".")
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or _FILES.search(parts.path):
        return False
    labels = host.split(".")
    return any(".".join(labels[at:]) in _SITES for at in range(len(labels) - 1))


def key_of(url: str) -> str | None:
    """The video's own id, when the link is one of YouTube's: so that "not this" knows it again."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if host == "youtu.be" and _IDENTITY.fullmatch(parts.path.strip("/")):
        return parts.path.strip("/")
    if host.endswith("youtube.com"):
        found = parse_qs(parts.query).get("v", [""])[0] or parts.path.rpartition("/")[2]
        if _IDENTITY.fullmatch(found):
            return found
    return None


def own_link(wanted: Wanted, provider: str, key: str | None = None) -> Candidate:
    """What the person's own link leads to: nothing to doubt."""
    return Candidate(
        provider=provider, locator={"key": key or wanted.fetch_url, "url": wanted.fetch_url},
        title=wanted.title or wanted.fetch_url or "?", artist=wanted.artist or ", ".join(wanted.artists),
        album=wanted.album, isrc=wanted.isrc, duration_ms=wanted.duration_ms, explicit=wanted.explicit, certain=True)
