from __future__ import annotations

import pytest

from shared.database import Database
from shared.model.errors import Conflict, NotFound
from shared.model.person import Person
from shared.records.people import People


@pytest.fixture
def people(database: Database) -> People:
    return People(database=database)


def test_the_first_owner_is_made_once(people: People) -> None:
    assert people.count_owners() == 0
    made = people.make_first_owner("Olga", "h")
    assert (made.username, made.role, people.count_owners()) == ("Olga", "owner", 1)
    with pytest.raises(Conflict):
        people.make_first_owner("Otto", "h")


def test_names_are_found_and_taken_without_regard_to_case_and_width(people: People) -> None:
    people.make_user("Olga", "h", "owner")
    assert people.find_user("OLGA") == people.find_user("ｏｌｇａ") == people.users()[0]
    assert people.find_user("nobody") is None
    with pytest.raises(Conflict):
        people.make_user("oLGA", "h", "adult")
    other = people.make_user("Otto", "h", "adult")
    with pytest.raises(Conflict):
        people.change_user(other.uid, username="olga")
    assert people.change_user(other.uid, username="otto").username == "otto"


def test_the_last_owner_stays(people: People) -> None:
    first = people.make_user("a", "h", "owner")
    with pytest.raises(Conflict):
        people.change_user(first.uid, role="adult")
    with pytest.raises(Conflict):
        people.delete_user(first.uid)
    second = people.make_user("b", "h", "owner")
    assert people.change_user(first.uid, role="adult").role == "adult"
    people.delete_user(first.uid)
    assert people.users() == [second]
    for deed in (lambda: people.delete_user(first.uid), lambda: people.change_user(first.uid, role="child")):
        with pytest.raises(NotFound):
            deed()


def test_a_hash_is_only_replaced_if_it_is_still_the_one_that_was_checked(people: People) -> None:
    user = people.make_user("a", "old", "owner")
    assert people.change_user(user.uid, password_hash="new", only_if_hash="other").password_hash == "old"
    assert people.change_user(user.uid, password_hash="new", only_if_hash="old").password_hash == "new"


def test_tokens_are_found_by_their_hash_and_go_when_revoked_or_with_their_person(people: People) -> None:
    user = people.make_user("a", "h", "owner")
    other = people.make_user("b", "h", "adult")
    token_id = people.add_token(user_id=user.id, kind="session", hash=b"1" * 32, name="Firefox", expires_at=100.0)
    people.add_token(user_id=other.id, kind="device", hash=b"2" * 32, scope="listen")
    found = people.find_token(b"1" * 32)
    assert found is not None and (found[0].id, found[0].name, found[0].scope, found[1]) == (
        token_id,
        "Firefox",
        "own",
        user,
    )
    assert people.find_token(b"3" * 32) is None
    people.revoke_token(token_id)
    assert people.find_token(b"1" * 32) is None
    people.delete_user(other.uid)
    assert people.find_token(b"2" * 32) is None
    with pytest.raises(NotFound):
        people.add_token(user_id=99, kind="session", hash=b"4" * 32)


def test_the_use_of_tokens_is_kept_and_the_stalest_are_trimmed(people: People) -> None:
    user = people.make_user("a", "h", "owner")
    ids = [people.add_token(user_id=user.id, kind="session", hash=bytes([i]) * 32, expires_at=1e12) for i in range(5)]
    device = people.add_token(user_id=user.id, kind="device", hash=b"d" * 32)
    people.touch_tokens([(token_id, 2e9 + i, "10.0.0.1", 3e12) for i, token_id in enumerate(ids[1:])])
    people.touch_token(ids[1], 4e9, "")
    token = people.tokens(user.id)[1]
    assert (token.last_used_at, token.last_address, token.expires_at) == (4e9, "10.0.0.1", 3e12)
    assert set(people.live_tokens([*ids, device, 999], now=2e12)) == {*ids[1:], device}
    assert people.trim_tokens(user.id, kind="session", keep=2, now=2e12) == [ids[0], ids[2], ids[3]]
    assert people.token_ids(user.id, kind="session") == [ids[1], ids[4]]
    assert people.token_ids(user.id) == [ids[1], ids[4], device]


def test_a_person_takes_everything_that_is_theirs_along(
    database: Database, people: People, owner: Person, guest: Person
) -> None:
    from shared.records.listening import Listening
    from tests.records.songs import Music

    music = Music(database)
    uid = music.add("a/1.flac")
    listening = Listening(database=database)
    listening.play(guest, uid)
    listening.save_queue(guest, [uid], 0, 0)
    people.delete_user(guest.id)
    for table in ("plays", "track_listening", "album_listening", "artist_listening", "queues"):
        assert music.rows(f"SELECT * FROM {table}") == []
