"""Tags stated anew: what was agreed on, only where nobody else was first, and taken back."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.audio import tags
from shared.audio.stating import FIELDS, values_of
from shared.library.tag_deeds import restate
from shared.model.errors import UnreadableFile
from shared.model.track import Credit, Metadata
from tests.builders import FORMATS, make_audio

ANN, BOB = "a74b1b7f-71a5-4011-9441-d0b5e4122711", "b10bbbfc-cf9e-42e0-be17-e2c3e1d2600d"
WHOLE = Metadata(
    title="Rain — Ляля", artist="Ann feat. Bob", album="Weather", album_artist="Ann",
    credits=(Credit("Ann", "artist", ANN, "Ann"), Credit("Bob", "artist", BOB, "Bob"),
             Credit("Ann", "albumartist", ANN, "Ann"), Credit("Carl", "composer")),
    track_number=3, track_total=12, disc_number=2, disc_total=2, disc_title="Night", year=1999, date="1999-04-01",
    original_date="1998", genres=("Jazz", "Soul"), compilation=True, isrc="USRC17607839", recording_mbid=ANN,
    release_mbid=BOB, release_group_mbid=ANN, title_sort="Rain", album_sort="Weather", comment="Live")


@pytest.mark.parametrize("kind", FORMATS)
def test_what_is_stated_is_what_is_read_in_every_format(tmp_path: Path, kind: str) -> None:
    how = dict(FORMATS[kind])
    path = str(make_audio(tmp_path, f"a{how.pop('suffix')}", seconds=1.0, tags={
        "title": "Old", "artist": "Somebody", "comment": "Mine", "composer": "Carl", "track_number": 9,
        "track_total": 10}, **how))
    before = tags.read(path).metadata
    old, new = values_of(before), values_of(WHOLE)
    changed = {name: new[name] for name in FIELDS if new[name] != old[name]}
    answer = restate(path, path, changed, {name: old[name] for name in changed}, True)
    assert set(answer["set"]) == set(changed) and answer["others"] == []
    now = tags.read(path).metadata
    assert values_of(now) == new and now.comment == "Mine" and answer["reading"].metadata == now
    restate(path, path, {name: old[name] for name in changed}, changed, False)
    assert tags.read(path).metadata == before


def test_a_third_word_keeps_a_file_or_its_field_as_it_is(tmp_path: Path) -> None:
    path = str(make_audio(tmp_path, "a.flac", seconds=1.0, tags={"title": "Third", "album": "Old"}))
    wanted, expected = {"title": "New", "album": "New"}, {"title": "Old", "album": "Old"}
    assert restate(path, path, wanted, expected, True) == {"set": [], "others": ["title"], "reading": None}
    assert tags.read(path).metadata.album == "Old"
    assert restate(path, path, wanted, expected, False)["set"] == ["album"]
    assert (tags.read(path).metadata.title, tags.read(path).metadata.album) == ("Third", "New")


def test_one_number_of_two_keeps_the_other(tmp_path: Path) -> None:
    path = str(make_audio(tmp_path, "a.mp3", seconds=1.0, tags={"title": "A", "track_number": 3, "track_total": 9}))
    restate(path, path, {"track_total": 12}, {"track_total": 9}, True)
    assert (tags.read(path).metadata.track_number, tags.read(path).metadata.track_total) == (3, 12)


def test_a_file_that_became_a_link_is_left(tmp_path: Path) -> None:
    real = make_audio(tmp_path, "real.flac", seconds=1.0, tags={"title": "A"})
    link = tmp_path / "a.flac"
    link.symlink_to(real)
    with pytest.raises(UnreadableFile):
        restate(str(link), str(link), {"title": "B"}, {"title": "A"}, True)
    assert tags.read(str(real)).metadata.title == "A"
