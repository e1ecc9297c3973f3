"""Files that are there whole or not at all, whatever happens meanwhile: written beside, synced, renamed."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path


def write(path: Path, data: bytes, *, mode: int = 0o600, over: bool = True) -> None:
    """`data` becomes the file `path`, at once. The folder above must be there.

    over    whether it may take the place of another; else FileExistsError.

    Raises OSError; what was there is then untouched and nothing is left beside it. A caller who tells others of the
    file syncs the folder too.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if over:
            part.replace(path)
        else:
            _put_new(part, path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def sync_folder(folder: Path | str) -> None:
    """Have the names in `folder` on the disk. Nothing on Windows, where folders cannot be opened."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _put_new(part: Path, path: Path) -> None:
    """`part` becomes `path`, never over another. Raises FileExistsError."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError:         # a file system without links
        if path.exists():
            raise FileExistsError(path) from None
        part.replace(path)
