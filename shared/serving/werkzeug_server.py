"""Serve with Werkzeug's threads, where gunicorn does not run (Windows): one for each connection that has said
something."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any

from werkzeug.serving import BaseWSGIServer, ThreadedWSGIServer, WSGIRequestHandler

from shared.security.proxies import Forwarded, Proxies
from shared.serving.admission import PLACE, Admission, Doorkeeper
from shared.serving.files import with_files
from shared.serving.hang_up import HANG_UP, HangUp
from shared.serving.lifecycle import begin, ending, tell_ready
from shared.serving.porch import Households, Porch, Visitor
from shared.serving.strict_heads import StrictHeads
from shared.serving.tls import Tls, TlsOf, begin_tls

log = logging.getLogger("soundsible.server")

PATIENCE_S = 600.0          # a client that takes or sends nothing for so long is let go
HEAD_S = 15.0               # a request's head
BODY_S = 30.0               # and its body, wanted or not


class _Handler(StrictHeads, WSGIRequestHandler):
    """HTTP/1.1 with kept connections, without a line for every request."""

    protocol_version = "HTTP/1.1"
    timeout = PATIENCE_S
    connection: Visitor
    hang_up: HangUp | None = None
    environ: dict[str, Any]

    def setup(self) -> None:
        with contextlib.suppress(OSError):      # the plain end of a TLS connection has no such thing
            self.connection = self.request
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        super().setup()

    def handle_one_request(self) -> None:
        self.connection.read_until = time.monotonic() + HEAD_S
        super().handle_one_request()

    def make_environ(self) -> dict[str, Any]:
        environ = self.environ = super().make_environ()
        self.connection.read_until = time.monotonic() + BODY_S
        self.hang_up = environ[HANG_UP] = HangUp(self.connection)
        environ["wsgi.url_scheme"] = "https" if self.connection.secure else "http"
        return environ

    def run_wsgi(self) -> None:
        try:
            super().run_wsgi()
        finally:
            place = self.environ.get(PLACE)     # Werkzeug forgets to close the answer when a client is gone
            if place is not None:
                place.leave()
            if self.hang_up is not None:
                self.hang_up.over()

    def log(self, type: str, message: str, *args: Any) -> None:
        if type == "error":
            log.debug(message, *args)


class _Server(ThreadedWSGIServer):
    daemon_threads = True
    block_on_close = False
    multithread = True
    request_queue_size = 1024

    def __init__(self, listener: socket.socket, site: Any, *, households: Households, tls: Tls | None) -> None:
        host, port = listener.getsockname()[:2]
        super().__init__(host, port, site, handler=_Handler, fd=listener.fileno())
        self._households = households
        self._porch = Porch(tls=tls, let_in=self.let_in, gone=lambda visitor: households.leave(visitor.home))

    def process_request(self, request: Any, client_address: Any) -> None:
        """A new connection: its thread begins with its first byte."""
        home = self._households.enter(client_address[0])
        if home is None:
            request.close()
            return
        visitor = Visitor.of(request)
        visitor.home = home
        self._porch.arrive(visitor, client_address)

    def let_in(self, visitor: Visitor, address: Any) -> None:
        try:
            super().process_request(visitor, address)
        except RuntimeError as error:   # no further thread
            log.warning("A connection was closed: %s", error)
            self.shutdown_request(visitor)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        if isinstance(request, Visitor):
            self._households.leave(request.home)


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

    site = Forwarded(Doorkeeper(with_files(app), admission=admission), proxies=proxies, only_theirs=proxy_headers)
    speaks = begin_tls(tls)
    households = Households(admission=admission, most=connections_per_client)
    servers: list[BaseWSGIServer] = [
        _Server(listener, site, households=households, tls=speaks) for listener in listeners]

    stopping = threading.Event()

    def note(_: int, __: Any) -> None:
        if stopping.is_set():
            os._exit(1)
        stopping.set()

    signal.signal(signal.SIGINT, note)
    signal.signal(signal.SIGTERM, note)
    for server in servers:
        threading.Thread(target=server.serve_forever, name="accept", daemon=True).start()
    tell_ready(on_ready, listeners)
    while not stopping.wait(0.5):  # with a time-out, because on Windows a bare wait hides Ctrl-C
        pass

    with ending(station, listeners, tls=speaks):
        pass
    return 0
