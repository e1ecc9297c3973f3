"""Search as one types, over titles, albums and artists.

Never ranks everything that matches: each step finds a bounded number of candidates, and a later step is only taken
while there are too few.

1. names that are, or begin with, what was typed: a range of an ordinary index;
2. all words, in any order, over title, artist and album; each may be a beginning;
3. words of which what was typed is a part (`word_tails`);
4. words a slip of the finger away (`word_slips`), or that sound alike.

The candidates are then put in order: exact names, beginnings, whole words, beginnings of words, the rest; within
that by what the person hears and likes, then the shorter name.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rapidfuzz.distance import OSA

from shared.database import Database, driver_cursor
from shared.model.person import Person
from shared.model.track import SearchResult
from shared.records import folding
from shared.records.search_index import SEEN, SeenWords, beginning, first_of, match_of
from shared.records.settling import chunks
from shared.records.showing import show_albums, show_artists, show_tracks

_LONGEST_QUESTION = 200  # characters; what comes after is not looked at
_CANDIDATES = 120  # of one step
_NAMES = 60
_LIKED = 200  # a person's most played things that are looked through when more match than are looked at
_ENOUGH = 8  # found so far: parts of words are not looked for
_DOUBTFUL = 3  # found so far, and less than that: slips are looked for
_WORDS = 12  # that one typed word may stand for
_LOOKED_AT = 300  # words of the vocabulary, for one typed word

Word = tuple[str, bool]  # a token, and whether it may be the beginning of a longer one
Sees = Callable[[str], bool]  # whether a word stands in anything that a limited person sees


@dataclass(frozen=True, slots=True)
class _Kind:
    """How things of one kind are found. All SQL of it; `?` stand for what is typed."""

    name: str
    table: str  # the FTS5 table
    columns: str  # its columns, the name first
    key: str  # the column of folded names
    visible: str
    listening: str
    limited: bool = False  # asked on a connection of records.sights

    @property
    def by_name(self) -> str:
        return (
            f"SELECT id, {self.key} FROM {self.name}s WHERE {self.key} >= ? AND {self.key} < ? AND {self.visible} "
            f"ORDER BY {self.key} LIMIT {_NAMES}"
        )

    @property
    def by_words(self) -> str:
        if self.limited:
            every = (
                f"SELECT rowid, {self.columns} FROM {table} WHERE {table} MATCH ?1 AND {SEEN[table]}"
                for table in self._tables
            )
            return f"{' UNION ALL '.join(every)} LIMIT {_CANDIDATES}"
        return f"SELECT rowid, {self.columns} FROM {self.table} WHERE {self.table} MATCH ? LIMIT {_CANDIDATES}"

    def texts(self, marks: str) -> str:
        query = f"SELECT rowid, {self.columns} FROM {self.table} WHERE rowid IN ({marks})"
        if self.limited:
            every = (
                f"SELECT rowid, {self.columns} FROM {table} WHERE {SEEN[table]}" for table in self._tables
            )
            query = f"SELECT * FROM ({' UNION ALL '.join(every)}) WHERE rowid IN ({marks})"
        return query

    @property
    def _tables(self) -> tuple[str, ...]:
        return (self.table, "retold_words") if self.name == "album" else (self.table,)

    def shown(self, marks: str) -> str:
        return f"SELECT id FROM {self.name}s WHERE id IN ({marks}) AND {self.visible}"

    @property
    def liked(self) -> tuple[str, str]:
        of_person = f"SELECT {self.name}_id FROM {self.listening} WHERE user_id = ?"
        return (
            f"{of_person} AND play_count > 0 ORDER BY play_count DESC LIMIT ?",
            f"{of_person} AND favourite_at IS NOT NULL ORDER BY favourite_at DESC LIMIT ?",
        )

    def heard(self, marks: str) -> str:
        return (
            f"SELECT {self.name}_id, play_count, favourite_at IS NOT NULL, rating FROM {self.listening} "
            f"WHERE user_id = ? AND {self.name}_id IN ({marks})"
        )


_TRACK = _Kind("track", "track_words", "title, artist, album", "sort_key", "trashed_at IS NULL", "track_listening")
_ALBUM = _Kind("album", "album_words", "title, artist", "search_key", "track_count > 0", "album_listening")
_ARTIST = _Kind(
    "artist", "artist_words", "name", "search_key", "(track_count > 0 OR album_count > 0)", "artist_listening"
)

_KINDS = (_TRACK, _ALBUM, _ARTIST)
_KINDS_SEEN = tuple(replace(kind, limited=True) for kind in _KINDS)


class Search:
    """Finds tracks, albums and artists."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    def find(self, person: Person, q: str, limit: int = 20) -> SearchResult:
        """The best of each kind, `limit` at most. Any text is a question; an empty one finds nothing.

        Costs milliseconds however many match.
        """
        with self._database.read(person) as conn:
            tracks, albums, artists = self._best(driver_cursor(conn), person, q, limit)
            return SearchResult(
                tracks=show_tracks(conn, person, tracks),
                albums=show_albums(conn, person, albums),
                artists=show_artists(conn, person, artists),
            )

    def keys(self, person: Person, q: str, limit: int = 20) -> dict[str, list[int]]:
        """The same as inner ids, by kind: track, album, artist."""
        with self._database.read(person) as conn:
            tracks, albums, artists = self._best(driver_cursor(conn), person, q, limit)
        return {"track": tracks, "album": albums, "artist": artists}

    def _best(self, cursor: sqlite3.Cursor, person: Person, q: str, limit: int) -> list[list[int]]:
        """Inner ids of the best tracks, albums and artists."""
        limit = min(max(limit, 1), _CANDIDATES)
        q = q[:_LONGEST_QUESTION]
        folded, words = folding.fold(q), folding.query_words(q)
        if not words:
            return [[], [], []]
        sees = SeenWords(cursor) if person.limited else None
        kinds = _KINDS_SEEN if person.limited else _KINDS
        searches = [_Finding(cursor, person.user_id, kind, folded, words) for kind in kinds]
        for search in searches:
            search.by_name()
            search.by_words(match_of(cursor, words, every_beginning=False, sees=sees))
        if len(words) > 1:
            # The index cannot begin with one letter; where other words narrow the search, it is looked for here.
            letters = [word for word, begins in words if begins and len(word) == 1 and word.isascii()]
            longer = [word for word in words if word[0] not in letters]
            match = match_of(cursor, longer or words, sees=sees)
            for search in searches:
                if len(search.found) < min(limit, _ENOUGH):
                    search.by_words(match, letters=letters if longer else ())
        # Several words that all fit something are meant; one word that fits little may be a part, or a slip.
        if _found(searches) < (_ENOUGH if len(words) == 1 else 1):
            self._widen(cursor, searches, words, _containing, sees)
        if _found(searches) < (_DOUBTFUL if len(words) == 1 else 1):
            self._widen(cursor, searches, words, _resembling, sees)
        for search in searches:
            if search.crowded:
                search.by_liking()
        return [search.best(limit) for search in searches]

    def _widen(
        self,
        cursor: sqlite3.Cursor,
        searches: Sequence[_Finding],
        words: Sequence[Word],
        others: Callable[[sqlite3.Cursor, str, Sees | None], list[str]],
        sees: Sees | None,
    ) -> None:
        """Look again, each typed word standing for others of the vocabulary as well (that are seen)."""
        groups: list[str] = []
        meant: list[list[str]] = []
        new = False
        for word, begins in words:
            instead = others(cursor, word, sees) if begins and folding.in_vocabulary(word) else []
            new = new or bool(instead)
            meant.append([word, *instead])
            itself = beginning(cursor, word, sees) if begins else f'"{word}"'
            groups.append(" OR ".join((itself, *(f'"{other}"' for other in instead))))
        if new:
            for search in searches:
                search.by_words(" AND ".join(f"({group})" for group in groups), meant)


def _found(searches: Sequence[_Finding]) -> int:
    return sum(len(search.found) for search in searches)


class _Finding:
    """The search among things of one kind."""

    def __init__(self, cursor: sqlite3.Cursor, user_id: int, kind: _Kind, folded: str, words: Sequence[Word]) -> None:
        self._cursor, self._user_id, self._kind = cursor, user_id, kind
        self._folded, self._words = folded, words
        self._texts: dict[int, tuple[str, ...]] = {}
        self._names: dict[int, str] = {}
        self._meant: list[list[str]] = [[word] for word, _ in words]
        self.found: set[int] = set()
        self.crowded = False  # more match than were looked at

    def by_name(self) -> None:
        begin = self._folded
        self._names.update(self._cursor.execute(self._kind.by_name, (begin, begin + "\U0010ffff")).fetchall())
        self.crowded = len(self._names) >= _NAMES
        self.found.update(self._names)

    def by_words(self, match: str, meant: list[list[str]] | None = None, *, letters: Sequence[str] = ()) -> None:
        """`meant`: what each typed word may stand for. `letters`: some word must begin with each of them."""
        if len(self.found) >= _CANDIDATES:
            return
        if meant is not None:
            self._meant = meant
        rows = self._cursor.execute(self._kind.by_words, (match,)).fetchall()
        new = {row[0]: row[1:] for row in rows if row[0] not in self.found}
        if letters:
            new = {one: texts for one, texts in new.items() if _begin_with(letters, texts)}
        self.crowded = self.crowded or len(rows) >= _CANDIDATES
        self._texts.update(new)
        self.found.update(new)

    def by_liking(self) -> None:
        """What the person hears most and likes best must not stay unseen among thousands of matches."""
        liked = {row[0] for query in self._kind.liked for row in self._cursor.execute(query, (self._user_id, _LIKED))}
        for marks, part in chunks(liked - self.found):
            for row in self._cursor.execute(self._kind.texts(marks), part):
                words = [word for text in row[1:] for word in text.split()]
                if all(
                    any(one.startswith(word) if begins else one == word for one in words)
                    for word, begins in self._words
                ):
                    self._texts[row[0]] = row[1:]
                    self.found.add(row[0])

    def best(self, limit: int) -> list[int]:
        """The ids of the best candidates, the best first."""
        lacking = [one for one in self._names if one not in self._texts]
        for marks, part in chunks(lacking):
            for row in self._cursor.execute(self._kind.texts(marks), part):
                self._texts[row[0]] = row[1:]
        liked: dict[int, float] = {}
        for marks, part in chunks(self.found):
            for one, plays, favourite, rating in self._cursor.execute(self._kind.heard(marks), (self._user_id, *part)):
                liked[one] = math.log1p(plays) + (1.5 if favourite else 0.0) + rating / 3
        ranked: list[tuple[int, float, int, str, int]] = []
        for one in self.found:
            texts = self._texts.get(one, ("",))
            name = self._names.get(one, texts[0])
            ranked.append((-self._rank(name, texts), -liked.get(one, 0.0), len(name), name, one))
        ranked.sort()
        return self._visible([row[4] for row in ranked], limit)

    def _visible(self, ids: Sequence[int], limit: int) -> list[int]:
        """The first `limit` of `ids` that are shown: what is in the trash is still in the index."""
        best: list[int] = []
        for start in range(0, len(ids), limit + 10):
            part = list(ids[start : start + limit + 10])
            marks = ", ".join("?" * len(part))
            shown = {row[0] for row in self._cursor.execute(self._kind.shown(marks), part)}
            best.extend(one for one in part if one in shown)
            if len(best) >= limit:
                break
        return best[:limit]

    def _rank(self, name: str, texts: tuple[str, ...]) -> int:
        """How well a thing fits: its name exactly, its name's beginning, then by words."""
        folded = self._folded
        if name == folded:
            return 100
        if name.startswith(folded):
            return 95 if name[len(folded) : len(folded) + 1] == " " else 90
        own = texts[0].split() if texts else []
        elsewhere = [word for text in texts[1:] for word in text.split()]
        if len(self._words) > 1 and folded == " ".join(texts[0].split()[: len(folded.split())]):
            return 85
        total = 0
        for i, (word, _) in enumerate(self._words):
            total += max(_fit(word, self._meant[i], own) + (1 if own else 0), _fit(word, self._meant[i], elsewhere))
        rank = total * 10 // len(self._words)
        return rank + (5 if folded in name else 0)


def _begin_with(letters: Sequence[str], texts: Sequence[str]) -> bool:
    first = {word[0] for text in texts for word in text.split()}
    return first.issuperset(letters)


def _fit(word: str, meant: Sequence[str], words: Sequence[str]) -> int:
    """7 the word itself, 5 its beginning, 3 a part of a word, 2 a word that was meant instead, 0 nothing."""
    if word in words:
        return 7
    best = 0
    for one in words:
        if one.startswith(word):
            return 5
        if word in one:
            best = 3
    if best == 0 and any(other in words for other in meant[1:]):
        best = 2
    return best


# ---- other words ------------------------------------------------------------------------------------------------


def _containing(cursor: sqlite3.Cursor, part: str, sees: Sees | None = None) -> list[str]:
    """Words that have `part` inside or at their end, the shorter first."""
    rows = cursor.execute(
        "SELECT w.word FROM (SELECT DISTINCT word_id FROM word_tails WHERE tail >= ? AND tail < ? LIMIT ?) t "
        "JOIN words w ON w.id = t.word_id",
        (part, part + "\U0010ffff", _LOOKED_AT if sees is None else -1),
    )
    return first_of(sorted((row[0] for row in rows), key=lambda word: (len(word), word)), _WORDS, sees)


def _resembling(cursor: sqlite3.Cursor, word: str, sees: Sees | None = None) -> list[str]:
    """Words that `word` may be a slip of, the nearest first. None when the vocabulary has the word itself in plenty
    is not asked here: whoever calls has found too little."""
    if len(word) < 4:
        return []
    allowed = 1 if len(word) < 7 else 2
    most = _LOOKED_AT if sees is None else -1
    slips = sorted(folding.slips(word))
    marks = ", ".join("?" * len(slips))
    rows: list[Any] = cursor.execute(
        f"SELECT w.word FROM (SELECT DISTINCT word_id FROM word_slips WHERE slip IN ({marks}) LIMIT ?) s "
        "JOIN words w ON w.id = s.word_id",
        (*slips, most),
    ).fetchall()
    rows += cursor.execute(
        "SELECT word FROM words WHERE sound = ? LIMIT ?", (folding.sound(word), most)
    ).fetchall()
    near: dict[str, int] = {}
    for (other,) in rows:
        if other != word and other not in near:
            distance = OSA.distance(word, other, score_cutoff=allowed)
            if distance > allowed and len(other) > len(word):  # still typing: a slip in a beginning
                distance = OSA.distance(word, other[: len(word)], score_cutoff=1) + 1
            if distance <= allowed:
                near[other] = distance
    nearest = sorted(near, key=lambda other: (near[other], other[0] != word[0], abs(len(other) - len(word)), other))
    return first_of(nearest, _WORDS, sees)
