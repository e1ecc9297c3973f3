from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.database import Database
from shared.model.person import Person
from shared.records import folding
from shared.records.listening import Listening
from shared.records.search import Search
from tests.patience import often
from tests.records.songs import Music, metadata

SONGS = [
    ("Heroes", "David Bowie", "Heroes"),
    ("Life on Mars?", "David Bowie", "Hunky Dory"),
    ("Thunderstruck", "AC/DC", "The Razors Edge"),
    ("So What", "P!nk", "Funhouse"),
    ("Losing My Religion", "R.E.M.", "Out of Time"),
    ("Myth Takes", "!!!", "Myth Takes"),
    ("Hyperballad", "Björk", "Post"),
    ("Svefn-g-englar", "Sigur Rós", "Ágætis byrjun"),
    ("Enter Sandman", "Metallica", "Metallica"),
    ("群青日和", "東京事変", "教育"),
    ("ガラス", "山田", "日和"),
    ("Straße nach Süden", "Ärzte", "Über"),
    ("Ночь", "Кино", "Ночь"),
    ("Nothing Else Matters", "Metallica", "Metallica"),
    ("Concerto", "Tchaikovsky", "Works"),
    ("좋은 날", "아이유", "Real"),
    ("Love", "Someone", "One"),
    ("Love Story", "Someone Else", "Two"),
    ("Lovely Day", "Bill", "Three"),
    ("My Love", "Paul", "Four"),
    ("Glove", "Cut", "Five"),
    ("Don't Stop Me Now", "Queen", "Jazz"),
    ("Tik Tok", "Ke$ha", "Animal"),
    ("Shape", "Ed", "÷"),
]


@pytest.fixture
def found(music: Music, owner: Person) -> Any:
    music.add_all(
        {f"{i:02}.flac": metadata(title, artist, album, artist, 1) for i, (title, artist, album) in enumerate(SONGS)}
    )
    search = Search(database=music.database)

    def find(q: str, kind: str = "tracks") -> list[str]:
        result = search.find(owner, q)
        return [one.name if kind == "artists" else one.title for one in getattr(result, kind)]

    return find


@pytest.mark.parametrize(
    ("q", "title"),
    [
        ("heroes", "Heroes"),
        ("HEROES", "Heroes"),
        ("her", "Heroes"),
        ("he", "Heroes"),
        ("bowie heroes", "Heroes"),
        ("heroes bowie", "Heroes"),
        ("bow her", "Heroes"),
        ("mars hunky", "Life on Mars?"),
        ("life on mars", "Life on Mars?"),
        ("acdc", "Thunderstruck"),
        ("ac/dc", "Thunderstruck"),
        ("ac dc thunder", "Thunderstruck"),
        ("pink", "So What"),
        ("p!nk", "So What"),
        ("pnk so", "So What"),
        ("rem", "Losing My Religion"),
        ("r.e.m.", "Losing My Religion"),
        ("!!!", "Myth Takes"),
        ("bjork", "Hyperballad"),
        ("björk", "Hyperballad"),
        ("agaetis", "Svefn-g-englar"),
        ("sigur ros", "Svefn-g-englar"),
        ("svefngenglar", "Svefn-g-englar"),
        ("群青", "群青日和"),
        ("日和", "群青日和"),
        ("東京事変", "群青日和"),
        ("青日", "群青日和"),
        ("京", "群青日和"),
        ("和", "群青日和"),
        ("ガラス", "ガラス"),
        ("strasse suden", "Straße nach Süden"),
        ("sueden", "Straße nach Süden"),
        ("ночь", "Ночь"),
        ("кин", "Ночь"),
        ("좋은", "좋은 날"),
        ("아이", "좋은 날"),
        ("dont stop", "Don't Stop Me Now"),
        ("don’t stop", "Don't Stop Me Now"),
        ("kesha", "Tik Tok"),
        ("÷", "Shape"),
        ("ballad", "Hyperballad"),
        ("struck", "Thunderstruck"),
        ("erball", "Hyperballad"),
        ("andma", "Enter Sandman"),
        ("metalica", "Enter Sandman"),
        ("metalika", "Enter Sandman"),
        ("hereos", "Heroes"),
        ("bowei", "Heroes"),
        ("thunderstuck", "Thunderstruck"),
        ("tchaikovski", "Concerto"),
        ("chaikovsky", "Concerto"),
        ("hyperbalad", "Hyperballad"),
        ("davd bowie heros", "Heroes"),
        ("metalli matters", "Nothing Else Matters"),
        ("bowie h", "Heroes"),
        ("h bowie", "Heroes"),
        ("nothin els", "Nothing Else Matters"),
    ],
)
def test_a_track_is_found_however_it_is_typed(found: Any, q: str, title: str) -> None:
    assert title in found(q)


def test_the_exact_name_comes_first_then_beginnings_then_words_then_parts(found: Any) -> None:
    assert found("love") == ["Love", "Love Story", "Lovely Day", "My Love", "Glove"]


def test_albums_and_artists_are_found_as_groups_of_their_own(found: Any) -> None:
    assert found("metallica", "albums") == ["Metallica"]
    assert found("metallica", "artists") == ["Metallica"]
    assert found("bowie", "artists") == ["David Bowie"]
    assert set(found("bowie", "albums")) == {"Heroes", "Hunky Dory"}
    assert found("out of time", "albums") == ["Out of Time"]


def test_what_a_person_hears_and_likes_comes_first_for_that_person(music: Music, owner: Person, guest: Person) -> None:
    music.add_all({f"{i}.flac": metadata("Yesterday", f"Band {i}", f"Album {i}", f"Band {i}") for i in range(9)})
    listening, search = Listening(database=music.database), Search(database=music.database)
    for _ in range(3):
        listening.play(owner, music.uid("7.flac"))
    listening.favourite(owner, music.uid("4.flac"), True)
    first = [track.id for track in search.find(owner, "yesterday").tracks][:2]
    assert set(first) == {music.uid("7.flac"), music.uid("4.flac")}
    assert next(track.id for track in search.find(guest, "yesterday").tracks) == music.uid("0.flac")


def test_a_favourite_among_more_matches_than_are_looked_at_comes_first(
    music: Music, owner: Person, guest: Person
) -> None:
    music.add_all(
        {f"{i}.flac": metadata(f"Yes {i:03}", f"Band {i}", "Everything", "Various Artists") for i in range(300)}
    )
    listening, search = Listening(database=music.database), Search(database=music.database)
    listening.play(owner, music.uid("290.flac"))
    listening.favourite(owner, music.uid("295.flac"), True)
    first = [track.id for track in search.find(owner, "ye").tracks][:2]
    assert first == [music.uid("295.flac"), music.uid("290.flac")]
    assert music.uid("290.flac") not in [track.id for track in search.find(guest, "ye").tracks]


def test_a_retagged_track_is_found_by_its_new_name_only(music: Music, owner: Person) -> None:
    music.add("a/1.flac", metadata("Wrong Name", "Somebody", "Record", "Somebody"))
    music.retag({"a/1.flac": metadata("Right Title", "Somebody", "Record", "Somebody")})
    search = Search(database=music.database)
    assert len(search.find(owner, "right title").tracks) == 1
    assert search.find(owner, "wrong name").tracks == []


@pytest.mark.parametrize(
    "q",
    [
        "",
        " ",
        "\x00",
        '"',
        "'",
        "*",
        "a*",
        '"a" OR "b"',
        "NEAR(a b)",
        "title:heroes",
        "-heroes",
        "^heroes",
        "(",
        ")",
        "AND",
        "NOT",
        "a AND",
        "heroes OR",
        "{title}: x",
        "%",
        "_",
        "\\",
        "; DROP TABLE tracks",
        "\ud800",
        "a" * 10_000,
        "a " * 5_000,
        "é" * 10_000,
        "東" * 3_000,
        "\U0010ffff",
        "\ue000\ue001",
        "𝔥𝔢𝔯𝔬𝔢𝔰",
    ],
)
def test_no_question_is_an_error(found: Any, q: str) -> None:
    found(q)


def test_operators_are_plain_words(found: Any) -> None:
    assert found("-heroes")[0] == "Heroes"
    assert found("title:heroes") == []
    assert found('"heroes" OR "love"') == []
    assert found("𝔥𝔢𝔯𝔬𝔢𝔰") == ["Heroes"]


def test_the_limit_holds_for_each_group(music: Music, owner: Person) -> None:
    music.add_all({f"{i}.flac": metadata(f"Same {i}", f"Same {i}", f"Same {i}", f"Same {i}") for i in range(30)})
    result = Search(database=music.database).find(owner, "same", limit=7)
    assert (len(result.tracks), len(result.albums), len(result.artists)) == (7, 7, 7)


@settings(max_examples=often(30), deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_a_question(q: str) -> None:
    _library().find(_PERSON, q)


_PERSON = Person(user_id=1, id="x", username="x", role="owner")
_kept: list[Search] = []


def _library() -> Search:
    if not _kept:
        import atexit
        import tempfile
        from pathlib import Path

        folder = tempfile.TemporaryDirectory()
        atexit.register(folder.cleanup)
        database = Database(Path(folder.name) / "library.db")
        database.prepare()
        Music(database).add_all(
            {
                f"{i:02}.flac": metadata(title, artist, album, artist, 1)
                for i, (title, artist, album) in enumerate(SONGS)
            }
        )
        _kept.append(Search(database=database))
    return _kept[0]


TITLES = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=30).filter(str.strip),
    min_size=1,
    max_size=6,
    unique=True,
)


@settings(max_examples=often(20), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TITLES, st.data())
def test_a_track_is_found_by_every_beginning_of_its_words(
    tmp_path_factory: pytest.TempPathFactory, titles: list[str], data: st.DataObject
) -> None:
    database = Database(tmp_path_factory.mktemp("any") / "library.db")
    database.prepare()
    try:
        music = Music(database)
        music.add_all({f"{i}.flac": metadata(title, "Q", None, None, i) for i, title in enumerate(titles)})
        search = Search(database=database)
        title = data.draw(st.sampled_from(titles))
        for word in folding.fold(title).split():
            for end in range(min(2, len(word)), len(word) + 1):
                assert title in [track.title for track in search.find(_PERSON, word[:end], limit=100).tracks], word[
                    :end
                ]
        assert title in [track.title for track in search.find(_PERSON, title, limit=100).tracks]
    finally:
        database.close()
