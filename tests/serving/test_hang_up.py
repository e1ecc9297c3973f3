"""A connection that is hung up ends at once, also for who reads slowly."""

import contextlib
import socket
import time

import pytest


@pytest.mark.parametrize("kind", ["gunicorn", "eventlet", "werkzeug"])
def test_what_still_waits_in_the_kernel_is_dropped_when_an_answer_is_hung_up(kind, small_station):
    station = small_station(kind)
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)      # nearly all waits on the station's side
        slow.settimeout(30)
        slow.connect(("127.0.0.1", station.port))
        slow.sendall(b"GET /api/held/it HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert slow.recv(100)
        time.sleep(0.3)     # until it has filled the buffers
        with station.wire() as other:
            assert other.ask("/api/hang_up/it", "POST")[0] == 200
        time.sleep(0.3)
        came = 0
        with contextlib.suppress(ConnectionResetError):
            while data := slow.recv(65536):
                came += len(data)
        assert came < 200_000
