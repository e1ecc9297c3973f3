"""Music that lies in the cloud, as a listener meets it: a real browser, a real station, a real S3 server."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shared.model.cloud import Provider
from tests.builders import make_audio, make_picture
from tests.running import RunningStation, start_station
from tests.s3_server import FaultProxy, server
from tests.web.browsing import (
    HEARD,
    KEPT_THAT_SHOULD_NOT_BE,
    NAMELESS,
    PATIENCE_S,
    PHONE,
    PLAYING,
    TELL_VIOLATIONS,
    TOO_WIDE,
    until,
)

sync_api = pytest.importorskip("playwright.sync_api")

PUT, GET = r"^PUT .*/music/", r"^GET .*/music/"
ELSEWHERE = """caches.keys().then(async (names) => {
    const kept = [];
    for (const name of names) kept.push(...await (await caches.open(name)).keys());
    return kept.map((one) => new URL(one.url).origin).filter((origin) => origin !== location.origin);
})"""


@dataclass
class Cloudy:
    """A station with a few albums of two tracks each, and the way to its bucket."""

    station: RunningStation
    proxy: FaultProxy
    provider: Provider
    albums: dict[str, str]      # title → id

    def files(self, album: str) -> int:
        return len(list((self.station.music / album).glob("*.mp3")))

    def tracks(self, album: str) -> list[Any]:
        return list(self.station.call("GET", f"/api/library/albums/{self.albums[album]}")[1]["tracks"])

    def over(self, kind: str, **what: Any) -> Any:
        """An errand, done."""
        status, answer = self.station.call("POST", "/api/storage/errands", {"kind": kind, **what})
        assert status == 202, answer
        for _ in range(600):
            _, told = self.station.call("GET", f"/api/storage/errands/{answer['errand']['id']}")
            if told["state"] in ("done", "failed", "cancelled"):
                return told
            time.sleep(0.1)
        raise AssertionError(f"not over: {told}")


@contextlib.contextmanager
def cloudy(base: Path, *names: str, add: bool = True, environ: dict[str, str] | None = None) -> Iterator[Cloudy]:
    for number, album in enumerate(names, start=1):
        for track in (1, 2):
            make_audio(base / "music" / album, f"{track:02}.mp3", seconds=6, tone_hz=180 + 70 * track * number,
                       picture=make_picture(400, (60 * number, 90, 120)), tags={
                           "title": f"{album} {track}", "artist": "Ann", "album": album, "album_artist": "Ann",
                           "track_number": track})
    with FaultProxy(server().url) as proxy:
        # Another host than the station's, so that it is another site to the browser.
        provider = server().provider(endpoint=proxy.url.replace("127.0.0.1", "localhost"))
        if add:
            server().add_to(base / "home", provider)
        station = start_station(base / "home", [base / "music"], environ=environ)
        try:
            station.wait_for_scan()
            albums = {one["title"]: one["id"] for one in station.call("GET", "/api/library/albums")[1]["items"]}
            yield Cloudy(station, proxy, provider, albums)
        finally:
            station.stop()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloudy]:
    """One for all of them; each test has an album of its own."""
    with cloudy(tmp_path_factory.mktemp("cloudy"), "Weather", "Harbour", "Lantern") as made:
        yield made


def choose(page: Any, menu: str, words: str) -> None:
    page.locator(menu).click(force=True)
    page.get_by_role("menuitem", name=words, exact=True).click()


@pytest.fixture(autouse=True)
def well(home: Cloudy) -> Iterator[None]:
    """What a test breaks is whole again after it."""
    yield
    home.proxy.heal()


ALBUM_MENU = "view-album .hero [data-do='album-menu']"
FIRST_MENU = "view-album .row-menu >> nth=0"


def test_an_album_leaves_this_machine_plays_on_and_is_kept_again(
        open_player: Callable[..., Any], home: Cloudy) -> None:
    page = open_player(f"/#/album/{home.albums['Weather']}", at=home.station, size=PHONE)
    place = page.locator("view-album .hero-place")
    page.locator("view-album .row-play").first.wait_for()
    assert place.count() == 0 and page.locator("view-album .fetched").count() == 0, "what lies here has no sign"
    choose(page, ALBUM_MENU, "Free up space")
    size = sum(one["size_bytes"] for one in home.tracks("Weather"))
    dialog = page.get_by_role("dialog", name=f"Free up {round(size / 1000)} KB?")
    sync_api.expect(dialog).to_contain_text("2 tracks of “Weather” leave this machine")
    sync_api.expect(dialog).to_contain_text("they stream from there")
    dialog.get_by_role("button", name="Cancel").click()
    assert home.files("Weather") == 2

    choose(page, ALBUM_MENU, "Free up space")
    dialog.get_by_role("button", name="Free up").click()
    page.get_by_text(f"{round(size / 1000)} KB are free again. “Weather” streams").wait_for()
    sync_api.expect(place).to_contain_text("In the cloud")
    assert (home.files("Weather"), page.locator("view-album .fetched").count()) == (0, 0), "said once, not on all rows"
    page.locator("view-album .row-play").nth(1).click()
    until(page, f"{HEARD} > 0.3")
    assert page.evaluate(f"{PLAYING}.webkitAudioDecodedByteCount > 0")
    page.evaluate("location.hash = '/library/tracks'")
    row = page.locator(".row", has_text="Weather 1")
    sync_api.expect(row.locator(".row-sub .sr-only")).to_contain_text("In the cloud")
    assert row.count() == 1 and page.locator(".row", has_text="Lantern 1").count() == 1

    page.evaluate(f"location.hash = '/album/{home.albums['Weather']}'")
    choose(page, FIRST_MENU, "Where it lies")
    where = page.get_by_role("dialog", name="Where it lies")
    sync_api.expect(where.locator(".place")).to_have_count(2)
    sync_api.expect(where.locator(".place").first).to_contain_text("Not there")
    sync_api.expect(where.locator(".place").last).to_contain_text("In the cloud: r2")
    sync_api.expect(where.locator(".place").last).to_contain_text("Played from here")
    page.keyboard.press("Escape")

    choose(page, ALBUM_MENU, "Keep on this machine")
    sync_api.expect(place).to_have_text("Kept on this machine")
    until(page, "document.querySelectorAll('view-album .row').length === 2")
    assert home.files("Weather") == 2 and {one["place"] for one in home.tracks("Weather")} == {"local"}
    page.locator(ALBUM_MENU).click()
    assert page.get_by_role("menuitem", name="Free up space").count() == 0, "it is kept"
    page.get_by_role("menuitem", name="No longer keep here").click()
    sync_api.expect(place).to_have_count(0)
    assert home.station.call("GET", "/api/storage/pins")[1]["items"] == [] and home.files("Weather") == 2


def test_the_page_shows_what_lies_where_and_what_the_station_is_at(
        open_player: Callable[..., Any], home: Cloudy) -> None:
    page = open_player("/#/you", at=home.station)
    page.get_by_role("link", name="Storage").click()
    view = page.locator("view-storage")
    lies = view.get_by_label("Where your music lies")
    sync_api.expect(lies).to_contain_text("On this machine")
    sync_api.expect(view.get_by_label("In the cloud")).to_contain_text("Ready")

    refused = home.proxy.fault(PUT, error="AccessDenied")
    page.evaluate(f"location.hash = '/album/{home.albums['Harbour']}'")
    choose(page, ALBUM_MENU, "Copy to the cloud")
    told = page.get_by_text("Copying to the cloud did not work for “Harbour”")
    told.wait_for()
    page.locator(".toast", has=told).get_by_role("button", name="See").click()
    lately = view.get_by_label("Lately")
    failed = view.locator(".errand[data-state='failed']")
    sync_api.expect(failed).to_contain_text("Did not work")
    reason = home.station.call("GET", "/api/storage/errands?state=failed")[1]["items"][0]["message"]
    sync_api.expect(failed.locator(".storage-remedy")).to_have_text(reason)
    assert refused.hits
    home.proxy.heal()
    failed.get_by_role("button", name="Try again: Harbour").click()
    sync_api.expect(lately).to_contain_text("Copied to the cloud")

    home.proxy.fault(PUT, bytes_per_s=40_000)
    choose_all = view.get_by_role("button", name="Copy everything")
    choose_all.click()
    asked = page.get_by_role("dialog", name="Copy everything to the cloud?")
    sync_api.expect(asked).to_contain_text("nothing is removed here")
    asked.get_by_role("button", name="Copy everything").click()
    active = view.get_by_label("Under way")
    sync_api.expect(active).to_contain_text("Copying to the cloud")
    until(page, "Number(document.querySelector('view-storage .errand .meter')?.getAttribute('aria-valuenow')) > 0", 20)
    active.get_by_role("button", name="Stop: All your music").click()
    sync_api.expect(lately).to_contain_text("Stopped")
    sync_api.expect(active).to_have_count(0)
    home.proxy.heal()

    assert home.over("offload", album_ids=[home.albums["Harbour"]])["state"] == "done"
    sync_api.expect(lies).to_contain_text("Only in the cloud2 tracks")
    page.evaluate(f"location.hash = '/album/{home.albums['Harbour']}'")
    page.locator("view-album .row-play").first.click()
    until(page, f"{HEARD} > 0")
    page.keyboard.press(" ")
    page.evaluate("location.hash = '/you/storage'")
    cache = view.get_by_label("Cache", exact=True)
    sync_api.expect(cache).to_contain_text("from the cloud, ready to play")
    cache.get_by_role("button", name="Empty").click()
    page.get_by_text("are free again").first.wait_for()
    assert page.evaluate(TOO_WIDE) == [0, 0] and page.evaluate(NAMELESS) == []

    view.get_by_role("button", name="Free up space").click()
    everything = page.get_by_role("dialog", name="Free up to")
    sync_api.expect(everything).to_contain_text("on this machine leave it, but for what is kept here")
    sync_api.expect(everything).to_contain_text("your music streams from there")
    everything.get_by_role("button", name="Cancel").click()
    assert home.files("Lantern") == 2


def test_without_a_storage_it_is_said_what_to_run_and_nothing_else_is_offered(
        open_player: Callable[..., Any], station: Any) -> None:
    page = open_player("/#/library/albums")
    page.locator("sb-list .card:not(.to-come) .card-link").first.click()
    page.locator(ALBUM_MENU).click()
    words = page.get_by_role("menuitem").all_inner_texts()
    assert "Copy to the cloud" in words and not {"Free up space", "Keep on this machine"} & set(words)
    page.get_by_role("menuitem", name="Copy to the cloud").click()
    dialog = page.get_by_role("dialog", name="No storage is set up yet")
    sync_api.expect(dialog.locator("code")).to_have_text("python3 run.py tool storage add r2")
    dialog.get_by_role("button", name="Close").last.click()
    page.evaluate("location.hash = '/you/storage'")
    sync_api.expect(page.locator("view-storage code")).to_have_text("python3 run.py tool storage add r2")
    assert page.get_by_role("button", name="Copy everything").count() == 0


def test_a_child_is_offered_nothing_of_it_and_sees_where_it_plays_from(
        open_player: Callable[..., Any], home: Cloudy) -> None:
    told = {"username": "Kim", "password": "a password of hers"}
    assert home.station.call("POST", "/api/users", {**told, "role": "child"})[0] == 201
    assert home.over("offload", album_ids=[home.albums["Lantern"]])["state"] == "done"
    page = open_player(f"/#/album/{home.albums['Lantern']}", at=home.station,
                       token=home.station.login("Kim", told["password"]))
    sync_api.expect(page.locator("view-album .hero-place")).to_contain_text("In the cloud")
    page.locator(ALBUM_MENU).click()
    assert not {"Copy to the cloud", "Free up space", "Keep on this machine"} & set(
        page.get_by_role("menuitem").all_inner_texts())
    page.keyboard.press("Escape")
    page.evaluate("location.hash = '/you'")
    page.locator("view-you h1").wait_for()
    assert page.get_by_role("link", name="Storage").count() == 0
    page.evaluate("location.hash = '/you/storage'")
    page.get_by_text("Not with this account").wait_for()


def test_the_sound_comes_from_the_storages_own_address_when_the_station_says_so(
        browser: Any, tmp_path: Path) -> None:
    with cloudy(tmp_path, "Weather", "Harbour", add=False, environ={"SOUNDSIBLE_CLOUD_REDIRECT": "true"}) as home:
        context = browser.new_context()
        context.set_default_timeout(PATIENCE_S * 1000)
        said: list[str] = []
        try:
            context.add_cookies([{"name": "soundsible_session", "value": home.station.login(), "httpOnly": True,
                                  "url": home.station.url, "sameSite": "Lax"}])
            page = context.new_page()
            page.on("console", lambda message: said.append(message.text))
            page.goto(f"{home.station.url}/#/album/{home.albums['Weather']}")
            page.locator("view-album .row-play").first.wait_for()
            page.evaluate("navigator.serviceWorker.ready.then(() => 1)")
            until(page, "navigator.serviceWorker.controller !== null")

            # The storage is added, and the music moves there, while this page is open.
            server().add_to(home.station.home, home.provider)
            for _ in range(50):
                if home.station.call("GET", "/api/storage")[1]["providers"]:
                    break
                page.wait_for_timeout(100)
            assert home.over("offload", everything=True)["state"] == "done"
            sync_api.expect(page.locator("view-album .hero-place")).to_contain_text("In the cloud")

            # This page may not go there yet: the station lets it be heard all the same.
            page.locator("view-album .row-play").first.click()
            until(page, f"{HEARD} > 0.3")
            assert any("media-src" in one for one in said)
            page.keyboard.press(" ")

            # The next visit may.
            page.reload()
            page.locator("view-album .row-play").first.wait_for()
            page.evaluate(TELL_VIOLATIONS)
            said.clear()
            page.locator("view-album .row-play").nth(1).click()
            until(page, f"{HEARD} > 0.3")
            assert page.evaluate(f"{PLAYING}.webkitAudioDecodedByteCount > 0 && {PLAYING}.volume > 0")
            browsers = [one for one in home.proxy.of(GET) if "Mozilla" in one.headers.get("user-agent", "")]
            assert browsers, "the bucket itself was asked"
            assert not {"cookie", "referer", "origin"} & {name for one in browsers for name in one.headers}
            page.keyboard.press("ArrowLeft")
            slider = page.locator("sb-dock sb-seek .slider")
            box = slider.bounding_box()
            slider.click(position={"x": box["width"] * 0.6, "y": box["height"] / 2})
            until(page, f"{HEARD} > 3")
            assert [one for one in said if "policy" in one.lower()] == []

            page.keyboard.press(" ")

            # Neither the browser nor the station can get it there now.
            home.proxy.fault("", drop=True)
            page.evaluate(f"location.hash = '/album/{home.albums['Harbour']}'")
            page.locator(".row-play[title='Harbour 1']").click()
            page.get_by_text("“Harbour 1” cannot be played. This track lies in the cloud alone").wait_for()
            page.evaluate("location.hash = '/you/storage'")
            storages = page.locator("view-storage").get_by_label("In the cloud")
            sync_api.expect(storages).to_contain_text("Does not answer")
            sync_api.expect(storages.locator("code")).to_have_text("python3 run.py tool storage test r2")

            # Nothing of it is kept where only the shell belongs.
            assert page.evaluate(ELSEWHERE) == [] and page.evaluate(KEPT_THAT_SHOULD_NOT_BE) == []
            home.station.stop()
            page.goto(f"{home.station.url}/#/library")
            page.get_by_text("The station does not answer").first.wait_for()
        finally:
            context.close()
