from __future__ import annotations

import pytest

from shared.model.errors import BadInput, NotFound
from shared.model.person import Person
from shared.records.albums import Albums
from shared.records.artists import Artists
from shared.records.listening import Listening
from shared.records.tracks import Tracks
from tests.records.songs import Music


@pytest.fixture
def listening(music: Music) -> Listening:
    return Listening(database=music.database)


@pytest.fixture
def uid(music: Music) -> str:
    return music.album("a", "Low", "David Bowie", 2)[0]


def test_favourites_ratings_and_plays_are_each_persons_own(
    music: Music, listening: Listening, uid: str, owner: Person, guest: Person
) -> None:
    listening.favourite(owner, uid, True)
    listening.rate(owner, uid, 5)
    listening.play(owner, uid, 1000.0, 200_000, "a test")
    listening.play(owner, uid, 500.0)
    tracks = Tracks(database=music.database)
    mine, theirs = tracks.get(owner, uid), tracks.get(guest, uid)
    assert (mine.favourite, mine.rating, mine.play_count) == (True, 5, 2)
    assert (theirs.favourite, theirs.rating, theirs.play_count) == (False, 0, 0)
    assert music.rows("SELECT played_at, played_ms, client FROM plays ORDER BY id") == [
        (1000.0, 200_000, "a test"),
        (500.0, None, None),
    ]
    assert music.one("SELECT last_played_at FROM track_listening") == 1000.0
    assert Albums(database=music.database).list(owner).items[0].play_count == 2
    assert [one.play_count for one in Albums(database=music.database).list(guest).items] == [0]
    assert music.one("SELECT play_count FROM artist_listening") == 2


def test_what_is_so_already_moves_no_revision(music: Music, listening: Listening, uid: str, owner: Person) -> None:
    listening.favourite(owner, uid, True)
    before = Tracks(database=music.database).list(owner).revision
    listening.favourite(owner, uid, True)
    assert Tracks(database=music.database).list(owner).revision == before
    listening.favourite(owner, uid, False)
    assert not Tracks(database=music.database).get(owner, uid).favourite


def test_albums_and_artists_are_favourites_too(music: Music, listening: Listening, uid: str, owner: Person) -> None:
    album = Albums(database=music.database).list(owner).items[0]
    artist = Artists(database=music.database).list(owner).items[0]
    listening.favourite_album(owner, album.id, True)
    listening.favourite_artist(owner, artist.id, True)
    assert Albums(database=music.database).get(owner, album.id).favourite
    assert Artists(database=music.database).get(owner, artist.id).favourite
    for deed in (
        lambda: listening.favourite_album(owner, "nothing", True),
        lambda: listening.favourite_artist(owner, "nothing", False),
    ):
        with pytest.raises(NotFound):
            deed()


def test_what_is_not_there_or_out_of_bounds_is_refused(listening: Listening, uid: str, owner: Person) -> None:
    for deed in (
        lambda: listening.favourite(owner, "nothing", True),
        lambda: listening.play(owner, "nothing"),
        lambda: listening.rate(owner, "nothing", 1),
    ):
        with pytest.raises(NotFound):
            deed()
    for rating in (-1, 6):
        with pytest.raises(BadInput):
            listening.rate(owner, uid, rating)


def test_the_queue_goes_from_device_to_device(music: Music, listening: Listening, owner: Person, guest: Person) -> None:
    assert listening.queue(owner).track_ids == [] and listening.queue(owner).updated_at is None
    songs = music.album("b", "Lodger", "David Bowie", 4)
    listening.save_queue(owner, songs, 2, 12_345)
    queue = listening.queue(owner)
    assert (queue.track_ids, queue.index, queue.position_ms) == (songs, 2, 12_345)
    assert listening.queue(guest).track_ids == []
    tracks = Tracks(database=music.database)
    tracks.trash(songs[0], trashed_from="b/01.flac", path="t/1.flac")
    queue = listening.queue(owner)
    assert (queue.track_ids, queue.index, queue.position_ms) == (songs[1:], 1, 12_345)
    tracks.trash(songs[2], trashed_from="b/03.flac", path="t/3.flac")
    queue = listening.queue(owner)
    assert (queue.track_ids, queue.index, queue.position_ms) == ([songs[1], songs[3]], 1, 0)
    listening.save_queue(owner, [], 0, 0)
    assert listening.queue(owner).track_ids == []
    with pytest.raises(BadInput):
        listening.save_queue(owner, songs, 4, 0)
