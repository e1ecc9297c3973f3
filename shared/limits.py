"""How often one client may ask: a rate for everything, and smaller ones for what is open to strangers or costs much.

The rate for everything stands before the application and costs one microsecond a request; Flask-Limiter, asked for
every request, costs ninety, so it counts only what LIMITS names. A client is a household (serving.admission). This
machine's own addresses may stand for many people (a reverse proxy that is not named, a tunnel): they may ask MANY times
as often. Both are in memory: a restart forgets.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask, request
from flask_limiter import Limiter, RequestLimit

from shared.model.errors import TooOften
from shared.routes.guard import API_POLICY, HEADERS
from shared.routes.operation import Operation
from shared.serving.admission import household

MANY = 10               # people that this machine's own addresses may stand for
HOUSEHOLDS = 8192       # that are remembered

# (method, path) → how often one household may. Guesses at logins have a limit of their own (security.throttle).
LIMITS = {
    ("POST", "/api/pairing/claim"): "60 per minute",
    ("POST", "/api/pairing/tokens"): "120 per minute",
    ("POST", "/api/pairing/move"): "60 per minute",
    ("GET", "/api/invitations/<code>"): "60 per minute",
    ("POST", "/api/invitations/<code>/accept"): "30 per minute",
    ("GET", "/share/<code>/about"): "120 per minute",
    ("GET", "/share/<code>/stream/<n>"): "600 per minute",
    ("GET", "/share/<code>/cover/<n>"): "600 per minute",
    ("GET", "/login/oidc"): "30 per minute",
    ("GET", "/login/oidc/callback"): "30 per minute",
    ("GET", "/api/export"): "20 per minute",
    ("POST", "/api/import"): "20 per minute",
    ("POST", "/api/stations"): "20 per minute",
    ("POST", "/api/stations/<id>/copy"): "20 per minute",
}

_HERE = "this machine"
_MESSAGE = "Too many requests; try again in {s} s."

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Rates:
    """A bucket for each household that holds one second's requests and fills steadily. Safe from any thread."""

    def __init__(self, *, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._clock = clock
        self._filled: dict[str, tuple[float, float]] = {}      # household → (left, when); who asked last is last
        self._lock = threading.Lock()

    def take(self, address: str) -> bool:
        """Whether `address` may ask now; costs it one request."""
        home = household(address)
        most = self._per_second if home is not None else self._per_second * MANY
        home = home or _HERE
        now = self._clock()
        with self._lock:
            left, at = self._filled.pop(home, (most, now))
            left = min(most, left + (now - at) * most)
            enough = left >= 1.0
            self._forget(now)
            self._filled[home] = (left - enough, now)
            return enough

    def _forget(self, now: float) -> None:
        """Make room for one. Who was silent for a second has a full bucket; when all are busy, who was silent for
        longest goes, and stands first: cheap, however many ask."""
        while self._filled:
            first = next(iter(self._filled))
            if len(self._filled) < HOUSEHOLDS and now - self._filled[first][1] < 1.0:
                return
            del self._filled[first]


class Pace:
    """WSGI: answers 429 for who asks faster than `rates` lets it. For all of the station, /socket.io too."""

    def __init__(self, app: WsgiApp, *, rates: Rates) -> None:
        self._app = app
        self._rates = rates

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if self._rates.take(environ.get("REMOTE_ADDR", "")):
            return self._app(environ, start_response)
        body = json.dumps({"error": {"code": TooOften.code, "message": _MESSAGE.format(s=1)}}).encode()
        start_response("429 Too Many Requests", [
            ("Content-Type", "application/json"), ("Content-Length", str(len(body))), ("Retry-After", "1"),
            ("Cache-Control", "no-store"), ("Content-Security-Policy", API_POLICY), *HEADERS,
        ])
        return [body]


def install(app: Flask, operations: Iterable[Operation], *, requests_per_second: int) -> None:
    """Hold both kinds on `app`, whose routes are installed."""
    limiter = Limiter(_client, storage_uri="memory://", strategy="moving-window", on_breach=_refuse)
    limiter.init_app(app)
    app.before_request_funcs[None].remove(limiter._check_request_limit)     # it would look at every request
    for one in operations:
        limit = LIMITS.get((one.method, one.path))
        if limit is not None:
            app.view_functions[one.endpoint] = _limited(limiter, one, limit, app.view_functions[one.endpoint])
    app.wsgi_app = Pace(app.wsgi_app, rates=Rates(per_second=requests_per_second))  # type: ignore[method-assign]


def _limited(limiter: Limiter, operation: Operation, limit: str, view: Callable[..., Any]) -> Callable[..., Any]:
    amount, _, rest = limit.partition(" ")

    def ask(**given: Any) -> Any:
        return view(**given)

    ask.__qualname__ = ask.__name__ = operation.endpoint    # Flask-Limiter knows views by their names
    return limiter.limit(lambda: f"{int(amount) * (MANY if _client() == _HERE else 1)} {rest}")(ask)


def _client() -> str:
    return household(request.remote_addr or "") or _HERE


def _refuse(breached: RequestLimit) -> None:
    wait_s = max(1, int(breached.reset_at - time.time()) + 1)
    raise TooOften(_MESSAGE.format(s=wait_s), retry_after_s=wait_s)
