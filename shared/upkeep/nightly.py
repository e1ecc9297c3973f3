"""What the station does by itself every night: look after its database, and make a backup.

Both are errands of the tool; here is only the clock. What fell into a time when the station was off or the machine
asleep is made up for soon after, once. The clock is looked at every minute, so that neither sleep nor a changed clock
nor summer time matters.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from shared.events import EventBus, Notice
from shared.model.errors import SoundsibleError
from shared.model.units import Seconds
from shared.records import notes as records
from shared.records.notes import Notes
from shared.settings import Settings

log = logging.getLogger(__name__)

LOOK_EVERY_S: Seconds = 60.0
FIRST_S: Seconds = 120.0            # after the start, when the station has enough to do
AGAIN_S: Seconds = 900.0            # when an errand could not be taken on
DAYS = {"daily": 1, "weekly": 7}
_DAY = 86_400.0


def last_moment(now: float, at: str) -> float:
    """When it was last `at` o'clock (HH:MM, local time), now at the latest."""
    hour, minute = (int(part) for part in at.split(":"))
    today = time.localtime(now)
    for days_ago in range(3):       # an hour that summer time leaves out may lie after now
        moment = time.mktime((today.tm_year, today.tm_mon, today.tm_mday - days_ago, hour, minute, 0, 0, 0, -1))
        if moment <= now:
            return moment
    return now


class Nightly:
    """submit(kind): takes on an errand, `check` or `backup`. tidy(): is called once a night, and is quick. `start` and
    `stop` belong to the station's."""

    def __init__(
        self, *, settings: Settings, notes: Notes, submit: Callable[[str], object], events: EventBus,
        tidy: Callable[[], object] = lambda: None, clock: Callable[[], float] = time.time,
        look_every_s: Seconds = LOOK_EVERY_S, first_s: Seconds = FIRST_S,
    ) -> None:
        self._settings = settings
        self._notes = notes
        self._submit = submit
        self._tidy = tidy
        self._tidied_at = 0.0
        self._events = events
        self._clock = clock
        self._look_every_s, self._first_s = look_every_s, first_s
        self._not_before = 0.0
        self._told: dict[str, float] = {}
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        if self._thread is None:
            self._ending.clear()
            self._thread = threading.Thread(target=self._run, name="nightly", daemon=True)
            self._thread.start()

    def stop(self, timeout_s: float = 1.0) -> None:
        self._ending.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
            self._thread = None

    def _run(self) -> None:
        wait_s = self._first_s
        while not self._ending.wait(wait_s):
            wait_s = self._look_every_s
            try:
                self.turn()
            except Exception as error:  # the edge of a thread; it must not end
                if isinstance(error, SoundsibleError):
                    log.warning("the nightly work could not be looked at: %s", error.message)
                else:
                    log.exception("the nightly work could not be looked at")

    def turn(self) -> Sequence[str]:
        """Take on what is due now, and tell what went wrong; the kinds that were taken on."""
        now = self._clock()
        self._tell()
        if now < self._not_before:
            return []
        kept = self._notes.get(records.NIGHTLY)
        moment = last_moment(now, self._settings.upkeep_at)
        if self._tidied_at < moment or self._tidied_at > now:
            self._tidied_at = now
            self._tidy()
        done: list[str] = []
        for kind, wanted in (("check", self._settings.self_check), ("backup", self._backup_wanted())):
            last = kept.get(kind)
            if not wanted:
                if last is not None:    # turned on again it begins with the next night
                    del kept[kind]
                    self._notes.put(records.NIGHTLY, kept)
                continue
            if isinstance(last, int | float) and last > now:
                last = None             # the clock was set back
            if last is None:
                kept[kind] = now
                self._notes.put(records.NIGHTLY, kept)
            elif last < moment and (kind == "check" or self._backup_due(moment)):
                try:
                    self._submit(kind)
                except SoundsibleError as error:
                    log.warning("the nightly %s could not begin: %s", kind, error.message)
                    self._not_before = now + AGAIN_S
                    break
                kept[kind] = now
                self._notes.put(records.NIGHTLY, kept)
                done.append(kind)
        return done

    def _backup_wanted(self) -> bool:
        return self._settings.backup_every in DAYS and bool(self._settings.backup_to)

    def _backup_due(self, moment: float) -> bool:
        """Whether the last one that succeeded is old enough; one that failed is tried again the next night."""
        last = self._notes.get(records.BACKUP).get("at")
        if not isinstance(last, int | float):
            return True
        return moment - last > (DAYS[self._settings.backup_every] - 0.5) * _DAY or last > moment + _DAY

    def _tell(self) -> None:
        """What went wrong while nobody looked, once for each start of the station."""
        check = self._notes.get(records.SELF_CHECK)
        at = check.get("checked_at")
        if check.get("ok") is False and isinstance(at, int | float) and self._told.get("check") != at:
            self._told["check"] = at
            found = [one for one in check.get("problems", []) if isinstance(one, dict)]
            first = found[0] if found else {}
            self._events.publish(Notice("error", f"{first.get('message', 'The self-check found something wrong.')} "
                                                 f"{first.get('remedy', 'Run tool doctor.')}", of_files=True))
        backup = self._notes.get(records.BACKUP)
        failed = backup.get("failed_at")
        if isinstance(failed, int | float) and self._told.get("backup") != failed:
            self._told["backup"] = failed
            self._events.publish(Notice("warning", f"The last backup did not succeed: {backup.get('message', '')}",
                                        of_files=True))
