"""App passwords: what programs log in with at /rest, and nowhere else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.events import EventBus, PersonChanged, SessionsEnded
from shared.model.errors import BadInput, Conflict, Forbidden, NotFound, NotLoggedIn, TooOften
from shared.model.person import Person
from shared.records.app_passwords import MOST
from shared.records.app_passwords import AppPasswords as Records
from shared.security import app_passwords
from shared.security.accounts import OPERATOR
from shared.security.app_passwords import DIGITS, LENGTH, AppPasswords, canonical, in_groups, new_secret
from shared.security.throttle import FREE
from shared.vault import Vault
from tests.security.houses import PASSWORD, Clock, House, open_house

HERE, ELSEWHERE = "192.0.2.7", "198.51.100.9"


@dataclass
class Apps:
    """One process's."""

    house: House
    passwords: AppPasswords

    def person(self, name: str = "ann", scope: str = "own") -> Person:
        user = self.house.people.find_user(name)
        assert user is not None
        return Person(user_id=user.id, id=user.uid, username=user.username, role=user.role, scope=scope)


def open_apps(house: House, folder: Path, endpoints: tuple[str, ...] = ("https://music.example",)) -> Apps:
    return Apps(house, AppPasswords(
        records=Records(database=house.database), people=house.people, accounts=house.accounts, vault=Vault(folder),
        events=house.accounts._events, endpoints=lambda: endpoints))


@pytest.fixture
def apps(owned: House, tmp_path: Path) -> Apps:
    owned.accounts.make_user(OPERATOR, "ben", PASSWORD, "adult")
    return open_apps(owned, tmp_path)


@pytest.fixture
def tool(apps: Apps, tmp_path: Path, clock: Clock) -> Iterator[Apps]:
    """The same station as the command line has it open."""
    opened = open_house(apps.house.database.path, clock)
    yield open_apps(opened, tmp_path)
    opened.database.close()


def md5(secret: str, salt: str) -> str:
    return hashlib.md5((secret + salt).encode()).hexdigest()


def test_it_is_accepted_in_every_way_that_the_protocol_has(apps: Apps) -> None:
    made = apps.passwords.create(apps.person(), "Phone")
    bare = made.secret.replace("-", "")
    for name in ("ann", "ANN", "Ａnn"):
        for secret in (made.secret, bare):
            found = [apps.passwords.by_key(secret, address=HERE),
                     apps.passwords.by_password(name, secret, address=HERE),
                     apps.passwords.by_digest(name, md5(secret, "sälz"), "sälz", address=HERE),
                     apps.passwords.by_digest(name, md5(secret, "").upper(), "", address=HERE)]
            assert {(one.username, one.role, one.scope) for one in found} == {("ann", "owner", "own")}


def test_it_has_120_bits_and_is_shown_in_groups(apps: Apps) -> None:
    secrets = {new_secret() for _ in range(50)}
    assert len(secrets) == 50 and all(len(one) == LENGTH and set(one) <= set(DIGITS) for one in secrets)
    assert len(DIGITS) ** LENGTH == 2**120
    assert in_groups("abcdefghjkmnpqrstvwxyz01") == "abcd-efgh-jkmn-pqrs-tvwx-yz01"


@given(st.text(alphabet=DIGITS, min_size=LENGTH, max_size=LENGTH), st.data())
def test_what_people_read_wrongly_is_read_right(secret: str, data: st.DataObject) -> None:
    typed = data.draw(st.sampled_from([
        in_groups(secret), secret.upper(), f" {in_groups(secret)} ", secret.replace("0", "O"), secret.replace("1", "l"),
        secret.replace("1", "I"), " ".join(secret[at:at + 4] for at in range(0, LENGTH, 4))]))
    assert canonical(typed) == secret


def test_the_accounts_password_is_never_taken(apps: Apps) -> None:
    apps.passwords.create(apps.person(), "Phone")
    for wrong in (lambda: apps.passwords.by_password("ann", PASSWORD, address=HERE),
                  lambda: apps.passwords.by_digest("ann", md5(PASSWORD, "s"), "s", address=HERE),
                  lambda: apps.passwords.by_key(PASSWORD, address=HERE)):
        with pytest.raises(NotLoggedIn):
            wrong()


def test_it_counts_as_no_bearer_token_and_no_token_counts_as_one(apps: Apps) -> None:
    made = apps.passwords.create(apps.person(), "Phone")
    for given_as in (made.secret, made.secret.replace("-", "")):
        assert apps.house.accounts.who(given_as, HERE) is None
    assert apps.passwords.by_key(made.secret, address=HERE)     # and now that it is remembered
    assert apps.house.accounts.who(made.secret.replace("-", ""), HERE) is None
    token = apps.house.accounts.login("ann", PASSWORD).token
    assert apps.house.accounts.who(token) is not None
    for wrong in (lambda: apps.passwords.by_key(token, address=HERE),
                  lambda: apps.passwords.by_password("ann", token, address=HERE)):
        with pytest.raises(NotLoggedIn):
            wrong()


def test_one_persons_is_not_anothers(apps: Apps) -> None:
    made = apps.passwords.create(apps.person("ben"), "Phone")
    with pytest.raises(NotLoggedIn):
        apps.passwords.by_password("ann", made.secret, address=HERE)
    with pytest.raises(NotLoggedIn):
        apps.passwords.by_digest("ann", md5(made.secret, "s"), "s", address=HERE)


def test_guessing_is_slowed_down_and_the_right_one_never_waits(apps: Apps) -> None:
    made = apps.passwords.create(apps.person(), "Phone")
    refused = 0
    for number in range(100):
        with pytest.raises((NotLoggedIn, TooOften)) as problem:
            apps.passwords.by_digest("ann", md5(f"guess {number}", "s"), "s", address=HERE)
        refused += isinstance(problem.value, NotLoggedIn)
        assert apps.passwords.by_digest("ann", md5(made.secret, f"{number}"), f"{number}", address=HERE)
    assert refused <= FREE
    for again in (lambda: apps.passwords.by_password("ann", "x", address=HERE),):
        with pytest.raises(TooOften) as waits:
            again()
        assert waits.value.retry_after_s >= 1
    with pytest.raises(NotLoggedIn):    # nobody is locked out from afar
        apps.passwords.by_password("ann", "x", address=ELSEWHERE)
    assert apps.house.accounts.login("ann", PASSWORD, HERE).person.username == "ann"


def test_guessing_keys_is_slowed_down_too(apps: Apps) -> None:
    made = apps.passwords.create(apps.person(), "Phone")
    with pytest.raises(TooOften):
        for number in range(FREE + 2):
            with pytest.raises(NotLoggedIn):
                apps.passwords.by_key(f"{number:024}", address=HERE)
    assert apps.passwords.by_key(made.secret, address=HERE)


def test_a_revoked_one_counts_no_more_at_once_and_its_streams_end(apps: Apps) -> None:
    made, other = apps.passwords.create(apps.person(), "Phone"), apps.passwords.create(apps.person(), "Tablet")
    person = apps.passwords.by_digest("ann", md5(made.secret, "s"), "s", address=HERE)
    apps.passwords.revoke(apps.person(), made.id)
    assert apps.house.ended == [person.token_id]
    for wrong in (lambda: apps.passwords.by_key(made.secret, address=HERE),
                  lambda: apps.passwords.by_password("ann", made.secret, address=HERE),
                  lambda: apps.passwords.by_digest("ann", md5(made.secret, "s"), "s", address=HERE)):
        with pytest.raises(NotLoggedIn):
            wrong()
    assert apps.passwords.by_key(other.secret, address=HERE)
    with pytest.raises(NotFound):
        apps.passwords.revoke(apps.person(), made.id)


def test_what_the_command_line_revokes_is_out_with_the_next_look(apps: Apps, tool: Apps) -> None:
    made = apps.passwords.create(apps.person(), "Phone")
    person = apps.passwords.by_digest("ann", md5(made.secret, "s"), "s", address=HERE)
    tool.passwords.revoke(OPERATOR, made.id)
    apps.house.accounts.end_revoked()       # what its thread does within half a second
    assert apps.house.ended == [person.token_id]
    with pytest.raises(NotLoggedIn):
        apps.passwords.by_digest("ann", md5(made.secret, "s"), "s", address=HERE)


def test_what_the_command_line_makes_counts_at_once(apps: Apps, tool: Apps) -> None:
    apps.passwords.create(apps.person(), "Phone")
    with pytest.raises(NotLoggedIn):        # who ann's are is known in memory from now on
        apps.passwords.by_digest("ann", md5("x", "s"), "s", address=HERE)
    made = tool.passwords.create(OPERATOR, "Tablet", user_id=apps.person().user_id)
    assert apps.passwords.by_digest("ann", md5(made.secret, "s"), "s", address=HERE).username == "ann"


@pytest.mark.parametrize("scope", ["listen", "add", "own"])
def test_it_gives_its_scope_and_never_more_than_its_person_may(apps: Apps, scope: str) -> None:
    found = apps.passwords.by_key(apps.passwords.create(apps.person("ben"), "x", scope=scope).secret, address=HERE)
    assert (found.scope, found.owns, found.adds) == (scope, False, scope != "listen")
    ben = apps.house.people.find_user("ben")
    assert ben is not None
    apps.house.people.change_user(ben.uid, role="guest")
    apps.house.accounts._forget()
    assert not apps.passwords.by_key(
        apps.passwords.create(apps.person("ben"), "y", scope=scope).secret, address=HERE).adds


def test_a_new_name_of_its_person_counts_and_the_old_one_does_not(apps: Apps) -> None:
    made = apps.passwords.create(apps.person("ben"), "x")
    assert apps.passwords.by_digest("ben", md5(made.secret, "s"), "s", address=HERE)
    apps.house.accounts.change_user(OPERATOR, apps.person("ben").id, username="benjamin")
    assert apps.passwords.by_digest("benjamin", md5(made.secret, "s"), "s", address=HERE).username == "benjamin"
    with pytest.raises(NotLoggedIn):
        apps.passwords.by_digest("ben", md5(made.secret, "s"), "s", address=HERE)


def test_it_ends_with_its_person(apps: Apps) -> None:
    made = apps.passwords.create(apps.person("ben"), "x")
    assert apps.passwords.by_digest("ben", md5(made.secret, "s"), "s", address=HERE)
    apps.house.accounts.remove_user(OPERATOR, apps.person("ben").id)
    with pytest.raises(NotLoggedIn):
        apps.passwords.by_digest("ben", md5(made.secret, "s"), "s", address=HERE)
    with pytest.raises(NotLoggedIn):
        apps.passwords.by_key(made.secret, address=HERE)


def test_a_password_that_somebody_else_sets_ends_it_and_one_s_own_does_not(apps: Apps) -> None:
    made = apps.passwords.create(apps.person("ben"), "x")
    session = apps.house.accounts.login("ben", PASSWORD)
    apps.house.accounts.change_password(session.person, PASSWORD, "another good one")
    assert apps.passwords.by_key(made.secret, address=HERE)
    apps.house.accounts.change_user(OPERATOR, apps.person("ben").id, password="yet another one")
    with pytest.raises(NotLoggedIn):
        apps.passwords.by_key(made.secret, address=HERE)


def test_it_does_not_run_out_while_nobody_uses_it(apps: Apps) -> None:
    made = apps.passwords.create(apps.person(), "x")
    assert apps.passwords.by_key(made.secret, address=HERE)
    apps.house.accounts.write_uses()
    apps.house.clock.now += 10 * 365 * 86_400
    apps.house.accounts._forget()
    assert apps.passwords.by_key(made.secret, address=HERE)


def test_it_stands_sealed_and_hashed_in_the_database(apps: Apps) -> None:
    made = apps.passwords.create(apps.person(), "x")
    apps.house.database.close()
    for path in apps.house.database.path.parent.iterdir():
        if path.is_file():
            content = path.read_bytes()
            assert made.secret.encode() not in content and made.secret.replace("-", "").encode() not in content
    assert made.secret not in repr(made)


def test_where_its_key_is_lost_it_still_counts_as_key_and_password(apps: Apps, tmp_path: Path) -> None:
    made = apps.passwords.create(apps.person(), "x")
    elsewhere = open_apps(apps.house, tmp_path / "another machine")
    assert elsewhere.passwords.by_key(made.secret, address=HERE)
    with pytest.raises(NotLoggedIn):
        elsewhere.passwords.by_digest("ann", md5(made.secret, "s"), "s", address=HERE)


def test_a_device_with_limited_rights_looks_after_none(apps: Apps) -> None:
    for scope in ("listen", "add"):
        for deed in (lambda one: apps.passwords.create(one, "x"), lambda one: apps.passwords.list(one),
                     lambda one: apps.passwords.revoke(one, "x")):
            with pytest.raises(Forbidden):
                deed(apps.person("ann", scope))


def test_everybody_sees_and_ends_their_own(apps: Apps) -> None:
    mine, theirs = apps.passwords.create(apps.person("ben"), "B"), apps.passwords.create(apps.person(), "A")
    assert [one.name for one in apps.passwords.list(apps.person("ben"))] == ["B"]
    assert {one.name for one in apps.passwords.list(OPERATOR)} == {"A", "B"}
    assert [one.name for one in apps.passwords.list(OPERATOR, user_id=apps.person("ben").user_id)] == ["B"]
    with pytest.raises(NotFound):
        apps.passwords.revoke(apps.person("ben"), theirs.id)
    with pytest.raises(Forbidden):
        apps.passwords.create(apps.person("ben"), "x", user_id=apps.person().user_id)
    apps.passwords.revoke(apps.person("ben"), mine.id)


def test_when_and_from_where_it_was_used_is_known_before_it_is_written(apps: Apps) -> None:
    made = apps.passwords.create(apps.person(), "x")
    assert apps.passwords.list(apps.person())[0].last_used_at is None
    apps.passwords.by_key(made.secret, address=ELSEWHERE)
    found = apps.passwords.list(apps.person())[0]
    assert (found.last_used_at, found.last_address) == (apps.house.clock.now, ELSEWHERE)


def test_there_are_at_most_so_many_and_names_are_one_line(apps: Apps) -> None:
    assert apps.passwords.create(apps.person(), " a\nb\x07 ").name == "a b"
    assert apps.passwords.create(apps.person(), "").name
    for _ in range(MOST - 2):
        apps.passwords.create(apps.person(), "x")
    with pytest.raises(Conflict):
        apps.passwords.create(apps.person(), "x")
    assert apps.passwords.create(apps.person("ben"), "x")
    with pytest.raises(BadInput):
        apps.passwords.create(apps.person("ben"), "x", scope="all")


def test_the_link_tells_an_app_all_that_it_needs_behind_the_sign_that_no_server_sees(apps: Apps) -> None:
    made = apps.passwords.create(apps.person(), "x", here="http://192.0.2.2:5005/")
    assert (made.server, made.servers) == ("https://music.example", ("https://music.example", "http://192.0.2.2:5005"))
    link = urlsplit(made.link)
    assert f"{link.scheme}://{link.netloc}{link.path}" == "https://music.example/connect" and not link.query
    assert parse_qs(link.fragment) == {"server": [made.server], "username": ["ann"], "password": [made.secret]}


def test_nonsense_is_wrong_and_nothing_worse(apps: Apps) -> None:
    for text in ("", "\0", "x" * 5000, "\ud800", "-" * 24, "ﬁ" * 24):
        with pytest.raises((NotLoggedIn, TooOften)):
            apps.passwords.by_key(text, address="10.0.0.1")
        with pytest.raises((NotLoggedIn, TooOften)):
            apps.passwords.by_password(text, text, address="10.0.0.2")
        with pytest.raises((NotLoggedIn, TooOften)):
            apps.passwords.by_digest(text, text, text, address="10.0.0.3")


def test_what_is_known_in_memory_is_forgotten_when_anything_ends(apps: Apps) -> None:
    made = apps.passwords.create(apps.person(), "x")
    bus: EventBus = apps.house.accounts._events
    for event in (SessionsEnded((99,)), PersonChanged(99)):
        apps.passwords.by_digest("ann", md5(made.secret, "s"), "s", address=HERE)
        assert apps.passwords._known
        bus.publish(event)
        assert not apps.passwords._known


def test_a_wrong_digest_is_as_much_work_for_a_name_that_nobody_has(
    apps: Apps, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        apps.passwords.create(apps.person(), f"app {number}")
    work: list[str] = []
    fits, opened = app_passwords._fits, apps.passwords._vault.open
    monkeypatch.setattr(app_passwords, "_fits", lambda *given: work.append("tried") or fits(*given))
    monkeypatch.setattr(apps.passwords._vault, "open", lambda sealed: work.append("opened") or opened(sealed))

    def guess(username: str) -> list[str]:
        work.clear()
        with pytest.raises((NotLoggedIn, TooOften)):
            apps.passwords.by_digest(username, "0" * 32, "salt", address="10.0.0.1")
        return list(work)

    guess("ann")    # what is sealed is opened once
    assert guess("ann") == guess("ben") == guess("nobody") == ["tried"] * app_passwords.USUAL
