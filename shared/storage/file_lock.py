"""A lock on a file, which the system releases when its holder dies: one process at a time, whoever starts it."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

try:
    import fcntl
except ImportError:     # Windows
    fcntl = None  # type: ignore[assignment]
    import msvcrt


class FileLock:
    """The lock `name` in `folder`, which has to be there. Held by a process, or by nobody."""

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / name
        self._descriptor: int | None = None

    def acquire(self, *, patience_s: float = 0.0) -> bool:
        """Whether it is held now; tries for `patience_s`, since a look at the lock takes it for a moment."""
        until = time.monotonic() + patience_s
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        while not _lock(descriptor):
            if time.monotonic() >= until:
                os.close(descriptor)
                return False
            time.sleep(0.05)
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def is_free(self) -> bool:
        """Whether nobody holds it at this moment."""
        if self._descriptor is not None:
            return False
        with contextlib.suppress(OSError):
            if not self.acquire():
                return False
            self.release()
        return True


def _lock(descriptor: int) -> bool:
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    except OSError:
        return False
    return True
