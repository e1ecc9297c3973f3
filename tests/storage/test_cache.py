from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shared.database import Database
from shared.model.cloud import CloudFailure
from shared.model.errors import DiskFull
from shared.model.source import CachedFile, TrackFile
from shared.model.work import Moved
from shared.records.cached import Cached, Entry
from shared.records.copies import Copies
from shared.storage.cache import Cache
from tests.records.songs import Music, copy_of
from tests.storage import cache_deeds
from tests.storage.cache_deeds import LIMIT, SIZE, content

ROOT = Path(__file__).parents[2]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "library.db")
    database.prepare()
    yield database
    database.close()


class Place:
    """A cache for three files of the tests' size, and how to fill it."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.records = Cached(database=database)
        self.folder = folder
        self.clock, self.ticks = Clock(), Clock()
        self.caches: list[Cache] = []

    def open(self, *, start: bool = True, **options: object) -> Cache:
        cache = Cache(
            **{
                "records": self.records, "folder": self.folder, "limit_bytes": LIMIT, "clock": self.clock,
                "ticks": self.ticks, "hold_after_s": 0, "keep_free_bytes": 0, **options,
            }
        )  # fmt: skip
        self.caches.append(cache)
        if start:
            cache.start()
        return cache

    def on_disk(self) -> list[str]:
        """Of all files but the lock: names."""
        return sorted(one.name for one in self.folder.rglob("*") if one.is_file() and one.name != "cache.lock")

    def rows(self) -> list[str]:
        return sorted(one.sha256 for one in self.records.all())


@pytest.fixture
def place(database: Database, tmp_path: Path) -> Iterator[Place]:
    place = Place(database, tmp_path / "tracks")
    yield place
    for cache in place.caches:
        cache.stop()


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def name(number: int) -> str:
    return sha(content(number))


def fill(cache: Cache, number: int) -> bool:
    return cache_deeds.fill(cache, content(number))


def here(cache: Cache, *numbers: int) -> list[int]:
    """Those of `numbers` that are in the cache."""
    return [number for number in numbers if cache.at(name(number)) is not None]


def test_what_came_whole_is_there_with_its_bytes(place: Place) -> None:
    cache = place.open()
    assert cache.at(name(1)) is None
    incoming = cache.incoming(name(1), SIZE, "audio/flac")
    assert incoming is not None
    assert os.fstat(incoming.fd).st_size == SIZE
    assert cache.at(name(1)) is None
    for start in (50_000, 0):  # the end came first
        os.pwrite(incoming.fd, content(1)[start : start + 50_000], start)
    kept = incoming.commit()
    assert kept == cache.at(name(1), "audio/flac")
    assert isinstance(kept, CachedFile)
    assert (kept.size_bytes, kept.sha256, kept.mime_type) == (SIZE, name(1), "audio/flac")
    assert Path(kept.path) == place.folder / name(1)[:2] / name(1)
    assert Path(kept.path).read_bytes() == content(1) == os.pread(incoming.fd, SIZE, 0)
    incoming.close()
    incoming.close()
    assert place.on_disk() == [name(1)]
    assert cache.totals() == {"files": 1, "bytes": SIZE, "limit_bytes": LIMIT}
    assert os.stat(kept.path).st_mode & 0o077 == 0
    with pytest.raises(ValueError, match="before"):
        incoming.commit()


@pytest.mark.parametrize("wrong", [b"", content(1)[: SIZE // 2], content(1)[:-1] + b"x", content(1) + b"x", content(2)])
def test_what_is_not_what_it_should_be_is_refused_and_leaves_nothing(place: Place, wrong: bytes) -> None:
    cache = place.open()
    incoming = cache.incoming(name(1), SIZE)
    assert incoming is not None
    os.pwrite(incoming.fd, wrong, 0)
    with pytest.raises(CloudFailure) as raised:
        incoming.commit()
    assert raised.value.reason == "corrupted"
    assert os.pread(incoming.fd, 5, 0) == wrong[:5].ljust(5, b"\0")  # whoever reads it still can
    incoming.close()
    assert (place.on_disk(), place.rows(), here(cache, 1, 2)) == ([], [], [])
    assert fill(cache, 1), "its room is free again"


def test_a_place_is_given_once_and_again_when_it_was_given_up(place: Place) -> None:
    cache = place.open()
    incoming = cache.incoming(name(1), SIZE)
    assert incoming is not None
    assert cache.incoming(name(1), SIZE) is None
    incoming.discard()
    incoming.discard()
    assert place.on_disk() == []
    again = cache.incoming(name(1), SIZE)
    assert again is not None
    incoming.close()  # is nothing to the second one
    os.pwrite(again.fd, content(1), 0)
    assert again.commit() is not None
    again.close()
    assert cache.incoming(name(1), SIZE) is None


def test_a_place_that_is_only_closed_is_given_up(place: Place) -> None:
    cache = place.open()
    incoming = cache.incoming(name(1), SIZE)
    assert incoming is not None
    incoming.close()
    assert place.on_disk() == []
    assert fill(cache, 1)


def test_the_least_recently_used_leave_for_what_comes(place: Place) -> None:
    cache = place.open()
    for number in (1, 2, 3):
        assert fill(cache, number)
    cache.hold(name(1)).release()
    assert fill(cache, 4)
    assert here(cache, 1, 2, 3, 4) == [1, 3, 4]
    cache.stop()
    assert place.rows() == place.on_disk() == sorted(map(name, (1, 3, 4)))


def test_what_is_being_listened_to_stays_and_a_while_longer(place: Place) -> None:
    cache = place.open(hold_after_s=600)
    leases = [cache.hold(name(number)) for number in (1, 2, 3)]
    for number in (1, 2, 3):
        assert fill(cache, number)
    assert not fill(cache, 4)
    second = cache.hold(name(2))
    with leases[1]:
        pass
    leases[1].release()  # once is enough
    place.ticks.now += 601
    assert not fill(cache, 4), "somebody else is at it still"
    second.release()
    assert not fill(cache, 4), "it was paused just now"
    place.ticks.now += 601
    assert fill(cache, 4)
    assert here(cache, 1, 2, 3, 4) == [1, 3, 4]
    for lease in leases:
        lease.release()


def test_who_listens_again_and_again_leaves_no_lease_behind(place: Place) -> None:
    cache = place.open(hold_after_s=600)
    assert fill(cache, 1)
    for _ in range(50):
        with cache.hold(name(1)), cache.hold(name(1)):
            pass
    place.ticks.now += 601
    for number in (2, 3, 4):
        assert fill(cache, number)
    assert here(cache, 1) == []


def test_what_is_larger_than_the_limit_or_no_hash_gets_no_place(place: Place) -> None:
    cache = place.open()
    assert fill(cache, 1)
    assert cache.incoming("ab" * 32, LIMIT + 1) is None
    assert cache.incoming("ab" * 32, 0) is None
    for wrong in ("../../../etc/passwd", "ab" * 31 + "/x", "", "AB" * 32):
        assert cache.incoming(wrong, 10) is None
        assert cache.at(wrong) is None
    assert here(cache, 1) == [1]


def test_it_is_there_after_a_restart_and_remembers_what_was_used_last(place: Place) -> None:
    cache = place.open()
    for number in (1, 2, 3):
        assert fill(cache, number)
    cache.hold(name(1)).release()
    cache.stop()
    again = place.open()
    assert here(again, 1, 2, 3) == [1, 2, 3]
    assert fill(again, 4)
    assert here(again, 1, 2, 3, 4) == [1, 3, 4]


def test_a_lowered_limit_is_kept_from_the_next_start_on(place: Place) -> None:
    cache = place.open()
    for number in (1, 2, 3):
        assert fill(cache, number)
    cache.stop()
    again = place.open(limit_bytes=SIZE + 5)
    assert here(again, 1, 2, 3) == [3]
    assert place.on_disk() == [name(3)]
    again.stop()
    off = place.open(limit_bytes=0)
    assert (place.on_disk(), off.incoming(name(1), SIZE)) == ([], None)


def test_rows_and_files_agree_after_a_start(place: Place) -> None:
    cache = place.open()
    for number in (1, 2, 3):
        assert fill(cache, number)
    cache.stop()
    (place.folder / name(1)[:2] / name(1)).unlink()
    (place.folder / name(2)[:2] / name(2)).write_bytes(b"short")
    for path, data in (
        (place.folder / name(4)[:2] / name(4), content(4)),         # without a row, and right
        (place.folder / name(5)[:2] / name(5), b"something else"),  # without a row, and wrong
        (place.folder / "incoming" / f"{name(6)}-1.part", b"x"),
    ):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    (place.folder / "notes.txt").write_text("somebody's own")
    again = place.open()
    assert again.settle()
    assert here(again, 1, 2, 3, 4, 5) == [3, 4]
    assert place.on_disk() == sorted([name(3), name(4), "notes.txt"])
    assert place.rows() == sorted([name(3), name(4)])
    again.stop()


def test_files_without_rows_never_pass_the_limit(place: Place) -> None:
    place.open().stop()
    for number in range(5):
        path = place.folder / name(number)[:2] / name(number)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content(number))
    again = place.open()
    assert again.settle()
    assert len(place.on_disk()) == len(place.rows()) == 3


def test_a_file_that_was_touched_counts_again_once_its_hash_was_found_right(place: Place) -> None:
    cache = place.open()
    assert fill(cache, 1)
    path = place.folder / name(1)[:2] / name(1)
    os.utime(path, (5, 5))
    assert here(cache, 1) == []
    assert cache.settle()
    assert here(cache, 1) == [1]
    path.write_bytes(content(2))  # as long, and wrong
    assert here(cache, 1) == []
    assert cache.settle()
    assert (here(cache, 1), place.on_disk()) == ([], [])
    assert fill(cache, 1)


def test_a_file_of_another_size_or_kind_leaves_at_once(place: Place) -> None:
    cache = place.open()
    for number in (1, 2):
        assert fill(cache, number)
    (place.folder / name(1)[:2] / name(1)).write_bytes(b"cut off")
    second = place.folder / name(2)[:2] / name(2)
    second.unlink()
    second.symlink_to(__file__)
    assert here(cache, 1, 2) == []
    assert place.on_disk() == []
    assert Path(__file__).exists()
    assert fill(cache, 1)


def test_a_file_that_somebody_removed_is_noticed(place: Place) -> None:
    cache = place.open()
    for number in (1, 2, 3):
        assert fill(cache, number)
    (place.folder / name(2)[:2] / name(2)).unlink()
    assert here(cache, 2) == []
    assert fill(cache, 4)
    assert here(cache, 1, 3, 4) == [1, 3, 4], "the room of the lost one was free"
    cache.stop()
    assert place.rows() == sorted(map(name, (1, 3, 4)))


def test_a_folder_that_somebody_emptied_is_made_again(place: Place) -> None:
    cache = place.open()
    assert fill(cache, 1)
    subprocess.run(["rm", "-r", str(place.folder)], check=True)
    assert here(cache, 1) == []
    assert fill(cache, 2)


def test_a_full_disk_gets_back_what_it_needs_and_is_never_filled(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = place.open(keep_free_bytes=1000)
    for number in (1, 2):
        assert fill(cache, number)
    room = {"free": SIZE}

    class Usage:
        @property
        def free(self) -> int:
            return room["free"]

    monkeypatch.setattr("shared.storage.cache.shutil.disk_usage", lambda _: Usage())
    assert fill(cache, 3)  # 1000 too few: the oldest leaves
    assert here(cache, 1, 2, 3) == [2, 3]
    room["free"] = 0
    lease = cache.hold(name(2)), cache.hold(name(3))
    assert cache.incoming(name(4), SIZE) is None
    assert here(cache, 2, 3) == [2, 3]
    del lease


def test_a_folder_that_cannot_be_written_to_is_nobodys_error(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    place.folder.write_text("a file where the folder should be")
    cache = place.open()
    assert not cache.fills
    assert (cache.incoming(name(1), SIZE), cache.at(name(1))) == (None, None)
    assert cache.hold(name(1)).release() is None
    assert caplog.text.count("cannot be written to") == 1
    place.folder.unlink()
    cache.stop()
    cache.start()
    assert fill(cache, 1)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shared.storage.cache.os.truncate", full)
    assert cache.incoming(name(2), SIZE) is None
    assert place.on_disk() == [name(1)]
    monkeypatch.undo()
    incoming = cache.incoming(name(2), SIZE)
    assert incoming is not None
    os.pwrite(incoming.fd, content(2), 0)
    monkeypatch.setattr("shared.storage.cache.os.fsync", full)
    assert incoming.commit() is None  # right, but the disk would not keep it
    assert os.pread(incoming.fd, SIZE, 0) == content(2)
    incoming.close()
    monkeypatch.undo()
    assert place.on_disk() == [name(1)]
    assert fill(cache, 2)


def test_a_full_database_is_nobodys_error(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = place.open()
    assert fill(cache, 1)
    put, used = place.records.put, place.records.used

    def full(*_: object) -> None:
        raise DiskFull("The station's disk is full.")

    monkeypatch.setattr(place.records, "put", full)
    monkeypatch.setattr(place.records, "used", full)
    assert not fill(cache, 2)
    assert place.on_disk() == [name(1)]
    cache.hold(name(1)).release()
    cache.stop()
    monkeypatch.setattr(place.records, "put", put)
    monkeypatch.setattr(place.records, "used", used)
    last_use = place.records.all()[0].last_used_at
    cache.start()
    assert fill(cache, 2)
    cache.stop()
    assert place.records.all()[0].last_used_at > last_use, "what could not be written was not forgotten"


def test_one_process_fills_and_others_read_along(place: Place) -> None:
    cache = place.open()
    assert fill(cache, 1)
    other = place.open()
    reader = place.open(start=False)
    for one in (other, reader):
        assert not one.fills
        assert here(one, 1, 2) == [1]
        assert one.incoming(name(2), SIZE) is None
    assert fill(cache, 2)
    assert here(reader, 1, 2) == [1, 2]
    assert reader.clear() == {"files": 2, "bytes": 2 * SIZE}
    assert (here(cache, 1, 2), place.on_disk(), place.rows()) == ([], [], [])
    assert fill(cache, 1)


def test_it_is_emptied_but_for_what_plays(place: Place) -> None:
    cache = place.open()
    for number in (1, 2, 3):
        assert fill(cache, number)
    with cache.hold(name(2)):
        assert cache.clear() == {"files": 2, "bytes": 2 * SIZE}
        assert place.on_disk() == place.rows() == [name(2)]
    assert cache.clear()["files"] == 1
    assert cache.totals()["bytes"] == 0


class Follower:
    """Ends the work after so many looks."""

    def __init__(self, looks: int) -> None:
        self.looks = looks

    def tell(self, moved: Moved) -> None: ...

    def log(self, level: str, message: str) -> None: ...

    def stopped(self) -> bool:
        self.looks -= 1
        return self.looks < 0


@pytest.mark.parametrize("started", [True, False])
def test_a_check_reads_what_was_checked_longest_ago_and_throws_out_what_is_wrong(place: Place, started: bool) -> None:
    cache = place.open()
    for number in (1, 2, 3):
        assert fill(cache, number)
    checking = cache if started else place.open(start=False)
    path = place.folder / name(2)[:2] / name(2)
    found = path.stat()
    path.write_bytes(content(9))
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))  # a rotten bit moves no clock
    (place.folder / name(3)[:2] / name(3)).unlink()
    assert here(cache, 2) == [2]
    assert checking.check(budget_bytes=1) == {"files": 1, "bytes": SIZE, "wrong": 0, "gone": 0}  # the first one
    assert checking.check(Follower(1), budget_bytes=10**9) == {"files": 1, "bytes": SIZE, "wrong": 1, "gone": 0}
    assert checking.check() == {"files": 1, "bytes": SIZE, "wrong": 0, "gone": 1}
    assert (here(cache, 1, 2, 3), place.on_disk()) == ([1], [name(1)])
    cache.stop()
    assert place.rows() == [name(1)]


def test_a_check_says_nothing_of_files_whose_disk_is_not_here(place: Place) -> None:
    cache = place.open()
    assert fill(cache, 1)
    cache.stop()
    aside = place.folder.rename(place.folder.with_name("unplugged"))
    assert cache.check()["gone"] == 0
    aside.rename(place.folder)
    assert here(place.open(), 1) == [1]


def test_a_track_is_found_by_its_own_content_and_else_by_its_copies(place: Place, database: Database) -> None:
    music, copies = Music(database), Copies(database=database)
    uid = music.add("a.flac")
    file = TrackFile(uid, "/music", "a.flac", SIZE, 1, "audio/flac", "flac", 1000, None)
    copies.put([
        copy_of(uid, key="1", sha256=name(1), compression="opus:128", mime_type="audio/ogg"),
        copy_of(uid, key="2", sha256=name(2)),
    ])  # fmt: skip
    cache = place.open()
    assert cache.locate(file) is None
    assert fill(cache, 1)
    found = cache.locate(file)
    assert found is not None
    assert (found.sha256, found.mime_type) == (name(1), "audio/ogg")
    assert fill(cache, 2)
    found = cache.locate(file)
    assert found is not None
    assert (found.sha256, found.mime_type) == (name(2), "audio/flac")
    assert fill(cache, 3)
    found = cache.locate(replace(file, sha256=name(3)))
    assert found is not None
    assert (found.sha256, found.mime_type) == (name(3), "audio/flac")
    copies.drop_of(uid)
    assert cache.locate(file) is None


def test_what_another_process_brought_back_counts_when_it_is_asked_for(place: Place, database: Database) -> None:
    music, copies = Music(database), Copies(database=database)
    uid = music.add("a.flac")
    copies.put([copy_of(uid, sha256=name(1))])
    cache = place.open()
    path = place.folder / name(1)[:2] / name(1)
    path.parent.mkdir()
    path.write_bytes(content(1))
    place.records.put([Entry(name(1), SIZE, path.stat().st_mtime_ns, 1.0, 1.0)])
    assert cache.at(name(1)) is None
    assert cache.locate(TrackFile(uid, "/music", "a.flac", SIZE, 1, "audio/flac", "flac", 1000, None)) is not None
    assert cache.at(name(1)) is not None
    for number in (2, 3, 4):
        assert fill(cache, number)
    assert here(cache, 1) == [], "it is accounted for"


def test_many_at_once_never_pass_the_limit_and_read_nothing_wrong(place: Place) -> None:
    cache = place.open()
    wrong: list[str] = []
    until = time.monotonic() + 1.5

    def listen(seed: int) -> None:
        choice = random.Random(seed)
        while time.monotonic() < until:
            number = choice.randrange(12)
            with cache.hold(name(number)):
                found = cache.at(name(number))
                if found is not None:
                    try:
                        if Path(found.path).read_bytes() != content(number):
                            wrong.append(f"{number} is something else")
                    except FileNotFoundError:
                        if cache.at(name(number)) is not None:
                            wrong.append(f"{number} left while it was held")
                else:
                    fill(cache, number)
            with cache._lock:
                if cache._ledger.used + cache._ledger.reserved > LIMIT:
                    wrong.append("the limit is passed")

    threads = [threading.Thread(target=listen, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    cache.stop()
    assert place.on_disk() == place.rows()
    assert len(place.rows()) <= 3


def test_hashes_in_doubt_are_looked_at_by_workers(place: Place) -> None:
    asked: list[str] = []

    class Workers:
        def run(self, deed: str, /, *args: str, timeout_s: float = 30.0) -> str:
            asked.append(deed)
            return sha(Path(args[0]).read_bytes())

    cache = place.open(workers=Workers())
    assert fill(cache, 1)
    assert asked == []
    os.utime(place.folder / name(1)[:2] / name(1), (5, 5))
    assert here(cache, 1) == []
    assert cache.settle()
    assert (here(cache, 1), asked) == ([1], ["shared.audio.integrity:sha256"])


# ---- kills -------------------------------------------------------------------------------------------------------


def process(home: Path, moment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.storage.cache_deeds", str(home), moment],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def whole(home: Path) -> set[str]:
    """Open the cache after a kill: what counts is whole, within the limit, and there is nothing else. What is in it."""
    cache, records = cache_deeds.open_cache(home)
    for entry in records.all():
        found = cache.at(entry.sha256)
        assert found is None or sha(Path(found.path).read_bytes()) == entry.sha256
    cache.start()
    try:
        assert cache.settle()
        rows = {one.sha256: one for one in records.all()}
        files = {one.name: one for one in (home / "tracks").glob("??/*")}
        assert rows.keys() == files.keys()
        for content_hash, path in files.items():
            assert sha(path.read_bytes()) == content_hash
            assert cache.at(content_hash) is not None
        assert sum(one.size_bytes for one in rows.values()) <= LIMIT
        assert list((home / "tracks" / "incoming").iterdir()) == []
        return set(rows)
    finally:
        cache.stop()


@pytest.mark.parametrize(
    ("moment", "kept"),
    [
        ("unlink before", {0, 1, 2}),    # the oldest is about to leave
        ("unlink after", {1, 2}),
        ("fsync before", {1, 2}),        # the new one is whole, but nobody has said so
        ("replace before", {1, 2}),
        ("replace after", {1, 2, 3}),    # without a row: hashed again
        ("put before", {1, 2, 3}),
        ("put after", {1, 2, 3}),
    ],
)
def test_a_kill_leaves_a_whole_entry_or_nothing(tmp_path: Path, moment: str, kept: set[int]) -> None:
    child = process(tmp_path, moment)
    out, _ = child.communicate(timeout=60)
    assert (out, child.returncode) == ("filled\n", -9)
    assert whole(tmp_path) == {name(number) for number in kept}


@pytest.mark.parametrize("moment", ["drop before", "drop after"])
def test_a_kill_while_rows_are_dropped_leaves_whole_entries(tmp_path: Path, moment: str) -> None:
    child = process(tmp_path, moment)
    out, _ = child.communicate(timeout=60)
    assert (out, child.returncode) == ("filled\n", -9)
    assert {name(1), name(2)} <= whole(tmp_path) <= {name(1), name(2), name(3)}


def test_kills_at_any_moment_leave_whole_entries(tmp_path: Path) -> None:
    for after_s in (0.02, 0.11, 0.23):
        child = process(tmp_path, "some time")
        assert child.stdout is not None
        assert child.stdout.readline() == "filled\n"
        time.sleep(after_s)
        child.kill()
        assert child.wait() == -9
        child.stdout.close()
        assert whole(tmp_path)
