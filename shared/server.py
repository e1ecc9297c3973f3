"""Choose the server and run the station on it: gunicorn, eventlet when asked, Werkzeug where gunicorn is not.

Two calls, in this order: `prepare(kind)` before anything else is imported (eventlet replaces parts of the
standard library), then `serve(...)`, which takes the port, builds the station and returns the exit code.
Why these servers, with figures: docs/decisions/0001-server.md.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Collection
from typing import Any, Literal, ParamSpec, Protocol, TypeVar

Kind = Literal["gunicorn", "eventlet", "werkzeug"]
P = ParamSpec("P")
R = TypeVar("R")

_prepared: Kind | None = None


class ServerSettings(Protocol):
    """What of the settings concerns the server."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def server(self) -> str: ...
    @property
    def threads(self) -> int: ...


def prepare(wanted: str = "auto") -> Kind:
    """Decide for a server and make the process fit for it. Call it first, with SOUNDSIBLE_SERVER's value.

    `auto` is gunicorn where it runs (not on Windows), else Werkzeug's threads. Names that are not known count
    as `auto`: settings.py refuses them with its own sentence.
    """
    global _prepared
    if _prepared is None:
        if wanted == "eventlet":
            with warnings.catch_warnings():
                # It says that new projects should not choose it; see docs/decisions/0001-server.md.
                warnings.simplefilter("ignore")
                import eventlet

                eventlet.monkey_patch()
            _prepared = "eventlet"
        elif wanted == "werkzeug" or os.name == "nt":
            _prepared = "werkzeug"
        else:
            _prepared = "gunicorn"
    return _prepared


def async_mode() -> Literal["threading", "eventlet"]:
    """What Flask-SocketIO must be told (its `async_mode`) on the server that was prepared."""
    return "eventlet" if _prepared == "eventlet" else "threading"


def offload(deed: Callable[P, R], *args: P.args, **named: P.kwargs) -> R:
    """Do what may block (a file, the database): in a real thread where threads are green, else here.

    Returns and raises what `deed` does. `deed` must not touch locks that green threads share.
    """
    if _prepared == "eventlet":
        from eventlet import tpool

        return tpool.execute(deed, *args, **named)  # type: ignore[no-any-return]
    return deed(*args, **named)


def serve(
    *,
    create: Callable[[], Any],
    settings: ServerSettings,
    on_ready: Callable[[list[tuple[str, int]]], None] | None = None,
    proxies: Collection[str] = (),
) -> int:
    """Run the station until it is told to stop (Ctrl-C, SIGTERM); the process's exit code.

    create    makes the WSGI application; its `extensions["station"]`, if any, has start() and
              stop(timeout_s). Under gunicorn it is called in the worker process, after the fork.
    on_ready  is called once, in a thread, with the addresses [(host, port)] when requests are answered.
    proxies   addresses of trusted reverse proxies, which speak for many people at once.

    What a person can put right (port in use, SoundsibleError at the start) is one sentence on standard error
    and exit code 1.
    """
    from shared.model.errors import StartFailed
    from shared.serving.admission import Admission, rooms_for
    from shared.serving.listening import allow_many_files, listen

    chosen = prepare(settings.server)
    try:
        listeners = listen(settings.host, settings.port)
    except StartFailed as error:
        sys.stderr.write(f"{error.message}\n")
        return 1
    allow_many_files()
    admission = Admission(rooms=rooms_for(settings.threads), exempt=proxies)
    if chosen == "gunicorn":
        from shared.serving import gunicorn_server

        return gunicorn_server.run(listeners, create=create, on_ready=on_ready, admission=admission)
    if chosen == "eventlet":
        from shared.serving import eventlet_server

        return eventlet_server.run(listeners, create=create, on_ready=on_ready, admission=admission)
    from shared.serving import werkzeug_server

    return werkzeug_server.run(listeners, create=create, on_ready=on_ready, admission=admission)
