"""Asking for music and seeing how it comes: the real doors and records, nobody working behind them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model.download import Candidate, Failure, Offer, Status, Wanted
from shared.model.errors import BadInput
from shared.routes.downloads import check_link, moment, one_of
from tests.routes.houses import Front

S = Status
LINK = "http://music.example/heroes.flac"
FIELDS = {
    "id", "status", "stage", "title", "artist", "album", "cover_url", "url", "query", "source", "quality", "options",
    "priority", "progress", "attempt", "error", "note", "track_id", "duplicate_of", "quality_got", "warnings", "group",
    "username", "not_before", "created_at", "updated_at", "finished_at",
}


@pytest.fixture
def asked(front: Front) -> Any:
    """Asks for a link and answers the download."""
    number = iter(range(10**6))

    def ask(who: str = "ann", **body: Any) -> Any:
        what = {} if body.keys() & {"url", "query", "track"} else {"url": f"{LINK}?{next(number)}-{id(number)}"}
        answer = front.ask("POST", "/api/downloads", {**what, **body}, who=who)
        assert answer.status in (200, 202), answer.data
        return answer.json["download"]

    return ask


def refusal(front: Front, body: Any, path: str = "/api/downloads") -> tuple[int, str, str | None]:
    answer = front.ask("POST", path, body)
    error = answer.json["error"]
    return answer.status, error["message"], error.get("details", {}).get("field")


# ---- asking ------------------------------------------------------------------------------------------------------


def test_a_link_is_queued_and_shown_with_every_field(front: Front) -> None:
    answer = front.ask("POST", "/api/downloads", {"url": f" {LINK} "})
    download = answer.json["download"]
    assert (answer.status, set(answer.json)) == (202, {"download"})
    assert set(download) == FIELDS
    assert (download["status"], download["url"], download["quality"], download["priority"], download["attempt"]) == (
        "waiting", LINK, "lossless", 50, 0)
    assert download["progress"] == {
        "bytes": 0, "total_bytes": None, "percent": None, "bytes_per_second": None, "eta_s": None}
    assert front.ask("POST", "/api/downloads", {"url": LINK, "quality": 320}).json["download"]["quality"] == "320"
    again = front.ask("POST", "/api/downloads", {"url": LINK, "priority": 90})
    assert (again.status, again.json["download"]["id"]) == (200, download["id"])


def test_a_key_answers_the_same_and_refuses_another_request(front: Front, asked: Any) -> None:
    first = asked(query="Bowie - Heroes", idempotency_key="k1")
    again = front.ask("POST", "/api/downloads", {"query": "Bowie  - Heroes", "idempotency_key": "k1"})
    assert (again.status, again.json["download"]["id"]) == (200, first["id"])
    other = front.ask("POST", "/api/downloads", {"query": "Bowie - Low", "idempotency_key": "k1"})
    assert (other.status, other.json["error"]["code"]) == (409, "idempotency_conflict")
    assert front.ask("POST", "/api/downloads", {"query": "Bowie - Low", "idempotency_key": "k1"},
                     who="ben").status == 202


def test_everything_that_can_be_said_is_kept(front: Front, asked: Any) -> None:
    track = {
        "title": "Heroes", "artist": "David Bowie", "artists": ["David Bowie"], "album": "Heroes", "isrc": "X",
        "duration_ms": 371_000, "track_number": 3, "genres": ["Rock"], "explicit": False, "source": "deezer",
        "source_id": "7", "cover_url": "https://covers.example/1.jpg", "date": None,
    }
    made = asked(
        track=track, quality="320", format="mp3", bitrate_kbps=192, level="audio", trim=True, duplicates="keep",
        provider="youtube", priority=5, not_before="2033-05-18T05:33:20+02:00", nightly=True,
    )
    assert made["options"] == {
        "quality": "320", "format": "mp3", "bitrate_kbps": 192, "level": "audio", "trim": True, "duplicates": "keep",
        "provider": "youtube"}
    assert (made["title"], made["artist"], made["album"], made["source"]) == (
        "Heroes", "David Bowie", "Heroes", "deezer")
    assert (made["not_before"], made["priority"]) == ("2033-05-18T03:33:20.000Z", 5)
    job = front.house.download_records.job(made["id"])
    assert job.nightly and job.request.wanted is not None
    assert (job.request.wanted.isrc, job.request.wanted.artists, job.request.wanted.genres) == (
        "X", ("David Bowie",), ("Rock",))
    owned = front.tracks("limit=1")[0]["id"]
    assert front.house.download_records.job(asked(track=owned)["id"]).request.track_id == owned
    assert front.ask("POST", "/api/downloads", {"track": "no-such-track"}).status == 404


def test_a_link_among_words_is_a_link(front: Front, asked: Any) -> None:
    assert asked(query="https://music.example/x")["url"] == "https://music.example/x"
    assert asked(url="youtube.com/watch?v=x")["url"] == "https://youtube.com/watch?v=x"
    assert check_link(" spotify:track:4uLU6hMCjMI75M1A2tKUQC ") == "spotify:track:4uLU6hMCjMI75M1A2tKUQC"


@pytest.mark.parametrize("body", [{}, {"url": LINK, "query": "x"}, {"query": "x", "track": "t"},
                                  {"url": LINK, "query": "x", "track": {"title": "t"}}, {"url": None}])
def test_exactly_one_thing_says_what_is_wanted(front: Front, body: Any) -> None:
    status, message, field = refusal(front, body)
    assert status == 400
    assert "Exactly one of url, query and track" in message and field in ("url", "query", "track")


@pytest.mark.parametrize(("extra", "field"), [
    ({"uri": "x"}, "uri"), ({"quality": "best"}, "quality"), ({"priority": 101}, "priority"),
    ({"priority": "50"}, "priority"), ({"bitrate_kbps": 5}, "bitrate_kbps"), ({"format": "wma"}, "format"),
    ({"trim": "yes"}, "trim"), ({"duplicates": "all"}, "duplicates"), ({"provider": "napster"}, "provider"),
    ({"not_before": "tomorrow"}, "not_before"), ({"not_before": "2026-01-01T00:00:00"}, "not_before"),
    ({"idempotency_key": ""}, "idempotency_key"), ({"idempotency_key": "k" * 201}, "idempotency_key"),
])
def test_what_is_not_understood_is_refused_by_its_name(front: Front, extra: Any, field: str) -> None:
    status, _, named = refusal(front, {"url": LINK, **extra})
    assert (status, named) == (400, field)


@pytest.mark.parametrize("track", [
    {}, {"artist": "only"}, {"title": "t", "unknown": 1}, {"title": "t", "duration_ms": -1}, {"title": "x" * 501},
    {"title": "t", "artists": ["x"] * 101}, {"title": "t", "fetch_url": "file:///etc/passwd"}, "", 5, ["a"],
])
def test_a_recording_must_say_something_sane(front: Front, track: Any) -> None:
    assert refusal(front, {"track": track})[0] in (400, 422)


@pytest.mark.parametrize("url", [
    "file:///etc/passwd", "ftp://host/x", "javascript:alert(1)", "data:audio/mpeg;base64,AA", "/etc/passwd", "x",
    "http://", "http:///x", "http://user:secret@host/x", "http://host:99999/x", "http://[::1/x", "http://a b/c",
    "gopher://host/1", "spotify:track:../../x", "http://host/\nHost: x", "http://host/\0",
])
def test_what_is_no_link_to_the_outside_is_refused(front: Front, url: str) -> None:
    answer = front.ask("POST", "/api/downloads", {"url": url})
    assert answer.status == 422, answer.data
    assert answer.json["error"]["details"]["field"] == "url"
    assert "secret" not in answer.json["error"]["message"]


@given(st.text(max_size=60))
def test_any_text_is_a_clean_link_or_refused(text: str) -> None:
    try:
        link = check_link(text)
    except BadInput:
        return
    assert link.startswith(("http://", "https://", "spotify:")) or link.lower().startswith("http")
    assert not any(ord(sign) <= 32 for sign in link)


@given(st.text(max_size=60))
def test_any_words_are_a_query_or_a_link_or_refused(text: str) -> None:
    try:
        found = one_of(None, text, None)
    except BadInput:
        return
    assert len(found) == 1 and set(found) <= {"query", "url"}
    assert found.get("query", "x").strip() == found.get("query", "x") != ""


def test_too_much_text_is_refused(front: Front) -> None:
    assert refusal(front, {"url": "http://host/" + "x" * 4000})[2] == "url"
    assert refusal(front, {"query": "x" * 501})[2] == "query"
    assert refusal(front, {"query": " \t "})[2] == "query"


# ---- albums and much at once -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("body", "field"), [
    ({}, "url"), ({"url": LINK, "album_id": "5", "source": "deezer"}, "url"), ({"album_id": "5"}, "source"),
])
def test_an_album_is_named_one_way(front: Front, body: Any, field: str) -> None:
    assert refusal(front, body, "/api/downloads/album")[::2] == (400, field)


def test_an_album_answers_what_was_queued_skipped_and_failed(front: Front) -> None:
    front.house.counter.search.albums["5"] = Offer(kind="album", source="deezer", id="5", title="Low", tracks=(
        Wanted(title="Warszawa", artist="David Bowie"), Wanted(title="Subterraneans", artist="David Bowie"),
        Wanted(artist="David Bowie", source="deezer")))
    front.house.counter.shelf.tracks["Subterraneans"] = b"owned"
    answer = front.ask("POST", "/api/downloads/album", {
        "album_id": "5", "source": "deezer", "quality": "128", "priority": 3, "nightly": True})
    assert answer.status == 202
    assert [(one["title"], one["quality"], one["priority"]) for one in answer.json["downloads"]] == [
        ("Warszawa", "128", 3)]
    assert [(one["title"], one["track_id"]) for one in answer.json["skipped"]] == [
        ("Subterraneans", "track-Subterraneans")]
    assert len(answer.json["failed"]) == 1 and answer.json["failed"][0]["reason"]
    assert front.house.download_records.job(answer.json["downloads"][0]["id"]).nightly


def test_a_batch_of_items_is_queued_whole(front: Front) -> None:
    answer = front.ask("POST", "/api/downloads/batch", {"quality": "192", "items": [
        {"url": "http://b/1"}, {"query": "Artist - Title"}, {"track": {"title": "t"}}, {"url": "http://b/1"}]})
    assert answer.status == 202
    assert (answer.json["added"], answer.json["repeated"], answer.json["failed"]) == (3, 1, [])
    listed = front.get(f"/api/downloads?group={answer.json['group']}")
    assert listed["total"] == 3
    assert {one["quality"] for one in listed["items"]} == {"192"}


def test_a_wrong_item_is_named_with_its_place_and_keeps_nobody_out(front: Front) -> None:
    answer = front.ask("POST", "/api/downloads/batch", {"items": [{"url": "http://c/1"}, {"url": "file:///x"}, {}]})
    assert (answer.status, answer.json["added"]) == (202, 1)
    assert [(one["line"], one["title"]) for one in answer.json["failed"]] == [(2, "file:///x"), (3, None)]
    assert refusal(front, {"items": []}, "/api/downloads/batch")[0] == 400
    assert refusal(front, {}, "/api/downloads/batch")[2] == "text"
    assert refusal(front, {"items": [{"link": "x"}]}, "/api/downloads/batch")[2] == "link"


def test_a_list_that_people_have_is_queued_line_by_line(front: Front) -> None:
    answer = front.ask("POST", "/api/downloads/batch", {
        "text": "David Bowie - Heroes\nDavid Bowie - Low", "nightly": True, "quality": "320"})
    assert (answer.status, answer.json["added"]) == (202, 2)
    assert {one["quality"] for one in answer.json["downloads"]} == {"320"}
    assert front.house.download_records.job(answer.json["downloads"][0]["id"]).nightly
    page = front.ask("POST", "/api/downloads/batch", {"text": "<!doctype html><html>"})
    assert (page.status, page.json["error"]["code"]) == (422, "unsupported")


def test_ten_thousand_links_at_once_are_queued(front: Front) -> None:
    answer = front.ask("POST", "/api/downloads/batch", {
        "items": [{"url": f"http://many/{number}"} for number in range(10_000)], "priority": 1}, who="ben")
    assert (answer.status, answer.json["added"], len(answer.json["downloads"])) == (202, 10_000, 100)
    assert front.get("/api/downloads/manager/stats", who="ben")["waiting"] >= 10_000
    assert len(front.get("/api/downloads/manager/active", who="ben")["items"]) == 1000
    assert refusal(front, {"items": [{"url": LINK}] * 10_001}, "/api/downloads/batch")[0] == 400
    cancelled = front.ask("POST", "/api/downloads/bulk", {"action": "cancel", "status": "active"}, who="ben")
    assert len(cancelled.json["done"]) >= 10_000 and cancelled.json["failed"] == []
    assert front.get("/api/downloads?status=active", who="ben")["total"] == 0


def test_many_are_changed_at_once_and_what_cannot_be_is_named(front: Front, asked: Any) -> None:
    ids = [asked()["id"] for _ in range(3)]
    front.ask("DELETE", f"/api/downloads/{ids[0]}")
    answer = front.ask("POST", "/api/downloads/bulk", {"action": "pause", "ids": [*ids, ids[1], "nothing"]})
    assert answer.status == 200
    assert answer.json["done"] == ids[1:]
    assert [(one["id"], one["code"]) for one in answer.json["failed"]] == [
        (ids[0], "illegal_move"), ("nothing", "not_found")]
    gone = front.ask("POST", "/api/downloads/bulk", {"action": "dismiss", "ids": ids[:1]})
    assert gone.json == {"done": ids[:1], "failed": []}
    assert refusal(front, {"action": "pause"}, "/api/downloads/bulk")[2] == "ids"
    assert refusal(front, {"action": "explode", "ids": ids}, "/api/downloads/bulk")[2] == "action"
    assert refusal(front, {"action": "pause", "status": "asleep"}, "/api/downloads/bulk")[2] == "status"


# ---- lists and one -----------------------------------------------------------------------------------------------


def test_the_list_is_a_page_of_what_a_person_may_see(front: Front, asked: Any) -> None:
    mine, other = asked("ben", query="of ben"), asked("ann", query="of ann")
    page = front.get("/api/downloads?limit=1", who="ben")
    assert (set(page), page["items"][0]["id"]) == ({"items", "next_cursor", "total", "revision"}, mine["id"])
    assert {mine["id"], other["id"]} <= {one["id"] for one in front.get("/api/downloads?status=active")["items"]}
    assert {one["username"] for one in front.get("/api/downloads?status=waiting,paused", who="ben")["items"]} == {"ben"}
    assert front.get("/api/downloads?status=completed")["items"] == []
    assert front.ask("GET", "/api/downloads?status=done").status == 400
    assert front.ask("GET", f"/api/downloads/{other['id']}", who="ben").status == 404
    assert front.ask("GET", "/api/downloads", who="kid").status == 403


def test_one_has_its_history_and_candidates(front: Front, asked: Any) -> None:
    id = asked()["id"]
    records = front.house.download_records
    records.move(id, (S.PENDING, "its turn"))
    (candidate,) = records.candidates_write(id, [Candidate(
        provider="direct", locator={"url": LINK}, title="Heroes", artist="David Bowie", score=87.65,
        parts={"title": 1.0})])
    records.move(id, (S.FAILED, "It is private."), error=Failure("private", "It is private."), candidate=candidate.id,
                 stage_ms={"find": 12})
    whole = front.get(f"/api/downloads/{id}")
    assert set(whole) == FIELDS | {"history", "candidates", "stage_ms"}
    assert [(row["from"], row["to"], row["reason"]) for row in whole["history"]] == [
        (None, "waiting", "asked for"), ("waiting", "pending", "its turn"), ("pending", "failed", "It is private.")]
    assert whole["error"] == {"code": "private", "message": "It is private.", "retryable": False}
    (shown,) = whole["candidates"]
    assert shown == {
        "id": candidate.id, "provider": "direct", "title": "Heroes", "artist": "David Bowie", "album": None,
        "duration_ms": None, "format": None, "bitrate_kbps": None, "size_bytes": None, "score": 87.7,
        "parts": {"title": 1.0}, "rejected": None, "chosen": True}
    assert whole["stage_ms"] == {"find": 12}
    front.house.counter.ledger.log(id, "info", "It began.")
    assert [(one["level"], one["message"]) for one in front.get(f"/api/downloads/{id}/log")["items"]] == [
        ("info", "It began.")]
    blocked = front.ask("POST", f"/api/downloads/{id}/candidates/{candidate.id}/block")
    assert blocked.status == 200
    assert front.get(f"/api/downloads/{id}")["candidates"][0]["rejected"] == "A person said that this is not it."
    assert front.ask("POST", f"/api/downloads/{id}/candidates/{candidate.id}/choose").status == 200
    assert front.get(f"/api/downloads/{id}")["candidates"][0]["rejected"] is None
    assert front.ask("POST", f"/api/downloads/{id}/candidates/none/choose").status == 404


def test_it_is_paused_resumed_cancelled_and_dismissed(front: Front, asked: Any) -> None:
    id = asked()["id"]
    for deed, status in (("pause", "paused"), ("resume", "waiting")):
        answer = front.ask("POST", f"/api/downloads/{id}/{deed}")
        assert (answer.status, answer.json["status"], answer.json["download"]["status"]) == (200, status, status)
    assert front.ask("PATCH", f"/api/downloads/{id}", {"priority": 77}).json["priority"] == 77
    assert front.ask("POST", f"/api/downloads/{id}/dismiss").status == 409
    cancelled = front.ask("DELETE", f"/api/downloads/{id}")
    assert (cancelled.status, cancelled.json["status"], cancelled.json["id"]) == (200, "cancelled", id)
    again = front.ask("DELETE", f"/api/downloads/{id}")
    assert (again.status, again.json["error"]["code"]) == (409, "illegal_move")
    assert front.ask("POST", f"/api/downloads/{id}/dismiss").status == 204
    assert id not in {one["id"] for one in front.get("/api/downloads?status=cancelled")["items"]}


@pytest.mark.parametrize(("method", "path"), [
    ("GET", ""), ("DELETE", ""), ("POST", "/retry"), ("POST", "/pause"), ("POST", "/resume"), ("POST", "/dismiss"),
    ("GET", "/log"),
])
def test_what_is_somebody_elses_is_not_there(front: Front, asked: Any, method: str, path: str) -> None:
    id = asked("ann")["id"]
    assert front.ask(method, f"/api/downloads/{id}{path}", who="ben").status == 404
    assert front.ask(method, f"/api/downloads/nothing{path}").status == 404


@pytest.mark.parametrize("priority", [-1, 101, "high", None, 1.5])
def test_a_priority_is_a_number_from_0_to_100(front: Front, asked: Any, priority: Any) -> None:
    answer = front.ask("PATCH", f"/api/downloads/{asked()['id']}", {"priority": priority})
    assert (answer.status, answer.json["error"]["details"]["field"]) == (400, "priority")


# ---- the manager -------------------------------------------------------------------------------------------------


def test_the_manager_tells_figures_and_circuits(front: Front, asked: Any) -> None:
    id = asked()["id"]
    stats = front.get("/api/downloads/manager/stats")
    assert set(stats) == {*(status.value for status in Status), "bytes", "today", "queue"}
    assert set(stats["today"]) == {"completed", "failed"}
    assert id in {one["id"] for one in front.get("/api/downloads/manager/active")["items"]}
    health = front.get("/api/downloads/manager/health")
    assert health["providers"][0]["name"] == "direct" and health["queue"]["paused"] is False


def test_events_begin_with_how_things_stand(front: Front, asked: Any) -> None:
    id = asked()["id"]
    client = front.app.test_client(use_cookies=False)
    token = front.house.tokens["ann"]
    answer = client.get("/api/downloads/manager/events", headers={"Authorization": f"Bearer {token}"})
    try:
        chunks = iter(answer.response)
        lines = dict(line.split(": ", 1) for line in next(chunks).decode().strip().splitlines())
        assert lines["event"] == "snapshot"
        snapshot = json.loads(lines["data"])
        assert id in {one["id"] for one in snapshot["downloads"]}
        front.ask("DELETE", f"/api/downloads/{id}")
        assert b"event: download:changed\n" in next(chunks)
    finally:
        answer.close()
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_report_sums_up_a_span_and_has_a_table(front: Front, asked: Any) -> None:
    records, id = front.house.download_records, asked(query="for the report")["id"]
    records.move(id, (S.FAILED, "It is private."), error=Failure("private", "It is private."))
    report = front.get("/api/downloads/reports?from=2026-01-01")
    assert (report["from"], report["to"]) == ("2026-01-01", None)
    assert report["failures"]["private"]["count"] >= 1
    assert report["failed"] == sum(one["count"] for one in report["failures"].values())
    assert id in {row["id"] for row in report["items"]}
    assert front.get("/api/downloads/reports?to=2026-01-01")["items"] == []
    table = front.ask("GET", "/api/downloads/reports?format=csv")
    assert table.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert id.encode() in table.data and b"attachment" in table.headers["Content-Disposition"].encode()
    for query in ("from=soon", "to=1", "format=pdf", "from=2026-02-01&to=2026-01-01"):
        assert front.ask("GET", f"/api/downloads/reports?{query}").status == 400
    assert id not in {row["id"] for row in front.get("/api/downloads/reports", who="ben")["items"]}


# ---- doubts and origins ------------------------------------------------------------------------------------------


def test_doubtful_tracks_are_listed_until_somebody_looked(front: Front) -> None:
    track, other = (one["id"] for one in front.tracks("limit=2"))
    front.house.origins.put(track, provider="youtube", url=LINK, review="Two recordings fit.", quality_got="opus")
    page = front.get("/api/downloads/doubtful")
    assert [(one["track_id"], one["review"]) for one in page["items"]] == [(track, "Two recordings fit.")]
    assert front.get(f"/api/downloads/origins/{track}")["content"] == {"quality_got": "opus"}
    assert front.ask("GET", f"/api/downloads/origins/{other}").status == 404
    assert front.ask("DELETE", f"/api/downloads/doubtful/{track}").status == 204
    assert front.get("/api/downloads/doubtful")["items"] == []
    assert front.ask("DELETE", f"/api/downloads/doubtful/{other}").status == 404


# ---- words -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "seconds"), [
    ("1970-01-02", 86_400.0), ("1970-01-01T00:00:01Z", 1.0), ("1970-01-01T01:00:01 01:00", 1.0),
    ("1970-01-01T00:00:00.5+00:00", 0.5), (None, None),
])
def test_a_moment_is_rfc_3339_or_a_date(text: str | None, seconds: float | None) -> None:
    assert moment(text, "from") == seconds


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "2026-01-01T00:00:00", "99999-01-01", "5"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        moment(text, "from")
