"""Each download's own folder on the library's file system, and nothing outside it.

It lies in the first music folder, below `.soundsible` where no scan looks, so that the way onto the shelf is one
rename. It stays while the download waits or is paused, and goes when it is over.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import stat
import time
from collections.abc import Callable, Collection
from pathlib import Path

from shared.model.download import Failure
from shared.model.errors import SoundsibleError
from shared.model.units import Seconds

log = logging.getLogger(__name__)

ASKED_EVERY_S: Seconds = 2.0

_UID = re.compile(r"[a-z0-9]{1,64}\Z")


class Staging:
    """root    the folder for all of them (Intake.staging); raises Failure when there is none to write to."""

    def __init__(self, *, root: Callable[[], Path]) -> None:
        self._ask = root
        self._known: tuple[float, Path] | None = None

    def folder(self, uid: str) -> Path:
        """The folder of one download, made when it is not there. Raises Failure, OSError."""
        folder = self._place(uid)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.is_symlink():
            raise Failure("internal", "A link stands where a download's own folder should be. Remove it.")
        return folder

    def part(self, uid: str, candidate_id: str) -> Path:
        """The folder in it for what comes from one candidate, so that partial files of two are never mixed."""
        folder = self.folder(uid) / (candidate_id if _UID.match(candidate_id) else "own")
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def clear_part(self, uid: str, candidate_id: str) -> None:
        try:
            _remove(self._place(uid) / (candidate_id if _UID.match(candidate_id) else "own"))
        except SoundsibleError as silent:
            log.debug("a part of the staging folder of %s stays for now: %s", uid, silent.message)

    def confined(self, uid: str, path: str | Path) -> Path:
        """`path`, when it is a regular file in the download's own folder, links followed. Raises Failure."""
        home = self._place(uid).resolve()
        real = Path(path).resolve()
        if not real.is_relative_to(home) or real == home:
            raise Failure("internal", "The file that was fetched lies outside this download's own folder; "
                                      "it is left alone.")
        try:
            if not stat.S_ISREG(os.lstat(real).st_mode):
                raise Failure("not_audio", "What was fetched is no regular file.")
        except FileNotFoundError:
            raise Failure("internal", "What was fetched is gone from its folder.") from None
        return real

    def clear(self, uid: str) -> None:
        """Remove a download's folder with all that is in it; fine when there is none."""
        try:
            _remove(self._place(uid))
        except SoundsibleError as silent:    # the music folder is away: reconciled at the next start
            log.debug("the staging folder of %s stays for now: %s", uid, silent.message)

    def there(self) -> frozenset[str]:
        """The downloads that have a folder now; none when the music folder is away."""
        try:
            return frozenset(os.listdir(self._root()))
        except (SoundsibleError, OSError) as silent:
            log.debug("staging cannot be looked through: %s", silent)
            return frozenset()

    def keep_only(self, uids: Collection[str]) -> int:
        """Remove the folders of all downloads but `uids`: leftovers of a crash. How many there were."""
        try:
            root = self._root()
            names = sorted(os.listdir(root))
        except (SoundsibleError, OSError) as silent:
            log.debug("staging cannot be looked through: %s", silent)
            return 0
        left = [name for name in names if _UID.match(name) and name not in uids]
        for name in left:
            _remove(root / name)
        if left:
            log.info("%d folders of downloads that are over were removed from staging", len(left))
        return len(left)

    def _root(self) -> Path:
        """The same for a moment: asking looks at every music folder."""
        known, now = self._known, time.monotonic()
        if known is None or now - known[0] > ASKED_EVERY_S:
            known = self._known = (now, self._ask())
        return known[1]

    def _place(self, uid: str) -> Path:
        if not _UID.match(uid):
            raise ValueError(f"{uid!r} is no id")
        return self._root() / uid


def _remove(folder: Path) -> None:
    try:
        if folder.is_symlink():
            folder.unlink()
        else:
            shutil.rmtree(folder)
    except FileNotFoundError:
        pass
    except OSError as error:
        log.warning("%s cannot be removed: %s", folder, error.strerror)
