"""A library's file that moves: out of its place, or into another one, perhaps on another machine.

Everything here is done to a file that no station uses: a copy in a staging folder, or a library whose station has been
stopped.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.database import Database, driver_cursor
from shared.model.errors import Conflict, Unprocessable
from shared.records import revisions

_PATIENCE_S = 5.0  # for a process that is just ending
_FORGOTTEN_REVISIONS = 1000  # between the old library and the new one: no player's memory reaches into it


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderContents:
    """A music folder as a library knows it. `path` as text."""

    path: str
    tracks: int
    size_bytes: int
    in_cloud: int  # of these tracks have a copy in a bucket


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What is in a library."""

    station: str
    schema: str
    revision: int
    tracks: int
    albums: int
    artists: int
    playlists: int
    plays: int
    people: list[str]
    folders: list[FolderContents]


def contents(database: Database) -> Contents:
    """Counted. Some 0.1 s for 100,000 tracks. Raises Unprocessable when it is no library."""
    with database.read() as conn:
        cursor = driver_cursor(conn)
        if cursor.execute("SELECT count(*) FROM state WHERE name IN ('revision', 'station_id')").fetchone()[0] != 2:
            raise Unprocessable("This database is no whole library of Soundsible.")

        def count(query: str) -> int:
            return int(cursor.execute(query).fetchone()[0])

        folders = [
            FolderContents(path=path, tracks=tracks, size_bytes=size, in_cloud=in_cloud)
            for path, tracks, size, in_cloud in cursor.execute(
                "SELECT r.path, count(f.id), coalesce(sum(f.size_bytes), 0), coalesce(sum(EXISTS (SELECT 1 FROM copies "
                "c WHERE c.track_id = f.track_id AND c.broken IS NULL)), 0) FROM roots r LEFT JOIN files f ON "
                "f.root_id = r.id AND f.trashed_from IS NULL WHERE r.forgotten_at IS NULL GROUP BY r.id "
                "ORDER BY r.position, r.id"
            )
        ]
        station = cursor.execute("SELECT value FROM state WHERE name = 'station_id'").fetchone()
        return Contents(
            station=str(station[0]) if station else "",
            schema=str(cursor.execute("SELECT version_num FROM alembic_version").fetchone()[0]),
            revision=revisions.current(conn),
            tracks=count("SELECT count(*) FROM tracks WHERE trashed_at IS NULL"),
            albums=count("SELECT count(*) FROM albums WHERE track_count > 0"),
            artists=count("SELECT count(*) FROM artists WHERE track_count > 0 OR album_count > 0"),
            playlists=count("SELECT count(*) FROM playlists"),
            plays=count("SELECT count(*) FROM plays"),
            people=[str(row[0]) for row in cursor.execute("SELECT username FROM users ORDER BY id")],
            folders=folders,
        )


def schema(database: Database) -> str | None:
    """The schema version of a file that may be any; None when it is no library. Raises SoundsibleError."""
    with database.read() as conn:
        cursor = driver_cursor(conn)
        if not cursor.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
            return None
        row = cursor.execute("SELECT version_num FROM alembic_version").fetchone()
        return str(row[0]) if row else None


def playable_from(database: Database, providers: Sequence[str]) -> dict[str, int]:
    """music folder, as text → how many of its tracks have a copy that counts in one of these storages."""
    marks = ", ".join("?" * len(providers))
    with database.read() as conn:
        return {
            str(path): int(tracks)
            for path, tracks in driver_cursor(conn).execute(
                "SELECT r.path, count(*) FROM roots r JOIN files f ON f.root_id = r.id WHERE f.trashed_from IS NULL "
                "AND EXISTS (SELECT 1 FROM copies c WHERE c.track_id = f.track_id AND c.broken IS NULL AND "
                f"c.provider IN ({marks})) GROUP BY r.id",
                tuple(providers),
            )
        }


def settle_in(database: Database, *, folders: Mapping[str, str], above: int = 0) -> None:
    """Make a library that was brought here one of this machine's.

    folders     music folders by another path, as texts: old → new.
    above       the revision of the library it takes the place of: players that remember that one load all anew.

    What tells of a machine's own doings goes: its cache, uploads cut off in the middle, errands that wait. Raises
    Unprocessable when a folder to be renamed is not there, or its new path is taken.
    """
    with database.transaction() as conn:
        cursor = driver_cursor(conn)
        known = {str(path) for (path,) in cursor.execute("SELECT path FROM roots")}
        for old, new in folders.items():
            if old not in known:
                raise Unprocessable(f"{old} is not one of the music folders in there: {', '.join(sorted(known))}.")
            if new in known and new != old:
                raise Unprocessable(f"{new} is a music folder in there already; two cannot become one.")
            cursor.execute("UPDATE roots SET path = ? WHERE path = ?", (new, old))
        cursor.execute("DELETE FROM cached")
        cursor.execute("DELETE FROM uploads")
        cursor.execute(
            "UPDATE errands SET state = 'cancelled', message = 'It waited when this library was restored.' "
            "WHERE state IN ('waiting', 'running')"
        )
        revision = max(revisions.current(conn), above) + _FORGOTTEN_REVISIONS
        for name in ("revision", "library_revision", "oldest_revision"):
            cursor.execute("UPDATE state SET value = ? WHERE name = ?", (str(revision), name))


def adopt_station(database: Database, station: str) -> None:
    """Be the station with this id: of a library made again from what it left in a bucket."""
    with database.transaction() as conn:
        driver_cursor(conn).execute("UPDATE state SET value = ? WHERE name = 'station_id'", (station,))


def retire(path: Path, *, patience_s: float = _PATIENCE_S) -> None:
    """Bring the log into the file at `path` and make it one that stands alone, so that it can be moved.

    A file that is damaged, or none of SQLite's, is left as it is. Raises Conflict when another program has it open,
    also after `patience_s`.
    """
    if not path.exists():
        return
    until = time.monotonic() + patience_s
    while True:
        driver = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=1.0)
        try:
            # Only the last one who has the file open can leave the write-ahead log behind.
            driver.execute("PRAGMA journal_mode = DELETE").fetchone()
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) and "busy" not in str(error):
                raise
            if time.monotonic() > until:
                raise Conflict(
                    f"{path} is in use by another program (a tool command, a scan). Try again when it is done."
                ) from error
        except sqlite3.DatabaseError:
            return
        finally:
            driver.close()
        time.sleep(0.1)


# ---- pictures ----------------------------------------------------------------------------------------------------


def pictured(database: Database) -> list[tuple[str, int, str, str | None]]:
    """(public id of an album, or of a track without one; its picture's id; the music folder it lies in, as text; the
    hash of the copy kept of it), one for each picture that is shown."""
    picture = "p.id, r.path, p.kept FROM {} JOIN artwork p ON p.id = {}.artwork_id JOIN roots r ON r.id = p.root_id"
    with database.read() as conn:
        return (
            driver_cursor(conn)
            .execute(
                f"SELECT min(a.uid), {picture.format('albums a', 'a')} WHERE a.track_count > 0 GROUP BY p.id "
                f"UNION ALL SELECT min(t.uid), {picture.format('tracks t', 't')} "
                "WHERE t.album_id IS NULL AND t.trashed_at IS NULL GROUP BY p.id"
            )
            .fetchall()
        )


def keep_pictures(database: Database, kept: Sequence[tuple[int, str]]) -> None:
    """(picture's id, hash of the copy that is kept of it), where none is known yet."""
    with database.transaction() as conn:
        driver_cursor(conn).executemany(
            "UPDATE artwork SET kept = ? WHERE id = ? AND kept IS NULL", [(sha256, id) for id, sha256 in kept]
        )


def stand_alone(path: Path) -> None:
    """`retire` for a copy of one's own, whose log must not be needed by who takes it elsewhere."""
    retire(path)
    for suffix in ("-wal", "-shm"):
        with_suffix = path.with_name(path.name + suffix)
        if with_suffix.exists() and not os.path.getsize(with_suffix):
            with_suffix.unlink()
