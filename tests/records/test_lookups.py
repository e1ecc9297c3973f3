from __future__ import annotations

import pytest

from shared.database import Database
from shared.records import lookups
from shared.records.lookups import StoredLookups


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1_000.0]
    monkeypatch.setattr(lookups.time, "time", lambda: now[0])
    return now


def test_an_answer_is_kept_until_it_is_too_old(database: Database, clock: list[float]) -> None:
    kept = StoredLookups(database=database)
    answer = {"recordings": [{"title": "Heroes", "length": 1}], "none": None}
    kept.put("musicbrainz", "isrc:X", answer)
    assert kept.get("musicbrainz", "isrc:X", max_age_s=60) == answer
    assert kept.get("deezer", "isrc:X", max_age_s=60) is None
    clock[0] += 61
    assert kept.get("musicbrainz", "isrc:X", max_age_s=60) is None
    assert kept.get("musicbrainz", "isrc:X", max_age_s=62) == answer
    kept.put("musicbrainz", "isrc:X", [])
    assert kept.get("musicbrainz", "isrc:X", max_age_s=1) == []


def test_the_oldest_answers_leave_first(database: Database, clock: list[float]) -> None:
    kept = StoredLookups(database=database)
    for number in range(5):
        clock[0] += 1
        kept.put("s", str(number), number)
    assert kept.prune(2) == 3
    assert [kept.get("s", str(number), max_age_s=1e6) for number in range(5)] == [None, None, None, 3, 4]
    assert kept.prune(2) == 0
