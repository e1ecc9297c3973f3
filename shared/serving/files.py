"""Send a file in chunks, where the kernel cannot be asked to do it.

gunicorn hands files to sendfile and honours Content-Length itself. The other servers get this as
`environ["wsgi.file_wrapper"]`, so that a response need not know which server it is on: open the file, seek to
the range's first byte, promise its length in Content-Length, and wrap it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from shared.serving.admission import WsgiApp

CHUNK_BYTES = 256 * 1024


class ChunkedFile:
    """A file from where it stands to its end."""

    def __init__(self, file: Any, block_size: int = CHUNK_BYTES) -> None:
        self._file = file
        self.close = getattr(file, "close", lambda: None)
        self.fileno: Callable[[], int] | None = getattr(file, "fileno", None)
        # Where its bytes are now, and whether they can be had elsewhere: see routes.respond.OpenFile.
        self.stretch: Callable[[int, int], tuple[int, int] | None] | None = getattr(file, "stretch", None)
        self.gone: Callable[[int, int], bool] | None = getattr(file, "gone", None)

    def read_at(self, offset: int, most: int) -> bytes:
        """At most `most` bytes from `offset` on."""
        self._file.seek(offset)
        return self._file.read(most)  # type: ignore[no-any-return]

    def read(self) -> bytes:
        return self._file.read(CHUNK_BYTES)  # type: ignore[no-any-return]

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self.read():
            yield chunk


class Cut:
    """The first `length_bytes` of a body (a range ends before its file does); the rest is never read."""

    def __init__(self, body: Any, length_bytes: int) -> None:
        self._body = body
        self._left = length_bytes
        self.close = getattr(body, "close", lambda: None)

    def __iter__(self) -> Iterator[bytes]:
        if self._left <= 0:
            return
        for chunk in self._body:
            yield chunk[: self._left]
            self._left -= len(chunk)
            if self._left <= 0:
                return


def with_files(app: WsgiApp) -> WsgiApp:
    """`app` with a wsgi.file_wrapper, and bodies of files cut at their Content-Length."""

    def site(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        environ["wsgi.file_wrapper"] = ChunkedFile
        promised: list[int] = []

        def remember(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            promised[:] = [int(value) for name, value in headers if name.lower() == "content-length"]
            return start_response(status, headers, *exc_info)

        body = app(environ, remember)
        if not isinstance(body, ChunkedFile):
            return body
        if environ["REQUEST_METHOD"] == "HEAD":
            return Cut(body, 0)
        return Cut(body, promised[0]) if promised else body

    return site
