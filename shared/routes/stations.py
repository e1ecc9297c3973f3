"""Other stations: pair them, look into them, copy one's own things from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from flask import request

from shared.library.belongings import ImportReport
from shared.model.person import Person
from shared.routes.operation import Body, Door, Query
from shared.security.stations import OtherStation, PeerLibrary

if TYPE_CHECKING:
    from shared.security.stations import Stations

Kind = Literal["playlists", "favourites", "ratings", "plays"]
ALL: tuple[Kind, ...] = ("playlists", "favourites", "ratings", "plays")


class OfferedToken(Body):
    """`token`: a sync token of the other station, or the link around it."""

    token: Annotated[str, msgspec.Meta(max_length=4000)]


class PeerWish(Query):
    """`q`: search; else `of` which a page is given, with `cursor` the next one."""

    q: Annotated[str, msgspec.Meta(max_length=200)] = ""
    of: Literal["albums", "tracks", "playlists"] = "albums"
    cursor: Annotated[str, msgspec.Meta(max_length=1000)] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1)] = 100


class CopyWish(Body):
    """`what`: all, when left out. `dry_run`: say what would come of it."""

    what: Annotated[list[Kind], msgspec.Meta(max_length=8)] = msgspec.field(default_factory=lambda: list(ALL))
    dry_run: bool = False


class OtherStations(msgspec.Struct, kw_only=True):
    items: list[OtherStation]
    next_cursor: str | None
    total: int
    revision: int


def door(*, stations: Stations) -> Door:
    door = Door("stations")

    @door.get("/stations", allows="own_account", answers={200: OtherStations})
    def list_stations(person: Person) -> OtherStations:
        """The stations that the own account is paired with."""
        items = list(stations.list(person))
        return OtherStations(items=items, next_cursor=None, total=len(items), revision=0)

    @door.post("/stations", allows="own_account", body=OfferedToken, answers={201: OtherStation}, errors=(409, 422))
    def pair_station(person: Person, body: OfferedToken) -> OtherStation:
        """Pair another station by its sync token; it gets one of this station in the same breath."""
        return stations.add(person, body.token, address=request.remote_addr or "")

    # For a station that was paired a moment ago, whatever it may besides.
    @door.post("/stations/offer", allows="logged_in", body=OfferedToken, answers={201: OtherStation},
               errors=(403, 409, 422))
    def offer_station(person: Person, body: OfferedToken) -> OtherStation:
        """Asked by another station that has just claimed a sync token here: its own token, so that both know each
        other."""
        return stations.offered(person, body.token, address=request.remote_addr or "")

    @door.delete("/stations/<id>", allows="own_account", answers={204: None}, errors=(404,))
    def remove_station(person: Person, id: str) -> None:
        """Forget another station, and give its token back."""
        stations.remove(person, id, address=request.remote_addr or "")

    @door.get("/stations/<id>/library", allows="own_account", query=PeerWish, answers={200: PeerLibrary},
              errors=(404, 422))
    def look_into_station(person: Person, id: str, query: PeerWish) -> PeerLibrary:
        """What there is on another station: its albums (or tracks) and playlists page by page, or by words."""
        return stations.library(person, id, words=query.q.strip(), of=query.of, cursor=query.cursor,
                                limit=min(query.limit, 500))

    @door.post("/stations/<id>/copy", allows="own_account", body=CopyWish, body_optional=True,
               answers={200: ImportReport}, errors=(404, 422))
    def copy_from_station(person: Person, id: str, body: CopyWish) -> ImportReport:
        """Take over the own playlists, ratings, favourites and plays from another station; once, however often."""
        return stations.copy(person, id, body.what, dry_run=body.dry_run, address=request.remote_addr or "")

    return door
