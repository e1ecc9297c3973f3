"""All calls of /rest, each room built with what it needs of the station."""

from __future__ import annotations

from typing import Any

from shared.routes.sending import Sending
from shared.subsonic import system, users
from shared.subsonic.calls import Calls


def rooms(station: Any, *, sending: Sending) -> list[Calls]:
    """`station` has its parts by their rooms' names, `sending` sends what sounds."""
    return [
        system.calls(),
        users.calls(accounts=station.accounts, people=station.people, scans=station.scans,
                    shares=station.settings.shares),
    ]
