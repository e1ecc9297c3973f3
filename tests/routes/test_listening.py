"""Favourites, ratings, plays and the queue over HTTP: each person's own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shared.model.errors import BadInput
from shared.routes.listening import moment
from tests.routes.houses import Front


def test_favourites_are_each_persons_own_the_latest_first(front: Front) -> None:
    first, second = (one["id"] for one in front.tracks("limit=2"))
    for id in (first, second, first):
        assert front.ask("PUT", f"/api/library/favourites/{id}", {}).status == 204
    page = front.get("/api/library/favourites")
    assert [one["id"] for one in page["items"]] == [second, first]
    assert all(one["favourite"] for one in page["items"])
    assert front.get("/api/library/favourites", who="ben")["items"] == []
    for _ in range(2):
        assert front.ask("DELETE", f"/api/library/favourites/{second}").status == 204
    assert [one["id"] for one in front.get("/api/library/favourites")["items"]] == [first]


def test_albums_and_artists_are_favourites_too(front: Front) -> None:
    album = front.get("/api/library/albums")["items"][0]["id"]
    artist = front.get("/api/library/artists")["items"][0]["id"]
    for kind, id in (("albums", album), ("artists", artist)):
        assert front.ask("PUT", f"/api/library/favourites/{kind}/{id}").status == 204
        assert [one["id"] for one in front.get(f"/api/library/{kind}?favourite=1")["items"]] == [id]
        assert front.ask("DELETE", f"/api/library/favourites/{kind}/{id}").status == 204
        assert front.get(f"/api/library/{kind}?favourite=1")["items"] == []


@pytest.mark.parametrize("path", ["favourites/none", "favourites/albums/none", "favourites/artists/none"])
def test_nothing_is_no_favourite(front: Front, path: str) -> None:
    assert front.ask("PUT", f"/api/library/{path}").status == 404
    assert front.ask("DELETE", f"/api/library/{path}").status == 404


def test_a_rating_is_kept_and_taken_away(front: Front) -> None:
    track = front.tracks()[0]["id"]
    for rating in (5, 0):
        assert front.ask("PUT", f"/api/library/ratings/{track}", {"rating": rating}).status == 204
        assert front.get(f"/api/library/tracks/{track}")["rating"] == rating
    for wrong in (6, -1, 2.5, "3", None, True):
        assert front.ask("PUT", f"/api/library/ratings/{track}", {"rating": wrong}).status == 400
    assert front.ask("PUT", "/api/library/ratings/none", {"rating": 3}).status == 404


def test_a_play_is_counted_for_who_heard_it(front: Front) -> None:
    track = front.tracks()[1]["id"]
    play = {"track_id": track, "played_at": "2026-01-02T03:04:05+01:00", "played_ms": 5000}
    told = front.ask("POST", "/api/library/plays", play)
    assert (told.status, told.json) == (201, {**play, "played_at": "2026-01-02T02:04:05Z"})
    assert front.ask("POST", "/api/library/plays", {"track_id": track}).status == 201
    assert front.get(f"/api/library/tracks/{track}")["play_count"] == 2
    assert front.get(f"/api/library/tracks/{track}", who="ben")["play_count"] == 0
    assert front.ask("POST", "/api/library/plays", {"track_id": "none"}).status == 404


@pytest.mark.parametrize("body", [
    {}, {"track_id": 5}, {"track_id": "x", "played_at": "yesterday"}, {"track_id": "x", "played_at": 5},
    {"track_id": "x", "played_ms": -1}, {"track_id": "x", "played_ms": 10**18}, {"track_id": "x", "user": "ben"},
    {"track_id": "x", "played_at": "9999-12-31T23:59:59-23:59"}, {"track_id": "x", "played_at": "0001-01-01T00:00:00Z"},
])
def test_what_is_no_play_is_refused(front: Front, body: object) -> None:
    assert front.ask("POST", "/api/library/plays", body).status == 400


def test_a_clock_that_is_a_little_fast_means_now() -> None:
    now = datetime.now(UTC)
    assert moment((now + timedelta(hours=1)).isoformat()) < now + timedelta(seconds=30)
    assert moment("2026-01-02T03:04:05") == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    with pytest.raises(BadInput):
        moment((now + timedelta(days=3)).isoformat())


def test_a_queue_is_saved_for_the_other_devices(front: Front) -> None:
    assert front.get("/api/me/queue", who="kid") == {"track_ids": [], "index": 0, "position_ms": 0, "updated_at": None,
                                                      "client": ""}
    ids = [one["id"] for one in front.tracks("limit=3")]
    saved = front.ask("PUT", "/api/me/queue", {"track_ids": [*ids, ids[0]], "index": 3, "position_ms": 1234})
    assert saved.status == 200
    assert front.get("/api/me/queue") == saved.json
    assert (saved.json["track_ids"], saved.json["index"], saved.json["position_ms"]) == ([*ids, ids[0]], 3, 1234)
    assert front.get("/api/me/queue", who="ben")["track_ids"] == []
    assert front.ask("PUT", "/api/me/queue", {"track_ids": []}).json["track_ids"] == []


@pytest.mark.parametrize("body", [
    {}, {"track_ids": ["a"], "index": 1}, {"track_ids": ["a"], "index": -1}, {"track_ids": "a"},
    {"track_ids": ["x"] * 10_001}, {"track_ids": [], "position_ms": -5}, {"track_ids": [None]},
])
def test_what_is_no_queue_is_refused(front: Front, body: object) -> None:
    assert front.ask("PUT", "/api/me/queue", body).status == 400
