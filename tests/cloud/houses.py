"""A library with real files, a database and a bucket on a real S3 server, for the tests of the cloud."""

from __future__ import annotations

import hashlib
import importlib
import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from shared.audio import tags as audio_tags
from shared.cloud.buckets import Buckets
from shared.cloud.catalogue import Catalogue
from shared.cloud.uploads import UploadReport, Uploads
from shared.database import Database
from shared.library.keepings import Keepings
from shared.library.kept_covers import KeptCovers
from shared.library.walk import found_file
from shared.model.cloud import Provider
from shared.model.scan import Batch, ChangedFile, NewFile
from shared.model.work import Moved
from shared.records.artworks import Artworks
from shared.records.copies import Copies
from shared.records.scans import Scans
from shared.records.telling import Telling
from shared.records.uploads import UploadRecords
from shared.storage.access import Access


class Here:
    """ports.Workers in this process."""

    def run(self, deed: str, /, *args: Any, timeout_s: float = 30.0, **kwargs: Any) -> Any:
        module, _, name = deed.partition(":")
        return getattr(importlib.import_module(module), name)(*args, **kwargs)


@dataclass
class Followed:
    """ports.Work that remembers. `end_at(moved)` true: it is asked to end then."""

    moved: list[Moved] = field(default_factory=list)
    said: list[tuple[str, str]] = field(default_factory=list)
    end_at: Any = None
    ending: threading.Event = field(default_factory=threading.Event)

    def tell(self, moved: Moved) -> None:
        self.moved.append(moved)
        if self.end_at is not None and self.end_at(moved):
            self.ending.set()

    def log(self, level: str, message: str) -> None:
        self.said.append((level, message))

    def stopped(self) -> bool:
        return self.ending.is_set()


class CloudHouse:
    """Rooms around one database; `provider` may be put behind a proxy by replacing it."""

    def __init__(self, base: Path, provider: Provider, **settings: Any) -> None:
        self.base = base
        self.music = base / "music"
        self.music.mkdir(parents=True, exist_ok=True)
        self.provider = provider
        self.settings = SimpleNamespace(cache_dir=base / "cache", upload_workers=4, **settings)
        self.database = Database(base / "library.db")
        self.database.prepare()
        self.scans = Scans(database=self.database)
        self.root = self.scans.add_root(str(self.music))
        self.copies = Copies(database=self.database)
        self.records = UploadRecords(database=self.database)
        self.telling = Telling(database=self.database)
        self.access = Access(closed_folders=[base / "cache"])
        self.workers = Here()
        self.covers = KeptCovers(records=Artworks(database=self.database), access=self.access, workers=self.workers,
                                 folder=base / "covers")
        self.buckets = Buckets(connections=20, attempts=1)
        self.keepings = Keepings(workers=self.workers, folder=base / "cache" / "keepings")
        self.catalogue = Catalogue(telling=self.telling, copies=self.copies, covers=self.covers, buckets=self.buckets)
        self.uploads = Uploads(
            copies=self.copies, records=self.records, providers=SimpleNamespace(named=self._named),
            buckets=self.buckets, access=self.access, workers=self.workers, keepings=self.keepings,
            settings=self.settings, catalogue=self.catalogue, tries=4, first_pause_s=0.02,
        )

    def _named(self, name: str) -> Provider:
        assert name == self.provider.name
        return self.provider

    def close(self) -> None:
        self.buckets.close()
        self.access.stop()
        self.keepings.stop()
        self.database.close()

    @property
    def bucket(self) -> Any:
        return self.buckets(self.provider)

    # ---- music

    def noise(self, name: str, size: int, seed: int = 0) -> Path:
        """Bytes that are no music, which nobody here decodes: large files are quickly made."""
        path = self.music / name
        path.parent.mkdir(parents=True, exist_ok=True)
        block = b"".join(hashlib.sha256(f"{name}{seed}{i}".encode()).digest() for i in range(32))
        with path.open("wb") as file:
            for number in range(-(-size // len(block))):
                file.write(number.to_bytes(8, "big") + block[8:])
            file.truncate(size)
        return path

    def take_up(self, *paths: Path, **facts: Any) -> list[str]:
        """What a scan would: tracks of files that are music, or of noise (told as FLAC). Their public ids."""
        from tests.records.songs import metadata, reading

        known = self.scans.known(self.root.id)
        new, changed = [], []
        for path in paths:
            inside = str(path.relative_to(self.music))
            found = found_file(inside, path.stat())
            try:
                its = audio_tags.read(str(path))
            except Exception:
                its = reading(metadata(title=path.stem, **facts))
            if inside in known:
                changed.append(ChangedFile(known[inside][0], found, its))
            else:
                new.append(NewFile(found, its))
        self.scans.apply(Batch(self.root.id, new=new, changed=changed))
        by_path = {one.path: one.track_id for one in self.copies.sources()}
        return [by_path[str(path.relative_to(self.music))] for path in paths]

    def every(self) -> list[str]:
        return self.copies.track_uids(everything=True)

    # ---- uploading

    def plan(self, uids: list[str] | None = None, compress: str = "") -> Any:
        return self.uploads.plan(self.every() if uids is None else uids, provider=self.provider, compress=compress)

    def upload(self, uids: list[str] | None = None, *, compress: str = "", workers: int = 4,
               work: Followed | None = None) -> UploadReport:
        return self.uploads.run(self.plan(uids, compress), work=work or Followed(), workers=workers)
