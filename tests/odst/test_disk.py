"""Too little disk pauses the queue before it hurts."""

from __future__ import annotations

from pathlib import Path

import pytest

from odst.disk import Disk, free_bytes
from shared.model.download import Failure
from shared.model.units import GIB, MIB


class Room:
    def __init__(self, free: int) -> None:
        self.free = free
        self.disk = Disk(folder=lambda: Path("/music"), least=500 * MIB, free=lambda folder: self.free)


def test_what_fits_is_promised_and_what_does_not_is_refused() -> None:
    room = Room(1 * GIB)
    room.disk.promise("a", 300 * MIB)
    with pytest.raises(Failure) as full:
        room.disk.promise("b", 300 * MIB)     # 300 are promised already, and 500 shall stay
    assert full.value.code == "disk_full" and full.value.retryable
    room.disk.release("a")
    room.disk.promise("b", 300 * MIB)


def test_what_is_written_already_is_not_counted_twice() -> None:
    room = Room(1 * GIB)
    room.disk.promise("a", 400 * MIB)
    room.free -= 400 * MIB
    room.disk.written("a", 400 * MIB)
    room.disk.promise("b", 100 * MIB)


def test_the_queue_pauses_with_a_reason_and_goes_on_when_there_is_room() -> None:
    room = Room(1 * GIB)
    assert room.disk.trouble() is None
    with pytest.raises(Failure):
        room.disk.promise("a", 2 * GIB)
    said = room.disk.trouble()
    assert said is not None and "2.5 GB needed" in said
    room.free = 3 * GIB
    assert room.disk.trouble() is None
    room.free = 100 * MIB
    assert room.disk.trouble() is not None


def test_a_disk_that_ran_out_while_writing_pauses_the_queue() -> None:
    room = Room(500 * MIB + 1000)
    assert room.disk.trouble() is None
    room.disk.ran_out("a")
    assert room.disk.trouble() is not None
    room.disk.forget("a")       # cancelled: nobody waits for room for its sake
    assert room.disk.trouble() is None


def test_a_folder_that_does_not_answer_is_not_called_full() -> None:
    def away() -> Path:
        raise Failure("library_offline", "The disk is away.")

    disk = Disk(folder=away, least=1 * GIB)
    assert disk.trouble() is None
    disk.promise("a", 100 * GIB)


def test_the_real_disk_is_asked_also_for_folders_that_are_still_to_be_made(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "not" / "there") == pytest.approx(free_bytes(tmp_path), rel=0.2)
