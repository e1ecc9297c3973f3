"""The envelope in which every answer of /rest travels, as JSON, JSONP or XML.

An answer is a dict (or a dataclass or msgspec Struct) as its JSON is; the XML of the protocol follows from it by rule:

    text, number, boolean       an attribute
    object                      a child element
    list                        a child element each, also of texts and numbers
    `value`                     the element's own text (an attribute where it has children too)

Only the texts of ABOUT are elements each, as the protocol has it: programs look for them nowhere else.

None is left out wherever it stands, at no cost of a field that is supported: those are empty texts and lists.

A list may be Pieces: it is made while it is written, so that thousands of entries are never all in memory.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import msgspec
from flask import Request, Response

from shared import __version__
from shared.routes.respond import GZIP_FROM_BYTES, JSON, gzip, wants_gzip

VERSION = "1.16.1"      # of the Subsonic protocol
NAMESPACE = "http://subsonic.org/restapi"
XML = "text/xml; charset=utf-8"
FORMATS = ("xml", "json", "jsonp")
ABOUT = frozenset({"artistInfo", "artistInfo2", "albumInfo"})

# What a browser's script may be told to call: a name, or a path of names.
_CALLBACK = re.compile(r"[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*", re.ASCII)
_LONGEST_CALLBACK = 128

# What XML 1.0 cannot say at all, and what must be written another way inside an attribute.
_UNSAYABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MARKUP = re.compile('[&<>"]')
_SPECIAL = re.compile("[&<>\"\t\n\r]")
_WRITTEN = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}

PIECE = 500
_NOTHING: list[Any] = []


class Pieces:
    """A list that is made while it is written, PIECE entries at a time, by `make` of so many of `keys`; behind what
    `before` holds."""

    def __init__(self, make: Callable[[Sequence[Any]], list[Any]], keys: Sequence[Any],
                 before: list[Any] | Pieces = _NOTHING) -> None:
        self._make, self._keys, self._before = make, keys, before

    def __iter__(self) -> Iterator[list[Any]]:
        yield from self._before if isinstance(self._before, Pieces) else (self._before,)
        for begin in range(0, len(self._keys), PIECE):
            yield self._make(self._keys[begin:begin + PIECE])

    def each(self, become: Callable[[Any], Any]) -> Pieces:
        """The same list with what `become` makes of each entry."""
        first = self._before
        before = first.each(become) if isinstance(first, Pieces) else [become(one) for one in first]
        return Pieces(lambda keys: [become(one) for one in self._make(keys)], self._keys, before)


def listed(make: Callable[[Sequence[Any]], list[Any]], keys: Sequence[Any],
           before: list[Any] | Pieces = _NOTHING) -> list[Any] | Pieces:
    """What `make` makes of `keys`, behind what is `before` them: as it is when it is short, else in pieces."""
    if isinstance(before, list) and len(keys) <= PIECE:
        return [*before, *make(keys)]
    return Pieces(make, keys, before)


def _foreign(thing: Any) -> msgspec.Raw:
    if not isinstance(thing, Pieces):
        raise NotImplementedError(f"{type(thing).__name__} cannot be told as JSON")
    return msgspec.Raw(b"[" + b",".join(_encode(without_none(piece))[1:-1] for piece in thing if piece) + b"]")


_encode = msgspec.json.Encoder(enc_hook=_foreign).encode


def ok(payload: Mapping[str, Any] | None, asked: Request, format: str, callback: str | None = None) -> Response:
    """`payload` ({name of the answer: its content}; None: nothing but ok) in its envelope."""
    return _answer({"status": "ok", **_HEAD, **(payload or {})}, asked, format, callback)


def failed(code: int, message: str, asked: Request, format: str, callback: str | None = None) -> Response:
    """An error of the protocol. It travels with HTTP 200, as clients expect."""
    message = message.encode("utf-8", "replace").decode()
    return _answer({"status": "failed", **_HEAD, "error": {"code": code, "message": message}}, asked, format, callback)


_HEAD = {"version": VERSION, "type": "soundsible", "serverVersion": __version__, "openSubsonic": True}


def known_callback(name: str) -> bool:
    """Whether a script may be answered with a call of `name`."""
    return len(name) <= _LONGEST_CALLBACK and _CALLBACK.fullmatch(name) is not None


def _answer(content: dict[str, Any], asked: Request, format: str, callback: str | None) -> Response:
    if format == "xml":
        body, kind = xml_of(content), XML
    else:
        body, kind = _encode({"subsonic-response": without_none(content)}), JSON
        if format == "jsonp":
            body, kind = b"/**/" + (callback or "callback").encode() + b"(" + body + b");", "application/javascript"
    answer = Response(body, content_type=kind)
    if len(body) >= GZIP_FROM_BYTES:
        answer.headers["Vary"] = "Accept-Encoding"
        if wants_gzip(asked):
            answer.set_data(gzip(body))
            answer.headers["Content-Encoding"] = "gzip"
    answer.headers["Cache-Control"] = "no-store"
    return answer


def without_none(thing: Any) -> Any:
    """`thing` without what is None in its dicts. What is already encoded, or a Struct, is left as it is."""
    if type(thing) is dict:
        return {name: without_none(value) for name, value in thing.items() if value is not None}
    if type(thing) is list:
        return [without_none(one) for one in thing]
    return thing


# ---- XML ---------------------------------------------------------------------------------------------------------


def xml_of(content: Mapping[str, Any]) -> bytes:
    """A whole document of the envelope's content. About 15 µs for a song of forty fields."""
    parts: list[str | bytes] = ['<?xml version="1.0" encoding="UTF-8"?>\n']
    _element(parts, "subsonic-response", {"xmlns": NAMESPACE, **content})
    return _bytes(parts)


def _bytes(parts: Sequence[str | bytes]) -> bytes:
    """Bytes stand among texts where a piece of a long list was made; they are kept as they are."""
    whole: list[bytes] = []
    for kind, run in groupby(parts, type):
        if kind is bytes:
            whole += run    # type: ignore[arg-type]
        else:
            whole.append("".join(run).encode("utf-8", "replace"))     # type: ignore[arg-type]
    return b"".join(whole)


def _element(parts: list[str | bytes], name: str, content: Mapping[str, Any]) -> None:
    opening = f"<{name}"
    children: list[tuple[str, Any]] = []
    if name in ABOUT:
        content = {key: [value] if type(value) is str else value for key, value in content.items()}
    for key, value in content.items():
        kind = type(value)
        if kind is str:
            opening += f' {key}="{value if value.isalnum() or _plain(value) else _text(value)}"'
        elif kind is int:
            opening += f' {key}="{value}"'
        elif kind is bool:
            opening += f' {key}="true"' if value else f' {key}="false"'
        elif value is not None:
            if kind not in _BUILT_IN:   # a dataclass, a Struct, an enumeration …
                value = msgspec.to_builtins(value)
            if isinstance(value, list | tuple | dict | Pieces):
                children.append((key, value))
            else:
                opening += f' {key}="{_text(value)}"'
    text = ""
    if "value" in content and not children:
        text = _text(content["value"]) if content["value"] is not None else ""
        opening = f"<{name}" + "".join(f' {key}="{_text(value)}"' for key, value in content.items()
                                       if key != "value" and value is not None)
    if not children and not text:
        parts.append(opening + "/>")
        return
    parts.append(f"{opening}>{text}")
    for key, value in children:
        if type(value) is Pieces:
            for piece in value:
                its: list[str | bytes] = []
                _each(its, key, piece)
                parts.append(_bytes(its))
        else:
            _each(parts, key, (value,) if isinstance(value, dict) else value)
    parts.append(f"</{name}>")


def _each(parts: list[str | bytes], name: str, things: Sequence[Any]) -> None:
    """An element for each."""
    for one in things:
        kind = type(one)
        if kind is not str and kind not in _BUILT_IN:
            one = msgspec.to_builtins(one)
        if isinstance(one, dict):
            _element(parts, name, one)
        elif one is not None:
            parts.append(f"<{name}>{_text(one)}</{name}>")


_BUILT_IN = (dict, list, tuple, int, float, bool, Pieces)


def _text(value: Any) -> str:
    if value is True:
        return "true"
    if value is False:
        return "false"
    if type(value) is int or type(value) is float:
        return repr(value)
    text = value if type(value) is str else str(msgspec.to_builtins(value))
    return text if _plain(text) else _SPECIAL.sub(lambda found: _WRITTEN[found[0]], _UNSAYABLE.sub("", text))


def _plain(text: str) -> bool:
    """Whether a text stands in XML as it is. Sets of ASCII only are looked for by the regular expressions' fast way."""
    return text.isascii() and text.isprintable() and _MARKUP.search(text) is None
