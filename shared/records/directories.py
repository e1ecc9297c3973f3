"""The music folders as directories with names of their own, for apps that browse files.

A directory's id follows from where it is (`d` and 20 hex digits of a hash of its root and path), so it stays the same
for ever and nothing is stored. What leads back is made at need: for each directory a file in it and how deep in that
file's path it ends, sorted by the hash's first 8 bytes (16 bytes a directory; 0.2 s at 100,000 tracks). A directory
that is found in one that is out of date is right all the same, since its path is compared; only what is not found makes
a new one.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
import threading
from array import array
from bisect import bisect_left
from dataclasses import dataclass

from shared.database import Database, driver_cursor
from shared.model.errors import NotFound
from shared.records import revisions

_ID = re.compile(r"d[0-9a-f]{20}")
# Files whose tracks are shown, of a root, between two paths.
_FILES = (
    "SELECT f.path, t.id, a.uid, a.artwork_id FROM files f JOIN tracks t ON t.id = f.track_id "
    "LEFT JOIN albums a ON a.id = t.album_id WHERE f.root_id = ? AND f.path >= ? AND f.path < ? "
    "AND t.trashed_at IS NULL ORDER BY f.path"
)
_END = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Directory:
    """`path` is beneath the root, as text (see model.filepath); "" is the root itself."""

    root_id: int
    path: str
    name: str

    @property
    def id(self) -> str:
        return directory_id(self.root_id, self.path)

    @property
    def parent(self) -> Directory | None:
        """None: of a root."""
        above, _, _ = self.path.rpartition("/")
        return Directory(self.root_id, above, above.rpartition("/")[2]) if self.path else None


@dataclass(frozen=True, slots=True)
class Inside:
    """What lies in a directory. `pictures`: path of a directory → public id of an album in it that has a picture."""

    directories: list[Directory]
    tracks: list[int]       # inner ids, by the names of their files
    pictures: dict[str, str]


def directory_id(root_id: int, path: str) -> str:
    return "d" + hashlib.blake2b(f"{root_id}\0{path}".encode(), digest_size=10).hexdigest()


class Directories:
    """For who may see files: nothing is left out for anybody."""

    def __init__(self, *, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._library = -1
        self._hashes: array[int] = array("Q")
        self._where: array[int] = array("Q")    # key of a file × 256 + depth

    def find(self, id: str) -> Directory:
        """The directory with this id. Raises NotFound."""
        if _ID.fullmatch(id):
            with self._database.read() as conn:
                cursor = driver_cursor(conn)
                found = self._look(cursor, id)
                if found is None and self._make(cursor, revisions.library(conn)):
                    found = self._look(cursor, id)
                if found is not None:
                    return found
        raise NotFound("There is no such directory here.")

    def inside(self, directory: Directory) -> Inside:
        """What lies in it, by name; empty when there is no music."""
        prefix = f"{directory.path}/" if directory.path else ""
        end = f"{directory.path}0" if directory.path else _END      # 0 follows the slash
        directories: list[Directory] = []
        tracks: list[int] = []
        pictures: dict[str, str] = {}
        low: str | None = prefix
        with self._database.read() as conn:
            cursor = driver_cursor(conn)
            while low is not None:
                rows, low = cursor.execute(_FILES, (directory.root_id, low, end)), None
                for path, key, album_uid, artwork in rows:      # taken one by one: the rest is never looked up
                    name, slash, _ = path[len(prefix):].partition("/")
                    if not slash:
                        tracks.append(key)
                        continue
                    if artwork is not None:
                        pictures[prefix + name] = album_uid
                    directories.append(Directory(directory.root_id, prefix + name, name))
                    low = f"{prefix}{name}0"
                    break
        return Inside(directories, tracks, pictures)

    # ---- from an id to where it is

    def _look(self, cursor: sqlite3.Cursor, id: str) -> Directory | None:
        with self._lock:
            hashes, where = self._hashes, self._where
        wanted = int(id[1:17], 16)
        at = bisect_left(hashes, wanted)
        while at < len(hashes) and hashes[at] == wanted:
            file, depth = divmod(where[at], 256)
            at += 1
            row = cursor.execute("SELECT root_id, path FROM files WHERE id = ?", (file,)).fetchone()
            if row is None:
                continue
            parts = row[1].split("/")[:depth]
            if directory_id(row[0], "/".join(parts)) == id:
                return Directory(row[0], "/".join(parts), parts[-1] if parts else "")
        return None

    def _make(self, cursor: sqlite3.Cursor, library: int) -> bool:
        """Anew, when the library moved since; whether it did."""
        with self._lock:
            if self._library == library:
                return False
        found: list[tuple[int, int]] = []
        before: tuple[int, list[str]] = (-1, [])
        rows = cursor.execute("SELECT root_id, path, id FROM files WHERE trashed_from IS NULL ORDER BY root_id, path")
        for root_id, path, file in rows:
            parts = path.split("/")[:-1][:255]
            if before == (root_id, parts):
                continue
            common = -1
            if before[0] == root_id:
                common = 0
                for one, other in zip(parts, before[1], strict=False):
                    if one != other:
                        break
                    common += 1
            for depth in range(common + 1, len(parts) + 1):
                number = int(directory_id(root_id, "/".join(parts[:depth]))[1:17], 16)
                found.append((number, file * 256 + depth))
            before = (root_id, parts)
        found.sort()
        with self._lock:
            self._hashes = array("Q", (one[0] for one in found))
            self._where = array("Q", (one[1] for one in found))
            self._library = library
        return True
