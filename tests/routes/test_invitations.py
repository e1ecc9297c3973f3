"""Invitations over HTTP: made by owners, accepted by strangers, told to nobody else."""

from __future__ import annotations

import pytest

from tests.routes.houses import PASSWORD, Front


def test_a_stranger_reads_accepts_and_is_logged_in(front: Front) -> None:
    made = front.ask("POST", "/api/invitations", {"role": "child", "name": "Zoe", "rights": {"add": True}})
    assert made.status == 201 and made.headers["Cache-Control"] == "no-store"
    code = made.json["code"]
    assert made.json["link"] == f"http://192.168.7.7:5005/#/invite/{code}"
    said = front.get(f"/api/invitations/{code}", who=None)
    assert (said["name"], said["role"]) == ("Zoe", "child") and set(said) == {"station", "name", "role", "expires_at"}
    answer = front.ask("POST", f"/api/invitations/{code}/accept", {"username": "zoe", "password": PASSWORD}, who=None)
    assert answer.status == 201 and answer.json["user"]["rights"] == {"add": True, "edit": False, "delete": False}
    assert "HttpOnly" in answer.headers["Set-Cookie"]
    told = front.ask("GET", "/api/me", who=None, Authorization=f"Bearer {answer.json['token']}")
    assert told.json["username"] == "zoe"
    again = front.ask("POST", f"/api/invitations/{code}/accept", {"username": "eve", "password": PASSWORD}, who=None)
    assert (again.status, again.json["error"]["code"]) == (410, "token_used")
    listed = front.get("/api/invitations")["items"][0]
    assert (listed["state"], listed["used_by"]) == ("used", "zoe") and code not in str(listed)


@pytest.mark.parametrize("body", [
    {"username": "zoe", "password": PASSWORD, "role": "owner"}, {"username": "zoe", "password": PASSWORD, "rights": {}},
    {"username": "zoe", "password": "short"}, {"username": "ann", "password": PASSWORD}, {"username": "zoe2"}, {}, [],
])
def test_who_accepts_says_name_and_password_and_nothing_else(front: Front, body: object) -> None:
    code = front.ask("POST", "/api/invitations", {"role": "guest"}).json["code"]
    answer = front.ask("POST", f"/api/invitations/{code}/accept", body, who=None)
    assert answer.status in (400, 409) and "Set-Cookie" not in answer.headers
    assert front.get(f"/api/invitations/{code}", who=None)["role"] == "guest", "it stays good"


def test_who_is_logged_in_already_gains_nothing_by_one(front: Front) -> None:
    code = front.ask("POST", "/api/invitations", {"role": "owner"}).json["code"]
    front.ask("POST", f"/api/invitations/{code}/accept", {"username": "kid", "password": PASSWORD}, who="kid")
    assert front.get("/api/me", who="kid")["role"] == "child"


def test_one_is_withdrawn_by_its_id_alone(front: Front) -> None:
    made = front.ask("POST", "/api/invitations", {"role": "adult"}).json
    assert front.ask("DELETE", f"/api/invitations/{made['code']}").status == 404
    assert front.ask("DELETE", f"/api/invitations/{made['id']}").status == 204
    gone = front.ask("GET", f"/api/invitations/{made['code']}", who=None)
    assert (gone.status, gone.json["error"]["code"]) == (400, "token_wrong")
