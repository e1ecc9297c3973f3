"""Tracks that are only told of become rows again: with the ids they had, their files not on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.database import Database, driver_cursor
from shared.model.scan import Batch, Found, NewFile
from shared.model.track import Reading
from shared.records.scans import Scans
from shared.records.settling import chunks

_TOGETHER = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """A track to be made. `path` is relative to its music folder, as text, where its file would lie."""

    uid: str
    reading: Reading
    path: str
    size_bytes: int
    mtime_ns: int
    sha256: str | None
    added_at: float


class Rebuilding:
    """Written by the same code as a scan's rows, so that a scan which meets a file at its path knows it again."""

    def __init__(self, *, database: Database) -> None:
        self._database = database
        self._scans = Scans(database=database)

    def unknown(self, uids: Sequence[str]) -> set[str]:
        """Those of these ids that no track has, in the trash or not."""
        known: set[str] = set()
        with self._database.read() as conn:
            for marks, part in chunks(uids):
                rows = driver_cursor(conn).execute(f"SELECT uid FROM tracks WHERE uid IN ({marks})", part)
                known.update(uid for (uid,) in rows)
        return set(uids) - known

    def paths(self, root: str) -> set[str]:
        """What the library knows to lie in this music folder, in whatever state."""
        with self._database.read() as conn:
            rows = driver_cursor(conn).execute(
                "SELECT f.path FROM files f JOIN roots r ON r.id = f.root_id WHERE r.path = ?", (root,)
            )
            return {str(path) for (path,) in rows}

    def adopt(self, root: str, tracks: Sequence[Adopted], *, now: float) -> None:
        """Make these tracks of the music folder `root` (as text; made when it is not known). Their files are not
        here: taken off on purpose, as far as the library can say. Ids and paths must be free."""
        root_id = self._scans.add_root(root).id
        for start in range(0, len(tracks), _TOGETHER):
            some = tracks[start : start + _TOGETHER]
            self._scans.apply(
                Batch(
                    root_id,
                    new=[
                        NewFile(Found(one.path, one.size_bytes, one.mtime_ns, "", ""), one.reading, one.sha256)
                        for one in some
                    ],
                )
            )
            with self._database.transaction(durable=False, bulk=True) as conn:
                cursor = driver_cursor(conn)
                cursor.executemany(
                    "UPDATE tracks SET uid = ?, added_at = ? WHERE id = (SELECT track_id FROM files WHERE root_id = ? "
                    "AND path = ?)",
                    [(one.uid, one.added_at, root_id, one.path) for one in some],
                )
                cursor.executemany(
                    "UPDATE files SET missing_since = ?, offloaded_at = ?, device = NULL, inode = NULL "
                    "WHERE root_id = ? AND path = ?",
                    [(now, now, root_id, one.path) for one in some],
                )

    def settle(self) -> None:
        """Albums and artists are as old as the oldest of their tracks; the first time all tracks are there."""
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            cursor.execute(
                "UPDATE albums SET added_at = coalesce((SELECT min(t.added_at) FROM tracks t WHERE t.album_id = "
                "albums.id), added_at)"
            )
            cursor.execute(
                "UPDATE artists SET added_at = coalesce((SELECT min(t.added_at) FROM credits c JOIN tracks t ON "
                "t.id = c.track_id WHERE c.artist_id = artists.id), added_at)"
            )
