"""The process that answers may die; the one in its place is found where the first was, and says nothing twice."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from bench.measure import serving_process
from tests.running import start_station


def test_a_station_whose_serving_process_died_answers_and_is_found_again(tmp_path: Path) -> None:
    station = start_station(tmp_path / "home", [], as_people_do=True)
    try:
        log = tmp_path / "home" / "station.log"
        deadline = time.monotonic() + 30
        while "is playing at" not in log.read_text():
            assert time.monotonic() < deadline, "it never said where it is"
            time.sleep(0.1)
        first = serving_process(station.process.pid)
        assert first != station.process.pid
        os.kill(first, signal.SIGKILL)
        deadline = time.monotonic() + 60
        while True:
            try:
                found = station.call("GET", "/api/endpoints")[1]["items"]
                if serving_process(station.process.pid) != first and any(one["reachable"] for one in found):
                    break
            except OSError:
                pass
            assert time.monotonic() < deadline, "it is not found any more"
            time.sleep(0.2)
    finally:
        station.stop()
    assert log.read_text().count("is playing at") == 1
