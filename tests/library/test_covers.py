"""Covers: rendered once, kept, bounded; hostile pictures are no pictures."""

from __future__ import annotations

import os
import struct
import threading
import time
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from PIL import Image

from shared.audio.pool import WorkerPool
from shared.library import covers
from shared.library.covers import SIZES, Covers, nearest
from shared.model.errors import NotFound, Overloaded, StorageOffline, UnreadableFile
from shared.storage.access import Access
from tests.builders import make_audio, make_picture


@dataclass(frozen=True)
class Artwork:
    id: int
    kind: str
    root: str
    path: str
    version: str = "v1"
    color: str | None = None


class Albums:
    """The records' side: which picture an id has, and the colours told."""

    def __init__(self):
        self.artworks, self.colors, self.told = {}, {}, 0

    def artwork_of(self, uid, *, person=None):
        return self.artworks.get(uid)

    def set_colors(self, colors):
        assert not set(colors) & set(self.colors), "told twice"
        self.colors.update(colors)
        self.told += 1


class Bench:
    """Workers that draw a few bytes, when the test lets them."""

    def __init__(self):
        self.drawn = []
        self.gate = threading.Event()
        self.gate.set()
        self.at_work = self.most = 0
        self.trouble = None
        self.lock = threading.Lock()

    def run(self, deed, kind, path, size, folder, form, /, *, timeout_s):
        assert deed == "shared.library.covers:draw"
        with self.lock:
            self.drawn.append((path, size))
            self.at_work += 1
            self.most = max(self.most, self.at_work)
        self.gate.wait(20)
        with self.lock:
            self.at_work -= 1
        if self.trouble:
            raise self.trouble
        os.makedirs(folder, exist_ok=True)
        with open(f"{folder}/{size}.{form}", "wb") as file:
            file.write(b"webp")
        return {"bytes": 4, "color": "#102030"}


@pytest.fixture
def music(tmp_path):
    folder = tmp_path / "music"
    folder.mkdir()
    (folder / "cover.jpg").write_bytes(b"jpeg")
    return folder


@pytest.fixture
def bench():
    one = Bench()
    yield one
    one.gate.set()


@pytest.fixture
def albums(music):
    one = Albums()
    for number in range(300):
        path = f"{number}.jpg"
        (music / path).write_bytes(b"jpeg")
        one.artworks[f"a{number}"] = Artwork(number, "sidecar", str(music), path)
    return one


@pytest.fixture
def made(albums, bench, tmp_path):
    access = Access(probe_after_s=60)
    one = Covers(albums=albums, access=access, workers=bench, folder=tmp_path / "covers")
    one.access = access
    yield one
    bench.gate.set()
    one.stop()
    access.stop()


def together(count, deed):
    """Call `deed(number)` in so many threads: what each answered or raised."""
    answers = [None] * count

    def ask(number):
        try:
            answers[number] = deed(number)
        except Exception as error:
            answers[number] = error

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(count)]
    for one in threads:
        one.start()
    return threads, answers


def until(condition):
    for _ in range(1500):
        if condition():
            return True
        time.sleep(0.01)
    return False


def test_sizes_are_the_nearest_of_a_few():
    assert [nearest(size) for size in (-5, 0, 1, 64, 79, 80, 81, 300, 299, 301, 720, 1200, 100_000)] == [
        64, 64, 64, 64, 64, 96, 96, 300, 300, 300, 800, 1200, 1200]
    assert all(nearest(size) == size for size in SIZES)


def test_a_cover_is_drawn_once_and_then_found(made, bench, albums):
    one = made.get("a1", 300)
    assert Path(one.path).read_bytes() == b"webp" and one.mime_type == "image/webp"
    assert made.get("a1", 300) == one and made.get("a1", 310) == one
    assert len(bench.drawn) == 1
    other = made.get("a1", 600)
    assert other.etag != one.etag and other.path != one.path
    albums.artworks["t1"] = albums.artworks["a1"]       # a track of that album
    assert made.get("t1", 300) == one


def test_a_new_version_is_another_picture(made, bench, albums):
    old = made.get("a1", 300)
    albums.artworks["a1"] = replace(albums.artworks["a1"], version="v2")
    new = made.get("a1", 300)
    assert new.version == "v2" and new.path != old.path and new.etag != old.etag
    assert len(bench.drawn) == 2


def test_what_has_no_picture_is_not_found(made):
    with pytest.raises(NotFound):
        made.get("nobody", 300)


def test_all_who_ask_at_once_wait_for_one_render(made, bench):
    bench.gate.clear()
    threads, answers = together(30, lambda _: made.get("a1", 300))
    assert until(lambda: bench.drawn)
    bench.gate.set()
    for one in threads:
        one.join(20)
    assert len({one.path for one in answers}) == 1
    assert len(bench.drawn) == 1


def test_many_new_covers_are_drawn_two_at_a_time_and_all_come(made, bench):
    bench.gate.clear()
    threads, answers = together(60, lambda number: made.get(f"a{number}", 128))
    assert until(lambda: bench.at_work == 2)
    bench.gate.set()
    for one in threads:
        one.join(30)
    assert len({one.path for one in answers}) == 60
    assert bench.most == 2


def test_who_waits_too_long_or_behind_too_many_is_told_to_come_again(made, bench, monkeypatch):
    monkeypatch.setattr(covers, "QUEUE_LIMIT", 3)
    monkeypatch.setattr(covers, "WAIT_S", 0.2)
    bench.gate.clear()
    threads, answers = together(10, lambda number: made.get(f"a{number}", 128))
    assert until(lambda: sum(isinstance(one, Overloaded) for one in answers) == 8)
    bench.gate.set()
    for one in threads:
        one.join(20)
    assert sum(isinstance(one, covers.CoverFile) for one in answers) == 2
    assert made.get("a9", 128).path        # nothing stays stuck
    assert all(one.retry_after_s for one in answers if isinstance(one, Overloaded))


def test_a_picture_that_cannot_be_shown_is_remembered_for_a_while(made, bench, albums):
    bench.trouble = UnreadableFile("a bomb", reason="too_large")
    for _ in range(5):
        with pytest.raises(NotFound):
            made.get("a1", 300)
        with pytest.raises(NotFound):
            made.get("a1", 64)
    assert len(bench.drawn) == 1
    bench.trouble = None
    albums.artworks["a1"] = replace(albums.artworks["a1"], version="v2")    # somebody put a better one there
    assert made.get("a1", 300)


def test_a_full_disk_is_no_defect(made, bench):
    bench.trouble = OSError(28, "No space left on device")
    with pytest.raises(NotFound):
        made.get("a1", 300)


@pytest.mark.parametrize("kind", ["gone", "fifo", "folder", "huge", "outside"])
def test_what_is_no_picture_file_never_reaches_a_worker(made, bench, albums, music, kind):
    path = "odd.jpg"
    if kind == "fifo":
        os.mkfifo(music / path)
    elif kind == "folder":
        (music / path).mkdir()
    elif kind == "huge":
        with open(music / path, "wb") as file:
            file.truncate(covers.PICTURE_LIMIT + 1)
    elif kind == "outside":
        path = "../covers.jpg"
    albums.artworks["odd"] = Artwork(999, "sidecar", str(music), path)
    with pytest.raises(NotFound):
        made.get("odd", 300)
    assert bench.drawn == []


def test_a_hanging_folder_answers_at_once_and_what_is_in_the_cache_is_still_shown(made, bench, music):
    known, gate = made.get("a1", 300), threading.Event()
    with pytest.raises(StorageOffline):
        made.access.call(str(music), gate.wait, deadline_s=0.05)
    with pytest.raises(NotFound):
        made.get("a2", 300)
    assert made.get("a1", 300) == known
    assert len(bench.drawn) == 1
    gate.set()


def test_colours_are_told_together_and_once(made, albums, monkeypatch):
    monkeypatch.setattr(covers, "COLORS_AFTER_S", 0.3)
    for number in range(5):
        made.get(f"a{number}", 128)
    assert until(lambda: len(albums.colors) == 5)
    assert albums.told == 1
    albums.artworks["a7"] = replace(albums.artworks["a7"], color="#102030")     # known already
    made.get("a7", 128)
    made.get("a8", 128)
    made.stop()     # what is not told yet is told now
    assert set(albums.colors) == {0, 1, 2, 3, 4, 8} and set(albums.colors.values()) == {"#102030"}


def test_old_covers_leave_the_disk(albums, bench, tmp_path):
    access = Access()
    made = Covers(albums=albums, access=access, workers=bench, folder=tmp_path / "few", limit_bytes=40)
    for number in range(30):
        made.get(f"a{number}", 128)
        made._lru.wait()
    kept = [one for one in (tmp_path / "few").rglob("*.webp")]
    assert 0 < len(kept) <= 10
    made.stop()
    access.stop()


# ---- real workers, real pictures ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pool():
    one = WorkerPool(size=2, name="test")
    yield one
    one.stop()


@pytest.fixture
def real(pool, music, tmp_path):
    albums, access = Albums(), Access()
    one = Covers(albums=albums, access=access, workers=pool, folder=tmp_path / "real")
    one.albums = albums
    yield one
    one.stop()
    access.stop()


def bomb(width, height):
    """A PNG of a few bytes that says it is huge, as the format allows."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(b"\0" * 100_000, 9)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", rows) + chunk(b"IEND", b""))


def test_a_picture_file_and_an_embedded_one_are_shown_in_the_size_asked_for(real, music):
    (music / "front.png").write_bytes(make_picture(900, (200, 30, 30), kind="PNG"))
    make_audio(music, "1.flac", tags={"title": "x"}, picture=make_picture(500, (30, 30, 200)))
    real.albums.artworks = {"file": Artwork(1, "sidecar", str(music), "front.png"),
                            "track": Artwork(2, "embedded", str(music), "1.flac")}
    for uid, wanted, width in (("file", 64, 64), ("file", 300, 300), ("file", 600, 600), ("file", 5000, 900),
                               ("track", 128, 128), ("track", 1200, 500)):
        found = real.get(uid, wanted)
        with Image.open(found.path) as image:
            assert image.format == "WEBP" and image.size == (width, width), (uid, wanted)
    assert not [one for one in Path(real._folder).rglob("*.part")]
    real.stop()
    red, blue = (real.albums.colors[number] for number in (1, 2))
    assert int(red[1:3], 16) > int(red[5:7], 16) and int(blue[5:7], 16) > int(blue[1:3], 16)


@pytest.mark.parametrize("content", [
    b"", b"no picture", b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>", bomb(60_000, 60_000),
    bomb(0, 0), make_picture(300)[:400], b"GIF89a" + b"\xff" * 50, b"%!PS-Adobe-3.0 EPSF-3.0\n",
], ids=["empty", "text", "svg", "bomb", "zero", "truncated", "gif", "eps"])
def test_hostile_pictures_are_no_pictures(real, music, content):
    (music / "cover.jpg").write_bytes(content)
    real.albums.artworks["x"] = Artwork(1, "sidecar", str(music), "cover.jpg")
    with pytest.raises(NotFound):
        real.get("x", 300)


def test_a_track_whose_picture_was_taken_out_has_none(real, music):
    make_audio(music, "1.flac", tags={"title": "x"})
    real.albums.artworks["x"] = Artwork(1, "embedded", str(music), "1.flac")
    with pytest.raises(NotFound):
        real.get("x", 300)


def test_a_cover_is_drawn_in_each_form_that_is_asked_for(made, bench, albums):
    webp, jpeg = made.get("a1", 300), made.get("a1", 300, form="jpg")
    assert (webp.mime_type, jpeg.mime_type) == ("image/webp", "image/jpeg")
    assert webp.etag != jpeg.etag and webp.path != jpeg.path and len(bench.drawn) == 2
    assert made.get("a1", 300, form="jpg") == jpeg and len(bench.drawn) == 2
