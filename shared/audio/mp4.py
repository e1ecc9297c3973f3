"""Read an MP4 file's audio track and iTunes tags straight from its `moov` atom.

The scan's hot path, as shared/audio/blocks.py. Raises `Odd` for what mutagen should look at.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from shared.audio.blocks import MAX_TAG, Cut, Media, Odd, Stream, TooLarge
from shared.audio.fields import Raw
from shared.model.units import MIB

_TEXT = {b"\xa9nam": "TITLE", b"\xa9ART": "ARTIST", b"\xa9alb": "ALBUM", b"aART": "ALBUMARTIST", b"\xa9day": "DATE",
         b"\xa9gen": "GENRE", b"\xa9wrt": "COMPOSER", b"\xa9cmt": "COMMENT", b"\xa9lyr": "LYRICS", b"sonm": "TITLESORT",
         b"soal": "ALBUMSORT", b"soar": "ARTISTSORT", b"soaa": "ALBUMARTISTSORT", b"soco": "COMPOSERSORT"}
_HEAD = struct.Struct(">I4s").unpack_from
TEXT = {name.decode("latin-1"): canonical for name, canonical in _TEXT.items()}
_CODECS = {b"alac": "alac", b"fLaC": "flac", b"Opus": "opus", b".mp3": "mp3", b"mp4a": "aac", b"ac-3": "aac",
           b"ec-3": "aac"}


def mp4(file: Media, raw: Raw, size: int) -> Stream:
    """The first audio track and the tags. Raises Cut or TooLarge when an atom reaches beyond the end of the file."""
    moov, audio_bytes = _moov(file, size)
    stream = None
    for name, start, end in _atoms(moov, 0, len(moov)):
        if name == b"trak" and stream is None:
            stream = _track(moov, start, end)
        elif name == b"udta":
            for inner, at, stop in _atoms(moov, start, end):
                if inner == b"meta":
                    _tags(moov, at, stop, raw)
    if stream is None:
        raise Odd
    if stream.format == "aac" or stream.format == "mp3":
        stream.bitrate = int(audio_bytes * 8 / stream.seconds) if stream.seconds else 0
    return stream


def _moov(file: Media, size: int) -> tuple[bytes, int]:
    """(content of `moov`, bytes of audio), after walking all atoms of the top level."""
    at, moov, audio_bytes = 0, b"", 0
    for _ in range(1000):
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            break
        length, name, header = int.from_bytes(head[:4], "big"), head[4:8], 8
        if length == 1:
            length, header = int.from_bytes(head[8:16], "big"), 16
        elif length == 0:
            length = size - at
        if length < header:
            break
        if at + length > size:
            if name != b"mdat" and length > MAX_TAG:
                raise TooLarge(f"an MP4 atom claims {length} bytes")
            if name in (b"mdat", b"moov"):
                raise Cut(f"an MP4 atom of {length} bytes is cut off")
            break
        if name == b"moov" and not moov:
            if length > 16 * MIB:
                raise Odd
            file.seek(at + header)
            moov = file.read(length - header)
        elif name == b"mdat":
            audio_bytes += length - header
        at += length
    if not moov:
        if audio_bytes == 0 or at + 8 >= size:
            raise Cut("its index is missing")
        raise Odd
    return moov, audio_bytes


def _atoms(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(name, start, end of the content) of the atoms in data[at:end]."""
    while at + 8 <= end:
        length, name = _HEAD(data, at)
        header = 8
        if length == 1:
            length, header = int.from_bytes(data[at + 8:at + 16], "big"), 16
        elif length == 0:
            length = end - at
        if length < header or at + length > end:
            return
        yield name, at + header, at + length
        at += length


def _find(data: bytes, at: int, end: int, *path: bytes) -> tuple[int, int]:
    for name in path:
        for found, start, stop in _atoms(data, at, end):
            if found == name:
                at, end = start, stop
                break
        else:
            raise Odd
    return at, end


def _track(data: bytes, at: int, end: int) -> Stream | None:
    """The audio of one `trak`; None when it is something else."""
    at, end = _find(data, at, end, b"mdia")
    handler, _ = _find(data, at, end, b"hdlr")
    if data[handler + 8:handler + 12] != b"soun":
        return None
    clock, _ = _find(data, at, end, b"mdhd")
    wide = data[clock] == 1
    scale, length = struct.unpack_from(">IQ" if wide else ">II", data, clock + (20 if wide else 12))
    entries, stop = _find(data, at, end, b"minf", b"stbl", b"stsd")
    entry = next(_atoms(data, entries + 8, stop), None)
    if entry is None or entry[0] not in _CODECS or not scale:
        raise Odd
    codec, start, stop = entry
    if stop - start < 28:
        raise Odd
    version, = struct.unpack_from(">H", data, start + 8)
    channels, _, _, _, rate = struct.unpack_from(">HHHHH", data, start + 16)
    stream = Stream(_CODECS[codec], "audio/mp4", length / scale, rate or scale, channels)
    inside = start + 28 + {1: 16, 2: 36}.get(version, 0)
    for name, begin, close in _atoms(data, inside, stop):
        if name == b"alac" and close - begin >= 28:
            stream.bits, stream.channels = data[begin + 9], data[begin + 13]
            stream.sample_rate = int.from_bytes(data[begin + 24:begin + 28], "big")
        elif name == b"dfLa" and close - begin >= 42:
            packed = int.from_bytes(data[begin + 18:begin + 26], "big")
            stream.sample_rate, stream.channels = packed >> 44, (packed >> 41 & 7) + 1
            stream.bits = (packed >> 36 & 31) + 1
        elif name == b"esds":
            _decoder(data[begin:close], stream)
    return stream


_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)


def _decoder(data: bytes, stream: Stream) -> None:
    """An `esds` atom: which codec behind "mp4a", and what AAC says of itself."""
    at = 4
    while at + 2 < len(data):
        tag, length = data[at], 0
        for _ in range(4):
            at += 1
            if at >= len(data):
                return
            length = length << 7 | data[at] & 0x7F
            if data[at] < 0x80:
                break
        at += 1
        if tag == 3 and at + 3 <= len(data):
            flags = data[at + 2]
            at += 3 + (2 if flags & 0x80 else 0) + (2 if flags & 0x20 else 0)
        elif tag == 4 and at + 13 <= len(data):
            if data[at] in (0x69, 0x6B):
                stream.format = "mp3"
            at += 13
        elif tag == 5 and at + 2 <= len(data):
            kind, rate, channels = data[at] >> 3, (data[at] & 7) << 1 | data[at + 1] >> 7, data[at + 1] >> 3 & 15
            if kind == 2 and rate < len(_RATES):        # the others (HE-AAC …) tell half of the truth here
                stream.sample_rate = _RATES[rate]
            if kind == 2 and 1 <= channels <= 7:
                stream.channels = 8 if channels == 7 else channels
            return
        else:
            at += length


def _tags(data: bytes, at: int, end: int, raw: Raw) -> None:
    """`meta`: an `ilst` of items, each with its `data` atoms."""
    # ISO says that `meta` begins with four bytes of version; QuickTime leaves them out.
    if data[at + 4:at + 8] != b"hdlr":
        at += 4
    for name, start, stop in _atoms(data, at, end):
        if name != b"ilst":
            continue
        for item, begin, close in _atoms(data, start, stop):
            if item == b"----":
                _free(data, begin, close, raw)
            elif item == b"covr":
                for part, first, last in _atoms(data, begin, close):
                    if part == b"data":
                        raw.picture(max(0, last - first - 8), front=True)
                        break
            elif (canonical := _TEXT.get(item)) is not None:
                raw.fields.setdefault(canonical, []).extend(_values(data, begin, close))
            elif item in _NUMBERS:
                _number(item, data, begin, close, raw)


_NUMBERS = frozenset({b"trkn", b"disk", b"tmpo", b"cpil", b"gnre"})


def _values(data: bytes, at: int, end: int) -> list[str]:
    found = []
    for name, start, stop in _atoms(data, at, end):
        if name == b"data" and stop - start >= 8:
            text = data[start + 8:stop]
            found.append(text.decode("utf-16-be" if data[start + 3] == 2 else "utf-8", "replace"))
    return found


def _free(data: bytes, at: int, end: int, raw: Raw) -> None:
    for name, start, stop in _atoms(data, at, end):
        if name == b"name":
            raw.add(data[start + 4:stop].decode("utf-8", "replace"), _values(data, stop, end))
            return


def _number(item: bytes, data: bytes, at: int, end: int, raw: Raw) -> None:
    for name, start, stop in _atoms(data, at, end):
        value = data[start + 8:stop]
        if name != b"data" or not value:
            continue
        if item in (b"trkn", b"disk"):
            number, total = int.from_bytes(value[2:4], "big"), int.from_bytes(value[4:6], "big")
            canonical = "TRACKNUMBER" if item == b"trkn" else "DISCNUMBER"
            raw.fields[canonical] = [f"{number}/{total}" if total else f"{number}"]
        elif item == b"tmpo":
            raw.fields.setdefault("BPM", [str(int.from_bytes(value[:4], "big"))])
        elif item == b"cpil":
            raw.fields["COMPILATION"] = ["1" if value[0] else "0"]
        else:
            raw.fields.setdefault("GENRE", [f"({int.from_bytes(value[:2], 'big') - 1})"])
        return
