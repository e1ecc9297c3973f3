"""Reach the files of music folders for maintenance: only those that are here, that answer in time, and that lie where
the library says."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

from shared.library.walk import found_file
from shared.model.errors import NotFound, StorageOffline
from shared.model.filepath import to_text
from shared.model.scan import Found
from shared.records.upkeep import FileRow
from shared.storage.access import Access

#: Why the file of a track cannot be worked on, for people.
WHY = {
    "cloud": "It lies in the cloud only. To bring it back first: python3 run.py tool pin",
    "missing": "Its file is not there. Plug in its disk, or scan its folder.",
    "offline": "Its music folder does not answer now. Nothing is known of it, and nothing is changed.",
    "link": "It is reached through a link that leads out of its music folder, where the station changes nothing.",
    "no_file": "There is no regular file at its place.",
}


@dataclass(frozen=True, slots=True)
class Here:
    """A file that is here now."""

    file: FileRow
    path: str           # whole, as it is called
    real: str           # without links
    found: Found        # as it is at this moment

    @property
    def as_known(self) -> bool:
        """Whether it is as the library last saw it."""
        return (self.found.size_bytes, self.found.mtime_ns) == (self.file.size_bytes, self.file.mtime_ns)


class Reach:
    """Costs a stat and a look for links, by deadline, for each file."""

    def __init__(self, *, access: Access) -> None:
        self._access = access

    def here(self, file: FileRow) -> Here | str:
        """The file if it is here, else why it is not: a key of WHY."""
        root, whole = file.root, f"{file.root}/{file.path}"

        def look() -> tuple[os.stat_result, str, str]:
            return os.stat(whole), os.path.realpath(whole), os.path.realpath(root)

        try:
            looked, real, real_root = self._access.call(root, look)
        except StorageOffline:
            return "offline"
        except (FileNotFoundError, NotADirectoryError):
            if file.in_cloud:
                return "cloud"
            return "missing" if file.missing or self._answers(root) else "offline"
        except OSError:
            return "offline"
        if not stat.S_ISREG(looked.st_mode):
            return "no_file"
        if not real.startswith(real_root.rstrip(os.sep) + os.sep):
            return "link"
        return Here(file, whole, real, found_file(to_text(file.path), looked))

    def stamp(self, root: str, path: str) -> tuple[int, int] | None:
        """Size and mtime_ns of a file; None when it is not there. Raises StorageOffline, OSError."""
        try:
            looked = self._access.stat(root, path)
        except (FileNotFoundError, NotADirectoryError, NotFound):
            return None
        return looked.st_size, looked.st_mtime_ns

    def _answers(self, root: str) -> bool:
        return self._access.probe(root) == "online"
