"""Bookmarks: a place in a song or an episode, each person's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.subsonic.asking import Asked
from shared.subsonic.calls import Calls

if TYPE_CHECKING:
    from shared.records.bookmarks import Bookmarks
    from shared.subsonic.telling import Telling


def calls(*, bookmarks: Bookmarks, telling: Telling) -> Calls:
    calls = Calls("bookmarks")

    @calls.answers("getBookmarks")
    def get_bookmarks(asked: Asked) -> dict[str, Any]:
        """The person's bookmarks, the latest first."""
        kept = bookmarks.list(asked.person)
        entries = {one["id"]: one for one in telling.songs(asked.person, [one.thing_id for one in kept])}
        return {"bookmarks": {"bookmark": [
            {
                "position": one.position_ms, "username": asked.person.username, "comment": one.comment,
                "created": one.created_at, "changed": one.changed_at, "entry": entries[one.thing_id],
            } for one in kept if one.thing_id in entries
        ]}}

    @calls.answers("createBookmark")
    def create_bookmark(asked: Asked) -> None:
        """Put the bookmark of a song or an episode at a place in ms."""
        uid = asked.need("id")
        asked.need("position")
        bookmarks.set(asked.person, uid, max(0, asked.number("position", 0, most=2**40)), asked.text("comment"))

    @calls.answers("deleteBookmark")
    def delete_bookmark(asked: Asked) -> None:
        """Take the bookmark out of a song or an episode."""
        bookmarks.remove(asked.person, asked.need("id"))

    return calls
