from __future__ import annotations

import pytest

from shared.database import Database
from shared.model.errand import Selection
from shared.model.errors import BadInput, NotFound
from shared.model.person import Person
from shared.model.work import Moved
from shared.records.errands import Errands
from tests.records.songs import Music

NOW = 1_800_000_000.0


@pytest.fixture
def errands(database: Database) -> Errands:
    return Errands(database=database)


def test_an_errand_is_kept_as_it_was_asked_for(errands: Errands, owner: Person, music: Music) -> None:
    (first, *_) = music.album("A", "One", "Ann")
    made, new = errands.add("upload", Selection(provider="r2", track_ids=(first,)), owner.user_id, now=NOW)
    assert new and errands.get(made.id) == made
    assert (made.kind, made.state, made.title, made.username, made.attempt) == (
        "upload", "waiting", "One song 1", "olga", 0)
    assert (made.selection.provider, made.selection.track_ids, made.selection.track_count) == ("r2", [first], 1)
    assert made.created_at == "2027-01-15T08:00:00.000Z"
    with pytest.raises(BadInput):
        errands.add("cook", Selection(), None)
    with pytest.raises(NotFound):
        errands.get("nothing")


def test_a_wish_that_waits_is_joined_and_no_longer_put_off(errands: Errands, owner: Person) -> None:
    first, _ = errands.add("backup", Selection(), owner.user_id, now=NOW)
    task = errands.take(NOW)
    assert task is not None and (task.id, task.kind, task.user_id) == (first.id, "backup", owner.user_id)
    second, new = errands.add("backup", Selection(), None, now=NOW)     # what runs is not joined
    assert new and second.id != first.id
    put_off = errands.put_off(first.id, message="Silence.", not_before=NOW + 60, failed=True)
    assert (put_off.state, put_off.attempt, put_off.message) == ("waiting", 1, "Silence.")
    joined, new = errands.add("backup", Selection(), None, now=NOW)
    assert not new and joined.id in (first.id, second.id) and joined.not_before is None


def test_tracks_gather_in_one_errand_of_the_station_until_it_is_full(errands: Errands, owner: Person) -> None:
    people, _ = errands.add("upload", Selection(track_ids=("p",)), owner.user_id)
    first, _ = errands.gather("upload", Selection(track_ids=("a", "b")), 3)
    same, new = errands.gather("upload", Selection(track_ids=("b", "c")), 3)
    assert (same.id, new, same.selection.track_ids) == (first.id, False, ["a", "b", "c"])
    full, new = errands.gather("upload", Selection(track_ids=("d",)), 3)
    assert new and full.id not in (first.id, people.id)
    other, new = errands.gather("upload", Selection(provider="b2", track_ids=("e",)), 3)
    assert new and other.id not in (first.id, full.id)
    assert errands.get(people.id).selection.track_ids == ["p"]


def test_they_are_taken_in_turn_when_their_time_has_come(errands: Errands) -> None:
    first, _ = errands.add("check", Selection(), None, now=NOW)
    second, _ = errands.add("backup", Selection(), None, now=NOW + 1)
    assert errands.next_at() == 0
    assert (errands.take(NOW) or first).id == first.id      # the older first
    errands.put_off(first.id, not_before=NOW + 100, failed=True)
    assert [one.id for one in errands.active()] == [second.id, first.id]
    assert (errands.take(NOW) or first).id == second.id
    assert errands.take(NOW) is None and errands.next_at() == NOW + 100
    again = errands.take(NOW + 100)
    assert again is not None and (again.id, again.attempt) == (first.id, 1)
    assert errands.next_at() is None


def test_how_far_it_is_and_what_it_reported_is_kept(errands: Errands) -> None:
    made, _ = errands.add("check", Selection(), None, now=NOW)
    errands.moved(made.id, Moved(phase="early"))
    assert errands.get(made.id).progress is None        # it does not run yet
    errands.take(NOW)
    errands.moved(made.id, Moved("looking", 1, 2))
    assert errands.get(made.id).progress == Moved("looking", 1, 2)
    done = errands.end(made.id, "done", report={"ok": True}, now=NOW + 5)
    assert (done.state, done.report, done.progress) == ("done", {"ok": True}, Moved("looking", 1, 2))
    assert errands.last("check") == done and errands.last("backup") is None
    assert errands.recent(NOW + 4) == [done] and errands.recent(NOW + 6) == []


def test_what_was_cancelled_stays_so_whatever_its_child_says(errands: Errands) -> None:
    made, _ = errands.add("check", Selection(), None, now=NOW)
    errands.take(NOW)
    cancelled, before = errands.cancel(made.id, now=NOW)
    assert (cancelled.state, before) == ("cancelled", "running")
    assert errands.put_off(made.id, failed=True).state == "cancelled"
    ended = errands.end(made.id, "failed", report={"uploaded": 2}, message="x", now=NOW)
    assert (ended.state, ended.report, ended.message, ended.attempt) == ("cancelled", {"uploaded": 2}, None, 0)
    assert errands.cancel(made.id) == (ended, "cancelled")


def test_what_ran_at_the_last_end_waits_again(errands: Errands) -> None:
    made, _ = errands.add("check", Selection(), None, now=NOW)
    errands.take(NOW)
    assert errands.recover() == 1 and errands.get(made.id).state == "waiting"
    assert errands.recover() == 0


def test_pages_show_the_newest_first_and_those_in_a_state(errands: Errands, owner: Person) -> None:
    ids = [errands.add("upload", Selection(track_ids=(f"t{n}",)), None, now=NOW + n)[0].id for n in range(5)]
    errands.take(NOW)
    page = errands.page(owner, limit=3)
    assert ([one.id for one in page.items], page.total) == (ids[:1:-1], 5)
    following = errands.page(owner, limit=3, cursor=page.next_cursor)
    assert ([one.id for one in following.items], following.next_cursor) == (ids[1::-1], None)
    assert [one.id for one in errands.page(owner, states=["running", "done"]).items] == ids[:1]
    with pytest.raises(BadInput):
        errands.page(owner, states=["odd"])


def test_of_very_many_ids_the_first_are_shown(errands: Errands) -> None:
    made, _ = errands.add("fetch", Selection(track_ids=tuple(f"t{n}" for n in range(3000))), None)
    assert (len(made.selection.track_ids), made.selection.track_count, made.title) == (20, 3000, None)
    task = errands.take(NOW + 1e9)
    assert task is not None and len(task.selection.track_ids) == 3000


def test_the_first_thing_that_there_is_not_is_named(errands: Errands, music: Music) -> None:
    (first, *_) = music.album("A", "One", "Ann")
    assert errands.strange(Selection(track_ids=(first,))) is None
    assert errands.strange(Selection(track_ids=(first, "x"), album_ids=())) == ("track", "x")
    assert errands.strange(Selection(album_ids=("y",), track_ids=("x",))) == ("album", "y")


def test_old_ones_are_forgotten_but_the_last_of_each_kind(errands: Errands) -> None:
    backup, _ = errands.add("backup", Selection(), None, now=NOW)
    errands.take(NOW)
    errands.end(backup.id, "done", now=NOW)
    for number in range(10):
        made, _ = errands.add("check", Selection(), None, now=NOW + number + 1)
        errands.take(NOW + 100)
        errands.end(made.id, "failed", now=NOW + number + 1)
    waiting, _ = errands.add("check", Selection(), None, now=NOW)
    assert errands.prune(keep=3) == 7
    assert errands.last("backup") is not None and errands.get(waiting.id).state == "waiting"
