"""Listening services that one's plays are told to: connect and disconnect them, and see how it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from shared.model.person import Person
from shared.records.moments import shown
from shared.routes.operation import Body, Door

if TYPE_CHECKING:
    from shared.library.scrobbling import Connected, Scrobbling

Secret = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class ListenBrainzToken(Body):
    """`token`: the user token of one's settings there. `url`: of another server that speaks like ListenBrainz."""

    token: Secret
    url: Annotated[str, msgspec.Meta(max_length=1000)] = ""


class LastfmYes(Body):
    """`token`: as it was given when connecting began; it counts once the person has allowed the station there."""

    token: Secret


class LastfmAsk(msgspec.Struct, kw_only=True):
    """`address`: the page of Last.fm where the person allows the station."""

    address: str
    token: str


class Scrobbler(msgspec.Struct, kw_only=True):
    """`available`: whether this station can be connected with it (Last.fm needs a key of the owner's). `username`:
    there. `waiting`: plays that are not told yet. `told_at`: when it last took some. `error`: why it is not told."""

    service: str
    available: bool
    connected: bool
    username: str
    url: str
    waiting: int
    connected_at: str | None
    told_at: str | None
    error: str | None


class Scrobblers(msgspec.Struct, kw_only=True):
    items: list[Scrobbler]
    next_cursor: str | None
    total: int
    revision: int


def door(*, scrobbling: Scrobbling) -> Door:
    door = Door("scrobblers")

    @door.get("/scrobblers", allows="own_account", answers={200: Scrobblers})
    def list_scrobblers(person: Person) -> Scrobblers:
        """Every listening service, and how it stands with the own account."""
        items = [_told(one) for one in scrobbling.list(person)]
        return Scrobblers(items=items, next_cursor=None, total=len(items), revision=0)

    @door.put("/scrobblers/listenbrainz", allows="own_account", body=ListenBrainzToken, answers={200: Scrobbler},
              errors=(422,))
    def connect_listenbrainz(person: Person, body: ListenBrainzToken) -> Scrobbler:
        """Tell ListenBrainz (or a server that speaks like it) what one hears from now on."""
        return _told(scrobbling.connect_listenbrainz(person, body.token, body.url))

    @door.post("/scrobblers/lastfm/begin", allows="own_account", answers={201: LastfmAsk}, errors=(422,))
    def begin_lastfm(person: Person) -> LastfmAsk:
        """Begin to connect Last.fm: the person allows the station on a page of Last.fm."""
        address, token = scrobbling.begin_lastfm(person)
        return LastfmAsk(address=address, token=token)

    @door.put("/scrobblers/lastfm", allows="own_account", body=LastfmYes, answers={200: Scrobbler}, errors=(422,))
    def connect_lastfm(person: Person, body: LastfmYes) -> Scrobbler:
        """Tell Last.fm what one hears from now on, after the person's yes there."""
        return _told(scrobbling.connect_lastfm(person, body.token))

    @door.delete("/scrobblers/<service>", allows="own_account", answers={204: None}, errors=(404,))
    def disconnect_scrobbler(person: Person, service: str) -> None:
        """Tell a service nothing more; what waits to be told is forgotten."""
        scrobbling.disconnect(person, service)

    return door


def _told(one: Connected) -> Scrobbler:
    row = one.row
    if row is None:
        return Scrobbler(service=one.service, available=one.available, connected=False, username="", url="", waiting=0,
                         connected_at=None, told_at=None, error=None)
    return Scrobbler(
        service=one.service, available=one.available, connected=True, username=row.username, url=row.url,
        waiting=row.waiting, connected_at=shown(row.connected_at),
        told_at=None if row.last_sent_at is None else shown(row.last_sent_at), error=row.last_error)
