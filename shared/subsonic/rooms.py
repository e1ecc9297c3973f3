"""All calls of /rest, each room built with what it needs of the station."""

from __future__ import annotations

from typing import Any

from shared.subsonic import system
from shared.subsonic.calls import Calls


def rooms(station: Any) -> list[Calls]:
    """`station` has its parts by their rooms' names."""
    return [
        system.calls(),
    ]
