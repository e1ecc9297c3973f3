"""The whole application with a real database, not started: every door is there, nobody works behind it.

Run as `python -m tests.holding.whole` it writes who may call what into docs/security.md.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask import Flask

from shared.api import create_app
from shared.model.person import ROLES, SCOPES
from shared.routes.operation import Operation
from shared.security.accounts import OPERATOR, new_token
from shared.security.passwords import Passwords
from shared.settings import Settings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "security.md"
PASSWORD = "correct horse battery"
BEGIN, END = "<!-- who may call what: written by python -m tests.holding.whole -->", "<!-- end -->"

# What is answered outside /api: pages and files that are the same for everybody, and nobody's data in them.
PAGES = {
    "/": "the player's page", "/sw.js": "its service worker", "/manifest.webmanifest": "its manifest",
    "/static/<path:name>": "its files", "/favicon.ico": "its picture", "/download-manager": "leads into the player",
    "/pair": "the player's page, for a sync token behind the #",
    "/trust": "walks through trusting the station's certificate", "/trust/trust.css": "its look",
    "/trust/trust.js": "its steps", "/trust/authority.crt": "the authority's certificate",
    "/trust/authority.pem": "as text", "/trust/soundsible.mobileconfig": "as a profile for Apple's devices",
    "/trust/here": "nothing at all, to see whether HTTPS works",
    "/connect": "shows what an app needs, from behind the #", "/connect/connect.css": "its look",
    "/connect/connect.js": "its steps", "/share/<code>": "plays what somebody was sent a link to",
    "/share/share.css": "its look", "/share/share.js": "its player",
}
# The one route outside /api whose callers bring a login of their own with each call: the OpenSubsonic API.
REST = "/rest/<name>"
# Who may use what over Socket.IO. From the client, then to it.
HEARD = {
    "connect": "open: answers only a session's cookie or a token, else refuses",
    "disconnect": "open",
    "playback:state": "logged_in: goes to the same person's other devices",
    "playback:command": "logged_in: goes to the same person's other devices",
}
TOLD = {
    "snapshot": "each what they may see", "library:changed": "everybody",
    "notice": "everybody, or whom it is for; what names files, who sees files",
    "scan:progress": "everybody; paths only who sees files", "devices:changed": "the person whose they are",
    "podcasts:changed": "everybody", "radio:now": "everybody",
    "jukebox:changed": "the person whose it is", "playing:changed": "everybody",
    "playback:state": "the person whose it is", "playback:command": "the person whose it is",
    "download:changed": "who asked for it, and owners", "download:log": "who asked for it, and owners",
    "download:removed": "who asked for it, and owners", "errand:changed": "who sees files",
}
# In words, and which roles may with which device; `limited` people see no files.
WORDS = {
    "open": "anybody, also without login",
    "logged_in": "everybody who is logged in, with any device",
    "own_account": "everybody, with a login of their own (no device that may only listen or add)",
    "sees_files": "owners and adults who see all folders, with a login of their own",
    "adds": "who may add music (owners and adults, unless it was said otherwise), not with a device that only listens",
    "shares": "owners and adults, not with a device that only listens",
    "edits": "who may edit (owners and adults, unless it was said otherwise), with a login of their own",
    "deletes": "who may delete (owners and adults, unless it was said otherwise), with a login of their own",
    "owns": "owners, with a login of their own",
}


def may(rule: str, role: str, scope: str) -> bool:
    """Who passes a rule, said anew here and not asked of the station. Of people of whom nothing else was said."""
    grown_up = role in ("owner", "adult")
    return {
        "open": True, "logged_in": True, "own_account": scope == "own", "sees_files": grown_up and scope == "own",
        "adds": grown_up and scope in ("own", "add"), "shares": grown_up and scope in ("own", "add"),
        "edits": grown_up and scope == "own",
        "deletes": grown_up and scope == "own", "owns": role == "owner" and scope == "own",
    }[rule]


@dataclass
class Whole:
    """The application, and a token for each role and scope: `tokens["adult", "listen"]`."""

    app: Flask
    tokens: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def station(self) -> Any:
        return self.app.extensions["station"]

    @property
    def operations(self) -> list[Operation]:
        return sorted(self.app.extensions["operations"], key=lambda one: (one.path, one.method))

    @property
    def calls(self) -> list[Any]:
        """Every call of the OpenSubsonic API, by name (shared.subsonic.calls.Call)."""
        rest: Any = self.app.view_functions["subsonic.rest"]
        by_name = next(cell.cell_contents for cell in rest.__closure__ if isinstance(cell.cell_contents, dict))
        return [by_name[name] for name in sorted(by_name)]

    def routes(self) -> list[tuple[str, str, str]]:
        """(method, path, endpoint) of all that Flask would answer."""
        return sorted((method, rule.rule, rule.endpoint) for rule in self.app.url_map.iter_rules()
                      for method in rule.methods or () if method != "HEAD")

    def ask(self, method: str, path: str, *, token: str | None = None, address: str = "127.0.0.1",
            **given: Any) -> Any:
        """The answer, closed unless it is `given` buffered=False."""
        headers = dict(given.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        answer = self.app.test_client(use_cookies=False).open(
            path, method=method, headers=headers, environ_overrides={"REMOTE_ADDR": address}, **given)
        answer.close()
        return answer


def whole(folder: Path, **more: Any) -> Whole:
    """In `folder`, with `more` settings; with an account for each role and a token for each of them with each scope."""
    settings = Settings(home=folder, scan_on_start=False, watch=False, mdns=False, requests_per_second=100_000,
                        **more)
    for place in (settings.config_dir, settings.data_dir, settings.cache_dir):
        place.mkdir(parents=True, exist_ok=True)
    made = Whole(create_app(settings))
    made.station.database.prepare()
    accounts, people = made.station.accounts, made.station.people
    accounts._passwords = Passwords(memory_kib=64)
    accounts.make_first_owner("owner", PASSWORD)
    for role in ROLES[1:]:
        accounts.make_user(OPERATOR, role, PASSWORD, role)
    for role in ROLES:
        for scope in SCOPES:
            token, digest = new_token()
            people.add_token(user_id=people.find_user(role).id, kind="session" if scope == "own" else "device",
                             hash=digest, name="x", scope=scope, expires_at=None, last_address="")
            made.tokens[role, scope] = token
    return made


def filled(path: str, value: str = "x") -> str:
    return re.sub(r"<[^>]+>", value, path)


def table(made: Whole) -> str:
    """Who may call what, as the page tells it."""
    lines = [BEGIN, ""]
    by_rule: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for one in made.operations:
        by_rule[one.allows][one.path].append(one.method)
    for rule, words in WORDS.items():
        if rule in by_rule:
            lines += [f"**`{rule}`**: {words}.", ""]
            lines += [f"- `{' '.join(methods)} {path}`" for path, methods in by_rule[rule].items()]
            lines += [""]
    lines += [f"**`{REST}`**, the OpenSubsonic API: who brings an app password with the call. No cookie and no other "
              "token counts here.", ""]
    calls: dict[str, list[str]] = defaultdict(list)
    for call in made.calls:
        calls[call.allows].append(call.name)
    lines += [f"- `{rule}`: {', '.join(calls[rule])}" for rule in WORDS if rule in calls] + [""]
    lines += ["**Pages and files**, open to everybody, with nobody's data in them.", ""]
    lines += [f"- `{path}`: {words}" for path, words in sorted(PAGES.items())]
    lines += ["", "**Socket.IO**, from the player.", ""]
    lines += [f"- `{event}`: {words}" for event, words in HEARD.items()]
    lines += ["", "**Socket.IO and Server-Sent Events**, to the player.", ""]
    lines += [f"- `{event}`: {words}" for event, words in TOLD.items()]
    return "\n".join([*lines, "", END])


def _pieces(text: str) -> Iterator[str]:
    before, _, rest = text.partition(BEGIN)
    yield before
    yield rest.partition(END)[2]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        told = table(whole(Path(folder)))
    text = PAGE.read_text("utf-8")
    before, after = _pieces(text)
    if BEGIN not in text:
        sys.exit(f"{PAGE.name} has no place for it: {BEGIN} … {END}")
    PAGE.write_text(before + told + after, "utf-8")


if __name__ == "__main__":
    main()
