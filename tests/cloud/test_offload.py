"""Making room: files go when their copies were proved a moment ago, and never before. On a real S3 server."""

from __future__ import annotations

import hashlib
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

from shared.cloud import offload as room
from shared.cloud.offload import Offload, OffloadStopped
from shared.cloud.pins import Pins
from shared.model.errors import Unprocessable
from shared.model.scan import Batch
from shared.records.pins import Pins as PinRecords
from tests.cloud.houses import CloudHouse, Followed
from tests.s3_server import FaultProxy, server

ROOT = Path(__file__).resolve().parents[2]


class House(CloudHouse):
    """With what makes room and what brings back."""

    def __init__(self, base: Path, provider: Any, **settings: Any) -> None:
        super().__init__(base, provider, **settings)
        self.pin_records = PinRecords(database=self.database)
        self.pins = Pins(records=self.pin_records, copies=self.copies, providers=self, buckets=self.buckets,
                         access=self.access)
        self.offload = Offload(copies=self.copies, pins=self.pins, providers=self, buckets=self.buckets,
                               uploads=self.uploads, access=self.access, covers=self.covers)

    def named(self, name: str) -> Any:
        return self._named(name)

    def default(self) -> Any:
        return self.provider

    def all(self) -> list[Any]:
        return [self.provider]

    def run(self, uids: list[str], *, work: Followed | None = None, **more: Any) -> Any:
        return self.offload.run(uids, work=work or Followed(), **more)

    def files(self) -> list[str]:
        return sorted(str(one.relative_to(self.music)) for one in self.music.rglob("*")
                      if one.is_file() and ".soundsible" not in one.parts)

    def missing(self) -> set[str]:
        return {one.track_id for one in self.copies.sources() if one.missing}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path, server().provider(prefix="home/"))
    yield house
    house.close()


@pytest.fixture
def album(house: House) -> list[str]:
    return house.take_up(*(house.noise(f"Ann/Weather/{n:02} Rain.flac", 200_000 + n, seed=n) for n in range(3)))


def test_what_has_a_proved_copy_leaves_and_what_has_none_is_uploaded_first(house: House, album: list[str]) -> None:
    house.upload(album[:1])
    would = house.run(album, dry_run=True)
    assert house.files() and not house.missing()
    done = house.run(album)
    assert (done.offloaded, done.bytes, done.uploaded, done.kept, done.failed) == (3, 600_003, 2, [], [])
    assert replace(would, dry_run=False) == done
    assert house.files() == [] and house.missing() == set(album)
    assert (house.music / "Ann/Weather").is_dir()       # its folder stays: a person may have more there
    assert len(server().keys(house.provider, "home/music/")) == 3
    assert house.copies.totals()["only_in_cloud"] == 3
    again = house.run(album)
    assert (again.offloaded, again.skipped, again.failed) == (0, 3, [])


def test_a_copy_that_is_gone_or_another_takes_no_file_along(house: House, album: list[str]) -> None:
    house.upload()
    gone, other, right = (house.copies.of(uid)[0] for uid in album)
    server().remove(house.provider, gone.key)
    server().put(house.provider, other.key, b"something else")
    done = house.run(album)
    assert (done.offloaded, house.missing()) == (1, {right.track_id})
    assert {(one.track_id, one.reason) for one in done.failed} == {
        (gone.track_id, "not_there"), (other.track_id, "corrupted")}
    assert [house.copies.of(uid) for uid in album[:2]] == [[], []]      # which do not count any more
    assert house.run(album).offloaded == 2      # they were uploaded again
    assert server().body(house.provider, other.key) != b"something else"


def test_a_provider_that_does_not_answer_takes_no_file_along(house: House, album: list[str]) -> None:
    house.upload()
    files = house.files()
    with FaultProxy(server().url) as proxy:
        house.provider = replace(house.provider, endpoint=proxy.url)
        proxy.fault("/music/", error="SlowDown")
        done = house.run(album)
    assert (done.offloaded, house.files(), house.missing()) == (0, files, set())
    assert {one.reason for one in done.failed} == {"slow_down"}
    assert all(house.copies.of(uid) for uid in album)       # nothing is known of them: they still count


def test_a_file_that_changed_without_showing_it_stays(house: House, album: list[str]) -> None:
    house.upload()
    path = house.music / house.files()[0]
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_mtime_ns, before.st_mtime_ns))
    done = house.run(album)
    assert (done.offloaded, [one.reason for one in done.failed]) == (2, ["changed"])
    assert path.read_bytes() == content and album[0] not in house.missing()
    path.write_bytes(b"plainly another")
    assert [one.reason for one in house.run(album).failed] == ["changed"]


def test_a_file_that_takes_its_place_at_the_last_moment_stays(house: House, album: list[str], monkeypatch: Any) -> None:
    house.upload(album[:1])
    path = house.music / house.files()[0]
    marked = house.copies.offloaded

    def quicker(uid: str, at: float | None) -> None:
        if at is not None:
            new = path.with_suffix(".new")
            new.write_bytes(b"edited")
            os.replace(new, path)
        marked(uid, at)

    monkeypatch.setattr(house.copies, "offloaded", quicker)
    done = house.run(album[:1])
    assert (done.offloaded, [one.reason for one in done.failed]) == (0, ["changed"])
    assert path.read_bytes() == b"edited" and not house.missing()


def test_a_file_that_was_only_touched_is_not_sent_again(house: House, album: list[str]) -> None:
    house.upload()
    path = house.music / house.files()[0]
    os.utime(path, ns=(1, 1_800_000_000_000_000_000))
    house.take_up(path)
    done = house.run(album)
    assert (done.offloaded, done.uploaded_bytes, done.failed, done.kept) == (3, 0, [], [])


def test_a_storage_that_is_gone_takes_no_file_along(house: House, album: list[str]) -> None:
    house.upload()
    files = house.files()
    house.provider = replace(house.provider, bucket="there-is-no-such-bucket")
    done = house.run(album)
    assert (done.offloaded, house.files()) == (0, files)
    assert {one.reason for one in done.failed} == {"no_bucket"}
    assert all(house.copies.of(uid) for uid in album)       # the bucket may come back


def test_what_is_pinned_stays(house: House, album: list[str]) -> None:
    house.upload()
    house.pins.pin("track", album[1])
    done = house.run(album)
    assert (done.offloaded, done.failed, [(one.track_id, one.reason) for one in done.kept]) == (
        2, [], [(album[1], "pinned")])
    assert house.missing() == {album[0], album[2]}


def test_a_smaller_copy_is_no_reason_to_remove_the_file(house: House, album: list[str]) -> None:
    house.upload()
    for uid in album:
        (copy,) = house.copies.of(uid)
        house.copies.drop_of(uid)
        house.copies.put([replace(copy, compression="mp3:320", key=copy.key + ".mp3-320.mp3")])
    offload = Offload(copies=house.copies, pins=house.pins, providers=house, buckets=house.buckets,
                      uploads=Refusing(), access=house.access)      # type: ignore[arg-type]
    done = offload.run(album, work=Followed())
    assert (done.offloaded, len(house.files()), {one.reason for one in done.kept}) == (0, 3, {"compressed_only"})
    assert house.run(album).offloaded == 3      # with an exact copy that went up first


class Refusing:
    """Uploads nothing."""

    def plan(self, uids: Any, **_: Any) -> Any:
        return None

    def run(self, plan: Any, **_: Any) -> Any:
        from shared.cloud.uploads import UploadReport

        return UploadReport(provider="r2")


def test_links_are_not_followed_and_second_names_stay(house: House, tmp_path: Path, album: list[str]) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "far.flac").write_bytes(b"far" * 50_000)
    (house.music / "Away").symlink_to(outside)
    (house.music / "one.flac").symlink_to(house.music / "Ann/Weather/01 Rain.flac")
    os.link(house.music / "Ann/Weather/02 Rain.flac", house.music / "two.flac")
    linked = house.take_up(house.music / "Away/far.flac", house.music / "one.flac", house.music / "two.flac")
    house.upload()
    done = house.run([*album, *linked])
    assert (done.offloaded, done.failed) == (1, [])
    assert {(one.path, one.reason) for one in done.kept} == {
        ("Away/far.flac", "linked"), ("one.flac", "linked"), ("two.flac", "shared"),
        ("Ann/Weather/01 Rain.flac", "shared"), ("Ann/Weather/02 Rain.flac", "shared")}
    assert (outside / "far.flac").exists() and len(house.files()) == 4


def test_a_file_that_came_back_and_got_a_second_name_stays_too(house: House, album: list[str]) -> None:
    assert house.run(album[:1]).offloaded == 1
    assert house.pins.fetch_back(album[:1], work=Followed()).fetched == 1
    (house.music / "one.flac").symlink_to(house.music / next(iter(house.copies.sources(album[:1]))).path)
    house.take_up(house.music / "one.flac")
    done = house.run(album[:1])
    assert (done.offloaded, [one.reason for one in done.kept]) == (0, ["shared"])
    assert (house.music / "one.flac").exists()


def test_a_music_folder_that_is_away_is_left_alone(house: House, album: list[str]) -> None:
    house.upload()
    os.rename(house.music, house.base / "elsewhere")
    done = house.run(album)
    assert (done.offloaded, done.skipped, {one.reason for one in done.failed}) == (0, 0, {"offline"})
    os.rename(house.base / "elsewhere", house.music)
    assert house.missing() == set() and house.run(album).offloaded == 3


def test_a_file_that_cannot_be_removed_is_not_said_to_be_gone(house: House, album: list[str], monkeypatch: Any) -> None:
    house.upload()
    monkeypatch.setattr(room, "_unlink", _read_only)
    done = house.run(album)
    assert (done.offloaded, house.missing(), len(house.files())) == (0, set(), 3)
    assert "Read-only" in done.failed[0].message


def _read_only(*_: Any) -> None:
    raise OSError(30, "Read-only file system")


def test_it_ends_between_two_files_when_asked_to(house: House, album: list[str]) -> None:
    house.upload()
    work = Followed(end_at=lambda moved: moved.phase == "making room" and moved.done >= 1)
    room_at_once, room.AT_ONCE = room.AT_ONCE, 1
    try:
        with pytest.raises(OffloadStopped) as stopped:
            house.run(album, work=work)
    finally:
        room.AT_ONCE = room_at_once
    report = stopped.value.report
    assert 1 <= report.offloaded < 3 and len(house.missing()) == report.offloaded == 3 - len(house.files())


def test_without_a_storage_it_says_so(house: House, album: list[str], monkeypatch: Any) -> None:
    monkeypatch.setattr(house, "default", lambda: None)
    with pytest.raises(Unprocessable):
        house.run(album)


def test_what_a_kill_left_behind_is_removed_by_the_next_or_taken_up_by_a_scan(house: House, album: list[str]) -> None:
    house.upload()
    for uid in album[:2]:
        house.copies.offloaded(uid, time.time())    # and no more of it happened
    known = house.scans.known(house.root.id)
    back = next(one.path for one in house.copies.sources(album[1:2]))
    house.scans.apply(Batch(house.root.id, returned=[known[back][0]]))
    assert house.missing() == {album[0]}
    done = house.run(album[:1])
    assert (done.offloaded, done.failed) == (1, [])
    assert len(house.files()) == 2


def test_at_a_kill_every_track_has_its_file_or_a_whole_copy(tmp_path: Path) -> None:
    """kill -9 at many moments of an offload: no bytes are ever lost, and doing it again finishes it."""
    house = House(tmp_path, server().provider())
    paths = [house.noise(f"{n:02}.flac", 60_000 + n, seed=n) for n in range(24)]
    house.take_up(*paths)
    content = {one.name: hashlib.sha256(one.read_bytes()).hexdigest() for one in paths}
    house.close()
    script = (
        "import sys\nfrom pathlib import Path\nfrom shared.model.cloud import Provider\n"
        "from tests.cloud.test_offload import House\nfrom tests.cloud.houses import Followed\n"
        f"house = House(Path(sys.argv[1]), Provider(**{ {**vars_of(house.provider)} !r}))\n"
        "class Told(Followed):\n"
        "    def tell(self, moved):\n        print(moved.phase, moved.done, flush=True)\n"
        "house.offload.run(house.every(), work=Told())\nprint('over', flush=True)\n")
    over, kills = False, 0
    # The first kills come while it uploads, the later ones while it removes.
    for phase, done in (("uploading", 9), ("making room", 1), ("making room", 3), ("over", 0)):
        child = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE,
                                 text=True)
        assert child.stdout is not None
        for line in child.stdout:
            if line.startswith("over"):
                over = True
            elif line.startswith(phase) and int(line.split()[-1]) >= done:     # not every number is told
                child.send_signal(signal.SIGKILL)
                kills += 1
                break
        child.stdout.close()
        child.wait()
        found = House(tmp_path, house.provider)
        try:
            stored = {key.rpartition("/")[2][:64] for key in server().keys(house.provider, "music/")}
            for file in found.copies.sources():
                here = found.music / file.path
                if here.exists():
                    assert hashlib.sha256(here.read_bytes()).hexdigest() == content[file.path]
                else:
                    assert content[file.path] in stored and file.missing, file.path
                    assert found.copies.of(file.track_id)[0].sha256 == content[file.path]
        finally:
            found.close()
    assert over and kills == 3
    assert not any(one.exists() for one in paths)


def vars_of(provider: Any) -> dict[str, Any]:
    return {name: getattr(provider, name) for name in provider.__dataclass_fields__}
