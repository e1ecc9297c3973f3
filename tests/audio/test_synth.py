"""The demo sounds as it should: level, in tune, without clicks, whole."""

from __future__ import annotations

import numpy as np
import pytest

from shared.audio import artwork, integrity, synth, tags


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, synth.Wave]:
    """A file that was made, and the sound that went into it."""
    mastered, waves = synth.mastered, list[synth.Wave]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synth, "mastered", lambda wave: (waves.append(mastered(wave)), waves[-1])[1])
        path = synth.make_piece(str(tmp_path_factory.mktemp("demo")), 4)
    return path, waves[0]


@pytest.fixture(scope="module")
def piece(made: tuple[str, synth.Wave]) -> synth.Wave:
    return made[1]


def test_it_is_as_loud_as_music_is_and_never_clips(piece: synth.Wave) -> None:
    assert abs(synth.loudness(piece) - synth.LOUDNESS_LUFS) < 0.5
    assert np.max(np.abs(piece)) <= 10 ** (-1 / 20)


def test_it_begins_and_ends_in_silence_and_never_jumps(piece: synth.Wave) -> None:
    assert np.max(np.abs(piece[:, :5])) < 0.003
    assert np.max(np.abs(piece[:, -100:])) < 0.003
    assert np.max(np.abs(np.diff(piece))) < 0.25
    assert np.isfinite(piece).all()


def test_the_loudness_of_a_known_tone_is_known() -> None:
    """EBU Tech 3341: a stereo sine of 1 kHz at -23 dBFS is -23 LUFS."""
    turn = np.sin(2 * np.pi * 1000 * np.arange(synth.RATE * 20) / synth.RATE)
    tone = (10 ** (-23 / 20) * np.stack([turn, turn])).astype(np.float32)
    assert abs(synth.loudness(tone) + 23.0) < 0.1


@pytest.mark.parametrize("name", sorted(synth._INSTRUMENTS))
def test_every_instrument_is_in_tune(name: str) -> None:
    for midi in (45, 57, 69):
        frequency = 440 * 2 ** ((midi - 69) / 12)
        wave = synth._INSTRUMENTS[name](frequency, 2.0, 0.5, np.random.default_rng(1))
        spectrum = np.abs(np.fft.rfft(wave * np.hanning(wave.size), 1 << 18))
        around = np.fft.rfftfreq(1 << 18, 1 / synth.RATE)
        near = (around > frequency * 0.94) & (around < frequency * 1.06)
        found = around[near][spectrum[near].argmax()]
        assert abs(1200 * np.log2(found / frequency)) < 6


def test_it_is_the_same_every_time() -> None:
    chance = [np.random.default_rng(synth.PIECES[0].seed) for _ in range(2)]
    assert synth._melody(synth.PIECES[0], chance[0]) == synth._melody(synth.PIECES[0], chance[1])


def test_two_albums_with_their_numbers_and_every_common_format() -> None:
    for album in {piece.album for piece in synth.PIECES}:
        numbers = [piece.number for piece in synth.PIECES if piece.album == album]
        assert numbers == list(range(1, len(numbers) + 1))
    assert {piece.suffix for piece in synth.PIECES} == {".flac", ".mp3", ".opus", ".m4a"}


def test_a_piece_becomes_a_whole_tagged_file_with_a_cover(made: tuple[str, synth.Wave]) -> None:
    path, _ = made
    reading = tags.read(path)
    assert (reading.metadata.title, reading.metadata.artist, reading.metadata.album) == (
        "Harbour, Before Six", "Soundsible", "Low Tide")
    assert (reading.metadata.track_number, reading.metadata.track_total) == (1, 3)
    assert "CC0" in (reading.metadata.comment or "")
    assert 60_000 < reading.facts.duration_ms < 120_000
    assert integrity.flac_md5_fits(path) is True
    picture = artwork.embedded(path)
    assert picture is not None
    assert artwork.color(picture) != artwork.color(synth.cover("Paper Lanterns"))
