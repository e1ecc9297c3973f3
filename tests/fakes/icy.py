"""An internet radio written by hand, as SHOUTcast and Icecast speak: endless sound, with lines about it in between.

    with Icy(b"…sound…", titles=["One - Two"]) as radio: radio.url
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Sequence
from typing import Self


class Icy:
    """first_line   "ICY 200 OK" of SHOUTcast, or HTTP's.
    titles          told one after the other, each once, with an empty line wherever there is nothing new.
    pause_s         between two pieces of `metaint` bytes.
    stops_after     pieces after which the connection is closed; None: never.
    """

    def __init__(self, sound: bytes = bytes(range(1, 251)) * 40, *, titles: Sequence[bytes | str] = (),
                 metaint: int | None = 500, first_line: str = "ICY 200 OK", kind: str = "audio/mpeg",
                 headers: Sequence[str] = (), pause_s: float = 0.01, stops_after: int | None = None) -> None:
        self.sound = sound
        self.titles = [one.encode() if isinstance(one, str) else one for one in titles]
        self.metaint = metaint
        self.first_line = first_line
        self.kind = kind
        self.headers = list(headers)
        self.pause_s = pause_s
        self.stops_after = stops_after
        self.asked: list[str] = []
        self.open = 0
        self._plug = socket.create_server(("127.0.0.1", 0))
        self._ended = threading.Event()
        self._lock = threading.Lock()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._plug.getsockname()[1]}"

    @property
    def url(self) -> str:
        return f"http://{self.host}/stream"

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        with contextlib.suppress(OSError):
            self._plug.shutdown(socket.SHUT_RDWR)
        self._plug.close()

    def _serve(self) -> None:
        while not self._ended.is_set():
            try:
                one, _ = self._plug.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(one,), daemon=True).start()

    def _answer(self, plug: socket.socket) -> None:
        with contextlib.suppress(OSError), plug:
            plug.settimeout(10)
            asked = b""
            while b"\r\n\r\n" not in asked:
                piece = plug.recv(4096)
                if not piece:
                    return
                asked += piece
            with self._lock:
                self.asked.append(asked.decode("latin-1"))
                self.open += 1
            try:
                self._send(plug, b"icy-metadata: 1" in asked.lower())
            finally:
                with self._lock:
                    self.open -= 1

    def _send(self, plug: socket.socket, wants_lines: bool) -> None:
        metaint = self.metaint if wants_lines else None
        lines = [self.first_line, f"content-type: {self.kind}", "icy-name: A Radio"]
        lines += [f"icy-metaint:{metaint}"] if metaint else []
        plug.sendall("\r\n".join([*lines, *self.headers, "", ""]).encode("latin-1"))
        left, at, pieces = list(self.titles), 0, 0
        while not self._ended.is_set() and (self.stops_after is None or pieces < self.stops_after):
            size = metaint or 500
            doubled = self.sound + self.sound
            plug.sendall(doubled[at:at + size])
            at, pieces = (at + size) % len(self.sound), pieces + 1
            if metaint:
                plug.sendall(line_of(left.pop(0) if left else b""))
            time.sleep(self.pause_s)


def line_of(title: bytes) -> bytes:
    if not title:
        return b"\x00"
    said = title if title.startswith(b"Stream") else b"StreamTitle='" + title + b"';StreamUrl='http://x/';"
    length = -(-len(said) // 16)
    return bytes([length]) + said.ljust(length * 16, b"\x00")
