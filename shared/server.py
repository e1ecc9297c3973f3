"""Choose the server and run the station on it: gunicorn, eventlet when asked, Werkzeug where gunicorn is not.

Whichever it is, the station's code runs in real threads and need not know. Why these servers, with figures:
docs/decisions/0001-server.md.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from shared.serving.tls import TlsOf

Kind = Literal["gunicorn", "eventlet", "werkzeug"]

CONNECTIONS_PER_CLIENT = 450


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


def choose(wanted: str = "auto") -> Kind:
    """The server that SOUNDSIBLE_SERVER's value stands for.

    `auto` is gunicorn where it runs (not on Windows), else Werkzeug's threads. Names that are not known count
    as `auto`: settings.py refuses them with its own sentence.
    """
    if wanted == "eventlet":
        return "eventlet"
    return "werkzeug" if wanted == "werkzeug" or os.name == "nt" else "gunicorn"


def serve(
    *,
    create: Callable[[], Any],
    settings: ServerSettings,
    on_ready: Callable[[list[tuple[str, int]]], None] | None = None,
    proxies: Collection[str] = (),
    proxy_headers: Collection[str] = (),
    tls: TlsOf | None = None,
    connections_per_client: int = CONNECTIONS_PER_CLIENT,
) -> int:
    """Run the station until it is told to stop (Ctrl-C, SIGTERM); the process's exit code.

    create    makes the WSGI application; its `extensions["station"]`, if any, has start() and
              stop(timeout_s). Under gunicorn it is called in the worker process, after the fork.
    on_ready  is called in a thread with the addresses [(host, port)] when requests are answered; once more in a process
              that takes the place of one that died.
    proxies   addresses and networks of trusted reverse proxies, which say truly who asks.
    proxy_headers           further headers that count from those alone (who is logged in).
    tls       is asked for the certificate's files, again and again once the station has started; None, or None as its
              answer: HTTP alone.
    connections_per_client  that one household (an IPv4 address, an IPv6 /64) may hold open.

    What a person can put right (port in use, SoundsibleError at the start) is one sentence on standard error
    and exit code 1.
    """
    from shared.model.errors import StartFailed
    from shared.security.proxies import Proxies
    from shared.serving.admission import Admission, rooms_for
    from shared.serving.listening import allow_many_files, keep_memory_together, listen

    chosen = choose(settings.server)
    try:
        listeners = listen(settings.host, settings.port)
    except StartFailed as error:
        sys.stderr.write(f"{error.message}\n")
        return 1
    allow_many_files()
    keep_memory_together()
    trusted = Proxies(proxies)
    admission = Admission(rooms=rooms_for(settings.threads), exempt=proxies)
    if chosen == "gunicorn":
        from shared.serving import gunicorn_server

        run = gunicorn_server.run
    elif chosen == "eventlet":
        from shared.serving import eventlet_server

        run = eventlet_server.run
    else:
        from shared.serving import werkzeug_server

        run = werkzeug_server.run
    return run(
        listeners, create=create, on_ready=on_ready, admission=admission, proxies=trusted, proxy_headers=proxy_headers,
        tls=tls, connections_per_client=connections_per_client,
    )
