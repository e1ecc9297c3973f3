"""Carry bytes to a bucket: read by deadline, cut into parts, at most so many at a time, taken up where it was cut off.

Memory: a lane is taken before a part is read, so there are never more parts in memory than lanes.
"""

from __future__ import annotations

import hashlib
import io
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, wait
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, Protocol, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from shared.model.cloud import CloudFailure, StoredObject
from shared.model.errors import SoundsibleError
from shared.model.units import MIB, Bytes, Seconds
from shared.model.work import Stopped
from shared.ports import FileAccess
from shared.records.uploads import Part, Pending, UploadRecords

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

WHOLE: Bytes = 16 * MIB         # up to here an object goes in one piece
PART: Bytes = 8 * MIB           # all parts but the last are alike: R2 wants it so
MOST_PARTS = 10_000             # S3's limit
PIECE: Bytes = 4 * MIB          # read at once from a music folder
READ_DEADLINE_S: Seconds = 30.0 # of one piece; a slow disk is no stuck one
GROWS_AFTER = 20                # sends that went well, until there is one lane more again


def part_bytes_of(size: Bytes) -> Bytes:
    """How large the parts of an object of `size` are: 8 MiB, more only where there would be too many. Pure."""
    least = -(-size // MOST_PARTS)
    return max(PART, -(-least // MIB) * MIB)


class Changed(Exception):
    """The file is not what it was when its reading began."""


class Lost(Exception):
    """What was sent is not what lies there."""


# ---- reading -----------------------------------------------------------------------------------------------------


class Reached(io.RawIOBase):
    """An open file of a music folder whose reads have a deadline. Raises StorageOffline, OSError."""

    def __init__(self, file: BinaryIO, *, access: FileAccess, root: str) -> None:
        self._file, self._access, self._root = file, access, root
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_END:
            offset += self._access.call(self._root, lambda: self._file.seek(0, io.SEEK_END))
        self._at = max(0, offset + (self._at if whence == io.SEEK_CUR else 0))
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        """`size` bytes, fewer only at the end."""
        pieces = []
        left = -1 if size is None else size
        while left:
            piece = self._piece(PIECE if left < 0 else min(PIECE, left))
            if not piece:
                break
            pieces.append(piece)
            left -= len(piece) if left > 0 else 0
        return b"".join(pieces)

    def readinto(self, into: Any) -> int:
        piece = self._piece(len(into))
        into[: len(piece)] = piece
        return len(piece)

    def _piece(self, size: int) -> bytes:
        at = self._at

        def deed() -> bytes:
            self._file.seek(at)
            return self._file.read(size) or b""

        piece: bytes = self._access.call(self._root, deed, deadline_s=READ_DEADLINE_S)
        self._at = at + len(piece)
        return piece

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


def pieces_of(file: BinaryIO | io.RawIOBase, size: Bytes = PIECE) -> Iterator[bytes]:
    """All of it from where it stands."""
    while piece := file.read(size):
        yield piece


# ---- how many at a time ------------------------------------------------------------------------------------------


class Lanes:
    """How many things are sent at the same time: at most `most`, half as many each time the provider says slow down,
    and slowly more again."""

    def __init__(self, most: int) -> None:
        self._most = self._limit = max(1, most)
        self._free = threading.Condition()
        self._taken = 0
        self._well = 0

    @property
    def limit(self) -> int:
        return self._limit

    def take(self) -> None:
        with self._free:
            while self._taken >= self._limit:
                self._free.wait()
            self._taken += 1

    def give(self) -> None:
        with self._free:
            self._taken -= 1
            self._free.notify_all()

    @contextmanager
    def one(self) -> Iterator[None]:
        self.take()
        try:
            yield
        finally:
            self.give()

    def slower(self) -> None:
        with self._free:
            self._limit = max(1, self._limit // 2)
            self._well = 0

    def went_well(self) -> None:
        with self._free:
            self._well += 1
            if self._well >= GROWS_AFTER and self._limit < self._most:
                self._limit += 1
                self._well = 0
                self._free.notify_all()


class Patience:
    """Tries again what may help to be tried again: 1, 2, 4 … s later with jitter, or when the provider says.

    stopped     whether to end now; looked at while waiting
    sleep       waits so many seconds or until it is stopped
    """

    def __init__(self, *, stopped: Callable[[], bool], sleep: Callable[[Seconds], Any], lanes: Lanes,
                 tries: int = 8, first_s: Seconds = 1.0, longest_s: Seconds = 60.0) -> None:
        self._stopped = stopped
        self._sleep = sleep
        self._lanes = lanes
        self._tries = tries
        self._first_s, self._longest_s = first_s, longest_s
        self.again = 0          # how often something was tried again

    def __call__(self, deed: Callable[[], Answer]) -> Answer:
        """What `deed` returns. Raises what it raises at last, Stopped."""
        return Retrying(
            retry=retry_if_exception(lambda error: isinstance(error, CloudFailure) and error.retryable),
            stop=stop_after_attempt(self._tries), wait=self._wait, sleep=self._pause, before_sleep=self._heard,
            reraise=True,
        )(deed)

    def _wait(self, state: RetryCallState) -> Seconds:
        error = state.outcome.exception() if state.outcome else None
        asked = getattr(error, "retry_after_s", None) or 0.0
        grown = min(self._longest_s, self._first_s * 2.0 ** (state.attempt_number - 1))
        spread = random.uniform(0.5, 1.0)   # nosec B311  # spreads load; guards nothing
        return max(min(float(asked), 4 * self._longest_s), grown * spread)

    def _pause(self, seconds: Seconds) -> None:
        if not self._stopped():
            self._sleep(seconds)
        if self._stopped():
            raise Stopped

    def _heard(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        self.again += 1
        if isinstance(error, CloudFailure) and error.reason == "slow_down":
            self._lanes.slower()
        log.info("sent again (%d): %s", state.attempt_number, error)


# ---- sending -----------------------------------------------------------------------------------------------------


class Bucket(Protocol):
    """What of storage.s3.Bucket is needed here."""

    def head(self, key: str) -> StoredObject | None: ...
    def put(self, key: str, body: Any, *, metadata: dict[str, str] | None = None, content_type: str = ...,
            md5: bytes | None = None) -> StoredObject: ...
    def begin_parts(self, key: str, *, metadata: dict[str, str] | None = None, content_type: str = ...) -> str: ...
    def put_part(self, key: str, upload_id: str, number: int, body: Any) -> str: ...
    def parts_of(self, key: str, upload_id: str) -> list[tuple[int, str, int]]: ...
    def finish_parts(self, key: str, upload_id: str, parts: list[tuple[int, str]]) -> StoredObject: ...
    def abort_parts(self, key: str, upload_id: str) -> None: ...
    def unfinished(self, prefix: str = "") -> list[tuple[str, str, float]]: ...
    def read(self, key: str, first: int = 0, last: int | None = None) -> Iterator[bytes]: ...


class Carrier:
    """Sends to one bucket: small objects whole, large ones in parts at the same time, and takes up again what was cut
    off.

    threads     where parts are sent; as many as there are lanes
    stopped     looked at between two parts
    """

    def __init__(self, *, bucket: Bucket, provider: str, records: UploadRecords, lanes: Lanes, patience: Patience,
                 threads: Executor, stopped: Callable[[], bool]) -> None:
        self._bucket = bucket
        self._provider = provider
        self._records = records
        self._lanes = lanes
        self._patience = patience
        self._threads = threads
        self._stopped = stopped

    def asked(self, deed: Callable[[], Answer]) -> Answer:
        """What a small request returns, tried again as sending is. It takes no lane from what is large."""
        return self._patience(deed)

    def put(self, key: str, body: bytes, *, metadata: dict[str, str], content_type: str) -> str:
        """Send `body` in one piece; the ETag that it must have."""
        digest = hashlib.md5(body, usedforsecurity=False)

        def once() -> None:
            with self._lanes.one():
                self._bucket.put(key, body, metadata=metadata, content_type=content_type, md5=digest.digest())
            self._lanes.went_well()

        self._patience(once)
        return digest.hexdigest()

    def put_parts(self, key: str, file: BinaryIO | io.RawIOBase, size: Bytes, *, metadata: dict[str, str],
                  content_type: str, sha256: str, spool: str | None = None, check: Callable[[], None] | None = None,
                  moved: Callable[[Bytes], None] | None = None) -> str:
        """Send `file` (from its beginning, `size` bytes) in parts; the ETag that it must have.

        Parts that arrived before, in this process or one that was killed, are not sent again: they are read here and
        compared with what the provider says of them. `check` is called when all was read and before the parts become
        an object; what it raises (Changed) gives up this upload. `moved` hears of bytes that are there.
        Raises CloudFailure, Stopped (both leave the parts for the next time), Changed, StorageOffline, OSError.
        """
        upload_id, part_bytes, there, ours = self._take_up(key, size, metadata, content_type, sha256, spool)
        tags: dict[int, str] = {}
        digests: dict[int, bytes] = {}
        flying: dict[Future[str], int] = {}
        failed = threading.Event()  # the other parts need not begin

        def landed(*, all_of_them: bool) -> None:
            while flying and (all_of_them or len(flying) > self._lanes.limit):
                done, _ = wait(flying, return_when="FIRST_COMPLETED")
                for one in done:
                    number = flying.pop(one)
                    tags[number] = one.result()

        try:
            file.seek(0)
            for number in range(1, -(-size // part_bytes) + 1):
                if self._stopped():
                    raise Stopped
                length = min(part_bytes, size - (number - 1) * part_bytes)
                self._lanes.take()
                flies = False
                try:
                    body = _exactly(file, length)
                    digest = hashlib.md5(body, usedforsecurity=False)
                    digests[number] = digest.digest()
                    known = there.get(number)
                    # Where ETags are no MD5, the part counts when it is the one that was sent from here.
                    if known is not None and known.size_bytes == length and (
                            known.etag == digest.hexdigest() or known == ours.get(number)):
                        tags[number] = known.etag
                        if moved:
                            moved(length)
                        continue
                    flying[self._threads.submit(
                        self._send_part, key, upload_id, number, body, failed, moved)] = number
                    flies = True
                finally:
                    if not flies:
                        self._lanes.give()
                landed(all_of_them=False)
            landed(all_of_them=True)
            if check is not None:
                check()
        except BaseException as error:
            failed.set()
            wait(flying)
            if isinstance(error, Changed):
                self._give_up(key, upload_id)
            raise
        self._finish(key, upload_id, [(number, tags[number]) for number in sorted(tags)], size)
        whole = hashlib.md5(b"".join(digests[number] for number in sorted(digests)), usedforsecurity=False)
        return f"{whole.hexdigest()}-{len(digests)}"

    def settle(self, key: str) -> None:
        """The object is whole: what was begun for it before and never ended goes."""
        if (known := self._records.get(self._provider, key)) is not None:
            self._give_up(key, known.upload_id)

    def forget_old(self, age_s: Seconds) -> None:
        """Give up what nobody went on with for so long: its file was changed or is gone."""
        for one in self._records.all(self._provider):
            if time.time() - one.updated_at > age_s:
                self._give_up(one.key, one.upload_id)

    # ---- inside

    def _take_up(self, key: str, size: Bytes, metadata: dict[str, str], content_type: str, sha256: str,
                 spool: str | None) -> tuple[str, Bytes, dict[int, Part], dict[int, Part]]:
        """The upload to go on with, or a new one: (its id, bytes of a part, parts that the provider has, parts that
        were sent from here)."""
        known = self._records.get(self._provider, key)
        if known is not None and known.sha256 == sha256:
            with suppress(_NoUpload):
                arrived = self._parts(key, known.upload_id)
                log.info("%s goes on with %d parts that are there", key, len(arrived))
                return (known.upload_id, known.part_bytes, {one.number: one for one in arrived},
                        {one.number: one for one in known.parts})
        if known is not None:
            self._give_up(key, known.upload_id)
        part_bytes = part_bytes_of(size)
        upload_id, arrived = self._begun_before(key) or (self.asked(
            lambda: self._bucket.begin_parts(key, metadata=metadata, content_type=content_type)), [])
        self._records.begin(Pending(provider=self._provider, key=key, upload_id=upload_id, sha256=sha256,
                                    part_bytes=part_bytes, spool=spool))
        return upload_id, part_bytes, {one.number: one for one in arrived}, {}

    def _begun_before(self, key: str) -> tuple[str, list[Part]] | None:
        """An upload of this object that was begun by who died before writing it down, or whose database is lost.

        Its parts count where their checksums are those of the bytes here; the others are sent over them.
        """
        try:
            begun = [upload_id for at, upload_id, _ in self.asked(lambda: self._bucket.unfinished(key)) if at == key]
            return (begun[-1], self._parts(key, begun[-1])) if begun else None
        except (CloudFailure, _NoUpload) as error:
            log.info("uploads begun before cannot be asked for: %s", error)
            return None

    def _parts(self, key: str, upload_id: str) -> list[Part]:
        try:
            return [Part(*one) for one in self.asked(lambda: self._bucket.parts_of(key, upload_id))]
        except CloudFailure as error:
            if error.reason == "not_there":
                raise _NoUpload from error
            raise

    def _send_part(self, key: str, upload_id: str, number: int, body: bytes, failed: threading.Event,
                   moved: Callable[[Bytes], None] | None) -> str:
        def once() -> str:
            if failed.is_set() or self._stopped():
                raise Stopped
            return self._bucket.put_part(key, upload_id, number, body)

        try:
            # It keeps its lane while it waits to be sent again: else parts that hold lanes could wait for the
            # threads of parts that wait for lanes.
            etag = self._patience(once)
            self._lanes.went_well()
        except BaseException:
            failed.set()
            raise
        finally:
            self._lanes.give()
        self._records.part(self._provider, key, upload_id, Part(number, etag, len(body)))
        if moved:
            moved(len(body))
        return etag

    def _finish(self, key: str, upload_id: str, parts: list[tuple[int, str]], size: Bytes) -> None:
        try:
            self.asked(lambda: self._bucket.finish_parts(key, upload_id, parts))
        except CloudFailure as error:
            # Its answer to an earlier try may have been lost, or another process finished the same upload.
            found = self.asked(lambda: self._bucket.head(key)) if error.reason == "not_there" else None
            if found is None or found.size_bytes != size:
                if error.reason in ("not_there", "refused"):
                    self._records.end(self._provider, key)
                raise
        self._records.end(self._provider, key)

    def _give_up(self, key: str, upload_id: str) -> None:
        try:
            self.asked(lambda: self._bucket.abort_parts(key, upload_id))
        except (SoundsibleError, Stopped) as error:
            log.info("the parts of %s stay until the provider or the clean-up takes them away: %s", key, error)
        self._records.end(self._provider, key)


class _NoUpload(Exception):
    """The provider does not know this upload any more."""


def _exactly(file: BinaryIO | io.RawIOBase, length: Bytes) -> bytes:
    body = file.read(length)
    if body is None or len(body) != length:
        raise Changed
    return body


def etag_of(file: BinaryIO | io.RawIOBase, size: Bytes, like: str) -> str | None:
    """The ETag that these bytes would have, sent as the object with the ETag `like` was; None when that cannot be
    said. Reads all of it."""
    _, dash, count = like.partition("-")
    file.seek(0)
    if not dash:
        digest = hashlib.md5(usedforsecurity=False)
        for piece in pieces_of(file):
            digest.update(piece)
        return digest.hexdigest()
    part = part_bytes_of(size)
    if not count.isdecimal() or int(count) != -(-size // part):
        return None
    whole = hashlib.md5(usedforsecurity=False)
    for body in pieces_of(file, part):
        whole.update(hashlib.md5(body, usedforsecurity=False).digest())
    return f"{whole.hexdigest()}-{count}"
