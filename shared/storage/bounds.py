"""Where links in a music folder may lead, and how a file that others may have put there is opened.

People keep music through links, also out of the music folder; whoever can write there must not thereby read the
station's machine. So what lies outside its music folder is read only when it is called as what it is taken for: a
link that.flac may lead to /mnt/more/that.flac, never to /etc/shadow, and never into the station's own folders or the
kernel's. Touches no file at import; imported by worker processes too.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Sequence

from shared.model.track import EXTENSIONS

LYRICS = ".lrc"
PICTURE_EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp")
NEVER = ("/proc", "/sys", "/dev")       # the kernel's: what a process keeps secret stands there as files
_KINDS = {
    **dict.fromkeys(EXTENSIONS, "media"), **dict.fromkeys(PICTURE_EXTENSIONS, "picture"), LYRICS: "lyrics",
}
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)


class Bounds:
    """`closed_folders`: the station's own; they need not be there yet. `also`: further real paths, not touched."""

    def __init__(self, closed_folders: Sequence[str | os.PathLike[str]] = (), *, also: Sequence[str] = ()) -> None:
        self._own = tuple(os.path.realpath(folder) for folder in closed_folders)
        self.closed = (*self._own, *also, *NEVER)

    def is_closed(self, real: str, real_root: str) -> bool:
        """Whether `real` lies in a closed folder. A music folder that lies in one itself (the demo's does) is none."""
        for folder in self.closed:
            if beneath(real, folder) and not (beneath(real_root, folder) and beneath(real, real_root)):
                return True
        return False

    def is_astray(self, path: str, real: str, real_root: str) -> bool:
        """Whether the file at `path`, which really is `real`, must not be read. All but `path` without links."""
        if self.is_closed(real, real_root):
            return True
        return not beneath(real, real_root) and not alike(path, real)

    def is_own(self, looked: os.stat_result) -> bool:
        """Whether this is one of the station's own files under a second name (a hard link). Nothing for most files,
        some 20 µs for those that have several names."""
        if looked.st_nlink < 2:
            return False
        for folder in self._own:
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        if entry.inode() == looked.st_ino and (
                            entry.stat(follow_symlinks=False).st_dev == looked.st_dev
                        ) and entry.is_file(follow_symlinks=False):
                            return True
            except OSError:
                continue    # it is not there (yet)
        return False


def beneath(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder if folder.endswith("/") else folder + "/")


def alike(one: str, other: str) -> bool:
    """Whether both are called as music, both as pictures, or both as lyrics."""
    kind = _KINDS.get(os.path.splitext(one)[1].lower())
    return kind is not None and kind == _KINDS.get(os.path.splitext(other)[1].lower())


def real_path(descriptor: int, path: str) -> str:
    """Of what is open, whatever became of `path` meanwhile (where the system tells)."""
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:  # not Linux
        return os.path.realpath(path)


def open_regular(path: str, *, flags: int = 0) -> io.FileIO:
    """The regular file at `path`, unbuffered. Never waits for the other end of a FIFO. Raises OSError."""
    descriptor = os.open(path, _FLAGS | flags)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "This is no regular file", path)
        return io.FileIO(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_beside(path: str, limit: int) -> bytes:
    """At most `limit` bytes of a picture or lyrics that lie beside music. A link must lead to what is called alike.

    Raises OSError. For worker processes, which know of no music folders: what leads into the station's own folders
    is refused by its name alone.
    """
    try:
        file = open_regular(path, flags=_NOFOLLOW)
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.EMLINK):
            raise
        file = open_regular(path)
    with file:
        if not alike(path, real_path(file.fileno(), path)):
            raise PermissionError(errno.EACCES, "This link leads to something else", path)
        return io.BufferedReader(file).read(limit)
