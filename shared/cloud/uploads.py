"""Take music to a bucket: in parallel, in parts, never twice, proved after, cut off anywhere and taken up again.

What an object is called follows from what is in it, so a file is hashed before it goes. Small ones are read once,
hashed and sent from memory; of large ones the hash is known or taken first, and taken again while the parts go. While
one file is hashed others are sent.

A row of `copies` is written when the provider's own HEAD shows the size and the checksum of what was sent, and the
file is still as it was when its reading began. Before that nothing is lost by a kill: an object without a row is
found by its name the next time, parts that arrived are in `uploads` and at the provider.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import logging
import os
import secrets
import shutil
import stat
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

from shared.cloud import catalogue, layout, parts
from shared.cloud.catalogue import Catalogue
from shared.cloud.parts import Carrier, Changed, Lanes, Lost, Patience, Reached
from shared.cloud.plan import ADOPT, CANNOT, THERE, Case, Item, Looked, Plan, current, decide, stale, suspects
from shared.model.cloud import CloudFailure, Copy, Provider, StoredObject
from shared.model.errors import BadInput, DiskFull, NotFound, SoundsibleError, StorageOffline, UnreadableFile
from shared.model.filepath import to_text
from shared.model.source import TrackFile
from shared.model.track import LOSSLESS, AudioFacts
from shared.model.units import MIB, Bytes, Seconds
from shared.model.work import Moved, Stopped
from shared.ports import Work, Workers
from shared.records.copies import Copies
from shared.records.uploads import UploadRecords
from shared.storage.access import Access
from shared.storage.sealing import Sealer

log = logging.getLogger(__name__)

SPOOL = "spool"                 # below the cache folder: what was made smaller, or is to be sealed
SPOOL_KEPT_S: Seconds = 86_400.0
PARTS_KEPT_S: Seconds = 7 * 86_400.0    # of an upload that was cut off and not taken up again
SPOOL_ROOM: Bytes = 64 * MIB    # free space that spool files leave
FEW = 16                        # up to here the bucket is asked for each object instead of for the list of all
TRIES = 3                       # for a file that changes while it is read, for an object that does not fit
ROWS_TOGETHER, ROWS_EVERY_S = 32, 0.5
QUEUED = 32                     # handed out beyond those at work: for while rows and the catalogue are written
TELL_EVERY = 500                # tracks, until the catalogue is told
DRESS_TIMEOUT_S: Seconds = 120.0
_MIME = {"mp3": "audio/mpeg", "opus": "audio/ogg"}

#: What ends the whole run: the next file would fare no better.
ENDS = frozenset({"wrong_key", "wrong_secret", "forbidden", "no_bucket", "wrong_region", "clock", "certificate",
                  "full", "expired", "no_answer", "slow_down"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """One track that was not uploaded."""

    track_id: str
    path: str           # relative to its music folder
    reason: str
    message: str


@dataclass(slots=True, kw_only=True)
class UploadReport:
    """What an upload did, or (`dry_run`) would do."""

    provider: str
    uploaded: int = 0
    skipped: int = 0            # they were there already
    failed: list[Refused] = field(default_factory=list)
    bytes: Bytes = 0            # that went to the bucket
    replaced: int = 0           # of those uploaded: older copies were taken away for them
    removed: int = 0            # objects that nobody refers to any more and that were taken away
    not_tried: int = 0          # because the provider refused everything
    ended_by: str | None = None     # why, in a sentence
    ended_reason: str | None = None     # … and in a word of CloudFailure's
    dry_run: bool = False
    about: bool = False         # `bytes` is an estimate

    def add(self, other: UploadReport) -> None:
        self.uploaded += other.uploaded
        self.skipped += other.skipped
        self.failed += other.failed
        self.bytes += other.bytes
        self.replaced += other.replaced
        self.removed += other.removed
        self.not_tried += other.not_tried
        self.ended_by = self.ended_by or other.ended_by
        self.ended_reason = self.ended_reason or other.ended_reason
        self.about = self.about or other.about


class UploadStopped(Stopped):
    """The upload was asked to end; `report` tells what is done."""

    def __init__(self, report: UploadReport) -> None:
        super().__init__()
        self.report = report


class Uploads:
    """copies, records: shared.records. providers: storage.providers.Providers. buckets: opens a provider's bucket.
    keepings: library.keepings.Keepings, which makes files smaller in workers. settings: for upload_workers and
    cache_dir. covers: see Catalogue. tries, first_pause_s: how patient it is with a provider."""

    def __init__(self, *, copies: Copies, records: UploadRecords, providers: Any, buckets: Callable[[Provider], Any],
                 access: Access, workers: Workers, keepings: Any, settings: Any, catalogue: Catalogue,
                 tries: int = 8, first_pause_s: Seconds = 1.0) -> None:
        self.copies = copies
        self.records = records
        self.providers = providers
        self.buckets = buckets
        self.access = access
        self.workers = workers
        self.keepings = keepings
        self.settings = settings
        self.catalogue = catalogue
        self.tries = tries
        self.first_pause_s = first_pause_s

    # ---- what would happen

    def plan(self, uids: Iterable[str], *, provider: Provider, compress: str = "", work: Work | None = None) -> Plan:
        """What an upload of these tracks would do: exactly what `run` then does, as long as nothing changes.

        compress    "" or mp3:320, opus:128 (as the setting cloud_compress): what goes up is made smaller, where that
                    saves something
        Costs a stat for each file (by deadline) and the list of what lies in the bucket; files whose size occurs twice
        are hashed. Raises CloudFailure when the provider does not answer, BadInput, Stopped.
        """
        cases = self._cases(uids, provider, compress, work)
        unread = {one.file.track_id for one in cases if one.looked is not None and (
            one.looked.size_bytes, one.looked.mtime_ns) != (one.file.size_bytes, one.file.mtime_ns)}
        stored = sealer_size(provider)
        broken = self.records.broken(provider.name)
        going = [one for one in cases if one.trouble is None and one.looked and current(one) is None]
        there: dict[str, Bytes] | None = None
        if len(going) > FEW:
            there = self._listed(provider, broken)
        hashed = ({one.file.track_id for one in going if one.looked and one.looked.sha256 is None}
                  if len(going) <= FEW else suspects(cases, provider=provider, stored=stored, there=there))
        cases = self._hashed(cases, hashed, work)
        if 0 < len(going) <= FEW:
            found = self._headed(provider, [one for one in cases if one.looked and one.looked.sha256], broken)
            plan = decide(cases, provider=provider, compress=compress, stored=stored, there=found, unread=unread)
            return replace(plan, there=None)
        return decide(cases, provider=provider, compress=compress, stored=stored, there=there, unread=unread)

    def foreseen(self, plan: Plan) -> UploadReport:
        """`plan` as a report."""
        return UploadReport(
            provider=plan.provider, uploaded=len(plan.uploads), skipped=len(plan.skipped),
            failed=[_refused(one.file, one.reason, one.message) for one in plan.failed], bytes=plan.bytes,
            replaced=sum(one.replaces for one in plan.items), dry_run=True, about=plan.about,
        )

    # ---- doing it

    def run(self, plan: Plan, *, work: Work, workers: int | None = None) -> UploadReport:
        """Do it. One file that fails keeps no other from going; a provider that refuses everything ends it.

        `workers`: files, or parts of large ones, at the same time. Raises UploadStopped (a Stopped) when `work` was
        asked to end: what is done is in its report, and nothing that arrived is sent again.
        """
        provider = self.providers.named(plan.provider)
        return _Run(self, provider, work, workers or self.settings.upload_workers).go(plan)

    def refresh(self, uids: Iterable[str], work: Work) -> UploadReport:
        """Upload again, wherever they have copies, those of these tracks whose file changed since; the older copies
        are taken away. Tracks whose file is not on this machine are left as they are. Raises as `run`."""
        wanted: dict[tuple[str, str], list[str]] = {}
        for uid, copies in self.copies.of_tracks(uids).items():
            for provider, compression in dict.fromkeys((one.provider, one.compression) for one in copies):
                wanted.setdefault((provider, compression), []).append(uid)
        whole = UploadReport(provider=", ".join(dict.fromkeys(provider for provider, _ in wanted)))
        for (name, compression), these in sorted(wanted.items()):      # exact copies first
            try:
                provider = self.providers.named(name)
            except SoundsibleError as error:
                work.log("warning", f"The copies in {name} stay as they are: {error.message}")
                continue
            plan = self.plan(these, provider=provider, compress=compression, work=work)
            plan = replace(plan, items=tuple(one for one in plan.items if one.reason not in ("missing", "offline")))
            try:
                whole.add(self.run(plan, work=work))
            except UploadStopped as stopped:
                whole.add(stopped.report)
                raise UploadStopped(whole) from None
        return whole

    # ---- gathering facts

    def _cases(self, uids: Iterable[str], provider: Provider, compress: str, work: Work | None) -> list[Case]:
        wanted = list(dict.fromkeys(uids))
        facts, known = self.records.facts(wanted), self.copies.of_tracks(wanted)
        cases: list[Case] = []
        for number, file in enumerate(self.copies.sources(wanted), 1):
            if work is not None:
                if work.stopped():
                    raise Stopped
                work.tell(Moved("looking", number, len(wanted), now=file.path))
            its = facts.get(file.track_id) or AudioFacts(file.format, file.mime_type, file.duration_ms)
            looked, trouble = self._look(file)
            cases.append(Case(
                file=file, facts=its, looked=looked, trouble=trouble,
                copies=tuple(one for one in known.get(file.track_id, ()) if one.provider == provider.name),
                compression=self._compression(its, compress),
            ))
        return cases

    def _look(self, file: TrackFile) -> tuple[Looked | None, tuple[str, str] | None]:
        try:
            found = self.access.stat(file.root, file.path, readable=True)
        except (FileNotFoundError, NotADirectoryError):
            if (state := self.access.state(file.root)) != "online":
                return None, ("offline", f"Its music folder {file.root} is {state}.")
            return None, ("missing", "Its file is not on this machine.")
        except StorageOffline as error:
            return None, ("offline", error.message)
        except NotFound as error:
            return None, ("unreadable", error.message)
        except OSError as error:
            return None, ("unreadable", f"Its file cannot be read: {error.strerror}.")
        if not stat.S_ISREG(found.st_mode):
            return None, ("unreadable", "This is no regular file.")
        if not found.st_size:
            return None, ("empty", "Its file is empty.")
        same = (found.st_size, found.st_mtime_ns) == (file.size_bytes, file.mtime_ns)
        return Looked(found.st_size, found.st_mtime_ns, file.sha256 if same else None), None

    def _compression(self, facts: AudioFacts, compress: str) -> str:
        """What this file is made smaller to; "" where that would only lose: it is lossy and as small already."""
        if not compress:
            return ""
        format, _, kbps = compress.partition(":")
        if not kbps.isdecimal() or format not in _MIME:
            raise BadInput("compress is mp3:320, opus:128 or the like.", field="compress")
        planned = self.keepings.plan(facts, format=format, bitrate_kbps=int(kbps))
        lossy = facts.format not in LOSSLESS
        if not planned.needed or (lossy and (facts.bitrate_kbps or 1 << 30) <= int(kbps)):
            return ""
        return compress

    def _listed(self, provider: Provider, broken: set[str]) -> dict[str, Bytes] | None:
        try:
            return {one.key: one.size_bytes for one in self.buckets(provider).list(provider.prefix + layout.MUSIC)
                    if one.key not in broken}
        except CloudFailure as error:
            if error.reason not in ("forbidden", "refused"):
                raise
            log.warning("%s does not say what lies in it: %s", provider.name, error.message)
            return None

    def _headed(self, provider: Provider, cases: Sequence[Case], broken: set[str]) -> dict[str, Bytes]:
        bucket = self.buckets(provider)
        keys = dict.fromkeys(
            layout.music_key(provider, one.looked.sha256, compression=one.compression,
                             suffix=layout.suffix_of(one.file.path, one.file.format))
            for one in cases if one.looked and one.looked.sha256)
        with ThreadPoolExecutor(4, thread_name_prefix="asking") as threads:
            found = list(threads.map(bucket.head, keys))
        return {one.key: one.size_bytes for one in found if one is not None and one.key not in broken}

    def _hashed(self, cases: list[Case], which: set[str], work: Work | None) -> list[Case]:
        """The hash of those files looked up that are in `which`; of what cannot be read it stays unknown."""
        wanted = [one for one in cases if one.file.track_id in which]
        if not wanted:
            return cases
        found: dict[str, Case] = {}

        def hashed(case: Case) -> Case:
            if work is not None and work.stopped():
                raise Stopped
            assert case.looked is not None
            try:
                with self._open(case.file) as reached:
                    before = _state(reached.fstat())
                    if before != (case.looked.size_bytes, case.looked.mtime_ns):
                        return case
                    sha256 = _hash(reached)
                    if _state(reached.fstat()) != before:
                        return case
            except (SoundsibleError, OSError):
                return case
            return replace(case, looked=replace(case.looked, sha256=sha256))

        with ThreadPoolExecutor(2, thread_name_prefix="hashing") as threads:
            for number, one in enumerate(threads.map(hashed, wanted), 1):
                found[one.file.track_id] = one
                if work is not None:
                    work.tell(Moved("comparing", number, len(wanted), now=one.file.path))
        return [found.get(one.file.track_id, one) for one in cases]

    @contextmanager
    def _open(self, file: TrackFile) -> Iterator[_Opened]:
        opened = _Opened(self.access.open(file.root, file.path), access=self.access, file=file)
        try:
            yield opened
        finally:
            opened.close()


def sealer_size(provider: Provider) -> Callable[[Bytes], Bytes]:
    """Plain size → size in the bucket."""
    return (lambda size: size) if provider.seal_key is None else Sealer(provider.seal_key).stored_size


# ---- one run -----------------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class _Done:
    item: Item
    copy: Copy
    sent: bool
    stored: Bytes


class _Over(Exception):
    """The run ended before this file's turn."""


class _Run:
    """The state of one run."""

    def __init__(self, uploads: Uploads, provider: Provider, work: Work, workers: int) -> None:
        self.uploads = uploads
        self.provider = provider
        self.work = work
        self.bucket = uploads.buckets(provider)
        self.sealer = None if provider.seal_key is None else Sealer(provider.seal_key)
        self.station = uploads.catalogue.station()
        self.lanes = Lanes(workers)
        self.workers = self.runners = workers
        self.ending = threading.Event()
        self.over: CloudFailure | None = None
        self.patience = Patience(stopped=self.stopped, sleep=self._sleep, lanes=self.lanes, tries=uploads.tries,
                                 first_s=uploads.first_pause_s)
        self.report = UploadReport(provider=provider.name)
        self.spool = Path(uploads.settings.cache_dir) / SPOOL
        self._lock = threading.Lock()
        self._alone: dict[str, threading.Lock] = {}
        self._lies: dict[str, StoredObject] = {}    # what was found right in this run
        self._moved: dict[str, Bytes] = {}
        self._bytes_total = 0
        self._done = self._total = 0
        self._now = ""
        self._gone: list[Copy] = []
        self.there: Mapping[str, Bytes] | None = None
        self.carrier: Carrier

    # ---- from outside

    def go(self, plan: Plan) -> UploadReport:
        report = self.report
        report.skipped = len(plan.those(THERE))
        report.failed = [_refused(one.file, one.reason, one.message) for one in plan.those(CANNOT)]
        self.there = plan.there
        todo = [one for one in plan.items if one.sends or one.action == ADOPT]
        self._total, self._bytes_total = len(todo), plan.bytes
        _sweep(self.spool, {one.spool for one in self.uploads.records.all() if one.spool})
        # Some more than lanes: while one file is hashed, or looked for after it went, others are sent.
        self.runners = self.workers + 1 + self.workers // 4
        runners = ThreadPoolExecutor(self.runners, thread_name_prefix="upload")
        senders = ThreadPoolExecutor(self.workers, thread_name_prefix="parts")
        self.carrier = self._carrier(senders)
        self._tell()
        try:
            if todo:
                self.carrier.forget_old(PARTS_KEPT_S)
            self._all(todo, runners)
        finally:
            self.ending.set()
            runners.shutdown(wait=True, cancel_futures=True)
            senders.shutdown(wait=True, cancel_futures=True)
        self._clear_away()
        self._tell_catalogue(final=True)
        report.ended_by = self.over.message if self.over else None
        report.ended_reason = self.over.reason if self.over else None
        self._tell()
        if self.work.stopped():
            raise UploadStopped(report)
        return report

    def stopped(self) -> bool:
        return self.ending.is_set() or self.over is not None or self.work.stopped()

    # ---- the main thread

    def _all(self, todo: list[Item], runners: Executor) -> None:
        waiting, flying = iter(todo), dict[Future[_Done], Item]()
        rows: list[_Done] = []
        written_at, told = time.monotonic(), 0

        def write() -> None:
            nonlocal rows, written_at, told
            if rows:
                self._record(rows)
                told += len(rows)
                rows = []
            written_at = time.monotonic()

        try:
            while True:
                while len(flying) < self.runners + QUEUED and not self.stopped():
                    item = next(waiting, None)
                    if item is None:
                        break
                    flying[runners.submit(self._one, item)] = item
                if not flying:
                    break
                done, _ = wait(flying, timeout=ROWS_EVERY_S, return_when=FIRST_COMPLETED)
                for one in done:
                    self._landed(one, flying.pop(one), rows)
                if len(rows) >= ROWS_TOGETHER or time.monotonic() - written_at >= ROWS_EVERY_S:
                    write()
                if told >= TELL_EVERY:
                    told = 0
                    self._tell_catalogue()
            self.report.not_tried += sum(1 for _ in waiting)
        finally:
            self.ending.set()
            for one in wait(flying).done if flying else ():     # what arrived meanwhile counts
                with suppress(BaseException):
                    rows.append(one.result())
            write()

    def _landed(self, future: Future[_Done], item: Item, rows: list[_Done]) -> None:
        file = item.file
        try:
            rows.append(future.result())
        except (_Over, Stopped):
            self.report.not_tried += 1
        except CloudFailure as error:
            self._failed(file, error.reason, error.message)
        except StorageOffline as error:
            self._failed(file, "offline", error.message)
        except UnreadableFile as error:
            self._failed(file, error.reason, error.message)
        except DiskFull as error:
            self._failed(file, "disk_full", error.message)
        except NotFound as error:
            self._failed(file, "unreadable", error.message)
        except SoundsibleError as error:
            self._failed(file, error.code, error.message)
        except Changed:
            self._failed(file, "changing", "Its file was changed while it was read, several times. Try again later.")
        except Lost:
            self._failed(file, "corrupted", f"What lies in {self.provider.name} after sending it is not what was "
                                            "sent, also when it was sent again.")
        except (FileNotFoundError, NotADirectoryError):
            self._failed(file, "missing", "Its file is not on this machine any more.")
        except OSError as error:
            self._failed(file, "unreadable", f"Its file cannot be read: {error.strerror or error}.")
        except Exception as error:      # the edge of a worker: one file must not end the others
            log.exception("uploading %s failed", file.path)
            self._failed(file, "internal", f"{type(error).__name__}: the log tells more.")
        self._done += 1
        self._tell()

    def _failed(self, file: TrackFile, reason: str, message: str) -> None:
        self.report.failed.append(_refused(file, reason, message))
        self.work.log("warning", f"{file.path}: {message}")
        with self._lock:
            self._bytes_total -= self._moved.pop(file.track_id, 0)

    def _record(self, done: list[_Done]) -> None:
        """Write the rows; older copies of other bytes at this provider are forgotten, their objects remembered."""
        self.uploads.copies.put([one.copy for one in done])
        older = self.uploads.copies.of_tracks([one.item.file.track_id for one in done])
        for one in done:
            case = Case(file=one.item.file, facts=one.item.facts, looked=Looked(
                one.copy.source_size_bytes, one.copy.source_mtime_ns, one.copy.source_sha256))
            gone = [copy for copy in older.get(one.item.file.track_id, ()) if copy.provider == self.provider.name
                    and copy.key != one.copy.key and stale(copy, case)]
            if gone:
                self.uploads.records.forget(gone)
                self._gone += gone
                self.report.replaced += 1
            self.report.uploaded += one.sent
            self.report.skipped += not one.sent
            self.report.bytes += one.stored if one.sent else 0

    def _clear_away(self) -> None:
        """Objects of older copies that nobody refers to any more are taken away; at the end, when all rows stand."""
        keys = [key for key in dict.fromkeys(one.key for one in self._gone)
                if not self.uploads.copies.at(self.provider.name, key)]
        if not keys:
            return
        try:
            spared = self._of_others(keys)
            keys = [key for key in keys if key not in spared]
            self.bucket.delete(keys)
            self.report.removed += len(keys)
        except CloudFailure as error:
            self.work.log("warning", f"{len(keys)} older objects were not removed: {error.message}")
            spared = set(keys)
        self._gone = [one for one in self._gone if one.key not in spared]

    def _of_others(self, keys: Sequence[str]) -> set[str]:
        """Of these objects those that stay. One with the same bytes may be the copy of another library that uses this
        bucket, and its last one: what the bucket's own catalogue tells so is left alone, and everything where part of
        that cannot be read. Raises CloudFailure."""
        library = catalogue.read(self.bucket, self.provider)
        if library.unreadable:
            self.work.log("warning", f"{len(keys)} older objects stay in {self.provider.name}: part of what it tells "
                                     "of its own content cannot be read.")
            return set(keys)
        wanted = set(keys)
        strangers = self.uploads.records.strangers(
            {one.track.uid for one in library.entries if one.copy.key in wanted})
        return {one.copy.key for one in library.entries if one.copy.key in wanted and one.track.uid in strangers}

    def _tell_catalogue(self, *, final: bool = False) -> None:
        if self.over is not None:
            return      # told the next time
        removed = list(dict.fromkeys(one.key for one in self._gone)) if final else ()
        removed = [key for key in removed if not self.uploads.copies.at(self.provider.name, key)]
        try:
            if final and self.work.stopped():
                self.uploads.catalogue.tell(self.provider, removed=removed)
            else:
                self.patience_now()(lambda: self.uploads.catalogue.tell(
                    self.provider, removed=removed, work=self.work))
        except Stopped:
            return
        except (CloudFailure, DiskFull) as error:
            self.work.log("warning", f"The catalogue in {self.provider.name} was not brought up to date: "
                                     f"{error.message} The next upload does it.")

    def patience_now(self) -> Patience:
        """For the main thread, which goes on when the others are ending."""
        return Patience(stopped=self.work.stopped, sleep=self._sleep_on, lanes=self.lanes, tries=self.uploads.tries,
                        first_s=self.uploads.first_pause_s)

    # ---- how far it is

    def _sleep(self, seconds: Seconds) -> None:
        deadline = time.monotonic() + seconds
        while not self.stopped() and (left := deadline - time.monotonic()) > 0:
            self.ending.wait(min(left, 0.2))

    def _sleep_on(self, seconds: Seconds) -> None:
        deadline = time.monotonic() + seconds
        while not self.work.stopped() and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, 0.2))

    def _tell(self) -> None:
        with self._lock:
            moved = Moved("uploading", self._done, self._total, sum(self._moved.values()), self._bytes_total or None,
                          self._now, len(self.report.failed))
        self.work.tell(moved)

    def _mover(self, item: Item, total: Bytes) -> Callable[[Bytes], None]:
        def moved(count: Bytes) -> None:
            with self._lock:
                there = self._moved[item.file.track_id] = self._moved.get(item.file.track_id, 0) + count
                self._now = item.file.path + (f" ({100 * there // total} %)" if there < total else "")
            self._tell()

        return moved

    # ---- a runner's thread

    def _one(self, item: Item) -> _Done:
        for attempt in range(TRIES):
            if self.stopped():
                raise _Over
            with self._lock:
                self._now = item.file.path
            try:
                return self._carry(item)
            except CloudFailure as error:
                if error.reason in ENDS:
                    self.over = self.over or error
                raise
            except Changed:
                with self._lock:
                    self._moved.pop(item.file.track_id, None)
                if attempt == TRIES - 1:
                    raise
                item = replace(item, looked=None)
                self._sleep(0.1 * (attempt + 1))
        raise Changed

    def _carry(self, item: Item) -> _Done:
        file = item.file
        with self.uploads._open(file) as reached:
            before = _state(reached.fstat())
            size = before[0]
            if not size:
                raise UnreadableFile("Its file is empty.", reason="empty")

            def check() -> None:
                self._unchanged(reached, file, before)

            if item.compression:
                return self._carry_smaller(item, reached, before, check)
            known = None
            if item.looked is not None and (item.looked.size_bytes, item.looked.mtime_ns) == before:
                known = item.looked.sha256
            if self._stored(size) <= parts.WHOLE:
                body = reached.read(size + 1)
                if len(body) != size:
                    raise Changed
                check()
                return self._deliver(item, before, hashlib.sha256(body).hexdigest(), io.BytesIO(body))
            if self.sealer is not None:
                # Sealed bytes must be of one unchanging thing: no key is ever used for two.
                with self._spooled(size) as spool:
                    sha256 = self._copied(reached, spool, check)
                    with open(spool, "rb") as plain:
                        return self._deliver(item, before, sha256, plain)
            if known is None:
                known = _hash(reached, self._go_on)
                check()
            return self._deliver(item, before, known, _Checked(reached, known, check))

    def _deliver(self, item: Item, before: tuple[int, int], sha256: str, plain: Any) -> _Done:
        """The bytes of a file whose hash is known, as they are."""
        size, mtime_ns = before
        own = next((one for one in self.uploads.copies.of(item.file.track_id) if one.provider == self.provider.name
                    and one.exact and one.source_sha256 == sha256), None)
        key = own.key if own is not None else layout.music_key(
            self.provider, sha256, suffix=layout.suffix_of(item.file.path, item.file.format))
        copy = Copy(
            track_id=item.file.track_id, provider=self.provider.name, key=key, size_bytes=size,
            stored_bytes=self._stored(size), sha256=sha256, format=item.file.format, mime_type=item.file.mime_type,
            bitrate_kbps=item.facts.bitrate_kbps, compression="", source_sha256=sha256, source_size_bytes=size,
            source_mtime_ns=mtime_ns, etag="", sealed=self.sealer is not None, verified_at=0.0,
        )
        return self._arrive(item, copy, plain)

    def _arrive(self, item: Item, copy: Copy, plain: Any) -> _Done:
        """See to it that the object of `copy` lies in the bucket and is right. `plain`: its bytes before sealing."""
        with self._one_at_a_time(copy.key):
            body = plain if self.sealer is None else self.sealer.reader(plain, copy.sha256)
            found = self._present(copy, body)
            sent = found is None
            for _ in range(TRIES):
                if found is not None:
                    break
                found = self._proved(copy, self._send(item, copy, body), body)
            if found is None:
                raise Lost
            with self._lock:
                self._lies[copy.key] = found
        now = time.time()
        return _Done(item=item, sent=sent, stored=copy.stored_bytes,
                     copy=replace(copy, etag=found.etag, verified_at=now, added_at=now))

    def _send(self, item: Item, copy: Copy, body: Any) -> str:
        """The ETag that the object must have."""
        metadata = {"sealed": "1"} if copy.sealed else {
            "sha256": copy.sha256, "source-sha256": copy.source_sha256, "size": str(copy.size_bytes),
            "format": copy.format, "compression": copy.compression, "station": self.station}
        kind = "application/octet-stream" if copy.sealed else copy.mime_type
        moved = self._mover(item, copy.stored_bytes)
        body.seek(0)
        if copy.stored_bytes <= parts.WHOLE:
            whole = body.read()
            if len(whole) != copy.stored_bytes:
                raise Changed
            etag = self.carrier.put(copy.key, whole, metadata=metadata, content_type=kind)
            moved(copy.stored_bytes)
            return etag
        try:
            return self.carrier.put_parts(
                copy.key, body, copy.stored_bytes, metadata=metadata, content_type=kind, sha256=copy.sha256,
                check=getattr(body, "check", None), moved=moved)
        except Stopped:
            raise _Over from None

    # ---- is it there, and is it right

    def _present(self, copy: Copy, body: Any) -> StoredObject | None:
        """The object, when it lies there already with just these bytes."""
        with self._lock:
            if (lies := self._lies.get(copy.key)) is not None:
                return lies
        found = self._looked_for(copy.key)
        if found is None:
            return None
        known = self.uploads.copies.at(self.provider.name, copy.key)
        if any(one.broken for one in known):
            return None     # its bytes came back wrong once, whatever its ETag says
        if found.size_bytes == copy.stored_bytes and (
            any(one.etag == found.etag and one.sha256 == copy.sha256 for one in known)
            or self._same(copy, found, parts.etag_of(body, copy.stored_bytes, found.etag), body)
        ):
            self.carrier.settle(copy.key)
            return found
        self.work.log("warning", f"{copy.key} in {self.provider.name} does not hold what its name says; it is sent "
                                 "again.")
        return None

    def _looked_for(self, key: str) -> StoredObject | None:
        """Ask for it, unless the list of all that lies there did not have it: should it have come meanwhile, sending
        the same again does no harm."""
        if self.there is not None and key not in self.there:
            return None
        found: StoredObject | None = self.carrier.asked(lambda: self.bucket.head(key))
        return found

    def _proved(self, copy: Copy, etag: str, body: Any) -> StoredObject | None:
        found: StoredObject | None = self.carrier.asked(lambda: self.bucket.head(copy.key))
        if found is None or found.size_bytes != copy.stored_bytes or not self._same(copy, found, etag, body):
            log.warning("%s is not what was sent: %s", copy.key, found)
            with self._lock:
                self._moved.pop(copy.track_id, None)
            return None
        return found

    def _same(self, copy: Copy, found: StoredObject, etag: str | None, body: Any) -> bool:
        """By checksum; where the provider's is another one (its ETags are no MD5), by reading it back."""
        if found.etag == etag:
            return True

        def back() -> str:
            digest = hashlib.sha256()
            with self.lanes.one():
                for piece in self.bucket.read(copy.key):
                    digest.update(piece)
                    self._go_on()
            return digest.hexdigest()

        body.seek(0)
        ours = _hash(body, self._go_on) if copy.sealed else copy.sha256
        return self.patience(back) == ours

    # ---- made smaller

    def _carry_smaller(self, item: Item, reached: _Opened, before: tuple[int, int],
                       check: Callable[[], None]) -> _Done:
        suffix = layout.suffix_of(item.file.path, item.file.format)
        end = layout.compressed_suffix(item.compression)
        with self._spooled(2 * before[0], suffix) as source, self._spooled(0, end) as target:
            sha256 = self._copied(reached, source, check)
            key = layout.music_key(self.provider, sha256, suffix=suffix, compression=item.compression)
            format, _, kbps = item.compression.partition(":")
            copy = Copy(
                track_id=item.file.track_id, provider=self.provider.name, key=key, size_bytes=0, stored_bytes=0,
                sha256="", format=format, mime_type=_MIME[format], bitrate_kbps=int(kbps),
                compression=item.compression, source_sha256=sha256, source_size_bytes=before[0],
                source_mtime_ns=before[1], etag="", sealed=self.sealer is not None, verified_at=0.0,
            )
            with self._one_at_a_time(f"{key} smaller"):
                if (there := self._adopted(copy, target)) is not None:
                    return _Done(item=item, copy=there, sent=False, stored=there.stored_bytes)
                made = self.uploads.keepings.keep(
                    str(source), str(target), format=format, bitrate_kbps=int(kbps), sha256=sha256,
                    duration_ms=item.facts.duration_ms)
                self.uploads.workers.run("shared.audio.alike:dress", str(source), str(target),
                                         timeout_s=DRESS_TIMEOUT_S)
                with open(target, "rb") as plain:
                    size = os.fstat(plain.fileno()).st_size
                    copy = replace(copy, size_bytes=size, stored_bytes=self._stored(size), sha256=_hash(plain),
                                   mime_type=made["mime_type"], bitrate_kbps=made["bitrate_kbps"])
                    return self._arrive(item, copy, plain)

    def _adopted(self, copy: Copy, spool: Path) -> Copy | None:
        """A copy made smaller that lies there already, as whoever put it there says: its bytes were checked by the
        provider when they came, and making it anew might give others."""
        found = self._looked_for(copy.key)
        if found is None:
            return None
        now, rows = time.time(), self.uploads.copies.at(self.provider.name, copy.key)
        if any(one.broken for one in rows):
            return None
        known = next((one for one in rows if (one.etag, one.stored_bytes) == (found.etag, found.size_bytes)), None)
        if known is not None:
            return replace(copy, size_bytes=known.size_bytes, stored_bytes=known.stored_bytes, sha256=known.sha256,
                           mime_type=known.mime_type, bitrate_kbps=known.bitrate_kbps, etag=found.etag,
                           verified_at=now, added_at=now)
        sha256, size = found.metadata.get("sha256", ""), found.size_bytes
        if self.sealer is not None:
            sealed = spool.with_name(f"{spool.name}.sealed")
            try:
                self.patience(lambda: self.bucket.fetch(copy.key, sealed))
                sha256 = self.sealer.open_file(sealed, spool)
                size = spool.stat().st_size
            except CloudFailure as error:
                if error.reason != "corrupted":
                    raise
                return None
            finally:
                sealed.unlink(missing_ok=True)
        elif len(sha256) != 64 or found.metadata.get("source-sha256") != copy.source_sha256 or (
                found.metadata.get("size") != str(found.size_bytes)):
            return None
        return replace(copy, size_bytes=size, stored_bytes=found.size_bytes, sha256=sha256, etag=found.etag,
                       verified_at=now, added_at=now)

    # ---- small things

    def _carrier(self, threads: Executor) -> Carrier:
        return Carrier(bucket=self.bucket, provider=self.provider.name, records=self.uploads.records,
                       lanes=self.lanes, patience=self.patience, threads=threads, stopped=self.stopped)

    def _stored(self, size: Bytes) -> Bytes:
        return size if self.sealer is None else self.sealer.stored_size(size)

    def _go_on(self) -> None:
        if self.stopped():
            raise _Over

    def _unchanged(self, reached: _Opened, file: TrackFile, before: tuple[int, int]) -> None:
        """Raises Changed when the file that is open, or the one that has its name now, is another than it was."""
        opened = reached.fstat()
        if _state(opened) != before:
            raise Changed
        named = self.uploads.access.stat(file.root, file.path)
        if _state(named) != before or (named.st_ino, named.st_dev) != (opened.st_ino, opened.st_dev):
            raise Changed

    def _copied(self, reached: _Opened, spool: Path, check: Callable[[], None]) -> str:
        digest = hashlib.sha256()
        with _room(), open(spool, "wb") as out:
            for piece in parts.pieces_of(reached):
                self._go_on()
                digest.update(piece)
                out.write(piece)
        check()
        return digest.hexdigest()

    @contextmanager
    def _spooled(self, size: Bytes, suffix: str = "") -> Iterator[Path]:
        """A name for a file of about `size` bytes, which is gone afterwards. Raises DiskFull."""
        with _room():
            self.spool.mkdir(parents=True, exist_ok=True, mode=0o700)
            if size and shutil.disk_usage(self.spool).free < size + SPOOL_ROOM:
                raise DiskFull(f"There is no room to prepare uploads in {self.spool}. Make room and try again.")
        path = self.spool / f"{secrets.token_hex(8)}{suffix}"
        try:
            yield path
        finally:
            with suppress(OSError):
                path.unlink(missing_ok=True)

    @contextmanager
    def _one_at_a_time(self, key: str) -> Iterator[None]:
        """Two tracks with the same bytes: the second finds what the first has sent."""
        with self._lock:
            lock = self._alone.setdefault(key, threading.Lock())
        with lock:
            yield


class _Opened(Reached):
    """A track's file, open."""

    def __init__(self, opened: BinaryIO, *, access: Access, file: TrackFile) -> None:
        super().__init__(opened, access=access, root=file.root)

    def fstat(self) -> os.stat_result:
        found: os.stat_result = self._access.call(self._root, lambda: os.fstat(self._file.fileno()))
        return found


class _Checked:
    """Bytes that are hashed on their way, from beginning to end: `check` raises Changed when they were others."""

    def __init__(self, file: Any, sha256: str, check: Callable[[], None]) -> None:
        self._file, self._sha256, self._check = file, sha256, check
        self._digest = hashlib.sha256()
        self._at: int | None = 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        at: int = self._file.seek(offset, whence)
        self._digest, self._at = hashlib.sha256(), 0 if at == 0 else None
        return at

    def read(self, size: int = -1) -> bytes:
        piece: bytes = self._file.read(size)
        self._digest.update(piece)
        return piece

    def check(self) -> None:
        self._check()
        if self._at is None or self._digest.hexdigest() != self._sha256:
            raise Changed


def _state(found: os.stat_result) -> tuple[int, int]:
    return found.st_size, found.st_mtime_ns


def _hash(file: Any, go_on: Callable[[], None] | None = None) -> str:
    """The SHA-256 of all of it, in hex."""
    file.seek(0)
    digest = hashlib.sha256()
    for piece in parts.pieces_of(file):
        digest.update(piece)
        if go_on is not None:
            go_on()
    return digest.hexdigest()


def _refused(file: TrackFile, reason: str, message: str) -> Refused:
    return Refused(track_id=file.track_id, path=to_text(file.path), reason=reason, message=message)


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull("There is no room to prepare this upload on the station's disk. Make room and try again."
                           ) from error
        raise


def _sweep(folder: Path, used: set[str]) -> None:
    """What runs that were killed left behind."""
    with contextlib.suppress(OSError):
        for one in folder.iterdir():
            if str(one) not in used and time.time() - one.stat().st_mtime > SPOOL_KEPT_S:
                one.unlink(missing_ok=True)
