"""The one-time code: one claim wins, guessing does not, and nothing of it outlives the start."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.model.errors import BadInput, Conflict, Forbidden, SoundsibleError
from shared.security.accounts import OPERATOR, Login
from shared.security.setup import Setup
from tests.security.houses import PASSWORD, House, open_house


@pytest.fixture
def setup(house: House) -> Setup:
    return Setup(people=house.people, accounts=house.accounts)


def test_whoever_has_the_code_becomes_the_owner_and_is_logged_in(house: House, setup: Setup) -> None:
    assert setup.needed()
    login = setup.claim(setup.code(), "ann", PASSWORD)
    assert login.person.owns and house.accounts.who(login.token) == login.person
    assert not setup.needed()
    assert house.accounts.login("ann", PASSWORD)


def test_the_code_is_long_and_survives_hands_and_terminals(setup: Setup) -> None:
    code = setup.code()
    assert code == setup.code()
    assert code.isalnum() and code == code.lower() and len(code) * 5 >= 128
    assert setup.claim(f"  {code.upper()} ", "ann", PASSWORD)


def test_a_used_code_is_gone(setup: Setup) -> None:
    code = setup.code()
    setup.claim(code, "ann", PASSWORD)
    with pytest.raises(Conflict):
        setup.claim(code, "eve", PASSWORD)
    with pytest.raises(Conflict):
        setup.code()


def test_each_start_has_a_code_of_its_own(house: House, setup: Setup) -> None:
    earlier = setup.code()
    restarted = Setup(people=house.people, accounts=house.accounts)
    assert restarted.code() != earlier
    with pytest.raises(Forbidden):
        restarted.claim(earlier, "eve", PASSWORD)


@pytest.mark.parametrize("code", ["", " ", "0", "none", "null", "\0", "\ud800", "x" * 100_000])
def test_a_wrong_code_makes_nobody_an_owner(house: House, setup: Setup, code: str) -> None:
    setup.code()
    with pytest.raises(Forbidden):
        setup.claim(code, "eve", PASSWORD)
    assert house.people.users() == []


@pytest.mark.parametrize("code", ["", "None", "none"])
def test_before_a_code_was_made_none_fits(house: House, setup: Setup, code: str) -> None:
    with pytest.raises(Forbidden):
        setup.claim(code, "eve", PASSWORD)
    assert house.people.users() == []


def test_wrong_codes_are_limited_by_address(setup: Setup) -> None:
    code, said = setup.code(), []
    for _ in range(30):
        try:
            setup.claim("wrong", "eve", PASSWORD, "198.51.100.7")
        except SoundsibleError as error:
            said.append(error.http_status)
    assert said == [403] * 10 + [429] * 20
    assert setup.claim(code, "ann", PASSWORD, "192.0.2.1")


def test_a_name_or_password_that_is_not_allowed_leaves_the_code_good(setup: Setup) -> None:
    for name, password in [("ann", "short"), ("", PASSWORD), ("a\nn", PASSWORD)]:
        with pytest.raises(BadInput):
            setup.claim(setup.code(), name, password)
    assert setup.claim(setup.code(), "ann", PASSWORD)


def test_of_many_claims_at_once_exactly_one_wins(house: House, setup: Setup) -> None:
    """Eight with the right code, in two processes."""
    elsewhere = open_house(house.database.path, house.clock)
    second = Setup(people=elsewhere.people, accounts=elsewhere.accounts)
    codes = {setup: setup.code(), second: second.code()}
    start = threading.Barrier(8)

    def claim(number: int) -> Login | str:
        start.wait()
        mine = (setup, second)[number % 2]
        try:
            return mine.claim(codes[mine], f"person {number}", PASSWORD, f"192.0.2.{number}")
        except (Conflict, Forbidden) as error:
            return error.code

    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(claim, range(8)))
    assert sum(isinstance(one, Login) for one in said) == 1
    assert len(house.people.users()) == 1
    elsewhere.database.close()


def test_an_owner_made_elsewhere_ends_the_set_up(house: House, setup: Setup) -> None:
    code = setup.code()
    house.accounts.make_user(OPERATOR, "ann", PASSWORD, "owner")
    assert not setup.needed()
    with pytest.raises(Conflict):
        setup.claim(code, "eve", PASSWORD)


def test_an_account_that_owns_nothing_does_not_end_the_set_up(house: House, setup: Setup) -> None:
    house.accounts.make_user(OPERATOR, "bob", PASSWORD, "adult")
    assert setup.needed()
    with pytest.raises(Conflict):
        setup.claim(setup.code(), "BOB", PASSWORD)
    assert setup.claim(setup.code(), "ann", PASSWORD).person.owns
