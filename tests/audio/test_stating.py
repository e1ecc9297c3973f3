"""What tags say as plain values: complete, JSON, and only what is asked for is stated."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from shared.audio.stating import FIELDS, canonical, values_of
from shared.model.track import Credit, Metadata

ANN, BOB = "a74b1b7f-71a5-4011-9441-d0b5e4122711", "b10bbbfc-cf9e-42e0-be17-e2c3e1d2600d"
WHOLE = Metadata(
    title="Rain — Ляля", artist="Ann feat. Bob", album="Weather", album_artist="Ann",
    credits=(Credit("Ann", "artist", ANN, "Ann"), Credit("Bob", "artist", BOB, "Bob"),
             Credit("Ann", "albumartist", ANN, "Ann"), Credit("Carl", "composer")),
    track_number=3, track_total=12, disc_number=2, disc_total=2, disc_title="Night", year=1999, date="1999-04-01",
    original_date="1998", genres=("Jazz", "Soul"), compilation=True, isrc="USRC17607839", recording_mbid=ANN,
    release_mbid=BOB, release_group_mbid=ANN, title_sort="Rain", album_sort="Weather", comment="Live")


def test_all_fields_are_there_and_survive_being_written_down() -> None:
    values = values_of(WHOLE)
    assert set(values) == set(FIELDS) and json.loads(json.dumps(values)) == values
    assert values["artists"] == [["Ann", ANN, "Ann"], ["Bob", BOB, "Bob"]]
    assert values_of(replace(WHOLE, date=None))["date"] == "1999"


@given(st.sets(st.sampled_from(FIELDS)))
def test_only_what_is_given_is_stated(names: set[str]) -> None:
    some = canonical({name: values_of(WHOLE)[name] for name in names})
    every = canonical(values_of(WHOLE))
    assert set(some) <= set(every)
    assert ("TITLE" in some) == ("title" in names) and ("DATE" in some) == ("date" in names)
    assert ("ARTISTS" in some) == ("artists" in names) and ("GENRE" in some) == ("genres" in names)
    assert canonical({}) == {} and not any(canonical(dict.fromkeys(names)).values())
