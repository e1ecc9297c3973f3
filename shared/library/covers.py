"""Show the pictures that lie in music files and folders, in the size that was asked for.

A picture is rendered once a size, in a worker process, and kept in the cache; a warm cover costs the question
which picture it is and one stat. Broken and hostile pictures are no pictures.
"""

from __future__ import annotations

import hashlib
import logging
import os
import stat
import threading
from bisect import bisect_left
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from shared.library.lru import DiskLru
from shared.library.making import Making
from shared.model.errors import NotFound, Overloaded, SoundsibleError, StorageOffline
from shared.model.filepath import to_path
from shared.model.person import Person
from shared.model.units import GIB, MIB, Bytes
from shared.ports import Workers
from shared.storage.access import Access
from shared.storage.bounds import read_beside

log = logging.getLogger(__name__)

# What players ask for, and nothing else: a client must not fill the disk with sizes.
SIZES = (64, 96, 128, 160, 200, 256, 300, 400, 500, 600, 800, 1000, 1200)
ALONG = (128, 300)      # rendered with any other: the player's rows and tiles
MIME_TYPE = "image/webp"
MIME_TYPES = {"webp": MIME_TYPE, "jpg": "image/jpeg"}    # JPEG for programs that know nothing else
PICTURE_LIMIT: Bytes = 40 * MIB     # of a picture file
RENDER_TIMEOUT_S = 20.0
WAIT_S = 10.0                       # in the queue for a worker, before "try again"
QUEUE_LIMIT = 96                    # requests that wait for a render hold a thread of the server each
BAD_HOLDS_S = 600.0                 # a picture that cannot be shown; its version is part of what is remembered
SILENT_HOLDS_S = 5.0                # a folder that does not answer, a full disk
BAD_LIMIT = 10_000
COLORS_AFTER_S = 2.0                # colours are told together: each telling moves the library's revision


@dataclass(frozen=True, slots=True)
class CoverFile:
    """A rendered cover in the cache. It may leave the cache at any time: open it at once."""

    path: str
    etag: str           # strong, without quotes
    mime_type: str
    version: str        # of the picture


class Artwork(Protocol):
    """As the records tell it: a picture file, or an audio file that embeds one."""

    @property
    def id(self) -> int: ...
    @property
    def kind(self) -> str: ...          # embedded | sidecar
    @property
    def root(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def color(self) -> str | None: ...
    @property
    def kept(self) -> str | None: ...   # sha256 of a copy among the kept covers


class Kept(Protocol):
    """What of library.KeptCovers is needed here."""

    def path(self, sha256: str) -> Path | None: ...


class Artworks(Protocol):
    """What of records.Albums is needed here."""

    def artwork_of(self, uid: str, *, person: Person | None = None) -> Artwork | None: ...
    def set_colors(self, colors: dict[int, str]) -> None: ...


class Covers:
    """Covers by the public id of an album, track or artist."""

    def __init__(
        self, *, albums: Artworks, access: Access, workers: Workers, folder: Path, limit_bytes: Bytes = GIB,
        renders_at_once: int = 2, kept: Kept | None = None,
    ) -> None:
        self._albums = albums
        self._kept = kept
        self._access = access
        self._workers = workers
        self._folder = str(folder)
        self._lru = DiskLru(folder=folder, limit_bytes=limit_bytes)
        self._queue = _Queue(at_once=renders_at_once)
        self._lock = threading.Lock()
        self._making = Making(refusals=BAD_LIMIT)
        self._colors: dict[int, str] = {}
        self._telling: threading.Timer | None = None
        self._stopped = False

    def get(self, uid: str, size: int, *, person: Person | None = None, form: str = "webp") -> CoverFile:
        """The cover of `uid`, about `size` pixels wide (the nearest of SIZES; never larger than the picture), as far as
        `person` sees what it is of.

        Raises NotFound (nothing to show: none, broken, hostile, or its folder does not answer), Overloaded.
        """
        artwork = self._albums.artwork_of(uid, person=person)
        if artwork is None:
            raise NotFound("There is no picture of this.")
        size = nearest(size)
        picture = picture_name(artwork.kind, artwork.root, artwork.path, artwork.version)
        path = f"{self._folder}/{picture[:2]}/{picture}/{size}.{form}"
        if self._lru.use(path) is None:
            self._ensure(artwork, picture, size, path, form)
        return CoverFile(path, etag_of(artwork.version, size, form), MIME_TYPES[form], artwork.version)

    def stop(self) -> None:
        """Tell the colours not told yet; renders under way end with the workers."""
        with self._lock:
            self._stopped = True
            timer, self._telling = self._telling, None
        if timer is not None:
            timer.cancel()
            self._tell_colors()
        self._lru.stop()

    # ---- rendering ------------------------------------------------------------------------------------------------

    def _ensure(self, artwork: Artwork, picture: str, size: int, path: str, form: str) -> None:
        """Return when `path` is there. One request renders a picture, the others wait for it."""

        def is_there() -> bool:
            self._making.raise_if_refused(picture)
            return self._lru.use(path) is not None

        if not self._making.once(
            picture, is_there=is_there, make=lambda: self._render(artwork, picture, size, form),
            patience_s=WAIT_S + RENDER_TIMEOUT_S,
        ):
            raise _busy()

    def _render(self, artwork: Artwork, picture: str, size: int, form: str) -> None:
        root, path = to_path(artwork.root), to_path(artwork.path)
        kind, whole = artwork.kind, f"{root}/{path}"
        try:
            self._check(kind, root, path)
        except (StorageOffline, NotFound, OSError) as error:
            kept = self._kept.path(artwork.kept) if self._kept is not None and artwork.kept else None
            if kept is None:
                log.info("no cover from %s/%s: %s", root, path, error)
                raise self._making.refuse(picture, SILENT_HOLDS_S, "Its picture cannot be reached now.") from error
            kind, whole = "kept", str(kept)     # of this very version: the row says so
        self._queue.enter()
        try:
            folder = f"{self._folder}/{picture[:2]}/{picture}"
            done = self._workers.run(
                "shared.library.covers:draw", kind, whole, size, folder, form, timeout_s=RENDER_TIMEOUT_S,
            )
        except Overloaded:
            raise
        except (OSError, MemoryError) as error:
            log.warning("no cover from %s/%s: %s", root, path, error)
            raise self._making.refuse(picture, SILENT_HOLDS_S, "Its picture cannot be made now.") from error
        except SoundsibleError as error:
            log.warning("no cover from %s/%s: %s", root, path, error.message)
            raise self._making.refuse(picture, BAD_HOLDS_S, "Its picture cannot be shown.") from error
        finally:
            self._queue.leave()
        self._lru.added(done["bytes"])
        if done["color"] and done["color"] != artwork.color:
            self._note_color(artwork.id, done["color"])

    def _check(self, kind: str, root: str, path: str) -> None:
        """In time, so that no worker is sent to a folder that hangs, a FIFO or a folder."""
        found = self._access.stat(root, path, readable=True)
        if not stat.S_ISREG(found.st_mode):
            raise NotFound("it is no regular file")
        if kind != "embedded" and found.st_size > PICTURE_LIMIT:
            raise NotFound(f"it is larger than {PICTURE_LIMIT // MIB} MiB")

    # ---- colours --------------------------------------------------------------------------------------------------

    def _note_color(self, artwork_id: int, color: str) -> None:
        with self._lock:
            self._colors[artwork_id] = color
            if self._telling is None and not self._stopped:
                self._telling = threading.Timer(COLORS_AFTER_S, self._tell_colors)
                self._telling.daemon = True
                self._telling.start()

    def _tell_colors(self) -> None:
        with self._lock:
            colors, self._colors, self._telling = self._colors, {}, None
        if not colors:
            return
        try:
            self._albums.set_colors(colors)
        except SoundsibleError as error:    # they will be looked at again with the next size
            log.warning("the colours of %d pictures could not be kept: %s", len(colors), error.message)


class _Queue:
    """First come, first served: so many renders at once, so many waiting, each so long at most."""

    def __init__(self, *, at_once: int) -> None:
        self._free = at_once
        self._lock = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()

    def enter(self) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            if len(self._waiting) >= QUEUE_LIMIT:
                raise _busy()
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        if turn.acquire(timeout=WAIT_S):
            return
        with self._lock:
            if turn in self._waiting:
                self._waiting.remove(turn)
                raise _busy()
        # The turn came in this very moment.

    def leave(self) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1


def nearest(size: int) -> int:
    """The size of SIZES that is nearest to `size`; the larger of two."""
    at = bisect_left(SIZES, size)
    if at == 0:
        return SIZES[0]
    if at == len(SIZES):
        return SIZES[-1]
    below, above = SIZES[at - 1], SIZES[at]
    return below if size - below < above - size else above


def etag_of(version: str, size: int, form: str) -> str:
    return f"{version}-{size}" if form == "webp" else f"{version}-{size}-{form}"


def draw(kind: str, path: str, size: int, folder: str, form: str = "webp") -> dict[str, Any]:
    """In a worker: render the picture of `path` to `folder`/<size>.<form>. {bytes written, color}.

    The small sizes that every list shows come along: beside the decoding they cost a few milliseconds.
    """
    from shared.audio import artwork  # Pillow: never in the serving process

    if kind == "embedded":
        source = artwork.embedded(path)
        if source is None:
            raise NotFound("There is no longer a picture in it.")
    else:
        source = read_beside(path, PICTURE_LIMIT)
    sizes = {size, *(one for one in ALONG if not os.path.exists(f"{folder}/{one}.{form}"))}
    done = artwork.render(source, sizes, folder, form=form)
    return {"bytes": done["bytes"], "color": done["color"]}


def picture_name(kind: str, root: str, path: str, version: str) -> str:
    """A name for this picture in this version that no other picture ever has: of its folder in the cache."""
    words = "\0".join((kind, root, path, version))
    return hashlib.blake2b(words.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def _busy() -> Overloaded:
    return Overloaded("Many covers are being made at this moment. Try again in two seconds.", retry_after_s=2)
