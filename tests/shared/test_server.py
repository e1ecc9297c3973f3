"""Whatever server is chosen: it starts, answers, says why it cannot, and stops in order."""

import json
import select
import signal
import socket
import threading

import pytest
import socketio

from shared import server
from shared.serving.admission import rooms_for

KINDS = ["gunicorn", "eventlet", "werkzeug"]


@pytest.mark.parametrize("kind", KINDS)
def test_ranges_are_bit_for_bit_the_file(kind, small_station, music_bytes):
    station = small_station(kind)
    (station.folder / "a.flac").write_bytes(music_bytes)
    with station.wire() as wire:
        assert wire.ask("/api/stream/a.flac", Connection="close")[2] == music_bytes
    for first, last in ((0, 0), (0, 999_999), (1_234_567, 2_345_678), (3_000_000, 3_000_000)):
        with station.wire() as wire:
            status, headers, body = wire.ask("/api/stream/a.flac", Range=f"bytes={first}-{last}", Connection="close")
            assert (status, headers["content-range"]) == (206, f"bytes {first}-{last}/3000001")
            assert body == music_bytes[first : last + 1]
            assert wire.ended() and not wire.received


@pytest.mark.parametrize("kind", KINDS)
def test_head_has_no_body(kind, small_station, music_bytes):
    station = small_station(kind)
    (station.folder / "a.flac").write_bytes(music_bytes)
    with station.wire() as wire:
        status, headers, _ = wire.ask("/api/stream/a.flac", "HEAD", Connection="close")
        assert (status, headers["content-length"]) == (200, "3000001")
        assert not wire._more() and not wire.received


@pytest.mark.parametrize("kind", KINDS)
def test_socket_io_speaks_over_websocket(kind, small_station):
    station = small_station(kind)
    with socketio.SimpleClient(reconnection=False) as client:
        client.connect(f"http://127.0.0.1:{station.port}", transports=["websocket"])
        client.emit("hello", "you")
        assert client.receive(timeout=30) == ["answer", {"heard": "you"}]
    assert "Traceback" not in station.stderr()


UPGRADE = (b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
           b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n%b\r\n")


@pytest.fixture
def flood():
    """Open sockets that never log in, each again as soon as it is ended, until the test ends.

    Returns when the station has begun to end some.
    """
    threads, over, endings = [], threading.Event(), []

    def keep_up(port, field, count):
        wires = {}
        while not over.is_set():
            while len(wires) < count:
                wire = socket.create_connection(("127.0.0.1", port), timeout=30)
                wire.sendall(UPGRADE % field)
                wires[wire] = 0
            for wire in select.select(list(wires), [], [], 0.1)[0]:
                try:
                    gone = wire.recv(4096)[:12] in (b"", b"HTTP/1.1 503")
                except OSError:
                    gone = True
                if gone:
                    wire.close()
                    del wires[wire]
                    endings.append(1)
        for wire in wires:
            wire.close()

    def begin(station, field, count):
        threads.append(threading.Thread(target=keep_up, args=(station.port, field, count)))
        threads[-1].start()
        station.wait_for(lambda: len(endings) > count // 4)

    yield begin
    over.set()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("kind", ["gunicorn", "eventlet"])
@pytest.mark.parametrize("field", [b"", b"Cookie: soundsible_session=of-nobody\r\n"])
def test_a_person_joins_while_strangers_flood_in(kind, field, small_station, flood):
    station = small_station(kind, DOORS="1")
    flood(station, field, 450)

    def joined(**how):
        with socketio.SimpleClient(reconnection=False) as client:
            try:
                client.connect(f"http://127.0.0.1:{station.port}", transports=["websocket"], **how)
            except socketio.exceptions.ConnectionError:
                return False
            return client.receive(timeout=30)[0] == "snapshot"

    tries = 1 if kind == "gunicorn" else 20     # on eventlet who finds the door full may have to come again
    assert any(joined(headers={"Cookie": "soundsible_session=ann-token"}) for _ in range(tries))
    assert any(joined(auth={"token": "ann-token"}) for _ in range(tries))
    assert station.health()["status"] == "ok"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_stopping_ends_streams_and_sockets_and_stops_the_station(kind, sign, small_station, music_bytes):
    station = small_station(kind)
    (station.folder / "a.flac").write_bytes(music_bytes * 8)  # more than the buffers between hold
    with station.wire() as paused, station.wire() as quick, socketio.SimpleClient(reconnection=False) as client:
        paused.request("/api/stream/a.flac")
        assert paused.socket.recv(10)
        client.connect(f"http://127.0.0.1:{station.port}", transports=["websocket"])
        quick.request("/api/slow")
        station.wait_for(lambda: "slow began" in station.diary())
        assert station.stop(sign) == 0
        assert station.diary()[-1] == "stop"
        assert paused.ended()
    assert "Traceback" not in station.stderr()


def test_an_answer_under_way_is_finished_before_the_stop(small_station):
    station = small_station("gunicorn")
    with station.wire() as wire:
        wire.request("/api/slow")
        station.wait_for(lambda: "slow began" in station.diary())
        station.stop()
        assert wire.answer()[2] == b"done"
    assert station.diary()[-2:] == ["slow ended", "stop"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_person_can_put_right_is_one_sentence(kind, small_station):
    station = small_station(kind, wait=False, FAIL="sentence")
    assert station.process.wait(30) == 1
    assert station.stderr() == "The music folder /nowhere does not exist; create it.\n"


@pytest.mark.parametrize("kind", KINDS)
def test_what_only_a_programmer_can_put_right_shows_where(kind, small_station):
    station = small_station(kind, wait=False, FAIL="bug")
    assert station.process.wait(30) == 1
    assert "ZeroDivisionError: a bug" in station.stderr()


def test_a_port_in_use_is_said_before_anything_is_built(small_station):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        station = small_station("gunicorn", wait=False, PORT=str(port))
        assert station.process.wait(30) == 1
    assert station.stderr().startswith(f"Port {port} is in use")
    assert station.stderr().count("\n") == 1
    assert station.diary() == []


def test_requests_beyond_the_room_are_turned_away_on_every_server(small_station, music_bytes):
    for kind in KINDS:
        station = small_station(kind, THREADS="64")
        (station.folder / "a.flac").write_bytes(music_bytes * 8)
        paused = []
        for _ in range(rooms_for(64).stream.total):
            wire = station.wire()
            wire.request("/api/stream/a.flac")
            assert wire.socket.recv(10)
            paused.append(wire)
        with station.wire() as wire:
            status, headers, body = wire.ask("/api/stream/a.flac")
            assert (status, headers["retry-after"]) == (503, "5")
            assert b'"code": "overloaded"' in body
        assert station.health()["status"] == "ok"
        for wire in paused:
            wire.socket.close()
        station.stop()


@pytest.mark.parametrize("kind", KINDS)
def test_the_others_are_answered_while_one_call_hangs(kind, small_station):
    station = small_station(kind)
    with station.wire() as hanging:
        hanging.request("/api/stuck")
        assert station.health()["status"] == "ok"


@pytest.mark.parametrize("kind", KINDS)
def test_a_thousand_songs_are_named_by_one_address(kind, small_station):
    station = small_station(kind)
    songs = "&".join("id=c23uef23oqgksaki" for _ in range(2500))
    with station.wire() as wire:
        assert wire.ask(f"/api/health?{songs}")[0] == 200
    with station.wire() as wire:
        assert wire.ask(f"/api/health?{songs}&{songs}")[0] in (414, 431)


@pytest.mark.parametrize("kind", KINDS)
def test_bodies_arrive_whole_and_too_large_ones_are_refused(kind, small_station):
    station = small_station(kind)
    with station.wire() as wire:
        assert json.loads(wire.ask("/api/echo", "POST", b"x" * 100_000)[2]) == {"received": 100_000}
    with station.wire() as wire:
        assert wire.ask("/api/echo", "POST", b"x" * 100_001)[0] == 413


@pytest.mark.parametrize("kind", ["gunicorn", "eventlet"])
@pytest.mark.parametrize("framing", [b"Content-Length: 16000\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n5\r\n{"])
def test_logins_that_do_not_come_to_an_end_shut_nobody_out(kind, framing, small_station):
    station = small_station(kind, THREADS="64", times={"GATHER_BODY_S": 60.0})
    slow = [station.wire() for _ in range(2 * rooms_for(64).quick.total)]
    for wire in slow:
        wire.send(b"POST /api/session HTTP/1.1\r\nHost: localhost\r\n" + framing)
    for _ in range(10):
        assert station.health()["status"] == "ok"
    with station.wire() as wire:
        assert json.loads(wire.ask("/api/echo", "POST", b"x" * 1000)[2]) == {"received": 1000}
    for size in (1000, 60_000, 90_000):
        with station.wire() as wire:    # eventlet ends a connection after a body in chunks
            wire.request("/api/echo", "POST", Transfer_Encoding="chunked")
            wire.send(b"%x\r\n%b\r\n0\r\n\r\n" % (size, b"x" * size))
            assert json.loads(wire.answer()[2]) == {"received": size}
    for wire in slow:
        wire.socket.close()


@pytest.mark.parametrize("kind", ["gunicorn", "eventlet"])
def test_who_is_slow_to_send_a_short_body_is_told(kind, small_station):
    station = small_station(kind, times={"GATHER_BODY_S": 0.2})
    with station.wire() as wire:
        wire.send(b"POST /api/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nslow")
        assert wire.answer()[0] == 408
        assert wire.ended()


def test_what_is_not_named_is_gunicorn_where_it_runs():
    assert [server.choose(one) for one in ("auto", "eventlet", "werkzeug")] == ["gunicorn", "eventlet", "werkzeug"]
