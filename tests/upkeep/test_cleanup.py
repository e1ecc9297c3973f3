from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shared.cloud import catalogue, layout
from shared.cloud.catalogue import Catalogue
from shared.library.covers import picture_name
from shared.model.cloud import Provider
from shared.model.errors import Conflict, NotFound
from shared.model.scan import Picture
from shared.model.work import Stopped
from shared.records.telling import Telling
from shared.upkeep.leftovers import KINDS
from tests.records.songs import inconsistencies, metadata
from tests.s3_server import FaultProxy, server
from tests.upkeep.leftover_house import DAY_S, House, Quiet


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path / "home")
    yield house
    house.close()


@pytest.fixture
def provider(house: House) -> Provider:
    house.ahead_s = 2 * DAY_S       # what is in the bucket is two days old
    return server().add_to(house.home, prefix="here/")


def run(house: House, *kinds: str) -> object:
    found = house.cleanup.find(*([kinds] if kinds else []), work=Quiet())
    return house.cleanup.run(found, work=Quiet())


# ---- rows --------------------------------------------------------------------------------------------------------


def test_rows_whose_files_are_nowhere_go_to_the_trash_and_come_back(house: House) -> None:
    house.add("a/1.flac", "a/2.flac", "3.flac")
    house.lose("a/1.flac")
    (house.folder / "3.flac").unlink()      # no scan has noticed yet
    found = house.cleanup.find(work=Quiet())
    assert [one.path for one in found.rows] == ["3.flac", "a/1.flac"]
    assert house.visible() == ["3.flac", "a/1.flac", "a/2.flac"]
    done = house.cleanup.run(found, work=Quiet())
    assert sorted(done.moved.rows, key=lambda one: one.path) == found.rows and done.left == []
    assert house.visible() == ["a/2.flac"]
    assert inconsistencies(house.database) == []
    assert not house.cleanup.find(work=Quiet())
    assert done.step is not None
    undone = house.cleanup.undo(done.step, work=Quiet())
    assert (undone.rows, undone.left) == (2, [])
    assert house.visible() == ["3.flac", "a/1.flac", "a/2.flac"]
    assert inconsistencies(house.database) == []
    with pytest.raises(Conflict):
        house.cleanup.undo(done.step, work=Quiet())


def test_what_has_a_copy_or_lies_in_the_cache_is_kept(house: House, provider: Provider) -> None:
    one, two, three, _ = house.add("1.flac", "2.flac", "3.flac", "4.flac")
    house.object(provider, b"one", track=one)
    sha256, _ = house.cached(b"two")
    house.sha256_of(two, sha256)
    house.sha256_of(three, "3" * 64)
    house.lose("1.flac", "2.flac", "3.flac")
    found = house.cleanup.find(work=Quiet())
    assert [row.path for row in found.rows] == ["3.flac"]
    assert (found.files, found.objects, found.copies, found.spared) == ([], [], [], [])


def test_an_offline_folder_is_never_a_reason(house: House) -> None:
    house.add("1.flac", "2.flac")
    house.music.lose("1.flac", "2.flac")
    os.rename(house.folder, house.folder.with_name("unplugged"))
    found = house.cleanup.find(work=Quiet())
    assert (found.rows, [one.what for one in found.spared]) == ([], [str(house.folder)])
    done = house.cleanup.run(found, work=Quiet())
    assert (done.step, len(done.moved)) == (None, 0)
    assert house.visible() == ["1.flac", "2.flac"]


def test_what_turns_up_between_finding_and_moving_is_left(house: House) -> None:
    house.add("1.flac", "2.flac", "3.flac", "4.flac")
    house.lose("1.flac", "2.flac", "3.flac")
    found = house.cleanup.find(work=Quiet())
    (house.folder / "1.flac").write_bytes(b"")
    house.music.bring_back("2.flac")
    done = house.cleanup.run(found, work=Quiet())
    assert [one.path for one in done.moved.rows] == ["3.flac"]
    assert [one["what"] for one in done.left] == ["1.flac", "2.flac"]
    assert done.step is not None
    assert house.cleanup.undo(done.step, work=Quiet()).rows == 1


def test_an_older_step_does_not_bring_back_what_a_later_one_removed(house: House) -> None:
    (uid, other, _) = house.add("1.flac", "2.flac", "3.flac")
    house.lose("1.flac")
    with house.journal.begin("cleanup", "cut off before the deed") as step:
        step.note({"do": "rows", "rows": [uid, other]})
    house.cleanup.run(house.cleanup.find(work=Quiet()), work=Quiet())
    assert house.cleanup.undo(step.id, work=Quiet()).rows == 0
    last = house.cleanup.last()
    assert last is not None
    assert house.cleanup.undo(last.id, work=Quiet()).rows == 1


# ---- files -------------------------------------------------------------------------------------------------------


def test_cached_tracks_that_nothing_refers_to_move_aside_with_their_rows(house: House) -> None:
    (uid,) = house.add("1.flac")
    wanted, wanted_path = house.cached(b"wanted")
    house.sha256_of(uid, wanted)
    unwanted, path = house.cached(b"unwanted")
    _, unlisted = house.cached(b"unlisted", row=False)
    _, coming = house.cached(b"coming", row=False)
    os.utime(coming)
    taken_up, taken_up_path = house.cached(b"taken up again", row=False)
    house.execute("UPDATE files SET audio_md5 = NULL")
    (other,) = house.add("2.flac")
    house.sha256_of(other, taken_up)
    gone, gone_path = house.cached(b"gone")
    gone_path.unlink()
    before = house.files()
    found = house.cleanup.find(("cache",), work=Quiet())
    assert {(one.sha256, one.size_bytes) for one in found.files} == {(unwanted, 8), (unlisted.name, 8)}
    assert (found.stale, found.bytes) == ([gone], 16)
    done = house.cleanup.run(found, work=Quiet())
    assert done.moved.files == found.files and done.left == []
    assert [one.sha256 for one in house.records.cached()] == [wanted]
    assert wanted_path.exists() and coming.exists() and taken_up_path.exists()
    assert not path.exists() and not unlisted.exists()
    assert not house.cleanup.find(("cache",), work=Quiet())
    assert done.step is not None
    assert house.cleanup.undo(done.step, work=Quiet()).files == 2
    assert house.files() == before
    assert {one.sha256 for one in house.records.cached()} == {wanted, unwanted}


def test_content_that_is_wanted_again_stays_in_the_cache(house: House) -> None:
    (uid,) = house.add("1.flac")
    sha256, path = house.cached(b"content")
    found = house.cleanup.find(("cache",), work=Quiet())
    house.sha256_of(uid, sha256)
    done = house.cleanup.run(found, work=Quiet())
    assert (done.step, done.moved.files) == (None, [])
    assert [one["why"] for one in done.left] == ["Something refers to it again."]
    assert path.exists() and [one.sha256 for one in house.records.cached()] == [sha256]


def test_covers_of_pictures_that_are_gone_move_aside(house: House) -> None:
    house.music.add("a/1.flac", metadata("One"), pictures=[Picture("a", "a/cover.jpg", 10, 20)])
    (picture,) = house.records.pictures()
    shown = house.file("cache", f"covers/aa/{picture_name(*picture)}/300.webp")
    lost = house.file("cache", "covers/bb/bb0123456789abcdef012345/300.webp")
    kept, unkept, new, journalled = ("1" * 64, "2" * 64, "3" * 64, "4" * 64)
    house.execute("UPDATE artwork SET kept = ?", kept)
    for name in (kept, unkept, journalled):
        house.file("data", f"covers/{name[:2]}/{name}.jpg", age_s=DAY_S)
    house.file("data", f"covers/33/{new}.jpg")
    house.file("data", "covers/33/README.jpg", age_s=DAY_S)
    with house.journal.begin("fix-library-covers", "") as step:
        step.note({"old": journalled})
    before = house.files()
    found = house.cleanup.find(("covers",), work=Quiet())
    assert [(one.place, one.path) for one in found.files] == [
        ("cache", "covers/bb/bb0123456789abcdef012345"), ("data", f"covers/22/{unkept}.jpg")]
    assert found.bytes == 10
    done = house.cleanup.run(found, work=Quiet())
    assert done.moved.files == found.files
    assert shown.exists() and not lost.exists()
    assert done.step is not None
    assert house.cleanup.undo(done.step, work=Quiet()).files == 2
    assert house.files() == before


def test_what_was_never_finished_moves_aside_after_a_day(house: House) -> None:
    house.add("1.flac")
    old = 2 * DAY_S
    house.file("music", ".soundsible/staging/over/own/song.part", b"part", age_s=old)
    house.file("music", ".soundsible/staging/under2way/song.part", age_s=old)
    house.file("music", ".soundsible/staging/young/song.part")
    for path in (".soundsible/staging/over", ".soundsible/staging/over/own", ".soundsible/staging/under2way"):
        os.utime(house.folder / path, (1.0, 1.0))
    house.unfinished.add("under2way")
    house.file("cache", "transcodes/aa/x.opus.1.part", age_s=old)
    house.file("cache", "transcodes/aa/y.opus", age_s=old)
    house.file("cache", "spool/wanted.opus", age_s=old)
    house.file("cache", "spool/left.opus", age_s=old)
    house.file("data", "library.json.part", age_s=old)
    house.file("data", "young.part")
    house.execute("INSERT INTO uploads (provider, key, upload_id, sha256, part_bytes, spool, updated_at) "
                  "VALUES ('r2', 'k', 'u', 's', 1, ?, 1.0)", str(house.settings.cache_dir / "spool/wanted.opus"))
    before = house.files()
    found = house.cleanup.find(("staging",), work=Quiet())
    assert sorted((one.place, one.path) for one in found.files) == sorted([
        (str(house.folder), ".soundsible/staging/over"), ("cache", "transcodes/aa/x.opus.1.part"),
        ("cache", "spool/left.opus"), ("data", "library.json.part")])
    assert found.bytes == 4 + 3 * 5
    done = house.cleanup.run(found, work=Quiet())
    assert (len(done.moved.files), done.left) == (4, [])
    assert not (house.folder / ".soundsible/staging/over").exists()
    assert not house.cleanup.find(("staging",), work=Quiet())
    assert done.step is not None
    assert house.cleanup.undo(done.step, work=Quiet()).files == 4
    assert house.files() == before


def test_a_folder_that_was_taken_out_of_the_library_is_not_touched(house: House) -> None:
    house.add("1.flac", "2.flac")
    house.file("music", ".soundsible/staging/over/song", age_s=2 * DAY_S)
    house.file("music", ".soundsible/trash/replaced/abc/worse.mp3", age_s=60 * DAY_S)
    assert len(house.cleanup.find(work=Quiet())) == 1
    house.music.scans.forget_root(str(house.folder))
    assert len(house.cleanup.find(work=Quiet())) == 0       # its files are there: they are not nowhere
    assert len(house.trash.find(30, work=Quiet())) == 0
    house.lose("1.flac")
    assert [one.path for one in house.cleanup.find(work=Quiet()).rows] == ["1.flac"]


def test_no_link_in_a_music_folder_leads_the_clean_up_astray(house: House, tmp_path: Path) -> None:
    house.add("1.flac")
    outside = tmp_path / "outside"
    (outside / "over").mkdir(parents=True)
    (outside / "over" / "precious").write_bytes(b"precious")
    os.utime(outside / "over", (1.0, 1.0))
    os.utime(outside / "over" / "precious", (1.0, 1.0))
    (house.folder / ".soundsible").mkdir()
    (house.folder / ".soundsible/staging").symlink_to(outside)
    assert house.cleanup.find(("staging",), work=Quiet()).files == []
    (house.folder / ".soundsible/staging").unlink()
    house.file("music", ".soundsible/staging/over/song", age_s=2 * DAY_S)
    found = house.cleanup.find(("staging",), work=Quiet())
    assert len(found.files) == 1
    (house.folder / ".soundsible/staging").rename(house.folder / "elsewhere")
    (house.folder / ".soundsible/staging").symlink_to(outside)
    done = house.cleanup.run(found, work=Quiet())
    assert (done.moved.files, len(done.left)) == ([], 1)
    assert (outside / "over" / "precious").exists()


def test_a_file_that_changed_or_came_back_is_not_moved_over(house: House) -> None:
    house.file("cache", "transcodes/aa/x.part", age_s=2 * DAY_S)
    house.file("cache", "transcodes/aa/y.part", age_s=2 * DAY_S)
    found = house.cleanup.find(("staging",), work=Quiet())
    house.file("cache", "transcodes/aa/x.part", b"grows on")
    done = house.cleanup.run(found, work=Quiet())
    assert [one["why"] for one in done.left] == ["It has changed."]
    house.file("cache", "transcodes/aa/y.part", b"another")
    assert done.step is not None
    undone = house.cleanup.undo(done.step, work=Quiet())
    assert (undone.files, [one["what"] for one in undone.left]) == (0, ["transcodes/aa/y.part"])
    (house.settings.cache_dir / "transcodes/aa/y.part").unlink()
    assert house.cleanup.undo(done.step, work=Quiet()).files == 1
    parts = "home/cache/transcodes/aa/"
    assert house.files() == {f"{parts}x.part": b"grows on", f"{parts}y.part": b"12345"}


# ---- buckets -----------------------------------------------------------------------------------------------------


def test_objects_without_a_row_move_to_the_buckets_own_trash_and_back(house: House, provider: Provider) -> None:
    (uid,) = house.add("1.flac")
    wanted = house.object(provider, b"wanted", track=uid)
    left = house.object(provider, b"left over")
    kept, cover = "a" * 64, "b" * 64
    house.music.add("a/2.flac", metadata("Two"), pictures=[Picture("a", "a/cover.jpg", 10, 20)])
    house.execute("UPDATE artwork SET kept = ?", kept)
    for name in (kept, cover):
        server().put(provider, layout.cover_key(provider, name), b"a picture")
    for foreign in ("here/music/letter.txt", "here/backups/x", "music/aa/" + "a" * 64, "here/trash/2020-01-01/music/x"):
        server().put(provider, foreign, b"somebody else's")
    before = server().keys(provider)
    found = house.cleanup.find(work=Quiet())
    assert sorted(one.key for one in found.objects) == sorted([left, layout.cover_key(provider, cover)])
    assert (found.bytes, found.copies, found.spared) == (18, [], [])
    done = house.cleanup.run(found, work=Quiet())
    assert sorted(one.key for one in done.moved.objects) == sorted(one.key for one in found.objects)
    assert house.told == [("r2", [one.key for one in done.moved.objects])]
    keys = server().keys(provider)
    assert left not in keys and wanted in keys
    (moved,) = [key for key in keys if key.startswith("here/trash/2") and key.endswith(".flac")]
    assert moved.endswith(layout.relative(provider, left)) and server().body(provider, moved) == b"left over"
    assert not house.cleanup.find(work=Quiet())
    assert done.step is not None
    assert house.cleanup.undo(done.step, work=Quiet()).objects == 2
    assert server().keys(provider) == before
    assert server().body(provider, left) == b"left over"


def test_what_no_station_put_there_is_left_over_at_once_and_what_this_one_put_there_soon(
        house: House, provider: Provider) -> None:
    house.add("1.flac")
    bucket = house.buckets(provider)
    own, other = (house.object(provider, one) for one in (b"ours", b"another's"))
    nobodys = house.object(provider, b"nobody's")
    bucket.put(own, b"ours", metadata={"station": house.records.station_id()})
    bucket.put(other, b"another's", metadata={"station": "another"})
    house.ahead_s = 0.0
    found = house.cleanup.find(work=Quiet())
    assert [one.key for one in found.objects] == [nobodys]
    assert any("2 of its objects were put there in the last hours" in one.why for one in found.spared)
    house.ahead_s = 1000.0
    assert {one.key for one in house.cleanup.find(work=Quiet()).objects} == {nobodys, own}
    house.ahead_s = 2 * DAY_S
    assert {one.key for one in house.cleanup.find(work=Quiet()).objects} == {nobodys, own, other}


def test_young_objects_and_unfinished_uploads_are_left(house: House, provider: Provider) -> None:
    house.add("1.flac")
    bucket = house.buckets(provider)
    key = house.object(provider, b"just sent")
    bucket.put(key, b"just sent", metadata={"station": "another"})
    upload_id = bucket.begin_parts(key, metadata={}, content_type="audio/flac")
    known = bucket.begin_parts(key, metadata={}, content_type="audio/flac")
    house.execute("INSERT INTO uploads (provider, key, upload_id, sha256, part_bytes, updated_at) "
                  "VALUES ('r2', ?, ?, 's', 1, 1.0)", key, known)
    house.ahead_s = 0.0
    assert house.cleanup.find(work=Quiet()).objects == []
    house.ahead_s = 2 * DAY_S       # (this server says of every upload in parts that it began in 2010)
    found = house.cleanup.find(work=Quiet())
    assert [one.upload_id for one in found.uploads] == [upload_id]
    done = house.cleanup.run(found, work=Quiet())
    assert len(done.moved.uploads) == 1
    assert [one[1] for one in bucket.unfinished(provider.prefix)] == [known]


def test_a_copy_whose_object_is_gone_no_longer_counts_and_its_row_follows(house: House, provider: Provider) -> None:
    one, two, _ = house.add("1.flac", "2.flac", "3.flac")
    gone = house.object(provider, b"gone", track=one)
    house.object(provider, b"there", track=two)
    server().remove(provider, gone)
    found = house.cleanup.find(work=Quiet())
    assert ([copy.key for copy in found.copies], found.rows) == ([gone], [])
    house.lose("1.flac", "2.flac")
    found = house.cleanup.find(work=Quiet())
    assert ([copy.key for copy in found.copies], [row.path for row in found.rows]) == ([gone], ["1.flac"])
    assert house.cleanup.find(("rows",), work=Quiet()).rows == []
    done = house.cleanup.run(found, work=Quiet())
    assert (len(done.moved.copies), len(done.moved.rows)) == (1, 1)
    assert house.visible() == ["2.flac", "3.flac"] and house.copies.of(one) == []
    assert done.step is not None
    undone = house.cleanup.undo(done.step, work=Quiet())
    assert (undone.copies, undone.rows) == (1, 1)
    assert [copy.key for copy in house.copies.of(one)] == [gone]


def test_a_copy_that_was_called_gone_is_asked_for_again_before_its_row_goes(house: House, provider: Provider) -> None:
    one, two, _ = house.add("1.flac", "2.flac", "3.flac")
    there, gone = (house.object(provider, body, track=uid) for body, uid in ((b"there", one), (b"gone", two)))
    house.lose("1.flac", "2.flac")
    for key in (there, gone):       # the provider said so of both, for a while
        house.copies.broken(provider.name, key, "gone")
    server().remove(provider, gone)
    with FaultProxy(server().url) as proxy:
        house.providers.add(replace(provider, endpoint=proxy.url), replace=True)
        for kinds in (("rows",), tuple(KINDS)):
            found = house.cleanup.find(kinds, work=Quiet())
            assert [row.path for row in found.rows] == ["2.flac"]
            assert "is there again" in found.spared[0].why
        proxy.fault(error="AccessDenied")
        found = house.cleanup.find(("rows",), work=Quiet())     # nobody knows
        assert found.rows == [] and "cannot be told" in found.spared[0].why


def test_a_bucket_that_is_silent_or_another_one_is_left_alone(house: House, provider: Provider, tmp_path: Path) -> None:
    (uid,) = house.add("1.flac")
    key = house.object(provider, b"one", track=uid)
    house.object(provider, b"left over")
    house.lose("1.flac")
    house.add("2.flac")
    with FaultProxy(server().url) as proxy:
        silent = replace(provider, endpoint=proxy.url)
        proxy.fault(r"^GET ", error="SlowDown")
        house.providers.all = lambda: [silent]  # type: ignore[method-assign]
        found = house.cleanup.find(work=Quiet())
        assert (len(found), [one.what for one in found.spared]) == (0, ["r2"])
    other = server().provider()
    house.providers.all = lambda: [other]       # type: ignore[method-assign]
    found = house.cleanup.find(work=Quiet())
    assert len(found) == 0 and "another bucket" in found.spared[0].why
    house.providers.all = lambda: []            # type: ignore[method-assign]
    assert len(house.cleanup.find(work=Quiet())) == 0
    assert [copy.key for copy in house.copies.of(uid)] == [key]


def test_copies_of_another_librarys_tracks_are_spared(house: House, provider: Provider, tmp_path: Path) -> None:
    neighbour = House(tmp_path / "neighbour" / "home")
    try:
        (uid,) = neighbour.add("1.flac")
        theirs = neighbour.object(provider, b"theirs", track=uid)
        told = Catalogue(telling=Telling(database=neighbour.database), copies=neighbour.copies, covers=None,
                         buckets=neighbour.buckets)
        told.tell(provider)
    finally:
        neighbour.close()
    house.add("3.flac")
    mine = house.object(provider, b"nobody's")
    found = house.cleanup.find(work=Quiet())
    assert [one.key for one in found.objects] == [mine]
    assert "never had" in found.spared[0].why
    # The same tracks, once they were here and were removed: then nobody wants the object any more.
    house.execute("INSERT INTO removed (kind, uid, rev) VALUES ('track', ?, 1)", uid)
    found = house.cleanup.find(work=Quiet())
    assert sorted(one.key for one in found.objects) == sorted([mine, theirs])
    (segment,) = catalogue.segments(house.buckets(provider), provider)
    server().put(provider, segment, b"damaged")
    found = house.cleanup.find(work=Quiet())
    assert found.objects == [] and "cannot be read" in found.spared[0].why


def test_after_an_older_library_came_back_the_only_copies_of_its_tracks_stay(house: House, provider: Provider) -> None:
    one, two, _ = house.add("1.flac", "2.flac", "3.flac")
    key = house.object(provider, b"one", track=one)
    gone = house.object(provider, b"two", track=two)
    told = Catalogue(telling=Telling(database=house.database), copies=house.copies, covers=None, buckets=house.buckets)
    told.tell(provider)
    server().remove(provider, gone)
    house.lose("1.flac", "2.flac")
    house.execute("DELETE FROM copies")     # it was made before they were uploaded
    for kinds in (tuple(KINDS), ("rows",)):
        found = house.cleanup.find(kinds, work=Quiet())
        assert ([row.path for row in found.rows], found.objects) == (["2.flac"], [])
        assert any("nowhere else" in one.why for one in found.spared)
    (segment,) = catalogue.segments(house.buckets(provider), provider)
    server().put(provider, segment, b"damaged")
    found = house.cleanup.find(work=Quiet())
    assert (found.rows, found.objects) == ([], []) and house.buckets(provider).head(key) is not None


def test_an_object_that_an_upload_takes_up_meanwhile_is_put_back(house: House, provider: Provider) -> None:
    (uid,) = house.add("1.flac")
    first, second, third = (house.object(provider, content) for content in (b"first", b"second", b"third"))
    found = house.cleanup.find(work=Quiet())
    house.copies.put([house.copy(provider, first, b"first", uid)])
    bucket = house.buckets(provider)
    delete = bucket.delete

    def late(keys: list[str]) -> None:
        delete(keys)
        house.copies.put([house.copy(provider, second, b"second", uid)])

    bucket.delete = late        # type: ignore[method-assign,assignment]
    done = house.cleanup.run(found, work=Quiet())
    assert [one.key for one in done.moved.objects] == [third]
    assert {first, second} <= set(server().keys(provider)) and third not in server().keys(provider)


@pytest.mark.parametrize("what", ["copying", "removing"])
def test_a_provider_that_fails_on_the_way_loses_nothing(house: House, provider: Provider, what: str) -> None:
    house.add("1.flac")
    key = house.object(provider, b"left over")
    found = house.cleanup.find(work=Quiet())
    with FaultProxy(server().url) as proxy:
        failing = replace(provider, endpoint=proxy.url)
        house.providers.all = lambda: [failing]     # type: ignore[method-assign]
        proxy.fault(r"^PUT " if what == "copying" else r"^(POST|DELETE) ", error="AccessDenied")
        done = house.cleanup.run(found, work=Quiet())
    assert done.moved.objects == [] and [one["what"] for one in done.left] == [key]
    assert server().body(provider, key) == b"left over"
    assert house.told == []
    house.providers.all = lambda: [provider]        # type: ignore[method-assign]
    if done.step is not None:
        house.cleanup.undo(done.step, work=Quiet())
    assert server().keys(provider) == [key]


# ---- the run -----------------------------------------------------------------------------------------------------


def test_a_run_that_is_ended_can_be_undone_as_far_as_it_came(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.upkeep.cleanup.ROWS_AT_ONCE", 2)
    paths = [f"{number}.flac" for number in range(6)]
    house.add(*paths, "there.flac")
    house.lose(*paths)
    found = house.cleanup.find(work=Quiet())
    with pytest.raises(Stopped):
        house.cleanup.run(found, work=Quiet(stop_after=2))
    assert len(house.visible()) == 3
    last = house.cleanup.last()
    assert last is not None and (last.state, last.summary) == ("done", "4 tracks")
    assert house.cleanup.undo(last.id, work=Quiet()).rows == 4
    assert len(house.visible()) == 7


def test_undoing_that_is_ended_goes_on_another_time(house: House) -> None:
    house.add("1.flac")
    for number in range(4):
        house.file("cache", f"transcodes/aa/{number}.part", age_s=2 * DAY_S)
    before = house.files()
    done = house.cleanup.run(house.cleanup.find(work=Quiet()), work=Quiet())
    assert done.step is not None
    with pytest.raises(Stopped):
        house.cleanup.undo(done.step, work=Quiet(stop_after=2))
    assert house.cleanup.undo(done.step, work=Quiet()).files == 2
    assert house.files() == before


def test_two_clean_ups_at_once_are_refused(house: House) -> None:
    house.add("1.flac", "2.flac")
    house.lose("1.flac")
    found = house.cleanup.find(work=Quiet())
    began, go_on = threading.Event(), threading.Event()

    class Slow(Quiet):
        def stopped(self) -> bool:
            began.set()
            go_on.wait(30)
            return False

    thread = threading.Thread(target=lambda: house.cleanup.run(found, work=Slow()))
    thread.start()
    try:
        assert began.wait(30)
        with pytest.raises(Conflict):
            house.cleanup.run(found, work=Quiet())
    finally:
        go_on.set()
        thread.join()
    with house.journal.begin("refresh-metadata", "") as step:
        step.note({})
    with pytest.raises(NotFound):
        house.cleanup.undo(step.id, work=Quiet())


# ---- the trash itself --------------------------------------------------------------------------------------------


def test_the_trash_is_emptied_of_what_is_old_enough_and_of_nothing_else(house: House, provider: Provider) -> None:
    house.ahead_s = 2 * DAY_S
    uids = house.add("1.flac", "2.flac", "3.flac", "keep.flac")
    house.lose("1.flac")
    house.object(provider, b"left over")
    house.file("cache", "transcodes/aa/x.part", age_s=4 * DAY_S)
    house.file("music", ".soundsible/staging/over/song", age_s=4 * DAY_S)
    done = house.cleanup.run(house.cleanup.find(work=Quiet()), work=Quiet())
    assert done.step is not None and len(done.moved) == 4
    house.file("music", f".soundsible/trash/{uids[1]}/2.flac")
    (house.folder / "2.flac").unlink()
    house.tracks.trash(uids[1], trashed_from="2.flac", path=f".soundsible/trash/{uids[1]}/2.flac")
    house.file("music", ".soundsible/trash/replaced/abc/worse.mp3")
    house.file("music", ".soundsible/trash/strangerslibrary/song.mp3")
    assert len(house.trash.find(30, work=Quiet())) == 0
    with house.journal.begin("fix-library-covers", "") as covers:
        covers.note({})
    house.file("data", f"trash/{covers.id}/old.jpg", b"")
    with house.journal.begin("refresh-metadata", "") as tags:
        tags.note({})
    house.ahead_s = 40 * DAY_S
    found = house.trash.find(30, work=Quiet())
    assert sorted(one.path for one in found.rows) == [f".soundsible/trash/{uids[1]}/2.flac", "1.flac"]
    assert sorted(one.path for one in found.files) == sorted([
        f"trash/{done.step}", f".soundsible/trash/cleanup-{done.step}", ".soundsible/trash/replaced/abc",
        f"trash/{covers.id}"])
    assert ([one.size_bytes for one in found.objects], found.steps) == ([9], [done.step, covers.id])
    before = found.bytes
    (house.folder / "1.flac").write_bytes(b"it came back, and no scan has seen it yet")
    emptied = house.trash.empty(found, work=Quiet())
    assert (len(emptied.gone), emptied.gone.bytes, emptied.left) == (len(found), before, [])
    assert (house.folder / "1.flac").exists()
    left = house.files()
    assert sorted(left) == ["music/.soundsible/trash/strangerslibrary/song.mp3", "music/1.flac", "music/3.flac",
                            "music/keep.flac"]
    assert [key for key in server().keys(provider) if "/trash/" in key] == []
    assert [one.id for one in house.journal.list()] == [tags.id]
    assert len(house.trash.find(0, work=Quiet())) == 0


def test_the_trash_of_a_folder_that_is_away_is_left_alone(house: House) -> None:
    (uid, _) = house.add("1.flac", "2.flac")
    house.tracks.trash(uid, trashed_from="1.flac", path=f".soundsible/trash/{uid}/1.flac")
    house.ahead_s = 40 * DAY_S
    assert len(house.trash.find(30, work=Quiet()).rows) == 1
    os.rename(house.folder, house.folder.with_name("unplugged"))
    found = house.trash.find(30, work=Quiet())
    assert (len(found), [one.what for one in found.spared]) == (0, [str(house.folder)])
