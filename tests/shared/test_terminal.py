"""What the terminal shows."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

from shared.discovery.finding import Endpoint, Network
from shared.events import EventBus, ScanMoved
from shared.terminal import Front


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class _Finding:
    """Knows what it is told."""

    def __init__(self, found: list[Endpoint]) -> None:
        self.found = found
        self.listeners: list[Any] = []
        self.subscribe = self.listeners.append

    def endpoints(self) -> list[Endpoint]:
        return self.found


def _front(out: io.StringIO, *, owned: bool = True, roots: tuple[str, ...] = ("/music",),
           found: tuple[Endpoint, ...] = ()) -> tuple[Front, Any]:
    station = SimpleNamespace(
        events=EventBus(), settings=SimpleNamespace(public_url=""), finding=_Finding(list(found)),
        setup=SimpleNamespace(needed=lambda: not owned, code=lambda: "ABCDEF"),
        scans=SimpleNamespace(roots=lambda: list(roots)),
    )
    front = Front(out)
    front.watch(station)  # type: ignore[arg-type]
    return front, station


def _at(url: str, kind: str, reachable: bool = True) -> Endpoint:
    return Endpoint(url=url, kind=kind, reachable=reachable, secure=url.startswith("https:"))


def test_it_says_calmly_where_it_answers_and_how_https_comes_about() -> None:
    out = io.StringIO()
    front, station = _front(out, found=(
        _at("http://192.168.1.20:5005", "home"), _at("https://192.168.1.20:5005", "home"),
        _at("http://127.0.0.1:5005", "this_machine"), _at("https://127.0.0.1:5005", "this_machine"),
        _at("http://[fd00::20]:5005", "home", reachable=False)))
    front.ready([("0.0.0.0", 5005)])
    lines = out.getvalue().splitlines()
    assert lines[1:6] == [
        "", "  http://192.168.1.20:5005   home network", "  http://127.0.0.1:5005      this machine", "",
        "  https:// works there, too: http://192.168.1.20:5005/trust tells a device once how to trust it."]
    said = len(out.getvalue())
    network = Network(addresses=(), names=frozenset({"soundsible.local", "music.example.org"}), port=5005)
    for listener in station.finding.listeners * 2:
        listener(network)
    assert out.getvalue()[said:] == "In the home network it is also found at http://soundsible.local:5005\n"


def test_https_is_promised_only_where_the_certificate_covers_it() -> None:
    out = io.StringIO()
    front, _ = _front(out, found=(
        _at("http://192.0.2.2:5005", "public"), _at("http://192.168.1.20:5005", "home"),
        _at("https://192.168.1.20:5005", "home")))
    front.ready([("0.0.0.0", 5005)])
    assert "https:// works at 192.168.1.20:5005, too: http://192.168.1.20:5005/trust" in out.getvalue()


def test_the_public_address_stands_first_also_when_this_machine_does_not_reach_it() -> None:
    out = io.StringIO()
    front, station = _front(out, found=(
        _at("http://127.0.0.1:5005", "this_machine"), _at("https://music.example.org", "public", reachable=False)))
    station.settings.public_url = "https://music.example.org"
    front.ready([("127.0.0.1", 5005)])
    lines = out.getvalue().splitlines()
    assert [line.split()[0] for line in lines[2:4]] == ["https://music.example.org", "http://127.0.0.1:5005"]
    assert "https:// works" not in out.getvalue()


def test_without_https_nothing_is_said_of_it() -> None:
    out = io.StringIO()
    front, _ = _front(out, found=(_at("http://192.168.1.20:5005", "home"),))
    front.ready([("0.0.0.0", 5005)])
    assert "https" not in out.getvalue()


def test_an_unowned_station_shows_its_link_and_a_qr_code() -> None:
    out = io.StringIO()
    front, _ = _front(out, owned=False, found=(_at("http://192.0.2.7:5005", "home"),))
    front.ready([("0.0.0.0", 5005)])
    said = out.getvalue()
    assert "http://192.0.2.7:5005/#/setup/ABCDEF" in said
    assert "█" in said or "▀" in said
    assert max(len(line) for line in said.splitlines()) <= 110


def test_an_owned_station_shows_no_link_and_where_it_listens_when_nothing_was_tried_yet() -> None:
    out = io.StringIO()
    front, _ = _front(out)
    front.ready([("fd00::7", 5005)])
    assert "setup" not in out.getvalue() and "http://[fd00::7]:5005" in out.getvalue()


def test_without_music_it_says_how_to_add_some() -> None:
    out = io.StringIO()
    front, _ = _front(out, roots=())
    front.ready([("127.0.0.1", 5005)])
    assert "--music DIR" in out.getvalue()


def test_a_scan_is_one_moving_line_and_then_one_sentence() -> None:
    out = _Terminal()
    _, station = _front(out)
    station.events.publish(ScanMoved({"id": "a", "state": "running", "phase": "read", "found": 100, "read": 50}))
    done = {"id": "a", "state": "done", "found": 100, "added": 98, "bad": [{"path": "x"}, {"path": "y"}],
            "offline": ["/mnt/nas"]}
    station.events.publish(ScanMoved(done))
    station.events.publish(ScanMoved(done))
    said = out.getvalue()
    assert "50 of 100" in said
    assert said.count("Scan done: 100 files, 98 added, 2 cannot be read") == 1
    assert "/mnt/nas does not answer or is empty; its tracks are kept." in said


def test_without_a_terminal_no_moving_line_is_written() -> None:
    out = io.StringIO()
    _, station = _front(out)
    station.events.publish(ScanMoved({"id": "a", "state": "running", "phase": "read", "found": 100, "read": 50}))
    assert out.getvalue() == ""
