"""Carry connections between clients who speak TLS and the station, which does not: one loop, no threads.

A Link has two ends: the client's socket, where the bytes are encrypted, and one end of a pair whose other end the
server takes for the connection. Bytes go both ways as fast as the slower side takes them: at most CHUNK_BYTES wait here
in each direction. Each side may end its half alone.

Standard library only: this runs in a process of its own (tls_process), where the key is and nothing else. 64 kB at once
and OpenSSL on the socket itself carried 1.1 GB for each second of a core here; 16 kB, or memory between OpenSSL and the
socket (MemoryBIO), which asyncio uses too, carried 0.7 to 1.1.
"""

from __future__ import annotations

import contextlib
import errno
import select
import selectors
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial

CHUNK_BYTES = 64 * 1024
HANDSHAKE_S = 10.0
HANDSHAKES = 512            # under way at once; the oldest gives way
HANDSHAKES_PER_HOUSEHOLD = 32
LOOK_S = 1.0                # between two looks at the clock
LINGER_S, LINGER_AT_MOST_S, LINGER_BYTES = 2.0, 20.0, 16 * 1024 * 1024     # after the last word to a client
LAST_BYTES_S = 60.0         # the server has hung up: who takes nothing of the rest for so long is let go
GRACE_S = 1.0               # at the end: for what is under way
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"     # of TLS 1.2; those of 1.3 are all good

_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
_LATER = (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError, InterruptedError)

# (a client's socket, our end of the pair, the household it counts for or "")
Newcomer = tuple[socket.socket, socket.socket, str]


class Certificate:
    """What this station shows: the newest certificate that can be used.

    say   is told when one cannot.
    """

    def __init__(self, *, say: Callable[[str], None]) -> None:
        self._say = say
        self.context: ssl.SSLContext | None = None

    def show(self, certificate: str, key: str) -> None:
        """From now on show that of these files. What cannot be used does not replace what can: a renewal may write one
        file after the other."""
        try:
            self.context = context_of(certificate, key)
        except (OSError, ValueError) as error:      # ssl.SSLError is an OSError
            still = "The one before is still shown." if self.context else "HTTPS is not answered until it can be."
            self._say(f"The certificate cannot be used with its key ({_reason(error)}). {still}")


def context_of(certificate: str, key: str) -> ssl.SSLContext:
    """TLS 1.2 and 1.3 for a server with these PEM files. Raises OSError (SSLError too) when they cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_ciphers(CIPHERS)
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(certificate, key, password=lambda: "-")   # a locked key is refused, not asked for
    return context


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "not understood").replace("_", " ").lower()
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


class Link:
    """One client and its connection to the server."""

    __slots__ = ("client", "down", "drained", "goodbye", "home", "inner", "inner_ended", "lingers_until", "moved_at",
                 "shaken", "up", "up_ended", "waits_for")

    def __init__(self, client: ssl.SSLSocket, inner: socket.socket, home: str) -> None:
        self.client = client
        self.inner = inner
        self.home = home
        self.shaken = False             # the handshake is done
        self.waits_for = _READ          # what OpenSSL needs of the client's socket to go on
        self.up: memoryview | bytes = b""       # from the client, not yet taken by the server
        self.down: memoryview | bytes = b""     # from the server, not yet taken by the client
        self.up_ended = False           # the client has said its last word
        self.inner_ended = False        # the server has
        self.goodbye = False            # and the client was told so
        self.moved_at = time.monotonic()        # a byte of `down` was taken; after the goodbye: came from the client
        self.lingers_until = 0.0
        self.drained = 0


class Relay:
    """The loop.

    certificate   shown to whoever comes.
    arrivals      readable when somebody comes (see `hear`), or when the end has come.
    hear          who has come; None: the end.
    most          links at once.
    now_and_then  is called about every LOOK_S.
    """

    def __init__(self, *, certificate: Certificate, arrivals: socket.socket,
                 hear: Callable[[], Iterable[Newcomer] | None], most: int = 4096,
                 now_and_then: Callable[[], None] = lambda: None) -> None:
        self._certificate = certificate
        self._hear = hear
        self._now_and_then = now_and_then
        self._arrivals = arrivals
        self._most = most
        self._watched = selectors.DefaultSelector()
        self._interest: dict[socket.socket, int] = {}
        self._links: set[Link] = set()
        self._shaking: dict[Link, float] = {}       # until when; the oldest first
        self._homes: Counter[str] = Counter()       # of these
        self._blocked: set[Link] = set()            # whose client does not take what there is
        self._parting: set[Link] = set()            # told goodbye, not yet gone
        self._chunk = memoryview(bytearray(CHUNK_BYTES))
        self._until: float | None = None            # the end has come
        self._watched.register(arrivals, _READ, self._arrived)

    @property
    def count(self) -> int:
        return len(self._links)

    def run(self) -> None:
        """Until the end has come and what was under way has left, GRACE_S at most."""
        look_at = time.monotonic() + LOOK_S
        while self._until is None or (len(self._links) > len(self._parting) and time.monotonic() < self._until):
            for key, mask in self._watched.select(LOOK_S if self._until is None else 0.05):
                key.data(mask)
            now = time.monotonic()
            if now >= look_at or self._until is not None:
                look_at = now + LOOK_S
                self._look_at_the_clock(now)
        for link in list(self._links):
            self._drop(link)
        self._watched.close()

    # ---- who comes

    def _arrived(self, _: int) -> None:
        newcomers = self._hear()
        if newcomers is None:
            self._watched.unregister(self._arrivals)
            self._until = time.monotonic() + GRACE_S
            for link in [*self._shaking]:
                self._drop(link)
            return
        for client, inner, home in newcomers:
            self._welcome(client, inner, home)

    def _welcome(self, client: socket.socket, inner: socket.socket, home: str) -> None:
        context = self._certificate.context
        if context is None or len(self._links) >= self._most or self._until is not None:
            client.close()
            inner.close()
            return
        if home and self._homes[home] >= HANDSHAKES_PER_HOUSEHOLD:
            self._drop(next(link for link in self._shaking if link.home == home))
        elif len(self._shaking) >= HANDSHAKES:
            self._drop(next(iter(self._shaking)))
        try:
            client.setblocking(False)
            inner.setblocking(False)
            wrapped = context.wrap_socket(client, server_side=True, do_handshake_on_connect=False)
        except (OSError, ValueError):       # gone already
            client.close()
            inner.close()
            return
        link = Link(wrapped, inner, home)
        self._links.add(link)
        self._shaking[link] = link.moved_at + HANDSHAKE_S
        self._homes[home] += 1
        self._shake(link)

    def _shake(self, link: Link) -> None:
        try:
            link.client.do_handshake()
        except ssl.SSLWantReadError:
            self._watch(link.client, _READ, link)
        except ssl.SSLWantWriteError:
            self._watch(link.client, _WRITE, link)
        except (OSError, ValueError):
            self._drop(link)
        else:
            self._shaken(link)
            link.shaken = True
            self._interests(link)

    def _shaken(self, link: Link) -> None:
        """It is no handshake any more."""
        if self._shaking.pop(link, None) is not None:
            self._homes[link.home] -= 1
            if not self._homes[link.home]:
                del self._homes[link.home]

    # ---- bytes

    def _client_ready(self, link: Link, mask: int) -> None:
        if link not in self._links:
            return      # dropped by another event of the same moment
        if not link.shaken:
            self._shake(link)
        elif link in self._parting:
            self._drain(link)
        elif link.goodbye:
            self._say_goodbye(link)
        else:
            try:
                if link.down:
                    self._push_down(link)
                if not link.up and not link.up_ended:
                    self._read_up(link)
            except (OSError, ValueError):
                self._drop(link)
                return
            self._interests(link)

    def _inner_ready(self, link: Link, mask: int) -> None:
        if link not in self._links or link.goodbye:
            return
        try:
            if mask & _WRITE and link.up:
                self._push_up(link)
            if mask & _READ and not link.down and not link.inner_ended:
                self._read_down(link)
        except (OSError, ValueError):
            self._drop(link)
            return
        self._interests(link)

    def _read_up(self, link: Link) -> None:
        link.waits_for = _READ
        try:
            count = link.client.recv_into(self._chunk)
        except ssl.SSLWantReadError:
            return
        except ssl.SSLWantWriteError:
            link.waits_for = _WRITE
            return
        if count:
            link.up = self._chunk[:count]
            self._push_up(link)
        else:
            link.up_ended = True
            with contextlib.suppress(OSError):
                link.inner.shutdown(socket.SHUT_WR)

    def _push_up(self, link: Link) -> None:
        try:
            sent = link.inner.send(link.up)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.ECONNRESET):
                raise
            sent = len(link.up)         # the server listens no more; it may still have something to say
        link.up = bytes(link.up[sent:])

    def _read_down(self, link: Link) -> None:
        try:
            count = link.inner.recv_into(self._chunk)
        except BlockingIOError:
            return
        except ConnectionResetError:    # it closed while there was something to read for it
            count = 0
        if count:
            link.down = self._chunk[:count]
            link.moved_at = time.monotonic()
            self._push_down(link)
        else:
            link.inner_ended = True

    def _push_down(self, link: Link) -> None:
        left = link.down
        sent = 0
        try:
            while sent < len(left):     # OpenSSL takes one record (16 kB) after the other
                sent += link.client.send(left[sent:])
        except _LATER:
            pass
        if sent:
            link.moved_at = time.monotonic()
        link.down = bytes(left[sent:])
        if link.down:
            self._blocked.add(link)
        else:
            self._blocked.discard(link)

    def _interests(self, link: Link) -> None:
        """What to wait for now."""
        if link.inner_ended and not link.down:
            self._say_goodbye(link)
            return
        client = _WRITE if link.down else 0
        if not link.up and not link.up_ended:
            client |= link.waits_for
        self._watch(link.client, client, link)
        inner = _WRITE if link.up else 0
        if not link.down and not link.inner_ended:
            inner |= _READ
        self._watch(link.inner, inner, link)

    def _watch(self, end: socket.socket, wanted: int, link: Link) -> None:
        known = self._interest.get(end, 0)
        if wanted == known:
            return
        ready = partial(self._client_ready if end is link.client else self._inner_ready, link)
        if not known:
            self._watched.register(end, wanted, ready)
        elif wanted:
            self._watched.modify(end, wanted, ready)
        else:
            self._watched.unregister(end)
        if wanted:
            self._interest[end] = wanted
        else:
            self._interest.pop(end, None)

    # ---- the end of a link

    def _say_goodbye(self, link: Link) -> None:
        """The server has ended: so does this side of TLS. What the client still sends is dropped, so that it gets to
        read the answer."""
        link.goodbye = True
        self._watch(link.inner, 0, link)
        try:
            # Says our part at once; the rest of what it does, waiting for the client's, is not needed.
            link.client.unwrap()
        except ssl.SSLWantWriteError:   # no room for it yet
            self._blocked.add(link)
            self._watch(link.client, _WRITE, link)
            return
        except (OSError, ValueError):
            pass
        self._blocked.discard(link)
        try:
            socket.socket.shutdown(link.client, socket.SHUT_WR)
            self._watch(link.client, _READ, link)
        except (OSError, ValueError):
            link.up_ended = True
        if link.up_ended:
            self._drop(link)
            return
        link.inner.close()
        link.moved_at = time.monotonic()
        link.lingers_until = link.moved_at + LINGER_AT_MOST_S
        self._parting.add(link)

    def _drain(self, link: Link) -> None:
        """What comes after the goodbye, not even decrypted."""
        try:
            count = socket.socket.recv_into(link.client, self._chunk)
        except BlockingIOError:
            return
        except OSError:
            count = 0
        link.moved_at = time.monotonic()
        link.drained += count
        if not count or link.drained > LINGER_BYTES:
            self._drop(link)

    def _drop(self, link: Link) -> None:
        self._shaken(link)
        self._links.discard(link)
        self._blocked.discard(link)
        self._parting.discard(link)
        for end in (link.client, link.inner):
            if self._interest.pop(end, 0):
                with contextlib.suppress(KeyError, ValueError, OSError):
                    self._watched.unregister(end)
            with contextlib.suppress(OSError):
                end.close()

    def _look_at_the_clock(self, now: float) -> None:
        self._now_and_then()
        while self._shaking:
            link, until = next(iter(self._shaking.items()))
            if until > now:
                break
            self._drop(link)
        for link in [one for one in self._parting if one.moved_at + LINGER_S < now or one.lingers_until < now]:
            self._drop(link)
        late = [one for one in self._blocked if one.moved_at + LAST_BYTES_S < now]
        for link in _hung_up(late):
            self._drop(link)


def _hung_up(links: Iterable[Link]) -> list[Link]:
    """Those whose server has closed both ways. Asked apart, because who waits for its client listens to no server."""
    if not hasattr(select, "poll"):     # Windows: the server's patience must do
        return []
    by_number = {link.inner.fileno(): link for link in links}
    asked = select.poll()
    for number in by_number:
        asked.register(number, 0)
    return [by_number[number] for number, event in asked.poll(0) if event & (select.POLLHUP | select.POLLERR)]
