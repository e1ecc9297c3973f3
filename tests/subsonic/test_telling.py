"""Entries of the protocol: made of rows of any kind, without None in them, and with paths that any system takes."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model.errors import NotFound
from shared.model.person import Person
from shared.records.entries import AlbumRow, AlbumRows, ArtistRow, ArtistRows, TrackRow, TrackRows
from shared.subsonic import telling
from shared.subsonic.answer import without_none
from shared.subsonic.telling import Telling, album_child, artist_child, seconds

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SOME = st.none() | TEXT
NUMBER = st.none() | st.integers(0, 9999)
REAL = st.none() | st.floats(-100, 4e9)
TRACKS = st.builds(
    TrackRow, key=st.just(1), uid=st.just("t1"), title=TEXT, artist=TEXT, sort_key=TEXT, track_number=NUMBER,
    disc_number=NUMBER, year=NUMBER, duration_ms=st.integers(0, 10**9), bpm=REAL, isrc=SOME, recording_mbid=SOME,
    comment=SOME, track_gain_db=REAL, track_peak=REAL, album_gain_db=REAL, album_peak=REAL, added_at=st.floats(0, 4e9),
    album_key=st.sampled_from((None, 5)), album_uid=st.sampled_from((None, "a5")), album=SOME, album_artist=SOME,
    size_bytes=NUMBER, mime_type=SOME, format=st.sampled_from((None, "flac", "vorbis", "aac")), path=SOME,
    bitrate_kbps=NUMBER, sample_rate_hz=NUMBER, bit_depth=NUMBER, channels=NUMBER, artwork_key=NUMBER,
    favourite_at=st.none() | st.floats(0, 4e9), rating=st.none() | st.integers(0, 5), play_count=NUMBER,
    last_played_at=st.none() | st.floats(0, 4e9), bookmark_ms=NUMBER)
NEEDED = {"id", "isDir", "title", "size", "contentType", "suffix", "duration", "path", "created", "isVideo", "type",
          "mediaType", "genres", "artists", "albumArtists", "contributors", "replayGain", "displayArtist", "bpm",
          "displayAlbumArtist", "displayComposer", "musicBrainzId", "isrc", "comment", "sortName", "channelCount",
          "samplingRate", "bitDepth", "playCount"}


def test_what_makes_long_lists_leaves_room_for_who_asks_for_little():
    class Slow:
        """Long lists take until they may end."""

        def __init__(self) -> None:
            self.may_end, self.lock, self.now, self.most = threading.Event(), threading.Lock(), 0, 0

        def artists(self, person: Person, keys: Any) -> ArtistRows:
            if len(keys) > telling.LONG:
                with self.lock:
                    self.now += 1
                    self.most = max(self.most, self.now)
                self.may_end.wait(30)
                with self.lock:
                    self.now -= 1
            return ArtistRows([], {}, {})

    rows: Any = Slow()
    tell = Telling(entries=rows)
    with ThreadPoolExecutor(20) as many:
        long = [many.submit(tell.artists_by_key, PERSON, range(500)) for _ in range(20)]
        while rows.now < telling.LONG_AT_ONCE:
            time.sleep(0.001)
        assert tell.artists_by_key(PERSON, range(telling.LONG)) == []
        assert not any(one.done() for one in long)
        rows.may_end.set()
        assert [one.result(30) for one in long] == [[]] * 20
    assert rows.most == telling.LONG_AT_ONCE


@given(row=TRACKS, credits=st.lists(st.tuples(st.just(1), st.sampled_from(("artist", "composer")), TEXT, TEXT),
                                    max_size=3), genres=st.lists(TEXT, max_size=2), with_paths=st.booleans())
def test_a_song_of_any_row_has_all_fields_and_nothing_that_is_none(
    row: TrackRow, credits: list[Any], genres: list[str], with_paths: bool
) -> None:
    found = TrackRows([tuple(row)], {1: credits}, {1: genres}, defaultdict(list), {})
    (song,) = telling._songs(found, with_paths=with_paths)
    assert song.keys() >= NEEDED
    assert without_none(dict(song)) == song and msgspec.json.encode(song)
    assert song["title"] and song["path"] and song["suffix"]
    assert all(value >= 0 for name, value in song["replayGain"].items() if name.endswith("Peak"))
    assert 1 <= song.get("userRating", 1) <= 5


@given(artist=SOME, album=SOME, disc=NUMBER, number=NUMBER, title=TEXT)
def test_a_made_up_path_has_three_parts_that_any_system_takes(
    artist: str | None, album: str | None, disc: int | None, number: int | None, title: str
) -> None:
    parts = telling._path(artist, album, disc, number, title, "flac").split("/")
    assert len(parts) == 3
    assert all(part and part not in (".", "..") and not set(part) & set('\\:*?"<>|\0\n') for part in parts)


@pytest.mark.parametrize(("path", "format", "suffix"), [
    ("a/b.FLAC", "flac", "flac"), ("a.b/c", "vorbis", "ogg"), (None, None, "mp3"), ("x.m4b", "aac", "m4b"),
    ("x.", "alac", "m4a"), ("what.is this", "opus", "opus")])  # fmt: skip
def test_the_suffix_is_the_file_s_or_what_its_format_is_called(path: str, format: str, suffix: str) -> None:
    assert telling._suffix(path, format) == suffix


@pytest.mark.parametrize(("date", "told"), [
    (None, {}), ("1999", {"year": 1999}), ("1999-05", {"year": 1999, "month": 5}),
    ("1999-05-04", {"year": 1999, "month": 5, "day": 4})])
def test_a_date_tells_what_is_known_of_it(date: str | None, told: dict[str, int]) -> None:
    assert telling._date(date) == told


def test_seconds_are_rounded() -> None:
    assert [seconds(one) for one in (0, 499, 500, 1499, 180_001)] == [0, 0, 1, 1, 180]


class Rows:
    """Entries of one track, one album and one artist, without a database."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def keys(self, person: Person, kind: str, uids: Any) -> dict[str, int]:
        return {uid: 1 for uid in uids if uid == {"track": "t1", "album": "a1", "artist": "r1"}[kind]}

    def tracks(self, person: Person, keys: Any) -> TrackRows:
        row = (1, "t1", "T", "", "t", None, None, None, 1000, *[None] * 8, 0.0, *[None] * 18)
        return TrackRows([row for _ in keys], {}, {}, {}, {1: 3.456})

    def albums(self, person: Person, keys: Any) -> AlbumRows:
        row = AlbumRow(1, "a1", "", "", "", None, None, None, None, 0, 0, 0, None, 0.0, None, 3, None, 60.0)
        return AlbumRows([tuple(row) for _ in keys], {}, {}, {}, {})

    def artists(self, person: Person, keys: Any) -> ArtistRows:
        row = ArtistRow(1, "r1", "", "", "", None, 0, 1, 0.0, None, None)
        return ArtistRows([tuple(row) for _ in keys], {}, {})


PERSON = Person(user_id=1, id="p", username="ann", role="owner")


def test_songs_are_tracks_and_episodes_in_the_order_asked_for() -> None:
    asked: list[Any] = []

    def episodes(person: Person, uids: Any) -> dict[str, Any]:
        asked.extend(uids)
        return {"e1": {"id": "e1", "title": "Episode"}}

    its = Telling(entries=Rows(), episodes=episodes)    # type: ignore[arg-type]
    assert [one["id"] for one in its.songs(PERSON, ["e1", "t1", "gone", "t1", "e1"])] == ["e1", "t1", "t1", "e1"]
    assert asked == ["e1", "gone"]
    assert its.song(PERSON, "t1")["averageRating"] == 3.46
    for find in (its.song, its.album, its.artist):
        with pytest.raises(NotFound):
            find(PERSON, "gone")


def test_what_has_no_name_gets_one_and_folders_are_what_they_stand_for() -> None:
    its = Telling(entries=Rows())   # type: ignore[arg-type]
    album, artist = its.album(PERSON, "a1"), its.artist(PERSON, "r1")
    assert album["name"] == artist["name"] == "Unknown"
    assert (album["userRating"], album["played"]) == (3, "1970-01-01T00:01:00.000Z")
    child = album_child(album)
    assert (child["isDir"], child["title"], "parent" in child) == (True, "Unknown", False)
    folder = artist_child(artist)
    assert (folder["isDir"], folder["title"], folder["coverArt"]) == (True, "Unknown", "r1")
    assert its.album_children(PERSON, ["a1"]) == [child] and its.artist_children(PERSON, ["r1", "x"]) == [folder]
