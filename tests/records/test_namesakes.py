"""Namesakes: the album that a new track would stand beside."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.database import Database
from shared.records.namesakes import Namesakes
from tests.records.songs import Music, metadata

RELEASE = "5be3c557-51c8-5cec-a25a-d8adc407a5b5"


@pytest.fixture
def music(tmp_path: Path):
    database = Database(tmp_path / "library.db")
    database.prepare()
    yield Music(database)
    database.close()


def test_an_album_is_found_by_its_names_however_they_are_written(music: Music) -> None:
    music.add("a/1.flac", metadata(album="Don’t Stop", album_artist="The Band"))
    found = Namesakes(database=music.database).album("the band", "Don't  stop")
    assert found is not None and found.release_mbid is None and found.track_count == 1


def test_its_release_is_told_when_it_has_one(music: Music) -> None:
    music.add("a/1.flac", metadata(release_mbid=RELEASE))
    found = Namesakes(database=music.database).album("David Bowie", "Heroes")
    assert found is not None and found.release_mbid == RELEASE


def test_of_several_the_largest_counts(music: Music) -> None:
    music.add("a/1.flac", metadata(release_mbid=RELEASE))
    for number in (1, 2):
        music.add(f"b/{number}.flac", metadata(title=f"T{number}", number=number))
    found = Namesakes(database=music.database).album("David Bowie", "Heroes")
    assert found is not None and found.release_mbid is None and found.track_count == 2


@pytest.mark.parametrize(("artist", "album"), [
    ("David Bowie", "Low"), ("Iggy Pop", "Heroes"), ("Dávid Bowie", "Heroes")])
def test_other_names_are_other_albums(music: Music, artist: str, album: str) -> None:
    music.add("a/1.flac")
    assert Namesakes(database=music.database).album(artist, album) is None


def test_an_album_without_album_artist_is_not_joined(music: Music) -> None:
    music.add("a/1.flac", metadata(album_artist=None))
    assert Namesakes(database=music.database).album("David Bowie", "Heroes") is None


def test_a_track_tagged_like_its_namesake_joins_its_album(music: Music) -> None:
    """What the tags are chosen for: the same release, or names alone, make one album."""
    music.add("a/1.flac")
    found = Namesakes(database=music.database).album("David Bowie", "Heroes")
    assert found is not None
    music.add("b/2.flac", metadata(title="Sons", number=2, release_mbid=found.release_mbid))
    joined = Namesakes(database=music.database).album("David Bowie", "Heroes")
    assert joined is not None and joined.track_count == 2
