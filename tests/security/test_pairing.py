"""Pairing: made by who may, good once and for minutes, never for more than its maker, and nobody in the middle."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.events import DevicesChanged, SessionsEnded
from shared.model.errors import BadInput, Conflict, Forbidden, NotFound, SoundsibleError, TooOften
from shared.model.person import SCOPES, Person
from shared.records import pairings as pairing_records
from shared.security import sync_token
from shared.security.accounts import DAY_S, DEVICE_DAYS, OPERATOR
from shared.security.identity import Identity, fingerprint_of, verify
from shared.security.pairing import MOST_OPEN, MOVE_S
from shared.security.sync_token import TokenExpired, TokenUsed, WrongToken, b64
from tests.security.houses import PASSWORD, Clock, House
from tests.security.pairing_house import HERE, Pairs, Program, pairs_in, pairs_of, told


@pytest.fixture
def pairs(tmp_path: Path, clock: Clock) -> Iterator[Pairs]:
    with pairs_in(tmp_path, clock) as made:
        yield made


@pytest.fixture
def ann(pairs: Pairs) -> Person:
    return pairs.person("ann")  # type: ignore[no-any-return]


def device(pairs: Pairs, maker: Person, scope: str = "own", name: str = "phone") -> Person:
    granted = pairs.pairing.claim(pairs.pairing.make(maker, scope=scope).token, name=name)
    person = pairs.house.accounts.who(granted.token)
    assert person is not None
    return person


# ---- the usual way ---------------------------------------------------------------------------------------------------


def test_a_new_device_gets_a_named_scoped_token_of_its_own(pairs: Pairs, ann: Person) -> None:
    made = pairs.pairing.make(ann, name="the kitchen", scope="add")
    token = sync_token.read(made.token)
    assert (token.fingerprint, token.name, list(token.endpoints)) == (pairs.identity.fingerprint, "Attic", HERE)
    assert made.link == f"http://192.168.7.7:5005/pair#{made.token}"
    granted = pairs.pairing.claim(made.link, name="Pixel", address="10.0.0.9")
    assert (granted.device.name, granted.device.scope, granted.device.kind) == ("Pixel", "add", "device")
    person = pairs.house.accounts.who(granted.token)
    assert person == granted.person
    assert person is not None and (person.id, person.scope, person.adds, person.owns) == (ann.id, "add", True, False)
    assert granted.expires_at == pairs.house.clock() + DEVICE_DAYS * DAY_S


def test_a_device_that_says_no_name_has_the_one_it_was_made_for(pairs: Pairs, ann: Person) -> None:
    assert pairs.pairing.claim(pairs.pairing.make(ann, name="the kitchen").token).device.name == "the kitchen"
    assert pairs.pairing.claim(pairs.pairing.make(ann).token, name=" \n\t").device.name == "New device"
    assert pairs.pairing.claim(pairs.pairing.make(ann).token, name="a\nb\x1b[31m").device.name == "a b [31m"


def test_what_is_not_said_may_only_listen(pairs: Pairs, ann: Person) -> None:
    granted = pairs.pairing.claim(pairs.pairing.make(ann).token)
    assert granted.device.scope == "listen" and not granted.person.adds and not granted.person.owns


def test_no_secret_lies_in_the_database(pairs: Pairs, ann: Person) -> None:
    made = pairs.pairing.make(ann)
    secret = sync_token.read(made.token).secret
    granted = pairs.pairing.claim(made.token)
    pairs.house.database.close()
    held = b"".join(path.read_bytes() for path in pairs.house.database.path.parent.glob("library.db*"))
    for one in (secret, b64(secret).encode(), made.token.encode(), granted.token.encode()):
        assert one not in held
    assert sync_token.pairing_key(secret) in held, "else this test looked in the wrong place"


def test_everybody_is_told_that_devices_changed(pairs: Pairs, ann: Person) -> None:
    heard: list[DevicesChanged] = []
    pairs.house.accounts._events.subscribe(DevicesChanged, heard.append)
    pairs.pairing.claim(pairs.pairing.make(ann).token)
    assert heard == [DevicesChanged(ann.user_id)]


# ---- once, and not for long ------------------------------------------------------------------------------------------


def test_a_token_is_good_once(pairs: Pairs, ann: Person) -> None:
    made = pairs.pairing.make(ann)
    pairs.pairing.claim(made.token)
    with pytest.raises(TokenUsed) as refusal:
        pairs.pairing.claim(made.token)
    assert (refusal.value.code, refusal.value.http_status) == ("token_used", 410)
    assert len(pairs.devices.list(ann, "device")) == 1


def test_of_ten_at_the_same_instant_one_becomes_a_device(pairs: Pairs, ann: Person) -> None:
    made = pairs.pairing.make(ann)
    program = Program(made.token)
    ready = threading.Barrier(10)

    def claim(number: int) -> str:
        ready.wait()
        try:
            if number % 2:
                pairs.pairing.claim(made.token, address=f"10.0.0.{number}")
            else:
                pairs.pairing.claim_by_proof(
                    program.token.id, nonce=program.nonce, proof=program.claim()["proof"], name=program.name,
                    address=f"10.0.0.{number}", answer=told)
        except SoundsibleError as error:
            return error.code
        return "paired"

    with ThreadPoolExecutor(10) as pool:
        ended = sorted(pool.map(claim, range(10)))
    assert ended == ["paired"] + ["token_used"] * 9
    assert len(pairs.devices.list(ann, "device")) == 1


def test_of_two_processes_at_the_same_instant_one_wins(pairs: Pairs, ann: Person) -> None:
    row = pairs.records.find(pairs.pairing.make(ann).id)
    assert row is not None
    other = pairing_records.Pairings(database=pairs.house.database)
    said = [one.claim(row, hash=bytes([number]) * 32, name="x", scope="listen", station=False, now=pairs.house.clock(),
                      expires_at=None, address="")
            for number, one in enumerate((pairs.records, other))]
    assert said[0] is not None and said[1] is None


@pytest.mark.parametrize("late_s", [0.0, 1.0, 1e7])
def test_a_token_ends_after_its_minutes(pairs: Pairs, ann: Person, late_s: float) -> None:
    made = pairs_of(pairs.house, pairs.identity.folder.parent, minutes=5).pairing.make(ann)
    pairs.house.clock.now += 300 + late_s
    with pytest.raises(TokenExpired) as refusal:
        pairs.pairing.claim(made.token)
    assert (refusal.value.code, refusal.value.http_status) == ("token_expired", 410)


def test_a_token_is_good_until_then(pairs: Pairs, ann: Person) -> None:
    made = pairs.pairing.make(ann)
    pairs.house.clock.now += 599
    assert pairs.pairing.claim(made.token)


def test_a_withdrawn_token_is_good_no_more(pairs: Pairs, ann: Person) -> None:
    made = pairs.pairing.make(ann, name="lost")
    assert [one.name for one in pairs.pairing.open(ann)] == ["lost"]
    pairs.pairing.withdraw(ann, made.id)
    assert pairs.pairing.open(ann) == []
    with pytest.raises(TokenExpired):
        pairs.pairing.claim(made.token)
    with pytest.raises(NotFound):
        pairs.pairing.withdraw(ann, made.id)


def test_a_used_token_waits_no_more_and_says_what_it_became(pairs: Pairs, ann: Person) -> None:
    made = pairs.pairing.make(ann)
    assert pairs.pairing.became(made.id) == (False, "")
    pairs.pairing.claim(made.token, name="Pixel")
    assert pairs.pairing.became(made.id) == (True, "Pixel")
    assert pairs.pairing.open(ann) == []
    with pytest.raises(NotFound):
        pairs.pairing.withdraw(ann, made.id)


def test_a_token_ends_with_the_login_that_made_it(pairs: Pairs, ann: Person) -> None:
    made = pairs.pairing.make(ann)
    pairs.house.accounts.logout(ann)
    with pytest.raises(WrongToken):
        pairs.pairing.claim(made.token)


def test_a_new_password_ends_the_tokens_that_a_thief_made_before(pairs: Pairs, ann: Person) -> None:
    thief = pairs.person("ann")
    stolen = pairs.pairing.make(thief, scope="own")
    pairs.house.accounts.change_password(ann, PASSWORD, "another password")
    with pytest.raises(WrongToken):
        pairs.pairing.claim(stolen.token)
    assert pairs.pairing.claim(pairs.pairing.make(ann).token)


def test_who_is_not_logged_in_any_more_makes_none(pairs: Pairs, ann: Person) -> None:
    pairs.house.accounts.logout(ann)
    with pytest.raises(NotFound):
        pairs.pairing.make(ann)


def test_the_oldest_gives_way_when_somebody_makes_too_many(pairs: Pairs, ann: Person) -> None:
    made = [pairs.pairing.make(ann) for _ in range(MOST_OPEN + 1)]
    assert len(pairs.pairing.open(ann)) == MOST_OPEN
    with pytest.raises(TokenExpired):
        pairs.pairing.claim(made[0].token)
    assert pairs.pairing.claim(made[1].token)


def test_what_is_remembered_is_bounded(pairs: Pairs, ann: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairing_records, "MOST_REMEMBERED", 5)
    for _ in range(9):
        pairs.pairing.make(ann)
    with pairs.house.database.read() as conn:
        assert conn.exec_driver_sql("SELECT count(*) FROM pairings").scalar() == 5


def test_devices_are_bounded_and_the_token_stays_good(
    pairs: Pairs, ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairing_records, "MOST_DEVICES", 1)
    device(pairs, ann)
    made = pairs.pairing.make(ann)
    with pytest.raises(Conflict):
        pairs.pairing.claim(made.token)
    monkeypatch.setattr(pairing_records, "MOST_DEVICES", 2)
    assert pairs.pairing.claim(made.token)


# ---- who may ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["listen", "add"])
def test_a_device_that_manages_nobody_makes_no_tokens(pairs: Pairs, ann: Person, scope: str) -> None:
    limited = device(pairs, ann, scope)
    made = pairs.pairing.make(ann)
    for wanted in SCOPES:
        with pytest.raises(Forbidden):
            pairs.pairing.make(limited, scope=wanted)
    with pytest.raises(Forbidden):
        pairs.pairing.open(limited)
    with pytest.raises(Forbidden):
        pairs.pairing.withdraw(limited, made.id)


def test_a_paired_device_that_is_all_ones_own_pairs_others(pairs: Pairs, ann: Person) -> None:
    assert device(pairs, device(pairs, ann, "own"), "own").owns


@pytest.mark.parametrize("scope", SCOPES)
def test_a_device_never_may_more_than_its_person(pairs: Pairs, scope: str) -> None:
    pairs.house.accounts.make_user(OPERATOR, "kid", PASSWORD, "child")
    made = device(pairs, pairs.person("kid"), scope)
    assert made.username == "kid" and not (made.adds or made.edits or made.owns or made.sees_files)


def test_tokens_of_others_cannot_be_withdrawn_or_seen(pairs: Pairs, ann: Person) -> None:
    pairs.house.accounts.make_user(OPERATOR, "ben", PASSWORD, "adult")
    ben = pairs.person("ben")
    made = pairs.pairing.make(ann)
    assert pairs.pairing.open(ben) == []
    with pytest.raises(NotFound):
        pairs.pairing.withdraw(ben, made.id)
    assert pairs.pairing.claim(made.token)


def test_only_an_owner_pairs_for_somebody_else(pairs: Pairs, ann: Person) -> None:
    ben = pairs.house.accounts.make_user(OPERATOR, "ben", PASSWORD, "adult")
    row = pairs.house.people.get_user(ben.id)
    assert row is not None
    with pytest.raises(Forbidden):
        pairs.pairing.make(pairs.person("ben"), user_id=ann.user_id)
    granted = pairs.pairing.claim(pairs.pairing.make(OPERATOR, user_id=row.id, scope="own").token)
    assert granted.person.username == "ben" and not granted.person.owns


@pytest.mark.parametrize("scope", ["", "all", "owner", "OWN", "listen "])
def test_there_are_no_other_scopes(pairs: Pairs, ann: Person, scope: str) -> None:
    with pytest.raises(BadInput):
        pairs.pairing.make(ann, scope=scope)


def test_who_is_removed_takes_the_tokens_along(pairs: Pairs) -> None:
    ben = pairs.house.accounts.make_user(OPERATOR, "ben", PASSWORD, "adult")
    made = pairs.pairing.make(pairs.person("ben"))
    paired = device(pairs, pairs.person("ben"))
    pairs.house.accounts.remove_user(OPERATOR, ben.id)
    with pytest.raises(WrongToken):
        pairs.pairing.claim(made.token)
    assert paired.token_id in pairs.house.ended


# ---- guessing --------------------------------------------------------------------------------------------------------


def forged(token: str, **changes: object) -> str:
    """The same token with something else in it."""
    good = sync_token.read(token)
    said = {"id": good.id, "fingerprint": good.fingerprint, "secret": good.secret, "name": good.name,
            "endpoints": good.endpoints, **changes}
    return sync_token.make(**said)  # type: ignore[arg-type]


def test_a_wrong_secret_is_wrong_whether_the_token_was_used_or_not(pairs: Pairs, ann: Person) -> None:
    made, used = pairs.pairing.make(ann), pairs.pairing.make(ann)
    pairs.pairing.claim(used.token)
    words = set()
    for token in (forged(made.token, secret=bytes(16)), forged(used.token, secret=bytes(16)),
                  forged(made.token, id="nosuch")):
        with pytest.raises(WrongToken) as refusal:
            pairs.pairing.claim(token)
        words.add(refusal.value.message)
    assert len(words) == 1
    assert pairs.pairing.claim(made.token)


def test_a_token_of_another_station_is_told_to_be_one(pairs: Pairs, ann: Person) -> None:
    made = pairs.pairing.make(ann)
    with pytest.raises(WrongToken) as refusal:
        pairs.pairing.claim(forged(made.token, fingerprint="x" * 43, name="Cellar"))
    assert "Cellar" in refusal.value.message


def test_guessing_is_slowed_down_for_one_address_and_nobody_else(pairs: Pairs, ann: Person) -> None:
    made = pairs.pairing.make(ann)
    ended = []
    for number in range(12):
        try:
            pairs.pairing.claim(forged(made.token, secret=bytes([number]) * 16), address="10.0.0.66")
        except SoundsibleError as error:
            ended.append(error.code)
    assert ended == ["token_wrong"] * 10 + ["too_often"] * 2
    with pytest.raises(TooOften):
        pairs.pairing.claim(made.token, address="10.0.0.66")
    with pytest.raises(TooOften):
        pairs.pairing.claim_by_proof("x", nonce=sync_token.new_nonce(), proof="x", address="10.0.0.66", answer=told)
    assert pairs.house.accounts.login("ann", PASSWORD, "10.0.0.66"), "log-ins are counted by themselves"
    assert pairs.pairing.claim(made.token, address="10.0.0.67")


@given(st.data())
def test_no_changed_token_is_ever_taken(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    with pairs_in(tmp_path_factory.mktemp("pairs"), Clock()) as pairs:
        ann = pairs.person("ann")
        made = pairs.pairing.make(ann)
        good = sync_token.read(made.token)
        secret = data.draw(st.binary(min_size=16, max_size=16))
        uid = [good.id, good.id[:-1], "a"][data.draw(st.integers(0, 2))]
        with pytest.raises(WrongToken):
            pairs.pairing.claim(forged(made.token, secret=secret, id=uid))
        at = 4 + data.draw(st.integers(0, 10_000)) % (len(made.token) - 4)      # its length is chance
        changed = made.token[:at] + data.draw(st.sampled_from("Ab9_")) + made.token[at + 1:]
        try:
            granted = pairs.pairing.claim(changed)
        except SoundsibleError as error:
            assert error.http_status in (400, 410)
        else:   # only what proves nothing was changed: the name of the station
            found = sync_token.read(changed)
            assert (found.id, found.secret, found.fingerprint) == (good.id, good.secret, good.fingerprint)
            assert granted.device.scope == "listen"


# ---- by proof --------------------------------------------------------------------------------------------------------


def prove(pairs: Pairs, program: Program, **changes: str) -> dict[str, str]:
    said = {**program.claim(), **changes}
    return pairs.pairing.claim_by_proof(said["id"], nonce=said["nonce"], proof=said["proof"], name=said["name"],
                                        address="10.0.0.9", answer=told)


def test_a_program_proves_its_secret_and_reads_the_answer(pairs: Pairs, ann: Person) -> None:
    program = Program(pairs.pairing.make(ann, scope="add").token)
    answer = prove(pairs, program)
    got = program.take(answer, pairs.identity.public_key)
    assert got["device"]["name"] == "kitchen" and got["device"]["scope"] == "add"
    assert pairs.house.accounts.who(got["token"]) is not None


def test_nothing_that_is_said_aloud_helps_who_listens(pairs: Pairs, ann: Person) -> None:
    program = Program(pairs.pairing.make(ann).token)
    answer = prove(pairs, program)
    aloud = repr((program.claim(), answer))
    got = program.take(answer, pairs.identity.public_key)
    assert got["token"] not in aloud and b64(program.token.secret) not in aloud and b64(program.key) not in aloud
    with pytest.raises(TokenUsed):
        prove(pairs, program)


@pytest.mark.parametrize("field", ["id", "nonce", "name", "proof"])
def test_who_stands_in_the_middle_can_change_nothing(pairs: Pairs, ann: Person, field: str) -> None:
    program = Program(pairs.pairing.make(ann).token)
    other = {"id": pairs.pairing.make(ann).id, "nonce": sync_token.new_nonce(), "name": "mallory", "proof": "A" * 43}
    with pytest.raises(WrongToken):
        prove(pairs, program, **{field: other[field]})
    assert program.take(prove(pairs, program), pairs.identity.public_key)


def test_who_stands_in_the_middle_can_relay_and_gets_nothing(pairs: Pairs, ann: Person, tmp_path: Path) -> None:
    program = Program(pairs.pairing.make(ann).token)
    mallory = Identity(folder=tmp_path / "mallory")
    answer = prove(pairs, program)      # relayed as it is
    with pytest.raises(ValueError):     # mallory's own key is not the one in the token
        program.take(answer, mallory.public_key)
    message = sync_token.grant_message(id=program.token.id, nonce=program.nonce, server_nonce=answer["server_nonce"],
                                       fingerprint=program.token.fingerprint, sealed=answer["sealed"])
    resigned = {**answer, "signature": b64(mallory.sign(message))}
    with pytest.raises(ValueError):
        program.take(resigned, pairs.identity.public_key)
    for field in ("server_nonce", "sealed", "signature"):
        other = Program(pairs.pairing.make(ann).token)
        with pytest.raises(ValueError):
            program.take({**answer, field: prove(pairs, other)[field]}, pairs.identity.public_key)
    for guess in (bytes(16), mallory.fingerprint.encode()[:16]):
        key = sync_token.grant_key(sync_token.pairing_key(guess), program.nonce, answer["server_nonce"])
        with pytest.raises(ValueError):
            sync_token.unseal(key, sync_token.unb64(answer["sealed"]))
    assert program.take(answer, pairs.identity.public_key)["token"]


def test_a_station_in_between_that_has_no_key_is_not_believed(pairs: Pairs, ann: Person, tmp_path: Path) -> None:
    """It may pretend to take the token; what it answers is not sealed with the secret, nor signed by the station."""
    program = Program(pairs.pairing.make(ann).token)
    mallory = Identity(folder=tmp_path / "mallory")
    key = sync_token.grant_key(sync_token.pairing_key(bytes(16)), program.nonce, nonce := sync_token.new_nonce())
    sealed = b64(sync_token.seal(key, b"{}"))
    message = sync_token.grant_message(id=program.token.id, nonce=program.nonce, server_nonce=nonce,
                                       fingerprint=program.token.fingerprint, sealed=sealed)
    answer = {"server_nonce": nonce, "sealed": sealed, "signature": b64(mallory.sign(message))}
    for public_key in (mallory.public_key, pairs.identity.public_key):
        with pytest.raises(ValueError):
            program.take(answer, public_key)


@pytest.mark.parametrize("proof", ["", "x", "ü", "\0", "\ud800", "A" * 43, "A" * 10_000])
def test_a_proof_that_is_none_is_refused(pairs: Pairs, ann: Person, proof: str) -> None:
    program = Program(pairs.pairing.make(ann).token)
    with pytest.raises(WrongToken):
        prove(pairs, program, proof=proof)


@pytest.mark.parametrize("nonce", ["", "x", "A" * 5000, b64(b"x" * 65), "ü" * 22])
def test_a_nonce_that_is_none_is_refused_and_uses_nothing_up(pairs: Pairs, ann: Person, nonce: str) -> None:
    program = Program(pairs.pairing.make(ann).token)
    with pytest.raises(BadInput):
        prove(pairs, program, nonce=nonce)
    assert prove(pairs, program)


def test_a_challenge_is_signed_by_who_the_fingerprint_says(pairs: Pairs) -> None:
    challenge = sync_token.new_nonce()
    station = pairs.pairing.told_of_station()
    assert fingerprint_of(station["public_key"]) == station["fingerprint"] == pairs.identity.fingerprint
    signature = sync_token.unb64(pairs.pairing.signature(challenge))
    assert verify(station["public_key"], sync_token.challenge_message(challenge), signature)
    assert not verify(station["public_key"], sync_token.challenge_message(sync_token.new_nonce()), signature)


# ---- taking a login along --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["listen", "own"])
def test_a_device_goes_on_at_another_address_as_the_same_device(pairs: Pairs, ann: Person, scope: str) -> None:
    granted = pairs.pairing.claim(pairs.pairing.make(ann, scope=scope).token, name="Pixel")
    before = pairs.house.accounts.who(granted.token)
    assert before is not None
    moved = pairs.pairing.claim(pairs.pairing.move(before).token, name="other name")
    assert moved.moved and (moved.device.uid, moved.device.name) == (granted.device.uid, "Pixel")
    assert moved.person.scope == scope
    assert pairs.house.accounts.who(granted.token) is None, "the token before counts no more"
    assert pairs.house.accounts.who(moved.token) == moved.person
    assert before.token_id in pairs.house.ended, "what is open for it ends"
    assert len(pairs.devices.list(ann, "device")) == 1


def test_a_session_is_taken_along_with_its_end(pairs: Pairs) -> None:
    login = pairs.house.accounts.login("ann", PASSWORD)
    person = pairs.house.accounts.who(login.token)
    assert person is not None
    moved = pairs.pairing.claim(pairs.pairing.move(person).token)
    assert (moved.device.kind, moved.expires_at) == ("session", login.expires_at)
    assert pairs.house.accounts.who(login.token) is None and pairs.house.accounts.who(moved.token)


def test_a_move_is_for_minutes_and_once_and_in_no_list(pairs: Pairs, ann: Person) -> None:
    made = pairs.pairing.move(ann)
    assert pairs.pairing.open(ann) == []
    late = pairs.pairing.move(ann)
    pairs.pairing.claim(made.token)
    with pytest.raises(TokenUsed):
        pairs.pairing.claim(made.token)
    pairs.house.clock.now += MOVE_S
    with pytest.raises(TokenExpired):
        pairs.pairing.claim(late.token)


def test_a_login_that_ended_is_not_taken_along(pairs: Pairs, ann: Person) -> None:
    made = pairs.pairing.move(ann)
    pairs.house.accounts.logout(ann)
    with pytest.raises(WrongToken):
        pairs.pairing.claim(made.token)


def test_endings_reach_who_holds_streams_before_the_new_token_is_known(pairs: Pairs, ann: Person) -> None:
    heard: list[tuple[int, ...]] = []
    pairs.house.accounts._events.subscribe(SessionsEnded, lambda event: heard.append(event.token_ids))
    pairs.pairing.claim(pairs.pairing.move(ann).token)
    assert heard == [(ann.token_id,)]


# ---- nothing of it is told -------------------------------------------------------------------------------------------


def test_neither_log_nor_errors_hold_a_secret(
    pairs: Pairs, ann: Person, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    made = pairs.pairing.make(ann)
    wrong = forged(made.token, secret=b"sixteen bytes ok")
    said = [repr(made), repr(sync_token.read(made.token))]
    for token in (wrong, made.token[:-3], made.token, made.token):
        try:
            said.append(repr(pairs.pairing.claim(token, name="x")))
        except SoundsibleError as error:
            said.append(repr((error.message, error.details, error)))
    said += [caplog.text, *capfd.readouterr()]
    assert "a wrong sync token" in caplog.text, "else nothing was looked at"
    everything = "\n".join(said)
    for secret in (made.token, made.token[:40], wrong[:40], b64(sync_token.read(made.token).secret),
                   b64(b"sixteen bytes ok")):
        assert secret not in everything


def test_another_process_is_told_of_what_is_used(pairs: Pairs, ann: Person, clock: Clock) -> None:
    """As the command line waits for its sync token to be used."""
    made = pairs.pairing.make(OPERATOR, user_id=ann.user_id)
    assert [one.id for one in pairs.pairing.open(OPERATOR)] == [made.id]
    house: House = pairs.house
    assert pairs_of(house, pairs.identity.folder.parent).pairing.claim(made.token, name="Pixel")
    assert pairs.pairing.became(made.id) == (True, "Pixel")
