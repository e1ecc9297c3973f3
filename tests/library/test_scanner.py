from __future__ import annotations

import errno
import importlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import mutagen
import pytest

from shared.database import Database, driver_cursor
from shared.library import scanner, walk
from shared.library.scanner import scan, within
from shared.model.errors import UnreadableFile
from shared.model.scan import BadEntry, ScanReport
from shared.records.recall import Recall
from shared.records.scans import Scans
from tests.builders import FORMATS, make_album, make_audio, make_bad, make_picture


class HereAndNow:
    """Readers that read in this process: what a scan makes of readings does not depend on where they were made."""

    def __init__(self) -> None:
        self.read: list[str] = []
        self.before: Callable[[list[Any]], None] = lambda items: None

    def map_batches(self, deed: str, batches: Iterable[list[Any]], /, *, timeout_s: float
                    ) -> Iterator[tuple[int, list[Any]]]:
        module, _, name = deed.partition(":")
        for number, items in enumerate(batches):
            self.before(items)
            self.read += [item[0] if isinstance(item, tuple) else item for item in items]
            yield number, getattr(importlib.import_module(module), name)(items)


class Library:
    """A real database, and scans of folders into it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.database = Database(home / "library.db")
        self.database.prepare()
        self.scans = Scans(database=self.database)
        self.recall = Recall(database=self.database)
        self.pool = HereAndNow()
        self.reports: list[ScanReport] = []

    def add(self, folder: Path) -> Any:
        folder.mkdir(parents=True, exist_ok=True)
        return self.scans.add_root(str(folder))

    def scan(self, *roots: str, **options: Any) -> ScanReport:
        self.pool.read.clear()
        every = self.scans.roots()
        some = [root for root in every if root.path in roots] if roots else every
        return scan(some, scans=self.scans, recall=self.recall, pool=self.pool, every=every,
                    progress=self.reports.append, **options)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.database.read() as conn:
            return driver_cursor(conn).execute(query).fetchall()

    def tracks(self) -> dict[str, str]:
        """path → uid of everything that is there."""
        return dict(self.rows("SELECT f.path, t.uid FROM files f JOIN tracks t ON t.id = f.track_id "
                              "WHERE f.missing_since IS NULL AND f.trashed_from IS NULL"))

    def missing(self) -> set[str]:
        return {row[0] for row in self.rows("SELECT t.uid FROM files f JOIN tracks t ON t.id = f.track_id "
                                            "WHERE f.missing_since IS NOT NULL")}

    def titles(self) -> dict[str, str]:
        return dict(self.rows("SELECT uid, title FROM tracks"))


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    library = Library(tmp_path / "home")
    yield library
    library.database.close()


@pytest.fixture
def music(tmp_path: Path, library: Library) -> Path:
    library.add(tmp_path / "music")
    return tmp_path / "music"


def song(folder: Path, name: str, title: str, seconds: float = 1.0, **tags: Any) -> Path:
    return make_audio(folder, name, seconds=seconds, tags={"title": title, "artist": "Ann", "album": "Alpha", **tags})


def retag(path: Path, **tags: str) -> None:
    """As an editor does that writes into the file: the inode stays."""
    file = mutagen.File(path, easy=True)
    for name, value in tags.items():
        file[name] = value
    file.save()


# ---- finding and reading --------------------------------------------------------------------------------------------


def test_every_format_is_scanned_with_its_facts(library: Library, music: Path) -> None:
    for kind, options in FORMATS.items():
        make_audio(music, f"{kind}{options['suffix']}", seconds=2.0, codec=options.get("codec"), tags={
            "title": f"Title {kind}", "artist": "Ann", "album": "Kinds", "track_number": 3, "date": "1999-05-04"})
    report = library.scan()
    assert (report.state, report.found, report.read, report.added) == ("done", len(FORMATS), len(FORMATS), len(FORMATS))
    assert report.bad == []
    rows = library.rows("SELECT f.path, f.format, t.title, t.artist, t.track_number, t.year, t.duration_ms "
                        "FROM files f JOIN tracks t ON t.id = f.track_id")
    for path, kind, title, artist, number, year, duration_ms in rows:
        assert path.startswith(kind), (path, kind)
        assert (title, artist, number, year) == (f"Title {kind}", "Ann", 3, 1999)
        assert abs(duration_ms - 2000) < 150


def test_nothing_changed_means_nothing_is_read_and_the_revision_stays(library: Library, music: Path) -> None:
    make_album(music, count=3, picture=make_picture(64))
    (music / "The Builders" / "Foundations" / "cover.jpg").write_bytes(make_picture(64))
    (music / "The Builders" / "Foundations" / "01 Foundations 1.lrc").write_text("[00:01.00] la")
    library.scan()
    before = library.rows("SELECT value FROM state WHERE name = 'revision'")
    report = library.scan()
    assert library.pool.read == []
    assert (report.found, report.read, report.added, report.changed, report.missing) == (3, 0, 0, 0, 0)
    assert library.rows("SELECT value FROM state WHERE name = 'revision'") == before


def test_a_retagged_file_keeps_its_identity(library: Library, music: Path) -> None:
    path = song(music, "a.flac", "Before")
    library.scan()
    [uid] = library.tracks().values()
    retag(path, title="After")
    report = library.scan()
    assert (report.changed, report.added) == (1, 0)
    assert library.titles() == {uid: "After"}


def test_lyrics_and_pictures_beside_files_are_taken_up_when_they_come_and_go(library: Library, music: Path) -> None:
    song(music / "A", "a.mp3", "One")
    library.scan()
    (music / "A" / "a.lrc").write_text("[00:01.00] Hello\n[00:02.00] World")
    (music / "A" / "cover.png").write_bytes(make_picture(64, kind="PNG"))
    report = library.scan()
    assert report.changed == 1
    assert library.rows("SELECT source, synced FROM lyrics") == [("sidecar", 1)]
    assert library.rows("SELECT path FROM artwork WHERE kind = 'sidecar'") == [("A/cover.png",)]
    assert library.scan().read == 0
    (music / "A" / "a.lrc").unlink()
    (music / "A" / "cover.png").unlink()
    assert library.scan().changed == 1
    assert library.rows("SELECT * FROM lyrics") == library.rows("SELECT * FROM artwork") == []
    assert library.scan().read == 0


def test_tracks_of_a_first_scan_are_seen_before_it_ends(
    library: Library, music: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number in range(30):
        song(music, f"{number:02}.mp3", f"Song {number}")
    monkeypatch.setattr(scanner, "BATCH_FILES", 5)
    seen: list[int] = []

    def look(items: list[Any]) -> None:
        until = time.monotonic() + 10
        while len(library.pool.read) > 10 and not library.tracks() and time.monotonic() < until:
            time.sleep(0.01)    # another thread writes
        seen.append(len(library.tracks()))

    library.pool.before = look
    library.scan()
    assert seen[0] == 0
    assert 0 < seen[-1] < 30
    assert len(library.tracks()) == 30


def test_progress_tells_phases_and_counts(
    library: Library, music: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scanner, "PROGRESS_EVERY_S", 0.0)
    make_album(music, count=4)
    report = library.scan()
    phases = [one.phase for one in library.reports]
    assert [phase for number, phase in enumerate(phases) if number == 0 or phases[number - 1] != phase] == [
        "walk", "read", "settle", None]
    assert {one.id for one in library.reports} == {report.id}
    assert report.started_at is not None and report.finished_at is not None
    assert library.scans.last() == report


# ---- bad files ------------------------------------------------------------------------------------------------------


def test_a_bad_file_is_listed_with_its_reason_and_the_scan_goes_on(library: Library, music: Path) -> None:
    song(music, "good.mp3", "Good")
    for kind in ("empty", "text", "truncated", "huge_id3"):
        make_bad(music, kind)
    report = library.scan()
    assert (report.state, report.added, report.found) == ("done", 1, 5)
    assert {Path(one.path).stem: one.reason for one in report.bad} == {
        "empty": "empty", "text": "not_audio", "truncated": "truncated", "huge_id3": "too_large"}


def test_a_bad_file_is_not_read_again_until_it_changes_and_stays_listed(library: Library, music: Path) -> None:
    bad = make_bad(music, "text", "a.mp3")
    library.scan()
    report = library.scan()
    assert library.pool.read == []
    assert report.bad == [BadEntry(path="a.mp3", reason="not_audio")]
    bad.unlink()
    song(music, "a.mp3", "Cured")
    report = library.scan()
    assert (report.added, report.bad) == (1, [])


def test_a_bad_file_that_is_gone_is_no_longer_listed(library: Library, music: Path) -> None:
    make_bad(music, "empty", "a.mp3").with_name("b.mp3").write_bytes(b"nothing of use")
    assert len(library.scan().bad) == 2
    (music / "a.mp3").unlink()
    assert [one.path for one in library.scan().bad] == ["b.mp3"]


def test_a_good_file_that_is_damaged_keeps_its_track_and_is_listed_until_it_is_whole_again(
    library: Library, music: Path,
) -> None:
    path = song(music, "a.flac", "Whole")
    library.scan()
    content, times = path.read_bytes(), path.stat()
    path.write_bytes(b"not a flac any more")
    assert [one.path for one in library.scan().bad] == ["a.flac"]
    assert list(library.titles().values()) == ["Whole"]
    library.scan()
    assert library.pool.read == []
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert library.scan().bad == []


def test_a_file_that_vanishes_between_walk_and_reading_is_not_bad(library: Library, music: Path) -> None:
    song(music, "a.mp3", "A")
    song(music, "b.mp3", "B")
    library.pool.before = lambda items: (music / "b.mp3").unlink(missing_ok=True)
    report = library.scan()
    assert (report.added, report.bad) == (1, [])


# ---- files that move ------------------------------------------------------------------------------------------------


def test_a_renamed_or_moved_file_keeps_its_identity_without_being_read(library: Library, music: Path) -> None:
    for name in ("a.mp3", "b.mp3", "c.mp3"):
        song(music, name, name)
    library.scan()
    before = library.tracks()
    (music / "a.mp3").rename(music / "renamed.mp3")
    (music / "deep" / "er").mkdir(parents=True)
    (music / "b.mp3").rename(music / "deep" / "er" / "b.mp3")
    report = library.scan()
    assert library.pool.read == []
    assert (report.moved, report.added, report.missing) == (2, 0, 0)
    assert library.tracks() == {
        "renamed.mp3": before["a.mp3"], "deep/er/b.mp3": before["b.mp3"], "c.mp3": before["c.mp3"]}


def test_swapped_names_swap_no_identities(library: Library, music: Path) -> None:
    song(music, "01.mp3", "First")
    song(music, "02.mp3", "Second")
    library.scan()
    before = library.tracks()
    (music / "01.mp3").rename(music / "x")
    (music / "02.mp3").rename(music / "01.mp3")
    (music / "x").rename(music / "02.mp3")
    assert library.scan().moved == 2
    assert library.tracks() == {"02.mp3": before["01.mp3"], "01.mp3": before["02.mp3"]}
    assert library.titles() == {before["01.mp3"]: "First", before["02.mp3"]: "Second"}


def test_renumbered_tracks_keep_their_identities_and_the_new_first_is_new(library: Library, music: Path) -> None:
    for number in (1, 2, 3):
        song(music, f"{number:02}.mp3", f"Song {number}")
    library.scan()
    before = library.tracks()
    for number in (3, 2, 1):
        (music / f"{number:02}.mp3").rename(music / f"{number + 1:02}.mp3")
    song(music, "01.mp3", "Intro")
    report = library.scan()
    assert (report.moved, report.added, report.missing) == (3, 1, 0)
    after = library.tracks()
    assert [after[f"0{number + 1}.mp3"] for number in (1, 2, 3)] == [before[f"0{number}.mp3"] for number in (1, 2, 3)]


def test_a_file_moved_to_another_music_folder_keeps_its_identity(library: Library, music: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    library.add(other)
    song(music, "a.mp3", "A")
    song(other, "b.mp3", "B")
    library.scan()
    before = library.tracks()
    shutil.copy2(music / "a.mp3", other / "a.mp3")      # as across two disks: a new inode
    (music / "a.mp3").unlink()
    report = library.scan()
    assert (report.moved, report.added, report.missing) == (1, 0, 0)
    assert library.tracks() == before
    [(root,)] = library.rows("SELECT root_id FROM files WHERE path = 'a.mp3'")
    assert root == library.scans.roots()[1].id


def test_a_move_is_seen_when_only_the_folder_it_went_to_is_scanned(
    library: Library, music: Path, tmp_path: Path,
) -> None:
    other = tmp_path / "other"
    library.add(other)
    song(music, "a.mp3", "A")
    song(music, "stays.mp3", "Stays")
    library.scan()
    before = library.tracks()
    shutil.copy2(music / "stays.mp3", other / "copy.mp3")
    (music / "a.mp3").rename(other / "a.mp3")
    report = library.scan(str(other))
    assert (report.moved, report.added, report.missing) == (1, 1, 0)
    assert {path: uid for path, uid in library.tracks().items() if path != "copy.mp3"} == before


def test_a_whole_music_folder_under_a_new_path_keeps_all_identities(
    library: Library, music: Path, tmp_path: Path,
) -> None:
    make_album(music, count=3)
    library.scan()
    before = library.tracks()
    music.rename(tmp_path / "renamed")
    library.add(tmp_path / "renamed")
    report = library.scan()
    assert (report.moved, report.added, report.missing) == (3, 0, 0)
    assert library.tracks() == before
    assert report.offline == [str(music)]


@pytest.mark.parametrize("suffix", [".mp3", ".flac", ".m4a", ".ogg"])
def test_a_file_moved_and_retagged_at_once_is_known_by_its_inode(
    library: Library, music: Path, suffix: str,
) -> None:
    path = song(music, f"a{suffix}", "Before")
    song(music, f"other{suffix}", "Other", seconds=2)
    library.scan()
    before = library.tracks()
    moved = music / f"b{suffix}"
    path.rename(moved)
    retag(moved, title="After")
    report = library.scan()
    assert (report.added, report.changed, report.missing) == (0, 1, 0)
    assert library.tracks()[f"b{suffix}"] == before[f"a{suffix}"]
    assert library.titles()[before[f"a{suffix}"]] == "After"


def test_a_file_moved_and_written_anew_is_known_by_its_tags(library: Library, music: Path) -> None:
    song(music, "a.flac", "Same", isrc="DEABC2400001")
    song(music, "b.flac", "Twin")
    library.scan()
    before = library.tracks()
    for name in ("a.flac", "b.flac"):
        (music / name).unlink()
    song(music / "x", "new a.mp3", "Entirely other", album="Best of", isrc="DEABC2400001")
    song(music / "x", "new b.mp3", "Twin")
    report = library.scan()
    assert (report.added, report.changed, report.missing) == (0, 2, 0)
    assert library.tracks() == {"x/new a.mp3": before["a.flac"], "x/new b.mp3": before["b.flac"]}


def test_nobody_guesses_which_of_two_alike_came_back(library: Library, music: Path) -> None:
    song(music / "one", "a.flac", "Same")
    song(music / "two", "b.flac", "Same")
    library.scan()
    shutil.rmtree(music / "one")
    shutil.rmtree(music / "two")
    song(music / "three", "c.mp3", "Same")
    report = library.scan()
    assert (report.added, report.changed, report.missing) == (1, 0, 2)


def test_a_different_song_in_a_used_inode_is_a_new_track(library: Library, music: Path) -> None:
    path = song(music, "a.mp3", "Gone", track_number=1)
    library.scan()
    inode = path.stat().st_ino
    [uid] = library.tracks().values()
    path.unlink()
    song(music, "b.mp3", "Arrived", artist="Bob", album="Beta", track_number=2)
    library.database.transaction
    with library.database.transaction() as conn:    # whatever the file system did: the number is the same
        driver_cursor(conn).execute("UPDATE files SET inode = ?", (str((music / "b.mp3").stat().st_ino),))
    report = library.scan()
    assert inode
    assert (report.added, report.missing) == (1, 1)
    assert library.missing() == {uid}


def test_a_copy_is_a_new_track(library: Library, music: Path) -> None:
    song(music, "a.mp3", "A")
    library.scan()
    before = library.tracks()
    shutil.copy2(music / "a.mp3", music / "copy.mp3")
    report = library.scan()
    assert (report.added, report.moved, report.changed) == (1, 0, 0)
    assert library.tracks()["a.mp3"] == before["a.mp3"]


def test_case_and_unicode_form_of_a_name_make_no_other_track(library: Library, music: Path) -> None:
    path = song(music, "J\u00f3ga.mp3", "Joga")
    library.scan()
    [uid] = library.tracks().values()
    content = path.read_bytes()
    path.unlink()
    (music / "JO\u0301GA.mp3").write_bytes(content + b"\0" * 10)    # another size, another time, another inode
    report = library.scan()
    assert (report.added, report.missing) == (0, 0)
    assert library.tracks() == {"JO\u0301GA.mp3": uid}


def test_an_overwritten_file_keeps_the_identity_of_its_path(library: Library, music: Path) -> None:
    song(music, "a.mp3", "A")
    song(music, "b.mp3", "B")
    library.scan()
    before = library.tracks()
    (music / "a.mp3").rename(music / "b.mp3")
    report = library.scan()
    assert report.missing == 1
    assert library.tracks() == {"b.mp3": before["b.mp3"]}
    assert library.titles()[before["b.mp3"]] == "A"


# ---- folders that go away -------------------------------------------------------------------------------------------


def test_a_deleted_file_is_missing_and_returns(library: Library, music: Path) -> None:
    path = song(music, "a.mp3", "A")
    library.scan()
    before = library.tracks()
    aside = path.rename(music.parent / "aside")
    report = library.scan()
    assert (report.missing, library.tracks()) == (1, {})
    assert len(library.titles()) == 1
    assert library.scan().missing == 1
    aside.rename(path)
    report = library.scan()
    assert library.pool.read == []
    assert (report.missing, report.added, library.tracks()) == (0, 0, before)


@pytest.mark.parametrize("empty", [False, True], ids=["gone", "empty"])
def test_a_music_folder_that_is_gone_or_empty_removes_nothing(library: Library, music: Path, empty: bool) -> None:
    make_album(music, count=3)
    make_bad(music, "text", "bad.mp3")
    library.scan()
    before = library.tracks()
    aside = music.rename(music.parent / "aside")
    if empty:
        music.mkdir()
    report = library.scan()
    assert (report.state, report.missing, report.offline) == ("done", 3, [str(music)])
    assert library.missing() == set(before.values())
    assert library.scans.lost_roots() == [str(music)]
    assert [one.path for one in report.bad] == ["bad.mp3"]
    assert [one.path for one in library.scan().bad] == ["bad.mp3"]
    assert library.rows("SELECT count(*) FROM albums") == [(1,)]
    if empty:
        music.rmdir()
    aside.rename(music)
    report = library.scan()
    assert library.pool.read == []
    assert (report.missing, report.offline, library.tracks()) == (0, [], before)
    assert library.scans.lost_roots() == []


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO, errno.ESTALE])
def test_files_below_a_folder_that_cannot_be_listed_keep_their_state(
    library: Library, music: Path, monkeypatch: pytest.MonkeyPatch, code: int,
) -> None:
    song(music / "open", "a.mp3", "A")
    song(music / "shut" / "deep", "b.mp3", "B")
    song(music / "shut", "c.mp3", "C")
    library.scan()
    before = library.tracks()
    real = os.open

    def opening(path: str, *rest: int) -> int:
        if str(path).endswith("/shut"):
            raise OSError(code, os.strerror(code))
        return real(path, *rest)

    monkeypatch.setattr(walk.os, "open", opening)
    (music / "open" / "a.mp3").unlink()
    report = library.scan()
    assert report.missing == 1
    assert report.offline == [str(music / "shut")]
    assert library.missing() == {before["open/a.mp3"]}


def test_a_hanging_folder_is_left_out_and_the_scan_ends(
    library: Library, music: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    song(music / "stale", "a.mp3", "A")
    song(music / "z", "b.mp3", "B")
    library.scan()
    song(music / "z", "c.mp3", "C")
    release = threading.Event()
    real = os.open

    def opening(path: str, *rest: int) -> int:
        if str(path).endswith("/stale"):
            release.wait(60)
        return real(path, *rest)

    monkeypatch.setattr(walk.os, "open", opening)
    monkeypatch.setattr(scanner, "PROGRESS_EVERY_S", 0.02)
    try:
        report = library.scan(hang_s=0.3)
    finally:
        release.set()
    assert (report.state, report.added, report.missing) == ("done", 1, 0)
    assert report.offline == [str(music / "stale")]


def test_a_hanging_music_folder_does_not_hold_the_others(
    library: Library, music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = tmp_path / "other"
    library.add(other)
    song(music, "a.mp3", "A")
    library.scan()
    song(other, "b.mp3", "B")
    release = threading.Event()
    real = os.open

    def opening(path: str, *rest: int) -> int:
        if str(path) == str(music):
            release.wait(60)
        return real(path, *rest)

    monkeypatch.setattr(walk.os, "open", opening)
    monkeypatch.setattr(scanner, "PROGRESS_EVERY_S", 0.02)
    try:
        report = library.scan(hang_s=0.3)
    finally:
        release.set()
    assert (report.added, report.missing, report.offline) == (1, 1, [str(music)])
    monkeypatch.undo()
    assert library.scan().missing == 0


def test_a_music_folder_that_dies_while_it_is_read_makes_no_bad_files(library: Library, music: Path) -> None:
    for number in range(6):
        song(music, f"{number}.mp3", f"Song {number}")

    class Dying(HereAndNow):
        def map_batches(self, deed: str, batches: Iterable[list[Any]], /, *, timeout_s: float
                        ) -> Iterator[tuple[int, list[Any]]]:
            for number, items in enumerate(batches):
                music.rename(music.parent / "unplugged")
                yield number, [UnreadableFile("it took too long", reason="timed_out") for _ in items]

    library.pool = Dying()
    report = library.scan()
    assert report.bad == []
    assert report.offline == [str(music)]
    (music.parent / "unplugged").rename(music)
    library.pool = HereAndNow()
    assert library.scan().added == 6


def test_a_file_that_holds_its_reader_is_bad_while_its_folder_answers(library: Library, music: Path) -> None:
    song(music, "a.mp3", "A")

    class Slow(HereAndNow):
        def map_batches(self, deed: str, batches: Iterable[list[Any]], /, *, timeout_s: float
                        ) -> Iterator[tuple[int, list[Any]]]:
            for number, items in enumerate(batches):
                yield number, [UnreadableFile("it took too long", reason="timed_out") for _ in items]

    library.pool = Slow()
    assert library.scan().bad == [BadEntry(path="a.mp3", reason="timed_out")]


# ---- stopping and going on ------------------------------------------------------------------------------------------


def test_a_stopped_scan_keeps_what_it_read_and_the_next_one_reads_the_rest(
    library: Library, music: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scanner, "BATCH_FILES", 4)
    for number in range(40):
        song(music, f"{number:02}.mp3", f"Song {number}")
    report = library.scan(stop=lambda: len(library.pool.read) >= 20)
    assert report.state == "failed"
    kept = library.tracks()
    assert 0 < len(kept) < 40
    report = library.scan()
    assert report.added == 40 - len(kept)
    assert len(library.pool.read) == 40 - len(kept)
    assert kept.items() <= library.tracks().items()


def test_within_gives_up_on_what_does_not_answer() -> None:
    release = threading.Event()
    assert isinstance(within(0.05, lambda: release.wait(30)), TimeoutError)
    release.set()
    assert within(5, lambda: 7) == 7
    assert isinstance(within(5, lambda: 1 // 0), ZeroDivisionError)


def test_a_scan_removes_the_copies_that_killed_edits_left(
    library: Library, music: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    song(music / "A", "a.flac", "A")
    left = music / "A" / f".soundsible-{'0a' * 8}.flac"
    left.write_bytes(b"half a song")
    library.scan()
    assert left.exists()
    monkeypatch.setattr("shared.library.walk._LEFT_AFTER_S", -1.0)
    library.scan()
    assert not left.exists()
