"""Music of a few kinds, made from numbers: pieces of a kind differ in key, tempo, notes and mix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

RATE = 44_100
Wave = Any      # float array, (2, samples), full scale ±1
_MINOR, _MAJOR = (0, 2, 3, 5, 7, 8, 10), (0, 2, 4, 5, 7, 9, 11)


def piece(kind: str, seed: int, seconds: float = 24.0) -> Wave:
    """A piece of one of KINDS; the same seed is the same piece."""
    chance = np.random.default_rng([KINDS.index(kind), seed])
    mix = _PLAYED[kind](chance, seconds)
    mix = mix / (np.abs(mix).max() + 1e-9) * chance.uniform(0.5, 0.9)
    aside = np.roll(mix, int(chance.integers(20, 400)))
    width = chance.uniform(0.0, 0.25)
    return np.stack([mix + width * aside, mix - width * aside]) / (1 + width)


def _time(seconds: float) -> Any:
    return np.arange(int(seconds * RATE)) / RATE


def _hertz(chance: Any, degree: int, *, scale: tuple[int, ...], key: int) -> float:
    octave, step = divmod(degree, len(scale))
    return float(440 * 2 ** ((key + 12 * octave + scale[step] - 69) / 12))


def _put(mix: Any, at_s: float, sound: Any, loud: float = 1.0) -> None:
    start = int(at_s * RATE)
    sound = sound[:max(0, mix.size - start)]
    mix[start:start + sound.size] += loud * sound


def _drum(chance: Any, hertz: float, seconds: float) -> Any:
    t = _time(seconds)
    return np.sin(2 * np.pi * (hertz * t + hertz * 0.12 * (1 - np.exp(-t * 30)))) * np.exp(-t * 9 / seconds * 0.4)


def _brush(chance: Any, seconds: float, bright: bool = True) -> Any:
    noise = chance.normal(0, 1, int(seconds * RATE))
    if bright:
        noise = np.diff(noise, prepend=0.0)
    return noise * np.exp(-_time(seconds)[:noise.size] * 5 / seconds)


def _saw(hertz: float, seconds: float, overtones: int) -> Any:
    t = _time(seconds)
    return sum(np.sin(2 * np.pi * hertz * n * t + n) / n for n in range(1, overtones + 1) if hertz * n < 16_000)


def _techno(chance: Any, seconds: float) -> Any:
    mix, beat = np.zeros(int(seconds * RATE)), 60 / chance.uniform(122, 136)
    key = int(chance.integers(36, 48))
    kick, hat = _drum(chance, chance.uniform(48, 60), 0.25), 0.25 * _brush(chance, 0.06)
    line = [int(one) for one in chance.integers(0, 7, 8)]
    for number in range(int(seconds / beat)):
        _put(mix, number * beat, kick)
        _put(mix, (number + 0.5) * beat, hat)
        for half in (0, 0.25, 0.5, 0.75):
            hertz = _hertz(chance, line[(number * 4 + int(half * 4)) % 8], scale=_MINOR, key=key)
            _put(mix, (number + half) * beat, 0.3 * _saw(hertz, beat * 0.22, 14) * np.exp(-_time(beat * 0.22) * 12))
    return mix


def _rock(chance: Any, seconds: float) -> Any:
    mix, beat = np.zeros(int(seconds * RATE)), 60 / chance.uniform(96, 168)
    key, chords = int(chance.integers(40, 52)), [int(one) for one in chance.integers(0, 6, 4)]
    for number in range(int(seconds / beat)):
        root = _hertz(chance, chords[number // 4 % 4], scale=_MAJOR, key=key)
        chord = _saw(root, beat, 10) + _saw(root * 1.498, beat, 10) + _saw(root * 2, beat, 8)
        _put(mix, number * beat, 0.35 * np.tanh(3.5 * chord))
        _put(mix, number * beat, _drum(chance, 62, 0.2) if number % 2 == 0 else 0.5 * _brush(chance, 0.22))
        _put(mix, (number + 0.5) * beat, 0.12 * _brush(chance, 0.1))
    return mix


def _ambient(chance: Any, seconds: float) -> Any:
    mix, at = np.zeros(int(seconds * RATE)), 0.0
    key = int(chance.integers(45, 57))
    while at < seconds:
        long = float(chance.uniform(5, 9))
        swell = np.sin(np.pi * np.linspace(0, 1, int(long * RATE))) ** 2
        for degree in chance.integers(0, 12, 3):
            hertz = _hertz(chance, int(degree), scale=_MAJOR, key=key)
            tone = sum(np.sin(2 * np.pi * hertz * (1 + cents) * _time(long)) for cents in (-0.002, 0, 0.0017))
            _put(mix, at, tone[:swell.size] * swell[:tone.size])
        at += long * 0.4
    return mix


def _piano(chance: Any, seconds: float) -> Any:
    mix, beat = np.zeros(int(seconds * RATE)), 60 / chance.uniform(60, 104)
    key = int(chance.integers(50, 60))
    at = 0.0
    while at < seconds:
        for degree in chance.integers(-3, 12, int(chance.integers(1, 4))):
            hertz = _hertz(chance, int(degree), scale=_MAJOR, key=key)
            t = _time(2.5)
            tone = sum(np.sin(2 * np.pi * hertz * n * t) * np.exp(-t * (1.2 + n * 0.9)) / n ** 1.4 for n in range(1, 9))
            _put(mix, at, tone, float(chance.uniform(0.3, 1.0)))
        at += beat * float(chance.choice((0.5, 0.5, 1.0, 1.0, 2.0)))
    return mix


def _strings(chance: Any, seconds: float) -> Any:
    mix, at = np.zeros(int(seconds * RATE)), 0.0
    key = int(chance.integers(48, 58))
    while at < seconds:
        long = float(chance.uniform(1.2, 2.6))
        t = _time(long)
        bow = np.minimum(1, t / 0.25) * np.minimum(1, (long - t) / 0.3)
        for degree in chance.integers(0, 14, 3):
            hertz = _hertz(chance, int(degree), scale=_MINOR, key=key)
            wander = 0.008 * np.sin(2 * np.pi * chance.uniform(5, 6.2) * t) / (2 * np.pi * 5.5)
            _put(mix, at, bow * sum(np.sin(2 * np.pi * hertz * n * (t + wander)) / n ** 0.9 for n in range(1, 16)))
        at += long * 0.9
    return mix


def _drums(chance: Any, seconds: float) -> Any:
    mix, beat = np.zeros(int(seconds * RATE)), 60 / chance.uniform(84, 126)
    skins = [_drum(chance, hertz, 0.3) + 0.1 * _brush(chance, 0.3) for hertz in chance.uniform(90, 320, 4)]
    pattern = [int(one) for one in chance.integers(-1, 4, 16)]
    for number in range(int(seconds / beat * 4)):
        if pattern[number % 16] >= 0:
            _put(mix, number * beat / 4, skins[pattern[number % 16]], float(chance.uniform(0.5, 1)))
    return mix


_PLAYED: dict[str, Callable[[Any, float], Any]] = {
    "techno": _techno, "rock": _rock, "ambient": _ambient, "piano": _piano, "strings": _strings, "drums": _drums,
}
KINDS = tuple(_PLAYED)
