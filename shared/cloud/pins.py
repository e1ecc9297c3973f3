"""Keep music on this machine, and bring back what lies in a bucket alone.

A file that comes back is fetched into the station's own folder on its music folder's disk (`.soundsible/incoming`),
compared with the hash that the library knows of it, and only then put to where it was; never over another file. A kill
at any moment leaves a finished file in its place, or a piece that the next fetch of it replaces.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

from shared.library import moves
from shared.library.placing import put
from shared.model.cloud import CloudFailure, Copy, Provider
from shared.model.errors import Conflict, DiskFull, NotFound, SoundsibleError, StorageOffline
from shared.model.filepath import to_path, to_text
from shared.model.source import TrackFile
from shared.model.units import MIB, Bytes
from shared.model.work import Moved, Stopped
from shared.ports import FileAccess, Work
from shared.records import pins as records

log = logging.getLogger(__name__)

INCOMING = f"{moves.HOME}/incoming"
AT_ONCE = 3
PLACE_DEADLINE_S = 300.0        # a copy to a folder on another disk
LOOK_DEADLINE_S = 10.0
LEFT_AFTER_S = 86_400.0         # a piece that nobody wrote to for so long was left behind
MARGIN: Bytes = 64 * MIB        # room that is left on a disk, whatever is brought back


@dataclass(frozen=True, slots=True, kw_only=True)
class NotFetched:
    """One track that did not come back."""

    track_id: str
    path: str           # relative to its music folder
    reason: str
    message: str


@dataclass(slots=True)
class FetchReport:
    """`fetched` and `skipped` (those that are here) are counted; bytes of what came."""

    fetched: int = 0
    skipped: int = 0
    failed: list[NotFetched] = field(default_factory=list)
    bytes: Bytes = 0
    dry_run: bool = False


class FetchStopped(Stopped):
    """It was asked to end; `report` tells what came."""

    def __init__(self, report: FetchReport) -> None:
        super().__init__()
        self.report = report


class _Refused(Exception):
    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message


class Pins:
    """records     shared.records.pins.Pins
    copies      shared.records.copies.Copies
    providers   storage.providers.Providers
    buckets     a provider's bucket (cloud.buckets.Buckets); called in the tool's process alone
    access      storage.access.Access
    cache       storage.cache.Cache: what is in it is not fetched again
    """

    def __init__(
        self,
        *,
        records: records.Pins,
        copies: Any,
        providers: Any,
        buckets: Callable[[Provider], Any],
        access: FileAccess,
        cache: Any = None,
    ) -> None:
        self._records = records
        self._copies = copies
        self._providers = providers
        self._buckets = buckets
        self._access = access
        self._cache = cache

    def pin(self, kind: str, uid: str) -> bool:
        """Keep an album (also its later tracks) or a track here; whether it was not pinned yet. Raises NotFound."""
        return self._records.add(kind, uid)

    def unpin(self, kind: str, uid: str) -> bool:
        """Whether it was pinned. Nothing is removed by this."""
        return self._records.remove(kind, uid)

    def all(self) -> Sequence[records.Pin]:
        """By title."""
        return self._records.list()

    def pinned(self, uids: Sequence[str]) -> set[str]:
        """Those of these tracks that are pinned, by themselves or with their album."""
        return self._records.pinned(uids)

    def wanting(self, kind: str | None = None, uid: str | None = None) -> Sequence[str]:
        """Tracks of all pins, or of one, that are to be fetched back."""
        return self._records.wanting(kind, uid)

    # ---- bringing back ---------------------------------------------------------------------------------------------

    def fetch_back(self, uids: Iterable[str], *, work: Work, provider: str | None = None,
                   dry_run: bool = False) -> FetchReport:
        """Bring these tracks back to where they were. What is here already is left alone.

        provider    fetch from this one alone (by name); else from whichever has it
        dry_run     look whether it could be done; fetch nothing
        A track that cannot be brought back is in the report with the reason. Raises FetchStopped (a Stopped).
        """
        report = FetchReport(dry_run=dry_run)
        try:
            self._fetch_all(list(uids), report, work, provider, dry_run)
        except Stopped:
            raise FetchStopped(report) from None
        return report

    def _fetch_all(self, uids: Sequence[str], report: FetchReport, work: Work, provider: str | None,
                   dry_run: bool) -> None:
        wanted: list[tuple[TrackFile, list[Copy]]] = []
        work.tell(Moved("looking"))
        for file in self._copies.sources(uids):
            if work.stopped():
                raise Stopped
            try:
                if self._is_here(file, dry_run):
                    report.skipped += 1
                    continue
                wanted.append((file, self._ways(file, provider)))
            except (_Refused, SoundsibleError) as error:
                _fail(report, file, error)
        self._check_room(report, wanted)
        if dry_run:
            report.fetched, report.bytes = len(wanted), sum(ways[0].size_bytes for _, ways in wanted)
            return
        progress = _Progress(work, len(wanted), sum(ways[0].size_bytes for _, ways in wanted))
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="fetch") as threads:
            coming = [(file, threads.submit(self._fetch, file, ways, work)) for file, ways in wanted]
            try:
                for file, one in coming:
                    try:
                        size = one.result()
                        report.fetched += 1
                        report.bytes += size
                        progress.went(size, to_text(file.path))
                    except (_Refused, SoundsibleError, OSError) as error:
                        _fail(report, file, error)
                        progress.failed(to_text(file.path))
            except BaseException:
                threads.shutdown(wait=True, cancel_futures=True)
                raise

    def _is_here(self, file: TrackFile, dry_run: bool) -> bool:
        """Whether the track's file lies where the library knows it. One that is as it was when it was taken away is
        known to be here from now on: that was cut off before the file was removed."""
        root, path = to_path(file.root), to_path(file.path)
        try:
            looked = self._access.call(root, lambda: os.stat(os.path.join(root, path)), deadline_s=LOOK_DEADLINE_S)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise _Refused("folder_offline", f"The music folder {file.root} cannot be looked at "
                           f"({error.strerror}).") from error
        if not file.missing:
            return True
        if (looked.st_size, looked.st_mtime_ns) != (file.size_bytes, file.mtime_ns):
            raise _Refused("taken", "Another file lies in its place. A scan takes it up: python3 run.py tool scan")
        if file.sha256 is None or self._hash(root, path) != file.sha256:
            return False        # its name is taken; the file comes beside it
        if not dry_run:
            self._copies.offloaded(file.track_id, None)
        return True

    def _hash(self, root: str, path: str) -> str:
        with self._access.open(root, path) as file:
            return hashlib.file_digest(cast(Any, file), "sha256").hexdigest()

    def _ways(self, file: TrackFile, provider: str | None) -> list[Copy]:
        """The exact copies it can be fetched from, the best first; at last those that were called gone or altered once:
        what comes is compared anyway. Raises _Refused when there is none."""
        self._check_folder(file)
        copies = [one for one in self._copies.of(file.track_id, broken=True)
                  if provider is None or one.provider == provider]
        exact = [one for one in copies if one.exact]
        if not copies:
            where = "any storage" if provider is None else provider
            raise _Refused("no_copy", f"There is no copy of it in {where}.")
        if not exact:
            raise _Refused("compressed_only", "Only a smaller copy of it is in the cloud; the file itself is not there "
                           "to be brought back.")
        known = {one.name for one in self._providers.all()}
        ways = [one for one in exact if one.provider in known]
        if not ways:
            self._providers.named(exact[0].provider)    # raises with what to do
        # The file as it is known, before older ones of it.
        ways.sort(key=lambda one: (one.broken is not None, one.sha256 != file.sha256 if file.sha256 else
                                   (one.source_size_bytes, one.source_mtime_ns) != (file.size_bytes, file.mtime_ns)))
        return ways

    def _check_folder(self, file: TrackFile) -> None:
        root = to_path(file.root)

        def state() -> str:
            try:
                names = os.listdir(root)
            except (FileNotFoundError, NotADirectoryError):
                return "absent"
            # One that all music left still holds the station's own folder; the place of an unmounted disk does not.
            own = moves.HOME in names or any(not one.startswith(".") and one != "lost+found" for one in names)
            return "online" if own else "empty"

        found = str(self._access.call(root, state, deadline_s=LOOK_DEADLINE_S))
        if found != "online":
            raise _Refused("folder_offline", f"The music folder {file.root} is gone. Plug in and mount its disk, or "
                           "make the folder again." if found == "absent" else
                           f"The music folder {file.root} is empty. Plug in and mount its disk; or, when it is the "
                           f"right one, make a folder {moves.HOME} in it.")

    def _check_room(self, report: FetchReport, wanted: list[tuple[TrackFile, list[Copy]]]) -> None:
        """Takes out of `wanted` what has no room on its disk."""
        free: dict[str, int] = {}
        for one in list(wanted):
            file, ways = one
            root = to_path(file.root)
            if root not in free:
                try:
                    free[root] = int(self._access.call(root, partial(_free, root))) - MARGIN
                except (OSError, SoundsibleError) as error:
                    wanted.remove(one)
                    _fail(report, file, error)
                    continue
            size = ways[0].size_bytes
            if size > free[root]:
                wanted.remove(one)
                _fail(report, file, _Refused("disk_full", f"There is no room left in the music folder {file.root} "
                                             f"({size:,} bytes are needed)."))
            else:
                free[root] -= size

    def _fetch(self, file: TrackFile, ways: list[Copy], work: Work) -> Bytes:
        """Bring one back; its size. Raises _Refused, SoundsibleError, OSError, Stopped."""
        if work.stopped():
            raise Stopped
        root = to_path(file.root)
        staged = self._access.call(root, partial(_staged, root, file.track_id), deadline_s=LOOK_DEADLINE_S)
        try:
            copy = self._bring_one_of(file, ways, Path(staged), work)
            # The time that the library knows; an older version of the file has its own.
            as_known = copy.source_size_bytes == file.size_bytes
            mtime_ns = file.mtime_ns if as_known else copy.source_mtime_ns
            path = self._access.call(
                root, partial(_placed, root, staged, to_text(file.path), mtime_ns), deadline_s=PLACE_DEADLINE_S)
            self._take_up(file, copy, path, mtime_ns)
        finally:
            with contextlib.suppress(OSError):
                os.unlink(staged)
        return copy.size_bytes

    def _bring_one_of(self, file: TrackFile, ways: list[Copy], staged: Path, work: Work) -> Copy:
        """The first that comes whole. Raises the trouble with the last one."""
        trouble: CloudFailure | None = None
        for copy in ways:
            try:
                self._bring(copy, staged, work)
                return copy
            except CloudFailure as error:
                trouble = error
                work.log("warning", f"{to_text(file.path)}: {error.message}")
        assert trouble is not None
        raise trouble

    def _bring(self, copy: Copy, staged: Path, work: Work) -> None:
        """The plain bytes of `copy`, checked, as `staged`."""
        cached = None if self._cache is None else self._cache.at(copy.sha256)
        if cached is not None:
            try:
                shutil.copyfile(cached.path, staged)
                _check(staged, copy)
                return
            except (OSError, CloudFailure) as error:
                if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise DiskFull(f"There is no room for {staged.name}.") from error
                log.info("the cached copy of track %s is not used: %s", copy.track_id, error)
        provider = self._providers.named(copy.provider)
        try:
            bucket = self._buckets(provider)
            if copy.sealed:
                self._bring_sealed(bucket, provider, copy, staged, work)
            else:
                bucket.fetch(copy.key, staged, work=work)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFull(f"There is no room for {staged.name}.") from error
            raise
        except CloudFailure as error:
            if error.reason == "not_there":
                self._copies.broken(copy.provider, copy.key, "gone")
            raise
        _check(staged, copy)
        if copy.broken is not None:     # it was not, after all, or is back
            self._copies.verified(copy.provider, copy.key, copy.etag, time.time())

    def _bring_sealed(self, bucket: Any, provider: Provider, copy: Copy, staged: Path, work: Work) -> None:
        from shared.storage.sealing import Sealer  # cryptography: only for who has such objects

        if provider.seal_key is None:
            raise CloudFailure(f"The copies in {provider.name} are encrypted and its seal key is not known here.",
                               reason="corrupted", provider=provider.name)
        part = staged.with_name(staged.name + ".sealed")
        try:
            bucket.fetch(copy.key, part, work=work)
            Sealer(provider.seal_key).open_file(part, staged)
        finally:
            with contextlib.suppress(OSError):
                part.unlink()

    def _take_up(self, file: TrackFile, copy: Copy, path: str, mtime_ns: int) -> None:
        """Tell the library where it lies; when another track is known by that name, it goes beside it."""
        root = to_path(file.root)
        for _ in range(100):
            try:
                self._copies.came_back(file.track_id, copy.size_bytes, mtime_ns, copy.sha256, to_path(path))
                return
            except Conflict:
                path = str(self._access.call(root, partial(_moved_aside, root, path), deadline_s=PLACE_DEADLINE_S))
        raise Conflict(f"No name is free for {to_text(file.path)}.")


# ---- in the folder's own thread ----------------------------------------------------------------------------------


def _free(root: str) -> Bytes:
    return shutil.disk_usage(root).free


def _staged(root: str, uid: str) -> str:
    """Where the bytes of a track come in; nothing lies there."""
    os.lstat(root)      # so that the place of an unmounted disk is never written to
    with moves.spot(root, f"{INCOMING}/{uid}.part", make=True) as (folder, name):
        within = "" if folder is not None else f"{os.path.dirname(name)}/"
        for other in moves.names(root, INCOMING):       # what a kill left behind
            path = f"{within}{to_path(other)}"
            with contextlib.suppress(FileNotFoundError):
                # Not st_mtime: a finished one has the time of the file that it is.
                old = time.time() - os.stat(path, dir_fd=folder, follow_symlinks=False).st_ctime > LEFT_AFTER_S
                if old or other.startswith(f"{uid}."):
                    os.unlink(path, dir_fd=folder)
    return os.path.join(root, INCOMING, f"{uid}.part")


def _placed(root: str, staged: str, path: str, mtime_ns: int) -> str:
    """Put it where it was, or beside it when that place is taken; the path, as text."""
    os.utime(staged, ns=(mtime_ns, mtime_ns))
    with open(staged, "rb") as file:
        os.fsync(file.fileno())
    target, taken = path, False
    while True:
        target = moves.free_name(root, path, taken=taken)
        try:
            put(staged, root, target)
            return target
        except FileExistsError:     # somebody was quicker
            taken = moves.is_there(root, path)


def _moved_aside(root: str, path: str) -> str:
    target = moves.free_name(root, path, taken=True)
    moves.move(root, path, target)
    return target


def _check(staged: Path, copy: Copy) -> None:
    with open(staged, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != copy.sha256:
        raise CloudFailure(f"What {copy.provider} holds of this track is not what was put there.", reason="corrupted",
                           provider=copy.provider)


# ---- words -------------------------------------------------------------------------------------------------------


def _fail(report: FetchReport, file: TrackFile, error: Exception) -> None:
    reason = getattr(error, "reason", None) or getattr(error, "code", None)
    message = getattr(error, "message", None) or f"{getattr(error, 'strerror', None) or error}"
    if isinstance(error, StorageOffline):
        reason = "storage_offline"
    elif isinstance(error, NotFound):
        reason = "no_storage"
    report.failed.append(NotFetched(
        track_id=file.track_id, path=to_text(file.path), reason=str(reason or "failed"), message=str(message)))


class _Progress:
    def __init__(self, work: Work, total: int, bytes_total: Bytes) -> None:
        self._work = work
        self._total, self._bytes_total = total, bytes_total
        self._done = self._bytes = self._failed = 0
        self._tell("")

    def went(self, size: Bytes, now: str) -> None:
        self._done, self._bytes = self._done + 1, self._bytes + size
        self._tell(now)

    def failed(self, now: str) -> None:
        self._failed += 1
        self._tell(now)

    def _tell(self, now: str) -> None:
        self._work.tell(Moved("bringing back", self._done, self._total, self._bytes, self._bytes_total, now,
                              self._failed))
