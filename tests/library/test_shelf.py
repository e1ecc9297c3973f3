from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mutagen
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.audio.pool import WorkerPool
from shared.database import Database
from shared.library import moves
from shared.library.scanner import scan
from shared.library.shelf import EDITABLE, Shelf, checked
from shared.model.errors import BadInput, Conflict, DiskFull, NotFound, StorageOffline, TrackMissing, Unprocessable
from shared.model.person import Person
from shared.model.scan import ScanReport
from shared.model.track import Filters, Track
from shared.records.people import People
from shared.records.recall import Recall
from shared.records.scans import Scans
from shared.records.tracks import Tracks
from shared.storage.access import Access
from tests.builders import make_audio
from tests.patience import often


@pytest.fixture(scope="module")
def workers() -> Iterator[WorkerPool]:
    pool = WorkerPool(size=1, name="shelf tests")
    yield pool
    pool.stop()


class House:
    """A scanned music folder, and the shelf over it; every part is the real one."""

    def __init__(self, base: Path, workers: WorkerPool) -> None:
        self.music = base / "music"
        self.home = base / "home"
        for folder in (self.music, self.home / "config", self.home / "data", self.home / "cache"):
            folder.mkdir(parents=True)
        self.database = Database(self.home / "data" / "library.db")
        self.database.prepare()
        self.tracks = Tracks(database=self.database)
        self.scans = Scans(database=self.database)
        self.access = Access()
        self.workers = workers
        own = SimpleNamespace(config_dir=self.home / "config", data_dir=self.home / "data",
                              cache_dir=self.home / "cache")
        self.shelf = Shelf(tracks=self.tracks, access=self.access, workers=workers, scans=self.scans, settings=own)
        self.scans.add_root(str(self.music))
        row = People(database=self.database).make_user("ann", "x", "owner")
        self.ann = Person(user_id=row.id, id=row.uid, username="ann", role="owner")

    def scan(self) -> ScanReport:
        return scan(self.scans.roots(), scans=self.scans, recall=Recall(database=self.database), pool=self.workers)

    def all(self) -> dict[str, Track]:
        return {one.path or "": one for one in self.tracks.list(self.ann, filters=Filters()).items}

    def song(self, name: str, title: str, **tags: Any) -> str:
        """A scanned track's id."""
        make_audio(self.music, name, seconds=1.0, tags={
            "title": title, "artist": "Ann", "album": "Alpha", "genre": ["Rock"], "track_number": 4, **tags})
        self.scan()
        return self.all()[name].id

    def in_trash(self, uid: str) -> Path:
        return self.music / ".soundsible" / "trash" / uid

    def close(self) -> None:
        self.access.stop()
        self.database.close()


@pytest.fixture
def house(tmp_path: Path, workers: WorkerPool) -> Iterator[House]:
    house = House(tmp_path, workers)
    yield house
    house.close()


# ---- editing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".mp3", ".flac", ".m4a", ".opus"])
def test_an_edit_is_written_to_the_file_and_the_next_scan_finds_nothing_to_do(house: House, suffix: str) -> None:
    uid = house.song(f"a{suffix}", "Before")
    track = house.shelf.edit(house.ann, uid, {
        "title": "After", "artist": "Bob", "album": "Beta", "track_number": 7, "year": 1999,
        "genres": ["Jazz", "Soul"]})
    assert (track.id, track.title, track.artist, track.album) == (uid, "After", "Bob", "Beta")
    assert (track.track_number, track.year, track.genres) == (7, 1999, ["Jazz", "Soul"])
    assert mutagen.File(house.music / f"a{suffix}", easy=True)["title"] == ["After"]
    report = house.scan()
    assert (report.read, report.changed, report.added) == (0, 0, 0)
    assert house.tracks.get(house.ann, uid).title == "After"


def test_null_takes_a_value_away(house: House) -> None:
    uid = house.song("a.flac", "A")
    track = house.shelf.edit(house.ann, uid, {"album": None, "track_number": None, "genres": []})
    assert (track.album, track.track_number, track.genres) == (None, None, [])
    assert "album" not in mutagen.File(house.music / "a.flac", easy=True)


def test_an_edit_without_the_file_lies_over_later_readings_until_the_file_is_written(house: House) -> None:
    uid = house.song("a.flac", "In the file")
    before = (house.music / "a.flac").read_bytes()
    assert house.shelf.edit(house.ann, uid, {"title": "On the shelf"}, False).title == "On the shelf"
    assert (house.music / "a.flac").read_bytes() == before
    os.utime(house.music / "a.flac")
    assert house.scan().changed == 1
    assert house.tracks.get(house.ann, uid).title == "On the shelf"
    assert house.shelf.edit(house.ann, uid, {"title": "In both"}).title == "In both"
    os.utime(house.music / "a.flac")
    house.scan()
    assert house.tracks.get(house.ann, uid).title == "In both"


def test_lyrics_beside_the_file_survive_an_edit(house: House) -> None:
    (house.music / "a.lrc").write_text("[00:01.00] la la")
    uid = house.song("a.flac", "A")
    house.shelf.edit(house.ann, uid, {"title": "B"})
    assert [one.source for one in house.tracks.lyrics(uid)] == ["sidecar"]
    assert house.scan().read == 0


def test_a_file_that_cannot_be_written_changes_nothing_and_says_why(house: House) -> None:
    uid = house.song("a.flac", "Before")
    whole = (house.music / "a.flac").read_bytes()
    (house.music / "a.flac").write_bytes(whole[:200])      # damaged since it was scanned
    with pytest.raises(Conflict, match="cannot be written"):
        house.shelf.edit(house.ann, uid, {"title": "After"})
    assert house.tracks.get(house.ann, uid).title == "Before"


def test_a_missing_file_is_not_written_but_its_track_can_be_edited(house: House) -> None:
    uid = house.song("a.flac", "Before")
    (house.music / "a.flac").unlink()
    with pytest.raises(TrackMissing):
        house.shelf.edit(house.ann, uid, {"title": "After"})
    assert house.shelf.edit(house.ann, uid, {"title": "After"}, False).title == "After"


def test_an_unknown_track_is_not_found(house: House) -> None:
    for deed in (lambda: house.shelf.edit(house.ann, "nobody", {"title": "x"}), lambda: house.shelf.trash("nobody"),
                 lambda: house.shelf.restore("nobody"), lambda: house.shelf.purge("nobody")):
        with pytest.raises(NotFound):
            deed()


@pytest.mark.parametrize("fields", [
    {"path": "/etc/passwd"}, {"title": None}, {"title": "  "}, {"title": 5}, {"title": "x" * 1001}, {"title": "a\nb"},
    {"title": "a\ud800b"}, {"year": "1999"}, {"year": -1}, {"year": 10_000}, {"year": True}, {"track_number": 1.5},
    {"genres": "Rock"}, {"genres": [""]}, {"genres": ["x"] * 51}, {"genres": [None]}, {"album": []},
])
def test_nonsense_is_refused_by_name(house: House, fields: dict[str, Any]) -> None:
    uid = house.song("a.flac", "A")
    with pytest.raises(BadInput) as error:
        house.shelf.edit(house.ann, uid, fields)
    assert error.value.details["field"] == next(iter(fields))
    assert house.tracks.get(house.ann, uid).title == "A"


@settings(max_examples=often(60), deadline=None)
@given(st.dictionaries(st.sampled_from([*EDITABLE, "path"]),
                       st.none() | st.text() | st.integers() | st.booleans() | st.lists(st.text(), max_size=3)))
def test_whatever_is_asked_a_checked_edit_holds_only_what_a_track_can(fields: dict[str, Any]) -> None:
    try:
        clean = checked(fields)
    except BadInput as error:
        assert error.details["field"] in fields
        return
    assert set(clean) == set(fields) <= set(EDITABLE)
    for name, value in clean.items():
        if name == "genres":
            assert all(one == one.strip() and one for one in value)
        elif isinstance(value, str):
            assert value == value.strip() != ""
            value.encode()
        else:
            assert value is None or (type(value) is int and 0 < value <= 9999)


# ---- the trash ------------------------------------------------------------------------------------------------------


def test_a_trashed_track_stays_gone_after_scans_and_comes_back_with_its_identity(house: House) -> None:
    uid = house.song("sub/a.flac", "A")
    house.shelf.trash(uid)
    assert not (house.music / "sub" / "a.flac").exists()
    assert [path.name for path in house.in_trash(uid).iterdir()] == ["a.flac"]
    report = house.scan()
    assert (report.added, report.missing, report.found) == (0, 0, 0)
    assert house.all() == {}
    with pytest.raises(NotFound):
        house.tracks.get(house.ann, uid)
    house.shelf.restore(uid)
    assert (house.music / "sub" / "a.flac").exists()
    assert not house.in_trash(uid).exists()
    report = house.scan()
    assert (report.read, report.added, report.missing) == (0, 0, 0)
    assert house.all()["sub/a.flac"].id == uid


def test_a_new_file_at_the_place_of_a_trashed_one_is_a_new_track_and_is_never_overwritten(house: House) -> None:
    uid = house.song("a.flac", "Old")
    house.shelf.trash(uid)
    other = house.song("a.flac", "New", artist="Bob", album="Beta")
    assert other != uid
    house.shelf.restore(uid)
    assert {path: one.id for path, one in house.all().items()} == {"a.flac": other, "a (2).flac": uid}
    assert mutagen.File(house.music / "a.flac", easy=True)["title"] == ["New"]
    assert house.scan().read == 0


def test_a_place_that_a_missing_track_is_known_by_is_left_to_it(house: House) -> None:
    uid = house.song("a.flac", "Old")
    house.shelf.trash(uid)
    other = house.song("a.flac", "New", artist="Bob", album="Beta")
    (house.music / "a.flac").unlink()
    house.scan()
    house.shelf.restore(uid)
    assert {path: one.id for path, one in house.all().items()} == {"a.flac": other, "a (2).flac": uid}


def test_purging_removes_file_and_track_for_ever(house: House) -> None:
    uid = house.song("a.flac", "A")
    with pytest.raises(NotFound):
        house.shelf.purge(uid)      # only what is in the trash
    house.shelf.trash(uid)
    house.shelf.purge(uid)
    assert not house.in_trash(uid).exists()
    with pytest.raises(NotFound):
        house.shelf.restore(uid)
    assert house.scan().added == 0


def test_where_the_folder_cannot_be_written_the_track_is_only_marked(
    house: House, monkeypatch: pytest.MonkeyPatch,
) -> None:
    uid = house.song("a.flac", "A")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as patch:
        patch.setattr(moves.os, "mkdir", refuse)
        house.shelf.trash(uid)
    assert (house.music / "a.flac").exists()
    os.utime(house.music / "a.flac")
    report = house.scan()
    assert (report.added, report.changed, report.missing) == (0, 0, 0)
    assert house.all() == {}
    house.shelf.restore(uid)
    house.scan()
    assert house.all()["a.flac"].id == uid


def test_a_rename_that_fails_leaves_the_track_marked_and_the_file_in_place(
    house: House, monkeypatch: pytest.MonkeyPatch,
) -> None:
    uid = house.song("a.flac", "A")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    with monkeypatch.context() as patch:
        patch.setattr(moves.os, "rename", refuse)
        house.shelf.trash(uid)
    assert (house.music / "a.flac").exists()
    assert (house.scan().added, house.all()) == (0, {})
    house.shelf.restore(uid)
    assert house.all()["a.flac"].id == uid


def test_trashing_a_track_of_a_folder_that_is_gone_makes_no_folder(house: House) -> None:
    uid = house.song("a.flac", "A")
    aside = house.music.rename(house.music.parent / "aside")
    house.shelf.trash(uid)
    assert not house.music.exists()
    aside.rename(house.music)
    assert (house.scan().added, house.all()) == (0, {})


def test_a_folder_that_does_not_answer_holds_nobody(house: House, workers: WorkerPool) -> None:
    uid = house.song("a.flac", "A")

    class Silent:
        def call(self, root: str, deed: Callable[[], Any], *, deadline_s: float = 2.0) -> Any:
            raise StorageOffline("no answer")

    shelf = Shelf(tracks=house.tracks, access=Silent(), workers=workers, scans=house.scans)  # type: ignore[arg-type]
    with pytest.raises(StorageOffline):
        shelf.edit(house.ann, uid, {"title": "B"})
    shelf.trash(uid)
    assert (house.scan().added, house.all()) == (0, {})
    with pytest.raises(StorageOffline):
        shelf.purge(uid)
    house.shelf.restore(uid)
    assert house.all()["a.flac"].id == uid


class Killed(BaseException):
    """As if the process ended in this very moment."""


def killed(*_: object, **__: object) -> None:
    raise Killed


def test_killed_before_the_file_moved_to_the_trash_the_next_scan_moves_it(
    house: House, monkeypatch: pytest.MonkeyPatch,
) -> None:
    uid = house.song("a.flac", "A")
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(moves.os, "rename", killed)
        house.shelf.trash(uid)
    assert (house.music / "a.flac").exists()
    report = house.scan()
    assert (report.found, report.added) == (0, 0)
    assert [path.name for path in house.in_trash(uid).iterdir()] == ["a.flac"]
    house.shelf.restore(uid)
    assert house.scan().found == 1
    assert house.all()["a.flac"].id == uid


def test_killed_before_the_row_is_written_nothing_happened(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    uid = house.song("a.flac", "A")
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(house.tracks, "trash", killed)
        house.shelf.trash(uid)
    assert house.scan().read == 0
    assert house.all()["a.flac"].id == uid


def test_killed_before_the_file_came_back_the_next_scan_brings_it(
    house: House, monkeypatch: pytest.MonkeyPatch,
) -> None:
    uid = house.song("sub/a.flac", "A")
    house.shelf.trash(uid)
    (house.music / "sub").rmdir()
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(moves, "move_back", killed)
        house.shelf.restore(uid)
    report = house.scan()
    assert (report.found, report.missing, report.added) == (1, 0, 0)
    assert house.all()["sub/a.flac"].id == uid
    assert not house.in_trash(uid).exists()


def test_killed_between_file_and_row_of_a_purge_it_can_be_purged_again(
    house: House, monkeypatch: pytest.MonkeyPatch,
) -> None:
    uid = house.song("a.flac", "A")
    house.shelf.trash(uid)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(house.tracks, "purge", killed)
        house.shelf.purge(uid)
    house.scan()
    with pytest.raises(TrackMissing):
        house.shelf.restore(uid)
    house.shelf.purge(uid)
    assert house.tracks.trashed().items == []


def test_what_lies_in_the_trash_and_is_not_known_is_left_alone(house: House) -> None:
    house.song("a.flac", "A")
    strange = house.in_trash("someotherlibrary") / "b.flac"
    strange.parent.mkdir(parents=True)
    strange.write_bytes(b"x")
    house.scan()
    assert strange.read_bytes() == b"x"


# ---- music folders --------------------------------------------------------------------------------------------------


def test_a_music_folder_is_added_once(house: House, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    first = house.shelf.add_root(str(other))
    assert house.shelf.add_root(f"{other}/../other/") == first
    assert [root.path for root in house.scans.roots()] == [str(house.music), str(other)]


@pytest.mark.parametrize(("path", "error", "says"), [
    ("relative/music", Unprocessable, "absolute"), ("/", Unprocessable, "whole file system"),
    ("{tmp}/nowhere", Unprocessable, "no folder"), ("{tmp}/file", Unprocessable, "is a file"),
    ("{tmp}/music/sub", Conflict, "lies in"), ("{tmp}", Conflict, "contains"), ("{tmp}/link", Conflict, "another name"),
    ("{tmp}/home/data", Unprocessable, "own data"), ("{tmp}/home/cache/x", Unprocessable, "own data"),
    ("a\0b", Unprocessable, "absolute"),
])
def test_folders_that_make_no_sense_are_refused(
    house: House, tmp_path: Path, path: str, error: type[Exception], says: str,
) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "music" / "sub").mkdir()
    (tmp_path / "home" / "cache" / "x").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "music")
    if path == "{tmp}":     # else the station's own folders come first
        house.shelf = Shelf(tracks=house.tracks, access=house.access, workers=house.workers, scans=house.scans)
    with pytest.raises(error, match=says):
        house.shelf.add_root(path.format(tmp=tmp_path))
    assert len(house.scans.roots()) == 1


def test_a_forgotten_folder_leaves_its_tracks_missing_and_its_files_alone(house: House) -> None:
    uid = house.song("a.flac", "A")
    house.shelf.forget_root(str(house.music))
    assert (house.music / "a.flac").exists()
    assert house.tracks.get(house.ann, uid).place == "missing"
    house.shelf.add_root(str(house.music))
    house.scan()
    assert house.tracks.get(house.ann, uid).place == "local"


# ---- what others may have done to the folder ------------------------------------------------------------------------


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder beside the music, with a song that the music folder's writers must not have changed by the station."""
    folder = tmp_path / "outside"
    make_audio(folder, "a.flac", seconds=0.3, tags={"title": "Not yours"})
    return folder


@pytest.mark.parametrize("swapped", ["file", "folder"])
def test_an_edit_never_changes_a_file_outside_the_music_folder(house: House, outside: Path, swapped: str) -> None:
    uid = house.song("sub/a.flac", "A")
    before = (outside / "a.flac").read_bytes()
    if swapped == "file":
        (house.music / "sub" / "a.flac").unlink()
        (house.music / "sub" / "a.flac").symlink_to(outside / "a.flac")
    else:
        (house.music / "sub").rename(house.music / "aside")
        (house.music / "sub").symlink_to(outside)
    with pytest.raises(Conflict, match="out of its music folder"):
        house.shelf.edit(house.ann, uid, {"title": "B"})
    assert (outside / "a.flac").read_bytes() == before
    assert os.listdir(outside) == ["a.flac"]
    assert house.shelf.edit(house.ann, uid, {"title": "B"}, False).title == "B"


def test_an_edit_through_a_link_that_stays_in_the_music_folder_is_written(house: House) -> None:
    make_audio(house.music / ".objects", "1.flac", seconds=0.3, tags={"title": "A"})
    (house.music / "a.flac").symlink_to(house.music / ".objects" / "1.flac")
    house.scan()
    assert house.shelf.edit(house.ann, house.all()["a.flac"].id, {"title": "B"}).title == "B"
    assert (house.music / "a.flac").is_symlink()
    assert mutagen.File(house.music / ".objects" / "1.flac", easy=True)["title"] == ["B"]


def test_a_file_that_becomes_a_link_just_before_it_is_written_is_left_alone(
    house: House, outside: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    uid = house.song("a.flac", "A")
    before, run = (outside / "a.flac").read_bytes(), house.workers.run

    def swap_first(*args: Any, **named: Any) -> Any:
        (house.music / "a.flac").unlink()
        (house.music / "a.flac").symlink_to(outside / "a.flac")
        return run(*args, **named)

    with monkeypatch.context() as patch, pytest.raises(TrackMissing):
        patch.setattr(house.workers, "run", swap_first)
        house.shelf.edit(house.ann, uid, {"title": "B"})
    assert (outside / "a.flac").read_bytes() == before


def test_a_file_behind_a_link_is_not_moved_to_the_trash_and_not_purged(house: House, outside: Path) -> None:
    (house.music / "linked").symlink_to(outside)
    house.scan()
    uid = house.all()["linked/a.flac"].id
    house.shelf.trash(uid)
    assert os.listdir(outside) == ["a.flac"]
    assert (house.scan().added, house.all()) == (0, {})
    with pytest.raises(Conflict, match="through a link"):
        house.shelf.purge(uid)
    assert os.listdir(outside) == ["a.flac"]
    house.shelf.restore(uid)
    assert house.all()["linked/a.flac"].id == uid


def test_a_track_does_not_come_back_through_a_link_in_its_folders_place(house: House, outside: Path) -> None:
    uid = house.song("sub/b.flac", "B")
    house.shelf.trash(uid)
    (house.music / "sub").rmdir()
    (house.music / "sub").symlink_to(outside)
    with pytest.raises(Conflict, match="has become a link"):
        house.shelf.restore(uid)
    house.scan()
    assert os.listdir(outside) == ["a.flac"]
    assert [path.name for path in house.in_trash(uid).iterdir()] == ["b.flac"]
    (house.music / "sub").unlink()
    house.shelf.restore(uid)
    assert (house.music / "sub" / "b.flac").exists()


@pytest.mark.parametrize("name", [".soundsible", ".soundsible/trash"])
def test_a_trash_that_is_a_link_takes_nothing(house: House, outside: Path, name: str) -> None:
    uid = house.song("a.flac", "A")
    (house.music / name).parent.mkdir(exist_ok=True)
    (house.music / name).symlink_to(outside)
    house.shelf.trash(uid)
    house.scan()
    assert os.listdir(outside) == ["a.flac"]
    assert (house.music / "a.flac").exists()
    assert house.all() == {}


def test_a_trash_that_becomes_a_link_gives_nothing_back_and_removes_nothing(house: House, outside: Path) -> None:
    uid = house.song("a.flac", "A")
    house.shelf.trash(uid)
    (house.music / ".soundsible").rename(house.music / ".aside")
    victim = outside / "trash" / uid / "a.flac"
    victim.parent.mkdir(parents=True)
    victim.write_bytes(b"x")
    (house.music / ".soundsible").symlink_to(outside)
    for deed in (house.shelf.restore, house.shelf.purge):
        with pytest.raises(Conflict):
            deed(uid)
    house.scan()
    assert victim.read_bytes() == b"x"


def test_a_trashing_that_is_refused_leaves_no_empty_folder(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    uid = house.song("a.flac", "A")

    def full(*_: object, **__: object) -> None:
        raise DiskFull("The station's disk is full.")

    with monkeypatch.context() as patch, pytest.raises(DiskFull):
        patch.setattr(house.tracks, "trash", full)
        house.shelf.trash(uid)
    assert os.listdir(house.music / ".soundsible" / "trash") == []
    assert (house.music / "a.flac").exists()


def test_when_only_the_library_cannot_take_note_of_an_edit_people_are_told_that_the_file_is_written(
    house: House, monkeypatch: pytest.MonkeyPatch,
) -> None:
    uid = house.song("a.flac", "Before")

    def full(*_: object, **__: object) -> None:
        raise DiskFull("The station's disk is full.")

    with monkeypatch.context() as patch, pytest.raises(DiskFull, match="disk is full") as told:
        patch.setattr(house.tracks, "apply_reading", full)
        house.shelf.edit(house.ann, uid, {"title": "After"})
    assert told.value.message.startswith("The tags of a.flac are written")
    assert mutagen.File(house.music / "a.flac", easy=True)["title"] == ["After"]
    assert house.scan().changed == 1
    assert house.tracks.get(house.ann, uid).title == "After"


def test_a_fifo_in_the_place_of_lyrics_does_not_hold_an_edit(house: House) -> None:
    uid = house.song("a.flac", "A")
    os.mkfifo(house.music / "a.lrc")
    assert house.shelf.edit(house.ann, uid, {"title": "B"}).title == "B"
