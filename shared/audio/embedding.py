"""Put a picture into a music file and take it out again. The sound stays bit for bit, which its packets prove.

Imported by worker processes only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import av

from shared.audio import tags
from shared.audio.decoding import opened
from shared.audio.pens import Front
from shared.model.errors import UnreadableFile
from shared.model.track import Reading


def sound(path: str) -> str:
    """A hash of what a decoder is given: the codec with its set-up, and every packet. Nothing is decoded.

    Costs reading the file. Raises UnreadableFile.
    """
    digest = hashlib.sha256()
    with opened(path) as one:
        try:
            codec = one.stream.codec_context
            if codec.name == "ape":
                return _between_tags(path)
            digest.update(repr((codec.name, codec.sample_rate, codec.layout.name if codec.layout else "")).encode())
            for part in _set_up(codec.name, bytes(codec.extradata or b"")):
                digest.update(len(part).to_bytes(4, "big") + part)
            for packet in one.container.demux(one.stream):
                if packet.size:
                    digest.update(packet.size.to_bytes(4, "big"))
                    digest.update(bytes(packet))
        except (av.FFmpegError, ValueError) as error:
            raise UnreadableFile("Its packets cannot be read from end to end.", reason="damaged") from error
    return digest.hexdigest()


def _between_tags(path: str) -> str:
    """Of Monkey's Audio, whose last packet FFmpeg takes to reach to the file's end: all bytes but the tag there."""
    with open(path, "rb") as file:
        end = file.seek(0, 2)
        file.seek(max(0, end - 128))
        if file.read(3) == b"TAG":                                              # ID3v1
            end -= 128
        file.seek(max(0, end - 32))
        footer = file.read(32)
        if footer[:8] == b"APETAGEX":
            end -= int.from_bytes(footer[12:16], "little") + (32 if footer[23] & 0x80 else 0)
        digest = hashlib.sha256()
        file.seek(0)
        while end > 0 and (piece := file.read(min(end, 1 << 20))):
            digest.update(piece)
            end -= len(piece)
    return digest.hexdigest()


def _set_up(codec: str, extradata: bytes) -> Iterator[bytes]:
    """What the decoder is set up by; of Vorbis without the comments, which stand between its other two headers."""
    if codec != "vorbis" or extradata[:1] != b"\x02":
        yield extradata
        return
    lengths, at = [], 1
    for _ in range(2):
        length = 0
        while at < len(extradata) and extradata[at] == 255:
            length, at = length + 255, at + 1
        length, at = length + (extradata[at] if at < len(extradata) else 0), at + 1
        lengths.append(length)
    yield extradata[at:at + lengths[0]]
    yield extradata[at + sum(lengths):]


def fronts(path: str) -> list[Front]:
    """The front pictures of the file at `path`, as its format holds them. Raises UnreadableFile."""
    try:
        return tags.pen_for(path, tags.read(path).facts).fronts()
    except UnreadableFile:
        raise
    except OSError as error:
        raise tags.blame_system(error) from error
    except Exception as error:      # mutagen raises whatever a strange file makes Python raise
        raise tags.blame(error, 1 << 30, b"") from error


def embed(path: str, picture: bytes, mime_type: str = "image/jpeg") -> Reading:
    """Have `picture` be the front cover of the file at `path`; what its tags then say.

    Raises UnreadableFile (also when the copy would not hold the very same sound: the file is as it was then), DiskFull,
    Conflict when somebody else changed it meanwhile.
    """
    return _written(path, lambda pen: pen.picture(picture, mime_type))


def put_back(path: str, kept: list[Front]) -> Reading:
    """Have the front pictures of the file be those that `fronts` once told. Raises as `embed`."""
    return _written(path, lambda pen: pen.put_fronts(kept))


def _written(path: str, deed: Any) -> Reading:
    def edit(partial: str, before: Reading) -> None:
        pen = tags.pen_for(partial, before.facts)
        deed(pen)
        pen.save()

    return tags.rewrite(path, edit, prove=same_but_pictures)


def same_but_pictures(path: str, partial: str) -> None:
    """Raises UnreadableFile when two files differ in their sound, or in what their tags say beside pictures."""
    if sound(path) != sound(partial):
        raise UnreadableFile("With another picture the file would not hold the very same sound; it stays as it was.",
                             reason="damaged")
    one, other = (replace(tags.read(each), picture_bytes=0, facts=None) for each in (path, partial))  # type: ignore[arg-type]
    if one != other:
        raise UnreadableFile("With another picture its tags would not say the same; it stays as it was.",
                             reason="damaged")
