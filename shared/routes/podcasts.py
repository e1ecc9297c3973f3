"""Podcasts: feeds that the station follows, their episodes, how far each person is, and their sound."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from flask import Response, request

from shared.model.errors import NotFound
from shared.model.person import Person
from shared.model.podcast import Episode, Podcast
from shared.podcasts.podcasts import MOST_KEPT
from shared.routes.covers import LARGEST, SMALLEST
from shared.routes.downloads import Link, check_link
from shared.routes.hanging_up import Watched, entered
from shared.routes.operation import Body, Door, Query
from shared.routes.respond import OpenFile, audio, file_of

if TYPE_CHECKING:
    from shared.library.outside_covers import OutsideCovers
    from shared.podcasts.podcasts import Podcasts
    from shared.security.open_streams import OpenStreams

AUDIO = "audio/*"
OPML = "text/x-opml; charset=utf-8"
LONGEST_OPML = 3_000_000        # characters

Keep = Annotated[int, msgspec.Meta(ge=0, le=MOST_KEPT)]
Place = Annotated[int, msgspec.Meta(ge=0, le=7 * 86_400_000)]
Size = Annotated[int, msgspec.Meta(ge=1, le=4096)]


class NewPodcast(Body):
    """`url` of the feed, or of a page that names it. `keep`: so many of its newest episodes are fetched by
    themselves."""

    url: Link
    keep: Keep = 0


class PodcastEdit(Body):
    keep: Keep


class PodcastList(msgspec.Struct, kw_only=True):
    items: list[Podcast]


class EpisodePage(msgspec.Struct, kw_only=True):
    items: list[Episode]
    next_cursor: str | None
    total: int


class EpisodeList(msgspec.Struct, kw_only=True):
    items: list[Episode]


class WhichEpisodes(Query):
    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 50
    cursor: str | None = None


class Latest(Query):
    """`latest`: how many."""

    latest: Annotated[int, msgspec.Meta(ge=1, le=500)] = 50


class Position(Body):
    """`finished` left out: as it was, until it is heard again."""

    position_ms: Place
    finished: bool | None = None


class Picture(Query):
    size: int = 300


class Opml(Body):
    opml: Annotated[str, msgspec.Meta(max_length=LONGEST_OPML)]


class TakenFeed(msgspec.Struct, kw_only=True):
    """`status`: what became of it. `id`: of the podcast, where there is one."""

    url: str
    title: str
    status: Literal["added", "there", "failed"]
    id: str | None
    reason: str | None


class OpmlReport(msgspec.Struct, kw_only=True):
    items: list[TakenFeed]
    added: int
    known: int
    failed: int


def door(*, podcasts: Podcasts, pictures: OutsideCovers, streams: OpenStreams) -> Door:
    door = Door("podcasts")

    @door.get("/podcasts", allows="logged_in", answers={200: PodcastList})
    def list_podcasts(person: Person) -> Any:
        """All podcasts by name; `new_count` is the person's own."""
        return {"items": podcasts.records.every(person)}

    @door.post("/podcasts", allows="adds", body=NewPodcast, answers={201: Podcast}, errors=(409, 422))
    def follow_podcast(person: Person, body: NewPodcast) -> Any:
        """Follow a feed; it is read at once."""
        return podcasts.add(person, check_link(body.url), keep=body.keep)

    @door.post("/podcasts/refresh", allows="adds", answers={202: None})
    def refresh_podcasts(person: Person) -> None:
        """Look at all feeds soon, but for those that were looked at a minute ago."""
        podcasts.refresh()

    @door.get("/podcasts/opml", allows="logged_in", answers={200: "text/x-opml"})
    def save_opml(person: Person) -> Response:
        """All feeds as OPML, for other programs."""
        return Response(podcasts.opml(person), 200, content_type=OPML, headers={
            "Content-Disposition": 'attachment; filename="podcasts.opml"', "Cache-Control": "no-store"})

    @door.post("/podcasts/opml", allows="adds", body=Opml, answers={200: OpmlReport}, errors=(422,))
    def take_opml(person: Person, body: Opml) -> Any:
        """Follow all feeds that an OPML file names; they are read one after the other."""
        told = podcasts.take_opml(person, body.opml)
        counts = {word: sum(one["status"] == status for one in told)
                  for word, status in (("added", "added"), ("known", "there"), ("failed", "failed"))}
        return {"items": told, **counts}

    @door.get("/podcasts/<id>", allows="logged_in", answers={200: Podcast}, errors=(404,))
    def one_podcast(person: Person, id: str) -> Podcast:
        """One podcast."""
        return podcasts.records.get(person, id)

    @door.patch("/podcasts/<id>", allows="adds", body=PodcastEdit, answers={200: Podcast}, errors=(404,))
    def change_podcast(person: Person, id: str, body: PodcastEdit) -> Podcast:
        """How many of its newest episodes are fetched by themselves."""
        return podcasts.change(person, id, keep=body.keep)

    @door.delete("/podcasts/<id>", allows="adds", answers={204: None}, errors=(404,))
    def unfollow_podcast(person: Person, id: str) -> None:
        """Follow it no more; its episodes go, and what everybody heard of it is forgotten."""
        podcasts.remove(id)

    @door.get("/podcasts/<id>/episodes", allows="logged_in", query=WhichEpisodes, answers={200: EpisodePage},
              errors=(404,))
    def episodes_of(person: Person, id: str, query: WhichEpisodes) -> Any:
        """Its episodes, the newest first."""
        items, following, total = podcasts.records.page(person, id, limit=query.limit, cursor=query.cursor)
        return {"items": items, "next_cursor": following, "total": total}

    @door.get("/podcasts/<id>/cover", allows="logged_in", query=Picture, answers={200: "image/*"}, errors=(304, 404))
    def podcast_cover(person: Person, id: str, query: Picture) -> Response:
        """The picture of a podcast, or of an episode."""
        found = pictures.get(podcasts.image_url(id), min(max(query.size, SMALLEST), LARGEST))
        return file_of(found.path, found.mime_type, request, etag=found.etag, cache="private, max-age=86400")

    @door.get("/episodes", allows="logged_in", query=Latest, answers={200: EpisodeList})
    def latest_episodes(person: Person, query: Latest) -> Any:
        """The newest episodes of all podcasts."""
        return {"items": podcasts.records.page(person, None, limit=query.latest)[0]}

    @door.get("/episodes/<id>", allows="logged_in", answers={200: Episode}, errors=(404,))
    def one_episode(person: Person, id: str) -> Episode:
        """One episode."""
        return podcasts.records.whole(person, id).shown

    @door.post("/episodes/<id>/download", allows="adds", answers={202: Episode}, errors=(404, 422))
    def fetch_episode(person: Person, id: str) -> Episode:
        """Have it fetched; how that goes is seen among the downloads."""
        podcasts.download(person, id)
        return podcasts.records.whole(person, id).shown

    @door.delete("/episodes/<id>/download", allows="adds", answers={200: Episode}, errors=(404, 409))
    def drop_episode(person: Person, id: str) -> Episode:
        """Stop fetching it, or remove what was fetched."""
        podcasts.episodes.drop(id)
        return podcasts.records.whole(person, id).shown

    @door.put("/episodes/<id>/position", allows="logged_in", body=Position, answers={200: Episode}, errors=(404,))
    def put_position(person: Person, id: str, body: Position) -> Episode:
        """How far the person is in it."""
        podcasts.records.set_position(person, id, body.position_ms, finished=body.finished)
        return podcasts.records.whole(person, id).shown

    @door.get("/episodes/<id>/stream", allows="logged_in", answers={200: AUDIO, 206: AUDIO},
              errors=(304, 404, 412, 416, 422, 503))
    def stream_episode(person: Person, id: str) -> Response:
        """The sound of an episode.

        What is fetched comes from its file, with ranges; anything else comes from where it lies through the station,
        with ranges where its server has them.
        """
        try:
            sound = podcasts.sound_of(id)
        except NotFound:
            return relayed(person, id)
        with contextlib.ExitStack() as over:
            file = OpenFile(open(sound.path, "rb", buffering=0))    # noqa: SIM115  (the answer closes it)
            if request.method == "GET":
                over.enter_context(podcasts.episodes.heard(id))
                over.callback(entered(streams, person))
                file.on_close = _closing(over.pop_all())
            return audio(file, sound.mime_type, request)

    def relayed(person: Person, id: str) -> Response:
        found = podcasts.relay(id, range=request.headers.get("Range"), head=request.method == "HEAD")
        if request.method == "HEAD" or found.status == 416:
            return Response(None, found.status, found.headers)
        leave = entered(streams, person)
        return Response(Watched(found, leave), found.status, found.headers, direct_passthrough=True)

    return door


def _closing(over: contextlib.ExitStack) -> Callable[[int], None]:
    def close(size_bytes: int) -> None:
        over.close()

    return close
