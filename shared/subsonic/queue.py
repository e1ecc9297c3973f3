"""The play queue of a person, taken along from app to app: one for all of them, the player's too."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from shared.records.listening import Queue
from shared.subsonic.answer import listed
from shared.subsonic.asking import Asked, Refused
from shared.subsonic.calls import Calls

if TYPE_CHECKING:
    from shared.records.listening import Listening
    from shared.subsonic.telling import Telling

NEVER = "1970-01-01T00:00:00Z"     # the protocol wants a moment also for what was never saved
PLAYER = "Soundsible"


def calls(*, listening: Listening, telling: Telling) -> Calls:
    calls = Calls("queue")

    @calls.answers("getPlayQueue")
    def get_play_queue(asked: Asked) -> dict[str, Any]:
        """The queue as some app saved it last, and the song it was at."""
        queue, told = saved(asked)
        if queue.track_ids:
            told = {"current": queue.track_ids[queue.index], **told}
        return {"playQueue": told}

    @calls.answers("getPlayQueueByIndex", extension="indexBasedQueue")
    def get_play_queue_by_index(asked: Asked) -> dict[str, Any]:
        """The same, with the place in the queue: a song may stand in it twice."""
        queue, told = saved(asked)
        if queue.track_ids:
            told = {"currentIndex": queue.index, **told}
        return {"playQueueByIndex": told}

    @calls.answers("savePlayQueue")
    def save_play_queue(asked: Asked) -> None:
        """Save the queue for other apps; without songs it is cleared."""
        songs = asked.texts("id")
        index = 0
        if songs:
            current = asked.need("current")
            if current not in songs:
                raise Refused(Refused.GENERIC, "The current song is none of the queue's.")
            index = songs.index(current)
        save(asked, songs, index)

    @calls.answers("savePlayQueueByIndex", extension="indexBasedQueue")
    def save_play_queue_by_index(asked: Asked) -> None:
        """The same, with the place in the queue."""
        songs = asked.texts("id")
        index = 0
        if songs:
            asked.need("currentIndex")
            index = asked.numbers("currentIndex")[0]
            if not 0 <= index < len(songs):
                raise Refused(Refused.MISSING, "The currentIndex lies outside of the queue.")
        save(asked, songs, index)

    def save(asked: Asked, songs: Sequence[str], index: int) -> None:
        position_ms = asked.number("position", 0, most=2**40)
        listening.save_queue(asked.person, songs, index, position_ms if songs else 0, asked.client)

    def saved(asked: Asked) -> tuple[Queue, dict[str, Any]]:
        queue = listening.queue(asked.person, episodes=True)
        return queue, {
            "position": queue.position_ms, "username": asked.person.username, "changed": queue.updated_at or NEVER,
            "changedBy": queue.client or (PLAYER if queue.updated_at else ""),
            "entry": listed(partial(telling.songs, asked.person), queue.track_ids),
        }

    return calls
