"""Likeness by sound: between 0 and 1, the same both ways, 1 for itself; neighbours, and ways from one to another."""

from __future__ import annotations

import sqlite3
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.library import neighbours
from shared.model.sound import SIZE, VERSION

STAMP = f"{VERSION}-a"
vectors = st.lists(st.binary(min_size=SIZE, max_size=SIZE), min_size=2, max_size=12)


def database(folder: Path, rows: dict[int, bytes]) -> str:
    path = folder / "library.db"
    with sqlite3.connect(path) as conn:
        conn.execute("CREATE TABLE IF NOT EXISTS sounds (track_id INTEGER PRIMARY KEY, version INTEGER, vector BLOB)")
        conn.execute("DELETE FROM sounds")
        conn.executemany("INSERT INTO sounds VALUES (?, ?, ?)", [(one, VERSION, row) for one, row in rows.items()])
    conn.close()
    return str(path)


def line(count: int, *, wide: int = 90, seed: int = 1) -> dict[int, bytes]:
    """Tracks along a line through the space, a little beside it; the ids rise along it by ten."""
    dice = np.random.default_rng(seed)
    step = np.linspace(-wide, wide, count)[:, None] * np.sign(dice.normal(0, 1, SIZE))[None, :]
    return {10 * n: row.astype(np.int8).tobytes() for n, row in enumerate(step + dice.normal(0, 1.5, step.shape))}


@settings(max_examples=60, deadline=None)
@given(vectors)
def test_likeness_is_the_same_both_ways_and_one_for_itself(rows: list[bytes]) -> None:
    space = neighbours.made("", range(len(rows)), b"".join(rows))
    every = list(range(len(rows)))
    table = np.array([space.alike(row, every, space.exact(row, every)) for row in every])
    assert ((table >= 0) & (table <= 1)).all()
    assert np.allclose(table, table.T, atol=1e-9)
    assert np.allclose(np.diag(table), 1.0)
    for first in every:     # the farther, the less alike, seen from one track against tracks with the same scales
        for second in every:
            if rows[first] == rows[second]:
                assert table[first, second] > 0.999


def test_the_nearest_come_first_and_never_the_track_itself(tmp_path: Path) -> None:
    path = database(tmp_path, line(40))
    found = neighbours.near(path, str(tmp_path / "kept"), STAMP, [200], 6)
    assert {one for one, _ in found} == {170, 180, 190, 210, 220, 230}
    likeness = [how for _, how in found]
    assert likeness == sorted(likeness, reverse=True) and 0 < likeness[-1] <= likeness[0] <= 1
    assert neighbours.near(path, str(tmp_path / "kept"), STAMP, [200], 6) == found
    both = neighbours.near(path, str(tmp_path / "kept"), STAMP, [0, 390], 4)
    assert {one for one, _ in both} == {10, 20, 370, 380}


def test_only_what_is_allowed_is_found(tmp_path: Path) -> None:
    path = database(tmp_path, line(40))
    allowed = struct.pack("=4q", 0, 10, 200, 390)
    found = neighbours.near(path, str(tmp_path / "kept"), STAMP, [200], 10, allowed)
    assert {one for one, _ in found} == {0, 10, 390}
    way = neighbours.path(path, str(tmp_path / "kept"), STAMP, 0, 390, 10, struct.pack("=4q", 0, 10, 200, 390))
    assert way is not None and {one for one, _ in way} <= {0, 10, 200, 390}


def test_what_is_not_known_has_no_neighbours(tmp_path: Path) -> None:
    path = database(tmp_path, line(5))
    assert neighbours.near(path, str(tmp_path / "kept"), STAMP, [7], 3) == []
    assert neighbours.path(path, str(tmp_path / "kept"), STAMP, 0, 7, 3) is None
    (tmp_path / "empty").mkdir()
    empty = database(tmp_path / "empty", {})
    assert neighbours.near(empty, str(tmp_path / "kept"), f"{VERSION}-b", [0], 3) == []


@pytest.mark.parametrize("count", [2, 3, 8, 25])
def test_a_way_goes_on_from_the_first_to_the_last_in_even_steps(tmp_path: Path, count: int) -> None:
    path = database(tmp_path, line(60))
    way = neighbours.path(path, str(tmp_path / "kept"), STAMP, 0, 590, count)
    assert way is not None
    ids = [one for one, _ in way]
    assert len(ids) == count and ids[0] == 0 and ids[-1] == 590
    assert ids == sorted(ids), "it turns back on the way"
    assert way[0][1] == 1.0 and way[-1][1] == min(how for _, how in way)
    steps = np.diff(ids)
    assert steps.max() <= 2.5 * 590 / (count - 1)


def test_a_way_does_not_stop_at_another_copy_of_the_same_recording(tmp_path: Path) -> None:
    rows = line(12)
    rows |= {one + 1: row for one, row in rows.items() if 0 < one < 110}       # everything twice
    way = neighbours.path(database(tmp_path, rows), str(tmp_path / "kept"), STAMP, 0, 110, 30)
    assert way is not None
    places = [one // 10 for one, _ in way]
    assert len(places) == len(set(places)) == 12


def test_a_way_to_oneself_is_short_and_between_strangers_there_is_the_direct_one(tmp_path: Path) -> None:
    path = database(tmp_path, line(2))
    assert neighbours.path(path, str(tmp_path / "kept"), STAMP, 10, 10, 5) == [(10, 1.0)]
    way = neighbours.path(path, str(tmp_path / "kept"), STAMP, 10, 0, 5)
    assert way is not None and [one for one, _ in way] == [10, 0]


def test_the_matrix_is_kept_beside_the_database_and_made_anew_when_rows_changed(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tmp_path / "kept"
    path = database(tmp_path, line(5))
    assert len(neighbours.near(path, str(kept), STAMP, [0], 10)) == 4
    assert [one.name for one in kept.iterdir()] == [STAMP]
    monkeypatch.setattr(neighbours, "_kept", {})        # another process
    database(tmp_path, {})
    assert len(neighbours.near(path, str(kept), STAMP, [0], 10)) == 4, "the files were not used"
    database(tmp_path, line(8))
    newer = f"{VERSION}-b"
    assert len(neighbours.near(path, str(kept), newer, [70], 10)) == 7, "a track that was not in it is not waited for"
    assert [one.name for one in kept.iterdir()] == [newer]


def test_files_that_are_damaged_are_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tmp_path / "kept"
    path = database(tmp_path, line(5))
    neighbours.near(path, str(kept), STAMP, [0], 10)
    (kept / STAMP / "matrix.npy").write_bytes(b"nothing")
    monkeypatch.setattr(neighbours, "_kept", {})
    assert len(neighbours.near(path, str(kept), STAMP, [0], 10)) == 4


def test_what_is_near_to_everything_is_not_everybodys_neighbour() -> None:
    """Among tracks with many independent sides the one in the middle is the nearest of all, by distance alone."""
    dice = np.random.default_rng(3)
    rows = np.clip(dice.normal(0, 20, (300, SIZE)), -127, 127).astype(np.int8)
    rows[0] = 0
    space = neighbours.made("", range(300), rows.tobytes())
    others = list(range(300))

    def followers(by_distance: bool) -> int:
        count = 0
        for row in others[1:]:
            apart = space.exact(row, others)
            order = np.argsort(apart if by_distance else -space.alike(row, others, apart))
            count += 0 in order[1:4]
        return count

    assert followers(by_distance=True) > 250
    assert followers(by_distance=False) < 100
