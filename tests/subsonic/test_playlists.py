"""Playlists, made and changed by apps."""

from __future__ import annotations

from typing import Any

import pytest

from tests.subsonic.house import House


@pytest.fixture
def songs(house: House) -> list[str]:
    return [house.track(title) for title in ("Walk", "Run", "Rest", "Für Elise")]


def entries(house: House, uid: str, who: str = "owner") -> list[str]:
    return [one["title"] for one in house.ask("getPlaylist", id=uid, who=who)["playlist"]["entry"]]


def test_a_playlist_from_its_making_to_its_end(house: House, songs: list[str]) -> None:
    made = house.ask("createPlaylist", name="Evening", songId=[songs[0], songs[1], songs[0]])["playlist"]
    uid = made["id"]
    assert (made["name"], made["songCount"], made["duration"], made["owner"], made["public"], made["readonly"]) == (
        "Evening", 3, 12, "owner", False, False)
    assert (made["comment"], made["allowedUser"], made["coverArt"]) == ("", [], uid)
    assert [one["id"] for one in made["entry"]] == [songs[0], songs[1], songs[0]]
    (listed,) = house.ask("getPlaylists")["playlists"]["playlist"]
    assert listed == {name: value for name, value in made.items() if name != "entry"}
    house.ask("updatePlaylist", playlistId=uid, name="Night", comment="slow ones", public=True,
              songIndexToRemove=[0, 1], songIdToAdd=[songs[2], songs[3]])
    told = house.ask("getPlaylist", id=uid)["playlist"]
    assert (told["name"], told["comment"], told["public"]) == ("Night", "slow ones", True)
    assert [one["title"] for one in told["entry"]] == ["Walk", "Rest", "Für Elise"]
    house.ask("updatePlaylist", playlistId=uid, comment="")
    assert house.ask("getPlaylist", id=uid)["playlist"]["comment"] == ""
    house.ask("deletePlaylist", id=uid)
    assert house.refused("getPlaylist", id=uid) == 70
    assert house.ask("getPlaylists")["playlists"]["playlist"] == []


def test_songs_are_put_in_the_place_of_others(house: House, songs: list[str]) -> None:
    uid = house.ask("createPlaylist", name="P", songId=songs[:2])["playlist"]["id"]
    told = house.ask("createPlaylist", playlistId=uid, songId=[songs[3]])["playlist"]
    assert (told["id"], told["name"], [one["id"] for one in told["entry"]]) == (uid, "P", [songs[3]])
    assert house.ask("createPlaylist", playlistId=uid, name="Q")["playlist"]["songCount"] == 1
    assert house.ask("createPlaylist", playlistId=uid, method="POST")["playlist"]["songCount"] == 0
    house.ask("deletePlaylist", id=uid)


def test_places_count_the_playlist_as_it_was(house: House, songs: list[str]) -> None:
    uid = house.ask("createPlaylist", name="P", songId=songs)["playlist"]["id"]
    for places in ([4], [-1], [0, 4], ["x"]):
        assert house.refused("updatePlaylist", playlistId=uid, songIndexToRemove=places, songIdToAdd=songs[0]) == 0
    assert house.refused("updatePlaylist", playlistId=uid, songIndexToRemove=0, songIdToAdd="gone") == 70
    assert entries(house, uid) == ["Walk", "Run", "Rest", "Für Elise"]      # nothing of it was done
    house.ask("updatePlaylist", playlistId=uid, songIndexToRemove=[3, 0, 3])
    assert entries(house, uid) == ["Run", "Rest"]
    house.ask("deletePlaylist", id=uid)


def test_places_pass_over_what_is_in_the_trash_and_keep_it(house: House, songs: list[str]) -> None:
    uid = house.ask("createPlaylist", name="P", songId=songs)["playlist"]["id"]
    tracks = house.station.tracks
    tracks.trash(songs[1], trashed_from="Various/Moving/Run.opus", path=".trash/x/Run.opus")
    try:
        house.ask("updatePlaylist", playlistId=uid, songIndexToRemove=1)
        assert entries(house, uid) == ["Walk", "Für Elise"]
    finally:
        tracks.restore(songs[1], path="Various/Moving/Run.opus")
    assert entries(house, uid) == ["Walk", "Run", "Für Elise"]
    house.ask("deletePlaylist", id=uid)


def test_others_see_what_is_public_and_change_nothing(house: House, songs: list[str]) -> None:
    uid = house.ask("createPlaylist", name="Mine", songId=songs[:1])["playlist"]["id"]
    assert house.refused("getPlaylist", id=uid, who="adult") == 70
    assert house.ask("getPlaylists", who="adult")["playlists"]["playlist"] == []
    house.ask("updatePlaylist", playlistId=uid, public=True)
    (seen,) = house.ask("getPlaylists", who="adult")["playlists"]["playlist"]
    assert (seen["owner"], seen["readonly"], seen["public"]) == ("owner", True, True)
    for change in ({"name": "Yours"}, {"songIdToAdd": songs[1]}, {"comment": "ha"}, {"public": False}):
        assert house.refused("updatePlaylist", playlistId=uid, who="adult", **change) == 50
    assert house.refused("deletePlaylist", id=uid, who="adult") == 50
    assert house.refused("createPlaylist", playlistId=uid, songId=songs, who="adult") == 50
    house.station.playlists.edit(house.person(), uid, visibility="collaborative")
    (seen,) = house.ask("getPlaylists", who="adult")["playlists"]["playlist"]
    assert (seen["readonly"], seen["public"]) == (False, True)
    house.ask("updatePlaylist", playlistId=uid, songIdToAdd=songs[1], who="adult")
    house.ask("updatePlaylist", playlistId=uid, public=True)        # as it is: it stays everybody's
    assert house.station.playlists.contents(house.person(), uid)[0].visibility == "collaborative"
    assert entries(house, uid) == ["Walk", "Run"]
    house.ask("updatePlaylist", playlistId=uid, public=False)
    assert house.refused("getPlaylist", id=uid, who="adult") == 70
    house.ask("deletePlaylist", id=uid)


def test_owners_ask_for_somebody_elses_and_see_no_private_ones(house: House, songs: list[str]) -> None:
    made: dict[str, Any] = {}
    for name, public in (("open", True), ("hidden", False)):
        made[name] = house.ask("createPlaylist", name=name, who="child")["playlist"]["id"]
        house.ask("updatePlaylist", playlistId=made[name], public=public, who="child")
    own = house.ask("createPlaylist", name="own")["playlist"]["id"]
    found = house.ask("getPlaylists", username="child")["playlists"]["playlist"]
    assert [one["name"] for one in found] == ["open"]
    assert {one["name"] for one in house.ask("getPlaylists", username="owner")["playlists"]["playlist"]} == {
        "open", "own"}
    assert house.refused("getPlaylists", username="owner", who="child") == 50
    house.ask("getPlaylists", username="child", who="child")
    for who, uid in (("child", made["open"]), ("child", made["hidden"]), ("owner", own)):
        house.ask("deletePlaylist", id=uid, who=who)


def test_what_makes_no_playlist_is_refused(house: House) -> None:
    assert house.refused("createPlaylist") == 10 and house.refused("createPlaylist", name="  ") == 10
    assert house.refused("createPlaylist", name="x" * 501) == 0
    assert house.refused("createPlaylist", name="x", songId="gone") == 70
    assert house.refused("createPlaylist", playlistId="gone", songId=[]) == 70
    assert house.refused("updatePlaylist", name="x") == 10 and house.refused("deletePlaylist") == 10
    assert house.refused("updatePlaylist", playlistId="gone", public=True) == 70
    assert house.ask("getPlaylists")["playlists"]["playlist"] == []
