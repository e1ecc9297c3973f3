from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.database import Database, driver_cursor
from shared.model.work import Moved, Stopped
from shared.records.leftovers import Leftovers
from shared.storage.access import Access
from shared.upkeep.absent import Absent, look
from tests.records.songs import Music, metadata


class Quiet:
    """ports.Work."""

    def __init__(self, stop: bool = False) -> None:
        self.stop = stop

    def tell(self, moved: Moved) -> None: ...

    def log(self, level: str, message: str) -> None: ...

    def stopped(self) -> bool:
        return self.stop


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "library.db")
    database.prepare()
    yield database
    database.close()


@pytest.fixture
def access() -> Iterator[Access]:
    access = Access()
    yield access
    access.stop()


@pytest.fixture
def absent(database: Database, access: Access) -> Absent:
    return Absent(records=Leftovers(database=database), access=access)


@pytest.fixture
def music(database: Database, tmp_path: Path) -> Music:
    folder = tmp_path / "music"
    folder.mkdir()
    return Music(database, str(folder))


def add(music: Music, *paths: str, device: str | None = None) -> None:
    """Files that are there, and known."""
    for path in paths:
        whole = Path(music.root.path, path)
        whole.parent.mkdir(parents=True, exist_ok=True)
        whole.write_bytes(b"music")
    music.add_all({path: metadata(path) for path in paths})
    own = str(os.stat(music.root.path).st_dev) if device is None else device
    with music.database.transaction() as conn:
        driver_cursor(conn).executemany("UPDATE files SET device = ? WHERE path = ?", [(own, path) for path in paths])


def found(absent: Absent) -> list[str]:
    return [one.path for one in absent.find(work=Quiet())[0]]


def test_only_what_its_folder_says_is_not_there_is_gone(absent: Absent, music: Music) -> None:
    add(music, "a/1.flac", "a/2.flac", "b/3.flac", "4.flac")
    os.unlink(f"{music.root.path}/a/1.flac")
    os.unlink(f"{music.root.path}/b/3.flac")
    os.rmdir(f"{music.root.path}/b")
    music.lose("a/1.flac", "a/2.flac")      # the second came back, and no scan has seen it yet
    rows, spared = absent.find(work=Quiet())
    assert [(one.path, one.missing) for one in rows] == [("a/1.flac", True), ("b/3.flac", False)]
    assert spared == []
    Path(music.root.path, "a/1.flac").write_bytes(b"")
    assert [one.path for one in absent.still(rows)] == ["b/3.flac"]


@pytest.mark.parametrize("how", ["away", "empty", "hidden"])
def test_a_folder_that_does_not_show_its_music_says_nothing(absent: Absent, access: Access, music: Music,
                                                            how: str) -> None:
    add(music, "a/1.flac")
    music.lose("a/1.flac")
    rows, _ = absent.find(work=Quiet())
    assert rows == []       # it is there
    os.unlink(f"{music.root.path}/a/1.flac")
    add(music, "2.flac")
    rows, _ = absent.find(work=Quiet())
    assert [one.path for one in rows] == ["a/1.flac"]
    os.rename(music.root.path, f"{music.root.path}-away")
    if how != "away":
        os.mkdir(music.root.path)
    if how == "hidden":
        Path(music.root.path, ".soundsible").mkdir()
    assert absent.find(work=Quiet())[0] == []
    (spared,) = absent.find(work=Quiet())[1]
    assert spared.what == music.root.path and "one track" in spared.why
    access.probe(music.root.path)       # its state is remembered for three seconds
    assert absent.still(rows) == []


def test_a_folder_that_hangs_is_not_waited_for(absent: Absent, access: Access, music: Music,
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    add(music, "1.flac", "2.flac")
    os.unlink(f"{music.root.path}/1.flac")
    music.lose("1.flac")
    rows, _ = absent.find(work=Quiet())
    assert len(rows) == 1
    release = threading.Event()

    def stuck(path: str) -> bool:
        release.wait(30)
        return False

    monkeypatch.setattr("shared.upkeep.absent.DEADLINE_S", 0.2)
    monkeypatch.setattr("shared.upkeep.absent.os.path.islink", stuck)
    try:
        assert absent.find(work=Quiet())[0] == []
        assert absent.still(rows) == []
    finally:
        release.set()


def test_what_a_link_hides_or_a_folder_refuses_is_not_gone(absent: Absent, music: Music, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    (disk / "c").mkdir(parents=True)
    root = Path(music.root.path)
    (root / "linked").symlink_to(disk)
    add(music, "linked/c/1.flac", "shut/2.flac", "3.flac", "4.flac")
    os.rename(root / "3.flac", disk / "3.flac")
    (root / "3.flac").symlink_to(disk / "3.flac")
    os.rename(disk, tmp_path / "unplugged")
    os.unlink(root / "4.flac")
    music.lose("linked/c/1.flac", "shut/2.flac", "3.flac", "4.flac")
    (root / "shut").chmod(0)
    try:
        rows, spared = absent.find(work=Quiet())
    finally:
        (root / "shut").chmod(0o700)
    assert [one.path for one in rows] == ["4.flac"]
    refused = 0 if os.geteuid() == 0 else 1     # root reads everything
    assert len(spared) == 1 and f"{2 + refused} tracks" in spared[0].why


def test_files_of_a_disk_that_is_not_mounted_below_the_folder_are_not_gone(absent: Absent, music: Music) -> None:
    add(music, "1.flac", "2.flac")
    add(music, "usb/3.flac", "usb/4.flac", device="another disk")
    for path in ("2.flac", "usb/3.flac", "usb/4.flac"):
        os.unlink(f"{music.root.path}/{path}")
    music.lose("2.flac", "usb/3.flac", "usb/4.flac")
    rows, spared = absent.find(work=Quiet())
    assert [one.path for one in rows] == ["2.flac"]
    assert "2 tracks" in spared[0].why


def test_disks_that_are_numbered_anew_after_a_restart_do_not_keep_what_is_gone(absent: Absent, music: Music) -> None:
    add(music, "1.flac", "2.flac", device="as it was before")
    os.unlink(f"{music.root.path}/2.flac")
    music.lose("2.flac")
    assert found(absent) == ["2.flac"]


def test_a_row_whose_name_another_file_took_is_gone(absent: Absent, music: Music) -> None:
    add(music, "1.flac", "2.flac")
    music.rename({"2.flac": "1.flac"})
    os.replace(f"{music.root.path}/2.flac", f"{music.root.path}/1.flac")
    (one,) = found(absent)
    assert one.startswith("1.flac\x00replaced/")


def test_looking_ends_when_it_is_asked_to(absent: Absent, music: Music) -> None:
    add(music, "1.flac")
    with pytest.raises(Stopped):
        absent.find(work=Quiet(stop=True))


def test_a_root_that_is_a_file_cannot_be_looked_at(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotADirectoryError):
        list(look(str(tmp_path / "file"), ["1.flac"]))
