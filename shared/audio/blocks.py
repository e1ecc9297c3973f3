"""Read the tag blocks of the common formats straight from their bytes: ID3v2, FLAC, Ogg, WAV, AIFF.

This is the scan's hot path: two to four times faster than building mutagen's editable objects, and embedded pictures
are stepped over instead of read. Whatever is out of the ordinary (unsynchronised or compressed ID3, ID3v2.2,
multiplexed Ogg, lying block sizes …) raises `Odd`, and mutagen reads the file instead.
"""

from __future__ import annotations

import base64
import binascii
import functools
import io
import re
import struct
from dataclasses import dataclass
from typing import Any, BinaryIO

from shared.audio.fields import CANONICAL, Raw, lrc_of, lyrics_of
from shared.model.units import MIB

MAX_TAG = 64 * MIB          # no sane file has a larger one


class Odd(Exception):
    """Not read here; ask mutagen."""


class Cut(Exception):
    """The file ends before it says it does."""


class TooLarge(Exception):
    """A header claims more than any sane file has."""


@dataclass(slots=True)
class Stream:
    """What the container says of its audio."""

    format: str
    mime_type: str
    seconds: float
    sample_rate: int = 0
    channels: int = 0
    bits: int | None = None
    bitrate: int = 0            # bit/s, 0: to be had from size and length
    audio_md5: str | None = None
    track_gain: float | None = None     # what an encoder noted by the way; tags come first


class Media(io.BufferedReader):
    """A file opened for mutagen, that refuses reads no sane tag needs, one by one and in sum."""

    left = 4 * MIB
    limit = 4 * MIB

    def __init__(self, raw: io.FileIO, size: int) -> None:
        super().__init__(raw)
        self.size = size
        self.limit = min(size, MAX_TAG) + MIB
        self.left = 2 * self.limit + 4 * MIB

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            size = max(0, self.size - self.tell())
        self.left -= size
        if size > self.limit or self.left < 0:
            raise TooLarge(f"a block claims {size} bytes")
        return super().read(size)


# ---- ID3v2 ------------------------------------------------------------------------------------------------------

ID3_TEXT: dict[str, str] = {
    "TIT2": "TITLE", "TPE1": "ARTIST", "TALB": "ALBUM", "TPE2": "ALBUMARTIST", "TRCK": "TRACKNUMBER",
    "TPOS": "DISCNUMBER", "TSST": "DISCSUBTITLE", "TDRC": "DATE", "TDRL": "RELEASEDATE", "TDOR": "ORIGINALDATE",
    "TYER": "YEAR", "TORY": "ORIGINALYEAR", "TCON": "GENRE", "TCMP": "COMPILATION", "TSRC": "ISRC", "TBPM": "BPM",
    "TSOT": "TITLESORT", "TSOA": "ALBUMSORT", "TSOP": "ARTISTSORT", "TSO2": "ALBUMARTISTSORT", "TSOC": "COMPOSERSORT",
    "TCOM": "COMPOSER", "TPE3": "CONDUCTOR", "TEXT": "LYRICIST", "TPE4": "REMIXER",
}
_ID3_TEXT = {name.encode(): canonical for name, canonical in ID3_TEXT.items()}
_ID3_OTHER = frozenset({b"TXXX", b"COMM", b"USLT", b"SYLT", b"UFID", b"TIPL", b"TMCL", b"IPLS", b"RVA2", b"TDAT"})
_ENCODINGS = ("latin-1", "utf-16", "utf-16-be", "utf-8")


def id3v2(file: BinaryIO, raw: Raw, size: int) -> int:
    """Read the ID3v2 tag at the present position into `raw`; returns its length in bytes, 0 when there is none."""
    read, seek = super(Media, file).read if isinstance(file, Media) else file.read, file.seek
    head = read(10)
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    major, flags = head[3], head[5]
    length = _synchsafe(head[6:10])
    if length > MAX_TAG:
        raise TooLarge(f"an ID3 tag claims {length} bytes")
    if length + 10 > size:
        raise Cut(f"an ID3 tag of {length} bytes is cut off")
    if major not in (3, 4) or flags & 0xC0:
        raise Odd
    read_synchsafe = major == 4
    forbidden = 0x000F if read_synchsafe else 0x00E0
    left = length
    day = b""
    while left >= 10:
        head = read(10)
        left -= 10
        name = head[:4]
        if name[0] == 0:
            break
        if not name.isalnum():
            raise Odd
        if read_synchsafe:
            if (head[4] | head[5] | head[6] | head[7]) & 0x80:
                raise Odd                           # iTunes once wrote plain sizes
            amount = head[4] << 21 | head[5] << 14 | head[6] << 7 | head[7]
        else:
            amount = int.from_bytes(head[4:8], "big")
        if amount > left:
            raise Odd
        left -= amount
        canonical = _ID3_TEXT.get(name)
        if canonical is not None:
            if head[9] & forbidden:
                raise Odd
            data = read(amount)
            if amount > 1:
                values = _id3_values(data[0], data[1:])
                held = raw.fields.get(canonical)
                if held is None:
                    raw.fields[canonical] = values
                else:
                    held += values
        elif name == b"APIC":
            part = read(min(amount, 256))
            if head[9] & forbidden:
                raise Odd
            _id3_picture(part, amount, raw)
            seek(amount - len(part), 1)
        elif name in _ID3_OTHER:
            data = read(amount)
            if head[9] & forbidden:
                raise Odd
            if name == b"TDAT":
                day = data
            elif len(data) > 1:
                _id3_other(name, data, raw)
        else:
            seek(amount, 1)
    if len(day) > 1:
        _join_date(raw, _id3_values(day[0], day[1:])[0])
    return length + 10 + (10 if flags & 0x10 else 0)


def _synchsafe(data: bytes) -> int:
    return (data[0] & 0x7F) << 21 | (data[1] & 0x7F) << 14 | (data[2] & 0x7F) << 7 | data[3] & 0x7F


def _id3_text(encoding: int, data: bytes) -> str:
    if encoding == 1:
        text = data[: len(data) & ~1].decode("utf-16", "replace")
        if "\ufffe" in text:
            raise Odd                               # each value with a byte order of its own
        return text.replace("\ufeff", "") if "\ufeff" in text else text
    if encoding == 3:
        return data.decode("utf-8", "replace")
    if encoding == 2:
        return data[: len(data) & ~1].decode("utf-16-be", "replace")
    if encoding != 0:
        raise Odd
    if not data.isascii():
        try:
            return data.decode("utf-8")             # UTF-8 under the wrong flag; real Latin-1 almost never looks so
        except UnicodeDecodeError:
            pass
    return data.decode("latin-1")


def _id3_values(encoding: int, data: bytes) -> list[str]:
    text = _id3_text(encoding, data)
    return text.rstrip("\0").split("\0") if "\0" in text else [text]


def _id3_picture(part: bytes, amount: int, raw: Raw) -> None:
    """`part`: the beginning of an APIC frame of `amount` bytes: encoding, MIME type, kind, description, picture."""
    mime_end = part.find(b"\0", 1)
    if mime_end < 0 or mime_end + 2 > len(part):
        return
    wide = part[0] in (1, 2)
    start = mime_end + 2
    at = start
    while at < len(part) and part[at:at + 2] != b"\0\0" if wide else part[at:at + 1] not in (b"\0", b""):
        at += 2 if wide else 1
    header = at + (2 if wide else 1)
    raw.picture(max(0, amount - header), front=part[mime_end + 1] == 3)


def _id3_other(name: bytes, data: bytes, raw: Raw) -> None:
    if name == b"TXXX":
        described, _, rest = _id3_text(data[0], data[1:]).partition("\0")
        if rest:
            raw.add(described, rest.rstrip("\0").split("\0"))
    elif name == b"UFID":
        owner, _, value = data.partition(b"\0")
        if owner == b"http://musicbrainz.org":
            raw.add("MUSICBRAINZ_TRACKID", [value.decode("ascii", "replace")])
    elif name in (b"COMM", b"USLT"):
        described, found, text = _id3_text(data[0], data[4:]).partition("\0")
        if not found:
            described, text = "", described
        if name == b"COMM":
            add_comment(raw, described, text)
        elif lyrics := lyrics_of(text.rstrip("\0"), data[1:4].decode("latin-1")):
            raw.lyrics.append(lyrics)
    elif name in (b"TIPL", b"TMCL", b"IPLS"):
        values = _id3_values(data[0], data[1:])
        raw.people += list(zip(values[::2], values[1::2], strict=False))
    else:                                           # SYLT, RVA2: rare, and mutagen knows them
        from mutagen.id3 import RVA2, SYLT, ID3JunkFrameError
        from mutagen.id3._tags import ID3Header

        header = ID3Header()
        header.version = ID3Header._V23
        try:
            frame = (SYLT if name == b"SYLT" else RVA2)._fromData(header, 0, data)
        except (ID3JunkFrameError, NotImplementedError, ValueError):
            return
        id3_rare_frame(frame, raw)


def add_comment(raw: Raw, described: str, text: str) -> None:
    """An ID3 comment; what programs keep there for themselves (iTunNORM …) is not one."""
    if not described.startswith(("iTun", "Songs-DB", "ID3v1", "CDDB", "MusicMatch")):
        if described:
            raw.fields.setdefault("COMMENT", []).append(text)
        else:
            raw.fields.setdefault("COMMENT", []).insert(0, text)


def id3_rare_frame(frame: Any, raw: Raw) -> None:
    """SYLT (timed lyrics) and RVA2 (gain) as mutagen's objects."""
    if frame.FrameID == "SYLT":
        # format 1 counts MPEG frames, mostly of 26 ms; type 1 is lyrics, the others are chords, events …
        unit = 26.122 if frame.format == 1 else 1.0
        if frame.type in (0, 1) and frame.text and (lyrics := lyrics_of(
                lrc_of((text, when * unit) for text, when in frame.text), frame.lang)):
            raw.lyrics.append(lyrics)
    elif frame.FrameID == "RVA2":
        of = frame.desc.upper() if frame.desc.upper() in ("TRACK", "ALBUM") else "TRACK" if not frame.desc else ""
        if of and frame.channel == 1:
            raw.fields.setdefault(f"REPLAYGAIN_{of}_GAIN", []).append(f"{frame.gain:.4f}")
            if frame.peak:
                raw.fields.setdefault(f"REPLAYGAIN_{of}_PEAK", []).append(f"{frame.peak:.6f}")


def _join_date(raw: Raw, day: str) -> None:
    """ID3v2.3 keeps year and "DDMM" apart."""
    years = raw.fields.get("YEAR")
    if years and len(years[0]) == 4 and len(day) == 4 and day.isdigit() and "DATE" not in raw.fields:
        raw.fields["DATE"] = [f"{years[0]}-{day[2:]}-{day[:2]}"]


# ---- Vorbis comments, FLAC, Ogg ---------------------------------------------------------------------------------


def vorbis_comment(data: bytes, raw: Raw) -> int:
    """Read a Vorbis comment block into `raw`; returns how many bytes of `data` it took."""
    size = len(data)
    if size < 8:
        raise Cut("a comment block is cut off")
    at = 4 + int.from_bytes(data[:4], "little")
    if at + 4 > size:
        raise (TooLarge if at > MAX_TAG else Cut)("the comments' vendor name is longer than their block")
    count = int.from_bytes(data[at:at + 4], "little")
    at += 4
    fields = raw.fields
    for _ in range(count):
        end = at + 4
        if end > size:
            raise (TooLarge if count > MAX_TAG else Cut)(f"of {count} comments some are cut off")
        length = int.from_bytes(data[at:end], "little")
        at = end + length
        if at > size:
            raise (TooLarge if length > MAX_TAG else Cut)(f"a comment claims {length} bytes")
        key, _, value = data[end:at].partition(b"=")
        name = key.decode("ascii", "replace").upper()
        canonical = CANONICAL.get(name)
        if canonical is not None:
            text = value.decode("utf-8", "replace")
            held = fields.get(canonical)
            if held is None:
                fields[canonical] = [text]
            else:
                held.append(text)
        elif name == "METADATA_BLOCK_PICTURE":
            encoded_picture(value, raw)
        elif name == "COVERART":
            raw.picture(len(value) * 3 // 4, front=False)
        elif name.startswith("PERFORMER:"):
            raw.add(name, [value.decode("utf-8", "replace")])
    return at


def encoded_picture(value: bytes, raw: Raw) -> None:
    """METADATA_BLOCK_PICTURE: a FLAC picture block in base64; only its beginning is decoded."""
    try:
        picture_block(base64.b64decode(value[:2048] + b"=" * (-len(value[:2048]) % 4)), raw, len(value) * 3 // 4)
    except (binascii.Error, ValueError):
        return


def picture_block(part: bytes, raw: Raw, whole: int) -> None:
    """`part`: the beginning of a FLAC picture block of about `whole` bytes."""
    if len(part) < 32:
        return
    kind, mime_length = struct.unpack_from(">II", part)
    at = 8 + mime_length
    if at + 4 <= len(part):
        at += 4 + int.from_bytes(part[at:at + 4], "big") + 16
        if at + 4 <= len(part):
            whole = min(whole, int.from_bytes(part[at:at + 4], "big"))
    raw.picture(whole, front=kind == 3)


def flac(file: BinaryIO, raw: Raw, size: int) -> Stream:
    """A FLAC stream whose "fLaC" has just been read."""
    read, seek = super(Media, file).read if isinstance(file, Media) else file.read, file.seek
    stream: Stream | None = None
    commented = last = False
    info = b""
    while not last:
        head = read(4)
        if len(head) < 4:
            raise Cut("the FLAC headers are cut off")
        kind, length, last = head[0] & 0x7F, int.from_bytes(head[1:], "big"), head[0] >= 0x80
        if kind == 0:
            info = read(length)
            stream = _streaminfo(info)
        elif kind == 4 and not commented:
            data = read(length)
            # Some programs lie about this length; the comments themselves do not.
            taken = vorbis_comment(data, raw)
            if len(data) < length:
                raise Odd
            if taken > length:
                raise Odd
            commented = True
        elif kind == 6:
            part = read(min(length, 512))
            picture_block(part, raw, length)
            seek(length - len(part), 1)
        else:
            seek(length, 1)
    if stream is None:
        raise Odd
    start = file.tell()
    sync = read(2)
    if len(sync) == 2 and (sync[0] != 0xFF or sync[1] & 0xFC != 0xF8):
        raise Odd
    if stream.seconds > 0:
        if len(sync) < 2:
            raise Cut("there is no audio behind the FLAC headers")
        stream.bitrate = int((size - start) * 8 / stream.seconds)
        full = stream.sample_rate * stream.channels * (stream.bits or 16)
        # A file at less than half of its raw size is either well compressed or cut off: its last frame tells.
        if stream.bitrate < full * 0.45 and not _flac_ends_well(file, start, size, info):
            raise Cut("the FLAC file ends before its last frame")
    return stream


def _streaminfo(data: bytes) -> Stream:
    if len(data) < 34:
        raise Cut("the FLAC headers are cut off")
    packed = int.from_bytes(data[10:18], "big")
    rate, channels, bits = packed >> 44, (packed >> 41 & 7) + 1, (packed >> 36 & 31) + 1
    samples = packed & 0xFFFFFFFFF
    if not rate:
        raise Odd
    md5 = data[18:34].hex()
    return Stream("flac", "audio/flac", samples / rate, rate, channels, bits,
                  audio_md5=md5 if md5.strip("0") else None)


_FLAC_SYNC = re.compile(b"\xff[\xf8\xf9]")
_FLAC_BLOCKS = {1: 192, 2: 576, 3: 1152, 4: 2304, 5: 4608, **{i: 256 << (i - 8) for i in range(8, 16)}}


@functools.cache
def _crc8_table() -> bytes:
    """Of x^8 + x^2 + x + 1, which guards the headers of FLAC's frames."""
    table = bytearray(256)
    for i in range(256):
        crc = i
        for _ in range(8):
            crc = (crc << 1 ^ 0x07) & 0xFF if crc & 0x80 else crc << 1
        table[i] = crc
    return bytes(table)


def _crc8(data: bytes) -> int:
    table, crc = _crc8_table(), 0
    for byte in data:
        crc = table[crc ^ byte]
    return crc


def _flac_ends_well(file: BinaryIO, start: int, size: int, info: bytes) -> bool:
    """Whether the last frame of the stream is in the file's tail. True when that cannot be told."""
    nominal, largest = int.from_bytes(info[2:4], "big"), int.from_bytes(info[7:10], "big")
    samples = int.from_bytes(info[10:18], "big") & 0xFFFFFFFFF
    frames = 0
    for amount in (8192, max(65536, min(largest + 8192, MIB))):
        file.seek(max(start, size - amount))
        tail = file.read(min(amount, size)) + bytes(16)     # a frame of silence has hardly more than its header
        frames = 0
        for match in reversed(list(_FLAC_SYNC.finditer(tail))):
            frame = _flac_frame(tail[match.start():match.start() + 16])
            if frame is not None:
                number, block, variable = frame
                # Frames of a fixed size are counted, those of a variable size say their first sample.
                if (number if variable else number * nominal) + block >= samples:
                    return True
                frames += 1
        if size - start <= amount:
            break
    return not frames


def _flac_frame(head: bytes) -> tuple[int, int, bool] | None:
    """(frame or sample number, samples in it, variable block size) of a valid frame header, else None."""
    if len(head) < 16 or head[4] == 0xFF:
        return None
    variable = bool(head[1] & 1)
    block_code, rate_code = head[2] >> 4, head[2] & 15
    if block_code == 0 or rate_code == 15 or head[3] >> 4 > 10 or head[3] & 1:
        return None
    first = head[4]
    extra = 0
    while extra < 7 and first & (0x80 >> extra):
        extra += 1
    if extra == 1 or extra > 7:
        return None
    number = first if extra == 0 else first & (0x7F >> extra)
    at = 5
    for _ in range(max(0, extra - 1)):
        if head[at] & 0xC0 != 0x80:
            return None
        number = number << 6 | head[at] & 0x3F
        at += 1
    if block_code == 6:
        block = head[at] + 1
        at += 1
    elif block_code == 7:
        block = int.from_bytes(head[at:at + 2], "big") + 1
        at += 2
    else:
        block = _FLAC_BLOCKS[block_code]
    at += {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    if at >= len(head) or _crc8(head[:at]) != head[at]:
        return None
    return number, block, variable


def ogg(file: BinaryIO, raw: Raw, size: int) -> Stream:
    """An Ogg file of one Vorbis, Opus or FLAC stream, from its beginning."""
    read = super(Media, file).read if isinstance(file, Media) else file.read
    serial, packets, parts, held = b"", list[bytes](), list[bytes](), 0
    while len(packets) < 2:                         # identification, comments
        head = read(27)
        if len(head) < 27:
            raise Cut("the Ogg headers are cut off")
        if head[:4] != b"OggS":
            raise Odd
        if not serial:
            serial = head[14:18]
        elif head[14:18] != serial:
            raise Odd                               # several streams in one file
        lacing = read(head[26])
        amount = sum(lacing)
        body = read(amount)
        if len(body) < amount or len(lacing) < head[26]:
            raise Cut("the Ogg headers are cut off")
        begin = at = 0
        for length in lacing:
            at += length
            if length < 255:
                packets.append(b"".join([*parts, body[begin:at]]))
                parts, begin = [], at
        parts.append(body[begin:at])
        held += amount
        if held > MAX_TAG:
            raise TooLarge("the comments of this Ogg file do not end")
    first, second = packets[0], packets[1]
    skip, clock = 0, 0
    if first[:7] == b"\x01vorbis" and second[:7] == b"\x03vorbis" and len(first) >= 28:
        channels, rate, _, nominal = struct.unpack_from("<BIii", first, 11)
        stream = Stream("vorbis", "audio/ogg", 0.0, rate, channels, bitrate=max(0, nominal))
        vorbis_comment(second[7:], raw)
        clock = rate
    elif first[:8] == b"OpusHead" and second[:8] == b"OpusTags" and len(first) >= 19:
        stream = Stream("opus", "audio/ogg", 0.0, 48000, first[9])
        skip, clock = int.from_bytes(first[10:12], "little"), 48000
        vorbis_comment(second[8:], raw)
    elif first[:5] == b"\x7fFLAC" and first[9:13] == b"fLaC":
        stream = _streaminfo(first[17:])
        stream.mime_type = "audio/ogg"
        if second and second[0] & 0x7F == 4:
            vorbis_comment(second[4:], raw)
        clock = stream.sample_rate
    else:
        raise Odd
    if not clock:
        raise Odd
    last = _last_granule(file, serial, size)
    stream.seconds = max(0.0, (last - skip) / clock)
    return stream


def _last_granule(file: BinaryIO, serial: bytes, size: int) -> int:
    for amount in (8192, 131072):
        start = max(0, size - amount)
        file.seek(start)
        tail = file.read(min(amount, size))
        at, newest = tail.rfind(b"OggS"), True
        while at >= 0:
            head = tail[at:at + 27]
            if newest:
                lacing = tail[at + 27:at + 27 + head[26]] if len(head) == 27 else b""
                if len(head) < 27 or len(lacing) < head[26] or at + 27 + head[26] + sum(lacing) > len(tail):
                    raise Cut("the last page of the Ogg file is cut off")
                newest = False
            if head[14:18] == serial and head[6:14] != b"\xff" * 8:
                return int.from_bytes(head[6:14], "little", signed=True)
            at = tail.rfind(b"OggS", 0, at)
        if start == 0:
            break
    raise Odd


# ---- WAV and AIFF -----------------------------------------------------------------------------------------------

_INFO = {b"INAM": "TITLE", b"IART": "ARTIST", b"IPRD": "ALBUM", b"ICRD": "DATE", b"IGNR": "GENRE", b"ICMT": "COMMENT",
         b"ITRK": "TRACKNUMBER", b"IPRT": "TRACKNUMBER", b"IMUS": "COMPOSER"}
_AIFF_TEXT = {b"NAME": "TITLE", b"AUTH": "ARTIST", b"ANNO": "COMMENT"}


def wave(file: BinaryIO, raw: Raw, size: int) -> Stream:
    """A RIFF or RF64 WAVE file, from its beginning: fmt, data, "id3 " and LIST INFO."""
    file.seek(12)
    stream, data_bytes, rate_bytes = None, -1, 0
    info: dict[str, list[str]] = {}
    at = 12
    for _ in range(1000):
        head = file.read(8)
        if len(head) < 8:
            break
        name, length = head[:4], int.from_bytes(head[4:], "little")
        at += 8
        if name == b"fmt ":
            if not 14 <= length <= 4096:
                raise Odd
            data = file.read(length)
            if len(data) < 14:
                raise Cut("the WAV header is cut off")
            kind, channels, rate, rate_bytes, _ = struct.unpack_from("<HHIIH", data)
            bits = int.from_bytes(data[14:16], "little")
            stream = Stream("wav", "audio/wav", 0.0, rate, channels, bits if kind in (1, 3, 0xFFFE) and bits else None)
        elif name == b"data":
            if length >= 0xFFFFFF00:                # written by a pipe, or RF64: as much as there is
                length = max(0, size - at)
            if at + length > size:
                raise Cut(f"{length} bytes of audio are promised, {max(0, size - at)} are there")
            data_bytes = length
        elif name in (b"id3 ", b"ID3 "):
            _chunk_tag(file, raw, at, length, size)
        elif name == b"LIST" and 4 <= length <= MIB and at + length <= size:
            data = file.read(length)
            if data[:4] == b"INFO":
                _riff_info(data, info)
        at += length + (length & 1)
        file.seek(at)
    if stream is None or data_bytes < 0:
        raise Cut("there is no audio in this WAV file") if size < 1000 else Odd
    for canonical, values in info.items():
        raw.fields.setdefault(canonical, values)
    if rate_bytes:
        stream.seconds, stream.bitrate = data_bytes / rate_bytes, rate_bytes * 8
    return stream


def _chunk_tag(file: BinaryIO, raw: Raw, at: int, length: int, size: int) -> None:
    """The ID3 tag in a chunk of `length` bytes that begins at `at`."""
    if length > MAX_TAG:
        raise TooLarge(f"an ID3 chunk claims {length} bytes")
    if at + length > size:
        raise Cut("an ID3 chunk is cut off")
    if length > 10:
        id3v2(file, raw, size - at)


def _riff_info(data: bytes, info: dict[str, list[str]]) -> None:
    at = 4
    while at + 8 <= len(data):
        name, length = data[at:at + 4], int.from_bytes(data[at + 4:at + 8], "little")
        value = data[at + 8:at + 8 + length].split(b"\0")[0]
        if name in _INFO and value:
            info.setdefault(_INFO[name], [_id3_text(0, value)])
        at += 8 + length + (length & 1)


def aiff(file: BinaryIO, raw: Raw, size: int) -> Stream:
    """An AIFF or AIFF-C file, from its beginning: COMM, SSND, "ID3 " and the old text chunks."""
    file.seek(12)
    stream, has_sound = None, False
    old: dict[str, list[str]] = {}
    at = 12
    for _ in range(1000):
        head = file.read(8)
        if len(head) < 8:
            break
        name, length = head[:4], int.from_bytes(head[4:], "big")
        at += 8
        if name == b"COMM":
            data = file.read(min(length, 4096))
            if len(data) < 18:
                raise Cut("the AIFF header is cut off")
            channels, frames, bits = struct.unpack_from(">HIH", data)
            exponent, mantissa = struct.unpack_from(">HQ", data, 8)
            shift = (exponent & 0x7FFF) - 16383 - 63
            if not -63 <= shift <= 0:
                raise Odd
            rate = mantissa >> -shift
            if not rate:
                raise Odd
            stream = Stream("aiff", "audio/aiff", frames / rate, rate, channels, bits, rate * channels * bits)
        elif name == b"SSND":
            if at + length > size:
                raise Cut(f"{length} bytes of audio are promised, {max(0, size - at)} are there")
            has_sound = True
        elif name in (b"ID3 ", b"id3 "):
            _chunk_tag(file, raw, at, length, size)
        elif name in _AIFF_TEXT and length <= MIB:
            value = file.read(length).split(b"\0")[0]
            if value:
                old.setdefault(_AIFF_TEXT[name], []).append(_id3_text(0, value))
        at += length + (length & 1)
        file.seek(at)
    if stream is None or not has_sound:
        raise Cut("there is no audio in this AIFF file") if size < 1000 else Odd
    for canonical, values in old.items():
        raw.fields.setdefault(canonical, values)
    return stream
