"""The way out: links that people or feeds give are followed to public addresses only, unless the owner named the host.

A name is looked up once and the connection made to exactly the address that was checked, so that a name which answers
differently the second time gains nothing; every redirect is checked like the first link. Proxies of the environment
are not used: behind one nobody would know where a link leads. Two ways: `Outbound.session()` for this process, and
`Outbound.guard_process()` for a child in which some library does the talking.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import ipaddress
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from shared import __version__
from shared.model.download import Failure
from shared.model.units import MIB, Bytes, Seconds

LONGEST_LINK = 8000
MOST_REDIRECTS = 10
TIMEOUT_S = (5.0, 20.0)         # to connect, and between two pieces of an answer
HEAD_S: Seconds = 45.0          # to connect and have an answer's head, of each redirect anew, however slowly it drips
MOST_ADDRESSES = 6              # of one name that are tried
LIMIT_BYTES = 16 * MIB          # of an answer that is read whole
_PORTS = {"http": 80, "https": 443}
_CHUNK = 64 * 1024

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def user_agent(contact: str = "") -> str:
    """How the station calls itself to others; some services want an address to complain to."""
    return f"Soundsible/{__version__} ({contact or 'self-hosted music station'})"


USER_AGENT = user_agent()

# IANA's registries of special addresses, by what they are for. Not `is_global`: its answer changed between Pythons.
_REFUSED_4 = tuple(ipaddress.IPv4Network(text) for text in (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
    "224.0.0.0/4", "240.0.0.0/4",
    "168.63.129.16/32",     # a cloud's own services, on an address that looks public
))
_GLOBAL_6 = ipaddress.IPv6Network("2000::/3")
_REFUSED_6 = tuple(ipaddress.IPv6Network(text) for text in (
    "2001::/23",            # Teredo, ORCHID and other protocols' own
    "2001:db8::/32", "3fff::/20",
    "2002::/16",            # 6to4: any IPv4 address may hide in it
))
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")

# Ports of other protocols that can be made to do something by an HTTP request (the list of the Fetch standard).
_BAD_PORTS = frozenset({
    1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109,
    110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531,
    532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060,
    5061, 6000, 6379, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080, 11211,
})


def public(address: str) -> bool:
    """Whether `address` (a literal, as the resolver gives it) is one of the public internet. Pure."""
    ip = ipaddress.ip_address(address.split("%")[0])
    if ip.version == 6:
        if ip in _MAPPED or ip in _NAT64:
            ip = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        else:
            return ip in _GLOBAL_6 and not any(ip in network for network in _REFUSED_6)
    return not any(ip in network for network in _REFUSED_4)


def canonical_host(host: str) -> str:
    """`host` in the one spelling that is compared: lower case, no last dot, Unicode names as they go over the wire,
    addresses in their usual form, however they were written (0x7f.1, 017700000001, 2130706433, [::1])."""
    host = host.strip("[]").rstrip(".").lower()
    with contextlib.suppress(ValueError):
        ip: _Address = ipaddress.ip_address(host.split("%")[0])
        return str(ip.ipv4_mapped or ip) if isinstance(ip, ipaddress.IPv6Address) else str(ip)
    if not host.isascii():
        with contextlib.suppress(UnicodeError):
            host = host.encode("idna").decode("ascii").rstrip(".")
    # Not a number to us, but to the C library: it reads such spellings as IPv4.
    if re.fullmatch(r"(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+)){0,3}", host):
        with contextlib.suppress(OSError):
            return socket.inet_ntoa(socket.inet_aton(host))
    return host


class Link:
    """A link taken apart and found to be of a kind that may be followed. Raises Failure bad_link."""

    __slots__ = ("host", "port", "scheme", "url")

    def __init__(self, url: str) -> None:
        shown = url[:100]
        if len(url) > LONGEST_LINK:
            raise Failure("bad_link", f"A link of {len(url)} characters is too long.")
        if re.search(r"[\x00-\x20\x7f\\]", url):
            raise Failure("bad_link", f"{shown!r} is not a link: it holds spaces, backslashes or control characters.")
        try:
            parts = urlsplit(url)
            port, host = parts.port, parts.hostname or ""
        except ValueError:
            raise Failure("bad_link", f"{shown} is not a link that can be read.") from None
        if parts.scheme.lower() not in _PORTS:
            raise Failure("bad_link", f"{shown} is not a web link; only http:// and https:// are followed.")
        if parts.username is not None or parts.password is not None or "@" in parts.netloc:
            raise Failure("bad_link", "The link carries a name or password; such links are not followed.")
        if not host or not canonical_host(host):
            raise Failure("bad_link", f"{shown} names no host.")
        self.url = url
        self.scheme = parts.scheme.lower()
        self.host = canonical_host(host)
        self.port = _PORTS[self.scheme] if port is None else port
        if not self.port:
            raise Failure("bad_link", f"{shown} names no port that there is.")


class Outbound:
    """What may be reached: all public addresses, and `allowed` ("host", "host:port", "[v6]:port") whatever they are.

    opened   is told of every connection that is made here.
    """

    def __init__(self, allowed: Iterable[str] = (), *, contact: str = "",
                 opened: Callable[[socket.socket], None] = lambda plug: None) -> None:
        self._allowed = frozenset(_entry(text) for text in allowed if text.strip())
        self.opened = opened
        self.user_agent = user_agent(contact)

    @property
    def allowed(self) -> list[str]:
        """The allow list, so that a child can be told of it."""
        return [host if port is None else f"[{host}]:{port}" for host, port in sorted(self._allowed, key=str)]

    def permits(self, host: str, port: int) -> bool:
        """Whether the owner named `host` (a name or an address)."""
        host = canonical_host(host)
        return (host, None) in self._allowed or (host, port) in self._allowed

    def check(self, url: str) -> None:
        """Raises Failure bad_link or forbidden_address, and refused when the name is not known now.

        Asks the resolver (seconds, when that is slow). Being checked here is courtesy; what holds is the check when
        the connection is made.
        """
        link = Link(url)
        self.addresses(link.host, link.port)

    def addresses(self, host: str, port: int) -> list[tuple[Any, ...]]:
        """Where to connect to for `host`, as getaddrinfo tells it. One refused address among them refuses all: a
        name that mixes public and private ones means no good. Raises Failure forbidden_address, refused."""
        try:
            found = _resolve(canonical_host(host), port, 0, socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise Failure("refused", f"The host {host[:100]} is not known, or the name service does not answer."
                          ) from None
        if not self.permits(host, port):
            for *_, address in found:
                self.check_address(str(address[0]), port, host)
        return found

    def check_address(self, address: str, port: int, host: str = "") -> None:
        """Raises Failure forbidden_address when `address` (a literal) is not public, bad_link when `port` is another
        protocol's; neither when the owner named it."""
        if self.permits(address, port):
            return
        try:
            good = public(address)
        except ValueError:
            good = False
        if good and port in _BAD_PORTS:
            raise Failure("bad_link", f"Port {port} is not one of the web; {host or address} is not asked there.")
        if not good:
            where = canonical_host(host or address)
            named = where if canonical_host(address) == where else f"{where} ({address})"
            raise Failure("forbidden_address", f"{named} is an address inside this network. Links there are not "
                          f"followed unless SOUNDSIBLE_ALLOW_PRIVATE_HOSTS names {where}.")

    def session(self, *, timeout_s: tuple[Seconds, Seconds] = TIMEOUT_S, limit_bytes: Bytes = LIMIT_BYTES,
                context: ssl.SSLContext | None = None) -> Session:
        """For requests from this process. `context`: a TLS context made before, which saves 10 ms and more."""
        return Session(self, timeout_s=timeout_s, limit_bytes=limit_bytes, context=context)

    def guard_process(self) -> Guard:
        """From now on no Python library in this process connects to a refused address. For children: it cannot be
        taken back."""
        return Guard(self)


class Hourglass:
    """The time that an errand may take in all: then its connections end. Time-outs alone begin anew with every drop.

    Safe from any thread; `watch` is for Outbound's `opened`.
    """

    def __init__(self, seconds: Seconds) -> None:
        self._lock = threading.Lock()
        self._watched: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._run_out)
        self._timer.daemon = True
        self.over = False

    def __enter__(self) -> Hourglass:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            for plug in self._watched:
                plug.close()
            self._watched.clear()

    def watch(self, plug: socket.socket) -> None:
        """Raises TimeoutError when the time is up already."""
        with self._lock:
            if not self.over:
                self._watched.append(plug.dup())    # TLS takes the socket itself out of our hands
                return
        raise TimeoutError("the time is up")

    def _run_out(self) -> None:
        with self._lock:
            self.over = True
            for plug in self._watched:
                with contextlib.suppress(OSError):
                    plug.shutdown(socket.SHUT_RDWR)


def for_services(settings: Any, services: Iterable[str] = ()) -> Outbound:
    """For what configured services point to (pictures): the hosts that settings name are the owner's own word."""
    names = list(settings.allow_private_hosts)
    for row in ("slskd_url", "musicbrainz_url", "coverart_url", "deezer_url", "spotify_url", "lrclib_url",
                "acoustid_url"):
        names += _host_of(getattr(settings, row, ""))
    for url in services:
        names += _host_of(url)
    return Outbound(names, contact=getattr(settings, "contact", ""))


def _host_of(url: str) -> list[str]:
    with contextlib.suppress(ValueError):
        parts = urlsplit(url or "")
        if parts.hostname:
            return [f"[{parts.hostname}]:{parts.port or _PORTS.get(parts.scheme, 80)}"]
    return []


def _entry(text: str) -> tuple[str, int | None]:
    """An entry of the allow list as (host, port or None)."""
    text = text.strip()
    text = text.split("://", 1)[-1].split("/", 1)[0]        # a whole link was meant by its host
    bracketed = re.fullmatch(r"\[([^\]]+)\](?::([0-9]{1,5}))?", text)
    if bracketed:
        return canonical_host(bracketed[1]), int(bracketed[2]) if bracketed[2] else None
    host, colon, port = text.rpartition(":")
    if colon and port.isdecimal() and ":" not in host:
        return canonical_host(host), int(port)
    return canonical_host(text), None


_resolve: Callable[..., list[tuple[Any, ...]]] = socket.getaddrinfo


# ---- this process ------------------------------------------------------------------------------------------------


class Session(requests.Session):
    """A requests session whose every connection, also of redirects, goes to an address that was checked.

    Answers are not read by themselves: use `read_bytes`, `read_json` or iterate. What goes wrong is raised as Failure
    (refused, timed_out, connection_lost, garbage, bad_link, forbidden_address); HTTP statuses are left to the caller,
    who may ask `failure_of_status`.
    """

    def __init__(self, outbound: Outbound, *, timeout_s: tuple[Seconds, Seconds], limit_bytes: Bytes,
                 context: ssl.SSLContext | None) -> None:
        super().__init__()
        self.trust_env = False
        self.stream = True
        self.limit_bytes = limit_bytes
        self._timeout_s = timeout_s
        self.headers["User-Agent"] = outbound.user_agent
        self.adapters.clear()
        adapter = _Adapter(outbound, context)
        self.mount("http://", adapter)
        self.mount("https://", adapter)

    def request(self, method: str | bytes, url: str | bytes, **kwargs: Any  # type: ignore[override]
                ) -> requests.Response:
        """As in requests; redirects are followed here, without reading what a redirect carries."""
        follow = kwargs.pop("allow_redirects", True)
        kwargs.setdefault("timeout", self._timeout_s)
        kwargs.pop("proxies", None)
        method, url = _text(method), _text(url)
        was: list[requests.Response] = []
        while True:
            link = Link(url)
            try:
                with Hourglass(HEAD_S) as head:
                    _asking.head = head
                    answer = super().request(method, url, allow_redirects=False, **kwargs)
            except requests.RequestException as error:
                if not head.over:
                    raise failure_of(error, link.host) from error
            finally:
                _asking.head = None
            if head.over:       # what came of it until then may look like a whole head
                raise Failure("timed_out", f"{link.host} does not answer in time.")
            target = super().get_redirect_target(answer) if follow else None
            if target is None:
                answer.history = was
                return answer
            answer.close()
            was.append(answer)
            if len(was) > MOST_REDIRECTS:
                raise Failure("garbage", f"{link.host} redirects more than {MOST_REDIRECTS} times.")
            url = urljoin(url, target)
            kwargs.pop("params", None)
            if (answer.status_code == 303 and method != "HEAD") or (
                    answer.status_code in (301, 302) and method == "POST"):
                method = "GET"
                for body in ("data", "json", "files"):
                    kwargs.pop(body, None)
            try:
                leaving = Link(url).host != link.host
            except Failure as failure:
                failure.message = f"{link.host} redirects wrongly: {failure.message}"
                raise
            if leaving:
                kwargs["headers"] = {name: value for name, value in (kwargs.get("headers") or {}).items()
                                     if name.lower() not in ("authorization", "cookie")}
                kwargs.pop("auth", None)
                kwargs.pop("cookies", None)

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """None: requests itself shall follow nothing, and not read an endless answer in order to look where to."""
        return None

    def read_bytes(self, answer: requests.Response, limit_bytes: Bytes | None = None) -> bytes:
        """See `read_bytes`; the limit of this session when none is given."""
        return read_bytes(answer, self.limit_bytes if limit_bytes is None else limit_bytes)

    def read_json(self, answer: requests.Response, limit_bytes: Bytes | None = None) -> Any:
        return read_json(answer, self.limit_bytes if limit_bytes is None else limit_bytes)


def read_bytes(answer: requests.Response, limit_bytes: Bytes = LIMIT_BYTES, *, limit_s: Seconds = 60.0) -> bytes:
    """The whole body, unpacked; the answer is closed. Raises Failure too_large, timed_out, connection_lost, garbage."""
    host = urlsplit(answer.url or "").hostname or "the server"
    parts: list[bytes] = []
    size, until = 0, time.monotonic() + limit_s
    try:
        # Piece by piece as they come: a slow sender shall not hide behind one that is never full.
        while part := answer.raw.read1(_CHUNK, decode_content=True):
            parts.append(part)
            size += len(part)
            if size > limit_bytes:
                raise Failure("too_large", f"{host} sends more than the {limit_bytes} bytes that are read of it.")
            if time.monotonic() > until:
                raise Failure("timed_out", f"{host} is too slow: its answer took longer than {limit_s:g} s.")
    except (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as error:
        raise failure_of(error, host) from error
    finally:
        answer.close()
    return b"".join(parts)


def read_json(answer: requests.Response, limit_bytes: Bytes = LIMIT_BYTES) -> Any:
    """The body as JSON. Raises Failure garbage when it is none."""
    content = read_bytes(answer, limit_bytes)
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        host = urlsplit(answer.url or "").hostname or "the server"
        raise Failure("garbage", f"{host} answers something that is not JSON.") from None


def failure_of(error: BaseException, host: str) -> Failure:
    """An error of requests or of what lies below it, as a Failure."""
    chain = list(causes(error))
    for one in chain:
        if isinstance(one, Failure):
            return one
    # urllib3 calls a connection that was refused a time-out as well.
    if any(isinstance(one, requests.Timeout | TimeoutError | urllib3.exceptions.TimeoutError)
           and not isinstance(one, urllib3.exceptions.NewConnectionError) for one in chain):
        return Failure("timed_out", f"{host} does not answer in time.")
    if any(isinstance(one, ssl.SSLError | requests.exceptions.SSLError) for one in chain):
        return Failure("refused", f"A safe connection to {host} is not possible: its certificate or its TLS is wrong.")
    if any(isinstance(one, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema
                      | requests.exceptions.MissingSchema | urllib3.exceptions.LocationParseError) for one in chain):
        return Failure("bad_link", f"The link to {host} cannot be read.")
    if any(isinstance(one, ConnectionRefusedError) for one in chain):
        return Failure("refused", f"{host} refuses the connection.")
    if any(isinstance(one, http.client.RemoteDisconnected) for one in chain):
        return Failure("refused", f"{host} hangs up without an answer.")
    if any(isinstance(one, requests.exceptions.ChunkedEncodingError | urllib3.exceptions.IncompleteRead
                      | http.client.IncompleteRead | ConnectionResetError) for one in chain):
        return Failure("connection_lost", f"The connection to {host} broke off.")
    if any(isinstance(one, http.client.BadStatusLine) and str(one).startswith("ICY") for one in chain):
        return Failure("live", f"{host} sends a live stream (ICY); that has no end to wait for.")
    if any(isinstance(one, http.client.HTTPException | requests.exceptions.ContentDecodingError
                      | requests.exceptions.InvalidHeader | urllib3.exceptions.DecodeError
                      | urllib3.exceptions.HeaderParsingError) for one in chain):
        return Failure("garbage", f"{host} answers something that is not HTTP.")
    if any(isinstance(one, urllib3.exceptions.NewConnectionError) for one in chain):
        return Failure("refused", f"{host} cannot be reached.")
    return Failure("connection_lost", f"The connection to {host} broke off.")


def failure_of_status(status: int, headers: Mapping[str, str], host: str) -> Failure | None:
    """What an HTTP status says is wrong; None below 400."""
    if status < 400:
        return None
    if status == 401:
        return Failure("needs_login", f"{host} wants a login for this (401).")
    if status in (403, 407):
        return Failure("no_permission", f"{host} does not give this to everybody ({status}).")
    if status == 404:
        return Failure("not_found", f"{host} has nothing at this link (404).")
    if status == 410:
        return Failure("removed", f"{host} has removed this (410).")
    if status == 451:
        return Failure("region", f"{host} may not give this for legal reasons (451).")
    if status == 429:
        return Failure("rate_limited", f"{host} wants fewer requests (429).", retry_after_s=retry_after(headers))
    if status in (408, 425):
        return Failure("timed_out", f"{host} gave up on the request ({status}).")
    if status >= 500:
        return Failure("service_error", f"{host} has a fault of its own ({status}).",
                       retry_after_s=retry_after(headers) if status == 503 else None)
    return Failure("not_found", f"{host} does not take this request ({status}).")


def retry_after(headers: Mapping[str, str], *, most_s: Seconds = 86400.0) -> Seconds | None:
    """Seconds that a Retry-After asks for (a number or a date), a day at most; None when there is none."""
    text = (headers.get("Retry-After") or "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return min(float(text), most_s)
    if text:
        from email.utils import parsedate_to_datetime

        with contextlib.suppress(ValueError, TypeError, OverflowError):
            return min(max(0.0, parsedate_to_datetime(text).timestamp() - time.time()), most_s)
    return None


def causes(error: BaseException, carries: Callable[[BaseException], Iterable[Any]] = lambda one: one.args
           ) -> Iterator[BaseException]:
    """`error`, what caused it, and what each `carries`: libraries wrap in every way there is. Ends also where an error
    is its own cause."""
    seen: set[int] = set()
    left: list[Any] = [error]
    while left:
        one = left.pop()
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        left += [one.__cause__, one.__context__, getattr(one, "reason", None), *carries(one)]


def _text(value: str | bytes) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else value


class _Adapter(HTTPAdapter):
    def __init__(self, outbound: Outbound, context: ssl.SSLContext | None) -> None:
        self._outbound = outbound
        self._context = context
        super().__init__(max_retries=urllib3.Retry(0, read=False, redirect=False))

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **kwargs: Any) -> None:
        manager = urllib3.PoolManager(num_pools=connections, maxsize=maxsize, block=block, **kwargs)
        pools: Any = {"http": functools.partial(_Pool, outbound=self._outbound),
                      "https": functools.partial(_TlsPool, outbound=self._outbound)}
        manager.pool_classes_by_scheme = pools
        self.poolmanager = manager

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        host, given = super().build_connection_pool_key_attributes(request, verify, cert)
        pool: dict[str, Any] = dict(given)
        if self._context is not None and verify is True and cert is None:
            pool.pop("ca_certs", None)
            pool.pop("ca_cert_dir", None)
            pool["ssl_context"] = self._context
        return host, pool

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        if self._context is None or verify is not True or cert is not None:
            super().cert_verify(conn, url, verify, cert)    # type: ignore[no-untyped-call]


_asking = threading.local()     # head: the time that the request of this thread has left for it


class _Pinned:
    """Connects to an address that was looked up and checked in the same breath."""

    outbound: Outbound
    host: str
    port: int

    def _new_conn(self) -> socket.socket:
        host = getattr(self, "_dns_host", self.host)
        error: OSError | None = None
        head: Hourglass | None = getattr(_asking, "head", None)
        for family, kind, protocol, _, address in self.outbound.addresses(host, self.port)[:MOST_ADDRESSES]:
            plug = None
            try:
                plug = socket.socket(family, kind, protocol)
                for option in getattr(self, "socket_options", None) or ():
                    plug.setsockopt(*option)
                timeout = getattr(self, "timeout", None)
                plug.settimeout(timeout if isinstance(timeout, int | float) else None)
                if head is not None:
                    head.watch(plug)
                plug.connect(address)
                self.outbound.opened(plug)
                return plug
            except OSError as problem:
                error = problem
                if plug is not None:
                    plug.close()
        if isinstance(error, TimeoutError):
            raise urllib3.exceptions.ConnectTimeoutError(self, f"{host} does not answer") from error
        raise urllib3.exceptions.NewConnectionError(self, f"{host} cannot be reached") from error   # type: ignore[arg-type]


class _Connection(_Pinned, urllib3.connection.HTTPConnection):
    def __init__(self, *args: Any, outbound: Outbound, **kwargs: Any) -> None:
        self.outbound = outbound
        super().__init__(*args, **kwargs)


class _TlsConnection(_Pinned, urllib3.connection.HTTPSConnection):
    def __init__(self, *args: Any, outbound: Outbound, **kwargs: Any) -> None:
        self.outbound = outbound
        super().__init__(*args, **kwargs)


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection

    def __init__(self, *args: Any, outbound: Outbound, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn_kw["outbound"] = outbound


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection

    def __init__(self, *args: Any, outbound: Outbound, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn_kw["outbound"] = outbound


# ---- a child process ---------------------------------------------------------------------------------------------


class Guard:
    """Stands before every connection of the process it was made in. `refused`: the last refusal, because libraries
    wrap what they are told beyond recognition."""

    def __init__(self, outbound: Outbound) -> None:
        global _resolve     # sessions of this process look names up by it: what they learn counts here, too
        self.refused: Failure | None = None
        self._outbound = outbound
        self._known: dict[tuple[str, int | None], str] = {}     # (address, port) that an allowed name resolved to
        self._lock = threading.Lock()
        self._connect, self._connect_ex = socket.socket.connect, socket.socket.connect_ex
        self._getaddrinfo = socket.getaddrinfo
        guard = self

        def connect(plug: socket.socket, address: Any) -> None:
            guard._connect(plug, guard._checked(plug, address))

        def connect_ex(plug: socket.socket, address: Any) -> int:
            return int(guard._connect_ex(plug, guard._checked(plug, address)))

        def sendto(plug: socket.socket, data: Any, *rest: Any) -> int:
            *flags, address = rest
            return int(guard._sendto(plug, data, *flags, guard._checked(plug, address)))

        def getaddrinfo(host: Any, port: Any, *args: Any, **kwargs: Any) -> list[Any]:
            found = guard._getaddrinfo(host, port, *args, **kwargs)
            guard._learn(host, port, found)
            return found

        _resolve = getaddrinfo
        self._sendto: Any = socket.socket.sendto
        socket.socket.connect = connect             # type: ignore[method-assign, assignment]
        socket.socket.connect_ex = connect_ex       # type: ignore[method-assign, assignment]
        socket.socket.sendto = sendto               # type: ignore[method-assign, assignment]
        socket.getaddrinfo = getaddrinfo

    def _learn(self, host: Any, port: Any, found: list[Any]) -> None:
        """Addresses of a name that the owner allowed may be connected to."""
        host = _text(host) if host else ""
        for *_, address in found:
            at = address[1] if isinstance(address[1], int) else 0
            for door in ((at,) if at else ()):
                if host and self._outbound.permits(host, door):
                    with self._lock:
                        self._known[(canonical_host(str(address[0])), door)] = host

    def _checked(self, plug: socket.socket, address: Any) -> Any:
        """`address`, with its name replaced by the address that was checked. Raises PermissionError."""
        if plug.family not in (socket.AF_INET, socket.AF_INET6) or not isinstance(address, tuple):
            raise self._no(Failure("forbidden_address", "Only internet addresses are connected to."))
        host, port = str(address[0]), int(address[1])
        try:
            ipaddress.ip_address(host.split("%")[0])
        except ValueError:
            try:
                found = self._outbound.addresses(host, port)
            except Failure as failure:
                if failure.code != "refused":
                    raise self._no(failure) from None
                raise OSError(failure.message) from None
            for family, *_, one in found:
                if family == plug.family:
                    return one
            raise OSError(f"{host} has no address of that kind") from None
        with self._lock:
            if (canonical_host(host), port) in self._known:
                return address
        try:
            self._outbound.check_address(host, port)
        except Failure as failure:
            raise self._no(failure) from None
        return address

    def _no(self, failure: Failure) -> PermissionError:
        self.refused = failure
        return PermissionError(13, failure.message)
