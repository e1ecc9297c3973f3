"""Serve on green threads (SOUNDSIBLE_SERVER=eventlet): connections are green, the work behind them is not.

Accepting, reading requests, and waiting for slow clients happen in one thread, the hub, for all connections in turn.
The application runs in real threads: each call of it, and each chunk of a long answer, is handed to them, and the hub
goes on with the others. Files go out through sendfile, chunk by chunk as well. So nothing is monkey-patched: views,
database, files, locks, worker processes and WebSockets are what they are on the other servers. Why:
docs/decisions/0001-server.md.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import signal
import socket
import warnings
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from shared.security.proxies import Forwarded, Proxies
from shared.serving.admission import SMALL_BODY_BYTES, Admission, Doorkeeper, WsgiApp
from shared.serving.files import CHUNK_BYTES, ChunkedFile
from shared.serving.hang_up import HANG_UP, HangUp
from shared.serving.heads import LONGEST_LINE_BYTES
from shared.serving.lifecycle import begin, ending, tell_ready
from shared.serving.porch import Households
from shared.serving.strict_heads import ShortLines, StrictHeads
from shared.serving.tls import HELLO, Tls, TlsOf, begin_tls
from shared.serving.tls_relay import HANDSHAKE_S

# Names are looked up in real threads: eventlet's own resolver would only cost memory.
os.environ.setdefault("EVENTLET_NO_GREENDNS", "yes")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")     # it says that new projects should not choose it: see the decision
    import eventlet
    import eventlet.wsgi

log = logging.getLogger("soundsible.server")

SOCKET_TIMEOUT_S = 600.0    # a client that takes or sends nothing for so long is let go
KEEP_ALIVE_S = 75
FIRST_BYTE_S = 20.0
HEAD_S = 15.0               # from a request's first line to the end of its head
SEND_BYTES = 1024 * 1024    # of a file, before others have their turn
GATHER_BODY_S = 4.0         # from the end of a request's head to the end of a short body, and its length at
BODY_BYTES_PER_S = 8192     # this besides
BODY_S = 30.0               # the same for a long body
BODY_LIMIT_BYTES = 4 * 1024 * 1024  # of a body, when the application names no limit of its own
QUICK_GRACE_S = 1.0


def run(
    listeners: Sequence[socket.socket],
    *,
    create: Callable[[], Any],
    on_ready: Callable[[list[tuple[str, int]]], None] | None,
    admission: Admission,
    proxies: Proxies,
    proxy_headers: Collection[str],
    tls: TlsOf | None,
    connections_per_client: int,
) -> int:
    """Serve on `listeners` until told to stop. The process ends here after a stop, threads or not."""
    begun = begin(create)
    if begun is None:
        return 1
    app, station = begun

    stopping = eventlet.Event()
    _hear_signals(stopping)
    body_limit = getattr(app, "config", {}).get("MAX_CONTENT_LENGTH") or BODY_LIMIT_BYTES
    # Whoever is let in needs one thread at a time, so that nobody ever waits for one.
    behind = Threaded(app, hands=Hands(most=admission.rooms.threads), body_limit=body_limit)
    inside = _gathering(Doorkeeper(behind, admission=admission, pause=eventlet.sleep))
    site = Forwarded(inside, proxies=proxies, only_theirs=proxy_headers)
    speaks = begin_tls(tls)
    households = Households(admission=admission, most=connections_per_client)
    pool = eventlet.GreenPool(max(1000, 2 * admission.rooms.threads))  # idle connections hold one too
    servers = [
        eventlet.spawn(
            eventlet.wsgi.server,
            eventlet.greenio.GreenSocket(listener),
            site,
            log_output=False,
            debug=False,
            custom_pool=pool,
            protocol=partial(_Conversation, households=households, tls=speaks),
            keepalive=KEEP_ALIVE_S,
            minimum_chunk_size=1,   # else it gathers 4 kB of an event stream before it sends any
            socket_timeout=SOCKET_TIMEOUT_S,
            url_length_limit=LONGEST_LINE_BYTES,
        )
        for listener in listeners
    ]
    tell_ready(on_ready, listeners)
    stopping.wait()

    with ending(station, listeners, tls=speaks):
        with eventlet.Timeout(QUICK_GRACE_S, False):
            while admission.inside("quick"):
                eventlet.sleep(0.02)
        for server in servers:
            server.kill()
    return 0


class _Conversation(StrictHeads, eventlet.wsgi.HttpProtocol):  # type: ignore[misc]
    """A connection, from its first byte on."""

    def __init__(self, state: list[Any], server: Any, *, households: Households, tls: Tls | None) -> None:
        self._tls = tls
        self._secure = False
        self._hang_up: HangUp | None = None
        home = households.enter(state[0][0])
        try:
            if home is not None and self._hears_somebody(state, home):
                super().__init__(state, server)
        finally:
            state[1].close()
            for file in (getattr(self, "rfile", None), getattr(self, "wfile", None)):    # they hold it open, too
                with contextlib.suppress(OSError):
                    if file is not None:
                        file.close()
            if home is not None:
                households.leave(home)

    def _hears_somebody(self, state: list[Any], home: str) -> bool:
        """Wait for the first byte, and once more for the first plain one of who speaks TLS."""
        first = _first_byte(state[1], FIRST_BYTE_S)
        if first != HELLO:
            return bool(first)
        client, name = state[1].fd, state[1].getsockname()
        inner = None if self._tls is None else self._tls.take(client, home)
        if inner is None:
            return False
        eventlet.hubs.notify_opened(inner.fileno())
        plain = state[1] = eventlet.greenio.GreenSocket(inner)
        plain.getsockname = lambda: name        # the address at which the client asked
        plain.settimeout(SOCKET_TIMEOUT_S)
        self._secure = True
        return bool(_first_byte(plain, HANDSHAKE_S + FIRST_BYTE_S))

    def _read_request_line(self) -> bytes | str:
        line: bytes | str = ""
        with eventlet.Timeout(KEEP_ALIVE_S + HEAD_S, False):    # or a byte now and then would hold it for ever
            line = super()._read_request_line()
        return line

    def parse_request(self) -> bool:
        with eventlet.Timeout(HEAD_S, False):
            return super().parse_request()
        self.close_connection = True
        return False

    def log_message(self, *args: Any) -> None:
        """Strangers' nonsense is not worth a line."""

    def get_environ(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environ()
        environ["eventlet.input"].rfile = ShortLines(self.rfile)
        environ["wsgi.url_scheme"] = "https" if self._secure else "http"
        self._hang_up = environ[HANG_UP] = HangUp(self.connection.fd)
        return environ

    def handle_one_response(self) -> None:
        try:
            super().handle_one_response()
        finally:
            if self._hang_up is not None:
                self._hang_up.over()


def _first_byte(wire: Any, patience_s: float) -> bytes:
    """Look at it without taking it; b"" when none comes."""
    try:
        eventlet.hubs.trampoline(wire.fd, read=True, timeout=patience_s, timeout_exc=TimeoutError)
        first: bytes = wire.fd.recv(1, socket.MSG_PEEK)
    except OSError:     # TimeoutError too
        return b""
    return first


class Hands:
    """Real threads that work for green ones: at most `most`, started when needed.

    eventlet's own pool does nearly the same, but runs a deed in the hub while some thread happens to hold the import
    lock, and starts all its threads at once.
    """

    def __init__(self, *, most: int) -> None:
        self._threads = ThreadPoolExecutor(most, thread_name_prefix="request")
        self._done: deque[tuple[Any, Future[Any]]] = deque()
        hears, self._tells = socket.socketpair()
        self._tells.setblocking(False)
        eventlet.spawn(self._call_back, eventlet.greenio.GreenSocket(hears))

    def do(self, deed: Callable[..., Any], *args: Any) -> Any:
        """What `deed` returns or raises; the others get their turn meanwhile. Costs about 0.1 ms."""
        came = eventlet.Event()

        def done(future: Future[Any]) -> None:
            self._done.append((came, future))
            with contextlib.suppress(BlockingIOError):  # full: the hub will wake without this byte
                self._tells.send(b".")

        self._threads.submit(deed, *args).add_done_callback(done)
        return came.wait().result()

    def _call_back(self, hears: Any) -> None:
        """The one green thread that hears of finished deeds and wakes those who wait for them."""
        while hears.recv(4096):
            while self._done:
                came, future = self._done.popleft()
                came.send(future)


class Threaded:
    """An application whose every step is done by real threads; itself it is called by green ones."""

    def __init__(self, app: WsgiApp, *, hands: Hands, body_limit: int) -> None:
        self._app = app
        self._hands = hands
        self._body_limit = body_limit

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = _body_of(environ, self._body_limit)
        if body is None:
            return _too_slow(environ, start_response)
        environ["wsgi.input"] = io.BytesIO(body)
        environ["wsgi.file_wrapper"] = ChunkedFile
        upgrade = "websocket" in environ.get("HTTP_UPGRADE", "").lower()
        answer = self._hands.do(_converse if upgrade else _answer, self._app, environ)
        if answer is None:
            eventlet.wsgi.WSGI_LOCAL.already_handled = True
            return []
        write = start_response(answer.status, answer.headers)
        if isinstance(answer.body, list):
            return answer.body
        if answer.promised is not None and getattr(answer.body, "fileno", None) and hasattr(os, "sendfile"):
            return _FileTurns(answer, hands=self._hands, wire=environ["eventlet.input"].get_socket(), write=write)
        return _Turns(answer, hands=self._hands)


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the application said. `body` is a list when it is known to be short; then it is all there."""

    status: str
    headers: list[tuple[str, str]]
    body: Any
    promised: int | None    # Content-Length, in bytes


class _Turns:
    """A long body: each chunk is made by a real thread, and after each the other connections have their turn."""

    def __init__(self, answer: _Answer, *, hands: Hands) -> None:
        self._answer = answer
        self._hands = hands

    def __iter__(self) -> Iterator[bytes]:
        chunks = _whole(self._answer.body, self._answer.promised)
        while (chunk := self._hands.do(next, chunks, None)) is not None:
            yield chunk

    def close(self) -> None:
        close = getattr(self._answer.body, "close", None)
        if close is not None:
            self._hands.do(close)


class _FileTurns(_Turns):
    """A long part of a file, sent by the kernel: real threads read it, the hub waits until the client takes more."""

    def __init__(self, answer: _Answer, *, hands: Hands, wire: Any, write: Callable[[bytes], None]) -> None:
        super().__init__(answer, hands=hands)
        self._wire = wire
        self._write = write

    def __iter__(self) -> Iterator[bytes]:
        self._write(b"")    # the head
        body, target, left = self._answer.body, self._wire.fileno(), self._answer.promised or 0
        offset = os.lseek(body.fileno(), 0, os.SEEK_CUR)
        sending = _Sending(body, target)
        while left:
            wanted = min(left, SEND_BYTES)
            sent, full = self._hands.do(sending.some, offset, wanted)
            offset, left = offset + sent, left - sent
            if full:
                eventlet.hubs.trampoline(target, write=True, timeout=SOCKET_TIMEOUT_S, timeout_exc=TimeoutError)
        yield from ()


class _Sending:
    """A file on its way to one client, which may come from several places (routes.respond.OpenFile)."""

    def __init__(self, body: Any, target: int) -> None:
        self._body = body
        self._target = target
        self._read = (0, b"")       # what was read and not sent yet, with its offset

    def some(self, offset: int, count: int) -> tuple[int, bool]:
        """In a real thread: (bytes that the connection took without waiting for its client, whether it is full)."""
        stretch = getattr(self._body, "stretch", None)
        source, ready = (self._body.fileno(), count) if stretch is None else stretch(offset, count) or (None, 0)
        wanted = min(count, ready)
        try:
            if source is None:
                at, data = self._read
                if at != offset or not data:
                    data = self._body.read_at(offset, min(count, CHUNK_BYTES))
                wanted = len(data)
                self._read = (offset, data)     # kept, in case it is not taken
                sent = os.write(self._target, data)
                self._read = (offset + sent, data[sent:])
            else:
                sent = os.sendfile(self._target, source, offset, wanted)
            if not sent:
                raise _ended_early()
        except BlockingIOError:
            return 0, True
        except OSError:
            gone = getattr(self._body, "gone", None)
            if source is None or gone is None or not gone(source, offset):
                raise
            return 0, False
        return sent, sent < wanted


def _whole(chunks: Iterable[bytes], promised: int | None) -> Iterator[bytes]:
    """`chunks`, cut at what was promised. What ends before that must not look whole: the connection has to end."""
    left = promised
    for chunk in chunks:
        if left is None:
            yield chunk
            continue
        yield chunk[:left]
        left -= len(chunk)
        if left <= 0:
            return
    if left:
        raise _ended_early()


def _ended_early() -> BrokenPipeError:
    return BrokenPipeError("the file ended early")


def _gathering(app: WsgiApp) -> WsgiApp:
    """`app` with short bodies read before it is called: who is slow to send one takes no place meanwhile."""

    def site(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        chunked = "HTTP_TRANSFER_ENCODING" in environ
        if chunked or 0 < length <= SMALL_BODY_BYTES:
            most = SMALL_BODY_BYTES if chunked else length
            body = _read(environ, most + chunked, within_s=GATHER_BODY_S + most / BODY_BYTES_PER_S)
            if body is None:
                return _too_slow(environ, start_response)
            if len(body) <= most and chunked:   # it is whole
                environ["CONTENT_LENGTH"] = str(len(body))
                del environ["HTTP_TRANSFER_ENCODING"]
            environ[_BEGUN] = body
        return app(environ, start_response)

    return site


_BEGUN = "soundsible.body"  # in the environ: what has been read of the body


def _body_of(environ: dict[str, Any], limit: int) -> bytes | None:
    """The request's body, read in the hub; None when it does not come in time.

    Of what is longer than `limit` nothing is read if it says so, else one byte more: the application refuses it by its
    length.
    """
    begun: bytes = environ.pop(_BEGUN, b"")
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if "HTTP_TRANSFER_ENCODING" in environ:
        rest = _read(environ, limit + 1 - len(begun), within_s=BODY_S)
        if rest is None:
            return None
        environ["CONTENT_LENGTH"] = str(len(begun) + len(rest))     # as far as it matters, it is whole now
        del environ["HTTP_TRANSFER_ENCODING"]
        return begun + rest
    if begun or not length or length > limit:
        return begun
    return _read(environ, length, within_s=BODY_S)


def _read(environ: dict[str, Any], count: int, *, within_s: float) -> bytes | None:
    """`count` bytes of the body, fewer at its end; None when they do not come in time, or in chunks that are none."""
    try:
        with eventlet.Timeout(within_s):
            body: bytes = environ["wsgi.input"].read(count)
    except (eventlet.Timeout, OSError, ValueError):     # the last: no chunks
        return None
    return body


def _too_slow(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    with contextlib.suppress(OSError):  # eventlet would go on waiting for the rest
        environ["eventlet.input"].get_socket().shutdown(socket.SHUT_RD)
    start_response("408 Request Timeout", [("Content-Length", "0"), ("Connection", "close")])
    return []


def _answer(app: WsgiApp, environ: dict[str, Any]) -> _Answer:
    """In a real thread: call the application."""
    told: list[Any] = []

    def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> None:
        told[:] = status, headers

    body: Any = app(environ, start)
    status, headers = told
    promised = next((int(value) for name, value in headers if name.lower() == "content-length"), None)
    no_body = environ["REQUEST_METHOD"] == "HEAD" or status.startswith(("204", "304"))
    if no_body or (promised is not None and promised <= CHUNK_BYTES):
        try:
            return _Answer(status, headers, [] if no_body else [*_whole(body, promised)], promised)
        finally:
            getattr(body, "close", lambda: None)()
    return _Answer(status, headers, body, promised)


def _converse(app: WsgiApp, environ: dict[str, Any]) -> _Answer | None:
    """In a real thread: a WebSocket to its end (None), on a socket that blocks this thread alone."""
    green = environ["eventlet.input"].get_socket()
    with _Wire(green.family, green.type, green.proto, fileno=os.dup(green.fileno())) as wire:
        wire.settimeout(SOCKET_TIMEOUT_S)
        environ["gunicorn.socket"] = wire  # what simple-websocket looks for
        try:
            return _answer(app, environ)
        except StopIteration:   # its way of saying that all is done
            return None


class _Wire(socket.socket):
    """A client's connection as simple-websocket takes it: a short count counts as done there."""

    def send(self, data: Any, flags: int = 0) -> int:
        self.sendall(data, flags)
        return len(data)


def _hear_signals(stopping: Any) -> None:
    """Let SIGINT and SIGTERM set `stopping`; the second one ends at once.

    A handler alone does not wake the hub out of its poll (PEP 475), so the signal's number is read as a byte.
    """
    hears, tells = socket.socketpair()
    tells.setblocking(False)
    heard = 0

    def note(_: int, __: Any) -> None:
        nonlocal heard
        heard += 1
        if heard > 1:
            os._exit(1)

    signal.signal(signal.SIGINT, note)
    signal.signal(signal.SIGTERM, note)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, note)
    signal.set_wakeup_fd(tells.fileno(), warn_on_full_buffer=False)

    def listen(hears: Any) -> None:
        hears.recv(1)
        stopping.send()
        while tells.fileno() >= 0:
            hears.recv(16)

    eventlet.spawn(listen, eventlet.greenio.GreenSocket(hears))
