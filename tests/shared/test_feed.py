"""What is told: in which order, how often, to whom; and what a reader hears that was away."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared import feed as room
from shared.events import (
    DownloadLogged,
    DownloadMoved,
    DownloadRemoved,
    ErrandMoved,
    LibraryChanged,
    Notice,
    PersonChanged,
    ScanMoved,
    SessionsEnded,
)
from shared.feed import Feed, Told
from shared.model.download import Download, Options, ShownProgress, Status
from shared.model.errand import Errand, ShownSelection
from shared.model.person import Person
from shared.model.work import Moved
from tests.patience import often
from tests.routes.fakes import ANN, BEN, EAR, KID, FakeStation

HALF = Person(user_id=4, id="u-half", username="half", role="adult", token_id=5, limited=True)


def a_download(id: str = "d1", status: str = "downloading", **fields: Any) -> Download:
    nothing = dict.fromkeys((
        "stage", "title", "artist", "album", "cover_url", "url", "query", "source", "error", "note", "track_id",
        "duplicate_of", "quality_got", "group", "username", "not_before", "finished_at"))
    said: dict[str, Any] = {
        **nothing, "id": id, "status": status, "quality": "lossless", "options": Options(), "priority": 50,
        "progress": ShownProgress(bytes=0, total_bytes=None, percent=None, bytes_per_second=None, eta_s=None),
        "attempt": 1, "warnings": [], "created_at": "", "updated_at": "", **fields,
    }
    return Download(**said)


def moved(id: str = "d1", status: str = "downloading", *, user: int = 2, **fields: Any) -> DownloadMoved:
    return DownloadMoved(user, a_download(id, status, **fields))


class Ear:
    """Hears everything that is told, with the moment."""

    def __init__(self, feed: Feed) -> None:
        self.heard: list[tuple[float, Told]] = []
        self.came = threading.Condition()
        feed.attach(self.hear)
        feed.begin()

    def hear(self, told: Told) -> None:
        with self.came:
            self.heard.append((time.monotonic(), told))
            self.came.notify_all()

    def wait_for(self, count: int) -> list[tuple[str, Any]]:
        with self.came:
            assert self.came.wait_for(lambda: len(self.heard) >= count, 10), [one.event for _, one in self.heard]
            return [(told.event, json.loads(told.object_for(ANN, 0))) for _, told in self.heard]


class Reader:
    """Reads a stream of Server-Sent Events in a thread of its own."""

    def __init__(self, feed: Feed, person: Person = ANN, after: str | None = None) -> None:
        self.text = b""
        self.ended = False
        self.came = threading.Condition()
        self.stream = feed.stream(person, f"{person.username}-token", "", after)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self) -> None:
        for chunk in self.stream:
            with self.came:
                self.text += chunk
                self.came.notify_all()
        with self.came:
            self.ended = True
            self.came.notify_all()

    @property
    def events(self) -> list[tuple[str, str, Any]]:
        """(id, event, data) of all so far."""
        found = []
        for block in self.text.decode().split("\n\n"):
            lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
            if lines:
                found.append((lines["id"], lines["event"], json.loads(lines["data"])))
        return found

    def wait_for(self, count: int) -> list[tuple[str, str, Any]]:
        with self.came:
            assert self.came.wait_for(lambda: len(self.events) >= count, 10), self.text
            return self.events

    def wait_until(self, true: Any) -> None:
        with self.came:
            assert self.came.wait_for(true, 10), self.text


@pytest.fixture
def station(tmp_path: Any) -> Iterator[FakeStation]:
    station = FakeStation(tmp_path)
    yield station
    station.feed.stop()


@pytest.fixture
def feed(station: FakeStation) -> Feed:
    return station.feed


@pytest.fixture
def ear(feed: Feed) -> Ear:
    return Ear(feed)


# ---- how often ---------------------------------------------------------------------------------------------------


class Clockwork:
    """The feed's telling of downloads by a clock of the test's own; its herald sleeps."""

    def __init__(self, station: FakeStation) -> None:
        self.station, self.feed = station, station.feed
        self.now = 1000.0
        self.told: list[tuple[float, Download]] = []
        self.feed._herald = threading.current_thread()
        self.feed._budget_at = self.now
        self.feed.begin()
        self.feed.attach(lambda told: self.told.append((self.now, json.loads(told.object_for(ANN, 1)).get("download"))))

    def publish(self, *events: DownloadMoved) -> None:
        for event in events:
            self.station.events.publish(event)

    def go(self, seconds: float, step_s: float = 0.01) -> None:
        """As the herald would: at least when it said that there is something due."""
        until = self.now + seconds
        while self.now < until:
            due = self.feed._tell_downloads(self.now)
            self.now = min(until, max(self.now + step_s / 10, min(due, self.now + step_s)))

    @property
    def statuses(self) -> list[str]:
        return [str(download["status"]) for _, download in self.told]


@pytest.fixture
def clockwork(station: FakeStation) -> Clockwork:
    return Clockwork(station)


def test_the_first_word_and_the_last_state_are_told_whatever_came_between(clockwork: Clockwork) -> None:
    for done in range(200):
        clockwork.publish(moved(quality_got=str(done)))
        clockwork.go(0.001)
    clockwork.go(2)
    assert [download["quality_got"] for _, download in clockwork.told] == ["0", "199"]


def test_words_of_one_download_keep_their_distance_and_do_not_hold_back_others(clockwork: Clockwork) -> None:
    for _ in range(300):
        clockwork.publish(moved("a"), moved("b"))
        clockwork.go(0.01)
    for id in ("a", "b"):
        moments = [at for at, download in clockwork.told if download["id"] == id]
        assert 5 <= len(moments) <= 7
        assert all(later - earlier >= 0.5 for earlier, later in itertools.pairwise(moments))


@settings(max_examples=often(30), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.floats(0, 0.7), st.sampled_from(list(Status))), min_size=1, max_size=25))
def test_never_more_than_two_words_a_second_and_always_the_last(
    station: FakeStation, words: list[tuple[float, Status]]
) -> None:
    clockwork = Clockwork(FakeStation(station.music))
    for pause, status in words:
        clockwork.publish(moved(status=status.value))
        clockwork.go(pause)
    clockwork.go(1.1)
    moments = [at for at, _ in clockwork.told]
    assert all(third - first >= 1.0 for first, third in zip(moments, moments[2:], strict=False))
    assert clockwork.statuses[-1] == words[-1][1]


def test_the_end_of_a_download_is_told_at_once(clockwork: Clockwork) -> None:
    clockwork.publish(moved(status="downloading"))
    clockwork.go(0.1)
    clockwork.publish(moved(status="processing"))
    clockwork.go(0.1)
    clockwork.publish(moved(status="completed"))
    clockwork.go(0.01)
    assert clockwork.statuses == ["downloading", "completed"]


def test_ten_thousand_at_once_are_told_in_turn_and_what_runs_comes_first(clockwork: Clockwork) -> None:
    clockwork.feed._budget = 0.0
    clockwork.publish(*(moved(f"d{number}", "waiting") for number in range(10_000)), moved("last", "downloading"))
    clockwork.go(1, 0.1)
    assert clockwork.told[0][1]["id"] == "last"
    assert 100 <= len(clockwork.told) <= room.DOWNLOADS_PER_S * 1.1
    assert [download["id"] for _, download in clockwork.told[1:50]] == [f"d{number}" for number in range(49)]


def test_what_was_told_long_ago_is_forgotten(clockwork: Clockwork) -> None:
    clockwork.publish(*(moved(f"d{number}") for number in range(50)))
    clockwork.go(3)
    assert clockwork.feed._words == {}


# ---- to whom -----------------------------------------------------------------------------------------------------


def test_downloads_are_told_to_who_asked_and_to_owners(station: FakeStation, ear: Ear) -> None:
    station.events.publish(moved(user=2))
    station.events.publish(DownloadLogged(2, "d1", "info", "2026-01-01T00:00:00Z", "It began."))
    station.events.publish(DownloadRemoved(2, "d2"))
    ear.wait_for(3)
    other = Person(user_id=9, id="u", username="u", role="adult")
    fell = Person(user_id=2, id="u-ben", username="ben", role="child")      # asked for it when still an adult
    for _, told in ear.heard:
        assert [told.sees(one) for one in (ANN, BEN, KID, EAR, other, fell)] == [True, True] + [False] * 4
    assert {told.event for _, told in ear.heard} == {"download:changed", "download:log", "download:removed"}


def test_what_nobody_owns_any_more_is_told_to_owners(station: FakeStation, ear: Ear) -> None:
    station.events.publish(moved(user=0))
    ear.wait_for(1)
    assert [ear.heard[0][1].sees(one) for one in (ANN, BEN)] == [True, False]


def test_the_words_carry_the_fields_of_the_contract(station: FakeStation, ear: Ear) -> None:
    station.events.publish(moved(title="Heroes"))
    station.events.publish(DownloadLogged(2, "d1", "warning", "2026-01-01T00:00:00Z", "Slow."))
    heard = dict(ear.wait_for(2))
    assert heard["download:changed"]["download"]["title"] == "Heroes"
    assert heard["download:log"] == {
        "seq": 0, "id": "d1", "level": "warning", "at": "2026-01-01T00:00:00Z", "message": "Slow."}


def test_what_is_removed_is_not_spoken_of_again(clockwork: Clockwork) -> None:
    clockwork.publish(moved())
    clockwork.go(0.01)
    clockwork.publish(moved(status="processing"))       # held back for half a second
    clockwork.station.events.publish(DownloadRemoved(2, "d1"))
    clockwork.feed._news.popleft()()
    assert clockwork.feed._words == {}


def test_nothing_is_kept_or_told_before_somebody_listens(station: FakeStation, feed: Feed) -> None:
    station.events.publish(LibraryChanged(8))
    station.events.publish(moved())
    station.events.publish(Notice("info", "x"))
    assert feed._herald is None
    ear = Ear(feed)
    station.events.publish(LibraryChanged(9))
    assert [(event, data["revision"]) for event, data in ear.wait_for(1)] == [("library:changed", 9)]


# ---- errands -----------------------------------------------------------------------------------------------------


def an_errand(id: str = "e1", state: str = "running", done: int = 0) -> Errand:
    nothing = ShownSelection(provider=None, everything=True, album_ids=[], album_count=0, track_ids=[], track_count=0)
    return Errand(id=id, kind="upload", state=state, title=None, selection=nothing, progress=Moved(done=done),
                  report=None, message=None, attempt=0, username=None, not_before=None, created_at="", started_at=None,
                  finished_at=None)


def test_errands_are_told_to_who_sees_files_and_half_a_second_apart(station: FakeStation) -> None:
    feed, told = station.feed, []
    feed._herald = threading.current_thread()       # by a clock of the test's own
    feed.begin()
    feed.attach(lambda one: told.append(one))
    for done in range(5):
        station.events.publish(ErrandMoved(an_errand(done=done)))
        due = feed._tell_errands(1000.0 + done / 100)
    station.events.publish(ErrandMoved(an_errand("e2", done=7)))
    feed._tell_errands(1000.1)
    assert due == 1000.5 and feed._tell_errands(1000.5) == float("inf")
    heard = [json.loads(one.object_for(ANN, 1))["errand"] for one in told]
    assert [(one["id"], one["progress"]["done"]) for one in heard] == [("e1", 0), ("e2", 7), ("e1", 4)]
    assert all(one.event == "errand:changed" for one in told)
    assert [one.sees(ANN) and one.sees(BEN) and not one.sees(KID) and not one.sees(EAR) for one in told] == [True] * 3
    station.events.publish(ErrandMoved(an_errand(state="done")))
    feed._tell_errands(1000.51)                     # an end waits for nothing
    assert json.loads(told[-1].object_for(ANN, 1))["errand"]["state"] == "done"


def test_errands_under_way_are_in_the_snapshot_of_who_sees_files(station: FakeStation) -> None:
    feed = Feed(events=station.events, accounts=station.accounts, scanning=station.scanning, changes=station.changes,
                errands=lambda: [an_errand()])
    assert [one.id for one in feed.snapshot(BEN)["errands"]] == ["e1"]
    assert feed.snapshot(KID)["errands"] == feed.snapshot(EAR)["errands"] == []
    feed.stop()


# ---- Server-Sent Events ------------------------------------------------------------------------------------------


def test_a_reader_hears_how_things_stand_and_then_what_happens(station: FakeStation, feed: Feed) -> None:
    station.downloads.shown = [a_download("d0")]
    reader = Reader(feed, BEN)
    _, name, snapshot = reader.wait_for(1)[0]
    assert (name, snapshot["seq"], snapshot["revision"], snapshot["scan"]["bad"] != []) == ("snapshot", 0, 7, True)
    assert [one["id"] for one in snapshot["downloads"]] == ["d0"]
    station.events.publish(LibraryChanged(8))
    station.events.publish(moved(user=1))       # somebody else's
    station.events.publish(moved("mine", user=2))
    heard = reader.wait_for(3)
    assert [(event, data["seq"]) for _, event, data in heard[1:]] == [("library:changed", 1), ("download:changed", 2)]
    assert heard[2][2]["download"]["id"] == "mine"
    assert len({id for id, _, _ in heard}) == 3


def test_who_may_not_add_music_is_shown_no_downloads(station: FakeStation, feed: Feed) -> None:
    station.downloads.shown = [a_download("d0")]
    assert feed.snapshot(KID)["downloads"] == feed.snapshot(EAR)["downloads"] == []
    assert feed.snapshot(KID)["scan"]["bad"] == []
    assert len(feed.snapshot(ANN)["downloads"]) == 1


def test_who_was_away_hears_exactly_what_followed(station: FakeStation, feed: Feed) -> None:
    reader = Reader(feed)
    for number in range(5):
        station.events.publish(Notice("info", f"word {number}"))
    heard = reader.wait_for(6)
    for place in range(len(heard) - 1):
        again = Reader(feed, after=heard[place][0])
        rest = again.wait_for(len(heard) - 1 - place)
        assert [(id, event, data["message"]) for id, event, data in rest] == [
            (id, event, data["message"]) for id, event, data in heard[place + 1:]]
    last = Reader(feed, after=heard[-1][0])
    last.wait_until(lambda: last.text)
    station.events.publish(Notice("info", "new"))
    assert [event for _, event, _ in last.wait_for(1)] == ["notice"]


def test_what_is_for_others_leaves_no_trace_in_what_followed(station: FakeStation, feed: Feed) -> None:
    ann, ben = Reader(feed), Reader(feed, BEN)
    (id, _, _), = ben.wait_for(1)
    ann.wait_for(1)
    station.events.publish(Notice("info", "for Ann", user_id=1))
    station.events.publish(Notice("info", "for all"))
    ann.wait_for(3)
    again = Reader(feed, BEN, after=id)
    assert [data["message"] for _, _, data in again.wait_for(1)] == ["for all"]
    assert ben.wait_for(2)[1][2]["seq"] == 1


@pytest.mark.parametrize("after", ["", "x", "5", "0-1", "deadbeef-1", "-", "-1", "{epoch}-", "{epoch}-99",
                                   "{epoch}--1", "{epoch}-1e3", "{epoch}-²", "{epoch}-" + "9" * 400])
def test_an_id_that_is_not_known_is_answered_with_how_things_stand(
    station: FakeStation, feed: Feed, after: str
) -> None:
    reader = Reader(feed, after=after.format(epoch=feed._epoch))
    assert [event for _, event, _ in reader.wait_for(1)] == ["snapshot"]


def test_who_was_away_too_long_hears_how_things_stand(
    station: FakeStation, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "KEPT_EVENTS", 3)
    reader = Reader(feed)
    for number in range(6):
        station.events.publish(Notice("info", f"word {number}"))
        reader.wait_for(number + 2)
    heard = reader.events
    assert [event for _, event, _ in Reader(feed, after=heard[2][0]).wait_for(1)] == ["snapshot"]
    assert [data["message"] for _, _, data in Reader(feed, after=heard[3][0]).wait_for(3)] == [
        "word 3", "word 4", "word 5"]


def test_large_words_are_kept_by_their_bytes(
    station: FakeStation, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "KEPT_BYTES", 50_000)
    for _ in range(10):
        station.events.publish(Notice("info", "x" * 10_000))
    ear.wait_for(10)
    assert len(station.feed._kept) <= 5


def test_a_silent_stream_gets_a_comment(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "COMMENT_EVERY_S", 0.05)
    reader = Reader(feed)
    reader.wait_until(lambda: b"\n\n: still here\n\n: still here\n\n" in reader.text)


def test_a_stream_ends_with_its_session(station: FakeStation, feed: Feed) -> None:
    ann, ben = Reader(feed), Reader(feed, BEN)
    ann.wait_for(1), ben.wait_for(1)
    station.events.publish(SessionsEnded((ANN.token_id,)))
    ann.wait_until(lambda: ann.ended)
    station.events.publish(Notice("info", "still there?"))
    ben.wait_for(2)
    assert [event for _, event, _ in ann.events] == ["snapshot"]


def test_a_stream_ends_with_the_right_to_it_and_anothers_goes_on(
    station: FakeStation, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, ben = Reader(feed), Reader(feed, BEN)
    ann.wait_for(1), ben.wait_for(1)
    shut_out = replace(BEN, rights=frozenset())
    monkeypatch.setattr(station.accounts, "who", lambda token, address="": shut_out if token[0] == "b" else ANN)
    station.events.publish(PersonChanged(BEN.user_id))
    ben.wait_until(lambda: ben.ended)
    station.events.publish(Notice("info", "still there?"))
    ann.wait_for(2)


def test_a_stream_whose_token_ended_without_a_word_ends(
    station: FakeStation, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "COMMENT_EVERY_S", 0.02)
    monkeypatch.setattr(room, "RECHECK_EVERY_S", 0.0)
    reader = Reader(feed)
    reader.wait_for(1)
    monkeypatch.setattr(station.accounts, "who", lambda token, address="": None)
    reader.wait_until(lambda: reader.ended)


def test_streams_end_when_the_station_stops(station: FakeStation, feed: Feed) -> None:
    readers = [Reader(feed) for _ in range(3)]
    for reader in readers:
        reader.wait_for(1)
    feed.stop()
    for reader in readers:
        reader.wait_until(lambda: reader.ended)  # noqa: B023
    assert feed._readings == set()


def test_a_scans_paths_are_for_who_may_see_files(station: FakeStation, ear: Ear) -> None:
    station.events.publish(ScanMoved({"id": "s", "bad": [{"path": "a"}], "offline": ["/x"]}))
    ear.wait_for(1)
    told = ear.heard[0][1]
    assert json.loads(told.object_for(ANN, 1))["bad"] == [{"path": "a"}]
    assert json.loads(told.object_for(KID, 1)) == {"seq": 1, "id": "s", "bad": [], "offline": []}


def test_a_limited_person_hears_of_a_scan_that_it_runs_and_no_more(station: FakeStation, ear: Ear) -> None:
    station.events.publish(ScanMoved({"id": "s", "state": "failed", "found": 5, "missing": 2, "duplicates": [["t"]],
                                      "damaged": ["t"], "bad": [{"path": "a"}], "message": "No room in /x."}))
    ear.wait_for(1)
    told = ear.heard[0][1]
    nothing: dict[str, Any] = {"duplicates": [], "damaged": [], "bad": [], "message": None}
    assert json.loads(told.object_for(KID, 1)) == {
        "seq": 1, "id": "s", "state": "failed", "found": 5, "missing": 2, **nothing}
    assert json.loads(told.object_for(HALF, 1)) == {
        "seq": 1, "id": "s", "state": "failed", "found": 0, "missing": 0, **nothing}
    snapshot = station.feed.snapshot(HALF)["scan"]
    assert (snapshot["found"], snapshot["bad"]) == (0, [])


def test_a_notice_that_names_files_is_for_who_sees_them(station: FakeStation, ear: Ear) -> None:
    station.events.publish(Notice("warning", "The music folder /x cannot be watched.", of_files=True))
    station.events.publish(Notice("info", "There is room again."))
    ear.wait_for(2)
    heard = [{one.username for one in (ANN, BEN, KID, HALF) if told.sees(one)} for _, told in ear.heard]
    assert heard == [{"ann", "ben"}, {"ann", "ben", "kid", "half"}]


def test_an_empty_word_is_an_object_with_its_number(feed: Feed) -> None:
    assert Told(1, "devices:changed", b"}", None, lambda person: True).object_for(ANN, 4) == b'{"seq":4}'
