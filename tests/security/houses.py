"""Real accounts on a real database, as one process has them; only the hashes are made cheap."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from shared.database import Database
from shared.events import EventBus, SessionsEnded
from shared.records.people import People
from shared.security.accounts import Accounts
from shared.security.passwords import Passwords
from shared.security.throttle import Throttle

PASSWORD = "correct horse battery"


class Clock:
    """Unix seconds that a test moves."""

    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class House:
    """One process's accounts: several may share a database, as the station and the command line do."""

    database: Database
    people: People
    accounts: Accounts
    clock: Clock
    ended: list[int] = field(default_factory=list)


def open_house(path: Path, clock: Clock) -> House:
    database = Database(path)
    database.prepare()
    people, events = People(database=database), EventBus()
    accounts = Accounts(people=people, throttle=Throttle(), events=events, session_days=90,
                        passwords=Passwords(memory_kib=64), clock=clock)
    house = House(database, people, accounts, clock)
    events.subscribe(SessionsEnded, lambda event: house.ended.extend(event.token_ids))
    return house
