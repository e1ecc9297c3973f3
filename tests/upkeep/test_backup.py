"""A backup is whole, readable without us, verified before it counts; and a kill at any moment costs no older one."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tarfile
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as checked
from hypothesis import strategies as st

from shared.model.errors import Conflict, DiskFull, NotFound, SoundsibleError, Unprocessable
from shared.model.units import MIB
from shared.model.work import Stopped
from shared.upkeep import archive
from shared.upkeep import backup as backup_room
from shared.upkeep.depots import FolderDepot
from tests.patience import often
from tests.upkeep.libraries import KEPT_JPEG, Following, Home, NoStorages, home, titles

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def filled(tmp_path: Path) -> Home:
    return home(tmp_path / "home").fill()


def members(path: Path) -> dict[str, bytes]:
    """As tar alone reads it."""
    with tarfile.open(path) as tar:
        return {info.name: tar.extractfile(info).read() for info in tar}     # type: ignore[union-attr]


def test_a_backup_is_a_tar_that_anybody_can_read(filled: Home, tmp_path: Path) -> None:
    target = tmp_path / "backups"
    with filled.backup() as backup:
        report = backup.run(str(target), work=Following())
    assert os.listdir(target) == [report.name] and not (target / report.name).stat().st_mode & 0o077
    inside = members(target / report.name)
    assert next(iter(inside)) == "manifest.json"
    told = json.loads(inside.pop("manifest.json"))
    assert {one["name"]: (one["size_bytes"], one["sha256"]) for one in told["members"]} == {
        name: (len(content), hashlib.sha256(content).hexdigest()) for name, content in inside.items()}
    assert told["contents"]["tracks"] == 6 and told["contents"]["people"] == ["ann", "bob"]
    assert any("sealed" in one for one in told["notes"])

    (tmp_path / "library.db").write_bytes(inside["library.db"])
    assert titles(tmp_path / "library.db") == filled.titles()
    assert json.loads(inside["config.json"]) == filled.config()
    assert "hush" not in inside["config.json"].decode()
    assert {one["title"] for one in json.loads(inside["library.json"])["tracks"]} == set(filled.titles())
    playlist = inside["playlists/ann/ann's _ évening.m3u8"].decode()
    assert [line for line in playlist.splitlines() if not line.startswith("#")] == [
        str(filled.music / "One" / "01.flac"), str(filled.music / "One" / "03.flac"),
        str(filled.music / "Ünö" / "02.flac")]
    assert len(json.loads(inside["playlists/bob/bob's _ évening.json"])["tracks"]) == 3
    kept = hashlib.sha256(KEPT_JPEG).hexdigest()
    assert inside[f"covers/kept/{kept[:2]}/{kept}.jpg"] == KEPT_JPEG
    assert report.size_bytes == (target / report.name).stat().st_size and report.members == len(inside)


def test_without_covers_only_the_pictures_are_left_out(filled: Home, tmp_path: Path) -> None:
    with filled.backup() as backup:
        report = backup.run(str(tmp_path / "to"), covers=False, work=Following())
    assert not any(name.startswith("covers/") for name in members(tmp_path / "to" / report.name))


def test_a_dry_run_names_the_same_backup_and_writes_nothing(filled: Home, tmp_path: Path) -> None:
    now = 1_800_000_000.0
    before = filled.files()
    with filled.backup(clock=lambda: now) as backup:
        would = backup.plan(str(tmp_path / "to"))
    assert filled.files() == before and not (tmp_path / "to").exists()
    with filled.backup(clock=lambda: now) as backup:
        did = backup.run(str(tmp_path / "to"), work=Following())
    assert (would.name, would.place, would.covers, would.contents) == (did.name, did.place, did.covers, did.contents)


def test_older_backups_go_once_the_new_one_is_there_and_those_of_other_stations_stay(
        filled: Home, tmp_path: Path) -> None:
    target = tmp_path / "to"
    target.mkdir()
    (target / "soundsible-another-20200101T000000Z.tar.gz").write_bytes(b"of another station")
    (target / "mine.tar.gz").write_bytes(b"none of ours")
    names = []
    for day in range(4):
        with filled.backup(clock=lambda at=1_800_000_000.0 + day * 86_400: at) as backup:
            would = backup.plan(str(target), keep=2)
            report = backup.run(str(target), keep=2, work=Following())
        assert would.removed == report.removed == names[-2:-1]
        names.append(report.name)
    assert sorted(os.listdir(target)) == sorted(
        [*names[-2:], "soundsible-another-20200101T000000Z.tar.gz", "mine.tar.gz"])


def test_a_backup_dated_in_the_future_does_not_push_out_the_new_one(filled: Home, tmp_path: Path) -> None:
    with filled.backup(clock=lambda: 1_900_000_000.0) as backup:
        future = backup.run(str(tmp_path), work=Following()).name
    with filled.backup(clock=lambda: 1_800_000_000.0) as backup:
        new = backup.run(str(tmp_path), keep=1, work=Following())
    assert new.removed == [future] and new.name in os.listdir(tmp_path)


def test_the_copy_is_one_moment_while_others_write(filled: Home, tmp_path: Path) -> None:
    """A long-lived writer in another process; the copy must be whole."""
    writing = subprocess.Popen([sys.executable, "-c", (
        "import sqlite3, sys, time\n"
        "c = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)\n"
        "n = 0\n"
        "while True:\n"
        "    c.execute('BEGIN IMMEDIATE')\n"
        "    c.execute(\"UPDATE state SET value = ? WHERE name = 'revision'\", (str(1000 + n),))\n"
        "    c.execute('UPDATE tracks SET changed_rev = ?', (1000 + n,))\n"
        "    c.execute('COMMIT')\n"
        "    if n == 0:\n"
        "        print('going', flush=True)\n"
        "    n += 1\n"
    ), str(filled.settings.database_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert writing.stdout is not None and writing.stdout.readline() == "going\n"
        with filled.backup() as backup:
            report = backup.run(str(tmp_path / "to"), work=Following())
    finally:
        writing.kill()
        writing.wait()
        writing.stdout.close()
    (tmp_path / "out.db").write_bytes(members(tmp_path / "to" / report.name)["library.db"])
    import sqlite3

    connection = sqlite3.connect(tmp_path / "out.db")
    revisions = connection.execute(
        "SELECT DISTINCT changed_rev FROM tracks UNION SELECT value FROM state WHERE name = 'revision'").fetchall()
    connection.close()
    assert len({int(row[0]) for row in revisions}) == 1 and titles(tmp_path / "out.db") == filled.titles()


def test_a_damaged_library_is_not_backed_up_over_good_backups(filled: Home, tmp_path: Path) -> None:
    with filled.backup() as backup:
        good = backup.run(str(tmp_path / "to"), work=Following())
    path = filled.settings.database_path
    with sqlite3.connect(path) as driver:
        (page,), (page_bytes,) = (driver.execute(asked).fetchone() for asked in (
            "SELECT rootpage FROM sqlite_master WHERE name = 'tracks'", "PRAGMA page_size"))
    driver.close()
    with open(path, "r+b") as file:
        file.seek((page - 1) * page_bytes)
        file.write(b"\x00" * page_bytes)
    with filled.backup() as backup, pytest.raises(SoundsibleError, match=r"damaged|cannot be read"):
        backup.run(str(tmp_path / "to"), keep=1, work=Following())
    assert os.listdir(tmp_path / "to") == [good.name]


def test_a_full_disk_is_said_and_leaves_nothing(
        filled: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with filled.backup() as backup, pytest.raises(DiskFull, match="Make room"):
        backup.run(str(tmp_path / "to"), work=Following())
    assert list((tmp_path / "to").iterdir()) == []
    with filled.backup() as backup:
        assert "Make room" in backup.last()["message"]


def test_a_folder_that_cannot_be_written_is_named(filled: Home, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with filled.backup() as backup, pytest.raises(SoundsibleError, match=r"Choose another folder"):
        backup.run(str(tmp_path / "file"), work=Following())


def test_what_is_neither_a_storage_nor_a_folder_is_said(filled: Home) -> None:
    with filled.backup() as backup:
        with pytest.raises(Unprocessable, match="There is no storage yet"):
            backup.run("r2", work=Following())
        with pytest.raises(Unprocessable, match="backup_to"):
            backup.run(work=Following())


def test_two_at_once_are_one_too_many(filled: Home, tmp_path: Path) -> None:
    held = backup_room.ScanLock(filled.data, backup_room.LOCK)
    assert held.acquire()
    try:
        with filled.backup() as backup, pytest.raises(Conflict):
            backup.run(str(tmp_path / "to"), work=Following())
    finally:
        held.release()


@pytest.mark.parametrize("phase", ["copying the library", "reading", "packing", "verifying"])
def test_stopped_at_any_phase_it_leaves_nothing_behind(filled: Home, tmp_path: Path, phase: str) -> None:
    target = tmp_path / "to"
    with filled.backup() as backup:
        if phase == "copying the library":
            phase = "checking the library"
        with pytest.raises(Stopped):
            backup.run(str(target), work=Following(stop_at=phase))
    assert list(target.iterdir()) == [] and not (filled.settings.cache_dir / "backup").exists()


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.upkeep.libraries import Following, home
class Deadly(Following):
    left = int(sys.argv[3])
    def tell(self, moved):
        type(self).left -= 1
        if self.left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
with home(Path(sys.argv[1])).backup(clock=lambda: 1_800_000_000.0 + int(sys.argv[4])) as backup:
    backup.run(sys.argv[2], keep=1, work=Deadly())
"""


def test_kill_9_at_any_moment_costs_no_older_backup_and_the_next_run_clears_up(filled: Home, tmp_path: Path) -> None:
    target = tmp_path / "to"
    with filled.backup(clock=lambda: 1_700_000_000.0) as backup:
        good = backup.run(str(target), work=Following())
        following = Following()
        moves = len(following.moves)
        backup.run(str(tmp_path / "count"), work=following)
        moves = len(following.moves)
    script = KILLED.format(root=str(ROOT))
    for number, left in enumerate(sorted({0, 1, moves // 3, 2 * moves // 3, moves - 1, random.randrange(moves)})):
        done = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / "home"), str(target), str(left), str(number)], cwd=ROOT,
            capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == -signal.SIGKILL, done.stderr
        visible = [name for name in os.listdir(target) if not name.startswith(".")]
        assert visible == [good.name], f"killed after {left} of {moves}"
        archive.verify(target / good.name, Following())
    assert any(name.endswith(".part") for name in os.listdir(target))
    with filled.backup() as backup:
        new = backup.run(str(target), keep=5, work=Following())
    assert sorted(os.listdir(target)) == sorted([good.name, new.name])
    assert not (filled.settings.cache_dir / "backup").exists()
    assert len(filled.titles()) == 6


# ---- the archive -------------------------------------------------------------------------------------------------


def packed(folder: Path, contents: dict[str, bytes]) -> Path:
    paths = []
    for number, content in enumerate(contents.values()):
        paths.append(folder / f"{number}.src")
        paths[-1].write_bytes(content)
    told = archive.measure(list(zip(contents, paths, strict=True)), Following(), "reading")
    manifest = archive.Manifest(archive.VERSION, "1", "abc", "2026-01-02T03:04:05.000Z", {}, [], told)
    archive.write(folder / "a.tar.gz", manifest, paths, Following())
    return folder / "a.tar.gz"


def test_every_damage_is_found(tmp_path: Path) -> None:
    path = packed(tmp_path, {"library.db": random.Random(1).randbytes(50_000), "covers/kept/aa/x.jpg": b"x" * 3000})
    whole = path.read_bytes()
    archive.verify(path, Following())
    generator = random.Random(2)
    for _ in range(60):
        bad = bytearray(whole)
        at = generator.randrange(20, len(bad) - 8)
        if generator.random() < 0.3:
            del bad[at:]
        else:
            bad[at] ^= 1 << generator.randrange(8)
        path.write_bytes(bad)
        try:
            archive.verify(path, Following())
        except (Unprocessable, NotFound):
            continue
        assert gzip.decompress(bytes(bad)) == gzip.decompress(whole)    # a bit that says nothing


def repacked(path: Path, change: Any) -> Path:
    """`path` with its members changed, and a manifest that agrees."""
    inside = members(path)
    told = json.loads(inside.pop("manifest.json"))
    change(inside, told)
    with tarfile.open(path, "w:gz") as tar:
        for name, content in {"manifest.json": json.dumps(told).encode(), **inside}.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            import io

            tar.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", "covers/./evil", "a\\b", "a//b", "\x01", "."])
def test_names_that_climb_are_refused(tmp_path: Path, name: str) -> None:
    def climb(inside: dict[str, bytes], told: Any) -> None:
        inside[name] = b"evil"
        told["members"].append({"name": name, "size_bytes": 4, "sha256": hashlib.sha256(b"evil").hexdigest()})

    path = repacked(packed(tmp_path, {"library.db": b"x"}), climb)
    (tmp_path / "out").mkdir()
    with pytest.raises(Unprocessable, match="manifest"):
        archive.unpack(path, tmp_path / "out", ("library.db", name.split("/")[0]), Following())
    assert not list(tmp_path.rglob("*evil*"))


def test_links_and_strangers_are_refused(tmp_path: Path) -> None:
    path = packed(tmp_path, {"library.db": b"x" * 10})
    inside = members(path)
    (tmp_path / "out").mkdir()
    with tarfile.open(path, "w:gz") as tar:
        import io

        head = tarfile.TarInfo("manifest.json")
        head.size = len(inside["manifest.json"])
        tar.addfile(head, io.BytesIO(inside["manifest.json"]))
        link = tarfile.TarInfo("library.db")
        link.type, link.linkname, link.size = tarfile.SYMTYPE, "/etc/passwd", 0
        tar.addfile(link)
    with pytest.raises(Unprocessable, match="damaged"):
        archive.unpack(path, tmp_path / "out", ("library.db",), Following())
    assert not list((tmp_path / "out").iterdir())


def test_one_from_a_newer_program_says_to_update(tmp_path: Path) -> None:
    path = repacked(packed(tmp_path, {"library.db": b"x"}), lambda inside, told: told.update(version=99, program="9.9"))
    with pytest.raises(Unprocessable, match=r"newer Soundsible \(9\.9\)"):
        archive.peek(path)


@pytest.mark.parametrize("content", [b"", b"text", gzip.compress(b"text"), gzip.compress(b"\0" * 20_000)],
                         ids=["nothing", "text", "packed text", "packed zeros"])    # gzip writes the time
def test_what_is_no_backup_is_said_to_be_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "b.tar.gz").write_bytes(content)
    with pytest.raises(Unprocessable, match=r"no backup|damaged"):
        archive.verify(tmp_path / "b.tar.gz", Following())


@given(st.dictionaries(st.from_regex(r"[^/\\\x00-\x1f.][^/\\\x00-\x1f]{0,30}", fullmatch=True), st.binary(max_size=500),
                       max_size=6))
@checked(max_examples=often(25), deadline=None)
def test_what_is_packed_is_what_is_unpacked(
        tmp_path_factory: pytest.TempPathFactory, contents: dict[str, bytes]) -> None:
    folder = tmp_path_factory.mktemp("p")
    contents = {name: content for name, content in contents.items() if name.encode("utf-8", "replace").decode() == name
                and len(name.encode()) < 200}
    path = packed(folder, contents)
    (folder / "out").mkdir()
    archive.unpack(path, folder / "out", tuple(contents), Following())
    assert {one.name: one.read_bytes() for one in (folder / "out").iterdir()} == contents


@given(st.text(max_size=60))
def test_only_our_own_names_are_backups(name: str) -> None:
    assert archive.parse_name(name) is None


def test_names_tell_station_and_moment() -> None:
    name = archive.name_for("abc", 1_800_000_000.0)
    found = archive.parse_name(name)
    assert found is not None and (found.station, found.made_at, found.sealed) == ("abc", 1_800_000_000.0, False)
    assert archive.parse_name(f"{name}.sealed") and not archive.parse_name(f".{name}.part")
    assert archive.parse_name("soundsible-abc-20261399T000000Z.tar.gz") is None


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert FolderDepot(tmp_path / "none").list() == [] and NoStorages().rows() == [] and time.time() > 0


def test_what_unpacks_to_much_more_than_it_is_fills_no_memory(tmp_path: Path) -> None:
    large = tmp_path / "zeros"
    with open(large, "wb") as file:
        file.truncate(64 * MIB)
    measured = archive.measure([("covers/kept/aa/zeros.jpg", large)], Following(), "reading")
    manifest = archive.Manifest(version=1, program="0", station="a", made_at="2026-01-01T00:00:00Z", contents={},
                                notes=[], members=measured)
    archive.write(tmp_path / "a.tar.gz", manifest, [large], Following())
    assert (tmp_path / "a.tar.gz").stat().st_size < MIB
    tracemalloc.start()
    try:
        assert archive.verify(tmp_path / "a.tar.gz", Following()) == manifest
        assert tracemalloc.get_traced_memory()[1] < 16 * MIB
    finally:
        tracemalloc.stop()
