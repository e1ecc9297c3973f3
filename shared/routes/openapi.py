"""Write the OpenAPI 3.1 document from the operations as they are declared, and show it as a page."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

import msgspec
from flask import Response, request

from shared import __version__
from shared.model.person import Person
from shared.routes.guard import COOKIE, SECURE_COOKIE
from shared.routes.operation import Door, Operation, Query
from shared.routes.respond import gzip, wants_gzip

_REF = "#/components/schemas/{name}"
_PATH = re.compile(r"<(?:\w+:)?(\w+)>")
_ROOMS = {
    "session": "Logging in, and the own account", "library": "The library", "edit": "Changing the library",
    "listening": "Listening", "likeness": "What goes with what", "playlists": "Playlists", "scan": "Scanning",
    "stream": "Sound", "covers": "Pictures",
    "users": "Accounts", "invitations": "Invitations", "login": "Logging in elsewhere", "audit": "The audit log",
    "downloads": "Downloads", "acquire": "What is offered outside", "watches": "What is watched",
    "cloud": "The three places", "pairing": "Pairing devices", "devices": "Devices and sessions",
    "system": "The station itself", "docs": "This description",
}
_WHO = {
    "open": "Needs no login.", "logged_in": "", "own_account": "Needs a login with the password, not a device's token.",
    "sees_files": "For owners and adults who see all folders.", "adds": "For who may add music.",
    "shares": "For owners and adults.",
    "edits": "For who may edit tags.", "deletes": "For who may delete tracks.", "owns": "For owners.",
}
PAGE_POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; "
               "form-action 'none'; frame-ancestors 'none'")


class ErrorWords(msgspec.Struct, kw_only=True, omit_defaults=True):
    code: str
    message: str
    details: dict[str, Any] = {}


class Error(msgspec.Struct, kw_only=True):
    """Every refusal and failure."""

    error: ErrorWords


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """The whole description. Costs some 30 ms; made once."""
    types: list[Any] = [Error]
    for one in operations:
        types += [kind for kind in (one.query, one.body, *one.answers.values())
                  if kind is not None and not isinstance(kind, str)]
    unique = list({repr(kind): kind for kind in types}.values())
    schemas, components = msgspec.json.schema_components(unique, ref_template=_REF)
    schema_of = {repr(kind): schema for kind, schema in zip(unique, schemas, strict=True)}

    paths: dict[str, dict[str, Any]] = {}
    for one in operations:
        path = _PATH.sub(r"{\1}", one.path)
        paths.setdefault(path, {})[one.method.lower()] = _operation(one, schema_of, components)
    rooms = dict.fromkeys(one.room for one in operations)
    for one in operations:      # a query is told as parameters
        if one.query is not None:
            components.pop(one.query.__name__, None)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Soundsible", "version": __version__,
            "description": "A self-hosted music station. Ids are opaque and stay the same through rescans, retags and "
                           "moves. Times are RFC 3339 UTC, durations end in _ms, sizes in _bytes. No list is null.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}, {"cookie": []}],
        "tags": [{"name": room, "description": _ROOMS.get(room, room)} for room in rooms],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": COOKIE,
                           "description": f"Over HTTPS it is called {SECURE_COOKIE}, and only that one counts."},
            },
        },
    }


def _operation(one: Operation, schema_of: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "operationId": one.name, "tags": [one.room], "summary": one.summary,
        "description": _description(one),
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in _PATH.findall(one.path)
        ],
        "responses": {str(status): _answer(status, kind, schema_of) for status, kind in one.answers.items()},
    }
    if one.query is not None:
        shape = components[one.query.__name__]
        required = set(shape.get("required", ()))
        told["parameters"] += [
            {"name": name, "in": "query", "required": name in required, "schema": schema}
            for name, schema in shape["properties"].items()
        ]
    if one.body is not None:
        told["requestBody"] = {"required": not one.body_optional,
                               "content": {"application/json": {"schema": schema_of[repr(one.body)]}}}
    failures = set(one.errors)
    if one.allows != "open":
        failures.add(401)
    if one.allows not in ("open", "logged_in"):
        failures.add(403)
    if one.body is not None or one.query is not None:
        failures.add(400)
    for status in sorted(failures):
        empty = status in (304,)
        told["responses"][str(status)] = (
            {"description": HTTPStatus(status).phrase} if empty else _answer(status, Error, schema_of))
    if one.allows == "open":
        told["security"] = []
    return told


def _description(one: Operation) -> str:
    """The route's own words, those of its query, and who may."""
    query = "" if one.query is None else (one.query.__doc__ or "")
    words = (one.details, query if query != Query.__doc__ else "", _WHO[one.allows])
    return " ".join(re.sub(r"\s*\n\s*", " ", text) for text in words if text)


def _answer(status: int, kind: Any, schema_of: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if isinstance(kind, str):
        told["content"] = {kind: {}}
    elif kind is not None:
        told["content"] = {"application/json": {"schema": schema_of[repr(kind)]}}
    return told


def door(*, operations: Callable[[], Sequence[Operation]]) -> Door:
    """`operations`: all of the station, these included."""
    door = Door("docs")
    folder = Path(__file__).parent / "docs"
    made: dict[str, tuple[bytes, bytes, str]] = {}      # name → body, gzipped, etag

    def kept(name: str, make: Callable[[], bytes]) -> tuple[bytes, bytes, str]:
        if name not in made:
            body = make()
            made[name] = (body, gzip(body, 6), f'W/"{hashlib.blake2b(body, digest_size=12).hexdigest()}"')
        return made[name]

    def send(name: str, kind: str, make: Callable[[], bytes]) -> Response:
        body, packed, etag = kept(name, make)
        headers = {"ETag": etag, "Cache-Control": "private, no-cache", "Vary": "Accept-Encoding",
                   "Content-Security-Policy": PAGE_POLICY}
        if etag in request.headers.get("If-None-Match", ""):
            return Response(status=304, headers=headers)
        if wants_gzip(request):
            return Response(packed, headers={**headers, "Content-Encoding": "gzip"}, content_type=kind)
        return Response(body, headers=headers, content_type=kind)

    @door.get("/openapi.json", allows="logged_in", answers={200: "application/json"})
    def openapi(person: Person) -> Response:
        """This description, as OpenAPI 3.1."""
        return send("openapi.json", "application/json", lambda: msgspec.json.encode(document(operations())))

    @door.get("/docs", allows="logged_in", answers={200: "text/html"})
    def docs(person: Person) -> Response:
        """This description, as a page."""
        return send("docs.html", "text/html; charset=utf-8", (folder / "docs.html").read_bytes)

    @door.get("/docs/docs.js", allows="logged_in", answers={200: "text/javascript"})
    def docs_js(person: Person) -> Response:
        """What draws the page."""
        return send("docs.js", "text/javascript; charset=utf-8", (folder / "docs.js").read_bytes)

    @door.get("/docs/docs.css", allows="logged_in", answers={200: "text/css"})
    def docs_css(person: Person) -> Response:
        """How the page looks."""
        return send("docs.css", "text/css; charset=utf-8", (folder / "docs.css").read_bytes)

    return door
