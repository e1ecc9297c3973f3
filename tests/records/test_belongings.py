"""One person's things, out of one library and into another, and never anybody else's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from shared.database import Database
from shared.model.person import Person
from shared.model.track import Credit, Filters
from shared.records.belongings import Belongings, Given, Group, Identity, Mine, NewPlaylist, in_order, match
from shared.records.listening import Listening
from shared.records.playlists import Playlists
from shared.records.tracks import Tracks
from shared.records.visible import Folders
from tests.records.songs import Music, metadata

KINDS = ("playlists", "favourites", "ratings", "plays")


def _identity(title: str = "Heroes", **more: object) -> Identity:
    told = {"uid": "", "isrc": "", "mbid": "", "artist": "David Bowie", "album": "", "duration_ms": 200_000, **more}
    return Identity(title=title, **told)  # type: ignore[arg-type]


def _match(database: Database, person: Person, *wanted: Identity) -> list[str | None]:
    with database.read() as conn:
        found = match(conn, person, wanted)
        uids = dict(conn.exec_driver_sql("SELECT id, uid FROM tracks").fetchall())
    return [None if one is None else uids[one] for one in found]


def test_a_track_is_found_by_id_isrc_recording_and_name(database: Database, music: Music, owner: Person) -> None:
    uid = music.add("a.flac", metadata(isrc="GBAYE7700009", recording_mbid="5b3ef8f1-3b8d-4a6e-9a1c-6a1f5c1f0001"))
    music.add("b.flac", metadata("Blackout", number=3))
    for wanted in (
        _identity("?", uid=uid), _identity("?", isrc="GBAYE7700009"),
        _identity("?", mbid="5b3ef8f1-3b8d-4a6e-9a1c-6a1f5c1f0001"),
        _identity("Héroes", artist="DAVID  BOWIE"), _identity(duration_ms=201_999), _identity(duration_ms=0),
    ):  # fmt: skip
        assert _match(database, owner, wanted) == [uid], wanted
    assert _match(
        database, owner, _identity("?"), _identity(duration_ms=202_001), _identity(artist="Philip Glass"),
        _identity(""), _identity(artist=""), _identity("?", uid="nobody", isrc="XX", mbid="yy"),
    ) == [None] * 6  # fmt: skip


def test_of_several_the_one_from_the_same_album_then_the_nearest_in_length(
    database: Database, music: Music, owner: Person
) -> None:
    single = music.add("single.flac", metadata(album="Heroes (single)"), duration_ms=199_500)
    album = music.add("album.flac", metadata(album="“Heroes”"), duration_ms=201_000)
    best_of = music.add("best.flac", metadata(album="Best of"), duration_ms=200_100)
    assert _match(
        database, owner, _identity(album="Heroes"), _identity(album="Heroes (Single)"), _identity(album="Live"),
        _identity(duration_ms=199_400), _identity(duration_ms=0, album="BEST OF"),
    ) == [album, single, best_of, single, best_of]  # fmt: skip


def test_what_is_in_the_trash_is_not_there(database: Database, music: Music, owner: Person) -> None:
    uid = music.add("a.flac")
    database_write = database.transaction()
    with database_write as conn:
        conn.exec_driver_sql("UPDATE tracks SET trashed_at = 1 WHERE uid = ?", (uid,))
    assert _match(database, owner, _identity(uid=uid)) == [None]


def _fill(database: Database, music: Music, person: Person) -> list[str]:
    uids = [music.add(f"{number}.flac", metadata(f"Song {number}", number=number)) for number in range(5)]
    playlists, listening = Playlists(database=database), Listening(database=database)
    playlists.make(person, "Evening", [uids[2], uids[0], uids[2]], "shared")
    playlists.make(person, "Empty")
    listening.favourite(person, uids[1], True)
    album = Tracks(database=database).get(person, uids[0])
    listening.favourite_album(person, str(album.album_id), True)
    listening.favourite_artist(person, album.artists[0].id, True)
    listening.rate(person, uids[3], 4)
    for at in (1_700_000_000.1234, 1_700_000_300.0, 1_700_000_000.1239):
        listening.play(person, uids[0], at, 180_000)
    return uids


def _given(mine: Mine) -> Given:
    """What was read, as another station is told of it."""
    order = list(in_order(mine))
    places = {key: place for place, (key, _) in enumerate(order)}
    return Given(
        tracks=[one for _, one in order],
        playlists=[NewPlaylist(one.uid, one.name, one.visibility, [places[track] for track in one.track_ids])
                   for one in mine.playlists],
        favourites=[(places[key], at) for key, at in mine.favourites], albums=mine.albums, artists=mine.artists,
        ratings=[(places[key], rating) for key, rating in mine.ratings],
        plays=[(places[key], at, ms) for key, at, ms in mine.plays],
    )  # fmt: skip


@pytest.fixture
def elsewhere(tmp_path: Path) -> Database:
    database = Database(tmp_path / "elsewhere.db")
    database.prepare()
    return database


def test_everything_arrives_in_another_library_and_a_second_time_changes_nothing(
    database: Database, music: Music, owner: Person, elsewhere: Database
) -> None:
    from tests.records.conftest import _person

    uids = _fill(database, music, owner)
    there = Music(elsewhere, "/there")
    far = [there.add(f"x{number}.flac", metadata(f"SONG  {number}", number=number)) for number in (3, 2, 1, 0)]
    assert not set(far) & set(uids)
    her = _person(elsewhere, "olga", "owner")
    mine = Belongings(database=database).of(owner, KINDS)
    assert len(mine.tracks) == 4
    records = Belongings(database=elsewhere)
    before = _revision(elsewhere)
    rehearsed = records.take(her, _given(mine), dry_run=True)
    assert _revision(elsewhere) == before and records.of(her, KINDS) == Mine()
    taken = records.take(her, _given(mine))
    assert taken == rehearsed
    assert (taken.playlists_made, taken.favourites, taken.ratings, taken.plays, taken.not_found) == (2, 3, 1, 2, [])
    evening, empty = Playlists(database=elsewhere).list(her, sort="-name").items
    assert (evening.name, evening.visibility, empty.name, empty.track_count) == ("Evening", "shared", "Empty", 0)
    whole = Playlists(database=elsewhere).get(her, evening.id)
    assert [one.id for one in whole.tracks] == [far[1], far[3], far[1]]
    assert evening.track_count == 3 and evening.duration_ms == 600_000
    shown = Tracks(database=elsewhere).get(her, far[3])
    assert (shown.play_count, shown.favourite) == (2, False)
    assert Tracks(database=elsewhere).get(her, far[2]).favourite
    assert Tracks(database=elsewhere).get(her, far[0]).rating == 4
    moved = _revision(elsewhere)
    again = records.take(her, _given(mine))
    assert (again.playlists_made, again.playlists_updated, again.playlists_same) == (0, 0, 2)
    assert (again.favourites, again.ratings, again.plays) == (0, 0, 0)
    assert _revision(elsewhere) == moved, "nobody is told of nothing"


def test_into_its_own_library_nothing_is_doubled(database: Database, music: Music, owner: Person) -> None:
    _fill(database, music, owner)
    records = Belongings(database=database)
    mine = records.of(owner, KINDS)
    taken = records.take(owner, _given(mine))
    assert (taken.playlists_made, taken.playlists_same, taken.favourites, taken.ratings, taken.plays) == (0, 2, 0, 0, 0)
    assert records.of(owner, KINDS) == mine


def test_a_playlist_that_is_there_keeps_its_tracks_and_gets_those_it_lacks(
    database: Database, music: Music, owner: Person
) -> None:
    uids = _fill(database, music, owner)
    playlists, records = Playlists(database=database), Belongings(database=database)
    kept = next(one for one in playlists.list(owner).items if one.name == "Evening")
    playlists.edit(owner, kept.id, track_uids=[uids[4], uids[0]], name="Night")
    given = Given(tracks=[_identity(uid=uid) for uid in uids], playlists=[
        NewPlaylist(kept.id, "Evening", "private", [0, 1, 1, 2]), NewPlaylist("other", "Night", "private", [3])])
    taken = records.take(owner, given)
    assert (taken.playlists_updated, taken.playlists_made) == (1, 1), "known by its id, not by another's name"
    assert [one.id for one in playlists.get(owner, kept.id).tracks] == [uids[4], uids[0], uids[1], uids[2]]
    assert sorted(one.name for one in playlists.list(owner).items) == ["Empty", "Night", "Night"]


def test_what_is_not_here_is_named_and_left_out(database: Database, music: Music, owner: Person) -> None:
    uid = music.add("a.flac")
    given = Given(
        tracks=[_identity("Gone"), _identity()],
        playlists=[NewPlaylist("", "Half", "private", [0, 1]), NewPlaylist("", "None", "private", [0, 0])],
        favourites=[(0, None), (1, None)], ratings=[(0, 5)], plays=[(0, 1.0, None), (1, 99_999_999_999.0, None)],
        albums=[(Group("", "", "Nothing", "Nobody"), None)], artists=[(Group("x", "y", "", ""), None)],
    )  # fmt: skip
    taken = Belongings(database=database).take(owner, given)
    assert taken.not_found == [0]
    assert (taken.playlists_made, taken.favourites, taken.ratings, taken.plays) == (1, 1, 0, 0)
    only = Playlists(database=database).list(owner).items[0]
    assert [one.id for one in Playlists(database=database).get(owner, only.id).tracks] == [uid]


def test_nobody_elses_things_are_read_or_touched(
    database: Database, music: Music, owner: Person, guest: Person
) -> None:
    uids = _fill(database, music, owner)
    records = Belongings(database=database)
    before = records.of(owner, KINDS)
    assert records.of(guest, KINDS) == Mine(), "not even what is shared"
    shared = next(one for one in before.playlists if one.visibility == "shared")
    records.take(guest, Given(
        tracks=[_identity(uid=uids[4])], playlists=[NewPlaylist(shared.uid, "Evening", "private", [0])],
        ratings=[(0, 1)], plays=[(0, 5.0, None)]))
    assert records.of(owner, KINDS) == before
    assert [one.uid == shared.uid for one in records.of(guest, KINDS).playlists] == [False]


def test_only_what_is_asked_for_is_read(database: Database, music: Music, owner: Person) -> None:
    _fill(database, music, owner)
    for kind in KINDS:
        mine = Belongings(database=database).of(owner, [kind])
        assert [one for one in KINDS if getattr(mine, one)] == [kind]
    assert Tracks(database=database).list(owner, filters=Filters(), sort="title").total == 5


def test_an_import_that_fails_leaves_nothing(database: Database, music: Music, owner: Person) -> None:
    music.add("a.flac")
    given = Given(tracks=[_identity()], playlists=[NewPlaylist("", "P", "private", [0])], ratings=[(7, 5)])
    with pytest.raises(IndexError):
        Belongings(database=database).take(owner, given)
    assert Playlists(database=database).list(owner).total == 0


def _revision(database: Database) -> int:
    with database.read() as conn:
        return int(conn.exec_driver_sql("SELECT value FROM state WHERE name = 'revision'").scalar_one())


def test_a_limited_person_takes_along_and_brings_in_only_what_they_see(
    database: Database, music: Music, guest: Person, owner: Person
) -> None:
    inside = music.add("Kids/a.flac", metadata("Inside", isrc="GBAYE7700001"))
    outside = music.add("Rest/b.flac", metadata("Outside", number=2, album="Low", isrc="GBAYE7700002"))
    playlists, listening, records = Playlists(database=database), Listening(database=database), Belongings(
        database=database)  # fmt: skip
    album = str(Tracks(database=database).get(owner, outside).album_id)
    playlists.make(guest, "Both", [outside, inside])
    for one in (inside, outside):
        listening.favourite(guest, one, True)
        listening.rate(guest, one, 3)
        listening.play(guest, one, 1_700_000_000.0)
    listening.favourite_album(guest, album, True)
    Folders(database=database).set(guest.user_id, [(music.root.id, "Kids")])
    limited = replace(guest, limited=True)
    mine = records.of(limited, KINDS)
    assert {one.uid for one in mine.tracks.values()} == {inside} and mine.albums == []
    assert [len(one.track_ids) for one in mine.playlists] == [1]
    assert len(mine.favourites) == len(mine.ratings) == len(mine.plays) == 1
    wanted = [_identity("Outside", uid=outside), _identity("?", isrc="GBAYE7700002"), _identity("Outside"),
              _identity("Inside")]  # fmt: skip
    assert _match(database, limited, *wanted) == [None, None, None, inside]
    taken = records.take(limited, Given(
        tracks=wanted, ratings=[(0, 5), (3, 4)], albums=[(Group(album, "", "Low", "David Bowie"), None)],
        playlists=[NewPlaylist("", "New", "private", [0, 1, 2, 3])]))  # fmt: skip
    assert (taken.not_found, taken.ratings, taken.favourites) == ([0, 1, 2], 1, 0)
    assert Tracks(database=database).get(owner, outside).rating == 0


def test_what_somebody_does_not_see_never_stands_before_what_they_see(
    database: Database, music: Music, guest: Person
) -> None:
    """Else the count of an import would tell whether the library has an album or an artist by its MusicBrainz id."""
    hidden, never = "11111111-2222-4333-8444-555555555555", "99999999-2222-4333-8444-555555555555"
    there = Credit("David Bowie", "artist", hidden)
    music.add("Rest/b.flac", metadata("Outside", album="Low", release_mbid=hidden, credits=(there,)))
    music.add("Kids/a.flac", metadata("Inside", artist="Rolf", album_artist="Rolf", album="Heroes"))
    Folders(database=database).set(guest.user_id, [(music.root.id, "Kids")])
    for mbid in (hidden, never):
        taken = Belongings(database=database).take(replace(guest, limited=True), Given(
            tracks=[], albums=[(Group("", mbid, "Heroes", "Rolf"), None)],
            artists=[(Group("", mbid, "Rolf", ""), None)]), dry_run=True)  # fmt: skip
        assert taken.favourites == 2
