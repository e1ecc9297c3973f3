"""Every night once, at the hour that was chosen; what was slept through is made up for; nothing twice."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as checked
from hypothesis import strategies as st

from shared.database import Database
from shared.events import EventBus, Notice
from shared.model.errors import Overloaded
from shared.records import notes as records
from shared.records.notes import Notes
from shared.settings import Settings
from shared.upkeep.nightly import AGAIN_S, Nightly, last_moment
from tests.patience import often

HOUR, DAY = 3600.0, 86_400.0


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = os.environ.get("TZ")
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    assert os.environ.get("TZ") == before
    time.tzset()


def local(text: str) -> float:
    return time.mktime(time.strptime(text, "%Y-%m-%d %H:%M"))


class Night:
    """A nightly with a clock of its own, and what it took on."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.database = Database(folder / "library.db")
        self.database.prepare()
        self.now = local("2026-03-10 12:00")
        self.taken: list[tuple[str, str]] = []
        self.heard: list[Notice] = []
        self.refuse = False
        self.notes = Notes(database=self.database)
        self.settings = replace(Settings(home=folder), **settings)
        self.begin()

    def begin(self) -> None:
        events = EventBus()
        events.subscribe(Notice, self.heard.append)
        self.nightly = Nightly(settings=self.settings, notes=self.notes, submit=self._submit, events=events,
                               clock=lambda: self.now)

    def _submit(self, kind: str) -> None:
        if self.refuse:
            raise Overloaded("later", retry_after_s=1)
        self.taken.append((kind, time.strftime("%m-%d %H:%M", time.localtime(self.now))))
        if kind == "backup":
            self.notes.put(records.BACKUP, {"at": self.now})

    def until(self, text: str, step_s: float = 600.0) -> list[tuple[str, str]]:
        """Turn the clock to then, looking every ten minutes; what was taken on meanwhile."""
        self.taken = []
        end = local(text)
        while self.now < end:
            self.nightly.turn()
            self.now = min(end, self.now + step_s)
        self.nightly.turn()
        return self.taken


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    made = Night(tmp_path)
    yield made
    made.database.close()


def test_every_night_once_at_the_hour_that_was_chosen(night: Night) -> None:
    assert night.until("2026-03-13 12:00") == [("check", f"03-{day} 03:30") for day in (11, 12, 13)]


def test_the_first_start_checks_nothing_until_the_night(night: Night) -> None:
    assert night.until("2026-03-10 23:59") == []


def test_the_house_is_tidied_once_a_night_and_once_after_a_start(tmp_path: Path) -> None:
    night, tidied = Night(tmp_path), []
    night.nightly = Nightly(settings=night.settings, notes=night.notes, submit=night._submit, events=EventBus(),
                            clock=lambda: night.now, tidy=lambda: tidied.append(time.localtime(night.now).tm_mday))
    night.until("2026-03-13 12:00")
    assert tidied == [10, 11, 12, 13]
    night.database.close()


def test_what_was_slept_through_is_made_up_for_once(night: Night) -> None:
    night.until("2026-03-10 20:00")
    night.now = local("2026-03-14 09:17")   # four nights later
    assert night.until("2026-03-14 23:00") == [("check", "03-14 09:17")]
    assert night.until("2026-03-15 12:00") == [("check", "03-15 03:30")]


def test_a_restart_does_not_do_it_again(night: Night) -> None:
    night.until("2026-03-11 12:00")
    night.begin()
    assert night.until("2026-03-11 23:00") == []


def test_backups_daily_after_the_check(tmp_path: Path) -> None:
    night = Night(tmp_path, backup_every="daily", backup_to="/backups", upkeep_at="04:00")
    assert night.until("2026-03-12 12:00") == [
        (kind, f"03-{day} 04:00") for day in (11, 12) for kind in ("check", "backup")]
    night.database.close()


def test_backups_weekly_count_from_the_last_that_succeeded(tmp_path: Path) -> None:
    night = Night(tmp_path, backup_every="weekly", backup_to="/backups", self_check=False)
    assert night.until("2026-03-25 12:00") == [("backup", day) for day in ("03-11 03:30", "03-18 03:30", "03-25 03:30")]
    night.notes.put(records.BACKUP, {"at": local("2026-03-18 03:30"), "failed_at": night.now, "message": "full"})
    assert night.until("2026-03-28 12:00") == [("backup", "03-26 03:30")], "the one that failed is tried the next night"
    night.database.close()


def test_without_a_place_there_is_no_backup(tmp_path: Path) -> None:
    night = Night(tmp_path, backup_every="daily", self_check=False)
    assert night.until("2026-03-14 12:00") == []
    night.database.close()


def test_what_could_not_be_taken_on_is_tried_again_in_a_while(night: Night) -> None:
    night.until("2026-03-11 03:00")
    night.refuse = True
    assert night.until("2026-03-11 04:00") == []
    night.refuse = False
    [(kind, at)] = night.until("2026-03-11 12:00")
    assert kind == "check" and local(f"2026-{at}") - local("2026-03-11 03:30") <= HOUR and AGAIN_S < HOUR


def test_summer_time_and_its_end_take_no_night_and_give_none_twice(night: Night) -> None:
    night.now = local("2026-03-28 12:00")
    assert [at[:5] for _, at in night.until("2026-03-30 12:00")] == ["03-29", "03-30"]
    night.now = local("2026-10-24 12:00")
    night.until("2026-10-24 12:00")
    assert [at for _, at in night.until("2026-10-26 12:00")] == ["10-25 03:30", "10-26 03:30"]


def test_an_hour_that_summer_time_leaves_out_still_comes_once(tmp_path: Path) -> None:
    night = Night(tmp_path, upkeep_at="02:30")
    night.now = local("2026-03-28 12:00")
    assert [at[:5] for _, at in night.until("2026-03-31 12:00")] == ["03-29", "03-30", "03-31"]
    night.database.close()


def test_a_clock_that_is_set_back_begins_with_the_next_night(night: Night) -> None:
    night.now = local("2036-01-01 12:00")
    night.until("2036-01-02 12:00")
    night.now = local("2026-03-10 12:00")
    assert night.until("2026-03-11 12:00") == [("check", "03-11 03:30")]


@given(st.floats(1.7e9, 2.5e9), st.integers(0, 23), st.integers(0, 59))
@checked(max_examples=often(60), deadline=None)
def test_the_last_moment_is_never_ahead_and_at_most_a_day_ago(now: float, hour: int, minute: int) -> None:
    moment = last_moment(now, f"{hour:02}:{minute:02}")
    assert 0 <= now - moment <= 25 * HOUR + 60
    assert last_moment(moment, f"{hour:02}:{minute:02}") == moment


def test_what_the_check_found_is_told_once(night: Night) -> None:
    night.notes.put(records.SELF_CHECK, {"ok": False, "checked_at": 5.0, "problems": [
        {"message": "The database is damaged: x.", "remedy": "Restore."}]})
    night.nightly.turn()
    night.nightly.turn()
    assert [(one.level, one.message) for one in night.heard] == [("error", "The database is damaged: x. Restore.")]
    night.notes.put(records.SELF_CHECK, {"ok": True, "checked_at": 6.0, "problems": []})
    night.notes.put(records.BACKUP, {"at": 1.0, "failed_at": 2.0, "message": "The disk is full."})
    night.nightly.turn()
    assert [one.message for one in night.heard[1:]] == ["The last backup did not succeed: The disk is full."]


def test_its_thread_turns_and_ends(night: Night) -> None:
    night.notes.put(records.NIGHTLY, {"check": night.now - 2 * DAY})
    events = EventBus()
    import threading

    taken = threading.Event()
    nightly = Nightly(settings=night.settings, notes=night.notes, submit=lambda kind: taken.set(), events=events,
                      clock=lambda: night.now, look_every_s=0.01, first_s=0.0)
    nightly.start()
    assert taken.wait(10)
    nightly.stop()
    assert not any(one.name == "nightly" for one in threading.enumerate())
