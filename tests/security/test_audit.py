"""Writing the audit log: nothing is lost, nothing waits, no secret, and a flood is a line."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from shared.model.audit import DEEDS
from shared.model.errors import Overloaded
from shared.model.person import Person
from shared.records.audit import Audit, Entry
from shared.security import audit as module
from shared.security.audit import FOLD_S, FOLDS, NO_AUDIT, AuditLog
from tests.security.houses import Clock, House

ANN = Person(user_id=7, id="a", username="ann", role="owner")


class Rows:
    """Stands in for the records: keeps what it is given, or fails, or does not come back."""

    def __init__(self) -> None:
        self.lines: list[Entry] = []
        self.trouble: Exception | None = None
        self.before: float | None = None

    def add_all(self, entries: list[Entry]) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.lines += entries

    def trim(self, before: float) -> int:
        self.before = before
        return 3


@pytest.fixture
def rows() -> Rows:
    return Rows()


@pytest.fixture
def audit(rows: Rows, clock: Clock) -> AuditLog:
    kept: Any = rows
    return AuditLog(records=kept, clock=clock, days=30)


def test_without_a_thread_a_line_is_there_at_once(audit: AuditLog, rows: Rows) -> None:
    audit.write("login", person=ANN, address="192.0.2.1")
    assert [(one.username, one.deed, one.user_id) for one in rows.lines] == [("ann", "login", 7)]


def test_with_its_thread_lines_come_in_order_and_stopping_writes_the_rest(audit: AuditLog, rows: Rows) -> None:
    audit.start()
    for number in range(50):
        audit.write("login", username=f"n{number}")
    audit.stop()
    assert [one.username for one in rows.lines] == [f"n{number}" for number in range(50)]


def test_who_writes_does_not_wait_for_a_database_that_hangs(audit: AuditLog, rows: Rows,
                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROUND_S", 0.0)
    inside, go_on = threading.Event(), threading.Event()
    add_all = rows.add_all

    def hang(entries: list[Entry]) -> None:
        inside.set()
        assert go_on.wait(10)
        add_all(entries)

    monkeypatch.setattr(rows, "add_all", hang)
    audit.start()
    audit.write("login", person=ANN)
    assert inside.wait(10)
    audit.write("logout", person=ANN)   # comes back, or this test never ends
    assert not rows.lines
    go_on.set()
    audit.stop()
    assert [one.deed for one in rows.lines] == ["login", "logout"]


def test_a_locked_database_raises_nothing_and_the_lines_are_written_later(audit: AuditLog, rows: Rows) -> None:
    rows.trouble = Overloaded("busy", retry_after_s=1)
    audit.write("login", username="first")
    audit.write("login", username="second")
    rows.trouble = None
    audit.write("login", username="third")
    assert [one.username for one in rows.lines] == ["first", "second", "third"]


def test_what_waits_is_bounded(audit: AuditLog, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITING", 20)
    rows.trouble = Overloaded("busy", retry_after_s=1)
    for _ in range(100):
        audit.write("login", person=ANN)
    assert len(audit._queue) == 20


def test_a_flood_of_failed_logins_is_a_first_line_and_a_count(audit: AuditLog, rows: Rows, clock: Clock) -> None:
    for _ in range(1000):
        audit.write("login_failed", username="ann", address="192.0.2.1")
    audit.write("login_failed", username="ann", address="192.0.2.2")
    assert [one.address for one in rows.lines] == ["192.0.2.1", "192.0.2.2"], "each address's first is told at once"
    clock.now += FOLD_S
    audit.flush(all_of_it=False)
    assert [one.details for one in rows.lines[2:]] == [{"times": 999}]


def test_a_flood_from_everywhere_is_bounded_too(audit: AuditLog, rows: Rows) -> None:
    for number in range(20 * FOLDS):
        audit.write("login_failed", address=f"2001:db8::{number:x}")
    assert len(rows.lines) == FOLDS + 1 == len(audit._folds)
    audit.flush()
    assert rows.lines[-1].details == {"times": 19 * FOLDS - 1} and not audit._folds


def test_other_deeds_are_all_told(audit: AuditLog, rows: Rows) -> None:
    for _ in range(30):
        audit.write("login", person=ANN)
    assert len(rows.lines) == 30


def test_secrets_do_not_get_in(audit: AuditLog, rows: Rows) -> None:
    audit.write("user_changed", person=ANN, password="hunter2hunter2", new_password=None, token="t" * 40,
                rights={"add": True, "api_key": "k1"}, client_secret="s1", recovery_codes=["c1"],
                recovery_codes_left=9)
    told = rows.lines[0].details
    assert "hunter2" not in str(told) and not {"k1", "s1", "c1"} & set(str(told).replace("'", " ").split())
    assert told["rights"]["add"] is True and told["recovery_codes_left"] == 9
    assert told["new_password"] is None, "that there was none is no secret"


def test_what_others_chose_cannot_break_out_of_its_line(audit: AuditLog, rows: Rows) -> None:
    audit.write("invited", person=ANN, subject="a\nb\x1b[31m\u202e" + "x" * 5000, note={"\n": ["y" * 5000]})
    line = rows.lines[0]
    assert line.subject.startswith("a b") and len(line.subject) <= 200 and line.subject.isprintable()
    assert all(len(one) <= 200 for one in line.details["note"][""])


def test_an_unknown_deed_is_a_defect_that_stops_nobody(audit: AuditLog, rows: Rows) -> None:
    audit.write("danced", person=ANN)
    audit.write("login", person=ANN, odd=object())
    assert [one.deed for one in rows.lines] == ["login"]


def test_without_records_nothing_happens() -> None:
    NO_AUDIT.write("login", person=ANN)
    NO_AUDIT.flush()
    assert NO_AUDIT.trim() == 0


def test_old_lines_are_removed_by_the_days_they_are_kept(audit: AuditLog, rows: Rows, clock: Clock) -> None:
    assert audit.trim() == 3
    assert rows.before == clock.now - 30 * 86_400


def test_real_records_take_every_deed(owned: House) -> None:
    records = Audit(database=owned.database)
    log = AuditLog(records=records)
    for deed in DEEDS:
        log.write(deed, person=ANN, address="::1", subject="x", how=("a", 1, None))
    log.flush()
    assert {line.deed for line in records.list(500).items} == set(DEEDS)
