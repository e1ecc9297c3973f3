"""Open a track's bytes for a listener, wherever they are, so that they go on from elsewhere when a place fails.

    music folder ─┐
    cache        ─┼─▶ Relay: the same bytes from the next place, at the same byte
    bucket       ─┘

Whoever plays holds the cached file (a lease), so that it does not leave the cache meanwhile.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.model.cloud import CloudFailure
from shared.model.errors import TrackMissing
from shared.model.filepath import to_path
from shared.model.source import CachedFile, CloudFile, LocalFile, SignedUrl, Source, TrackFile
from shared.model.units import Bytes
from shared.storage.relay import Guarded, Opener, Relay

if TYPE_CHECKING:
    from shared.storage.access import Access
    from shared.storage.cache import Cache, Lease
    from shared.storage.cloud import CloudStorage
    from shared.storage.inflow import Inflows
    from shared.storage.local import LocalStorage
    from shared.storage.resolver import Resolver
    from shared.storage.taps import Taps

PLACES = {LocalFile: "local", CachedFile: "cache", CloudFile: "cloud"}


@dataclass(frozen=True, slots=True)
class Sound:
    """A track's bytes, open. Close `raw`.

    raw         like an unbuffered file; where it has `prime`, that waits for the first byte at its place
    size_bytes  None: what its descriptor says
    sha256      where it is known: these bytes are the same wherever they come from
    modified    Unix time of the original's last change, where the bytes are the original's
    """

    raw: Any
    source: Source
    size_bytes: Bytes | None = None
    sha256: str | None = None
    modified: float | None = None


class Playing:
    """Opens what the resolver found. Without cache and cloud there is the music folder alone."""

    def __init__(self, *, resolver: Resolver, access: Access, local: LocalStorage | None = None,
                 cache: Cache | None = None, cloud: CloudStorage | None = None, inflows: Inflows | None = None,
                 taps: Taps | None = None, redirects: bool = False) -> None:
        """redirects: players are sent to the bucket's own address (the setting cloud_redirect)."""
        self._resolver = resolver
        self._access = access
        self._local = local
        self._cache = cache
        self._cloud = cloud
        self._inflows = inflows
        self._taps = taps
        self._redirects = redirects

    def find(self, file: TrackFile, *, without: frozenset[str] = frozenset()) -> Source:
        """Where the track can be had now, leaving out places by name. Raises TrackMissing."""
        return self._resolver.resolve(file, without=without)

    def other(self, file: TrackFile, failed: frozenset[str]) -> CloudFile | None:
        """Copies in the cloud whose content is not one of `failed` (SHA-256s)."""
        return None if self._cloud is None else self._cloud.locate(file, without=failed)

    def open(self, file: TrackFile, source: Source) -> Sound:
        """Ready to be read. Raises StorageOffline, NotFound, OSError when it cannot be had there after all."""
        if isinstance(source, LocalFile):
            return self._open_local(file, source)
        if isinstance(source, CachedFile):
            return self._open_cached(file, source)
        if self._inflows is None:
            raise TrackMissing("The file of this track is only in the cloud, which is not set up here.")
        return _sound(self._inflows.open(source, file), file, source, source.size_bytes, source.sha256)

    def address(self, source: CloudFile) -> SignedUrl | None:
        """Where a player can get it itself; None where that is not wanted, or nobody but the station can open it."""
        if not self._redirects or self._taps is None:
            return None
        for copy in source.copies:
            if not copy.sealed:
                with contextlib.suppress(CloudFailure):
                    return self._taps.url(copy)
        return None

    # ---- inside

    def _open_local(self, file: TrackFile, source: LocalFile) -> Sound:
        root = to_path(file.root)
        raw: Any = self._access.open(root, to_path(file.path))
        sha256 = source.sha256
        if sha256 is None:
            return Sound(raw, source)
        try:
            found = os.fstat(raw.fileno())
            if (found.st_size, found.st_mtime_ns) != (source.size_bytes, source.mtime_ns):
                return Sound(raw, source)       # written anew in this very moment
            if self._access.may_hang(root) and self._lies_elsewhere(sha256):
                raw = Guarded(raw, access=self._access, root=root)
        except BaseException:
            raw.close()
            raise
        relay = Relay(raw, size_bytes=source.size_bytes, name=file.track_id,
                      further=self._further(file, sha256, ("cache", "cloud")))
        return _sound(relay, file, source, source.size_bytes, sha256)

    def _open_cached(self, file: TrackFile, source: CachedFile) -> Sound:
        sha256 = source.sha256
        if sha256 is None or self._cache is None:
            return Sound(open(source.path, "rb", buffering=0), source)
        raw = _Held(source.path, self._cache.hold(sha256))
        relay = Relay(raw, size_bytes=source.size_bytes, name=file.track_id,
                      further=self._further(file, sha256, ("cloud", "local")))
        return _sound(relay, file, source, source.size_bytes, sha256)

    def _lies_elsewhere(self, sha256: str) -> bool:
        if self._cache is not None and self._cache.at(sha256) is not None:
            return True
        return self._cloud is not None and self._cloud.with_content(sha256) is not None

    def _further(self, file: TrackFile, sha256: str, places: tuple[str, ...]) -> Iterator[tuple[str, Opener]]:
        """The places where the same bytes may be had, looked at when it comes to that."""
        openers: dict[str, Callable[[], Any | None]] = {
            "local": lambda: None if self._local is None else self._local.open_same(file, sha256),
            "cache": lambda: self._from_cache(sha256),
            "cloud": lambda: self._from_cloud(file, sha256),
        }
        for place in places:
            yield place, openers[place]

    def _from_cache(self, sha256: str) -> Any | None:
        cached = None if self._cache is None else self._cache.at(sha256)
        if cached is None or self._cache is None:
            return None
        return _Held(cached.path, self._cache.hold(sha256))

    def _from_cloud(self, file: TrackFile, sha256: str) -> Any | None:
        source = None if self._cloud is None else self._cloud.with_content(sha256)
        if source is None or self._inflows is None:
            return None
        return self._inflows.open(source, file)


class _Held(io.FileIO):
    """A cached file, held in the cache as long as it is open."""

    def __init__(self, path: str, lease: Lease) -> None:
        self._lease = lease
        try:
            super().__init__(path, "rb")
        except BaseException:
            lease.release()
            raise

    def close(self) -> None:
        super().close()
        self._lease.release()


def place_of(source: Source) -> str:
    return PLACES[type(source)]


def _sound(raw: Any, file: TrackFile, source: Source, size_bytes: Bytes, sha256: str) -> Sound:
    return Sound(raw, source, size_bytes, sha256, file.mtime_ns / 1e9 if sha256 == file.sha256 else None)
