"""What the terminal shows."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

from shared.events import EventBus, ScanMoved
from shared.terminal import Front


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _front(out: io.StringIO, *, owned: bool = True, roots: tuple[str, ...] = ("/music",)) -> tuple[Front, Any]:
    station = SimpleNamespace(
        events=EventBus(),
        setup=SimpleNamespace(needed=lambda: not owned, code=lambda: "ABCDEF"),
        scans=SimpleNamespace(roots=lambda: list(roots)),
    )
    front = Front(out)
    front.watch(station)  # type: ignore[arg-type]
    return front, station


def test_an_unowned_station_shows_its_link_and_a_qr_code() -> None:
    out = io.StringIO()
    front, _ = _front(out, owned=False)
    front.ready([("192.0.2.7", 5005)])
    said = out.getvalue()
    assert "http://192.0.2.7:5005/#/setup/ABCDEF" in said
    assert "█" in said or "▀" in said
    assert max(len(line) for line in said.splitlines()) <= 110


def test_an_owned_station_shows_no_link() -> None:
    out = io.StringIO()
    front, _ = _front(out)
    front.ready([("192.0.2.7", 5005)])
    assert "setup" not in out.getvalue() and "http://192.0.2.7:5005" in out.getvalue()


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
