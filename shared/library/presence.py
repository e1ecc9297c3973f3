"""One station on a home at a time, and where it answers, for the command line to know.

`station.lock` in the data folder is locked while the station lives; `station.json` beside it says its address. A
lock ends with its process, so that a crash leaves nothing behind that anybody has to clean up.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from shared.library.scan_lock import ScanLock
from shared.model.errors import StartFailed

PATIENCE_S = 6.0    # for a station that is just stopping


class Presence:
    """What a station says of itself to this machine."""

    def __init__(self, folder: Path) -> None:
        self._lock = ScanLock(folder, "station.lock")
        self._told = folder / "station.json"

    def claim(self) -> None:
        """Be the one station on this home. Raises StartFailed when another one is."""
        if not self._lock.acquire(patience_s=PATIENCE_S):
            at = self.address()
            raise StartFailed(
                f"A station runs on this home already{f' (port {at[1]})' if at else ''}. Stop that one first, or give "
                "this one a home of its own with --home DIR."
            )

    def tell(self, host: str, port: int) -> None:
        """Say where it answers."""
        part = self._told.with_suffix(".part")
        part.write_text(json.dumps({"pid": os.getpid(), "host": host, "port": port}))
        os.replace(part, self._told)

    def leave(self) -> None:
        self._told.unlink(missing_ok=True)
        self._lock.release()

    def address(self) -> tuple[str, int] | None:
        """(host, port) of the station that runs on this home; None when none does, or it has not said so yet."""
        if self._lock.is_free():
            return None
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            told: Any = json.loads(self._told.read_text())
            return str(told["host"]), int(told["port"])
        return None
