"""A limited person is answered as by a library that holds only what is in their folders.

The other library is a copy of the whole one from which everything else was taken away: the same ids, the same order of
coming. Every answer of the one must be the other's.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.database import Database, driver_cursor
from shared.model.download import Request, Status
from shared.model.errors import BadInput, NotFound, RevisionTooOld
from shared.model.person import Person
from shared.model.scan import Picture
from shared.model.track import Filters
from shared.records import albums, artists, genres, sights, tracks
from shared.records.albums import Albums
from shared.records.artists import Artists
from shared.records.changes import Changes
from shared.records.downloads import UNSEEN, Downloads
from shared.records.genres import Genres
from shared.records.listening import Listening
from shared.records.people import People
from shared.records.playlists import Playlists
from shared.records.search import Search
from shared.records.tracks import Tracks
from shared.records.visible import Folders, outermost
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


# ---- what changed ------------------------------------------------------------------------------------------------


DEEDS = st.sampled_from(("add", "add unseen", "retag", "move in", "move out", "trash", "restore", "purge", "listen"))


def shown_ids(library: Library) -> dict[str, set[str]]:
    return {
        "tracks": {one.id for one in library.tracks.list(library.kid, limit=500).items},
        "albums": {one.id for one in library.albums.list(library.kid, limit=500).items},
        "artists": {one.id for one in library.artists.list(library.kid, limit=500).items},
    }


def there_to_see(library: Library) -> dict[str, set[str]]:
    """The same, told by the files alone, without asking as the kid: what could be seen at this moment."""
    rows = library.musics[0].rows
    of_tracks = "SELECT t.id FROM tracks t JOIN files f ON f.track_id = t.id WHERE f.path LIKE 'Kids/%' " \
        "AND t.trashed_at IS NULL"
    of_albums = f"SELECT album_id FROM tracks WHERE id IN ({of_tracks})"
    return {
        "tracks": {uid for uid, in rows(f"SELECT uid FROM tracks WHERE id IN ({of_tracks})")},
        "albums": {uid for uid, in rows(f"SELECT uid FROM albums WHERE id IN ({of_albums})")},
        "artists": {uid for uid, in rows(
            f"SELECT uid FROM artists WHERE id IN (SELECT artist_id FROM credits WHERE track_id IN ({of_tracks})) "
            f"OR id IN (SELECT artist_id FROM album_credits WHERE album_id IN ({of_albums}))")},
    }


@settings(max_examples=often(25), deadline=None)
@example(deeds=[("add", 0, False, False), ("trash", 2, False, True)])
@given(st.lists(st.tuples(DEEDS, st.integers(0, 5), st.booleans(), st.booleans()), min_size=1, max_size=12))
def test_a_player_that_follows_the_changes_has_what_is_seen_and_hears_of_nothing_else(
    deeds: list[tuple[str, int, bool, bool]],
) -> None:
    with library() as whole:
        music = whole.musics[0]
        whole.folders.set(whole.kid.user_id, [(music.root.id, "Kids")])
        music.album("Kids/A", "First", "Ana", 2)
        music.album("Secret/B", "First", "Ana", 2)
        held, since = shown_ids(whole), whole.changes.current()
        ever = held
        for number, (deed, which, forgetful, asks) in enumerate(deeds):
            rows = music.rows(
                "SELECT t.uid, f.path, t.trashed_at IS NOT NULL FROM tracks t JOIN files f ON f.track_id = t.id "
                "ORDER BY t.id"
            )
            here = [row for row in rows if not row[2]]
            away = [row for row in rows if row[2]]
            if deed.startswith("add"):
                music.album(f"{'Secret' if 'unseen' in deed else 'Kids'}/N{which}/{number}", f"Album {which}",
                            ("Ana", "Ben", None)[which % 3], 1, by="Ana")  # fmt: skip
            elif deed in ("restore", "purge") and away:
                uid = away[which % len(away)][0]
                if deed == "purge":
                    whole.tracks.purge(uid)
                else:
                    whole.tracks.restore(uid, path=whole.tracks.trash_place(uid).trashed_from)
            elif here and deed not in ("restore", "purge"):
                uid, path, _ = here[which % len(here)]
                if deed == "retag":
                    music.retag({path: metadata(f"New {number}", f"Singer {which}", f"Album {which % 2}",
                                                f"Singer {which}", 1)}, mtime=2 * number + 10)  # fmt: skip
                elif deed == "trash":
                    whole.tracks.trash(uid, trashed_from=path, path=f".trash/{uid}/x.flac")
                elif deed == "listen":
                    whole.listening.play(replace(whole.kid, limited=False), uid)
                else:
                    folder = "Kids/Moved" if deed == "move in" else "Secret/Moved"
                    music.rename({path: f"{folder}/{number}.flac"})
            ever = {kind: ids | there_to_see(whole)[kind] for kind, ids in ever.items()}
            if forgetful:   # as after a restart of the station
                whole.database._sights.close()
            if not asks:
                continue
            now = shown_ids(whole)
            ever = {kind: ever[kind] | now[kind] for kind in ever}
            try:
                told = whole.changes.since(whole.kid, since)
            except RevisionTooOld:
                held, since = now, whole.changes.current()
                continue
            for kind in ("tracks", "albums", "artists"):
                its = getattr(told, kind)
                assert set(its.added) | set(its.changed) <= now[kind], deed
                assert set(its.removed) <= ever[kind] - now[kind], deed     # no id that was never there to see
                held[kind] = (held[kind] | set(its.added) | set(its.changed)) - set(its.removed)
                assert held[kind] == now[kind], (deed, kind)
            since = told.revision


def test_an_unseen_track_that_goes_is_not_told_and_a_seen_one_is() -> None:
    with library() as whole:
        music = whole.musics[0]
        whole.folders.set(whole.kid.user_id, [(music.root.id, "Kids")])
        ours, theirs = music.album("Kids/A", "Ours", "Ana", 2), music.album("Secret/B", "Theirs", "Ben", 2)
        before = whole.changes.since(whole.kid, whole.changes.current()).revision
        for uid in (ours[0], theirs[0]):
            whole.tracks.trash(uid, trashed_from=whole.tracks.file_of(uid).path, path=f".trash/{uid}/x.flac")
        assert whole.changes.since(whole.kid, before).tracks.removed == [ours[0]]
        for uid in (ours[0], theirs[0]):
            whole.tracks.purge(uid)
        told = whole.changes.since(whole.kid, before)
        assert told.tracks.removed == [ours[0]] and not told.albums.removed
        assert set(whole.changes.since(whole.owner, before).tracks.removed) == {ours[0], theirs[0]}
        music.rename({"Kids/A/02.flac": "Secret/02.flac"})
        told = whole.changes.since(whole.kid, before)
        assert set(told.tracks.removed) == set(ours) and len(told.albums.removed) == len(told.artists.removed) == 1


# ---- one thing each ----------------------------------------------------------------------------------------------


def test_folders_are_told_apart_by_whole_names() -> None:
    with library() as whole:
        music = whole.musics[0]
        paths = ("Kids/1.flac", "Kids/deep/er/2.flac", "Kids2/3.flac", "Kids.flac", "Kids /4.flac", "kids/5.flac",
                 "Kids\U0010ffff/6.flac", "Kids/\U0010dc80.flac", "Kids", "A/Kids/7.flac")  # fmt: skip
        for number, path in enumerate(paths):
            music.add(path, metadata(f"Song {number}"))
        whole.folders.set(whole.kid.user_id, [(music.root.id, "/Kids/")])
        assert {one.title for one in whole.tracks.list(whole.kid).items} == {"Song 0", "Song 1", "Song 7"}
        whole.folders.set(whole.kid.user_id, [(music.root.id, "")])
        assert whole.tracks.list(whole.kid).total == len(paths)
        whole.folders.set(whole.kid.user_id, [])
        assert whole.tracks.list(whole.kid).total == 0


def test_folders_in_folders_are_kept_once_and_none_leads_out() -> None:
    assert outermost({(1, "Kids"), (1, "Kids2"), (1, "Kids/a/b"), (2, ""), (2, "x")}) == [
        (1, "Kids"), (1, "Kids2"), (2, "")]  # fmt: skip
    with library() as whole:
        root = whole.roots[0]
        for path in ("..", "Kids/../..", "a\0b"):
            try:
                whole.folders.set(whole.kid.user_id, [(root, path)])
            except BadInput:
                continue
            raise AssertionError(path)
        assert whole.folders.of(whole.kid.user_id) == []


def test_an_album_of_various_artists_of_which_one_is_seen_is_that_ones() -> None:
    with library() as whole:
        music = whole.musics[0]
        music.add_all({f"Mix/CD{n}/1.flac": metadata(f"Song {n}", f"Singer {n}", "Mix", None, 1) for n in (1, 2)})
        whole.folders.set(whole.kid.user_id, [(music.root.id, "Mix/CD1")])
        assert whole.albums.list(whole.owner).items[0].artist == "Various Artists"
        (album,) = whole.albums.list(whole.kid).items
        assert (album.artist, [one.name for one in album.artists], album.compilation) == (
            "Singer 1", ["Singer 1"], False)  # fmt: skip
        assert [one.name for one in whole.artists.list(whole.kid).items] == ["Singer 1"]
        assert whole.search.find(whole.kid, "various").albums == []
        assert [one.title for one in whole.search.find(whole.kid, "singer mix").albums] == ["Mix"]
        assert whole.search.find(whole.kid, "singer 2") == whole.search.find(whole.kid, "nothing of that")


def test_an_artist_has_no_genre_of_unseen_tracks_and_no_word_of_theirs_stands_in_the_way() -> None:
    with library() as whole:
        music = whole.musics[0]
        music.add("Kids/1.flac", metadata("Plain", "Ana", "A", "Ana", genres=("Pop",)))
        music.add_all({f"Other/{n}.flac": metadata(f"Plainest {n} plain{'x' * n}", "Ana", "B", "Ana",
                                                   genres=("Metal",)) for n in range(200)})  # fmt: skip
        music.add("Kids/2.flac", metadata("Plainsong", "Ana", "A", "Ana"))
        whole.folders.set(whole.kid.user_id, [(music.root.id, "Kids")])
        assert whole.artists.list(whole.owner, filters=Filters(genre="Metal")).total == 1
        assert whole.artists.list(whole.kid, filters=Filters(genre="Metal")).total == 0
        assert {one.title for one in whole.search.find(whole.kid, "plain").tracks} == {"Plain", "Plainsong"}
        assert {one.title for one in whole.search.find(whole.kid, "lains").tracks} == {"Plainsong"}
        assert whole.tracks.list(whole.kid, filters=Filters(q="plain")).total == 2


def test_a_cover_is_of_a_picture_that_lies_with_what_is_seen() -> None:
    with library() as whole:
        music = whole.musics[0]
        music.add_all({"Kids/1.flac": metadata(number=1), "Other/2.flac": metadata(number=2)},
                      pictures=[Picture("Other", "Other/cover.jpg", 9, 9)])  # fmt: skip
        album, track = whole.albums.list(whole.owner).items[0].id, music.uid("Kids/1.flac")
        whole.folders.set(whole.kid.user_id, [(music.root.id, "Kids")])
        assert whole.albums.artwork_of(album) is not None
        assert [whole.albums.artwork_of(uid, person=whole.kid) for uid in (album, track)] == [None, None]
        assert whole.albums.get(whole.kid, album).cover is None
        whole.folders.set(whole.kid.user_id, [(music.root.id, "Other")])
        assert whole.albums.artwork_of(album, person=whole.kid) == whole.albums.artwork_of(album)


def test_two_limited_people_and_one_who_is_not_do_not_get_each_others_totals() -> None:
    with library() as whole:
        music = whole.musics[0]
        music.album("A", "A", "Ana", 3), music.album("B", "B", "Ben", 2)
        others = [replace(whole.person(f"kid{n}"), limited=True) for n in range(sights.MOST + 2)]
        for number, person in enumerate(others):    # more than have a connection kept
            whole.folders.set(person.user_id, [(music.root.id, "AB"[number % 2])])
        for _ in range(2):
            for number, person in enumerate(others):
                assert whole.tracks.list(person).total == (3, 2)[number % 2]
                assert whole.genres.list(person).total == 0
            assert whole.tracks.list(whole.owner).total == 5
        page = whole.tracks.list(others[0], limit=1)
        assert page.next_cursor is not None
        try:
            whole.tracks.list(others[1], limit=1, cursor=page.next_cursor)
        except BadInput:
            return
        raise AssertionError("one's place in a list counts for nobody else")


def test_what_ten_people_see_is_made_once_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    first = sights._Making.make

    def make(self: Any) -> Any:
        made.append(self)
        return first(self)

    with library() as whole:
        music = whole.musics[0]
        music.album("A", "A", "Ana", 3)
        others = [replace(whole.person(f"kid{n}"), limited=True) for n in range(10)]
        for person in others:
            whole.folders.set(person.user_id, [(music.root.id, "A")])
        monkeypatch.setattr(sights._Making, "make", make)
        for person in others * 3:
            assert whole.tracks.list(person).total == 3
    assert len(made) == 10


def test_a_limited_person_can_change_nothing_on_the_connection_they_are_answered_from() -> None:
    with library() as whole:
        music = whole.musics[0]
        music.album("A", "A", "Ana", 3)
        whole.folders.set(whole.kid.user_id, [(music.root.id, "")])
        for _ in range(2):
            with whole.database.read(whole.kid) as conn:
                for statement in ("UPDATE users SET role = 'owner'", "DELETE FROM temp.seen"):
                    try:
                        driver_cursor(conn).execute(statement)
                    except sqlite3.OperationalError as error:
                        assert "readonly" in str(error)
                    else:
                        raise AssertionError(statement)


def test_where_a_download_went_is_not_told_to_who_does_not_see_it() -> None:
    with library() as whole:
        music = whole.musics[0]
        seen, unseen = music.add("Kids/1.flac"), music.add("Other/1.flac", metadata("Secret"))
        downloads = Downloads(database=whole.database)
        ids = {}
        for uid in (seen, unseen):
            ids[uid], _ = downloads.submit(whole.kid.user_id, Request(query=uid))
            for status in (Status.PENDING, Status.QUEUED, Status.DOWNLOADING, Status.PROCESSING):
                downloads.move(ids[uid], (status, None))
            downloads.move(ids[uid], (Status.COMPLETED, "Already there."), track_uid=uid, duplicate_of=uid,
                           note="Already there.")  # fmt: skip
        whole.folders.set(whole.kid.user_id, [(music.root.id, "Kids")])
        limited, free = whole.kid, replace(whole.kid, limited=False)
        assert downloads.shown(free, ids[unseen]).duplicate_of == unseen
        assert downloads.shown(limited, ids[seen]).duplicate_of == seen
        told = downloads.whole(limited, ids[unseen])
        assert (told.track_id, told.duplicate_of, told.note) == (None, None, UNSEEN)
        assert told.history[-1].reason == UNSEEN
        lists = [downloads.page(limited).items, downloads.recent(limited, since=0), downloads.report(limited)]
        assert [[one.track_id for one in them if one.id == ids[unseen]] for them in lists] == [[None]] * 3
        assert [[one.track_id for one in them if one.id == ids[seen]] for them in lists] == [[seen]] * 3
