"""Podcasts and radio at /rest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from shared.model.podcast import Feed, FeedEpisode
from tests.builders import make_audio
from tests.subsonic.house import House


def entry(which: int, **more: Any) -> FeedEpisode:
    return FeedEpisode(guid=f"g{which}", title=f"Episode {which}", url=f"http://x.example/{which}.mp3",
                       published_at=86_400.0 * 400 * which, duration_ms=61_000, description="Words", **more)


@pytest.fixture(scope="module")
def show(house: House) -> str:
    """A podcast of two episodes, the second of which is fetched."""
    records = house.station.podcasts.records
    uid = str(records.add(house.person().user_id, "http://feeds.example/show"))
    records.take_in(uid, Feed(title="The Show", description="About", image_url="http://x.example/p.jpg", episodes=(
        entry(2, season=1, number=7, explicit=True), entry(1))), now=1.7e9, next_at=4e9)
    episode = ids(house, uid)["Episode 2"]
    folder = house.station.settings.data_dir / "podcasts" / uid
    path = make_audio(folder, f"{episode}.mp3", seconds=2)
    records.mark(episode, "downloading", only=("new",), download="d")
    records.kept(episode, path=f"{uid}/{path.name}", format="mp3", mime_type="audio/mpeg", duration_ms=2000,
                 size_bytes=path.stat().st_size, bitrate_kbps=128, sample_rate_hz=44_100, channels=2, mtime_ns=1,
                 sha256="s", download="d")
    return uid


@pytest.fixture
def stranger(house: House, show: str) -> Iterator[str]:
    uid = str(house.station.podcasts.records.add(None, "http://feeds.example/other"))
    yield uid
    if uid in {one.id for one in house.station.podcasts.records.every(house.person())}:
        house.station.podcasts.remove(uid)


def ids(house: House, uid: str) -> dict[str, str]:
    return {one.title: one.id for one in house.station.podcasts.records.page(house.person(), uid, limit=9)[0]}


def channels(house: House, **given: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = house.ask("getPodcasts", **given)["podcasts"]["channel"]
    return found


def test_podcasts_come_with_their_episodes_as_the_protocol_has_them(house: House, show: str) -> None:
    (channel,) = channels(house, who="guest")
    episodes = channel.pop("episode")
    assert channel == {
        "id": show, "url": "http://feeds.example/show", "title": "The Show", "description": "About",
        "coverArt": show, "originalImageUrl": "http://x.example/p.jpg", "status": "completed"}
    two, one = episodes
    assert (two["id"], two["streamId"], two["status"], two["channelId"]) == (
        ids(house, show)["Episode 2"], ids(house, show)["Episode 2"], "completed", show)
    assert (two["suffix"], two["contentType"], two["duration"], two["bitRate"], two["isDir"], two["type"]) == (
        "mp3", "audio/mpeg", 2, 128, False, "podcast")
    assert (two["publishDate"], two["track"], two["discNumber"], two["explicitStatus"]) == (
        "1972-03-11T00:00:00.000Z", 7, 1, "explicit")
    assert two["size"] > 1000 and two["album"] == two["artist"] == "The Show"
    assert (one["status"], one["duration"], "streamId" in one) == ("new", 61, False)
    assert [one["id"] for one in channels(house, id=show, includeEpisodes=False)] == [show]
    assert "episode" not in channels(house, includeEpisodes="false")[0]
    assert house.refused("getPodcasts", id="nothing") == 70


def test_the_newest_of_all_and_one_by_its_id(house: House, show: str) -> None:
    newest = house.ask("getNewestPodcasts", count=1)["newestPodcasts"]["episode"]
    assert [one["title"] for one in newest] == ["Episode 2"]
    assert house.ask("getPodcastEpisode", id=newest[0]["id"])["podcastEpisode"] == newest[0]
    assert house.refused("getPodcastEpisode", id="nothing") == 70
    assert house.refused("getPodcastEpisode") == 10


def test_an_episode_is_played_like_a_song(house: House, show: str) -> None:
    uid = ids(house, show)["Episode 2"]
    sound = house.station.podcasts.sound_of(uid).path.read_bytes()
    assert house.raw("stream", id=uid).data == sound
    part = house.raw("stream", id=uid, headers={"Range": "bytes=5-9"})
    assert (part.status_code, part.data) == (206, sound[5:10])
    assert house.raw("download", id=uid).data == sound
    assert house.refused("stream", id=ids(house, show)["Episode 1"]) == 70
    smaller = house.raw("stream", id=uid, format="opus", maxBitRate=32)
    assert (smaller.status_code, smaller.data[:4], smaller.mimetype) == (200, b"OggS", "audio/ogg")


def test_a_bookmark_is_where_the_person_is_in_it_everywhere(house: House, show: str) -> None:
    uid = ids(house, show)["Episode 2"]
    house.ask("createBookmark", id=uid, position=1500, comment="here")
    (bookmark,) = house.ask("getBookmarks")["bookmarks"]["bookmark"]
    assert (bookmark["position"], bookmark["entry"]["id"], bookmark["comment"]) == (1500, uid, "here")
    assert channels(house)[0]["episode"][0]["bookmarkPosition"] == 1
    assert "bookmarkPosition" not in channels(house, who="adult")[0]["episode"][0]
    records = house.station.podcasts.records
    assert records.whole(house.person(), uid).shown.position_ms == 1500
    records.set_position(house.person(), uid, 1800)                 # the player went on
    assert house.ask("getBookmarks")["bookmarks"]["bookmark"][0]["position"] == 1800
    house.ask("deleteBookmark", id=uid)
    assert "bookmarkPosition" not in channels(house)[0]["episode"][0]


def test_stars_and_plays_of_episodes_are_each_person_s(house: House, show: str) -> None:
    uid = ids(house, show)["Episode 1"]
    house.ask("star", id=uid, who="adult")
    house.ask("scrobble", id=uid, who="adult")
    mine = house.ask("getPodcastEpisode", id=uid, who="adult")["podcastEpisode"]
    assert mine["starred"] and mine["played"] and mine["playCount"] == 1
    theirs = house.ask("getPodcastEpisode", id=uid)["podcastEpisode"]
    assert "starred" not in theirs and "played" not in theirs and theirs["playCount"] == 0
    house.ask("unstar", id=uid, who="adult")
    assert "starred" not in house.ask("getPodcastEpisode", id=uid, who="adult")["podcastEpisode"]


def test_episodes_stand_in_the_play_queue_beside_songs(house: House, show: str) -> None:
    uid, song = ids(house, show)["Episode 2"], house.track("Señorita")
    house.ask("savePlayQueue", id=[song, uid], current=uid, position=1200)
    assert [one["id"] for one in house.ask("getPlayQueue")["playQueue"]["entry"]] == [song, uid]


def test_who_may_not_add_music_adds_no_podcast(house: House, show: str) -> None:
    episode = ids(house, show)["Episode 1"]
    for who in ("guest", "child"):
        for call, given in (("createPodcastChannel", {"url": "http://x.example/"}), ("refreshPodcasts", {}),
                            ("deletePodcastChannel", {"id": show}), ("downloadPodcastEpisode", {"id": episode}),
                            ("deletePodcastEpisode", {"id": episode})):
            assert house.refused(call, who=who, **given) == 50, call


def test_a_channel_is_made_and_ended(house: House, stranger: str) -> None:
    assert house.refused("createPodcastChannel", url="http://127.0.0.1:9/feed") == 0
    assert house.refused("createPodcastChannel", url="file:///etc/passwd") == 0
    assert house.refused("createPodcastChannel") == 10
    house.ask("refreshPodcasts")
    house.ask("deletePodcastChannel", id=stranger)
    assert house.refused("deletePodcastChannel", id=stranger) == 70


def test_what_was_fetched_can_be_removed(house: House, stranger: str) -> None:
    records = house.station.podcasts.records
    records.take_in(stranger, Feed(title="Other", episodes=(entry(5),)), now=1.7e9, next_at=4e9)
    uid = ids(house, stranger)["Episode 5"]
    house.ask("deletePodcastEpisode", id=uid)
    assert house.ask("getPodcastEpisode", id=uid)["podcastEpisode"]["status"] == "deleted"
    assert house.refused("downloadPodcastEpisode", id="nothing") == 70
    assert house.refused("deletePodcastEpisode", id="nothing") == 70


def test_internet_radio_stations_are_noted_changed_and_forgotten(house: House) -> None:
    def stations() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = house.ask("getInternetRadioStations", who="guest")["internetRadioStations"][
            "internetRadioStation"]
        return found

    assert stations() == []
    house.ask("createInternetRadioStation", streamUrl="http://r.example/s", name="R & B",
              homepageUrl="http://r.example/")
    (one,) = stations()
    assert one == {"id": one["id"], "name": "R & B", "streamUrl": "http://r.example/s",
                   "homePageUrl": "http://r.example/"}
    house.ask("updateInternetRadioStation", id=one["id"], streamUrl="http://r.example/t", name="R")
    assert stations() == [{**one, "name": "R", "streamUrl": "http://r.example/t"}]
    for wrong in ({"streamUrl": "file:///x", "name": "x"}, {"streamUrl": "http://x/", "name": "x" * 300},
                  {"streamUrl": "http://x/", "name": "x", "homepageUrl": "javascript:1"}):
        assert house.refused("createInternetRadioStation", **wrong) == 0
    assert house.refused("createInternetRadioStation", name="x") == 10
    assert house.refused("createInternetRadioStation", who="guest", streamUrl="http://x/", name="x") == 50
    assert house.refused("updateInternetRadioStation", id="none", streamUrl="http://x/", name="x") == 70
    house.ask("deleteInternetRadioStation", id=one["id"])
    assert stations() == []
    assert house.refused("deleteInternetRadioStation", id=one["id"]) == 70


def test_of_many_podcasts_the_newest_episodes_are_told_and_those_that_are_fetched(
        house: House, show: str, stranger: str, monkeypatch: pytest.MonkeyPatch) -> None:
    records = house.station.podcasts.records
    records.take_in(stranger, Feed(title="Long", episodes=tuple(entry(which) for which in range(1, 41))), now=1.7e9,
                    next_at=4e9)
    fetched = ids(house, show)["Episode 2"]
    records.take_in(show, Feed(title="The Show", cut=True, episodes=tuple(entry(which) for which in range(3, 7))),
                    now=1.7e9, next_at=4e9)
    most: list[int] = []
    first = type(records).wholes

    def wholes(self: Any, person: Any, uids: Any) -> Any:
        most.append(len(uids))
        return first(self, person, uids)

    monkeypatch.setattr(type(records), "wholes", wholes)
    monkeypatch.setattr("shared.subsonic.answer.PIECE", 7)
    for name, number in (("MOST", 6), ("LEAST_OF_EACH", 2)):
        monkeypatch.setattr(f"shared.subsonic.podcasts.{name}", number)
    told = {one["id"]: [each["title"] for each in one["episode"]] for one in channels(house)}
    assert told[stranger] == ["Episode 40", "Episode 39", "Episode 38"]
    assert told[show] == ["Episode 6", "Episode 5", "Episode 4", "Episode 2"]
    assert fetched in [each["id"] for one in channels(house, f="json") for each in one["episode"]]
    monkeypatch.setattr("shared.subsonic.podcasts.MOST", 5_000)
    (one,) = channels(house, id=stranger)
    assert [each["title"] for each in one["episode"]] == [f"Episode {which}" for which in range(40, 0, -1)]
    assert max(most) == 7
    records.take_in(show, Feed(title="The Show", episodes=(entry(2, season=1, number=7, explicit=True), entry(1))),
                    now=1.7e9, next_at=4e9)
