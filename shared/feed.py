"""What is told to whoever listens, in one order: to open players (shared.sockets) and to Server-Sent Events.

One thread, the herald, turns what happens in the house into what is told: it counts, holds back what comes too often,
and decides who may hear. What was told is kept for a while, so that a reader of Server-Sent Events that was away hears
exactly what it missed; how things stand is told first to everybody who is new.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from shared.events import (
    DevicesChanged,
    DownloadLogged,
    DownloadMoved,
    DownloadRemoved,
    ErrandMoved,
    EventBus,
    JukeboxMoved,
    LibraryChanged,
    Notice,
    NowPlayingMoved,
    PersonChanged,
    PlaybackMoved,
    PodcastsChanged,
    RadioMoved,
    ScanMoved,
    SessionsEnded,
)
from shared.model.download import OVER
from shared.model.errand import OVER as ERRAND_OVER
from shared.model.errand import Errand
from shared.model.person import Person
from shared.model.scan import without_counts, without_files
from shared.records.downloads import unseen

log = logging.getLogger(__name__)

AT_MOST_EVERY_S = 0.2           # library:changed and scan:progress, each
DOWNLOAD_SPACING_S = 0.5        # between two words of one download, unless it is over
DOWNLOAD_WINDOW_S = 1.0         # in which two at most are told of one
ERRAND_SPACING_S = 0.5          # between two words of one errand, unless it is over
DOWNLOADS_PER_S = 200.0         # words of all downloads together
KEPT_EVENTS = 2_000             # for readers that were away
KEPT_BYTES = 4 * 1024 * 1024
NEWS_LIMIT = 5_000              # log lines and notices that may wait to be told
COMMENT_EVERY_S = 15.0          # on a silent stream of Server-Sent Events
RECHECK_EVERY_S = 60.0          # that a reader's token still counts

_encode = msgspec.json.Encoder().encode
_OVER = frozenset(status.value for status in OVER)

Sees = Callable[[Person], bool]


@dataclass(frozen=True, slots=True)
class Told:
    """One thing told. `body` is its JSON object without the leading brace; `narrow` the same without paths of files,
    `dim` without what a limited person may not know of."""

    number: int                 # counts whatever is told to anybody
    event: str
    body: bytes
    narrow: bytes | None
    sees: Sees
    dim: bytes | None = None

    def object_for(self, person: Person, seq: int) -> bytes:
        """The JSON object as `person` hears it, with their own count."""
        rest = self.body if self.narrow is None or person.sees_files else self.narrow
        if self.dim is not None and person.limited:
            rest = self.dim
        return b'{"seq":%d%s%s' % (seq, b"" if rest == b"}" else b",", rest)


@dataclass(slots=True)
class _Word:
    """What is to be told of one download, and when the last two words were."""

    news: DownloadMoved | None = None
    told: tuple[float, float] = (float("-inf"), float("-inf"))

    def due_at(self) -> float:
        earliest = self.told[0] + DOWNLOAD_WINDOW_S
        if self.news is not None and self.news.download.status not in _OVER:
            return max(earliest, self.told[1] + DOWNLOAD_SPACING_S)
        return earliest


@dataclass(slots=True, eq=False)
class _Reading:
    """One open stream of Server-Sent Events."""

    person: Person
    token: str
    address: str
    number: int                 # of the last thing it heard
    seq: int
    ended: bool = False
    checked_at: float = field(default_factory=time.monotonic)


class Feed:
    """Hears the house, tells the listeners.

    accounts    security.accounts.Accounts: who is behind a token.
    scanning    library.scanning.Scanning: the scan as it stands.
    changes     records.changes.Changes: the library's revision.
    downloads   what a person may see of downloads under way or just finished, for the snapshot.
    errands     the station's long work, under way or just finished, likewise.
    """

    def __init__(
        self,
        *,
        events: EventBus,
        accounts: Any,
        scanning: Any,
        changes: Any,
        downloads: Callable[[Person], Iterable[Any]] = lambda person: (),
        errands: Callable[[], Iterable[Errand]] = lambda: (),
    ) -> None:
        self._accounts = accounts
        self._scanning = scanning
        self._changes = changes
        self._downloads = downloads
        self._errands = errands

        self.number = 0
        self.lock = threading.RLock()                       # order: numbers, and what is put into anybody's queue
        self._ears: tuple[Callable[[Told], None], ...] = ()
        self._epoch = secrets.token_hex(4)                  # numbers begin anew with each start
        self._kept: deque[Told] = deque()
        self._kept_bytes = 0
        self._forgotten = 0                                 # the number of the last thing that is no longer kept
        self._rung = threading.Condition(self.lock)
        self._readings: set[_Reading] = set()

        self._wake = threading.Condition(threading.Lock())
        self._stirred = False
        self._awake = False                                 # somebody has listened: from now on everything is kept
        self._ending = False
        self._herald: threading.Thread | None = None
        self._news: deque[Callable[[], None]] = deque()
        self._library: int | None = None
        self._scan: dict[str, Any] | None = None
        self._library_told_at = self._scan_told_at = float("-inf")
        self._words: dict[str, _Word] = {}
        self._budget, self._budget_at = DOWNLOADS_PER_S, time.monotonic()
        self._errand_news: dict[str, Errand] = {}
        self._errand_told: dict[str, float] = {}
        self._timed: list[tuple[float, int, Callable[[], None]]] = []   # a heap: when due (monotonic), order, deed
        self._timed_order = itertools.count()
        self._endings = [
            events.subscribe(kind, hear) for kind, hear in (
                (LibraryChanged, self._hear_library), (ScanMoved, self._hear_scan), (Notice, self._hear_notice),
                (PodcastsChanged, self._hear_podcasts), (RadioMoved, self._hear_radio),
                (DevicesChanged, self._hear_devices), (PlaybackMoved, self._hear_playback),
                (JukeboxMoved, self._hear_jukebox), (NowPlayingMoved, self._hear_playing),
                (DownloadMoved, self._hear_moved), (DownloadLogged, self._hear_logged),
                (DownloadRemoved, self._hear_removed), (SessionsEnded, self._hear_endings),
                (ErrandMoved, self._hear_errand), (PersonChanged, self._hear_person),
            )
        ]

    # ---- for who listens ---------------------------------------------------------------------------------------------

    def attach(self, hear: Callable[[Told], None]) -> None:
        """Call `hear` for each thing told, in the herald's thread and inside `lock`; it must be quick."""
        self._ears = (*self._ears, hear)

    def begin(self) -> None:
        """Somebody listens now: from here on things are told."""
        if not self._awake:
            with self._wake:
                self._awake = True
                self._rouse_locked()

    def soon(self, deed: Callable[[], None]) -> None:
        """Do `deed` in the herald's thread, in its turn."""
        if not self._awake:
            return      # nobody is there to hear it
        with self._wake:
            if len(self._news) < NEWS_LIMIT:
                self._news.append(deed)
            self._rouse_locked()

    def later(self, delay_s: float, deed: Callable[[], None]) -> None:
        """Do `deed` in the herald's thread after so long."""
        with self._wake:
            heapq.heappush(self._timed, (time.monotonic() + delay_s, next(self._timed_order), deed))
            self._rouse_locked()

    def advance(self) -> None:
        """Something was told past the feed (from one device to another): the number goes on."""
        with self.lock:
            self.number += 1

    def snapshot(self, person: Person) -> dict[str, Any]:
        """How things stand, as this person may see it; without a count."""
        scan = _fields(self._scanning.progress())
        return {
            "revision": self._changes.current(),
            "scan": (without_counts if person.limited else dict if person.sees_files else without_files)(scan),
            "downloads": list(self._downloads(person)) if person.adds else [],
            "errands": list(self._errands()) if person.sees_files else [],
        }

    def stop(self) -> None:
        """End the herald and every reader; quick."""
        for end in self._endings:
            end()
        self._endings = []
        with self._wake:
            self._ending = True
            self._wake.notify()
        with self.lock:
            self._rung.notify_all()
        if self._herald is not None and self._herald is not threading.current_thread():
            self._herald.join(1)

    # ---- Server-Sent Events ------------------------------------------------------------------------------------------

    def stream(self, person: Person, token: str, address: str, after: str | None) -> Iterator[bytes]:
        """The event stream of one reader, until its login or the station ends.

        `after` is the id it heard last: then it hears exactly what followed; or, when that is too long ago or of
        another run, how things stand. A comment comes when nothing else has for a while.
        """
        self.begin()
        with self.lock:
            number = self._known(after)
            reading = _Reading(person, token, address, self.number if number is None else number, 0)
            reading.seq = reading.number
            first = b"" if number is not None else self._snapshot_event(reading)
            self._readings.add(reading)
        try:
            yield first or b": go on\n\n"
            while not (self._ending or reading.ended):
                text = self._next(reading)
                if text is None:
                    return
                yield text
        finally:
            with self.lock:
                self._readings.discard(reading)

    def _known(self, after: str | None) -> int | None:
        """The number behind an id, when all that followed it is still kept."""
        epoch, _, digits = (after or "").partition("-")
        if epoch != self._epoch or not digits.isascii() or not digits.isdigit() or len(digits) > 15:
            return None
        return int(digits) if self._forgotten <= int(digits) <= self.number else None

    def _next(self, reading: _Reading) -> bytes | None:
        """What `reading` has not heard yet, or a comment; None when it is over."""
        until = time.monotonic() + COMMENT_EVERY_S
        with self.lock:
            while not (self._ending or reading.ended):
                if reading.number < self._forgotten:    # it took so little that what it missed is gone
                    return self._snapshot_event(reading)
                missed = self._since(reading.number)
                reading.number = self.number
                parts = []
                for told in missed:
                    if told.sees(reading.person):
                        reading.seq += 1
                        parts.append(self._event(told.number, told.event, told.object_for(reading.person, reading.seq)))
                if parts:
                    return b"".join(parts)
                wait_s = until - time.monotonic()
                if wait_s <= 0:
                    break
                self._rung.wait(wait_s)
        if self._ending or reading.ended or not self._still_counts(reading):
            return None
        return b": still here\n\n"

    def _since(self, number: int) -> list[Told]:
        missed = list(itertools.takewhile(lambda told: told.number > number, reversed(self._kept)))
        missed.reverse()
        return missed

    def _snapshot_event(self, reading: _Reading) -> bytes:
        reading.number = reading.seq = self.number
        return self._event(self.number, "snapshot", _encode({"seq": reading.seq, **self.snapshot(reading.person)}))

    def _event(self, number: int, event: str, data: bytes) -> bytes:
        return b"id: %b-%d\nevent: %b\ndata: %b\n\n" % (self._epoch.encode(), number, event.encode(), data)

    def _still_counts(self, reading: _Reading) -> bool:
        now = time.monotonic()
        if now - reading.checked_at >= RECHECK_EVERY_S:
            reading.checked_at = now
            person = self._accounts.who(reading.token, reading.address)
            if person is None or not person.adds:
                return False
            reading.person = person
        return True

    # ---- what happens, in the publisher's thread ---------------------------------------------------------------------

    def _hear_library(self, event: LibraryChanged) -> None:
        if not self._awake:
            return      # whoever comes later hears how things stand
        with self._wake:
            self._library = max(self._library or 0, event.revision)
            self._rouse_locked()

    def _hear_scan(self, event: ScanMoved) -> None:
        if not self._awake:
            return
        with self._wake:
            self._scan = event.progress
            self._rouse_locked()

    def _hear_notice(self, event: Notice) -> None:
        told = {"level": event.level, "message": event.message}
        sees = _only(event.user_id) if event.user_id is not None else _who_sees_files if event.of_files else _everybody
        self.soon(lambda: self._tell("notice", told, sees))

    def _hear_devices(self, event: DevicesChanged) -> None:
        self.soon(lambda: self._tell("devices:changed", {}, _only(event.user_id)))

    def _hear_playback(self, event: PlaybackMoved) -> None:
        self.soon(lambda: self._tell("playback:state", event.state, _only(event.user_id)))

    def _hear_jukebox(self, event: JukeboxMoved) -> None:
        self.soon(lambda: self._tell("jukebox:changed", {"turn": event.turn}, _only(event.user_id)))

    def _hear_playing(self, event: NowPlayingMoved) -> None:
        if event.news:      # who plays what is told to each as they may see it: GET /api/now-playing
            self.soon(lambda: self._tell("playing:changed", {}, _everybody))

    def _hear_podcasts(self, event: PodcastsChanged) -> None:
        told = {"podcast_id": event.podcast_id, "episode_id": event.episode_id}
        self.soon(lambda: self._tell("podcasts:changed", told, _everybody))

    def _hear_radio(self, event: RadioMoved) -> None:
        told = {"id": event.radio_id, "title": event.title, "artist": event.artist, "at": event.at}
        self.soon(lambda: self._tell("radio:now", told, _everybody))

    def _hear_moved(self, event: DownloadMoved) -> None:
        if not self._awake:
            return
        with self._wake:
            self._words.setdefault(event.download.id, _Word()).news = event
            self._rouse_locked()

    def _hear_errand(self, event: ErrandMoved) -> None:
        if not self._awake:
            return
        with self._wake:
            self._errand_news[event.errand.id] = event.errand
            self._rouse_locked()

    def _hear_logged(self, event: DownloadLogged) -> None:
        told = {"id": event.id, "level": event.level, "at": event.at, "message": event.message}
        self.soon(lambda: self._tell("download:log", told, _asker_and_owners(event.user_id)))

    def _hear_removed(self, event: DownloadRemoved) -> None:
        def tell() -> None:
            with self._wake:
                self._words.pop(event.id, None)
            self._tell("download:removed", {"id": event.id}, _asker_and_owners(event.user_id))

        self.soon(tell)

    def _hear_endings(self, event: SessionsEnded) -> None:
        ended = frozenset(event.token_ids)
        with self.lock:
            for reading in self._readings:
                if reading.person.token_id in ended:
                    reading.ended = True
            self._rung.notify_all()

    def _hear_person(self, event: PersonChanged) -> None:
        """What this person's readers hear from now on is what the person may hear now."""
        with self.lock:
            mine = [one for one in self._readings if one.person.user_id == event.user_id]
        for reading in mine:
            reading.checked_at = float("-inf")
            if not self._still_counts(reading):
                with self.lock:
                    reading.ended = True
                    self._rung.notify_all()

    def _rouse_locked(self) -> None:
        if self._herald is None and not self._ending and (self._awake or self._timed):
            self._herald = threading.Thread(target=self._run, name="herald", daemon=True)
            self._herald.start()
        self._stirred = True
        self._wake.notify()

    # ---- the herald --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._ending:
            try:
                self._round()
            except Exception:  # the edge of this thread: the next round tries again
                log.exception("telling the listeners failed")
                time.sleep(0.1)

    def _round(self) -> None:
        """Tell what is due, then sleep until something happens or becomes due."""
        now = time.monotonic()
        while self._news and not self._ending:
            self._news.popleft()()
        due = [self._tell_library(now), self._tell_scan(now), self._tell_downloads(now), self._tell_errands(now)]
        for deed in self._timed_now(now):
            deed()
        with self._wake:
            if self._timed:
                due.append(self._timed[0][0])
            if not self._stirred and not self._ending:
                self._wake.wait(min(60.0, max(0.0, min(due) - time.monotonic())))
            self._stirred = False

    def _tell_library(self, now: float) -> float:
        """When there is something to tell of it next."""
        if self._library is None:
            return float("inf")
        if now < self._library_told_at + AT_MOST_EVERY_S:
            return self._library_told_at + AT_MOST_EVERY_S
        with self._wake:
            revision, self._library, self._library_told_at = self._library, None, now
        self._tell("library:changed", {"revision": revision}, _everybody)
        return float("inf")

    def _tell_scan(self, now: float) -> float:
        if self._scan is None:
            return float("inf")
        if now < self._scan_told_at + AT_MOST_EVERY_S:
            return self._scan_told_at + AT_MOST_EVERY_S
        with self._wake:
            scan, self._scan, self._scan_told_at = self._scan, None, now
        scan = scan or {}
        self._tell("scan:progress", scan, _everybody, narrow=without_files(scan), dim=without_counts(scan))
        return float("inf")

    def _tell_downloads(self, now: float) -> float:
        """What runs before what waits; never more than the budget: ten thousand links at once are told in turn."""
        self._budget = min(DOWNLOADS_PER_S, self._budget + (now - self._budget_at) * DOWNLOADS_PER_S)
        self._budget_at = now
        following = float("inf")
        with self._wake:
            ready: list[tuple[bool, str]] = []
            for uid, word in list(self._words.items()):
                if word.news is not None:
                    due_at = word.due_at()
                    if due_at <= now:
                        ready.append((word.news.download.status == "waiting", uid))
                    else:
                        following = min(following, due_at)
                elif word.told[1] + DOWNLOAD_WINDOW_S < now:
                    del self._words[uid]
            if len(ready) > 1:
                ready.sort(key=lambda one: one[0])      # stable: otherwise in the order they came
            most = int(self._budget)
            if len(ready) > most:
                following = min(following, now + 0.1)
            telling = []
            for _, uid in ready[:most]:
                word = self._words[uid]
                telling.append(word.news)
                word.news, word.told = None, (word.told[1], now)
        self._budget -= len(telling)
        for event in telling:
            if event is not None:
                told = event.download
                self._tell("download:changed", {"download": told}, _asker_and_owners(event.user_id),
                           dim=None if told.track_id is None else {"download": unseen(told)})
        return following

    def _tell_errands(self, now: float) -> float:
        """When there is something to tell of one next; its end is told at once."""
        following = float("inf")
        with self._wake:
            self._errand_told = {
                uid: told for uid, told in self._errand_told.items() if told + ERRAND_SPACING_S > now}
            telling = []
            for uid, news in list(self._errand_news.items()):
                due_at = self._errand_told.get(uid, float("-inf")) + ERRAND_SPACING_S
                if due_at <= now or news.state in ERRAND_OVER:
                    telling.append(self._errand_news.pop(uid))
                    self._errand_told[uid] = now
                else:
                    following = min(following, due_at)
        for errand in telling:
            self._tell("errand:changed", {"errand": errand}, _who_sees_files)
        return following

    def _timed_now(self, now: float) -> list[Callable[[], None]]:
        deeds = []
        with self._wake:
            while self._timed and self._timed[0][0] <= now:
                deeds.append(heapq.heappop(self._timed)[2])
        return deeds

    def _tell(
        self, event: str, data: Mapping[str, Any], sees: Sees, *, narrow: Mapping[str, Any] | None = None,
        dim: Mapping[str, Any] | None = None,
    ) -> None:
        if not self._awake:
            return
        body = _encode(data)[1:]
        small = None if narrow is None else _encode(narrow)[1:]
        with self.lock:
            self.number += 1
            told = Told(self.number, event, body, small, sees, None if dim is None else _encode(dim)[1:])
            self._keep(told)
            for hear in self._ears:
                hear(told)
            self._rung.notify_all()

    def _keep(self, told: Told) -> None:
        self._kept.append(told)
        self._kept_bytes += _size(told)
        while len(self._kept) > KEPT_EVENTS or (self._kept_bytes > KEPT_BYTES and len(self._kept) > 1):
            gone = self._kept.popleft()
            self._kept_bytes -= _size(gone)
            self._forgotten = gone.number


# ---- who may hear it -----------------------------------------------------------------------------------------------


def _everybody(person: Person) -> bool:
    return True


def _who_sees_files(person: Person) -> bool:
    return person.sees_files


def _only(user_id: int) -> Sees:
    return lambda person: person.user_id == user_id


def _asker_and_owners(user_id: int) -> Sees:
    """Downloads are seen by who asked for them and by owners; by no device that may only listen."""
    return lambda person: person.adds and (person.owns or person.user_id == user_id)


# ---- small parts ---------------------------------------------------------------------------------------------------


def _size(told: Told) -> int:
    return len(told.body) + len(told.narrow or b"") + len(told.dim or b"") + 200


def _fields(report: Any) -> dict[str, Any]:
    return {name: getattr(report, name) for name in report.__dataclass_fields__}
