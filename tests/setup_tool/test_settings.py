"""`settings`: the table for people, scripts and the documentation."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from setup_tool.settings import binary
from shared import settings
from tests.setup_tool.conftest import Tool


def test_a_script_gets_every_setting_with_all_its_fields(tool: Tool) -> None:
    rows = tool("settings", "--json").document["settings"]
    assert [row["name"] for row in rows] == [row.name for row in settings.rows()]
    assert all({"name", "env", "value", "default", "unit", "help"} <= set(row) for row in rows)


def test_people_see_name_value_default_and_sentence(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOUNDSIBLE_SESSION_DAYS", "7")
    said = tool("settings", "session-days")
    assert said.code == 0
    assert "SOUNDSIBLE_SESSION_DAYS  7 days  (default 90 days)" in said.out
    assert "A login that is not used" in said.out
    assert "SOUNDSIBLE_PORT" not in said.out


@pytest.mark.parametrize("name", ["session_days", "SESSION-DAYS", "SOUNDSIBLE_SESSION_DAYS"])
def test_a_setting_is_found_by_every_spelling_of_its_name(tool: Tool, name: str) -> None:
    assert [row["name"] for row in tool("settings", name, "--json").document["settings"]] == ["session_days"]


def test_secrets_are_not_shown(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOUNDSIBLE_OWNER", "ann:my secret password")
    for arguments in (["settings"], ["settings", "--json"], ["settings", "owner"]):
        assert "my secret password" not in tool(*arguments).out


def test_looking_at_settings_makes_no_home(tool: Tool, home: Path) -> None:
    assert tool("settings").code == 0
    assert not home.exists()


def test_the_page_for_the_documentation_tells_nothing_of_this_machine(tool: Tool, home: Path) -> None:
    page = tool("settings", "--markdown").out
    assert all(f"`SOUNDSIBLE_{row.name.upper()}`" in page for row in settings.rows())
    assert str(home) not in page
    table = [line for line in page.splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in table} == {5}


def test_bytes_are_shown_as_they_may_be_written() -> None:
    assert binary(5 * 1024**3) == "5 GiB"
    assert binary(1536 * 1024) == "1.5 MiB"
    assert binary(0) == "0 bytes"


# ---- set and unset -----------------------------------------------------------------------------------------------


def test_a_setting_is_set_shown_and_unset(tool: Tool, home: Path) -> None:
    said = tool("settings", "set", "download-workers", "2")
    assert said.code == 0 and "download_workers  2" in said.out
    assert tool("settings", "download_workers", "--json").document["settings"][0]["value"] == 2
    assert (home / "config" / "config.json").stat().st_mode & 0o777 == 0o600
    assert tool("settings", "unset", "DOWNLOAD_WORKERS", "--json").document["value"] is None
    assert tool("settings", "download_workers", "--json").document["settings"][0]["value"] == 4


def test_a_secret_is_read_from_standard_input_sealed_and_never_shown(
    tool: Tool, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("my secret key\n"))
    said = tool("settings", "set", "slskd_api_key")
    assert said.code == 0 and "my secret key" not in said.out + said.err
    assert "my secret key" not in (home / "config" / "config.json").read_text()
    assert settings.load().slskd_api_key == "my secret key"
    assert tool("settings", "slskd_api_key", "--json").document["settings"][0]["value"] == "***"


def test_a_secret_typed_at_a_terminal_is_not_echoed(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("click.termui.hidden_prompt_func", lambda prompt: asked.append(prompt) or "typed secret")
    assert tool("settings", "set", "acoustid_key").code == 0
    assert settings.load().acoustid_key == "typed secret" and len(asked) == 1


def test_a_secret_of_another_machine_can_be_set_anew(tool: Tool, home: Path) -> None:
    tool("settings", "set", "slskd_api_key", "one")
    (home / "config" / "vault.key").write_bytes(bytes(32))
    failed = tool("settings")
    assert failed.code == 1 and "tool settings set slskd_api_key" in failed.err
    assert tool("settings", "set", "slskd_api_key", "two").code == 0
    assert settings.load().slskd_api_key == "two"


@pytest.mark.parametrize("arguments", [
    ["set", "prot", "1"], ["set"], ["unset"], ["set", "home", "/x"], ["set", "port", "many", "--dry-run"],
])
def test_wrong_usage_ends_with_2(tool: Tool, home: Path, arguments: list[str]) -> None:
    assert tool("settings", *arguments).code == 2
    assert not home.exists()


def test_a_value_that_is_not_allowed_fails_with_what_is(tool: Tool, home: Path) -> None:
    said = tool("settings", "set", "port", "many")
    assert said.code == 1 and "0 to 65535" in said.err and not (home / "config" / "config.json").exists()


def test_a_dry_run_writes_nothing(tool: Tool, home: Path) -> None:
    assert tool("settings", "set", "download_workers", "2", "--dry-run").code == 0
    assert not home.exists()


def test_it_is_told_when_the_environment_wins(tool: Tool) -> None:
    said = tool("settings", "set", "port", "5050")
    assert "SOUNDSIBLE_PORT in the environment wins" in said.out
