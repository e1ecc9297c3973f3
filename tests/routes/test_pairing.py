"""The doors of pairing: who may, what is answered, and that no text anybody sends becomes a device or a failure."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.security import sync_token
from shared.security.identity import verify
from tests.routes.houses import Answer, Front
from tests.security.pairing_house import Program


def make(front: Front, who: str = "ann", **body: object) -> Any:
    answer = front.ask("POST", "/api/pairing/tokens", body or None, who=who)
    assert answer.status == 201, answer.data
    return answer.json


def claim(front: Front, token: str, name: str = "Pixel", **headers: str) -> Answer:
    return front.ask("POST", "/api/pairing/claim", {"token": token, "name": name}, who=None, **headers)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_token_comes_with_its_link_and_picture(front: Front) -> None:
    made = make(front, name="Kitchen", scope="add")
    assert {"id", "token", "link", "expires_at", "qr", "name", "scope"} == set(made)
    assert made["link"] == f"http://192.168.7.7:5005/pair#{made['token']}"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", made["expires_at"])
    assert made["qr"].startswith("<svg") and "style" not in made["qr"] and "<script" not in made["qr"]
    assert list(sync_token.read(made["token"]).endpoints)[-1] == "http://localhost", "where the player was open"


def test_the_answer_that_holds_a_token_is_kept_nowhere(front: Front) -> None:
    answer = front.ask("POST", "/api/pairing/tokens", {})
    assert answer.headers["Cache-Control"] == "no-store"
    assert claim(front, answer.json["token"]).headers["Cache-Control"] == "no-store"


def test_a_claim_gives_a_device_that_may_what_was_said(front: Front) -> None:
    made = make(front, scope="listen")
    answer = claim(front, made["link"], "Pixel")
    assert answer.status == 201
    assert set(answer.json) == {"token", "expires_at", "device", "station", "user"}
    assert {"id", "name", "scope"} <= set(answer.json["device"])
    assert {"id", "name", "fingerprint", "public_key"} <= set(answer.json["station"])
    assert (answer.json["device"]["name"], answer.json["device"]["scope"]) == ("Pixel", "listen")
    assert answer.json["user"]["username"] == "ann"
    mine = bearer(answer.json["token"])
    assert front.ask("GET", "/api/library/tracks", who=None, **mine).status == 200
    for method, path in (("POST", "/api/pairing/tokens"), ("GET", "/api/pairing/tokens"), ("GET", "/api/sessions"),
                         ("GET", "/api/users"), ("DELETE", "/api/sessions")):
        assert front.ask(method, path, who=None, **mine).status == 403, path


def test_used_is_410_withdrawn_is_410_wrong_is_400(front: Front) -> None:
    used, gone = make(front), make(front)
    assert claim(front, used["token"]).status == 201
    again = claim(front, used["token"])
    assert (again.status, again.json["error"]["code"]) == (410, "token_used")
    assert front.ask("DELETE", f"/api/pairing/tokens/{gone['id']}").status == 204
    late = claim(front, gone["token"])
    assert (late.status, late.json["error"]["code"]) == (410, "token_expired")
    wrong = claim(front, "sb1.nonsense")
    assert (wrong.status, wrong.json["error"]["code"]) == (400, "token_wrong")


def test_own_tokens_are_listed_without_their_secret(front: Front) -> None:
    made = make(front, "ben", name="Radio")
    listed = front.get("/api/pairing/tokens", who="ben")
    assert [one["id"] for one in listed["items"]] == [made["id"]] and listed["total"] == 1
    assert "token" not in listed["items"][0] and made["token"] not in json.dumps(listed)
    assert made["id"] not in json.dumps(front.get("/api/pairing/tokens", who="kid"))
    assert front.ask("DELETE", f"/api/pairing/tokens/{made['id']}", who="kid").status == 404
    assert front.ask("DELETE", f"/api/pairing/tokens/{made['id']}", who="ben").status == 204


def test_a_page_of_ours_gets_the_cookie_and_a_program_does_not(front: Front) -> None:
    page = claim(front, make(front)["token"], Origin="http://localhost", Host="localhost")
    assert "HttpOnly" in page.headers["Set-Cookie"] and "SameSite=Lax" in page.headers["Set-Cookie"]
    cookie = page.headers["Set-Cookie"].split(";")[0]
    assert front.ask("GET", "/api/session", who=None, Cookie=cookie).status == 200
    assert "Set-Cookie" not in claim(front, make(front)["token"]).headers


@pytest.mark.parametrize("headers", [
    {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec_Fetch_Site": "cross-site"},
    {"Sec_Fetch_Site": "same-site"}, {"Referer": "https://evil.example/"},
])
def test_a_page_of_others_claims_nothing_and_uses_nothing_up(front: Front, headers: dict[str, str]) -> None:
    made = make(front)
    assert claim(front, made["token"], **headers).status == 403
    assert claim(front, made["token"], Host="evil.example").status == 421
    sent = front.app.test_client().post("/api/pairing/claim", data=json.dumps({"token": made["token"]}),
                                        content_type="text/plain")
    assert sent.status_code == 415
    assert claim(front, made["token"]).status == 201


def test_the_station_signs_the_challenge_of_who_claims(front: Front) -> None:
    challenge = sync_token.new_nonce()
    answer = front.ask("POST", "/api/pairing/claim", {
        "token": make(front)["token"], "name": "x", "challenge": challenge}, who=None)
    station = answer.json["station"]
    assert verify(station["public_key"], sync_token.challenge_message(challenge),
                  sync_token.unb64(station["signature"]))


def test_a_program_proves_and_reads_what_only_it_can(front: Front) -> None:
    program = Program(make(front, scope="add")["token"])
    answer = front.ask("POST", "/api/pairing/claim", program.claim(), who=None)
    assert answer.status == 201 and "token" not in answer.json and "Set-Cookie" not in answer.headers
    grant = program.take(answer.json, answer.json["station"]["public_key"])
    assert set(grant) == {"token", "expires_at", "device", "station", "user"}
    assert grant["device"]["scope"] == "add"
    assert front.ask("GET", "/api/me", who=None, **bearer(grant["token"])).status == 200
    assert front.ask("POST", "/api/pairing/claim", program.claim(), who=None).status == 410


def test_a_limited_device_moves_and_stays_limited(front: Front) -> None:
    paired = claim(front, make(front)["token"]).json
    made = front.ask("POST", "/api/pairing/move", {}, who=None, **bearer(paired["token"]))
    assert made.status == 201 and set(made.json) == {"token", "expires_at"}
    moved = claim(front, made.json["token"])
    assert moved.json["device"] == paired["device"]
    assert front.ask("GET", "/api/me", who=None, **bearer(paired["token"])).status == 401
    assert front.ask("GET", "/api/me", who=None, **bearer(moved.json["token"])).json["scope"] == "listen"


@pytest.mark.parametrize("body", [
    {"scope": "owner"}, {"scope": None}, {"scope": 5}, {"name": "x" * 300}, {"name": None}, {"user": "ann"}, [], "x", 5,
    {"kind": "move"},
])
def test_a_malformed_wish_is_400(front: Front, body: object) -> None:
    assert front.ask("POST", "/api/pairing/tokens", body).status == 400


@pytest.mark.parametrize("body", [
    {}, {"name": "x"}, {"token": None}, {"token": 5}, {"token": ["sb1."]}, {"token": "x" * 5000}, {"id": "x"},
    {"id": "x", "nonce": "y"}, {"id": "x", "nonce": "y", "proof": "z"}, {"token": "sb1.x", "proof": "z"},
    {"token": "sb1.x", "challenge": "short"}, {"token": "sb1.x", "scope": "own"}, {"id": 5, "nonce": 5, "proof": 5},
    {"id": "x" * 300, "nonce": "A" * 22, "proof": "B" * 43}, [], "x", {"token": "\ud800"},
    {"id": "\ud800", "nonce": "A" * 22, "proof": "B" * 43},
])
def test_a_malformed_claim_is_400(tmp_path_factory: pytest.TempPathFactory, front: Front, body: object) -> None:
    answer = front.ask("POST", "/api/pairing/claim", body, who=None)
    assert answer.status in (400, 429) and "Set-Cookie" not in answer.headers


ANYTHING = st.none() | st.booleans() | st.integers() | st.text(max_size=60) | st.lists(st.text(max_size=5), max_size=3)


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Front, str]:
    """A station of its own: who guesses is made to wait."""
    front = Front(tmp_path_factory.mktemp("attacked"), music=False)
    return front, make(front)["token"]


@given(field=st.sampled_from(["token", "id", "nonce", "proof", "name", "challenge"]), value=ANYTHING,
       whole=st.booleans())
def test_no_field_of_a_claim_breaks_anything_or_lets_anybody_in(
    attacked: tuple[Front, str], field: str, value: object, whole: bool
) -> None:
    front, token = attacked
    body: dict[str, object] = {"token": token[:-4] + "AAAA", "name": "x"} if whole else Program(token).claim()
    if not whole:
        body["proof"] = "A" * 43
    answer = front.ask("POST", "/api/pairing/claim", {**body, field: value}, who=None)
    assert answer.status in (400, 415, 429), answer.data
    assert "Set-Cookie" not in answer.headers and set(answer.json) == {"error"}
    assert token[:30] not in answer.data.decode() or token[:30] in str(value)


@given(at=st.integers(0, 10_000), cut=st.booleans(), letter=st.sampled_from("aZ_9-.#"))
def test_no_changed_or_cut_token_is_a_session(attacked: tuple[Front, str], at: int, cut: bool, letter: str) -> None:
    front, token = attacked
    place = at % len(token)
    changed = token[:place] if cut else token[:place] + letter + token[place + 1:]
    try:
        same = sync_token.read(changed).secret == sync_token.read(token).secret
    except sync_token.WrongToken:
        same = False
    if not same:
        answer = claim(front, changed)
        assert answer.status in (400, 429) and set(answer.json) == {"error"}


def test_guessing_over_http_is_429_with_a_time_to_wait(tmp_path: Path) -> None:
    front = Front(tmp_path, music=False)
    token = sync_token.read(make(front)["token"])
    statuses = []
    for number in range(14):
        forged = sync_token.make(id=token.id, fingerprint=token.fingerprint, secret=bytes([number] * 16), name="",
                                 endpoints=[])
        answer = claim(front, forged)
        statuses.append(answer.status)
    assert statuses == [400] * 10 + [429] * 4
    assert int(answer.headers["Retry-After"]) > 0
    assert front.ask("GET", "/api/devices").status == 200, "who is logged in is not touched"


def test_no_answer_and_no_line_of_the_log_holds_a_secret(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    front = Front(tmp_path, music=False)
    made = make(front)
    secret = sync_token.b64(sync_token.read(made["token"]).secret)
    answers = [claim(front, made["token"][:-2]), claim(front, made["token"])]
    device = answers.pop().json["token"]
    answers += [claim(front, made["token"]), front.ask("GET", "/api/devices"), front.ask("GET", "/api/audit"),
                front.ask("GET", "/api/pairing/tokens")]
    everything = caplog.text + "".join(capfd.readouterr()) + "".join(one.data.decode() for one in answers)
    for hidden in (made["token"], made["token"][:40], secret, device):
        assert hidden not in everything
