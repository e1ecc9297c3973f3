"""What a piece sounds like: the same in every encoding and at every level, like its own kind more than like others."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.audio import timbre
from shared.library import neighbours
from shared.model.errors import UnreadableFile
from shared.model.sound import SIZE
from tests.audio import ensembles
from tests.audio.sounds import encoded, pink, silence

SECONDS = 6.0
EACH = 3        # pieces of a kind


@functools.cache
def wave(kind: str, seed: int) -> Any:
    return ensembles.piece(kind, seed, SECONDS)


@functools.cache
def described(kind: str, seed: int) -> bytes:
    mono = wave(kind, seed).mean(axis=0).astype(np.float32)
    numbers = timbre.measure([mono[::2]])       # nothing of it is above 10 kHz that would fold back loudly
    assert numbers is not None
    return timbre.packed(numbers)


@functools.cache
def crowd() -> tuple[tuple[str, ...], neighbours.Space]:
    """(kinds, where they lie) of EACH pieces of each kind."""
    kinds = tuple(kind for kind in ensembles.KINDS for _ in range(EACH))
    content = b"".join(described(kind, seed) for kind in ensembles.KINDS for seed in range(EACH))
    return kinds, neighbours.made("", range(len(kinds)), content)


def written(folder: Path, content: bytes, name: str) -> str:
    path = folder / name
    path.write_bytes(content)
    return str(path)


def heard(path: str, seconds: float = SECONDS) -> bytes:
    found = timbre.describe(path, round(seconds * 1000))
    assert found is not None and len(found) == SIZE
    return found


def alike(space: neighbours.Space, first: int, second: int) -> float:
    return float(space.alike(first, [second], space.exact(first, [second]))[0])


def test_the_same_piece_is_nearest_in_every_encoding_and_at_every_level(tmp_path: Path) -> None:
    piece = wave("piano", 2)
    rate = ensembles.RATE
    takes = [
        encoded(piece, rate, "flac", "flac"), encoded(piece * 0.1, rate, "flac", "flac"),
        encoded(piece, rate, "libmp3lame", "mp3", kbps=96), encoded(piece, rate, "libopus", "ogg", kbps=64, at=48_000),
        encoded(piece, rate, "aac", "ipod", kbps=128), encoded(piece[:1], rate, "flac", "flac"),
    ]
    own = [heard(written(tmp_path, take, str(number))) for number, take in enumerate(takes)]
    others = [described(kind, seed) for kind in ensembles.KINDS for seed in range(EACH) if (kind, seed) != ("piano", 2)]
    space = neighbours.made("", range(len(own) + len(others)), b"".join([*own, *others]))
    for take in range(1, len(own)):
        nearest = np.argsort(space.exact(0, range(len(own) + len(others))))[:len(own)]
        assert set(nearest.tolist()) == set(range(len(own))), f"another piece is nearer than take {take}"
        assert alike(space, 0, take) > 0.9


def test_kinds_of_music_lie_together() -> None:
    kinds, space = crowd()
    hits = 0
    for row, kind in enumerate(kinds):
        order = np.argsort(space.exact(row, range(len(kinds))))
        hits += kinds[order[1]] == kind
        assert sum(kinds[one] == kind for one in order[1:4])  >= 1, f"{kind} {row % EACH} lies among strangers"
    assert hits >= 0.9 * len(kinds)
    same = [alike(space, a, b) for a in range(len(kinds)) for b in range(a) if kinds[a] == kinds[b]]
    apart = [alike(space, a, b) for a in range(len(kinds)) for b in range(a) if kinds[a] != kinds[b]]
    assert np.median(same) > 0.6 > 0.35 > np.median(apart)


def test_a_key_or_a_gain_is_no_other_sound() -> None:
    mono = wave("strings", 0).mean(axis=0).astype(np.float32)[::2]
    higher = np.interp(np.arange(0, mono.size - 1, 2 ** (1 / 12)), np.arange(mono.size), mono).astype(np.float32)
    loud, soft, moved = (timbre.measure([one]) for one in (mono, mono * np.float32(0.03), higher))
    assert np.allclose(loud, soft, atol=0.05)
    harmony = slice(SIZE - 8, SIZE)
    assert np.allclose(loud[harmony], moved[harmony], atol=0.1)


def test_the_beat_is_told_from_no_beat() -> None:
    rhythm = 39 + 6 + 5
    techno, ambient = (
        np.mean([np.frombuffer(described(kind, seed), np.int8)[rhythm:rhythm + 2] for seed in range(EACH)], axis=0)
        for kind in ("techno", "ambient"))
    assert (techno > ambient + 8).all()     # onsets a second, steadiness: half a deviation at least


@pytest.mark.parametrize("content", [silence(5.0), pink(0.5)], ids=["silence", "half a second"])
def test_too_little_to_hear_has_no_description(tmp_path: Path, content: Any) -> None:
    assert timbre.describe(written(tmp_path, encoded(content, 44_100, "flac", "flac"), "a"), 5000) is None


def test_a_file_shorter_than_it_says_is_described_by_what_is_there(tmp_path: Path) -> None:
    path = written(tmp_path, encoded(wave("rock", 1), ensembles.RATE, "flac", "flac"), "a.flac")
    assert timbre.describe(path, 600_000) is not None


@pytest.mark.parametrize("content", [b"", b"no music at all" * 1000], ids=["empty", "words"])
def test_what_is_no_audio_is_unreadable(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UnreadableFile):
        timbre.describe(written(tmp_path, content, "a.flac"), 200_000)


def test_only_excerpts_of_a_long_piece_are_listened_to(tmp_path: Path) -> None:
    """The middle of a long file, not its silent beginning, tells what it is."""
    piece = np.concatenate([np.zeros((2, 30 * ensembles.RATE)), *[wave("drums", 2)] * 5],
                           axis=1)
    seconds = piece.shape[1] / ensembles.RATE
    whole = heard(written(tmp_path, encoded(piece[:, ::2], ensembles.RATE // 2, "flac", "flac"), "a"), 120.0)
    assert seconds < 70     # the file claims twice its length: all three places lie in it or behind its end
    space = neighbours.made("", (0, 1, 2), whole + described("drums", 2) + described("ambient", 2))
    assert alike(space, 0, 1) > alike(space, 0, 2)


def test_the_groups_are_as_long_as_promised() -> None:
    numbers = timbre.measure([pink(3.0).mean(axis=0).astype(np.float32)])
    assert numbers is not None and numbers.shape == (SIZE,) and np.isfinite(numbers).all()
