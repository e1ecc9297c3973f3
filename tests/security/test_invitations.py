"""Invitations: one account a link, whatever is tried with it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from shared.model.errors import BadInput, Conflict, Forbidden, NotFound, SoundsibleError, TooOften
from shared.model.person import Person
from shared.records.audit import Audit
from shared.records.invitations import Invitations as Records
from shared.security.accounts import OPERATOR
from shared.security.audit import AuditLog
from shared.security.invitations import Invitations, hash_of
from shared.security.sync_token import TokenExpired, TokenUsed, WrongToken
from tests.security.houses import PASSWORD, House, open_house


@dataclass
class Porch:
    """Invitations of a house that ann owns."""

    house: House
    ann: Person
    records: Records
    invitations: Invitations
    audit: Audit

    def code(self, role: str = "adult", **more: Any) -> str:
        return self.invitations.make(self.ann, role, **more).code


@pytest.fixture
def porch(owned: House) -> Porch:
    records, audit = Records(database=owned.database), Audit(database=owned.database)
    ann = owned.accounts.login("ann", PASSWORD).person
    invitations = Invitations(
        records=records, accounts=owned.accounts, throttle=owned.accounts.throttle, days=7, clock=owned.clock,
        endpoints=lambda: ["https://music.example"], station=lambda: {"name": "Home"}, audit=AuditLog(records=audit))
    return Porch(owned, ann, records, invitations, audit)


def test_a_link_makes_an_account_as_it_was_said_and_logs_in(porch: Porch) -> None:
    made = porch.invitations.make(porch.ann, "child", name="Zoe", rights={"add": True})
    assert made.link == f"https://music.example/#/invite/{made.code}" and len(made.code) == 32
    said = porch.invitations.look(made.code)
    assert (said.station, said.name, said.role) == ("Home", "Zoe", "child")
    login = porch.invitations.accept(made.code, "zoe", PASSWORD)
    assert porch.house.accounts.who(login.token) == login.person
    assert (login.person.role, login.person.adds, login.person.edits) == ("child", True, False)
    (shown,) = porch.invitations.list(porch.ann)
    assert (shown.state, shown.used_by) == ("used", "zoe")


def test_the_code_is_stored_nowhere_and_told_nowhere(porch: Porch) -> None:
    code = porch.code(name="Zoe")
    porch.invitations.accept(code, "zoe", PASSWORD)
    with porch.house.database.read() as conn:
        cursor: Any = conn.connection.cursor()
        for table in [row[0] for row in cursor.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]:
            for row in cursor.execute(f"SELECT * FROM {table}").fetchall():
                assert code not in str(row) and code.encode() not in b"".join(
                    one for one in row if isinstance(one, bytes)), table
    assert {line.deed for line in porch.audit.list().items} == {"invited", "invitation_accepted"}


def test_it_is_good_once(porch: Porch) -> None:
    code = porch.code()
    porch.invitations.accept(code, "zoe", PASSWORD)
    for attempt in (lambda: porch.invitations.accept(code, "eve", PASSWORD), lambda: porch.invitations.look(code)):
        with pytest.raises(TokenUsed) as caught:
            attempt()
        assert (caught.value.code, caught.value.http_status) == ("token_used", 410)
    assert porch.house.people.find_user("eve") is None


def test_of_two_at_once_one_wins_also_across_processes(porch: Porch, other: House) -> None:
    elsewhere = Invitations(records=Records(database=other.database), accounts=other.accounts,
                            throttle=other.accounts.throttle, clock=other.clock)
    for number in range(5):
        code, start = porch.code(), threading.Barrier(4)

        def accept(
            invitations: Invitations, name: str, code: str = code, start: threading.Barrier = start
        ) -> str:
            start.wait()
            try:
                invitations.accept(code, name, PASSWORD)
                return name
            except TokenUsed:
                return ""

        with ThreadPoolExecutor(4) as pool:
            won = [one.result() for one in [
                pool.submit(accept, invitations, f"n{number}-{place}")
                for place, invitations in enumerate([porch.invitations, elsewhere] * 2)]]
        made = [name for name in won if name]
        assert len(made) == 1
        there = {one.username for one in porch.house.people.users() if one.username.startswith(f"n{number}-")}
        assert there == set(made)


@pytest.mark.parametrize("problem", ["ann", "", "a\u202eb"])
def test_a_name_or_password_that_cannot_be_leaves_it_good(porch: Porch, problem: str) -> None:
    code = porch.code()
    with pytest.raises((Conflict, BadInput)):
        porch.invitations.accept(code, problem, PASSWORD)
    with pytest.raises(BadInput):
        porch.invitations.accept(code, "zoe", "short")
    assert porch.invitations.accept(code, "zoe", PASSWORD).person.username == "zoe"


def test_it_ends_after_its_days(porch: Porch) -> None:
    code = porch.code()
    porch.house.clock.now += 7 * 86_400
    for attempt in (lambda: porch.invitations.look(code), lambda: porch.invitations.accept(code, "zoe", PASSWORD)):
        with pytest.raises(TokenExpired):
            attempt()
    assert porch.invitations.list(porch.ann)[0].state == "expired"


def test_one_that_is_withdrawn_is_wrong(porch: Porch) -> None:
    made = porch.invitations.make(porch.ann, "adult")
    porch.invitations.withdraw(porch.ann, made.invitation.id)
    with pytest.raises(WrongToken):
        porch.invitations.accept(made.code, "zoe", PASSWORD)
    with pytest.raises(NotFound):
        porch.invitations.withdraw(porch.ann, made.invitation.id)


@pytest.mark.parametrize("shut_out", ["demoted", "removed"])
def test_who_was_shut_out_leaves_no_way_in_behind(porch: Porch, shut_out: str) -> None:
    house = porch.house
    eve = house.accounts.make_user(OPERATOR, "eve", PASSWORD, "owner")
    code = porch.invitations.make(house.accounts.login("eve", PASSWORD).person, "owner").code
    if shut_out == "demoted":
        house.accounts.change_user(OPERATOR, eve.id, role="guest")
    else:
        house.accounts.remove_user(OPERATOR, eve.id)
    with pytest.raises(WrongToken):
        porch.invitations.accept(code, "eve2", PASSWORD)
    # Not between the look and the deed, either.
    assert porch.records.accept(hash_of(code), username="eve2", password_hash="x", now=house.clock.now) is None


@pytest.mark.parametrize("role", ["adult", "child", "guest"])
def test_only_owners_make_see_and_withdraw_them(porch: Porch, role: str) -> None:
    porch.house.accounts.make_user(OPERATOR, "bob", PASSWORD, role)
    bob = porch.house.accounts.login("bob", PASSWORD).person
    made = porch.invitations.make(porch.ann, "adult")
    for deed in (lambda: porch.invitations.make(bob, "owner"), lambda: porch.invitations.list(bob),
                 lambda: porch.invitations.withdraw(bob, made.invitation.id)):
        with pytest.raises(Forbidden):
            deed()
    assert porch.invitations.look(made.code)


def test_an_owner_who_was_demoted_a_moment_ago_makes_none(porch: Porch, other: House) -> None:
    other.accounts.make_user(OPERATOR, "bob", PASSWORD, "owner")
    user = other.people.find_user("ann")
    assert user is not None
    other.accounts.change_user(OPERATOR, user.uid, role="guest")
    with pytest.raises(Forbidden):      # `ann` still says owner
        porch.invitations.make(porch.ann, "owner")


@pytest.mark.parametrize("wish", [
    {"role": "king"}, {"role": "owner", "limited": True}, {"role": "owner", "rights": {"add": False}},
    {"role": "adult", "rights": {"own": True}}, {"role": "adult", "limited": True, "folders": [("/nowhere", "")]},
    {"role": "adult", "limited": True, "folders": [("/nowhere", "../x")]},
])
def test_what_cannot_be_is_not_invited(porch: Porch, wish: dict[str, Any]) -> None:
    with pytest.raises(SoundsibleError):
        porch.invitations.make(porch.ann, **wish)
    assert not porch.invitations.list(porch.ann)


def test_guessing_is_slowed_down_for_the_guesser_alone(porch: Porch) -> None:
    code = porch.code()

    def tried(deed: Callable[[], object]) -> str:
        try:
            deed()
        except SoundsibleError as problem:
            return type(problem).__name__
        return "in"

    guesses = [tried(lambda: porch.invitations.look("a" * 32, "192.0.2.66")) for _ in range(12)]
    assert guesses[0] == "WrongToken" and guesses[-1] == "TooOften"
    with pytest.raises(TooOften):
        porch.invitations.accept(code, "eve", PASSWORD, "192.0.2.66")
    assert porch.invitations.accept(code, "zoe", PASSWORD, "192.0.2.7")


@pytest.mark.parametrize("code", ["", " ", "\0", "\ud800", "a" * 100_000, "%", "' OR 1=1 --", "ａ" * 32])
def test_what_is_no_code_is_wrong_and_nothing_worse(porch: Porch, code: str) -> None:
    with pytest.raises(WrongToken):
        porch.invitations.look(code)


def test_a_limited_guest_sees_the_folders_that_were_named(porch: Porch, tmp_path: Any) -> None:
    from shared.records.scans import Scans

    root = Scans(database=porch.house.database).add_root(str(tmp_path))
    house = open_house(porch.house.database.path, porch.house.clock)
    code = porch.code("guest", limited=True, folders=[(root.path, "")])
    login = porch.invitations.accept(code, "zoe", PASSWORD)
    assert login.person.limited
    assert house.people.folders(login.person.user_id)[login.person.user_id] == [(root.path, "")]
    house.database.close()
