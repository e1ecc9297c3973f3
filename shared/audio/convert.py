"""Convert a music file to Opus, MP3 or AAC for a player that cannot have the original.

The target grows while it is written, so that a listener follows: Opus in Ogg with short pages, MP3 as bare frames (no
Xing header, which would have to be put in at the end), AAC as ADTS frames. ADTS and not fragmented MP4: every
browser plays it from a growing file, it needs no index to begin in the middle, and costs seven bytes a frame.
"""

from __future__ import annotations

import errno
import os
from fractions import Fraction
from typing import Any, BinaryIO

import av
from av.audio.frame import AudioFrame

from shared.audio.decoding import Sound, opened
from shared.model.errors import BadInput, DiskFull, UnreadableFile
from shared.model.units import Kbps, Milliseconds

# format → (container, its options, encoder, MIME type, least and most kbit/s)
TARGETS: dict[str, tuple[str, dict[str, str], str, str, int, int]] = {
    "opus": ("ogg", {"page_duration": "200000"}, "libopus", "audio/ogg", 16, 320),
    "mp3": ("mp3", {"write_xing": "0", "id3v2_version": "0"}, "libmp3lame", "audio/mpeg", 32, 320),
    "aac": ("adts", {}, "aac", "audio/aac", 32, 320),
}
_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)     # of MP3, and AAC has them too


class _Growing:
    """A file that FFmpeg may only append to."""

    def __init__(self, path: str) -> None:
        # Not a new file: whoever follows it may have it open already.
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        self.size = 0
        self.failure: OSError | None = None     # FFmpeg wraps what write raises in an error of its own

    def write(self, data: bytes) -> int:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._handle, view):]
        except OSError as error:
            self.failure = error
            raise
        self.size += len(data)
        return len(data)

    def close(self) -> None:
        os.close(self._handle)


def transcode(path: str | BinaryIO, target: str, *, format: str, bitrate_kbps: Kbps = 128,
              start_ms: Milliseconds = 0) -> dict[str, Any]:
    """Write the music at `path`, from `start_ms` on, to the file `target`, which grows as it is written.

    The bitrate is moved into what the format allows, more than two channels are mixed to two. Answers {format,
    mime_type, bitrate_kbps, sample_rate_hz, channels, duration_ms, bytes, errors}; `errors` counts damaged packets
    that were left out. On one core Opus is made some 140, MP3 70, AAC 35 times as fast as it plays. Raises
    UnreadableFile, BadInput for an unknown format, DiskFull, OSError when `target` cannot be written.
    """
    if format not in TARGETS:
        raise BadInput(f"{format} is no format to convert to; there are {', '.join(TARGETS)}.")
    container, options, codec, mime_type, least, most = TARGETS[format]
    with opened(path) as sound:
        source = sound.stream.codec_context
        channels = min(2, source.layout.nb_channels or 2)
        rate = 48000 if format == "opus" else rate_for(source.sample_rate)
        # A little more than the encoder takes for one channel would be refused.
        kbps = max(least, min(most if channels == 2 else most * 3 // 5, int(bitrate_kbps)))
        growing = _Growing(target)
        try:
            sink = av.open(growing, "w", format=container, options=options | {"flush_packets": "1"}, buffer_size=8192)
            try:
                stream: Any = sink.add_stream(codec, rate=rate)
                stream.layout = "mono" if channels == 1 else "stereo"
                stream.bit_rate = kbps * 1000
                stream.format = {"libopus": "flt", "libmp3lame": "fltp", "aac": "fltp"}[codec]
                stream.time_base = Fraction(1, rate)
                samples = _encode(sound, sink, stream, rate, start_ms)
            finally:
                sink.close()
        except Exception as error:
            failure = growing.failure
            if failure is None:
                raise
            if failure.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFull("There is no room for conversions on the station's disk. Make room and try again, or "
                               "play the original.") from error
            raise failure from error
        finally:
            growing.close()
    return {"format": format, "mime_type": mime_type, "bitrate_kbps": kbps, "sample_rate_hz": rate,
            "channels": channels, "duration_ms": samples * 1000 // rate, "bytes": growing.size,
            "errors": sound.errors}


def rate_for(source: int) -> int:
    """The rate to encode at: the source's own, a whole part of it, or CD's."""
    if source in _RATES:
        return source
    for rate in (48000, 44100):
        if source and source % rate == 0:
            return rate
    return 44100 if source > 32000 or not source else min(r for r in _RATES if r >= min(source, 44100))


def _encode(sound: Sound, sink: Any, stream: Any, rate: int, start_ms: int) -> int:
    """All of it; returns how many samples went into the encoder."""
    stream.codec_context.open()
    resampler, shape, samples = None, None, 0

    def put(frames: list[AudioFrame]) -> None:
        nonlocal samples
        for frame in frames:
            frame.pts = samples
            frame.time_base = Fraction(1, rate)
            samples += frame.samples
            sink.mux(stream.encode(frame))

    for frame in sound.frames(start_ms):
        now = (frame.format.name, frame.layout.name, frame.sample_rate)
        if now != shape:                    # a chained Ogg file or a broken MP3 may change on the way
            if resampler is not None:
                put(_flushed(resampler))
            resampler = av.AudioResampler(stream.format.name, stream.layout.name, rate,
                                          frame_size=stream.codec_context.frame_size or None)
            shape = now
        assert resampler is not None
        frame.pts = None
        try:
            put(resampler.resample(frame))
        except ValueError as error:
            raise UnreadableFile(f"Its audio cannot be converted ({error}).", reason="damaged") from error
    if resampler is not None:
        put(_flushed(resampler))
    sink.mux(stream.encode(None))
    return samples


def _flushed(resampler: Any) -> list[AudioFrame]:
    """What the resampler still holds, down to the last sample."""
    return [frame for frame in resampler.resample(None) if frame is not None and frame.samples]
