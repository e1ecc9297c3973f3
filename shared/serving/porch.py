"""Where new connections wait for their first byte when the server gives each a thread of its own: here they need none.

One loop for all of them. Who says nothing is let go after a while, who says hello in TLS goes on with whoever speaks it
and waits here again for its first plain byte, and one household holds so many connections and no more.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from shared.serving.admission import Admission
from shared.serving.tls import HELLO, Tls
from shared.serving.tls_relay import HANDSHAKE_S

FIRST_BYTE_S = 20.0
LOOK_S = 1.0


class Visitor(socket.socket):
    """A connection on its way in."""

    secure = False          # its client speaks TLS; this is the plain end of it
    home = ""               # the household that it counts for; "": for none
    read_until: float | None = None     # monotonic seconds: until then what is read as a file must have come

    @classmethod
    def of(cls, connection: socket.socket) -> Visitor:
        return cls(connection.family, connection.type, connection.proto, fileno=connection.detach())

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        if self.read_until is None:
            return super().recv_into(buffer, nbytes, flags)
        allowed, usual = self.read_until - time.monotonic(), self.gettimeout()
        if allowed <= 0:
            raise TimeoutError("it comes too slowly")
        self.settimeout(allowed if usual is None else min(usual, allowed))
        try:
            return super().recv_into(buffer, nbytes, flags)
        finally:
            self.settimeout(usual)


class Households:
    """How many connections each household holds. Safe from any thread."""

    def __init__(self, *, admission: Admission, most: int) -> None:
        self._admission = admission
        self._most = most
        self._open: Counter[str] = Counter()
        self._lock = threading.Lock()

    def enter(self, address: str) -> str | None:
        """The household's name ("": it counts for none), to be given to `leave`; None: it has too many already."""
        home = self._admission.home(address) or ""
        with self._lock:
            if home and self._open[home] >= self._most:
                return None
            if home:
                self._open[home] += 1
        return home

    def leave(self, home: str) -> None:
        with self._lock:
            if home:
                self._open[home] -= 1
                if not self._open[home]:
                    del self._open[home]


class Porch:
    """The loop, in a thread of its own.

    let_in   is called there, with a connection whose first byte has come, and its client's address.
    gone     is called with a connection that is not let in; it is closed already.
    """

    def __init__(self, *, tls: Tls | None, let_in: Callable[[Visitor, Any], None], gone: Callable[[Visitor], None]
                 ) -> None:
        self._tls = tls
        self._let_in = let_in
        self._gone = gone
        self._watched = selectors.DefaultSelector()
        self._waiting: dict[Visitor, float] = {}    # until when
        self._arrived: deque[tuple[Visitor, Any]] = deque()
        self._hears, self._tells = socket.socketpair()
        self._tells.setblocking(False)
        self._watched.register(self._hears, selectors.EVENT_READ)
        threading.Thread(target=self._run, name="porch", daemon=True).start()

    def arrive(self, visitor: Visitor, address: Any) -> None:
        self._arrived.append((visitor, address))
        with contextlib.suppress(BlockingIOError):      # full: it will look anyway
            self._tells.send(b".")

    def _run(self) -> None:
        while True:
            for key, _ in self._watched.select(LOOK_S):
                if key.fileobj is self._hears:
                    self._hears.recv(4096)
                else:
                    self._look(key.fileobj, key.data)   # type: ignore[arg-type]
            while self._arrived:
                visitor, address = self._arrived.popleft()
                self._wait(visitor, address, FIRST_BYTE_S)
            now = time.monotonic()
            for visitor in [one for one, until in self._waiting.items() if until < now]:
                self._turn_away(visitor)

    def _wait(self, visitor: Visitor, address: Any, patience_s: float) -> None:
        try:
            visitor.setblocking(False)
            self._watched.register(visitor, selectors.EVENT_READ, address)
        except (OSError, ValueError):   # more than select() can watch
            visitor.close()
            self._gone(visitor)
            return
        self._waiting[visitor] = time.monotonic() + patience_s

    def _look(self, visitor: Visitor, address: Any) -> None:
        try:
            first = visitor.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            first = b""
        if not first:
            self._turn_away(visitor)
            return
        self._forget(visitor)
        if first != HELLO or visitor.secure:
            visitor.setblocking(True)
            self._let_in(visitor, address)
            return
        inner = None if self._tls is None else self._tls.take(visitor, visitor.home)
        if inner is None:
            visitor.close()
            self._gone(visitor)
            return
        plain = Visitor.of(inner)
        plain.secure, plain.home = True, visitor.home
        self._wait(plain, address, HANDSHAKE_S + FIRST_BYTE_S)

    def _forget(self, visitor: Visitor) -> None:
        self._watched.unregister(visitor)
        del self._waiting[visitor]

    def _turn_away(self, visitor: Visitor) -> None:
        self._forget(visitor)
        visitor.close()
        self._gone(visitor)
