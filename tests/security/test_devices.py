"""Devices and sessions: everybody sees and ends their own, an owner all, and a limited device none but itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.events import DevicesChanged, SessionsEnded
from shared.model.errors import BadInput, Forbidden, NotFound
from shared.model.person import Person
from shared.security.accounts import DAY_S, DEVICE_DAYS, OPERATOR
from shared.security.devices import DEVICE, SESSION
from tests.security.houses import PASSWORD, Clock, open_house
from tests.security.pairing_house import Pairs, pairs_in


@pytest.fixture
def pairs(tmp_path: Path, clock: Clock) -> Iterator[Pairs]:
    with pairs_in(tmp_path, clock) as made:
        made.house.accounts.make_user(OPERATOR, "ben", PASSWORD, "adult")
        yield made


@pytest.fixture
def ann(pairs: Pairs) -> Person:
    return pairs.person("ann")  # type: ignore[no-any-return]


@pytest.fixture
def ben(pairs: Pairs) -> Person:
    return pairs.person("ben")  # type: ignore[no-any-return]


def pair(pairs: Pairs, maker: Person, name: str, scope: str = "own") -> Person:
    granted = pairs.pairing.claim(pairs.pairing.make(maker, scope=scope).token, name=name, address="10.0.0.9")
    person = pairs.house.accounts.who(granted.token, "10.0.0.9")
    assert person is not None
    return person


def names(pairs: Pairs, actor: Person, kind: str = DEVICE, whose: str | None = None) -> list[str]:
    return [one.row.name for one in pairs.devices.list(actor, kind, whose)]


def id_of(pairs: Pairs, name: str) -> str:
    return next(one.row.uid for one in pairs.devices.list(OPERATOR, DEVICE) if one.row.name == name)


def test_everybody_sees_their_own_and_which_one_asks(pairs: Pairs, ann: Person, ben: Person) -> None:
    phone = pair(pairs, ann, "phone")
    pair(pairs, ben, "tablet")
    assert names(pairs, ann) == ["phone"] and names(pairs, ben) == ["tablet"]
    assert [one.current for one in pairs.devices.list(phone, DEVICE)] == [True]
    assert [one.current for one in pairs.devices.list(ann, DEVICE)] == [False]
    assert [(one.row.username, one.current) for one in pairs.devices.list(ann, SESSION)] == [("ann", True)]


def test_an_owner_sees_everybodys(pairs: Pairs, ann: Person, ben: Person) -> None:
    pair(pairs, ann, "phone")
    pair(pairs, ben, "tablet")
    assert set(names(pairs, ann, whose="all")) == {"phone", "tablet"}
    assert names(pairs, ann, whose=ben.id) == ["tablet"]
    with pytest.raises(NotFound):
        names(pairs, ann, whose="nobody")
    for whose in ("all", ann.id, "nobody"):
        with pytest.raises(Forbidden):
            names(pairs, ben, whose=whose)
    assert names(pairs, ben, whose=ben.id) == ["tablet"]


def test_last_use_and_address_are_known_before_they_are_written(pairs: Pairs, ann: Person) -> None:
    device = pair(pairs, ann, "phone")
    pairs.house.clock.now += 3600
    login = pairs.pairing.claim(pairs.pairing.make(ann).token, name="tablet", address="10.0.0.9")
    pairs.house.clock.now += 3600
    assert pairs.house.accounts.who(login.token, "10.0.0.8")
    rows = {one.row.name: one.row for one in pairs.devices.list(ann, DEVICE)}
    assert (rows["tablet"].last_used_at, rows["tablet"].last_address) == (pairs.house.clock(), "10.0.0.8")
    assert (rows["phone"].last_used_at, rows["phone"].last_address) == (pairs.house.clock() - 7200, "10.0.0.9")
    assert device.token_id == rows["phone"].id
    pairs.house.accounts.write_uses()
    assert {one.row.name: one.row.last_used_at for one in pairs.devices.list(ann, DEVICE)} == {
        name: row.last_used_at for name, row in rows.items()}


def test_a_revoked_device_is_nobody_and_whoever_streams_to_it_is_told(pairs: Pairs, ann: Person) -> None:
    granted = pairs.pairing.claim(pairs.pairing.make(ann).token, name="phone")
    assert pairs.house.accounts.who(granted.token)
    heard: list[DevicesChanged] = []
    pairs.house.accounts._events.subscribe(DevicesChanged, heard.append)
    pairs.devices.end(ann, DEVICE, granted.device.uid)
    assert pairs.house.accounts.who(granted.token) is None
    assert pairs.house.ended == [granted.device.token_id]
    assert heard == [DevicesChanged(ann.user_id)]
    with pytest.raises(NotFound):
        pairs.devices.end(ann, DEVICE, granted.device.uid)


def test_what_another_process_revokes_is_heard_here(pairs: Pairs, ann: Person, tmp_path: Path) -> None:
    pair(pairs, ann, "stays")
    gone = pair(pairs, ann, "phone")
    heard: list[DevicesChanged] = []
    pairs.house.accounts._events.subscribe(DevicesChanged, heard.append)
    other = open_house(tmp_path / "library.db", pairs.house.clock)
    other.accounts.revoke([gone.token_id])
    pairs.house.accounts.end_revoked()
    assert pairs.house.ended == [gone.token_id] and heard == [DevicesChanged(ann.user_id)]
    pairs.house.accounts.end_revoked()
    assert pairs.house.ended == [gone.token_id] and len(heard) == 1


def test_what_another_process_revokes_is_noticed_by_the_thread_itself(
    pairs: Pairs, ann: Person, tmp_path: Path
) -> None:
    gone = pair(pairs, ann, "phone")
    told = threading.Event()
    pairs.house.accounts._events.subscribe(
        SessionsEnded, lambda event: told.set() if gone.token_id in event.token_ids else None)
    pairs.house.accounts.start()
    try:
        other = open_house(tmp_path / "library.db", pairs.house.clock)
        other.accounts.revoke([gone.token_id])
        assert told.wait(30)
    finally:
        pairs.house.accounts.stop()
        other.database.close()


def test_the_number_of_a_revoked_device_in_a_new_ones_hand_ends_the_old_one(
    pairs: Pairs, ann: Person, tmp_path: Path
) -> None:
    """SQLite gives the highest number again; what is open under it belongs to who is gone."""
    gone = pair(pairs, ann, "phone")
    other = open_house(tmp_path / "library.db", pairs.house.clock)
    other.accounts.revoke([gone.token_id])
    token_id = other.accounts.login("ben", PASSWORD).person.token_id
    assert token_id == gone.token_id, "else this tries nothing"
    pairs.house.accounts.end_revoked()
    assert pairs.house.ended == [gone.token_id]


def test_an_old_number_is_noticed_when_its_new_owner_asks_first(pairs: Pairs, ann: Person, tmp_path: Path) -> None:
    gone = pair(pairs, ann, "phone")
    other = open_house(tmp_path / "library.db", pairs.house.clock)
    other.accounts.revoke([gone.token_id])
    login = other.accounts.login("ben", PASSWORD)
    assert login.person.token_id == gone.token_id
    assert pairs.house.accounts.who(login.token) == login.person
    assert pairs.house.ended == [gone.token_id]
    assert pairs.house.accounts.who(login.token) == login.person


def test_a_device_that_is_not_used_for_a_year_has_to_be_paired_again(pairs: Pairs, ann: Person) -> None:
    granted = pairs.pairing.claim(pairs.pairing.make(ann).token, name="phone")
    for _ in range(3):      # used once in a while, it lives on
        pairs.house.clock.now += (DEVICE_DAYS - 1) * DAY_S
        assert pairs.house.accounts.who(granted.token)
        pairs.house.accounts.write_uses()
        pairs.house.accounts._forget()
    pairs.house.clock.now += DEVICE_DAYS * DAY_S
    assert pairs.house.accounts.who(granted.token) is None
    assert names(pairs, OPERATOR) == []
    pairs.house.accounts.end_revoked()
    assert granted.device.token_id in pairs.house.ended


# ---- whose they are --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [DEVICE, SESSION])
def test_what_is_not_ones_own_is_not_there(pairs: Pairs, ann: Person, ben: Person, kind: str) -> None:
    pair(pairs, ann, "phone")
    uid = pairs.devices.list(ann, kind)[0].row.uid
    for deed in (pairs.devices.get, pairs.devices.end):
        with pytest.raises(NotFound):
            deed(ben, kind, uid)
    if kind == DEVICE:
        with pytest.raises(NotFound):
            pairs.devices.rename(ben, uid, "mine")
    assert pairs.devices.list(ann, kind)[0].row.name != "mine"
    assert pairs.house.ended == []


def test_a_device_is_no_session_and_a_session_no_device(pairs: Pairs, ann: Person) -> None:
    phone = pair(pairs, ann, "phone")
    with pytest.raises(NotFound):
        pairs.devices.end(ann, SESSION, id_of(pairs, "phone"))
    with pytest.raises(NotFound):
        pairs.devices.end(ann, DEVICE, pairs.devices.list(ann, SESSION)[0].row.uid)
    assert phone.token_id not in pairs.house.ended


@pytest.mark.parametrize("scope", ["listen", "add"])
def test_a_limited_device_sees_and_ends_itself_alone(pairs: Pairs, ann: Person, scope: str) -> None:
    pair(pairs, ann, "phone")
    radio = pair(pairs, ann, "radio", scope)
    assert names(pairs, radio) == ["radio"]
    for whose in ("all", "someone"):
        with pytest.raises(Forbidden):
            names(pairs, radio, whose=whose)
    for kind in (DEVICE, SESSION):
        for held in pairs.devices.list(ann, kind):
            if held.row.name != "radio":
                with pytest.raises(NotFound):
                    pairs.devices.get(radio, kind, held.row.uid)
                with pytest.raises(NotFound):
                    pairs.devices.end(radio, kind, held.row.uid)
            with pytest.raises(Forbidden):
                pairs.devices.rename(radio, held.row.uid, "mine")
    with pytest.raises(Forbidden):
        pairs.devices.end_others(radio)
    assert pairs.house.ended == []
    pairs.devices.end(radio, DEVICE, id_of(pairs, "radio"))
    assert pairs.house.ended == [radio.token_id]


def test_an_owner_ends_and_renames_those_of_others(pairs: Pairs, ann: Person, ben: Person) -> None:
    tablet = pair(pairs, ben, "tablet")
    assert pairs.devices.rename(ann, id_of(pairs, "tablet"), "  ben's\ntablet ").row.name == "ben's tablet"
    assert names(pairs, ben) == ["ben's tablet"]
    pairs.devices.end(ann, DEVICE, id_of(pairs, "ben's tablet"))
    assert pairs.house.ended == [tablet.token_id]


def test_a_device_that_is_an_owners_and_may_only_listen_is_no_owner(pairs: Pairs, ann: Person, ben: Person) -> None:
    pair(pairs, ben, "tablet")
    radio = pair(pairs, ann, "radio", "listen")
    with pytest.raises(NotFound):
        pairs.devices.end(radio, DEVICE, id_of(pairs, "tablet"))


@pytest.mark.parametrize("name", ["", "  ", "\n\t", "\x1b"])
def test_a_name_can_be_seen(pairs: Pairs, ann: Person, name: str) -> None:
    pair(pairs, ann, "phone")
    with pytest.raises(BadInput):
        pairs.devices.rename(ann, id_of(pairs, "phone"), name)
    assert names(pairs, ann) == ["phone"]


def test_all_other_sessions_end_at_once_and_devices_stay(pairs: Pairs, ann: Person, ben: Person) -> None:
    others = [pairs.person("ann") for _ in range(3)]
    pair(pairs, ann, "phone")
    assert pairs.devices.end_others(ann) == 3
    assert sorted(pairs.house.ended) == sorted(one.token_id for one in others)
    assert [one.current for one in pairs.devices.list(ann, SESSION)] == [True]
    assert names(pairs, ann) == ["phone"] and len(pairs.devices.list(ben, SESSION)) == 1
    assert pairs.devices.end_others(ann) == 0


def test_a_device_ends_with_its_person_and_when_that_is_lowered(pairs: Pairs, ann: Person) -> None:
    for role in ("child", None):
        name = f"user of {role}"
        user = pairs.house.accounts.make_user(OPERATOR, name, PASSWORD, "adult")
        device = pair(pairs, pairs.person(name), "phone")
        if role:
            pairs.house.accounts.change_user(ann, user.id, role=role)
        else:
            pairs.house.accounts.remove_user(ann, user.id)
        assert device.token_id in pairs.house.ended
        assert names(pairs, ann, whose="all") == []
