"""Keep up with the music folders: what changes there is scanned a moment later.

Folders on a disk of this machine are watched by a child process (watch_process). Where no news comes (network and
FUSE file systems, the system's limit of watches reached), they are looked through from time to time instead. Nothing
here touches a music folder in a thread that anybody waits for.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, Protocol

from shared.events import EventBus, Notice
from shared.library.scanner import within
from shared.library.scanning import Scanning, child_environment
from shared.model.errors import SoundsibleError
from shared.model.filepath import to_path
from shared.storage.mounts import Mounts

log = logging.getLogger(__name__)

LOOK_EVERY_S = 2.0          # at the list of music folders
SETUP_S = 120.0             # a child that has not set up its watches by then is held by a mount
PROBE_S = 5.0
LOST_AGAIN_S = 300.0        # between scans of a folder that has entries while all its tracks are missing
_SHARE = 10                 # looking through takes at most a tenth of the time
_PROJECT = Path(__file__).resolve().parent.parent.parent


class Wishes(Protocol):
    @property
    def watch_poll_s(self) -> int: ...
    @property
    def scan_on_start(self) -> bool: ...


class States(Protocol):
    """How music folders are (storage.access.Access)."""

    def state(self, root: str) -> str: ...
    def on_change(self, listener: Callable[[str, Any], None]) -> Callable[[], None]: ...


class Watcher:
    """A thread that starts scans.

    roots       the music folders of now, as text
    scanning    started with the folders in which something changed
    events      told when a folder cannot be watched
    access      looked at every two seconds: a folder that is online again is watched anew and scanned
    lost        the folders all of whose tracks are missing: scanned when they are online all the same
    """

    def __init__(self, *, roots: Callable[[], Sequence[str]], scanning: Scanning, settings: Wishes,
                 events: EventBus | None = None, mounts: Mounts | None = None, access: States | None = None,
                 lost: Callable[[], Collection[str]] | None = None) -> None:
        self._roots = roots
        self._scanning = scanning
        self._poll_s = settings.watch_poll_s
        self._catches_up = settings.scan_on_start
        self._events = events
        self._mounts = mounts or Mounts()
        self._access = access
        self._lost = lost or (lambda: ())
        self._lost_at: dict[str, float] = {}
        self._wake = threading.Condition()
        self._changed: set[str] = set()
        self._refused: set[str] = set()     # cannot be watched: looked through instead
        self._set_up: set[str] = set()
        self._all: tuple[str, ...] = ()
        self._watched: tuple[str, ...] = ()
        self._process: subprocess.Popen[str] | None = None
        self._began_at = 0.0
        self._thread: threading.Thread | None = None
        self._ending = False
        self._deaf: Callable[[], None] = lambda: None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True, name="watcher")
        self._thread.start()
        if self._access is not None:
            self._deaf = self._access.on_change(self._came_back)
            threading.Thread(target=self._look_after, args=(self._access,), daemon=True, name="watcher looks").start()

    def stop(self) -> None:
        self._deaf()
        with self._wake:
            self._ending = True
            self._wake.notify_all()
        if self._thread is not None:
            self._thread.join(2.0)

    def ways(self) -> dict[str, str]:
        """root → "watched", "polled", or "waiting" while its watches are set up."""
        with self._wake:
            return {root: "polled" if root not in self._watched else
                    "watched" if root in self._set_up else "waiting" for root in self._all}

    # ---- the thread -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        look_at = 0.0
        poll_at = time.monotonic() + self._poll_s
        scan_began: float | None = None
        try:
            while True:
                now = time.monotonic()
                if now >= look_at:
                    self._look()
                    look_at = now + LOOK_EVERY_S
                with self._wake:
                    self._wake.wait_for(lambda: self._changed or self._ending, LOOK_EVERY_S)
                    if self._ending:
                        return
                    changed, self._changed = self._changed, set()
                if changed:
                    self._scan(changed)
                now = time.monotonic()
                if scan_began is not None and not self._is_scanning():
                    poll_at = now + max(self._poll_s, _SHARE * (now - scan_began))
                    scan_began = None
                polled = [root for root in self._all if root not in self._watched]
                if polled and scan_began is None and now >= poll_at:
                    scan_began = now
                    self._scan(polled)
        finally:
            self._end_child()

    def _look(self) -> None:
        """Watch the folders of now; begin anew when they are others, or the child is stuck or gone."""
        try:
            every = tuple(sorted(self._roots()))
        except Exception as error:  # the edge of a thread that must go on
            log.warning("the music folders are not known: %s", error)
            return
        process = self._process
        if process is not None:
            if process.poll() is not None:
                self._give_up("the watching process ended")
            elif time.monotonic() - self._began_at > SETUP_S and self._set_up != set(self._watched):
                self._give_up("its watches cannot be set up")
        if every != self._all:
            kinds = {root: self._kind(root) for root in every}
            with self._wake:
                self._all = every
            self._watch(tuple(root for root in every if kinds[root] != "foreign" and root not in self._refused))

    def _look_after(self, access: States) -> None:
        """The thread that keeps the folders' states fresh; one that hangs holds it for one deadline, once."""
        while not self._ending:
            try:
                online = {root for root in self._all if access.state(to_path(root)) == "online"}
                lost = {root for root in self._lost() if root in online}
                now = time.monotonic()
                for root in lost if not self._is_scanning() else ():
                    if now - self._lost_at.get(root, float("-inf")) >= LOST_AGAIN_S:
                        self._lost_at[root] = now
                        self._came_back(to_path(root), "online")
            except Exception:   # the edge of a thread that must go on
                log.exception("the music folders could not be looked at")
            with self._wake:
                self._wake.wait_for(lambda: self._ending, LOOK_EVERY_S)

    def _came_back(self, path: str, state: str) -> None:
        """A folder is online that was not, or holds what is missing: watch it anew and scan it."""
        if state != "online":
            self._lost_at.pop(next((root for root in self._all if to_path(root) == path), ""), None)
            return
        with self._wake:
            self._changed.update(root for root in self._all if to_path(root) == path)
            if self._process is not None and self._process.stdin is not None:
                with contextlib.suppress(OSError, ValueError):
                    self._process.stdin.write(json.dumps({"again": path}) + "\n")
                    self._process.stdin.flush()
            self._wake.notify_all()

    def _kind(self, root: str) -> str:
        """Where the folder lies; "foreign" when that cannot be told in time."""
        real = within(PROBE_S, lambda: os.path.realpath(to_path(root)))
        return self._mounts.kind(real) if isinstance(real, str) else "foreign"

    def _watch(self, roots: tuple[str, ...]) -> None:
        self._end_child()
        with self._wake:
            self._watched, self._set_up = roots, set()
        if not roots:
            return
        self._began_at = time.monotonic()
        # Started by this thread, which lives as long as the child: Linux ties it to the thread.
        self._process = process = subprocess.Popen(
            [sys.executable, "-m", "shared.library.watch_process"], cwd=_PROJECT, env=child_environment(),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8", start_new_session=True)
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            order = {"parent": os.getpid(), "roots": [to_path(root) for root in roots]}
            process.stdin.write(json.dumps(order) + "\n")
            process.stdin.flush()
        names = {to_path(root): root for root in roots}
        threading.Thread(target=self._follow, args=(process, names), daemon=True, name="watcher news").start()

    def _follow(self, process: subprocess.Popen[str], names: dict[str, str]) -> None:
        assert process.stdout is not None
        with contextlib.suppress(OSError, ValueError):
            for line in process.stdout:
                try:
                    self._heard(process, names, json.loads(line))
                except Exception:   # one piece of news is lost, not all that follow
                    log.exception("news of a music folder could not be taken")
        with contextlib.suppress(OSError):
            process.stdout.close()

    def _heard(self, process: subprocess.Popen[str], names: dict[str, str], news: dict[str, Any]) -> None:
        why = None
        with self._wake:
            if process is not self._process:
                return
            if (path := news.get("changed")) is not None:
                self._changed.add(names[path])
            elif (path := news.get("watching")) is not None:
                self._set_up.add(names[path])
                if names[path] in self._refused:        # it was refused, and no longer is
                    self._refused.discard(names[path])
                    self._watched = (*self._watched, names[path])
                    self._changed.add(names[path])
                if self._catches_up or self._is_scanning():
                    self._changed.add(names[path])      # what came before it was watched
            elif (path := news.get("refused")) is not None:
                root, why = names[path], str(news.get("why"))
                if root in self._refused:
                    why = None      # told already
                self._refused.add(root)
                self._watched = tuple(one for one in self._watched if one != root)
            self._wake.notify_all()
        if why is not None:
            self._tell(names[news["refused"]], why)

    def _give_up(self, why: str) -> None:
        """The child does not work: the folders whose watches were not set up are polled, the others watched anew."""
        waiting = [root for root in self._watched if root not in self._set_up] or list(self._watched)
        for root in waiting:
            self._refused.add(root)
            self._tell(root, why)
        self._watch(tuple(root for root in self._watched if root not in self._refused))

    def _tell(self, root: str, why: str) -> None:
        message = (f"The music folder {root} cannot be watched ({why}). It is looked through every {self._poll_s} s "
                   "instead.")
        if "limit" in why.lower() or "no space" in why.lower():
            message += " To have it watched, raise the system's limit: sysctl fs.inotify.max_user_watches=1048576."
        log.warning("%s", message)
        if self._events is not None:
            self._events.publish(Notice("warning", message, of_files=True))

    def _scan(self, roots: set[str] | list[str]) -> None:
        there = [root for root in roots if root in self._all]
        if not there:
            return
        try:
            self._scanning.start(roots=there)
        except SoundsibleError as error:
            log.info("no scan of %s: %s", ", ".join(there), error.message)
        except Exception:   # the edge of a thread that must go on
            log.exception("no scan of %s", ", ".join(there))

    def _is_scanning(self) -> bool:
        try:
            return self._scanning.is_running()
        except Exception:   # the database does not say; the next look asks again
            return False

    def _end_child(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
