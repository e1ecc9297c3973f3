"""What the servers that run in one process share: the station's start, with words for people, and its end."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from shared.serving.tls import Tls

log = logging.getLogger("soundsible.server")

STATION_GRACE_S = 2.5
STOP_LIMIT_S = 4.6
SWITCH_INTERVAL_S = 0.0005  # see gunicorn_server

OnReady = Callable[[list[tuple[str, int]]], None]


def begin(create: Callable[[], Any]) -> tuple[Any, Any] | None:
    """The application and its station (None: it has none), started. None when it could not: that has been said."""
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
        return None
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    return app, station


def tell_ready(on_ready: OnReady | None, listeners: Sequence[Any]) -> None:
    """Say where it answers, without waiting for who wants to know."""
    if on_ready is not None:
        addresses = [(one.getsockname()[0], one.getsockname()[1]) for one in listeners]
        threading.Thread(target=on_ready, args=(addresses,), name="ready", daemon=True).start()


@contextmanager
def ending(station: Any, listeners: Sequence[Any], *, tls: Tls | None) -> Iterator[None]:
    """The way out: nobody new is let in, the body lets those inside finish, the station stops, the process ends.

    It ends after STOP_LIMIT_S whatever happens: threads with paused players would be waited for in vain.
    """
    overdue = threading.Timer(STOP_LIMIT_S, os._exit, args=(0,))
    overdue.daemon = True
    overdue.start()
    for listener in listeners:
        listener.close()
    yield
    if tls is not None:
        tls.stop()
    try:
        if station is not None:
            station.stop(STATION_GRACE_S)
    except Exception:
        log.exception("The station did not stop cleanly.")
    if tls is not None:
        tls.end()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
