"""What drives the downloads: takes them from the queue, runs the pipeline, and decides what follows from how it ended.

A download's row says at every moment where it is. Starting reads the rows and goes on; stopping tells what runs to
leave and returns within two seconds; being killed is the same without the telling.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from odst import pipeline, schedule
from odst.breaker import Breakers
from odst.disk import Disk
from odst.ledger import Ledger, LogFile
from odst.parcel import Parcel
from odst.pipeline import Later, Workbench
from odst.retry import wait_before_next
from odst.running import Running, Slots, Token
from odst.staging import Staging
from odst.throttle import Throttle
from odst.worker import Crew
from shared.events import EventBus, Notice
from shared.model.download import (
    ACTIVE,
    NIGHT_NOTE,
    OVER,
    Cancelled,
    Candidate,
    Failure,
    IllegalMove,
    Offer,
    Options,
    Status,
    Wanted,
)
from shared.model.errors import NotFound, SoundsibleError
from shared.model.person import Person
from shared.model.units import Seconds
from shared.ports import Dispatcher, Identifier, Intake, OwnShelf, Provider, Workers

log = logging.getLogger(__name__)

DISK_LOOK_S: Seconds = 1.0
STATION_WAIT_S: Mapping[str, Seconds] = {"disk_full": 3.0, "library_offline": 15.0}    # until it is looked at again
STOP_S: Seconds = 1.8
TOLD_ONE_BY_ONE = 200       # of downloads that came together; for more, a list is asked for anyway
_EVERYBODY = Person(user_id=0, id="", username="", role="owner")
_TO_THE_END = (Status.PENDING, Status.QUEUED, Status.DOWNLOADING, Status.PROCESSING, Status.COMPLETED)


class Engine:
    """records: records.downloads.Downloads; keepings: library.keepings.Keepings; the others as their names say."""

    def __init__(
        self, *, records: Any, dispatcher: Dispatcher, ledger: Ledger, running: Running, events: EventBus,
        providers: Sequence[Provider], resolve: Callable[[str], Offer], search: Callable[[str], Sequence[Offer]],
        track: Callable[[str], Wanted], intake: Intake, identifier: Identifier, workers: Workers,
        keepings: pipeline.Keepings, breakers: Breakers, throttle: Throttle, disk: Disk, staging: Staging,
        settings: Any, own_shelves: Mapping[str, OwnShelf] | None = None, log_file: LogFile | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._records = records
        self._dispatcher = dispatcher
        self._ledger = ledger
        self._running = running
        self._events = events
        self._breakers = breakers
        self._throttle = throttle
        self._disk = disk
        self._staging = staging
        self._settings = settings
        self._log_file = log_file
        self._clock = clock
        self._providers = {one.name: one for one in providers}
        self._bench: dict[str, Any] = {
            "resolve": resolve, "search": search, "track": track, "providers": self._providers, "intake": intake,
            "own_shelves": {} if own_shelves is None else own_shelves,
            "identifier": identifier, "workers": workers, "keepings": keepings, "ledger": ledger, "breakers": breakers,
            "slots": Slots({one.name: one.slots for one in providers}), "throttle": throttle, "disk": disk,
            "staging": staging, "spread": self._spread, "limit_bytes": settings.download_max_bytes,
            "limit_tracks": settings.download_batch_limit,
            "limit_s": settings.download_max_minutes * 60.0, "level_lufs": settings.download_level_lufs,
        }
        self._crew = Crew(size=settings.download_workers, dispatcher=dispatcher, deed=self.work,
                          may_begin=lambda: self._trouble is None)
        self._trouble: str | None = None
        self._left_alone: dict[str, float] = {}     # host of links → until when nobody asks it what they lead to
        self._ending = threading.Event()
        self._watch: threading.Thread | None = None
        self._started = False

    # ---- start and stop

    def start(self) -> None:
        """Go on where it was left: what was on the way waits again, leftovers go, and the crew begins."""
        if self._log_file is not None:
            self._log_file.start()
        self._breakers.load()
        self._throttle.start()
        interrupted = self._records.recover("the station was ended")
        for uid in interrupted:
            self._ledger.log(uid, "info", "The station was ended meanwhile; it goes on.")
        waiting = self._records.waiting()
        self._staging.keep_only(set(self._records.ids(_EVERYBODY, statuses=[one.value for one in ACTIVE])))
        for uid, priority, created_at, not_before, nightly in waiting:
            self._dispatcher.offer(uid, priority=priority, created_at=created_at,
                                   not_before=self.not_before(not_before, nightly))
        if waiting:
            log.info("%d downloads wait, %d of them were under way", len(waiting), len(interrupted))
        self._watch = threading.Thread(target=self._watch_disk, name="download disk", daemon=True)
        self._watch.start()
        self._crew.start()
        self._started = True

    def stop(self) -> None:
        """Tell all that runs to leave, and wait a moment for it. Rows stay: the next start takes them up."""
        if not self._started:
            return
        self._ending.set()
        self._crew.end()
        close = getattr(self._dispatcher, "close", None)
        if close is not None:
            close()
        self._running.end_all()
        if not self._crew.join(STOP_S):
            log.warning("%d downloads did not leave in time", self._running.count())
        self._throttle.stop()
        if self._log_file is not None:
            self._log_file.stop()

    # ---- the queue

    def offer(self, uid: str) -> None:
        """Make a download that waits known to the queue, as its row says."""
        job = self._records.job(uid)
        if job.status is Status.WAITING:
            self._dispatcher.offer(uid, priority=job.priority, created_at=job.created_at,
                                   not_before=self.not_before(job.not_before, job.nightly))

    def not_before(self, not_before: float | None, nightly: bool) -> float | None:
        """When a download may run, Unix seconds: its own time, and for a nightly one the window."""
        if not nightly:
            return not_before
        at = max(self._clock(), not_before or 0.0)
        window = self._settings.download_night
        return at if schedule.inside(window, at) else schedule.next_moment(window, at)

    def state(self) -> dict[str, Any]:
        """Of the queue, for health pages."""
        return {"paused": self._trouble is not None, "reason": self._trouble, "waiting": self._dispatcher.waiting(),
                "running": self._running.count(), "workers": self._settings.download_workers}

    def trouble(self) -> str | None:
        """Why the queue stands still; None when it does not."""
        return self._trouble

    def _watch_disk(self) -> None:
        while not self._ending.wait(DISK_LOOK_S):
            self._look_at_disk()

    def _look_at_disk(self) -> None:
        trouble = self._disk.trouble()
        before, self._trouble = self._trouble, trouble
        if trouble is not None and before is None:
            log.warning("%s", trouble)
            self._events.publish(Notice("warning", trouble))
        elif trouble is None and before is not None:
            log.info("there is room again: downloads go on")
            self._events.publish(Notice("info", "There is room again: downloads go on."))

    # ---- one download

    def work(self, uid: str) -> None:
        """Run one download as far as it goes now; called by the crew's threads."""
        with self._running.entered(uid) as token:
            try:
                job = self._records.job(uid)
            except NotFound:
                return
            if job.status is not Status.WAITING:
                return
            due = self.not_before(None, job.nightly)
            if due is not None and due > self._clock():     # the night ended while it waited for its turn
                self._dispatcher.offer(uid, priority=job.priority, created_at=job.created_at, not_before=due)
                if job.note != NIGHT_NOTE:
                    self._ledger.update(uid, note=NIGHT_NOTE)
                return
            say = partial(self._ledger.log, uid, user_id=job.user_id or 0)
            parcel = Parcel.taken_up(job)
            if self._all_shut(parcel, job):
                return
            bench = Workbench(**self._bench, token=token, options=filled(job.request.options, self._settings), log=say)
            try:
                self._run(parcel, bench)
            except IllegalMove:
                self._aside(parcel, token)      # a person moved it meanwhile
            except SoundsibleError as error:    # the row cannot be written: it is taken up again when it can
                log.error("download %s cannot be written down: %s", uid, error.message)
                self._retry_later(job)

    def _run(self, parcel: Parcel, bench: Workbench) -> None:
        uid = parcel.uid
        try:
            done = pipeline.run(parcel, bench)
        except Cancelled:
            self._aside(parcel, bench.token)
        except Later as later:
            if (self._records.job(uid).stage or "understand") == "understand":
                self._leave_alone(parcel, later.until)
            self._put_back(uid, later.until, later.note)
        except Failure as failure:
            self._failed(uid, failure, bench)
        else:
            self._complete(done, bench)

    def _complete(self, parcel: Parcel, bench: Workbench) -> None:
        uid = parcel.uid
        fields: dict[str, Any] = {"stage_ms": dict(parcel.stage_ms), "warnings": list(parcel.warnings)}
        if parcel.owned is not None:
            bench.token.commit()
            parcel = replace(parcel, track_id=parcel.owned, duplicate_of=parcel.owned)
            own = Candidate(provider="library", locator={"key": parcel.owned}, title=(parcel.wanted or Wanted()).title
                            or "?", artist=(parcel.wanted or Wanted()).artist or "", score=100.0,
                            parts={"owned": 100.0})
            with contextlib.suppress(SoundsibleError):
                fields["candidate"] = self._records.candidates_write(uid, [own])[0].id
        steps = [(status, None) for status in self._ahead(uid)]
        note = None
        if "keep" in parcel.done:
            note = "It is fetched, and among the podcasts."
        elif parcel.duplicate_of is not None:
            note = "Already in your library: nothing was added."
        elif parcel.replaced:
            note = "It took the place of a worse file of the same track."
        if parcel.facts is not None:
            fields |= {"quality_got": pipeline.told_quality(parcel.facts)}
        if parcel.file is not None:
            fields |= {"sha256": parcel.file.sha256, "bytes": (size := parcel.fetched_bytes or parcel.file.size_bytes),
                       "total_bytes": size}
        if parcel.metadata is not None:
            fields |= {name: value for name in ("title", "artist", "album")
                       if (value := getattr(parcel.metadata, name))}
        if parcel.wanted is not None:
            fields["wanted"] = parcel.wanted
        self._ledger.move(uid, *steps[:-1], (Status.COMPLETED, note), note=note, track_uid=parcel.track_id,
                          duplicate_of=parcel.duplicate_of, **fields)
        self._disk.forget(uid)
        self._staging.clear(uid)
        bench.log("info", note or "It is in your library.")

    def _failed(self, uid: str, failure: Failure, bench: Workbench) -> None:
        if failure.code in STATION_WAIT_S:
            if failure.code == "disk_full":
                self._disk.ran_out(uid)
                self._look_at_disk()
            self._put_back(uid, self._clock() + STATION_WAIT_S[failure.code], failure.message)
            return
        job = self._records.job(uid)
        tries = job.attempt or 1
        wait_s = wait_before_next(tries, failure)
        bench.log("error" if wait_s is None else "warning", failure.message)
        if wait_s is None:
            self._ledger.move(uid, (Status.FAILED, failure.message), error=failure, note=None)
            self._disk.forget(uid)
            self._staging.clear(uid)
            return
        until = self._clock() + wait_s
        parcel = {**(job.parcel or {}), "tries_spent": tries}
        self._ledger.move(
            uid, (Status.FAILED, failure.message), (Status.WAITING, f"try {tries + 1} follows in {wait_s:.0f} s"),
            error=failure, not_before=until, note=f"The next try is at {_clock(until)}.", parcel=parcel)
        self.offer(uid)

    def _put_back(self, uid: str, until: float, note: str) -> None:
        """It waits again, and no try is spent."""
        job = self._records.job(uid)
        if job.status is Status.WAITING:
            self._ledger.update(uid, not_before=until, note=note)
        else:
            self._ledger.move(uid, (Status.PAUSED, note), (Status.WAITING, "goes on by itself"), not_before=until,
                              note=note, attempt=max(0, job.attempt - 1))
        self.offer(uid)

    def _aside(self, parcel: Parcel, token: Token) -> None:
        """It was told to stop: what follows is said by who did, and by its row."""
        uid = parcel.uid
        self._disk.forget(uid)
        if token.reason == "stop":
            return
        job = self._records.job(uid)
        if token.reason == "again":
            if job.status not in (Status.WAITING, Status.PAUSED, *OVER):
                self._ledger.move(uid, (Status.PAUSED, "a person chose"), (Status.WAITING, "goes on"),
                                  parcel=unfetched(job), attempt=max(0, job.attempt - 1), not_before=None)
            self.offer(uid)
        elif job.status in OVER:
            self._staging.clear(uid)
        elif token.reason is None and job.status not in (Status.WAITING, Status.PAUSED):
            self._put_back(uid, self._clock() + 1.0, "It was interrupted.")

    def _all_shut(self, parcel: Parcel, job: Any) -> bool:
        """Whether all services that its next step needs are left alone: it waits on without a move. Ten thousand links
        to a host that is down would otherwise write ten thousand moves a minute."""
        opens = self._opens_at(parcel)
        if opens is None:
            return False
        self._records.update(parcel.uid, not_before=opens)
        self._dispatcher.offer(parcel.uid, priority=job.priority, created_at=job.created_at, not_before=opens)
        return True

    def _opens_at(self, parcel: Parcel) -> float | None:
        """When the first of the services that its next step needs is asked again; None when one may be asked now."""
        if "fetch" in parcel.done:
            return None
        if "understand" not in parcel.done:
            opens = self._left_alone.get(_host(parcel.request.url))
            return opens if opens is not None and opens > self._clock() else None
        if "find" not in parcel.done:
            if parcel.wanted is None or parcel.wanted.fetch_url:
                return None
            times = [self._breakers.opens_at(name, "find") for name in self._providers
                     if parcel.options.provider in (None, name)]
        else:
            times = [self._breakers.opens_at(one.provider, self._providers[one.provider].operation(one))
                     for one in self._records.candidates(parcel.uid)
                     if not one.rejected and one.provider in self._providers]
        shut = [at for at in times if at is not None]
        return min(shut) if shut and len(shut) == len(times) else None

    def _leave_alone(self, parcel: Parcel, until: float) -> None:
        """Nobody can be asked before `until` what this link leads to: nor what others of its host do."""
        host = _host(parcel.request.url)
        if not host:
            return
        if len(self._left_alone) > 500:
            now = self._clock()
            self._left_alone = {name: at for name, at in list(self._left_alone.items()) if at > now}
        self._left_alone[host] = until

    def _retry_later(self, job: Any) -> None:
        """The row could not be written (its disk is full, the database is busy): ask again in a while."""
        def again() -> None:
            with contextlib.suppress(SoundsibleError):
                now = self._records.job(job.uid)
                if now.status not in (Status.WAITING, Status.PAUSED, *OVER):
                    self._records.move(job.uid, (Status.PAUSED, "it could not be written down"),
                                       (Status.WAITING, "goes on by itself"))
                self.offer(job.uid)
                return
            self._retry_later(job)

        if not self._ending.is_set():
            timer = threading.Timer(5.0, again)
            timer.daemon = True
            timer.start()

    def _ahead(self, uid: str) -> list[Status]:
        """The statuses between where it stands and its completion."""
        status = self._records.job(uid).status
        at = _TO_THE_END.index(status) + 1 if status in _TO_THE_END else 0
        return list(_TO_THE_END[at:])

    def _spread(self, parcel: Parcel, others: Sequence[Wanted]) -> int:
        """The other tracks of a link become downloads of their own, once; how many there are of them now."""
        limit = self._settings.download_batch_limit - 1
        if len(others) > limit:
            self._ledger.log(parcel.uid, "warning", f"Of {len(others) + 1} tracks only the first {limit + 1} are "
                                                    "queued (setting download_batch_limit).")
        requests = [pipeline.sibling(parcel, one) for one in others[:limit]]
        if not requests:
            return 0
        group = parcel.group or parcel.uid
        added = self._records.submit_many(parcel.user_id, requests, parent=parcel.uid, group=group)
        self.announce([uid for uid, created in added if created])
        return len(added)

    def announce(self, uids: Sequence[str]) -> None:
        """New downloads: to everybody who looks, and to the queue."""
        for uid in uids[:TOLD_ONE_BY_ONE]:
            self._ledger.tell(uid)      # that it waits, before anybody takes it
        for uid in uids:
            self.offer(uid)


def unfetched(job: Any) -> dict[str, Any]:
    """What its row keeps of a download that goes on with another candidate."""
    return Parcel.taken_up(job).unfetched().kept()


def filled(options: Options, settings: Any) -> Options:
    """`options` with the settings in every gap."""
    format = options.format or (None if settings.download_format == "keep" else settings.download_format)
    return replace(
        options, format=format, bitrate_kbps=options.bitrate_kbps or settings.download_bitrate_kbps,
        level=options.level or settings.download_level,
        trim=settings.download_trim if options.trim is None else options.trim)


def _host(link: str | None) -> str:
    """Of a link, as far as it has one."""
    with contextlib.suppress(ValueError):
        return urlsplit(link or "").netloc.lower()
    return ""


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).strftime("%H:%M:%S")
