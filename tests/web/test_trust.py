"""A browser that is led through trusting the station: it notices, goes on securely, and trusts nobody else for it."""

from __future__ import annotations

import shutil
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography import x509

from shared.security.identity import Identity
from tests.running import RunningStation, start_station
from tests.security.paper import Signed, sign
from tests.web.browsing import PATIENCE_S, PHONE
from tests.web.conftest import ARGUMENTS, CHROMIUM
from tests.web.trusting import home_of_browser, plain, secure

sync_api = pytest.importorskip("playwright.sync_api")
pytestmark = [pytest.mark.browser, pytest.mark.skipif(shutil.which("certutil") is None, reason="needs libnss3-tools")]

AGENTS = {
    "ios": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
           "Version/18.5 Mobile/15E148 Safari/604.1",
    "android": "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 "
               "Mobile Safari/537.36",
    "macos": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 "
             "Safari/605.1.15",
    "windows": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 "
               "Safari/537.36",
    "linux": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
}


@pytest.fixture(scope="module")
def at_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStation]:
    """A station of its own: its keys are stolen here."""
    running = start_station(tmp_path_factory.mktemp("trusted") / "home", [])
    yield running
    running.stop()


@pytest.fixture(scope="module")
def browsers(tmp_path_factory: pytest.TempPathFactory, at_home: RunningStation) -> Iterator[Callable[..., Any]]:
    """Browsers with a list of authorities of their own: an empty one, or one with the station's in it."""
    opened: dict[bool, Any] = {}
    with sync_api.sync_playwright() as playwright:

        def browser(*, trusting: bool) -> Any:
            if trusting not in opened:
                home = home_of_browser(tmp_path_factory.mktemp("browser"), at_home if trusting else None)
                opened[trusting] = playwright.chromium.launch(
                    executable_path=CHROMIUM, env=dict(home),
                    args=[*ARGUMENTS, "--host-resolver-rules=MAP *.example.com 127.0.0.1"])
            return opened[trusting]

        yield browser
        for one in opened.values():
            one.close()


@pytest.fixture
def page_of(browsers: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    contexts: list[Any] = []

    def page(*, trusting: bool, **more: Any) -> Any:
        context = browsers(trusting=trusting).new_context(viewport=PHONE, **more)
        context.set_default_timeout(PATIENCE_S * 1000)
        contexts.append(context)
        return context.new_page()

    yield page
    for one in contexts:
        one.close()


@pytest.mark.parametrize("system", AGENTS)
def test_each_system_sees_its_own_steps_first(
    at_home: RunningStation, page_of: Callable[..., Any], system: str
) -> None:
    page = page_of(trusting=False, user_agent=AGENTS[system])
    page.goto(f"{plain(at_home)}/trust")
    sync_api.expect(page.locator("#state-title")).to_have_text("Waiting for this device")
    assert [one.get_attribute("data-system") for one in page.locator("section[data-system]:visible").all()] == [system]
    assert page.locator("input[name=system]").first.get_attribute("value") == system
    told = at_home.call("GET", "/trust/state", token="")[1]
    assert page.locator("[data-sha256]").inner_text().split() == told["authority_sha256"].split(":")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator("input[value=windows]").check()
    sync_api.expect(page.locator("section[data-system=windows]")).to_be_visible()


def test_a_browser_that_does_not_trust_the_station_waits(at_home: RunningStation, page_of: Callable[..., Any]) -> None:
    page = page_of(trusting=False)
    asked: list[str] = []
    page.on("requestfailed", lambda request: asked.append(request.url))
    page.goto(f"{plain(at_home)}/trust")
    with page.expect_event("requestfailed", lambda request: len(asked) >= 2):   # it asks again and again by itself
        pass
    assert set(asked) == {f"{secure(at_home)}/trust/here"}
    assert page.locator("#go").is_hidden() and page.locator("#state").get_attribute("data-state") == "waiting"
    with pytest.raises(sync_api.Error, match="ERR_CERT_AUTHORITY_INVALID"):
        page.goto(secure(at_home))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_browser_that_trusts_it_is_led_on_and_may_install_the_player(
    at_home: RunningStation, page_of: Callable[..., Any], host: str
) -> None:
    page = page_of(trusting=True)
    page.goto(f"{plain(at_home, host)}/trust#/library")
    sync_api.expect(page.locator("#state-title")).to_have_text("It worked")
    page.locator("#go").click()
    page.wait_for_url(f"{secure(at_home, host)}/#/library")
    assert page.evaluate("isSecureContext") is True
    assert page.evaluate("navigator.serviceWorker.ready.then((found) => found.active !== null)") is True
    assert page.evaluate("fetch('/manifest.webmanifest').then((answer) => answer.ok)") is True


@pytest.mark.parametrize("place", ["", "#/search?q=bj%C3%B6rk~2", "#/you/install"])
def test_who_is_logged_in_takes_the_login_along_and_goes_on_where_it_was(
    at_home: RunningStation, page_of: Callable[..., Any], place: str
) -> None:
    page = page_of(trusting=True)
    _, login = at_home.call("POST", "/api/session", {"username": at_home.owner_name,
                                                     "password": at_home.owner_password}, token="")
    page.context.add_cookies([{"name": "soundsible_session", "value": login["token"], "url": plain(at_home),
                               "httpOnly": True, "sameSite": "Lax"}])
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{plain(at_home)}/trust{place}")
    sync_api.expect(page.locator("#state-title")).to_have_text("It worked")
    with page.expect_response(f"{secure(at_home)}/api/pairing/claim") as claimed:    # nobody pressed anything there
        page.locator("#go").click()
    assert claimed.value.status == 201
    page.wait_for_url(f"{secure(at_home)}/{place or '#/'}")
    page.locator("sb-app nav").wait_for()
    assert page.evaluate("fetch('/api/session').then((answer) => answer.json())")["user"]["username"] == "ann"
    assert not [one for one in asked if "sb1." in one.split("#")[0]]
    assert page.evaluate("document.cookie") == ""


def test_a_link_of_somebody_else_logs_nobody_in_unasked(at_home: RunningStation, page_of: Callable[..., Any]) -> None:
    page = page_of(trusting=True)
    token = at_home.call("POST", "/api/pairing/move", {})[1]["token"]
    page.goto(f"{secure(at_home)}/pair#{token}~{'0' * 32}~%2Fyou")
    page.get_by_label("What is this device called?").wait_for()
    assert page.evaluate("fetch('/api/session').then((answer) => answer.status)") == 401
    assert page.url == f"{secure(at_home)}/#/pair"
    page.get_by_role("button", name="Pair").click()     # who wants it goes on all the same, and at that place
    page.get_by_role("button", name="Start listening").click()
    page.wait_for_url(f"{secure(at_home)}/#/you")


def test_the_secure_page_says_that_it_is_one(at_home: RunningStation, page_of: Callable[..., Any]) -> None:
    page = page_of(trusting=True)
    page.goto(f"{secure(at_home)}/trust")
    sync_api.expect(page.locator("#state-title")).to_have_text("The connection is encrypted")
    assert page.locator("#walk").is_hidden()
    page.get_by_text("My browser warned me").click()
    sync_api.expect(page.locator("section[data-system]:visible")).to_have_count(1)


def test_at_an_address_that_the_certificate_cannot_cover_it_leads_to_another(
    at_home: RunningStation, page_of: Callable[..., Any]
) -> None:
    page = page_of(trusting=True)

    def tell(route: Any) -> None:
        answer = route.fetch()
        told = {**answer.json(), "names": ["soundsible.local"], "addresses": ["192.168.1.20"]}
        route.fulfill(response=answer, json=told)

    page.route("**/trust/state", tell)
    page.goto(f"{plain(at_home)}/trust")
    sync_api.expect(page.locator("#state-title")).to_have_text("Open this page at another address")
    port = urlsplit(at_home.url).port
    assert [one.get_attribute("href") for one in page.locator("#elsewhere a").all()] == [
        f"http://soundsible.local:{port}/trust", f"http://192.168.1.20:{port}/trust"]


@pytest.mark.parametrize(("told", "title"), [
    ({"https": False, "own_authority": False}, "HTTPS is off"),
    ({"own_authority": False}, "Nothing has to be done here"),
])
def test_where_nothing_has_to_be_installed_it_says_so(
    at_home: RunningStation, page_of: Callable[..., Any], told: dict[str, bool], title: str
) -> None:
    page = page_of(trusting=True)

    def tell(route: Any) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), **told})

    page.route("**/trust/state", tell)
    page.goto(f"{plain(at_home)}/trust")
    sync_api.expect(page.locator("#title")).to_have_text(title)
    assert page.locator("#walk").is_hidden()


# ---- a stolen key, in a browser that trusts the station -------------------------------------------------------------


@contextmanager
def pretending(folder: Path, one: Signed) -> Iterator[int]:
    """A server with a certificate of the thief's; its port."""
    (folder / "stolen.crt").write_bytes(one.pem)
    (folder / "stolen.key").write_bytes(one.key_pem())
    speaking = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    speaking.load_cert_chain(folder / "stolen.crt", folder / "stolen.key")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                with suppress(OSError), speaking.wrap_socket(client, server_side=True) as secret:
                    secret.recv(4096)
                    secret.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nstolen")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


@pytest.mark.parametrize(("host", "held"), [("bank.example.com", False), ("localhost", True)])
def test_a_stolen_key_opens_no_site_outside(
    at_home: RunningStation, page_of: Callable[..., Any], tmp_path: Path, host: str, held: bool
) -> None:
    folder = at_home.home / "config" / "identity"
    authority = x509.load_pem_x509_certificate((folder / "authority.crt").read_bytes())
    stolen = sign(Signed(authority, Identity(folder=folder).key()), host, begins=datetime.now(UTC) - timedelta(days=1))
    page = page_of(trusting=True)
    with pretending(tmp_path, stolen) as port:
        if held:    # what it may speak for it does speak for: the refusal of the other is about its name
            assert page.goto(f"https://{host}:{port}/").text() == "stolen"
        else:
            with pytest.raises(sync_api.Error, match="ERR_CERT"):
                page.goto(f"https://{host}:{port}/")
