"""Look around outside: what catalogues and sources offer, what a link leads to, how it sounds before it is fetched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import msgspec
from flask import Response, request

from shared.events import EventBus, StreamEnded, StreamStarted
from shared.model.download import Offer
from shared.model.errors import BadInput, NotFound
from shared.model.person import Person
from shared.routes.downloads import Key, Link, Name, check_link
from shared.routes.hanging_up import Watched, entered
from shared.routes.operation import Door, Query
from shared.routes.respond import file_of

if TYPE_CHECKING:
    from odst.preview import Previews
    from odst.search import AcquireSearch
    from shared.library.outside_covers import OutsideCovers
    from shared.records.albums import Albums
    from shared.records.tracks import Tracks
    from shared.security.open_streams import OpenStreams

PREVIEW = "preview"     # in place of a track's id
LOOKED_UP = 500         # tracks of one offer that are looked for in the library


class Asking(Query):
    """`limit` is clamped to 1-50, of each source."""

    q: Annotated[str, msgspec.Meta(max_length=500)] = ""
    limit: int = 20


class Leading(Query):
    url: Link


class Hearing(Query):
    """`url`: a link; or `source` and that one's own `id`, as an offer tells them."""

    url: Link | None = None
    id: Key | None = None
    source: Name | None = None


#: An offer, and which of its tracks are in the library: `owned` has for each its id or null, in the same order; it is
#: empty when there are more than LOOKED_UP.
WholeOffer: Any = msgspec.defstruct(
    "WholeOffer", [*get_type_hints(Offer).items(), ("owned", list[str | None])], kw_only=True, module=__name__)


class SourceFailure(msgspec.Struct, kw_only=True):
    """A source that did not answer, and why."""

    source: str
    code: str
    message: str


class Offers(msgspec.Struct, kw_only=True):
    items: list[Offer]
    failures: list[SourceFailure]


class Naming(Query):
    """`source`: a catalogue's name; with `local`, `id` is an album of the library, and what it lacks is answered."""

    source: Name
    id: Key


class Looking(Query):
    """`size` in pixels is clamped to 64-1200 and the nearest size there is."""

    url: Link
    size: int = 300


def door(*, search: AcquireSearch, previews: Previews, covers: OutsideCovers, tracks: Tracks, albums: Albums,
         events: EventBus, streams: OpenStreams) -> Door:
    door = Door("acquire")

    def whole(person: Person, offer: Offer) -> dict[str, Any]:
        """Fields of a WholeOffer, as far as the person sees the library."""
        owned = search.tracks_owned(offer) if len(offer.tracks) <= LOOKED_UP else []
        told = {one.name: getattr(offer, one.name) for one in fields(offer)}
        if person.limited:
            seen = tracks.seen(person, [one for one in (*owned, offer.track_id) if one is not None])
            owned = [one if one in seen else None for one in owned]
            told["track_id"] = offer.track_id if offer.track_id in seen else None
        return {**told, "owned": owned}

    @door.get("/acquire/search", allows="adds", query=Asking, answers={200: Offers})
    def search_outside(person: Person, query: Asking) -> Any:
        """What the outside catalogues and sources have; `track_id` tells what is in the library already.

        All are asked at once. A source that does not answer in time is named in `failures`, the others' answers come.
        """
        words = " ".join(query.q.split())
        if not words:
            return {"items": [], "failures": []}
        told = search.search(words, limit=min(max(query.limit, 1), 50))
        if not person.limited:
            return told
        seen = tracks.seen(person, [one.track_id for one in told["items"] if one.track_id is not None])
        return {**told, "items": [one if one.track_id in seen else replace(one, track_id=None)
                                  for one in told["items"]]}

    @door.get("/acquire/resolve", allows="adds", query=Leading, answers={200: WholeOffer}, errors=(404, 422))
    def resolve(person: Person, query: Leading) -> Any:
        """What a link leads to, with all its tracks, and which of them are in the library."""
        return whole(person, search.resolve(check_link(query.url)))

    @door.get("/acquire/album", allows="adds", query=Naming, answers={200: WholeOffer}, errors=(404, 422))
    def outside_album(person: Person, query: Naming) -> Any:
        """An album with its tracks by a catalogue's own id; of an album of the library, the tracks it lacks."""
        if query.source == "local":
            albums.must_see(person, query.id)
        return whole(person, search.album(query.source, query.id))

    @door.get("/acquire/cover", allows="adds", query=Looking, answers={200: "image/webp"}, errors=(304, 404, 422, 503))
    def outside_cover(person: Person, query: Looking) -> Response:
        """A picture that an offer or a download points to, through the station and small."""
        url, size = check_link(query.url), min(max(query.size, 64), 1200)
        for last_try in (False, True):
            found = covers.get(url, size)
            try:
                return file_of(found.path, found.mime_type, request, etag=found.etag, cache="private, max-age=604800")
            except NotFound:    # swept from the cache between the two lines
                if last_try:
                    raise
        raise AssertionError

    @door.get("/acquire/preview", allows="adds", query=Hearing, answers={200: "audio/*"}, errors=(404, 422, 503))
    def preview(person: Person, query: Hearing) -> Response:
        """Listen before fetching: streamed through, nothing is kept."""
        if (query.url is None) is (query.id is None):
            raise BadInput("Say what: by its url, or by id with source.", field="url")
        if query.id is not None and query.source is None:
            raise BadInput("Whose id is it? Name the source.", field="source")
        url = None if query.url is None else check_link(query.url)
        headers = {"Cache-Control": "no-store", "Accept-Ranges": "none"}
        if request.method == "HEAD":
            return Response(None, headers=headers, content_type="audio/ogg")
        heard = previews.open(url=url, source=query.source, id=query.id)
        kind = heard.mime_type if heard.mime_type.startswith(_SOUNDS) else "application/octet-stream"
        body = Watched(_Listening(heard, events=events), entered(streams, person))
        return Response(body, headers=headers, content_type=kind, direct_passthrough=True)

    return door


_SOUNDS = ("audio/", "video/", "application/ogg")   # what a stranger's server may call its answer here


class _Listening:
    """A preview that is listened to: background work steps aside meanwhile. Ends with the answer."""

    def __init__(self, heard: Any, *, events: EventBus) -> None:
        self._heard = heard
        self._events: EventBus | None = events
        self._sent_bytes = 0
        events.publish(StreamStarted(PREVIEW))

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._heard.chunks():
            self._sent_bytes += len(chunk)
            yield chunk

    def close(self) -> None:
        events, self._events = self._events, None
        try:
            self._heard.close()
        finally:
            if events is not None:
                events.publish(StreamEnded(PREVIEW, self._sent_bytes))
