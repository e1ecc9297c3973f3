"""What a process does to the cache before it is killed; run as a program by test_cache."""

from __future__ import annotations

import hashlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shared.database import Database
from shared.records.cached import Cached
from shared.storage import cache as cache_room
from shared.storage.cache import Cache

SIZE = 100_000
LIMIT = 3 * SIZE + 10


def content(number: int) -> bytes:
    return bytes([number % 256]) * (SIZE - 2) + (number // 256).to_bytes(2, "big")


def open_cache(home: Path) -> tuple[Cache, Cached]:
    database = Database(home / "library.db")
    database.prepare()
    records = Cached(database=database)
    return Cache(records=records, folder=home / "tracks", limit_bytes=LIMIT, hold_after_s=0, keep_free_bytes=0), records


def fill(cache: Cache, data: bytes) -> bool:
    """Whether it is in the cache now."""
    incoming = cache.incoming(hashlib.sha256(data).hexdigest(), len(data))
    if incoming is None:
        return False
    os.pwrite(incoming.fd, data[:70_000], 0)
    os.pwrite(incoming.fd, data[70_000:], 70_000)
    kept = incoming.commit()
    incoming.close()
    return kept is not None


def die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dying(deed: Callable[..., Any], *, first: bool) -> Callable[..., Any]:
    """`deed`, done before the end when `first`, or else not any more."""

    def instead(*args: Any, **kwargs: Any) -> None:
        if first:
            deed(*args, **kwargs)
        die()

    return instead


def main(home: Path, moment: str) -> None:
    cache, records = open_cache(home)
    cache.start()
    for number in range(3):
        assert fill(cache, content(number))
    print("filled", flush=True)
    if moment == "some time":
        for number in range(3, 100_000):
            fill(cache, content(number))
    where, _, when = moment.partition(" ")
    first = when == "after"
    if where == "put":
        records.put = dying(records.put, first=first)  # type: ignore[method-assign]
    elif where == "drop":
        records.drop_as = dying(records.drop_as, first=first)  # type: ignore[method-assign]
    else:
        setattr(cache_room.os, where, dying(getattr(os, where), first=first))
    fill(cache, content(3))
    cache.stop()
    print("not killed", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
