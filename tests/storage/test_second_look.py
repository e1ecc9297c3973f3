"""What a provider said wrongly for a while costs no track: its copies are read again, and count."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.model.cloud import CloudFailure, Copy
from shared.storage.second_look import FIRST_S, SecondLook
from tests.s3_server import server
from tests.upkeep.leftover_house import House


class Reading:
    """What reading a copy gives, and which were read."""

    def __init__(self) -> None:
        self.why: str | CloudFailure | None = None
        self.read: list[str] = []

    def __call__(self, copy: Copy) -> str | None:
        self.read.append(copy.key)
        if isinstance(self.why, CloudFailure):
            raise self.why
        return self.why


class Ticks:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path / "home")
    yield made
    made.close()


@pytest.mark.parametrize("why", ["gone", "corrupted"])
def test_a_copy_that_is_right_after_all_counts_again(house: House, why: str) -> None:
    provider = server().add_to(house.home)
    here, away, trashed = house.add("1.flac", "2.flac", "3.flac")
    keys = [house.object(provider, body, track=uid) for body, uid in ((b"1", here), (b"2", away), (b"3", trashed))]
    house.lose("2.flac", "3.flac")
    for key in keys:
        house.copies.broken(provider.name, key, why)
    assert house.records.trash_rows([trashed], only_missing=True) == ([trashed] if why == "gone" else [])
    reading, ticks = Reading(), Ticks()
    looks = SecondLook(copies=house.copies, look=reading, restore=house.records.restore_rows, ticks=ticks)
    assert looks.turn() == 0 and reading.read == []         # not at once: it has just been looked at
    ticks.now += FIRST_S
    assert looks.turn() == 2
    assert house.visible() == ["1.flac", "2.flac", "3.flac"]
    assert reading.read == keys[1:] and [one.key for one in house.copies.of(away)] == [keys[1]]
    assert house.copies.of(here) == []                      # its file is here: the next upload sees to it
    ticks.now += FIRST_S
    assert looks.turn() == 0 and len(reading.read) == 2


def test_what_is_broken_still_is_looked_at_ever_less_often(house: House) -> None:
    provider = server().add_to(house.home)
    (uid,) = house.add("1.flac")
    house.lose("1.flac")
    house.copies.broken(provider.name, house.object(provider, b"1", track=uid), "gone")
    reading, ticks = Reading(), Ticks()
    looks = SecondLook(copies=house.copies, look=reading, restore=house.records.restore_rows, ticks=ticks)
    looks.turn()
    reading.why = CloudFailure("It is silent.", reason="no_answer", provider=provider.name)
    for _ in range(3):
        ticks.now += FIRST_S
        looks.turn()
    assert len(reading.read) == 3                           # who is silent said nothing of the copy
    reading.why = "gone"
    looks.turn()
    for expected in (4, 4, 5, 5, 5, 5, 6):
        assert len(reading.read) == expected, ticks.now
        ticks.now += FIRST_S
        looks.turn()
