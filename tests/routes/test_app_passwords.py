"""App passwords over HTTP: made with a code to scan, listed without what they are, revoked."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.holding.whole import Whole, whole


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    one = whole(tmp_path_factory.mktemp("apps"), https=False, download_providers=(), download_catalogues=())
    yield one
    one.station.database.close()


def test_it_is_shown_once_with_all_that_an_app_needs(made: Whole) -> None:
    token = made.tokens["child", "own"]
    answer = made.ask("POST", "/api/app-passwords", token=token, json={"name": "Phone", "scope": "listen"},
                      headers={"Host": "localhost:5005"})
    told = answer.json
    assert answer.status_code == 201 and answer.headers["Cache-Control"].startswith(("no-store", "private, no-store"))
    link = urlsplit(told["link"])
    assert link.path == "/connect" and parse_qs(link.fragment) == {
        "server": [told["server"]], "username": ["child"], "password": [told["app_password"]]}
    assert told["qr"].startswith("<svg") and told["server"] == told["servers"][0]
    assert "http://localhost:5005" in told["servers"]
    listed = made.ask("GET", "/api/app-passwords", token=token)
    assert [(one["id"], one["name"], one["scope"]) for one in listed.json["items"]] == [(told["id"], "Phone", "listen")]
    assert told["app_password"].encode() not in listed.data
    pinged = made.ask("GET", f"/rest/ping?f=json&apiKey={told['app_password']}").json
    assert pinged["subsonic-response"]["status"] == "ok"
    used = made.ask("GET", "/api/app-passwords", token=token).json["items"][0]
    assert used["last_used_at"] and used["last_address"] == "127.0.0.1"
    other = made.tokens["owner", "own"]
    assert made.ask("DELETE", f"/api/app-passwords/{told['id']}", token=other).status_code == 404
    assert made.ask("DELETE", f"/api/app-passwords/{told['id']}", token=token).status_code == 204
    assert made.ask("GET", "/api/app-passwords", token=token).json["items"] == []


def test_it_is_neither_a_device_nor_a_session(made: Whole) -> None:
    token = made.tokens["guest", "own"]
    id = made.ask("POST", "/api/app-passwords", token=token).json["id"]
    for place in ("devices", "sessions"):
        assert id not in [one["id"] for one in made.ask("GET", f"/api/{place}", token=token).json["items"]]
        assert made.ask("DELETE", f"/api/{place}/{id}", token=token).status_code == 404
    assert made.ask("DELETE", "/api/sessions", token=token).status_code == 204
    assert [one["id"] for one in made.ask("GET", "/api/app-passwords", token=token).json["items"]] == [id]


def test_names_and_scopes_are_looked_at(made: Whole) -> None:
    token = made.tokens["adult", "own"]
    for body in ({"scope": "all"}, {"name": 1}, {"name": "x" * 201}, {"more": 1}):
        assert made.ask("POST", "/api/app-passwords", token=token, json=body).status_code == 400
