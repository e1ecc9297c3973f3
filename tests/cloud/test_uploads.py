"""Uploading: what lies in the bucket afterwards, what the rows say, what is never sent twice, and what goes wrong."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared.cloud import catalogue, layout, parts
from shared.cloud.uploads import UploadStopped
from shared.model.cloud import CloudFailure
from shared.model.units import MIB
from shared.storage.sealing import Sealer
from tests.builders import make_album, make_audio, make_picture
from tests.cloud.houses import CloudHouse, Followed
from tests.s3_server import FaultProxy, server

PART = 5 * MIB      # the smallest that S3 takes; the tests of kills use the real one


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "WHOLE", PART)
    monkeypatch.setattr(parts, "PART", PART)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def sends(proxy: FaultProxy) -> int:
    """How often music was sent: objects and parts."""
    return proxy.count(r"^PUT .*/music/")


def test_an_album_lies_in_the_bucket_bit_for_bit_and_its_rows_tell_so(cloud: CloudHouse) -> None:
    files = make_album(cloud.music, count=3, picture=make_picture())
    uids = cloud.take_up(*files)
    report = cloud.upload()
    assert (report.uploaded, report.skipped, report.failed) == (3, 0, [])
    assert report.bytes == sum(one.stat().st_size for one in files)
    for uid, path in zip(uids, files, strict=True):
        (copy,) = cloud.copies.of(uid)
        assert copy.key == f"home/music/{sha256(path)[:2]}/{sha256(path)}.flac"
        assert server().body(cloud.provider, copy.key) == path.read_bytes()
        found = cloud.bucket.head(copy.key)
        assert (copy.etag, copy.size_bytes, copy.sha256) == (found.etag, path.stat().st_size, sha256(path))
        assert copy.source_mtime_ns == path.stat().st_mtime_ns and copy.exact and copy.bitrate_kbps
        assert found.metadata == {
            "sha256": sha256(path), "source-sha256": sha256(path), "size": str(path.stat().st_size),
            "format": "flac", "compression": "", "station": cloud.telling.station_id()}
    assert {one.sha256 for one in cloud.copies.sources()} == {sha256(one) for one in files}


def test_a_second_run_sends_nothing_and_asks_next_to_nothing(cloud: CloudHouse) -> None:
    with FaultProxy(server().url) as proxy:
        cloud.provider = replace(cloud.provider, endpoint=proxy.url)
        cloud.take_up(*make_album(cloud.music, count=3))
        cloud.upload()
        before = len(proxy.requests)
        report = cloud.upload()
        assert (report.uploaded, report.skipped, len(proxy.requests) - before) == (0, 3, 0)


def test_what_lies_there_already_is_found_by_its_name_when_the_rows_are_lost(cloud: CloudHouse) -> None:
    uids = cloud.take_up(*make_album(cloud.music, count=3), cloud.noise("long.flac", PART + 1))
    cloud.upload()
    rows = cloud.copies.of_tracks(uids)
    for uid in uids:
        cloud.copies.drop_of(uid)
    with FaultProxy(server().url) as proxy:
        cloud.provider = replace(cloud.provider, endpoint=proxy.url)
        plan = cloud.plan()
        assert (len(plan.uploads), len(plan.skipped)) == (0, 4)
        report = cloud.upload()
        assert (report.uploaded, report.skipped, sends(proxy)) == (0, 4, 0)
    again = cloud.copies.of_tracks(uids)
    assert {(uid, one.key, one.etag) for uid, (one,) in again.items()} == {
        (uid, one.key, one.etag) for uid, (one,) in rows.items()}


def test_two_tracks_with_the_same_bytes_share_one_object(cloud: CloudHouse) -> None:
    first = make_audio(cloud.music, "a.flac", tags={"title": "A"})
    (cloud.music / "b.flac").write_bytes(first.read_bytes())
    uids = cloud.take_up(first, cloud.music / "b.flac")
    plan = cloud.plan()
    assert (len(plan.uploads), len(plan.skipped)) == (1, 1)
    with FaultProxy(server().url) as proxy:
        cloud.provider = replace(cloud.provider, endpoint=proxy.url)
        report = cloud.upload()
        assert (report.uploaded, report.skipped, sends(proxy)) == (1, 1, 1)
    assert len({cloud.copies.of(uid)[0].key for uid in uids}) == 1


def test_a_large_file_goes_in_equal_parts_three_at_the_same_time(
        cloud: CloudHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    path = cloud.noise("long.flac", 5 * PART + 5)
    (uid,) = cloud.take_up(path)
    together = threading.Barrier(3, timeout=20)
    sizes: dict[int, int] = {}
    put_part = cloud.bucket.put_part

    def counted(key: str, upload_id: str, number: int, body: bytes) -> str:
        sizes[number] = len(body)
        together.wait()     # breaks when no three are ever sent at a time
        return str(put_part(key, upload_id, number, body))

    monkeypatch.setattr(cloud.bucket, "put_part", counted)
    assert cloud.upload(workers=3).uploaded == 1
    assert sizes == {1: PART, 2: PART, 3: PART, 4: PART, 5: PART, 6: 5}
    (copy,) = cloud.copies.of(uid)
    assert copy.etag.endswith("-6") and cloud.records.all() == []
    assert server().body(cloud.provider, copy.key) == path.read_bytes()


def test_parts_that_arrived_before_an_end_are_not_sent_again(cloud: CloudHouse) -> None:
    path = cloud.noise("long.flac", 5 * PART)
    (uid,) = cloud.take_up(path)
    with FaultProxy(server().url) as proxy:
        cloud.provider = replace(cloud.provider, endpoint=proxy.url)
        work = Followed(end_at=lambda moved: moved.bytes_done >= 2 * PART)
        with pytest.raises(UploadStopped) as stopped:
            cloud.upload(workers=1, work=work)
        assert (stopped.value.report.uploaded, stopped.value.report.not_tried) == (0, 1)
        arrived = {one.number for one in cloud.records.all()[0].parts}
        assert 2 <= len(arrived) < 5
        sent = proxy.count("partNumber=")
        cloud.upload(workers=2)
        assert proxy.count("partNumber=") - sent == 5 - len(arrived)
    (copy,) = cloud.copies.of(uid)
    assert server().body(cloud.provider, copy.key) == path.read_bytes()


def test_an_upload_the_provider_forgot_begins_anew(cloud: CloudHouse) -> None:
    path = cloud.noise("long.flac", 3 * PART)
    (uid,) = cloud.take_up(path)
    with pytest.raises(UploadStopped):
        cloud.upload(workers=1, work=Followed(end_at=lambda moved: moved.bytes_done > 0))
    (pending,) = cloud.records.all()
    cloud.bucket.abort_parts(pending.key, pending.upload_id)
    assert cloud.upload().uploaded == 1
    assert server().body(cloud.provider, cloud.copies.of(uid)[0].key) == path.read_bytes()


def test_an_upload_whose_row_was_lost_is_found_at_the_provider(cloud: CloudHouse) -> None:
    path = cloud.noise("long.flac", 5 * PART)
    (uid,) = cloud.take_up(path)
    with pytest.raises(UploadStopped):
        cloud.upload(workers=1, work=Followed(end_at=lambda moved: moved.bytes_done >= 2 * PART))
    (pending,) = cloud.records.all()
    cloud.records.end(pending.provider, pending.key)
    with FaultProxy(server().url) as proxy:
        cloud.provider = replace(cloud.provider, endpoint=proxy.url)
        assert cloud.upload().uploaded == 1
        assert proxy.count("partNumber=") == 5 - len(pending.parts)
    assert server().body(cloud.provider, cloud.copies.of(uid)[0].key) == path.read_bytes()


def test_sealed_objects_tell_the_provider_nothing_and_open_again(sealed: CloudHouse, tmp_path: Path) -> None:
    small = make_audio(sealed.music, "small.flac", tags={"title": "Small"})
    large = sealed.noise("large.flac", 3 * PART)
    uids = sealed.take_up(small, large)
    report = sealed.upload()
    assert report.uploaded == 2
    key = sealed.provider.seal_key
    assert key is not None
    for uid, path in zip(uids, (small, large), strict=True):
        (copy,) = sealed.copies.of(uid)
        assert copy.sealed and copy.stored_bytes == Sealer.stored_size(path.stat().st_size)
        assert sha256(path) not in copy.key and copy.key.endswith(".sealed")
        found = sealed.bucket.head(copy.key)
        assert found.metadata == {"sealed": "1"} and found.size_bytes == copy.stored_bytes
        body = server().body(sealed.provider, copy.key)
        assert b"fLaC" not in body[:100] and Sealer(key).open_bytes(body) == path.read_bytes()
    for uid in uids:
        sealed.copies.drop_of(uid)
    assert (sealed.upload().skipped, list((tmp_path / "cache" / "spool").iterdir())) == (2, [])


def test_a_sealed_upload_is_taken_up_too(sealed: CloudHouse) -> None:
    path = sealed.noise("large.flac", 3 * PART + 1)
    (uid,) = sealed.take_up(path)
    with FaultProxy(server().url) as proxy:
        sealed.provider = replace(sealed.provider, endpoint=proxy.url)
        with pytest.raises(UploadStopped):
            sealed.upload(workers=1, work=Followed(end_at=lambda moved: moved.bytes_done > 0))
        (pending,) = sealed.records.all()
        sent = proxy.count("partNumber=")
        assert sealed.upload().uploaded == 1
        assert proxy.count("partNumber=") - sent == 4 - len(pending.parts)
    assert sealed.provider.seal_key is not None
    body = server().body(sealed.provider, sealed.copies.of(uid)[0].key)
    assert Sealer(sealed.provider.seal_key).open_bytes(body) == path.read_bytes()


def test_a_sealed_copy_made_smaller_is_opened_to_know_what_it_is(sealed: CloudHouse) -> None:
    (uid,) = sealed.take_up(make_audio(sealed.music, "a.flac", seconds=2, tags={"title": "A"}))
    assert sealed.upload(compress="mp3:128").uploaded == 1
    (before,) = sealed.copies.of(uid)
    sealed.copies.drop_of(uid)
    plan = sealed.plan(compress="mp3:128")
    report = sealed.uploads.run(plan, work=Followed())
    assert (len(plan.skipped), report.uploaded, report.skipped) == (1, 0, 1)
    (after,) = sealed.copies.of(uid)
    assert (after.sha256, after.size_bytes, after.etag) == (before.sha256, before.size_bytes, before.etag)


def test_made_smaller_it_is_an_opus_file_with_the_tags_of_its_source(cloud: CloudHouse, tmp_path: Path) -> None:
    from shared.audio import artwork, tags

    path = make_audio(cloud.music, "a.flac", seconds=3, tags={"title": "Rain", "artist": "A"}, picture=make_picture())
    lossy = make_audio(cloud.music, "b.mp3", seconds=3, tags={"title": "Small"}, bitrate=96_000)
    uids = cloud.take_up(path, lossy)
    plan = cloud.plan(compress="opus:128")
    assert plan.about and {one.compression for one in plan.items} == {"opus:128", ""}
    report = cloud.upload(compress="opus:128")
    assert report.uploaded == 2
    (copy,), (whole,) = cloud.copies.of(uids[0]), cloud.copies.of(uids[1])
    assert copy.key == f"home/music/{sha256(path)[:2]}/{sha256(path)}.opus-128.opus"
    assert (copy.compression, copy.format, copy.source_sha256, copy.exact) == ("opus:128", "opus", sha256(path), False)
    assert whole.exact and whole.sha256 == sha256(lossy)       # nothing to be saved there
    body = server().body(cloud.provider, copy.key)
    assert hashlib.sha256(body).hexdigest() == copy.sha256 and len(body) == copy.size_bytes
    (tmp_path / "back.opus").write_bytes(body)
    reading = tags.read(str(tmp_path / "back.opus"))
    assert (reading.metadata.title, reading.metadata.artist, reading.facts.format) == ("Rain", "A", "opus")
    assert artwork.embedded(str(tmp_path / "back.opus"))
    cloud.copies.drop_of(uids[0])
    with FaultProxy(server().url) as proxy:
        cloud.provider = replace(cloud.provider, endpoint=proxy.url)
        again = cloud.upload(compress="opus:128")
        assert (again.skipped, again.uploaded, sends(proxy)) == (2, 0, 0)
    assert cloud.copies.of(uids[0])[0].sha256 == copy.sha256


def test_a_copy_bit_for_bit_makes_a_smaller_one_needless_but_not_the_other_way_round(cloud: CloudHouse) -> None:
    (uid,) = cloud.take_up(make_audio(cloud.music, "a.flac", seconds=2, tags={"title": "A"}))
    assert cloud.upload(compress="mp3:128").uploaded == 1
    assert cloud.upload().uploaded == 1
    assert [one.compression for one in cloud.copies.of(uid)] == ["", "mp3:128"]
    assert cloud.upload(compress="opus:64").skipped == 1


def test_a_retagged_file_gets_a_new_object_and_the_old_one_goes_when_nobody_refers_to_it(cloud: CloudHouse) -> None:
    path, other = (make_audio(cloud.music, name, tags={"title": "A"}) for name in ("a.flac", "b.flac"))
    uid, other_uid = cloud.take_up(path, other)     # the same bytes
    cloud.upload()
    (before,) = cloud.copies.of(uid)
    make_audio(cloud.music, "a.flac", tags={"title": "Another"})
    cloud.take_up(path)
    plan = cloud.plan()
    assert [one.action for one in plan.items if one.file.track_id == uid] == ["changed"]
    report = cloud.upload()
    assert (report.uploaded, report.replaced, report.removed) == (1, 1, 0)
    (after,) = cloud.copies.of(uid)
    assert after.key != before.key and cloud.copies.of(other_uid) and cloud.bucket.head(before.key)
    make_audio(cloud.music, "b.flac", tags={"title": "Yet another"})
    cloud.take_up(other)
    report = cloud.uploads.refresh([uid, other_uid], Followed())
    assert (report.uploaded, report.replaced, report.removed) == (1, 1, 1)
    assert cloud.bucket.head(before.key) is None and cloud.bucket.head(after.key) is not None


def test_an_object_that_another_library_has_offloaded_to_outlives_its_replacement_here(
    cloud: CloudHouse, tmp_path: Path,
) -> None:
    path = make_audio(cloud.music, "a.flac", tags={"title": "A"})
    (uid,) = cloud.take_up(path)
    cloud.upload()
    (before,) = cloud.copies.of(uid)
    theirs = CloudHouse(tmp_path / "theirs", cloud.provider)
    try:
        same = theirs.music / "a.flac"
        same.write_bytes(path.read_bytes())
        theirs.take_up(same)
        assert theirs.upload().skipped == 1     # it lies there: one object for both
    finally:
        theirs.close()
    make_audio(cloud.music, "a.flac", tags={"title": "Another"})
    cloud.take_up(path)
    report = cloud.upload()
    assert (report.uploaded, report.replaced, report.removed) == (1, 1, 0)
    assert server().body(cloud.provider, before.key) == same.read_bytes()

    make_audio(cloud.music, "a.flac", tags={"title": "Yet another"})
    cloud.take_up(path)
    (segment, *_) = catalogue.segments(cloud.bucket, cloud.provider)
    server().put(cloud.provider, segment, b"damaged")
    assert cloud.upload().removed == 0          # who can say whose it is?
    make_audio(cloud.music, "a.flac", tags={"title": "And another"})
    cloud.take_up(path)
    server().remove(cloud.provider, segment)
    assert cloud.upload().removed == 1


def test_a_file_that_only_got_another_date_is_not_sent_again(cloud: CloudHouse) -> None:
    path = make_audio(cloud.music, "a.flac", tags={"title": "A"})
    (uid,) = cloud.take_up(path)
    cloud.upload()
    os.utime(path, ns=(1, 1_600_000_000_000_000_000))
    cloud.take_up(path)
    assert [one.action for one in cloud.plan().items] == ["adopt"]
    assert cloud.upload().skipped == 1
    assert cloud.copies.of(uid)[0].source_mtime_ns == 1_600_000_000_000_000_000


def test_a_file_the_library_has_not_read_since_does_not_replace_its_copy(cloud: CloudHouse) -> None:
    path = make_audio(cloud.music, "a.flac", tags={"title": "A"})
    (uid,) = cloud.take_up(path)
    cloud.upload()
    path.write_bytes(path.read_bytes()[:5000])      # damaged
    report = cloud.upload()
    assert [one.reason for one in report.failed] == ["not_scanned"]
    assert cloud.copies.of(uid)[0].source_size_bytes > 5000


def test_what_cannot_be_read_is_said_and_the_others_go(cloud: CloudHouse) -> None:
    files = make_album(cloud.music, count=3)
    uids = cloud.take_up(*files)
    files[1].unlink()
    plan = cloud.plan()
    assert [one.reason for one in plan.failed] == ["missing"]
    report = cloud.upload()
    assert (report.uploaded, [(one.track_id, one.reason) for one in report.failed]) == (2, [(uids[1], "missing")])


def test_a_missing_file_whose_copy_is_there_is_no_failure(cloud: CloudHouse) -> None:
    files = make_album(cloud.music, count=2)
    cloud.take_up(*files)
    cloud.upload()
    files[0].unlink()
    report = cloud.upload()
    assert (report.skipped, report.failed) == (2, [])


def test_an_unplugged_folder_is_not_called_missing(cloud: CloudHouse) -> None:
    cloud.take_up(*make_album(cloud.music, count=2))
    cloud.music.rename(cloud.base / "elsewhere")
    assert {one.reason for one in cloud.upload().failed} == {"offline"}


class Hanging:
    """Access to a folder of which one file never answers."""

    def __init__(self, cloud: CloudHouse, name: str) -> None:
        self._access, self._name, self.release = cloud.access, name, threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._access, name)

    def open(self, root: str, path: str, **given: Any) -> Any:
        file = self._access.open(root, path, **given)
        if path != self._name:
            return file

        class Slow:
            def __getattr__(_, name: str) -> Any:
                return getattr(file, name)

            def read(_, size: int = -1) -> bytes:
                self.release.wait()
                return file.read(size)

        return Slow()


def test_a_file_that_hangs_while_it_is_read_fails_alone_and_the_run_ends(
        cloud: CloudHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "READ_DEADLINE_S", 0.5)
    other = cloud.base / "other"
    files = make_album(other, count=2)
    slow = make_audio(cloud.music, "slow.flac", tags={"title": "Slow"})
    cloud.take_up(slow)
    root, cloud.music = cloud.music, other
    cloud.root, before = cloud.scans.add_root(str(other)), cloud.root
    cloud.take_up(*files)
    cloud.music, cloud.root = root, before
    plan = cloud.plan()
    hanging = Hanging(cloud, "slow.flac")
    cloud.uploads.access = hanging  # type: ignore[assignment]
    try:
        report = cloud.uploads.run(plan, work=Followed(), workers=2)
    finally:
        hanging.release.set()
    assert (report.uploaded, [one.reason for one in report.failed]) == (2, ["offline"])


class Rewriting:
    """Access to a folder in which a file is changed while it is read, `times` times."""

    def __init__(self, cloud: CloudHouse, path: Path, times: int) -> None:
        self._access, self._path, self.left = cloud.access, path, times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._access, name)

    def open(self, root: str, path: str, **given: Any) -> Any:
        file = self._access.open(root, path, **given)
        if self.left:
            self.left -= 1
            body = self._path.read_bytes()
            part = self._path.with_name("new")      # as programs write: beside it, then in its place
            part.write_bytes(body[:-1] + bytes([body[-1] ^ 1]))
            part.replace(self._path)
        return file


@pytest.mark.parametrize("size", [300_000, 3 * PART])
def test_a_file_that_changes_while_it_is_read_is_taken_again(cloud: CloudHouse, size: int) -> None:
    path = cloud.noise("a.flac", size)
    (uid,) = cloud.take_up(path)
    plan = cloud.plan()
    cloud.uploads.access = Rewriting(cloud, path, 1)  # type: ignore[assignment]
    report = cloud.uploads.run(plan, work=Followed(), workers=2)
    assert report.uploaded == 1 and cloud.copies.of(uid)[0].sha256 == sha256(path)
    assert cloud.records.all() == []
    assert server().body(cloud.provider, cloud.copies.of(uid)[0].key) == path.read_bytes()


def test_a_file_that_never_stands_still_is_not_recorded(cloud: CloudHouse) -> None:
    path = cloud.noise("a.flac", 300_000)
    (uid,) = cloud.take_up(path)
    plan = cloud.plan()
    cloud.uploads.access = Rewriting(cloud, path, 99)  # type: ignore[assignment]
    report = cloud.uploads.run(plan, work=Followed(), workers=2)
    assert [one.reason for one in report.failed] == ["changing"] and cloud.copies.of(uid) == []


def test_bytes_that_are_not_those_of_the_known_hash_never_become_an_object(cloud: CloudHouse) -> None:
    path = cloud.noise("a.flac", 3 * PART)
    (uid,) = cloud.take_up(path)
    looked = path.stat()
    cloud.scans.set_sha256({next(iter(cloud.scans.known(cloud.root.id).values()))[0]: sha256(path)})
    body = bytearray(path.read_bytes())
    body[2 * PART] ^= 1                             # rot: neither size nor time tells
    path.write_bytes(body)
    os.utime(path, ns=(looked.st_atime_ns, looked.st_mtime_ns))
    assert cloud.upload().uploaded == 1
    assert cloud.copies.of(uid)[0].sha256 == sha256(path)
    assert len(server().keys(cloud.provider, "home/music/")) == 1


# ---- the provider --------------------------------------------------------------------------------------------------


def test_cut_connections_are_taken_up(cloud: CloudHouse) -> None:
    path = cloud.noise("long.flac", 3 * PART)
    uids = cloud.take_up(path, *make_album(cloud.music, count=2))
    with FaultProxy(server().url) as proxy:
        for number in (1, 2, 3):                # all lanes at the same time, and no part more often than it is tried
            proxy.fault(rf"^PUT .*partNumber={number}\b", error="InternalError", times=1)
        proxy.fault(r"^PUT .*partNumber=2", cut_request_after=3 * MIB, times=2)
        proxy.fault(r"^PUT .*partNumber=3", swallow=True, times=1)
        proxy.fault(r"^PUT .*\.flac$", cut_request_after=1000, times=2)
        proxy.fault(r"^POST .*uploadId=", swallow=True, times=1)
        cloud.provider = replace(cloud.provider, endpoint=proxy.url)
        report = cloud.upload(workers=2)
    assert (report.uploaded, report.failed) == (3, [])
    assert server().body(cloud.provider, cloud.copies.of(uids[0])[0].key) == path.read_bytes()


def test_slow_down_is_obeyed_with_fewer_at_a_time(cloud: CloudHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud.take_up(*make_album(cloud.music, count=6))
    limits: list[int] = []
    slower = parts.Lanes.slower
    monkeypatch.setattr(parts.Lanes, "slower", lambda self: (slower(self), limits.append(self.limit))[0])
    with FaultProxy(server().url) as proxy:
        proxy.fault(r"^PUT .*/music/", error="SlowDown", times=3, headers={"Retry-After": "0"})
        cloud.provider = replace(cloud.provider, endpoint=proxy.url)
        report = cloud.upload(workers=4)
    assert (report.uploaded, report.failed) == (6, [])
    assert limits[0] == 2 and min(limits) == 1


def test_a_provider_that_refuses_the_key_ends_the_run_at_once(cloud: CloudHouse) -> None:
    cloud.take_up(*make_album(cloud.music, count=12))
    with FaultProxy(server().url) as proxy:
        cloud.provider = replace(cloud.provider, endpoint=proxy.url)
        plan = cloud.plan()
        proxy.fault(r"^PUT", error="AccessDenied")
        report = cloud.uploads.run(plan, work=Followed(), workers=2)
        assert report.uploaded == 0 and {one.reason for one in report.failed} == {"forbidden"}
        assert len(report.failed) + report.not_tried == 12 and report.not_tried > 5
        assert report.ended_by


def test_a_provider_that_does_not_answer_is_said_before_anything_is_done(cloud: CloudHouse) -> None:
    cloud.take_up(*make_album(cloud.music, count=1))
    with FaultProxy(server().url) as proxy:
        cloud.provider = replace(cloud.provider, endpoint=proxy.url)
        proxy.down()
        with pytest.raises(CloudFailure) as error:
            cloud.plan()
        assert error.value.reason == "no_answer"


def test_an_object_that_is_not_what_its_name_says_is_put_right(cloud: CloudHouse) -> None:
    path = make_audio(cloud.music, "a.flac", tags={"title": "A"})
    (uid,) = cloud.take_up(path)
    key = layout.music_key(cloud.provider, sha256(path), suffix=".flac")
    wrong = bytearray(path.read_bytes())
    wrong[-1] ^= 1
    for body in (bytes(wrong), b"short"):
        server().put(cloud.provider, key, body)
        cloud.copies.drop_of(uid)
        cloud.upload()
        assert server().body(cloud.provider, key) == path.read_bytes()
        assert cloud.copies.of(uid)[0].etag == hashlib.md5(path.read_bytes()).hexdigest()


def test_where_etags_are_no_checksums_the_object_is_read_back(cloud: CloudHouse) -> None:
    path = make_audio(cloud.music, "a.flac", tags={"title": "A"})
    (uid,) = cloud.take_up(path)
    with FaultProxy(server().url) as proxy:
        proxy.fault(r"^HEAD .*/music/", headers={"ETag": '"0123456789abcdef0123456789abcdef"'})
        cloud.provider = replace(cloud.provider, endpoint=proxy.url)
        assert cloud.upload().uploaded == 1
        assert len([one for one in proxy.of(r"^GET .*/music/") if "range" not in one.headers]) == 1
    assert cloud.copies.of(uid)[0].etag == "0123456789abcdef0123456789abcdef"


def test_what_comes_back_wrong_every_time_is_not_recorded(cloud: CloudHouse) -> None:
    path = make_audio(cloud.music, "a.flac", tags={"title": "A"})
    (uid,) = cloud.take_up(path)
    with FaultProxy(server().url) as proxy:
        proxy.fault(r"^HEAD .*/music/", headers={"ETag": '"0123456789abcdef0123456789abcdef"'})
        proxy.fault(r"^GET .*/music/", corrupt_at=100)
        cloud.provider = replace(cloud.provider, endpoint=proxy.url)
        report = cloud.upload()
    assert [one.reason for one in report.failed] == ["corrupted"] and cloud.copies.of(uid) == []


def test_a_copy_whose_bytes_came_back_wrong_is_sent_again_whatever_its_etag_says(cloud: CloudHouse) -> None:
    paths = [make_audio(cloud.music, f"{name}.flac", tags={"title": name}) for name in "ab"]
    uids = cloud.take_up(*paths)
    cloud.upload()
    (copy,) = cloud.copies.of(uids[0])
    cloud.copies.broken("r2", copy.key, "corrupted")
    with FaultProxy(server().url) as proxy:
        cloud.provider = replace(cloud.provider, endpoint=proxy.url)
        assert len(cloud.plan().uploads) == 1
        report = cloud.upload()
        assert (report.uploaded, report.skipped, sends(proxy)) == (1, 1, 1)
    assert [one.broken for one in cloud.copies.of(uids[0], broken=True)] == [None]


def test_no_place_left_on_the_disk_in_the_middle_is_said_and_leaves_nothing(
        cloud: CloudHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud.take_up(make_audio(cloud.music, "a.flac", tags={"title": "A"}))
    plan = cloud.plan(compress="opus:128")
    spool = cloud.base / "cache" / "spool"
    spool.mkdir(parents=True)
    (spool / "x.flac").symlink_to("/dev/full")      # every write there meets a full disk
    monkeypatch.setattr("shared.cloud.uploads.secrets.token_hex", lambda size: "x")
    report = cloud.uploads.run(plan, work=Followed(), workers=2)
    assert [one.reason for one in report.failed] == ["disk_full"] and list(spool.iterdir()) == []


def test_a_full_disk_fails_what_must_be_prepared_and_nothing_else(
        cloud: CloudHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud.take_up(make_audio(cloud.music, "a.flac", tags={"title": "A"}),
                  make_audio(cloud.music, "b.mp3", tags={"title": "B"}, bitrate=64_000))
    plan = cloud.plan(compress="opus:128")
    usage = __import__("shutil").disk_usage("/")
    monkeypatch.setattr("shared.cloud.uploads.shutil.disk_usage", lambda path: usage._replace(free=1000))
    report = cloud.uploads.run(plan, work=Followed(), workers=2)
    assert (report.uploaded, [one.reason for one in report.failed]) == (1, ["disk_full"])


def test_progress_ends_at_all_of_it_and_never_goes_beyond(cloud: CloudHouse) -> None:
    cloud.take_up(cloud.noise("long.flac", 3 * PART), *make_album(cloud.music, count=3))
    work = Followed()
    report = cloud.upload(work=work)
    last = work.moved[-1]
    assert (last.done, last.total, last.bytes_done, last.bytes_total) == (4, 4, report.bytes, report.bytes)
    assert all(one.bytes_done <= (one.bytes_total or 0) for one in work.moved if one.phase == "uploading")
    assert any("%" in one.now for one in work.moved)


def test_what_a_killed_run_left_in_the_spool_goes_after_a_day(cloud: CloudHouse) -> None:
    spool = cloud.base / "cache" / "spool"
    spool.mkdir(parents=True)
    old, young = spool / "old.opus", spool / "young.opus"
    for one in (old, young):
        one.write_bytes(b"x")
    os.utime(old, (time.time() - 90_000,) * 2)
    cloud.upload([])
    assert not old.exists() and young.exists()


@pytest.mark.parametrize("compress", ["", "mp3:128"])
def test_a_plan_says_exactly_what_the_run_then_does(cloud: CloudHouse, compress: str) -> None:
    files = make_album(cloud.music, count=4)
    twin = cloud.music / "twin.flac"
    twin.write_bytes(files[0].read_bytes())
    uids = cloud.take_up(*files, twin)
    cloud.upload(uids[1:3], compress=compress)
    cloud.copies.drop_of(uids[1])
    files[3].unlink()
    plan = cloud.plan(compress=compress)
    would, did = cloud.uploads.foreseen(plan), cloud.uploads.run(plan, work=Followed())
    assert (would.uploaded, would.skipped, [one.reason for one in would.failed]) == (1, 3, ["missing"])
    assert (would.uploaded, would.skipped, would.failed, would.replaced) == (
        did.uploaded, did.skipped, did.failed, did.replaced)
    assert compress or would.bytes == did.bytes
