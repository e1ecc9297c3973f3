"""Notice that the library moved on, whoever moved it, and tell the house.

Writes of this process nudge; writes of others (a scan's own process, the command line) are seen by asking SQLite's
data_version twice a second, which reads one page. Many changes in a row become one LibraryChanged.
"""

from __future__ import annotations

import logging
import threading

from shared.database import Database
from shared.events import EventBus, LibraryChanged
from shared.model.errors import SoundsibleError
from shared.records import revisions

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5
AT_LEAST_BETWEEN_S = 0.1


class Pulse:
    """A thread that publishes LibraryChanged."""

    def __init__(self, *, database: Database, events: EventBus) -> None:
        self._database = database
        self._events = events
        self._nudge = threading.Event()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._revision = -1

    def start(self) -> None:
        self._database.on_commit(self._nudge.set)
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        self._nudge.set()
        if self._thread is not None:
            self._thread.join(2)

    def _run(self) -> None:
        seen = None
        self._revision = self._current()
        while not self._ending.is_set():
            nudged = self._nudge.wait(LOOK_EVERY_S)
            self._nudge.clear()
            if self._ending.is_set():
                return
            try:
                version = self._database.data_version()
                if not nudged and version == seen:
                    continue
                seen = version
                revision = self._current()
            except (SoundsibleError, OSError) as error:
                log.warning("the library's revision cannot be read: %s", error)
                continue
            if revision != self._revision:
                self._revision = revision
                self._events.publish(LibraryChanged(revision))
                self._ending.wait(AT_LEAST_BETWEEN_S)

    def _current(self) -> int:
        with self._database.read() as connection:
            return revisions.current(connection)
