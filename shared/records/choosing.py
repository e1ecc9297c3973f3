"""Which tracks, albums and artists are in the lists that apps ask for, as inner ids; records.entries tells them.

Apps page by offset. Short lists are walked along their index. The list of everything, which they read whole to keep a
copy of it, goes by inner id: a page begins at the next of the marks that are kept for every 500th row (so that the
thousandth page costs what the first does), or, better still, behind the last row that the same program was given: a
row that goes meanwhile takes no other one along.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from array import array
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from random import sample
from typing import Any

from sqlalchemy import Connection

from shared.database import Database, driver_cursor
from shared.model.errors import BadInput, NotFound
from shared.model.person import Person
from shared.records import folding, revisions
from shared.records.settling import chunks

Roots = tuple[int, ...]     # only what lies in these music folders; (): in any

_EVERY = 500                # a mark each so many rows
_MOST_MARKED, _MOST_PLACES = 32, 2_000
_PLACE_LASTS_S = 900.0

_VISIBLE = {"track": "t.trashed_at IS NULL", "album": "t.track_count > 0",
            "artist": "(t.track_count > 0 OR t.album_count > 0)"}
_IN_ROOTS = {
    "track": "EXISTS (SELECT 1 FROM files f WHERE f.track_id = t.id AND f.root_id IN ({}))",
    "album": "EXISTS (SELECT 1 FROM tracks i JOIN files f ON f.track_id = i.id WHERE i.album_id = t.id "
             "AND i.trashed_at IS NULL AND f.root_id IN ({}))",
    "artist": "EXISTS (SELECT 1 FROM credits c JOIN tracks i ON i.id = c.track_id JOIN files f ON f.track_id = i.id "
              "WHERE c.artist_id = t.id AND c.role IN ('artist', 'albumartist') AND i.trashed_at IS NULL "
              "AND f.root_id IN ({}))",
}
# Lists of albums by what somebody did with them: the column, and what says that they did.
_HEARD = {
    "highest": ("rating", "l.rating > 0"),
    "frequent": ("play_count", "l.play_count > 0"),
    "recent": ("last_played_at", "l.last_played_at IS NOT NULL"),
    "starred": ("favourite_at", "l.favourite_at IS NOT NULL"),
}
_SORTED = {
    "newest": "t.added_at DESC, t.id DESC",
    "alphabeticalByName": "t.sort_key, t.id",
    "alphabeticalByArtist": "t.artist_sort_key, t.year_key, t.sort_key, t.id",
}
ALBUM_LISTS = ("random", *_SORTED, *_HEARD, "byYear", "byGenre")
_GENRE = "(SELECT id FROM genres WHERE folded = ?)"
# With an album of their own, or, where there is no album at all, with a track.
_WITH_ALBUMS = (
    "(t.album_count > 0 OR t.id IN (SELECT c.artist_id FROM tracks i JOIN credits c ON c.track_id = i.id "
    "WHERE i.album_id IS NULL AND i.trashed_at IS NULL AND c.role = 'artist'))"
)
_ALBUMS_OF = (
    "SELECT t.id FROM (SELECT album_id FROM album_credits WHERE artist_id = ?1 UNION SELECT i.album_id FROM credits c "
    "JOIN tracks i ON i.id = c.track_id WHERE c.artist_id = ?1 AND c.role = 'artist' AND i.trashed_at IS NULL) m "
    "JOIN albums t ON t.id = m.album_id WHERE t.track_count > 0 ORDER BY t.year_key, t.sort_key, t.id"
)
_LOOSE_OF = (
    "SELECT DISTINCT t.id FROM credits c JOIN tracks t ON t.id = c.track_id WHERE c.artist_id = ? "
    "AND c.role = 'artist' AND t.album_id IS NULL AND t.trashed_at IS NULL ORDER BY t.sort_key, t.id"
)
_SONGS_OF = (
    "SELECT t.id FROM tracks t WHERE t.album_id = ? AND t.trashed_at IS NULL ORDER BY t.album_position, t.id"
)


@dataclass(frozen=True, slots=True)
class MusicFolder:
    id: int
    name: str           # of the folder, without what lies above it


@dataclass(frozen=True, slots=True)
class Sorted:
    """An artist among others."""

    key: int            # inner id
    uid: str
    sort_key: str


@dataclass(frozen=True, slots=True)
class GenreCount:
    name: str
    track_count: int
    album_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    """What songs or albums are narrowed to. Years are inclusive, in either order; roots: see above."""

    genre: str | None = None
    from_year: int | None = None
    to_year: int | None = None
    roots: Roots = ()


ANY = Which()


class Choosing:
    """Lists of inner ids. What a limited person does not see is in none of them.

    every: how many rows lie between two marks.
    """

    def __init__(self, *, database: Database, now: Callable[[], float] = time.monotonic, every: int = _EVERY) -> None:
        self._database = database
        self._now = now
        self._every = every
        self._marks: OrderedDict[tuple[Any, ...], tuple[int, array[int]]] = OrderedDict()
        self._places: OrderedDict[tuple[Any, ...], tuple[float, int]] = OrderedDict()
        self._lock = threading.Lock()
        self._moved: tuple[int, float] | None = None     # (library revision, when it was first seen)

    # ---- music folders

    def folders(self, person: Person) -> list[MusicFolder]:
        """The music folders that a person sees something of, in their order."""
        with self._database.read() as conn:
            return _folders(driver_cursor(conn), person)

    def roots(self, person: Person, ids: Collection[str]) -> Roots:
        """What the ids of music folders, as apps send them, narrow a list to. Raises NotFound."""
        if not ids:
            return ()
        there = {str(one.id): one.id for one in self.folders(person)}
        if unknown := [one for one in ids if one not in there]:
            raise NotFound(f"There is no music folder {unknown[0][:40]!r} here.")
        chosen = tuple(sorted({there[one] for one in ids}))
        return () if len(chosen) == len(there) else chosen

    # ---- everything

    def every(self, person: Person, kind: str, *, limit: int, offset: int, roots: Roots = (), reader: str = ""
              ) -> list[int]:
        """A page of all tracks, albums or artists (`kind`), by inner id. `reader` names who reads page after page.

        Costs about as much as `limit` rows, wherever the page lies.
        """
        if limit <= 0:
            return []
        with self._database.read(person) as conn:
            cursor = driver_cursor(conn)
            list_ = (kind, roots, person.user_id if person.limited else 0)
            begin, skip = self._begin(conn, cursor, list_, offset, (person.user_id, person.token_id, reader))
            keys = [row[0] for row in cursor.execute(
                f"SELECT t.id FROM {kind}s t WHERE t.id >= ? AND {_where(kind, roots)} ORDER BY t.id LIMIT ? OFFSET ?",
                (begin, limit, skip))]
        if keys:
            with self._lock:
                following = (*list_, person.user_id, person.token_id, reader, offset + len(keys))
                self._places[following] = (self._now(), keys[-1])
                self._places.move_to_end(following)
                while len(self._places) > _MOST_PLACES:
                    self._places.popitem(last=False)
        return keys

    def _begin(self, conn: Connection, cursor: sqlite3.Cursor, list_: tuple[Any, ...], offset: int,
               reader: tuple[Any, ...]) -> tuple[int, int]:
        """(inner id to begin with, rows to leave out from there)"""
        if offset <= 0:
            return 0, 0
        with self._lock:
            place = self._places.get((*list_, *reader, offset))
        if place is not None and self._now() - place[0] < _PLACE_LASTS_S:
            return place[1] + 1, 0
        if offset < self._every:
            return 0, offset
        marks = self._marked(conn, cursor, list_)
        number = offset // self._every
        if number >= len(marks):
            return 2**62, 0     # behind the end
        return marks[number], offset % self._every

    def _marked(self, conn: Connection, cursor: sqlite3.Cursor, list_: tuple[Any, ...]) -> array[int]:
        """The inner id of each 500th row; kept (16 kB for a million) while the library stays as it is."""
        library = revisions.library(conn)
        with self._lock:
            kept = self._marks.get(list_)
            if kept is not None and kept[0] == library:
                self._marks.move_to_end(list_)
                return kept[1]
        kind, roots, _ = list_
        marks = array("q")
        rows = cursor.execute(f"SELECT t.id FROM {kind}s t WHERE {_where(kind, roots)} ORDER BY t.id")
        while part := rows.fetchmany(self._every):
            marks.append(part[0][0])
        with self._lock:
            self._marks[list_] = (library, marks)
            while len(self._marks) > _MOST_MARKED:
                self._marks.popitem(last=False)
        return marks

    # ---- albums

    def albums(self, person: Person, kind: str, *, limit: int, offset: int, which: Which = ANY) -> list[int]:
        """A page of one of ALBUM_LISTS. byYear needs both years, byGenre the genre. Raises BadInput."""
        if kind not in ALBUM_LISTS:
            raise BadInput(f"There is no list {kind[:40]!r} of albums; there are: {', '.join(ALBUM_LISTS)}.")
        where, values = [_where("album", which.roots)], list[Any]()
        source, order = "albums t", _SORTED.get(kind, "t.id")
        if kind in _HEARD:
            column, there = _HEARD[kind]
            source = "album_listening l CROSS JOIN albums t ON t.id = l.album_id"
            where += ["l.user_id = ?", there]
            values.append(person.user_id)
            order = f"l.{column} DESC, t.id DESC"
        elif kind == "byYear":
            first, last = which.from_year or 0, which.to_year or 0
            where.append("t.year_key BETWEEN ? AND ? AND t.year_key > 0")
            values += [_bounded(min(first, last)), _bounded(max(first, last))]
            way = "DESC" if first > last else "ASC"
            order = f"t.year_key {way}, t.sort_key {way}, t.id {way}"
        elif kind == "byGenre":
            source = "album_genres g CROSS JOIN albums t ON t.id = g.album_id"
            where.append(f"g.genre_id = {_GENRE}")
            values.append(_genre(which.genre or ""))
            order = "t.sort_key, t.id"
        elif kind == "random":
            order = "random()"
        return self._ask(person, f"SELECT t.id FROM {source} WHERE {' AND '.join(where)} ORDER BY {order} "
                         "LIMIT ? OFFSET ?", *values, limit, _bounded(offset))

    def albums_of(self, person: Person, artist_key: int) -> list[int]:
        """Of an artist, and those they play on, by year."""
        return self._ask(person, _ALBUMS_OF, artist_key)

    # ---- tracks

    def songs_of(self, person: Person, album_key: int) -> list[int]:
        """Of an album, in its order."""
        return self._ask(person, _SONGS_OF, album_key)

    def loose_of(self, person: Person, artist_key: int) -> list[int]:
        """An artist's tracks that are on no album."""
        return self._ask(person, _LOOSE_OF, artist_key)

    def songs_in_genre(self, person: Person, genre: str, *, limit: int, offset: int, roots: Roots = ()) -> list[int]:
        return self._ask(
            person, "SELECT t.id FROM track_genres g CROSS JOIN tracks t ON t.id = g.track_id "
            f"WHERE g.genre_id = {_GENRE} AND {_where('track', roots)} ORDER BY g.track_id LIMIT ? OFFSET ?",
            _genre(genre), limit, _bounded(offset))

    def random_songs(self, person: Person, limit: int, which: Which = ANY) -> list[int]:
        """So many at most, each once, in no order."""
        if limit <= 0:
            return []
        if which == ANY and not person.limited and (found := self._lucky(person, limit)):
            return found
        where, values = [_where("track", which.roots)], list[Any]()
        source = "tracks t"
        if which.genre is not None:
            source = "track_genres g CROSS JOIN tracks t ON t.id = g.track_id"
            where.append(f"g.genre_id = {_GENRE}")
            values.append(_genre(which.genre))
        years = [_bounded(one) for one in (which.from_year, which.to_year) if one is not None]
        if len(years) == 2:
            where.append("t.year_key BETWEEN ? AND ?")
            values += [min(years), max(years)]
        elif years:
            where.append("t.year_key >= ?" if which.from_year is not None else "t.year_key BETWEEN 1 AND ?")
            values += years
        return self._ask(person, f"SELECT t.id FROM {source} WHERE {' AND '.join(where)} ORDER BY random() LIMIT ?",
                         *values, limit)

    def _lucky(self, person: Person, limit: int) -> list[int]:
        """Random tracks by guessing inner ids: what a million tracks cost no more than a thousand. [] without luck."""
        with self._database.read(person) as conn:
            cursor = driver_cursor(conn)
            (most,) = cursor.execute("SELECT coalesce(max(id), 0) FROM tracks").fetchone()
            guesses = sample(range(1, most + 1), min(most, limit * 3))  # nosec B311  # songs at random
            there = {key for marks, part in chunks(guesses) for (key,) in
                     cursor.execute(f"SELECT id FROM tracks WHERE trashed_at IS NULL AND id IN ({marks})", part)}
        found = [key for key in guesses if key in there]
        return found[:limit] if len(found) >= limit else []

    # ---- artists and genres

    def artists(self, person: Person, roots: Roots = ()) -> list[Sorted]:
        """All artists that albums are by (or tracks that are on no album), sorted."""
        with self._database.read(person) as conn:
            return [Sorted(*row) for row in driver_cursor(conn).execute(
                f"SELECT t.id, t.uid, t.sort_key FROM artists t WHERE {_WITH_ALBUMS} AND {_where('artist', roots)} "
                "ORDER BY t.sort_key, t.id")]

    def genres(self, person: Person) -> list[GenreCount]:
        """All of them, by name."""
        with self._database.read(person) as conn:
            return [GenreCount(*row) for row in driver_cursor(conn).execute(
                "SELECT name, track_count, album_count FROM genres WHERE track_count > 0 ORDER BY folded")]

    # ---- what a person likes

    def starred(self, person: Person, kind: str, roots: Roots = ()) -> list[int]:
        """All favourites among tracks, albums or artists (`kind`), the latest first."""
        return self._ask(
            person, f"SELECT t.id FROM {kind}_listening l CROSS JOIN {kind}s t ON t.id = l.{kind}_id "
            f"WHERE l.user_id = ? AND l.favourite_at IS NOT NULL AND {_where(kind, roots)} "
            "ORDER BY l.favourite_at DESC, t.id DESC", person.user_id)

    def in_roots(self, person: Person, kind: str, keys: Sequence[int], roots: Roots) -> list[int]:
        """Those of `keys` that lie in these music folders, in their order."""
        if not roots:
            return list(keys)
        with self._database.read(person) as conn:
            cursor = driver_cursor(conn)
            there = {key for marks, part in chunks(dict.fromkeys(keys)) for (key,) in cursor.execute(
                f"SELECT t.id FROM {kind}s t WHERE t.id IN ({marks}) AND {_where(kind, roots)}", part)}
        return [key for key in keys if key in there]

    def newer(self, person: Person, keys: Sequence[int], since: float) -> list[int]:
        """Those of these tracks that came after `since` (Unix seconds), in their order."""
        with self._database.read(person) as conn:
            cursor = driver_cursor(conn)
            there = {key for marks, part in chunks(dict.fromkeys(keys)) for (key,) in cursor.execute(
                f"SELECT id FROM tracks WHERE id IN ({marks}) AND added_at > {since!r}", part)}
        return [key for key in keys if key in there]

    # ---- when it changed

    def modified_ms(self) -> int:
        """Since when (Unix milliseconds) the library is as it is now, as far as this process knows: never too early, so
        that who was told less since then asks again."""
        with self._database.read() as conn:
            library = revisions.library(conn)
        with self._lock:
            seen = self._moved
            if seen is None or seen[0] != library:
                at = time.time() if seen is None else max(time.time(), seen[1] + 0.001)
                seen = self._moved = (library, at)
        return int(seen[1] * 1000)

    # ---- inside

    def _ask(self, person: Person, query: str, *values: Any) -> list[int]:
        with self._database.read(person) as conn:
            return [row[0] for row in driver_cursor(conn).execute(query, values)]


def _where(kind: str, roots: Iterable[int]) -> str:
    """Of a row `t` that is shown."""
    inside = ", ".join(str(int(one)) for one in roots)
    return f"{_VISIBLE[kind]} AND {_IN_ROOTS[kind].format(inside)}" if inside else _VISIBLE[kind]


def _genre(name: str) -> str:
    return folding.same(name) or name


def _bounded(number: int) -> int:
    """What SQLite can count to."""
    return min(max(number, -(2**62)), 2**62)


def _folders(cursor: sqlite3.Cursor, person: Person) -> list[MusicFolder]:
    query = "SELECT id, path FROM roots WHERE forgotten_at IS NULL"
    values: tuple[int, ...] = ()
    if person.limited:
        query += " AND id IN (SELECT root_id FROM user_folders WHERE user_id = ?)"
        values = (person.user_id,)
    rows = cursor.execute(f"{query} ORDER BY position, id", values)
    return [MusicFolder(key, path.rstrip("/\\").replace("\\", "/").rpartition("/")[2] or "Music") for key, path in rows]
