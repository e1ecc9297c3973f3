"""Serve with Werkzeug's threads, where gunicorn does not run (Windows): one for each connection."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any

from werkzeug.serving import BaseWSGIServer, ThreadedWSGIServer, WSGIRequestHandler

from shared.serving.admission import Admission, Doorkeeper
from shared.serving.files import with_files
from shared.serving.lifecycle import begin, ending, tell_ready

log = logging.getLogger("soundsible.server")

PATIENCE_S = 600.0          # a client that takes or sends nothing for so long is let go


class _Handler(WSGIRequestHandler):
    """HTTP/1.1 with kept connections, without a line for every request."""

    protocol_version = "HTTP/1.1"
    timeout = PATIENCE_S
    disable_nagle_algorithm = True

    def log(self, type: str,
            message: str, *args: Any) -> None:
        if type == "error":
            log.debug(message, *args)


class _Server(ThreadedWSGIServer):
    daemon_threads = True
    block_on_close = False
    multithread = True
    request_queue_size = 1024


def run(
    listeners: Sequence[socket.socket],
    *,
    create: Callable[[], Any],
    on_ready: Callable[[list[tuple[str, int]]], None] | None,
    admission: Admission,
) -> int:
    """Serve on `listeners` until told to stop. The process ends here after a stop, threads or not."""
    begun = begin(create)
    if begun is None:
        return 1
    app, station = begun

    site = Doorkeeper(with_files(app), admission=admission)
    servers: list[BaseWSGIServer] = []
    for listener in listeners:
        host, port = listener.getsockname()[:2]
        servers.append(_Server(host, port, site, handler=_Handler, fd=listener.fileno()))

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

    with ending(station, listeners):
        pass
    return 0
