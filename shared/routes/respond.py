"""Turn what the rooms answer into HTTP: JSON, errors, and audio bit for bit with ranges.

JSON is encoded straight from the shown dataclasses. Files go out through the server's `wsgi.file_wrapper`, which
under gunicorn is sendfile: no byte of them passes through Python.
"""

from __future__ import annotations

import errno
import hashlib
import io
import logging
import os
import secrets
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import msgspec
from flask import Request, Response, request
from werkzeug.exceptions import HTTPException

from shared.model.errors import NotFound, Overloaded, SoundsibleError, StorageOffline, TooOften
from shared.routes import ranges
from shared.routes.conditional import Validators, precondition, range_allowed

log = logging.getLogger(__name__)

JSON = "application/json"
GZIP_FROM_BYTES = 1024
# 500 albums, 207 kB: level 1 takes 1.5 ms for 53 kB, 2 takes 1.2 ms for 51 kB, 4 takes 4.8 for 47, 6 takes 10.7 for 45.
GZIP_LEVEL = 2
CHUNK_BYTES = 256 * 1024

_encode = msgspec.json.Encoder().encode


# ---- JSON --------------------------------------------------------------------------------------------------------


def json_of(thing: Any, status: int = 200) -> Response:
    """`thing` (dataclass, Struct, dict, list) as a JSON answer, gzipped when that is worth it and wanted."""
    body = _encode(thing)
    if len(body) < GZIP_FROM_BYTES:
        answer = Response(body, status, content_type=JSON)
    elif wants_gzip(request):
        answer = Response(gzip(body), status, content_type=JSON)
        answer.headers["Content-Encoding"] = "gzip"
        answer.headers["Vary"] = "Accept-Encoding"
    else:
        answer = Response(body, status, content_type=JSON)
        answer.headers["Vary"] = "Accept-Encoding"
    answer.headers["Cache-Control"] = "no-store"
    return answer


def gzip(body: bytes, level: int = GZIP_LEVEL) -> bytes:
    packer = zlib.compressobj(level, zlib.DEFLATED, 31)
    return packer.compress(body) + packer.flush()


def wants_gzip(asked: Request) -> bool:
    """Whether Accept-Encoding names gzip (or *) without refusing it."""
    for piece in asked.headers.get("Accept-Encoding", "").lower().split(","):
        name, _, parameter = piece.partition(";")
        if name.strip() in ("gzip", "x-gzip", "*"):
            weight = parameter.replace(" ", "").removeprefix("q=")
            return weight == "" or weight.strip("0.") != ""
    return False


def unless_known(tag_of: Sequence[object], make: Callable[[], Any]) -> Response:
    """The JSON of `make()`, or 304 without making it when the client holds what `tag_of` (all it depends on) tells.

    The tag is weak: the gzipped and the plain form share it.
    """
    digest = hashlib.blake2b(repr(tuple(tag_of)).encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
    etag = f'W/"{digest}"'
    if precondition(request.method, request.headers, Validators(etag)) == 304:
        answer = Response(status=304)
    else:
        answer = json_of(make())
    answer.headers["ETag"] = etag
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.headers["Vary"] = "Accept-Encoding, Authorization, Cookie"
    return answer


# ---- errors ------------------------------------------------------------------------------------------------------


def error(status: int, code: str, message: str, details: dict[str, Any] | None = None) -> Response:
    told: dict[str, Any] = {"code": code, "message": message.encode("utf-8", "replace").decode()}
    if details:
        told["details"] = details
    answer = Response(_encode({"error": told}), status, content_type=JSON)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def error_of(problem: SoundsibleError) -> Response:
    """A SoundsibleError as its answer."""
    status = problem.http_status
    if isinstance(problem, StorageOffline):
        status = 422    # 503 says that the station is overloaded; here a folder or provider is silent
    if status >= 500 and not isinstance(problem, Overloaded):
        log.error("%s %s: %s: %s", request.method, request.path, type(problem).__name__, problem.message)
    answer = error(status, problem.code, problem.message, _plain(problem.details))
    if isinstance(problem, TooOften | Overloaded):
        answer.headers["Retry-After"] = str(max(1, int(problem.retry_after_s)))
    return answer


_WORDS = {
    400: ("bad_request", "The request is not understood."),
    404: ("not_found", "There is nothing here. /api/docs lists what this station answers."),
    405: ("method_not_allowed", "This address does not answer that method."),
    408: ("too_slow", "The request came too slowly."),
    413: ("too_large", "The request's body is larger than this address takes."),
    415: ("not_json", "The body must be JSON (Content-Type: application/json)."),
}


def error_of_http(problem: HTTPException) -> Response:
    """What Flask itself refuses (404, 405, 413 …) in the same shape."""
    status = problem.code or 500
    code, message = _WORDS.get(status, (problem.name.lower().replace(" ", "_"), problem.description or problem.name))
    answer = error(status, code, message)
    allowed = getattr(problem, "valid_methods", None)
    if allowed:
        answer.headers["Allow"] = ", ".join(sorted(allowed))
    return answer


def error_of_defect(problem: Exception) -> Response:
    """A defect of ours: the log gets the traceback, the client a number to find it by."""
    number = secrets.token_hex(4)
    log.error("%s %s failed [%s]", request.method, request.path, number, exc_info=problem)
    return error(500, "internal", f"Something went wrong inside the station. Its log tells more under {number}.",
                 {"id": number})


def _plain(details: dict[str, Any]) -> dict[str, Any] | None:
    """`details`, or its texts when something in it is no JSON: an error must never fail to be told."""
    try:
        _encode(details)
    except Exception:
        return {name: str(value) for name, value in details.items()}
    return details or None


# ---- files -------------------------------------------------------------------------------------------------------


class OpenFile:
    """A file open for one answer, with what it was like at that moment.

    `on_close` is called once, at the answer's end, with how many bytes were promised; of these the server itself sends
    as many as the client takes. `raw` is unbuffered. Where it has a descriptor, the server sends from that, beginning
    where it stands. Where it has more than one place to send from (a fetch that is under way, a disk that may be
    unplugged), the server asks it: `stretch(offset, most)` → (descriptor, bytes that are there) or None (then they are
    read), and `gone(descriptor, offset)` when sending failed: whether to ask again.

    size_bytes, validators      for a `raw` whose descriptor does not tell them
    """

    def __init__(self, raw: Any, *, size_bytes: int | None = None, validators: Validators | None = None) -> None:
        self._raw = raw
        self.promised_bytes = 0
        self.on_close: Callable[[int], None] | None = None
        self.seek = raw.seek
        try:
            if size_bytes is None or validators is None:
                facts = os.fstat(raw.fileno())
                size_bytes = facts.st_size
                # Strong: size and time of change to the nanosecond.
                validators = Validators(f'"{facts.st_size:x}-{facts.st_mtime_ns:x}"', facts.st_mtime)
        except BaseException:
            raw.close()
            raise
        self.size_bytes = size_bytes
        self.validators = validators
        if hasattr(raw, "stretch"):
            self.stretch = partial(_stretch, raw)
            self.gone = getattr(raw, "gone", _never)
        self._show_descriptor()

    def prime(self) -> None:
        """Wait until the first byte at this place is there. Raises what keeps it from coming."""
        prime = getattr(self._raw, "prime", None)
        if prime is not None:
            prime()
            self._show_descriptor()

    def read(self, size: int = -1) -> bytes:
        """Raises BrokenPipeError when it cannot go on: a status has been sent, only a broken connection tells it."""
        try:
            return self._raw.read(size)  # type: ignore[no-any-return]
        except SoundsibleError as problem:
            raise _broken_off(problem) from problem

    def close(self) -> None:
        deed, self.on_close = self.on_close, None
        self._raw.close()
        if deed is not None:
            deed(self.promised_bytes)

    def _show_descriptor(self) -> None:
        """Have a `fileno` only when there is one: servers look whether there is."""
        try:
            self._raw.fileno()
        except (AttributeError, io.UnsupportedOperation):
            return
        self.fileno = self._raw.fileno


def _stretch(raw: Any, offset: int, most: int) -> tuple[int, int] | None:
    try:
        return raw.stretch(offset, most)  # type: ignore[no-any-return]
    except SoundsibleError as problem:
        raise _broken_off(problem) from problem


def _never(descriptor: int, offset: int) -> bool:
    return False


def _broken_off(problem: SoundsibleError) -> BrokenPipeError:
    log.warning("a stream broke off: %s", problem.message)
    return BrokenPipeError(errno.EPIPE, "the stream broke off")


def audio(file: OpenFile, mime_type: str, asked: Request, *, cache: str = "private, no-cache") -> Response:
    """`file` bit for bit, or the part of it that is asked for (RFC 9110). Closes it, now or at the answer's end.

    200, 206 (one range, or several as multipart/byteranges), 304, 412, 416. HEAD ignores Range.
    """
    now = file.validators
    headers = [("Accept-Ranges", "bytes"), ("ETag", now.etag), ("Cache-Control", cache)]
    if now.last_modified:
        headers.append(("Last-Modified", now.last_modified))

    early = precondition(asked.method, asked.headers, now)
    if early is not None:
        file.close()
        if early == 304:
            return Response(status=304, headers=headers)
        return error(412, "precondition_failed", "The file is no longer what your request supposes it to be.")

    size = file.size_bytes
    spans = None
    if asked.method == "GET" and range_allowed(asked.headers.get("If-Range"), now):
        spans = ranges.parse(asked.headers.get("Range"), size)
    if spans is None:
        return _span(file, 0, size, asked, status=200, headers=[*headers, ("Content-Type", mime_type)])
    if not spans:
        file.close()
        answer = error(416, "range_not_satisfiable", f"The file has {size} bytes; none of the ranges lies in it.")
        answer.headers["Content-Range"] = f"bytes */{size}"
        answer.headers["Accept-Ranges"] = "bytes"
        return answer
    if len(spans) == 1:
        first, last = spans[0]
        return _span(file, first, last - first + 1, asked, status=206, headers=[
            *headers, ("Content-Type", mime_type), ("Content-Range", f"bytes {first}-{last}/{size}"),
        ])
    return _multipart(file, spans, mime_type, headers)


def file_of(path: str | os.PathLike[str], mime_type: str, asked: Request, *, etag: str, cache: str) -> Response:
    """A small file of our own (a rendered cover): whole, with `etag` (no quotes). Raises NotFound when it is gone."""
    headers = [("ETag", f'"{etag}"'), ("Cache-Control", cache)]
    if precondition(asked.method, asked.headers, Validators(f'"{etag}"')) == 304:
        return Response(status=304, headers=headers)
    try:
        file = OpenFile(open(path, "rb", buffering=0))  # noqa: SIM115  (the answer closes it)
    except FileNotFoundError:
        raise NotFound("The file is gone; ask again.") from None
    return _span(file, 0, file.size_bytes, asked, status=200, headers=[*headers, ("Content-Type", mime_type)])


def _span(file: OpenFile, first: int, length: int, asked: Request, *, status: int,
          headers: list[tuple[str, str]]) -> Response:
    """`length` bytes from `first`, sent by the server itself: it starts where the file stands and ends at
    Content-Length."""
    headers = [*headers, ("Content-Length", str(length))]
    if asked.method == "HEAD" or not length:
        file.close()
        return Response(b"" if asked.method != "HEAD" else None, status, headers)
    file.seek(first)
    _primed(file)
    file.promised_bytes = length
    wrapper = asked.environ.get("wsgi.file_wrapper")
    body = wrapper(file, CHUNK_BYTES) if wrapper is not None else _Part(file, length)
    return Response(body, status, headers, direct_passthrough=True)


def _primed(file: OpenFile) -> None:
    """What keeps the bytes from coming is known before a status is sent."""
    try:
        file.prime()
    except BaseException:
        file.close()
        raise


class _Part:
    """So many bytes from where the file stands, for servers without a file wrapper."""

    def __init__(self, file: OpenFile, length: int) -> None:
        self._file = file
        self._left = length
        self.close = file.close

    def __iter__(self) -> Iterator[bytes]:
        while self._left:
            data = self._file.read(min(self._left, CHUNK_BYTES))
            if not data:
                raise _ended_early()
            self._left -= len(data)
            yield data


class _Pieces:
    """Bytes as they are and spans of a file, one after the other."""

    def __init__(self, file: OpenFile, pieces: Sequence[bytes | ranges.Span]) -> None:
        self._file = file
        self._pieces = pieces
        self.close = file.close

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, bytes):
                yield piece
                continue
            at, last = piece
            self._file.seek(at)
            while at <= last:
                length = min(CHUNK_BYTES, last - at + 1)
                yield _read(self._file, length)
                at += length


def _read(file: OpenFile, length: int) -> bytes:
    """Exactly `length` bytes. A file that shrank cannot keep its promised length: the connection must end."""
    data = file.read(length)
    while len(data) < length:
        more = file.read(length - len(data))
        if not more:
            raise _ended_early()
        data += more
    return data


def _ended_early() -> BrokenPipeError:
    return BrokenPipeError(errno.EPIPE, "the file ended early")


def _multipart(file: OpenFile, spans: Sequence[ranges.Span], mime_type: str,
               headers: list[tuple[str, str]]) -> Response:
    boundary = f"soundsible-{secrets.token_hex(12)}"
    pieces: list[bytes | ranges.Span] = []
    length = 0
    for index, (first, last) in enumerate(spans):
        head = (f"{'' if index == 0 else chr(13) + chr(10)}--{boundary}\r\nContent-Type: {mime_type}\r\n"
                f"Content-Range: bytes {first}-{last}/{file.size_bytes}\r\n\r\n").encode("latin-1")
        pieces += [head, (first, last)]
        length += len(head) + last - first + 1
    file.seek(spans[0][0])
    _primed(file)
    file.promised_bytes = sum(last - first + 1 for first, last in spans)
    tail = f"\r\n--{boundary}--\r\n".encode("latin-1")
    pieces.append(tail)
    headers = [*headers, ("Content-Type", f"multipart/byteranges; boundary={boundary}"),
               ("Content-Length", str(length + len(tail)))]
    return Response(_Pieces(file, pieces), 206, headers, direct_passthrough=True)
