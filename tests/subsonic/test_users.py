"""People at /rest: what each may, and accounts that owners look after."""

from __future__ import annotations

import io
import json

import pytest

from shared.security.accounts import OPERATOR
from tests.holding.whole import PASSWORD
from tests.subsonic.house import House

ROLES = ("scrobblingEnabled", "adminRole", "settingsRole", "downloadRole", "uploadRole", "playlistRole", "coverArtRole",
         "commentRole", "podcastRole", "streamRole", "jukeboxRole", "shareRole", "videoConversionRole")


def logs_in(house: House, name: str, password: str) -> bool:
    answer = house.app.test_client().post("/api/session", json={"username": name, "password": password},
                                          environ_overrides={"REMOTE_ADDR": "192.0.2.200"})
    return answer.status_code == 200


@pytest.mark.parametrize("role", ["owner", "adult", "child", "guest"])
def test_every_role_is_a_boolean(house: House, role: str) -> None:
    told = house.ask("getUser", who=role, username=role.upper())["user"]
    assert {name: type(told[name]) for name in ROLES} == dict.fromkeys(ROLES, bool)
    assert told["username"] == role and told["folder"] == [house.station.scans.roots()[0].id]
    assert (told["adminRole"], told["coverArtRole"]) == (role == "owner", role in ("owner", "adult"))


def test_others_are_for_owners_and_whether_they_exist_is_not_told(house: House) -> None:
    assert house.ask("getUser", username="child")["user"]["adminRole"] is False
    assert house.refused("getUser", username="nobody") == 70
    for name in ("child", "nobody", "owner"):
        assert house.refused("getUser", who="adult", username=name) == 50
    assert {one["username"] for one in house.ask("getUsers")["users"]["user"]} >= {"owner", "adult", "child", "guest"}
    for call in ("getUsers", "createUser", "updateUser", "deleteUser"):
        assert house.refused(call, who="adult", username="child", password=PASSWORD, email="x") == 50


def test_an_account_is_made_changed_and_removed(house: House) -> None:
    house.ask("createUser", username="new", password="enc:" + PASSWORD.encode().hex(), email="new@example.org",
              uploadRole=True)
    try:
        told = house.ask("getUser", username="new")["user"]
        assert (told["adminRole"], told["uploadRole"], told["coverArtRole"]) == (False, True, False)
        assert logs_in(house, "new", PASSWORD)
        person = house.station.people.find_user("new")
        assert person.said == {"add": True, "edit": False, "delete": False}
        assert house.refused("createUser", username="NEW", password=PASSWORD, email="x") == 0
        house.ask("updateUser", username="new", coverArtRole=True, password="quite another one")
        assert house.ask("getUser", username="new")["user"]["coverArtRole"] is True
        assert house.ask("getUser", username="new")["user"]["uploadRole"] is True
        assert logs_in(house, "new", "quite another one") and not logs_in(house, "new", PASSWORD)
        house.ask("updateUser", username="new", adminRole=True, uploadRole=False)
        assert house.ask("getUser", username="new")["user"]["adminRole"] is True
    finally:
        house.ask("deleteUser", username="new")
    assert house.refused("deleteUser", username="new") == 70
    assert house.refused("updateUser", username="new") == 70


def test_music_folders_limit_what_somebody_hears(house: House) -> None:
    root = house.station.scans.roots()[0].id
    assert house.refused("createUser", username="x1", password=PASSWORD, email="x", musicFolderId=[9999]) == 70
    house.ask("createUser", username="x1", password=PASSWORD, email="x", musicFolderId=[root])
    assert not house.station.people.find_user("x1").limited     # all there are
    house.ask("deleteUser", username="x1")


def test_the_last_owner_stays(house: House) -> None:
    assert house.refused("deleteUser", username="owner") == 0
    assert house.refused("updateUser", username="owner", adminRole=False) == 0
    assert house.ask("getUser", username="owner")["user"]["adminRole"] is True


def test_the_accounts_password_keeps_its_rule_and_the_refusal_says_which_password_it_is(house: House) -> None:
    for call, username in (("changePassword", "child"), ("createUser", "short"), ("updateUser", "child")):
        told = house.told(call, username=username, password="short", email="x")
        assert told["error"]["code"] == 0
        assert "10 characters" in told["error"]["message"] and "app passwords" in told["error"]["message"]


def test_a_password_is_changed_by_owners_and_never_the_own_one(house: House) -> None:
    """Here nobody is asked for the old one: an overheard app password would take the account over."""
    made = house.station.accounts.make_user(OPERATOR, "pat", PASSWORD, "child")
    user = house.station.people.get_user(made.id)
    house.keys["pat"] = house.station.app_passwords.create(OPERATOR, "x", user_id=user.id).secret
    for who, name in (("pat", "pat"), ("pat", "PAT"), ("owner", "owner"), ("owner", "OWNER"), ("owner", " owner ")):
        for call in ("changePassword", "updateUser")[:2 if who == "owner" else 1]:
            told = house.told(call, who=who, username=name, password="another good one")
            assert told["status"] == "failed", (call, who, name)
            if name.strip() == name:
                assert told["error"] == {"code": 50, "message": "Change your own password in the player, where the old "
                                         "one is asked for."}
    assert logs_in(house, "owner", PASSWORD) and logs_in(house, "pat", PASSWORD)
    house.ask("updateUser", username="owner", email="new@example.org")      # the rest of the own account is
    assert house.refused("changePassword", who="pat", username="owner", password="another good one") == 50
    assert logs_in(house, "owner", PASSWORD)
    house.ask("ping", who="pat")
    house.ask("changePassword", username="pat", password="a third good one")
    assert logs_in(house, "pat", "a third good one")
    assert house.refused("ping", who="pat") == 44       # set by somebody else: all of pat's devices are out
    house.ask("deleteUser", username="pat")


def test_everybody_has_a_picture_that_stays(house: House) -> None:
    from PIL import Image

    first = house.raw("getAvatar", username="owner")
    assert first.headers["Content-Type"] == "image/png" and len(first.data) < 1024
    with Image.open(io.BytesIO(first.data)) as picture:
        picture.load()
        assert picture.size == (256, 256) and len(picture.getcolors()) == 2
    assert house.raw("getAvatar", username="OWNER").data == first.data
    assert house.raw("getAvatar", username="child").data != first.data
    again = house.raw("getAvatar", username="owner", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    assert house.refused("getAvatar", username="nobody") == 70
    # Who has an account is an owner's to know.
    assert house.raw("getAvatar", who="adult", username="nobody").status_code == 200
    assert json.loads(house.raw("getAvatar").data)["subsonic-response"]["error"]["code"] == 10
