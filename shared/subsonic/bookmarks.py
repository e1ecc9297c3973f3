"""Bookmarks: a place in a song or an episode, each person's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.subsonic.annotation import NO_EPISODES, Episodes
from shared.subsonic.asking import Asked
from shared.subsonic.calls import Calls

if TYPE_CHECKING:
    from shared.records.bookmarks import Bookmarks
    from shared.subsonic.telling import Telling


def calls(*, bookmarks: Bookmarks, telling: Telling, episodes: Episodes = NO_EPISODES) -> Calls:
    """A bookmark of an episode is where the person is in it, everywhere."""
    calls = Calls("bookmarks")

    @calls.answers("getBookmarks")
    def get_bookmarks(asked: Asked) -> dict[str, Any]:
        """The person's bookmarks, the latest first."""
        kept = bookmarks.list(asked.person)
        entries = {one["id"]: one for one in telling.songs(asked.person, [one.thing_id for one in kept])}
        heard = episodes.wholes(asked.person, [one.thing_id for one in kept if one.kind == "episode"])
        places = {uid: one.shown.position_ms for uid, one in heard.items()}     # also as the player left it
        return {"bookmarks": {"bookmark": [
            {
                "position": places.get(one.thing_id, one.position_ms),
                "username": asked.person.username, "comment": one.comment,
                "created": one.created_at, "changed": one.changed_at, "entry": entries[one.thing_id],
            } for one in kept if one.thing_id in entries
        ]}}

    @calls.answers("createBookmark")
    def create_bookmark(asked: Asked) -> None:
        """Put the bookmark of a song or an episode at a place in ms."""
        uid = asked.need("id")
        asked.need("position")
        position_ms = max(0, asked.number("position", 0, most=2**40))
        bookmarks.set(asked.person, uid, position_ms, asked.text("comment"))
        if episodes.wholes(asked.person, [uid]):
            episodes.set_position(asked.person, uid, position_ms)

    @calls.answers("deleteBookmark")
    def delete_bookmark(asked: Asked) -> None:
        """Take the bookmark out of a song or an episode."""
        uid = asked.need("id")
        bookmarks.remove(asked.person, uid)
        if episodes.wholes(asked.person, [uid]):
            episodes.set_position(asked.person, uid, 0)

    return calls
