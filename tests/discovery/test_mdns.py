"""Neighbours find the station by multicast DNS, over loopback: real packets, a browser of their own."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from zeroconf import (
    AddressResolver,  # type: ignore[attr-defined]
    ServiceBrowser,
    ServiceInfo,
    ServiceStateChange,
    Zeroconf,
)

from shared.discovery import mdns
from shared.discovery.finding import Network
from shared.discovery.interfaces import Address
from shared.discovery.mdns import HTTP, SOUNDSIBLE, Announcer, label_of
from tests.discovery.doors import eventually

LOOPBACK = Address(ip="127.0.0.1", kind="home", interface="lo")


class Cable:
    """The network as tests plug it; remembers the name that was announced."""

    def __init__(self) -> None:
        self.listeners: list[Any] = []
        self.names: list[str | None] = []

    def subscribe(self, listener: Any) -> Any:
        self.listeners.append(listener)
        return self.listeners.clear

    def announced(self, name: str | None) -> None:
        if not self.names or self.names[-1] != name:
            self.names.append(name)

    def is_now(self, *addresses: Address, port: int = 5005, slept: bool = False) -> None:
        for listener in self.listeners:
            listener(Network(addresses=addresses, names=frozenset(), port=port, slept=slept))


class Station:
    def __init__(self, host: str, name: str, identity: str) -> None:
        self.cable = Cable()
        self.announcer = Announcer(finding=self.cable, name=name, host=host, ask_ms=400,  # type: ignore[arg-type]
                                   properties=lambda: {"version": "1", "path": "/", "id": identity, "https": "1"})
        self.announcer.start()

    def on_air(self) -> str:
        return eventually(lambda: self.announcer.host_name)


class Neighbour:
    """Somebody else's browser."""

    def __init__(self) -> None:
        self.zeroconf = Zeroconf(interfaces=["127.0.0.1"])
        self.there: dict[str, ServiceInfo] = {}
        self.history: list[tuple[str, str]] = []
        self.browser = ServiceBrowser(self.zeroconf, [SOUNDSIBLE, HTTP], handlers=[self._heard])

    def _heard(self, *, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        self.history.append((state_change.name, name))
        if state_change is ServiceStateChange.Removed:
            self.there.pop(name, None)
            return
        info = ServiceInfo(service_type, name)
        if info.request(zeroconf, 3000):
            self.there[name] = info

    def resolve(self, name: str) -> list[str]:
        asked = AddressResolver(name)
        return sorted(asked.parsed_addresses()) if asked.request(self.zeroconf, 3000) else []

    def close(self) -> None:
        self.browser.cancel()
        self.zeroconf.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Probes of services follow each other sooner than on a real network."""
    monkeypatch.setattr("zeroconf._core._CHECK_TIME", 120)
    monkeypatch.setattr("zeroconf._core._PROBE_RANDOM_DELAY_INTERVAL", (10, 60))


@pytest.fixture
def neighbour() -> Iterator[Neighbour]:
    one = Neighbour()
    yield one
    one.close()


@pytest.fixture
def host() -> str:
    """A name that no other test, and no real station of this machine, takes."""
    return f"soundsible-test-{secrets.token_hex(4)}"


@pytest.fixture
def stations() -> Iterator[list[Station]]:
    made: list[Station] = []
    yield made
    for one in made:
        one.announcer.stop()


def _text(info: ServiceInfo) -> Mapping[str, str]:
    return {key.decode(): (value or b"").decode() for key, value in info.properties.items()}


def test_a_station_is_found_by_name_and_service_and_says_goodbye(
    neighbour: Neighbour, host: str, stations: list[Station]
) -> None:
    station = Station(host, f"Attic. {host}", "abcdef")
    stations.append(station)
    station.cable.is_now(LOOPBACK, port=5123)
    assert station.on_air() == f"{host}.local"
    eventually(lambda: station.cable.names == [f"{host}.local"])
    for kind in (SOUNDSIBLE, HTTP):
        info = eventually(lambda kind=kind: neighbour.there.get(f"Attic. {host}.{kind}"))
        assert (info.server, info.port, info.parsed_addresses()) == (f"{host}.local.", 5123, ["127.0.0.1"])
        assert _text(info) == {"version": "1", "path": "/", "id": "abcdef", "https": "1"}
    assert neighbour.resolve(f"{host}.local.") == ["127.0.0.1"]
    station.announcer.stop()
    eventually(lambda: not [name for name in neighbour.there if host in name])
    assert station.announcer.host_name is None and station.cable.names == [f"{host}.local", None]


def test_a_second_station_takes_another_name_and_both_stay(
    neighbour: Neighbour, host: str, stations: list[Station]
) -> None:
    first, second = Station(host, host, "aaa"), Station(host, host, "bbb")
    stations += [first, second]
    first.cable.is_now(LOOPBACK, port=5001)
    assert first.on_air() == f"{host}.local"
    second.cable.is_now(LOOPBACK, port=5002)
    eventually(lambda: second.announcer.host_name == f"{host}-2.local")
    eventually(lambda: len([name for name in neighbour.there if host in name]) == 4)
    assert {(info.server, info.port) for name, info in neighbour.there.items() if host in name} == {
        (f"{host}.local.", 5001), (f"{host}-2.local.", 5002)}
    assert first.announcer.host_name == f"{host}.local"


def test_two_that_come_at_the_same_moment_settle_who_is_who(host: str, stations: list[Station]) -> None:
    stations += [Station(host, f"{host} {one}", one) for one in ("bbb", "aaa")]
    for one in stations:
        one.cable.is_now(LOOPBACK)
    eventually(lambda: {one.announcer.host_name for one in stations} == {f"{host}.local", f"{host}-2.local"}, 30)
    assert stations[1].announcer.host_name == f"{host}.local", "the smaller id stays"


def test_after_a_change_or_a_sleep_it_is_announced_anew(
    neighbour: Neighbour, host: str, stations: list[Station]
) -> None:
    station = Station(host, host, "abc")
    stations.append(station)
    station.cable.is_now(LOOPBACK, port=5001)
    station.on_air()
    service = f"{host}.{SOUNDSIBLE}"
    eventually(lambda: service in neighbour.there)
    station.cable.is_now(LOOPBACK, port=5001, slept=True)
    eventually(lambda: neighbour.history.count(("Removed", service)) == 1)
    eventually(lambda: neighbour.history.count(("Added", service)) == 2)
    station.on_air()
    station.cable.is_now(Address(ip="127.0.0.1", kind="home", interface="other"), port=5002)
    eventually(lambda: neighbour.there[service].port == 5002 if service in neighbour.there else False)
    station.on_air()
    assert station.cable.names == [f"{host}.local"], "nobody has to learn another name meanwhile"
    station.cable.is_now(Address(ip="100.64.0.1", kind="vpn", interface="wg0"))
    eventually(lambda: station.announcer.host_name is None and service not in neighbour.there)
    eventually(lambda: station.cable.names == [f"{host}.local", None])


def test_without_a_home_network_nothing_is_begun(host: str, stations: list[Station]) -> None:
    station = Station(host, host, "abc")
    stations.append(station)
    station.cable.is_now(Address(ip="127.0.0.1", kind="this_machine", interface="lo"),
                         Address(ip="100.64.0.1", kind="vpn", interface="wg0"))
    assert station.announcer._thread is None


def test_where_multicast_fails_it_is_one_line_and_tried_again(
    host: str, stations: list[Station], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mdns, "AGAIN_S", 0.05)
    tried: list[object] = []

    def broken(*given: Any, **wishes: Any) -> Any:
        tried.append(wishes)
        raise OSError(101, "Network is unreachable")

    with monkeypatch.context() as no_network:
        no_network.setattr("zeroconf.Zeroconf", broken)
        station = Station(host, host, "abc")
        stations.append(station)
        station.cable.is_now(LOOPBACK)
        eventually(lambda: len(tried) >= 3)
    assert station.on_air() == f"{host}.local"
    assert [one.getMessage() for one in caplog.records if "cannot be announced" in one.getMessage()] == [
        "The station cannot be announced on the home network (multicast DNS): [Errno 101] Network is unreachable"]


@pytest.mark.parametrize(("name", "label"), [
    ("Our music", "Our music"), ("", "Soundsible"), (" \x00\n", "Soundsible"), ("ü" * 100, "ü" * 29), ("a.b.", "a.b"),
])
def test_a_name_fits_into_dns(name: str, label: str) -> None:
    assert label_of(name) == label


def test_names_that_are_none_deafen_nobody(host: str, stations: list[Station]) -> None:
    station = Station(host, "Attic", "b")
    stations.append(station)
    station.cable.is_now(LOOPBACK)
    station.on_air()
    air = station.announcer._on_air
    assert air is not None and air._zeroconf is not None
    for name in (f"\x01\x02.{SOUNDSIBLE}", f"{'x' * 64}.{SOUNDSIBLE}", SOUNDSIBLE, "\x00", ""):
        air._seen(zeroconf=air._zeroconf, service_type=SOUNDSIBLE, name=name, state_change=ServiceStateChange.Added)


def test_others_that_are_made_up_fill_no_memory(
        host: str, stations: list[Station], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mdns, "MOST_OTHERS", 3)
    station = Station(host, "Attic", "b")
    stations.append(station)
    station.cable.is_now(LOOPBACK)
    station.on_air()
    air = station.announcer._on_air
    assert air is not None and air._zeroconf is not None
    told = SimpleNamespace(load_from_cache=lambda _: True, properties={b"id": b"x"}, server="other.local.")
    monkeypatch.setattr("zeroconf.ServiceInfo", lambda *_: told)
    for number in range(20):
        air._seen(zeroconf=air._zeroconf, service_type=SOUNDSIBLE, name=f"{number}.{SOUNDSIBLE}",
                  state_change=ServiceStateChange.Added)
    assert len(air._others) == 3


def test_a_machine_that_is_itself_called_so_is_no_stranger(
    neighbour: Neighbour, host: str, stations: list[Station], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its system announces the name, too, at the same addresses."""
    system = ServiceInfo("_workstation._tcp.local.", f"{host}._workstation._tcp.local.", port=9,
                         server=f"{host}.local.", addresses=[socket.inet_aton("127.0.0.1")])
    neighbour.zeroconf.register_service(system)
    monkeypatch.setattr(socket, "gethostname", lambda: host)
    station = Station(host, host, "abc")
    stations.append(station)
    station.cable.is_now(LOOPBACK)
    assert station.on_air() == f"{host}.local"
    monkeypatch.setattr(socket, "gethostname", lambda: "attic")
    other = Station(host, host, "abd")
    stations.append(other)
    other.cable.is_now(LOOPBACK)
    eventually(lambda: other.announcer.host_name == f"{host}-2.local")
