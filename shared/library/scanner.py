"""The scan: walk → compare → read → upsert, so that the library says what the music folders hold.

Nothing is ever removed. A file that is not there makes its track *missing*; so do a folder that vanished, does not
answer, or is suddenly empty, until they come back. About what could not be listed nothing is concluded.

Each batch is one transaction, and what is written is skipped by the next scan: a scan that is killed at any moment
goes on where it was. Runs in a process of its own (scan_process); tags are read in workers below that.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from shared.library.compare import (
    MISSING,
    OFFLOADED,
    TRASHED,
    Arrival,
    Comparison,
    Differences,
    Recognition,
    Remembrance,
    is_there,
    recognise,
)
from shared.library.shelf import settle
from shared.library.walk import Walk, remove_leftovers
from shared.model.errors import UnreadableFile
from shared.model.filepath import to_path
from shared.model.scan import BadEntry, BadFile, Batch, ChangedFile, Found, Known, MovedFile, NewFile, ScanReport
from shared.model.track import Reading
from shared.records.moments import make_uid, shown

log = logging.getLogger(__name__)

BATCH_FILES = 4000          # of one transaction: its pages are written once; it holds other writers some 0.2 s
BATCH_LEAST = 500           # written at once when nothing else is being written
BATCH_AGE_S = 0.7           # and how long a smaller one is held back, so that tracks are seen early
MARKS_AT_ONCE = 5_000       # moved, missing or returned files of one transaction: cheaper than read ones
READ_AT_ONCE = 96           # paths a worker is given in one go; fewer at the beginning
READ_TIMEOUT_S = 60.0
EXAMINE_AT_ONCE = 4
EXAMINE_TIMEOUT_S = 600.0
PROGRESS_EVERY_S = 0.2
KEEP_EVERY_S = 1.0          # the row that other processes look at
HANG_S = 20.0               # a call on a music folder that takes longer will not come back
_STUCK_LIMIT = 3            # folders given up in one walk; then the whole music folder is held to hang
_DEEP_MARKS_HOLD_S = 14 * 86_400


class Root(Protocol):
    @property
    def id(self) -> int: ...
    @property
    def path(self) -> str: ...


class Reader(Protocol):
    """Worker processes (audio.pool.WorkerPool)."""

    def map_batches(self, deed: str, batches: Iterable[list[Any]], /, *, timeout_s: float
                    ) -> Iterator[tuple[int, list[Any]]]: ...


@dataclass(slots=True)
class _Job:
    """A file to be read. `file_id`: whose content it is; None: a new file, unless its tags tell otherwise."""

    root: Root
    found: Found
    file_id: int | None = None
    suspect: int | None = None      # the vanished file that had the same inode
    lyrics: str | None = None       # stamp of the .lrc beside it


def scan(roots: Sequence[Root], *, scans: Any, recall: Any, pool: Reader, deep: bool = False,
         every: Sequence[Root] | None = None, progress: Callable[[ScanReport], None] | None = None,
         stop: Callable[[], bool] | None = None, uid: str | None = None, hang_s: float = HANG_S,
         marks: Path | None = None) -> ScanReport:
    """Look through `roots` once and return the report. See `Scan` for the rest."""
    one = Scan(scans=scans, recall=recall, pool=pool, uid=uid, deep=deep, progress=progress, stop=stop, hang_s=hang_s,
               marks=marks)
    one.go_through(roots, deep=deep, every=every)
    return one.end()


class Scan:
    """One scan under one id: any number of passes, then its end.

    scans, recall   records.scans.Scans, records.recall.Recall
    pool            where files are opened
    progress        hears the report at most five times a second
    stop            asked between batches
    hang_s          how long one call on a music folder may take
    closed          the station's own folders: nothing in them is music
    marks           a file that remembers how far a deep scan is, for the next one to go on from there
    """

    def __init__(self, *, scans: Any, recall: Any, pool: Reader, uid: str | None = None, deep: bool = False,
                 progress: Callable[[ScanReport], None] | None = None, stop: Callable[[], bool] | None = None,
                 hang_s: float = HANG_S, closed: Sequence[str] = (), marks: Path | None = None) -> None:
        self._scans, self._recall, self._pool = scans, recall, pool
        self._tell = progress or (lambda report: None)
        self._stop = stop or (lambda: False)
        self._hang_s = hang_s
        self._closed = tuple(closed)
        self._marks = marks
        self._batches: dict[int, Batch] = {}
        self._lyrics: dict[int, dict[str, str | None]] = {}
        self._oldest = 0.0          # since when the batches hold something
        self._told_at = self._kept_at = 0.0
        self._opened = self._added = self._changed = self._moved = 0
        self._writer = _Writer()
        self._bad_moved = True
        self._bad_paths: set[str] = set()
        self._missing: dict[int, int] = {}      # root id → files that are missing there
        self._found: dict[int, int] = {}
        self._offline: dict[int, list[str]] = {}
        self._dead: set[int] = set()            # roots that stopped answering while they were read
        self._remembrance: Remembrance | None = None
        self._report: ScanReport = scans.start(uid or make_uid(), deep)
        self._set()

    @property
    def report(self) -> ScanReport:
        return self._report

    # ---- one pass -------------------------------------------------------------------------------------------------

    def go_through(self, roots: Sequence[Root], *, deep: bool = False, every: Sequence[Root] | None = None) -> None:
        """Walk `roots`, read what is new or changed, write it. `every`: all music folders, when these are some."""
        every = every if every is not None else roots
        self._set(phase="walk")
        self._remembrance = None
        self._dead.clear()
        for root in roots:
            self._settle_trash(root)
        surveys = [self._survey(root, every) for root in roots]
        first = not any(survey.comparison.known for survey in surveys) and not any(self._scans.track_counts().values())
        if first:
            self._read(self._jobs_while_walking(surveys))
            for survey in surveys:
                self._conclude(survey, recognised=set())
            self._flush()
        else:
            self._go_through_known(surveys, every)
        if deep and not self._stop():
            self._examine([survey.root for survey in surveys if survey.offline is None])

    def end(self) -> ScanReport:
        """Write the last of it; the report, which is kept."""
        self._flush()
        stopped = self._stop()
        if not stopped:
            self._set(phase="settle")
            self._scans.finish()
        return self._conclude_with(
            "failed" if stopped else "done",
            "The scan was stopped; the next one goes on where it was." if stopped else None)

    def fail(self, message: str) -> ScanReport:
        """What was written stays; the report says why there is no more."""
        return self._conclude_with("failed", message)

    def _conclude_with(self, state: str, message: str | None) -> ScanReport:
        self._bad_moved = True
        self._count()
        self._report = replace(self._report, state=state, phase=None, message=message, finished_at=shown(time.time()))
        self._scans.progress(self._report)
        self._tell(self._report)
        return self._report

    def _settle_trash(self, root: Root) -> None:
        """Moves to and from the trash that were cut off are done before anything is concluded from them."""
        trashed = self._recall.in_trash(root.id)
        error = within(self._hang_s, lambda: settle(
            to_path(root.path), trashed, lambda uids: self._recall.places(root.id, uids)))
        if isinstance(error, Exception):
            log.warning("the trash of %s could not be put in order: %s", root.path, error)

    def _survey(self, root: Root, every: Sequence[Root]) -> _Survey:
        comparison = Comparison(
            self._scans.known(root.id), bad=self._scans.bad(root.id), lyrics=lambda: self._recall.lyrics(root.id),
            pictures=self._scans.pictures(root.id))
        others = [to_path(other.path) for other in every if other.id != root.id]
        return _Survey(root, comparison, Walk(to_path(root.path), others=others, closed=self._closed), self._hang_s)

    def _jobs_while_walking(self, surveys: Sequence[_Survey]) -> Iterator[_Job | None]:
        """The first scan knows nothing, so nothing can have moved: read at once what the walk meets."""
        for survey in surveys:
            for differences in survey:
                self._found[survey.root.id] = survey.comparison.found
                if differences is None:
                    yield None
                    continue
                self._put(survey.root).pictures += differences.pictures
                for found in differences.new:
                    yield _Job(survey.root, found, lyrics=differences.lyrics.get(found.path))
            self._found[survey.root.id] = survey.comparison.found

    def _go_through_known(self, surveys: Sequence[_Survey], every: Sequence[Root]) -> None:
        arrivals: list[Arrival] = []
        jobs: list[_Job] = []
        lyrics: dict[tuple[int, str], str] = {}
        for survey in surveys:
            root = survey.root
            for differences in survey:
                self._found[root.id] = survey.comparison.found
                if differences is not None:
                    batch = self._put(root)
                    batch.returned += differences.returned
                    batch.pictures += differences.pictures
                    arrivals += [Arrival(root.id, found) for found in differences.new]
                    arrivals += [Arrival(root.id, found, file_id) for file_id, found in differences.changed]
                    jobs += [_Job(root, found, file_id, lyrics=differences.lyrics.get(found.path))
                             for file_id, found in differences.again]
                    lyrics.update(((root.id, path), stamp) for path, stamp in differences.lyrics.items())
                if self._stop():
                    return
                self._moved_on()
            self._found[root.id] = survey.comparison.found
        recognition = self._recognise(arrivals, surveys, every) if arrivals else Recognition()
        root_of = {survey.root.id: survey.root for survey in surveys}
        for arrival, file_id in recognition.moved:
            self._put(root_of[arrival.root_id]).moved.append(MovedFile(file_id, arrival.found))
        recognised = {file_id for _, file_id in recognition.moved + recognition.renamed}
        for survey in surveys:
            self._conclude(survey, recognised)
        self._flush()       # from here on, what is lost is marked so, and may be found again by its tags

        def job(arrival: Arrival, file_id: int | None = None, suspect: int | None = None) -> _Job:
            return _Job(root_of[arrival.root_id], arrival.found, file_id, suspect,
                        lyrics.get((arrival.root_id, arrival.found.path)))

        jobs += [job(arrival, arrival.file_id) for arrival in recognition.changed]
        jobs += [job(arrival, file_id) for arrival, file_id in recognition.renamed]
        jobs += [job(arrival, suspect=file_id) for arrival, file_id in recognition.suspects]
        jobs += [job(arrival) for arrival in recognition.new]
        jobs.sort(key=lambda one: (one.root.id, one.found.path))
        self._read(jobs)

    def _recognise(self, arrivals: Sequence[Arrival], surveys: Sequence[_Survey], every: Sequence[Root]) -> Recognition:
        lost: set[int] = set(self._recall.missing())
        for survey in surveys:
            lost.update(survey.gone())
        lost.update(arrival.file_id for arrival in arrivals if arrival.file_id is not None)
        walked = {survey.root.id for survey in surveys}
        for other in every:
            if other.id not in walked:
                lost.update(self._gone_from(other, arrivals))
        known: list[Known] = self._scans.known_file(sorted(lost))
        return recognise(arrivals, known)

    def _gone_from(self, root: Root, arrivals: Sequence[Arrival]) -> list[int]:
        """File ids of a root that is not walked now, whose files look like arrivals and are no longer there."""
        stamps = {(one.found.size_bytes, one.found.mtime_ns) for one in arrivals}
        alike = [(path, row[0]) for path, row in self._scans.known(root.id).items()
                 if is_there(row) and (row[1], row[2]) in stamps]
        if not alike:
            return []
        folder = to_path(root.path)

        def look() -> list[int]:
            if not _has_entries(folder):
                return []
            return [file_id for path, file_id in alike if not os.path.lexists(os.path.join(folder, to_path(path)))]

        answer = within(self._hang_s, look)
        return answer if isinstance(answer, list) else []

    def _conclude(self, survey: _Survey, recognised: set[int]) -> None:
        """What a finished walk means for the files that it did not meet."""
        root, batch = survey.root, self._put(survey.root)
        known = survey.comparison.known
        gone = [file_id for file_id in survey.gone() if file_id not in recognised]
        batch.missing += gone
        still = sum(1 for row in known.values()
                    if row[3] & (MISSING | TRASHED | OFFLOADED) == MISSING and row[0] not in recognised)
        self._missing[root.id] = len(gone) + still
        if survey.ended:
            batch.cured += survey.cured()
        self._offline[root.id] = [root.path] if root.id in self._dead else survey.silent_parts()
        if survey.offline is not None:
            log.warning("The music folder %s %s. Its %d tracks are missing until it comes back; nothing is removed.",
                        root.path, survey.offline, self._missing[root.id])

    # ---- reading --------------------------------------------------------------------------------------------------

    def _read(self, jobs: Iterable[_Job | None]) -> None:
        """Read all of `jobs` in workers, several batches on the way at a time, and write what comes back.

        None among the jobs means that no more are there just now.
        """
        if isinstance(jobs, list) and not jobs:
            return
        under_way: dict[int, list[_Job]] = {}

        def batches() -> Iterator[list[tuple[str, bool]]]:
            number, size, part = 0, 8, []
            for job in jobs:
                if self._stop():
                    return
                if job is not None and job.root.id not in self._dead:
                    part.append(job)
                if len(part) >= size or (job is None and part):
                    under_way[number] = part
                    yield _items(part)
                    number, part, size = number + 1, [], min(size * 2, READ_AT_ONCE)
                if job is None:
                    self._moved_on()
            if part:
                under_way[number] = part
                yield _items(part)

        started = False
        results = self._pool.map_batches("shared.library.reading:read_many", batches(), timeout_s=READ_TIMEOUT_S)
        try:
            for number, readings in results:
                if not started:
                    started = True
                    self._set(phase="read")
                for job, reading in zip(under_way.pop(number), readings, strict=True):
                    self._take(job, reading)
                self._moved_on()
                if self._stop():
                    break
        finally:
            close = getattr(results, "close", None)
            if close is not None:
                close()
        self._flush()

    def _take(self, job: _Job, reading: Reading | UnreadableFile) -> None:
        if job.root.id in self._dead:
            return
        found, batch = job.found, self._put(job.root)
        if isinstance(reading, Reading):
            file_id = job.file_id
            if file_id is None:
                file_id = self._remembered(reading, job.suspect)
                if file_id is not None:
                    self._missing[job.root.id] = max(0, self._missing.get(job.root.id, 0) - 1)
            if file_id is None:
                batch.new.append(NewFile(found, reading))
            else:
                batch.changed.append(ChangedFile(file_id, found, reading))
            if job.lyrics or file_id is not None:
                self._lyrics.setdefault(job.root.id, {})[found.path] = job.lyrics
        elif reading.reason == "vanished":
            return      # between the walk and the reading; the next scan sees what became of it
        elif self._still_answers(job.root, reading.reason):
            batch.bad.append(BadFile(found, reading.reason, reading.message))
        else:
            return
        self._opened += 1

    def _remembered(self, reading: Reading, suspect: int | None) -> int | None:
        if self._remembrance is None:
            self._remembrance = Remembrance(self._recall.vanished())
        return self._remembrance.take(reading, suspect=suspect) if len(self._remembrance) else None

    def _still_answers(self, root: Root, reason: str) -> bool:
        """Whether a file is bad, or all of its music folder out of reach."""
        if reason in ("empty", "not_audio", "too_large"):
            return True
        answer = within(min(5.0, self._hang_s), lambda: _has_entries(to_path(root.path)))
        if answer is True:
            return True
        self._dead.add(root.id)
        self._offline[root.id] = [root.path]
        log.warning("The music folder %s stopped answering during the scan; the next one goes on there.", root.path)
        return False

    # ---- deep -----------------------------------------------------------------------------------------------------

    def _examine(self, roots: Sequence[Root]) -> None:
        """Hash all content; find duplicates and damage. Goes on where a deep scan that was cut off had been."""
        self._set(phase="hash")
        marks = _Marks(self._marks)
        for root in roots:
            before = self._recall.hashes(root.id)
            known = sorted((path, row) for path, row in self._scans.known(root.id).items()
                           if is_there(row) and path > marks.reached.get(root.path, ""))
            for path, file_id, (sha256, md5_fits) in self._contents(root, [(path, row[0]) for path, row in known]):
                if md5_fits is False:
                    marks.damaged.append(file_id)
                if before.get(file_id, sha256) != sha256:
                    log.warning("%s/%s has other content than it had, though its size and time are the same.",
                                root.path, path)
                    marks.damaged.append(file_id)
                marks.hashes[file_id] = sha256
                marks.reached[root.path] = path
                if len(marks.hashes) >= 50:
                    self._keep_hashes(marks)
            self._keep_hashes(marks)
            if self._stop():
                return
        self._set(duplicates=self._scans.duplicates(), damaged=self._recall.track_uids(sorted(set(marks.damaged))))
        marks.forget()

    def _contents(self, root: Root, files: Sequence[tuple[str, int]]
                  ) -> Iterator[tuple[str, int, tuple[str, bool | None]]]:
        """(path, file id, (hash, whether the sound fits its checksum)) of each file that can be read, in order."""
        folder = to_path(root.path)

        def batches() -> Iterator[list[str]]:
            for start in range(0, len(files), EXAMINE_AT_ONCE):
                if self._stop():
                    return
                yield [os.path.join(folder, to_path(path)) for path, _ in files[start:start + EXAMINE_AT_ONCE]]

        waiting: dict[int, list[Any]] = {}
        following = 0
        results = self._pool.map_batches("shared.library.reading:examine", batches(), timeout_s=EXAMINE_TIMEOUT_S)
        for number, contents in results:
            waiting[number] = contents
            while following in waiting:     # in order, so that one path tells how far it is
                part = files[following * EXAMINE_AT_ONCE:(following + 1) * EXAMINE_AT_ONCE]
                for (path, file_id), content in zip(part, waiting.pop(following), strict=True):
                    self._opened += 1
                    if not isinstance(content, UnreadableFile):
                        yield path, file_id, content
                following += 1
            self._moved_on()
            if self._stop():
                return

    def _keep_hashes(self, marks: _Marks) -> None:
        if marks.hashes:
            self._scans.set_sha256(marks.hashes)
        marks.keep()

    # ---- writing and telling --------------------------------------------------------------------------------------

    def _put(self, root: Root) -> Batch:
        if not self._batches:
            self._oldest = time.monotonic()
        batch = self._batches.get(root.id)
        if batch is None:
            batch = self._batches[root.id] = Batch(root.id)
        return batch

    def _moved_on(self) -> None:
        """Write what is due, tell what is new."""
        due = time.monotonic() - self._oldest > BATCH_AGE_S
        for root_id in list(self._batches):
            batch = self._batches[root_id]
            enough = BATCH_FILES if self._writer.is_busy() else min(BATCH_LEAST, BATCH_FILES)
            if due or len(batch.new) + len(batch.changed) + len(batch.bad) >= enough:
                self._write(self._batches.pop(root_id))
        now = time.monotonic()
        if now - self._told_at >= PROGRESS_EVERY_S:
            self._told_at = now
            self._count()
            self._tell(self._report)
            if now - self._kept_at >= KEEP_EVERY_S:
                self._kept_at = now
                self._writer.put(partial(self._scans.progress, self._report))

    def _flush(self) -> None:
        """Write all, and wait until it is written."""
        while self._batches:
            self._write(self._batches.pop(next(iter(self._batches))))
        self._writer.drain()
        self._count()

    def _write(self, batch: Batch) -> None:
        self._writer.put(partial(self._apply, batch, self._lyrics.pop(batch.root_id, None)))

    def _apply(self, batch: Batch, lyrics: dict[str, str | None] | None) -> None:
        """In the writer's thread."""
        for part in _parts(batch):
            result = self._scans.apply(part)
            self._added += result.added
            self._changed += result.changed
            self._moved += result.moved
        if lyrics:
            self._recall.keep_lyrics(batch.root_id, lyrics)
        if batch.bad or batch.cured or not self._bad_paths.isdisjoint(one.found.path for one in batch.new):
            self._bad_moved = True

    def _count(self) -> None:
        changes: dict[str, Any] = {
            "found": sum(self._found.values()), "read": self._opened, "added": self._added, "changed": self._changed,
            "moved": self._moved, "missing": sum(self._missing.values()),
            "offline": [one for parts in self._offline.values() for one in parts],
        }
        if self._bad_moved:
            self._bad_moved = False
            bad: list[BadEntry] = self._scans.bad_entries()
            changes["bad"] = bad
            self._bad_paths = {one.path for one in bad}
        self._report = replace(self._report, **changes)

    def _set(self, **changes: Any) -> None:
        self._report = replace(self._report, **changes)
        self._count()
        self._tell(self._report)


class _Writer:
    """A thread that writes while the next files are read: SQLite works without Python's lock. In order, two ahead."""

    def __init__(self) -> None:
        self._deeds: queue.Queue[Callable[[], Any]] = queue.Queue(2)
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None

    def put(self, deed: Callable[[], Any]) -> None:
        """Have `deed` done; waits when two are waiting. Raises what an earlier one raised."""
        self._raise()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True, name="writer")
            self._thread.start()
        self._deeds.put(deed)

    def is_busy(self) -> bool:
        return self._deeds.unfinished_tasks > 0

    def drain(self) -> None:
        """Until all is done. Raises what one of them raised; those after it were not begun."""
        self._deeds.join()
        self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _run(self) -> None:
        while True:
            deed = self._deeds.get()
            try:
                if self._error is None:
                    deed()
            except BaseException as error:  # the edge of a thread: whoever puts or drains gets it
                self._error = error
            finally:
                self._deeds.task_done()


class _Survey:
    """One root's walk and comparison, in a thread that may be given up, watched by the one that iterates."""

    def __init__(self, root: Root, comparison: Comparison, walk: Walk, hang_s: float) -> None:
        self.root = root
        self.comparison = comparison
        self.offline: str | None = None     # what is wrong with the root as a whole
        self.ended = False
        self._walk = walk
        self._hang_s = hang_s
        self._stuck = 0
        self._unsure = False                # so much did not answer that nothing is concluded
        # Bounded, so that a first walk does not run a million files ahead of the readers.
        self._differences: queue.Queue[Differences | BaseException | None] = queue.Queue(4000)

    def __iter__(self) -> Iterator[Differences | None]:
        """What differs, folder by folder; None now and then, so that others have their turn."""
        self._go()
        beat, since = None, time.monotonic()
        while True:
            try:
                item = self._differences.get(timeout=PROGRESS_EVERY_S)
            except queue.Empty:
                now = time.monotonic()
                following = self._walk.beat()
                if following is None or following != beat:
                    beat, since = following, now
                elif now - since > self._hang_s:
                    if not self._give_up():
                        return
                    since = now
                yield None
                continue
            if isinstance(item, OSError):
                self.offline = "is gone" if isinstance(item, FileNotFoundError) else f"cannot be read ({item.strerror})"
                return
            if isinstance(item, BaseException):
                raise item
            if item is None:
                break
            yield item
        had_some = any(is_there(row) for row in self.comparison.known.values())
        if self.comparison.found == 0 and not self._walk.unreadable and had_some:
            self.offline = "is suddenly empty"
            return
        self.ended = True

    def gone(self) -> list[int]:
        """File ids that were there before and are not."""
        if self.offline is not None:
            return [row[0] for row in self.comparison.known.values() if is_there(row)]
        return [] if self._unsure or not self.ended else self.comparison.gone(self._walk.unreadable)

    def cured(self) -> list[str]:
        if self.comparison.found == 0 and self._is_bare():
            return []       # perhaps the empty place of an unmounted disk: what lies there is not known
        return [] if self._unsure else self.comparison.cured(self._walk.unreadable)

    def _is_bare(self) -> bool:
        """Whether the music folder has no entry at all, though there are tracks of it."""
        if all(row[3] & TRASHED for row in self.comparison.known.values()):
            return False
        return within(self._hang_s, lambda: _has_entries(to_path(self.root.path))) is not True

    def silent_parts(self) -> list[str]:
        """The root, when it is offline, or those of its folders that could not be listed."""
        if self.offline is not None or self._unsure:
            return [self.root.path]
        return [f"{self.root.path}/{folder}" for folder in self._walk.unreadable]

    def _go(self) -> None:
        threading.Thread(target=self._run, daemon=True, name=f"walk {self.root.path}").start()

    def _run(self) -> None:
        walk, compare, put = self._walk, self.comparison.folder, self._differences.put
        try:
            for folder in walk:
                if folder.leftovers:
                    remove_leftovers(walk.root, folder.leftovers)
                differences = compare(folder)
                if differences is not None:
                    put(differences)
            if walk.done:
                put(None)
        except BaseException as error:  # the edge of a thread: whoever iterates gets it
            put(error)

    def _give_up(self) -> bool:
        """A call does not come back: leave that folder out and go on. False: enough of it."""
        folder = self._walk.skip_stuck()
        if folder is None:
            return True     # it came back in this very moment
        if folder == "":
            self.offline = "does not answer"
            return False
        log.warning("%s/%s does not answer; the scan leaves it out.", self.root.path, folder)
        self._stuck += 1
        if self._stuck >= _STUCK_LIMIT:
            self._unsure = True
            return False
        self._go()
        return True


@dataclass(slots=True)
class _Marks:
    """How far a deep scan is, in a file, so that the next one can go on."""

    path: Path | None
    reached: dict[str, str] = field(default_factory=dict)       # root → the last path examined
    damaged: list[int] = field(default_factory=list)            # file ids
    hashes: dict[int, str] = field(default_factory=dict)        # not written yet
    began_at: float = field(default_factory=time.time)

    def __post_init__(self) -> None:
        if self.path is None:
            return
        try:
            kept = json.loads(self.path.read_text("utf-8"))
            if time.time() - kept["began_at"] < _DEEP_MARKS_HOLD_S:
                self.reached, self.damaged = dict(kept["reached"]), list(kept["damaged"])
                self.began_at = float(kept["began_at"])
        except (OSError, ValueError, KeyError, TypeError):
            pass    # none, or none that can be used: from the beginning

    def keep(self) -> None:
        self.hashes = {}
        if self.path is None:
            return
        part = self.path.with_name(self.path.name + ".part")
        kept = {"began_at": self.began_at, "reached": self.reached, "damaged": self.damaged}
        part.write_text(json.dumps(kept), "utf-8")
        os.replace(part, self.path)

    def forget(self) -> None:
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def within(seconds: float, deed: Callable[[], Any]) -> Any:
    """What `deed` returns, or the exception it raises, or TimeoutError: the thread it runs in is then left behind."""
    answers: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def run() -> None:
        try:
            answers.put(deed())
        except BaseException as error:  # the edge of a thread
            answers.put(error)

    threading.Thread(target=run, daemon=True, name="deadline").start()
    try:
        return answers.get(timeout=seconds)
    except queue.Empty:
        return TimeoutError(f"no answer in {seconds:.0f} s")


def as_fields(report: ScanReport) -> dict[str, Any]:
    """The report as JSON takes it."""
    return asdict(report)


def _items(jobs: Sequence[_Job]) -> list[tuple[str, bool]]:
    return [(os.path.join(to_path(job.root.path), to_path(job.found.path)), job.lyrics is not None) for job in jobs]


def _has_entries(folder: str) -> bool:
    with os.scandir(folder) as entries:
        return any(not entry.name.startswith(".") for entry in entries)


def _parts(batch: Batch) -> Iterator[Batch]:
    """`batch` in transactions that are short enough for others to wait for."""
    for start in range(0, max(len(batch.moved), len(batch.returned), len(batch.missing)), MARKS_AT_ONCE):
        end = start + MARKS_AT_ONCE
        yield Batch(batch.root_id, moved=batch.moved[start:end], returned=batch.returned[start:end],
                    missing=batch.missing[start:end])
    batch.moved, batch.returned, batch.missing = [], [], []
    for start in range(0, max(1, len(batch.new), len(batch.changed)), BATCH_FILES):
        end = start + BATCH_FILES
        rest = Batch(batch.root_id, new=batch.new[start:end], changed=batch.changed[start:end])
        if start == 0:
            rest.bad, rest.cured, rest.pictures = batch.bad, batch.cured, batch.pictures
        if len(rest):
            yield rest
