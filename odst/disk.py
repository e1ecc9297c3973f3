"""Room on the disk, looked at before it hurts: space is promised to downloads, and too little pauses the queue."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

from shared.model.download import Failure
from shared.model.errors import SoundsibleError
from shared.model.units import GIB, MIB, Bytes


def free_bytes(folder: Path) -> Bytes:
    """What this user may still write on the file system of `folder`, which may not exist yet. Raises OSError."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


class Disk:
    """folder      where downloads are staged (Intake.staging); what it raises counts as "no telling": let it fail there
    least       this much stays free, whatever comes
    free        how much is free in a folder; tests bring their own
    """

    def __init__(self, *, folder: Callable[[], Path], least: Bytes,
                 free: Callable[[Path], Bytes] = free_bytes) -> None:
        self._folder = folder
        self._least = least
        self._free = free
        self._lock = threading.Lock()
        self._promised: dict[str, Bytes] = {}   # download → what it will still write
        self._lacking: dict[str, Bytes] = {}    # download → what it was refused

    def promise(self, uid: str, expected: Bytes) -> None:
        """Set `expected` bytes aside for a download. Raises Failure disk_full when that leaves too little."""
        with self._lock:
            self._promised.pop(uid, None)
            free = self._now()
            if free is not None and free - sum(self._promised.values()) < self._least + expected:
                self._lacking[uid] = expected
                raise Failure("disk_full", f"Too little disk space: {shown(free)} free, {shown(expected)} needed, and "
                                           f"{shown(self._least)} shall stay free. It goes on when there is room.")
            self._lacking.pop(uid, None)
            self._promised[uid] = expected

    def written(self, uid: str, size: Bytes) -> None:
        """So much of what was promised to it is on the disk already, and no longer free."""
        with self._lock:
            if uid in self._promised:
                self._promised[uid] = max(0, self._promised[uid] - size)

    def ran_out(self, uid: str) -> None:
        """Its writing failed for want of space: the queue pauses until there is some again."""
        with self._lock:
            self._lacking[uid] = max(self._promised.pop(uid, 0), 1 * MIB)

    def release(self, uid: str) -> None:
        """A download no longer writes."""
        with self._lock:
            self._promised.pop(uid, None)

    def forget(self, uid: str) -> None:
        """A download is no longer wanted, so the queue waits for its sake no more."""
        with self._lock:
            self._promised.pop(uid, None)
            self._lacking.pop(uid, None)

    def trouble(self) -> str | None:
        """Why nothing new may be begun: a sentence for people; None when there is room. Costs one statvfs."""
        with self._lock:
            free = self._now()
            if free is None:
                return None
            left = free - sum(self._promised.values())
            needed = self._least + (min(self._lacking.values()) if self._lacking else 0)
            if left >= needed:
                self._lacking.clear()
                return None
            return (f"Downloads wait: {shown(max(0, left))} of disk space left, {shown(needed)} needed. They go on by "
                    "themselves when there is room.")

    def _now(self) -> Bytes | None:
        try:
            return self._free(self._folder())
        except (OSError, SoundsibleError):
            return None


def shown(size: Bytes) -> str:
    return f"{size / GIB:.1f} GB" if size >= GIB else f"{size / MIB:.0f} MB"
