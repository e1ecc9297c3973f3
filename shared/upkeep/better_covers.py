"""Find albums whose cover is missing or small, find a better one, and put it into the tags of their files.

What is shown is what is looked at: the picture that lies in the album's folder, else the one in its files. A better
one is larger, of the same shape, and, where it was found by name only, the same picture. It goes into the files' tags;
their sound stays, which is proved packet by packet, else the file stays as it was (audio.embedding). A smaller picture
in the folder is left where it is and is outdone: the files' own is shown from then on.

Each album is written down with all that is needed to take it back (the pictures its files held) before any file is
touched, and a file is replaced whole or not at all. So a kill at any moment loses nothing: the next run goes on with
the album that was cut off, and undoing looks at each file.
"""

from __future__ import annotations

import logging
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from shared.metadata.sleeves import SOURCES, Offered, Sought
from shared.model.download import Failure
from shared.model.errors import Conflict, DiskFull, NotFound, StorageOffline, UnreadableFile
from shared.model.filepath import to_text
from shared.model.units import Bytes
from shared.model.work import Moved, Stopped
from shared.ports import Work, Workers
from shared.records.artworks import Artworks
from shared.records.settling import picture_version
from shared.records.upkeep import AlbumRow, Upkeep
from shared.upkeep.afterwards import Refreshing, close_cut_off, renew_copies
from shared.upkeep.journal import Journal
from shared.upkeep.reach import WHY, Here, Reach

log = logging.getLogger(__name__)

COMMAND = "fix-library-covers"
MIN_SIZE = 600          # pixels of the longer side: what is smaller is looked for
SMALLEST = 200          # a picture below is not worth taking, even where there is none
LARGER = 1.25           # so much larger than what is there, or it is not worth writing all files
SHAPE = 0.1             # so much the ratio of the sides may differ
SQUARE = (0.8, 1.25)    # shapes that are taken where there is none to compare with
SAME_PICTURE = 0.6      # correlation from which two pictures show the same (shared/library/cover_deeds.py)
LOOKED_AT_ONCE = 16
KEPT_S = 30 * 86_400.0  # pictures that were found and not put in
AT_ONCE = 2             # workers that write
LOOK_TIMEOUT_S, JUDGE_TIMEOUT_S, WRITE_TIMEOUT_S = 60.0, 60.0, 180.0

UNCERTAIN = ("timed_out", "reader_crashed")     # a file may have been written all the same

#: Why an album is left as it is, for people.
LEFT = WHY | {
    "nothing_found": "Nobody has a cover of it.",
    "not_larger": "What was found is not larger than what is there.",
    "other_shape": "What was found has another shape.",
    "other_picture": "What was found by its name is another picture.",
    "no_picture": "What was found is no picture that can be shown.",
}


@dataclass(frozen=True, slots=True)
class Size:
    width: int
    height: int

    @property
    def longer(self) -> int:
        return max(self.width, self.height)


@dataclass(frozen=True, slots=True, kw_only=True)
class Better:
    """An album that gets another cover."""

    album_id: str
    title: str
    artist: str
    now: Size | None            # None: it has none, or none that can be shown
    source: str                 # files (its own files hold it already), coverart, deezer, cut_off (a run that was)
    better: Size
    bytes: Bytes
    sha256: str
    tracks: list[str]           # whose files are written


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """An album whose cover is missing or small, and stays so."""

    album_id: str
    title: str
    artist: str
    now: Size | None
    reason: str                 # a key of LEFT, or a source's failure
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unwritten:
    track_id: str
    path: str
    reason: str
    message: str


@dataclass(slots=True, kw_only=True)
class CoverPlan:
    looked: int = 0             # albums
    albums: list[Better] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class CoverReport:
    step: str | None = None     # what `undo` takes back; None: nothing was done
    looked: int = 0
    albums: list[Better] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    fixed: int = 0              # albums that show a better cover now
    tracks: int = 0             # files written
    failed: list[Unwritten] = field(default_factory=list)
    cloud: dict[str, Any] | None = None     # what became of the copies in the cloud, where there are any


@dataclass(slots=True, kw_only=True)
class CoversUndone:
    step: str
    tracks: int = 0             # files that hold their old picture again
    untouched: int = 0          # … that held it already
    failed: list[Unwritten] = field(default_factory=list)
    cloud: dict[str, Any] | None = None


class CoversStopped(Stopped):
    """Ended early; `report` tells what is done."""

    def __init__(self, report: CoverReport) -> None:
        super().__init__()
        self.report = report


class Sources(Protocol):
    """What of metadata.sleeves.Sleeves is needed here."""

    def of(self, source: str, album: Sought) -> Iterator[Offered]: ...


class BetterCovers:
    """folder   where pictures that were found are kept until they are in the files (the station's cache)
    trash       where the old ones are kept until the step is thrown away (data/trash, a folder for each step)
    uploads     makes copies in the cloud anew; None: there is no cloud
    """

    def __init__(
        self, *, records: Upkeep, artworks: Artworks, access: Any, workers: Workers, sleeves: Sources, journal: Journal,
        folder: Path, trash: Path, uploads: Refreshing | None = None,
    ) -> None:
        self._records = records
        self._artworks = artworks
        self._reach = Reach(access=access)
        self._workers = workers
        self._sleeves = sleeves
        self._journal = journal
        self._folder = folder
        self._trash = trash
        self._uploads = uploads

    # ---- what would be done -----------------------------------------------------------------------------------------

    def plan(self, albums: Sequence[str] | None = None, *, min_size: int = MIN_SIZE,
             sources: Sequence[str] = SOURCES, work: Work) -> CoverPlan:
        """What `run` would do to these albums, or to all. Writes nothing but how large pictures are.

        Costs a stat an album whose picture was looked at before, some 10 ms for any other, and one to three requests
        for each that is found wanting. Raises Stopped.
        """
        plan = CoverPlan()
        begun = self._begun()
        total = self._records.count_albums() if albums is None else len(albums)
        for album, now in self._looked(albums, work):
            plan.looked += 1
            if (entry := begun.get(album.id)) and (better := self._going_on(album, now, entry)) is not None:
                plan.albums.append(better)
            elif isinstance(now, str):
                if not _large(album, min_size):
                    plan.left.append(_left(album, None, now))
            elif now is None or now.longer < min_size:
                found = self._found(album, now, min_size, sources)
                if isinstance(found, Better):
                    plan.albums.append(found)
                else:
                    plan.left.append(found)
            work.tell(Moved("looking for covers", plan.looked, total, now=album.title, failed=len(plan.left)))
        return plan

    def _looked(self, albums: Sequence[str] | None, work: Work) -> Iterator[tuple[AlbumRow, Size | str | None]]:
        """Each album with the size of the cover it shows; None where there is none; a key of WHY where nobody knows."""
        waiting: list[tuple[AlbumRow, Size | str | None, tuple[str, str, str] | None]] = []
        unknown = 0
        for album in self._records.albums(albums):
            if work.stopped():
                raise Stopped
            size, at = self._known(album)
            waiting.append((album, size, at))
            unknown += at is not None
            if unknown >= LOOKED_AT_ONCE * AT_ONCE or len(waiting) >= 500:
                yield from self._measured(waiting)
                waiting, unknown = [], 0
        yield from self._measured(waiting)

    def _known(self, album: AlbumRow) -> tuple[Size | str | None, tuple[str, str, str] | None]:
        """(the size, where nobody needs to look) or (…, (kind, path, version) of what is to be looked at)."""
        picture = album.picture
        if picture is None:
            return None, None
        try:
            stamp = self._reach.stamp(picture.root, picture.path)
        except (StorageOffline, OSError):
            return "offline", None
        if stamp is None:
            if any(file.in_cloud for file in album.files):
                return "cloud", None
            return (None, None) if picture.kind != "embedded" else ("missing", None)
        version = picture_version(*stamp)
        if version == picture.version and picture.width and picture.height:
            return Size(picture.width, picture.height), None
        return None, (picture.kind, f"{picture.root}/{picture.path}", version)

    def _measured(self, waiting: Sequence[tuple[AlbumRow, Size | str | None, tuple[str, str, str] | None]]
                  ) -> Iterator[tuple[AlbumRow, Size | str | None]]:
        unknown = [at for _, _, at in waiting if at is not None]
        parts = [unknown[start:start + LOOKED_AT_ONCE] for start in range(0, len(unknown), LOOKED_AT_ONCE)]
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="covers") as threads:
            sizes = iter([one for part in threads.map(self._look, parts) for one in part])
        known: dict[int, tuple[int, int]] = {}
        versions: dict[int, str] = {}
        found: list[tuple[AlbumRow, Size | str | None]] = []
        for album, size, at in waiting:
            if at is not None:
                measured = next(sizes)
                size = None if measured is None else Size(*measured)
                if measured is not None and album.picture is not None:
                    known[album.picture.id], versions[album.picture.id] = measured, at[2]
            found.append((album, size))
        if known:
            self._artworks.set_sizes(known, versions=versions)
        yield from found

    def _look(self, part: list[tuple[str, str, str]]) -> list[tuple[int, int] | None]:
        items = [(kind, path) for kind, path, _ in part]
        deed = "shared.library.cover_deeds:look"
        try:
            sizes: list[tuple[int, int] | None] = self._workers.run(deed, items, timeout_s=LOOK_TIMEOUT_S)
            return sizes
        except UnreadableFile:
            pass
        sizes = []
        for item in items:      # one of them ended its worker
            try:
                sizes += self._workers.run(deed, [item], timeout_s=LOOK_TIMEOUT_S)
            except UnreadableFile:
                sizes.append(None)
        return sizes

    # ---- finding ----------------------------------------------------------------------------------------------------

    def _found(self, album: AlbumRow, now: Size | None, min_size: int, sources: Sequence[str]) -> Better | Left:
        here = [self._reach.here(file) for file in album.files]
        files = [one for one in here if isinstance(one, Here)]
        if not files:
            return _left(album, now, next((one for one in here if isinstance(one, str)), "missing"))
        kind, shown = (None, "") if album.picture is None or now is None else (
            album.picture.kind, f"{album.picture.root}/{album.picture.path}")
        best: Better | None = None
        reasons: list[str] = []
        if album.picture is not None and album.picture.kind == "sidecar":
            best = self._in_its_files(album, now, kind, shown, files, reasons)
        for source in sources:
            if best is not None and best.better.longer >= min_size:
                break
            try:
                for offered in self._sleeves.of(source, Sought(
                        album.title, album.artist, album.mbid, album.release_group_mbid, len(album.files))):
                    one = self._judged(album, now, kind, shown, offered, reasons)
                    if one is not None and (best is None or one.better.longer > best.better.longer * LARGER):
                        best = replace(one, tracks=[each.file.track_id for each in files])
                    if best is not None and best.better.longer >= min_size:
                        break
            except Failure as failure:
                reasons.append(f"!{failure.code}|{failure.message}")
        if best is not None:
            return best
        for reason in reasons:
            if reason.startswith("!"):
                code, _, message = reason[1:].partition("|")
                return replace(_left(album, now, "nothing_found"), reason=code, message=message)
        return _left(album, now, reasons[0] if reasons else "nothing_found")

    def _judged(self, album: AlbumRow, now: Size | None, kind: str | None, shown: str, offered: Offered,
                reasons: list[str]) -> Better | None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        candidate = self._folder / f"{secrets.token_hex(8)}.part"
        try:
            candidate.write_bytes(offered.data)
            judged: dict[str, Any] = self._workers.run(
                "shared.library.cover_deeds:judge", str(candidate), kind, shown, str(self._folder),
                timeout_s=JUDGE_TIMEOUT_S)
        except UnreadableFile:
            reasons.append("no_picture")
            return None
        finally:
            candidate.unlink(missing_ok=True)
        return _chosen(album, now, offered.source, offered.sure, judged, reasons)

    def _in_its_files(self, album: AlbumRow, now: Size | None, kind: str | None, shown: str, files: Sequence[Here],
                      reasons: list[str]) -> Better | None:
        """Where the picture in the folder is small, but the files hold a better one."""
        holder = next((one for one in files if one.file.picture_bytes), None)
        if holder is None:
            return None
        try:
            judged = self._workers.run("shared.library.cover_deeds:judge_embedded", holder.path, kind, shown,
                                       str(self._folder), timeout_s=JUDGE_TIMEOUT_S)
        except (UnreadableFile, NotFound):
            return None
        return _chosen(album, now, "files", False, judged, [])

    # ---- doing ------------------------------------------------------------------------------------------------------

    def run(self, plan: CoverPlan, *, work: Work) -> CoverReport:
        """Do what `plan` says, in one step that can be undone. What fails is told and does not hold up the rest.

        Raises Conflict when this runs already, CoversStopped (what is done is done, and can be undone), DiskFull.
        """
        report = CoverReport(looked=plan.looked, left=list(plan.left))
        if not plan.albums:
            return report
        total = sum(len(one.tracks) for one in plan.albums)
        refreshed: list[str] = []
        try:
            with self._journal.begin(COMMAND, f"Better covers for {len(plan.albums)} albums") as step:
                report.step = step.id
                for better in plan.albums:
                    if work.stopped():
                        raise Stopped
                    work.tell(Moved("writing covers", report.tracks, total, now=better.title,
                                    failed=len(report.failed)))
                    written = self._put(better, step, report)
                    refreshed += written
                    report.tracks += len(written)
                step.end(f"Better covers for {report.fixed} albums, in {report.tracks} files")
            close_cut_off(self._journal, COMMAND)
            self._forget({one.sha256 for one in report.albums})
        except Stopped as stopped:
            raise CoversStopped(report) from stopped
        finally:
            if refreshed:
                report.cloud = renew_copies(self._uploads, self._records, refreshed, work)
        work.tell(Moved("writing covers", report.tracks, total, failed=len(report.failed)))
        return report

    def _put(self, better: Better, step: Any, report: CoverReport) -> list[str]:
        """One album; the tracks whose files were written."""
        album = next(iter(self._records.albums([better.album_id])), None)
        picture = self._folder / better.sha256[:2] / f"{better.sha256}.jpg"
        if album is None:
            return []
        if better.tracks and not picture.is_file():
            self._fail(report, album, better.tracks, "vanished", "The picture that was found is no longer there; "
                                                                 "try again.")
            return []
        outdone = album.picture.id if album.picture is not None and album.picture.kind == "sidecar" else None
        files: list[Here] = []
        for file in album.files:
            if file.track_id in better.tracks:
                here = self._reach.here(file)
                if isinstance(here, Here):
                    files.append(here)
                else:
                    self._fail(report, album, [file.track_id], here, WHY[here])
        folder = str(self._trash / step.id)
        taken: dict[str, dict[str, Any]] = {}
        holding = 0
        for start in range(0, len(files), LOOKED_AT_ONCE):
            part = files[start:start + LOOKED_AT_ONCE]
            answers = self._workers.run("shared.library.cover_deeds:take", [one.path for one in part], folder,
                                        timeout_s=LOOK_TIMEOUT_S)
            for one, answer in zip(part, answers, strict=True):
                if isinstance(answer, UnreadableFile):
                    self._fail(report, album, [one.file.track_id], answer.reason, answer.message)
                elif answer["shown"] == better.sha256:
                    holding += 1
                else:
                    taken[one.file.track_id] = {
                        "path": to_text(one.file.path), "fronts": answer["fronts"], "shown": answer["shown"]}
        if not taken and not holding and better.tracks:
            return []
        number = step.note({
            "album": album.id, "title": album.title, "artist": album.artist, "picture": better.sha256,
            "width": better.better.width, "height": better.better.height, "bytes": better.bytes, "outdone": outdone,
            "tracks": taken,
        })
        failed = len(report.failed)
        readings = self._embed([one for one in files if one.file.track_id in taken], str(picture), album, report)
        written = [uid for uid, _, _ in readings]
        if not written and not holding and better.tracks:
            if not any(one.reason in UNCERTAIN for one in report.failed[failed:]):
                step.did_not(number)
            return []
        all_of_it = len(written) + holding == len(better.tracks)
        if outdone is not None and all_of_it:       # else the folder's may still be the better one
            self._artworks.outdo([outdone])
        if readings:
            self._records.take_over(readings)
        else:
            self._records.settle([file.track_id for file in album.files])
        if all_of_it:
            self._note_size(album, better)
        step.did(number)
        report.albums.append(better)
        report.fixed += 1
        return written

    def _embed(self, files: Sequence[Here], picture: str, album: AlbumRow, report: CoverReport
               ) -> list[tuple[str, Any, Any]]:
        def one(here: Here) -> Any:
            try:
                reading = self._workers.run("shared.library.cover_deeds:embed", here.path, here.real, picture,
                                            timeout_s=WRITE_TIMEOUT_S)
                now = self._reach.here(here.file)
                return (here.file.track_id, now.found, reading) if isinstance(now, Here) else now
            except (UnreadableFile, Conflict, DiskFull, StorageOffline) as error:
                return error

        done = []
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="covers") as threads:
            for here, answer in zip(files, threads.map(one, files), strict=True):
                if isinstance(answer, tuple):
                    done.append(answer)
                elif isinstance(answer, str):
                    self._fail(report, album, [here.file.track_id], answer, WHY[answer])
                else:
                    self._fail(report, album, [here.file.track_id], _reason(answer), answer.message)
        return done

    def _note_size(self, album: AlbumRow, better: Better) -> None:
        """So that the next run need not look."""
        shown = self._artworks.of_tracks([file.track_id for file in album.files[:1]])
        for one in shown.values():
            if one.kind == "embedded":
                self._artworks.set_sizes({one.id: (better.better.width, better.better.height)},
                                         versions={one.id: one.version})

    @staticmethod
    def _fail(report: CoverReport | CoversUndone, album: AlbumRow, tracks: Iterable[str], reason: str, message: str
              ) -> None:
        paths = {file.track_id: to_text(file.path) for file in album.files}
        report.failed += [Unwritten(track_id=uid, path=paths.get(uid, ""), reason=reason, message=message)
                          for uid in tracks]

    @staticmethod
    def foreseen(plan: CoverPlan) -> CoverReport:
        """What `run` would report, if nothing fails."""
        return CoverReport(looked=plan.looked, albums=list(plan.albums), left=list(plan.left), fixed=len(plan.albums),
                           tracks=sum(len(one.tracks) for one in plan.albums))

    def _forget(self, pictures: set[str]) -> None:
        """Pictures that are in the files now, and those that were found long ago and never wanted, leave the cache."""
        for path in self._folder.glob("*/*.jpg"):
            with suppress(OSError):
                if path.stem in pictures or time.time() - path.stat().st_mtime > KEPT_S:
                    path.unlink()

    # ---- what was cut off -------------------------------------------------------------------------------------------

    def _begun(self) -> dict[str, dict[str, Any]]:
        """Album → what a run that was ended or killed had written down for it and may not have finished."""
        begun: dict[str, dict[str, Any]] = {}
        if self._journal.busy(COMMAND):
            return begun
        for step in self._journal.list(COMMAND, limit=20):
            if step.state in ("open", "done") and step.done < step.entries:
                for entry in self._journal.entries(step.id):
                    if not entry.done:
                        begun.setdefault(str(entry.content["album"]), entry.content)
        return begun

    def _going_on(self, album: AlbumRow, now: Size | str | None, entry: dict[str, Any]) -> Better | None:
        """The rest of an album that was cut off: the files that hold their old picture still. None when none does."""
        sha256 = str(entry["picture"])
        files = [one for file in album.files if file.track_id in entry["tracks"]
                 and isinstance(one := self._reach.here(file), Here)]
        if not files or not (self._folder / sha256[:2] / f"{sha256}.jpg").is_file():
            return None
        shown: list[str | None] = self._workers.run(
            "shared.library.cover_deeds:shown", [one.path for one in files], timeout_s=LOOK_TIMEOUT_S)
        rest = [one.file.track_id for one, held in zip(files, shown, strict=True)
                if held == entry["tracks"][one.file.track_id]["shown"] != sha256]
        if not rest or len(rest) == len(files):     # nothing was begun: it is looked for again
            return None
        return Better(
            album_id=album.id, title=album.title, artist=album.artist, now=now if isinstance(now, Size) else None,
            source="cut_off", better=Size(entry["width"], entry["height"]), bytes=entry["bytes"], sha256=sha256,
            tracks=rest)

    # ---- undoing ----------------------------------------------------------------------------------------------------

    def undo(self, step_id: str | None = None, *, work: Work) -> CoversUndone:
        """Give the files of a step (the newest that can be undone) their old pictures back.

        A file whose picture was changed since is left, and told. Raises NotFound when there is nothing to undo,
        Conflict when it was undone already or this command runs, Stopped.
        """
        step = self._journal.last(COMMAND) if step_id is None else self._journal.get(step_id)
        if step is None or step.command != COMMAND:
            raise NotFound("There is nothing to undo." if step is None else f"That step is one of {step.command}'s.")
        report = CoversUndone(step=step.id)
        refreshed: list[str] = []
        self._journal.undoing(step.id)
        try:
            for entry in self._journal.entries(step.id):
                if work.stopped():
                    raise Stopped
                work.tell(Moved("putting back", report.tracks, None, now=str(entry.content["title"])))
                refreshed += self._undo_album(entry.content, step.id, report)
        except BaseException:
            self._journal.leave(step.id)
            raise
        if report.failed:
            self._journal.leave(step.id)
        else:
            self._journal.undone(step.id)
            with suppress(OSError):
                shutil.rmtree(self._trash / step.id)
        if refreshed:
            report.cloud = renew_copies(self._uploads, self._records, refreshed, work)
        return report

    def _undo_album(self, entry: dict[str, Any], step_id: str, report: CoversUndone) -> list[str]:
        album = next(iter(self._records.albums([entry["album"]])), None)
        files = {file.track_id: file for file in self._records.files(list(entry["tracks"]))}
        readings, put_back = [], []
        for uid, old in entry["tracks"].items():
            if uid not in files:
                continue        # it has left the library
            here = self._reach.here(files[uid])
            if not isinstance(here, Here):
                report.failed.append(Unwritten(track_id=uid, path=old["path"], reason=here, message=WHY[here]))
                continue
            try:
                said, reading = self._workers.run(
                    "shared.library.cover_deeds:put_back", here.path, here.real, old["fronts"],
                    str(self._trash / step_id), entry["picture"], timeout_s=WRITE_TIMEOUT_S)
            except (UnreadableFile, Conflict, DiskFull, NotFound) as error:
                report.failed.append(Unwritten(track_id=uid, path=old["path"], reason=_reason(error),
                                               message=error.message))
                continue
            now = self._reach.here(files[uid])
            if said == "changed":
                report.failed.append(Unwritten(
                    track_id=uid, path=old["path"], reason="changed",
                    message="Its picture was changed since; it stays as it is."))
            elif isinstance(now, Here):
                readings.append((uid, now.found, reading))
                if said == "put_back":
                    put_back.append(uid)
        if entry["outdone"] is not None:
            self._artworks.outdo([entry["outdone"]], False)
        if readings:
            self._records.take_over(readings)
        elif album is not None:
            self._records.settle([file.track_id for file in album.files])
        report.tracks += len(put_back)
        report.untouched += len(readings) - len(put_back)
        return put_back


# ---- deciding (pure) ------------------------------------------------------------------------------------------------


def why_not(now: Size | None, found: Size, *, sure: bool, likeness: float | None) -> str | None:
    """Why `found` is no better than what there is `now`; None when it is. Pure.

    sure        it was found by the album's own id
    likeness    how alike the two are (-1 to 1); None where there is nothing to compare with
    """
    shape = found.width / found.height
    if now is None:
        if found.longer < SMALLEST:
            return "not_larger"
        return None if SQUARE[0] <= shape <= SQUARE[1] else "other_shape"
    if found.longer < now.longer * LARGER or found.width <= now.width or found.height <= now.height:
        return "not_larger"
    if abs(shape / (now.width / now.height) - 1) > SHAPE:
        return "other_shape"
    if not sure and likeness is not None and likeness < SAME_PICTURE:
        return "other_picture"
    return None


def _large(album: AlbumRow, min_size: int) -> bool:
    """Whether its picture was large enough when it was last here."""
    picture = album.picture
    return picture is not None and max(picture.width or 0, picture.height or 0) >= min_size


def _chosen(album: AlbumRow, now: Size | None, source: str, sure: bool, judged: dict[str, Any], reasons: list[str]
            ) -> Better | None:
    size = Size(judged["width"], judged["height"])
    reason = why_not(now, size, sure=sure, likeness=judged["likeness"])
    if reason is not None:
        reasons.append(reason)
        return None
    return Better(album_id=album.id, title=album.title, artist=album.artist, now=now, source=source, better=size,
                  bytes=judged["bytes"], sha256=judged["sha256"], tracks=[])


def _left(album: AlbumRow, now: Size | None, reason: str) -> Left:
    return Left(album_id=album.id, title=album.title, artist=album.artist, now=now, reason=reason, message=LEFT[reason])


def _reason(error: Exception) -> str:
    return error.reason if isinstance(error, UnreadableFile) else str(getattr(error, "code", "failed"))
