"""Make room: take files off this machine whose exact copy in a bucket was proved a moment ago.

The last copy is never removed. Before a file goes, its provider is asked again whether the object is there, with the
size and the checksum it had when it was uploaded; then the file itself is read, and its hash must be that copy's. The
row is written first (the track lies in the cloud), then the file is removed, and only the very file that was read: a
kill in between leaves a file too many, which the next offload removes or the next scan takes up again.
"""

from __future__ import annotations

import hashlib
import logging
import os
import stat
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from shared.cloud.uploads import Refused, UploadReport, Uploads, UploadStopped
from shared.library import moves
from shared.library.placing import sync_at
from shared.model.cloud import CloudFailure, Copy, Provider
from shared.model.errors import SoundsibleError, StorageOffline, Unprocessable
from shared.model.filepath import to_path, to_text
from shared.model.source import TrackFile
from shared.model.units import Bytes
from shared.model.work import Moved, Stopped
from shared.ports import FileAccess, Work
from shared.records.copies import Copies

log = logging.getLogger(__name__)

AT_ONCE = 4
REMOVE_DEADLINE_S = 30.0
LOOK_DEADLINE_S = 10.0
#: Reasons why a file stays that are no failure.
KEPT = frozenset({"pinned", "linked", "shared", "compressed_only"})

Identity = tuple[int, int, int, int]    # device, inode, size, mtime_ns


@dataclass(slots=True, kw_only=True)
class OffloadReport:
    """What an offload did, or (`dry_run`) would do."""

    offloaded: int = 0
    bytes: Bytes = 0            # that are free now
    skipped: int = 0            # not on this machine before
    uploaded: int = 0           # for want of an exact copy
    uploaded_bytes: Bytes = 0
    kept: list[Refused] = field(default_factory=list)       # they stay, and should: pinned, reached through a link …
    failed: list[Refused] = field(default_factory=list)
    ended_by: str | None = None     # why the upload ended early, in a sentence
    ended_reason: str | None = None     # … and in a word of CloudFailure's
    dry_run: bool = False


class OffloadStopped(Stopped):
    """It was asked to end; `report` tells what is done."""

    def __init__(self, report: OffloadReport) -> None:
        super().__init__()
        self.report = report


class _Stays(Exception):
    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message


class Offload:
    """copies      shared.records.copies.Copies
    pins        what is pinned (cloud.pins.Pins)
    providers   storage.providers.Providers
    buckets     a provider's bucket (cloud.buckets.Buckets)
    uploads     copies what has no exact copy yet
    covers      library.kept_covers.KeptCovers: pictures that would go with their files; None: let them
    clock       Unix seconds
    """

    def __init__(
        self,
        *,
        copies: Copies,
        pins: Any,
        providers: Any,
        buckets: Callable[[Provider], Any],
        uploads: Uploads,
        access: FileAccess,
        covers: Any = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._copies = copies
        self._pins = pins
        self._providers = providers
        self._buckets = buckets
        self._uploads = uploads
        self._access = access
        self._covers = covers
        self._clock = clock

    def run(self, uids: Iterable[str], *, work: Work, provider: Provider | None = None,
            dry_run: bool = False) -> OffloadReport:
        """Take the files of these tracks off this machine.

        provider    only copies there count, and what has none goes there; None: any counts, and what has none goes to
                    the default one
        dry_run     say what would happen; the providers are asked, files are looked at but not read
        A file that stays is in the report with the reason. Raises OffloadStopped (a Stopped), Unprocessable when there
        is no storage, CloudFailure when what must go up first cannot be planned.
        """
        wanted = list(dict.fromkeys(uids))
        report = OffloadReport(dry_run=dry_run)
        try:
            here = self._here(wanted, report, work)
            ready, lacking = self._sorted(here, provider)
            going = self._upload(lacking, provider, report, work)
            if dry_run:
                self._foresee(ready, going, provider, report, work)
                return report
            if lacking:
                ready = self._sorted(here, provider, report=report)[0]
            if self._covers is not None and ready:
                self._covers.keep([one.track_id for one in ready], work=work)
            self._remove_all(ready, provider, report, work)
        except UploadStopped as stopped:
            _count(report, stopped.report)
            raise OffloadStopped(report) from None
        except Stopped:
            raise OffloadStopped(report) from None
        return report

    # ---- which -----------------------------------------------------------------------------------------------------

    def _here(self, uids: Sequence[str], report: OffloadReport, work: Work) -> list[TrackFile]:
        """Those that lie on this machine and may leave it."""
        pinned = self._pins.pinned(uids)
        found: list[tuple[TrackFile, tuple[str, str]]] = []
        for number, file in enumerate(self._copies.sources(uids), 1):
            if work.stopped():
                raise Stopped
            work.tell(Moved("looking", number, len(uids), now=to_text(file.path)))
            try:
                place = self._access.call(to_path(file.root), partial(_look, file), deadline_s=LOOK_DEADLINE_S)
                if place is None:
                    report.skipped += 1
                elif file.track_id in pinned:
                    raise _Stays("pinned", "It is pinned to this machine.")
                else:
                    found.append((file, place))
            except (_Stays, SoundsibleError, OSError) as error:
                _tell(report, file, error)
        # By what lies there now: of a file that came back, its row does not tell.
        shared = self._copies.sharing({file.track_id: place for file, place in found})
        for file, _ in found:
            if file.track_id in shared:
                _tell(report, file, _Stays("shared", "The same file is in the library under another name, too."))
        return [file for file, _ in found if file.track_id not in shared]

    def _sorted(self, files: Sequence[TrackFile], provider: Provider | None, *,
                report: OffloadReport | None = None) -> tuple[list[TrackFile], list[TrackFile]]:
        """(those with an exact copy of the file as it is known, those without). With `report` the latter are told of,
        unless their upload failed, which was told already."""
        known = self._copies.of_tracks(one.track_id for one in files)
        told = set() if report is None else {one.track_id for one in report.failed}
        ready, lacking = [], []
        for file in files:
            copies = known.get(file.track_id, [])
            if self._fitting(file, copies, provider):
                ready.append(file)
                continue
            lacking.append(file)
            if report is not None and file.track_id not in told:
                if any(not one.exact for one in copies):
                    _tell(report, file, _Stays("compressed_only", "Only a smaller copy of it is in the cloud."))
                elif report.ended_by is not None:
                    _tell(report, file, _Stays("not_uploaded", f"It was not uploaded: {report.ended_by}"))
                else:
                    _tell(report, file, _Stays("no_copy", "It has no exact copy in the cloud."))
        return ready, lacking

    def _fitting(self, file: TrackFile, copies: Iterable[Copy], provider: Provider | None) -> list[Copy]:
        return [
            one for one in copies
            if one.exact and (provider is None or one.provider == provider.name)
            and ((one.source_size_bytes, one.source_mtime_ns) == (file.size_bytes, file.mtime_ns)
                 or (file.sha256 is not None and one.source_sha256 == file.sha256))
        ]

    # ---- copies for those without -----------------------------------------------------------------------------------

    def _upload(self, lacking: Sequence[TrackFile], provider: Provider | None, report: OffloadReport,
                work: Work) -> set[str]:
        """Copy them up as they are; the ids of those that (would) have a copy then."""
        if not lacking:
            return set()
        to = provider or self._providers.default()
        if to is None:
            raise Unprocessable("There is no storage to move music to. Add one: python3 run.py tool storage add r2")
        plan = self._uploads.plan([one.track_id for one in lacking], provider=to, work=work)
        done = self._uploads.foreseen(plan) if report.dry_run else self._uploads.run(plan, work=work)
        _count(report, done)
        failed = {one.track_id for one in done.failed}
        return {one.track_id for one in lacking} - failed

    # ---- removing --------------------------------------------------------------------------------------------------

    def _foresee(self, ready: Sequence[TrackFile], going: set[str], provider: Provider | None, report: OffloadReport,
                 work: Work) -> None:
        for number, file in enumerate(self._copies.sources([*(one.track_id for one in ready), *going]), 1):
            if work.stopped():
                raise Stopped
            work.tell(Moved("asking", number, len(ready) + len(going), now=to_text(file.path)))
            try:
                if file.track_id not in going:
                    self._proved(file, provider)
            except (_Stays, SoundsibleError) as error:
                _tell(report, file, error)
                continue
            report.offloaded += 1
            report.bytes += file.size_bytes

    def _remove_all(self, files: Sequence[TrackFile], provider: Provider | None, report: OffloadReport,
                    work: Work) -> None:
        total, size = len(files), sum(one.size_bytes for one in files)
        stop = threading.Event()

        def one(file: TrackFile) -> Bytes:
            if stop.is_set() or work.stopped():
                raise Stopped
            return self._remove(file, provider)

        stopped = False
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="offload") as threads:
            running = {threads.submit(one, file): file for file in files}
            try:
                for done in as_completed(running):
                    file = running[done]
                    try:
                        report.bytes += done.result()
                        report.offloaded += 1
                    except Stopped:
                        stopped = True
                        continue
                    except (_Stays, SoundsibleError, OSError) as error:
                        _tell(report, file, error)
                    work.tell(Moved("making room", report.offloaded, total, report.bytes, size, to_text(file.path),
                                    len(report.failed)))
            except BaseException:
                stop.set()
                threads.shutdown(wait=True, cancel_futures=True)
                raise
        if stopped:
            raise Stopped

    def _remove(self, file: TrackFile, provider: Provider | None) -> Bytes:
        """One file; how much is free then. Raises _Stays, SoundsibleError, OSError: then it is where it was."""
        copy = self._proved(file, provider)
        identity = self._read(file, copy)
        root = to_path(file.root)
        self._copies.offloaded(file.track_id, self._clock())
        try:
            freed = self._access.call(
                root, partial(_unlink, root, to_text(file.path), identity), deadline_s=REMOVE_DEADLINE_S)
        except StorageOffline:
            raise   # it may be gone or not; if it is not, a scan finds it
        except BaseException:
            self._copies.offloaded(file.track_id, None)
            raise
        log.info("the file of track %s is now in %s alone: %s", file.track_id, copy.provider, file.path)
        return int(freed)

    def _proved(self, file: TrackFile, provider: Provider | None) -> Copy:
        """A copy that its provider has at this moment, as it was when it was uploaded. Raises _Stays, SoundsibleError
        when there is none; the rows of those that are gone say so then."""
        trouble: Exception = _Stays("no_copy", "It has no exact copy in the cloud.")
        for copy in self._fitting(file, self._copies.of(file.track_id), provider):
            try:
                found = self._buckets(self._providers.named(copy.provider)).head(copy.key)
            except SoundsibleError as error:
                trouble = error
                continue
            if found is None:
                self._copies.broken(copy.provider, copy.key, "gone")
                trouble = CloudFailure(f"Its copy is no longer in {copy.provider}. Upload it again.",
                                       reason="not_there", provider=copy.provider)
            elif (found.size_bytes, found.etag) != (copy.stored_bytes, copy.etag):
                self._copies.broken(copy.provider, copy.key, "corrupted")
                trouble = CloudFailure(f"What {copy.provider} has of it is not what was uploaded. Upload it again.",
                                       reason="corrupted", provider=copy.provider)
            else:
                self._copies.verified(copy.provider, copy.key, found.etag, self._clock())
                return copy
        raise trouble

    def _read(self, file: TrackFile, copy: Copy) -> Identity:
        """Read the file; who it is, when its hash is the copy's. Raises _Stays, StorageOffline, OSError."""
        with self._access.open(to_path(file.root), to_path(file.path)) as opened:
            before = os.fstat(opened.fileno())
            sha256 = hashlib.file_digest(cast(Any, opened), "sha256").hexdigest()
            after = os.fstat(opened.fileno())
        if sha256 != copy.source_sha256 or sha256 != copy.sha256 or _identity(before) != _identity(after):
            raise _Stays("changed", "The file is not the one that was uploaded. Scan, upload it again, and try again.")
        return _identity(after)


# ---- in the folder's own thread ----------------------------------------------------------------------------------


def _look(file: TrackFile) -> tuple[str, str] | None:
    """Device and inode of the file, which is there as it is known, and could be removed; None: it is not there. Raises
    _Stays, OSError."""
    root, path = to_path(file.root), to_text(file.path)
    try:
        with moves.spot(root, path) as (folder, name):
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            writable = os.access("." if folder is not None else os.path.dirname(name), os.W_OK, dir_fd=folder)
    except FileNotFoundError:
        if file.missing:
            return None
        if not os.path.isdir(root) or not os.listdir(root):
            raise _Stays("offline", f"The music folder {file.root} is not there. Is its disk plugged in?") from None
        raise _Stays("missing", "Its file is not where the library knows it. A scan finds out more.") from None
    except NotADirectoryError:
        raise _Stays("linked", "It is reached through a link, where the station removes nothing.") from None
    if stat.S_ISLNK(found.st_mode):
        raise _Stays("linked", "It is a link to a file elsewhere, where the station removes nothing.")
    if not stat.S_ISREG(found.st_mode) or (found.st_size, found.st_mtime_ns) != (file.size_bytes, file.mtime_ns):
        raise _Stays("changed", "The file is not as the library knows it. Scan first.")
    if not writable:
        raise _Stays("read_only", "Its folder is read-only; the file cannot be removed.")
    return str(found.st_dev), str(found.st_ino)


def _unlink(root: str, path: str, identity: Identity) -> Bytes:
    """Remove the file at `path` if it is that one; how much is free then."""
    # So that a folder which all music left can be told from the place of an unmounted disk.
    with moves.spot(root, f"{moves.HOME}/-", make=True):
        pass
    with moves.spot(root, path) as (folder, name):
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if _identity(found) != identity:
            raise _Stays("changed", "Another file took its place meanwhile; it stays.")
        os.unlink(name, dir_fd=folder)
        sync_at(folder, name)
    return found.st_size if found.st_nlink <= 1 else 0


def _identity(found: os.stat_result) -> Identity:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


# ---- words -------------------------------------------------------------------------------------------------------


def _count(report: OffloadReport, uploaded: UploadReport) -> None:
    report.uploaded, report.uploaded_bytes = uploaded.uploaded, uploaded.bytes
    report.failed += uploaded.failed
    report.ended_by, report.ended_reason = uploaded.ended_by, uploaded.ended_reason


def _tell(report: OffloadReport, file: TrackFile, error: Exception) -> None:
    reason = getattr(error, "reason", None) or getattr(error, "code", None) or "not_removed"
    message = getattr(error, "message", None) or (
        f"It cannot be removed: {getattr(error, 'strerror', None) or error}.")
    told = Refused(track_id=file.track_id, path=to_text(file.path), reason=str(reason), message=str(message))
    (report.kept if reason in KEPT else report.failed).append(told)
