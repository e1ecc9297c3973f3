from __future__ import annotations

from dataclasses import replace

import pytest

from shared.database import Database
from shared.model.person import Person
from shared.records.cached import Cached, Entry
from shared.records.copies import Copies
from shared.records.tracks import Tracks
from tests.records.songs import SHA, Music, copy_of, metadata

ENTRY = Entry(SHA, 10, 20, verified_at=30.0, last_used_at=40.0)


@pytest.fixture
def cached(database: Database) -> Cached:
    return Cached(database=database)


def state(music: Music, name: str) -> int:
    return int(music.one("SELECT value FROM state WHERE name = ?", name))


def test_entries_are_kept_used_verified_and_forgotten(cached: Cached) -> None:
    other = replace(ENTRY, sha256="cd" * 32, verified_at=5.0, last_used_at=50.0, size_bytes=1)
    cached.put([other, ENTRY])
    assert cached.all() == [ENTRY, other]
    assert (cached.get(SHA), cached.get("ef" * 32)) == (ENTRY, None)
    assert cached.oldest_verified(1) == [other]
    assert cached.totals() == (2, 11)
    cached.used({SHA: 60.0, "ef" * 32: 1.0})
    cached.verified(SHA, 70.0)
    assert cached.all() == [other, replace(ENTRY, verified_at=70.0, last_used_at=60.0)]
    cached.put([replace(ENTRY, mtime_ns=99)])
    assert cached.get(SHA) == replace(ENTRY, mtime_ns=99)
    assert cached.drop([SHA, "ef" * 32]) == 1
    assert cached.all() == [other]


def test_an_entry_that_was_replaced_meanwhile_is_not_forgotten(cached: Cached) -> None:
    cached.put([ENTRY])
    assert cached.drop_as([replace(ENTRY, mtime_ns=21)]) == 0
    assert cached.drop_as([replace(ENTRY, last_used_at=99.0), ENTRY]) == 1
    assert cached.drop_as([]) == 0
    assert cached.all() == []


def test_a_track_has_what_its_copies_are(cached: Cached, music: Music, database: Database) -> None:
    uid = music.add("a.flac")
    small, plain, gone = "01" * 32, "02" * 32, "03" * 32
    Copies(database=database).put([
        copy_of(uid, key="1", sha256=small, compression="opus:128", mime_type="audio/ogg"),
        copy_of(uid, key="2", sha256=plain),
        copy_of(uid, provider="b2", key="2", sha256=plain),
        copy_of(uid, key="3", sha256=gone, broken="gone"),
        copy_of(uid, key="4", sha256="04" * 32),
    ])  # fmt: skip
    cached.put([replace(ENTRY, sha256=one) for one in (small, plain, gone)])
    assert [(entry.sha256, mime) for entry, mime in cached.of_track(uid)] == [
        (plain, "audio/flac"), (small, "audio/ogg"),
    ]  # fmt: skip
    assert cached.of_track("nobody") == []


def test_what_comes_and_leaves_is_told_without_moving_the_library(
    cached: Cached, music: Music, database: Database, owner: Person
) -> None:
    here, lost, known = (music.add(f"{name}.flac", metadata(name)) for name in "abc")
    Copies(database=database).put([copy_of(here), copy_of(lost)])
    music.lose("b.flac", "c.flac")
    with database.transaction() as conn:
        conn.exec_driver_sql("UPDATE files SET sha256 = ? WHERE path = 'c.flac'", (SHA,))
        conn.exec_driver_sql("UPDATE files SET sha256 = NULL WHERE path = 'b.flac'")
    library, before = state(music, "library_revision"), state(music, "revision")
    tracks = Tracks(database=database)

    def told() -> tuple[set[str], list[str]]:
        rows = music.rows("SELECT uid FROM tracks WHERE changed_rev > ?", before)
        return {uid for (uid,) in rows}, [tracks.get(owner, uid).place for uid in (here, lost, known)]

    assert told() == (set(), ["local", "cloud", "missing"])
    cached.put([ENTRY])
    assert told() == ({lost, known}, ["local", "cache", "cache"])
    before = state(music, "revision")
    cached.put([ENTRY])  # as it was
    assert told()[0] == set()
    cached.drop([SHA])
    assert told() == ({lost, known}, ["local", "cloud", "missing"])
    assert state(music, "library_revision") == library


def test_what_nobody_refers_to_is_found(cached: Cached, music: Music, database: Database) -> None:
    uid = music.add("a.flac")
    copied, of_file, alone = "01" * 32, "02" * 32, "03" * 32
    Copies(database=database).put([copy_of(uid, sha256=copied, source_sha256=of_file, compression="mp3:320")])
    cached.put([replace(ENTRY, sha256=one) for one in (copied, of_file, alone)])
    assert [one.sha256 for one in cached.unreferenced()] == [alone]
