"""Files on this machine that nothing refers to: in the cache, among the covers, in the staging folders.

What is in the making has no one who refers to it either: so what was begun counts after a day, and what is whole but
in no list yet after an hour.
"""

from __future__ import annotations

import logging
import os
import re
import stat
from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from shared.library import moves
from shared.library.admission import STAGING
from shared.library.covers import picture_name
from shared.model.errors import StorageOffline
from shared.model.filepath import to_path, to_text
from shared.model.units import Bytes
from shared.model.work import Moved, Stopped
from shared.ports import Work
from shared.records.leftovers import Leftovers
from shared.storage.access import Access
from shared.upkeep.absent import STATES
from shared.upkeep.leftovers import LeftFile, Spared

log = logging.getLogger(__name__)

DAY_S, HOUR_S = 86_400.0, 3600.0
DEADLINE_S = 20.0
TRACKS, RENDERS, KEPT = "tracks", "covers", "covers"    # in the cache, in the cache, in data
INCOMING = "incoming"
MOST_FILES = 100_000        # looked at in one folder of staging
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_PICTURE = re.compile(r"[0-9a-f]{24}\Z")
_AA = re.compile(r"[0-9a-f]{2}\Z")
_UID = re.compile(r"[a-z0-9]{1,64}\Z")
_NOT_MINE = ("trash", "logs", "before-restore-")     # what was moved aside, or belongs to others


class Strays:
    """kept          hashes of the covers that pictures refer to (records.artworks.Artworks.kept)
    unfinished    ids of the downloads that are not over (their staging folders stay)
    """

    def __init__(self, *, records: Leftovers, access: Access, data: Path, cache: Path,
                 kept: Callable[[], Collection[str]], unfinished: Callable[[], Collection[str]],
                 clock: Callable[[], float]) -> None:
        self._records = records
        self._access = access
        self._data = data
        self._cache = cache
        self._kept = kept
        self._unfinished = unfinished
        self._clock = clock

    def folder(self, place: str) -> Path | None:
        """Where a place of the station's own is; None for a music folder."""
        return {"data": self._data, "cache": self._cache}.get(place)

    def goes_on(self, name: str) -> bool:
        """Whether a folder of that name in a music folder's staging belongs to a download that is not over."""
        return name in self._unfinished()

    # ---- the cache of tracks

    def cached(self, work: Work) -> tuple[list[LeftFile], list[str]]:
        """Cached tracks that nothing refers to; and the hashes in the list whose files are not there."""
        home = self._cache / TRACKS
        if not home.is_dir():
            return [], []
        there: dict[str, tuple[str, os.stat_result]] = {}
        for entry in _entries(home):
            if _AA.match(entry.name):
                _end(work)
                for file in _entries(entry.path):
                    if _SHA256.match(file.name) and file.name.startswith(entry.name):
                        there[file.name] = (f"{TRACKS}/{entry.name}/{file.name}", file.stat(follow_symlinks=False))
        rows = {one.sha256: one for one in self._records.cached()}
        wanted = self._records.wanted_content([one for one in there if one not in rows])    # it is taken up again
        files = []
        for sha256, (path, looked) in sorted(there.items()):
            row = rows.get(sha256)
            if row is None and (sha256 in wanted or self._is_young(looked, HOUR_S)):
                continue
            if row is None or not row.referred:
                files.append(_file("cache", "cache", path, looked, sha256=sha256, why=(
                    "It is not in the cache's list." if row is None else "No track and no copy has this content.")))
        stale = [sha256 for sha256 in rows if sha256 not in there]
        return files, stale

    # ---- covers

    def covers(self, work: Work) -> list[LeftFile]:
        """Rendered covers of pictures that are gone, and kept ones that no picture refers to."""
        shown = {picture_name(*one) for one in self._records.pictures()}
        found = []
        for entry in _entries(self._cache / RENDERS):
            if not _AA.match(entry.name):
                continue
            _end(work)
            for folder in _entries(entry.path):
                if _PICTURE.match(folder.name) and folder.name not in shown:
                    looked = folder.stat(follow_symlinks=False)
                    if stat.S_ISDIR(looked.st_mode):
                        found.append(_file("covers", "cache", f"{RENDERS}/{entry.name}/{folder.name}", looked,
                                           size=_size(folder.path), why="The picture it was made of is gone."))
        wanted = set(self._kept()) | self._records.hashes_to_undo()
        for entry in _entries(self._data / KEPT):
            if not _AA.match(entry.name):
                continue
            _end(work)
            for file in _entries(entry.path):
                name, ending = os.path.splitext(file.name)
                if ending == ".jpg" and _SHA256.match(name) and name not in wanted:
                    looked = file.stat(follow_symlinks=False)
                    if not self._is_young(looked, HOUR_S):
                        found.append(_file("covers", "data", f"{KEPT}/{entry.name}/{file.name}", looked,
                                           why="No picture refers to it."))
        return sorted(found, key=lambda one: (one.place, one.path))

    # ---- what was in the making

    def staging(self, work: Work) -> tuple[list[LeftFile], list[Spared]]:
        """Folders of downloads that are over, and unfinished files of uploads, conversions and backups."""
        found: list[LeftFile] = []
        spared: list[Spared] = []
        wanted = set(self._unfinished())
        for root in self._records.roots():
            if root.forgotten:
                continue
            _end(work)
            folder = to_path(root.path)
            work.tell(Moved("looking for left-overs", now=root.path))
            state = str(self._access.probe(folder))
            if state != "online":
                if state in ("hanging", "offline"):
                    spared.append(Spared(what=root.path, why=f"The folder {STATES[state]}: what downloads left there "
                                                             "is not known."))
                continue
            try:
                its = self._access.call(folder, partial(self._staged, folder, wanted), deadline_s=DEADLINE_S)
            except (StorageOffline, OSError) as error:
                log.info("the staging folder of %s cannot be looked through: %s", root.path, error)
                continue
            found += [LeftFile(kind="staging", place=root.path, path=path, size_bytes=size, mtime_ns=mtime_ns,
                               why="The download it belonged to is over.") for path, size, mtime_ns in its]
        spools = {one.spool for one in self._records.uploads() if one.spool}
        for place, folder_of_it in (("cache", self._cache), ("data", self._data)):
            for path, looked in _unfinished_files(folder_of_it, work):
                whole = os.path.join(folder_of_it, path)
                if not self._is_young(looked, DAY_S) and whole not in spools:
                    found.append(_file("staging", place, to_text(path), looked, why="It was never finished."))
        return sorted(found, key=lambda one: (one.place, one.path)), spared

    def _staged(self, root: str, wanted: Collection[str]) -> list[tuple[str, Bytes, int]]:
        """(path, size, mtime_ns) of folders in a root's staging that no download wants; in a thread of the root's."""
        found = []
        for name in sorted(moves.names(root, STAGING)):
            if not _UID.match(name) or name in wanted:
                continue
            path = f"{STAGING}/{name}"
            with moves.spot(root, path) as (held, last):
                looked = os.stat(last, dir_fd=held, follow_symlinks=False)
            whole = os.path.join(root, to_path(path))
            newest = max((one.st_mtime for one in _beneath(whole)), default=looked.st_mtime)
            if stat.S_ISDIR(looked.st_mode) and self._clock() - max(newest, looked.st_mtime) > DAY_S:
                found.append((path, _size(whole), looked.st_mtime_ns))
        return found

    def _is_young(self, looked: os.stat_result, than_s: float) -> bool:
        return self._clock() - looked.st_mtime < than_s


def _unfinished_files(home: Path, work: Work) -> Iterator[tuple[str, os.stat_result]]:
    """Files ending in .part, and what lies in folders named spool, beneath one of the station's own folders."""
    todo = [""]
    while todo:
        _end(work)
        here = todo.pop()
        for entry in _entries(os.path.join(home, here)):
            path = os.path.join(here, entry.name)
            try:
                if entry.is_dir(follow_symlinks=False):
                    if here or not entry.name.startswith(_NOT_MINE):
                        todo.append(path)
                elif entry.is_file(follow_symlinks=False) and (
                        entry.name.endswith(".part") or os.path.basename(here) == "spool"):
                    yield path, entry.stat(follow_symlinks=False)
            except OSError:
                continue


def _file(kind: str, place: str, path: str, looked: os.stat_result, *, why: str, size: Bytes | None = None,
          sha256: str | None = None) -> LeftFile:
    return LeftFile(kind=kind, place=place, path=path, size_bytes=looked.st_size if size is None else size, why=why,
                    mtime_ns=looked.st_mtime_ns, sha256=sha256)


def _entries(folder: Any) -> list[os.DirEntry[str]]:
    """What lies in a folder, by name; nothing where it cannot be listed."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda one: one.name)
    except OSError:
        return []


def _beneath(folder: str) -> Iterator[os.stat_result]:
    """Of every file and folder beneath, links not followed."""
    todo, seen = [folder], 0
    while todo and seen < MOST_FILES:
        for entry in _entries(todo.pop()):
            seen += 1
            try:
                looked = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            if stat.S_ISDIR(looked.st_mode):
                todo.append(entry.path)
            yield looked


def _size(folder: str) -> Bytes:
    return sum(one.st_size for one in _beneath(folder) if stat.S_ISREG(one.st_mode))


def _end(work: Work) -> None:
    if work.stopped():
        raise Stopped
