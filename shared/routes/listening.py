"""What a person thinks of the music and has heard: favourites, ratings, plays, the queue."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import msgspec
from flask import Response, request

from shared.model.errors import BadInput
from shared.model.person import Person
from shared.model.track import Filters, Page, Track
from shared.records.listening import Queue
from shared.routes.library import Text, TrackListing, TrackSort
from shared.routes.operation import Body, Door
from shared.routes.respond import unless_known

if TYPE_CHECKING:
    from shared.library.now_playing import NowPlaying
    from shared.records.listening import Listening
    from shared.records.tracks import Tracks


class FavouriteListing(TrackListing):
    sort: TrackSort = "-favourited"


class Rating(Body):
    """0 takes the rating away."""

    rating: Annotated[int, msgspec.Meta(ge=0, le=5)]


class NewPlay(Body):
    """`played_at`: when it began, RFC 3339; left out: now. `played_ms`: how long it was heard."""

    track_id: Text
    played_at: Annotated[str, msgspec.Meta(max_length=40)] | None = None
    played_ms: Annotated[int, msgspec.Meta(ge=0, le=7 * 86_400_000)] | None = None


class Play(msgspec.Struct, kw_only=True):
    track_id: str
    played_at: str
    played_ms: int | None


class NewQueue(Body):
    track_ids: Annotated[list[Text], msgspec.Meta(max_length=10_000)]
    index: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 0
    position_ms: Annotated[int, msgspec.Meta(ge=0, le=2**40)] = 0


class PlayingItem(msgspec.Struct, kw_only=True):
    """`kind`: track | episode; `state`: starting, playing or paused; `client`: as the app calls itself."""

    username: str
    client: str
    kind: str
    id: str
    state: str
    position_ms: int
    rate: float
    minutes_ago: int


class PlayingNow(msgspec.Struct, kw_only=True):
    items: list[PlayingItem]


def door(*, tracks: Tracks, listening: Listening, now_playing: NowPlaying, revision: Callable[[], int]) -> Door:
    door = Door("listening")

    @door.get("/library/favourites", allows="logged_in", query=FavouriteListing, answers={200: Page[Track]})
    def list_favourites(person: Person, query: FavouriteListing) -> Response:
        """The own favourite tracks, the latest first."""
        filters = Filters(album_id=query.album_id, artist_id=query.artist_id, genre=query.genre, year=query.year,
                          favourite=True, place=query.place, q=query.q)
        asked = ("favourites", person.user_id, person.sees_files, person.limited, revision(),
                 msgspec.structs.astuple(query))
        return unless_known(asked, lambda: tracks.list(person, filters=filters, sort=query.sort, **query.page))

    @door.put("/library/favourites/<id>", allows="logged_in", answers={204: None}, errors=(404,))
    def favour(person: Person, id: str) -> None:
        """Make a track a favourite."""
        listening.favourite(person, id, True)

    @door.delete("/library/favourites/<id>", allows="logged_in", answers={204: None}, errors=(404,))
    def unfavour(person: Person, id: str) -> None:
        """No longer a favourite."""
        listening.favourite(person, id, False)

    @door.put("/library/favourites/albums/<id>", allows="logged_in", answers={204: None}, errors=(404,))
    def favour_album(person: Person, id: str) -> None:
        """Make an album a favourite."""
        listening.favourite_album(person, id, True)

    @door.delete("/library/favourites/albums/<id>", allows="logged_in", answers={204: None}, errors=(404,))
    def unfavour_album(person: Person, id: str) -> None:
        """No longer a favourite."""
        listening.favourite_album(person, id, False)

    @door.put("/library/favourites/artists/<id>", allows="logged_in", answers={204: None}, errors=(404,))
    def favour_artist(person: Person, id: str) -> None:
        """Make an artist a favourite."""
        listening.favourite_artist(person, id, True)

    @door.delete("/library/favourites/artists/<id>", allows="logged_in", answers={204: None}, errors=(404,))
    def unfavour_artist(person: Person, id: str) -> None:
        """No longer a favourite."""
        listening.favourite_artist(person, id, False)

    @door.put("/library/ratings/<id>", allows="logged_in", body=Rating, answers={204: None}, errors=(404,))
    def rate(person: Person, id: str, body: Rating) -> None:
        """Rate a track with one to five stars."""
        listening.rate(person, id, body.rating)

    @door.post("/library/plays", allows="logged_in", body=NewPlay, answers={201: Play}, errors=(404,))
    def play(person: Person, body: NewPlay) -> Play:
        """Tell that a track was heard."""
        at = moment(body.played_at)
        client = request.headers.get("User-Agent", "")[:200]
        listening.play(person, body.track_id, at.timestamp(), body.played_ms, client)
        return Play(track_id=body.track_id, played_at=rfc3339(at), played_ms=body.played_ms)

    @door.get("/now-playing", allows="logged_in", answers={200: PlayingNow})
    def playing_now(person: Person) -> PlayingNow:
        """What everybody's apps play now, as far as the person sees it, the latest first."""
        return PlayingNow(items=[
            PlayingItem(username=one.person.username, client=one.client, kind=one.kind, id=one.uid, state=one.state,
                        position_ms=now_playing.position_of(one), rate=one.rate,
                        minutes_ago=now_playing.minutes_ago(one))
            for one in now_playing.playing(person) if one.kind != "track" or tracks.is_there(person, one.uid)
        ])

    @door.get("/me/queue", allows="logged_in", answers={200: Queue})
    def queue(person: Person) -> Queue:
        """The own play queue, as a device saved it last."""
        return listening.queue(person)

    @door.put("/me/queue", allows="logged_in", body=NewQueue, answers={200: Queue})
    def save_queue(person: Person, body: NewQueue) -> Queue:
        """Save the own play queue for other devices."""
        if body.track_ids and body.index >= len(body.track_ids):
            raise BadInput("The index lies behind the queue's end.", field="index")
        listening.save_queue(person, body.track_ids, body.index, body.position_ms)
        return listening.queue(person)

    return door


def moment(text: str | None) -> datetime:
    """An RFC 3339 time, or now. Raises BadInput; a time to come is now (a clock that is a little fast)."""
    now = datetime.now(UTC)
    if text is None:
        return now
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            at = at.replace(tzinfo=UTC)
        at = at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadInput("played_at is no RFC 3339 time, such as 2026-05-01T20:15:00Z.", field="played_at") from None
    if at > now + timedelta(days=1) or at.year < 1980:
        raise BadInput("played_at lies in the future or before there were files to play.", field="played_at")
    return min(at, now)


def rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
