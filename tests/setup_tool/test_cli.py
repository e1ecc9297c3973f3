"""What all commands share: names, help, exit codes, one JSON document."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from setup_tool.cli import COMMANDS, PROGRAM
from tests.setup_tool.conftest import Tool

ROOT = Path(__file__).resolve().parents[2]
ALL = [*COMMANDS, *(f"users {name}" for name in ("list", "add", "password", "role", "remove")),
       *(f"storage {name}" for name in ("add", "secret", "test", "list", "remove", "key")),
       *(f"app-password {name}" for name in ("create", "list", "revoke"))]


@pytest.mark.parametrize("command", ALL)
def test_every_command_has_help_with_an_example_within_the_width(tool: Tool, command: str) -> None:
    said = tool(*command.split(), "--help")
    assert said.code == 0
    assert f"Example:\n    {PROGRAM} {command}" in said.out
    assert max(map(len, said.out.splitlines())) <= 80


@pytest.mark.parametrize("command", [one for one in ALL if one not in ("users", "storage", "app-password")])
def test_every_command_speaks_json(tool: Tool, command: str) -> None:
    assert "--json" in tool(*command.split(), "--help").out


@pytest.mark.parametrize(
    "command", ["scan", "download", "export", "users add", "users password", "users role", "users remove",
                "storage add", "storage secret", "storage remove", "upload", "offload", "pin", "cleanup",
                "fix_library_covers", "refresh_metadata", "backup", "restore"])
def test_what_changes_something_can_be_tried_dry(tool: Tool, command: str) -> None:
    assert "--dry-run" in tool(*command.split(), "--help").out


def test_the_list_of_commands_tells_what_each_is_for(tool: Tool) -> None:
    said = tool("--help")
    for name, (_, sentence) in COMMANDS.items():
        assert f"{name} " in said.out and sentence in " ".join(said.out.split())


@pytest.mark.parametrize("arguments", [
    ["nonsense"], ["scan", "--nonsense"], ["users", "nonsense"], ["users", "add"], ["users", "role", "ann", "god"],
    ["export", "playlists"], ["export", "nonsense", "--to", "x"], ["settings", "nonsense"], ["--nonsense"],
])
def test_wrong_usage_ends_with_two_and_says_why_on_standard_error(tool: Tool, arguments: list[str]) -> None:
    said = tool(*arguments)
    assert said.code == 2 and said.out == "" and "Usage:" in said.err


def test_a_slip_is_answered_with_the_nearest_command(tool: Tool) -> None:
    assert "Did you mean 'doctor'?" in tool("docter").err


@pytest.mark.parametrize("arguments", [
    ["users", "add", "ann", "--dry_run"], ["USERS", "ADD", "ann", "--dry-run"],
    ["users", "add", "ann", "--password_stdin", "--dry-run", "--role", "GUEST"],
])
def test_hyphens_and_underscores_both_work(tool: Tool, arguments: list[str]) -> None:
    assert tool("users", "add", "bea", "--role", "owner").code == 0
    assert tool(*arguments).code == 0


def test_a_failure_is_one_sentence_and_one(tool: Tool, tmp_path: Path) -> None:
    said = tool("status")
    assert said.code == 1 and said.out == "" and said.err.count("\n") == 1 and "There is no library" in said.err


def test_a_failure_of_a_script_is_a_document_too(tool: Tool) -> None:
    said = tool("status", "--json")
    assert said.code == 1 and said.document["error"]["code"] == "start_failed"
    assert said.document["error"]["message"] in said.err


def test_a_bad_setting_fails_with_its_name(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOUNDSIBLE_PORT", "eighty")
    said = tool("status")
    assert said.code == 1 and "SOUNDSIBLE_PORT" in said.err and "'eighty'" in said.err


def test_home_may_be_named_on_either_side_of_the_command(tool: Tool, tmp_path: Path) -> None:
    elsewhere = str(tmp_path / "elsewhere")
    assert tool("--home", elsewhere, "users", "add", "ann", "--role", "owner").code == 0
    users = tool("users", "list", "--json", "--home", elsewhere).document["items"]
    assert [one["username"] for one in users] == ["ann"]
    assert tool("users", "list").code == 1


def test_help_loads_neither_the_station_nor_anything_heavy() -> None:
    script = (
        "import sys\nfrom setup_tool.cli import main\nassert main(['--help']) == 0\n"
        "loaded = {'rich', 'sqlalchemy', 'flask', 'shared.station', 'argon2', 'socket', 'msgspec'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_script_gets_one_document_in_utf_8_whatever_the_terminal(home: Path) -> None:
    import os

    environ = {**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-m", "setup_tool", "settings", "--json"], cwd=ROOT, capture_output=True,
                          env=environ, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["settings"]
