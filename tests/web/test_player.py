"""The player as a listener meets it: a real station, a real browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.web.browsing import (
    DESKTOP,
    HEARD,
    KEPT_THAT_SHOULD_NOT_BE,
    NAMELESS,
    PAGES,
    PHONE,
    PLAYING,
    SOURCE,
    TELL_VIOLATIONS,
    TOO_WIDE,
    play_first_album,
    until,
)

sync_api = pytest.importorskip("playwright.sync_api")


def test_logging_in_and_playing_lets_time_pass(open_player: Callable[..., Any], station: Any) -> None:
    page = open_player("/", logged_in=False)
    page.get_by_label("Name").fill(station.owner_name)
    page.get_by_label("Password").fill("certainly not this one")
    page.get_by_role("button", name="Log in").click()
    page.get_by_text("do not fit together").wait_for()
    page.get_by_label("Password").fill(station.owner_password)
    page.get_by_role("button", name="Log in").click()
    page.locator("view-home h1").wait_for()
    play_first_album(page)
    before = page.evaluate(HEARD)
    until(page, f"{HEARD} > {before} + 0.4")
    assert page.evaluate("navigator.mediaSession.metadata.title") == page.locator(".dock-title").inner_text()


def test_seeking_goes_there_and_on_from_there(open_player: Callable[..., Any]) -> None:
    page = open_player()
    play_first_album(page)
    slider = page.locator("sb-dock sb-seek .slider")
    box = slider.bounding_box()
    slider.click(position={"x": box["width"] * 0.5, "y": box["height"] / 2})
    until(page, f"{HEARD} > 3 && {HEARD} < 6")
    page.keyboard.press("Home")
    slider.blur()
    page.keyboard.press("ArrowRight")  # ten seconds on: these tracks are shorter, so it ends and the next one plays
    until(page, f"{HEARD} >= 0")


def test_search_needs_no_accents(open_player: Callable[..., Any]) -> None:
    page = open_player("/#/search")
    page.get_by_role("searchbox").fill("hoppipolla")
    page.locator("view-search .row-play[title='Hoppípolla']").wait_for()
    page.get_by_role("searchbox").press("ArrowDown")
    assert page.evaluate("document.activeElement.matches('.card-link, .row-play')")
    page.locator("view-search .row-play[title='Hoppípolla']").click()
    until(page, f"{HEARD} > 0")
    page.get_by_role("searchbox").fill("zzzzqqq")
    page.get_by_text("Nothing like").wait_for()


def test_next_shuffle_and_repeat_do_as_they_say(open_player: Callable[..., Any]) -> None:
    page = open_player()
    titles = play_first_album(page)
    title = page.locator("sb-dock .dock-title")
    assert title.inner_text() == titles[0]
    first = page.evaluate(SOURCE)
    page.keyboard.press("n")
    sync_api.expect(title).to_have_text(titles[1])
    until(page, f"{SOURCE} && {SOURCE} !== '{first}' && {HEARD} > 0")
    shuffle = page.locator("sb-dock").get_by_role("button", name="Shuffle")
    shuffle.click()
    sync_api.expect(shuffle).to_have_attribute("aria-pressed", "true")
    sync_api.expect(title).to_have_text(titles[1])  # what plays goes on
    shuffle.click()
    page.keyboard.press("r")
    page.keyboard.press("r")
    page.locator("sb-dock").get_by_role("button", name="Repeat: this track").wait_for()
    page.evaluate(f"{PLAYING}.currentTime = 7.6")
    until(page, f"{HEARD} >= 0 && {HEARD} < 3")  # it ended, and began again
    assert title.inner_text() == titles[1]


def test_a_track_leads_on_to_what_goes_with_it(open_player: Callable[..., Any]) -> None:
    page = open_player("/#/library/tracks")
    row = page.locator("sb-list .row:not(.to-come)").first
    title = row.locator(".row-play").get_attribute("title")
    row.hover()
    row.get_by_role("button", name=f"More for {title}").click()
    with page.expect_response(lambda answer: "/similar?" in answer.url) as told:
        page.get_by_role("menuitem", name="Play similar").click()
    alike = [one["id"] for one in told.value.json()["items"]]
    until(page, f"{HEARD} > 0")
    sync_api.expect(page.locator("sb-dock .dock-title")).to_have_text(title)
    assert alike
    until(page, f"JSON.stringify(JSON.parse(localStorage['soundsible.queue']).ids.slice(1)) === "
                f"JSON.stringify({alike!r})")


def test_a_track_that_ends_hands_over_and_is_counted(open_player: Callable[..., Any], station: Any) -> None:
    page = open_player()
    titles = play_first_album(page)
    with page.expect_response(lambda answer: answer.url.endswith("/api/library/plays")) as told:
        pass  # half of eight seconds
    assert told.value.status == 201
    page.evaluate(f"{PLAYING}.currentTime = 7.5")
    sync_api.expect(page.locator("sb-dock .dock-title")).to_have_text(titles[1])
    until(page, f"{HEARD} > 0")


def test_a_playlist_is_made_filled_and_put_in_order(open_player: Callable[..., Any], station: Any) -> None:
    page = open_player()
    titles = play_first_album(page)
    for row in (0, 1):
        page.locator("view-album .row").nth(row).click(button="right")
        page.get_by_role("menuitem", name="Add to playlist").click()
        if row == 0:
            page.get_by_role("button", name="New playlist").last.click()
            page.get_by_label("Name", exact=True).fill("For <b>quiet</b> evenings")
            page.get_by_role("button", name="Make playlist").click()
        else:
            page.locator(".pick-row", has_text="evenings").click()
        page.get_by_text("Added to").first.wait_for()
    page.get_by_role("button", name="Open", exact=True).last.click()
    view = page.locator("view-playlist")
    sync_api.expect(view.locator("h1")).to_have_text("For <b>quiet</b> evenings")
    order = "rows => rows.map((row) => row.getAttribute('title'))"
    sync_api.expect(view.locator(".row-play")).to_have_count(2)
    assert view.locator(".row-play").evaluate_all(order) == titles[:2]
    with page.expect_response(lambda answer: answer.request.method == "PATCH") as moved:
        view.locator(".grip").nth(1).focus()
        page.keyboard.press("ArrowUp")
    assert moved.value.status == 200
    page.reload()
    sync_api.expect(view.locator(".row-play")).to_have_count(2)
    assert view.locator(".row-play").evaluate_all(order) == titles[1::-1]
    identity = page.url.rsplit("/", 1)[1]
    assert station.call("DELETE", f"/api/library/playlists/{identity}")[0] == 204


def test_what_happens_elsewhere_shows_by_itself(open_player: Callable[..., Any], station: Any) -> None:
    page = open_player("/#/library/tracks")
    row = page.locator("sb-list .row:not(.to-come)").first
    heart = row.locator(".row-heart")
    sync_api.expect(heart).to_have_attribute("aria-pressed", "false")
    identity = row.get_attribute("data-id")
    try:
        assert station.call("PUT", f"/api/library/favourites/{identity}", {})[0] == 204
        sync_api.expect(heart).to_have_attribute("aria-pressed", "true")
    finally:
        station.call("DELETE", f"/api/library/favourites/{identity}")
    sync_api.expect(heart).to_have_attribute("aria-pressed", "false")


def test_the_queue_survives_a_reload(open_player: Callable[..., Any]) -> None:
    page = open_player()
    titles = play_first_album(page)
    page.keyboard.press("n")
    sync_api.expect(page.locator("sb-dock .dock-title")).to_have_text(titles[1])
    until(page, f"{HEARD} > 1")
    page.keyboard.press("Space")
    until(page, f"{HEARD} === -1")
    page.reload()
    sync_api.expect(page.locator("sb-dock .dock-title")).to_have_text(titles[1])
    page.get_by_role("button", name="Play", exact=True).last.wait_for()
    page.locator("sb-dock .play-button").first.click()
    until(page, f"{HEARD} > 1")


def test_drawing_again_keeps_the_focus_and_moves_nothing_that_stays(open_player: Callable[..., Any]) -> None:
    page = open_player()
    page.locator("view-home h1").wait_for()
    kept = page.evaluate("""async () => {
        const { html, paint } = await import('/static/core/html.js');
        const host = document.body.appendChild(document.createElement('div'));
        const draw = (from, to) => paint(host, html`<ol>${Array.from({ length: to - from }, (_, i) => html`
            <li data-key="${from + i}"><button>${from + i}</button></li>`)}</ol>`);
        draw(0, 20);
        const button = host.querySelectorAll('button')[10];
        button.focus();
        draw(5, 25);
        draw(2, 18);
        const words = [...host.querySelectorAll('li')].map((li) => li.textContent.trim()).join();
        const answer = [document.activeElement === button, button.textContent, words];
        host.remove();
        return answer;
    }""")
    assert kept == [True, "10", ",".join(str(n) for n in range(2, 18))]


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_a_tour_of_every_page_fits_its_screen_and_breaks_no_rule(
        open_player: Callable[..., Any], size: dict[str, int]) -> None:
    page = open_player(size=size)
    page.evaluate(TELL_VIOLATIONS)
    play_first_album(page)
    album = page.url.split("#")[1]
    artist = page.locator("view-album .hero-artist a").first.get_attribute("href")
    for path in [*PAGES, album, (artist or "#/")[1:]]:
        page.evaluate("path => { location.hash = path; }", path)
        page.locator("main h1, main h2").first.wait_for(state="attached")
        page.wait_for_timeout(60)
        assert page.evaluate(TOO_WIDE) == [0, 0], f"{path} is wider than its screen"
        assert page.evaluate(NAMELESS) == [], f"{path} has something to press without a name"
    page.evaluate("document.querySelector('.dock-open').click()")
    page.get_by_role("dialog", name="Now playing").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.go_back()
    page.get_by_role("dialog", name="Now playing").wait_for(state="detached")


def test_a_newer_player_is_taken_when_nothing_plays(open_player: Callable[..., Any]) -> None:
    tell = """version => { window.old = true; setTimeout(() => navigator.serviceWorker.dispatchEvent(
        new MessageEvent('message', { data: { version } }))); }"""
    page = open_player()
    page.locator("view-home h1").wait_for()
    page.evaluate(tell, page.locator("meta[name=version]").get_attribute("content"))
    page.wait_for_timeout(100)
    assert page.evaluate("window.old") is True          # it is the same one
    play_first_album(page)
    page.evaluate(tell, "newer")
    page.get_by_text("A newer player is ready.").wait_for()
    page.evaluate("location.hash = '/you'")
    page.locator("view-you h1").wait_for()
    assert page.evaluate("window.old") is True          # never in the middle of a song
    page.locator("sb-dock .play-button").first.click()
    until(page, f"{HEARD} === -1")
    with page.expect_event("load"):
        page.evaluate("location.hash = '/library'")
    page.locator("view-library h1").wait_for()
    with page.expect_event("load"):
        page.evaluate(tell, "newest")
    page.locator("view-library h1").wait_for()


def test_the_shell_opens_without_the_station(open_player: Callable[..., Any], station: Any) -> None:
    page = open_player()
    page.locator("view-home h1").wait_for()
    page.evaluate("navigator.serviceWorker.ready.then(() => 1)")
    until(page, "navigator.serviceWorker.controller !== null")
    kept = page.evaluate("caches.keys().then((names) => names.join())")
    assert "soundsible-shell-" in kept
    page.context.set_offline(True)
    page.reload()
    page.get_by_text("out of reach").wait_for()
    page.context.set_offline(False)  # it looks again by itself
    page.locator("view-home h1").wait_for()
    assert page.evaluate(KEPT_THAT_SHOULD_NOT_BE) == []
