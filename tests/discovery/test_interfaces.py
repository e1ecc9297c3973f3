"""Addresses are known by their kind, and ranked by who can use them."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.discovery.interfaces import KINDS, addresses, answering, is_tunnel, kind_of, ranked, url_of


@pytest.mark.parametrize(("ip", "interface", "kind"), [
    ("127.0.0.1", "lo", "this_machine"), ("::1", "lo", "this_machine"), ("172.17.0.1", "docker0", "this_machine"),
    ("172.18.0.1", "br-0123456789ab", "this_machine"), ("192.168.122.1", "virbr0", "this_machine"),
    ("192.168.1.20", "eth0", "home"), ("10.0.0.5", "enp3s0", "home"), ("172.16.4.1", "wlan0", "home"),
    ("192.168.1.20", "br0", "home"), ("fd00::20", "eth0", "home"),
    ("100.101.102.103", "tailscale0", "vpn"), ("100.64.0.1", "eth0", "vpn"), ("fd7a:115c:a1e0::1", "utun4", "vpn"),
    ("10.8.0.2", "wg0", "vpn"), ("10.8.0.2", "tun0", "vpn"), ("10.6.0.2", "utun3", "vpn"),
    ("1.1.1.1", "eth0", "public"), ("2606:4700::1", "eth0", "public"), ("1.1.1.1", "ppp0", "public"),
    ("fe80::1", "eth0", None), ("169.254.3.4", "eth0", None), ("0.0.0.0", "eth0", None), ("ff02::1", "eth0", None),
])
def test_the_kind_tells_who_can_use_an_address(ip: str, interface: str, kind: str | None) -> None:
    assert kind_of(ipaddress.ip_address(ip), interface) == kind


def test_addresses_are_ranked_by_kind_and_ipv4_first() -> None:
    found = ranked([
        ("wg0", "10.8.0.2"), ("eth0", "fd00::20"), ("eth0", "192.168.1.20"), ("eth0", "fe80::1%eth0"), ("lo", "::1"),
        ("docker0", "172.17.0.1"), ("lo", "127.0.0.1"), ("eth0", "1.1.1.1"),
        ("eth0", "192.168.1.20"), ("eth0", "nonsense"),
    ])
    assert [one.ip for one in found] == [
        "192.168.1.20", "fd00::20", "10.8.0.2", "1.1.1.1", "127.0.0.1", "172.17.0.1", "::1"]


def test_linux_says_which_interfaces_are_tunnels_whatever_they_are_called(tmp_path: Path) -> None:
    for name, kind, event in (("office", "65534", "DEVTYPE=wireguard\nINTERFACE=office\n"), ("eth0", "1", ""),
                              ("odd", "1", "INTERFACE=odd\nDEVTYPE=wireguard\n"), ("ipip", "768", "")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "type").write_text(f"{kind}\n")
        (tmp_path / name / "uevent").write_text(event)
    tunnels = [name for name in ("office", "eth0", "odd", "ipip", "none", "../eth0", "..") if is_tunnel(name, tmp_path)]
    assert tunnels == ["office", "odd", "ipip"]
    found = ranked([("office", "10.9.0.2"), ("eth0", "10.0.0.2")], is_tunnel=lambda name: is_tunnel(name, tmp_path))
    assert [(one.ip, one.kind) for one in found] == [("10.0.0.2", "home"), ("10.9.0.2", "vpn")]


@given(st.lists(st.tuples(st.text(max_size=12), st.ip_addresses().map(str) | st.text(max_size=20))))
def test_whatever_interfaces_say_each_address_is_named_once_in_order(found: list[tuple[str, str]]) -> None:
    listed = ranked(found)
    assert len({one.ip for one in listed}) == len(listed)
    order = [KINDS.index(one.kind) for one in listed]
    assert order == sorted(order)


def test_this_machine_has_its_loopback_address() -> None:
    assert next(one.ip for one in addresses() if one.kind == "this_machine") == "127.0.0.1"


def test_an_ipv6_url_has_brackets() -> None:
    assert url_of("fd00::20", 5005) == "http://[fd00::20]:5005"
    assert url_of("10.0.0.5", 80) == "http://10.0.0.5:80"


@pytest.fixture
def door() -> socket.socket:  # type: ignore[misc]
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(16)
        yield listening


def test_only_addresses_that_take_a_connection_answer(door: socket.socket) -> None:
    port = door.getsockname()[1]
    assert answering(["127.0.0.1", "127.0.0.2", "::1"], port, within_s=0.3) == {"127.0.0.1"}
