"""At which addresses this machine can be reached, of which kind they are, and whether the station answers there.

Addresses come from the network interfaces (ifaddr). `endpoints` tries each with a short TCP connection from inside
and keeps the answer; a request never waits for the network.
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import re
import selectors
import socket
import threading
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from shared.model.units import Seconds

log = logging.getLogger(__name__)

KINDS = ("this_machine", "home", "vpn", "public")   # in the order they are listed

TRIAL_S: Seconds = 0.5      # for all addresses together; they are this machine's own
FRESH_S: Seconds = 30.0     # an answer this old is renewed in the background
PATIENCE_S: Seconds = 1.0   # the very first asker waits this long at most

_VPN_INTERFACE = re.compile(r"(?i)^(tun|tap|utun|wg|tailscale|zt|nordlynx|proton|ipsec|vpn|wireguard)")
# Bridges between containers or virtual machines: they lead nowhere outside this machine.
_INNER_INTERFACE = re.compile(r"(?i)^(docker|br-[0-9a-f]{6,}|veth|virbr|vmnet|vboxnet|lxcbr|lxdbr|cni|podman|kube)")
_TAILSCALE_4 = ipaddress.ip_network("100.64.0.0/10")
_TAILSCALE_6 = ipaddress.ip_network("fd7a:115c:a1e0::/48")

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One address of one interface. `kind` is one of KINDS."""

    ip: str
    kind: str
    interface: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The public endpoint. `reachable`: something answered there when it was last tried, from this machine."""

    url: str
    kind: str
    reachable: bool


def kind_of(ip: IPAddress, interface: str) -> str | None:
    """The kind of an address, None for one that nobody can type (link-local, multicast, none at all)."""
    if ip.is_loopback:
        return "this_machine"
    if ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip.is_reserved:
        return None
    if ip in _TAILSCALE_4 or ip in _TAILSCALE_6 or _VPN_INTERFACE.match(interface):
        return "vpn"
    if _INNER_INTERFACE.match(interface):
        return "this_machine"
    return "home" if ip.is_private else "public"


def addresses() -> list[Address]:
    """All usable addresses of this machine, ranked: by kind, IPv4 first, in the order of the interfaces."""
    import ifaddr

    found = []
    for adapter in ifaddr.get_adapters():
        for one in adapter.ips:
            text = one.ip if isinstance(one.ip, str) else one.ip[0]
            found.append((str(adapter.nice_name), text))
    return ranked(found)


def ranked(found: Iterable[tuple[str, str]]) -> list[Address]:
    """(interface, address) pairs → Address, without those of no use and without doubles, the best first."""
    kept: dict[str, tuple[tuple[int, int, int], Address]] = {}
    for position, (interface, text) in enumerate(found):
        try:
            ip = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            continue
        kind = kind_of(ip, interface)
        if kind is None or str(ip) in kept:
            continue
        rank = (KINDS.index(kind), ip.version, position if not ip.is_loopback else -1)
        kept[str(ip)] = (rank, Address(ip=str(ip), kind=kind, interface=interface))
    return [address for _, address in sorted(kept.values(), key=lambda pair: pair[0])]


def url_of(ip: str, port: int, scheme: str = "http") -> str:
    return f"{scheme}://[{ip}]:{port}" if ":" in ip else f"{scheme}://{ip}:{port}"


def answering(ips: Collection[str], port: int, *, within_s: Seconds = TRIAL_S) -> set[str]:
    """Those of `ips` where a TCP connection to `port` is taken. All are tried at once; never longer than `within_s`."""
    answered: set[str] = set()
    deadline = time.monotonic() + within_s
    with contextlib.ExitStack() as open_things:
        waiting = open_things.enter_context(selectors.DefaultSelector())
        for ip in ips:
            try:
                one = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_STREAM)
                open_things.callback(one.close)
                one.setblocking(False)
                one.connect_ex((ip, port))
                waiting.register(one, selectors.EVENT_WRITE, ip)
            except (OSError, OverflowError):    # a family this machine does not speak
                continue
        while waiting.get_map():
            ready = waiting.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                break
            for key, _ in ready:
                waiting.unregister(key.fileobj)
                sock = key.fileobj
                if isinstance(sock, socket.socket) and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                    answered.add(key.data)
    return answered


class Endpoints:
    """The endpoints of one port, looked up in the background and remembered."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._known: list[Endpoint] | None = None
        self._tried_at = 0.0
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._under_way = False

    def now(self) -> list[Endpoint]:
        """What is known; when that is old, it is renewed behind the caller's back. Only the first call may wait."""
        with self._lock:
            old = self._known is None or time.monotonic() - self._tried_at > FRESH_S
            begin = old and not self._under_way
            if begin:
                self._under_way = True
                self._done.clear()
        if begin:
            threading.Thread(target=self._renew, name="endpoints", daemon=True).start()
        if self._known is None:
            self._done.wait(PATIENCE_S)
        return list(self._known or [])

    def _renew(self) -> None:
        try:
            found = addresses()
            answered = answering([one.ip for one in found], self._port)
            self._known = [
                Endpoint(url=url_of(one.ip, self._port), kind=one.kind, reachable=one.ip in answered) for one in found
            ]
        except OSError:
            log.exception("the network interfaces cannot be listed")
        finally:
            with self._lock:
                self._tried_at = time.monotonic()
                self._under_way = False
            self._done.set()


_boards: dict[int, Endpoints] = {}


def endpoints(port: int) -> list[Endpoint]:
    """Every address of this machine as an URL with `port`, ranked, with what was found when it was last tried."""
    board = _boards.get(port)
    if board is None:
        board = _boards.setdefault(port, Endpoints(port))
    return board.now()
