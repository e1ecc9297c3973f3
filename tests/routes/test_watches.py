"""Watching artists, playlists and feeds: the real doors and records, nobody looking behind them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared.model.person import Person
from shared.records.watches import Watch, Watches
from tests.routes.houses import Front


class Watching:
    """Learns nothing of a link."""

    def __init__(self) -> None:
        self.checked: list[str] = []
        self.watches: Watches | None = None

    def add(self, person: Person, *, url: str, kind: str | None, name: str | None, existing: bool, **how: Any) -> Watch:
        assert self.watches is not None
        return self.watches.add(person.user_id, url=url, kind=kind or "feed", name=name or "A feed", **how)

    def check(self, uid: str) -> int:
        self.checked.append(uid)
        return 3


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Front:
    folder: Path = tmp_path_factory.mktemp("watches")
    front = Front(folder, music=False, watching=Watching())
    front.house.watching.watches = front.house.watches
    return front


def test_a_watch_is_made_listed_changed_checked_and_removed(front: Front) -> None:
    made = front.ask("POST", "/api/watches", {
        "url": "https://feeds.example/1", "every_s": 3600, "most": 5, "nightly": True, "quality": "320"})
    watch = made.json
    assert made.status == 201
    assert set(watch) == {
        "id", "kind", "url", "name", "options", "every_s", "most", "nightly", "paused", "seen", "checked_at", "next_at",
        "last_error", "username", "created_at"}
    assert (watch["every_s"], watch["most"], watch["nightly"], watch["options"]["quality"]) == (3600, 5, True, "320")
    assert front.get("/api/watches")["items"] == [watch] and front.get(f"/api/watches/{watch['id']}") == watch
    changed = front.ask("PATCH", f"/api/watches/{watch['id']}", {"name": "Mine", "paused": True, "options": {}}).json
    assert (changed["name"], changed["paused"], changed["options"]["quality"], changed["most"]) == (
        "Mine", True, "lossless", 5)
    checked = front.ask("POST", f"/api/watches/{watch['id']}/check")
    assert (checked.status, checked.json["watch"]["id"], checked.json["queued"]) == (200, watch["id"], 3)
    assert front.house.watching.checked == [watch["id"]]
    assert front.ask("DELETE", f"/api/watches/{watch['id']}").status == 204
    assert front.get("/api/watches")["items"] == []


def test_the_same_is_watched_once(front: Front) -> None:
    body = {"url": "https://feeds.example/twice"}
    assert [front.ask("POST", "/api/watches", body).status for _ in range(2)] == [201, 409]
    assert front.ask("POST", "/api/watches", body, who="ben").status == 201


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE", "POST"])
def test_what_is_somebody_elses_is_not_there(front: Front, method: str) -> None:
    id = front.ask("POST", "/api/watches", {"url": f"https://feeds.example/{method}"}).json["id"]
    path = f"/api/watches/{id}" + ("/check" if method == "POST" else "")
    body = {"name": "x"} if method == "PATCH" else None
    assert front.ask(method, path, body, who="ben").status == 404
    assert front.ask(method, path, body, who="kid").status == 403


@pytest.mark.parametrize(("body", "field"), [
    ({}, "url"), ({"url": "https://x", "kind": "label"}, "kind"), ({"url": "https://x", "every_s": 10}, "every_s"),
    ({"url": "https://x", "most": 0}, "most"), ({"url": "https://x", "interval": 5}, "interval"),
    ({"url": "https://x", "provider": "napster"}, "provider"),
])
def test_what_is_not_understood_is_refused_by_its_name(front: Front, body: Any, field: str) -> None:
    answer = front.ask("POST", "/api/watches", body)
    assert (answer.status, answer.json["error"]["details"]["field"]) == (400, field)


def test_only_links_to_the_outside_are_watched(front: Front) -> None:
    assert front.ask("POST", "/api/watches", {"url": "file:///etc/passwd"}).status == 422


def test_a_change_must_change_something(front: Front) -> None:
    id = front.ask("POST", "/api/watches", {"url": "https://feeds.example/same"}).json["id"]
    assert front.ask("PATCH", f"/api/watches/{id}", {}).status == 400
    assert front.ask("PATCH", f"/api/watches/{id}", {"url": "https://x"}).json["error"]["details"]["field"] == "url"
