"""Who may: every route has a rule, nothing under /api answers strangers, no other site's page changes anything."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from shared.routes.guard import SAFE_METHODS
from shared.routes.operation import RULES
from tests.routes.fakes import FakeStation, bearer, make_app

OPEN = {    # contracts.md: /health, /session, the first set-up, a sync token brought back; other ways in; what to trust
    ("POST", "/api/pairing/claim"), ("GET", "/api/invitations/<code>"), ("POST", "/api/invitations/<code>/accept"),
    ("GET", "/login/ways"), ("POST", "/login/proxy"), ("GET", "/login/oidc"),
    ("GET", "/login/oidc/callback"), ("GET", "/trust/state"),
    ("GET", "/share/<code>/about"), ("GET", "/share/<code>/stream/<n>"), ("GET", "/share/<code>/cover/<n>"),
    ("GET", "/api/health"), ("POST", "/api/session"), ("GET", "/api/session"), ("DELETE", "/api/session"),
    ("GET", "/api/setup"), ("POST", "/api/setup"),
}
# Who is refused what; everything else is for everybody who is logged in.
FOR_EDITORS = {
    ("PATCH", "/api/library/tracks/<id>"), ("POST", "/api/library/scan"),
    ("DELETE", "/api/downloads/doubtful/<track_id>"), ("POST", "/api/storage/errands"),
    ("DELETE", "/api/storage/errands/<id>"), ("POST", "/api/storage/errands/<id>/retry"),
    ("PUT", "/api/storage/pins/<kind>/<id>"), ("DELETE", "/api/storage/pins/<kind>/<id>"),
    ("POST", "/api/radios"), ("PATCH", "/api/radios/<id>"), ("DELETE", "/api/radios/<id>"),
}
FOR_WHO_SHARES = {("POST", "/api/shares"), ("PATCH", "/api/shares/<id>"), ("DELETE", "/api/shares/<id>")}
ADDING_PODCASTS = {
    ("POST", "/api/podcasts"), ("POST", "/api/podcasts/refresh"), ("POST", "/api/podcasts/opml"),
    ("PATCH", "/api/podcasts/<id>"), ("DELETE", "/api/podcasts/<id>"), ("POST", "/api/episodes/<id>/download"),
    ("DELETE", "/api/episodes/<id>/download"),
}
FOR_WHO_DELETES = {
    ("DELETE", "/api/library/tracks/<id>"), ("GET", "/api/library/trash"),
    ("POST", "/api/library/trash/<id>/restore"), ("DELETE", "/api/library/trash/<id>"),
}
FOR_OWNERS = {
    ("GET", "/api/library/folders"),
    ("DELETE", "/api/users/<id>/second-factor"), ("GET", "/api/invitations"), ("POST", "/api/invitations"),
    ("DELETE", "/api/invitations/<code>"),
    ("GET", "/api/users"), ("POST", "/api/users"), ("GET", "/api/users/<id>"), ("PATCH", "/api/users/<id>"),
    ("DELETE", "/api/users/<id>"), ("GET", "/api/settings"), ("POST", "/api/library/roots"),
    ("DELETE", "/api/library/roots"), ("POST", "/api/library/missing/purge"),
    ("POST", "/api/storage/cache/clear"), ("GET", "/api/audit"),
}
FOR_WHO_SEES_FILES = {
    ("GET", "/api/library/roots"), ("GET", "/api/storage"), ("GET", "/api/storage/errands"),
    ("GET", "/api/storage/errands/<id>"), ("GET", "/api/storage/pins"), ("GET", "/api/storage/places/<track_id>"),
}
FOR_THE_OWN_ACCOUNT = {     # no device that may only listen or add
    ("POST", "/api/me/password"), ("POST", "/api/me/identity"), ("DELETE", "/api/me/identity"),
    ("POST", "/api/me/second-factor"), ("POST", "/api/me/second-factor/confirm"), ("DELETE", "/api/me/second-factor"),
    ("POST", "/api/pairing/tokens"), ("GET", "/api/pairing/tokens"), ("DELETE", "/api/pairing/tokens/<id>"),
    ("PATCH", "/api/devices/<id>"), ("GET", "/api/sessions"), ("DELETE", "/api/sessions"),
    ("DELETE", "/api/sessions/<id>"), ("GET", "/api/stations"), ("POST", "/api/stations"),
    ("DELETE", "/api/stations/<id>"), ("GET", "/api/stations/<id>/library"), ("POST", "/api/stations/<id>/copy"),
    ("POST", "/api/import"),
    ("GET", "/api/app-passwords"), ("POST", "/api/app-passwords"), ("DELETE", "/api/app-passwords/<id>"),
    ("GET", "/api/scrobblers"), ("PUT", "/api/scrobblers/listenbrainz"), ("PUT", "/api/scrobblers/lastfm"),
    ("POST", "/api/scrobblers/lastfm/begin"), ("DELETE", "/api/scrobblers/<service>"),
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    return make_app(FakeStation(tmp_path_factory.mktemp("music"), allowed_hosts=("music.example",)))


def routes(app: Flask) -> list[tuple[str, str, str]]:
    """(method, path, endpoint) of all that Flask would answer."""
    return [(method, rule.rule, rule.endpoint) for rule in app.url_map.iter_rules()
            for method in sorted(rule.methods or ()) if method != "HEAD"]


def client(app: Flask) -> FlaskClient:
    return app.test_client(use_cookies=False)   # else its own jar takes the place of a Cookie header


def filled(path: str) -> str:
    return re.sub(r"<[^>]+>", "x", path)


def test_every_route_under_api_declares_its_rule(app: Flask) -> None:
    declared = {(one.method, one.path, one.endpoint): one.allows for one in app.extensions["operations"]}
    there = {route for route in routes(app) if route[1].startswith("/api")}
    assert there == {one for one in declared if one[1].startswith("/api")}
    assert set(declared.values()) <= set(RULES)
    rule_of = {(method, path): rule for (method, path, _), rule in declared.items()}
    assert {route for route, rule in rule_of.items() if rule == "open"} == OPEN
    assert {route for route, rule in rule_of.items() if rule == "edits"} == FOR_EDITORS
    assert {route for route, rule in rule_of.items() if rule == "deletes"} == FOR_WHO_DELETES
    assert {route for route, rule in rule_of.items() if rule == "owns"} == FOR_OWNERS
    for (method, path), rule in rule_of.items():
        adding = path.startswith(("/api/downloads", "/api/acquire", "/api/watches")) and rule != "edits"
        assert (rule == "adds") is (adding or (method, path) in ADDING_PODCASTS), (method, path)
    assert {route for route, rule in rule_of.items() if rule == "shares"} == FOR_WHO_SHARES
    assert {route for route, rule in rule_of.items() if rule == "sees_files"} == FOR_WHO_SEES_FILES
    assert {route for route, rule in rule_of.items() if rule == "own_account"} == FOR_THE_OWN_ACCOUNT


def test_what_is_outside_api_is_the_player_and_the_way_in_alone(app: Flask) -> None:
    assert {(method, path) for method, path, _ in routes(app) if not path.startswith("/api")} == {
        ("GET", "/"), ("GET", "/sw.js"), ("GET", "/manifest.webmanifest"), ("GET", "/static/<path:name>"),
        ("GET", "/favicon.ico"), ("GET", "/download-manager"), ("GET", "/pair"),
        ("GET", "/trust"), ("GET", "/trust/trust.css"), ("GET", "/trust/trust.js"), ("GET", "/trust/authority.crt"),
        ("GET", "/trust/authority.pem"), ("GET", "/trust/soundsible.mobileconfig"), ("GET", "/trust/here"),
        ("GET", "/trust/state"), ("GET", "/login/ways"), ("POST", "/login/proxy"), ("GET", "/login/oidc"),
        ("GET", "/login/oidc/callback"),
        ("GET", "/connect"), ("GET", "/connect/connect.css"), ("GET", "/connect/connect.js"),
        ("GET", "/share/<code>"), ("GET", "/share/share.css"), ("GET", "/share/share.js"),
        ("GET", "/share/<code>/about"), ("GET", "/share/<code>/stream/<n>"), ("GET", "/share/<code>/cover/<n>"),
    }


def test_beneath_api_only_what_was_promised_is_open(app: Flask) -> None:
    assert {path for _, path in OPEN if path.startswith("/api")} == {
        "/api/health", "/api/session", "/api/setup", "/api/pairing/claim", "/api/invitations/<code>",
        "/api/invitations/<code>/accept",
    }


def test_strangers_get_401_from_every_route_that_is_not_open(app: Flask) -> None:
    for method, path, _ in routes(app):
        if path.startswith("/api") and (method, path) not in OPEN:
            answer = client(app).open(filled(path), method=method)
            assert answer.status_code == 401, (method, path)
            assert answer.json["error"]["code"] == "not_logged_in"
            assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("path", [
    "/api", "/api/", "/api/nothing", "/api/library", "/api/library/tracks/x/y/z", "/api//library/tracks",
    "/api/%2e%2e/", "/api/openapi.json", "/api/docs", "/api/library/../session/x",
])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"])
def test_strangers_cannot_tell_what_exists(app: Flask, path: str, method: str) -> None:
    assert client(app).open(path, method=method).status_code == 401


@pytest.mark.parametrize("headers", [
    {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer "}, {"Authorization": "Bearer"},
    {"Authorization": "Basic YW5uLXRva2Vu"}, {"Authorization": "ann-token"}, {"Cookie": "soundsible_session="},
    {"Cookie": "soundsible_session=wrong"}, {"Cookie": "session=ann-token"},
    {"Authorization": "Bearer wrong", "Cookie": "soundsible_session=ann-token"},
])
def test_a_wrong_token_is_no_token(app: Flask, headers: dict[str, str]) -> None:
    assert client(app).get("/api/library/tracks", headers=headers).status_code == 401


@pytest.mark.parametrize("headers", [
    {"Authorization": "Bearer ann-token"}, {"Authorization": "bearer  ann-token "},
    {"Cookie": "soundsible_session=ann-token"},
    {"Authorization": "Basic eDp5", "Cookie": "soundsible_session=ann-token"},
])
def test_a_bearer_token_or_the_cookie_logs_in(app: Flask, headers: dict[str, str]) -> None:
    assert client(app).get("/api/library/tracks", headers=headers).status_code == 200


def test_each_rule_refuses_whom_it_must(app: Flask) -> None:
    allowed = {
        "ann-token": FOR_EDITORS | FOR_OWNERS | FOR_WHO_SEES_FILES | FOR_THE_OWN_ACCOUNT,
        "ben-token": FOR_EDITORS | FOR_WHO_SEES_FILES | FOR_THE_OWN_ACCOUNT,
        "kid-token": FOR_THE_OWN_ACCOUNT,
        "ear-token": set(),     # an owner's device that may only listen
    }
    for token, may in allowed.items():
        for method, path in FOR_EDITORS | FOR_OWNERS | FOR_WHO_SEES_FILES | FOR_THE_OWN_ACCOUNT:
            # An unknown field: whoever passes the guard is stopped by the body, before anything happens.
            answer = client(app).open(filled(path), method=method, headers=bearer(token),
                                            json={"no such field": 1} if method != "GET" else None)
            assert (answer.status_code != 403) is ((method, path) in may), (token, method, path)


def test_only_who_may_add_music_asks_for_it_or_sees_what_was_asked_for(app: Flask) -> None:
    adding = [(one.method, one.path) for one in app.extensions["operations"] if one.allows == "adds"]
    assert ("POST", "/api/downloads") in adding
    for token, may in {"ann-token": True, "ben-token": True, "kid-token": False, "ear-token": False}.items():
        for method, path in adding:
            answer = client(app).open(filled(path), method=method, headers=bearer(token),
                                      json={"no such field": 1} if method != "GET" else None)
            assert (answer.status_code != 403) is may, (token, method, path)
            answer.close()


def test_the_logged_in_get_404_and_405_as_error_objects(app: Flask) -> None:
    missing = client(app).get("/api/nothing", headers=bearer())
    assert (missing.status_code, missing.json["error"]["code"]) == (404, "not_found")
    wrong = client(app).put("/api/library/scan", headers=bearer())
    assert (wrong.status_code, wrong.json["error"]["code"]) == (405, "method_not_allowed")
    assert wrong.headers["Allow"] == "GET, HEAD, POST"


def test_a_defect_is_told_by_a_number_alone(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    answer = client(app).get("/api/library/albums/broken", headers=bearer())
    error = answer.json["error"]
    assert (answer.status_code, error["code"]) == (500, "internal")
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    assert error["details"]["id"] in caplog.text
    assert "ZeroDivisionError" in caplog.text


# ---- other sites' pages --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", [
    "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", "a b", "2130706433",
])
@pytest.mark.parametrize("path", ["/", "/static/app.js", "/api/health", "/api/library/tracks", "/nothing"])
def test_a_foreign_host_gets_nothing_whatever_it_asks(app: Flask, host: str, path: str) -> None:
    answer = client(app).get(path, headers={**bearer(), "Host": host})
    assert answer.status_code == 421
    assert answer.json["error"]["code"] == "misdirected"


@pytest.mark.parametrize("host", ["localhost", "localhost:5005", "127.0.0.1:5005", "192.168.1.5", "[::1]:5005",
                                  "music.example", "soundsible.local:5005"])
def test_the_own_names_and_addresses_are_answered(app: Flask, host: str) -> None:
    assert client(app).get("/api/health", headers={"Host": host}).status_code == 200


FOREIGN = [
    {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"}, {"Origin": "http://localhost:9999"}, {"Referer": "http://evil.example/page"},
]


@pytest.mark.parametrize("foreign", FOREIGN)
@pytest.mark.parametrize("credentials", [{}, {"Cookie": "soundsible_session=ann-token"}, bearer()])
def test_another_sites_page_changes_nothing(app: Flask, foreign: dict[str, str], credentials: dict[str, str]) -> None:
    for method, path, _ in routes(app):
        if method not in SAFE_METHODS:
            answer = client(app).open(filled(path), method=method, json={}, headers={**credentials, **foreign})
            assert answer.status_code == 403, (method, path)


@pytest.mark.parametrize("own", [
    {"Origin": "http://localhost"}, {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"},
    {"Sec-Fetch-Site": "none"}, {"Referer": "http://localhost/"}, {},
])
def test_the_own_page_and_programs_may(app: Flask, own: dict[str, str]) -> None:
    answer = client(app).post("/api/library/playlists", json={"name": "x"},
                                    headers={"Cookie": "soundsible_session=ann-token", **own})
    assert answer.status_code == 201


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
@pytest.mark.parametrize("body", [b"", b'{"name": "x"}'])
@pytest.mark.parametrize("credentials", [{}, {"Cookie": "soundsible_session=ann-token"}, bearer()])
def test_what_a_form_can_send_changes_nothing(app: Flask, kind: str, body: bytes, credentials: dict[str, str]) -> None:
    for method, path, _ in routes(app):
        if method not in SAFE_METHODS:
            answer = client(app).open(filled(path), method=method, data=body,
                                            headers={**credentials, "Content-Type": kind})
            assert answer.status_code == 415, (method, path)


@pytest.mark.parametrize(("told", "status"), [((), 204), ((("Content-Type", "text/plain"),), 415)])
def test_a_content_type_that_the_server_made_up_is_none(app: Flask, told: Any, status: int) -> None:
    answer = client(app).delete("/api/library/playlists/x", headers=bearer(), environ_overrides={
        "CONTENT_TYPE": "text/plain", "headers_raw": told})
    assert answer.status_code == status


def test_no_answer_invites_other_sites(app: Flask) -> None:
    for path in ("/", "/api/health", "/api/library/tracks", "/api/nothing"):
        answer = client(app).get(path, headers={**bearer(), "Origin": "http://evil.example"})
        assert not [name for name, _ in answer.headers if name.lower().startswith("access-control")]


def test_every_answer_carries_the_headers_that_protect_it(app: Flask) -> None:
    for path in ("/", "/static/core/api.js", "/static/none.js", "/nothing", "/api/health", "/api/x", "/api/docs"):
        answer = client(app).get(path, headers=bearer())
        assert answer.status_code in (200, 404)
        headers = answer.headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy


def test_the_page_of_the_player_has_nothing_inline() -> None:
    page = (Path(__file__).resolve().parents[2] / "web" / "index.html").read_text("utf-8")
    docs = (Path(__file__).resolve().parents[2] / "shared" / "routes" / "docs" / "docs.html").read_text("utf-8")
    for text in (page, docs):
        assert not re.search(r"<script(?![^>]*\bsrc=)", text)
        assert not re.search(r"\s(style|on\w+)=", text)
        assert "<style" not in text
        assert not re.search(r'(?:src|href)="(?:https?:)?//', text)


def test_the_cookie_is_kept_from_scripts_and_other_sites(app: Flask) -> None:
    def cookie(**environ: Any) -> str:
        answer = client(app).post("/api/session", json={"username": "ann", "password": "correct horse battery"},
                                        **environ)
        return str(answer.headers["Set-Cookie"])

    plain = cookie()
    assert "soundsible_session=ann-token" in plain
    for attribute in ("HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=3600"):
        assert attribute in plain
    assert "Secure" not in plain
    assert "Domain" not in plain
    assert "Secure" in cookie(base_url="https://localhost")


@pytest.mark.parametrize("query", ["limit=2\xff", "limit=2&q=\xc3\xa9", "limit=2&q=\xe9\xff\x00", "\xed\xa0\x80=1"])
def test_any_byte_may_stand_in_a_query(app: Flask, query: str) -> None:
    """Servers pass them on as they came; what is not UTF-8 was an error of the station's once."""
    for path in ("/api/library/tracks", "/api/library/search", "/api/library/changes"):
        answer = client(app).get(path, headers=bearer(), environ_overrides={"QUERY_STRING": query})
        assert answer.status_code < 500, path
