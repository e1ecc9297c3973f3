"""One scan at a time on a library, whoever starts it: a lock on a file in the data folder, which the system releases
when its holder dies."""

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


class ScanLock:
    """Held by the process that scans (or, by another name, by the station itself)."""

    def __init__(self, folder: Path, name: str = "scan.lock") -> None:
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
        """Whether nobody scans at this moment."""
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
