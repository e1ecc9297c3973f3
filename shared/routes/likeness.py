"""What goes with a track, for the player's queue to go on with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.model.person import Person
from shared.model.track import Page, Track
from shared.routes.operation import Door, Query

if TYPE_CHECKING:
    from shared.library.likeness import Likeness
    from shared.records.tracks import Tracks

MOST = 200


class HowMany(Query):
    """`limit` is clamped to 1-200."""

    limit: int = 50


def door(*, likeness: Likeness, tracks: Tracks) -> Door:
    door = Door("likeness")

    @door.get("/library/tracks/<id>/similar", allows="logged_in", query=HowMany, answers={200: Page[Track]},
              errors=(404,))
    def similar(person: Person, id: str, query: HowMany) -> Page[Track]:
        """Tracks that go with this one, the best first: by how they sound, by tags, by what is played together."""
        tracks.get(person, id)      # an album or artist has no track's address
        limit = min(max(query.limit, 1), MOST)
        return tracks.list(person, ids=likeness.similar(person, id, limit), limit=limit)

    return door
