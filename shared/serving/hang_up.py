"""End a request's connection from outside, while its thread is busy with it."""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import threading

HANG_UP = "soundsible.hang_up"  # in a request's environ: its HangUp

# Closing drops what the client has not been sent yet: megabytes, minutes of a song, may wait in the kernel for it.
_AT_ONCE = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


class HangUp:
    """Called, it ends the connection; the thread that answers then sees it closed. Safe from any thread and any number
    of times. Once the request is over it does nothing: the connection may carry another person's by then, when a proxy
    is in front.
    """

    __slots__ = ("_lock", "_wire")

    def __init__(self, wire: socket.socket) -> None:
        self._wire: socket.socket | None = wire
        self._lock = threading.Lock()

    def __call__(self) -> None:
        with self._lock:
            if self._wire is not None:
                with contextlib.suppress(OSError):
                    self._wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
                with contextlib.suppress(OSError):
                    self._wire.shutdown(socket.SHUT_RDWR)

    def over(self) -> None:
        """The request has been answered."""
        with self._lock:
            self._wire = None
