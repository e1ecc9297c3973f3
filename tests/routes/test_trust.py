"""The page that lets devices trust the station: open, strict, and with the right file for each."""

from __future__ import annotations

import plistlib
import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from hypothesis import given
from hypothesis import strategies as st

from shared.routes.register import WEB
from shared.routes.trust import policy_for, profile
from tests.routes.houses import Front


@pytest.fixture(scope="module")
def trusting(tmp_path_factory: pytest.TempPathFactory) -> Front:
    front = Front(tmp_path_factory.mktemp("trusting"), music=False)
    front.house.certificates.look()
    return front


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> Front:
    """A station that does not answer HTTPS."""
    return Front(tmp_path_factory.mktemp("without"), people=False, music=False)


def ask(front: Front, path: str, **headers: str) -> Any:
    return front.ask("GET", path, who=None, **headers)


def test_everybody_may_know_what_there_is_to_trust(trusting: Front) -> None:
    told = trusting.get("/trust/state", who=None)
    certificate = x509.load_der_x509_certificate(ask(trusting, "/trust/authority.crt").data)
    assert told["https"] and told["own_authority"] and not told["secure"] and told["name"] == "nas"
    assert told["authority_sha256"].replace(":", "") == certificate.fingerprint(hashes.SHA256()).hex().upper()
    assert told["authority_sha1"].replace(":", "") == certificate.fingerprint(hashes.SHA1()).hex().upper()
    assert "localhost" in told["names"] and "192.168.1.20" in told["addresses"]
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", told["fingerprint"])


def test_over_https_it_says_so(trusting: Front) -> None:
    with trusting.app.test_client() as client:
        assert client.get("/trust/state", base_url="https://localhost").json["secure"] is True  # type: ignore[index]


def test_of_names_at_home_those_are_offered_that_lead_here(trusting: Front) -> None:
    assert not any(one.endswith(".local") for one in trusting.get("/trust/state", who=None)["names"])
    with trusting.app.test_client() as client:
        told: Any = client.get("/trust/state", base_url="http://soundsible.local:5005").json
    assert [one for one in told["names"] if one.endswith(".local")] == ["soundsible.local"]
    trusting.house.finding.announced("soundsible.local")
    try:
        told = trusting.get("/trust/state", who=None)
        assert [one for one in told["names"] if one.endswith(".local")] == ["soundsible.local"]
    finally:
        trusting.house.finding.announced(None)


def test_behind_a_proxy_it_says_that_the_certificate_is_another(trusting: Front) -> None:
    with trusting.app.test_client() as client:
        told: Any = client.get("/trust/state", base_url="https://localhost",
                               environ_base={"soundsible.proxy": "127.0.0.1"}).json
        assert told["proxied"] and told["secure"]
        told = client.get("/trust/state").json
        assert not told["proxied"]


def test_there_is_the_right_file_for_each_system(trusting: Front) -> None:
    der, pem = ask(trusting, "/trust/authority.crt"), ask(trusting, "/trust/authority.pem")
    assert der.headers["Content-Type"] == "application/x-x509-ca-cert"
    assert x509.load_der_x509_certificate(der.data) == x509.load_pem_x509_certificate(pem.data)
    assert b"PRIVATE" not in der.data + pem.data
    made = ask(trusting, "/trust/soundsible.mobileconfig")
    assert made.headers["Content-Type"] == "application/x-apple-aspen-config"
    told = plistlib.loads(made.data)
    assert told["PayloadType"] == "Configuration" and told["PayloadContent"][0]["PayloadContent"] == der.data
    assert told["PayloadContent"][0]["PayloadType"] == "com.apple.security.root"
    assert told["PayloadContent"][0]["PayloadUUID"] != told["PayloadUUID"]
    for one in (der, pem, made):
        assert "attachment" not in one.headers["Content-Disposition"]   # Safari and Firefox open them themselves


def test_a_profile_replaces_itself_and_no_other_stations(trusting: Front) -> None:
    der = ask(trusting, "/trust/authority.crt").data
    one, again = profile(der, title="nas", fingerprint="a"), profile(der, title="nas", fingerprint="a")
    assert one == again
    other = plistlib.loads(profile(der, title="nas", fingerprint="b"))
    renewed = plistlib.loads(profile(der + b"\0", title="nas", fingerprint="a"))
    told = plistlib.loads(one)
    assert other["PayloadIdentifier"] != told["PayloadIdentifier"] == renewed["PayloadIdentifier"]
    assert renewed["PayloadUUID"] != told["PayloadUUID"]


@given(st.text(max_size=60))
def test_no_name_of_a_station_breaks_the_profile(title: str) -> None:
    clean = "".join(one for one in title if one.isprintable())
    told = plistlib.loads(profile(b"der", title=clean, fingerprint="a"))
    assert told["PayloadContent"][0]["PayloadContent"] == b"der"


@pytest.mark.parametrize("path", ["/trust/authority.crt", "/trust/authority.pem", "/trust/soundsible.mobileconfig"])
def test_where_nothing_has_to_be_installed_there_is_nothing(without: Front, path: str) -> None:
    answer = ask(without, path)
    assert answer.status == 404 and "nothing to install" in answer.json["error"]["message"]
    told = without.get("/trust/state", who=None)
    assert not told["https"] and told["authority_sha256"] == "" and told["expires_at"] is None


def test_the_word_that_it_worked_is_empty_and_the_only_one_for_other_origins(trusting: Front) -> None:
    answer = ask(trusting, "/trust/here", Origin="http://192.168.1.20:5005", Sec_Fetch_Site="cross-site")
    assert answer.status == 204 and answer.data == b"" and answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "Access-Control-Allow-Origin" not in answer.headers
    for path in ("/trust", "/trust/trust.js", "/trust/authority.crt", "/trust/state"):
        assert ask(trusting, path).headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_the_page_may_ask_its_https_twin_and_nobody_else(trusting: Front) -> None:
    policy = ask(trusting, "/trust", Host="192.168.1.20:5005").headers["Content-Security-Policy"]
    assert "connect-src 'self' https://192.168.1.20:5005;" in policy
    assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert ask(trusting, "/trust", Host="evil.example").status == 421


@pytest.mark.parametrize(("host", "there"), [
    ("soundsible.local:5005", " https://soundsible.local:5005"), ("SOUNDSIBLE.local:5005", " https://soundsible.local:5005"),
    ("localhost", " https://localhost:80"), ("[fd00::1]:5005", " https:"), ("my_nas:5005", " https:"),
    ("evil.example; script-src *", ""), ("a b", ""), ("", ""), ("x,y", ""),
])
def test_what_of_a_host_gets_into_the_policy(host: str, there: str) -> None:
    assert f"connect-src 'self'{there};" in policy_for(host)


@given(st.text(max_size=60))
def test_no_host_writes_a_policy_of_its_own(host: str) -> None:
    made = policy_for(host)
    assert re.fullmatch(r"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'"
                        r"(?: https:(?://[a-z0-9.-]+:\d{1,5})?)?; base-uri 'none'; form-action 'none'; "
                        r"frame-ancestors 'none'", made)


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_page_holds_nothing_that_its_policy_forbids(trusting: Front) -> None:
    text = ask(trusting, "/trust").data.decode()
    page = Page(text)
    for tag, attributes in page.tags:
        assert not any(name.startswith("on") or name == "style" for name in attributes), (tag, attributes)
        assert tag != "style" and (tag != "script" or attributes.get("src")), (tag, attributes)
        for name in ("src", "href"):
            value = attributes.get(name)
            if value is not None:
                assert value.startswith("/"), value
                assert ask(trusting, value).status == 200, value
    systems = {attributes["data-system"] for _, attributes in page.tags if "data-system" in attributes}
    assert systems == {"ios", "android", "macos", "windows", "linux"}
    assert {attributes.get("value") for tag, attributes in page.tags if tag == "input"} == systems


def test_without_a_script_every_step_is_there_to_read() -> None:
    text = (WEB / "trust" / "index.html").read_text("utf-8")
    assert not re.search(r"<section[^>]*\shidden", text)
    for words in ("Certificate Trust Settings", "CA certificate", "Always Trust", "Trusted Root Certification",
                  "update-ca-certificates", "trust anchor", "certutil -d sql:"):
        assert words in text


def test_the_colours_are_the_players() -> None:
    """Its own small stylesheet says the same as the player's."""
    def colours(path: Path) -> list[dict[str, str]]:
        blocks = re.findall(r":root[^{]*\{([^}]*--ground-0[^}]*)\}", path.read_text("utf-8"))
        return [dict(re.findall(r"(--[a-z0-9-]+):\s*([^;]+);", one)) for one in blocks]

    for own, players in zip(colours(WEB / "trust" / "trust.css"), colours(WEB / "tailwind.css"), strict=True):
        assert own.items() <= players.items()


def test_nothing_else_of_the_folder_is_sent(trusting: Front) -> None:
    for path in ("/trust/index.html", "/trust/../index.html", "/trust/%2e%2e/sw.js", "/trust/leaf.key",
                 "/trust/station.key"):
        assert ask(trusting, path).status == 404, path


def test_the_script_is_one_that_runs() -> None:
    done = subprocess.run(["node", "--check", str(WEB / "trust" / "trust.js")], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr
