"""Podcasts and internet radio: what a feed says, what is shown of it, and what is on the air."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from shared.model.units import Bytes, Kbps, Milliseconds

PODCAST_STATUSES = ("new", "completed", "error")     # of a feed: never read yet; read; could not be read
EPISODE_STATUSES = ("new", "downloading", "completed", "error", "deleted", "skipped")
# new: not fetched; deleted: fetched once, and removed by a person; skipped: removed to make room

SOURCE = "podcast"      # a model.download.Wanted of this source is an episode; its source_id is the episode's id


# ---- what a feed says ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedEpisode:
    """An entry with something to hear, cleaned."""

    guid: str
    title: str
    url: str
    description: str = ""
    mime_type: str = ""
    size_bytes: Bytes | None = None
    duration_ms: Milliseconds | None = None
    published_at: float | None = None       # Unix seconds
    season: int | None = None
    number: int | None = None
    image_url: str = ""
    explicit: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """All of a feed that is kept, cleaned: plain text, web links, bounded."""

    title: str
    author: str = ""
    description: str = ""
    link: str = ""
    language: str = ""
    image_url: str = ""
    episodes: tuple[FeedEpisode, ...] = ()
    cut: bool = False                       # it has more entries than are read


@dataclass(frozen=True, slots=True, kw_only=True)
class DueFeed:
    """A podcast as whoever looks at its feed needs it."""

    uid: str
    user_id: int | None
    url: str
    title: str
    keep: int
    etag: str
    modified: str
    status: str
    checked_at: float | None


# ---- as shown (exactly the fields of the public API) -----------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Podcast:
    id: str
    url: str
    title: str
    author: str
    description: str
    link: str
    image: bool
    keep: int
    status: str                             # one of PODCAST_STATUSES
    error: str | None
    episode_count: int
    new_count: int                          # of the last month, and this person has not begun them
    checked_at: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    id: str
    podcast_id: str
    podcast_title: str
    title: str
    description: str
    published_at: str
    duration_ms: Milliseconds | None
    size_bytes: Bytes | None
    status: str                             # one of EPISODE_STATUSES
    error: str | None
    position_ms: Milliseconds
    finished: bool
    season: int | None
    number: int | None
    explicit: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeWhole:
    """An episode with all that the station knows of it, and what one person did with it."""

    shown: Episode
    url: str
    mime_type: str
    image_url: str
    download: str | None                    # id of the download that fetches or fetched it
    path: str | None                        # beneath data/podcasts
    format: str | None
    bitrate_kbps: Kbps | None
    sample_rate_hz: int | None
    channels: int | None
    added_at: float
    downloaded_at: float | None
    favourite_at: float | None
    rating: int
    play_count: int
    last_played_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeSound:
    """The file of an episode that was fetched."""

    path: Path
    mime_type: str
    duration_ms: Milliseconds | None
    format: str
    bitrate_kbps: Kbps | None
    size_bytes: Bytes
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Radio:
    id: str
    name: str
    stream_url: str
    homepage_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OnAir:
    """What a radio says it plays. Empty until somebody has listened."""

    title: str = ""
    artist: str = ""
    at: str | None = None                   # when it began, RFC 3339
