"""Cross-site requests: a foreign page cannot change anything, a program and the station's own pages can."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.security.origin import same_origin, same_site

HOST = "192.168.1.20:5005"
OWN = f"http://{HOST}"


def headers(**given: str) -> dict[str, str]:
    return {"Host": HOST, **{name.replace("_", "-"): value for name, value in given.items()}}


def test_a_program_without_any_of_the_headers_may() -> None:
    assert same_site(headers())


def test_the_stations_own_page_may() -> None:
    assert same_site(headers(Origin=OWN))
    assert same_site(headers(Origin=OWN.upper()))
    assert same_site(headers(Referer=f"{OWN}/albums?x=1#y"))
    assert same_site(headers(Sec_Fetch_Site="same-origin", Origin=OWN))


@pytest.mark.parametrize("origin", [
    "null", "", " ", "http://evil.example", "https://evil.example:5005", "http://192.168.1.20", "http://192.168.1.20:5006",
    "http://192.168.1.20:5005.evil.example", "http://evil.example/192.168.1.20:5005", "http://192.168.1.20:5005@evil.example",
    "http://evil.example@192.168.1.20:5005", "192.168.1.20:5005", "file://192.168.1.20:5005", "http:192.168.1.20:5005",
    f"{OWN}, http://evil.example", f"http://evil.example {OWN}", f"{OWN}/", "chrome-extension://abcdef", "http://",
])
def test_a_foreign_origin_may_not(origin: str) -> None:
    assert not same_site(headers(Origin=origin))


@pytest.mark.parametrize("site", ["cross-site", "same-site", "", "SAME-ORIGIN ", "nonsense"])
def test_what_the_browser_calls_foreign_is_foreign_whatever_the_origin_says(site: str) -> None:
    assert not same_site(headers(Sec_Fetch_Site=site, Origin=OWN))


def test_without_origin_the_referer_decides() -> None:
    assert not same_site(headers(Referer="http://evil.example/192.168.1.20:5005"))
    assert not same_site(headers(Referer=f"http://evil.example\\@{HOST}/"))
    assert not same_site(headers(Referer=f"http://{HOST}@evil.example/"))
    assert same_site(headers(Referer="android-app://org.example.player"))


def test_an_allowed_name_is_the_proxys_origin_with_exactly_its_port() -> None:
    behind = {"Host": "127.0.0.1:5005"}
    assert same_site({**behind, "Origin": "https://music.example.org"}, ["music.example.org"])
    assert same_site({**behind, "Origin": "https://music.example.org:8443"}, ["music.example.org:8443"])
    assert not same_site({**behind, "Origin": "https://music.example.org:8443"}, ["music.example.org"])
    assert not same_site({**behind, "Origin": "https://other.example.org"}, ["music.example.org"])


def test_the_schemes_own_port_may_be_left_out() -> None:
    assert same_origin("https://music.example.org", "music.example.org")
    assert same_origin("https://music.example.org", "music.example.org:443")
    assert same_origin("http://music.example.org:80", "music.example.org")
    assert not same_origin("https://music.example.org", "music.example.org:80")


@given(st.text(max_size=60))
def test_no_other_text_is_the_own_origin(origin: str) -> None:
    if same_origin(origin, HOST):
        assert origin.lower() in (OWN, f"https://{HOST}")
