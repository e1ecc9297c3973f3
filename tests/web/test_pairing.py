"""A phone on the sofa: paired by a code that another browser shows, installed, heard, and shown out again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.running import RunningStation
from tests.web.browsing import DESKTOP, HEARD, PATIENCE_S, PHONE, TELL_VIOLATIONS, TOO_WIDE, play_first_album, until
from tests.web.conftest import ARGUMENTS, CHROMIUM
from tests.web.trusting import home_of_browser, secure

sync_api = pytest.importorskip("playwright.sync_api")
pytestmark = [pytest.mark.browser, pytest.mark.skipif(shutil.which("certutil") is None, reason="needs libnss3-tools")]

PIXEL = ("Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 "
         "Mobile Safari/537.36")
SHOWN_OUT_MS = 1000     # "a revoked device is out within a second"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, station: RunningStation) -> dict[str, str]:
    """Of browsers that trust the station."""
    return home_of_browser(tmp_path_factory.mktemp("trusting"), station)


@pytest.fixture(scope="module")
def playwright() -> Iterator[Any]:
    with sync_api.sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def trusting(playwright: Any, home: dict[str, str]) -> Iterator[Any]:
    chromium = playwright.chromium.launch(executable_path=CHROMIUM, env=dict(home), args=ARGUMENTS)
    yield chromium
    chromium.close()


@pytest.fixture
def visit(trusting: Any, playwright: Any, home: dict[str, str], station: RunningStation, tmp_path: Path,
          ) -> Iterator[Callable[..., Any]]:
    """Opens the player over HTTPS, logged in nowhere unless told so; nothing may have been complained of at the end.

    `lasting`: in a browser with a memory, as only such install anything.
    """
    contexts: list[Any] = []
    complaints: list[str] = []

    def opened(path: str = "/", *, logged_in: bool = False, lasting: bool = False, **more: Any) -> Any:
        context = playwright.chromium.launch_persistent_context(
            tmp_path / "profile", executable_path=CHROMIUM, env=dict(home), args=ARGUMENTS, **more,
        ) if lasting else trusting.new_context(**more)
        contexts.append(context)
        context.set_default_timeout(PATIENCE_S * 1000)
        context.add_init_script(TELL_VIOLATIONS)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text)
                if message.type == "error" and "Failed to load resource" not in message.text else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        if logged_in:
            context.add_cookies([{"name": "__Host-soundsible", "value": station.login(), "url": secure(station),
                                  "httpOnly": True, "secure": True, "sameSite": "Lax"}])
        page.goto(secure(station) + path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def phone(**more: Any) -> dict[str, Any]:
    return {"viewport": PHONE, "is_mobile": True, "has_touch": True, "user_agent": PIXEL, **more}


def make_token(page: Any, name: str = "", scope: str = "Listen") -> str:
    """In the player, as its owner; the dialog stays open."""
    page.get_by_role("button", name="Pair a device").click()
    page.get_by_label("Name, if you know it already").fill(name)
    page.get_by_role("radio", name=scope, exact=False).first.check()
    page.get_by_role("button", name="Show the code").click()
    page.get_by_alt_text("Code that pairs a device").wait_for()
    return str(page.get_by_label("Without a camera").input_value())


def test_a_phone_is_paired_installed_heard_and_shown_out(
        visit: Callable[..., Any], station: RunningStation) -> None:
    owner = visit("/#/you/devices", logged_in=True, viewport=DESKTOP)
    token = make_token(owner)

    # The camera opens the link. The token leaves the address before anything is asked, and is in no request's line.
    asked: list[str] = []
    sofa = visit("/trust", lasting=True, **phone())
    sofa.on("request", lambda request: asked.append(request.url))
    sofa.goto(f"{secure(station)}/pair#{token}")
    sync_api.expect(sofa.get_by_label("What is this device called?")).to_have_value("Pixel 9")
    assert sofa.url == f"{secure(station)}/#/pair"
    assert sofa.evaluate(TOO_WIDE) == [0, 0]
    sofa.get_by_role("button", name="Pair").click()
    sofa.get_by_role("button", name="Start listening").click()
    sofa.locator("sb-app nav").wait_for()
    assert not [one for one in asked if "sb1." in one]
    sofa.go_back()
    assert "sb1." not in sofa.url
    sofa.goto(secure(station))

    # The other browser knows at once.
    sync_api.expect(owner.get_by_role("status").filter(has_text="is paired")).to_be_visible()
    owner.get_by_role("button", name="Done").click()
    row = owner.locator("view-devices .thing", has_text="Pixel 9")
    sync_api.expect(row).to_contain_text("Listen")

    # It can be installed, and is offered so.
    assert sofa.evaluate("isSecureContext") is True
    assert sofa.evaluate("navigator.serviceWorker.ready.then((found) => Boolean(found.active))") is True
    until(sofa, "Boolean(navigator.serviceWorker.controller)")
    tools = sofa.context.new_cdp_session(sofa)
    assert tools.send("Page.getInstallabilityErrors")["installabilityErrors"] == []
    manifest = tools.send("Page.getAppManifest")
    assert manifest["errors"] == [] and manifest["url"] == f"{secure(station)}/manifest.webmanifest"

    # It is heard.
    play_first_album(sofa)
    heard = sofa.evaluate(HEARD)
    until(sofa, f"{HEARD} > {heard + 0.3}")

    # It may listen, and no more.
    sofa.evaluate("location.hash = '/you'")
    sofa.locator("view-you h1").wait_for()
    assert sofa.get_by_role("link", name="People").count() == 0
    assert sofa.get_by_role("link", name="Change password").count() == 0
    sofa.get_by_text("This device: Listen.").wait_for()

    # And it is shown out: the music ends, and the door is shown.
    row.get_by_role("button", name="More for Pixel 9").click()
    owner.get_by_role("menuitem", name="Show out").click()
    with owner.expect_response(lambda answer: answer.request.method == "DELETE" and "/api/devices/" in answer.url):
        owner.get_by_role("dialog").get_by_role("button", name="Show out").click()
    sofa.get_by_role("button", name="Log in").wait_for(timeout=SHOWN_OUT_MS)
    sofa.get_by_text("This device was shown out of the station.").wait_for()
    assert sofa.evaluate(HEARD) == -1
    assert sofa.evaluate("fetch('/api/session').then((answer) => answer.status)") == 401
    sync_api.expect(row).to_have_count(0)


def test_a_token_that_was_used_says_what_to_do(visit: Callable[..., Any], station: RunningStation) -> None:
    made = station.call("POST", "/api/pairing/tokens", {"name": "first", "scope": "listen"})[1]
    status, first = station.call("POST", "/api/pairing/claim", {"token": made["token"], "name": "first"}, token="")
    assert status == 201
    page = visit(f"/pair#{made['token']}", **phone())
    page.get_by_role("button", name="Pair").click()
    alert = page.get_by_role("alert")
    sync_api.expect(alert).to_contain_text("You → Devices")
    assert alert.inner_text().count("Make a new one") == 1
    page.get_by_role("button", name="Use another token").click()
    page.get_by_label("Sync token").fill("not a token at all")
    page.get_by_role("button", name="Go on").click()
    sync_api.expect(page.get_by_role("alert")).to_contain_text("not a sync token")
    another = station.call("POST", "/api/pairing/tokens", {"name": "second", "scope": "listen"})[1]
    page.get_by_label("Sync token").fill(another["link"])
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("button", name="Pair").click()
    page.get_by_role("button", name="Start listening").wait_for()
    for one in station.call("GET", "/api/devices")[1]["items"]:
        station.call("DELETE", f"/api/devices/{one['id']}")
    assert station.call("GET", "/api/session", token=first["token"])[0] == 401


def test_another_station_in_its_place_is_refused_loudly(visit: Callable[..., Any], station: RunningStation) -> None:
    made = station.call("POST", "/api/pairing/tokens", {"scope": "listen"})[1]
    page = visit("/trust", **phone())

    def replay(route: Any) -> None:     # what answers knows a signature of the station, but not over this challenge
        asked = route.request.post_data_json
        route.continue_(post_data=json.dumps({**asked, "challenge": "A" * 32}))

    page.route("**/api/pairing/claim", replay)
    page.goto(f"{secure(station)}/pair#{made['token']}")
    page.get_by_role("button", name="Pair").click()
    page.get_by_role("heading", name="This is not your station").wait_for()
    assert page.evaluate("fetch('/api/session').then((answer) => answer.status)") == 401
