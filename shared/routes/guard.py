"""Who may: one look at every request before its route runs.

Closed by default: under /api nothing answers without login but what is declared open, not even a 404. A browser's
state-changing request must come from the station's own pages and carry JSON, with or without a cookie.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import quote_from_bytes

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException, UnsupportedMediaType

from shared.model.errors import Forbidden, Misdirected, NotLoggedIn, SoundsibleError
from shared.model.person import Person
from shared.routes import respond
from shared.routes.conditional import Headers
from shared.routes.operation import API, RULES, Operation, is_json

COOKIE = "soundsible_session"
# Over HTTPS: browsers take it from this very host only and never send it over HTTP, where others could read it.
SECURE_COOKIE = "__Host-soundsible"
REST = "/rest"     # where programs of the OpenSubsonic API ask (shared.subsonic.door)
_WRITTEN = bytes(range(0x80)).decode()      # in a query stays as it is
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_REFUSED = {
    "own_account": "This device may listen or add music, not change the account. Log in with the password for that.",
    "sees_files": "Files and folders are shown to the owner and adults of this station.",
    "adds": "You may not add music here; an owner of this station can allow it.",
    "shares": "Owners and adults of this station share by links, with devices that may add.",
    "edits": "You may not change the library here; an owner of this station can allow it.",
    "deletes": "You may not move tracks to the trash here; an owner of this station can allow it.",
    "owns": "Only an owner of this station may do that.",
}

HEADERS = (     # of every answer
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
)
# An answer of the API shown as a page (a cover, an error, an audio file with HTML in it) may load and run nothing.
API_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"


def token_of(authorization: str, cookies: Mapping[str, str], *, secure: bool) -> tuple[str | None, bool]:
    """The token a request brings, and whether it came as the cookie. A Bearer token goes before the cookie. `secure`:
    it came over HTTPS, where only the cookie that was given there counts."""
    scheme, _, token = authorization.strip().partition(" ")
    if scheme.lower() == "bearer":
        return token.strip() or None, False
    token = cookies.get(SECURE_COOKIE if secure else COOKIE, "")
    return token or None, bool(token)


def token_of_request() -> tuple[str | None, bool]:
    """The same for the request at hand."""
    return token_of(request.headers.get("Authorization", ""), request.cookies, secure=request.is_secure)


def give_cookie(answer: Response, token: str, max_age_s: int | None) -> None:
    """Have the browser that asks keep `token`."""
    answer.set_cookie(SECURE_COOKIE if request.is_secure else COOKIE, token, max_age=max_age_s, path="/",
                      secure=request.is_secure, httponly=True, samesite="Lax")


def take_cookie(answer: Response) -> None:
    """Have it forget the one that counts here."""
    answer.delete_cookie(SECURE_COOKIE if request.is_secure else COOKIE, path="/", secure=request.is_secure,
                         httponly=True, samesite="Lax")


class Guard:
    """Holds the rules of `operations`.

    who          the person behind (token, client's address), or None; quick (asked for every request).
    host_named   whether a Host header names this station.
    same_site    whether a state-changing request, by its headers, comes from the station's own pages or from no
                 browser at all.
    """

    def __init__(
        self,
        *,
        who: Callable[[str, str], Person | None],
        host_named: Callable[[str], bool],
        same_site: Callable[[Headers], bool],
        operations: Iterable[Operation],
    ) -> None:
        self._who = who
        self._host_named = host_named
        self._same_site = same_site
        self._operations = {operation.endpoint: operation for operation in operations}

    def install(self, app: Flask) -> None:
        app.before_request(self.check)
        app.after_request(self.dress)
        app.register_error_handler(SoundsibleError, self.refuse)
        app.register_error_handler(HTTPException, respond.error_of_http)
        app.register_error_handler(Exception, respond.error_of_defect)

    def check(self) -> None:
        """Raises what is wrong with the request: 421, 403, 415, 401."""
        if not self._host_named(request.headers.get("Host", "")):
            raise Misdirected(
                "This station does not go by that name. Ask it by its IP address or its own name, or add the name to "
                "SOUNDSIBLE_ALLOWED_HOSTS."
            )
        if not request.query_string.isascii():
            # Some programs send letters as they are, and strangers any byte: as if they had been written as they ought.
            request.query_string = quote_from_bytes(request.query_string, safe=_WRITTEN).encode()
        path = request.path
        # At /rest forms are taken from anywhere: no cookie counts there, a program brings its login with each call.
        if request.method not in SAFE_METHODS and not path.startswith(REST + "/"):
            self._check_writing()
        operation = self._operations.get(request.endpoint or "")
        if operation is None and path != API and not path.startswith(API + "/"):
            return
        token, _ = token_of_request()
        g.asked_at = time.monotonic()
        person = self._who(token, request.remote_addr or "") if token is not None else None
        g.person = person
        if person is None:
            if operation is None or operation.allows != "open":
                raise NotLoggedIn("Log in first: this needs a session's cookie or a token.")
        elif operation is not None and not RULES[operation.allows](person):
            raise Forbidden(_REFUSED.get(operation.allows, "You may not do that."))

    def _check_writing(self) -> None:
        if not self._same_site(request.headers):
            raise Forbidden("The request comes from another site's page; only the station's own pages may do that.")
        kind = request.headers.get("Content-Type")
        told = request.environ.get("headers_raw")
        if told is not None and not any(name.lower() == "content-type" for name, _ in told):
            kind = None     # eventlet makes one up
        has_body = bool(request.content_length) or "Transfer-Encoding" in request.headers
        if not is_json(kind) if kind else has_body:
            raise UnsupportedMediaType

    @staticmethod
    def refuse(problem: SoundsibleError) -> Response:
        answer = respond.error_of(problem)
        if answer.status_code == 401:
            answer.headers["WWW-Authenticate"] = "Bearer"
        return answer

    @staticmethod
    def dress(answer: Response) -> Response:
        """The headers that every answer carries; a page that has its own policy keeps it."""
        headers = answer.headers
        for name, value in HEADERS:
            if name not in headers:
                headers[name] = value
        if "Content-Security-Policy" not in headers:
            headers["Content-Security-Policy"] = API_POLICY
        return answer
