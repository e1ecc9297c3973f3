"""Where a track's bytes can be had at this moment."""

from __future__ import annotations

from dataclasses import dataclass

from shared.model.cloud import Copy
from shared.model.units import Bytes, Nanoseconds


@dataclass(frozen=True, slots=True)
class TrackFile:
    """What the library knows of a track's file, as it was at the last scan."""

    track_id: str
    root: str               # absolute path of its music folder
    path: str               # relative to `root`, as the file system wants it (see model.filepath)
    size_bytes: Bytes
    mtime_ns: Nanoseconds
    mime_type: str
    format: str
    duration_ms: int
    sha256: str | None = None
    missing: bool = False   # not seen at the last scan of its folder


@dataclass(frozen=True, slots=True)
class LocalFile:
    """The original, on this machine."""

    path: str
    size_bytes: Bytes
    mtime_ns: Nanoseconds
    mime_type: str
    sha256: str | None = None   # where it is known and the file is still as it was then


@dataclass(frozen=True, slots=True)
class CachedFile:
    """A verified copy in the cache."""

    path: str
    size_bytes: Bytes
    mtime_ns: Nanoseconds
    mime_type: str
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class CloudFile:
    """Copies in buckets that hold the same bytes, the one to ask first first."""

    copies: tuple[Copy, ...]    # never empty; all with the same sha256
    size_bytes: Bytes
    mime_type: str
    sha256: str


@dataclass(frozen=True, slots=True)
class SignedUrl:
    """A copy at a storage provider, readable by whoever has this URL until it expires."""

    url: str
    size_bytes: Bytes
    mime_type: str
    expires_at: float       # Unix time, s
    provider: str


Source = LocalFile | CachedFile | CloudFile
