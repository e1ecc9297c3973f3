"""Look through a music folder: which media files, pictures and lyrics lie in it, at the cost of one stat a file.

A folder that cannot be listed is named in `Walk.unreadable`, and nothing may be concluded about what lies in it.
A link is followed where storage.bounds lets it lead; the kernel's file systems and the station's folders are no music.
A folder whose listing never comes back (a stale network mount) can be given up with `Walk.skip_stuck`; the walk
then goes on with the others in a new thread.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from shared.model.filepath import to_path, to_text
from shared.model.scan import Found, Picture
from shared.model.track import EXTENSIONS
from shared.storage.bounds import LYRICS, PICTURE_EXTENSIONS, Bounds
from shared.storage.mounts import Mounts

PICTURE_NAMES = ("cover", "folder", "front", "albumart")        # the best first; albumart may go on (AlbumArtSmall)
# Folders that systems make for themselves. Names that begin with a dot are passed over as well.
NOT_MUSIC = frozenset({"@eaDir", "#recycle", "#snapshot", "$RECYCLE.BIN", "System Volume Information", "lost+found"})

_MEDIA, _LYRICS, _PICTURE = 1, 2, 3
_KINDS = {
    **dict.fromkeys(EXTENSIONS, _MEDIA), **{one.upper(): _MEDIA for one in EXTENSIONS}, LYRICS: _LYRICS,
    **dict.fromkeys(PICTURE_EXTENSIONS, _PICTURE),
}
_NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
_Place = tuple[str, str, str | None]    # a folder to list: its text, its path, its real path when a link leads to it
_UNFINISHED = re.compile(r"\.soundsible-[0-9a-f]{16}\.\w{1,15}")      # as audio.tags calls them
_LEFT_AFTER_S = 3600.0
_LIST_BY_FD = os.scandir in os.supports_fd      # names are then looked up in the open folder, not from / each time
_OPEN = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NONBLOCK", 0)


@dataclass(slots=True)
class Folder:
    """What lies directly in one folder. `path` is relative to the root, as text; "" is the root itself."""

    path: str
    files: list[tuple[str, os.stat_result]] = field(default_factory=list)   # relative path as text, links followed
    lyrics: dict[str, str] = field(default_factory=dict)    # path of the .lrc without its ending → "size-mtime_ns"
    picture: Picture | None = None
    doubtful: list[str] = field(default_factory=list)       # files that did not let themselves be looked at
    leftovers: list[str] = field(default_factory=list)      # copies of edits: under way, or cut off


class Walk:
    """One walk through `root` (absolute, as the file system wants it). Made anew for each scan.

    `others` are the other music folders: a link that leads into one is not followed, its files have their own.
    `closed` are the station's own folders: nothing in them is music, but for a music folder that lies in one itself.
    Real folders come before linked ones, so that a file that is reached twice is known by its real path.
    """

    def __init__(self, root: str, *, others: Sequence[str] = (),
                 closed: Sequence[str | os.PathLike[str]] = ()) -> None:
        self.root = root
        self.unreadable: dict[str, OSError] = {}    # folder as text → why
        self.folders = 0
        self.done = False
        self._others = tuple(others)
        self._bounds = Bounds(closed, also=Mounts().kernels())
        self._fences: frozenset[str] | None = None      # closed folders within the root, by their relative paths
        self._stack: list[_Place] = [("", root, None)]      # the next one last
        self._links: list[_Place] = []
        self._linked: set[str] = set()      # real paths of folders that links lead to
        self._real: str | None = None       # of the root, once there is a link
        self._current: Folder | None = None
        self._asking = False        # a call on the file system may be under way
        self._turn = 0
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[Folder]:
        """The folders, one after the other. Raises OSError when the root itself cannot be listed."""
        turn = self._turn
        while True:
            with self._lock:
                if turn != self._turn:
                    return  # given up meanwhile: another thread walks on
                if not self._stack:
                    if not self._links:
                        self._current = None
                        self.done = True
                        return
                    self._links.sort(reverse=True)
                    self._stack.append(self._links.pop())
                text, path, real = self._stack.pop()
                folder = self._current = Folder(text)
                self._asking = True
            below: list[_Place] = []
            linked: list[_Place] = []
            error = self._list(folder, path, real, below, linked)
            with self._lock:
                if turn != self._turn:
                    return
                self._asking = False
                if error is not None:
                    if not text:
                        raise error
                    if error.errno not in _NOT_THERE:
                        self.unreadable[text] = error
                below.sort(reverse=True)
                self._stack += below
                self._links += linked
                self.folders += 1
            yield folder

    def beat(self) -> tuple[int, int] | None:
        """Moves as long as the file system answers; None while it is not asked."""
        folder = self._current
        if not self._asking or folder is None:
            return None
        return self.folders, len(folder.files) + len(folder.doubtful)

    def skip_stuck(self) -> str | None:
        """Give up the folder under way: it is unreadable, the thread in it is forgotten. Its path, or None.

        Who calls this iterates anew, in another thread, to go on.
        """
        with self._lock:
            if not self._asking or self._current is None:
                return None
            self._turn += 1
            self._asking = False
            text = self._current.path
            self.unreadable[text] = TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
            return text

    # ---- inside ---------------------------------------------------------------------------------------------------

    def _list(self, folder: Folder, path: str, real: str | None, below: list[_Place],
              linked: list[_Place]) -> OSError | None:
        """Fill `folder`. The error that ended the listing early, if one did."""
        if real is not None:
            if real in self._linked:
                return None     # a loop, or a second way to a place that was listed already
            self._linked.add(real)
        try:
            if self._fences is None:
                self._fences = self._find_fences()
            if not _LIST_BY_FD:
                self._read(folder, path, path, real, below, linked)
                return None
            descriptor = os.open(path, _OPEN)
            try:
                self._read(folder, path, descriptor, real, below, linked)
            finally:
                os.close(descriptor)
            return None
        except OSError as error:
            return error

    def _read(self, folder: Folder, path: str, listed: str | int, real: str | None, below: list[_Place],
              linked: list[_Place]) -> None:
        files, kinds, media, fences = folder.files, _KINDS, _MEDIA, self._fences
        prefix = folder.path + "/" if folder.path else ""
        within = path if path.endswith("/") else path + "/"
        best: tuple[int, int, str] | None = None
        best_entry: os.DirEntry[str] | None = None
        with os.scandir(listed) as entries:
            for entry in entries:   # a hundred thousand times: every call counts
                name = entry.name
                if name[0] == ".":
                    if real is None and _UNFINISHED.fullmatch(name):
                        folder.leftovers.append(prefix + _text(name))
                    continue
                ending = name[name.rfind("."):]
                kind = kinds.get(ending) or kinds.get(ending.lower())
                if kind == media:
                    try:
                        looked = entry.stat()
                    except OSError as error:
                        if error.errno not in _NOT_THERE:
                            folder.doubtful.append(prefix + _text(name))
                        continue
                    if looked.st_mode & 0o170000 == 0o100000:       # stat.S_ISREG
                        if entry.is_symlink() and self._is_astray(within + name):
                            continue
                        files.append((prefix + (name if name.isascii() else _text(name)), looked))
                        continue
                    if not stat.S_ISDIR(looked.st_mode):
                        continue    # a FIFO or a device that is called song.mp3
                elif name in NOT_MUSIC or not _is_folder(entry):
                    if kind == _LYRICS:
                        if not (entry.is_symlink() and self._is_astray(within + name)):
                            _note_lyrics(folder, prefix, entry)
                    elif kind == _PICTURE:
                        rank = picture_rank(name)
                        if rank is not None and (best is None or rank < best) and not (
                                entry.is_symlink() and self._is_astray(within + name)):
                            best, best_entry = rank, entry
                    continue
                if fences and prefix + name in fences:
                    continue
                if entry.is_symlink():
                    its_real = os.path.realpath(within + name)
                    if self._is_wanted(its_real):
                        linked.append((prefix + _text(name), within + name, its_real))
                else:
                    below.append((prefix + _text(name), within + name, None if real is None else f"{real}/{name}"))
            if best_entry is not None:
                folder.picture = _picture(folder.path, prefix, best_entry)

    def _is_wanted(self, real: str) -> bool:
        """Whether a folder that a link leads to is not met on a way of its own, here or in another music folder."""
        own = self._own_real()
        if self._bounds.is_closed(real, own):
            return False
        if real == own or own.startswith(real.rstrip("/") + "/"):
            return False    # a loop
        for root in (own, *self._others):
            below = root.rstrip("/") + "/"
            if real == root or (real.startswith(below) and not any(
                    part.startswith(".") or part in NOT_MUSIC for part in real[len(below):].split("/"))):
                return False
        return True

    def _is_astray(self, link: str) -> bool:
        return self._bounds.is_astray(link, os.path.realpath(link), self._own_real())

    def _own_real(self) -> str:
        if self._real is None:
            self._real = os.path.realpath(self.root)
        return self._real

    def _find_fences(self) -> frozenset[str]:
        below = self._own_real().rstrip("/") + "/"
        return frozenset(folder[len(below):] for folder in self._bounds.closed if folder.startswith(below))


def found_file(path: str, looked: os.stat_result) -> Found:
    """The word for one of a folder's files."""
    return Found(path, looked.st_size, looked.st_mtime_ns, str(looked.st_dev), str(looked.st_ino))


def remove_leftovers(root: str, paths: Sequence[str]) -> None:
    """Remove those of a folder's unfinished copies that nobody has touched for an hour: their edit was killed."""
    for path in paths:
        whole = os.path.join(root, to_path(path))
        try:
            looked = os.lstat(whole)
            # By the time that nobody can set: a copy may carry the time of its original.
            if stat.S_ISREG(looked.st_mode) and time.time() - looked.st_ctime > _LEFT_AFTER_S:
                os.unlink(whole)
        except OSError:
            continue    # somebody else removed it, or the disk is read-only


def picture_rank(name: str) -> tuple[int, int, str] | None:
    """How well a picture of this name serves as the cover of its folder (least first); None: not at all."""
    stem, dot, ending = name.lower().rpartition(".")
    ending = dot + ending
    if ending not in PICTURE_EXTENSIONS:
        return None
    for place, wanted in enumerate(PICTURE_NAMES):
        if stem == wanted or (wanted == "albumart" and stem.startswith(wanted)):
            return place, PICTURE_EXTENSIONS.index(ending), name
    return None


def _note_lyrics(folder: Folder, prefix: str, entry: os.DirEntry[str]) -> None:
    try:
        looked = entry.stat()
    except OSError:
        return
    if not stat.S_ISREG(looked.st_mode):
        return
    folder.lyrics[prefix + _text(entry.name[:-len(LYRICS)])] = f"{looked.st_size}-{looked.st_mtime_ns}"


def _picture(folder: str, prefix: str, entry: os.DirEntry[str]) -> Picture | None:
    try:
        looked = entry.stat()
    except OSError:
        return None
    if not stat.S_ISREG(looked.st_mode):
        return None
    return Picture(folder, prefix + _text(entry.name), looked.st_size, looked.st_mtime_ns)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _text(name: str) -> str:
    """`to_text`, quicker for the many names that are good UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return to_text(name)
    return name
