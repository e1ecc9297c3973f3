"""What makes gunicorn fit for a home station, each promise against a real process."""

import contextlib
import json
import os
import select
import signal
import socket

import pytest
import socketio

from shared.serving.admission import rooms_for

FEW = "64"  # threads; so that a room is full soon
STREAMS = rooms_for(64).stream.total


@pytest.fixture
def many(small_station):
    """Open `count` wires and keep them until the test ends."""
    wires = []

    def open_wires(station, count):
        new = [station.wire() for _ in range(count)]
        wires.extend(new)
        return new

    yield open_wires
    for wire in wires:
        wire.socket.close()


def with_music(station, content):
    (station.folder / "a.flac").write_bytes(content)
    return station


def pause(wires):
    """Begin a stream on each and stop reading; returns when all have begun."""
    for wire in wires:
        wire.request("/api/stream/a.flac")
    for wire in wires:
        assert wire.socket.recv(1) == b"H"


def test_one_connection_serves_request_after_request(small_station, music_bytes):
    station = with_music(small_station(), music_bytes)
    with station.wire() as wire:
        for first in (5, 1_000_000, 2_999_999):
            assert wire.ask("/api/stream/a.flac", Range=f"bytes={first}-")[2] == music_bytes[first:]
            assert wire.ask("/api/stream/a.flac", "HEAD")[0] == 200
            assert wire.ask("/api/echo", "POST", b"12345")[2].strip() == b'{"received":5}'


def test_requests_sent_in_one_breath_are_answered_in_order(small_station, music_bytes):
    station = with_music(small_station(), music_bytes)
    with station.wire() as wire:
        one = b"GET /api/stream/a.flac HTTP/1.1\r\nHost: localhost\r\nRange: bytes=%d-%d\r\n\r\n"
        post = b"POST /api/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc"
        wire.send(one % (10, 19) + post + one % (20, 29) + one[:30] % ())
        assert wire.answer()[2] == music_bytes[10:20]
        assert wire.answer()[2].strip() == b'{"received":3}'
        assert wire.answer()[2] == music_bytes[20:30]
        wire.send((one % (30, 39))[30:])
        assert wire.answer()[2] == music_bytes[30:40]


def test_a_request_that_comes_byte_by_byte_is_understood(small_station):
    station = small_station()
    with station.wire() as wire:
        for byte in b"GET /api/health HTTP/1.1\r\nHost: localhost\r\n\r\n":
            wire.send(bytes([byte]))
        assert wire.answer()[0] == 200


def test_clients_that_dawdle_over_their_heads_hold_no_thread(small_station, many):
    station = small_station(THREADS=FEW)
    for wire in many(station, 150):
        wire.send(b"GET /api/health HTTP/1.1\r\nHost: ")
    many(station, 50)  # and some that say nothing at all
    assert station.health()["status"] == "ok"


def test_a_head_that_does_not_end_in_time_is_ended(small_station):
    station = small_station(times={"HEAD_S": 0.2, "FIRST_BYTE_S": 0.2})
    with station.wire() as dawdler, station.wire() as silent:
        dawdler.send(b"GET / HTTP/1.1\r\n")
        assert dawdler.answer()[0] == 408
        assert silent.ended()


SLOW_BODIES = [
    b"POST /api/session HTTP/1.1\r\nHost: localhost\r\nContent-Length: 16000\r\n\r\n{",
    b"POST /api/%73ession HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
    b"POST /api/echo HTTP/1.1\r\nHost: localhost\r\nUpgrade: x\r\nContent-Length: 9\r\n\r\n",
    b"POST /api/refused HTTP/1.1\r\nHost: localhost\r\nContent-Length: 90000\r\n\r\n{",
    b"GET /api/health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n",
    b"\r\n\r\n",
]


@pytest.mark.parametrize("beginning", SLOW_BODIES)
def test_bodies_that_do_not_come_shut_nobody_out(small_station, many, beginning):
    station = small_station(THREADS=FEW, times={"WAITING_S": 0.3})
    for wire in many(station, 2 * rooms_for(64).quick.total):
        wire.send(beginning)
    for _ in range(10):
        assert station.health()["status"] == "ok"


def test_a_short_body_that_does_not_come_in_time_is_ended(small_station):
    station = small_station(times={"GATHER_BODY_S": 0.2})
    with station.wire() as wire:
        wire.send(b"POST /api/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nslow")
        status, _, body = wire.answer()
        assert (status, json.loads(body)["error"]["code"]) == (408, "too_slow")


def test_a_long_body_that_comes_too_slowly_gives_its_thread_back(small_station):
    station = small_station(times={"BODY_GRACE_S": 0.2})
    with station.wire() as wire:
        wire.send(b"POST /api/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 90000\r\n\r\nslow")
        assert wire.answer()[0] == 400
    assert "Traceback" not in station.stderr()


def test_long_bodies_that_do_not_come_fill_only_their_corner(small_station, many):
    station = small_station(THREADS=FEW, times={"WAITING_S": 0.3})
    for wire in many(station, 2 * rooms_for(64).quick.total):
        wire.send(b"POST /api/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 90000\r\n\r\n{")
    for _ in range(10):
        assert station.health()["status"] == "ok"


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_a_body_is_whole_however_it_comes(small_station, step):
    station = small_station()
    text = bytes(range(256)) * 3
    chunked = b"".join(b"%x\r\n%b\r\n" % (len(text[at : at + 100]), text[at : at + 100])
                       for at in range(0, len(text), 100)) + b"0\r\n\r\n"
    for field, body in ((b"Content-Length: 768", text), (b"Transfer-Encoding: chunked", chunked)):
        with station.wire() as wire:
            wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sent = b"POST /api/echo HTTP/1.1\r\nHost: localhost\r\n" + field + b"\r\n\r\n" + body
            for at in range(0, len(sent), step):
                wire.send(sent[at : at + step])
            assert wire.answer()[2].strip() == b'{"received":768}'
            assert wire.ask("/api/health")[0] == 200, "the connection stands where the next request begins"


def test_many_logins_at_once_keep_nobody_else_waiting(small_station, many):
    station = small_station(THREADS=FEW, times={"WAITING_S": 0.3})
    logins = many(station, 200)
    for wire in logins:
        wire.request("/api/session", "POST", b"{}")
    for _ in range(10):
        assert station.health()["status"] == "ok"
    waiting = {wire.socket: wire for wire in logins}    # those let in hang in the call
    while len(waiting) > rooms_for(64).login.total:
        heard, _, _ = select.select(list(waiting), [], [], 30)
        assert heard, "who finds no room is told"
        for one in heard:
            status, headers, _ = waiting.pop(one).answer()
            assert (status, headers["retry-after"]) == (503, "5")


def test_what_has_been_gathered_has_a_limit(small_station, many):
    station = small_station(times={"GATHERED_BYTES": 500_000, "HEAD_S": 60.0, "GATHER_BODY_S": 60.0})
    greedy = many(station, 20)
    for wire in greedy:
        wire.send(b"POST /api/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n" + b"x" * 50_000)
    assert greedy[0].answer()[0] == 503
    with station.wire() as wire:
        assert wire.ask("/api/echo", "POST", b"12345")[2].strip() == b'{"received":5}'


def test_half_a_body_is_not_taken_for_a_whole_one(small_station):
    station = small_station()
    with station.wire() as wire:
        wire.send(b"POST /api/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf")
        wire.socket.shutdown(socket.SHUT_WR)
        assert wire.answer()[0] == 400


def test_paused_players_leave_room_for_quick_answers_and_sockets(small_station, many, music_bytes):
    station = with_music(small_station(THREADS=FEW), music_bytes * 8)
    pause(many(station, STREAMS))
    with station.wire() as wire:
        status, headers, body = wire.ask("/api/stream/a.flac")
        assert (status, headers["retry-after"], headers["connection"]) == (503, "5", "close")
        assert json.loads(body)["error"]["code"] == "overloaded"
    assert station.health()["status"] == "ok"
    with socketio.SimpleClient(reconnection=False) as client:
        client.connect(f"http://127.0.0.1:{station.port}", transports=["websocket"])


def test_a_place_that_is_given_back_is_given_away_again(small_station, many, music_bytes):
    station = with_music(small_station(THREADS=FEW), music_bytes * 8)
    for _ in range(3):
        wires = many(station, STREAMS)
        pause(wires)
        for wire in wires:
            wire.socket.close()

        def answered():
            with station.wire() as wire:
                return wire.ask("/api/stream/a.flac", Range="bytes=0-9")[0] == 206

        station.wait_for(answered)


def test_three_hundred_paused_players_are_carried(small_station, many, music_bytes):
    station = with_music(small_station(), music_bytes * 8)
    pause(many(station, 300))
    assert station.health()["status"] == "ok"
    assert station.stop() == 0


def test_a_stream_nobody_reads_gives_its_place_to_one_that_is_wanted(small_station, many, music_bytes):
    station = with_music(small_station(THREADS=FEW, times={"STALLED_S": 0.1}), music_bytes * 8)
    pause(many(station, STREAMS))

    def played():
        with station.wire() as wire:
            return wire.ask("/api/stream/a.flac", Range="bytes=0-9")[2] == music_bytes[:10]

    station.wait_for(played)


def test_patience_with_a_client_that_takes_nothing_ends(small_station, music_bytes):
    station = with_music(small_station(times={"PATIENCE_S": 0.3}), music_bytes * 8)
    with station.wire() as paused:
        pause([paused])
        station.wait_for(lambda: paused.socket.fileno() >= 0 and _closed_by_peer(station))
        assert paused.ended()
    assert "Traceback" not in station.stderr()


def _closed_by_peer(station):
    """No stream of this station's port is established any more, as the kernel sees it from the server's side."""
    wanted = f"{station.port:04X}"
    with open("/proc/net/tcp") as table:
        states = [line.split()[3] for line in table if line.split()[1].endswith(":" + wanted)]
    return "01" not in states


def test_stuck_calls_turn_away_what_they_cannot_serve_and_streams_go_on(small_station, many, music_bytes):
    station = with_music(small_station(THREADS=FEW, times={"WAITING_S": 0.3}), music_bytes)
    for wire in many(station, rooms_for(64).quick.total):
        wire.request("/api/stuck")
    station.wait_for(lambda: station.health() == 503)
    with station.wire() as wire:
        assert wire.ask("/api/stream/a.flac", Range="bytes=5-9")[2] == music_bytes[5:10]


def test_a_burst_waits_its_turn_instead_of_being_turned_away(small_station, many):
    station = small_station(THREADS=FEW)
    wires = many(station, 300)
    for _ in range(3):
        for wire in wires:
            wire.request("/api/health")
        assert {wire.answer()[0] for wire in wires} == {200}


def test_clients_that_do_not_close_delay_nobody(small_station, many):
    """Each of them would cost gunicorn's own loop two seconds; a hundred of them, longer than a wire waits."""
    station = small_station()
    for wire in many(station, 100):
        assert wire.ask("/api/health", Connection="close")[0] == 200
    assert station.health()["status"] == "ok"


def test_a_client_that_leaves_in_the_middle_is_no_error(small_station, music_bytes):
    station = with_music(small_station(), music_bytes * 8)
    for _ in range(5):
        with station.wire() as wire:
            pause([wire])
    assert station.health()["status"] == "ok"
    station.stop()
    assert station.stderr() == ""


def test_a_file_that_shrinks_while_it_is_sent_ends_the_connection(small_station, music_bytes):
    station = with_music(small_station(), music_bytes * 8)
    with station.wire() as wire:
        pause([wire])
        os.truncate(station.folder / "a.flac", 10_000_000)
        assert wire.ended()
    assert "Traceback" not in station.stderr()


def test_too_much_is_refused(small_station):
    station = small_station()
    with station.wire() as wire:
        assert wire.ask("/api/health", X_Long="x" * 9000)[0] == 431
    with station.wire() as wire:
        wire.send(b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000)
        assert wire.answer()[0] == 431
    with station.wire() as wire:
        assert wire.ask("/api/session", "POST", b"x" * 70_000)[0] == 413
    with station.wire() as wire:
        assert wire.ask("/" + "x" * 70_000)[0] == 431
    with station.wire() as wire:
        assert wire.ask("/api/echo", "POST", b"x" * 200_000)[0] == 413
    with station.wire() as wire:
        wire.request("/api/echo", "POST", Transfer_Encoding="chunked")
        wire.send(b"".join(b"%x\r\n%b\r\n" % (10_000, b"x" * 10_000) for _ in range(20)) + b"0\r\n\r\n")
        # Werkzeug reads a body of unknown length up to the limit and not beyond.
        assert wire.answer()[2].strip() == b'{"received":100000}'
    with station.wire() as wire:
        wire.send(b"\x16\x03\x01\x02\x00\x01")  # the beginning of TLS, and no certificate here
        assert wire.answer()[0] == 0


@pytest.mark.parametrize("size", [200_000, 8_000_000])
def test_who_sends_too_much_hears_it_even_when_it_listens_last(small_station, size):
    """As most programs do: first all of the body, then the answer."""
    station = small_station()
    for path in ("/api/echo", "/api/session"):
        with station.wire() as wire:
            wire.request(path, "POST", b"x" * size)
            assert wire.answer()[0] == 413


def test_a_body_in_answer_to_head_is_dropped_without_a_word(small_station):
    station = small_station()
    with station.wire() as wire:
        for path in ("/socket.io/?EIO=4&transport=polling", "/api/session"):
            assert wire.ask(path, "HEAD")[0] == 405
        assert wire.ask("/api/health")[0] == 200
    station.stop()
    assert station.stderr() == ""


def test_who_asks_before_sending_a_body_is_told_to_go_on(small_station):
    station = small_station()
    with station.wire() as wire:
        wire.request("/api/echo", "POST", Expect="100-continue", Content_Length="4")
        assert wire.answer()[0] == 100
        wire.send(b"body")
        assert wire.answer()[2].strip() == b'{"received":4}'
        wire.request("/api/echo", "POST", Expect="100-continue", Transfer_Encoding="chunked")
        assert wire.answer()[0] == 100
        wire.send(b"4\r\nbody\r\n0\r\n\r\n")
        assert wire.answer()[2].strip() == b'{"received":4}'


def test_a_worker_that_dies_is_replaced(small_station):
    station = small_station()
    first = station.health()["pid"]
    with station.wire() as wire:
        wire.request("/api/crash")
        assert wire.ended()
    station.wait_for(lambda: station.health()["pid"] != first)
    assert sum(line.startswith("start") for line in station.diary()) == 2
    station.wait_for(lambda: sum(line.startswith("ready") for line in station.diary()) == 2)   # found again, too
    assert station.stop() == 0


def test_killing_the_parent_takes_the_worker_along(small_station):
    station = small_station()
    worker = station.health()["pid"]
    station.process.send_signal(signal.SIGKILL)
    station.process.wait(30)

    def gone():
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            return True
        with open(f"/proc/{worker}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "Z"

    station.wait_for(gone)
    assert "stop" not in station.diary()


def test_a_second_ctrl_c_does_not_wait_for_anything(small_station):
    station = small_station(STOP_TAKES_S="60")
    station.process.send_signal(signal.SIGINT)
    with contextlib.suppress(ConnectionRefusedError), station.wire() as wire:
        wire.ended()  # the listener closes first, so the stop has begun; it may have closed already
    station.process.send_signal(signal.SIGINT)
    station.process.wait(30)
    assert "stop" not in station.diary()
