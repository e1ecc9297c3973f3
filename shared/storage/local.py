"""The storage that is this machine's own music folders."""

from __future__ import annotations

import stat
from typing import BinaryIO

from shared.model.errors import NotFound, StorageOffline
from shared.model.filepath import to_path
from shared.model.source import LocalFile, TrackFile
from shared.storage.access import Access


class LocalStorage:
    """Files where the scan found them (ports.Storage)."""

    name = "local"

    def __init__(self, *, access: Access) -> None:
        self._access = access

    def locate(self, file: TrackFile) -> LocalFile | None:
        """The file as it is now, which may be newer than the scan; None when its folder answers without it. Its hash is
        told when it is known and the file is as it was then.

        Costs one look at the file (10 µs on a disk of this machine), and one at the folder when it is not there. Raises
        StorageOffline when the folder hangs, is gone or stands empty, or the file may not be read.
        """
        root, path = to_path(file.root), to_path(file.path)
        try:
            found = self._access.stat(root, path, readable=True)
        except (FileNotFoundError, NotADirectoryError):
            state = self._access.state(root)
            if state == "online":
                state = self._access.probe(root)    # what was remembered may be what is just over
            if state == "online":
                return None
            if state == "empty":
                raise StorageOffline("The music folder this track lies in is empty: is its disk mounted?") from None
            if state == "absent":
                raise StorageOffline("The music folder this track lies in is gone: is its disk plugged in?") from None
            raise StorageOffline("The music folder this track lies in does not answer.") from None
        except NotFound:
            return None
        except PermissionError as error:
            raise StorageOffline(
                "The station may not read this track's file. Give its user the right to read it."
            ) from error
        except OSError as error:
            raise StorageOffline(f"This track's file cannot be looked at ({error.strerror}).") from error
        if not stat.S_ISREG(found.st_mode):
            return None
        as_it_was = (found.st_size, found.st_mtime_ns) == (file.size_bytes, file.mtime_ns)
        return LocalFile(f"{root}/{path}", found.st_size, found.st_mtime_ns, file.mime_type,
                         file.sha256 if as_it_was else None)

    def open_same(self, file: TrackFile, sha256: str) -> BinaryIO | None:
        """The file, open, when it is here now and holds just these bytes; None else."""
        try:
            found = self.locate(file)
            if found is None or found.sha256 != sha256:
                return None
            return self._access.open(to_path(file.root), to_path(file.path))
        except (StorageOffline, NotFound, OSError):
            return None
