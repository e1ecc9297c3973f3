"""Which album of the library a new track would stand beside, so that it is given tags that keep them together.

An album is known by its MusicBrainz release, else by album artist and title (records.identity). A track that is
tagged with a release would stand apart from its album's other tracks when those are not.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.database import Database, driver_cursor
from shared.records.folding import same
from shared.records.settling import name_of


@dataclass(frozen=True, slots=True)
class Standing:
    """An album that is there already. `release_mbid` None: its tracks are tagged with names alone."""

    title: str
    artist: str
    release_mbid: str | None
    track_count: int


class Namesakes:
    def __init__(self, *, database: Database) -> None:
        self._database = database

    def album(self, artist: str, title: str) -> Standing | None:
        """The album of that album artist and title; of several the one with the most tracks. Costs one indexed look.

        Albums without album artist tags (known by their folder) are not meant: nothing can be tagged to join them.
        """
        with self._database.read() as conn:
            rows = driver_cursor(conn).execute(
                "SELECT title, artist, mbid, track_count FROM albums "
                "WHERE search_key = ? AND loose = 0 AND track_count > 0 ORDER BY track_count DESC, id",
                (name_of(title).search_key,),
            )
            for row in rows:
                if same(row[0]) == same(title) and same(row[1]) == same(artist):
                    return Standing(*row)
        return None
