"""Refuse a request whose head two programs could read in two ways, for the servers whose parser is the standard
library's: that one ends a line at a bare CR, takes a space before the colon for a part of the name, and the last of two
lengths. A proxy in front may have read another header, or another request, there (request smuggling).

gunicorn's own parser is as strict.
"""

from __future__ import annotations

import re
from typing import Any

from shared.serving.heads import LONGEST_CHUNK_LINE_BYTES

_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[\t\x20-\x7e\x80-\xff]*\r\n")
_LENGTH = re.compile(rb"[ \t]*[0-9]{1,18}[ \t]*\r\n")
_ONCE = frozenset({b"host", b"content-length", b"transfer-encoding"})


class MalformedHead(ValueError):
    """It is answered with 400."""


class HeadLines:
    """The lines of a head behind its first, as they are read. Raises MalformedHead."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._seen: set[bytes] = set()

    def readline(self, size: int = -1) -> bytes:
        line: bytes = self._file.readline(size)
        if line not in (b"\r\n", b""):
            self._look_at(line)
        return line

    def _look_at(self, line: bytes) -> None:
        field = _FIELD.fullmatch(line)
        if field is None:
            if len(line) > 8000 and not line.endswith(b"\n"):
                return      # too long: said so by who reads
            raise MalformedHead
        name, value = field[1].lower(), line[field.end(1) + 1:]
        if name in _ONCE:
            twice = name in self._seen or (name != b"host" and self._seen & (_ONCE - {b"host"}))
            if twice or (name == b"content-length" and not _LENGTH.fullmatch(value)) or (
                    name == b"transfer-encoding" and value.strip().lower() != b"chunked"):
                raise MalformedHead
            self._seen.add(name)

    @property
    def chunked(self) -> bool:
        return b"transfer-encoding" in self._seen


class StrictHeads:
    """Stands before a BaseHTTPRequestHandler. What comes in chunks ends its connection: how their sizes may be written
    is read in more than one way, too."""

    rfile: Any
    request_version: str
    close_connection: bool
    chunked = False

    def parse_request(self) -> bool:
        file, lines = self.rfile, HeadLines(self.rfile)
        self.rfile = lines
        try:
            parsed: bool = super().parse_request()  # type: ignore[misc]
        except MalformedHead:
            parsed = self._refuse()
        finally:
            self.rfile = file
        self.chunked = lines.chunked
        if parsed and (self.request_version == "HTTP/0.9" or (self.chunked and self.request_version == "HTTP/1.0")):
            return self._refuse()
        if self.chunked:
            self.close_connection = True
        return parsed

    def _refuse(self) -> bool:
        self.close_connection = True
        self.request_version = "HTTP/1.1"
        self.send_error(400)    # type: ignore[attr-defined]
        return False


class ShortLines:
    """A body as it is read, whose lines (the sizes of chunks) have an end: the parser would gather one without."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.read = file.read

    def readline(self, size: int = -1) -> bytes:
        line: bytes = self._file.readline(LONGEST_CHUNK_LINE_BYTES if size < 0 else size)
        if size < 0 and len(line) == LONGEST_CHUNK_LINE_BYTES:
            raise OSError("a line of chunks is too long")
        return line
