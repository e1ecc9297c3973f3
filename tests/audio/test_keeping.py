"""What is kept on the shelf: whole files with right headers, cut to the sample, level without clipping."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from shared.audio import keeping, loudness, tags
from shared.audio.inspect import inspect
from shared.model.errors import BadInput, DiskFull, UnreadableFile
from tests.audio.sounds import RATE, decoded, encoded, flac, music, silence, sine
from tests.builders import FORMATS, make_audio, make_bad

SUFFIX = {"mp3": ".mp3", "opus": ".opus", "aac": ".m4a", "flac": ".flac"}


def keep(path: Path, target: Path, **how: object) -> dict[str, object]:
    return keeping.keep(str(path), str(target), **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("target", SUFFIX)
@pytest.mark.parametrize("source", FORMATS)
def test_every_format_becomes_every_format_but_lossy_lossless(tmp_path: Path, source: str, target: str) -> None:
    wish = dict(FORMATS[source])
    path = make_audio(tmp_path, f"a{wish.pop('suffix')}", tags={"title": "Rain"}, **wish)
    made = tmp_path / f"out{SUFFIX[target]}"
    if target == "flac" and keeping.FAMILY[source] != "flac":
        with pytest.raises(BadInput, match="lossy"):
            keep(path, made, format=target)
        assert os.listdir(tmp_path) == [path.name]
        return
    told = keep(path, made, format=target, bitrate_kbps=128)
    found = inspect(str(made), 2000, 60)
    assert (found["format"], found["errors"], found["channels"]) == (target, 0, 2)
    assert abs(int(str(told["duration_ms"])) - found["duration_ms"]) < 25
    assert (told["sample_rate_hz"], told["bytes"]) == (found["sample_rate_hz"], made.stat().st_size)
    assert found["metadata"].title is None
    assert sorted(os.listdir(tmp_path)) == sorted([path.name, made.name])


@pytest.mark.parametrize("target", ["mp3", "opus", "flac"])
def test_not_a_sample_is_added_or_lost(tmp_path: Path, target: str) -> None:
    """The header says how much the encoder added before and behind (gapless)."""
    path = flac(tmp_path, sine(440, -10, 3.21, RATE))
    keep(path, tmp_path / "o", format=target, bitrate_kbps=192)
    wave, rate = decoded(tmp_path / "o")
    assert abs(wave.shape[1] - 3.21 * rate) <= (1 if target != "opus" else 50)
    original = sine(440, -10, 3.21, rate)
    assert np.abs(wave[:, 1000:rate] - original[:, 1000:rate]).max() < 0.02       # and nothing is late


def test_an_mp3_has_the_header_that_tells_its_length(tmp_path: Path) -> None:
    keep(flac(tmp_path, music(6.0)), tmp_path / "o.mp3", format="mp3", bitrate_kbps=320)
    head = (tmp_path / "o.mp3").read_bytes()[:400]
    assert b"Info" in head or b"Xing" in head
    facts = tags.read(str(tmp_path / "o.mp3")).facts
    assert (facts.bitrate_kbps, abs(facts.duration_ms - 6000) < 60) == (320, True)


def test_an_m4a_has_its_index_in_front(tmp_path: Path) -> None:
    keep(flac(tmp_path, music(6.0)), tmp_path / "o.m4a", format="aac", bitrate_kbps=192)
    content = (tmp_path / "o.m4a").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


@pytest.mark.parametrize(("bits", "rate"), [(16, 44_100), (24, 44_100), (24, 96_000), (24, 192_000), (16, 8_000)])
def test_flac_keeps_depth_rate_and_every_bit(tmp_path: Path, bits: int, rate: int) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(encoded(music(2.0, rate), rate, f"pcm_s{bits}le", "wav", bits=bits))
    told = keep(path, tmp_path / "o.flac", format="flac")
    assert (told["bit_depth"], told["sample_rate_hz"]) == (bits, rate)
    found = inspect(str(tmp_path / "o.flac"))
    assert (found["bit_depth"], found["sample_rate_hz"], found["audio_md5_fits"]) == (bits, rate, True)
    assert np.array_equal(decoded(path)[0], decoded(tmp_path / "o.flac")[0])


def test_a_trim_is_exact_to_the_sample(tmp_path: Path) -> None:
    sound = music(3.0)
    sound[:, 0] = sound[:, -1] = 0.5
    path = flac(tmp_path, np.concatenate([silence(1.0), sound, silence(2.0)], axis=1))
    told = keep(path, tmp_path / "o.flac", trim=True)
    assert (told["format"], told["cut_start_ms"], told["cut_end_ms"], told["gain_db"]) == ("flac", 950, 1950, 0.0)
    whole, cut = decoded(path)[0], decoded(tmp_path / "o.flac")[0]
    left = RATE // 20
    assert np.array_equal(cut, whole[:, RATE - left:RATE + sound.shape[1] + left])


@pytest.mark.parametrize("lufs", [-23.0, -14.0, -30.0])
@pytest.mark.parametrize("bits", [16, 24])
def test_levelling_reaches_its_loudness(tmp_path: Path, lufs: float, bits: int) -> None:
    path = flac(tmp_path, sine(1000, -23, 4), 48_000, bits=bits)
    told = keep(path, tmp_path / "o.flac", level_lufs=lufs)
    found = loudness.measure(str(tmp_path / "o.flac"))
    assert found["integrated_lufs"] == pytest.approx(lufs, abs=0.1)
    assert told["reached_lufs"] == pytest.approx(lufs, abs=0.1)
    assert (told["note"], told["bit_depth"]) == (None, bits)


def test_levelling_never_clips_and_says_so(tmp_path: Path) -> None:
    quiet = music(8.0) * 0.05
    quiet[:, 4000] = 0.7
    path = flac(tmp_path, quiet)
    told = keep(path, tmp_path / "o.flac", level_lufs=-5.0)
    found = loudness.measure(str(tmp_path / "o.flac"))
    assert found["true_peak_db"] <= -0.99
    assert found["true_peak_db"] > -1.3
    assert found["integrated_lufs"] == pytest.approx(told["reached_lufs"], abs=0.1)
    assert "as loud as it gets" in str(told["note"])


@pytest.mark.parametrize("target", ["mp3", "opus", "aac"])
def test_lossy_files_are_levelled_too(tmp_path: Path, target: str) -> None:
    keep(flac(tmp_path, sine(1000, -30, 4), 48_000), tmp_path / "o", format=target, bitrate_kbps=192, level_lufs=-18.0)
    assert loudness.measure(str(tmp_path / "o"))["integrated_lufs"] == pytest.approx(-18.0, abs=0.3)


def test_levelling_is_one_gain_for_all_of_it(tmp_path: Path) -> None:
    path = flac(tmp_path, music(4.0) * 0.2, bits=24)
    told = keep(path, tmp_path / "o.flac", level_lufs=-20.0)
    before, after = decoded(path)[0], decoded(tmp_path / "o.flac")[0]
    assert np.abs(after - before * 10 ** (float(str(told["gain_db"])) / 20)).max() < 2e-3


def test_silence_is_not_levelled(tmp_path: Path) -> None:
    told = keep(flac(tmp_path, silence(2)), tmp_path / "o.flac", level_lufs=-14.0)
    assert (told["gain_db"], told["reached_lufs"]) == (0.0, None)
    assert "silent" in str(told["note"])
    assert not decoded(tmp_path / "o.flac")[0].any()


@pytest.mark.parametrize(("name", "format", "kbps"), [
    ("a.mp3", "mp3", 128), ("a.ogg", "opus", 96), ("a.wma", "aac", 128), ("a.wv", "flac", None),
    ("a.opus", "opus", 160)])
def test_without_a_format_it_stays_in_its_family(tmp_path: Path, name: str, format: str, kbps: int | None) -> None:
    told = keep(make_audio(tmp_path, name), tmp_path / "o", level_lufs=-20.0)
    assert told["format"] == format
    assert kbps is None or told["bitrate_kbps"] == kbps


def test_six_channels_are_mixed_for_lossy_and_kept_for_lossless(tmp_path: Path) -> None:
    path = make_audio(tmp_path, "a.flac", channels=6)
    lossy = keep(path, tmp_path / "o.mp3", format="mp3", level_lufs=-20.0)
    assert lossy["channels"] == 2
    assert "6 channels" in str(lossy["note"])
    assert loudness.measure(str(tmp_path / "o.mp3"))["integrated_lufs"] == pytest.approx(-20.0, abs=0.5)
    assert keep(path, tmp_path / "o.flac", format="flac", trim=True)["channels"] == 6
    assert tags.read(str(tmp_path / "o.flac")).facts.channels == 6


def test_one_channel_stays_one(tmp_path: Path) -> None:
    told = keep(make_audio(tmp_path, "a.wav", channels=1), tmp_path / "o.mp3", format="mp3", bitrate_kbps=320)
    assert told["channels"] == 1
    assert tags.read(str(tmp_path / "o.mp3")).facts.channels == 1


def test_a_target_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "o.mp3"
    target.write_bytes(b"before")
    with pytest.raises(UnreadableFile):
        keep(make_bad(tmp_path, "html"), target, format="mp3")
    assert target.read_bytes() == b"before"
    with pytest.raises(OSError, match="No such file"):
        keep(make_audio(tmp_path, "a.flac"), tmp_path / "nowhere" / "o.mp3", format="mp3")
    with pytest.raises(BadInput):
        keep(make_audio(tmp_path, "a.flac"), target, format="exe")
    assert target.read_bytes() == b"before"
    assert not [name for name in os.listdir(tmp_path) if "part" in name]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
@pytest.mark.parametrize("target", SUFFIX)
def test_a_full_disk_is_told_as_such(tmp_path: Path, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = flac(tmp_path, music(6.0))
    partial = tmp_path / "o.part"
    partial.symlink_to("/dev/full")     # the link is removed, and not what it leads to
    monkeypatch.setattr(keeping, "_partial", lambda target: str(partial))
    with pytest.raises(DiskFull):
        keep(path, tmp_path / "o", format=target)


# ---- by a system's ffmpeg -------------------------------------------------------------------------------------------

FFMPEG = shutil.which("ffmpeg")

STANDING_IN = '''#!{python}
"""Encodes as ffmpeg would, given the same words: bare samples in, an MP3 out."""
import sys
import av
import numpy as np
words = sys.argv[1:]
value = {{word: words[at + 1] for at, word in enumerate(words[:-1]) if word.startswith("-")}}
assert value["-f"] == "mp3" and "f32le" in words and value["-i"] == "pipe:0" and value["-c:a"] == "libmp3lame", words
assert words[-1].startswith("file:/")
rate, channels = int(value["-ar"]), int(value["-ac"])
layout = "mono" if channels == 1 else "stereo"
wave = np.frombuffer(sys.stdin.buffer.read(), "<f4").reshape(1, -1)
with av.open(words[-1][5:], "w", format="mp3", options={{"id3v2_version": "0"}}) as sink:
    stream = sink.add_stream("libmp3lame", rate=rate, layout=layout)
    stream.bit_rate = int(value["-b:a"].rstrip("k")) * 1000
    frame = av.AudioFrame.from_ndarray(wave, format="flt", layout=layout)
    frame.sample_rate = rate
    resampler = av.AudioResampler("fltp", layout, rate, frame_size=1152)
    for part in [*resampler.resample(frame), *resampler.resample(None)]:
        sink.mux(stream.encode(part))
    sink.mux(stream.encode(None))
'''


def program(folder: Path, text: str) -> str:
    path = folder / "ffmpeg"
    path.write_text(text.format(python=sys.executable))
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("real", [False, pytest.param(True, marks=pytest.mark.skipif(
    FFMPEG is None, reason="no ffmpeg on this machine"))])
def test_a_systems_ffmpeg_makes_the_mp3(tmp_path: Path, real: bool) -> None:
    ffmpeg = FFMPEG if real else program(tmp_path, STANDING_IN)
    path = flac(tmp_path, np.concatenate([silence(1), sine(440, -20, 3, RATE)], axis=1))
    for channels in (2, 1):
        told = keep(path, tmp_path / "o.mp3", format="mp3", bitrate_kbps=192, trim=True, level_lufs=-16.0,
                    ffmpeg=ffmpeg)
        found = inspect(str(tmp_path / "o.mp3"), 3050, 3)
        assert (found["format"], found["bitrate_kbps"], found["channels"]) == (
            "mp3", 192 if channels == 2 else told["bitrate_kbps"], channels)
        assert loudness.measure(str(tmp_path / "o.mp3"))["integrated_lufs"] == pytest.approx(-16.0, abs=0.3)
        path = flac(tmp_path, np.concatenate([silence(1), sine(440, -20, 3, RATE)], axis=1)[:1])


@pytest.mark.parametrize("text", ["#!/bin/sh\nexit 1\n", "#!/bin/sh\ncat > /dev/null; exit 3\n", "no program at all"])
def test_where_that_fails_the_libraries_do_it(tmp_path: Path, text: str) -> None:
    told = keep(make_audio(tmp_path, "a.flac", seconds=8.0), tmp_path / "o.mp3", format="mp3", bitrate_kbps=128,
                ffmpeg=program(tmp_path, text.replace("{", "{{")))
    assert inspect(str(tmp_path / "o.mp3"), 8000, 5)["format"] == "mp3"
    assert told["bitrate_kbps"] == 128
    assert keep(make_audio(tmp_path, "a.flac"), tmp_path / "o.mp3", format="mp3", ffmpeg="/nowhere/ffmpeg")["bytes"]


def test_a_chained_ogg_is_kept_whole(tmp_path: Path) -> None:
    one, two = make_audio(tmp_path, "a.ogg"), make_audio(tmp_path, "b.ogg", tone_hz=880)
    path = tmp_path / "c.ogg"
    path.write_bytes(one.read_bytes() + two.read_bytes())
    told = keep(path, tmp_path / "o.opus", format="opus")
    with av.open(str(path)) as container:
        heard = sum(frame.samples for frame in container.decode(audio=0)) / RATE * 1000
    assert abs(int(str(told["duration_ms"])) - heard) < 30
