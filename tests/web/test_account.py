"""One's own account: a second factor, one's things as a file, other stations; and what an owner reads of everybody."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyotp
import pytest

from tests.running import start_station
from tests.web.browsing import DESKTOP, PHONE, TOO_WIDE, until

sync_api = pytest.importorskip("playwright.sync_api")

PASSWORD = "a password of theirs"


@pytest.fixture
def clara(station: Any) -> Iterator[str]:
    """The id of somebody whose account may be changed."""
    status, user = station.call("POST", "/api/users", {"username": "clara", "password": PASSWORD, "role": "adult"})
    assert status == 201
    yield user["id"]
    station.call("DELETE", f"/api/users/{user['id']}")


def token_of(station: Any) -> str:
    return str(station.call("POST", "/api/session", {"username": "clara", "password": PASSWORD}, token="")[1]["token"])


def log_in(page: Any) -> None:
    page.get_by_label("Name").fill("clara")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


def test_a_second_factor_is_set_up_asked_for_and_switched_off(
        open_player: Callable[..., Any], station: Any, clara: str) -> None:
    page = open_player("/#/you", size=PHONE, token=token_of(station))
    page.get_by_role("link", name="Second factor").click()
    page.get_by_label("Your password").fill("not the right one")
    page.get_by_role("button", name="Set it up").click()
    page.get_by_role("alert").wait_for()
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Set it up").click()
    page.get_by_alt_text("Code for the authenticator app").wait_for()
    assert page.evaluate(TOO_WIDE) == [0, 0]
    link = page.get_by_role("link", name="Open in your authenticator app").get_attribute("href") or ""
    assert link.startswith("otpauth://totp/")
    app = pyotp.TOTP(page.get_by_label("Or type this key").input_value().replace(" ", ""))
    page.get_by_label("Code that the app shows").fill(app.now())
    page.get_by_role("button", name="Switch on").click()
    codes = page.get_by_role("list", name="Recovery codes").get_by_role("listitem")
    sync_api.expect(codes).to_have_count(10)
    first, second = codes.all_inner_texts()[:2]
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save").click()
    assert first in Path(saved.value.path()).read_text("utf-8").split()
    page.get_by_role("button", name="I have kept them").click()
    page.get_by_text("It is on").wait_for()

    door = open_player("/", logged_in=False, size=PHONE)
    log_in(door)
    door.get_by_role("heading", name="One step more").wait_for()
    door.get_by_label("Code").fill("000000")
    door.get_by_role("button", name="Log in").click()
    sync_api.expect(door.get_by_role("alert")).to_contain_text("not right")
    door.get_by_role("button", name="Use a recovery code").click()
    door.get_by_label("Recovery code").fill(first)
    door.get_by_role("button", name="Log in").click()
    door.locator("sb-app nav").wait_for()

    page.get_by_role("button", name="Switch off").click()
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_label("Code that the app shows").fill(second)
    page.get_by_role("button", name="Switch off").click()
    page.get_by_role("button", name="Set it up").wait_for()


def test_an_owner_switches_off_the_second_factor_of_somebody_whose_phone_is_gone(
        open_player: Callable[..., Any], station: Any, clara: str) -> None:
    token = token_of(station)
    _, begun = station.call("POST", "/api/me/second-factor", {"password": PASSWORD}, token=token)
    station.call("POST", "/api/me/second-factor/confirm", {"code": pyotp.TOTP(begun["secret"]).now()}, token=token)
    page = open_player("/#/you/people")
    row = page.locator("view-people .thing", has_text="clara")
    sync_api.expect(row).to_contain_text("second factor")
    row.get_by_role("button", name="More for clara").click()
    page.get_by_role("menuitem", name="Switch off second factor").click()
    page.get_by_role("dialog").get_by_role("button", name="Switch off").click()
    sync_api.expect(row).not_to_contain_text("second factor")
    door = open_player("/", logged_in=False)
    log_in(door)
    door.locator("sb-app nav").wait_for()


@pytest.mark.parametrize(("ways", "offered"), [
    ({"password": True, "oidc": {"name": "Our <i>Keycloak"}, "proxy": None}, "Log in with Our <i>Keycloak"),
    ({"password": True, "oidc": None, "proxy": "clara"}, "Go on as clara"),
])
def test_other_ways_in_are_offered_where_there_are_any(
        open_player: Callable[..., Any], station: Any, ways: dict[str, Any], offered: str) -> None:
    page = open_player("/", logged_in=False, size=PHONE)
    page.get_by_role("button", name="Log in").wait_for()
    assert page.get_by_text("or", exact=True).count() == 0
    page.route("**/login/ways", lambda route: route.fulfill(json=ways))
    page.goto("about:blank")
    page.goto(station.url + "/#/login?problem=nobody_known")
    sync_api.expect(page.get_by_role("alert")).to_contain_text("no account here")
    way = page.get_by_text(offered)
    way.wait_for()
    assert page.url.endswith("#/login")
    asked: list[str] = []
    page.route("**/login/*", lambda route: (asked.append(route.request.method + route.request.url), route.abort()))
    way.click()
    page.wait_for_timeout(200)
    assert [one[one.index("/login/"):] for one in asked] == ["/login/oidc" if ways["oidc"] else "/login/proxy"]


def test_an_account_is_connected_with_a_provider_by_its_password(
        open_player: Callable[..., Any], station: Any, clara: str) -> None:
    page = open_player("/", size=PHONE, token=token_of(station))
    page.route("**/login/ways", lambda route: route.fulfill(
        json={"password": True, "oidc": {"name": "Keycloak"}, "proxy": None}))
    asked: list[Any] = []
    page.route("**/api/me/identity", lambda route: (asked.append(route.request.post_data_json),
                                                    route.fulfill(json={"url": "/static/icons/mark.svg"})))
    page.evaluate("location.hash = '/you'")
    page.get_by_role("button", name="Log in with Keycloak").click()
    page.get_by_label("Your password here").fill(PASSWORD)
    page.get_by_role("button", name="Go on").click()
    page.wait_for_url("**/mark.svg")    # where the station leads, which is the provider
    assert asked == [{"password": PASSWORD}]


def test_a_dialog_does_not_outlive_its_page(open_player: Callable[..., Any], station: Any, clara: str) -> None:
    token = token_of(station)
    page = open_player("/#/you/devices", token=token)
    page.get_by_role("button", name="Pair a device").first.click()
    page.get_by_role("dialog").wait_for()
    station.call("DELETE", "/api/session", token=token)
    page.get_by_role("button", name="Log in").wait_for()
    assert page.get_by_role("dialog").count() == 0


def test_who_is_shown_out_is_told_so_once_and_another_person_begins_at_home(
        open_player: Callable[..., Any], station: Any, clara: str) -> None:
    token = token_of(station)
    page = open_player("/#/you/things", token=token)
    page.locator("view-belongings h1").wait_for()
    station.call("DELETE", "/api/session", token=token)
    why = page.get_by_text("This device was shown out of the station. Log in or pair it again.")
    why.wait_for()
    until(page, "localStorage.getItem('soundsible.in') === null")
    page.reload()
    page.get_by_role("button", name="Log in").wait_for()
    assert why.count() == 0
    log_in(page)
    page.locator("view-belongings h1").wait_for()       # the same person goes on
    page.evaluate("location.hash = '/you'")
    page.get_by_role("button", name="Log out").click()
    page.get_by_role("button", name="Log in").wait_for()
    assert why.count() == 0                             # on purpose
    page.get_by_label("Name").fill(station.owner_name)
    page.get_by_label("Password").fill(station.owner_password)
    page.get_by_role("button", name="Log in").click()
    page.locator("view-home h1").wait_for()


def test_an_owner_sees_and_ends_the_log_ins_of_others(
        open_player: Callable[..., Any], station: Any, clara: str) -> None:
    token = token_of(station)
    made = station.call("POST", "/api/pairing/tokens", {"scope": "listen"}, token=token)[1]
    _, paired = station.call("POST", "/api/pairing/claim", {"token": made["token"], "name": "Clara's phone"}, token="")
    page = open_player("/#/you/devices", size=PHONE)
    theirs = page.locator("view-devices section", has=page.get_by_role("heading", name="clara", exact=True))
    sync_api.expect(theirs.locator(".thing")).to_have_count(2)
    assert page.evaluate(TOO_WIDE) == [0, 0]
    theirs.get_by_role("button", name="More for Clara's phone").click()
    page.get_by_role("menuitem", name="Show out").click()
    page.get_by_role("heading", name="Show clara’s “Clara's phone” out?").wait_for()
    page.get_by_role("dialog").get_by_role("button", name="Show out").click()
    sync_api.expect(theirs.locator(".thing")).to_have_count(1)
    theirs.get_by_role("button", name="Log out").click()
    page.get_by_role("dialog").get_by_role("button", name="Show out").click()
    sync_api.expect(theirs).to_have_count(0)
    for one in (token, paired["token"]):
        assert station.call("GET", "/api/session", token=one)[0] == 401


def test_an_owner_reads_what_was_done(open_player: Callable[..., Any], station: Any, clara: str) -> None:
    station.call("POST", "/api/session", {"username": "clara", "password": "not the right one"}, token="")
    page = open_player("/#/you")
    page.get_by_role("link", name="What was done").click()
    page.locator(".log-line").first.wait_for()
    assert page.locator(".log-line", has_text="made an account: clara").count()
    page.get_by_label("What", exact=True).select_option("failed to log in")
    page.get_by_label("By whom").select_option("clara")
    sync_api.expect(page.locator(".log-line").first).to_contain_text("clara failed to log in")
    assert page.locator(".log-line", has_text="made an account").count() == 0


def test_the_log_goes_on_page_after_page(open_player: Callable[..., Any]) -> None:
    page = open_player("/", size=PHONE)
    lines = [{"at": f"2026-01-{day:02}T10:00:00Z", "username": "ann", "address": "10.0.0.2", "deed": "login",
              "words": "logged in", "subject": "", "details": {}} for day in range(1, 5)]

    def tell(route: Any) -> None:
        older = "cursor=" in route.request.url
        route.fulfill(json={"items": lines[:2] if older else lines[2:], "next_cursor": None if older else "next",
                            "total": 4, "revision": 0})

    page.route("**/api/audit?*", tell)
    page.evaluate("location.hash = '/you/log'")
    sync_api.expect(page.locator(".log-line")).to_have_count(2)
    page.get_by_role("button", name="Show older").click()
    sync_api.expect(page.locator(".log-line")).to_have_count(4)
    assert page.get_by_role("button", name="Show older").count() == 0


def test_the_words_of_the_log_are_those_of_the_station() -> None:
    from shared.model.audit import DEEDS
    from tests.running import ROOT

    text = (ROOT / "web/static/core/audit.js").read_text("utf-8")
    assert [one for one, words in DEEDS.items() if f"['{one}', '{words}']" not in text] == []


def test_addresses_are_shown_with_what_they_are_good_for(open_player: Callable[..., Any], station: Any) -> None:
    page = open_player("/", size=PHONE)
    who = {"id": "x", "name": "Attic", "fingerprint": "f"}
    told = {"station": who, "updated_at": "2026-01-01T10:00:00Z", "items": [
        {"url": "http://192.168.1.20:5005", "kind": "home", "reachable": True, "secure": False, "name": None},
        {"url": "https://192.168.1.20:5005", "kind": "home", "reachable": True, "secure": True, "name": None},
        {"url": "http://100.64.0.2:5005", "kind": "vpn", "reachable": False, "secure": False, "name": None}]}
    page.route("**/api/endpoints", lambda route: route.fulfill(json=told))
    page.evaluate("location.hash = '/you/addresses'")
    page.get_by_role("heading", name="At home").wait_for()
    sync_api.expect(page.locator("view-addresses .thing", has_text="100.64.0.2")).to_contain_text("does not answer now")
    assert page.evaluate(TOO_WIDE) == [0, 0]
    page.get_by_role("button", name="Show http://192.168.1.20:5005 as a code").click()
    page.get_by_alt_text("The address as a code").wait_for()
    page.get_by_role("button", name="Done").click()
    assert page.get_by_role("link", name="Let this device trust the station").get_attribute(
        "href") == "/trust#/you/addresses"


def test_ones_things_are_saved_and_taken_over_once(
        open_player: Callable[..., Any], station: Any, clara: str, tmp_path: Path) -> None:
    token = token_of(station)
    track = station.call("GET", "/api/library/tracks?limit=1")[1]["items"][0]
    station.call("PUT", f"/api/library/ratings/{track['id']}", {"rating": 4}, token=token)
    page = open_player("/#/you/things", token=token)
    page.get_by_role("checkbox", name="Plays").uncheck()
    with page.expect_download() as saved:
        page.get_by_role("link", name="Save as a file").click()
    document = json.loads(Path(saved.value.path()).read_text("utf-8"))
    assert len(document["ratings"]) == 1
    station.call("PUT", f"/api/library/ratings/{track['id']}", {"rating": 0}, token=token)
    file = tmp_path / "things.json"
    file.write_text(json.dumps(document), "utf-8")

    page.get_by_label("File to take over").set_input_files(file)
    page.get_by_text("It would bring: 1 rating.").wait_for()
    assert station.call("GET", f"/api/library/tracks/{track['id']}", token=token)[1].get("rating", 0) in (0, None)
    page.get_by_role("dialog").get_by_role("button", name="Take over").click()
    page.get_by_text("Taken over: 1 rating.").wait_for()
    page.get_by_role("button", name="Done").click()
    assert station.call("GET", f"/api/library/tracks/{track['id']}", token=token)[1]["rating"] == 4
    page.get_by_label("File to take over").set_input_files(file)
    page.get_by_text("All of it is here already.").wait_for()
    sync_api.expect(page.get_by_role("dialog").get_by_role("button", name="Take over")).to_be_disabled()
    page.get_by_role("button", name="Cancel").click()
    file.write_text("{}", "utf-8")
    page.get_by_label("File to take over").set_input_files(file)
    sync_api.expect(page.get_by_role("alert")).to_contain_text("no export")
    file.write_text(json.dumps(document), "utf-8")
    page.get_by_label("File to take over").set_input_files(file)
    page.get_by_text("All of it is here already.").wait_for()
    assert page.locator("view-belongings .wrong").count() == 0      # that was the other file


def test_another_station_is_paired_looked_into_copied_from_and_forgotten(
        open_player: Callable[..., Any], station: Any, clara: str, tmp_path: Path) -> None:
    other = start_station(tmp_path / "other", [])
    try:
        other.call("POST", "/api/library/playlists", {"name": "From afar"})
        _, made = other.call("POST", "/api/pairing/tokens", {"name": "the other", "scope": "own"})
        page = open_player("/#/you/stations", size=DESKTOP, token=token_of(station))
        page.get_by_role("button", name="Pair a station").click()
        page.get_by_label("Sync token of the other station").fill("nonsense")
        page.get_by_role("dialog").get_by_role("button", name="Pair", exact=True).click()
        page.get_by_role("alert").wait_for()
        page.get_by_label("Sync token of the other station").fill(made["link"])
        page.get_by_role("dialog").get_by_role("button", name="Pair", exact=True).click()
        page.locator("view-stations .thing a").click()
        page.get_by_role("button", name="Playlists").click()
        page.locator("view-station").get_by_text("From afar").wait_for()
        page.get_by_label("Search there").fill("nothing like it")
        page.get_by_text("Nothing found there").wait_for()
        page.get_by_role("button", name="Take my things over").click()
        page.get_by_text("It would bring: 1 new playlist.").wait_for()
        page.get_by_role("dialog").get_by_role("button", name="Take over").click()
        page.get_by_text("Taken over: 1 new playlist.").wait_for()
        page.get_by_role("button", name="Done").click()
        lists = station.call("GET", "/api/library/playlists", token=token_of(station))[1]["items"]
        assert "From afar" in [one["name"] for one in lists]
        page.get_by_role("link", name="Other stations").click()
        page.get_by_role("button", name="Forget").click()
        page.get_by_role("dialog").get_by_role("button", name="Forget").click()
        page.get_by_text("No other station yet").wait_for()
        assert other.call("GET", "/api/devices")[1]["items"] == []
    finally:
        other.stop()
