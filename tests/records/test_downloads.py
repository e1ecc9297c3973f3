from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.database import Database, driver_cursor
from shared.model.download import (
    ACTIVE,
    MOVES,
    ON_THE_WAY,
    Candidate,
    Failure,
    IllegalMove,
    Options,
    Progress,
    Request,
    Status,
    Wanted,
)
from shared.model.errors import BadInput, Conflict, NotFound
from shared.model.person import Person
from shared.records.downloads import Downloads, IdempotencyConflict, fingerprint
from shared.records.people import People
from tests.patience import often
from tests.records.songs import Music

S = Status
THROUGH = (S.PENDING, S.QUEUED, S.DOWNLOADING, S.PROCESSING, S.COMPLETED)
HEROES = Wanted(title="Heroes", artist="David Bowie", album="Low", source="deezer", source_id="7", isrc="GBAYE7700064")


@pytest.fixture
def downloads(database: Database) -> Downloads:
    return Downloads(database=database)


@pytest.fixture
def adult(database: Database) -> Person:
    row = People(database=database).make_user("anna", "hash", "adult")
    return Person(user_id=row.id, id=row.uid, username=row.username, role=row.role)


def candidate(name: str = "a", **more: object) -> Candidate:
    said = {"provider": "direct", "locator": {"url": f"http://x/{name}"}, "title": name, "artist": "b"}
    return Candidate(**{**said, **more})


def link(name: str = "a", **more: object) -> Request:
    return Request(url=f"http://host/{name}.flac", **more)


def reach(downloads: Downloads, uid: str, *statuses: Status) -> None:
    downloads.move(uid, *((status, None) for status in statuses))


# ---- asking


def test_what_is_asked_for_is_written_down_whole(downloads: Downloads, owner: Person) -> None:
    request = Request(
        wanted=HEROES, options=Options(quality="320", trim=True), priority=70, group="g", not_before=2e9, nightly=True
    )
    uid, created = downloads.submit(owner.user_id, request)
    assert created
    job = downloads.job(uid)
    assert (job.request, job.wanted, job.status, job.user_id) == (request, HEROES, S.WAITING, owner.user_id)
    whole = downloads.whole(owner, uid)
    assert (whole.title, whole.artist, whole.album, whole.source) == ("Heroes", "David Bowie", "Low", "deezer")
    assert (whole.status, whole.quality, whole.priority, whole.username) == ("waiting", "320", 70, "olga")
    assert whole.not_before == "2033-05-18T03:33:20.000Z"
    assert (whole.attempt, whole.error, whole.candidates, whole.stage_ms) == (0, None, [], {})
    assert [(row.from_, row.to, row.reason) for row in whole.history] == [(None, "waiting", "asked for")]


@pytest.mark.parametrize("request_", [Request(url="http://h/a"), Request(query="a - b"), Request(track_id="t")])
def test_a_request_comes_back_as_it_was(downloads: Downloads, owner: Person, request_: Request) -> None:
    uid, _ = downloads.submit(owner.user_id, request_)
    downloads.update(uid, wanted=HEROES)
    job = downloads.job(uid)
    assert (job.request, job.wanted) == (request_, HEROES)


def test_the_same_is_not_queued_twice_while_it_is_under_way(downloads: Downloads, owner: Person, guest: Person) -> None:
    uid, _ = downloads.submit(owner.user_id, link())
    assert downloads.submit(owner.user_id, replace(link(), priority=90, group="g")) == (uid, False)
    assert downloads.submit(guest.user_id, link())[1]
    assert downloads.submit(owner.user_id, replace(link(), options=Options(quality="128")))[1]
    downloads.move(uid, (S.CANCELLED, "by a person"))
    again, created = downloads.submit(owner.user_id, link())
    assert created and again != uid


def test_a_key_brings_the_same_download_also_when_over(downloads: Downloads, owner: Person, guest: Person) -> None:
    uid, _ = downloads.submit(owner.user_id, link(idempotency_key="k"))
    reach(downloads, uid, *THROUGH)
    assert downloads.submit(owner.user_id, link(idempotency_key="k")) == (uid, False)
    assert downloads.submit(guest.user_id, link(idempotency_key="k"))[1]
    with pytest.raises(IdempotencyConflict) as raised:
        downloads.submit_many(owner.user_id, [link("new"), link("other", idempotency_key="k")])
    assert raised.value.code == "idempotency_conflict"
    assert downloads.page(owner).total == 2  # nothing of the refused ones


def test_many_are_added_once_each_in_their_order(downloads: Downloads, owner: Person) -> None:
    first = downloads.submit(owner.user_id, link("1"))[0]
    answers = downloads.submit_many(owner.user_id, [link("0"), link("1"), link("2"), link("0")], group="g")
    assert [created for _, created in answers] == [True, False, True, False]
    assert answers[1][0] == first and answers[3] == (answers[0][0], False)
    assert [row[0] for row in downloads.waiting()] == [first, answers[0][0], answers[2][0]]
    assert [one.id for one in downloads.page(owner, group="g").items] == [answers[2][0], answers[0][0]]


def test_ten_thousand_links_are_one_transaction(downloads: Downloads, database: Database, owner: Person) -> None:
    commits = []
    database.on_commit(lambda: commits.append(1))
    answers = downloads.submit_many(owner.user_id, [link(str(n)) for n in range(10_000)])
    assert len(commits) == 1
    assert len({uid for uid, created in answers if created}) == 10_000
    assert [row[0] for row in downloads.waiting()] == [uid for uid, _ in answers]
    assert downloads.stats(owner)["waiting"] == 10_000
    assert len(downloads.whole(owner, answers[5000][0]).history) == 1
    assert len(downloads.active(owner)) == 1_000


def test_what_a_link_led_to_is_added_once_however_often_it_is_followed(downloads: Downloads, owner: Person) -> None:
    parent, _ = downloads.submit(owner.user_id, link("album"))
    tracks = [Request(wanted=replace(HEROES, source_id=str(n), cover_url="http://c/1")) for n in range(3)]
    first = downloads.submit_many(owner.user_id, tracks, parent=parent, group=parent)
    downloads.move(first[0][0], (S.FAILED, "no"))
    anew = [replace(one, wanted=replace(one.wanted or HEROES, cover_url="http://c/2")) for one in tracks]
    again = downloads.submit_many(owner.user_id, [*anew, Request(wanted=replace(HEROES, source_id="9"))], parent=parent)
    assert [uid for uid, _ in again[:3]] == [uid for uid, _ in first]
    assert [created for _, created in again] == [False, False, False, True]
    assert downloads.job(first[0][0]).parent == parent
    with pytest.raises(NotFound):
        downloads.submit_many(owner.user_id, tracks, parent="nothing")


def test_what_is_wanted_tells_requests_apart_not_how_soon() -> None:
    base = Request(wanted=Wanted(title="a", artist="b"))
    same = [
        replace(base, priority=1),
        replace(base, not_before=5.0, nightly=True),
        replace(base, group="g", idempotency_key="k"),
        replace(base, wanted=Wanted(title="a", artist="b", cover_url="c", genres=("x",))),
    ]
    other = [
        Request(query="a"),
        Request(url="a"),
        Request(track_id="a"),
        Request(wanted=Wanted(title="a", artist="c")),
        replace(base, options=Options(level="off")),
    ]
    assert {fingerprint(one) for one in same} == {fingerprint(base)}
    assert len({fingerprint(one) for one in [base, *other]}) == 6


# ---- moving


@pytest.mark.parametrize("old", list(Status))
def test_only_the_moves_of_the_table_are_made(downloads: Downloads, owner: Person, old: Status) -> None:
    ways: dict[Status, tuple[Status, ...]] = {
        S.WAITING: (),
        **{status: THROUGH[: place + 1] for place, status in enumerate(THROUGH)},
        S.PAUSED: (S.PENDING, S.PAUSED),
        S.FAILED: (S.FAILED,),
        S.CANCELLED: (S.PENDING, S.QUEUED, S.CANCELLED),
    }
    for new in Status:
        uid, _ = downloads.submit(owner.user_id, link(f"{old}{new}"))
        if ways[old]:
            reach(downloads, uid, *ways[old])
        before = downloads.whole(owner, uid)
        if new in MOVES[old]:
            downloads.move(uid, (new, "why"))
            after = downloads.whole(owner, uid)
            assert after.status == new
            last = after.history[-1]
            assert (last.from_, last.to, last.reason) == (old.value, new.value, "why")
            assert len(after.history) == len(before.history) + 1
        else:
            with pytest.raises(IllegalMove):
                downloads.move(uid, (new, "why"), title="changed")
            assert downloads.whole(owner, uid) == before


def test_a_next_try_is_two_history_rows_and_one_transaction(
    downloads: Downloads, database: Database, owner: Person
) -> None:
    uid, _ = downloads.submit(owner.user_id, link())
    reach(downloads, uid, S.PENDING, S.QUEUED, S.DOWNLOADING)
    commits = []
    database.on_commit(lambda: commits.append(1))
    error = Failure("timed_out", "It took too long.")
    downloads.move(
        uid, (S.FAILED, "It took too long."), (S.WAITING, "again in 2 s"), error=error, attempt=1, not_before=5.0
    )
    assert len(commits) == 1
    whole = downloads.whole(owner, uid)
    assert [(row.from_, row.to, row.stage) for row in whole.history[-2:]] == [
        ("downloading", "failed", "fetch"),
        ("failed", "waiting", None),
    ]
    assert whole.error is not None and (whole.error.code, whole.error.retryable) == ("timed_out", True)
    assert (whole.attempt, whole.finished_at, whole.stage) == (1, None, None)
    reach(downloads, uid, S.PENDING)
    assert (downloads.shown(owner, uid).error, downloads.shown(owner, uid).not_before) == (None, None)


def test_every_move_has_a_reason(downloads: Downloads, owner: Person) -> None:
    uid, _ = downloads.submit(owner.user_id, link())
    downloads.move(uid, (S.PENDING, None), (S.QUEUED, "two candidates"))
    reach(downloads, uid, *THROUGH[2:])
    reasons = [row.reason for row in downloads.whole(owner, uid).history]
    assert reasons == [
        "asked for", "its turn has come", "two candidates", "a place was free", "it is fetched", "it is in the library",
    ]  # fmt: skip


def test_an_illegal_step_undoes_the_steps_before_it(downloads: Downloads, owner: Person) -> None:
    uid, _ = downloads.submit(owner.user_id, link())
    with pytest.raises(IllegalMove):
        downloads.move(uid, (S.PENDING, None), (S.COMPLETED, None))
    assert downloads.shown(owner, uid).status == "waiting"
    with pytest.raises(NotFound):
        downloads.move("nothing", (S.PENDING, None))


@settings(max_examples=often(20), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(list(Status)), max_size=12), st.integers())
def test_however_it_is_moved_history_and_status_agree(
    downloads: Downloads, owner: Person, moves: list[Status], salt: int
) -> None:
    uid, _ = downloads.submit(owner.user_id, link(f"{salt}"))
    legal = 0
    for to in moves:
        try:
            downloads.move(uid, (to, None))
            legal += 1
        except IllegalMove:
            continue
    whole = downloads.whole(owner, uid)
    assert len(whole.history) == legal + 1
    assert whole.history[-1].to == whole.status
    assert all(later.from_ == earlier.to for earlier, later in itertools.pairwise(whole.history))
    assert (whole.finished_at is not None) == (whole.status in ("completed", "failed", "cancelled"))
    if whole.status not in ("completed", "failed", "cancelled"):
        downloads.move(uid, (S.CANCELLED, "the end of the test"))


def test_thousands_are_moved_in_one_transaction_and_only_those_that_may(
    downloads: Downloads, database: Database, owner: Person
) -> None:
    uids = [uid for uid, _ in downloads.submit_many(owner.user_id, [link(str(n)) for n in range(2_000)])]
    reach(downloads, uids[0], S.PENDING)
    reach(downloads, uids[1], S.CANCELLED)
    commits = []
    database.on_commit(lambda: commits.append(1))
    moved = downloads.move_many([*uids, "nothing", uids[5]], (S.CANCELLED, "all of them"), only=[S.WAITING, S.PAUSED])
    assert (moved, len(commits)) == (uids[2:], 1)
    last = downloads.whole(owner, uids[9])
    assert (last.status, last.finished_at is not None) == ("cancelled", True)
    assert [(row.from_, row.to, row.reason) for row in last.history][1:] == [("waiting", "cancelled", "all of them")]
    assert downloads.shown(owner, uids[0]).status == "pending"
    with pytest.raises(IllegalMove):
        downloads.move_many(uids, (S.WAITING, None), only=[S.CANCELLED])


def test_a_finished_download_shows_what_came_of_it(downloads: Downloads, owner: Person) -> None:
    uid, _ = downloads.submit(owner.user_id, link())
    reach(downloads, uid, S.PENDING, S.QUEUED, S.DOWNLOADING)
    downloads.update(uid, progress=Progress(bytes=250, total_bytes=1000, bytes_per_second=50.0), parcel={"a": [1]})
    now = downloads.shown(owner, uid)
    assert (now.progress.percent, now.progress.bytes_per_second, now.progress.eta_s) == (25.0, 50.0, 15.0)
    assert downloads.job(uid).parcel == {"a": [1]}
    downloads.move(uid, (S.PROCESSING, None))
    assert downloads.shown(owner, uid).progress.bytes_per_second is None
    downloads.move(
        uid, (S.COMPLETED, None), track_uid="t", duplicate_of="t", quality_got="flac", sha256="ff", warnings=["w"],
        stage_ms={"fetch": 5}, note="Already in your library", bytes=1000,
    )  # fmt: skip
    done = downloads.whole(owner, uid)
    assert (done.track_id, done.duplicate_of, done.quality_got, done.warnings) == ("t", "t", "flac", ["w"])
    assert (done.stage_ms, done.note, done.progress.bytes) == ({"fetch": 5}, "Already in your library", 1000)
    assert done.finished_at is not None and downloads.job(uid).parcel is None


def test_a_field_that_is_none_is_refused(downloads: Downloads, owner: Person) -> None:
    uid, _ = downloads.submit(owner.user_id, link())
    with pytest.raises(TypeError):
        downloads.update(uid, status="completed")
    with pytest.raises(NotFound):
        downloads.update("nothing", note="x")


def test_what_was_on_the_way_waits_again_after_a_crash(downloads: Downloads, owner: Person) -> None:
    uids = {status: downloads.submit(owner.user_id, link(status))[0] for status in Status}
    for place, status in enumerate(THROUGH):
        reach(downloads, uids[status], *THROUGH[: place + 1])
    for status in (S.PAUSED, S.FAILED, S.CANCELLED):
        reach(downloads, uids[status], status)
    assert set(downloads.recover("the station ended")) == {uids[status] for status in ON_THE_WAY}
    for status, uid in uids.items():
        whole = downloads.whole(owner, uid)
        assert whole.status == ("waiting" if status in ON_THE_WAY else status.value)
        if status in ON_THE_WAY:
            assert [(row.from_, row.to) for row in whole.history[-2:]] == [(status, "paused"), ("paused", "waiting")]
            assert whole.history[-2].reason == "the station ended"
    assert downloads.recover("again") == []


def test_the_soonest_to_run_comes_first_with_its_time(downloads: Downloads, owner: Person) -> None:
    low, _ = downloads.submit(owner.user_id, link("low", priority=10))
    usual, _ = downloads.submit(owner.user_id, link("usual", not_before=7.0))
    later, _ = downloads.submit(owner.user_id, link("later", nightly=True))
    high, _ = downloads.submit(owner.user_id, link("high", priority=90))
    rows = downloads.waiting()
    assert [row[0] for row in rows] == [high, usual, later, low]
    assert [(row[3], row[4]) for row in rows] == [(None, False), (7.0, False), (None, True), (None, False)]


# ---- who sees what


def test_a_person_sees_their_own_and_an_owner_all(downloads: Downloads, owner: Person, adult: Person) -> None:
    mine, _ = downloads.submit(adult.user_id, link("adult"))
    other, _ = downloads.submit(owner.user_id, link("owner"))
    assert [one.id for one in downloads.page(adult).items] == [mine]
    assert [one.id for one in downloads.page(owner).items] == [other, mine]
    assert [one.id for one in downloads.active(adult)] == downloads.ids(adult) == [mine]
    assert (downloads.stats(adult)["waiting"], downloads.stats(owner)["waiting"]) == (1, 2)
    assert downloads.shown(owner, mine).username == "anna"
    for look in (downloads.shown, downloads.whole):
        with pytest.raises(NotFound):
            look(adult, other)
    assert downloads.as_shown(other)[0] == owner.user_id
    narrow = replace(owner, scope="add")  # a device of the owner's that may only add
    assert [one.id for one in downloads.page(narrow).items] == [other]


def test_downloads_outlive_the_person_who_asked(
    downloads: Downloads, database: Database, owner: Person, adult: Person
) -> None:
    uid, _ = downloads.submit(adult.user_id, link(idempotency_key="k"))
    downloads.block("direct:x", "w", adult.user_id)
    People(database=database).delete_user(adult.id)
    shown = downloads.shown(owner, uid)
    assert (shown.status, shown.username) == ("waiting", None)
    assert downloads.as_shown(uid)[0] == 0
    assert downloads.job(uid).user_id is None
    reach(downloads, uid, *THROUGH)
    assert downloads.report(owner)[0].username is None
    assert downloads.blocked("w") == {"direct:x"}
    assert downloads.submit(None, link(idempotency_key="k")) == (uid, False)


def test_what_waits_is_listed_as_it_will_run(downloads: Downloads, owner: Person) -> None:
    uids = [downloads.submit(owner.user_id, replace(link(str(n)), priority=priority))[0]
            for n, priority in enumerate((50, 90, 50, 10))]
    downloads.move(uids[1], (S.PAUSED, None))
    turns = [uids[1], uids[0], uids[2], uids[3]]
    assert [one.id for one in downloads.page(owner, status=["waiting", "paused"]).items] == turns
    first = downloads.page(owner, status="waiting", limit=2)
    second = downloads.page(owner, status="waiting", limit=2, cursor=first.next_cursor)
    assert [one.id for one in [*first.items, *second.items]] == [uids[0], uids[2], uids[3]]
    assert [one.id for one in downloads.page(owner).items] == uids[::-1]


def test_pages_follow_each_other_while_new_ones_come(downloads: Downloads, owner: Person) -> None:
    uids = [downloads.submit(owner.user_id, link(str(n)))[0] for n in range(7)]
    for uid in uids[:2]:
        downloads.move(uid, (S.CANCELLED, None))
    first = downloads.page(owner, limit=3)
    assert first.total == 7
    downloads.submit(owner.user_id, link("new"))
    second = downloads.page(owner, limit=10, cursor=first.next_cursor)
    assert [one.id for one in [*first.items, *second.items]] == uids[::-1]
    assert second.next_cursor is None
    cancelled = downloads.page(owner, status="cancelled")
    assert ({one.id for one in cancelled.items}, cancelled.total) == (set(uids[:2]), 2)
    assert downloads.page(owner, status=("waiting", "cancelled")).total == 8
    assert [one.id for one in downloads.page(owner, limit=2, offset=2).items] == uids[::-1][1:3]
    with pytest.raises(BadInput):
        downloads.page(owner, status="done")
    with pytest.raises(BadInput):
        downloads.page(owner, cursor=first.next_cursor, status="waiting")


def test_what_is_nearest_to_its_end_is_shown_first_as_active(downloads: Downloads, owner: Person) -> None:
    paused, waiting, running, over = (downloads.submit(owner.user_id, link(name))[0] for name in "pwro")
    reach(downloads, paused, S.PAUSED)
    reach(downloads, running, S.PENDING)
    reach(downloads, over, S.CANCELLED)
    assert [one.id for one in downloads.active(owner)] == [running, waiting, paused]
    assert [one.id for one in downloads.active(owner, limit=2)] == [running, waiting]
    assert [one.id for one in downloads.recent(owner, since=0)] == [over]
    assert downloads.recent(owner, since=5e9) == []


def test_only_what_is_over_is_taken_off_the_list_and_reports_keep_it(downloads: Downloads, owner: Person) -> None:
    uid, _ = downloads.submit(owner.user_id, link())
    with pytest.raises(Conflict):
        downloads.hide(uid)
    reach(downloads, uid, *THROUGH[:4])
    downloads.move(uid, (S.COMPLETED, None), bytes=77)
    downloads.hide(uid)
    assert downloads.page(owner).items == downloads.ids(owner) == []
    stats = downloads.stats(owner)
    assert (stats["completed"], stats["bytes"], stats["today"]) == (0, 77, {"completed": 1, "failed": 0})
    assert [row.id for row in downloads.report(owner)] == [uid]
    with pytest.raises(NotFound):
        downloads.hide("nothing")


def test_stats_count_every_status_and_bytes_of_what_is_there(downloads: Downloads, owner: Person) -> None:
    assert downloads.stats(owner) == {
        **{status.value: 0 for status in Status}, "bytes": 0, "today": {"completed": 0, "failed": 0},
    }  # fmt: skip
    for name, last in (("a", 5), ("b", 5), ("c", 3)):
        uid, _ = downloads.submit(owner.user_id, link(name))
        reach(downloads, uid, *THROUGH[:last])
        downloads.update(uid, bytes=10)
    failed, _ = downloads.submit(owner.user_id, link("f"))
    downloads.move(failed, (S.FAILED, None))
    stats = downloads.stats(owner)
    assert (stats["completed"], stats["downloading"], stats["failed"], stats["bytes"]) == (2, 1, 1, 20)
    assert stats["today"] == {"completed": 2, "failed": 1}


def test_a_report_tells_what_ended_in_its_span(downloads: Downloads, database: Database, owner: Person) -> None:
    start = datetime(2026, 1, 1)
    for day in range(4):
        uid, _ = downloads.submit(owner.user_id, link(str(day)))
        downloads.move(uid, (S.PENDING, None), (S.FAILED, "x"), error=Failure("private", "It is private."))
        at = (start + timedelta(days=day)).timestamp()
        with database.transaction() as conn:
            driver_cursor(conn).execute(
                "UPDATE downloads SET started_at = ?, finished_at = ? WHERE uid = ?", (at - 2.5, at, uid)
            )
    rows = downloads.report(owner, (start + timedelta(days=1)).timestamp(), (start + timedelta(days=3)).timestamp())
    assert [row.url for row in rows] == ["http://host/1.flac", "http://host/2.flac"]
    assert (rows[0].error_code, rows[0].duration_ms, rows[0].status) == ("private", 2500, "failed")
    assert len(downloads.report(owner, limit=3)) == 3


# ---- candidates


def test_candidates_keep_their_ids_and_why_they_were_rejected(downloads: Downloads, owner: Person) -> None:
    uid, _ = downloads.submit(owner.user_id, link())
    first = downloads.candidates_write(
        uid, [candidate("a", score=90.0, parts={"title": 1.0}, extra={"views": 3}), candidate("b"), candidate("a")]
    )
    assert [one.title for one in first] == ["a", "b"] and all(one.id for one in first)
    assert downloads.candidates(uid) == first
    downloads.candidate_reject(uid, first[0].id, "It is damaged.")
    second = downloads.candidates_write(uid, [candidate("c"), candidate("a")])
    assert [(one.title, one.rejected) for one in second] == [("c", None), ("a", "It is damaged.")]
    assert second[1].id == first[0].id
    third = downloads.candidates_write(uid, [candidate("c")])
    assert [one.title for one in downloads.candidates(uid)] == ["c", "a"]  # rejected ones stay, after the others
    assert third[0].id == second[0].id
    downloads.candidate_first(uid, first[0].id)
    assert [(one.title, one.rejected) for one in downloads.candidates(uid)] == [("a", None), ("c", None)]
    assert downloads.candidate_of(first[0].id) == (uid, downloads.candidates(uid)[0])


def test_the_chosen_candidate_is_shown_and_names_the_source(downloads: Downloads, owner: Person) -> None:
    uid, _ = downloads.submit(owner.user_id, link())
    other, _ = downloads.submit(owner.user_id, link("other"))
    one, two = downloads.candidates_write(uid, [candidate("a"), candidate("b", provider="youtube")])
    downloads.update(uid, candidate=two.id)
    whole = downloads.whole(owner, uid)
    assert [(shown.id, shown.chosen) for shown in whole.candidates] == [(one.id, False), (two.id, True)]
    assert (whole.source, downloads.job(uid).candidate) == ("youtube", two.id)
    downloads.candidates_write(uid, [candidate("a")])
    assert downloads.job(uid).candidate == two.id  # what is fetched stays
    for deed in (
        lambda: downloads.update(other, candidate=one.id),
        lambda: downloads.candidate_reject(other, one.id, "x"),
        lambda: downloads.candidate_of("nothing"),
    ):
        with pytest.raises(NotFound):
            deed()
    downloads.update(uid, candidate=None)
    assert downloads.job(uid).candidate is None


def test_not_this_holds_for_the_recording_it_was_said_of(downloads: Downloads, owner: Person) -> None:
    downloads.block("youtube:x", "bowie\x1fheroes", owner.user_id)
    downloads.block("youtube:x", "bowie\x1fheroes", owner.user_id)
    downloads.block("youtube:bad", "", owner.user_id)
    assert downloads.blocked("bowie\x1fheroes") == {"youtube:x", "youtube:bad"}
    assert downloads.blocked("other") == {"youtube:bad"}
    downloads.unblock("youtube:x", "bowie\x1fheroes")
    assert downloads.blocked("bowie\x1fheroes") == {"youtube:bad"}


def test_every_active_status_counts_as_under_way() -> None:
    assert frozenset({S.WAITING, S.PAUSED}) | ON_THE_WAY == ACTIVE


def test_a_track_that_came_from_a_link_is_known_by_it(downloads: Downloads, music: Music) -> None:
    from shared.records.origins import Origins

    (song,) = music.album("a", "Low", "David Bowie", 1)
    Origins(database=music.database).put(song, provider="direct", url="http://host/a.flac")
    assert downloads.by_url("http://host/a.flac") == song
    assert downloads.by_url("http://host/b.flac") is None
