"""Backups in a bucket: in parts, sealed where the storage is, verified; killed and cut off, nothing there counts."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shared.cloud.buckets import Buckets
from shared.model.cloud import CloudFailure, Provider
from shared.model.errors import NotFound, Unprocessable
from shared.model.units import MIB
from shared.model.work import Stopped
from shared.upkeep import depots
from shared.upkeep.depots import BucketDepot
from tests.s3_server import FaultProxy, server
from tests.upkeep.libraries import Following, Home, NoStorages, home
from tests.upkeep.test_restore import restoring

ROOT = Path(__file__).resolve().parents[2]
NAME = "soundsible-abc-20270115T080000Z.tar.gz"


@pytest.fixture
def filled(tmp_path: Path) -> Home:
    return home(tmp_path / "home").fill()


def packed(folder: Path, size: int) -> tuple[Path, str]:
    path = folder / "packed"
    path.write_bytes(random.Random(size).randbytes(size))
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("sealed", [False, True], ids=["plain", "sealed"])
def test_a_library_goes_into_a_bucket_and_comes_back(filled: Home, tmp_path: Path, sealed: bool) -> None:
    provider = server().provider("attic", prefix="home/", seal_key=os.urandom(32) if sealed else None)
    buckets = Buckets()
    names = []
    for day in range(3):
        with filled.backup(providers=NoStorages(provider), buckets=buckets,
                           clock=lambda at=1_800_000_000.0 + day * 86_400: at) as backup:
            report = backup.run("attic", keep=2, work=Following())
        names.append(report.name)
    assert report.removed == [names[0]] and report.name.endswith(".sealed") is sealed
    assert server().keys(provider) == [f"home/backups/{name}" for name in names[1:]]
    before = filled.titles()
    for source in ("attic", "attic:latest", f"attic:{names[1].removesuffix('.sealed')}"):
        second = home(tmp_path / source.replace(":", "_") / "home")
        restore = restoring(second, providers=NoStorages(provider), buckets=buckets)
        assert [one.name for one in restore.stored("attic")[1]] == [names[2], names[1]]
        staged = restore.rehearse(source, work=Following())
        assert staged.rehearsal is not None and staged.rehearsal.source == "attic"
        restore.apply(staged, work=Following())
        assert second.titles() == before
    with pytest.raises(NotFound, match="the newest is"):
        restore.rehearse("attic:soundsible-abc-20200101T000000Z.tar.gz", work=Following())
    if sealed:
        stored = server().client().get_object(Bucket=provider.bucket, Key=f"home/backups/{names[2]}")["Body"].read()
        assert b"library.db" not in stored and stored[:2] != b"\x1f\x8b"
        blind = restoring(home(tmp_path / "blind"), buckets=buckets,
                          providers=NoStorages(server().provider("attic", bucket=provider.bucket, prefix="home/")))
        with pytest.raises(Unprocessable, match="--recovery-key"):
            blind.rehearse("attic", work=Following())
    buckets.close()


def test_a_large_one_goes_in_parts_that_a_provider_can_check(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(depots, "PART_BYTES", 5 * MIB)
    path, sha256 = packed(tmp_path, 11 * MIB + 7)
    with FaultProxy(server().url) as proxy:
        proxy.fault(r"^PUT .*partNumber=2", error="SlowDown", times=1)
        provider = server().provider(endpoint=proxy.url)
        depot = BucketDepot(provider, Buckets())
        following = Following()
        stored = depot.publish(path, NAME, sha256, following)
    assert stored.size_bytes == path.stat().st_size and following.moves[-1].bytes_done == stored.size_bytes
    found = server().client().get_object(Bucket=provider.bucket, Key=f"backups/{NAME}")
    assert found["Body"].read() == path.read_bytes() and found["ETag"].strip('"').endswith("-3")
    assert found["Metadata"]["sha256"] == sha256
    back = BucketDepot(server().provider(bucket=provider.bucket), Buckets())
    assert back.fetch(back.list()[0], tmp_path / "back", Following()).read_bytes() == path.read_bytes()


def test_stopped_in_the_middle_there_is_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(depots, "PART_BYTES", 5 * MIB)
    path, sha256 = packed(tmp_path, 11 * MIB)
    provider = server().provider()
    with pytest.raises(Stopped):
        BucketDepot(provider, Buckets()).publish(path, NAME, sha256, Following(stop_at="uploading"))
    assert server().keys(provider) == []
    assert not server().client().list_multipart_uploads(Bucket=provider.bucket).get("Uploads")


def test_what_a_provider_says_no_to_is_said_and_the_older_backups_stay(filled: Home) -> None:
    provider = server().provider("attic")
    with filled.backup(providers=NoStorages(provider), buckets=Buckets(), clock=lambda: 1_800_000_000.0) as backup:
        good = backup.run("attic", work=Following())
    with FaultProxy(server().url) as proxy:
        proxy.fault(r"^PUT ", error="AccessDenied")
        refused = server().provider("attic", bucket=provider.bucket, endpoint=proxy.url)
        with (filled.backup(providers=NoStorages(refused), buckets=Buckets()) as backup,
              pytest.raises(CloudFailure) as failure):
            backup.run("attic", keep=1, work=Following())
        assert failure.value.reason == "forbidden"
    assert server().keys(provider) == [f"backups/{good.name}"]
    with filled.backup() as backup:
        assert backup.last()["name"] == good.name and backup.last()["message"] == failure.value.message


def test_one_that_is_damaged_in_the_bucket_is_not_restored(filled: Home, tmp_path: Path) -> None:
    provider = server().provider("attic", seal_key=os.urandom(32))
    storages = NoStorages(provider)
    with filled.backup(providers=storages, buckets=Buckets()) as backup:
        name = backup.run("attic", work=Following()).name
    client, key = server().client(), f"backups/{name}"
    body = bytearray(client.get_object(Bucket=provider.bucket, Key=key)["Body"].read())
    body[len(body) // 2] ^= 1
    client.put_object(Bucket=provider.bucket, Key=key, Body=bytes(body))
    second = home(tmp_path / "second")
    with pytest.raises(CloudFailure, match="damaged"):
        restoring(second, providers=storages, buckets=Buckets()).rehearse("attic", work=Following())
    assert list(second.files()) == []


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from shared.cloud.buckets import Buckets
from shared.model.cloud import Provider
from shared.model.units import MIB
from shared.upkeep import depots
from tests.upkeep.libraries import Following
depots.PART_BYTES = 5 * MIB
class Deadly(Following):
    def tell(self, moved):
        if moved.bytes_done >= 5 * MIB:
            os.kill(os.getpid(), signal.SIGKILL)
provider = Provider(**eval(sys.argv[1]))
depots.BucketDepot(provider, Buckets()).publish(Path(sys.argv[2]), {name!r}, sys.argv[3], Deadly())
"""


def test_kill_9_in_the_middle_of_the_parts_leaves_no_backup_and_the_parts_go_in_time(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, sha256 = packed(tmp_path, 16 * MIB)
    provider: Provider = server().provider()
    fields: dict[str, Any] = {name: getattr(provider, name) for name in (
        "name", "kind", "endpoint", "region", "bucket", "key_id", "secret")}
    done = subprocess.run(
        [sys.executable, "-c", KILLED.format(root=str(ROOT), name=NAME), repr(fields), str(path), sha256], cwd=ROOT,
        capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert server().keys(provider) == []
    assert len(server().client().list_multipart_uploads(Bucket=provider.bucket)["Uploads"]) == 1
    depot = BucketDepot(provider, Buckets())
    monkeypatch.setattr(depots, "STALE_S", 1e12)    # moto dates every upload to the year 2010
    depot.place_for(NAME, tmp_path)     # another one might be going on
    assert len(server().client().list_multipart_uploads(Bucket=provider.bucket)["Uploads"]) == 1
    monkeypatch.setattr(depots, "STALE_S", 86_400.0)
    depot.place_for(NAME, tmp_path)
    assert not server().client().list_multipart_uploads(Bucket=provider.bucket).get("Uploads")
    assert depot.list() == []


def test_an_encrypted_storage_has_no_backup_that_somebody_without_the_key_put_there(filled: Home) -> None:
    provider = server().provider("attic", seal_key=os.urandom(32))
    buckets = Buckets()
    server().put(provider, f"backups/{NAME}", b"planted, and newer than all")
    assert BucketDepot(provider, buckets).list() == []
    restore = restoring(filled, providers=NoStorages(provider), buckets=buckets)
    with pytest.raises(NotFound):
        restore.rehearse("attic", work=Following())
    with pytest.raises(NotFound):
        restore.rehearse(f"attic:{NAME}", work=Following())
