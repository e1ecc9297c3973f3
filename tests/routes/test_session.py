"""Logging in and out, the own account, and the first set-up."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.routes.houses import PASSWORD, Front


def test_a_login_gives_a_token_and_a_cookie_that_both_work(front: Front) -> None:
    answer = front.ask("POST", "/api/session", {"username": "ann", "password": PASSWORD}, who=None)
    assert answer.status == 200
    assert set(answer.json) == {"token", "expires_at", "user"}
    assert {"id", "username", "role"} <= set(answer.json["user"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", answer.json["expires_at"])
    assert answer.headers["Cache-Control"] == "no-store"
    for headers in ({"Authorization": f"Bearer {answer.json['token']}"},
                    {"Cookie": f"soundsible_session={answer.json['token']}"}):
        who = front.ask("GET", "/api/session", who=None, **headers)
        assert who.json["user"]["username"] == "ann"


@pytest.mark.parametrize(("username", "password"), [("ann", "wrong horse battery"), ("nobody", PASSWORD), ("ann", "")])
def test_a_wrong_login_is_401_without_a_cookie(front: Front, username: str, password: str) -> None:
    answer = front.ask("POST", "/api/session", {"username": username, "password": password}, who=None)
    assert (answer.status, answer.json["error"]["code"]) == (401, "not_logged_in")
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("body", [
    {}, {"username": "ann"}, {"username": 5, "password": PASSWORD}, {"username": "ann", "password": None},
    {"username": "ann", "password": PASSWORD, "remember": True}, {"username": "", "password": PASSWORD},
    {"username": "a" * 300, "password": PASSWORD}, {"username": "ann", "password": "x" * 2000}, [], "x",
])
def test_a_malformed_login_is_400(front: Front, body: object) -> None:
    assert front.ask("POST", "/api/session", body, who=None).status == 400


def test_guessing_is_slowed_down_and_told_when_to_go_on(tmp_path: Path) -> None:
    front = Front(tmp_path, music=False)
    statuses = []
    for _ in range(14):
        answer = front.ask("POST", "/api/session", {"username": "ann", "password": "guess number one"}, who=None)
        statuses.append(answer.status)
        if answer.status == 429:
            break
    assert statuses[:10] == [401] * 10
    assert statuses[-1] == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.json["error"]["code"] == "too_often"
    assert front.ask("GET", "/api/session").status == 200, "who is logged in is not touched"


def test_logging_out_ends_the_token_at_once(front: Front) -> None:
    token = front.ask("POST", "/api/session", {"username": "ben", "password": PASSWORD}, who=None).json["token"]
    cookie = {"Cookie": f"soundsible_session={token}"}
    gone = front.ask("DELETE", "/api/session", who=None, **cookie)
    assert gone.status == 204
    assert "soundsible_session=;" in gone.headers["Set-Cookie"]
    assert front.ask("GET", "/api/session", who=None, **cookie).status == 401
    assert front.ask("GET", "/api/library/tracks", who=None, **cookie).status == 401
    assert front.ask("DELETE", "/api/session", who=None, **cookie).status == 401


def test_nobody_is_nobody(front: Front) -> None:
    assert front.ask("GET", "/api/session", who=None).status == 401
    assert front.ask("DELETE", "/api/session", who=None).status == 401


def test_a_new_password_ends_the_other_sessions_and_keeps_this_one(tmp_path: Path) -> None:
    front = Front(tmp_path, music=False)
    other = front.ask("POST", "/api/session", {"username": "kid", "password": PASSWORD}, who=None).json["token"]
    wrong = front.ask("POST", "/api/me/password", {"current": "wrong password", "new": "another password"}, who="kid")
    assert wrong.status == 403
    short = front.ask("POST", "/api/me/password", {"current": PASSWORD, "new": "short"}, who="kid")
    assert (short.status, short.json["error"]["details"]["field"]) == (400, "password")
    done = front.ask("POST", "/api/me/password", {"current": PASSWORD, "new": "another password"}, who="kid")
    assert (done.status, done.data) == (204, b"")
    assert front.get("/api/me", who="kid")["username"] == "kid"
    assert front.ask("GET", "/api/me", who=None, Authorization=f"Bearer {other}").status == 401
    assert front.ask("POST", "/api/session", {"username": "kid", "password": PASSWORD}, who=None).status == 401


def test_the_first_owner_is_made_with_the_code_and_only_once(tmp_path: Path) -> None:
    front = Front(tmp_path, people=False, music=False)
    assert front.get("/api/setup", who=None) == {"needed": True}
    claim = {"code": "wrong", "username": "ann", "password": PASSWORD}
    assert front.ask("POST", "/api/setup", claim, who=None).status == 403
    claim["code"] = front.house.setup.code()
    assert front.ask("POST", "/api/setup", {**claim, "password": "short"}, who=None).status == 400
    made = front.ask("POST", "/api/setup", claim, who=None)
    assert made.status == 201
    assert made.json["user"]["role"] == "owner"
    assert "HttpOnly" in made.headers["Set-Cookie"]
    assert front.ask("GET", "/api/users", who=None, Authorization=f"Bearer {made.json['token']}").status == 200
    assert front.ask("POST", "/api/setup", claim, who=None).status == 409
    assert front.get("/api/setup", who=None) == {"needed": False}


def test_a_second_factor_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    import pyotp

    front = Front(tmp_path, music=False)
    assert front.get("/api/me", who="ben")["second_factor"] is False
    assert front.ask("POST", "/api/me/second-factor", {"password": "wrong horse"}, who="ben").status == 403
    made = front.ask("POST", "/api/me/second-factor", {"password": PASSWORD}, who="ben")
    assert made.status == 200 and made.headers["Cache-Control"] == "no-store"
    assert made.json["secret"] in made.json["uri"] and made.json["qr"].startswith("<svg")
    app = pyotp.TOTP(made.json["secret"])
    wrong = front.ask("POST", "/api/me/second-factor/confirm", {"code": "x"}, who="ben")
    assert (wrong.status, wrong.json["error"]["code"]) == (403, "second_factor_wrong")
    codes = front.ask("POST", "/api/me/second-factor/confirm", {"code": app.now()}, who="ben").json["recovery_codes"]
    assert len(codes) == 10 and front.get("/api/me", who="ben")["second_factor"] is True
    assert front.ask("POST", "/api/me/second-factor", {"password": PASSWORD}, who="ben").status == 409, "shown once"

    login = {"username": "ben", "password": PASSWORD}
    for more, code in (({}, "second_factor_needed"), ({"code": "000000"}, "second_factor_wrong"),
                       ({"code": app.now()}, "second_factor_wrong")):      # used when it was confirmed
        answer = front.ask("POST", "/api/session", {**login, **more}, who=None)
        assert (answer.status, answer.json["error"]["code"]) == (401, code) and "Set-Cookie" not in answer.headers
    assert front.ask("POST", "/api/session", {**login, "code": codes[0]}, who=None).status == 200
    listed = next(one for one in front.get("/api/users")["items"] if one["username"] == "ben")
    assert listed["second_factor"] is True and made.json["secret"] not in str(listed)
    body = {"password": PASSWORD, "code": codes[0]}
    assert front.ask("DELETE", "/api/me/second-factor", body, who="ben").status == 403, "used"
    assert front.ask("DELETE", "/api/me/second-factor", {**body, "code": codes[1]}, who="ben").status == 204
    assert front.ask("POST", "/api/session", login, who=None).status == 200


def test_an_owner_helps_whose_phone_is_gone(tmp_path: Path) -> None:
    import pyotp

    front = Front(tmp_path, music=False)
    secret = front.ask("POST", "/api/me/second-factor", {"password": PASSWORD}, who="ben").json["secret"]
    front.ask("POST", "/api/me/second-factor/confirm", {"code": pyotp.TOTP(secret).now()}, who="ben")
    ben = front.get("/api/me", who="ben")["id"]
    assert front.ask("DELETE", f"/api/users/{ben}/second-factor", who="kid").status == 403
    assert front.ask("DELETE", f"/api/users/{ben}/second-factor").json["second_factor"] is False
    assert front.ask("POST", "/api/session", {"username": "ben", "password": PASSWORD}, who=None).status == 200
