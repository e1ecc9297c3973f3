"""Secrets that stand sealed in the database: second factors, app passwords, the tokens of other stations and of
listening services."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from shared.database import Database, driver_cursor

# Table, its key, and column.
COLUMNS = (
    ("users", "id", "second_factor"),
    ("stations", "id", "token"),
    ("app_secrets", "token_id", "secret"),
    ("scrobblers", "id", "secret"),
    ("shares", "id", "code"),
)


class Sealed:
    """All of them at once, for who seals them anew."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    def texts(self) -> Iterator[str]:
        """Each as it stands there."""
        for table, _, column in COLUMNS:
            with self._database.read() as conn:
                cursor = driver_cursor(conn).execute(f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL")
                found = [str(row[0]) for row in cursor.fetchall()]
            yield from found

    def replace(self, anew: Callable[[str], str]) -> int:
        """Put `anew(text)` in the place of each, all in one transaction; how many there are.

        `anew` gives back the text itself to leave it as it is.
        """
        count = 0
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            for table, key, column in COLUMNS:
                rows = cursor.execute(f"SELECT {key}, {column} FROM {table} WHERE {column} IS NOT NULL").fetchall()
                changed = [(new, row[0]) for row in rows if (new := anew(row[1])) != row[1]]
                cursor.executemany(f"UPDATE {table} SET {column} = ? WHERE {key} = ?", changed)
                count += len(rows)
        return count
