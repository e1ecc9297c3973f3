"""Similar songs, top songs, what is known of artists and albums, and what sounds alike, as programs ask for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.subsonic.house import House


@pytest.fixture
def heard(house: House) -> Iterator[House]:
    """The house after its tracks were listened to."""
    house.station.sounding.listen()
    house.station.likeness._looked = None
    yield house
    with house.station.database.transaction() as conn:
        conn.exec_driver_sql("DELETE FROM sounds")
    house.station.likeness._looked = None


def titles(songs: list[dict[str, str]]) -> list[str]:
    return [one["title"] for one in songs]


def extensions(house: House) -> set[str]:
    return {one["name"] for one in house.ask("getOpenSubsonicExtensions")["openSubsonicExtensions"]}


def test_similar_songs_go_with_a_song_an_album_or_an_artist(house: House) -> None:
    for uid in (house.track("Für Elise"), house.album("Début"), house.artist("Björk")):
        for call, name in (("getSimilarSongs", "similarSongs"), ("getSimilarSongs2", "similarSongs2")):
            songs = house.ask(call, id=uid)[name]["song"]
            assert songs and all(one["isDir"] is False and one["title"] for one in songs)
    others = titles(house.ask("getSimilarSongs2", id=house.track("Für Elise"))["similarSongs2"]["song"])
    assert "Für Elise" not in others and set(others) & {"Señorita", "Hoppípolla"}
    assert house.ask("getSimilarSongs2", id=house.artist("Björk"), count=0)["similarSongs2"]["song"] == []
    assert len(house.ask("getSimilarSongs", id=house.artist("Björk"), count=2)["similarSongs"]["song"]) == 2
    assert house.refused("getSimilarSongs", id="nothing") == 70
    assert house.refused("getSimilarSongs2") == 10


def test_a_folder_stands_for_what_lies_in_it(house: House) -> None:
    folder = house.ask("getIndexes")["indexes"]["index"]
    folders = {one["name"]: one["id"] for letter in folder for one in letter["artist"]}
    inside = house.ask("getMusicDirectory", id=folders["Björk"])["directory"]["child"][0]["id"]
    assert house.ask("getArtistInfo", id=folders["Björk"])["artistInfo"]["lastFmUrl"].endswith("/Bj%C3%B6rk")
    assert house.ask("getAlbumInfo", id=inside)["albumInfo"]["lastFmUrl"].endswith("/D%C3%A9but")
    assert house.ask("getSimilarSongs", id=inside)["similarSongs"]["song"]
    assert house.refused("getAlbumInfo", id="d" + "0" * 20) == 70


def test_top_songs_are_asked_for_by_name_or_by_id(house: House) -> None:
    by_name = house.ask("getTopSongs", artist="björk")["topSongs"]["song"]
    by_id = house.ask("getTopSongs", id=house.artist("Björk"), count=2)["topSongs"]["song"]
    assert len(by_name) == 3 and titles(by_id) == titles(by_name)[:2]
    assert house.ask("getTopSongs", artist="Nobody at all")["topSongs"]["song"] == []
    assert house.ask("getTopSongs", artist="Nobody", id=house.artist("Björk"))["topSongs"]["song"]
    assert house.refused("getTopSongs", id="nothing") == 70
    assert house.refused("getTopSongs") == 10
    assert "topSongsByArtistId" in extensions(house)


def test_an_artist_is_told_with_a_picture_and_similar_artists(house: House) -> None:
    for uid in (house.artist("Björk"), house.album("Début"), house.track("Señorita")):
        info = house.ask("getArtistInfo2", id=uid)["artistInfo2"]
        assert info["lastFmUrl"] == "https://www.last.fm/music/Bj%C3%B6rk" and info["biography"] == ""
        assert all(isinstance(one["albumCount"], int) for one in info["similarArtist"])
    plain = house.ask("getArtistInfo", id=house.artist("Björk"))["artistInfo"]
    assert {name for one in plain["similarArtist"] for name in one} <= {
        "id", "name", "artistImageUrl", "starred", "userRating", "averageRating"}
    picture = plain["largeImageUrl"].partition("/rest/")[2]
    shown = house.app.test_client(use_cookies=False).get(f"/rest/{picture}")
    assert shown.status_code == 200 and shown.mimetype.startswith("image/")
    assert house.refused("getArtistInfo", id="nothing") == 70


def test_an_album_is_told(house: House) -> None:
    for call in ("getAlbumInfo", "getAlbumInfo2"):
        for uid in (house.album("Début"), house.track("Señorita")):
            info = house.ask(call, id=uid)["albumInfo"]
            assert info["lastFmUrl"] == "https://www.last.fm/music/Bj%C3%B6rk/D%C3%A9but"
            assert info["notes"] == "" and info["smallImageUrl"].startswith("http")
    assert house.refused("getAlbumInfo2", id=house.artist("Björk")) == 70


def test_without_a_sound_songs_go_by_tags_and_the_extension_is_not_listed(
        house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house.station.sounding, "_when", "off")
    assert "sonicSimilarity" not in extensions(house)
    found = house.ask("getSonicSimilarTracks", id=house.track("Für Elise"), count=5)["sonicMatch"]
    assert found and {one["similarity"] for one in found} == {-1.0}
    way = house.ask("findSonicPath", startSongId=house.track("Für Elise"), endSongId=house.track("Señorita"))
    assert titles([one["entry"] for one in way["sonicMatch"]]) == ["Für Elise", "Señorita"]


def test_what_sounds_alike_is_told_with_how_much(heard: House) -> None:
    assert "sonicSimilarity" in extensions(heard)
    found = heard.ask("getSonicSimilarTracks", id=heard.track("Für Elise"), count=4)["sonicMatch"]
    likeness = [one["similarity"] for one in found]
    assert len(found) == 4 and likeness == sorted(likeness, reverse=True)
    assert all(0 <= one <= 1 for one in likeness) and "Für Elise" not in titles([one["entry"] for one in found])
    assert heard.ask("getSonicSimilarTracks", id=heard.track("Für Elise"), count=0)["sonicMatch"] == []
    assert heard.refused("getSonicSimilarTracks", id=heard.album("Début")) == 70
    assert heard.refused("getSonicSimilarTracks") == 10


def test_a_way_by_sound_leads_from_one_song_to_the_other(heard: House) -> None:
    first, last = heard.track("Für Elise"), heard.track("Señorita")
    way = heard.ask("findSonicPath", startSongId=first, endSongId=last, count=3)["sonicMatch"]
    assert 2 <= len(way) <= 3 and (way[0]["entry"]["id"], way[0]["similarity"]) == (first, 1.0)
    assert way[-1]["entry"]["id"] == last
    assert heard.refused("findSonicPath", startSongId=first, endSongId="nothing") == 70
    assert heard.refused("findSonicPath", startSongId=first) == 10


def test_the_player_is_told_what_goes_with_a_track(house: House) -> None:
    client = house.app.test_client(use_cookies=False)

    def get(path: str) -> tuple[int, dict[str, list[dict[str, str]]]]:
        answer = client.get(path, headers={"Authorization": f"Bearer {house.whole.tokens['owner', 'own']}"})
        return answer.status_code, answer.get_json()

    status, page = get(f"/api/library/tracks/{house.track('Für Elise')}/similar?limit=2")
    assert status == 200 and len(page["items"]) == 2 and "Für Elise" not in titles(page["items"])
    expected = house.ask("getSimilarSongs2", id=house.track("Für Elise"), count=2)["similarSongs2"]["song"]
    assert titles(page["items"]) == titles(expected)
    assert get(f"/api/library/tracks/{house.artist('Björk')}/similar")[0] == 404
    assert client.get(f"/api/library/tracks/{house.track('Für Elise')}/similar").status_code == 401
