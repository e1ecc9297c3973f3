"""Read a copy in a bucket from some byte on: one GET at a signed address, its bytes as they come.

Connections are kept and used again, so that a seek costs no new TLS handshake. Redirects are not followed: whom the
owner named as provider is asked, nobody else. Certificates are verified, by the system's authorities and certifi's.
What is sealed is opened on the way.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from shared.model.cloud import CloudFailure, Copy, Provider
from shared.model.errors import SoundsibleError
from shared.model.source import SignedUrl
from shared.model.units import KIB, Bytes, Seconds
from shared.outbound import USER_AGENT
from shared.storage.circuits import Circuits
from shared.storage.signing import Signer

if TYPE_CHECKING:
    from shared.storage.providers import Providers

CONNECT_S: Seconds = 4.0
SILENCE_S: Seconds = 10.0       # between two pieces
CONNECTIONS = 16                # kept open for each provider
PIECE_BYTES: Bytes = 256 * KIB
_ERROR_BYTES: Bytes = 64 * KIB
_URLS_KEPT = 512
_SPAN = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


class Taps:
    """Opens copies; safe from any thread. `url_s`: how long a signed address can be used."""

    def __init__(self, *, providers: Providers, circuits: Circuits, url_s: Seconds = 3600.0,
                 clock: Callable[[], float] = time.time) -> None:
        self._providers = providers
        self._circuits = circuits
        self._url_s = url_s
        self._clock = clock
        self._lock = threading.Lock()
        self._urls: OrderedDict[tuple[Provider, str], SignedUrl] = OrderedDict()
        self._signers: dict[Provider, Signer] = {}
        self._pool: Any = None

    def url(self, copy: Copy, *, anew: bool = False) -> SignedUrl:
        """Where whoever has it can read `copy` for a while; kept, and signed again shortly before it is over.

        Raises CloudFailure when the provider is not known here, or its secret does not open.
        """
        provider = self.provider(copy)
        now = self._clock()
        name = (provider, copy.key)
        with self._lock:
            kept = self._urls.get(name)
            if kept is not None and not anew and kept.expires_at - now > min(60.0, self._url_s / 4):
                self._urls.move_to_end(name)
                return kept
            signer = self._signers.get(provider)
            if signer is None:
                signer = self._signers[provider] = Signer(provider)
        made = signer.url(copy.key, seconds=int(self._url_s))
        url = SignedUrl(made.url, copy.stored_bytes, copy.mime_type, made.expires_at, provider.name)
        with self._lock:
            self._urls[name] = url
            while len(self._urls) > _URLS_KEPT:
                self._urls.popitem(last=False)
        return url

    def provider(self, copy: Copy) -> Provider:
        """Raises CloudFailure refused."""
        try:
            return self._providers.named(copy.provider)
        except SoundsibleError as error:
            raise CloudFailure(error.message, reason="refused", provider=copy.provider) from error

    def open(self, copy: Copy, first: Bytes = 0, last: Bytes | None = None) -> Tap:
        """The bytes of `copy` from `first` to `last` (both included), as a listener gets them.

        Returns when the provider has begun to answer. Raises CloudFailure; without asking when the provider has been
        silent for a while.
        """
        last = copy.size_bytes - 1 if last is None else last
        provider = self.provider(copy)
        if not self._circuits.allow(provider.name):
            raise CloudFailure(f"{provider.name} has not answered for a while and is asked again in some seconds.",
                               reason="no_answer", provider=provider.name)
        try:
            try:
                tap = self._open(copy, provider, first, last, anew=False)
            except CloudFailure as failure:
                if failure.reason != "expired":
                    raise
                tap = self._open(copy, provider, first, last, anew=True)
        except CloudFailure as failure:
            self._circuits.failed(provider.name, failure)
            raise
        self._circuits.answered(provider.name)
        return tap

    def stop(self) -> None:
        """Close what is kept open and idle."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.clear()

    # ---- inside

    def _open(self, copy: Copy, provider: Provider, first: Bytes, last: Bytes, *, anew: bool) -> Tap:
        sealer, begin, end = None, first, last
        if copy.sealed:
            from shared.storage.sealing import Sealer

            if provider.seal_key is None:
                raise CloudFailure(f"{provider.name} holds sealed copies, and its recovery key is not known here. "
                                   "Add it again with --recovery-key.", reason="refused", provider=provider.name)
            sealer = Sealer(provider.seal_key)
            begin, end = sealer.span(first, last, copy.size_bytes)
        answer = self._ask(provider, self.url(copy, anew=anew).url, begin, end)
        try:
            self._check(answer, copy, provider, begin, end)
        except CloudFailure:
            answer.close()
            raise
        raw = _pieces(answer, provider)
        chunks = raw if sealer is None else sealer.opening(raw, copy.sha256, first, last, copy.size_bytes)
        return Tap(answer, chunks, provider, last - first + 1, self._circuits)

    def _ask(self, provider: Provider, url: str, begin: Bytes, end: Bytes) -> Any:
        import urllib3

        with self._lock:
            if self._pool is None:
                self._pool = urllib3.PoolManager(
                    num_pools=8, maxsize=CONNECTIONS, retries=False, ssl_context=_tls(),
                    timeout=urllib3.Timeout(connect=CONNECT_S, read=SILENCE_S))
            pool = self._pool
        try:
            return pool.request(
                "GET", url, preload_content=False, redirect=False, decode_content=False,
                headers={"Range": f"bytes={begin}-{end}", "Accept-Encoding": "identity", "User-Agent": USER_AGENT})
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise _failure(error, provider) from error

    def _check(self, answer: Any, copy: Copy, provider: Provider, begin: Bytes, end: Bytes) -> None:
        """Raises CloudFailure unless `answer` begins to give just these bytes of an object of the right size."""
        if answer.status == 206:
            told = _SPAN.fullmatch(answer.headers.get("Content-Range", ""))
            if told is None or int(told[1]) != begin:
                raise CloudFailure(f"{provider.name} does not answer ranges as it should.", reason="refused",
                                   provider=provider.name)
            if told[3] not in ("*", str(copy.stored_bytes)) or int(told[2]) != end:
                raise _altered(copy, provider)
        elif answer.status == 200:
            if begin or answer.headers.get("Content-Length") != str(end + 1) or end + 1 != copy.stored_bytes:
                if answer.headers.get("Content-Length", str(copy.stored_bytes)) != str(copy.stored_bytes):
                    raise _altered(copy, provider)
                raise CloudFailure(f"{provider.name} does not know ranges.", reason="refused", provider=provider.name)
        elif answer.status == 416:
            raise _altered(copy, provider)
        else:
            import urllib3

            told_xml = b""
            with contextlib.suppress(urllib3.exceptions.HTTPError, OSError):
                told_xml = answer.read(_ERROR_BYTES, decode_content=False) or b""
            raise _failure((answer.status, told_xml, dict(answer.headers)), provider)


class Tap:
    """The bytes of one answer. Close it; what is left unread then costs the connection."""

    def __init__(self, answer: Any, chunks: Iterator[bytes], provider: Provider, length: Bytes,
                 circuits: Circuits) -> None:
        self._answer = answer
        self._chunks = chunks
        self._provider = provider
        self._left = length
        self._circuits = circuits
        self._rest = b""
        self._quiet = False     # it gave bytes, or was cut by us: how it ends says nothing of the provider

    def read(self, most: Bytes = PIECE_BYTES) -> bytes:
        """What has come, `most` bytes at most; b"" at the end and not before.

        Raises CloudFailure: no_answer when it is cut off or silent, corrupted when a sealed piece is not authentic.
        """
        if not self._left:
            return b""
        try:
            data = self._rest or next(self._chunks, b"")
            if not data:
                raise CloudFailure(f"The connection to {self._provider.name} broke off.", reason="no_answer",
                                   provider=self._provider.name)
        except CloudFailure as failure:
            if not self._quiet:
                self._circuits.failed(self._provider.name, failure)
            raise
        self._quiet = True
        most = min(most, self._left)
        data, self._rest = data[:most], data[most:]
        self._left -= len(data)
        if not self._left:
            self._finish()
        return data

    def cut(self) -> None:
        """From another thread: let `read` end now, whatever it waits for."""
        self._quiet = True
        with contextlib.suppress(Exception):    # it ended in this very moment
            self._answer.shutdown()

    def close(self) -> None:
        self._left = 0
        with contextlib.suppress(Exception):
            self._answer.close()

    def _finish(self) -> None:
        """Read to the end of a sealed object's last piece, so that the connection can be used again."""
        self._rest = b""
        with contextlib.suppress(CloudFailure):
            next(self._chunks, b"")


def _pieces(answer: Any, provider: Provider) -> Iterator[bytes]:
    import urllib3

    while True:
        try:
            data = answer.read1(PIECE_BYTES, decode_content=False)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise _failure(error, provider) from error
        if not data:
            return
        yield data


def _tls() -> Any:
    import ssl

    import certifi

    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def _failure(problem: Any, provider: Provider) -> CloudFailure:
    from shared.storage.diagnosis import failure_of

    return failure_of(problem, provider, "read a track")


def _altered(copy: Copy, provider: Provider) -> CloudFailure:
    return CloudFailure(f"The copy {copy.key} at {provider.name} is not as long as it was when it was uploaded.",
                        reason="corrupted", provider=provider.name)
