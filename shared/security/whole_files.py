"""Small files that are there whole or not at all, whatever is cut off while they are written; for keys above all.

A file is written beside its place, synced, and only then given its name. What a killed process left beside it is
removed by the next one that looks.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from pathlib import Path

PRIVATE, OPEN = 0o600, 0o644
_LEFT_S = 600.0         # a part this old belongs to nobody any more


def put_new(path: Path, data: bytes, *, mode: int = PRIVATE) -> bool:
    """Write `data` to `path` unless a file stands there; whether it was written. Raises OSError."""
    if path.exists():
        return False
    part = _written(path, data, mode)
    try:
        os.link(part, path)
    except FileExistsError:         # another process was quicker
        return False
    except OSError:                 # a file system without links
        if path.exists():
            return False
        part.replace(path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
    _sync_folder(path.parent)
    return True


def replace(path: Path, data: bytes, *, mode: int = PRIVATE) -> None:
    """Write `data` to `path`; until that is done, whoever reads it gets what stood there before. Raises OSError."""
    part = _written(path, data, mode)
    try:
        part.replace(path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
    _sync_folder(path.parent)


def clear_parts(folder: Path) -> None:
    """Remove what killed processes left in `folder`."""
    with contextlib.suppress(OSError):
        for part in folder.glob(".*.part"):
            with contextlib.suppress(OSError):
                if time.time() - part.stat().st_mtime > _LEFT_S:
                    part.unlink()


def close_to_others(path: Path) -> bool:
    """See to it that only this user may read `path`; whether others could before. Never raises."""
    if os.name != "posix":
        return False
    try:
        if not path.stat().st_mode & 0o077:
            return False
        path.chmod(PRIVATE)
    except OSError:
        return False
    return True


def _written(path: Path, data: bytes, mode: int) -> Path:
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise
    return part


def _sync_folder(folder: Path) -> None:
    """So that the name survives a power cut, too; where a folder can be synced."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
