"""Tracks from the cloud, kept on this machine: whole files by what is in them, within a limit, checked by hash.

A file is `<folder>/<aa>/<sha256>`, `aa` being the first two digits. It counts when it has a row and is still the file
that was found right (size, mtime). One in the making is `<folder>/incoming/….part`; it is hashed, brought to the disk
and renamed before it gets its row, so that a power cut or a kill at any point leaves a whole entry or nothing that
counts. What an earlier process left without a row is hashed again in the background, and kept if it is what its name
says.

One process fills the cache, the station: it holds a lock in the folder. Others (the tool) read along and may check or
clear; a file that they removed is noticed when it is asked for. Disk trouble is nobody's error here: then there is
no room, and music is streamed without being kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import shutil
import stat
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from shared.model.cloud import CloudFailure
from shared.model.errors import SoundsibleError, UnreadableFile
from shared.model.source import CachedFile, TrackFile
from shared.model.units import GIB, MIB, Bytes
from shared.ports import Work, Workers
from shared.records.cached import Cached, Entry
from shared.storage.file_lock import FileLock
from shared.storage.lru import Ledger

log = logging.getLogger(__name__)

HOLD_AFTER_S = 600.0        # whoever pauses finds the track still here
KEEP_FREE: Bytes = 256 * MIB    # of the disk the cache is on: the database may lie there too
CHECK_BYTES: Bytes = 4 * GIB    # read in one nightly check
_ROUND_S = 60.0             # times of use are written so often
_HASH_TIMEOUT_S = 900.0
_CHECKED_AT_ONCE = 10_000
_PIECE: Bytes = 1 * MIB
_NAME = re.compile(r"[0-9a-f]{64}")
_OCTETS = "application/octet-stream"
_INCOMING = "incoming"
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class Lease:
    """While it is held, an entry does not leave the cache; nor for a while after."""

    def __init__(self, release: Callable[[], None]) -> None:
        self._to_release = [release]

    def release(self) -> None:
        """May be called twice, from any thread."""
        try:
            release = self._to_release.pop()    # one thread gets it
        except IndexError:
            return
        release()

    def __enter__(self) -> Lease:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class Incoming:
    """A place for the bytes of an entry: a sparse file of its whole size. Write and read through `fd` (os.pwrite and
    os.pread, from any thread), then commit or discard, once; close `fd` when nobody reads from it any more."""

    def __init__(self, *, cache: Cache, sha256: str, size_bytes: Bytes, mime_type: str, path: str, fd: int) -> None:
        self.sha256 = sha256
        self.size_bytes = size_bytes
        self.mime_type = mime_type
        self.path = path
        self.fd = fd
        self._cache = cache
        self._settled = False

    def commit(self) -> CachedFile | None:
        """All bytes are written: look whether they are right, and keep them. Costs reading them (about 1 GB/s) and
        bringing them to the disk: not for a request's thread. What `fd` gives stays the same.

        None when they are right but the disk would not keep them. Raises CloudFailure, reason corrupted, when they
        are not what they should be; then nothing of them stays.
        """
        self._settle()
        try:
            right = os.fstat(self.fd).st_size == self.size_bytes and _hash(self.fd, self.size_bytes) == self.sha256
        except OSError as error:
            log.warning("the cache cannot read what it wrote: %s", error)
            self._cache._give_up(self)
            return None
        if not right:
            self._cache._give_up(self)
            raise CloudFailure("What came from the cloud is not what was put there.", reason="corrupted")
        return self._cache._take_in(self)

    def discard(self) -> None:
        """Nothing comes of it. What is written can be read through `fd` until that is closed. May be called twice, and
        after `commit`, when it does nothing."""
        if not self._settled:
            self._settle()
            self._cache._give_up(self)

    def close(self) -> None:
        """Let go of `fd`; a place that was neither committed nor discarded is discarded. May be called twice."""
        self.discard()
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def _settle(self) -> None:
        if self._settled:
            raise ValueError("it was committed or discarded before")
        self._settled = True


class Cache:
    """Whole, verified files by content (ports.Storage), at most `limit_bytes` together with what is in the making.

    Safe from many threads. Before `start`, and where another process holds the cache, it only reads.
    """

    name = "cache"

    def __init__(
        self, *, records: Cached, folder: Path, limit_bytes: Bytes, workers: Workers | None = None,
        clock: Callable[[], float] = time.time, ticks: Callable[[], float] = time.monotonic,
        hold_after_s: float = HOLD_AFTER_S, keep_free_bytes: Bytes = KEEP_FREE,
    ) -> None:
        """`folder` is the cache's own. `workers` hash again what is in doubt; without them it is done in a thread."""
        self._records = records
        self._folder = folder
        self._limit = limit_bytes
        self._workers = workers
        self._clock, self._ticks = clock, ticks
        self._hold_after_s = hold_after_s
        self._keep_free = keep_free_bytes
        self._file_lock: FileLock | None = None     # held: this process fills the cache
        self._lock = threading.Lock()
        self._ledger = Ledger(limit_bytes)
        self._entries: dict[str, Entry] = {}        # those of the ledger
        self._lingering: dict[str, float] = {}      # held for a while after: until when, in ticks
        self._leaving: set[str] = set()             # their files are being removed
        self._used: dict[str, float] = {}           # times to be written
        self._forgotten: list[Entry] = []           # rows to be dropped
        self._doubts: deque[tuple[str, float]] = deque()    # (content, last use) to be hashed again; room is reserved
        self._numbers = 0
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()
        self._idle = threading.Event()
        self._idle.set()
        self._stopped = False
        self._complained = False

    # ---- coming and going

    def start(self) -> None:
        """Take over what earlier processes left, and keep it from now on. Costs a stat for each file."""
        self._stopped = False
        self._take_over()
        self._thread = threading.Thread(target=self._keep, daemon=True, name="cache")
        self._thread.start()

    def stop(self) -> None:
        """Write down what was used when, and let go. May be started again."""
        self._stopped = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(10.0)
            self._thread = None
        self._write()
        with self._lock:
            lock, self._file_lock = self._file_lock, None
        if lock is not None:
            lock.release()

    @property
    def fills(self) -> bool:
        """Whether this process keeps the cache, and can write to it."""
        return self._file_lock is not None and not self._stopped

    # ---- looking

    def locate(self, file: TrackFile) -> CachedFile | None:
        """The track's own content, or else that of one of its copies. Costs a stat when the hash of its file is known
        and in the cache; else a query and a stat."""
        if file.sha256:
            found = self.at(file.sha256, file.mime_type)
            if found is not None:
                return found
        for entry, mime_type in self._records.of_track(file.track_id):
            if self._file_lock is not None and entry.sha256 not in self._entries:
                self._adopt(entry)
            found = self.at(entry.sha256, mime_type)
            if found is not None:
                return found
        return None

    def at(self, sha256: str, mime_type: str = _OCTETS) -> CachedFile | None:
        """The file with this content. Costs one stat; in a process that only reads along, a query too.

        One that is not as it was when it was found right does not count until it has been hashed again.
        """
        if not _NAME.fullmatch(sha256):
            return None
        entry = self._entries.get(sha256) if self._file_lock is not None else self._records.get(sha256)
        if entry is None:
            return None
        path = self._path(sha256)
        try:
            found = os.lstat(path)
        except FileNotFoundError:
            self._lost(entry)
            return None
        except OSError as error:
            log.warning("the cache cannot look at %s: %s", path, error)
            return None
        if (found.st_size, found.st_mtime_ns) != (entry.size_bytes, entry.mtime_ns) or not stat.S_ISREG(found.st_mode):
            self._doubt(entry, found)
            return None
        return CachedFile(path, entry.size_bytes, entry.mtime_ns, mime_type, sha256)

    def hold(self, sha256: str) -> Lease:
        """It is being listened to: it does not leave while the lease is held and for a while after, whether it is here
        yet or comes meanwhile. Counts as use. Some µs."""
        now = self._clock()
        with self._lock:
            self._ledger.hold(sha256)
            if sha256 in self._ledger:
                self._ledger.touch(sha256, now)
                self._used[sha256] = now
        return Lease(lambda: self._let_go(sha256))

    def totals(self) -> dict[str, int]:
        """{"files", "bytes", "limit_bytes"}"""
        files, size = self._records.totals()
        return {"files": files, "bytes": size, "limit_bytes": self._limit}

    # ---- filling

    def incoming(self, sha256: str, size_bytes: Bytes, mime_type: str = _OCTETS) -> Incoming | None:
        """A place for a file of this content and size. What was not used for longest leaves for it.

        None when there is no room: it is larger than the limit, what is in the way is being listened to, the disk is
        full or cannot be written to, another process keeps the cache; or when it is here or on its way already.
        """
        if not self.fills or size_bytes <= 0 or not _NAME.fullmatch(sha256):
            return None
        try:
            os.makedirs(self._folder / _INCOMING, mode=0o700, exist_ok=True)     # somebody may have emptied the folder
            free = shutil.disk_usage(self._folder).free
        except OSError as error:
            self._complain(error)
            return None
        with self._lock:
            self._expire()
            if sha256 in self._ledger or self._ledger.is_reserved(sha256) or sha256 in self._leaving:
                return None
            # Places are sparse: what they still want of the disk is not taken from its free space yet.
            short = size_bytes + self._ledger.reserved + self._keep_free - free
            leaving = self._ledger.reserve(sha256, size_bytes, at_least=max(0, short))
            if leaving is None:
                return None
            self._part_with(leaving)
            self._numbers += 1
            path = os.path.join(self._folder, _INCOMING, f"{sha256}-{self._numbers}.part")
        self._remove(leaving)
        try:
            fd = _make(path, size_bytes)
        except OSError as error:
            self._complain(error)
            with self._lock:
                self._ledger.release(sha256)
            return None
        return Incoming(cache=self, sha256=sha256, size_bytes=size_bytes, mime_type=mime_type, path=path, fd=fd)

    # ---- upkeep

    def check(self, work: Work | None = None, *, budget_bytes: Bytes = CHECK_BYTES) -> dict[str, int]:
        """Hash again what was found right longest ago, up to so many bytes; what is wrong leaves.

        {"files", "bytes": read, "wrong": files that were not what they should be, "gone": rows without a file}. In any
        process. What cannot be read is wrong. Ends early when `work` is stopped.
        """
        report = {"files": 0, "bytes": 0, "wrong": 0, "gone": 0}
        if not os.path.isdir(self._folder):
            return report       # its disk is not here: nothing is known of the files
        for entry in self._records.oldest_verified(_CHECKED_AT_ONCE):
            if report["bytes"] >= budget_bytes or (work is not None and work.stopped()):
                break
            self._check_one(entry, report)
        return report

    def clear(self) -> dict[str, int]:
        """Empty it, but for what is being listened to (as far as this process knows): {"files", "bytes"} that left."""
        if self._file_lock is None:
            gone = self._records.all()
            self._forgotten += gone
        else:
            with self._lock:
                self._expire()
                before = dict(self._entries)
                free = sum(one.size_bytes for one in before.values() if not self._ledger.is_held(one.sha256))
                leaving = self._ledger.evict(free) or []
                self._part_with(leaving)
                gone = [before[sha256] for sha256 in leaving]
        self._remove([one.sha256 for one in gone])
        self._write()
        return {"files": len(gone), "bytes": sum(one.size_bytes for one in gone)}

    def settle(self, timeout_s: float = 30.0) -> bool:
        """Wait until what is in doubt has been hashed again; whether it was in time."""
        return self._idle.wait(timeout_s)

    # ---- inside: entries

    def _path(self, sha256: str) -> str:
        return os.path.join(self._folder, sha256[:2], sha256)

    def _let_go(self, sha256: str) -> None:
        now = self._clock()
        with self._lock:
            if sha256 in self._lingering or self._hold_after_s <= 0:
                self._ledger.let_go(sha256)     # the one that lingers already does for both
            if self._hold_after_s > 0:
                self._lingering[sha256] = self._ticks() + self._hold_after_s
            if sha256 in self._ledger:
                self._ledger.touch(sha256, now)
                self._used[sha256] = now

    def _expire(self) -> None:
        """What has lingered long enough is held no more; the lock is held."""
        now = self._ticks()
        for sha256 in [one for one, until in self._lingering.items() if until <= now]:
            del self._lingering[sha256]
            self._ledger.let_go(sha256)

    def _part_with(self, names: Iterable[str]) -> None:
        """These are no entries any more, and their files are about to be removed; the lock is held."""
        for sha256 in names:
            entry = self._entries.pop(sha256, None)
            if entry is not None:
                self._forgotten.append(entry)
            self._used.pop(sha256, None)
            self._leaving.add(sha256)

    def _remove(self, names: Iterable[str]) -> None:
        """The files of these, without the lock; their rows are dropped by and by: without a file they do not count."""
        removed = False
        for sha256 in names:
            removed = True
            try:
                os.unlink(self._path(sha256))
            except FileNotFoundError:
                pass
            except OSError as error:
                self._complain(error)
            with self._lock:
                self._leaving.discard(sha256)
        if removed:
            self._wake.set()

    def _lost(self, entry: Entry) -> None:
        """The file of an entry is gone."""
        if self._file_lock is None:
            return
        with self._lock:
            if self._entries.get(entry.sha256) == entry:
                self._ledger.release(entry.sha256)
                del self._entries[entry.sha256]
                self._forgotten.append(entry)
        self._wake.set()

    def _doubt(self, entry: Entry, found: os.stat_result) -> None:
        """The file of an entry is not as it was: it does not count until it has been hashed again."""
        if self._file_lock is None:
            return
        with self._lock:
            if self._entries.get(entry.sha256) != entry:
                return
            self._ledger.release(entry.sha256)
            del self._entries[entry.sha256]
            self._forgotten.append(entry)
            if found.st_size == entry.size_bytes and stat.S_ISREG(found.st_mode):
                leaving = self._ledger.reserve(entry.sha256, entry.size_bytes) or []    # the room it has just left
            if self._ledger.is_reserved(entry.sha256):
                self._doubts.append((entry.sha256, entry.last_used_at))
                self._idle.clear()
            else:
                leaving = [entry.sha256]
            self._part_with(leaving)
        self._remove(leaving)
        self._wake.set()

    def _adopt(self, entry: Entry) -> None:
        """Another process brought this entry (or brought it back): it counts here too when there is room for it."""
        with self._lock:
            if (
                not self._ledger.is_reserved(entry.sha256)
                and entry.sha256 not in self._ledger
                and entry.sha256 not in self._leaving
                and self._ledger.used + self._ledger.reserved + entry.size_bytes <= self._limit
            ):
                self._ledger.load(entry.sha256, entry.size_bytes, entry.last_used_at)
                self._entries[entry.sha256] = entry

    # ---- inside: what is in the making

    def _take_in(self, incoming: Incoming) -> CachedFile | None:
        """Its bytes are right: bring them to the disk, put them in place, tell of them."""
        final = self._path(incoming.sha256)
        try:
            os.fsync(incoming.fd)
            os.makedirs(os.path.dirname(final), mode=0o700, exist_ok=True)
            os.replace(incoming.path, final)
            found = os.lstat(final)
        except OSError as error:
            self._complain(error)
            self._give_up(incoming)
            return None
        now = self._clock()
        entry = Entry(incoming.sha256, incoming.size_bytes, found.st_mtime_ns, now, now)
        try:
            self._records.put([entry])
        except SoundsibleError as error:
            log.warning("%s could not be kept in the cache: %s", incoming.sha256, error.message)
            with contextlib.suppress(OSError):
                os.unlink(final)
            with self._lock:
                self._ledger.release(incoming.sha256)
            return None
        with self._lock:
            self._ledger.commit(entry.sha256, entry.size_bytes, now)
            self._entries[entry.sha256] = entry
        return CachedFile(final, entry.size_bytes, entry.mtime_ns, incoming.mime_type, entry.sha256)

    def _give_up(self, incoming: Incoming) -> None:
        with contextlib.suppress(OSError):
            os.unlink(incoming.path)
        with self._lock:
            self._ledger.release(incoming.sha256)

    # ---- inside: the thread

    def _keep(self) -> None:
        while not self._stopped:
            self._wake.wait(_ROUND_S)
            self._wake.clear()
            try:
                if self._file_lock is None and not self._stopped:
                    self._take_over()
                self._write()
                while self._doubts and not self._stopped:
                    self._resolve(*self._doubts[0])
                    self._doubts.popleft()
            except SoundsibleError as error:
                log.warning("the cache goes on in a minute: %s", error.message)
            except Exception:  # the edge of a thread
                log.exception("the cache goes on in a minute")
            if not self._doubts:
                self._idle.set()

    def _write(self) -> None:
        """Bring what was used and what has left into the rows."""
        with self._lock:
            self._expire()
            used, self._used = self._used, {}
            gone, self._forgotten = self._forgotten, []
            for sha256, at in used.items():
                if sha256 in self._entries:
                    self._entries[sha256] = replace(self._entries[sha256], last_used_at=at)
        try:
            self._records.drop_as(gone)
            self._records.used(used)
        except SoundsibleError as error:
            log.warning("the cache's rows could not be written: %s", error.message)
            with self._lock:
                self._used = used | self._used
                self._forgotten += gone

    def _resolve(self, sha256: str, last_used_at: float) -> None:
        """Hash a file that is in doubt; its room is reserved."""
        path = self._path(sha256)
        try:
            before = os.lstat(path)
            right = stat.S_ISREG(before.st_mode) and self._hash_of(path) == sha256
        except (OSError, UnreadableFile) as error:
            log.warning("the cache cannot read %s: %s", path, error)
            right = False
        if right:
            entry = Entry(sha256, before.st_size, before.st_mtime_ns, self._clock(), last_used_at)
            self._records.put([entry])
            with self._lock:
                self._ledger.commit(sha256, entry.size_bytes, last_used_at)
                self._entries[sha256] = entry
            return
        log.warning("%s in the cache was not what its name says, and has left", sha256)
        with self._lock:
            self._ledger.release(sha256)
            self._leaving.add(sha256)
        self._remove([sha256])

    def _hash_of(self, path: str) -> str:
        """Raises OSError, UnreadableFile; Overloaded when the workers are being stopped."""
        if self._workers is not None:
            return str(self._workers.run("shared.audio.integrity:sha256", path, timeout_s=_HASH_TIMEOUT_S))
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _check_one(self, entry: Entry, report: dict[str, int]) -> None:
        path = self._path(entry.sha256)
        try:
            found = os.lstat(path)
            right = stat.S_ISREG(found.st_mode) and self._hash_of(path) == entry.sha256
        except FileNotFoundError:
            report["gone"] += 1
            self._records.drop_as([entry])
            self._lost(entry)
            return
        except (OSError, UnreadableFile) as error:
            log.warning("the cache cannot read %s: %s", path, error)
            if isinstance(error, UnreadableFile) and error.reason in ("timed_out", "reader_crashed"):
                return      # that is no word on the file
            right = False
        report["files"] += 1
        report["bytes"] += found.st_size
        now = self._clock()
        if right and found.st_mtime_ns == entry.mtime_ns:
            self._records.verified(entry.sha256, now)
        elif right:
            self._records.put([replace(entry, mtime_ns=found.st_mtime_ns, verified_at=now)])
            with self._lock:
                if entry.sha256 in self._entries:
                    self._entries[entry.sha256] = replace(self._entries[entry.sha256], mtime_ns=found.st_mtime_ns)
        else:
            report["wrong"] += 1
            log.warning("%s in the cache was not what its name says any more, and has left", entry.sha256)
            self._records.drop_as([entry])
            with self._lock:
                self._ledger.release(entry.sha256)
                self._part_with([entry.sha256])
            self._remove([entry.sha256])

    # ---- inside: at the start

    def _take_over(self) -> None:
        """Become the process that fills the cache, when nobody else is and the folder can be used."""
        try:
            os.makedirs(self._folder / _INCOMING, mode=0o700, exist_ok=True)
            lock = FileLock(self._folder, "cache.lock")
            if not lock.acquire():
                self._complain("another process keeps it")
                return
            try:
                self._reconcile()
            except BaseException:
                lock.release()
                raise
        except OSError as error:
            self._complain(error)
            return
        with self._lock:
            self._file_lock = lock
        self._complained = False
        if self._doubts:
            self._wake.set()

    def _reconcile(self) -> None:
        """Rows and files agree after it. Raises OSError when the folder cannot be read; then nothing is forgotten."""
        for entry in os.scandir(self._folder / _INCOMING):
            if entry.name.endswith(".part"):
                os.unlink(entry.path)
        there = self._files()
        rows = self._records.all()
        ledger, entries, gone = Ledger(self._limit), {}, []
        doubtful: list[tuple[str, Bytes, float]] = []
        for row in rows:
            found = there.pop(row.sha256, None)
            if found is not None and (found.st_size, found.st_mtime_ns) == (row.size_bytes, row.mtime_ns):
                ledger.load(row.sha256, row.size_bytes, row.last_used_at)
                entries[row.sha256] = row
                continue
            gone.append(row.sha256)
            if found is not None:
                doubtful.append((row.sha256, found.st_size, row.last_used_at))
        doubtful += [(sha256, found.st_size, found.st_mtime) for sha256, found in there.items()]
        leaving = ledger.trim()
        for sha256 in leaving:
            del entries[sha256]
        with self._lock:
            for sha256, count in ((one, self._ledger.holders(one)) for one in self._ledger.held()):
                for _ in range(count):
                    ledger.hold(sha256)
            self._ledger, self._entries = ledger, entries
            self._doubts.clear()
            for sha256, size, last_used_at in doubtful:
                if ledger.used + ledger.reserved + size <= self._limit:
                    ledger.reserve(sha256, size)
                    self._doubts.append((sha256, last_used_at))
                else:
                    leaving.append(sha256)
            self._leaving.update(leaving)
            if self._doubts:
                self._idle.clear()
        self._records.drop([*gone, *leaving])
        self._remove(leaving)

    def _files(self) -> dict[str, os.stat_result]:
        """Every file of the cache's own, by its name. Raises OSError."""
        there: dict[str, os.stat_result] = {}
        for folder in os.scandir(self._folder):
            if len(folder.name) == 2 and folder.is_dir(follow_symlinks=False):
                for file in os.scandir(folder.path):
                    if _NAME.fullmatch(file.name) and file.name.startswith(folder.name):
                        found = file.stat(follow_symlinks=False)
                        if stat.S_ISREG(found.st_mode):
                            there[file.name] = found
        return there

    def _complain(self, why: Any) -> None:
        """Once, until it works again."""
        if not self._complained:
            self._complained = True
            log.warning("the cache %s cannot be written to (%s): music from the cloud is not kept", self._folder, why)


def _make(path: str, size_bytes: Bytes) -> int:
    """An empty place of this size; its descriptor. Raises OSError, and then there is none."""
    fd = os.open(path, _FLAGS, 0o600)
    try:
        os.truncate(fd, size_bytes)
    except OSError:
        os.close(fd)
        os.unlink(path)
        raise
    return fd


def _hash(fd: int, size_bytes: Bytes) -> str:
    digest = hashlib.sha256()
    at = 0
    while at < size_bytes:
        piece = os.pread(fd, min(_PIECE, size_bytes - at), at)
        if not piece:
            break
        digest.update(piece)
        at += len(piece)
    return digest.hexdigest()
