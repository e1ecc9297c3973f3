"""What goes with what: rare genres, the same people at work, years, and what is heard and kept together."""

from __future__ import annotations

import pytest

from shared.database import Database
from shared.model.errors import NotFound
from shared.model.person import Person
from shared.model.track import Credit
from shared.records.likeness import Likeness, Seed
from shared.records.listening import Listening
from shared.records.playlists import Playlists
from shared.records.visible import Folders
from tests.records.songs import Music, metadata


def song(title: str, artist: str, *genres: str, year: int | None = 2000, credits: tuple[Credit, ...] | None = None
         ) -> tuple[str, object]:
    its = credits if credits is not None else (Credit(artist),)
    return f"{artist}/{title}.flac", metadata(title, artist, f"{artist}'s", artist, genres=genres, year=year,
                                              credits=(*its, Credit(artist, "albumartist")))


def put(music: Music, *songs: tuple[str, object]) -> dict[str, str]:
    """{title: public id}"""
    music.add_all(dict(songs))      # type: ignore[arg-type]
    return {path.split("/")[-1].removesuffix(".flac"): music.uid(path) for path, _ in songs}


@pytest.fixture
def likeness(database: Database) -> Likeness:
    return Likeness(database=database)


def titles(music: Music, uids: list[str]) -> list[str]:
    return [music.one("SELECT title FROM tracks WHERE uid = ?", uid) for uid in uids]


def test_a_rare_genre_weighs_more_than_a_common_one(music: Music, likeness: Likeness, owner: Person) -> None:
    its = put(
        music, song("seed", "A", "Rock", "Gamelan"), song("rare", "B", "Gamelan"), song("common", "C", "Rock"),
        song("neither", "D", "Jazz"), *(song(f"rock {n}", f"R{n}", "Rock") for n in range(12)),
    )
    seed = likeness.seed(owner, its["seed"])
    found = titles(music, likeness.similar(owner, seed, 20))
    assert found[0] == "rare" and "common" in found and "neither" not in found and "seed" not in found


def test_the_same_question_has_the_same_answer(music: Music, likeness: Likeness, owner: Person) -> None:
    its = put(music, *(song(f"s{n}", f"A{n}", "Folk") for n in range(30)))
    seed = likeness.seed(owner, its["s0"])
    first = likeness.similar(owner, seed, 10)
    assert len(set(first)) == 10
    assert all(likeness.similar(owner, seed, 10) == first for _ in range(3))
    other = likeness.similar(owner, likeness.seed(owner, its["s1"]), 10)
    assert other != first, "what is equally alike is always the same few"


def test_years_decide_between_equals(music: Music, likeness: Likeness, owner: Person) -> None:
    its = put(music, song("seed", "A", "Soul", year=1971), song("near", "B", "Soul", year=1972),
              song("far", "C", "Soul", year=2015), song("unknown", "D", "Soul", year=None))
    assert titles(music, likeness.similar(owner, likeness.seed(owner, its["seed"]), 3))[0] == "near"


def test_who_wrote_it_goes_with_what_else_they_wrote(music: Music, likeness: Likeness, owner: Person) -> None:
    by = (Credit("Poet", "composer"),)
    its = put(music, song("seed", "A", credits=(Credit("A"), *by)), song("cover", "B", credits=(Credit("B"), *by)),
              song("other", "C"))
    assert titles(music, likeness.similar(owner, likeness.seed(owner, its["seed"]), 5)) == ["cover"]


def test_no_artist_stands_in_a_row(music: Music, likeness: Likeness, owner: Person) -> None:
    put(music, *(song(f"own {n}", "A", "Folk") for n in range(8)),
        *(song(f"else {n}", f"B{n}", "Folk") for n in range(8)))
    seed = likeness.seed(owner, music.one("SELECT uid FROM artists WHERE name = 'A'"))
    found = titles(music, likeness.similar(owner, seed, 10))
    own = [one.startswith("own") for one in found]
    assert own[0] and 2 <= sum(own) <= 6


def heard(listening: Listening, person: Person, uids: list[str], at: float) -> None:
    for number, uid in enumerate(uids):
        listening.play(person, uid, played_at=at + 240 * number)


def test_what_is_played_together_goes_together(
        music: Music, database: Database, likeness: Likeness, owner: Person, guest: Person) -> None:
    its = put(music, song("seed", "A"), song("with", "B"), song("later", "C"), song("hit", "D"), song("never", "E"))
    listening = Listening(database=database)
    for day in range(3):
        heard(listening, guest, [its["seed"], its["with"]], 1_700_000_000 + day * 86_400)
        heard(listening, guest, [its["later"]], 1_700_040_000 + day * 86_400)
    heard(listening, guest, [its["seed"], its["hit"]], 1_701_000_000)
    for day in range(40):       # everybody plays it, with everything
        heard(listening, owner, [its["hit"]], 1_702_000_000 + day * 86_400)
    found = titles(music, likeness.similar(owner, likeness.seed(owner, its["seed"]), 5))
    assert found == ["with", "hit"]


def test_favourites_and_playlists_go_together_but_no_strangers_private_one(
        music: Music, database: Database, likeness: Likeness, owner: Person, guest: Person) -> None:
    its = put(music, *(song(title, title) for title in ("seed", "loved", "listed", "secret")))
    listening, playlists = Listening(database=database), Playlists(database=database)
    for title in ("seed", "loved"):
        listening.favourite(guest, its[title], True)
    playlists.make(guest, "open", [its["seed"], its["listed"]], "shared")
    playlists.make(guest, "mine", [its["seed"], its["secret"]])
    seed = likeness.seed(owner, its["seed"])
    assert set(titles(music, likeness.similar(owner, seed, 5))) == {"loved", "listed"}
    assert "secret" in titles(music, likeness.similar(guest, seed, 5))


def test_limited_people_get_only_what_they_see(music: Music, database: Database, likeness: Likeness, guest: Person
                                               ) -> None:
    its = put(music, *(song(f"s{n}", artist, "Folk") for artist in ("Kids", "Adults") for n in range(3)
                       if (artist, n) != ("Adults", 0)), song("s9", "Adults", "Folk"))
    limited = Person(user_id=guest.user_id, id=guest.id, username="gast", role="guest", limited=True)
    Folders(database=database).set(guest.user_id, [(music.root.id, "Kids")])
    own = music.uid("Kids/s0.flac")
    found = likeness.similar(limited, likeness.seed(limited, own), 10)
    assert {music.one("SELECT artist FROM tracks WHERE uid = ?", one) for one in found} == {"Kids"}
    assert likeness.similar_artists(limited, likeness.seed(limited, own), 10) == []
    with pytest.raises(NotFound):
        likeness.seed(limited, its["s9"])
    sounding = {music.one("SELECT id FROM tracks WHERE uid = ?", its["s9"]): 1.0}
    assert its["s9"] not in likeness.similar(limited, likeness.seed(limited, own), 10, sounds=sounding)


def test_sounds_are_half_of_what_counts(music: Music, likeness: Likeness, owner: Person) -> None:
    its = put(music, song("seed", "A", "Folk"), song("tagged", "B", "Folk"), song("sounding", "C", "Metal"),
              song("both", "D", "Folk"), song("nothing", "E", "Jazz"))
    ids = {title: music.one("SELECT id FROM tracks WHERE uid = ?", uid) for title, uid in its.items()}
    found = titles(music, likeness.similar(owner, likeness.seed(owner, its["seed"]), 5, sounds={
        ids["sounding"]: 0.9, ids["both"]: 0.8, ids["seed"]: 1.0, 999_999: 1.0}))
    assert found[0] == "both" and set(found) == {"both", "sounding", "tagged"}


def test_artists_go_with_artists(music: Music, likeness: Likeness, owner: Person) -> None:
    put(music, *(song(f"a{n}", "A", "Dub", "Rock") for n in range(3)), *(song(f"b{n}", "B", "Dub") for n in range(3)),
        *(song(f"c{n}", "C", "Rock") for n in range(9)), *(song(f"j{n}", "J", "Jazz") for n in range(3)),
        song("duet", "F", "Opera", credits=(Credit("F"), Credit("A"))))
    seed = likeness.seed(owner, music.one("SELECT uid FROM artists WHERE name = 'A'"))
    names = [music.one("SELECT name FROM artists WHERE uid = ?", one)
             for one in likeness.similar_artists(owner, seed, 9)]
    assert names.index("B") < names.index("C") and "A" not in names and "J" not in names and "F" in names
    jazz = dict.fromkeys((row[0] for row in music.rows("SELECT id FROM tracks WHERE artist = 'J'")), 1.0)
    sounding = likeness.similar_artists(owner, seed, 9, sounds=jazz)
    assert music.one("SELECT uid FROM artists WHERE name = 'J'") in sounding


def test_the_top_are_what_is_played_most_a_title_once(
        music: Music, database: Database, likeness: Likeness, owner: Person, guest: Person) -> None:
    its = put(music, song("old", "A", year=1990), song("new", "A", year=2010), song("hit", "A", year=2020),
              song("loved", "A", year=2021))
    music.add("Best of/hit.flac", metadata("hit", "A", "Best of", "A", year=2022))
    listening = Listening(database=database)
    heard(listening, guest, [its["hit"]], 1_700_000_000)
    listening.favourite(owner, its["loved"], True)
    artist = music.one("SELECT uid FROM artists WHERE name = 'A'")
    found = likeness.top(owner, artist, 10)
    assert found[0] == its["hit"] and titles(music, found) == ["hit", "loved", "old", "new"]
    assert likeness.top(owner, artist, 1) == [its["hit"]]
    with pytest.raises(NotFound):
        likeness.top(owner, its["hit"], 10)


def test_an_artist_is_found_by_name_however_it_is_written(music: Music, likeness: Likeness, owner: Person) -> None:
    put(music, song("s", "Sigur Rós"))
    uid = music.one("SELECT uid FROM artists WHERE name = 'Sigur Rós'")
    assert likeness.artist_named(owner, "SIGUR RÓS") == uid
    assert likeness.artist_named(owner, "Nobody") is None


def test_an_artist_and_an_album_are_told_of_what_is_theirs(music: Music, likeness: Likeness, owner: Person) -> None:
    its = put(music, song("s", "A"))
    album, artist = music.one("SELECT uid FROM albums"), music.one("SELECT uid FROM artists")
    for uid in (its["s"], album, artist):
        assert (found := likeness.artist_of(owner, uid)) is not None and found.id == artist and found.name == "A"
    for uid in (its["s"], album):
        assert (told := likeness.album_of(owner, uid)) is not None and told.id == album and told.artist == "A"
    with pytest.raises(NotFound):
        likeness.album_of(owner, artist)
    with pytest.raises(NotFound):
        likeness.artist_of(owner, "nothing")


def test_what_is_in_the_trash_goes_with_nothing(music: Music, database: Database, likeness: Likeness, owner: Person
                                                ) -> None:
    its = put(music, song("seed", "A", "Folk"), song("gone", "B", "Folk"), song("there", "C", "Folk"))
    seed: Seed = likeness.seed(owner, its["seed"])
    with database.transaction() as conn:
        conn.exec_driver_sql("UPDATE tracks SET trashed_at = 1 WHERE uid = ?", (its["gone"],))
    assert likeness.similar(owner, seed, 5) == [its["there"]]
    with pytest.raises(NotFound):
        likeness.seed(owner, its["gone"])
