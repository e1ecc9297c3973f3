"""What is kept of uploads under way, and what the catalogue in a bucket is to tell."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.database import Database
from shared.model.cloud import Copy
from shared.model.track import Lyrics, ReplayGain
from shared.records.copies import Copies
from shared.records.telling import Telling, Told
from shared.records.tracks import Tracks
from shared.records.uploads import Part, Pending, UploadRecords
from tests.records.songs import TIME, Music, metadata


@pytest.fixture
def uploads(database: Database) -> UploadRecords:
    return UploadRecords(database=database)


@pytest.fixture
def telling(database: Database) -> Telling:
    return Telling(database=database)


def pending(key: str = "music/aa/x.flac", upload_id: str = "1") -> Pending:
    return Pending(provider="r2", key=key, upload_id=upload_id, sha256="aa" * 32, part_bytes=8)


def copy(uid: str, *, key: str = "music/aa/x.flac", added_at: float = 0.0, provider: str = "r2") -> Copy:
    return Copy(track_id=uid, provider=provider, key=key, size_bytes=30_000_000, stored_bytes=30_000_000,
                sha256="aa" * 32, format="flac", mime_type="audio/flac", bitrate_kbps=900, compression="",
                source_sha256="aa" * 32, source_size_bytes=30_000_000, source_mtime_ns=TIME, etag="e", sealed=False,
                verified_at=1.0, added_at=added_at)


def test_parts_are_kept_in_order_whenever_they_come(uploads: UploadRecords) -> None:
    uploads.begin(pending())
    for number in (3, 1, 2, 1):
        uploads.part("r2", "music/aa/x.flac", "1", Part(number, f"e{number}", 8))
    found = uploads.get("r2", "music/aa/x.flac")
    assert found is not None
    assert [one.number for one in found.parts] == [1, 2, 3] and found.part_bytes == 8


def test_a_part_of_an_upload_that_was_given_up_is_not_counted_to_the_new_one(uploads: UploadRecords) -> None:
    uploads.begin(pending())
    uploads.begin(pending(upload_id="2"))
    uploads.part("r2", "music/aa/x.flac", "1", Part(1, "e", 8))
    uploads.part("r2", "music/zz/none.flac", "1", Part(1, "e", 8))
    assert [one.parts for one in uploads.all()] == [()]


def test_what_ended_is_not_listed(uploads: UploadRecords) -> None:
    uploads.begin(pending())
    uploads.begin(replace(pending(), provider="b2"))
    uploads.end("r2", "music/aa/x.flac")
    assert [one.provider for one in uploads.all()] == ["b2"]
    assert uploads.all("r2") == [] and uploads.get("r2", "music/aa/x.flac") is None


def test_only_this_tracks_row_of_a_shared_object_is_forgotten(
        uploads: UploadRecords, database: Database, music: Music) -> None:
    one, other = music.add("a.flac"), music.add("b.flac")
    copies = Copies(database=database)
    copies.put([copy(one), copy(other), copy(one, key="music/bb/y.flac")])
    uploads.forget([copy(one)])
    assert [found.key for found in copies.of(one)] == ["music/bb/y.flac"] and len(copies.of(other)) == 1


def test_what_the_library_knows_of_a_tracks_sound(uploads: UploadRecords, music: Music) -> None:
    uid = music.add("a.flac")
    facts = uploads.facts([uid, "nobody"])
    assert list(facts) == [uid]
    assert (facts[uid].format, facts[uid].bitrate_kbps, facts[uid].channels) == ("flac", 900, 2)


def test_a_track_is_told_whole(telling: Telling, music: Music) -> None:
    tags = metadata(
        "Rain", "A feat. B", "Weather", "A", 3, track_total=9, disc_number=2, disc_total=2, disc_title="Storms",
        date="2001-02-03", year=2001, original_date="1999", genres=("Jazz", "Rain"), isrc="USABC1234567",
        recording_mbid="r" * 36, release_mbid="b" * 36, release_group_mbid="g" * 36, bpm=99.5, comment="so",
        replaygain=ReplayGain(-3.0, 0.9, -4.0, 1.0))
    uid = music.add("x/rain.flac", tags, lyrics=(Lyrics("[00:01.00] drip", True, "eng"),))
    told = telling.tracks([uid, "nobody"])[uid]
    assert told.metadata == replace(tags, credits=told.metadata.credits)
    assert [(one.name, one.role) for one in told.metadata.credits] == [("A", "albumartist"), ("A feat. B", "artist")]
    assert (told.root, told.path, told.size_bytes, told.mtime_ns) == ("/music", "x/rain.flac", 30_000_000, TIME)
    assert told.lyrics[0].text == "[00:01.00] drip" and told.facts.duration_ms == 200_000 and told.added_at > 0


def test_a_copy_that_came_is_to_be_told_once(telling: Telling, database: Database, music: Music) -> None:
    uid, copies = music.add("a.flac"), Copies(database=database)
    assert telling.awaited("r2")[0] == {}
    copies.put([copy(uid)])
    uids, reached = telling.awaited("r2")
    assert list(uids) == [uid] and telling.awaited("b2")[0] == {}
    telling.reached("r2", reached)
    assert telling.awaited("r2")[0] == {}


def test_a_copy_that_came_while_the_catalogue_was_written_is_not_forgotten(
        telling: Telling, database: Database, music: Music) -> None:
    first, second = music.add("a.flac"), music.add("b.flac")
    copies = Copies(database=database)
    copies.put([copy(first)])
    _, reached = telling.awaited("r2")
    copies.put([copy(second)])
    telling.reached("r2", reached)
    assert second in telling.awaited("r2")[0]


def test_a_track_whose_tags_changed_is_told_again(telling: Telling, database: Database, music: Music) -> None:
    uid, other, copies = music.add("a.flac"), music.add("b.flac"), Copies(database=database)
    copies.put([copy(uid, added_at=1.0)])
    telling.reached("r2", telling.awaited("r2")[1])
    Tracks(database=database).override(other, {"title": "It has no copy"})
    assert telling.awaited("r2")[0] == {}
    Tracks(database=database).override(uid, {"title": "New"})
    assert list(telling.awaited("r2")[0]) == [uid]
    assert telling.tracks([uid])[uid].metadata.title == "New"


def test_a_clock_that_went_back_makes_all_of_it_be_told_again(
        telling: Telling, database: Database, music: Music) -> None:
    uid = music.add("a.flac")
    Copies(database=database).put([copy(uid, added_at=1000.0)])
    telling.reached("r2", Told(4e9, telling.awaited("r2")[1].revision))
    assert list(telling.awaited("r2")[0]) == [uid]


def test_what_is_in_the_trash_or_broken_is_not_told(telling: Telling, database: Database, music: Music) -> None:
    uid, other, copies = music.add("a.flac"), music.add("b.flac"), Copies(database=database)
    copies.put([copy(uid), copy(other, key="music/bb/y.flac")])
    copies.broken("r2", "music/bb/y.flac", "gone")
    Tracks(database=database).trash(uid, trashed_from="a.flac", path=".soundsible/trash/a.flac")
    assert telling.awaited("r2")[0] == {} and telling.tracks([uid]) == {}
