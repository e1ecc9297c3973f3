"""In a worker: read a feed, or an OPML file. Strangers wrote it; it is opened where it can do no harm.

feedparser knows every dialect of RSS and Atom. It is given no more entries than are kept: an item costs it a
millisecond, whatever it says. Document types are not read at all, so that no entity means anything.
"""

from __future__ import annotations

import calendar
import re
from html import unescape
from typing import Any

from shared.model.errors import UnreadableFile
from shared.model.podcast import Feed, FeedEpisode
from shared.podcasts.cleaning import line, link, paragraphs

MOST_ITEMS = 5_000          # of one feed that are read, the first ones in it: feeds begin with what is new
MOST_OUTLINES = 5_000       # of one OPML file
DEEPEST = 100               # outlines within outlines
DEEPEST_ELEMENT = 2_000     # of a feed; what is never closed counts, and costs feedparser the square of its depth
LONGEST_GUID = 1_000
_ENDS = re.compile(rb"</\s*(?:[A-Za-z_][\w.-]*:)?(item|entry)\s*>", re.IGNORECASE)
_OUTER = re.compile(rb"<\s*(?:[A-Za-z_][\w.-]*:)?(rss|feed|RDF)\b", re.IGNORECASE)
_PIECES = re.compile(rb"<!\[CDATA\[|<!--|<(/?)[A-Za-z_][^<>]*>")     # of which the first two hide what is in them
_TYPE = re.compile(rb"<!DOCTYPE", re.IGNORECASE)
_AUDIO_ENDINGS = (".mp3", ".m4a", ".m4b", ".aac", ".ogg", ".oga", ".opus", ".flac", ".wav", ".mp4", ".webm")


def feed(content: bytes, url: str, content_type: str = "") -> Feed:
    """A feed's content, as it came. Raises UnreadableFile when it is none."""
    import feedparser

    cut, content = _shortened(_utf8(content))
    if _too_deep(content):
        raise UnreadableFile("This is no feed that can be read: its elements stand in one another without end.",
                             reason="damaged")
    headers = {"content-location": url, "content-type": content_type or "application/xml"}
    said = feedparser.parse(content, response_headers=headers, sanitize_html=False, resolve_relative_uris=False)
    show = said.get("feed") or {}
    entries = said.get("entries") or []
    if not said.get("version") and not entries:
        raise UnreadableFile("This is no feed: neither RSS nor Atom.", reason="damaged")
    episodes = [one for one in (_episode(entry, url) for entry in entries[:MOST_ITEMS]) if one is not None]
    return Feed(
        title=line(show.get("title")), author=line(show.get("author") or show.get("publisher")),
        description=paragraphs(_longest(show.get("subtitle"), show.get("summary"), show.get("description"))),
        link=link(show.get("link"), url), language=line(show.get("language"), 20),
        image_url=link((show.get("image") or {}).get("href") or show.get("logo") or show.get("icon"), url),
        episodes=tuple(episodes), cut=cut or len(entries) > MOST_ITEMS,
    )


def named_by(page: bytes, url: str) -> str:
    """The feed that a web page names in its head; "" when it names none."""
    for tag in re.findall(rb"<link\b[^<>]{0,2000}>", page[:500_000], re.IGNORECASE):
        said = tag.decode("utf-8", "replace")
        if re.search(r"""type\s*=\s*["']?application/(?:rss|atom)\+xml""", said, re.IGNORECASE):
            found = re.search(r"""href\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))""", said, re.IGNORECASE)
            if found:
                return link(unescape(found[1] or found[2] or found[3] or ""), url)
    return ""


def opml(text: str) -> list[dict[str, str]]:
    """The feeds that an OPML file names, wherever they stand in it: [{url, title}]; url as it stands there, perhaps no
    link at all. Raises UnreadableFile."""
    from defusedxml import ElementTree
    from defusedxml.common import DefusedXmlException

    # It has been decoded already: what it says of its encoding no longer holds.
    text = re.sub(r"^\s*<\?xml[^>]*\?>", "", text.lstrip("\ufeff"))
    try:
        root = ElementTree.fromstring(text.encode("utf-8", "replace"), forbid_dtd=True)
    except DefusedXmlException:
        raise UnreadableFile("An OPML file with a document type or entities is not read.", reason="damaged") from None
    except (ElementTree.ParseError, ValueError, RecursionError) as error:
        raise UnreadableFile("This is no OPML file: it is not well-formed XML.", reason="damaged") from error
    if str(root.tag).rpartition("}")[2].lower() != "opml":
        raise UnreadableFile("This is no OPML file: it does not begin with <opml>.", reason="damaged")
    found: list[dict[str, str]] = []
    left: list[tuple[Any, int]] = [(root, 0)]
    while left and len(found) < MOST_OUTLINES:
        element, depth = left.pop()
        attributes = {str(name).lower(): str(value) for name, value in element.attrib.items()}
        if attributes.get("xmlurl"):
            found.append({"url": attributes["xmlurl"].strip()[:5000],
                          "title": line(attributes.get("title") or attributes.get("text"))})
        if depth < DEEPEST:
            left += [(child, depth + 1) for child in reversed(list(element))]
    return found


# ---- entries ---------------------------------------------------------------------------------------------------------


def _episode(entry: Any, url: str) -> FeedEpisode | None:
    sound = _sound(entry, url)
    if sound is None:
        return None
    href, kind, size = sound
    title = line(entry.get("title")) or line(entry.get("subtitle")) or href.rpartition("/")[2][:200] or "?"
    content = [one.get("value") for one in entry.get("content") or [] if isinstance(one, dict)]
    guid = line(entry.get("id"), LONGEST_GUID) or href
    return FeedEpisode(
        guid=guid, title=title, url=href, mime_type=kind, size_bytes=size,
        description=paragraphs(_longest(entry.get("summary"), entry.get("subtitle"), *content)),
        duration_ms=duration_ms(entry.get("itunes_duration")),
        published_at=_when(entry.get("published_parsed") or entry.get("updated_parsed")),
        season=_whole(entry.get("itunes_season")), number=_whole(entry.get("itunes_episode")),
        image_url=link((entry.get("image") or {}).get("href"), url), explicit=entry.get("itunes_explicit") is True,
    )


def _sound(entry: Any, base: str) -> tuple[str, str, int | None] | None:
    """(link, type, size) of the first thing to hear."""
    given = [(one.get("href"), one.get("type"), one.get("length")) for one in entry.get("enclosures") or []]
    given += [(one.get("url"), one.get("type"), one.get("filesize")) for one in entry.get("media_content") or []]
    found = []
    for href, kind, size in given:
        whole, kind = link(href, base), line(kind, 100).lower()
        if not whole:
            continue
        audible = kind.startswith("audio/") or whole.partition("?")[0].lower().endswith(_AUDIO_ENDINGS)
        if audible or kind.startswith("video/") or not kind:
            found.append((not audible, whole, kind, _whole(size, 2**40)))
    if not found:
        return None
    _, whole, kind, size = min(found, key=lambda one: one[0])
    return whole, kind, size or None


def duration_ms(value: Any) -> int | None:
    """ "1:02:03", "62:03", "3723" and "3723.5" in milliseconds; None for anything else, and for nothing. Pure."""
    text = str(value or "").strip()
    if re.fullmatch(r"\d{1,4}(?::\d{1,2}){1,2}(?:\.\d+)?", text, re.ASCII):
        total = 0.0
        for part in text.split(":"):
            total = total * 60 + float(part)
    elif re.fullmatch(r"\d{1,7}(?:\.\d+)?", text, re.ASCII):
        total = float(text)
    else:
        return None
    return int(total * 1000) if 0 < total <= 7 * 86_400 else None


def _when(parsed: Any) -> float | None:
    try:
        at = float(calendar.timegm(parsed)) if parsed else None
    except (ValueError, OverflowError, TypeError):
        return None
    return at if at is not None and 0 <= at < 2**33 else None


def _whole(value: Any, most: int = 1_000_000) -> int | None:
    text = str(value if value is not None else "").strip()
    return int(text) if re.fullmatch(r"\d{1,13}", text, re.ASCII) and int(text) <= most else None


def _longest(*values: Any) -> str:
    return max((str(one) for one in values if one), key=len, default="")


# ---- the document ----------------------------------------------------------------------------------------------------


def _utf8(content: bytes) -> bytes:
    """UTF-16 and UTF-32 with a mark become UTF-8: what is looked for in the bytes is found in them."""
    for mark, name in ((b"\xff\xfe\x00\x00", "utf-32"), (b"\x00\x00\xfe\xff", "utf-32"), (b"\xff\xfe", "utf-16"),
                       (b"\xfe\xff", "utf-16")):
        if content.startswith(mark):
            text = content.decode(name, "replace").lstrip("\ufeff")
            return re.sub(r"^\s*<\?xml[^>]*\?>", '<?xml version="1.0" encoding="utf-8"?>', text, count=1).encode()
    # What can be read as ASCII to here cannot be what it says.
    return re.sub(rb"""\A(\s*<\?xml[^>]{0,200}encoding\s*=\s*["'])utf-?(?:16|32)[a-z]{0,2}""", rb"\1utf-8", content,
                  count=1, flags=re.IGNORECASE)


def _shortened(content: bytes) -> tuple[bool, bytes]:
    """(whether something was cut, the document without its type and with no more entries than are read)."""
    content = _without_type(content)
    for count, end in enumerate(_ENDS.finditer(content), start=1):
        if count == MOST_ITEMS and _ENDS.search(content, end.end()):
            outer = _OUTER.search(content)
            root = outer[0].lstrip(b"< \t\r\n") if outer else b"rss"
            tail = b"</channel></" + root + b">" if root.lower() == b"rss" else b"</" + root + b">"
            return True, content[: end.end()] + tail
    return False, content


def _too_deep(content: bytes) -> bool:
    depth = at = 0
    while (tag := _PIECES.search(content, at)) is not None:
        at = tag.end()
        if tag[1] is None:
            end = content.find(b"]]>" if tag[0].startswith(b"<![") else b"-->", at)
            if end < 0:
                return False
            at = end
        elif tag[1]:
            depth = max(0, depth - 1)
        elif not tag[0].endswith(b"/>"):
            depth += 1
            if depth > DEEPEST_ELEMENT:
                return True
    return False


def _without_type(content: bytes) -> bytes:
    """Without <!DOCTYPE …[ … ]>: entities of its own are what bombs are made of."""
    begin, root = _TYPE.search(content), _OUTER.search(content)
    if begin is None or (root is not None and root.start() < begin.start()):
        return content      # what comes later is somebody's text
    depth, at = 0, begin.end()
    quote = b""
    while at < len(content):
        sign = content[at:at + 1]
        if quote:
            quote = b"" if sign == quote else quote
        elif sign in (b'"', b"'"):
            quote = sign
        elif sign == b"[":
            depth += 1
        elif sign == b"]":
            depth -= 1
        elif sign == b">" and depth <= 0:
            return content[: begin.start()] + content[at + 1:]
        at += 1
    return content[: begin.start()]
