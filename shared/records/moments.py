"""Moments as people and programs read them, and new public ids."""

from __future__ import annotations

import base64
import secrets
from datetime import UTC, datetime


def shown(seconds: float) -> str:
    """Unix seconds as RFC 3339 UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def make_uids(count: int) -> list[str]:
    """`count` public ids: 16 lower-case base32 characters each, from the system's randomness."""
    text = base64.b32encode(secrets.token_bytes(10 * count)).decode("ascii").lower()
    return [text[i:i + 16] for i in range(0, 16 * count, 16)]


def make_uid() -> str:
    return make_uids(1)[0]
