"""Which recording is meant, and which of its releases it belongs to."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.metadata.client import MusicBrainzClient, Pace
from shared.metadata.harmonise import Wish, of_release, wish
from shared.metadata.musicbrainz import DOUBTFUL, SURE, Finder, Match, album_score, best_releases, weigh
from shared.model.download import Wanted
from shared.model.track import Metadata
from shared.settings import Settings
from tests.fakes.musicbrainz import FakeMusicBrainz, Recording, Release

PRESSURE = Recording("Under Pressure", artists=["Queen", "David Bowie"], length_ms=248_000)


def wished(**given: Any) -> Wish:
    return wish(Wanted(**{"source": "deezer", **given}), Metadata())


def recording(title: str = "Hello", artist: str = "Adele", length_ms: int | None = 295_000, **more: Any
              ) -> dict[str, Any]:
    return {"id": "x", "title": title, "length": str(length_ms) if length_ms else None, "artist-credit": [
        {"artist": {"name": artist, "sort-name": artist}}], **more}


# ---- weighing ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("found", "score"), [
    (recording(), "sure"),
    (recording(length_ms=296_500), "sure"),
    (recording(length_ms=None), "sure"),
    (recording("Hello (radio edit)"), "no"),
    (recording("Hello (Joe Mason remix)"), "no"),
    (recording(disambiguation="live, 2015-11-17: Radio City Music Hall"), "no"),
    (recording("Hello Darkness My Old Friend"), "no"),
    (recording(artist="Lionel Richie"), "no"),
    (recording(artist="Adèle"), "sure"),
    (recording(length_ms=320_000), "doubtful"),
    (recording("Hallo"), "sure"),
    (recording(artist="Adele Smith"), "doubtful"),
])
def test_a_recording_is_weighed_by_artist_title_version_and_time(found: dict[str, Any], score: str) -> None:
    match = weigh(wished(title="Hello", artist="Adele"), found, 295_000)
    said = "sure" if match.score >= SURE else "doubtful" if match.score >= DOUBTFUL else "no"
    assert said == score, (match.score, match.parts)


@pytest.mark.parametrize(("asked", "found"), [
    ("Hello - Live at Radio City", recording("Hello", disambiguation="live, 2015: Radio City")),
    ("Hello (Live)", recording("Hello (live)")),
    ("Hello (Remastered 2020)", recording("Hello")),
    ("Hello (feat. Somebody)", recording("Hello")),
    ("Hello (Joe Mason Remix)", recording("Hello (Joe Mason remix)")),
])
def test_a_version_that_is_wanted_is_no_fault(asked: str, found: dict[str, Any]) -> None:
    assert weigh(wished(title=asked, artist="Adele"), found, 295_000).sure


def test_a_live_albums_tracks_need_not_say_live() -> None:
    found = recording("Hello", disambiguation="live, 2011")
    assert weigh(wished(title="Hello", artist="Adele", album="Live at the Royal Albert Hall"), found, 295_000).sure


def test_a_name_in_another_script_is_known_by_its_sort_name() -> None:
    found = {"id": "x", "title": "First Love", "artist-credit": [
        {"artist": {"name": "宇多田ヒカル", "sort-name": "Utada, Hikaru"}}]}
    assert weigh(wished(title="First Love", artist="Hikaru Utada"), found, None).sure


@pytest.mark.parametrize(("asked", "credited"), [
    ("Beatles", "The Beatles"), ("The Beatles", "Beatles"), ("Beatles, The", "The Beatles"), ("JAY-Z", "Jay‐Z"),
    ("Queen, David Bowie", "Queen & David Bowie"), ("P!nk", "P!nk"), ("!!!", "!!!"),
])
def test_a_name_may_be_written_in_several_ways(asked: str, credited: str) -> None:
    assert weigh(wished(title="Help", artist=asked), recording("Help", credited), 295_000).sure


def test_an_isrc_outweighs_a_little_but_not_another_song() -> None:
    isrc = "GBBKS1500214"
    asked = wished(title="Hello", artist="Adele", isrc=isrc)
    close = weigh(asked, recording("Hello!", length_ms=299_000, **{"isrc-list": [isrc]}), 295_000, by="isrc")
    other = weigh(asked, recording("Sandstorm", "Darude", 225_000, **{"isrc-list": [isrc]}), 295_000, by="isrc")
    assert close.sure and other.score < DOUBTFUL


def test_a_title_alone_is_never_sure() -> None:
    assert not weigh(wished(title="Hello"), recording(), 295_000).sure




@given(st.text(max_size=20), st.text(max_size=20), st.none() | st.text(max_size=8), st.none() | st.integers(0, 10**9),
       st.lists(st.fixed_dictionaries({}, optional={"name": st.text(max_size=9), "artist": st.fixed_dictionaries(
           {}, optional={"name": st.text(max_size=9), "id": st.text(max_size=9)})}) | st.text(max_size=5), max_size=3))
def test_any_recording_can_be_weighed(title: str, artist: str, length: str | None, duration: int | None,
                                      credit: list[Any]) -> None:
    asked = wished(title=title or None, artist=artist or None)
    found = {"id": "x", "title": title, "length": length, "artist-credit": credit}
    match = weigh(asked, found, duration)
    assert 0 <= match.score <= 100
    of_release(asked, Metadata(), found, None, None)


# ---- the release -------------------------------------------------------------------------------------------------


def release(title: str, key: str = "", **more: Any) -> dict[str, Any]:
    kind, secondary = more.pop("kind", "Album"), more.pop("secondary", [])
    count = more.pop("count", 10)
    return {"id": title + key, "title": title, "status": "Official", "date": "2015-11-20", "release-group": {
        "primary-type": kind, "secondary-type-list": secondary, "first-release-date": more.get("date", "2015-11-20")},
        "artist-credit": [{"artist": {"id": "a", "name": "Adele"}}], "medium-list": [{"track-count": count}], **more}


def best(asked: Wanted, *releases: dict[str, Any]) -> str | None:
    found = best_releases(asked, releases)
    return str(found[0]["id"]) if found else None


def test_without_a_wanted_album_an_official_early_album_is_best() -> None:
    album = release("25")
    assert best(Wanted(), release("Hello", kind="Single", date="2015-10-23"), album) == "25"
    assert best(Wanted(), release("Hits", secondary=["Compilation"], date="2001"), album) == "25"
    assert best(Wanted(), release("Bootleg", status="Bootleg", date="2014"), album) == "25"
    assert best(Wanted(), release("25", "late", date="2020"), album) == "25"
    assert best(Wanted(), release("Various", date="2001", **{"artist-credit": [
        {"artist": {"id": "89ad4ac3-39f7-470e-963a-56509c546377"}}]}), album) == "25"
    assert best(Wanted(), release("Hello", kind="Single")) == "Hello"


def test_a_wanted_album_is_the_only_choice() -> None:
    assert best(Wanted(album="Hits"), release("25"), release("Hits", secondary=["Compilation"])) == "Hits"
    assert best(Wanted(album="Something Else"), release("25")) is None


def test_another_edition_needs_the_wanted_number_of_tracks() -> None:
    deluxe = release("25", "deluxe", count=14, disambiguation="deluxe edition")
    assert best(Wanted(album="25 (Deluxe Edition)", track_total=14), release("25", count=11), deluxe) == "25deluxe"
    assert best(Wanted(album="25 (Deluxe Edition)", track_total=14), release("25", count=11)) is None
    assert best(Wanted(album="25 (Deluxe Edition)"), release("25", count=11)) == "25"
    assert best(Wanted(album="Hello - Single"), release("Hello", kind="Single")) == "Hello"


def test_of_one_name_the_number_of_tracks_and_then_the_year_decide() -> None:
    one, two = release("25", "a", count=11, date="2015"), release("25", "b", count=14, date="2016")
    assert best(Wanted(album="25", track_total=14), one, two) == "25b"
    assert best(Wanted(album="25", date="2016-01-01"), one, two) == "25b"
    assert best(Wanted(album="25"), two, one) == "25a"


@pytest.mark.parametrize(("album", "title", "fits"), [
    ("25", "25", True), ("Power, Corruption & Lies", "Power, Corruption and Lies", True),
    ("Greatest Hits", "Greatest Hits II", False),
    ("1989", "1999", False), ("Ágætis byrjun", "Agaetis Byrjun", True), ("Live", "Alive", False),
])
def test_names_of_albums_are_compared(album: str, title: str, fits: bool) -> None:
    assert (album_score(album, {"title": title}) >= 85) is fits


# ---- asking ------------------------------------------------------------------------------------------------------


def never() -> None:
    return None


def finder(fake: FakeMusicBrainz) -> Finder:
    return Finder(client=MusicBrainzClient(settings=Settings(musicbrainz_url=fake.url), pace=Pace(0.0)))


def test_a_track_of_the_second_disc_knows_its_place() -> None:
    songs = [Recording(f"Song {number}", artists=["Band"]) for number in range(6)]
    album = Release("Double", media=[songs[:4], songs[4:]], artists=["Band"], disc_titles=("Day", "Night"))
    with FakeMusicBrainz(releases=[album]) as fake:
        found = finder(fake)
        asked = wished(title="Song 5", artist="Band", album="Double")
        match = found.find(asked, 200_000, check=never)[0]
        chosen = found.choose(asked, match, check=never)
        assert chosen is not None
        tags = of_release(asked, Metadata(), match.recording, chosen.release, chosen.place)
        assert (tags.track_number, tags.track_total, tags.disc_number, tags.disc_total, tags.disc_title) == (
            2, 2, 2, 2, "Night")


def test_a_song_that_is_twice_on_a_release_has_the_wanted_number() -> None:
    song = Recording("Intro", artists=["Band"])
    album = Release("Loop", media=[[song, Recording("Middle", artists=["Band"]), song]], artists=["Band"])
    with FakeMusicBrainz(releases=[album]) as fake:
        found = finder(fake)
        asked = wished(title="Intro", artist="Band", album="Loop", track_number=3)
        match = found.find(asked, 200_000, check=never)[0]
        chosen = found.choose(asked, match, check=never)
        assert chosen is not None and chosen.place["track"]["position"] == "3"


def test_of_equal_recordings_the_one_on_an_album_of_the_artists_own_is_first() -> None:
    loose = Recording("Hello", artists=["Adele"], length_ms=295_000, key="0")
    album = Recording("Hello", artists=["Adele"], length_ms=295_000, key="1")
    sampler = Release("Now 92", media=[[loose]], artists=["Various Artists"], secondary=["Compilation"])
    proper = Release("25", media=[[album]], artists=["Adele"])
    with FakeMusicBrainz(releases=[sampler, proper]) as fake:
        found = finder(fake).find(wished(title="Hello", artist="Adele"), 295_000, check=never)
        assert found[0].recording["id"] == album.id


def test_a_sure_id_needs_no_search() -> None:
    with FakeMusicBrainz(recordings=[PRESSURE]) as fake:
        found = finder(fake).find(wished(title="Under Pressure", artist="Queen", recording_mbid=PRESSURE.id), 248_000,
                                  check=never)
        assert found[0].by == "id" and found[0].sure and len(fake.asked) == 1


def test_a_match_says_what_it_is() -> None:
    assert "Hello" in Match({"title": "Hello", "artist-credit-phrase": "Adele"}, 60.0).label
