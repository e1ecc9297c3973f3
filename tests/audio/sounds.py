"""Sounds for the tests of measuring: made in NumPy, through real encoders and back."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

RATE = 44_100
Wave = Any      # float array, (channels, samples), full scale ±1


def encoded(wave: Wave, rate: int, codec: str, container: str, *, kbps: int | None = None, bits: int = 16,
            at: int | None = None, options: dict[str, str] | None = None) -> bytes:
    """`wave` through one of FFmpeg's encoders, at the rate `at` if another one is needed."""
    out = io.BytesIO()
    layout = "mono" if wave.shape[0] == 1 else "stereo"
    with av.open(out, "w", format=container) as sink:
        stream: Any = sink.add_stream(codec, rate=at or rate, options=options or {})
        stream.layout = layout
        stream.format = {"flac": "s32" if bits > 16 else "s16", "libopus": "flt", "pcm_s16le": "s16",
                         "pcm_s24le": "s32", "alac": "s16p", "wavpack": "s16p"}.get(codec, "fltp")
        if kbps:
            stream.bit_rate = kbps * 1000
        stream.codec_context.open()
        resampler = av.AudioResampler(stream.format.name, layout, at or rate,
                                      frame_size=stream.codec_context.frame_size or None)
        for start in range(0, wave.shape[1], 1 << 16):
            for frame in resampler.resample(_frame(wave[:, start:start + (1 << 16)], rate, layout, bits)):
                sink.mux(stream.encode(frame))
        for frame in resampler.resample(None):
            sink.mux(stream.encode(frame))
        sink.mux(stream.encode(None))
    return out.getvalue()


def _frame(wave: Wave, rate: int, layout: str, bits: int) -> av.AudioFrame:
    full = 1 << (bits - 1)
    whole = np.clip(np.round(wave * full), -full, full - 1)
    data = whole.astype(np.int16) if bits <= 16 else whole.astype(np.int64).astype(np.int32) << (32 - bits)
    if bits < 16:
        data <<= 16 - bits
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(data), format="s16p" if bits <= 16 else "s32p",
                                       layout=layout)
    frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
    return frame


def decoded(content: bytes | Path) -> tuple[Wave, int]:
    """(the samples as float64, their rate)."""
    parts, rate = [], 0
    with av.open(io.BytesIO(content) if isinstance(content, bytes) else str(content)) as container:
        for frame in container.decode(audio=0):
            rate = frame.sample_rate
            data: Any = frame.to_ndarray()
            if not frame.format.is_planar:
                data = data.reshape(-1, frame.layout.nb_channels).T
            parts.append(data / (float(np.iinfo(data.dtype).max) + 1) if data.dtype.kind == "i" else data)
    return np.concatenate(parts, axis=1).astype(np.float64), rate


def flac(folder: Path, wave: Wave, rate: int = RATE, *, bits: int = 16, name: str = "a.flac") -> Path:
    path = folder / name
    path.write_bytes(encoded(wave, rate, "flac", "flac", bits=bits))
    return path


def sine(hz: float, dbfs: float, seconds: float, rate: int = 48_000, *, channels: int = 2, phase: float = 0.0) -> Wave:
    time = np.arange(round(seconds * rate)) / rate
    return np.tile(10 ** (dbfs / 20) * np.sin(2 * np.pi * hz * time + phase), (channels, 1))


def silence(seconds: float, rate: int = RATE, channels: int = 2) -> Wave:
    return np.zeros((channels, round(seconds * rate)))


@functools.cache
def pink(seconds: float = 8.0, rate: int = RATE, seed: int = 1) -> Wave:
    """Noise that falls by 3 dB an octave, as music does."""
    samples = round(seconds * rate)
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(0, 1, (2, samples)))
    hertz = np.fft.rfftfreq(samples, 1 / rate)
    wave = np.fft.irfft(spectrum / np.sqrt(np.maximum(hertz, 20.0)), samples)
    return 0.12 * wave / wave.std()


@functools.cache
def music(seconds: float = 8.0, rate: int = RATE, seed: int = 2) -> Wave:
    """Cymbals, drums and chords over a little noise: loud and quiet in turn."""
    chance = np.random.default_rng(seed)
    wave = pink(seconds, rate, seed) * 0.05
    time = np.arange(wave.shape[1]) / rate
    for number in range(int(10 * seconds)):
        at = int(chance.integers(0, wave.shape[1] - rate))
        length = int(rate * chance.uniform(0.1, 0.9))
        fades = np.exp(-np.arange(length) / rate * chance.uniform(5, 30))
        if number % 2:
            wave[:, at:at + length] += chance.normal(0, 1, (2, length)) * fades * chance.uniform(0.02, 0.25)
        else:
            tone = chance.uniform(80, 2000)
            wave[:, at:at + length] += 0.06 * fades * sum(
                np.sin(2 * np.pi * tone * n * time[:length]) / n for n in range(1, 12))
    return wave


def filtered(wave: Wave, rate: int, amplitude: Callable[[Any], Any]) -> Wave:
    """`amplitude` of hertz, applied without moving phases."""
    samples = wave.shape[1]
    return np.fft.irfft(np.fft.rfft(wave) * amplitude(np.fft.rfftfreq(samples, 1 / rate)), samples)
