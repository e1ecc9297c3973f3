from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

import shared.database as module
from shared.database import Database, driver_cursor
from shared.model.errors import BadInput, DiskFull, Overloaded, SoundsibleError, StartFailed
from shared.records import revisions
from tests.records.songs import Music, inconsistencies, metadata

HOUSE = Path(__file__).parents[2]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "library.db")
    database.prepare()
    yield database
    database.close()


def bump(database: Database) -> int:
    with database.transaction() as conn:
        return revisions.bump(conn)


def current(database: Database) -> int:
    with database.read() as conn:
        return revisions.current(conn)


def test_the_file_is_readable_by_its_user_only(database: Database) -> None:
    bump(database)
    for file in database.path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_a_transaction_is_kept_whole_or_not_at_all(database: Database) -> None:
    before = current(database)
    with pytest.raises(ZeroDivisionError), database.transaction() as conn:
        revisions.bump(conn)
        _ = 1 // 0
    assert current(database) == before
    assert bump(database) == before + 1


def test_a_reader_sees_one_snapshot_and_cannot_write(database: Database) -> None:
    with database.read() as conn:
        before = revisions.current(conn)
        bump(database)
        assert revisions.current(conn) == before
    assert current(database) == before + 1
    with pytest.raises(SoundsibleError), database.read() as conn:
        revisions.bump(conn)


def test_transactions_are_not_nested(database: Database) -> None:
    with pytest.raises(RuntimeError), database.transaction(), database.transaction():
        pass
    bump(database)


def test_listeners_hear_of_each_commit_and_one_that_fails_stops_nothing(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[int] = []
    database.on_commit(lambda: 1 // 0)
    database.on_commit(lambda: heard.append(current(database)))
    revision = bump(database)
    with pytest.raises(KeyError), database.transaction():
        raise KeyError
    assert heard == [revision]
    assert "listener" in caplog.text


def test_the_data_version_moves_when_another_process_commits(database: Database) -> None:
    bump(database)
    first = database.data_version()
    bump(database)
    assert database.data_version() == first
    other = Database(database.path)
    bump(other)
    other.close()
    second = database.data_version()
    assert second != first
    with database.transaction():
        seen: list[int] = []
        asking = threading.Thread(target=lambda: seen.append(database.data_version()))
        asking.start()
        asking.join(5)
        assert seen == [second]


def test_hundreds_of_threads_share_a_few_connections(database: Database) -> None:
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for _ in range(3):
                current(database)
            if number % 20 == 0:
                bump(database)
        except BaseException as error:
            failures.append(error)

    before = current(database)
    threads = [threading.Thread(target=work, args=(number,)) for number in range(400)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert current(database) == before + 20
    opened = [name for name in os.listdir("/proc/self/fd") if _target(name) == str(database.path)]
    assert len(opened) <= module._READERS + 1


def _target(name: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{name}")
    except OSError:
        return ""


def test_a_connection_is_given_back_after_an_error(database: Database) -> None:
    for _ in range(3 * module._READERS):
        with pytest.raises(ZeroDivisionError), database.read() as conn:
            revisions.current(conn)
            _ = 1 // 0
    assert current(database) == 1


def test_half_a_character_is_bad_input(database: Database) -> None:
    with pytest.raises(BadInput), database.read() as conn:
        conn.execute(text("SELECT :text"), {"text": "\ud800"})


# ---- what cannot be opened ----------------------------------------------------------------------------------------


def test_a_file_that_is_no_database_stops_the_start_with_a_remedy(tmp_path: Path) -> None:
    path = tmp_path / "library.db"
    path.write_bytes(b"This is a letter to my grandmother. " * 400)
    with pytest.raises(StartFailed, match="copy"):
        Database(path).prepare()
    assert path.read_bytes().startswith(b"This is a letter")


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "library.db"
    with sqlite3.connect(path) as driver:
        driver.execute("CREATE TABLE recipes (name)")
    with pytest.raises(StartFailed, match="other program"):
        Database(path).prepare()


def test_a_folder_in_its_place_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "library.db").mkdir()
    with pytest.raises(StartFailed, match="cannot be opened"):
        Database(tmp_path / "library.db").prepare()


def test_two_processes_may_prepare_at_once(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from shared.database import Database; "
        "database = Database(Path(sys.argv[1])); sys.stdin.readline(); database.prepare(); database.close()"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "library.db")],
            cwd=HOUSE,
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(4)
    ]
    for one in running:
        assert one.stdin is not None
        one.stdin.write(b"\n")
        one.stdin.flush()
    assert [one.communicate(timeout=60)[1].decode() for one in running] == [""] * 4


# ---- no room ------------------------------------------------------------------------------------------------------


def test_a_full_disk_is_said_and_loses_nothing(database: Database) -> None:
    music = Music(database)
    music.add_all({f"a/{i}.flac": metadata(f"t{i}", number=i) for i in range(50)})
    before = current(database)
    with database.transaction() as conn:
        pages = driver_cursor(conn).execute("PRAGMA page_count").fetchone()[0]
        driver_cursor(conn).execute(f"PRAGMA max_page_count = {pages + 4}")
    with pytest.raises(DiskFull, match="full"):
        for n in range(40):
            music.add_all({f"{n}/{i}.flac": metadata(f"other {n} {i}", album=f"{n}", number=i) for i in range(200)})
    assert DiskFull("").http_status == 507
    assert inconsistencies(database) == []
    assert len(music.scans.known(music.root.id)) >= 50
    with database.transaction() as conn:
        driver_cursor(conn).execute("PRAGMA max_page_count = 1000000")
    music.add("z/1.flac")
    assert current(database) > before
    assert inconsistencies(database) == []


# ---- several processes --------------------------------------------------------------------------------------------

WRITER = """
import sys
from pathlib import Path
from shared.database import Database
from tests.records.songs import Music, metadata
database = Database(Path(sys.argv[1]))
music, name = Music(database), sys.argv[2]
for n in range(int(sys.argv[3])):
    artists = ["Artist 1", "Artist 2", "Artist 3"]
    music.add_all({f"{name}/{n}/{i}.flac": metadata(
        f"{name} {n} {i}", artists[i % 3], f"Album {n % 4}", artists[i % 3], i) for i in range(int(sys.argv[4]))})
    print(n, flush=True)
"""


def start_writer(database: Database, name: str, batches: int, songs: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(database.path), name, str(batches), str(songs)],
        cwd=HOUSE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_two_processes_write_at_once_and_neither_is_locked_out(database: Database) -> None:
    running = [start_writer(database, name, 25, 20) for name in ("one", "two")]
    mine = 0
    while any(one.poll() is None for one in running):
        bump(database)
        mine += 1
        time.sleep(0.005)
    for one in running:
        assert one.communicate(timeout=60)[1].decode() == ""
    assert mine > 5
    with database.read() as conn:
        assert conn.execute(text("SELECT count(*) FROM tracks")).scalar_one() == 1000
    assert inconsistencies(database) == []


def test_a_writer_that_does_not_let_go_is_said(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE_S", 0.2)
    bump(database)
    other = sqlite3.connect(database.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Overloaded):
        bump(database)
    assert current(database) == 2
    other.execute("ROLLBACK")
    other.close()
    assert bump(database) == 3


def test_a_writer_killed_at_any_moment_leaves_a_whole_library(database: Database) -> None:
    told = 0
    for attempt in range(8):
        writer = start_writer(database, f"w{attempt}", 10_000, 15)
        assert writer.stdout is not None
        for _ in range(1 + attempt % 3):
            assert writer.stdout.readline(), writer.stderr and writer.stderr.read()
            told += 1
        time.sleep(0.003 * attempt)
        writer.send_signal(signal.SIGKILL)
        told += len(writer.stdout.read().splitlines())
        writer.communicate(timeout=30)
        assert inconsistencies(database) == []
    with database.read() as conn:
        tracks = conn.execute(text("SELECT count(*) FROM tracks")).scalar_one()
    assert tracks % 15 == 0
    assert told * 15 <= tracks <= (told + 8) * 15


def test_a_copy_taken_while_others_write_is_whole(database: Database, tmp_path: Path) -> None:
    writer = start_writer(database, "w", 40, 20)
    assert writer.stdout is not None and writer.stdout.readline()
    copy = database.copy_to(tmp_path / "copy.db")
    writer.communicate(timeout=60)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    kept = Database(copy)
    assert inconsistencies(kept) == []
    kept.close()
