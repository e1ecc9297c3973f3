"""What the first bytes of something say that it is, and audio taken out of its container without encoding it anew.

Only in child processes: files from anywhere are opened here.
"""

from __future__ import annotations

import errno
import re
from pathlib import Path

from shared.model.download import Failure

#: kind → suffix, for what can stand on the shelf as it is
PLAIN = {"mp3": ".mp3", "flac": ".flac", "opus": ".opus", "vorbis": ".ogg", "wav": ".wav", "aiff": ".aiff",
         "m4a": ".m4a", "aac": ".aac", "wavpack": ".wv", "ape": ".ape", "wma": ".wma"}
#: containers whose audio has to be taken out
WRAPPED = frozenset({"mp4", "matroska", "mpegts", "flv", "avi", "ogg"})
#: no media, but something that may lead to some
PAGES = frozenset({"html", "hls", "feed", "m3u", "pls", "xspf"})
_OTHER = {
    b"\x89PNG": "picture", b"GIF8": "picture", b"\xff\xd8\xff": "picture", b"%PDF": "document",
    b"PK\x03\x04": "archive", b"Rar!": "archive", b"7z\xbc\xaf": "archive", b"\x1f\x8b": "archive",
    b"\x7fELF": "program", b"MZ": "program",
}
# What FFmpeg may take a file for. Not HLS, concat, SDP and their like: those name other files and hosts, and FFmpeg
# opens them without asking anybody.
_DEMUXERS = ("aac,ac3,aiff,amr,ape,asf,avi,caf,dsf,flac,flv,matroska,webm,mov,mp3,mpeg,mpegts,ogg,tta,w64,wav,wv")
_TARGETS = {    # codec → (FFmpeg's container, suffix)
    "opus": ("ogg", ".opus"), "vorbis": ("ogg", ".ogg"), "aac": ("ipod", ".m4a"), "alac": ("ipod", ".m4a"),
    "mp3": ("mp3", ".mp3"), "flac": ("flac", ".flac"), "pcm_s16le": ("wav", ".wav"), "pcm_s24le": ("wav", ".wav"),
    "wmav2": ("asf", ".wma"), "wavpack": ("wv", ".wv"),
}


def kind_of(head: bytes, content_type: str = "") -> str:
    """What `head`, the first bytes (a few hundred at least), are the beginning of: a key of PLAIN, one of WRAPPED or
    PAGES, "picture", "document", "archive", "program", "text", or "unknown"."""
    kind = content_type.partition(";")[0].strip().lower()
    for start, name in _OTHER.items():
        if head.startswith(start):
            return name
    if head[:4] == b"fLaC":
        return "flac"
    if head[:4] == b"OggS":
        if b"OpusHead" in head[:300]:
            return "opus"
        return "vorbis" if b"vorbis" in head[:300] and b"theora" not in head[:600] else "ogg"
    if head[:4] in (b"RIFF", b"RF64"):
        return {b"WAVE": "wav", b"AVI ": "avi", b"WEBP": "picture"}.get(head[8:12], "unknown")
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "aiff"
    if head[4:8] == b"ftyp":
        return "m4a" if head[8:12] in (b"M4A ", b"M4B ") else "mp4"
    if head[:4] == b"wvpk":
        return "wavpack"
    if head[:4] == b"MAC ":
        return "ape"
    if head[:4] == b"\x30\x26\xb2\x75":
        return "wma"
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return "matroska"
    if head[:3] == b"FLV":
        return "flv"
    if head[:1] == b"G" and head[188:189] in (b"G", b"") and head[376:377] in (b"G", b"") and len(head) >= 188:
        return "mpegts"
    if head[:3] == b"ID3":
        return "aac" if kind in ("audio/aac", "audio/aacp") else "mp3"
    if head[:1] == b"\xff" and len(head) > 3:
        if head[1] & 0xF6 == 0xF0:
            return "aac"
        if head[1] & 0xE0 == 0xE0 and head[1] & 0x06 and head[2] & 0xF0 != 0xF0:
            return "mp3"
    return _text_kind(head, kind)


def _text_kind(head: bytes, kind: str) -> str:
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:4000].lower()
    if text.startswith(b"#extm3u"):
        return "hls" if b"#ext-x-" in text else "m3u"
    if text.startswith(b"[playlist]"):
        return "pls"
    if text.startswith(b"<"):
        if re.search(rb"<(?:rss|feed|rdf:rdf)[\s>]", text):
            return "feed"
        if b"<playlist" in text and b"xspf" in text:
            return "xspf"
        if text.startswith(b"<?xml") and b"<html" not in text:
            return "text"
        return "html"
    printable = sum(byte >= 32 or byte in b"\t\r\n" for byte in head[:512])
    if head and printable == len(head[:512]):
        if kind in ("audio/x-mpegurl", "audio/mpegurl", "application/x-mpegurl") or (
                kind.startswith("audio/") and re.match(rb"https?://\S+\s", text)):
            return "m3u"
        return "html" if kind in ("text/html", "application/xhtml+xml") else "text"
    return "unknown"


def settle(path: Path, kind: str, *, joined: bool = False) -> tuple[Path, str | None]:
    """`path` under the name its content asks for, "media.<suffix>" in the same folder; its audio alone, in a container
    of its own, where it came in another. (the file, a note for people). `joined`: it was put together from pieces,
    each with a head of its own. Raises Failure not_audio, unsupported."""
    if kind in PLAIN and not joined:
        target = path.with_name(f"media{PLAIN[kind]}")
        path.replace(target)
        return target, None
    return take_out(path)


def take_out(path: Path) -> tuple[Path, str]:
    """The audio of `path` without encoding it anew, as "media.<suffix>" beside it; `path` is removed."""
    import av

    try:
        with av.open(str(path), options={"format_whitelist": _DEMUXERS, "protocol_whitelist": "file"}) as source:
            streams = source.streams.audio
            if not streams:
                raise Failure("not_audio", "There is no sound in it.")
            stream = streams[0]
            codec = stream.codec_context.codec.canonical_name
            if codec not in _TARGETS:
                raise Failure("unsupported", f"Its sound is of a kind ({codec}) that the library does not keep.")
            container, suffix = _TARGETS[codec]
            target = path.with_name(f"media{suffix}")
            made = path.with_name(f"media.making{suffix}")
            with av.open(str(made), "w", format=container) as sink:
                for name in ("title", "artist", "album", "album_artist", "date", "genre", "track", "comment"):
                    if name in source.metadata:
                        sink.metadata[name] = source.metadata[name]
                copy = sink.add_stream_from_template(stream)
                for packet in source.demux(stream):
                    if packet.dts is not None:
                        packet.stream = copy
                        sink.mux(packet)
            rate = stream.codec_context.bit_rate or 0
    except av.error.MemoryError as error:
        raise MemoryError from error
    except av.error.FFmpegError as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
            raise
        raise Failure("not_audio", "It cannot be read as audio.") from error
    path.unlink()
    made.replace(target)
    return target, f"{codec} {rate // 1000} kbit/s" if rate else codec
