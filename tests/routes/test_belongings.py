"""Export and import over HTTP: one's own things, all of them, and nothing of anybody else's."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.patience import often
from tests.routes.houses import Front

SHARED_NAME = "Ben's secret party"


@pytest.fixture(scope="module")
def filled(front: Front) -> Front:
    """ann listens, so does ben."""
    tracks = front.tracks("sort=title&limit=20")
    for who, name in (("ann", "Morning"), ("ben", SHARED_NAME)):
        ids = [one["id"] for one in tracks[:3]]
        front.ask("POST", "/api/library/playlists", {"name": name, "track_ids": ids, "visibility": "collaborative"},
                  who=who)
        front.ask("PUT", f"/api/library/favourites/{ids[0]}", who=who)
        front.ask("PUT", f"/api/library/ratings/{ids[1]}", {"rating": 4 if who == "ann" else 1}, who=who)
        front.ask("POST", "/api/library/plays", {"track_id": ids[2], "played_at": "2026-01-31T20:15:00.123Z",
                                                 "played_ms": 1000}, who=who)
    return front


def _import(front: Front, document: Any, who: str = "ann", **more: Any) -> Any:
    return front.ask("POST", "/api/import", {"document": document, **more}, who=who)


def test_an_export_holds_the_own_things_and_nobody_elses(filled: Front) -> None:
    answer = filled.ask("GET", "/api/export")
    document = answer.json
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert document["soundsible"] == 1 and document["username"] == "ann"
    assert [(one["name"], one["visibility"], len(one["tracks"])) for one in document["playlists"]] == [
        ("Morning", "collaborative", 3)]
    assert [one["rating"] for one in document["ratings"]] == [4]
    assert document["plays"] == [{"track": document["plays"][0]["track"], "at": "2026-01-31T20:15:00.123Z", "ms": 1000}]
    assert len(document["favourites"]["tracks"]) == 1
    assert set(document["tracks"][0]) <= {"id", "isrc", "mbid", "title", "artist", "album", "duration_ms"}
    assert SHARED_NAME not in answer.data.decode() and "ben" not in answer.data.decode()
    assert str(filled.house.music) not in answer.data.decode()


def test_a_playlists_comment_goes_along(filled: Front) -> None:
    (made,) = filled.get("/api/library/playlists?limit=500")["items"][:1]
    owner = made["owner"]
    filled.ask("PATCH", f"/api/library/playlists/{made['id']}", {"comment": "for the early ones"}, who=owner)
    document = filled.ask("GET", "/api/export?what=playlists", who=owner).json
    (told,) = [one for one in document["playlists"] if one["name"] == made["name"]]
    assert told["comment"] == "for the early ones"
    told["name"], told["id"] = "Copied", ""
    document["playlists"] = [told]
    assert _import(filled, document, owner).status == 200
    (copied,) = [one for one in filled.get("/api/library/playlists", who=owner)["items"] if one["name"] == "Copied"]
    assert copied["comment"] == "for the early ones"
    filled.ask("DELETE", f"/api/library/playlists/{copied['id']}", who=owner)
    filled.ask("PATCH", f"/api/library/playlists/{made['id']}", {"comment": ""}, who=owner)


def test_an_export_holds_only_what_is_asked_for(filled: Front) -> None:
    document = filled.get("/api/export?what=ratings")
    assert document["ratings"] and document["playlists"] == [] == document["plays"] and len(document["tracks"]) == 1
    assert filled.ask("GET", "/api/export?what=passwords").status == 400


def test_an_import_becomes_ones_own_once_and_the_rehearsal_says_so_before(filled: Front) -> None:
    document = filled.get("/api/export")
    rehearsed = _import(filled, document, "kid", dry_run=True)
    assert rehearsed.status == 200 and rehearsed.json["dry_run"]
    assert filled.get("/api/export", who="kid")["playlists"] == []
    done = _import(filled, document, "kid").json
    assert {**done, "dry_run": True} == rehearsed.json
    assert done == {"playlists": {"made": 1, "updated": 0, "same": 0}, "ratings": 1, "favourites": 1, "plays": 1,
                    "not_found": [], "missing": 0, "dry_run": False}
    again = _import(filled, document, "kid").json
    assert again["playlists"] == {"made": 0, "updated": 0, "same": 1} and again["plays"] == again["ratings"] == 0
    theirs = filled.get("/api/export", who="kid")
    assert theirs["ratings"][0]["rating"] == 4
    assert {**filled.get("/api/export"), "exported_at": ""} == {**document, "exported_at": ""}


def test_what_is_not_in_the_library_is_named(filled: Front) -> None:
    strange = {"title": "Nowhere", "artist": "Nobody", "duration_ms": 1}
    report = _import(filled, {"soundsible": 1, "tracks": [strange],
                              "playlists": [{"name": "P", "tracks": [0]}]}).json
    assert (report["not_found"], report["missing"], report["playlists"]["made"]) == ([strange], 1, 0)


def test_only_kinds_that_are_asked_for_are_taken(filled: Front) -> None:
    document = {"soundsible": 1, "playlists": [{"name": "Only this"}], "tracks": [{"id": "x"}],
                "plays": [{"track": 0, "at": "2026-01-01T00:00:00Z"}]}
    report = _import(filled, document, what=["plays"]).json
    assert report["playlists"]["made"] == 0
    assert _import(filled, document, what=["everything"]).status == 400


@pytest.mark.parametrize("document", [
    None, [], {}, {"soundsible": 2}, {"soundsible": 1, "users": []}, {"soundsible": 1, "tracks": [{"path": "/etc"}]},
    {"soundsible": 1, "playlists": [{"name": ""}]}, {"soundsible": 1, "playlists": [{"name": " \u0000 "}]},
    {"soundsible": 1, "playlists": [{"name": "x", "tracks": [0]}]},
    {"soundsible": 1, "playlists": [{"name": "x", "tracks": [-1]}]},
    {"soundsible": 1, "playlists": [{"name": "x", "visibility": "everybody"}]},
    {"soundsible": 1, "tracks": [{}], "ratings": [{"track": 0, "rating": 6}]},
    {"soundsible": 1, "tracks": [{}], "ratings": [{"track": 1, "rating": 5}]},
    {"soundsible": 1, "tracks": [{}], "plays": [{"track": 0, "at": "yesterday"}]},
    {"soundsible": 1, "tracks": [{}], "plays": [{"track": 0, "at": "2026-01-01T00:00:00"}]},
    {"soundsible": 1, "tracks": [{}], "plays": [{"track": 0, "at": "2026-01-01T00:00:00Z", "ms": -1}]},
    {"soundsible": 1, "tracks": [{}], "favourites": {"tracks": [{"track": 0, "at": "9999-12-31T23:59:60Z"}]}},
    {"soundsible": 1, "tracks": [{"title": "x" * 1001}]}, {"soundsible": 1, "tracks": [{"duration_ms": 1e400}]},
    {"soundsible": 1, "playlists": [{"name": "x"}] * 10_001},
])
def test_documents_that_are_none_are_refused_and_leave_nothing(filled: Front, document: Any) -> None:
    before = filled.get("/api/export", who="ben")
    assert _import(filled, document, "ben").status == 400
    assert {**filled.get("/api/export", who="ben"), "exported_at": ""} == {**before, "exported_at": ""}


def test_a_document_that_never_ends_inwards_is_refused(filled: Front) -> None:
    for text in ('{"document": ' + "[" * 200_000, '{"document": {"soundsible": 1, "x": ' + '{"x":' * 200_000):
        answer = filled.app.test_client(use_cookies=False).post(
            "/api/import", data=text, content_type="application/json",
            headers={"Authorization": f"Bearer {filled.house.tokens['ann']}"})
        assert answer.status_code == 400


def test_a_device_that_only_listens_takes_along_and_brings_nothing_in(filled: Front) -> None:
    made = filled.house.pairing.make(filled.house.accounts.who(filled.house.tokens["kid"], ""), scope="listen")
    filled.house.tokens["tv"] = filled.house.pairing.claim(made.token, name="TV").token
    assert filled.ask("GET", "/api/export", who="tv").status == 200
    assert _import(filled, {"soundsible": 1}, "tv").status == 403
    assert _import(filled, {"soundsible": 1}, "kid").status == 200
    assert filled.ask("GET", "/api/export", who=None).status == 401
    assert filled.ask("POST", "/api/import", {}, who=None).status == 401


_JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
                     lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
                         ["soundsible", "tracks", "playlists", "favourites", "ratings", "plays", "track", "at", "name",
                          "title", "artist", "rating", "id"]), inner, max_size=4), max_leaves=12)
_ALMOST = st.fixed_dictionaries({"soundsible": st.just(1)}, optional={
    "tracks": st.lists(st.fixed_dictionaries({}, optional={
        "title": st.text(max_size=8), "artist": st.text(max_size=8), "id": st.text(max_size=8),
        "isrc": st.text(max_size=8), "duration_ms": st.integers(-1, 10**12)}), max_size=3),
    "playlists": st.lists(st.fixed_dictionaries({"name": st.text(max_size=8)}, optional={
        "tracks": st.lists(st.integers(-1, 3), max_size=4), "id": st.text(max_size=8)}), max_size=3),
    "ratings": st.lists(st.fixed_dictionaries({"track": st.integers(0, 3), "rating": st.integers(-1, 6)}), max_size=3),
    "plays": st.lists(st.fixed_dictionaries({
        "track": st.integers(0, 3), "at": st.datetimes().map(lambda at: f"{at.isoformat()}Z") | st.text(max_size=30)}),
        max_size=3),
    "favourites": st.fixed_dictionaries({}, optional={
        "artists": st.lists(st.fixed_dictionaries({"name": st.text(max_size=8)}), max_size=2)}),
})


@settings(max_examples=often(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=_JSON | _ALMOST)
def test_no_document_breaks_it_and_its_rehearsal_is_the_run(filled: Front, document: Any) -> None:
    text = json.dumps({"document": document, "dry_run": True})
    rehearsed = _import(filled, json.loads(text)["document"], "kid", dry_run=True)
    done = _import(filled, json.loads(text)["document"], "kid")
    assert rehearsed.status == done.status and done.status in (200, 400), done.data
    if done.status == 200:
        assert {**done.json, "dry_run": True} == rehearsed.json
        again = _import(filled, json.loads(text)["document"], "kid").json
        assert (again["playlists"]["made"], again["ratings"], again["favourites"], again["plays"]) == (0, 0, 0, 0)


def test_a_document_whose_playlists_never_end_is_for_the_tool(front: Front) -> None:
    """A few megabytes of it would be a hundred in the database, and nobody else writes meanwhile."""
    track = {"id": front.tracks("limit=1")[0]["id"]}
    half = {"name": "P", "tracks": [0] * 50_001}
    answer = _import(front, {"soundsible": 1, "tracks": [track], "playlists": [half, {**half, "name": "Q"}]})
    assert (answer.status, answer.json["error"]["code"]) == (422, "unprocessable")
    assert _import(front, {"soundsible": 1, "tracks": [track], "playlists": [half]}, dry_run=True).status == 200
