"""A picture for a person: a pattern drawn from the name, the same for ever, as a small PNG."""

from __future__ import annotations

import colorsys
import hashlib
import struct
import zlib

CELLS, CELL, EDGE = 5, 40, 28       # fields a side, pixels of one, of the margin
SIZE = CELLS * CELL + 2 * EDGE
PNG = "image/png"


def drawn(name: str) -> bytes:
    """Of `name` (in its folded form). Fifteen fields and a colour are drawn by lot, the right half mirrors the left.
    Well below 1 KiB; costs less than a millisecond."""
    lots = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8, person=b"avatar").digest()
    filled = int.from_bytes(lots[:2], "big")
    colour = colorsys.hls_to_rgb(lots[2] / 256, 0.42 + lots[3] / 2560, 0.5)
    ground = colorsys.hls_to_rgb(lots[2] / 256, 0.93, 0.35)
    blank = bytes(SIZE // 8)
    rows = bytearray()
    for y in range(SIZE):
        row = (y - EDGE) // CELL
        bits = 0
        if EDGE <= y < EDGE + CELLS * CELL:
            for x in range(CELLS):
                if filled >> (row * 3 + min(x, CELLS - 1 - x)) & 1:
                    bits |= ((1 << CELL) - 1) << (SIZE - EDGE - (x + 1) * CELL)
        rows += b"\0" + (bits.to_bytes(SIZE // 8, "big") if bits else blank)
    palette = bytes(round(255 * one) for one in (*ground, *colour))
    return b"\x89PNG\r\n\x1a\n" + b"".join((
        _chunk(b"IHDR", struct.pack(">IIBBBBB", SIZE, SIZE, 1, 3, 0, 0, 0)), _chunk(b"PLTE", palette),
        _chunk(b"IDAT", zlib.compress(bytes(rows), 9)), _chunk(b"IEND", b""),
    ))


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
