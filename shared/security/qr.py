"""A text as a QR code: a picture for pages, and blocks for a terminal."""

from __future__ import annotations

import io


def svg(text: str) -> str:
    """An SVG element with a quiet margin, as large as its place; no styles in it, so that every page may show it."""
    import segno

    return segno.make(text, error="l", micro=False).svg_inline(
        border=4, omitsize=True, light="#fff", svgclass=None, lineclass=None)


def terminal(text: str) -> list[str]:
    """The lines of it."""
    import segno

    picture = io.StringIO()
    segno.make(text, error="l", micro=False).terminal(out=picture, compact=True, border=2)
    return picture.getvalue().rstrip("\n").split("\n")
