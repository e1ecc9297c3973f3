"""tool offload: what it takes, what it asks, what it says, how it ends."""

from __future__ import annotations

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


def files(music: Path) -> int:
    return len(list(music.rglob("*.flac")))


def test_a_dry_run_says_what_the_run_then_does(tool: Tool, music: Path, r2: Provider) -> None:
    would = tool("offload", str(music / "A" / "One"), "--dry-run", "--json").document
    assert files(music) == 3 and server().keys(r2) == []
    said = tool("offload", str(music / "A" / "One"), "--yes", "--json")
    assert said.code == 0 and files(music) == 1
    assert would | {"dry_run": False} == said.document
    assert (said.document["offloaded"], said.document["uploaded"], said.document["failed"]) == (2, 2, [])
    assert len(list((home_of(music) / "data" / "covers").rglob("*.jpg"))) <= 1


def home_of(music: Path) -> Path:
    return music.parent / "home"


def test_it_asks_before_it_removes_anything_and_lists_what_stays(
    tool: Tool, music: Path, r2: Provider, monkeypatch: pytest.MonkeyPatch,
) -> None:
    import io
    import sys

    tool("pin", str(music / "A" / "Two"))
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    said = tool("offload", "--all", "--json")
    assert (said.code, said.out, files(music)) == (1, "", 3) and "would leave" in said.err
    for answer, left in (("n\n", 3), ("y\n", 1)):
        monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
        said = tool("offload", "--all")
        assert (said.code, files(music)) == (0 if left == 1 else 1, left)
        assert "would leave" in said.out and "Remove these files" in said.err
    assert "2 files left this machine" in said.out and "pinned" in said.out
    assert tool("status", "--json").document["places"] == {"local": 1, "only_in_cloud": 2, "missing": 0}
    assert "1 on this machine, 2 in the cloud only" in tool("status").out


def test_what_is_wrong_is_said_with_what_to_do(tool: Tool, music: Path) -> None:
    assert tool("offload", "--yes").code == 2       # everything must be said
    said = tool("offload", "--all", "--yes", "--json")
    assert said.code == 1 and "storage add" in said.document["error"]["message"] and files(music) == 3
    assert tool("offload", "--all", "--provider", "nowhere").code == 1
