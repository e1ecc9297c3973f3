"""Who is let in when many ask at once: room for streams, room for sockets, and always room for quick answers.

A stream or a socket holds its place (a thread) for minutes, a quick answer for milliseconds. Each kind has
a room of its own, so that paused players and open tabs never keep a search waiting; and one address may fill
only a part of each room, so that nobody locks the others out. Who finds it full hears 503 with Retry-After.
"""

from __future__ import annotations

import ipaddress
import json
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

Kind = Literal["stream", "socket", "quick"]
WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

STREAM_PATHS = ("/api/stream/", "/rest/stream", "/rest/download", "/rest/hls", "/rest/getTranscodeStream")
SOCKET_PATHS = ("/socket.io", "/api/downloads/manager/events")

RETRY_AFTER_S = 5
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
    lines = ["HTTP/1.1 503 Service Unavailable", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in _HEADERS]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + _BODY


def kind_of(method: str, path: str) -> Kind:
    """How long a request will hold its place, told from its first line alone."""
    if path.startswith(SOCKET_PATHS):
        return "socket"
    if path.startswith(STREAM_PATHS) and method != "HEAD":
        return "stream"
    return "quick"


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
    """A room for each kind. Streams and sockets share their places: `together` is what both may hold."""

    stream: Room
    socket: Room
    quick: Room
    together: int

    @property
    def threads(self) -> int:
        """How many threads can be at work at once."""
        return self.together + self.quick.total


def rooms_for(threads: int) -> Rooms:
    """Divide `threads` (64 or more): an eighth, 48 at least, for quick answers; the rest for streams and sockets,
    six sevenths at most for either. One household gets half of a room, of the quick answers' three quarters.

    The 400 of the default carry 300 paused players, or 300 sockets, and leave 50 for the other kind.
    """
    quick = max(48, threads // 8)
    together = max(16, threads - quick)
    either = together * 6 // 7
    long_stay = Room(total=either, per_household=either // 2)
    return Rooms(long_stay, long_stay, Room(total=quick, per_household=quick * 3 // 4), together)


class Admission:
    """Counts who is inside. Safe from any thread; each call costs about a microsecond.

    `exempt` names addresses that stand for many people (a reverse proxy): for them only the totals hold.
    This machine's own addresses are exempt always, because that is where a proxy or a tunnel usually runs.
    """

    def __init__(self, *, rooms: Rooms, exempt: Collection[str] = ()) -> None:
        self.rooms = rooms
        self._exempt = frozenset(exempt)
        self._inside: Counter[Kind] = Counter()
        self._households: Counter[tuple[Kind, str]] = Counter()
        self._lock = threading.Lock()

    def enter(self, kind: Kind, address: str) -> bool:
        """True: let in, `leave` must follow. False: the room, or this household's part of it, is full."""
        room = self._room(kind)
        home = None if address in self._exempt else household(address)
        with self._lock:
            if self.full(kind):
                return False
            if home is not None:
                if self._households[kind, home] >= room.per_household:
                    return False
                self._households[kind, home] += 1
            self._inside[kind] += 1
            return True

    def leave(self, kind: Kind, address: str) -> None:
        home = None if address in self._exempt else household(address)
        with self._lock:
            self._inside[kind] -= 1
            if home is not None:
                self._households[kind, home] -= 1
                if not self._households[kind, home]:
                    del self._households[kind, home]

    def full(self, kind: Kind) -> bool:
        """Whether the room as a whole is full (not one household's part of it)."""
        if kind != "quick" and self._inside["stream"] + self._inside["socket"] >= self.rooms.together:
            return True
        return self._inside[kind] >= self._room(kind).total

    def inside(self, kind: Kind) -> int:
        return self._inside[kind]

    def _room(self, kind: Kind) -> Room:
        return {"stream": self.rooms.stream, "socket": self.rooms.socket, "quick": self.rooms.quick}[kind]


class Doorkeeper:
    """The same rule as WSGI middleware, for servers that give every connection a thread of its own."""

    def __init__(self, app: WsgiApp, *, admission: Admission) -> None:
        self._app = app
        self._admission = admission

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        kind = kind_of(environ["REQUEST_METHOD"], environ.get("PATH_INFO", ""))
        address = environ.get("REMOTE_ADDR", "")
        if not self._admission.enter(kind, address):
            start_response("503 Service Unavailable", _HEADERS)
            return [_BODY]
        try:
            body = self._app(environ, start_response)
        except BaseException:
            self._admission.leave(kind, address)
            raise
        return _Visit(body, leave=lambda: self._admission.leave(kind, address))


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
