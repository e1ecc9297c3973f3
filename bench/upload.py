"""Uploading: 1,000 tracks to a bucket, hashed, recorded, compared and told in the catalogue, beside boto3's own
transfer of the same files at the same parallelism; and what a second run costs when all of it is there.

The server is the tests' own (moto on loopback), which takes most of the time of both on such a machine: read the ratio.
"""

from __future__ import annotations

import random
import shutil
import statistics
import time
from pathlib import Path
from typing import Any

from bench import corpus
from bench.measure import Table, spread
from shared.model.cloud import Provider
from shared.model.units import MIB
from tests.cloud.houses import CloudHouse
from tests.s3_server import server

TRACKS, AT_ONCE, ROUNDS = 1000, 4, 3


def _house(base: Path) -> CloudHouse:
    """1,000 files of 0.5 to 4 MB as albums of compressed music are, and every hundredth one of 24 MB."""
    shutil.rmtree(base, ignore_errors=True)
    dice = random.Random(1)
    house = CloudHouse(base, server().provider())
    files = []
    for number in range(TRACKS):
        size = 24 * MIB if number % 100 == 99 else dice.randint(MIB // 2, 4 * MIB)
        files.append(house.noise(f"{number // 10:03}/{number:04}.flac", size))
    for start in range(0, TRACKS, 100):
        house.take_up(*files[start:start + 100])
    return house


def _by_boto3(files: list[Path], bucket: str) -> float:
    """Seconds that boto3's transfer manager takes, all files handed to it at once."""
    from boto3.s3.transfer import TransferConfig, create_transfer_manager

    client = server().client(max_pool_connections=2 * AT_ONCE)
    begun = time.monotonic()
    with create_transfer_manager(client, TransferConfig(max_concurrency=AT_ONCE, multipart_threshold=16 * MIB,
                                                        multipart_chunksize=8 * MIB)) as manager:
        for one in [manager.upload(str(path), bucket, path.name) for path in files]:
            one.result()
    return time.monotonic() - begun


def _by_us(house: CloudHouse) -> float:
    begun = time.monotonic()
    report = house.upload(workers=AT_ONCE)
    taken = time.monotonic() - begun
    assert report.uploaded == TRACKS and not report.failed, report
    return taken


def _emptied(provider: Provider) -> None:
    client: Any = server().client()
    keys = server().keys(provider)
    for start in range(0, len(keys), 1000):
        client.delete_objects(Bucket=provider.bucket, Delete={
            "Objects": [{"Key": key} for key in keys[start:start + 1000]]})


def run(table: Table) -> None:
    base = corpus.folder() / "upload"
    house = _house(base)
    try:
        files = sorted(house.music.rglob("*.flac"))
        size = sum(path.stat().st_size for path in files)
        theirs, ours = [], []
        for _ in range(ROUNDS):
            plain = server().provider()
            theirs.append(size / 1e6 / _by_boto3(files, plain.bucket))
            _emptied(plain)
            house.provider = server().provider()
            for uid in house.every():
                house.copies.drop_of(uid)
            ours.append(size / 1e6 / _by_us(house))
            again = time.monotonic()
            assert house.upload(workers=AT_ONCE).skipped == TRACKS
            again = time.monotonic() - again
            _emptied(house.provider)
        print(f"    MB/s, {ROUNDS} rounds in turns: ours {spread(ours)}, boto3's {spread(theirs)}")
        figure, bare = statistics.median(ours), statistics.median(theirs)
        table.add("upload, hashed, proved and told", f"{TRACKS:,} tracks, {size / 1e9:.1f} GB, {AT_ONCE} at a time",
                  figure, "MB/s", bare=bare, bare_name="boto3's transfer", aim="≥ 0.8", met=figure >= 0.8 * bare)
        table.add("upload again, when all is there", f"{TRACKS:,} tracks", again, "s")
    finally:
        house.close()
        shutil.rmtree(base, ignore_errors=True)
