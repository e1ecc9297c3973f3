"""Compare the tags of files with MusicBrainz, and take over what it knows better, in one step that can be undone.

Each file is identified by its MBID, then its ISRC, then by a search; the match has a score, and only from a certain one
on is anything changed. Nothing is emptied: a field that MusicBrainz does not fill stays. Genres stay where there are
any, and so does what a person edited. Files that are not here are left.

What a file said is on the disk before it is written; a file is written whole or not at all. So a kill loses nothing:
what was done can be undone, and the next run does the rest.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from shared.audio.stating import FIELDS, values_of
from shared.metadata.harmonise import Wish, of_release, wish
from shared.metadata.musicbrainz import DOUBTFUL, SURE, Chosen, Match
from shared.model.download import Failure, Wanted
from shared.model.errors import Conflict, DiskFull, NotFound, SoundsibleError, StorageOffline, UnreadableFile
from shared.model.filepath import to_text
from shared.model.scan import Found
from shared.model.track import Metadata, Reading
from shared.model.work import Moved, Stopped
from shared.ports import Work, Workers
from shared.records.intake import edited
from shared.records.upkeep import FileRow, Upkeep
from shared.upkeep.afterwards import Refreshing, close_cut_off, renew_copies
from shared.upkeep.journal import Journal
from shared.upkeep.reach import WHY, Here, Reach

log = logging.getLogger(__name__)

COMMAND = "refresh-metadata"
READ_AT_ONCE = 64           # files whose tags are read together
WRITTEN_AT_ONCE = 32        # files that are noted, written and taken over together
AT_ONCE = 2                 # workers that write
READ_TIMEOUT_S, WRITE_TIMEOUT_S = 120.0, 180.0
ALIKE = 90.0                # of 100: how alike title and artist must be where only words led to a match
GIVE_UP_AFTER = 5           # failures of MusicBrainz in a row: it is down, and nobody is asked any more
LONGEST_REST_S = 60.0       # that MusicBrainz may ask for and is waited for

#: A person's edit → what it keeps from being changed.
LOCKS = {
    "title": ("title", "title_sort"), "artist": ("artist", "artists"),
    "album": ("album", "album_sort", "release_mbid", "release_group_mbid"),
    "album_artist": ("album_artist", "album_artists", "release_mbid", "release_group_mbid"),
    "track_number": ("track_number",), "disc_number": ("disc_number",), "year": ("date",), "genres": ("genres",),
}
#: Described an old value; goes when that changes.
SORTED = {"title": "title_sort", "album": "album_sort"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    field: str      # one of audio.stating.FIELDS
    old: Any
    new: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A track whose tags differ from what MusicBrainz says."""

    track_id: str
    path: str
    title: str
    score: float            # 0-100
    by: str                 # id, isrc, release (its album's), words
    match: str              # the recording, for people
    recording_mbid: str
    differences: list[Difference]


@dataclass(frozen=True, slots=True, kw_only=True)
class Untouched:
    """A track that stays as it is, and why: doubtful unknown, a key of reach.WHY, or what failed."""

    track_id: str
    path: str
    title: str
    reason: str
    message: str
    score: float | None = None


@dataclass(slots=True, kw_only=True)
class Comparison:
    looked: int = 0
    same: int = 0                                           # found, and nothing differs
    changes: list[Change] = field(default_factory=list)
    left: list[Untouched] = field(default_factory=list)     # doubtful, unknown, or not here
    failed: list[Untouched] = field(default_factory=list)   # could not be read, or not be asked for
    ended: str | None = None                                # why nobody was asked any more


@dataclass(slots=True, kw_only=True)
class RefreshReport:
    step: str | None = None     # what `undo` takes back; None: nothing was done
    changed: int = 0            # files written
    fields: dict[str, int] = field(default_factory=dict)    # field → how many files it was changed in
    failed: list[Untouched] = field(default_factory=list)
    cloud: dict[str, Any] | None = None


@dataclass(slots=True, kw_only=True)
class RefreshUndone:
    step: str
    changed: int = 0            # files that say again what they said
    untouched: int = 0          # … that said it already
    failed: list[Untouched] = field(default_factory=list)
    cloud: dict[str, Any] | None = None


class RefreshStopped(Stopped):
    """Ended early; `report` tells what is done."""

    def __init__(self, report: RefreshReport) -> None:
        super().__init__()
        self.report = report


class Finding(Protocol):
    """What of metadata.musicbrainz.Finder is needed here."""

    def find(self, wish: Wish, duration_ms: int | None, *, check: Callable[[], None]) -> list[Match]: ...
    def choose(self, wish: Wish, match: Match, *, check: Callable[[], None]) -> Chosen | None: ...


class Refresh:
    """uploads     makes copies in the cloud anew; None: there is no cloud"""

    def __init__(
        self, *, records: Upkeep, access: Any, workers: Workers, finder: Finding, journal: Journal,
        uploads: Refreshing | None = None, sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._records = records
        self._reach = Reach(access=access)
        self._workers = workers
        self._finder = finder
        self._journal = journal
        self._uploads = uploads
        self._sleep = sleep

    # ---- comparing ------------------------------------------------------------------------------------------------

    def compare(self, uids: Sequence[str] | None = None, *, min_score: float = SURE, work: Work,
                total: int | None = None) -> Comparison:
        """What `apply` would change in these tracks, or in all. Writes nothing.

        Costs reading the tags of each file (about 1 ms) and none to three questions to MusicBrainz, one or two for a
        whole album when its files are alike; answers are kept for a month. When MusicBrainz is down this ends and says
        so. Raises Stopped.
        """
        result = Comparison()
        silent = 0
        for file, reading in self._read(uids, result):
            if work.stopped():
                raise Stopped
            result.looked += 1
            work.tell(Moved("comparing", result.looked, total, now=file.title, failed=len(result.failed)))
            if not isinstance(reading, Reading):
                continue
            try:
                self._compared(file, reading, min_score, result, work)
                silent = 0
            except Failure as failure:
                result.failed.append(_untouched(file, failure.code, failure.message))
                silent += 1
                if silent >= GIVE_UP_AFTER:
                    result.ended = failure.message
                    work.log("error", f"MusicBrainz is not asked any more: {failure.message}")
                    break
        return result

    def _read(self, uids: Sequence[str] | None, result: Comparison) -> Iterator[tuple[FileRow, Reading | None]]:
        """Each file with what its tags say now; None when that is not known, which `result` tells then."""
        files = self._records.files(uids)
        while part := list(itertools.islice(files, READ_AT_ONCE)):
            here = [(file, self._reach.here(file)) for file in part]
            reachable = [one for _, one in here if isinstance(one, Here)]
            readings = iter(self._readings([one.path for one in reachable]))
            for file, one in here:
                if isinstance(one, str):
                    result.left.append(_untouched(file, one, WHY[one]))
                    yield file, None
                    continue
                reading = next(readings)
                if isinstance(reading, UnreadableFile):
                    result.failed.append(_untouched(file, reading.reason, reading.message))
                yield file, reading if isinstance(reading, Reading) else None

    def _readings(self, paths: list[str]) -> list[Reading | UnreadableFile]:
        deed = "shared.library.reading:read_many"
        try:
            found: list[Reading | UnreadableFile] = self._workers.run(
                deed, [(path, False) for path in paths], timeout_s=READ_TIMEOUT_S) if paths else []
            return found
        except UnreadableFile:
            pass
        found = []
        for path in paths:      # one of them ended its worker
            try:
                found += self._workers.run(deed, [(path, False)], timeout_s=READ_TIMEOUT_S)
            except UnreadableFile as error:
                found.append(error)
        return found

    def _compared(self, file: FileRow, reading: Reading, min_score: float, result: Comparison, work: Work) -> None:
        in_file = edited(reading.metadata, file.edits)
        wished = wish(_wanted(in_file), in_file)

        def check() -> None:
            if work.stopped():
                raise Stopped

        matches = self._patiently(lambda: self._finder.find(wished, reading.facts.duration_ms, check=check), work)
        best = matches[0] if matches else None
        if best is None or best.score < DOUBTFUL:
            result.left.append(_untouched(file, "unknown", "MusicBrainz knows nothing like it."))
            return
        if not believed(best, min_score):
            result.left.append(replace(_untouched(
                file, "doubtful", f"Perhaps it is {best.label}: {best.score:.0f} of 100."), score=best.score))
            return
        chosen = self._patiently(lambda: self._finder.choose(wished, best, check=check), work)
        recording = chosen.filled(best.recording) if chosen else best.recording
        theirs = of_release(wished, in_file, recording, chosen.release if chosen else None,
                            chosen.place if chosen else None)
        found = differences(reading.metadata, theirs, file.edits, album=chosen is not None)
        if not found:
            result.same += 1
            return
        result.changes.append(Change(
            track_id=file.track_id, path=to_text(file.path), title=file.title, score=best.score, by=best.by,
            match=best.label, recording_mbid=str(best.recording.get("id", "")), differences=found))

    def _patiently(self, ask: Callable[[], Any], work: Work) -> Any:
        """A service that wants to be left alone for a moment gets that moment, once."""
        try:
            return ask()
        except Failure as failure:
            if failure.code != "rate_limited" or (failure.retry_after_s or 0.0) > LONGEST_REST_S:
                raise
            until = time.monotonic() + (failure.retry_after_s or 1.0)
            while time.monotonic() < until and not work.stopped():
                self._sleep(min(0.5, max(0.0, until - time.monotonic())))
            return ask()

    # ---- doing ------------------------------------------------------------------------------------------------------

    @staticmethod
    def foreseen(comparison: Comparison) -> RefreshReport:
        """What `apply` would report, if nothing fails."""
        report = RefreshReport(changed=len(comparison.changes))
        for change in comparison.changes:
            _count(report, [one.field for one in change.differences])
        return report

    def apply(self, changes: Sequence[Change], *, work: Work) -> RefreshReport:
        """Write `changes` into files and library, in one step. What fails is told and does not hold up the rest.

        A file that says something else by now than when it was compared is left. Raises Conflict when this runs
        already, RefreshStopped (what is done is done, and can be undone).
        """
        report = RefreshReport()
        if not changes:
            return report
        written: list[str] = []
        try:
            with self._journal.begin(COMMAND, f"Tags of {len(changes)} files from MusicBrainz") as step:
                report.step = step.id
                for start in range(0, len(changes), WRITTEN_AT_ONCE):
                    if work.stopped():
                        raise Stopped
                    work.tell(Moved("writing tags", start, len(changes), now=changes[start].title,
                                    failed=len(report.failed)))
                    written += self._write(changes[start:start + WRITTEN_AT_ONCE], step, report)
                step.end(f"Tags of {report.changed} files from MusicBrainz")
            close_cut_off(self._journal, COMMAND)
        except Stopped as stopped:
            raise RefreshStopped(report) from stopped
        finally:
            if written:
                report.cloud = renew_copies(self._uploads, self._records, written, work)
        work.tell(Moved("writing tags", len(changes), len(changes), failed=len(report.failed)))
        return report

    def _write(self, changes: Sequence[Change], step: Any, report: RefreshReport) -> list[str]:
        files = {file.track_id: file for file in self._records.files([one.track_id for one in changes])}
        deeds: list[tuple[Change, Here]] = []
        for change in changes:
            file = files.get(change.track_id)
            here = self._reach.here(file) if file is not None else "missing"
            if isinstance(here, Here):
                deeds.append((change, here))
            else:
                report.failed.append(_unchanged(change, here, WHY[here]))
        if not deeds:
            return []
        numbers = step.note_all([{
            "track": change.track_id, "path": change.path, "title": change.title,
            "old": {one.field: one.old for one in change.differences},
            "new": {one.field: one.new for one in change.differences},
        } for change, _ in deeds])

        def one(deed: tuple[Change, Here]) -> dict[str, Any] | SoundsibleError:
            change, here = deed
            return self._restated(here, {one.field: one.new for one in change.differences},
                                  {one.field: one.old for one in change.differences}, whole=True)

        readings: list[tuple[str, Found, Reading]] = []
        done: list[int] = []
        refused: list[int] = []
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="tags") as threads:
            for (change, here), number, answer in zip(deeds, numbers, threads.map(one, deeds), strict=True):
                if isinstance(answer, SoundsibleError):
                    report.failed.append(_unchanged(change, _reason(answer), answer.message))
                    (done if _perhaps(answer) else refused).append(number)
                    continue
                if answer["reading"] is None:
                    report.failed.append(_unchanged(
                        change, "changed", f"Changed since it was compared: {', '.join(answer['others'])}."))
                    refused.append(number)
                    continue
                now = self._reach.here(here.file)
                if isinstance(now, Here):
                    readings.append((change.track_id, now.found, answer["reading"]))
                done.append(number)
                report.changed += 1
                _count(report, answer["set"])
        if readings:
            self._records.take_over(readings)
        step.did(*done)
        if refused:
            step.did_not(*refused)
        return [uid for uid, _, _ in readings]

    def _restated(self, here: Here, wanted: Mapping[str, Any], expected: Mapping[str, Any], *, whole: bool
                  ) -> dict[str, Any] | SoundsibleError:
        try:
            answer: dict[str, Any] = self._workers.run(
                "shared.library.tag_deeds:restate", here.path, here.real, dict(wanted), dict(expected), whole,
                timeout_s=WRITE_TIMEOUT_S)
            return answer
        except (UnreadableFile, Conflict, DiskFull, StorageOffline) as error:
            return error

    # ---- undoing ----------------------------------------------------------------------------------------------------

    def undo(self, step_id: str | None = None, *, work: Work) -> RefreshUndone:
        """Have the files of a step (the newest that can be undone) say again what they said.

        A field that was changed since is left, and told. Raises NotFound when there is nothing to undo, Conflict when
        it was undone already or this command runs, Stopped.
        """
        step = self._journal.last(COMMAND) if step_id is None else self._journal.get(step_id)
        if step is None or step.command != COMMAND:
            raise NotFound("There is nothing to undo." if step is None else f"That step is one of {step.command}'s.")
        report = RefreshUndone(step=step.id)
        written: list[str] = []
        self._journal.undoing(step.id)
        try:
            entries = self._journal.entries(step.id)
            while part := [entry.content for entry in itertools.islice(entries, WRITTEN_AT_ONCE)]:
                if work.stopped():
                    raise Stopped
                work.tell(Moved("putting back", report.changed, step.entries, now=str(part[0]["title"])))
                written += self._undo_some(part, report)
        except BaseException:
            self._journal.leave(step.id)
            raise
        if report.failed:
            self._journal.leave(step.id)
        else:
            self._journal.undone(step.id)
        if written:
            report.cloud = renew_copies(self._uploads, self._records, written, work)
        return report

    def _undo_some(self, entries: Sequence[dict[str, Any]], report: RefreshUndone) -> list[str]:
        files = {file.track_id: file for file in self._records.files([str(one["track"]) for one in entries])}
        deeds: list[tuple[dict[str, Any], Here]] = []
        for entry in entries:
            file = files.get(str(entry["track"]))
            if file is None:
                continue        # it has left the library
            here = self._reach.here(file)
            if isinstance(here, Here):
                deeds.append((entry, here))
            else:
                report.failed.append(_of_entry(entry, here, WHY[here]))

        def one(deed: tuple[dict[str, Any], Here]) -> dict[str, Any] | SoundsibleError:
            entry, here = deed
            return self._restated(here, entry["old"], entry["new"], whole=False)

        readings = []
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="tags") as threads:
            for (entry, here), answer in zip(deeds, threads.map(one, deeds), strict=True):
                if isinstance(answer, SoundsibleError):
                    report.failed.append(_of_entry(entry, _reason(answer), answer.message))
                    continue
                if answer["others"]:
                    report.failed.append(_of_entry(
                        entry, "changed", f"Changed since, and left: {', '.join(answer['others'])}."))
                now = self._reach.here(here.file)
                if answer["set"] and isinstance(now, Here):
                    readings.append((str(entry["track"]), now.found, answer["reading"]))
                    report.changed += 1
                elif not answer["others"]:
                    report.untouched += 1
        if readings:
            self._records.take_over(readings)
        return [uid for uid, _, _ in readings]


# ---- deciding (pure) ------------------------------------------------------------------------------------------------


def believed(match: Match, min_score: float) -> bool:
    """Whether a match is good enough to write what it says. Pure.

    Found by words alone it must also be called nearly as the file says: the names of a library were chosen by somebody,
    and an artist of a similar name is another artist.
    """
    if match.score < min_score:
        return False
    names = [match.parts[name] for name in ("title", "artist") if name in match.parts]
    return match.by != "words" or min(names, default=0.0) >= min(ALIKE, min_score + ALIKE - SURE)


def differences(mine: Metadata, theirs: Metadata, edits: Mapping[str, Any], *, album: bool) -> list[Difference]:
    """What of `theirs` is to stand in the place of `mine`, in the order of FIELDS. Pure.

    edits   fields that a person set; they are left
    album   whether theirs is on a release; else nothing of the album is touched
    """
    old, new = values_of(mine), values_of(theirs)
    locked = {name for edit in edits for name in LOCKS.get(edit, ())}
    if not album:
        locked |= {"album", "album_sort", "album_artist", "album_artists", "release_mbid", "release_group_mbid", "date",
                   "original_date", "track_number", "track_total", "disc_number", "disc_total", "disc_title",
                   "compilation"}
    if old["genres"]:
        locked.add("genres")
    found: dict[str, Any] = {}
    for name in FIELDS:
        if name in locked or name in SORTED.values() or _same(old[name], new[name]):
            continue
        if not new[name] and name != "compilation":
            continue                    # nothing is emptied
        if name in ("date", "original_date") and str(old[name] or "").startswith(str(new[name])):
            continue                    # a whole date knows more than its year
        found[name] = new[name]
    for name, other in SORTED.items():
        if name in found and old[other]:
            found[other] = None         # it sorted the old one
    return [Difference(field=name, old=old[name], new=found[name]) for name in FIELDS if name in found]


def _same(one: Any, other: Any) -> bool:
    return (one or None) == (other or None)


def _wanted(tags: Metadata) -> Wanted:
    return Wanted(
        title=tags.title, artist=tags.artist,
        artists=tuple(one.name for one in tags.credits if one.role == "artist"), album=tags.album,
        album_artist=tags.album_artist, isrc=tags.isrc, track_number=tags.track_number, track_total=tags.track_total,
        disc_number=tags.disc_number, disc_total=tags.disc_total,
        date=tags.date or (str(tags.year) if tags.year else None), genres=tags.genres,
        recording_mbid=tags.recording_mbid, release_mbid=tags.release_mbid, source="local")


def _count(report: RefreshReport, names: Sequence[str]) -> None:
    for name in names:
        report.fields[name] = report.fields.get(name, 0) + 1


def _untouched(file: FileRow, reason: str, message: str) -> Untouched:
    return Untouched(track_id=file.track_id, path=to_text(file.path), title=file.title, reason=reason, message=message)


def _unchanged(change: Change, reason: str, message: str) -> Untouched:
    return Untouched(track_id=change.track_id, path=change.path, title=change.title, reason=reason, message=message)


def _of_entry(entry: Mapping[str, Any], reason: str, message: str) -> Untouched:
    return Untouched(track_id=str(entry["track"]), path=str(entry["path"]), title=str(entry["title"]), reason=reason,
                     message=message)


def _reason(error: SoundsibleError) -> str:
    return error.reason if isinstance(error, UnreadableFile) else error.code


def _perhaps(error: SoundsibleError) -> bool:
    """Whether the file may have been written all the same."""
    return isinstance(error, UnreadableFile) and error.reason in ("timed_out", "reader_crashed")
