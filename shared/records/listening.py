"""What a person thinks of the music and has heard: favourites, ratings, plays, the queue."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, text

from shared.database import Database, driver_cursor
from shared.model.errors import BadInput, NotFound
from shared.model.person import Person
from shared.records import revisions, scrobbles
from shared.records.albums import album_id_of
from shared.records.artists import artist_id_of
from shared.records.moments import shown
from shared.records.settling import chunks
from shared.records.tables import credits as track_credits
from shared.records.tables import plays, queues, tracks
from shared.records.tracks import track_id_of, track_ids_of

MOST_QUEUED = 10_000
LONGEST_ID = 64
SAME_PLAY_S = 30.0  # one play that is told twice differs by less

KINDS = ("track", "album", "artist")
_FIND: dict[str, Callable[[Connection, str, Person | None], int]] = {
    "track": track_id_of,
    "album": album_id_of,
    "artist": artist_id_of,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """What one device left to play, for the next."""

    track_ids: list[str]
    index: int
    position_ms: int
    updated_at: str | None  # None: nothing was ever saved
    client: str = ""  # the app that saved it; "": the station's own player


@dataclass(frozen=True, slots=True)
class Heard:
    """One track that was played. `at`: when it began, Unix seconds; None: now."""

    track_uid: str
    at: float | None = None
    ms: int | None = None


def _favour(kind: str) -> tuple[str, str]:
    return (
        f"INSERT INTO {kind}_listening (user_id, {kind}_id, favourite_at, changed_rev) "
        f"VALUES (:user, :thing, :at, :rev) ON CONFLICT (user_id, {kind}_id) "
        "DO UPDATE SET favourite_at = excluded.favourite_at, changed_rev = excluded.changed_rev",
        f"SELECT favourite_at FROM {kind}_listening WHERE user_id = :user AND {kind}_id = :thing",
    )


def _rate(kind: str) -> str:
    return (
        f"INSERT INTO {kind}_listening (user_id, {kind}_id, rating, changed_rev) VALUES (:user, :thing, :rating, :rev) "
        f"ON CONFLICT (user_id, {kind}_id) DO UPDATE SET rating = excluded.rating, changed_rev = excluded.changed_rev"
    )


_SAME_PLAY = text(
    "SELECT 1 FROM plays p JOIN tracks t ON t.id = p.track_id WHERE p.user_id = :user AND p.track_id = :track "
    "AND abs(p.played_at - :at) <= min(:most, t.duration_ms / 2000.0) "
    "AND p.played_at BETWEEN :at - :most AND :at + :most LIMIT 1"
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
        self.favour(person, [("track", track_uid)], on)

    def favourite_album(self, person: Person, album_uid: str, on: bool) -> None:
        self.favour(person, [("album", album_uid)], on)

    def favourite_artist(self, person: Person, artist_uid: str, on: bool) -> None:
        self.favour(person, [("artist", artist_uid)], on)

    def favour(self, person: Person, things: Sequence[tuple[str | None, str]], on: bool) -> None:
        """The same for many, (kind, id): all or none of them. A kind of None: whatever has that id.

        Raises NotFound.
        """
        with self._database.transaction() as conn:
            revision = 0
            for named, uid in things:
                kind, thing = _thing_of(conn, named, uid, person)
                write, look = _favour(kind)
                mine = {"user": person.user_id, "thing": thing}
                if (conn.execute(text(look), mine).scalar_one_or_none() is not None) != on:
                    revision = revision or revisions.bump(conn, library_too=False)
                    conn.execute(text(write), {**mine, "at": time.time() if on else None, "rev": revision})

    def rate(self, person: Person, track_uid: str, rating: int) -> None:
        """One to five stars; 0 takes them away. Raises NotFound, BadInput."""
        self.rate_any(person, track_uid, rating, kind="track")

    def rate_album(self, person: Person, album_uid: str, rating: int) -> None:
        self.rate_any(person, album_uid, rating, kind="album")

    def rate_artist(self, person: Person, artist_uid: str, rating: int) -> None:
        self.rate_any(person, artist_uid, rating, kind="artist")

    def rate_any(self, person: Person, uid: str, rating: int, *, kind: str | None = None) -> None:
        """The same for whatever has that id. Raises NotFound, BadInput."""
        if rating not in range(6):
            raise BadInput("A rating is 0 to 5.", field="rating")
        with self._database.transaction() as conn:
            kind, thing = _thing_of(conn, kind, uid, person)
            revision = revisions.bump(conn, library_too=False)
            conn.execute(
                text(_rate(kind)), {"user": person.user_id, "thing": thing, "rating": rating, "rev": revision}
            )

    def play(
        self,
        person: Person,
        track_uid: str,
        played_at: float | None = None,
        played_ms: int | None = None,
        client: str | None = None,
    ) -> bool:
        """A track was heard (`played_at`: Unix seconds, None: now): it counts for the track, its album and its artists.

        What was told before, about the same moment, is one play; whether it is a new one. Raises NotFound.
        """
        with self._database.transaction() as conn:
            return _play(conn, person, Heard(track_uid, played_at, played_ms), client)

    def plays(self, person: Person, heard: Sequence[Heard], client: str | None = None) -> int:
        """The same for many; those that are not there are left out. How many are."""
        there = 0
        with self._database.transaction() as conn:
            for one in heard:
                try:
                    _play(conn, person, one, client)
                except NotFound:
                    continue
                there += 1
        return there

    # ---- the queue

    def queue(self, person: Person, *, episodes: bool = False) -> Queue:
        """The queue as a device saved it last, without what has left the library since. `episodes`: with those of
        podcasts, for who can play them."""
        with self._database.read(person) as conn:
            row = conn.execute(select(queues).where(queues.c.user_id == person.user_id)).first()
            if row is None:
                return Queue(track_ids=[], index=0, position_ms=0, updated_at=None)
            saved: list[str] = json.loads(row.track_uids)
            there = set(track_ids_of(conn, saved))
            if episodes:
                there |= _episodes_of(conn, [uid for uid in saved if uid not in there])
        index: int = row._mapping[queues.c.index]
        kept = [uid for uid in saved if uid in there]
        before = sum(uid in there for uid in saved[:index])
        same_track = index < len(saved) and saved[index] in there
        return Queue(
            track_ids=kept,
            index=min(before, max(len(kept) - 1, 0)),
            position_ms=row.position_ms if same_track else 0,
            updated_at=shown(row.updated_at),
            client=row.client,
        )

    def save_queue(
        self, person: Person, track_ids: Sequence[str], index: int, position_ms: int, client: str = ""
    ) -> None:
        """Keep the queue for other devices. `client`: which app it is from. Raises BadInput."""
        if len(track_ids) > MOST_QUEUED or index < 0 or position_ms < 0 or (track_ids and index >= len(track_ids)):
            raise BadInput("The queue is too long, or its index lies outside of it.", field="index")
        if any(len(uid) > LONGEST_ID for uid in track_ids):
            raise BadInput("This is no id of a track.", field="track_ids")
        with self._database.transaction(durable=False) as conn:
            conn.execute(
                text(
                    'INSERT INTO queues (user_id, track_uids, "index", position_ms, updated_at, client) VALUES (:user, '
                    ":uids, :index, :position, :at, :client) ON CONFLICT (user_id) DO UPDATE SET "
                    'track_uids = excluded.track_uids, "index" = excluded."index", client = excluded.client, '
                    "position_ms = excluded.position_ms, updated_at = excluded.updated_at"
                ),
                {
                    "user": person.user_id,
                    "uids": json.dumps(list(track_ids)),
                    "index": index,
                    "position": position_ms,
                    "at": time.time(),
                    "client": client[:200],
                },
            )


def _thing_of(conn: Connection, kind: str | None, uid: str, person: Person) -> tuple[str, int]:
    """(kind, inner id) of what has this id. Raises NotFound."""
    if kind is not None:
        return kind, _FIND[kind](conn, uid, person)
    for one in KINDS:
        try:
            return one, _FIND[one](conn, uid, person)
        except NotFound:
            continue
    raise NotFound("There is no such track, album or artist in the library.")


def _episodes_of(conn: Connection, uids: Sequence[str]) -> set[str]:
    cursor = driver_cursor(conn)
    return {
        row[0]
        for marks, part in chunks(dict.fromkeys(uids))
        for row in cursor.execute(f"SELECT uid FROM episodes WHERE uid IN ({marks})", part)
    }


def _play(conn: Connection, person: Person, heard: Heard, client: str | None) -> bool:
    at = time.time() if heard.at is None else heard.at
    track_id = track_id_of(conn, heard.track_uid, person)
    same = {"user": person.user_id, "track": track_id, "at": at, "most": SAME_PLAY_S}
    if conn.execute(_SAME_PLAY, same).first() is not None:
        return False
    revision = revisions.bump(conn, library_too=False)
    play_id = conn.execute(
        insert(plays)
        .values(user_id=person.user_id, track_id=track_id, played_at=at, played_ms=heard.ms, client=client)
        .returning(plays.c.id)
    ).scalar_one()
    things: list[tuple[str, int]] = [("track", track_id)]
    album_id = conn.execute(select(tracks.c.album_id).where(tracks.c.id == track_id)).scalar_one()
    if album_id is not None:
        things.append(("album", album_id))
    things.extend(
        ("artist", artist_id)
        for artist_id in conn.execute(
            select(track_credits.c.artist_id)
            .distinct()
            .where(track_credits.c.track_id == track_id, track_credits.c.role == "artist")
        ).scalars()
    )
    for kind, thing in things:
        conn.execute(text(_count_play(kind)), {"user": person.user_id, "thing": thing, "at": at, "rev": revision})
    scrobbles.enqueue(conn, person.user_id, play_id)
    return True
