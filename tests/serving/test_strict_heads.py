"""What a proxy in front could have read in another way is refused, by every server."""

import io
import socket
import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.serving.strict_heads import HeadLines, MalformedHead, ShortLines

KINDS = ["gunicorn", "eventlet", "werkzeug"]
NEXT = b"GET /api/health HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def standing(tmp_path_factory):
    """`standing("eventlet")`: a station for all tests that leave it as it is."""
    from tests.serving.small import SmallStation

    stations = {}

    def of(kind):
        if kind not in stations:
            stations[kind] = SmallStation(kind, tmp_path_factory.mktemp(kind), {"PROXIES": "127.0.0.1"}).ready()
        return stations[kind]

    yield of
    for station in stations.values():
        station.give_up()


def answers(station, sent):
    """The statuses of all that is answered until the connection ends."""
    found = []
    with station.wire() as wire:
        wire.send(sent)
        wire.socket.shutdown(socket.SHUT_WR)
        while status := wire.answer()[0]:
            found.append(status)
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("field", [
    b"X: y\rRemote-User: ann", b"X: y\nRemote-User: ann", b"X: y\r\n Remote-User: ann", b"Remote-User : ann",
    b"Remote-User: ann\x00", b"Remote-User:\x0bann", b"no colon", b"Host: other", b"Remote-User;: ann",
])
def test_no_header_hides_in_another(kind, field, standing):
    assert answers(standing(kind), b"GET /api/asked HTTP/1.1\r\nHost: localhost\r\n" + field + b"\r\n\r\n") == [400]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("fields", "body"), [
    (b"Content-Length: 2\r\nContent-Length: 2", b"{}"), (b"Content-Length: +2", b"{}"), (b"Content-Length: 0x2", b"{}"),
    (b"Content-Length: 1_0", b"{}        "), (b"Content-Length: " + b"9" * 5000, b"{}"), (b"Content-Length : 2", b"{}"),
    (b"Content-Length: 2\r\nTransfer-Encoding: chunked", b"0\r\n\r\n"),
    (b"Transfer-Encoding: chunked\r\nContent-Length: 60", b"2\r\n{}\r\n0\r\n\r\n"),
    (b"Transfer-Encoding: identity\r\nContent-Length: 2", b"{}"),
    (b"Transfer-Encoding:\r\n chunked", b"2\r\n{}\r\n0\r\n\r\n"),
    (b"X: y\rTransfer-Encoding: chunked", b"2\r\n{}\r\n0\r\n\r\n"),
])
def test_no_request_hides_in_the_body_of_another(kind, fields, body, standing):
    head = b"POST /api/echo HTTP/1.1\r\nHost: localhost\r\n" + fields + b"\r\n\r\n"
    assert answers(standing(kind), head + body + NEXT) == [400]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("chunks", [b"2\n{}\r\n0\r\n\r\n", b"-2\r\n{}\r\n0\r\n\r\n", b"0x2\r\n{}\r\n0\r\n\r\n",
                                    b"0_2\r\n{}\r\n0\r\n\r\n", b"2\r\n{}XX0\r\n\r\n"])
def test_strange_chunks_end_the_connection_and_are_no_fault_of_the_station(kind, chunks, standing):
    head = b"POST /api/echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    found = answers(standing(kind), head + chunks + NEXT)
    assert len(found) == 1 and found[0] < 500


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_well_formed_is_taken(kind, standing):
    with standing(kind).wire() as wire:
        wire.send(b"POST /api/echo HTTP/1.1\r\nhost:localhost\r\nX-Special: \xff\t b\r\nX-Empty:\r\n"
                  b"Content-Length:  2 \r\n\r\n{}")
        assert wire.answer()[0] == 200
    with standing(kind).wire() as wire:
        wire.send(b"POST /api/echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                  b"2\r\n{}\r\n0\r\n\r\n")
        status, _, body = wire.answer()
        assert status == 200 and b'"received":2' in body.replace(b" ", b"")


@pytest.mark.parametrize("kind", ["gunicorn", "eventlet"])
def test_the_size_of_a_chunk_does_not_go_on_for_ever(kind, standing):
    with standing(kind).wire() as wire, pytest.raises(OSError):
        wire.send(b"POST /api/echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2;a=")
        for _ in range(200):
            wire.send(b"1" * 1_000_000)


@pytest.mark.parametrize("kind", KINDS)
def test_a_client_that_breaks_off_while_it_sends_takes_no_place_along(kind, small_station):
    station = small_station(kind, THREADS="64")
    corner = 48 // 4
    for _ in range(2 * corner):
        with station.wire() as wire:
            wire.request("/api/refused", "POST", Content_Length=90_000)
            for _ in range(15):
                try:
                    wire.send(b"abc")
                except OSError:
                    break
                time.sleep(0.002)
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    station.wait_for(lambda: _refused(station) == 401)


def _refused(station):
    with station.wire() as wire:
        return wire.ask("/api/refused", "POST", b"x" * 90_000)[0]


@given(st.lists(st.binary(max_size=30), max_size=8))
def test_whatever_is_let_through_reads_the_same_for_everybody(lines):
    file = io.BytesIO(b"\r\n".join([*lines, b"", b""]))
    reader, taken = HeadLines(file), []
    try:
        while (line := reader.readline(65537)) not in (b"", b"\r\n"):
            taken.append(line)
    except MalformedHead:
        return
    for line in taken:
        name, colon, value = line.removesuffix(b"\r\n").partition(b":")
        assert colon and name and not set(name) & set(b" \t\r\n\0") and not set(value) & set(b"\r\n\0\x0b\x0c")


def test_lines_without_an_end_are_not_gathered():
    file = ShortLines(io.BytesIO(b"1" * 100_000))
    with pytest.raises(OSError):
        file.readline()
    assert len(file.read(10)) == 10


@pytest.mark.parametrize(("kind", "times"), [
    ("eventlet", {"HEAD_S": 0.3, "KEEP_ALIVE_S": 0.3}), ("werkzeug", {"HEAD_S": 0.3}), ("gunicorn", {"HEAD_S": 0.3})])
@pytest.mark.parametrize("beginning", [b"G", b"GET /api/health HTTP/1.1\r\nHost: l"])
def test_a_head_that_comes_drop_by_drop_is_ended(kind, times, beginning, small_station):
    station = small_station(kind, times=times)
    with station.wire() as wire:
        wire.send(beginning)
        wire.socket.settimeout(0.05)
        for _ in range(200):        # sooner than any time-out between two bytes
            try:
                if not wire.socket.recv(1000):
                    return
            except TimeoutError:
                pass
            except OSError:
                return
            try:
                wire.send(b"x")
            except OSError:
                return
    raise AssertionError("it is still listened to")
