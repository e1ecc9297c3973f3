"""What single programs need otherwise; and that nobody else notices."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import pytest

from shared.model.person import Person
from shared.subsonic.answer import Pieces
from shared.subsonic.asking import Asked
from shared.subsonic.quirks import QUIRKS, as_before_opensubsonic, fitting, meaning
from tests.subsonic.house import House

NOBODY = Person(user_id=0, id="", username="", role="guest")


def asked(client: str, **given: list[str]) -> Asked:
    return Asked(given=given, person=NOBODY, client=client)


def told(house: House, client: str, call: str, **given: object) -> dict[str, Any]:
    """What `client` is told."""
    query = urlencode({"apiKey": house.keys["owner"], "f": "json", "c": client, **given})
    answer = house.app.test_client().get(f"/rest/{call}?{query}").get_json()["subsonic-response"]
    assert answer["status"] == "ok", answer
    return dict(answer)


def test_every_row_says_why_and_names_its_threads() -> None:
    for one in QUIRKS:
        assert one.why.endswith(".") and one.threads and (one.heard or one.told)
        assert all(thread.startswith("https://") for thread in one.threads)


@pytest.mark.parametrize("client", ["", "Symfonium", "Feishin", "a Clementine", "x"])
def test_other_programs_calls_pass_as_they_are(client: str) -> None:
    call, payload = asked(client, id=["x"], time=["1800000000"], date=["1"]), {"song": {"replayGain": {}}}
    assert meaning(call, "scrobble") is call and fitting(call, "getSong", payload) is payload


@pytest.mark.parametrize(("given", "meant"), [
    ({"date": ["1746152938"]}, ["1746152938000"]), ({"time": ["1746152938"]}, ["1746152938000"]),
    ({"time": ["1746152938000", "1746152938"]}, ["1746152938000", "1746152938000"]), ({"time": ["x"]}, ["x"]),
    ({"time": ["1746152938000"], "date": ["5"]}, ["1746152938000"]), ({}, None), ({"time": ["²"]}, ["²"]),
])
def test_moments_in_seconds_are_understood(given: dict[str, list[str]], meant: list[str] | None) -> None:
    for client in ("Amperfy", "SubMusic-v0.2.12-orestes [Garmin Forerunner 965]"):
        call = asked(client, **given)
        assert meaning(call, "scrobble").given.get("time") == meant
        assert meaning(call, "getBookmarks") is call


def test_what_was_heard_offline_with_amperfy_counts_when_it_was_heard(house: House) -> None:
    at = int(time.time()) - 86_400
    track = house.track("Run")
    told(house, "Amperfy", "scrobble", id=track, date=at, submission="true")
    with house.station.database.read() as conn:
        from shared.database import driver_cursor

        rows = driver_cursor(conn).execute(
            "SELECT played_at FROM plays p JOIN tracks t ON t.id = p.track_id WHERE t.uid = ?", (track,)).fetchall()
    assert [round(row[0]) for row in rows] == [at]


def test_a_watch_and_an_old_player_read_what_they_always_read(house: House) -> None:
    given = {"id": house.album("Début")}
    usual, small = (told(house, client, "getAlbum", **given)["album"] for client in ("Feishin", "SubMusic-v1"))
    assert len(json.dumps(small)) < len(json.dumps(usual)) * 0.7
    assert small["name"] == "Début" and small["songCount"] == 3 and small["artist"] == "Björk"
    assert [one["title"] for one in small["song"]] == ["Señorita", "Für Elise", "Hoppípolla"]
    assert not [one for song in small["song"] for one in song.values() if isinstance(one, (list, dict))]
    assert "replayGain" in usual["song"][0]
    found = told(house, "Clementine", "search3", query="")["searchResult3"]
    assert len(found["song"]) == 10 and found["album"] and found["artist"]


def test_dsub_meets_no_artists_inside_of_songs(house: House) -> None:
    """Its parser would take Nellee Hooper, a composer of these songs, for an artist that was found."""
    for call, given in (("search3", {"query": "Señorita"}), ("getAlbum", {"id": house.album("Début")}),
                        ("getMusicDirectory", {"id": house.album("Début")})):
        document = house.raw(call, f="xml", client="DSub", **given).data
        assert "Señorita".encode() in document and b"Nellee Hooper" not in document, call
    assert b"contributors" in house.raw("getAlbum", f="xml", client="Feishin", id=house.album("Début")).data


def test_long_lists_are_made_plain_too() -> None:
    def make(numbers: Sequence[int]) -> list[dict[str, Any]]:
        return [{"id": str(number), "roles": ["artist"]} for number in numbers]

    many = fitting(asked("DSub"), "search3", {"searchResult3": {"song": Pieces(make, range(1200))}})
    assert [one for piece in many["searchResult3"]["song"] for one in piece] == [
        {"id": str(number)} for number in range(1200)]


@pytest.mark.parametrize(("query", "meant"), [
    ('artist:"The Freeze" AND title:"Bloodlights"', "The Freeze Bloodlights"),
    ('(artist:"A" AND album:"B") OR artist:"C"', "A B"), ('(artist:"D" OR album:"D") AND title:"T"', "D T"),
    ('artist:"C" OR album:"C"', "C"), ("plain words", "plain words"), ('title:""', 'title:""'), ("a OR b", "a OR b"),
])
def test_a_query_of_fields_is_its_words(query: str, meant: str) -> None:
    for call in ("search2", "search3"):
        assert meaning(asked("DSub", query=[query]), call).given["query"] == [meant]
    assert meaning(asked("DSub2000", any=[query]), "search").given == {"any": [meant]}
    assert meaning(asked("Feishin", query=[query]), "search3").given["query"] == [query]


def test_two_artists_of_one_name_are_starred_both() -> None:
    call = meaning(asked("DSub", artistId=["a;b", "c"], id=["d"]), "star")
    assert (call.texts("artistId"), call.texts("id")) == (["a", "b", "c"], ["d"])
    assert meaning(asked("DSub", id=["a;b"]), "getArtist").need("id") == "a"
    assert meaning(asked("Feishin", id=["a;b"]), "getArtist").need("id") == "a;b"


def test_supersonics_own_words_are_understood() -> None:
    call = asked("supersonic", limit=["100"], offset=["20"], description=["x"])
    assert meaning(call, "getAlbumList2").text("size") == "100" and meaning(call, "updatePlaylist").has("comment")
    assert not meaning(call, "search3").has("size")
    both = asked("supersonic", limit=["1"], size=["2"], description=["x"], comment=["y"])
    assert meaning(both, "getAlbumList2") is both and meaning(both, "updatePlaylist") is both


def test_who_takes_a_song_out_publishes_nothing() -> None:
    call = asked("Tempus", playlistId=["p"], public=["true"], songIndexToRemove=["0"])
    meant = meaning(call, "updatePlaylist")
    assert not meant.has("public") and meant.has("songIndexToRemove")
    others = asked("Tempus", playlistId=["p"], public=["true"], songIdToAdd=["s"])
    assert meaning(others, "updatePlaylist") is others


def test_nothing_that_is_kept_elsewhere_is_changed() -> None:
    song = {"id": "1", "title": "x", "genres": [{"name": "Rock"}]}
    payload = {"playlist": {"id": "p", "name": "y", "entry": [song], "validUntil": "z"}, "scanStatus": {"count": 1}}
    assert as_before_opensubsonic(payload) == {
        "playlist": {"id": "p", "name": "y", "entry": [{"id": "1", "title": "x"}]}, "scanStatus": {"count": 1}}
    assert song["genres"] and payload["playlist"]["validUntil"] and as_before_opensubsonic(None) is None
