"""Long work of the station: written down, done by a child, followed, ended with the station, begun again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.cloud import errands as room
from shared.cloud.errands import Errands, judge, moved
from shared.database import Database
from shared.events import ErrandMoved, EventBus
from shared.model.errand import Errand, Selection
from shared.model.errors import Conflict, NotFound, Unprocessable
from shared.model.person import Person
from shared.model.work import Moved
from shared.records import errands as records
from shared.settings import Settings

ANN = Person(user_id=0, id="ann", username="ann", role="owner")
ROOT = Path(__file__).resolve().parents[2]


class Storages:
    """Every name but "none" is one."""

    def __init__(self, *, some: bool = True) -> None:
        self.some = some

    def named(self, name: str) -> object:
        if name == "none":
            raise NotFound("There is no storage of that name.")
        return object()

    def default(self) -> object | None:
        return object() if self.some else None


class House:
    def __init__(self, home: Path) -> None:
        self.settings = Settings(home=home)
        home.mkdir(exist_ok=True)
        self.database = Database(self.settings.database_path)
        self.database.prepare()
        self.records = records.Errands(database=self.database)
        self.events = EventBus()
        self.heard: list[Errand] = []
        self.came = threading.Condition()
        self.now = 1_800_000_000.0
        self.storages = Storages()
        self.events.subscribe(ErrandMoved, self.hear)
        self.errands = self.build()

    def build(self) -> Errands:
        return Errands(records=self.records, providers=self.storages, settings=self.settings, events=self.events,
                       module="tests.cloud.errand_tool", clock=lambda: self.now)

    def hear(self, event: ErrandMoved) -> None:
        with self.came:
            self.heard.append(event.errand)
            self.came.notify_all()

    def wait(self, true: Callable[[Errand], bool]) -> Errand:
        with self.came:
            assert self.came.wait_for(lambda: any(true(one) for one in self.heard), 60), self.heard
            return next(one for one in self.heard if true(one))

    def began(self) -> list[dict[str, Any]]:
        path = self.settings.home / "began"     # type: ignore[operator]
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def submit(self, provider: str, kind: str = "upload") -> Errand:
        return self.errands.submit(kind, Selection(provider=provider, everything=True))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path / "home")
    house.errands.start()
    yield house
    house.errands.stop()
    house.database.close()


def test_an_errand_is_done_by_a_niced_child_and_followed_to_its_report(house: House) -> None:
    made = house.submit("fine")
    assert (made.state, made.selection.provider, made.selection.everything) == ("waiting", "fine", True)
    going = house.wait(lambda one: one.progress is not None)
    assert going.progress == Moved(phase="fine", done=1, total=2, bytes_done=10, now="x")
    done = house.wait(lambda one: one.state == "done")
    assert done.report is not None and (len(done.report["uploaded"]), done.report["bytes"]) == (100, 5)
    assert [one.state for one in house.heard if one.progress is None][:2] == ["waiting", "running"]
    (began,) = house.began()
    assert began["arguments"] == ["upload", "--provider", "fine", "--all", "--json", "--progress-lines"]
    assert began["nice"] >= 10
    assert house.errands.get(made.id) == done and house.errands.last("upload") == done


def test_a_child_sees_the_stations_settings_and_none_of_its_secrets(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("SOUNDSIBLE_SLSKD_API_KEY", "very-secret")
    settings = Settings(home=tmp_path, slskd_api_key="very-secret", webhook_urls=("json://secret",), upload_workers=7,
                        music=(tmp_path / "a", tmp_path / "b"), cloud_redirect=True, owner=("ann", "password123"))
    environment = settings.for_child()
    assert "secret" not in json.dumps(environment) and "password123" not in json.dumps(environment)
    from shared.settings import load

    seen = load(environ=environment)
    assert (seen.home, seen.upload_workers, seen.music, seen.cloud_redirect, seen.slskd_api_key) == (
        tmp_path, 7, settings.music, True, "")


def test_errands_run_one_after_the_other(house: House) -> None:
    long = house.submit("long")
    house.wait(lambda one: one.id == long.id and one.progress is not None)
    other = house.submit("fine")
    assert [one.state for one in house.errands.under_way()] == ["running", "waiting"]
    assert len(house.began()) == 1
    house.errands.cancel(long.id)
    house.wait(lambda one: one.id == other.id and one.state == "done")
    assert [one["arguments"][2] for one in house.began()] == ["long", "fine"]


def test_the_same_wish_that_waits_is_joined(house: House) -> None:
    long = house.submit("long")
    house.wait(lambda one: one.progress is not None)
    first, again, other = house.submit("fine"), house.submit("fine"), house.submit("wrong")
    assert first.id == again.id != other.id
    assert long.id not in (first.id, other.id)
    house.errands.cancel(long.id)


def test_a_running_errand_that_is_cancelled_is_asked_to_end_and_stays_cancelled(house: House) -> None:
    long = house.submit("long")
    house.wait(lambda one: one.progress is not None)
    assert house.errands.cancel(long.id).state == "cancelled"
    with house.came:
        house.came.wait_for(lambda: sum(one.state == "cancelled" for one in house.heard) == 2, 30)
    assert (house.settings.home / "asked").exists()     # type: ignore[operator]
    after = house.errands.get(long.id)
    assert (after.state, after.message, after.progress) == ("cancelled", None, Moved("ending", 2))
    states = [one.state for one in house.heard]
    assert states[states.index("cancelled"):] == ["cancelled"] * 2      # it does not seem to run again
    assert house.errands.cancel(long.id) == after       # once more changes nothing


def test_one_that_waits_and_is_cancelled_never_begins(house: House) -> None:
    long = house.submit("long")
    house.wait(lambda one: one.progress is not None)
    waiting = house.submit("fine")
    house.errands.cancel(waiting.id)
    house.errands.cancel(long.id)
    last = house.submit("wrong")
    house.wait(lambda one: one.id == last.id and one.state == "failed")
    assert [one["arguments"][2] for one in house.began()] == ["long", "wrong"]


def test_what_did_not_answer_is_tried_again_later_and_what_is_wrong_is_not(house: House) -> None:
    silent, wrong = house.submit("silent"), house.submit("wrong")
    failed = house.wait(lambda one: one.id == wrong.id and one.state == "failed")
    assert (failed.message, failed.attempt) == ("The key is wrong.", 1)
    put_off = house.errands.get(silent.id)
    assert (put_off.state, put_off.attempt, put_off.message) == ("waiting", 1, "It does not answer.")
    assert put_off.not_before is not None
    for attempt, wait_s in enumerate(room.RETRY_AFTER_S, 2):
        with house.came:
            house.heard.clear()
        house.now += wait_s + 1
        house.errands.submit("upload", Selection(provider="fine"))      # stirs
        house.wait(lambda one, n=attempt: one.id == silent.id and one.attempt == n)     # type: ignore[misc]
    assert house.errands.get(silent.id).state == "failed"


def test_asking_again_for_what_was_put_off_does_it_now(house: House) -> None:
    first = house.submit("silent")
    house.wait(lambda one: one.attempt == 1)
    assert house.submit("silent").id == first.id
    house.wait(lambda one: one.attempt == 2)


@pytest.mark.parametrize(("provider", "message", "state"), [
    ("some", "2 tracks failed. The first: One is gone.", "waiting"),
    ("killed", "Its process was ended by signal 9.", "waiting"),
])
def test_how_a_child_failed_is_told_in_a_sentence(house: House, provider: str, message: str, state: str) -> None:
    made = house.submit(provider)
    ended = house.wait(lambda one: one.id == made.id and one.attempt == 1)
    assert (ended.message, ended.state) == (message, state)


def test_the_station_that_stops_ends_its_child_and_does_the_errand_at_its_next_start(house: House) -> None:
    made = house.submit("long")
    house.wait(lambda one: one.progress is not None)
    pid = house.began()[0]["pid"]
    house.errands.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert house.errands.get(made.id).state == "waiting"
    with pytest.raises(Conflict):
        house.submit("fine")
    house.errands = house.build()
    house.errands.start()
    with house.came:
        assert house.came.wait_for(lambda: len(house.began()) == 2, 10)
    house.errands.cancel(made.id)


def test_a_station_that_is_killed_takes_its_child_along(tmp_path: Path) -> None:
    home = tmp_path / "home"
    House(home).database.close()
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom tests.cloud.test_errands import House\n"
        "house = House(Path(sys.argv[1]))\nhouse.errands.start()\nhouse.submit('long')\ntime.sleep(60)\n")
    station = subprocess.Popen([sys.executable, "-c", script, str(home)], cwd=ROOT)
    try:
        until = time.monotonic() + 20
        while not (home / "began").exists() and time.monotonic() < until:
            time.sleep(0.05)
        pid = json.loads((home / "began").read_text().splitlines()[0])["pid"]
    finally:
        station.send_signal(signal.SIGKILL)
        station.wait()
    while _lives(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not _lives(pid)
    house = House(home)
    assert [one.state for one in house.records.active()] == ["running"]
    house.errands.start()       # which has it begun again
    with house.came:
        assert house.came.wait_for(lambda: len(house.began()) == 2, 20)
    house.errands.stop()
    house.database.close()


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def test_an_end_that_cannot_be_written_down_is_made_up_for(house: House, monkeypatch: Any) -> None:
    from shared.model.errors import DiskFull

    ends = house.records.end
    failing = [True]

    def full(*args: Any, **named: Any) -> Errand:
        if failing:
            failing.pop()
            raise DiskFull("No room.")
        return ends(*args, **named)

    monkeypatch.setattr(house.records, "end", full)
    made = house.submit("fine")
    with house.came:
        assert house.came.wait_for(lambda: not failing, 10)
    house.now += 11
    other = house.submit("fine", "fetch")       # stirs
    house.wait(lambda one: one.id == other.id and one.state == "done")
    house.wait(lambda one: one.id == made.id and one.state == "done")
    assert len(house.began()) == 3


def test_what_cannot_be_done_is_refused_before_it_is_written_down(house: House) -> None:
    with pytest.raises(NotFound):
        house.submit("none")
    with pytest.raises(NotFound) as told:
        house.errands.submit("fetch", Selection(track_ids=("strange",)))
    assert told.value.details["id"] == "strange"
    house.storages.some = False
    with pytest.raises(Unprocessable):
        house.errands.submit("upload", Selection(everything=True))
    assert house.errands.submit("backup", Selection()).kind == "backup"     # needs none: a folder will do


@pytest.mark.parametrize(("code", "answer", "words", "expected"), [
    (0, b"not json", [], (True, None, False)),
    (1, b"", ["Traceback", "ValueError: x"], (False, "ValueError: x", False)),
    (5, b"", [], (False, "Its process ended with code 5.", True)),
    (1, b'{"message": "No room."}', [], (False, "No room.", False)),
    (1, b'{"error": {"code": "storage_offline", "message": "The disk sleeps."}}', [],
     (False, "The disk sleeps.", True)),
    (1, b'{"error": {"code": "x", "message": "y", "details": []}}', [], (False, "y", False)),
    (1, b'{"failed": ["odd"]}', [], (False, "see the report", False)),
])
def test_an_end_is_judged(code: int, answer: bytes, words: list[str], expected: tuple[bool, str, bool]) -> None:
    outcome = judge(code, answer, words)
    assert (outcome.done, outcome.message, outcome.retryable) == expected


def test_a_line_that_lies_about_progress_is_taken_for_what_it_is() -> None:
    assert moved({"done": True, "total": -1, "bytes_done": "7", "now": 5, "phase": "x" * 900, "else": 1}) == Moved(
        phase="x" * 300)
