from __future__ import annotations

import pytest

from shared.model.track import Credit, Metadata
from shared.records import identity
from shared.records.identity import identify
from tests.records.songs import metadata


def key(path: str, tags: Metadata, root_id: int = 1) -> str | None:
    return identify(root_id, path, tags).key


def test_an_album_over_several_folders_is_one() -> None:
    assert key("a/CD 1/1.flac", metadata(disc_number=1)) == key("b/elsewhere/1.flac", metadata(disc_number=2))


def test_two_artists_albums_of_one_title_are_two() -> None:
    one = metadata(artist="Queen", album="Greatest Hits", album_artist="Queen")
    other = metadata(artist="ABBA", album="Greatest Hits", album_artist="ABBA")
    assert key("a/1.mp3", one) != key("a/2.mp3", other)


def test_the_musicbrainz_release_comes_before_names() -> None:
    one = metadata(album="Heroes", release_mbid="m1")
    assert key("a/1.mp3", one) == key("b/2.mp3", metadata(album="Heroes (Remastered)", release_mbid="m1"))
    assert key("a/1.mp3", one) != key("a/1.mp3", metadata(album="Heroes", release_mbid="m2"))


def test_without_an_album_artist_the_folder_tells_albums_apart() -> None:
    loose = metadata(album_artist=None, credits=(Credit("A"),))
    assert identify(1, "x/1.mp3", loose).loose
    assert key("x/1.mp3", loose) == key("x/2.mp3", loose)
    assert key("x/1.mp3", loose) != key("y/1.mp3", loose)
    assert key("x/1.mp3", loose) != key("x/1.mp3", loose, root_id=2)


@pytest.mark.parametrize(
    "folder", ["CD1", "CD 2", "Disc 01", "disk_3", "Disc 2 - The Live One", "Vinyl A", "cd2 (bonus)"]
)
def test_folders_of_single_discs_belong_to_the_album_above(folder: str) -> None:
    loose = metadata(album_artist=None, credits=(Credit("A"),))
    assert key(f"x/{folder}/1.mp3", loose) == key("x/1.mp3", loose)


@pytest.mark.parametrize("folder", ["CDs", "Discovery", "Disclosure", "Volume", "LP"])
def test_folders_that_only_begin_like_discs_are_albums(folder: str) -> None:
    assert not identity.is_disc_folder(f"x/{folder}")


@pytest.mark.parametrize(
    ("path", "title", "number", "disc"),
    [
        ("a/03 Song.mp3", "Song", 3, None),
        ("a/03. Song.mp3", "Song", 3, None),
        ("a/3 - Song.mp3", "Song", 3, None),
        ("a/1-02 Song.flac", "Song", 2, 1),
        ("a/Song.mp3", "Song", None, None),
        ("1999.mp3", "1999", None, None),
        ("a/99 Luftballons.mp3", "Luftballons", 99, None),
        ("a/.mp3", ".mp3", None, None),
        ("a/song_one.mp3", "song one", None, None),
    ],
)
def test_a_track_without_a_title_is_called_by_its_file(
    path: str, title: str, number: int | None, disc: int | None
) -> None:
    found = identify(1, path, metadata(title=None, number=None))
    assert (found.title, found.track_number, found.disc_number) == (title, number, disc)


def test_a_number_in_a_file_name_does_not_replace_a_tagged_one() -> None:
    assert identify(1, "a/03 Song.mp3", metadata(title=None, number=7)).track_number == 7


def test_an_untagged_file_is_told_by_its_folders() -> None:
    found = identify(1, "Nina Simone/Pastel Blues/CD 1/03 Sinnerman.wav", Metadata())
    assert (found.artist, found.album, found.title, found.track_number) == (
        "Nina Simone",
        "Pastel Blues",
        "Sinnerman",
        3,
    )


def test_a_file_without_anything_has_an_unknown_artist_and_no_album() -> None:
    found = identify(1, "noise.wav", Metadata())
    assert (found.artist, found.album, found.key, found.title) == (identity.UNKNOWN_ARTIST, None, None, "noise")
    assert [credit.name for credit in found.credits] == [identity.UNKNOWN_ARTIST]


def test_a_shown_artist_without_credits_gets_one_and_so_does_the_album_artist() -> None:
    found = identify(1, "a/1.mp3", Metadata(title="x", artist="A & B", album="C", album_artist="D"))
    assert [(credit.name, credit.role) for credit in found.credits] == [("A & B", "artist"), ("D", "albumartist")]
    assert [credit.name for credit in found.album_credits] == ["D"]


def test_various_artists_in_any_spelling_make_a_compilation() -> None:
    assert identify(1, "a/1.mp3", metadata(album_artist="VARIOUS ARTISTS")).compilation
    assert not identify(1, "a/1.mp3", metadata(album_artist="Variety")).compilation


def test_positions_follow_discs_then_numbers_and_unnumbered_tracks_come_last() -> None:
    order = [identity.position(None, 1), identity.position(1, 2), identity.position(1, None), identity.position(2, 1)]
    assert order == sorted(order) and len(set(order)) == 4
