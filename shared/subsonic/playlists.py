"""Playlists: a person's own, and those that others share.

`public` is shared with everybody. What only the player knows, collaborative ones, are public and everybody may change
their songs: `readonly` says to whom that does not apply.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from shared.model.person import Person
from shared.model.track import Playlist
from shared.subsonic.answer import listed
from shared.subsonic.asking import Asked, Refused
from shared.subsonic.calls import Calls
from shared.subsonic.telling import seconds

if TYPE_CHECKING:
    from shared.records.playlists import Playlists
    from shared.subsonic.telling import Telling

LONGEST_NAME = 500


def calls(*, playlists: Playlists, telling: Telling) -> Calls:
    calls = Calls("playlists")

    @calls.answers("getPlaylists")
    def get_playlists(asked: Asked) -> dict[str, Any]:
        """All playlists that the person may play; with username, for owners, those of somebody that are not private."""
        username = asked.text("username")
        if username and username != asked.person.username and not asked.person.owns:
            raise Refused(Refused.FORBIDDEN, "Only an owner of this station asks for the playlists of others.")
        found = playlists.every(asked.person)
        if username and username != asked.person.username:
            found = playlists.every(asked.person, owner=username)
        return {"playlists": {"playlist": [_shown(asked.person, one) for one in found]}}

    @calls.answers("getPlaylist")
    def get_playlist(asked: Asked) -> dict[str, Any]:
        """One playlist with its songs."""
        return {"playlist": whole(asked.person, asked.need("id"))}

    @calls.answers("createPlaylist")
    def create_playlist(asked: Asked) -> dict[str, Any]:
        """Make a playlist; or, with playlistId, put these songs in the place of those it has."""
        uid, name, songs = asked.text("playlistId"), _name(asked.text("name")), asked.texts("songId")
        if uid:
            # A name alone renames: an app that says no songs does not mean that all of them shall go.
            only_named = bool(name) and not songs
            playlists.edit(asked.person, uid, name=name or None, track_uids=None if only_named else songs)
        elif name:
            uid = playlists.make(asked.person, name, songs).id
        else:
            raise Refused(Refused.MISSING, "The parameter name, or playlistId, is missing.")
        return {"playlist": whole(asked.person, uid)}

    @calls.answers("updatePlaylist")
    def update_playlist(asked: Asked) -> None:
        """Change the name, the comment or who sees it; take out songs by their places, and put others at the end."""
        uid, name = asked.need("playlistId"), _name(asked.text("name"))
        visibility = None
        if asked.text("public"):
            visibility = _visibility(asked.flag("public"), playlists.contents(asked.person, uid)[0])
        playlists.edit(
            asked.person, uid, name=name or None, visibility=visibility,
            comment=asked.text("comment", empty=True).strip() if asked.has("comment") else None,
            without=asked.numbers("songIndexToRemove"), more=asked.texts("songIdToAdd"),
        )

    @calls.answers("deletePlaylist")
    def delete_playlist(asked: Asked) -> None:
        """Delete a playlist; its songs stay."""
        playlists.delete(asked.person, asked.need("id"))

    def whole(person: Person, uid: str) -> dict[str, Any]:
        playlist, songs = playlists.contents(person, uid)
        return {**_shown(person, playlist), "entry": listed(partial(telling.songs, person), songs)}

    return calls


def _shown(person: Person, one: Playlist) -> dict[str, Any]:
    return {
        "id": one.id, "name": one.name, "comment": one.comment, "owner": one.owner,
        "public": one.visibility != "private", "songCount": one.track_count, "duration": seconds(one.duration_ms),
        "created": one.created_at, "changed": one.updated_at, "coverArt": one.id, "allowedUser": [],
        "readonly": one.owner != person.username and one.visibility != "collaborative",
    }


def _name(text: str) -> str:
    name = " ".join(text.split())
    if len(name) > LONGEST_NAME:
        raise Refused(Refused.GENERIC, f"A name has at most {LONGEST_NAME} characters.")
    return name


def _visibility(public: bool, now: Playlist) -> str | None:
    """What it becomes; None: it is so already."""
    if public == (now.visibility != "private"):
        return None
    return "shared" if public else "private"
