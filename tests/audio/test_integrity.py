"""Damage is found, and what is whole is not called damaged."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from shared.audio import integrity
from shared.model.errors import UnreadableFile
from tests.builders import FORMATS, make_audio, make_bad


def test_the_hash_is_that_of_the_whole_file(tmp_path: Path) -> None:
    path = make_audio(tmp_path, "a.flac")
    assert integrity.sha256(str(path)) == hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(UnreadableFile):
        integrity.sha256(str(tmp_path / "gone"))


@pytest.mark.parametrize("values", [{}, {"channels": 1}, {"channels": 6, "sample_rate": 48000}, {"sample_rate": 96000}])
def test_a_whole_flac_fits_its_checksum(tmp_path: Path, values: dict[str, Any]) -> None:
    assert integrity.flac_md5_fits(str(make_audio(tmp_path, "a.flac", **values))) is True


def test_a_flac_of_24_bits_fits_its_checksum(tmp_path: Path) -> None:
    import av
    import numpy as np

    path = tmp_path / "deep.flac"
    noise = (np.random.default_rng(1).integers(-2**22, 2**22, (1, 96_000)) << 8).astype("<i4")
    with av.open(str(path), "w") as sink:
        stream = sink.add_stream("flac", rate=48000, layout="stereo")
        stream.format = "s32"
        stream.codec_context.open()
        frame = av.AudioFrame.from_ndarray(noise, format="s32", layout="stereo")
        frame.sample_rate = 48000
        size = stream.codec_context.frame_size
        for part in av.AudioResampler("s32", "stereo", 48000, frame_size=size).resample(frame):
            sink.mux(stream.encode(part))
        sink.mux(stream.encode(None))
    assert integrity.tags.read(str(path)).facts.bit_depth == 24
    assert integrity.flac_md5_fits(str(path)) is True


def test_one_turned_bit_does_not_fit(tmp_path: Path) -> None:
    path = make_audio(tmp_path, "a.flac")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert integrity.flac_md5_fits(str(path)) is False


def test_what_has_no_checksum_has_no_answer(tmp_path: Path) -> None:
    assert integrity.flac_md5_fits(str(make_audio(tmp_path, "a.mp3"))) is None
    path = make_audio(tmp_path, "b.flac")
    content = bytearray(path.read_bytes())
    content[26:42] = bytes(16)
    path.write_bytes(content)
    assert integrity.flac_md5_fits(str(path)) is None


@pytest.mark.parametrize("kind", FORMATS)
def test_whole_files_decode_to_their_end(tmp_path: Path, kind: str) -> None:
    wish = dict(FORMATS[kind])
    done = integrity.decode_whole(str(make_audio(tmp_path, f"a{wish.pop('suffix')}", **wish)))
    assert abs(done["duration_ms"] - 2000) < 60
    assert done["errors"] == 0
    assert done["silent"] is (kind == "ape")


def test_a_file_with_a_hole_is_not_whole(tmp_path: Path) -> None:
    path = make_audio(tmp_path, "a.mp3", seconds=10.0)
    content = path.read_bytes()
    path.write_bytes(content[:40_000] + content[-80_000:])
    with pytest.raises(UnreadableFile) as caught:
        integrity.decode_whole(str(path))
    assert caught.value.reason == "truncated"


@pytest.mark.parametrize("kind", ["empty", "text", "truncated", "zeros"])
def test_what_is_no_music_is_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(UnreadableFile):
        integrity.decode_whole(str(make_bad(tmp_path, kind)))
