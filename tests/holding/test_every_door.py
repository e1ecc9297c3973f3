"""Every door of the station, as it is built: who may use it is decided, and nobody else gets in.

The routes and events are asked of the application itself: a new one without a decision fails here.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from shared.model.person import ROLES, SCOPES
from shared.routes.guard import SAFE_METHODS
from shared.routes.operation import RULES, Operation
from shared.security.accounts import OPERATOR
from tests.holding.whole import HEARD, PAGE, PAGES, PASSWORD, REST, TOLD, WORDS, Whole, filled, may, table

ROOT = Path(__file__).resolve().parents[2]
EVERYBODY = [(role, scope) for role in ROLES for scope in SCOPES]
# Whoever passes the guard is stopped by this before anything happens.
UNKNOWN = {"no such field": 1}
# What is open without login: contracts name them, and each is here by decision.
OPEN = {
    ("GET", "/api/health"), ("GET", "/api/session"), ("POST", "/api/session"), ("DELETE", "/api/session"),
    ("GET", "/api/setup"), ("POST", "/api/setup"),
}
MAY_BE_OPEN = {     # the same for everybody, or itself the way in
    ("POST", "/api/pairing/claim"), ("GET", "/api/invitations/<code>"), ("POST", "/api/invitations/<code>/accept"),
    ("GET", "/login/ways"), ("POST", "/login/proxy"), ("GET", "/login/oidc"),
    ("GET", "/login/oidc/callback"), ("GET", "/trust/state"),
    ("GET", "/share/<code>/about"), ("GET", "/share/<code>/stream/<n>"), ("GET", "/share/<code>/cover/<n>"),
    ("GET", "/rest/picture/<id>/<size>/<signature>"),
}


def _knock(made: Whole, one: Operation, token: str | None, **given: Any) -> Any:
    """Ask without anything coming of it."""
    if one.method != "GET":
        given.setdefault("json", UNKNOWN)
    return made.ask(one.method, filled(one.path), token=token, **given)


def test_every_route_has_a_decision_who_may_call_it(made: Whole) -> None:
    decided = {(one.method, one.path, one.endpoint): one.allows for one in made.operations}
    undecided = [route for route in made.routes()
                 if route not in decided and route[1] not in PAGES and route[1] != REST]
    assert not undecided, "declare who may (a Door's `allows`), or name it in PAGES of tests/holding/whole.py"
    assert set(decided) <= set(made.routes())
    assert set(decided.values()) <= set(RULES)
    assert set(RULES) <= set(WORDS)
    assert not [path for path in PAGES if path.startswith("/api")]
    assert set(PAGES) <= {path for _, path, _ in made.routes()}
    assert all(method == "GET" for method, path, _ in made.routes() if path in PAGES)


def test_what_is_open_was_decided_to_be_open(made: Whole) -> None:
    there = {(one.method, one.path) for one in made.operations if one.allows == "open"}
    assert there >= OPEN
    assert there - OPEN <= MAY_BE_OPEN


def test_every_socket_event_has_a_decision_who_may_use_it(made: Whole) -> None:
    server = made.app.extensions["socketio"].server
    assert set(server.handlers) == {"/"}
    assert set(server.handlers["/"]) == set(HEARD)
    assert not server.namespace_handlers
    told = {"snapshot", "playback:command"}
    for name in ("feed", "sockets"):
        text = (ROOT / "shared" / f"{name}.py").read_text("utf-8")
        told |= set(re.findall(r'(?:_tell|_message)\(\s*"([a-z:]+)"', text))
    assert told == set(TOLD)


def test_each_role_with_each_app_password_calls_what_it_may_and_nothing_else(made: Whole) -> None:
    calls = made.calls
    assert len(calls) > 60 and {call.allows for call in calls} <= set(RULES)
    assert [call.name for call in calls if call.allows == "open"] == ["getOpenSubsonicExtensions"]
    refused = 0
    for role, scope in EVERYBODY:
        person = made.station.people.find_user(role)
        key = made.station.app_passwords.create(OPERATOR, "x", scope=scope, user_id=person.id)
        for call in calls:
            if not may(call.allows, role, scope):   # what they may is done in tests/subsonic; here nothing shall be
                for method in ("GET", "POST"):
                    told = made.ask(method, f"/rest/{call.name}?f=json&apiKey={key.secret}").json
                    assert told["subsonic-response"]["error"]["code"] == 50, (role, scope, call.name)
                    refused += 1
        made.station.app_passwords.revoke(OPERATOR, key.id)
    assert refused > 50


def test_the_opensubsonic_api_lets_nobody_in_by_cookie_or_token(made: Whole) -> None:
    token = made.tokens["owner", "own"]
    for call in made.calls:
        if call.allows != "open":
            for headers in ({"Authorization": f"Bearer {token}"}, {"Cookie": f"soundsible_session={token}"}):
                told = made.ask("GET", f"/rest/{call.name}?f=json", headers=headers).json
                assert told["subsonic-response"]["error"]["code"] == 10, call.name


def test_the_page_tells_who_may_call_what(made: Whole) -> None:
    assert table(made) in PAGE.read_text("utf-8"), "run python -m tests.holding.whole"


def test_strangers_get_in_nowhere_but_where_it_is_open(made: Whole) -> None:
    for one in made.operations:
        answer = _knock(made, one, None)
        if one.allows == "open":
            assert answer.status_code < 500, (one.method, one.path, answer.data)
            continue
        assert answer.status_code == 401, (one.method, one.path)
        assert answer.json["error"]["code"] == "not_logged_in"


@pytest.mark.parametrize(("role", "scope"), EVERYBODY)
def test_each_role_with_each_device_gets_where_it_may_and_nowhere_else(made: Whole, role: str, scope: str) -> None:
    token = made.tokens[role, scope]
    for one in made.operations:
        if one.method == "GET" and may(one.allows, role, scope):
            continue        # what they may read is read in tests/fuzzing; here nothing shall be fetched
        answer = _knock(made, one, token)
        if may(one.allows, role, scope):
            assert answer.status_code not in (401, 500), (one.method, one.path, answer.data)
            assert answer.status_code != 403 or one.allows in ("open", "logged_in"), (one.method, one.path)
        else:
            assert answer.status_code == 403, (one.method, one.path, answer.status_code)
            assert answer.json["error"]["code"] == "forbidden"


def test_the_rules_decide_as_they_were_written_down(made: Whole) -> None:
    accounts = made.station.accounts
    for (role, scope), token in made.tokens.items():
        person = accounts.who(token)
        for rule, passes in RULES.items():
            assert passes(person) is may(rule, role, scope), (rule, role, scope)


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "[::1].evil", ""])
def test_a_foreign_name_opens_no_door(made: Whole, host: str) -> None:
    """A page that rebinds its own name to this machine brings that name along."""
    owner = made.tokens["owner", "own"]
    for method, path, _ in made.routes():
        answer = made.ask(method, filled(path), token=owner, headers={"Host": host})
        assert answer.status_code == 421, (method, path)
    assert made.ask("GET", "/socket.io/?EIO=4&transport=polling", headers={"Host": host}).status_code == 421


FOREIGN = [
    {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"}, {"Referer": "https://evil.example/page"}, {"Origin": "http://localhost:1"},
]


@pytest.mark.parametrize("foreign", FOREIGN, ids=lambda one: "-".join(next(iter(one.items()))))
def test_another_site_s_page_changes_nothing(made: Whole, foreign: dict[str, str]) -> None:
    for one in made.operations:
        if one.method in SAFE_METHODS:
            continue
        for token in (None, made.tokens["owner", "own"]):
            answer = made.ask(one.method, filled(one.path), token=token, headers=foreign, json={})
            assert answer.status_code == 403, (one.method, one.path)


@pytest.mark.parametrize("kind", [
    "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonp",
    "text/plain; application/json", "application/json; charset=utf-7",
])
def test_what_a_form_of_any_site_can_send_changes_nothing(made: Whole, kind: str) -> None:
    for one in made.operations:
        if one.method not in SAFE_METHODS:
            answer = made.ask(one.method, filled(one.path), token=made.tokens["owner", "own"], data=b'{"a": 1}',
                              headers={"Content-Type": kind})
            assert answer.status_code == 415, (one.method, one.path)


def test_no_route_changes_anything_on_a_safe_method(made: Whole) -> None:
    """A link, a picture or a prefetch of any site may send GET with the cookie."""
    before = made.station.database.data_version(), made.station.changes.current()
    rows = _rows(made)
    for one in made.operations:
        if one.method == "GET" and not one.path.startswith(("/api/acquire", "/api/downloads/manager/events")):
            made.ask("GET", filled(one.path), token=made.tokens["owner", "own"])
    assert (made.station.database.data_version(), made.station.changes.current()) == before
    assert _rows(made) == rows


def _rows(made: Whole) -> dict[str, int]:
    from sqlalchemy import text

    with made.station.database.read() as conn:
        names = [row[0] for row in conn.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'"))]
        return {name: conn.execute(text(f'SELECT count(*) FROM "{name}"')).scalar_one() for name in names
                if name != "audit" and not name.startswith("sqlite_")}


def test_no_door_invites_pages_of_other_sites(made: Whole) -> None:
    """But for /rest, where no cookie counts: players that are pages of other sites bring their login with each call."""
    for method, path, _ in made.routes():
        if path == REST:
            continue
        answer = made.ask("OPTIONS", filled(path), token=made.tokens["owner", "own"], headers={
            "Origin": "https://evil.example", "Access-Control-Request-Method": method})
        assert not [name for name, _ in answer.headers if name.lower().startswith("access-control")], path
        assert answer.status_code in (404, 405), path


def test_every_answer_is_dressed_and_no_page_runs_what_stands_in_it(made: Whole) -> None:
    for method, path, _ in made.routes():
        if method != "GET" or path == "/api/downloads/manager/events" or path.startswith("/api/acquire"):
            continue
        headers = made.ask("GET", filled(path), token=made.tokens["owner", "own"]).headers
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'"), path
        assert "unsafe" not in policy and "*" not in policy, path
        assert "frame-ancestors 'none'" in policy, path
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert headers["Referrer-Policy"] == "no-referrer", path
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin" or path in ("/trust/here", REST), path
        assert "Server" not in headers or "Python" not in headers["Server"], path


def test_pages_of_ours_have_nothing_inline() -> None:
    pages = [*(ROOT / "web").rglob("*.html"), *(ROOT / "shared").rglob("*.html")]
    assert len(pages) >= 2
    for page in pages:
        if "node_modules" in page.parts:
            continue
        text = page.read_text("utf-8")
        assert not re.search(r"<script(?![^>]*\bsrc=)", text), page
        assert not re.search(r"<[a-z][^>]*\s(?:style|on[a-z]+)\s*=", text), page
        assert "<style" not in text and "javascript:" not in text, page
        assert not re.search(r'\b(?:src|href|action)="(?:https?:)?//', text), page


def test_another_person_s_things_are_not_there(made: Whole) -> None:
    """Whoever asks for an object by its id is its owner, or hears that there is none: a child asks for the owner's."""
    token = made.tokens["owner", "own"]
    mine = made.ask("POST", "/api/library/playlists", token=token, json={"name": "private"}).json["id"]
    try:
        for method, path, body in [
            ("GET", f"/api/library/playlists/{mine}", None), ("PATCH", f"/api/library/playlists/{mine}", {"name": "x"}),
            ("DELETE", f"/api/library/playlists/{mine}", None),
            ("POST", f"/api/library/playlists/{mine}/tracks", {"track_ids": []}),
        ]:
            for role in ("adult", "child", "guest"):
                given = {} if body is None else {"json": body}
                assert made.ask(method, path, token=made.tokens[role, "own"], **given).status_code in (404, 405), path
        assert made.ask("GET", f"/api/library/playlists/{mine}", token=token).status_code == 200
    finally:
        made.ask("DELETE", f"/api/library/playlists/{mine}", token=token)


def test_no_rule_is_left_to_the_person_s_name(made: Whole) -> None:
    """A token of somebody removed opens nothing, at once."""
    accounts, people = made.station.accounts, made.station.people
    gone = accounts.make_user(OPERATOR, "gone", PASSWORD, "owner")
    token = accounts.login("gone", PASSWORD).token
    assert made.ask("GET", "/api/users", token=token).status_code == 200
    accounts.remove_user(OPERATOR, gone.id)
    assert made.ask("GET", "/api/users", token=token).status_code == 401
    assert people.find_user("gone") is None
