"""Who was sent a link hears what is behind it, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.web.browsing import PHONE, TELL_VIOLATIONS, until

sync_api = pytest.importorskip("playwright.sync_api")

SOUND = "document.querySelector('audio').currentTime"


def test_an_album_that_was_shared_is_heard_without_a_login_until_the_link_is_ended(
        open_player: Callable[..., Any], station: Any) -> None:
    page = open_player("/#/library/albums")
    page.locator("sb-list .card", has_text="Début").locator(".card-link").first.click()
    page.locator(".hero").get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Share by a link").click()
    page.get_by_label("A few words with it").fill("For <b>Saturday</b>")
    page.get_by_role("button", name="Make the link").click()
    link = page.get_by_role("textbox", name="Link").input_value()
    page.get_by_alt_text("The link as a code").wait_for()
    page.get_by_role("button", name="Done").click()

    guest = open_player("/trust", size=PHONE, logged_in=False)
    guest.context.add_init_script(TELL_VIOLATIONS)
    guest.goto(link)
    guest.get_by_role("heading", name="Début").wait_for()
    guest.get_by_text("For <b>Saturday</b>").wait_for()
    until(guest, "document.getElementById('cover').naturalWidth > 0")
    guest.get_by_role("button", name="Play", exact=True).first.click()
    until(guest, f"{SOUND} > 0.3")
    now = guest.locator("#now-title")
    sync_api.expect(now).to_have_text("Señorita")
    guest.get_by_role("button", name="Next").click()
    sync_api.expect(now).to_have_text("Für Elise")
    until(guest, f"{SOUND} > 0.2")
    slider = guest.get_by_role("slider", name="Position")
    slider.focus()
    guest.keyboard.press("End")                 # it is over, and the next one plays
    sync_api.expect(now).to_have_text("Hoppípolla")
    until(guest, f"{SOUND} > 0")
    assert guest.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert guest.evaluate("fetch('/api/library/tracks').then((answer) => answer.status)") == 401

    page.goto(station.url + "/#/you/shares")
    row = page.locator("view-shares .thing", has_text="For <b>Saturday</b>")
    sync_api.expect(row).to_contain_text("Album “Début” · good for 30 days · opened once")
    row.get_by_role("button", name="End the link").click()
    page.get_by_role("dialog").get_by_role("button", name="End it").click()
    page.get_by_role("heading", name="Nothing is shared").wait_for()
    guest.reload()
    guest.get_by_role("heading", name="This link is good no more").wait_for()
