"""Shares: whose link it is, who hears by it, and everything that ends it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from shared.database import driver_cursor
from shared.events import EventBus
from shared.model.errors import BadInput, Forbidden, Gone, NotFound, Unprocessable
from shared.model.person import Person
from shared.records import revisions
from shared.records import shares as records
from shared.records.audit import Audit
from shared.records.sealed import Sealed
from shared.records.shares import Shares as Records
from shared.security.audit import AuditLog
from shared.security.open_streams import OpenStreams
from shared.security.shares import LONGEST_DESCRIPTION, Shares, hash_of
from shared.vault import Vault
from tests.podcasts.feeds_made import until
from tests.records.songs import Music, metadata
from tests.security.houses import PASSWORD, House


@dataclass
class Stall:
    house: House
    music: Music
    shares: Shares
    streams: OpenStreams
    ann: Person
    ben: Person
    hung_up: list[str]

    def code(self, person: Person | None = None, *entries: tuple[str, str], **more: Any) -> str:
        made = self.shares.make(person or self.ann, entries or [("track", self.music.uid("a/1.flac"))], **more)
        return made.link.rpartition("/")[2]

    def listen(self, code: str) -> None:
        """Somebody has a stream of it open."""
        person = self.shares.open(code).person
        self.streams.enter(person.token_id, lambda: self.hung_up.append(code))


@pytest.fixture
def stall(owned: House, tmp_path: Any) -> Stall:
    music = Music(owned.database)
    music.add_all({"a/1.flac": metadata("One", number=1), "a/2.flac": metadata("Two", number=2),
                   "b/1.flac": metadata("Other", "Else", "Elsewhere", "Else")})
    ann = owned.accounts.login("ann", PASSWORD).person
    owned.accounts.make_user(ann, "ben", PASSWORD, "adult")
    ben = owned.accounts.login("ben", PASSWORD).person
    streams = OpenStreams()
    events: EventBus = owned.accounts._events

    def current() -> int:
        with owned.database.read() as conn:
            return revisions.current(conn)

    shares = Shares(
        records=Records(database=owned.database), people=owned.people, vault=Vault(tmp_path), events=events,
        streams=streams, current=current, endpoints=lambda: ["https://music.example/"], clock=owned.clock,
        audit=AuditLog(records=Audit(database=owned.database)))
    return Stall(owned, music, shares, streams, ann, ben, [])


def test_a_link_is_128_random_bits_and_stands_nowhere_in_plain(stall: Stall) -> None:
    code = stall.code()
    assert len(code) == 26 and code.isalnum() and len({stall.code() for _ in range(20)}) == 20
    with stall.house.database.read() as conn:
        cursor = driver_cursor(conn)
        for table in [row[0] for row in cursor.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]:
            for row in cursor.execute(f"SELECT * FROM {table}").fetchall():
                assert code not in str(row)
    (first, *_) = reversed(stall.shares.list(stall.ann))
    assert first.link == f"https://music.example/share/{code}" and code not in repr(first)
    assert list(Sealed(database=stall.house.database).texts())      # a change of key reaches them


def test_who_hears_by_a_link_may_listen_as_who_shared_and_nothing_more(stall: Stall) -> None:
    opened = stall.shares.open(stall.code().upper() + " ")
    person = opened.person
    assert (person.user_id, person.scope, person.token_id < 0) == (stall.ann.user_id, "listen", True)
    assert not (person.owns or person.adds or person.edits or person.deletes or person.sees_files or person.shares)
    assert [one.title for one in opened.items] == ["One"]


def test_each_way_of_losing_the_right_ends_the_links_and_hangs_up(stall: Stall) -> None:
    accounts = stall.house.accounts
    code = stall.code(stall.ben)
    stall.listen(code)
    accounts.change_user(stall.ann, stall.ben.id, rights={"delete": False})     # something else
    assert stall.hung_up == [] and stall.shares.open(code)
    accounts.change_user(stall.ann, stall.ben.id, role="guest")
    assert stall.hung_up == [code]
    with pytest.raises(NotFound):
        stall.shares.open(code)
    accounts.change_user(stall.ann, stall.ben.id, role="adult")
    stall.listen(code)      # good again: nothing of it was forgotten
    accounts.remove_user(stall.ann, stall.ben.id)
    assert stall.hung_up == [code, code]
    with pytest.raises(NotFound):
        stall.shares.open(code)
    assert stall.music.one("SELECT count(*) FROM shares") == 0


def test_ending_a_share_hangs_up_on_who_listens_by_it_alone(stall: Stall) -> None:
    ended, other = stall.code(), stall.code()
    stall.listen(ended)
    stall.listen(other)
    newest, oldest = stall.shares.list(stall.ann)
    stall.shares.end(stall.ann, oldest.id)
    assert stall.hung_up == [ended] and newest.link.endswith(other)


def test_its_time_ends_it_and_more_time_makes_it_good_again(stall: Stall) -> None:
    code = stall.code(expires_at=stall.house.clock.now + 60)
    stall.shares.open(code)
    stall.house.clock.now += 61
    with pytest.raises(Gone):
        stall.shares.open(code)
    (share,) = stall.shares.list(stall.ann)
    assert share.over
    assert not stall.shares.change(stall.ann, share.id, expires_at=None).over
    assert stall.shares.open(code).expires_at is None
    with pytest.raises(BadInput):
        stall.code(expires_at=stall.house.clock.now)


def test_what_a_limited_person_sees_no_more_is_not_given(stall: Stall) -> None:
    accounts, root = stall.house.accounts, stall.music.root.path
    accounts.change_user(stall.ann, stall.ben.id, limited=True, folders=[(root, "a")])
    ben = replace(stall.ben, limited=True)
    with pytest.raises(NotFound):
        stall.code(ben, ("track", stall.music.uid("b/1.flac")))
    code = stall.code(ben, ("track", stall.music.uid("a/1.flac")), ("track", stall.music.uid("a/2.flac")))
    opened = stall.shares.open(code)
    assert opened.person.limited and [one.title for one in opened.items] == ["One", "Two"]
    accounts.change_user(stall.ann, stall.ben.id, folders=[(root, "b")])
    assert stall.shares.open(code).items == []


def test_only_who_may_share_does_and_only_their_own(stall: Stall) -> None:
    for person in (replace(stall.ann, role="child"), replace(stall.ann, role="guest"),
                   replace(stall.ann, scope="listen")):
        with pytest.raises(Forbidden):
            stall.code(person)
    stall.code()
    (share,) = stall.shares.list(stall.ann)
    assert stall.shares.list(stall.ben) == []
    for deed in (lambda: stall.shares.end(stall.ben, share.id),
                 lambda: stall.shares.change(stall.ben, share.id, description="mine")):
        with pytest.raises(NotFound):
            deed()
    stall.shares.end(replace(stall.ann, role="guest"), share.id)    # taking back is for who gave


def test_a_station_that_shares_nothing_opens_no_link(stall: Stall) -> None:
    code = stall.code()
    stall.shares.enabled = False
    with pytest.raises(NotFound):
        stall.shares.open(code)
    for deed in (stall.code, lambda: stall.shares.list(stall.ann)):
        with pytest.raises(Forbidden):
            deed()


def test_there_are_bounds(stall: Stall, monkeypatch: pytest.MonkeyPatch) -> None:
    track = stall.music.uid("a/1.flac")
    for entries in ([], [("film", "x")], [("track", str(n)) for n in range(501)]):
        with pytest.raises(BadInput):
            stall.shares.make(stall.ann, entries)
    with pytest.raises(BadInput):
        stall.code(description="x" * (LONGEST_DESCRIPTION + 1))
    monkeypatch.setattr(records, "MOST_OF_PERSON", 2)
    for _ in range(2):
        stall.code(None, ("track", track), ("track", track))
    with pytest.raises(Unprocessable):
        stall.code()


def test_albums_artists_and_playlists_are_heard_in_their_order_and_nothing_twice(stall: Stall) -> None:
    from shared.records.playlists import Playlists

    one, two, other = (stall.music.uid(path) for path in ("a/1.flac", "a/2.flac", "b/1.flac"))
    made = Playlists(database=stall.house.database).make(stall.ann, "P", [other, two, one])
    album = stall.music.one("SELECT uid FROM albums WHERE title = 'Heroes'")
    artist = stall.music.one("SELECT uid FROM artists WHERE name = 'Else'")

    def heard(*uids: str) -> list[str]:
        share = stall.shares.make_of(stall.ann, uids)
        return [item.title for item in stall.shares.open(share.link.rpartition("/")[2]).items]

    assert heard(album) == ["One", "Two"]
    assert heard(artist) == ["Other"]
    assert heard(made.id) == ["Other", "Two", "One"]
    assert heard(two, album, made.id) == ["Two", "One", "Other"]
    with pytest.raises(NotFound):
        heard(album, "gone")


def test_the_audit_log_tells_who_shared_what(stall: Stall) -> None:
    code = stall.code()
    (share,) = stall.shares.list(stall.ann)
    stall.shares.end(stall.ann, share.id)
    lines = [line for line in Audit(database=stall.house.database).list().items if line.deed.startswith("share_")]
    assert [(line.deed, line.username, line.subject) for line in reversed(lines)] == [
        ("share_made", "ann", "One"), ("share_ended", "ann", "")]
    assert code not in str(lines) and hash_of(code).hex() not in str(lines)


def test_who_listens_is_hung_up_on_when_its_time_is_over(stall: Stall) -> None:
    clock = stall.house.clock
    soon, later = (stall.code(expires_at=clock.now + seconds) for seconds in (0.2, 500))
    never = stall.code()
    for code in (never, later, soon):
        stall.listen(code)
    clock.now += 0.3    # the timer's own seconds go on by themselves
    until(lambda: stall.hung_up)
    assert stall.hung_up == [soon]
    share = next(one for one in stall.shares.list(stall.ann) if one.link.endswith(later))
    stall.shares.change(stall.ann, share.id, expires_at=clock.now + 0.1)
    clock.now += 0.2
    until(lambda: len(stall.hung_up) == 2)
    assert stall.hung_up == [soon, later]


@pytest.mark.parametrize("at", [253_402_300_800.0, 9e12, 9e15, -1e12, float("inf"), float("nan")])
def test_a_moment_that_no_date_tells_is_no_end(stall: Stall, at: float) -> None:
    """It made every list of that person's shares, and the link itself, an error of the station's."""
    code = stall.code()
    (share,) = stall.shares.list(stall.ann)
    with pytest.raises(BadInput):
        stall.code(expires_at=at)
    with pytest.raises(BadInput):
        stall.shares.change(stall.ann, share.id, expires_at=at)
    assert stall.shares.change(stall.ann, share.id, expires_at=253_402_300_799.0).expires_at is not None
    assert stall.shares.open(code).expires_at == "9999-12-31T23:59:59.000Z"
