"""Lossless files that were lossy before are told from those that never were."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
import pytest

from shared.audio.spectrum import Edge, Spectrum
from tests.audio.sounds import RATE, Wave, decoded, encoded, filtered, music, pink, silence, sine

MATERIAL = {"pink": pink, "music": music, "loud": lambda: np.clip(music() * 6, -1, 1)}


def edge(wave: Wave, rate: int = RATE, bits: int = 16) -> Edge | None:
    """Of `wave`, rounded to `bits` as a file would have it."""
    rounded = (np.round(np.clip(wave, -1, 1) * (1 << bits - 1)) / (1 << bits - 1)).astype(np.float32)
    spectrum = Spectrum(rate, wave.shape[1])
    for start in range(0, wave.shape[1], 4608):
        part = rounded[:, start:start + 4608]
        if spectrum.wants(part.shape[1]):
            spectrum.take(part)
    return spectrum.edge()


def through(wave: Wave, codec: str, container: str, **how: Any) -> tuple[Wave, int]:
    return decoded(encoded(wave, RATE, codec, container, **how))


LOSSY = {
    "mp3 128": ("libmp3lame", "mp3", {"kbps": 128}, 16_500), "mp3 192": ("libmp3lame", "mp3", {"kbps": 192}, 18_700),
    "mp3 320": ("libmp3lame", "mp3", {"kbps": 320}, 20_100), "aac 128": ("aac", "adts", {"kbps": 128}, 17_200),
    "aac 16 kHz": ("aac", "adts", {"kbps": 128, "options": {"cutoff": "16000"}}, 16_500),
    "opus 128": ("libopus", "ogg", {"kbps": 128, "at": 48_000}, 20_000),
    "opus 320": ("libopus", "ogg", {"kbps": 320, "at": 48_000}, 20_000),
}


@pytest.mark.parametrize("material", MATERIAL)
@pytest.mark.parametrize("codec", LOSSY)
def test_what_was_lossy_before_is_recognised(material: str, codec: str) -> None:
    name, container, how, cutoff_hz = LOSSY[codec]
    wave, rate = through(MATERIAL[material](), name, container, **how)
    found = edge(wave, rate)
    assert found is not None
    assert found.lossy
    assert abs(found.cutoff_hz - cutoff_hz) < 500


def test_in_mono_too() -> None:
    wave, rate = through(music()[:1], "libmp3lame", "mp3", kbps=64)
    found = edge(wave, rate)
    assert found is not None
    wave, rate = through(music()[:1], "libopus", "ogg", kbps=96, at=48_000)
    found = edge(wave, rate)
    assert found is not None
    assert found.lossy


def resampled(wave: Wave, rate: int, to: int) -> Wave:
    resampler = av.AudioResampler("fltp", "stereo", to)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(wave.astype(np.float32)), format="fltp", layout="stereo")
    frame.sample_rate = rate
    return np.concatenate([one.to_ndarray() for one in [*resampler.resample(frame), *resampler.resample(None)]], axis=1)


def butterworth(order: int, hz: float) -> Any:
    return lambda f: 1 / np.sqrt(1 + (f / hz) ** (2 * order))


def like_sox(nyquist: float, passband: float) -> Any:
    """A good resampler's slope: flat, then down 120 dB by the end."""
    return lambda f: 10 ** (-6 * np.clip((f - nyquist * passband) / (nyquist * (1 - passband)), 0, 1) ** 2)


@pytest.mark.parametrize("material", MATERIAL)
@pytest.mark.parametrize("case", [
    "as it is", "24 bit", "quiet", "very quiet", "8 bit", "mono", "gently dull", "dull", "very dull", "bright",
    "48 to 44.1", "44.1 to 48", "44.1 to 96", "96 to 44.1", "32 to 44.1", "32 to 48", "22.05 to 44.1", "24 to 48",
    "sox 44.1", "sox 32", "FM",
])
def test_what_is_lossless_is_not_accused(material: str, case: str) -> None:
    wave, rate, bits = MATERIAL[material](), RATE, 16
    change: dict[str, Any] = {
        "quiet": lambda: wave * 0.01, "very quiet": lambda: wave * 0.001, "mono": lambda: wave[:1],
        "gently dull": lambda: filtered(wave, RATE, butterworth(2, 12_000)),
        "dull": lambda: filtered(wave, RATE, butterworth(8, 16_000)),
        "very dull": lambda: filtered(wave, RATE, butterworth(16, 14_000)),
        "bright": lambda: filtered(wave, RATE, lambda f: 1 + f / 4000) / 4,
        "48 to 44.1": lambda: resampled(wave, 48_000, 44_100), "96 to 44.1": lambda: resampled(wave, 96_000, 44_100),
        "sox 44.1": lambda: filtered(wave, RATE, like_sox(22_050, 0.95)),
        "sox 32": lambda: filtered(wave, RATE, like_sox(16_000, 0.95)),
        "FM": lambda: filtered(wave, RATE, lambda f: f < 15_000) + sine(19_000, -60, wave.shape[1] / RATE, RATE),
    }
    if " to " in case and case not in change:
        first, last = (round(float(one) * 1000) for one in case.split(" to "))
        wave, rate = resampled(resampled(wave, RATE, first) if first != RATE else wave, first, last), last
    elif case in change:
        wave = change[case]()
    bits = {"24 bit": 24, "8 bit": 8}.get(case, bits)
    found = edge(wave, rate, bits)
    assert found is None or not found.lossy


@pytest.mark.parametrize("wave", [
    silence(10), sine(440, -6, 10, RATE), sine(15_000, -6, 10, RATE), sine(16_000, -1, 10, RATE),
    sine(19_000, -1, 10, RATE), silence(10) + 0.5 * np.sign(sine(100, 0, 10, RATE)),
    np.tile(0.5 * np.sin(2 * np.pi * (20 * (t := np.arange(RATE * 10) / RATE) + 950 * t * t)), (2, 1)),
], ids=["silence", "440", "15k", "16k", "19k", "square", "sweep"])
def test_tones_and_silence_are_not_accused(wave: Wave) -> None:
    found = edge(wave)
    assert found is None or not found.lossy


def test_too_little_sound_says_nothing() -> None:
    wave, rate = through(pink(), "libmp3lame", "mp3", kbps=128)
    assert edge(wave[:, :RATE // 2], rate) is None
