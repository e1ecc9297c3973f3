"""The Deezer catalogue against a fake that answers as Deezer does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odst.catalogues.asking import Pace
from odst.catalogues.deezer import Deezer
from shared.model.download import Failure, Wanted
from shared.outbound import Outbound
from shared.settings import Settings
from tests.fakes.answering import Answering, Asked, Reply
from tests.fakes.deezer import Album, FakeDeezer, Playlist, Track, artist_id, error
from tests.patience import often

DISCOVERY = Album(302127, "Discovery", "Daft Punk", [
    Track(3135553, "One More Time", 320, "GBDUW0000053", ("Daft Punk", "Romanthony")),
    Track(3135554, "Aerodynamic", 212, "GBDUW0000057"),
    Track(3135555, "Digital Love", 301, "GBDUW0000058", disc=2, explicit=True),
])
HOMEWORK = Album(301775, "Homework", "Daft Punk", [Track(1, "Da Funk", 328, "GBDUW9700001"),
                                                   Track(2, "One More Time", 320, "GBDUW0000053")], date="1997-01-16")


@pytest.fixture
def fake() -> Iterator[FakeDeezer]:
    many = Playlist(908622995, "Many", [3135553, 3135554, 3135555, 1] * 1, creator="Ann")
    with FakeDeezer(albums=[DISCOVERY, HOMEWORK], playlists=[many]) as running:
        yield running


class Kept:
    """ports.Lookups in memory."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], Any] = {}

    def get(self, service: str, key: str, *, max_age_s: float) -> Any | None:
        return self.held.get((service, key))

    def put(self, service: str, key: str, answer: Any) -> None:
        self.held[service, key] = json.loads(json.dumps(answer))


def deezer(fake: Answering, **given: Any) -> Deezer:
    return Deezer(settings=Settings(deezer_url=fake.url, download_batch_limit=given.pop("most", 10_000)), **given)


@pytest.mark.parametrize(("link", "known"), [
    ("https://www.deezer.com/track/3135556", True), ("https://www.deezer.com/de/album/302127?utm_source=x", True),
    ("http://deezer.com/en-gb/playlist/908622995", True), ("https://www.deezer.com/us/artist/27", True),
    ("https://link.deezer.com/s/319MrRotHC7J6de6Ziseq", True), ("https://deezer.page.link/qfomS8twgYA35mgQ7", True),
    ("https://link.deezer.com/", False), ("https://www.deezer.com/show/1", False), ("deezer", False),
    ("https://www.deezer.com.evil.example/track/1", False), ("https://deezer.com@evil.example/track/1", False),
    ("ftp://www.deezer.com/track/1", False), ("https://[/track/1", False), ("", False),
])
def test_its_own_links_are_known_and_no_others(fake: FakeDeezer, link: str, known: bool) -> None:
    assert deezer(fake).understands(link) is known


def test_a_track_comes_with_all_that_is_known_of_it(fake: FakeDeezer) -> None:
    offer = deezer(fake).resolve("https://www.deezer.com/fr/track/3135553")
    (track,) = offer.tracks
    assert (offer.kind, offer.source, offer.title, offer.artist) == ("track", "deezer", "One More Time",
                                                                     "Daft Punk, Romanthony")
    assert track.artists == ("Daft Punk", "Romanthony") and track.album_artist == "Daft Punk"
    assert (track.isrc, track.duration_ms, track.date) == ("GBDUW0000053", 320_000, "2001-03-07")
    assert (track.track_number, track.track_total, track.disc_number) == (1, 3, 1)
    assert track.genres == ("Dance",) and track.explicit is False
    assert track.cover_url == "https://cdn-images.dzcdn.net/images/cover/302127/1000x1000-000000-80-0-0.jpg"
    assert (track.source, track.source_id, track.source_url) == (
        "deezer", "3135553", "https://www.deezer.com/track/3135553")
    assert track.fetch_url is None      # its preview is no recording of it


def test_an_album_has_its_tracks_in_order_with_isrcs(fake: FakeDeezer) -> None:
    offer = deezer(fake).resolve("https://www.deezer.com/album/302127")
    assert (offer.kind, offer.title, offer.artist, offer.track_count) == ("album", "Discovery", "Daft Punk", 3)
    assert [(one.track_number, one.disc_number, one.isrc) for one in offer.tracks] == [
        (1, 1, "GBDUW0000053"), (2, 1, "GBDUW0000057"), (3, 2, "GBDUW0000058")]
    assert {one.album for one in offer.tracks} == {"Discovery"}
    assert [one.explicit for one in offer.tracks] == [False, False, True]
    assert fake.paths == ["/album/302127", "/album/302127/tracks"]


def test_an_album_whose_list_is_not_answered_is_numbered_and_asks_for_isrcs(fake: FakeDeezer) -> None:
    fake.tracklists = False
    offer = deezer(fake).album("302127")
    assert [(one.track_number, one.isrc) for one in offer.tracks] == [
        (1, "GBDUW0000053"), (2, "GBDUW0000057"), (3, "GBDUW0000058")]


def test_a_playlist_is_read_to_its_end_and_gets_its_isrcs(fake: FakeDeezer) -> None:
    fake.in_playlist = 2
    offer = deezer(fake).resolve("https://www.deezer.com/playlist/908622995")
    assert (offer.kind, offer.title, offer.artist, offer.track_count) == ("playlist", "Many", "Ann", 4)
    assert [one.title for one in offer.tracks] == ["One More Time", "Aerodynamic", "Digital Love", "Da Funk"]
    assert [one.album for one in offer.tracks] == ["Discovery", "Discovery", "Discovery", "Homework"]
    assert all(one.isrc for one in offer.tracks)


def test_a_long_playlist_is_paged_and_ends_at_the_limit() -> None:
    album = Album(7, "Long", "Somebody", [Track(at, f"Song {at}", 100, f"GBDUW{at:07}") for at in range(1000, 1450)])
    with FakeDeezer(albums=[album], playlists=[Playlist(8, "All", [track.id for track in album.tracks])]) as fake:
        fake.in_playlist = 0
        catalogue = deezer(fake)
        catalogue._pace = Pace(10_000, 1.0)
        assert len(catalogue.resolve("https://www.deezer.com/playlist/8").tracks) == 450
        pages = [one.query["index"] for one in fake.asked if one.path == "/playlist/8/tracks"]
        assert pages == ["0", "100", "200", "300", "400"]
        catalogue._most = 120
        assert len(catalogue.resolve("https://www.deezer.com/playlist/8").tracks) == 120


def test_an_artist_is_all_albums_newest_first_each_recording_once(fake: FakeDeezer) -> None:
    offer = deezer(fake).resolve(f"https://www.deezer.com/artist/{artist_id('Daft Punk')}")
    assert (offer.kind, offer.title) == ("artist", "Daft Punk")
    assert [(one.title, one.album) for one in offer.tracks] == [
        ("One More Time", "Discovery"), ("Aerodynamic", "Discovery"), ("Digital Love", "Discovery"),
        ("Da Funk", "Homework")]
    assert {one.album_artist for one in offer.tracks} == {"Daft Punk"}


def test_a_search_offers_tracks_albums_artists_and_playlists(fake: FakeDeezer) -> None:
    found = deezer(fake).search("daft punk", limit=5)
    assert [one.kind for one in found] == ["track"] * 5 + ["album"] * 2 + ["artist"]
    assert (found[0].title, found[0].duration_ms, found[0].album) == ("One More Time", 320_000, "Discovery")
    assert found[5].track_count == 3 and found[5].url == "https://www.deezer.com/album/302127"
    assert all(one.cover_url and one.tracks == () for one in found)
    assert [one.kind for one in deezer(fake).search("many", limit=5)] == ["playlist"]


def test_a_search_that_fails_halfway_offers_what_it_has(fake: FakeDeezer) -> None:
    catalogue = deezer(fake)
    tracks = fake.answer(Asked("GET", "/search", {"q": "aerodynamic"}, {}, b"", 0.0))
    fake.next(tracks, error(4))
    assert [one.kind for one in catalogue.search("aerodynamic", limit=5)] == ["track"]


@pytest.mark.parametrize(("reply", "code", "retryable"), [
    (error(4), "rate_limited", True), (error(800, "DataException", "no data"), "not_found", False),
    (error(200, "OAuthException", "no"), "no_permission", False), (error(700), "service_error", True),
    (error(12345), "service_error", True), (Reply(500), "service_error", True), (Reply(404), "not_found", False),
    (Reply(429, headers={"Retry-After": "7"}), "rate_limited", True), (Reply(200, b"<html>"), "garbage", True),
    (Reply(200, b"[]"), "garbage", True), (Reply(200, b"{}"), "garbage", True), (Reply(403), "no_permission", False),
    (Reply(302, headers={"Location": "http://169.254.169.254/"}), "service_error", True),
    (Reply(200, b"{}" * 9, break_off_after=3), "connection_lost", True),
    (Reply(200, b" " * (9 << 20)), "garbage", True),
])
def test_what_goes_wrong_is_told_as_what_it_is(fake: FakeDeezer, reply: Reply, code: str, retryable: bool) -> None:
    fake.always(reply)
    with pytest.raises(Failure) as failed:
        deezer(fake).resolve("https://www.deezer.com/album/302127")
    assert (failed.value.code, failed.value.retryable, failed.value.provider) == (code, retryable, "deezer")
    if code == "rate_limited":
        assert failed.value.retry_after_s == (7.0 if reply.status == 429 else 5.0)
    assert len(fake.asked) == 1     # nothing is tried again here, no redirect is followed


@pytest.mark.parametrize("body", [b"{}", b'{"data": 7}', b"[]", b"<html>"])
def test_a_search_that_is_answered_with_nonsense_is_a_failure(fake: FakeDeezer, body: bytes) -> None:
    fake.always(Reply(200, body))
    with pytest.raises(Failure) as failed:
        deezer(fake).search("daft punk", limit=5)
    assert failed.value.code == "garbage" and failed.value.service_fault


def test_a_deezer_that_is_not_there_is_a_failure() -> None:
    with FakeDeezer() as gone:
        catalogue = deezer(gone)
    with pytest.raises(Failure) as failed:
        catalogue.search("x", limit=3)
    assert failed.value.code == "refused" and failed.value.service_fault


def test_answers_about_one_thing_are_kept(fake: FakeDeezer) -> None:
    kept = Kept()
    first = deezer(fake, lookups=kept).album("302127")
    asked = len(fake.asked)
    assert deezer(fake, lookups=kept).album("302127") == first
    assert len(fake.asked) == asked
    deezer(fake, lookups=kept).resolve("https://www.deezer.com/playlist/908622995")
    playlists = len([path for path in fake.paths if path.startswith("/playlist")])
    deezer(fake, lookups=kept).resolve("https://www.deezer.com/playlist/908622995")
    assert len([path for path in fake.paths if path.startswith("/playlist")]) == 2 * playlists    # they change


def test_a_preview_is_a_link_of_thirty_seconds(fake: FakeDeezer) -> None:
    catalogue = deezer(fake)
    expected = f"{fake.url}/stream/c-3135553.mp3"
    assert catalogue.preview_url(Wanted(source="deezer", source_id="3135553")) == expected
    assert catalogue.preview_url(Wanted(source="spotify", source_id="x", isrc="GBDUW0000053")) == expected
    assert catalogue.preview_url(Wanted(isrc="GBDUW9999999")) is None and catalogue.preview_url(Wanted()) is None


@pytest.mark.parametrize("id", ["../track/1", "1/../../x", "", "x", "1?x=y"])
def test_an_id_that_is_none_is_never_asked_for(fake: FakeDeezer, id: str) -> None:
    with pytest.raises(Failure) as failed:
        deezer(fake).album(id)
    assert failed.value.code == "bad_link" and not fake.asked


# ---- short links -------------------------------------------------------------------------------------------------


class Hops(Answering):
    """Redirects as link.deezer.com makes them."""

    targets: dict[str, str] = {}

    def answer(self, asked: Asked) -> Reply:
        target = self.targets.get(asked.path)
        return Reply(302, headers={"Location": target}) if target else Reply(200, b"<html>")


class Through(Outbound):
    """The real way out, but link.deezer.com is the fake."""

    def __init__(self, fake: Answering) -> None:
        super().__init__([fake.host])
        self._fake = fake

    def session(self, **options: Any) -> Any:
        session, fake = super().session(**options), self._fake
        inner = session.request

        def request(method: str, url: str, *args: Any, **rest: Any) -> Any:
            return inner(method, url.replace("https://link.deezer.com", fake.url), *args, **rest)

        session.request = request   # type: ignore[method-assign]
        return session


@pytest.mark.parametrize("target", [
    "https://www.deezer.com/album/302127?host=0", "/s/second",
    "https://link.deezer.com/page?dest=https%3A%2F%2Fwww.deezer.com%2Fde%2Falbum%2F302127",
])
def test_a_short_link_is_followed_to_what_it_stands_for(fake: FakeDeezer, target: str) -> None:
    with Hops() as hops:
        hops.targets = {"/s/first": target, "/s/second": "https://www.deezer.com/en/album/302127"}
        catalogue = deezer(fake, outbound=Through(hops))
        assert catalogue.resolve("https://link.deezer.com/s/first").title == "Discovery"


@pytest.mark.parametrize("target", ["", "http://169.254.169.254/", "https://link.deezer.com/s/first",
                                    "https://www.deezer.com/login", "file:///etc/passwd", "https://evil.example/album/1"])
def test_a_short_link_that_leads_elsewhere_ends_there(fake: FakeDeezer, target: str) -> None:
    with Hops() as hops:
        hops.targets = {"/s/first": target} if target else {}
        with pytest.raises(Failure) as failed:
            deezer(fake, outbound=Through(hops)).resolve("https://link.deezer.com/s/first")
        assert failed.value.code == "bad_link" and len(hops.asked) <= 5 and not fake.asked


def test_a_short_link_never_leads_into_the_home_network(fake: FakeDeezer) -> None:
    outbound = Outbound()       # link.deezer.com itself on an address of this network: a name that was taken over
    outbound.addresses = lambda host, port: outbound.check_address("127.0.0.1", port, host)     # type: ignore[method-assign, assignment]
    with pytest.raises(Failure) as failed:
        deezer(fake, outbound=outbound).resolve("https://link.deezer.com/s/first")
    assert failed.value.code == "forbidden_address"


# ---- anything at all ---------------------------------------------------------------------------------------------

_ANYTHING = st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
                         lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
                             st.sampled_from(["id", "title", "name", "data", "tracks", "artist", "album", "total",
                                              "next", "duration", "isrc", "error", "code", "link", "contributors"]),
                             inner, max_size=6), max_leaves=15)


@pytest.fixture(scope="module")
def anything() -> Iterator[FakeDeezer]:
    with FakeDeezer() as running:
        yield running


@given(answer=_ANYTHING, kind=st.sampled_from(["track", "album", "playlist", "artist"]))
@settings(max_examples=often(50), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_answered_is_an_offer_or_a_failure(anything: FakeDeezer, answer: Any, kind: str) -> None:
    anything.always(Reply(200, json.dumps(answer).encode()))
    catalogue = deezer(anything, most=20)
    catalogue._pace = Pace(10_000, 1.0)
    for ask in (lambda: [catalogue.resolve(f"https://www.deezer.com/{kind}/1")],
                lambda: catalogue.search("x", limit=3)):
        try:
            offers = ask()
        except Failure:
            continue
        for offer in offers:
            assert offer.title and all(one.title for one in offer.tracks)


def test_the_pace_lets_so_many_through_and_then_waits() -> None:
    now, slept = [100.0], []
    pace = Pace(3, 5.0, clock=lambda: now[0], sleep=slept.append)
    for _ in range(3):
        pace.wait()
    now[0] = 101.0
    pace.wait()
    now[0] = 106.0
    pace.wait()
    assert slept == [4.0]
