"""What maintenance asks of the library, and what it writes."""

from __future__ import annotations

from shared.database import Database
from shared.model.scan import Picture
from shared.records.artworks import Artworks
from shared.records.tracks import Tracks
from shared.records.upkeep import Upkeep
from tests.records.songs import TIME, Music, inconsistencies, metadata, reading


def test_albums_come_with_their_files_and_what_is_known_of_their_picture(database: Database, music: Music) -> None:
    music.album("Low", "Low", "David Bowie", songs=2)
    music.add("Heroes/1.flac", metadata(), picture_bytes=99)
    music.add("loose.flac", metadata(album=None, album_artist=None))
    upkeep = Upkeep(database=database)
    heroes, low = upkeep.albums()
    assert (heroes.title, heroes.artist, low.title) == ("Heroes", "David Bowie", "Low")
    assert heroes.picture is not None and (heroes.picture.kind, heroes.picture.path) == ("embedded", "Heroes/1.flac")
    assert low.picture is None and [one.path for one in low.files] == ["Low/01.flac", "Low/02.flac"]
    assert [one.picture_bytes for one in heroes.files] == [99]
    assert [one.title for one in upkeep.albums([low.id, "nobody"])] == ["Low"]
    assert [one.path for one in upkeep.files()] == ["Heroes/1.flac", "Low/01.flac", "Low/02.flac", "loose.flac"]
    assert [one.path for one in upkeep.files([low.files[1].track_id])] == ["Low/02.flac"]


def test_missing_files_say_so(database: Database, music: Music) -> None:
    uids = music.album("Low", "Low", "David Bowie", songs=2)
    music.lose("Low/02.flac")
    assert {one.track_id: one.missing for one in Upkeep(database=database).files()} == {uids[0]: False, uids[1]: True}


def test_many_readings_are_taken_over_at_once_and_other_edits_stay(database: Database, music: Music) -> None:
    uids = music.album("Low", "Low", "David Bowie", songs=3)
    Tracks(database=database).override(uids[0], {"title": "Mine", "year": 1977})
    upkeep = Upkeep(database=database)
    written = [
        (uid, music.found(f"Low/{number:02}.flac", mtime=TIME + 5), reading(metadata(f"New {number}", album="Low!")))
        for number, uid in enumerate(uids, 1)
    ]
    assert upkeep.take_over([*written, ("nobody", *written[0][1:])], written={"year"}) == uids
    assert [one.title for one in upkeep.files()] == ["Mine", "New 2", "New 3"]
    assert [one.edits for one in upkeep.files()] == [{"title": "Mine"}, {}, {}]
    assert [one.title for one in upkeep.albums()] == ["Low!"]
    assert {one.mtime_ns for one in upkeep.files()} == {TIME + 5}
    assert inconsistencies(database) == []


def test_a_picture_in_a_folder_that_is_outdone_comes_after_what_is_embedded(database: Database, music: Music) -> None:
    folder = [Picture("Heroes", "Heroes/cover.jpg", 5, TIME)]
    music.add("Heroes/1.flac", metadata(), picture_bytes=99, pictures=folder)
    upkeep, artworks = Upkeep(database=database), Artworks(database=database)

    def shown() -> tuple[str, str] | None:
        [album] = upkeep.albums()
        return None if album.picture is None else (album.picture.kind, album.picture.path)

    def settle(picture_bytes: int) -> None:
        [file] = upkeep.files()
        upkeep.take_over([(file.track_id, music.found(file.path), reading(metadata(), picture_bytes=picture_bytes))])

    assert shown() == ("sidecar", "Heroes/cover.jpg")
    [album] = upkeep.albums()
    assert album.picture is not None
    artworks.outdo([album.picture.id])
    upkeep.settle([one.track_id for one in upkeep.files()])
    assert shown() == ("embedded", "Heroes/1.flac")
    settle(0)
    assert shown() == ("outdone", "Heroes/cover.jpg"), "better than none"
    settle(99)
    assert music.scans.pictures(music.root.id) == {"Heroes": ("Heroes/cover.jpg", 5, TIME)}
    music.scans.apply(music.batch(pictures=[Picture("Heroes", "Heroes/cover.jpg", 5, TIME)]))
    assert shown() == ("embedded", "Heroes/1.flac"), "it is as it was"
    music.scans.apply(music.batch(pictures=[Picture("Heroes", "Heroes/cover.jpg", 7, TIME + 1)]))
    assert shown() == ("sidecar", "Heroes/cover.jpg"), "somebody put another one there"
    artworks.outdo([album.picture.id])
    artworks.outdo([album.picture.id], False)
    upkeep.settle([one.track_id for one in upkeep.files()])
    assert shown() == ("sidecar", "Heroes/cover.jpg")
