"""Who may log in, who is behind a token, who may change whom, and what an attacker finds."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from shared.model.errors import (
    BadInput,
    BadSetting,
    Conflict,
    Forbidden,
    NotFound,
    NotLoggedIn,
    SoundsibleError,
    TooOften,
)
from shared.model.person import Person
from shared.security import accounts as module
from shared.security.accounts import OPERATOR, SESSIONS, Login, hash_of, new_token
from shared.security.passwords import Passwords
from tests.security.houses import PASSWORD, House, open_house

OTHER = "another long password"


def log_in(house: House, name: str = "ann", password: str = PASSWORD, address: str = "192.0.2.1") -> Login:
    return house.accounts.login(name, password, address, "Browser/1.0")


@pytest.fixture
def no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers of `who` are never remembered: what two seconds later would be."""
    monkeypatch.setattr(module, "REMEMBERED_S", -1.0)


# ---- logging in --------------------------------------------------------------------------------------------------


def test_the_right_password_gives_a_session(owned: House) -> None:
    login = log_in(owned, " ANN ")
    assert login.person.username == "ann" and login.person.role == "owner" and login.person.owns
    assert owned.accounts.who(login.token) == login.person
    assert owned.accounts.expiry_of(login.expires_at)[1] == 90 * 86_400


@pytest.mark.parametrize(("name", "password"), [
    ("ann", "wrong horse battery"), ("ann", ""), ("ann", PASSWORD + " "), ("ann", PASSWORD.upper()), ("bob", PASSWORD),
    ("", PASSWORD), ("ann\0", PASSWORD), ("ann' OR 1=1 --", PASSWORD), ("a" * 5000, PASSWORD), ("ann", "x" * 100_000),
    ("\ud800", PASSWORD), ("ann", "\ud800" * 10), ("%", PASSWORD), ("än\u0303n", PASSWORD),
])
def test_every_wrong_login_gets_the_same_answer(owned: House, name: str, password: str) -> None:
    with pytest.raises(NotLoggedIn) as caught:
        log_in(owned, name, password)
    with pytest.raises(NotLoggedIn) as usual:
        log_in(owned, "ann", "a usual wrong password", "192.0.2.9")
    assert caught.value.message == usual.value.message and caught.value.details == usual.value.details


def test_an_unknown_name_is_hashed_as_long_as_a_known_one(owned: House, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    fits = Passwords.fits

    def counting(self: Passwords, password_hash: str | None, password: str) -> bool:
        asked.append(password_hash is None)
        return fits(self, password_hash, password)

    monkeypatch.setattr(Passwords, "fits", counting)
    for name in ("ann", "nobody", "", "\0", "x" * 5000):
        with pytest.raises(NotLoggedIn):
            log_in(owned, name, "wrong horse battery")
    assert asked == [False, True, True, True, True]


def test_guessing_ends_long_before_a_hundred_and_elsewhere_the_owner_logs_in(owned: House) -> None:
    said = []
    for number in range(100):
        try:
            log_in(owned, ["ann", "ANN", " ann"][number % 3], f"guess number {number:03}", "198.51.100.7")
        except SoundsibleError as error:
            said.append(error.http_status)
    assert said[:10] == [401] * 10 and set(said[10:]) == {429}
    with pytest.raises(TooOften) as right_password:
        log_in(owned, address="198.51.100.7")
    assert right_password.value.retry_after_s >= 1
    assert log_in(owned, address="192.0.2.1").person.username == "ann"


def test_many_logins_at_once_all_pass(owned: House) -> None:
    with ThreadPoolExecutor(20) as pool:
        logins = list(pool.map(lambda _: log_in(owned), range(40)))
    assert len({login.token for login in logins}) == 40
    assert all(owned.accounts.who(login.token) for login in logins)


def test_a_hash_of_old_parameters_is_renewed_at_login(owned: House, tmp_path: Path) -> None:
    before = owned.people.find_user("ann")
    stronger = open_house(owned.database.path, owned.clock)
    stronger.accounts._passwords = Passwords(memory_kib=128)
    login = log_in(stronger)
    after = owned.people.find_user("ann")
    assert before and after and before.password_hash != after.password_hash and "m=128" in after.password_hash
    assert stronger.accounts.who(login.token)
    stronger.database.close()


def test_a_password_changed_while_it_is_checked_gives_no_session(owned: House) -> None:
    """The old password was right when asked; meanwhile the owner of it changed it and ended all sessions."""
    stale = owned.people.find_user("ann")
    assert stale
    owned.accounts.change_user(OPERATOR, stale.uid, password=OTHER)
    with pytest.raises(NotLoggedIn):
        owned.accounts.begin_session(stale)
    assert owned.people.token_ids(stale.id) == []


# ---- tokens ------------------------------------------------------------------------------------------------------


def test_only_the_hash_of_a_token_is_stored(owned: House) -> None:
    token = log_in(owned).token
    assert len(token) >= 43
    owned.database.close()
    stored = b"".join(path.read_bytes() for path in owned.database.path.parent.iterdir() if path.is_file())
    assert token.encode() not in stored
    assert PASSWORD.encode() not in stored
    assert hash_of(token) in stored


def test_a_stolen_hash_is_no_token(owned: House) -> None:
    token = log_in(owned).token
    raw = hash_of(token)
    for form in (raw.hex(), raw.decode("latin-1"), token.lower(), token[:-1], token + "=", f" {token}"):
        assert owned.accounts.who(form) is None


@pytest.mark.parametrize("token", ["", "x", "x" * 43, "x" * 100_000, "\0", "\ud800", "' OR 1=1 --", "null"])
def test_nobody_is_behind_a_made_up_token(owned: House, token: str) -> None:
    assert owned.accounts.who(token) is None


def test_a_login_never_takes_over_a_token_that_was_there(owned: House) -> None:
    first, second = log_in(owned), log_in(owned)
    assert first.token != second.token and first.person.token_id != second.person.token_id
    assert owned.accounts.who(first.token) and owned.accounts.who(second.token)


def test_log_out_ends_exactly_this_session_at_once(owned: House) -> None:
    one, two = log_in(owned), log_in(owned)
    assert owned.accounts.who(one.token)
    owned.accounts.logout(one.person)
    assert owned.accounts.who(one.token) is None
    assert owned.accounts.who(two.token)
    assert owned.ended == [one.person.token_id]


def test_a_session_ends_after_its_days_and_lives_on_while_it_is_used(owned: House, no_memory: None) -> None:
    idle, used = log_in(owned), log_in(owned)
    for _ in range(4):
        owned.clock.now += 30 * 86_400 - 1
        assert owned.accounts.who(used.token)
        owned.accounts.write_uses()
    assert owned.accounts.who(idle.token) is None
    assert owned.accounts.who(used.token)
    owned.clock.now += 91 * 86_400
    assert owned.accounts.who(used.token) is None


def test_asking_who_writes_nothing_and_the_last_use_is_kept_once_a_minute(owned: House) -> None:
    login = log_in(owned)
    owned.clock.now += 100
    with sqlite3.connect(owned.database.path) as looking:
        before = looking.execute("PRAGMA data_version").fetchone()
        for _ in range(50):
            owned.accounts.who(login.token, "198.51.100.3")
        assert looking.execute("PRAGMA data_version").fetchone() == before
    looking.close()
    assert owned.accounts.write_uses() == 1
    for _ in range(50):
        owned.accounts.who(login.token)
    assert owned.accounts.write_uses() == 0
    found = owned.people.find_token(hash_of(login.token))
    assert found and found[0].last_used_at == owned.clock.now and found[0].last_address == "198.51.100.3"


def test_stopping_loses_no_use(owned: House) -> None:
    owned.accounts.start()
    login = log_in(owned)
    owned.clock.now += 1000
    owned.accounts.who(login.token)
    owned.accounts.stop()
    found = owned.people.find_token(hash_of(login.token))
    assert found and found[0].last_used_at == owned.clock.now


def test_a_session_ended_by_another_process_ends_here(owned: House, other: House, no_memory: None) -> None:
    login = log_in(owned)
    assert owned.accounts.who(login.token)
    other.accounts.logout(login.person)
    assert owned.accounts.who(login.token) is None
    assert owned.ended == [login.person.token_id]


def test_open_sockets_hear_of_sessions_that_another_process_ended_or_time(owned: House, other: House) -> None:
    gone, late, kept = log_in(owned), log_in(owned), log_in(owned)
    for login in (gone, late, kept):
        assert owned.accounts.who(login.token)
    other.accounts.logout(gone.person)
    owned.accounts.end_revoked()
    assert owned.ended == [gone.person.token_id]
    owned.clock.now += 89 * 86_400
    assert owned.accounts.who(kept.token)
    owned.accounts.write_uses()
    owned.clock.now += 2 * 86_400
    owned.accounts.end_revoked()
    assert owned.ended == [gone.person.token_id, late.person.token_id]


def test_a_role_changed_by_another_process_counts_here(owned: House, other: House, no_memory: None) -> None:
    bob = owned.accounts.make_user(OPERATOR, "bob", PASSWORD, "guest")
    login = log_in(owned, "bob")
    other.accounts.change_user(OPERATOR, bob.id, role="adult")
    person = owned.accounts.who(login.token)
    assert person and person.role == "adult"


def test_a_revocation_during_a_look_up_is_not_forgotten(owned: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The row was read, then the session ended, then the answer would have been remembered."""
    login = log_in(owned)
    find = owned.people.find_token

    def slowly(digest: bytes) -> object:
        found = find(digest)
        monkeypatch.setattr(owned.people, "find_token", find)
        owned.accounts.logout(login.person)
        return found

    monkeypatch.setattr(owned.people, "find_token", slowly)
    owned.accounts.who(login.token)
    assert owned.accounts.who(login.token) is None


def test_what_is_remembered_of_tokens_is_bounded(owned: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 5)
    monkeypatch.setattr(module, "SEEN", 5)
    logins = [log_in(owned) for _ in range(12)]
    assert all(owned.accounts.who(login.token) for login in logins)
    assert len(owned.accounts._remembered) <= 5 and len(owned.accounts._seen) <= 5
    for _ in range(100):
        assert owned.accounts.who(new_token()[0]) is None
    assert len(owned.accounts._remembered) <= 5


def test_one_person_has_a_bounded_number_of_sessions(owned: House, monkeypatch: pytest.MonkeyPatch) -> None:
    assert SESSIONS >= 100
    monkeypatch.setattr(module, "SESSIONS", 3)
    logins = [log_in(owned) for _ in range(5)]
    alive = [login for login in logins if owned.accounts.who(login.token)]
    assert alive == logins[2:]
    assert owned.ended == [login.person.token_id for login in logins[:2]]


# ---- the own account ---------------------------------------------------------------------------------------------


def test_a_changed_password_ends_the_other_sessions_and_keeps_this_one(owned: House) -> None:
    here, elsewhere = log_in(owned), log_in(owned)
    for login in (here, elsewhere):
        assert owned.accounts.who(login.token)
    owned.accounts.change_password(here.person, PASSWORD, OTHER)
    assert owned.accounts.who(here.token)
    assert owned.accounts.who(elsewhere.token) is None
    assert owned.ended == [elsewhere.person.token_id]
    with pytest.raises(NotLoggedIn):
        log_in(owned)
    assert log_in(owned, password=OTHER)


def test_a_stolen_session_cannot_guess_the_password_nor_lock_its_owner_out(owned: House) -> None:
    stolen = log_in(owned)
    said = []
    for number in range(30):
        try:
            owned.accounts.change_password(stolen.person, f"guess number {number:02}", OTHER)
        except SoundsibleError as error:
            said.append(error.http_status)
    assert said == [403] * 10 + [429] * 20
    assert log_in(owned)


def test_a_new_password_must_be_allowed(owned: House) -> None:
    login = log_in(owned)
    with pytest.raises(BadInput):
        owned.accounts.change_password(login.person, PASSWORD, "short")
    assert log_in(owned)


def test_a_device_with_few_rights_cannot_change_the_password(owned: House) -> None:
    login = log_in(owned)
    device = replace(login.person, scope="listen")
    with pytest.raises(Forbidden):
        owned.accounts.change_password(device, PASSWORD, OTHER)


# ---- everybody's accounts ----------------------------------------------------------------------------------------


def person(house: House, name: str, role: str) -> Person:
    house.accounts.make_user(OPERATOR, name, PASSWORD, role)
    return log_in(house, name).person


@pytest.mark.parametrize("role", ["adult", "child", "guest"])
def test_only_an_owner_touches_accounts(owned: House, role: str) -> None:
    actor = person(owned, "bob", role)
    ann = owned.accounts.users(OPERATOR)[0]
    deeds: list[Callable[[], object]] = [
        lambda: owned.accounts.users(actor),
        lambda: owned.accounts.make_user(actor, "eve", PASSWORD, "owner"),
        lambda: owned.accounts.change_user(actor, actor.id, role="owner"),
        lambda: owned.accounts.change_user(actor, actor.id, username="bobby"),
        lambda: owned.accounts.change_user(actor, ann.id, password=OTHER),
        lambda: owned.accounts.remove_user(actor, ann.id),
        lambda: owned.accounts.remove_user(actor, actor.id),
    ]
    for deed in deeds:
        with pytest.raises(Forbidden):
            deed()
    assert [(one.username, one.role) for one in owned.accounts.users(OPERATOR)] == [("ann", "owner"), ("bob", role)]


def test_an_owners_device_with_few_rights_owns_nothing(owned: House) -> None:
    ann = log_in(owned).person
    device = Person(user_id=ann.user_id, id=ann.id, username="ann", role="owner", scope="add", token_id=99)
    with pytest.raises(Forbidden):
        owned.accounts.make_user(device, "eve", PASSWORD, "guest")


def test_the_last_owner_can_neither_leave_nor_step_down(owned: House) -> None:
    ann = log_in(owned).person
    with pytest.raises(Conflict):
        owned.accounts.change_user(ann, ann.id, role="adult")
    with pytest.raises(Conflict):
        owned.accounts.remove_user(ann, ann.id)
    assert owned.accounts.users(ann)[0].role == "owner"
    bea = person(owned, "bea", "owner")
    owned.accounts.remove_user(bea, ann.id)
    with pytest.raises(Conflict):
        owned.accounts.remove_user(bea, bea.id)


def test_two_owners_who_demote_each_other_at_once_leave_one(owned: House, other: House) -> None:
    ann, bea = log_in(owned).person, person(owned, "bea", "owner")
    start = threading.Barrier(2)

    def demote(house: House, actor: Person, uid: str) -> str:
        start.wait()
        try:
            house.accounts.change_user(actor, uid, role="guest")
            return "done"
        except (Conflict, Forbidden):   # the last owner stays; or who was quicker has taken the right to do it
            return "refused"

    with ThreadPoolExecutor(2) as pool:
        said = {pool.submit(demote, owned, ann, bea.id), pool.submit(demote, other, bea, ann.id)}
    assert sorted(one.result() for one in said) == ["done", "refused"]
    assert owned.people.count_owners() == 1


def test_a_removed_person_is_out_at_once(owned: House) -> None:
    bob = owned.accounts.make_user(OPERATOR, "bob", PASSWORD, "adult")
    login = log_in(owned, "bob")
    assert owned.accounts.who(login.token)
    owned.accounts.remove_user(OPERATOR, bob.id)
    assert owned.accounts.who(login.token) is None
    assert owned.ended == [login.person.token_id]
    with pytest.raises(NotLoggedIn):
        log_in(owned, "bob")


def test_a_lower_role_and_a_new_password_end_sessions_a_higher_role_counts_at_once(owned: House) -> None:
    bob = owned.accounts.make_user(OPERATOR, "bob", PASSWORD, "child")
    login = log_in(owned, "bob")
    assert owned.accounts.who(login.token)
    owned.accounts.change_user(OPERATOR, bob.id, role="adult", username="Bobby")
    now = owned.accounts.who(login.token)
    assert now and now.role == "adult" and now.username == "Bobby"
    owned.accounts.change_user(OPERATOR, bob.id, role="guest")
    assert owned.accounts.who(login.token) is None
    login = log_in(owned, "bobby")
    owned.accounts.change_user(OPERATOR, bob.id, password=OTHER)
    assert owned.accounts.who(login.token) is None


@pytest.mark.parametrize("name", ["ANN", " ann", "Ａｎｎ", "ann\u00a0"])
def test_a_name_that_looks_the_same_is_taken(owned: House, name: str) -> None:
    with pytest.raises(Conflict):
        owned.accounts.make_user(OPERATOR, name, PASSWORD, "guest")
    bob = owned.accounts.make_user(OPERATOR, "bob", PASSWORD, "guest")
    with pytest.raises(Conflict):
        owned.accounts.change_user(OPERATOR, bob.id, username=name)
    assert owned.accounts.change_user(OPERATOR, bob.id, username="BOB").username == "BOB"


@pytest.mark.parametrize(("name", "password", "role"), [
    ("", PASSWORD, "guest"), ("eve", "short", "guest"), ("eve", PASSWORD, "god"), ("e\nve", PASSWORD, "guest"),
    ("eve", "x" * 2000, "guest"), ("eve", PASSWORD, "OWNER"), ("x" * 65, PASSWORD, "guest"),
])
def test_what_is_not_allowed_makes_no_account(owned: House, name: str, password: str, role: str) -> None:
    with pytest.raises(BadInput):
        owned.accounts.make_user(OPERATOR, name, password, role)
    assert len(owned.people.users()) == 1


def test_who_is_not_there_is_not_found(owned: House) -> None:
    with pytest.raises(NotFound):
        owned.accounts.change_user(OPERATOR, "nobody", role="guest")
    with pytest.raises(NotFound):
        owned.accounts.remove_user(OPERATOR, "nobody")


# ---- the first owner ---------------------------------------------------------------------------------------------


def test_the_settings_make_the_owner_on_the_first_start_only(house: House) -> None:
    assert house.accounts.ensure_owner(None) is None
    made = house.accounts.ensure_owner(("ann", PASSWORD))
    assert made and made.role == "owner"
    assert house.accounts.ensure_owner(("eve", OTHER)) is None
    assert [one.username for one in house.people.users()] == ["ann"]
    assert log_in(house)


@pytest.mark.parametrize(("name", "password"), [("ann", "2short4"), ("a\nn", PASSWORD), ("x" * 65, PASSWORD)])
def test_an_owner_who_cannot_be_is_a_bad_setting_that_hides_the_password(
    house: House, name: str, password: str
) -> None:
    with pytest.raises(BadSetting) as caught:
        house.accounts.ensure_owner((name, password))
    assert "SOUNDSIBLE_OWNER" in caught.value.message and password not in caught.value.message


# ---- what somebody may, as it changes ------------------------------------------------------------------------------


def test_what_another_process_changes_about_somebody_is_noticed_and_told(
        owned: House, other: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from shared.events import PersonChanged

    monkeypatch.setattr(module, "REMEMBERED_S", 1e9)
    bob = owned.accounts.make_user(OPERATOR, "bob", PASSWORD, "adult")
    login, told = log_in(owned, "bob"), []
    owned.accounts._events.subscribe(PersonChanged, lambda event: told.append(event.user_id))
    owned.accounts.look_at_people()
    assert owned.accounts.who(login.token)
    other.accounts.change_user(OPERATOR, bob.id, rights={"edit": False})
    before = owned.accounts.who(login.token)
    assert before is not None and before.edits, "remembered"
    owned.accounts.look_at_people()     # as its thread does when the database has changed
    after = owned.accounts.who(login.token)
    assert after is not None and not after.edits and after.adds
    assert told == [after.user_id]
    owned.accounts.look_at_people()
    assert len(told) == 1


def test_a_new_password_takes_back_sync_tokens_that_nobody_claimed(owned: House) -> None:
    from shared.records.tables import pairings

    login = log_in(owned)
    with owned.database.transaction() as conn:
        conn.execute(pairings.insert().values(
            uid="p", key=b"k", user_id=login.person.user_id, kind="device", scope="own", created_at=0.0,
            expires_at=9e9))
    owned.accounts.change_password(login.person, PASSWORD, OTHER)
    with owned.database.read() as conn:
        assert conn.execute(pairings.select()).first() is None


def test_an_account_with_a_second_factor_stays_shut_where_none_can_be_checked(owned: House) -> None:
    user = owned.people.find_user("ann")
    assert user is not None
    owned.people.set_factor(user.id, "sealed")
    with pytest.raises(NotLoggedIn):
        owned.accounts.login("ann", PASSWORD, code="123456")
