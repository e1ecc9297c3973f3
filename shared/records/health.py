"""Whether the database's file is whole: SQLite's own checks, for the doctor; and what time it has seen."""

from __future__ import annotations

import sqlite3

from sqlalchemy import text

from shared.database import Database

_MOST = 20      # complaints worth reading


def complaints(database: Database) -> list[str]:
    """What is broken in the file, in SQLite's words; empty when it is whole. Reads the whole file once."""
    with database.read() as connection:
        said = [str(row[0]) for row in connection.execute(text(f"PRAGMA quick_check({_MOST})"))]
        broken = [] if said == ["ok"] else said
        dangling = connection.execute(text("PRAGMA foreign_key_check")).fetchmany(_MOST)
        return broken + [f"a row of {row[0]} refers to one of {row[2]} that is gone" for row in dangling]


def schema(database: Database) -> str:
    """The schema version the file is at."""
    with database.read() as connection:
        return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one())


def engine() -> str:
    """SQLite's version."""
    return sqlite3.sqlite_version


def latest(database: Database) -> float:
    """The latest moment of which the library knows that it has been (Unix time); 0 when it knows none."""
    with database.read() as connection:
        moments = connection.execute(
            text(
                "SELECT max(added_at) FROM tracks UNION ALL SELECT max(finished_at) FROM scans "
                "UNION ALL SELECT max(created_at) FROM journal"
            )
        ).scalars()
        return max((float(one) for one in moments if one is not None), default=0.0)
