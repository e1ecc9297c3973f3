"""Where downloaded tracks came from, and which of them a person should look at."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, select

from shared.database import Database, driver_cursor
from shared.model.errors import NotFound
from shared.model.person import Person
from shared.model.track import Page
from shared.records import revisions
from shared.records.downloads import track_by_url
from shared.records.moments import shown
from shared.records.pages import Counts, Listed, Order, page_ids, sight_of
from shared.records.tables import origins, tracks

_LATEST_FIRST = Order((origins.c.downloaded_at,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where one track came from."""

    track_id: str
    title: str
    artist: str
    provider: str  # who fetched it
    source: str | None  # who named it
    url: str | None
    downloaded_at: str
    sha256: str | None
    review: str | None  # why a person should look
    content: dict[str, Any]  # quality asked and got, size, times of the stages, what file and catalogue said


_SHOWN = (
    "SELECT t.uid, t.title, t.artist, o.provider, o.source, o.url, o.downloaded_at, o.sha256, o.review, o.content, "
    "o.track_id FROM origins o JOIN tracks t ON t.id = o.track_id"
)


class Origins:
    def __init__(self, *, database: Database) -> None:
        self._database = database

    def put(self, track_uid: str, *, provider: str, **said: Any) -> None:
        """Keep where a track came from, in place of what was known: `source`, `url`, `downloaded_at` (Unix seconds;
        now), `sha256`, `review`; everything else is kept as its JSON content. Raises NotFound."""
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            row = cursor.execute("SELECT id FROM tracks WHERE uid = ?", (track_uid,)).fetchone()
            if row is None:
                raise NotFound("There is no such track.")
            write_origin(cursor, row[0], provider=provider, **said)

    def of(self, track_uid: str, *, person: Person | None = None) -> Origin | None:
        """Where a track came from; None when it was not downloaded."""
        with self._database.read(person) as conn:
            row = driver_cursor(conn).execute(f"{_SHOWN} WHERE t.uid = ?", (track_uid,)).fetchone()
        return None if row is None else _origin(row)

    def by_url(self, url: str) -> str | None:
        """The id of the track, not in the trash, that came from this link."""
        with self._database.read() as conn:
            return track_by_url(driver_cursor(conn), url)

    def doubtful(self, person: Person, *, limit: int = 100, cursor: str | None = None) -> Page[Origin]:
        """Downloaded tracks that a person should look at, the latest first. Raises BadInput."""
        with self._database.read(person) as conn:
            revision = revisions.current(conn)
            in_doubt: tuple[ColumnElement[bool], ...] = (origins.c.review.is_not(None),)
            if person.limited:
                in_doubt += (origins.c.track_id.in_(select(tracks.c.id)),)
            listed = Listed("doubtful", origins.c.track_id, in_doubt, person.user_id, sight_of(person), revision)
            found, following = page_ids(
                conn, listed, sort=_LATEST_FIRST, name="downloaded", descending=True, limit=limit, cursor=cursor,
                offset=None, seed=None,
            )  # fmt: skip
            marks = ", ".join("?" * len(found))
            rows = driver_cursor(conn).execute(f"{_SHOWN} WHERE o.track_id IN ({marks})", found)
            by_id = {row[10]: _origin(row) for row in rows}
            total = Counts().total(conn, listed)
            return Page(items=[by_id[one] for one in found], next_cursor=following, total=total, revision=revision)

    def settle(self, track_uid: str) -> None:
        """A person has looked: it is no longer in doubt. Raises NotFound when the track was not downloaded."""
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            cursor.execute(
                "UPDATE origins SET review = NULL WHERE track_id = (SELECT id FROM tracks WHERE uid = ?)", (track_uid,)
            )
            if not cursor.rowcount:
                raise NotFound("There is no such downloaded track.")


def write_origin(
    cursor: sqlite3.Cursor,
    track_id: int,
    *,
    provider: str,
    source: str | None = None,
    url: str | None = None,
    downloaded_at: float | None = None,
    sha256: str | None = None,
    review: str | None = None,
    **content: Any,
) -> None:
    """As `Origins.put`, for the track with this inner id, inside a transaction of the caller's."""
    cursor.execute(
        "INSERT OR REPLACE INTO origins (track_id, provider, source, url, downloaded_at, sha256, review, content) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            track_id, provider, source, url, time.time() if downloaded_at is None else downloaded_at, sha256, review,
            msgspec.json.encode(content).decode(),
        ),
    )  # fmt: skip


def _origin(row: Any) -> Origin:
    return Origin(
        track_id=row[0], title=row[1], artist=row[2], provider=row[3], source=row[4], url=row[5],
        downloaded_at=shown(row[6]), sha256=row[7], review=row[8], content=msgspec.json.decode(row[9]),
    )  # fmt: skip
