"""Front covers: from the link that the source gave, else from the Cover Art Archive. Bytes only; never decoded here.

The archive redirects to another host, and a source's link may lead anywhere: both are followed through
shared.outbound. A picture is believed by its first bytes and bounded in size and time.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from shared import outbound
from shared.metadata.asking import Breakers, guarded
from shared.model.download import Failure

if TYPE_CHECKING:
    from shared.ports import Lookups
    from shared.settings import Settings

log = logging.getLogger(__name__)

SERVICE = "coverart"
OPERATION = "cover"
SIZES = (1200, 500)                 # of the archive's thumbnails, the wanted one first
LIMIT_BYTES = 10 * 1024 * 1024
LIMIT_S = 15.0
NOTHING_KEPT_S = 86_400.0
_KEPT_BYTES = 6 * 1024 * 1024       # of the last pictures: the tracks of an album share theirs
_STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"BM")


def is_picture(data: bytes) -> bool:
    """Whether `data` begins like a picture of a kind that can be embedded."""
    return data.startswith(_STARTS) or (data[:4] == b"RIFF" and data[8:12] == b"WEBP")


class CoverArt:
    """Pictures by link or by MusicBrainz ids. Costs a request or a few; what was fetched last is remembered."""

    def __init__(self, *, settings: Settings, lookups: Lookups | None = None, breakers: Breakers | None = None) -> None:
        self._archive = settings.coverart_url
        self._outbound = outbound.for_services(settings)
        self._lookups = lookups
        self._breakers = breakers
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._asking: dict[str, threading.Lock] = {}

    def at(self, url: str) -> bytes | None:
        """The picture behind a link; None when there is none or it is no picture. Raises Failure (forbidden_address,
        too_large, refused …)."""
        with self._once(url):
            if (kept := self._remembered(url)) is not None:
                return kept
            data = self._get(url)
            return self._remember(url, data)

    def front(self, release_mbid: str | None, group_mbid: str | None = None) -> bytes | None:
        """The archive's front cover of a release, else of its group. Raises Failure (refused, timed_out …)."""
        for kind, mbid in (("release", release_mbid), ("release-group", group_mbid)):
            if mbid and (data := self._front(kind, mbid)) is not None:
                return data
        return None

    def _front(self, kind: str, mbid: str) -> bytes | None:
        key = f"{self._archive}/{kind}/{mbid}"
        with self._once(key):
            if (kept := self._remembered(key)) is not None:
                return kept
            if self._lookups is not None and self._lookups.get(SERVICE, key, max_age_s=NOTHING_KEPT_S) is not None:
                return None
            with guarded(self._breakers, SERVICE, OPERATION):
                for size in SIZES:      # an old picture may lack the larger one
                    data = self._get(f"{key}/front-{size}")
                    if data is not None:
                        return self._remember(key, data)
            if self._lookups is not None:
                self._lookups.put(SERVICE, key, {"nothing": True})
            return None

    def _get(self, url: str) -> bytes | None:
        until = time.monotonic() + LIMIT_S
        with (
            self._outbound.session(timeout_s=(5.0, 10.0), limit_bytes=LIMIT_BYTES) as session,
            session.get(url, headers={"Accept": "image/*"}) as answer,
        ):
            fault = outbound.failure_of_status(answer.status_code, answer.headers, "The picture's server")
            if fault is not None and fault.code in ("not_found", "removed", "no_permission", "needs_login"):
                return None
            if fault is not None:
                fault.provider = SERVICE
                raise fault
            data = outbound.read_bytes(answer, LIMIT_BYTES, limit_s=max(1.0, until - time.monotonic()))
        if not is_picture(data):
            log.debug("what should be a cover is no picture")
            return None
        return data

    # ---- remembering -----------------------------------------------------------------------------------------------

    def _once(self, key: str) -> Any:
        """A lock of `key`'s own: what several want at once is fetched once."""
        with self._lock:
            if len(self._asking) > 256:
                self._asking = {name: lock for name, lock in self._asking.items() if lock.locked()}
            return self._asking.setdefault(key, threading.Lock())

    def _remembered(self, key: str) -> bytes | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def _remember(self, key: str, data: bytes | None) -> bytes | None:
        if data is not None and len(data) <= _KEPT_BYTES // 2:
            with self._lock:
                self._kept[key] = data
                while sum(map(len, self._kept.values())) > _KEPT_BYTES:
                    self._kept.popitem(last=False)
        return data


def optional(fetch: Any, *args: Any) -> bytes | None:
    """A cover is never worth a failure: what `fetch(*args)` brings, None when it fails."""
    try:
        found: bytes | None = fetch(*args)
        return found
    except Failure as failure:
        log.info("no cover: %s", failure.message)
        return None
