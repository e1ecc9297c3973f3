"""Make real music files for tests: every format, encoded by FFmpeg (PyAV), tagged by mutagen in the format's own way.

    make_audio(folder, "song.flac", tags={"title": "Rain", "artist": ["A", "B"]}, picture=make_picture())
    make_album(folder, artist="A", album="Rain", count=3, suffix=".mp3")
    make_bad(folder, "truncated")

Encoded audio is kept per (format, length, tone …) in this process and in a temporary folder, so that a second
file of the same kind costs a copy and its tags (about 1 ms).
"""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import io
import os
import struct
import tempfile
import zlib
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

# suffix → (FFmpeg container, FFmpeg encoder)
_ENCODINGS = {
    ".mp3": ("mp3", "libmp3lame"), ".flac": ("flac", "flac"), ".ogg": ("ogg", "vorbis"), ".oga": ("ogg", "vorbis"),
    ".opus": ("ogg", "libopus"), ".m4a": ("ipod", "aac"), ".m4b": ("ipod", "aac"), ".mp4": ("mp4", "aac"),
    ".aac": ("adts", "aac"), ".wav": ("wav", "pcm_s16le"), ".wave": ("wav", "pcm_s16le"),
    ".aiff": ("aiff", "pcm_s16be"), ".aif": ("aiff", "pcm_s16be"), ".aifc": ("aiff", "pcm_s16be"),
    ".wv": ("wv", "wavpack"), ".wma": ("asf", "wmav2"),
    ".asf": ("asf", "wmav2"), ".ape": ("ape", "ape"),
}
_SAMPLE_FORMAT = {"pcm_s24le": "s32", "wavpack": "s16p", "alac": "s16p", "libopus": "s16", "flac": "s16",
                  "libmp3lame": "s16p", "pcm_s16le": "s16", "pcm_s16be": "s16"}
_LOSSLESS = {"flac", "alac", "wavpack", "ape"}

#: One file name of every kind a library holds, with the format the station calls it.
FORMATS: dict[str, dict[str, Any]] = {
    "mp3": {"suffix": ".mp3"}, "flac": {"suffix": ".flac"}, "vorbis": {"suffix": ".ogg"}, "opus": {"suffix": ".opus"},
    "aac": {"suffix": ".m4a"}, "alac": {"suffix": ".m4a", "codec": "alac"}, "wav": {"suffix": ".wav"},
    "aiff": {"suffix": ".aiff"}, "wavpack": {"suffix": ".wv"}, "ape": {"suffix": ".ape"}, "wma": {"suffix": ".wma"},
}


def make_audio(folder: Path | str, name: str, *, seconds: float = 2.0, tags: Mapping[str, Any] | None = None,
               picture: bytes | None = None, tone_hz: float = 440.0, sample_rate: int = 44100, channels: int = 2,
               codec: str | None = None, bitrate: int | None = None) -> Path:
    """A real music file `folder`/`name`; the suffix chooses the format, `codec` another encoder (alac, flac in .ogg).

    `tags`: title artist album album_artist artists album_artists track_number track_total disc_number disc_total
    disc_title date original_date genre compilation isrc bpm comment composer conductor lyricist remixer title_sort
    album_sort artist_sort album_artist_sort recording_mbid release_mbid release_group_mbid artist_mbid
    album_artist_mbid performers [(instrument, name)] replaygain {track_gain_db …} r128 {track, album: dB at -23}
    lyrics synced_lyrics [(ms, line)]; a list is written as several values. `id3_version` (4 or 3) for .mp3 .wav
    .aiff; `raw` {native key: native value} is written as it is. None leaves the file without any tag.
    `bitrate` in bit/s. .ape holds silence: nobody but Monkey's own program encodes it.
    """
    path = Path(folder) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    suffix = path.suffix.lower()
    path.write_bytes(_encoded(suffix, codec or _ENCODINGS[suffix][1], float(seconds), float(tone_hz), sample_rate,
                              channels, bitrate))
    if tags is not None or picture is not None:
        _tag(path, dict(tags or {}), picture)
    return path


def make_album(folder: Path | str, *, artist: str = "The Builders", album: str = "Foundations", count: int = 3,
               suffix: str = ".flac", seconds: float = 1.0, picture: bytes | None = None,
               titles: list[str] | None = None, year: int | str | None = 2001,
               genre: str | list[str] | None = "Electronic",
               discs: int = 1, **tags: Any) -> list[Path]:
    """`count` tracks a disc as `folder`/`artist`/`album`/NN title; further `tags` go to every file."""
    made = []
    place = Path(folder) / _safe(artist) / _safe(album)
    for disc in range(1, discs + 1):
        for number in range(1, count + 1):
            title = titles[number - 1] if titles else f"{album} {number}"
            one = {"title": title, "artist": artist, "album": album, "album_artist": artist, "track_number": number,
                   "track_total": count, "date": str(year) if year else None, "genre": genre}
            if discs > 1:
                one |= {"disc_number": disc, "disc_total": discs}
            prefix = f"{disc}-" if discs > 1 else ""
            made.append(make_audio(place, f"{prefix}{number:02d} {_safe(title)}{suffix}", seconds=seconds,
                                   tags=one | tags, picture=picture, tone_hz=220.0))
    return made


@functools.cache
def make_picture(size: int = 600, color: tuple[int, int, int] = (180, 90, 40), kind: str = "JPEG") -> bytes:
    """A square cover of `size` pixels: `color` with a lighter disc; `kind` is a Pillow format (JPEG PNG WEBP GIF)."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (size, size), color)
    lighter = tuple(min(255, c + 60) for c in color)
    ImageDraw.Draw(image).ellipse((size // 4, size // 4, size * 3 // 4, size * 3 // 4), fill=lighter)
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()


# ---- files that are wrong ---------------------------------------------------------------------------------------

#: kind → the reason a reader must give; None where the file is to be read, with cleaned values.
BAD_KINDS: dict[str, str | None] = {
    "empty": "empty", "truncated": "truncated", "truncated_mp3": "truncated", "truncated_m4a": "truncated",
    "text": "not_audio", "html": "not_audio", "zeros": "not_audio", "noise": "not_audio", "picture": "not_audio",
    "huge_id3": "too_large", "huge_flac": "truncated", "huge_vorbis": "too_large", "huge_ape": "too_large",
    "huge_mp4": "too_large", "huge_wav": "too_large", "huge_asf": "too_large",
    "absurd_numbers": None, "absurd_flac": None, "negative": None, "nul_title": None, "long_title": None,
    "invalid_utf8": None, "invalid_utf8_flac": None, "surrogates": None, "wrong_suffix": None,
}


def make_bad(folder: Path | str, kind: str, name: str | None = None) -> Path:
    """A hostile or broken file of `kind` (a key of BAD_KINDS), as `folder`/`name`."""
    maker = globals().get(f"_bad_{kind}")
    if maker is None or kind not in BAD_KINDS:
        raise KeyError(f"no such kind of bad file: {kind}")
    suffix, content = maker()
    path = Path(folder) / (name or f"{kind}{suffix}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def _built(suffix: str, tags: dict[str, Any] | None = None, **options: Any) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return make_audio(folder, f"a{suffix}", seconds=1.0, tags=tags, **options).read_bytes()


def _bad_empty() -> tuple[str, bytes]:
    return ".mp3", b""


def _bad_truncated() -> tuple[str, bytes]:
    return ".flac", _built(".flac", {"title": "Cut"}, picture=make_picture())[:300]


def _bad_truncated_mp3() -> tuple[str, bytes]:
    return ".mp3", _built(".mp3", {"title": "Cut"}, picture=make_picture())[:300]


def _bad_truncated_m4a() -> tuple[str, bytes]:
    return ".m4a", _built(".m4a")[:900]


def _bad_text() -> tuple[str, bytes]:
    return ".mp3", b"This is a shopping list, not a song. Bread, butter, jam.\n" * 200


def _bad_html() -> tuple[str, bytes]:
    return ".flac", b"<!doctype html><html><body><h1>404 Not Found</h1></body></html>\n" * 50


def _bad_zeros() -> tuple[str, bytes]:
    return ".mp3", bytes(200_000)


def _bad_noise() -> tuple[str, bytes]:
    noise = b"".join(hashlib.sha256(i.to_bytes(4, "big")).digest() for i in range(2000))
    return ".ogg", noise


def _bad_picture() -> tuple[str, bytes]:
    return ".m4a", make_picture()


def _bad_huge_id3() -> tuple[str, bytes]:
    return ".mp3", b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f" + b"APIC\x7f\x7f\x7f\x7f\x00\x00" + bytes(4000)


def _bad_huge_flac() -> tuple[str, bytes]:
    whole = _built(".flac")
    return ".flac", whole[:42] + b"\x04\xff\xff\xff" + whole[46:4000]


def _bad_huge_vorbis() -> tuple[str, bytes]:
    """A comment block inside which one comment says that it is 4 GB long."""
    whole = _built(".flac")
    comment = struct.pack("<I", 4) + b"test" + struct.pack("<II", 1, 0xFFFFFFF0) + b"TITLE=x"
    head = whole[:4] + bytes([whole[4] & 0x7F]) + whole[5:42]
    return ".flac", head + b"\x84" + len(comment).to_bytes(3, "big") + comment + whole[-4000:]


def _bad_huge_ape() -> tuple[str, bytes]:
    """Good music, behind it the footer of an APEv2 tag of 4 GB."""
    return ".mp3", _built(".mp3") + b"APETAGEX" + struct.pack("<IIII", 2000, 0xFFFFFFF0, 0x7FFFFFFF, 0) + bytes(8)


def _bad_huge_mp4() -> tuple[str, bytes]:
    whole = _built(".m4a")
    at = whole.index(b"moov") - 4
    return ".m4a", whole[:at] + struct.pack(">I", 0xFFFFFFF0) + whole[at + 4:]


def _bad_huge_wav() -> tuple[str, bytes]:
    whole = bytearray(_built(".wav"))
    tag = b"id3 " + struct.pack("<I", 0xFFFFFFF0) + b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f" + bytes(500)
    return ".wav", bytes(whole[:36]) + tag


def _bad_huge_asf() -> tuple[str, bytes]:
    whole = _built(".wma")
    return ".wma", whole[:16] + struct.pack("<Q", 0xFFFFFFFFFFF0) + whole[24:]


def _bad_absurd_numbers() -> tuple[str, bytes]:
    return ".mp3", _built(".mp3", {"title": "Absurd", "artist": "Absurd", "track_number": 10**9, "bpm": 10**9,
                                   "disc_number": 10**12, "date": "99999", "genre": "(999)",
                                   "replaygain": {"track_gain_db": 1e30}})


def _bad_absurd_flac() -> tuple[str, bytes]:
    return ".flac", _built(".flac", {"title": "Absurd", "track_number": "1" * 5000, "date": "99999-99-99", "bpm": "nan",
                                     "isrc": "x" * 500, "recording_mbid": "not an id", "genre": ["g"] * 5000,
                                     "artist": [f"artist {i}" for i in range(3000)]})


def _bad_negative() -> tuple[str, bytes]:
    return ".mp3", _built(".mp3", {"title": "Negative", "track_number": "-3", "disc_number": "-1/-2", "date": "-44",
                                   "bpm": "-120"})


def _bad_nul_title() -> tuple[str, bytes]:
    return ".flac", _built(".flac", {"title": "Nul\x00in\x01the\x1bmiddle\x85", "artist": "\x00\x00",
                                     "album": "A\u202eB\ufeff"})


def _bad_long_title() -> tuple[str, bytes]:
    return ".mp3", _built(".mp3", {"title": "long " * 200_000, "comment": "long " * 200_000})


def _bad_invalid(suffix: str) -> bytes:
    return _built(suffix, {"title": "Broken#tag", "artist": "Somebody"}).replace(b"Broken#", b"Brok\xff\xfe\xc3")


def _bad_invalid_utf8() -> tuple[str, bytes]:
    return ".mp3", _bad_invalid(".mp3")


def _bad_invalid_utf8_flac() -> tuple[str, bytes]:
    return ".flac", _bad_invalid(".flac")


def _bad_surrogates() -> tuple[str, bytes]:
    """UTF-16 text with a high surrogate that has no partner, as a real tagger once wrote."""
    good = _built(".mp3", {"title": "Lone!", "artist": "Somebody", "id3_version": 3})
    return ".mp3", good.replace("Lone!".encode("utf-16-le"), "Lone".encode("utf-16-le") + b"\x3d\xd8")


def _bad_wrong_suffix() -> tuple[str, bytes]:
    return ".mp3", _built(".flac", {"title": "In truth a FLAC"})


# ---- encoding ---------------------------------------------------------------------------------------------------


@functools.cache
def _encoded(suffix: str, codec: str, seconds: float, tone_hz: float, sample_rate: int, channels: int,
             bitrate: int | None) -> bytes:
    """The bytes of an untagged file; from the temporary folder when some test process has made them before."""
    name = f"{codec}-{seconds:g}s-{tone_hz:g}hz-{sample_rate}-{channels}-{bitrate or 0}{suffix}"
    owner = os.getuid() if hasattr(os, "getuid") else 0
    shelf = Path(tempfile.gettempdir()) / f"soundsible-test-audio-{owner}-2"
    kept = shelf / name
    with contextlib.suppress(OSError):
        return kept.read_bytes()
    content = (_monkey(seconds, sample_rate, channels) if codec == "ape"
               else _encode(_ENCODINGS[suffix][0], codec, seconds, tone_hz, sample_rate, channels, bitrate))
    shelf.mkdir(mode=0o700, exist_ok=True)
    partial = shelf / f"{name}.{os.getpid()}"
    partial.write_bytes(content)
    os.replace(partial, kept)
    return content


def _encode(container: str, codec: str, seconds: float, tone_hz: float, sample_rate: int, channels: int,
            bitrate: int | None) -> bytes:
    import av
    import numpy as np

    if codec == "libopus":
        sample_rate = 48000
    if codec == "vorbis":
        channels = 2                                # all that FFmpeg's own encoder does
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    wave = 0.4 * np.sin(2 * np.pi * tone_hz * time) + 0.05 * np.sin(2 * np.pi * tone_hz * 3.01 * time)
    samples = np.round(wave * 32767).astype("<i2")
    packed = np.repeat(samples, channels).reshape(1, -1)

    out = io.BytesIO()
    with av.open(out, "w", format=container) as sink:
        stream = sink.add_stream(codec, rate=sample_rate, options={"strict": "-2"})
        stream.layout = {1: "mono", 2: "stereo", 6: "5.1"}[channels]
        stream.format = _SAMPLE_FORMAT.get(codec, "fltp")
        if codec not in _LOSSLESS and not codec.startswith("pcm"):
            stream.bit_rate = bitrate or 128_000
        source = av.AudioFrame.from_ndarray(packed, format="s16", layout=stream.layout.name)
        source.sample_rate = sample_rate
        source.time_base = Fraction(1, sample_rate)
        source.pts = 0
        resampler = av.AudioResampler(stream.format.name, stream.layout.name, sample_rate,
                                      frame_size=None if codec.startswith("pcm") else stream.frame_size or None)
        for frame in [*resampler.resample(source), *resampler.resample(None)]:
            sink.mux(stream.encode(frame))
        sink.mux(stream.encode(None))
    return out.getvalue()


def _monkey(seconds: float, sample_rate: int, channels: int) -> bytes:
    """A Monkey's Audio 3.99 file of silence: each frame is its checksum and the flag "all channels are silent"."""
    per_frame = 73728 * 4
    blocks = max(1, round(seconds * sample_rate))
    frames = -(-blocks // per_frame)
    last = blocks - (frames - 1) * per_frame
    body, offsets = bytearray(), []
    for number in range(frames):
        count = last if number == frames - 1 else per_frame
        checksum = zlib.crc32(bytes(count * channels * 2)) >> 1 | 0x80000000
        offsets.append(len(body))
        words = struct.pack(">IIII", checksum, 1 if channels == 1 else 3, 0, 0)
        body += b"".join(words[i:i + 4][::-1] for i in range(0, 16, 4))     # the bit stream is little-endian words
    start = 52 + 24 + 4 * frames
    header = struct.pack("<HHIIIHHI", 2000, 32, per_frame, last, frames, 16, channels, sample_rate)
    seek = struct.pack(f"<{frames}I", *(start + offset for offset in offsets))
    digest = hashlib.md5(bytes(body) + header + seek, usedforsecurity=False).digest()
    descriptor = struct.pack("<4sHHIIIIIII16s", b"MAC ", 3990, 0, 52, 24, len(seek), 0, len(body), 0, 0, digest)
    return descriptor + header + seek + bytes(body)


def _safe(name: str) -> str:
    return "".join("_" if c in '/\\:*?"<>|\0' else c for c in name)[:80] or "_"


# ---- tagging ----------------------------------------------------------------------------------------------------

_MBIDS = {
    "recording_mbid": ("MUSICBRAINZ_TRACKID", "MusicBrainz Track Id"),
    "release_mbid": ("MUSICBRAINZ_ALBUMID", "MusicBrainz Album Id"),
    "release_group_mbid": ("MUSICBRAINZ_RELEASEGROUPID", "MusicBrainz Release Group Id"),
    "artist_mbid": ("MUSICBRAINZ_ARTISTID", "MusicBrainz Artist Id"),
    "album_artist_mbid": ("MUSICBRAINZ_ALBUMARTISTID", "MusicBrainz Album Artist Id"),
}
_REPLAYGAIN = {
    "track_gain_db": ("REPLAYGAIN_TRACK_GAIN", "{:.2f} dB"), "track_peak": ("REPLAYGAIN_TRACK_PEAK", "{:.6f}"),
    "album_gain_db": ("REPLAYGAIN_ALBUM_GAIN", "{:.2f} dB"), "album_peak": ("REPLAYGAIN_ALBUM_PEAK", "{:.6f}"),
}


def _texts(value: Any) -> list[str]:
    return [str(v) for v in value] if isinstance(value, list | tuple) else [str(value)]


def _tag(path: Path, tags: dict[str, Any], picture: bytes | None) -> None:
    tags = {name: value for name, value in tags.items() if value is not None}
    suffix = path.suffix.lower()
    if suffix in (".mp3", ".wav", ".wave", ".aiff", ".aif", ".aifc", ".aac"):
        _tag_id3(path, tags, picture)
    elif suffix in (".flac", ".ogg", ".oga", ".opus"):
        _tag_vorbis(path, tags, picture)
    elif suffix in (".m4a", ".m4b", ".mp4"):
        _tag_mp4(path, tags, picture)
    elif suffix in (".wv", ".ape"):
        _tag_ape(path, tags, picture)
    else:
        _tag_asf(path, tags, picture)


def _numbered(tags: dict[str, Any], what: str) -> str | None:
    number = tags.get(f"{what}_number")
    if number is None:
        return None
    total = tags.get(f"{what}_total")
    return f"{number}/{total}" if total is not None else str(number)


def _lrc(lines: list[tuple[int, str]]) -> str:
    return "\n".join(f"[{ms // 60000:02d}:{ms % 60000 / 1000:05.2f}] {text}" for ms, text in lines)


def _mime(picture: bytes) -> str:
    return "image/png" if picture.startswith(b"\x89PNG") else "image/webp" if picture[8:12] == b"WEBP" else "image/jpeg"


def _gains(tags: dict[str, Any]) -> dict[str, str]:
    values = {_REPLAYGAIN[k][0]: _REPLAYGAIN[k][1].format(v) for k, v in tags.get("replaygain", {}).items()}
    return values | {f"R128_{k.upper()}_GAIN": str(round(v * 256)) for k, v in tags.get("r128", {}).items()}


def _tag_id3(path: Path, tags: dict[str, Any], picture: bytes | None) -> None:
    import mutagen
    from mutagen import id3
    from mutagen.aiff import AIFF
    from mutagen.wave import WAVE

    version = int(tags.get("id3_version", 4))
    encoding = id3.Encoding.UTF8 if version == 4 else id3.Encoding.UTF16
    frames = id3.ID3()
    for name, frame in {"title": id3.TIT2, "artist": id3.TPE1, "album": id3.TALB, "album_artist": id3.TPE2,
                        "date": id3.TDRC, "original_date": id3.TDOR, "genre": id3.TCON, "isrc": id3.TSRC,
                        "bpm": id3.TBPM, "composer": id3.TCOM, "conductor": id3.TPE3, "lyricist": id3.TEXT,
                        "remixer": id3.TPE4, "title_sort": id3.TSOT, "album_sort": id3.TSOA, "artist_sort": id3.TSOP,
                        "album_artist_sort": id3.TSO2, "disc_title": id3.TSST}.items():
        if name in tags:
            frames.add(frame(encoding=encoding, text=_texts(tags[name])))
    for name, frame in {"track": id3.TRCK, "disc": id3.TPOS}.items():
        if text := _numbered(tags, name):
            frames.add(frame(encoding=encoding, text=[text]))
    if tags.get("compilation"):
        frames.add(id3.TCMP(encoding=encoding, text=["1"]))
    for name, (_, described) in _MBIDS.items():
        if name not in tags:
            continue
        if name == "recording_mbid":
            frames.add(id3.UFID(owner="http://musicbrainz.org", data=str(tags[name]).encode()))
        else:
            frames.add(id3.TXXX(encoding=encoding, desc=described, text=_texts(tags[name])))
    for name, described in {"artists": "ARTISTS", "album_artists": "ALBUMARTISTS"}.items():
        if name in tags:
            frames.add(id3.TXXX(encoding=encoding, desc=described, text=_texts(tags[name])))
    for key, value in _gains(tags).items():
        frames.add(id3.TXXX(encoding=encoding, desc=key, text=[value]))
    if "performers" in tags:
        frames.add(id3.TMCL(encoding=encoding, people=[list(pair) for pair in tags["performers"]]))
    if "comment" in tags:
        frames.add(id3.COMM(encoding=encoding, lang="eng", desc="", text=_texts(tags["comment"])))
    if "lyrics" in tags:
        frames.add(id3.USLT(encoding=encoding, lang="eng", desc="", text=tags["lyrics"]))
    if "synced_lyrics" in tags:
        frames.add(id3.SYLT(encoding=encoding, lang="eng", format=2, type=1, desc="",
                            text=[(text, ms) for ms, text in tags["synced_lyrics"]]))
    if picture is not None:
        frames.add(id3.APIC(encoding=encoding, mime=_mime(picture), type=3, desc="", data=picture))
    for frame in tags.get("raw", {}).values():
        frames.add(frame)
    if version == 3:
        frames.update_to_v23()
    if path.suffix.lower() in (".mp3", ".aac"):
        frames.save(path, v2_version=version, v23_sep=tags.get("v23_separator", "/"))
        return
    file: mutagen.FileType = WAVE(path) if path.suffix.lower().startswith(".wav") else AIFF(path)
    if file.tags is None:
        file.add_tags()
    for frame in frames.values():
        file.tags.add(frame)
    file.save(v2_version=version)


def _comments(tags: dict[str, Any]) -> dict[str, list[str]]:
    """Names and values as Vorbis comments and APEv2 both have them."""
    names = {"title": "TITLE", "artist": "ARTIST", "artists": "ARTISTS", "album": "ALBUM",
             "album_artist": "ALBUMARTIST", "album_artists": "ALBUMARTISTS", "date": "DATE",
             "original_date": "ORIGINALDATE", "genre": "GENRE",
             "isrc": "ISRC", "bpm": "BPM", "composer": "COMPOSER", "conductor": "CONDUCTOR", "lyricist": "LYRICIST",
             "remixer": "REMIXER", "comment": "COMMENT", "title_sort": "TITLESORT", "album_sort": "ALBUMSORT",
             "artist_sort": "ARTISTSORT", "album_artist_sort": "ALBUMARTISTSORT", "disc_title": "DISCSUBTITLE",
             "lyrics": "LYRICS"}
    written = {names[name]: _texts(value) for name, value in tags.items() if name in names}
    for name, (key, _) in _MBIDS.items():
        if name in tags:
            written[key] = _texts(tags[name])
    if tags.get("compilation"):
        written["COMPILATION"] = ["1"]
    if "synced_lyrics" in tags:
        written["LYRICS"] = [_lrc(tags["synced_lyrics"])]
    if "performers" in tags:
        written["PERFORMER"] = [f"{name} ({instrument})" for instrument, name in tags["performers"]]
    return written | {key: [value] for key, value in _gains(tags).items()}


def _tag_vorbis(path: Path, tags: dict[str, Any], picture: bytes | None) -> None:
    import mutagen
    from mutagen.flac import FLAC, Picture

    file = mutagen.File(path)
    if file.tags is None:
        file.add_tags()
    written = _comments(tags)
    for name, key in {"track": "TRACK", "disc": "DISC"}.items():
        if f"{name}_number" in tags:
            written[f"{key}NUMBER"] = _texts(tags[f"{name}_number"])
        if f"{name}_total" in tags:
            written[f"{key}TOTAL"] = _texts(tags[f"{name}_total"])
    for key, values in (written | tags.get("raw", {})).items():
        file.tags[key] = values
    if picture is not None:
        block = Picture()
        block.type, block.mime, block.data = 3, _mime(picture), picture
        if isinstance(file, FLAC):
            file.add_picture(block)
        else:
            file.tags["METADATA_BLOCK_PICTURE"] = [base64.b64encode(block.write()).decode("ascii")]
    file.save()


def _tag_mp4(path: Path, tags: dict[str, Any], picture: bytes | None) -> None:
    from mutagen.mp4 import MP4, MP4Cover, MP4FreeForm

    file = MP4(path)
    if file.tags is None:
        file.add_tags()
    names = {"title": "\xa9nam", "artist": "\xa9ART", "album": "\xa9alb", "album_artist": "aART", "date": "\xa9day",
             "genre": "\xa9gen", "composer": "\xa9wrt", "comment": "\xa9cmt", "lyrics": "\xa9lyr", "title_sort": "sonm",
             "album_sort": "soal", "artist_sort": "soar", "album_artist_sort": "soaa"}
    for name, key in names.items():
        if name in tags:
            file.tags[key] = _texts(tags[name])
    for name, key in {"track": "trkn", "disc": "disk"}.items():
        if f"{name}_number" in tags:
            file.tags[key] = [(int(tags[f"{name}_number"]), int(tags.get(f"{name}_total", 0)))]
    if "bpm" in tags:
        file.tags["tmpo"] = [round(float(tags["bpm"]))]
    if tags.get("compilation"):
        file.tags["cpil"] = True
    if "synced_lyrics" in tags:
        file.tags["\xa9lyr"] = [_lrc(tags["synced_lyrics"])]
    free = {described: _texts(tags[name]) for name, (_, described) in _MBIDS.items() if name in tags}
    free |= {key: _texts(tags[name]) for name, key in
             {"artists": "ARTISTS", "album_artists": "ALBUMARTISTS", "isrc": "ISRC", "original_date": "ORIGINALDATE",
              "conductor": "CONDUCTOR", "lyricist": "LYRICIST", "remixer": "REMIXER", "disc_title": "DISCSUBTITLE"}
             .items() if name in tags}
    free |= {key.lower(): [value] for key, value in _gains(tags).items()}
    if "performers" in tags:
        free["PERFORMER"] = [f"{name} ({instrument})" for instrument, name in tags["performers"]]
    for key, values in free.items():
        file.tags[f"----:com.apple.iTunes:{key}"] = [MP4FreeForm(v.encode()) for v in values]
    for key, value in tags.get("raw", {}).items():
        file.tags[key] = value
    if picture is not None:
        kind = MP4Cover.FORMAT_PNG if _mime(picture) == "image/png" else MP4Cover.FORMAT_JPEG
        file.tags["covr"] = [MP4Cover(picture, kind)]
    file.save()


def _tag_ape(path: Path, tags: dict[str, Any], picture: bytes | None) -> None:
    from mutagen.apev2 import BINARY, APEv2, APEValue

    names = {"ALBUMARTIST": "Album Artist", "DATE": "Year", "TITLE": "Title", "ARTIST": "Artist", "ALBUM": "Album",
             "GENRE": "Genre"}
    file = APEv2()
    for key, values in _comments(tags).items():
        file[names.get(key, key)] = values
    for name, key in {"track": "Track", "disc": "Disc"}.items():
        if text := _numbered(tags, name):
            file[key] = text
    if picture is not None:
        file["Cover Art (Front)"] = APEValue(b"cover.jpg\x00" + picture, BINARY)
    for key, value in tags.get("raw", {}).items():
        file[key] = value
    file.save(path)


def _tag_asf(path: Path, tags: dict[str, Any], picture: bytes | None) -> None:
    from mutagen.asf import ASF, ASFByteArrayAttribute

    names = {"title": "Title", "artist": "Author", "artists": "WM/ARTISTS", "album": "WM/AlbumTitle",
             "album_artist": "WM/AlbumArtist", "album_artists": "WM/ALBUMARTISTS", "date": "WM/Year",
             "original_date": "WM/OriginalReleaseTime", "genre": "WM/Genre", "isrc": "WM/ISRC",
             "bpm": "WM/BeatsPerMinute", "composer": "WM/Composer", "conductor": "WM/Conductor",
             "lyricist": "WM/Writer", "remixer": "WM/ModifiedBy",
             "comment": "Description", "lyrics": "WM/Lyrics", "title_sort": "WM/TitleSortOrder",
             "album_sort": "WM/AlbumSortOrder", "artist_sort": "WM/ArtistSortOrder",
             "album_artist_sort": "WM/AlbumArtistSortOrder", "disc_title": "WM/SetSubTitle",
             "recording_mbid": "MusicBrainz/Track Id", "release_mbid": "MusicBrainz/Album Id",
             "release_group_mbid": "MusicBrainz/Release Group Id", "artist_mbid": "MusicBrainz/Artist Id",
             "album_artist_mbid": "MusicBrainz/Album Artist Id"}
    file = ASF(path)
    for name, key in names.items():
        if name in tags:
            file.tags[key] = _texts(tags[name])
    for name, key in {"track": "WM/TrackNumber", "disc": "WM/PartOfSet"}.items():
        if text := _numbered(tags, name):
            file.tags[key] = [text]
    if tags.get("compilation"):
        file.tags["WM/IsCompilation"] = ["1"]
    if "synced_lyrics" in tags:
        file.tags["WM/Lyrics"] = [_lrc(tags["synced_lyrics"])]
    if "performers" in tags:
        file.tags["WM/Performer"] = [f"{name} ({instrument})" for instrument, name in tags["performers"]]
    for key, value in _gains(tags).items():
        file.tags[key.lower()] = [value]
    if picture is not None:
        mime = _mime(picture).encode("utf-16-le") + b"\0\0"
        value = struct.pack("<BI", 3, len(picture)) + mime + b"\0\0" + picture
        file.tags["WM/Picture"] = [ASFByteArrayAttribute(value)]
    for key, value in tags.get("raw", {}).items():
        file.tags[key] = value
    file.save()
