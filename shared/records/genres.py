"""Genres, and how much there is of each."""

from __future__ import annotations

from sqlalchemy import select

from shared.database import Database
from shared.model.person import Person
from shared.model.track import Genre, Page
from shared.records import revisions
from shared.records.pages import Counts, Listed, Order, Sort, page_ids, parse_sort, sight_of
from shared.records.tables import genres

SORTS: dict[str, Sort] = {
    "name": Order((genres.c.folded,)),
    "tracks": Order((genres.c.track_count,)),
    "albums": Order((genres.c.album_count,)),
}


class Genres:
    """Genres of tracks that are shown."""

    def __init__(self, *, database: Database) -> None:
        self._database = database
        self._counts = Counts()

    def list(
        self,
        person: Person,
        *,
        sort: str = "name",
        limit: int = 100,
        cursor: str | None = None,
        offset: int | None = None,
    ) -> Page[Genre]:
        """A page of genres. Raises BadInput."""
        order, name, descending = parse_sort(sort, SORTS)
        with self._database.read(person) as conn:
            shown = (genres.c.track_count > 0,)
            listed = Listed(
                "genres", genres.c.id, shown, person.user_id, sight_of(person), revisions.library(conn)
            )
            found, following = page_ids(
                conn,
                listed,
                sort=order,
                name=name,
                descending=descending,
                limit=limit,
                cursor=cursor,
                offset=offset,
                seed=None,
            )
            rows = {
                row[0]: Genre(name=row[1], track_count=row[2], album_count=row[3])
                for row in conn.execute(
                    select(genres.c.id, genres.c.name, genres.c.track_count, genres.c.album_count).where(
                        genres.c.id.in_(found)
                    )
                )
            }
            return Page(
                items=[rows[one] for one in found],
                next_cursor=following,
                total=self._counts.total(conn, listed),
                revision=revisions.current(conn),
            )
