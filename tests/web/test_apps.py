"""Others at the station: apps that people know already, and who was sent a link."""

from __future__ import annotations

import hashlib
import json
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from shared.security import qr
from tests.web.browsing import HEARD, PHONE, TELL_VIOLATIONS, until

sync_api = pytest.importorskip("playwright.sync_api")

TOO_WIDE = "document.documentElement.scrollWidth - innerWidth"


class App:
    """A program that knows nothing but what was entered in it."""

    def __init__(self, entered: dict[str, str]) -> None:
        self._server = entered["server"]
        digest = hashlib.md5(f"{entered['password']}salt".encode(), usedforsecurity=False).hexdigest()
        self._login = {"u": entered["username"], "t": digest, "s": "salt", "v": "1.16.1", "c": "testing", "f": "json"}

    def raw(self, call: str, **given: str) -> bytes:
        with urllib.request.urlopen(f"{self._server}/rest/{call}?{urlencode({**self._login, **given})}") as answer:
            return bytes(answer.read())

    def ask(self, call: str, **given: str) -> dict[str, Any]:
        return dict(json.loads(self.raw(call, **given))["subsonic-response"])


def entered_from(link: str) -> dict[str, str]:
    """What an app reads out of the code that it was shown."""
    return {name: values[0] for name, values in parse_qs(urlsplit(link).fragment, strict_parsing=True).items()}


def test_an_app_that_is_set_up_from_the_code_plays_until_it_is_shown_out(
        open_player: Callable[..., Any], station: Any) -> None:
    page = open_player("/#/you", size=PHONE)
    page.get_by_role("link", name="Apps").click()
    page.get_by_role("button", name="Set up an app").first.click()
    page.get_by_role("button", name="Make a password").click()
    page.get_by_text("Say which app it is for.").wait_for()
    called = "Symfonium" + "m" * 51           # the longest there is, in one word
    page.get_by_label("Which app").fill(called)
    sync_api.expect(page.get_by_role("radio", name="Listen and add")).to_be_checked()
    with page.expect_response(lambda answer: answer.request.method == "POST") as made:
        page.get_by_role("button", name="Make a password").click()
    told = made.value.json()
    entered = entered_from(told["link"])
    assert told["qr"] == qr.svg(told["link"])
    dialog = page.get_by_role("dialog")
    for inside in (dialog.get_by_role("button", name="Close"), dialog.get_by_role("button", name="Done")):
        box = inside.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"]
    dialog.get_by_text("a phone cannot reach it").wait_for()        # it is a loopback address
    code = page.get_by_alt_text("Code with what the app needs")
    sync_api.expect(code).not_to_be_visible()       # the app is most likely on this phone
    page.get_by_text("The app is on another device").click()
    sync_api.expect(code).to_be_visible()
    for words, name in (("Server address", "server"), ("User name", "username"), ("Password", "password")):
        assert page.get_by_role("textbox", name=words).input_value() == entered[name]
    page.get_by_role("button", name="Copy: Password").click()
    page.get_by_text("Password: copied.").wait_for()
    page.get_by_role("button", name="Done").click()
    sync_api.expect(dialog).to_have_count(0)

    app = App(entered)
    assert app.ask("ping")["status"] == "ok"
    songs = app.ask("search3", query="")["searchResult3"]["song"]
    sound = app.raw("stream", id=songs[0]["id"])
    assert sound in {path.read_bytes() for path in station.music.rglob("*") if path.is_file()}

    page.reload()
    row = page.locator("view-apps .thing", has_text=called)
    sync_api.expect(row).to_contain_text("Listen and add · used just now")
    row.get_by_role("button", name=f"Show {called} out").click()
    with page.expect_response(lambda answer: answer.request.method == "DELETE" and answer.status == 204):
        page.get_by_role("dialog").get_by_role("button", name="Show out").click()
    sync_api.expect(row).to_have_count(0)
    assert app.ask("ping")["error"]["code"] == 40


def test_the_page_that_a_camera_opens_keeps_what_the_app_needs_to_itself(
        open_player: Callable[..., Any], station: Any) -> None:
    made = station.call("POST", "/api/app-passwords", {"name": "camera", "scope": "listen"})[1]
    entered = entered_from(made["link"])
    try:
        phone = open_player("/trust", size=PHONE, logged_in=False)
        asked: list[str] = []
        phone.on("request", lambda request: asked.append(f"{request.url} {request.headers} {request.post_data}"))
        phone.context.add_init_script(TELL_VIOLATIONS)
        phone.goto(made["link"])
        for words, name in (("Server address", "server"), ("User name", "username"), ("Password", "password")):
            sync_api.expect(phone.get_by_role("textbox", name=words)).to_have_value(entered[name])
        phone.get_by_role("button", name="Copy the password").click()
        phone.get_by_text("Password: copied.").wait_for()
        assert urlsplit(phone.url)[2:] == ("/connect", "", "")
        assert phone.evaluate(TOO_WIDE) <= 0
        # The very first request's address holds what no browser sends on; none says it otherwise.
        assert not [one for one in asked if entered["password"] in one.replace(made["link"], "")]
        phone.reload()                  # a phone does so when one comes back from the app
        password = phone.get_by_role("textbox", name="Password")
        sync_api.expect(password).to_have_value(entered["password"])
        with phone.context.expect_page() as opened:
            phone.evaluate("open('/connect', '_blank', 'noopener')")
        opened.value.get_by_role("heading", name="There is nothing here any more").wait_for()
        phone.evaluate("location.hash = 'server=http%3A%2F%2Fa&username=b&password=c'")     # another link, here
        sync_api.expect(password).to_have_value("c")
        assert urlsplit(phone.url)[2:] == ("/connect", "", "")
        phone.get_by_role("button", name="Done, forget it").click()
        gone = phone.get_by_role("heading", name="There is nothing here any more")
        gone.wait_for()
        phone.reload()
        gone.wait_for()
        assert not [one for one in asked if entered["password"] in one.replace(made["link"], "")]
    finally:
        station.call("DELETE", f"/api/app-passwords/{made['id']}")


def test_apps_steer_the_player_that_was_made_the_jukebox(open_player: Callable[..., Any], station: Any) -> None:
    made = station.call("POST", "/api/app-passwords", {"name": "remote"})[1]
    app = App(entered_from(made["link"]))
    try:
        songs = app.ask("search3", query="", songCount="3")["searchResult3"]["song"]
        assert app.ask("jukeboxControl", action="set", id=songs[0]["id"])["status"] == "ok"
        assert app.ask("jukeboxControl", action="start")["status"] == "failed"      # nobody is there to play
        page = open_player("/#/you/apps")
        switch = page.get_by_role("switch", name="Let your apps steer this player")
        switch.check()
        title = page.locator("sb-dock .dock-title")
        sync_api.expect(title).to_have_text(songs[0]["title"])
        app.ask("jukeboxControl", action="add", id=songs[1]["id"])
        app.ask("jukeboxControl", action="start")
        until(page, f"{HEARD} > 0.2")
        app.ask("jukeboxControl", action="skip", index="1")
        sync_api.expect(title).to_have_text(songs[1]["title"])
        until(page, f"{HEARD} > 0.2")
        status = app.ask("jukeboxControl", action="status")["jukeboxStatus"]
        assert (status["currentIndex"], status["playing"]) == (1, True)
        page.reload()                               # this window is the jukebox still
        sync_api.expect(switch).to_be_checked()
        app.ask("jukeboxControl", action="stop")
        until(page, f"{HEARD} === -1")
        page.goto(station.url + "/#/library/tracks")
        page.locator("sb-list .row-play").nth(4).click()
        page.get_by_text("You chose something here").wait_for()
        assert app.ask("jukeboxControl", action="start")["status"] == "failed"
    finally:
        station.call("DELETE", f"/api/app-passwords/{made['id']}")
