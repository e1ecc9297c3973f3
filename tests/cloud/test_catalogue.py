"""What the bucket tells of itself: written after uploads, read without any database, folded, sealed, damaged."""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from shared.cloud import catalogue, layout
from shared.cloud.uploads import UploadStopped
from shared.model.cloud import StoredObject
from shared.model.errors import SoundsibleError
from shared.model.work import Stopped
from shared.records.tracks import Tracks
from tests.builders import make_album, make_audio, make_picture
from tests.cloud.houses import CloudHouse, Followed
from tests.s3_server import FaultProxy, server


def told(cloud: CloudHouse) -> dict[str, catalogue.Entry]:
    """By title."""
    found = catalogue.read(cloud.bucket, cloud.provider)
    assert found.unreadable == []
    return {one.track.metadata.title or "": one for one in found.entries}


def segments(cloud: CloudHouse) -> list[str]:
    return server().keys(cloud.provider, cloud.provider.prefix + "catalogue/")


@pytest.fixture(params=["plain", "sealed"])
def house(request: pytest.FixtureRequest) -> CloudHouse:
    found: CloudHouse = request.getfixturevalue("cloud" if request.param == "plain" else "sealed")
    return found


def test_after_an_upload_the_bucket_tells_all_that_the_library_knows(house: CloudHouse) -> None:
    files = make_album(house.music, artist="A", album="Rain", count=2, picture=make_picture(), genre=["Jazz", "Rain"])
    uids = house.take_up(*files)
    house.upload()
    found = catalogue.read(house.bucket, house.provider)
    assert (found.segments, found.stations, found.unreadable) == (1, {house.telling.station_id()}, [])
    rows = house.telling.tracks(uids)
    assert {one.track.uid: one.track for one in found.entries} == rows
    for one in found.entries:
        assert [one.copy] == house.copies.of(one.track.uid)
        assert one.cover is not None and one.track.metadata.genres == ("Jazz", "Rain")
        assert house.bucket.head(layout.cover_key(house.provider, one.cover)) is not None


def test_a_sealed_catalogue_shows_nothing_to_the_provider(sealed: CloudHouse) -> None:
    sealed.take_up(*make_album(sealed.music, count=1, picture=make_picture()))
    sealed.upload()
    for key in server().keys(sealed.provider):
        body = server().body(sealed.provider, key)
        assert not body.startswith((b"\x1f\x8b", b"\xff\xd8", b"fLaC"))
    found = catalogue.read(sealed.bucket, replace(sealed.provider, seal_key=None))
    assert found.entries == [] and "recovery key" in found.unreadable[0][1]


def test_a_segment_is_json_that_others_can_read(cloud: CloudHouse) -> None:
    cloud.take_up(make_audio(cloud.music, "a.flac", tags={"title": "Rain"}))
    cloud.upload()
    (key,) = segments(cloud)
    content = json.loads(gzip.decompress(server().body(cloud.provider, key)))
    assert content["version"] == 1 and content["removed"] == []
    (line,) = content["tracks"]
    assert line["key"].startswith("music/") and line["track"]["metadata"]["title"] == "Rain"


def test_nothing_new_writes_nothing(cloud: CloudHouse) -> None:
    cloud.take_up(*make_album(cloud.music, count=1))
    cloud.upload()
    before = segments(cloud)
    cloud.upload()
    assert segments(cloud) == before and len(before) == 1


def test_a_long_upload_tells_each_track_once(cloud: CloudHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.cloud.uploads.TELL_EVERY", 3)
    monkeypatch.setattr("shared.cloud.uploads.ROWS_TOGETHER", 1)
    cloud.take_up(*make_album(cloud.music, count=9))
    cloud.upload(workers=1)
    pieces = [json.loads(gzip.decompress(server().body(cloud.provider, key)))["tracks"] for key in segments(cloud)]
    assert len(pieces) >= 3 and sum(len(one) for one in pieces) == 9


def test_later_words_win_and_a_cover_goes_up_once(cloud: CloudHouse) -> None:
    files = make_album(cloud.music, count=2, picture=make_picture())
    uids = cloud.take_up(*files)
    there = cloud.provider
    with FaultProxy(server().url) as proxy:
        cloud.provider = replace(there, endpoint=proxy.url)
        cloud.upload()
        Tracks(database=cloud.database).override(uids[0], {"title": "A new name"})
        cloud.upload()
        assert proxy.count("^PUT .*/covers/") == 1
    cloud.provider = there
    assert len(segments(cloud)) == 2
    assert set(told(cloud)) == {"A new name", "Foundations 2"}


def test_what_was_replaced_is_told_no_more(cloud: CloudHouse) -> None:
    path = make_audio(cloud.music, "a.flac", tags={"title": "Old"})
    cloud.take_up(path)
    cloud.upload()
    make_audio(cloud.music, "a.flac", tags={"title": "New"})
    cloud.take_up(path)
    cloud.upload()
    found = told(cloud)
    assert set(found) == {"New"}
    assert found["New"].copy.key in server().keys(cloud.provider)


def test_a_run_that_died_before_its_segment_is_told_by_the_next(
        cloud: CloudHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud.take_up(*make_album(cloud.music, count=2))
    with monkeypatch.context() as dying:
        dying.setattr(cloud.catalogue, "tell", lambda *_, **__: 0)
        cloud.upload()
    assert segments(cloud) == []
    cloud.upload()
    assert len(told(cloud)) == 2


def test_an_upload_that_is_asked_to_end_tells_what_it_did(cloud: CloudHouse) -> None:
    cloud.take_up(*make_album(cloud.music, count=8))
    with pytest.raises(UploadStopped) as stopped:
        cloud.upload(workers=1, work=Followed(end_at=lambda moved: moved.done >= 2))
    assert 2 <= stopped.value.report.uploaded < 8
    assert len(told(cloud)) == stopped.value.report.uploaded


def test_a_catalogue_that_cannot_be_written_fails_no_upload(cloud: CloudHouse) -> None:
    cloud.take_up(*make_album(cloud.music, count=1))
    with FaultProxy(server().url) as proxy:
        proxy.fault(r"^PUT .*/catalogue/", error="InternalError")
        there = cloud.provider
        cloud.provider = replace(cloud.provider, endpoint=proxy.url)
        work = Followed()
        assert cloud.upload(work=work).uploaded == 1
        assert any("catalogue" in message for _, message in work.said)
    cloud.provider = there
    cloud.upload()
    assert len(told(cloud)) == 1


def test_many_segments_become_one_and_say_the_same(cloud: CloudHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "MOST_SEGMENTS", 3)
    for number in range(6):
        cloud.take_up(make_audio(cloud.music, f"{number}.flac", tags={"title": f"Song {number}"}))
        cloud.upload()
    path = make_audio(cloud.music, "0.flac", tags={"title": "Song 0 anew"})
    cloud.take_up(path)
    cloud.upload()
    assert len(segments(cloud)) <= 3
    assert set(told(cloud)) == {"Song 0 anew", *(f"Song {number}" for number in range(1, 6))}


def test_a_fold_cut_off_before_its_pieces_were_removed_says_the_same(
        cloud: CloudHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_audio(cloud.music, "a.flac", tags={"title": "Old"})
    cloud.take_up(path, make_audio(cloud.music, "b.flac", tags={"title": "Other"}))
    cloud.upload()
    make_audio(cloud.music, "a.flac", tags={"title": "New"})
    cloud.take_up(path)
    monkeypatch.setattr(catalogue, "MOST_SEGMENTS", 1)
    monkeypatch.setattr(cloud.bucket, "delete", lambda keys: None)
    cloud.upload()
    assert len(segments(cloud)) == 3
    assert set(told(cloud)) == {"New", "Other"}


def test_a_damaged_piece_is_named_and_the_others_count(cloud: CloudHouse) -> None:
    cloud.take_up(make_audio(cloud.music, "a.flac", tags={"title": "Rain"}))
    cloud.upload()
    for name, body in {"1-a": b"\x1f\x8bno", "1-b": gzip.compress(b"{}"), "1-c": gzip.compress(b'{"version": 2}'),
                       "1-d": b"", "1-e": gzip.compress(b"[1")}.items():
        server().put(cloud.provider, f"home/catalogue/{name}.json.gz", body)
    server().put(cloud.provider, "home/catalogue/readme.txt", b"not ours")
    found = catalogue.read(cloud.bucket, cloud.provider)
    assert len(found.entries) == 1 and len(found.unreadable) == 5
    assert any("newer" in why for _, why in found.unreadable)


def test_a_provider_that_fails_while_reading_is_no_empty_library(cloud: CloudHouse) -> None:
    cloud.take_up(make_audio(cloud.music, "a.flac", tags={"title": "Rain"}))
    cloud.upload()
    with FaultProxy(server().url) as proxy:
        cloud.provider = replace(cloud.provider, endpoint=proxy.url)
        proxy.fault(r"^GET .*/catalogue/", error="AccessDenied")
        with pytest.raises(SoundsibleError):
            catalogue.read(cloud.bucket, cloud.provider)


def _rewritten(cloud: CloudHouse, change: Any) -> tuple[str, Any]:
    """The only segment, changed by somebody else who may write into the bucket."""
    (key,) = segments(cloud)
    content = json.loads(gzip.decompress(server().body(cloud.provider, key)))
    change(content)
    server().put(cloud.provider, key, gzip.compress(json.dumps(content).encode()))
    return key, content


@pytest.mark.parametrize("path,value", [
    ("size_bytes", 2**63), ("source_mtime_ns", 2**200), ("bitrate_kbps", -1), ("added_at", 1e300), ("at", -1.0),
    ("track.added_at", 1e15), ("track.metadata.track_number", 2**64), ("track.facts.duration_ms", 2**63),
    ("track.metadata.title", "x" * 100_000), ("mime_type", "text/html"), ("track.facts.mime_type", "audio/x\r\nA: b"),
    ("format", "exe"), ("sha256", "../../x"), ("source_sha256", ""), ("key", "backups/x"), ("compression", "../x"),
    ("cover", "../../x"), ("track.uid", "../x"), ("track.path", "a" * 300 + ".flac"), ("track.path", "a\0.flac"),
])
def test_a_line_that_no_station_would_write_is_left_out_and_the_others_count(
    cloud: CloudHouse, path: str, value: Any
) -> None:
    cloud.take_up(*make_album(cloud.music, count=2))
    cloud.upload()

    def change(content: Any) -> None:
        *above, name = path.split(".")
        at = content["tracks"][0]
        for one in above:
            at = at[one]
        assert name in at
        at[name] = value

    key, content = _rewritten(cloud, change)
    found = catalogue.read(cloud.bucket, cloud.provider)
    assert [one.track.uid for one in found.entries] == [content["tracks"][1]["track"]["uid"]]
    assert [at for at, _ in found.unreadable] == [key]


@pytest.mark.parametrize("changes", [{"station": "../../x"}, {"station": "a" * 1000}, {"at": 1e300}, {"at": -5.0}])
def test_a_segment_that_no_station_would_write_tells_nothing(cloud: CloudHouse, changes: dict[str, Any]) -> None:
    cloud.take_up(*make_album(cloud.music, count=1))
    cloud.upload()
    key, _ = _rewritten(cloud, lambda content: content.update(changes))
    found = catalogue.read(cloud.bucket, cloud.provider)
    assert (found.entries, found.stations, [at for at, _ in found.unreadable]) == ([], set(), [key])


@pytest.mark.parametrize("content", [b'{"version":1,"x":' + b"[" * 200_000, b"[" * 200_000, b"[]", b"null",
                                     b'{"version":1e300}'])
def test_a_segment_that_is_no_segment_is_named(cloud: CloudHouse, content: bytes) -> None:
    key = cloud.provider.prefix + "catalogue/20260101T000000Z-00000000.json.gz"
    server().put(cloud.provider, key, gzip.compress(content))
    assert [at for at, _ in catalogue.read(cloud.bucket, cloud.provider).unreadable] == [key]


def test_a_segment_is_read_no_further_than_ours_go(cloud: CloudHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "LARGEST_PACKED", 500_000)
    key = cloud.provider.prefix + "catalogue/20260101T000000Z-00000000.json.gz"
    server().put(cloud.provider, key, b"\x1f\x8b" + bytes(3_000_000))
    assert catalogue.read(cloud.bucket, cloud.provider).unreadable == [(key, "It is too large.")]


def test_a_segment_that_is_made_to_fill_memory_is_not_unpacked(cloud: CloudHouse) -> None:
    key = cloud.provider.prefix + "catalogue/20260101T000000Z-00000000.json.gz"
    many = b'{"version":1,"station":"a","at":1,"tracks":[],"removed":[' + b'"a",' * 5_000_000 + b'"b"]}'
    server().put(cloud.provider, key, gzip.compress(many, 1))
    assert catalogue.read(cloud.bucket, cloud.provider).unreadable == [(key, "It is too large.")]


def test_what_somebody_without_the_key_put_into_a_sealed_catalogue_tells_nothing(sealed: CloudHouse) -> None:
    sealed.take_up(*make_album(sealed.music, count=1))
    sealed.upload()
    key = sealed.provider.prefix + "catalogue/20990101T000000Z-00000000.json.gz"
    (own,) = [one.copy.key for one in catalogue.read(sealed.bucket, sealed.provider).entries]
    planted = {"version": 1, "station": "a", "at": 4e9, "tracks": [],
               "removed": [layout.relative(sealed.provider, own)]}
    server().put(sealed.provider, key, gzip.compress(json.dumps(planted).encode()))
    found = catalogue.read(sealed.bucket, sealed.provider)
    assert [one.copy.key for one in found.entries] == [own] and [at for at, _ in found.unreadable] == [key]


def test_a_listing_without_end_can_be_stopped(cloud: CloudHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    one = StoredObject("catalogue/x.json.gz", 1, "", 0.0)
    work = Followed()

    def endless(prefix: str) -> Iterator[StoredObject]:
        for number in itertools.count():
            if number == 5_000:
                work.ending.set()
            assert number < 20_000
            yield one

    monkeypatch.setattr(cloud.bucket, "list", endless)
    with pytest.raises(Stopped):
        catalogue.read(cloud.bucket, cloud.provider, work)
