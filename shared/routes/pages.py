"""Send the pages beside the player: what an app needs (/connect), and what somebody was sent by a link (/share/…).

Open to everybody; no data in them. The first reads what stands behind the # of its link, which no browser sends, and
may ask for nothing at all; the second asks for its own share.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from flask import Blueprint, Response

from shared.routes.player import Files, sent

_CLOSED = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
CONNECT_POLICY = f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; {_CLOSED}"
SHARE_POLICY = (f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; "
                f"connect-src 'self'; {_CLOSED}")


def blueprint(*, folder: Path) -> Blueprint:
    """folder: the project's web/."""
    pages = Blueprint("pages", "shared.routes.pages")

    def page(place: str, address: str, policy: str) -> None:
        """The page in the folder `place` at `address`, with its script and its look."""
        files = Files(folder / place)

        def sends(name: str) -> Callable[..., Response]:
            return lambda **path: sent(files.get(name), {"Content-Security-Policy": policy})

        pages.add_url_rule(address, place, sends("index.html"))
        for ending in ("css", "js"):
            pages.add_url_rule(f"/{place}/{place}.{ending}", f"{place}_{ending}", sends(f"{place}.{ending}"))

    page("connect", "/connect", CONNECT_POLICY)
    page("share", "/share/<code>", SHARE_POLICY)
    return pages
