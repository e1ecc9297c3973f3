"""Moments as people and programs read them, and new public ids."""

from __future__ import annotations

import base64
import secrets
import time
from datetime import UTC, datetime
from functools import lru_cache


@lru_cache(maxsize=4096)  # what was scanned together was added at one moment
def shown(seconds: float) -> str:
    """Unix seconds as RFC 3339 UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


_DIGITS = "abcdefghijklmnopqrstuvwxyz234567"
_SINCE = 1_700_000_000  # Unix seconds


def make_uids(count: int) -> list[str]:
    """`count` public ids of 16 lower-case base32 characters: the second they were made in (6), and randomness (10).

    Opaque to everybody. Ids made together lie together in an index: wholly random ones would have a scan write
    hundreds of pages for every batch.
    """
    second = max(int(time.time()) - _SINCE, 0)
    prefix = "".join(_DIGITS[second >> shift & 31] for shift in (25, 20, 15, 10, 5, 0))
    text = base64.b32encode(secrets.token_bytes(25 * ((count + 3) // 4))).decode("ascii").lower()
    return sorted(prefix + text[i : i + 10] for i in range(0, 10 * count, 10))


def make_uid() -> str:
    return make_uids(1)[0]
