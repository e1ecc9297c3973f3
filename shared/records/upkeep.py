"""What maintenance asks of the library: its albums with their pictures and files, and many files' new tags at once."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from shared.database import Database, driver_cursor
from shared.model.filepath import to_path
from shared.model.scan import Found
from shared.model.track import Reading
from shared.records import revisions
from shared.records.artworks import PictureRow
from shared.records.intake import Intake, edited, make_ready
from shared.records.search_index import Indexing
from shared.records.settling import Names, Settling, chunks

_PAGE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRow:
    """A track's file, as maintenance sees it. `root` and `path` are as the file system wants them."""

    track_id: str  # public
    title: str
    root: str
    path: str
    size_bytes: int
    mtime_ns: int
    picture_bytes: int  # of the cover inside, 0: none
    missing: bool  # not found at the last scan, or taken off this machine
    in_cloud: bool  # there is a copy that counts
    album_id: str | None
    edits: dict[str, Any]  # what a person set in the library alone


@dataclass(frozen=True, slots=True, kw_only=True)
class AlbumRow:
    """An album with what is known of its picture."""

    id: str  # public
    title: str
    artist: str
    mbid: str | None
    release_group_mbid: str | None
    picture: PictureRow | None
    files: tuple[FileRow, ...]  # in the album's order


_FILES = (
    "SELECT t.uid, t.title, r.path, f.path, f.size_bytes, f.mtime_ns, f.picture_bytes, f.missing_since IS NOT NULL, "
    "EXISTS (SELECT 1 FROM copies k WHERE k.track_id = t.id AND k.broken IS NULL), al.uid, t.edited, t.album_id "
    "FROM tracks t JOIN files f ON f.track_id = t.id JOIN roots r ON r.id = f.root_id "
    "LEFT JOIN albums al ON al.id = t.album_id WHERE t.trashed_at IS NULL"
)
_ALBUMS = (
    "SELECT al.id, al.uid, al.title, al.artist, al.mbid, al.release_group_mbid, a.id, a.kind, r.path, a.path, "
    "a.version, a.color, a.width, a.height, a.kept FROM albums al LEFT JOIN artwork a ON a.id = al.artwork_id "
    "LEFT JOIN roots r ON r.id = a.root_id WHERE al.track_count > 0"
)


class Upkeep:
    """The library as its maintenance sees it."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    def albums(self, uids: Sequence[str] | None = None) -> Iterator[AlbumRow]:
        """These albums, or all, by artist and title; those that are not there are left out. Read page by page, so
        that the reader may write meanwhile."""
        for part in self._pages("albums", uids):
            with self._database.read() as conn:
                cursor = driver_cursor(conn)
                marks = ", ".join("?" * len(part))
                files: dict[int, list[FileRow]] = {}
                for row in cursor.execute(
                    f"{_FILES} AND t.album_id IN ({marks}) ORDER BY t.album_id, t.album_position, t.id", part
                ):
                    files.setdefault(row[11], []).append(_file(row))
                rows = {row[0]: row for row in cursor.execute(f"{_ALBUMS} AND al.id IN ({marks})", part)}
            for album_id in part:
                if (row := rows.get(album_id)) is not None:
                    yield AlbumRow(
                        id=row[1], title=row[2], artist=row[3], mbid=row[4], release_group_mbid=row[5],
                        picture=None if row[6] is None else PictureRow(
                            id=row[6], kind=row[7], root=to_path(row[8]), path=to_path(row[9]), version=row[10],
                            color=row[11], width=row[12], height=row[13], kept=row[14],
                        ),
                        files=tuple(files.get(album_id, ())),
                    )  # fmt: skip

    def count_albums(self) -> int:
        with self._database.read() as conn:
            row = driver_cursor(conn).execute("SELECT count(*) FROM albums WHERE track_count > 0").fetchone()
        return int(row[0])

    def files(self, uids: Sequence[str] | None = None) -> Iterator[FileRow]:
        """The files of these tracks, or of all, album by album; read page by page."""
        for part in self._pages("tracks", uids):
            with self._database.read() as conn:
                marks = ", ".join("?" * len(part))
                query = f"{_FILES} AND t.id IN ({marks}) ORDER BY t.album_sort_key, t.album_id, t.album_position, t.id"
                page = [_file(row) for row in driver_cursor(conn).execute(query, part)]
            yield from page

    def take_over(
        self, readings: Sequence[tuple[str, Found, Reading]], *, written: Collection[str] = ()
    ) -> list[str]:
        """What the files of many tracks say after tags were written to them: (track, its file as it is now, reading).

        One transaction. `written`: edits of these fields, made in the library alone, no longer count; the others stay
        laid over. A track that has left the library meanwhile is passed over: answers those that were taken over.
        """
        done: list[str] = []
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            rows: dict[str, tuple[int, int, str]] = {}
            for marks, part in chunks([uid for uid, _, _ in readings]):
                for row in cursor.execute(
                    "SELECT t.uid, t.id, f.root_id, t.edited FROM tracks t JOIN files f ON f.track_id = t.id "
                    f"WHERE t.uid IN ({marks}) AND t.trashed_at IS NULL",
                    part,
                ):
                    rows[row[0]] = row[1:]
            revision = revisions.bump(conn)
            for root_id in dict.fromkeys(row[1] for row in rows.values()):
                intake = Intake(cursor, root_id=root_id, revision=revision, now=time.time())
                ready = []
                for uid, found, reading in readings:
                    track_id, its_root, edits = rows.get(uid, (0, -1, ""))
                    known = intake.known_track(track_id) if its_root == root_id else None
                    if known is None:
                        continue
                    kept = {name: value for name, value in json.loads(edits).items() if name not in written}
                    ready.append(
                        (known, make_ready(root_id, found, reading, None, edited(reading.metadata, kept)))
                    )
                    if written:
                        cursor.execute(
                            "UPDATE tracks SET edited = ? WHERE id = ?",
                            (json.dumps(kept, ensure_ascii=False), track_id),
                        )
                    cursor.execute(
                        "UPDATE files SET missing_since = NULL, offloaded_at = NULL WHERE track_id = ?", (track_id,)
                    )
                    done.append(uid)
                intake.rewrite(ready)
                intake.finish()
        return done

    def settle(self, uids: Sequence[str]) -> None:
        """Have the albums of these tracks choose their picture anew."""
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            ids: list[int] = []
            for marks, part in chunks(uids):
                ids += [row[0] for row in cursor.execute(f"SELECT id FROM tracks WHERE uid IN ({marks})", part)]
            revision, now, indexing = revisions.bump(conn), time.time(), Indexing(cursor)
            settling = Settling(cursor, revision, now, Names(cursor, revision, now, indexing), indexing)
            settling.before(ids)
            settling.after(ids)
            settling.settle()
            indexing.write()

    def _pages(self, table: str, uids: Sequence[str] | None) -> Iterator[list[int]]:
        """Inner ids, as many at a time as are looked at together."""
        order = {
            "albums": "SELECT id FROM albums WHERE track_count > 0 ORDER BY artist_sort_key, sort_key, id",
            "tracks": "SELECT id FROM tracks WHERE trashed_at IS NULL "
            "ORDER BY album_sort_key, album_id, album_position, id",
        }
        with self._database.read() as conn:
            cursor = driver_cursor(conn)
            ids = [row[0] for row in cursor.execute(order[table])]
            if uids is not None:
                wanted: set[int] = set()
                for marks, part in chunks(uids):
                    wanted.update(
                        row[0] for row in cursor.execute(f"SELECT id FROM {table} WHERE uid IN ({marks})", part)
                    )
                ids = [one for one in ids if one in wanted]
        for start in range(0, len(ids), _PAGE):
            yield ids[start : start + _PAGE]


def _file(row: Any) -> FileRow:
    return FileRow(
        track_id=row[0], title=row[1], root=to_path(row[2]), path=to_path(row[3]), size_bytes=row[4], mtime_ns=row[5],
        picture_bytes=row[6], missing=bool(row[7]), in_cloud=bool(row[8]), album_id=row[9], edits=json.loads(row[10]),
    )  # fmt: skip
