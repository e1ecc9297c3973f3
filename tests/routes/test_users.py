"""Accounts: made and changed by owners alone."""

from __future__ import annotations

import pytest

from tests.routes.houses import PASSWORD, Front

NEW = {"username": "guest", "password": "ten letters", "role": "guest"}


def test_an_owner_makes_changes_and_removes_an_account(front: Front) -> None:
    made = front.ask("POST", "/api/users", NEW)
    assert made.status == 201
    assert set(made.json) == {"id", "username", "role", "created_at"}
    path = f"/api/users/{made.json['id']}"
    assert front.get(path) == made.json
    assert made.json in front.get("/api/users")["items"]
    changed = front.ask("PATCH", path, {"role": "child", "username": "newcomer"})
    assert (changed.status, changed.json["role"], changed.json["username"]) == (200, "child", "newcomer")
    assert front.ask("DELETE", path).status == 204
    assert front.ask("GET", path).status == 404
    assert front.ask("DELETE", path).status == 404
    assert front.ask("PATCH", path, {"role": "adult"}).status == 404


@pytest.mark.parametrize("who", ["ben", "kid"])
def test_nobody_else_may_even_look(front: Front, who: str) -> None:
    own = front.get("/api/session", who=who)["user"]["id"]
    for method, path, body in (
        ("GET", "/api/users", None), ("POST", "/api/users", NEW), ("PATCH", f"/api/users/{own}", {"role": "owner"}),
        ("DELETE", f"/api/users/{own}", None),
    ):
        assert front.ask(method, path, body, who=who).status == 403
    assert front.get("/api/session", who=who)["user"]["role"] != "owner"


@pytest.mark.parametrize(("change", "status"), [
    ({"password": "short"}, 400), ({"role": "king"}, 400), ({"username": "ANN"}, 409), ({"username": ""}, 400),
    ({"username": "a\u202eb"}, 400), ({"admin": True}, 400),
])
def test_what_makes_no_account_is_refused(front: Front, change: dict[str, object], status: int) -> None:
    assert front.ask("POST", "/api/users", {**NEW, **change}).status == status


def test_the_last_owner_stays(front: Front) -> None:
    own = f"/api/users/{front.get('/api/session')['user']['id']}"
    assert front.ask("DELETE", own).status == 409
    assert front.ask("PATCH", own, {"role": "guest"}).status in (403, 409)


def test_an_account_that_is_removed_or_given_a_password_is_logged_out(front: Front) -> None:
    made = front.ask("POST", "/api/users", {**NEW, "username": "brief"}).json
    login = {"username": "brief", "password": NEW["password"]}

    def log_in(**change: str) -> dict[str, str]:
        token = front.ask("POST", "/api/session", {**login, **change}, who=None).json["token"]
        return {"Authorization": f"Bearer {token}"}

    first = log_in()
    assert front.ask("PATCH", f"/api/users/{made['id']}", {"password": PASSWORD}).status == 200
    assert front.ask("GET", "/api/me", who=None, **first).status == 401
    second = log_in(password=PASSWORD)
    assert front.ask("DELETE", f"/api/users/{made['id']}").status == 204
    assert front.ask("GET", "/api/me", who=None, **second).status == 401
