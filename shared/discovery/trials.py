"""Try from inside whether an address leads to this very station, and not to another one or to something else.

Each trial asks for /api/health with a word nobody knows in a header. It has worked when the answer is 200 and the
word came in at this process's own door: so two stations on one machine, or one behind a proxy, are never confused,
and nobody outside learns anything by which a station could be told from another.
"""

from __future__ import annotations

import http.client
import secrets
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from shared.model.units import Seconds

HEADER = "Soundsible-Trial"
EACH_S: Seconds = 2.0       # to connect, and for each piece of an answer
ALL_S: Seconds = 4.0        # for all trials together
AT_ONCE = 8
MOST = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Something to try. `ip`: where to connect, when the URL's name is not to be looked up (it may be known to others
    and not to this machine). `trusts`: only a certificate that every browser trusts will do."""

    url: str
    ip: str | None = None
    trusts: bool = False


class Trials:
    """The station asking itself."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: dict[str, bool] = {}       # word → whether it came in

    def arrived(self, word: str | None) -> None:
        """Called by the door for every such header that comes in."""
        if word:
            with self._lock:
                if word in self._under_way:
                    self._under_way[word] = True

    def run(self, places: Sequence[Place], *, within_s: Seconds = ALL_S) -> set[Place]:
        """Those that lead here. All are tried, AT_ONCE at a time; returns after `within_s` at the latest, and what has
        not answered by then does not."""
        left, found = deque(places[:MOST]), set[Place]()
        over = threading.Semaphore(0)

        def work() -> None:
            while True:
                try:
                    place = left.popleft()
                except IndexError:
                    return
                try:
                    if self._leads_here(place):
                        found.add(place)
                finally:
                    over.release()

        count = len(left)
        for _ in range(min(AT_ONCE, count)):
            threading.Thread(target=work, daemon=True, name="trial").start()
        deadline = time.monotonic() + within_s
        for _ in range(count):
            if not over.acquire(timeout=max(0.0, deadline - time.monotonic())):
                left.clear()
                break
        return set(found)

    def _leads_here(self, place: Place) -> bool:
        word = secrets.token_urlsafe(16)
        with self._lock:
            self._under_way[word] = False
        try:
            well = _status(place, word) == 200
        except (OSError, http.client.HTTPException, ValueError):
            well = False
        with self._lock:
            return self._under_way.pop(word) and well


def _status(place: Place, word: str) -> int:
    parts = urlsplit(place.url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    with socket.create_connection((place.ip or host, port), EACH_S) as plain:
        plain.settimeout(EACH_S)
        wire = _context(place).wrap_socket(plain, server_hostname=host) if parts.scheme == "https" else plain
        asked = http.client.HTTPConnection(host, port, timeout=EACH_S)
        asked.sock = wire
        try:
            asked.request("GET", f"{parts.path}/api/health", headers={
                "Host": parts.netloc, HEADER: word, "Connection": "close"})
            return asked.getresponse().status
        finally:
            asked.close()


def _context(place: Place) -> ssl.SSLContext:
    if place.trusts:
        return ssl.create_default_context()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)   # who answers is told by the word, not by a certificate
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
