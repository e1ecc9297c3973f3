"""A limited person is answered as by a library that holds only what is in their folders.

The other library is a copy of the whole one from which everything else was taken away: the same ids, the same order of
coming. Every answer of the one must be the other's.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.database import Database, driver_cursor
from shared.model.errors import BadInput, NotFound
from shared.model.person import Person
from shared.model.track import Filters
from shared.records import albums, artists, genres, tracks
from shared.records.albums import Albums
from shared.records.artists import Artists
from shared.records.changes import Changes
from shared.records.genres import Genres
from shared.records.listening import Listening
from shared.records.people import People
from shared.records.playlists import Playlists
from shared.records.search import Search
from shared.records.tracks import Tracks
from shared.records.visible import Folders
from tests.patience import often
from tests.records.songs import Music, metadata

FOLDERS = ("", "Kids", "Kids2", "Kids/CD1", "Kids/CD2", "K", "Pop/Kids", "Kïds", "Kids.", "Kids!/a", "\U0010dc80")
TITLES = ("Blue Moon", "Blue Train", "Bluebird", "Moon River", "Río", "Heroes", "heros")
ARTISTS = ("Ana Torr", "Björk", "Ben", "The Ben Band")
ALBUMS = ("Blue", "Moon", "Two Sides")
QUERIES = ("b", "bl", "blue", "blue moon", "moon blue", "mon", "ridge", "heros", "heroez", "bjork", "torr", "rio",
           "two", "band", "lue", "various", "iver", "the b", "ana blue")  # fmt: skip


@dataclass(frozen=True)
class Song:
    root: int
    folder: str
    title: str
    artist: str
    album: str | None
    album_artist: str | None
    genre: str | None
    year: int | None
    disc: int | None
    number: int
    duration_ms: int


SONGS = st.builds(
    Song, root=st.sampled_from((0, 0, 1)), folder=st.sampled_from(FOLDERS), title=st.sampled_from(TITLES),
    artist=st.sampled_from(ARTISTS), album=st.sampled_from((*ALBUMS, None)),
    album_artist=st.sampled_from((*ARTISTS, None)), genre=st.sampled_from(("Rock", "Jazz", None)),
    year=st.sampled_from((1970, 2001, None)), disc=st.sampled_from((1, 2, None)), number=st.integers(1, 5),
    duration_ms=st.integers(1_000, 9_000),
)  # fmt: skip


class House:
    """A database and the records before it."""

    def __init__(self, path: Path) -> None:
        self.database = database = Database(path)
        database.prepare()
        self.tracks, self.albums, self.artists = Tracks(database=database), Albums(database=database), Artists(
            database=database)  # fmt: skip
        self.genres, self.search = Genres(database=database), Search(database=database)
        self.playlists, self.listening = Playlists(database=database), Listening(database=database)
        self.changes, self.folders = Changes(database=database), Folders(database=database)

    def person(self, name: str, role: str = "child") -> Person:
        row = People(database=self.database).make_user(name, "hash", role)
        return Person(user_id=row.id, id=row.uid, username=row.username, role=row.role)


class Library(House):
    """Two music folders, an owner, and a child who is limited."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "library.db")
        self.folder = folder
        self.musics = [Music(self.database, "/music"), Music(self.database, "/other")]
        self.roots = [one.root.id for one in self.musics]
        self.owner = self.person("olga", "owner")
        self.kid = replace(self.person("kid"), limited=True)

    def add(self, songs: list[Song]) -> list[str]:
        """Their public ids; all come at one moment."""
        paths: list[tuple[int, str]] = []
        for root, music in enumerate(self.musics):
            files = {}
            for i, song in enumerate(songs):
                if song.root == root:
                    path = f"{song.folder}/{i:02} {song.title}.flac".lstrip("/")
                    paths.append((i, path))
                    files[path] = metadata(
                        song.title, song.artist, song.album, song.album_artist, song.number, disc_number=song.disc,
                        year=song.year, genres=(song.genre,) if song.genre else (),
                    )  # fmt: skip
            music.add_all(files)
        with self.database.transaction() as conn:   # of two roots, too
            driver_cursor(conn).execute("UPDATE tracks SET added_at = 1000, duration_ms = 1000 + id")
            driver_cursor(conn).execute("UPDATE albums SET added_at = 1000")
        return [self.musics[songs[i].root].uid(path) for i, path in sorted(paths)]

    def seen(self) -> set[str]:
        """Ids of the tracks in the kid's folders, told by their paths' parts."""
        folders = [(root, path.split("/") if path else []) for root, path in self.folders.of(self.kid.user_id)]
        return {
            uid
            for uid, root, path in self.musics[0].rows(
                "SELECT t.uid, f.root_id, coalesce(f.trashed_from, f.path) FROM tracks t "
                "JOIN files f ON f.track_id = t.id WHERE t.trashed_at IS NULL"
            )
            if any(root == one and path.split("/")[:-1][: len(parts)] == parts for one, parts in folders)
        }

    @contextmanager
    def reduced(self) -> Iterator[tuple[House, Person]]:
        """A library of what the kid sees, and the kid there, who sees all of it."""
        seen = self.seen()
        other = House(self.database.copy_to(self.folder / "reduced.db"))
        try:
            every = [row[0] for row in self.musics[0].rows("SELECT uid FROM tracks WHERE trashed_at IS NULL")]
            with other.database.transaction() as conn:
                driver_cursor(conn).execute("UPDATE files SET missing_since = 1 WHERE missing_since IS NULL")
            other.tracks.purge_missing([uid for uid in every if uid not in seen])
            with other.database.transaction() as conn:
                driver_cursor(conn).execute("UPDATE files SET missing_since = NULL")
            yield other, replace(self.kid, limited=False)
        finally:
            other.database.close()
            (self.folder / "reduced.db").unlink()


@contextmanager
def library() -> Iterator[Library]:
    with TemporaryDirectory() as folder:
        made = Library(Path(folder))
        try:
            yield made
        finally:
            made.database.close()


def pages(ask: Callable[..., Any], **asked: Any) -> list[Any]:
    """All items of a list, two a page by its cursor, and its total."""
    items: list[Any] = []
    cursor = None
    while True:
        page = ask(limit=2, cursor=cursor, **asked)
        items += page.items
        cursor = page.next_cursor
        if cursor is None:
            return [*items, page.total]


def answers(house: House, person: Person, ids: dict[str, list[str]]) -> Iterator[tuple[str, Any]]:
    """(what was asked, what was answered) for everything that is read. `ids` are of everything there ever was."""

    def of(ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except (NotFound, BadInput) as error:
            return type(error).__name__, error.message

    filters = [Filters(), *(Filters(q=q) for q in QUERIES), *(Filters(year=year) for year in (1970, 2001)),
               *(Filters(genre=genre) for genre in ("rock", "Jazz", "none")),
               *(Filters(favourite=on) for on in (True, False)),
               *(Filters(place=place) for place in ("local", "missing")),
               *(Filters(artist_id=uid) for uid in ids["artists"]),
               *(Filters(album_id=uid) for uid in ids["albums"])]  # fmt: skip
    for kind, records, sorts in (
        ("tracks", house.tracks, tracks.SORTS), ("albums", house.albums, albums.SORTS),
        ("artists", house.artists, artists.SORTS),
    ):  # fmt: skip
        asked = [replace(one, role="album") for one in filters[:1] if kind == "artists"] + filters
        for given_, sort in [*((one, "-added" if kind != "tracks" else "title") for one in asked),
                             *((Filters(), f"{turn}{sort}") for sort in sorts for turn in ("", "-"))]:  # fmt: skip
            more = {"seed": 7} if sort.endswith("random") else {}
            yield f"{kind} {given_} {sort}", of(
                lambda records=records, given_=given_, sort=sort, more=more: pages(
                    lambda **page: records.list(person, filters=given_, sort=sort, **more, **page)
                )
            )
        yield f"{kind} by ids", records.list(person, ids=ids[kind]).items
        for uid in ids[kind]:
            yield f"{kind} {uid}", of(lambda records=records, uid=uid: records.get(person, uid))
            yield f"cover {uid}", of(lambda uid=uid: house.albums.artwork_of(uid, person=person))
    for sort, turn in itertools.product(genres.SORTS, ("", "-")):
        yield f"genres {turn}{sort}", pages(
            lambda sort=sort, turn=turn, **page: house.genres.list(person, sort=turn + sort, **page))  # fmt: skip
    for kind, sort in (("tracks", "title"), ("tracks", "artist"), ("albums", "title"), ("albums", "artist"),
                       ("artists", "name")):  # fmt: skip
        yield f"letters {kind} {sort}", house.tracks.letters(kind, sort, person=person)
    yield "stats", replace(house.tracks.stats(person=person), revision=0)
    for q in (*QUERIES, *TITLES, *ARTISTS):
        for limit in (1, 20):
            yield f"search {q}", house.search.find(person, q, limit)
    for one in house.playlists.list(person).items:
        yield f"playlist {one.id}", house.playlists.get(person, one.id)
    yield "playlists", house.playlists.list(person).items
    yield "queue", house.listening.queue(person)
    for uid in ids["tracks"]:
        yield f"file of {uid}", of(lambda uid=uid: house.tracks.file_of(uid, person=person))
        yield f"lyrics of {uid}", of(lambda uid=uid: house.tracks.lyrics(uid, person=person))


def every_id(library: Library) -> dict[str, list[str]]:
    return {kind: [row[0] for row in library.musics[0].rows(f"SELECT uid FROM {kind} ORDER BY uid")]
            for kind in ("tracks", "albums", "artists")}  # fmt: skip


def without_order_of_retold(what: str, answer: Any) -> Any:
    """Tracks keep the place of their whole album among albums of the same title."""
    if what.startswith("tracks Filters()") and what.endswith(("artist", "album")):
        return sorted(answer[:-1], key=lambda one: one.id), answer[-1]
    return answer


@settings(max_examples=often(8), deadline=None)
@given(
    st.lists(SONGS, min_size=1, max_size=12),
    st.lists(st.tuples(st.sampled_from((0, 1)), st.sampled_from(FOLDERS)), max_size=3),
    st.data(),
)
def test_a_limited_person_is_answered_as_by_a_library_without_the_rest(
    songs: list[Song], folders: list[tuple[int, str]], data: st.DataObject
) -> None:
    with library() as whole:
        uids = whole.add(songs)
        some = st.lists(st.sampled_from(uids), max_size=6)
        whole.playlists.make(whole.owner, "Everybody's", data.draw(some), "shared")
        whole.playlists.make(whole.owner, "Ours", data.draw(some), "collaborative")
        whole.playlists.make(whole.owner, "Hers", uids)
        whole.playlists.make(replace(whole.kid, limited=False), "Mine", data.draw(some))
        for uid in data.draw(some):
            whole.listening.play(replace(whole.kid, limited=False), uid, 5_000.0)
        for number, uid in enumerate(data.draw(some)):
            whole.listening.rate(replace(whole.kid, limited=False), uid, number % 6)
        for uid in dict.fromkeys(data.draw(some)):
            whole.listening.favourite(replace(whole.kid, limited=False), uid, True)
        whole.listening.save_queue(whole.kid, data.draw(some), 0, 0)
        whole.folders.set(whole.kid.user_id, [(whole.roots[root], path) for root, path in folders])
        ids = every_id(whole)
        with whole.reduced() as (other, same_kid):
            theirs = dict(answers(other, same_kid, ids))
            hers = dict(answers(whole, whole.kid, ids))
            assert hers.keys() == theirs.keys()
            for what, answer in hers.items():
                assert without_order_of_retold(what, answer) == without_order_of_retold(what, theirs[what]), what
