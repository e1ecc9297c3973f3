"""In a worker process: which tracks sound like others, and a way of small steps from one to another.

All descriptions (model.sound) lie in one matrix, made from the database and kept beside it as files that are mapped
into memory; it is made anew when descriptions were written. Each column is brought to the library's own mean and
spread, so that what sets tracks of this library apart counts, whatever it is.

How alike two tracks are is told from their distance by *mutual proximity*: how probable it is that a track of the
library is farther from the one than the other is, and the other way round (Schnitzer, Flexer, Schedl and Widmer,
"Local and Global Scaling Reduce Hubs in Space", Journal of Machine Learning Research 13, 2012). That keeps tracks that
are near to everything from being everybody's neighbour, and gives numbers between 0 and 1 that mean the same
everywhere: 1 for the same sound, about 0.25 for two tracks taken at random.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from shared.model.sound import GROUPS, SIZE, STEPS, VERSION
from shared.model.units import Seconds
from shared.records.vectors import vectors

FRESH_S: Seconds = 15.0         # while tracks are being listened to, the matrix is not made anew more often
REFERENCES = 400                # tracks that the others' distances are measured to
CORRIDOR = 600                  # tracks among which a way is looked for
_DOUBT, _PRIOR_MEAN, _PRIOR_SPREAD = 20.0, 1.36, 0.43       # distances of a library that is too small to tell
_SAME = 0.06                    # distance of two copies of one recording: no step of a way
_ASIDE = 1.05                   # a way does not go farther from either end than they are from each other, times this
_EVENLY = 0.05                  # what an uneven step costs, as a part of going there directly
_FILES = ("ids", "matrix", "scales")


@dataclass(slots=True)
class Space:
    """Where each track lies. ids: sorted; scales: mean and spread of the distances from each."""

    stamp: str
    ids: Any            # int64, (tracks,)
    matrix: Any         # float32, (tracks, SIZE)
    scales: Any         # float32, (tracks, 2)
    made_at: float = 0.0
    squares: Any = None # the rows' lengths, squared; once they are needed

    def rows(self, ids: Sequence[int]) -> list[int]:
        """Where these tracks stand; those that are not known are left out."""
        wanted = np.asarray(ids, dtype=np.int64)
        if not self.ids.size or not wanted.size:
            return []
        at = np.minimum(np.searchsorted(self.ids, wanted), self.ids.size - 1)
        return [int(row) for row, one in zip(at, wanted, strict=True) if self.ids[row] == one]

    def distances(self, row: int) -> Any:
        """From one track to all, near enough for choosing: (tracks,)."""
        here = self.matrix[row]
        if self.squares is None:
            self.squares = np.einsum("ij,ij->i", self.matrix, self.matrix)
        squares = self.squares - 2 * (self.matrix @ here) + here @ here
        return np.sqrt(np.maximum(squares, 0.0))

    def exact(self, row: int, others: Any) -> Any:
        """From one track to some."""
        steps = self.matrix[others].astype(np.float64) - self.matrix[row].astype(np.float64)
        return np.sqrt((steps ** 2).sum(axis=1))

    def alike(self, row: int, others: Any, distances: Any) -> Any:
        """0 to 1 for each of `others`, which lie at these distances from the track: symmetric, 1 for itself."""
        mean, spread = (self.scales[others, n].astype(np.float64) for n in (0, 1))
        own_mean, own_spread = (float(one) for one in self.scales[row])
        from_here = _farther(distances, own_mean, own_spread) / _farther(0.0, own_mean, own_spread)
        from_there = _farther(distances, mean, spread) / _farther(0.0, mean, spread)
        return np.clip(from_here * from_there, 0.0, 1.0)


_kept: dict[str, Space] = {}


def _farther(distance: Any, mean: Any, spread: Any) -> Any:
    """How probable a distance beyond this one is (the logistic curve is the normal one's, to within 0.01)."""
    return 1 / (1 + np.exp(1.702 * (distance - mean) / spread))


# ---- asking ------------------------------------------------------------------------------------------------------


def near(database: str, folder: str, stamp: str, ids: Sequence[int], count: int,
         allowed: bytes | None = None) -> list[tuple[int, float]]:
    """The `count` tracks most like any of `ids`, without these: (id, 0-1), the most alike first.

    stamp       of the descriptions as they are now (records.sounds)
    allowed     the ids among which is chosen, as int64; None: all
    Some 10 ms among 100,000.
    """
    space = _space(database, folder, stamp, ids)
    rows = space.rows(ids)
    if not rows or count <= 0:
        return []
    barred = np.zeros(space.ids.size, dtype=bool) if allowed is None else ~_among(space, allowed)
    barred[rows] = True
    every = np.arange(space.ids.size)
    best = np.full(space.ids.size, -1.0)
    for row in rows:
        np.maximum(best, space.alike(row, every, space.distances(row)), out=best)
    best[barred] = -1.0
    most = min(count + 10, best.size)
    chosen = np.argpartition(-best, most - 1)[:most]
    chosen = chosen[best[chosen] >= 0]
    if not chosen.size:
        return []
    exactly = np.max([space.alike(row, chosen, space.exact(row, chosen)) for row in rows], axis=0)
    order = np.lexsort((space.ids[chosen], -exactly))[:count]
    return [(int(space.ids[chosen[at]]), float(exactly[at])) for at in order]


def path(database: str, folder: str, stamp: str, first: int, last: int, count: int,
         allowed: bytes | None = None) -> list[tuple[int, float]] | None:
    """A way from one track to another in small steps: (id, how much like the first), both ends among them, at most
    `count`. None when one of them is not known.

    It goes through tracks that lie between the two, each nearer to the end than the one before: how far along a track
    is, the ratio of its distances to both ends tells (Flexer, Schnitzer, Gasser and Widmer, "Playlist Generation Using
    Start and End Songs", ISMIR 2008). Where they choose each track by itself, here the whole way is the best one: that
    with the least sum of squared steps, evenly spread, found by dynamic programming (Bellman, "On a Routing Problem",
    Quarterly of Applied Mathematics 16, 1958). Some 50 ms among 100,000.
    """
    space = _space(database, folder, stamp, (first, last))
    ends = space.rows((first, last))
    if len(ends) < 2:
        return None
    if first == last or count < 2:
        return [(first, 1.0)]
    rows, along = _between(space, ends[0], ends[1], count, None if allowed is None else _among(space, allowed))
    way = [rows[at] for at in _smoothest(space.matrix[rows].astype(np.float64), along, min(count, len(rows)))]
    alike = space.alike(ends[0], way, space.exact(ends[0], way))
    return [(int(space.ids[row]), float(how)) for row, how in zip(way, alike, strict=True)]


def _among(space: Space, allowed: bytes) -> Any:
    return np.isin(space.ids, np.frombuffer(allowed, dtype=np.int64))


def _between(space: Space, first: int, last: int, count: int, allowed: Any | None) -> tuple[list[int], Any]:
    """The rows a way may go through, and how far along each is, 0 to 1, rising from the first to the last."""
    from_first, to_last = space.distances(first), space.distances(last)
    whole = float(space.exact(first, [last])[0])
    both = from_first ** 2 + to_last ** 2
    both[(from_first > whole * _ASIDE) | (to_last > whole * _ASIDE)] = np.inf
    if allowed is not None:
        both[~allowed] = np.inf
    both[[first, last]] = np.inf
    most = min(max(CORRIDOR, 2 * count), both.size)
    chosen = np.argpartition(both, most - 1)[:most]
    chosen = chosen[np.isfinite(both[chosen])]
    along = from_first[chosen] / np.maximum(from_first[chosen] + to_last[chosen], 1e-9)
    order = np.lexsort((chosen, along))
    return [first, *(int(one) for one in chosen[order]), last], np.concatenate([[0.0], along[order], [1.0]])


def _smoothest(points: Any, along: Any, count: int) -> list[int]:
    """The way from the first point to the last through `count` of them, or fewer where they are too much the same."""
    squares = (points ** 2).sum(axis=1)
    steps = np.maximum(squares[:, None] + squares[None, :] - 2 * points @ points.T, 0.0)
    direct = steps[0, -1]
    steps[steps < _SAME ** 2] = np.inf          # itself, and other copies of the same recording
    steps[0, -1] = direct
    steps[np.tril_indices(len(points))] = np.inf
    uneven = ((along[None, :] - along[:, None]) * (count - 1) - 1) ** 2
    costs = steps + _EVENLY * direct * np.minimum(uneven, 4.0)
    everybody = np.arange(len(points))
    reached = costs[0]
    befores = [np.zeros(len(points), dtype=np.int64)]
    made_it = 1
    for step in range(2, count):
        through = reached[:, None] + costs
        before = np.argmin(through, axis=0)
        reached = through[before, everybody]
        befores.append(before)
        if np.isfinite(reached[-1]):
            made_it = step
    way = [len(points) - 1]
    for step in range(made_it, 0, -1):
        way.append(int(befores[step - 1][way[-1]]))
    way.reverse()
    return way


# ---- the matrix --------------------------------------------------------------------------------------------------


def _space(database: str, folder: str, stamp: str, ids: Sequence[int]) -> Space:
    """As of `stamp`; a little older while it changes often, if these tracks are in it."""
    space = _kept.get(database)
    if space is not None and space.stamp != stamp and time.monotonic() - space.made_at < FRESH_S \
            and len(space.rows(ids)) == len(set(ids)):
        return space
    if space is None or space.stamp != stamp:
        space = _opened(Path(folder), stamp)
        if space is None:
            space = made(stamp, *_read(database))
            _write(Path(folder), space)
            space = _opened(Path(folder), stamp) or space
        space.made_at = time.monotonic()
        _kept[database] = space
    return space


def _read(database: str) -> tuple[list[int], bytes]:
    ids, parts = [], []
    for track_id, vector in vectors(database, VERSION):
        if len(vector) == SIZE:
            ids.append(track_id)
            parts.append(vector)
    return ids, b"".join(parts)


def made(stamp: str, ids: Sequence[int], content: bytes) -> Space:
    """Where tracks with these ids (rising) and descriptions, one behind the other, lie. Some 0.5 s for 100,000."""
    raw = np.frombuffer(content, dtype=np.int8).reshape(len(ids), SIZE).astype(np.float32) / STEPS
    count = len(ids)
    if count:
        # Of few tracks the spread says little: music in general counts as fifty of them.
        variance = (count * raw.var(axis=0) + 50.0) / (count + 50.0)
        weights = np.concatenate([np.full(amount, weight / amount) for _, amount, weight in GROUPS])
        raw = (raw - raw.mean(axis=0)) * np.sqrt(weights / variance).astype(np.float32)
    return Space(stamp, np.asarray(ids, dtype=np.int64), raw, _scales(raw))


def _scales(matrix: Any) -> Any:
    """Mean and spread of the distances from each track to some, which stand for all: (tracks, 2)."""
    count = matrix.shape[0]
    scales = np.empty((count, 2), dtype=np.float32)
    if not count:
        return scales
    chosen = np.unique(np.linspace(0, count - 1, min(count, REFERENCES)).astype(np.int64))
    references = matrix[chosen]
    squares = (references ** 2).sum(axis=1)
    itself = np.zeros(count)
    itself[chosen] = 1.0
    for start in range(0, count, 8192):
        part = matrix[start:start + 8192]
        apart = np.maximum((part ** 2).sum(axis=1)[:, None] + squares - 2 * part @ references.T, 0.0)
        others = len(chosen) - itself[start:start + 8192] + _DOUBT
        mean = (np.sqrt(apart).sum(axis=1) + _DOUBT * _PRIOR_MEAN) / others
        square = (apart.sum(axis=1) + _DOUBT * (_PRIOR_MEAN ** 2 + _PRIOR_SPREAD ** 2)) / others
        scales[start:start + 8192, 0] = mean
        scales[start:start + 8192, 1] = np.sqrt(np.maximum(square - mean ** 2, 0.01))
    return scales


def _opened(folder: Path, stamp: str) -> Space | None:
    """As it was written, mapped into memory."""
    try:
        ids, matrix, scales = (np.load(folder / stamp / f"{name}.npy", mmap_mode="r", allow_pickle=False)
                               for name in _FILES)
    except (OSError, ValueError):
        return None
    if matrix.shape != (ids.size, SIZE) or scales.shape != (ids.size, 2):
        return None
    return Space(stamp, ids, matrix, scales)


def _write(folder: Path, space: Space) -> None:
    """Whole or not at all, in place of older ones. Without room it is left: then it is made again next time."""
    part = folder / f"{space.stamp}.{os.getpid()}.part"
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True, mode=0o700)
        for name in _FILES:
            np.save(part / f"{name}.npy", getattr(space, name), allow_pickle=False)
        part.rename(folder / space.stamp)
    except OSError:
        shutil.rmtree(part, ignore_errors=True)
        return
    with contextlib.suppress(OSError):
        for other in folder.iterdir():
            if other.name != space.stamp:
                shutil.rmtree(other, ignore_errors=True)
