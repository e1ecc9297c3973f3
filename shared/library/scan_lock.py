"""One scan at a time on a library, whoever starts it: a lock on a file in the data folder."""

from __future__ import annotations

from pathlib import Path

from shared.storage.file_lock import FileLock


class ScanLock(FileLock):
    """Held by the process that scans (or, by another name, by the station itself)."""

    def __init__(self, folder: Path, name: str = "scan.lock") -> None:
        super().__init__(folder, name)
