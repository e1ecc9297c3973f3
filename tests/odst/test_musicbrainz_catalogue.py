"""The MusicBrainz catalogue: the real client and musicbrainzngs against a fake MusicBrainz."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from odst.catalogues.musicbrainz import MusicBrainz, best, credit, plain
from shared.metadata.client import MusicBrainzClient, Pace
from shared.model.download import Failure
from shared.settings import Settings
from tests.fakes.answering import Reply
from tests.fakes.musicbrainz import FakeMusicBrainz, Recording, Release, mbid

MONDAY = Recording("Blue Monday", artists=["New Order"], length_ms=449_000, isrcs=["GBAAP8300001"])
CONSENT = Recording("Age of Consent", artists=["New Order"], length_ms=316_000, isrcs=["GBAAP8300002"])
DUET = Recording("Everything's Gone Green", artists=["New Order", "{ feat. }Somebody"], length_ms=330_000)
ALBUM = Release("Power, Corruption & Lies", media=[[CONSENT], [MONDAY, DUET]], artists=["New Order"], date="1983-05-02")
SINGLE = Release("Blue Monday", media=[[MONDAY]], artists=["New Order"], date="1983-03-07", type="Single")
BOOTLEG = Release("Power, Corruption & Lies", media=[[CONSENT]], artists=["New Order"], date="1982", status="Bootleg")
HITS = Release("Hits", media=[[MONDAY]], artists=["New Order"], date="1980-01-01", secondary=["Compilation"])


@pytest.fixture
def fake() -> Iterator[FakeMusicBrainz]:
    with FakeMusicBrainz(releases=[BOOTLEG, HITS, SINGLE, ALBUM]) as running:
        yield running


def catalogue(fake: FakeMusicBrainz) -> MusicBrainz:
    client = MusicBrainzClient(settings=Settings(musicbrainz_url=fake.url), pace=Pace(0.0))
    return MusicBrainz(client=client, coverart_url="https://covers.example/")


@pytest.mark.parametrize(("path", "known"), [
    (f"https://musicbrainz.org/release/{ALBUM.id}", True), (f"http://beta.musicbrainz.org/recording/{MONDAY.id}", True),
    (f"https://musicbrainz.org/release-group/{ALBUM.group_id}/", True),
    (f"https://musicbrainz.org/artist/{mbid('artist', 'New Order').upper()}?all=1", True),
    (f"https://musicbrainz.org/label/{MONDAY.id}", False), ("https://musicbrainz.org/release/x", False),
    (f"https://musicbrainz.org.evil.example/release/{ALBUM.id}", False), ("", False), ("http://[", False),
])
def test_its_own_links_are_known_and_no_others(fake: FakeMusicBrainz, path: str, known: bool) -> None:
    assert catalogue(fake).understands(path) is known


def test_a_recording_is_told_with_the_album_it_is_best_known_by(fake: FakeMusicBrainz) -> None:
    offer = catalogue(fake).resolve(f"https://musicbrainz.org/recording/{MONDAY.id}")
    (track,) = offer.tracks
    assert (offer.kind, offer.source, offer.id) == ("track", "musicbrainz", MONDAY.id)
    assert (track.title, track.artist, track.album, track.date) == (
        "Blue Monday", "New Order", "Power, Corruption & Lies", "1983-05-02")
    assert (track.isrc, track.duration_ms) == ("GBAAP8300001", 449_000)
    assert (track.recording_mbid, track.release_mbid) == (MONDAY.id, ALBUM.id)
    assert track.cover_url == f"https://covers.example/release/{ALBUM.id}/front-500"


@pytest.mark.parametrize("kind", ["release", "release-group"])
def test_an_album_has_its_tracks_in_order(fake: FakeMusicBrainz, kind: str) -> None:
    id = ALBUM.id if kind == "release" else ALBUM.group_id
    for offer in (catalogue(fake).resolve(f"https://musicbrainz.org/{kind}/{id}"), catalogue(fake).album(id)):
        assert (offer.kind, offer.title, offer.artist, offer.track_count) == (
            "album", "Power, Corruption & Lies", "New Order", 3)
        assert [(one.title, one.disc_number, one.track_number, one.track_total) for one in offer.tracks] == [
            ("Age of Consent", 1, 1, 1), ("Blue Monday", 2, 1, 2), ("Everything's Gone Green", 2, 2, 2)]
        assert offer.tracks[2].artist == "New Order feat. Somebody"
        assert offer.tracks[2].artists == ("New Order", "Somebody")
        assert {one.disc_total for one in offer.tracks} == {2} and offer.tracks[0].isrc == "GBAAP8300002"


def test_an_artist_is_official_albums_newest_first_each_recording_once(fake: FakeMusicBrainz) -> None:
    offer = catalogue(fake).resolve(f"https://musicbrainz.org/artist/{mbid('artist', 'New Order')}")
    assert (offer.kind, offer.title) == ("artist", "New Order")
    assert [(one.title, one.album) for one in offer.tracks] == [
        ("Age of Consent", "Power, Corruption & Lies"), ("Blue Monday", "Power, Corruption & Lies"),
        ("Everything's Gone Green", "Power, Corruption & Lies")]


def test_a_search_offers_recordings_and_albums_in_two_asks(fake: FakeMusicBrainz) -> None:
    found = catalogue(fake).search("new order blue monday", limit=6)
    assert (found[0].kind, found[0].title, found[0].album, found[0].isrc) == (
        "track", "Blue Monday", "Power, Corruption & Lies", "GBAAP8300001")
    assert any((one.kind, one.title, one.id) == ("album", "Blue Monday", SINGLE.group_id) for one in found)
    assert len(fake.asked) == 2


def test_what_is_not_there_or_not_well_is_a_failure(fake: FakeMusicBrainz) -> None:
    nothing = mbid("nothing")
    for ask in (lambda: catalogue(fake).album(nothing), lambda: catalogue(fake).album("../x"),
                lambda: catalogue(fake).resolve(f"https://musicbrainz.org/recording/{nothing}"),
                lambda: catalogue(fake).resolve("https://example.org/")):
        with pytest.raises(Failure) as failed:
            ask()
        assert failed.value.code in ("not_found", "bad_link") and failed.value.provider == "musicbrainz"
    fake.always(Reply(500))
    with pytest.raises(Failure) as failed:
        catalogue(fake).search("x", limit=3)
    assert failed.value.code == "service_error"


def test_words_are_words_and_no_operators() -> None:
    assert plain('AC/DC  "live" AND (x OR y) \0 -z') == r'AC\/DC \"live\" and \(x or y\) \-z'
    assert plain("  ") == ""


def test_a_credit_is_what_stands_on_the_cover() -> None:
    pieces = [{"artist": {"name": "A"}}, " & ", {"name": "B", "artist": {"name": "C"}}]
    assert credit({"artist-credit": pieces}) == "A & B"
    assert credit({"artist-credit": 7}) == "" and best([]) == {}
