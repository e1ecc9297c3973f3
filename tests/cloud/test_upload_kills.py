"""kill -9 in the middle of an upload, again and again: nothing that arrived is sent again, and nothing half counts."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from shared.database import Database
from shared.model.units import MIB
from shared.records.copies import Copies
from shared.records.uploads import UploadRecords
from tests.builders import make_album
from tests.cloud.houses import CloudHouse
from tests.running import ROOT
from tests.s3_server import FaultProxy, server

LARGE = 40 * MIB


def command(home: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "setup_tool", "--home", str(home), "upload", "--json", "--progress-lines", *arguments]


def started(home: Path) -> subprocess.Popen[bytes]:
    kept = {name: os.environ[name] for name in ("PATH", "SOUNDSIBLE_TEST_S3_URL") if name in os.environ}
    return subprocess.Popen(command(home), cwd=ROOT, env=kept, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def killed(home: Path, when: Callable[[], bool]) -> None:
    """Run it and kill -9 it as soon as `when`."""
    child = started(home)
    try:
        deadline = time.monotonic() + 60
        while not when():
            assert child.poll() is None and time.monotonic() < deadline, "it ended by itself"
            time.sleep(0.005)
    finally:
        child.send_signal(signal.SIGKILL)
        child.communicate()
    assert child.returncode == -signal.SIGKILL


def finished(home: Path) -> dict[str, object]:
    child = started(home)
    said, _ = child.communicate(timeout=120)
    return dict(json.loads(said))


@pytest.fixture
def house(tmp_path: Path) -> CloudHouse:
    """A home with a large file and an album; its database closed, for the tool to use."""
    home = tmp_path / "home"
    (home / "data").mkdir(parents=True)
    made = CloudHouse(tmp_path, server().provider())
    made.take_up(made.noise("long.flac", LARGE), *make_album(made.music, count=5))
    made.close()
    (tmp_path / "library.db").rename(home / "data" / "library.db")
    return made


def checked(home: Path, house: CloudHouse, proxy: FaultProxy) -> None:
    """Everything lies there, right and once; each part arrived once."""
    database = Database(home / "data" / "library.db")
    try:
        copies, files = Copies(database=database), sorted(house.music.rglob("*.flac"))
        rows = [one for uid in copies.track_uids(everything=True) for one in copies.of(uid)]
        assert len(rows) == len(files) == 6
        bodies = {one.key: server().body(house.provider, one.key) for one in rows}
        assert set(bodies) == set(server().keys(house.provider, "music/"))
        assert {one.sha256 for one in rows} == {hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
        assert all(hashlib.sha256(bodies[one.key]).hexdigest() == one.sha256 for one in rows)
        assert UploadRecords(database=database).all() == []
    finally:
        database.close()
    listed = house.buckets(house.provider).unfinished()
    assert listed == []
    arrived = Counter(re.sub(r"^.*/music", "", one.path) for one in proxy.of(r"^PUT .*/music/") if one.status == 200)
    assert set(arrived.values()) == {1}, arrived


def test_killed_at_any_point_it_goes_on_and_sends_no_part_twice(tmp_path: Path, house: CloudHouse) -> None:
    home, dice = tmp_path / "home", random.Random(4)
    with FaultProxy(server().url) as proxy:
        proxy.fault(r"^PUT .*/music/", bytes_per_s=30_000_000)
        server().add_to(home, replace(house.provider, endpoint=proxy.url))
        for _ in range(3):
            before = proxy.count("^PUT .*/music/")
            more, late = dice.randint(1, 3), dice.random() * 0.1

            def now(before: int = before, more: int = more) -> bool:
                return proxy.count("^PUT .*/music/") >= before + more

            if sum(one.status == 200 for one in proxy.of("^PUT .*/music/")) >= 7:
                break
            killed(home, lambda now=now, late=late: now() and (time.sleep(late) or True))
        report = finished(home)
        assert report["failed"] == [] and report["not_tried"] == 0
        checked(home, house, proxy)
        told = [key for key in server().keys(house.provider, "catalogue/")]
        assert told


def test_killed_between_the_last_part_and_the_row_it_is_found_by_its_name(tmp_path: Path, house: CloudHouse) -> None:
    home = tmp_path / "home"
    with FaultProxy(server().url) as proxy:
        hold = proxy.fault(r"^POST .*uploadId=", delay_s=5.0)     # it is made, and nobody hears of it
        server().add_to(home, replace(house.provider, endpoint=proxy.url))
        killed(home, lambda: any(key.endswith(".flac") and "-5" in house.bucket.head(key).etag
                                 for key in server().keys(house.provider, "music/")))
        assert UploadRecords(database=Database(home / "data" / "library.db")).all() != []
        hold.delay_s = 0.0
        report = finished(home)
        assert report["failed"] == []
        checked(home, house, proxy)


def test_asked_to_end_it_tells_what_is_done_and_the_next_one_goes_on(tmp_path: Path, house: CloudHouse) -> None:
    home = tmp_path / "home"
    with FaultProxy(server().url) as proxy:
        slow = proxy.fault(r"^PUT .*/music/", bytes_per_s=20_000_000)
        server().add_to(home, replace(house.provider, endpoint=proxy.url))
        child = started(home)
        while not any(one.status == 200 for one in proxy.of("^PUT .*/music/.*partNumber=")):
            assert child.poll() is None
            time.sleep(0.01)
        child.send_signal(signal.SIGTERM)
        said, _ = child.communicate(timeout=60)
        report = json.loads(said)
        assert child.returncode == 1 and report["stopped"] and report["not_tried"] >= 1
        slow.bytes_per_s = None
        assert finished(home)["failed"] == []
        checked(home, house, proxy)
