"""Who is let in when many ask at once: room for streams, room for sockets, and always room for quick answers.

A stream or a socket holds its place (a thread) for minutes, a quick answer for milliseconds. Each kind has
a room of its own, so that paused players and open tabs never keep a search waiting; and one address may fill
only a part of each room, so that nobody locks the others out. Who finds it full hears 503 with Retry-After.

Five kinds have only a corner of a room, because anybody may ask for them, or because they last longer than the
others there: logins, long bodies and whatever asks hosts outside (who may not answer) among the quick answers,
sockets of who has not logged in among the sockets, and what is heard by a link without login among the streams.
"""

from __future__ import annotations

import ipaddress
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from shared.security.proxies import Networks

Kind = Literal["stream", "socket", "quick", "login", "body", "outside", "stranger", "shared"]
WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

STREAM_PATHS = (
    "/api/stream/", "/api/acquire/preview", "/rest/stream", "/rest/download", "/rest/hls", "/rest/getTranscodeStream",
)
LISTENING = re.compile(r"/api/(?:episodes|radios)/[^/]+/stream")
SHARED = re.compile(r"/share/[^/]+/stream/")
SOCKET_PATHS = ("/socket.io", "/api/downloads/manager/events")
LOGIN_PATHS = ("/api/session", "/api/setup")    # open to everybody, and each costs a hashed password
OUTSIDE_PATHS = ("/api/acquire/", "/api/stations/", "/login/oidc")
OUTSIDE_POSTS = ("/api/downloads/album", "/api/watches", "/api/stations", "/api/me/identity")
SMALL_BODY_BYTES = 64 * 1024    # up to here a body is gathered before a place is taken
PLACE = "soundsible.place"      # in a request's environ: its Place

RETRY_AFTER_S = 5
STRANGER_WAITS_S = 4.0  # for one of the few places, which are given on quickly; many clients give up after five
_BODY = json.dumps(
    {
        "error": {
            "code": "overloaded",
            "message": f"The station has its hands full; try again in {RETRY_AFTER_S} seconds.",
            "details": {"retry_after_s": RETRY_AFTER_S},
        }
    }
).encode()
_HEADERS = [
    ("Content-Type", "application/json"),
    ("Content-Length", str(len(_BODY))),
    ("Retry-After", str(RETRY_AFTER_S)),
    ("Cache-Control", "no-store"),
]


def refusal() -> bytes:
    """The whole 503 answer as it goes over the wire; the connection closes after it."""
    return on_the_wire("503 Service Unavailable", _HEADERS, _BODY)


def on_the_wire(status: str, headers: Iterable[tuple[str, str]], body: bytes) -> bytes:
    """An answer that a server gives without asking the application."""
    lines = [f"HTTP/1.1 {status}", "Connection: close", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def short_answer(status: str, code: str, message: str) -> bytes:
    """The same for an error of the client, in the shape of every error."""
    body = json.dumps({"error": {"code": code, "message": message}}).encode()
    return on_the_wire(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))], body)


def kind_of(method: str, path: str, *, claims: bool = True, long_body: bool = False) -> Kind:
    """How long a request will hold its place, told from its head alone.

    claims      whether it brings something that may be a login (heads.Head).
    long_body   whether its body is too long to have been gathered.
    """
    if path.startswith(SOCKET_PATHS):
        return "socket" if claims else "stranger"
    if path.startswith(STREAM_PATHS) and method != "HEAD":
        return "stream"
    if path.endswith("/stream") and LISTENING.match(path) and method != "HEAD":
        return "stream"
    if path.startswith("/share/") and SHARED.match(path) and method != "HEAD":
        return "shared"
    if is_login(method, path):
        return "login"
    if path.startswith(OUTSIDE_POSTS if method == "POST" else OUTSIDE_PATHS) and not path.startswith(STREAM_PATHS):
        return "outside"
    return "body" if long_body else "quick"


def is_login(method: str, path: str) -> bool:
    return method == "POST" and path.rstrip("/") in LOGIN_PATHS


def room_of(kind: Kind) -> Kind:
    """The room in which a kind has its places."""
    return _ROOM_OF.get(kind, kind)


_ROOM_OF: dict[Kind, Kind] = {"login": "quick", "body": "quick", "outside": "quick", "stranger": "socket",
                               "shared": "stream"}


@lru_cache(maxsize=4096)
def household(address: str) -> str | None:
    """What counts as one client: an IPv4 address, or an IPv6 /64; None for this machine (a proxy)."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            ip = ip.ipv4_mapped
        elif not ip.is_loopback:
            return str(ipaddress.ip_network((ip, 64), strict=False))
    return None if ip.is_loopback else str(ip)


@dataclass(frozen=True, slots=True)
class Room:
    """How many requests of one kind may be under way: in all, and from one household."""

    total: int
    per_household: int


@dataclass(frozen=True, slots=True)
class Rooms:
    """A room for each kind. Streams and sockets share their places: `together` is what both may hold.

    Who is in a corner (login, body, outside, stranger, shared) is in the room around it as well.
    """

    stream: Room
    socket: Room
    quick: Room
    together: int
    login: Room
    body: Room
    outside: Room
    stranger: Room
    shared: Room = Room(total=16, per_household=8)

    @property
    def threads(self) -> int:
        """How many threads can be at work at once."""
        return self.together + self.quick.total


def rooms_for(threads: int) -> Rooms:
    """Divide `threads` (64 or more): an eighth, 48 at least, for quick answers; the rest for streams and sockets,
    six sevenths at most for either. One household gets half of a room, of the quick answers' three quarters.

    The 400 of the default carry 300 paused players, or 300 sockets, and leave 50 for the other kind. Of the 50 quick
    places 16 are for logins at most, 12 for long bodies, and 16 for what asks outside; of the 300 sockets 40 for who
    has not logged in: the twenty that `shared.sockets` lets stay for a moment, and as many that come and go. Of the
    300 streams 60 are for who listens by a link.
    """
    quick = max(48, threads // 8)
    together = max(16, threads - quick)
    either = together * 6 // 7
    long_stay = Room(total=either, per_household=either // 2)
    strangers = max(4, either * 2 // 15)
    return Rooms(
        long_stay, long_stay, Room(total=quick, per_household=quick * 3 // 4), together,
        login=Room(total=quick // 3, per_household=quick // 4),
        body=Room(total=quick // 4, per_household=quick // 6),
        outside=Room(total=quick // 3, per_household=quick // 4),
        stranger=Room(total=strangers, per_household=strangers * 3 // 4),
        shared=Room(total=max(2, either // 5), per_household=max(2, either // 20)),
    )


class Admission:
    """Counts who is inside. Safe from any thread; each call costs about a microsecond.

    `exempt` names addresses and networks that stand for many people (a reverse proxy): for them only the totals hold.
    This machine's own addresses are exempt always, because that is where a proxy or a tunnel usually runs.
    """

    def __init__(self, *, rooms: Rooms, exempt: Collection[str] = ()) -> None:
        self.rooms = rooms
        self._exempt = Networks(exempt)
        self._inside: Counter[Kind] = Counter()
        self._households: Counter[tuple[Kind, str]] = Counter()
        self._lock = threading.Lock()

    def enter(self, kind: Kind, address: str) -> bool:
        """True: let in, `leave` must follow. False: the room, or this household's part of it, is full."""
        home = self.home(address)
        with self._lock:
            if self.full(kind) or any(self._full_for(one, home) for one in _kinds(kind)):
                return False
            for one in _kinds(kind):
                self._count(one, home, 1)
            return True

    def leave(self, kind: Kind, address: str) -> None:
        home = self.home(address)
        with self._lock:
            for one in _kinds(kind):
                self._count(one, home, -1)

    def move(self, corner: Kind, address: str, *, into: bool) -> bool:
        """Into a corner of the room one is in (False: it is full), or out of it again (always True)."""
        home = self.home(address)
        with self._lock:
            if into and (self._inside[corner] >= self._room(corner).total or self._full_for(corner, home)):
                return False
            self._count(corner, home, 1 if into else -1)
            return True

    def full(self, kind: Kind) -> bool:
        """Whether the room as a whole is full (not one household's part of it)."""
        room = room_of(kind)
        if room != "quick" and self._inside["stream"] + self._inside["socket"] >= self.rooms.together:
            return True
        return any(self._inside[one] >= self._room(one).total for one in _kinds(kind))

    def inside(self, kind: Kind) -> int:
        return self._inside[kind]

    def _room(self, kind: Kind) -> Room:
        room: Room = getattr(self.rooms, kind)
        return room

    def home(self, address: str) -> str | None:
        """The household for which an address counts; None: it stands for many."""
        return None if address in self._exempt else household(address)

    def _full_for(self, kind: Kind, home: str | None) -> bool:
        return home is not None and self._households[kind, home] >= self._room(kind).per_household

    def _count(self, kind: Kind, home: str | None, change: int) -> None:
        self._inside[kind] += change
        if home is not None:
            self._households[kind, home] += change
            if not self._households[kind, home]:
                del self._households[kind, home]


def _kinds(kind: Kind) -> tuple[Kind, ...]:
    """A kind and, for a corner, the room around it."""
    room = room_of(kind)
    return (kind,) if room == kind else (kind, room)


class Place:
    """One request's place, from `enter` to `leave`. The application finds it in the environ as PLACE and may say
    whether the client behind a socket is known; until then who brought no login is a stranger. Safe from any thread.
    """

    def __init__(self, admission: Admission, kind: Kind, address: str) -> None:
        self._admission = admission
        self._kind: Kind = kind
        self._address = address
        self._left = False
        self._lock = threading.Lock()

    @property
    def kind(self) -> Kind:
        return self._kind

    @property
    def strangers(self) -> int:
        """How many strangers may stay at once, so that as many can come and go."""
        return max(1, self._admission.rooms.stranger.total // 2)

    def known(self) -> None:
        """The client has logged in: its socket may stay."""
        with self._lock:
            if not self._left and self._kind == "stranger":
                self._admission.move("stranger", self._address, into=False)
                self._kind = "socket"

    def unknown(self) -> bool:
        """What looked like a login is none. False: no stranger finds room any more; answer 503."""
        with self._lock:
            if self._left or self._kind != "socket":
                return True
            if not self._admission.move("stranger", self._address, into=True):
                return False
            self._kind = "stranger"
            return True

    def leave(self) -> None:
        """Once is enough."""
        with self._lock:
            if not self._left:
                self._left = True
                self._admission.leave(self._kind, self._address)


class Doorkeeper:
    """The same rule as WSGI middleware, for servers that give every connection a thread of its own, green or real.

    pause   waits so many seconds while the other connections go on.
    """

    def __init__(self, app: WsgiApp, *, admission: Admission, pause: Callable[[float], None] = time.sleep) -> None:
        self._app = app
        self._admission = admission
        self._pause = pause

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        claims = "HTTP_COOKIE" in environ or "HTTP_AUTHORIZATION" in environ or any(
            field.startswith("sid=") for field in environ.get("QUERY_STRING", "").split("&"))
        announced = environ.get("CONTENT_LENGTH") or "0"
        short = announced.isascii() and announced.isdigit() and int(announced) <= SMALL_BODY_BYTES
        kind = kind_of(environ["REQUEST_METHOD"], environ.get("PATH_INFO", ""), claims=claims,
                       long_body=not short or "HTTP_TRANSFER_ENCODING" in environ)
        address = environ.get("REMOTE_ADDR", "")
        if not self._enter(kind, address):
            start_response("503 Service Unavailable", _HEADERS)
            return [_BODY]
        place = environ[PLACE] = Place(self._admission, kind, address)
        try:
            body = self._app(environ, start_response)
        except BaseException:
            place.leave()
            raise
        return _Visit(body, leave=place.leave)

    def _enter(self, kind: Kind, address: str) -> bool:
        until = time.monotonic() + (STRANGER_WAITS_S if kind == "stranger" else 0.0)
        while not self._admission.enter(kind, address):
            if time.monotonic() >= until:
                return False
            self._pause(0.1)
        return True


class _Visit:
    """A response body; its place becomes free when the server closes it."""

    def __init__(self, body: Iterable[bytes], *, leave: Callable[[], None]) -> None:
        self._body = body
        self._leave: Callable[[], None] | None = leave

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        leave, self._leave = self._leave, None
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        finally:
            if leave is not None:
                leave()
