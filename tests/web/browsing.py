"""What the browser tests share: screens, what only a page can be asked, and waiting for it."""

from __future__ import annotations

import time
from typing import Any

DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}

# The element that is heard, and where it is.
PLAYING = "[...document.querySelectorAll('audio')].find((a) => !a.paused)"
HEARD = f"({PLAYING}?.currentTime ?? -1)"
SOURCE = f"({PLAYING}?.src ?? '')"

# What only a browser can be asked.
TELL_VIOLATIONS = """addEventListener('securitypolicyviolation',
    (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`))"""
TOO_WIDE = "[document.documentElement, document.querySelector('main')].map((el) => el.scrollWidth - el.clientWidth)"
NAMELESS = """[...document.querySelectorAll('main a[href], main button')]
    .filter((el) => el.offsetParent && !el.textContent.trim() && !el.getAttribute('aria-label'))
    .map((el) => el.outerHTML.slice(0, 80))"""
KEPT_THAT_SHOULD_NOT_BE = """caches.keys().then(async (names) => {
    const kept = [];
    for (const name of names) kept.push(...await (await caches.open(name)).keys());
    return kept.map((one) => new URL(one.url).pathname).filter((path) => /^\\/api\\/(?!covers)/.test(path));
})"""
PAGES = ["/", "/library/albums", "/library/artists", "/library/tracks", "/library/genres", "/library/playlists",
         "/favourites", "/search?q=b", "/downloads", "/downloads/watches", "/downloads/sources",
         "/you", "/you/folders", "/you/missing", "/you/trash",
         "/you/bad", "/you/storage", "/you/people", "/you/addresses", "/you/password", "/you/devices", "/you/install",
         "/you/second-factor", "/you/log", "/you/things", "/you/stations", "/you/apps",
         "/you/shares", "/you/scrobbling", "/podcasts", "/radio", "/no/such/page"]


# What never comes true is told late; what comes late on a busy machine is no failure.
PATIENCE_S = 40


def until(page: Any, expression: str, timeout_s: float = PATIENCE_S) -> None:
    """Waits for `expression` (Playwright's own waiting evaluates text in the page, which its policy forbids)."""
    deadline = time.monotonic() + timeout_s
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, f"never came true: {expression}"
        page.wait_for_timeout(30)


def play_first_album(page: Any) -> list[str]:
    """Opens an album from the library and plays it; its titles in order."""
    page.goto(page.url.split("#")[0] + "#/library/albums")
    page.locator("sb-list .card:not(.to-come) .card-link").first.click()
    page.locator(".hero .button-main").click()
    until(page, f"{HEARD} > 0")
    return [text.strip() for text in page.locator("view-album .row-play").evaluate_all(
        "rows => rows.map((row) => row.getAttribute('title'))")]
