"""Tell open players what happens, over Socket.IO: the library's revision, scans, notices, other devices' playing.

Everything is told by one thread, the feed's herald, in one order; `seq` counts what this client was told, without gaps,
from the snapshot's on. Each message is encoded once and given to the kernel at once; only a client that is slow to take
it gets a queue, and when that is full it is let go and hears a fresh snapshot when it comes back.

Anybody may open a socket, and the token may come only after it is open. So who is not logged in yet is a stranger: of
these a few may stay for a moment, and the one that has stayed longest gives way to the next. Who brings a session's
cookie or a Bearer token is known from the beginning.

Flask-SocketIO carries it. Some of its habits are changed here, because every open player costs them: a thread that
only sleeps until the next ping, a thread that only reads, a thread woken for every message (200 players: 20 ms, now 3),
compression with a window per socket, and messages of any length. This relies on inner names of engineio and
simple-websocket, so their versions are pinned and tests/shared/test_sockets.py holds each promise.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import socket as net
import struct
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from http.cookies import CookieError, SimpleCookie
from typing import Any, ClassVar
from urllib.parse import parse_qs

import msgspec
from engineio import packet as engine
from engineio.async_drivers._websocket_wsgi import SimpleWebSocketWSGI
from engineio.exceptions import SocketIsClosedError
from flask import Flask, request
from flask_socketio import SocketIO
from simple_websocket import ConnectionClosed
from simple_websocket import Server as WebSocket
from wsproto.events import CloseConnection
from wsproto.utilities import ProtocolError

from shared.events import EventBus, PersonChanged, SessionsEnded
from shared.feed import Feed, Told
from shared.model.person import Person
from shared.routes.guard import token_of
from shared.security.hosts import host_named, own_names
from shared.security.origin import same_origin, same_site

log = logging.getLogger(__name__)

PATH = "/socket.io"
MESSAGE_BYTES = 64 * 1024       # of what a client sends
WAITING_LIMIT = 256             # messages a client may leave untaken
PING_EVERY_S = 25.0
PING_PATIENCE_S = 20.0
CHECK_EVERY_S = 5.0             # dead sockets
STRANGERS = 20                  # open sockets of who has not logged in, unless the server names a smaller number
STRANGER_S = 3.0                # so long one of them may stay
SEAT_S = 0.1                    # so long it stays at least: enough for a token to arrive while others flood in
STRANGER_POLL_S = 0.25          # so long its poll is kept waiting
LOGIN_PATIENCE_S = 10.0         # from opening to logging in, for who came with a valid token
RECHECK_EVERY_S = 60.0          # that an open socket's token still counts
RELAYS_PER_S, RELAYS_AT_ONCE = 20.0, 40.0   # playback messages of one socket

PLACE = "soundsible.place"      # in the environ: the request's serving.admission.Place, if the server keeps places
_KNOWN = "soundsible.known"     # in the environ: whether it came with a valid token

_encode = msgspec.json.Encoder().encode


@dataclass(slots=True, eq=False)
class Listener:
    """One open player that has logged in."""

    sid: str            # Socket.IO's name for it, shown to the person's other devices
    engine_sid: str
    token: str
    address: str
    person: Person
    checked_at: float
    seq: int = 0        # of the last thing it was told
    allowance: float = RELAYS_AT_ONCE
    allowance_at: float = field(default_factory=time.monotonic)

    def may_relay(self) -> bool:
        now = time.monotonic()
        self.allowance = min(RELAYS_AT_ONCE, self.allowance + (now - self.allowance_at) * RELAYS_PER_S)
        self.allowance_at = now
        if self.allowance < 1:
            return False
        self.allowance -= 1
        return True


class Sockets:
    """The open players, and how they are told what happens.

    accounts    security.accounts.Accounts: who is behind a token.
    feed        what happens, as it is told.
    names       the station's own names that were found out (discovery), beside those that are fixed.
    """

    def __init__(self, *, events: EventBus, accounts: Any, feed: Feed, settings: Any,
                 names: Callable[[], Collection[str]] = frozenset) -> None:
        self._events = events
        self._accounts = accounts
        self._feed = feed
        self._allowed: tuple[str, ...] = tuple(settings.allowed_hosts)
        self._own_names, self._found_names = own_names(allowed=self._allowed), names

        self._open: dict[str, Listener] = {}        # sid → who
        self._admitted: dict[str, Listener] = {}    # logged in, not yet welcomed
        self._strangers = Strangers()
        self._checking = False
        self._ending = False
        self._endings: list[Callable[[], None]] = []

        self.socketio = SocketIO()
        self._server: Any = None

    # ---- start and stop --------------------------------------------------------------------------------------------

    def init_app(self, app: Flask) -> None:
        """Answer /socket.io in front of `app`. Starts no thread: the first client does."""
        self.socketio.init_app(
            app, async_mode="threading", path=PATH, cors_allowed_origins=[], manage_session=False,
            async_handlers=False, monitor_clients=False, ping_interval=PING_EVERY_S, ping_timeout=PING_PATIENCE_S,
            max_http_buffer_size=MESSAGE_BYTES, json=_Json, logger=_Quiet, engineio_logger=_Quiet,
        )
        server, feed = self.socketio.server, self._feed
        self._server = server
        self.socketio.on("connect")(self._connect)
        self.socketio.on("disconnect")(self._disconnect)
        self.socketio.on("playback:state")(lambda data=None: self._relay("playback:state", data))
        self.socketio.on("playback:command")(lambda data=None: self._relay("playback:command", data))
        server.eio._async = {**server.eio._async, "websocket": _Upgrade, "queue": Outbox}
        start = server.eio.start_background_task

        def start_unless_ping(target: Callable[..., Any], *args: Any, **named: Any) -> Any:
            if getattr(target, "__name__", "") == "_send_ping":
                return feed.later(PING_EVERY_S, partial(self._ping, target.__self__))  # type: ignore[attr-defined]
            return start(target, *args, **named)

        server.eio.start_background_task = start_unless_ping
        server.eio.on("connect", self._enter)
        server.eio.on("disconnect", self._leave)
        welcome = server.manager.connect

        def connect(sid: str, namespace: str) -> str:
            """Socket.IO's own, after which the client is told how things stand."""
            known: str = welcome(sid, namespace)
            self._welcome(known)
            return known

        server.manager.connect = connect
        app.wsgi_app = _Gate(app.wsgi_app, sockets=self)  # type: ignore[method-assign]
        feed.attach(self._hear)
        self._endings.append(self._events.subscribe(SessionsEnded, self._hear_endings))
        self._endings.append(self._events.subscribe(PersonChanged, self._hear_person))

    def stop(self) -> None:
        """Close every socket; quick."""
        for end in self._endings:
            end()
        self._endings = []
        self._ending = True
        for engine_sid in list(self._server.eio.sockets) if self._server is not None else []:
            self._close(engine_sid)

    @property
    def count(self) -> int:
        """Players that are logged in and open now."""
        return len(self._open)

    # ---- clients come and go ---------------------------------------------------------------------------------------

    def allowed(self, environ: Mapping[str, Any]) -> int:
        """Whether a request to /socket.io may go on, by its headers: 0, or the status that refuses it."""
        host = environ.get("HTTP_HOST", "")
        if not host_named(host, self._own_names.union(self._found_names())):
            return 421
        origin = environ.get("HTTP_ORIGIN")
        headers = {name: environ[key] for name, key in _HEADERS if key in environ}
        secure = _secure(environ)
        if (origin is not None and not same_origin(origin, host, self._allowed, secure=secure)) or not same_site(
            headers, self._allowed, secure=secure
        ):
            return 403
        return 0

    def knows(self, environ: Mapping[str, Any], engine_sid: str) -> bool:
        """Whether a request comes from somebody who is logged in: by its session, or by cookie or Bearer token."""
        if engine_sid:
            socket = self._server.eio.sockets.get(engine_sid)
            return socket is not None and not socket.queue.stranger
        token, _ = _token_of(environ)
        return bool(token) and self._accounts.who(token, environ.get("REMOTE_ADDR", "")) is not None

    def _enter(self, engine_sid: str, environ: dict[str, Any]) -> None:
        """A new session of Engine.IO, in its first request's thread. A stranger may have to wait for its seat."""
        self._server._handle_eio_connect(engine_sid, environ)
        if not self._checking:
            self._checking = True
            self._feed.later(CHECK_EVERY_S, self._check)
        if environ.get(_KNOWN):
            self._feed.later(LOGIN_PATIENCE_S, partial(self._let_go_unless_logged_in, engine_sid))
            return
        self._server.eio.sockets[engine_sid].queue.stranger = True
        place = environ.get(PLACE)
        seats = STRANGERS if place is None else min(STRANGERS, place.strangers)
        gives_way = self._strangers.sit(engine_sid, environ.get("REMOTE_ADDR", ""), seats=seats)
        if gives_way is not None:
            self._close(gives_way)
        self._feed.later(STRANGER_S, partial(self._let_go_unless_logged_in, engine_sid))

    def _leave(self, engine_sid: str, reason: str) -> None:
        self._strangers.rise(engine_sid)
        self._server._handle_eio_disconnect(engine_sid, reason)

    def _let_go_unless_logged_in(self, engine_sid: str) -> None:
        known = (*self._open.copy().values(), *self._admitted.copy().values())
        if engine_sid in self._server.eio.sockets and all(one.engine_sid != engine_sid for one in known):
            self._close(engine_sid)

    def _connect(self, auth: Any = None) -> None:
        environ = request.environ
        token = auth.get("token") if isinstance(auth, dict) else None
        if not isinstance(token, str) or not token:
            token, _ = _token_of(environ)
        address = environ.get("REMOTE_ADDR", "")
        person = self._accounts.who(token, address) if token else None
        if person is None:
            raise ConnectionRefusedError("Log in first: this needs a session's cookie or a token.")
        sid: str = request.sid  # type: ignore[attr-defined]
        engine_sid = self._server.manager.eio_sid_from_sid(sid, "/")
        self._admitted[sid] = Listener(sid, engine_sid, token or "", address, person, time.monotonic())
        self._strangers.rise(engine_sid)
        socket = self._server.eio.sockets.get(engine_sid)
        if socket is not None:
            socket.queue.log_in()

    def _welcome(self, sid: str) -> None:
        """Tell how things stand; from then on it hears what happens. Between the two nothing is told to others."""
        self._feed.begin()
        with self._feed.lock:
            listener = self._admitted.pop(sid, None)
            if listener is None:
                return
            listener.seq = self._feed.number
            snapshot = {"seq": listener.seq, **self._feed.snapshot(listener.person)}
            self._put(listener, _message("snapshot", _encode(snapshot)))
            self._open[sid] = listener
        if self._accounts.who(listener.token, listener.address) is None:    # ended in this very moment
            self._dismiss([listener])

    def _disconnect(self, *reason: Any) -> None:
        sid: str = request.sid  # type: ignore[attr-defined]
        self._admitted.pop(sid, None)
        listener = self._open.pop(sid, None)
        if listener is not None and not self._ending:   # its connection may still be open
            self._feed.later(STRANGER_S, partial(self._let_go_unless_logged_in, listener.engine_sid))

    def _relay(self, event: str, data: Any) -> None:
        """From one device to the same person's others, or to the one it names in `to`."""
        listener = self._open.get(request.sid)  # type: ignore[attr-defined]
        if listener is None or not isinstance(data, dict) or not listener.may_relay():
            return
        others = [other for other in self._of(listener.person.user_id) if other is not listener]
        if event == "playback:command" and data.get("to") is not None:
            others = [other for other in others if other.sid == data["to"]]
        told = {name: value for name, value in data.items() if name not in ("seq", "from")}
        if others:
            self._feed.soon(lambda: self._pass_on(event, {**told, "from": listener.sid}, others))

    # ---- what they are told ------------------------------------------------------------------------------------------

    def _hear(self, told: Told) -> None:
        """In the feed's thread, inside its lock: give it to all who may hear it."""
        forms: dict[tuple[bool, bool, int], Message] = {}
        late = []
        for one in list(self._open.values()):
            if told.sees(one.person):
                one.seq += 1
                form = (one.person.sees_files, one.person.limited, one.seq)
                if form not in forms:
                    forms[form] = _message(told.event, told.object_for(one.person, one.seq))
                if not self._put(one, forms[form]):
                    late.append(one)
        if late:
            self._feed.soon(lambda: self._let_go(late))

    def _pass_on(self, event: str, data: Mapping[str, Any], whom: Iterable[Listener]) -> None:
        late = []
        with self._feed.lock:
            self._feed.advance()
            for one in whom:
                one.seq += 1
                if not self._put(one, _message(event, _encode({**data, "seq": one.seq}))):
                    late.append(one)
        self._let_go(late)

    def _hear_endings(self, event: SessionsEnded) -> None:
        ended = frozenset(event.token_ids)
        gone = [one for one in list(self._open.values()) if one.person.token_id in ended]
        if gone:
            self._feed.soon(lambda: self._dismiss(gone))

    def _hear_person(self, event: PersonChanged) -> None:
        changed = self._of(event.user_id)
        if changed:
            self._feed.soon(lambda: self._look_again(changed))

    def _look_again(self, listeners: Iterable[Listener]) -> None:
        """Ask who they are now; let go whose login has ended without a word."""
        for one in listeners:
            one.checked_at = time.monotonic()
            person = self._accounts.who(one.token, one.address)
            if person is None:
                self._dismiss([one])
            else:
                one.person = person

    def _of(self, user_id: int) -> list[Listener]:
        return [one for one in list(self._open.values()) if one.person.user_id == user_id]

    def _put(self, listener: Listener, message: Message) -> bool:
        """Straight to the client, or into its queue when it is slow. False: the queue is full."""
        socket = self._server.eio.sockets.get(listener.engine_sid)
        if socket is None or socket.closed or socket.closing:
            return True     # it is on its way out
        outbox = socket.queue
        if socket.upgraded and isinstance(outbox, Outbox) and outbox.send_now(message.frame):
            return True
        if outbox.qsize() >= WAITING_LIMIT:
            return False
        with contextlib.suppress(SocketIsClosedError):
            socket.send(message.packet)
        return True

    def _let_go(self, late: Iterable[Listener]) -> None:
        for one in late:
            log.info("a player of user %s does not take what it is told and is let go", one.person.id)
            self._close(one.engine_sid)

    def _dismiss(self, gone: Iterable[Listener]) -> None:
        """End sockets whose login has ended, and say so."""
        for one in gone:
            if self._open.get(one.sid) is one:
                self._put(one, Message("1"))    # Socket.IO: disconnected by the server
                self._close(one.engine_sid, hang_up=False)

    def _close(self, engine_sid: str, *, hang_up: bool = True) -> None:
        """Close a client's connection; with `hang_up` also when it takes nothing any more."""
        self._strangers.rise(engine_sid)
        socket = self._server.eio.sockets.pop(engine_sid, None)
        if socket is None:
            return
        with contextlib.suppress(SocketIsClosedError):
            if not socket.closed:
                socket.close(wait=False, reason=self._server.eio.reason.SERVER_DISCONNECT)
        if not isinstance(socket.queue, Outbox):
            return
        if hang_up:
            socket.queue.hang_up()
        else:
            self._feed.later(0.5, socket.queue.hang_up)      # what was just told gets a moment to leave

    # ---- pings and checks --------------------------------------------------------------------------------------------

    @staticmethod
    def _ping(socket: Any) -> None:
        if socket.closing or socket.closed:
            return
        socket.last_ping = time.time()
        with contextlib.suppress(SocketIsClosedError):
            socket.send(engine.Packet(engine.PING))

    def _check(self) -> None:
        """Let go who is gone, and whose login has ended without a word; again and again."""
        if not self._ending:
            self._feed.later(CHECK_EVERY_S, self._check)
        now = time.monotonic()
        for engine_sid, socket in list(self._server.eio.sockets.items()):
            if socket.closed or (socket.last_ping and time.time() - socket.last_ping > PING_PATIENCE_S):
                self._close(engine_sid)
        self._look_again([one for one in list(self._open.values()) if now - one.checked_at >= RECHECK_EVERY_S])


# ---- small parts ---------------------------------------------------------------------------------------------------

_HEADERS = (("Host", "HTTP_HOST"), ("Origin", "HTTP_ORIGIN"), ("Sec-Fetch-Site", "HTTP_SEC_FETCH_SITE"),
            ("Referer", "HTTP_REFERER"))


class Strangers:
    """The seats of who has not logged in. Safe from any thread."""

    def __init__(self) -> None:
        self._seated: dict[str, tuple[float, str]] = {}     # engine sid → since when, address; the oldest first
        self._changed = threading.Condition(threading.Lock())

    def sit(self, engine_sid: str, address: str, *, seats: int) -> str | None:
        """Take one of `seats`; who has to give way for it. Waits while everybody has only just sat down."""
        gives_way = None
        with self._changed:
            while len(self._seated) >= seats:
                oldest = self._oldest_of_the_most()
                wait_s = self._seated[oldest][0] + SEAT_S - time.monotonic()
                if wait_s <= 0:
                    gives_way = oldest
                    del self._seated[oldest]
                    break
                self._changed.wait(wait_s)
            self._seated[engine_sid] = time.monotonic(), address
        return gives_way

    def rise(self, engine_sid: str) -> None:
        with self._changed:
            if self._seated.pop(engine_sid, None) is not None:
                self._changed.notify()

    def _oldest_of_the_most(self) -> str:
        """The oldest of the address that has most seats: a flood from one displaces nobody else."""
        per_address = Counter(address for _, address in self._seated.values())
        most = max(per_address.values())
        return next(sid for sid, (_, address) in self._seated.items() if per_address[address] == most)


class Message:
    """What goes to many, encoded once: as Engine.IO's packet and as a whole WebSocket frame."""

    __slots__ = ("frame", "packet")

    def __init__(self, text: str) -> None:
        self.packet = engine.Packet(engine.MESSAGE, text)
        payload = self.packet.encode().encode()
        length = len(payload)
        if length < 126:
            head = struct.pack("!BB", 0x81, length)
        elif length < 65536:
            head = struct.pack("!BBH", 0x81, 126, length)
        else:
            head = struct.pack("!BBQ", 0x81, 127, length)
        self.frame = head + payload


class Outbox:
    """One client's queue, as Engine.IO uses it (a few methods of queue.Queue), with a short way past it.

    While the thread that sends has nothing to do, a frame can go to the kernel directly and in order.
    """

    def __init__(self) -> None:
        self._items: deque[Any] = deque()
        self._changed = threading.Condition(threading.Lock())
        self._waiting = 0                       # threads that wait for an item: all before has been sent
        self._wire: net.socket | None = None    # the client's connection, as a descriptor of our own
        self._ended = False
        self._closing = False
        self._place: Any = None                 # of the request that carries it
        self.stranger = False                   # has not logged in

    def qsize(self) -> int:
        return len(self._items)

    def put(self, item: Any) -> None:
        """None is the end, for everybody who waits."""
        with self._changed:
            if item is None:
                self._ended = True
                self._changed.notify_all()
            else:
                self._items.append(item)
                self._changed.notify()

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """The next item; None after the end. A stranger's poll is answered soon, with nothing: it costs a thread."""
        with self._changed:
            soon = block and self.stranger and self._wire is None
            if not self._items and not self._ended and block:
                self._waiting += 1
                try:
                    self._changed.wait_for(lambda: self._items or self._ended, STRANGER_POLL_S if soon else timeout)
                finally:
                    self._waiting -= 1
            if self._items:
                return self._items.popleft()
            if self._ended:
                return None
            if soon:
                return engine.Packet(engine.NOOP)
            raise queue.Empty

    def task_done(self) -> None: ...

    def join(self) -> None: ...

    def attach(self, wire: net.socket, place: Any = None) -> bool:
        """From now on frames may go to `wire` directly. Its descriptor is doubled: the other may close any time.

        False: there is one already. `place` is that of the request behind it; it learns when the client logs in.
        """
        with self._changed:
            if self._wire is not None or self._ended:
                return False
            self._wire = net.socket(wire.family, wire.type, wire.proto, fileno=os.dup(wire.fileno()))
            self._place = place
            if place is not None and not self.stranger:
                place.known()
            return True

    def log_in(self) -> None:
        """The client is no stranger any more."""
        with self._changed:
            self.stranger = False
            if self._place is not None:
                self._place.known()

    def detach(self) -> None:
        with self._changed:
            wire, self._wire, self._place = self._wire, None, None
            if wire is not None:
                wire.close()

    def hang_up(self) -> None:
        """End the connection whatever its threads are doing; they then see it closed."""
        with self._changed:
            if self._wire is not None:
                with contextlib.suppress(OSError):
                    self._wire.shutdown(net.SHUT_RDWR)

    def last_word(self) -> None:
        """The connection is being closed: what is sent from now on would come after the Close."""
        with self._changed:
            self._closing = True

    def send_now(self, frame: bytes) -> bool:
        """Give `frame` to the kernel; never waits. False: it must go through the queue."""
        with self._changed:
            if self._closing:
                return True     # nobody hears it
            if self._wire is None or self._items or not self._waiting:
                return False
            try:
                sent = self._wire.send(frame, net.MSG_DONTWAIT)
            except BlockingIOError:
                return False
            except OSError:
                return True     # gone; its own thread will notice
            if sent < len(frame):
                self._items.append(_Rest(frame[sent:]))
                self._changed.notify()
            return True


class _Rest(bytes):
    """The end of a frame whose beginning is with the client already. Looks like a packet to who sends it."""

    def encode(self) -> _Rest:
        return self


def _message(event: str, data: bytes) -> Message:
    """A Socket.IO event; `data` is its JSON."""
    return Message(f'2["{event}",{data.decode()}]')


def _token_of(environ: Mapping[str, Any]) -> tuple[str | None, bool]:
    return token_of(environ.get("HTTP_AUTHORIZATION", ""), _cookies(environ), secure=_secure(environ))


def _secure(environ: Mapping[str, Any]) -> bool:
    return bool(environ.get("wsgi.url_scheme") == "https")


def _cookies(environ: Mapping[str, Any]) -> dict[str, str]:
    try:
        return {name: one.value for name, one in SimpleCookie(environ.get("HTTP_COOKIE", "")).items()}
    except CookieError:
        return {}


class _Json:
    """JSON for Socket.IO's own packets."""

    @staticmethod
    def dumps(thing: Any, **_: Any) -> str:
        return _encode(thing).decode()

    @staticmethod
    def loads(text: str | bytes, **_: Any) -> Any:
        try:
            return msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
            raise ValueError(str(problem)) from None


class _QuietLog:
    """What Engine.IO says of single clients (a bad packet, an unknown session) is no news of the station."""

    level: ClassVar[int] = logging.CRITICAL

    def _nothing(self, *args: Any, **named: Any) -> None: ...

    info = debug = warning = _nothing

    def error(self, message: str, *args: Any, **named: Any) -> None:
        log.debug(message, *args)

    def exception(self, message: str, *args: Any, **named: Any) -> None:
        log.debug(message, *args, exc_info=True)

    def isEnabledFor(self, level: int) -> bool:
        return level >= self.level

    def setLevel(self, level: int) -> None: ...


_Quiet = _QuietLog()


class _NoThread:
    """In place of the thread in which simple-websocket reads: the request's own thread does."""

    name = ""

    def __init__(self, **_: Any) -> None: ...

    def start(self) -> None: ...


class _WebSocket(WebSocket):  # type: ignore[misc]
    """Reads in the thread that asks for the next message. `last_word` is called before this side says its Close, after
    which nothing may follow; it says so once, whoever began."""

    connected: bool

    def __init__(self, environ: dict[str, Any], *, last_word: Callable[[], None], **named: Any) -> None:
        super().__init__(environ, **named)
        self._last_word = last_word
        self._turn = threading.Lock()       # of who deals with what came, who sends, and who closes
        self.ws: Any = _Watched(self.ws, last_word)

    def receive(self, timeout: float | None = None) -> Any:
        while self.connected and not self.input_buffer:
            try:
                data = self.sock.recv(self.receive_bytes)
                if not data:
                    self.connected = False
                    break
                with self._turn:
                    if self.connected:
                        self.ws.receive_data(data)
                        self.connected = self._handle_events()
            except (OSError, ProtocolError):
                self.connected = False
        if self.input_buffer:
            return self.input_buffer.pop(0)
        raise ConnectionClosed(self.close_reason, self.close_message)

    def send(self, data: Any) -> None:
        with self._turn:
            super().send(data)

    def close(self, reason: int | None = None, message: str | None = None) -> None:
        """Say Close, unless that was said, or the connection is gone: then there is nothing to say."""
        with self._turn:
            self._last_word()
            with contextlib.suppress(ConnectionClosed, OSError):
                super().close(reason=reason, message=message)


class _Watched:
    """A connection of wsproto's; tells when the other side's Close is among its events, before that is answered."""

    def __init__(self, ws: Any, last_word: Callable[[], None]) -> None:
        self._ws = ws
        self._last_word = last_word

    def events(self) -> Iterable[Any]:
        for event in self._ws.events():
            if isinstance(event, CloseConnection):
                self._last_word()
            yield event

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ws, name)


class _Upgrade(SimpleWebSocketWSGI):  # type: ignore[misc]
    """Engine.IO's WebSocket with bounded messages, without a reading thread, and with the short way for frames."""

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        socket = self.app.__self__      # Engine.IO's, whose method is to be called
        self.ws = _WebSocket(environ, last_word=socket.queue.last_word, max_message_size=MESSAGE_BYTES,
                             thread_class=_NoThread)
        answer: Any = []
        if socket.queue.attach(self.ws.sock, environ.get(PLACE)):
            try:
                answer = self.app(self)
            finally:
                socket.queue.detach()
                if socket.closed:
                    socket.server.sockets.pop(socket.sid, None)
        else:   # a session has one connection
            self.close()
        if self.ws.mode == "gunicorn":
            raise StopIteration
        if self.ws.mode == "werkzeug":
            raise ConnectionError
        return answer

    def send(self, message: Any) -> None:
        if isinstance(message, _Rest):
            self.ws.sock.sendall(message)
        else:
            super().send(message)


class _Gate:
    """In front of /socket.io: the station's own names and pages only, and nothing that browsers may run."""

    def __init__(self, app: Callable[..., Any], *, sockets: Sockets) -> None:
        self._app = app
        self._sockets = sockets

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        path = environ.get("PATH_INFO", "")
        if not path.startswith(PATH):
            return self._app(environ, start_response)
        query = parse_qs(environ.get("QUERY_STRING", ""), max_num_fields=20) if _sane(environ) else {"j": [""]}
        refused = self._sockets.allowed(environ) or (400 if "j" in query else 0)     # j: JSONP
        if not refused:
            known = environ[_KNOWN] = self._sockets.knows(environ, query.get("sid", [""])[0])
            place = environ.get(PLACE)
            if place is not None and known:
                place.known()
            elif place is not None and not place.unknown():
                refused = 503
        if refused:
            phrase, code, message = _REFUSALS[refused]
            body = _encode({"error": {"code": code, "message": message}})
            again = [("Retry-After", "1")] if refused == 503 else []
            start_response(f"{refused} {phrase}", [("Content-Type", "application/json"),
                                                   ("Content-Length", str(len(body))), *again])
            return [body]
        # Compression would cost 300 kB of memory for every open player.
        environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
        return self._app(environ, start_response)


_NOT_FOR_YOU = "This connection is not for you."
_REFUSALS = {
    400: ("Bad Request", "forbidden", _NOT_FOR_YOU),
    403: ("Forbidden", "forbidden", _NOT_FOR_YOU),
    421: ("Misdirected Request", "forbidden", _NOT_FOR_YOU),
    503: ("Service Unavailable", "overloaded", "Too many connect without logging in; try again in a second."),
}


def _sane(environ: Mapping[str, Any]) -> bool:
    text = environ.get("QUERY_STRING", "")
    return len(text) < 2000 and text.count("&") < 20
