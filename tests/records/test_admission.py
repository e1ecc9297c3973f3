"""What the library answers about recordings, and the rows of files that come onto the shelf."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.database import Database, driver_cursor
from shared.model.errors import NotFound
from shared.model.person import Person
from shared.model.scan import NewFile
from shared.model.track import Credit, Filters
from shared.records.admission import Held, Shelving, plain_title
from shared.records.origins import Origins
from shared.records.tracks import Tracks
from tests.records.songs import Music, inconsistencies, metadata, reading

ORIGIN = {"provider": "direct", "url": "http://x.example/a", "sha256": "fe" * 32, "quality": "lossless"}


@pytest.fixture
def shelving(database: Database) -> Shelving:
    return Shelving(database=database)


def uids(held: list[Held]) -> list[str]:
    return [one.track_id for one in held]


def put(shelving: Shelving, music: Music, path: str, sha256: str = "ab" * 32, **tags: Any) -> str:
    return shelving.put(music.root.id, music.found(path), reading(metadata(**tags)), sha256=sha256, origin=ORIGIN)


def test_a_new_file_is_a_track_as_a_scan_would_have_made_it(
    database: Database, shelving: Shelving, music: Music, owner: Person
) -> None:
    uid = put(shelving, music, "a/b.flac")
    other = music.add("c/b.flac", metadata())
    tracks = Tracks(database=database)
    one, two = tracks.get(owner, uid), tracks.get(owner, other)
    assert replace(one, id="", added_at="", path="", fetched_by=None) == replace(two, id="", added_at="", path="")
    assert tracks.file_of(uid).sha256 == "ab" * 32
    origin = Origins(database=database).of(uid)
    assert origin is not None
    assert (origin.provider, origin.sha256, origin.content) == ("direct", "fe" * 32, {"quality": "lossless"})
    assert inconsistencies(database) == []


def test_a_file_that_a_scan_met_first_is_that_one_track(database: Database, shelving: Shelving, music: Music) -> None:
    found = music.found("a/b.flac")
    music.scans.apply(music.batch(new=[NewFile(found, reading(metadata()))]))
    first = shelving.at(music.root.id, "a/b.flac")
    assert first is not None
    again = shelving.put(music.root.id, found, reading(metadata()), sha256="ab" * 32, origin=ORIGIN)
    assert (again, False) == first
    assert Origins(database=database).of(again) is not None
    assert inconsistencies(database) == []


def test_recordings_are_found_by_what_names_them(shelving: Shelving, music: Music) -> None:
    mbid = "a74b1b7f-71a5-4011-9441-d0b5e4122711"
    uid = put(shelving, music, "a.flac", title="Déjà Vu (feat. Carl)", artist="The Änn & Bob", isrc="USRC17607839",
              recording_mbid=mbid, credits=(Credit("The Änn"), Credit("Bob")))
    put(shelving, music, "b.flac", "cd" * 32, title="Déjà Vu (Live)", artist="The Änn")
    assert uids(shelving.by_isrc("USRC17607839")) == [uid]
    assert uids(shelving.by_recording(mbid)) == [uid]
    assert uids(shelving.by_content(["ab" * 32])) == [uid]
    assert uid in uids(shelving.by_content(["fe" * 32]))        # as it was fetched
    assert shelving.by_content(["00" * 32]) == []
    for title, artist in (("deja vu", "the ann"), ("DEJA VU ft. Carl", "The Ann & Bob"), ("Déjà-vu!", "bob"),
                          ("Déjà Vu (featuring X)", "The Änn & Bob feat. Y")):
        assert uids(shelving.by_name(title, artist)) == [uid]
    for title, artist in (("deja", "the ann"), ("deja vu remix", "the ann"), ("deja vu", "somebody"), ("", "bob"),
                          ("deja vu", ""), ('"; DROP', "x"), ("vu*", "a OR b")):
        assert shelving.by_name(title, artist) == []


@pytest.mark.parametrize(("title", "artist"), [("夜に駆ける", "YOASOBI"), ("!!!", "!!!"), ("7", "Ye"), ("Ñ", "Ø")])
def test_names_in_any_script_are_found(shelving: Shelving, music: Music, title: str, artist: str) -> None:
    uid = put(shelving, music, "a.flac", title=title, artist=artist)
    assert uids(shelving.by_name(title, artist)) == [uid]


def test_a_flac_is_found_by_the_checksum_of_its_sound(shelving: Shelving, music: Music) -> None:
    said = replace(reading(metadata()), audio_md5="0f" * 16)
    uid = shelving.put(music.root.id, music.found("a.flac"), said, sha256="ab" * 32, origin=ORIGIN)
    assert uids(shelving.by_content([], "0f" * 16)) == [uid]
    assert shelving.by_content([], "00" * 16) == []


def test_what_is_in_the_trash_is_not_found(database: Database, shelving: Shelving, music: Music) -> None:
    uid = put(shelving, music, "a.flac", isrc="USRC17607839")
    Tracks(database=database).trash(uid, trashed_from="a.flac", path="a.flac")
    assert shelving.by_isrc("USRC17607839") == shelving.by_name("Heroes", "David Bowie") == []
    assert shelving.held(uid) is None
    assert shelving.at(music.root.id, "a.flac") == (uid, True)


def test_a_better_file_keeps_the_track(database: Database, shelving: Shelving, music: Music, owner: Person) -> None:
    uid = put(shelving, music, "a.mp3", title="Rain")
    tracks = Tracks(database=database)
    tracks.override(uid, {"title": "Mine"})
    before = tracks.get(owner, uid)
    better = replace(reading(metadata(title="Rain", album="Weather")), lyrics=())
    shelving.put_in_place(uid, music.root.id, music.found("a.flac"), better, sha256="cd" * 32,
                          origin=ORIGIN | {"url": "http://x.example/b"}, lyrics="7-8")
    after = tracks.get(owner, uid)
    assert (after.id, after.added_at, after.title, after.album, after.path) == (
        uid, before.added_at, "Mine", "Weather", "a.flac")
    assert shelving.at(music.root.id, "a.mp3") is None
    origin = Origins(database=database).of(uid)
    assert origin is not None
    assert origin.url == "http://x.example/b"
    assert len(tracks.list(owner, filters=Filters()).items) == 1
    assert inconsistencies(database) == []


def test_a_track_that_a_scan_made_of_the_better_file_goes(
    database: Database, shelving: Shelving, music: Music, owner: Person
) -> None:
    uid = put(shelving, music, "a.mp3")
    found = music.found("a.flac")
    music.scans.apply(music.batch(new=[NewFile(found, reading(metadata()))]))
    shelving.put_in_place(uid, music.root.id, found, reading(metadata()), sha256="cd" * 32, origin=ORIGIN)
    assert [one.id for one in Tracks(database=database).list(owner, filters=Filters()).items] == [uid]
    assert inconsistencies(database) == []


def test_another_track_that_was_known_at_its_place_is_kept(
    database: Database, shelving: Shelving, music: Music, owner: Person
) -> None:
    uid = put(shelving, music, "a.mp3", title="Rain")
    other = put(shelving, music, "a.flac", "cd" * 32, title="Other")
    shelving.put_in_place(uid, music.root.id, music.found("a.flac"), reading(metadata(title="Rain")), sha256="ef" * 32,
                          origin=ORIGIN)
    assert Tracks(database=database).get(owner, other).place == "missing"
    assert inconsistencies(database) == []


def test_what_has_gone_cannot_be_replaced(database: Database, shelving: Shelving, music: Music) -> None:
    uid = put(shelving, music, "a.mp3")
    Tracks(database=database).trash(uid, trashed_from="a.mp3", path="a.mp3")
    for gone in (uid, "nobody"):
        with pytest.raises(NotFound):
            shelving.put_in_place(gone, music.root.id, music.found("a.flac"), reading(metadata()), sha256="ab" * 32,
                                  origin=ORIGIN)


def test_a_track_of_a_file_that_was_just_replaced_is_forgotten(
    database: Database, shelving: Shelving, music: Music, owner: Person
) -> None:
    uid, stray = put(shelving, music, "a.flac"), music.add("a.mp3", metadata())
    shelving.forget_at(music.root.id, "a.flac", but=uid)
    shelving.forget_at(music.root.id, "a.mp3", but=uid)
    shelving.forget_at(music.root.id, "nowhere.mp3", but=uid)
    assert [one.id for one in Tracks(database=database).list(owner, filters=Filters()).items] == [uid]
    with database.read() as conn:
        gone = driver_cursor(conn).execute("SELECT count(*) FROM removed WHERE uid = ?", (stray,)).fetchone()[0]
    assert gone == 1
    assert inconsistencies(database) == []


@pytest.mark.parametrize(("text", "plain"), [
    ("Rain (feat. Bob)", "Rain"), ("Rain [ft. Bob & Carl] (Live)", "Rain (Live)"), ("Rain feat. Bob", "Rain"),
    ("Rain (Featuring Bob)", "Rain"), ("Rain (With Strings)", "Rain (With Strings)"), ("Feature", "Feature"),
    ("Defeat. Again", "Defeat. Again"), ("feat. Bob", "feat. Bob"), ("Ann ft. Bob", "Ann")])
def test_guests_do_not_count(text: str, plain: str) -> None:
    assert plain_title(text) == plain
