"""Where a new file goes in its music folder: a template becomes a path that every file system takes. Pure.

A name is safe on ext4, APFS, NTFS and over SMB: none of / \\ : * ? " < > |, no control or invisible characters, nothing
that Windows keeps for devices, no dot at the beginning (the scan passes such files over), no dot or space at the end,
composed Unicode, at most 255 bytes, cut between characters as people see them and never in its ending.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from shared.library.walk import NOT_MUSIC
from shared.model.errors import BadSetting
from shared.model.track import EXTENSIONS, Metadata

FIELDS = ("artist", "album_artist", "album", "title", "track", "disc", "year", "genre", "ext")
NUMBERS = frozenset({"track", "disc", "year"})
MOST_BYTES = 240        # of a name; " (2)" may have to come behind it, and 255 are possible
MOST_UNITS = 230        # of the whole path below the music folder, in UTF-16 units: Windows has 260 with the drive
LEAST_BYTES = 24        # down to which names are cut for that
UNKNOWN_ARTIST, UNTITLED = "Unknown Artist", "Untitled"

_FORBIDDEN = str.maketrans({"/": "-", "\\": "-", ":": "-", "|": "-", '"': "'", "<": "(", ">": ")", "*": "_", "?": ""})
_DEVICES = frozenset({"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"}
                     | {f"{port}{number}" for port in ("COM", "LPT") for number in "0123456789¹²³"})
_SYSTEM = frozenset(one.casefold() for one in NOT_MUSIC)
_WIDTH = re.compile(r"0?[1-9]\Z")
_LOOSE = re.compile(r"\(\s*\)|\[\s*\]|\{\s*\}")


@dataclass(frozen=True, slots=True)
class _Piece:
    literal: str
    field: str | None = None
    width: int = 0          # digits, filled up with zeros


class Template:
    """`text`: folders and a name, such as "{album_artist}/{album}/{track:02} {title}"; the ending comes by itself.

    Raises BadSetting with what is wrong with it.
    """

    def __init__(self, text: str) -> None:
        text = text.strip().removesuffix(".{ext}")
        if not text or text.startswith("/") or text.endswith("/") or "//" in text:
            raise _bad(text, "it must be folders and a name with single slashes between them, and begin with no slash")
        self._parts = [_pieces(text, part) for part in text.split("/")]
        named = {piece.field for piece in self._parts[-1]}
        if not named & {"title", "track"}:
            raise _bad(text, "its last part, the file's name, must hold {title} or {track}")
        self._has_disc = any(piece.field == "disc" for part in self._parts for piece in part)

    def path(self, metadata: Metadata, ext: str, *, most_bytes: int = MOST_BYTES) -> str:
        """The path for `metadata` with the ending `ext` (".flac"); relative, as text.

        What is missing leaves no gap: without an album there is no album's folder. Of an album of several discs the
        number says which ("2-03"), unless the template has {disc} itself.
        """
        words = _words(metadata, ext)
        disc = None
        if not self._has_disc and metadata.disc_number and max(metadata.disc_total or 0, metadata.disc_number) > 1:
            disc = f"{metadata.disc_number}-"
        names = [_rendered(part, words, disc if part is self._parts[-1] else None) for part in self._parts]
        *folders, name = names
        safe = [one for folder in folders if (one := safe_name(folder, most_bytes=most_bytes))]
        last = safe_name(name or UNTITLED, ext, most_bytes=most_bytes)
        return "/".join(_short_enough([*safe, last or safe_name(UNTITLED, ext)], ext))


def safe_name(text: str, ext: str = "", *, most_bytes: int = MOST_BYTES) -> str:
    """`text` + `ext` as a name that every file system takes; "" when nothing of `text` is left."""
    text = unicodedata.normalize("NFC", text).translate(_FORBIDDEN)
    text = "".join(" " if one.isspace() else one for one in text
                   if one.isspace() or unicodedata.category(one) not in ("Cc", "Cf", "Cs", "Co", "Cn"))
    text = _trimmed(cut(_trimmed(text), most_bytes - len(ext.encode())))
    if not text:
        return ""
    base, dot, rest = text.partition(".")
    if base.strip().upper() in _DEVICES:
        text = f"{base.strip()}_{dot}{rest}"
    if not ext and (text.casefold() in _SYSTEM or text[text.rfind("."):].lower() in EXTENSIONS):
        text += "_"         # a folder that the scan would pass over, or take for a file
    return text + ext


def cut(text: str, most_bytes: int) -> str:
    """As much of `text` as has `most_bytes` in UTF-8; accents, flags and skin tones stay with what they stand on."""
    if len(text.encode()) <= most_bytes:
        return text
    kept, size = [], 0
    for cluster in _clusters(text):
        size += len(cluster.encode())
        if size > most_bytes:
            break
        kept.append(cluster)
    return "".join(kept)


# ---- inside ------------------------------------------------------------------------------------------------------


def _pieces(text: str, part: str) -> list[_Piece]:
    found: list[_Piece] = []
    try:
        parsed = list(string.Formatter().parse(part))
    except ValueError as error:
        raise _bad(text, f"{error}") from None
    for literal, field, spec, conversion in parsed:
        if literal:
            if safe_name(f"x{literal}x") != f"x{unicodedata.normalize('NFC', literal)}x":
                raise _bad(text, f"{literal!r} holds a character that not every file system takes")
            found.append(_Piece(literal))
        if field is None:
            continue
        if field not in FIELDS:
            raise _bad(text, f"there is no {{{field}}}; there are {', '.join(FIELDS)}")
        if conversion or (spec and (field not in NUMBERS or not _WIDTH.match(spec))):
            raise _bad(text, f"{{{field}}} may be written {{{field}}}" + (
                f" or {{{field}:02}}" if field in NUMBERS else " only"))
        found.append(_Piece("", field, int(spec) if spec else 0))
    if found and found[0].literal.startswith("."):
        raise _bad(text, "names that begin with a dot are hidden, and not scanned")
    if not any(piece.field for piece in found) and not safe_name(part.replace("{{", "{").replace("}}", "}")):
        raise _bad(text, f"{part!r} is no name of a folder")
    return found


def _words(metadata: Metadata, ext: str) -> dict[str, str | int | None]:
    artist = metadata.artist or metadata.album_artist or UNKNOWN_ARTIST
    return {
        "artist": artist,
        # Beside an album the artist of the album; alone the artist of the track.
        "album_artist": (metadata.album_artist or ("Various Artists" if metadata.compilation else artist)
                         if metadata.album else artist),
        "album": metadata.album, "title": metadata.title or UNTITLED, "track": metadata.track_number,
        "disc": metadata.disc_number, "year": metadata.year, "genre": next(iter(metadata.genres), None),
        "ext": ext.lstrip("."),
    }


def _rendered(pieces: list[_Piece], words: dict[str, str | int | None], disc: str | None) -> str:
    parts: list[str] = []
    gap = False
    for piece in pieces:
        if piece.field is None:
            parts.append(piece.literal)
            continue
        value = words[piece.field]
        if value in (None, ""):
            gap = True
        elif isinstance(value, int):
            parts.append((disc if disc and piece.field == "track" else "") + f"{value:0{piece.width}d}")
        else:
            parts.append(str(value))
    text = "".join(parts)
    if not gap:
        return text
    # What stood between two words stands between nothing now.
    values = [str(value) for value in words.values() if value]
    if not any(value in text for value in values):
        return ""
    text = re.sub(r"\s{2,}", " ", _LOOSE.sub(" ", text))
    literals = "".join(piece.literal for piece in pieces)
    return text.strip("".join(one for one in " -_.,–—" if one in literals) + " ")


def _trimmed(text: str) -> str:
    return " ".join(text.split()).lstrip(". ").rstrip(". ")


def _clusters(text: str) -> Iterator[str]:
    held = ""
    for one in text:
        code = ord(one)
        joins = unicodedata.category(one)[0] == "M" or 0x1F3FB <= code <= 0x1F3FF or (
            0x1F1E6 <= code <= 0x1F1FF and len(held) == 1 and 0x1F1E6 <= ord(held) <= 0x1F1FF)
        if held and not joins:
            yield held
            held = ""
        held += one
    if held:
        yield held


def _short_enough(names: list[str], ext: str) -> list[str]:
    """The longest names cut until the whole path is short enough."""
    while _units("/".join(names)) > MOST_UNITS:
        at = max(range(len(names)), key=lambda i: len(names[i].encode()))
        ending = ext if at == len(names) - 1 else ""
        size = len(names[at].encode())
        if size <= LEAST_BYTES + len(ending.encode()):
            break
        shorter = safe_name(names[at].removesuffix(ending), ending, most_bytes=max(LEAST_BYTES, size - 8))
        if not shorter or len(shorter.encode()) >= size:
            break
        names[at] = shorter
    return names


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _bad(text: str, why: str) -> BadSetting:
    return BadSetting(f"The setting download_template is {text!r}, and cannot be used: {why}.")
