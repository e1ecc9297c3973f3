"""Compose, play and wrap up the demo: seven short quiet pieces in two albums, from nothing but numbers.

Plucked strings (Karplus-Strong), an FM piano and bells, wavetable pads and bass, a reverb of decaying noise; the
melodies are seeded, so that everybody hears the same. Everything made here is given to the public domain (CC0 1.0).
Imported by worker processes only.
"""

from __future__ import annotations

import functools
import io
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

RATE = 44_100
LOUDNESS_LUFS = -16.0
CEILING = 10 ** (-1.5 / 20)     # of the samples; leaves room for what a lossy encoder adds
LICENSE = "Made by Soundsible itself. Public domain: CC0 1.0, https://creativecommons.org/publicdomain/zero/1.0/"
ARTIST = "Soundsible"
YEAR = "2026"

Wave = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True, slots=True)
class Piece:
    album: str
    number: int
    title: str
    genre: str
    suffix: str             # chooses the format
    bpm: float
    key: int                # MIDI note of the scale's first degree
    scale: tuple[int, ...]
    chords: tuple[tuple[int, ...], ...]     # a bar each: scale degrees from the bass up
    bars: int
    seed: int
    lead: str               # instrument of the melody
    figure: str             # instrument of the accompaniment
    beats: int = 4          # in a bar
    swing: float = 0.0      # part of an eighth that every second eighth comes late
    pulse: bool = False     # a soft beat
    room_s: float = 2.2     # reverb


_MAJOR, _DORIAN, _LYDIAN = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 9, 10), (0, 2, 4, 6, 7, 9, 11)
_LANTERNS, _TIDE = "Paper Lanterns", "Low Tide"

PIECES = (
    Piece(_LANTERNS, 1, "First Light", "Acoustic", ".flac", 84, 55, _MAJOR,
          ((0, 4, 9, 11), (5, 9, 11, 14), (3, 7, 9, 12), (4, 8, 11, 13)), 24, 11, "pluck", "pluck"),
    Piece(_LANTERNS, 2, "Window Seat", "Acoustic", ".mp3", 76, 53, _MAJOR,
          ((0, 4, 6, 9), (3, 7, 9, 11), (1, 5, 7, 10), (4, 8, 10, 12)), 24, 23, "piano", "pluck", swing=0.18,
          pulse=True),
    Piece(_LANTERNS, 3, "Paper Lanterns", "Acoustic", ".opus", 92, 57, _DORIAN,
          ((0, 4, 7, 9), (3, 7, 9, 12), (5, 9, 11, 14), (4, 6, 11, 13)), 36, 37, "pluck", "piano", beats=3),
    Piece(_LANTERNS, 4, "Slow Train Home", "Acoustic", ".m4a", 68, 50, _MAJOR,
          ((0, 4, 7, 9), (5, 9, 12, 14), (3, 7, 11, 12), (3, 7, 9, 12)), 20, 41, "piano", "piano", pulse=True),
    Piece(_TIDE, 1, "Harbour, Before Six", "Ambient", ".flac", 60, 52, _LYDIAN,
          ((0, 4, 8, 11), (1, 5, 9, 12), (5, 9, 11, 14), (4, 8, 11, 13)), 16, 53, "bell", "pad", room_s=3.6),
    Piece(_TIDE, 2, "Glass Floats", "Ambient", ".mp3", 72, 58, _MAJOR,
          ((0, 4, 8, 11), (3, 7, 9, 13), (5, 9, 11, 14), (3, 7, 11, 12)), 20, 61, "bell", "pluck", room_s=3.2),
    Piece(_TIDE, 3, "Night Ferry", "Ambient", ".opus", 66, 54, _DORIAN,
          ((0, 4, 7, 11), (3, 7, 9, 12), (0, 4, 8, 11), (6, 10, 11, 15)), 20, 71, "piano", "pad", pulse=True,
          room_s=3.0),
)


def make_demo(folder: str) -> list[str]:
    """Make all pieces below `folder`; the paths of their files. Costs some 20 s of one core, 20 MB."""
    return [make_piece(folder, number) for number in range(len(PIECES))]


def make_piece(folder: str, number: int) -> str:
    """Make PIECES[number] as `folder`/artist/album/NN title; its path. Costs some 3 s of one core."""
    piece = PIECES[number]
    place = os.path.join(folder, ARTIST, piece.album)
    os.makedirs(place, exist_ok=True)
    path = os.path.join(place, f"{piece.number:02d} {piece.title}{piece.suffix}")
    _encode(mastered(play(piece)), path)
    _tag(piece, path)
    return path


# ---- instruments: (frequency, seconds, loudness 0-1, generator) → mono samples ------------------------------------

Generator = np.random.Generator


def _pluck(frequency: float, seconds: float, loud: float, chance: Generator) -> Wave:
    """A plucked string: noise runs round a delay line that swallows its highs."""
    delay = max(2, round(RATE / frequency - 0.5))
    rounds = int(seconds * RATE / delay) + 2
    line = chance.uniform(-1, 1, delay)
    for _ in range(2 if loud > 0.7 else 4):                 # the softer it is played, the duller
        line = 0.5 * (line + np.roll(line, 1))
    line -= np.roll(line, delay // 5)                       # plucked at a fifth of its length
    line /= np.max(np.abs(line)) + 1e-9
    line -= line.mean()
    keep = 10 ** (-3 / (max(1.2, 4.2 - frequency / 330) * frequency))
    out = np.empty((rounds, delay))
    for i in range(rounds):
        out[i] = line
        line = keep * 0.5 * (line + np.concatenate((line[-1:], line[:-1])))
    # The line is a whole number of samples long; played a little faster or slower it is in tune.
    tuned = np.arange(int(seconds * RATE)) * (frequency * (delay + 0.5) / RATE)
    flat = out.reshape(-1)
    return _faded(loud * 0.8 * np.interp(tuned, np.arange(flat.size), flat), 0.002, 0.08)


def _piano(frequency: float, seconds: float, loud: float, chance: Generator) -> Wave:
    """An electric piano: two FM pairs, one for the body, one for the tine."""
    t = np.arange(int(seconds * RATE)) / RATE
    turn = 2 * np.pi * frequency * t
    body = np.sin(turn + (0.4 + 1.4 * loud) * np.exp(-t * 2.6) * np.sin(turn)) * np.exp(-t * (0.7 + frequency / 900))
    tine = np.sin(turn + 0.5 * loud * np.exp(-t * 9) * np.sin(min(14.0, 9000 / frequency) * turn)) * np.exp(-t * 3.5)
    return _faded(loud * (0.62 * body + 0.22 * tine), 0.004, 0.12)


def _bell(frequency: float, seconds: float, loud: float, chance: Generator) -> Wave:
    """Glass more than bronze: one FM pair that is not in tune with itself."""
    t = np.arange(int(seconds * RATE)) / RATE
    turn = 2 * np.pi * frequency * t
    ring = np.sin(turn + 1.1 * loud * np.exp(-t * 2.2) * np.sin(3.5 * turn)) * np.exp(-t * 1.3)
    hum = 0.3 * np.sin(turn * 0.5) * np.exp(-t * 1.0)
    return _faded(loud * 0.5 * (ring + hum), 0.006, 0.3)


@functools.cache
def _table(brightness: float) -> Wave:
    """One turn of a soft sawtooth."""
    turn = np.arange(8192) * (2 * np.pi / 8192)
    wave = sum(np.sin(n * turn + n * n) / n ** brightness for n in range(1, 8))
    return np.asarray(wave / np.max(np.abs(wave)), dtype=np.float32)


def _tone(frequency: float, samples: int, brightness: float, phase: float) -> Wave:
    """A steady tone from the table."""
    at = (np.arange(samples) * (frequency * 8192 / RATE) + phase * 8192).astype(np.int64) & 8191
    tone: Wave = _table(brightness)[at]
    return tone


def _pad(frequency: float, seconds: float, loud: float, chance: Generator) -> Wave:
    """Three tones that are hardly apart, swelling."""
    samples = int(seconds * RATE)
    tones = sum(_tone(frequency * (1 + cents / 1731), samples, 2.1 if frequency < 400 else 2.6, chance.random())
                for cents in (-4.0, 0.0, 3.5))
    return _faded(loud * 0.22 * np.asarray(tones), min(1.6, seconds * 0.4), min(2.0, seconds * 0.45))


def _bass(frequency: float, seconds: float, loud: float, chance: Generator) -> Wave:
    t = np.arange(int(seconds * RATE)) / RATE
    return _faded(loud * 0.55 * _tone(frequency, t.size, 3.0, 0.0) * np.exp(-t * 0.6), 0.02, 0.15)


def _faded(wave: Any, rise_s: float, fall_s: float) -> Wave:
    """Without clicks at either end."""
    shaped: Wave = np.array(wave, dtype=np.float32)
    rise, fall = (max(2, min(shaped.size // 2, int(s * RATE))) for s in (rise_s, fall_s))
    shaped[:rise] *= np.sin(np.linspace(0, np.pi / 2, rise)) ** 2
    shaped[-fall:] *= np.cos(np.linspace(0, np.pi / 2, fall)) ** 2
    return shaped


_INSTRUMENTS: dict[str, Callable[[float, float, float, Generator], Wave]] = {
    "pluck": _pluck, "piano": _piano, "bell": _bell, "pad": _pad, "bass": _bass,
}


# ---- playing ----------------------------------------------------------------------------------------------------


class _Stage:
    """A stereo mix that notes are put into. Places are from -1 (left) to 1 (right)."""

    def __init__(self, seconds: float, chance: Generator) -> None:
        self.mix: Wave = np.zeros((2, int(seconds * RATE)), dtype=np.float32)
        self._chance = chance
        self._notes: dict[tuple[str, int, int, int], Wave] = {}

    def note(self, instrument: str, midi: int, at_s: float, seconds: float, loud: float, place: float) -> None:
        loud = min(1.0, max(0.1, loud))
        key = (instrument, midi, round(seconds * 20), round(loud * 8))
        if key not in self._notes:
            self._notes[key] = _INSTRUMENTS[instrument](440 * 2 ** ((midi - 69) / 12), key[2] / 20, key[3] / 8,
                                                        self._chance)
        self.add(self._notes[key], at_s, place)

    def add(self, wave: Wave, at_s: float, place: float) -> None:
        start = max(0, int(at_s * RATE))
        wave = wave[: max(0, self.mix.shape[1] - start)]
        angle = (place + 1) * math.pi / 4
        for channel, weight in ((0, math.cos(angle)), (1, math.sin(angle))):
            self.mix[channel, start:start + wave.size] += np.float32(weight) * wave


def play(piece: Piece) -> Wave:
    """The piece with its room, not yet levelled: (2, samples)."""
    chance = np.random.default_rng(piece.seed)
    bar_s = piece.beats * 60 / piece.bpm
    stage = _Stage(piece.bars * bar_s + piece.room_s + 2.5, chance)
    melody = _melody(piece, chance)
    last = piece.bars - 1
    for bar in range(piece.bars):
        at = 0.3 + bar * bar_s
        chord = [_midi(piece, degree) for degree in piece.chords[bar % len(piece.chords)]]
        if bar == last:
            chord = [_midi(piece, degree) for degree in piece.chords[0]]
        # It comes in, grows, thins out before the end.
        whole = min(1.0, 0.35 + bar / 8) if bar < piece.bars - 4 else 0.75
        _carpet(stage, piece, chord, at, bar_s * (1.9 if bar == last else 1.0), whole)
        if bar < last:
            _figure(stage, piece, chord, at, bar, whole, chance)
        if bar >= 4 and bar < last and not (piece.bars // 2 <= bar < piece.bars // 2 + 2):
            for beat, length, degree, loud in melody[(bar - 4) % len(melody)]:
                late = piece.swing * 30 / piece.bpm if round(beat * 2) % 2 else 0.0
                stage.note(piece.lead, _midi(piece, degree) + 12, at + beat * 60 / piece.bpm + late
                           + chance.normal(0, 0.008), max(1.5, length * 60 / piece.bpm + 0.8), loud * 0.8,
                           0.15 + 0.1 * math.sin(bar))
        if piece.pulse and 2 <= bar < last:
            _beat(stage, piece, at, whole, chance)
        if bar == last:
            for i, midi in enumerate(chord):
                stage.note("piano" if piece.lead == "pluck" else piece.lead, midi + (12 if i > 1 else 0),
                           at + i * 0.09, 5.0, 0.55, 0.3 * (i % 2) - 0.15)
    return _in_room(stage.mix, piece.room_s, chance)


def _midi(piece: Piece, degree: int) -> int:
    octave, step = divmod(degree, len(piece.scale))
    return piece.key + 12 * octave + piece.scale[step]


def _carpet(stage: _Stage, piece: Piece, chord: Sequence[int], at: float, seconds: float, whole: float) -> None:
    """Bass and pad under all."""
    deep = chord[0] - 12 if chord[0] > 47 else chord[0]
    stage.note("bass", deep, at, seconds + 0.3, 0.5 + 0.2 * whole, 0.0)
    level = 0.62 if piece.figure == "pad" else 0.36
    for i, midi in enumerate(chord[1:]):
        stage.note("pad", midi, at - 0.25, seconds + 1.6, level * (0.6 + 0.4 * whole), (-0.6, 0.6, 0.0)[i % 3])


def _figure(stage: _Stage, piece: Piece, chord: Sequence[int], at: float, bar: int, whole: float,
            chance: Generator) -> None:
    """The broken chords."""
    if piece.figure == "pad":
        return
    eighths = piece.beats * 2
    order = (0, 2, 1, 3, 2, 3, 1, 2) if piece.beats == 4 else (0, 2, 3, 1, 3, 2)
    if bar % 4 == 3:
        order = order[::-1]
    for i in range(eighths):
        # Some are left out: more at the beginning, never the first.
        if i and chance.random() > 0.55 + 0.4 * whole:
            continue
        late = piece.swing * 30 / piece.bpm if i % 2 else 0.0
        midi = chord[order[i % len(order)] % len(chord)] + (12 if order[i % len(order)] > 1 and bar % 8 > 3 else 0)
        stage.note(piece.figure, midi, at + i * 30 / piece.bpm + late + chance.normal(0, 0.006), 2.2,
                   (0.5 if i % 4 == 0 else 0.36) * (0.6 + 0.4 * whole) + chance.normal(0, 0.03),
                   -0.35 + 0.12 * (i % 3))


def _beat(stage: _Stage, piece: Piece, at: float, whole: float, chance: Generator) -> None:
    """A heartbeat and a brush, both far away."""
    t = np.arange(int(0.3 * RATE)) / RATE
    heart = _faded(0.34 * np.sin(2 * np.pi * (46 * t + 5 * (1 - np.exp(-t * 30)))) * np.exp(-t * 13), 0.003, 0.05)
    noise = chance.normal(0, 1, int(0.16 * RATE))
    brush = _faded(0.014 * np.diff(noise, prepend=0.0) * np.exp(-np.arange(noise.size) / RATE * 26), 0.004, 0.03)
    beat_s = 60 / piece.bpm
    for beat in (0.0, 2.5):
        stage.add(heart * np.float32(whole), at + beat * beat_s, 0.0)
    for beat in (1.0, 3.0):
        stage.add(brush * np.float32(whole), at + beat * beat_s, 0.25)


Note = tuple[float, float, int, float]      # beat, length in beats, scale degree, loudness


def _melody(piece: Piece, chance: Generator) -> list[list[Note]]:
    """Eight bars: a phrase, the phrase answered, another, the first again; notes of the chord where it counts."""
    first, second = _phrase(piece, chance, 0), _phrase(piece, chance, 2)
    answer = [*first[:-1], _bar(piece, chance, 3, end=True)]
    return [*first, *answer, *second, *first]


def _phrase(piece: Piece, chance: Generator, chord: int) -> list[list[Note]]:
    return [_bar(piece, chance, chord), _bar(piece, chance, chord + 1, end=True)]


def _bar(piece: Piece, chance: Generator, chord: int, end: bool = False) -> list[Note]:
    rhythms: tuple[tuple[float, ...], ...] = (
        ((0, 1, 1.5, 2.5), (0, 1.5, 2, 3), (0.5, 1, 2, 3.5), (0, 2, 3)) if piece.beats == 4
        else ((0, 1, 2), (0, 1.5, 2), (0, 0.5, 2)))
    rhythm = (0.0, 1.0) if end else rhythms[int(chance.integers(len(rhythms)))]
    tones = [degree % 7 for degree in piece.chords[chord % len(piece.chords)]]
    degree = int(chance.choice(tones))
    notes: list[Note] = []
    for i, beat in enumerate(rhythm):
        if beat == int(beat):
            degree = min((tone + 7 * octave for tone in tones for octave in (0, 1)), key=lambda d: abs(d - degree))
        length = (rhythm[i + 1] if i + 1 < len(rhythm) else piece.beats) - beat
        notes.append((beat, length, degree + 7, 0.62 + 0.15 * (beat == 0) + float(chance.normal(0, 0.04))))
        degree = min(11, max(0, degree + int(chance.choice((-2, -1, -1, 1, 1, 2)))))
    return notes


# ---- the room, the level ----------------------------------------------------------------------------------------


def _in_room(mix: Wave, seconds: float, chance: Generator) -> Wave:
    """`mix` with the echo of a room of noise that dies away, its highs first."""
    size = int(seconds * RATE)
    t = np.arange(size) / RATE
    wet = np.empty_like(mix)
    for channel in range(2):
        noise = chance.normal(0, 1, size)
        dull = np.convolve(noise, np.hanning(48) / 12, "same")
        echo = 0.35 * noise * np.exp(-t * 14 / seconds) + dull * np.exp(-t * 6.9 / seconds)
        echo *= np.minimum(1.0, t / 0.015)
        echo /= np.sqrt(np.sum(echo ** 2))
        wet[channel] = _convolved(mix[channel], echo.astype(np.float32))
    return mix + np.float32(0.30) * wet


def _convolved(wave: Wave, echo: Wave) -> Wave:
    """Overlap and add, in blocks of a few seconds."""
    size = 1 << 19
    step = size - echo.size + 1
    spectrum = np.fft.rfft(echo, size)
    out = np.zeros(wave.size + size, dtype=np.float32)
    for start in range(0, wave.size, step):
        part = np.fft.irfft(np.fft.rfft(wave[start:start + step], size) * spectrum, size)
        out[start:start + size] += part.astype(np.float32)
    whole: Wave = out[:wave.size]
    return whole


def mastered(mix: Wave) -> Wave:
    """`mix` at LOUDNESS_LUFS, below CEILING, beginning and ending in silence."""
    mix = mix * np.float32(10 ** ((LOUDNESS_LUFS - loudness(mix)) / 20))
    ramp = int(2.2 * RATE)
    mix[:, -ramp:] *= (np.cos(np.linspace(0, np.pi / 2, ramp)) ** 2).astype(np.float32)
    mix[:, :2000] *= np.linspace(0, 1, 2000, dtype=np.float32)
    return _limited(mix)


def _limited(mix: Wave) -> Wave:
    """Peaks above the ceiling turned down over some milliseconds to both sides."""
    block = 64
    size = mix.shape[1] // block * block
    mix = mix[:, :size]
    peaks = np.abs(mix).max(axis=0).reshape(-1, block).max(axis=1)
    gain = np.minimum(1.0, CEILING / np.maximum(peaks, 1e-9))
    around = 8
    padded = np.pad(gain, around, constant_values=1.0)
    lowest = np.lib.stride_tricks.sliding_window_view(padded, 2 * around + 1).min(axis=1)
    window = np.hanning(around + 2)[1:-1]
    smooth = np.convolve(np.pad(lowest, around, mode="edge"), window / window.sum(), "same")[around:-around]
    curve = np.interp(np.arange(size), np.arange(smooth.size) * block + block / 2, smooth)
    level: Wave = np.clip(mix * curve.astype(np.float32), -CEILING, CEILING)
    return level


def loudness(mix: Wave) -> float:
    """Integrated loudness, LUFS (ITU-R BS.1770-4: K-weighting, 400 ms blocks, both gates)."""
    # The two filters' amplitude response, given for 48 kHz; phase does not matter for loudness.
    size = 1 << 18
    turn = np.exp(-2j * np.pi * np.fft.rfftfreq(size, 1 / RATE) / 48_000)
    weight = np.abs(_biquad(turn, (1.53512485958697, -2.69169618940638, 1.19839281085285),
                            (-1.69065929318241, 0.73248077421585))
                    * _biquad(turn, (1.0, -2.0, 1.0), (-1.99004745483398, 0.99007225036621)))
    block = int(0.1 * RATE)
    hop: list[Any] = []
    for start in range(0, mix.shape[1] - block, size):
        part = mix[:, start:start + size]
        weighted = np.fft.irfft(np.fft.rfft(part, size, axis=1) * weight, size, axis=1)[:, :part.shape[1]]
        whole = part.shape[1] // block * block
        hop.append((weighted[:, :whole] ** 2).reshape(2, -1, block).mean(axis=2).sum(axis=0))
    powers = np.concatenate(hop)
    windows = np.convolve(powers, np.ones(4) / 4, "valid")
    loud = windows[windows > 10 ** ((-70 + 0.691) / 10)]
    if not loud.size:
        return -70.0
    loud = loud[loud > loud.mean() / 10]
    return float(-0.691 + 10 * np.log10(loud.mean()))


def _biquad(turn: Any, up: Sequence[float], down: Sequence[float]) -> Any:
    return (up[0] + up[1] * turn + up[2] * turn ** 2) / (1 + down[0] * turn + down[1] * turn ** 2)


# ---- into files -------------------------------------------------------------------------------------------------

_ENCODERS = {".flac": ("flac", "flac", "s16", 0), ".mp3": ("mp3", "libmp3lame", "s16p", 192_000),
             ".opus": ("ogg", "libopus", "s16", 128_000), ".m4a": ("ipod", "aac", "fltp", 192_000)}


def _encode(mix: Wave, path: str) -> None:
    import av
    from av.audio.frame import AudioFrame

    container, codec, sample_format, bitrate = _ENCODERS[os.path.splitext(path)[1]]
    samples: Any = np.ascontiguousarray(np.round(mix.T * 32767).astype("<i2").reshape(1, -1))
    rate = 48_000 if codec == "libopus" else RATE
    with av.open(path, "w", format=container) as sink:
        stream: Any = sink.add_stream(codec, rate=rate)
        stream.layout = "stereo"
        stream.format = sample_format
        if bitrate:
            stream.bit_rate = bitrate
        if codec == "flac":
            stream.options = {"compression_level": "8"}
        stream.codec_context.open()
        resampler = av.AudioResampler(sample_format, "stereo", rate, frame_size=stream.codec_context.frame_size)
        step = RATE * 2         # interleaved: one second
        for start in range(0, samples.shape[1], step):
            frame = AudioFrame.from_ndarray(samples[:, start:start + step], format="s16", layout="stereo")
            frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), start // 2
            for ready in resampler.resample(frame):
                sink.mux(stream.encode(ready))
        for ready in resampler.resample(None):
            sink.mux(stream.encode(ready))
        sink.mux(stream.encode(None))


def _tag(piece: Piece, path: str) -> None:
    from shared.audio import tags

    total = sum(1 for other in PIECES if other.album == piece.album)
    pen = tags.pen_for(path, tags.read(path).facts)
    for name, value in {"TITLE": piece.title, "ARTIST": ARTIST, "ALBUM": piece.album, "ALBUMARTIST": ARTIST,
                        "TRACKNUMBER": f"{piece.number}/{total}", "DATE": YEAR, "GENRE": piece.genre,
                        "COMMENT": LICENSE}.items():
        pen.set(name, [value])
    pen.picture(cover(piece.album), "image/jpeg")
    pen.save()


# ---- covers -----------------------------------------------------------------------------------------------------


@functools.cache
def cover(album: str) -> bytes:
    """A JPEG of 1000 × 1000 pixels that suits the album."""
    image = _lanterns() if album == _LANTERNS else _tide()
    out = io.BytesIO()
    image.save(out, "JPEG", quality=90, optimize=True)
    return out.getvalue()


_SIDE = 1000


def _sky(stops: Sequence[tuple[float, tuple[int, int, int]]]) -> Any:
    """A vertical gradient with a grain that keeps it from banding: (side, side, 3) of floats."""
    down = np.linspace(0, 1, _SIDE)
    colors = np.stack([np.interp(down, [at for at, _ in stops], [color[i] for _, color in stops]) for i in range(3)])
    grain = np.random.default_rng(1).normal(0, 1.3, (_SIDE, _SIDE, 1))
    return np.repeat(colors.T[:, None, :], _SIDE, axis=1) + grain


def _glow(picture: Any, x: float, y: float, radius: float, color: tuple[int, int, int], strength: float,
          tall: float = 1.0, soft: float = 0.16) -> None:
    """Mix a disc of `color` into `picture`, its edge `soft` radii wide."""
    down, across = np.mgrid[0:_SIDE, 0:_SIDE] / _SIDE
    away = np.hypot(across - x, (down - y) / tall) / radius
    weight = strength / (1 + np.exp(np.clip((away - 1) / soft * 4, -60, 60)))
    picture += weight[..., None] * (np.array(color, dtype=float) - picture)


def _picture(values: Any) -> Any:
    from PIL import Image

    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8), "RGB")


def _lanterns() -> Any:
    """Paper lanterns over a warm dusk."""
    picture = _sky([(0.0, (24, 19, 22)), (0.45, (66, 38, 34)), (0.78, (146, 78, 44)), (1.0, (205, 128, 66))])
    chance = np.random.default_rng(5)
    for _ in range(26):                     # those far away
        _glow(picture, chance.uniform(0, 1), chance.uniform(0.05, 0.75), chance.uniform(0.006, 0.016),
              (248, 196, 120), chance.uniform(0.25, 0.6), soft=0.7)
    for x, y, radius in ((0.30, 0.36, 0.125), (0.68, 0.52, 0.155), (0.53, 0.20, 0.07), (0.13, 0.60, 0.06),
                         (0.88, 0.24, 0.055)):
        _glow(picture, x, y, radius * 2.6, (232, 150, 64), 0.34, soft=1.5)
        _glow(picture, x, y, radius, (240, 172, 84), 0.95, tall=1.18, soft=0.05)
        _glow(picture, x, y + radius * 0.2, radius * 0.62, (255, 224, 164), 0.85, tall=1.2, soft=0.9)
        for edge in (-1.13, 1.13):
            _glow(picture, x, y + edge * radius, radius * 0.3, (58, 34, 28), 0.95, tall=0.28, soft=0.12)
    return _picture(picture)


def _tide() -> Any:
    """A pale sun over bands of water."""
    picture = _sky([(0.0, (196, 205, 203)), (0.32, (226, 214, 196)), (0.5, (222, 190, 158)), (1.0, (170, 150, 140))])
    _glow(picture, 0.62, 0.36, 0.34, (250, 226, 190), 0.5, soft=1.6)
    _glow(picture, 0.62, 0.36, 0.115, (253, 243, 224), 0.96, soft=0.035)
    down, across = np.mgrid[0:_SIDE, 0:_SIDE] / _SIDE
    bands = ((0.50, (150, 163, 160)), (0.57, (116, 140, 143)), (0.65, (84, 114, 123)), (0.74, (56, 86, 99)),
             (0.84, (34, 60, 75)), (0.94, (20, 40, 54)))
    for i, (height, color) in enumerate(bands):
        edge = height + 0.012 * np.sin(across * (5 + i * 1.7) + i * 2.1) + 0.006 * np.sin(across * (13 - i) + i)
        weight = np.clip((down - edge) * _SIDE / 1.5 + 0.5, 0, 1) * 0.9
        picture += weight[..., None] * (np.array(color, dtype=float) - picture)
        if i < 4:                           # the sun on the water
            shine = np.exp(-((across - 0.62) / (0.05 + 0.03 * i)) ** 2 - ((down - edge - 0.012) / 0.006) ** 2)
            picture += 0.7 * shine[..., None] * (np.array((252, 232, 204), dtype=float) - picture)
    return _picture(picture)
