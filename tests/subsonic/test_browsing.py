"""The library by tags, in lists, searched and as folders, over /rest."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.records.choosing import ALBUM_LISTS
from shared.records.entries import Entries
from tests.subsonic.house import House

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
SONGS = {"Señorita", "Für Elise", "Hoppípolla", "Side 1.1", "Side 1.2", "Side 2.1", "Side 2.2", "Walk", "Run", "Rest"}


def titles(songs: list[dict[str, Any]]) -> list[str]:
    return [song["title"] for song in songs]


def test_music_folders_have_numbers_and_names(house: House) -> None:
    assert house.ask("getMusicFolders")["musicFolders"]["musicFolder"] == [{"id": 1, "name": "music"}]


def test_artists_stand_under_their_letters_without_articles(house: House) -> None:
    artists = house.ask("getArtists")["artists"]
    assert artists["ignoredArticles"] == "The A An"
    under = {index["name"]: [one["name"] for one in index["artist"]] for index in artists["index"]}
    assert under == {"B": ["Björk"], "P": ["The Pair"], "V": ["Various Artists"]}
    assert artists == house.ask("getArtists", musicFolderId=1)["artists"]


def test_an_artist_has_the_albums_they_made_and_those_they_play_on(house: House) -> None:
    artist = house.ask("getArtist", id=house.artist("The Pair"))["artist"]
    assert (artist["name"], artist["albumCount"], [one["name"] for one in artist["album"]]) == (
        "The Pair", 1, ["Two Sides"])
    mover = house.ask("getArtist", id=house.artist("Mover 1"))["artist"]
    assert [one["name"] for one in mover["album"]] == ["Moving"]


def test_an_album_tells_all_that_is_kept_of_it_and_its_songs_in_order(house: House) -> None:
    album = house.ask("getAlbum", id=house.album("Two Sides"))["album"]
    assert titles(album["song"]) == ["Side 1.1", "Side 1.2", "Side 2.1", "Side 2.2"]
    assert [(one["discNumber"], one["track"]) for one in album["song"]] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert album["discTitles"] == [{"disc": 1, "title": "Half 1"}, {"disc": 2, "title": "Half 2"}]
    assert (album["songCount"], album["year"], album["releaseDate"]) == (4, 2001, {"year": 2001, "month": 5, "day": 4})
    assert album["genres"] == [{"name": "Rock"}] and album["isCompilation"] is False
    assert album["artistId"] == album["artists"][0]["id"] == house.artist("The Pair")
    assert MOMENT.fullmatch(album["created"]) and "starred" not in album and "coverArt" not in album
    moving = house.ask("getAlbum", id=house.album("Moving"))["album"]
    assert moving["isCompilation"] is True and "year" not in moving and moving["releaseDate"] == {}


def test_a_song_tells_all_that_is_kept_of_it(house: House) -> None:
    song = house.ask("getSong", id=house.track("Señorita"))["song"]
    assert song["albumId"] == song["parent"] == song["coverArt"] == house.album("Début")
    assert song["artistId"] == house.artist("Björk") == song["artists"][0]["id"] == song["albumArtists"][0]["id"]
    told = {name: song[name] for name in (
        "isDir", "isVideo", "type", "mediaType", "suffix", "contentType", "duration", "track", "discNumber", "year",
        "genre", "isrc", "displayComposer", "replayGain", "channelCount", "samplingRate", "bitDepth", "playCount")}
    assert told == {
        "isDir": False, "isVideo": False, "type": "music", "mediaType": "song", "suffix": "flac",
        "contentType": "audio/flac", "duration": 4, "track": 1, "discNumber": 1, "year": 1993, "genre": "Electronic",
        "isrc": ["GBAAA9300001"], "displayComposer": "Nellee Hooper",
        "replayGain": {"trackGain": -6.5, "trackPeak": 0.9}, "channelCount": song["channelCount"],
        "samplingRate": song["samplingRate"], "bitDepth": 16, "playCount": 0}
    assert [(one["role"], one["artist"]["name"]) for one in song["contributors"]] == [("composer", "Nellee Hooper")]
    assert song["path"] == "Björk/Début/01 Señorita.flac" and song["size"] > 1000


def test_who_may_not_see_files_is_told_a_path_that_is_made_up(house: House) -> None:
    uid = house.track("Side 2.1")
    assert house.ask("getSong", id=uid)["song"]["path"] == "The Two Sides/CD2/01.mp3"
    assert house.ask("getSong", id=uid, who="guest")["song"]["path"] == "The Pair/Two Sides/2-01 Side 2.1.mp3"


def test_genres_are_counted(house: House) -> None:
    assert house.ask("getGenres")["genres"]["genre"] == [
        {"value": "Electronic", "songCount": 3, "albumCount": 1}, {"value": "Pop", "songCount": 3, "albumCount": 1},
        {"value": "Rock", "songCount": 4, "albumCount": 1}]


@pytest.mark.parametrize(("call", "given", "code"), [
    ("getArtist", {}, 10), ("getArtist", {"id": "nobody"}, 70), ("getAlbum", {"id": ""}, 10),
    ("getAlbum", {"id": "nothing"}, 70), ("getSong", {"id": "x" * 5000}, 70), ("getMusicDirectory", {"id": "d1"}, 70),
    ("getMusicDirectory", {"id": "d" + "0" * 20}, 70), ("getArtists", {"musicFolderId": "99"}, 70),
    ("getAlbumList2", {}, 10), ("getAlbumList2", {"type": "loudest"}, 0), ("getAlbumList2", {"type": "byYear"}, 10),
    ("getAlbumList2", {"type": "byGenre"}, 10), ("getSongsByGenre", {}, 10), ("search3", {}, 10),
])  # fmt: skip
def test_what_is_not_there_or_lacking_is_told_in_the_protocol_s_numbers(
    house: House, call: str, given: dict[str, str], code: int
) -> None:
    assert house.refused(call, **given) == code


# ---- lists -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ALBUM_LISTS)
def test_both_album_lists_have_the_same_albums(house: House, kind: str) -> None:
    given = {"type": kind, "fromYear": 1990, "toYear": 2005, "genre": "rock"}
    new = house.ask("getAlbumList2", **given)["albumList2"]["album"]
    old = house.ask("getAlbumList", **given)["albumList"]["album"]
    assert sorted(one["id"] for one in new) == sorted(one["id"] for one in old)
    assert all(one["isDir"] is True and one["title"] == one["album"] for one in old)
    expected = {"byYear": ["Début", "Two Sides"], "byGenre": ["Two Sides"], "frequent": [], "recent": [],
                "starred": [], "highest": [], "alphabeticalByName": ["Début", "Moving", "Two Sides"],
                "alphabeticalByArtist": ["Début", "Two Sides", "Moving"]}
    if kind in expected:
        assert [one["name"] for one in new] == expected[kind]
    else:
        assert len(new) == 3


def test_years_in_the_other_order_are_the_list_the_other_way_round(house: House) -> None:
    forth = house.ask("getAlbumList2", type="byYear", fromYear=1990, toYear=2005)["albumList2"]["album"]
    back = house.ask("getAlbumList2", type="byYear", fromYear=2005, toYear=1990)["albumList2"]["album"]
    assert len(forth) == 2 and forth == back[::-1]


def test_favourites_are_in_their_lists_with_the_moment(house: House) -> None:
    listening, person = house.station.listening, house.person("adult")
    album, song, artist = house.album("Moving"), house.track("Run"), house.artist("Björk")
    listening.favourite_album(person, album, True)
    listening.favourite(person, song, True)
    listening.favourite_artist(person, artist, True)
    starred = house.ask("getStarred2", who="adult")["starred2"]
    assert {kind: [one["id"] for one in its] for kind, its in starred.items()} == {
        "artist": [artist], "album": [album], "song": [song]}
    assert all(MOMENT.fullmatch(one["starred"]) for its in starred.values() for one in its)
    old = house.ask("getStarred", who="adult")["starred"]
    assert old["album"][0]["isDir"] is True and old["song"] == starred["song"]
    assert house.ask("getAlbumList2", type="starred", who="adult")["albumList2"]["album"] == starred["album"]
    assert house.ask("getStarred2")["starred2"] == {"artist": [], "album": [], "song": []}


def test_songs_by_genre_and_by_chance(house: House) -> None:
    pop = house.ask("getSongsByGenre", genre="pop", count=2)["songsByGenre"]["song"]
    rest = house.ask("getSongsByGenre", genre="Pop", count=2, offset=2)["songsByGenre"]["song"]
    assert sorted(titles(pop + rest)) == ["Für Elise", "Hoppípolla", "Señorita"]
    assert set(titles(house.ask("getRandomSongs", size=500)["randomSongs"]["song"])) == SONGS
    some = house.ask("getRandomSongs", size=500, fromYear=2005, toYear=2000, musicFolderId=1)["randomSongs"]["song"]
    assert all(one["year"] == 2001 for one in some) and len(some) == 4


# ---- searching ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["", '""', " "])
@settings(max_examples=12, deadline=None)
@given(count=st.integers(1, 4))
def test_everything_is_read_page_by_page_each_once(house: House, query: str, count: int) -> None:
    read: list[dict[str, Any]] = []
    while page := house.ask("search3", query=query, songCount=count, songOffset=len(read), albumCount=0,
                            artistCount=0)["searchResult3"]["song"]:
        read += page
    assert set(titles(read)) == SONGS and len(read) == len(SONGS)


def test_everything_has_all_three_kinds_and_none_where_none_is_wanted(house: House) -> None:
    whole = house.ask("search3", query='""')["searchResult3"]
    assert [len(whole[kind]) for kind in ("artist", "album", "song")] == [6, 3, 10]
    assert house.ask("search3", query='""', artistCount=0, albumCount=0, songCount=0)["searchResult3"] == {
        "artist": [], "album": [], "song": []}
    assert len(house.ask("search2", query="")["searchResult2"]["song"]) == 10


def test_a_search_finds_as_the_player_s_does(house: House) -> None:
    found = house.ask("search3", query="bjork")["searchResult3"]
    assert [one["name"] for one in found["artist"]] == ["Björk"] and len(found["song"]) == 3
    pages = [house.ask("search3", query="side", songCount=3, songOffset=offset)["searchResult3"]["song"]
             for offset in (0, 3, 6)]
    assert [len(page) for page in pages] == [3, 1, 0]
    assert len({song["id"] for page in pages for song in page}) == 4
    assert house.ask("search2", query="debut")["searchResult2"]["album"][0]["isDir"] is True
    assert house.ask("search3", query="side", musicFolderId=1)["searchResult3"]["song"] == pages[0] + pages[1]


def test_the_oldest_search_finds_songs(house: House) -> None:
    found = house.ask("search", title="side")["searchResult"]
    assert (found["totalHits"], found["offset"], len(found["match"])) == (4, 0, 4)
    assert house.ask("search", any="side", newerThan=2**42)["searchResult"]["match"] == []


@settings(max_examples=40, deadline=None)
@given(query=st.text(max_size=30), count=st.integers(-5, 50), offset=st.integers(-5, 2**70))
def test_any_query_is_answered(house: House, query: str, count: int, offset: int) -> None:
    answer = house.told("search3", query=query.encode("utf-8", "replace").decode(), songCount=count, songOffset=offset)
    assert answer["status"] == "ok" or (answer["error"]["code"] == 0 and offset > 10**19)
    if answer["status"] == "ok":
        assert len(answer["searchResult3"]["song"]) <= max(count, 0)


# ---- as folders --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["owner", "child"])
def test_walking_the_folders_meets_every_song_once(house: House, who: str) -> None:
    indexes = house.ask("getIndexes", who=who)["indexes"]
    met, to_see = [], [one["id"] for index in indexes["index"] for one in index["artist"]]
    while to_see:
        directory = house.ask("getMusicDirectory", id=to_see.pop(), who=who)["directory"]
        for child in directory["child"]:
            if child["isDir"]:
                assert child["parent"] == directory["id"]
                to_see.append(child["id"])
            else:
                assert child["parent"] == directory["id"]
                met.append(child["title"])
    assert sorted(met) == sorted(SONGS)


def test_owners_and_adults_walk_real_directories_and_others_artists_and_albums(house: House) -> None:
    real = house.ask("getIndexes")["indexes"]["index"]
    assert {index["name"]: [one["name"] for one in index["artist"]] for index in real} == {
        "B": ["Björk"], "T": ["The Two Sides"], "V": ["Various"]}
    two = next(one["id"] for index in real for one in index["artist"] if one["name"] == "The Two Sides")
    inside = house.ask("getMusicDirectory", id=two)["directory"]
    assert [child["title"] for child in inside["child"]] == ["CD1", "CD2"] and inside["parent"] == "1"
    for scope in ("listen", "add"):     # an app password that may less is no smaller library
        house.keys[scope] = house.key_of("adult", scope)
        assert house.ask("getIndexes", who=scope)["indexes"]["index"] == real
        for uid in (1, two):
            assert house.ask("getMusicDirectory", id=uid, who=scope) == house.ask("getMusicDirectory", id=uid)
        cd = inside["child"][0]["id"]
        assert house.ask("getAlbumInfo", id=cd, who=scope) == house.ask(
            "getAlbumInfo", id=house.album("Two Sides"), who=scope)
        house.ask("star", id=cd, who=scope)
        assert "Two Sides" in [one["name"] for one in house.ask("getStarred2", who=scope)["starred2"]["album"]]
        house.ask("unstar", id=cd, who=scope)
    assert house.refused("getMusicDirectory", id=two, who="child") == 70
    album = house.ask("getMusicDirectory", id=house.album("Début"), who="child")["directory"]
    assert (album["parent"], len(album["child"])) == (house.artist("Björk"), 3)
    whole = house.ask("getMusicDirectory", id=1, who="child")["directory"]
    assert [child["title"] for child in whole["child"]] == ["Björk", "The Pair", "Various Artists"]


def test_indexes_are_told_again_only_when_something_changed(house: House) -> None:
    first = house.ask("getIndexes")["indexes"]
    assert isinstance(first["lastModified"], int) and first["index"]
    again = house.ask("getIndexes", ifModifiedSince=first["lastModified"])["indexes"]
    assert again["index"] == [] and again["lastModified"] == first["lastModified"]
    assert house.ask("getIndexes", ifModifiedSince=first["lastModified"] - 1)["indexes"]["index"] == first["index"]


# ---- the form ----------------------------------------------------------------------------------------------------


def test_xml_says_the_same_as_json(house: House) -> None:
    uid = house.album("Two Sides")
    album = ElementTree.fromstring(house.raw("getAlbum", id=uid, f=None).data)[0]
    told = house.ask("getAlbum", id=uid)["album"]
    assert album.get("songCount") == str(told["songCount"])
    assert [song.get("title") for song in album if song.tag.endswith("}song")] == titles(told["song"])


def test_nothing_told_is_null_and_no_name_is_empty(house: House) -> None:
    def look(thing: Any, path: str = "") -> None:
        assert thing is not None, path
        if isinstance(thing, dict):
            for name, value in thing.items():
                assert name not in ("name", "id", "title", "parent", "albumId", "artistId", "coverArt") or value, path
                look(value, f"{path}.{name}")
        elif isinstance(thing, list):
            for one in thing:
                look(one, path)

    for call, its in (("search3", {"query": ""}), ("getAlbum", {"id": house.album("Moving")}), ("getArtists", {}),
                      ("getIndexes", {}), ("getAlbumList", {"type": "newest"})):
        look(house.ask(call, **its), call)


def test_ids_stay_when_the_folders_are_read_again(house: House) -> None:
    before = house.ask("search3", query="")["searchResult3"], house.ask("getIndexes")["indexes"]["index"]
    house.rescan()
    after = house.ask("search3", query="")["searchResult3"], house.ask("getIndexes")["indexes"]["index"]
    assert before == after and all(one["id"] != other["id"] for one, other in pairwise(before[0]["song"]))


def test_long_lists_are_never_whole_in_memory_and_yet_the_same(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    songs = house.ask("search3", query="", songCount=50)["searchResult3"]["song"]
    ids = [one["id"] for one in songs] * 2
    made = house.ask("createPlaylist", name="twice", songId=ids)["playlist"]
    house.ask("savePlayQueue", id=ids, current=ids[3])
    top = house.ask("getIndexes")["indexes"]["index"]
    folder = next(one for letter in top for one in letter["artist"] if one["name"] == "Björk")
    album = house.ask("getMusicDirectory", id=folder["id"])["directory"]["child"][0]["id"]
    asked: list[dict[str, Any]] = [
        {"call": "getAlbum", "id": house.album("Début")}, {"call": "getMusicDirectory", "id": house.album("Début")},
        {"call": "getMusicDirectory", "id": album}, {"call": "getPlaylist", "id": made["id"]}, {"call": "getPlayQueue"},
        {"call": "getSongsByGenre", "genre": "Rock", "count": 10},
        {"call": "getMusicDirectory", "id": 1, "who": "child"},
    ]
    whole = [house.ask(**one) for one in asked]
    most: list[int] = []

    def counting(kind: str) -> Any:
        first = getattr(Entries, kind)

        def rows(self: Entries, person: Any, keys: Any) -> Any:
            most.append(len(keys))
            return first(self, person, keys)

        return rows

    monkeypatch.setattr("shared.subsonic.answer.PIECE", 2)
    for kind in ("tracks", "artists"):
        monkeypatch.setattr(Entries, kind, counting(kind))
    assert [house.ask(**one) for one in asked] == whole
    assert max(most) == 2
    house.ask("deletePlaylist", id=made["id"])
    house.ask("savePlayQueue")
