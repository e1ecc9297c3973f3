"""Send pictures of albums, tracks and artists, in a few sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Response, request

from shared.model.errors import NotFound
from shared.model.person import Person
from shared.routes.operation import Door, Query
from shared.routes.respond import file_of

if TYPE_CHECKING:
    from shared.library.covers import Covers

SMALLEST, LARGEST = 64, 1200


class CoverWish(Query):
    """`size` in pixels is clamped to 64-1200 and the nearest size there is; `v` is the cover's version."""

    size: int = 300
    v: str | None = None


def door(*, covers: Covers) -> Door:
    door = Door("covers")

    @door.get("/covers/<id>", allows="logged_in", query=CoverWish, answers={200: "image/*"}, errors=(304, 404))
    def cover(person: Person, id: str, query: CoverWish) -> Response:
        """The cover of an album, a track or an artist.

        With the right `v` it may be kept for ever. 404: there is no picture.
        """
        size = min(max(query.size, SMALLEST), LARGEST)
        for last_try in (False, True):
            found = covers.get(id, size, person=person)
            lasting = query.v is not None and query.v == found.version
            cache = "private, max-age=31536000, immutable" if lasting else "private, no-cache"
            try:
                return file_of(found.path, found.mime_type, request, etag=found.etag.strip('"'), cache=cache)
            except NotFound:    # swept from the cache between the two lines
                if last_try:
                    raise
        raise AssertionError

    return door
