"""The second factor: codes that count once, tries that are few, keys that get lost."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pyotp
import pytest

from shared.database import Database
from shared.events import EventBus
from shared.model.errors import Conflict, Forbidden, NotLoggedIn, TooOften
from shared.model.person import Person
from shared.records.audit import Audit
from shared.records.people import People
from shared.security.accounts import OPERATOR, Accounts, Login
from shared.security.audit import AuditLog
from shared.security.passwords import Passwords
from shared.security.second_factor import (
    RECOVERY_CODES,
    STEP_S,
    SecondFactorNeeded,
    SecondFactors,
    SecondFactorWrong,
    WrongCode,
)
from shared.security.throttle import Throttle
from shared.vault import KEY_FILE, Vault
from tests.security.houses import PASSWORD, Clock


@dataclass
class Home:
    """ann, an owner, and zoe with a second factor."""

    folder: Path
    database: Database
    people: People
    accounts: Accounts
    clock: Clock
    audit: Audit
    secret: str = ""
    recovery: tuple[str, ...] = ()

    def code(self, steps: int = 0) -> str:
        return pyotp.TOTP(self.secret).at(int(self.clock.now) + steps * STEP_S)

    def log_in(self, code: str | None = None, password: str = PASSWORD, address: str = "192.0.2.1") -> Login:
        return self.accounts.login("zoe", password, address, "Browser/1.0", code=code)

    def deeds(self) -> list[str]:
        return [line.deed for line in self.audit.list(500).items][::-1]


def open_home(folder: Path, clock: Clock) -> Home:
    database = Database(folder / "library.db")
    database.prepare()
    people, throttle, audit = People(database=database), Throttle(clock=clock), Audit(database=database)
    factors = SecondFactors(people=people, vault=Vault(folder / "config", identity=lambda: "m"), throttle=throttle,
                            name=lambda: "Home", clock=clock)
    accounts = Accounts(people=people, throttle=throttle, events=EventBus(), passwords=Passwords(memory_kib=64),
                        clock=clock, factors=factors, audit=AuditLog(records=audit))
    return Home(folder, database, people, accounts, clock, audit)


@pytest.fixture
def bare(tmp_path: Path, clock: Clock) -> Iterator[Home]:
    home = open_home(tmp_path, clock)
    home.accounts.ensure_owner(("ann", PASSWORD))
    home.accounts.make_user(OPERATOR, "zoe", PASSWORD, "adult")
    yield home
    home.database.close()


@pytest.fixture
def home(bare: Home) -> Home:
    zoe = bare.log_in().person
    bare.secret = bare.accounts.begin_second_factor(zoe, PASSWORD).secret
    bare.recovery = tuple(bare.accounts.confirm_second_factor(zoe, bare.code()))
    bare.clock.now += 2 * STEP_S
    return bare


# ---- setting it up -------------------------------------------------------------------------------------------------


def test_it_is_set_up_with_the_password_and_a_first_code(bare: Home) -> None:
    zoe = bare.log_in().person
    made = bare.accounts.begin_second_factor(zoe, PASSWORD)
    assert re.fullmatch(r"[A-Z2-7]{32}", made.secret)
    assert made.uri.startswith("otpauth://totp/Home:zoe?") and made.secret in made.uri
    assert bare.log_in(), "not on yet"
    bare.secret = made.secret
    codes = bare.accounts.confirm_second_factor(zoe, bare.code())
    assert len(set(codes)) == RECOVERY_CODES
    assert all(re.fullmatch(r"([a-z2-7]{4}-){3}[a-z2-7]{4}", one) for one in codes)
    with pytest.raises(SecondFactorNeeded):
        bare.log_in()
    assert "second_factor_on" in bare.deeds()


def test_neither_secret_nor_recovery_code_is_stored_as_it_is(home: Home) -> None:
    stored = b"".join(path.read_bytes() for path in home.folder.glob("library.db*"))
    for secret in (home.secret, *home.recovery, *(one.replace("-", "") for one in home.recovery)):
        assert secret.encode() not in stored


def test_a_wrong_password_or_code_switches_nothing_on(bare: Home) -> None:
    zoe = bare.log_in().person
    with pytest.raises(Forbidden):
        bare.accounts.begin_second_factor(zoe, "wrong horse battery")
    with pytest.raises(Conflict):
        bare.accounts.confirm_second_factor(zoe, "123456")
    bare.secret = bare.accounts.begin_second_factor(zoe, PASSWORD).secret
    with pytest.raises(WrongCode):
        bare.accounts.confirm_second_factor(zoe, bare.code(-5))
    bare.clock.now += 601
    with pytest.raises(Conflict):
        bare.accounts.confirm_second_factor(zoe, bare.code())
    assert bare.log_in()


def test_another_secret_is_not_taken_while_one_is_on(home: Home) -> None:
    zoe = home.log_in(home.code()).person
    with pytest.raises(Conflict):
        home.accounts.begin_second_factor(zoe, PASSWORD)


def test_of_two_that_were_begun_at_once_one_counts(bare: Home) -> None:
    first, second = open_home(bare.folder, bare.clock), bare
    zoe = bare.log_in().person
    secrets = [one.accounts.begin_second_factor(zoe, PASSWORD).secret for one in (first, second)]
    first.secret, second.secret = secrets
    first.accounts.confirm_second_factor(zoe, first.code())
    with pytest.raises(Conflict):
        second.accounts.confirm_second_factor(zoe, second.code())
    first.clock.now += 60
    assert first.log_in(first.code())
    first.database.close()


def test_a_device_that_may_only_listen_changes_nothing(home: Home) -> None:
    zoe = home.log_in(home.code()).person
    phone = Person(user_id=zoe.user_id, id=zoe.id, username="zoe", role="adult", scope="listen", token_id=99)
    with pytest.raises(Forbidden):
        home.accounts.end_second_factor(phone, PASSWORD, home.recovery[0])


# ---- logging in --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [-1, 0, 1])
def test_a_code_counts_in_its_half_minute_and_the_ones_beside_it(home: Home, steps: int) -> None:
    assert home.log_in(home.code(steps)).person.username == "zoe"


@pytest.mark.parametrize("steps", [-3, -2, 2, 3, 1000])
def test_it_does_not_count_any_other_time(home: Home, steps: int) -> None:
    with pytest.raises(SecondFactorWrong):
        home.log_in(home.code(steps))


def test_a_code_counts_once_and_so_do_those_before_it(home: Home) -> None:
    before, used = home.code(), home.code(1)
    home.log_in(used)
    for code in (used, before):
        with pytest.raises(SecondFactorWrong):
            home.log_in(code)
    home.clock.now += STEP_S
    with pytest.raises(SecondFactorWrong):
        home.log_in(used)
    home.clock.now += STEP_S
    assert home.log_in(home.code())


def test_of_many_with_the_same_code_at_once_one_gets_in(home: Home) -> None:
    homes, code, start = [home, open_home(home.folder, home.clock)], home.code(), threading.Barrier(4)

    def tried(one: Home) -> bool:
        start.wait()
        try:
            return bool(one.log_in(code))
        except SecondFactorWrong:
            return False

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(tried, homes * 2)) == [False, False, False, True]
    homes[1].database.close()


@pytest.mark.parametrize("code", [
    "000000", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "１２３４５６", "\0", "\ud800", "x" * 100_000, "-", "' OR 1=1 --",
    "None", "0" * 16,
])
def test_what_is_no_code_is_wrong(home: Home, code: str) -> None:
    with pytest.raises(SecondFactorWrong):
        home.log_in(code)


@pytest.mark.parametrize("code", [None, "", "   "])
def test_without_a_code_it_is_asked_for(home: Home, code: str | None) -> None:
    with pytest.raises(SecondFactorNeeded) as caught:
        home.log_in(code)
    assert (caught.value.http_status, caught.value.code) == (401, "second_factor_needed")


@pytest.mark.parametrize("with_code", [True, False])
def test_who_does_not_know_the_password_does_not_learn_that_there_is_a_second_factor(
        home: Home, with_code: bool) -> None:
    code = home.code() if with_code else None
    answers = []
    for name in ("zoe", "ann", "nobody"):
        with pytest.raises(NotLoggedIn) as caught:
            home.accounts.login(name, "wrong horse battery", "192.0.2.9", code=code)
        answers.append((type(caught.value), caught.value.code, caught.value.message, str(caught.value.details)))
    assert len(set(answers)) == 1 and answers[0][0] is NotLoggedIn
    assert home.log_in(home.code()), "a right code beside a wrong password is not used up"


def test_guessing_codes_is_limited_from_wherever_it_comes(home: Home) -> None:
    """Who has the password and a thousand addresses has ten tries, not ten thousand."""
    outcomes = []
    for number in range(40):
        try:
            home.log_in("000000", address=f"198.51.100.{number}")
        except (SecondFactorWrong, TooOften) as problem:
            outcomes.append(type(problem).__name__)
    assert outcomes.count("SecondFactorWrong") == 10 and set(outcomes[10:]) == {"TooOften"}
    with pytest.raises(TooOften):
        home.log_in(home.code())
    with pytest.raises(NotLoggedIn) as caught:
        home.log_in(home.code(), password="wrong horse battery", address="203.0.113.5")
    assert not isinstance(caught.value, SecondFactorWrong), "strangers learn nothing of it"
    home.clock.now += 300
    assert home.log_in(home.code())


def test_the_right_password_alone_counts_as_a_failure(home: Home) -> None:
    """Else it would clear the count of guesses at the password again and again."""
    outcomes = []
    for _ in range(12):
        try:
            home.log_in()
        except (SecondFactorNeeded, TooOften) as problem:
            outcomes.append(type(problem).__name__)
    assert outcomes[-1] == "TooOften"


def test_others_log_in_without(home: Home) -> None:
    assert home.accounts.login("ann", PASSWORD, code="whatever").person.username == "ann"


def test_devices_and_sessions_that_are_there_go_on(bare: Home) -> None:
    before = bare.log_in()
    bare.secret = bare.accounts.begin_second_factor(before.person, PASSWORD).secret
    bare.accounts.confirm_second_factor(before.person, bare.code())
    assert bare.accounts.who(before.token) is not None


# ---- recovery codes ----------------------------------------------------------------------------------------------


def test_a_recovery_code_lets_in_once(home: Home) -> None:
    typed = home.recovery[3].upper().replace("-", " ")
    assert home.log_in(typed).person.username == "zoe"
    with pytest.raises(SecondFactorWrong):
        home.log_in(typed)
    assert home.log_in(home.recovery[4])
    used = [line.details for line in home.audit.list(deed="recovery_used").items]
    assert [one["recovery_codes_left"] for one in used] == [8, 9]


def test_of_many_with_the_same_recovery_code_at_once_one_gets_in(home: Home) -> None:
    homes, start = [home, open_home(home.folder, home.clock)], threading.Barrier(4)

    def tried(one: Home) -> bool:
        start.wait()
        try:
            return bool(one.log_in(home.recovery[0]))
        except SecondFactorWrong:
            return False

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(tried, homes * 2)) == [False, False, False, True]
    homes[1].database.close()


# ---- switching it off, and losing keys ---------------------------------------------------------------------------


def test_it_is_switched_off_by_password_and_code(home: Home) -> None:
    zoe = home.log_in(home.code()).person
    home.clock.now += STEP_S
    for password, code in ((PASSWORD, "000000"), ("wrong horse battery", home.code()), (PASSWORD, "")):
        with pytest.raises(Forbidden):
            home.accounts.end_second_factor(zoe, password, code)
    with pytest.raises(SecondFactorNeeded):
        home.log_in()
    home.accounts.end_second_factor(zoe, PASSWORD, home.code())
    assert home.log_in()
    with pytest.raises(Conflict):
        home.accounts.end_second_factor(zoe, PASSWORD, home.recovery[0])
    assert home.people.factor(zoe.user_id).recovery == ()


def test_an_owner_switches_off_that_of_others_but_not_the_own(home: Home) -> None:
    ann, zoe = home.accounts.login("ann", PASSWORD).person, home.log_in(home.code()).person
    with pytest.raises(Forbidden):
        home.accounts.reset_second_factor(ann, ann.id)
    with pytest.raises(Forbidden):
        home.accounts.reset_second_factor(zoe, zoe.id)
    assert home.accounts.reset_second_factor(ann, zoe.id).second_factor is False
    assert home.log_in()
    assert home.audit.list(deed="second_factor_off").items[0].subject == "zoe"


def test_a_lost_key_is_explained_and_a_recovery_code_still_lets_in(home: Home) -> None:
    (home.folder / "config" / KEY_FILE).unlink()
    again = open_home(home.folder, home.clock)
    with pytest.raises(SecondFactorWrong) as caught:
        again.log_in(home.code())
    assert "recovery" in caught.value.message and "second-factor" in caught.value.message
    with pytest.raises(NotLoggedIn) as stranger:
        again.log_in(home.code(), password="wrong horse battery")
    assert "key" not in stranger.value.message
    zoe = again.log_in(home.recovery[0]).person
    again.accounts.end_second_factor(zoe, PASSWORD, home.recovery[1])
    assert again.log_in()
    again.database.close()


def test_what_failed_is_in_the_audit_log_and_no_code_is(home: Home) -> None:
    with pytest.raises(SecondFactorWrong):
        home.log_in("424242")
    lines = home.audit.list(500).items
    assert lines[0].deed == "login_failed" and lines[0].username == "zoe"
    assert "424242" not in str(lines)
