"""Bringing music back from a bucket: what comes is what went, and it goes over nothing. On a real S3 server."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from shared.cloud import pins as room
from shared.cloud.pins import FetchStopped
from tests.cloud.houses import Followed
from tests.cloud.test_offload import House, vars_of
from tests.s3_server import FaultProxy, server

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=["plain"])
def house(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[House]:
    seal = {"seal_key": bytes(range(32))} if request.param == "sealed" else {}
    house = House(tmp_path, server().provider(prefix="home/", **seal))
    yield house
    house.close()


@pytest.fixture
def gone(house: House) -> list[str]:
    """Three tracks that lie in the bucket alone."""
    uids = house.take_up(*(house.noise(f"Ann/Weather/{n:02} Rain.flac", 200_000 + n, seed=n) for n in range(3)))
    house.then = content(house)     # type: ignore[attr-defined]
    assert house.run(uids).offloaded == 3 and content(house) == {}
    return uids


def content(house: House) -> dict[str, tuple[str, int]]:
    return {name: (hashlib.sha256((house.music / name).read_bytes()).hexdigest(),
                   (house.music / name).stat().st_mtime_ns) for name in house.files()}


def fetch(house: House, uids: list[str], work: Followed | None = None, **more: Any) -> Any:
    return house.pins.fetch_back(uids, work=work or Followed(), **more)


def staged(house: House) -> list[Path]:
    return list((house.music / ".soundsible" / "incoming").iterdir())


@pytest.mark.parametrize("house", ["plain", "sealed"], indirect=True)
def test_what_comes_back_is_what_went_with_its_time_and_its_place(house: House, gone: list[str]) -> None:
    would = fetch(house, gone, dry_run=True)
    assert (would.fetched, would.bytes, content(house)) == (3, 600_003, {})
    work = Followed()
    done = fetch(house, gone, work)
    assert (done.fetched, done.bytes, done.skipped, done.failed) == (3, 600_003, 0, [])
    assert content(house) == house.then and staged(house) == []     # type: ignore[attr-defined]
    assert house.missing() == set() and house.copies.totals()["local"] == 3
    assert (work.moved[-1].done, work.moved[-1].bytes_done, work.moved[-1].failed) == (3, 600_003, 0)
    again = fetch(house, gone)
    assert (again.fetched, again.skipped, again.failed) == (0, 3, [])


def test_it_goes_over_no_other_file_but_beside_it(house: House, gone: list[str]) -> None:
    here = house.music / "Ann/Weather/00 Rain.flac"
    here.write_bytes(b"mine")
    assert [one.reason for one in fetch(house, gone[:1]).failed] == ["taken"]   # it may be what a scan has not seen yet
    file = next(iter(house.copies.sources(gone[:1])))
    here.write_bytes(b"x" * file.size_bytes)
    os.utime(here, ns=(file.mtime_ns, file.mtime_ns))
    assert fetch(house, gone[:1]).fetched == 1
    assert here.read_bytes() == b"x" * file.size_bytes
    assert next(iter(house.copies.sources(gone[:1]))).path == "Ann/Weather/00 Rain (2).flac"
    assert (house.music / "Ann/Weather/00 Rain (2).flac").stat().st_mtime_ns == file.mtime_ns


def test_a_file_that_is_here_after_all_is_not_fetched(house: House, gone: list[str]) -> None:
    """An offload was cut off before it removed the file."""
    fetch(house, gone[:1])
    house.copies.offloaded(gone[0], 1e9)
    with FaultProxy(server().url) as proxy:
        house.provider = replace(house.provider, endpoint=proxy.url)
        assert (fetch(house, gone[:1]).skipped, proxy.requests) == (1, [])
    assert gone[0] not in house.missing()


def test_what_the_bucket_gives_is_believed_only_with_the_right_hash(house: House, gone: list[str]) -> None:
    (copy,) = house.copies.of(gone[0])
    with FaultProxy(server().url) as proxy:
        house.provider = replace(house.provider, endpoint=proxy.url)
        proxy.fault("^GET .*/music/", corrupt_at=1000)
        done = fetch(house, gone[:1])
    assert (done.fetched, [one.reason for one in done.failed]) == (0, ["corrupted"])
    assert content(house) == {} and staged(house) == [] and gone[0] in house.missing()
    assert house.copies.of(gone[0]) == [copy]       # it may have been the way here


def test_a_cut_connection_is_taken_up_and_a_missing_object_is_told_of(house: House, gone: list[str]) -> None:
    (copy,) = house.copies.of(gone[1])
    server().remove(house.provider, copy.key)
    with FaultProxy(server().url) as proxy:
        house.provider = replace(house.provider, endpoint=proxy.url)
        proxy.fault("^GET .*/music/", cut_after=50_000, times=2)
        done = fetch(house, gone[:2])
    assert (done.fetched, [(one.track_id, one.reason) for one in done.failed]) == (1, [(gone[1], "not_there")])
    assert house.copies.of(gone[1]) == [] and staged(house) == []


@pytest.mark.parametrize("why", ["gone", "corrupted"])
def test_a_copy_that_was_called_broken_is_the_last_way_back_and_counts_again(house: House, gone: list[str], why: str
                                                                              ) -> None:
    (copy,) = house.copies.of(gone[0])
    house.copies.broken(copy.provider, copy.key, why)
    done = fetch(house, gone[:1])
    assert (done.fetched, done.failed, len(content(house))) == (1, [], 1)
    assert [one.key for one in house.copies.of(gone[0])] == [copy.key]


def test_what_is_in_the_cache_is_not_fetched_again(house: House, gone: list[str], tmp_path: Path) -> None:
    (copy,) = house.copies.of(gone[0])
    kept = tmp_path / "kept"
    kept.write_bytes(server().body(house.provider, copy.key))
    house.pins._cache = SimpleNamespace(
        at=lambda sha256: SimpleNamespace(path=str(kept)) if sha256 == copy.sha256 else None)
    with FaultProxy(server().url) as proxy:
        house.provider = replace(house.provider, endpoint=proxy.url)
        assert (fetch(house, gone[:1]).fetched, proxy.requests) == (1, [])
        fetch(house, gone[:1])
        house.run(gone[:1])
        kept.write_bytes(b"rotten")
        before = len(proxy.requests)
        assert fetch(house, gone[:1]).fetched == 1 and len(proxy.requests) > before


def test_what_a_kill_left_behind_is_cleared_away(house: House, gone: list[str], monkeypatch: Any) -> None:
    folder = house.music / ".soundsible" / "incoming"
    folder.mkdir(parents=True)
    for name in ("of-another.part", f"{gone[0]}.part.sealed"):
        (folder / name).write_bytes(b"piece")
        os.utime(folder / name, (1, 1))     # what is just finished has the time of the file that it is
    assert fetch(house, gone[:1]).fetched == 1
    assert [one.name for one in staged(house)] == ["of-another.part"]       # somebody may be at it
    monkeypatch.setattr(room, "time", SimpleNamespace(time=lambda: time.time() + 100_000))
    assert fetch(house, gone[1:2]).fetched == 1 and staged(house) == []


def test_without_room_it_is_told_and_nothing_is_begun(house: House, gone: list[str], monkeypatch: Any) -> None:
    monkeypatch.setattr(room, "_free", lambda root: room.MARGIN + 450_000)
    done = fetch(house, gone)
    assert (done.fetched, [one.reason for one in done.failed]) == (2, ["disk_full"])
    assert fetch(house, gone, dry_run=True).fetched == 1


@pytest.mark.parametrize("away", ["gone", "empty"])
def test_a_music_folder_that_is_away_is_not_written_to(house: House, gone: list[str], away: str) -> None:
    os.rename(house.music, house.base / "elsewhere")
    if away == "empty":
        house.music.mkdir()
    done = fetch(house, gone)
    assert (done.fetched, {one.reason for one in done.failed}) == (0, {"folder_offline"})
    assert not house.music.exists() or list(house.music.iterdir()) == []
    shutil.rmtree(house.music, ignore_errors=True)
    os.rename(house.base / "elsewhere", house.music)
    shutil.rmtree(house.music / "Ann")      # all music left: what stays is the station's own folder
    assert fetch(house, gone).fetched == 3


def test_only_an_exact_copy_brings_a_file_back(house: House, gone: list[str]) -> None:
    (copy,) = house.copies.of(gone[0])
    house.copies.drop_of(gone[0])
    assert [one.reason for one in fetch(house, gone[:1]).failed] == ["no_copy"]
    house.copies.put([replace(copy, compression="mp3:320")])
    assert [one.reason for one in fetch(house, gone[:1]).failed] == ["compressed_only"]
    assert [one.reason for one in fetch(house, gone[1:2], provider="b2").failed] == ["no_copy"]


def test_it_ends_between_two_files_when_asked_to(house: House, gone: list[str], monkeypatch: Any) -> None:
    monkeypatch.setattr(room, "AT_ONCE", 1)
    with pytest.raises(FetchStopped) as stopped:
        fetch(house, gone, Followed(end_at=lambda moved: moved.done >= 1))
    assert 1 <= stopped.value.report.fetched < 3 and len(content(house)) < 3
    assert fetch(house, gone).failed == [] and len(content(house)) == 3


def test_a_kill_in_the_middle_leaves_whole_files_or_none(tmp_path: Path) -> None:
    house = House(tmp_path, server().provider())
    uids = house.take_up(*(house.noise(f"{n:02}.flac", 150_000 + n, seed=n) for n in range(12)))
    then = content(house)
    assert house.run(uids).offloaded == 12
    house.close()
    script = (
        "import sys\nfrom pathlib import Path\nfrom shared.model.cloud import Provider\n"
        "from tests.cloud.test_offload import House\nfrom tests.cloud.houses import Followed\n"
        f"house = House(Path(sys.argv[1]), Provider(**{vars_of(house.provider)!r}))\n"
        "class Told(Followed):\n    def tell(self, moved):\n        print(moved.phase, moved.done, flush=True)\n"
        "house.pins.fetch_back(house.every(), work=Told())\nprint('over', flush=True)\n")
    for after in ("bringing back 1", "bringing back 4", "over"):
        child = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE,
                                 text=True)
        assert child.stdout is not None
        said = ""
        for said in child.stdout:
            if said.startswith(after):
                child.send_signal(signal.SIGKILL)
                break
        child.stdout.close()
        child.wait()
        found = House(tmp_path, house.provider)
        here = content(found)
        assert here.items() <= then.items()
        known = {one.path for one in found.copies.sources() if not one.missing}
        assert known <= set(here)       # a file whose row was cut off is found by the next fetch, or a scan
        found.close()
    assert here == then and known == set(then)
