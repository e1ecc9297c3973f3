"""What the upper floors may ask of outside things, as small Protocols.

Written for the reader: each says what is promised, what it costs, and what it raises.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from shared.model.download import Candidate, Fetched, Offer, Options, Progress, Wanted
from shared.model.source import Source, TrackFile
from shared.model.track import AudioFacts, Metadata
from shared.model.work import Moved


class Storage(Protocol):
    """A place that may hold a copy of a track."""

    name: str

    def locate(self, file: TrackFile) -> Source | None:
        """Where `file` can be had here, now; None if this place holds no copy.

        Costs one stat or one HEAD; never downloads. Raises StorageOffline when the answer is unknown.
        """


class FileAccess(Protocol):
    """Calls on music folders, each with a deadline: a stale network mount must not hold a request."""

    def call(self, root: str, deed: Callable[[], Any], *, deadline_s: float = 2.0) -> Any:
        """What `deed()` returns, run in a thread of `root`'s own.

        Raises StorageOffline when it does not return in time or `root` is known to hang; what `deed` raises
        goes through.
        """

    def open(self, root: str, path: str) -> BinaryIO:
        """The file at `root`/`path`, open for reading, unbuffered. Raises StorageOffline, OSError."""


class Workers(Protocol):
    """Worker processes with limits on memory and time, where hostile media may be opened."""

    def run(self, deed: str, /, *args: Any, timeout_s: float = 30.0, **kwargs: Any) -> Any:
        """Call the function named "package.module:function" in a worker and return its answer.

        Arguments and answer are pickled. What it raises is raised here; UnreadableFile with reason timed_out or
        reader_crashed when the worker had to be ended or died. Waits for a free worker.
        """


class Work(Protocol):
    """Who follows a long piece of work: the command line's bar, or the station that runs it as an errand."""

    def tell(self, moved: Moved) -> None:
        """How far it is. Cheap: call it as often as there is news. Never raises."""

    def log(self, level: str, message: str) -> None:
        """A sentence worth keeping. `level`: info | warning | error."""

    def stopped(self) -> bool:
        """Whether to end now. Looked at between two files and between two pieces of one."""


# ---- acquiring ---------------------------------------------------------------------------------------------------


class Catalogue(Protocol):
    """Says what music there is. Fetches none of it. Each call costs requests; all raise Failure."""

    name: str

    def understands(self, url: str) -> bool:
        """Whether `url` is a link of this catalogue's. Pure."""

    def resolve(self, url: str) -> Offer:
        """What a link leads to, with all its tracks."""

    def album(self, id: str) -> Offer:
        """The album with this catalogue's own `id`, with all its tracks."""

    def search(self, words: str, *, limit: int) -> list[Offer]:
        """Tracks, albums, artists and playlists (those it has) for `words`, best first; each without its tracks."""


class Fetching(Protocol):
    """What a provider is given for one fetch, and what it tells meanwhile."""

    folder: Path            # this download's own staging folder on the library's file system; nowhere else is written
    options: Options
    limit_bytes: int        # more is never fetched
    limit_s: float

    def report(self, progress: Progress) -> None:
        """How far it is; call it as often as there is news. Raises Cancelled when the fetch is to end now."""

    def log(self, level: str, message: str) -> None:
        """A line for the download's log. `level`: debug | info | warning | error."""

    def rate(self) -> float | None:
        """Bytes per second this fetch may use now; None: all it can get. Changes while somebody listens."""

    def cancelled(self) -> bool:
        """Whether to stop, for loops that have nothing to report."""


class Provider(Protocol):
    """Fetches music. All raise Failure; `service_fault` tells the circuit breaker whose fault it was."""

    name: str
    slots: int              # fetches at the same time that it bears

    def understands(self, url: str) -> bool:
        """Whether it would know what to do with `url`. Pure."""

    def resolve(self, url: str) -> Offer:
        """What a link leads to; of a playlist, a feed or a page with several: all, each with its fetch_url."""

    def find(self, wanted: Wanted, options: Options, *, limit: int) -> list[Candidate]:
        """Where `wanted` might be had, not scored yet, in the provider's own order. May be empty."""

    def fetch(self, candidate: Candidate, fetching: Fetching) -> Fetched:
        """Bring it into `fetching.folder`. Goes on with what lies there from an earlier try, when that still fits.

        Raises Failure, and Cancelled when `fetching` says so; then nothing of it runs any more.
        """

    def operation(self, candidate: Candidate) -> str:
        """Which circuit breaker fetching it belongs to: "fetch", or the host of a direct link. Pure."""


class Identified(Protocol):
    """What is known of a fetched file after asking around."""

    @property
    def metadata(self) -> Metadata:
        """Harmonised; what shall stand in the tags."""

    @property
    def confidence(self) -> float:
        """0-1."""

    @property
    def review(self) -> str | None:
        """A sentence when a person should look: nothing doubtful was changed."""

    @property
    def cover(self) -> bytes | None:
        """A picture, as it came."""

    @property
    def lyrics(self) -> str | None:
        """LRC, or plain lines."""

    @property
    def sources(self) -> dict[str, Any]:
        """{"file": …, "catalogue": …, "chosen": …}: JSON, kept with the track."""


class Identifier(Protocol):
    """Tells which recording a file is, and what it should be called."""

    def identify(self, wanted: Wanted, in_file: Metadata, facts: AudioFacts, *, path: str,
                 cancelled: Callable[[], bool]) -> Identified:
        """Asks MusicBrainz and others, one request a second at most. A service that is down changes nothing and is
        named in `review`; raises Failure only when `cancelled`.
        """


class Admitted(Protocol):
    """A file on the shelf."""

    @property
    def track_id(self) -> str: ...

    @property
    def path(self) -> str:
        """Relative to its music folder."""

    @property
    def duplicate_of(self) -> str | None:
        """It was there already; nothing was added."""

    @property
    def replaced(self) -> bool:
        """A worse file of the same track went to the trash for it."""


class Intake(Protocol):
    """The way onto the shelf (library.admission)."""

    def staging(self) -> Path:
        """The folder for downloads under way, on the file system of the first music folder.

        Raises Failure: no_music_folder, library_offline, read_only.
        """

    def ready(self) -> None:
        """Raises Failure no_music_folder when there is nowhere to put music at all. Touches no disk."""

    def owned(self, wanted: Wanted) -> str | None:
        """The id of the track of the library that is this recording: by ISRC, recording MBID, or artist, title and
        ±3 s; None when there is none (or the thing is too little known to say)."""

    def worth_replacing(self, track_id: str, options: Options) -> bool:
        """Whether the file of a track is worse than what `options.quality` asks for."""

    def admit(self, path: Path, metadata: Metadata, facts: AudioFacts, *, sha256: str, options: Options,
              replace: str | None, origin: dict[str, Any], cover: bytes | None, lyrics: str | None,
              review: str | None) -> Admitted:
        """Move a finished file onto the shelf and into the library. Atomic; never over another file.

        replace     the id of a track whose file this one shall replace, if it is better
        origin      where it came from, kept with the track (JSON)
        Doing it again after a crash finishes what was begun and adds nothing twice. Raises Failure: disk_full,
        read_only, library_offline.
        """


class OwnShelf(Protocol):
    """Where things go that are no tracks of the library (episodes of podcasts)."""

    def keep(self, path: Path, wanted: Wanted, facts: AudioFacts, *, download: str, sha256: str) -> None:
        """Put a fetched and inspected file where it belongs; `path` itself stays, and may be linked to.

        Doing it again after a crash changes nothing. Raises Failure, OSError.
        """


class Dispatcher(Protocol):
    """Hands waiting downloads to whoever works on them: by priority, then age, never before their time."""

    def offer(self, uid: str, *, priority: int, created_at: float, not_before: float | None = None) -> None:
        """Make a waiting download known, or its changed priority or time."""

    def withdraw(self, uid: str) -> None:
        """It shall not run (cancelled, paused). What runs already is told through its own cancel."""

    def take(self, timeout_s: float) -> str | None:
        """The next one whose time has come; None when there was none for so long."""

    def waiting(self) -> int:
        """How many are known and not taken."""


class Lookups(Protocol):
    """Answers of outside services, kept (records.lookups)."""

    def get(self, service: str, key: str, *, max_age_s: float) -> Any | None:
        """The kept JSON answer, or None."""

    def put(self, service: str, key: str, answer: Any) -> None:
        ...
