"""Measure how loud a file sounds (EBU R128), so that playback can level it, or a conversion its sound.

Loudness is measured by libavfilter's ebur128, which follows ITU-R BS.1770-4 (K-weighting, both gates; the peak
oversampled to at least 176 kHz); tests hold it to the signals of EBU Tech 3341. Imported by worker processes only.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
from av.audio.frame import AudioFrame

from shared.audio.decoding import opened
from shared.model.errors import UnreadableFile
from shared.model.units import Decibels, Lufs

REFERENCE_LUFS: Lufs = -18.0    # of ReplayGain 2.0
SILENCE_LUFS: Lufs = -70.0      # BS.1770's own gate: what is not louder has no loudness
NO_PEAK_DB: Decibels = -120.0
MOST_GAIN_DB: Decibels = 51.0   # what a tag can sensibly say
_COARSE = 0.1                   # the filter tells peaks in thousandths: smaller ones are measured again, enlarged
_ENLARGED = 60.0                # dB


@dataclass(frozen=True, slots=True)
class Loudness:
    integrated_lufs: Lufs       # whole file, gated; SILENCE_LUFS when nothing passes the gate
    true_peak_db: Decibels      # above -1.0 may clip after a lossy encode
    track_peak: float           # the same, 1.0 is full scale

    @property
    def is_silent(self) -> bool:
        return self.integrated_lufs <= SILENCE_LUFS


def measure(path: str) -> dict[str, Any]:
    """{integrated_lufs, true_peak_db, track_gain_db, track_peak} of the file at `path`, ReplayGain 2.0.

    track_gain_db is what brings it to -18 LUFS, None for silence. Costs a decode and about as much again, some 200
    times as fast as it plays. Raises UnreadableFile.
    """
    loud = of_file(path)
    gain = None if loud.is_silent else round(
        max(-MOST_GAIN_DB, min(MOST_GAIN_DB, REFERENCE_LUFS - loud.integrated_lufs)), 2)
    return {"integrated_lufs": loud.integrated_lufs, "true_peak_db": loud.true_peak_db, "track_gain_db": gain,
            "track_peak": loud.track_peak}


def of_file(path: str) -> Loudness:
    """Raises UnreadableFile."""
    with opened(path) as sound:
        loud = of_frames(sound.frames())
    if loud.track_peak < _COARSE:       # seldom
        with opened(path) as sound:
            peak = _Meter(enlarge_db=_ENLARGED).hear(sound.frames()).peak / 10 ** (_ENLARGED / 20)
        loud = Loudness(loud.integrated_lufs, _decibels(peak), round(peak, 8))
    return loud


def of_frames(frames: Iterable[AudioFrame]) -> Loudness:
    """Of decoded frames as they come. Peaks below 0.1 are coarse. Memory does not grow with the length."""
    meter = _Meter().hear(frames)
    return Loudness(max(SILENCE_LUFS, round(meter.integrated, 2)), _decibels(meter.peak), round(meter.peak, 6))


class _Meter:
    """Frames through ebur128, a new graph where their shape changes (a chained Ogg file)."""

    def __init__(self, *, enlarge_db: float = 0.0) -> None:
        self.integrated = SILENCE_LUFS
        self.peak = 0.0
        self._enlarge_db = enlarge_db
        self._weighed: list[tuple[float, float]] = []      # (seconds, LUFS) of each shape
        self._graph: Any = None
        self._shape: tuple[str, str, int] | None = None
        self._seconds = 0.0
        self._said: dict[str, str] = {}
        self._samples = 0

    def hear(self, frames: Iterable[AudioFrame]) -> _Meter:
        for frame in frames:
            shape = (frame.format.name, frame.layout.name, frame.sample_rate)
            if shape != self._shape:
                self._close()
                self._open(shape, frame)
            frame.pts = self._samples
            frame.time_base = Fraction(1, frame.sample_rate)
            self._samples += frame.samples
            self._graph.push(frame)
            self._pull()
        self._close()
        powers = [(seconds, 10 ** (lufs / 10)) for seconds, lufs in self._weighed if lufs > SILENCE_LUFS]
        if len(powers) == 1:
            self.integrated = next(lufs for _, lufs in self._weighed if lufs > SILENCE_LUFS)
        elif powers:
            self.integrated = 10 * math.log10(sum(s * p for s, p in powers) / sum(s for s, _ in powers))
        return self

    def _open(self, shape: tuple[str, str, int], frame: AudioFrame) -> None:
        self._shape, self._samples, self._said = shape, 0, {}
        graph = self._graph = av.filter.Graph()
        try:
            chain = [graph.add_abuffer(format=shape[0], sample_rate=shape[2], layout=shape[1],
                                       time_base=Fraction(1, shape[2]))]
            if self._enlarge_db:
                chain.append(graph.add("volume", f"{self._enlarge_db}dB:precision=double"))
            chain += [graph.add("ebur128", "metadata=1:peak=true"), graph.add("abuffersink")]
            for one, following in itertools.pairwise(chain):
                one.link_to(following)
            graph.configure()
        except (av.FFmpegError, ValueError) as error:
            raise UnreadableFile(f"Its loudness cannot be measured ({frame.layout.name}, {frame.sample_rate} Hz).",
                                 reason="damaged") from error

    def _pull(self) -> None:
        while True:
            try:
                frame = self._graph.pull()
            except (BlockingIOError, EOFError):
                return
            if frame.metadata:
                self._said = frame.metadata

    def _close(self) -> None:
        if self._graph is None:
            return
        self._graph.push(None)
        self._pull()
        assert self._shape is not None
        self._weighed.append((self._samples / self._shape[2], _number(self._said.get("lavfi.r128.I"), SILENCE_LUFS)))
        self.peak = max(self.peak, _number(self._said.get("lavfi.r128.true_peak"), 0.0))
        self._graph = None


def _number(text: str | None, otherwise: float) -> float:
    try:
        value = float(text) if text is not None else otherwise
    except ValueError:
        return otherwise
    return value if math.isfinite(value) else otherwise


def _decibels(peak: float) -> Decibels:
    return round(20 * math.log10(peak), 2) if peak > 10 ** (NO_PEAK_DB / 20) else NO_PEAK_DB
