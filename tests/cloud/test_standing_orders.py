"""What is copied and brought back by itself: when it was quiet, and each thing once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from shared.cloud.errands import Errands
from shared.cloud.standing_orders import StandingOrders
from shared.database import Database, driver_cursor
from shared.events import EventBus, LibraryChanged
from shared.records.copies import Copies
from shared.records.errands import Errands as ErrandRecords
from shared.records.pins import Pins
from shared.records.uncopied import Uncopied
from shared.settings import Settings
from tests.records.songs import Music
from tests.records.test_pins import copied
from tests.routes.houses import Resting


class House:
    def __init__(self, home: Path, cloud_copy: str) -> None:
        self.database = Database(home / "library.db")
        self.database.prepare()
        self.music = Music(self.database)
        self.events = EventBus()
        self.settings = Settings(home=home, cloud_copy=cloud_copy)
        self.storage: Any = SimpleNamespace(name="r2")
        self.records = ErrandRecords(database=self.database)
        providers = SimpleNamespace(default=lambda: self.storage, named=lambda name: self.storage)
        self.errands: Errands = Resting(
            records=self.records, providers=providers, settings=self.settings, events=self.events)
        self.pins = Pins(database=self.database)
        self.orders = StandingOrders(
            errands=self.errands, pins=self.pins, uncopied=Uncopied(database=self.database), providers=providers,
            settings=self.settings, events=self.events, quiet_s=0.05, first_s=0.0)

    def waiting(self) -> list[tuple[str, set[str]]]:
        return [(one.kind, set(one.selection.track_ids)) for one in self.records.active()]

    def fetched(self, uid: str) -> None:
        with self.database.transaction() as conn:
            driver_cursor(conn).execute(
                "INSERT INTO downloads (uid, status, priority, quality, options, track_uid, fingerprint, "
                "created_at, updated_at) VALUES (?, 'completed', 50, 'lossless', '{}', ?, '', 1, 1)", (f"d-{uid}", uid))


@pytest.fixture
def house(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[House]:
    house = House(tmp_path, getattr(request, "param", "all"))
    yield house
    house.orders.stop()
    house.database.close()


def test_what_has_no_copy_is_uploaded_and_what_was_tried_is_let_be_until_it_changes(house: House) -> None:
    one, two, three = house.music.album("A", "One", "Ann")
    copied_as_it_is(house.database, three)
    house.orders.turn()
    assert house.waiting() == [("upload", {one, two})]
    assert house.orders.turn() == []
    four = house.music.add("A/04.flac")
    house.orders.turn()
    assert house.waiting() == [("upload", {one, two, four})]       # one errand, not one for each
    house.errands.cancel(house.records.active()[0].id)
    assert house.orders.turn() == []
    house.music.retag({"A/01.flac": _tags()})
    house.orders.turn()
    assert house.waiting() == [("upload", {one})]


def copied_as_it_is(database: Database, uid: str) -> None:
    copied(database, uid)
    with database.transaction() as conn:
        driver_cursor(conn).execute(
            "UPDATE copies SET (source_size_bytes, source_mtime_ns) = (SELECT size_bytes, mtime_ns FROM files "
            "WHERE files.track_id = copies.track_id)")


def _tags() -> Any:
    from tests.records.songs import metadata

    return metadata("New words")


@pytest.mark.parametrize("house", ["downloads"], indirect=True)
def test_only_what_the_station_fetched_is_copied_when_that_was_asked_for(house: House) -> None:
    _, two, _ = house.music.album("A", "One", "Ann")
    house.fetched(two)
    house.orders.turn()
    assert house.waiting() == [("upload", {two})]
    assert house.records.active()[0].selection.provider == "r2"


@pytest.mark.parametrize("house", ["off"], indirect=True)
def test_nothing_is_copied_when_nothing_was_asked_for_but_pins_come_back(house: House) -> None:
    _, two, _ = house.music.album("A", "One", "Ann")
    copied(house.database, two)
    house.pins.add("track", two)
    assert house.orders.turn() == []
    Copies(database=house.database).offloaded(two, time.time())
    assert len(house.orders.turn()) == 1
    assert house.waiting() == [("fetch", {two})]
    assert house.orders.turn() == []


def test_without_a_storage_nothing_is_asked_for(house: House) -> None:
    house.music.album("A", "One", "Ann")
    house.storage = None
    assert house.orders.turn() == [] and house.waiting() == []


def test_it_looks_at_its_start_and_after_something_happened(house: House) -> None:
    (one, *_) = house.music.album("A", "One", "Ann", songs=1)
    house.orders.start()
    assert _until(lambda: house.waiting() == [("upload", {one})])
    two = house.music.add("A/02.flac")
    house.events.publish(LibraryChanged(9))
    assert _until(lambda: house.waiting() == [("upload", {one, two})])


def _until(true: Any) -> bool:
    end = time.monotonic() + 10
    while not true() and time.monotonic() < end:
        time.sleep(0.01)
    return bool(true())
