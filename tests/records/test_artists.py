from __future__ import annotations

import pytest

from shared.model.errors import NotFound
from shared.model.person import Person
from shared.model.track import Credit, Filters
from shared.records.artists import SORTS, Artists
from shared.records.listening import Listening
from tests.records.songs import Music, metadata


@pytest.fixture
def band(music: Music) -> Music:
    music.album("a", "Gold", "The Abba", 2, genres=("Pop",), year=1992)
    music.album("b", "Arrival", "The Abba", 2, genres=("Pop",), year=1976)
    music.album("c", "Debut", "Björk", 1, genres=("Art",))
    music.add(
        "d/1.flac",
        metadata(
            "Duet",
            "Björk & Cher",
            "Believe",
            "Cher",
            credits=(Credit("Björk"), Credit("Cher"), Credit("Cher", "albumartist"), Credit("Max", "composer")),
        ),
    )
    return music


@pytest.mark.parametrize("sort", [*SORTS, *(f"-{name}" for name in SORTS)])
def test_every_sort_shows_every_artist_once(band: Music, owner: Person, sort: str) -> None:
    artists = Artists(database=band.database)
    Listening(database=band.database).play(owner, band.uid("d/1.flac"))
    seen: list[str] = []
    cursor = None
    while True:
        page = artists.list(owner, sort=sort, limit=1, cursor=cursor)
        seen += [artist.name for artist in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sorted(seen) == ["Björk", "Cher", "The Abba"]


def test_artists_are_counted_sorted_and_filtered(band: Music, owner: Person) -> None:
    artists = Artists(database=band.database)
    assert [(one.name, one.album_count, one.track_count) for one in artists.list(owner).items] == [
        ("The Abba", 2, 4),
        ("Björk", 1, 2),
        ("Cher", 1, 1),
    ]
    bjork = artists.list(owner).items[1]
    Listening(database=band.database).favourite_artist(owner, bjork.id, True)
    for filters, names in [
        (Filters(genre="pop"), ["The Abba"]),
        (Filters(favourite=True), ["Björk"]),
        (Filters(q="bjo"), ["Björk"]),
        (Filters(role="album"), ["The Abba", "Björk", "Cher"]),
    ]:
        assert [one.name for one in artists.list(owner, filters=filters).items] == names, filters


def test_an_artist_only_on_others_albums_is_no_album_artist(music: Music, owner: Person) -> None:
    music.add("d/1.flac", metadata("Duet", "Guest", "Believe", "Cher"))
    artists = Artists(database=music.database)
    assert [one.name for one in artists.list(owner, filters=Filters(role="album")).items] == ["Cher"]
    assert artists.list(owner).total == 2


def test_one_artist_has_the_own_albums_first_then_those_of_others(band: Music, owner: Person) -> None:
    artists = Artists(database=band.database)
    by_name = {one.name: one.id for one in artists.list(owner).items}
    assert [album.title for album in artists.get(owner, by_name["The Abba"]).albums] == ["Gold", "Arrival"]
    assert [album.title for album in artists.get(owner, by_name["Björk"]).albums] == ["Debut", "Believe"]
    with pytest.raises(NotFound):
        artists.get(owner, "nothing")


def test_who_only_composed_is_credited_but_not_listed(band: Music, owner: Person) -> None:
    max_id = str(band.one("SELECT uid FROM artists WHERE name = 'Max'"))
    assert max_id not in {one.id for one in Artists(database=band.database).list(owner).items}
