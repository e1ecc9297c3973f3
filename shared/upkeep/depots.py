"""Where backups lie: a folder, or a bucket. Under its final name stands only what is whole."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from shared import durable
from shared.cloud.parts import Lanes, Patience
from shared.model.cloud import CloudFailure, Provider
from shared.model.errors import NotFound, Unprocessable
from shared.model.units import MIB, Bytes
from shared.model.work import Moved, Stopped
from shared.ports import Work
from shared.upkeep.archive import ArchiveName, no_room, parse_name

if TYPE_CHECKING:
    from shared.storage.s3 import Bucket

FOLDER = "backups/"             # of a bucket, below the provider's prefix
PART_BYTES: Bytes = 16 * MIB    # all alike but the last, as R2 wants them
PARTS_AT_ONCE = 3
STALE_S = 86_400.0              # an upload in parts that nobody has finished for so long was cut off
CONTENT = "application/gzip"
_MD5 = re.compile(r"[0-9a-f]{32}")

Buckets = Callable[[Provider], "Bucket"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A backup as it lies there."""

    name: str
    station: str
    made_at: float
    size_bytes: Bytes
    sealed: bool


class _Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


class Depot(Protocol):
    @property
    def title(self) -> str:
        """As people know it: a path, or a storage's name."""

    def list(self) -> list[Stored]:
        """All backups there, of whatever station, newest first."""

    def place_for(self, name: str, staging: Path) -> Path:
        """Where to write a backup before it is published; raises what keeps it from being written."""

    def publish(self, part: Path, name: str, sha256: str, work: Work) -> Stored:
        """`part` under its name: whole and verified, or not at all. Raises Stopped, CloudFailure, DiskFull …"""

    def fetch(self, stored: Stored, target: Path, work: Work) -> Path:
        """A file with the backup's bytes, opened: `target`, or where it lies already."""

    def remove(self, names: Sequence[str]) -> None: ...


# ---- a folder ----------------------------------------------------------------------------------------------------


class FolderDepot:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def title(self) -> str:
        return str(self._folder)

    def list(self) -> list[Stored]:
        try:
            entries = list(os.scandir(self._folder))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise Unprocessable(f"{self._folder} cannot be read: {error.strerror}. Choose another folder, or change "
                                "its permissions.") from error
        found = [(parse_name(entry.name), entry) for entry in entries if entry.is_file()]
        return _newest_first([_stored(name, entry.stat().st_size) for name, entry in found if name is not None])

    def place_for(self, name: str, staging: Path) -> Path:
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._clear(name)
            return self._folder / f".{name}.part"
        except OSError as error:
            raise no_room(error, self._folder / name) from error

    def publish(self, part: Path, name: str, sha256: str, work: Work) -> Stored:
        target = self._folder / name
        try:
            if target.exists():
                raise Unprocessable(f"{target} is there already. Try again in a second.")
            os.replace(part, target)
            durable.sync_folder(self._folder)
            size = target.stat().st_size
        except OSError as error:
            raise no_room(error, target) from error
        found = parse_name(name)
        assert found is not None
        return _stored(found, size)

    def fetch(self, stored: Stored, target: Path, work: Work) -> Path:
        return self._folder / stored.name

    def remove(self, names: Sequence[str]) -> None:
        for name in names:
            (self._folder / name).unlink(missing_ok=True)

    def _clear(self, name: str) -> None:
        """What a backup of this station that was killed left behind; its lock is held by who calls."""
        own = name.rpartition("-")[0]
        for entry in os.scandir(self._folder):
            if entry.name.startswith(f".{own}-") and entry.name.endswith(".part"):
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)


# ---- a bucket ----------------------------------------------------------------------------------------------------


class BucketDepot:
    def __init__(self, provider: Provider, buckets: Buckets) -> None:
        self._provider = provider
        self._buckets = buckets
        self._bucket: Bucket | None = None

    @property
    def title(self) -> str:
        return self._provider.name

    @property
    def seals(self) -> bool:
        return self._provider.seal_key is not None

    def list(self) -> list[Stored]:
        """See Depot; an encrypted storage's encrypted ones alone."""
        prefix = self._open().key(FOLDER)
        found = [(parse_name(one.key.removeprefix(prefix)), one.size_bytes) for one in self._open().list(prefix)]
        # Where all is sealed one that is not was put there by somebody without the key.
        return _newest_first([_stored(name, size) for name, size in found
                              if name is not None and (name.sealed or not self.seals)])

    def place_for(self, name: str, staging: Path) -> Path:
        bucket = self._open()
        for key, upload_id, started in bucket.unfinished(bucket.key(FOLDER)):
            if time.time() - started > STALE_S:
                bucket.abort_parts(key, upload_id)
        return staging / name

    def publish(self, part: Path, name: str, sha256: str, work: Work) -> Stored:
        bucket, plain = self._open(), part.stat().st_size
        if self._provider.seal_key is not None:
            from shared.storage.sealing import Sealer

            name += ".sealed"
            sealer = Sealer(self._provider.seal_key)
            with open(part, "rb") as file:
                size = self._send(bucket, name, sealer.reader(file, sha256), sealer.stored_size(plain), {"sealed": "1"},
                                  work)
        else:
            with open(part, "rb") as file:
                size = self._send(bucket, name, file, plain, {"sha256": sha256}, work)
        found = parse_name(name)
        assert found is not None
        return _stored(found, size)

    def fetch(self, stored: Stored, target: Path, work: Work) -> Path:
        bucket = self._open()
        if not stored.sealed:
            bucket.fetch(bucket.key(FOLDER + stored.name), target, work=work)
            return target
        if self._provider.seal_key is None:
            raise Unprocessable(
                f"{stored.name} is encrypted, and its key is not known here. Enter the recovery key that was shown "
                f"when the storage was added: python3 run.py tool storage secret {self._provider.name} "
                "--recovery-key KEY"
            )
        from shared.storage.sealing import Sealer

        closed = target.with_name(target.name + ".sealed")
        try:
            bucket.fetch(bucket.key(FOLDER + stored.name), closed, work=work)
            Sealer(self._provider.seal_key).open_file(closed, target)
        finally:
            closed.unlink(missing_ok=True)
        return target

    def remove(self, names: Sequence[str]) -> None:
        bucket = self._open()
        if names:
            bucket.delete([bucket.key(FOLDER + name) for name in names])

    # ---- inside

    def _open(self) -> Bucket:
        if self._bucket is None:
            self._bucket = self._buckets(self._provider)
        return self._bucket

    def _send(
        self, bucket: Bucket, name: str, file: _Readable, size: Bytes, metadata: dict[str, str], work: Work
    ) -> Bytes:
        """All of `file`; the provider has it, whole, when this returns. A kill leaves parts that do not count."""
        key, digest = bucket.key(FOLDER + name), hashlib.sha256()
        work.tell(Moved("uploading", 0, 1, 0, size, name))
        patience = Patience(stopped=work.stopped, sleep=lambda seconds: _rest(seconds, work),
                            lanes=Lanes(PARTS_AT_ONCE))
        if size <= PART_BYTES:
            body = file.read()
            digest.update(body)
            md5 = hashlib.md5(body, usedforsecurity=False)
            patience(lambda: bucket.put(key, body, metadata=metadata, content_type=CONTENT, md5=md5.digest()))
            etag = md5.hexdigest()
        else:
            etag = self._send_parts(bucket, key, file, size, metadata, digest, work, patience)
        patience(lambda: self._verify(bucket, key, size, etag, digest.hexdigest()))
        work.tell(Moved("uploading", 1, 1, size, size, name))
        return size

    def _send_parts(self, bucket: Bucket, key: str, file: _Readable, size: Bytes, metadata: dict[str, str],
                    digest: Any, work: Work, patience: Patience) -> str:
        upload_id = patience(lambda: bucket.begin_parts(key, metadata=metadata, content_type=CONTENT))
        try:
            parts: list[tuple[int, str]] = []
            sums: list[bytes] = []

            def send(number: int, body: bytes) -> tuple[int, str]:
                return number, patience(lambda: bucket.put_part(key, upload_id, number, body))

            pending: set[Future[tuple[int, str]]] = set()
            with ThreadPoolExecutor(PARTS_AT_ONCE, thread_name_prefix="backup") as threads:
                try:
                    number = 0
                    while body := _whole_part(file):
                        number += 1
                        digest.update(body)
                        sums.append(hashlib.md5(body, usedforsecurity=False).digest())
                        pending.add(threads.submit(send, number, body))
                        while len(pending) >= PARTS_AT_ONCE:
                            done, pending = wait(pending, return_when=FIRST_COMPLETED)
                            parts += [one.result() for one in done]
                            work.tell(Moved("uploading", 0, 1, min(len(parts) * PART_BYTES, size), size, key))
                        if work.stopped():
                            raise Stopped
                    parts += [one.result() for one in pending]
                finally:
                    threads.shutdown(cancel_futures=True)
            patience(lambda: bucket.finish_parts(key, upload_id, sorted(parts)))
        except BaseException:
            with contextlib.suppress(CloudFailure):
                bucket.abort_parts(key, upload_id)
            raise
        whole = hashlib.md5(b"".join(sums), usedforsecurity=False).hexdigest()
        return f"{whole}-{len(sums)}"

    def _verify(self, bucket: Bucket, key: str, size: Bytes, etag: str, sha256: str) -> None:
        """What the provider holds is what was sent: by size and ETag, else by reading it back."""
        found = bucket.head(key)
        if found is not None and found.size_bytes == size:
            if found.etag == etag:
                return
            if not _MD5.match(found.etag):      # a provider whose ETags are no MD5
                read = hashlib.sha256()
                for piece in bucket.read(key):
                    read.update(piece)
                if read.hexdigest() == sha256:
                    return
        bucket.delete([key])
        raise CloudFailure(f"{self._provider.name} does not hold what was sent to it; the backup was removed there. "
                           "Try again.", reason="corrupted", provider=self._provider.name)


def _rest(seconds: float, work: Work) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0 and not work.stopped():
        time.sleep(min(left, 0.2))


def _whole_part(file: _Readable) -> bytes:
    """The next PART_BYTES; less only at the end."""
    pieces, missing = [], PART_BYTES
    while missing and (piece := file.read(missing)):
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)


# ---- which ---------------------------------------------------------------------------------------------------------


def depot(
    text: str, *, provider: Callable[[str], Provider], names: Sequence[str], buckets: Buckets
) -> FolderDepot | BucketDepot:
    """What `text` means: the name of a storage, else a folder. Raises Unprocessable, what `provider` raises."""
    if text in names:
        return BucketDepot(provider(text), buckets)
    path = Path(text).expanduser()
    if os.sep not in text and not text.startswith(("~", ".")) and not path.is_dir():
        known = (f"The storages are: {', '.join(names)}." if names else
                 "There is no storage yet (python3 run.py tool storage add).")
        raise Unprocessable(f"There is no storage called {text}, and no such folder here. {known} For a folder, write "
                            f"its whole path.")
    return FolderDepot(path.absolute())


def find(where: FolderDepot | BucketDepot, name: str) -> Stored:
    """The backup of that name there, or the newest one ("latest"). Raises NotFound."""
    there = where.list()
    if not there:
        raise NotFound(f"There is no backup in {where.title}.")
    if name in ("", "latest"):
        return there[0]
    for one in there:
        if one.name in (name, f"{name}.sealed"):
            return one
    raise NotFound(f"There is no backup {name} in {where.title}; the newest is {there[0].name}.")


def _stored(name: ArchiveName, size: Bytes) -> Stored:
    return Stored(name=name.name, station=name.station, made_at=name.made_at, size_bytes=size, sealed=name.sealed)


def _newest_first(found: list[Stored]) -> list[Stored]:
    return sorted(found, key=lambda one: (one.made_at, one.name), reverse=True)
