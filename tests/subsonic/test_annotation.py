"""Stars, ratings, plays and what is playing, told by an app and seen by the player, and the other way round."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from shared.database import driver_cursor
from tests.subsonic.house import CLIENT, House


@pytest.fixture(autouse=True)
def clean(house: House) -> Iterator[None]:
    yield
    with house.station.database.transaction() as conn:
        for table in ("plays", "track_listening", "album_listening", "artist_listening"):
            driver_cursor(conn).execute(f"DELETE FROM {table}")
    house.station.now_playing._playing.clear()
    house.station.now_playing._counted.clear()


def starred(house: House, who: str = "owner") -> dict[str, set[str]]:
    told = house.ask("getStarred2", who=who)["starred2"]
    return {kind: {one["id"] for one in told.get(kind, [])} for kind in ("song", "album", "artist")}


def plays(house: House) -> list[Any]:
    with house.station.database.read() as conn:
        return driver_cursor(conn).execute("SELECT t.title, p.played_at, p.client FROM plays p "
                                           "JOIN tracks t ON t.id = p.track_id ORDER BY p.id").fetchall()


def test_stars_of_all_kinds_come_and_go_in_one_call(house: House) -> None:
    songs = [house.track("Für Elise"), house.track("Walk")]
    album, artist = house.album("Début"), house.artist("The Pair")
    house.ask("star", id=songs, albumId=album, artistId=artist)
    assert starred(house) == {"song": set(songs), "album": {album}, "artist": {artist}}
    assert starred(house, "guest") == {"song": set(), "album": set(), "artist": set()}
    assert house.station.tracks.get(house.person(), songs[0]).favourite     # and the player sees it
    house.ask("unstar", id=songs[:1], albumId=[album], artistId=artist, method="POST")
    assert starred(house) == {"song": {songs[1]}, "album": set(), "artist": set()}


def test_an_id_is_whatever_it_is_of_as_old_apps_send_it(house: House) -> None:
    album, artist = house.album("Moving"), house.artist("Björk")
    house.ask("star", id=[album, artist])
    assert starred(house) == {"song": set(), "album": {album}, "artist": {artist}}


def test_a_folder_is_the_album_in_it(house: House) -> None:
    (folder,) = [one for one in house.ask("getIndexes")["indexes"]["index"] if one["name"] == "B"]
    inside = house.ask("getMusicDirectory", id=folder["artist"][0]["id"])["directory"]["child"]
    assert [one["title"] for one in inside] == ["Début"] and inside[0]["id"] != house.album("Début")
    house.ask("star", id=inside[0]["id"])
    assert starred(house)["album"] == {house.album("Début")}
    assert house.refused("star", id=folder["artist"][0]["id"]) == 70     # of no one album


def test_all_or_none_are_starred(house: House) -> None:
    song = house.track("Run")
    assert house.refused("star", id=[song, "nothing"]) == 70
    assert house.refused("star", id=song, albumId=house.artist("Björk")) == 70
    assert starred(house)["song"] == set()
    assert house.refused("star") == 10 and house.refused("unstar", id="") == 10


def test_songs_albums_and_artists_are_rated(house: House) -> None:
    song, album, artist = house.track("Rest"), house.album("Début"), house.artist("Björk")
    for uid in (song, album, artist):
        house.ask("setRating", id=uid, rating=4)
    assert house.ask("getSong", id=song)["song"]["userRating"] == 4
    assert house.ask("getAlbum", id=album)["album"]["userRating"] == 4
    assert house.ask("getArtist", id=artist)["artist"]["userRating"] == 4
    house.ask("setRating", id=song, rating=0)
    assert "userRating" not in house.ask("getSong", id=song)["song"]
    for rating, code in ((6, 0), (-1, 0), ("x", 0), ("", 10)):
        assert house.refused("setRating", id=song, rating=rating) == code
    assert house.refused("setRating", id="nothing", rating=1) == 70


def test_plays_count_with_their_own_moments(house: House) -> None:
    songs = [house.track("Walk"), house.track("Run"), house.track("Rest")]
    hour_ago = int(time.time() - 3600) * 1000
    house.ask("scrobble", id=songs, time=[hour_ago, hour_ago + 4000])
    heard = plays(house)
    assert [(title, client) for title, _, client in heard] == [("Walk", CLIENT), ("Run", CLIENT), ("Rest", CLIENT)]
    assert [at for _, at, _ in heard[:2]] == [hour_ago / 1000, hour_ago / 1000 + 4]
    assert abs(heard[2][1] - time.time()) < 60
    song = house.ask("getSong", id=songs[0])["song"]
    assert song["playCount"] == 1 and song["played"].endswith("Z")
    house.ask("scrobble", id=songs, time=[hour_ago, hour_ago + 4000])       # told again: an answer was lost
    assert len(plays(house)) == 3
    assert house.ask("getAlbum", id=house.album("Moving"))["album"]["playCount"] == 3


def test_of_many_plays_those_of_songs_that_are_gone_are_left_out(house: House) -> None:
    house.ask("scrobble", id=["gone", house.track("Walk")])
    assert [title for title, _, _ in plays(house)] == ["Walk"]
    assert house.refused("scrobble", id="gone") == 70 and house.refused("scrobble") == 10
    assert house.refused("scrobble", id=house.track("Walk"), time="yesterday") == 0


def test_a_moment_that_cannot_be_is_now(house: House) -> None:
    for moment in (0, 1_700_000_000, int(time.time() + 864_000) * 1000):
        house.ask("scrobble", id=house.track("Run"), time=moment)
    assert all(abs(at - time.time()) < 60 for _, at, _ in plays(house))


def test_what_is_put_on_is_playing_now_and_no_play(house: House) -> None:
    song = house.track("Hoppípolla")
    house.ask("scrobble", id=song, submission=False)
    (entry,) = house.ask("getNowPlaying", who="guest")["nowPlaying"]["entry"]
    assert (entry["id"], entry["username"], entry["minutesAgo"], entry["playerName"], entry["state"]) == (
        song, "owner", 0, CLIENT, "playing")
    assert isinstance(entry["playerId"], int) and entry["title"] == "Hoppípolla"
    assert plays(house) == []


def test_what_an_app_reports_is_shown_and_heard_once(house: House) -> None:
    song = house.track("Für Elise")         # four seconds of it

    def tell(state: str, at_ms: int, **more: Any) -> None:
        house.ask("reportPlayback", mediaId=song, mediaType="song", positionMs=at_ms, state=state, **more)

    tell("starting", 0)
    tell("paused", 1500, playbackRate=1.5)
    (entry,) = house.ask("getNowPlaying")["nowPlaying"]["entry"]
    assert (entry["state"], entry["positionMs"], entry["playbackRate"]) == ("paused", 1500, 1.5)
    house.ask("scrobble", id=song)
    tell("stopped", 3900)
    assert house.ask("getNowPlaying")["nowPlaying"]["entry"] == []
    assert [title for title, _, _ in plays(house)] == ["Für Elise"]


def test_an_app_that_only_reports_has_its_plays_too(house: House) -> None:
    song = house.track("Walk")
    for state, at_ms in (("starting", 0), ("stopped", 3000)):
        house.ask("reportPlayback", mediaId=song, mediaType="song", positionMs=at_ms, state=state)
    for state, at_ms in (("starting", 0), ("stopped", 4000)):
        house.ask("reportPlayback", mediaId=house.track("Run"), mediaType="song", positionMs=at_ms, state=state,
                  ignoreScrobble=True)
    assert [title for title, _, _ in plays(house)] == ["Walk"]
    house.ask("scrobble", id=song)      # and tells it in the old way as well
    assert len(plays(house)) == 1


def test_a_report_that_is_none_is_refused(house: House) -> None:
    good: dict[str, Any] = {"mediaId": house.track("Walk"), "mediaType": "song", "positionMs": 0, "state": "playing"}
    for name in good:
        assert house.refused("reportPlayback", **{**good, name: ""}) == 10
    for wrong in ({"mediaType": "film"}, {"state": "dancing"}, {"positionMs": "x"}, {"positionMs": -1},
                  {"playbackRate": "nan"}, {"playbackRate": -1}, {"ignoreScrobble": "perhaps"}):
        assert house.refused("reportPlayback", **{**good, **wrong}) == 0, wrong
    assert house.refused("reportPlayback", **{**good, "mediaId": "x"}) == 70
    assert house.refused("reportPlayback", **{**good, "mediaType": "podcast", "mediaId": "x"}) == 70
