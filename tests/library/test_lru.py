"""A folder that stays below its size."""

import os
import tempfile
import time
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from shared.library.lru import KEEP, DiskLru


def put(folder, name, size, age_s):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    then = time.time() - age_s
    os.utime(path, (then, then))
    return path


def left(folder):
    return {one.name for one in folder.rglob("*") if one.is_file()}


@given(files=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 10_000)), max_size=12), limit=st.integers(0, 2000))
def test_what_stays_is_within_the_limit_and_is_what_was_used_last(files, limit):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ages = {}
        for number, (size, age) in enumerate(files):
            put(folder, f"{number % 3}/{number}", size, 10 * age + number)
            ages[str(number)] = 10 * age + number
        total = DiskLru(folder=folder, limit_bytes=limit).trim()
        stay = left(folder)
        assert total == sum(one.stat().st_size for one in folder.rglob("*") if one.is_file()) <= limit
        gone = set(ages) - stay
        if gone:
            assert sum(size for size, _ in files) > limit
            # Nothing left while something that was used later is there.
            assert max((ages[one] for one in stay), default=0) <= min(ages[one] for one in gone)


def test_a_use_keeps_a_file_and_an_unfinished_one_is_never_touched(tmp_path):
    lru = DiskLru(folder=tmp_path, limit_bytes=150)
    old = put(tmp_path, "a/old", 100, 90_000)
    put(tmp_path, "b/newer", 100, 80_000)
    put(tmp_path, "b/making.part", 500, 99_000)
    assert lru.use(str(old)).st_size == 100
    lru.trim()
    assert left(tmp_path) == {"old", "making.part"}
    assert lru.use(str(tmp_path / "b" / "newer")) is None


def test_adding_beyond_the_limit_cleans_up_by_itself(tmp_path):
    lru = DiskLru(folder=tmp_path, limit_bytes=1000)
    for number in range(12):
        put(tmp_path, f"{number}/file", 100, 1000 - number)
        lru.added(100)
        lru.wait()
    assert sum(one.stat().st_size for one in tmp_path.rglob("file")) <= 1000
    assert (tmp_path / "11" / "file").exists() and not (tmp_path / "0").exists()
    assert KEEP < 1


def test_a_folder_that_is_not_there_is_empty(tmp_path):
    assert DiskLru(folder=tmp_path / "none", limit_bytes=1).trim() == 0
