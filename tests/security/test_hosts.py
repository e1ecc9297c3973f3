"""The Host header: only what cannot be taken over by another site's DNS names this station."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model.errors import Misdirected
from shared.security.hosts import check_host, host_named, own_names, split_host

NAMES = own_names("Attic.example.org", allowed=["Music.Example.org", "nas.local:8080", "https://behind.example/",
                                                "bücher.example", "fd00::5", "*", "evil.example@nas", ""])


@pytest.mark.parametrize("host", [
    "127.0.0.1", "127.0.0.1:5005", "192.168.1.20:80", "203.0.113.9", "[::1]", "[::1]:5005", "[FE80::1]:5005",
    "[::ffff:192.168.1.2]", "localhost", "LOCALHOST:5005", "localhost.", "localhost:", "localhost.:5005",
    "soundsible.local", "Soundsible.Local.:5005", "attic", "ATTIC:1", "attic.local", "attic.example.org",
    "music.example.org", "music.example.org:443", "nas.local", "behind.example", "xn--bcher-kva.example",
    "[fd00:0:0::5]",
])
def test_addresses_and_own_names_are_answered(host: str) -> None:
    assert host_named(host, NAMES)
    check_host(host, NAMES)


@pytest.mark.parametrize("host", [
    "", " ", ".", ":", ":5005", "evil.example", "localhost.evil.example", "evil.example.localhost", "notlocalhost",
    "localhost..", ".localhost", "localhost:80:80", "localhost:http", "localhost:-1", "localhost:99999999",
    "localhost:65536", "localhost: 80", "localhost,evil.example", "evil.example, localhost", "localhost localhost",
    "user@localhost", "user:secret@127.0.0.1", "localhost@evil.example", "localhost/evil", "localhost#", "localhost?",
    "localhost\\evil", "127.1", "127.0.0.1.", "127.0.0.01", "0177.0.0.1", "0x7f.0.0.1", "2130706433", "127.0.0.256",
    "127.0.0.1.evil.example", "1.2.3.4.nip.io", "[::1", "::1]", "::1", "[::1]evil", "[::1].evil.example", "[::1]:x",
    "[fe80::1%eth0]", "[fe80::1%25eth0]", "[evil.example]", "[127.0.0.1]", "[]", "[:::]", "localhost\n", "localhost\r",
    "local\x00host", "LOCALHOST\u0301", "\u212a", "nas", "soundsible", "a" * 300, "-attic", "attic-", "*",
    "evil.example@nas", "%6cocalhost",
])
def test_everything_else_is_refused(host: str) -> None:
    assert not host_named(host, NAMES)
    with pytest.raises(Misdirected):
        check_host(host, NAMES)


def test_a_request_without_host_is_refused() -> None:
    with pytest.raises(Misdirected):
        check_host(None, NAMES)


def test_the_kelvin_sign_is_not_a_k() -> None:
    assert not host_named("attic\u212a", own_names("attick"))


@given(st.ip_addresses(), st.none() | st.integers(0, 65535))
def test_every_ip_address_in_its_usual_form_is_answered(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int | None
) -> None:
    host = f"[{address}]" if address.version == 6 else str(address)
    header = host if port is None else f"{host}:{port}"
    assert split_host(header) == (str(address), port)
    assert host_named(header, frozenset())


@given(st.text(max_size=80))
def test_no_text_is_taken_for_a_name_that_it_is_not(header: str) -> None:
    """Whatever is accepted is an IP address, or letter by letter one of the names with a port or a dot behind it."""
    if host_named(header, NAMES):
        bare = header.lower().strip("[]")
        name = header.rpartition(":")[0] if ":" in header and not header.endswith("]") else header
        name = name.lower().strip("[]").removesuffix(".")
        assert name in NAMES or ipaddress.ip_address(name or bare)


@given(st.sampled_from(sorted(NAMES)), st.text(min_size=1, max_size=20))
def test_a_name_with_anything_in_front_is_another_name(name: str, before: str) -> None:
    if ":" not in name and before + name not in NAMES:
        assert not host_named(before + name, NAMES)


@given(st.text(max_size=40))
def test_any_machine_name_leaves_localhost_working_and_strangers_out(hostname: str) -> None:
    names = own_names(hostname)
    assert host_named("localhost:5005", names)
    assert all(split_host(name) for name in names)
