"""Downloads: what is wanted, what is offered for it, what was fetched, and the one table of legal moves.

    waiting → pending → queued → downloading → processing → completed
    any of those but completed → paused | failed | cancelled
    failed → waiting (retry) | cancelled;  paused → waiting (resume) | cancelled

A next try by itself is failed → waiting, written at once; going on after a crash is paused → waiting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from shared.model.errors import Conflict, SoundsibleError
from shared.model.units import Bytes, Kbps, Milliseconds, Seconds

# ---- the state machine -------------------------------------------------------------------------------------------


class Status(StrEnum):
    WAITING = "waiting"             # written down; it runs when its turn, its time or its provider comes
    PENDING = "pending"             # a worker has taken it: which recording is meant, who has it?
    QUEUED = "queued"               # its candidates are known; it waits for a free place at its provider
    DOWNLOADING = "downloading"
    PROCESSING = "processing"       # inspected, identified, processed, dressed, admitted
    COMPLETED = "completed"
    PAUSED = "paused"
    FAILED = "failed"
    CANCELLED = "cancelled"


ON_THE_WAY = frozenset({Status.PENDING, Status.QUEUED, Status.DOWNLOADING, Status.PROCESSING})
ACTIVE = ON_THE_WAY | {Status.WAITING, Status.PAUSED}
OVER = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED})

_ASIDE = frozenset({Status.PAUSED, Status.FAILED, Status.CANCELLED})

#: status → the statuses it may move to
MOVES: Mapping[Status, frozenset[Status]] = {
    Status.WAITING: frozenset({Status.PENDING}) | _ASIDE,
    Status.PENDING: frozenset({Status.QUEUED}) | _ASIDE,
    Status.QUEUED: frozenset({Status.DOWNLOADING}) | _ASIDE,
    Status.DOWNLOADING: frozenset({Status.PROCESSING}) | _ASIDE,
    Status.PROCESSING: frozenset({Status.COMPLETED}) | _ASIDE,
    Status.COMPLETED: frozenset(),
    Status.PAUSED: frozenset({Status.WAITING, Status.CANCELLED}),
    Status.FAILED: frozenset({Status.WAITING, Status.CANCELLED}),
    Status.CANCELLED: frozenset(),
}


class IllegalMove(Conflict):
    code = "illegal_move"


def check_move(old: Status, new: Status) -> None:
    """Raises IllegalMove with a sentence for people when `old` may not become `new`."""
    if new not in MOVES[old]:
        raise IllegalMove(f"A download that is {old.value} cannot become {new.value}.", status=old.value)


#: The pipeline's stages in order, and the status a download has in each.
STAGES: Mapping[str, Status] = {
    "understand": Status.PENDING, "find": Status.PENDING,
    "fetch": Status.DOWNLOADING,
    "inspect": Status.PROCESSING, "identify": Status.PROCESSING, "process": Status.PROCESSING,
    "dress": Status.PROCESSING, "admit": Status.PROCESSING, "keep": Status.PROCESSING,
}

# ---- what is asked for -------------------------------------------------------------------------------------------

QUALITIES = ("lossless", "320", "192", "128", "smallest")
CONVERSIONS = ("mp3", "opus", "aac", "flac")        # what may be kept on the shelf after a conversion
LEVELS = ("tags", "audio", "off")                   # measure and tag | change the audio itself | neither
DUPLICATES = ("skip", "upgrade", "keep")            # what is owned: leave | replace by a better file | have both
PRIORITIES = range(0, 101)                          # larger is sooner; 50 is usual
USUAL_PRIORITY = 50
NIGHT_NOTE = "Waits for the night."                   # of what is fetched in the nightly window only


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a download is to be done. None: as the settings say."""

    quality: str = "lossless"                       # one of QUALITIES
    format: str | None = None                       # one of CONVERSIONS; None: as it comes
    bitrate_kbps: Kbps | None = None                # of a lossy conversion
    level: str | None = None                        # one of LEVELS
    trim: bool | None = None                        # silence at both ends
    duplicates: str = "upgrade"                     # one of DUPLICATES
    provider: str | None = None                     # fetch from this one only


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The recording that is meant, as far as it is known. Every field but `source` may be missing."""

    title: str | None = None
    artist: str | None = None                       # as shown
    artists: tuple[str, ...] = ()                   # each by itself, the main one first
    album: str | None = None
    album_artist: str | None = None
    isrc: str | None = None
    duration_ms: Milliseconds | None = None
    track_number: int | None = None
    track_total: int | None = None
    disc_number: int | None = None
    disc_total: int | None = None
    date: str | None = None                         # YYYY, YYYY-MM or YYYY-MM-DD
    genres: tuple[str, ...] = ()
    explicit: bool | None = None
    recording_mbid: str | None = None
    release_mbid: str | None = None
    cover_url: str | None = None
    lyrics: str | None = None
    source: str = "words"                           # who said so: spotify deezer musicbrainz local youtube direct words
    source_url: str | None = None                   # for people, and to know it again
    source_id: str | None = None
    fetch_url: str | None = None                    # where its bytes are, when the source itself has them


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A thing that a catalogue or provider has: a search result, or what a link leads to."""

    kind: str                                       # track album artist playlist
    source: str                                     # the catalogue's or provider's name
    id: str                                         # there
    title: str
    url: str | None = None
    artist: str | None = None
    album: str | None = None
    date: str | None = None
    duration_ms: Milliseconds | None = None
    track_count: int | None = None
    cover_url: str | None = None
    isrc: str | None = None
    explicit: bool | None = None
    tracks: tuple[Wanted, ...] = ()                 # of a track: itself; of an album or playlist, once resolved: all
    track_id: str | None = None                     # in the library already: that track's id


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a person asked for. Exactly one of url, query, track_id and wanted says what."""

    url: str | None = None
    query: str | None = None                        # "Artist - Title", or words
    track_id: str | None = None                     # a track of the library: fetch it anew, better
    wanted: Wanted | None = None
    options: Options = field(default_factory=Options)
    priority: int = USUAL_PRIORITY
    idempotency_key: str | None = None
    group: str | None = None                        # downloads asked for together (an album, a batch, a watch)
    not_before: float | None = None                 # Unix seconds
    nightly: bool = False                           # only in the nightly window of the settings


# ---- what is found and fetched -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One place where the wanted recording might be had. `locator` is the provider's own; JSON, no secrets."""

    provider: str
    locator: Mapping[str, Any]
    title: str
    artist: str
    album: str | None = None
    isrc: str | None = None
    duration_ms: Milliseconds | None = None
    format: str | None = None                       # one of model.track.FORMATS, when known
    bitrate_kbps: Kbps | None = None
    size_bytes: Bytes | None = None
    explicit: bool | None = None
    certain: bool = False                           # it is what the person's own link leads to: nothing to doubt
    extra: Mapping[str, Any] = field(default_factory=dict)  # what scoring may weigh: queue_length, upload_kbps, views …
    id: str = ""                                    # public, once it is written down
    score: float = 0.0                              # 0-100
    parts: Mapping[str, float] = field(default_factory=dict)
    rejected: str | None = None                     # why it is not (or no longer) tried

    @property
    def key(self) -> str:
        """What it is known by for ever, for "not this": the provider and its own name for it."""
        locator = self.locator
        return f"{self.provider}:{locator.get('key') or locator.get('url') or sorted(locator.items())}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A file in the download's own staging folder, and what its source said of it."""

    path: str                                       # absolute
    said: Wanted                                    # tags the source gave (a page's title, a video's uploader …)
    format_note: str | None = None                  # for people: "opus 160 kbit/s"
    cover: str | None = None                        # absolute path of a picture that came along


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    bytes: Bytes = 0
    total_bytes: Bytes | None = None
    bytes_per_second: float | None = None

    @property
    def percent(self) -> float | None:
        return round(min(100.0, self.bytes * 100 / self.total_bytes), 1) if self.total_bytes else None

    @property
    def eta_s(self) -> float | None:
        if not (self.total_bytes and self.bytes_per_second):
            return None
        return round(max(0, self.total_bytes - self.bytes) / self.bytes_per_second, 1)


# ---- what can go wrong -------------------------------------------------------------------------------------------

#: code → whether trying again later may help. The code is for programs and counts, the message for people.
FAILURES: Mapping[str, bool] = {
    # the network or the service
    "refused": True, "timed_out": True, "service_error": True, "garbage": True, "connection_lost": True,
    "rate_limited": True, "offline_peer": True,
    # this thing at this source, for good
    "private": False, "removed": False, "region": False, "age": False, "needs_login": False, "no_permission": False,
    "drm": False, "live": False, "not_found": False, "not_audio": False, "too_large": False, "too_long": False,
    "wrong_length": False, "damaged": False, "empty": False, "lies_about_size": False, "unsupported": False,
    "blocked": False,                   # a person said "not this"
    # what was asked for
    "forbidden_address": False, "bad_link": False, "no_candidates": False, "not_configured": False,
    # this station
    "disk_full": True, "library_offline": True, "read_only": False, "no_music_folder": False, "crashed": True,
    "out_of_time": True, "out_of_memory": False, "cancelled": False, "internal": False,
}

#: Failures that are the service's own and count towards its circuit breaker; a bad file never is.
SERVICE_FAULTS = frozenset({"refused", "timed_out", "service_error", "garbage"})


class Failure(SoundsibleError):
    """A stage could not do its work. `code` is a word of FAILURES; `message` a sentence for people.

    retry_after_s   the service asked to be left alone for so long
    provider        whose failure it is, when it is one's
    """

    http_status = 422

    def __init__(self, code: str, message: str, *, provider: str | None = None, retry_after_s: Seconds | None = None,
                 retryable: bool | None = None, **details: Any) -> None:
        super().__init__(message, **details)
        if code not in FAILURES:
            raise ValueError(f"{code!r} is no known failure")
        self.code = code
        self.retryable = FAILURES[code] if retryable is None else retryable
        self.provider = provider
        self.retry_after_s = retry_after_s

    @property
    def service_fault(self) -> bool:
        return self.code in SERVICE_FAULTS


class Cancelled(Exception):
    """The download was cancelled or paused, or the station stops; the stage leaves at once."""


# ---- shown to people (exactly the fields of the public API) ------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownProgress:
    bytes: Bytes
    total_bytes: Bytes | None
    percent: float | None
    bytes_per_second: float | None
    eta_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownFailure:
    code: str
    message: str
    retryable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    id: str
    status: str
    stage: str | None
    title: str | None
    artist: str | None
    album: str | None
    cover_url: str | None
    url: str | None
    query: str | None
    source: str | None                              # who fetches it, once that is known; else who named it
    quality: str
    options: Options
    priority: int
    progress: ShownProgress
    attempt: int                                    # 1 is the first; 0 before that
    error: ShownFailure | None
    note: str | None                                # a sentence: "opens again in 40 s", "already in your library" …
    track_id: str | None
    duplicate_of: str | None                        # the track that was there already
    quality_got: str | None                         # "flac 44.1 kHz 16 bit", "opus 160 kbit/s"
    warnings: list[str]                             # upsampled, doubtful match …
    group: str | None
    username: str | None                            # who asked for it
    not_before: str | None                          # RFC 3339
    created_at: str
    updated_at: str
    finished_at: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRow:
    at: str
    from_: str | None                               # "from" in JSON
    to: str
    reason: str | None
    stage: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCandidate:
    id: str
    provider: str
    title: str
    artist: str
    album: str | None
    duration_ms: Milliseconds | None
    format: str | None
    bitrate_kbps: Kbps | None
    size_bytes: Bytes | None
    score: float
    parts: dict[str, float]
    rejected: str | None
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadWhole(Download):
    history: list[HistoryRow]
    candidates: list[ShownCandidate]
    stage_ms: dict[str, int]                        # how long each stage took
