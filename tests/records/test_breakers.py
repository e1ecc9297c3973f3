from __future__ import annotations

from dataclasses import replace

from shared.database import Database
from shared.records.breakers import BreakerRow, Breakers

OPEN = BreakerRow(
    name="deezer", operation="search", state="open", failure_count=3, opened_at=5.5, last_failure=5.5, last_error="no"
)


def test_breakers_outlive_the_station(database: Database) -> None:
    breakers = Breakers(database=database)
    assert breakers.load() == []
    other = BreakerRow(name="deezer", operation="resolve", state="closed", failure_count=0, last_success=1.0)
    breakers.save(OPEN)
    breakers.save(other)
    assert Breakers(database=database).load() == [other, OPEN]
    breakers.save(replace(OPEN, state="half_open"))
    assert [row.state for row in breakers.load()] == ["closed", "half_open"]


def test_only_closed_ones_that_are_long_silent_are_forgotten(database: Database) -> None:
    breakers = Breakers(database=database)
    breakers.save(OPEN)
    for host, at in (("old", 10.0), ("new", 1000.0)):
        breakers.save(BreakerRow(name="direct", operation=host, state="closed", failure_count=0, last_success=at))
    assert breakers.prune(500.0) == 1
    assert {row.operation for row in breakers.load()} == {"search", "new"}
