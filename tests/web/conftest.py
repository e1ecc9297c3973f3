"""A real browser at a real station."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.web.browsing import DESKTOP

CHROMIUM = os.environ.get("CHROMIUM_PATH") or shutil.which("chromium") or "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking",
             "--autoplay-policy=no-user-gesture-required"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    sync_api.expect.set_options(timeout=10_000)
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def open_player(browser: Any, station: Any) -> Iterator[Callable[..., Any]]:
    """Opens the player, as the owner unless told otherwise; at the end nothing may have been complained of."""
    contexts: list[Any] = []
    complaints: list[str] = []

    def complain(message: Any) -> None:
        # A picture that is not there is an everyday answer; the browser logs it all the same.
        if message.type == "error" and "Failed to load resource" not in message.text:
            complaints.append(message.text)

    def opened(path: str = "/", *, size: dict[str, int] = DESKTOP, logged_in: bool = True, token: str | None = None,
               at: Any = station, **more: Any) -> Any:
        context = browser.new_context(viewport=size, **more)
        contexts.append(context)
        context.set_default_timeout(10_000)
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
