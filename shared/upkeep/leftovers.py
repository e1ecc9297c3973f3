"""Words of the clean-up: what is left over, of which kind, and what was left alone and why."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.model.units import Bytes, Nanoseconds

#: what --only takes → what it means, for people
KINDS = {
    "rows": "tracks whose file is in none of the three places",
    "cache": "cached tracks that nothing refers to",
    "covers": "covers of pictures that are gone",
    "staging": "left-overs of downloads, uploads and conversions",
    "objects": "objects in buckets that no track refers to, and copies whose object is gone",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftRow:
    """A track whose bytes are nowhere."""

    track_id: str
    title: str
    artist: str
    root: str               # absolute, as text
    path: str               # relative to it
    missing: bool           # a scan has noticed


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftFile:
    """A file, or a folder with all in it, that nothing refers to."""

    kind: str               # cache | covers | staging
    place: str              # "data", "cache", or the absolute path of a music folder
    path: str               # relative to it, as text
    size_bytes: Bytes
    why: str
    mtime_ns: Nanoseconds
    sha256: str | None = None       # of a cached track


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftObject:
    """An object in a bucket that no row tells of."""

    provider: str
    key: str                # whole
    size_bytes: Bytes
    etag: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GoneCopy:
    """An object that rows tell of and that is no longer there."""

    provider: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftUpload:
    """An upload in parts that was begun and that nothing will finish. Ending it cannot be undone; nothing is lost."""

    provider: str
    key: str
    upload_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Spared:
    """What was left alone because nothing sure can be said of it."""

    what: str               # a music folder, a storage
    why: str                # a sentence


@dataclass(slots=True, kw_only=True)
class Leftover:
    """Everything that a clean-up would move to the trash; or that it moved."""

    rows: list[LeftRow] = field(default_factory=list)
    files: list[LeftFile] = field(default_factory=list)
    objects: list[LeftObject] = field(default_factory=list)
    copies: list[GoneCopy] = field(default_factory=list)
    uploads: list[LeftUpload] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)      # hashes in the cache's list whose files are not there
    spared: list[Spared] = field(default_factory=list)

    @property
    def bytes(self) -> Bytes:
        return sum(one.size_bytes for one in self.files) + sum(one.size_bytes for one in self.objects)

    def __len__(self) -> int:
        """How many things."""
        return (len(self.rows) + len(self.files) + len(self.objects) + len(self.copies) + len(self.uploads)
                + len(self.stale))
