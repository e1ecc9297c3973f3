"""Plays that wait to be told to the listening services a person connected, and those services.

A line per play and service is written in the transaction that writes the play: what was played while the station or the
service was away is told later, and once (scrobbler and play are unique together).

    waiting ──told──▶ sent            waiting ──the service does not want it──▶ refused
       ▲ └──not now: later, after longer and longer pauses──┘
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from shared.database import Database, driver_cursor
from shared.model.scrobble import Told
from shared.records.settling import chunks

# What the services themselves count as heard: a track of half a minute or more, of which half or four minutes were
# played. Where nobody told how much was played, the one who told of the play has decided that.
SHORTEST_MS = 30_000
ENOUGH_MS = 240_000
# Nothing is put off for longer than the first: what is to wait until after the second was written by a clock that went
# wrong, and waits no more.
LONGEST_WAIT_S, WRONG_S = 86_400.0, 3 * 86_400.0

_ENQUEUE = (
    "INSERT INTO scrobbles (scrobbler_id, play_id, next_at) SELECT s.id, p.id, max(?, coalesce((SELECT max(w.next_at) "
    "FROM scrobbles w WHERE w.scrobbler_id = s.id AND w.state = 'waiting'), 0)) FROM plays p "
    "JOIN tracks t ON t.id = p.track_id JOIN scrobblers s ON s.user_id = p.user_id WHERE p.id = ? AND p.user_id = ? "
    f"AND t.duration_ms >= {SHORTEST_MS} AND (p.played_ms IS NULL OR p.played_ms >= {ENOUGH_MS} "
    "OR p.played_ms * 2 >= t.duration_ms) ON CONFLICT DO NOTHING"
)
_FACTS = (
    "t.title, t.artist, coalesce(a.title, ''), CASE WHEN a.loose THEN '' ELSE coalesce(a.artist, '') END, "
    "t.duration_ms, t.track_number, coalesce(t.recording_mbid, ''), coalesce(a.mbid, ''), coalesce(t.isrc, '')"
)
_COLUMNS = (
    "s.id, s.user_id, s.service, s.username, s.secret, s.url, s.connected_at, s.last_sent_at, s.last_error, "
    "(SELECT count(*) FROM scrobbles w WHERE w.scrobbler_id = s.id AND w.state = 'waiting')"
)


@dataclass(frozen=True, slots=True)
class ScrobblerRow:
    """A service that a person connected. Times in Unix seconds."""

    id: int
    user_id: int
    service: str  # of model.scrobble.SERVICES
    username: str  # there
    secret: str = field(repr=False)  # sealed
    url: str  # "": the usual one
    connected_at: float
    last_sent_at: float | None
    last_error: str | None
    waiting: int  # plays that are not told yet


@dataclass(frozen=True, slots=True)
class Waiting:
    """One play that a service is still to hear of. `tries`: how often it was tried."""

    id: int
    tries: int
    told: Told


def enqueue(conn: Connection, user_id: int, play_id: int) -> None:
    """A play is on record: whoever is to hear of it will. Within the transaction that wrote it.

    Where a service is left alone for now, it waits with the others.
    """
    driver_cursor(conn).execute(_ENQUEUE, (time.time(), play_id, user_id))


class Scrobbles:
    """Everybody's; each call names whose, or which service of whom."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    # ---- services

    def connect(self, user_id: int, service: str, *, username: str, secret: str, url: str = "") -> None:
        """Connect one, or anew: what waits goes to it, from now on."""
        now = time.time()
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            cursor.execute(
                "INSERT INTO scrobblers (user_id, service, username, secret, url, connected_at) "
                "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (user_id, service) DO UPDATE SET username = excluded.username, "
                "secret = excluded.secret, url = excluded.url, connected_at = excluded.connected_at, last_error = NULL",
                (user_id, service, username, secret, url, now),
            )
            cursor.execute(
                "UPDATE scrobbles SET next_at = ?, tries = 0 WHERE state = 'waiting' AND scrobbler_id = "
                "(SELECT id FROM scrobblers WHERE user_id = ? AND service = ?)",
                (now, user_id, service),
            )

    def disconnect(self, user_id: int, service: str) -> bool:
        """With all that waits for it. Whether it was there."""
        with self._database.transaction() as conn:
            gone = driver_cursor(conn).execute(
                "DELETE FROM scrobblers WHERE user_id = ? AND service = ?", (user_id, service)
            )
            return gone.rowcount > 0

    def of(self, user_id: int) -> Sequence[ScrobblerRow]:
        """The services of one person."""
        return self._rows("WHERE s.user_id = ? ORDER BY s.service", (user_id,))

    def due(self, now: float) -> Sequence[ScrobblerRow]:
        """The services that are to be told something by now."""
        return self._rows(
            "WHERE EXISTS (SELECT 1 FROM scrobbles w WHERE w.scrobbler_id = s.id AND w.state = 'waiting' "
            "AND (w.next_at <= ? OR w.next_at > ?)) ORDER BY s.id",
            (now, now + WRONG_S),
        )

    def _rows(self, where: str, given: tuple[Any, ...]) -> Sequence[ScrobblerRow]:
        with self._database.read() as conn:
            found = driver_cursor(conn).execute(f"SELECT {_COLUMNS} FROM scrobblers s {where}", given)
            return [ScrobblerRow(*row) for row in found]

    # ---- plays

    def next_at(self) -> float | None:
        """When something is due next."""
        with self._database.read() as conn:
            row = (
                driver_cursor(conn)
                .execute(
                    "SELECT min((SELECT min(next_at) FROM scrobbles w WHERE w.scrobbler_id = s.id "
                    "AND w.state = 'waiting')) FROM scrobblers s"
                )
                .fetchone()
            )
            return None if row[0] is None else float(row[0])

    def batch(self, scrobbler_id: int, now: float, most: int) -> Sequence[Waiting]:
        """What one service is to be told by now, the oldest plays first."""
        with self._database.read() as conn:
            found = driver_cursor(conn).execute(
                f"SELECT w.id, w.tries, {_FACTS}, p.played_at, coalesce(p.client, '') FROM scrobbles w "
                "JOIN plays p ON p.id = w.play_id JOIN tracks t ON t.id = p.track_id "
                "LEFT JOIN albums a ON a.id = t.album_id WHERE w.scrobbler_id = ? "
                "AND w.state = 'waiting' AND (w.next_at <= ? OR w.next_at > ?) ORDER BY p.played_at, p.id LIMIT ?",
                (scrobbler_id, now, now + WRONG_S, most),
            )
            return [Waiting(row[0], row[1], _told(row[2:-2], row[-2], row[-1])) for row in found]

    def playing(self, track_uid: str, client: str = "") -> Told | None:
        """What is told of a track that plays now, on that app."""
        with self._database.read() as conn:
            row = (
                driver_cursor(conn)
                .execute(f"SELECT {_FACTS} FROM tracks t LEFT JOIN albums a ON a.id = t.album_id WHERE t.uid = ?",
                         (track_uid,))
                .fetchone()
            )
            return None if row is None else _told(row, 0.0, client)

    def begin(self, ids: Sequence[int]) -> None:
        """These are about to be told. Kept before they are: whoever finds them waiting with a try behind them does not
        know whether the service has them."""
        with self._database.transaction() as conn:
            for marks, part in chunks(ids):
                driver_cursor(conn).execute(f"UPDATE scrobbles SET tries = tries + 1 WHERE id IN ({marks})", part)

    def settle(self, scrobbler_id: int, *, sent: Sequence[int], refused: Mapping[int, str], at: float) -> None:
        """What became of plays that a service answered for, before it is told anything more."""
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            for marks, part in chunks(sent):
                cursor.execute(f"UPDATE scrobbles SET state = 'sent', error = NULL WHERE id IN ({marks})", tuple(part))
            cursor.executemany(
                "UPDATE scrobbles SET state = 'refused', error = ? WHERE id = ?",
                [(reason, id) for id, reason in refused.items()],
            )
            if sent:
                cursor.execute(
                    "UPDATE scrobblers SET last_sent_at = ?, last_error = NULL WHERE id = ?", (at, scrobbler_id)
                )

    def put_off(self, scrobbler_id: int, until: float, *, error: str | None = None) -> bool:
        """Everything that waits for a service waits until then. `error`: what its person is told; whether that is new
        to them."""
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            cursor.execute(
                "UPDATE scrobbles SET next_at = ? WHERE scrobbler_id = ? AND state = 'waiting' "
                "AND (next_at < ? OR next_at > ?)",
                (until, scrobbler_id, until, until + LONGEST_WAIT_S),
            )
            if error is None:
                return False
            told = cursor.execute(
                "UPDATE scrobblers SET last_error = ? WHERE id = ? AND last_error IS NOT ?",
                (error, scrobbler_id, error),
            )
            return told.rowcount > 0


def _told(row: Sequence[Any], at: float, client: str) -> Told:
    return Told(
        title=row[0],
        artist=row[1],
        album=row[2],
        album_artist=row[3],
        duration_ms=row[4],
        track_number=row[5],
        recording_mbid=row[6],
        release_mbid=row[7],
        isrc=row[8],
        at=at,
        client=client,
    )
