"""Listening services over HTTP: listed, connected, told of a play, disconnected; each person their own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.lastfm import KEY, SECRET, FakeLastfm
from tests.fakes.listenbrainz import FakeListenBrainz
from tests.holding.whole import Whole, whole


@dataclass
class Services:
    made: Whole
    listenbrainz: FakeListenBrainz
    lastfm: FakeLastfm

    def ask(self, method: str, path: str, who: str = "adult", scope: str = "own", **given: Any) -> Any:
        return self.made.ask(method, f"/api/scrobblers{path}", token=self.made.tokens[who, scope], **given)


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    folder: Path = tmp_path_factory.mktemp("scrobblers")
    with FakeListenBrainz() as listenbrainz, FakeLastfm(time.time()) as lastfm:
        made = whole(folder, https=False, download_providers=(), download_catalogues=(),
                     listenbrainz_url=listenbrainz.address, lastfm_url=lastfm.address, lastfm_api_key=KEY,
                     lastfm_api_secret=SECRET)
        yield Services(made, listenbrainz, lastfm)
        made.station.database.close()


def test_both_are_listed_also_before_one_is_connected(services: Services) -> None:
    told = services.ask("GET", "", "guest").json
    assert [(one["service"], one["connected"], one["available"], one["error"]) for one in told["items"]] == [
        ("listenbrainz", False, True, None), ("lastfm", False, True, None)]


def test_listenbrainz_is_connected_by_token_and_for_oneself_alone(services: Services) -> None:
    wrong = services.ask("PUT", "/listenbrainz", json={"token": "wrong"})
    assert (wrong.status_code, wrong.json["error"]["details"]["field"]) == (400, "token")
    right = services.ask("PUT", "/listenbrainz", json={"token": "right-token"})
    assert (right.status_code, right.json["username"], right.json["connected"]) == (200, "lister", True)
    assert b"right-token" not in right.data + services.ask("GET", "").data
    assert not any(one["connected"] for one in services.ask("GET", "", "child").json["items"])
    assert services.ask("DELETE", "/listenbrainz", "child").status_code == 404
    assert services.ask("DELETE", "/listenbrainz").status_code == 204
    inside = services.ask("PUT", "/listenbrainz", json={"token": "x", "url": "http://10.0.0.1/"})
    assert (inside.status_code, inside.json["error"]["details"]["field"]) == (400, "url")


def test_lastfm_is_connected_by_a_yes_there(services: Services) -> None:
    begun = services.ask("POST", "/lastfm/begin")
    assert begun.status_code == 201 and begun.json["token"] in begun.json["address"]
    assert services.ask("PUT", "/lastfm", json={"token": begun.json["token"]}).status_code == 400
    services.lastfm.allow(begun.json["token"])
    done = services.ask("PUT", "/lastfm", json={"token": begun.json["token"]})
    assert (done.status_code, done.json["username"]) == (200, "lastlister")
    assert services.ask("DELETE", "/lastfm").status_code == 204


def test_a_device_with_limited_rights_may_not_even_look(services: Services) -> None:
    for method, path in (("GET", ""), ("PUT", "/listenbrainz"), ("POST", "/lastfm/begin"), ("DELETE", "/lastfm")):
        given = {} if method == "GET" else {"json": {"token": "x"}}
        assert services.ask(method, path, scope="add", **given).status_code == 403
