"""Serve with gunicorn: one worker process, threads, and files sent by the kernel.

gunicorn's threaded worker is kept for what it does well (parsing, answering, sendfile) and changed where a
home station needs more. What is different here:

- a request's head and a short body are gathered in the main loop: slow or silent clients hold no thread;
- admission happens there too, so that a full house answers 503 instead of queueing behind stuck calls;
- a closing connection lingers in the main loop, where gunicorn would wait for it up to two seconds;
- sending has a patience: who takes nothing for PATIENCE_S is let go, sooner when the place is needed;
- who begins with a TLS hello goes on in the process that speaks TLS (tls), and comes back in plain bytes;
- one household holds so many connections and no more: its longest idle one gives way;
- stopping ends streams and sockets, lets quick requests finish, and calls the station's stop() at the end.

It relies on gunicorn's inner names, so the version is pinned and tests/serving holds each promise.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import gc
import io
import logging
import multiprocessing
import os
import queue
import select
import selectors
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from functools import partial
from itertools import islice
from typing import Any, get_args

from gunicorn import http
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer
from gunicorn.http.errors import ParseException
from gunicorn.sock import TCP6Socket, TCPSocket
from gunicorn.workers.gthread import TConn, ThreadWorker

from shared.security.proxies import Forwarded, Proxies
from shared.serving.admission import (
    PLACE,
    SMALL_BODY_BYTES,
    STRANGER_WAITS_S,
    Admission,
    Kind,
    Place,
    is_login,
    kind_of,
    refusal,
    room_of,
    short_answer,
)
from shared.serving.hang_up import HANG_UP, HangUp
from shared.serving.heads import LONGEST_LINE_BYTES, Chunks, Head, head_of, without_expectation
from shared.serving.tls import HELLO, Tls, TlsOf, begin_tls
from shared.serving.tls_relay import HANDSHAKE_S

log = logging.getLogger("soundsible.server")

CONNECTIONS = 2048          # open at once; the longest idle ones make room for new ones
HEAD_LIMIT_BYTES = LONGEST_LINE_BYTES
FIRST_BYTE_S = 20.0         # browsers open connections in advance and use them seconds later
HEAD_S = 15.0               # from a request's first byte to the end of its head
GATHER_BODY_S = 4.0         # from a head's end to that of a short body; longer as bytes come, at BODY_BYTES_PER_S
GATHERED_BYTES = 24 * 1024 * 1024   # in all; whoever has gathered most goes first
KEEP_ALIVE_S = 75           # an idle connection costs a file number, no thread
WAITING_S = 3.0             # longer than this nobody waits for a free hand: 503
WAITING_LIMITS: dict[Kind, int] = {"login": 256, "stranger": 512}
WAITING_LIMIT = 1024        # of each other kind
BODY_GRACE_S = 30.0         # a long body: this long, and more as long as it comes at BODY_BYTES_PER_S
BODY_BYTES_PER_S = 8192
# A paused player stops reading for as long as its listener likes; a browser that is cut off goes on with a
# Range request when play is pressed. Half an hour keeps simple players, which cannot, through most pauses.
PATIENCE_S = 1800.0
STALLED_S = 60.0            # this long without a byte, a stream gives its place to a new one if none is free
# Who is refused while it still sends must have sent it all before it listens; what comes is dropped meanwhile.
READ_BYTES = 64 * 1024      # of what cannot be sent by the kernel, at once: each stream may hold so much
LINGER_S = 2.0              # without a byte
LINGER_AT_MOST_S = 20.0
LINGER_BYTES = 16 * 1024 * 1024
QUICK_GRACE_S = 1.0         # at the stop: for requests that are being answered
STATION_GRACE_S = 2.5       # at the stop: for the station to put everything down
STOP_LIMIT_S = 4.6          # at the stop: then the process ends, whatever still hangs
# How long a busy thread keeps the others waiting. With two threads computing, a small answer took 118 ms (p99)
# at Python's own 5 ms and 10 ms at half a millisecond; idle, it makes no difference.
SWITCH_INTERVAL_S = 0.0005
START_FAILED = Arbiter.APP_LOAD_ERROR
EARLY_S, EARLY_LIMIT = 10.0, 5  # so many workers dead so soon after their start: give up

_BAD_REQUEST = short_answer("400 Bad Request", "bad_request", "The request is not understood.")
_CUT_SHORT = short_answer("400 Bad Request", "bad_request", "The request's body ended before its announced length.")
_TOO_SLOW = short_answer("408 Request Timeout", "too_slow", "The request came too slowly.")
_TOO_LARGE = short_answer("413 Content Too Large", "too_large",
                          "The request's body is larger than this address takes.")
_HEAD_TOO_LARGE = short_answer("431 Request Header Fields Too Large", "too_large", "The request's head is too large.")
_GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"


class ClientSocket(socket.socket):
    """A client's connection that loses patience: reads and writes end instead of holding a thread for ever.

    Whatever goes wrong in sending is a BrokenPipeError, which the worker takes as "the client is gone".
    """

    progress_at = 0.0                       # monotonic seconds of the last byte taken by the client
    read_until: float | None = None         # monotonic seconds; None: no deadline (a WebSocket)
    place: Place | None = None
    secure = False                          # the client speaks TLS; this is the plain end of it
    hang_up_now: HangUp | None = None       # of the request that is being answered
    ended = False                           # the client hung up, or its body did not come in time

    def setblocking(self, flag: bool) -> None:
        self.settimeout(PATIENCE_S if flag else 0.0)

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Like socket.recv; a body that comes too slowly looks like a client that hung up (b"")."""
        if self.read_until is None:
            return super().recv(size, flags)
        usual = self.gettimeout()
        allowed = self.read_until - time.monotonic()
        if allowed <= 0:
            self.ended = True
            return b""
        self.settimeout(allowed if usual is None else min(usual, allowed))
        try:
            data = super().recv(size, flags)
        except TimeoutError:
            data = b""
        finally:
            self.settimeout(usual)
        self.ended = not data
        self.read_until += len(data) / BODY_BYTES_PER_S
        return data

    def sendall(self, data: Any, flags: int = 0) -> None:
        try:
            super().sendall(data, flags)
        except OSError as error:
            raise self._gone(error) from None
        self.progress_at = time.monotonic()

    def send(self, data: Any, flags: int = 0) -> int:
        """All of it: simple-websocket takes a short count for done."""
        self.sendall(data, flags)
        return len(data)

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """From the file to the network inside the kernel, as fast as the client takes it.

        Where a file has several places to send from, it says before each piece where its bytes are (`stretch`, which
        may wait for them), and after a failure whether to ask again (`gone`); see routes.respond.OpenFile.
        """
        source, target = file.fileno(), self.fileno()
        stretch, gone = getattr(file, "stretch", None), getattr(file, "gone", None)
        left = os.fstat(source).st_size - offset if count is None else count
        total, ready_bytes = 0, left
        ready: select.poll | None = None
        try:
            while left > 0:
                if stretch is not None:
                    piece = stretch(offset, left)
                    if piece is None:
                        sent = self._send_read(file, offset, left)
                        offset, left, total = offset + sent, left - sent, total + sent
                        continue
                    source, ready_bytes = piece
                try:
                    sent = os.sendfile(target, source, offset, min(left, ready_bytes))
                    if not sent:
                        # The file has shrunk; its promised length cannot be kept, so the connection must end.
                        raise OSError(errno.EIO, "the file ended early")
                except BlockingIOError:
                    if ready is None:
                        ready = select.poll()
                        ready.register(target, select.POLLOUT)
                    if not ready.poll(PATIENCE_S * 1000):
                        raise TimeoutError("the client takes nothing") from None
                    continue
                except OSError:
                    if gone is None or not gone(source, offset):
                        raise
                    continue
                offset, left, total = offset + sent, left - sent, total + sent
                self.progress_at = time.monotonic()
        except OSError as error:
            raise self._gone(error) from None
        return total

    def _send_read(self, file: Any, offset: int, left: int) -> int:
        """A piece that lies in no file."""
        file.seek(offset)
        data = file.read(min(left, READ_BYTES))
        if not data:
            raise OSError(errno.EIO, "the file ended early")
        self.sendall(data)
        return len(data)

    @staticmethod
    def _gone(error: OSError) -> BrokenPipeError:
        if error.errno in (errno.EIO, errno.ESTALE):
            log.warning("Sending a file stopped half-way: %s", error)
        return BrokenPipeError(errno.EPIPE, f"client gone: {error}")

    def over(self) -> None:
        """The request has been answered; who wanted to end it is too late."""
        if self.hang_up_now is not None:
            self.hang_up_now.over()
            self.hang_up_now = None

    def hang_up(self) -> None:
        """End it from outside, whatever its thread is doing; the thread then sees a closed connection.

        A WebSocket too, without a Close: its thread may just be saying one, and a second is against the protocol.
        """
        with contextlib.suppress(OSError):
            self.shutdown(socket.SHUT_RDWR)


class Connection(TConn):  # type: ignore[misc]
    """gunicorn's connection, with what has arrived of the next request."""

    def __init__(self, cfg: Any, sock: ClientSocket, client: Any, server: Any) -> None:
        super().__init__(cfg, sock, client, server)
        self.head = bytearray()         # and the body, if it is short
        self.said: Head | None = None   # the head, when it is whole
        self.chunks: Chunks | None = None
        self.long_body = False
        self.begun = False              # a byte of the request has come
        self.searched = 0               # before this the head does not end
        self.counted = 0                # bytes of it among what is gathered in all
        self.deadline = 0.0             # monotonic seconds: by then head or body must be whole
        self.used = False               # has answered a request before
        self.wanted: Kind = "quick"
        self.place: Place | None = None
        self.address: str = client[0] if isinstance(client, tuple) else ""
        self.asker = self.address       # who asks this request: another one, when a proxy hands it on
        self.home = ""                  # the household that it counts for; "": for none
        self.fresh = True               # nothing has been read of it
        self.waiting_since = 0.0
        self.drained = 0
        self.lingers_until = 0.0

    @property
    def room(self) -> Kind:
        return room_of(self.wanted)

    def whole(self) -> bool:
        """Whether nothing more has to be gathered. Of a long body nothing is: the application may not even want it."""
        said = self.said
        if said is None:
            return False
        come = len(self.head) - said.end
        if self.chunks is not None:
            self.long_body = come > SMALL_BODY_BYTES
            return self.long_body or self.chunks.whole(self.head)
        self.long_body = said.length > SMALL_BODY_BYTES
        return self.long_body or come >= said.length

    def begin_again(self) -> None:
        """What is gathered from now on is the next request."""
        self.said = self.chunks = None
        self.long_body = self.begun = False
        self.searched = 0


class Household:
    """The connections of one client, or of a few behind one address."""

    def __init__(self) -> None:
        self.count = 0
        self.idle: dict[Connection, None] = {}      # of these, those that gather; the longest idle first

    def longest_idle(self) -> Connection | None:
        """Who gives way: one that has said nothing yet, among the first few; else the first of all."""
        first = list(islice(self.idle, 16))
        return next((one for one in first if not one.begun), first[0] if first else None)


class Crew:
    """Threads that answer requests; started when needed, sent home after a minute without work."""

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        self._tasks: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._count = 0
        self._lock = threading.Lock()

    def submit(self, task: Callable[[], None]) -> None:
        self._tasks.put(task)
        if self._idle.acquire(blocking=False):
            return
        with self._lock:
            if self._count >= self._limit:
                return
            self._count += 1
        try:
            # Daemons: a thread stuck in a dead network mount must not keep the process from ending.
            threading.Thread(target=self._work, name="request", daemon=True).start()
        except RuntimeError as error:
            with self._lock:
                self._count -= 1
            log.warning("No further thread could be started (%s); requests wait for the others.", error)

    def shutdown(self, wait: bool = True) -> None:
        """Nothing to do: the threads are daemons."""

    def _work(self) -> None:
        while True:
            try:
                task = self._tasks.get(timeout=60.0)
            except queue.Empty:
                if self._idle.acquire(blocking=False):
                    with self._lock:
                        self._count -= 1
                    return
                continue  # a task was promised to this thread just now
            task()
            del task
            self._idle.release()


class StationWorker(ThreadWorker):  # type: ignore[misc]
    """The one worker: builds the station after the fork, gathers, admits, answers, and stops in order."""

    app: StationApplication
    alive: bool

    # ---- start

    def init_process(self) -> None:
        _die_with_parent(self.ppid)
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        super().init_process()

    def init_signals(self) -> None:
        super().init_signals()
        # Ctrl-C reaches the whole group; the parent alone decides what it means (first: stop, second: now).
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def get_thread_pool(self) -> Crew:
        return Crew(limit=self.cfg.threads)

    def load_wsgi(self) -> None:
        """Build and start the station here, after the fork, because threads do not survive one."""
        booting = threading.Event()

        def keep_alive() -> None:
            while not booting.wait(5.0):
                self.notify()  # a long migration is no hung worker

        threading.Thread(target=keep_alive, name="boot", daemon=True).start()
        self.station: Any = None
        try:
            app = self.app.create()
            gc.collect()
            gc.freeze()     # what stands by now stays: else every long answer has it all looked through again
            self.wsgi = _as_expected(Forwarded(app, proxies=self.app.proxies, only_theirs=self.app.proxy_headers))
            self.station = getattr(app, "extensions", {}).get("station")
            if self.station is not None:
                self.station.start()
        except BaseException as error:
            _say_why(error)
            _end(START_FAILED)
        finally:
            booting.set()

    def run(self) -> None:
        self.admission: Admission = self.app.admission
        self.gathering: dict[int, Connection] = {}
        self.lingering: dict[int, tuple[ClientSocket, Connection]] = {}
        self.gathered = 0               # bytes of heads and bodies that are not whole yet
        self.waiting: dict[Kind, deque[Connection]] = {kind: deque() for kind in get_args(Kind)}
        self.working: set[Connection] = set()
        self.households: dict[str, Household] = {}
        self.tls: Tls | None = begin_tls(self.app.tls)
        self.refusal = refusal()
        self.names = {listener: listener.getsockname() for listener in self.sockets}

        called_back = self.method_queue
        self.poller.register(called_back.fileno(), selectors.EVENT_READ, called_back.run_callbacks)
        self.set_accept_enabled(True)
        if self.app.on_ready is not None:    # of a worker that takes the place of a dead one, too: it must be found
            addresses = [(name[0], name[1]) for name in self.names.values()]
            threading.Thread(target=self.app.on_ready, args=(addresses,), name="ready", daemon=True).start()
        try:
            while self.alive:
                self.notify()
                self.wait_for_and_dispatch_events(timeout=0.2 if any(self.waiting.values()) else 1.0)
                self._look_at_the_clock()
                if not self.is_parent_alive():
                    break
        finally:
            self._put_down()

    # ---- a connection: gathered, admitted, answered, kept or closed (all but `handle` in the main loop)

    def accept(self, listener: Any) -> None:
        for _ in range(64):
            try:
                accepted, address = listener.accept()
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    self._let_the_longest_idle_go()
                    time.sleep(0.01)  # else this loop would spin on a listener that stays readable
                return
            if self.nr_conns >= self.worker_connections:
                self._let_the_longest_idle_go()
            home = self.admission.home(address[0]) or ""
            if home and not self._has_room(home):
                accepted.close()
                continue
            self.nr_conns += 1
            client = ClientSocket(accepted.family, accepted.type, accepted.proto, fileno=accepted.detach())
            connection = Connection(self.cfg, client, address, self.names[listener])
            connection.home = home
            self._gather(connection, FIRST_BYTE_S)

    def _has_room(self, home: str) -> bool:
        """Whether a household may have one more connection, which is then counted; its longest idle one gives way."""
        household = self.households.setdefault(home, Household())
        if household.count >= self.app.connections_per_client:
            longest = household.longest_idle()
            if longest is None:
                return False
            self._forget(longest)
            self._close(longest)
            self.households[home] = household
        household.count += 1
        return True

    def _secure(self, connection: Connection) -> None:
        """Who says hello in TLS goes on with the process that speaks it; what it says comes back in plain bytes."""
        inner = None if self.tls is None else self.tls.take(connection.sock, connection.home)
        if inner is None:
            self._close(connection)
            return
        connection.sock = ClientSocket(inner.family, inner.type, inner.proto, fileno=inner.detach())
        connection.sock.secure = True
        connection.sock.setblocking(False)
        self._gather(connection, HANDSHAKE_S + FIRST_BYTE_S)

    def _gather(self, connection: Connection, patience_s: float) -> None:
        connection.deadline = time.monotonic() + patience_s
        self.gathering[connection.sock.fileno()] = connection
        self.poller.register(connection.sock, selectors.EVENT_READ, partial(self._arrived, connection))
        if connection.home:
            self.households[connection.home].idle[connection] = None
        self._count(connection)

    def _arrived(self, connection: Connection, _: Any) -> None:
        """More of a head or a short body: admit the request when it is whole."""
        try:
            if connection.fresh:
                connection.fresh = False
                if socket.socket.recv(connection.sock, 1, socket.MSG_PEEK) == HELLO:
                    self._forget(connection)
                    self._secure(connection)
                    return
            data = socket.socket.recv(connection.sock, 65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._forget(connection)
            if connection.said is None:
                self._close(connection)
            else:
                self._answer_shortly(connection, _CUT_SHORT)
            return
        if not connection.begun:
            connection.begun = True
            connection.deadline = time.monotonic() + HEAD_S
        elif connection.said is not None:
            connection.deadline += len(data) / BODY_BYTES_PER_S
        connection.head += data
        verdict = self._verdict(connection)
        if verdict is None:
            self._count(connection)
            return
        self._forget(connection)
        self._go_by(verdict, connection)

    def _verdict(self, connection: Connection) -> bytes | None:
        """None: gather on. Empty: the request is whole. Else what it is answered at once."""
        head = connection.head
        if connection.said is None:
            while head[:2] == b"\r\n":
                del head[:2]
            if head and not head[:1].isalpha() and head != b"\r":
                return _BAD_REQUEST
            if head.find(b"\r\n\r\n", connection.searched) < 0:
                connection.searched = max(0, len(head) - 3)
                return _HEAD_TOO_LARGE if len(head) > HEAD_LIMIT_BYTES else None
            connection.said = said = head_of(head)
            if said is None:
                return _BAD_REQUEST
            if said.end > HEAD_LIMIT_BYTES:
                return _HEAD_TOO_LARGE
            if said.chunked:
                connection.chunks = Chunks(start=said.end)
            connection.deadline = time.monotonic() + GATHER_BODY_S
            if not connection.whole() and said.expects:
                self._tell_to_go_on(connection, said)
        if not connection.whole():
            return None
        said = connection.said
        too_large = connection.long_body and said is not None and is_login(said.method, said.path)
        return _TOO_LARGE if too_large else b""

    @staticmethod
    def _tell_to_go_on(connection: Connection, said: Head) -> None:
        """100 Continue, once: the application's side must not say it again."""
        with contextlib.suppress(OSError):
            socket.socket.send(connection.sock, _GO_ON)
        connection.head[: said.end - 4] = without_expectation(connection.head[: said.end - 4])
        connection.said = head_of(connection.head)
        if said.chunked and connection.said is not None:
            connection.chunks = Chunks(start=connection.said.end)

    def _go_by(self, verdict: bytes, connection: Connection) -> None:
        if verdict:
            self._answer_shortly(connection, verdict)
        else:
            self._admit(connection)

    def _count(self, connection: Connection) -> None:
        """What all have gathered has a limit; beyond it the one with most gives up."""
        self.gathered += len(connection.head) - connection.counted
        connection.counted = len(connection.head)
        if self.gathered > GATHERED_BYTES:
            most = max(self.gathering.values(), key=lambda other: other.counted)
            self._forget(most)
            self._answer_shortly(most, self.refusal)

    def _forget(self, connection: Connection) -> None:
        """Take a connection out of the gathering."""
        self.gathered -= connection.counted
        connection.counted = 0
        self.gathering.pop(connection.sock.fileno(), None)
        if connection.home:
            self.households[connection.home].idle.pop(connection, None)
        with contextlib.suppress(KeyError, ValueError, OSError):
            self.poller.unregister(connection.sock)

    def _admit(self, connection: Connection) -> None:
        said = connection.said
        assert said is not None
        connection.asker = self.app.proxies.client_of(connection.address, said.forwarded_for)[0]
        kind = connection.wanted = kind_of(said.method, said.path, claims=said.claims, long_body=connection.long_body)
        if self._enter(connection):
            self._answer(connection)
            return
        may_wait = connection.room != "stream" or self._let_a_stalled_one_go(connection)
        if may_wait and len(self.waiting[kind]) < WAITING_LIMITS.get(kind, WAITING_LIMIT):
            connection.waiting_since = time.monotonic()
            self.waiting[kind].append(connection)
        else:
            self._answer_shortly(connection, self.refusal)

    def _enter(self, connection: Connection) -> bool:
        if not self.admission.enter(connection.wanted, connection.asker):
            return False
        connection.place = connection.sock.place = Place(self.admission, connection.wanted, connection.asker)
        return True

    def _answer(self, connection: Connection) -> None:
        """Hand an admitted request to a thread."""
        if connection.parser is None:
            connection.parser = http.get_parser(self.cfg, connection.sock, connection.client)
            connection.initialized = True
        conversation = connection.room == "socket" and connection.said is not None and connection.said.upgrade
        now = time.monotonic()
        connection.sock.read_until = None if conversation else now + BODY_GRACE_S
        connection.sock.ended = False
        connection.sock.progress_at = now
        connection.parser.unreader.unread(bytes(connection.head))
        connection.head.clear()
        connection.begin_again()
        self.working.add(connection)
        self.tpool.submit(partial(self._in_thread, connection))

    def _in_thread(self, connection: Connection) -> None:
        keep = False
        try:
            keep = bool(self.handle(connection))
        except BaseException:
            log.exception("A request ended in an unexpected way.")
        finally:
            connection.sock.over()
            self.method_queue.defer(self._answered, connection, keep)

    def _keepalive_after(self, conn: Connection, keepalive: bool) -> bool:
        """A body that nobody wanted and that has not come is not waited for in a thread: the connection ends."""
        if not keepalive:
            return False
        conn.sock.read_until = 0.0
        return bool(conn.parser.finish_body(deadline=time.monotonic() + 1.0)) and not conn.sock.ended

    def _answered(self, connection: Connection, keep: bool) -> None:
        self.working.discard(connection)
        if connection.place is not None:
            connection.place.leave()
        self._let_waiting_in()
        if not keep or not self.alive:
            self._linger(connection)
            return
        connection.used = True
        try:
            connection.sock.setblocking(False)
            # What came after the request, or with it (pipelining), is the next one's beginning.
            connection.head += connection.parser.unreader.take_buffered()
            connection.begun = bool(connection.head)
            verdict = self._verdict(connection)
            if verdict is not None:
                self._go_by(verdict, connection)
            elif connection.said is not None:
                self._gather(connection, GATHER_BODY_S)
            else:
                self._gather(connection, HEAD_S if connection.head else KEEP_ALIVE_S)
        except OSError:
            self._close(connection)

    def _let_waiting_in(self) -> None:
        """First come, first served, within each kind; who finds only its household's part full keeps its turn."""
        for kind, line in self.waiting.items():
            staying: list[Connection] = []
            while line and not self.admission.full(kind):
                connection = line.popleft()
                if self._enter(connection):
                    self._answer(connection)
                else:
                    staying.append(connection)
            line.extendleft(reversed(staying))

    def _let_a_stalled_one_go(self, newcomer: Connection) -> bool:
        """End the stream that has not moved for longest, if a minute or more; the newcomer gets its place."""
        latest = time.monotonic() - STALLED_S
        whole_room = self.admission.full(newcomer.wanted)
        stalled = [
            other for other in self.working
            if other.wanted == newcomer.wanted and other.room == "stream" and other.sock.progress_at < latest
            and (whole_room or other.asker == newcomer.asker)
        ]
        if not stalled:
            return False
        min(stalled, key=lambda other: other.sock.progress_at).sock.hang_up()
        return True

    def _let_the_longest_idle_go(self) -> None:
        if self.lingering:
            self._end_linger(next(iter(self.lingering)))
        elif self.gathering:
            connection = min(self.gathering.values(), key=lambda other: (bool(other.head), other.deadline))
            self._forget(connection)
            self._close(connection)

    def _answer_shortly(self, connection: Connection, answer: bytes) -> None:
        """A whole answer from the main loop, without a thread; it fits any socket's buffer."""
        try:
            connection.sock.setblocking(False)
            socket.socket.send(connection.sock, answer)
        except OSError:
            pass
        self._linger(connection)

    def _linger(self, connection: Connection) -> None:
        """Close so that the client gets all of the answer (RFC 9112 9.6), without waiting for it here."""
        client = connection.sock
        try:
            client.setblocking(False)
            client.shutdown(socket.SHUT_WR)
            now = time.monotonic()
            connection.deadline, connection.lingers_until = now + LINGER_S, now + LINGER_AT_MOST_S
            number = client.fileno()
            self.poller.register(client, selectors.EVENT_READ, partial(self._lingered, number))
            self.lingering[number] = (client, connection)
        except (OSError, ValueError, KeyError):
            self._close(connection)

    def _lingered(self, number: int, _: Any) -> None:
        client, connection = self.lingering[number]
        try:
            data = socket.socket.recv(client, 65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        connection.drained += len(data)
        connection.deadline = min(time.monotonic() + LINGER_S, connection.lingers_until)
        if not data or connection.drained > LINGER_BYTES:
            self._end_linger(number)

    def _end_linger(self, number: int) -> None:
        client, connection = self.lingering.pop(number)
        with contextlib.suppress(KeyError, ValueError, OSError):
            self.poller.unregister(client)
        self._close(connection)

    def _close(self, connection: Connection) -> None:
        self.nr_conns -= 1
        household = self.households.get(connection.home)
        if household is not None:
            household.count -= 1
            if not household.count:
                del self.households[connection.home]
        with contextlib.suppress(OSError):
            connection.sock.close()

    def _look_at_the_clock(self) -> None:
        now = time.monotonic()
        for connection in [one for one in self.gathering.values() if one.deadline < now]:
            self._forget(connection)
            if connection.begun:
                self._answer_shortly(connection, _TOO_SLOW)
            else:
                self._close(connection)
        for number in [number for number, (_, one) in self.lingering.items() if one.deadline < now]:
            self._end_linger(number)
        for kind, line in self.waiting.items():
            latest = now - (STRANGER_WAITS_S if kind == "stranger" else WAITING_S)
            while line and line[0].waiting_since < latest:
                self._answer_shortly(line.popleft(), self.refusal)

    # ---- the end

    def handle_exit(self, sig: int, frame: Any) -> None:
        if self.alive:
            self.alive = False
            self.method_queue.defer(lambda: None)

    def handle_quit(self, sig: int, frame: Any) -> None:
        """At once: the second Ctrl-C."""
        os._exit(1)

    def handle_abort(self, sig: int, frame: Any) -> None:
        os._exit(1)

    def _put_down(self) -> None:
        """Listeners first, then streams and sockets, then quick requests, the station, and the process."""
        overdue = threading.Timer(STOP_LIMIT_S, partial(_end, 0))
        overdue.daemon = True
        overdue.start()
        self.alive = False
        try:
            self.set_accept_enabled(False)
            for listener in self.sockets:
                listener.close()
            for connection in list(self.gathering.values()):
                self._forget(connection)
                self._close(connection)
            for line in self.waiting.values():
                while line:
                    self._answer_shortly(line.popleft(), self.refusal)
            for connection in self.working:
                if connection.room != "quick":
                    connection.sock.hang_up()
            until = time.monotonic() + QUICK_GRACE_S
            while time.monotonic() < until and any(one.room == "quick" for one in self.working):
                self.wait_for_and_dispatch_events(timeout=0.05)
            if self.tls is not None:
                self.tls.stop()
        except Exception:
            log.exception("Closing the connections failed.")
        try:
            if self.station is not None:
                self.station.stop(STATION_GRACE_S)
        except Exception:
            log.exception("The station did not stop cleanly.")
        if self.tls is not None:
            self.tls.end()
        _end(0)


class StationApplication(BaseApplication):  # type: ignore[misc]
    """What gunicorn wants to know, without its command line, its files and its environment."""

    def __init__(
        self,
        *,
        create: Callable[[], Any],
        on_ready: Callable[[list[tuple[str, int]]], None] | None,
        admission: Admission,
        proxies: Proxies,
        proxy_headers: Collection[str],
        tls: TlsOf | None,
        connections_per_client: int,
    ) -> None:
        self.create = create
        self.on_ready = on_ready
        self.admission = admission
        self.proxies = proxies
        self.proxy_headers = proxy_headers
        self.tls = tls
        self.connections_per_client = connections_per_client
        super().__init__()

    def load_config(self) -> None:
        threads = self.admission.rooms.threads
        for name, value in {
            "workers": 1,                       # one process holds the station; threads do the rest
            "worker_class": StationWorker,
            "threads": threads,
            "worker_connections": max(CONNECTIONS, 2 * threads),
            "timeout": 120,                     # a main loop silent for so long is replaced
            "graceful_timeout": 5,
            "keepalive": KEEP_ALIVE_S,
            "limit_request_line": 0,            # HEAD_LIMIT_BYTES bounds it: see heads.LONGEST_LINE_BYTES
            "limit_request_fields": 100,
            "limit_request_field_size": 8190,
            "forwarded_allow_ips": "",          # who may speak for others is the application's decision
            "accesslog": None,
            "errorlog": "-",
            "logger_class": _Log,
            "control_socket_disable": True,
            "worker_tmp_dir": "/dev/shm" if os.access("/dev/shm", os.W_OK) else None,  # nosec B108  # mkstemp there
            "child_exit": _count_early_ends(),
        }.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        return self.create()


class StationArbiter(Arbiter):  # type: ignore[misc]
    """The parent: holds the listening sockets, starts the worker again if it dies, passes on the stop."""

    def handle_int(self) -> None:
        raise StopIteration  # Ctrl-C stops in order; while that lasts, a second one ends at once

    handle_hup = handle_int  # the terminal was closed

    def handle_usr2(self) -> None:
        """No second station beside this one."""

    handle_ttin = handle_ttou = handle_winch = handle_usr1 = handle_usr2


def _as_expected(app: Any) -> Any:
    """`app` with three things set right between it and gunicorn.

    gunicorn promises that its input ends by itself, which makes Werkzeug take half an upload for a whole one; without
    the promise it answers 400. A body in answer to HEAD is dropped before gunicorn complains of it in the log. And
    the application finds the request's place, how to end it, and whether it came through TLS.
    """

    def site(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        if "CONTENT_LENGTH" in environ:
            environ.pop("wsgi.input_terminated", None)
        else:
            environ["wsgi.input"] = _Chunked(environ["wsgi.input"])
        wire = environ["gunicorn.socket"]
        environ[PLACE] = wire.place
        environ[HANG_UP] = wire.hang_up_now = HangUp(wire)
        environ["wsgi.url_scheme"] = "https" if wire.secure else "http"
        body = app(environ, start_response)
        if environ["REQUEST_METHOD"] == "HEAD":
            getattr(body, "close", lambda: None)()
            return ()
        return body

    return site


class _Chunked(io.RawIOBase):
    """A body in chunks; one whose chunks are malformed breaks off, as if its client had gone."""

    def __init__(self, body: Any) -> None:
        self._body = body

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data: bytes = self._body.read(len(buffer))
        except ParseException as error:
            raise OSError(errno.EPROTO, str(error)) from None
        buffer[: len(data)] = data
        return len(data)


def _count_early_ends() -> Callable[[Any, Any], None]:
    """A gunicorn hook that gives up when worker after worker dies right after its start."""
    started = time.monotonic()
    early = 0

    def child_exit(_: Any, __: Any) -> None:
        nonlocal started, early
        now = time.monotonic()
        early = early + 1 if now - started < EARLY_S else 1
        started = now
        if early >= EARLY_LIMIT:
            log.error("The station ended %d times right after its start; see the lines above.", early)
            raise HaltServer("worker ends at once", 1)

    return child_exit


class _Log:
    """gunicorn's messages in the station's log; its own chatter only for who asks for DEBUG."""

    def __init__(self, cfg: Any) -> None:
        self.cfg = cfg
        self.access_log_enabled = False

    def setup(self, cfg: Any) -> None: ...

    def debug(self, message: Any, *args: Any, **named: Any) -> None: ...

    def info(self, message: Any, *args: Any, **named: Any) -> None:
        log.debug(message, *args)

    def warning(self, message: Any, *args: Any, **named: Any) -> None:
        log.warning(message, *args)

    def error(self, message: Any, *args: Any, **named: Any) -> None:
        told_already = ("Worker (pid:%s) exited", "Shutting down", "Reason:")
        if isinstance(message, str) and message.startswith(told_already):
            log.debug(message, *args)
        else:
            log.error(message, *args)

    critical = error

    def exception(self, message: Any, *args: Any, **named: Any) -> None:
        log.exception(message, *args)

    def log(self, level: int, message: Any, *args: Any, **named: Any) -> None:
        log.log(level, message, *args)

    def access(self, *args: Any) -> None: ...

    def reopen_files(self) -> None: ...

    def close_on_exec(self) -> None: ...


def _die_with_parent(parent: int) -> None:
    """Let `kill -9` of the parent end the worker too, or it would go on holding port and database.

    Linux tells the worker by signal; elsewhere the main loop notices within a second.
    """
    if sys.platform != "linux":
        return
    set_parent_death_signal = 1
    try:
        ctypes.CDLL(None, use_errno=True).prctl(set_parent_death_signal, signal.SIGKILL, 0, 0, 0)
    except (OSError, AttributeError):
        return
    if os.getppid() != parent:
        os._exit(1)  # it died before the wish was heard


def _say_why(error: BaseException) -> None:
    """One sentence for what a person can put right, a traceback for what only a programmer can."""
    message = getattr(error, "message", None)
    if isinstance(error, SystemExit | KeyboardInterrupt):
        message = str(error) if isinstance(error, SystemExit) and isinstance(error.code, str) else "Stopped."
    if message:
        sys.stderr.write(f"{message}\n")
    else:
        log.critical("The station could not start.", exc_info=error)


def _end(code: int) -> None:
    """Leave without waiting for threads; the station has put down what it held, or its time is up."""
    for child in multiprocessing.active_children():
        child.kill()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, io.UnsupportedOperation):
            stream.flush()
    os._exit(code)


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
    """Serve on `listeners` until told to stop; 0 after an ordinary stop, 1 when the station cannot run.

    `create` runs in the worker process; the application's `extensions["station"]` is started there before the
    first request and stopped after the last one.
    """
    application = StationApplication(
        create=create, on_ready=on_ready, admission=admission, proxies=proxies, proxy_headers=proxy_headers, tls=tls,
        connections_per_client=connections_per_client,
    )
    arbiter = StationArbiter(application)
    arbiter.LISTENERS = [
        (TCP6Socket if listener.family == socket.AF_INET6 else TCPSocket)(
            listener.getsockname(), application.cfg, arbiter.log, fd=listener.detach()
        )
        for listener in listeners
    ]
    try:
        arbiter.run()
    except SystemExit as end:
        return 0 if end.code in (0, None) else 1
    return 0
