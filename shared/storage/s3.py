"""A bucket, through boto3: everything the station and its tool do there, with every failure told as a CloudFailure.

What differs between R2, B2, S3 and the others is a row of data (model.cloud.KINDS); what all of them understand is done
the same way for all:
- Checksums travel as Content-MD5, which all of them check; not as the CRC32 that boto3 sends by itself and others
  refuse (boto/botocore#3277).
- HEAD tells an object that is not there from a bucket that is not there only together with a second question, so no
  slip in a bucket's name is ever taken for "all objects are gone".
- Nothing of this machine's AWS configuration (profiles, variables, proxies) has a say.

boto3 is imported when a bucket is first used: it costs 25 MB, so the serving process never does.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import functools
import hashlib
import io
import logging
import os
import secrets
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from shared import __version__
from shared.model.cloud import CloudFailure, Provider, StoredObject
from shared.model.errors import DiskFull
from shared.model.units import GIB, KIB, MIB, Bytes, Seconds
from shared.model.work import Stopped
from shared.storage.diagnosis import failure_of, no_s3
from shared.storage.signing import Signer

if TYPE_CHECKING:
    from shared.ports import Work

log = logging.getLogger(__name__)
T = TypeVar("T")

CONNECT_S: Seconds = 10.0
PIECE: Bytes = 64 * KIB
FETCH_TRIES = 6                 # in a row, without a byte
COPIED_AT_ONCE: Bytes = 5 * GIB     # S3 copies no more in one request
DELETED_AT_ONCE = 1000
TRUST_S: Seconds = 60.0         # a bucket that answered so lately is there
_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
            "/etc/ssl/cert.pem")
_BATCH_REFUSED = frozenset({"NotImplemented", "MethodNotAllowed", "MissingContentMD5", "InvalidRequest",
                            "InvalidArgument", "MalformedXML", "501", "405"})


@dataclass(frozen=True, slots=True)
class Trial:
    """One step of trying a bucket out."""

    name: str               # write, read, range, signed URL, list, delete
    ok: bool
    message: str            # what was seen; or what is wrong and what to do
    reason: str = ""        # of the CloudFailure


class Bucket:
    """One provider's bucket. Keys are whole (with the provider's prefix: see `key`). Safe from many threads.

    Every method raises CloudFailure and nothing else of the network's; OSError is of local files alone, DiskFull where
    there is no room for them. What a fault of the way or "503 slow down" may be is tried `attempts` times with growing
    pauses before it is told.
    """

    def __init__(self, provider: Provider, *, connections: int = 10, timeout_s: Seconds = 30.0,
                 attempts: int = 4) -> None:
        self.provider = provider
        self._connections = connections
        self._timeout_s = timeout_s
        self._attempts = attempts
        self._lock = threading.Lock()
        self._made: Any = None
        self._answered_at = float("-inf")

    def key(self, tail: str) -> str:
        """The whole key of what is called `tail` in our own layout (music/…, covers/…)."""
        return self.provider.prefix + tail

    def close(self) -> None:
        """Let go of the connections."""
        with self._lock:
            made, self._made = self._made, None
        if made is not None:
            made.close()

    # ---- one object ------------------------------------------------------------------------------------------------

    def head(self, key: str) -> StoredObject | None:
        """What the provider says of it; None when it says that there is none (a silent provider raises)."""
        doing = f"look at {key}"
        try:
            found = self._client().head_object(Bucket=self.provider.bucket, Key=key)
        except Exception as error:
            failure = failure_of(error, self.provider, doing, head=True)
            if failure.reason == "not_there" and time.monotonic() - self._answered_at < TRUST_S:
                return None
            if _bodiless(error):            # the words that HEAD cannot have
                return self._peek(key, doing)
            raise failure from error
        self._answered()
        return _stored(key, self._s3s(found, doing), found["ContentLength"])

    def _s3s(self, found: Any, doing: str) -> Any:
        """An answer about an object, which has an ETag; a login page, put before everything, has none."""
        if not found.get("ETag"):
            raise no_s3(self.provider, doing)
        return found

    def _peek(self, key: str, doing: str) -> StoredObject | None:
        try:
            found = self._client().get_object(Bucket=self.provider.bucket, Key=key, Range="bytes=0-0")
            with contextlib.closing(found["Body"]):
                pass
        except Exception as error:
            if _code(error) == "NoSuchKey":
                self._answered()
                return None
            if _code(error) == "InvalidRange":      # it is there, and empty
                return StoredObject(key, 0, "", 0.0)
            raise failure_of(error, self.provider, doing) from error
        self._answered()
        return _stored(key, self._s3s(found, doing), _total(found))

    def put(self, key: str, body: bytes | Path, *, metadata: dict[str, str] | None = None,
            content_type: str = "application/octet-stream", md5: bytes | None = None) -> StoredObject:
        """Put an object there, in one request (5 GiB at most). `md5`: of the body, where it is known.

        The provider compares it with what came. Putting the same again is harmless. Raises CloudFailure; OSError of the
        file, also when it was changed meanwhile.
        """
        with contextlib.ExitStack() as held:
            if isinstance(body, Path):
                file = held.enter_context(body.open("rb"))
                size = os.fstat(file.fileno()).st_size
                md5 = md5 or _md5_of(file)
                content: Any = _Watched(file)
            else:
                size, content = len(body), body
                md5 = md5 or hashlib.md5(body, usedforsecurity=False).digest()
            given = {"Bucket": self.provider.bucket, "Key": key, "ContentLength": size, "ContentType": content_type,
                     "Metadata": metadata or {}, "ContentMD5": base64.b64encode(md5).decode("ascii")}
            found = self._s3s(self._twice_if_damaged(lambda: self._client().put_object(Body=content, **given),
                                                     f"write {key}", content), f"write {key}")
        return StoredObject(key, size, _etag(found), time.time(), dict(metadata or {}))

    def read(self, key: str, first: Bytes = 0, last: Bytes | None = None) -> Iterator[bytes]:
        """Its bytes from `first` to `last` (inclusive; None: the end), in pieces. Close it when you leave early.

        What is wrong at the beginning is raised at once, what goes wrong under way by the iterator.
        """
        found = self._get(key, first, last)
        if first and not found.get("ContentRange"):
            found["Body"].close()
            raise CloudFailure(f"The provider of '{self.provider.name}' does not answer ranges.", reason="refused",
                               provider=self.provider.name)
        return self._pieces(found["Body"], f"read {key}")

    def _get(self, key: str, first: Bytes, last: Bytes | None) -> Any:
        given: dict[str, Any] = {"Bucket": self.provider.bucket, "Key": key}
        if first or last is not None:
            given["Range"] = f"bytes={first}-{'' if last is None else last}"
        found = self._ask(lambda: self._client().get_object(**given), f"read {key}")
        if not found.get("ETag"):
            found["Body"].close()
        return self._s3s(found, f"read {key}")

    def _pieces(self, body: Any, doing: str) -> Iterator[bytes]:
        try:
            while True:
                try:
                    piece = body.read(PIECE)
                except Exception as error:
                    raise failure_of(error, self.provider, doing) from error
                if not piece:
                    return
                yield piece
        finally:
            body.close()

    def fetch(self, key: str, target: Path, *, work: Work | None = None) -> StoredObject:
        """The whole object into a file (replaced). Cut connections are taken up where they broke.

        Raises CloudFailure, Stopped (when `work` is), DiskFull, OSError. Whoever keeps the file compares its hash.
        """
        got, tries, told = 0, 0, None
        with target.open("wb") as file:
            while told is None or got < told.size_bytes:
                if work is not None and work.stopped():
                    raise Stopped
                before = got
                try:
                    found = self._get(key, got, None)
                    if told is None:
                        told = _stored(key, found, _total(found))
                    elif _etag(found) != told.etag:
                        found["Body"].close()
                        raise CloudFailure(f"{key} was replaced by another object while it was read.",
                                           reason="corrupted", provider=self.provider.name)
                    elif not found.get("ContentRange"):
                        file.seek(0)
                        got = 0
                    for piece in self._pieces(found["Body"], f"read {key}"):
                        _write(file, piece, target)
                        got += len(piece)
                        if work is not None and work.stopped():
                            raise Stopped
                except CloudFailure as failure:
                    tries = tries + 1 if got == before else 1
                    if failure.reason not in ("no_answer", "slow_down") or tries >= FETCH_TRIES:
                        raise
                    _pause(failure.retry_after_s or min(8.0, 0.1 * 3 ** (tries - 1)), work)
                    continue
                if got < told.size_bytes and got == before:
                    raise CloudFailure(f"{key} ends after {got} of {told.size_bytes} bytes.", reason="corrupted",
                                       provider=self.provider.name)
            file.truncate(got)
        return told

    def copy(self, key: str, to: str) -> None:
        """Make a copy within the bucket, there; its bytes travel nowhere. Raises CloudFailure."""
        client, source = self._client(), {"Bucket": self.provider.bucket, "Key": key}
        there = self.head(key)
        if there is None:
            raise failure_of((404, b"<Error><Code>NoSuchKey</Code></Error>", {}), self.provider, f"copy {key}")
        if there.size_bytes <= COPIED_AT_ONCE:
            self._ask(lambda: client.copy_object(CopySource=source, Bucket=self.provider.bucket, Key=to),
                      f"copy {key} to {to}")
        else:
            from boto3.s3.transfer import TransferConfig

            parts = TransferConfig(multipart_threshold=COPIED_AT_ONCE, multipart_chunksize=512 * MIB)
            self._ask(lambda: client.copy(source, self.provider.bucket, to, Config=parts), f"copy {key} to {to}")

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; those that are not there are no fault. Raises CloudFailure when one could not be removed."""
        waiting: list[str] = []
        for key in keys:
            waiting.append(key)
            if len(waiting) == DELETED_AT_ONCE:
                self._delete(waiting)
                waiting = []
        if waiting:
            self._delete(waiting)

    def _delete(self, keys: Sequence[str]) -> None:
        if len(keys) > 1:
            try:
                done = self._client().delete_objects(
                    Bucket=self.provider.bucket, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True})
            except Exception as error:
                if _code(error) not in _BATCH_REFUSED:
                    raise failure_of(error, self.provider, f"remove {len(keys)} objects") from error
            else:
                self._answered()
                for one in done.get("Errors") or ():
                    if one.get("Code") not in ("NoSuchKey", "NoSuchVersion"):
                        raise failure_of((403 if one.get("Code") == "AccessDenied" else 400, (
                            f"<Error><Code>{one.get('Code', '')}</Code><Message>{one.get('Message', '')}</Message>"
                            f"</Error>").encode(), {}), self.provider, f"remove {one.get('Key', '')}")
                return
        for key in keys:
            try:
                self._ask(lambda key=key: self._client().delete_object(  # type: ignore[misc]
                    Bucket=self.provider.bucket, Key=key), f"remove {key}")
            except CloudFailure as failure:
                if failure.reason != "not_there":
                    raise

    # ---- in parts --------------------------------------------------------------------------------------------------

    def begin_parts(self, key: str, *, metadata: dict[str, str] | None = None,
                    content_type: str = "application/octet-stream") -> str:
        """Begin an upload in parts; its id. Parts have 5 MiB or more, and all but the last the same size (R2)."""
        found = self._ask(lambda: self._client().create_multipart_upload(
            Bucket=self.provider.bucket, Key=key, ContentType=content_type, Metadata=metadata or {}), f"write {key}")
        return str(found["UploadId"])

    def put_part(self, key: str, upload_id: str, number: int, body: bytes | bytearray | memoryview) -> str:
        """Put part `number` (from 1); its ETag. Putting it again replaces it.

        Raises CloudFailure; not_there when the upload is no longer known.
        """
        md5 = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode("ascii")
        content: Any = io.BytesIO(body) if isinstance(body, memoryview) else body
        found = self._twice_if_damaged(
            lambda: self._client().upload_part(Bucket=self.provider.bucket, Key=key, UploadId=upload_id,
                                               PartNumber=number, Body=content, ContentMD5=md5,
                                               ContentLength=len(body)),
            f"write part {number} of {key}", content)
        return _etag(self._s3s(found, f"write part {number} of {key}"))

    def parts_of(self, key: str, upload_id: str) -> list[tuple[int, str, Bytes]]:
        """(number, ETag, size) of the parts that are there. Raises CloudFailure not_there as put_part does."""
        def listed() -> list[tuple[int, str, Bytes]]:
            pages = self._client().get_paginator("list_parts").paginate(
                Bucket=self.provider.bucket, Key=key, UploadId=upload_id)
            return [(int(one["PartNumber"]), _etag(one), int(one["Size"]))
                    for page in pages for one in page.get("Parts") or ()]

        return self._ask(listed, f"look at the upload of {key}")

    def finish_parts(self, key: str, upload_id: str, parts: Iterable[tuple[int, str]]) -> StoredObject:
        """Make the object of its parts (number, ETag). Done twice, also by a retry nobody saw, it is done once."""
        ordered = sorted((int(number), etag) for number, etag, *_ in parts)
        doing = f"finish the upload of {key}"
        try:
            self._ask(lambda: self._client().complete_multipart_upload(
                Bucket=self.provider.bucket, Key=key, UploadId=upload_id,
                MultipartUpload={"Parts": [{"PartNumber": number, "ETag": f'"{etag}"'} for number, etag in ordered]},
            ), doing)
        except CloudFailure as failure:
            if failure.reason != "not_there":
                raise
            made = self.head(key)
            if made is None or made.etag != whole_etag([etag for _, etag in ordered]):
                raise
            return made
        made = self.head(key)
        if made is None:
            raise CloudFailure(f"{key} was put together, but is not there.", reason="not_there",
                               provider=self.provider.name)
        return made

    def abort_parts(self, key: str, upload_id: str) -> None:
        """Forget an upload and its parts. One that is not known any more is no fault."""
        try:
            self._ask(lambda: self._client().abort_multipart_upload(
                Bucket=self.provider.bucket, Key=key, UploadId=upload_id), f"give up the upload of {key}")
        except CloudFailure as failure:
            if failure.reason != "not_there":
                raise

    def unfinished(self, prefix: str = "") -> list[tuple[str, str, float]]:
        """(key, upload id, Unix time of its beginning) of uploads that were never finished."""
        def listed() -> list[tuple[str, str, float]]:
            pages = self._client().get_paginator("list_multipart_uploads").paginate(
                Bucket=self.provider.bucket, Prefix=prefix)
            return [(str(one["Key"]), str(one["UploadId"]), one["Initiated"].timestamp())
                    for page in pages for one in page.get("Uploads") or () if str(one["Key"]).startswith(prefix)]

        return self._ask(listed, "list unfinished uploads")

    # ---- the bucket ------------------------------------------------------------------------------------------------

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """Every object whose key begins so, by key, page by page. A listing that ends without an error is whole."""
        pages = self._client().get_paginator("list_objects_v2").paginate(Bucket=self.provider.bucket, Prefix=prefix)
        doing = f"list {prefix or 'what is there'}"
        source = iter(pages)
        while True:
            page = self._ask(lambda: next(source, None), doing)
            if page is None:
                return
            if "IsTruncated" not in page:       # else a login page would be an empty bucket
                raise no_s3(self.provider, doing)
            for one in page.get("Contents") or ():
                yield StoredObject(str(one["Key"]), int(one["Size"]), _etag(one), one["LastModified"].timestamp())

    def sign(self, key: str, seconds: Seconds) -> str:
        """An address of the object that anybody can read for so long."""
        return Signer(self.provider).url(key, seconds=seconds).url

    def clock_off(self) -> Seconds | None:
        """How far this machine's clock is ahead of the provider's; None when it does not say. One small request.

        Raises CloudFailure; its reason is clock where it is too far off to be heard at all.
        """
        before = time.time()
        found = self._ask(lambda: self._client().list_objects_v2(
            Bucket=self.provider.bucket, Prefix=self.provider.prefix, MaxKeys=1), "look at the clock")
        said = str(found["ResponseMetadata"].get("HTTPHeaders", {}).get("date") or "")
        try:
            there = parsedate_to_datetime(said).timestamp()
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
        return (before + time.time()) / 2 - there - 0.5     # the header counts whole seconds

    def trial(self, *, write: bool = True) -> Iterator[Trial]:
        """Try out what the station will need, each step as it is done; nothing is left behind.

        Not `write`: only what changes nothing. The steps after one that fails are tried as far as they can be.
        """
        key, body = self.key(f"trial/{secrets.token_hex(8)}"), secrets.token_bytes(3 * 1024)
        name = f"'{self.provider.bucket}'"
        if not write:
            yield self._tried("list", f"The bucket {name} answers.",
                              lambda: next(self.list(self.provider.prefix), None))
            return
        wrote = yield from self._step("write", f"An object was written to {name}.", lambda: self.put(key, body))
        if wrote:
            try:
                yield from self._step("read", "It came back as it was.", lambda: _same(b"".join(self.read(key)), body))
                yield from self._step("range", "A part of it came back.", lambda: _same(
                    b"".join(self.read(key, 1000, 1999)), body[1000:2000]))
                yield from self._step("signed URL", "A signed address works.", lambda: _same(
                    self._open_signed(key), body[:100]))
                yield from self._step("list", "It stands in the listing.", lambda: _same(
                    key in {one.key for one in self.list(key)}, True))
            finally:
                removed = self._tried("delete", "It was removed again.", lambda: self._removed(key))
            yield removed
        else:
            yield from self._step("list", f"The bucket {name} can be listed.",
                                  lambda: next(self.list(self.provider.prefix), None))

    def _step(self, name: str, message: str, deed: Callable[[], Any]) -> Any:
        done = self._tried(name, message, deed)
        yield done
        return done.ok

    def _tried(self, name: str, message: str, deed: Callable[[], Any]) -> Trial:
        try:
            deed()
        except CloudFailure as failure:
            return Trial(name, False, failure.message, failure.reason)
        except ValueError as error:
            return Trial(name, False, str(error), "corrupted")
        return Trial(name, True, message)

    def _removed(self, key: str) -> None:
        self.delete([key])
        if self.head(key) is not None:
            raise ValueError("The object is still there after it was removed.")

    def _open_signed(self, key: str) -> bytes:
        """The first 100 bytes behind a signed address, without any other key."""
        import urllib3

        doing = "open a signed address"
        with urllib3.PoolManager(cert_reqs="CERT_REQUIRED", ca_certs=_authorities()) as pool:
            try:
                answer = pool.request("GET", self.sign(key, 120), headers={"Range": "bytes=0-99"}, redirect=False,
                                      retries=False, timeout=urllib3.Timeout(CONNECT_S, self._timeout_s))
            except (urllib3.exceptions.HTTPError, OSError) as error:
                raise failure_of(error, self.provider, doing) from error
            if answer.status not in (200, 206):
                raise failure_of((answer.status, answer.data, dict(answer.headers)), self.provider, doing)
            return answer.data[:100]

    # ---- the way there ---------------------------------------------------------------------------------------------

    def _client(self) -> Any:
        with self._lock:
            if self._made is None:
                try:
                    self._made = _client_of(self.provider, connections=self._connections, timeout_s=self._timeout_s,
                                            attempts=self._attempts)
                except Exception as error:
                    raise failure_of(error, self.provider, "make a connection") from error
            return self._made

    def _answered(self) -> None:
        self._answered_at = time.monotonic()

    def _ask(self, deed: Callable[[], T], doing: str) -> T:
        try:
            done = deed()
        except CloudFailure:
            raise
        except Exception as error:
            raise failure_of(error, self.provider, doing) from error
        self._answered()
        return done

    def _twice_if_damaged(self, deed: Callable[[], T], doing: str, content: Any) -> T:
        """Send once more what arrived as something else."""
        for last in (False, True):
            if hasattr(content, "seek"):
                content.seek(0)
            try:
                return self._ask(deed, doing)
            except CloudFailure as failure:
                if isinstance(content, _Watched) and content.broken is not None:
                    raise content.broken from None
                if last or failure.reason != "corrupted":
                    raise
        raise AssertionError


class _Watched:
    """A local file that is sent: what goes wrong with reading it is not the provider's fault."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.broken: OSError | None = None

    def read(self, size: int = -1) -> bytes:
        try:
            return self._file.read(size)
        except OSError as error:
            self.broken = error
            raise

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


# ---- boto's ------------------------------------------------------------------------------------------------------


@functools.cache
def _session() -> Any:
    """boto3's data, read once. Without anybody's profiles: a wrong one would stop everything."""
    import boto3.session
    import botocore.session

    nowhere = {"config_file": os.devnull, "credentials_file": os.devnull, "profile": None}
    return boto3.session.Session(botocore_session=botocore.session.Session(session_vars={
        name: (None, None, value, None) for name, value in nowhere.items()}))


_making = threading.Lock()


def _client_of(provider: Provider, *, connections: int, timeout_s: Seconds, attempts: int) -> Any:
    from botocore.config import Config

    config = Config(
        signature_version="s3v4", s3={"addressing_style": "path" if provider.path_style else "virtual"},
        request_checksum_calculation="when_required", response_checksum_validation="when_required",
        retries={"mode": "standard", "total_max_attempts": attempts}, max_pool_connections=connections,
        connect_timeout=CONNECT_S, read_timeout=timeout_s, tcp_keepalive=True, proxies={},
        user_agent=f"Soundsible/{__version__}")
    with _making:       # sessions are not made for several threads; the clients are
        client = _session().client(
            "s3", endpoint_url=provider.endpoint, region_name=provider.region, aws_access_key_id=provider.key_id,
            aws_secret_access_key=provider.secret, config=config, verify=_authorities() or True)
    client.meta.events.register_first("before-sign.s3.DeleteObjects", _content_md5)
    return client


def _content_md5(request: Any, **_: Any) -> None:
    """DeleteObjects must carry a checksum: the one that all know, in the place of boto's."""
    for name in [name for name in request.headers if name.lower().startswith(("x-amz-checksum", "x-amz-sdk-checksum"))]:
        del request.headers[name]
    body = request.data if isinstance(request.data, bytes) else str(request.data).encode()
    request.headers["Content-MD5"] = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode("ascii")


def _authorities() -> str | None:
    """This machine's own certificate authorities (SSL_CERT_FILE wins), so that one for a NAS need only be added there;
    None: those that come with the packages."""
    found = ssl.get_default_verify_paths().cafile
    return next((path for path in (found, *_BUNDLES) if path and os.path.isfile(path) and os.path.getsize(path)), None)


def _code(error: BaseException) -> str:
    response = getattr(error, "response", None)
    return str((response.get("Error") or {}).get("Code") or "") if isinstance(response, dict) else ""


def _bodiless(error: BaseException) -> bool:
    """HEAD was answered with a status alone."""
    return _code(error).isdecimal()


def _etag(found: Any) -> str:
    return str(found.get("ETag") or "").strip('"')


def _total(found: Any) -> Bytes:
    """The size of the object of which a range came."""
    ranged = str(found.get("ContentRange") or "").rpartition("/")[2]
    return int(ranged) if ranged.isdecimal() else int(found["ContentLength"])


def _stored(key: str, found: Any, size: Bytes) -> StoredObject:
    modified = found.get("LastModified")
    return StoredObject(key, int(size), _etag(found), modified.timestamp() if modified is not None else 0.0,
                        {name.lower(): value for name, value in (found.get("Metadata") or {}).items()})


# ---- small change ------------------------------------------------------------------------------------------------


def whole_etag(parts: Sequence[str]) -> str:
    """The ETag of an object made of parts with these, where they are MD5s; "" where they are not. Pure."""
    try:
        digests = b"".join(bytes.fromhex(one) for one in parts)
    except ValueError:
        return ""
    if len(digests) != 16 * len(parts):
        return ""
    return f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"


def _md5_of(file: BinaryIO) -> bytes:
    digest = hashlib.md5(usedforsecurity=False)
    while piece := file.read(MIB):
        digest.update(piece)
    file.seek(0)
    return digest.digest()


def _same(found: object, wanted: object) -> None:
    if found != wanted:
        raise ValueError("What came back is not what was written. Look whether something changes objects on the way.")


def _write(file: BinaryIO, piece: bytes, path: Path) -> None:
    try:
        file.write(piece)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(f"There is no room for {path}.") from error
        raise


def _pause(seconds: Seconds, work: Work | None) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if work is not None and work.stopped():
            raise Stopped
        time.sleep(min(left, 0.1))
