"""Keep the pictures of albums and tracks for good, for when the files that hold them are not on this machine.

A kept picture is a JPEG of at most 1200 pixels, called by its own sha256: `<folder>/<aa>/<sha256>.jpg`. It is drawn in
a worker process from the picture as the library shows it, and written whole or not at all; the row that refers to it
(artwork.kept) comes after it. A kill in between leaves a file that nobody refers to, which the clean-up finds.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from shared import durable
from shared.model.errors import DiskFull, NotFound, SoundsibleError, UnreadableFile
from shared.model.units import MIB, Bytes
from shared.model.work import Moved, Stopped
from shared.ports import Work, Workers
from shared.storage.access import Access
from shared.storage.bounds import read_beside

log = logging.getLogger(__name__)

LONGEST = 1200                      # pixels, the longer side
LARGEST: Bytes = 500_000            # of a picture that was drawn here
TAKEN: Bytes = 8 * MIB              # of one that came as it is, from a bucket or a backup
PICTURE_LIMIT: Bytes = 40 * MIB     # of a picture file that is drawn from
DRAW_TIMEOUT_S = 30.0
AT_ONCE = 2
TOGETHER = 64                       # rows written in one transaction
_NAME = re.compile(r"[0-9a-f]{64}")
_JPEG = b"\xff\xd8\xff"


class Picture(Protocol):
    """As the records tell it (records.artworks.PictureRow)."""

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
    def kept(self) -> str | None: ...


class Pictures(Protocol):
    """What of records.Artworks is needed here."""

    def of_tracks(self, uids: Sequence[str]) -> Mapping[str, Picture]: ...
    def set_kept(self, kept: Mapping[int, str], *, versions: Mapping[int, str] | None = None) -> None: ...
    def set_sizes(self, sizes: Mapping[int, tuple[int, int]], *, versions: Mapping[int, str]) -> None: ...
    def attach(self, covers: Mapping[str, str]) -> dict[str, str]: ...


class KeptCovers:
    """`folder` is the station's own (data/covers); nobody else writes there."""

    def __init__(self, *, records: Pictures, access: Access, workers: Workers, folder: Path) -> None:
        self._records = records
        self._access = access
        self._workers = workers
        self._folder = folder

    def keep(self, track_uids: Sequence[str], *, work: Work | None = None) -> dict[str, str]:
        """Keep the pictures that these tracks show. {track: sha256} of all that are kept now.

        Costs a stat for each picture that is kept already, else some 30 ms in a worker. A track without a picture, or
        whose picture can be neither reached nor shown, is left out (the log tells why). Raises DiskFull, Stopped.
        """
        shown = self._records.of_tracks(track_uids)
        pictures = {one.id: one for one in shown.values()}
        kept = {one.id: one.kept for one in pictures.values() if one.kept and self.path(one.kept)}
        missing = [one for one in pictures.values() if one.id not in kept]
        done: dict[int, str] = {}
        sizes: dict[int, tuple[int, int]] = {}

        def write() -> None:
            if done:
                versions = {one: pictures[one].version for one in done}
                self._records.set_kept(done, versions=versions)
                self._records.set_sizes(sizes, versions=versions)
                kept.update(done)
                done.clear()
                sizes.clear()

        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="kept covers") as threads:
            try:
                for number, (one, drawn) in enumerate(zip(missing, threads.map(self._drawn, missing), strict=True)):
                    if drawn is not None:
                        done[one.id], sizes[one.id] = drawn["sha256"], (drawn["width"], drawn["height"])
                    if len(done) >= TOGETHER:
                        write()
                    if work is not None:
                        work.tell(Moved("keeping covers", number + 1, len(missing), now=one.path))
                        if work.stopped():
                            raise Stopped
            finally:
                threads.shutdown(cancel_futures=True)
                write()
        return {uid: sha256 for uid, one in shown.items() if (sha256 := kept.get(one.id))}

    def path(self, sha256: str) -> Path | None:
        """Where the kept picture of that name lies; None when it does not. One stat."""
        if not _NAME.fullmatch(sha256):
            return None
        path = self._folder / sha256[:2] / f"{sha256}.jpg"
        return path if path.is_file() else None

    def read(self, sha256: str) -> bytes | None:
        """What is in it; None when it is not there, or is not what its name says."""
        path = self.path(sha256)
        if path is None:
            return None
        try:
            data = path.read_bytes()
        except OSError:
            return None
        return data if hashlib.sha256(data).hexdigest() == sha256 else None

    def add(self, data: bytes) -> str:
        """Take a picture in as it is; its sha256. Nothing is decoded: whatever shows it does so in a worker.

        Raises UnreadableFile when it is no JPEG or too large, DiskFull.
        """
        if not data.startswith(_JPEG):
            raise UnreadableFile("It is no JPEG picture.", reason="not_audio")
        if len(data) > TAKEN:
            raise UnreadableFile(f"The picture is larger than {TAKEN // MIB} MiB.", reason="too_large")
        try:
            return write(data, str(self._folder))
        except OSError as error:
            raise _no_room(error) from error

    def attach(self, covers: Mapping[str, str]) -> dict[str, str]:
        """Have tracks show kept pictures, {track: sha256}: of a library whose files are not on this machine (yet).
        Those it was done for. Names that are not kept here are left out."""
        there = {name for name in set(covers.values()) if self.path(name)}
        return self._records.attach({uid: name for uid, name in covers.items() if name in there})

    def all(self) -> Iterator[tuple[str, Path, Bytes]]:
        """Every kept picture: (sha256, where, size)."""
        for path in sorted(self._folder.glob("[0-9a-f][0-9a-f]/*.jpg")):
            if _NAME.fullmatch(path.stem):
                with suppress(OSError):
                    yield path.stem, path, path.stat().st_size

    def _drawn(self, one: Picture) -> dict[str, Any] | None:
        try:
            found = self._access.stat(one.root, one.path, readable=True)
            if not stat.S_ISREG(found.st_mode) or (one.kind != "embedded" and found.st_size > PICTURE_LIMIT):
                raise NotFound("It is no picture file.")
            drawn: dict[str, Any] = self._workers.run(
                "shared.library.kept_covers:draw", one.kind, f"{one.root}/{one.path}", str(self._folder),
                timeout_s=DRAW_TIMEOUT_S,
            )
            return drawn
        except DiskFull:
            raise
        except SoundsibleError as error:
            log.info("no cover kept from %s/%s: %s", one.root, one.path, error.message)
        except OSError as error:
            log.info("no cover kept from %s/%s: %s", one.root, one.path, error)
        return None


def draw(kind: str, path: str, folder: str) -> dict[str, Any]:
    """In a worker: the picture of `path` as a JPEG in `folder`. {sha256, width, height} (of the picture as it was)."""
    from shared.audio import artwork  # Pillow: never in the serving process

    source = artwork.embedded(path) if kind == "embedded" else read_beside(path, PICTURE_LIMIT)
    if not source:
        raise NotFound("There is no picture in it.")
    width, height = artwork.measured(source)
    data = artwork.for_embedding(source, longest=LONGEST, limit_bytes=LARGEST)
    try:
        return {"sha256": write(data, folder), "width": width, "height": height}
    except OSError as error:
        raise _no_room(error) from error


def write(data: bytes, folder: str) -> str:
    """Put a picture into `folder` under its own sha256, durably; nothing when it is there. Raises OSError."""
    sha256 = hashlib.sha256(data).hexdigest()
    place = f"{folder}/{sha256[:2]}"
    path = f"{place}/{sha256}.jpg"
    with suppress(OSError):
        if os.stat(path).st_size == len(data):
            return sha256
    os.makedirs(place, mode=0o700, exist_ok=True)
    durable.write(Path(path), data)
    return sha256


def _no_room(error: OSError) -> Exception:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull("There is no room to keep covers. Make room and try again.")
    return error
