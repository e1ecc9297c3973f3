"""Music from outside as a listener meets it: a real browser, a real station, and the tests' own servers as outside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.builders import make_picture
from tests.fakes.answering import Reply
from tests.fakes.deezer import Album, FakeDeezer, Track
from tests.fakes.musicbrainz import FakeMusicBrainz
from tests.fakes.slskd import FakeSlskd, Peer
from tests.media_server import MediaServer, audio
from tests.running import RunningStation, start_station
from tests.web.browsing import HEARD, NAMELESS, PHONE, SOURCE, TOO_WIDE, until

sync_api = pytest.importorskip("playwright.sync_api")

ALBUM = "Long Division"
TITLES = ("Ember", "Fold", "Signal", "Homeward", "Lanterns")


def song(title: str, number: int, *, album: str = "Loose Ends", suffix: str = ".mp3", seconds: float = 6) -> bytes:
    picture = make_picture(300, (25 * number, 90, 120))
    return audio(suffix, seconds=seconds, tone_hz=200 + 60 * number, picture=picture, tags={
        "title": title, "artist": "Copper Sky", "album": album, "album_artist": "Copper Sky", "track_number": number})


@dataclass
class Outside:
    """Everything beyond the station."""

    media: MediaServer
    slskd: FakeSlskd
    deezer: FakeDeezer
    station: RunningStation

    def ask(self, **wish: Any) -> str:
        status, answer = self.station.call("POST", "/api/downloads", wish)
        assert status in (200, 202), answer
        return str(answer["download"]["id"])


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    base = tmp_path_factory.mktemp("outside")
    music = base / "music" / "Copper Sky" / ALBUM
    music.mkdir(parents=True)
    for number, title in enumerate(TITLES[:2], start=1):
        (music / f"{number:02} {title}.mp3").write_bytes(song(title, number, album=ALBUM))
    known = [Track(70 + number, title, 6) for number, title in enumerate(TITLES, start=1)]
    shared = {
        # what fits better hangs; the other one can be had
        "ann": Peer(transfer_s=3600, files={
            "a\\Copper Sky\\Long Division\\04 - Homeward.flac": song("Homeward", 4, album=ALBUM, suffix=".flac")}),
        "bob": Peer(files={"b\\Copper Sky\\Long Division\\04 - Homeward.mp3": song("Homeward", 4, album=ALBUM),
                           "b\\Copper Sky\\Long Division\\03 - Signal.mp3": song("Signal", 3, album=ALBUM)}),
    }
    with (MediaServer() as media, FakeSlskd(base / "slskd", library=shared) as slskd, FakeMusicBrainz() as musicbrainz,
          FakeDeezer(albums=[Album(302, ALBUM, "Copper Sky", known)]) as deezer):
        station = start_station(base / "home", [base / "music"], environ={
            "SOUNDSIBLE_ALLOW_PRIVATE_HOSTS": media.allow, "SOUNDSIBLE_DEEZER_URL": deezer.url,
            "SOUNDSIBLE_MUSICBRAINZ_URL": musicbrainz.url, "SOUNDSIBLE_COVERART_URL": musicbrainz.url,
            "SOUNDSIBLE_LRCLIB_URL": musicbrainz.url, "SOUNDSIBLE_SLSKD_URL": slskd.url,
            "SOUNDSIBLE_SLSKD_API_KEY": slskd.api_key, "SOUNDSIBLE_SLSKD_DOWNLOADS": str(slskd.downloads),
            "SOUNDSIBLE_DOWNLOAD_PROVIDERS": "soulseek,direct",
        })
        try:
            station.wait_for_scan()
            yield Outside(media, slskd, deezer, station)
        finally:
            assert station.stop() == 0


@pytest.fixture
def at_outside(open_player: Callable[..., Any], outside: Outside) -> Callable[..., Any]:
    """Opens the player of the station that fetches; it must never load anew."""

    def opened(path: str = "/#/downloads", **more: Any) -> Any:
        page = open_player(path, at=outside.station, **more)
        page.evaluate("window.sameAsEver = true")
        return page

    return opened


def get(page: Any, wish: str) -> None:
    page.get_by_role("textbox", name="Link, or Artist - Title").fill(wish)
    page.get_by_role("button", name="Get it").click()


def row(page: Any, name: str) -> Any:
    return page.locator(".coming", has_text=name)


def test_a_pasted_link_becomes_a_track_that_plays_in_the_open_player(
    at_outside: Callable[..., Any], outside: Outside
) -> None:
    link = outside.media.add("first.mp3", song("First Light", 7), slow=120_000)
    library = at_outside("/#/library/tracks")
    library.locator(".row-play[title='Ember']").wait_for()
    page = at_outside()
    get(page, link)
    sync_api.expect(page.locator(".coming [role=progressbar]").first).to_be_attached()
    sync_api.expect(page.locator(".tab .badge")).to_have_text("1")
    toast = page.locator(".toast", has_text="is in your library")
    toast.wait_for()
    toast.get_by_role("button", name="Play").click()
    until(page, f"{HEARD} > 0")
    sync_api.expect(page.locator(".dock-title")).to_have_text("First Light")
    sync_api.expect(page.locator(".tab .badge")).to_have_count(0)
    came = library.locator(".row", has=library.locator(".row-play[title='First Light']"))
    came.locator(".fetched").wait_for()
    came.locator(".row-play").click()
    until(library, f"{HEARD} > 0")
    came.click(button="right")
    library.get_by_role("menuitem", name="Where it came from").click()
    library.locator("dialog", has_text="Direct link").get_by_text(link).wait_for()
    assert page.evaluate("window.sameAsEver") and library.evaluate("window.sameAsEver")


def test_what_comes_can_be_paused_gone_on_with_and_stopped(at_outside: Callable[..., Any], outside: Outside) -> None:
    page = at_outside()
    get(page, outside.media.add("long.mp3", song("Endless Pier", 8, seconds=40), slow=15_000))
    coming = row(page, "of ")
    coming.get_by_text("of ").wait_for()
    page.get_by_role("button", name="Pause long").click()
    page.locator(".chip", has_text="Waiting").click()
    row(page, "Paused").wait_for()
    page.get_by_role("button", name="Go on with long").click()
    row(page, "of ").first.wait_for()
    page.get_by_role("button", name="More for long").first.click()
    page.get_by_role("menuitem", name="Stop").click()
    page.locator(".chip", has_text="Stopped").click()
    row(page, "Stopped").get_by_role("link").click()
    page.locator(".history", has_text="Stopped").wait_for()
    assert not list(outside.station.music.rglob("*Endless Pier*"))
    page.get_by_role("button", name="Take off the list").click()
    page.locator(".chip", has_text="Stopped").wait_for()
    sync_api.expect(page.locator(".chip", has_text="Stopped").locator(".chip-count")).to_have_count(0)


def test_a_failure_says_why_and_the_next_try_may_work(at_outside: Callable[..., Any], outside: Outside) -> None:
    page = at_outside()
    link = outside.media.add("late.mp3", b"<!doctype html><title>Soon</title><p>Come back tomorrow", mime="text/html")
    get(page, link)
    page.locator(".chip", has_text="Did not work").click()
    failed = row(page, "late.mp3")
    sync_api.expect(failed.locator(".wrong")).to_contain_text("nothing to hear")
    failed.get_by_role("link", name="late.mp3").click()
    page.get_by_role("heading", name="History").wait_for()
    outside.media.change("late.mp3", song("Late Bloom", 9), mime="audio/mpeg")
    page.get_by_role("button", name="Try again").click()
    page.locator(".one-actions").get_by_role("button", name="Play").wait_for()
    sync_api.expect(page.locator("h1")).to_have_text("Late Bloom")
    page.get_by_text("What was noted").click()
    page.locator(".log-lines li").nth(1).wait_for()


def test_search_tells_what_is_here_and_fetches_what_is_not(at_outside: Callable[..., Any], outside: Outside) -> None:
    page = at_outside("/#/search")
    page.get_by_role("searchbox").fill("copper sky")
    found = page.locator("sb-outside .offer")
    here = found.filter(has_text="Ember")
    here.get_by_role("button", name="it is in your library").click()
    until(page, f"{HEARD} > 0 && {SOURCE}.includes('/api/stream/')")
    wanted = found.filter(has_text="Signal")
    wanted.get_by_role("button", name="Download Signal").click()
    wanted.get_by_role("button", name="Play Signal, it is in your library").click()
    sync_api.expect(page.locator(".dock-title")).to_have_text("Signal")
    page.locator(".row-play[title='Signal']").wait_for()    # now among what the library has
    page.locator("sb-outside .card-link", has_text=ALBUM).click()
    every = page.get_by_role("button", name="Download all")
    sync_api.expect(every).to_have_text("Download all (2 new, 3 in your library)")
    assert page.locator(".linked-list .owned").count() == 3
    page.go_back()
    found.first.wait_for()
    assert page.evaluate("window.sameAsEver")


def test_something_is_tried_first_and_the_queue_comes_back(at_outside: Callable[..., Any], outside: Outside) -> None:
    link = outside.media.add("try.mp3", song("Try Me", 6))
    page = at_outside("/#/library/albums")
    page.locator(".card-link", has_text=ALBUM).click()
    page.locator(".hero .button-main").click()
    until(page, f"{HEARD} > 0")
    title = page.locator(".dock-title").inner_text()
    page.goto(f"{outside.station.url}/#/search")
    page.get_by_role("searchbox").fill(link)
    page.get_by_role("button", name="Listen to").click()
    until(page, f"{HEARD} > 0 && {SOURCE}.includes('/api/acquire/preview')")
    sync_api.expect(page.locator(".dock .mark")).to_have_text("Preview")
    page.locator(".dock").get_by_role("button", name="End the preview").click()
    sync_api.expect(page.locator(".dock-title")).to_have_text(title)
    page.locator("sb-dock").get_by_role("button", name="Play", exact=True).first.click()
    until(page, f"{HEARD} > 0 && {SOURCE}.includes('/api/stream/')")


def test_not_this_goes_on_with_the_next_candidate(at_outside: Callable[..., Any], outside: Outside) -> None:
    id = outside.ask(query="Copper Sky - Homeward")
    page = at_outside(f"/#/downloads/one/{id}")
    candidates = page.locator(".candidate")
    chosen = candidates.filter(has_text="Chosen")
    sync_api.expect(chosen).to_contain_text("FLAC")
    sync_api.expect(candidates).to_have_count(2)
    chosen.get_by_text("Fits").click()
    chosen.get_by_text("Quality").wait_for()
    chosen.get_by_role("button", name="Not Homeward").click()
    sync_api.expect(page.locator(".one-state")).to_contain_text("In your library")
    sync_api.expect(candidates.filter(has_text="Not taken")).to_contain_text("FLAC")
    sync_api.expect(chosen).to_contain_text("MP3")


def test_an_album_tells_what_it_lacks_and_fetches_it(at_outside: Callable[..., Any], outside: Outside) -> None:
    page = at_outside("/#/library/albums")
    page.locator(".card-link", has_text=ALBUM).click()
    page.locator(".hero").get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Look for missing tracks").click()
    lacking = page.locator(".lacking")
    sync_api.expect(lacking).to_contain_text("not in your library")
    sync_api.expect(lacking).to_contain_text("Lanterns")
    lacking.get_by_role("button", name="Fetch").click()
    lacking.get_by_role("link", name="See downloads").click()
    row(page, "Lanterns").first.wait_for()


def test_a_list_is_asked_for_together_and_what_is_no_music_is_named(at_outside: Callable[..., Any],
                                                                    outside: Outside) -> None:
    page = at_outside()
    lines = [outside.media.add(f"list{number}.mp3", song(f"Listed {number}", number)) for number in (1, 2)]
    page.locator(".ask input[type=file]").set_input_files({
        "name": "mine.txt", "mimeType": "text/plain", "buffer": "\n".join([*lines, "far too long " * 200]).encode()})
    page.locator(".unread").get_by_text("Line 3").wait_for()
    page.locator(".chip", has_text="Arrived").click()
    row(page, "Listed 1").wait_for()
    row(page, "Listed 2").wait_for()
    page.locator(".coming-head").first.click()
    page.get_by_text("2 of 2 in your library").wait_for()


def test_who_may_only_listen_sees_none_of_it(at_outside: Callable[..., Any], outside: Outside) -> None:
    station = outside.station
    status, _ = station.call("POST", "/api/users", {"username": "kim", "password": "a password of hers",
                                                    "role": "child"})
    assert status == 201
    page = at_outside("/#/search?q=ember", token=station.login("kim", "a password of hers"), size=PHONE)
    page.locator(".row-play[title='Ember']").wait_for()
    assert page.locator("sb-outside, .fetched, .tab:has-text('Downloads')").count() == 0
    assert page.locator(".tab").count() == 4
    page.goto(f"{station.url}/#/downloads")
    page.get_by_text("Not with this account").wait_for()


def test_every_page_of_it_fits_a_phone(at_outside: Callable[..., Any], outside: Outside) -> None:
    outside.ask(query="A very long name of somebody - and a title without any end " * 3)
    page = at_outside(size=PHONE)
    _, listed = outside.station.call("GET", "/api/downloads?limit=1")
    pages = ["/downloads", "/downloads?show=failed", "/downloads/watches", "/downloads/sources", "/downloads/doubts",
             f"/downloads/one/{listed['items'][0]['id']}", "/search?q=copper%20sky",
             "/search?q=https%3A%2F%2Fwww.deezer.com%2Falbum%2F302"]
    for path in pages:
        page.goto(f"{outside.station.url}/#{path}")
        page.locator("main h1, main .linked").first.wait_for(state="attached")
        page.wait_for_timeout(150)
        assert max(page.evaluate(TOO_WIDE)) <= 0, path
        assert page.evaluate(NAMELESS) == [], path


def test_a_source_that_is_silent_is_one_quiet_line(at_outside: Callable[..., Any], outside: Outside) -> None:
    outside.deezer.always(Reply(503, b"down"))
    try:
        page = at_outside("/#/search?q=fold%20up")
        page.locator("sb-outside").get_by_text("Deezer did not answer this time.").wait_for()
    finally:
        outside.deezer.always(None)
