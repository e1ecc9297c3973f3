from __future__ import annotations

import pytest

from shared.model.errors import BadInput, Forbidden, NotFound, Unprocessable
from shared.model.person import Person
from shared.records import playlists as room
from shared.records.belongings import Belongings, Given, Identity, NewPlaylist
from shared.records.people import People
from shared.records.playlists import SORTS, Playlists
from tests.records.songs import Music, inconsistencies


@pytest.fixture
def playlists(music: Music) -> Playlists:
    return Playlists(database=music.database)


@pytest.fixture
def songs(music: Music) -> list[str]:
    return music.album("a", "Low", "David Bowie", 5)


def test_a_playlist_keeps_its_tracks_in_order_also_twice(playlists: Playlists, songs: list[str], owner: Person) -> None:
    made = playlists.make(owner, "Mine", [songs[3], songs[0], songs[3]])
    assert (made.name, made.owner, made.visibility, made.track_count, made.duration_ms) == (
        "Mine",
        "olga",
        "private",
        3,
        600_000,
    )
    whole = playlists.get(owner, made.id)
    assert [track.id for track in whole.tracks] == [songs[3], songs[0], songs[3]]
    after = playlists.append(owner, made.id, [songs[1], songs[1]])
    assert (after.track_count, after.duration_ms) == (5, 1_000_000)
    assert [track.id for track in playlists.get(owner, made.id).tracks] == [
        songs[3],
        songs[0],
        songs[3],
        songs[1],
        songs[1],
    ]
    turned = playlists.edit(owner, made.id, name="Ours", track_uids=[songs[4]])
    assert (turned.name, turned.track_count) == ("Ours", 1)
    assert playlists.append(owner, made.id, []).updated_at == turned.updated_at
    assert inconsistencies(playlists._database) == []


def test_a_track_that_is_not_there_is_not_taken_and_nothing_else_changes(
    playlists: Playlists, songs: list[str], owner: Person
) -> None:
    made = playlists.make(owner, "Mine", songs)
    for deed in (
        lambda: playlists.make(owner, "x", ["nothing"]),
        lambda: playlists.append(owner, made.id, [songs[0], "nothing"]),
        lambda: playlists.edit(owner, made.id, name="y", track_uids=["nothing"]),
    ):
        with pytest.raises(NotFound):
            deed()
    assert playlists.get(owner, made.id).name == "Mine"
    assert playlists.list(owner).total == 1


def test_somebody_elses_private_playlist_is_not_there(
    playlists: Playlists, songs: list[str], owner: Person, guest: Person
) -> None:
    uid = playlists.make(owner, "Mine", songs).id
    for deed in (
        lambda: playlists.get(guest, uid),
        lambda: playlists.edit(guest, uid, name="x"),
        lambda: playlists.edit(guest, uid, track_uids=[]),
        lambda: playlists.append(guest, uid, songs),
        lambda: playlists.delete(guest, uid),
    ):
        with pytest.raises(NotFound):
            deed()
    assert playlists.list(guest).items == []
    assert playlists.get(owner, uid).track_count == 5


def test_an_owner_of_the_station_sees_no_private_playlist_of_others(
    playlists: Playlists, owner: Person, guest: Person
) -> None:
    uid = playlists.make(guest, "Secret").id
    with pytest.raises(NotFound):
        playlists.get(owner, uid)


def test_a_shared_playlist_is_read_by_all_and_changed_by_its_owner(
    playlists: Playlists, songs: list[str], owner: Person, guest: Person
) -> None:
    uid = playlists.make(owner, "Ours", songs, "shared").id
    assert playlists.get(guest, uid).track_count == 5
    assert [one.owner for one in playlists.list(guest).items] == ["olga"]
    for deed in (
        lambda: playlists.edit(guest, uid, name="x"),
        lambda: playlists.edit(guest, uid, track_uids=[]),
        lambda: playlists.append(guest, uid, songs),
        lambda: playlists.delete(guest, uid),
    ):
        with pytest.raises(Forbidden):
            deed()


def test_everybody_changes_the_tracks_of_a_collaborative_playlist_and_nothing_else(
    playlists: Playlists, songs: list[str], owner: Person, guest: Person
) -> None:
    uid = playlists.make(owner, "Ours", songs[:1], "collaborative").id
    assert playlists.append(guest, uid, songs[1:2]).track_count == 2
    assert playlists.edit(guest, uid, track_uids=[songs[4]]).track_count == 1
    for deed in (
        lambda: playlists.edit(guest, uid, name="x"),
        lambda: playlists.edit(guest, uid, visibility="private"),
        lambda: playlists.delete(guest, uid),
    ):
        with pytest.raises(Forbidden):
            deed()


@pytest.mark.parametrize("sort", [*SORTS, *(f"-{name}" for name in SORTS)])
def test_lists_of_playlists_are_paged(playlists: Playlists, owner: Person, sort: str) -> None:
    for name in ("beta", "Älpha", "The Gamma", "alpha"):
        playlists.make(owner, name)
    seen: list[str] = []
    cursor = None
    while True:
        page = playlists.list(owner, sort=sort, limit=1, cursor=cursor)
        seen += [one.name for one in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    expected = ["Älpha", "alpha", "beta", "The Gamma"] if "name" in sort else ["beta", "Älpha", "The Gamma", "alpha"]
    if sort == "-name":
        expected = ["The Gamma", "beta", "alpha", "Älpha"]
    elif sort == "-updated":
        expected.reverse()
    assert seen == expected


def test_names_and_visibilities_are_checked(playlists: Playlists, owner: Person) -> None:
    uid = playlists.make(owner, "Mine").id
    for deed in (
        lambda: playlists.make(owner, " "),
        lambda: playlists.make(owner, "x", [], "public"),
        lambda: playlists.edit(owner, uid, name=""),
        lambda: playlists.edit(owner, uid, visibility="x"),
    ):
        with pytest.raises(BadInput):
            deed()


def test_a_persons_playlists_go_with_them_and_others_hear_of_it(
    music: Music, playlists: Playlists, owner: Person, guest: Person
) -> None:
    from shared.records.changes import Changes

    uid = playlists.make(guest, "Shared", [], "shared").id
    base = playlists.list(owner).revision
    People(database=music.database).delete_user(guest.id)
    assert playlists.list(owner).items == []
    assert Changes(database=music.database).since(owner, base).playlists.removed == [uid]


def test_one_persons_playlists_have_an_end(
    playlists: Playlists, songs: list[str], owner: Person, guest: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who may only listen must not fill the disk."""
    monkeypatch.setattr(room, "MOST_OF_PERSON", 2)
    monkeypatch.setattr(room, "MOST_ENTRIES_OF_PERSON", 6)
    first = playlists.make(guest, "One", songs[:4], "collaborative")
    with pytest.raises(Unprocessable):
        playlists.append(owner, first.id, songs[:3])    # they are the guest's, whoever puts them in
    with pytest.raises(Unprocessable):
        playlists.edit(guest, first.id, track_uids=songs + songs[:2])
    assert playlists.edit(guest, first.id, track_uids=[*songs, songs[0]]).track_count == 6
    with pytest.raises(Unprocessable):
        playlists.make(guest, "Two", songs[:1])
    assert playlists.edit(guest, first.id, track_uids=songs[:2]).track_count == 2
    playlists.make(guest, "Two")
    with pytest.raises(Unprocessable):
        playlists.make(guest, "Three")
    mine = [Identity(one, "", "", "", "", "", 0) for one in songs]
    for name, places in (("Three", 1), ("Two", 5)):
        given = Given(tracks=mine, playlists=[NewPlaylist("", name, "private", range(places))])
        with pytest.raises(Unprocessable):
            Belongings(database=playlists._database).take(guest, given)
    playlists.make(owner, "Hers", songs)
    assert playlists.list(guest).total == 2


def test_tracks_are_taken_out_by_their_places_and_others_put_at_the_end(
    playlists: Playlists, songs: list[str], owner: Person
) -> None:
    made = playlists.make(owner, "P", [songs[0], songs[1], songs[0], songs[2]])
    edited = playlists.edit(owner, made.id, without=[2, 0, 2], more=[songs[4], songs[0]])
    assert playlists.contents(owner, made.id)[1] == [songs[1], songs[2], songs[4], songs[0]]
    assert (edited.track_count, edited.duration_ms) == (4, 800_000)
    for places in ([4], [-1]):
        with pytest.raises(BadInput):
            playlists.edit(owner, made.id, without=places)
    with pytest.raises(NotFound):
        playlists.edit(owner, made.id, without=[0], more=["gone"])
    assert len(playlists.contents(owner, made.id)[1]) == 4
    assert inconsistencies(playlists._database) == []


def test_a_comment_is_its_owners_to_say(playlists: Playlists, owner: Person, guest: Person) -> None:
    made = playlists.make(owner, "P", visibility="collaborative")
    assert made.comment == ""
    assert playlists.edit(owner, made.id, comment="slow ones").comment == "slow ones"
    assert playlists.get(guest, made.id).comment == playlists.list(guest).items[0].comment == "slow ones"
    with pytest.raises(Forbidden):
        playlists.edit(guest, made.id, comment="mine")
    with pytest.raises(BadInput):
        playlists.edit(owner, made.id, comment="x" * 5_001)
    assert playlists.edit(owner, made.id, comment="").comment == ""


def test_all_that_may_be_read_are_told_or_those_of_one_person(
    playlists: Playlists, owner: Person, guest: Person
) -> None:
    playlists.make(owner, "b")
    playlists.make(owner, "A", visibility="shared")
    playlists.make(guest, "c")
    assert [one.name for one in playlists.every(owner)] == ["A", "b"]
    assert [one.name for one in playlists.every(guest)] == ["A", "c"]
    assert [one.name for one in playlists.every(guest, owner="OLGA")] == ["A"]
    assert list(playlists.every(guest, owner="nobody")) == []
