"""Better covers: found, weighed, put into the files without touching the sound, and taken back."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared.audio import artwork, embedding
from shared.audio.pool import WorkerPool
from shared.metadata.sleeves import Sleeves
from shared.model.download import Failure
from shared.model.errors import Conflict, NotFound
from shared.model.work import Stopped
from shared.records.lookups import StoredLookups
from shared.settings import Settings
from shared.upkeep.better_covers import COMMAND, SAME_PICTURE, Better, CoverPlan, Size, why_not
from tests.builders import make_album, make_audio
from tests.fakes.coverart import FakeCoverArt
from tests.fakes.deezer import FakeDeezer
from tests.fakes.musicbrainz import FakeMusicBrainz, Recording, Release
from tests.upkeep.covers_house import Following, House, drawn


@pytest.fixture(scope="module")
def workers() -> Iterator[WorkerPool]:
    pool = WorkerPool(size=2, name="covers tests")
    yield pool
    pool.stop()


@pytest.fixture
def house(tmp_path: Path, workers: WorkerPool) -> Iterator[House]:
    house = House(tmp_path, workers)
    yield house
    house.close()


def pictures(house: House) -> list[bytes | None]:
    return [artwork.embedded(str(one)) for one in house.files() if one.suffix not in (".jpg", ".png")]


# ---- finding and putting in -----------------------------------------------------------------------------------------


def test_a_small_cover_is_replaced_in_all_files_and_the_sound_stays(house: House) -> None:
    make_album(house.music, album="Small", count=2, picture=drawn(200))
    make_album(house.music, artist="Tower", album="Small too", count=1, suffix=".mp3", picture=drawn(100, 1))
    make_album(house.music, album="Large", count=1, picture=drawn(700, 2))
    house.scan()
    sounds = [embedding.sound(str(one)) for one in house.files()]
    house.shop.sell("Small", drawn(1000))
    house.shop.sell("Small too", drawn(1500, 1))
    plan = house.better().plan(work=Following())
    assert plan.looked == 3 and plan.left == []
    assert [(one.title, one.now, one.better.longer, one.source, len(one.tracks)) for one in plan.albums] == [
        ("Small", Size(200, 200), 1000, "coverart", 2), ("Small too", Size(100, 100), 1200, "coverart", 1)]
    report = house.better().run(plan, work=Following())
    assert (report.fixed, report.tracks, report.failed, report.albums) == (2, 3, [], plan.albums)
    assert [embedding.sound(str(one)) for one in house.files()] == sounds
    assert house.shown("Small") == (1000, 1000) and house.shown("Small too") == (1200, 1200)
    assert house.strays() == [] and list((house.base / "cache" / "better").rglob("*.*")) == []
    again = house.better().plan(work=Following())
    assert (again.albums, again.left) == ([], [])
    house.scan()
    assert house.shown("Small") == (1000, 1000), "a scan finds what is known"


def test_an_album_without_a_cover_gets_one(house: House) -> None:
    make_album(house.music, album="Bare", count=2)
    house.scan()
    house.shop.sell("Bare", drawn(500))
    plan = house.better().plan(work=Following())
    assert [(one.now, one.better) for one in plan.albums] == [(None, Size(500, 500))], "better than none"
    house.better().run(plan, work=Following())
    assert house.shown("Bare") == (500, 500)


def test_a_small_picture_in_the_folder_stays_there_but_the_files_own_is_shown(house: House) -> None:
    for one in make_album(house.music, album="Lying", count=2):
        sidecar = one.parent / "cover.jpg"
    sidecar.write_bytes(drawn(150))
    house.scan()
    assert house.shown("Lying") == (150, 150)
    house.shop.sell("Lying", drawn(800))
    report = house.better().run(house.better().plan(work=Following()), work=Following())
    assert report.tracks == 2 and house.shown("Lying") == (800, 800)
    assert sidecar.read_bytes() == drawn(150)
    house.scan()
    assert house.shown("Lying") == (800, 800)
    house.better().undo(work=Following())
    assert house.shown("Lying") == (150, 150) and pictures(house) == [None, None]


def test_where_the_files_hold_a_better_one_than_the_folder_nobody_is_asked(house: House) -> None:
    [file] = make_album(house.music, album="Held", count=1, picture=drawn(900))
    (file.parent / "folder.png").write_bytes(drawn(120, kind="PNG"))
    house.scan()
    before = file.read_bytes()
    plan = house.better().plan(work=Following())
    assert [(one.source, one.tracks) for one in plan.albums] == [("files", [])] and house.shop.asked == []
    report = house.better().run(plan, work=Following())
    assert (report.fixed, report.tracks) == (1, 0)
    assert house.shown("Held") == (900, 900) and file.read_bytes() == before
    house.better().undo(work=Following())
    assert house.shown("Held") == (120, 120)


def test_a_broken_picture_counts_for_none(house: House) -> None:
    [file] = make_album(house.music, album="Broken", count=1)
    (file.parent / "cover.jpg").write_bytes(b"\xff\xd8\xff nothing")
    house.scan()
    house.shop.sell("Broken", drawn(640))
    house.better().run(house.better().plan(work=Following()), work=Following())
    assert house.shown("Broken") == (640, 640)


def test_the_next_source_is_asked_when_the_first_has_nothing_large(house: House) -> None:
    make_album(house.music, album="A", count=1, picture=drawn(100))
    house.scan()
    house.shop.sell("A", drawn(300))
    house.shop.sell("A", drawn(1000), "deezer", sure=False)
    [one] = house.better().plan(work=Following()).albums
    assert (one.source, one.better.longer) == ("deezer", 1000)
    assert [source for source, _ in house.shop.asked] == ["coverart", "deezer"]
    [one] = house.better().plan(sources=["coverart"], work=Following()).albums
    assert (one.source, one.better.longer) == ("coverart", 300)
    [one] = house.better().plan(min_size=300, work=Following()).albums
    assert one.source == "coverart"


def test_what_is_no_better_is_left_with_the_reason(house: House) -> None:
    for number, title in enumerate(["Same size", "Wide", "Another", "Unknown", "Garbage"]):
        make_album(house.music, album=title, count=1, picture=drawn(200, number))
    house.scan()
    house.shop.sell("Same size", drawn(220, 0))
    house.shop.sell("Wide", drawn(1200, 1, height=700))
    house.shop.sell("Another", drawn(1000, 5), sure=False)
    house.shop.sell("Garbage", b"\xff\xd8\xff no picture")
    plan = house.better().plan(work=Following())
    assert plan.albums == []
    assert {one.title: one.reason for one in plan.left} == {
        "Same size": "not_larger", "Wide": "other_shape", "Another": "other_picture", "Unknown": "nothing_found",
        "Garbage": "no_picture"}
    assert house.better().run(plan, work=Following()).step is None
    assert house.journal.list(COMMAND) == []


def test_a_source_that_is_down_is_told_and_the_others_are_asked(house: House) -> None:
    make_album(house.music, album="A", count=1, picture=drawn(100))
    house.scan()
    house.shop.trouble = Failure("refused", "Deezer cannot be reached.", provider="deezer")
    plan = house.better().plan(work=Following())
    assert [(one.reason, one.message) for one in plan.left] == [("refused", "Deezer cannot be reached.")]
    assert len(house.shop.asked) == 2


@pytest.mark.parametrize(("now", "found", "sure", "likeness", "reason"), [
    (None, Size(600, 600), False, None, None), (None, Size(199, 199), True, None, "not_larger"),
    (None, Size(600, 300), True, None, "other_shape"),
    (Size(400, 400), Size(499, 499), True, 1.0, "not_larger"), (Size(400, 400), Size(500, 500), True, 1.0, None),
    (Size(400, 400), Size(800, 390), True, 1.0, "not_larger"), (Size(400, 300), Size(800, 600), True, 1.0, None),
    (Size(400, 400), Size(800, 700), True, 1.0, "other_shape"),
    (Size(400, 400), Size(800, 800), False, SAME_PICTURE - 0.01, "other_picture"),
    (Size(400, 400), Size(800, 800), True, -1.0, None), (Size(400, 400), Size(800, 800), False, None, None),
])
def test_what_is_better(now: Size | None, found: Size, sure: bool, likeness: float | None, reason: str | None) -> None:
    assert why_not(now, found, sure=sure, likeness=likeness) == reason


# ---- files that cannot be reached or written ------------------------------------------------------------------------


def test_what_is_not_here_is_left_alone_and_said(house: House) -> None:
    away = make_album(house.music, album="Away", count=1, picture=drawn(100))
    cloud = make_album(house.music, album="Cloud", count=1, picture=drawn(100, 1))
    house.scan()
    for one in (*away, *cloud):
        one.unlink()
    (house.music / "something.txt").write_text("so that the folder is not empty")
    [album] = house.records.albums([house.album("Cloud")])
    house.store(album.files[0].track_id)
    house.shop.sell("Away", drawn(900))
    house.shop.sell("Cloud", drawn(900, 1))
    plan = house.better().plan(work=Following())
    assert plan.albums == [] and house.shop.asked == []
    assert {one.title: one.reason for one in plan.left} == {"Away": "missing", "Cloud": "cloud"}


def test_a_music_folder_that_is_gone_is_unknown(house: House) -> None:
    make_album(house.music, album="A", count=1, picture=drawn(100))
    house.scan()
    shutil.move(house.music, house.base / "elsewhere")
    plan = house.better().plan(work=Following())
    assert [one.reason for one in plan.left] in (["offline"], ["missing"]) and plan.albums == []


def test_files_that_cannot_be_written_are_told_and_the_others_are_done(house: House) -> None:
    whole, cut = make_album(house.music, album="A", count=2, picture=drawn(100))
    house.scan()
    house.shop.sell("A", drawn(700))
    cut.write_bytes(cut.read_bytes()[:300])
    before = cut.read_bytes()
    report = house.better().run(house.better().plan(work=Following()), work=Following())
    assert (report.fixed, report.tracks) == (1, 1)
    assert [(os.path.basename(one.path), one.reason) for one in report.failed] == [(cut.name, "truncated")]
    assert cut.read_bytes() == before and artwork.embedded(str(whole)) == drawn(700)
    assert house.strays() == []


def test_files_that_are_reached_through_a_link_out_of_the_folder_stay(house: House) -> None:
    elsewhere = make_audio(house.base / "elsewhere", "a.flac", tags={"title": "A", "album": "L"}, picture=drawn(90))
    os.symlink(elsewhere, house.music / "a.flac")
    house.scan()
    house.shop.sell("L", drawn(700))
    assert [one.reason for one in house.better().plan(work=Following()).left] == ["link"]


def test_a_picture_that_vanished_between_plan_and_run_is_told(house: House) -> None:
    make_album(house.music, album="A", count=1, picture=drawn(100))
    house.scan()
    house.shop.sell("A", drawn(700))
    plan = house.better().plan(work=Following())
    shutil.rmtree(house.base / "cache" / "better")
    report = house.better().run(plan, work=Following())
    assert [one.reason for one in report.failed] == ["vanished"] and report.fixed == 0
    assert pictures(house) == [drawn(100)]


# ---- undoing --------------------------------------------------------------------------------------------------------


def test_undoing_gives_every_file_its_own_old_picture_back(house: House) -> None:
    make_album(house.music, album="A", count=1, picture=drawn(100))
    make_audio(house.music / "The Builders" / "A", "02 other.mp3", tags={
        "title": "B", "artist": "The Builders", "album": "A", "album_artist": "The Builders", "track_number": 2,
    }, picture=drawn(80, 3, kind="PNG"))
    make_audio(house.music / "The Builders" / "A", "03 none.m4a", tags={
        "title": "C", "artist": "The Builders", "album": "A", "album_artist": "The Builders", "track_number": 3})
    house.scan()
    before = pictures(house)
    house.shop.sell("A", drawn(700))
    report = house.better().run(house.better().plan(work=Following()), work=Following())
    assert report.tracks == 3 and len(set(pictures(house))) == 1
    undone = house.better().undo(report.step, work=Following())
    assert (undone.tracks, undone.untouched, undone.failed) == (3, 0, [])
    assert pictures(house) == before and house.shown("A") == (100, 100)
    assert not (house.base / "data" / "trash" / str(report.step)).exists()
    with pytest.raises(Conflict):
        house.better().undo(report.step, work=Following())
    with pytest.raises(NotFound):
        house.better().undo(work=Following())


def test_a_picture_that_was_changed_since_is_not_undone(house: House) -> None:
    one, other = make_album(house.music, album="A", count=2, picture=drawn(100))
    house.scan()
    house.shop.sell("A", drawn(700))
    house.better().run(house.better().plan(work=Following()), work=Following())
    embedding.embed(str(one), drawn(333, 7))
    undone = house.better().undo(work=Following())
    assert [(entry.reason, entry.path) for entry in undone.failed] == [("changed", str(one.relative_to(house.music)))]
    assert artwork.embedded(str(one)) == drawn(333, 7) and artwork.embedded(str(other)) == drawn(100)
    step = house.journal.get(undone.step)
    assert step.state == "done", "it may be tried again"


def test_undoing_another_commands_step_is_refused(house: House) -> None:
    with house.journal.begin("cleanup", "x") as step:
        step.note({"a": 1})
    with pytest.raises(NotFound):
        house.better().undo(step.id, work=Following())


# ---- ended, and gone on with ----------------------------------------------------------------------------------------


def test_a_run_that_is_ended_keeps_what_it_did_and_the_next_does_the_rest(house: House) -> None:
    for number in range(4):
        make_album(house.music, album=f"Album {number}", count=1, picture=drawn(100, number))
        house.shop.sell(f"Album {number}", drawn(700, number))
    house.scan()
    plan = house.better().plan(work=Following())
    with pytest.raises(Stopped):
        house.better().run(plan, work=Following(2))
    rest = house.better().plan(work=Following())
    assert len(rest.albums) == 2
    assert house.better().run(rest, work=Following()).tracks == 2
    assert house.better().plan(work=Following()).albums == []


def test_two_runs_at_once_are_refused(house: House) -> None:
    make_album(house.music, album="A", count=1, picture=drawn(100))
    house.scan()
    house.shop.sell("A", drawn(700))
    plan = house.better().plan(work=Following())
    with house.journal.begin(COMMAND, "another"), pytest.raises(Conflict):
        house.better().run(plan, work=Following())
    assert pictures(house) == [drawn(100)]


# ---- the cloud ------------------------------------------------------------------------------------------------------


class Cloud:
    def __init__(self) -> None:
        self.refreshed: list[str] = []

    def refresh(self, uids: Any, work: Any) -> dict[str, int]:
        self.refreshed += uids
        return {"uploaded": len(uids)}


def test_copies_in_the_cloud_are_made_anew_of_those_that_have_one(house: House) -> None:
    make_album(house.music, album="A", count=2, picture=drawn(100))
    house.scan()
    one, _ = (row[0] for row in house.rows("SELECT uid FROM tracks ORDER BY album_position"))
    house.store(one)
    house.shop.sell("A", drawn(700))
    cloud = Cloud()
    report = house.better(cloud).run(house.better().plan(work=Following()), work=Following())
    assert cloud.refreshed == [one] and report.cloud == {"tracks": 1, "report": {"uploaded": 1}}
    house.better(cloud).undo(work=Following())
    assert cloud.refreshed == [one, one]


# ---- with the services as they answer -------------------------------------------------------------------------------


def test_the_whole_way_from_the_archive_into_the_file(house: House) -> None:
    release = Release("Low", [[Recording("Speed of Life", ["David Bowie"])]], ["David Bowie"])
    make_album(house.music, artist="David Bowie", album="Low", count=1, picture=drawn(100),
               release_mbid=release.id)
    make_album(house.music, artist="David Bowie", album="Lodger", count=1, picture=drawn(100, 1))
    house.scan()
    with (FakeMusicBrainz(releases=[release]) as brainz, FakeCoverArt({release.id: drawn(1100)}) as archive,
          FakeDeezer() as deezer):
        settings = replace(Settings(), musicbrainz_url=brainz.url, coverart_url=archive.url, deezer_url=deezer.url)
        house.shop = Sleeves(settings=settings, lookups=StoredLookups(database=house.database))  # type: ignore[assignment]
        plan = house.better().plan(work=Following())
        assert [(one.title, one.better.longer) for one in plan.albums] == [("Low", 1100)]
        assert [(one.title, one.reason) for one in plan.left] == [("Lodger", "nothing_found")]
        asked = len(brainz.asked) + len(deezer.asked)
        report = house.better().run(house.better().plan(work=Following()), work=Following())
        assert len(brainz.asked) + len(deezer.asked) == asked, "what is not there is not asked for twice"
    assert report.albums == plan.albums and house.shown("Low") == (1100, 1100)


def test_nothing_to_do_is_nothing_done(house: House) -> None:
    plan = house.better().plan(work=Following())
    assert plan == CoverPlan() and house.better().run(plan, work=Following()).step is None
    gone = Better(album_id="gone", title="", artist="", now=None, source="coverart", better=Size(1, 1), bytes=1,
                  sha256="0" * 64, tracks=["x"])
    report = house.better().run(CoverPlan(looked=1, albums=[gone]), work=Following())
    assert report.fixed == 0 and house.journal.list(COMMAND) == []
