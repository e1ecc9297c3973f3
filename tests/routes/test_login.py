"""Logging in elsewhere: a provider that lies, a browser that brings another's answer, a header from nobody trusted."""

from __future__ import annotations

from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from shared.outbound import Outbound
from shared.records.audit import Audit
from shared.security.accounts import OPERATOR
from shared.security.openid import AGAIN_S, JOURNEY_S, KEPT_S, OpenId
from shared.security.proxies import PROXY
from shared.security.vouching import Vouching
from tests.fakes.answering import Reply
from tests.fakes.oidc import (
    CLIENT,
    SECRET,
    Oidc,
    another_key,
    elliptic,
    signed_with_what_everybody_knows,
    unsigned,
)
from tests.routes.houses import PASSWORD, Answer, Front

EVIL = "https://evil.example"


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class Browser:
    """Keeps cookies, follows nothing by itself."""

    def __init__(self, front: Front) -> None:
        self.front = front
        self.cookies: dict[str, str] = {}

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = self.front.ask(method, path, body, who=None, **({"Cookie": cookie} if cookie else {}), **headers)
        for line in answer.headers.getlist("Set-Cookie"):
            for name, morsel in SimpleCookie(line).items():
                self.cookies.pop(name, None)
                if morsel.value:
                    self.cookies[name] = morsel.value
        return answer

    def leave(self) -> str:
        answer = self.ask("GET", "/login/oidc")
        assert answer.status == 302
        return str(answer.headers["Location"])

    def come_back(self, query: dict[str, str]) -> str:
        """Where it is sent then."""
        answer = self.ask("GET", f"/login/oidc/callback?{urlencode(query)}")
        assert answer.status == 302, answer.data
        assert "soundsible_journey" not in self.cookies
        return str(answer.headers["Location"])

    def who(self) -> str | None:
        answer = self.ask("GET", "/api/session")
        return answer.json["user"]["username"] if answer.status == 200 else None


class Street:
    """A house, a provider, and a browser."""

    def __init__(self, front: Front, provider: Oidc, clock: Clock) -> None:
        self.front, self.provider, self.clock = front, provider, clock
        provider.clock = clock
        self.browser = Browser(front)

    def provided(self, **settings: Any) -> None:
        house = self.front.house
        issuer = settings.pop("issuer", self.provider.issuer)
        known = {"issuer": issuer, "client_id": CLIENT, "client_secret": SECRET,
                 "outbound": lambda: Outbound([self.provider.issuer]), "clock": self.clock, **settings}
        fresh = OpenId(**known)
        house.openid.__dict__.clear()
        house.openid.__dict__.update(fresh.__dict__)

    def log_in(self) -> str:
        return self.browser.come_back(self.provider.log_in(self.browser.leave()))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Front:
    return Front(tmp_path_factory.mktemp("house"), music=False)


@pytest.fixture
def street(home: Front) -> Iterator[Street]:
    clock = Clock()
    home.house.vouching._new_people = "child"
    home.house.accounts.throttle.__init__(clock=clock)  # type: ignore[misc]
    with Oidc() as provider:
        street = Street(home, provider, clock)
        street.provided()
        yield street
    for user in home.house.people.users():
        if user.username not in ("ann", "ben", "kid"):
            home.house.people.delete_user(user.uid)
        else:
            home.house.people.set_identity(user.uid, None)


# ---- the way there and back --------------------------------------------------------------------------------------


def test_somebody_unknown_gets_an_account_of_the_role_that_was_set_and_comes_back_as_the_same(street: Street) -> None:
    assert street.browser.ask("GET", "/login/ways").json == {
        "password": True, "oidc": {"name": "127.0.0.1"}, "proxy": None}
    assert street.log_in() == "/"
    assert street.browser.who() == "anna"
    first = street.front.house.people.find_user("anna")
    assert first is not None and first.role == "child" and first.has_identity
    street.provider.person["preferred_username"] = "somebody else now"
    street.browser = Browser(street.front)
    assert street.log_in() == "/" and street.browser.who() == "anna", "the subject counts, not the name"


def test_the_name_may_stand_in_the_userinfo_alone(street: Street) -> None:
    street.provider.person = {"sub": "77"}
    street.provider.info = {"preferred_username": "bea"}
    assert street.log_in() == "/" and street.browser.who() == "bea"


def test_userinfo_about_somebody_else_counts_for_nothing(street: Street) -> None:
    street.provider.person = {"sub": "78"}
    street.provider.info = {"sub": "somebody else", "preferred_username": "bea"}
    assert street.log_in() == "/#/login?problem=nobody_known"


def test_an_elliptic_key_and_a_new_key_are_taken_without_a_restart(street: Street) -> None:
    assert street.log_in() == "/"
    street.provider.keys.append(elliptic())
    street.provider.algorithm = "ES256"
    assert "login_elsewhere_failed" in street.log_in(), "asked for a moment ago"
    street.clock.now += AGAIN_S
    assert street.log_in() == "/"


def test_keys_are_asked_for_rarely_whatever_strangers_bring(street: Street) -> None:
    street.log_in()
    before = sum(one.path == "/keys" for one in street.provider.asked)
    for number in range(5):
        street.provider.header = {"alg": "RS256", "kid": f"made-up-{number}"}
        assert "login_elsewhere_failed" in street.log_in()
    assert sum(one.path == "/keys" for one in street.provider.asked) - before <= 1


# ---- forged and replayed -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "value"), [
    ("iss", EVIL), ("iss", None), ("iss", ""), ("aud", "another client"), ("aud", None), ("aud", []),
    ("aud", ["another", "clients"]), ("nonce", "another"), ("nonce", None), ("nonce", ""),
    ("exp", 1_800_000_000 - 61), ("exp", None), ("exp", "soon"), ("iat", None), ("iat", 1_800_000_000 + 3600),
    ("nbf", 1_800_000_000 + 3600), ("sub", None), ("sub", ""), ("sub", 5), ("sub", "x" * 300), ("sub", "a\nb"),
    ("azp", "another client"), ("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"),
])
def test_a_token_that_is_wrong_in_anything_lets_nobody_in(street: Street, name: str, value: Any) -> None:
    street.provider.claims = {name: value}
    assert street.log_in() == "/#/login?problem=login_elsewhere_failed"
    assert street.browser.who() is None


def test_a_token_for_two_is_for_this_one_only_when_it_says_so(street: Street) -> None:
    street.provider.claims = {"aud": [CLIENT, "another"]}
    assert "problem" in street.log_in()
    street.provider.claims = {"aud": [CLIENT, "another"], "azp": CLIENT}
    assert street.log_in() == "/"


@pytest.mark.parametrize("forgery", ["none", "None", "nOnE", "", "other key", "HS256", "no token", "cut", "changed"])
def test_a_token_that_the_provider_did_not_sign_lets_nobody_in(street: Street, forgery: str) -> None:
    provider, key = street.provider, another_key()

    def make(claims: dict[str, Any]) -> Any:
        claims = {**claims, "sub": "248289761001"}
        if forgery == "other key":
            return provider.signed(claims, key)
        if forgery == "HS256":
            return signed_with_what_everybody_knows(claims, provider.keys[0])
        if forgery == "no token":
            return None
        if forgery in ("cut", "changed"):
            head, body, signature = provider.signed(claims).split(".")
            other = provider.signed({**claims, "sub": "1"}).split(".")[1]
            return f"{head}.{body}." if forgery == "cut" else f"{head}.{other}.{signature}"
        return unsigned(claims, forgery)

    provider.make_token = make
    assert street.log_in() == "/#/login?problem=login_elsewhere_failed"
    assert street.browser.who() is None


def test_an_answer_counts_once(street: Street) -> None:
    url, cookies = street.browser.leave(), dict(street.browser.cookies)
    query = street.provider.log_in(url)
    assert street.browser.come_back(query) == "/"
    thief = Browser(street.front)
    thief.cookies = cookies     # even with the cookie
    street.provider.codes[query["code"]] = {name: values[-1] for name, values in parse_qs(urlsplit(url).query).items()}
    assert "problem" in thief.come_back(query) and thief.who() is None


def test_the_answer_to_anothers_log_in_counts_for_nothing(street: Street) -> None:
    """The attacker's own answer in the victim's browser would log the victim in as the attacker."""
    attacker, victim = Browser(street.front), street.browser
    query = street.provider.log_in(attacker.leave())
    assert "problem" in victim.come_back(query) and victim.who() is None     # never left
    victim.leave()
    assert "problem" in victim.come_back(query) and victim.who() is None     # on a way of its own
    attacker.leave()
    code = street.provider.log_in(victim.leave())["code"]
    assert "problem" in attacker.come_back({"code": code, "state": query["state"]}) and attacker.who() is None


@pytest.mark.parametrize("query", [
    {}, {"code": "x"}, {"state": "x"}, {"code": "", "state": ""}, {"error": "access_denied"},
    {"code": "x", "state": "é"},
])
def test_half_an_answer_is_none(street: Street, query: dict[str, str]) -> None:
    street.browser.leave()
    assert "problem" in street.browser.come_back(query) and street.browser.who() is None


@pytest.mark.parametrize("state", ["", "x", None])
def test_a_right_code_under_another_state_is_none(street: Street, state: str | None) -> None:
    query = street.provider.log_in(street.browser.leave())
    wrong = {**query, "state": query["state"][:-1] if state is None else state}
    assert "problem" in street.browser.come_back(wrong) and street.browser.who() is None


@pytest.mark.parametrize("cookie", ["", "x", "gAAAAA", "{}", "a" * 5000])
def test_a_made_up_cookie_is_none(street: Street, cookie: str) -> None:
    query = street.provider.log_in(street.browser.leave())
    street.browser.cookies = {"soundsible_journey": cookie}
    assert "problem" in street.browser.come_back(query)


def test_a_journey_ends_after_ten_minutes(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    query = street.provider.log_in(street.browser.leave())
    late = time.time() + JOURNEY_S + 1
    monkeypatch.setattr(time, "time", lambda: late)
    assert "problem" in street.browser.come_back(query)


def test_another_providers_answer_is_none(street: Street) -> None:
    query = street.provider.log_in(street.browser.leave())
    assert "problem" in street.browser.come_back({**query, "iss": EVIL})
    street.provided()
    street.provider.document = {"authorization_response_iss_parameter_supported": True}
    query = street.provider.log_in(street.browser.leave())
    del query["iss"]
    assert "problem" in street.browser.come_back(query)


@pytest.mark.parametrize("more", [
    {"next": EVIL}, {"redirect_uri": EVIL}, {"return_to": f"//{EVIL[8:]}"}, {"url": "/\\evil.example"},
])
def test_nothing_in_the_address_leads_elsewhere_afterwards(street: Street, more: dict[str, str]) -> None:
    answer = street.browser.ask("GET", f"/login/oidc?{urlencode(more)}")
    told = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert told["redirect_uri"] == ["http://localhost/login/oidc/callback"]
    query = street.provider.log_in(answer.headers["Location"])
    assert street.browser.come_back({**query, **more}) == "/"


def test_a_foreign_host_begins_nothing(street: Street) -> None:
    assert street.browser.ask("GET", "/login/oidc", Host="evil.example").status == 421


def test_the_journeys_cookie_is_kept_from_scripts(street: Street) -> None:
    (line,) = street.browser.ask("GET", "/login/oidc").headers.getlist("Set-Cookie")
    assert "HttpOnly" in line and "SameSite=Lax" in line and "Max-Age=600" in line
    assert street.provider.url.split("//")[1] not in line


# ---- the provider's document -------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", [
    {"issuer": EVIL}, {"issuer": None}, {"issuer": 5}, {"token_endpoint": None},
    {"token_endpoint": "http://192.168.1.1/token"}, {"token_endpoint": "http://evil.example/token"},
    {"jwks_uri": "file:///etc/passwd"}, {"jwks_uri": "http://localhost@evil.example/"},
    {"authorization_endpoint": "javascript:alert(1)"}, {"authorization_endpoint": "http://evil.example/"},
    {"userinfo_endpoint": "http://10.0.0.1/"}, {"token_endpoint": "https://"},
])
def test_a_document_that_leads_astray_is_refused(street: Street, document: dict[str, Any]) -> None:
    street.provider.document = document
    assert street.browser.leave() == "/#/login?problem=login_elsewhere_failed"


@pytest.mark.parametrize("address", ["https://192.168.1.1/token", "https://169.254.169.254/token", "https://[::1]:1/t"])
def test_the_home_network_is_not_reached_through_the_document(street: Street, address: str) -> None:
    street.provider.document = {"token_endpoint": address}
    assert street.log_in() == "/#/login?problem=login_elsewhere_failed"


def test_a_provider_over_plain_http_elsewhere_is_not_asked(street: Street) -> None:
    street.provided(issuer="http://id.example")
    assert street.browser.leave() == "/#/login?problem=login_elsewhere_failed"


@pytest.mark.parametrize("reply", [
    Reply(500), Reply(200, b"[]"), Reply(200, b"{"), Reply(302, headers={"Location": EVIL}), Reply(200, b"x" * 300_000),
    Reply(200, b'{"a":' * 50_000),
], ids=["500", "list", "half", "redirect", "large", "deep"])
def test_a_provider_that_talks_nonsense_is_a_sentence_and_no_defect(street: Street, reply: Reply) -> None:
    street.provider.always(reply)
    assert street.browser.leave() == "/#/login?problem=login_elsewhere_failed"


def test_what_was_known_of_the_provider_helps_while_it_is_away(street: Street) -> None:
    street.browser.leave()
    street.clock.now += KEPT_S + 1
    street.provider.always(Reply(503))
    assert street.browser.leave().startswith(street.provider.url)


def test_without_a_provider_there_is_none(street: Street) -> None:
    street.provided(issuer="")
    assert street.browser.ask("GET", "/login/oidc").status == 404
    assert street.browser.ask("GET", "/login/oidc/callback?code=x&state=y").status == 404
    assert street.browser.ask("GET", "/login/ways").json["oidc"] is None


# ---- whose account ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ann", "ANN", "ａｎｎ", " ann ", "ben"])
@pytest.mark.parametrize("new_people", ["child", "off"])
def test_nobody_becomes_somebody_by_being_called_so_elsewhere(street: Street, name: str, new_people: str) -> None:
    street.front.house.vouching._new_people = new_people
    street.provider.person["preferred_username"] = name
    assert street.log_in() == "/#/login?problem=name_taken"
    assert street.browser.who() is None


@pytest.mark.parametrize("name", ["", "a\u202eb", "\n", "x" * 100, 5, None, ["anna"]])
def test_a_name_that_cannot_be_makes_nobody(street: Street, name: Any) -> None:
    street.provider.person["preferred_username"] = name
    assert "problem" in street.log_in() and street.browser.who() is None


def test_with_new_people_off_the_unknown_stay_out(street: Street) -> None:
    street.front.house.vouching._new_people = "off"
    assert street.log_in() == "/#/login?problem=nobody_known"
    assert street.front.house.people.find_user("anna") is None


def test_who_is_logged_in_here_connects_the_account_with_the_password(street: Street) -> None:
    browser = street.browser
    browser.ask("POST", "/api/session", {"username": "ben", "password": PASSWORD})
    assert browser.ask("POST", "/api/me/identity", {"password": "wrong horse battery"}).status == 403
    assert browser.ask("GET", "/api/me").json["identity"] is False
    url = browser.ask("POST", "/api/me/identity", {"password": PASSWORD}).json["url"]
    assert browser.come_back(street.provider.log_in(url)) == "/"
    assert browser.ask("GET", "/api/me").json["identity"] is True
    street.browser = Browser(street.front)
    assert street.log_in() == "/" and street.browser.who() == "ben"
    browser.ask("POST", "/api/session", {"username": "kid", "password": PASSWORD})
    url = browser.ask("POST", "/api/me/identity", {"password": PASSWORD}).json["url"]
    assert "conflict" in browser.come_back(street.provider.log_in(url)), "one person there is one person here"


def test_a_connection_that_was_begun_as_another_is_none(street: Street) -> None:
    """The attacker's journey in the victim's browser would open the victim's account to the attacker."""
    attacker, victim = Browser(street.front), Browser(street.front)
    attacker.ask("POST", "/api/session", {"username": "kid", "password": PASSWORD})
    victim.ask("POST", "/api/session", {"username": "ann", "password": PASSWORD})
    url = attacker.ask("POST", "/api/me/identity", {"password": PASSWORD}).json["url"]
    victim.cookies["soundsible_journey"] = attacker.cookies["soundsible_journey"]
    assert "problem" in victim.come_back(street.provider.log_in(url))
    ann = street.front.house.people.find_user("ann")
    assert ann is not None and not ann.has_identity


def test_another_sites_page_does_not_begin_it(street: Street) -> None:
    street.browser.ask("POST", "/api/session", {"username": "ann", "password": PASSWORD})
    answer = street.browser.ask("POST", "/api/me/identity", {"password": PASSWORD}, Origin=EVIL)
    assert answer.status == 403


def test_who_disconnects_comes_that_way_no_more(street: Street) -> None:
    street.log_in()
    user = street.front.house.people.find_user("anna")
    assert user is not None
    street.front.house.accounts.change_user(OPERATOR, user.uid, password=PASSWORD)
    street.browser.ask("POST", "/api/session", {"username": "anna", "password": PASSWORD})
    assert street.browser.ask("DELETE", "/api/me/identity", {"password": "wrong horse battery"}).status == 403
    assert street.browser.ask("DELETE", "/api/me/identity", {"password": PASSWORD}).status == 204
    street.browser = Browser(street.front)
    assert street.log_in() == "/#/login?problem=name_taken"


def test_an_owner_takes_a_connection_away(street: Street) -> None:
    street.log_in()
    user = street.front.house.people.find_user("anna")
    assert user is not None
    assert street.front.ask("PATCH", f"/api/users/{user.uid}", {"identity": None}).json["identity"] is False
    street.browser = Browser(street.front)
    assert "problem" in street.log_in()


def test_a_flood_of_false_answers_waits(street: Street) -> None:
    ends = [street.browser.come_back({"code": "x", "state": "y"}) for _ in range(12)]
    assert ends[0] == "/#/login?problem=login_elsewhere_failed" and ends[-1] == "/#/login?problem=too_often"
    assert not street.provider.asked, "nothing of it reaches the provider"


# ---- by a proxy's header -----------------------------------------------------------------------------------------


@pytest.fixture
def proxied(home: Front) -> Iterator[Front]:
    house = home.house
    house.vouching._header, house.vouching._new_people = "Remote-User", "guest"
    house.accounts.throttle.__init__()  # type: ignore[misc]
    yield home
    for user in house.people.users():
        if user.username not in ("ann", "ben", "kid"):
            house.people.delete_user(user.uid)


def through(front: Front, named: str | None, *, trusted: bool = True) -> Answer:
    """A request with the header, from a trusted proxy (as the middleware marks it) or from anybody."""
    environ = {PROXY: "127.0.0.1"} if trusted else {}
    answer = front.app.test_client(use_cookies=False).post(
        "/login/proxy", headers={} if named is None else {"Remote-User": named.encode().decode("latin-1")},
        environ_overrides=environ)
    return Answer(answer.status_code, answer.get_json(silent=True), answer.headers, answer.data)


@pytest.mark.parametrize("name", ["ben", "BEN", " ben"])
def test_a_trusted_proxy_says_who_it_is(proxied: Front, name: str) -> None:
    answer = through(proxied, name)
    assert answer.status == 201 and answer.json["user"]["username"] == "ben"
    assert proxied.ask("GET", "/api/me", who=None, Authorization=f"Bearer {answer.json['token']}").status == 200
    line = Audit(database=proxied.house.database).list(1, deed="login").items[0]
    assert (line.username, line.details["vouched_by"]) == ("ben", "proxy")


@pytest.mark.parametrize("name", ["ann", "ben", "new", ""])
def test_the_header_from_anybody_else_is_nothing(proxied: Front, name: str) -> None:
    before = proxied.get("/api/users")["total"]
    assert through(proxied, name, trusted=False).status == 403
    assert proxied.ask("GET", "/login/ways", who=None, Remote_User=name).json["proxy"] is None
    assert proxied.ask("GET", "/api/me", who=None, Remote_User=name).status == 401
    assert proxied.get("/api/users")["total"] == before


@pytest.mark.parametrize("environ", [{"REMOTE_ADDR": "127.0.0.1"}, {"HTTP_SOUNDSIBLE_PROXY": "127.0.0.1"},
                                     {"HTTP_X_FORWARDED_FOR": "127.0.0.1"}])
def test_an_address_alone_makes_no_trusted_proxy(proxied: Front, environ: dict[str, str]) -> None:
    answer = proxied.app.test_client().post("/login/proxy", headers={"Remote-User": "ann"},
                                            environ_overrides=environ)
    assert answer.status_code == 403


@pytest.mark.parametrize(("name", "status"), [
    (None, 403), ("", 403), ("  ", 403), ("ann,ben", 400), ("ben, ann", 400), ("a\u202eb", 400), ("x" * 200, 400),
    ("ａｎｎ", 409), ("ａnn", 409),
])
def test_a_name_that_is_none_or_two_or_looks_like_anothers_lets_nobody_in(
        proxied: Front, name: str | None, status: int) -> None:
    answer = through(proxied, name)
    assert answer.status == status and "Set-Cookie" not in answer.headers


def test_the_unknown_get_an_account_of_the_role_that_was_set_or_stay_out(proxied: Front) -> None:
    made = through(proxied, "Jürgen@nas")
    assert made.status == 201 and made.json["user"]["role"] == "guest" and made.json["user"]["username"] == "Jürgen@nas"
    proxied.house.vouching._new_people = "off"
    assert through(proxied, "stranger").json["error"]["code"] == "nobody_known"


def test_with_no_header_set_even_a_trusted_proxy_says_nothing(proxied: Front) -> None:
    proxied.house.vouching._header = ""
    assert through(proxied, "ann").status == 403


def test_another_sites_page_logs_nobody_in(proxied: Front) -> None:
    answer = proxied.app.test_client().post("/login/proxy", headers={"Remote-User": "ann", "Origin": EVIL},
                                            environ_overrides={PROXY: "127.0.0.1"})
    assert answer.status_code == 403


def test_through_the_real_middleware_only_a_trusted_address_counts(tmp_path: Path, proxied: Front) -> None:
    from werkzeug.test import Client

    from shared.security.proxies import Forwarded, Proxies

    front: Any = Forwarded(proxied.app.wsgi_app, proxies=Proxies(["10.0.0.7"]), only_theirs=["Remote-User"])

    def status(peer: str, **headers: str) -> int:
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        return Client(front).post("/login/proxy", headers=told, environ_overrides={"REMOTE_ADDR": peer}).status_code

    assert status("10.0.0.7", Remote_User="ben", X_Forwarded_For="203.0.113.9") == 201
    assert status("10.0.0.8", Remote_User="ben") == 403
    assert status("203.0.113.9", Remote_User="ben", X_Forwarded_For="10.0.0.7") == 403
    assert status("::ffff:10.0.0.8", Remote_User="ben") == 403


def test_vouching_makes_no_owner() -> None:
    from shared.settings import rows

    (row,) = [row for row in rows() if row.name == "new_people"]
    with pytest.raises(ValueError):
        row.metadata["parse"]("owner")
    assert Vouching.__init__.__kwdefaults__["new_people"] == "off"  # type: ignore[index]
