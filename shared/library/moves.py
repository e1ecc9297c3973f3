"""Files moved about within a music folder: into its trash and back, never through a link.

Whoever can write to the folder could put a link in a folder's place, at any moment, and have the station move files
where only the station may. So folders are opened one below the other, none of them a link, and held open while
something in them is renamed. Where the system cannot do so (Windows), they are looked at just before. Paths are text,
relative to their root; errors are OSError, NotADirectoryError for a link.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator

from shared.model.filepath import to_path, to_text

HOME = ".soundsible"
TRASH = f"{HOME}/trash"

Spot = tuple[int | None, str]   # an open folder and a name in it; or None and a whole path

_HELD = hasattr(os, "O_NOFOLLOW") and hasattr(os, "O_DIRECTORY") and (
    {os.open, os.rename, os.link, os.mkdir} <= os.supports_dir_fd)
_READ = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_PASS = _READ | getattr(os, "O_PATH", 0)        # a folder that may be gone through, but not listed, will do


@contextlib.contextmanager
def spot(root: str, path: str, *, make: bool = False) -> Iterator[Spot]:
    """Where `root`/`path` is, or would be. With `make` its folders are made (not the root)."""
    folder, _, name = to_path(path).rpartition("/")
    if name in ("", ".", ".."):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
    parts = folder.split("/") if folder else []
    if any(part in ("", ".", "..") for part in parts):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
    if not _HELD:
        yield None, _looked_at(root, parts, name, make)
        return
    held = os.open(root, _PASS)
    try:
        for part in parts:
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, dir_fd=held)
            below = os.open(part, _PASS | os.O_NOFOLLOW, dir_fd=held)
            os.close(held)
            held = below
        yield held, name
    finally:
        os.close(held)


def is_there(root: str, path: str) -> bool:
    """Whether anything lies at `path`, be it a broken link."""
    try:
        with spot(root, path) as (folder, name):
            os.lstat(name, dir_fd=folder)
    except FileNotFoundError:
        return False
    return True


def stamp(root: str, path: str) -> tuple[int, int]:
    """Size and mtime_ns of the file at `path`, which may be a link itself."""
    with spot(root, path) as (folder, name):
        looked = os.stat(name, dir_fd=folder)
    return looked.st_size, looked.st_mtime_ns


def names(root: str, path: str) -> list[str]:
    """What lies in the folder at `path`, as text; nothing when it is not there or is a link."""
    try:
        with spot(root, path + "/-") as (folder, name):
            if folder is None:
                return [to_text(one) for one in os.listdir(os.path.dirname(name))]
            listed = os.open(".", _READ, dir_fd=folder)
            try:
                return [to_text(one) for one in os.listdir(listed)]
            finally:
                os.close(listed)
    except (FileNotFoundError, NotADirectoryError):
        return []


def make_trash(root: str, path: str, uid: str) -> None:
    """The track's folder in the trash. Raises when its file is not there, or could not be moved."""
    with spot(root, path) as (folder, name):
        os.lstat(name, dir_fd=folder)       # so that the place of an unmounted disk is never written to
        within = os.path.dirname(name) if folder is None else "."
        if not os.access(within, os.W_OK, dir_fd=folder):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
    with spot(root, f"{TRASH}/{uid}/-", make=True):
        pass


def move(root: str, here: str, there: str) -> None:
    """A rename to a place that is free or the station's own."""
    with spot(root, here) as (old, old_name), spot(root, there) as (new, new_name):
        os.rename(old_name, new_name, src_dir_fd=old, dst_dir_fd=new)


def move_back(root: str, uid: str, here: str, there: str) -> None:
    """Out of the trash; a rename that never goes over a file that is there."""
    if is_there(root, here):
        with spot(root, here) as (old, old_name), spot(root, there, make=True) as (new, new_name):
            try:
                # Fails when somebody was quicker.
                os.link(old_name, new_name, src_dir_fd=old, dst_dir_fd=new, follow_symlinks=False)
                os.unlink(old_name, dir_fd=old)
            except FileExistsError:
                raise
            except OSError:     # no hard links here
                if is_there(root, there):
                    raise
                os.rename(old_name, new_name, src_dir_fd=old, dst_dir_fd=new)
    clear(root, uid)


def remove(root: str, path: str) -> None:
    with contextlib.suppress(FileNotFoundError), spot(root, path) as (folder, name):
        os.unlink(name, dir_fd=folder)


def clear(root: str, uid: str) -> None:
    """Remove the track's own folder in the trash, once nothing is in it."""
    with contextlib.suppress(OSError), spot(root, f"{TRASH}/{uid}") as (folder, name):
        os.rmdir(name, dir_fd=folder)


def free_name(root: str, path: str, *, taken: bool = False) -> str:
    """`path`, or beside it "name (2).mp3" … when something lies there."""
    if not taken and not is_there(root, path):
        return path
    stem, ending = os.path.splitext(path)
    number = 2
    while is_there(root, f"{stem} ({number}){ending}"):
        number += 1
    return f"{stem} ({number}){ending}"


def _looked_at(root: str, parts: list[str], name: str, make: bool) -> str:
    at = root
    for part in parts:
        at = os.path.join(at, part)
        if make:
            with contextlib.suppress(FileExistsError):
                os.mkdir(at)
        if not stat.S_ISDIR(os.lstat(at).st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), at)
    return os.path.join(at, name)
