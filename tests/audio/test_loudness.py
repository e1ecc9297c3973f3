"""Loudness against the signals of EBU Tech 3341 (minimum requirements of "EBU mode" meters), synthesised here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from shared.audio import loudness
from shared.model.errors import UnreadableFile
from tests.audio.sounds import RATE, Wave, flac, music, pink, silence, sine
from tests.builders import FORMATS, make_audio, make_bad


def tones(*parts: tuple[float, float]) -> Wave:
    """1 kHz stereo, (dBFS, seconds) one after the other."""
    return np.concatenate([sine(1000, db, seconds).astype(np.float32) for db, seconds in parts], axis=1)


# EBU Tech 3341, table 1: case → signal, integrated loudness; tolerance ±0.1 LU
EBU = {
    1: (((-23, 20),), -23.0),
    2: (((-33, 20),), -33.0),
    3: (((-36, 10), (-23, 60), (-36, 10)), -23.0),
    4: (((-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)), -23.0),
    5: (((-26, 20), (-20, 20.1), (-26, 20)), -23.0),
}


@pytest.mark.parametrize("case", EBU)
def test_loudness_is_what_the_ebu_says(tmp_path: Path, case: int) -> None:
    parts, lufs = EBU[case]
    found = loudness.measure(str(flac(tmp_path, tones(*parts), 48_000, bits=24)))
    assert found["integrated_lufs"] == pytest.approx(lufs, abs=0.1)
    assert found["track_gain_db"] == pytest.approx(-18 - lufs, abs=0.1)


# EBU Tech 3341, table 1, cases 15 to 19: sines between the samples; dBTP +0.2/-0.4
@pytest.mark.parametrize(("hz", "phase", "dbfs", "true"), [
    (12_000, 0.0, -6.0, -6.0), (12_000, np.pi / 4, -6.0, -6.0), (8_000, np.pi / 3, -6.0, -6.0),
    (6_000, np.pi / 8, -6.0, -6.0), (12_000, np.pi / 4, 3.0, 3.0)])
def test_a_peak_between_samples_is_found(tmp_path: Path, hz: float, phase: float, dbfs: float, true: float) -> None:
    wave = sine(hz, dbfs, 2, phase=phase)
    assert np.abs(wave).max() <= 1.0 or hz != 12_000
    ramp = np.minimum(1, np.arange(wave.shape[1]) / 4800)
    found = loudness.measure(str(flac(tmp_path, wave * ramp * ramp[::-1], 48_000, bits=24)))
    assert -0.4 <= found["true_peak_db"] - true <= 0.2


def test_quiet_peaks_are_told_exactly(tmp_path: Path) -> None:
    for dbfs in (-30.0, -45.5, -60.0):
        found = loudness.measure(str(flac(tmp_path, sine(1000, dbfs, 3), 48_000, bits=24)))
        assert found["true_peak_db"] == pytest.approx(dbfs, abs=0.1)
        assert found["track_peak"] == pytest.approx(10 ** (dbfs / 20), rel=0.02)


def test_silence_has_no_gain(tmp_path: Path) -> None:
    found = loudness.measure(str(flac(tmp_path, silence(3))))
    assert found == {"integrated_lufs": -70.0, "true_peak_db": -120.0, "track_gain_db": None, "track_peak": 0.0}


def test_what_is_twice_as_strong_is_six_db_louder(tmp_path: Path) -> None:
    one = loudness.measure(str(flac(tmp_path, music() * 0.3)))
    two = loudness.measure(str(flac(tmp_path, music() * 0.6)))
    assert two["integrated_lufs"] - one["integrated_lufs"] == pytest.approx(6.02, abs=0.05)
    assert two["true_peak_db"] - one["true_peak_db"] == pytest.approx(6.02, abs=0.1)


def test_rate_and_depth_do_not_matter(tmp_path: Path) -> None:
    first = loudness.measure(str(flac(tmp_path, sine(997, -20, 5, 44_100), 44_100)))
    for rate, bits in ((48_000, 16), (96_000, 24), (22_050, 16)):
        again = loudness.measure(str(flac(tmp_path, sine(997, -20, 5, rate), rate, bits=bits)))
        assert again["integrated_lufs"] == pytest.approx(first["integrated_lufs"], abs=0.1)


def test_it_is_what_the_stations_own_reckoning_says(tmp_path: Path) -> None:
    """A second implementation, by Fourier transform (shared/audio/synth.py)."""
    from shared.audio import synth

    for wave in (pink() * 0.8, music() * 0.5):
        found = loudness.measure(str(flac(tmp_path, wave, RATE)))
        assert found["integrated_lufs"] == pytest.approx(synth.loudness(wave.astype(np.float32)), abs=0.2)


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_measured(tmp_path: Path, kind: str) -> None:
    wish = dict(FORMATS[kind])
    found = loudness.measure(str(make_audio(tmp_path, f"a{wish.pop('suffix')}", **wish)))
    assert kind == "ape" or found["integrated_lufs"] == pytest.approx(-8.6, abs=0.5)


def test_what_is_no_audio_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile):
        loudness.measure(str(make_bad(tmp_path, "html")))
