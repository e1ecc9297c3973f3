"""Which tracks' files are nowhere: looked for where they should be, never guessed.

A folder that is offline, hangs, cannot be read or stands empty says nothing about what should lie in it. Neither does
a broken link on the way, nor another disk than the files lay on (what is seen when a disk below the music folder is
not mounted). Only a file whose folder answers "there is no such file" is gone.
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Literal

from shared.model.errors import StorageOffline
from shared.model.filepath import to_path
from shared.model.work import Moved, Stopped
from shared.ports import Work
from shared.records.leftovers import Leftovers, PlacelessRow, RootRow
from shared.storage.access import Access
from shared.upkeep.leftovers import LeftRow, Spared

log = logging.getLogger(__name__)

AT_ONCE = 200           # files looked at in one call
DEADLINE_S = 20.0       # for that many, on a slow network disk

Sight = Literal["there", "gone", "unsure"]
STATES = {
    "empty": "stands empty, as where a disk is not mounted",
    "absent": "is not there",
    "offline": "does not answer",
    "hanging": "does not answer in time",
}


class Absent:
    def __init__(self, *, records: Leftovers, access: Access) -> None:
        self._records = records
        self._access = access

    def find(self, *, gone: Sequence[tuple[str, str]] = (), uncached: Sequence[str] = (),
             work: Work) -> tuple[list[LeftRow], list[Spared]]:
        """Rows whose file is gone, with no copy that may be there and nothing in the cache; and what was left alone.

        gone        (provider, key) of objects that were just found to be gone
        uncached    hashes in the cache's list whose files were just found not to be there
        Costs some µs a track, and a look at each file that has no other place (10 µs on a disk of this machine).
        Raises Stopped.
        """
        found: list[LeftRow] = []
        spared: list[Spared] = []
        for root in self._records.roots():
            rows = list(self._records.placeless(root.id, gone=gone, uncached=uncached))
            if not rows:
                continue
            lost = sum(one.missing for one in rows)
            state = str(self._access.probe(to_path(root.path)))
            if state != "online":
                if lost:
                    spared.append(Spared(what=root.path, why=f"The folder {STATES.get(state, state)}: its "
                                                             f"{_tracks(lost)} may lie there still."))
                continue
            its, unsure = self._look_at(root, rows, work)
            found += its
            if unsure:
                spared.append(Spared(what=root.path, why=f"Of {_tracks(unsure)} it cannot be said whether their files "
                                                         "are gone: a folder cannot be read, a link leads nowhere, or "
                                                         "a disk below is not mounted."))
        return found, spared

    def still(self, rows: Sequence[LeftRow]) -> list[LeftRow]:
        """Those of `rows` whose files are still not there at this moment."""
        left: list[LeftRow] = []
        for path in dict.fromkeys(one.root for one in rows):
            its = [one for one in rows if one.root == path]
            if self._access.state(to_path(path)) != "online":
                continue
            try:
                seen = self._seen(path, [one.path for one in its])
            except StorageOffline:
                continue
            left += [one for one, (sight, _) in zip(its, seen, strict=True) if sight == "gone"]
        return left

    def _look_at(self, root: RootRow, rows: Sequence[PlacelessRow], work: Work) -> tuple[list[LeftRow], int]:
        gone: list[tuple[PlacelessRow, str | None]] = []
        unsure = 0
        for start in range(0, len(rows), AT_ONCE):
            if work.stopped():
                raise Stopped
            part = rows[start:start + AT_ONCE]
            work.tell(Moved("looking for files", start, len(rows), now=root.path))
            try:
                seen = self._seen(root.path, [one.path for one in part])
            except StorageOffline:
                log.info("the music folder %s went silent while it was looked at", root.path)
                return [], sum(one.missing for one in rows)
            for one, (sight, device) in zip(part, seen, strict=True):
                if sight == "gone":
                    gone.append((one, device))
                elif sight == "unsure" and one.missing:
                    unsure += 1
        work.tell(Moved("looking for files", len(rows), len(rows)))
        if not gone:
            return [], unsure
        # The numbers of disks may change with a restart; those of the files that are there tell which are in use.
        known = self._records.devices(root.id)
        found = []
        for one, device in gone:
            if one.device is None or device is None or one.device == device or one.device in known:
                found.append(LeftRow(track_id=one.track_id, title=one.title, artist=one.artist, root=root.path,
                                     path=one.path, missing=one.missing))
            else:
                unsure += 1
        return found, unsure

    def _seen(self, root: str, paths: Sequence[str]) -> list[tuple[Sight, str | None]]:
        """Raises StorageOffline."""
        folder = to_path(root)
        try:
            seen: list[tuple[Sight, str | None]] = self._access.call(
                folder, partial(list, look(folder, [to_path(one) for one in paths])), deadline_s=DEADLINE_S)
        except OSError as error:
            raise StorageOffline(f"{root} cannot be looked at: {error.strerror}.") from error
        return seen


def look(root: str, paths: Sequence[str]) -> Iterator[tuple[Sight, str | None]]:
    """Of each path relative to `root`: whether a file is there; for those that are gone also the device (st_dev) that
    the nearest folder on the way lies on. Raises OSError when the root itself is not there."""
    devices: dict[str, str | None] = {}     # folder → its device; None when nothing can be said of what is below
    own = os.stat(root)
    if not stat.S_ISDIR(own.st_mode):
        raise NotADirectoryError(root)
    devices[root] = str(own.st_dev)

    def device(folder: str) -> str | None:
        if folder not in devices:
            try:
                devices[folder] = str(os.stat(folder).st_dev)
            except (FileNotFoundError, NotADirectoryError):
                # A link that leads nowhere: to a disk that is not there, perhaps.
                devices[folder] = None if os.path.islink(folder) else device(os.path.dirname(folder))
            except OSError:
                devices[folder] = None
        return devices[folder]

    for path in paths:
        if "\0" in path:        # another file took its name; that is how the records call such a row
            yield "gone", devices[root]
            continue
        whole = os.path.join(root, path)
        try:
            os.stat(whole)
            yield "there", None
        except (FileNotFoundError, NotADirectoryError):
            near = None if os.path.islink(whole) else device(os.path.dirname(whole))
            yield ("unsure", None) if near is None else ("gone", near)
        except OSError:
            yield "unsure", None


def _tracks(count: int) -> str:
    return "one track" if count == 1 else f"{count:,} tracks"
