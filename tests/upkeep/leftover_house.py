"""A library with real files, a cache, covers and a bucket, for the tests of the clean-up."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import Any

from shared.cloud.buckets import Buckets
from shared.cloud.layout import music_key
from shared.database import Database, driver_cursor
from shared.library.shelf import Shelf
from shared.model.cloud import Copy, Provider
from shared.model.work import Moved
from shared.records.artworks import Artworks
from shared.records.copies import Copies
from shared.records.journal import JournalRecords
from shared.records.leftovers import CachedRow, Leftovers
from shared.records.tracks import Tracks
from shared.settings import Settings
from shared.storage.access import Access
from shared.storage.providers import Providers
from shared.upkeep.cleanup import Cleanup
from shared.upkeep.journal import Journal
from shared.upkeep.trash import Trash
from tests.records.songs import Music, metadata
from tests.s3_server import server

DAY_S = 86_400.0


class Quiet:
    """ports.Work. `stop_after`: it asks the work to end when it has been asked so often whether to."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.moved: list[Moved] = []
        self.said: list[str] = []
        self._left = stop_after

    def tell(self, moved: Moved) -> None:
        self.moved.append(moved)

    def log(self, level: str, message: str) -> None:
        self.said.append(message)

    def stopped(self) -> bool:
        if self._left is None:
            return False
        self._left -= 1
        return self._left < 0


class House:
    def __init__(self, home: Path, *, ahead_s: float = 0.0) -> None:
        self.settings = Settings(home=home)
        for folder in (self.settings.config_dir, self.settings.data_dir, self.settings.cache_dir):
            folder.mkdir(parents=True, exist_ok=True)
        self.home = home
        self.ahead_s = ahead_s
        self.database = Database(self.settings.database_path)
        self.database.prepare()
        self.folder = home.parent / "music"
        self.folder.mkdir(exist_ok=True)
        self.music = Music(self.database, str(self.folder))
        self.records = Leftovers(database=self.database)
        self.tracks = Tracks(database=self.database)
        self.copies = Copies(database=self.database)
        self.journal = Journal(records=JournalRecords(database=self.database), folder=self.settings.data_dir)
        self.access = Access()
        self.providers = Providers(settings=self.settings)
        self.buckets = Buckets(attempts=1)
        self.unfinished: set[str] = set()
        self.told: list[tuple[str, list[str]]] = []
        shared: dict[str, Any] = {
            "records": self.records, "journal": self.journal, "access": self.access, "data": self.settings.data_dir,
            "cache": self.settings.cache_dir, "providers": self.providers, "buckets": self.buckets,
            "clock": lambda: time.time() + self.ahead_s,
        }
        self.cleanup = Cleanup(
            **shared, kept=Artworks(database=self.database).kept, unfinished=lambda: self.unfinished,
            told=lambda provider, keys: self.told.append((provider.name, list(keys))))
        shelf = Shelf(tracks=self.tracks, access=self.access, workers=None, scans=self.music.scans)  # type: ignore[arg-type]
        self.trash = Trash(**shared, purge=shelf.purge, purge_rows=self.tracks.purge_alone)

    def close(self) -> None:
        self.access.stop()
        self.buckets.close()
        self.database.close()

    # ---- what lies about

    def add(self, *paths: str) -> list[str]:
        """Files that are there, and known; their tracks' ids."""
        for path in paths:
            whole = self.folder / path
            whole.parent.mkdir(parents=True, exist_ok=True)
            whole.write_bytes(path.encode())
        self.music.add_all({path: metadata(path) for path in paths})
        device = str(os.stat(self.folder).st_dev)
        self.execute("UPDATE files SET device = ?", device)
        return [self.music.uid(path) for path in paths]

    def lose(self, *paths: str) -> None:
        for path in paths:
            (self.folder / path).unlink()
        self.music.lose(*paths)

    def file(self, place: str, path: str, content: bytes = b"12345", *, age_s: float = 0.0) -> Path:
        """A file in data, cache or the music folder."""
        home = {"data": self.settings.data_dir, "cache": self.settings.cache_dir}.get(place, self.folder)
        whole: Path = home / path
        whole.parent.mkdir(parents=True, exist_ok=True)
        whole.write_bytes(content)
        if age_s:
            for one in (whole, whole.parent):
                os.utime(one, (time.time() - age_s, time.time() - age_s))
        return whole

    def cached(self, content: bytes, *, row: bool = True) -> tuple[str, Path]:
        """A file in the cache of tracks, with its row; its hash and place."""
        sha256 = hashlib.sha256(content).hexdigest()
        path = self.file("cache", f"tracks/{sha256[:2]}/{sha256}", content, age_s=2 * DAY_S)
        if row:
            looked = path.stat()
            self.records.put_cached(CachedRow(sha256, looked.st_size, looked.st_mtime_ns, 1.0, 1.0, False))
        return sha256, path

    def object(self, provider: Provider, content: bytes, *, track: str | None = None) -> str:
        """An object in the bucket, with a row when it is the copy of a track; its whole key."""
        sha256 = hashlib.sha256(content).hexdigest()
        key = music_key(provider, sha256, suffix=".flac")
        server().put(provider, key, content)
        if track is not None:
            self.copies.put([self.copy(provider, key, content, track)])
        return key

    def copy(self, provider: Provider, key: str, content: bytes, track: str) -> Copy:
        sha256 = hashlib.sha256(content).hexdigest()
        return Copy(
            track_id=track, provider=provider.name, key=key, size_bytes=len(content), stored_bytes=len(content),
            sha256=sha256, format="flac", mime_type="audio/flac", bitrate_kbps=None, compression="",
            source_sha256=sha256, source_size_bytes=1, source_mtime_ns=1,
            etag=hashlib.md5(content, usedforsecurity=False).hexdigest(), sealed=False, verified_at=1.0)

    def execute(self, query: str, *values: object) -> None:
        with self.database.transaction() as conn:
            driver_cursor(conn).execute(query, values)

    def sha256_of(self, uid: str, sha256: str) -> None:
        self.execute("UPDATE files SET sha256 = ? WHERE track_id = (SELECT id FROM tracks WHERE uid = ?)", sha256, uid)

    # ---- what is seen

    def visible(self) -> list[str]:
        with self.database.read() as conn:
            return [path for (path,) in driver_cursor(conn).execute(
                "SELECT f.path FROM files f JOIN tracks t ON t.id = f.track_id WHERE t.trashed_at IS NULL ORDER BY 1")]

    def files(self) -> dict[str, bytes]:
        """Every file of the home and the music folder but the database's and locks', with its content."""
        found = {}
        for home in (self.settings.data_dir, self.settings.cache_dir, self.folder):
            for path in sorted(home.rglob("*")):
                if path.is_file() and not path.name.startswith("library.db") and path.suffix != ".lock":
                    found[str(path.relative_to(self.home.parent))] = path.read_bytes()
        return found
