"""What comes from the world and goes out to it: podcasts, internet radio, and where plays are told."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.builders import make_album, make_picture
from tests.fakes.lastfm import KEY, SECRET, FakeLastfm
from tests.fakes.listenbrainz import FakeListenBrainz
from tests.media_server import MediaServer, audio
from tests.running import RunningStation, start_station
from tests.web.browsing import HEARD, PHONE, PLAYING, TOO_WIDE, until

sync_api = pytest.importorskip("playwright.sync_api")

STEP = 16_000       # bytes of sound between two words of a radio about itself
SONGS = ("The Builders - First Song", "The Builders - Second Song")


def radio_of(sound: bytes) -> bytes:
    """A stream that says what it plays: for four pieces the first song, then the second."""
    pieces = [sound[at:at + STEP] for at in range(0, len(sound) - STEP + 1, STEP)]
    out = b""
    for number, piece in enumerate(pieces):
        words = f"StreamTitle='{SONGS[number >= 4]}';".encode()
        blocks = -(-len(words) // 16)
        out += piece + bytes([blocks]) + words.ljust(blocks * 16, b"\0")
    return out


@pytest.fixture(scope="module")
def world() -> Iterator[MediaServer]:
    with MediaServer() as server:
        sound = audio(seconds=40, bitrate=128_000)
        server.add("cover.jpg", make_picture())
        links = [server.add(f"episode-{number}.mp3", sound) for number in (1, 2)]
        items = "".join(
            f"<item><title>Chapter {number}</title><guid>{number}</guid><pubDate>Sat, 0{number} Aug 2026 10:00:00 GMT"
            f'</pubDate><description>About &lt;b&gt;{number}&lt;/b&gt;</description><itunes:duration>40'
            f'</itunes:duration><enclosure url="{link}" length="{len(sound)}" type="audio/mpeg"/></item>'
            for number, link in enumerate(links, 1))
        server.add("feed.xml", (
            '<rss version="2.0" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"><channel><title>The Long Way'
            f'</title><itunes:author>Ann</itunes:author><itunes:image href="{server.url("cover.jpg")}"/>{items}'
            "</channel></rss>").encode(), mime="application/rss+xml")
        server.add("radio", radio_of(sound), endless=True, slow=64_000, mime="audio/mpeg",
                   headers={"icy-metaint": str(STEP), "icy-name": "A Radio"})
        yield server


@pytest.fixture(scope="module")
def listens() -> Iterator[FakeListenBrainz]:
    with FakeListenBrainz() as fake:
        yield fake


@pytest.fixture(scope="module")
def lastfm() -> Iterator[FakeLastfm]:
    with FakeLastfm(time.time()) as fake:
        yield fake


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory, world: MediaServer, listens: FakeListenBrainz,
            lastfm: FakeLastfm) -> Iterator[RunningStation]:
    base = tmp_path_factory.mktemp("outward")
    make_album(base / "music", count=1, seconds=31)     # shorter ones are told to nobody
    running = start_station(base / "home", [base / "music"], environ={
        "SOUNDSIBLE_ALLOW_PRIVATE_HOSTS": f"{world.allow},{listens.host},{lastfm.host}",
        "SOUNDSIBLE_LASTFM_URL": lastfm.address, "SOUNDSIBLE_LASTFM_API_KEY": KEY,
        "SOUNDSIBLE_LASTFM_API_SECRET": SECRET})
    try:
        running.wait_for_scan()
        yield running
    finally:
        running.stop()


def test_an_episode_goes_on_where_it_was_left_also_elsewhere(
        open_player: Callable[..., Any], station: RunningStation, world: MediaServer) -> None:
    page = open_player("/#/podcasts", size=PHONE)
    page.get_by_role("button", name="Follow a podcast").click()
    page.get_by_label("Address of its feed").fill(world.url("feed.xml"))
    page.get_by_role("button", name="Follow", exact=True).click()
    page.get_by_role("heading", name="The Long Way").wait_for()
    assert page.evaluate(TOO_WIDE) == [0, 0]
    page.get_by_role("button", name="Play: Chapter 1").click()
    until(page, f"{HEARD} > 0.3")
    page.locator("sb-dock").get_by_role("button", name="30 seconds on").click()
    until(page, f"{HEARD} > 30")
    page.locator("sb-dock .dock-open").click()
    now = page.get_by_role("dialog", name="Now playing")
    now.get_by_role("button", name="15 seconds back").click()
    until(page, f"{HEARD} > 14 && {HEARD} < 25")
    now.get_by_label("Speed").select_option("1.5")
    assert page.evaluate(f"{PLAYING}.playbackRate") == 1.5
    with page.expect_response(lambda answer: answer.url.endswith("/position") and answer.ok) as told:
        now.get_by_role("button", name="Pause").click()
    left = told.value.request.post_data_json["position_ms"] / 1000
    assert 14 < left < 30

    other = open_player("/#/podcasts")
    sync_api.expect(other.locator(".episode", has_text="Chapter 1").get_by_role("progressbar")).to_be_visible()
    other.get_by_role("button", name="Play: Chapter 1").click()
    until(other, f"{HEARD} >= {left - 0.1}")
    other.evaluate(f"{PLAYING}.currentTime = 39.5")
    sync_api.expect(other.locator(".episode", has_text="Chapter 1")).to_contain_text("Played")

    page.reload()       # what was left here is heard to its end by now
    sync_api.expect(page.locator("sb-dock .dock-title")).to_have_text("Chapter 1")
    page.locator("sb-dock .dock-small .play-button").click()
    until(page, f"{HEARD} >= 0 && {HEARD} < 5")


def test_an_episode_is_fetched_and_the_list_is_taken_along(
        open_player: Callable[..., Any], station: RunningStation, world: MediaServer) -> None:
    page = open_player("/#/podcasts")
    with page.expect_download() as saved:
        page.get_by_role("button", name="More", exact=True).click()
        page.get_by_role("menuitem", name="Save as a list").click()
    assert world.url("feed.xml") in Path(saved.value.path()).read_text("utf-8")
    page.get_by_role("link", name="The Long Way").first.click()
    row = page.locator("view-podcast .episode", has_text="Chapter 2")
    row.get_by_role("button", name="Fetch Chapter 2 to the station").click()
    sync_api.expect(row).to_contain_text("Kept at the station", timeout=30_000)
    row.get_by_role("button", name="More for Chapter 2").click()
    page.get_by_role("menuitem", name="About this episode").click()
    page.get_by_role("dialog").get_by_text("About 2").wait_for()
    page.get_by_role("dialog").get_by_role("button", name="Close").last.click()
    world.change("episode-2.mp3", status=404)
    row.get_by_role("button", name="Play: Chapter 2").click()
    until(page, f"{HEARD} > 0.2")

    # Between tracks it is one of them.
    page.goto(station.url + "/#/library/tracks")
    page.locator("sb-list .row-play").first.click()
    title = page.locator("sb-dock .dock-title")
    sync_api.expect(title).to_have_text("Foundations 1")
    page.goto(station.url + "/#/podcasts")
    page.get_by_role("button", name="More for Chapter 2").click()
    page.get_by_role("menuitem", name="Add to queue").click()
    page.keyboard.press("n")
    sync_api.expect(title).to_have_text("Chapter 2")
    until(page, f"{HEARD} > 0")
    page.keyboard.press("p")
    sync_api.expect(title).to_have_text("Foundations 1")
    until(page, f"{HEARD} > 0")
    page.reload()
    sync_api.expect(title).to_have_text("Foundations 1")
    page.keyboard.press("n")
    sync_api.expect(title).to_have_text("Chapter 2")
    until(page, f"{HEARD} > 0")


def test_a_begun_episode_is_found_on_home_and_told_of_where_it_cannot_be_sought(
        open_player: Callable[..., Any], station: RunningStation, world: MediaServer) -> None:
    sound = audio(seconds=90, bitrate=64_000)
    item = (f'<item><title>A Talk</title><guid>1</guid><enclosure url="{world.add("talk.mp3", sound, ranges=False)}" '
            f'length="{len(sound)}" type="audio/mpeg"/><itunes:duration>90</itunes:duration></item>')
    feed = world.add("talks.xml", (
        '<rss version="2.0" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"><channel><title>Café Talks'
        f"</title>{item}</channel></rss>").encode(), mime="application/rss+xml")
    made = station.call("POST", "/api/podcasts", {"url": feed})[1]
    talk = station.call("GET", f"/api/podcasts/{made['id']}/episodes")[1]["items"][0]
    station.call("PUT", f"/api/episodes/{talk['id']}/position", {"position_ms": 1500})
    page = open_player("/#/search")
    page.get_by_role("searchbox").fill("cafe")
    page.locator("view-search").get_by_role("link", name="Café Talks").wait_for()
    page.goto(station.url + "/#/")
    page.get_by_role("region", name="Begun episodes").get_by_role("button", name="A Talk").click()
    until(page, f"{HEARD} > 0.2")
    page.get_by_text("It begins anew where it comes from.").wait_for()
    on = page.locator("sb-dock").get_by_role("button", name="30 seconds on")
    on.click()
    page.get_by_text("It can be sought once it is fetched.", exact=True).wait_for()
    page.get_by_role("button", name="Fetch", exact=True).click()
    page.get_by_text("It is being fetched.").wait_for()
    for _ in range(300):
        if station.call("GET", f"/api/episodes/{talk['id']}")[1]["status"] == "completed":
            break
        page.wait_for_timeout(100)
    on.click()      # what plays is taken from the station's own copy now
    until(page, f"{HEARD} > 29")


def test_a_radio_plays_and_says_what(open_player: Callable[..., Any], world: MediaServer) -> None:
    page = open_player("/#/radio")
    page.get_by_role("button", name="Add a radio").click()
    page.get_by_label("Name").fill("A Radio")
    page.get_by_label("Address of its stream").fill(world.url("radio"))
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("button", name="A Radio", exact=True).click()
    until(page, f"{HEARD} > 0.3")
    dock = page.locator("sb-dock")
    sync_api.expect(dock.locator(".dock-title")).to_have_text("A Radio")
    for song in SONGS:
        artist, title = song.split(" - ")
        sync_api.expect(dock.locator(".dock-artist")).to_contain_text(f"{artist} – {title}")
    assert dock.get_by_role("slider", name="Position").count() == 0
    page.keyboard.press("Space")
    until(page, f"{HEARD} === -1 && !document.querySelector('audio[src]')")      # nothing goes on coming
    page.keyboard.press("Space")
    until(page, f"{HEARD} > 0.2")


def test_what_is_heard_is_told_to_the_services_that_were_connected(
        open_player: Callable[..., Any], listens: FakeListenBrainz, lastfm: FakeLastfm) -> None:
    page = open_player("/#/you/scrobbling")
    page.get_by_role("button", name="Connect ListenBrainz").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("User token").fill("not a token of anybody")
    dialog.get_by_label("I use another server").check()
    dialog.get_by_label("Its address").fill(listens.address)
    dialog.get_by_role("button", name="Connect", exact=True).click()
    dialog.get_by_role("alert").wait_for()
    dialog.get_by_label("User token").fill("right-token")
    dialog.get_by_role("button", name="Connect", exact=True).click()
    row = page.locator("view-scrobbling .thing", has_text="ListenBrainz")
    sync_api.expect(row).to_contain_text("as lister")

    page.get_by_role("button", name="Connect Last.fm").click()
    asks = dialog.get_by_role("link", name="Open Last.fm").get_attribute("href") or ""
    dialog.get_by_role("button", name="I have allowed it").click()
    dialog.get_by_role("alert").wait_for()
    lastfm.allow(parse_qs(urlsplit(asks).query)["token"][0])
    dialog.get_by_role("button", name="I have allowed it").click()
    sync_api.expect(page.locator("view-scrobbling .thing", has_text="Last.fm")).to_contain_text("nothing told yet")

    page.goto(page.url.split("#")[0] + "#/library/tracks")
    page.locator("sb-list .row-play").first.click()
    until(page, f"{HEARD} > 0")
    page.evaluate(f"{PLAYING}.playbackRate = 8")
    heard = page.locator("sb-dock .dock-title").inner_text()
    for _ in range(100):
        if listens.listens and lastfm.scrobbles:
            break
        page.wait_for_timeout(100)
    assert [title for *_, title in listens.listens] == [title for *_, title in lastfm.scrobbles] == [heard]
    page.goto(page.url.split("#")[0] + "#/you/scrobbling")
    sync_api.expect(row).to_contain_text("last told just now")
    page.get_by_role("button", name="Disconnect ListenBrainz").click()
    dialog.get_by_role("button", name="Disconnect").click()
    sync_api.expect(row.get_by_role("button", name="Connect ListenBrainz")).to_be_visible()
