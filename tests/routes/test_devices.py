"""The doors of devices and sessions: listed, renamed and ended by who may; what is others' is not there."""

from __future__ import annotations

from typing import Any

import pytest

from shared.routes.devices import browser_of
from tests.routes.houses import PASSWORD, Front

NOT_THERE = "c" * 16


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Front:
    return Front(tmp_path_factory.mktemp("house"), music=False)


def pair(front: Front, who: str, name: str, scope: str = "own") -> Any:
    """A new device, as the claim answers it."""
    made = front.ask("POST", "/api/pairing/tokens", {"scope": scope}, who=who).json
    return front.ask("POST", "/api/pairing/claim", {"token": made["token"], "name": name}, who=None).json


def bearer(paired: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {paired['token']}"}


def test_devices_tell_what_they_are_and_when_they_were_used(front: Front) -> None:
    paired = pair(front, "kid", "Kid's tablet")
    front.ask("GET", "/api/me", who=None, **bearer(paired))
    listed = front.get("/api/devices", who="kid")
    assert set(listed) == {"items", "next_cursor", "total", "revision"} and listed["total"] == 1
    one = listed["items"][0]
    assert {"id", "name", "scope", "created_at", "last_used_at", "last_address", "current", "user"} <= set(one)
    assert (one["id"], one["name"], one["scope"], one["current"]) == (
        paired["device"]["id"], "Kid's tablet", "own", False)
    assert one["last_used_at"] and one["last_address"] == "127.0.0.1" and one["user"]["username"] == "kid"
    assert front.ask("GET", "/api/devices", who=None, **bearer(paired)).json["items"][0]["current"] is True
    front.ask("DELETE", f"/api/devices/{one['id']}", who="kid")


def test_a_renamed_device_has_its_new_name(front: Front) -> None:
    paired = pair(front, "ben", "Pixel")
    path = f"/api/devices/{paired['device']['id']}"
    assert front.ask("PATCH", path, {"name": "Ben's phone"}, who="ben").json["name"] == "Ben's phone"
    for body in ({}, {"name": ""}, {"name": " "}, {"name": None}, {"scope": "own"}, {"name": "x" * 300}):
        assert front.ask("PATCH", path, body, who="ben").status == 400
    assert [one["name"] for one in front.get("/api/devices", who="ben")["items"]] == ["Ben's phone"]
    assert front.ask("DELETE", path, who="ben").status == 204


def test_a_revoked_device_is_401_with_its_next_request(front: Front) -> None:
    paired = pair(front, "ben", "Pixel")
    assert front.ask("GET", "/api/me", who=None, **bearer(paired)).status == 200
    assert front.ask("DELETE", f"/api/devices/{paired['device']['id']}", who="ben").status == 204
    assert front.ask("GET", "/api/me", who=None, **bearer(paired)).status == 401
    assert front.ask("DELETE", f"/api/devices/{paired['device']['id']}", who="ben").status == 404


def test_what_belongs_to_others_is_answered_as_what_is_not_there(front: Front) -> None:
    device = pair(front, "ann", "Ann's")["device"]["id"]
    session = front.get("/api/sessions", who="ann")["items"][0]["id"]
    for method, path, body in (("DELETE", f"/api/devices/{device}", None), ("DELETE", f"/api/sessions/{session}", None),
                               ("PATCH", f"/api/devices/{device}", {"name": "mine"})):
        refused = front.ask(method, path, body, who="ben")
        absent = front.ask(method, path.rpartition("/")[0] + "/" + NOT_THERE, body, who="ben")
        assert (refused.status, refused.data) == (absent.status, absent.data) and refused.status == 404
    for path in ("/api/devices?user=all", "/api/sessions?user=all"):
        assert front.ask("GET", path, who="ben").status == 403
    assert device in [one["id"] for one in front.get("/api/devices")["items"]]


def test_an_owner_sees_and_ends_everybodys(front: Front) -> None:
    paired = pair(front, "ben", "Ben's")
    assert paired["device"]["id"] in [one["id"] for one in front.get("/api/devices?user=all")["items"]]
    assert paired["device"]["id"] not in [one["id"] for one in front.get("/api/devices")["items"]]
    assert [one["name"] for one in front.get(f"/api/devices?user={paired['user']['id']}")["items"]] == ["Ben's"]
    assert front.ask("GET", "/api/devices?user=nobody").status == 404
    assert front.ask("DELETE", f"/api/devices/{paired['device']['id']}").status == 204
    assert front.ask("GET", "/api/me", who=None, **bearer(paired)).status == 401


@pytest.mark.parametrize("scope", ["listen", "add"])
def test_a_limited_device_looks_after_itself_alone(front: Front, scope: str) -> None:
    paired, other = pair(front, "ann", "Radio", scope), pair(front, "ann", "Phone")["device"]["id"]
    me = bearer(paired)
    assert [one["name"] for one in front.ask("GET", "/api/devices", who=None, **me).json["items"]] == ["Radio"]
    assert front.ask("GET", "/api/devices?user=all", who=None, **me).status == 403
    assert front.ask("DELETE", f"/api/devices/{other}", who=None, **me).status == 404
    assert front.ask("PATCH", f"/api/devices/{other}", {"name": "x"}, who=None, **me).status == 403
    assert front.ask("PATCH", f"/api/devices/{paired['device']['id']}", {"name": "x"}, who=None, **me).status == 403
    assert front.ask("POST", "/api/pairing/tokens", {"scope": scope}, who=None, **me).status == 403
    assert front.ask("GET", "/api/sessions", who=None, **me).status == 403
    assert front.ask("DELETE", "/api/sessions", who=None, **me).status == 403
    assert front.ask("DELETE", f"/api/devices/{paired['device']['id']}", who=None, **me).status == 204
    assert front.ask("GET", "/api/devices", who=None, **me).status == 401


def test_sessions_are_named_by_their_browser_and_ended_one_by_one_or_together(front: Front) -> None:
    tokens = [front.ask("POST", "/api/session", {"username": "kid", "password": PASSWORD}, who=None, User_Agent=agent)
              .json["token"] for agent in ("Mozilla/5.0 (X11; Linux x86_64; rv:1) Gecko/1 Firefox/130.0", "x", "y")]
    listed = front.get("/api/sessions", who="kid")["items"]
    firefox = next(one for one in listed if one["name"] == "Firefox on Linux")
    assert firefox["user_agent"].startswith("Mozilla/5.0") and [one["current"] for one in listed].count(True) == 1
    assert front.ask("DELETE", f"/api/sessions/{firefox['id']}", who="kid").status == 204
    statuses = [front.ask("GET", "/api/me", who=None, Authorization=f"Bearer {token}").status for token in tokens]
    assert statuses == [401, 200, 200]
    assert front.ask("DELETE", "/api/sessions", who="kid").status == 204
    statuses = [front.ask("GET", "/api/me", who=None, Authorization=f"Bearer {token}").status for token in tokens]
    assert statuses == [401, 401, 401]
    assert front.get("/api/me", who="kid")["username"] == "kid"


@pytest.mark.parametrize(("agent", "shown"), [
    ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile Safari/604.1",
     "Safari on iPhone"),
    ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36", "Chrome on Android"),
    ("Mozilla/5.0 (Windows NT 10.0; Win64) AppleWebKit/537.36 Chrome/130 Safari/537.36 Edg/130", "Edge on Windows"),
    ("Mozilla/5.0 (Macintosh; Intel Mac OS X 14.7; rv:132.0) Gecko/20100101 Firefox/132.0", "Firefox on macOS"),
    ("curl/8.5", "curl"), ("", "An unknown program"), ("<script>", "An unknown program"),
])
def test_browsers_are_told_in_words(agent: str, shown: str) -> None:
    assert browser_of(agent) == shown
