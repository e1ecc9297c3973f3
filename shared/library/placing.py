"""Put a finished file into its place in a music folder: at one blow, never over another file, and so that it lasts.

As in library.moves, folders are opened one below the other and no link is followed. A second name for the file is tried
first, which fails where somebody was quicker; where there are no hard links, a name is claimed and then filled.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from pathlib import Path

from shared import durable
from shared.library import moves

NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EINVAL,
                      errno.EXDEV, errno.EACCES})


def put(staged: str, root: str, target: str) -> None:
    """`staged` under a second name that was free until now, or moved to it. Raises FileExistsError."""
    with moves.spot(root, target, make=True) as (folder, name):
        try:
            os.link(staged, name, dst_dir_fd=folder, follow_symlinks=False)
        except FileExistsError:
            if not _same_file(staged, folder, name):
                raise
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            # No hard links here. The name is claimed, which fails where somebody was quicker, and then filled.
            os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=folder))
            _move(staged, folder, name)
        allow_reading(folder, name)
        sync_at(folder, name)
    parent = target.rpartition("/")[0]
    while parent:       # folders that were made for it
        with moves.spot(root, parent) as (folder, name):
            sync_at(folder, name)
        parent = parent.rpartition("/")[0]


def put_over(staged: str, root: str, target: str) -> None:
    """`staged` in the place of the file that lies there, at one blow; it keeps its staged name where it can."""
    with moves.spot(root, target) as (folder, name):
        aside = f".soundsible-{secrets.token_hex(8)}{os.path.splitext(name)[1][:16]}"
        spot = aside if folder is not None else os.path.join(os.path.dirname(name), aside)
        try:
            os.link(staged, spot, dst_dir_fd=folder, follow_symlinks=False)
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            _copy(staged, folder, spot)
        try:
            allow_reading(folder, spot)
            os.replace(spot, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(spot, dir_fd=folder)
            raise
        sync_at(folder, name)


def copy_between(here: int | None, source: str, there: int | None, target: str) -> None:
    """The file `source` in the open folder `here` as a new file `target` in `there`, synced. Raises FileExistsError."""
    try:
        with open(os.open(source, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0), dir_fd=here), "rb") as old, open(
                os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=there), "wb") as new:
            shutil.copyfileobj(old, new, 1 << 20)
            new.flush()
            os.fsync(new.fileno())
    except FileExistsError:
        raise
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(target, dir_fd=there)
        raise


def allow_reading(folder: int | None, name: str) -> None:
    """Workers write for the station's user alone; in a music folder a file may be read by whoever may read its folder.
    """
    with contextlib.suppress(OSError, NotImplementedError):
        mode = os.stat(".", dir_fd=folder).st_mode if folder is not None else os.stat(os.path.dirname(name)).st_mode
        os.chmod(name, mode & 0o666 | 0o600, dir_fd=folder)


def sync_at(folder: int | None, name: str) -> None:
    """What has just come to be called `name` is called so after a power cut, too."""
    if folder is None:
        durable.sync_folder(Path(name).parent)
        return
    with contextlib.suppress(PermissionError):      # a folder that may be gone through, but not listed
        # Opened for passing through alone, it cannot be synced itself.
        handle = os.open(".", os.O_RDONLY | getattr(os, "O_DIRECTORY", 0), dir_fd=folder)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _same_file(staged: str, folder: int | None, name: str) -> bool:
    return os.path.samestat(os.lstat(staged), os.stat(name, dir_fd=folder, follow_symlinks=False))


def _move(staged: str, folder: int | None, name: str) -> None:
    """Onto a name that is claimed; to another disk by a copy that takes its place when it is whole."""
    try:
        os.replace(staged, name, dst_dir_fd=folder)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        aside = f".soundsible-{secrets.token_hex(8)}{os.path.splitext(name)[1][:16]}"
        spot = aside if folder is not None else os.path.join(os.path.dirname(name), aside)
        _copy(staged, folder, spot)
        os.replace(spot, name, src_dir_fd=folder, dst_dir_fd=folder)


def _copy(source: str, folder: int | None, name: str) -> None:
    copy_between(None, source, folder, name)
