"""All calls of /rest, each room built with what it needs of the station."""

from __future__ import annotations

from typing import Any

from shared.records.choosing import Choosing
from shared.records.directories import Directories
from shared.records.entries import Entries
from shared.routes.sending import Sending
from shared.subsonic import browsing, folders, lists, searching, system, users
from shared.subsonic.calls import Calls
from shared.subsonic.telling import Telling


def rooms(station: Any, *, sending: Sending) -> list[Calls]:
    """`station` has its parts by their rooms' names, `sending` sends what sounds."""
    entries = Entries(database=station.database)
    choosing = Choosing(database=station.database)
    telling = Telling(entries=entries)
    return [
        system.calls(),
        browsing.calls(choosing=choosing, entries=entries, telling=telling),
        folders.calls(choosing=choosing, entries=entries, directories=Directories(database=station.database),
                      telling=telling),
        lists.calls(choosing=choosing, telling=telling),
        searching.calls(choosing=choosing, search=station.search, telling=telling),
        users.calls(accounts=station.accounts, people=station.people, scans=station.scans,
                    shares=station.settings.shares),
    ]
