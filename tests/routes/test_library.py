"""Looking through the library over HTTP: lists, wholes, search, changes, and what is not there."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from tests.routes.houses import Front

LISTS = ("tracks", "albums", "artists", "genres", "playlists")


@pytest.mark.parametrize("kind", LISTS)
def test_a_list_is_a_page(front: Front, kind: str) -> None:
    page = front.get(f"/api/library/{kind}")
    assert set(page) == {"items", "next_cursor", "total", "revision"}
    assert isinstance(page["items"], list)


def test_pages_follow_each_other_by_cursor_and_by_offset(front: Front) -> None:
    whole = [one["id"] for one in front.tracks("limit=500")]
    assert len(whole) == 17
    got: list[str] = []
    cursor = ""
    while True:
        page = front.get(f"/api/library/tracks?limit=4&cursor={cursor}")
        assert page["total"] == 17
        got += [one["id"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = page["next_cursor"]
    assert got == whole
    assert [one["id"] for one in front.tracks("limit=4&offset=8")] == whole[8:12]
    assert front.tracks("offset=500") == []


@pytest.mark.parametrize(("limit", "count"), [
    ("1", 1), ("0", 1), ("-7", 1), ("500", 17), ("99999", 17), ("9" * 60, 17),
])
def test_a_limit_is_clamped(front: Front, limit: str, count: int) -> None:
    assert len(front.tracks(f"limit={limit}")) == count


@pytest.mark.parametrize("query", [
    "limit=ten", "sort=colour", "sort=--title", "sort=title;drop", "offset=-1", "year=-5", "year=99999", "favourite=2",
    "place=moon", "seed=x", "cursor=nonsense", "cursor=%00", "offset=" + "9" * 30, "q=" + "x" * 501,
    "ids=" + ",".join(["a"] * 501), "ids=" + "a" * 40_001,
])
def test_a_bad_question_is_refused(front: Front, query: str) -> None:
    answer = front.ask("GET", f"/api/library/tracks?{query}")
    assert (answer.status, answer.json["error"]["code"]) == (400, "bad_input")


def test_lists_are_narrowed_and_sorted(front: Front) -> None:
    by_year = [one["year"] for one in front.tracks("sort=-year&limit=3")]
    assert by_year == [2001, 2001, 1993]
    assert len(front.tracks("genre=Rock")) == 2
    assert len(front.tracks("year=1993")) == 12
    album = front.get("/api/library/albums?compilation=1")["items"]
    assert [one["title"] for one in album] == ["Moving"]
    assert len(front.tracks(f"album_id={album[0]['id']}")) == 3
    ids = [one["id"] for one in front.tracks("limit=3")][::-1]
    assert [one["id"] for one in front.tracks(f"ids={','.join(ids)}")] == ids
    assert front.tracks("genre=No such") == []
    assert len(front.tracks("favourite=&genre=&unknown=5")) == 17


def test_random_is_repeated_by_its_seed_and_never_kept_without(front: Front) -> None:
    first, again, other = (front.ask("GET", f"/api/library/tracks?sort=random&seed={seed}") for seed in (5, 5, 6))
    assert first.data == again.data != other.data
    assert "ETag" in first.headers
    loose = front.ask("GET", "/api/library/tracks?sort=random")
    assert "ETag" not in loose.headers
    assert loose.headers["Cache-Control"] == "no-store"


def test_wholes_hold_their_parts(front: Front) -> None:
    albums = front.get("/api/library/albums?sort=title")["items"]
    assert [one["title"] for one in albums] == ["Début", "Moving", "Two Sides"]
    whole = front.get(f"/api/library/albums/{albums[0]['id']}")
    assert [one["track_number"] for one in whole["tracks"]] == list(range(1, 13))
    artist = front.get(f"/api/library/artists/{whole['artists'][0]['id']}")
    assert [one["id"] for one in artist["albums"]] == [albums[0]["id"]]
    track = front.get(f"/api/library/tracks/{whole['tracks'][0]['id']}")
    assert track == whole["tracks"][0]


@pytest.mark.parametrize("path", [
    "tracks/none", "albums/none", "artists/none", "tracks/none/lyrics", "tracks/%00", "tracks/" + "x" * 3000,
    "playlists/none", "tracks/' OR 1=1 --",
])
def test_what_is_not_there_is_404(front: Front, path: str) -> None:
    answer = front.ask("GET", f"/api/library/{path}")
    assert (answer.status, answer.json["error"]["code"]) == (404, "not_found")


def test_paths_are_shown_only_to_who_may_see_files(front: Front) -> None:
    paths = {who: {one["path"] for one in front.get("/api/library/tracks", who=who)["items"]}
             for who in ("ann", "ben", "kid")}
    assert paths["kid"] == {None}
    assert paths["ann"] == paths["ben"] and None not in paths["ann"]


def test_an_unchanged_list_is_not_sent_again(front: Front) -> None:
    first = front.ask("GET", "/api/library/albums?limit=5")
    again = front.ask("GET", "/api/library/albums?limit=5", If_None_Match=first.headers["ETag"])
    assert (again.status, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    for path, who in (("/api/library/albums?limit=6", "ann"), ("/api/library/albums?limit=5", "ben"),
                      ("/api/library/artists?limit=5", "ann")):
        assert front.ask("GET", path, who=who, If_None_Match=first.headers["ETag"]).status == 200
    front.ask("PUT", f"/api/library/favourites/{front.tracks()[0]['id']}")
    assert front.ask("GET", "/api/library/albums?limit=5", If_None_Match=first.headers["ETag"]).status == 200


def test_a_long_list_is_gzipped_with_the_same_tag(front: Front) -> None:
    plain = front.ask("GET", "/api/library/tracks")
    packed = front.ask("GET", "/api/library/tracks", Accept_Encoding="gzip")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert json.loads(gzip.decompress(packed.data)) == plain.json
    assert packed.headers["ETag"] == plain.headers["ETag"]
    assert "Accept-Encoding" in packed.headers["Vary"]


def test_search_groups_what_it_finds(front: Front) -> None:
    found = front.get("/api/library/search?q=bjork")
    assert set(found) == {"tracks", "albums", "artists"}
    assert [one["name"] for one in found["artists"]] == ["Björk"]
    assert len(front.get("/api/library/search?q=song&limit=3")["tracks"]) == 3


@pytest.mark.parametrize("query", ["", "q=", "q=%20%20", "q=%00", "q=%22", "q=*", "q=AND%20OR%20NOT", "q=%F0%9F%8E%B5",
                                   "q=a&limit=-1", "q=a&limit=100000"])
def test_any_text_can_be_searched_for(front: Front, query: str) -> None:
    found = front.get(f"/api/library/search?{query}")
    assert set(found) == {"tracks", "albums", "artists"}
    if not query.partition("q=")[2].strip("%20"):
        assert found == {"tracks": [], "albums": [], "artists": []}


def test_changes_tell_what_moved_for_this_person(front: Front) -> None:
    before = front.get("/api/library/stats")["revision"]
    assert front.get(f"/api/library/changes?since={before}")["tracks"] == {"added": [], "changed": [], "removed": []}
    track = front.tracks()[3]["id"]
    assert front.ask("PUT", f"/api/library/ratings/{track}", {"rating": 4}).status == 204
    assert front.get(f"/api/library/changes?since={before}")["tracks"]["changed"] == [track]
    assert front.get(f"/api/library/changes?since={before}", who="ben")["tracks"]["changed"] == []
    whole = front.get("/api/library/changes?since=0")
    assert set(whole) == {"revision", "tracks", "albums", "artists", "playlists"}
    assert len(whole["tracks"]["added"]) == 17


@pytest.mark.parametrize("query", ["", "since=", "since=x", "since=-1", "since=" + "9" * 30])
def test_changes_need_a_revision(front: Front, query: str) -> None:
    answer = front.ask("GET", f"/api/library/changes?{query}")
    assert (answer.status, answer.json["error"]["details"]) == (400, {"field": "since"})


def test_a_revision_that_never_was_is_410(front: Front) -> None:
    answer = front.ask("GET", "/api/library/changes?since=999999")
    assert (answer.status, answer.json["error"]["code"]) == (410, "revision_too_old")


def test_letters_tell_where_they_begin(front: Front) -> None:
    letters = front.get("/api/library/index?of=albums&sort=title")["letters"]
    assert [(one["letter"], one["offset"]) for one in letters] == [("D", 0), ("M", 1), ("T", 2)]
    assert front.get("/api/library/index?of=artists")["letters"]
    assert front.ask("GET", "/api/library/index?of=artists&sort=title").status == 400
    assert front.ask("GET", "/api/library/index?of=people").status == 400


def lyrics(front: Front, title: str) -> Any:
    track = next(one for one in front.tracks() if one["title"] == title)
    return front.get(f"/api/library/tracks/{track['id']}/lyrics")


def test_lyrics_come_as_lines(front: Front) -> None:
    assert lyrics(front, "Side 1") == {"synced": True, "language": "eng", "lines": [
        {"start_ms": 1000, "text": "one"}, {"start_ms": 2000, "text": "two"}]}
    assert lyrics(front, "Side 2") == {"synced": False, "language": None, "lines": [
        {"start_ms": None, "text": "plain"}, {"start_ms": None, "text": "words"}]}
    assert lyrics(front, "Song 01") == {"synced": False, "language": None, "lines": []}


def test_stats_count_what_there_is(front: Front) -> None:
    stats = front.get("/api/library/stats")
    assert (stats["tracks"], stats["albums"], stats["missing"]) == (17, 3, 0)
    assert stats["duration_ms"] == 17 * 180_000


def test_the_trash_is_listed_emptied_and_given_back(front: Front) -> None:
    shelf = front.house.shelf
    track = front.tracks()[0]
    front.house.tracks.trash(track["id"], trashed_from=track["path"], path=".soundsible/trash/x.flac")
    page = front.get("/api/library/trash")
    assert [one["id"] for one in page["items"]] == [track["id"]]
    assert page["items"][0]["trashed_at"].endswith("Z")
    assert front.ask("GET", "/api/library/trash", who="kid").status == 403
    shelf.asked.clear()
    assert front.ask("DELETE", f"/api/library/trash/{track['id']}").status == 204
    front.house.tracks.restore(track["id"], path=track["path"])     # as the shelf does
    assert front.ask("POST", f"/api/library/trash/{track['id']}/restore").json["id"] == track["id"]
    assert [asked[:2] for asked in shelf.asked] == [("purge", track["id"]), ("restore", track["id"])]


def test_missing_tracks_are_forgotten_only_when_a_person_says_so(front: Front) -> None:
    there = {"track_ids": [front.tracks()[0]["id"]]}
    assert front.ask("POST", "/api/library/missing/purge", there).json == {"removed": 0}
    assert front.ask("POST", "/api/library/missing/purge").json == {"removed": 0}
    assert front.ask("POST", "/api/library/missing/purge", {}, who="ben").status == 403
    assert front.get("/api/library/stats")["tracks"] == 17
