"""Artists, albums, playlists and feeds that are watched: what is new there since the last look is queued.

A watch knows the keys of all it has seen. A look asks for what its link leads to now and queues what is new and not
owned, the newest first and at most as many at a time as the person allowed; the rest is left for the next look. What
cannot be looked at is tried again later and later, its reason kept where people see it.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from shared.model.download import Failure, Offer, Options, Request, Wanted
from shared.model.errors import SoundsibleError, Unprocessable
from shared.model.person import Person
from shared.model.units import Seconds

log = logging.getLogger(__name__)

WAKE_S: Seconds = 60.0              # the clock is looked at so often at least
FIRST_S: Seconds = 20.0             # after the start, when the station has enough to do
APART_S = (0.5, 3.0)                # between two looks, at random: many may be due at once
BACK_OFF_S: Seconds = 3600.0        # after a failure; twice as long after each further one
LONGEST_BACK_OFF_S: Seconds = 86_400.0
SPREAD = 0.05                       # a watch's times wander by this part, so that they do not all come at once


def keys_of(track: Wanted) -> list[str]:
    """What a track is known by: any one of them says that it was seen. A recording's ISRC holds also when a catalogue
    offers it from another album."""
    keys = [f"isrc:{track.isrc}"] if track.isrc else []
    if track.source_id:
        keys.append(f"{track.source}:{track.source_id}")
    elif link := track.fetch_url or track.source_url:
        keys.append(f"url:{link}")
    elif not keys:
        keys.append(f"words:{(track.artist or '').casefold()}\x1f{(track.title or '').casefold()}")
    return keys


def newest_first(kind: str, tracks: Sequence[Wanted]) -> list[Wanted]:
    """The tracks of a watched thing, what came last first. Playlists grow at their end; feeds at their beginning."""
    if kind == "playlist":
        return list(reversed(tracks))
    if kind == "artist" or (kind == "feed" and all(one.date for one in tracks)):
        return sorted(tracks, key=lambda one: one.date or "", reverse=True)
    return list(tracks)


class Watching:
    """watches: records.watches.Watches; resolve(url) → Offer; submit(user_id, requests, group) queues them;
    owned(wanted) → the library's track or None. `start` and `stop` belong to the station's."""

    def __init__(
        self, *, watches: Any, resolve: Callable[[str], Offer],
        submit: Callable[[int, Sequence[Request], str], object], owned: Callable[[Wanted], str | None] | None = None,
        clock: Callable[[], float] = time.time, first_s: Seconds = FIRST_S, apart_s: tuple[float, float] = APART_S,
    ) -> None:
        self._watches = watches
        self._resolve = resolve
        self._submit = submit
        self._owned = owned
        self._clock = clock
        self._first_s = first_s
        self._apart_s = apart_s
        self._lock = threading.Lock()
        self._busy: set[str] = set()
        self._failed: dict[str, int] = {}           # watch → failures in a row
        self._not_before: dict[str, float] = {}
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    # ---- start and stop --------------------------------------------------------------------------------------------

    def start(self) -> None:
        if self._thread is None:
            self._ending.clear()
            self._thread = threading.Thread(target=self._run, name="watching", daemon=True)
            self._thread.start()

    def stop(self, timeout_s: float = 1.0) -> None:
        """Look no more. A look under way ends by itself; it queues nothing after this."""
        self._ending.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
            self._thread = None

    # ---- deeds of people -------------------------------------------------------------------------------------------

    def add(
        self, person: Person, *, url: str, kind: str | None = None, name: str | None = None,
        options: Options | None = None, every_s: int = 86_400, most: int = 50, nightly: bool = False,
        existing: bool = False,
    ) -> Any:
        """Watch what a link leads to; asks for it once, to name it and to know what is there. `existing`: what is
        there already is wanted, too. The watch as it is shown. Raises Failure, Unprocessable, Conflict.
        """
        offer = self._resolve(url)
        if kind is None:
            if offer.kind == "track" and len(offer.tracks) <= 1:
                raise Unprocessable("This link leads to a single track; nothing new will come there. Download it "
                                    "instead.", field="url")
            kind = "feed" if offer.source == "direct" or offer.kind == "track" else offer.kind
        now = self._clock()
        made = self._watches.add(
            person.user_id, kind=kind, url=url, name=name or offer.title or url, options=options or Options(),
            every_s=every_s, most=most, nightly=nightly,
            seen=[] if existing else [key for track in offer.tracks for key in keys_of(track)],
            next_at=now if existing else now + _spread(every_s),
        )
        if existing:
            self._wake.set()
        return made

    def check(self, uid: str) -> int:
        """Look at one now: how many tracks were queued. Why it could not be looked at is kept with it. Raises NotFound.

        Seconds, when its service is slow. A look at it that is under way already is not doubled.
        """
        return self._look(self._watches.one(uid))

    # ---- looking ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        self._ending.wait(self._first_s)
        while not self._ending.is_set():
            self._wake.clear()
            try:
                wait_s = self._round()
            except Exception:   # the edge of the thread: a closed database, a full disk
                log.exception("what is watched could not be looked at")
                wait_s = WAKE_S
            self._wake.wait(wait_s)

    def _round(self) -> Seconds:
        """Look at all that is due; how long until something is."""
        for due in self._watches.due(self._clock()):
            if self._ending.is_set():
                return 0.0
            if self._not_before.get(due.uid, 0.0) > self._clock():
                continue
            self._look(due)
            self._ending.wait(random.uniform(*self._apart_s))  # nosec B311  # spreads load; guards nothing
        soonest = self._watches.next_at()
        wait_s = WAKE_S if soonest is None else soonest - self._clock()
        return min(max(wait_s, 1.0), WAKE_S) * random.uniform(1.0, 1.0 + SPREAD)  # nosec B311  # spreads load; guards nothing

    def _look(self, due: Any) -> int:
        with self._lock:
            if due.uid in self._busy:
                return 0
            self._busy.add(due.uid)
        try:
            queued, seen = self._queue_new(due)
        except SoundsibleError as failure:
            self._put_off(due, failure)
            return 0
        except Exception:       # a catalogue's own bug must not end the watching of all others
            log.exception("the watch %s could not be looked at", due.uid)
            self._put_off(due, Failure("internal", "Looking at it failed; the log says more."))
            return 0
        finally:
            with self._lock:
                self._busy.discard(due.uid)
        if self._ending.is_set() and not queued:
            return 0
        self._failed.pop(due.uid, None)
        self._not_before.pop(due.uid, None)
        self._watches.mark_checked(due.uid, seen, now=self._clock())
        if queued:
            log.info("%d new in the watch %s", queued, due.uid)
        return queued

    def _queue_new(self, due: Any) -> tuple[int, list[str]]:
        """Queue what is new: (how many, the keys that are known from now on)."""
        offer = self._resolve(due.url)
        chosen: list[Wanted] = []
        seen: list[str] = []
        known = set(due.seen)
        for track in newest_first(due.kind, offer.tracks):
            keys = keys_of(track)
            if known.isdisjoint(keys):
                nobodys = (track.title or track.fetch_url) and not (self._owned is not None and self._owned(track))
                if nobodys and len(chosen) >= due.most:
                    continue        # for the next look
                if nobodys:
                    chosen.append(track)
            seen += [key for key in keys if key not in known]   # what is known may have one more name now
            known.update(keys)
        if self._ending.is_set():
            return 0, []
        if chosen:
            order = {id(track): place for place, track in enumerate(offer.tracks)}
            chosen.sort(key=lambda track: order[id(track)])
            group = f"watch-{due.uid}-{int(self._clock())}"
            self._submit(due.user_id, self._requests(due, chosen, group), group)
        return len(chosen), seen

    @staticmethod
    def _requests(due: Any, tracks: Iterable[Wanted], group: str) -> list[Request]:
        return [Request(wanted=one, options=due.options, nightly=due.nightly, group=group) for one in tracks]

    def _put_off(self, due: Any, failure: SoundsibleError) -> None:
        """Try later: when a service said so or its circuit breaker opens again, else twice as late each time."""
        now = self._clock()
        asked_s = getattr(failure, "retry_after_s", None)
        if failure.details.get("opens_at") or (asked_s and failure.retryable):
            wait_s = max(float(failure.details.get("opens_at") or 0.0) - now, float(asked_s or 0.0), 1.0)
        else:
            count = self._failed[due.uid] = self._failed.get(due.uid, 0) + 1
            wait_s = min(BACK_OFF_S * 2.0 ** min(count - 1, 10), LONGEST_BACK_OFF_S)
        self._not_before[due.uid] = now + _spread(wait_s)
        log.info("the watch %s is put off for %.0f s: %s", due.uid, wait_s, failure.message)
        self._watches.mark_checked(due.uid, error=failure.message, now=now)


def _spread(seconds: float) -> float:
    return seconds * random.uniform(1.0 - SPREAD, 1.0 + SPREAD)  # nosec B311  # spreads load; guards nothing
