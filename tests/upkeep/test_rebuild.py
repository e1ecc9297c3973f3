"""A library from the bucket alone: with the ids, tags and covers it had, and what nobody told of."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.audio.pool import WorkerPool
from shared.database import Database
from shared.library.kept_covers import KeptCovers
from shared.library.scanner import scan
from shared.model.errors import NotFound
from shared.model.filepath import to_text
from shared.model.person import Person
from shared.model.track import AudioFacts, Metadata
from shared.model.work import Stopped
from shared.records.artworks import Artworks
from shared.records.copies import Copies
from shared.records.recall import Recall
from shared.records.scans import Scans
from shared.records.search import Search
from shared.records.telling import Telling, ToldTrack
from shared.records.tracks import Tracks
from shared.storage.access import Access
from shared.upkeep import backup as backup_room
from shared.upkeep.rebuild import Adopting, Later, Rebuild, Told, placed
from shared.upkeep.restore import Restore, RestoreReport, Staged
from tests.builders import make_album, make_audio, make_picture
from tests.cloud.houses import CloudHouse, Here
from tests.records.songs import inconsistencies
from tests.s3_server import FaultProxy, server
from tests.upkeep.libraries import Following, Home, NoStorages, home

NOBODY = Person(user_id=0, id="", username="", role="owner")


@pytest.fixture(params=[False, True], ids=["plain", "sealed"])
def cloud(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[CloudHouse]:
    house = CloudHouse(tmp_path / "first", server().provider(
        prefix="home/", seal_key=bytes(range(32)) if request.param else None))
    yield house
    house.close()


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[CloudHouse]:
    house = CloudHouse(tmp_path / "first", server().provider())
    yield house
    house.close()


class Second:
    """A second machine that knows nothing but the bucket."""

    def __init__(self, folder: Path, house: CloudHouse) -> None:
        self.home: Home = home(folder / "home")
        self.music = folder / "Müsic"
        kept = KeptCovers(records=None, access=None, workers=None,  # type: ignore[arg-type]
                          folder=self.home.data / "covers")
        storages = NoStorages(house.provider)
        self.later = Later(providers=storages, buckets=house.buckets)
        self.restore = Restore(
            settings=self.home.settings, providers=storages, buckets=house.buckets, access=Access(), kept=kept,
            workers=Here(), later=self.later)  # type: ignore[arg-type]
        self.rebuild = Rebuild(settings=self.home.settings, providers=storages, buckets=house.buckets,
                               restore=self.restore, workers=Here())  # type: ignore[arg-type]

    def rehearse(self, **options: Any) -> Staged:
        return self.rebuild.rehearse("r2", music=self.music, work=Following(), **options)

    def run(self, **options: Any) -> RestoreReport:
        return self.restore.apply(self.rehearse(**options), work=Following())

    def library(self) -> Any:
        return self.home.library()


@pytest.fixture
def second(tmp_path: Path, request: pytest.FixtureRequest) -> Second:
    house = request.getfixturevalue("cloud" if "cloud" in request.fixturenames else "plain")
    return Second(tmp_path / "second", house)


def told(database: Database) -> dict[str, ToldTrack]:
    """Everything that a catalogue could say of every track."""
    return Telling(database=database).tracks(Copies(database=database).track_uids(everything=True))


def test_everything_the_bucket_was_told_comes_back_as_it_was(cloud: CloudHouse, second: Second) -> None:
    files = make_album(cloud.music, artist="Björk", album="Début", count=3, picture=make_picture())
    files += [make_audio(cloud.music, "Loose One.mp3", tags={"title": "Loose One", "artist": "X"})]
    cloud.take_up(*files)
    cloud.upload()
    before, copies = told(cloud.database), cloud.copies.of_tracks(list(told(cloud.database)))
    report = second.run()
    assert report.contents.tracks == 4 and any("backups alone" in one for one in report.remarks)
    with second.library() as database:
        after = told(database)
        assert after.keys() == before.keys()
        for uid, one in before.items():
            assert replace(after[uid], root="") == replace(one, root=""), one.path
            assert after[uid].root == to_text(str(second.music))
        again = Copies(database=database).of_tracks(list(before))
        assert {uid: [(one.key, one.sha256, one.etag, one.sealed) for one in its] for uid, its in again.items()} == {
            uid: [(one.key, one.sha256, one.etag, one.sealed) for one in its] for uid, its in copies.items()}
        assert inconsistencies(database) == []
        assert Telling(database=database).station_id() == cloud.telling.station_id()
        shown = Tracks(database=database).get(NOBODY, next(iter(before)))
        assert shown.place == "cloud" and shown.path
        assert [one.title for one in Search(database=database).find(NOBODY, "loose").tracks] == ["Loose One"]
        kept = {uid: one.kept for uid, one in Artworks(database=database).of_tracks(list(before)).items()}
    names = {one for one in kept.values() if one}
    assert len(names) == 1 and len(kept) == 3
    assert [path.stem for path in (second.home.data / "covers").glob("*/*.jpg")] == list(names)


def test_a_dry_run_leaves_nothing(cloud: CloudHouse, second: Second) -> None:
    cloud.take_up(*make_album(cloud.music, count=2, picture=make_picture()))
    cloud.upload()
    staged = second.rehearse()
    assert staged.rehearsal is not None and staged.rehearsal.contents.tracks == 2 and staged.rehearsal.covers == 1
    second.restore.discard()
    assert second.home.files() == {} and not second.home.settings.database_path.exists()


def test_what_nobody_tells_of_is_fetched_and_its_tags_are_read(cloud: CloudHouse, second: Second) -> None:
    cloud.take_up(*make_album(cloud.music, album="Told", count=2))
    cloud.upload()
    untold = make_album(cloud.music, artist="Ann", album="Untold", count=2, picture=make_picture())
    cloud.take_up(*untold)
    cloud.uploads.run(cloud.plan(), work=Following(), workers=2)
    newest = sorted(server().keys(cloud.provider, "home/catalogue/"))
    for key in newest:
        if key != newest[0]:
            server().client().delete_object(Bucket=cloud.provider.bucket, Key=key)
    key = f"home/music/00/{'0' * 64}{'.sealed' if cloud.provider.seal_key else '.flac'}"
    server().client().put_object(Bucket=cloud.provider.bucket, Key=key, Body=b"this is no music")
    report = second.run()
    assert report.contents.tracks == 4 and any("1 objects" in one for one in report.remarks)
    with second.library() as database:
        by_title = {one.metadata.title: one for one in told(database).values()}
        mine = [one for one in by_title.values() if one.metadata.album == "Untold"]
        assert {one.path for one in mine} == {
            f"Ann/Untold/0{number} {one.metadata.title}.flac" for number, one in enumerate(
                sorted(mine, key=lambda one: one.metadata.track_number or 0), 1)}
        copies = Copies(database=database).of_tracks([one.uid for one in mine])
        assert {its[0].sha256 for its in copies.values()} == {
            its[0].sha256 for uid, its in cloud.copies.of_tracks(cloud.every()).items()
            if told(cloud.database)[uid].metadata.album == "Untold"}
        assert all(Artworks(database=database).of_tracks([one.uid])[one.uid].kept for one in mine)
        assert inconsistencies(database) == []


def test_what_is_told_of_and_does_not_lie_there_is_no_copy(plain: CloudHouse, second: Second) -> None:
    uids = plain.take_up(*make_album(plain.music, count=3))
    plain.upload()
    gone, short = (plain.copies.of(uid)[0] for uid in uids[:2])
    client = server().client()
    client.delete_object(Bucket=plain.provider.bucket, Key=gone.key)
    client.put_object(Bucket=plain.provider.bucket, Key=short.key, Body=b"short")
    report = second.run()
    assert any("2 copies" in one for one in report.remarks)
    with second.library() as database:
        assert list(told(database)) == [uids[2]]


def test_a_scan_of_the_folder_knows_the_files_again(plain: CloudHouse, second: Second) -> None:
    files = make_album(plain.music, count=2)
    uids = plain.take_up(*files)
    plain.upload()
    second.run()
    shutil.copytree(plain.music, second.music, dirs_exist_ok=True)     # with their times, as rsync -a or a backup would
    with second.library() as database:
        scans, pool = Scans(database=database), WorkerPool(size=1)
        try:
            report = scan(scans.roots(), scans=scans, recall=Recall(database=database), pool=pool, every=scans.roots(),
                          progress=lambda told: None)
        finally:
            pool.stop()
        assert (report.state, report.found, report.added) == ("done", 2, 0)
        assert set(told(database)) == set(uids) and len(scans.roots()) == 1
        assert {Tracks(database=database).get(NOBODY, uid).place for uid in uids} == {"local"}


def test_a_backup_in_the_same_bucket_is_offered(plain: CloudHouse, second: Second, tmp_path: Path) -> None:
    plain.take_up(*make_album(plain.music, count=1))
    plain.upload()
    first = home(tmp_path / "third" / "home").fill()
    with first.library() as database:
        backup_room.Backup(database=database, settings=first.settings, providers=NoStorages(plain.provider),
                           buckets=plain.buckets).run("r2", work=Following())
    staged = second.rehearse()
    second.restore.discard()
    assert staged.rehearsal is not None
    assert "tool restore --from r2" in staged.rehearsal.remarks[0]


def test_an_empty_bucket_and_one_that_does_not_answer_are_said(plain: CloudHouse, second: Second) -> None:
    with pytest.raises(NotFound, match="no music of a Soundsible"):
        second.rehearse()
    plain.take_up(*make_album(plain.music, count=1))
    plain.upload()
    with pytest.raises(Stopped):
        second.rebuild.rehearse("r2", music=second.music, work=Following(stop_at="reading the catalogue"))
    assert second.home.files() == {}


# ---- what came after a backup ------------------------------------------------------------------------------------


def test_a_restore_takes_up_what_came_to_the_bucket_after_the_backup(
        plain: CloudHouse, second: Second, tmp_path: Path) -> None:
    first = make_album(plain.music, album="Before", count=2)
    before = plain.take_up(*first)
    plain.upload()
    settings = home(tmp_path / "first-home").settings
    settings.data_dir.mkdir(parents=True)
    backup_room.Backup(database=plain.database, settings=settings, providers=NoStorages(), buckets=plain.buckets).run(
        str(tmp_path / "backups"), work=Following())
    after = plain.take_up(*make_album(plain.music, album="After", count=3, picture=make_picture()))
    plain.upload()
    staged = second.restore.rehearse(str(tmp_path / "backups"), work=Following(),
                                     folders={str(plain.music): str(second.music)})
    assert staged.rehearsal is not None and staged.rehearsal.contents.tracks == 5
    assert any("3 tracks came to r2 after this backup" in one for one in staged.rehearsal.remarks)
    second.restore.apply(staged, work=Following())
    with second.library() as database:
        found = told(database)
        assert set(found) == {*before, *after} and {one.root for one in found.values()} == {to_text(str(second.music))}
        assert inconsistencies(database) == []
        assert all(one.kept for one in Artworks(database=database).of_tracks(after).values())
    server().client().delete_object(Bucket=plain.provider.bucket, Key=plain.copies.of(before[0])[0].key)
    staged = second.restore.rehearse(str(tmp_path / "backups"), work=Following())
    second.restore.discard()
    assert staged.rehearsal is not None and any("1 copies that this backup knows of do not lie in r2" in one
                                                for one in staged.rehearsal.remarks)
    alone = Second(tmp_path / "alone", plain)
    staged = alone.restore.rehearse(str(tmp_path / "backups"), work=Following(), backup_only=True)
    assert staged.rehearsal is not None and staged.rehearsal.contents.tracks == 2
    alone.restore.discard()


def test_a_storage_that_does_not_answer_keeps_nobody_from_restoring(
        plain: CloudHouse, tmp_path: Path) -> None:
    plain.take_up(*make_album(plain.music, count=2))
    plain.upload()
    settings = home(tmp_path / "first-home").settings
    settings.data_dir.mkdir(parents=True)
    backup_room.Backup(database=plain.database, settings=settings, providers=NoStorages(), buckets=plain.buckets).run(
        str(tmp_path / "backups"), work=Following())
    with FaultProxy(server().url) as proxy:
        proxy.fault("", error="AccessDenied")
        plain.provider = replace(plain.provider, endpoint=proxy.url)
        second = Second(tmp_path / "second", plain)
        staged = second.restore.rehearse(str(tmp_path / "backups"), work=Following())
        second.restore.discard()
    assert staged.rehearsal is not None and any("is not known" in one for one in staged.rehearsal.remarks)


# ---- where things are put ----------------------------------------------------------------------------------------


def track(uid: str, root: str, path: str) -> ToldTrack:
    return ToldTrack(uid=uid, metadata=Metadata(title=uid), facts=AudioFacts("flac", "audio/flac", 1000), root=root,
                     path=path, size_bytes=1, mtime_ns=1, added_at=1.0)


def test_several_music_folders_become_one_with_folders_in_it() -> None:
    told_tracks = [Told(track=track(f"a{n}", "/mnt/Big", "x")) for n in range(3)]
    told_tracks += [Told(track=track("b", "/mnt/one/Small", "x")), Told(track=track("c", "/mnt/two/Small", "x")),
                    Told(track=track("d", "/mnt/mapped", "x"))]
    assert placed(told_tracks, Path("/music"), {"/mnt/mapped": "/else"}) == {
        "/mnt/Big": ("/music", ""), "/mnt/one/Small": ("/music", "Small/"), "/mnt/two/Small": ("/music", "Small 2/"),
        "/mnt/mapped": ("/else", "")}


@pytest.mark.parametrize("known", [False, True])
def test_a_bucket_alone_makes_no_folder_a_music_folder(
        plain: CloudHouse, second: Second, tmp_path: Path, known: bool) -> None:
    plain.take_up(*make_album(plain.music, album="Before", count=1))
    plain.upload()
    settings = home(tmp_path / "first-home").settings
    settings.data_dir.mkdir(parents=True)
    backup_room.Backup(database=plain.database, settings=settings, providers=NoStorages(), buckets=plain.buckets).run(
        str(tmp_path / "backups"), work=Following())
    (after,) = plain.take_up(make_audio(plain.music, "b.flac", tags={"title": "After"}))
    plain.upload()
    elsewhere = tmp_path / "elsewhere" / "cron.d"
    for key in server().keys(plain.provider, "catalogue/"):
        content = json.loads(gzip.decompress(server().body(plain.provider, key)))
        for line in content["tracks"]:
            if line["track"]["uid"] == after:
                line["track"].update(root=to_text(str(elsewhere)), path=".hidden/run-me")
        server().put(plain.provider, key, gzip.compress(json.dumps(content).encode()))
    second.later._here = lambda: [to_text(str(elsewhere))] if known else []
    report = second.restore.apply(second.restore.rehearse(str(tmp_path / "backups"), work=Following()),
                                  work=Following())
    with second.library() as database:
        one = told(database)[after]
    assert one.path == ("hidden/run-me.flac" if known else "cron.d/hidden/run-me.flac")
    assert one.root == to_text(str(elsewhere if known else plain.music))
    assert any("no music folder of this backup" in one for one in report.remarks) is not known


@pytest.fixture(scope="module")
def no_library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = Database(tmp_path_factory.mktemp("adopt") / "library.db")
    database.prepare()
    yield database
    database.close()


@given(paths=st.lists(st.text(st.sampled_from("/.a\x00Aä\\"), max_size=12), min_size=1, max_size=8))
def test_no_path_that_a_bucket_tells_leaves_the_folder_or_meets_another(
        no_library: Database, paths: list[str]) -> None:
    adopting = Adopting(no_library, now=1.0)
    given_paths = [adopting._free("/music", path, "flac") for path in paths]
    assert len({path.casefold() for path in given_paths}) == len(paths)
    for path in given_paths:
        assert path and not path.startswith("/") and not {"", ".", ".."} & set(path.split("/")) and "\x00" not in path
        assert path.endswith(".flac") and not any(part.startswith(".") for part in path.split("/"))


