"""Find what nothing refers to, move it to the trash, and take that back.

Nothing is deleted here but uploads in parts that nobody can finish, and the trash itself when that is asked for. Rows
are marked; files are renamed into a trash on the same disk (`<data>/trash/<step>`, `<cache>/trash/<step>`, a music
folder's `.soundsible/trash/cleanup-<step>`); objects are copied to `trash/<date>/` in their bucket and only then
removed. Each deed is in the journal, on the disk, before it is done; so whatever a kill leaves behind can be undone.

What was found may be some minutes old when it is moved (a person was asked): each thing is looked at again just
before. `find` and `run` agree as long as nobody changes anything in between.
"""

from __future__ import annotations

import logging
import os
import stat
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.cloud import layout
from shared.library import moves
from shared.model.cloud import CloudFailure, Provider
from shared.model.errors import Conflict, NotFound, SoundsibleError, StorageOffline
from shared.model.filepath import to_path
from shared.model.work import Moved, Stopped
from shared.ports import Work
from shared.records.journal import StepInfo
from shared.records.leftovers import CachedRow, Leftovers
from shared.storage.access import Access
from shared.upkeep.absent import Absent
from shared.upkeep.afterwards import close_cut_off
from shared.upkeep.journal import Journal, Step
from shared.upkeep.leftovers import KINDS, LeftFile, LeftObject, Leftover, LeftRow
from shared.upkeep.orphans import Orphans, Providers
from shared.upkeep.strays import Strays

if TYPE_CHECKING:
    from shared.storage.s3 import Bucket

log = logging.getLogger(__name__)

COMMAND = "cleanup"
ROWS_AT_ONCE = 500
FILES_AT_ONCE = 200
OBJECTS_AT_ONCE = 100
REQUESTS_AT_ONCE = 8
MOVE_DEADLINE_S = 20.0
TRASH = "trash"


@dataclass(slots=True, kw_only=True)
class CleanedUp:
    """What a run moved. `step`: what `undo` takes back; None when there was nothing to journal."""

    step: str | None = None
    moved: Leftover = field(default_factory=Leftover)
    left: list[dict[str, str]] = field(default_factory=list)    # [{what, why}]: could not be moved, or is wanted again


@dataclass(slots=True, kw_only=True)
class Undone:
    """What an undoing brought back. `left`: what could not be; then it can be tried again."""

    step: str
    rows: int = 0
    files: int = 0
    objects: int = 0
    copies: int = 0
    left: list[dict[str, str]] = field(default_factory=list)    # [{what, why}]


class Cleanup:
    """records     records.leftovers.Leftovers
    kept        hashes of the covers that pictures refer to (records.artworks.Artworks.kept)
    unfinished  ids of the downloads that are not over
    told        tells the catalogue of a provider which whole keys left its bucket
    """

    def __init__(
        self, *, records: Leftovers, journal: Journal, access: Access, data: Path, cache: Path, providers: Providers,
        buckets: Callable[[Provider], Bucket], kept: Callable[[], Collection[str]],
        unfinished: Callable[[], Collection[str]],
        told: Callable[[Provider, Sequence[str]], object] = lambda provider, keys: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._records = records
        self._journal = journal
        self._access = access
        self._providers = providers
        self._buckets = buckets
        self._told = told
        self._clock = clock
        self._absent = Absent(records=records, access=access)
        self._strays = Strays(records=records, access=access, data=data, cache=cache, kept=kept,
                              unfinished=unfinished, clock=clock)
        self._orphans = Orphans(records=records, providers=providers, buckets=buckets, kept=kept, clock=clock)

    # ---- finding --------------------------------------------------------------------------------------------------

    def find(self, kinds: Collection[str] = tuple(KINDS), *, work: Work) -> Leftover:
        """What is left over, of these KINDS; changes nothing. 10,000 tracks take a second or two, each bucket a
        request for 1,000 objects on top. Raises Stopped."""
        found = Leftover()
        uncached: list[str] = []
        if "objects" in kinds:
            in_buckets = self._orphans.find(work=work)
            found.objects, found.copies = in_buckets.objects, in_buckets.copies
            found.spared += in_buckets.spared
            if "staging" in kinds:
                found.uploads = in_buckets.uploads
        if "cache" in kinds:
            files, uncached = self._strays.cached(work)
            found.files += files
            found.stale = uncached
        if "rows" in kinds:
            gone, spared = self._orphans.still_gone(work=work)
            found.spared += spared
            gone += [(one.provider, one.key) for one in found.copies]
            rows, spared = self._absent.find(gone=gone, uncached=uncached, work=work)
            found.spared += spared
            lying, spared = self._orphans.lying({one.track_id for one in rows}, work=work)
            found.rows = [one for one in rows if one.track_id not in lying]
            found.spared += spared
        if "covers" in kinds:
            found.files += self._strays.covers(work)
        if "staging" in kinds:
            files, spared = self._strays.staging(work)
            found.files += files
            found.spared += spared
        return found

    # ---- doing ----------------------------------------------------------------------------------------------------

    def run(self, found: Leftover, *, work: Work) -> CleanedUp:
        """Move it all to the trash. Raises Conflict when a clean-up runs already, Stopped (what is done stays done and
        can be undone)."""
        done = CleanedUp()
        done.moved.spared = list(found.spared)
        with self._journal.begin(COMMAND, "Cut off") as step:
            done.step = step.id
            try:
                _Run(self, step, found, done, work).all()
            finally:
                step.end(said(done.moved))
        with suppress(Conflict):        # the next one runs already, and will see to it
            close_cut_off(self._journal, COMMAND)
        with suppress(NotFound):
            self._journal.get(step.id)
            return done
        done.step = None
        return done

    # ---- undoing --------------------------------------------------------------------------------------------------

    def last(self) -> StepInfo | None:
        """The newest clean-up that can be undone."""
        return self._journal.last(COMMAND)

    def step(self, uid: str) -> StepInfo:
        """One clean-up. Raises NotFound."""
        info = self._journal.get(uid)
        if info.command != COMMAND:
            raise NotFound("That is no step of a clean-up.")
        return info

    def undo(self, uid: str, *, work: Work) -> Undone:
        """Bring back what a clean-up moved, cut off or not. Looks whether each deed has happened.

        Raises NotFound, Conflict, Stopped (then it can be undone further).
        """
        self.step(uid)
        undone = Undone(step=uid)
        info = self._journal.undoing(uid)
        try:
            _Undoing(self, undone, info, work).all()
        except BaseException:
            self._journal.leave(uid)
            raise
        if undone.left:
            self._journal.leave(uid)
        else:
            self._journal.undone(uid)
        return undone

    # ---- inside ---------------------------------------------------------------------------------------------------

    def _provider(self, name: str) -> Provider | None:
        return next((one for one in self._providers.all() if one.name == name), None)

    def _place(self, place: str) -> Path | None:
        return self._strays.folder(place)


class _Run:
    """One run. Its order matters: what makes a row placeless is settled before the row."""

    def __init__(self, cleanup: Cleanup, step: Step, found: Leftover, done: CleanedUp, work: Work) -> None:
        self._of = cleanup
        self._records = cleanup._records
        self._step = step
        self._found = found
        self._moved = done.moved
        self._left = done.left
        self._work = work
        self._total = len(found)

    def all(self) -> None:
        found = self._found
        by_provider: dict[str, list[str]] = {}
        for one in found.copies:
            by_provider.setdefault(one.provider, []).append(one.key)
        for provider, keys in by_provider.items():
            for part in _parts(keys, ROWS_AT_ONCE):
                self._copies(provider, part)
        if found.stale:
            self._records.forget_cached(self._without_files(found.stale))
            self._moved.stale = list(found.stale)
        for missing in (True, False):
            for rows in _parts([one for one in found.rows if one.missing == missing], ROWS_AT_ONCE):
                self._rows(rows, missing)
        for place in dict.fromkeys(one.place for one in found.files):
            for files in _parts([one for one in found.files if one.place == place], FILES_AT_ONCE):
                self._files(place, files)
        for name in dict.fromkeys(one.provider for one in found.objects):
            provider_ = self._of._provider(name)
            if provider_ is not None:
                self._objects(provider_, [one for one in found.objects if one.provider == name])
        self._uploads()
        self._tell()

    def _tell(self, now: str = "") -> None:
        moved = self._moved
        self._work.tell(Moved("moving to the trash", len(moved), self._total, moved.bytes, self._found.bytes, now=now,
                              failed=len(self._left)))
        if self._work.stopped():
            raise Stopped

    # ---- rows

    def _copies(self, provider: str, keys: Sequence[str]) -> None:
        self._tell(provider)
        number = self._step.note({"do": "copies", "provider": provider, "keys": list(keys)})
        marked = self._records.mark_gone(provider, keys)
        self._settle(number, {"do": "copies", "provider": provider}, "keys", keys, marked)
        self._moved.copies += [one for one in self._found.copies if one.provider == provider and one.key in marked]

    def _rows(self, rows: Sequence[LeftRow], missing: bool) -> None:
        self._tell(rows[0].title)
        still = self._of._absent.still(rows)
        uids = [one.track_id for one in still]
        if not uids:
            return
        number = self._step.note({"do": "rows", "rows": uids})
        went = set(self._records.trash_rows(uids, only_missing=missing))
        self._settle(number, {"do": "rows"}, "rows", uids, went)
        self._moved.rows += [one for one in rows if one.track_id in went]
        self._left += [{"what": one.path, "why": "It has a place again."} for one in rows if one.track_id not in went]

    def _settle(self, number: int, entry: dict[str, Any], name: str, wanted: Sequence[str],
                done: Collection[str]) -> None:
        """The journal says what was done, when that is less than what was meant to be."""
        if len(done) < len(wanted):
            self._step.did_not(number)
            if not done:
                return
            number = self._step.note({**entry, name: [one for one in wanted if one in done]})
        self._step.did(number)

    # ---- files

    def _without_files(self, hashes: Iterable[str]) -> list[str]:
        cache = self._of._place("cache")
        return [one for one in hashes if cache is None or not (cache / "tracks" / one[:2] / one).exists()]

    def _files(self, place: str, files: Sequence[LeftFile]) -> None:
        self._tell(files[0].path)
        home = self._of._place(place)
        entries = [{"do": "file", "place": place, "path": one.path, "to": self._target(one, home is None)}
                   for one in files]
        rows = {one.sha256: one for one in self._records.cached()} if any(one.sha256 for one in files) else {}
        for one, entry in zip(files, entries, strict=True):
            row = rows.get(one.sha256 or "")
            if row is not None:
                entry["cached"] = asdict(row)       # type: ignore[assignment]
        numbers = self._step.note_all(entries)
        free = {one.sha256 for one in files if one.sha256 and one.sha256 not in rows}
        free |= self._records.drop_cached([one.sha256 for one in files if one.sha256 in rows and one.sha256])
        did, did_not = [], []
        for one, entry, number in zip(files, entries, numbers, strict=True):
            why = "Something refers to it again." if one.sha256 and one.sha256 not in free else (
                self._move_own(home, one, str(entry["to"])) if home is not None
                else self._move_music(place, one, str(entry["to"])))
            if why is None:
                did.append(number)
                self._moved.files.append(one)
            else:
                did_not.append(number)
                self._left.append({"what": one.path, "why": why})
        self._step.did(*did)
        self._step.did_not(*did_not)

    def _target(self, one: LeftFile, in_music: bool) -> str:
        if in_music:
            return f"{moves.TRASH}/{COMMAND}-{self._step.id}/{one.path.removeprefix(moves.HOME + '/')}"
        return f"{TRASH}/{self._step.id}/{one.path}"

    def _move_own(self, home: Path, one: LeftFile, to: str) -> str | None:
        """None when it is done, else why not."""
        here, there = home / to_path(one.path), home / to_path(to)
        try:
            if not _as_it_was(os.lstat(here), one):
                return "It has changed."
            there.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.rename(here, there)
        except OSError as error:
            return f"{error.strerror}."
        with suppress(OSError):
            here.parent.rmdir()     # once nothing is in it
        return None

    def _move_music(self, root: str, one: LeftFile, to: str) -> str | None:
        """The same in a music folder, where links may lie about."""
        folder = to_path(root)

        def deed() -> str | None:
            if self._of._strays.goes_on(one.path.rpartition("/")[2]):
                return "Its download goes on."
            with moves.spot(folder, one.path) as (held, last):
                if not _as_it_was(os.stat(last, dir_fd=held, follow_symlinks=False), one):
                    return "It has changed."
            with moves.spot(folder, to, make=True):
                pass
            moves.move(folder, one.path, to)
            return None

        try:
            why: str | None = self._of._access.call(folder, deed, deadline_s=MOVE_DEADLINE_S)
        except OSError as error:
            return f"{error.strerror}."
        except StorageOffline as error:
            return error.message
        return why

    # ---- buckets

    def _objects(self, provider: Provider, objects: Sequence[LeftObject]) -> None:
        bucket = self._of._buckets(provider)
        date = f"{datetime.fromtimestamp(self._of._clock(), UTC):%Y-%m-%d}"
        below = f"{provider.prefix}{layout.TRASH}{date}/"
        gone: list[str] = []
        try:
            with ThreadPoolExecutor(REQUESTS_AT_ONCE, thread_name_prefix="cleanup") as threads:
                for part in _parts(objects, OBJECTS_AT_ONCE):
                    self._tell(provider.name)
                    gone += self._some_objects(provider, bucket, below, part, threads)
        finally:
            if gone:
                try:
                    self._of._told(provider, gone)
                except SoundsibleError as error:    # a later clean-up, or a rebuilding, notices
                    self._work.log("warning", f"The catalogue of {provider.name} still tells of {len(gone)} objects "
                                              f"that are in the trash: {error.message}")

    def _some_objects(self, provider: Provider, bucket: Bucket, below: str, objects: Sequence[LeftObject],
                      threads: ThreadPoolExecutor) -> list[str]:
        wanted = self._records.referred(provider.name, [one.key for one in objects])
        part = [one for one in objects if one.key not in wanted]
        targets = {one.key: below + layout.relative(provider, one.key) for one in part}
        numbers = dict(zip(targets, self._step.note_all([
            {"do": "object", "provider": provider.name, "key": one.key, "to": targets[one.key], "etag": one.etag,
             "size_bytes": one.size_bytes} for one in part]), strict=True)) if part else {}

        def copied(one: LeftObject) -> str | None:
            try:
                there = bucket.head(one.key)
                if there is None or there.size_bytes != one.size_bytes or there.etag != one.etag:
                    return "It has changed."
                bucket.copy(one.key, targets[one.key])
                copy = bucket.head(targets[one.key])
                return None if copy is not None and copy.size_bytes == one.size_bytes else "Its copy is not whole."
            except CloudFailure as failure:
                return failure.message

        safe = []
        for one, why in zip(part, threads.map(copied, part), strict=True):
            if why is None:
                safe.append(one)
            else:
                self._left.append({"what": one.key, "why": why})
                self._step.did_not(numbers[one.key])
        self._left += [{"what": key, "why": "A track refers to it again."} for key in sorted(wanted)]
        # An upload that found its bytes lying there makes a row instead of sending them: as late as possible.
        wanted = self._records.referred(provider.name, [one.key for one in safe])
        keys = [one.key for one in safe if one.key not in wanted]
        try:
            bucket.delete(keys)
        except CloudFailure as failure:
            self._left += [{"what": key, "why": failure.message} for key in keys]
            return []
        wanted = self._records.referred(provider.name, keys)
        for key in sorted(wanted):
            bucket.copy(targets[key], key)
        self._step.did(*(numbers[key] for key in keys if key not in wanted))
        self._moved.objects += [one for one in safe if one.key in keys and one.key not in wanted]
        return [key for key in keys if key not in wanted]

    def _uploads(self) -> None:
        for one in self._found.uploads:
            provider = self._of._provider(one.provider)
            if provider is None:
                continue
            self._tell(one.key)
            try:
                self._of._buckets(provider).abort_parts(one.key, one.upload_id)
                self._moved.uploads.append(one)
            except CloudFailure as failure:
                self._left.append({"what": one.key, "why": failure.message})


class _Undoing:
    """One undoing. Each entry is looked at: its deed may have happened, or not, or have been taken back already."""

    def __init__(self, cleanup: Cleanup, undone: Undone, info: StepInfo, work: Work) -> None:
        self._of = cleanup
        self._records = cleanup._records
        self._undone = undone
        self._info = info
        self._work = work
        # A row noted here, but put into the trash by a later clean-up, is that one's.
        self._before = min((one.created_at for one in cleanup._journal.list(COMMAND)
                            if one.created_at > info.created_at), default=None)

    def all(self) -> None:
        deeds = {"copies": self._copies, "rows": self._rows, "file": self._file}
        objects: list[dict[str, Any]] = []
        with ThreadPoolExecutor(REQUESTS_AT_ONCE, thread_name_prefix="cleanup") as threads:
            for number, entry in enumerate(self._of._journal.entries(self._info.id)):
                self._work.tell(Moved("bringing back", number, self._info.entries, failed=len(self._undone.left)))
                if self._work.stopped():
                    raise Stopped
                if entry.content["do"] == "object":
                    objects.append(entry.content)
                    if len(objects) >= OBJECTS_AT_ONCE:
                        self._objects(objects, threads)
                else:
                    self._objects(objects, threads)
                    deeds[entry.content["do"]](entry.content)
            self._objects(objects, threads)
        self._work.tell(Moved("bringing back", self._info.entries, self._info.entries, failed=len(self._undone.left)))
        for place in ("data", "cache"):
            home = self._of._place(place)
            if home is not None:
                _remove_empty(home / TRASH / self._info.id)
        for root in self._records.roots():
            folder = to_path(root.path)
            with suppress(OSError, StorageOffline):
                self._of._access.call(folder, partial(
                    _remove_empty, Path(folder) / moves.TRASH / f"{COMMAND}-{self._info.id}"))

    def _copies(self, entry: dict[str, Any]) -> None:
        self._undone.copies += len(self._records.unmark_gone(entry["provider"], entry["keys"]))

    def _rows(self, entry: dict[str, Any]) -> None:
        self._undone.rows += len(self._records.restore_rows(entry["rows"], before=self._before))

    def _file(self, entry: dict[str, Any]) -> None:
        home = self._of._place(entry["place"])
        try:
            if home is not None:
                back = _back(home / to_path(entry["path"]), home / to_path(entry["to"]))
            else:
                root = to_path(entry["place"])
                back = self._of._access.call(root, lambda: _back_in_music(root, entry["path"], entry["to"]),
                                             deadline_s=MOVE_DEADLINE_S)
        except (OSError, StorageOffline) as error:
            why = error.message if isinstance(error, SoundsibleError) else f"{error.strerror}."
            self._undone.left.append({"what": entry["path"], "why": why})
            return
        self._undone.files += back
        if "cached" in entry and home is not None and (home / entry["path"]).exists():
            self._records.put_cached(CachedRow(**entry["cached"]))

    def _objects(self, entries: list[dict[str, Any]], threads: ThreadPoolExecutor) -> None:
        """All of `entries`, which is emptied: many at once, in whatever order."""
        for entry, (back, why) in zip(entries, threads.map(self._object, entries), strict=True):
            self._undone.objects += back
            if why is not None:
                self._undone.left.append({"what": entry["key"], "why": why})
        entries.clear()

    def _object(self, entry: dict[str, Any]) -> tuple[bool, str | None]:
        """(whether it was brought back, what kept it from being where it was)"""
        provider = self._of._provider(entry["provider"])
        if provider is None:
            return False, f"There is no storage {entry['provider']} here."
        bucket = self._of._buckets(provider)
        try:
            copy = bucket.head(entry["to"])
            back = bucket.head(entry["key"]) is None
            if back:
                if copy is None:
                    return False, "It is not in the trash of its bucket."
                bucket.copy(entry["to"], entry["key"])
                there = bucket.head(entry["key"])
                if there is None or there.size_bytes != entry["size_bytes"]:
                    return False, "It did not come back whole."
            if copy is not None:
                bucket.delete([entry["to"]])
            return back, None
        except CloudFailure as failure:
            return False, failure.message


def _back(here: Path, there: Path) -> bool:
    """Rename `there` to `here`, unless something lies here; whether it was done."""
    if not os.path.lexists(there):
        return False
    if os.path.lexists(here):
        if stat.S_ISDIR(os.lstat(here).st_mode):
            with suppress(OSError):
                here.rmdir()        # an empty one does not keep it out
        if os.path.lexists(here):
            raise FileExistsError(17, "Something else lies there now", str(here))
    here.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.rename(there, here)
    return True


def _back_in_music(root: str, here: str, there: str) -> bool:
    if not moves.is_there(root, there):
        return False
    if moves.is_there(root, here):
        raise FileExistsError(17, "Something else lies there now", here)
    with moves.spot(root, here, make=True):
        pass
    moves.move(root, there, here)
    return True


def _remove_empty(folder: Path) -> None:
    """A folder and those beneath it, as far as nothing is in them."""
    for path, _, _ in os.walk(folder, topdown=False):
        with suppress(OSError):
            os.rmdir(path)


def _as_it_was(now: os.stat_result, one: LeftFile) -> bool:
    if stat.S_ISDIR(now.st_mode):
        return now.st_mtime_ns == one.mtime_ns
    return stat.S_ISREG(now.st_mode) and (now.st_size, now.st_mtime_ns) == (one.size_bytes, one.mtime_ns)


def _parts(things: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    return (things[start:start + size] for start in range(0, len(things), size))


def said(moved: Leftover) -> str:
    """In a sentence: 12 tracks, 3 files and 4 objects."""
    counts = ((moved.rows, "track", "tracks"), (moved.files, "file", "files"), (moved.objects, "object", "objects"),
              (moved.copies, "copy that is gone", "copies that are gone"))
    told = [f"{len(them):,} {one if len(them) == 1 else many}" for them, one, many in counts if them]
    return ", ".join(told) or "nothing"
