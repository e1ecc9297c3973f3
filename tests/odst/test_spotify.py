"""The Spotify catalogue: spotipy itself against a fake that answers as Spotify does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odst.catalogues.spotify import Spotify
from shared.model.download import Failure
from shared.settings import Settings
from tests.fakes.answering import Reply
from tests.fakes.spotify import Album, FakeSpotify, Playlist, Track, artist_id, error, reply
from tests.patience import often

DISCOVERY = Album("6akEvsycLGftJxYudPjmqK", "Discovery", ["Daft Punk"], [
    Track("0DiWol3AO6WpXZgp0goxAV", "One More Time", 320_357, "GBDUW0000053", ("Daft Punk", "Romanthony")),
    Track("3H3cOQ6LBLSvmcaV7QkZEu", "Aerodynamic", 212_546, "GBDUW0000057"),
    Track("2VEZx7NWsZ1D0eJ4uv5Fym", "Digital Love", 301_373, "GBDUW0000058", disc=2, explicit=True),
])
LUCKY = Album("4m2880jivSbbyEGAKfITCa", "Get Lucky", ["Daft Punk"], [
    Track("2Foc5Q5nqNiosCNqttzHof", "Get Lucky", 369_626, "USQX91300108")], date="2013-04-19", type="single")
BEST = Album("1000000000000000000000", "Best of", ["Daft Punk"], [Track("1" * 22, "Da Funk")], type="compilation")
LIST = Playlist("37i9dQZF1DX4WYpdgoIcn6", "Mix", [
    "0DiWol3AO6WpXZgp0goxAV", "null", "episode", "local", "2Foc5Q5nqNiosCNqttzHof"], owner="Ann")


@pytest.fixture(params=[True, False], ids=["development", "extended"])
def fake(request: pytest.FixtureRequest) -> Iterator[FakeSpotify]:
    with FakeSpotify(albums=[DISCOVERY, LUCKY, BEST], playlists=[LIST], development=request.param, page=2) as running:
        yield running


def spotify(fake: FakeSpotify, **given: Any) -> Spotify:
    given = {"spotify_client_id": fake.id, "spotify_client_secret": fake.secret, **given}
    return Spotify(settings=Settings(spotify_url=fake.url, **given))


@pytest.mark.parametrize(("link", "known"), [
    ("https://open.spotify.com/track/0DiWol3AO6WpXZgp0goxAV?si=abc", True),
    ("https://open.spotify.com/intl-de/album/6akEvsycLGftJxYudPjmqK", True),
    ("open.spotify.com/playlist/37i9dQZF1DX4WYpdgoIcn6", True), ("spotify:track:0DiWol3AO6WpXZgp0goxAV", True),
    ("https://open.spotify.com/embed/track/0DiWol3AO6WpXZgp0goxAV", True),
    ("spotify:user:ann:playlist:37i9dQZF1DX4WYpdgoIcn6", True),
    ("https://open.spotify.com/artist/4tZwfgrHOc3mvqYlEYSvVi", True),
    ("https://open.spotify.com/user/ann/playlist/37i9dQZF1DX4WYpdgoIcn6", True),
    ("https://open.spotify.com/episode/512ojhOuo1ktJprKbVcKyQ", False),
    ("https://evil.example/track/0DiWol3AO6WpXZgp0goxAV", False),
    ("https://open.spotify.com.evil.example/track/0DiWol3AO6WpXZgp0goxAV", False), ("spotify:track:..", False),
    ("", False),
])
def test_its_own_links_are_known_and_no_others(link: str, known: bool) -> None:
    assert Spotify(settings=Settings()).understands(link) is known


def test_a_track_comes_with_all_that_is_known_of_it(fake: FakeSpotify) -> None:
    offer = spotify(fake).resolve("https://open.spotify.com/intl-fr/track/0DiWol3AO6WpXZgp0goxAV?si=1")
    (track,) = offer.tracks
    assert (offer.kind, offer.source, offer.title) == ("track", "spotify", "One More Time")
    assert (offer.artist, track.artists) == ("Daft Punk, Romanthony", ("Daft Punk", "Romanthony"))
    assert (track.album, track.album_artist, track.date) == ("Discovery", "Daft Punk", "2001-03-12")
    assert (track.isrc, track.duration_ms, track.explicit) == ("GBDUW0000053", 320_357, False)
    assert (track.track_number, track.track_total, track.disc_number) == (1, 3, 1)
    assert track.cover_url == "https://i.scdn.co/image/6406akEvsycLGftJxYudPjmqK"
    assert track.source_url == "https://open.spotify.com/track/0DiWol3AO6WpXZgp0goxAV"


def test_an_album_is_read_to_its_end_and_gets_its_isrcs_one_by_one(fake: FakeSpotify) -> None:
    offer = spotify(fake).resolve("spotify:album:6akEvsycLGftJxYudPjmqK")
    assert (offer.kind, offer.title, offer.artist, offer.track_count) == ("album", "Discovery", "Daft Punk", 3)
    assert [(one.title, one.track_number, one.disc_number, one.isrc) for one in offer.tracks] == [
        ("One More Time", 1, 1, "GBDUW0000053"), ("Aerodynamic", 2, 1, "GBDUW0000057"),
        ("Digital Love", 3, 2, "GBDUW0000058")]
    assert not [path for path in fake.paths if path == "/v1/tracks"]     # no batches: they are gone


def test_a_playlist_is_its_tracks_without_talks_and_gaps(fake: FakeSpotify) -> None:
    offer = spotify(fake).resolve("https://open.spotify.com/playlist/37i9dQZF1DX4WYpdgoIcn6")
    assert (offer.kind, offer.title, offer.artist) == ("playlist", "Mix", "Ann")
    assert [(one.title, one.isrc) for one in offer.tracks] == [
        ("One More Time", "GBDUW0000053"), ("My own tape", None), ("Get Lucky", "USQX91300108")]
    assert offer.tracks[1].source_id is None and offer.tracks[0].album == "Discovery"


def test_a_playlist_of_five_thousand_is_read_page_by_page_within_the_limit() -> None:
    with FakeSpotify(albums=[DISCOVERY], playlists=[Playlist("5" * 22, "Long", ["3H3cOQ6LBLSvmcaV7QkZEu"] * 5000)],
                     page=100) as fake:
        assert len(spotify(fake).resolve(f"spotify:playlist:{'5' * 22}").tracks) == 5000
        some = spotify(fake, download_batch_limit=130).resolve(f"spotify:playlist:{'5' * 22}")
        assert len(some.tracks) == 130


def test_a_private_playlist_says_that_it_is(fake: FakeSpotify) -> None:
    fake.private.add(LIST.id)
    with pytest.raises(Failure) as failed:
        spotify(fake).resolve(f"spotify:playlist:{LIST.id}")
    assert failed.value.code in ("no_permission", "not_found") and not failed.value.retryable
    assert "Exportify" in failed.value.message


def test_an_artist_is_albums_and_singles_newest_first(fake: FakeSpotify) -> None:
    offer = spotify(fake).resolve(f"https://open.spotify.com/artist/{artist_id('Daft Punk')}")
    assert (offer.kind, offer.title) == ("artist", "Daft Punk")
    assert [(one.title, one.album) for one in offer.tracks] == [
        ("Get Lucky", "Get Lucky"), ("One More Time", "Discovery"), ("Aerodynamic", "Discovery"),
        ("Digital Love", "Discovery")]


def test_a_search_offers_tracks_albums_artists_and_playlists(fake: FakeSpotify) -> None:
    found = spotify(fake).search("daft punk", limit=50)
    assert [one.kind for one in found] == ["track"] * 5 + ["album"] * 3 + ["artist"]
    assert (found[0].title, found[0].isrc, found[0].album) == ("One More Time", "GBDUW0000053", "Discovery")
    assert found[5].track_count == 3 and all(one.cover_url for one in found)
    assert [one.track_count for one in spotify(fake).search("mix", limit=5)] == [5]


def test_without_credentials_it_is_off_and_a_link_is_told_what_to_set(fake: FakeSpotify) -> None:
    catalogue = spotify(fake, spotify_client_secret="")
    assert not catalogue.configured and catalogue.search("daft punk", limit=5) == []
    with pytest.raises(Failure) as failed:
        catalogue.resolve("spotify:album:6akEvsycLGftJxYudPjmqK")
    assert failed.value.code == "not_configured" and "spotify_client_id" in failed.value.message
    assert not fake.asked


def test_wrong_credentials_are_told_as_what_they_are(fake: FakeSpotify) -> None:
    with pytest.raises(Failure) as failed:
        spotify(fake, spotify_client_secret="wrong").search("daft punk", limit=5)
    assert failed.value.code == "not_configured" and "spotify_client_secret" in failed.value.message
    assert "wrong" not in failed.value.message and not failed.value.retryable


@pytest.mark.parametrize(("answer", "code", "retryable"), [
    (error(404, "Resource not found"), "not_found", False), (error(403, "Forbidden"), "no_permission", False),
    (error(401, "expired"), "no_permission", False), (error(502, "Bad gateway"), "service_error", True),
    (Reply(429, headers={"Retry-After": "3"}), "rate_limited", True), (Reply(200, b"<html>"), "garbage", True),
    (reply([]), "garbage", True), (reply({}), "garbage", True), (reply({"name": 7}), "garbage", True),
    (reply({"error": "a text"}, 500), "service_error", True),
    (Reply(302, headers={"Location": "/x"}), "service_error", True),
])
def test_what_goes_wrong_is_told_as_what_it_is(fake: FakeSpotify, answer: Reply, code: str, retryable: bool) -> None:
    fake.next(reply({"access_token": fake.token, "token_type": "Bearer", "expires_in": 3600}), answer)
    with pytest.raises(Failure) as failed:
        spotify(fake).resolve("spotify:album:6akEvsycLGftJxYudPjmqK")
    assert (failed.value.code, failed.value.retryable, failed.value.provider) == (code, retryable, "spotify")
    assert len(fake.asked) == 2     # nothing is tried again here
    if code == "rate_limited":
        assert failed.value.retry_after_s == 3.0


@pytest.mark.parametrize(("answer", "code"), [
    (Reply(503), "service_error"), (reply([]), "garbage"), (reply({}), "garbage"), (Reply(200, b"no"), "garbage"),
])
def test_a_token_that_is_not_given_is_a_failure_too(fake: FakeSpotify, answer: Reply, code: str) -> None:
    fake.next(answer)
    with pytest.raises(Failure) as failed:
        spotify(fake).search("x", limit=3)
    assert failed.value.code == code


@pytest.mark.parametrize("answer", [reply({}), reply({"tracks": 7}), reply([])])
def test_a_search_that_is_answered_with_nonsense_is_a_failure(fake: FakeSpotify, answer: Reply) -> None:
    catalogue = spotify(fake)
    catalogue.search("daft", limit=1)
    fake.next(answer)
    with pytest.raises(Failure) as failed:
        catalogue.search("daft punk", limit=5)
    assert failed.value.code == "garbage" and failed.value.service_fault


def test_a_page_elsewhere_is_never_asked_for(fake: FakeSpotify) -> None:
    """The fake's `next` points to another host; pages are asked for by number at the configured address."""
    assert len(spotify(fake).album(DISCOVERY.id).tracks) == 3
    assert [one.query.get("offset") for one in fake.asked if one.path.endswith("/tracks/")] == ["2"]


def test_the_token_is_kept_in_memory_and_never_logged(fake: FakeSpotify, tmp_path: Path,
                                                      monkeypatch: pytest.MonkeyPatch,
                                                      caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.chdir(tmp_path)
    caplog.set_level("DEBUG")
    catalogue = spotify(fake)
    catalogue.search("daft", limit=3)
    catalogue.search("punk", limit=3)
    assert fake.paths.count("/api/token") == 1 and os.listdir(tmp_path) == []
    assert fake.token not in caplog.text and fake.secret not in caplog.text


def test_spotipy_is_imported_by_whoever_asks_only() -> None:
    script = ("import sys, odst.catalogues.spotify as room\nfrom shared.settings import Settings\n"
              "room.Spotify(settings=Settings()).search('x', limit=3)\nassert 'spotipy' not in sys.modules\n")
    done = subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[2], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 0, done.stderr


_ANYTHING = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=20),
                         lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
                             st.sampled_from(["id", "name", "items", "tracks", "artists", "album", "total", "next",
                                              "item", "track", "external_ids", "isrc", "images", "error", "type"]),
                             inner, max_size=6), max_leaves=15)


@pytest.fixture(scope="module")
def anything() -> Iterator[FakeSpotify]:
    with FakeSpotify() as running:
        yield running


@given(answer=_ANYTHING, status=st.sampled_from([200, 200, 200, 404, 500]),
       kind=st.sampled_from(["track", "album", "playlist", "artist"]))
@settings(max_examples=often(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_answered_is_an_offer_or_a_failure(anything: FakeSpotify, answer: Any, status: int,
                                                       kind: str) -> None:
    catalogue = spotify(anything, download_batch_limit=20)
    anything.always(None)
    catalogue.search("nothing", limit=1)
    anything.always(Reply(status, json.dumps(answer).encode()))
    for ask in (lambda: [catalogue.resolve(f"spotify:{kind}:{'1' * 22}")], lambda: catalogue.search("x", limit=3)):
        try:
            offers = ask()
        except Failure:
            continue
        for offer in offers:
            assert offer.title and all(one.title for one in offer.tracks)
