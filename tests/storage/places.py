"""A track in up to three places: a music folder, a cache, and buckets on a real S3 server behind proxies that break."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from shared.database import Database
from shared.model.cloud import Copy, Provider
from shared.model.scan import Batch, Found, NewFile
from shared.model.source import CloudFile, TrackFile
from shared.model.track import AudioFacts, Credit, Metadata, Reading
from shared.model.units import GIB
from shared.records.cached import Cached
from shared.records.copies import Copies
from shared.records.scans import Scans
from shared.records.tracks import Tracks
from shared.settings import Settings
from shared.storage.access import Access
from shared.storage.cache import Cache
from shared.storage.circuits import Circuits
from shared.storage.cloud import CloudStorage
from shared.storage.inflow import Inflows, Reader
from shared.storage.local import LocalStorage
from shared.storage.playing import Playing
from shared.storage.providers import Providers
from shared.storage.resolver import Resolver
from shared.storage.taps import Taps
from tests.s3_server import FaultProxy, server


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


class Places:
    """The rooms between a track and its listener, all real. `names`: providers, each behind a proxy of its own."""

    def __init__(self, base: Path, names: tuple[str, ...] = ("r2",), *, limit_bytes: int = GIB,
                 seal_key: bytes | None = None, url_s: float = 3600.0, **cache: Any) -> None:
        self.base = base
        self.music = base / "music"
        self.music.mkdir()
        self.settings = Settings(home=base / "home")
        self.proxies = {name: FaultProxy(server().url) for name in names}
        for name in names:
            server().add_to(base / "home", server().provider(name, endpoint=self.proxies[name].url, seal_key=seal_key))
        self.database = Database(base / "library.db")
        self.database.prepare()
        self.tracks, self.scans = Tracks(database=self.database), Scans(database=self.database)
        self.root = self.scans.add_root(str(self.music))
        self.copies = Copies(database=self.database)
        self.providers = Providers(settings=self.settings)
        self.circuits = Circuits()
        self.access = Access(closed_folders=[base / "home"])
        self.local = LocalStorage(access=self.access)
        self.cache = Cache(records=Cached(database=self.database), folder=base / "cache", limit_bytes=limit_bytes,
                           **{"keep_free_bytes": 0, **cache})
        self.cache.start()
        self.cloud = CloudStorage(copies=self.copies, providers=self.providers, circuits=self.circuits)
        self.resolver = Resolver(storages=[self.local, self.cache, self.cloud])
        self.taps = Taps(providers=self.providers, circuits=self.circuits, url_s=url_s)
        self.inflows = Inflows(cache=self.cache, copies=self.copies, taps=self.taps, spare=self.local.open_same)
        self.playing = Playing(
            resolver=self.resolver, access=self.access, local=self.local, cache=self.cache, cloud=self.cloud,
            inflows=self.inflows, taps=self.taps)

    @property
    def proxy(self) -> FaultProxy:
        return next(iter(self.proxies.values()))

    def provider(self, name: str = "r2") -> Provider:
        return self.providers.named(name)

    def song(self, content: bytes, *, at: tuple[str, ...] | None = None, name: str = "song") -> TrackFile:
        """A track of the library whose file holds `content`, with a copy at each provider (or those `at`)."""
        path = self.music / f"{name}.flac"
        path.write_bytes(content)
        facts = path.stat()
        self.scans.apply(Batch(root_id=self.root.id, new=[NewFile(
            found=Found(path.name, facts.st_size, facts.st_mtime_ns, str(facts.st_dev), str(facts.st_ino)),
            reading=Reading(
                metadata=Metadata(title=name, artist="A", album="B", credits=(Credit("A"),)),
                facts=AudioFacts("flac", "audio/flac", 180_000, 800, 44_100, 16, 2), lyrics=()))]))
        uid = next(one.track_id for one in self.copies.sources() if one.path == path.name)
        for number, place in enumerate(at if at is not None else tuple(self.proxies)):
            self.copy(uid, content, place, verified_at=1_000_000.0 - number)
        return self.tracks.file_of(uid)

    def copy(self, uid: str, content: bytes, place: str, **changes: Any) -> Copy:
        """Put `content` into a bucket as a copy of a track, sealed where the provider seals."""
        provider, sha256 = self.provider(place), hashlib.sha256(content).hexdigest()
        file = self.tracks.file_of(uid)
        key, body = f"music/{sha256[:2]}/{sha256}.flac", content
        if provider.seal_key is not None:
            from shared.storage.sealing import Sealer

            body, key = Sealer(provider.seal_key).seal_bytes(content), key + ".sealed"
        server().put(provider, key, body)
        made = Copy(**{
            "track_id": uid, "provider": place, "key": key, "size_bytes": len(content), "stored_bytes": len(body),
            "sha256": sha256, "format": "flac", "mime_type": "audio/flac", "bitrate_kbps": 800, "compression": "",
            "source_sha256": sha256, "source_size_bytes": file.size_bytes, "source_mtime_ns": file.mtime_ns,
            "etag": hashlib.md5(body).hexdigest(), "sealed": provider.seal_key is not None, "verified_at": 1.0,
            "added_at": 1.0, **changes})
        self.copies.put([made])
        return made

    def unplug(self) -> None:
        """The music folder is gone."""
        self.music.rename(self.base / "away")

    def plug_in(self) -> None:
        (self.base / "away").rename(self.music)
        self.access.probe(str(self.music))

    def open(self, file: TrackFile) -> Reader:
        """A listener of the copies in buckets."""
        source = self.cloud.locate(file)
        assert isinstance(source, CloudFile)
        return self.inflows.open(source, file)

    def close(self) -> None:
        self.inflows.stop()
        self.taps.stop()
        self.cache.stop()
        self.database.close()
        self.access.stop()
        for proxy in self.proxies.values():
            proxy.close()


def read(reader: Any, first: int = 0, length: int = -1, *, piece: int = 1 << 20) -> bytes:
    """So many bytes from `first` on, as a listener takes them; then it is closed."""
    with contextlib.closing(reader):
        return read_on(reader, first, length, piece=piece)


def read_on(reader: Any, first: int, length: int = -1, *, piece: int = 1 << 20) -> bytes:
    reader.seek(first)
    got = b""
    while length < 0 or len(got) < length:
        data = reader.read(piece if length < 0 else min(piece, length - len(got)))
        if not data:
            break
        got += data
    return got


def until(what: Callable[[], Any], timeout_s: float = 15.0) -> Any:
    """Wait for it to be true; what it answered."""
    deadline = time.monotonic() + timeout_s
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.01)
    return found


@contextlib.contextmanager
def no_threads_left(prefix: str = "inflow") -> Iterator[None]:
    yield
    until(lambda: not [one for one in threading.enumerate() if one.name.startswith(prefix)])


def unlinked(descriptor: int) -> bool:
    return os.fstat(descriptor).st_nlink == 0
