"""Accounts: made and changed by owners alone; what is said of rights and folders counts at once, over every door."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from shared.model.person import RIGHTS, ROLES
from shared.routes.operation import Operation
from tests.routes.houses import PASSWORD, Front

NEW = {"username": "guest", "password": "ten letters", "role": "guest"}
NONE = dict.fromkeys(RIGHTS, False)


def test_an_owner_makes_changes_and_removes_an_account(front: Front) -> None:
    made = front.ask("POST", "/api/users", NEW)
    assert made.status == 201
    assert {"id", "username", "role", "created_at"} <= set(made.json)
    assert made.json["rights"] == NONE and made.json["said"] == dict.fromkeys(RIGHTS)
    assert (made.json["limited"], made.json["folders"], made.json["second_factor"]) == (False, [], False)
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
        ("PATCH", f"/api/users/{own}", {"rights": {"delete": True}}),
        ("PATCH", f"/api/users/{own}", {"limited": False}), ("DELETE", f"/api/users/{own}", None),
        ("DELETE", f"/api/users/{own}/second-factor", None),
    ):
        assert front.ask(method, path, body, who=who).status == 403
    assert front.get("/api/session", who=who)["user"]["role"] != "owner"


@pytest.mark.parametrize(("change", "status"), [
    ({"password": "short"}, 400), ({"role": "king"}, 400), ({"username": "ANN"}, 409), ({"username": ""}, 400),
    ({"username": "a\u202eb"}, 400), ({"admin": True}, 400), ({"rights": {"own": True}}, 400),
    ({"rights": {"add": 1}}, 400), ({"rights": []}, 400), ({"limited": None}, 400), ({"limited": "no"}, 400),
    ({"folders": [{"path": "x"}]}, 400), ({"folders": [["/", ""]]}, 400), ({"identity": "issuer subject"}, 400),
    ({"role": "owner", "limited": True}, 409), ({"role": "owner", "rights": {"add": False}}, 409),
])
def test_what_makes_no_account_is_refused(front: Front, change: dict[str, object], status: int) -> None:
    before = front.get("/api/users")["total"]
    assert front.ask("POST", "/api/users", {**NEW, **change}).status == status
    assert front.get("/api/users")["total"] == before


def test_the_last_owner_stays_with_every_right(front: Front) -> None:
    own = f"/api/users/{front.get('/api/session')['user']['id']}"
    assert front.ask("DELETE", own).status == 409
    assert front.ask("PATCH", own, {"role": "guest"}).status in (403, 409)
    assert front.ask("PATCH", own, {"limited": True}).status == 409
    assert front.ask("PATCH", own, {"rights": {"delete": False}}).status == 409
    assert front.get(own)["rights"] == dict.fromkeys(RIGHTS, True)


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


# ---- rights and folders ------------------------------------------------------------------------------------------


@pytest.fixture
def zoe(front: Front) -> Any:
    """A child's account, logged in; gone afterwards."""
    made = front.ask("POST", "/api/users", {"username": "zoe", "password": PASSWORD, "role": "child"}).json
    front.house.tokens["zoe"] = front.house.accounts.login("zoe", PASSWORD).token
    yield f"/api/users/{made['id']}"
    front.ask("DELETE", f"/api/users/{made['id']}")


def test_a_right_counts_at_once_and_goes_at_once(front: Front, zoe: str) -> None:
    assert front.ask("GET", "/api/library/trash", who="zoe").status == 403
    said = front.ask("PATCH", zoe, {"rights": {"delete": True}}).json
    assert said["rights"] == {"add": False, "edit": False, "delete": True}
    assert said["said"] == {"add": None, "edit": None, "delete": True}
    assert front.ask("GET", "/api/library/trash", who="zoe").status == 200, "in the same session"
    assert front.get("/api/me", who="zoe")["rights"] == said["rights"]
    said = front.ask("PATCH", zoe, {"rights": {"delete": None, "add": True}}).json
    assert said["said"] == {"add": True, "edit": None, "delete": None}
    assert front.ask("GET", "/api/library/trash", who="zoe").status == 403
    assert front.ask("GET", "/api/watches", who="zoe").status == 200


def test_what_was_said_stays_when_the_role_changes_but_binds_no_owner(front: Front, zoe: str) -> None:
    front.ask("PATCH", zoe, {"role": "adult", "rights": {"edit": False}})
    owner = front.ask("PATCH", zoe, {"role": "owner"}).json
    assert owner["rights"] == dict.fromkeys(RIGHTS, True)
    again = front.ask("PATCH", zoe, {"role": "adult"}).json
    assert again["rights"] == {"add": True, "edit": False, "delete": True}


def test_folders_are_named_by_root_and_path_in_their_plain_form(front: Front, zoe: str) -> None:
    root = str(front.house.music)
    said = front.ask("PATCH", zoe, {"limited": True, "folders": [
        {"root": root, "path": "Björk//Début/"}, {"root": root, "path": "Pair"}, {"root": root, "path": "Pair"}]})
    assert said.status == 200 and said.json["limited"] is True
    assert said.json["folders"] == [{"root": root, "path": "Björk/Début"}, {"root": root, "path": "Pair"}]
    assert front.get("/api/me", who="zoe")["limited"] is True
    assert {one["album"] for one in front.get("/api/library/tracks", who="zoe")["items"]} == {"Début", "Two Sides"}
    assert front.ask("PATCH", zoe, {"limited": False}).json["folders"], "what was named is kept for the next time"
    assert front.get("/api/library/tracks", who="zoe")["total"] == 17


@pytest.mark.parametrize(("root", "path"), [
    (None, "../other"), (None, "Pair/../../other"), (None, "Pair/."), (None, "/etc"), (None, "Nowhere"), (None, "pair"),
    (None, "Pai"), (None, "Pair\0"), ("/etc", ""), ("", "Pair"), ("/nowhere", "Pair"), (None, "x" * 5000),
])
def test_a_folder_that_is_none_is_refused(front: Front, zoe: str, root: str | None, path: str) -> None:
    folder = {"root": str(front.house.music) if root is None else root, "path": path}
    answer = front.ask("PATCH", zoe, {"limited": True, "folders": [folder]})
    assert answer.status == 400
    assert front.get(zoe)["limited"] is False, "all of a change, or nothing"


def test_changes_are_told_in_the_audit_log_without_secrets(front: Front, zoe: str) -> None:
    front.ask("PATCH", zoe, {"password": "another long password", "rights": {"add": True}, "limited": True})
    line = front.get("/api/audit?deed=user_changed&limit=1")["items"][0]
    assert (line["username"], line["subject"]) == ("ann", "zoe")
    assert line["details"] == {"password": "***", "rights": {"add": True}, "limited": True}


# ---- the matrix: every operation, every kind of person -----------------------------------------------------------

NEEDS = {"adds": "add", "edits": "edit", "deletes": "delete"}
KINDS = [(role, "none") for role in ROLES] + [(role, right) for role in ROLES[1:] for right in RIGHTS] + [
    (role, f"not {right}") for role in ROLES[1:] for right in RIGHTS]


class Matrix:
    """One house with somebody of every kind in it, and a device of each scope for each."""

    def __init__(self, folder: Path) -> None:
        self.front = Front(folder, music=False)
        self.operations = self.front.operations
        house = self.front.house
        for role, said in KINDS:
            name = f"{role} {said}"
            rights = {} if said == "none" else {said.removeprefix("not "): not said.startswith("not ")}
            made = self.front.ask("POST", "/api/users", {
                "username": name, "password": PASSWORD, "role": role, "rights": rights})
            assert made.status == 201
            user = house.people.get_user(made.json["id"])
            assert user is not None
            for scope in ("listen", "add", "own"):
                from shared.security.accounts import new_token

                token, digest = new_token()
                house.people.add_token(user_id=user.id, kind="device", hash=digest, scope=scope)
                house.tokens[f"{name} {scope}"] = token

    def status(self, operation: Operation, who: str) -> int:
        """What `operation` answers: asked with a body that none takes, so that nothing is changed; and not read, for
        some answers have no end."""
        answer = self.front.app.test_client(use_cookies=False).open(
            re.sub(r"<[^>]+>", "nothing", operation.path), method=operation.method,
            headers={"Authorization": f"Bearer {self.front.house.tokens[who]}"},
            **({} if operation.method == "GET" else {"json": {"\0": 0}}))
        try:
            return answer.status_code
        finally:
            answer.close()


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Matrix:
    return Matrix(tmp_path_factory.mktemp("matrix"))


def may(operation: Operation, role: str, said: str, scope: str) -> bool:
    """Written down once more, from what people are promised: not the rules' own code."""
    if operation.allows in ("open", "logged_in"):
        return True
    if operation.allows == "own_account":
        return scope == "own"
    if operation.allows == "owns":
        return role == "owner" and scope == "own"
    if operation.allows == "sees_files":
        return role in ("owner", "adult") and scope == "own"
    if operation.allows == "shares":
        return role in ("owner", "adult") and scope != "listen"
    right = NEEDS[operation.allows]
    if scope == "listen" or (scope == "add" and right != "add"):
        return False
    if role == "owner" or said == right:
        return True
    return role == "adult" and said != f"not {right}"


@pytest.mark.parametrize("scope", ["own", "add", "listen"])
@pytest.mark.parametrize(("role", "said"), KINDS, ids=[f"{role}-{said.replace(' ', '-')}" for role, said in KINDS])
def test_every_operation_lets_in_who_may_and_nobody_else(matrix: Matrix, role: str, said: str, scope: str) -> None:
    wrong = []
    for operation in matrix.operations:
        if operation.name in ("log_out", "revoke_device"):     # it would end the session that asks
            continue
        status = matrix.status(operation, f"{role} {said} {scope}")
        if (status == 403) is may(operation, role, said, scope):
            wrong.append((operation.method, operation.path, operation.allows, status))
    assert not wrong
