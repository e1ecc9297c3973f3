"""Tags compared with MusicBrainz: what differs, what is written, and that it is taken back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared.audio import embedding, tags
from shared.audio.pool import WorkerPool
from shared.audio.stating import values_of
from shared.metadata.client import MusicBrainzClient, Pace
from shared.metadata.musicbrainz import SURE, Finder, Match
from shared.model.errors import Conflict, NotFound
from shared.model.track import Credit, Metadata
from shared.records.lookups import StoredLookups
from shared.records.tracks import Tracks
from shared.settings import Settings
from shared.upkeep.refresh import (
    COMMAND,
    Change,
    Comparison,
    Difference,
    Refresh,
    RefreshStopped,
    believed,
    differences,
)
from tests.builders import make_album, make_audio
from tests.fakes.answering import Reply
from tests.fakes.musicbrainz import FakeMusicBrainz, Recording, Release
from tests.upkeep.covers_house import Following, House

SONGS = [Recording(title, ["David Bowie"], length_ms=1000, isrcs=[f"GBAYE77{number:05}"])
         for number, title in enumerate(["Speed of Life", "Breaking Glass", "What in the World"])]
LOW = Release("Low", [SONGS], ["David Bowie"], date="1977-01-14", tags=[("art rock", 5)])
LONG = Recording("Warszawa", ["David Bowie"], length_ms=40_000)
STAGE = Release("Stage", [[LONG]], ["David Bowie"])
WORLD = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def workers() -> Iterator[WorkerPool]:
    pool = WorkerPool(size=2, name="refresh tests")
    yield pool
    pool.stop()


@pytest.fixture
def house(tmp_path: Path, workers: WorkerPool) -> Iterator[House]:
    house = House(tmp_path, workers)
    yield house
    house.close()


@pytest.fixture
def brainz() -> Iterator[FakeMusicBrainz]:
    with FakeMusicBrainz(releases=[LOW, STAGE]) as fake:
        yield fake


def refresh(house: House, fake: FakeMusicBrainz, uploads: Any = None) -> Refresh:
    client = MusicBrainzClient(settings=Settings(musicbrainz_url=fake.url), pace=Pace(0.0),
                               lookups=StoredLookups(database=house.database))
    return Refresh(records=house.records, access=house.access, workers=house.workers, finder=Finder(client=client),
                   journal=house.journal, uploads=uploads)


def song(house: House, name: str = "a.flac", **said: Any) -> Path:
    return make_audio(house.music, name, seconds=1.0, tags={
        "title": "speed of life", "artist": "david bowie", "album": "low", "track_number": 1, **said})


def said(path: Path) -> dict[str, Any]:
    return values_of(tags.read(str(path)).metadata)


def shown(change: Change) -> dict[str, tuple[Any, Any]]:
    return {one.field: (one.old, one.new) for one in change.differences}


# ---- comparing -------------------------------------------------------------------------------------------------------


def test_each_difference_is_shown_with_the_matchs_score(house: House, brainz: FakeMusicBrainz) -> None:
    path = song(house)
    house.scan()
    before = path.read_bytes()
    result = refresh(house, brainz).compare(work=Following())
    [change] = result.changes
    assert change.path == "a.flac" and change.score >= 90 and change.by == "words"
    assert change.recording_mbid == SONGS[0].id and "Speed of Life" in change.match
    found = shown(change)
    assert found["title"] == ("speed of life", "Speed of Life") and found["album"] == ("low", "Low")
    assert found["date"] == (None, "1977-01-14") and found["track_total"] == (None, 3)
    assert found["isrc"] == (None, SONGS[0].isrcs[0]) and found["release_mbid"] == (None, LOW.id)
    assert found["genres"] == ([], ["Art Rock"])
    assert (result.looked, result.same, result.left, result.failed) == (1, 0, [], [])
    assert path.read_bytes() == before


@pytest.mark.parametrize(("name", "value", "by"), [
    ("recording_mbid", SONGS[1].id, "id"), ("isrc", SONGS[1].isrcs[0], "isrc")])
def test_an_id_or_an_isrc_comes_before_the_words(house: House, brainz: FakeMusicBrainz, name: str, value: str,
                                                 by: str) -> None:
    song(house, title="breaking glas", **{name: value})
    house.scan()
    [change] = refresh(house, brainz).compare(work=Following()).changes
    assert change.by == by and shown(change)["title"][1] == "Breaking Glass"
    assert not any("query" in one.query for one in brainz.asked)


def test_what_is_doubtful_or_unknown_is_left_with_the_reason(house: House, brainz: FakeMusicBrainz) -> None:
    song(house, "doubtful.flac", title="Warszawa", album="Stage")
    song(house, "unknown.flac", title="Bohemian Rhapsody", artist="Queen", album="A Night at the Opera")
    house.scan()
    result = refresh(house, brainz).compare(work=Following())
    assert result.changes == []
    assert sorted((one.path, one.reason) for one in result.left) == [
        ("doubtful.flac", "doubtful"), ("unknown.flac", "unknown")]


def test_a_lower_score_may_be_enough(house: House, brainz: FakeMusicBrainz) -> None:
    song(house, title="Warszawa", album="Stage")
    house.scan()
    [left] = refresh(house, brainz).compare(work=Following()).left
    assert left.score is not None
    assert len(refresh(house, brainz).compare(min_score=left.score, work=Following()).changes) == 1


@pytest.mark.parametrize(("score", "parts", "by", "least", "enough"), [
    (95.0, {"title": 100.0, "artist": 100.0}, "words", SURE, True),
    (95.0, {"title": 100.0, "artist": 89.0}, "words", SURE, False),
    (95.0, {"title": 89.0, "artist": 100.0}, "words", SURE, False),
    (95.0, {"title": 70.0, "artist": 70.0}, "isrc", SURE, True),
    (79.0, {"title": 100.0, "artist": 100.0}, "id", SURE, False),
    (75.0, {"title": 85.0, "artist": 100.0}, "words", 70.0, True), (95.0, {}, "words", SURE, False),
])
def test_what_is_believed(score: float, parts: dict[str, float], by: str, least: float, enough: bool) -> None:
    assert believed(Match({}, score, parts, by), least) is enough


def test_an_artist_of_a_similar_name_is_another_artist(house: House, brainz: FakeMusicBrainz) -> None:
    song(house, artist="David Bowler", album="Elsewhere")
    house.scan()
    result = refresh(house, brainz).compare(work=Following())
    assert result.changes == [] and [one.reason for one in result.left] == ["doubtful"]


def test_an_album_costs_few_questions_and_the_second_time_none(house: House, brainz: FakeMusicBrainz) -> None:
    make_album(house.music, artist="David Bowie", album="Low", count=3, titles=[one.title for one in SONGS])
    house.scan()
    refresh(house, brainz).compare(work=Following())
    asked = len(brainz.asked)
    assert asked <= 5, brainz.paths
    assert len(refresh(house, brainz).compare(work=Following()).changes) == 3
    assert len(brainz.asked) == asked


def test_some_tracks_may_be_named(house: House, brainz: FakeMusicBrainz) -> None:
    song(house, "a.flac")
    song(house, "b.flac", title="Breaking Glass", track_number=2)
    house.scan()
    [uid] = [row[0] for row in house.rows("SELECT uid FROM tracks WHERE title = 'Breaking Glass'")]
    assert [one.track_id for one in refresh(house, brainz).compare([uid], work=Following()).changes] == [uid]


def test_one_that_fails_does_not_hold_up_the_rest(house: House, brainz: FakeMusicBrainz) -> None:
    song(house, "a.flac")
    song(house, "b.flac", title="Breaking Glass", album="Elsewhere")
    song(house, "c.mp3", title="What in the World", album="Nowhere")
    house.scan()
    (house.music / "c.mp3").write_bytes(b"no music any more")
    brainz.next(Reply(500), Reply(500))
    result = refresh(house, brainz).compare(work=Following())
    assert result.looked == 3 and len(result.failed) >= 2 and result.ended is None
    assert {one.reason for one in result.failed} == {"service_error", "not_audio"}


def test_when_nobody_answers_it_ends_and_says_so(house: House, brainz: FakeMusicBrainz) -> None:
    for number in range(8):
        song(house, f"{number}.flac", title=f"Song {number}", album=f"Album {number}")
    house.scan()
    brainz.always(Reply(502))
    result = refresh(house, brainz).compare(work=Following())
    assert result.ended and len(result.failed) == 5 == result.looked


def test_a_moment_of_rest_that_is_asked_for_is_given(house: House, brainz: FakeMusicBrainz) -> None:
    song(house)
    house.scan()
    brainz.next(Reply(503, headers={"Retry-After": "0"}), Reply(503, headers={"Retry-After": "0"}))
    assert len(refresh(house, brainz).compare(work=Following()).changes) == 1


def test_what_is_not_here_is_left_alone(house: House, brainz: FakeMusicBrainz) -> None:
    cloud, gone = song(house, "cloud.flac"), song(house, "gone.flac", title="Breaking Glass")
    song(house, "here.flac", title="What in the World", track_number=3)
    house.scan()
    house.store(house.rows("SELECT uid FROM tracks WHERE title = 'speed of life'")[0][0])
    cloud.unlink()
    gone.unlink()
    result = refresh(house, brainz).compare(work=Following())
    assert sorted((one.path, one.reason) for one in result.left) == [("cloud.flac", "cloud"), ("gone.flac", "missing")]
    assert [one.path for one in result.changes] == ["here.flac"]


# ---- deciding --------------------------------------------------------------------------------------------------------


MINE = Metadata(title="rain", artist="ann", album="weather", date="1999", year=1999, genres=("Pop",),
                title_sort="rain, the", credits=(Credit("ann"), Credit("carl", "composer")), comment="mine")
THEIRS = replace(MINE, title="Rain", artist="Ann", album="Weather", date="1999-04-01", genres=("Jazz",),
                 credits=(Credit("Ann", "artist", "a74b1b7f-71a5-4011-9441-d0b5e4122711", "Ann"),), isrc="USRC17607839")


def fields_of(found: list[Difference]) -> dict[str, Any]:
    return {one.field: one.new for one in found}


def test_what_is_taken_over_and_what_stays() -> None:
    assert fields_of(differences(MINE, THEIRS, {}, album=True)) == {
        "title": "Rain", "title_sort": None, "artist": "Ann", "album": "Weather", "date": "1999-04-01",
        "isrc": "USRC17607839", "artists": [["Ann", "a74b1b7f-71a5-4011-9441-d0b5e4122711", "Ann"]]}
    assert differences(THEIRS, replace(THEIRS, isrc=None, artist=None, date="1999", credits=()), {}, album=True) == []
    assert differences(MINE, MINE, {}, album=True) == []
    assert fields_of(differences(replace(MINE, genres=()), THEIRS, {}, album=True))["genres"] == ["Jazz"]


def test_what_a_person_edited_stays() -> None:
    found = differences(MINE, replace(THEIRS, release_mbid="a74b1b7f-71a5-4011-9441-d0b5e4122711"),
                        {"title": "Mine", "album": None, "year": 1}, album=True)
    assert set(fields_of(found)) == {"artist", "artists", "isrc"}


def test_without_a_release_nothing_of_the_album_is_touched() -> None:
    assert set(fields_of(differences(MINE, THEIRS, {}, album=False))) == {
        "title", "title_sort", "artist", "artists", "isrc"}


# ---- writing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".flac", ".mp3", ".m4a", ".opus", ".wav", ".wv"])
def test_it_is_written_into_file_and_library_and_taken_back(house: House, brainz: FakeMusicBrainz, suffix: str) -> None:
    path = song(house, f"a{suffix}", comment="Wet", composer="Carl", title_sort="speed")
    house.scan()
    before, sound = tags.read(str(path)), embedding.sound(str(path))
    room = refresh(house, brainz)
    changes = room.compare(work=Following()).changes
    report = room.apply(changes, work=Following())
    assert (report.changed, report.failed) == (1, [])
    assert report == replace(room.foreseen(Comparison(changes=changes)), step=report.step)
    now = said(path)
    assert (now["title"], now["artist"], now["album"], now["date"]) == (
        "Speed of Life", "David Bowie", "Low", "1977-01-14")
    assert (now["track_number"], now["track_total"], now["recording_mbid"]) == (1, 3, SONGS[0].id)
    assert tags.read(str(path)).metadata.comment == "Wet" and embedding.sound(str(path)) == sound
    assert house.rows("SELECT title, isrc FROM tracks") == [("Speed of Life", SONGS[0].isrcs[0])]
    assert house.rows("SELECT title, mbid FROM albums WHERE track_count > 0") == [("Low", LOW.id)]
    again = room.compare(work=Following())
    assert (again.changes, again.same) == ([], 1)
    undone = room.undo(work=Following())
    assert (undone.changed, undone.failed) == (1, [])
    assert tags.read(str(path)).metadata == before.metadata and embedding.sound(str(path)) == sound
    assert house.rows("SELECT title, isrc FROM tracks") == [("speed of life", None)]
    assert house.rows("SELECT title, mbid FROM albums WHERE track_count > 0") == [("low", None)]
    with pytest.raises(NotFound):
        room.undo(work=Following())


def test_a_file_that_says_something_else_by_now_is_left(house: House, brainz: FakeMusicBrainz) -> None:
    path = song(house)
    house.scan()
    room = refresh(house, brainz)
    changes = room.compare(work=Following()).changes
    tags.write(str(path), {"title": "Mine"})
    report = room.apply(changes, work=Following())
    assert report.changed == 0 and [one.reason for one in report.failed] == ["changed"]
    assert said(path)["title"] == "Mine" and said(path)["album"] == "low"
    assert house.journal.list(COMMAND) == []


def test_a_field_that_was_changed_since_is_not_undone_and_the_others_are(house: House, brainz: FakeMusicBrainz) -> None:
    path = song(house)
    house.scan()
    room = refresh(house, brainz)
    room.apply(room.compare(work=Following()).changes, work=Following())
    tags.write(str(path), {"album": "Lower"})
    undone = room.undo(work=Following())
    assert undone.changed == 1 and [one.reason for one in undone.failed] == ["changed"]
    assert "album" in undone.failed[0].message
    assert (said(path)["title"], said(path)["album"], said(path)["isrc"]) == ("speed of life", "Lower", None)
    assert house.journal.get(undone.step).state == "done"


def test_an_edit_of_the_library_alone_stays_over_what_is_written(house: House, brainz: FakeMusicBrainz) -> None:
    path = song(house)
    house.scan()
    [uid] = [row[0] for row in house.rows("SELECT uid FROM tracks")]
    Tracks(database=house.database).override(uid, {"title": "Speed Of Life!"})
    room = refresh(house, brainz)
    room.apply(room.compare(work=Following()).changes, work=Following())
    assert said(path)["title"] == "speed of life" and said(path)["album"] == "Low"
    assert house.rows("SELECT title FROM tracks") == [("Speed Of Life!",)]


def test_ended_early_what_is_done_can_be_undone_and_the_rest_be_done(house: House, brainz: FakeMusicBrainz,
                                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.upkeep.refresh.WRITTEN_AT_ONCE", 1)
    for number, one in enumerate(SONGS, 1):
        song(house, f"{number}.flac", title=one.title, track_number=number)
    house.scan()
    room = refresh(house, brainz)
    changes = room.compare(work=Following()).changes
    with pytest.raises(RefreshStopped) as stopped:
        room.apply(changes, work=Following(2))
    assert stopped.value.report.changed == 2
    rest = room.compare(work=Following())
    assert (len(rest.changes), rest.same) == (1, 2)
    room.apply(rest.changes, work=Following())
    room.undo(work=Following())
    room.undo(work=Following())
    assert len(room.compare(work=Following()).changes) == 3


def test_two_runs_at_once_are_refused(house: House, brainz: FakeMusicBrainz) -> None:
    song(house)
    house.scan()
    room = refresh(house, brainz)
    changes = room.compare(work=Following()).changes
    with house.journal.begin(COMMAND, "another"), pytest.raises(Conflict):
        room.apply(changes, work=Following())


def test_copies_in_the_cloud_are_made_anew(house: House, brainz: FakeMusicBrainz) -> None:
    song(house)
    house.scan()
    [uid] = [row[0] for row in house.rows("SELECT uid FROM tracks")]
    house.store(uid)

    class Cloud:
        def refresh(self, uids: Any, work: Any) -> list[str]:
            return list(uids)

    room = refresh(house, brainz, Cloud())
    report = room.apply(room.compare(work=Following()).changes, work=Following())
    assert report.cloud == {"tracks": 1, "report": [uid]}


# ---- killed ----------------------------------------------------------------------------------------------------------

CHILD = """
import json, sys
from pathlib import Path
from tests.upkeep.covers_house import Following, House
from shared.upkeep.refresh import Change, Difference, Refresh

if __name__ == "__main__":
    house = House(Path(sys.argv[1]))
    changes = [Change(**{**one, "differences": [Difference(**each) for each in one["differences"]]})
               for one in json.loads(sys.stdin.read())]
    room = Refresh(records=house.records, access=house.access, workers=house.workers, finder=None,
                   journal=house.journal)
    print("begins", flush=True)
    room.apply(changes, work=Following())
    house.close()
"""


def test_a_kill_loses_nothing(house: House, brainz: FakeMusicBrainz) -> None:
    after = 12
    paths = [song(house, f"{number:02}.mp3", title="Speed of Life", track_number=1) for number in range(40)]
    house.scan()
    room = refresh(house, brainz)
    changes = room.compare(work=Following()).changes
    before = [(tags.read(str(one)).metadata, embedding.sound(str(one))) for one in paths]
    times = [one.stat().st_mtime_ns for one in paths]
    import msgspec
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(house.base)], cwd=WORLD, text=True, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(WORLD)})
    assert child.stdin is not None and child.stdout is not None
    with child.stdin, child.stdout:
        child.stdin.write(json.dumps(msgspec.to_builtins(changes)))
        child.stdin.close()
        assert child.stdout.readline() == "begins\n"
        deadline = time.monotonic() + 60
        while child.poll() is None and time.monotonic() < deadline:
            if sum(a != b.stat().st_mtime_ns for a, b in zip(times, paths, strict=True)) >= after:
                os.kill(child.pid, signal.SIGKILL)
                break
            time.sleep(0.001)
        assert child.wait(30) == -signal.SIGKILL
    time.sleep(0.2)
    assert [embedding.sound(str(one)) for one in paths] == [sound for _, sound in before]
    rest = room.compare(work=Following())
    assert rest.failed == [] and 0 < len(rest.changes) <= 40 - after and rest.same == 40 - len(rest.changes)
    room.apply(rest.changes, work=Following())
    assert len(room.compare(work=Following()).changes) == 0 and house.journal.cut_off() == []
    while house.journal.last(COMMAND) is not None:
        assert room.undo(work=Following()).failed == []
    assert [tags.read(str(one)).metadata for one in paths] == [metadata for metadata, _ in before]
