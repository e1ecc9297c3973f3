"""tool pin: pins, lists, brings back."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from shared.model.cloud import Provider
from tests.builders import make_album
from tests.here import take_up
from tests.s3_server import server
from tests.setup_tool.conftest import Tool


@pytest.fixture
def music(tool: Tool, tmp_path: Path) -> Path:
    folder = tmp_path / "music"
    make_album(folder, artist="A", album="One", count=2)
    make_album(folder, artist="A", album="Two", count=1)
    take_up(folder)
    return folder


@pytest.fixture
def r2(home: Path, music: Path) -> Provider:
    return server().add_to(home, name="r2")


def content(music: Path) -> dict[str, tuple[str, int]]:
    return {str(one.relative_to(music)): (hashlib.sha256(one.read_bytes()).hexdigest(), one.stat().st_mtime_ns)
            for one in music.rglob("*.flac")}


def test_what_is_pinned_comes_back_as_it_was(tool: Tool, music: Path, r2: Provider) -> None:
    before = content(music)
    tool("offload", "--all", "--yes")
    assert content(music) == {}
    would = tool("pin", str(music / "A" / "One"), "--dry-run", "--json").document
    assert (would["fetched"], content(music)) == (2, {}) and tool("pin", "--list", "--json").document["items"] == []
    said = tool("pin", str(music / "A" / "One"), "--json")
    assert said.code == 0 and (said.document["fetched"], said.document["failed"]) == (2, [])
    assert content(music) == {name: its for name, its in before.items() if "One" in name}
    pins = tool("pin", "--list", "--json").document["items"]
    assert [(one["kind"], one["local_count"]) for one in pins] == [("track", 1), ("track", 1)]
    again = tool("pin", str(music / "A" / "One"), "--json").document
    assert (again["fetched"], again["skipped"]) == (0, 2)
    assert tool("scan", "--json").document["changed"] == 0


def test_once_brings_back_and_pins_nothing(tool: Tool, music: Path, r2: Provider) -> None:
    tool("pin", str(music / "A" / "Two"))
    assert "1 of 1" in tool("pin", "--list").out
    assert "Would no longer be pinned: 1 track." in tool("pin", str(music / "A" / "Two"), "--remove", "--dry-run").out
    assert tool("pin", str(music / "A" / "Two"), "--remove", "--json").document == {"unpinned": 1, "dry_run": False}
    tool("offload", "--all", "--yes")
    assert "3 files came back" in tool("pin", "--all", "--once").out
    assert len(content(music)) == 3
    assert "Nothing is pinned" in tool("pin", "--list").out
    assert tool("pin", "--album", "nothing").code == 1


def test_wrong_usage_is_told(tool: Tool) -> None:
    assert tool("pin", "--remove").code == 2
    assert tool("pin", "--once").code == 2
    assert tool("pin", "--once", "--remove", "--all").code == 2
