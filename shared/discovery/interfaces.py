"""At which addresses this machine can be reached, and of which kind they are.

Addresses come from the network interfaces (ifaddr); nobody is asked over the network. Whether the station answers
there is tried elsewhere (trials.py), and remembered (finding.py).
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
import selectors
import socket
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from shared.model.units import Seconds

KINDS = ("home", "vpn", "public", "this_machine")   # in the order they are listed: whom most can use comes first

TRIAL_S: Seconds = 0.5      # for all addresses together; they are this machine's own

_VPN_INTERFACE = re.compile(r"(?i)^(tun|tap|utun|wg|tailscale|zt|nordlynx|proton|ipsec|vpn|wireguard)")
# Bridges between containers or virtual machines: they lead nowhere outside this machine.
_INNER_INTERFACE = re.compile(r"(?i)^(docker|br-[0-9a-f]{6,}|veth|virbr|vmnet|vboxnet|lxcbr|lxdbr|cni|podman|kube)")
_TUNNEL_TYPES = frozenset({"65534", "768", "769", "776", "778"})    # Linux: no link layer, IP in IP, GRE
_TAILSCALE_4 = ipaddress.ip_network("100.64.0.0/10")
_TAILSCALE_6 = ipaddress.ip_network("fd7a:115c:a1e0::/48")

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One address of one interface. `kind` is one of KINDS."""

    ip: str
    kind: str
    interface: str


def kind_of(ip: IPAddress, interface: str, *, tunnel: bool = False) -> str | None:
    """The kind of an address, None for one that nobody can type (link-local, multicast, none at all)."""
    if ip.is_loopback:
        return "this_machine"
    if ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip.is_reserved:
        return None
    if in_tailscale(ip) or tunnel or _VPN_INTERFACE.match(interface):
        return "vpn"
    if _INNER_INTERFACE.match(interface):
        return "this_machine"
    return "home" if ip.is_private else "public"


def in_tailscale(ip: IPAddress) -> bool:
    """Whether an address is of the range that Tailscale gives out."""
    return ip in _TAILSCALE_4 or ip in _TAILSCALE_6


def addresses() -> list[Address]:
    """All usable addresses of this machine, ranked: by kind, IPv4 first, in the order of the interfaces."""
    import ifaddr

    found = []
    for adapter in ifaddr.get_adapters():
        for one in adapter.ips:
            text = one.ip if isinstance(one.ip, str) else one.ip[0]
            found.append((str(adapter.nice_name), text))
    return ranked(found, is_tunnel=is_tunnel)


def is_tunnel(interface: str, folder: Path = Path("/sys/class/net")) -> bool:
    """Whether Linux says that an interface is a tunnel, whatever it is called (WireGuard, OpenVPN, IP in IP)."""
    if not re.fullmatch(r"[\w.-]{1,32}", interface) or interface in (".", ".."):
        return False
    with contextlib.suppress(OSError):
        if (folder / interface / "type").read_text().strip() in _TUNNEL_TYPES:
            return True
        return "DEVTYPE=wireguard" in (folder / interface / "uevent").read_text()
    return False


def ranked(found: Iterable[tuple[str, str]], *, is_tunnel: Callable[[str], bool] = lambda interface: False
           ) -> list[Address]:
    """(interface, address) pairs → Address, without those of no use and without doubles, the best first."""
    kept: dict[str, tuple[tuple[int, int, int], Address]] = {}
    tunnels: dict[str, bool] = {}
    for position, (interface, text) in enumerate(found):
        try:
            ip = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            continue
        if interface not in tunnels:
            tunnels[interface] = is_tunnel(interface)
        kind = kind_of(ip, interface, tunnel=tunnels[interface])
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
