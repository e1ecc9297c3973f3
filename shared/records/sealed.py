"""Secrets that stand sealed in the database: second factors, and the tokens of other stations."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from shared.database import Database, driver_cursor

# Table and column; each row has an id.
COLUMNS = (("users", "second_factor"), ("stations", "token"))


class Sealed:
    """All of them at once, for who seals them anew."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    def texts(self) -> Iterator[str]:
        """Each as it stands there."""
        for table, column in COLUMNS:
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
            for table, column in COLUMNS:
                rows = cursor.execute(f"SELECT id, {column} FROM {table} WHERE {column} IS NOT NULL").fetchall()
                changed = [(new, row[0]) for row in rows if (new := anew(row[1])) != row[1]]
                cursor.executemany(f"UPDATE {table} SET {column} = ? WHERE id = ?", changed)
                count += len(rows)
        return count
