"""`backup`: what it says to people and to scripts; a dry run agrees with what is then done."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from tests.builders import make_album, make_picture
from tests.here import take_up
from tests.s3_server import server
from tests.setup_tool.conftest import Tool
from tests.upkeep import libraries


@pytest.fixture
def filled(tool: Tool, home: Path) -> Tool:
    libraries.home(home).fill()
    return tool


def test_it_says_where_the_backup_is_and_that_it_is_whole(tool: Tool, tmp_path: Path) -> None:
    make_album(tmp_path / "music", count=2, picture=make_picture())
    tool("users", "add", "ann", "--role", "owner")
    take_up(tmp_path / "music")
    said = tool("backup", str(tmp_path / "to"))
    assert said.code == 0 and "Read back and compared" in said.out and "2 tracks" in " ".join(said.out.split())
    [archive] = (tmp_path / "to").iterdir()
    assert archive.name in said.out.replace("\n", "")
    with tarfile.open(archive) as tar:
        names = tar.getnames()
    assert sum(name.startswith("covers/shown/") and name.endswith(".webp") for name in names) == 1


def test_a_dry_run_agrees_with_what_is_then_done(filled: Tool, tmp_path: Path) -> None:
    would = filled("backup", str(tmp_path / "to"), "--dry-run", "--json").document
    assert not (tmp_path / "to").exists() and would["dry_run"] is True
    did = filled("backup", str(tmp_path / "to"), "--json").document
    assert {name: would[name] for name in ("place", "covers", "removed")} == {
        name: did[name] for name in ("place", "covers", "removed")} and did["dry_run"] is False
    assert {**would["contents"], "revision": 0} == {**did["contents"], "revision": 0}
    assert did["size_bytes"] == (tmp_path / "to" / did["name"]).stat().st_size
    assert would["size_bytes"] > did["size_bytes"] > 0


def test_it_lists_what_is_there_newest_first(filled: Tool, tmp_path: Path) -> None:
    names = [filled("backup", str(tmp_path), "--json").document["name"] for _ in range(2)]
    listed = filled("backup", str(tmp_path), "--list", "--json").document
    assert [one["name"] for one in listed["items"]] == names[::-1]
    assert names[0] in filled("backup", str(tmp_path), "--list").out.replace("\n", "").replace(" ", "")
    assert "no backup" in filled("backup", str(tmp_path / "none"), "--list").out


def test_the_settings_say_where_and_how_many(filled: Tool, tmp_path: Path) -> None:
    assert "backup_to" in filled("backup").err and filled("backup").code == 1 and filled("backup", "attick").code == 1
    assert "failed" not in filled("doctor").out     # a slip of who asks is no backup that failed
    filled("settings", "set", "backup_to", str(tmp_path / "to"))
    filled("settings", "set", "backup_keep", "1")
    first = filled("backup", "--json").document
    second = filled("backup", "--json", "--no-covers", "--progress-lines")
    assert second.document["removed"] == [first["name"]] and second.document["covers"] == 0
    lines = [json.loads(line) for line in second.err.splitlines()]
    assert any(line.get("progress", {}).get("phase") == "verifying" for line in lines)


def test_a_bucket_is_called_by_its_name(filled: Tool, home: Path) -> None:
    provider = server().add_to(home, name="attic")
    for words in (("attic",), ("--provider", "attic")):
        report = filled("backup", *words, "--json").document
        assert report["place"] == "attic"
    assert len(server().keys(provider, "backups/")) == 2
    assert filled("backup", "attic", "--provider", "attic").code == 2


def test_without_a_library_there_is_nothing_to_back_up(tool: Tool, tmp_path: Path) -> None:
    said = tool("backup", str(tmp_path / "to"))
    assert said.code == 1 and "There is no library" in said.err and not (tmp_path / "to").exists()
