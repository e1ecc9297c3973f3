"""Lend a worker process a track's bytes that lie in no file it could open: they are on their way from the cloud.

    serving process: Lending ◀──a socket, a token──▶ worker: Borrowed, which reads and seeks like a file

So a conversion begins with the first bytes that come, and what it reads fills the cache. A worker gets the bytes of
this one track and nothing else. The socket is a file's, because workers talk to nobody over TCP (shared/confine.py);
where there are no such sockets (Windows) it is one of loopback.
"""

from __future__ import annotations

import contextlib
import hmac
import io
import logging
import os
import secrets
import shutil
import socket
import struct
import tempfile
import threading
from typing import Any

from shared.model.errors import SoundsibleError
from shared.model.units import KIB, MIB, Bytes, Seconds

log = logging.getLogger(__name__)

Loan = tuple[str | int, str, int]   # what the worker is told: the socket's path (or port), token, bytes of the whole

BUFFER_BYTES: Bytes = 256 * KIB
MOST_BYTES: Bytes = MIB         # of one answer
CONNECT_S: Seconds = 10.0
ANSWER_S: Seconds = 60.0        # the other side waits for the cloud
_ASK = struct.Struct(">QI")     # offset, bytes wanted
_ANSWER = struct.Struct(">I")   # bytes that follow
_FAILED = 0xFFFFFFFF
_TOKEN_BYTES = 16


class Lending:
    """Gives one reader's bytes to whoever brings the token. A thread, until `close`.

    reader   like an unbuffered file with `size_bytes`; read by that thread alone, and closed by it
    """

    def __init__(self, reader: Any) -> None:
        self._reader = reader
        self._token = secrets.token_hex(_TOKEN_BYTES)
        self._folder: str | None = None
        if hasattr(socket, "AF_UNIX"):
            self._folder = tempfile.mkdtemp(prefix="soundsible-")   # for this user alone; the path must be short
            self._where: str | int = os.path.join(self._folder, "lent")
            self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._listener.bind(self._where)
            self._listener.listen(4)
        else:
            self._listener = socket.create_server(("127.0.0.1", 0), backlog=4)
            self._where = int(self._listener.getsockname()[1])
        self._listener.settimeout(1.0)
        self._wire: socket.socket | None = None
        self._closed = False
        self.failure: SoundsibleError | None = None     # why bytes could not be given
        threading.Thread(target=self._serve, daemon=True, name="lending").start()

    @property
    def loan(self) -> Loan:
        return self._where, self._token, int(self._reader.size_bytes)

    def close(self) -> None:
        """Whoever still reads is cut off. May be called twice."""
        self._closed = True
        for one in (self._listener, self._wire):
            if one is not None:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._clear()

    def _clear(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _serve(self) -> None:
        try:
            while not self._closed:
                try:
                    wire, _ = self._listener.accept()
                except TimeoutError:
                    continue
                with wire:
                    wire.settimeout(CONNECT_S)
                    told = _receive(wire, 2 * _TOKEN_BYTES)
                    if not hmac.compare_digest(told, self._token.encode()):
                        continue
                    self._wire = wire
                    wire.settimeout(None)
                    _at_once(wire)
                    self._answer(wire)
        except OSError:
            pass                # closed, or the worker is gone
        except Exception:       # the edge of a thread
            log.exception("lending a track ended in an unexpected way")
        finally:
            self._listener.close()
            self._clear()
            self._reader.close()

    def _answer(self, wire: socket.socket) -> None:
        while len(asked := _receive(wire, _ASK.size)) == _ASK.size:
            offset, wanted = _ASK.unpack(asked)
            try:
                self._reader.seek(offset)
                data = self._reader.read(min(wanted, MOST_BYTES))
            except SoundsibleError as failure:
                self.failure = failure
                wire.sendall(_ANSWER.pack(_FAILED))
                return
            wire.sendall(_ANSWER.pack(len(data)) + data)


class Borrowed(io.RawIOBase):
    """In a worker: a lent track, to be read like a file. Raises OSError when it cannot be had any more."""

    def __init__(self, loan: Loan) -> None:
        where, token, self._size = loan
        self._at = 0
        if isinstance(where, int):
            self._wire = socket.create_connection(("127.0.0.1", where), timeout=CONNECT_S)
        else:
            self._wire = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._wire.settimeout(CONNECT_S)
            self._wire.connect(where)
        self._wire.settimeout(ANSWER_S)
        _at_once(self._wire)
        self._wire.sendall(token.encode())

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise OSError(22, "there is nothing before the first byte")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), max(0, self._size - self._at))
        if not wanted:
            return 0
        self._wire.sendall(_ASK.pack(self._at, wanted))
        head = _receive(self._wire, _ANSWER.size)
        length = _ANSWER.unpack(head)[0] if len(head) == _ANSWER.size else _FAILED
        if length == _FAILED or not 0 < length <= wanted:
            raise OSError(5, "the track cannot be had any more")
        data = _receive(self._wire, length)
        if len(data) < length:
            raise OSError(5, "the track cannot be had any more")
        buffer[:length] = data
        self._at += length
        return int(length)

    def close(self) -> None:
        if not self.closed:
            self._wire.close()
        super().close()


def borrowed(loan: Loan) -> io.BufferedReader:
    return io.BufferedReader(Borrowed(loan), BUFFER_BYTES)


def _at_once(wire: socket.socket) -> None:
    """Small answers leave without waiting for more."""
    if wire.family == socket.AF_INET:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _receive(wire: socket.socket, count: int) -> bytes:
    """`count` bytes, fewer when the other side ends."""
    got = bytearray()
    while len(got) < count:
        data = wire.recv(count - len(got))
        if not data:
            break
        got += data
    return bytes(got)
