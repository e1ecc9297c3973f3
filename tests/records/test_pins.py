from __future__ import annotations

import time

import pytest

from shared.database import Database, driver_cursor
from shared.model.errors import BadInput, NotFound
from shared.model.person import Person
from shared.records.albums import Albums
from shared.records.copies import Copies
from shared.records.pins import Pins
from shared.records.tracks import Tracks
from tests.records.songs import Music


@pytest.fixture
def pins(database: Database) -> Pins:
    return Pins(database=database)


def album_of(database: Database, owner: Person, track: str) -> str:
    album = Tracks(database=database).get(owner, track).album_id
    assert album is not None
    return album


def copied(database: Database, *uids: str, compression: str = "") -> None:
    """A copy of each, without a bucket."""
    with database.transaction() as conn:
        for uid in uids:
            driver_cursor(conn).execute(
                "INSERT INTO copies (track_id, provider, key, size_bytes, stored_bytes, sha256, format, mime_type, "
                "compression, source_sha256, source_size_bytes, source_mtime_ns, etag, verified_at, added_at) "
                "SELECT id, 'r2', uid || ?, 1, 1, uid, 'flac', 'audio/flac', ?, uid, 1, 1, 'e', 1, 1 FROM tracks "
                "WHERE uid = ?", (compression, compression, uid))  # fmt: skip


def test_albums_and_tracks_are_pinned_once_and_listed_by_title(
    pins: Pins, database: Database, music: Music, owner: Person
) -> None:
    first, second, _ = music.album("B", "Zebra", "Ann")
    other, *_ = music.album("C", "Apple", "Ben")
    album = album_of(database, owner, first)
    assert pins.add("album", album, now=1e9) and not pins.add("album", album)
    assert pins.add("track", other, now=1e9)
    apple, zebra = pins.list()
    assert (apple.kind, apple.id, apple.title, apple.artist, apple.track_count, apple.local_count) == (
        "track", other, "Apple song 1", "Ben", 1, 1)
    assert (zebra.kind, zebra.id, zebra.title, zebra.track_count, zebra.local_count) == ("album", album, "Zebra", 3, 3)
    Copies(database=database).offloaded(second, time.time())
    assert pins.list()[1].local_count == 2
    assert pins.remove("album", album) and not pins.remove("album", album)
    assert [one.id for one in pins.list()] == [other]


def test_what_is_not_there_cannot_be_pinned(pins: Pins) -> None:
    with pytest.raises(NotFound):
        pins.add("album", "nothing")
    with pytest.raises(BadInput):
        pins.add("artist", "nothing")


def test_a_track_is_pinned_by_itself_or_with_its_album(
    pins: Pins, database: Database, music: Music, owner: Person
) -> None:
    one, two, three = music.album("A", "One", "Ann")
    others = music.album("B", "Two", "Ann")
    assert pins.pinned([one, *others]) == set()
    pins.add("track", others[0])
    pins.add("album", album_of(database, owner, one))
    assert pins.pinned([one, two, three, *others, "nothing"]) == {one, two, three, others[0]}


def test_pinned_tracks_that_are_not_here_want_to_come_back_from_an_exact_copy(
    pins: Pins, database: Database, music: Music, owner: Person
) -> None:
    one, two, three = music.album("A", "One", "Ann")
    other, *_ = music.album("B", "Two", "Ann")
    album = album_of(database, owner, one)
    for uid in (one, two, other):
        Copies(database=database).offloaded(uid, time.time())
    copied(database, one, three, other)
    copied(database, two, compression="mp3:320")
    assert pins.wanting() == []
    pins.add("album", album)
    assert pins.wanting() == pins.wanting("album", album) == [one]
    pins.add("track", other)
    assert set(pins.wanting()) == {one, other} and pins.wanting("track", other) == [other]
    music.scans.forget_root("/music")
    assert pins.wanting() == []     # there is no folder to bring them back to


def test_a_pin_outlives_a_rescan_and_is_not_shown_without_its_album(
    pins: Pins, database: Database, music: Music, owner: Person
) -> None:
    one, *_ = music.album("A", "One", "Ann")
    album = album_of(database, owner, one)
    pins.add("album", album)
    music.lose("A/01.flac", "A/02.flac", "A/03.flac")
    assert Albums(database=database).get(owner, album).id == album
    assert [one.local_count for one in pins.list()] == [0]
    with database.transaction() as conn:
        driver_cursor(conn).execute("DELETE FROM tracks")
        driver_cursor(conn).execute("DELETE FROM albums")
    assert pins.list() == []
