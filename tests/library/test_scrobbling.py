"""Plays are told to ListenBrainz and Last.fm, later where they are away, and once."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from shared import logs
from shared.database import Database
from shared.events import EventBus, Notice, NowPlayingMoved
from shared.library.lastfm import LastfmService
from shared.library.listenbrainz import ListenBrainzService
from shared.library.now_playing import NowPlaying
from shared.library.scrobbling import FIRST_PAUSE_S, REFUSED_S, Connected, Scrobbling, ServiceAway
from shared.model.errors import BadInput, Forbidden, NotFound, Overloaded, Unprocessable
from shared.model.person import Person
from shared.outbound import Outbound
from shared.records.listening import Listening
from shared.records.people import People
from shared.records.scrobbles import Scrobbles
from shared.vault import Vault
from tests.fakes.answering import Reply
from tests.fakes.lastfm import KEY, SECRET, FakeLastfm
from tests.fakes.listenbrainz import FakeListenBrainz
from tests.records.songs import Music, metadata

NOW = float(int(time.time()) + 3600)      # later than all that the tests write down


@dataclass
class House:
    """A person's listening, both services, and what tells them."""

    database: Database
    music: Music
    person: Person
    listening: Listening
    records: Scrobbles
    scrobbling: Scrobbling
    listenbrainz: FakeListenBrainz
    lastfm: FakeLastfm
    events: EventBus
    notices: list[Notice]
    now: float = NOW

    def play(self, uid: str, at: float, ms: int | None = None) -> None:
        self.listening.play(self.person, uid, at, ms, "a test")

    def round(self, after_s: float = 0.0) -> None:
        self.now += after_s
        self.scrobbling.round()

    def connect(self) -> Connected:
        return self.scrobbling.connect_listenbrainz(self.person, "right-token")

    def connect_lastfm(self) -> Connected:
        _, token = self.scrobbling.begin_lastfm(self.person)
        self.lastfm.allow(token)
        return self.scrobbling.connect_lastfm(self.person, token)

    def of(self, service: str) -> Any:
        return next(one.row for one in self.scrobbling.list(self.person) if one.service == service)

    def states(self) -> list[tuple[str, str | None]]:
        with self.database.read() as conn:
            return [tuple(row) for row in conn.execute(text("SELECT state, error FROM scrobbles ORDER BY id"))]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    database = Database(tmp_path / "library.db")
    database.prepare()
    row = People(database=database).make_user("ann", "hash", "adult")
    person = Person(user_id=row.id, id=row.uid, username="ann", role="adult")
    events, notices = EventBus(), []
    events.subscribe(Notice, notices.append)
    with FakeListenBrainz() as listenbrainz, FakeLastfm(NOW) as lastfm:
        reach = Outbound([listenbrainz.host, lastfm.host])
        records = Scrobbles(database=database)
        scrobbling = Scrobbling(
            records=records, vault=Vault(tmp_path), events=events, clock=lambda: made.now,
            listenbrainz=ListenBrainzService(url=listenbrainz.address, outbound=lambda: reach),
            lastfm=LastfmService(key=KEY, secret=SECRET, url=lastfm.address, outbound=lambda: reach))
        made = House(database, Music(database), person, Listening(database=database), records, scrobbling, listenbrainz,
                     lastfm, events, notices)
        yield made
    database.close()


@pytest.fixture
def song(house: House) -> str:
    return house.music.add("a.flac", metadata(
        "Heroes", "David Bowie", "“Heroes”", "Various Artists", 3, isrc="USJT11700010",
        recording_mbid="11111111-1111-1111-1111-111111111111"))


# ---- what is told ------------------------------------------------------------------------------------------------


def test_a_play_reaches_both_services_with_all_that_is_known_of_it(house: House, song: str) -> None:
    assert (house.connect().row.username, house.connect_lastfm().row.username) == ("lister", "lastlister")
    house.play(song, NOW - 300)
    house.round()
    [(who, facts)] = house.listenbrainz.listens.items()
    assert who == ("lister", int(NOW - 300), "David Bowie", "Heroes")
    assert facts["release_name"] == "“Heroes”"
    more = facts["additional_info"]
    assert (more["isrc"], more["duration_ms"], more["tracknumber"], more["submission_client"]) == (
        "USJT11700010", 200_000, 3, "Soundsible")
    assert more["recording_mbid"] == "11111111-1111-1111-1111-111111111111"
    [(who, facts)] = house.lastfm.scrobbles.items()
    assert who == ("lastlister", int(NOW - 300), "David Bowie", "Heroes")
    assert (facts["album"], facts["albumArtist"], facts["duration"], facts["trackNumber"]) == (
        "“Heroes”", "Various Artists", "200", "3")
    assert house.states() == [("sent", None)] * 2
    assert house.of("listenbrainz").last_sent_at == NOW and house.of("listenbrainz").waiting == 0


@pytest.mark.parametrize(("duration_ms", "heard_ms", "told"), [
    (200_000, None, True), (200_000, 100_000, True), (200_000, 99_999, False), (900_000, 240_000, True),
    (900_000, 239_999, False), (29_999, 29_999, False), (30_000, 15_000, True),
])
def test_what_counts_as_heard_is_what_the_services_say(house: House, duration_ms: int, heard_ms: int | None,
                                                       told: bool) -> None:
    house.connect()
    uid = house.music.add("a.flac", duration_ms=duration_ms)
    house.play(uid, NOW - 10, heard_ms)
    house.round()
    assert len(house.listenbrainz.listens) == told


def test_nothing_is_told_of_whom_nobody_connected_or_of_before(house: House, song: str) -> None:
    house.play(song, NOW - 5000)
    house.connect()
    house.round()
    assert not house.listenbrainz.submissions and not house.states()
    row = People(database=house.database).make_user("ben", "hash", "adult")
    house.listening.play(Person(user_id=row.id, id=row.uid, username="ben", role="adult"), song, NOW - 50)
    house.round()
    assert not house.listenbrainz.submissions


def test_a_play_told_twice_by_an_app_is_told_once(house: House, song: str) -> None:
    house.connect()
    house.play(song, NOW - 100)
    house.play(song, NOW - 99)
    house.round()
    house.round(10_000)
    assert len(house.listenbrainz.listens) == 1 and len(house.listenbrainz.submissions) == 1


def test_many_go_in_batches_the_oldest_first(house: House, song: str) -> None:
    house.connect_lastfm()
    house.connect()
    for number in reversed(range(120)):
        house.play(song, NOW - 1_000_000 + number * 1000)
    house.round()
    assert house.lastfm.batches == [50, 50, 20] and len(house.lastfm.scrobbles) == 120
    assert [len(one["payload"]) for one in house.listenbrainz.submissions] == [50, 50, 20]
    assert house.listenbrainz.submissions[0]["payload"][0]["listened_at"] == int(NOW - 1_000_000)
    assert {state for state, _ in house.states()} == {"sent"}


def test_an_apps_clock_that_goes_ahead_tells_nothing_of_the_future(house: House, song: str) -> None:
    house.connect()
    house.play(song, NOW + 90_000)
    house.round()
    assert [moment for _, moment, *_ in house.listenbrainz.listens] == [int(NOW)]


# ---- away, wrong, and back ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("reply", [
    Reply(503), Reply(500, b"<html>"), Reply(429, b"{}"), Reply(200, b"no json"), Reply(404, b"{}"),
    Reply(200, b'{"status": "ok"}', break_off_after=4), Reply(302, headers={"Location": "/x"}),
])
def test_what_a_service_does_not_hear_now_it_hears_later(house: House, song: str, reply: Reply) -> None:
    house.connect()
    house.play(song, NOW - 100)
    house.listenbrainz.next(reply)
    house.round()
    assert house.states() == [("waiting", None)] and house.of("listenbrainz").last_error
    house.round(FIRST_PAUSE_S / 2)
    assert len(house.listenbrainz.asked) == 2       # the token, and one try: it is left in peace
    house.round(FIRST_PAUSE_S)
    assert len(house.listenbrainz.listens) == 1 and house.states() == [("sent", None)]
    assert house.of("listenbrainz").last_error is None and not house.notices


@pytest.mark.parametrize("reply", [
    Reply(503), Reply(200, b"nonsense"), Reply(429), Reply(200, b"<lfm>", break_off_after=2),
    Reply(200, b'<lfm status="failed"><error code="11">Service Offline</error></lfm>'),
    Reply(403, b'<lfm status="failed"><error code="29">Rate limit exceeded</error></lfm>'),
    Reply(200, b'<!DOCTYPE a [<!ENTITY b "c">]><lfm status="ok">&b;</lfm>'), Reply(200, b'<lfm status="failed"></lfm>'),
])
def test_so_does_lastfm(house: House, song: str, reply: Reply) -> None:
    house.connect_lastfm()
    house.play(song, NOW - 100)
    house.lastfm.next(reply)
    house.round()
    assert house.states() == [("waiting", None)] and house.of("lastfm").last_error
    house.round(FIRST_PAUSE_S + 1)
    assert len(house.lastfm.scrobbles) == 1 and house.of("lastfm").last_error is None


def test_pauses_grow_and_new_plays_wait_with_the_others(house: House, song: str) -> None:
    house.connect()
    house.listenbrainz.always(Reply(503))
    house.play(song, NOW - 5000)
    tries = []
    for number in range(400):
        if number % 40 == 0:
            house.play(song, NOW - 4000 + number)
        before = len(house.listenbrainz.asked)
        house.round(30)
        tries += [number] * (len(house.listenbrainz.asked) - before)
    gaps = [later - sooner for sooner, later in itertools.pairwise(tries)]
    assert gaps[:4] == [1, 2, 4, 8] and gaps == sorted(gaps) and max(gaps) <= 120
    house.listenbrainz.always(None)
    house.round(3600)
    assert {state for state, _ in house.states()} == {"sent"} and len(house.listenbrainz.listens) == 11


def test_a_clock_that_went_wrong_holds_nothing_up(house: House, song: str) -> None:
    house.connect()
    house.play(song, NOW - 5000)
    house.listenbrainz.always(Reply(503))
    house.round(10 * 365 * 86_400)          # ten years ahead, and the service is away
    tried = len(house.listenbrainz.asked)
    house.now = NOW                         # the clock is put right
    house.play(song, NOW - 1000)
    house.round()
    house.round(FIRST_PAUSE_S / 2)          # it is left in peace as ever
    assert len(house.listenbrainz.asked) == tried + 1
    house.listenbrainz.always(None)
    house.round(3600)
    assert {state for state, _ in house.states()} == {"sent"} and len(house.listenbrainz.listens) == 2


def test_a_service_that_wants_to_be_left_in_peace_is(house: House, song: str) -> None:
    house.connect()
    house.play(song, NOW - 100)
    house.listenbrainz.next(Reply(429, b"{}", headers={"Retry-After": "500"}))
    house.round()
    house.round(499)
    assert not house.listenbrainz.listens
    house.round(2)
    assert house.listenbrainz.listens


def test_the_connection_breaks_after_it_was_told_and_it_is_there_once(house: House, song: str) -> None:
    """The service has taken it, and its answer is lost: ListenBrainz keeps it once, Last.fm is asked what it has."""
    house.connect()
    house.connect_lastfm()
    house.play(song, NOW - 100)
    for fake in (house.listenbrainz, house.lastfm):
        usual, lost = fake.answer, []

        def forgetful(asked: Any, usual: Any = usual, lost: list[int] = lost) -> Reply:
            reply = usual(asked)
            if b"Heroes" in asked.body and not lost:
                lost.append(1)
                return Reply(reply.status, reply.body, reply.type, break_off_after=1)
            return reply

        fake.answer = forgetful     # type: ignore[method-assign]
    house.round()
    assert house.states() == [("waiting", None)] * 2
    house.round(FIRST_PAUSE_S + 1)
    assert house.states() == [("sent", None)] * 2
    assert len(house.listenbrainz.submissions) == 2 and len(house.listenbrainz.listens) == 1
    assert list(house.lastfm.times.values()) == [1]


def test_a_station_that_ends_after_it_was_told_tells_nothing_twice(house: House, song: str) -> None:
    """Power is cut after the service took it and before that was written down."""
    house.connect_lastfm()
    other = house.music.add("b.flac", metadata("Other"))
    house.play(song, NOW - 900)
    settle = house.records.settle
    house.records.settle = lambda *given, **named: (_ for _ in ()).throw(RuntimeError)   # type: ignore[method-assign]
    with pytest.raises(RuntimeError):
        house.round()
    house.records.settle = settle   # type: ignore[method-assign]
    house.play(other, NOW - 400)
    house.round()
    assert [state for state, _ in house.states()] == ["sent", "sent"]
    assert len(house.lastfm.scrobbles) == 2 and set(house.lastfm.times.values()) == {1}


def test_what_was_told_is_marked_before_the_next_is_told(house: House, song: str) -> None:
    house.connect_lastfm()
    for number in range(60):
        house.play(song, NOW - 100_000 + number * 1000)
    usual = house.lastfm.answer

    def ends_after_the_first(asked: Any) -> Reply:
        if house.lastfm.batches:
            return Reply(200, b"lost", break_off_after=1)
        return usual(asked)

    house.lastfm.answer = ends_after_the_first      # type: ignore[method-assign]
    house.round()
    assert [state for state, _ in house.states()].count("sent") == 50
    house.lastfm.answer = usual     # type: ignore[method-assign]
    house.round(FIRST_PAUSE_S + 1)
    assert house.lastfm.batches == [50, 10]


def test_a_token_that_counts_no_more_keeps_the_plays_and_tells_its_person_once(house: House, song: str) -> None:
    house.connect()
    house.play(song, NOW - 100)
    house.listenbrainz.tokens.clear()
    house.round()
    asked = len(house.listenbrainz.asked)
    house.play(song, NOW - 50)
    house.round(60)
    assert len(house.listenbrainz.asked) == asked
    house.round(REFUSED_S)
    assert len(house.listenbrainz.asked) == asked + 1
    assert [(one.user_id, one.level) for one in house.notices] == [(house.person.user_id, "warning")]
    row = house.of("listenbrainz")
    assert row.waiting == 2 and "token" in row.last_error and "right-token" not in row.last_error
    house.listenbrainz.tokens["new-token"] = "lister"
    house.scrobbling.connect_listenbrainz(house.person, "new-token")
    house.round()
    assert len(house.listenbrainz.listens) == 2 and house.of("listenbrainz").last_error is None


def test_a_session_that_lastfm_ended_does_too(house: House, song: str) -> None:
    house.connect_lastfm()
    house.play(song, NOW - 100)
    house.lastfm.sessions.clear()
    house.round()
    assert "Connect it again" in house.of("lastfm").last_error and len(house.notices) == 1
    house.connect_lastfm()
    house.round()
    assert len(house.lastfm.scrobbles) == 1


def test_one_play_that_is_not_taken_does_not_hold_up_the_others(house: House, song: str) -> None:
    nameless = house.music.add("b.flac", metadata(" ", " ", None, None))
    house.connect()
    for uid, at in ((song, 900), (nameless, 600), (song, 300)):
        house.play(uid, NOW - at)
    with house.database.transaction() as conn:
        conn.execute(text("UPDATE tracks SET artist = ' ' WHERE uid = :uid"), {"uid": nameless})
    house.round()
    assert [state for state, _ in house.states()] == ["sent", "refused", "sent"] and house.states()[1][1]
    assert len(house.listenbrainz.listens) == 2


def test_what_lastfm_ignores_is_refused_and_its_daily_limit_is_waited_for(house: House, song: str) -> None:
    filtered = house.music.add("b.flac", metadata("Song", "Unknown Artist", None, None))
    house.connect_lastfm()
    house.play(song, NOW - 20 * 86_400)
    house.play(filtered, NOW - 500)
    house.play(song, NOW - 300)
    house.round()
    assert [state for state, _ in house.states()] == ["refused", "refused", "sent"]
    assert ["older" in (why or "") for _, why in house.states()] == [True, False, False]
    house.lastfm.most_a_day = 1
    house.play(song, NOW - 100)
    house.round()
    assert house.states()[-1] == ("waiting", None)
    house.lastfm.most_a_day = 10
    house.round(86_400)
    assert house.states()[-1] == ("sent", None)


# ---- connecting --------------------------------------------------------------------------------------------------


def test_lastfm_is_connected_by_a_yes_on_its_own_page(house: House) -> None:
    address, token = house.scrobbling.begin_lastfm(house.person)
    assert address == f"https://www.last.fm/api/auth/?api_key={KEY}&token={token}"
    with pytest.raises(BadInput, match="yes"):
        house.scrobbling.connect_lastfm(house.person, token)
    house.lastfm.allow(token)
    assert house.scrobbling.connect_lastfm(house.person, token).row.username == "lastlister"
    with pytest.raises(BadInput):       # good once
        house.scrobbling.connect_lastfm(house.person, token)
    with pytest.raises(BadInput):
        house.scrobbling.connect_lastfm(house.person, "../<token>")


def test_without_the_owners_key_lastfm_says_what_is_missing(house: House) -> None:
    house.scrobbling._lastfm._key = ""
    assert [one.available for one in house.scrobbling.list(house.person)] == [True, False]
    with pytest.raises(Unprocessable, match="lastfm_api_key"):
        house.scrobbling.begin_lastfm(house.person)


@pytest.mark.parametrize("token", ["wrong", "", "two words", "x" * 300, "nön", "a\nb"])
def test_a_token_that_is_none_is_refused(house: House, token: str) -> None:
    with pytest.raises(BadInput):
        house.scrobbling.connect_listenbrainz(house.person, token)
    assert house.of("listenbrainz") is None


def test_a_service_that_does_not_answer_is_not_connected(house: House) -> None:
    house.listenbrainz.always(Reply(500))
    with pytest.raises(ServiceAway):
        house.connect()
    house.lastfm.always(Reply(500))
    with pytest.raises(ServiceAway):
        house.scrobbling.begin_lastfm(house.person)


def test_a_server_that_speaks_like_it_answers_beneath_its_own_path(house: House, song: str) -> None:
    with FakeListenBrainz("/apis/listenbrainz") as other:
        reach = Outbound([house.listenbrainz.host, house.lastfm.host, other.host])
        house.scrobbling._listenbrainz._outbound = lambda: reach
        house.scrobbling.connect_listenbrainz(house.person, "right-token", other.address + "/")
        house.play(song, NOW - 100)
        house.round()
        assert len(other.listens) == 1 and not house.listenbrainz.listens


@pytest.mark.parametrize("url", [
    "http://127.0.0.1:1", "http://169.254.169.254/latest", "http://[::1]/", "ftp://example.org", "http://u:p@example.org",
    "http://0x7f.1/", "nonsense",
])
def test_a_persons_link_leads_to_no_place_inside_the_network(house: House, url: str) -> None:
    with pytest.raises(BadInput) as problem:
        house.scrobbling.connect_listenbrainz(house.person, "right-token", url)
    assert problem.value.details["field"] == "url"


def test_a_device_with_limited_rights_connects_and_sees_nothing(house: House) -> None:
    device = Person(user_id=house.person.user_id, id=house.person.id, username="ann", role="adult", scope="add")
    for deed in (lambda: house.scrobbling.list(device), lambda: house.scrobbling.begin_lastfm(device),
                 lambda: house.scrobbling.connect_listenbrainz(device, "right-token"),
                 lambda: house.scrobbling.connect_lastfm(device, "x"),
                 lambda: house.scrobbling.disconnect(device, "lastfm")):
        with pytest.raises(Forbidden):
            deed()


def test_disconnected_nothing_more_is_told_and_what_waited_is_forgotten(house: House, song: str) -> None:
    house.connect()
    house.play(song, NOW - 100)
    house.scrobbling.disconnect(house.person, "listenbrainz")
    house.play(song, NOW - 50)
    house.round()
    assert not house.listenbrainz.listens and not house.states()
    with pytest.raises(NotFound):
        house.scrobbling.disconnect(house.person, "listenbrainz")


def test_tokens_stand_sealed_in_the_database_and_in_no_log(house: House, song: str,
                                                            capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    logs.configure("DEBUG")     # a station at its most talkative
    try:
        house.connect()
        house.connect_lastfm()
        house.play(song, NOW - 100)
        house.round()
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    told = capsys.readouterr().err
    assert "lastfm is connected" in told
    house.database.close()
    content = b"".join(one.read_bytes() for one in house.database.path.parent.iterdir() if one.is_file())
    for secret in ("right-token", "session-key-0", SECRET):
        assert secret.encode() not in content
        assert secret not in told


# ---- what plays now ----------------------------------------------------------------------------------------------


def moved(house: House, uid: str, state: str = "playing", kind: str = "track", client: str = "x",
          began_at: float = NOW) -> NowPlayingMoved:
    return NowPlayingMoved(user_id=house.person.user_id, client=client, uid=uid, kind=kind, state=state, position_ms=0,
                           began_at=began_at)


def told_playing(house: House) -> int:
    return len([one for one in house.listenbrainz.submissions if one["listen_type"] == "playing_now"])


def test_the_same_song_put_on_again_is_told_again(house: House, song: str) -> None:
    """Many apps never say that something stopped."""
    house.connect()
    playing = NowPlaying(events=house.events, length_of=lambda *_: 200_000, count=lambda *_: None,
                         clock=lambda: house.now)
    house.events.subscribe(NowPlayingMoved, house.scrobbling._hear_playing)
    for after_s, told in ((0, 1), (30, 1), (400, 2), (400, 3)):
        house.now += after_s
        playing.began(house.person, "an app", song)
        house.round()
        assert told_playing(house) == told, after_s


def test_two_apps_at_once_do_not_have_it_told_at_each_word_of_theirs(house: House, song: str) -> None:
    house.connect()
    other = house.music.add("b.flac", metadata("Sense of Doubt", "David Bowie"))
    for _ in range(3):
        for uid, client in ((song, "a phone"), (other, "a tablet")):
            house.scrobbling._hear_playing(moved(house, uid, client=client))
            house.round()
    assert told_playing(house) == 2


def test_what_plays_now_is_told_when_the_library_could_not_be_read_at_first(
    house: House, song: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.connect()
    house.scrobbling._hear_playing(moved(house, song))
    with monkeypatch.context() as broken:
        broken.setattr(house.records, "of", lambda user_id: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            house.round()
    house.round()
    assert told_playing(house) == 1


def test_a_library_that_is_busy_is_no_fault_of_the_service(
    house: House, song: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What plays now is not kept from it, as it would be between the pauses of a service that fails."""
    house.connect()
    house.play(song, NOW - 100)
    with monkeypatch.context() as busy:
        busy.setattr(house.records, "begin", raises(Overloaded("The library is in use.", retry_after_s=5)))
        with pytest.raises(Overloaded):
            house.round()
    assert house.of("listenbrainz").last_error is None
    house.scrobbling._hear_playing(moved(house, song))
    house.round()
    assert told_playing(house) == 1 and len(house.listenbrainz.listens) == 1


def raises(problem: Exception) -> Callable[..., None]:
    def deed(*_: object) -> None:
        raise problem

    return deed


def test_a_listen_tells_the_app_it_was_heard_through(house: House, song: str) -> None:
    house.connect()
    for at, client in ((NOW - 3000, "Symfonium"), (NOW - 2000, None), (NOW - 1000, "Mozilla/5.0 (X11) Firefox/1")):
        house.listening.play(house.person, song, at, None, client)
    house.scrobbling._hear_playing(moved(house, song, client="DSub"))
    house.round()
    info = [facts["additional_info"] for _, facts in sorted(house.listenbrainz.listens.items())]
    assert [(one["submission_client"], one["media_player"]) for one in info] == [
        ("Soundsible", "Symfonium"), ("Soundsible", "Soundsible"), ("Soundsible", "Soundsible")]
    assert house.listenbrainz.playing["lister"]["additional_info"]["media_player"] == "DSub"


def test_what_plays_now_is_told_once_when_it_begins(house: House, song: str) -> None:
    house.connect()
    house.connect_lastfm()
    for state in ("starting", "playing", "playing", "paused", "playing"):
        house.scrobbling._hear_playing(moved(house, song, state))
        house.round()
    assert house.listenbrainz.playing["lister"]["track_name"] == "Heroes"
    assert house.lastfm.playing["lastlister"]["track"] == "Heroes"
    assert len([one for one in house.listenbrainz.submissions if one["listen_type"] == "playing_now"]) == 1
    house.scrobbling._hear_playing(moved(house, song, "stopped"))
    house.scrobbling._hear_playing(moved(house, song, "starting"))
    house.scrobbling._hear_playing(moved(house, "an episode", kind="episode"))
    house.round()
    assert len(house.listenbrainz.submissions) == 2


def test_what_plays_now_is_not_told_again_when_that_fails_and_loses_no_play(house: House, song: str) -> None:
    house.connect()
    house.listenbrainz.next(Reply(500))
    house.scrobbling._hear_playing(moved(house, song))
    house.play(song, NOW - 10)
    house.round()
    house.round(1000)
    assert not house.listenbrainz.playing and len(house.listenbrainz.listens) == 1


# ---- the thread --------------------------------------------------------------------------------------------------


def test_the_thread_tells_what_is_played_and_what_plays(house: House, song: str) -> None:
    from shared.events import LibraryChanged

    house.connect()
    heard = threading.Event()
    usual = house.listenbrainz.answer

    def answer(asked: Any) -> Reply:
        reply = usual(asked)
        if house.listenbrainz.listens and house.listenbrainz.playing:
            heard.set()
        return reply

    house.listenbrainz.answer = answer      # type: ignore[method-assign]
    house.scrobbling.start()
    try:
        house.play(song, NOW - 100)
        house.events.publish(LibraryChanged(1))
        house.events.publish(moved(house, song))
        assert heard.wait(20)
    finally:
        house.scrobbling.stop()
    house.events.publish(moved(house, "later"))
    assert not house.scrobbling._playing
