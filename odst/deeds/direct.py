"""Any audio link: a file, a stream of pieces, a feed, a playlist file, a page with something to hear on it."""

from __future__ import annotations

import contextlib
import functools
import re
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

import certifi

from odst.deeds import media, transfer
from odst.deeds.talk import Talk
from shared.model.download import Failure
from shared.model.units import MIB

LIST_BYTES = 16 * MIB       # of a feed or a playlist file


@functools.cache
def tls() -> ssl.SSLContext:
    """One TLS context for all sessions: making it costs more than a fork."""
    context = ssl.create_default_context(cafile=certifi.where())
    context.load_default_certs()
    return context


def warm() -> None:
    """See odst.fetch_process."""
    tls()


def fetch(job: Mapping[str, Any], talk: Talk) -> dict[str, Any]:
    """{"url", "quality", "cookies"?} → {"file", "said", "format_note", "cover"}."""
    url = job["url"]
    with talk.outbound.session(context=tls()) as session:
        try:
            brought = transfer.bring(session, url, talk)
        except transfer.Leads as leads:
            leads.answer.close()
            if leads.kind not in ("html", "hls"):
                raise Failure("not_audio", "The link leads to a list, not to one recording.") from None
            talk.log("info", "The link leads to a page; looking for something to hear on it."
                     if leads.kind == "html" else "The link leads to an HLS stream.")
            return _through_ytdlp("fetch", leads.kind, {**job, "source": "direct"}, talk)
    path, note = media.settle(brought.path, brought.kind)
    said = {"title": transfer.title_hint(url, brought.name), "source": "direct", "source_url": url, "source_id": url}
    return {"file": path.name, "said": said, "format_note": note, "cover": None, "resumed_at": brought.resumed_at}


def resolve(job: Mapping[str, Any], talk: Talk) -> dict[str, Any]:
    """{"url", "limit", "cookies"?} → {"offer": what it leads to}."""
    url, limit = job["url"], job["limit"]
    with talk.outbound.session(context=tls()) as session:
        kind, answer, head = transfer.look(session, url)
        leads = transfer.Leads(kind, answer, head)
        if kind in ("feed", "m3u", "pls", "xspf"):
            base = answer.url
            content = leads.read(LIST_BYTES)
            if kind == "feed":
                return {"offer": feed(content, url, limit)}
            return {"offer": _list(_entries(kind, content, base), url, limit, title=None)}
        try:
            if kind not in ("html", "hls"):
                if len(head) < transfer.SMALLEST_BYTES:
                    raise Failure("not_audio" if head else "empty", f"Only {len(head)} bytes are there; "
                                  "that is no music.")
                transfer._only_media(kind, answer, head)
                if transfer._length(answer) is None and any(name.lower().startswith("icy-") for name in answer.headers):
                    raise Failure("live", "The link leads to a live stream; that has no end to wait for.")
                name = transfer._disposition(answer.headers.get("Content-Disposition", ""))
                return {"offer": _one(url, transfer.title_hint(url, name) or url)}
        finally:
            answer.close()
    return _through_ytdlp("resolve", kind, {**job, "source": "direct"}, talk)


def feed(content: bytes, url: str, limit: int) -> dict[str, Any]:
    """An RSS or Atom feed's entries with a file, newest first as the feed has them."""
    import feedparser

    said = feedparser.parse(content, response_headers={"content-location": url})
    show = said.get("feed", {})
    name = _text(show.get("title"))
    by = _text(show.get("author"))
    picture = _link((show.get("image") or {}).get("href"))
    tracks = []
    for entry in said.get("entries", ())[:limit]:
        link = next((one.get("href") for one in entry.get("enclosures", ())
                     if str(one.get("type", "")).startswith(("audio/", "video/")) or _sounds(one.get("href"))), None)
        if link is None:
            link = next((one.get("url") for one in entry.get("media_content", ())
                         if str(one.get("type", "")).startswith("audio/")), None)
        link = _link(urljoin(url, link)) if link else None
        if link is None:
            continue
        day = entry.get("published_parsed") or entry.get("updated_parsed")
        tracks.append({
            "title": _text(entry.get("title")) or transfer.title_hint(link, None),
            "artist": _text(entry.get("author")) or by or name, "album": name,
            "date": f"{day.tm_year:04}-{day.tm_mon:02}-{day.tm_mday:02}" if day and day.tm_year > 0 else None,
            "duration_ms": _duration(entry.get("itunes_duration")),
            "cover_url": _link((entry.get("image") or {}).get("href")) or picture,
            "source": "direct", "source_url": _link(entry.get("link")) or link,
            "source_id": _text(entry.get("id")) or link, "fetch_url": link,
        })
    if not tracks:
        raise Failure("not_audio", "The feed has no entry with a file to hear.")
    return {"kind": "playlist", "source": "direct", "id": url, "title": name or url, "url": url, "artist": by,
            "cover_url": picture, "track_count": len(tracks), "tracks": tracks}


def _through_ytdlp(deed: str, kind: str, job: Mapping[str, Any], talk: Talk) -> dict[str, Any]:
    talk.say({"soon": "pages" if kind == "html" else "youtube"})    # the next one shall find it loaded
    from odst.deeds import youtube

    return getattr(youtube, deed)(job, talk)    # type: ignore[no-any-return]


def _entries(kind: str, content: bytes, base: str) -> list[tuple[str, str | None]]:
    """(link, title) of a playlist file."""
    text = content.decode("utf-8-sig", "replace")
    found: list[tuple[str, str | None]] = []
    if kind == "m3u":
        title = None
        for line in map(str.strip, text.splitlines()):
            if line.upper().startswith("#EXTINF"):
                title = line.partition(",")[2].strip() or None
            elif line and not line.startswith("#"):
                found.append((urljoin(base, line), title))
                title = None
    elif kind == "pls":
        files = dict(re.findall(r"(?mi)^File(\d+)\s*=\s*(\S.*?)\s*$", text))
        titles = dict(re.findall(r"(?mi)^Title(\d+)\s*=\s*(\S.*?)\s*$", text))
        found = [(urljoin(base, link), titles.get(number)) for number, link in
                 sorted(files.items(), key=lambda one: int(one[0]))]
    else:
        from defusedxml import ElementTree

        try:
            root = ElementTree.fromstring(content)
        except Exception as error:      # whatever the parser refuses
            raise Failure("garbage", "The playlist cannot be read.") from error
        for track in root.iter("{http://xspf.org/ns/0/}track"):
            link = track.findtext("{http://xspf.org/ns/0/}location")
            if link:
                found.append((urljoin(base, link.strip()), track.findtext("{http://xspf.org/ns/0/}title")))
    return found


def _list(entries: list[tuple[str, str | None]], url: str, limit: int, title: str | None) -> dict[str, Any]:
    tracks = []
    for link, name in entries[:limit]:
        if _link(link) is None:
            continue
        by, dash, rest = (name or "").partition(" - ")
        tracks.append({"title": (rest if dash else name) or transfer.title_hint(link, None) or link,
                       "artist": by.strip() if dash else None, "source": "direct", "source_url": link,
                       "source_id": link, "fetch_url": link})
    if not tracks:
        raise Failure("not_audio", "The playlist holds no link to something to hear.")
    return {"kind": "playlist", "source": "direct", "id": url, "url": url, "track_count": len(tracks),
            "title": title or transfer.title_hint(url, None) or url, "tracks": tracks}


def _one(url: str, title: str) -> dict[str, Any]:
    said = {"title": title, "source": "direct", "source_url": url, "source_id": url, "fetch_url": url}
    return {"kind": "track", "source": "direct", "id": url, "title": title, "url": url, "tracks": [said]}


def _link(value: Any) -> str | None:
    text = str(value or "").strip()
    with contextlib.suppress(ValueError):
        if urlsplit(text).scheme in ("http", "https") and urlsplit(text).hostname:
            return text
    return None


def _text(value: Any) -> str | None:
    text = re.sub(r"<[^>]{0,500}>", "", str(value or ""))
    return " ".join(text.split())[:500] or None


def _sounds(link: Any) -> bool:
    path = str(link or "").partition("?")[0]
    return path.lower().endswith((*media.PLAIN.values(), ".mp4", ".webm", ".oga"))


def _duration(value: Any) -> int | None:
    text = str(value or "").strip()
    if re.fullmatch(r"\d{1,3}(?::\d{1,2}){1,2}", text):
        total = 0
        for part in text.split(":"):
            total = total * 60 + int(part)
        return total * 1000
    return int(text) * 1000 if re.fullmatch(r"\d{1,6}", text) else None
