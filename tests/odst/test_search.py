"""Asking all sources at once: what arrives in time, each failure named, each thing once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odst.breaker import Breakers
from odst.catalogues.spotify import Spotify
from odst.search import ASKS_AT_ONCE, KEPT, KEPT_TRACKS, KINDS, AcquireSearch, _merged, _shares, is_link
from shared.model.download import Candidate, Failure, Offer, Wanted
from shared.settings import Settings

PATIENT_S, HASTY_S = 20.0, 0.2


def track(source: str, title: str, artist: str = "A", **more: Any) -> Offer:
    given: dict[str, Any] = {"kind": "track", "source": source, "id": f"{source}-{title}", "title": title,
                             "artist": artist}
    return Offer(**(given | more))


class Asked:
    """A catalogue that answers what it is told, when it is let."""

    def __init__(self, name: str, *offers: Offer, fails: BaseException | None = None, holds: bool = False,
                 links: str = "") -> None:
        self.name, self.offers, self.fails, self.links = name, list(offers), fails, links
        self.let, self.begun, self.count = threading.Event(), threading.Event(), 0
        if not holds:
            self.let.set()

    def _answer(self) -> list[Offer]:
        self.count += 1
        self.begun.set()
        assert self.let.wait(30)
        if self.fails:
            raise self.fails
        return self.offers

    def understands(self, url: str) -> bool:
        return bool(self.links) and self.links in url

    def resolve(self, url: str) -> Offer:
        return self._answer()[0]

    def album(self, id: str) -> Offer:
        return self._answer()[0]

    def search(self, words: str, *, limit: int) -> list[Offer]:
        return self._answer()


class Fetches(Asked):
    """A provider."""

    slots = 1

    def find(self, wanted: Wanted, options: Any, *, limit: int) -> list[Candidate]:
        self._answer()
        return [Candidate(provider=self.name, locator={"key": "abcdefghijk", "url": "https://youtu.be/abcdefghijk"},
                          title=wanted.title or "", artist="Uploader", duration_ms=1000)]


def search(*catalogues: Any, **given: Any) -> AcquireSearch:
    return AcquireSearch(catalogues=catalogues, **({"deadline_s": PATIENT_S} | given))


def titles(answer: dict[str, list[Any]]) -> list[str]:
    return [one.title for one in answer["items"]]


# ---- words -------------------------------------------------------------------------------------------------------


def test_who_is_not_set_up_is_not_asked() -> None:
    spotify = Asked("spotify", track("spotify", "One"))
    spotify.configured = False      # type: ignore[attr-defined]
    answer = search(spotify, Asked("deezer", track("deezer", "Two"))).search("two")
    assert titles(answer) == ["Two"] and not spotify.count and not answer["failures"]


def test_all_are_asked_and_each_failure_has_its_name() -> None:
    answer = search(
        Asked("spotify", track("spotify", "One")),
        Asked("deezer", fails=Failure("service_error", "down", provider="deezer")),
        Asked("musicbrainz", fails=RuntimeError("a bug")), Asked("other", track("other", "Two")),
    ).search("words")
    assert titles(answer) == ["One", "Two"]
    assert [(one["source"], one["code"]) for one in answer["failures"]] == [
        ("deezer", "service_error"), ("musicbrainz", "internal")]
    assert answer["failures"][0]["message"] == "down"


def test_who_is_late_is_named_and_heard_at_the_next_ask() -> None:
    slow = Asked("deezer", track("deezer", "Late"), holds=True)
    asking = search(Asked("spotify", track("spotify", "Soon")), slow, deadline_s=HASTY_S)
    first = asking.search("words")
    assert titles(first) == ["Soon"] and [one["code"] for one in first["failures"]] == ["timed_out"]
    slow.let.set()
    patient = asking._answers["search", "deezer", "words", "20"]
    assert patient.there.wait(10)
    assert sorted(titles(asking.search("WORDS "))) == ["Late", "Soon"]
    assert slow.count == 1


def test_answers_are_kept_and_a_failure_shortly(monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = Asked("spotify", track("spotify", "One")), Asked("deezer", fails=Failure("timed_out", "slow"))
    asking = search(good, bad)
    asking.search("words")
    asking.search("words")
    assert (good.count, bad.count) == (1, 1)
    now = __import__("time").monotonic
    monkeypatch.setattr("odst.search.time.monotonic", lambda: now() + 30)
    asking.search("words")
    assert (good.count, bad.count) == (1, 2)
    monkeypatch.setattr("odst.search.time.monotonic", lambda: now() + 300)
    asking.search("words")
    assert (good.count, bad.count) == (2, 3)


def test_one_that_hangs_has_few_threads_and_is_said_to_be_busy() -> None:
    hangs = Asked("deezer", holds=True)
    asking = search(hangs, deadline_s=HASTY_S)
    for number in range(ASKS_AT_ONCE + 3):
        answer = asking.search(f"words {number}")
        assert [one["source"] for one in answer["failures"]] == ["deezer"]
    assert hangs.count == ASKS_AT_ONCE and "busy" in answer["failures"][0]["message"]
    hangs.let.set()


def test_an_open_breaker_is_a_named_failure_and_nothing_is_asked() -> None:
    down = Asked("deezer", fails=Failure("refused", "down", provider="deezer"))
    asking = search(down, breakers=Breakers())
    for number in range(5):
        answer = asking.search(f"words {number}")
    assert down.count == 3 and answer["failures"][0]["source"] == "deezer"
    assert [(one["name"], one["operation"], one["state"]) for one in asking._breakers.states()] == [
        ("deezer", "search", "open")]


def test_the_same_recording_from_several_is_one_by_the_most_trusted_with_its_gaps_filled() -> None:
    answer = search(
        Asked("spotify", track("spotify", "Other"),
              track("spotify", "One More Time", "Daft Punk", duration_ms=320_000)),
        Asked("deezer", track("deezer", "One more time!", "Daft Punk", duration_ms=321_000, isrc="GBDUW0000053",
                              cover_url="https://c"), track("deezer", "Third", isrc="USX000000001")),
        Asked("musicbrainz", track("musicbrainz", "Spelled otherwise", isrc="USX000000001")),
    ).search("one more time")
    assert [(one.source, one.title) for one in answer["items"]] == [
        ("spotify", "Other"), ("spotify", "One More Time"), ("deezer", "Third")]
    assert answer["items"][1].isrc == "GBDUW0000053" and answer["items"][1].cover_url == "https://c"


@pytest.mark.parametrize(("one", "other", "merged"), [
    (track("a", "X", duration_ms=100_000), track("b", "X", duration_ms=100_000), True),
    (track("a", "X", duration_ms=100_000), track("b", "X", duration_ms=200_000), False),
    (track("a", "X"), track("b", "X (Live)"), False), (track("a", "X"), track("b", "X", "B"), False),
    (track("a", "X"), track("a", "X"), False),
    (track("a", "X", kind="album", track_count=9), track("b", "x", kind="album", track_count=9), True),
    (track("a", "X", kind="album", track_count=9), track("b", "X", kind="album", track_count=12), False),
    (track("a", "X", kind="album"), track("b", "X"), False),
    (track("a", "X", kind="artist", artist=None), track("b", "X", kind="artist", artist=None), True),
    (track("a", "X", kind="playlist"), track("b", "X", kind="playlist"), False),
])
def test_what_is_one_and_what_is_not(one: Offer, other: Offer, merged: bool) -> None:
    assert len(_merged([[one], [other]] if one.source != other.source else [[one, other]])) == (1 if merged else 2)


def test_what_is_owned_is_marked() -> None:
    def owned(wanted: Wanted) -> str | None:
        return "t1" if wanted.isrc == "GBDUW0000053" else None

    answer = search(Asked("deezer", track("deezer", "One", isrc="GBDUW0000053"), track("deezer", "Two")),
                    owned=owned).search("x")
    assert [one.track_id for one in answer["items"]] == ["t1", None]


def test_a_limit_is_shared_between_the_kinds() -> None:
    many = [track("a", f"{kind} {number}", kind=kind) for kind in KINDS for number in range(30)]
    found = _shares(many, 20)
    assert [sum(one.kind == kind for one in found) for kind in KINDS] == [12, 4, 2, 2]
    assert [one.kind for one in _shares(many[:30], 20)] == ["track"] * 20
    assert len(_shares(many, 1)) == 1 and len(_shares(many, 3)) == 3 and len(_shares(many[:5], 20)) == 5


@given(st.lists(st.sampled_from(KINDS), max_size=60), st.integers(1, 40))
def test_no_more_than_the_limit_and_no_fewer_than_there_are(kinds: list[str], limit: int) -> None:
    offers = [track("a", f"{at}", kind=kind) for at, kind in enumerate(kinds)]
    assert len(_shares(offers, limit)) == min(limit, len(offers))


def test_youtube_is_searched_too_and_soulseek_is_not() -> None:
    youtube, soulseek = Fetches("youtube"), Fetches("soulseek")
    answer = search(providers=[soulseek, youtube]).search("some words")
    (offer,) = answer["items"]
    assert (offer.source, offer.title, offer.artist, offer.url) == (
        "youtube", "some words", "Uploader", "https://youtu.be/abcdefghijk")
    assert soulseek.count == 0


def test_nothing_is_asked_for_no_words_and_spotify_without_credentials_is_no_failure() -> None:
    catalogue = Asked("deezer")
    assert search(catalogue).search("  \n ") == {"items": [], "failures": []} and catalogue.count == 0
    assert search(Spotify(settings=Settings())).search("words") == {"items": [], "failures": []}


def test_a_link_in_place_of_words_is_resolved() -> None:
    catalogue = Asked("deezer", track("deezer", "Found", tracks=(Wanted(title="Found"),)), links="deezer.com")
    answer = search(catalogue).search(" https://www.deezer.com/track/1 ")
    assert titles(answer) == ["Found"] and answer["items"][0].tracks == ()
    assert search(catalogue).search("https://example.org/x")["failures"][0]["code"] == "unsupported"


# ---- links -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("words", "link"), [
    ("https://example.org/a.mp3", True), ("spotify:track:0DiWol3AO6WpXZgp0goxAV", True), ("youtu.be/abc", True),
    ("www.deezer.com/track/1", True), ("a band.com/", False), ("https://", False), ("AC/DC live", False),
    ("https://example.org/a b", False), ("spotify: a love story", False), ("example.org/x", False),
])
def test_links_are_told_from_words(words: str, link: bool) -> None:
    assert is_link(words) is link


def test_a_link_goes_to_the_catalogue_that_knows_it_else_to_a_provider() -> None:
    catalogue = Asked("deezer", track("deezer", "C"), links="deezer.com")
    provider = Fetches("direct", track("direct", "P"), links="://")
    asking = search(catalogue, providers=[provider])
    assert asking.resolve("deezer.com/track/1").title == "C"
    assert asking.resolve("https://example.org/a.mp3").title == "P"
    assert (catalogue.count, provider.count) == (1, 1)


def test_a_link_just_resolved_costs_nothing_a_second_time() -> None:
    catalogue = Asked("deezer", track("deezer", "C"), links="deezer.com")
    asking = search(catalogue)
    assert asking.resolve("https://deezer.com/1") is not None and asking.resolve("https://deezer.com/1 ") is not None
    assert catalogue.count == 1
    asking.resolve("https://deezer.com/2")
    assert catalogue.count == 2


def test_who_looks_for_what_is_new_is_told_what_is_there_now() -> None:
    deezer = Asked("deezer", track("deezer", "Old"), links="deezer")
    asks = search(deezer)
    assert asks.resolve("https://deezer.com/track/1").title == "Old"
    deezer.offers = [track("deezer", "New")]
    assert asks.resolve("https://deezer.com/track/1").title == "Old"
    assert asks.resolve("https://deezer.com/track/1", fresh=True).title == "New"
    assert asks.resolve("https://deezer.com/track/1").title == "New"
    assert deezer.count == 2


def test_a_failure_is_not_kept() -> None:
    catalogue = Asked("deezer", track("deezer", "C"), links="deezer.com", fails=Failure("timed_out", "slow"))
    asking = search(catalogue)
    with pytest.raises(Failure):
        asking.resolve("https://deezer.com/1")
    catalogue.fails = None
    assert asking.resolve("https://deezer.com/1").title == "C"


def test_who_asks_the_same_at_the_same_time_shares_one_ask() -> None:
    catalogue = Asked("deezer", track("deezer", "C"), links="deezer.com", holds=True)
    asking, found = search(catalogue), list[Offer]()
    threads = [threading.Thread(target=lambda: found.append(asking.resolve("https://deezer.com/1"))) for _ in range(5)]
    for thread in threads:
        thread.start()
    assert catalogue.begun.wait(10)
    catalogue.let.set()
    for thread in threads:
        thread.join(10)
    assert [one.title for one in found] == ["C"] * 5 and catalogue.count == 1


def test_what_the_first_provider_cannot_read_the_next_may() -> None:
    first = Fetches("youtube", links="://", fails=Failure("unsupported", "no", provider="youtube"))
    second = Fetches("direct", track("direct", "P"), links="://")
    assert search(providers=[first, second]).resolve("https://x.example/").title == "P"
    second.fails = Failure("not_found", "gone", provider="direct")
    with pytest.raises(Failure) as failed:
        search(providers=[first, second]).resolve("https://x.example/")
    assert failed.value.code == "not_found"
    with pytest.raises(Failure) as failed:
        search(providers=[first]).resolve("https://x.example/")
    assert failed.value.code == "unsupported"


@pytest.mark.parametrize(("link", "code"), [
    ("https://example.org/x", "unsupported"), ("file:///etc/passwd", "bad_link"), ("javascript:alert(1)", "bad_link"),
    ("", "bad_link"), ("https://" + "x" * 9000, "bad_link"), ("http://", "bad_link"),
])
def test_what_nobody_knows_is_told_so(link: str, code: str) -> None:
    with pytest.raises(Failure) as failed:
        search(Asked("deezer")).resolve(link)
    assert failed.value.code == code and failed.value.http_status == 422


def test_a_direct_link_has_the_breaker_of_its_host() -> None:
    provider = Fetches("direct", links="://", fails=Failure("refused", "down", provider="direct"))
    asking = search(providers=[provider], breakers=Breakers())
    for number in range(5):
        with pytest.raises(Failure):
            asking.resolve(f"https://bad.example/{number}")
    assert provider.count == 3
    provider.fails, provider.offers = None, [track("direct", "P")]
    assert asking.resolve("https://good.example/1").title == "P"


def test_an_album_is_asked_of_its_catalogue_and_the_librarys_gaps_are_never_kept() -> None:
    spotify = Asked("spotify", track("spotify", "S", kind="album"))
    local = Asked("local", track("local", "L", kind="album"))
    asking = search(spotify, local)
    for _ in range(2):
        assert asking.album("spotify", "1").title == "S" and asking.album("local", "1").title == "L"
    assert (spotify.count, local.count) == (1, 2)
    with pytest.raises(Failure) as failed:
        asking.album("napster", "1")
    assert failed.value.code == "not_configured" and "spotify" in failed.value.message


def test_each_track_of_an_album_is_looked_up() -> None:
    offer = track("deezer", "Album", kind="album", tracks=(Wanted(title="a"), Wanted(title="b")))
    asks: Callable[[Wanted], str | None] = {"a": None, "b": "t9"}.__getitem__
    assert search(owned=lambda wanted: asks(wanted.title)).tracks_owned(offer) == [None, "t9"]
    assert search().tracks_owned(offer) == [None, None]


def test_what_is_kept_is_bounded() -> None:
    long = track("deezer", "Long", kind="playlist", tracks=tuple(Wanted(title=str(at)) for at in range(9_000)))
    catalogue = Asked("deezer", long, links="deezer.com")
    asking = search(catalogue)
    for number in range(6):
        asking.resolve(f"https://deezer.com/{number}")
    assert sum(answer.tracks for answer in asking._answers.values()) <= KEPT_TRACKS + 9_000
    catalogue.offers = [track("deezer", "Short")]
    for number in range(KEPT + 50):
        asking.resolve(f"https://deezer.com/short/{number}")
    assert len(asking._answers) <= KEPT
