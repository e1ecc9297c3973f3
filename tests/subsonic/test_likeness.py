"""Similar songs, top songs, what is known of artists and albums, and what sounds alike, as programs ask for it."""

from __future__ import annotations

from tests.subsonic.house import House


def test_similar_songs_go_with_a_song_an_album_or_an_artist(house: House) -> None:
    for uid in (house.track("Für Elise"), house.album("Début"), house.artist("Björk")):
        for call, name in (("getSimilarSongs", "similarSongs"), ("getSimilarSongs2", "similarSongs2")):
            songs = house.ask(call, id=uid)[name]["song"]
            assert songs and all(one["isDir"] is False and one["title"] for one in songs)
    others = [one["title"] for one in house.ask("getSimilarSongs2", id=house.track("Für Elise"))["similarSongs2"]["song"]]
    assert "Für Elise" not in others and set(others) & {"Señorita", "Hoppípolla"}
    assert house.ask("getSimilarSongs2", id=house.artist("Björk"), count=0)["similarSongs2"]["song"] == []
    assert house.refused("getSimilarSongs", id="nothing") == 70
    assert house.refused("getSimilarSongs2") == 10
