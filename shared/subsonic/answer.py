"""The envelope in which every answer of /rest travels, as JSON, JSONP or XML.

An answer is a dict (or a dataclass or msgspec Struct) as its JSON is; the XML of the protocol follows from it by rule:

    text, number, boolean       an attribute
    object                      a child element
    list                        a child element each, also of texts and numbers
    `value`                     the element's own text (an attribute where it has children too)

None is left out wherever it stands, at no cost of a field that is supported: those are empty texts and lists.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from flask import Request, Response

from shared import __version__
from shared.routes.respond import GZIP_FROM_BYTES, JSON, gzip, wants_gzip

VERSION = "1.16.1"      # of the Subsonic protocol
NAMESPACE = "http://subsonic.org/restapi"
XML = "text/xml; charset=utf-8"
FORMATS = ("xml", "json", "jsonp")

# What a browser's script may be told to call: a name, or a path of names.
_CALLBACK = re.compile(r"[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*", re.ASCII)
_LONGEST_CALLBACK = 128

# What XML 1.0 cannot say at all, and what must be written another way inside an attribute.
_UNSAYABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SPECIAL = re.compile("[&<>\"\t\n\r]")
_WRITTEN = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}

_encode = msgspec.json.Encoder().encode


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
    """A whole document of the envelope's content."""
    parts = ['<?xml version="1.0" encoding="UTF-8"?>\n']
    _element(parts, "subsonic-response", {"xmlns": NAMESPACE, **msgspec.to_builtins(content)})
    return "".join(parts).encode("utf-8", "replace")


def _element(parts: list[str], name: str, content: Mapping[str, Any]) -> None:
    parts.append("<" + name)
    children: list[tuple[str, Any]] = []
    text: str | None = None
    nested = any(isinstance(value, (list, dict)) for value in content.values())
    for key, value in content.items():
        if value is None:
            continue
        if isinstance(value, (list, dict)):
            children.append((key, value))
        elif key == "value" and not nested:
            text = _text(value)
        else:
            parts.append(f' {key}="{_text(value)}"')
    if not children and not text:
        parts.append("/>")
        return
    parts.append(">")
    if text:
        parts.append(text)
    for key, value in children:
        for one in value if isinstance(value, list) else (value,):
            if isinstance(one, dict):
                _element(parts, key, one)
            elif one is not None:
                parts.append(f"<{key}>{_text(one)}</{key}>")
    parts.append(f"</{name}>")


def _text(value: Any) -> str:
    if value is True:
        return "true"
    if value is False:
        return "false"
    if type(value) is int or type(value) is float:
        return repr(value)
    return _SPECIAL.sub(lambda found: _WRITTEN[found[0]], _UNSAYABLE.sub("", str(value)))
