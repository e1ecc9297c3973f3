"""Links are followed to public addresses only, whatever they are written like and wherever they lead."""

from __future__ import annotations

import contextlib
import datetime
import gzip
import ipaddress
import json
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as some

from shared import outbound
from shared.model.download import Failure
from shared.outbound import Outbound, canonical_host, failure_of_status, for_services, public, read_json, retry_after
from tests.media_server import Asked, MediaServer, Thing

ROOT = Path(__file__).resolve().parents[2]
PUBLIC = "93.184.216.34"


def code_of(deed: Any, *args: Any, **more: Any) -> str:
    """The code of the Failure that `deed` raises; "" when it raises none."""
    try:
        deed(*args, **more)
    except Failure as failure:
        return failure.code
    return ""


@pytest.fixture
def server() -> Iterator[MediaServer]:
    with MediaServer() as one:
        yield one


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """A name service of the test's own: name → answers, one a question, the last one for ever."""
    known: dict[str, list[list[str]]] = {}
    real = socket.getaddrinfo

    def resolve(host: str, port: int, *rest: Any) -> list[tuple[Any, ...]]:
        if host not in known:
            return real(host, port, *rest)      # type: ignore[return-value]
        answers = known[host]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if not answer:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [(socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "",
                 (one, port, 0, 0) if ":" in one else (one, port)) for one in answer]

    monkeypatch.setattr(outbound, "_resolve", resolve)
    return known


# ---- addresses ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", [
    "0.0.0.0", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254", "169.254.169.254",
    "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.168.1.1", "198.18.0.1", "198.51.100.1",
    "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "168.63.129.16",
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "2002:808:808::1",
    "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
])
def test_inner_and_special_addresses_are_not_public(address: str) -> None:
    assert not public(address)


@pytest.mark.parametrize("address", [
    "1.1.1.1", PUBLIC, "172.15.255.255", "172.32.0.1", "100.128.0.1", "223.255.255.255", "2606:4700:4700::1111",
    "2a00:1450:4001:830::200e", "::ffff:1.1.1.1", "64:ff9b::101:101",
])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert public(address)


INNER = some.one_of(*(some.integers(int(net[0]), int(net[-1])).map(ipaddress.IPv4Address)
                      for net in outbound._REFUSED_4))


def spellings(address: ipaddress.IPv4Address) -> list[str]:
    number = int(address)
    a, b, c, d = address.packed
    return [str(address), str(number), hex(number), f"0{number:o}", f"{a}.{b}.{c * 256 + d}",
            f"{a}.{(b << 16) + (c << 8) + d}", f"0x{a:x}.{b}.0{c:o}.{d}", f"0{a:o}.0{b:o}.0{c:o}.0{d:o}",
            f"0x{a:02X}.0x{b:02X}.0x{c:02X}.0x{d:02X}", f"{address}.",
            str(address).translate({ord("0") + n: ord("０") + n for n in range(10)}), str(address).replace(".", "。"),
            f"[::ffff:{address}]", f"[64:ff9b::{address}]", f"[::ffff:{a * 256 + b:x}:{c * 256 + d:x}]",
            f"[::{address}]", f"[2002:{a * 256 + b:x}:{c * 256 + d:x}::1]"]


@given(INNER)
def test_no_spelling_of_an_inner_address_is_let_through(address: ipaddress.IPv4Address) -> None:
    for host in spellings(address):
        assert code_of(Outbound().check, f"http://{host}/x") in ("forbidden_address", "refused", "bad_link"), host


@given(some.ip_addresses(v=4).filter(lambda one: public(str(one))))
def test_spellings_of_one_address_are_one_host(address: ipaddress.IPv4Address) -> None:
    assert {canonical_host(host) for host in spellings(address)[:10]} == {str(address)}


# ---- links -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", [
    "", "song.mp3", "//host/x", "file:///etc/passwd", "ftp://1.1.1.1/x", "gopher://1.1.1.1/", "data:text/plain,x",
    "javascript:alert(1)", "http://", "http:///x", "http://:80/", "http://user@1.1.1.1/", "http://user:pass@1.1.1.1/",
    "http://1.1.1.1:99999/", "http://1.1.1.1:-1/", "http://1.1.1.1:0/", "http://[::1/", "http://1.1.1.1/a b", "http://1.1.1.1\\@evil/",
    "http://1.1.1.1/\r\nHost: evil", "http://1.1.1.1/\x00", "http://" + "a" * 9000, "http://.", "http://@1.1.1.1/",
])
def test_what_is_no_link_of_the_web_is_a_bad_link(url: str) -> None:
    assert code_of(Outbound(["1.1.1.1"]).check, url) == "bad_link"


@pytest.mark.parametrize("port", [22, 25, 6379, 6667, 11211])
def test_ports_of_other_protocols_are_not_asked_unless_the_owner_named_them(port: int) -> None:
    assert code_of(Outbound().check, f"http://1.1.1.1:{port}/") == "bad_link"
    assert code_of(Outbound([f"1.1.1.1:{port}"]).check, f"http://1.1.1.1:{port}/") == ""
    assert code_of(Outbound().check, f"http://127.0.0.1:{port}/") == "forbidden_address"


@given(some.text(max_size=60))
def test_any_text_is_either_followed_or_refused_with_a_failure(text: str) -> None:
    assert code_of(outbound.Link, text) in ("", "bad_link")
    assert code_of(outbound.Link, f"http://{text}") in ("", "bad_link")


def test_a_message_names_what_was_refused_and_what_to_do() -> None:
    with pytest.raises(Failure) as caught:
        Outbound().check("http://127.0.0.1:8099/song.mp3")
    assert "127.0.0.1" in caught.value.message and "SOUNDSIBLE_ALLOW_PRIVATE_HOSTS" in caught.value.message
    assert not caught.value.retryable


@pytest.mark.parametrize(("entry", "url", "good"), [
    ("127.0.0.1:8099", "http://127.0.0.1:8099/", True), ("127.0.0.1:8099", "http://127.0.0.1:8098/", False),
    ("127.0.0.1", "http://127.0.0.1:8098/", True), ("127.0.0.1:8099", "http://2130706433:8099/", True),
    ("127.0.0.1:80", "http://127.0.0.1/", True), ("127.0.0.1:443", "https://127.0.0.1/", True),
    ("127.0.0.1:443", "http://127.0.0.1/", False), ("[::1]:8099", "http://[::1]:8099/", True),
    ("::1", "http://[::1]:8099/", True), ("[::1]", "http://[::1]/", True), ("nas.local", "http://nas.local/", True),
    ("NAS.local:81", "http://nas.LOCAL.:81/", True), ("nas.local:81", "http://nas.local:82/", False),
    ("nas.local", "http://192.168.1.5/", False), ("nas.local", "http://evil.nas.local/", False),
    ("http://nas.local:81/", "http://nas.local:81/", True), ("127.0.0.1:8099", "http://[::ffff:7f00:1]:8099/", True),
])
def test_the_owner_may_allow_hosts(names: dict[str, list[list[str]]], entry: str, url: str, good: bool) -> None:
    names["nas.local"] = names["evil.nas.local"] = [["192.168.1.5"]]
    assert code_of(Outbound([entry]).check, url) == ("" if good else "forbidden_address")


def test_the_allow_list_survives_the_way_to_a_child() -> None:
    one = Outbound(["127.0.0.1:8099", "nas.local", "[::1]:5", "::2", " "])
    assert Outbound(one.allowed)._allowed == one._allowed


def test_a_name_that_mixes_public_and_inner_addresses_is_refused(names: dict[str, list[list[str]]]) -> None:
    names["mixed.test"] = [[PUBLIC, "192.168.1.1"]]
    assert code_of(Outbound().check, "http://mixed.test/") == "forbidden_address"


def test_a_name_nobody_knows_may_be_known_later(names: dict[str, list[list[str]]]) -> None:
    names["gone.test"] = [[]]
    assert code_of(Outbound().check, "http://gone.test/") == "refused"


# ---- sessions ----------------------------------------------------------------------------------------------------


def test_a_name_that_changes_between_check_and_connect_is_refused(
        names: dict[str, list[list[str]]], server: MediaServer) -> None:
    names["rebind.test"] = [[PUBLIC], ["127.0.0.1"]]
    one = Outbound()
    link = f"http://rebind.test:{server.port}/x"
    one.check(link)
    with one.session() as session:
        assert code_of(session.get, link) == "forbidden_address"
    assert server.asked() == []


def test_a_connection_is_made_to_the_very_address_that_was_checked(
        names: dict[str, list[list[str]]], server: MediaServer) -> None:
    """Were the name looked up again for the connection, it would lead to nothing."""
    names["once.test"] = [["127.0.0.1"], []]
    server.add("x", b"hello")
    with Outbound([f"once.test:{server.port}"]).session() as session:
        answer = session.get(f"http://once.test:{server.port}/x")
        assert session.read_bytes(answer) == b"hello"
    assert server.asked("x")[0].headers["host"] == f"once.test:{server.port}"


@pytest.mark.parametrize(("target", "code"), [
    ("http://169.254.169.254/latest/meta-data/", "forbidden_address"), ("http://127.0.0.1:1024/", "forbidden_address"),
    ("http://[::1]:8080/", "forbidden_address"), ("//2130706433:8080/x", "forbidden_address"),
    ("file:///etc/passwd", "bad_link"), ("http://me@127.0.0.1/", "bad_link"), ("/circle", "garbage"),
    ("ftp://1.1.1.1/x", "bad_link"),
])
def test_every_hop_of_a_redirect_is_checked(server: MediaServer, target: str, code: str) -> None:
    server.add("circle", status=302, headers={"Location": target})
    with Outbound([server.allow]).session() as session:
        assert code_of(session.get, server.url("circle")) == code


def test_a_redirect_is_followed_without_reading_what_it_carries(server: MediaServer) -> None:
    server.add("moved", b"x" * 1000, status=302, endless=True, headers={"Location": "/there?a=1"})
    server.add("there", b"arrived")
    with Outbound([server.allow]).session() as session:
        answer = session.get(server.url("moved"), params={"q": "1"}, headers={"Authorization": "secret"})
        assert session.read_bytes(answer) == b"arrived"
        assert [hop.status_code for hop in answer.history] == [302]
    assert server.asked("there")[0].headers["authorization"] == "secret"      # the same host


def test_a_login_does_not_go_to_another_host(server: MediaServer) -> None:
    server.add("moved", status=307, headers={"Location": f"http://localhost:{server.port}/there"})
    server.add("there", b"arrived")
    with Outbound([server.allow, f"localhost:{server.port}"]).session() as session:
        session.get(server.url("moved"), headers={"Authorization": "secret", "Cookie": "a=b", "X-Other": "1"}).close()
    there = server.asked("there")[0].headers
    assert "authorization" not in there and "cookie" not in there and there["x-other"] == "1"


def test_proxies_of_the_environment_are_not_used(server: MediaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.add("x", b"hello")
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with Outbound([server.allow]).session() as session:
        assert session.read_bytes(session.get(server.url("x"))) == b"hello"


def test_it_says_who_asks(server: MediaServer) -> None:
    server.add("x", b"hello")
    with Outbound([server.allow], contact="me@example.org").session() as session:
        session.get(server.url("x")).close()
    assert "me@example.org" in server.asked("x")[0].headers["user-agent"]
    assert outbound.USER_AGENT.startswith("Soundsible/")


def test_an_answer_is_read_within_bounds(server: MediaServer) -> None:
    server.add("endless", b"x" * 10_000, endless=True)
    bomb = gzip.compress(bytes(5_000_000))
    server.add("bomb", bomb, headers={"Content-Encoding": "gzip"})
    server.add("slow", b"x" * 10_000, slow=2_000)
    with Outbound([server.allow]).session(limit_bytes=100_000) as session:
        assert code_of(session.read_bytes, session.get(server.url("endless"))) == "too_large"
        assert code_of(session.read_bytes, session.get(server.url("bomb"))) == "too_large"
        assert code_of(outbound.read_bytes, session.get(server.url("slow")), limit_s=0.2) == "timed_out"


def test_json_is_read_or_garbage(server: MediaServer) -> None:
    server.add("good", json.dumps({"a": [1]}).encode())
    server.add("bad", b"<html>")
    server.add("deep", b"[" * 200_000)
    with Outbound([server.allow]).session() as session:
        assert session.read_json(session.get(server.url("good"))) == {"a": [1]}
        assert code_of(read_json, session.get(server.url("bad"))) == "garbage"
        assert code_of(read_json, session.get(server.url("deep"))) == "garbage"


def test_what_goes_wrong_on_the_line_has_a_name(server: MediaServer, names: dict[str, list[list[str]]]) -> None:
    server.add("garbage", garbage=b"what is this\r\n\r\n")
    server.add("nothing", garbage=b"")
    server.add("icy", garbage=b"ICY 200 OK\r\n\r\n")
    server.add("hang", hang=True)
    server.add("cut", b"x" * 1000, drop_after=500)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        shut = free.getsockname()[1]
        with Outbound(["127.0.0.1"]).session(timeout_s=(1.0, 0.3)) as session:
            assert code_of(session.get, server.url("garbage")) == "garbage"
            assert code_of(session.get, server.url("nothing")) == "refused"
            assert code_of(session.get, server.url("icy")) == "live"
            assert code_of(session.get, server.url("hang")) == "timed_out"
            assert code_of(session.get, f"http://127.0.0.1:{shut}/") == "refused"
            assert code_of(session.read_bytes, session.get(server.url("cut"))) == "connection_lost"


@pytest.mark.parametrize("said", [
    [b"HTTP/1.1 200 OK\r\nX-A: ", b"a"], [b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"],
    [b"HTTP/1.1 100 Continue\r\n\r\n"] * 2, [b"HTTP/1.1 302 Found\r\nLocation: /\r\nX: ", b"a"], [b"", b" "],
])
def test_a_head_that_drips_for_ever_is_not_waited_for(said: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each drop comes in time, and so the time-out between two of them never does."""
    monkeypatch.setattr(outbound, "HEAD_S", 0.3)
    over = threading.Event()

    def drip() -> None:
        plug, _ = door.accept()
        with plug, contextlib.suppress(OSError):
            plug.sendall(said[0])
            while not over.wait(0.01):
                plug.sendall(said[1])

    with socket.create_server(("127.0.0.1", 0)) as door:
        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{door.getsockname()[1]}/"
        with Outbound(["127.0.0.1"]).session() as session:
            assert code_of(session.get, url) == "timed_out"
        over.set()
        thread.join(5)


def test_of_a_name_with_hundreds_of_addresses_a_few_are_tried(
    names: dict[str, list[list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Any] = []

    def connect(plug: socket.socket, address: Any) -> None:
        tried.append(address)
        raise TimeoutError

    monkeypatch.setattr(socket.socket, "connect", connect)
    names["many.example"] = [[f"93.184.216.{n}" for n in range(200)]]
    with Outbound().session() as session:
        assert code_of(session.get, "http://many.example/") == "timed_out"
    assert len(tried) == outbound.MOST_ADDRESSES


@pytest.mark.parametrize(("status", "code", "retryable"), [
    (400, "not_found", False), (401, "needs_login", False), (403, "no_permission", False), (404, "not_found", False),
    (408, "timed_out", True), (410, "removed", False), (429, "rate_limited", True), (451, "region", False),
    (500, "service_error", True), (502, "service_error", True), (503, "service_error", True),
])
def test_statuses_have_their_meaning(status: int, code: str, retryable: bool) -> None:
    failure = failure_of_status(status, {"Retry-After": "9"}, "host")
    assert failure is not None and (failure.code, failure.retryable) == (code, retryable)
    assert failure.retry_after_s == (9.0 if status in (429, 503) else None)
    assert failure_of_status(206, {}, "host") is None


def test_retry_after_is_seconds_or_a_date() -> None:
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=100)
    found = retry_after({"Retry-After": soon.strftime("%a, %d %b %Y %H:%M:%S GMT")})
    assert found is not None and 50 < found <= 100
    assert retry_after({"Retry-After": "99999999"}) == 86400.0
    assert retry_after({"Retry-After": "soon"}) is None
    assert retry_after({"Retry-After": "Mon, 99 Foo 2026"}) is None
    assert retry_after({}) is None


def test_tls_is_checked_against_the_name_of_the_link(tmp_path: Path, names: dict[str, list[list[str]]]) -> None:
    certificate, key = _certificate(tmp_path, "secure.test")
    names["secure.test"] = names["other.test"] = [["127.0.0.1"]]
    with MediaServer() as server:
        server.add("x", b"hello")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server._server.socket = context.wrap_socket(server._server.socket, server_side=True)
        mine = ssl.create_default_context(cafile=str(certificate))
        one = Outbound([f"{name}:{server.port}" for name in ("secure.test", "other.test")])
        with one.session(context=mine) as session:
            assert session.read_bytes(session.get(f"https://secure.test:{server.port}/x")) == b"hello"
            assert code_of(session.get, f"https://other.test:{server.port}/x") == "refused"
        with one.session() as session:      # unknown to the usual authorities
            assert code_of(session.get, f"https://secure.test:{server.port}/x") == "refused"


def _certificate(folder: Path, name: str) -> tuple[Path, Path]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
            .serial_number(1).not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .sign(key, hashes.SHA256()))
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return folder / "cert.pem", folder / "key.pem"


def test_services_of_the_settings_may_point_to_their_own_host() -> None:
    settings = SimpleNamespace(allow_private_hosts=("nas.local",), contact="", slskd_url="http://127.0.0.1:5030",
                               musicbrainz_url="https://musicbrainz.org", coverart_url="http://[::1]:81/x",
                               deezer_url="", spotify_url="", lrclib_url="", acoustid_url="")
    one = for_services(settings)
    assert one.permits("127.0.0.1", 5030) and one.permits("::1", 81) and one.permits("nas.local", 1)
    assert not one.permits("127.0.0.1", 5031)
    assert one.permits("musicbrainz.org", 443) and not one.permits("musicbrainz.org", 80)


# ---- children ----------------------------------------------------------------------------------------------------

_CHILD = """
import json, sys
sys.path.insert(0, sys.argv[1])
import socket
real = socket.getaddrinfo
answers = json.loads(sys.argv[3])
def resolve(host, port, *rest, **more):
    if host in answers:
        known = answers[host]
        address = known.pop(0) if len(known) > 1 else known[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]
    return real(host, port, *rest, **more)
socket.getaddrinfo = resolve
from shared.outbound import Outbound
guard = Outbound(json.loads(sys.argv[4])).guard_process()
import requests
try:
    print(requests.get(sys.argv[2], timeout=5).text)
except requests.RequestException as error:
    print("refused" if guard.refused else repr(error))
"""


def _in_child(url: str, answers: dict[str, list[str]], allowed: list[str]) -> str:
    done = subprocess.run([sys.executable, "-c", _CHILD, str(ROOT), url, json.dumps(answers), json.dumps(allowed)],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_in_a_child_a_name_that_leads_inside_is_refused(server: MediaServer) -> None:
    server.add("x", b"reached")
    link = f"http://inner.test:{server.port}/x"
    assert _in_child(link, {"inner.test": ["127.0.0.1"]}, []) == "refused"
    assert server.asked() == []


def test_in_a_child_an_allowed_name_is_reached_where_it_leads(server: MediaServer) -> None:
    server.add("x", b"reached")
    link = f"http://inner.test:{server.port}/x"
    assert _in_child(link, {"inner.test": ["127.0.0.1"]}, [f"inner.test:{server.port}"]) == "reached"


def test_in_a_child_sessions_of_ours_reach_allowed_names_as_well() -> None:
    child = """
import sys
from shared.outbound import Outbound
outbound = Outbound([sys.argv[2]])
outbound.guard_process()
with outbound.session() as session:
    print(session.read_bytes(session.get(sys.argv[1])).decode())
"""
    with MediaServer(host="localhost") as inner:
        done = subprocess.run([sys.executable, "-c", child, inner.add("x", b"reached"), inner.allow], cwd=ROOT,
                              capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "reached", done.stderr[-300:]


def test_in_a_child_an_allowed_name_opens_no_other_port(server: MediaServer) -> None:
    link = f"http://inner.test:{server.port}/x"
    assert _in_child(link, {"inner.test": ["127.0.0.1"]}, ["inner.test:1"]) == "refused"


def test_in_a_child_redirects_are_checked_too(server: MediaServer) -> None:
    with MediaServer() as inner:
        inner.add("x", b"reached")
        server.add("away", status=302, headers={"Location": inner.url("x")})
        assert _in_child(server.url("away"), {}, [server.allow]) == "refused"
        assert inner.asked() == []


# ---- the server of the tests itself ------------------------------------------------------------------------------


def test_the_media_server_counts_and_bends(server: MediaServer) -> None:
    server.add("a", b"0123456789")
    part = requests.get(server.url("a"), headers={"Range": "bytes=2-4"}, timeout=5)
    assert (part.status_code, part.content, part.headers["Content-Range"]) == (206, b"234", "bytes 2-4/10")
    old = part.headers["ETag"]
    server.change("a", b"abcdefghij")
    again = requests.get(server.url("a"), headers={"Range": "bytes=2-", "If-Range": old}, timeout=5)
    assert (again.status_code, again.content) == (200, b"abcdefghij")
    assert [one.headers.get("range") for one in server.asked("a")] == ["bytes=2-4", "bytes=2-"]
    turn = threading.Event()

    def act(asked: Asked) -> Thing | None:
        return Thing(b"first", status=503) if not turn.is_set() and not turn.set() else None

    server.add("b", b"then", act=act)
    assert [requests.get(server.url("b"), timeout=5).status_code for _ in range(2)] == [503, 200]
