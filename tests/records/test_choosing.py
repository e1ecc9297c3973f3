"""Lists that apps ask for: everything page by page, albums by year and liking, songs by chance; what limits them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from shared.database import Database
from shared.model.errors import BadInput, NotFound
from shared.model.person import Person
from shared.records.choosing import ALBUM_LISTS, Choosing, Which
from shared.records.entries import Entries
from shared.records.listening import Listening
from shared.records.people import People
from shared.records.visible import Folders
from tests.records.songs import Music, metadata

KINDS = ("track", "album", "artist")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Shelves:
    """40 albums of two songs in two music folders, with years, genres and a person who sees one folder's `Kids`."""

    def __init__(self, folder: Path) -> None:
        self.database = Database(folder / "library.db")
        self.database.prepare()
        self.music, self.more = Music(self.database, "/srv/Music"), Music(self.database, "/srv/More")
        for number in range(40):
            (self.more if number % 4 == 3 else self.music).album(
                f"{'Kids' if number % 5 == 0 else 'All'}/{number:02}", f"Album {number:02}", f"Artist {number % 7}",
                2, year=(1980 + number * 7 % 40) if number % 6 else None, genres=("Rock",) if number % 3 else ("Jazz",))
        people = People(database=self.database)
        self.olga, self.kim = (
            Person(user_id=row.id, id=row.uid, username=row.username, role=row.role)
            for row in (people.make_user("olga", "hash", "owner"), people.make_user("kim", "hash", "child")))
        with self.database.transaction() as conn:
            conn.execute(text("UPDATE users SET limited = 1 WHERE username = 'kim'"))
        Folders(database=self.database).set(self.kim.user_id, [(self.music.root.id, "Kids")])
        self.kim = replace(self.kim, limited=True)
        self.clock = Clock()
        self.choosing = Choosing(database=self.database, now=self.clock)
        self.entries = Entries(database=self.database)

    def years(self, person: Person, keys: list[int]) -> list[int | None]:
        return [row[5] for row in self.entries.albums(person, keys).rows]


@pytest.fixture(scope="module")
def shelves() -> Iterator[Shelves]:
    with TemporaryDirectory() as folder:
        made = Shelves(Path(folder))
        yield made
        made.database.close()


@pytest.fixture(scope="module", params=("olga", "kim"))
def person(request: pytest.FixtureRequest, shelves: Shelves) -> Person:
    found: Person = getattr(shelves, request.param)
    return found


@settings(max_examples=60, deadline=None)
@given(kind=st.sampled_from(KINDS), steps=st.lists(st.integers(1, 17), min_size=1, max_size=6),
       reader=st.sampled_from(("", "one", "two")), rooted=st.booleans())
def test_reading_everything_page_by_page_gives_each_thing_once(
    shelves: Shelves, person: Person, kind: str, steps: list[int], reader: str, rooted: bool
) -> None:
    roots = (shelves.music.root.id,) if rooted else ()
    whole = shelves.choosing.every(person, kind, limit=1000, offset=0, roots=roots)
    assert whole and len(set(whole)) == len(whole)
    read: list[int] = []
    for number in range(1000):
        page = shelves.choosing.every(person, kind, limit=steps[number % len(steps)], offset=len(read), roots=roots,
                                      reader=reader)
        if not page:
            break
        read += page
    assert read == whole


@settings(max_examples=60, deadline=None)
@given(offset=st.integers(0, 100), limit=st.integers(0, 100), kind=st.sampled_from(KINDS))
def test_a_page_alone_is_that_piece_of_the_whole(
    shelves: Shelves, person: Person, offset: int, limit: int, kind: str
) -> None:
    fresh = Choosing(database=shelves.database, every=7)    # so that there are marks
    whole = fresh.every(person, kind, limit=1000, offset=0, reader="whole")
    assert fresh.every(person, kind, limit=limit, offset=offset) == whole[offset:offset + limit]


def test_what_goes_between_two_pages_takes_nothing_else_along(database: Database, music: Music, owner: Person) -> None:
    uids = music.album("A", "A", "Ann", 9)
    choosing = Choosing(database=database, now=(clock := Clock()))
    first = choosing.every(owner, "track", limit=3, offset=0, reader="app")
    with database.transaction() as conn:
        conn.execute(text("UPDATE tracks SET trashed_at = 1 WHERE uid = :uid"), {"uid": uids[0]})
        conn.execute(text("UPDATE state SET value = value + 1 WHERE name IN ('revision', 'library_revision')"))
    second = choosing.every(owner, "track", limit=3, offset=3, reader="app")
    third = choosing.every(owner, "track", limit=30, offset=6, reader="app")
    assert len({*first, *second, *third}) == 9
    # Another program has no place here, and so gets what lies at that offset now; so has this one after a while.
    shifted = choosing.every(owner, "track", limit=3, offset=3, reader="other")
    assert shifted[:2] == second[1:]
    clock.now += 3600
    assert choosing.every(owner, "track", limit=3, offset=3, reader="app") == shifted


@settings(max_examples=40, deadline=None)
@given(first=st.integers(1975, 2025), last=st.integers(1975, 2025))
def test_years_in_either_order_are_the_same_albums_the_other_way_round(
    shelves: Shelves, person: Person, first: int, last: int
) -> None:
    def asked(one: int, other: int) -> list[int]:
        return shelves.choosing.albums(person, "byYear", limit=500, offset=0, which=Which(from_year=one, to_year=other))

    forth, back = asked(first, last), asked(last, first)
    assert forth == back[::-1] or first == last
    low, high = min(first, last), max(first, last)
    every = shelves.choosing.albums(person, "alphabeticalByName", limit=500, offset=0)
    assert set(forth) == {key for key, year in zip(every, shelves.years(person, every), strict=True)
                          if year is not None and low <= year <= high}
    assert shelves.years(person, forth) == sorted(shelves.years(person, forth), reverse=first > last)


def test_a_limited_person_s_lists_are_everybody_s_without_what_they_do_not_see(shelves: Shelves) -> None:
    seen = {kind: set(shelves.choosing.every(shelves.kim, kind, limit=1000, offset=0)) for kind in KINDS}
    assert (len(seen["track"]), len(seen["album"])) == (12, 6)     # of 0 5 … 35 those not in the other music folder
    for kind in ("newest", "alphabeticalByName", "byYear", "byGenre"):
        which = Which(from_year=1900, to_year=2100, genre="rock")
        theirs = shelves.choosing.albums(shelves.kim, kind, limit=500, offset=0, which=which)
        everybody_s = shelves.choosing.albums(shelves.olga, kind, limit=500, offset=0, which=which)
        assert theirs == [key for key in everybody_s if key in seen["album"]]
    assert set(shelves.choosing.random_songs(shelves.kim, 500)) == seen["track"]
    assert {one.key for one in shelves.choosing.artists(shelves.kim)} <= seen["artist"]
    assert shelves.entries.tracks(shelves.kim, shelves.choosing.every(shelves.olga, "track", limit=500, offset=0)
                                  ).rows == shelves.entries.tracks(shelves.kim, sorted(seen["track"])).rows
    assert [one.name for one in shelves.choosing.folders(shelves.kim)] == ["Music"]
    with pytest.raises(NotFound):
        shelves.choosing.roots(shelves.kim, [str(shelves.more.root.id)])


def test_every_list_keeps_to_its_music_folder(shelves: Shelves) -> None:
    person, roots = shelves.olga, (shelves.more.root.id,)
    assert shelves.choosing.roots(person, [str(shelves.more.root.id)]) == roots
    assert shelves.choosing.roots(person, [str(shelves.more.root.id), str(shelves.music.root.id)]) == ()
    for album in shelves.choosing.every(person, "album", limit=500, offset=0):
        Listening(database=shelves.database).favourite_album(
            person, shelves.entries.albums(person, [album]).rows[0][1], True)
    inside = set(shelves.choosing.every(person, "album", limit=500, offset=0, roots=roots))
    assert len(inside) == 10
    for kind in ("random", "newest", "alphabeticalByName", "alphabeticalByArtist", "starred"):
        assert set(shelves.choosing.albums(person, kind, limit=500, offset=0, which=Which(roots=roots))) == inside
    songs = set(shelves.choosing.every(person, "track", limit=500, offset=0, roots=roots))
    assert set(shelves.choosing.random_songs(person, 500, Which(roots=roots))) == songs and len(songs) == 20
    assert set(shelves.choosing.starred(person, "album", roots)) == inside
    everything = shelves.choosing.every(person, "track", limit=500, offset=0)
    assert set(shelves.choosing.in_roots(person, "track", everything, roots)) == songs
    rock = shelves.choosing.songs_in_genre(person, "ROCK", limit=500, offset=0, roots=roots)
    assert rock and set(rock) < songs


@settings(max_examples=30, deadline=None)
@given(size=st.integers(0, 100), genre=st.sampled_from((None, "Rock", "Jazz", "None such")),
       first=st.none() | st.integers(1980, 2020), last=st.none() | st.integers(1980, 2020))
def test_random_songs_fit_what_was_asked_and_come_once(
    shelves: Shelves, size: int, genre: str | None, first: int | None, last: int | None
) -> None:
    person, which = shelves.olga, Which(genre=genre, from_year=first, to_year=last)
    found = shelves.choosing.random_songs(person, size, which)
    rows = shelves.entries.tracks(person, shelves.choosing.every(person, "track", limit=500, offset=0))
    low, high = first if first is not None else 1, last if last is not None else 9999
    low, high = (low, high) if first is None or last is None else (min(low, high), max(low, high))
    fits = {row[0] for row in rows.rows if (genre is None or genre in rows.genres[row[0]])
            and (first is last is None or (row[7] is not None and low <= row[7] <= high))}
    assert len(found) == len(set(found)) == min(size, len(fits))
    assert set(found) <= fits


def test_lists_by_what_a_person_did_are_theirs_alone(database: Database, music: Music, owner: Person, guest: Person
                                                     ) -> None:
    uids = [music.album(name, name, "Ann", 1)[0] for name in "ABC"]
    listening, choosing, entries = Listening(database=database), Choosing(database=database), Entries(database=database)
    for times, uid in enumerate(uids):
        for number in range(times):
            listening.play(owner, uid, played_at=1000.0 * number + 10 * times)
    titles = [row[2] for row in entries.albums(owner, choosing.albums(owner, "frequent", limit=9, offset=0)).rows]
    assert titles == ["C", "B"]
    titles = [row[2] for row in entries.albums(owner, choosing.albums(owner, "recent", limit=9, offset=0)).rows]
    assert titles == ["C", "B"]
    listening.favourite(owner, uids[0], True)
    assert [row[2] for row in entries.tracks(owner, choosing.starred(owner, "track")).rows] == ["A song 1"]
    for kind in ("frequent", "recent", "highest", "starred"):
        assert choosing.albums(guest, kind, limit=9, offset=0) == []
    assert choosing.starred(guest, "track") == []


def test_a_list_that_is_none_is_told_so(shelves: Shelves) -> None:
    assert "byGenre" in ALBUM_LISTS
    with pytest.raises(BadInput):
        shelves.choosing.albums(shelves.olga, "loudest", limit=1, offset=0)


def test_artists_without_an_album_are_listed_only_for_tracks_that_have_none(
    database: Database, music: Music, owner: Person
) -> None:
    music.add("a.flac", metadata("One", "Guest Singer", "Whole", "Ann"))
    music.add("b.flac", metadata("Two", "Loner", None, None))
    choosing, entries = Choosing(database=database), Entries(database=database)
    names = [row[2] for row in entries.artists(owner, [one.key for one in choosing.artists(owner)]).rows]
    assert names == ["Ann", "Loner"]
    loner = entries.keys(owner, "artist", [choosing.artists(owner)[1].uid])
    assert [row[2] for row in entries.tracks(owner, choosing.loose_of(owner, *loner.values())).rows] == ["Two"]
    singer = database_key(database, "Guest Singer")
    assert len(choosing.albums_of(owner, singer)) == 1      # they play on it


def database_key(database: Database, name: str) -> int:
    with database.read() as conn:
        return int(conn.execute(text("SELECT id FROM artists WHERE name = :name"), {"name": name}).scalar_one())


def test_the_library_is_modified_when_it_changes_and_not_by_listening(database: Database, music: Music, owner: Person
                                                                      ) -> None:
    (uid,) = music.album("A", "A", "Ann", 1)
    choosing = Choosing(database=database)
    before = choosing.modified_ms()
    Listening(database=database).favourite(owner, uid, True)
    assert choosing.modified_ms() == before
    music.album("B", "B", "Ann", 1)
    assert choosing.modified_ms() > before
