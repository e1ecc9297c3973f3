"""Transcodes that play, begin where they should, and can be followed while they grow."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import av
import numpy as np
import pytest

from shared.audio import convert
from shared.model.errors import BadInput, DiskFull, UnreadableFile
from tests.builders import FORMATS, make_audio, make_bad


def heard(path: Path) -> tuple[float, float, int]:
    """(seconds, loudest frequency in Hz, sample rate) of what a player would play."""
    parts, rate = [], 0
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            rate = frame.sample_rate
            data = frame.to_ndarray().astype(float)
            parts.append(data[0] if frame.format.is_planar else data.reshape(-1)[:: frame.layout.nb_channels])
    sound = np.concatenate(parts)
    spectrum = np.abs(np.fft.rfft(sound))
    return sound.size / rate, float(np.argmax(spectrum) * rate / sound.size), rate


@pytest.mark.parametrize("target", convert.TARGETS)
@pytest.mark.parametrize("source", FORMATS)
def test_every_format_becomes_every_target(tmp_path: Path, source: str, target: str) -> None:
    wish = dict(FORMATS[source])
    path = make_audio(tmp_path, f"a{wish.pop('suffix')}", tone_hz=660.0, **wish)
    done = convert.transcode(str(path), str(tmp_path / "out"), format=target, bitrate_kbps=96)
    seconds, tone, rate = heard(tmp_path / "out")
    assert 1.95 < seconds < 2.12
    assert source == "ape" or 655 < tone < 665      # silence has no tone
    assert (done["sample_rate_hz"], done["channels"], done["errors"]) == (rate, 2, 0)
    assert abs(done["duration_ms"] - 2000) < 50
    assert done["bytes"] == (tmp_path / "out").stat().st_size


@pytest.mark.parametrize("target", convert.TARGETS)
def test_it_begins_where_it_is_asked_to(tmp_path: Path, target: str) -> None:
    for name in ("a.flac", "a.mp3", "a.wv", "a.opus", "a.ape"):
        path = make_audio(tmp_path, name, seconds=6.0)
        done = convert.transcode(str(path), str(tmp_path / "out"), format=target, bitrate_kbps=64, start_ms=4000)
        assert abs(done["duration_ms"] - 2000) < 60, name


@pytest.mark.parametrize(("wish", "least", "most"), [(8, 10, 40), (64, 50, 80), (9999, 200, 340)])
def test_the_bitrate_is_what_was_asked_for_within_the_format(tmp_path: Path, wish: int, least: int, most: int) -> None:
    rough = np.random.default_rng(1).normal(0, 4000, (1, 48000 * 2 * 4)).astype("<i2")
    path = tmp_path / "noise.flac"
    with av.open(str(path), "w") as sink:
        stream = sink.add_stream("flac", rate=48000, layout="stereo")
        frame = av.AudioFrame.from_ndarray(rough, format="s16", layout="stereo")
        frame.sample_rate = 48000
        for part in av.AudioResampler("s16", "stereo", 48000, frame_size=4608).resample(frame):
            sink.mux(stream.encode(part))
        sink.mux(stream.encode(None))
    for target in convert.TARGETS:
        done = convert.transcode(str(path), str(tmp_path / "out"), format=target, bitrate_kbps=wish)
        assert least <= done["bytes"] * 8 / done["duration_ms"] <= most, target


@pytest.mark.parametrize(("rate", "meant"), [(96000, 48000), (88200, 44100), (22050, 22050), (192000, 48000)])
def test_rates_that_a_target_does_not_know_are_converted(tmp_path: Path, rate: int, meant: int) -> None:
    path = make_audio(tmp_path, "a.flac", sample_rate=rate, tone_hz=1000.0)
    for target in ("mp3", "aac"):
        convert.transcode(str(path), str(tmp_path / "out"), format=target)
        seconds, tone, found = heard(tmp_path / "out")
        assert found == meant
        assert 990 < tone < 1010
        assert 1.95 < seconds < 2.2


def test_six_channels_become_two_and_one_stays_one(tmp_path: Path) -> None:
    for channels, meant in ((6, 2), (1, 1)):
        path = make_audio(tmp_path, f"{channels}.flac", channels=channels, sample_rate=48000)
        for target in convert.TARGETS:
            done = convert.transcode(str(path), str(tmp_path / "out"), format=target, bitrate_kbps=320)
            assert done["channels"] == meant


@pytest.mark.parametrize("target", convert.TARGETS)
def test_what_is_there_already_never_changes_while_it_grows(tmp_path: Path, target: str) -> None:
    """A follower reads each byte once, and has the same file in the end."""
    path, out = make_audio(tmp_path, "a.flac", seconds=60.0), tmp_path / "out"
    out.touch()
    number = out.stat().st_ino
    work = threading.Thread(target=convert.transcode, args=(str(path), str(out)), kwargs={"format": target})
    got, steps = b"", 0
    with open(out, "rb") as following:
        work.start()
        while True:
            working = work.is_alive()
            part = following.read()
            got += part
            steps += bool(part)
            if not part and not working:
                break
            time.sleep(0.005)
    work.join()
    assert got == out.read_bytes()
    assert steps > 3
    assert out.stat().st_ino == number


def test_a_damaged_file_is_converted_without_its_damage(tmp_path: Path) -> None:
    path = make_audio(tmp_path, "a.mp3", seconds=10.0)
    content = bytearray(path.read_bytes())
    content[80_000:80_400] = os.urandom(400)
    path.write_bytes(content)
    done = convert.transcode(str(path), str(tmp_path / "out"), format="opus")
    assert done["duration_ms"] > 9000


@pytest.mark.parametrize("kind", ["empty", "text", "html", "zeros", "noise", "picture", "truncated", "huge_id3"])
def test_what_is_no_music_is_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(UnreadableFile) as caught:
        convert.transcode(str(make_bad(tmp_path, kind)), str(tmp_path / "out"), format="mp3")
    assert str(tmp_path) not in caught.value.message


def test_a_playlist_in_disguise_opens_nothing_else(tmp_path: Path) -> None:
    secret = make_audio(tmp_path, "secret.mp3")
    hls = f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile://{secret}\n#EXT-X-ENDLIST\n"
    for name, text in {"hls.mp3": hls,
                       "concat.mp3": f"ffconcat version 1.0\nfile '{secret}'\n",
                       "sdp.mp3": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=audio 9 RTP/AVP 0\n"}.items():
        path = tmp_path / name
        path.write_text(text)
        with pytest.raises(UnreadableFile):
            convert.transcode(str(path), str(tmp_path / "out"), format="mp3")


def test_an_unknown_target_and_a_missing_source(tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        convert.transcode(str(make_audio(tmp_path, "a.flac")), str(tmp_path / "out"), format="exe")
    with pytest.raises(UnreadableFile) as caught:
        convert.transcode(str(tmp_path / "gone.flac"), str(tmp_path / "out"), format="mp3")
    assert caught.value.reason == "vanished"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_full_disk_is_told_as_such(tmp_path: Path) -> None:
    path = make_audio(tmp_path, "a.flac", seconds=1)
    with pytest.raises(DiskFull, match="room"):
        convert.transcode(str(path), "/dev/full", format="opus")
