"""Read all a library wants to know of a music file, and write tags without touching the music.

`read` looks at the first bytes (a name may lie), fills a `fields.Raw` by shared/audio/blocks.py where it can and by
mutagen where it must, and lets shared/audio/fields.py make sense of it. Every failure is an UnreadableFile with a
reason; hostile files can make it raise nothing else. Imported by worker processes only.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import secrets
import shutil
import stat
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import mutagen
from mutagen import _util as mutagen_util
from mutagen.aac import AAC
from mutagen.aiff import AIFF
from mutagen.apev2 import TEXT, APEv2
from mutagen.asf import ASF, ASFByteArrayAttribute
from mutagen.flac import FLAC
from mutagen.id3 import ID3, ID3FileType, ParseID3v1
from mutagen.monkeysaudio import MonkeysAudio
from mutagen.mp3 import HeaderNotFoundError, MPEGInfo
from mutagen.mp4 import MP4
from mutagen.oggflac import OggFLAC
from mutagen.oggopus import OggOpus
from mutagen.oggvorbis import OggVorbis
from mutagen.wave import WAVE
from mutagen.wavpack import WavPack

from shared.audio import blocks, fields, mp4, pens
from shared.audio.blocks import Cut, Media, Odd, Stream, TooLarge
from shared.audio.fields import Raw
from shared.model.errors import BadInput, Conflict, DiskFull, SoundsibleError, UnreadableFile
from shared.model.track import LOSSLESS, AudioFacts, Lyrics, Reading

LONGEST_MS = 30 * 24 * 3600 * 1000

_ASF_GUID = b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c"


# ---- reading ----------------------------------------------------------------------------------------------------


def read(path: str) -> Reading:
    """What the file at `path` says of itself: tags, audio facts, lyrics, the size of its front cover.

    Costs 50-200 µs for a file in the page cache; pictures are not decoded. Raises UnreadableFile only.
    """
    size = -1
    head = b""
    try:
        # Not blocking: a named pipe must not hold the reader.
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        try:
            about = os.fstat(handle)
            size = about.st_size
            if not stat.S_ISREG(about.st_mode):
                raise UnreadableFile("This is not a regular file.", reason="not_audio")
            if size == 0:
                raise UnreadableFile("The file is empty.", reason="empty")
            with Media(io.FileIO(handle, "rb", closefd=False), size) as file:
                head = file.peek(64)[:64]
                return _reading(file, head, size, path)
        finally:
            os.close(handle)
    except UnreadableFile:
        raise
    except Exception as error:      # mutagen raises whatever a hostile file makes Python raise
        raise blame(error, size, head) from error


def read_many(paths: list[str]) -> list[Reading | UnreadableFile]:
    """`read` for each path, failures in their places."""
    answers: list[Reading | UnreadableFile] = []
    for path in paths:
        try:
            answers.append(read(path))
        except UnreadableFile as error:
            error.__cause__ = error.__context__ = error.__traceback__ = None
            answers.append(error)
    return answers


def _reading(file: Media, head: bytes, size: int, path: str) -> Reading:
    raw = Raw()
    stream = _reader_of(head, path)(file, raw, size)
    metadata = fields.metadata(raw)
    if stream.track_gain is not None and metadata.replaygain is fields.NO_GAIN:
        raw.fields["REPLAYGAIN_TRACK_GAIN"] = [f"{stream.track_gain:.2f}"]
        metadata = fields.metadata(raw)
    ms = round(stream.seconds * 1000) if 0 < stream.seconds < LONGEST_MS / 1000 else 0
    bitrate = stream.bitrate or (max(0, size - raw.picture_bytes) * 8000 // ms if ms else 0)
    facts = AudioFacts(
        format=stream.format,
        mime_type=stream.mime_type,
        duration_ms=ms,
        bitrate_kbps=round(bitrate / 1000) or None if bitrate < 1_000_000_000 else None,
        sample_rate_hz=int(stream.sample_rate) if 0 < stream.sample_rate < 50_000_000 else None,
        bit_depth=stream.bits if stream.bits and stream.bits <= 64 and stream.format in LOSSLESS else None,
        channels=int(stream.channels) if 0 < stream.channels <= 255 else None,
    )
    lyrics = _all_lyrics(raw) if raw.lyrics or "LYRICS" in raw.fields or "SYNCEDLYRICS" in raw.fields else ()
    return Reading(metadata, facts, lyrics, raw.picture_bytes, stream.audio_md5)


def _all_lyrics(raw: Raw) -> tuple[Lyrics, ...]:
    found = raw.lyrics[:16]
    for name in ("SYNCEDLYRICS", "LYRICS"):
        for value in raw.fields.get(name, ())[:8]:
            if lyrics := fields.lyrics_of(value):
                found.append(lyrics)
    unique: dict[str, Lyrics] = {}
    for lyrics in found:
        unique.setdefault(lyrics.text, lyrics)
    return tuple(unique.values())


@contextlib.contextmanager
def whole(path: str) -> Iterator[Any]:
    """The file as mutagen's object for its kind, with all its pictures. Raises what mutagen and the system raise."""
    size = os.stat(path).st_size
    with Media(io.FileIO(path), size) as file:
        head = file.peek(64)[:64]
        kind = _MUTAGEN.get(_reader_of(head, path), ID3FileType)
        if kind is OggVorbis:
            kind = OggOpus if b"OpusHead" in head else OggFLAC if b"\x7fFLAC" in head else OggVorbis
        elif kind is ID3FileType and head[:3] == b"ID3":
            file.seek(10 + int(mutagen.id3.BitPaddedInt(head[6:10])))
            if file.read(4) == b"fLaC":
                kind = FLAC
        file.seek(0)
        yield kind(file)


Reader = Callable[[Media, Raw, int], Stream]


def _reader_of(head: bytes, path: str) -> Reader:
    """By the first bytes where they say it; MP3 and ADTS have no signature, there the extension decides."""
    four = head[:4]
    if four == b"fLaC":
        return _flac
    if four == b"OggS":
        return _ogg
    if head[4:8] == b"ftyp" or head[4:8] in (b"moov", b"mdat", b"wide", b"free", b"skip"):
        return _mp4
    if four in (b"RIFF", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return _wave
    if four == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return _aiff
    if four == b"wvpk":
        return _wavpack
    if four == b"MAC ":
        return _monkey
    if head[:16] == _ASF_GUID:
        return _asf
    if path[-4:].lower() == ".aac" or (head[:1] == b"\xff" and head[1:2] in (b"\xf0", b"\xf1", b"\xf8", b"\xf9")):
        return _aac
    return _mp3


def _mp3(file: Media, raw: Raw, size: int) -> Stream:
    end = _id3(file, raw, size)
    if end:
        file.seek(end)
        after = file.read(4)
        if after == b"fLaC":
            return _flac_behind_id3(file, raw, size)
        if len(after) >= 2 and after[0] == 0xFF and after[1] & 0xF6 == 0xF0:
            return _adts(file, size)
        if end >= size:
            raise Cut("there is no audio behind the ID3 tag")
    try:
        info = MPEGInfo(file, end)
    except HeaderNotFoundError:
        raise _NoAudio("no MPEG audio in it") from None
    # Two frames may look like MPEG in anything; a real file has more, or is short, or begins with one.
    if info.sketchy and size - info.frame_offset > 20_000 and info.frame_offset - end > 4096:
        raise _NoAudio("no MPEG audio in it")
    _tail_tags(file, raw, size)
    stream = Stream("mp3", "audio/mpeg", info.length, info.sample_rate, info.channels, None, info.bitrate,
                    track_gain=info.track_gain)
    if not info.sketchy and info.bitrate_mode and info.length > 0 and info.bitrate:
        promised = info.bitrate * info.length / 8
        if size - info.frame_offset < promised * 0.8 - 4096:
            raise Cut(f"{promised:.0f} bytes of audio are promised, {size - info.frame_offset} are there")
    return stream


class _NoAudio(Exception):
    """Its bytes are something else."""


def _id3(file: Media, raw: Raw, size: int) -> int:
    """The ID3v2 tag at the beginning; returns where it ends."""
    try:
        return blocks.id3v2(file, raw, size)
    except Odd:
        file.seek(0)
        raw.fields.clear()
        raw.people.clear()
        raw.lyrics.clear()
        raw.picture_bytes = 0
    try:
        tag = ID3(file, load_v1=False)
    except mutagen.id3.ID3UnsupportedVersionError:
        return 0
    _id3_frames(tag, raw)
    return int(tag.size)


def _id3_frames(tag: Any, raw: Raw) -> None:
    """Frames as mutagen's objects."""
    for frame in tag.values():
        name = frame.FrameID
        if name in blocks.ID3_TEXT:
            raw.fields.setdefault(blocks.ID3_TEXT[name], []).extend(str(text) for text in frame.text)
        elif name == "TXXX":
            raw.add(frame.desc, [str(text) for text in frame.text])
        elif name == "UFID":
            if frame.owner == "http://musicbrainz.org":
                raw.add("MUSICBRAINZ_TRACKID", [frame.data.decode("ascii", "replace")])
        elif name == "COMM":
            blocks.add_comment(raw, frame.desc, "\n".join(frame.text))
        elif name == "USLT":
            if lyrics := fields.lyrics_of(frame.text, frame.lang):
                raw.lyrics.append(lyrics)
        elif name in ("TIPL", "TMCL", "IPLS"):
            raw.people += [(str(pair[0]), str(pair[1])) for pair in frame.people if len(pair) > 1]
        elif name == "APIC":
            raw.picture(len(frame.data), front=frame.type == 3)
        elif name in ("SYLT", "RVA2"):
            blocks.id3_rare_frame(frame, raw)


def _tail_tags(file: Media, raw: Raw, size: int) -> None:
    """What MP3s carry at their end: an APEv2 tag (mp3gain), an ID3v1 tag."""
    if size < 160:
        return
    file.seek(size - 160)
    tail = file.read(160)
    old = tail[32:35] == b"TAG"
    footer = tail[:32] if old else tail[-32:]
    if footer[:8] == b"APETAGEX":
        if int.from_bytes(footer[12:16], "little") > blocks.MAX_TAG:
            raise TooLarge("an APEv2 tag claims more than a sane file has")
        found = Raw()
        with contextlib.suppress(mutagen.MutagenError, EOFError, ValueError):
            _ape_items(APEv2(file), found)
        for name, values in found.fields.items():
            raw.fields.setdefault(name, values)
        raw.picture_bytes = raw.picture_bytes or found.picture_bytes
    if old and not raw.fields.keys() >= {"TITLE", "ARTIST", "ALBUM"}:
        for frame in (ParseID3v1(tail[32:]) or {}).values():
            if frame.FrameID in blocks.ID3_TEXT:
                raw.fields.setdefault(blocks.ID3_TEXT[frame.FrameID], [str(text) for text in frame.text])


def _adts(file: Media, size: int) -> Stream:
    file.seek(0)
    info = AAC(file).info
    return Stream("aac", "audio/aac", info.length, info.sample_rate, info.channels, None, info.bitrate)


def _aac(file: Media, raw: Raw, size: int) -> Stream:
    _id3(file, raw, size)
    try:
        return _adts(file, size)
    except mutagen.MutagenError:
        raise _NoAudio("no ADTS or ADIF audio in it") from None


def _flac(file: Media, raw: Raw, size: int) -> Stream:
    file.seek(4)
    return _flac_behind_id3(file, raw, size)


def _flac_behind_id3(file: Media, raw: Raw, size: int) -> Stream:
    before = dict(raw.fields)
    raw.fields.clear()
    try:
        return blocks.flac(file, raw, size)
    except Odd:
        raw.fields.clear()
        raw.picture_bytes = 0
    finally:
        if not raw.fields:
            raw.fields.update(before)       # an ID3 tag counts only where FLAC's own comments are missing
    file.seek(0)
    whole = FLAC(file)
    _comments(whole.tags or (), raw)
    for picture in whole.pictures:
        raw.picture(len(picture.data), front=picture.type == 3)
    info = whole.info
    md5 = f"{info.md5_signature:032x}" if info.md5_signature else None
    return Stream("flac", "audio/flac", info.length, info.sample_rate, info.channels, info.bits_per_sample,
                  info.bitrate, md5)


def _comments(tags: Iterable[tuple[str, str]], raw: Raw) -> None:
    for name, value in tags:
        if name.upper() == "METADATA_BLOCK_PICTURE":
            blocks.encoded_picture(value.encode("ascii", "ignore"), raw)
        else:
            raw.add(name, [value])


def _ogg(file: Media, raw: Raw, size: int) -> Stream:
    try:
        return blocks.ogg(file, raw, size)
    except Odd:
        raw.fields.clear()
        raw.picture_bytes = 0
    for kind, name in ((OggVorbis, "vorbis"), (OggOpus, "opus"), (OggFLAC, "flac")):
        file.seek(0)
        try:
            whole = kind(file)
        except mutagen.MutagenError:
            continue
        _comments(whole.tags or (), raw)
        info = whole.info
        return Stream(name, "audio/ogg", info.length, getattr(info, "sample_rate", 48000), info.channels,
                      getattr(info, "bits_per_sample", None), getattr(info, "bitrate", 0))
    raise _NoAudio("no Vorbis, Opus or FLAC stream in this Ogg file")


def _mp4(file: Media, raw: Raw, size: int) -> Stream:
    try:
        return mp4.mp4(file, raw, size)
    except Odd:
        raw.fields.clear()
        raw.picture_bytes = 0
    file.seek(0)
    whole = MP4(file)
    info = whole.info
    for key, values in (whole.tags or {}).items():
        if key in mp4.TEXT:
            raw.fields.setdefault(mp4.TEXT[key], []).extend(values)
        elif key in ("trkn", "disk"):
            number, total = values[0] if values else (0, 0)
            name = "TRACKNUMBER" if key == "trkn" else "DISCNUMBER"
            raw.fields[name] = [f"{number}/{total}" if total else f"{number}"]
        elif key == "covr":
            raw.picture(len(values[0]) if values else 0, front=True)
        elif key == "tmpo":
            raw.fields.setdefault("BPM", [str(value) for value in values])
        elif key == "cpil":
            raw.fields["COMPILATION"] = ["1" if values else "0"]
        elif key.startswith("----:"):
            raw.add(key.rpartition(":")[2], [bytes(value).decode("utf-8", "replace") for value in values])
    codec = info.codec
    if not codec:
        raise _NoAudio("no audio track in this MP4 file")
    name = ("alac" if codec.startswith("alac") else "flac" if codec.startswith("fLaC")
            else "opus" if codec.startswith("Opus") else "mp3" if codec.lower() in ("mp4a.6b", "mp4a.69", ".mp3")
            else "aac")
    return Stream(name, "audio/mp4", info.length, info.sample_rate, info.channels, info.bits_per_sample or None,
                  0 if name in LOSSLESS else info.bitrate)


def _wave(file: Media, raw: Raw, size: int) -> Stream:
    try:
        return blocks.wave(file, raw, size)
    except Odd:
        return _by_mutagen(WAVE, "wav", "audio/wav", file, raw)


def _aiff(file: Media, raw: Raw, size: int) -> Stream:
    try:
        return blocks.aiff(file, raw, size)
    except Odd:
        return _by_mutagen(AIFF, "aiff", "audio/aiff", file, raw)


def _by_mutagen(kind: Any, name: str, mime_type: str, file: Media, raw: Raw) -> Stream:
    file.seek(0)
    for part in (raw.fields, raw.people, raw.lyrics):
        part.clear()
    raw.picture_bytes = 0
    whole = kind(file)
    if whole.tags is not None:
        _id3_frames(whole.tags, raw)
    info = whole.info
    return Stream(name, mime_type, info.length, info.sample_rate, info.channels, info.bits_per_sample, info.bitrate)


def _ape_items(tags: Any, raw: Raw) -> None:
    for key, value in tags.items():
        if value.kind == TEXT:
            raw.add(key, list(value))
        elif key.lower().startswith("cover art"):
            raw.picture(max(0, len(value.value) - value.value.find(b"\0") - 1), front="front" in key.lower())


def _ape_file(kind: Any, file: Media, raw: Raw) -> Any:
    file.seek(0)
    whole = kind(file)
    if whole.tags is not None:
        _ape_items(whole.tags, raw)
    return whole.info


def _wavpack(file: Media, raw: Raw, size: int) -> Stream:
    info = _ape_file(WavPack, file, raw)
    _wavpack_whole(file, size)
    return Stream("wavpack", "audio/x-wavpack", info.length, info.sample_rate, int(info.channels),
                  getattr(info, "bits_per_sample", None), 0)


def _wavpack_whole(file: Media, size: int) -> None:
    """Raises Cut when the last block is not whole, or not the last."""
    file.seek(0)
    total = int.from_bytes(file.read(32)[12:16], "little")
    tail = b""
    for amount in (32_768, 524_288):        # a block holds half a second
        if b"wvpk" not in tail and len(tail) < size:
            file.seek(max(0, size - amount))
            tail = file.read(min(size, amount))
    at = tail.rfind(b"wvpk")
    while at >= 0:
        head = tail[at:at + 32]
        version = int.from_bytes(head[8:10], "little")
        if len(head) == 32 and 0x400 <= version <= 0x4FF:
            length, index, samples = struct.unpack_from("<I8xII", head, 4)
            if at + 8 + length > len(tail):
                raise Cut("the last WavPack block is cut off")
            if samples and total != 0xFFFFFFFF and index + samples < total:
                raise Cut(f"{total} samples are promised, {index + samples} are there")
            if samples:
                return
        at = tail.rfind(b"wvpk", 0, at)


def _monkey(file: Media, raw: Raw, size: int) -> Stream:
    file.seek(0)
    head = file.read(76)
    if len(head) < 32:
        raise Cut("the Monkey's Audio header is cut off")
    if int.from_bytes(head[4:6], "little") >= 3980 and len(head) == 76:
        first, second, seek, before, audio, more = struct.unpack_from("<6I", head, 8)
        if first + second + seek + before + audio + (more << 32) > size:
            raise Cut("the file ends before its audio does")
    info = _ape_file(MonkeysAudio, file, raw)
    return Stream("ape", "audio/x-ape", info.length, info.sample_rate, info.channels,
                  getattr(info, "bits_per_sample", None), 0)


def _asf(file: Media, raw: Raw, size: int) -> Stream:
    header = int.from_bytes(file.read(24)[16:], "little")
    if header > blocks.MAX_TAG:
        raise TooLarge(f"the header claims {header} bytes")
    if header + 24 > size:
        raise Cut("the file ends within or behind its header")
    file.seek(0)
    whole = ASF(file)
    for key, value in whole.tags or ():
        if key == "WM/Picture":
            content = value.value if isinstance(value, ASFByteArrayAttribute) else b""
            if len(content) > 9:
                raw.picture(int.from_bytes(content[1:5], "little"), front=content[0] == 3)
        else:
            raw.add("COMMENT" if key == "Description" else key, [str(value)])
    file.seek(header + 16)
    data = int.from_bytes(file.read(8), "little")
    if header + data > size:
        raise Cut(f"{data} bytes of audio are promised, {size - header} are there")
    info = whole.info
    return Stream("wma", "audio/x-ms-wma", info.length, info.sample_rate, info.channels, None, info.bitrate)


_MUTAGEN: dict[Reader, Any] = {_flac: FLAC, _ogg: OggVorbis, _mp4: MP4, _wave: WAVE, _aiff: AIFF, _wavpack: WavPack,
                              _monkey: MonkeysAudio, _asf: ASF}


# ---- writing ----------------------------------------------------------------------------------------------------

#: What `write` takes: the fields of PATCH /library/tracks/<id>, and two more for who adds music.
EDITABLE = ("title", "artist", "album", "album_artist", "track_number", "disc_number", "year", "genres", "lyrics",
            "picture")
_PARTIAL = ".soundsible-"       # such names are not walked; one that is left over is removed by the next edit
_TEXT_FIELDS = {"title": "TITLE", "artist": "ARTIST", "album": "ALBUM", "album_artist": "ALBUMARTIST",
                "genres": "GENRE", "lyrics": "LYRICS"}
# What described the old value, and would say otherwise than the new one.
_OUTDATED = {
    "title": ("TITLESORT",),
    "artist": ("ARTISTS", "ARTISTSORT", "ARTISTSSORT", "MUSICBRAINZ_ARTISTID"),
    "album_artist": ("ALBUMARTISTS", "ALBUMARTISTSORT", "MUSICBRAINZ_ALBUMARTISTID"),
    "album": ("ALBUMSORT", "MUSICBRAINZ_ALBUMID", "MUSICBRAINZ_RELEASEGROUPID"),
}


def write(path: str, changes: dict[str, Any]) -> Reading:
    """Write `changes` (keys of EDITABLE; None, "" or [] takes away) into the tags of `path`; returns what it now says.

    A copy in the same folder is edited and then takes the file's place, so that whoever looks finds the old or
    the new file, whole, whenever the machine stops. The audio stays bit for bit; mode, owner and further attributes are
    kept, the modification time is new. Costs a copy of the file (nothing where the file system can share blocks).
    Raises BadInput for an unknown field, Conflict when somebody else changed the file meanwhile, UnreadableFile.
    """
    unknown = sorted(set(changes) - set(EDITABLE))
    if unknown:
        raise BadInput(f"These fields cannot be written: {', '.join(unknown)}.")
    return rewrite(path, lambda partial, before: _edit(partial, before, changes))


def rewrite(path: str, edit: Callable[[str, Reading], None], *,
            prove: Callable[[str, str], None] | None = None) -> Reading:
    """Have `edit(copy, reading)` change the tags of a copy that then takes the file's place; what it now says.

    `prove(path, copy)` may refuse the copy by raising. See `write` for the rest. What `edit` raises is translated.
    """
    path = os.path.realpath(path)       # a link stays one; what it names is replaced
    before = read(path)
    folder = os.path.dirname(path)
    partial = os.path.join(folder, f"{_PARTIAL}{secrets.token_hex(8)}{os.path.splitext(path)[1][:16]}")
    try:
        _remove_leftovers(folder)
        was = os.stat(path)
        _copy(path, partial)
        edit(partial, before)
        after = read(partial)
        if after.facts.format != before.facts.format or after.audio_md5 != before.audio_md5 or abs(
                after.facts.duration_ms - before.facts.duration_ms) > 500:
            raise UnreadableFile("The edited copy does not hold the same music; the file stays as it was.",
                                 reason="damaged")
        if prove is not None:
            prove(path, partial)
        shutil.copystat(path, partial)
        os.utime(partial)
        with contextlib.suppress(OSError, AttributeError):      # only root may give files away
            os.chown(partial, was.st_uid, was.st_gid)
        _sync(partial)
        now = os.stat(path)
        if (now.st_mtime_ns, now.st_size, now.st_ino) != (was.st_mtime_ns, was.st_size, was.st_ino):
            raise Conflict("Another program changed the file meanwhile; try again.")
        os.replace(partial, path)
        _sync(folder)
        return after
    except SoundsibleError:
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull("There is no room to write this file's tags; it is as it was.") from error
        raise blame_system(error) from error
    except Exception as error:
        raise blame(error, 1 << 30, b"") from error
    finally:
        with contextlib.suppress(OSError):
            os.unlink(partial)


def _copy(source: str, target: str) -> None:
    """All bytes of `source`, shared instead of copied where the file system can."""
    with open(source, "rb") as old, open(target, "xb") as new:
        copied = 0
        with contextlib.suppress(OSError, AttributeError):
            while amount := os.copy_file_range(old.fileno(), new.fileno(), 1 << 30):
                copied += amount
        old.seek(copied)
        new.seek(copied)
        shutil.copyfileobj(old, new, 1 << 20)


def _sync(path: str) -> None:
    if os.name == "nt":
        return                          # cannot open folders; NTFS orders the rename itself
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove_leftovers(folder: str) -> None:
    """Copies that an interrupted edit left behind more than an hour ago."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(_PARTIAL) and entry.is_file(follow_symlinks=False):
                with contextlib.suppress(OSError):
                    if time.time() - entry.stat(follow_symlinks=False).st_mtime > 3600:
                        os.unlink(entry.path)


def _edit(path: str, before: Reading, changes: dict[str, Any]) -> None:
    pen = pen_for(path, before.facts)
    for name, value in changes.items():
        if name == "picture":
            data = bytes(value) if value else None
            pen.picture(data, _picture_type(data or b""))
        elif name in ("track_number", "disc_number"):
            _edit_number(pen, name.removesuffix("_number"), value)
        elif name == "year":
            _edit_year(pen, before, value)
        else:
            values = [value] if isinstance(value, str) else list(value or ())
            longest = fields.LONGEST_LYRICS if name == "lyrics" else fields.LONGEST_TEXT
            tidy = fields.clean_lines if name == "lyrics" else fields.clean
            values = [text for one in values if (text := tidy(str(one), longest))]
            was = getattr(before.metadata, name, None)
            pen.set(_TEXT_FIELDS[name], values)
            if was != (values[0] if len(values) == 1 else None):
                for other in _OUTDATED.get(name, ()):
                    pen.set(other, [])
    pen.save()


def _edit_number(pen: pens.Pen, what: str, value: Any) -> None:
    name = f"{what.upper()}NUMBER"
    old = pen.get(name)
    if value in (None, "", 0):
        pen.set(name, [])
        return
    number = int(value)
    if not 0 < number <= fields.HIGHEST_NUMBER:
        raise BadInput(f"A {what} number is between 1 and {fields.HIGHEST_NUMBER}, not {number}.")
    _, slash, total = old[0].partition("/") if old else ("", "", "")
    pen.set(name, [f"{number}{slash}{total.strip()}" if total.strip().isdecimal() else str(number)])


def _edit_year(pen: pens.Pen, before: Reading, value: Any) -> None:
    if value in (None, ""):
        for name in ("DATE", "YEAR", "RELEASEDATE"):
            pen.set(name, [])
        return
    year = f"{int(value):04d}"
    if fields.date_of(year) is None:
        raise BadInput(f"A year is between 1000 and 2100, not {value}.")
    if not (before.metadata.date or "").startswith(year):
        for name in ("YEAR", "RELEASEDATE"):
            pen.set(name, [])
        pen.set("DATE", [year])


def _picture_type(data: bytes) -> str:
    return "image/png" if data.startswith(b"\x89PNG") else "image/webp" if data[8:12] == b"WEBP" else "image/jpeg"


def pen_for(path: str, facts: AudioFacts) -> pens.Pen:
    """What changes the tags of a file of that kind."""
    if facts.mime_type == "audio/mp4":
        return pens.Mp4Pen(path)
    if facts.format in ("flac", "vorbis", "opus"):
        return pens.CommentPen(path)
    if facts.format in ("wavpack", "ape"):
        return pens.ApePen(path)
    if facts.format == "wma":
        return pens.AsfPen(path)
    return pens.Id3Pen(path, {"wav": WAVE, "aiff": AIFF}.get(facts.format))


# ---- what went wrong --------------------------------------------------------------------------------------------

_CLAIMS = "It claims to hold more than it can: it is damaged, or made to do harm."
_ENDED = (EOFError, IndexError, struct.error, mutagen_util.cdata.error)


def blame(error: BaseException, size: int, head: bytes) -> UnreadableFile:
    """The reason word for whatever a reader raised."""
    said = " ".join(str(error).split())[:200] or type(error).__name__
    if isinstance(error, Cut):
        return UnreadableFile(f"The file is cut off: {said}.", reason="truncated")
    if isinstance(error, TooLarge | MemoryError | OverflowError | RecursionError):
        return UnreadableFile(_CLAIMS, reason="too_large")
    if isinstance(error, _NoAudio):
        if head[:3] == b"ID3":
            return UnreadableFile(f"There is a tag, but {said}.", reason="damaged")
        return UnreadableFile(f"It is not music: {said}.", reason="not_audio")
    if isinstance(error, OSError) and error.errno is not None and not isinstance(error, mutagen.MutagenError):
        return blame_system(error)
    # A mutagen error wraps the one that tells more.
    chain: BaseException | None = error
    while chain is not None:
        if isinstance(chain, TooLarge | MemoryError | OverflowError):
            return UnreadableFile(_CLAIMS, reason="too_large")
        if isinstance(chain, OSError) and chain.errno:
            return blame_system(chain)
        if isinstance(chain, _ENDED) and chain.__cause__ is None:
            return UnreadableFile(f"The file is cut off: {said}.", reason="truncated")
        chain = chain.__cause__ or chain.__context__
    if size < 4096 or "not enough" in said or "too small" in said or "EOF" in said:
        return UnreadableFile(f"The file is cut off: {said}.", reason="truncated")
    return UnreadableFile(f"The file is damaged: {said}.", reason="damaged")


def blame_system(error: OSError) -> UnreadableFile:
    said = os.strerror(error.errno) if error.errno else str(error)
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return UnreadableFile("The file is not there any more.", reason="vanished")
    if isinstance(error, PermissionError):
        return UnreadableFile("The file may not be read by the user the station runs as.", reason="no_permission")
    if isinstance(error, IsADirectoryError):
        return UnreadableFile("This is a folder.", reason="not_audio")
    if error.errno == errno.EIO:
        return UnreadableFile(f"The disk cannot read it: {said}.", reason="damaged")
    return UnreadableFile(f"The file cannot be read: {said}.", reason="unknown")
