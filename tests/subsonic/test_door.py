"""The way into /rest, as programs and as strangers try it: over HTTP, with everything behind it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.security.accounts import OPERATOR
from shared.subsonic import door
from tests.holding.whole import PASSWORD, whole
from tests.subsonic.house import House

FORM = "application/x-www-form-urlencoded"


def ask(house: House, query: str, *, body: str | None = None, address: str = "127.0.0.1", **headers: str):
    """An answer to exactly these parameters, in JSON unless they say otherwise."""
    client = house.app.test_client(use_cookies=False)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    given = {"headers": named, "environ_overrides": {"REMOTE_ADDR": address}, "buffered": True}
    if body is None:
        return client.get(f"/rest/{query}", **given)
    return client.post(f"/rest/{query}", data=body, content_type=FORM, **given)


def code(answer) -> int | None:
    """The protocol's error number; None: ok."""
    content = json.loads(answer.data)["subsonic-response"]
    return content["error"]["code"] if content["status"] == "failed" else None


def digest(secret: str, salt: str = "abc") -> str:
    return f"t={hashlib.md5((secret + salt).encode()).hexdigest()}&s={salt}"


def test_every_way_to_log_in_that_the_protocol_has(house: House) -> None:
    key = house.keys["adult"]
    bare, hexed = key.replace("-", ""), key.encode().hex()
    for login in (f"u=adult&p={key}", f"u=ADULT&p=enc:{hexed}", f"u=adult&{digest(key)}", f"u=adult&{digest(bare)}",
                  f"apiKey={key}", f"apiKey={bare}"):
        assert code(ask(house, f"ping.view?f=json&c=x&v=1.16.1&{login}")) is None, login
        assert code(ask(house, "ping?f=json", body=f"c=x&v=1.16.1&{login}")) is None, login
        assert ask(house, "tokenInfo?f=json&" + login).json["subsonic-response"]["tokenInfo"] == {"username": "adult"}


@pytest.mark.parametrize(("login", "number"), [
    ("", 10), ("u=adult", 10), ("u=adult&t=abc", 10), ("u=adult&p=wrong", 40), ("u=nobody&p=wrong", 40),
    ("u=adult&t=00000000000000000000000000000000&s=x", 40), ("u=adult&p=enc:xyz", 40), ("apiKey=wrong", 44),
    ("apiKey=x&u=adult", 43), ("apiKey=x&p=x", 43), ("u=adult&p=x&t=y&s=z", 43), (f"u=adult&p={PASSWORD}", 40),
    ("p=only", 10),
])
def test_a_login_that_is_not_right_is_told_in_the_protocols_number(house: House, login: str, number: int) -> None:
    answer = ask(house, f"ping?f=json&{login}", address=f"10.1.0.{number + len(login)}")
    assert (answer.status_code, code(answer)) == (200, number)


def test_guessing_ends_in_429_and_the_right_password_still_counts(house: House) -> None:
    place, key = "203.0.113.5", house.keys["child"]
    statuses = []
    for number in range(100):
        statuses.append(ask(house, f"ping?f=json&u=child&{digest(f'guess{number}')}", address=place).status_code)
        if number % 10 == 0:
            assert code(ask(house, f"ping?f=json&u=child&{digest(key)}", address=place)) is None
    assert statuses[:10] == [200] * 10 and set(statuses[10:]) == {429}
    told = ask(house, "ping?f=json&u=child&p=x", address=place)
    assert int(told.headers["Retry-After"]) >= 1 and code(told) == 0
    assert code(ask(house, "ping?f=json&u=child&p=x", address="203.0.113.6")) == 40
    login = house.app.test_client().post("/api/session", json={"username": "child", "password": PASSWORD},
                                         environ_overrides={"REMOTE_ADDR": place})
    assert login.status_code == 200     # the player's log-in is not kept waiting by a forgotten app


def test_a_page_of_another_site_may_send_its_form_and_a_cookie_opens_nothing(house: House) -> None:
    """A page brings what it logs in with itself; the browser's cookie adds nothing to that."""
    foreign = {"Origin": "https://player.example", "Sec_Fetch_Site": "cross-site"}
    answer = ask(house, "ping?f=json", body=f"apiKey={house.keys['owner']}", **foreign)
    assert code(answer) is None and answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    token = house.whole.tokens["owner", "own"]
    for headers in ({"Cookie": f"soundsible_session={token}; __Host-soundsible={token}"},
                    {"Authorization": f"Bearer {token}"}, {"Authorization": f"Bearer {house.keys['owner']}"}):
        assert code(ask(house, "ping?f=json", body="c=x", **headers)) == 10
    assert house.whole.ask("GET", "/api/users", token=house.keys["owner"].replace("-", "")).status_code == 401


def test_the_station_under_a_foreign_name_answers_nothing(house: House) -> None:
    assert ask(house, f"ping?apiKey={house.keys['owner']}", Host="evil.example").status_code == 421


def test_it_is_out_at_once_when_it_is_revoked(house: House) -> None:
    made = house.station.app_passwords.create(house.person("adult"), "gone")
    track = house.track("Walk")
    assert code(ask(house, f"ping?f=json&apiKey={made.secret}")) is None
    ended = []
    from shared.events import SessionsEnded

    house.station.events.subscribe(SessionsEnded, lambda event: ended.extend(event.token_ids))
    answer = house.whole.ask("DELETE", f"/api/app-passwords/{made.id}", token=house.whole.tokens["adult", "own"])
    assert answer.status_code == 204 and len(ended) == 1
    for call in ("ping?f=json", f"stream?f=json&id={track}", "getUser?f=json&username=adult"):
        assert code(ask(house, f"{call}&apiKey={made.secret}")) == 44


def test_a_key_opens_what_its_scope_and_its_person_may_and_no_more(house: House) -> None:
    keys = {scope: house.key_of("owner", scope) for scope in ("listen", "add", "own")}
    for scope, key in keys.items():
        assert code(ask(house, f"getUsers?f=json&apiKey={key}")) == (None if scope == "own" else 50)
        told = ask(house, f"getUser?f=json&username=owner&apiKey={key}").json["subsonic-response"]["user"]
        assert (told["adminRole"], told["settingsRole"], told["podcastRole"]) == (
            scope == "own", scope == "own", scope != "listen")
        changed = ask(house, f"changePassword?f=json&username=owner&password=&apiKey={key}")
        assert code(changed) == (10 if scope == "own" else 50)
    for role in ("adult", "child", "guest"):
        assert code(ask(house, f"getUsers?f=json&apiKey={house.keys[role]}")) == 50


def test_a_second_factor_keeps_the_account_and_lets_its_apps_in(house: House) -> None:
    """An app can show no field for a code; that is what its own password is for."""
    accounts = house.station.accounts
    made = accounts.make_user(OPERATOR, "careful", PASSWORD, "adult")
    row = house.station.people.get_user(made.id)
    house.station.people.set_factor(row.id, "v1:sealed elsewhere")
    secret = house.station.app_passwords.create(OPERATOR, "x", user_id=row.id).secret
    assert code(ask(house, f"ping?f=json&u=careful&{digest(secret)}")) is None
    told = ask(house, f"changePassword?f=json&username=careful&password=another+long+one&apiKey={secret}")
    assert code(told) == 50 and b"in the player" in told.data
    accounts.remove_user(OPERATOR, made.id)
    assert code(ask(house, f"ping?f=json&apiKey={secret}")) == 44


def test_what_a_limited_person_hears_is_all_that_an_app_of_theirs_sees(house: House, tmp_path: Path) -> None:
    accounts = house.station.accounts
    made = accounts.make_user(OPERATOR, "kid", PASSWORD, "child", limited=True,
                              folders=[(str(house.music), "Björk")])
    key = house.station.app_passwords.create(
        OPERATOR, "x", user_id=house.station.people.get_user(made.id).id).secret
    assert code(ask(house, f"ping?f=json&apiKey={key}")) is None
    for title, there in (("Señorita", True), ("Side 1.1", False)):
        answer = ask(house, f"getSong?f=json&id={house.track(title)}&apiKey={key}")
        if answer.status_code != 404:       # once it is answered at all
            assert (code(answer) is None) is there, title
    accounts.remove_user(OPERATOR, made.id)


def test_nothing_of_a_login_stands_in_the_log(house: House, caplog: pytest.LogCaptureFixture) -> None:
    from shared.logs import FORMAT, Redacting

    caplog.set_level("DEBUG")
    key = house.keys["adult"]
    for query in (f"ping?apiKey={key}", f"ping?u=adult&{digest(key, 'saltysalt')}", f"nothing?u=adult&p={key}",
                  f"getSong?id=x&u=adult&p=enc:{key.encode().hex()}", f"ping?u={PASSWORD}&p={PASSWORD}"):
        ask(house, query, address="10.9.9.9")
    text = "\n".join(Redacting(FORMAT).format(one) for one in caplog.records)
    for secret in (key, key.replace("-", ""), key.encode().hex(), "saltysalt", PASSWORD):
        assert secret not in text
    house.station.audit.flush()
    with house.station.database.read() as conn:
        from shared.database import driver_cursor

        told = repr(driver_cursor(conn).execute("SELECT * FROM audit").fetchall())
    assert PASSWORD not in told and key not in told


def test_what_opens_without_login_is_the_list_of_extensions_alone(house: House) -> None:
    assert [one.name for one in house.whole.calls if one.allows == "open"] == ["getOpenSubsonicExtensions"]
    assert code(ask(house, "getOpenSubsonicExtensions?f=json")) is None
    for one in house.whole.calls:
        if one.allows != "open":
            assert code(ask(house, f"{one.name}?f=json&id=x&username=owner")) == 10, one.name


def test_what_is_not_there_and_what_is_not_understood_is_told_in_the_form_that_was_asked_for(house: House) -> None:
    missing = ask(house, "nothing.view?f=json")
    assert (missing.status_code, code(missing)) == (404, 0)
    assert ElementTree.fromstring(ask(house, "ping").data).get("status") == "failed"
    assert b"<error" in ask(house, "ping?f=yaml").data
    jsonp = ask(house, "ping?f=jsonp&callback=a.b")
    assert jsonp.data.startswith(b"/**/a.b(") and jsonp.headers["Content-Type"].startswith("application/javascript")
    assert b"alert" not in ask(house, "ping?f=jsonp&callback=alert(1)").data
    assert jsonp.headers["X-Content-Type-Options"] == "nosniff"


def test_letters_are_understood_as_they_are_and_any_byte_is_no_defect(house: House, caplog: pytest.LogCaptureFixture
                                                                     ) -> None:
    key = house.keys["adult"]

    def raw(query: bytes):
        return house.app.test_client(use_cookies=False).get(
            "/rest/search3", environ_overrides={"QUERY_STRING": f"f=json&apiKey={key}&" + query.decode("latin-1")})

    found = json.loads(raw("query=Señorita".encode()).data)["subsonic-response"]["searchResult3"]["song"]
    assert [one["title"] for one in found] == ["Señorita"]
    for query in (b"query=Se\xf1orita", b"query=\xff\x00", b"\xed\xa0\x80=1&query=x"):
        assert code(raw(query)) is None
    assert not [one for one in caplog.records if one.exc_info]


def test_a_browser_may_ask_first(house: House) -> None:
    answer = house.app.test_client().options("/rest/ping", headers={
        "Origin": "https://player.example", "Access-Control-Request-Method": "POST"})
    assert answer.status_code == 204 and "POST" in answer.headers["Access-Control-Allow-Methods"]


def test_switched_off_there_is_nothing(tmp_path: Path) -> None:
    made = whole(tmp_path, https=False, download_providers=(), download_catalogues=(), subsonic=False)
    for method in ("GET", "POST"):
        assert made.ask(method, "/rest/ping?f=json", **({"data": "u=x"} if method == "POST" else {})).status_code == 404
    made.station.database.close()


def test_a_long_form_is_read_when_it_is_known_whose_it_is(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    real = door._read
    monkeypatch.setattr(door, "_read", lambda form: read.append(len(form)) or real(form))
    key, track = house.keys["adult"], house.track("Walk")
    songs = f"&songId={track}" * 5_000
    for login in (f"apiKey={key}", f"u=adult&p=enc:{key.encode().hex()}", f"u=adult&{digest(key)}"):
        told = ask(house, "createPlaylist", body=f"c=x&f=json&name=Many%20songs+here&{login}{songs}")
        made = told.json["subsonic-response"]["playlist"]
        assert (made["name"], made["songCount"], len(read)) == ("Many songs here", 5_000, 1)
        again = ask(house, f"updatePlaylist?f=json&playlistId={made['id']}", body=songs[1:] + "&name=Other&" + login)
        assert code(again) is None
        ask(house, f"deletePlaylist?id={made['id']}&apiKey={key}")
        read.clear()
    for stranger in ("", "apiKey=wrong", "u=adult&p=wrong", "u=adult&t=0&s=0"):
        told = ask(house, "createPlaylist?f=json", body=f"{stranger}{songs}", address="10.7.7.7")
        assert code(told) in (10, 40, 44) and not read
    assert code(ask(house, "createPlaylist", body=f"f=json&apiKey={key}&name=x" + "&songId=" * 101_000)) == 0
    assert b"too large" in ask(house, "ping", body="x" * (5 << 20)).data


@given(st.lists(st.tuples(st.sampled_from((*door._FIRST, "id", "x", "uu", "xp")), st.text(max_size=5)), max_size=8),
       st.booleans())
def test_what_is_looked_for_in_a_form_is_what_reading_it_would_find(fields: list[tuple[str, str]], raw: bool) -> None:
    form = ("&".join(f"{name}={value}" for name, value in fields if not set(value) & set("&+%")).encode(
        "utf-8", "replace") if raw else urlencode(fields, errors="replace").encode())
    read = door._read(form)
    for name in door._FIRST:
        assert door._found(form, name) == read.get(name, [""])[0]
