from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.database import Database, driver_cursor
from shared.events import EventBus, ScanMoved
from shared.library.scan_lock import ScanLock
from shared.library.scan_process import merge
from shared.library.scanning import Scanning, child_environment
from shared.model.errors import Conflict, DiskFull, NotFound
from shared.model.scan import ScanReport
from shared.records.scans import Scans
from shared.settings import Settings
from tests.builders import make_audio, make_bad

ROOT = Path(__file__).resolve().parents[2]


def until(true: Callable[[], Any], timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.005)


class Station:
    """What a station has for scanning, without the rest of it."""

    def __init__(self, home: Path) -> None:
        self.settings = Settings(home=home, scan_workers=2)
        self.settings.data_dir.mkdir(parents=True, exist_ok=True)
        self.database = Database(self.settings.database_path)
        self.database.prepare()
        self.scans = Scans(database=self.database)
        self.events = EventBus()
        self.heard: list[dict[str, Any]] = []
        self.events.subscribe(ScanMoved, lambda event: self.heard.append(event.progress))
        self.scanning = Scanning(settings=self.settings, scans=self.scans, events=self.events)

    def scan(self, **wish: Any) -> ScanReport:
        self.scanning.start(**wish)
        return self.scanning.wait(60)

    def tracks(self) -> list[tuple[Any, ...]]:
        """All that the library says, but for ids and times."""
        with self.database.read() as conn:
            return driver_cursor(conn).execute(
                "SELECT f.path, f.size_bytes, f.mtime_ns, f.missing_since, t.title, t.artist, t.track_number, a.title, "
                "a.track_count, a.duration_ms, (SELECT group_concat(name) FROM (SELECT r.name FROM credits c JOIN "
                "artists r ON r.id = c.artist_id WHERE c.track_id = t.id ORDER BY c.role, c.position)), "
                "(SELECT r.track_count FROM credits c JOIN artists r ON r.id = c.artist_id WHERE c.track_id = t.id "
                "AND c.role = 'artist') FROM files f JOIN tracks t ON t.id = f.track_id "
                "LEFT JOIN albums a ON a.id = t.album_id ORDER BY f.path").fetchall()

    def uids(self) -> dict[str, str]:
        with self.database.read() as conn:
            return dict(driver_cursor(conn).execute(
                "SELECT f.path, t.uid FROM files f JOIN tracks t ON t.id = f.track_id").fetchall())

    def child(self) -> int:
        process = self.scanning._process
        return process.pid if process is not None else 0

    def close(self) -> None:
        self.scanning.stop()
        self.database.close()


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    station = Station(tmp_path / "home")
    yield station
    station.close()


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three hundred files in thirty albums."""
    folder = tmp_path_factory.mktemp("many")
    for number in range(300):
        album = number // 10
        make_audio(folder / f"Artist {album % 7}" / f"Album {album}", f"{number % 10:02} Song.mp3", seconds=0.3, tags={
            "title": f"Song {number}", "artist": f"Artist {album % 7}", "album": f"Album {album}",
            "album_artist": f"Artist {album % 7}", "track_number": number % 10 + 1})
    return folder


@pytest.fixture
def music(tmp_path: Path, station: Station) -> Path:
    folder = tmp_path / "music"
    folder.mkdir()
    for number in range(3):
        make_audio(folder, f"{number}.mp3", seconds=0.3, tags={"title": f"Song {number}", "artist": "Ann"})
    station.scans.add_root(str(folder))
    return folder


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


# ---- following ------------------------------------------------------------------------------------------------------


def test_a_scan_runs_in_a_process_of_its_own_and_is_followed(station: Station, music: Path) -> None:
    make_bad(music, "text", "bad.mp3")
    assert station.scanning.progress() == ScanReport(id="", state="idle")
    begun = station.scanning.start()
    assert (begun.state, begun.phase) == ("running", "walk")
    until(station.child)
    assert station.child() != os.getpid()
    report = station.scanning.wait(60)
    assert (report.id, report.state, report.found, report.added) == (begun.id, "done", 4, 3)
    assert [(one.path, one.reason) for one in report.bad] == [("bad.mp3", "not_audio")]
    assert station.scanning.progress() == report
    assert {one["id"] for one in station.heard} == {begun.id}
    assert station.heard[-1]["state"] == "done"
    assert station.heard[-1]["bad"] == [{"path": "bad.mp3", "reason": "not_audio"}]
    assert [one["state"] for one in station.heard].count("done") == 1


def test_the_process_lingers_so_that_the_next_scan_needs_no_new_one(station: Station, music: Path) -> None:
    first = station.scan()
    child = station.child()
    assert alive(child)
    make_audio(music, "new.mp3", seconds=0.3, tags={"title": "New", "artist": "Ann"})
    second = station.scan()
    assert station.child() == child
    assert (second.state, second.added) == ("done", 1)
    assert second.id != first.id
    until(ScanLock(station.settings.data_dir).is_free, 10)


def test_a_scan_that_has_just_begun_lists_the_bad_files_of_those_before(station: Station, music: Path) -> None:
    make_bad(music, "text", "bad.mp3")
    station.scan()
    assert [one.path for one in station.scanning.start().bad] == ["bad.mp3"]
    assert [one.path for one in station.scanning.progress().bad] == ["bad.mp3"]
    assert [one.path for one in station.scanning.wait(60).bad] == ["bad.mp3"]
    (music / "bad.mp3").unlink()
    assert station.scan().bad == []


def test_only_the_wished_folders_are_looked_through(station: Station, music: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    make_audio(other, "o.mp3", seconds=0.3, tags={"title": "O"})
    station.scans.add_root(str(other))
    assert station.scan(roots=[str(other)]).found == 1
    with pytest.raises(NotFound):
        station.scanning.start(roots=[str(tmp_path / "strange")])
    assert station.scan().found == 4


def test_a_running_scan_is_joined_and_finds_what_came_meanwhile(station: Station, many: Path, tmp_path: Path) -> None:
    late = tmp_path / "late"
    late.mkdir()
    station.scans.add_root(str(many))
    station.scans.add_root(str(late))
    begun = station.scanning.start()
    until(lambda: any(one["phase"] == "read" for one in station.heard))
    make_audio(late, "late.mp3", seconds=0.3, tags={"title": "Late"})
    joined = station.scanning.start(roots=[str(late)])
    assert joined.id == begun.id
    report = station.scanning.wait(60)
    assert (report.id, report.state, report.added) == (begun.id, "done", 301)
    assert [one["state"] for one in station.heard].count("done") == 1


def test_wishes_are_merged_into_one_scan() -> None:
    one = {"id": "a", "roots": ["/x"], "deep": False}
    two = {"id": "b", "roots": ["/y", "/x"], "deep": True}
    assert merge([one, two]) == {"id": "a", "roots": ["/x", "/y"], "deep": True}
    assert merge([one, {"id": "c", "roots": None, "deep": False}, two])["roots"] is None


def test_the_process_sees_no_secret_of_the_station(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOUNDSIBLE_OWNER", "ann:correct horse battery")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    seen = child_environment()
    assert not [name for name in seen if name.startswith(("SOUNDSIBLE", "AWS"))]
    assert "PATH" in seen


# ---- stopping and dying ---------------------------------------------------------------------------------------------


def test_a_stopped_scan_ends_cleanly_and_the_next_station_goes_on(many: Path, tmp_path: Path) -> None:
    station = Station(tmp_path / "home")
    station.scans.add_root(str(many))
    station.scanning.start()
    until(lambda: any(one["phase"] == "read" for one in station.heard))
    child = station.child()
    station.scanning.stop()
    assert not alive(child)
    assert station.scanning.progress().state in ("failed", "done")
    with pytest.raises(Conflict):
        station.scanning.start()
    station.close()
    again = Station(tmp_path / "home")
    report = again.scan()
    assert (report.state, len(again.tracks())) == ("done", 300)
    again.close()


def test_a_process_that_crashes_fails_the_scan_with_a_message(station: Station, many: Path) -> None:
    station.scans.add_root(str(many))
    station.scanning.start()
    until(lambda: station.heard)
    os.kill(station.child(), signal.SIGKILL)
    report = station.scanning.wait(60)
    assert report.state == "failed"
    assert "signal 9" in (report.message or "")
    assert station.scan().state == "done"
    assert len(station.tracks()) == 300


def test_a_scan_handed_to_a_process_that_has_just_been_killed_is_done_by_the_next(
    station: Station, music: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert station.scan().state == "done"
    child = station.child()
    monkeypatch.setattr(station.scanning, "_send", lambda order: True)   # as into a pipe nobody reads
    wished = station.scanning.start()
    monkeypatch.undo()
    os.kill(child, signal.SIGKILL)
    report = station.scanning.wait(60)
    assert (report.id, report.state) == (wished.id, "done")


def test_a_first_scan_killed_five_times_ends_with_the_library_of_an_undisturbed_one(
    many: Path, tmp_path: Path,
) -> None:
    undisturbed = Station(tmp_path / "undisturbed")
    undisturbed.scans.add_root(str(many))
    assert undisturbed.scan().added == 300
    expected = undisturbed.tracks()
    undisturbed.close()

    station = Station(tmp_path / "home")
    station.scans.add_root(str(many))
    dice = random.Random(5)
    kept: dict[str, str] = {}
    for _ in range(5):
        station.heard.clear()
        station.scanning.start()
        until(lambda: station.heard)
        time.sleep(dice.uniform(0.0, 0.3))
        child = station.child()
        if child:
            os.kill(child, signal.SIGKILL)
        station.scanning.wait(60)
        now = station.uids()
        assert kept.items() <= now.items()
        kept = now
    report = station.scan()
    assert report.state == "done"
    assert station.tracks() == expected
    assert kept.items() <= station.uids().items()
    station.close()


def test_the_process_ends_when_its_station_is_killed(many: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    script = (
        "import sys, time\nfrom tests.library.test_scanning import Station\nfrom pathlib import Path\n"
        "station = Station(Path(sys.argv[1]))\nstation.scans.add_root(sys.argv[2])\nstation.scanning.start()\n"
        "while not station.child(): time.sleep(0.01)\nprint(station.child(), flush=True)\ntime.sleep(60)\n")
    process = subprocess.Popen([sys.executable, "-c", script, str(home), str(many)], cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    process.kill()
    process.wait()
    process.stdout.close()
    until(lambda: not alive(child), 10)
    until(ScanLock(home / "data").is_free, 10)
    station = Station(home)
    assert station.scan().state == "done"
    assert len(station.tracks()) == 300
    station.close()


# ---- with others ----------------------------------------------------------------------------------------------------


def test_while_another_process_scans_its_progress_is_shown_and_then_the_wish_is_done(
    station: Station, music: Path,
) -> None:
    others = station.scans.start("theirs0000000000")
    lock = ScanLock(station.settings.data_dir)
    assert lock.acquire()
    try:
        assert station.scanning.progress().id == others.id
        station.scanning.start()
        until(lambda: any(one["id"] == others.id for one in station.heard))
        assert station.tracks() == []
    finally:
        lock.release()
    until(lambda: len(station.tracks()) == 3)
    report = station.scanning.wait(60)
    assert (report.state, report.added) == ("done", 3)


def test_a_scan_that_nobody_runs_any_more_is_told_as_cut_off(station: Station) -> None:
    station.scans.start("cutoff0000000000")
    report = station.scanning.progress()
    assert (report.id, report.state) == ("cutoff0000000000", "failed")
    assert "goes on" in (report.message or "")


def test_the_lock_is_held_by_one(tmp_path: Path) -> None:
    one, two = ScanLock(tmp_path), ScanLock(tmp_path)
    assert one.is_free() and one.acquire()
    assert not two.acquire() and not two.is_free()
    one.release()
    assert two.is_free() and two.acquire(patience_s=0.2)
    two.release()


# ---- deep -----------------------------------------------------------------------------------------------------------


def test_a_deep_scan_finds_duplicates_and_damage(station: Station, music: Path) -> None:
    (music / "copy of 0.mp3").write_bytes((music / "0.mp3").read_bytes())
    whole = make_audio(music, "whole.flac", seconds=1.0, tags={"title": "Whole"})
    damaged = make_audio(music, "damaged.flac", seconds=1.0, tone_hz=333.0, tags={"title": "Damaged"})
    station.scan()
    uids = station.uids()
    content = bytearray(damaged.read_bytes())
    content[-400:-380] = bytes(20)
    times = damaged.stat()
    damaged.write_bytes(content)
    os.utime(damaged, ns=(times.st_atime_ns, times.st_mtime_ns))      # as rot does: nobody wrote it
    report = station.scan(deep=True)
    assert report.state == "done"
    assert [sorted(group) for group in report.duplicates] == [sorted([uids["0.mp3"], uids["copy of 0.mp3"]])]
    assert report.damaged == [uids["damaged.flac"]]
    assert whole.exists()


def test_a_deep_scan_that_was_cut_off_goes_on_where_it_was(station: Station, music: Path) -> None:
    station.scan()
    marks = station.settings.data_dir / "deep-scan.json"
    marks.write_text(json.dumps({"began_at": time.time(), "reached": {str(music): "1.mp3"}, "damaged": []}))
    report = station.scan()     # not even asked for
    assert (report.state, report.read) == ("done", 1)
    assert not marks.exists()
    assert station.scan(deep=True).read == 3


def test_the_scans_process_knows_the_stations_own_folders(station: Station, music: Path) -> None:
    make_audio(station.settings.cache_dir / "transcodes", "own.opus", seconds=0.3, tags={"title": "Own"})
    (music / "link").symlink_to(station.settings.cache_dir)
    assert (station.scan().added, len(station.tracks())) == (3, 3)


@pytest.mark.parametrize("begun", [True, False])
def test_a_scan_that_a_full_disk_ends_is_told_as_failed_until_the_next_one(
    station: Station, music: Path, monkeypatch: pytest.MonkeyPatch, begun: bool,
) -> None:
    before = station.scan()
    assert before.state == "done"
    os.kill(station.child(), signal.SIGKILL)
    until(lambda: station.scanning._thread is None)

    def full(*_: object) -> None:
        raise DiskFull("The station's disk is full.")

    with monkeypatch.context() as patch:
        if begun:   # else it has no row yet, and its end is kept nowhere without a word
            patch.setattr(station.scans, "progress", full)
        patch.setattr(station.scanning, "_begin", full)
        failed = station.scan()
    assert (failed.state, station.scanning.progress().id) == ("failed", failed.id) != ("failed", before.id)
    assert "disk is full" in (station.scanning.progress().message or "")
    assert station.heard[-1]["state"] == "failed"
    after = station.scan()
    assert (after.state, station.scanning.progress().id) == ("done", after.id)
