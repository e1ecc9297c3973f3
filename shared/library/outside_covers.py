"""Show pictures that catalogues and sources point to, from here: a player's page loads nothing from elsewhere.

A picture is fetched once, bounded in size and time, from public addresses alone; drawn small in a worker process, and
kept in the cache. What is no picture, or cannot be had, is not asked for again for a while.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shared.library.covers import MIME_TYPES, CoverFile, etag_of, nearest
from shared.library.lru import DiskLru
from shared.library.making import Making
from shared.model.download import Failure
from shared.model.errors import Overloaded, SoundsibleError
from shared.model.units import MIB, Bytes, Seconds
from shared.outbound import Outbound, Session, failure_of_status
from shared.ports import Workers

log = logging.getLogger(__name__)

PICTURE_LIMIT: Bytes = 10 * MIB
FETCH_S: tuple[Seconds, Seconds] = (3.0, 6.0)   # to connect, and between two pieces
FETCHES_AT_ONCE = 6         # each holds a thread of the server
WAIT_S: Seconds = 8.0       # for one of those places, or for who fetches the same
RENDER_TIMEOUT_S: Seconds = 20.0
BAD_HOLDS_S: Seconds = 600.0
SILENT_HOLDS_S: Seconds = 30.0
BAD_LIMIT = 5_000
VERSION = "1"               # the picture behind a link is taken for the same for ever


class OutsideCovers:
    """`fetch(url)` gives a picture's bytes; see `over`."""

    def __init__(
        self, *, fetch: Callable[[str], bytes], workers: Workers, folder: Path, limit_bytes: Bytes = 200 * MIB,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._workers = workers
        self._folder = str(folder)
        self._lru = DiskLru(folder=folder, limit_bytes=limit_bytes)
        self._places = threading.Semaphore(FETCHES_AT_ONCE)
        self._making = Making(refusals=BAD_LIMIT, clock=clock)

    def get(self, url: str, size: int, *, form: str = "webp") -> CoverFile:
        """The picture behind `url`, about `size` pixels wide. Costs a stat, or a request and a drawing.

        Raises NotFound (none, broken, not to be had), Overloaded.
        """
        picture = hashlib.blake2b(url.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
        size = nearest(size)
        path = f"{self._folder}/{picture[:2]}/{picture}/{size}.{form}"
        if self._lru.use(path) is None:
            self._ensure(url, picture, size, path, form)
        return CoverFile(path, etag_of(picture, size, form), MIME_TYPES[form], VERSION)

    def stop(self) -> None:
        self._lru.stop()

    def _ensure(self, url: str, picture: str, size: int, path: str, form: str) -> None:
        """Return when `path` is there. One request makes it, the others wait for that."""

        def is_there() -> bool:
            self._making.raise_if_refused(picture)
            return self._lru.use(path) is not None

        if not self._making.once(
            path, is_there=is_there, make=lambda: self._make(url, picture, size, form), patience_s=WAIT_S
        ):
            raise _busy()

    def _make(self, url: str, picture: str, size: int, form: str) -> None:
        if not self._places.acquire(timeout=WAIT_S):
            raise _busy()
        try:
            source = self._fetch(url)
            done = self._workers.run(
                "shared.library.outside_covers:draw", source, size, f"{self._folder}/{picture[:2]}/{picture}", form,
                timeout_s=RENDER_TIMEOUT_S,
            )
        except Overloaded:
            raise
        except Failure as failure:
            log.info("no picture from outside: %s", failure.message)
            holds_s = SILENT_HOLDS_S if failure.retryable else BAD_HOLDS_S
            raise self._making.refuse(picture, holds_s, "This picture cannot be had.") from failure
        except (SoundsibleError, OSError, MemoryError) as error:
            log.info("a picture from outside cannot be shown: %s", error)
            raise self._making.refuse(picture, BAD_HOLDS_S, "This picture cannot be shown.") from error
        finally:
            self._places.release()
        self._lru.added(done["bytes"])



def over(outbound: Outbound) -> Callable[[str], bytes]:
    """What fetches pictures through `outbound`. It raises Failure: forbidden_address, too_large, timed_out …"""
    made: list[Session] = []

    def fetch(url: str) -> bytes:
        if not made:    # its TLS context costs some 20 ms and memory: not before somebody looks at a picture
            made.append(outbound.session(timeout_s=FETCH_S, limit_bytes=PICTURE_LIMIT))
        session = made[0]
        answer = session.get(url, headers={"Accept": "image/*"})
        failure = failure_of_status(answer.status_code, answer.headers, "The picture's server")
        if failure is not None:
            answer.close()
            raise failure
        return session.read_bytes(answer)

    return fetch


def draw(source: bytes, size: int, folder: str, form: str = "webp") -> dict[str, Any]:
    """In a worker: `folder`/<size>.<form> of a picture's bytes. {bytes written}."""
    from shared.audio import artwork  # Pillow: never in the serving process

    return {"bytes": artwork.render(source, {size}, folder, form=form)["bytes"]}


def _busy() -> Overloaded:
    return Overloaded("Many pictures are being fetched at this moment. Try again in two seconds.", retry_after_s=2)
