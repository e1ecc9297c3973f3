"""`users`: accounts by hand, with the same rules as over HTTP."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from tests.setup_tool.conftest import PASSWORD, Tool


@pytest.fixture
def ann(tool: Tool) -> Tool:
    """The tool of a station that ann owns."""
    assert tool("users", "add", "ann", "--role", "owner").code == 0
    return tool


def names(tool: Tool) -> dict[str, str]:
    return {one["username"]: one["role"] for one in tool("users", "list", "--json").document["items"]}


def test_the_first_account_may_be_made_before_the_station_ran(tool: Tool, home: Path) -> None:
    said = tool("users", "add", "Åsa", "--role", "owner", "--json")
    assert said.code == 0 and said.document["username"] == "Åsa" and said.document["role"] == "owner"
    assert PASSWORD not in said.out + said.err
    assert (home / "data" / "library.db").stat().st_mode & 0o077 == 0


def test_people_are_listed_with_what_they_may_do(ann: Tool) -> None:
    ann("users", "add", "kid", "--role", "child")
    said = ann("users", "list")
    assert said.code == 0
    assert [line.split()[:2] for line in said.out.splitlines()[2:]] == [["ann", "owner"], ["kid", "child"]]


def test_a_password_may_come_from_standard_input(ann: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOUNDSIBLE_PASSWORD")
    monkeypatch.setattr(sys, "stdin", io.StringIO("a password of bob\n"))
    assert ann("users", "add", "bob", "--password-stdin").code == 0
    assert names(ann)["bob"] == "adult"


def test_without_a_password_and_a_person_to_ask_it_is_wrong_usage(ann: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOUNDSIBLE_PASSWORD")
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    said = ann("users", "add", "bob")
    assert said.code == 2 and "--password-stdin" in said.err
    assert names(ann) == {"ann": "owner"}


def test_a_dry_run_changes_nothing(ann: Tool) -> None:
    ann("users", "add", "bob")
    before = ann("users", "list", "--json").out
    for arguments in (["add", "eve"], ["password", "bob"], ["role", "bob", "owner"], ["remove", "bob"]):
        said = ann("users", *arguments, "--dry-run")
        assert said.code == 0 and "would" in said.out
        assert ann("users", *arguments, "--dry-run", "--json").document["dry_run"] is True
    assert ann("users", "list", "--json").out == before


def test_a_dry_run_begins_no_library(tool: Tool, home: Path) -> None:
    assert tool("users", "add", "ann", "--dry-run").code == 1
    assert not home.exists()


def test_a_role_is_given_and_the_last_owner_keeps_it(ann: Tool) -> None:
    ann("users", "add", "bob")
    assert ann("users", "role", "BOB", "owner").code == 0
    assert ann("users", "role", "ann", "guest").code == 0
    said = ann("users", "role", "bob", "guest")
    assert said.code == 1 and "last owner" in said.err
    assert ann("users", "remove", "bob", "--yes").code == 1
    assert names(ann) == {"ann": "guest", "bob": "owner"}


def test_removing_wants_a_yes(ann: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    ann("users", "add", "bob")
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert ann("users", "remove", "bob").code == 2
    assert "bob" in names(ann)
    assert ann("users", "remove", "bob", "--yes").code == 0
    assert "bob" not in names(ann)


@pytest.mark.parametrize("arguments", [["password", "eve"], ["role", "eve", "guest"], ["remove", "eve", "--yes"]])
def test_an_unknown_name_is_answered_with_those_there_are(ann: Tool, arguments: list[str]) -> None:
    said = ann("users", *arguments)
    assert said.code == 1 and "There is: ann." in said.err


def test_a_taken_name_and_a_short_password_are_refused(ann: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ann("users", "add", "ANN").code == 1
    assert ann("users", "add", "ANN", "--dry-run").code == 1
    monkeypatch.setenv("SOUNDSIBLE_PASSWORD", "short")
    said = ann("users", "add", "bob", "--json")
    assert said.code == 1 and said.document["error"]["details"] == {"field": "password"}


def test_a_new_password_ends_the_sessions_of_a_running_station(ann: Tool, home: Path) -> None:
    from setup_tool.rooms import rooms
    from shared import settings

    with rooms(settings.load()) as station:
        login = station.accounts.login("ann", PASSWORD)
        assert station.accounts.who(login.token)
        assert ann("users", "password", "ann").code == 0
        station.accounts.end_revoked()
        assert station.accounts.who(login.token) is None
