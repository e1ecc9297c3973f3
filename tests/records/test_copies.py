from __future__ import annotations

import pytest

from shared.database import Database
from shared.model.errors import Conflict, NotFound
from shared.model.person import Person
from shared.records.copies import Copies
from shared.records.tracks import Tracks
from tests.records.songs import SHA, SIZE, TIME, Music, copy_of, inconsistencies, metadata


@pytest.fixture
def copies(database: Database) -> Copies:
    return Copies(database=database)


def place(database: Database, person: Person, uid: str) -> str:
    return Tracks(database=database).get(person, uid).place


def revision(music: Music) -> int:
    return int(music.one("SELECT value FROM state WHERE name = 'library_revision'"))


def changed_rev(music: Music, uid: str) -> int:
    return int(music.one("SELECT changed_rev FROM tracks WHERE uid = ?", uid))


def test_a_copy_is_kept_as_it_was_told(copies: Copies, music: Music) -> None:
    uid = music.add("a.flac")
    told = copy_of(uid, compression="opus:128", sealed=True, bitrate_kbps=None, stored_bytes=SIZE + 400)
    copies.put([told])
    assert copies.of(uid) == [told]
    assert copies.of("nobody") == []


def test_a_copy_takes_the_place_of_one_at_the_same_key(copies: Copies, music: Music) -> None:
    uid = music.add("a.flac")
    copies.put([copy_of(uid)])
    copies.put([copy_of(uid, etag="e2", verified_at=200.0, added_at=190.0)])
    assert copies.of(uid) == [copy_of(uid, etag="e2", verified_at=200.0)]  # it has been there since 50


def test_exact_copies_come_first_then_the_last_verified_and_broken_ones_do_not_count(
    copies: Copies, music: Music
) -> None:
    uid = music.add("a.flac")
    small = copy_of(uid, key="small", compression="mp3:320", verified_at=900.0)
    old, new = copy_of(uid, key="old", verified_at=1.0), copy_of(uid, provider="b2", key="new", verified_at=2.0)
    gone = copy_of(uid, key="gone", broken="gone", verified_at=999.0)
    copies.put([small, gone, old, new])
    assert copies.of(uid) == [new, old, small]
    assert copies.of(uid, broken=True) == [new, old, small, gone]
    assert copies.of_tracks([uid, "nobody"]) == {uid: [new, old, small]}
    assert copies.with_content(SHA) == [new, old, small]


def test_an_object_of_two_tracks_is_told_of_both(copies: Copies, music: Music) -> None:
    one, two = music.add("a.flac"), music.add("b.flac", metadata("Other"))
    copies.put([copy_of(one), copy_of(two), copy_of(two, key="else")])
    assert {copy.track_id for copy in copies.at("r2", "music/ab/one.flac")} == {one, two}
    assert copies.at("b2", "music/ab/one.flac") == []
    copies.broken("r2", "music/ab/one.flac", "corrupted")
    assert (copies.of(one), [copy.key for copy in copies.of(two)]) == ([], ["else"])
    copies.verified("r2", "music/ab/one.flac", "e9", 500.0)
    (back,) = copies.of(one)
    assert (back.etag, back.verified_at, back.broken) == ("e9", 500.0, None)
    assert copies.drop("r2", ["music/ab/one.flac", "never"]) == 2
    assert (copies.of(one), len(copies.of(two))) == ([], 1)


def test_the_keys_of_a_provider_come_in_pages_each_once(
    copies: Copies, music: Music, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.records.copies._PAGE", 3)
    one, two = music.add("a.flac"), music.add("b.flac", metadata("Other"))
    copies.put([copy_of(one, key=f"k{i}", stored_bytes=i, broken="gone" if i == 2 else None) for i in range(7)])
    copies.put([copy_of(two, key="k3", stored_bytes=3), copy_of(two, provider="b2", key="x")])
    assert list(copies.keys("r2")) == [(f"k{i}", i) for i in range(7)]
    assert list(copies.keys("nowhere")) == []


def test_a_file_that_is_as_it_was_gets_its_hash_and_a_changed_one_does_not(copies: Copies, music: Music) -> None:
    same, other = music.add("a.flac"), music.add("b.flac", metadata("Other"))
    copies.put([copy_of(same, source_sha256="cd" * 32), copy_of(other, source_mtime_ns=TIME - 1)])
    assert music.one("SELECT sha256 FROM files WHERE path = 'a.flac'") == "cd" * 32
    assert music.one("SELECT sha256 FROM files WHERE path = 'b.flac'") is None


def test_the_revision_moves_only_for_tracks_whose_place_changes(
    copies: Copies, music: Music, database: Database, owner: Person
) -> None:
    here, lost = music.add("a.flac"), music.add("b.flac", metadata("Other"))
    music.lose("b.flac")
    before, unmoved = revision(music), changed_rev(music, here)
    copies.put([copy_of(here)])
    assert (revision(music), place(database, owner, here)) == (before, "local")
    assert place(database, owner, lost) == "missing"
    copies.put([copy_of(lost)])
    assert (place(database, owner, lost), changed_rev(music, lost)) == ("cloud", before + 1)
    copies.broken("r2", "music/ab/one.flac", "gone")
    assert (place(database, owner, lost), changed_rev(music, lost)) == ("missing", before + 2)
    copies.broken("r2", "music/ab/one.flac", "gone")  # nothing new
    assert revision(music) == before + 2
    copies.verified("r2", "music/ab/one.flac", "e", 7.0)
    assert (place(database, owner, lost), changed_rev(music, lost)) == ("cloud", before + 3)
    assert [one.track_id for one in copies.drop_of(lost)] == [lost]
    assert (place(database, owner, lost), changed_rev(music, lost)) == ("missing", before + 4)
    assert changed_rev(music, here) == unmoved


def test_copies_can_be_forgotten_of_one_provider(copies: Copies, music: Music) -> None:
    uid = music.add("a.flac")
    copies.put([copy_of(uid), copy_of(uid, provider="b2", broken="gone")])
    assert [one.provider for one in copies.drop_of(uid, "b2")] == ["b2"]
    assert [one.provider for one in copies.of(uid, broken=True)] == ["r2"]
    assert copies.drop_of("nobody") == []


def test_copies_of_a_track_that_is_gone_are_left_out(copies: Copies, music: Music) -> None:
    uid = music.add("a.flac")
    copies.put([copy_of("gone"), copy_of(uid)])
    assert [key for key, _ in copies.keys("r2")] == ["music/ab/one.flac"]
    assert [one.track_id for one in copies.at("r2", "music/ab/one.flac")] == [uid]


def test_an_offloaded_file_is_absent_and_is_back_as_it_was(
    copies: Copies, music: Music, database: Database, owner: Person
) -> None:
    uid = music.add("a.flac")
    copies.put([copy_of(uid)])
    before = revision(music)
    copies.offloaded(uid, 1234.0)
    assert place(database, owner, uid) == "cloud"
    assert music.rows("SELECT offloaded_at, missing_since FROM files") == [(1234.0, 1234.0)]
    assert (changed_rev(music, uid), revision(music)) == (before + 1, before + 1)
    copies.offloaded(uid, None)
    assert place(database, owner, uid) == "local"
    assert music.rows("SELECT offloaded_at, missing_since, sha256 FROM files") == [(None, None, SHA)]
    with pytest.raises(NotFound):
        copies.offloaded("nobody", 1.0)


def test_a_file_that_came_back_lies_where_it_was_put(
    copies: Copies, music: Music, database: Database, owner: Person
) -> None:
    uid = music.add("a.flac")
    music.add("b.flac", metadata("Other"))
    copies.offloaded(uid, 1234.0)
    with pytest.raises(Conflict):
        copies.came_back(uid, 5, 6, SHA, "b.flac")
    assert place(database, owner, uid) == "missing"
    copies.came_back(uid, 5, 6, SHA, "caf\udce9.flac")  # a name that is no UTF-8
    file = Tracks(database=database).file_of(uid)
    assert (file.path, file.size_bytes, file.mtime_ns, file.sha256, file.missing) == (
        "caf\udce9.flac", 5, 6, SHA, False,
    )  # fmt: skip
    assert (place(database, owner, uid), changed_rev(music, uid)) == ("local", revision(music))
    with pytest.raises(NotFound):
        copies.came_back("nobody", 5, 6, SHA, "c.flac")


def test_sources_come_by_album_and_position_and_say_when_they_are_missing(
    copies: Copies, music: Music, monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    monkeypatch.setattr("shared.records.copies._PAGE", 2)
    zebra = music.album("z", "Zebra", "Z", 3)
    apple = music.album("a", "Apple", "A", 2)
    other = Music(database, "/other").add("b.flac", metadata("B", album="Middle", artist="M", album_artist="M"))
    music.lose("a/02.flac")
    Tracks(database=database).trash(zebra[1], trashed_from="z/02.flac", path="z/02.flac")
    every = [(one.track_id, one.missing) for one in copies.sources()]
    assert every == [(apple[0], False), (apple[1], True), (other, False), (zebra[0], False), (zebra[2], False)]
    assert [one.track_id for one in copies.sources([zebra[2], "gone", apple[0]])] == [apple[0], zebra[2]]
    assert [(one.track_id, one.root) for one in copies.sources(root="/other")] == [(other, "/other")]
    assert list(copies.sources([])) == []


def test_tracks_are_named_by_album_artist_and_path(copies: Copies, music: Music, database: Database) -> None:
    zebra = music.album("z", "Zebra", "Z", 2)
    apple = music.album("a", "Apple", "A", 2)
    beside = music.add("a0.flac", metadata("Beside", album="Beside", artist="Z", album_artist="B"))
    other = Music(database, "/music2").add("a/01.flac", metadata("B", album="Other", artist="O", album_artist="O"))
    album = music.one("SELECT uid FROM albums WHERE title = 'Apple'")
    artist = music.one("SELECT uid FROM artists WHERE name = 'Z'")
    assert copies.track_uids(album=album) == apple
    assert copies.track_uids(artist=artist) == [beside, *zebra]
    assert copies.track_uids(paths=["/music/a"]) == apple
    assert copies.track_uids(paths=["/music/a/../z/02.flac", "/music2"]) == [other, zebra[1]]
    assert copies.track_uids(paths=["/"]) == copies.track_uids(everything=True) == [*apple, beside, other, *zebra]
    assert copies.track_uids(paths=["/mus", "/music/a/01"]) == copies.track_uids() == []
    assert copies.track_uids(album=album, paths=["/music/z/01.flac"]) == [*apple, zebra[0]]
    for wrong in ({"album": "none"}, {"artist": "none"}):
        with pytest.raises(NotFound):
            copies.track_uids(**wrong)


def test_the_totals_tell_how_much_lies_where(copies: Copies, music: Music, database: Database) -> None:
    here, gone, twice, lost, changed = (music.add(f"{name}.flac", metadata(name)) for name in "abcde")
    copies.put([
        copy_of(here, key="1"),
        copy_of(gone, key="2", stored_bytes=7),
        copy_of(gone, provider="b2", key="2", broken="gone"),
        copy_of(twice, key="2", stored_bytes=7),
        copy_of(changed, key="3", source_mtime_ns=TIME - 1, stored_bytes=1),
        copy_of(here, key="4", compression="mp3:320", stored_bytes=2),
    ])  # fmt: skip
    copies.offloaded(gone, 9.0)
    music.lose("d.flac")
    totals = copies.totals()
    assert totals["providers"] == {
        "b2": {"copies": 0, "tracks": 0, "bytes": 0, "broken": 1},
        "r2": {"copies": 5, "tracks": 4, "bytes": SIZE + 7 + 1 + 2, "broken": 0},
    }
    assert (totals["local"], totals["local_bytes"]) == (3, 3 * SIZE)
    assert (totals["only_in_cloud"], totals["only_in_cloud_bytes"]) == (1, SIZE)
    assert (totals["offloadable"], totals["offloadable_bytes"]) == (2, 2 * SIZE)  # `changed` is another file by now
    assert totals["missing"] == 1
    with database.transaction() as conn:
        conn.exec_driver_sql("INSERT INTO pins VALUES ('track', ?, 1.0)", (here,))
        conn.exec_driver_sql(
            "INSERT INTO pins SELECT 'album', a.uid, 1.0 FROM albums a JOIN tracks t ON t.album_id = a.id "
            "WHERE t.uid = ?", (lost,),
        )  # fmt: skip
    assert copies.totals()["offloadable"] == 0  # all of them are on one album


def test_all_stays_consistent(copies: Copies, music: Music, database: Database) -> None:
    uids = music.album("z", "Zebra", "Z", 3)
    copies.put([copy_of(uid, key=uid) for uid in uids])
    copies.offloaded(uids[0], 1.0)
    copies.broken("r2", uids[0], "gone")
    copies.drop("r2", [uids[1]])
    assert inconsistencies(database) == []
