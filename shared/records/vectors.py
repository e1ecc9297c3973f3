"""Read what tracks sound like out of the database, in a process that has nothing else of the station.

Light: without SQLAlchemy, for the worker of library.neighbours.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

_PATIENCE_S = 10.0


def vectors(database: str, version: int) -> Iterator[tuple[int, bytes]]:
    """(inner id of a track, its bytes) by id, of all that were listened to in this way. Some 0.1 s for 100,000."""
    connection = sqlite3.connect(f"{Path(database).as_uri()}?mode=ro", uri=True, timeout=_PATIENCE_S)
    try:
        yield from connection.execute(
            "SELECT track_id, vector FROM sounds WHERE vector IS NOT NULL AND version = ? ORDER BY track_id", (version,)
        )
    finally:
        connection.close()
