from __future__ import annotations

import pytest

from shared.database import Database
from shared.model.download import Options
from shared.model.errors import BadInput, Conflict, NotFound
from shared.model.person import Person
from shared.records import watches as records
from shared.records.people import People
from shared.records.watches import Watches


@pytest.fixture
def watches(database: Database) -> Watches:
    return Watches(database=database)


def add(watches: Watches, person: Person, url: str = "http://feed", **more: object) -> records.Watch:
    return watches.add(person.user_id, **{"kind": "feed", "url": url, "name": "A feed", **more})


def test_a_watch_is_kept_as_it_was_asked_for(watches: Watches, owner: Person) -> None:
    made = add(watches, owner, options=Options(quality="128"), every_s=60, most=5, nightly=True, seen=["a", "b", "a"])
    assert watches.get(owner, made.id) == made
    assert (made.options.quality, made.every_s, made.most, made.nightly, made.paused) == ("128", 60, 5, True, False)
    assert (made.seen, made.checked_at, made.username) == (2, None, "olga")
    with pytest.raises(Conflict):
        add(watches, owner)
    with pytest.raises(BadInput):
        add(watches, owner, "http://other", kind="label")


def test_a_person_sees_their_own_and_an_owner_all(watches: Watches, owner: Person, guest: Person) -> None:
    mine, other = add(watches, owner), add(watches, guest)
    assert {one.id for one in watches.list(owner)} == {mine.id, other.id}
    assert [one.id for one in watches.list(guest)] == [other.id]
    for deed in (
        lambda: watches.get(guest, mine.id),
        lambda: watches.change(guest, mine.id, name="x"),
        lambda: watches.remove(guest, mine.id),
    ):
        with pytest.raises(NotFound):
            deed()
    watches.remove(owner, other.id)
    assert watches.list(guest) == []


def test_what_is_due_is_checked_once_and_then_waits_its_time(watches: Watches, owner: Person) -> None:
    made = add(watches, owner, every_s=7200, seen=["old"], next_at=100.0)
    later = add(watches, owner, "http://later", next_at=300.0)
    assert watches.due(99.0) == []
    (due,) = watches.due(100.0)
    assert (due.uid, due.seen, due.checked_at, due.user_id) == (made.id, {"old"}, None, owner.user_id)
    watches.mark_checked(made.id, ["new", "old"], now=200.0)
    assert watches.due(250.0) == []
    assert watches.next_at() == 300.0
    watches.change(owner, later.id, paused=True)
    assert [one.uid for one in watches.due(1e5)] == [made.id]
    assert watches.one(made.id).seen == {"old", "new"}
    assert watches.get(owner, made.id).next_at == "1970-01-01T02:03:20.000Z"


def test_the_watches_of_who_may_no_longer_add_music_rest(watches: Watches, owner: Person, guest: Person) -> None:
    add(watches, guest, next_at=100.0)
    assert (watches.due(200.0), watches.next_at()) == ([], None)
    mine = add(watches, owner, "http://mine", next_at=150.0)
    assert ([one.uid for one in watches.due(200.0)], watches.next_at()) == ([mine.id], 150.0)


def test_after_an_error_it_is_tried_again_within_the_hour(watches: Watches, owner: Person) -> None:
    made = add(watches, owner, every_s=86_400)
    watches.mark_checked(made.id, error="It did not answer.", now=0.0)
    assert watches.get(owner, made.id).last_error == "It did not answer."
    assert [one.uid for one in watches.due(3600.0)] == [made.id]
    watches.mark_checked(made.id, now=3600.0)
    assert watches.get(owner, made.id).last_error is None
    assert watches.due(86_400.0) == []


def test_changes_touch_only_what_is_given(watches: Watches, owner: Person) -> None:
    made = add(watches, owner, every_s=1000, most=3)
    watches.mark_checked(made.id, now=0.0)
    changed = watches.change(owner, made.id, name="B", every_s=50, options=Options(trim=True), nightly=True)
    assert (changed.name, changed.every_s, changed.most, changed.nightly, changed.options.trim) == (
        "B", 50, 3, True, True,
    )  # fmt: skip
    assert changed.next_at == "1970-01-01T00:00:50.000Z"


def test_only_the_latest_keys_are_remembered(
    watches: Watches, owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "MOST_SEEN", 3)
    made = add(watches, owner, seen=["a", "b"])
    watches.mark_checked(made.id, ["c", "d"])
    assert watches.one(made.id).seen == {"b", "c", "d"}


def test_watches_leave_with_their_person(watches: Watches, database: Database, owner: Person, guest: Person) -> None:
    made = add(watches, guest)
    People(database=database).delete_user(guest.id)
    assert watches.list(owner) == []
    watches.mark_checked(made.id, ["x"])  # it was being checked just then
    with pytest.raises(NotFound):
        add(watches, guest)
