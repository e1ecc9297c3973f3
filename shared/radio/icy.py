"""Listen to one internet radio: its answer read by hand, because SHOUTcast speaks almost HTTP.

A server that is asked for it (Icy-MetaData: 1) puts a line about what it plays between every so many bytes of sound
(icy-metaint). Here the two are taken apart. The connection goes to the very address that was checked; redirects are
checked like the first link. Headers, redirects, lines and silence are bounded.
"""

from __future__ import annotations

import math
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

from shared.model.download import Failure
from shared.model.units import Bytes, Seconds
from shared.outbound import MOST_ADDRESSES, Link, Outbound, failure_of_status

CONNECT_S: Seconds = 6.0
HEAD_S: Seconds = 15.0              # for all of an answer's head, redirects each anew
FIRST_S: Seconds = 15.0             # for the beginning that is looked at, however it drips
SILENT_S: Seconds = 20.0            # between two pieces of sound
HEAD_BYTES: Bytes = 32 * 1024
MOST_REDIRECTS = 5
METAINT = range(128, 1_000_000)     # bytes of sound between two lines; they are 8,192 or 16,000 mostly
MOST_BLANK = 100                    # lines where the size of a piece should be
PIECE: Bytes = 16 * 1024
LONGEST_TITLE = 500
_TITLE = re.compile(rb"StreamTitle='(.*?)'(?:;|\s*\x00|\s*\Z)", re.DOTALL)
_UNWANTED = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]")


@dataclass(slots=True)
class Stream:
    """An open stream. `read` gives sound alone; `heard(title)` is called for each line about what is played.

    url             where it was found in the end
    kind            its Content-Type, without parameters, lower case
    name            of the station, as its server says
    """

    url: str
    kind: str
    name: str
    metaint: int | None
    headers: dict[str, str]
    _plug: socket.socket
    _rest: bytes                    # what came behind the head already
    _chunked: bool = False
    _until_line: int = field(default=0)
    _in_chunk: int = field(default=0)

    def __post_init__(self) -> None:
        self._until_line = self.metaint or 0

    def sound(self, heard: Callable[[str], None] = lambda title: None) -> Iterator[bytes]:
        """Pieces of sound until it ends. Raises Failure timed_out, connection_lost, garbage."""
        while True:
            if not self.metaint:
                piece = self._some(PIECE)
            elif self._until_line:
                piece = self._some(min(PIECE, self._until_line))
                self._until_line -= len(piece)
            else:
                length = self._exactly(1)
                if not length:
                    return
                line = self._exactly(length[0] * 16) if length[0] else b""
                self._until_line = self.metaint
                title = title_in(line)
                if title is not None:
                    heard(title)
                continue
            if not piece:
                return
            yield piece

    def first(self, most: Bytes) -> bytes:
        """The beginning, for looking at what it is; it is not given again."""
        found, until = b"", time.monotonic() + FIRST_S
        while len(found) < most and (piece := self._some(most - len(found))):
            found += piece
            if time.monotonic() > until:
                raise Failure("timed_out", "The radio's server is too slow.")
        return found

    def close(self) -> None:
        self._plug.close()

    def hang_up(self) -> None:
        """End it from another thread."""
        try:
            self._plug.shutdown(socket.SHUT_RDWR)
        except OSError:
            self._plug.close()

    def _exactly(self, size: int) -> bytes:
        found = b""
        while len(found) < size:
            piece = self._some(size - len(found))
            if not piece:
                return b""
            found += piece
        return found

    def _some(self, most: int) -> bytes:
        """Between 1 and `most` bytes of the body; b"" at its end."""
        if not self._chunked:
            return self._raw(most)
        if not self._in_chunk:
            line = b""
            for _ in range(MOST_BLANK):
                if line := self._line():
                    break           # a blank one is the end of the piece before
            try:
                self._in_chunk = int(line.split(b";")[0].strip(), 16)
            except ValueError:
                raise Failure("garbage", "The radio's server sends pieces of no size.") from None
            if self._in_chunk <= 0:
                return b""
        piece = self._raw(min(most, self._in_chunk))
        self._in_chunk -= len(piece)
        return piece

    def _line(self) -> bytes:
        line = b""
        while not line.endswith(b"\n"):
            piece = self._raw(1)
            if not piece:
                return b"0"
            line += piece
            if len(line) > 100:
                raise Failure("garbage", "The radio's server sends pieces of no size.")
        return line.strip()

    def _raw(self, most: int) -> bytes:
        if self._rest:
            piece, self._rest = self._rest[:most], self._rest[most:]
            return piece
        try:
            return self._plug.recv(most)
        except TimeoutError:
            raise Failure("timed_out", "The radio has fallen silent.") from None
        except OSError as error:
            raise Failure("connection_lost", "The connection to the radio broke off.") from error


def title_in(line: bytes) -> str | None:
    """What a line says is played; None when it says nothing of that. Pure."""
    found = _TITLE.search(line)
    if found is None:
        return None
    try:
        title = found[1].decode("utf-8")
    except UnicodeDecodeError:
        title = found[1].decode("cp1252", "replace")
    return " ".join(_UNWANTED.sub(" ", title).split())[:LONGEST_TITLE]


def tune(outbound: Outbound, url: str, *, context: Callable[[], ssl.SSLContext] | None = None,
         metadata: bool = True, until: float = math.inf) -> Stream:
    """Connect to a stream, following redirects until then (time.monotonic). Raises Failure."""
    for _ in range(MOST_REDIRECTS + 1):
        link = Link(url)
        if time.monotonic() > until:
            raise Failure("timed_out", f"{link.host} is one of too many that lead to this radio too slowly.")
        plug = _connected(outbound, link, context)
        try:
            status, headers, rest = _asked(plug, link, outbound.user_agent, metadata)
            target = headers.get("location")
            if status in (301, 302, 303, 307, 308) and target:
                plug.close()
                url = urljoin(url, target)
                continue
            failure = failure_of_status(status, headers, link.host)
            if failure is not None:
                raise failure
            if status != 200:
                raise Failure("garbage", f"{link.host} answers with the status {status}.")
        except BaseException:
            plug.close()
            raise
        plug.settimeout(SILENT_S)
        said = headers.get("icy-metaint", "0")
        metaint = int(said) if re.fullmatch(r"\d{1,7}", said, re.ASCII) else -1
        if metaint and metaint not in METAINT:      # the sound would be torn to bits, or be full of lines
            plug.close()
            raise Failure("garbage", f"{link.host} says what it plays after every {said[:20]} bytes.")
        return Stream(
            url=url, kind=headers.get("content-type", "").partition(";")[0].strip().lower(),
            name=_UNWANTED.sub("", headers.get("icy-name", ""))[:200], metaint=metaint or None, headers=headers,
            _plug=plug, _rest=rest, _chunked="chunked" in headers.get("transfer-encoding", "").lower(),
        )
    raise Failure("garbage", f"The radio redirects more than {MOST_REDIRECTS} times.")


def _connected(outbound: Outbound, link: Link, context: Callable[[], ssl.SSLContext] | None) -> socket.socket:
    problem: OSError | None = None
    for family, kind, protocol, _, address in outbound.addresses(link.host, link.port)[:MOST_ADDRESSES]:
        plug = socket.socket(family, kind, protocol)
        try:
            plug.settimeout(CONNECT_S)
            plug.connect(address)
            outbound.opened(plug)
            if link.scheme == "https":
                plug = (context or ssl.create_default_context)().wrap_socket(plug, server_hostname=link.host)
            return plug
        except OSError as error:
            problem = error
            plug.close()
    if isinstance(problem, ssl.SSLError):
        raise Failure("refused", f"A safe connection to {link.host} is not possible: its certificate or its TLS is "
                      "wrong.") from problem
    if isinstance(problem, TimeoutError):
        raise Failure("timed_out", f"{link.host} does not answer in time.") from problem
    raise Failure("refused", f"{link.host} cannot be reached.") from problem


def _asked(plug: socket.socket, link: Link, user_agent: str, metadata: bool) -> tuple[int, dict[str, str], bytes]:
    """(status, headers by their names in lower case, what came behind them). Raises Failure."""
    parts = urlsplit(link.url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host = f"[{link.host}]" if ":" in link.host else link.host
    if link.port != (443 if link.scheme == "https" else 80):
        host += f":{link.port}"
    wish = "Icy-MetaData: 1\r\n" if metadata else ""
    # 1.0: an endless answer needs no pieces with their sizes.
    asked = (f"GET {_ascii(path)} HTTP/1.0\r\nHost: {host}\r\nUser-Agent: {user_agent}\r\nAccept: */*\r\n"
             f"{wish}Connection: close\r\n\r\n")
    head, until = b"", time.monotonic() + HEAD_S
    try:
        plug.sendall(asked.encode("ascii", "replace"))
        while (end := _END.search(head)) is None:
            if len(head) > HEAD_BYTES:
                raise Failure("garbage", f"{link.host} answers something that is no radio.")
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError
            plug.settimeout(min(left, SILENT_S))
            piece = plug.recv(4096)
            if not piece:
                raise Failure("refused" if not head else "garbage", f"{link.host} hangs up without an answer.")
            head += piece
    except TimeoutError:
        raise Failure("timed_out", f"{link.host} does not answer in time.") from None
    except OSError as error:
        raise Failure("connection_lost", f"The connection to {link.host} broke off.") from error
    lines = head[: end.start()].decode("latin-1").splitlines()
    first = re.match(r"(?:ICY|HTTP/\d(?:\.\d)?)\s+(\d{3})\b", lines[0] if lines else "")
    if first is None:
        raise Failure("garbage", f"{link.host} answers something that is no radio.")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon:
            headers.setdefault(name.strip().lower(), value.strip())
    return int(first[1]), headers, head[end.end():]


_END = re.compile(rb"\r?\n\r?\n")


def _ascii(path: str) -> str:
    return "".join(sign if sign.isascii() else "".join(f"%{byte:02X}" for byte in sign.encode("utf-8", "replace"))
                   for sign in path)
