"""Small things the station remembers about itself: when it was checked and backed up last, and how that ended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from shared.database import Database, driver_cursor

SELF_CHECK, BACKUP, NIGHTLY = "note.self_check", "note.backup", "note.nightly"


class Notes:
    """Each a JSON object under its name. Safe to use from many threads and processes."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    def get(self, name: str) -> dict[str, Any]:
        """What was put there last; empty when nothing was."""
        with self._database.read() as conn:
            row = driver_cursor(conn).execute("SELECT value FROM state WHERE name = ?", (name,)).fetchone()
        try:
            found = json.loads(row[0]) if row else {}
        except ValueError:
            found = {}
        return found if isinstance(found, dict) else {}

    def put(self, name: str, note: Mapping[str, Any]) -> None:
        with self._database.transaction() as conn:
            driver_cursor(conn).execute(
                "INSERT INTO state (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                (name, json.dumps(dict(note), ensure_ascii=False)),
            )
