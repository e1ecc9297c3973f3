"""HTTP and HTTPS on one port, against real servers: one process speaks TLS, and all else stays as it is."""

import base64
import contextlib
import json
import os
import signal
import socket
import ssl
import time
import warnings
from pathlib import Path

import pytest
from cryptography import x509

from tests.serving.certified import Certified
from tests.serving.small import SmallStation

KINDS = ["gunicorn", "eventlet", "werkzeug"]
HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(20)     # the beginning of one


@pytest.fixture
def secure_station(small_station, certified):
    """`secure_station("gunicorn")` starts one with HTTPS, for a test that changes it."""
    def start(kind="gunicorn", **env):
        return small_station(kind, CERTIFICATE=str(certified.certificate), KEY=str(certified.key), **env)

    return start


@pytest.fixture(scope="module")
def standing(tmp_path_factory, music_bytes):
    """`standing("gunicorn")`: one with HTTPS for all tests that leave it as it is, and what trusts its certificate."""
    stations = {}
    certified = Certified(tmp_path_factory.mktemp("certified"))

    def of(kind="gunicorn"):
        if kind not in stations:
            folder = tmp_path_factory.mktemp(kind)
            (folder / "a.flac").write_bytes(music_bytes)
            stations[kind] = SmallStation(
                kind, folder, {"CERTIFICATE": str(certified.certificate), "KEY": str(certified.key)}).ready()
        return stations[kind], certified.trusting()

    yield of
    for station in stations.values():
        station.give_up()


def told(wire, path="/api/asked", **headers):
    status, _, body = wire.ask(path, **headers)
    assert status == 200
    return json.loads(body)


def tls_process(station):
    """The number of the process that speaks TLS; 0: there is none."""
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and b"tls_process" in (folder / "cmdline").read_bytes():
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                if fields[0] != "Z" and int(fields[1]) in serving(station.process.pid):
                    return int(folder.name)
        except OSError:
            continue
    return 0


def serving(pid):
    """A station's processes of the first and the second generation."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


@pytest.mark.parametrize("kind", KINDS)
def test_one_port_answers_both_and_each_request_knows_how_it_came(kind, standing):
    station, tls = standing(kind)
    with station.wire() as plain, station.wire(tls=tls) as secure:
        assert told(plain)["scheme"] == "http"
        answer = told(secure)
        assert (answer["scheme"], answer["address"]) == ("https", "127.0.0.1")
        assert answer["port"] == str(station.port) == told(station.wire())["port"]
        assert secure.socket.version() == "TLSv1.3"


@pytest.mark.parametrize("kind", KINDS)
def test_files_and_bodies_pass_whole(kind, standing, music_bytes):
    station, tls = standing(kind)
    for first in (0, 5, 2_999_999):
        with station.wire(tls=tls) as wire:
            assert wire.ask("/api/stream/a.flac", Range=f"bytes={first}-")[2] == music_bytes[first:]
    with station.wire(tls=tls) as wire:
        assert wire.ask("/api/echo", "POST", b"x" * 100_000)[2].strip() == b'{"received":100000}'


@pytest.mark.parametrize("kind", KINDS)
def test_a_socket_is_opened_through_tls(kind, standing):
    station, tls = standing(kind)
    with station.wire(tls=tls) as wire:
        wire.request("/socket.io/?EIO=4&transport=websocket", Connection="Upgrade", Upgrade="websocket",
                     Sec_WebSocket_Version="13", Sec_WebSocket_Key=base64.b64encode(bytes(16)).decode())
        status, headers, _ = wire.answer()
        assert (status, headers["upgrade"].lower()) == (101, "websocket")
        while len(wire.received) < 3:
            assert wire._more()
        assert wire.received[2:4] == b'0{'      # Engine.IO's first word


@pytest.mark.parametrize("kind", KINDS)
def test_what_only_begins_like_tls_is_let_go_and_nobody_notices(kind, standing):
    station, tls = standing(kind)
    with station.wire() as half, station.wire() as nonsense:
        half.send(HELLO[:1])
        nonsense.send(b"\x16GET / HTTP/1.1\r\n\r\n")
        assert nonsense.ended()
        assert station.health()["status"] == "ok"
        with station.wire(tls=tls) as wire:
            assert told(wire)["scheme"] == "https"


@pytest.mark.parametrize("kind", KINDS)
def test_a_connection_is_hung_up_from_another_thread(kind, standing):
    station, secure = standing(kind)
    for tls in (None, secure):
        with station.wire(tls=tls) as held, station.wire() as other:
            held.request("/api/held/one")
            assert held.socket.recv(10)
            assert other.ask("/api/hang_up/one", "POST")[0] == 200
            with contextlib.suppress(ssl.SSLEOFError):
                assert held.ended()


def test_a_request_that_is_over_cannot_be_hung_up_any_more(standing):
    station, _ = standing()
    with station.wire() as kept, station.wire() as other:
        assert kept.ask("/api/named/two")[0] == 200
        assert other.ask("/api/hang_up/two", "POST")[0] == 200
        assert kept.ask("/api/health")[0] == 200    # it may be another person's by now


def test_old_versions_are_refused_and_sessions_are_resumed(standing):
    station, old = standing()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        station.wire(tls=old)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        _, tls = standing()
        tls.minimum_version = tls.maximum_version = version
        tls.set_alpn_protocols(["h2", "http/1.1"])
        with station.wire(tls=tls) as first:
            told(first)
            assert first.socket.selected_alpn_protocol() == "http/1.1"
            with station.wire(tls=tls, session=first.socket.session) as second:
                told(second)
                assert second.socket.session_reused


def test_a_renewed_certificate_is_shown_and_a_broken_one_is_not(secure_station, certified):
    station = secure_station(TLS_LOOK_S="0.1")

    def shown():
        blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
        with station.wire(tls=blind) as wire:
            return x509.load_der_x509_certificate(wire.socket.getpeercert(binary_form=True)).serial_number

    first = certified.serial
    assert shown() == first
    kept = station.wire(tls=certified.trusting())
    certified.renew("localhost")
    station.wait_for(lambda: shown() == certified.serial)
    assert told(kept)["scheme"] == "https"      # who was there stays
    kept.socket.close()
    second, whole = certified.serial, certified.key.read_bytes()
    certified.key.write_bytes(whole[:60])
    station.wait_for(lambda: "cannot be used" in station.stderr())
    assert shown() == second
    certified.renew("localhost")
    station.wait_for(lambda: shown() == certified.serial)


def test_a_certificate_that_comes_later_is_taken_up(small_station, certified, tmp_path):
    waiting = tmp_path / "waiting.pem"
    certified.certificate.rename(waiting)
    station = small_station(CERTIFICATE=str(certified.certificate), KEY=str(certified.key), TLS_LOOK_S="0.1")
    with station.wire() as wire:
        wire.send(HELLO)
        assert wire.ended()
    waiting.rename(certified.certificate)

    def answers():
        try:
            with station.wire(tls=certified.trusting()) as wire:
                return told(wire)["scheme"] == "https"
        except OSError:
            return False

    station.wait_for(answers)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks into /proc")
@pytest.mark.parametrize("kind", KINDS)
def test_the_process_that_speaks_tls_is_started_again_and_http_goes_on(kind, secure_station, certified):
    station = secure_station(kind)
    with station.wire() as plain, station.wire(tls=certified.trusting()) as secure:
        assert told(plain)["scheme"] == "http"
        if kind != "werkzeug":
            told(secure)
        first = tls_process(station)
        os.kill(first, signal.SIGKILL)
        with contextlib.suppress(ssl.SSLEOFError):
            assert secure.ended()
        if kind != "werkzeug":      # it closes after each answer
            assert told(plain)["scheme"] == "http"
        station.wait_for(lambda: tls_process(station) not in (0, first))
        with station.wire(tls=certified.trusting()) as again:
            assert told(again)["scheme"] == "https"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks into /proc")
def test_the_process_that_speaks_tls_has_no_secrets_and_ends_with_the_station(secure_station, certified):
    station = secure_station(SOUNDSIBLE_OWNER="ann:correct horse", AWS_SECRET_ACCESS_KEY="s3cret")
    process = Path(f"/proc/{tls_process(station)}")
    station.wait_for(lambda: "NoNewPrivs:\t1" in (process / "status").read_text())
    assert b"SOUNDSIBLE" not in (process / "environ").read_bytes()
    assert b"s3cret" not in (process / "environ").read_bytes()
    assert str(certified.key).encode() not in (process / "cmdline").read_bytes()
    station.wait_for(lambda: "Max processes             0 " in (process / "limits").read_text())
    limits = (process / "limits").read_text()
    assert "Max core file size        0 " in limits and "Max file size             0 " in limits
    os.kill(process_of_worker(station), signal.SIGKILL)
    station.wait_for(lambda: not process.exists() or "Z (zombie)" in (process / "status").read_text())
    station.wait_for(lambda: len(list(diary_starts(station))) == 2)     # the station is begun again, and TLS with it
    with station.wire(tls=certified.trusting()) as wire:
        assert told(wire)["scheme"] == "https"


def process_of_worker(station):
    return int(next(diary_starts(station)))


def diary_starts(station):
    return (line.partition(" ")[2] for line in station.diary() if line.startswith("start"))


def test_signals_from_the_terminal_are_the_stations_affair(secure_station, certified):
    station = secure_station()
    with station.wire(tls=certified.trusting()) as wire:
        told(wire)
        for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(tls_process(station), sign)
        assert told(wire)["scheme"] == "https"


@pytest.mark.parametrize("kind", ["gunicorn", "eventlet"])
def test_what_is_being_answered_at_the_stop_arrives(kind, secure_station, certified):
    station = secure_station(kind)
    with station.wire(tls=certified.trusting()) as wire:
        wire.request("/api/slow")
        station.wait_for(lambda: "slow began" in station.diary())
        assert station.stop() == 0
        assert wire.answer()[2] == b"done"
    assert station.diary()[-1] == "stop"
    assert "Traceback" not in station.stderr()


def test_a_paused_player_takes_no_memory_and_gets_all_of_it_later(standing, music_bytes):
    station, tls = standing()
    (station.folder / "long.flac").write_bytes(music_bytes * 8)
    wires = [station.wire(tls=tls) for _ in range(12)]
    before = memory_kb(tls_process(station))
    for wire in wires:
        wire.request("/api/stream/long.flac")
    for wire in wires:
        assert wire.socket.recv(1) == b"H"
    time.sleep(0.3)     # as much as it would take without bounds
    assert memory_kb(tls_process(station)) - before < 12 * 400
    with station.wire() as plain:
        assert plain.ask("/api/health")[0] == 200
    got = bytearray()
    while len(got) < 8 * len(music_bytes):
        got += wires[0].socket.recv(1 << 16)
    assert got.endswith(music_bytes * 7)
    for wire in wires:
        wire.socket.close()


def memory_kb(pid):
    return next(int(line.split()[1]) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
                if line.startswith("VmRSS"))


@pytest.mark.parametrize("kind", KINDS)
def test_an_early_no_reaches_who_still_sends(kind, standing):
    station, tls = standing(kind)
    with station.wire(tls=tls) as wire:
        wire.request("/api/refused", "POST", Content_Length=200_000)
        wire.send(b"x" * 60_000)
        assert wire.answer()[0] == 401


@pytest.mark.parametrize("kind", KINDS)
def test_one_client_holds_so_many_connections_and_another_is_let_in(kind, secure_station, certified):
    station = secure_station(kind, HOUSEHOLDS="1", PER_CLIENT="8")
    idle = [station.wire(source=("127.0.0.5", 0)) for _ in range(30)]
    with station.wire(source=("127.0.0.6", 0)) as other:
        assert other.ask("/api/health")[0] == 200
    with station.wire(source=("127.0.0.7", 0), tls=certified.trusting()) as other:
        assert other.ask("/api/health")[0] == 200
    still = 0
    for wire in idle:
        wire.socket.settimeout(0.02)
        try:
            assert wire.socket.recv(1) == b""
        except TimeoutError:
            still += 1
    assert still == 8
    if kind == "gunicorn":      # the idle ones gave way, the newest are those that stay
        assert idle[-1].ask("/api/health")[0] == 200
    for wire in idle:
        wire.socket.close()
    station.wait_for(lambda: _answered(station, source=("127.0.0.5", 0)))


def _answered(station, **how):
    try:
        with station.wire(**how) as wire:
            return wire.ask("/api/health")[0] == 200
    except OSError:
        return False


def test_a_thousand_idle_connections_do_not_stop_the_music(standing, music_bytes):
    station, secure = standing()
    idle = []
    try:
        for number in range(400):
            idle.append(socket.create_connection(("127.0.0.1", station.port)))
            if number % 2:
                idle[-1].sendall(HELLO[: 1 + number % 9])
            elif number % 4:
                idle[-1].sendall(b"GET / HT")
        for tls in (None, secure):
            with station.wire(tls=tls) as wire:
                assert wire.ask("/api/stream/a.flac")[2] == music_bytes
    finally:
        for one in idle:
            one.close()


# ---- behind proxies


@pytest.mark.parametrize("kind", KINDS)
def test_a_trusted_proxy_says_who_asks_and_a_stranger_does_not(kind, small_station, standing):
    said = {"X_Forwarded_For": "198.51.100.7", "X_Forwarded_Proto": "https", "X_Forwarded_Host": "music.example.org",
            "Remote_User": "ann"}
    behind = small_station(kind, PROXIES="127.0.0.0/8")
    with behind.wire() as wire:
        answer = told(wire, **said)
    assert (answer["address"], answer["scheme"], answer["host"]) == ("198.51.100.7", "https", "music.example.org")
    assert answer["proxy"] == "127.0.0.1" and answer["headers"] == ["Remote-User"]
    with behind.wire() as wire:     # it has no certificate
        wire.send(HELLO)
        assert wire.answer() == (0, {}, b"")
    assert behind.health()["status"] == "ok"
    alone, _ = standing(kind)
    with alone.wire() as wire:
        answer = told(wire, **said)
    assert (answer["address"], answer["scheme"], answer["host"]) == ("127.0.0.1", "http", "localhost")
    assert answer["proxy"] is None and answer["headers"] == []


def test_behind_a_proxy_the_rooms_are_counted_by_the_true_client(small_station):
    """One client that fills its half leaves the other half to the next, though both come from one address."""
    from shared.serving.admission import rooms_for

    room = rooms_for(64).stream
    station = small_station(THREADS="64", PROXIES="127.0.0.1")
    (station.folder / "a.flac").write_bytes(os.urandom(8_000_000))
    wires = [station.wire() for _ in range(room.total)]
    try:
        for wire in wires[: room.per_household]:
            wire.request("/api/stream/a.flac", X_Forwarded_For="198.51.100.7")
        for wire in wires[: room.per_household]:
            assert wire.socket.recv(1) == b"H"
        with station.wire() as more:
            assert more.ask("/api/stream/a.flac", X_Forwarded_For="6.6.6.6, 198.51.100.7")[0] == 503
        with station.wire() as other:
            other.request("/api/stream/a.flac", X_Forwarded_For="198.51.100.8")
            assert other.socket.recv(12) == b"HTTP/1.1 200"
    finally:
        for wire in wires:
            wire.socket.close()
