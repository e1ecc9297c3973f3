"""Serve with Werkzeug's threads, where gunicorn does not run (Windows): one for each connection."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

from werkzeug.serving import BaseWSGIServer, ThreadedWSGIServer, WSGIRequestHandler

from shared.serving.admission import Admission, Doorkeeper
from shared.serving.files import with_files

log = logging.getLogger("soundsible.server")

PATIENCE_S = 600.0          # a client that takes or sends nothing for so long is let go
SWITCH_INTERVAL_S = 0.0005  # see gunicorn_server
STATION_GRACE_S = 2.5
STOP_LIMIT_S = 4.6


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
    try:
        app = create()
        station = getattr(app, "extensions", {}).get("station")
        if station is not None:
            station.start()
    except Exception as error:
        message = getattr(error, "message", None)
        if not message:
            log.critical("The station could not start.", exc_info=error)
        else:
            sys.stderr.write(f"{message}\n")
        return 1

    sys.setswitchinterval(SWITCH_INTERVAL_S)
    site = Doorkeeper(with_files(app), admission=admission)
    servers: list[BaseWSGIServer] = []
    addresses: list[tuple[str, int]] = []
    for listener in listeners:
        host, port = listener.getsockname()[:2]
        addresses.append((host, port))
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
    if on_ready is not None:
        threading.Thread(target=on_ready, args=(addresses,), name="ready", daemon=True).start()
    while not stopping.wait(0.5):  # with a time-out, because on Windows a bare wait hides Ctrl-C
        pass

    overdue = threading.Timer(STOP_LIMIT_S, os._exit, args=(0,))
    overdue.daemon = True
    overdue.start()
    for listener in listeners:
        listener.close()
    try:
        if station is not None:
            station.stop(STATION_GRACE_S)
    except Exception:
        log.exception("The station did not stop cleanly.")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # daemon threads with paused players would be waited for in vain
