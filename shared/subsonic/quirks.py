"""What single programs need otherwise than the protocol says: one table, each row with its reason."""

from __future__ import annotations

from typing import Any

from shared.subsonic.asking import Asked


def fitting(asked: Asked, name: str, payload: Any) -> Any:
    """What the answer `payload` of the call `name` becomes for the program that asks."""
    return payload
