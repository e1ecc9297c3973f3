"""The way into /rest: read the call, let its person in, answer in the form that was asked for.

Nothing here is a second truth: each call asks the records and rooms that the player's routes ask. The account's
password is never taken; a program brings an app password of its own (security.app_passwords). No cookie counts here, so
pages of other sites may ask (they bring what they log in with themselves).
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote_plus

from flask import Blueprint, Response, g, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from shared.model.errors import (
    Forbidden,
    NotFound,
    NotLoggedIn,
    Overloaded,
    SoundsibleError,
    TooOften,
    TrackMissing,
)
from shared.model.person import Person
from shared.routes.operation import BODY_LIMIT_BYTES, RULES
from shared.subsonic import answer
from shared.subsonic.asking import Asked, Refused
from shared.subsonic.calls import Call, Calls, by_name

log = logging.getLogger(__name__)

PREFIX = "/rest"
EXPOSED = "Content-Length, Content-Range, Accept-Ranges, ETag, Retry-After"     # to pages of other sites
METHODS = ["GET", "POST", "HEAD", "OPTIONS"]
LONGEST_NAME = 64
MOST_PARAMETERS = 101_000       # of one form: a playlist of 100,000 songs
SHORT_FORM_BYTES = 16 * 1024    # is read at once, also a stranger's
LONGEST_FIRST = 1024            # bytes
# What must be known of a long form before it is read: whose it is, and how they are answered.
_FIRST = ("u", "p", "t", "s", "apiKey", "f", "callback", "c")
NOBODY = Person(user_id=0, id="", username="", role="guest", scope="listen")


class AppPasswords(Protocol):
    """Who is behind what a program brought. All raise NotLoggedIn and TooOften."""

    def by_key(self, key: str, *, address: str) -> Person: ...

    def by_password(self, username: str, password: str, *, address: str) -> Person: ...

    def by_digest(self, username: str, digest: str, salt: str, *, address: str) -> Person: ...


def door(*, rooms: Sequence[Calls], app_passwords: AppPasswords,
         meaning: Callable[[Asked, str], Asked] = lambda asked, name: asked,
         quirks: Callable[[Asked, str, Any], Any] = lambda asked, name, payload: payload) -> Blueprint:
    """`app.extensions["calls"]` are all of them by name.

    meaning     what a client means that asks otherwise than the protocol has it (subsonic.quirks)
    quirks      what a payload becomes for a client that needs it otherwise (subsonic.quirks)
    """
    calls = by_name(rooms)
    blueprint = Blueprint("subsonic", "shared.subsonic")

    @blueprint.route(f"{PREFIX}/<name>", methods=METHODS)
    def rest(name: str) -> Response:
        if request.method == "OPTIONS":
            return _open_to_pages(Response(status=204, headers={
                "Access-Control-Allow-Methods": "GET, POST, HEAD",
                "Access-Control-Allow-Headers": "Content-Type, Range, If-Range, If-None-Match",
                "Access-Control-Max-Age": "86400",
            }))
        return _open_to_pages(_answered(calls, app_passwords, meaning, quirks, name.removesuffix(".view")))

    blueprint.record_once(lambda state: state.app.extensions.update(calls=calls))
    return blueprint


def _open_to_pages(response: Response) -> Response:
    """Players that are pages of other sites work: nothing is given that was not logged in for in the same request."""
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Access-Control-Expose-Headers"] = EXPOSED
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


def _answered(calls: Mapping[str, Call], app_passwords: AppPasswords, meaning: Callable[[Asked, str], Asked],
              quirks: Callable[[Asked, str, Any], Any], name: str) -> Response:
    format, callback = "xml", None
    try:
        given, form = _given()
        format, callback = _form_of(given)
        call = calls.get(name)
        if call is None:
            response = answer.failed(Refused.GENERIC, f"There is no call {name[:LONGEST_NAME]!r} here.", request,
                                     format, callback)
            response.status_code = 404
            return response
        asked = Asked(given=given, person=NOBODY, client=_first(given, "c"), address=request.remote_addr or "")
        if call.allows != "open":
            g.asked_at = time.monotonic()       # what ends from now on ends this answer, too
            person = g.person = _who(given, app_passwords, asked.address)
            if not RULES[call.allows](person):
                raise Refused(Refused.FORBIDDEN, "This app password, or its person, may not do that here.")
            asked = Asked(given=_with(given, _read(form)) if form else given, person=person, client=asked.client,
                          address=asked.address)
        payload = call.deed(meaning(asked, call.name))
        if isinstance(payload, Response):
            return payload
        return answer.ok(quirks(asked, name, payload), request, format, callback)
    except Refused as problem:
        return answer.failed(problem.code, problem.message, request, format, callback)
    except SoundsibleError as problem:
        return _told(problem, format, callback)
    except HTTPException as problem:
        message = "The request's body is too large." if isinstance(problem, RequestEntityTooLarge) else problem.name
        return answer.failed(Refused.GENERIC, message, request, format, callback)
    except Exception:   # clients crash on an HTTP 500: they are told in their own way
        number = secrets.token_hex(4)
        log.exception("%s failed [%s]", name[:LONGEST_NAME], number)
        return answer.failed(Refused.GENERIC, f"Something went wrong inside the station. Its log tells more under "
                             f"{number}.", request, format, callback)


def _told(problem: SoundsibleError, format: str, callback: str | None) -> Response:
    code = Refused.GENERIC
    if isinstance(problem, NotFound | TrackMissing):
        code = Refused.NOT_FOUND
    elif isinstance(problem, Forbidden):
        code = Refused.FORBIDDEN
    elif isinstance(problem, NotLoggedIn):
        code = Refused.WRONG
    response = answer.failed(code, problem.message, request, format, callback)
    if isinstance(problem, TooOften):
        response.status_code = 429
    if isinstance(problem, TooOften | Overloaded):
        response.headers["Retry-After"] = str(max(1, int(problem.retry_after_s)))
    return response


# ---- what came ---------------------------------------------------------------------------------------------------


def _given() -> tuple[Mapping[str, Sequence[str]], bytes]:
    """(the query's parameters and behind them those of a form, a form that is left to be read). What comes as a form
    asks like GET from here on: a song has its ranges, and ends with its login, in whatever way it was asked for.

    Of a long form a stranger is let in to have it read: only what that needs is looked for in it. Raises Refused.
    """
    given: dict[str, Sequence[str]] = dict(request.args.lists())
    if request.method != "POST" or request.is_json:
        return given, b""
    request.method = "GET"
    if request.mimetype != "application/x-www-form-urlencoded":
        return given, b""
    request.max_content_length = BODY_LIMIT_BYTES
    form = request.get_data(cache=False)
    if len(form) <= SHORT_FORM_BYTES:
        return _with(given, _read(form)), b""
    return _with(given, {name: [value] for name in _FIRST if (value := _found(form, name))}), form


def _found(form: bytes, name: str) -> str:
    """The first value of a parameter, without reading the others; "" for an odd one."""
    sign = f"{name}=".encode()
    at = len(sign) if form.startswith(sign) else form.find(b"&" + sign) + len(sign) + 1
    if at <= len(sign) and not form.startswith(sign):
        return ""
    end = form.find(b"&", at)
    value = form[at:end if end >= 0 else len(form)]
    return unquote_plus(value.decode("utf-8", "replace")) if len(value) <= LONGEST_FIRST else ""


def _read(form: bytes) -> Mapping[str, Sequence[str]]:
    """Its parameters. Raises Refused for more than a whole playlist has."""
    found: dict[str, list[str]] = {}
    if form.count(b"&") >= MOST_PARAMETERS:
        raise Refused(Refused.GENERIC, f"At most {MOST_PARAMETERS} parameters in one call.")
    for name, value in parse_qsl(form.decode("utf-8", "replace"), keep_blank_values=True, errors="replace"):
        found.setdefault(name, []).append(value)
    return found


def _with(given: Mapping[str, Sequence[str]], more: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[str]]:
    return {name: [*given.get(name, ()), *more.get(name, ())] for name in dict.fromkeys((*given, *more))}


def _first(given: Mapping[str, Sequence[str]], name: str) -> str:
    return next((one for one in given.get(name, ()) if one != ""), "")


def _form_of(given: Mapping[str, Sequence[str]]) -> tuple[str, str | None]:
    """(format, callback). Raises Refused."""
    format = _first(given, "f").lower() or "xml"
    if format not in answer.FORMATS:
        raise Refused(Refused.GENERIC, f"The format is one of {', '.join(answer.FORMATS)}, not {format[:20]!r}.")
    if format != "jsonp":
        return format, None
    callback = _first(given, "callback")
    if not callback:
        raise Refused(Refused.MISSING, "JSONP needs the parameter callback.")
    if not answer.known_callback(callback):
        raise Refused(Refused.GENERIC, "The callback is not the name of a function.")
    return format, callback


def _who(given: Mapping[str, Sequence[str]], app_passwords: AppPasswords, address: str) -> Person:
    """The person behind the call. Raises Refused, TooOften."""
    username, password, digest, salt, key = (_first(given, name) for name in ("u", "p", "t", "s", "apiKey"))
    if key:
        if username or password or digest or salt:
            raise Refused(Refused.CONFLICT, "apiKey stands alone: without u, p, t and s.")
        try:
            return app_passwords.by_key(key, address=address)
        except NotLoggedIn:
            raise Refused(Refused.BAD_KEY, "This API key is not known here, or was revoked. Make an app password in "
                          "the player, under You, and use it as the key.") from None
    if not username:
        raise Refused(Refused.MISSING, "The user name (u), or an apiKey, is missing.")
    if digest:
        if password:
            raise Refused(Refused.CONFLICT, "Log in with p, or with t and s, not with both.")
        if not salt:
            raise Refused(Refused.MISSING, "The salt (s) is missing.")
        return app_passwords.by_digest(username, digest, salt, address=address)
    if not password:
        raise Refused(Refused.MISSING, "The password (p, or t and s) is missing.")
    if password.startswith("enc:"):
        try:
            password = bytes.fromhex(password[4:]).decode()
        except ValueError:
            raise Refused(Refused.WRONG, "The password after enc: is hexadecimal UTF-8.") from None
    return app_passwords.by_password(username, password, address=address)
