from __future__ import annotations

import pytest

from shared.model.errors import BadInput, NotFound
from shared.model.person import Person
from shared.model.scan import Picture
from shared.model.track import Filters
from shared.records.albums import SORTS, Albums
from shared.records.artists import Artists
from shared.records.listening import Listening
from tests.records.songs import TIME, Music


@pytest.fixture
def shelf(music: Music) -> Music:
    for i, (title, artist, year) in enumerate(
        [
            ("Zebra", "Abba", 1990),
            ("Apple", "Björk", None),
            ("The Moon", "Abba", 1980),
            ("Apple", "Cher", 2000),
            ("Vol. 10", "Dio", 1999),
            ("Vol. 2", "Dio", 1998),
        ]
    ):
        music.album(f"{i}", title, artist, 2, year=year, genres=("Pop",) if i % 2 else ("Rock",), compilation=i == 4)
    return music


@pytest.mark.parametrize("sort", [*SORTS, *(f"-{name}" for name in SORTS)])
def test_every_sort_shows_every_album_once(shelf: Music, owner: Person, sort: str) -> None:
    albums = Albums(database=shelf.database)
    Listening(database=shelf.database).play(owner, shelf.uid("3/01.flac"))
    seen: list[str] = []
    cursor = None
    while True:
        page = albums.list(owner, sort=sort, limit=2, cursor=cursor, seed=3)
        seen += [album.id for album in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == page.total == 6
    assert seen == [album.id for album in albums.list(owner, sort=sort, seed=3, offset=0).items]


def test_albums_sort_as_people_expect(shelf: Music, owner: Person) -> None:
    albums = Albums(database=shelf.database)
    Listening(database=shelf.database).play(owner, shelf.uid("3/01.flac"))

    def titles(sort: str) -> list[str]:
        return [f"{album.artist}: {album.title}" for album in albums.list(owner, sort=sort).items]

    assert titles("title") == [
        "Björk: Apple",
        "Cher: Apple",
        "Abba: The Moon",
        "Dio: Vol. 2",
        "Dio: Vol. 10",
        "Abba: Zebra",
    ]
    assert titles("artist")[:2] == ["Abba: The Moon", "Abba: Zebra"]
    assert titles("-year")[0] == "Cher: Apple" and titles("-year")[-1] == "Björk: Apple"
    assert titles("-plays")[0] == titles("-played")[0] == "Cher: Apple"
    assert titles("-added")[0] == "Dio: Vol. 2"


def test_albums_are_filtered(shelf: Music, owner: Person) -> None:
    albums = Albums(database=shelf.database)
    abba = next(one.id for one in Artists(database=shelf.database).list(owner).items if one.name == "Abba")
    apple = albums.list(owner, filters=Filters(q="apple cher")).items[0].id
    Listening(database=shelf.database).favourite_album(owner, apple, True)
    for filters, count in [
        (Filters(artist_id=abba), 2),
        (Filters(genre="POP"), 3),
        (Filters(year=1999), 1),
        (Filters(compilation=True), 1),
        (Filters(compilation=False), 5),
        (Filters(favourite=True), 1),
        (Filters(q="vol"), 2),
        (Filters(q="?"), 0),
        (Filters(genre="Polka"), 0),
    ]:
        page = albums.list(owner, filters=filters)
        assert (len(page.items), page.total) == (count, count), filters


def test_one_album_is_whole(shelf: Music, owner: Person) -> None:
    albums = Albums(database=shelf.database)
    album = albums.list(owner, filters=Filters(q="zebra")).items[0]
    whole = albums.get(owner, album.id)
    assert [track.track_number for track in whole.tracks] == [1, 2]
    assert (whole.title, whole.track_count, [disc.number for disc in whole.discs]) == ("Zebra", 2, [1])
    with pytest.raises(NotFound):
        albums.get(owner, "nothing")


def test_pictures_are_told_for_albums_tracks_and_artists(shelf: Music, owner: Person) -> None:
    albums = Albums(database=shelf.database)
    shelf.scans.apply(shelf.batch(pictures=[Picture("0", "0/cover.png", 9, TIME)]))
    album = albums.list(owner, filters=Filters(q="zebra")).items[0]
    artist = Artists(database=shelf.database).list(owner, filters=Filters(q="abba")).items[0]
    found = {albums.artwork_of(uid) for uid in (album.id, shelf.uid("0/01.flac"), artist.id)}
    assert len(found) == 1
    artwork = found.pop()
    assert artwork is not None and (artwork.root, artwork.path) == ("/music", "0/cover.png")
    assert artist.cover is not None and artist.cover.version == artwork.version
    assert albums.artwork_of(shelf.uid("1/01.flac")) is None
    assert albums.artwork_of("nothing") is None
    revision = albums.list(owner).revision
    albums.set_color(artwork.id, "#a0b0c0")
    albums.set_color(artwork.id, "#a0b0c0")
    page = albums.list(owner, ids=[album.id])
    assert page.revision == revision + 1
    assert page.items[0].cover is not None and page.items[0].cover.color == "#a0b0c0"
    with pytest.raises(BadInput):
        albums.set_color(artwork.id, "red")
