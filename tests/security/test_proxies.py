"""Who really asks: trusted proxies say it, and nobody else does."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.security.proxies import PROXY, Forwarded, Networks, Proxies

PROXY_AT, CLIENT = "10.0.0.2", "198.51.100.7"


def through(environ, trusted=(PROXY_AT,), only_theirs=()):
    """What the application is told."""
    heard = {}

    def app(environ, start_response):
        heard.update(environ)
        return []

    Forwarded(app, proxies=Proxies(trusted), only_theirs=only_theirs)(
        {"REMOTE_ADDR": PROXY_AT, "HTTP_HOST": "localhost", "wsgi.url_scheme": "http", **environ}, lambda *_: None)
    return heard


def test_networks_know_addresses_however_they_are_written():
    networks = Networks(["10.0.0.2", "192.168.1.0/24", "fd00::/8", "192.168.7.9/24"])
    for address in ("10.0.0.2", "192.168.1.77", "fd12::1", "::ffff:10.0.0.2", "::FFFF:192.168.1.1", "192.168.7.1"):
        assert address in networks, address
    for address in ("10.0.0.3", "192.168.2.1", "fe80::1%eth0", "", "unknown", "10.0.0.2.5", "::1", None):
        assert address not in networks, address
    assert "10.0.0.2" not in Networks() and not Networks() and networks
    with pytest.raises(ValueError):
        Networks(["10.0.0.300"])


def test_a_trusted_proxy_names_client_scheme_and_host():
    heard = through({"HTTP_X_FORWARDED_FOR": CLIENT, "HTTP_X_FORWARDED_PROTO": "https",
                     "HTTP_X_FORWARDED_HOST": "music.example.org"})
    assert heard["REMOTE_ADDR"] == CLIENT
    assert heard["wsgi.url_scheme"] == "https"
    assert heard["HTTP_HOST"] == "music.example.org"
    assert heard[PROXY] == PROXY_AT
    assert not any(name.startswith("HTTP_X_FORWARDED") for name in heard)


@pytest.mark.parametrize("address", ["10.0.0.3", "127.0.0.1", "::1", "", "203.0.113.9"])
def test_from_strangers_nothing_of_it_counts(address):
    said = {"HTTP_X_FORWARDED_FOR": CLIENT, "HTTP_X_FORWARDED_PROTO": "https", "HTTP_X_FORWARDED_HOST": "evil.example",
            "HTTP_X_FORWARDED_PREFIX": "/x", "HTTP_X_REAL_IP": CLIENT, "HTTP_FORWARDED": f"for={CLIENT}",
            "HTTP_REMOTE_USER": "ann", "HTTP_ACCEPT": "*/*"}
    heard = through({"REMOTE_ADDR": address, **said}, only_theirs=["Remote-User"])
    assert heard == {"REMOTE_ADDR": address, "HTTP_HOST": "localhost", "wsgi.url_scheme": "http", "HTTP_ACCEPT": "*/*"}


def test_who_is_logged_in_counts_from_a_trusted_proxy():
    assert through({"HTTP_REMOTE_USER": "ann"}, only_theirs=["Remote-User", ""])["HTTP_REMOTE_USER"] == "ann"


@pytest.mark.parametrize(("said", "client"), [
    (CLIENT, CLIENT),
    (f"6.6.6.6, {CLIENT}", CLIENT),                         # what the client wrote himself
    (f"{PROXY_AT}, {CLIENT}", CLIENT),
    (f"evil, {CLIENT}, 10.0.0.9", CLIENT),                  # two proxies in a row
    (f"{CLIENT},10.0.0.9,  10.0.0.8", CLIENT),              # three
    ("2001:db8::7", "2001:db8::7"),
    ("[2001:db8::7]:4711", "2001:db8::7"),
    ("2001:DB8:0::7", "2001:db8::7"),
    ("::ffff:198.51.100.7", CLIENT),
    ("fe80::1%any <text>", "fe80::1"),
    (f"{CLIENT}:4711", CLIENT),
    (f'"{CLIENT}"', CLIENT),
    ("10.0.0.9", "10.0.0.9"),                               # the proxy itself asks
])
def test_the_client_is_the_rightmost_address_that_is_no_proxys(said, client):
    assert through({"HTTP_X_FORWARDED_FOR": said}, ["10.0.0.0/24"])["REMOTE_ADDR"] == client


@pytest.mark.parametrize("said", ["", "unknown", "_hidden", ",", f"{CLIENT},", f"{CLIENT}, unknown", "10.0.0.999",
                                  "1.2.3.4.5", "localhost", "\x00", "a" * 8000, "½"])
def test_what_is_not_understood_leaves_the_proxy_as_the_one_who_asks(said):
    heard = through({"HTTP_X_FORWARDED_FOR": said})
    assert heard["REMOTE_ADDR"] == PROXY_AT
    assert heard[PROXY] == PROXY_AT


def test_scheme_and_host_are_read_at_the_depth_of_the_outermost_proxy():
    heard = through({"HTTP_X_FORWARDED_FOR": f"6.6.6.6, {CLIENT}, 10.0.0.9",
                     "HTTP_X_FORWARDED_PROTO": "ftp, https, http",
                     "HTTP_X_FORWARDED_HOST": "evil.example, music.example.org, inner:5005"}, ["10.0.0.0/24"])
    assert (heard["wsgi.url_scheme"], heard["HTTP_HOST"]) == ("https", "music.example.org")
    one = through({"HTTP_X_FORWARDED_FOR": f"{CLIENT}, 10.0.0.9", "HTTP_X_FORWARDED_PROTO": "https"}, ["10.0.0.0/24"])
    assert one["wsgi.url_scheme"] == "https"    # only one of the two says it


@pytest.mark.parametrize(("said", "scheme"), [
    ("https", "https"), ("HTTPS", "https"), ("wss", "https"), ("ws", "http"), ("http", "http"), ("", "http"),
    ("javascript", "http"), ("https://", "http"),
])
def test_only_schemes_of_the_web_are_taken(said, scheme):
    assert through({"HTTP_X_FORWARDED_PROTO": said})["wsgi.url_scheme"] == scheme


def test_a_scheme_that_is_known_better_is_corrected_by_the_proxy_alone():
    assert through({"wsgi.url_scheme": "https", "HTTP_X_FORWARDED_PROTO": "http"}, [])["wsgi.url_scheme"] == "https"


def test_an_ipv4_client_of_an_ipv6_socket_is_called_by_its_own_address():
    assert through({"REMOTE_ADDR": "::ffff:192.168.1.9"}, [])["REMOTE_ADDR"] == "192.168.1.9"
    assert through({"REMOTE_ADDR": "::ffff:10.0.0.2", "HTTP_X_FORWARDED_FOR": CLIENT})["REMOTE_ADDR"] == CLIENT


@given(st.text(max_size=200), st.text(max_size=60), st.text(max_size=60))
def test_nothing_a_proxy_passes_on_breaks_it(forwarded, proto, host):
    heard = through({"HTTP_X_FORWARDED_FOR": forwarded, "HTTP_X_FORWARDED_PROTO": proto, "HTTP_X_FORWARDED_HOST": host})
    ipaddress.ip_address(heard["REMOTE_ADDR"])
    assert heard["wsgi.url_scheme"] in ("http", "https")


@given(st.lists(st.sampled_from(["10.0.0.9", "10.0.0.2", "6.6.6.6", CLIENT, "nobody", ""]), max_size=30))
def test_what_a_client_puts_before_its_address_never_counts(invented):
    """The proxy adds the address it sees; all before it is the client's own word."""
    said = ", ".join([*invented, CLIENT])
    assert through({"HTTP_X_FORWARDED_FOR": said}, ["10.0.0.0/24"])["REMOTE_ADDR"] == CLIENT
