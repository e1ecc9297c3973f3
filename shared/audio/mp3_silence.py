"""Silence as MP3 frames, for what must be as long as it was said to be. Nothing is decoded or encoded here.

A frame (ISO/IEC 11172-3, layer III) is a header of four bytes, which tells how long the frame is and what is in it;
then 17 bytes (mono) or 32 of side information; then the sound's data. Where side information says that there are no
data, the frame sounds of nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from shared.model.units import Bytes

HEADER_BYTES: Bytes = 4
PIECE_FRAMES, PIECE_BYTES = 64, 64 * 1024
_KBPS = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0)
_RATES = (44_100, 48_000, 32_000, 0)


def silent_frame(begin: bytes) -> bytes | None:
    """One frame of silence (1152 samples) of the bit rate, sample rate and channels of the MP3 that begins so; None
    where that is no frame of MPEG-1."""
    if len(begin) < HEADER_BYTES or begin[0] != 0xFF or begin[1] & 0xFE != 0xFA:
        return None
    kbps, rate = _KBPS[begin[2] >> 4], _RATES[begin[2] >> 2 & 3]
    if not kbps or not rate:
        return None
    # Without a checksum, without the byte that some frames have more, and both channels for themselves.
    header = bytes((0xFF, 0xFB, begin[2] & 0xFD, begin[3] & 0xCF))
    return header.ljust(144_000 * kbps // rate, b"\0")


def silence(begin: bytes, size: Bytes) -> Iterator[bytes]:
    """So many bytes that sound of nothing behind the whole frames of an MP3 that begins so, in pieces of 64 KiB or so;
    zeros where it is none.

    What is less than a frame is zeros, before the last frame: decoders look for the next frame and find it. Behind the
    last one they would find none, and many take that for damage.
    """
    frame = silent_frame(begin)
    if frame is None or size < len(frame):
        while size > 0:
            yield bytes(min(size, PIECE_BYTES))
            size -= PIECE_BYTES
        return
    count, rest = divmod(size, len(frame))
    while count > 1:
        piece = min(count - 1, PIECE_FRAMES)
        count -= piece
        yield frame * piece
    yield bytes(rest) + frame
