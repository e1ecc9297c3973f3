"""A station killed at every stage of its downloads, several times over, ends up with what an undisturbed one has."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import shutil
import signal
import time
from pathlib import Path
from typing import Any

from tests.journeys.downloading import ask, staged, start, until_over
from tests.media_server import MediaServer, audio
from tests.patience import some
from tests.running import RunningStation

#: What is seen over the API when the kill comes; None: at some moment.
MOMENTS = ("understand", "find", "fetch", "inspect", "identify", "process", "dress", "admit", "queued", None)
HOW = {"download_workers": "3", "scan_on_start": "false", "watch": "false", "manifest": "false"}


def kill(station: RunningStation) -> None:
    """The station and all that it started, at one blow."""
    everyone = [station.process.pid]
    for pid in everyone:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{pid}/task").iterdir():
                everyone += [int(one) for one in (task / "children").read_text().split()]
    for pid in everyone:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    station.process.wait(10)


def goods(server: MediaServer) -> list[str]:
    """A dozen links: songs of several formats, one of them slow; one is gone, one is no music, one is there twice."""
    links, first = [], b""
    for number in range(8):
        ending = (".flac", ".mp3", ".m4a", ".opus")[number % 4]
        sound = audio(ending, seconds=4 + number % 3, tone_hz=200 + 40 * number, tags={
            "title": f"Song {number}", "artist": "The Killed", "album": "Again", "track_number": number + 1})
        first = first or sound
        links.append(server.add(f"{number}{ending}", sound, slow=len(sound) * 2 if number < 3 else None))
    links.append(server.url("gone.mp3"))
    links.append(server.add("page.mp3", b"<!doctype html><html><body>no music</body></html>"))
    links.append(server.add("copy.flac", first))
    feed = [(f"Part {n}", server.url(f"part{n}.mp3")) for n in range(3)]
    for number in range(3):
        server.add(f"part{number}.mp3", audio(".mp3", seconds=2, tone_hz=900 + 50 * number, tags={
            "title": f"Part {number}", "artist": "The Killed Speaker"}))
    links.append(server.add_feed("feed.xml", feed))
    return links


def outcome(station: RunningStation, music: Path) -> tuple[Any, ...]:
    """What counts in the end: the tracks and their sound, and how each download ended."""
    _, page = station.call("GET", "/api/library/tracks?limit=500")
    shelf = []
    for track in page["items"]:
        status, sound = station.call("GET", f"/api/stream/{track['id']}")
        assert status == 200 and sound == (music / track["path"]).read_bytes()
        shelf.append((track["title"], track["artist"], track["format"], hashlib.sha256(sound).hexdigest()))
    _, page = station.call("GET", "/api/downloads?limit=500")
    ended = [((one["url"] or one["title"]).rpartition("/")[2], one["status"], (one["error"] or {}).get("code"))
             for one in page["items"]]
    files = sorted(str(path.relative_to(music)) for path in music.rglob("*") if path.is_file()
                   and ".soundsible" not in path.parts)
    return sorted(shelf), sorted(ended, key=str), files, staged(music)


def wait_for(station: RunningStation, moment: str | None, dice: random.Random) -> None:
    """Until a download is seen in this stage (or some time has passed)."""
    until = time.monotonic() + (dice.uniform(0.02, 0.8) if moment is None else 1.2)
    while time.monotonic() < until:
        if moment is not None:
            _, answer = station.call("GET", "/api/downloads/manager/active")
            if any(moment in (one["stage"], one["status"]) for one in answer["items"]):
                return
        time.sleep(0.003)


def all_over(station: RunningStation) -> None:
    deadline = time.monotonic() + 60
    while True:
        _, stats = station.call("GET", "/api/downloads/manager/stats")
        if not any(stats[one] for one in ("waiting", "pending", "queued", "downloading", "processing")):
            return
        assert time.monotonic() < deadline, stats
        time.sleep(0.1)


def undisturbed(base: Path, server: MediaServer, links: list[str]) -> tuple[Any, ...]:
    station = start(base / "home", base / "music", server, **HOW)
    try:
        until_over(station, *[ask(station, link)["id"] for link in links])
        all_over(station)
        return outcome(station, base / "music")
    finally:
        station.stop()


def killed(base: Path, server: MediaServer, links: list[str], *, moments: list[str | None], dice: random.Random,
           ) -> tuple[Any, ...]:
    uids: list[str] = []
    for moment in moments:
        station = start(base / "home", base / "music", server, **HOW)
        if not uids:
            uids = [ask(station, link)["id"] for link in links]
        wait_for(station, moment, dice)
        kill(station)
    station = start(base / "home", base / "music", server, **HOW)
    try:
        for one in until_over(station, *uids):
            steps = [row["to"] for row in one["history"]]
            assert steps[0] == "waiting" and steps[-1] == one["status"]
        all_over(station)
        return outcome(station, base / "music")
    finally:
        station.stop()


def test_killed_at_every_stage_nothing_is_lost_and_nothing_is_there_twice(tmp_path: Path) -> None:
    with MediaServer() as server:
        links = goods(server)
        expected = undisturbed(tmp_path / "calm", server, links)
        found = killed(tmp_path / "killed", server, links, moments=some(MOMENTS, 5), dice=random.Random(7))
    assert len(expected[0]) == 11 and expected[3] == []
    assert found == expected
    shutil.rmtree(tmp_path / "killed")
