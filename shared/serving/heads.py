"""What the door must know of a request before a thread is given to it: whose path, how long a body, is it all here.

Only a first look, for those who wait and for those who are let in; the server's own parser judges afterwards and
refuses what is malformed. What this cannot make sense of counts as complete, so that the parser gets to refuse it.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

LONGEST_CHUNK_LINE_BYTES = 8190
# Of a request: Subsonic's programs send a queue or a playlist of a thousand songs as the query of a GET
# (https://github.com/Psysonic/psysonic/pull/1262).
LONGEST_LINE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Head:
    """A request's head. `length` is the body's in bytes as announced; a body that comes in chunks announces none."""

    method: str
    path: str               # decoded, without the query
    length: int
    chunked: bool
    expects: bool           # asks for "100 Continue" before it sends the body
    upgrade: bool           # to a WebSocket
    claims: bool            # brings something that may be a login: a cookie, a token, an open session's name
    forwarded_for: str      # X-Forwarded-For, for who trusts it
    end: int                # bytes from the beginning of the head to the first of the body


def head_of(data: bytes | bytearray) -> Head | None:
    """The head at the beginning of `data`; None when it has not come to its end."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    first, *lines = bytes(data[:end]).split(b"\r\n")
    method, _, rest = first.decode("latin-1").partition(" ")
    target = rest.partition(" ")[0].partition("#")[0]
    if not target.startswith("/") and "://" in target:
        target = "/" + target.partition("://")[2].partition("/")[2]
    path, _, query = target.partition("?")
    length, chunked, expects, upgrade = 0, False, False, False
    forwarded: list[str] = []
    claims = any(field.startswith("sid=") for field in query.split("&"))
    for line in lines:
        name, _, value = line.partition(b":")
        name, value = name.strip().lower(), value.strip().lower()
        if name == b"content-length":
            length = _number(value)
        elif name == b"transfer-encoding":
            chunked = b"chunked" in value
        elif name == b"expect":
            expects = value == b"100-continue" and not rest.endswith("HTTP/1.0")
        elif name == b"upgrade":
            upgrade = value == b"websocket"
        elif name in (b"cookie", b"authorization"):
            claims = True
        elif name == b"x-forwarded-for":
            forwarded.append(value.decode("latin-1"))
    return Head(method, unquote(path), length, chunked, expects, upgrade, claims, ",".join(forwarded), end + 4)


def _number(text: bytes) -> int:
    try:
        return int(text) if text.isdigit() else 0
    except ValueError:      # thousands of digits
        return 0


def without_expectation(head: bytes | bytearray) -> bytes:
    """`head` (up to its empty line) without its Expect, which has been answered."""
    first, *lines = bytes(head).split(b"\r\n")
    kept = [line for line in lines if line.partition(b":")[0].strip().lower() != b"expect"]
    return b"\r\n".join([first, *kept])


class Chunks:
    """Follows a body that comes in chunks to its end, without keeping any of it. Each byte is looked at once.

    start   where the body begins in what is shown to `whole`.
    """

    def __init__(self, *, start: int) -> None:
        self._at = start        # the beginning of a line: a chunk's size, or a trailer
        self._looked = start    # before this no line ends that is not understood yet
        self._needed = 0        # nothing can be said before so much has come
        self._trailer = False

    def whole(self, data: bytes | bytearray) -> bool:
        """Whether all that has come by now has the body's end in it (or cannot be understood)."""
        while len(data) >= self._needed:
            line_end = data.find(b"\r\n", self._looked)
            if line_end < 0:
                self._looked = max(self._at, len(data) - 1)
                return len(data) - self._at > LONGEST_CHUNK_LINE_BYTES
            line = bytes(data[self._at:line_end])
            after = line_end + 2
            if self._trailer:
                if not line:
                    return True
            else:
                digits = line.partition(b";")[0].strip()
                if not digits or len(digits) > 16 or digits.strip(b"0123456789abcdefABCDEF"):
                    return True
                size = int(digits, 16)
                self._trailer = not size
                if size:
                    after = self._needed = after + size + 2
            self._at = self._looked = after
        return False
