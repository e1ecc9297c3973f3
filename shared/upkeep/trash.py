"""Empty the trash of what has been in it long enough. This cannot be undone, and is done only when it is asked for.

The trash is in several places: tracks in a music folder's `.soundsible/trash` (and worse files that better ones took
the place of, in `replaced`), rows whose file was nowhere, what a clean-up or another step of maintenance moved, and
`trash/` in each bucket.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.cloud import layout
from shared.library import moves
from shared.model.cloud import CloudFailure, Provider
from shared.model.errors import NotFound, SoundsibleError, StorageOffline
from shared.model.filepath import to_path
from shared.model.units import Bytes
from shared.model.work import Moved, Stopped
from shared.ports import Work
from shared.records.leftovers import Leftovers
from shared.storage.access import Access
from shared.upkeep.absent import STATES
from shared.upkeep.cleanup import COMMAND, TRASH
from shared.upkeep.journal import Journal
from shared.upkeep.leftovers import Spared
from shared.upkeep.orphans import Providers

if TYPE_CHECKING:
    from shared.storage.s3 import Bucket

log = logging.getLogger(__name__)

ROWS_AT_ONCE = 500
OBJECTS_AT_ONCE = 500
DEADLINE_S = 60.0
DAY_S = 86_400.0
MOST_STEPS = 100_000
_REPLACED = "replaced"
_STEP = re.compile(rf"{COMMAND}-([a-z0-9]{{1,64}})\Z")
_UID = re.compile(r"[a-z0-9]{1,64}\Z")
_DATE = re.compile(r"(\d{4}-\d\d-\d\d)/")


@dataclass(frozen=True, slots=True, kw_only=True)
class OldTrack:
    track_id: str
    title: str
    root: str
    path: str
    size_bytes: Bytes
    alone: bool             # the row without a file


@dataclass(frozen=True, slots=True, kw_only=True)
class OldFile:
    """A folder in one of the trashes, with all in it."""

    place: str              # "data", "cache", or the absolute path of a music folder
    path: str
    size_bytes: Bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class OldObject:
    provider: str
    key: str
    size_bytes: Bytes


@dataclass(slots=True, kw_only=True)
class OldTrash:
    rows: list[OldTrack] = field(default_factory=list)
    files: list[OldFile] = field(default_factory=list)
    objects: list[OldObject] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)      # of the journal, that can no longer be undone then
    spared: list[Spared] = field(default_factory=list)

    @property
    def bytes(self) -> Bytes:
        return (sum(one.size_bytes for one in self.rows) + sum(one.size_bytes for one in self.files)
                + sum(one.size_bytes for one in self.objects))

    def __len__(self) -> int:
        return len(self.rows) + len(self.files) + len(self.objects)


@dataclass(slots=True, kw_only=True)
class Emptied:
    gone: OldTrash = field(default_factory=OldTrash)
    left: list[dict[str, str]] = field(default_factory=list)    # [{what, why}]


class Trash:
    """purge         removes one track in the trash and its file for ever (library.shelf.Shelf.purge)
    purge_rows    forgets tracks in the trash that have no file there (records.tracks.Tracks.purge_alone)
    """

    def __init__(self, *, records: Leftovers, journal: Journal, access: Access, data: Path, cache: Path,
                 providers: Providers, buckets: Callable[[Provider], Bucket], purge: Callable[[str], object],
                 purge_rows: Callable[[list[str]], object], clock: Callable[[], float] = time.time) -> None:
        self._records = records
        self._journal = journal
        self._access = access
        self._own = {"data": data, "cache": cache}
        self._providers = providers
        self._buckets = buckets
        self._purge = purge
        self._purge_rows = purge_rows
        self._clock = clock

    def find(self, days: int, *, work: Work) -> OldTrash:
        """What has been in the trash for `days` or longer. Changes nothing. Raises Stopped."""
        before = self._clock() - days * DAY_S
        found = OldTrash(rows=[
            OldTrack(track_id=uid, title=title, root=root, path=path, size_bytes=size, alone=alone)
            for uid, title, root, path, size, alone in self._records.trashed_before(before)
        ])
        steps = self._journal.list(limit=MOST_STEPS)
        young = {one.id for one in steps if one.created_at >= before}
        old = {one.id: one for one in steps if one.created_at < before}
        found.steps = [one.id for one in old.values() if one.command == COMMAND]
        for place, home in self._own.items():
            for folder in _folders(home / TRASH):
                known = folder.name in old
                if known or (folder.name not in young and folder.stat(follow_symlinks=False).st_mtime < before):
                    found.files.append(OldFile(place=place, path=f"{TRASH}/{folder.name}",
                                               size_bytes=_size(folder.path)))
                    if known and folder.name not in found.steps:
                        found.steps.append(folder.name)     # old covers: without them its step cannot be undone
        for root in self._records.roots():
            if root.forgotten:
                continue
            work.tell(Moved("looking through the trash", now=root.path))
            if work.stopped():
                raise Stopped
            folder_ = to_path(root.path)
            state = str(self._access.probe(folder_))
            try:
                if state != "online":
                    raise StorageOffline(f"The folder {STATES.get(state, state)}.")
                its = self._access.call(folder_, partial(_in_music, folder_, before, young), deadline_s=DEADLINE_S)
            except (StorageOffline, OSError) as error:
                found.spared.append(Spared(what=root.path, why=f"Its trash is left alone. {_why(error)}"))
                continue
            found.files += [OldFile(place=root.path, path=path, size_bytes=size) for path, size in its]
        offline = {one.what for one in found.spared}
        found.rows = [one for one in found.rows if one.alone or one.root not in offline]
        for provider in self._providers.all():
            try:
                found.objects += self._objects(provider, before, work)
            except CloudFailure as failure:
                found.spared.append(Spared(what=provider.name, why=f"Its trash is left alone: {failure.message}"))
        return found

    def empty(self, found: OldTrash, *, work: Work) -> Emptied:
        """Remove it for ever. Raises Stopped, and Conflict while a clean-up runs."""
        done = Emptied()
        with self._journal.begin(COMMAND, "Emptied the trash"):     # it notes nothing: it only keeps others out
            self._empty(found, done, work)
        return done

    # ---- inside

    def _empty(self, found: OldTrash, done: Emptied, work: Work) -> None:
        def tell(now: str) -> None:
            work.tell(Moved("emptying the trash", len(done.gone), len(found), done.gone.bytes, found.bytes, now=now,
                            failed=len(done.left)))
            if work.stopped():
                raise Stopped

        alone = [one for one in found.rows if one.alone]
        for start in range(0, len(alone), ROWS_AT_ONCE):
            tell(alone[start].title)
            part = alone[start:start + ROWS_AT_ONCE]
            self._purge_rows([one.track_id for one in part])
            done.gone.rows += part
        for one in found.rows:
            if one.alone:
                continue
            tell(one.title)
            try:
                self._purge(one.track_id)
                done.gone.rows.append(one)
            except NotFound:
                continue        # somebody brought it back meanwhile
            except SoundsibleError as error:
                done.left.append({"what": one.path, "why": error.message})
        for file in found.files:
            tell(file.path)
            try:
                self._remove(file)
                done.gone.files.append(file)
            except (OSError, StorageOffline) as error:
                done.left.append({"what": file.path, "why": _why(error)})
        for provider in self._providers.all():
            its = [one for one in found.objects if one.provider == provider.name]
            for start in range(0, len(its), OBJECTS_AT_ONCE):
                tell(provider.name)
                some = its[start:start + OBJECTS_AT_ONCE]
                try:
                    self._buckets(provider).delete([one.key for one in some])
                    done.gone.objects += some
                except CloudFailure as failure:
                    done.left.append({"what": provider.name, "why": failure.message})
                    break
        if not done.left:
            for step in found.steps:
                self._journal.forget(step)
                done.gone.steps.append(step)
        tell("")

    def _objects(self, provider: Provider, before: float, work: Work) -> Iterator[OldObject]:
        trash = provider.prefix + layout.TRASH
        for one in self._buckets(provider).list(trash):
            if work.stopped():
                raise Stopped
            match = _DATE.match(one.key.removeprefix(trash))
            if match is None:
                continue
            with suppress(ValueError):
                day = datetime.strptime(match[1], "%Y-%m-%d").replace(tzinfo=UTC).timestamp()
                if day + DAY_S <= before:
                    yield OldObject(provider=provider.name, key=one.key, size_bytes=one.size_bytes)

    def _remove(self, one: OldFile) -> None:
        home = self._own.get(one.place)
        if home is not None:
            shutil.rmtree(home / one.path)
            return
        root = to_path(one.place)

        def deed() -> None:
            with moves.spot(root, one.path) as (held, name):
                if not stat.S_ISDIR(os.stat(name, dir_fd=held, follow_symlinks=False).st_mode):
                    raise NotADirectoryError(20, "It is no folder", one.path)
                if held is None or not shutil.rmtree.avoids_symlink_attacks:
                    shutil.rmtree(os.path.join(root, to_path(one.path)))
                else:
                    shutil.rmtree(name, dir_fd=held)

        self._access.call(root, deed, deadline_s=DEADLINE_S)


def _in_music(root: str, before: float, young: set[str]) -> list[tuple[str, Bytes]]:
    """Folders in a music folder's trash that no track in the trash belongs to; in a thread of the root's."""
    found = []
    for below in (moves.TRASH, f"{moves.TRASH}/{_REPLACED}"):
        for name in sorted(moves.names(root, below)):
            step = _STEP.match(name)
            if below == moves.TRASH and step is None:
                continue        # a track's own folder leaves with its row
            if (step is not None and step[1] in young) or (step is None and not _UID.match(name)):
                continue
            path = f"{below}/{name}"
            with moves.spot(root, path) as (held, last):
                looked = os.stat(last, dir_fd=held, follow_symlinks=False)
            if stat.S_ISDIR(looked.st_mode) and looked.st_mtime < before:
                found.append((path, _size(os.path.join(root, to_path(path)))))
    return found


def _folders(home: Path) -> list[Any]:
    try:
        with os.scandir(home) as entries:
            return sorted((one for one in entries if one.is_dir(follow_symlinks=False)), key=lambda one: one.name)
    except OSError:
        return []


def _size(folder: str) -> Bytes:
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(path, name)).st_size
    return total


def _why(error: Exception) -> str:
    return error.message if isinstance(error, SoundsibleError) else f"{getattr(error, 'strerror', error)}."
