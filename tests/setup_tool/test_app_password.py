"""`app-password`: made for whom one names, listed without what they are, and out when they are revoked."""

from __future__ import annotations

import pytest

from setup_tool.rooms import rooms
from shared import settings
from shared.model.errors import NotLoggedIn
from tests.setup_tool.conftest import Tool


@pytest.fixture
def ann(tool: Tool) -> Tool:
    """The tool of a station that ann owns, with ben in it."""
    assert tool("users", "add", "ann", "--role", "owner").code == 0
    assert tool("users", "add", "ben").code == 0
    return tool


def whose(secret: str) -> tuple[str, str] | None:
    with rooms(settings.load(given={})) as station:
        try:
            person = station.app_passwords.by_key(secret, address="")
        except NotLoggedIn:
            return None
        return person.username, person.scope


def test_json_tells_all_that_an_app_needs(ann: Tool) -> None:
    said = ann("app-password", "create", "--name", "Symfonium", "--json").document
    assert whose(said["app_password"]) == ("ann", "own") and said["username"] == "ann"
    assert said["server"].startswith("http") and said["link"].startswith(said["server"] + "/connect#server=")
    other = ann("app-password", "create", "--user", "BEN", "--scope", "listen", "--json").document
    assert whose(other["app_password"]) == ("ben", "listen")


def test_people_are_shown_what_to_enter_this_once(ann: Tool) -> None:
    said = ann("app-password", "create", "--user", "ben", "--name", "Phone")
    secret = next(line.split()[-1] for line in said.out.splitlines() if line.strip().startswith("password "))
    assert whose(secret) == ("ben", "own") and "server" in said.out
    for again in (ann("app-password", "list"), ann("app-password", "list", "--json")):
        assert "Phone" in again.out and secret not in again.out


def test_list_tells_whose_and_when_last_used(ann: Tool) -> None:
    ann("app-password", "create", "--name", "A")
    ann("app-password", "create", "--name", "B", "--user", "ben")
    items = ann("app-password", "list", "--json").document["items"]
    assert {(one["name"], one["user"], one["last_used_at"]) for one in items} == {
        ("A", "ann", None), ("B", "ben", None)}
    assert [one["name"] for one in ann("app-password", "list", "--user", "ben", "--json").document["items"]] == ["B"]


@pytest.mark.parametrize("columns", [80, 120])
def test_list_shows_whole_ids_and_names_however_long_they_are(
    ann: Tool, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    """The id is what `revoke` takes."""
    monkeypatch.setenv("COLUMNS", str(columns))
    name = "Symfonium on the phone that lies in the kitchen, " * 2
    user = "bartholomew.of.the.long.name-" * 2 + "x"
    assert ann("users", "add", user).code == 0
    made = [ann("app-password", "create", "--name", name, "--user", user, "--scope", scope, "--json").document
            for scope in ("listen", "add", "own")]
    lines = ann("app-password", "list").out.splitlines()
    for one, may in zip(made, ("listen", "listen, add", "all"), strict=True):
        (line,) = [line for line in lines if one["id"] in line]
        assert f" {may} " in line and "…" not in line
    assert max(map(len, lines)) <= columns
    begins = lines[0].index("of")
    told = "".join(line[:begins].rstrip() for line in lines[2:]).replace(" ", "")
    assert told == made[0]["name"].replace(" ", "") * 3


def test_revoke_takes_a_name_or_an_id_and_says_when_several_are_meant(ann: Tool) -> None:
    one = ann("app-password", "create", "--name", "Phone", "--json").document
    two = ann("app-password", "create", "--name", "phone", "--user", "ben", "--json").document
    said = ann("app-password", "revoke", "PHONE")
    assert said.code == 1 and one["id"] in said.err and two["id"] in said.err
    assert ann("app-password", "revoke", "phone", "--user", "ben", "--dry-run").code == 0
    assert whose(two["app_password"])
    assert ann("app-password", "revoke", "phone", "--user", "ben").code == 0
    assert whose(two["app_password"]) is None and whose(one["app_password"])
    assert ann("app-password", "revoke", one["id"], "--json").document["name"] == "Phone"
    assert whose(one["app_password"]) is None
    assert ann("app-password", "revoke", one["id"]).code == 1


def test_a_dry_run_makes_none_and_nobody_s_is_told(ann: Tool) -> None:
    assert ann("app-password", "create", "--dry-run", "--json").document["dry_run"] is True
    assert ann("app-password", "list", "--json").document == {"items": []}
    assert ann("app-password", "create", "--user", "nobody").code == 1
    assert ann("app-password", "create", "--scope", "all").code == 2


def test_it_is_written_down_as_done_at_the_machine(ann: Tool) -> None:
    made = ann("app-password", "create", "--name", "Phone", "--user", "ben", "--json").document
    ann("app-password", "revoke", made["id"])
    with rooms(settings.load(given={})) as station:
        items = station.audit_records.list(limit=50, cursor=None).items
    deeds = {one.deed: one for one in items}
    assert {"app_password_made", "app_password_revoked"} <= set(deeds)
    assert (deeds["app_password_made"].username, deeds["app_password_made"].subject) == ("", "Phone")
    assert deeds["app_password_made"].details["by"] == "tool" and deeds["app_password_made"].details["of"] == "ben"
    assert made["app_password"] not in repr(items)
