"""The bytes of one track from the first place that gives them; when it fails in the middle, the next goes on.

All places hold the same bytes (the same SHA-256), so the listener gets what was promised, from the same byte on, and
never hears of it. What a server sends with sendfile fails inside the server: it asks here whether somebody else can go
on (`gone`).
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from shared.model.errors import SoundsibleError, StorageOffline
from shared.model.units import Bytes, Seconds
from shared.ports import FileAccess

log = logging.getLogger(__name__)

READ_S: Seconds = 6.0       # for a piece of a file on a disk that may hang, when the track is elsewhere too

Opener = Callable[[], Any | None]      # the track's bytes at one place, like an unbuffered file; None: not there


class Relay:
    """Like an unbuffered file. For one thread. Close it.

    first       open already
    further     where to go on, in this order; each is opened when it is needed
    """

    def __init__(self, first: Any, *, size_bytes: Bytes, further: Iterator[tuple[str, Opener]], name: str = "") -> None:
        self._now = first
        self._all = [first]
        self._further = further
        self._name = name
        self._at: Bytes = 0
        self.size_bytes = size_bytes

    def prime(self) -> None:
        """Wait for the first byte. Raises what the last place to be asked raised."""
        while True:
            prime = getattr(self._now, "prime", None)
            if prime is None:
                return
            try:
                prime()
                return
            except (SoundsibleError, OSError) as error:
                self._replace(error)

    def fileno(self) -> int:
        """Raises UnsupportedOperation where the bytes lie in no file that may be sent from."""
        number = getattr(self._now, "fileno", None)
        if number is None:
            raise io.UnsupportedOperation("these bytes lie in no file")
        return int(number())

    def stretch(self, offset: Bytes, most: Bytes) -> tuple[int, Bytes] | None:
        """(descriptor, how many bytes from `offset` on can be sent from it); None: they must be `read`."""
        self._at = offset
        while True:
            try:
                ask = getattr(self._now, "stretch", None)
                if ask is not None:
                    return ask(offset, most)  # type: ignore[no-any-return]
                return self.fileno(), most
            except io.UnsupportedOperation:
                return None
            except (SoundsibleError, OSError) as error:
                self._replace(error)

    def gone(self, descriptor: int, offset: Bytes) -> bool:
        """Whether sending from `descriptor` failed through its own fault, and another place goes on at `offset`."""
        self._at = offset
        try:
            if _byte_at(descriptor, offset):
                return False
            error = OSError("the file ended early")
        except OSError as problem:
            error = problem
        try:
            self._replace(error)
        except (SoundsibleError, OSError):
            return False
        return True

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, fewer when fewer are there; b"" at the end alone. Raises what the last place raised."""
        left = self.size_bytes - self._at
        size = left if size < 0 else min(size, left)
        if size <= 0:
            return b""
        while True:
            try:
                data: bytes = self._now.read(size)
                if data:
                    self._at += len(data)
                    return data
                raise OSError("the file ended early")
            except (SoundsibleError, OSError) as error:
                self._replace(error)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_CUR:
            offset += self._at
        elif whence == os.SEEK_END:
            offset += self.size_bytes
        self._at = offset
        while True:
            try:
                self._now.seek(offset)
                return offset
            except (SoundsibleError, OSError) as error:
                self._replace(error)

    def tell(self) -> int:
        return self._at

    def close(self) -> None:
        for one in self._all:
            with contextlib.suppress(OSError):
                one.close()

    def _replace(self, error: Exception) -> None:
        """Go on with the next place. Raises `error` when there is none."""
        for place, opener in self._further:
            try:
                other = opener()
                if other is None:
                    continue
                self._all.append(other)
                other.seek(self._at)
            except (SoundsibleError, OSError) as problem:
                log.info("track %s cannot go on from %s: %s", self._name, place, problem)
                continue
            log.warning("track %s goes on from %s at byte %d: %s", self._name, place, self._at, error)
            self._now = other
            return
        raise error


class Guarded:
    """A file on a disk that may hang, read in its folder's own threads with a deadline. Has no descriptor to send from.

    70 µs dearer a piece than reading it directly.
    """

    def __init__(self, raw: BinaryIO, *, access: FileAccess, root: str, deadline_s: Seconds = READ_S) -> None:
        self._raw = raw
        self._access = access
        self._root = root
        self._deadline_s = deadline_s
        self._at: Bytes = 0
        self._hung = False

    def read(self, size: int = -1) -> bytes:
        """Raises StorageOffline, OSError."""
        raw, at = self._raw, self._at

        def deed() -> bytes:
            raw.seek(at)
            return raw.read(size)

        try:
            data: bytes = self._access.call(self._root, deed, deadline_s=self._deadline_s)
        except StorageOffline:
            self._hung = True
            raise
        except ValueError as error:     # closed meanwhile
            raise OSError(str(error)) from error
        self._at += len(data)
        return data

    def seek(self, offset: int) -> int:
        self._at = offset
        return offset

    def close(self) -> None:
        if self._hung:      # closing may hang as well
            threading.Thread(target=self._raw.close, daemon=True, name="close").start()
        else:
            self._raw.close()


def _byte_at(descriptor: int, offset: Bytes) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(descriptor, 1, offset)
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.read(descriptor, 1)
