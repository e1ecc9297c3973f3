"""Tell from its spectrum whether lossless audio was once lossy: the steep end that a lossy encoder's low-pass leaves.

MP3, AAC, Vorbis and Opus drop everything above a frequency that depends on the bitrate (16 kHz at 128 kbit/s, 19 to
20 kHz at the highest ones), within a few hundred hertz and down to nothing. Music ends otherwise: gently, or where
its sampling rate ends. What could be both is given the benefit of the doubt: quiet and dull music whose treble sinks
into the noise, single tones, old recordings, and what was resampled from 32 or 44.1 kHz.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

WINDOWS = 320               # looked at, spread over the whole piece
LEAST_WINDOWS = 12
BAND_HZ = 100.0
DROP_DB = 18.0              # from just below the edge to just above it, at least
STEEP_HZ = 1000.0           # within which it must have fallen
SLOPE_DB = 15.0             # it may have fallen before, over some 2 kHz
LOWEST_HZ, HIGHEST_HZ = 11_000, 24_500      # where an edge is looked for
# Below lies the end of 32 kHz (FM, DAT, old films), above that of 44.1 kHz through a good resampler.
ACCUSED_HZ = (15_750, 20_700)
ENDED_HZ = 21_100           # by which an encoder has come to nothing
_BELOW, _GAP_BELOW, _GAP_ABOVE = 1500.0, 200.0, 300.0


@dataclass(frozen=True, slots=True)
class Edge:
    """Where the sound ends all at once."""

    cutoff_hz: int
    drop_db: float

    @property
    def lossy(self) -> bool:
        """Whether an encoder must have left it."""
        return ACCUSED_HZ[0] <= self.cutoff_hz <= ACCUSED_HZ[1]


class Spectrum:
    """Gathers windows while somebody else decodes. Costs some 0.1 ms a window, and nothing between them.

    rate_hz     of the frames that are given
    samples     how many will come, as far as known; 0: windows lie three a second
    """

    def __init__(self, rate_hz: int, samples: int) -> None:
        self.rate_hz = rate_hz
        self._size = 1 << max(10, round(np.log2(rate_hz / 10.8)))
        self._stride = max(self._size, samples // WINDOWS if samples else rate_hz // 3)
        # Nuttall's: what a loud tone spills beside itself lies below the noise of 16 bits a few bins away.
        turn = 2 * np.pi * np.arange(self._size) / self._size
        self._window = (0.355768 - 0.487396 * np.cos(turn) + 0.144232 * np.cos(2 * turn)
                        - 0.012604 * np.cos(3 * turn)).astype(np.float32)
        bins = max(1, round(BAND_HZ * self._size / rate_hz))
        self._bins, self._bands = bins, (self._size // 2) // bins
        self._at = 0                # samples seen
        self._next = self._stride // 2 if samples > self._size * 2 else 0
        self._parts: list[Any] = []
        self._held = 0
        self._rows: list[Any] = []

    def wants(self, samples: int) -> bool:
        """Whether the next `samples` are to be given; else they are counted as passed."""
        if self._held or self._at + samples > self._next:
            return len(self._rows) < WINDOWS * 2
        self._at += samples
        return False

    def take(self, sound: Any) -> None:
        """`sound`: float32, (channels, samples), full scale ±1."""
        first = max(0, self._next - self._at) if not self._held else 0
        self._at += sound.shape[1]
        part = sound[:, first:]
        if not part.shape[1]:
            return
        if self._parts and self._parts[0].shape[0] != part.shape[0]:
            self._parts, self._held = [], 0
        self._parts.append(part)
        self._held += part.shape[1]
        if self._held >= self._size:
            whole = np.concatenate(self._parts, axis=1)[:, :self._size]
            self._parts, self._held = [], 0
            self._next = max(self._next + self._stride, self._at)
            self._measure(whole)

    def _measure(self, sound: Any) -> None:
        power = np.zeros(self._size // 2 + 1)
        for channel in sound:
            power += np.abs(np.fft.rfft(channel * self._window)) ** 2
        banded = power[1:1 + self._bands * self._bins].reshape(self._bands, self._bins)
        # The median of a band's bins: a single tone does not fill it.
        self._rows.append(np.median(banded, axis=1))

    def edge(self) -> Edge | None:
        """Where the sound ends all at once; None when it does not, or too little is known."""
        if len(self._rows) < LEAST_WINDOWS:
            return None
        width = self.rate_hz / self._size * self._bins
        table = 10 * np.log10(np.array(self._rows) + 1e-12)
        treble = table[:, int(8_000 / width):int(14_000 / width)]
        if not treble.shape[1]:
            return None
        # What is loudest up there tells most; a click that fills all bands is outvoted.
        order = np.argsort(treble.mean(axis=1))
        loud = table[order[len(order) // 2:]]
        level = np.median(loud, axis=0)
        return _steepest(level, width, self.rate_hz / 2)


def _steepest(level: Any, width: float, nyquist: float) -> Edge | None:
    """`level`: dB of each band of `width` hertz."""
    top = int((nyquist - 250.0) / width)
    drops: list[tuple[float, int]] = []
    for band in range(int(LOWEST_HZ / width), int(min(HIGHEST_HZ, nyquist - 800.0) / width)):
        below = level[band - round(_BELOW / width):band - round(_GAP_BELOW / width)]
        above = level[band + round(_GAP_ABOVE / width):top]
        if not above.size:
            break
        # All of what is below must be loud, nearly all of what is above must not: a line there is a whine.
        drops.append((float(np.percentile(below, 10) - np.percentile(above, 95)), band))
    if not drops or max(drops)[0] < DROP_DB:
        return None
    drop, band = max(drops)
    # From where it begins to fall to where it has fallen.
    full = float(np.median(level[band - round(_BELOW / width):band - round(_GAP_BELOW / width)]))
    floor = float(np.percentile(level[band + round(_GAP_ABOVE / width):top], 90))
    start = end = band
    while start > 0 and level[start] < full - 6.0:
        start -= 1
    while start + 1 < top and level[start + 1] >= full - 6.0:
        start += 1
    while end > start and level[end] <= floor + 6.0:
        end -= 1
    while end < top and level[end] > floor + 6.0:
        end += 1
    before = level[max(0, start - round(3000 / width)):max(1, start - round(1800 / width))]
    if (end - start) * width > STEEP_HZ or (end * width > ENDED_HZ and start * width <= ACCUSED_HZ[1]):
        return None
    if float(np.median(before)) - float(np.median(level[max(0, start - round(600 / width)):start + 1])) > SLOPE_DB:
        return None     # it has been falling for long: a wide filter, no encoder's
    return Edge(round((start + 1) * width), round(drop, 1))
