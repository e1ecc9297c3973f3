"""The play queue, handed from app to app and to the player; bookmarks; scans."""

from __future__ import annotations

from typing import Any

from shared.subsonic.queue import NEVER
from tests.subsonic.house import CLIENT, House


def test_what_was_never_saved_is_empty(house: House) -> None:
    for call, name in (("getPlayQueue", "playQueue"), ("getPlayQueueByIndex", "playQueueByIndex")):
        assert house.ask(call, who="guest")[name] == {
            "position": 0, "username": "guest", "changed": NEVER, "changedBy": "", "entry": []}


def test_a_queue_keeps_what_stands_in_it_twice(house: House) -> None:
    songs = [house.track("Walk"), house.track("Run"), house.track("Walk")]
    house.ask("savePlayQueueByIndex", id=songs, currentIndex=2, position=61_000)
    told = house.ask("getPlayQueueByIndex")["playQueueByIndex"]
    assert [one["id"] for one in told["entry"]] == songs
    assert (told["currentIndex"], told["position"], told["changedBy"]) == (2, 61_000, CLIENT)
    old = house.ask("getPlayQueue")["playQueue"]
    assert (old["current"], old["position"], len(old["entry"])) == (songs[2], 61_000, 3)
    assert house.station.listening.queue(house.person()).index == 2     # the player goes on there


def test_the_players_queue_goes_on_in_an_app(house: House) -> None:
    songs = [house.track("Rest"), house.track("Run")]
    house.station.listening.save_queue(house.person(), songs, 1, 5_000)
    told = house.ask("getPlayQueue")["playQueue"]
    assert (told["current"], told["changedBy"], told["username"]) == (songs[1], "Soundsible", "owner")
    house.ask("savePlayQueue", id=songs, current=songs[0], position=7, method="POST")
    kept = house.station.listening.queue(house.person())
    assert (kept.track_ids, kept.index, kept.position_ms, kept.client) == (songs, 0, 7, CLIENT)


def test_a_queue_without_songs_is_cleared(house: House) -> None:
    song = house.track("Run")
    for call in ("savePlayQueue", "savePlayQueueByIndex"):
        house.ask("savePlayQueue", id=song, current=song, position=9)
        house.ask(call)
        told = house.ask("getPlayQueue")["playQueue"]
        assert told["entry"] == [] and "current" not in told and told["position"] == 0
        assert "currentIndex" not in house.ask("getPlayQueueByIndex")["playQueueByIndex"]


def test_the_current_song_is_one_of_the_queue(house: House) -> None:
    song, other = house.track("Run"), house.track("Walk")
    house.ask("savePlayQueue", id=song, current=song, position=3)
    assert house.refused("savePlayQueue", id=[song]) == 10
    assert house.refused("savePlayQueue", id=[song], current=other) == 0
    assert house.refused("savePlayQueueByIndex", id=[song]) == 10
    assert house.refused("savePlayQueueByIndex", id=[song], currentIndex=1) == 10
    assert house.refused("savePlayQueueByIndex", id=[song], currentIndex=-1) == 10
    assert house.refused("savePlayQueueByIndex", id=["x" * 65], currentIndex=0) == 0
    assert house.ask("getPlayQueue")["playQueue"]["position"] == 3


def test_songs_that_are_gone_are_left_out_of_the_queue(house: House) -> None:
    song = house.track("Run")
    house.ask("savePlayQueue", id=["gone", song], current="gone", position=3)
    told = house.ask("getPlayQueue")["playQueue"]
    assert ([one["id"] for one in told["entry"]], told["current"], told["position"]) == ([song], song, 0)


def test_bookmarks_come_and_go_and_are_each_persons_own(house: House) -> None:
    song, other = house.track("Für Elise"), house.track("Walk")
    house.ask("createBookmark", id=song, position=1234, comment="here it begins")
    house.ask("createBookmark", id=other, position=1)
    house.ask("createBookmark", id=song, position=2345, comment="no, here")
    marks: list[dict[str, Any]] = house.ask("getBookmarks")["bookmarks"]["bookmark"]
    assert {(one["entry"]["id"], one["position"], one["comment"]) for one in marks} == {
        (song, 2345, "no, here"), (other, 1, "")}
    assert all(one["username"] == "owner" and one["created"] <= one["changed"] for one in marks)
    assert house.ask("getBookmarks", who="guest")["bookmarks"]["bookmark"] == []
    assert house.refused("deleteBookmark", id=song, who="guest") == 70
    house.ask("deleteBookmark", id=song)
    house.ask("deleteBookmark", id=other)
    assert house.ask("getBookmarks")["bookmarks"]["bookmark"] == []
    assert house.refused("deleteBookmark", id=song) == 70
    assert house.refused("createBookmark", id="gone", position=1) == 70
    assert house.refused("createBookmark", id=song) == 10 and house.refused("createBookmark", position=1) == 10


def test_the_state_of_scans_is_everybodys_and_starting_them_is_not(house: House) -> None:
    told = house.ask("getScanStatus", who="guest")["scanStatus"]
    assert (told["scanning"], told["count"], told["folderCount"]) == (False, 10, 1)
    assert "error" not in told
    assert house.refused("startScan", who="guest") == 50
    asked: list[bool] = []
    start, house.station.scanning.start = house.station.scanning.start, lambda: (
        asked.append(True), house.station.scanning.progress())[1]
    try:
        assert house.ask("startScan")["scanStatus"] == house.ask("getScanStatus")["scanStatus"]
    finally:
        house.station.scanning.start = start
    assert asked == [True]
