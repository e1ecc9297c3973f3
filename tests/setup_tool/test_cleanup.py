"""`cleanup`: what it says, what it asks, and that it does what it said."""

from __future__ import annotations

import io
import os
import time
from pathlib import Path
from typing import Any

import pytest

from setup_tool.rooms import rooms
from shared import settings
from shared.cloud.layout import music_key
from shared.database import driver_cursor
from tests.builders import make_audio
from tests.records.songs import Music, metadata
from tests.s3_server import server
from tests.setup_tool.conftest import Tool

DAY_S = 86_400.0


@pytest.fixture
def filled(tool: Tool, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tool:
    """Three tracks, one of them gone; and an unfinished file in the cache. Nobody answers questions."""
    monkeypatch.setattr("sys.stdin", io.StringIO())
    (tmp_path / "music").mkdir()
    with rooms(settings.load(), make=True) as station:
        music = Music(station.database, str(tmp_path / "music"))
        for number in (1, 2, 3):
            make_audio(tmp_path / "music", f"{number}.mp3", seconds=0.5, tags=song(number))
            music.add(f"{number}.mp3", metadata(f"Song {number}", "Ann", None, None))
        with station.database.transaction() as conn:
            device = str(os.stat(tmp_path / "music").st_dev)
            driver_cursor(conn).execute("UPDATE files SET device = ?", (device,))
    (tmp_path / "music" / "2.mp3").unlink()
    part = home / "cache" / "transcodes" / "aa" / "x.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"12345")
    os.utime(part, (time.time() - 2 * DAY_S,) * 2)
    return tool


def song(number: int) -> dict[str, Any]:
    return {"title": f"Song {number}", "artist": "Ann"}


def titles() -> list[str]:
    from shared.model.person import Person

    with rooms(settings.load()) as station:
        house = Person(user_id=0, id="", username="", role="owner")
        return [one.title for one in station.tracks.list(house, sort="title").items]


def test_the_dry_run_says_exactly_what_a_run_then_does(filled: Tool, home: Path, tmp_path: Path) -> None:
    dry = filled("cleanup", "--dry-run", "--json")
    assert dry.code == 0
    assert [(one["title"], one["path"]) for one in dry.document["rows"]] == [("Song 2", "2.mp3")]
    assert [(one["path"], one["kind"]) for one in dry.document["files"]] == [
        (str(home / "cache/transcodes/aa/x.part"), "staging")]
    assert (dry.document["objects"], dry.document["bytes"], dry.document["spared"]) == ([], 5, [])
    assert titles() == ["Song 1", "Song 2", "Song 3"]
    done = filled("cleanup", "--yes", "--json")
    assert (done.code, done.document["left"]) == (0, [])
    for name in ("rows", "files", "objects", "bytes", "copies", "uploads"):
        assert done.document[name] == dry.document[name], name
    assert titles() == ["Song 1", "Song 3"]
    assert not (home / "cache/transcodes/aa/x.part").exists()
    again = filled("cleanup", "--json")
    assert (again.code, again.document["rows"], again.document["files"], again.document["step"]) == (0, [], [], None)

    steps = filled("cleanup", "--list", "--json").document["items"]
    assert [one["id"] for one in steps] == [done.document["step"]]
    undone = filled("cleanup", "--undo", "--json")
    assert (undone.code, undone.document["rows"], undone.document["files"]) == (0, 1, 1)
    assert titles() == ["Song 1", "Song 2", "Song 3"]
    assert (home / "cache/transcodes/aa/x.part").read_bytes() == b"12345"
    assert filled("cleanup", "--undo").code == 1


def test_it_asks_before_it_moves_anything(filled: Tool) -> None:
    said = filled("cleanup")
    assert said.code == 2 and "Song" not in said.out and "2.mp3" in said.out
    assert "1 track, 1 file" in said.err and "--yes" in said.err     # nobody sits there
    assert titles() == ["Song 1", "Song 2", "Song 3"]


def test_people_are_told_what_it_found_and_how_to_take_it_back(filled: Tool) -> None:
    said = filled("cleanup", "--yes", "--only", "rows")
    assert said.code == 0
    assert "in none of the three places" in said.out and "cleanup --undo" in said.out
    assert "1 track moved to the trash" in said.out
    listed = filled("cleanup", "--list")
    assert "1 track" in listed.out
    assert "1 track" in filled("cleanup", "--undo", "--dry-run").out
    assert "1 track brought back" in filled("cleanup", "--undo").out
    assert "no clean-up" in filled("cleanup", "--list").out


def test_a_file_that_turns_up_again_has_its_track_back_after_a_scan(filled: Tool, tmp_path: Path) -> None:
    assert filled("scan").code == 0
    with rooms(settings.load()) as station:
        before = {one.path: one.track_id for one in station.copies.sources()}
    assert filled("cleanup", "--yes").code == 0 and len(titles()) == 2
    make_audio(tmp_path / "music", "2.mp3", seconds=0.5, tags=song(2))
    assert filled("scan").code == 0
    with rooms(settings.load()) as station:
        assert {one.path: one.track_id for one in station.copies.sources()} == before


def test_an_offline_folder_is_named_and_left_alone(filled: Tool, tmp_path: Path) -> None:
    with rooms(settings.load()) as station:
        Music(station.database, str(tmp_path / "music")).lose("2.mp3")
    (tmp_path / "music").rename(tmp_path / "unplugged")
    dry = filled("cleanup", "--dry-run", "--json").document
    assert dry["rows"] == [] and dry["spared"][0]["what"] == str(tmp_path / "music")
    assert "may lie there still" in filled("cleanup", "--dry-run", "--only", "rows").out.replace("\n", " ")


def test_the_trash_is_emptied_only_when_asked_and_of_what_is_old(filled: Tool, home: Path) -> None:
    assert filled("cleanup", "--yes").code == 0
    assert "Nothing has been in the trash for 30 days" in filled("cleanup", "--empty-trash", "--yes").out
    dry = filled("cleanup", "--empty-trash", "--days", "0", "--dry-run", "--json").document
    assert (len(dry["rows"]), len(dry["files"]), dry["bytes"], len(dry["steps"])) == (1, 1, 5, 1)
    said = filled("cleanup", "--empty-trash", "--days", "0")
    assert said.code == 2 and "cannot be undone" in said.err and "no longer be undone" in said.out
    done = filled("cleanup", "--empty-trash", "--days", "0", "--yes", "--json").document
    assert {name: done[name] for name in dry if name != "dry_run"} == {
        name: value for name, value in dry.items() if name != "dry_run"}
    assert list((home / "cache" / "trash").iterdir()) == []
    assert filled("cleanup", "--undo").code == 1


def test_objects_without_a_row_leave_the_bucket_and_its_catalogue(filled: Tool, home: Path,
                                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    from shared.upkeep import cleanup

    provider = server().add_to(home)
    key = music_key(provider, "ab" * 32, suffix=".flac")
    server().put(provider, key, b"left over")
    later = time.time() + 2 * DAY_S
    monkeypatch.setattr(cleanup.Cleanup.__init__, "__kwdefaults__",
                        {**(cleanup.Cleanup.__init__.__kwdefaults__ or {}), "clock": lambda: later})
    dry = filled("cleanup", "--dry-run", "--json").document
    assert [(one["provider"], one["key"], one["size_bytes"]) for one in dry["objects"]] == [("r2", key, 9)]
    done = filled("cleanup", "--yes", "--json")
    assert (done.code, done.document["objects"]) == (0, dry["objects"])
    assert key not in server().keys(provider)
    assert filled("cleanup", "--undo").code == 0
    assert server().body(provider, key) == b"left over"


@pytest.mark.parametrize("wrong", [
    ("--undo", "--empty-trash"), ("--only", "everything"), ("--days", "3"), ("--only", "rows", "--undo"),
])
def test_what_does_not_go_together_is_wrong_usage(filled: Tool, wrong: tuple[str, ...]) -> None:
    assert filled("cleanup", *wrong).code == 2
