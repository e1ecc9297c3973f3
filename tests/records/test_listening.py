from __future__ import annotations

import pytest

from shared.model.errors import BadInput, NotFound
from shared.model.person import Person
from shared.records.albums import Albums
from shared.records.artists import Artists
from shared.records.listening import Heard, Listening
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


@pytest.mark.parametrize(("apart_s", "plays"), [(0.0, 1), (29.9, 1), (30.1, 2), (-29.9, 1), (-30.1, 2)])
def test_a_play_told_twice_is_one(
    music: Music, listening: Listening, uid: str, owner: Person, guest: Person, apart_s: float, plays: int
) -> None:
    assert listening.play(owner, uid, 1_000_000.0)
    assert listening.play(owner, uid, 1_000_000.0 + apart_s) is (plays == 2)
    assert music.one("SELECT count(*) FROM plays") == plays
    assert Tracks(database=music.database).get(owner, uid).play_count == plays
    assert listening.play(guest, uid, 1_000_000.0)  # somebody else's is another


def test_a_short_track_can_be_heard_again_after_half_of_it(music: Music, listening: Listening, owner: Person) -> None:
    short = music.add("c/1.flac", duration_ms=8_000)
    assert [listening.play(owner, short, 1_000_000.0 + after) for after in (0, 3.9, 4.1, 8.2)] == [
        True, False, True, True]  # fmt: skip


def test_many_plays_are_told_in_one_go_and_what_is_gone_is_left_out(
    music: Music, listening: Listening, uid: str, owner: Person
) -> None:
    told = [Heard(uid, 1_000_000.0, 5), Heard("gone", 1_000_000.0), Heard(uid, 2_000_000.0), Heard(uid, 2_000_000.0)]
    assert listening.plays(owner, told, "an app") == 3
    assert music.rows("SELECT played_at, played_ms, client FROM plays") == [
        (1_000_000.0, 5, "an app"), (2_000_000.0, None, "an app")]  # fmt: skip


def test_many_things_are_favoured_together_or_not_at_all(
    music: Music, listening: Listening, uid: str, owner: Person
) -> None:
    album = Albums(database=music.database).list(owner).items[0].id
    artist = Artists(database=music.database).list(owner).items[0].id
    before = Tracks(database=music.database).list(owner).revision
    with pytest.raises(NotFound):
        listening.favour(owner, [(None, uid), ("album", album), ("artist", "gone")], True)
    with pytest.raises(NotFound):
        listening.favour(owner, [("artist", album)], True)
    assert not Tracks(database=music.database).get(owner, uid).favourite
    listening.favour(owner, [(None, uid), (None, album), ("artist", artist)], True)
    assert Tracks(database=music.database).get(owner, uid).favourite
    assert Albums(database=music.database).get(owner, album).favourite
    assert Artists(database=music.database).get(owner, artist).favourite
    assert Tracks(database=music.database).list(owner).revision == before + 1  # one change for players to hear of


def test_albums_and_artists_are_rated(music: Music, listening: Listening, uid: str, owner: Person) -> None:
    album = Albums(database=music.database).list(owner).items[0].id
    artist = Artists(database=music.database).list(owner).items[0].id
    listening.rate_album(owner, album, 3)
    listening.rate_artist(owner, artist, 4)
    listening.rate_any(owner, uid, 5)
    listening.rate_any(owner, album, 2)
    assert [music.one(f"SELECT rating FROM {kind}_listening") for kind in ("track", "album", "artist")] == [5, 2, 4]
    with pytest.raises(NotFound):
        listening.rate_any(owner, "gone", 1)


def test_the_queue_tells_who_saved_it_and_keeps_what_stands_in_it_twice(
    music: Music, listening: Listening, uid: str, owner: Person
) -> None:
    listening.save_queue(owner, [uid, uid, uid], 2, 9, "an app")
    queue = listening.queue(owner)
    assert (queue.track_ids, queue.index, queue.client) == ([uid, uid, uid], 2, "an app")
    listening.save_queue(owner, [uid], 0, 0)
    assert listening.queue(owner).client == ""
    with pytest.raises(BadInput):
        listening.save_queue(owner, ["x" * 65], 0, 0)
