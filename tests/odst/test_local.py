"""What an album of the library lacks, told by the catalogues that know it."""

from __future__ import annotations

from typing import Any

import pytest

from odst.catalogues.local import Local, lacks
from shared.model.download import Failure, Offer, Wanted
from shared.model.errors import NotFound
from shared.model.track import AlbumWhole, ReplayGain, Track


def ours(title: str, number: int | None = None, **more: Any) -> Track:
    given: dict[str, Any] = dict(
        id=title, title=title, artist="Daft Punk", artists=[], album="Discovery", album_id="a",
        album_artist="Daft Punk",
        track_number=number, disc_number=None, year=2001, genres=[], duration_ms=200_000, size_bytes=1, format="mp3",
        mime_type="audio/mpeg", bitrate_kbps=None, sample_rate_hz=None, bit_depth=None, channels=None, isrc=None,
        recording_mbid=None, replaygain=ReplayGain(), bpm=None, has_lyrics=False, added_at="", favourite=False,
        rating=0, play_count=0, place="local", cover=None)
    return Track(**(given | more))


def album(*tracks: Track, mbid: str | None = None, title: str = "Discovery", compilation: bool = False) -> AlbumWhole:
    return AlbumWhole(
        id="a", title=title, artist="Daft Punk", artists=[], year=2001, date="2001", genres=[], track_count=len(tracks),
        disc_count=1, duration_ms=0, compilation=compilation, mbid=mbid, added_at="", favourite=False, play_count=0,
        cover=None, tracks=list(tracks), discs=[])


def theirs(title: str, number: int, **more: Any) -> Wanted:
    return Wanted(**({"title": title, "artist": "Daft Punk", "album": "Discovery (Remastered)", "duration_ms": 200_500,
                      "track_number": number, "disc_number": 1, "source": "deezer"} | more))


WHOLE = (theirs("One More Time", 1), theirs("Aerodynamic", 2), theirs("Digital Love", 3))


class Knows:
    """A catalogue with what it is given."""

    def __init__(self, name: str, *offers: Offer, fails: Failure | None = None) -> None:
        self.name, self.offers, self.fails, self.asked = name, {one.id: one for one in offers}, fails, list[str]()

    def understands(self, url: str) -> bool:
        return False

    def resolve(self, url: str) -> Offer:
        raise AssertionError

    def album(self, id: str) -> Offer:
        self.asked.append(id)
        if self.fails:
            raise self.fails
        if id not in self.offers:
            raise Failure("not_found", "no such album", provider=self.name)
        return self.offers[id]

    def search(self, words: str, *, limit: int) -> list[Offer]:
        self.asked.append(words)
        if self.fails:
            raise self.fails
        return [Offer(kind=one.kind, source=self.name, id=one.id, title=one.title, artist=one.artist)
                for one in self.offers.values()]


def told(id: str, *tracks: Wanted, title: str = "Discovery", artist: str = "Daft Punk") -> Offer:
    return Offer(kind="album", source="x", id=id, title=title, artist=artist, tracks=tracks)


def local(mine: AlbumWhole, *catalogues: Knows) -> Local:
    def album_of(id: str) -> AlbumWhole:
        if id != "a":
            raise NotFound("There is no such album in the library.")
        return mine

    return Local(album_of=album_of, catalogues=catalogues)


def test_only_what_is_lacking_is_wanted_and_named_as_the_library_names_it() -> None:
    offer = local(album(ours("Aerodynamic", 2)), Knows("deezer", told("7", *WHOLE))).album("a")
    assert (offer.source, offer.id, offer.title, offer.track_count) == ("local", "a", "Discovery", 3)
    assert [(one.title, one.album, one.album_artist, one.track_number, one.date) for one in offer.tracks] == [
        ("One More Time", "Discovery", "Daft Punk", 1, "2001"), ("Digital Love", "Discovery", "Daft Punk", 3, "2001")]


def test_the_release_that_the_library_names_is_asked_for_first() -> None:
    other, brainz = Knows("deezer", told("7", *WHOLE)), Knows("musicbrainz", told("mbid", *WHOLE[:2]))
    offer = local(album(ours("Aerodynamic", 2), mbid="mbid"), other, brainz).album("a")
    assert [one.title for one in offer.tracks] == ["One More Time"] and not other.asked


def test_the_next_catalogue_is_asked_when_one_fails_or_knows_other_albums_only() -> None:
    down = Knows("spotify", fails=Failure("service_error", "down", provider="spotify"))
    wrong = Knows("deezer", told("1", *WHOLE, title="Homework"), told("2", *WHOLE, artist="Somebody Else"),
                  told("3", theirs("X", 1), theirs("Y", 2)))
    right = Knows("musicbrainz", told("9", *WHOLE))
    offer = local(album(ours("One More Time", 1), ours("Digital Love", 3)), down, wrong, right).album("a")
    assert [one.title for one in offer.tracks] == ["Aerodynamic"]


def test_nobody_knowing_it_is_told_and_a_service_that_is_down_may_be_asked_later() -> None:
    with pytest.raises(Failure) as failed:
        local(album(ours("One More Time")), Knows("deezer")).album("a")
    assert failed.value.code == "not_found" and "Discovery" in failed.value.message
    down = Knows("deezer", fails=Failure("timed_out", "slow", provider="deezer"))
    with pytest.raises(Failure) as failed:
        local(album(ours("One More Time"), mbid="m"), down, Knows("musicbrainz")).album("a")
    assert failed.value.code == "timed_out" and failed.value.retryable
    with pytest.raises(Failure) as failed:
        local(album(ours("One More Time")), Knows("deezer")).album("b")
    assert failed.value.code == "not_found"


@pytest.mark.parametrize(("mine", "same"), [
    (ours("One More Time"), True), (ours("ONE MORE TIME!", 1), True),
    (ours("One More Time (feat. Romanthony)", 1), True),
    (ours("One More Time - Remastered 2011"), True), (ours("One more tíme", duration_ms=204_000), True),
    (ours("1 More Time", 1), True), (ours("Something", isrc="gbduw0000053"), True),
    (ours("X", recording_mbid="r"), True),
    (ours("One More Time (Live)"), False), (ours("One More Time", duration_ms=300_000), False),
    (ours("Aerodynamic", 1), False), (ours("One", 5), False), (ours("", 1, duration_ms=1), False),
])
def test_a_track_of_ours_is_known_again(mine: Track, same: bool) -> None:
    wanted = theirs("One More Time", 1, isrc="GBDUW0000053", recording_mbid="r")
    assert (lacks([mine], [wanted]) == []) is same


def test_one_track_of_ours_stands_for_one_of_theirs() -> None:
    live = theirs("One More Time (Live)", 4)
    assert lacks([ours("One More Time", 1)], [live, WHOLE[0]]) == [live]
    intros = [theirs("Intro", 1), theirs("Intro", 5), theirs("Intro", 9)]
    assert lacks([ours("Intro", 1), ours("Intro", 5)], intros) == [intros[2]]


def test_a_search_and_a_link_are_not_its_business() -> None:
    catalogue = local(album())
    assert catalogue.search("x", limit=3) == [] and not catalogue.understands("https://x")
    with pytest.raises(Failure):
        catalogue.resolve("https://x")
