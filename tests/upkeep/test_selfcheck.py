"""The self-check finds what is broken, says it, and remembers; a sound library is said to be sound."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.database import Database, driver_cursor
from shared.model.errors import Overloaded
from shared.model.work import Stopped
from shared.records import soundness
from shared.upkeep.selfcheck import SelfCheck
from tests.records.songs import Music
from tests.upkeep.libraries import Following


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "library.db")
    database.prepare()
    Music(database).album("One", "One", "Ann", 40)
    yield database
    database.close()


def test_a_sound_library_is_said_to_be_sound(database: Database) -> None:
    check = SelfCheck(database=database, clock=lambda: 1000.0)
    assert check.last() == {}
    following = Following()
    report = check.run(following)
    assert report.ok and report.problems == [] and report.checked_at == 1000.0
    assert check.last()["ok"] is True and check.last()["checked_at"] == 1000.0
    assert [one.phase for one in following.moves] == [
        "checking the database", "checking the search index", "checking cached tracks", "checking cached tracks"]


def test_a_row_that_refers_to_nothing_is_found(database: Database) -> None:
    database.close()
    connection = sqlite3.connect(database.path)
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("DELETE FROM albums")
    connection.commit()
    connection.close()
    report = SelfCheck(database=database).run(Following())
    assert not report.ok and "refers to one of albums" in report.problems[0].message and report.problems[0].remedy


def test_an_index_that_does_not_fit_its_table_is_found(database: Database) -> None:
    with database.read() as conn:
        page_bytes = driver_cursor(conn).execute("PRAGMA page_size").fetchone()[0]
        page = driver_cursor(conn).execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'ix_tracks_sort_key'").fetchone()[0]
    database.close()
    with open(database.path, "r+b") as file:
        file.seek(page * page_bytes - 60)      # its entries stand at its end
        file.write(b"\x07" * 50)
    report = SelfCheck(database=database).run(Following())
    assert not report.ok and all("database is damaged" in one.message for one in report.problems)


def test_a_track_that_search_does_not_know_is_found(database: Database) -> None:
    with database.transaction() as conn:
        driver_cursor(conn).execute("DELETE FROM track_words WHERE rowid IN (SELECT min(id) FROM tracks)")
        driver_cursor(conn).execute("INSERT INTO album_words (rowid, title, artist) VALUES (999, 'no', 'body')")
    assert soundness.search_index(database) == [
        "the search index lacks 1 of the tracks", "the search index knows 1 albums that are gone"]
    assert not SelfCheck(database=database).run(Following()).ok


def test_a_search_index_that_says_other_words_than_its_rows_is_found(database: Database) -> None:
    with database.transaction() as conn:
        driver_cursor(conn).execute("UPDATE track_words_content SET c0 = 'other words' WHERE id = 1")
    assert any("damaged" in one for one in soundness.search_index(database))


def test_a_library_that_others_write_to_all_the_time_is_not_said_to_be_damaged(
        database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.database._PATIENCE_S", 0.1)
    writing = sqlite3.connect(database.path, isolation_level=None)
    writing.execute("BEGIN IMMEDIATE")
    check = SelfCheck(database=database)
    with pytest.raises(Overloaded):
        check.run(Following())
    writing.close()
    assert check.last() == {} and check.run(Following()).ok


class Cache:
    def check(self, work: object = None) -> dict[str, int]:
        return {"files": 5, "bytes": 100, "wrong": 2, "gone": 0}


def test_a_cached_track_that_went_bad_is_told_but_is_no_trouble(database: Database) -> None:
    following = Following()
    report = SelfCheck(database=database, cache=Cache()).run(following)
    assert report.ok and report.cache["wrong"] == 2
    assert any("2 cached tracks" in one for one in following.said)


def test_stopped_it_keeps_nothing(database: Database) -> None:
    check = SelfCheck(database=database)
    with pytest.raises(Stopped):
        check.run(Following(stop_at="checking the search index"))
    assert check.last() == {}
