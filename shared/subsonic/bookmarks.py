"""Bookmarks: a place in a song or an episode, each person's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.model.errors import NotFound
from shared.records.moments import shown
from shared.subsonic.annotation import NO_EPISODES, Episodes
from shared.subsonic.asking import Asked
from shared.subsonic.calls import Calls

if TYPE_CHECKING:
    from shared.records.bookmarks import Bookmarks
    from shared.subsonic.telling import Telling


def calls(*, bookmarks: Bookmarks, telling: Telling, episodes: Episodes = NO_EPISODES) -> Calls:
    """The bookmark of an episode is where the person is in it, everywhere: one that was begun in the player has one."""
    calls = Calls("bookmarks")

    @calls.answers("getBookmarks")
    def get_bookmarks(asked: Asked) -> dict[str, Any]:
        """The person's bookmarks, the latest first."""
        person = asked.person
        kept = bookmarks.list(person)
        heard = episodes.wholes(person, [one.thing_id for one in kept if one.kind == "episode"])
        told = [
            (one.changed_at, one.thing_id, {
                "position": heard[one.thing_id].shown.position_ms if one.thing_id in heard else one.position_ms,
                "comment": one.comment, "created": one.created_at, "changed": one.changed_at,
            }) for one in kept
        ]
        for uid, (position_ms, at) in episodes.positions(person).items():
            if uid not in heard:
                told.append((shown(at), uid, {
                    "position": position_ms, "comment": "", "created": shown(at), "changed": shown(at)}))
        told.sort(key=lambda one: one[0], reverse=True)
        entries = {one["id"]: one for one in telling.songs(person, [uid for _, uid, _ in told])}
        return {"bookmarks": {"bookmark": [
            {**mark, "username": person.username, "entry": entries[uid]} for _, uid, mark in told if uid in entries
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
        episode = episodes.wholes(asked.person, [uid]).get(uid)
        begun = episode is not None and episode.shown.position_ms > 0
        try:
            bookmarks.remove(asked.person, uid)
        except NotFound:
            if not begun:
                raise
        if begun:
            episodes.set_position(asked.person, uid, 0)

    return calls
