"""A fetched file is looked at as a whole: what is wrong with it has its reason, what is right its facts."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from shared.audio.inspect import inspect
from shared.model.errors import UnreadableFile
from tests.audio.sounds import RATE, decoded, encoded, flac, music, pink, silence
from tests.builders import BAD_KINDS, FORMATS, make_audio, make_bad, make_picture


def reason(path: Path, *args: int) -> str:
    with pytest.raises(UnreadableFile) as caught:
        inspect(str(path), *args)
    assert caught.value.reason in UnreadableFile.REASONS
    return caught.value.reason


@pytest.mark.parametrize("kind", FORMATS)
def test_a_good_file_has_its_facts(tmp_path: Path, kind: str) -> None:
    wish = dict(FORMATS[kind])
    path = make_audio(tmp_path, f"a{wish.pop('suffix')}", seconds=3.0, tags={"title": "Rain"}, picture=make_picture(),
                      **wish)
    found = inspect(str(path), 3000, 200)
    assert (found["format"], found["channels"], found["errors"], found["silent"]) == (kind, 2, 0, kind == "ape")
    assert abs(found["duration_ms"] - 3000) < 60
    assert found["sample_rate_hz"] == (48_000 if kind == "opus" else 44_100)
    assert found["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert found["audio_md5_fits"] is (True if kind == "flac" else None)
    assert found["bit_depth"] == (16 if kind in ("flac", "alac", "wav", "aiff", "wavpack", "ape") else None)
    assert found["metadata"].title == "Rain"
    assert found["picture_bytes"] == len(make_picture())
    assert found["facts"].format == kind
    assert not found["upsampled"]


@pytest.mark.parametrize("kind", BAD_KINDS)
def test_a_bad_file_has_its_reason(tmp_path: Path, kind: str) -> None:
    path = make_bad(tmp_path, kind)
    if BAD_KINDS[kind] is None:
        assert inspect(str(path))["errors"] == 0
    else:
        assert reason(path) == BAD_KINDS[kind]


def test_what_is_no_music_but_called_so(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(b"abc")
    assert reason(path) == "not_audio"
    path.write_bytes(b"ID3")
    assert reason(path) in ("damaged", "truncated")
    path.write_bytes(b"\xef\xbb\xbf\n <!DOCTYPE html><html>Not found</html>")
    with pytest.raises(UnreadableFile, match="website"):
        inspect(str(path))
    path.write_bytes(b'{"error": "rate limited"}')
    with pytest.raises(UnreadableFile, match="website"):
        inspect(str(path))
    path.write_bytes(np.random.default_rng(5).bytes(300_000))
    assert reason(path) == "not_audio"
    path.write_bytes(b"\xff\xfb\x90\x00" * 5)
    assert reason(path) in ("not_audio", "truncated", "damaged")


@pytest.mark.parametrize("name", ["a.flac", "a.mp3", "a.ogg", "a.opus", "a.m4a", "a.wav", "a.wv"])
def test_a_file_that_is_cut_off_is_no_good(tmp_path: Path, name: str) -> None:
    path = make_audio(tmp_path, name, seconds=20.0)
    content = path.read_bytes()
    path.write_bytes(content[:len(content) * 6 // 10])
    if name in ("a.mp3", "a.ogg", "a.opus"):
        # What such a file promises is reckoned from its size or its end: only who knows the length can tell.
        try:
            found = inspect(str(path))
            assert found["duration_ms"] < 14_000
        except UnreadableFile as error:
            assert error.reason in ("truncated", "damaged")
            return
        assert reason(path, 20_000, 3000) == "wrong_length"
        return
    assert reason(path) in ("truncated", "damaged")


def test_one_flipped_bit_in_a_flac_is_damage(tmp_path: Path) -> None:
    path = flac(tmp_path, music(6.0))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)
    assert reason(path) == "damaged"


def test_one_flipped_bit_in_a_wavpack_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.wv"
    content = bytearray(encoded(music(6.0), RATE, "wavpack", "wv"))
    assert inspect_bytes(path, bytes(content))["errors"] == 0
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)
    assert reason(path) == "damaged"


def inspect_bytes(path: Path, content: bytes) -> dict[str, object]:
    path.write_bytes(content)
    return inspect(str(path))


def test_a_few_scratches_in_an_mp3_are_counted_and_many_are_damage(tmp_path: Path) -> None:
    good = bytearray(encoded(music(), RATE, "libmp3lame", "mp3", kbps=128))
    chance = np.random.default_rng(3)
    scratched = bytearray(good)
    scratched[40_000:40_300] = bytes(300)
    assert inspect_bytes(tmp_path / "a.mp3", bytes(scratched))["errors"] in range(0, 4)
    for at in range(5000, len(good) - 1000, 900):
        good[at:at + 400] = chance.bytes(400)
    path = tmp_path / "a.mp3"
    path.write_bytes(good)
    assert reason(path) in ("damaged", "not_audio", "truncated")


def test_the_length_is_held_against_what_was_asked_for(tmp_path: Path) -> None:
    path = make_audio(tmp_path, "a.flac", seconds=10.0)
    assert inspect(str(path), 12_000, 2_000)["duration_ms"] == 10_000
    with pytest.raises(UnreadableFile, match=r"0:10 long, and should be 3:00") as caught:
        inspect(str(path), 180_000, 5_000)
    assert caught.value.details["expected_ms"] == 180_000
    assert inspect(str(path), None)["duration_ms"] == 10_000


def test_an_mp3_whose_header_lies_is_measured_by_its_sound(tmp_path: Path) -> None:
    path = make_audio(tmp_path, "a.mp3", seconds=10.0)
    content = path.read_bytes()
    at = content.find(b"Xing") if b"Xing" in content[:4096] else content.find(b"Info")
    assert at > 0
    path.write_bytes(content[:at + 8] + (100_000).to_bytes(4, "big") + content[at + 12:])
    assert reason(path) == "truncated"


def test_a_file_of_silence_is_called_silent(tmp_path: Path) -> None:
    assert inspect(str(flac(tmp_path, silence(3))))["silent"]
    assert inspect(str(flac(tmp_path, silence(3) + 2e-5)))["silent"]
    late = np.concatenate([silence(5), music(3.0)], axis=1)
    assert not inspect(str(flac(tmp_path, late)))["silent"]


@pytest.mark.parametrize("suffix", [".flac", ".wav", ".wv", ".m4a"])
def test_lossless_that_was_lossy_is_told(tmp_path: Path, suffix: str) -> None:
    sound, rate = decoded(encoded(music(), RATE, "libmp3lame", "mp3", kbps=192))
    codec, container = {".flac": ("flac", "flac"), ".wav": ("pcm_s16le", "wav"), ".wv": ("wavpack", "wv"),
                        ".m4a": ("alac", "ipod")}[suffix]
    found = inspect_bytes(tmp_path / f"a{suffix}", encoded(sound, rate, codec, container))
    assert found["upsampled"]
    assert 18_000 < int(str(found["cutoff_hz"])) < 19_500
    honest = inspect_bytes(tmp_path / f"b{suffix}", encoded(music(), RATE, codec, container))
    assert (honest["upsampled"], honest["cutoff_hz"]) == (False, None)
    lossy = inspect_bytes(tmp_path / "c.mp3", encoded(music(), RATE, "libmp3lame", "mp3", kbps=128))
    assert not lossy["upsampled"]       # it never said that it is lossless


@pytest.mark.parametrize("bits", [16, 24])
def test_the_checksum_of_a_flac_fits_in_any_depth(tmp_path: Path, bits: int) -> None:
    found = inspect(str(flac(tmp_path, pink(4.0), 48_000, bits=bits)))
    assert (found["bit_depth"], found["audio_md5_fits"]) == (bits, True)


def test_a_file_that_does_not_end_is_given_up(tmp_path: Path) -> None:
    path = flac(tmp_path, silence(60, 8000, 1), 8000)
    with pytest.raises(UnreadableFile) as caught:
        inspect(str(path), longest_ms=30_000)
    assert caught.value.reason == "too_large"
    # Also when its header keeps quiet about it.
    content = bytearray(path.read_bytes())
    content[18 + 3:18 + 8] = bytes([content[18 + 3] & 0xF0, 0, 0, 0, 0])
    path.write_bytes(content)
    with pytest.raises(UnreadableFile) as caught:
        inspect(str(path), longest_ms=30_000)
    assert caught.value.reason in ("too_large", "truncated", "damaged")


@pytest.mark.skipif(sys.platform != "linux", reason="reads its own memory from /proc")
def test_an_hour_takes_no_more_memory_than_a_minute(tmp_path: Path) -> None:
    """In a process of its own."""
    path = tmp_path / "a.wav"
    minute = np.round(np.tile(music(3.0, 8000)[0], 20) * 20_000).astype("<i2").tobytes()
    with wave.open(str(path), "wb") as sink:
        sink.setparams((1, 2, 8000, 0, "NONE", ""))
        for _ in range(60):
            sink.writeframes(minute)
    script = ("import sys; sys.path.insert(0, sys.argv[2]); from shared.audio.inspect import inspect; "
              "found = inspect(sys.argv[1]); "
              "print(found['duration_ms'], open('/proc/self/status').read().split('VmHWM:')[1].split()[0])")
    root = str(Path(__file__).resolve().parents[2])
    done = subprocess.run([sys.executable, "-c", script, str(path), root], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    duration_ms, peak_kib = (int(one) for one in done.stdout.split())
    assert duration_ms == 3_600_000
    assert peak_kib < 150 << 10
