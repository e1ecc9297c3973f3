"""Make of a music file the one that is kept on the shelf: trimmed, levelled, converted, in one encode.

Unlike a transcode for a listener (shared/audio/convert.py) the result is a whole file with its own proper header: an
MP3 with Xing header and gapless information, AAC in M4A. Lossy sound never goes into a lossless file. Tags and cover
are not copied: shared/audio/dress.py writes them. Imported by worker processes only.
"""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame

from shared.audio import loudness, tags
from shared.audio.convert import rate_for
from shared.audio.decoding import Sound, opened
from shared.audio.inspect import as_float
from shared.audio.trim import Ends
from shared.model.errors import BadInput, DiskFull, UnreadableFile
from shared.model.track import LOSSLESS, AudioFacts
from shared.model.units import Decibels, Kbps, Lufs

CEILING_DB: Decibels = -1.0     # true peak that levelling never goes beyond
NOTHING_DB: Decibels = 0.05     # a gain that nobody hears, and that is not worth an encode


@dataclass(frozen=True, slots=True)
class _Kind:
    container: str
    options: dict[str, str]
    codec: str
    sample_format: str
    mime_type: str
    least: Kbps
    most: Kbps


_KINDS = {
    "mp3": _Kind("mp3", {"id3v2_version": "0", "write_xing": "1"}, "libmp3lame", "fltp", "audio/mpeg", 32, 320),
    "opus": _Kind("ogg", {"page_duration": "1000000"}, "libopus", "flt", "audio/ogg", 16, 320),
    "aac": _Kind("ipod", {"movflags": "+faststart"}, "aac", "fltp", "audio/mp4", 32, 320),
    "flac": _Kind("flac", {}, "flac", "s16", "audio/flac", 0, 0),
}
#: What a file becomes when it is to be changed, and no format is named: its own kind, or what comes nearest.
FAMILY = {"mp3": "mp3", "opus": "opus", "aac": "aac", "vorbis": "opus", "wma": "aac", **dict.fromkeys(LOSSLESS, "flac")}


def keep(path: str, target: str, *, format: str | None = None, bitrate_kbps: Kbps | None = None,
         level_lufs: Lufs | None = None, trim: bool = False, ffmpeg: str | None = None) -> dict[str, Any]:
    """Write the music at `path` to the file `target`, which appears whole or not at all.

    format          mp3 | opus | aac | flac; None: its own family (Vorbis becomes Opus, WMA AAC, all lossless FLAC)
    bitrate_kbps    of a lossy format; None: about that of the source
    level_lufs      bring it to this loudness by one gain for all of it, no more than a true peak of -1 dBTP allows
    trim            cut silence off at both ends (shared/audio/trim.py), to the sample
    ffmpeg          path of an ffmpeg program that encodes MP3 three times as fast; it is given bare samples only

    Answers {format, mime_type, bitrate_kbps, sample_rate_hz, bit_depth, channels, duration_ms, bytes, errors, gain_db,
    reached_lufs, true_peak_db (both None when not levelled), cut_start_ms, cut_end_ms, note}; `note` is a sentence
    when it is not quite as asked for. Costs a decode to measure, when it is to be levelled or trimmed, and a decode
    and an encode. Raises BadInput for an unknown format and for lossy into lossless, UnreadableFile, DiskFull,
    OSError when `target` cannot be written.
    """
    facts = tags.read(path).facts
    wanted = format or FAMILY[facts.format]
    if wanted not in _KINDS:
        raise BadInput(f"{wanted} is no format to keep music in; there are {', '.join(_KINDS)}.", field="format")
    if wanted == "flac" and facts.format not in LOSSLESS:
        raise BadInput(f"This {facts.format} is lossy: kept as FLAC it would only be larger, and say that it is not.",
                       field="format")
    plan = _Plan(wanted, facts, bitrate_kbps)
    if trim or level_lufs is not None:
        plan.measure(path, trim=trim, level_lufs=level_lufs)
    partial = _partial(target)
    try:
        samples, errors = _write(path, partial, plan, ffmpeg)
        with open(partial, "rb") as file:
            os.fsync(file.fileno())
        size = os.stat(partial).st_size
        os.replace(partial, target)
    except OSError as error:
        raise _no_room(error) from error
    finally:
        with contextlib.suppress(OSError):
            os.unlink(partial)
    duration_ms = round(samples * 1000 / plan.rate)
    return {
        "format": wanted, "mime_type": plan.kind.mime_type,
        "bitrate_kbps": plan.kbps or (round(size * 8 / duration_ms) if duration_ms else None),
        "sample_rate_hz": plan.rate, "bit_depth": plan.bits, "channels": plan.channels, "duration_ms": duration_ms,
        "bytes": size, "errors": errors, "gain_db": round(plan.gain_db, 2), "reached_lufs": plan.reached_lufs,
        "true_peak_db": plan.true_peak_db, "cut_start_ms": plan.cut_ms(plan.start),
        "cut_end_ms": plan.cut_ms(plan.seen - plan.end) if plan.end is not None else 0,
        "note": " ".join(plan.notes) or None,
    }


def _partial(target: str) -> str:
    return f"{target}.{os.getpid()}.part"


class _Plan:
    """What is to be made of one file."""

    def __init__(self, wanted: str, facts: AudioFacts, bitrate_kbps: Kbps | None) -> None:
        self.format, self.kind = wanted, _KINDS[wanted]
        self.source_rate = facts.sample_rate_hz or 44100
        self.notes: list[str] = []
        lossless = wanted == "flac"
        given = facts.channels or 2
        self.channels = min(8, given) if lossless else min(2, given)
        self.rate = self.source_rate if lossless else 48000 if wanted == "opus" else rate_for(self.source_rate)
        deep = (facts.bit_depth or 16) > 16
        self.bits = (24 if deep else 16) if lossless else None
        self.sample_format = "s32" if lossless and deep else self.kind.sample_format
        if lossless and (facts.bit_depth or 16) > 24:
            self.notes.append(f"FLAC holds 24 of its {facts.bit_depth} bits.")
        if given > self.channels:
            self.notes.append(f"Its {given} channels are mixed to {self.channels}.")
        kbps = bitrate_kbps or (320 if facts.format in LOSSLESS else _about(facts.bitrate_kbps))
        most = self.kind.most if self.channels == 2 else self.kind.most * 3 // 5
        if wanted == "mp3" and self.rate < 32000:
            most = min(most, 160)           # MPEG-2 has no more
        self.kbps = None if lossless else max(self.kind.least, min(most, int(kbps)))
        self.start, self.end = 0, None      # type: int, int | None
        self.seen = 0
        self.gain_db = 0.0
        self.reached_lufs: Lufs | None = None
        self.true_peak_db: Decibels | None = None

    def measure(self, path: str, *, trim: bool, level_lufs: Lufs | None) -> None:
        """The first of two passes."""
        ends = Ends()
        with opened(path) as sound:
            frames = ends.passing(sound.frames()) if trim else sound.frames()
            if level_lufs is None:
                for _ in frames:
                    pass
            else:
                loud = loudness.of_frames(self._mixed(frames))
        self.seen = ends.samples
        if trim:
            self.start, self.end = ends.cut()
        if level_lufs is None:
            return
        if loud.is_silent:
            self.notes.append("It is silent, or too short to have a loudness: its level stays.")
            return
        peak_db = loud.true_peak_db + 0.05      # its last digit
        gain = level_lufs - loud.integrated_lufs
        if gain > CEILING_DB - peak_db:
            # Never louder than without clipping; and what clips already is turned down.
            gain = CEILING_DB - peak_db
            self.notes.append(f"{loud.integrated_lufs + gain:.1f} LUFS is as loud as it gets without clipping.")
        self.gain_db = gain if abs(gain) > NOTHING_DB else 0.0
        self.reached_lufs = round(loud.integrated_lufs + self.gain_db, 2)
        self.true_peak_db = round(loud.true_peak_db + self.gain_db, 2)

    def cut_ms(self, samples: int) -> int:
        return round(samples * 1000 / self.source_rate)

    def _mixed(self, frames: Iterator[AudioFrame]) -> Iterator[AudioFrame]:
        """As many channels as will be encoded: a mix has another level."""
        resampler, shape = None, None
        for frame in frames:
            if frame.layout.nb_channels == self.channels:
                yield frame
                continue
            now = (frame.format.name, frame.layout.name, frame.sample_rate)
            if now != shape:
                resampler, shape = av.AudioResampler("fltp", _layout(self.channels, frame), frame.sample_rate), now
            assert resampler is not None
            frame.pts = None
            yield from resampler.resample(frame)


# ---- the second pass ---------------------------------------------------------------------------------------------


def _write(path: str, partial: str, plan: _Plan, ffmpeg: str | None) -> tuple[int, int]:
    """(samples at the target's rate, damaged packets)."""
    if plan.format == "mp3" and ffmpeg is not None:
        with contextlib.suppress(_FfmpegFailed), opened(path) as sound:
            return _by_ffmpeg(sound, partial, plan, ffmpeg), sound.errors
    with opened(path) as sound:
        return _by_libraries(sound, partial, plan), sound.errors


def _by_libraries(sound: Sound, partial: str, plan: _Plan) -> int:
    # By name, not as a file object: an M4A is opened a second time to bring its index to the front.
    sink = av.open(os.path.abspath(partial), "w", format=plan.kind.container, options=dict(plan.kind.options))
    try:
        stream: Any = sink.add_stream(plan.kind.codec, rate=plan.rate)
        stream.layout = {1: "mono", 2: "stereo"}.get(plan.channels) or sound.stream.codec_context.layout.name
        stream.format = plan.sample_format
        stream.time_base = Fraction(1, plan.rate)
        if plan.kbps:
            stream.bit_rate = plan.kbps * 1000
        else:
            stream.options = {"compression_level": "8"}
        stream.codec_context.open()
        samples = 0
        for frame in _ready(sound, plan, stream.format.name, stream.layout.name,
                            stream.codec_context.frame_size or None):
            frame.pts, frame.time_base = samples, Fraction(1, plan.rate)
            samples += frame.samples
            sink.mux(stream.encode(frame))
        _finish(sink, stream, samples)
    finally:
        sink.close()
    return samples


def _finish(sink: Any, stream: Any, samples: int) -> None:
    """The last packets; where the container tells lengths, they end with the music and not with its padding."""
    for packet in stream.encode(None):
        if packet.pts is not None and packet.duration and packet.time_base and stream.codec_context.name == "aac":
            left = round(samples - packet.pts * float(packet.time_base) * stream.rate)
            if 0 < left < packet.duration:
                packet.duration = left
        sink.mux(packet)


class _FfmpegFailed(Exception):
    """That program cannot do it; the libraries can."""


def _by_ffmpeg(sound: Sound, partial: str, plan: _Plan, ffmpeg: str) -> int:
    """The system's ffmpeg encodes bare samples: it never sees the file they came from."""
    command = [ffmpeg, "-hide_banner", "-nostdin", "-v", "error", "-f", "f32le", "-ar", str(plan.rate),
               "-ac", str(plan.channels), "-i", "pipe:0", "-map_metadata", "-1", "-c:a", "libmp3lame",
               "-b:a", f"{plan.kbps}k", "-id3v2_version", "0", "-write_xing", "1", "-f", "mp3",
               "-y", f"file:{os.path.abspath(partial)}"]
    with tempfile.TemporaryFile() as said:
        try:
            program = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said)
        except OSError as error:
            raise _FfmpegFailed from error
        samples = 0
        try:
            assert program.stdin is not None
            layout = "mono" if plan.channels == 1 else "stereo"
            for frame in _ready(sound, plan, "flt", layout, None):
                samples += frame.samples
                program.stdin.write(np.ascontiguousarray(frame.to_ndarray(), dtype="<f4").tobytes())
            program.stdin.close()
            failed = program.wait() != 0
        except BrokenPipeError:
            failed = True
        finally:
            if program.poll() is None:
                program.kill()
            program.wait()
            with contextlib.suppress(OSError):
                if program.stdin is not None:
                    program.stdin.close()
        if failed:
            said.seek(0)
            if b"No space left" in said.read(100_000):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), partial)
            raise _FfmpegFailed
    return samples


def _ready(sound: Sound, plan: _Plan, sample_format: str, layout: str, frame_size: int | None) -> Iterator[AudioFrame]:
    """The frames that are encoded: cut, levelled, resampled."""
    resampler, shape = None, None
    change = _Gain(plan) if plan.gain_db else None
    for frame in _cut(sound.frames(), plan.start, plan.end):
        if change is not None:
            frame = change.apply(frame)
        now = (frame.format.name, frame.layout.name, frame.sample_rate)
        if now != shape:                    # a chained Ogg file or a broken MP3 may change on the way
            if resampler is not None:
                yield from _flushed(resampler)
            resampler, shape = av.AudioResampler(sample_format, layout, plan.rate, frame_size=frame_size), now
        assert resampler is not None
        frame.pts = None
        try:
            yield from resampler.resample(frame)
        except ValueError as error:
            raise UnreadableFile(f"Its audio cannot be converted ({error}).", reason="damaged") from error
    if resampler is not None:
        yield from _flushed(resampler)


def _flushed(resampler: Any) -> list[AudioFrame]:
    return [frame for frame in resampler.resample(None) if frame is not None and frame.samples]


def _cut(frames: Iterator[AudioFrame], start: int, end: int | None) -> Iterator[AudioFrame]:
    at = 0
    for frame in frames:
        first, last = max(0, start - at), frame.samples if end is None else min(frame.samples, end - at)
        at += frame.samples
        if first >= last:
            continue
        yield frame if (first, last) == (0, frame.samples) else _part(frame, frame.to_ndarray(), first, last)


def _part(frame: AudioFrame, data: Any, first: int, last: int) -> AudioFrame:
    wide = 1 if frame.format.is_planar else frame.layout.nb_channels
    return _like(frame, data[:, first * wide:last * wide], frame.format.name)


def _like(frame: AudioFrame, data: Any, sample_format: str) -> AudioFrame:
    made = AudioFrame.from_ndarray(np.ascontiguousarray(data), format=sample_format, layout=frame.layout.name)
    made.sample_rate = frame.sample_rate
    return made


class _Gain:
    """One factor for all samples; what becomes 16 bits again is dithered."""

    def __init__(self, plan: _Plan) -> None:
        self._factor = 10 ** (plan.gain_db / 20)
        self._deep = plan.bits if plan.rate == plan.source_rate else None
        self._chance = np.random.default_rng(16)

    def apply(self, frame: AudioFrame) -> AudioFrame:
        if self._deep is None:
            return _like(frame, as_float(frame) * np.float32(self._factor), "fltp")
        data: Any = frame.to_ndarray()
        if not frame.format.is_planar:
            data = data.reshape(-1, frame.layout.nb_channels).T
        full = 1.0 if data.dtype.kind == "f" else float(np.iinfo(data.dtype).max) + 1
        wave = (data.astype(np.float64) - (128.0 if data.dtype.kind == "u" else 0.0)) / (
            128.0 if data.dtype.kind == "u" else full) * self._factor
        if self._deep == 16:
            # Two dice make the triangle that hides a rounding.
            wave += (self._chance.random(wave.shape) - self._chance.random(wave.shape)) / 32768.0
            return _like(frame, np.clip(np.round(wave * 32768.0), -32768, 32767).astype(np.int16), "s16p")
        deep = np.clip(np.round(wave * 8388608.0), -8388608, 8388607).astype(np.int32) << 8
        return _like(frame, deep, "s32p")


def _layout(channels: int, frame: AudioFrame) -> str:
    return {1: "mono", 2: "stereo"}.get(channels) or str(frame.layout.name)


def _about(kbps: Kbps | None) -> Kbps:
    """A usual bitrate that loses little beside the source's own."""
    return next((one for one in (96, 128, 160, 192, 256) if kbps and kbps <= one * 1.05), 320)


def _no_room(error: OSError) -> Exception:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull("There is no room for the conversion on the station's disk. Make room and try again.")
    return error
