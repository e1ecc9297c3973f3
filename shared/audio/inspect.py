"""Look at a fetched file as a whole, once: is it music, whole, undamaged, as long as it should be, and really lossless?

One decode from end to end answers everything; its memory does not grow with the length. Imported by worker processes
only.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from typing import Any

import numpy as np

from shared.audio import tags
from shared.audio.decoding import Sound, opened
from shared.audio.integrity import as_flac_hashes, check_length, sha256
from shared.audio.spectrum import Edge, Spectrum
from shared.model.errors import UnreadableFile
from shared.model.track import LOSSLESS, Reading
from shared.model.units import Milliseconds

LONGEST_MS: Milliseconds = 12 * 3600 * 1000
SILENT = 1e-4               # -80 dBFS: a file without anything louder is silent
BAD_PACKETS = 0.01          # of a lossy file, more are damage and not a scratch
_PAGE = (b"<!doctype html", b"<html", b"<?xml", b"{\"", b"[{")


def inspect(path: str, expected_ms: Milliseconds | None = None, tolerance_ms: Milliseconds = 3000, *,
            longest_ms: Milliseconds = LONGEST_MS) -> dict[str, Any]:
    """What is in the file at `path`:

    format, mime_type, duration_ms, bitrate_kbps, sample_rate_hz, bit_depth, channels   as decoded, not as promised
    facts               the same as AudioFacts
    sha256              of the file
    audio_md5           FLAC, WavPack: the checksum of the sound that the file carries, or None
    audio_md5_fits      True when that was tried and fits (FLAC), else None
    errors              packets that did not decode and were left out
    silent              nothing in it is louder than -80 dBFS
    cutoff_hz           where lossless sound ends all at once, or None
    upsampled           it says it is lossless, and was lossy before
    metadata, lyrics, picture_bytes     as its tags say

    Costs decoding it and a little (some 200 times as fast as it plays). Raises UnreadableFile: empty, not_audio,
    truncated, damaged (among them a FLAC whose own checksum does not fit), too_large (longer than `longest_ms`),
    wrong_length (`expected_ms` is missed by more than `tolerance_ms`; details say both).
    """
    try:
        reading = tags.read(path)
    except UnreadableFile as error:
        raise _told(path, error) from error
    if reading.facts.duration_ms > longest_ms:
        raise _too_long(longest_ms)
    with opened(path) as sound:
        lossless = reading.facts.format in LOSSLESS
        if reading.facts.format in ("wavpack", "ape"):
            sound.stream.codec_context.options = {"err_detect": "crccheck"}
        hearing = _Hearing(reading, lossless, longest_ms)
        hearing.all_of(sound)
    facts = replace(
        reading.facts, duration_ms=hearing.duration_ms, sample_rate_hz=hearing.rate, channels=hearing.channels,
        bitrate_kbps=reading.facts.bitrate_kbps or _kbps(path, hearing.duration_ms))
    check_length(reading, hearing.duration_ms)
    fits = hearing.md5_fits()
    if fits is False:
        raise UnreadableFile("Its sound is not what its own checksum says: it is damaged.", reason="damaged")
    if lossless and sound.errors and not fits:
        raise UnreadableFile(f"{sound.errors} of its packets are damaged.", reason="damaged")
    if sound.errors > max(3.0, BAD_PACKETS * hearing.frames):
        raise UnreadableFile(f"{sound.errors} of its {hearing.frames + sound.errors} packets are damaged.",
                             reason="damaged")
    if expected_ms is not None and abs(facts.duration_ms - expected_ms) > tolerance_ms:
        raise UnreadableFile(
            f"It is {_clock(facts.duration_ms)} long, and should be {_clock(expected_ms)}.", reason="wrong_length",
            duration_ms=facts.duration_ms, expected_ms=expected_ms)
    edge = hearing.edge()
    return {
        "format": facts.format, "mime_type": facts.mime_type, "duration_ms": facts.duration_ms,
        "bitrate_kbps": facts.bitrate_kbps, "sample_rate_hz": facts.sample_rate_hz, "bit_depth": facts.bit_depth,
        "channels": facts.channels, "facts": facts, "sha256": sha256(path), "audio_md5": reading.audio_md5,
        "audio_md5_fits": fits, "errors": sound.errors, "silent": hearing.silent,
        "cutoff_hz": edge.cutoff_hz if edge else None, "upsampled": bool(edge and edge.lossy),
        "metadata": reading.metadata, "lyrics": reading.lyrics, "picture_bytes": reading.picture_bytes,
    }


class _Hearing:
    """All that is worked out while the sound goes by."""

    def __init__(self, reading: Reading, lossless: bool, longest_ms: Milliseconds) -> None:
        self.samples = self.frames = self.rate = self.channels = 0
        self.silent = True
        self._longest_ms = longest_ms
        self._elsewhere_ms = 0.0        # of what came at another rate (a chained Ogg file)
        facts = reading.facts
        self._bits = facts.bit_depth or 0
        self._wanted_md5 = reading.audio_md5 if facts.format == "flac" and facts.bit_depth else None
        self._md5 = hashlib.md5(usedforsecurity=False) if self._wanted_md5 else None
        rate = facts.sample_rate_hz or 0
        self._spectrum = Spectrum(rate, facts.duration_ms * rate // 1000) if lossless and rate >= 32_000 else None

    @property
    def duration_ms(self) -> Milliseconds:
        return round(self._elsewhere_ms + (self.samples * 1000 / self.rate if self.rate else 0))

    def all_of(self, sound: Sound) -> None:
        for frame in sound.frames():
            self.frames += 1
            if frame.sample_rate != self.rate:
                self._elsewhere_ms, self.samples = float(self.duration_ms), 0
                self.rate = frame.sample_rate
            self.channels = frame.layout.nb_channels
            self.samples += frame.samples
            if not self.frames % 256 and self.duration_ms > self._longest_ms:
                raise _too_long(self._longest_ms)
            spectrum = self._spectrum
            seen = spectrum is not None and spectrum.rate_hz == self.rate and spectrum.wants(frame.samples)
            if not (seen or self.silent or self._md5 is not None):
                continue
            data: Any = frame.to_ndarray()
            if self._md5 is not None:
                self._md5.update(as_flac_hashes(frame, data, self._bits))
            if seen or self.silent:
                wave = as_float(frame, data)
                if self.silent and float(np.max(np.abs(wave), initial=0.0)) >= SILENT:
                    self.silent = False
                if seen and spectrum is not None:
                    spectrum.take(wave)

    def md5_fits(self) -> bool | None:
        return None if self._md5 is None else self._md5.hexdigest() == self._wanted_md5

    def edge(self) -> Edge | None:
        return self._spectrum.edge() if self._spectrum is not None and not self.silent else None


def as_float(frame: Any, data: Any = None) -> Any:
    """A frame's samples as float32, (channels, samples), full scale ±1. Raises UnreadableFile for what is no number."""
    if data is None:
        data = frame.to_ndarray()
    if not frame.format.is_planar:
        data = data.reshape(-1, frame.layout.nb_channels).T
    if data.dtype.kind == "f":
        wave = data.astype(np.float32, copy=False)
        return wave if np.isfinite(wave).all() else np.nan_to_num(wave, nan=0.0, posinf=1.0, neginf=-1.0)
    if data.dtype.kind == "u":
        return (data.astype(np.float32) - 128.0) / 128.0
    return data.astype(np.float32) / float(np.iinfo(data.dtype).max + 1)


def _told(path: str, error: UnreadableFile) -> UnreadableFile:
    """`error`, in plainer words where the file is a page of the web."""
    if error.reason in ("not_audio", "truncated", "damaged"):
        try:
            with open(path, "rb") as file:
                head = file.read(512).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
        except OSError:
            return error
        if head.startswith(_PAGE):
            return UnreadableFile("It is a page or a message of a website, and no music.", reason="not_audio")
    return error


def _too_long(longest_ms: Milliseconds) -> UnreadableFile:
    return UnreadableFile(f"It is longer than {_clock(longest_ms)}, which no single file is.", reason="too_large")


def _kbps(path: str, duration_ms: Milliseconds) -> int | None:
    return round(os.path.getsize(path) * 8 / duration_ms) or None if duration_ms else None


def _clock(ms: Milliseconds) -> str:
    seconds = round(ms / 1000)
    return f"{seconds // 60}:{seconds % 60:02d}"
