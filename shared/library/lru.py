"""Keep a folder of things that can be made again below a size: the least recently used leave first."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from shared.model.units import Bytes

log = logging.getLogger(__name__)

FRESHEN_AFTER_S = 3600.0    # a file's time is written at most once an hour, so that reading stays reading
KEEP = 0.9                  # of the limit, after a clean-up: it need not come again at once


class DiskLru:
    """Files beneath `folder`, at most `limit_bytes` together. A file's mtime is when it was last used.

    Holds no list in memory: a clean-up walks the folder (about 1 s for 50,000 covers), in a thread of its own.
    Names ending in .part are in the making and never touched. Removing a file that somebody still reads is safe:
    its bytes stay until it is closed.
    """

    def __init__(self, *, folder: Path, limit_bytes: Bytes) -> None:
        self._folder = folder
        self._limit = limit_bytes
        self._lock = threading.Lock()
        self._total: Bytes | None = None    # None: not counted yet
        self._thread: threading.Thread | None = None
        self._stopped = False

    def use(self, path: str) -> os.stat_result | None:
        """Of the file at `path`, which counts as used now; None when it is not there. Costs one stat."""
        try:
            found = os.stat(path)
            if time.time() - found.st_mtime > FRESHEN_AFTER_S:
                os.utime(path)
        except OSError:
            return None
        return found

    def added(self, size_bytes: Bytes) -> None:
        """A file came to the folder; when that was too much, a thread starts to clean up."""
        with self._lock:
            if self._total is not None:
                self._total += size_bytes
                if self._total <= self._limit:
                    return
            if self._thread is not None or self._stopped:
                return
            self._thread = threading.Thread(target=self._clean_up, name=f"clean {self._folder.name}", daemon=True)
            self._thread.start()

    def trim(self) -> Bytes:
        """Remove what was not used for longest until the rest is within the limit; what is left, in bytes."""
        files: list[tuple[float, int, str]] = []
        _walk(self._folder, lambda entry, found: files.append((found.st_mtime, found.st_size, entry.path)))
        total = sum(size for _, size, _ in files)
        if total > self._limit:
            files.sort()
            for _, size, path in files:
                if total <= self._limit * KEEP or self._stopped:
                    break
                try:
                    os.unlink(path)
                except FileNotFoundError:
                    pass
                except OSError as error:
                    log.warning("%s cannot be removed: %s", path, error)
                    continue
                total -= size
                try:
                    os.rmdir(os.path.dirname(path))
                except OSError:
                    continue    # the other files in there stay
        return total

    def wait(self) -> None:
        """Until a clean-up that is under way has ended."""
        thread = self._thread
        if thread is not None:
            thread.join()

    def stop(self) -> None:
        self._stopped = True

    def _clean_up(self) -> None:
        try:
            total = self.trim()
        except OSError as error:
            log.warning("the cache %s cannot be cleaned up: %s", self._folder, error)
            total = 0
        with self._lock:
            self._total, self._thread = total, None


def _walk(folder: Path | str, meet: Callable[[os.DirEntry[str], os.stat_result], object]) -> None:
    """Every regular file beneath `folder` that is not in the making; those that vanish meanwhile are passed over."""
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        try:
            if entry.is_dir(follow_symlinks=False):
                _walk(entry.path, meet)
            elif not entry.name.endswith(".part") and entry.is_file(follow_symlinks=False):
                meet(entry, entry.stat(follow_symlinks=False))
        except OSError:
            continue
