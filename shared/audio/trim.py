"""Find the silence at both ends of a file. Imported by worker processes only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from av.audio.frame import AudioFrame

from shared.audio.decoding import opened
from shared.audio.inspect import as_float
from shared.model.units import Milliseconds

SILENCE = 1e-3                      # -60 dBFS
LEAST_MS: Milliseconds = 300        # a shorter pause belongs to the music
LEFT_MS: Milliseconds = 50          # of the silence stays


@dataclass(slots=True)
class Ends:
    """Where sound begins and ends, in samples as they are decoded; fed while frames pass by."""

    samples: int = 0
    rate: int = 0
    first: int | None = None        # sample louder than silence
    last: int = 0                   # after the last such

    def passing(self, frames: Iterator[AudioFrame]) -> Iterator[AudioFrame]:
        for frame in frames:
            self.see(frame)
            yield frame

    def see(self, frame: AudioFrame, data: Any = None) -> None:
        loud = np.flatnonzero(np.max(np.abs(as_float(frame, data)), axis=0) >= SILENCE)
        if loud.size:
            if self.first is None:
                self.first = self.samples + int(loud[0])
            self.last = self.samples + int(loud[-1]) + 1
        self.samples += frame.samples
        self.rate = frame.sample_rate

    def cut(self) -> tuple[int, int]:
        """(first sample to keep, the one after the last). All of it when there is nothing but silence."""
        if self.first is None:
            return 0, self.samples
        least, left = self.rate * LEAST_MS // 1000, self.rate * LEFT_MS // 1000
        start = self.first - left if self.first > least else 0
        end = self.last + left if self.samples - self.last > least else self.samples
        return start, end


def bounds(path: str) -> tuple[Milliseconds, Milliseconds]:
    """(start_ms, end_ms) of what is left when silence at both ends is cut off.

    Silence is what stays below -60 dBFS for more than 0.3 s; 50 ms of it are left. Costs a decode. Raises
    UnreadableFile.
    """
    ends = Ends()
    with opened(path) as sound:
        for frame in sound.frames():
            ends.see(frame)
    start, end = ends.cut()
    return start * 1000 // ends.rate, -(-end * 1000 // ends.rate)
