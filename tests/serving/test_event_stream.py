"""Server-Sent Events on every server: they come as they happen, go on where they stopped, and end with the station."""

from __future__ import annotations

import json
import time

import pytest

KINDS = ("gunicorn", "eventlet", "werkzeug")
PATH = "/api/downloads/manager/events"


class Stream:
    """An open stream of Server-Sent Events on a wire."""

    def __init__(self, wire, **headers):
        self.wire = wire
        wire.request(PATH, Authorization="Bearer ann-token", **headers)
        while b"\r\n\r\n" not in wire.received:
            assert wire._more()
        head, _, self.raw = wire.received.partition(b"\r\n\r\n")
        wire.received = b""
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(first.split()[1])
        self.headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}

    def more(self):
        """False when the stream ended."""
        self.wire.received = b""
        came = self.wire._more()
        self.raw += self.wire.received
        return came and b"\r\n0\r\n\r\n" not in self.raw

    @property
    def text(self):
        if self.headers.get("transfer-encoding") != "chunked":
            return self.raw
        rest, parts = self.raw, []
        while b"\r\n" in rest:
            size, _, rest = rest.partition(b"\r\n")
            length = int(size, 16)
            if not length or len(rest) < length + 2:
                break
            parts.append(rest[:length])
            rest = rest[length + 2:]
        return b"".join(parts)

    def events(self, count):
        """(id, event, data) of at least so many."""
        while True:
            found = []
            for block in self.text.decode().split("\n\n")[:-1]:
                lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
                if lines:
                    found.append((lines["id"], lines["event"], json.loads(lines["data"])))
            if len(found) >= count:
                return found
            assert self.more(), self.text


@pytest.mark.parametrize("kind", KINDS)
def test_events_come_as_they_happen_and_go_on_where_they_stopped(small_station, kind):
    station = small_station(kind, DOORS="ticking")
    with station.wire() as wire:
        stream = Stream(wire)
        assert (stream.status, stream.headers["content-type"]) == (200, "text/event-stream")
        assert (stream.headers["cache-control"], stream.headers["x-accel-buffering"]) == ("no-store", "no")
        heard = stream.events(6)
    assert [event for _, event, _ in heard[:6]] == ["snapshot"] + ["notice"] * 5
    numbers = [int(data["message"]) for _, _, data in heard[1:]]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    with station.wire() as wire:
        again = Stream(wire, Last_Event_ID=heard[2][0]).events(5)
    assert [int(data["message"]) for _, _, data in again[:5]] == list(range(numbers[2 - 1] + 1, numbers[2 - 1] + 6))


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_ends_when_the_station_stops(small_station, kind):
    station = small_station(kind, DOORS="ticking")
    with station.wire() as wire:
        stream = Stream(wire)
        stream.events(2)
        assert station.stop() == 0
        while stream.more():
            pass


@pytest.mark.parametrize("kind", KINDS)
def test_readers_leave_room_for_everybody_else(small_station, kind):
    station = small_station(kind, DOORS="ticking", THREADS="64")
    wires = []
    try:
        while True:
            wires.append(station.wire())
            stream = Stream(wires[-1])
            if stream.status == 503:
                break
            stream.events(1)    # how things stand comes at once, though it is short
            assert len(wires) < 40
        assert len(wires) > 8
        with station.wire() as wire:
            assert wire.ask("/api/health")[0] == 200
        for wire in wires:
            wire.socket.close()
        until = time.monotonic() + 30
        while True:     # the places of who has gone become free
            with station.wire() as wire:
                if Stream(wire).status == 200:
                    break
            assert time.monotonic() < until
            time.sleep(0.1)
    finally:
        for wire in wires:
            wire.socket.close()


@pytest.mark.parametrize("kind", KINDS)
def test_strangers_and_heads_get_no_stream(small_station, kind):
    station = small_station(kind, DOORS="ticking")
    with station.wire() as wire:
        assert wire.ask(PATH)[0] == 401
    with station.wire() as wire:
        assert wire.ask(PATH, Authorization="Bearer kid-token")[0] == 403
    with station.wire() as wire:
        status, headers, _ = wire.ask(PATH, "HEAD", Authorization="Bearer ann-token")
        assert (status, headers["content-type"]) == (200, "text/event-stream")
