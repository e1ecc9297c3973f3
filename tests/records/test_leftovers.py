from __future__ import annotations

import json
import time

import pytest

from shared.database import Database, driver_cursor
from shared.model.person import Person
from shared.records.leftovers import CachedRow, Leftovers
from shared.records.playlists import Playlists
from shared.records.tracks import Tracks
from tests.records.songs import Music, inconsistencies, metadata


@pytest.fixture
def leftovers(database: Database) -> Leftovers:
    return Leftovers(database=database)


@pytest.fixture
def tracks(database: Database) -> Tracks:
    return Tracks(database=database)


def copy(database: Database, uid: str, key: str, *, sha256: str = "a" * 64, broken: str | None = None,
         provider: str = "r2") -> None:
    with database.transaction() as conn:
        driver_cursor(conn).execute(
            "INSERT INTO copies (track_id, provider, key, size_bytes, stored_bytes, sha256, format, mime_type, "
            "source_sha256, source_size_bytes, source_mtime_ns, etag, verified_at, broken, added_at) SELECT id, ?, ?, "
            "10, 10, ?, 'flac', 'audio/flac', ?, 1, 1, 'e', 1.0, ?, 1.0 FROM tracks WHERE uid = ?",
            (provider, key, sha256, sha256, broken, uid),
        )


def cache(database: Database, sha256: str) -> CachedRow:
    row = CachedRow(sha256, 10, 5, 1.0, 2.0, False)
    Leftovers(database=database).put_cached(row)
    return row


def hashed(database: Database, uid: str, sha256: str) -> None:
    with database.transaction() as conn:
        driver_cursor(conn).execute(
            "UPDATE files SET sha256 = ? WHERE track_id = (SELECT id FROM tracks WHERE uid = ?)", (sha256, uid)
        )


def placeless(leftovers: Leftovers, music: Music, **known: object) -> list[str]:
    return [one.track_id for one in leftovers.placeless(music.root.id, **known)]  # type: ignore[arg-type]


def test_what_lies_in_the_cache_or_in_a_bucket_is_not_placeless(
    database: Database, music: Music, leftovers: Leftovers
) -> None:
    uids = music.album("a", "Low", "David Bowie", 6)
    copy(database, uids[0], "k0")
    copy(database, uids[1], "k1", broken="gone")
    copy(database, uids[2], "k2", broken="corrupted", sha256="2" * 64)
    hashed(database, uids[3], "3" * 64)
    cache(database, "3" * 64)
    copy(database, uids[4], "k4", sha256="4" * 64, broken="gone")
    cache(database, "4" * 64)
    assert leftovers.gone() == [("r2", "k1"), ("r2", "k4")]
    assert placeless(leftovers, music) == [uids[5]]     # what was called gone may be there again
    gone = {*leftovers.gone(), ("other", "k2")}
    assert placeless(leftovers, music, gone=gone) == [uids[1], uids[5]]
    assert placeless(leftovers, music, gone={*gone, ("r2", "k0")}) == [uids[0], uids[1], uids[5]]
    assert placeless(leftovers, music, gone=gone, uncached={"3" * 64, "4" * 64}) == [
        uids[1], uids[3], uids[4], uids[5]]  # fmt: skip
    (one, _) = leftovers.placeless(music.root.id, gone=gone)
    assert (one.path, one.title, one.artist, one.device, one.missing) == (
        "a/02.flac", "Low song 2", "David Bowie", "1", False)  # fmt: skip


def test_rows_leave_together_and_come_back_as_they_were(
    database: Database, music: Music, leftovers: Leftovers, tracks: Tracks, owner: Person
) -> None:
    uids = music.album("a", "Low", "David Bowie", 3)
    other = music.album("b", "Lodger", "David Bowie", 1)
    playlist = Playlists(database=database).make(owner, name="Mine", track_uids=[uids[0], other[0]])
    music.lose("a/01.flac", "a/02.flac")
    before = tracks.stats()
    assert leftovers.trash_rows(uids, only_missing=True) == uids[:2]
    assert inconsistencies(database) == []
    assert (tracks.stats().tracks, tracks.stats().missing) == (2, 0)
    assert [one.id for one in tracks.trashed(person=owner).items] == [uids[1], uids[0]]
    assert Playlists(database=database).get(owner, playlist.id).track_count == 1
    assert leftovers.trash_rows(uids[:2], only_missing=True) == []
    assert leftovers.restore_rows([*uids, "nothing"]) == uids[:2]
    assert inconsistencies(database) == []
    after = tracks.stats()
    assert (after.tracks, after.missing, after.size_bytes) == (before.tracks, before.missing, before.size_bytes)
    assert Playlists(database=database).get(owner, playlist.id).track_count == 2


def test_a_row_that_has_a_place_again_stays(database: Database, music: Music, leftovers: Leftovers) -> None:
    uids = music.album("a", "Low", "David Bowie", 4)
    music.lose(*(f"a/0{number}.flac" for number in range(1, 5)))
    music.bring_back("a/01.flac")
    copy(database, uids[1], "k")
    hashed(database, uids[2], "3" * 64)
    cache(database, "3" * 64)
    assert leftovers.trash_rows(uids, only_missing=True) == [uids[3]]
    assert leftovers.trash_rows(uids, only_missing=False) == [uids[0]]


def test_what_a_person_put_into_the_trash_is_left_there(
    database: Database, music: Music, leftovers: Leftovers, tracks: Tracks
) -> None:
    (uid,) = music.album("a", "Low", "David Bowie", 1)
    music.lose("a/01.flac")
    tracks.trash(uid, trashed_from="a/01.flac", path="a/01.flac")
    assert leftovers.trash_rows([uid], only_missing=True) == []
    assert leftovers.restore_rows([uid]) == []
    assert not tracks.trash_place(uid).alone
    music.bring_back("a/01.flac")
    assert tracks.stats().tracks == 0


@pytest.mark.parametrize("how", ["returned", "moved", "changed"])
def test_a_file_that_turns_up_again_brings_its_row_back(
    database: Database, music: Music, leftovers: Leftovers, tracks: Tracks, owner: Person, how: str
) -> None:
    uids = music.album("a", "Low", "David Bowie", 2)
    music.lose("a/01.flac", "a/02.flac")
    leftovers.trash_rows(uids, only_missing=True)
    assert tracks.trash_place(uids[0]).alone
    if how == "returned":
        music.bring_back("a/01.flac")
    elif how == "moved":
        music.rename({"a/01.flac": "elsewhere/01.flac"})
    else:
        music.retag({"a/01.flac": metadata("Speed of Life", album="Low", number=1)})
    assert inconsistencies(database) == []
    assert [one.id for one in tracks.list(owner).items] == uids[:1]
    assert [one.id for one in tracks.trashed(person=owner).items] == uids[1:]


def test_a_person_takes_a_row_out_of_the_trash_as_missing_as_it_was(
    database: Database, music: Music, leftovers: Leftovers, tracks: Tracks
) -> None:
    (uid, other) = music.album("a", "Low", "David Bowie", 2)
    music.lose("a/01.flac")
    leftovers.trash_rows([uid], only_missing=True)
    tracks.restore(uid, path="a/01.flac")
    assert tracks.missing_ids() == [uid]
    leftovers.trash_rows([uid], only_missing=True)
    tracks.trash(other, trashed_from="a/02.flac", path="a/02.flac")
    assert tracks.purge_alone([uid, other]) == 1
    assert [one[0] for one in leftovers.trashed_before(time.time() + 60)] == [other]
    assert inconsistencies(database) == []


def test_cached_rows_are_dropped_while_nothing_refers_to_them(
    database: Database, music: Music, leftovers: Leftovers
) -> None:
    (uid, other) = music.album("a", "Low", "David Bowie", 2)
    rows = [cache(database, digit * 64) for digit in "abc"]
    hashed(database, uid, "a" * 64)
    copy(database, other, "k", sha256="b" * 64)
    assert [(one.sha256[0], one.referred) for one in leftovers.cached()] == [("a", True), ("b", True), ("c", False)]
    assert leftovers.drop_cached([one.sha256 for one in rows]) == {"c" * 64}
    leftovers.forget_cached(["a" * 64])
    assert [one.sha256[0] for one in leftovers.cached()] == ["b"]
    leftovers.put_cached(rows[2])
    leftovers.put_cached(CachedRow("c" * 64, 99, 99, 9.0, 9.0, False))
    assert leftovers.cached()[1] == rows[2]


def test_objects_that_are_gone_are_marked_and_unmarked_with_all_their_rows(
    database: Database, music: Music, leftovers: Leftovers
) -> None:
    uids = music.album("a", "Low", "David Bowie", 3)
    copy(database, uids[0], "k")
    copy(database, uids[1], "k")
    copy(database, uids[2], "bad", broken="corrupted")
    copy(database, uids[2], "k", provider="b2")
    assert leftovers.objects("r2") == {"k": True, "bad": True}
    assert leftovers.mark_gone("r2", ["k", "bad", "unknown"]) == {"k"}
    assert leftovers.objects("r2") == {"k": False, "bad": True}
    assert leftovers.objects("b2") == {"k": True}
    assert leftovers.referred("r2", ["k", "bad", "unknown"]) == {"k", "bad"}
    assert leftovers.unmark_gone("r2", ["k", "bad"]) == {"k"}
    assert leftovers.objects("r2") == {"k": True, "bad": True}


def test_tracks_that_were_here_are_no_strangers(
    database: Database, music: Music, leftovers: Leftovers, tracks: Tracks
) -> None:
    here, gone = music.album("a", "Low", "David Bowie", 2)
    music.lose("a/02.flac")
    tracks.purge_missing([gone])
    assert leftovers.strangers([here, gone, "stranger"]) == {"stranger"}


def test_what_a_step_could_bring_back_is_spoken_of(database: Database, leftovers: Leftovers) -> None:
    with database.transaction() as conn:
        for number, state in enumerate(("done", "undone", "open"), 1):
            driver_cursor(conn).execute(
                "INSERT INTO journal (id, uid, command, summary, state, created_at) VALUES (?, ?, '', '', ?, 1.0)",
                (number, str(number), state),
            )
            driver_cursor(conn).execute(
                "INSERT INTO journal_entries (journal_id, content) VALUES (?, ?)",
                (number, json.dumps({"old": f"covers/{str(number) * 64}.jpg"})),
            )
    assert leftovers.hashes_to_undo() == {"1" * 64, "3" * 64}


def test_the_trash_tells_what_is_old_enough(
    music: Music, leftovers: Leftovers, tracks: Tracks
) -> None:
    uids = music.album("a", "Low", "David Bowie", 2)
    music.lose("a/01.flac")
    leftovers.trash_rows(uids[:1], only_missing=True)
    tracks.trash(uids[1], trashed_from="a/02.flac", path=f".soundsible/trash/{uids[1]}/02.flac")
    assert leftovers.trashed_before(time.time() - 60) == []
    found = leftovers.trashed_before(time.time() + 60)
    assert [(one[0], *one[2:]) for one in found] == [
        (uids[0], "/music", "a/01.flac", 0, True),
        (uids[1], "/music", f".soundsible/trash/{uids[1]}/02.flac", 30_000_000, False),
    ]
    assert [one.path for one in leftovers.roots()] == ["/music"]
    assert leftovers.devices(music.root.id) == set()
    assert "a/01.flac" in leftovers.paths(music.root.id)
