"""Keep library.json beside the database, and take up what other programs write into it.

The writing, reading and comparing is done by a worker process; here one thread looks at the file once a second
(one stat), waits until the library has been quiet for a moment, and applies what was edited.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shared.database import Database
from shared.events import EventBus, LibraryChanged, Notice
from shared.library.manifest_work import FILE, Look, look, some, state_of
from shared.model.errors import SoundsibleError
from shared.ports import Workers
from shared.records import revisions

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
START_AFTER_S = 3.0         # the first answers of a station that starts come first
QUIET_S = 5.0               # without a change, before it is written
LONGEST_S = 60.0            # while changes go on, it is written so often
LISTENING_S = 120.0         # when only favourites and plays moved
SETTLED_S = 5.0             # a file that cannot be read may still be being written for so long
WORK_TIMEOUT_S = 900.0
RETRY_S = 60.0
BROKEN_KEPT = 5             # files set aside, the newest
_HEARD = 2000               # (revision, time) pairs remembered, to tell which of two edits is the newer


class Manifest:
    """One thread that exports and absorbs library.json.

    apply(uid, fields) takes an edit over into the library; what it refuses (SoundsibleError) is told.
    """

    def __init__(
        self, *, database: Database, events: EventBus, folder: Path, workers: Workers,
        apply: Callable[[str, dict[str, Any]], object], look_every_s: float = LOOK_EVERY_S,
        start_after_s: float = START_AFTER_S, quiet_s: float = QUIET_S, longest_s: float = LONGEST_S,
        settled_s: float = SETTLED_S,
    ) -> None:
        self._database = database
        self._events = events
        self._folder = folder
        self._workers = workers
        self._apply = apply
        self._look_every_s, self._start_after_s = look_every_s, start_after_s
        self._quiet_s, self._longest_s, self._settled_s = quiet_s, longest_s, settled_s
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._poked = False
        self._thread: threading.Thread | None = None
        self._unsubscribe: Callable[[], None] = lambda: None
        self._heard: deque[tuple[int, float]] = deque(maxlen=_HEARD)
        self._unknown_at = 0.0                  # taken for changes from before the start
        self._seen: Look | None = None          # how library.json looked when it was last written or taken up
        self._glimpsed: Look | None = None      # a foreign look, until it has been the same twice
        self._glimpsed_at = 0.0
        self._written: tuple[int, int] = (-1, -1)   # revision and library revision of the last export
        self._first_change: float | None = None
        self._last_change = 0.0
        self._not_before = 0.0
        self._last_export = float("-inf")

    def start(self) -> None:
        self._unsubscribe = self._events.subscribe(LibraryChanged, self._on_change)
        self._thread = threading.Thread(target=self._run, name="library.json", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; what is not exported yet is at the next start."""
        self._unsubscribe()
        self._ending.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(1.0)

    def poke(self) -> None:
        """Look at the file and write it now, without waiting for quiet."""
        self._poked = True
        self._wake.set()

    # ---- the thread -----------------------------------------------------------------------------------------------

    def _on_change(self, event: LibraryChanged) -> None:
        now = time.monotonic()
        if not self._heard or event.revision > self._heard[-1][0]:
            self._heard.append((event.revision, time.time()))
        self._last_change = now
        if self._first_change is None:
            self._first_change = now

    def _run(self) -> None:
        self._wake.wait(self._start_after_s)
        begun = False
        while not self._ending.is_set():
            self._wake.clear()
            poked, self._poked = self._poked, False
            try:
                if not begun:
                    self._begin()
                    begun = True
                if poked or time.monotonic() >= self._not_before:
                    self._turn(poked)
            except Exception as error:  # the edge of a thread; it must not end
                if self._ending.is_set():
                    return
                if isinstance(error, SoundsibleError | OSError):
                    log.warning("library.json could not be kept up: %s", error)
                else:
                    log.exception("library.json could not be kept up")
                self._not_before = time.monotonic() + RETRY_S
            self._wake.wait(self._look_every_s)

    def _begin(self) -> None:
        state = state_of(self._folder)
        self._seen = tuple(state["look"]) if state else None
        self._unknown_at = _newest(self._database.path)
        if state.get("revision") == self._moved()[0] and look(self._folder) == self._seen:
            self._written = self._moved()   # nothing happened while the station was away
        else:
            self._first_change = self._last_change = time.monotonic() - self._quiet_s

    def _turn(self, poked: bool) -> None:
        now = look(self._folder)
        if now is None and self._seen is not None:
            self._seen, poked = None, True      # somebody removed it
        if now is not None and now != self._seen:
            if now == self._glimpsed or poked:
                self._absorb(now)
            if now != self._glimpsed:
                self._glimpsed, self._glimpsed_at = now, time.monotonic()
            return
        self._glimpsed = None
        if poked or self._is_due():
            self._export()

    def _is_due(self) -> bool:
        first = self._first_change
        if first is None:
            return False
        now = time.monotonic()
        if now - self._last_change < self._quiet_s and now - first < self._longest_s:
            return False
        return now - self._last_export >= LISTENING_S or self._moved()[1] != self._written[1]

    def _moved(self) -> tuple[int, int]:
        with self._database.read() as connection:
            return revisions.current(connection), revisions.library(connection)

    # ---- out ------------------------------------------------------------------------------------------------------

    def _export(self) -> None:
        self._first_change, since = None, self._first_change
        moved, begun = self._moved(), time.monotonic()
        try:
            done = self._workers.run(
                "shared.library.manifest_work:export", str(self._database.path), str(self._folder), self._seen,
                timeout_s=WORK_TIMEOUT_S,
            )
        except BaseException:
            self._first_change = self._first_change or since or begun
            raise
        if done["status"] == "edited":
            self._first_change = self._first_change or since or begun
            return
        self._seen = tuple(done["look"])
        self._written = moved
        self._last_export = time.monotonic()
        # A large library is not written again and again while it grows.
        self._not_before = self._last_export + min(self._longest_s, 10 * (self._last_export - begun))
        log.debug("library.json: %s in %.1f s", done["status"], self._last_export - begun)

    # ---- in -------------------------------------------------------------------------------------------------------

    def _absorb(self, now: Look) -> None:
        told: dict[str, list[str]] = {"conflicts": [], "wrong": [], "unknown": [], "ignored": []}
        applied = removed = after = 0
        while True:
            found = self._workers.run(
                "shared.library.manifest_work:compare", str(self._database.path), str(self._folder),
                expected=now, heard=tuple(self._heard), unknown_at=self._unknown_at, after=after,
                timeout_s=WORK_TIMEOUT_S,
            )
            if found["status"] == "moved":
                return      # still being written; the next look sees it
            if found["status"] == "ours":
                self._seen = now
                return
            if found["status"] == "broken":
                if time.monotonic() - self._glimpsed_at >= self._settled_s:     # else it may still be being written
                    self._set_aside(found["reason"])
                return
            for uid, fields in found["edits"]:
                if self._ending.is_set():
                    return
                try:
                    self._apply(uid, fields)
                    applied += 1
                except SoundsibleError as error:
                    told["wrong"].append(error.message)
            told["conflicts"] += [
                f"{name} of “{title}” ({'library.json' if kept == 'theirs' else 'the station'} was newer)"
                for title, name, kept in found["conflicts"]
            ]
            for kind in ("wrong", "unknown", "ignored"):
                told[kind] += found[kind]
            removed += found["removed"]
            if found["following"] is None:
                break
            after = found["following"]
        self._seen = now
        self._first_change = self._first_change or time.monotonic()     # written anew, in our own form
        self._last_change = time.monotonic() - self._quiet_s
        self._written = (-1, -1)
        self._tell(applied, removed, told)

    def _tell(self, applied: int, removed: int, told: dict[str, list[str]]) -> None:
        sentences = []
        if applied:
            sentences.append(f"Edits to {applied} {_tracks(applied)} in library.json were taken up.")
        if told["conflicts"]:
            sentences.append("Edited in library.json and in the station, the newer was kept: "
                             f"{some(told['conflicts'])}.")
        if told["wrong"]:
            sentences.append(f"Not taken up: {some(told['wrong'])}.")
        if told["unknown"]:
            sentences.append(f"The library has no track {some(told['unknown'])}.")
        if removed:
            sentences.append(f"{removed} {_tracks(removed)} removed from library.json stay in the library.")
        if told["ignored"]:
            sentences.append(f"Only told there, not taken up: {some(told['ignored'])}.")
        if not sentences:
            return
        troubled = told["conflicts"] or told["wrong"] or told["unknown"]
        message = " ".join(sentences)
        log.info("%s", message)
        self._events.publish(Notice("warning" if troubled else "info", message, of_files=True))

    def _set_aside(self, reason: str) -> None:
        name = f"{FILE}.broken-{time.strftime('%Y%m%d-%H%M%S')}"
        count = 1
        while (self._folder / name).exists():
            count += 1
            name = f"{FILE}.broken-{time.strftime('%Y%m%d-%H%M%S')}-{count}"
        os.rename(self._folder / FILE, self._folder / name)
        self._keep_private(name)
        message = (f"library.json cannot be read ({reason}). It was set aside as {name}, and a fresh one is written; "
                   "nothing in the library changed.")
        log.warning("%s", message)
        self._events.publish(Notice("error", message, of_files=True))
        self._seen = None
        self._export()

    def _keep_private(self, name: str) -> None:
        """Nobody but the station's user reads a file set aside, whoever wrote it; only the last few are kept."""
        try:
            if not (self._folder / name).is_symlink():
                os.chmod(self._folder / name, 0o600)
            older = sorted(one for one in os.listdir(self._folder) if one.startswith(f"{FILE}.broken-"))
            for one in older[:-BROKEN_KEPT]:
                os.unlink(self._folder / one)
        except OSError as error:
            log.warning("what was set aside of library.json could not be put in order: %s", error)


def _tracks(count: int) -> str:
    return "track" if count == 1 else "tracks"


def _newest(database: Path) -> float:
    """When the database, with its journal, was last written to."""
    times = [0.0]
    for suffix in ("", "-wal"):
        try:
            times.append(os.stat(f"{database}{suffix}").st_mtime)
        except FileNotFoundError:
            continue
    return max(times)
