"""What strangers write becomes plain text, and links of the web: no markup, no control characters, bounded."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

LONGEST_LINK = 4000
_BREAKS = frozenset({"p", "br", "div", "li", "ul", "ol", "h1", "h2", "h3", "h4", "h5", "h6", "tr", "table", "hr",
                     "blockquote", "pre", "section", "article"})
_UNSEEN = frozenset({"script", "style", "template", "noscript", "iframe", "svg", "math", "head", "title", "textarea"})
# Controls, those that turn the direction of writing, zero-width ones, and halves of characters.
_UNWANTED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb"
                       "\ud800-\udfff]")
_LOOKS_LIKE_MARKUP = re.compile(r"<[a-zA-Z/!?]|&(?:#|[a-zA-Z])")
READ_CHARACTERS = 200_000       # of one text, before it is cleaned


def line(value: object, longest: int = 500) -> str:
    """`value` as one line of plain text. Pure, and never fails."""
    return " ".join(_plain(value).split())[:longest].rstrip()


def paragraphs(value: object, longest: int = 20_000) -> str:
    """`value` as plain text with its paragraphs apart. Pure, and never fails."""
    lines = [" ".join(one.split()) for one in _plain(value).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()[:longest].rstrip()


def link(value: object, base: str = "") -> str:
    """A web link, as a whole; "" when it is none."""
    text = str(value or "").strip()
    if not text or len(text) > LONGEST_LINK:
        return ""
    try:
        whole = urljoin(base, text) if base else text
        parts = urlsplit(whole)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return ""
    if not good or re.search(r"[\x00-\x20\x7f\\\"<>]", whole):
        return ""
    return whole[:LONGEST_LINK]


def with_scheme(address: str) -> str:
    """What people write, feeds.example/show, with https:// in front; what says how it is reached as it is. Pure."""
    if not address or re.match(r"[A-Za-z][A-Za-z0-9+.-]*:(?!\d)", address):
        return address
    return "https://" + address.lstrip("/")


def _plain(value: object) -> str:
    text = ("" if value is None else str(value))[:READ_CHARACTERS]
    if _LOOKS_LIKE_MARKUP.search(text):
        reader = _Reader()
        reader.feed(text)
        reader.close()
        # What was escaped twice shows its markup only now; titles often are.
        text = reader.text()
        if _LOOKS_LIKE_MARKUP.search(text):
            text = re.sub(r"</?[a-zA-Z][^<>]{0,2000}>", " ", unescape(text))
    return _UNWANTED.sub("", text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " "))


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._parts: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNSEEN:
            self._unseen += 1
        elif tag in _BREAKS:
            self._parts.append("\n" if tag in ("br", "li", "tr") else "\n\n")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BREAKS:
            self._parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNSEEN:
            self._unseen = max(0, self._unseen - 1)
        elif tag in _BREAKS:
            self._parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self._parts.append(data)

    def text(self) -> str:
        return "".join(self._parts)
