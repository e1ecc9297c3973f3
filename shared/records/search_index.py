"""The tables of the search index and their upkeep, inside the transactions that change the library.

`track_words`, `album_words`, `artist_words` are FTS5 tables of tokens made by `records.folding` (one row a thing,
its id the rowid); matching there is by whole words and beginnings. `words` is the vocabulary of all tokens;
`word_tails` finds words by a part of them, `word_slips` by a slip of the finger. The vocabulary only grows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Integer, Select, column, select, text

from shared.records import folding
from shared.records.bulk import insert_rows

# detail=none and columnsize=0: positions and lengths are not asked for, and cost half of the index.
_FTS = "tokenize = 'ascii', prefix = '2 3', detail = none, columnsize = 0"
TABLES = (
    f"CREATE VIRTUAL TABLE track_words USING fts5(title, artist, album, {_FTS})",
    f"CREATE VIRTUAL TABLE album_words USING fts5(title, artist, {_FTS})",
    f"CREATE VIRTUAL TABLE artist_words USING fts5(name, {_FTS})",
    "CREATE TABLE words (id INTEGER NOT NULL PRIMARY KEY, word TEXT NOT NULL UNIQUE, sound TEXT NOT NULL)",
    "CREATE INDEX ix_words_sound ON words (sound)",
    "CREATE TABLE word_tails (tail TEXT NOT NULL, word_id INTEGER NOT NULL, PRIMARY KEY (tail, word_id)) WITHOUT ROWID",
    "CREATE TABLE word_slips (slip INTEGER NOT NULL, word_id INTEGER NOT NULL, "
    "PRIMARY KEY (slip, word_id)) WITHOUT ROWID",
)
NAMES = ("track_words", "album_words", "artist_words", "words", "word_tails", "word_slips")


def tokens(text: str, folded: str | None = None) -> str:
    return " ".join(folding.index_words(text, folded))


class Indexing:
    """Collects what a transaction changes in the index, and writes it at once."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._cursor = cursor
        self._words: set[str] = set()
        self._new: dict[str, list[tuple[object, ...]]] = {"track_words": [], "album_words": [], "artist_words": []}
        self._gone: dict[str, list[tuple[int]]] = {"track_words": [], "album_words": [], "artist_words": []}

    def track(self, track_id: int, title: str, artist: str, album: str, *, known: bool) -> None:
        """`title`, `artist` and `album` are already tokens; `known` rows are replaced."""
        if known:
            self._gone["track_words"].append((track_id,))
        self._new["track_words"].append((track_id, title, artist, album))
        self._words.update(title.split())

    def album(self, album_id: int, title: str, artist: str, *, known: bool) -> None:
        if known:
            self._gone["album_words"].append((album_id,))
        self._new["album_words"].append((album_id, title, artist))
        self._words.update(title.split())

    def artist(self, artist_id: int, name: str) -> None:
        self._new["artist_words"].append((artist_id, name))
        self._words.update(name.split())

    def forget(self, table: str, ids: Iterable[int]) -> None:
        self._gone[table].extend((one,) for one in ids)

    def write(self) -> None:
        for table, rows in self._gone.items():
            if rows:
                self._cursor.executemany(f"DELETE FROM {table} WHERE rowid = ?", rows)
        for table, new in self._new.items():
            if new:
                # An id met twice keeps what was said last.
                last = list({row[0]: row for row in new}.values())
                marks = "?, " * (len(last[0]) - 1) + "?"
                columns = {
                    "track_words": "title, artist, album",
                    "album_words": "title, artist",
                    "artist_words": "name",
                }
                self._cursor.executemany(f"INSERT INTO {table} (rowid, {columns[table]}) VALUES ({marks})", last)
        self._learn()

    def _learn(self) -> None:
        words = sorted(word for word in self._words if folding.in_vocabulary(word))
        unknown: list[str] = []
        for start in range(0, len(words), 500):
            unknown.extend(self._unknown(words[start : start + 500]))
        if not unknown:
            return
        first = self._cursor.execute("SELECT coalesce(max(id), 0) + 1 FROM words").fetchone()[0]
        numbered = list(enumerate(unknown, first))
        insert_rows(
            self._cursor,
            "INSERT INTO words (id, word, sound)",
            [(number, word, folding.sound(word)) for number, word in numbered],
        )
        tails = [(tail, number) for number, word in numbered for tail in folding.tails(word)]
        slips = [(slip, number) for number, word in numbered for slip in folding.slips(word)]
        for into, rows in (("word_tails (tail, word_id)", tails), ("word_slips (slip, word_id)", slips)):
            insert_rows(self._cursor, f"INSERT OR IGNORE INTO {into}", sorted(rows))  # in the order of their index

    def _unknown(self, words: Sequence[str]) -> list[str]:
        marks = ", ".join("?" * len(words))
        known = {row[0] for row in self._cursor.execute(f"SELECT word FROM words WHERE word IN ({marks})", words)}
        return [word for word in words if word not in known]


_BEGINNINGS = 300  # words of the vocabulary looked at for one beginning
_INSTEAD = 60  # of them asked for, the shorter first


def match_of(
    cursor: sqlite3.Cursor,
    words: Sequence[tuple[str, bool]],
    *,
    every_beginning: bool = True,
    sees: Callable[[str], bool] | None = None,
) -> str:
    """An FTS5 expression for the tokens of a question: all of them, in any order; nothing in them is an operator.

    `every_beginning`: each may be the beginning of a longer word, not only the last. `sees`: as in `beginning`.
    """
    last = len(words) - 1
    return " AND ".join(
        beginning(cursor, word, sees) if begins and (every_beginning or i == last) else f'"{word}"'
        for i, (word, begins) in enumerate(words)
    )


def beginning(cursor: sqlite3.Cursor, word: str, sees: Callable[[str], bool] | None = None) -> str:
    """Words that begin with `word`. FTS5 has indexes of two and three letters; for other lengths it would merge
    everything that matches before it yields the first row (100 ms and more at a million tracks), so the vocabulary
    names the words instead. One letter stands for itself. `sees`: other words of the vocabulary are passed over, so
    that words of what somebody does not see take no place of those of what they do."""
    if len(word) == 1 and word.isascii():
        return f'"{word}"'
    if len(word) < 4 or not folding.in_vocabulary(word):
        return f'"{word}"*'
    most = _BEGINNINGS if sees is None else -1
    rows = cursor.execute(
        "SELECT word FROM words WHERE word >= ? AND word < ? LIMIT ?", (word, word + "\U0010ffff", most)
    )
    longer = first_of(sorted((row[0] for row in rows if row[0] != word), key=len), _INSTEAD, sees)
    return f'("{" OR ".join((word, *longer))}")'.replace(" OR ", '" OR "') if longer else f'"{word}"'


def first_of(words: Sequence[str], most: int, sees: Callable[[str], bool] | None) -> list[str]:
    """The first of `words`; of those that somebody sees, where that is asked."""
    return list(words[:most] if sees is None else islice(filter(sees, words), most))


class SeenWords:
    """Whether a word stands in anything that is seen; about 30 µs, on a connection of records.sights alone."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._cursor = cursor
        self._known: dict[str, bool] = {}

    def __call__(self, word: str) -> bool:
        known = self._known.get(word)
        if known is None:
            known = self._known[word] = any(
                self._cursor.execute(f"SELECT 1 {clause} LIMIT 1", (f'"{word}"',)).fetchone()
                for table in SEEN
                for clause in (f"FROM {table} WHERE {table} MATCH ? AND {SEEN[table]}",)
            )
        return known


# Which rows of an index are seen, on a connection of records.sights.
SEEN = {
    "track_words": "+rowid IN (SELECT id FROM seen)",
    "album_words": "+rowid IN (SELECT id FROM albums) AND +rowid NOT IN (SELECT id FROM retold)",
    "artist_words": "+rowid IN (SELECT id FROM artists)",
    "retold_words": "1",
}
MOST_MATCHES = 5_000  # of a filtered list


def matching(cursor: sqlite3.Cursor, table: str, q: str, *, limited: bool = False) -> Select[Any] | None:
    """The ids in `table` that match `q` by words and beginnings, as a subquery for filters; None when nothing can.

    `limited`: on a connection of records.sights, those of what is seen.
    """
    words = folding.query_words(q)
    if not words:
        return None
    found = column("rowid", Integer)
    if limited:
        tables = [table, "retold_words"] if table == "album_words" else [table]
        every = " UNION ALL ".join(
            f"SELECT rowid FROM {one} WHERE {one} MATCH :words AND {SEEN[one]}" for one in tables
        )
        return (
            select(found)
            .select_from(text(f"({every})"))
            .params(words=match_of(cursor, words, sees=SeenWords(cursor)))
            .limit(MOST_MATCHES)
        )
    return (
        select(found)
        .select_from(text(table))
        .where(text(f"{table} MATCH :words"))
        .params(words=match_of(cursor, words))
        .limit(MOST_MATCHES)
    )
