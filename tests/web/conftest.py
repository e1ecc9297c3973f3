"""A real browser at a real station."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.web.browsing import DESKTOP, PATIENCE_S

# The shell is Chromium without the windows that nobody sees here, for half the work; `run.py test` looks for both.
CHROMIUM = os.environ.get("CHROMIUM_PATH") or os.environ.get("SOUNDSIBLE_TEST_BROWSER") or shutil.which(
    "chromium-headless-shell") or shutil.which("chromium") or "/usr/bin/chromium"
# What the whole Chromium would draw around and beside a page: each of the first three is a page of its own a window.
# The others are Playwright's, which the last list of this name replaces.
NOT_NEEDED = ["WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "WebUIOmniboxFullPopup", "SpareRendererForSitePerProcess",
              "AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "HttpsUpgrades",
              "HttpsFirstBalancedModeAutoEnable", "LensOverlay", "MediaRouter", "PaintHolding",
              "ThirdPartyStoragePartitioning", "AvoidCorsURLLoaderRestartOnRedirect", "OptimizationHints",
              "NetworkTimeServiceQuerying", "AimEnabled", "PreconnectToSearch"]
# What these try has nothing to do with the service worker; each of their pages begins with a third less work without.
WITHOUT_WORKER = ("test_account", "test_away", "test_downloads", "test_people", "test_podcasts", "test_sharing")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking",
             "--autoplay-policy=no-user-gesture-required", f"--disable-features={','.join(NOT_NEEDED)}"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    sync_api.expect.set_options(timeout=PATIENCE_S * 1000)
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def open_player(browser: Any, station: Any, request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """Opens the player, as the owner unless told otherwise; at the end nothing may have been complained of."""
    contexts: list[Any] = []
    complaints: list[str] = []
    workers = "block" if request.path.stem in WITHOUT_WORKER else "allow"

    def complain(message: Any) -> None:
        # A picture that is not there is an everyday answer; the browser logs it all the same.
        if message.type == "error" and "Failed to load resource" not in message.text:
            complaints.append(message.text)

    def opened(path: str = "/", *, size: dict[str, int] = DESKTOP, logged_in: bool = True, token: str | None = None,
               at: Any = station, **more: Any) -> Any:
        context = browser.new_context(viewport=size, service_workers=workers, **more)
        contexts.append(context)
        context.set_default_timeout(PATIENCE_S * 1000)
        if logged_in:
            context.add_cookies([{"name": "soundsible_session", "value": token or at.login(), "url": at.url,
                                  "httpOnly": True, "sameSite": "Lax"}])
        page = context.new_page()
        page.on("console", complain)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(at.url + path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []
