"""What makes an MP3 longer sounds of nothing and breaks no decoder."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.audio.mp3_silence import silence, silent_frame


def mp3(rate: int, layout: str, kbps: int) -> bytes:
    """A third of a second of a tone."""
    file, tone = io.BytesIO(), 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate // 3) / rate)
    with av.open(file, "w", format="mp3", options={"write_xing": "0", "id3v2_version": "0"}) as sink:
        stream = sink.add_stream("libmp3lame", rate=rate)
        stream.layout, stream.bit_rate, stream.format = layout, kbps * 1000, "fltp"
        channels = 1 if layout == "mono" else 2
        frame = av.AudioFrame.from_ndarray(np.tile(tone.astype("f4"), (channels, 1)), "fltp", layout)
        frame.sample_rate = rate
        sink.mux(stream.encode(frame))
        sink.mux(stream.encode(None))
    return file.getvalue()


def samples(data: bytes) -> np.ndarray:
    with av.open(io.BytesIO(data)) as file:
        return np.concatenate([frame.to_ndarray() for frame in file.decode(file.streams.audio[0])], axis=-1)


@pytest.mark.parametrize("layout", ["mono", "stereo"])
@pytest.mark.parametrize(("rate", "kbps"), [(44_100, 128), (44_100, 320), (48_000, 64), (48_000, 192), (32_000, 32)])
def test_silence_is_decoded_without_an_error_and_the_music_is_the_same(rate: int, kbps: int, layout: str) -> None:
    music = mp3(rate, layout, kbps)
    heard, frame = samples(music), silent_frame(music)
    assert frame is not None and len(frame) == 144_000 * kbps // rate
    for rest in (0, 1, 2, 4, 50, len(frame) - 1):
        whole = samples(music + b"".join(silence(music, 5 * len(frame) + rest)))
        assert whole.shape[1] == heard.shape[1] + 5 * 1152, rest
        assert np.array_equal(whole[:, :heard.shape[1]], heard)
        assert not whole[:, heard.shape[1] + 1152:].any()       # the last of the music fades within a frame


@given(begin=st.one_of(st.binary(max_size=6), st.binary(max_size=2).map(lambda more: b"\xff\xfb" + more)),
       size=st.integers(0, 300_000))
def test_it_is_as_long_as_it_was_said_to_be_whatever_is_before_it(begin: bytes, size: int) -> None:
    pieces = list(silence(begin, size))
    assert sum(map(len, pieces)) == size and all(pieces)
