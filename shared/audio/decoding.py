"""Open a media file with FFmpeg (PyAV) as an audio file and nothing else.

Only the demuxers and decoders of the formats the station knows are allowed: a playlist or a video in disguise cannot
make FFmpeg open further files, reach the network or run its less tested corners. Imported by worker processes only.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import av
from av.audio.frame import AudioFrame

from shared.audio.tags import blame_system
from shared.model.errors import UnreadableFile

_DEMUXERS = "mp3,flac,ogg,mov,aac,wav,aiff,w64,wv,ape,asf"
_DECODERS = ("mp3float,mp3,mp2float,mp2,mp1float,mp1,flac,vorbis,libvorbis,opus,libopus,aac,aac_fixed,alac,wavpack,ape,"
             "wmav1,wmav2,wmapro,wmalossless,wmavoice,ac3,eac3,adpcm_ms,adpcm_ima_wav,adpcm_ima_qt,gsm_ms,"
             + ",".join(f"pcm_{kind}" for kind in (
                 "u8", "s8", "s16le", "s16be", "s24le", "s24be", "s32le", "s32be", "f32le", "f32be", "f64le", "f64be",
                 "alaw", "mulaw", "s64le", "s64be", "s16le_planar", "s24le_planar", "s32le_planar")))
MOST_ERRORS = 1000      # packets that do not decode, before the file is given up


@dataclass(slots=True)
class Sound:
    """An opened file. `errors` counts the packets that did not decode so far."""

    container: Any
    stream: Any
    errors: int = 0
    said: str = field(default="")

    def frames(self, start_ms: int = 0) -> Iterator[AudioFrame]:
        """The decoded frames from `start_ms` on; what is damaged on the way is left out and counted.

        Raises UnreadableFile when nothing can be decoded.
        """
        if start_ms > 0:
            # Where seeking fails the beginning is decoded and thrown away.
            with contextlib.suppress(av.FFmpegError, OSError):
                self.container.seek(start_ms * 1000, backward=True, any_frame=False)
        sample, any_frame = None, False
        for packet in self._packets():
            try:
                frames = packet.decode()
            except (av.FFmpegError, ValueError, MemoryError) as error:
                self.errors += 1
                self.said = _said(error)
                if self.errors > MOST_ERRORS:
                    raise UnreadableFile(f"More than {MOST_ERRORS} of its packets are damaged.",
                                         reason="damaged") from error
                continue
            for frame in frames:
                any_frame = True
                if start_ms <= 0:
                    yield frame
                    continue
                if sample is None or frame.pts is not None:
                    sample = round(float(frame.time or 0.0) * frame.sample_rate)
                late = start_ms * frame.sample_rate // 1000 - sample
                sample += frame.samples
                if late < frame.samples:
                    yield frame if late <= 0 else _without(frame, late)
        if not any_frame:
            raise UnreadableFile(f"None of it can be decoded{f' ({self.said})' if self.said else ''}.",
                                 reason="damaged")

    def _packets(self) -> Iterator[Any]:
        packets = self.container.demux(self.stream)
        while True:
            try:
                packet = next(packets, None)
            except (av.FFmpegError, OSError) as error:
                if isinstance(error, OSError) and not isinstance(error, av.FFmpegError):
                    raise blame_system(error) from error
                # The container breaks off here: what came before counts.
                self.errors += 1
                self.said = _said(error)
                return
            if packet is None:
                return
            yield packet


def _said(error: BaseException) -> str:
    """What FFmpeg says, without numbers and names of files."""
    return str(getattr(error, "strerror", None) or type(error).__name__)


def _without(frame: AudioFrame, samples: int) -> AudioFrame:
    """`frame` without its first `samples`."""
    import numpy as np

    data: Any = frame.to_ndarray()
    cut = samples if frame.format.is_planar else samples * frame.layout.nb_channels
    kept: Any = np.ascontiguousarray(data[:, cut:])
    rest = AudioFrame.from_ndarray(kept, format=frame.format.name, layout=frame.layout.name)
    rest.sample_rate = frame.sample_rate
    return rest


@contextlib.contextmanager
def opened(path: str | BinaryIO) -> Iterator[Sound]:
    """The first audio stream of the file at `path`, or of an open one, which is closed then. Raises UnreadableFile."""
    try:
        file = open(path, "rb") if isinstance(path, str) else path  # noqa: SIM115 (only opening it is translated)
    except OSError as error:
        raise blame_system(error) from error
    with file:
        if not file.seek(0, os.SEEK_END):
            raise UnreadableFile("The file is empty.", reason="empty")
        file.seek(0)
        try:
            # A file object, not a name: FFmpeg reads some names as addresses.
            container = av.open(file, "r", metadata_errors="ignore", options={
                "protocol_whitelist": "", "format_whitelist": _DEMUXERS, "codec_whitelist": _DECODERS,
            })
        except MemoryError as error:
            raise UnreadableFile("It claims to hold more than it can: it is damaged, or made to do harm.",
                                 reason="too_large") from error
        except (av.FFmpegError, ValueError, OSError) as error:
            raise UnreadableFile(f"It cannot be opened as audio ({_said(error)}).", reason="not_audio") from error
        try:
            stream = next((one for one in container.streams.audio if one.codec_context is not None), None)
            if stream is None:
                raise UnreadableFile("There is no audio in it that the station can decode.", reason="not_audio")
            yield Sound(container, stream)
        finally:
            container.close()
