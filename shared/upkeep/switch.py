"""The moment in which one library takes the place of another: all of it or nothing, wherever it is cut off.

Everything is made ready first, on the same disk. Then one small file says what goes where, and from that moment the
switch is decided: each step is one rename, and whoever comes next (the station at its start, any tool command) walks
the remaining ones. Before that file is there, nothing has changed. Standard library and words only: the station looks
here at every start, which costs one stat.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shared import durable
from shared.library.scan_lock import ScanLock
from shared.model.errors import Conflict, StartFailed

JOURNAL, LOCK = ".restore.json", "restore.lock"
STAGING = ".restore"        # in the data folder: what is made ready
PATIENCE_S = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One file's way. `live` goes to `aside` (None: it is written over), `staged` (None: nothing does) to `live`."""

    live: Path
    aside: Path | None
    staged: Path | None


def lock(data_dir: Path) -> ScanLock:
    """Held by who restores, from the first look to the end. Raises Conflict when somebody else does."""
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    held = ScanLock(data_dir, LOCK)
    if not held.acquire(patience_s=PATIENCE_S):
        raise Conflict("A restore is going on on this home. Try again when it is done.")
    return held


def decide(data_dir: Path, pieces: Sequence[Piece]) -> None:
    """Switch. Everything staged must be on the disk; the caller holds the lock. Raises OSError (see `settle`)."""
    told = [{"live": str(one.live), "aside": str(one.aside) if one.aside else None,
             "staged": str(one.staged) if one.staged else None} for one in pieces]
    durable.write(data_dir / JOURNAL, json.dumps({"version": 1, "pieces": told}).encode())
    durable.sync_folder(data_dir)
    _walk(data_dir, pieces)


def settle(data_dir: Path) -> bool:
    """Finish a switch that was cut off; whether there was one. One stat when there was not.

    Raises Conflict while a restore goes on, StartFailed when it cannot be finished.
    """
    if not os.path.exists(data_dir / JOURNAL):
        return False
    held = lock(data_dir)
    try:
        return settle_held(data_dir)
    finally:
        held.release()


def settle_held(data_dir: Path) -> bool:
    """The same for who holds the lock; what was made ready and never decided on goes, too."""
    path = data_dir / JOURNAL
    if not path.exists():
        shutil.rmtree(data_dir / STAGING, ignore_errors=True)
        return False
    try:
        told = json.loads(path.read_text("utf-8"))
        pieces = [Piece(live=Path(one["live"]), aside=Path(one["aside"]) if one["aside"] else None,
                        staged=Path(one["staged"]) if one["staged"] else None) for one in told["pieces"]]
        _walk(data_dir, pieces)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StartFailed(
            f"A restore was cut off and cannot be finished: {error}. What stood there before and what was to come are "
            f"still on the disk; {path} says where. Make the folder writable, or make room, and try again."
        ) from error
    return True


def _walk(data_dir: Path, pieces: Sequence[Piece]) -> None:
    """Every step that has not been done yet, in order. A piece whose `staged` is gone has arrived, and so has all
    before it."""
    arrived = max((at for at, one in enumerate(pieces) if one.staged and not one.staged.exists()), default=-1)
    for one in pieces[arrived + 1:]:
        if one.aside is not None and os.path.lexists(one.live) and not os.path.lexists(one.aside):
            one.aside.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.rename(one.live, one.aside)
            durable.sync_folder(one.aside.parent)
        if one.staged is not None:
            one.live.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.replace(one.staged, one.live)
        if one.live.parent.is_dir():
            durable.sync_folder(one.live.parent)
    (data_dir / JOURNAL).unlink()
    durable.sync_folder(data_dir)
    shutil.rmtree(data_dir / STAGING, ignore_errors=True)

