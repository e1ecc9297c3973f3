"""The people of a station: an owner looks after them, and nobody is offered what the station would refuse."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shared.model.person import RIGHTS, ROLES, SCOPES, Person
from shared.routes.session import whom
from tests.web.browsing import NAMELESS, PAGES, PHONE, TOO_WIDE

sync_api = pytest.importorskip("playwright.sync_api")

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def person(station: Any) -> Iterator[Callable[[str], str]]:
    """A new person of a role; answers a token of theirs."""
    made: list[str] = []

    def make(role: str) -> str:
        name, password = f"the {role}", "a password of theirs"
        status, user = station.call("POST", "/api/users", {"username": name, "password": password, "role": role})
        assert status == 201
        made.append(user["id"])
        _, session = station.call("POST", "/api/session", {"username": name, "password": password}, token="")
        return str(session["token"])

    yield make
    for identity in made:
        station.call("DELETE", f"/api/users/{identity}")


def may_log_in(station: Any, username: str, password: str) -> bool:
    return bool(station.call("POST", "/api/session", {"username": username, "password": password}, token="")[0] == 200)


def test_the_rules_in_the_player_are_those_of_the_station() -> None:
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    said: list[frozenset[str] | None] = [None, frozenset(), *(frozenset({right}) for right in RIGHTS)]
    people = [Person(user_id=1, id="u", username="ben", role=role, scope=scope, rights=rights, limited=limited)
              for role in ROLES for scope in SCOPES for rights in said for limited in (False, True)]
    told = json.dumps([msgspec.to_builtins(whom(one)) for one in people])
    script = f"""import('{(ROOT / "web/static/core/rights.js").as_uri()}').then((r) => console.log(JSON.stringify(
        {told}.map((one) => [r.owns(one), r.seesFiles(one), r.edits(one), r.deletes(one), r.adds(one)]))))"""
    answer = subprocess.run(["node", "-e", script], capture_output=True, text=True, timeout=30, check=True)
    assert json.loads(answer.stdout) == [
        [one.owns, one.sees_files, one.edits, one.deletes, one.adds] for one in people]


def test_an_owner_lets_somebody_in_and_out_again(open_player: Callable[..., Any], station: Any) -> None:
    page = open_player("/#/you")
    page.get_by_role("link", name="People").click()
    page.get_by_role("button", name="Add a person").click()
    page.get_by_label("Name to log in with").fill("Clara <3")
    page.get_by_label("First password").fill("too short")
    page.get_by_role("radio", name="Young listener").check()
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_text("needs ten characters").wait_for()
    sync_api.expect(page.get_by_role("radio", name="Young listener")).to_be_checked()  # what was chosen stays
    page.get_by_label("First password").fill("ten letters or so")
    page.get_by_role("button", name="Add", exact=True).click()
    row = page.locator("view-people .thing", has_text="Clara <3")
    sync_api.expect(row).to_contain_text("Young listener")
    assert may_log_in(station, "Clara <3", "ten letters or so")

    def choose(item: str) -> None:
        row.get_by_role("button", name="More for Clara").click()
        page.get_by_role("menuitem", name=item).click()

    page.get_by_role("button", name="Add a person").click()
    page.get_by_label("Name to log in with").fill("clara <3")
    page.get_by_label("First password").fill("ten letters or so")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("alert").filter(has_text="taken").wait_for()
    page.get_by_role("button", name="Cancel").click()

    choose("Role")
    page.get_by_role("radio", name="Listener", exact=False).nth(0).check()
    page.get_by_role("button", name="Save").click()
    sync_api.expect(row).not_to_contain_text("Young")
    choose("Set a new password")
    page.get_by_label("New password", exact=True).fill("quite another one")
    page.get_by_role("button", name="Set password").click()
    page.get_by_text("has a new password").wait_for()
    assert may_log_in(station, "Clara <3", "quite another one")
    assert not may_log_in(station, "Clara <3", "ten letters or so")
    choose("Change name")
    page.get_by_label("Name to log in with").fill("Klara")
    page.get_by_role("button", name="Save").click()
    row = page.locator("view-people .thing", has_text="Klara")
    sync_api.expect(row).to_contain_text("Listener")
    row.get_by_role("button", name="More for Klara").click()
    page.get_by_role("menuitem", name="Remove").click()
    page.get_by_role("button", name="Remove for ever").click()
    sync_api.expect(row).to_have_count(0)
    assert not may_log_in(station, "Klara", "quite another one")


def test_somebody_comes_by_invitation_and_hears_what_was_chosen(
        open_player: Callable[..., Any], station: Any) -> None:
    page = open_player("/#/you/people")
    page.get_by_role("button", name="Invite").click()
    page.get_by_label("For whom").fill("Tom <b>")
    page.get_by_role("radio", name="Young listener").check()
    page.get_by_label("They hear some folders alone").check()
    page.get_by_role("button", name="Choose folders").click()
    page.get_by_role("button", name=station.music.name).first.click()      # into the music folder
    page.get_by_role("button", name="Choose Björk").click()
    page.get_by_role("button", name="Invite", exact=True).last.click()
    page.get_by_alt_text("The invitation as a code").wait_for()
    link = page.get_by_role("dialog").locator("textarea").input_value()
    page.get_by_role("button", name="Done").click()
    sync_api.expect(page.locator("view-people .thing", has_text="Tom <b>")).to_contain_text("some folders")

    guest = open_player("/", logged_in=False, size=PHONE)
    guest.goto("about:blank")
    guest.goto(link)
    guest.get_by_role("heading", name="Welcome, Tom <b>").wait_for()
    assert guest.evaluate(TOO_WIDE) == [0, 0]
    guest.get_by_label("Your name").fill("tom")
    guest.get_by_label("Password").fill("too short")
    guest.get_by_role("button", name="Start listening").click()
    guest.get_by_role("alert").wait_for()
    guest.get_by_label("Password").fill("long enough now")
    guest.get_by_role("button", name="Start listening").click()
    guest.locator("sb-app nav").wait_for()
    guest.evaluate("location.hash = '/library/albums'")
    guest.locator("sb-list .card:not(.to-come)").first.wait_for()
    titles = guest.locator("sb-list .card:not(.to-come) .card-title").all_inner_texts()
    assert titles == ["Début"]
    again = open_player("/", logged_in=False)
    again.goto("about:blank")
    again.goto(link)
    again.get_by_role("heading", name="This invitation is over").wait_for()

    page.reload()
    row = page.locator("view-people .thing", has=page.get_by_text("tom", exact=True))
    sync_api.expect(row).to_contain_text("hears “Björk” alone")
    page.get_by_role("button", name="Take the invitation for Tom <b> off the list").click()
    sync_api.expect(page.locator("view-people .thing", has_text="Tom <b>")).to_have_count(0)
    row.get_by_role("button", name="More for tom").click()
    page.get_by_role("menuitem", name="Rights").click()
    page.get_by_label("Add music").select_option("Yes")
    page.get_by_role("button", name="Save").click()
    sync_api.expect(row).to_contain_text("may add music")
    row.get_by_role("button", name="More for tom").click()
    page.get_by_role("menuitem", name="What they hear").click()
    page.get_by_role("button", name="Take Björk out").click()
    page.get_by_role("button", name="Save").click()
    page.get_by_role("alert").filter(has_text="Choose a folder first").wait_for()
    page.get_by_role("radio", name="Everything").check()
    page.get_by_role("button", name="Save").click()
    sync_api.expect(row).not_to_contain_text("hears")
    known = next(one for one in station.call("GET", "/api/users")[1]["items"] if one["username"] == "tom")
    assert (known["said"], known["limited"]) == ({"add": True, "edit": None, "delete": None}, False)
    guest.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    guest.get_by_role("link", name="Downloads").first.wait_for()       # the right counts where they are
    station.call("DELETE", f"/api/users/{known['id']}")


def test_an_invitation_is_withdrawn(open_player: Callable[..., Any], station: Any) -> None:
    _, made = station.call("POST", "/api/invitations", {"role": "guest", "name": "Nobody"})
    page = open_player("/#/you/people")
    page.get_by_role("button", name="Withdraw the invitation for Nobody").click()
    page.get_by_role("dialog").get_by_role("button", name="Withdraw").click()
    page.get_by_text("The invitation is withdrawn.").wait_for()
    assert station.call("GET", f"/api/invitations/{made['code']}", token="")[0] in (400, 410)


def test_nobody_locks_themselves_out(open_player: Callable[..., Any], station: Any) -> None:
    page = open_player("/#/you/people")
    page.get_by_role("button", name=f"More for {station.owner_name}").click()
    page.get_by_role("menuitem", name="Change name").wait_for()
    names = page.get_by_role("menuitem").all_inner_texts()
    assert [one.strip() for one in names] == ["Change name", "Change password"]


@pytest.mark.parametrize("role", ["adult", "child"])
def test_nobody_is_offered_what_the_station_refuses(
        open_player: Callable[..., Any], person: Callable[[str], str], role: str) -> None:
    refused: list[str] = []
    page = open_player("/", size=PHONE, token=person(role))
    page.on("response", lambda answer: refused.append(answer.url) if answer.status == 403 else None)
    for path in PAGES:
        page.evaluate("path => { location.hash = path; }", path)
        page.locator("main h1, main h2").first.wait_for(state="attached")
        page.wait_for_timeout(80)
        assert page.evaluate(TOO_WIDE) == [0, 0], f"{path} is wider than its screen"
        assert page.evaluate(NAMELESS) == []
    assert refused == []

    def seen(path: str, text: str) -> bool:
        page.evaluate("path => { location.hash = path; }", path)
        page.locator("main h1").first.wait_for()
        page.wait_for_timeout(200)
        return bool(page.locator("main").get_by_text(text).count())

    cares = role == "adult"
    assert not seen("/you", "People")
    assert seen("/you", "Look now") is cares
    assert seen("/you", "Music folders") is cares
    assert seen("/you/people", "Only an owner")
    assert seen("/you/folders", "Not with this account") is not cares
    assert seen("/you/trash", "Not with this account") is not cares
    assert seen("/you/folders", "adds and removes folders") is cares
    page.evaluate("location.hash = '/you/folders'")
    assert page.locator("form[data-form=root], [data-do=root-remove]").count() == 0
    page.evaluate("location.hash = '/library/tracks'")
    page.locator("sb-list .row:not(.to-come) .row-menu").first.click(force=True)
    page.get_by_role("menuitem", name="Play next").wait_for()
    assert page.get_by_role("menuitem", name="Edit details").count() == int(cares)
    assert page.get_by_role("menuitem", name="Move to trash").count() == int(cares)


def test_another_name_and_role_are_known_when_the_listener_comes_back(
        open_player: Callable[..., Any], station: Any, person: Callable[[str], str]) -> None:
    token = person("child")
    _, made = station.call("POST", "/api/library/playlists", {"name": "Mine all the same"}, token=token)
    page = open_player("/#/you", token=token)
    page.locator("view-you h1").wait_for()
    identity = page.evaluate("fetch('/api/session').then((answer) => answer.json()).then(({ user }) => user.id)")
    station.call("PATCH", f"/api/users/{identity}", {"username": "Benno", "role": "adult"})
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    sync_api.expect(page.locator("view-you h1")).to_have_text("Benno")
    page.get_by_role("button", name="Look now").wait_for()
    page.evaluate("id => { location.hash = `/playlist/${id}`; }", made["id"])
    page.get_by_role("button", name="Name and sharing").wait_for()
