"""`users`: accounts by hand, with the same rules as over HTTP."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.builders import make_audio
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


# ---- rights, folders, invitations, second factors --------------------------------------------------------------------


def one(tool: Tool, name: str) -> dict[str, Any]:
    return next(user for user in tool("users", "list", "--json").document["items"] if user["username"] == name)


def test_rights_are_given_taken_and_as_the_role_has_them_again(ann: Tool) -> None:
    assert ann("users", "add", "kid", "--role", "child", "--may", "add").code == 0
    assert one(ann, "kid")["rights"] == {"add": True, "edit": False, "delete": False}
    said = ann("users", "rights", "kid", "--may", "edit", "--usual", "add", "--may-not", "delete", "--json")
    assert said.document["said"] == {"add": None, "edit": True, "delete": False}
    assert said.document["rights"] == {"add": False, "edit": True, "delete": False}
    assert "listens, edits" in ann("users", "list").out


def test_rights_that_cannot_be_are_refused(ann: Tool) -> None:
    ann("users", "add", "kid", "--role", "child")
    for arguments in ([], ["--may", "own"], ["--may", "add", "--may-not", "add"], ["--may", "add", "--usual", "add"]):
        assert ann("users", "rights", "kid", *arguments).code == 2
    said = ann("users", "rights", "ann", "--may-not", "delete")
    assert said.code == 1 and "owner" in said.err
    assert ann("users", "rights", "nobody", "--may", "add").code == 1


@pytest.fixture
def music(ann: Tool, home: Path, tmp_path: Path) -> Path:
    """A music folder with Kids and Radio in it."""
    from shared.database import Database
    from shared.records.scans import Scans

    folder = tmp_path / "music"
    for name in ("Kids", "Radio", "Kids2"):
        (folder / name).mkdir(parents=True)
    database = Database(home / "data" / "library.db")
    database.prepare()
    Scans(database=database).add_root(str(folder))
    database.close()
    return folder


def test_somebody_is_limited_to_folders_and_sees_all_again(ann: Tool, music: Path) -> None:
    ann("users", "add", "kid", "--role", "child", "--folder", str(music / "Kids"))
    assert one(ann, "kid")["folders"] == [{"root": str(music), "path": "Kids"}] and one(ann, "kid")["limited"]
    assert ann("users", "folders", "kid", f"{music}/Kids/", str(music / "Kids2" / ".." / "Radio")).code == 0
    assert [folder["path"] for folder in one(ann, "kid")["folders"]] == ["Kids", "Radio"]
    assert ann("users", "folders", "kid", "--all").code == 0
    assert one(ann, "kid")["limited"] is False
    assert ann("users", "folders", "kid", str(music)).code == 0
    assert one(ann, "kid")["folders"] == [{"root": str(music), "path": ""}]


def test_folders_that_are_none_are_refused(ann: Tool, music: Path) -> None:
    ann("users", "add", "kid", "--role", "child")
    for folder in (str(music.parent), f"{music}2", str(music / "Nowhere"), "/", str(music / ".." / "else")):
        assert ann("users", "folders", "kid", folder).code == 1
        assert ann("users", "folders", "kid", folder, "--dry-run").code == 1
        assert ann("users", "invite", "--folder", folder).code == 1
    for arguments in ([], [str(music), "--all"]):
        assert ann("users", "folders", "kid", *arguments).code == 2
    assert ann("users", "folders", "ann", str(music)).code == 1, "an owner sees everything"
    assert one(ann, "kid")["limited"] is False


def test_an_invitation_is_made_listed_and_withdrawn(ann: Tool) -> None:
    made = ann("users", "invite", "--role", "guest", "--name", "Zoe", "--json").document
    assert made["link"].endswith(f"/#/invite/{made['code']}") and len(made["code"]) == 32
    listed = ann("users", "invite", "--list", "--json")
    assert [(row["name"], row["state"]) for row in listed.document["items"]] == [("Zoe", "open")]
    assert made["code"] not in listed.out
    assert ann("users", "invite", "--withdraw", made["id"], "--dry-run").code == 0
    assert ann("users", "invite", "--withdraw", made["id"]).code == 0
    assert ann("users", "invite", "--withdraw", made["id"]).code == 1
    assert ann("users", "invite", "--list", "--json").document["items"] == []
    assert "/#/invite/" in ann("users", "invite").out
    assert ann("users", "invite", "--dry-run").code == 0
    assert ann("users", "invite", "--list", "--withdraw", "x").code == 2


def test_nobody_invites_to_a_station_without_an_owner(tool: Tool) -> None:
    tool("users", "add", "bob", "--role", "adult")
    said = tool("users", "invite")
    assert said.code == 1 and "--role owner" in said.err


def test_a_second_factor_is_switched_off_by_who_has_the_machine(ann: Tool, home: Path) -> None:
    from shared.database import Database
    from shared.records.people import People

    assert "no second factor" in ann("users", "second-factor", "ann", "off").out
    database = Database(home / "data" / "library.db")
    database.prepare()
    people = People(database=database)
    user = people.find_user("ann")
    assert user is not None
    people.set_factor(user.id, "v1:sealed with a key that is gone", recovery=["x"])
    assert "would" in ann("users", "second-factor", "ann", "off", "--dry-run").out
    assert one(ann, "ann")["second_factor"] is True
    assert ann("users", "second_factor", "ANN", "off").code == 0
    assert one(ann, "ann")["second_factor"] is False and people.factor(user.id).recovery == ()
    assert ann("users", "second-factor", "ann", "on").code == 2
    database.close()


def test_an_account_is_connected_only_where_there_is_a_provider(ann: Tool) -> None:
    assert ann("users", "identity", "ann", "24828").code == 2
    assert ann("users", "identity", "ann").code == 2
    assert ann("users", "identity", "ann", "--none").code == 0


def test_what_the_tool_did_is_in_the_audit_log(ann: Tool, home: Path) -> None:
    from shared.database import Database
    from shared.records.audit import Audit

    ann("users", "rights", "ann", "--may", "add")
    database = Database(home / "data" / "library.db")
    database.prepare()
    assert [(line.username, line.deed, line.subject, line.details["by"]) for line in
            Audit(database=database).list().items] == [
        ("", "user_changed", "ann", "tool"), ("", "user_made", "ann", "tool")]
    database.close()


def test_settings_storages_and_folders_that_change_are_in_the_audit_log(
        ann: Tool, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from shared.database import Database
    from shared.records.audit import Audit

    monkeypatch.setenv("SOUNDSIBLE_STORAGE_SECRET", "hush")
    (tmp_path / "music" / "Rock").mkdir(parents=True)
    make_audio(tmp_path / "music" / "Rock", "1.mp3", seconds=0.5)
    bucket = ("--endpoint", "http://127.0.0.1:9", "--region", "x", "--bucket", "music", "--key-id", "k", "--no-test")
    for arguments in (("settings", "set", "spotify_client_secret", "whisper"),
                      ("settings", "unset", "spotify_client_secret"),
                      ("settings", "set", "pairing_minutes", "5", "--dry-run"),
                      ("storage", "add", "other", "--name", "attic", *bucket),
                      ("storage", "remove", "attic", "--yes"), ("scan", str(tmp_path / "music")),
                      ("users", "add", "bob"), ("users", "folders", "bob", str(tmp_path / "music" / "Rock"))):
        assert (said := ann(*arguments)).code == 0, said.out + said.err
    database = Database(home / "data" / "library.db")
    database.prepare()
    lines = list(reversed(Audit(database=database).list().items))
    database.close()
    assert [(line.username, line.deed, line.subject) for line in lines if line.deed.endswith("_changed")
            and line.deed != "user_changed"] == [
        ("", "setting_changed", "spotify_client_secret"), ("", "setting_changed", "spotify_client_secret"),
        ("", "storage_changed", "attic"), ("", "storage_changed", "attic"),
        ("", "folders_changed", str(tmp_path / "music")), ("", "folders_changed", "bob")]
    assert {line.details["by"] for line in lines} == {"tool"}
    assert not any(word in str(line) for line in lines for word in ("hush", "whisper"))
