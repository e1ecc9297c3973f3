"""Let a long answer be ended from elsewhere, when the login it came with ends."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from flask import g, request

from shared.model.person import Person
from shared.security.open_streams import HangUp, OpenStreams

HANG_UP = "soundsible.hang_up"      # in the environ: ends the request's connection, from any thread


def entered(streams: OpenStreams, person: Person) -> Callable[[], None]:
    """The request's answer is on its way from now on. Returns the deed of its end."""
    handle = streams.enter(person.token_id, hang_up_of(request.environ), since=g.get("asked_at"))
    return lambda: streams.leave(handle)


def hang_up_of(environ: Mapping[str, Any]) -> HangUp | None:
    """The deed that ends the connection of a request, where its server gives one."""
    given = environ.get(HANG_UP)
    if given is not None:
        return given  # type: ignore[no-any-return]
    for name in ("gunicorn.socket", "werkzeug.socket"):
        if environ.get(name) is not None:
            return _shutting(environ[name])
    green = environ.get("eventlet.input")
    return None if green is None else _shutting(green.get_socket())


def _shutting(wire: Any) -> HangUp:
    def hang_up() -> None:
        with contextlib.suppress(OSError, AttributeError):
            wire.shutdown(socket.SHUT_RDWR)

    return hang_up


class Watched:
    """An answer's chunks, entered until it is closed."""

    def __init__(self, chunks: Iterable[bytes], leave: Callable[[], None]) -> None:
        self._chunks = chunks
        self._leave = leave

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._chunks)

    def close(self) -> None:
        close = getattr(self._chunks, "close", None)
        try:
            if close is not None:
                close()
        finally:
            self._leave()
