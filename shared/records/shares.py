"""Shares: links with which who has them hears a few things without an account. Only the hash of a link's code is
looked up; the code itself stands sealed beside it, so that the link can be shown again to whose it is.

What is in a share is said by ids and looked up each time as the sharing person sees it then: what they do not see any
more, or what left the library, is not in it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, delete, func, insert, select, update

from shared.database import Database, driver_cursor
from shared.model.errors import NotFound, Unprocessable
from shared.model.person import Person
from shared.model.units import Milliseconds
from shared.records.moments import make_uid
from shared.records.settling import chunks
from shared.records.tables import shares, users

KINDS = ("track", "album", "artist", "playlist", "episode")
MOST_OF_PERSON = 1_000  # shares
MOST_ENTRIES = 500  # things named in one
MOST_ITEMS = 1_000  # that are heard of one; the rest is left out

Entry = tuple[str, str]  # kind, id


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareRow:
    id: int
    uid: str
    user_id: int
    user_uid: str
    code: str  # sealed
    entries: tuple[Entry, ...]
    description: str
    created_at: float  # Unix seconds
    expires_at: float | None  # None: never
    visited_at: float | None
    visit_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing to hear. `kind`: track | episode; `cover`: the id of what its picture is of."""

    kind: str
    uid: str
    title: str
    artist: str
    album: str | None
    duration_ms: Milliseconds
    cover: str


_ROW: Select[Any] = select(
    shares.c.id,
    shares.c.uid,
    shares.c.user_id,
    users.c.uid.label("user_uid"),
    shares.c.code,
    shares.c.entries,
    shares.c.description,
    shares.c.created_at,
    shares.c.expires_at,
    shares.c.visited_at,
    shares.c.visit_count,
).join(users, users.c.id == shares.c.user_id)

_ITEM = (
    "SELECT t.uid, t.title, t.artist, a.title, t.duration_ms, coalesce(a.uid, t.uid) FROM {} "
    "LEFT JOIN albums a ON a.id = t.album_id WHERE t.trashed_at IS NULL AND {} LIMIT ?"
)
_BY_KIND = {
    "track": _ITEM.format("tracks t", "t.uid = ?"),
    "album": _ITEM.format(
        "tracks t JOIN albums b ON b.id = t.album_id", "b.uid = ? ORDER BY t.album_position, t.sort_key, t.id"
    ),
    "artist": _ITEM.format(
        "tracks t",
        "t.id IN (SELECT c.track_id FROM credits c JOIN artists r ON r.id = c.artist_id WHERE r.uid = ? "
        "AND c.role IN ('artist', 'albumartist')) ORDER BY t.year_key, t.album_sort_key, t.album_position, t.id",
    ),
    "playlist": _ITEM.format(
        "playlists p JOIN playlist_entries e ON e.playlist_id = p.id JOIN tracks t ON t.id = e.track_id",
        "p.uid = ? AND (p.user_id = ? OR p.visibility <> 'private') ORDER BY e.position",
    ),
    "episode": (
        "SELECT e.uid, e.title, p.title, NULL, coalesce(e.duration_ms, 0), p.uid FROM episodes e "
        "JOIN podcasts p ON p.id = e.podcast_id WHERE e.uid = ? AND e.status = 'completed' LIMIT ?"
    ),
}
_NAMES = {
    "track": "SELECT uid, title FROM tracks WHERE trashed_at IS NULL AND uid IN ({})",
    "album": "SELECT uid, title FROM albums WHERE track_count > 0 AND uid IN ({})",
    "artist": "SELECT uid, name FROM artists WHERE track_count + album_count > 0 AND uid IN ({})",
    "playlist": "SELECT uid, name FROM playlists WHERE uid IN ({}) AND (user_id = ? OR visibility <> 'private')",
    "episode": "SELECT uid, title FROM episodes WHERE uid IN ({})",
}


class Shares:
    """Everybody's shares. Who may what with them is for security.shares to say."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    # ---- whose they are

    def add(
        self,
        user_id: int,
        *,
        hash: bytes,
        sealed: str,
        entries: Sequence[Entry],
        description: str = "",
        expires_at: float | None = None,
    ) -> ShareRow:
        """Raises Unprocessable when one person has too many."""
        uid = make_uid()
        with self._database.transaction() as conn:
            own = select(func.count()).select_from(shares).where(shares.c.user_id == user_id)
            if conn.execute(own).scalar_one() >= MOST_OF_PERSON:
                raise Unprocessable(f"One person has at most {MOST_OF_PERSON:,} shares: end some first.")
            conn.execute(
                insert(shares).values(
                    uid=uid,
                    user_id=user_id,
                    hash=hash,
                    code=sealed,
                    entries=json.dumps([list(one) for one in entries]),
                    description=description,
                    created_at=time.time(),
                    expires_at=expires_at,
                )
            )
            return _get(conn, user_id, uid)

    def list(self, user_id: int) -> Sequence[ShareRow]:
        """One person's, the newest first."""
        with self._database.read() as conn:
            rows = conn.execute(_ROW.where(shares.c.user_id == user_id).order_by(shares.c.id.desc()))
            return [_row(row) for row in rows]

    def get(self, user_id: int, uid: str) -> ShareRow:
        """One of a person's. Raises NotFound."""
        with self._database.read() as conn:
            return _get(conn, user_id, uid)

    def change(self, user_id: int, uid: str, values: dict[str, Any]) -> ShareRow:
        """Set `description` or `expires_at`. Raises NotFound."""
        with self._database.transaction() as conn:
            if values:
                conn.execute(update(shares).where(shares.c.user_id == user_id, shares.c.uid == uid).values(**values))
            return _get(conn, user_id, uid)

    def remove(self, user_id: int, uid: str) -> ShareRow:
        """Raises NotFound."""
        with self._database.transaction() as conn:
            row = _get(conn, user_id, uid)
            conn.execute(delete(shares).where(shares.c.id == row.id))
            return row

    # ---- who has a link

    def find(self, hash: bytes) -> ShareRow | None:
        """By the hash of its code; also one whose time is over."""
        with self._database.read() as conn:
            row = conn.execute(_ROW.where(shares.c.hash == hash)).first()
            return None if row is None else _row(row)

    def there(self, uids: Collection[str]) -> dict[str, ShareRow]:
        """Those of `uids` that are there still."""
        with self._database.read() as conn:
            rows = conn.execute(_ROW.where(shares.c.uid.in_(list(uids))))
            return {row.uid: _row(row) for row in rows}

    def visited(self, share_id: int, at: float) -> None:
        with self._database.transaction(durable=False) as conn:
            conn.execute(
                update(shares)
                .where(shares.c.id == share_id)
                .values(visited_at=at, visit_count=shares.c.visit_count + 1)
            )

    # ---- what is in them

    def kinds_of(self, person: Person, uids: Iterable[str]) -> Sequence[Entry]:
        """What each of these ids is of, as far as the person sees it. Raises NotFound for one that is nothing."""
        wanted = list(dict.fromkeys(uids))
        kinds: dict[str, str] = {}
        for kind in KINDS:
            left = [(kind, uid) for uid in wanted if uid not in kinds]
            kinds.update({uid: kind for _, uid in self.names(person, left)})
        unknown = [uid for uid in wanted if uid not in kinds]
        if unknown:
            raise not_here(unknown, len(wanted))
        return [(kinds[uid], uid) for uid in wanted]

    def unfetched(self, entries: Iterable[Entry]) -> Sequence[str]:
        """The titles of the episodes among these whose files are not here: nobody hears them by a link."""
        found = []
        with self._database.read() as conn:
            for marks, part in chunks(dict.fromkeys(uid for kind, uid in entries if kind == "episode")):
                found += [row[0] for row in driver_cursor(conn).execute(
                    f"SELECT title FROM episodes WHERE uid IN ({marks}) AND path IS NULL", part)]
        return found

    def names(self, person: Person, entries: Iterable[Entry]) -> dict[Entry, str]:
        """What the things are called; those that the person does not see are left out."""
        by_kind: dict[str, list[str]] = {}
        for kind, uid in entries:
            by_kind.setdefault(kind, []).append(uid)
        found: dict[Entry, str] = {}
        with self._database.read(person) as conn:
            cursor = driver_cursor(conn)
            for kind, uids in by_kind.items():
                for marks, part in chunks(dict.fromkeys(uids)):
                    given = [*part, person.user_id] if kind == "playlist" else part
                    for uid, name in cursor.execute(_NAMES[kind].format(marks), given):
                        found[kind, uid] = name
        return found

    def items(self, person: Person, entries: Iterable[Entry], most: int = MOST_ITEMS) -> Sequence[Item]:
        """What is heard of these things, in their order, each once; as the person sees it now."""
        found: dict[tuple[str, str], Item] = {}
        with self._database.read(person) as conn:
            cursor = driver_cursor(conn)
            for kind, uid in entries:
                given = (uid, person.user_id, most) if kind == "playlist" else (uid, most)
                one = "episode" if kind == "episode" else "track"
                for its, title, artist, album, duration_ms, cover in cursor.execute(_BY_KIND[kind], given):
                    if len(found) >= most:
                        return list(found.values())
                    found.setdefault((one, its), Item(
                        kind=one, uid=its, title=title, artist=artist, album=album, duration_ms=duration_ms,
                        cover=cover,
                    ))  # fmt: skip
        return list(found.values())


def not_here(unknown: Sequence[str], of: int) -> NotFound:
    """`unknown`: ids of nothing, or of nothing that the person sees, of so many that were named."""
    some = "one" if len(unknown) == 1 else f"{len(unknown)}"
    return NotFound(
        ("There is no such song" if of == 1 else f"Of these {of} things {some} cannot be shared: there is no such song")
        + ", album, artist, playlist or episode here.",
        ids=list(unknown[:20]),
    )


def _get(conn: Connection, user_id: int, uid: str) -> ShareRow:
    row = conn.execute(_ROW.where(shares.c.user_id == user_id, shares.c.uid == uid)).first()
    if row is None:
        raise NotFound("There is no such share.")
    return _row(row)


def _row(row: Any) -> ShareRow:
    given = dict(row._mapping)
    given["entries"] = tuple((kind, uid) for kind, uid in json.loads(given["entries"]))
    return ShareRow(**given)
