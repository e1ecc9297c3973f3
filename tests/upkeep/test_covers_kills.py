"""kill -9 while covers are put into files: every file is whole, with its old picture or the new one, and nothing is
lost; the next run does the rest, and all of it can be taken back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shared.audio import artwork, embedding
from tests.builders import make_album
from tests.upkeep.covers_house import Following, House, drawn

ROOT = Path(__file__).resolve().parents[2]
ALBUMS, TRACKS = 2, 6
CHILD = """
import sys
from pathlib import Path
from tests.upkeep.covers_house import Following, House, drawn

if __name__ == "__main__":
    house = House(Path(sys.argv[1]))
    for number in range(int(sys.argv[2])):
        house.shop.sell(f"Album {number}", drawn(900, number))
    better = house.better()
    plan = better.plan(work=Following())
    print("planned", len(plan.albums), flush=True)
    better.run(plan, work=Following())
    print("done", flush=True)
    house.close()
"""


class Watched:
    """The files as they were, to tell how far a run has come and whether anything is lost."""

    def __init__(self, house: House) -> None:
        self.files = [one for one in house.files() if one.suffix != ".jpg"]
        self.old = {one: artwork.embedded(str(one)) for one in self.files}
        self.sound = {one: embedding.sound(str(one)) for one in self.files}
        self.times = {one: one.stat().st_mtime_ns for one in self.files}
        self.new = {drawn(900, number) for number in range(ALBUMS)}

    def written(self) -> int:
        return sum(one.stat().st_mtime_ns != self.times[one] for one in self.files)

    def check(self) -> int:
        """Everything is whole; how many files hold a new picture."""
        fresh = 0
        for one in self.files:
            held = artwork.embedded(str(one))
            assert held == self.old[one] or held in self.new
            assert embedding.sound(str(one)) == self.sound[one]
            fresh += held in self.new
        return fresh


def run_and_kill(base: Path, watched: Watched, after: int) -> bool:
    """Whether the run was killed (when so many more files were written) before it was done."""
    before = watched.written()
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(base), str(ALBUMS)], cwd=ROOT, stdout=subprocess.PIPE,
                             text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert child.stdout is not None
    try:
        assert child.stdout.readline().startswith("planned")
        deadline = time.monotonic() + 60
        while child.poll() is None and time.monotonic() < deadline:
            if watched.written() >= before + after:
                os.kill(child.pid, signal.SIGKILL)
                break
            time.sleep(0.0005)
        return child.wait(30) == -signal.SIGKILL
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
        child.stdout.close()


@pytest.mark.parametrize("after", [1, 8])
def test_a_kill_loses_nothing_and_the_next_run_does_the_rest(tmp_path: Path, after: int) -> None:
    house = House(tmp_path / "home")
    for number in range(ALBUMS):
        made = make_album(house.music, album=f"Album {number}", count=TRACKS, picture=drawn(90, number),
                          suffix=(".flac", ".mp3")[number])
    (made[0].parent / "cover.jpg").write_bytes(drawn(70, ALBUMS - 1))
    house.scan()
    watched = Watched(house)
    killed = run_and_kill(house.base, watched, after)
    begun = watched.check()
    time.sleep(0.2)                 # a worker that was in the middle of a file has ended with its parent by now
    assert watched.check() == begun
    assert killed
    assert house.rows("PRAGMA integrity_check") == [("ok",)]

    for number in range(ALBUMS):
        house.shop.sell(f"Album {number}", drawn(900, number))
    house.better().run(house.better().plan(work=Following()), work=Following())
    assert watched.check() == len(watched.files)
    house.scan()
    assert [house.shown(f"Album {number}") for number in range(ALBUMS)] == [(900, 900)] * ALBUMS
    assert house.better().plan(work=Following()).albums == []
    assert house.journal.cut_off() == []

    while house.journal.last("fix-library-covers") is not None:
        assert house.better().undo(work=Following()).failed == []
    assert [artwork.embedded(str(one)) for one in watched.files] == [watched.old[one] for one in watched.files]
    assert watched.check() == 0
    house.scan()
    assert [house.shown(f"Album {number}") for number in range(ALBUMS)] == [(90, 90), (70, 70)]
    house.close()
