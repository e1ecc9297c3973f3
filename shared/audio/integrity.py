"""Whether a file still holds what it once held: its hash, its FLAC checksum, a decode from end to end."""

from __future__ import annotations

import hashlib
from typing import Any

from shared.audio import tags
from shared.audio.decoding import opened
from shared.model.errors import UnreadableFile
from shared.model.track import LOSSLESS, Reading
from shared.model.units import Milliseconds


def sha256(path: str) -> str:
    """The hash of the whole file, in hex. Costs reading it, about 1 GB/s and core. Raises UnreadableFile."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise tags.blame_system(error) from error


def flac_md5_fits(path: str) -> bool | None:
    """Whether a FLAC decodes to what its encoder was given; None when it is no FLAC or carries no checksum.

    Costs decoding it, some 300 times as fast as it plays. Raises UnreadableFile.
    """
    reading = tags.read(path)
    if reading.audio_md5 is None or reading.facts.format != "flac" or not reading.facts.bit_depth:
        return None
    digest = hashlib.md5(usedforsecurity=False)
    with opened(path) as sound:
        try:
            for frame in sound.frames():
                digest.update(as_flac_hashes(frame, frame.to_ndarray(), reading.facts.bit_depth))
        except UnreadableFile as error:
            if error.reason != "damaged":
                raise
            return False
        return sound.errors == 0 and digest.hexdigest() == reading.audio_md5


def as_flac_hashes(frame: Any, samples: Any, bits: int) -> bytes:
    """The `samples` of a frame as FLAC's checksum counts them: interleaved, little-endian, in whole bytes.

    FFmpeg keeps `bits` of them at the upper end of 16 or 32.
    """
    import numpy as np

    width = (bits + 7) // 8
    if frame.format.is_planar:
        samples = samples.T
    samples = np.ascontiguousarray(samples).reshape(-1)
    whole = samples.dtype.itemsize * 8
    if bits == whole:
        return bytes(samples.astype(samples.dtype.newbyteorder("<"), copy=False).data)
    shifted = (samples >> (whole - bits)).astype(samples.dtype.newbyteorder("<"))
    return bytes(shifted.view(np.uint8).reshape(-1, samples.dtype.itemsize)[:, :width].tobytes())


def check_length(reading: Reading, duration_ms: Milliseconds) -> None:
    """Raises UnreadableFile when much less was decoded than the file's header promises."""
    promised = reading.facts.duration_ms
    # A lossy header may guess; a lossless one counts.
    least = promised * (0.999 if reading.facts.format in LOSSLESS else 0.9) - 500
    if duration_ms < least:
        raise UnreadableFile(f"{promised / 1000:.1f} s are promised, {duration_ms / 1000:.1f} s are there.",
                             reason="truncated")


def decode_whole(path: str) -> dict[str, Any]:
    """Decode all of it: {duration_ms, sample_rate_hz, channels, errors, silent}.

    `errors` counts damaged packets, `silent` says that nothing louder than -80 dBFS is in it. Raises UnreadableFile
    when it is no audio, nothing can be decoded, or much less is there than its header says.
    """
    import numpy as np

    reading = tags.read(path)
    samples, rate, channels, loudest = 0, 0, 0, 0.0
    with opened(path) as sound:
        for frame in sound.frames():
            samples += frame.samples
            rate, channels = frame.sample_rate, frame.layout.nb_channels
            if loudest < 1e-4:
                data: Any = frame.to_ndarray()
                most = float(np.max(np.abs(data.astype(np.float64)), initial=0.0))
                loudest = max(loudest, most / (1.0 if data.dtype.kind == "f" else float(np.iinfo(data.dtype).max)))
        errors = sound.errors
    duration_ms = samples * 1000 // rate if rate else 0
    check_length(reading, duration_ms)
    return {"duration_ms": duration_ms, "sample_rate_hz": rate, "channels": channels, "errors": errors,
            "silent": loudest < 1e-4}
