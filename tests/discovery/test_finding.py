"""Where the station is found: ranked, tried, fresh after every change, told to who listens."""

from __future__ import annotations

import plistlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from shared.discovery import finding as room
from shared.discovery.finding import Finding, Network, station_name
from shared.discovery.interfaces import Address
from shared.discovery.news import News
from shared.discovery.trials import Trials
from shared.settings import Settings
from tests.discovery.doors import door, eventually

HOME = Address(ip="127.0.0.2", kind="home", interface="eth0")       # loopback plays every network here
VPN = Address(ip="100.64.0.7", kind="vpn", interface="tailscale0")
SELF = Address(ip="127.0.0.1", kind="this_machine", interface="lo")


class Machine:
    """Interfaces that tests plug in and out."""

    def __init__(self) -> None:
        self.addresses = [HOME, SELF]
        self.slept_s = 0.0
        self.tailnet: str | None = None
        self.made: list[Finding] = []

    def finding(self, *, host: str = "0.0.0.0", trials: Trials | None = None,
                covers: Callable[[str], bool] = lambda host: True, **settings: Any) -> Finding:
        made = Finding(
            settings=Settings(host=host, **{"https": False, **settings}), trials=trials, covers=covers,
            look=lambda: list(self.addresses), tailnet=lambda: self.tailnet,
            news=lambda look: News(look, slept=lambda: self.slept_s, look_every_s=0.03, settle_s=0.01),
        )
        self.made.append(made)
        return made


@pytest.fixture
def machine() -> Iterator[Machine]:
    machine = Machine()
    yield machine
    for one in machine.made:
        one.stop()


@pytest.fixture
def here() -> Iterator[tuple[Trials, int]]:
    """A station that answers at all loopback addresses."""
    trials = Trials()
    with door(trials.arrived, host="0.0.0.0") as port:
        yield trials, port


def test_endpoints_are_tried_and_the_best_come_first(machine: Machine, here: tuple[Trials, int]) -> None:
    trials, port = here
    machine.addresses = [HOME, VPN, SELF]
    found = machine.finding(trials=trials)
    found.start([("0.0.0.0", port)])
    items = eventually(lambda: found.endpoints())
    assert [(one.url, one.kind, one.reachable, one.secure, one.name) for one in items] == [
        (f"http://127.0.0.2:{port}", "home", True, False, None),
        (f"http://127.0.0.1:{port}", "this_machine", True, False, None),
        (f"http://100.64.0.7:{port}", "vpn", False, False, None)]     # this machine has no such address, in truth
    assert found.urls() == [f"http://127.0.0.2:{port}"]


def test_before_it_serves_every_address_is_named_and_none_is_promised(machine: Machine) -> None:
    items = machine.finding(https=True).endpoints()
    assert [(one.url, one.secure) for one in items] == [
        ("http://127.0.0.2:5005", False), ("https://127.0.0.2:5005", True), ("http://127.0.0.1:5005", False),
        ("https://127.0.0.1:5005", True)]
    assert not any(one.reachable for one in items)


def test_the_public_address_stands_first_and_is_told_to_devices_though_it_cannot_be_tried_from_inside(
    machine: Machine, here: tuple[Trials, int]
) -> None:
    trials, port = here
    found = machine.finding(trials=trials, public_url="http://music.invalid")
    found.start([("0.0.0.0", port)])
    items = eventually(lambda: found.endpoints())
    assert items[-1].url == "http://music.invalid" and not items[-1].reachable and items[-1].kind == "public"
    assert found.urls()[0] == "http://music.invalid"
    again = machine.finding(trials=trials, public_url=f"http://localhost:{port}")
    again.start([("0.0.0.0", port)])
    first = eventually(lambda: again.endpoints())[0]
    assert (first.url, first.reachable, first.kind, first.name) == (
        f"http://localhost:{port}", True, "this_machine", "localhost")


def test_the_public_address_works_while_people_come_through_it(machine: Machine, here: tuple[Trials, int]) -> None:
    trials, port = here
    found = machine.finding(trials=trials, public_url="https://music.invalid")
    found.start([("0.0.0.0", port)])
    eventually(lambda: found.endpoints())
    found.came("192.168.1.9:5005")
    assert not any(one.reachable for one in found.endpoints() if one.kind == "public")
    found.came("Music.invalid:443")
    first = found.endpoints()[0]
    assert (first.url, first.reachable, first.secure) == ("https://music.invalid", True, True)


def test_of_https_only_what_the_certificate_covers_is_named(machine: Machine, here: tuple[Trials, int]) -> None:
    covered = {"127.0.0.1"}
    found = machine.finding(https=True, public_url="https://music.invalid", covers=lambda host: host in covered)
    assert [one.url for one in found.endpoints() if one.secure] == ["https://music.invalid", "https://127.0.0.1:5005"]
    covered.add("127.0.0.2")
    assert "https://127.0.0.2:5005" in [one.url for one in found.endpoints()]


def test_only_addresses_it_listens_at_are_named(machine: Machine, here: tuple[Trials, int]) -> None:
    trials, port = here
    machine.addresses = [HOME, SELF, Address(ip="::1", kind="this_machine", interface="lo")]
    found = machine.finding(trials=trials)
    found.start([("127.0.0.1", port)])
    assert [one.url for one in eventually(lambda: found.endpoints())] == [f"http://127.0.0.1:{port}"]
    assert [one.ip for one in found.addresses()] == ["127.0.0.1"]
    assert found.urls() == [f"http://127.0.0.1:{port}"], "there is nothing else"
    wide = machine.finding(trials=trials)
    wide.start([("0.0.0.0", port)])
    assert not any("[" in one.url for one in eventually(lambda: wide.endpoints())), "it does not listen over IPv6"


def test_a_network_that_comes_and_goes_is_noticed_and_told(machine: Machine, here: tuple[Trials, int]) -> None:
    trials, port = here
    found, heard = machine.finding(trials=trials), list[Network]()
    found.subscribe(heard.append)
    found.start([("0.0.0.0", port)])
    eventually(lambda: found.endpoints())
    machine.addresses = [HOME, Address(ip="127.0.0.3", kind="home", interface="wlan0"), SELF]
    eventually(lambda: any(one.url == f"http://127.0.0.3:{port}" and one.reachable for one in found.endpoints()))
    machine.addresses = [SELF]
    eventually(lambda: [one.url for one in found.endpoints()] == [f"http://127.0.0.1:{port}"])
    assert [[one.ip for one in network.addresses] for network in heard] == [
        ["127.0.0.2", "127.0.0.1"], ["127.0.0.2", "127.0.0.3", "127.0.0.1"], ["127.0.0.1"]]
    assert {network.port for network in heard} == {port}


def test_waking_up_is_told_though_nothing_changed(machine: Machine, here: tuple[Trials, int]) -> None:
    trials, port = here
    found, heard = machine.finding(trials=trials), list[Network]()
    found.subscribe(heard.append)
    found.start([("0.0.0.0", port)])
    eventually(lambda: heard)
    machine.slept_s += 3600.0
    eventually(lambda: len(heard) == 2)
    assert [one.slept for one in heard] == [False, True]
    assert heard[0].addresses == heard[1].addresses


def test_who_subscribes_late_hears_what_is_known(machine: Machine, here: tuple[Trials, int]) -> None:
    trials, port = here
    found = machine.finding(trials=trials)
    found.start([("0.0.0.0", port)])
    eventually(lambda: found.endpoints())
    heard: list[Network] = []
    end = found.subscribe(heard.append)
    assert [one.ip for one in heard[0].addresses] == ["127.0.0.2", "127.0.0.1"]
    end()
    found.announced("soundsible.local")
    assert len(heard) == 1


def test_a_deaf_listener_keeps_nobody_from_hearing(machine: Machine, here: tuple[Trials, int]) -> None:
    def broken(network: Network) -> None:
        raise ZeroDivisionError

    trials, port = here
    found, heard = machine.finding(trials=trials), list[Network]()
    found.subscribe(broken)
    found.subscribe(heard.append)
    found.start([("0.0.0.0", port)])
    eventually(lambda: heard and found.endpoints())


def test_names_are_own_ones_as_long_as_they_are_announced(machine: Machine, here: tuple[Trials, int]) -> None:
    trials, port = here
    found, heard = machine.finding(trials=trials, public_url="https://Music.Example.org:8443/"), list[Network]()
    assert found.names() == {"music.example.org"}
    found.subscribe(heard.append)
    found.start([("0.0.0.0", port)])
    eventually(lambda: found.endpoints())
    found.announced("soundsible-2.local")
    assert found.names() == {"music.example.org", "soundsible-2.local"} == heard[-1].names
    by_name = eventually(lambda: next(one for one in found.endpoints() if one.name == "soundsible-2.local"))
    assert (by_name.url, by_name.kind, by_name.reachable) == (f"http://soundsible-2.local:{port}", "home", True)
    found.announced(None)
    assert found.names() == {"music.example.org"} == heard[-1].names


def test_tailscale_is_asked_only_where_there_is_such_an_address(machine: Machine, here: tuple[Trials, int]) -> None:
    trials, port = here
    machine.tailnet = "attic.example.ts.net"
    found = machine.finding(trials=trials)
    found.start([("0.0.0.0", port)])
    eventually(lambda: found.endpoints())
    assert found.names() == frozenset()
    machine.addresses = [HOME, VPN, SELF]
    eventually(lambda: found.names() == {"attic.example.ts.net"})
    named = eventually(lambda: next(one for one in found.endpoints() if one.name))
    assert (named.url, named.kind) == (f"http://attic.example.ts.net:{port}", "vpn")


def test_nobody_waits_for_the_network_once_something_is_known(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, go_on = threading.Event(), threading.Event()

    class Hanging(Trials):
        def run(self, places: Any, **within: Any) -> Any:
            if self.hangs:
                asked.set()
                go_on.wait(20)
            return super().run(places, **within)
        hangs = False

    trials = Hanging()
    with door(trials.arrived, host="0.0.0.0") as port:
        found = machine.finding(trials=trials)
        found.start([("0.0.0.0", port)])
        known = eventually(lambda: found.endpoints())
        monkeypatch.setattr(room, "FRESH_S", -1.0)
        trials.hangs = True
        assert found.endpoints() == known
        assert asked.wait(10)
        assert found.endpoints() == known, "the old answer is given while the new one is sought"
        go_on.set()


def test_a_search_that_fails_is_tried_again(machine: Machine, monkeypatch: pytest.MonkeyPatch,
                                            here: tuple[Trials, int]) -> None:
    trials, port = here
    monkeypatch.setattr(room, "AFTER_A_CHANGE_S", (0.02, 0.02))
    works: list[Callable[[], list[Address]]] = [lambda: [SELF]]

    def look() -> list[Address]:
        if works:
            return works[0]()
        raise OSError("no network at all")

    monkeypatch.setattr(machine, "addresses", None)
    found = Finding(settings=Settings(https=False), trials=trials, look=look, tailnet=lambda: None,
                    news=lambda look: News(look, slept=lambda: 0.0, look_every_s=0.03, settle_s=0.01))
    machine.made.append(found)
    deed = works.pop()
    found.start([("0.0.0.0", port)])
    assert found.endpoints() == []
    works.append(deed)
    eventually(lambda: found.endpoints())


def test_the_station_is_called_as_wished_or_like_its_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "attic.example.org")
    assert station_name("") == "attic"
    assert station_name("Our music") == "Our music"


@pytest.mark.parametrize(("given", "shown"), [
    ("Attic", "Attic"), ("Küche & <Bad>", "Küche & <Bad>"), ("a\x01b\r\n", "ab"), ("\ud800x", "x"), ("x\ufffe", "x"),
    ("\u202eevil", "evil"), ("x" * 300, "x" * 80),
])
def test_the_station_s_name_is_one_line_that_can_be_shown(given: str, shown: str) -> None:
    assert station_name(given) == shown
    plistlib.loads(plistlib.dumps({"name": shown}))


@pytest.mark.parametrize("nothing", ["", "\x00", " \t\x7f"])
def test_a_name_that_shows_nothing_is_none(nothing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "attic.example")
    assert station_name(nothing) == "attic"
