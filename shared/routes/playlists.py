"""Playlists: a person's own, and those that others share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from flask import Response
from msgspec import UNSET, UnsetType

from shared.model.errors import BadInput
from shared.model.person import Person
from shared.model.track import Page, Playlist, PlaylistWhole
from shared.routes.library import Paging, Text, _one_of
from shared.routes.operation import Body, Door
from shared.routes.respond import json_of, unless_known
from shared.routes.wholes import Wholes

if TYPE_CHECKING:
    from shared.records.playlists import Playlists

Title = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
LARGE = 2_000   # tracks; playlists of more are told a few at a time
TrackIds = Annotated[list[Text], msgspec.Meta(max_length=100_000)]
Comment = Annotated[str, msgspec.Meta(max_length=5_000)]
Visibility = Literal["private", "shared", "collaborative"]
PlaylistSort = Annotated[str, _one_of("name", "updated")]


class PlaylistListing(Paging):
    sort: PlaylistSort = "name"


class NewPlaylist(Body):
    name: Title
    track_ids: TrackIds = []
    visibility: Visibility = "private"


class PlaylistEdit(Body):
    """What is left out stays. `track_ids` is the whole new order."""

    name: Title | UnsetType = UNSET
    visibility: Visibility | UnsetType = UNSET
    comment: Comment | UnsetType = UNSET
    track_ids: TrackIds | UnsetType = UNSET


class MoreTracks(Body):
    track_ids: TrackIds


def door(*, playlists: Playlists, revision: Callable[[], int]) -> Door:
    """Whose a playlist is, `playlists` knows and holds."""
    door = Door("playlists")
    wholes = Wholes()

    @door.get("/library/playlists", allows="logged_in", query=PlaylistListing, answers={200: Page[Playlist]})
    def list_playlists(person: Person, query: PlaylistListing) -> Response:
        """The own playlists and those that others share."""
        asked = ("playlists", person.user_id, person.limited, revision(), msgspec.structs.astuple(query))
        return unless_known(asked, lambda: playlists.list(person, sort=query.sort, **query.page))

    @door.post("/library/playlists", allows="logged_in", body=NewPlaylist, answers={201: Playlist},
               errors=(404, 422))
    def make_playlist(person: Person, body: NewPlaylist) -> Playlist:
        """Make a playlist."""
        return playlists.make(person, _name(body.name), body.track_ids, body.visibility)

    @door.get("/library/playlists/<id>", allows="logged_in", answers={200: PlaylistWhole}, errors=(404,))
    def one_playlist(person: Person, id: str) -> PlaylistWhole | Response:
        """One playlist with its tracks."""
        if playlists.length(person, id) <= LARGE:
            return playlists.get(person, id)
        return wholes.answer(person, lambda: json_of(playlists.get(person, id)))

    @door.patch("/library/playlists/<id>", allows="logged_in", body=PlaylistEdit, answers={200: Playlist},
                errors=(403, 404, 422))
    def edit_playlist(person: Person, id: str, body: PlaylistEdit) -> Playlist:
        """Rename a playlist, share it, or put its tracks in a new order."""
        return playlists.edit(
            person, id,
            name=None if body.name is UNSET else _name(body.name),
            visibility=None if body.visibility is UNSET else body.visibility,
            comment=None if body.comment is UNSET else body.comment,
            track_uids=None if body.track_ids is UNSET else body.track_ids,
        )

    @door.delete("/library/playlists/<id>", allows="logged_in", answers={204: None}, errors=(403, 404))
    def delete_playlist(person: Person, id: str) -> None:
        """Delete a playlist; its tracks stay."""
        playlists.delete(person, id)

    @door.post("/library/playlists/<id>/tracks", allows="logged_in", body=MoreTracks, answers={200: Playlist},
               errors=(403, 404, 422))
    def append_tracks(person: Person, id: str, body: MoreTracks) -> Playlist:
        """Append tracks to a playlist."""
        return playlists.append(person, id, body.track_ids)

    return door


def _name(text: str) -> str:
    name = " ".join(text.split())
    if not name:
        raise BadInput("A playlist needs a name.", field="name")
    return name
