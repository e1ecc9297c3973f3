"""Whether a library's file can be trusted: SQLite's own checks in full, and whether search knows what is there."""

from __future__ import annotations

import sqlite3
from typing import Any

from sqlalchemy import Boolean, Column, Float, Integer, String

from shared.database import Database, driver_cursor
from shared.model.errors import DiskFull, Overloaded, SoundsibleError
from shared.records import tables

_MOST = 20  # complaints worth reading
_INDEXES = {"track_words": "tracks", "album_words": "albums", "artist_words": "artists"}
_OURS = frozenset(tables.metadata.tables)
_KINDS: dict[type[Any], str] = {
    Boolean: "'integer', 'null'", Integer: "'integer', 'null'", Float: "'real', 'integer', 'null'",
    String: "'text', 'null'",
}  # fmt: skip
_LAST_MOMENT = 253_000_000_000  # Unix time, s: the year 9987
_LARGEST = 2**45  # bytes of a file
_PLAIN = frozenset({"uid", "kept", "sha256", "source_sha256"})


def strange(database: Database) -> list[str]:
    """What no library of ours has: triggers and views, which would be run by whoever reads or writes it, and tables
    that compute. Looks at nothing but the file's own list of what is in it, so nothing of it is run."""
    with database.read() as conn:
        made = driver_cursor(conn).execute("SELECT type, name, coalesce(sql, '') FROM sqlite_master").fetchall()
    found = []
    for kind, name, sql in made:
        words = " ".join(str(sql).upper().split())
        if kind not in ("table", "index"):
            found.append(f"it has a {kind} ({name})")
        elif words.startswith("CREATE VIRTUAL") != (name in _INDEXES):
            found.append(f"its table {name} is not as ours")
        elif "GENERATED ALWAYS" in words or (kind == "table" and name in _OURS and " AS (" in words):
            found.append(f"its table {name} computes")
    return found


def unfit(database: Database) -> list[str]:
    """What this program cannot work with in a library that comes from elsewhere: tables and columns that are not
    there, values of another kind than their column's, sizes and times beyond all bounds. Reads all tables once."""
    found = []
    with database.read() as conn:
        cursor = driver_cursor(conn)
        for name, table in sorted(tables.metadata.tables.items()):
            there = {str(row[1]) for row in cursor.execute(f'PRAGMA table_info("{name}")')}
            if missing := [column.name for column in table.columns if column.name not in there]:
                found.append(f"the table {name} lacks {missing[0]}")
                continue
            for column in table.columns:
                if (wrong := _wrong(column)) and cursor.execute(
                    f'SELECT EXISTS (SELECT 1 FROM "{name}" WHERE {wrong})'
                ).fetchone()[0]:
                    found.append(f"the table {name} holds what cannot be, in {column.name}")
    return found


def _wrong(column: Column[Any]) -> str | None:
    """A condition that is true of what cannot stand in this column."""
    kinds = next((kinds for kind, kinds in _KINDS.items() if isinstance(column.type, kind)), None)
    if kinds is None:
        return None
    wrong = f'typeof("{column.name}") NOT IN ({kinds})'
    if isinstance(column.type, Float):
        wrong += f' OR abs("{column.name}") > {_LAST_MOMENT}'
    elif column.name.endswith("_bytes") or column.name == "bytes":
        wrong += f' OR "{column.name}" NOT BETWEEN 0 AND {_LARGEST}'
    elif column.name in _PLAIN:  # they become names of files
        wrong += f""" OR "{column.name}" GLOB '*[^a-z0-9]*'"""
    elif column.table.name == "state" and column.name == "value":
        wrong += " OR name = 'station_id' AND (value GLOB '*[^a-z0-9]*' OR length(value) NOT BETWEEN 1 AND 40)"
    return wrong


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
