"""Tracks, albums, artists: what is read from files, and what is shown to people.

Two families. *Read* things (Metadata, AudioFacts, Reading …) come from a media file. *Shown* things (Track,
Album, Artist, Playlist, Page …) have exactly the fields of the public API; they are turned into JSON as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from shared.model.units import Bpm, Bytes, Decibels, Hertz, Kbps, Milliseconds

FORMATS = ("mp3", "flac", "vorbis", "opus", "aac", "alac", "wav", "aiff", "wavpack", "ape", "wma")
LOSSLESS = frozenset({"flac", "alac", "wav", "aiff", "wavpack", "ape"})
EXTENSIONS = frozenset({
    ".mp3", ".flac", ".ogg", ".oga", ".opus", ".m4a", ".m4b", ".mp4", ".aac", ".wav", ".wave", ".aif", ".aiff", ".aifc",
    ".wv", ".ape", ".wma", ".asf",
})
ROLES = ("artist", "albumartist", "composer", "conductor", "lyricist", "remixer", "producer", "performer", "arranger",
         "mixer", "engineer", "writer", "djmixer", "director")


# ---- read from a file -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Credit:
    """One name in one role on a track, in the order the tag has them."""

    name: str
    role: str = "artist"            # one of ROLES
    mbid: str | None = None         # MusicBrainz artist id
    sort_name: str | None = None


@dataclass(frozen=True, slots=True)
class ReplayGain:
    """ReplayGain 2.0 values; R128 tags (Q7.8 dB against -23 LUFS) are converted to the -18 LUFS reference."""

    track_gain_db: Decibels | None = None
    track_peak: float | None = None
    album_gain_db: Decibels | None = None
    album_peak: float | None = None


@dataclass(frozen=True, slots=True)
class Lyrics:
    """`text` is plain lines, or LRC (`[mm:ss.xx] line`) when `synced`."""

    text: str
    synced: bool
    language: str | None = None     # ISO 639-2, as the tag says
    source: str = "embedded"        # embedded | sidecar


@dataclass(frozen=True, slots=True)
class AudioFacts:
    format: str                     # one of FORMATS
    mime_type: str
    duration_ms: Milliseconds
    bitrate_kbps: Kbps | None = None
    sample_rate_hz: Hertz | None = None
    bit_depth: int | None = None    # None for lossy codecs
    channels: int | None = None


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the tags say, cleaned: trimmed, NFC, control characters out, sane ranges, never absurdly long."""

    title: str | None = None
    artist: str | None = None               # as shown: the tag's own joined form ("A feat. B")
    album: str | None = None
    album_artist: str | None = None         # as shown
    credits: tuple[Credit, ...] = ()        # artists, album artists and the other roles, each in order
    track_number: int | None = None
    track_total: int | None = None
    disc_number: int | None = None
    disc_total: int | None = None
    disc_title: str | None = None
    year: int | None = None                 # of this release
    date: str | None = None                 # YYYY, YYYY-MM or YYYY-MM-DD
    original_date: str | None = None
    genres: tuple[str, ...] = ()
    compilation: bool = False
    isrc: str | None = None                 # twelve characters, upper case, no hyphens
    recording_mbid: str | None = None
    release_mbid: str | None = None
    release_group_mbid: str | None = None
    bpm: Bpm | None = None
    replaygain: ReplayGain = field(default_factory=ReplayGain)
    title_sort: str | None = None
    album_sort: str | None = None
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """All a scan learns from opening one file once."""

    metadata: Metadata
    facts: AudioFacts
    lyrics: tuple[Lyrics, ...] = ()
    picture_bytes: Bytes = 0                # size of the embedded front cover, 0 when there is none
    audio_md5: str | None = None            # FLAC STREAMINFO, WavPack: the audio's own checksum


# ---- shown to people --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    version: str                            # changes when the picture does
    color: str | None = None                # #rrggbb, once it has been looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditRef:
    id: str
    name: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtistRef:
    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    id: str
    title: str
    artist: str
    artists: list[CreditRef]
    album: str | None
    album_id: str | None
    album_artist: str | None
    track_number: int | None
    disc_number: int | None
    year: int | None
    genres: list[str]
    duration_ms: Milliseconds
    size_bytes: Bytes
    format: str
    mime_type: str
    bitrate_kbps: Kbps | None
    sample_rate_hz: Hertz | None
    bit_depth: int | None
    channels: int | None
    isrc: str | None
    recording_mbid: str | None
    replaygain: ReplayGain
    bpm: Bpm | None
    has_lyrics: bool
    added_at: str                           # RFC 3339 UTC
    favourite: bool
    rating: int                             # 0-5, 0 is unrated
    play_count: int
    place: str                              # local | cache | cloud | missing
    cover: Cover | None
    fetched_by: str | None = None           # youtube, soulseek, direct …: it was downloaded; None: it was here already
    path: str | None = None                 # relative to its music folder; only for who may see files


@dataclass(frozen=True, slots=True, kw_only=True)
class Album:
    id: str
    title: str
    artist: str
    artists: list[ArtistRef]
    year: int | None
    date: str | None
    genres: list[str]
    track_count: int
    disc_count: int
    duration_ms: Milliseconds
    compilation: bool
    mbid: str | None
    added_at: str
    favourite: bool
    play_count: int
    cover: Cover | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Disc:
    number: int
    title: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlbumWhole(Album):
    tracks: list[Track]
    discs: list[Disc]


@dataclass(frozen=True, slots=True, kw_only=True)
class Artist:
    id: str
    name: str
    sort_name: str
    album_count: int
    track_count: int
    mbid: str | None
    favourite: bool
    cover: Cover | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtistWhole(Artist):
    albums: list[Album]


@dataclass(frozen=True, slots=True, kw_only=True)
class Genre:
    name: str
    track_count: int
    album_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Playlist:
    id: str
    name: str
    visibility: str                         # private | shared | collaborative
    owner: str                              # username
    track_count: int
    duration_ms: Milliseconds
    created_at: str
    updated_at: str
    comment: str = ""                       # what its owner says of it


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaylistWhole(Playlist):
    tracks: list[Track]


Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Item]):
    items: list[Item]
    next_cursor: str | None
    total: int
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    tracks: list[Track]
    albums: list[Album]
    artists: list[Artist]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSet:
    added: list[str]
    changed: list[str]
    removed: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    revision: int
    tracks: ChangeSet
    albums: ChangeSet
    artists: ChangeSet
    playlists: ChangeSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What a list is narrowed to; None is no filter. Ids are public ids."""

    album_id: str | None = None
    artist_id: str | None = None
    genre: str | None = None
    year: int | None = None
    favourite: bool | None = None
    compilation: bool | None = None
    place: str | None = None
    q: str | None = None
    role: str | None = None
