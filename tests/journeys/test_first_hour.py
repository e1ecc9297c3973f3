"""A newcomer's first hour, in a real station: the link in the terminal, an unplugged disk, kill -9, a restart."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.builders import make_audio
from tests.running import ROOT, RunningStation, clean_environment, make_music, start_station


def _tracks(station: RunningStation) -> dict[str, dict[str, Any]]:
    _, page = station.call("GET", "/api/library/tracks?limit=500")
    return {one["id"]: one for one in page["items"]}


def _until(deed: Any, timeout_s: float = 30) -> Any:
    deadline = time.monotonic() + timeout_s
    while not (answer := deed()):
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.1)
    return answer


@pytest.fixture
def music(tmp_path: Path) -> Path:
    return make_music(tmp_path / "music")


def test_the_link_in_the_terminal_makes_the_owner_once(tmp_path: Path, music: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    log = home / "said"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "shared.api", "--host", "127.0.0.1", "--port", "0", "--music", str(music)],
            cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, env=clean_environment(home),
        )
    try:
        said = _until(lambda: (text := log.read_text("utf-8")) and "/#/setup/" in text and text, 60)
        link = re.search(r"(http://\S+?)/#/setup/(\S+)", said)
        assert link
        station = RunningStation(link[1], home, music, process)
        assert station.call("GET", "/api/library/tracks", token="")[0] == 401
        assert station.call("GET", "/api/setup", token="") == (200, {"needed": True})
        claim = {"code": "wrong-code", "username": "bo", "password": "ten characters"}
        assert station.call("POST", "/api/setup", claim, token="")[0] == 403
        status, answer = station.call("POST", "/api/setup", {**claim, "code": link[2]}, token="")
        assert status == 201 and answer["user"]["role"] == "owner"
        again = {"code": link[2], "username": "eve", "password": "ten characters"}
        assert station.call("POST", "/api/setup", again, token="")[0] in (403, 409)
        station.owner_name, station.owner_password = "bo", "ten characters"
        station.wait_for_scan()
        assert len(_tracks(station)) == 13
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


def test_what_is_streamed_is_the_file_bit_for_bit(station: RunningStation) -> None:
    for track in _tracks(station).values():
        file = station.music / track["path"]
        status, content = station.call("GET", f"/api/stream/{track['id']}")
        assert status == 200
        assert hashlib.sha256(content).digest() == hashlib.sha256(file.read_bytes()).digest()
        status, part = station.call("GET", f"/api/stream/{track['id']}", headers={"Range": "bytes=100-299"})
        assert (status, part) == (206, file.read_bytes()[100:300])


def test_an_unplugged_folder_and_an_empty_one_in_its_place_remove_nothing(tmp_path: Path, music: Path) -> None:
    station = start_station(tmp_path / "home", [music], environ={"SOUNDSIBLE_WATCH": "false"}, as_people_do=True)
    try:
        station.wait_for_scan()
        before = _tracks(station)
        _, playlist = station.call(
            "POST", "/api/library/playlists", {"name": "Kept", "track_ids": list(before)[:5]})
        music.rename(tmp_path / "unplugged")
        for _ in range(2):      # first gone, then an empty folder in its place
            station.call("POST", "/api/library/scan", {})
            station.wait_for_scan()
            now = _tracks(station)
            assert now.keys() == before.keys()
            _, whole = station.call("GET", f"/api/library/playlists/{playlist['id']}")
            assert len(whole["tracks"]) == 5
            status, answer = station.call("GET", f"/api/stream/{next(iter(before))}")
            assert status == 404 and answer["error"]["code"] == "track_missing"
            music.mkdir(exist_ok=True)
        music.rmdir()
        (tmp_path / "unplugged").rename(music)
        station.call("POST", "/api/library/scan", {})
        station.wait_for_scan()
        assert {one["place"] for one in _tracks(station).values()} == {"local"}
        assert station.call("GET", f"/api/stream/{next(iter(before))}")[0] == 200
    finally:
        station.stop()


def test_a_known_folder_that_vanished_does_not_stop_the_start_but_a_new_one_does(tmp_path: Path, music: Path) -> None:
    station = start_station(tmp_path / "home", [music], as_people_do=True)
    station.wait_for_scan()
    assert station.stop() == 0
    music.rename(tmp_path / "elsewhere")
    station = start_station(tmp_path / "home", [music], as_people_do=True)
    try:
        assert len(_tracks(station)) == 13
    finally:
        assert station.stop() == 0
    done = subprocess.run(
        [sys.executable, "-m", "shared.api", "--host", "127.0.0.1", "--port", "0", "--music", str(tmp_path / "never")],
        cwd=ROOT, env=clean_environment(tmp_path / "other"), capture_output=True, text=True, timeout=60,
    )
    assert done.returncode == 1
    assert str(tmp_path / "never") in done.stderr and "Traceback" not in done.stderr


def test_kill_9_in_the_first_scan_loses_nothing(tmp_path: Path) -> None:
    music, home = tmp_path / "music", tmp_path / "home"
    for number in range(600):
        make_audio(music / f"Album {number // 10:03}", f"{number % 10:02}.mp3", seconds=0.2, tags={
            "title": f"Song {number}", "artist": f"Artist {number // 50}", "album": f"Album {number // 10}"})
    environ = {"SOUNDSIBLE_SCAN_WORKERS": "1", "SOUNDSIBLE_WATCH": "false"}
    seen: dict[str, str] = {}       # path → id, as soon as it was listed once
    for wait_s in (0.2, 0.5, 0.9):
        station = start_station(home, [music], environ=environ)
        time.sleep(wait_s)
        now = {one["path"]: one["id"] for one in _tracks(station).values()}
        assert seen.items() <= now.items(), "a track was lost, or changed its id"
        seen = now
        children = Path(f"/proc/{station.process.pid}/task/{station.process.pid}/children").read_text().split()
        for pid in [station.process.pid, *map(int, children)]:
            os.kill(pid, signal.SIGKILL)
        station.process.wait(10)
    station = start_station(home, [music], environ=environ)
    try:
        report = station.wait_for_scan()
        assert report["state"] == "done" and report["bad"] == []
        _, page = station.call("GET", "/api/library/tracks?limit=1")
        assert page["total"] == 600
        now = {one["path"]: one["id"] for one in _tracks(station).values()}
        assert {path: seen[path] for path in seen if path in now} == {path: now[path] for path in seen if path in now}
        _, stats = station.call("GET", "/api/library/stats")
        assert (stats["albums"], stats["artists"]) == (60, 12)
    finally:
        station.stop()


def test_changes_in_the_folder_are_noticed_while_running(tmp_path: Path, music: Path) -> None:
    station = start_station(tmp_path / "home", [music])
    try:
        station.wait_for_scan()
        path = make_audio(music / "New", "Fresh.mp3", seconds=1, tags={"title": "Fresh", "artist": "New"})
        _until(lambda: any(one["title"] == "Fresh" for one in _tracks(station).values()))
        fresh = next(one for one in _tracks(station).values() if one["title"] == "Fresh")
        path.rename(music / "Renamed.mp3")
        _until(lambda: _tracks(station)[fresh["id"]]["path"] == "Renamed.mp3")
        (music / "Renamed.mp3").unlink()
        _until(lambda: _tracks(station)[fresh["id"]]["place"] == "missing")
    finally:
        station.stop()


def test_two_starts_on_one_port_say_so(tmp_path: Path, station: RunningStation) -> None:
    port = station.url.rsplit(":", 1)[1]
    done = subprocess.run(
        [sys.executable, "-m", "shared.api", "--host", "127.0.0.1", "--port", port],
        cwd=ROOT, env=clean_environment(tmp_path / "home"), capture_output=True, text=True, timeout=60,
    )
    assert done.returncode == 1 and port in done.stderr and "Traceback" not in done.stderr


def test_a_second_station_on_one_home_says_so_and_the_tool_finds_the_first(station: RunningStation) -> None:
    second = subprocess.run(
        [sys.executable, "-m", "shared.api", "--host", "127.0.0.1", "--port", "0"],
        cwd=ROOT, env=clean_environment(station.home), capture_output=True, text=True, timeout=60,
    )
    port = station.url.rsplit(":", 1)[1]
    assert second.returncode == 1 and f"port {port}" in second.stderr and "Traceback" not in second.stderr
    status = subprocess.run(
        [sys.executable, "-m", "setup_tool", "status", "--json"],
        cwd=ROOT, env=clean_environment(station.home), capture_output=True, text=True, timeout=60,
    )
    told = json.loads(status.stdout)
    assert told["running"] is True and told["port"] == int(port)


def test_a_file_is_no_music_folder(tmp_path: Path) -> None:
    (tmp_path / "song.txt").write_text("la")
    done = subprocess.run(
        [sys.executable, "-m", "shared.api", "--port", "0", "--music", str(tmp_path / "song.txt")],
        cwd=ROOT, env=clean_environment(tmp_path / "home"), capture_output=True, text=True, timeout=60,
    )
    assert done.returncode == 1 and "is a file" in done.stderr and "Traceback" not in done.stderr


def test_an_unwritable_home_is_one_clear_sentence(tmp_path: Path) -> None:
    blocker = tmp_path / "a file"
    blocker.write_text("in the way")
    done = subprocess.run(
        [sys.executable, "-m", "shared.api", "--host", "127.0.0.1", "--port", "0"],
        cwd=ROOT, env=clean_environment(blocker / "home"), capture_output=True, text=True, timeout=60,
    )
    assert done.returncode == 1 and "--home" in done.stderr and "Traceback" not in done.stderr
    shutil.rmtree(tmp_path, ignore_errors=True)
