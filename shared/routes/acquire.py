"""Look around outside: what catalogues and sources offer, what a link leads to, how it sounds before it is fetched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from flask import Response, request

from shared.events import EventBus, StreamEnded, StreamStarted
from shared.model.download import Offer
from shared.model.errors import BadInput
from shared.model.person import Person
from shared.routes.downloads import Key, Link, Name, check_link
from shared.routes.operation import Door, Query

if TYPE_CHECKING:
    from odst.preview import Previews
    from odst.search import AcquireSearch

PREVIEW = "preview"     # in place of a track's id


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


class SourceFailure(msgspec.Struct, kw_only=True):
    """A source that did not answer, and why."""

    source: str
    code: str
    message: str


class Offers(msgspec.Struct, kw_only=True):
    items: list[Offer]
    failures: list[SourceFailure]


def door(*, search: AcquireSearch, previews: Previews, events: EventBus) -> Door:
    door = Door("acquire")

    @door.get("/acquire/search", allows="adds", query=Asking, answers={200: Offers})
    def search_outside(person: Person, query: Asking) -> Any:
        """What the outside catalogues and sources have; `track_id` tells what is in the library already.

        All are asked at once. A source that does not answer in time is named in `failures`, the others' answers come.
        """
        words = " ".join(query.q.split())
        if not words:
            return {"items": [], "failures": []}
        return search.search(words, limit=min(max(query.limit, 1), 50))

    @door.get("/acquire/resolve", allows="adds", query=Leading, answers={200: Offer}, errors=(404, 422))
    def resolve(person: Person, query: Leading) -> Any:
        """What a link leads to, with all its tracks."""
        return search.resolve(check_link(query.url))

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
        return Response(_Listening(heard, events=events), headers=headers, content_type=kind, direct_passthrough=True)

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
