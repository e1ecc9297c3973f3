"""`scan` and `status`: real files, a real scan, told to people and to scripts."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.builders import make_audio
from tests.setup_tool.conftest import Tool

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def music(tmp_path: Path) -> Path:
    folder = tmp_path / "music"
    for number in (1, 2, 3):
        make_audio(folder / "Album", f"{number}.mp3", seconds=0.5, tags={
            "title": f"Song {number}", "artist": "The Band", "album": "Album", "track_number": number})
    (folder / "broken.mp3").write_text("this is text")
    (folder / "bad\x1b[31m\nname.flac").write_bytes(b"")
    return folder


def test_a_folder_is_taken_up_and_told_about(tool: Tool, music: Path) -> None:
    said = tool("scan", str(music))
    assert said.code == 0
    assert "5 files: 3 added." in said.out
    assert "is one of the music folders now" in " ".join(said.err.split())
    assert "not audio" in said.out and "broken.mp3" in said.out
    assert "\x1b" not in said.out + said.err
    again = tool("scan")
    assert again.code == 0 and "nothing new" in again.out


def test_a_script_gets_the_report_and_nothing_else(tool: Tool, music: Path) -> None:
    said = tool("scan", str(music), "--json")
    report = said.document
    assert said.code == 0 and report["state"] == "done"
    assert {key: report[key] for key in ("found", "added", "changed", "moved", "missing")} == {
        "found": 5, "added": 3, "changed": 0, "moved": 0, "missing": 0}
    assert sorted(one["reason"] for one in report["bad"]) == ["empty", "not_audio"]


def test_a_dry_run_says_what_would_be_found_and_keeps_nothing(tool: Tool, music: Path, home: Path) -> None:
    tool("users", "add", "ann", "--role", "owner")
    would = tool("scan", str(music), "--dry-run", "--json").document["items"]
    assert [(one["found"], one["new"], one["missing"]) for one in would] == [(5, 5, 0)]
    assert tool("status", "--json").document["roots"] == []
    tool("scan", str(music))
    (music / "Album" / "1.mp3").unlink()
    os.utime(music / "Album" / "2.mp3", (1, 1))
    make_audio(music, "new.mp3", seconds=0.5, tags={"title": "New"})
    would = tool("scan", "--dry-run", "--json").document["items"]
    assert [(one["found"], one["new"], one["changed"], one["missing"]) for one in would] == [(5, 1, 1, 1)]
    assert tool("status", "--json").document["library"]["tracks"] == 3
    said = tool("scan", "--dry-run")
    assert said.code == 0 and str(music)[:30] in said.out


def test_a_folder_that_is_not_there_is_refused(tool: Tool, tmp_path: Path) -> None:
    said = tool("scan", str(tmp_path / "nowhere"))
    assert said.code == 1 and "nowhere" in said.err
    assert tool("status", "--json").document["roots"] == []


def test_without_any_folder_the_usage_says_so(tool: Tool) -> None:
    tool("users", "add", "ann", "--role", "owner")
    said = tool("scan")
    assert said.code == 2 and "music folder" in said.err


def test_status_tells_what_there_is(tool: Tool, music: Path) -> None:
    tool("users", "add", "ann", "--role", "owner")
    tool("scan", str(music))
    status = tool("status", "--json").document
    assert status["running"] is False and status["users"] == status["owners"] == 1
    assert status["library"]["tracks"] == 3 and status["library"]["albums"] == 1
    assert [(one["path"], one["state"], one["track_count"]) for one in status["roots"]] == [(str(music), "online", 3)]
    assert status["scan"]["state"] == "done" and len(status["scan"]["bad"]) == 2
    said = tool("status").out
    assert "not running" in said and "3 tracks" in said and "owned by ann" in said and "broken.mp3" in said


def test_status_tells_of_a_folder_that_vanished_and_keeps_its_tracks(tool: Tool, music: Path) -> None:
    tool("scan", str(music))
    music.rename(music.with_name("unplugged"))
    status = tool("status", "--json").document
    assert [(one["state"], one["track_count"]) for one in status["roots"]] == [("absent", 3)]
    assert "not there" in tool("status").out


def tracks_in(database: Path) -> int:
    """Asked of the file itself, which is quicker than the tool."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT count(*) FROM tracks").fetchone()[0])
    except sqlite3.Error:   # it is being made
        return 0


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_ctrl_c_ends_the_scan_and_the_next_one_goes_on(tool: Tool, tmp_path: Path) -> None:
    """In a process of its own; a folder that takes a while."""
    first = make_audio(tmp_path / "music" / "0", "0.mp3", seconds=0.2, tags={"title": "Song", "artist": "The Band"})
    for number in range(1, 9_000):
        folder = tmp_path / "music" / str(number // 100)
        folder.mkdir(exist_ok=True)
        os.link(first, folder / f"{number}.mp3")
    scan = subprocess.Popen(
        [sys.executable, "-m", "setup_tool", "scan", str(tmp_path / "music")], cwd=ROOT, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    database = tmp_path / "home" / "data" / "library.db"
    while scan.poll() is None and not (database.exists() and tracks_in(database)):
        time.sleep(0.02)
    scan.send_signal(signal.SIGINT)
    out, err = scan.communicate(timeout=30)
    assert scan.returncode == 1 and out == "" and "Stopped." in err and "Traceback" not in err
    kept = tool("status", "--json").document
    assert 0 < kept["library"]["tracks"] < 9_000 and kept["scan"]["state"] != "running"
    assert tool("scan", "--json").document["state"] == "done"
    assert tool("status", "--json").document["library"]["tracks"] == 9_000


def test_a_scan_that_runs_already_is_followed(tool: Tool, music: Path) -> None:
    from setup_tool.rooms import rooms
    from shared import settings

    for number in range(4, 600):
        os.link(music / "Album" / "1.mp3", music / "Album" / f"{number}.mp3")
    with rooms(settings.load(), make=True) as station:
        station.scans.add_root(str(music))
        station.scanning.start()
        said = tool("scan", "--json")
        assert said.code == 0 and said.document["state"] == "done" and said.document["found"] == 601
        station.scanning.stop()
    assert tool("status", "--json").document["library"]["tracks"] == 599
