"""A library of a hundred thousand tracks, read whole as apps read it that keep a copy: each track comes once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import msgspec
import pytest

from shared.database import driver_cursor
from tests.subsonic.house import House

TRACKS = 100_000
PAGE = 500


class Song(msgspec.Struct):
    id: str
    title: str
    albumId: str
    artists: list[dict[str, str]]


class Result(msgspec.Struct):
    song: list[Song]


class Content(msgspec.Struct):
    status: str
    searchResult3: Result


class Told(msgspec.Struct, rename={"content": "subsonic-response"}):
    content: Content


@pytest.fixture(scope="module")
def large(house: House) -> Iterator[House]:
    """The house with rows of so many tracks: copies of its ten, without files."""
    with house.station.database.transaction() as conn:
        cursor = driver_cursor(conn)
        ten, = cursor.execute("SELECT count(*) FROM tracks").fetchone()
        times = TRACKS // ten - 1
        cursor.execute("CREATE TEMP TABLE copy AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
                       "WHERE i < ?) SELECT i FROM n", (times,))
        copied(cursor, "tracks", id="row.id + 1000 * copy.i", uid="printf('%s%09d', substr(row.uid, 1, 7), "
                                                                  "row.id + 1000 * copy.i)")
        copied(cursor, "files", id="row.id + 1000 * copy.i", track_id="row.track_id + 1000 * copy.i",
               path="copy.i || '/' || row.path")
        for table in ("credits", "track_genres"):
            copied(cursor, table, track_id="row.track_id + 1000 * copy.i")
        cursor.execute("DROP TABLE temp.copy")
    yield house


def copied(cursor: sqlite3.Cursor, table: str, **otherwise: str) -> None:
    """Each row of the table once for every row of `copy`, with these columns otherwise."""
    names = [row[1] for row in cursor.execute(f"PRAGMA table_info({table})")]
    values = ", ".join(otherwise.get(name, f'row."{name}"') for name in names)
    cursor.execute(f"INSERT INTO {table} SELECT {values} FROM copy CROSS JOIN (SELECT * FROM {table}) AS row")


def page(house: House, offset: int, query: str = '""') -> list[Song]:
    answer = house.raw("search3", query=query, artistCount=0, albumCount=0, songCount=PAGE, songOffset=offset)
    told = msgspec.json.decode(answer.data, type=Told)
    assert told.content.status == "ok"
    return told.content.searchResult3.song


def test_a_hundred_thousand_tracks_are_read_page_by_page_each_once(large: House) -> None:
    read: dict[str, Song] = {}
    for offset in range(0, TRACKS, PAGE):
        songs = page(large, offset)
        assert len(songs) == PAGE, offset
        before = len(read)
        read |= {one.id: one for one in songs}
        assert len(read) == before + PAGE, offset       # nothing that came before
    assert page(large, TRACKS) == []
    with large.station.database.read() as conn:
        assert read.keys() == {uid for uid, in driver_cursor(conn).execute("SELECT uid FROM tracks")}
    assert all(one.albumId and one.artists and one.title for one in read.values())


def test_any_page_alone_is_that_part_of_the_whole(large: House) -> None:
    """As programs ask that count by jumping ahead, or go on after a break; an empty query is everything, too."""
    for offset in (5_000, 50_000, 95_000, TRACKS - PAGE):
        first = [one.id for one in page(large, offset)]
        assert first == [one.id for one in page(large, offset, "")] and len(set(first)) == PAGE
        half = large.ask("search3", query="", artistCount=0, albumCount=0, songCount=PAGE // 2,
                         songOffset=offset + PAGE // 2)["searchResult3"]["song"]
        assert [one["id"] for one in half] == first[PAGE // 2:]
