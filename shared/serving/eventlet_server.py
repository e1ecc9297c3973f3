"""Serve on green threads (SOUNDSIBLE_SERVER=eventlet): many connections, one of them at work at a time.

Whatever blocks, blocks everybody here; so files are read in eventlet's pool of real threads, and after each
chunk the others get their turn.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any

import eventlet
import eventlet.wsgi
from eventlet import tpool

from shared.serving.admission import Admission, Doorkeeper
from shared.serving.files import ChunkedFile, with_files

log = logging.getLogger("soundsible.server")

SOCKET_TIMEOUT_S = 600.0    # a client that takes or sends nothing for so long is let go
KEEP_ALIVE_S = 75
STATION_GRACE_S = 2.5
STOP_LIMIT_S = 4.6
QUICK_GRACE_S = 1.0


class GreenFile(ChunkedFile):
    """Read in real threads, with a turn for the others after each chunk."""

    def read(self) -> bytes:
        return tpool.execute(super().read)  # type: ignore[no-any-return]

    def pause(self) -> None:
        eventlet.sleep(0)


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

    stopping = eventlet.Event()
    _hear_signals(stopping)
    site = Doorkeeper(with_files(app, wrapper=GreenFile), admission=admission)
    pool = eventlet.GreenPool(max(1000, 2 * admission.rooms.threads))  # idle connections hold one too
    servers = [
        eventlet.spawn(
            eventlet.wsgi.server,
            eventlet.greenio.GreenSocket(listener),
            site,
            log=logging.getLogger("soundsible.server.eventlet"),
            log_output=False,
            debug=False,
            custom_pool=pool,
            keepalive=KEEP_ALIVE_S,
            socket_timeout=SOCKET_TIMEOUT_S,
        )
        for listener in listeners
    ]
    if on_ready is not None:
        addresses = [(listener.getsockname()[0], listener.getsockname()[1]) for listener in listeners]
        eventlet.spawn(on_ready, addresses)
    stopping.wait()

    with eventlet.Timeout(STOP_LIMIT_S, False):
        for listener in listeners:
            listener.close()
        with eventlet.Timeout(QUICK_GRACE_S, False):
            while admission.inside("quick"):
                eventlet.sleep(0.02)
        for server in servers:
            server.kill()
        try:
            if station is not None:
                station.stop(STATION_GRACE_S)
        except Exception:
            log.exception("The station did not stop cleanly.")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # green threads with paused players would keep the process


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

    def listen() -> None:
        hears.recv(1)
        stopping.send()
        while tells.fileno() >= 0:
            hears.recv(16)

    eventlet.spawn(listen)
