"""Answers of outside services, kept so that nobody is asked twice (implements ports.Lookups)."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from shared.database import Database, driver_cursor


class StoredLookups:
    def __init__(self, *, database: Database) -> None:
        self._database = database

    def get(self, service: str, key: str, *, max_age_s: float) -> Any | None:
        """The kept JSON answer, or None when there is none that young."""
        with self._database.read() as conn:
            row = (
                driver_cursor(conn)
                .execute(
                    "SELECT answer FROM lookups WHERE service = ? AND key = ? AND at > ?",
                    (service, key, time.time() - max_age_s),
                )
                .fetchone()
            )
        return None if row is None else msgspec.json.decode(row[0])

    def put(self, service: str, key: str, answer: Any) -> None:
        """Keep a JSON answer in place of an older one. Does not wait for the disk."""
        text = msgspec.json.encode(answer).decode()
        with self._database.transaction(durable=False) as conn:
            driver_cursor(conn).execute(
                "INSERT OR REPLACE INTO lookups (service, key, answer, at) VALUES (?, ?, ?, ?)",
                (service, key, text, time.time()),
            )

    def prune(self, max_rows: int) -> int:
        """Forget the oldest beyond `max_rows`. How many."""
        with self._database.transaction(durable=False) as conn:
            cursor = driver_cursor(conn)
            cursor.execute(
                "DELETE FROM lookups WHERE (service, key) IN "
                "(SELECT service, key FROM lookups ORDER BY at DESC LIMIT -1 OFFSET ?)",
                (max(0, max_rows),),
            )
            return cursor.rowcount
