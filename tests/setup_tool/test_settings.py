"""`settings`: the table for people, scripts and the documentation."""

from __future__ import annotations

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
