"""Addresses are ranked by who can use them, and tried for real."""

from __future__ import annotations

import ipaddress
import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.discovery import interfaces
from shared.discovery.interfaces import KINDS, Endpoints, addresses, answering, endpoints, kind_of, ranked, url_of


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
        "127.0.0.1", "172.17.0.1", "::1", "192.168.1.20", "fd00::20", "10.8.0.2", "1.1.1.1"]


@given(st.lists(st.tuples(st.text(max_size=12), st.ip_addresses().map(str) | st.text(max_size=20))))
def test_whatever_interfaces_say_each_address_is_named_once_in_order(found: list[tuple[str, str]]) -> None:
    listed = ranked(found)
    assert len({one.ip for one in listed}) == len(listed)
    order = [KINDS.index(one.kind) for one in listed]
    assert order == sorted(order)


def test_this_machine_has_its_loopback_address_first() -> None:
    assert addresses()[0].ip == "127.0.0.1"


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


def test_endpoints_say_where_the_station_answers(door: socket.socket) -> None:
    port = door.getsockname()[1]
    found = {one.url: one for one in endpoints(port)}
    assert found[f"http://127.0.0.1:{port}"].reachable
    assert found[f"http://127.0.0.1:{port}"].kind == "this_machine"
    assert endpoints(port) == endpoints(port)


def test_nobody_waits_for_the_network_once_something_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, go_on = threading.Event(), threading.Event()
    board = Endpoints(9)
    assert board.now()
    assert not any(one.reachable for one in board.now()), "nothing listens on port 9"
    monkeypatch.setattr(interfaces, "FRESH_S", -1.0)

    def hanging() -> list[interfaces.Address]:
        asked.set()
        go_on.wait(20)
        return []

    monkeypatch.setattr(interfaces, "addresses", hanging)
    assert board.now(), "the old answer is given while the new one is sought"
    assert asked.wait(10)
    assert board.now()
    go_on.set()


def test_a_search_that_fails_is_tried_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    board = Endpoints(9)
    monkeypatch.setattr(interfaces, "PATIENCE_S", 5.0)

    def nothing() -> list[interfaces.Address]:
        raise OSError("no network at all")

    with monkeypatch.context() as broken:
        broken.setattr(interfaces, "addresses", nothing)
        assert board.now() == []
    assert board.now()
