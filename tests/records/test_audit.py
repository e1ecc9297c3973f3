"""The audit log's rows: the newest first, page by page, none changed, the old ones gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.database import Database
from shared.model.errors import BadInput
from shared.model.person import Person
from shared.records.audit import Audit, Entry

ANN = Person(user_id=7, id="a", username="Ann", role="owner")


@pytest.fixture
def audit(tmp_path: Path) -> Audit:
    database = Database(tmp_path / "library.db")
    database.prepare()
    return Audit(database=database)


def entry(at: float, deed: str = "login", username: str = "ben") -> Entry:
    return Entry(at=at, user_id=0, username=username, address="192.0.2.1", deed=deed, subject="", details={})


def test_a_line_tells_who_what_and_from_where(audit: Audit) -> None:
    audit.add(ANN, "192.0.2.7", "user_changed", "ben", role="adult", rights={"add": False})
    (line,) = audit.list().items
    assert (line.username, line.address, line.deed, line.subject) == ("Ann", "192.0.2.7", "user_changed", "ben")
    assert line.details == {"role": "adult", "rights": {"add": False}}
    assert line.at.endswith("Z")


def test_pages_follow_one_another_while_lines_are_added(audit: Audit) -> None:
    audit.add_all([entry(1000.0 + n) for n in range(7)])
    first = audit.list(3)
    audit.add_all([entry(2000.0)])
    second = audit.list(3, first.next_cursor)
    third = audit.list(3, second.next_cursor)
    times = [line.at for page in (first, second, third) for line in page.items]
    assert times == sorted(times, reverse=True) and len(times) == 7
    assert third.next_cursor is None and third.total == 8


def test_it_is_narrowed_by_deed_and_by_name_in_whatever_case(audit: Audit) -> None:
    audit.add_all([entry(1.0), entry(2.0, "logout"), entry(3.0, username="Ann"), entry(4.0, "logout", "ANN")])
    assert [line.username for line in audit.list(deed="logout").items] == ["ANN", "ben"]
    assert [line.deed for line in audit.list(username="ann").items] == ["logout", "login"]
    assert audit.list(username="ann", deed="login").total == 1
    assert audit.list(username="ann' OR 1=1 --").total == 0


@pytest.mark.parametrize("cursor", ["", "x", "-1", "1e3", "٣", "9" * 30, "1 OR 1=1"])
def test_a_made_up_cursor_is_refused(audit: Audit, cursor: str) -> None:
    with pytest.raises(BadInput):
        audit.list(10, cursor)


def test_what_is_old_goes_and_the_rest_stays(audit: Audit) -> None:
    audit.add_all([entry(100.0), entry(200.0), entry(300.0)])
    assert audit.trim(250.0) == 2
    assert audit.list().total == 1
