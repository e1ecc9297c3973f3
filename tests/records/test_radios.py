from __future__ import annotations

import pytest

from shared.database import Database
from shared.model.errors import Conflict, NotFound
from shared.model.person import Person
from shared.records import radios as records
from shared.records.radios import Radios


def test_radios_are_noted_changed_and_forgotten(database: Database, owner: Person) -> None:
    radios = Radios(database=database)
    two = radios.add(owner.user_id, name="The Zebra", stream_url="http://z/")
    one = radios.add(None, name="An Ant", stream_url="http://a/", homepage_url="http://home/")
    assert radios.list() == [one, two]
    changed = radios.change(two.id, name="Aardvark")
    assert (changed.name, changed.stream_url) == ("Aardvark", "http://z/")
    assert radios.list() == [changed, one]
    assert radios.change(one.id, homepage_url="").homepage_url == ""
    radios.remove(two.id)
    for deed in (lambda: radios.get(two.id), lambda: radios.remove(two.id), lambda: radios.change(two.id, name="x")):
        with pytest.raises(NotFound):
            deed()


def test_there_are_so_many_and_no_more(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MOST_RADIOS", 1)
    radios = Radios(database=database)
    radios.add(None, name="One", stream_url="http://a/")
    with pytest.raises(Conflict):
        radios.add(None, name="Two", stream_url="http://b/")
