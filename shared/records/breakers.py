"""Circuit breakers as they are written down, so that a restart does not forget that a service is in trouble."""

from __future__ import annotations

from dataclasses import astuple, dataclass

from shared.database import Database, driver_cursor


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerRow:
    """One provider's or service's breaker for one operation. Times are Unix seconds."""

    name: str
    operation: str
    state: str  # closed open half_open
    failure_count: int  # in a row
    opened_at: float | None = None
    last_success: float | None = None
    last_failure: float | None = None
    last_error: str | None = None


_COLUMNS = "name, operation, state, failure_count, opened_at, last_success, last_failure, last_error"


class Breakers:
    def __init__(self, *, database: Database) -> None:
        self._database = database

    def load(self) -> list[BreakerRow]:
        """All of them, by name and operation."""
        names = _COLUMNS.split(", ")
        with self._database.read() as conn:
            rows = driver_cursor(conn).execute(f"SELECT {_COLUMNS} FROM breakers ORDER BY name, operation")
            return [BreakerRow(**dict(zip(names, row, strict=True))) for row in rows]

    def save(self, row: BreakerRow) -> None:
        """Keep it in place of what was known. Does not wait for the disk."""
        with self._database.transaction(durable=False) as conn:
            driver_cursor(conn).execute(
                f"INSERT OR REPLACE INTO breakers ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", astuple(row)
            )

    def prune(self, before: float) -> int:
        """Forget closed ones that nothing was heard of since `before` (every direct link's host has one). How many."""
        with self._database.transaction(durable=False) as conn:
            cursor = driver_cursor(conn)
            cursor.execute(
                "DELETE FROM breakers WHERE state = 'closed' AND max(coalesce(last_success, 0), "
                "coalesce(last_failure, 0)) < ?",
                (before,),
            )
            return cursor.rowcount
