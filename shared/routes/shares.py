"""Shares: links with which others hear a few things. For whose they are, and, open to everybody, for who has one.

What is open says no id and no path of the library, is not for search engines, and comes at a bounded rate (limits).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from flask import Response, request
from msgspec import UNSET, UnsetType

from shared.model.errors import BadInput, NotFound
from shared.model.person import Person
from shared.model.podcast import EpisodeSound
from shared.routes.covers import LARGEST, SMALLEST
from shared.routes.operation import Body, Door, Query
from shared.routes.respond import file_of, json_of
from shared.routes.sending import Conversion, Sending

if TYPE_CHECKING:
    from shared.library.covers import Covers
    from shared.records.tracks import Tracks
    from shared.security.shares import Share, Shares

AUDIO = "audio/*"
NOT_FOR_SEARCH = {"X-Robots-Tag": "noindex, nofollow, noarchive"}
# What browsers play as it is; the rest is sent as MP3.
PLAIN = frozenset({"mp3", "flac", "vorbis", "opus", "aac", "wav"})
OTHERWISE = Conversion("mp3", 192)

Described = Annotated[str, msgspec.Meta(max_length=1000)]
Moment = Annotated[str, msgspec.Meta(max_length=40)]


class Shared(Body):
    kind: Literal["track", "album", "artist", "playlist", "episode"]
    id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class NewShare(Body):
    """`expires_at`: when the link stops being good, RFC 3339; left out: never."""

    entries: Annotated[list[Shared], msgspec.Meta(min_length=1, max_length=500)]
    description: Described = ""
    expires_at: Moment | None = None


class ShareEdit(Body):
    """What is left out stays. `expires_at` null: never."""

    description: Described | UnsetType = UNSET
    expires_at: Moment | UnsetType | None = UNSET


class ShareEntry(msgspec.Struct, kw_only=True):
    kind: str
    id: str
    title: str


class ShareShown(msgspec.Struct, kw_only=True):
    """`title`: what is in it, in words; `entries`: of what it was made, as far as that is there; `count`: what is heard
    of it. `link` is empty when it was sealed on another machine."""

    id: str
    link: str
    title: str
    description: str
    entries: list[ShareEntry]
    count: int
    created_at: str
    expires_at: str | None
    visited_at: str | None
    visit_count: int
    over: bool


class ShareList(msgspec.Struct, kw_only=True):
    items: list[ShareShown]
    next_cursor: str | None
    total: int
    revision: int


class AboutItem(msgspec.Struct, kw_only=True):
    title: str
    artist: str
    album: str | None
    duration_ms: int
    stream: str
    cover: str


class About(msgspec.Struct, kw_only=True):
    """What is heard by a link, in order; the addresses begin at the station."""

    title: str
    description: str
    shared_by: str
    expires_at: str | None
    items: list[AboutItem]


class Size(Query):
    """`size` in pixels is clamped to 64-1200 and the nearest size there is."""

    size: int = 300


def door(*, shares: Shares, tracks: Tracks, covers: Covers, sending: Sending,
         sound_of: Callable[[str], EpisodeSound]) -> Door:
    """sound_of: the file of an episode that was fetched. Raises NotFound."""
    door = Door("shares")

    @door.get("/shares", allows="logged_in", answers={200: ShareList}, errors=(403,))
    def list_shares(person: Person) -> ShareList:
        """The own shares, the newest first; also those whose time is over."""
        items = [_shown(one) for one in shares.list(person, here=request.host_url)]
        return ShareList(items=items, next_cursor=None, total=len(items), revision=0)

    @door.post("/shares", allows="shares", body=NewShare, answers={201: ShareShown}, errors=(403, 404, 422))
    def make_share(person: Person, body: NewShare) -> ShareShown:
        """Make a link with which others hear these things, without an account."""
        return _shown(shares.make(
            person, [(one.kind, one.id) for one in body.entries], description=body.description,
            expires_at=_at(body.expires_at), address=_address(), here=request.host_url))

    @door.patch("/shares/<id>", allows="shares", body=ShareEdit, answers={200: ShareShown}, errors=(403, 404))
    def edit_share(person: Person, id: str, body: ShareEdit) -> ShareShown:
        """Change the words of a share, or when it ends."""
        values: dict[str, object] = {}
        if body.description is not UNSET:
            values["description"] = body.description
        if body.expires_at is not UNSET:
            values["expires_at"] = _at(body.expires_at)
        return _shown(shares.change(person, id, here=request.host_url, **values))

    @door.delete("/shares/<id>", allows="shares", answers={204: None}, errors=(403, 404))
    def end_share(person: Person, id: str) -> None:
        """End a share: its link leads to nothing any more, and who is listening by it stops."""
        shares.end(person, id, _address())

    # ---- for who has a link

    @door.get("/share/<code>/about", allows="open", outside=True, answers={200: About}, errors=(404, 410, 429))
    def about_share(code: str) -> Response:
        """What is heard by a link; nobody needs an account for it."""
        opened = shares.open(code)
        shares.visited(opened)
        base = f"/share/{code}"
        names = [opened.name_of(one) for one in opened.items]
        answer = json_of(About(
            title=opened.title, description=opened.description, shared_by=opened.person.username,
            expires_at=opened.expires_at, items=[
                AboutItem(title=one.title, artist=one.artist, album=one.album, duration_ms=one.duration_ms,
                          stream=f"{base}/stream/{name}", cover=f"{base}/cover/{name}")
                for one, name in zip(opened.items, names, strict=True)
            ]))
        answer.headers["Cache-Control"] = "no-store"
        return _hidden(answer)

    @door.get("/share/<code>/stream/<n>", allows="open", outside=True, answers={200: AUDIO, 206: AUDIO},
              errors=(304, 404, 410, 412, 416, 429, 503))
    def stream_share(code: str, n: str) -> Response:
        """The sound of one thing of a share, with ranges; `n` is its name in `about`, or its place.

        What browsers do not play comes as MP3.
        """
        opened = shares.open(code)
        item = opened.item(n)
        if item.kind == "episode":
            sound = sound_of(item.uid)
            return _hidden(sending.file(opened.person, item.uid, sound.path, sound.mime_type, sound.duration_ms or 0))
        track = tracks.file_of(item.uid, person=opened.person)
        try:
            return _hidden(sending.track(opened.person, track, None if track.format in PLAIN else OTHERWISE,
                                         redirects=False))
        except NotFound as problem:
            problem.details = {}        # they name the track
            raise

    @door.get("/share/<code>/cover/<n>", allows="open", outside=True, query=Size, answers={200: "image/*"},
              errors=(304, 404, 410, 429))
    def cover_of_share(code: str, n: str, query: Size) -> Response:
        """The picture of one thing of a share."""
        opened = shares.open(code)
        size = min(max(query.size, SMALLEST), LARGEST)
        found = covers.get(opened.item(n).cover, size, person=opened.person)
        return _hidden(file_of(found.path, found.mime_type, request, etag=found.etag.strip('"'),
                               cache="private, max-age=3600"))

    return door


def _hidden(answer: Response) -> Response:
    answer.headers.update(NOT_FOR_SEARCH)
    return answer


def _shown(one: Share) -> ShareShown:
    return ShareShown(
        id=one.id, link=one.link, title=one.title, description=one.description,
        entries=[ShareEntry(**entry) for entry in one.entries], count=len(one.items), created_at=one.created_at,
        expires_at=one.expires_at, visited_at=one.visited_at, visit_count=one.visit_count, over=one.over,
    )


def _at(text: str | None) -> float | None:
    """Unix seconds of an RFC 3339 moment. Raises BadInput."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError("no zone")
        return moment.timestamp()
    except (ValueError, OverflowError):
        raise BadInput("expires_at is no RFC 3339 time, such as 2026-05-01T20:15:00Z.", field="expires_at") from None


def _address() -> str:
    return request.remote_addr or ""
