"""The API as a page of documentation: `python3 -m shared.routes.describe > docs/api.md`."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

_HEAD = """# The API

Every station describes itself: `/api/docs` is this page with all details, `/api/openapi.json` the OpenAPI 3.1 document
it is made of. Both come from the types that validate the requests. This page is written by
`python3 -m shared.routes.describe`.

Log in with `POST /api/session` and send the token as `Authorization: Bearer …`, or keep the cookie. Times are RFC 3339
UTC, durations `…_ms`, sizes `…_bytes`; lists are never null; ids are opaque and stay the same for ever. Every error is
`{"error": {"code", "message", "details"?}}`. Lists take `limit` (at most 500) and `cursor` or `offset`.

"""
_TAIL = """
## Live

Socket.IO at `/socket.io`, the token in `auth` or the cookie. On connect: `snapshot {seq, revision, scan, downloads,
errands}`. Then `library:changed {revision}`, `scan:progress`, `download:changed {download}`, `download:log {id, level,
at, message}`, `download:removed {id}`, `errand:changed {errand}`, `notice`, `devices:changed`, `playback:state` and
`playback:command` (between the devices of one person), each with `seq`, which counts what this client was told without
gaps from the snapshot's on. Downloads are told to who asked for them and to owners, errands to who may see files, each
at most twice a second. After a gap, ask `/api/library/changes?since=<revision>`.

The same without the playing devices' words comes as Server-Sent Events from `/api/downloads/manager/events`.
"""


def page(document: Mapping[str, Any]) -> str:
    """Markdown of an OpenAPI document: one table a tag, one row an operation."""
    rooms: dict[str, list[str]] = {}
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            answers = ", ".join(code for code in operation["responses"] if code.isdigit())
            said = " ".join(str(operation.get("summary") or "").split())
            row = f"| `{verb.upper()} {path}` | {said} | {answers} |"
            rooms.setdefault((operation.get("tags") or ["Other"])[0], []).append(row)
    titles = {one["name"]: one.get("description") or one["name"] for one in document.get("tags", ())}
    parts = [f"## {titles.get(room, room)}\n\n| call | | answers |\n|---|---|---|\n" + "\n".join(rows) + "\n"
             for room, rows in rooms.items()]
    return _HEAD + "\n".join(parts) + _TAIL


def current() -> str:
    """The page of this very program."""
    from flask import Flask

    from shared.feed import Feed
    from shared.routes.openapi import document
    from shared.routes.register import register
    from shared.settings import Settings

    class Anything:
        """Stands for every part of a station: describing asks none of them."""

        def __init__(self, settings: Settings | None = None) -> None:
            self.settings = settings

        def __getattr__(self, name: str) -> Any:
            return Anything()

        def __call__(self, *_: object, **__: object) -> Any:
            return Anything()

    with tempfile.TemporaryDirectory() as home:
        station = Anything(Settings(home=Path(home)))
        return page(document(register(Flask("description"), station, feed=cast(Feed, Anything()))))


if __name__ == "__main__":
    sys.stdout.write(current())
