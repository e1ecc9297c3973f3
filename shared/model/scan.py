"""What a scan finds, what it decides, and what it reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.model.track import Reading
from shared.model.units import Bytes, Nanoseconds


@dataclass(slots=True, frozen=True)
class Found:
    """A media file met by the walk. `path` is relative to its root, as text (see model.filepath)."""

    path: str
    size_bytes: Bytes
    mtime_ns: Nanoseconds
    device: str
    inode: str


@dataclass(slots=True, frozen=True)
class Known:
    """What the library remembers of a file."""

    file_id: int
    track_id: int
    path: str
    size_bytes: Bytes
    mtime_ns: Nanoseconds
    device: str | None
    inode: str | None
    missing: bool
    trashed: bool


@dataclass(slots=True, frozen=True)
class Picture:
    """The best picture file lying in a folder (cover.jpg, folder.png, front.webp …)."""

    folder: str         # relative to the root, as text; "" is the root itself
    path: str
    size_bytes: Bytes
    mtime_ns: Nanoseconds


@dataclass(slots=True, frozen=True)
class NewFile:
    found: Found
    reading: Reading
    sha256: str | None = None


@dataclass(slots=True, frozen=True)
class ChangedFile:
    """A known file with new content or tags; also one that moved and was retagged (its found.path is the new one)."""

    file_id: int
    found: Found
    reading: Reading
    sha256: str | None = None


@dataclass(slots=True, frozen=True)
class MovedFile:
    """A known file under another name, its content as it was."""

    file_id: int
    found: Found


@dataclass(slots=True, frozen=True)
class BadFile:
    found: Found
    reason: str         # a word of UnreadableFile.REASONS
    message: str


@dataclass(slots=True)
class Batch:
    """What one transaction writes; all of one root."""

    root_id: int
    new: list[NewFile] = field(default_factory=list)
    changed: list[ChangedFile] = field(default_factory=list)
    moved: list[MovedFile] = field(default_factory=list)
    returned: list[int] = field(default_factory=list)       # file ids that were missing and are back unchanged
    missing: list[int] = field(default_factory=list)        # file ids not found in a root that answered
    bad: list[BadFile] = field(default_factory=list)
    cured: list[str] = field(default_factory=list)          # paths that were bad and are gone or readable
    pictures: list[Picture] = field(default_factory=list)   # of the folders this batch touches

    def __len__(self) -> int:
        return (len(self.new) + len(self.changed) + len(self.moved) + len(self.returned) + len(self.missing)
                + len(self.bad) + len(self.cured) + len(self.pictures))


@dataclass(frozen=True, slots=True, kw_only=True)
class BadEntry:
    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanReport:
    """The public scan. `state`: idle running done failed. `phase`: walk read settle hash."""

    id: str
    state: str
    phase: str | None = None
    found: int = 0
    read: int = 0
    added: int = 0
    changed: int = 0
    moved: int = 0
    missing: int = 0
    bad: list[BadEntry] = field(default_factory=list)
    offline: list[str] = field(default_factory=list)        # music folders that did not answer or look emptied
    duplicates: list[list[str]] = field(default_factory=list)   # deep: track ids with the same content
    damaged: list[str] = field(default_factory=list)        # deep: track ids whose FLAC MD5 does not fit
    started_at: str | None = None
    finished_at: str | None = None
    message: str | None = None


# What of a report tells of files and folders, and what of a library's size; with what stands there instead.
_OF_FILES: Mapping[str, Any] = {"bad": [], "offline": [], "duplicates": [], "damaged": [], "message": None}
_OF_ALL: Mapping[str, Any] = dict.fromkeys(("found", "read", "added", "changed", "moved", "missing"), 0)


def without_files(scan: Mapping[str, Any]) -> dict[str, Any]:
    """A scan's fields for who may not see files."""
    return {name: _OF_FILES.get(name, value) for name, value in scan.items()}


def without_counts(scan: Mapping[str, Any]) -> dict[str, Any]:
    """The same for a limited person: it went through more than they know of."""
    return {name: _OF_ALL.get(name, value) for name, value in without_files(scan).items()}
