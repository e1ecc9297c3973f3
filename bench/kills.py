"""A first scan of 10,000 files, killed with SIGKILL again and again: nothing is lost, the next start completes it."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import time
from pathlib import Path

from bench import corpus
from bench.measure import Table, children
from tests.running import start_station

FILES, KILLS = 10_000, 8


def _rows(home: Path) -> dict[str, str]:
    """path → track id, as the database has them."""
    database = sqlite3.connect(home / "data" / "library.db")
    try:
        assert database.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        return dict(database.execute("SELECT files.path, tracks.uid FROM files JOIN tracks ON tracks.id = track_id"))
    finally:
        database.close()


def run(table: Table) -> None:
    music = corpus.music(FILES)
    home = corpus.folder() / "kills-home"
    shutil.rmtree(home, ignore_errors=True)
    environ = {"SOUNDSIBLE_WATCH": "false", "SOUNDSIBLE_MANIFEST": "false", "SOUNDSIBLE_SCAN_WORKERS": "1"}
    dice, seen, kept = random.Random(), dict[str, str](), []
    for _ in range(KILLS):
        station = start_station(home, [music], environ=environ)
        time.sleep(dice.uniform(0.2, 1.4))
        everyone = [station.process.pid]
        for pid in everyone:        # the station and all that it started, while the list grows
            everyone += children(pid)
        for pid in everyone:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        station.process.wait(10)
        now = _rows(home)
        assert seen.items() <= now.items(), "a track was lost, or changed its id"
        seen = now
        kept.append(len(now))
    station = start_station(home, [music], environ=environ)
    try:
        report = station.wait_for_scan(300)
        assert report["state"] == "done" and not report["bad"], report
    finally:
        station.stop()
    now = _rows(home)
    assert len(now) == FILES == len(set(now.values())) and seen.items() <= now.items()
    print(f"  tracks kept after each kill: {', '.join(f'{count:,}' for count in kept)}")
    table.add("tracks lost", f"first scan of {FILES:,} files, {KILLS} kills", 0, "tracks", aim="0", met=True)
    shutil.rmtree(home, ignore_errors=True)
