"""Internet radio stations that people have noted, for everybody."""

from __future__ import annotations

import time
from typing import Any

from shared.database import Database, driver_cursor
from shared.model.errors import Conflict, NotFound
from shared.model.podcast import Radio
from shared.records import folding
from shared.records.moments import make_uid

MOST_RADIOS = 2_000
_SHOWN = "SELECT uid, name, stream_url, homepage_url FROM radios"


class Radios:
    def __init__(self, *, database: Database) -> None:
        self._database = database

    def list(self) -> list[Radio]:
        """By name."""
        with self._database.read() as conn:
            return [_radio(row) for row in driver_cursor(conn).execute(f"{_SHOWN} ORDER BY sort_key, id")]

    def get(self, uid: str) -> Radio:
        """Raises NotFound."""
        with self._database.read() as conn:
            row = driver_cursor(conn).execute(f"{_SHOWN} WHERE uid = ?", (uid,)).fetchone()
        if row is None:
            raise _not_there()
        return _radio(row)

    def add(self, user_id: int | None, *, name: str, stream_url: str, homepage_url: str = "") -> Radio:
        """Raises Conflict when there are too many."""
        uid = make_uid()
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            if cursor.execute("SELECT count(*) FROM radios").fetchone()[0] >= MOST_RADIOS:
                raise Conflict(f"There are {MOST_RADIOS} radio stations already; remove one first.")
            cursor.execute(
                "INSERT INTO radios (uid, user_id, name, sort_key, stream_url, homepage_url, created_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (uid, user_id, name, folding.sort_key(name), stream_url, homepage_url, time.time()),
            )
        return Radio(id=uid, name=name, stream_url=stream_url, homepage_url=homepage_url)

    def change(
        self, uid: str, *, name: str | None = None, stream_url: str | None = None, homepage_url: str | None = None
    ) -> Radio:
        """Change what is given. Raises NotFound."""
        given: dict[str, Any] = {"name": name, "stream_url": stream_url, "homepage_url": homepage_url}
        given["sort_key"] = None if name is None else folding.sort_key(name)
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            for column, value in given.items():
                if value is not None:
                    cursor.execute(f"UPDATE radios SET {column} = ? WHERE uid = ?", (value, uid))
            row = cursor.execute(f"{_SHOWN} WHERE uid = ?", (uid,)).fetchone()
            if row is None:
                raise _not_there()
            return _radio(row)

    def remove(self, uid: str) -> None:
        """Raises NotFound."""
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            cursor.execute("DELETE FROM radios WHERE uid = ?", (uid,))
            if not cursor.rowcount:
                raise _not_there()


def _not_there() -> NotFound:
    return NotFound("There is no such radio station.")


def _radio(row: Any) -> Radio:
    return Radio(id=row[0], name=row[1], stream_url=row[2], homepage_url=row[3])
