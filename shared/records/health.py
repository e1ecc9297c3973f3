"""Whether the database's file is whole: SQLite's own checks, for the doctor."""

from __future__ import annotations

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
