"""One download as it travels through the pipeline: what was asked for, and what every stage has added to it.

A parcel is written down after each stage (`kept`), so that after a crash it goes on from there (`taken_up`).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import msgspec

from shared.model.download import Candidate, Fetched, Options, Request, Wanted
from shared.model.track import AudioFacts, Metadata, ReplayGain
from shared.model.units import Bytes, Milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedFile:
    """A file in the download's staging folder, known well enough to tell whether it is still the same."""

    path: str
    size_bytes: Bytes
    sha256: str

    @classmethod
    def at(cls, path: str | Path, *, sha256: str | None = None) -> StagedFile:
        """Costs reading the file when its hash is not known yet. Raises OSError."""
        if sha256 is None:
            with open(path, "rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return cls(path=str(path), size_bytes=os.path.getsize(path), sha256=sha256)

    def intact(self) -> bool:
        """Whether it is still there as it was. Costs reading it."""
        try:
            return os.path.getsize(self.path) == self.size_bytes and StagedFile.at(self.path).sha256 == self.sha256
        except OSError:
            return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """Empty but for `request` at first; each stage returns it with more in it."""

    uid: str
    request: Request
    user_id: int | None = None
    group: str | None = None
    done: tuple[str, ...] = ()              # the stages that are behind it
    tries_spent: int = 0
    stage_ms: Mapping[str, Milliseconds] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()          # sentences for people
    # understand
    wanted: Wanted | None = None
    # find
    owned: str | None = None                # the track of the library that it is already
    replace: str | None = None              # the track whose worse file it shall replace
    # fetch
    candidate: Candidate | None = None
    fetched: Fetched | None = None
    source_sha256: str | None = None        # of the file as it came
    fetched_bytes: Bytes = 0                # … and its size
    upsampled: bool = False                 # it says it is lossless, and was lossy before
    file: StagedFile | None = None          # as it stands now
    # inspect
    facts: AudioFacts | None = None
    in_file: Metadata | None = None
    has_picture: bool = False
    # identify
    metadata: Metadata | None = None
    confidence: float = 0.0
    review: str | None = None
    cover: str | None = None                # absolute path in the staging folder
    lyrics: str | None = None
    sources: Mapping[str, Any] = field(default_factory=dict)
    # process
    replaygain: ReplayGain | None = None
    processed: Mapping[str, Any] = field(default_factory=dict)
    # admit
    track_id: str | None = None
    duplicate_of: str | None = None
    replaced: bool = False

    @property
    def options(self) -> Options:
        return self.request.options

    def with_done(self, stage: str, taken_ms: Milliseconds) -> Parcel:
        return replace(self, done=(*self.done, stage),
                       stage_ms={**self.stage_ms, stage: self.stage_ms.get(stage, 0) + taken_ms})

    def with_warning(self, sentence: str) -> Parcel:
        return self if sentence in self.warnings else replace(self, warnings=(*self.warnings, sentence))

    def unfetched(self) -> Parcel:
        """As it was when its candidates had just been found."""
        before = Parcel(
            uid=self.uid, request=self.request, user_id=self.user_id, group=self.group, wanted=self.wanted,
            owned=self.owned, replace=self.replace, tries_spent=self.tries_spent, stage_ms=self.stage_ms)
        return replace(before, done=tuple(stage for stage in self.done if stage in ("understand", "find")))

    # ---- written down, and read again

    def kept(self) -> dict[str, Any]:
        """All that the row of the download does not say by itself, as JSON can hold it."""
        told = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in _IN_THE_ROW}
        return {name: msgspec.to_builtins(value) for name, value in told.items() if value not in (None, (), {}, 0, "")}

    @classmethod
    def taken_up(cls, job: Any) -> Parcel:
        """The parcel of a records.downloads.Job, as far as it had come. What cannot be read is worked out anew."""
        fresh = cls(uid=job.uid, request=job.request, user_id=job.user_id, group=job.group)
        try:
            told = {name: msgspec.convert(value, _TYPES[name]) for name, value in (job.parcel or {}).items()
                    if name in _TYPES}
            wanted = job.wanted if "understand" in told.get("done", ()) else None
            parcel = replace(fresh, **told, wanted=wanted)
        except (msgspec.ValidationError, TypeError):
            return fresh
        if parcel.file is None or "fetch" not in parcel.done:
            return parcel.unfetched()   # the runner chooses the candidate anew: best first, so most often the same
        if parcel.file.intact():
            return parcel
        # On its way onto the shelf it may have left staging already: admitting it again tells.
        return parcel if "dress" in parcel.done and not os.path.exists(parcel.file.path) else parcel.unfetched()


_IN_THE_ROW = ("uid", "request", "user_id", "group", "wanted")
_TYPES: dict[str, Any] = {
    "done": tuple[str, ...], "tries_spent": int, "stage_ms": dict[str, int], "warnings": tuple[str, ...],
    "owned": str, "replace": str, "candidate": Candidate, "fetched": Fetched, "source_sha256": str,
    "fetched_bytes": int, "upsampled": bool,
    "file": StagedFile, "facts": AudioFacts, "in_file": Metadata, "has_picture": bool, "metadata": Metadata,
    "confidence": float, "review": str, "cover": str, "lyrics": str, "sources": dict[str, Any],
    "replaygain": ReplayGain, "processed": dict[str, Any], "track_id": str, "duplicate_of": str, "replaced": bool,
}
# msgspec looks at a shape when it first reads one; two threads that do so at once would crash it (0.22).
for _shape in _TYPES.values():
    msgspec.json.Decoder(_shape)
