"""Rows for apps: in the order that was asked for, with what a person did, and nothing that is gone."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.database import Database
from shared.model.person import Person
from shared.model.track import Credit
from shared.records.entries import AlbumRow, ArtistRow, Entries, TrackRow
from shared.records.listening import Listening
from tests.records.songs import Music, metadata


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_rows_come_in_the_order_asked_for_repeats_kept_and_strangers_left_out(
    database: Database, music: Music, owner: Person, data: st.DataObject
) -> None:
    if not music.rows("SELECT id FROM tracks"):
        for name in "ABC":
            music.album(name, name, f"Artist {name}", 3)
    entries = Entries(database=database)
    for kind, rows_of in (("track", entries.tracks), ("album", entries.albums), ("artist", entries.artists)):
        there = {row[0] for row in music.rows(f"SELECT id FROM {kind}s")}
        asked = data.draw(st.lists(st.sampled_from(sorted(there)) | st.integers(1000, 1010), max_size=12))
        assert [row[0] for row in rows_of(owner, asked).rows] == [key for key in asked if key in there]


def test_a_row_has_the_fields_of_its_kind(database: Database, music: Music, owner: Person, guest: Person) -> None:
    uid = music.add("Ann/One/01 Song.flac", metadata(
        "Song", "Ann", "One", "Ann", 7, genres=("Rock", "Pop"), year=1999, date="1999-05", disc_number=2,
        disc_title="Late",
        credits=(Credit("Ann"), Credit("Bo"), Credit("Cy", "composer"), Credit("Ann", "albumartist"))))
    listening, entries = Listening(database=database), Entries(database=database)
    listening.rate(owner, uid, 4)
    listening.rate(guest, uid, 1)
    listening.play(owner, uid, played_at=5000.0)
    keys = list(entries.keys(owner, "track", [uid, "gone"]).values())
    found = entries.tracks(owner, keys)
    row = TrackRow(*found.rows[0])
    assert (row.title, row.track_number, row.disc_number, row.year, row.album, row.album_artist, row.path) == (
        "Song", 7, 2, 1999, "One", "Ann", "Ann/One/01 Song.flac")
    assert (row.rating, row.play_count, row.last_played_at, row.favourite_at, row.artwork_key) == (
        4, 1, 5000.0, None, None)
    assert [one[1::2] for one in found.credits[row.key]] == [("artist", "Ann"), ("artist", "Bo"), ("composer", "Cy")]
    assert found.genres[row.key] == ["Rock", "Pop"] and found.averages == {row.key: 2.5}
    assert row.album_key is not None
    assert [name for _, name in found.album_artists[row.album_key]] == ["Ann"]
    albums = entries.albums(owner, [row.album_key])
    album = AlbumRow(*albums.rows[0])
    assert (album.title, album.track_count, album.date, album.play_count) == ("One", 1, "1999-05", 1)
    assert albums.discs == {album.key: [(2, "Late")]}
    (ann,) = entries.keys(owner, "artist", [album_artist for album_artist, _ in albums.artists[album.key]]).values()
    artists = entries.artists(owner, [ann])
    artist = ArtistRow(*artists.rows[0])
    assert (artist.name, artist.album_count, artist.pictured) == ("Ann", 1, 0)
    assert artists.roles[ann] == ["albumartist", "artist"]
    assert TrackRow(*entries.tracks(guest, keys).rows[0]).rating == 1


def test_what_is_in_the_trash_is_in_no_row(database: Database, music: Music, owner: Person) -> None:
    (uid,) = music.album("A", "A", "Ann", 1)
    entries = Entries(database=database)
    keys = list(entries.keys(owner, "track", [uid]).values())
    with database.transaction() as conn:
        conn.exec_driver_sql("UPDATE tracks SET trashed_at = 1")
    assert entries.keys(owner, "track", [uid]) == {} and entries.tracks(owner, keys).rows == []
