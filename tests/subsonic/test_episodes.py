"""Episodes of podcasts beside songs: starred, heard, kept in the queue, bookmarked and shared. And what somebody who
sees a part of the library is told of what others hear."""

from __future__ import annotations

from typing import Any

import pytest

from shared.model.podcast import Feed, FeedEpisode
from tests.builders import make_audio
from tests.subsonic.house import House


@pytest.fixture(scope="module")
def episode(house: House) -> str:
    """Fetched: 100 seconds of it, as the records say."""
    records = house.station.podcast_records
    podcast = str(records.add(house.person().user_id, "http://feeds.example/show"))
    records.take_in(podcast, Feed(title="The Show", episodes=(FeedEpisode(
        guid="g", title="First", url="http://x.example/1.mp3", published_at=1.7e9),)), now=1.7e9, next_at=4e9)
    uid = str(records.page(house.person(), podcast, limit=1)[0][0].id)
    path = make_audio(house.station.settings.data_dir / "podcasts" / podcast, f"{uid}.mp3", seconds=2)
    records.mark(uid, "downloading", only=("new",), download="d")
    records.kept(uid, path=f"{podcast}/{path.name}", format="mp3", mime_type="audio/mpeg", duration_ms=100_000,
                 size_bytes=path.stat().st_size, bitrate_kbps=128, sample_rate_hz=44_100, channels=2, mtime_ns=1,
                 sha256="s", download="d")
    return uid


def whole(house: House, uid: str) -> Any:
    return house.station.podcast_records.whole(house.person(), uid)


def test_it_is_starred_and_rated_by_its_id(house: House, episode: str) -> None:
    song = house.track("Walk")
    house.ask("star", id=[episode, song])
    assert whole(house, episode).favourite_at and house.station.tracks.get(house.person(), song).favourite
    house.ask("unstar", id=[episode, song])
    assert whole(house, episode).favourite_at is None
    house.ask("setRating", id=episode, rating=5)
    assert whole(house, episode).rating == 5


def test_it_is_heard_once_and_its_place_is_kept(house: House, episode: str) -> None:
    def tell(state: str, at_ms: int) -> None:
        house.ask("reportPlayback", mediaId=episode, mediaType="podcast", positionMs=at_ms, state=state)

    tell("starting", 0)
    tell("paused", 40_000)
    (entry,) = house.ask("getNowPlaying")["nowPlaying"]["entry"]
    assert (entry["id"], entry["state"], entry["positionMs"]) == (episode, "paused", 40_000)
    assert (whole(house, episode).shown.position_ms, whole(house, episode).play_count) == (40_000, 0)
    tell("playing", 41_000)
    tell("stopped", 99_000)
    assert (whole(house, episode).shown.finished, whole(house, episode).play_count) == (True, 1)
    assert house.refused("reportPlayback", mediaId=episode, mediaType="song", positionMs=0, state="playing") == 70
    assert house.refused("reportPlayback", mediaId=house.track("Walk"), mediaType="podcast", positionMs=0,
                         state="playing") == 70
    house.ask("scrobble", id=episode, submission=False)
    assert house.ask("getNowPlaying")["nowPlaying"]["entry"][0]["id"] == episode


def test_its_place_is_one_wherever_it_is_told(house: House, episode: str) -> None:
    def place() -> Any:
        (bookmark,) = house.ask("getBookmarks")["bookmarks"]["bookmark"]
        return bookmark["position"], whole(house, episode).shown.position_ms

    house.ask("createBookmark", id=episode, position=30_000)
    assert place() == (30_000, 30_000)
    house.station.podcast_records.set_position(house.person(), episode, 50_000)     # as the player does
    assert place() == (50_000, 50_000)
    house.ask("reportPlayback", mediaId=episode, mediaType="podcast", positionMs=0, state="starting")
    assert place() == (50_000, 50_000)      # who puts it on has not gone back to its beginning
    house.ask("reportPlayback", mediaId=episode, mediaType="podcast", positionMs=2_000, state="stopped")
    assert place() == (2_000, 2_000)
    house.station.podcast_records.set_position(house.person(), episode, 0)
    assert place() == (0, 0)
    house.ask("deleteBookmark", id=episode)


def test_what_was_begun_in_the_player_has_a_bookmark_and_none_more_when_that_is_taken_out(
    house: House, episode: str
) -> None:
    def marks() -> list[tuple[str, int]]:
        return [(one["entry"]["id"], one["position"]) for one in house.ask("getBookmarks")["bookmarks"]["bookmark"]]

    def move(position_ms: int, **more: bool) -> None:       # as the player does
        house.station.podcast_records.set_position(house.person(), episode, position_ms, **more)

    song = house.track("Walk")
    house.ask("createBookmark", id=song, position=1_000)
    move(40_000, finished=False)
    assert marks() == [(episode, 40_000), (song, 1_000)]
    assert house.ask("getBookmarks", who="child")["bookmarks"]["bookmark"] == []
    house.ask("createBookmark", id=episode, position=41_000)
    assert marks() == [(episode, 41_000), (song, 1_000)]
    move(42_000)
    house.ask("deleteBookmark", id=episode)
    assert marks() == [(song, 1_000)] and whole(house, episode).shown.position_ms == 0
    move(43_000)
    house.ask("deleteBookmark", id=episode)     # that nobody made as one
    assert marks() == [(song, 1_000)] and whole(house, episode).shown.position_ms == 0
    assert house.refused("deleteBookmark", id=episode) == 70
    move(100_000, finished=True)
    assert marks() == [(song, 1_000)]
    house.ask("deleteBookmark", id=song)


def test_however_often_it_is_told_it_was_heard_once(house: House, episode: str) -> None:
    begun = whole(house, episode).play_count
    house.ask("reportPlayback", mediaId=episode, mediaType="podcast", positionMs=5_000, state="playing")
    house.ask("reportPlayback", mediaId=episode, mediaType="podcast", positionMs=99_000, state="playing")
    assert whole(house, episode).shown.finished and whole(house, episode).play_count == begun + 1
    house.ask("scrobble", id=episode)
    house.ask("reportPlayback", mediaId=episode, mediaType="podcast", positionMs=100_000, state="stopped")
    house.ask("scrobble", id=episode)
    assert whole(house, episode).play_count == begun + 1
    house.station.podcast_records.set_position(house.person(), episode, 9_000)     # and once more
    house.ask("scrobble", id=episode, time=1_700_000_000_000)
    house.ask("scrobble", id=episode, time=1_700_000_000_000)
    assert whole(house, episode).play_count == begun + 2


def test_it_stands_in_the_queue_between_songs_and_has_a_bookmark(house: House, episode: str) -> None:
    songs = [house.track("Walk"), episode, house.track("Walk")]
    house.ask("savePlayQueue", id=songs, current=episode, position=5)
    told = house.ask("getPlayQueue")["playQueue"]
    assert ([one["id"] for one in told["entry"]], told["current"], told["position"]) == (songs, episode, 5)
    player = house.station.listening.queue(house.person())      # which knows tracks alone
    assert player.track_ids == [songs[0], songs[2]]
    house.ask("createBookmark", id=episode, position=7_000)
    (mark,) = house.ask("getBookmarks")["bookmarks"]["bookmark"]
    assert (mark["entry"]["id"], mark["position"]) == (episode, 7_000)
    house.ask("deleteBookmark", id=episode)


def test_it_is_heard_by_who_has_a_link(house: House, episode: str) -> None:
    (made,) = house.ask("createShare", id=episode)["shares"]["share"]
    assert [one["id"] for one in made["entry"]] == [episode]
    client = house.app.test_client(use_cookies=False)
    path = "/" + made["url"].split("/", 3)[3]
    (item,) = client.get(f"{path}/about").get_json()["items"]
    assert (item["title"], item["artist"], item["duration_ms"]) == ("First", "The Show", 100_000)
    sound = client.get(item["stream"], headers={"Range": "bytes=0-9"}, buffered=True)
    assert (sound.status_code, len(sound.data), sound.mimetype) == (206, 10, "audio/mpeg")
    house.ask("deleteShare", id=made["id"])


def test_what_nobody_would_hear_by_a_link_is_not_shared(house: House, episode: str) -> None:
    records = house.station.podcast_records
    podcast = str(records.add(house.person().user_id, "http://feeds.example/far"))
    records.take_in(podcast, Feed(title="Far", episodes=(FeedEpisode(
        guid="g", title="Not here", url="http://x.example/2.mp3", published_at=1.6e9),)), now=1.7e9, next_at=4e9)
    far = str(records.page(house.person(), podcast, limit=1)[0][0].id)
    before = house.ask("getShares")["shares"]["share"]
    told = house.told("createShare", id=[episode, far])
    assert told["status"] == "failed" and told["error"]["code"] == 0
    assert "“Not here”" in told["error"]["message"] and "fetched" in told["error"]["message"]
    answer = house.app.test_client(use_cookies=False).post(
        "/api/shares", json={"entries": [{"kind": "episode", "id": far}]},
        headers={"Authorization": f"Bearer {house.whole.tokens['owner', 'own']}"})
    assert answer.status_code == 422 and "“Not here”" in answer.get_data(as_text=True)
    assert house.ask("getShares")["shares"]["share"] == before


def test_what_is_not_there_is_told_in_the_words_of_who_asks(house: House) -> None:
    def said(call: str, **given: Any) -> tuple[int, str]:
        error = house.told(call, **given)["error"]
        return error["code"], error["message"]

    assert said("stream", id="nothing") == (70, "There is no such song or episode here.")
    assert said("getCoverArt", id="nothing") == (70, "There is no such picture here.")
    assert said("createShare", id="nothing") == (70, "There is no such song, album, artist, playlist or episode here.")
    assert said("createShare", id=[house.track("Walk"), "x"]) == (
        70, "Of these 2 things one cannot be shared: there is no such song, album, artist, playlist or episode here.")
    assert "revoked" in house.raw("ping", who=None, apiKey="AAAA").get_json()["subsonic-response"]["error"]["message"]


def test_who_sees_a_part_of_the_library_is_told_of_that_part_alone(house: House) -> None:
    owner, kid = house.person(), house.person("child")
    root = house.station.scans.roots()[0]
    seen, unseen = house.track("Für Elise"), house.track("Walk")
    mixed = house.ask("createPlaylist", name="Mixed", songId=[unseen, seen, unseen])["playlist"]["id"]
    house.station.playlists.edit(owner, mixed, visibility="collaborative")
    house.ask("scrobble", id=unseen, submission=False)
    house.station.accounts.change_user(owner, kid.id, limited=True, folders=[(root.path, "Björk")])
    try:
        kid_asks: dict[str, Any] = {"who": "child"}
        assert house.ask("getNowPlaying", **kid_asks)["nowPlaying"]["entry"] == []
        assert house.whole.ask("GET", "/api/now-playing", token=house.whole.tokens["child", "own"],
                               buffered=True).get_json()["items"] == []
        told = house.ask("getPlaylist", id=mixed, **kid_asks)["playlist"]
        assert ([one["id"] for one in told["entry"]], told["songCount"]) == ([seen], 1)
        house.ask("updatePlaylist", playlistId=mixed, songIndexToRemove=0, songIdToAdd=seen, **kid_asks)
        assert house.refused("updatePlaylist", playlistId=mixed, songIndexToRemove=1, **kid_asks) == 0
        assert house.refused("updatePlaylist", playlistId=mixed, songIdToAdd=unseen, **kid_asks) == 70
        for call, more in (("star", {}), ("setRating", {"rating": 1}), ("scrobble", {}),
                           ("scrobble", {"submission": False}), ("createBookmark", {"position": 1})):
            assert house.refused(call, id=unseen, **more, **kid_asks) == 70, call
        assert house.refused("reportPlayback", mediaId=unseen, mediaType="song", positionMs=0, state="playing",
                             **kid_asks) == 70
        house.ask("savePlayQueue", id=[unseen, seen], current=unseen, **kid_asks)
        assert [one["id"] for one in house.ask("getPlayQueue", **kid_asks)["playQueue"]["entry"]] == [seen]
        assert house.ask("getScanStatus", **kid_asks)["scanStatus"]["count"] == 3
    finally:
        house.station.accounts.change_user(owner, kid.id, limited=False)
    assert [one["id"] for one in house.ask("getPlaylist", id=mixed)["playlist"]["entry"]] == [unseen, unseen, seen]
    house.ask("deletePlaylist", id=mixed)
