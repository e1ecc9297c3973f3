"""File names as text that a database can keep, and back, without losing a byte.

POSIX names are bytes; Python shows undecodable ones as lone surrogates (PEP 383), which UTF-8 refuses.
Each is moved to a private-use code point of plane 16, and back.
"""

from __future__ import annotations

_SURROGATE, _PRIVATE = 0xDC80, 0x10DC80
_TO_TEXT = {_SURROGATE + i: _PRIVATE + i for i in range(0x80)}
_TO_PATH = {_PRIVATE + i: _SURROGATE + i for i in range(0x80)}


def to_text(path: str) -> str:
    """`path` as os.fsdecode gave it → text that encodes as UTF-8."""
    return path if path.isascii() else path.translate(_TO_TEXT)


def to_path(text: str) -> str:
    """The reverse of `to_text`: a string that os.fsencode turns into the original bytes."""
    return text if text.isascii() else text.translate(_TO_PATH)
