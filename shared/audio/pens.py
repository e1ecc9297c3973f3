"""Change tags in an open file, each format in its own way; everything that is not asked for stays as it is.

A pen has `set(name, values)` for canonical text fields (see shared/audio/fields.py), `get(name)`, `picture(data)` and
`save()`. An empty list takes the field away. `fronts()` are the pictures that `picture` would replace, just as they
stand in the file; `put_fronts` has them stand there again.
"""

from __future__ import annotations

import base64
from typing import Any, Protocol

import mutagen
from mutagen import id3
from mutagen.apev2 import BINARY, APENoHeaderError, APEv2, APEValue
from mutagen.asf import ASF, ASFByteArrayAttribute
from mutagen.flac import FLAC, Picture
from mutagen.mp4 import MP4, MP4Cover, MP4FreeForm

from shared.audio import blocks, mp4
from shared.audio.fields import CANONICAL

# What ID3 and MP4 call the fields that they have no own place for; by Picard's names, which others know as well.
DESCRIBED = {
    "MUSICBRAINZ_TRACKID": "MusicBrainz Track Id", "MUSICBRAINZ_ALBUMID": "MusicBrainz Album Id",
    "MUSICBRAINZ_RELEASEGROUPID": "MusicBrainz Release Group Id", "MUSICBRAINZ_ARTISTID": "MusicBrainz Artist Id",
    "MUSICBRAINZ_ALBUMARTISTID": "MusicBrainz Album Artist Id",
}
_RECORDING = "http://musicbrainz.org"       # the owner of ID3's UFID that is a recording's MBID


Front = tuple[str, bytes]       # how the format labels a picture, and the picture as the format holds it


class Pen(Protocol):
    def get(self, name: str) -> list[str]: ...
    def set(self, name: str, values: list[str]) -> None: ...
    def picture(self, data: bytes | None, mime_type: str) -> None: ...
    def fronts(self) -> list[Front]: ...
    def put_fronts(self, fronts: list[Front]) -> None: ...
    def save(self) -> None: ...


class Id3Pen:
    """MP3, AAC: an ID3v2 tag at the front; WAV, AIFF: one in a chunk. The tag keeps its version."""

    def __init__(self, path: str, kind: Any = None) -> None:
        self._path = path
        if kind is None:
            self._file = None
            try:
                self._tags = id3.ID3(path, translate=False, load_v1=False)
            except id3.ID3NoHeaderError:
                self._tags = self._from_v1(path)
        else:
            self._file = kind(path, translate=False)
            if self._file.tags is None:
                self._file.add_tags()
            self._tags = self._file.tags
        old = self._tags.version < (2, 4, 0) and self._tags.version >= (2, 2, 0)
        self._version = 3 if old else 4
        if self._tags.version[:2] == (2, 2):        # has three-letter names; nobody writes it any more
            self._tags.update_to_v23()
        self._names = {canonical: name for name, canonical in blocks.ID3_TEXT.items()}
        if old:
            self._names |= {"DATE": "TYER", "ORIGINALDATE": "TORY"}

    @staticmethod
    def _from_v1(path: str) -> id3.ID3:
        try:
            tags = id3.ID3(path)                    # the old tag alone: becomes a new one
        except id3.ID3NoHeaderError:
            tags = id3.ID3()
        tags.version = (2, 4, 0)
        return tags

    def get(self, name: str) -> list[str]:
        frame = self._tags.get(self._names.get(name, ""))
        return [str(text) for text in frame.text] if frame is not None else []

    def set(self, name: str, values: list[str]) -> None:
        for key in [key for key, frame in self._tags.items()
                    if frame.FrameID == "TXXX" and CANONICAL.get(frame.desc.upper()) == name]:
            del self._tags[key]
        if name == "LYRICS":
            self._tags.delall("USLT")
            self._tags.delall("SYLT")
            for value in values:
                self._tags.add(id3.USLT(encoding=self._encoding(value), lang="und", desc="", text=value))
        elif name == "COMMENT":
            self._tags.delall("COMM:")
            for value in values:
                self._tags.add(id3.COMM(encoding=self._encoding(value), lang="eng", desc="", text=value))
        elif name == "MUSICBRAINZ_TRACKID":
            self._tags.delall(f"UFID:{_RECORDING}")
            for value in values[:1]:
                self._tags.add(id3.UFID(owner=_RECORDING, data=value.encode("ascii", "replace")))
            return
        frame_id = self._names.get(name)
        if frame_id is None:
            if values and name not in ("LYRICS", "COMMENT"):
                self._tags.add(id3.TXXX(encoding=self._encoding(*values), desc=DESCRIBED.get(name, name), text=values))
            return
        for other in ("TDRC", "TYER", "TDAT") if name == "DATE" else (frame_id,):
            self._tags.delall(other)
        if values:
            if frame_id in ("TYER", "TORY"):
                values = [value[:4] for value in values]
            self._tags.add(id3.Frames[frame_id](encoding=self._encoding(*values), text=values))

    def _encoding(self, *values: str) -> int:
        if all(value.isascii() for value in values):
            return int(id3.Encoding.LATIN1)
        return int(id3.Encoding.UTF8 if self._version == 4 else id3.Encoding.UTF16)

    def picture(self, data: bytes | None, mime_type: str) -> None:
        self.put_fronts([(f"3|{mime_type}|", data)] if data else [])

    def _front_keys(self) -> list[str]:
        return [key for key, frame in self._tags.items() if frame.FrameID == "APIC" and frame.type in (0, 3)]

    def fronts(self) -> list[Front]:
        frames = [self._tags[key] for key in self._front_keys()]
        return [(f"{int(one.type)}|{one.mime}|{one.desc}", bytes(one.data)) for one in frames]

    def put_fronts(self, fronts: list[Front]) -> None:
        for key in self._front_keys():
            del self._tags[key]
        for label, data in fronts:
            kind, mime_type, described = label.split("|", 2)
            self._tags.add(id3.APIC(encoding=self._encoding(described), mime=mime_type, type=int(kind), desc=described,
                                    data=data))

    def save(self) -> None:
        # In version 2.3 values are kept apart by NUL as in 2.4: a slash would turn "AC/DC" into two.
        if self._file is None:
            self._tags.save(self._path, v2_version=self._version, v23_sep=None)
        else:
            self._file.save(v2_version=self._version, v23_sep=None)


_IN_COMMENTS = ("metadata_block_picture", "coverart", "coverartmime")


class CommentPen:
    """FLAC and Ogg: Vorbis comments. In Ogg all pictures stand in them, the front ones and others alike."""

    def __init__(self, path: str) -> None:
        file = mutagen.File(path)
        if file is None:
            raise mutagen.MutagenError("no FLAC or Ogg file")
        self._file = file
        if file.tags is None:
            file.add_tags()

    def _keys(self, name: str) -> list[str]:
        return [key for key in {key.upper() for key, _ in self._file.tags} if CANONICAL.get(key) == name]

    def get(self, name: str) -> list[str]:
        return [value for key in self._keys(name) for value in self._file.tags[key]]

    def set(self, name: str, values: list[str]) -> None:
        keys = self._keys(name)
        for key in keys:
            del self._file.tags[key]
        if values:
            self._file.tags[name if name in keys or not keys else keys[0]] = values

    def picture(self, data: bytes | None, mime_type: str) -> None:
        block = Picture()
        block.type, block.mime, block.data = 3, mime_type, data or b""
        whole = block.write()
        if not isinstance(self._file, FLAC):
            whole = base64.b64encode(whole)
        self.put_fronts([("METADATA_BLOCK_PICTURE", whole)] if data else [])

    def fronts(self) -> list[Front]:
        if isinstance(self._file, FLAC):
            return [("METADATA_BLOCK_PICTURE", one.write()) for one in self._file.pictures if one.type in (0, 3)]
        return [(key.upper(), value.encode("utf-8", "surrogateescape"))
                for key in _IN_COMMENTS if key in self._file.tags for value in self._file.tags[key]]

    def put_fronts(self, fronts: list[Front]) -> None:
        if isinstance(self._file, FLAC):
            kept = [picture for picture in self._file.pictures if picture.type not in (0, 3)]
            self._file.clear_pictures()
            for picture in [*(Picture(whole) for _, whole in fronts), *kept]:
                self._file.add_picture(picture)
            return
        for key in _IN_COMMENTS:
            if key in self._file.tags:
                del self._file.tags[key]
        for label in dict.fromkeys(label for label, _ in fronts):
            self._file.tags[label] = [value.decode("utf-8", "surrogateescape")
                                      for name, value in fronts if name == label]

    def save(self) -> None:
        self._file.save()


class Mp4Pen:
    """MP4: iTunes atoms, and freeform ones named as Vorbis comments."""

    def __init__(self, path: str) -> None:
        self._file = MP4(path)
        if self._file.tags is None:
            self._file.add_tags()
        self._names = {canonical: name for name, canonical in mp4.TEXT.items()}

    def get(self, name: str) -> list[str]:
        if name in ("TRACKNUMBER", "DISCNUMBER"):
            pairs = self._file.tags.get("trkn" if name == "TRACKNUMBER" else "disk") or []
            return [f"{number}/{total}" if total else str(number) for number, total in pairs[:1]]
        return [str(value) for value in self._file.tags.get(self._names.get(name, ""), [])]

    def set(self, name: str, values: list[str]) -> None:
        tags = self._file.tags
        for key in [key for key in tags if key.startswith("----:")
                    and CANONICAL.get(key.rpartition(":")[2].upper()) == name]:
            del tags[key]
        key = {"TRACKNUMBER": "trkn", "DISCNUMBER": "disk", "BPM": "tmpo", "COMPILATION": "cpil"}.get(
            name) or self._names.get(name)
        if key is None:
            if values:
                tags[f"----:com.apple.iTunes:{DESCRIBED.get(name, name)}"] = [
                    MP4FreeForm(value.encode("utf-8")) for value in values]
            return
        tags.pop(key, None)
        if name == "GENRE":
            tags.pop("gnre", None)
        if not values:
            return
        if key in ("trkn", "disk"):
            number, _, total = values[0].partition("/")
            tags[key] = [(min(int(number), 65535), min(int(total or 0), 65535))]
        elif key == "tmpo":
            tags[key] = [min(round(float(values[0])), 65535)]
        elif key == "cpil":
            tags[key] = values[0] == "1"
        else:
            tags[key] = values

    def picture(self, data: bytes | None, mime_type: str) -> None:
        kind = MP4Cover.FORMAT_PNG if mime_type == "image/png" else MP4Cover.FORMAT_JPEG
        self.put_fronts([(str(int(kind)), data)] if data else [])

    def fronts(self) -> list[Front]:
        return [(str(int(one.imageformat)), bytes(one)) for one in self._file.tags.get("covr", [])]

    def put_fronts(self, fronts: list[Front]) -> None:
        self._file.tags.pop("covr", None)
        if fronts:
            self._file.tags["covr"] = [MP4Cover(data, int(kind)) for kind, data in fronts]

    def save(self) -> None:
        self._file.save()


class ApePen:
    """WavPack, Monkey's Audio: an APEv2 tag at the end."""

    _NAMES = {"TITLE": "Title", "ARTIST": "Artist", "ALBUM": "Album", "ALBUMARTIST": "Album Artist",
              "TRACKNUMBER": "Track", "DISCNUMBER": "Disc", "DATE": "Year", "GENRE": "Genre", "LYRICS": "Lyrics"}

    def __init__(self, path: str) -> None:
        self._path = path
        try:
            self._tags = APEv2(path)
        except APENoHeaderError:
            self._tags = APEv2()

    def _keys(self, name: str) -> list[str]:
        same = ("DATE", "YEAR") if name == "DATE" else (name,)
        return [key for key in self._tags if CANONICAL.get(key.upper()) in same]

    def get(self, name: str) -> list[str]:
        return [value for key in self._keys(name) for value in list(self._tags[key])]

    def set(self, name: str, values: list[str]) -> None:
        for key in self._keys(name):
            del self._tags[key]
        if values:
            self._tags[self._NAMES.get(name, name)] = values

    def picture(self, data: bytes | None, mime_type: str) -> None:
        suffix = mime_type.rpartition("/")[2].replace("jpeg", "jpg").encode()
        self.put_fronts([("Cover Art (Front)", b"cover." + suffix + b"\0" + data)] if data else [])

    def _front_keys(self) -> list[str]:
        return [key for key in self._tags if key.lower() == "cover art (front)"]

    def fronts(self) -> list[Front]:
        return [(key, bytes(self._tags[key].value)) for key in self._front_keys()]

    def put_fronts(self, fronts: list[Front]) -> None:
        for key in self._front_keys():
            del self._tags[key]
        for label, whole in fronts:
            self._tags[label] = APEValue(whole, BINARY)

    def save(self) -> None:
        self._tags.save(self._path)


class AsfPen:
    """WMA: ASF attributes."""

    _NAMES = {"TITLE": "Title", "ARTIST": "Author", "ALBUM": "WM/AlbumTitle", "ALBUMARTIST": "WM/AlbumArtist",
              "TRACKNUMBER": "WM/TrackNumber", "DISCNUMBER": "WM/PartOfSet", "DATE": "WM/Year", "GENRE": "WM/Genre",
              "LYRICS": "WM/Lyrics", "COMMENT": "Description", "ISRC": "WM/ISRC", "BPM": "WM/BeatsPerMinute",
              "COMPOSER": "WM/Composer", "CONDUCTOR": "WM/Conductor", "LYRICIST": "WM/Writer",
              "COMPILATION": "WM/IsCompilation", "DISCSUBTITLE": "WM/SetSubTitle",
              "ORIGINALDATE": "WM/OriginalReleaseTime", "TITLESORT": "WM/TitleSortOrder",
              "ALBUMSORT": "WM/AlbumSortOrder", "ARTISTSORT": "WM/ArtistSortOrder",
              "ALBUMARTISTSORT": "WM/AlbumArtistSortOrder"}

    def __init__(self, path: str) -> None:
        self._file = ASF(path)

    def get(self, name: str) -> list[str]:
        return [str(value) for key, value in self._file.tags if CANONICAL.get(key.upper()) == name]

    def set(self, name: str, values: list[str]) -> None:
        for key in {key for key, _ in self._file.tags if CANONICAL.get(key.upper()) == name}:
            del self._file.tags[key]
        if values:
            self._file.tags[self._NAMES.get(name, name)] = values

    def picture(self, data: bytes | None, mime_type: str) -> None:
        head = b"\x03" + len(data or b"").to_bytes(4, "little")
        self.put_fronts([("", head + mime_type.encode("utf-16-le") + b"\0\0\0\0" + data)] if data else [])

    def fronts(self) -> list[Front]:
        return [("", bytes(one.value)) for one in self._file.tags.get("WM/Picture", [])
                if one.value[:1] in (b"\x00", b"\x03")]

    def put_fronts(self, fronts: list[Front]) -> None:
        kept = [one for one in self._file.tags.get("WM/Picture", []) if one.value[:1] not in (b"\x00", b"\x03")]
        if "WM/Picture" in self._file.tags:
            del self._file.tags["WM/Picture"]
        if every := [*(ASFByteArrayAttribute(whole) for _, whole in fronts), *kept]:
            self._file.tags["WM/Picture"] = every

    def save(self) -> None:
        self._file.save()
