"""Who really asks when a reverse proxy stands in front: its headers count from trusted proxies, and from nobody else.

X-Forwarded-For names the client and after it the proxies, each added by the next one. Whoever is no trusted proxy can
write into it what he likes, so it is read from the right: the first address that is not a trusted proxy's is the
client's. -Proto and -Host are read at the same depth. Everything downstream then sees an ordinary request.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Collection, Iterable
from functools import lru_cache
from typing import Any

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

PROXY = "soundsible.proxy"      # in the environ: the address of the trusted proxy that handed the request on
HOPS = 20                       # proxies in a row, at most
_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
_PREFIX = "HTTP_X_FORWARDED"
_OTHERS = ("HTTP_FORWARDED", "HTTP_X_REAL_IP")      # not read here, so nobody shall


class Networks:
    """Addresses and networks, as texts (10.0.0.7, 10.0.0.0/24, fd00::/8). Raises ValueError for what is neither."""

    def __init__(self, given: Collection[str] = ()) -> None:
        self._networks = tuple(ipaddress.ip_network(one.strip(), strict=False) for one in given)
        self._knows = lru_cache(maxsize=4096)(self._look)

    def __bool__(self) -> bool:
        return bool(self._networks)

    def __contains__(self, address: object) -> bool:
        """Whether an address lies in one of them; an IPv4 address may be written as IPv6 (::ffff:10.0.0.7)."""
        return bool(self._networks) and isinstance(address, str) and self._knows(address)

    def _look(self, address: str) -> bool:
        try:
            ip = ipaddress.ip_address(plain(address).partition("%")[0])
        except ValueError:
            return False
        return any(ip in network for network in self._networks)     # another version is never in it


class Proxies:
    """The reverse proxies that say truly who asks."""

    def __init__(self, given: Collection[str] = ()) -> None:
        self.networks = Networks(given)

    def client_of(self, peer: str, forwarded_for: str) -> tuple[str, int]:
        """(the client's address, how many trusted proxies the request came through) for a connection from `peer` with
        this X-Forwarded-For ("": none)."""
        address, proxies = plain(peer), 0
        hops = forwarded_for.split(",")[-HOPS:] if forwarded_for else []
        while address in self.networks:
            proxies += 1
            said = _address(hops.pop()) if hops else None
            if said is None:        # it does not say, or not in words that are understood
                break
            address = said
        return address, proxies


class Forwarded:
    """WSGI middleware, before everything: REMOTE_ADDR, wsgi.url_scheme and HTTP_HOST are the client's, and the headers
    that said so are gone.

    only_theirs   further headers that only trusted proxies may set (Remote-User): removed from everybody else's
                  requests.
    """

    def __init__(self, app: WsgiApp, *, proxies: Proxies, only_theirs: Collection[str] = ()) -> None:
        self._app = app
        self._proxies = proxies
        self._only_theirs = tuple("HTTP_" + name.upper().replace("-", "_") for name in only_theirs if name)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        peer = plain(environ.get("REMOTE_ADDR") or "")
        said = {name: environ.pop(name) for name in [name for name in environ if name.startswith(_PREFIX)]}
        for name in _OTHERS:
            environ.pop(name, None)
        client, proxies = self._proxies.client_of(peer, said.get("HTTP_X_FORWARDED_FOR", ""))
        environ["REMOTE_ADDR"] = client
        if proxies:
            environ[PROXY] = peer
            scheme = _SCHEMES.get(_at(said.get("HTTP_X_FORWARDED_PROTO", ""), proxies).lower())
            if scheme is not None:
                environ["wsgi.url_scheme"] = scheme
            if host := _at(said.get("HTTP_X_FORWARDED_HOST", ""), proxies):
                environ["HTTP_HOST"] = host     # whether it is one of the station's names is the guard's question
        else:
            for name in self._only_theirs:
                environ.pop(name, None)
        return self._app(environ, start_response)


def _at(said: str, depth: int) -> str:
    """What the outermost of `depth` proxies said; the innermost one's is the last. Fewer may have spoken."""
    parts = [part.strip() for part in said.split(",")]
    return parts[-min(depth, len(parts))]


def plain(address: str) -> str:
    """An IPv4 address that came over an IPv6 socket, as the IPv4 address it is; any other text as it is."""
    if address[:7].lower() == "::ffff:" and "." in address:
        return address[7:]
    return address


def _address(text: str) -> str | None:
    """An address as a proxy writes it, with or without its port; None when it is none. Without a zone, which would be
    any text."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return plain(str(ipaddress.ip_address(plain(text).partition("%")[0])))
    except ValueError:
        return None
