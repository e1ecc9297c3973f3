"""Playlists over HTTP: the own ones, and what others may do with them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.routes.houses import Front

FIELDS = {"id", "name", "visibility", "owner", "track_count", "duration_ms", "comment", "created_at", "updated_at"}


def make(front: Front, who: str = "ann", **fields: Any) -> Any:
    answer = front.ask("POST", "/api/library/playlists", {"name": "Mine", **fields}, who=who)
    assert answer.status == 201, answer.json
    return answer.json


def test_a_playlist_is_made_changed_and_removed(front: Front) -> None:
    ids = [one["id"] for one in front.tracks("limit=4")]
    made = make(front, name="  Road\n trip ", track_ids=ids[:2])
    assert set(made) == FIELDS
    assert (made["name"], made["visibility"], made["owner"], made["track_count"]) == ("Road trip", "private", "ann", 2)
    path = f"/api/library/playlists/{made['id']}"
    assert [one["id"] for one in front.get(path)["tracks"]] == ids[:2]
    assert front.ask("POST", f"{path}/tracks", {"track_ids": ids[2:]}).json["track_count"] == 4
    changed = front.ask("PATCH", path, {"track_ids": ids[::-1], "name": "Back"})
    assert (changed.status, changed.json["name"], changed.json["visibility"]) == (200, "Back", "private")
    assert [one["id"] for one in front.get(path)["tracks"]] == ids[::-1]
    assert front.ask("PATCH", path, {}).json["name"] == "Back"
    assert front.ask("PATCH", path, {"track_ids": []}).json["track_count"] == 0
    assert front.ask("DELETE", path, {}).status == 204
    assert front.ask("GET", path).status == 404


def test_a_private_playlist_does_not_exist_for_others(front: Front) -> None:
    path = f"/api/library/playlists/{make(front, who='ann')['id']}"
    for who in ("ben", "kid"):
        for method, tail, body in (("GET", "", None), ("PATCH", "", {"name": "x"}), ("DELETE", "", None),
                                   ("POST", "/tracks", {"track_ids": []})):
            assert front.ask(method, path + tail, body, who=who).status == 404
        listed = [one["id"] for one in front.get("/api/library/playlists", who=who)["items"]]
        assert path.rpartition("/")[2] not in listed


def test_a_shared_playlist_is_read_and_a_collaborative_one_filled_by_others(front: Front) -> None:
    track = front.tracks()[0]["id"]
    shared = f"/api/library/playlists/{make(front, visibility='shared')['id']}"
    assert front.get(shared, who="ben")["owner"] == "ann"
    assert front.ask("POST", f"{shared}/tracks", {"track_ids": [track]}, who="ben").status == 403
    open_to_all = f"/api/library/playlists/{make(front, visibility='collaborative')['id']}"
    assert front.ask("POST", f"{open_to_all}/tracks", {"track_ids": [track]}, who="ben").json["track_count"] == 1
    for path in (shared, open_to_all):
        assert front.ask("DELETE", path, who="ben").status == 403
        assert front.ask("PATCH", path, {"name": "Ben's"}, who="ben").status == 403
        assert front.ask("PATCH", path, {"visibility": "private"}, who="ben").status == 403


@pytest.mark.parametrize("body", [
    {}, {"name": ""}, {"name": "   "}, {"name": None}, {"name": "x" * 501}, {"name": "x", "visibility": "public"},
    {"name": "x", "track_ids": "t"}, {"name": "x", "track_ids": None}, {"name": "x", "track_ids": [5]},
    {"name": "x", "owner": "ben"}, {"name": "x", "tracks": []},
])
def test_what_makes_no_playlist_is_refused(front: Front, body: Any) -> None:
    assert front.ask("POST", "/api/library/playlists", body).status == 400


@pytest.mark.parametrize("name", ["../../etc/passwd", "<script>", "'; DROP TABLE playlists; --", "🎵", "a/b", "."])
def test_a_name_is_only_a_name(front: Front, name: str) -> None:
    assert make(front, name=name)["name"] == name


def test_a_track_that_is_not_there_makes_no_playlist(front: Front) -> None:
    answer = front.ask("POST", "/api/library/playlists", {"name": "x", "track_ids": ["none"]})
    assert answer.status in (404, 422)
