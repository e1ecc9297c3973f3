"""Playlists that more than one person hears."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

sync_api = pytest.importorskip("playwright.sync_api")


@pytest.fixture
def ben(station: Any) -> Iterator[str]:
    """A token of somebody who is not the owner; he and his playlists leave at the end."""
    told = {"username": "Ben", "password": "a password of his"}
    _, user = station.call("POST", "/api/users", {**told, "role": "child"})
    yield str(station.call("POST", "/api/session", told, token="")[1]["token"])
    station.call("DELETE", f"/api/users/{user['id']}")


@pytest.fixture
def make_list(station: Any) -> Iterator[Callable[..., dict[str, Any]]]:
    """A playlist of the station's owner, with three tracks; gone at the end."""
    made: list[str] = []
    _, page = station.call("GET", "/api/library/tracks?limit=3&sort=title")

    def make(name: str, visibility: str) -> dict[str, Any]:
        _, one = station.call("POST", "/api/library/playlists", {
            "name": name, "visibility": visibility, "track_ids": [track["id"] for track in page["items"]]})
        made.append(one["id"])
        return dict(one)

    yield make
    for identity in made:
        station.call("DELETE", f"/api/library/playlists/{identity}")


def test_who_hears_a_playlist_is_chosen_when_making_it_and_later(
        open_player: Callable[..., Any], station: Any) -> None:
    page = open_player("/#/library/playlists")
    page.locator("view-library").get_by_role("button", name="New playlist").click()
    page.get_by_label("Name", exact=True).fill("House party")
    sync_api.expect(page.get_by_role("radio", name="Only you")).to_be_checked()
    page.get_by_role("radio", name="Made together").check()
    page.get_by_role("button", name="Make playlist").click()
    facts = page.locator("view-playlist .hero-facts")
    sync_api.expect(facts).to_contain_text("Made together")
    identity = page.url.rsplit("/", 1)[1]
    assert station.call("GET", f"/api/library/playlists/{identity}")[1]["visibility"] == "collaborative"
    page.get_by_role("button", name="Name and sharing").click()
    sync_api.expect(page.get_by_role("radio", name="Made together")).to_be_checked()
    page.get_by_role("radio", name="Only you").check()
    page.get_by_label("Name", exact=True).fill("Quiet party")
    page.get_by_role("button", name="Save").click()
    sync_api.expect(facts).to_contain_text("Only you")
    sync_api.expect(page.locator("view-playlist h1")).to_have_text("Quiet party")
    sync_api.expect(page.locator("sb-rail-lists").get_by_text("Quiet party")).to_be_visible()
    now = station.call("GET", f"/api/library/playlists/{identity}")[1]
    assert (now["name"], now["visibility"]) == ("Quiet party", "private")
    assert station.call("DELETE", f"/api/library/playlists/{identity}")[0] == 204


def test_a_shared_playlist_is_heard_and_left_as_it_is(
        open_player: Callable[..., Any], station: Any, ben: str, make_list: Callable[..., dict[str, Any]]) -> None:
    heard = make_list("To listen to", "shared")
    page = open_player(f"/#/playlist/{heard['id']}", token=ben)
    view = page.locator("view-playlist")
    sync_api.expect(view.locator(".hero-facts")).to_contain_text(f"by {station.owner_name} · Shared")
    sync_api.expect(view.locator(".row-play")).to_have_count(3)
    assert view.locator(".grip").count() == 0
    assert view.get_by_role("button", name="Name and sharing").count() == 0
    view.get_by_role("button", name="More", exact=True).click()
    page.get_by_role("menuitem", name="Play next").wait_for()
    assert page.get_by_role("menuitem", name="Name and sharing").count() == 0
    assert page.get_by_role("menuitem", name="Delete playlist").count() == 0
    page.keyboard.press("Escape")
    view.locator(".row").first.click(button="right")
    page.get_by_role("menuitem", name="Play next").wait_for()
    assert page.get_by_role("menuitem", name="Remove from this playlist").count() == 0
    page.get_by_role("menuitem", name="Add to playlist").click()
    page.get_by_role("button", name="New playlist").last.wait_for()
    page.wait_for_timeout(300)
    assert page.locator(".pick-row", has_text="To listen to").count() == 0
    page.keyboard.press("Escape")
    rail = page.locator("sb-rail-lists .nav-list", has_text="To listen to")
    sync_api.expect(rail).to_contain_text(station.owner_name)


def test_a_playlist_made_together_is_changed_by_both_and_named_by_one(
        open_player: Callable[..., Any], station: Any, ben: str, make_list: Callable[..., dict[str, Any]]) -> None:
    both = make_list("Of us both", "collaborative")
    page = open_player(f"/#/playlist/{both['id']}", token=ben)
    view = page.locator("view-playlist")
    sync_api.expect(view.locator(".grip")).to_have_count(3)
    sync_api.expect(view.locator(".hero-facts")).to_contain_text("Made together")
    assert view.get_by_role("button", name="Name and sharing").count() == 0
    view.locator(".row").first.click(button="right")
    with page.expect_response(lambda answer: answer.request.method == "PATCH") as changed:
        page.get_by_role("menuitem", name="Remove from this playlist").click()
    assert changed.value.status == 200
    sync_api.expect(view.locator(".row-play")).to_have_count(2)
    view.locator(".row").first.click(button="right")
    page.get_by_role("menuitem", name="Add to playlist").click()
    page.locator(".pick-row", has_text="Of us both").click()
    sync_api.expect(view.locator(".row-play")).to_have_count(3)


def test_a_playlist_that_is_shared_no_more_leaves_with_a_word(
        open_player: Callable[..., Any], station: Any, ben: str, make_list: Callable[..., dict[str, Any]]) -> None:
    lent = make_list("Only lent", "collaborative")
    page = open_player(f"/#/playlist/{lent['id']}", token=ben)
    view = page.locator("view-playlist")
    sync_api.expect(view.locator(".grip")).to_have_count(3)
    station.call("PATCH", f"/api/library/playlists/{lent['id']}", {"visibility": "shared"})
    sync_api.expect(view.locator(".grip")).to_have_count(0)
    sync_api.expect(view.locator(".row-play")).to_have_count(3)
    station.call("PATCH", f"/api/library/playlists/{lent['id']}", {"visibility": "private"})
    view.get_by_text("no longer shared with you").wait_for()
    sync_api.expect(page.locator("sb-rail-lists").get_by_text("Only lent")).to_have_count(0)
