"""Directories have ids that stay, and lead back to where they are."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.database import Database
from shared.model.errors import NotFound
from shared.records.directories import Directories, Directory, directory_id
from tests.records.songs import Music, metadata

PARTS = st.sampled_from(("A", "A0", "A b", "B", "Ünd", "a", "A.", "A!", "c"))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places=st.lists(st.lists(PARTS, max_size=4), min_size=1, max_size=12), data=st.data())
def test_every_directory_is_found_by_its_id_and_walking_meets_every_file_once(
    database: Database, music: Music, places: list[list[str]], data: st.DataObject
) -> None:
    numbered = data.draw(st.integers(0, 10**9))
    paths = {"/".join([*place, f"{numbered} {number}.flac"]) for number, place in enumerate(places)}
    music.add_all({path: metadata(path) for path in paths})
    directories = Directories(database=database)
    every = {row[0] for row in music.rows("SELECT path FROM files")}
    met: list[int] = []
    to_see, seen = [Directory(music.root.id, "", "music")], set()
    while to_see:
        one = to_see.pop()
        inside = directories.inside(one)
        met += inside.tracks
        for child in inside.directories:
            assert child.parent is not None and child.parent.path == one.path
            assert directories.find(child.id) == child
            seen.add(child.path)
        to_see += inside.directories
    assert len(met) == len(set(met)) == len(every)
    assert seen == {str(above) for path in every for above in PurePosixPath(path).parents} - {"."}


def test_an_id_stays_when_the_library_changes_and_new_directories_are_found(database: Database, music: Music) -> None:
    music.album("Ann/One", "One", "Ann", 1)
    directories = Directories(database=database)
    one = directory_id(music.root.id, "Ann/One")
    assert directories.find(one).name == "One"
    music.album("Ann/Two", "Two", "Ann", 1)
    assert directories.find(directory_id(music.root.id, "Ann/Two")).path == "Ann/Two"
    assert directories.find(one).path == "Ann/One"
    assert one == Directory(music.root.id, "Ann/One", "One").id


@pytest.mark.parametrize("id", ["", "d", "d" + "0" * 20, "D" + "0" * 20, "d" + "g" * 20, "d" + "0" * 21])
def test_what_leads_nowhere_is_not_found(database: Database, music: Music, id: str) -> None:
    music.album("Ann/One", "One", "Ann", 1)
    with pytest.raises(NotFound):
        Directories(database=database).find(id)


def test_what_is_in_the_trash_is_in_no_directory(database: Database, music: Music) -> None:
    music.album("Ann/One", "One", "Ann", 2)
    with database.transaction() as conn:
        conn.exec_driver_sql("UPDATE tracks SET trashed_at = 1")
    directories = Directories(database=database)
    assert directories.inside(Directory(music.root.id, "", "")).directories == []
    assert directories.inside(Directory(music.root.id, "Ann/One", "One")).tracks == []
