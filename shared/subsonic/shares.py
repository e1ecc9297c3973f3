"""Shares: links with which others hear a few things, without an account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import request

from shared.model.person import Person
from shared.security.shares import Share
from shared.subsonic.asking import Asked
from shared.subsonic.calls import Calls

if TYPE_CHECKING:
    from shared.security.shares import Shares
    from shared.subsonic.telling import Telling
    from shared.subsonic.unfolding import Unfold


def calls(*, shares: Shares, telling: Telling, unfold: Unfold = lambda person, uid: uid) -> Calls:
    """unfold: the id of the album that a directory of the folder view stands for; any other id as it is."""
    calls = Calls("shares")

    @calls.answers("getShares")
    def get_shares(asked: Asked) -> dict[str, Any]:
        """The person's own shares."""
        if not shares.enabled:
            return {"shares": {"share": []}}
        return {"shares": {"share": told(asked.person, *shares.list(asked.person, here=request.host_url))}}

    @calls.answers("createShare", allows="shares")
    def create_share(asked: Asked) -> dict[str, Any]:
        """Make a link with which others hear songs, albums, artists, playlists or episodes."""
        asked.need("id")
        expires = asked.number("expires", 0, most=2**53)
        uids = [unfold(asked.person, uid) for uid in asked.texts("id")]
        made = shares.make_of(
            asked.person, uids, description=asked.text("description"),
            expires_at=expires / 1000 if expires else None, address=asked.address, here=request.host_url)
        return {"shares": {"share": told(asked.person, made)}}

    @calls.answers("updateShare", allows="shares")
    def update_share(asked: Asked) -> None:
        """Change the description of a share, or when it ends; 0: never."""
        uid, values = asked.need("id"), dict[str, Any]()
        if asked.has("description"):
            values["description"] = asked.text("description", empty=True)
        if asked.text("expires"):
            values["expires_at"] = asked.number("expires", 0, most=2**53) / 1000 or None
        shares.change(asked.person, uid, **values)

    @calls.answers("deleteShare", allows="shares")
    def delete_share(asked: Asked) -> None:
        """End a share: its link leads to nothing any more."""
        shares.end(asked.person, asked.need("id"), asked.address)

    def told(person: Person, *found: Share) -> list[dict[str, Any]]:
        songs = {one["id"]: one for one in telling.songs(person, list({uid: 0 for one in found for uid in one.items}))}
        return [
            {
                "id": one.id, "url": one.link, "description": one.description, "username": person.username,
                "created": one.created_at, "expires": one.expires_at, "lastVisited": one.visited_at,
                "visitCount": one.visit_count, "entry": [songs[uid] for uid in one.items if uid in songs],
            } for one in found
        ]

    return calls
