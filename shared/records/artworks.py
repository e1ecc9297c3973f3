"""The pictures of albums and tracks as upkeep sees them: where they lie, how large they are, what is kept of them.

A picture is told by what it hangs on: all tracks of an album share the album's, a track without an album has its own.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.database import Database, driver_cursor
from shared.model.filepath import to_path
from shared.records import revisions
from shared.records.identity import folder_of
from shared.records.settling import keep_artwork

_PIECE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureRow:
    """A picture as it lies in a music folder. `root` and `path` are as the file system wants them."""

    id: int
    kind: str  # sidecar, outdone: `path` is the picture; embedded: `path` is the audio file that holds it
    root: str
    path: str
    version: str
    color: str | None
    width: int | None  # pixels; None as long as nobody has looked
    height: int | None
    kept: str | None  # sha256 of the copy in data/covers


class Artworks:
    """Rows of pictures, asked by whoever keeps them, replaces them, or throws away what is kept for nothing."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    def of_tracks(self, uids: Sequence[str]) -> dict[str, PictureRow]:
        """The picture that each of these tracks shows: its album's, else its own. Those without one are left out."""
        found: dict[str, PictureRow] = {}
        pictures: dict[int, PictureRow] = {}
        every = list(dict.fromkeys(uids))
        with self._database.read() as conn:
            cursor = driver_cursor(conn)
            for start in range(0, len(every), _PIECE):
                part = every[start : start + _PIECE]
                for row in cursor.execute(
                    "SELECT t.uid, a.id, a.kind, r.path, a.path, a.version, a.color, a.width, a.height, a.kept "
                    "FROM tracks t LEFT JOIN albums ON albums.id = t.album_id "
                    "JOIN artwork a ON a.id = coalesce(albums.artwork_id, t.artwork_id) "
                    "JOIN roots r ON r.id = a.root_id "
                    f"WHERE t.uid IN ({', '.join('?' * len(part))}) AND t.trashed_at IS NULL",
                    part,
                ):
                    picture = pictures.get(row[1])
                    if picture is None:
                        picture = pictures[row[1]] = PictureRow(
                            id=row[1], kind=row[2], root=to_path(row[3]), path=to_path(row[4]), version=row[5],
                            color=row[6], width=row[7], height=row[8], kept=row[9],
                        )
                    found[row[0]] = picture
        return found

    def set_kept(self, kept: Mapping[int, str], *, versions: Mapping[int, str] | None = None) -> None:
        """Remember which copy is kept of each picture {id: sha256}; with `versions` only of those that are still in
        the version that was copied."""
        rows = [(sha256, one, (versions or {}).get(one)) for one, sha256 in kept.items()]
        with self._database.transaction() as conn:
            driver_cursor(conn).executemany(
                "UPDATE artwork SET kept = ?1 WHERE id = ?2 AND (?3 IS NULL OR version = ?3)", rows
            )

    def set_sizes(self, sizes: Mapping[int, tuple[int, int]], *, versions: Mapping[int, str]) -> None:
        """Remember how large pictures are, {id: (width, height)} in pixels, where they are still in that version."""
        rows = [(width, height, one, versions[one]) for one, (width, height) in sizes.items()]
        with self._database.transaction(durable=False) as conn:
            driver_cursor(conn).executemany(
                "UPDATE artwork SET width = ?, height = ? WHERE id = ? AND version = ?", rows
            )

    def outdo(self, ids: Sequence[int], outdone: bool = True) -> None:
        """These pictures lie in folders and are outdone by what is embedded in the files there: they are shown where
        nothing is embedded (until somebody changes them), or count again. What shows them is settled with its files.
        """
        kinds = ("outdone", "sidecar") if outdone else ("sidecar", "outdone")
        with self._database.transaction() as conn:
            driver_cursor(conn).executemany(
                "UPDATE artwork SET kind = ? WHERE id = ? AND kind = ?", [(kinds[0], one, kinds[1]) for one in ids]
            )

    def kept(self) -> set[str]:
        """sha256 of every copy that a picture refers to; what else lies in data/covers is there for nothing."""
        with self._database.read() as conn:
            rows = driver_cursor(conn).execute("SELECT DISTINCT kept FROM artwork WHERE kept IS NOT NULL")
            return {row[0] for row in rows}

    def attach(self, covers: Mapping[str, str]) -> dict[str, str]:
        """Say that kept copies, {track: sha256}, are the pictures that these tracks show whose files are not on this
        machine. Where the library knows of no picture, it is told to lie in the track's file.

        Answers those it was done for; all tracks of an album show the first one given. A track without a file has no
        place for one.
        """
        done: dict[str, str] = {}
        known = self.of_tracks(list(covers))
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            revision = revisions.bump(conn)
            given: dict[int, str] = {}
            for uid, sha256 in covers.items():
                picture = known.get(uid)
                picture_id = _told_of(cursor, uid, revision) if picture is None else picture.id
                if picture_id is None:
                    continue
                if picture_id not in given:
                    given[picture_id] = sha256
                    cursor.execute("UPDATE artwork SET kept = ? WHERE id = ?", (sha256, picture_id))
                done[uid] = given[picture_id]
        return done


def _told_of(cursor: sqlite3.Cursor, uid: str, revision: int) -> int | None:
    """The picture that track `uid` shows; where there is none, a row that takes the track's file to hold one."""
    row = cursor.execute(
        "SELECT t.id, t.album_id, coalesce(al.artwork_id, t.artwork_id), f.root_id, f.path, f.size_bytes, f.mtime_ns "
        "FROM tracks t JOIN files f ON f.track_id = t.id LEFT JOIN albums al ON al.id = t.album_id "
        "WHERE t.uid = ? AND t.trashed_at IS NULL",
        (uid,),
    ).fetchone()
    if row is None or row[2] is not None:
        return None if row is None else int(row[2])
    track_id, album_id, _, root_id, path, size, mtime = row
    made = keep_artwork(cursor, revision, "embedded", {0: (root_id, folder_of(path), path, size, mtime)})[0]
    # Settling looks for the first file that holds a picture.
    cursor.execute("UPDATE files SET picture_bytes = 1 WHERE track_id = ? AND picture_bytes = 0", (track_id,))
    if album_id is None:
        cursor.execute("UPDATE tracks SET artwork_id = ?, changed_rev = ? WHERE id = ?", (made, revision, track_id))
    else:
        cursor.execute("UPDATE albums SET artwork_id = ?, changed_rev = ? WHERE id = ?", (made, revision, album_id))
        cursor.execute("UPDATE tracks SET changed_rev = ? WHERE album_id = ?", (revision, album_id))
    return made
