"""Other stations as they are remembered: each person's own, each once."""

from __future__ import annotations

import pytest

from shared.database import Database
from shared.model.errors import Conflict, NotFound
from shared.model.person import Person
from shared.records import stations as room
from shared.records.stations import Stations


def _put(records: Stations, person: Person, fingerprint: str = "f" * 43, **more: object) -> room.StationRow:
    told = {"name": "attic", "endpoints": ["http://a:1"], "token": "v1:sealed", **more}
    return records.put(person.user_id, fingerprint=fingerprint, **told)  # type: ignore[arg-type]


def test_a_station_is_remembered_once_and_anew_when_it_is_paired_again(database: Database, owner: Person) -> None:
    records = Stations(database=database)
    first = _put(records, owner)
    records.told(first.uid, error="It was away.")
    again = _put(records, owner, name="loft", endpoints=["http://b:2", "http://a:1"], token="v1:other")
    assert again.uid == first.uid and records.list(owner.user_id) == [again]
    assert (again.name, again.endpoints, again.token, again.last_error) == (
        "loft", ("http://b:2", "http://a:1"), "v1:other", None)  # fmt: skip
    assert "sealed" not in repr(again) and "v1:" not in repr(again)


def test_everybody_has_their_own(database: Database, owner: Person, guest: Person) -> None:
    records = Stations(database=database)
    hers, his = _put(records, owner), _put(records, guest)
    assert hers.uid != his.uid and records.list(guest.user_id) == [his]
    for deed in (records.get, records.remove):
        with pytest.raises(NotFound):
            deed(guest.user_id, hers.uid)
    records.remove(owner.user_id, hers.uid)
    assert records.list(owner.user_id) == [] and records.list(guest.user_id) == [his]


def test_whether_it_answered_is_remembered(database: Database, owner: Person) -> None:
    records = Stations(database=database)
    row = _put(records, owner)
    records.told(row.uid, error="It is away.")
    away = records.get(owner.user_id, row.uid)
    assert away.last_error == "It is away." and away.last_seen_at == row.last_seen_at
    records.told(row.uid, error=None)
    back = records.get(owner.user_id, row.uid)
    assert back.last_error is None and (back.last_seen_at or 0) >= (row.last_seen_at or 0)
    records.moved(row.uid, [f"http://{number}:1" for number in range(12)])
    assert len(records.get(owner.user_id, row.uid).endpoints) == room.MOST_ENDPOINTS


def test_nobody_has_very_many(database: Database, owner: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST_STATIONS", 2)
    records = Stations(database=database)
    _put(records, owner, "a" * 43)
    _put(records, owner, "b" * 43)
    _put(records, owner, "b" * 43)
    with pytest.raises(Conflict):
        _put(records, owner, "c" * 43)
