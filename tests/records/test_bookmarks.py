from __future__ import annotations

from dataclasses import replace

import pytest

from shared.database import driver_cursor
from shared.model.errors import BadInput, NotFound, Unprocessable
from shared.model.person import Person
from shared.records import bookmarks as records
from shared.records.bookmarks import Bookmarks
from shared.records.people import People
from shared.records.tracks import Tracks
from shared.records.visible import Folders
from tests.records.songs import Music


@pytest.fixture
def bookmarks(music: Music) -> Bookmarks:
    return Bookmarks(database=music.database)


def test_a_bookmark_is_one_for_each_thing_and_each_persons_own(
    music: Music, bookmarks: Bookmarks, owner: Person, guest: Person
) -> None:
    first, second = music.album("a", "Low", "David Bowie", 2)
    bookmarks.set(owner, first, 5, "here")
    made = bookmarks.list(owner)[0].created_at
    bookmarks.set(owner, second, 0)
    bookmarks.set(owner, first, 7, "no, here")
    assert [(one.thing_id, one.position_ms, one.comment) for one in bookmarks.list(owner)] == [
        (first, 7, "no, here"), (second, 0, "")]  # fmt: skip
    assert bookmarks.list(owner)[0].created_at == made
    assert bookmarks.positions(owner, [first, second, "gone"]) == {first: 7, second: 0}
    assert bookmarks.list(guest) == [] and bookmarks.positions(guest, [first]) == {}
    with pytest.raises(NotFound):
        bookmarks.remove(guest, first)
    bookmarks.remove(owner, first)
    assert [one.thing_id for one in bookmarks.list(owner)] == [second]


def test_what_is_not_there_or_makes_no_sense_is_refused(music: Music, bookmarks: Bookmarks, owner: Person) -> None:
    uid = music.add("a/1.flac")
    for deed in (lambda: bookmarks.set(owner, "gone", 1), lambda: bookmarks.remove(owner, uid)):
        with pytest.raises(NotFound):
            deed()
    for values in ((-1, ""), (1, "x" * 5_001)):
        with pytest.raises(BadInput):
            bookmarks.set(owner, uid, *values)
    assert bookmarks.list(owner) == []


def test_episodes_have_bookmarks_too(music: Music, bookmarks: Bookmarks, owner: Person) -> None:
    with music.database.transaction() as conn:
        cursor = driver_cursor(conn)
        cursor.execute("INSERT INTO podcasts (id, uid, url, created_at, next_at) VALUES (1, 'p', 'http://x', 1, 1)")
        cursor.execute("INSERT INTO episodes (uid, podcast_id, guid, title, url, published_at, added_at) "
                       "VALUES ('e', 1, 'g', 'E', 'http://x/e', 1, 1)")  # fmt: skip
    bookmarks.set(owner, "e", 60_000)
    assert [(one.kind, one.thing_id) for one in bookmarks.list(owner)] == [("episode", "e")]
    with music.database.transaction() as conn:
        driver_cursor(conn).execute("DELETE FROM podcasts")
    assert bookmarks.list(owner) == []


def test_a_bookmark_waits_for_what_is_in_the_trash(music: Music, bookmarks: Bookmarks, owner: Person) -> None:
    uid = music.add("a/1.flac")
    bookmarks.set(owner, uid, 3)
    Tracks(database=music.database).trash(uid, trashed_from="a/1.flac", path="t/1.flac")
    assert bookmarks.list(owner) == []
    Tracks(database=music.database).restore(uid, path="a/1.flac")
    assert [one.position_ms for one in bookmarks.list(owner)] == [3]


def test_what_a_limited_person_does_not_see_has_none(music: Music, bookmarks: Bookmarks, guest: Person) -> None:
    seen, unseen = music.add("a/1.flac"), music.add("b/1.flac")
    bookmarks.set(guest, unseen, 3)
    People(database=music.database).change_user(guest.id, limited=True)
    Folders(database=music.database).set(guest.user_id, [(music.root.id, "a")])
    limited = replace(guest, limited=True)
    assert bookmarks.list(limited) == []
    with pytest.raises(NotFound):
        bookmarks.set(limited, unseen, 4)
    bookmarks.set(limited, seen, 4)
    assert [one.thing_id for one in bookmarks.list(limited)] == [seen]


def test_nobody_has_more_than_a_bounded_number(
    music: Music, bookmarks: Bookmarks, owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    songs = music.album("a", "Low", "David Bowie", 4)
    monkeypatch.setattr(records, "MOST_OF_PERSON", 3)
    for uid in songs[:3]:
        bookmarks.set(owner, uid, 1)
    with pytest.raises(Unprocessable):
        bookmarks.set(owner, songs[3], 1)
    bookmarks.set(owner, songs[0], 2)  # one that is there can be moved
    with music.database.transaction() as conn:  # of a thing that is gone for good
        driver_cursor(conn).execute("UPDATE bookmarks SET thing_uid = 'gone' WHERE thing_uid = ?", (songs[1],))
    bookmarks.set(owner, songs[3], 1)
    assert {one.thing_id for one in bookmarks.list(owner)} == {songs[0], songs[2], songs[3]}
