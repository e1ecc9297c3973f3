"""tool upload: what it takes, what it says, how it ends."""

from __future__ import annotations

import hashlib
import json
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from shared.model.cloud import Provider
from tests.builders import make_album, make_audio
from tests.cloud.houses import CloudHouse
from tests.s3_server import FaultProxy, server
from tests.setup_tool.conftest import Tool


@pytest.fixture
def music(home: Path, tmp_path: Path) -> Path:
    """Two albums that the library knows."""
    house = CloudHouse(tmp_path, server().provider())
    house.take_up(*make_album(house.music, artist="A", album="One", count=3),
                  *make_album(house.music, artist="A", album="Two", count=2))
    house.close()
    (home / "data").mkdir(parents=True)
    (tmp_path / "library.db").rename(home / "data" / "library.db")
    return house.music


@pytest.fixture
def r2(home: Path, music: Path) -> Provider:
    return server().add_to(home, name="r2")


def keys(provider: Provider) -> list[str]:
    return server().keys(provider, "music/")


def test_without_a_storage_it_says_how_to_add_one(tool: Tool, music: Path) -> None:
    said = tool("upload")
    assert said.code == 1 and "storage add" in said.err


def test_all_of_the_library_goes_and_the_second_time_nothing(tool: Tool, music: Path, r2: Provider) -> None:
    first = tool("upload", "--json")
    assert first.code == 0
    report = first.document
    assert (report["uploaded"], report["skipped"], report["failed"]) == (5, 0, [])
    sizes = [one.stat().st_size for one in music.rglob("*.flac")]
    assert report["bytes"] == sum(sizes) and len(keys(r2)) == 5
    for path in music.rglob("*.flac"):
        assert any(hashlib.sha256(path.read_bytes()).hexdigest() in key for key in keys(r2))
    again = tool("upload", "--json").document
    assert (again["uploaded"], again["skipped"], again["bytes"]) == (0, 5, 0)


def test_a_dry_run_says_what_the_run_then_does_and_changes_nothing(tool: Tool, music: Path, r2: Provider) -> None:
    would = tool("upload", str(music / "A" / "One"), "--dry-run", "--json").document
    assert keys(r2) == [] and (would["uploaded"], would["dry_run"], len(would["items"])) == (3, True, 3)
    did = tool("upload", str(music / "A" / "One"), "--json").document
    assert {name: would[name] for name in ("uploaded", "skipped", "failed", "bytes")} == {
        name: did[name] for name in ("uploaded", "skipped", "failed", "bytes")}
    said = tool("upload", "--dry-run")
    assert said.code == 0 and "2 tracks would be uploaded" in said.out and "3 there already" in said.out


def test_files_folders_albums_and_tracks_can_be_named(
        tool: Tool, home: Path, music: Path, r2: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(music / "A")
    one = sorted((music / "A" / "Two").iterdir())[0]
    assert tool("upload", f"Two/{one.name}", "--json").document["uploaded"] == 1
    others = [item["track_id"] for item in tool("upload", "Two", "One", "--dry-run", "--json").document["items"]]
    assert len(others) == 4
    assert tool("upload", "--track", others[0], "--json").document["uploaded"] == 1
    with sqlite3.connect(home / "data" / "library.db") as database:
        albums = [uid for (uid,) in database.execute("SELECT uid FROM albums ORDER BY title")]
    last = tool("upload", "--album", albums[0], "--json").document     # a track of it has gone by itself
    assert (last["uploaded"], last["skipped"]) == (2, 1)


def test_what_is_not_in_the_library_is_refused(tool: Tool, music: Path, r2: Provider, tmp_path: Path) -> None:
    said = tool("upload", str(tmp_path / "elsewhere"))
    assert said.code == 1 and "elsewhere" in said.err and "scan" in said.err
    assert tool("upload", "--album", "nobody").code == 1
    assert tool("upload", "--track", "nobody").code == 1
    assert tool("upload", "--provider", "nobody").code == 1
    assert tool("upload", "--compress", "wav").code == 2
    assert keys(r2) == []


def test_made_smaller_as_asked_or_as_the_setting_says(
        tool: Tool, music: Path, r2: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    make_audio(music, "a.flac", seconds=1, tags={"title": "A"})
    make_audio(music, "b.flac", seconds=2, tags={"title": "B"})
    tool("scan")
    assert tool("upload", str(music / "a.flac"), "--compress", "MP3:320", "--json").document["compress"] == "mp3:320"
    assert [key.endswith(".mp3-320.mp3") for key in keys(r2)] == [True]
    monkeypatch.setenv("SOUNDSIBLE_CLOUD_COMPRESS", "opus:64")
    assert tool("upload", str(music / "b.flac"), "--json").code == 0
    assert sum(key.endswith(".opus-64.opus") for key in keys(r2)) == 1
    assert tool("upload", str(music / "b.flac"), "--compress", "none", "--json").document["uploaded"] == 1


def test_what_fails_is_named_and_the_exit_code_says_so(tool: Tool, music: Path, r2: Provider) -> None:
    gone = next((music / "A" / "One").iterdir())
    gone.unlink()
    said = tool("upload")
    assert said.code == 1 and "4 tracks uploaded" in said.out and gone.name in said.out
    tool("scan")
    said = tool("upload", "--json")     # known to be missing: no failure of the upload
    assert (said.code, said.document["missing"], said.document["failed"]) == (0, 1, [])


def test_a_provider_that_refuses_is_said_in_plain_words(tool: Tool, home: Path, music: Path) -> None:
    server().add_to(home, replace(server().provider(), secret="wrong" * 8))
    said = tool("upload", "--json")
    assert said.code == 1 and said.document["error"]["details"]["reason"] == "wrong_secret"


def test_the_station_reads_its_progress_line_by_line(tool: Tool, home: Path, music: Path) -> None:
    provider = server().provider()
    with FaultProxy(server().url) as proxy:
        proxy.fault("^PUT .*/music/", delay_s=0.25)
        server().add_to(home, replace(provider, endpoint=proxy.url))
        said = tool("upload", "--json", "--progress-lines", "--workers", "1")
    assert said.document["uploaded"] == 5
    lines = [json.loads(line) for line in said.err.splitlines() if line.startswith("{")]
    told = [line["progress"] for line in lines if "progress" in line]
    assert {one["phase"] for one in told} >= {"looking", "uploading"}
    assert told[-1]["done"] == told[-1]["total"] == 5 and any(0 < one["done"] < 5 for one in told)


def test_ctrl_c_twice_waits_for_no_storage_that_is_slow(tool: Tool, home: Path, music: Path) -> None:
    provider = server().provider()
    with FaultProxy(server().url) as proxy:
        proxy.fault("^PUT .*/music/", delay_s=600)
        server().add_to(home, replace(provider, endpoint=proxy.url))
        with subprocess.Popen([sys.executable, "-m", "setup_tool", "upload"], text=True, stderr=subprocess.PIPE,
                              preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler)) as running:
            try:
                while not proxy.count("^PUT .*/music/"):
                    assert running.poll() is None
                    time.sleep(0.02)
                for _ in range(100):
                    running.send_signal(signal.SIGINT)
                    with suppress(subprocess.TimeoutExpired):
                        running.wait(0.3)
                        break
                assert running.returncode == 1
                assert running.stderr is not None and running.stderr.read().endswith("Stopped.\n")
            finally:
                running.kill()
        proxy.heal()
        again = tool("upload", "--json").document       # those that the storage got before are there already
        assert (again["uploaded"] + again["skipped"], again["failed"]) == (5, [])
