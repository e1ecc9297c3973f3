"""The library as if only certain folders were there: what limited people are answered from.

A limited person (model.person, records.visible) has a connection of their own. On it `tracks`, `albums`, `artists`,
`genres`, `playlists` and what joins them are temporary tables and views that stand before the library's own and hold
only what is in the person's folders; SQLite finds temporary names first. So every query of the other records answers
them as a library without the other tracks would, and who is not limited asks the same as ever.

    seen            the tracks in the folders, those in the trash too
    tracks, credits, track_genres, playlists    views
    albums, album_credits, album_genres, artists, genres    tables: counted and told anew from what is seen
    came, gone      what began or ceased to be seen while this connection lasted, for records.changes

The tables hold for one revision of the library and one set of folders; when either has moved they are made anew at the
next question (at 100,000 seen tracks about 0.4 s, at 5,000 about 30 ms), inside its transaction. They lie in a
temporary file of SQLite's, not in this process's memory.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, Connection, Engine, Float, Integer, LargeBinary, Table

from shared.records import identity, revisions, tables
from shared.records.settling import COUNTED, chunks, name_of

# People whose connections are kept, about 3 MiB each. When more ask in turn, every answer makes its tables anew.
MOST = 12
_FEW = 0.1  # of all tracks; when fewer are seen, lists begin with what is seen instead of with an index
_MOST_NEWS = 20_000  # rows of came and gone
_BEYOND = b"\xff"  # sorts after every text
_ROLES = ", ".join(f"'{role}'" for role in COUNTED)


def _table(table: Table, key: str) -> str:
    def column(one: Column[Any]) -> str:
        kind = "INTEGER" if isinstance(one.type, Integer) else "REAL" if isinstance(one.type, Float) else "TEXT"
        if isinstance(one.type, LargeBinary):
            kind = "BLOB"
        return f'"{one.name}" {kind}{" PRIMARY KEY" if one.name == key else ""}'

    columns = ", ".join(column(one) for one in table.columns)
    if key in table.columns:
        return f"CREATE TEMP TABLE {table.name} ({columns})"
    return f"CREATE TEMP TABLE {table.name} ({columns}, PRIMARY KEY ({key})) WITHOUT ROWID"


_PLAYLIST_COLUMNS = ", ".join(
    {
        "track_count": f"(SELECT count(*) {its}) AS track_count",
        "duration_ms": f"(SELECT coalesce(sum(t.duration_ms), 0) {its}) AS duration_ms",
    }.get(one.name, f"p.{one.name}")
    for its in (
        "FROM main.playlist_entries e JOIN main.tracks t ON t.id = e.track_id "
        "WHERE e.playlist_id = p.id AND t.trashed_at IS NULL AND +t.id IN (SELECT id FROM temp.seen)",
    )
    for one in tables.playlists.columns
)
_SCHEMA = (
    "CREATE TEMP TABLE folders (root_id INTEGER, low TEXT, high)",  # paths from `low` until before `high`
    "CREATE TEMP TABLE seen (id INTEGER PRIMARY KEY, uid TEXT, trashed INTEGER)",
    "CREATE TEMP TABLE looked_at (id INTEGER PRIMARY KEY)",
    "CREATE TEMP TABLE tally (id INTEGER PRIMARY KEY, tracks INTEGER)",
    "CREATE TEMP TABLE were (kind TEXT, uid TEXT, PRIMARY KEY (kind, uid)) WITHOUT ROWID",
    "CREATE TEMP TABLE came (kind TEXT, uid TEXT, rev INTEGER, PRIMARY KEY (kind, uid)) WITHOUT ROWID",
    "CREATE TEMP TABLE gone (kind TEXT, uid TEXT, rev INTEGER, PRIMARY KEY (kind, uid)) WITHOUT ROWID",
    _table(tables.albums, "id"),
    "CREATE INDEX temp.seen_albums_uid ON albums (uid)",
    "CREATE INDEX temp.seen_albums_sort_key ON albums (sort_key)",
    "CREATE INDEX temp.seen_albums_artist ON albums (artist_sort_key, year_key, sort_key)",
    "CREATE INDEX temp.seen_albums_year ON albums (year_key, sort_key)",
    "CREATE INDEX temp.seen_albums_added ON albums (added_at)",
    "CREATE INDEX temp.seen_albums_search_key ON albums (search_key)",
    _table(tables.album_credits, "album_id, position"),
    "CREATE INDEX temp.seen_album_credits_artist ON album_credits (artist_id)",
    _table(tables.album_genres, "album_id, position"),
    "CREATE INDEX temp.seen_album_genres_genre ON album_genres (genre_id)",
    _table(tables.artists, "id"),
    "CREATE INDEX temp.seen_artists_uid ON artists (uid)",
    "CREATE INDEX temp.seen_artists_sort_key ON artists (sort_key)",
    "CREATE INDEX temp.seen_artists_search_key ON artists (search_key)",
    _table(tables.genres, "id"),
    "CREATE INDEX temp.seen_genres_folded ON genres (folded)",
    # Albums whose artist is told otherwise: their words in the search index are those of the whole.
    "CREATE TEMP TABLE retold (id INTEGER PRIMARY KEY)",
    "CREATE VIRTUAL TABLE temp.retold_words USING fts5(title, artist, tokenize = 'ascii')",
    # The plus keeps SQLite from beginning with what is seen where another index leads.
    "CREATE TEMP VIEW credits AS SELECT * FROM main.credits WHERE +track_id IN (SELECT id FROM temp.seen)",
    "CREATE TEMP VIEW track_genres AS SELECT * FROM main.track_genres WHERE +track_id IN (SELECT id FROM temp.seen)",
    f"CREATE TEMP VIEW playlists AS SELECT {_PLAYLIST_COLUMNS} FROM main.playlists p",
)


@dataclass(slots=True)
class _Made:
    """What the tables of a connection hold for."""

    library: int = -1  # revision
    folders: list[tuple[int, str]] = field(default_factory=list)
    base: int = 0  # came and gone tell everything since this revision
    few: bool | None = None


class Sights:
    """The connections of limited people. Safe from any thread; each person's questions wait for one another.

    engine: makes an engine of one reading connection, whose temporary tables lie in a file.
    """

    def __init__(self, *, engine: Callable[[], Engine]) -> None:
        self._engine = engine
        self._kept: OrderedDict[int, Engine] = OrderedDict()
        self._lock = threading.Lock()

    @contextmanager
    def read(self, user_id: int) -> Iterator[Connection]:
        """A connection on which the library holds only what this person sees."""
        with self._of(user_id).connect() as connection:
            made = _look(connection, user_id)
            try:
                yield connection
            finally:
                if made is not None:
                    connection.commit()  # temporary tables too come and go with the transaction
                    connection.info["sight"] = made

    def close(self) -> None:
        with self._lock:
            for engine in self._kept.values():
                engine.dispose()
            self._kept.clear()

    def _of(self, user_id: int) -> Engine:
        with self._lock:
            engine = self._kept.get(user_id)
            if engine is None:
                engine = self._kept[user_id] = self._engine()
                if len(self._kept) > MOST:
                    self._kept.popitem(last=False)[1].dispose()
            self._kept.move_to_end(user_id)
            return engine


def base_of(connection: Connection) -> int:
    """The revision since which `came` and `gone` of this connection tell everything."""
    made = connection.info.get("sight_now") or connection.info["sight"]
    return int(made.base)


def _look(connection: Connection, user_id: int) -> _Made | None:
    """Make the tables anew when they no longer hold; what they then hold for, None when they hold."""
    connection.info.pop("sight_now", None)
    made: _Made | None = connection.info.get("sight")
    library = revisions.library(connection)
    cursor = connection.connection.driver_connection.cursor()  # type: ignore[union-attr]
    folders = cursor.execute(
        "SELECT root_id, path FROM main.user_folders WHERE user_id = ? ORDER BY root_id, path", (user_id,)
    ).fetchall()
    if made is not None and made.library == library and made.folders == folders:
        return None
    cursor.execute("PRAGMA query_only = 0")
    try:
        now = _Making(cursor, made, library, folders).make()
    finally:
        cursor.execute("PRAGMA query_only = 1")
    connection.info["sight_now"] = now
    return now


class _Making:
    """Makes the tables of one connection."""

    def __init__(
        self, cursor: sqlite3.Cursor, before: _Made | None, library: int, folders: list[tuple[int, str]]
    ) -> None:
        self._cursor = cursor
        self._before = before
        self._now = _Made(library, folders, library)
        self._library = library

    def make(self) -> _Made:
        execute, before, now = self._cursor.execute, self._before, self._now
        if before is None:
            for statement in _SCHEMA:
                execute(statement)
        if before is not None and before.folders == now.folders:
            now.base = before.base
            self._remember_what_was()
            self._see_what_moved(before.library)
        else:
            self._see()
        self._choose_view(None if before is None else before.few)
        self._albums()
        self._artists()
        self._genres()
        if now.base != self._library:
            self._tell_what_moved()
        return now

    # ---- tracks

    def _see(self) -> None:
        """Every track in the folders."""
        execute = self._cursor.execute
        for table in ("folders", "seen", "came", "gone"):
            execute(f"DELETE FROM temp.{table}")
        self._cursor.executemany(
            "INSERT INTO temp.folders VALUES (?, ?, ?)",
            [
                (root_id, f"{path}/" if path else "", f"{path}0" if path else _BEYOND)  # 0 follows the slash
                for root_id, path in self._now.folders
            ],
        )
        execute(
            "INSERT OR IGNORE INTO temp.seen SELECT t.id, t.uid, 0 FROM temp.folders u CROSS JOIN main.files f "
            "ON f.root_id = u.root_id AND f.path >= u.low AND f.path < u.high "
            "CROSS JOIN main.tracks t ON t.id = f.track_id WHERE t.trashed_at IS NULL"
        )
        execute(f"{_NOW_SEEN} WHERE t.trashed_at IS NOT NULL AND {_INSIDE}")

    def _see_what_moved(self, since: int) -> None:
        """The same, where only what changed after the revision `since` needs to be looked at."""
        execute = self._cursor.execute
        execute("DELETE FROM temp.looked_at")
        execute("INSERT INTO temp.looked_at SELECT id FROM main.tracks WHERE changed_rev > ?", (since,))
        if execute("SELECT 1 FROM main.removed WHERE kind = 'track' AND rev > ? LIMIT 1", (since,)).fetchone():
            execute("INSERT INTO temp.looked_at SELECT id FROM temp.seen WHERE id NOT IN (SELECT id FROM main.tracks)")
        execute("INSERT INTO temp.were SELECT 'track', uid FROM temp.seen "
                "WHERE id IN (SELECT id FROM temp.looked_at) AND NOT trashed")  # fmt: skip
        execute("DELETE FROM temp.seen WHERE id IN (SELECT id FROM temp.looked_at)")
        execute(f"{_NOW_SEEN} WHERE t.id IN (SELECT id FROM temp.looked_at) AND {_INSIDE}")

    def _choose_view(self, was_few: bool | None) -> None:
        """With few tracks seen a list is found by them and sorted; with many by its index, passing over the others."""
        execute = self._cursor.execute
        (seen,) = execute("SELECT count(*) FROM temp.seen").fetchone()
        (every,) = execute("SELECT count(*) FROM main.tracks WHERE trashed_at IS NULL").fetchone()
        few = self._now.few = seen < every * _FEW
        if few is not was_few:
            execute("DROP VIEW IF EXISTS temp.tracks")
            own = "id" if few else "+id"
            execute(f"CREATE TEMP VIEW tracks AS SELECT * FROM main.tracks WHERE {own} IN (SELECT id FROM temp.seen)")

    # ---- what follows from them

    def _albums(self) -> None:
        execute = self._cursor.execute
        for table in ("tally", "albums", "album_credits", "album_genres", "retold", "retold_words"):
            execute(f"DELETE FROM temp.{table}")
        execute(
            "INSERT INTO temp.tally SELECT t.album_id, count(*) FILTER (WHERE NOT s.trashed) FROM temp.seen s "
            "CROSS JOIN main.tracks t ON t.id = s.id WHERE t.album_id IS NOT NULL GROUP BY t.album_id"
        )
        execute("INSERT INTO temp.albums SELECT * FROM main.albums WHERE id IN (SELECT id FROM temp.tally)")
        execute("INSERT INTO temp.album_credits SELECT * FROM main.album_credits "
                "WHERE album_id IN (SELECT id FROM temp.tally)")  # fmt: skip
        execute("INSERT INTO temp.album_genres SELECT * FROM main.album_genres "
                "WHERE album_id IN (SELECT id FROM temp.tally)")  # fmt: skip
        partial = [row[0] for row in execute(
            "SELECT n.id FROM temp.tally n JOIN main.albums a ON a.id = n.id WHERE a.track_count <> n.tracks")]
        for marks, part in chunks(partial):
            self._tell_albums(marks, part)

    def _tell_albums(self, marks: str, album_ids: list[int]) -> None:
        """Albums of which only some tracks are seen, told from these as records.settling tells the whole."""
        execute = self._cursor.execute
        tracks: dict[int, list[Any]] = {one: [] for one in album_ids}
        for row in execute(
            "SELECT t.album_id, t.disc_number, t.year, t.date, t.original_date, t.duration_ms, t.added_at, t.id, "
            "f.root_id, f.path FROM main.tracks t JOIN main.files f ON f.track_id = t.id "
            f"WHERE t.album_id IN ({marks}) AND t.trashed_at IS NULL AND +t.id IN (SELECT id FROM temp.seen) "
            "ORDER BY t.album_id, t.album_position, t.id", album_ids,
        ):  # fmt: skip
            tracks[row[0]].append(row)
        execute(f"DELETE FROM temp.album_genres WHERE album_id IN ({marks})", album_ids)
        execute(
            "INSERT INTO temp.album_genres SELECT album_id, place - 1, genre_id FROM (SELECT t.album_id, g.genre_id, "
            "row_number() OVER (PARTITION BY t.album_id ORDER BY count(*) DESC, min(g.position), g.genre_id) AS place "
            "FROM main.tracks t JOIN main.track_genres g ON g.track_id = t.id "
            f"WHERE t.album_id IN ({marks}) AND t.trashed_at IS NULL AND +t.id IN (SELECT id FROM temp.seen) "
            "GROUP BY t.album_id, g.genre_id) WHERE place <= 10", album_ids,
        )  # fmt: skip
        rows = execute(
            f"SELECT id, loose, title, artist, compilation, artwork_id FROM main.albums WHERE id IN ({marks})",
            album_ids,
        ).fetchall()
        for album_id, loose, title, artist, compilation, artwork_id in rows:
            its = tracks[album_id]
            if loose and its:
                self._tell_artist(album_id, title, artist, compilation)
            years = Counter((row[2], row[3]) for row in its if row[2] is not None)
            year, date = min(years, key=lambda one: (-years[one], one[0], one[1] or ""), default=(None, None))
            execute(
                "UPDATE temp.albums SET year = ?, year_key = ?, date = ?, original_date = ?, track_count = ?, "
                "disc_count = ?, duration_ms = ?, added_at = coalesce(?, added_at), artwork_id = ? WHERE id = ?",
                (
                    year, year or 0, date, min((row[4] for row in its if row[4]), default=None), len(its),
                    len({row[1] or 1 for row in its}), sum(row[5] for row in its),
                    min((row[6] for row in its), default=None), self._picture(artwork_id, its), album_id,
                ),
            )  # fmt: skip

    def _tell_artist(self, album_id: int, title: str, artist: str, compilation: int) -> None:
        """Of an album without album artist: its tracks' first artist, or various ones."""
        told = self._cursor.execute(
            "SELECT c.artist_id, min(c.name) FROM main.tracks t JOIN main.credits c ON c.track_id = t.id "
            "WHERE t.album_id = ? AND t.trashed_at IS NULL AND +t.id IN (SELECT id FROM temp.seen) "
            "AND c.role = 'artist' AND c.position = 0 GROUP BY c.artist_id LIMIT 2", (album_id,),
        ).fetchall()  # fmt: skip
        if len(told) != 1 or told[0][1] == artist:
            return  # various ones of the whole are various ones here
        artist_id, name = told[0]
        known = name_of(name)
        execute = self._cursor.execute
        execute(
            "UPDATE temp.albums SET artist = ?, artist_sort_key = ?, compilation = ? WHERE id = ?",
            (name, known.sort_key, 0 if identity.is_various(artist) else compilation, album_id),
        )
        execute("DELETE FROM temp.album_credits WHERE album_id = ?", (album_id,))
        execute("INSERT INTO temp.album_credits VALUES (?, 0, ?, ?)", (album_id, artist_id, name))
        execute("INSERT INTO temp.retold VALUES (?)", (album_id,))
        execute(
            "INSERT INTO temp.retold_words (rowid, title, artist) VALUES (?, ?, ?)",
            (album_id, name_of(title).tokens, known.tokens),
        )

    def _picture(self, artwork_id: int | None, tracks: list[Any]) -> int | None:
        """The album's own picture when it lies with what is seen, else one that does."""
        if artwork_id is None or not tracks:
            return None
        places = {(row[8], identity.folder_of(row[9])) for row in tracks}
        places |= {(root_id, identity.folder_of(folder)) for root_id, folder in places
                   if identity.is_disc_folder(folder)}  # fmt: skip
        paths = {(row[8], row[9]) for row in tracks}
        found: list[tuple[int, int]] = []
        for root_id, folder in places:
            for one, kind, path in self._cursor.execute(
                "SELECT id, kind, path FROM main.artwork WHERE root_id = ? AND folder = ?", (root_id, folder)
            ):
                if kind != "embedded" or (root_id, path) in paths:
                    found.append((0 if one == artwork_id else 1 if kind == "sidecar" else 2, one))
        return min(found)[1] if found else None

    def _artists(self) -> None:
        execute = self._cursor.execute
        execute("DELETE FROM temp.artists")
        names = [one.name for one in tables.artists.columns]
        own = {"album_count": "coalesce(b.albums, 0)", "track_count": "n.tracks"}
        execute(
            f"INSERT INTO temp.artists SELECT {', '.join(own.get(name, f'a.{name}') for name in names)} FROM ("
            "SELECT artist_id, max(tracks) AS tracks FROM ("
            "SELECT artist_id, sum(counts) AS tracks FROM ("
            f"SELECT c.artist_id, max(c.role IN ({_ROLES})) AND NOT s.trashed AS counts FROM temp.seen s "
            "CROSS JOIN main.credits c ON c.track_id = s.id GROUP BY c.track_id, c.artist_id) GROUP BY artist_id "
            "UNION ALL SELECT DISTINCT artist_id, 0 FROM temp.album_credits) GROUP BY artist_id) n "
            "JOIN main.artists a ON a.id = n.artist_id LEFT JOIN ("
            "SELECT c.artist_id, count(DISTINCT c.album_id) AS albums FROM temp.album_credits c "
            "JOIN temp.albums l ON l.id = c.album_id WHERE l.track_count > 0 GROUP BY c.artist_id) b "
            "ON b.artist_id = n.artist_id"
        )

    def _genres(self) -> None:
        execute = self._cursor.execute
        execute("DELETE FROM temp.genres")
        execute(
            "INSERT INTO temp.genres (id, folded, name, track_count, album_count) "
            "SELECT g.id, g.folded, g.name, n.tracks, coalesce(b.albums, 0) FROM ("
            "SELECT m.genre_id, sum(NOT s.trashed) AS tracks FROM temp.seen s "
            "CROSS JOIN main.track_genres m ON m.track_id = s.id GROUP BY m.genre_id) n "
            "JOIN main.genres g ON g.id = n.genre_id LEFT JOIN ("
            "SELECT m.genre_id, count(*) AS albums FROM temp.album_genres m JOIN temp.albums l ON l.id = m.album_id "
            "WHERE l.track_count > 0 GROUP BY m.genre_id) b ON b.genre_id = n.genre_id"
        )

    # ---- what came and went

    def _remember_what_was(self) -> None:
        self._cursor.execute("DELETE FROM temp.were")
        for kind, visible in _SHOWN.items():
            self._cursor.execute(f"INSERT INTO temp.were SELECT '{kind}', uid FROM temp.{kind}s WHERE {visible}")

    def _tell_what_moved(self) -> None:
        execute = self._cursor.execute
        shown = (
            " UNION ALL ".join(f"SELECT '{kind}' AS kind, uid FROM temp.{kind}s WHERE {visible}"
                               for kind, visible in _SHOWN.items())
            + " UNION ALL SELECT 'track', uid FROM temp.seen WHERE NOT trashed AND id IN (SELECT id FROM looked_at)"
        )  # fmt: skip
        for into, out_of, here, there in (("gone", "came", "temp.were", shown), ("came", "gone", shown, "temp.were")):
            here, there = (one if one == "temp.were" else f"({one})" for one in (here, there))
            execute(f"INSERT OR REPLACE INTO temp.{into} SELECT kind, uid, ? FROM {here} "
                    f"WHERE (kind, uid) NOT IN (SELECT kind, uid FROM {there})", (self._library,))  # fmt: skip
            execute(f"DELETE FROM temp.{out_of} WHERE (kind, uid) IN "
                    f"(SELECT kind, uid FROM temp.{into} WHERE rev = ?)", (self._library,))  # fmt: skip
        (rows,) = execute("SELECT (SELECT count(*) FROM temp.came) + (SELECT count(*) FROM temp.gone)").fetchone()
        if rows > _MOST_NEWS:
            execute("DELETE FROM temp.came")
            execute("DELETE FROM temp.gone")
            self._now.base = self._library


_SHOWN = {"album": "track_count > 0", "artist": "(track_count > 0 OR album_count > 0)"}
_NOW_SEEN = (
    "INSERT INTO temp.seen SELECT t.id, t.uid, t.trashed_at IS NOT NULL FROM main.tracks t "
    "CROSS JOIN main.files f ON f.track_id = t.id"
)
_INSIDE = (
    "EXISTS (SELECT 1 FROM temp.folders u WHERE u.root_id = f.root_id "
    "AND coalesce(f.trashed_from, f.path) >= u.low AND coalesce(f.trashed_from, f.path) < u.high)"
)
