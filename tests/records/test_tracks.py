from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model.errors import BadInput, Conflict, NotFound
from shared.model.person import Person
from shared.model.track import Credit, Filters, Track
from shared.records.albums import Albums
from shared.records.cached import Cached, Entry
from shared.records.copies import Copies
from shared.records.listening import Listening
from shared.records.playlists import Playlists
from shared.records.search import Search
from shared.records.tracks import SORTS, Tracks
from tests.records.songs import TIME, Music, copy_of, inconsistencies, metadata, reading


@pytest.fixture
def tracks(music: Music) -> Tracks:
    return Tracks(database=music.database)


@pytest.fixture
def many(music: Music, owner: Person) -> list[str]:
    """Sixty tracks, many alike, some heard and liked; their ids."""
    files = {}
    for i in range(60):
        artist = ["Abba", "Björk", "The Cure", None][i % 4]
        files[f"{i % 7}/{i:02}.flac"] = metadata(
            f"Song {i % 5}",
            artist,
            ["Gold", "Debut", None][i % 3],
            artist,
            i % 9 or None,
            disc_number=i % 3 or None,
            year=[None, 1999, 2001][i % 3],
            genres=(["Pop"], ["Rock", "Pop"], [])[i % 3],
        )
    for path, tags in files.items():
        music.add(path, tags, duration_ms=1000 * (hash(path) % 7))
    uids = [music.uid(path) for path in files]
    listening = Listening(database=music.database)
    for i in range(0, 20):
        listening.play(owner, uids[i], played_at=1_000_000 + i % 4)
    for i in range(0, 12, 2):
        listening.play(owner, uids[i], played_at=2_000_000 + i)
        listening.rate(owner, uids[i], i % 6)
        listening.favourite(owner, uids[i], True)
    return uids


def walk(tracks: Tracks, person: Person, **asked: object) -> list[Track]:
    """All pages, one after the other, by cursor."""
    items: list[Track] = []
    cursor = None
    while True:
        page = tracks.list(person, limit=7, cursor=cursor, **asked)  # type: ignore[arg-type]
        assert len(page.items) <= 7
        items += page.items
        cursor = page.next_cursor
        if cursor is None:
            assert page.total == len(items)
            return items


@pytest.mark.parametrize("sort", [*SORTS, *(f"-{name}" for name in SORTS)])
def test_every_sort_shows_every_track_once_by_cursor_and_by_offset(
    tracks: Tracks, many: list[str], owner: Person, sort: str
) -> None:
    by_cursor = [track.id for track in walk(tracks, owner, sort=sort, seed=5)]
    assert sorted(by_cursor) == sorted(many)
    by_offset: list[str] = []
    for offset in range(0, 63, 9):
        by_offset += [track.id for track in tracks.list(owner, sort=sort, seed=5, limit=9, offset=offset).items]
    assert by_offset == by_cursor
    opposite = sort.removeprefix("-") if sort.startswith("-") else f"-{sort}"
    assert [track.id for track in walk(tracks, owner, sort=opposite, seed=5)] == by_cursor[::-1]


def test_sorts_order_by_what_they_say(tracks: Tracks, many: list[str], owner: Person) -> None:
    assert [t.title for t in walk(tracks, owner, sort="title")] == sorted(t.title for t in walk(tracks, owner))
    assert [t.duration_ms for t in walk(tracks, owner, sort="-duration")] == sorted(
        (t.duration_ms for t in walk(tracks, owner)), reverse=True
    )
    assert [t.year or 0 for t in walk(tracks, owner, sort="year")] == sorted(t.year or 0 for t in walk(tracks, owner))
    plays = [t.play_count for t in walk(tracks, owner, sort="-plays")]
    assert plays == sorted(plays, reverse=True) and plays[0] == 2
    assert [t.rating for t in walk(tracks, owner, sort="-rating")][:3] == [4, 4, 2]
    assert next(t.id for t in walk(tracks, owner, sort="-played")) == many[10]
    assert next(t.id for t in walk(tracks, owner, sort="-favourited")) == many[10]
    assert [t.id for t in walk(tracks, owner, sort="added")] == many
    albums = [t.album or "~" for t in walk(tracks, owner, sort="album")]
    assert albums == sorted(albums)


def test_a_random_order_comes_back_with_its_seed_and_goes_on_without_it(
    tracks: Tracks, many: list[str], owner: Person
) -> None:
    one = [track.id for track in tracks.list(owner, sort="random", seed=1, limit=60).items]
    assert one == [track.id for track in tracks.list(owner, sort="random", seed=1, limit=60).items]
    assert one != [track.id for track in tracks.list(owner, sort="random", seed=2, limit=60).items]
    assert one != many
    first = tracks.list(owner, sort="random", limit=30)
    second = tracks.list(owner, sort="random", limit=30, cursor=first.next_cursor)
    assert sorted(track.id for track in first.items + second.items) == sorted(many)


def test_pages_stay_in_place_while_tracks_are_added(
    music: Music, tracks: Tracks, many: list[str], owner: Person
) -> None:
    first = tracks.list(owner, sort="title", limit=20)
    music.add_all({f"new/{i}.flac": metadata("Aaa", album="New", number=i) for i in range(10)})
    rest: list[str] = []
    cursor = first.next_cursor
    while cursor:
        page = tracks.list(owner, sort="title", limit=20, cursor=cursor)
        rest += [track.id for track in page.items]
        cursor = page.next_cursor
    assert sorted([track.id for track in first.items] + rest) == sorted(many)


def test_a_cursor_of_another_list_or_with_another_letter_is_refused(
    tracks: Tracks, many: list[str], owner: Person
) -> None:
    cursor = tracks.list(owner, limit=5).next_cursor
    assert cursor is not None
    for broken in [
        cursor[:-1],
        cursor[1:],
        cursor + "A",
        "x",
        "====",
        "é",
        "\x00",
        cursor.swapcase(),
        base64.urlsafe_b64encode(b"12345678[1,2]").decode(),
    ]:
        with pytest.raises(BadInput):
            tracks.list(owner, limit=5, cursor=broken)
    for other in [{"sort": "-title"}, {"sort": "added"}, {"filters": Filters(year=1999)}]:
        with pytest.raises(BadInput):
            tracks.list(owner, limit=5, cursor=cursor, **other)  # type: ignore[arg-type]
    with pytest.raises(BadInput):
        Albums(database=tracks._database).list(owner, cursor=cursor)


@given(st.text(max_size=60))
def test_no_text_is_a_cursor(text: str) -> None:
    from shared.records.pages import _open_cursor

    if text:
        with pytest.raises(BadInput):
            _open_cursor(text, ("tracks", "title", False))


def test_limits_are_clamped_and_unknown_sorts_and_places_refused(
    tracks: Tracks, many: list[str], owner: Person
) -> None:
    assert len(tracks.list(owner, limit=0).items) == 1
    assert len(tracks.list(owner, limit=10**9).items) == 60
    for bad in ({"sort": "colour"}, {"sort": "--title"}, {"offset": -1}, {"filters": Filters(place="moon")}):
        with pytest.raises(BadInput):
            tracks.list(owner, **bad)  # type: ignore[arg-type]


def test_filters_narrow_the_list_and_its_total(tracks: Tracks, many: list[str], owner: Person, guest: Person) -> None:
    every = walk(tracks, owner)
    album_id = next(track.album_id for track in every if track.album == "Gold")
    artist_id = next(one.id for track in every for one in track.artists if one.name == "Björk")
    for filters, expected in [
        (Filters(album_id=album_id), [t for t in every if t.album_id == album_id]),
        (Filters(artist_id=artist_id), [t for t in every if any(a.id == artist_id for a in t.artists)]),
        (Filters(genre="rock"), [t for t in every if "Rock" in t.genres]),
        (Filters(year=1999), [t for t in every if t.year == 1999]),
        (Filters(favourite=True), [t for t in every if t.favourite]),
        (Filters(favourite=False), [t for t in every if not t.favourite]),
        (Filters(q="song 3"), [t for t in every if t.title == "Song 3"]),
        (Filters(q="bjo debut"), [t for t in every if t.artist == "Björk" and t.album == "Debut"]),
        (Filters(place="local"), every),
        (Filters(place="missing"), []),
        (Filters(place="cloud"), []),
        (
            Filters(year=1999, genre="Rock", artist_id=artist_id),
            [t for t in every if t.year == 1999 and "Rock" in t.genres and t.artist == "Björk"],
        ),
        (Filters(album_id="nothing"), []),
        (Filters(artist_id="nothing"), []),
        (Filters(genre="Polka"), []),
        (Filters(q=""), []),
    ]:
        assert {t.id for t in walk(tracks, owner, filters=filters)} == {t.id for t in expected}, filters
    assert walk(tracks, guest, filters=Filters(favourite=True)) == []


def test_totals_follow_what_is_added_and_favoured(music: Music, tracks: Tracks, many: list[str], owner: Person) -> None:
    assert tracks.list(owner).total == 60
    assert tracks.list(owner, filters=Filters(favourite=True)).total == 6
    music.add("new.flac", metadata("New", album=None))
    Listening(database=music.database).favourite(owner, many[1], True)
    assert tracks.list(owner).total == 61
    assert tracks.list(owner, filters=Filters(favourite=True)).total == 7


def test_ids_are_answered_in_their_order_and_unknown_ones_left_out(
    tracks: Tracks, many: list[str], owner: Person
) -> None:
    asked = [many[5], "nothing", many[2], many[5]]
    page = tracks.list(owner, ids=asked)
    assert [track.id for track in page.items] == [many[5], many[2], many[5]]
    assert (page.total, page.next_cursor) == (3, None)


def test_letters_tell_where_each_begins(music: Music, tracks: Tracks) -> None:
    music.add_all(
        {
            f"{i}.flac": metadata(title, artist=title, album=title, album_artist=None, number=i)
            for i, title in enumerate(["10 Years", "(What)", "alpha", "Ärger", "beta", "Яблоко", "東京", "日本", "!!!"])
        }
    )
    letters = {one.letter: one.offset for one in tracks.letters("tracks", "title")}
    assert letters == {"#": 0, "A": 2, "B": 4, "W": 5, "Я": 6, "漢": 7}
    assert next(one.letter for one in tracks.letters("artists", "name")) == "#"
    assert next(one.letter for one in tracks.letters("albums", "artist")) == "#"
    with pytest.raises(BadInput):
        tracks.letters("tracks", "year")


def test_stats_count_what_is_shown(music: Music, tracks: Tracks, many: list[str]) -> None:
    before = tracks.stats()
    assert (before.tracks, before.missing) == (60, 0)
    tracks.trash(many[0], trashed_from="0/00.flac", path="t/1.flac")
    music.lose("1/01.flac")
    after = tracks.stats()
    assert (after.tracks, after.missing, after.revision) == (59, 1, before.revision + 2)


# ---- edits ---------------------------------------------------------------------------------------------------------


def test_an_edit_without_the_file_is_laid_over_every_later_reading(music: Music, tracks: Tracks, owner: Person) -> None:
    uid = music.add("a/1.flac", metadata("Heros", year=1977, genres=("Rock",)))
    tracks.override(uid, {"title": "Heroes", "year": 1978, "genres": ["Art Rock", "Rock"]})
    for _ in range(2):
        track = tracks.get(owner, uid)
        assert (track.title, track.year, track.genres, track.album) == ("Heroes", 1978, ["Art Rock", "Rock"], "Heroes")
        music.retag({"a/1.flac": metadata("Herös", year=1979, number=4)})
    assert tracks.get(owner, uid).track_number == 4
    assert tracks.edits(uid) == {"title": "Heroes", "year": 1978, "genres": ["Art Rock", "Rock"]}
    tracks.override(uid, {"artist": "Bowie, David"})
    assert tracks.get(owner, uid).title == "Heroes"
    assert [one.name for one in tracks.get(owner, uid).artists if one.role == "artist"] == ["Bowie, David"]
    assert inconsistencies(music.database) == []


def test_writing_the_file_ends_the_edit(music: Music, tracks: Tracks, owner: Person) -> None:
    uid = music.add("a/1.flac", metadata("Heros"))
    tracks.override(uid, {"title": "Heroes", "year": 1978})
    tracks.apply_reading(uid, music.found("a/1.flac", mtime=5), reading(metadata("Written", year=1)), written=["title"])
    assert (tracks.get(owner, uid).title, tracks.get(owner, uid).year) == ("Written", 1978)
    tracks.apply_reading(uid, music.found("a/1.flac", mtime=6), reading(metadata("Again", year=2)))
    assert (tracks.get(owner, uid).title, tracks.get(owner, uid).year) == ("Again", 2)
    assert tracks.edits(uid) == {}
    assert music.scans.known(music.root.id)["a/1.flac"][2] == 6


def test_an_edit_keeps_what_it_does_not_name(music: Music, tracks: Tracks, owner: Person) -> None:
    tags = metadata(
        "T",
        "A feat. B",
        "C",
        "A",
        3,
        disc_number=2,
        date="1999-05-01",
        year=1999,
        isrc="GBUM71029605",
        release_mbid="r1",
        bpm=90.5,
        comment="c",
        credits=(Credit("A", mbid="m1"), Credit("B"), Credit("A", "albumartist", mbid="m1"), Credit("P", "producer")),
    )
    uid = music.add("a/1.flac", tags, picture_bytes=10)
    before = tracks.get(owner, uid)
    tracks.override(uid, {"track_number": 4})
    after = tracks.get(owner, uid)
    assert after == Track(**{**{name: getattr(before, name) for name in Track.__dataclass_fields__}, "track_number": 4})


def test_editing_the_album_of_each_track_keeps_the_albums_id(music: Music, tracks: Tracks, owner: Person) -> None:
    uids = music.album("a", "Low", "Bowie", release_mbid="r1")
    before = tracks.get(owner, uids[0]).album_id
    for uid in uids:
        tracks.override(uid, {"album": "Low!", "album_artist": "David Bowie"})
    assert {tracks.get(owner, uid).album_id for uid in uids} == {before}
    assert inconsistencies(music.database) == []


def test_fields_that_cannot_be_edited_are_refused_by_name(music: Music, tracks: Tracks) -> None:
    uid = music.add("a/1.flac")
    with pytest.raises(BadInput, match="colour"):
        tracks.override(uid, {"colour": "red"})
    with pytest.raises(NotFound):
        tracks.override("nothing", {"title": "x"})


def test_taking_the_artist_away_leaves_an_unknown_one(music: Music, tracks: Tracks, owner: Person) -> None:
    uid = music.add("a/1.flac")
    tracks.override(uid, {"artist": None, "album": None, "album_artist": None})
    track = tracks.get(owner, uid)
    assert (track.artist, track.album, track.album_id) == ("Unknown artist", None, None)
    assert inconsistencies(music.database) == []


# ---- trash ---------------------------------------------------------------------------------------------------------


def test_a_trashed_track_is_gone_everywhere_and_comes_back_as_it_was(
    music: Music, tracks: Tracks, owner: Person
) -> None:
    uids = music.album("a", "Low", "David Bowie", 1)
    uid = uids[0]
    listening, playlists = Listening(database=music.database), Playlists(database=music.database)
    listening.play(owner, uid)
    listening.favourite(owner, uid, True)
    playlist = playlists.make(owner, "Mine", [uid])
    before = tracks.get(owner, uid)
    tracks.trash(uid, trashed_from="a/01.flac", path=".soundsible/trash/x.flac")
    for gone in (
        lambda: tracks.get(owner, uid),
        lambda: tracks.file_of(uid),
        lambda: tracks.lyrics(uid),
        lambda: Albums(database=music.database).get(owner, before.album_id or ""),
    ):
        with pytest.raises(NotFound):
            gone()
    found = Search(database=music.database).find(owner, "low")
    assert (found.tracks, found.albums, found.artists) == ([], [], [])
    assert tracks.list(owner).total == tracks.list(owner, filters=Filters(favourite=True)).total == 0
    assert playlists.get(owner, playlist.id).tracks == []
    (in_trash,) = tracks.trashed().items
    assert (in_trash.id, in_trash.path) == (uid, "a/01.flac") and in_trash.trashed_at.endswith("Z")
    place = tracks.trash_place(uid)
    assert (place.root, place.path, place.trashed_from) == ("/music", ".soundsible/trash/x.flac", "a/01.flac")
    assert inconsistencies(music.database) == []
    tracks.restore(uid, path="a/01.flac")
    assert tracks.get(owner, uid) == before
    assert [track.id for track in playlists.get(owner, playlist.id).tracks] == [uid]
    assert Albums(database=music.database).list(owner).items[0].id == before.album_id
    assert tracks.trashed().items == []
    assert inconsistencies(music.database) == []


def test_a_track_that_could_only_be_marked_stays_gone_after_rescans(
    music: Music, tracks: Tracks, owner: Person
) -> None:
    uid = music.add("a/1.flac")
    tracks.trash(uid, trashed_from="a/1.flac", path="a/1.flac")
    assert music.scans.known(music.root.id)["a/1.flac"][3] == 2
    music.add_all({"a/1.flac": metadata("Again")})
    assert tracks.list(owner).total == 0
    assert inconsistencies(music.database) == []


def test_a_track_is_not_restored_over_another(music: Music, tracks: Tracks) -> None:
    uid = music.add("a/1.flac")
    tracks.trash(uid, trashed_from="a/1.flac", path="t/1.flac")
    music.add("a/1.flac", metadata("Another"))
    with pytest.raises(Conflict):
        tracks.restore(uid, path="a/1.flac")


def test_purging_forgets_for_ever_also_in_playlists(music: Music, tracks: Tracks, owner: Person) -> None:
    one, two = music.album("a", "Low", "David Bowie", 2)
    playlists = Playlists(database=music.database)
    playlist = playlists.make(owner, "Mine", [one, two, one])
    with pytest.raises(NotFound):
        tracks.purge(one)
    tracks.trash(one, trashed_from="a/01.flac", path="t/1.flac")
    tracks.purge(one)
    assert playlists.get(owner, playlist.id).track_count == 1
    with pytest.raises(NotFound):
        tracks.restore(one, path="a/01.flac")
    assert inconsistencies(music.database) == []


def test_only_missing_tracks_are_purged_as_missing(music: Music, tracks: Tracks, owner: Person) -> None:
    one, two, three = music.album("a", "Low", "David Bowie", 3)
    music.lose("a/01.flac", "a/02.flac")
    assert tracks.purge_missing([one, three, "nothing"]) == 1
    assert tracks.purge_missing([]) == 0
    assert tracks.missing_ids() == [two]
    assert tracks.purge_missing() == 1
    assert [track.id for track in tracks.list(owner).items] == [three]
    assert inconsistencies(music.database) == []


def test_what_lies_in_the_cloud_or_the_cache_is_not_missing(music: Music, tracks: Tracks, owner: Person) -> None:
    here, gone, broken, cloud, cached, known = music.album("a", "Low", "David Bowie", 6)
    copies, cache = Copies(database=music.database), Cached(database=music.database)
    copies.put([
        copy_of(here), copy_of(broken, key="b", broken="gone"), copy_of(cloud, sha256="01" * 32),
        copy_of(cached, sha256="02" * 32),
    ])  # fmt: skip
    music.lose(*(f"a/{i:02}.flac" for i in range(2, 7)))
    with music.database.transaction() as conn:
        conn.exec_driver_sql("UPDATE files SET sha256 = ? WHERE path = 'a/06.flac'", ("03" * 32,))

    def told() -> tuple[dict[str, list[str]], list[int | None]]:
        pages = {
            place: tracks.list(owner, filters=Filters(place=place), sort="album")
            for place in ("local", "cache", "cloud", "missing")
        }
        for place, page in pages.items():
            assert {one.place for one in page.items} <= {place}
        return {place: [one.id for one in page.items] for place, page in pages.items()}, [
            page.total for page in pages.values()
        ]

    apart = {"local": [here], "cache": [], "cloud": [cloud, cached], "missing": [gone, broken, known]}
    assert told() == (apart, [1, 0, 2, 3])
    cache.put([Entry(one * 32, 1, 1, 1.0, 1.0) for one in ("02", "03")])
    now = {"local": [here], "cache": [cached, known], "cloud": [cloud], "missing": [gone, broken]}
    assert told() == (now, [1, 2, 1, 2]), "the cache moves without the library: its counts must not"
    assert tracks.missing_ids() == [gone, broken]
    copies.broken("r2", "b", "corrupted")
    assert tracks.stats().missing == 2
    assert tracks.purge_missing([cloud, cached, known, here]) == 0
    assert tracks.purge_missing() == 2
    assert told()[0] == {**now, "missing": []}
    assert inconsistencies(music.database) == []


def test_a_track_in_the_cloud_alone_comes_back_from_the_trash_to_the_cloud(
    music: Music, tracks: Tracks, owner: Person
) -> None:
    (uid,) = music.album("a", "Low", "David Bowie", 1)
    copies = Copies(database=music.database)
    copies.put([copy_of(uid)])
    copies.offloaded(uid, 5.0)
    tracks.trash(uid, trashed_from="a/01.flac", path="a/01.flac")
    tracks.restore(uid, path="a/01.flac")
    assert tracks.get(owner, uid).place == "cloud"
    assert music.one("SELECT offloaded_at FROM files") == 5.0


def test_a_track_whose_tags_were_written_is_here_and_its_hash_is_not_known(
    music: Music, tracks: Tracks, owner: Person
) -> None:
    (uid,) = music.album("a", "Low", "David Bowie", 1)
    copies = Copies(database=music.database)
    copies.put([copy_of(uid)])
    copies.offloaded(uid, 5.0)
    tracks.apply_reading(uid, music.found("a/01.flac", mtime=TIME + 5), reading(metadata("New")))
    assert music.rows("SELECT offloaded_at, missing_since, sha256 FROM files") == [(None, None, None)]
