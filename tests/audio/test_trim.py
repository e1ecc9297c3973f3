"""Silence at both ends is found, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from shared.audio.trim import bounds
from tests.audio.sounds import RATE, Wave, flac, music, silence, sine


def of(folder: Path, *parts: Wave) -> tuple[int, int]:
    return bounds(str(flac(folder, np.concatenate(parts, axis=1))))


TONE = sine(440, -20, 2, RATE)


@pytest.mark.parametrize(("before", "after", "start", "end"), [
    (1.0, 2.0, 950, 3050), (0.2, 0.25, 0, 2450), (0.0, 0.0, 0, 2000), (0.31, 0.0, 260, 2310), (5.0, 0.29, 4950, 7290),
])
def test_silence_is_cut_but_for_fifty_milliseconds(
    tmp_path: Path, before: float, after: float, start: int, end: int
) -> None:
    found = of(tmp_path, silence(before), TONE, silence(after))
    assert found == (pytest.approx(start, abs=2), pytest.approx(end, abs=2))


def test_noise_below_sixty_decibels_is_silence_and_above_is_not(tmp_path: Path) -> None:
    start, _ = of(tmp_path, sine(100, -62, 1, RATE), TONE)
    assert start == pytest.approx(950, abs=3)
    assert of(tmp_path, sine(100, -57, 1, RATE), TONE)[0] == 0


def test_a_pause_in_the_music_stays(tmp_path: Path) -> None:
    assert of(tmp_path, TONE, silence(3), TONE) == (0, 7000)


def test_one_channel_that_sounds_is_enough(tmp_path: Path) -> None:
    left = TONE.copy()
    left[1] = 0
    assert of(tmp_path, silence(1), left) == (pytest.approx(950, abs=2), 3000)


def test_nothing_but_silence_stays_as_it_is(tmp_path: Path) -> None:
    assert of(tmp_path, silence(2)) == (0, 2000)


def test_music_is_left_alone(tmp_path: Path) -> None:
    assert of(tmp_path, music(3.0)) == (0, 3000)
