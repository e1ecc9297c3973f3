"""Listen to the library, to know what each track sounds like: gently, a little at a time, in a worker process.

In the night or always (setting sonic_analysis) one track after the other is listened to as long as nobody else does,
and no scan runs. What was found is written as it comes, so that an end at any moment loses a few seconds of it; a file
that cannot be listened to is remembered until it changes, one that cannot be reached now is tried again later. Tracks
that lie in buckets alone are left out: fetching them for this would cost more than it is worth.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Protocol

from shared.model.errors import Overloaded, SoundsibleError, UnreadableFile
from shared.model.source import TrackFile
from shared.model.units import Seconds
from shared.model.work import Moved
from shared.ports import Work, Workers
from shared.records.sounds import Coverage, Due, Heard, Sounds

log = logging.getLogger(__name__)

FIRST_S: Seconds = 60.0         # after the start, when the station has enough to do
LOOK_EVERY_S: Seconds = 300.0   # whether there is something new
ASIDE_S: Seconds = 20.0         # while somebody listens or a scan runs, it is looked so often whether that is over
NIGHT_S: Seconds = 4 * 3600.0   # from the hour of the nightly work on
TOGETHER, WRITE_EVERY_S = 25, 10.0      # rows are written by so many, or so often
TIMEOUT_S: Seconds = 60.0       # for one track
NOW_S: Seconds = 10.0           # likewise, while somebody waits for it
_DEED = "shared.audio.timbre:describe"
_NOT_NOW = frozenset({"vanished", "no_permission", "unknown"})     # reasons that say nothing of what is in the file


class Place(Protocol):
    """Where the bytes of a track lie on this machine (storage.local, storage.cache). May raise SoundsibleError."""

    def __call__(self, file: TrackFile, /) -> str | None: ...


@dataclass(slots=True)
class Report:
    """What came of listening. unheard: cannot be listened to; away: not on this machine, or not to be reached now."""

    heard: int = 0
    unheard: int = 0
    away: int = 0
    stopped: bool = False

    @property
    def done(self) -> int:
        return self.heard + self.unheard + self.away


class Sounding:
    """workers: their processes should be niced; place: see Place; when: off, night or always; night: when the last
    night began (Unix seconds); busy: whether something else comes first now."""

    def __init__(
        self, *, sounds: Sounds, workers: Workers, place: Place, when: str = "off",
        night: Callable[[float], float] = lambda now: 0.0, busy: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.time, first_s: Seconds = FIRST_S, look_every_s: Seconds = LOOK_EVERY_S,
        aside_s: Seconds = ASIDE_S,
    ) -> None:
        self._sounds = sounds
        self._workers = workers
        self._place = place
        self._when = when
        self._night = night
        self._busy = busy
        self._clock = clock
        self._first_s, self._look_every_s, self._aside_s = first_s, look_every_s, aside_s
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._after = 0         # the last track that was looked at; those before it have had their turn

    @property
    def wanted(self) -> bool:
        """Whether the station listens at all."""
        return self._when != "off"

    def start(self) -> None:
        if self._thread is None and self.wanted:
            self._ending.clear()
            self._thread = threading.Thread(target=self._run, name="sounding", daemon=True)
            self._thread.start()

    def end(self) -> None:
        """Begin nothing more. What is being listened to right now is ended with the pool of workers."""
        self._ending.set()

    def stop(self, timeout_s: float = 1.0) -> None:
        self.end()
        if self._thread is not None:
            self._thread.join(timeout_s)
            self._thread = None

    # ---- in the background

    def _run(self) -> None:
        wait_s = self._first_s
        while not self._ending.wait(wait_s):
            try:
                wait_s = self.turn()
            except Exception as error:  # the edge of a thread; it must not end
                if self._ending.is_set():
                    return
                if isinstance(error, SoundsibleError):
                    log.warning("listening to the library had to pause: %s", error.message)
                else:
                    log.exception("listening to the library had to pause")
                wait_s = self._look_every_s

    def may(self) -> bool:
        """Whether now is the time."""
        if self._when == "night":
            now = self._clock()
            began = self._night(now)
            if not began <= now < began + NIGHT_S:
                return False
        return self.wanted

    def turn(self) -> Seconds:
        """Listen for a few seconds, if it may be; in how many seconds the next turn should come."""
        if not self.may():
            return self._look_every_s
        if self._busy():
            return self._aside_s
        began = time.monotonic()
        due = self._sounds.due(after=self._after, limit=TOGETHER)
        if not due:
            again, self._after = self._after > 0, 0
            # One round is over. What was away has its next chance in the next one.
            return self._look_every_s if again or self._look_every_s > ASIDE_S else self._aside_s
        found: list[Heard] = []
        try:
            for one in due:
                if self._ending.is_set() or self._busy() or time.monotonic() - began > WRITE_EVERY_S:
                    break
                heard = self._hear(one)
                if heard is not None:
                    found.append(heard)
                self._after = one.id
        finally:
            self._sounds.put(found)
        # By day the machine is somebody's: as long as was worked is rested.
        return 0.05 if self._when == "night" else min(30.0, max(0.05, time.monotonic() - began))

    # ---- now

    def listen(self, *, work: Work | None = None, limit: int | None = None, at_once: int = 1) -> Report:
        """Listen to all that is to be listened to, at most `limit` tracks, `at_once` at a time. Raises SoundsibleError
        when no worker can be had."""
        report, coverage = Report(), self._sounds.coverage()
        total = max(0, coverage.tracks - coverage.known - coverage.unheard)
        total = total if limit is None else min(limit, total)
        found: list[Heard] = []
        written_at = time.monotonic()
        try:
            with ThreadPoolExecutor(max(1, at_once), thread_name_prefix="sounding") as threads:
                for one, heard in self._answers(threads, self._all_due(limit), max(1, at_once), work):
                    report.heard += heard is not None and heard.vector is not None
                    report.unheard += heard is not None and heard.vector is None
                    report.away += heard is None
                    if heard is not None:
                        found.append(heard)
                    if len(found) >= TOGETHER or time.monotonic() - written_at > WRITE_EVERY_S:
                        self._sounds.put(found)
                        found, written_at = [], time.monotonic()
                    if work is not None:
                        work.tell(Moved("listening", report.done, max(total, report.done),
                                        now=os.fsdecode(one.file.path), failed=report.unheard))
        finally:
            self._sounds.put(found)
        report.stopped = work is not None and work.stopped()
        return report

    def hear_now(self, uid: str) -> bool:
        """Listen to this track before all others, if that is to be done; whether its sound is known now."""
        if not self.wanted:
            return False
        due = self._sounds.due(uid=uid, limit=1)
        heard = self._hear(due[0], NOW_S) if due else None
        if heard is None:
            return False
        self._sounds.put([heard])
        return heard.vector is not None

    def coverage(self) -> Coverage:
        return self._sounds.coverage()

    def _all_due(self, limit: int | None) -> Iterator[Due]:
        after, left = 0, limit
        while left is None or left > 0:
            due = self._sounds.due(after=after, limit=200 if left is None else min(200, left))
            if not due:
                return
            yield from due
            after = due[-1].id
            left = None if left is None else left - len(due)

    def _answers(self, threads: ThreadPoolExecutor, due: Iterator[Due], at_once: int, work: Work | None
                 ) -> Iterator[tuple[Due, Heard | None]]:
        """As they come, with no more under way than there are workers and one waiting."""
        under_way: dict[Future[Heard | None], Due] = {}
        try:
            while True:
                while len(under_way) <= at_once and not (work is not None and work.stopped()):
                    one = next(due, None)
                    if one is None:
                        break
                    under_way[threads.submit(self._hear, one)] = one
                if not under_way:
                    return
                for done in wait(under_way, return_when=FIRST_COMPLETED).done:
                    yield under_way.pop(done), done.result()
        finally:
            for future in under_way:
                future.cancel()

    # ---- one

    def _hear(self, due: Due, timeout_s: Seconds = TIMEOUT_S) -> Heard | None:
        """None: it is not here, or cannot be reached now. Raises what keeps workers from starting."""
        try:
            path = self._place(due.file)
        except Overloaded:
            raise
        except (SoundsibleError, OSError) as error:
            log.debug("%s cannot be reached now: %s", due.file.track_id, error)
            return None
        if path is None:
            return None
        try:
            vector = self._workers.run(_DEED, path, due.file.duration_ms, timeout_s=timeout_s)
        except UnreadableFile as error:
            if error.reason in _NOT_NOW or (error.reason == "timed_out" and timeout_s < TIMEOUT_S):
                return None
            log.info("%s cannot be listened to: %s", due.file.track_id, error.message)
            vector = None
        return Heard(due.id, due.source, vector)
