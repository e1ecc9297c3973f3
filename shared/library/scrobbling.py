"""Tell listening services (ListenBrainz, Last.fm) what people hear, for those who connected one.

Every play of every player and app becomes a line in the records (records.scrobbles) for each service of its person.
One thread tells them, the oldest first, many at once; what a service does not hear now it hears later. Lines are marked
before anything more is told, so none is told twice; where the connection (or the station) breaks between being told and
being marked, ListenBrainz is told once more and keeps once what comes twice, and Last.fm is asked first what it has.

A service that refuses the login is left alone for hours, its person told; what waits is kept until it is connected
anew. What plays now is told once, when it begins, and not again when that fails.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from shared.events import EventBus, LibraryChanged, Notice, NowPlayingMoved
from shared.model.download import Failure
from shared.model.errors import BadInput, DiskFull, Forbidden, NotFound, Overloaded, SoundsibleError
from shared.model.person import Person
from shared.model.scrobble import (
    LASTFM,
    LATER,
    LISTENBRAINZ,
    SERVICES,
    TAKEN,
    LoginRefused,
    NotNow,
    NotUnderstood,
    Service,
)
from shared.model.units import Seconds
from shared.vault import SealedElsewhere, Vault

if TYPE_CHECKING:
    from shared.library.lastfm import LastfmService
    from shared.library.listenbrainz import ListenBrainzService
    from shared.records.scrobbles import ScrobblerRow, Scrobbles, Waiting

log = logging.getLogger(__name__)

NAMES = {LISTENBRAINZ: "ListenBrainz", LASTFM: "Last.fm"}
FIRST_PAUSE_S: Seconds = 30.0       # after a failure; twice as long after each further one
LONGEST_PAUSE_S: Seconds = 3600.0
REFUSED_S: Seconds = 6 * 3600.0     # that a service which refuses the login is left alone
DAY_S: Seconds = 86_400.0
GATHER_S: Seconds = 1.0             # plays that come close together are told together
LOOK_S: Seconds = 300.0             # so often it looks in any case
MOST_PLAYING = 1000                 # people whose playing is waiting to be told
MOST_ROUNDS = 200                   # batches told to one service in a row, before the others have their turn
LONGEST_TOKEN = 200


class ServiceAway(SoundsibleError):
    """A listening service does not answer, or not now."""

    code, http_status, retryable = "service_offline", 422, True


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """A listening service as one person has it. `row` None: not connected."""

    service: str
    available: bool     # whether this station can be connected with it
    row: ScrobblerRow | None


class Scrobbling:
    """`start` and `stop` belong to the station's."""

    def __init__(self, *, records: Scrobbles, vault: Vault, events: EventBus, listenbrainz: ListenBrainzService,
                 lastfm: LastfmService, clock: Callable[[], float] = time.time) -> None:
        self._records = records
        self._vault = vault
        self._events = events
        self._listenbrainz = listenbrainz
        self._lastfm = lastfm
        self._services: Mapping[str, Service] = {LISTENBRAINZ: listenbrainz, LASTFM: lastfm}
        self._clock = clock
        self._lock = threading.Lock()
        self._playing: dict[int, tuple[str, str]] = {}      # user id → track and app, still to be told
        self._told: dict[tuple[int, str], tuple[str, float]] = {}   # user id, app → track told last, when it began
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._endings: list[Callable[[], None]] = []

    # ---- connecting ------------------------------------------------------------------------------------------------

    def list(self, person: Person) -> Sequence[Connected]:
        """Every service, connected or not. Raises Forbidden."""
        _must_own(person)
        rows = {one.service: one for one in self._records.of(person.user_id)}
        return [Connected(service=name, available=name != LASTFM or self._lastfm.available, row=rows.get(name))
                for name in SERVICES]

    def connect_listenbrainz(self, person: Person, token: str, url: str = "") -> Connected:
        """`url`: of a service that speaks like it. Raises Forbidden, BadInput, ServiceAway."""
        _must_own(person)
        token, url = token.strip(), url.strip().rstrip("/")
        if not token.isascii() or not token.isprintable() or not 0 < len(token) <= LONGEST_TOKEN or " " in token:
            raise BadInput("This is no token of ListenBrainz.", field="token")
        if url:
            try:
                self._listenbrainz.check(url)
            except Failure as problem:
                raise BadInput(problem.message, field="url") from None
        try:
            username = self._listenbrainz.username(token, url)
        except LoginRefused as problem:
            raise BadInput(str(problem), field="token") from None
        except (NotNow, NotUnderstood) as problem:
            raise ServiceAway(f"The token could not be checked: {problem}") from None
        return self._connect(person, LISTENBRAINZ, username, token, url)

    def begin_lastfm(self, person: Person) -> tuple[str, str]:
        """(the page at Last.fm where the person says yes, the token to finish with). Raises Forbidden, Unprocessable,
        ServiceAway."""
        _must_own(person)
        try:
            return self._lastfm.begin()
        except (NotNow, NotUnderstood, LoginRefused) as problem:
            raise ServiceAway(str(problem)) from None

    def connect_lastfm(self, person: Person, token: str) -> Connected:
        """After the person's yes. Raises Forbidden, Unprocessable, BadInput, ServiceAway."""
        _must_own(person)
        try:
            key, username = self._lastfm.finish(token)
        except LoginRefused as problem:
            raise BadInput(str(problem), field="token") from None
        except (NotNow, NotUnderstood) as problem:
            raise ServiceAway(str(problem)) from None
        return self._connect(person, LASTFM, username, key, "")

    def disconnect(self, person: Person, service: str) -> None:
        """With all that waits to be told. Raises Forbidden, NotFound."""
        _must_own(person)
        if not self._records.disconnect(person.user_id, service):
            raise NotFound("This service is not connected.")

    def _connect(self, person: Person, service: str, username: str, secret: str, url: str) -> Connected:
        self._records.connect(person.user_id, service, username=username, secret=self._vault.seal(secret), url=url)
        log.info("%s is connected for user %s", service, person.id)
        self._wake.set()
        return next(one for one in self.list(person) if one.service == service)

    # ---- the background --------------------------------------------------------------------------------------------

    def start(self) -> None:
        self._ending.clear()
        self._endings = [self._events.subscribe(LibraryChanged, lambda event: self._wake.set()),
                         self._events.subscribe(NowPlayingMoved, self._hear_playing)]
        self._thread = threading.Thread(target=self._run, name="scrobbling", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        for end in self._endings:
            end()
        self._endings = []
        self._ending.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(2)
            self._thread = None

    def _run(self) -> None:
        while not self._ending.is_set():
            wait_s = LOOK_S
            try:
                self.round()
                due = self._records.next_at()
                if due is not None:
                    wait_s = min(max(due - self._clock(), GATHER_S), LOOK_S)
            except Exception:   # the edge of this thread: the next round tries again
                log.exception("the round through the listening services failed")
                wait_s = FIRST_PAUSE_S
            self._wake.wait(wait_s)
            self._ending.wait(GATHER_S)
            self._wake.clear()

    def round(self) -> None:
        """Tell everything that is due, to everybody's services."""
        self._tell_playing()
        for one in self._records.due(self._clock()):
            if self._ending.is_set():
                return
            self._tell(one)

    # ---- plays -----------------------------------------------------------------------------------------------------

    def _tell(self, scrobbler: ScrobblerRow) -> None:
        service = self._services.get(scrobbler.service)
        if service is None:
            return
        at_once = service.at_once
        for _ in range(MOST_ROUNDS):
            now = self._clock()
            waiting = self._records.batch(scrobbler.id, now, at_once)
            if not waiting or self._ending.is_set():
                return
            try:
                secret = self._vault.open(scrobbler.secret)
                # An app's clock may go ahead of ours; nobody heard anything in the future.
                plays = [replace(one.told, at=min(one.told.at, now)) for one in waiting]
                known = service.known(secret, scrobbler.url, scrobbler.username, plays) if any(
                    one.tries for one in waiting) else set()
                if known:
                    self._settle(scrobbler, [waiting[place] for place in known], [TAKEN] * len(known))
                    continue
                self._records.begin([one.id for one in waiting])
                verdicts = service.tell(secret, scrobbler.url, plays)
            except NotUnderstood as problem:
                if len(waiting) > 1:        # one of them is at fault: each is told alone
                    at_once = 1
                    continue
                verdicts = [str(problem)]
            except (LoginRefused, SealedElsewhere) as problem:
                self._refused(scrobbler, problem)
                return
            except NotNow as problem:
                self._later(scrobbler, waiting, problem.message, problem.retry_after_s)
                return
            except (Overloaded, DiskFull):  # the records cannot be written now, which is no fault of the service
                raise
            except Exception:   # a library that is not ours: its defects keep no other service waiting
                log.exception("%s could not be told", scrobbler.service)
                self._later(scrobbler, waiting, f"{NAMES[scrobbler.service]} could not be told; the station's log "
                            "tells why.", None)
                return
            self._settle(scrobbler, waiting, verdicts)
            if LATER in verdicts:
                self._records.put_off(scrobbler.id, now + DAY_S / 4)
                return

    def _settle(self, scrobbler: ScrobblerRow, waiting: Sequence[Waiting], verdicts: Sequence[str]) -> None:
        both = list(zip(waiting, verdicts, strict=True))
        self._records.settle(
            scrobbler.id, sent=[one.id for one, verdict in both if verdict == TAKEN], at=self._clock(),
            refused={one.id: verdict[:300] for one, verdict in both if verdict not in (TAKEN, LATER)})

    def _later(self, scrobbler: ScrobblerRow, waiting: Sequence[Waiting], why: str, pause_s: Seconds | None) -> None:
        usual_s = min(FIRST_PAUSE_S * 2.0 ** min(waiting[0].tries, 10), LONGEST_PAUSE_S)
        log.info("%s is told later: %s", scrobbler.service, why)
        self._records.put_off(scrobbler.id, self._clock() + max(usual_s, pause_s or 0.0), error=why[:300])

    def _refused(self, scrobbler: ScrobblerRow, problem: Exception) -> None:
        name = NAMES[scrobbler.service]
        why = str(problem) if isinstance(problem, LoginRefused) else f"What {name} is told with cannot be opened."
        new = self._records.put_off(scrobbler.id, self._clock() + REFUSED_S, error=why[:300])
        if new:
            self._events.publish(Notice("warning", f"{name} is not told what you hear: {why} Until then it waits here "
                                        "(You → Scrobbling).", user_id=scrobbler.user_id))

    # ---- what plays now --------------------------------------------------------------------------------------------

    def _hear_playing(self, event: NowPlayingMoved) -> None:
        if event.kind != "track":
            return
        key, told = (event.user_id, event.client), (event.uid, event.began_at)
        with self._lock:
            if event.state not in ("starting", "playing"):
                if event.state == "stopped":
                    self._told.pop(key, None)
                return
            if self._told.get(key) == told or len(self._playing) >= MOST_PLAYING:
                return
            if len(self._told) >= MOST_PLAYING:
                self._told.clear()
            self._told[key] = told
            self._playing[event.user_id] = event.uid, event.client
        self._wake.set()

    def _tell_playing(self) -> None:
        with self._lock:
            due, self._playing = self._playing, {}
        try:
            while due:
                user_id = next(iter(due))
                self._tell_one(user_id, *due[user_id])
                del due[user_id]
        finally:    # where the records cannot be read: it is told in the next round, unless another thing is on by then
            with self._lock:
                self._playing = {**due, **self._playing}

    def _tell_one(self, user_id: int, uid: str, client: str) -> None:
        playing = self._records.playing(uid, client)
        for scrobbler in self._records.of(user_id):
            service = self._services.get(scrobbler.service)
            # A service that has just failed is not asked between its pauses.
            if service is None or playing is None or scrobbler.last_error is not None or self._ending.is_set():
                continue
            try:
                service.now(self._vault.open(scrobbler.secret), scrobbler.url, playing)
            except (NotNow, LoginRefused, NotUnderstood, SoundsibleError) as problem:
                log.info("%s was not told what plays now: %s", scrobbler.service, problem)
            except Exception:   # as above
                log.exception("%s could not be told what plays now", scrobbler.service)


def _must_own(person: Person) -> None:
    if person.scope != "own":
        raise Forbidden("This device may listen or add music, not connect services.")
