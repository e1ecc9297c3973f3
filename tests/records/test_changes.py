from __future__ import annotations

import pytest

from shared.model.errors import BadInput, RevisionTooOld
from shared.model.person import Person
from shared.records.changes import Changes
from shared.records.listening import Listening
from shared.records.playlists import Playlists
from shared.records.scans import prune_removed
from shared.records.tracks import Tracks
from tests.records.songs import Music, metadata


@pytest.fixture
def changes(music: Music) -> Changes:
    return Changes(database=music.database)


def now(changes: Changes, person: Person) -> int:
    return changes.since(person, 1).revision


def test_nothing_changed_is_four_empty_sets(changes: Changes, owner: Person) -> None:
    since = changes.since(owner, now(changes, owner))
    for one in (since.tracks, since.albums, since.artists, since.playlists):
        assert (one.added, one.changed, one.removed) == ([], [], [])


def test_what_was_added_changed_and_removed_is_told(music: Music, changes: Changes, owner: Person) -> None:
    first = music.album("a", "Low", "David Bowie", 2)
    base = now(changes, owner)
    new = music.add("b/1.flac", metadata("New", "Nico", "Chelsea Girl", "Nico"))
    music.retag({"a/01.flac": metadata("Other", "David Bowie", "Low", "David Bowie", 1)})
    Tracks(database=music.database).trash(first[1], trashed_from="a/02.flac", path="t/1.flac")
    since = changes.since(owner, base)
    assert (since.tracks.added, since.tracks.changed, since.tracks.removed) == ([new], [first[0]], [first[1]])
    assert (len(since.albums.added), len(since.albums.changed), since.albums.removed) == (1, 1, [])
    assert (len(since.artists.added), len(since.artists.changed), since.artists.removed) == (1, 1, [])
    assert since.revision == base + 3


def test_an_album_and_artist_go_with_their_last_track_and_come_back_with_their_ids(
    music: Music, changes: Changes, owner: Person
) -> None:
    (uid,) = music.album("a", "Low", "David Bowie", 1)
    album, artist = changes.since(owner, 1).albums.added, changes.since(owner, 1).artists.added
    base = now(changes, owner)
    tracks = Tracks(database=music.database)
    tracks.trash(uid, trashed_from="a/01.flac", path="t/1.flac")
    gone = changes.since(owner, base)
    assert (gone.albums.removed, gone.artists.removed, gone.tracks.removed) == (album, artist, [uid])
    base = now(changes, owner)
    tracks.restore(uid, path="a/01.flac")
    back = changes.since(owner, base)
    assert (back.albums.added, back.artists.added, back.tracks.added) == (album, artist, [uid])
    assert back.tracks.removed == back.albums.removed == []


def test_what_came_and_went_in_between_is_only_told_as_gone(music: Music, changes: Changes, owner: Person) -> None:
    base = now(changes, owner)
    uid = music.add("a/1.flac")
    music.lose("a/1.flac")
    Tracks(database=music.database).purge_missing()
    since = changes.since(owner, base)
    assert (since.tracks.added, since.tracks.changed, since.tracks.removed) == ([], [], [uid])


def test_the_own_listening_counts_as_a_change_and_nobody_elses(
    music: Music, changes: Changes, owner: Person, guest: Person
) -> None:
    uid = music.add("a/1.flac")
    listening = Listening(database=music.database)
    for deed in (
        lambda: listening.play(owner, uid),
        lambda: listening.favourite(owner, uid, True),
        lambda: listening.rate(owner, uid, 4),
    ):
        base = now(changes, owner)
        deed()
        assert changes.since(owner, base).tracks.changed == [uid]
        assert changes.since(guest, base).tracks.changed == []
        assert changes.since(guest, base).revision == base + 1


def test_playlists_are_told_to_those_who_may_read_them(
    music: Music, changes: Changes, owner: Person, guest: Person
) -> None:
    playlists = Playlists(database=music.database)
    base = now(changes, owner)
    uid = playlists.make(owner, "Mine").id
    assert changes.since(owner, base).playlists.added == [uid]
    assert changes.since(guest, base).playlists.added == []
    base = now(changes, owner)
    playlists.edit(owner, uid, visibility="shared")
    assert changes.since(guest, base).playlists.added == [uid]
    base = now(changes, owner)
    playlists.edit(owner, uid, visibility="private")
    assert changes.since(guest, base).playlists.removed == [uid]
    assert changes.since(owner, base).playlists.removed == []
    assert changes.since(owner, base).playlists.changed == [uid]
    base = now(changes, owner)
    playlists.delete(owner, uid)
    assert changes.since(owner, base).playlists.removed == [uid]
    secret = playlists.make(owner, "Secret").id
    base = now(changes, owner)
    playlists.delete(owner, secret)
    assert changes.since(guest, base).playlists.removed == []
    assert changes.since(owner, base).playlists.removed == [secret]


def test_a_revision_too_long_ago_or_never_reached_is_refused(music: Music, changes: Changes, owner: Person) -> None:
    music.album("a", "Low", "David Bowie", 5)
    tracks = Tracks(database=music.database)
    for i in range(1, 6):
        tracks.trash(music.uid(f"a/0{i}.flac"), trashed_from=f"a/0{i}.flac", path=f"t/{i}.flac")
    before = changes.since(owner, 1)
    with music.database.transaction() as conn:
        prune_removed(conn, keep=3)
    with pytest.raises(RevisionTooOld):
        changes.since(owner, 1)
    assert len(changes.since(owner, before.revision - 1).tracks.removed) == 1
    with pytest.raises(RevisionTooOld):
        changes.since(owner, before.revision + 1)
    with pytest.raises(BadInput):
        changes.since(owner, -1)
