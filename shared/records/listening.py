"""What a person thinks of the music and has heard: favourites, ratings, plays, the queue."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, text

from shared.database import Database
from shared.model.errors import BadInput
from shared.model.person import Person
from shared.records import revisions
from shared.records.albums import album_id_of
from shared.records.artists import artist_id_of
from shared.records.moments import shown
from shared.records.tables import credits as track_credits
from shared.records.tables import plays, queues, tracks
from shared.records.tracks import track_id_of, track_ids_of

MOST_QUEUED = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """What one device left to play, for the next."""

    track_ids: list[str]
    index: int
    position_ms: int
    updated_at: str | None  # None: nothing was ever saved


def _favour(kind: str) -> tuple[str, str]:
    return (
        f"INSERT INTO {kind}_listening (user_id, {kind}_id, favourite_at, changed_rev) "
        f"VALUES (:user, :thing, :at, :rev) ON CONFLICT (user_id, {kind}_id) "
        "DO UPDATE SET favourite_at = excluded.favourite_at, changed_rev = excluded.changed_rev",
        f"SELECT favourite_at FROM {kind}_listening WHERE user_id = :user AND {kind}_id = :thing",
    )


_RATE = text(
    "INSERT INTO track_listening (user_id, track_id, rating, changed_rev) VALUES (:user, :thing, :rating, :rev) "
    "ON CONFLICT (user_id, track_id) DO UPDATE SET rating = excluded.rating, changed_rev = excluded.changed_rev"
)


def _count_play(kind: str) -> str:
    return (
        f"INSERT INTO {kind}_listening (user_id, {kind}_id, play_count, last_played_at, changed_rev) "
        f"VALUES (:user, :thing, 1, :at, :rev) ON CONFLICT (user_id, {kind}_id) DO UPDATE SET "
        f"play_count = {kind}_listening.play_count + 1, last_played_at = "
        f"CASE WHEN {kind}_listening.last_played_at IS NULL "
        f"OR {kind}_listening.last_played_at < excluded.last_played_at THEN excluded.last_played_at "
        f"ELSE {kind}_listening.last_played_at END, changed_rev = excluded.changed_rev"
    )


class Listening:
    """Everybody's listening; each call touches the rows of one person."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    def favourite(self, person: Person, track_uid: str, on: bool) -> None:
        """Make a track a favourite, or no longer. Raises NotFound."""
        self._favour("track", track_id_of, person, track_uid, on)

    def favourite_album(self, person: Person, album_uid: str, on: bool) -> None:
        self._favour("album", album_id_of, person, album_uid, on)

    def favourite_artist(self, person: Person, artist_uid: str, on: bool) -> None:
        self._favour("artist", artist_id_of, person, artist_uid, on)

    def _favour(
        self, kind: str, find: Callable[[Connection, str, Person | None], int], person: Person, uid: str, on: bool
    ) -> None:
        write, look = _favour(kind)
        with self._database.transaction() as conn:
            mine = {"user": person.user_id, "thing": find(conn, uid, person)}
            is_on = conn.execute(text(look), mine).scalar_one_or_none() is not None
            if is_on != on:
                revision = revisions.bump(conn, library_too=False)
                conn.execute(text(write), {**mine, "at": time.time() if on else None, "rev": revision})

    def rate(self, person: Person, track_uid: str, rating: int) -> None:
        """One to five stars; 0 takes them away. Raises NotFound, BadInput."""
        if rating not in range(6):
            raise BadInput("A rating is 0 to 5.", field="rating")
        with self._database.transaction() as conn:
            track_id = track_id_of(conn, track_uid, person)
            revision = revisions.bump(conn, library_too=False)
            conn.execute(_RATE, {"user": person.user_id, "thing": track_id, "rating": rating, "rev": revision})

    def play(
        self,
        person: Person,
        track_uid: str,
        played_at: float | None = None,
        played_ms: int | None = None,
        client: str | None = None,
    ) -> None:
        """A track was heard (`played_at`: Unix seconds, None: now): it counts for the track, its album and its artists.

        Raises NotFound.
        """
        at = time.time() if played_at is None else played_at
        with self._database.transaction() as conn:
            track_id = track_id_of(conn, track_uid, person)
            revision = revisions.bump(conn, library_too=False)
            conn.execute(
                insert(plays).values(
                    user_id=person.user_id, track_id=track_id, played_at=at, played_ms=played_ms, client=client
                )
            )
            heard: list[tuple[str, int]] = [("track", track_id)]
            album_id = conn.execute(select(tracks.c.album_id).where(tracks.c.id == track_id)).scalar_one()
            if album_id is not None:
                heard.append(("album", album_id))
            heard.extend(
                ("artist", artist_id)
                for artist_id in conn.execute(
                    select(track_credits.c.artist_id)
                    .distinct()
                    .where(track_credits.c.track_id == track_id, track_credits.c.role == "artist")
                ).scalars()
            )
            for kind, thing in heard:
                conn.execute(
                    text(_count_play(kind)), {"user": person.user_id, "thing": thing, "at": at, "rev": revision}
                )

    # ---- the queue

    def queue(self, person: Person) -> Queue:
        """The queue as a device saved it last, without what has left the library since."""
        with self._database.read(person) as conn:
            row = conn.execute(select(queues).where(queues.c.user_id == person.user_id)).first()
            if row is None:
                return Queue(track_ids=[], index=0, position_ms=0, updated_at=None)
            saved: list[str] = json.loads(row.track_uids)
            there = track_ids_of(conn, saved)
        index: int = row._mapping[queues.c.index]
        kept = [uid for uid in saved if uid in there]
        before = sum(uid in there for uid in saved[:index])
        same_track = index < len(saved) and saved[index] in there
        return Queue(
            track_ids=kept,
            index=min(before, max(len(kept) - 1, 0)),
            position_ms=row.position_ms if same_track else 0,
            updated_at=shown(row.updated_at),
        )

    def save_queue(self, person: Person, track_ids: Sequence[str], index: int, position_ms: int) -> None:
        """Keep the queue for other devices. Raises BadInput."""
        if len(track_ids) > MOST_QUEUED or index < 0 or position_ms < 0 or (track_ids and index >= len(track_ids)):
            raise BadInput("The queue is too long, or its index lies outside of it.", field="index")
        with self._database.transaction(durable=False) as conn:
            conn.execute(
                text(
                    'INSERT INTO queues (user_id, track_uids, "index", position_ms, updated_at) VALUES (:user, :uids, '
                    ":index, :position, :at) ON CONFLICT (user_id) DO UPDATE SET track_uids = excluded.track_uids, "
                    '"index" = excluded."index", position_ms = excluded.position_ms, updated_at = excluded.updated_at'
                ),
                {
                    "user": person.user_id,
                    "uids": json.dumps(list(track_ids)),
                    "index": index,
                    "position": position_ms,
                    "at": time.time(),
                },
            )
