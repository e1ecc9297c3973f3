"""Build every part of the station once and hand each its collaborators; start them, and stop them in reverse.

Nothing else in the house constructs a part with state. Making a Station opens nothing: that is `start`.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

from shared.audio.pool import WorkerPool
from shared.database import Database
from shared.events import EventBus
from shared.library.covers import Covers
from shared.library.demo import ensure_demo
from shared.library.manifest import Manifest
from shared.library.presence import Presence
from shared.library.pulse import Pulse
from shared.library.scanning import Scanning
from shared.library.shelf import Shelf
from shared.library.transcodes import Transcodes
from shared.library.watcher import Watcher
from shared.model.errors import SoundsibleError, StartFailed
from shared.records.albums import Albums
from shared.records.artists import Artists
from shared.records.changes import Changes
from shared.records.genres import Genres
from shared.records.listening import Listening
from shared.records.people import People
from shared.records.playlists import Playlists
from shared.records.scans import Scans
from shared.records.search import Search
from shared.records.tracks import Tracks
from shared.security.accounts import Accounts
from shared.security.setup import Setup
from shared.security.throttle import Throttle
from shared.settings import Settings
from shared.storage.access import Access
from shared.storage.local import LocalStorage
from shared.storage.resolver import Resolver

log = logging.getLogger(__name__)


class Station:
    """All parts, by the names of their rooms."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.events = EventBus()

        self.presence = Presence(settings.data_dir)

        # memory
        self.database = Database(settings.database_path)
        self.tracks = Tracks(database=self.database)
        self.albums = Albums(database=self.database)
        self.artists = Artists(database=self.database)
        self.genres = Genres(database=self.database)
        self.search = Search(database=self.database)
        self.changes = Changes(database=self.database)
        self.playlists = Playlists(database=self.database)
        self.listening = Listening(database=self.database)
        self.people = People(database=self.database)
        self.scans = Scans(database=self.database)

        # crafts and places
        self.workers = WorkerPool(
            size=settings.transcodes_at_once + 2,   # covers and tags do not wait behind conversions
            memory_bytes=settings.worker_memory_bytes, name="craft",
        )
        self.access = Access(closed_folders=[settings.config_dir, settings.data_dir, settings.cache_dir])
        self.resolver = Resolver(storages=[LocalStorage(access=self.access)])

        # work
        self.scanning = Scanning(settings=settings, scans=self.scans, events=self.events)
        self.watcher = Watcher(
            roots=lambda: [root.path for root in self.scans.roots()], scanning=self.scanning, settings=settings,
            events=self.events, access=self.access, lost=self.scans.lost_roots,
        )
        self.shelf = Shelf(
            tracks=self.tracks, access=self.access, workers=self.workers, scans=self.scans, settings=settings
        )
        self.covers = Covers(
            albums=self.albums, access=self.access, workers=self.workers,
            folder=settings.cache_dir / "covers", limit_bytes=settings.cover_cache_bytes,
        )
        self.transcodes = Transcodes(
            workers=self.workers, folder=settings.cache_dir / "transcodes",
            at_once=settings.transcodes_at_once, limit_bytes=settings.transcode_cache_bytes,
        )
        self.manifest = Manifest(
            database=self.database, events=self.events, folder=settings.data_dir, workers=self.workers,
            apply=self.shelf.take_up,
        )
        self.pulse = Pulse(database=self.database, events=self.events)

        # people
        self.throttle = Throttle()
        self.accounts = Accounts(
            people=self.people, throttle=self.throttle, events=self.events, session_days=settings.session_days
        )
        self.setup = Setup(people=self.people, accounts=self.accounts)

        self.doors: list[tuple[str, Callable[[], object]]] = []    # what is open to the outside, closed first
        self.started_at = 0.0
        self._started: list[tuple[str, Callable[[], object]]] = []

    def start(self) -> None:
        """Open the memory, make what the first start needs, then wake the threads. Raises SoundsibleError."""
        settings = self.settings
        for folder in (settings.config_dir, settings.data_dir, settings.cache_dir):
            make_folder(folder)
        self.presence.claim()
        self._started.append(("presence", self.presence.leave))
        self.database.prepare()
        self._started.append(("database", self.database.close))
        self.accounts.ensure_owner(settings.owner)
        new_roots = self._add_music()
        self._started.append(("workers", self.workers.stop))
        self.pulse.start()
        self._started.append(("pulse", self.pulse.stop))
        self.accounts.start()
        self._started.append(("accounts", self.accounts.stop))
        self._started.append(("transcodes", self.transcodes.stop))
        self._started.append(("covers", self.covers.stop))
        if settings.manifest:
            self.manifest.start()
            self._started.append(("manifest", self.manifest.stop))
        self._started.append(("scanning", self.scanning.stop))
        if settings.scan_on_start:
            if self.scans.roots():
                self.scanning.start()
        elif new_roots:
            self.scanning.start(roots=new_roots)
        if settings.watch:
            self.watcher.start()
            self._started.append(("watcher", self.watcher.stop))
        self.started_at = time.time()

    def stop(self, timeout_s: float = 4.0) -> None:
        """End everything that `start` woke, the last first. One part's trouble does not keep the others running."""
        deadline = time.monotonic() + timeout_s
        self._started += self.doors
        while self._started:
            name, stop = self._started.pop()
            try:
                stop()
            except Exception:  # the way out must be walked to its end
                log.exception("stopping %s failed", name)
            if time.monotonic() > deadline:
                log.warning("stopping took longer than %.0f s (at %s)", timeout_s, name)

    def _add_music(self) -> list[str]:
        """Remember the music folders that were given; the new ones. A new one that is not there stops the start."""
        wanted = [Path(path) for path in self.settings.music]
        if self.settings.demo:
            wanted.append(ensure_demo(self.settings.data_dir / "demo", self.workers))
        known = {root.path for root in self.scans.roots()}
        added = []
        for path in wanted:
            if str(path) in known:
                continue
            if path.exists() and not path.is_dir():
                raise StartFailed(f"{path} is a file. --music takes the folder that holds the music.")
            if not path.is_dir():
                raise StartFailed(
                    f"There is no music folder {path}. Check the path, or plug in and mount the disk it is on."
                )
            try:
                added.append(self.shelf.add_root(str(path)).path)
            except SoundsibleError as error:
                raise StartFailed(error.message) from error
        return added


def make_folder(folder: Path) -> None:
    """Make `folder` for this user alone, or say what keeps it from being made or written."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        raise StartFailed(
            f"Soundsible cannot write to {folder} ({error.strerror}). Give it a folder it may write to with --home DIR "
            f"or SOUNDSIBLE_HOME, or change that folder's permissions."
        ) from error
