"""An album is named by its id or by its title."""

from __future__ import annotations

from pathlib import Path

from tests.builders import make_album
from tests.here import take_up
from tests.setup_tool.conftest import Tool


def test_an_album_is_found_by_its_title_in_any_case(tool: Tool, tmp_path: Path) -> None:
    make_album(tmp_path / "music", artist="A", album="One", count=2)
    make_album(tmp_path / "music", artist="B", album="Two", count=1)
    take_up(tmp_path / "music")
    assert tool("pin", "--album", "one", "--json").code == 0
    assert "One" in tool("pin", "--list").out and "Two" not in tool("pin", "--list").out


def test_a_title_of_several_albums_asks_which_and_one_of_none_says_where_ids_stand(
        tool: Tool, tmp_path: Path) -> None:
    make_album(tmp_path / "music", artist="A", album="One", count=1)
    make_album(tmp_path / "music", artist="B", album="One", count=1)
    take_up(tmp_path / "music")
    said = tool("pin", "--album", "One")
    assert said.code == 2 and "Several albums" in said.err and "  A," in said.err and "  B," in said.err
    said = tool("pin", "--album", "Three")
    assert said.code == 1 and "#/album/ID" in said.err
