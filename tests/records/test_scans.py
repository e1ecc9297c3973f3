from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.database import Database
from shared.model.errors import NotFound
from shared.model.person import Person
from shared.model.scan import BadFile, ChangedFile, MovedFile, NewFile, Picture
from shared.model.track import Credit, Filters, Lyrics
from shared.records.albums import Albums
from shared.records.artists import Artists
from shared.records.changes import Changes
from shared.records.copies import Copies
from shared.records.listening import Listening
from shared.records.scans import Scans
from shared.records.tracks import Tracks
from tests.patience import often
from tests.records.songs import TIME, Music, inconsistencies, known_of, metadata, reading


def albums_of(database: Database, person: Person) -> list[Any]:
    return Albums(database=database).list(person).items


# ---- files ---------------------------------------------------------------------------------------------------------


def test_a_new_file_becomes_a_track_with_all_it_says(music: Music, owner: Person) -> None:
    tags = metadata(
        "Under Pressure",
        "Queen & David Bowie",
        "Hot Space",
        "Queen",
        11,
        disc_number=1,
        year=1982,
        date="1982-05-21",
        genres=("Rock", "Pop"),
        isrc="GBUM71029605",
        bpm=114.0,
        comment="hi",
        credits=(Credit("Queen"), Credit("David Bowie"), Credit("Queen", "albumartist"), Credit("Mack", "producer")),
    )
    uid = music.add("Queen/Hot Space/11.flac", tags, duration_ms=248_000)
    track = Tracks(database=music.database).get(owner, uid)
    assert (track.title, track.artist, track.album, track.album_artist) == (
        "Under Pressure",
        "Queen & David Bowie",
        "Hot Space",
        "Queen",
    )
    assert [(one.name, one.role) for one in track.artists] == [
        ("Queen", "artist"),
        ("David Bowie", "artist"),
        ("Queen", "albumartist"),
        ("Mack", "producer"),
    ]
    assert (track.track_number, track.year, track.genres, track.isrc, track.duration_ms) == (
        11,
        1982,
        ["Rock", "Pop"],
        "GBUM71029605",
        248_000,
    )
    assert (track.place, track.favourite, track.rating, track.play_count) == ("local", False, 0, 0)
    assert track.path == "Queen/Hot Space/11.flac"
    assert track.added_at.endswith("Z")
    assert inconsistencies(music.database) == []


def test_who_may_not_see_files_is_shown_no_path(music: Music, guest: Person) -> None:
    assert Tracks(database=music.database).get(guest, music.add("a/1.flac")).path is None


def test_a_known_path_in_a_batch_of_new_files_counts_as_changed(music: Music, owner: Person) -> None:
    uid = music.add("a/1.flac", metadata("Old"))
    result = music.add_all({"a/1.flac": metadata("New"), "a/2.flac": metadata("Other", number=2)})
    assert (result.added, result.changed) == (1, 1)
    assert Tracks(database=music.database).get(owner, uid).title == "New"


def test_an_empty_batch_moves_nothing(music: Music) -> None:
    before = music.one("SELECT value FROM state WHERE name = 'revision'")
    assert music.scans.apply(music.batch()).revision == int(before)
    assert music.one("SELECT value FROM state WHERE name = 'revision'") == before


def test_one_batch_moves_the_revision_once(music: Music) -> None:
    one = music.add_all({f"a/{i}.flac": metadata(f"t{i}", number=i) for i in range(1, 50)})
    two = music.add_all({"b/1.flac": metadata("x", album="Y")})
    assert two.revision == one.revision + 1


def test_what_is_known_is_told_by_path_with_its_flags(music: Music) -> None:
    music.add_all({f"a/{i}.flac": metadata(number=i) for i in range(3)})
    music.lose("a/1.flac")
    Tracks(database=music.database).trash(
        music.uid("a/2.flac"), trashed_from="a/2.flac", path=".soundsible/trash/x.flac"
    )
    known = music.scans.known(music.root.id)
    assert {path: row[3] for path, row in known.items()} == {
        "a/0.flac": 0,
        "a/1.flac": 1,
        ".soundsible/trash/x.flac": 2,
    }
    assert known["a/0.flac"][1:3] == (30_000_000, TIME)
    assert known_of(music, "a/1.flac").missing
    assert music.scans.known(music.root.id + 1) == {}


def test_a_file_that_vanished_is_missing_but_stays_listed_and_comes_back(music: Music, owner: Person) -> None:
    uid = music.add("a/1.flac")
    assert music.lose("a/1.flac").missing == 1
    assert music.lose("a/1.flac").missing == 0
    tracks = Tracks(database=music.database)
    assert tracks.get(owner, uid).place == "missing"
    assert tracks.missing_ids() == [uid]
    assert tracks.list(owner, filters=Filters(place="missing")).total == 1
    assert tracks.list(owner, filters=Filters(place="local")).total == 0
    assert tracks.file_of(uid).missing
    music.bring_back("a/1.flac")
    assert tracks.get(owner, uid).place == "local"
    assert inconsistencies(music.database) == []


def test_a_missing_file_that_is_read_anew_is_missing_no_more(music: Music, owner: Person) -> None:
    uid = music.add("a/1.flac")
    music.lose("a/1.flac")
    music.retag({"a/1.flac": metadata("Back")})
    assert Tracks(database=music.database).get(owner, uid).place == "local"


def test_a_moved_file_keeps_its_id_and_plays(music: Music, owner: Person) -> None:
    uid = music.add("a/1.flac")
    Listening(database=music.database).play(owner, uid)
    assert music.rename({"a/1.flac": "b/c/9.flac"}).moved == 1
    track = Tracks(database=music.database).get(owner, uid)
    assert (track.path, track.play_count) == ("b/c/9.flac", 1)
    assert inconsistencies(music.database) == []


def test_two_files_may_change_places(music: Music) -> None:
    one, two = music.add("a/1.flac", metadata("one")), music.add("a/2.flac", metadata("two", number=2))
    music.rename({"a/1.flac": "a/2.flac", "a/2.flac": "a/1.flac"})
    assert (music.uid("a/2.flac"), music.uid("a/1.flac")) == (one, two)
    assert inconsistencies(music.database) == []


def test_a_file_moved_over_another_leaves_that_one_missing(music: Music, owner: Person) -> None:
    one, two = music.add("a/1.flac", metadata("one")), music.add("a/2.flac", metadata("two", number=2))
    music.rename({"a/1.flac": "a/2.flac"})
    tracks = Tracks(database=music.database)
    assert (tracks.get(owner, one).place, tracks.get(owner, two).place) == ("local", "missing")


def test_names_that_are_no_unicode_survive(music: Music, owner: Person) -> None:
    from shared.model.filepath import to_path, to_text

    odd = to_text("a/\udcff\udce9.flac")
    uid = music.add(odd)
    assert odd in music.scans.known(music.root.id)
    assert Tracks(database=music.database).file_of(uid).path == to_path(odd)


def test_files_that_cannot_be_read_are_remembered_until_they_are_cured(music: Music) -> None:
    bad = BadFile(music.found("a/x.mp3", size=0), "empty", "It has 0 bytes.")
    music.scans.apply(music.batch(bad=[bad, BadFile(music.found("a/y.mp3"), "not_audio", "A text.")]))
    assert music.scans.bad(music.root.id) == {"a/x.mp3": (0, TIME), "a/y.mp3": (30_000_000, TIME)}
    assert [entry.reason for entry in music.scans.bad_entries()] == ["empty", "not_audio"]
    music.add("a/x.mp3")
    music.scans.apply(music.batch(cured=["a/y.mp3"]))
    assert music.scans.bad(music.root.id) == {}


def test_lyrics_come_with_a_reading_and_go_with_the_next(music: Music, owner: Person) -> None:
    tracks = Tracks(database=music.database)
    uid = music.add("a/1.flac", lyrics=(Lyrics("[00:01.00] la", True, "eng", "sidecar"), Lyrics("la", False)))
    assert tracks.get(owner, uid).has_lyrics
    assert [(one.text, one.synced, one.source) for one in tracks.lyrics(uid)] == [
        ("[00:01.00] la", True, "sidecar"),
        ("la", False, "embedded"),
    ]
    music.retag({"a/1.flac": metadata()})
    assert not tracks.get(owner, uid).has_lyrics
    assert tracks.lyrics(uid) == []


# ---- albums --------------------------------------------------------------------------------------------------------


def test_tracks_of_one_album_and_artist_make_one_album_over_batches_and_folders(music: Music, owner: Person) -> None:
    music.add("x/CD1/1.flac", metadata("a", disc_number=1, disc_title="First", year=1977))
    music.add("x/CD2/1.flac", metadata("b", disc_number=2, year=1977))
    music.add("elsewhere/3.flac", metadata("c", number=2, disc_number=2, year=1999))
    (album,) = albums_of(music.database, owner)
    assert (album.track_count, album.disc_count, album.year, album.duration_ms) == (3, 2, 1977, 600_000)
    whole = Albums(database=music.database).get(owner, album.id)
    assert [track.title for track in whole.tracks] == ["a", "b", "c"]
    assert [(disc.number, disc.title) for disc in whole.discs] == [(1, "First"), (2, None)]


def test_a_folder_of_different_artists_without_album_artist_is_a_compilation(music: Music, owner: Person) -> None:
    loose = {f"mix/{i}.flac": metadata(f"t{i}", name, "Mix", None, i) for i, name in enumerate(["A", "A", "B"], 1)}
    music.add_all(dict(list(loose.items())[:2]))
    (album,) = albums_of(music.database, owner)
    assert (album.artist, album.compilation) == ("A", False)
    music.add_all(dict(list(loose.items())[2:]))
    (after,) = albums_of(music.database, owner)
    assert (after.id, after.artist, after.compilation, after.track_count) == (album.id, "Various Artists", True, 3)
    names = {artist.name: artist.album_count for artist in Artists(database=music.database).list(owner).items}
    assert names == {"A": 0, "B": 0, "Various Artists": 1}
    assert inconsistencies(music.database) == []
    Tracks(database=music.database).trash(music.uid("mix/3.flac"), trashed_from="mix/3.flac", path="t/3.flac")
    (again,) = albums_of(music.database, owner)
    assert (again.id, again.artist, again.compilation) == (album.id, "A", False)
    assert inconsistencies(music.database) == []


def test_the_most_common_year_wins_and_the_earliest_original_date(music: Music) -> None:
    years = [(2003, "2003"), (2003, "2003"), (1980, "1980")]
    music.add_all(
        {
            f"a/{i}.flac": metadata(number=i, year=year, date=date, original_date=f"19{70 + i}")
            for i, (year, date) in enumerate(years)
        }
    )
    assert music.rows("SELECT year, date, original_date FROM albums") == [(2003, "2003", "1970")]


def test_an_album_has_the_genres_of_its_tracks_the_commonest_first(music: Music, owner: Person) -> None:
    music.add_all(
        {"a/1.flac": metadata(number=1, genres=("Pop", "Rock")), "a/2.flac": metadata(number=2, genres=("Rock",))}
    )
    (album,) = albums_of(music.database, owner)
    assert album.genres == ["Rock", "Pop"]


def test_retagging_a_whole_album_at_once_keeps_its_id_and_plays(music: Music, owner: Person) -> None:
    uids = music.album("a", "Low", "Bowie")
    (old,) = albums_of(music.database, owner)
    Listening(database=music.database).play(owner, uids[0])
    Listening(database=music.database).favourite_album(owner, old.id, True)
    revision = int(music.one("SELECT value FROM state WHERE name = 'revision'"))
    music.retag({f"a/0{i}.flac": metadata(f"s{i}", "David Bowie", "Low (1977)", "David Bowie", i) for i in (1, 2, 3)})
    (new,) = albums_of(music.database, owner)
    assert (new.id, new.title, new.artist) == (old.id, "Low (1977)", "David Bowie")
    assert (new.favourite, new.play_count, new.added_at) == (True, 1, old.added_at)
    changes = Changes(database=music.database).since(owner, revision)
    assert (changes.albums.added, changes.albums.changed, changes.albums.removed) == ([], [old.id], [])
    assert inconsistencies(music.database) == []


def test_retagging_a_whole_album_one_by_one_keeps_its_id(music: Music, owner: Person) -> None:
    music.album("a", "Low", "David Bowie")
    (old,) = albums_of(music.database, owner)
    seen = set()
    for i in (1, 2, 3):
        music.retag({f"a/0{i}.flac": metadata(f"s{i}", "David Bowie", "Lower", "David Bowie", i)})
        seen.update(album.id for album in albums_of(music.database, owner))
    music.scans.finish()
    (new,) = albums_of(music.database, owner)
    assert (new.id, new.title, new.track_count) == (old.id, "Lower", 3)
    (interim,) = seen - {old.id}
    assert Changes(database=music.database).since(owner, 1).albums.removed == [interim]
    assert inconsistencies(music.database) == []


def test_retagging_one_track_of_an_album_makes_another_album(music: Music, owner: Person) -> None:
    music.album("a", "Low", "David Bowie")
    (old,) = albums_of(music.database, owner)
    music.retag({"a/01.flac": metadata("s", "David Bowie", "Singles", "David Bowie", 1)})
    both = {album.title: album for album in albums_of(music.database, owner)}
    assert both["Low"].id == old.id and both["Singles"].id != old.id
    assert (both["Low"].track_count, both["Singles"].track_count) == (2, 1)


def test_retagging_an_artist_everywhere_keeps_the_artists_id(music: Music, owner: Person) -> None:
    music.album("a", "Low", "Bowie")
    music.album("b", "Lodger", "Bowie")
    artists = Artists(database=music.database)
    (old,) = artists.list(owner).items
    Listening(database=music.database).favourite_artist(owner, old.id, True)
    music.retag({f"a/0{i}.flac": metadata(f"s{i}", "David Bowie", "Low", "David Bowie", i) for i in (1, 2, 3)})
    assert len(artists.list(owner).items) == 2
    music.retag({f"b/0{i}.flac": metadata(f"s{i}", "David Bowie", "Lodger", "David Bowie", i) for i in (1, 2, 3)})
    (new,) = artists.list(owner).items
    assert (new.id, new.name, new.favourite, new.album_count) == (old.id, "David Bowie", True, 2)
    assert inconsistencies(music.database) == []


def test_a_respelled_album_changes_its_title_in_place(music: Music, owner: Person) -> None:
    music.album("a", "the wall", "pink floyd", 2)
    (old,) = albums_of(music.database, owner)
    music.retag({f"a/0{i}.flac": metadata(f"s{i}", "Pink Floyd", "The Wall", "Pink Floyd", i) for i in (1, 2)})
    (new,) = albums_of(music.database, owner)
    assert (new.id, new.title, new.artist) == (old.id, "The Wall", "Pink Floyd")


def test_one_name_with_two_musicbrainz_ids_is_two_artists(music: Music, owner: Person) -> None:
    music.add_all(
        {
            f"{i}/1.flac": metadata("t", "Nirvana", f"Album {i}", None, credits=(Credit("Nirvana", mbid=mbid),))
            for i, mbid in enumerate(["m-us", "m-uk", None])
        }
    )
    assert sorted(one.mbid for one in Artists(database=music.database).list(owner).items) == ["m-uk", "m-us"]
    assert inconsistencies(music.database) == []


def test_an_artist_learns_the_musicbrainz_id_later(music: Music, owner: Person) -> None:
    music.add("1/1.flac", metadata("t", "Nirvana", "A", None))
    music.add("2/1.flac", metadata("t", "Nirvana", "B", None, credits=(Credit("Nirvana", mbid="m1"),)))
    (artist,) = Artists(database=music.database).list(owner).items
    assert artist.mbid == "m1"


def test_an_album_folder_that_is_renamed_takes_later_tracks_in(music: Music, owner: Person) -> None:
    loose = {f"old/{i}.flac": metadata(f"t{i}", "A", "Mix", None, i) for i in (1, 2)}
    music.add_all(loose)
    music.rename({"old/1.flac": "new/1.flac", "old/2.flac": "new/2.flac"})
    music.add("new/3.flac", metadata("t3", "A", "Mix", None, 3))
    (album,) = albums_of(music.database, owner)
    assert album.track_count == 3


# ---- pictures ------------------------------------------------------------------------------------------------------


def version_of(database: Database, person: Person) -> str | None:
    (album,) = albums_of(database, person)
    return album.cover.version if album.cover else None


def test_a_picture_in_the_folder_comes_before_an_embedded_one(music: Music, owner: Person) -> None:
    uid = music.add("a/1.flac", picture_bytes=1000)
    albums = Albums(database=music.database)
    embedded = albums.artwork_of(uid)
    assert embedded is not None and (embedded.kind, embedded.path, embedded.root) == ("embedded", "a/1.flac", "/music")
    music.scans.apply(music.batch(pictures=[Picture("a", "a/cover.jpg", 5, TIME)]))
    lying = albums.artwork_of(uid)
    assert lying is not None and (lying.kind, lying.path) == ("sidecar", "a/cover.jpg")
    assert music.scans.pictures(music.root.id) == {"a": ("a/cover.jpg", 5, TIME)}
    first = version_of(music.database, owner)
    albums.set_color(lying.id, "#102030")
    music.scans.apply(music.batch(pictures=[Picture("a", "a/cover.jpg", 6, TIME)]))
    (album,) = albums_of(music.database, owner)
    assert album.cover.version != first and album.cover.color is None
    music.scans.apply(music.batch(pictures=[Picture("a", "", 0, 0)]))
    again = albums.artwork_of(album.id)
    assert again is not None and again.kind == "embedded"
    assert inconsistencies(music.database) == []


def test_the_first_discs_picture_is_the_albums_then_the_one_above_its_discs_then_another_discs(music: Music) -> None:
    music.add("x/CD2/1.flac", metadata("b", disc_number=2), pictures=[Picture("x/CD2", "x/CD2/two.jpg", 1, TIME)])
    music.add("x/CD1/1.flac", metadata("a", disc_number=1))
    albums = Albums(database=music.database)
    uid = music.uid("x/CD2/1.flac")
    assert albums.artwork_of(uid).path == "x/CD2/two.jpg"  # type: ignore[union-attr]
    music.scans.apply(music.batch(pictures=[Picture("x", "x/above.jpg", 1, TIME)]))
    assert albums.artwork_of(uid).path == "x/above.jpg"  # type: ignore[union-attr]
    music.scans.apply(music.batch(pictures=[Picture("x/CD1", "x/CD1/one.jpg", 1, TIME)]))
    assert albums.artwork_of(uid).path == "x/CD1/one.jpg"  # type: ignore[union-attr]


def test_a_track_without_an_album_shows_its_own_picture(music: Music, owner: Person) -> None:
    uid = music.add("single.flac", metadata("One", "A", None, None), picture_bytes=99)
    assert Tracks(database=music.database).get(owner, uid).cover is not None
    assert Albums(database=music.database).artwork_of(uid).path == "single.flac"  # type: ignore[union-attr]
    music.scans.finish()
    assert Albums(database=music.database).artwork_of(uid) is not None


# ---- the whole of it -----------------------------------------------------------------------------------------------


def test_finishing_clears_what_nobody_refers_to_and_costs_nothing_the_second_time(music: Music, owner: Person) -> None:
    music.album("a", "Low", "David Bowie")
    music.lose("a/01.flac", "a/02.flac", "a/03.flac")
    Tracks(database=music.database).purge_missing()
    music.scans.finish()
    assert music.rows("SELECT * FROM albums") == music.rows("SELECT * FROM artists") == []
    revision = music.one("SELECT value FROM state WHERE name = 'revision'")
    music.scans.finish()
    assert music.one("SELECT value FROM state WHERE name = 'revision'") == revision
    assert inconsistencies(music.database) == []


def test_a_forgotten_folder_leaves_its_tracks_missing_and_comes_back_with_them(music: Music, owner: Person) -> None:
    uid = music.add("a/1.flac")
    music.scans.forget_root("/music")
    assert music.scans.roots() == []
    assert Tracks(database=music.database).get(owner, uid).place == "missing"
    with pytest.raises(NotFound):
        music.scans.forget_root("/music")
    assert music.scans.add_root("/music").id == music.root.id
    music.bring_back("a/1.flac")
    assert Tracks(database=music.database).get(owner, uid).place == "local"


def test_a_report_is_kept_and_one_that_was_cut_off_is_failed(database: Database) -> None:
    scans = Scans(database=database)
    assert scans.last() is None
    cut = scans.start("one")
    assert scans.last().state == "running"  # type: ignore[union-attr]
    report = scans.start("two", deep=True)
    scans.progress(replace(report, state="done", phase=None, found=5, added=5, finished_at="2026-01-01T00:00:00Z"))
    last = scans.last()
    assert last is not None and (last.id, last.state, last.found) == ("two", "done", 5)
    assert cut.id == "one"


def test_vanished_files_are_found_by_inode_by_stat_and_by_tags(music: Music) -> None:
    music.add_all({f"a/{i}.flac": metadata(f"t{i}", number=i) for i in range(4)})
    music.lose("a/0.flac", "a/1.flac", "a/2.flac")
    known = {
        one.path: one for one in music.scans.known_file([row[0] for row in music.scans.known(music.root.id).values()])
    }
    by_inode = music.scans.vanished_candidates(inodes=[("1", known["a/0.flac"].inode or "")])
    assert [one.path for one in by_inode] == ["a/0.flac"]
    assert len(music.scans.vanished_candidates(stats=[(30_000_000, TIME)])) == 3
    assert [one.path for one in music.scans.vanished_candidates(tags=[("t2", "David Bowie", 200_000)])] == ["a/2.flac"]


NAMES = st.sampled_from(["A", "B", "Bj\u00f6rk", "Various Artists"])
TITLES = st.sampled_from(["One", "Two", "Three", None])
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "tag", "lose", "back", "trash", "restore", "move", "purge", "edit", "finish"]),
        st.integers(0, 7),
        NAMES,
        TITLES,
        st.sampled_from([*"AB", None]),
        st.sampled_from([("Rock",), ("Rock", "Pop"), ()]),
    ),
    max_size=25,
)


@settings(max_examples=often(20), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_whatever_happens_all_counts_are_those_of_counting_anew(
    tmp_path_factory: pytest.TempPathFactory, steps: Any
) -> None:
    database = Database(tmp_path_factory.mktemp("any") / "library.db")
    database.prepare()
    try:
        music, tracks = Music(database), Tracks(database=database)
        paths: dict[int, str] = {}
        trashed: dict[int, str] = {}
        for number, (step, which, artist, album, album_artist, genres) in enumerate(steps):
            tags = metadata(
                f"t{which}", artist, album, album_artist, which, genres=genres, disc_number=which % 3 or None
            )
            path = paths.get(which)
            if step == "add" and path is None and which not in trashed:
                paths[which] = f"f{which % 2}/{which}.flac"
                music.scans.apply(music.batch(new=[NewFile(music.found(paths[which]), reading(tags))]))
            elif path is None and step == "restore" and which in trashed:
                paths[which] = f"f{which % 2}/back{number}.flac"
                tracks.restore(trashed.pop(which), path=paths[which])
            elif path is None:
                continue
            elif step == "tag":
                file_id = music.scans.known(music.root.id)[path][0]
                music.scans.apply(music.batch(changed=[ChangedFile(file_id, music.found(path), reading(tags))]))
            elif step == "lose":
                music.lose(path)
            elif step == "back":
                music.bring_back(path)
            elif step == "trash":
                trashed[which] = music.uid(path)
                tracks.trash(trashed[which], trashed_from=path, path=f"trash/{number}.flac")
                del paths[which]
            elif step == "move":
                paths[which] = f"f{which % 2}/m{number}.flac"
                music.rename({path: paths[which]})
            elif step == "purge":
                music.lose(path)
                tracks.purge_missing([music.uid(path)])
                del paths[which]
            elif step == "edit":
                tracks.override(music.uid(path), {"album": album, "artist": artist, "genres": list(genres)})
            elif step == "finish":
                music.scans.finish()
        assert inconsistencies(database) == []
        music.scans.finish()
        assert inconsistencies(database) == []
    finally:
        database.close()


def test_a_moved_file_keeps_its_hash_only_when_it_is_as_it_was(music: Music) -> None:
    music.add("a.flac")
    music.scans.set_sha256({music.one("SELECT id FROM files"): "ab" * 32})
    music.rename({"a.flac": "b.flac"})
    assert music.one("SELECT sha256 FROM files") == "ab" * 32
    file_id = music.one("SELECT id FROM files")
    music.scans.apply(music.batch(moved=[MovedFile(file_id, music.found("c.flac", mtime=TIME + 1))]))
    assert music.one("SELECT sha256 FROM files") is None


def test_a_changed_file_has_no_hash_any_more(music: Music) -> None:
    music.add("a.flac")
    music.scans.set_sha256({music.one("SELECT id FROM files"): "ab" * 32})
    music.retag({"a.flac": metadata("Other")})
    assert music.one("SELECT sha256 FROM files") is None


def test_an_offloaded_file_that_turns_up_is_here_again(music: Music, owner: Person) -> None:
    copies = Copies(database=music.database)
    for number, deed in enumerate((
        lambda path: music.bring_back(path),
        lambda path: music.rename({path: f"moved {path}"}),
        lambda path: music.retag({path: metadata("New")}),
    )):  # fmt: skip
        uid = music.add(f"{number}.flac", metadata(f"Song {number}"))
        copies.offloaded(uid, 5.0)
        assert music.scans.known(music.root.id)[f"{number}.flac"][3] == 1 + 8
        deed(f"{number}.flac")
        assert Tracks(database=music.database).get(owner, uid).place == "local"
    assert music.rows("SELECT DISTINCT offloaded_at, missing_since FROM files") == [(None, None)]


def test_a_folder_whose_music_was_all_offloaded_is_not_lost(music: Music) -> None:
    one, two = music.album("a", "Low", "David Bowie", 2)
    copies = Copies(database=music.database)
    assert music.scans.expects_files(music.root.id)
    copies.offloaded(one, 5.0)
    music.lose("a/02.flac")
    assert (music.scans.lost_roots(), music.scans.expects_files(music.root.id)) == (["/music"], True)
    copies.offloaded(two, 5.0)
    assert (music.scans.lost_roots(), music.scans.expects_files(music.root.id)) == ([], False)


def test_the_number_of_an_offloaded_file_is_not_remembered(music: Music) -> None:
    uid = music.add("a.flac")
    Copies(database=music.database).offloaded(uid, 5.0)
    assert known_of(music, "a.flac").inode is None
