"""`restore`: it rehearses, says all of it, asks, and does what it said."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.library.presence import Presence
from shared.settings import Settings
from tests.builders import make_album, make_picture
from tests.here import take_up
from tests.records.songs import Music, metadata
from tests.s3_server import server
from tests.setup_tool.conftest import Said, Tool
from tests.upkeep import libraries


@pytest.fixture
def backups(home: Path, tmp_path: Path) -> Path:
    """A backup of six tracks; the library has seven since."""
    made = libraries.home(home).fill()
    with made.backup() as backup:
        backup.run(str(tmp_path / "backups"), work=libraries.Following())
    with made.library() as database:
        Music(database, str(made.music)).add("later.flac", metadata("Later", "Eve", "Later", "Eve"))
    return tmp_path / "backups"


@pytest.fixture
def scanned(tool: Tool, tmp_path: Path) -> Path:
    """A music folder with two tracks, scanned and backed up."""
    make_album(tmp_path / "music", count=2, picture=make_picture())
    tool("users", "add", "ann", "--role", "owner")
    take_up(tmp_path / "music")
    assert tool("backup", str(tmp_path / "backups")).code == 0
    return tmp_path / "music"


def told(said: Said) -> str:
    return " ".join(said.out.split())


def tracks(tool: Tool) -> int:
    return int(tool("status", "--json").document["library"]["tracks"])


def test_a_dry_run_says_what_would_come_and_go(tool: Tool, backups: Path) -> None:
    said = tool("restore", "--from", str(backups), "--dry-run")
    assert said.code == 0 and "6 tracks" in told(said) and "7 tracks" in told(said) and "ann" in told(said)
    assert "it is whole" in told(said) and tracks(tool) == 7
    document = tool("restore", "--from", str(backups), "--dry-run", "--json").document
    assert document["dry_run"] and (document["contents"]["tracks"], document["present"]["tracks"]) == (6, 7)
    assert document["covers"] == 1 and tracks(tool) == 7


def test_nobody_is_overwritten_without_a_yes(tool: Tool, backups: Path) -> None:
    said = tool("restore", "--from", str(backups))
    assert said.code == 2 and "--yes" in said.err and tracks(tool) == 7


def test_it_does_what_it_said_and_says_where_the_old_library_is(tool: Tool, backups: Path, home: Path) -> None:
    said = tool("restore", "--from", str(backups), "--yes")
    assert said.code == 0 and "set aside" in told(said) and "doctor" in told(said)
    assert tracks(tool) == 6 and len(list((home / "data").glob("before-restore-*/library.db"))) == 1
    report = tool("restore", "--from", str(backups), "--yes", "--json").document
    assert report["restored"] and report["dry_run"] is False and Path(report["set_aside"]).is_dir()


def test_not_while_the_station_runs(tool: Tool, backups: Path, home: Path) -> None:
    presence = Presence(Settings(home=home).data_dir)
    presence.claim()
    try:
        assert "A station runs" in told(tool("restore", "--from", str(backups), "--dry-run"))
        said = tool("restore", "--from", str(backups), "--yes")
        assert said.code == 1 and "Stop it first" in said.err
    finally:
        presence.leave()
    assert tracks(tool) == 7


def test_it_lists_the_backups_that_are_there(tool: Tool, backups: Path) -> None:
    [name] = [one["name"] for one in tool("restore", "--from", str(backups), "--list", "--json").document["items"]]
    assert (backups / name).is_file()


@pytest.mark.parametrize("words, says", [
    ((), "--from"), (("--from", "x", "--folder", "nothing"), "OLD=NEW"), (("--from", "x", "--music", "m"), "--rebuild"),
    (("--from", "x", "--rebuild"), "--music DIR")])
def test_wrong_usage_says_what_is_right(tool: Tool, words: tuple[str, ...], says: str) -> None:
    said = tool("restore", *words)
    assert said.code == 2 and says in said.err


def test_covers_and_music_folders_on_a_machine_that_has_neither(
        tool: Tool, scanned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOUNDSIBLE_HOME", str(tmp_path / "second"))
    new = tmp_path / "elsewhere"
    said = tool("restore", "--from", str(tmp_path / "backups"), "--folder", f"{scanned}={new}", "--yes")
    assert said.code == 0 and "2 tracks will be missing until it is here" in told(said)
    assert [one["path"] for one in tool("status", "--json").document["roots"]] == [str(new)]
    assert len(list((tmp_path / "second" / "data" / "covers").glob("*/*.jpg"))) == 1


def test_a_library_from_the_bucket_alone(
        tool: Tool, scanned: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = server().add_to(home, name="attic")
    assert tool("upload", "--all").code == 0
    second = tmp_path / "second"
    monkeypatch.setenv("SOUNDSIBLE_HOME", str(second))
    server().add_to(second, provider)
    words = ("restore", "--rebuild", "--from", "attic", "--music", str(tmp_path / "Music"))
    document = tool(*words, "--dry-run", "--json").document
    assert document["contents"]["tracks"] == 2 and not (second / "data" / "library.db").exists()
    said = tool(*words, "--yes")
    assert said.code == 0 and "2 of 2 tracks play from the cloud" in told(said) and "nobody" in told(said)
    assert tracks(tool) == 2
    assert tool("pin", "--once", "--all").code == 0     # the new folder is no unmounted disk's place
    assert len(list((tmp_path / "Music").rglob("*.flac"))) == 2


def test_music_comes_back_to_a_folder_that_was_named_and_is_empty(
        tool: Tool, scanned: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = server().add_to(home, name="attic")
    assert tool("upload", "--all").code == 0
    second, new = tmp_path / "second", tmp_path / "elsewhere"
    new.mkdir()
    monkeypatch.setenv("SOUNDSIBLE_HOME", str(second))
    server().add_to(second, provider)
    assert tool("restore", "--from", str(tmp_path / "backups"), "--folder", f"{scanned}={new}", "--keep-settings",
                "--yes").code == 0
    assert tool("pin", "--once", "--all").code == 0
    assert len(list(new.rglob("*.flac"))) == 2
