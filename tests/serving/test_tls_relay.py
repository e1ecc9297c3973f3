"""The loop that carries bytes between TLS and the station: what it holds, whom it lets go, how both sides end."""

import contextlib
import os
import socket
import ssl
import threading

import pytest

from shared.serving import tls, tls_relay

HANG_S = 30     # a guard against hanging for ever


class Carried:
    """A relay in a thread of its own, and both ends of what it carries."""

    def __init__(self, certified):
        self.certified = certified
        self.way = tls.TlsThread(lambda: tls.TlsFiles(certified.certificate, certified.key))
        self.door = socket.create_server(("127.0.0.1", 0))
        self.kept = []

    def knock(self, home="", shake=True, rcvbuf=None):
        """(the client's socket, the server's end); with `shake` the client speaks TLS."""
        client = socket.socket()
        if rcvbuf:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        client.settimeout(HANG_S)
        client.connect(self.door.getsockname())
        accepted, _ = self.door.accept()
        inner = self.way.take(accepted, home)
        assert inner is not None
        inner.settimeout(HANG_S)
        if shake:
            client = self.certified.trusting().wrap_socket(client, server_hostname="localhost")
        self.kept += [client, inner]
        return client, inner

    def stop(self):
        self.way.end()
        for one in [*self.kept, self.door]:
            one.close()


@pytest.fixture
def carried(certified):
    one = Carried(certified)
    yield one
    one.stop()


def all_of(end):
    """What comes until the other side ends."""
    found = bytearray()
    while data := end.recv(1 << 16):
        found += data
    return bytes(found)


def test_bytes_go_both_ways_and_each_side_ends_alone(carried):
    client, server = carried.knock()
    asked, told = os.urandom(300_000), os.urandom(700_000)
    sending = threading.Thread(target=lambda: (client.sendall(asked), server.sendall(told)))
    sending.start()
    heard = bytearray()
    while len(heard) < len(asked):
        heard += server.recv(1 << 16)
    assert heard == asked
    got = bytearray()
    while len(got) < len(told):
        got += client.recv(1 << 16)
    sending.join()
    assert got == told
    server.shutdown(socket.SHUT_WR)
    assert client.recv(10) == b""       # with a proper end: SSLEOFError otherwise
    client.close()
    assert server.recv(10) == b""


def test_a_client_that_has_said_all_still_hears_the_answer(carried):
    client, server = carried.knock()
    client.sendall(b"the question")
    with contextlib.suppress(OSError):
        client.setblocking(False)
        client.unwrap()                 # TLS's own end of one side
    assert server.recv(100) == b"the question"
    assert server.recv(100) == b""
    server.sendall(b"the answer")
    server.close()


def test_the_slower_side_sets_the_pace(carried):
    """Who takes nothing holds the other back: only so much lies in between."""
    client, server = carried.knock(rcvbuf=65536)
    for giver, taker in ((server, client), (client, server)):
        giver.setblocking(False)
        given = 0
        with contextlib.suppress(BlockingIOError, ssl.SSLWantWriteError):
            while given < 64_000_000:
                given += giver.send(b"x" * 65536)
                # the relay takes what it can before it counts as held back
                if given % (65536 * 8) == 0:
                    threading.Event().wait(0.01)
        assert given < 32_000_000
        giver.settimeout(HANG_S)
        taken = 0
        while taken < given:
            taken += len(taker.recv(1 << 16))
        assert taken == given


def test_a_hung_up_connection_ends_although_its_client_takes_nothing(carried, monkeypatch):
    monkeypatch.setattr(tls_relay, "LAST_BYTES_S", 0.2)
    monkeypatch.setattr(tls_relay, "LOOK_S", 0.05)
    client, server = carried.knock(rcvbuf=65536)
    server.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            server.send(b"x" * 65536)
            threading.Event().wait(0.005)
    server.close()
    until(lambda: carried.way._relay.count == 0)
    with pytest.raises((OSError, AssertionError)):
        assert len(all_of(client)) > 1 << 30


def until(condition):
    waited = threading.Event()
    for _ in range(HANG_S * 100):
        if condition():
            return
        waited.wait(0.01)
    raise AssertionError("it never came")


def test_who_does_not_finish_the_handshake_is_let_go(carried, monkeypatch):
    monkeypatch.setattr(tls_relay, "HANDSHAKE_S", 0.2)
    monkeypatch.setattr(tls_relay, "LOOK_S", 0.05)
    silent, inner = carried.knock(shake=False)
    half, other = carried.knock(shake=False)
    half.sendall(b"\x16\x03\x01\x02\x00\x01")
    good, server = carried.knock()
    for client, end in ((silent, inner), (half, other)):
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(10) == b""
        assert end.recv(10) == b""
    good.sendall(b"still here")
    assert server.recv(100) == b"still here"


def test_of_one_household_so_many_shake_hands_and_the_oldest_gives_way(carried, monkeypatch):
    monkeypatch.setattr(tls_relay, "HANDSHAKES_PER_HOUSEHOLD", 3)
    neighbour, next_door = carried.knock("198.51.100.8", shake=False)
    crowd = [carried.knock("198.51.100.7", shake=False) for _ in range(5)]
    for client, inner in crowd[:2]:
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(10) == b""
        assert inner.recv(10) == b""
    late, server = carried.knock("198.51.100.7")     # and who is quick gets through
    late.sendall(b"hello")
    assert server.recv(10) == b"hello"
    for client, _ in [(neighbour, next_door), *crowd[3:]]:
        client.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.recv(1)


def test_of_all_so_many_shake_hands(carried, monkeypatch):
    monkeypatch.setattr(tls_relay, "HANDSHAKES", 4)
    crowd = [carried.knock(f"198.51.100.{number}", shake=False) for number in range(6)]
    assert crowd[0][1].recv(10) == crowd[1][1].recv(10) == b""
    good, server = carried.knock("198.51.100.99")
    good.sendall(b"hello")
    assert server.recv(10) == b"hello"


@pytest.mark.parametrize("sent", [b"", b"\x16", b"\x16\x03\x01\xff\xff" + bytes(70_000), os.urandom(5000),
                                  b"GET / HTTP/1.1\r\n\r\n", b"\x15\x03\x03\x00\x02\x02\x28"])
def test_nonsense_ends_its_own_connection_alone(carried, sent):
    good, server = carried.knock()
    bad, inner = carried.knock(shake=False)
    with contextlib.suppress(OSError):
        bad.sendall(sent)
        bad.shutdown(socket.SHUT_WR)
    assert inner.recv(10) == b""
    good.sendall(b"still here")
    assert server.recv(100) == b"still here"


def test_what_the_client_breaks_off_ends_for_the_server(carried):
    client, server = carried.knock()
    server.sendall(b"x" * 50_000)
    assert client.recv(10)
    raw = client.detach()
    with socket.socket(fileno=raw) as gone:
        gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")     # a reset
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        assert server.recv(10) == b""
    server.close()
    until(lambda: carried.way._relay.count == 0)


def test_the_end_lets_what_is_under_way_leave(carried):
    client, server = carried.knock()
    server.sendall(b"the last words" * 10_000)
    carried.way.stop()
    server.close()
    assert len(all_of(client)) == 140_000
    assert carried.way.take(socket.socket(), "") is None


def test_a_locked_key_is_refused_and_not_asked_for(certified, capsys):
    from cryptography.hazmat.primitives import serialization as form

    key = form.load_pem_private_key(certified.key.read_bytes(), None)
    certified.key.write_bytes(key.private_bytes(
        form.Encoding.PEM, form.PrivateFormat.PKCS8, form.BestAvailableEncryption(b"secret")))
    said = []
    certificate = tls_relay.Certificate(say=said.append)
    certificate.show(str(certified.certificate), str(certified.key))
    assert certificate.context is None and len(said) == 1 and "cannot be used" in said[0]
    assert "pass phrase" not in capsys.readouterr().err
