"""Whether a library's file can be trusted: SQLite's own checks in full, and whether search knows what is there."""

from __future__ import annotations

import sqlite3

from shared.database import Database, driver_cursor
from shared.model.errors import DiskFull, Overloaded, SoundsibleError

_MOST = 20  # complaints worth reading
_INDEXES = {"track_words": "tracks", "album_words": "albums", "artist_words": "artists"}


def integrity(database: Database) -> list[str]:
    """What is broken in the file, in SQLite's words; empty when it is whole.

    Reads the whole file and holds every index against its table: some seconds for 100,000 tracks, without keeping
    anybody from reading or writing. Raises Overloaded, DiskFull when it could not be looked at.
    """
    try:
        with database.read() as conn:
            cursor = driver_cursor(conn)
            said = [str(row[0]) for row in cursor.execute(f"PRAGMA integrity_check({_MOST})")]
            dangling = cursor.execute("PRAGMA foreign_key_check").fetchmany(_MOST)
    except (SoundsibleError, sqlite3.DatabaseError) as error:
        _only_damage(error)
        return [str(error)]
    broken = [] if said == ["ok"] else said
    return broken + [f"a row of {row[0]} refers to one of {row[2]} that is gone" for row in dangling]


def search_index(database: Database) -> list[str]:
    """What is wrong with the search index: damaged, or not about the things that are there. Empty when it fits.

    FTS5 calls its check a write, so others who write wait for it: about 1 µs a row. Raises Overloaded, DiskFull when
    it could not be looked at.
    """
    wrong: list[str] = []
    for index, table in _INDEXES.items():
        try:
            with database.transaction(durable=False) as conn:
                driver_cursor(conn).execute(f"INSERT INTO {index} ({index}) VALUES ('integrity-check')")
            with database.read() as conn:
                cursor = driver_cursor(conn)
                lacking = cursor.execute(
                    f"SELECT count(*) FROM {table} t WHERE NOT EXISTS (SELECT 1 FROM {index} w WHERE w.rowid = t.id)"
                ).fetchone()[0]
                too_many = cursor.execute(
                    f"SELECT count(*) FROM {index} w WHERE NOT EXISTS (SELECT 1 FROM {table} t WHERE t.id = w.rowid)"
                ).fetchone()[0]
        except (SoundsibleError, sqlite3.DatabaseError) as error:
            _only_damage(error)
            wrong.append(f"the search index of {table} is damaged ({error})")
            continue
        if lacking:
            wrong.append(f"the search index lacks {lacking:,} of the {table}")
        if too_many:
            wrong.append(f"the search index knows {too_many:,} {table} that are gone")
    return wrong


def _only_damage(error: Exception) -> None:
    """Raise again what says nothing of the file: others were writing all the time, the disk is full."""
    if isinstance(error, Overloaded | DiskFull):
        raise error
