"""`download`: real files from a real server through the whole downloader, told to people and to scripts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from setup_tool.rooms import rooms
from shared import settings
from tests.media_server import MediaServer, audio
from tests.running import start_station
from tests.setup_tool.conftest import Tool

ROOT = Path(__file__).resolve().parents[2]
RAIN = {"title": "Rain", "artist": "The Band", "album": "Weather", "track_number": 1}


@pytest.fixture(scope="module")
def server() -> Iterator[MediaServer]:
    with MediaServer() as running:
        running.add("rain.mp3", audio(".mp3", seconds=2, tags=RAIN))
        running.add("snow.flac", audio(".flac", seconds=2, tags=RAIN | {"title": "Snow", "track_number": 2}))
        running.add("slow.mp3", audio(".mp3", seconds=60, tags=RAIN | {"title": "Slow"}), slow=20_000)
        yield running


@pytest.fixture
def music(tool: Tool, tmp_path: Path, server: MediaServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A music folder, and no service outside but the test's own server."""
    for service in ("MUSICBRAINZ", "COVERART", "LRCLIB", "DEEZER", "SPOTIFY"):
        monkeypatch.setenv(f"SOUNDSIBLE_{service}_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("SOUNDSIBLE_ALLOW_PRIVATE_HOSTS", server.allow)
    folder = tmp_path / "music"
    folder.mkdir()
    with rooms(settings.load(), make=True) as station:
        station.shelf.add_root(str(folder))
    return folder


def test_links_become_tracks_and_what_is_there_is_left_alone(tool: Tool, music: Path, server: MediaServer) -> None:
    said = tool("download", server.url("rain.mp3"), server.url("snow.flac"))
    assert said.code == 0 and "The Band - Rain" in said.out and "The Band - Snow" in said.out
    assert "2 downloaded." in said.out and "\x1b" not in said.out + said.err
    assert sorted(path.name for path in (music / "The Band" / "Weather").iterdir()) == ["01 Rain.mp3", "02 Snow.flac"]
    assert tool("status", "--json").document["library"]["tracks"] == 2
    again = tool("download", server.url("rain.mp3"), "--json")
    (download,) = again.document["downloads"]
    assert again.code == 0 and download["status"] == "completed" and download["duplicate_of"] == download["track_id"]
    assert tool("status", "--json").document["library"]["tracks"] == 2


def test_what_fails_is_told_with_its_reason_and_ends_with_one(tool: Tool, music: Path, server: MediaServer) -> None:
    said = tool("download", server.url("missing.mp3"), "--json")
    (download,) = said.document["downloads"]
    assert said.code == 1 and download["status"] == "failed" and download["error"]["code"] == "not_found"
    shown = tool("download", server.url("missing.mp3"))
    assert shown.code == 1 and "1 failed." in shown.out and "✗" in shown.out


def test_a_list_is_fetched_and_its_strange_lines_are_told(tool: Tool, music: Path, server: MediaServer,
                                                          tmp_path: Path) -> None:
    listed = tmp_path / "list.csv"
    listed.write_text(f"title,artist,url\n,,{server.url('rain.mp3')}\n,nobody,\n", "utf-8")
    said = tool("download", str(listed), "--json")
    assert said.code == 1       # not all of it could be done
    assert [one["title"] for one in said.document["downloads"]] == ["Rain"]
    assert [(one["line"], one["reason"]) for one in said.document["unread"]] == [(3, "It names no title and no link.")]


def test_choices_reach_the_file(tool: Tool, music: Path, server: MediaServer) -> None:
    said = tool("download", server.url("snow.flac"), "--format", "mp3", "--bitrate", "128", "--priority", "90",
                "--json")
    (download,) = said.document["downloads"]
    assert said.code == 0 and download["priority"] == 90 and download["options"]["format"] == "mp3"
    assert [path.name for path in music.rglob("*.*") if ".soundsible" not in path.parts] == ["02 Snow.mp3"]


def test_a_dry_run_tells_what_a_link_leads_to_and_queues_nothing(tool: Tool, music: Path, server: MediaServer) -> None:
    said = tool("download", server.url("rain.mp3"), "Some - Words", "--dry-run", "--json")
    assert said.code == 0
    link, words = said.document["items"]
    assert link["kind"] == "track" and len(link["tracks"]) == 1 and link["tracks"][0]["owned"] is None
    assert words == {"asked": "Some - Words"}
    assert "would be fetched" in tool("download", server.url("rain.mp3"), "--dry-run").out
    assert list(music.iterdir()) == [] and tool("status", "--json").document["library"]["tracks"] == 0


def test_without_waiting_it_is_queued_and_the_next_run_may_fetch_it(tool: Tool, music: Path,
                                                                     server: MediaServer) -> None:
    queued = tool("download", server.url("rain.mp3"), "--no-wait", "--json")
    assert queued.code == 0 and [one["status"] for one in queued.document["downloads"]] == ["waiting"]
    assert "when it runs" in tool("download", server.url("snow.flac"), "--no-wait").out
    same = tool("download", server.url("rain.mp3"), "--json").document["downloads"]
    assert [one["id"] for one in same] == [queued.document["downloads"][0]["id"]]
    assert [one["status"] for one in same] == ["completed"]


@pytest.mark.parametrize(("arguments", "word"), [
    ([], "Missing argument"), (["nowhere.m3u8"], "no file"), (["file:///etc/passwd"], "no link"), (["!!!"], "no title"),
    (["x", "--provider", "napster"], "napster"), (["x", "--quality", "best"], "best"), (["x", "--bitrate", "1"], "1"),
])
def test_wrong_usage_ends_with_two(tool: Tool, music: Path, arguments: list[str], word: str) -> None:
    said = tool("download", *arguments)
    assert said.code == 2 and said.out == "" and word in said.err


def test_without_a_music_folder_the_usage_says_so(tool: Tool) -> None:
    tool("users", "add", "ann", "--role", "owner")
    said = tool("download", "Daft Punk - One More Time")
    assert said.code == 2 and "music folder" in said.err


def test_a_station_that_runs_does_the_work_and_is_followed(tool: Tool, music: Path, server: MediaServer,
                                                           home: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if name.endswith(("_URL", "_HOSTS"))}
    running = start_station(home, [music], environ=environ)
    try:
        said = tool("download", server.url("rain.mp3"), server.url("missing.mp3"), "--json")
        queued = tool("download", server.url("snow.flac"), "--no-wait")
        assert queued.code == 0 and "when it runs" not in queued.out
        assert said.code == 1
        assert [one["status"] for one in said.document["downloads"]] == ["completed", "failed"]
        status, shown = running.call("GET", "/api/downloads/" + said.document["downloads"][0]["id"])
        assert status == 200 and [one["to"] for one in shown["history"]] == [
            "waiting", "pending", "queued", "downloading", "processing", "completed"]
    finally:
        running.stop()
    assert tool("status", "--json").document["library"]["tracks"] >= 1


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_ctrl_c_leaves_what_is_not_over_waiting(tool: Tool, music: Path, server: MediaServer) -> None:
    download = subprocess.Popen(
        [sys.executable, "-m", "setup_tool", "download", server.url("slow.mp3"), "--json"], cwd=ROOT,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    while not server.asked("slow.mp3") and download.poll() is None:
        time.sleep(0.05)
    download.send_signal(signal.SIGINT)
    out, err = download.communicate(timeout=30)
    assert download.returncode == 1 and "Traceback" not in err and "1 download not over" in err
    (left,) = json.loads(out)["downloads"]
    assert left["status"] == "waiting"
