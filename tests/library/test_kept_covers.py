"""Pictures kept for good: what is shown when the files that held them are gone."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from shared.audio.pool import WorkerPool
from shared.database import Database, driver_cursor
from shared.library import kept_covers
from shared.library.covers import Covers
from shared.library.kept_covers import KeptCovers
from shared.library.scanner import scan
from shared.model.errors import DiskFull, NotFound, UnreadableFile
from shared.model.work import Moved, Stopped
from shared.records.albums import Albums
from shared.records.artworks import Artworks
from shared.records.copies import Copies
from shared.records.recall import Recall
from shared.records.scans import Scans
from shared.storage.access import Access
from tests.builders import make_album, make_audio, make_picture

RED, BLUE = (200, 20, 20), (20, 20, 200)


@pytest.fixture(scope="module")
def workers() -> Iterator[WorkerPool]:
    pool = WorkerPool(size=1, name="kept covers tests")
    yield pool
    pool.stop()


class House:
    """A scanned music folder, its covers and those that are kept; every part is the real one."""

    def __init__(self, base: Path, workers: WorkerPool) -> None:
        self.music, self.kept_folder = base / "music", base / "data" / "covers"
        self.music.mkdir()
        self.database = Database(base / "library.db")
        self.database.prepare()
        self.scans = Scans(database=self.database)
        self.root = self.scans.add_root(str(self.music))
        self.access, self.workers = Access(), workers
        self.records = Artworks(database=self.database)
        self.kept = KeptCovers(records=self.records, access=self.access, workers=workers, folder=self.kept_folder)
        self.covers = Covers(albums=Albums(database=self.database), access=self.access, workers=workers,
                             folder=base / "cache", kept=self.kept)

    def scan(self) -> dict[str, str]:
        """{file name: track}"""
        scan(self.scans.roots(), scans=self.scans, recall=Recall(database=self.database), pool=self.workers)
        return {os.path.basename(path): uid for path, uid in self.rows(
            "SELECT f.path, t.uid FROM files f JOIN tracks t ON t.id = f.track_id ORDER BY f.path")}

    def rows(self, query: str) -> list[Any]:
        with self.database.read() as conn:
            return driver_cursor(conn).execute(query).fetchall()

    def shown(self, uid: str) -> tuple[int, int, int]:
        """The colour of a cover's corner, as it is shown."""
        with Image.open(self.covers.get(uid, 64).path) as image:
            return image.convert("RGB").getpixel((1, 1))  # type: ignore[return-value]

    def close(self) -> None:
        self.covers.stop()
        self.access.stop()
        self.database.close()


@pytest.fixture
def house(tmp_path: Path, workers: WorkerPool) -> Iterator[House]:
    house = House(tmp_path, workers)
    yield house
    house.close()


def near(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return all(abs(a - b) < 25 for a, b in zip(one, other, strict=True))


def test_the_picture_of_an_album_is_kept_once_for_all_its_tracks(house: House) -> None:
    make_album(house.music, count=3, picture=make_picture(1600, RED))
    tracks = house.scan()
    kept = house.kept.keep(list(tracks.values()))
    assert set(kept) == set(tracks.values()) and len(set(kept.values())) == 1
    [(name, path, size)] = house.kept.all()
    assert {name} == set(kept.values()) and path == house.kept.path(name) and size == path.stat().st_size
    assert path == house.kept_folder / name[:2] / f"{name}.jpg"
    data = path.read_bytes()
    assert hashlib.sha256(data).hexdigest() == name and house.kept.read(name) == data
    assert Image.open(io.BytesIO(data)).size == (1200, 1200)
    assert house.rows("SELECT width, height, kept FROM artwork") == [(1600, 1600, name)]
    assert house.records.kept() == {name}


def test_a_cover_is_shown_from_the_kept_one_when_its_file_is_gone_or_its_folder_is(house: House) -> None:
    make_album(house.music, album="One", count=2, picture=make_picture(300, RED))
    make_album(house.music, album="Two", count=1)
    (house.music / "The Builders" / "Two" / "cover.png").write_bytes(make_picture(300, BLUE, kind="PNG"))
    tracks = house.scan()
    one, two = tracks["01 One 1.flac"], tracks["01 Two 1.flac"]
    assert set(house.kept.keep([one, two])) == {one, two}
    for path in (house.music / "The Builders" / "One").iterdir():
        path.unlink()
    assert near(house.shown(one), RED)
    shutil.rmtree(house.music)
    assert near(house.shown(two), BLUE)
    album = house.rows("SELECT uid FROM albums WHERE title = 'Two'")[0][0]
    assert near(house.shown(album), BLUE)


def test_without_a_kept_one_a_cover_that_is_gone_is_none(house: House) -> None:
    path = make_audio(house.music, "a.flac", tags={"title": "A"}, picture=make_picture(100, RED))
    uid = house.scan()["a.flac"]
    path.unlink()
    with pytest.raises(NotFound):
        house.covers.get(uid, 64)


def test_what_lies_in_the_folder_comes_before_what_is_kept(house: House) -> None:
    path = make_audio(house.music, "a.flac", tags={"title": "A"}, picture=make_picture(100, RED))
    uid = house.scan()["a.flac"]
    name = house.kept.keep([uid])[uid]
    kept = house.kept.path(name)
    assert kept is not None
    kept.write_bytes(make_picture(100, BLUE))
    assert near(house.shown(uid), RED)
    assert house.kept.read(name) is None, "it is not what its name says"
    path.unlink()


def test_a_picture_that_changes_is_kept_anew(house: House) -> None:
    make_audio(house.music, "a.flac", tags={"title": "A", "album": "B"})
    (house.music / "cover.jpg").write_bytes(make_picture(100, RED))
    uid = house.scan()["a.flac"]
    first = house.kept.keep([uid])
    assert house.kept.keep([uid]) == first
    (house.music / "cover.jpg").write_bytes(make_picture(120, BLUE))
    house.scan()
    assert house.rows("SELECT width, height, kept FROM artwork WHERE kind = 'sidecar'") == [(None, None, None)]
    second = house.kept.keep([uid])
    assert second[uid] != first[uid]
    assert len(list(house.kept.all())) == 2, "what nobody refers to is the clean-up's"
    assert house.records.kept() == {second[uid]}


def test_a_kept_one_that_vanished_is_drawn_again(house: House) -> None:
    make_audio(house.music, "a.flac", tags={"title": "A"}, picture=make_picture(100, RED))
    uid = house.scan()["a.flac"]
    name = house.kept.keep([uid])[uid]
    shutil.rmtree(house.kept_folder)
    assert house.kept.path(name) is None
    assert house.kept.keep([uid]) == {uid: name} and house.kept.path(name)


def test_tracks_without_a_picture_or_with_a_broken_one_are_left_out(house: House) -> None:
    make_audio(house.music / "A", "a.flac", tags={"title": "A", "album": "A"})
    make_audio(house.music / "B", "b.flac", tags={"title": "B", "album": "B"})
    (house.music / "B" / "cover.jpg").write_bytes(b"no picture at all")
    make_audio(house.music / "C", "c.flac", tags={"title": "C", "album": "C"}, picture=make_picture(100))
    tracks = house.scan()
    assert set(house.kept.keep([*tracks.values(), "nobody"])) == {tracks["c.flac"]}


def test_a_full_disk_is_told_and_loses_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kept_covers, "write", full)
    with pytest.raises(DiskFull):
        house.kept.add(make_picture(100))
    assert list(house.kept.all()) == []


class Ending:
    def __init__(self, after: int) -> None:
        self.left, self.told = after, list[Moved]()

    def tell(self, moved: Moved) -> None:
        self.told.append(moved)

    def log(self, level: str, message: str) -> None: ...

    def stopped(self) -> bool:
        self.left -= 1
        return self.left < 0


def test_work_that_is_ended_keeps_what_it_has_done(house: House) -> None:
    for number in range(4):
        make_audio(house.music / str(number), f"{number}.flac", tags={"title": "A", "album": f"Album {number}"},
                   picture=make_picture(100 + number))
    tracks = list(house.scan().values())
    with pytest.raises(Stopped):
        house.kept.keep(tracks, work=Ending(1))
    assert len(house.records.kept()) == 2
    assert len(house.kept.keep(tracks, work=Ending(9))) == 4


def test_pictures_come_in_as_they_are_and_nothing_else_does(house: House) -> None:
    data = make_picture(500, RED)
    name = house.kept.add(data)
    assert name == hashlib.sha256(data).hexdigest() == house.kept.add(data)
    for wrong in (b"", b"GIF89a", make_picture(100, kind="PNG"), b"\xff\xd8\xff" + bytes(9 << 20)):
        with pytest.raises(UnreadableFile):
            house.kept.add(wrong)
    assert [one[0] for one in house.kept.all()] == [name]
    assert house.kept.path("../../etc/passwd") is None and house.kept.path("f" * 64) is None


def test_tracks_whose_files_are_not_here_show_what_is_attached_also_after_a_scan(house: House) -> None:
    make_album(house.music, album="Bare", count=2)
    make_audio(house.music, "loose.flac", tags={"title": "Loose"})
    tracks = house.scan()
    red, blue = house.kept.add(make_picture(200, RED)), house.kept.add(make_picture(200, BLUE))
    given = {tracks["02 Bare 2.flac"]: red, tracks["loose.flac"]: blue, "nobody": red}
    assert house.kept.attach(given | {tracks["01 Bare 1.flac"]: "0" * 64}) == {
        tracks["02 Bare 2.flac"]: red, tracks["loose.flac"]: blue}
    for path in list(house.music.rglob("*.flac")):
        path.unlink()
    make_audio(house.music / "Other", "other.flac", tags={"title": "Other"})
    house.scan()
    assert near(house.shown(tracks["01 Bare 1.flac"]), RED), "its album's"
    assert near(house.shown(tracks["loose.flac"]), BLUE)
    assert house.kept.keep(list(given)) == {tracks["02 Bare 2.flac"]: red, tracks["loose.flac"]: blue}


def test_the_picture_in_the_folder_of_an_offloaded_album_outlives_that_folder(house: House) -> None:
    make_album(house.music, album="Away", count=1)
    make_album(house.music, album="Here", count=1)
    for name in ("Away", "Here"):
        (house.music / "The Builders" / name / "cover.jpg").write_bytes(make_picture(200, RED))
    tracks = house.scan()
    away, here = tracks["01 Away 1.flac"], tracks["01 Here 1.flac"]
    house.kept.keep([away, here])
    Copies(database=house.database).offloaded(away, 1.0)
    shutil.rmtree(house.music / "The Builders" / "Away")
    (house.music / "The Builders" / "Here" / "cover.jpg").unlink()
    house.scan()
    assert near(house.shown(away), RED)
    with pytest.raises(NotFound):
        house.covers.get(here, 64)      # whose files are here, but no picture any more
