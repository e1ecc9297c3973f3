"""Declare what a route takes, answers and allows, next to the route; check it before the route runs.

    door = Door("library")

    @door.get("/library/tracks/<id>", allows="logged_in", answers={200: Track})
    def one_track(person: Person, id: str) -> Track: ...

From the same declaration the request is validated, the guard knows who may, and /api/openapi.json is written.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from flask import Blueprint, Response, g, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge, UnsupportedMediaType

from shared.model.errors import BadInput
from shared.model.person import Person
from shared.routes.respond import json_of

API = "/api"
BODY_LIMIT_BYTES = 4 * 1024 * 1024      # a playlist of 100,000 tracks is 2 MB
OPEN_BODY_LIMIT_BYTES = 16 * 1024       # of who is not logged in

# Who may. Each route names one; guard.py holds it.
RULES: Mapping[str, Callable[[Person], bool]] = {
    "open": lambda person: True,                            # also without login
    "logged_in": lambda person: True,
    "own_account": lambda person: person.scope == "own",    # no device that may only listen or add
    "sees_files": lambda person: person.sees_files,
    "adds": lambda person: person.adds,
    "shares": lambda person: person.shares,
    "edits": lambda person: person.edits,
    "deletes": lambda person: person.deletes,
    "owns": lambda person: person.owns,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path, as it is promised."""

    method: str
    path: str                           # as Flask writes it, whole
    allows: str                         # a word of RULES
    answers: Mapping[int, Any]          # status → type of its JSON; None: no body; "image/webp": other content
    name: str                           # of the function that answers
    summary: str
    details: str = ""
    room: str = ""                      # the door it belongs to
    query: type | None = None
    body: type | None = None
    body_optional: bool = False
    errors: tuple[int, ...] = field(default=())

    @property
    def endpoint(self) -> str:
        return f"{self.room}.{self.name}"

    @property
    def status(self) -> int:
        """What a plain return value is answered with: the first."""
        return int(next(iter(self.answers)))


class Door(Blueprint):
    """A Blueprint that remembers its operations."""

    def __init__(self, name: str) -> None:
        super().__init__(name, f"shared.routes.{name}")
        self.operations: list[Operation] = []

    def get(self, path: str, **declared: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:  # type: ignore[override]
        return self._operation("GET", path, declared)

    def post(self, path: str, **declared: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:  # type: ignore[override]
        return self._operation("POST", path, declared)

    def put(self, path: str, **declared: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:  # type: ignore[override]
        return self._operation("PUT", path, declared)

    def patch(self, path: str, **declared: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:  # type: ignore[override]
        return self._operation("PATCH", path, declared)

    def delete(self, path: str, **declared: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:  # type: ignore[override]
        return self._operation("DELETE", path, declared)

    def _operation(self, method: str, path: str,
                   declared: dict[str, Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        outside = declared.pop("outside", False)    # not beneath API: what is there for who is not logged in

        def take(deed: Callable[..., Any]) -> Callable[..., Any]:
            summary, _, details = inspect.cleandoc(deed.__doc__ or "").partition("\n")
            whole = path if outside else API + path
            operation = Operation(method=method, path=whole, name=deed.__name__, room=self.name,
                                  summary=summary.rstrip("."), details=details.strip(), **declared)
            if operation.allows not in RULES:
                raise ValueError(f"{method} {path} allows {operation.allows!r}, which is no rule")
            self.operations.append(operation)
            self.add_url_rule(operation.path, operation.name, _answering(operation, deed), methods=[method])
            return deed

        return take


def _answering(operation: Operation, deed: Callable[..., Any]) -> Callable[..., Response]:
    """`deed` as Flask calls it: with its person, query and body, and its answer as JSON."""
    takes_person = "person" in inspect.signature(deed).parameters
    query, body, status = operation.query, operation.body, operation.status
    for shape in (query, body):
        if shape is not None:
            learn(shape)

    def answer(**given: Any) -> Response:
        if takes_person:
            given["person"] = g.get("person")
        if query is not None:
            given["query"] = read_query(query)
        if body is not None:
            given["body"] = read_body(body, optional=operation.body_optional)
        elif operation.method != "GET":
            read_body(Nothing, optional=True)
        made = deed(**given)
        if isinstance(made, Response):
            return made
        if made is None:
            return Response(status=status)
        return json_of(made, status)

    answer.__name__ = operation.name
    return answer


# ---- what a request brings ---------------------------------------------------------------------------------------


class Body(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A request's JSON object. Unknown fields are refused with their name."""


class Nothing(Body):
    """No fields; `{}` and no body at all are the same."""


class Query(msgspec.Struct, kw_only=True):
    """A request's query. Unknown names are let be, as everywhere on the web; an empty value is none."""


def learn(shape: type[Any]) -> None:
    """Have msgspec look at a shape before there are threads. It does so when it first reads one, and when a second
    thread reads the same one meanwhile, the process crashes (msgspec 0.22)."""
    msgspec.json.Decoder(shape)


learn(Nothing)


def read_query(shape: type[Any]) -> Any:
    """The query as `shape`. Raises BadInput with the field."""
    given = {name: value for name, value in request.args.items() if value != ""}
    try:
        return msgspec.convert(given, shape, strict=False)
    except msgspec.ValidationError as problem:
        raise _refusal(problem, "The query") from None


def read_body(shape: type[Any], *, optional: bool = False) -> Any:
    """The body as `shape`. Raises BadInput with the field; 413 and 415 as Werkzeug's exceptions."""
    request.max_content_length = BODY_LIMIT_BYTES if g.get("person") is not None else OPEN_BODY_LIMIT_BYTES
    try:
        text = request.get_data(cache=False)
    except RequestEntityTooLarge:
        raise
    except HTTPException:
        raise BadInput("The request's body ended before its announced length.") from None
    if not text:
        if optional:
            return shape()
        raise BadInput("A JSON object is expected as the request's body, and none came.")
    if not is_json(request.headers.get("Content-Type", "")):
        raise UnsupportedMediaType
    try:
        return msgspec.json.decode(text, type=shape)
    except msgspec.ValidationError as problem:
        raise _refusal(problem, "The body") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise BadInput(f"The body is not JSON: {problem}.") from None


def is_json(content_type: str) -> bool:
    """Whether a Content-Type is JSON (in UTF-8)."""
    kind, _, parameters = content_type.partition(";")
    charset = parameters.partition("charset=")[2].strip(' "').lower()
    return kind.strip().lower() == "application/json" and charset in ("", "utf-8", "utf8")


_FIELD = re.compile(r"\$\.([^\s.\[`]+)")
_NAMED = re.compile(r"field `([^`]*)`")


def _refusal(problem: msgspec.ValidationError, what: str) -> BadInput:
    """msgspec's sentence with the field's name in front and in the details."""
    text = str(problem)
    unknown = "unknown field" in text
    found = (_NAMED if unknown or "missing required" in text else _FIELD).search(text)
    sentence = text.partition(" - at `")[0]
    if found is None:
        return BadInput(f"{what} is not as expected: {sentence}.")
    name = found.group(1)
    if unknown:
        return BadInput(f"{what} has a field {name!r} that is not known here.", field=name)
    if "missing required" in text:
        return BadInput(f"{what} lacks the field {name!r}.", field=name)
    return BadInput(f"The field {name!r} is not as expected: {sentence}.", field=name)


def operations_of(doors: Iterable[Door]) -> list[Operation]:
    return [operation for door in doors for operation in door.operations]
