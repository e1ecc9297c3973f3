"""Tell what a piece sounds like, in 68 small numbers: its timbre, its rhythm, its harmony, and how it moves.

Three excerpts are listened to, mono at 22.05 kHz, in windows of 93 ms every 46 ms. What is taken from them is known
from the literature on music similarity, none of it depends on how loud the file is:

    timbre      means, spreads and spreads of the changes of 13 MFCCs (Logan, "Mel Frequency Cepstral Coefficients for
                Music Modeling", ISMIR 2000; Mandel and Ellis, "Song-Level Features and Support Vector Machines for
                Music Classification", ISMIR 2005); without the first coefficient, which is loudness
    contrast    peaks against valleys in six octaves (Jiang et al., "Music Type Classification by Spectral Contrast
                Feature", ICME 2002)
    shape       centroid, roll-off, flatness and flux (Tzanetakis and Cook, "Musical Genre Classification of Audio
                Signals", IEEE Transactions on Speech and Audio Processing 10, 2002)
    rhythm      onsets a second, how steady the beat is, and how the strength of onsets is modulated in eight bands from
                0.4 to 10 Hz (after Pampalk, "Computational Models of Music Similarity and their Application in Music
                Information Retrieval", 2006, and McKinney and Breebaart, "Features for Audio and Music
                Classification", ISMIR 2003)
    harmony     how the pitch classes (Fujishima, "Realtime Chord Recognition of Musical Sound", ICMC 1999) agree with
                themselves at six intervals, how few there are, and how fast they change: the same in every key

Each number is brought to a common scale with what music in general has, so that it fits one byte; whoever changes how
they come about raises model.sound.VERSION. Imported by worker processes only.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import av
import numpy as np

from shared.audio.decoding import opened
from shared.model.errors import UnreadableFile
from shared.model.sound import STEPS
from shared.model.units import Milliseconds, Seconds

RATE = 22_050
EXCERPTS = (0.2, 0.5, 0.8)      # where the excerpts have their middle, as a part of the whole
EXCERPT_S: Seconds = 20.0
LEAST_S: Seconds = 1.5          # of sound; less tells nothing
WINDOW, HOP = 2048, 1024        # samples
BANDS = 40
COEFFICIENTS = 13               # beside the first
FLOOR_DB = -65.0                # below the loud parts of the piece: what is softer is not heard
_SILENT = 1e-9                  # mean power

Wave = Any      # float32, (samples,)


def describe(path: str, duration_ms: Milliseconds = 0) -> bytes | None:
    """The description of the file at `path`: model.sound.SIZE bytes, one signed number each; None: there is too little
    to hear.

    duration_ms     as far as known; 0: only the beginning is listened to
    Costs some 0.1 to 0.3 s of one core. Raises UnreadableFile.
    """
    parts = []
    for start_ms, wanted_s in _places(duration_ms):
        with contextlib.suppress(UnreadableFile):   # it is shorter than it says, or cannot be sought in
            parts.append(excerpt(path, start_ms, wanted_s))
    if sum(part.size for part in parts) < LEAST_S * RATE:
        parts = [excerpt(path, 0, EXCERPT_S * len(EXCERPTS))]
    numbers = measure(parts)
    return None if numbers is None else packed(numbers)


def _places(duration_ms: Milliseconds) -> list[tuple[Milliseconds, Seconds]]:
    """(start, length) of what is listened to."""
    whole_s = duration_ms / 1000
    if whole_s <= EXCERPT_S * len(EXCERPTS) * 1.1:
        return [(0, EXCERPT_S * len(EXCERPTS) * 1.1)]
    return [(round(1000 * max(0.0, whole_s * middle - EXCERPT_S / 2)), EXCERPT_S) for middle in EXCERPTS]


def excerpt(path: str, start_ms: Milliseconds, seconds: Seconds) -> Wave:
    """Mono samples at RATE, at most `seconds` of them. Raises UnreadableFile."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
    shape: tuple[Any, ...] | None = None
    parts: list[Any] = []
    held, wanted = 0, int(seconds * RATE)
    with opened(path) as sound:
        for frame in sound.frames(start_ms):
            if shape is None:
                shape = (frame.format.name, frame.layout.name, frame.sample_rate)
            elif shape != (frame.format.name, frame.layout.name, frame.sample_rate):
                shape = (frame.format.name, frame.layout.name, frame.sample_rate)     # a chained Ogg file
                resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
            frame.pts = None
            for ready in resampler.resample(frame):
                part: Any = ready.to_ndarray()
                parts.append(part.reshape(-1))
                held += part.size
            if held >= wanted:
                break
    wave = np.concatenate(parts)[:wanted] if parts else np.zeros(0)
    return np.nan_to_num(wave.astype(np.float32), nan=0.0, posinf=1.0, neginf=-1.0)


# ---- numbers -----------------------------------------------------------------------------------------------------


def measure(parts: Iterable[Wave]) -> Any | None:
    """The numbers of excerpts of one piece, as they are: floats, as many as model.sound.SIZE; None: there is too little
    to hear."""
    powers = [_power(part) for part in parts if part.size >= WINDOW]
    frames = sum(one.shape[0] for one in powers)
    if frames * HOP < LEAST_S * RATE or max(float(one.mean()) for one in powers) < _SILENT:
        return None
    loud = np.percentile(np.concatenate([one.sum(axis=1) for one in powers]), 90)
    least = max(float(loud), 1e-12) * 10 ** (FLOOR_DB / 10)
    timbre, contrast, shape, rhythm, harmony = zip(*(_of_part(one, least) for one in powers), strict=True)
    return np.concatenate([
        _timbre(timbre), np.concatenate(contrast).mean(axis=0), _shape(shape), _rhythm(rhythm), _harmony(harmony),
    ])


def _of_part(power: Any, least: float) -> tuple[Any, Any, Any, Any, Any]:
    """What an excerpt's windows tell: cepstra, contrasts, shapes, onsets, pitch classes."""
    mels = power @ _mel_filters().T
    decibels = 10 * np.log10(np.maximum(mels, least / BANDS))
    cepstra = decibels @ _cosines().T
    rises = np.maximum(np.diff(decibels, axis=0, prepend=decibels[:1]), 0.0)
    heard = power.sum(axis=1) > least
    return cepstra, _contrasts(power, least), _shapes(power, heard, rises), rises.mean(axis=1), _chroma(power, heard)


def _power(wave: Wave) -> Any:
    """Power of each window: (windows, bins)."""
    count = 1 + (wave.size - WINDOW) // HOP
    windows = np.lib.stride_tricks.sliding_window_view(wave, WINDOW)[::HOP][:count]
    spectrum = np.fft.rfft(windows * _window(), axis=1)
    power: Any = (spectrum.real ** 2 + spectrum.imag ** 2).astype(np.float32)
    return power / WINDOW


def _timbre(cepstra: Sequence[Any]) -> Any:
    whole = np.concatenate(cepstra)
    steps = np.concatenate([np.diff(one, axis=0) for one in cepstra])
    return np.concatenate([whole.mean(axis=0), whole.std(axis=0), steps.std(axis=0)])


def _contrasts(power: Any, least: float) -> Any:
    """Decibels from the valleys to the peaks of each octave: (windows, 6)."""
    columns = []
    for low, high in _octaves():
        band = np.sort(power[:, low:high], axis=1)
        edge = max(1, round(0.15 * (high - low)))
        peak, valley = band[:, -edge:].mean(axis=1), band[:, :edge].mean(axis=1)
        floor = least / (WINDOW // 2)
        columns.append(10 * np.log10(np.maximum(peak, floor) / np.maximum(valley, floor)))
    return np.stack(columns, axis=1)


def _shapes(power: Any, heard: Any, rises: Any) -> Any:
    """Centroid and roll-off in octaves, flatness in decibels, rises: (windows that are heard, 4)."""
    octave = _bin_octaves()
    power, rises = power[heard, 1:], rises[heard]
    if not power.shape[0]:
        return np.zeros((0, 4))
    whole = power.sum(axis=1)
    centroid = (power * octave).sum(axis=1) / whole
    rolled = octave[np.argmax(np.cumsum(power, axis=1) >= 0.85 * whole[:, None], axis=1)]
    floored = np.maximum(power, whole[:, None] * 1e-7)
    flatness = 10 * (np.log10(floored).mean(axis=1) - np.log10(floored.mean(axis=1)))
    return np.stack([centroid, rolled, flatness, rises.mean(axis=1)], axis=1)


def _shape(shapes: Sequence[Any]) -> Any:
    whole = np.concatenate(shapes)
    if not whole.shape[0]:
        return np.zeros(5)
    return np.append(whole.mean(axis=0), whole[:, 0].std())


def _rhythm(onsets: Sequence[Any]) -> Any:
    """Onsets a second, steadiness, and the modulation of onsets in eight bands, their sum one."""
    a_second = RATE / HOP
    rates, steadiness, bands = [], [], []
    edges = np.geomspace(0.4, 10.0, 9)
    for one in onsets:
        calm = one - one.mean()
        spread = calm.std()
        if one.size < 8 or spread < 1e-6:
            rates.append(0.0)
            steadiness.append(0.0)
            bands.append(np.full(8, 0.125))
            continue
        peaks = (one[1:-1] > one[:-2]) & (one[1:-1] >= one[2:]) & (one[1:-1] > one.mean() + 0.8 * spread)
        rates.append(float(peaks.sum()) / (one.size / a_second))
        size = 1 << int(np.ceil(np.log2(2 * one.size)))
        spectrum = np.abs(np.fft.rfft(calm * np.hanning(one.size), size)) ** 2
        alike = np.fft.irfft(np.abs(np.fft.rfft(calm, size)) ** 2)[:one.size]
        first, last = int(0.25 * a_second), min(one.size - 1, int(1.6 * a_second))
        steadiness.append(float(max(0.0, alike[first:last].max() / alike[0])) if last > first else 0.0)
        hertz = np.fft.rfftfreq(size, 1 / a_second)
        sums = np.array([spectrum[(hertz >= low) & (hertz < high)].sum()
                         for low, high in itertools.pairwise(edges)])
        bands.append((sums + 1e-9) / (sums.sum() + 8e-9))
    weights = np.array([one.size for one in onsets], dtype=float)
    weights /= weights.sum()
    return np.concatenate([[weights @ np.sqrt(rates), weights @ np.array(steadiness)],
                           np.sqrt(weights @ np.array(bands))])


def _chroma(power: Any, heard: Any) -> Any:
    """How strong each pitch class is, the strongest 1: (windows that are heard, 12)."""
    classes = np.sqrt(power[heard] @ _pitch_classes().T)
    return classes / np.maximum(classes.max(axis=1, keepdims=True), 1e-12)


def _harmony(chroma: Sequence[Any]) -> Any:
    """Agreement of the pitch classes with themselves at one to six semitones, how few there are, how fast they move."""
    whole = np.concatenate(chroma)
    if whole.shape[0] < 4:
        return np.zeros(8)
    calm = whole - whole.mean(axis=1, keepdims=True)
    energy = (calm ** 2).sum(axis=1).mean() + 1e-12
    alike = [float((calm * np.roll(calm, step, axis=1)).sum(axis=1).mean() / energy) for step in range(1, 7)]
    share = whole / whole.sum(axis=1, keepdims=True)
    fewness = float(1 + (share * np.log(share + 1e-12)).sum(axis=1).mean() / np.log(12))
    moves = np.concatenate([np.abs(np.diff(one, axis=0)).mean(axis=1) for one in chroma if one.shape[0] > 1] or [[0.0]])
    return np.array([*alike, fewness, float(np.mean(moves))])


# ---- tables ------------------------------------------------------------------------------------------------------


@functools.cache
def _window() -> Any:
    return np.hanning(WINDOW).astype(np.float32)


@functools.cache
def _hertz() -> Any:
    return np.fft.rfftfreq(WINDOW, 1 / RATE)


@functools.cache
def _mel_filters() -> Any:
    """Triangles from 30 Hz to 10 kHz, evenly spread on the mel scale: (BANDS, bins)."""
    def mel(hertz: Any) -> Any:
        return 2595 * np.log10(1 + hertz / 700)

    corners = 700 * (10 ** (np.linspace(mel(30.0), mel(10_000.0), BANDS + 2) / 2595) - 1)
    hertz = _hertz()
    filters = np.zeros((BANDS, hertz.size), dtype=np.float32)
    for band, (low, middle, high) in enumerate(zip(corners[:-2], corners[1:-1], corners[2:], strict=True)):
        rise, fall = (hertz - low) / (middle - low), (high - hertz) / (high - middle)
        filters[band] = np.maximum(0.0, np.minimum(rise, fall))
        if not filters[band].any():
            filters[band, np.argmin(np.abs(hertz - middle))] = 1.0      # narrower than a bin
    return filters


@functools.cache
def _cosines() -> Any:
    """The discrete cosine transform from bands to coefficients 1 to COEFFICIENTS."""
    band = np.arange(BANDS) + 0.5
    return np.stack([np.cos(np.pi * n * band / BANDS) * np.sqrt(2 / BANDS) for n in range(1, COEFFICIENTS + 1)])


@functools.cache
def _octaves() -> tuple[tuple[int, int], ...]:
    """The bins of six octaves and their like: (first, behind the last)."""
    edges = [round(one * WINDOW / RATE) for one in (100, 200, 400, 800, 1600, 3200, 8000)]
    return tuple(itertools.pairwise(edges))


@functools.cache
def _bin_octaves() -> Any:
    return np.log2(_hertz()[1:] / 100.0)


@functools.cache
def _pitch_classes() -> Any:
    """Which bins, from 100 Hz to 5 kHz, belong to which pitch class: (12, bins)."""
    hertz = _hertz()
    note = 12 * np.log2(np.maximum(hertz, 1.0) / 440.0) + 69
    weights = np.zeros((12, hertz.size), dtype=np.float32)
    wanted = (hertz >= 100) & (hertz <= 5000)
    for pitch in range(12):
        away = np.abs((note - pitch + 6) % 12 - 6)
        weights[pitch] = np.where(wanted, np.maximum(0.0, 1 - away), 0.0)
    return weights


# ---- bytes -------------------------------------------------------------------------------------------------------


def packed(numbers: Any) -> bytes:
    """`numbers` as bytes: STEPS for each standard deviation away from what music has on the average."""
    steps = np.round((np.asarray(numbers) - _MEANS) / _SPREADS * STEPS)
    content: bytes = np.clip(steps, -127, 127).astype(np.int8).tobytes()
    return content


# Of pieces of many kinds, played by tests/audio/ensembles.py and synth.py; a library's own are told from its bytes
# (library.neighbours), so that these only have to be near enough for a byte to hold all music.
_MEANS = np.array([
    75.3, 8.47, 5.48, -4.74, -6.61, -10.7, -10.4, -10.8, -7.9, -6.46, -4.6, -3.78, -3.17, 28.0, 17.7, 15.1,
    12.9, 11.7, 10.9, 9.56, 8.73, 8.13, 7.66, 7.83, 7.27, 7.26, 19.8, 10.8, 11.7, 8.7, 8.07, 7.61, 7.02, 5.8,
    5.34, 4.83, 4.54, 4.04, 3.78, 36.5, 44.2, 48.0, 37.9, 31.7, 22.3, 1.7, 2.45, -31.4, 2.55, 0.45, 1.5, 0.492,
    0.113, 0.14, 0.203, 0.25, 0.334, 0.374, 0.414, 0.549, 0.428, -0.0328, -0.254, -0.27, -0.219, -0.305, 0.113,
    0.115,
])
_SPREADS = np.array([
    37.2, 38.0, 16.6, 16.0, 12.2, 13.7, 12.6, 10.9, 8.42, 6.61, 5.42, 5.41, 5.44, 12.9, 8.72, 7.54, 6.97, 5.9,
    5.49, 4.48, 4.11, 3.59, 3.05, 2.98, 2.57, 2.94, 20.1, 8.32, 12.3, 9.57, 8.9, 8.46, 7.49, 6.1, 4.94, 3.94,
    3.28, 2.73, 2.28, 10, 10.8, 16.8, 20.8, 19.9, 18.4, 0.51, 0.715, 5.64, 2.66, 0.163, 0.442, 0.283, 0.107,
    0.117, 0.123, 0.143, 0.122, 0.117, 0.119, 0.188, 0.192, 0.175, 0.0938, 0.108, 0.229, 0.207, 0.0597, 0.121,
])
