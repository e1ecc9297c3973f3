"""A real S3 server on loopback for all tests (moto's, which keeps all in memory), and a proxy that breaks things.

    from tests.s3_server import FaultProxy, server
    provider = server().provider()                  # a fresh bucket; its keys are checked as S3 does
    with FaultProxy(server().url) as proxy:
        proxy.fault(r"^GET .*/music/", cut_after=100_000, times=1)
        broken = server().provider(endpoint=proxy.url)

The server runs as a child process, once for each pytest process, and ends with it. Before moto sees a request its
signature is checked here (AWS Signature Version 4, written from its specification, not with botocore): a wrong key,
a wrong secret, an expired address or a clock that is off are answered as S3 answers them. With SOUNDSIBLE_TEST_S3_URL
(and …_KEY, …_SECRET, …_REGION) another S3 server is used instead.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import hmac
import http.client
import itertools
import os
import re
import secrets
import select
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, unquote_plus, urlsplit

if TYPE_CHECKING:
    from shared.model.cloud import Provider

KEY_ID = "AKIASOUNDSIBLETEST00"
SECRET = "soundsible/test+secret/0123456789ABCDEFGH"
REGION = "us-east-1"
SKEW_S = 900            # what S3 allows
STARTS_WITHIN_S = 60.0
_ROOT = Path(__file__).resolve().parent.parent


# ---- for tests ---------------------------------------------------------------------------------------------------


class S3Server:
    """An S3 server and the key that opens it."""

    def __init__(self, *, url: str, key_id: str, secret: str, region: str, process: Any = None) -> None:
        self.url = url
        self.key_id = key_id
        self.secret = secret
        self.region = region
        self._process = process
        self._numbers = itertools.count(1)

    @classmethod
    def start(cls) -> S3Server:
        """moto's server in a child process on a free port."""
        process = subprocess.Popen([sys.executable, str(Path(__file__).resolve())], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, cwd=_ROOT, text=True)
        assert process.stdout is not None
        readable, _, _ = select.select([process.stdout], [], [], STARTS_WITHIN_S)
        line = process.stdout.readline() if readable else ""
        if not line.startswith("http://"):
            process.kill()
            raise RuntimeError(f"the S3 server did not start: {line!r}")
        return cls(url=line.strip(), key_id=KEY_ID, secret=SECRET, region=REGION, process=process)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.stdin.close()         # … and by itself when nobody holds the other end, as after kill -9
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process.stdout.close()
            self._process = None

    def client(self, **config: Any) -> Any:
        """A boto3 client of the server's own key: to look from outside at what the code under test did."""
        import boto3
        from botocore.config import Config

        return boto3.session.Session().client(
            "s3", endpoint_url=self.url, region_name=self.region, aws_access_key_id=self.key_id,
            aws_secret_access_key=self.secret,
            config=Config(signature_version="s3v4", s3={"addressing_style": "path"},
                          request_checksum_calculation="when_required",
                          response_checksum_validation="when_required", **config))

    @functools.cached_property
    def _client(self) -> Any:
        return self.client()

    def provider(self, name: str = "r2", **changes: Any) -> Provider:
        """A provider with a fresh, empty bucket; `changes` are fields of Provider (prefix, seal_key, endpoint …)."""
        from shared.model.cloud import Provider

        bucket = changes.pop("bucket", None)
        if bucket is None:
            bucket = f"soundsible-{os.getpid()}-{next(self._numbers)}-{secrets.token_hex(3)}"
            self._client.create_bucket(Bucket=bucket)
        made = Provider(name=name, kind="other", endpoint=self.url, region=self.region, bucket=bucket,
                        key_id=self.key_id, secret=self.secret)
        return replace(made, **changes)

    def add_to(self, home: Path, provider: Provider | None = None, **changes: Any) -> Provider:
        """Write a provider into the config.json of a home, as the tool does; the new one, unless one is given."""
        from shared.settings import Settings, save_section, section
        from shared.vault import Vault

        provider = provider or self.provider(**changes)
        settings = Settings(home=home)
        vault = Vault(settings.config_dir)
        row: dict[str, Any] = {
            "name": provider.name, "kind": provider.kind, "endpoint": provider.endpoint, "region": provider.region,
            "bucket": provider.bucket, "prefix": provider.prefix, "key_id": provider.key_id,
            "path_style": provider.path_style, "secret": {"sealed": vault.seal(provider.secret)},
        }
        if provider.seal_key is not None:
            row["seal_key"] = {"sealed": vault.seal(provider.seal_key.hex())}
        save_section(settings, "storages", [*(section(settings, "storages") or []), row])
        return provider

    def keys(self, provider: Provider, prefix: str = "") -> list[str]:
        """Every key in the bucket, sorted."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=provider.bucket, Prefix=prefix)
        return sorted(one["Key"] for page in pages for one in page.get("Contents", ()))

    def body(self, provider: Provider, key: str) -> bytes:
        return bytes(self._client.get_object(Bucket=provider.bucket, Key=key)["Body"].read())

    def put(self, provider: Provider, key: str, body: bytes, metadata: dict[str, str] | None = None) -> None:
        self._client.put_object(Bucket=provider.bucket, Key=key, Body=body, Metadata=metadata or {})

    def remove(self, provider: Provider, key: str) -> None:
        self._client.delete_object(Bucket=provider.bucket, Key=key)


@functools.cache
def server() -> S3Server:
    """The one server of this process."""
    import atexit

    if url := os.environ.get("SOUNDSIBLE_TEST_S3_URL"):
        return S3Server(url=url.rstrip("/"), key_id=os.environ.get("SOUNDSIBLE_TEST_S3_KEY", KEY_ID),
                        secret=os.environ.get("SOUNDSIBLE_TEST_S3_SECRET", SECRET),
                        region=os.environ.get("SOUNDSIBLE_TEST_S3_REGION", REGION))
    started = S3Server.start()
    atexit.register(started.stop)
    return started


# ---- answers as S3 words them ------------------------------------------------------------------------------------


def error_xml(code: str, message: str, **more: str) -> bytes:
    parts = "".join(f"<{name}>{value}</{name}>" for name, value in {"Code": code, "Message": message, **more}.items())
    return (f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{parts}<RequestId>4442587FB7D0A2F9</RequestId>'
            f"<HostId>soundsible-test</HostId></Error>").encode()


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


#: code → (status, message, further elements), as in "Error responses" of the Amazon S3 API reference
ERRORS: dict[str, tuple[int, str, dict[str, str]]] = {
    "AccessDenied": (403, "Access Denied", {}),
    "AuthorizationHeaderMalformed": (
        400, "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-central-1'",
        {"Region": "eu-central-1"}),
    "BadDigest": (400, "The Content-MD5 you specified did not match what we received.", {}),
    "ExpiredToken": (400, "The provided token has expired.", {}),
    "InternalError": (500, "We encountered an internal error. Please try again.", {}),
    "InvalidAccessKeyId": (403, "The AWS Access Key Id you provided does not exist in our records.",
                           {"AWSAccessKeyId": KEY_ID}),
    "NoSuchBucket": (404, "The specified bucket does not exist", {"BucketName": "music"}),
    "NoSuchKey": (404, "The specified key does not exist.", {"Key": "music/00/none"}),
    "NoSuchUpload": (404, "The specified upload does not exist. The upload ID may be invalid, or the upload may have "
                          "been aborted or completed.", {}),
    "NotImplemented": (501, "A header you provided implies functionality that is not implemented", {}),
    "PermanentRedirect": (301, "The bucket you are attempting to access must be addressed using the specified "
                               "endpoint. Please send all future requests to this endpoint.",
                          {"Endpoint": "music.s3.eu-central-1.amazonaws.com", "Bucket": "music"}),
    "QuotaExceeded": (403, "The quota for this bucket is exceeded.", {}),
    "RequestExpired": (403, "Request has expired", {}),      # its <Code> is AccessDenied
    "RequestTimeTooSkewed": (403, "The difference between the request time and the server's time is too large.",
                             {"MaxAllowedSkewMilliseconds": str(SKEW_S * 1000)}),
    "RequestTimeout": (400, "Your socket connection to the server was not read from or written to within the timeout "
                            "period.", {}),
    "ServiceUnavailable": (503, "Please reduce your request rate.", {}),
    "SignatureDoesNotMatch": (403, "The request signature we calculated does not match the signature you provided. "
                                   "Check your key and signing method.", {"AWSAccessKeyId": KEY_ID}),
    "SlowDown": (503, "Please reduce your request rate.", {}),
    "TooManyRequests": (429, "Please reduce your request rate.", {}),
}


def error_answer(name: str, *, skew_s: float = 0.0) -> tuple[int, bytes]:
    """Status and body of one of ERRORS; `skew_s`: how far the server's clock is ahead of this machine's."""
    status, message, more = ERRORS[name]
    now = time.time()
    if name == "RequestTimeTooSkewed":
        more = {"RequestTime": datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ"),
                "ServerTime": _stamp(now + skew_s), **more}
    if name == "RequestExpired":
        return status, error_xml("AccessDenied", message, **{"X-Amz-Expires": "60", "Expires": _stamp(now - 60),
                                                             "ServerTime": _stamp(now + skew_s)})
    return status, error_xml(name, message, **more)


# ---- a proxy that breaks things ----------------------------------------------------------------------------------


@dataclass
class Fault:
    """What goes wrong with requests whose "METHOD /path?query" the pattern is found in. Bytes are of bodies."""

    pattern: re.Pattern[str]
    times: int | None = None            # how many requests it hits; None: all
    after: int = 0                      # how many matching requests pass first
    error: str | None = None            # one of ERRORS is answered; the server is not asked
    answer: tuple[int, bytes, dict[str, str]] | None = None     # or this
    drop: bool = False                  # the connection is cut without an answer; the server is not asked
    swallow: bool = False               # the server is asked, its answer cut off whole: it was done, nobody knows
    delay_s: float = 0.0                # before the answer begins
    cut_after: int | None = None        # the connection ends after so many bytes of the answer, which arrive
    reset: bool = False                 # … and by a reset, which may take bytes with it that are on their way
    cut_request_after: int | None = None  # … of the request's body
    stall_after: int | None = None      # nothing comes any more after so many bytes, until the proxy closes
    bytes_per_s: float | None = None    # no faster than this
    truncate: int | None = None         # the answer is so short, and says so: the object lost its end
    corrupt_at: int | None = None       # this byte of the object (not of the range) is another one
    skew_s: float = 0.0                 # the server's Date is so much ahead
    headers: dict[str, str] = field(default_factory=dict)       # put over the answer's
    hits: int = 0
    seen: int = 0


@dataclass
class Seen:
    """A request that came through."""

    method: str
    path: str                           # with the query
    headers: dict[str, str]             # names in small letters
    at: float                           # time.monotonic()
    status: int = 0                     # what was answered; 0: nothing yet, or cut before
    sent: int = 0                       # bytes of the answer's body
    received: int = 0                   # bytes of the request's body
    done: bool = False


class FaultProxy:
    """Stands before an HTTP server and passes everything on, but for what `fault` says. A context manager."""

    def __init__(self, target: str) -> None:
        self._target = urlsplit(target)
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self.closing = threading.Event()
        self.requests: list[Seen] = []
        self._open: set[socket.socket] = set()
        self._server = self._listen(0)
        self.port = int(self._server.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def _listen(self, port: int) -> ThreadingHTTPServer:
        made = _ProxyServer(("127.0.0.1", port), functools.partial(_Proxied, self))
        made.daemon_threads = True
        threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return made

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it; what stalls is cut off."""
        self.closing.set()
        self.down()

    def down(self) -> None:
        """Nobody listens any more (connection refused); open connections are cut."""
        self._server.shutdown()
        self._server.server_close()
        with self._lock:
            held, self._open = self._open, set()
        for one in held:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def up(self) -> None:
        """Listen again at the same port."""
        self._server = self._listen(self.port)

    def fault(self, pattern: str = "", **what: Any) -> Fault:
        """Break the requests that match from now on; the first fault that matches counts."""
        made = Fault(re.compile(pattern), **what)
        with self._lock:
            self._faults.append(made)
        return made

    def heal(self) -> None:
        """No faults any more."""
        with self._lock:
            self._faults.clear()

    def count(self, pattern: str = "") -> int:
        """How many requests came that match."""
        with self._lock:
            return sum(bool(re.search(pattern, f"{one.method} {one.path}")) for one in self.requests)

    def of(self, pattern: str) -> list[Seen]:
        with self._lock:
            return [one for one in self.requests if re.search(pattern, f"{one.method} {one.path}")]

    # for the handler

    def _met(self, seen: Seen) -> Fault:
        with self._lock:
            self.requests.append(seen)
            for one in self._faults:
                if not one.pattern.search(f"{seen.method} {seen.path}"):
                    continue
                one.seen += 1
                if one.seen > one.after and (one.times is None or one.hits < one.times):
                    one.hits += 1
                    return one
        return Fault(re.compile(""))

    def _hold(self, connection: socket.socket, *, held: bool) -> None:
        with self._lock:
            (self._open.add if held else self._open.discard)(connection)

    def _upstream(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self._target.hostname or "", self._target.port, timeout=60)


class _ProxyServer(ThreadingHTTPServer):
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Cut connections are what it is for."""


class _Cut(Exception):
    """The connection ends here."""


class _Proxied(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    _reset = False

    def __init__(self, proxy: FaultProxy, *args: Any) -> None:
        self.proxy = proxy
        super().__init__(*args)

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""

    def setup(self) -> None:
        super().setup()
        self.proxy._hold(self.connection, held=True)

    def finish(self) -> None:
        self.proxy._hold(self.connection, held=False)
        with contextlib.suppress(OSError, ValueError):
            super().finish()

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (_Cut, OSError, ValueError, http.client.HTTPException):
            self.close_connection = True
            if self._reset:
                with contextlib.suppress(OSError):
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def handle_expect_100(self) -> bool:
        self.send_response_only(100)
        self.end_headers()
        return True

    def _pass(self) -> None:
        seen = Seen(self.command, self.path, {name.lower(): value for name, value in self.headers.items()},
                    time.monotonic())
        fault = self.proxy._met(seen)
        self._reset = fault.reset
        try:
            if fault.drop:
                raise _Cut
            if fault.error is not None or fault.answer is not None:
                self._drain(seen, fault)
                if self.proxy.closing.wait(fault.delay_s):
                    raise _Cut
                status, body, headers = fault.answer or (*error_answer(fault.error or "", skew_s=fault.skew_s), {})
                if fault.error == "PermanentRedirect":
                    headers = {"x-amz-bucket-region": "eu-central-1", **headers}
                self._say(status, {"Content-Type": "application/xml", "Date": formatdate(
                    time.time() + fault.skew_s, usegmt=True), **headers, **fault.headers,
                    "Content-Length": str(len(body))}, seen)
                if self.command != "HEAD":
                    self.wfile.write(body)
                    seen.sent = len(body)
                return
            self._forward(seen, fault)
        finally:
            seen.done = True

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_OPTIONS = _pass

    def _body(self, seen: Seen, fault: Fault) -> Iterator[bytes]:
        left = int(self.headers.get("Content-Length") or 0)
        if "chunked" in (self.headers.get("Transfer-Encoding") or ""):
            left = -1
        started = time.monotonic()
        while left:
            if left < 0:
                size = int(self.rfile.readline().split(b";")[0], 16)
                piece = self.rfile.read(size)
                self.rfile.readline()
                if not size:
                    return
            else:
                piece = self.rfile.read1(min(left, 65536))
                if not piece:
                    raise _Cut
                left -= len(piece)
            seen.received += len(piece)
            if fault.cut_request_after is not None and seen.received >= fault.cut_request_after:
                raise _Cut
            if fault.bytes_per_s:
                self._wait(seen.received / fault.bytes_per_s - (time.monotonic() - started))
            yield piece

    def _drain(self, seen: Seen, fault: Fault) -> None:
        for _ in self._body(seen, fault):
            pass

    def _forward(self, seen: Seen, fault: Fault) -> None:
        upstream = self.proxy._upstream()
        try:
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in ("connection", "expect", "transfer-encoding"):
                    upstream.putheader(name, value)
            chunked = "chunked" in (self.headers.get("Transfer-Encoding") or "")
            if chunked:
                upstream.putheader("Transfer-Encoding", "chunked")
            upstream.endheaders()
            for piece in self._body(seen, fault):
                upstream.send(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
            if chunked:
                upstream.send(b"0\r\n\r\n")
            self._answer(upstream.getresponse(), seen, fault)
        finally:
            upstream.close()

    def _answer(self, response: http.client.HTTPResponse, seen: Seen, fault: Fault) -> None:
        if fault.swallow:
            response.read()
            raise _Cut
        self._wait(fault.delay_s)
        headers = {name: value for name, value in response.getheaders()
                   if name.lower() not in ("connection", "transfer-encoding", "date", "server")}
        headers["Date"] = formatdate(time.time() + fault.skew_s, usegmt=True)
        headers |= fault.headers
        length = response.getheader("Content-Length")
        head_only = self.command == "HEAD" or response.status in (204, 304)
        whole: bytes | None = None
        if length is None and not head_only:
            whole = response.read()
            length = str(len(whole))
        if fault.truncate is not None and length is not None:
            length = str(min(int(length), fault.truncate))
        if length is not None:
            headers = {name: value for name, value in headers.items() if name.lower() != "content-length"}
            headers["Content-Length"] = length
        self._say(response.status, headers, seen)
        if head_only:
            return
        first = int(found[1]) if (found := re.match(r"bytes (\d+)-", response.getheader("Content-Range") or "")) else 0
        left, started = int(length or 0), time.monotonic()
        step = 65536 if not fault.bytes_per_s else max(1, min(65536, int(fault.bytes_per_s / 20)))
        while left:
            limits = [one - seen.sent for one in (fault.cut_after, fault.stall_after) if one is not None]
            if limits and min(limits) <= 0:
                if fault.stall_after is not None and seen.sent >= fault.stall_after:
                    self.wfile.flush()
                    self.proxy.closing.wait()
                raise _Cut
            want = min([left, step, *limits])
            if whole is not None:
                piece, whole = whole[:want], whole[want:]
            else:
                piece = response.read(want)
            if not piece:
                raise _Cut
            if fault.corrupt_at is not None and 0 <= (at := fault.corrupt_at - first - seen.sent) < len(piece):
                piece = piece[:at] + bytes([piece[at] ^ 0x55]) + piece[at + 1:]
            self.wfile.write(piece)
            seen.sent += len(piece)
            left -= len(piece)
            if fault.bytes_per_s:
                self._wait(seen.sent / fault.bytes_per_s - (time.monotonic() - started))

    def _say(self, status: int, headers: dict[str, str], seen: Seen) -> None:
        seen.status = status
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _wait(self, seconds: float) -> None:
        if seconds > 0 and self.proxy.closing.wait(seconds):
            raise _Cut


# ---- the server itself, in its own process -----------------------------------------------------------------------

_Respond = Callable[[str, list[tuple[str, str]]], Any]


class Checked:
    """WSGI around moto: what is not rightly signed goes no further."""

    def __init__(self, app: Callable[[dict[str, Any], _Respond], Iterable[bytes]], *, key_id: str, secret: str) -> None:
        self._app = app
        self._key_id = key_id
        self._secret = secret

    def __call__(self, environ: dict[str, Any], respond: _Respond) -> Iterable[bytes]:
        wrong = self._wrong(environ)
        if wrong is None:
            return self._app(environ, respond)
        status, body = error_answer(wrong)
        respond(f"{status} {http.client.responses[status]}",
                [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    def _wrong(self, environ: dict[str, Any]) -> str | None:
        """One of ERRORS; None when the signature holds."""
        path, _, query = environ["RAW_URI"].partition("?")
        pairs = [(unquote_plus(name.replace("+", "%2B")), unquote_plus(value.replace("+", "%2B")))
                 for name, _, value in (one.partition("=") for one in query.split("&") if one)]
        asked = dict(pairs)
        if "X-Amz-Signature" in asked:
            credential, signed = asked["X-Amz-Credential"], asked["X-Amz-SignedHeaders"]
            given, stamp, payload = asked["X-Amz-Signature"], asked["X-Amz-Date"], "UNSIGNED-PAYLOAD"
            pairs = [one for one in pairs if one[0] != "X-Amz-Signature"]
        else:
            found = re.match(r"AWS4-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=(\w+)",
                             environ.get("HTTP_AUTHORIZATION", ""))
            if found is None:
                return "AccessDenied"
            credential, signed, given = found.groups()
            stamp, payload = environ["HTTP_X_AMZ_DATE"], environ["HTTP_X_AMZ_CONTENT_SHA256"]
        key_id, scope = credential.split("/", 1)
        if key_id != self._key_id:
            return "InvalidAccessKeyId"
        headers = "".join(f"{name}:{' '.join(self._header(environ, name).split())}\n" for name in signed.split(";"))
        canonical = "\n".join((
            environ["REQUEST_METHOD"], path,
            "&".join(sorted(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in pairs)),
            headers, signed, payload))
        text = "\n".join(("AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()))
        key = f"AWS4{self._secret}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        if not hmac.compare_digest(hmac.digest(key, text.encode(), "sha256").hex(), given):
            return "SignatureDoesNotMatch"
        at = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
        if "X-Amz-Expires" in asked:
            return "RequestExpired" if time.time() >= at + int(asked["X-Amz-Expires"]) else None
        return "RequestTimeTooSkewed" if abs(time.time() - at) > SKEW_S else None

    @staticmethod
    def _header(environ: dict[str, Any], name: str) -> str:
        plain = name.upper().replace("-", "_")
        return str(environ.get(plain if plain in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{plain}", ""))


def mend_moto() -> None:
    """A part for an upload that is not known is answered as S3 does, not with a KeyError."""
    from moto.s3.exceptions import NoSuchUpload
    from moto.s3.models import S3Backend

    before = S3Backend.upload_part

    def upload_part(self: Any, bucket_name: str, multipart_id: str, *rest: Any, **more: Any) -> Any:
        if multipart_id not in self.get_bucket(bucket_name).multiparts:
            raise NoSuchUpload(upload_id=multipart_id)
        return before(self, bucket_name, multipart_id, *rest, **more)

    S3Backend.upload_part = upload_part  # type: ignore[method-assign]


def serve() -> None:
    """moto behind `Checked`, until standard input ends. Says its address on standard output."""
    from gunicorn.app.base import BaseApplication
    from moto.server import DomainDispatcherApplication, create_backend_app

    mend_moto()

    class Application(BaseApplication):
        def load_config(self) -> None:
            for name, value in {
                "bind": "127.0.0.1:0", "workers": 1, "worker_class": "gthread", "threads": 64, "keepalive": 30,
                "timeout": 0, "graceful_timeout": 1, "loglevel": "error", "backlog": 512,
                "control_socket_disable": True,
                "when_ready": lambda arbiter: print(f"http://127.0.0.1:{arbiter.LISTENERS[0].sock.getsockname()[1]}",
                                                    flush=True),
            }.items():
                if name in self.cfg.settings:
                    self.cfg.set(name, value)

        def load(self) -> Any:
            return Checked(DomainDispatcherApplication(create_backend_app), key_id=KEY_ID, secret=SECRET)

    def watch(main: int) -> None:
        sys.stdin.read()
        os.kill(main, 15)

    threading.Thread(target=watch, args=(os.getpid(),), daemon=True).start()
    Application().run()


if __name__ == "__main__":
    serve()
