"""kill -9 at every step of a clean-up, and of its undoing: nothing is lost, and all of it comes back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import some
from tests.records.songs import inconsistencies
from tests.s3_server import server
from tests.upkeep.leftover_house import DAY_S, House, Quiet

PROJECT = Path(__file__).resolve().parents[2]

# Forks a child for each world; each child dies by its own hand at the moment that is told with it.
CHILD = """
import functools, os, signal, sys
from pathlib import Path
from shared.records.journal import JournalRecords
from shared.records.leftovers import Leftovers
from shared.storage.s3 import Bucket
from tests.upkeep.leftover_house import House, Quiet

deed, worlds = sys.argv[1], [one.split(":", 1) for one in sys.argv[2:]]
passed, die_at = 0, 0

def point():
    global passed
    passed += 1
    if passed == die_at:
        os.kill(os.getpid(), signal.SIGKILL)

def around(owner, name):
    real = getattr(owner, name)
    @functools.wraps(real)
    def deadly(*args, **more):
        point()     # what was done before it is there, and nothing of it
        return real(*args, **more)
    setattr(owner, name, deadly)

for owner, names in (
    (JournalRecords, ("note", "did", "set_state")), (os, ("rename",)), (Bucket, ("copy", "delete")),
    (Leftovers, ("trash_rows", "restore_rows", "mark_gone", "unmark_gone", "drop_cached", "put_cached")),
):
    for name in names:
        around(owner, name)

for number, home in worlds:
    child = os.fork()
    if child == 0:
        die_at = int(number)
        house = House(Path(home), ahead_s=float(os.environ["AHEAD"]))
        if deed == "run":
            house.cleanup.run(house.cleanup.find(work=Quiet()), work=Quiet())
        else:
            house.cleanup.undo(house.cleanup.last().id, work=Quiet())
        os._exit(0)
    _, status = os.waitpid(child, 0)
    print("killed" if os.WIFSIGNALED(status) else f"ended {os.WEXITSTATUS(status)}", flush=True)
"""


def killed(deed: str, homes: dict[int, Path], *, ahead_s: float = 0.0) -> list[str]:
    """Do `deed` in each home, killed at the moment that is its number; how each of them ended."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CHILD, deed, *(f"{at}:{home}" for at, home in homes.items())],
        cwd=PROJECT, text=True, capture_output=True, timeout=120, env={**os.environ, "AHEAD": str(ahead_s)},
        check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:-1]


def local(home: Path) -> House:
    """Rows, a cached track, a cover, an unfinished file and a forsaken download."""
    home.parent.mkdir()
    house = House(home)
    house.add("a/1.flac", "a/2.flac", "3.flac", "there.flac")
    house.lose("a/1.flac", "a/2.flac")
    (house.folder / "3.flac").unlink()
    house.cached(b"nobody's")
    house.file("data", f"covers/aa/{'a' * 64}.jpg", b"a picture", age_s=DAY_S)
    house.file("cache", "transcodes/aa/x.part", age_s=2 * DAY_S)
    house.file("music", ".soundsible/staging/over/song", b"half a song", age_s=2 * DAY_S)
    return house


def in_bucket(home: Path) -> House:
    """Two objects that nobody refers to, and a copy whose object is gone."""
    home.parent.mkdir()
    house = House(home, ahead_s=2 * DAY_S)
    provider = server().add_to(home)
    one, two = house.add("1.flac", "2.flac")
    house.object(provider, b"left over")
    house.object(provider, b"left over, too")
    house.object(provider, b"there", track=two)
    server().remove(provider, house.object(provider, b"gone", track=one))
    return house


def state(house: House) -> tuple[object, ...]:
    """Everything that a clean-up could change."""
    return (house.files(), house.visible(), house.records.cached(),
            {uid: [copy.key for copy in copies] for uid, copies in house.copies.of_tracks(
                [house.music.uid(path) for path in house.visible()]).items()},
            {key: server().body(one, key) for one in house.providers.all() for key in server().keys(one)})


def contents(house: House) -> list[bytes]:
    """What lies anywhere, in whatever place; an object that is in two places at this moment once."""
    return sorted([*house.files().values(), *{server().body(one, key) for one in house.providers.all()
                                              for key in server().keys(one)}])


def undo_all(house: House) -> None:
    while (last := house.cleanup.last()) is not None:
        assert house.cleanup.undo(last.id, work=Quiet()).left == []


# The last of the moments never comes: who adds a step to the work adds a moment here.
@pytest.mark.parametrize(("make", "moments"), [(local, some(range(1, 22), 8)), (in_bucket, some(range(4, 11), 4))])
def test_a_clean_up_that_is_killed_loses_nothing_and_can_be_undone(make, moments: list[int], tmp_path: Path) -> None:
    houses = [make(tmp_path / str(number) / "home") for number in moments]
    before = [(state(house), contents(house)) for house in houses]
    for house in houses:
        house.close()
    homes = {number: house.home for number, house in zip(moments, houses, strict=True)}
    ended = killed("run", homes, ahead_s=houses[0].ahead_s)
    assert set(ended) == {"killed", "ended 0"}
    assert ended.count("killed") >= len(moments) - 3 and ended[-1] == "ended 0"
    for number, (house, (was, all_of_it)) in enumerate(zip(houses, before, strict=True)):
        assert contents(house) == all_of_it, number
        assert inconsistencies(house.database) == []
        assert len(house.journal.cut_off()) <= 1 and not house.journal.busy("cleanup")
        if number % 2:      # it is taken up again first
            house.cleanup.run(house.cleanup.find(work=Quiet()), work=Quiet())
            assert len(house.cleanup.find(work=Quiet())) == 0
            assert contents(house) == all_of_it
            assert house.journal.cut_off() == []
        undo_all(house)
        assert state(house) == was, number
        assert house.journal.cut_off() == []
        house.close()


@pytest.mark.parametrize(("make", "moments"), [(local, some(range(1, 11), 5)), (in_bucket, some(range(2, 9), 4))])
def test_an_undoing_that_is_killed_is_finished_by_the_next(make, moments: list[int], tmp_path: Path) -> None:
    houses = [make(tmp_path / str(number) / "home") for number in moments]
    before = [(state(house), contents(house)) for house in houses]
    for house in houses:
        done = house.cleanup.run(house.cleanup.find(work=Quiet()), work=Quiet())
        assert done.step is not None
        house.close()
    homes = {number: house.home for number, house in zip(moments, houses, strict=True)}
    ended = killed("undo", homes, ahead_s=houses[0].ahead_s)
    assert set(ended) == {"killed", "ended 0"} and ended[-1] == "ended 0"
    for number, (house, (was, all_of_it)) in enumerate(zip(houses, before, strict=True)):
        assert contents(house) == all_of_it, number
        undo_all(house)
        assert state(house) == was, number
        house.close()
