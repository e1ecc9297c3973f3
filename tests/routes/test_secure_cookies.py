"""Over HTTPS a session's cookie is another one, and only that one counts there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared.routes.guard import token_of
from tests.routes.houses import PASSWORD, Front

PLAIN, SECURE = "http://localhost", "https://localhost"


def ask(front: Front, method: str, path: str, *, at: str, body: Any = None, **headers: str) -> Any:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return front.app.test_client(use_cookies=False).open(
        path, method=method, base_url=at, headers=told, **({} if body is None else {"json": body}))


def login(front: Front, at: str) -> tuple[str, str]:
    """(the token, the Set-Cookie header)"""
    answer = ask(front, "POST", "/api/session", at=at, body={"username": "ann", "password": PASSWORD})
    assert answer.status_code == 200
    return answer.json["token"], answer.headers["Set-Cookie"]


def test_over_https_the_cookie_is_of_this_host_alone_and_never_goes_over_http(front: Front) -> None:
    token, cookie = login(front, SECURE)
    name, *attributes = cookie.split("; ")
    assert name == f"__Host-soundsible={token}"
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(attributes)
    assert not any(one.startswith("Domain") for one in attributes)


def test_over_http_the_cookie_is_what_it_was(front: Front) -> None:
    token, cookie = login(front, PLAIN)
    assert cookie.startswith(f"soundsible_session={token}; ") and "HttpOnly" in cookie and "Secure" not in cookie


@pytest.mark.parametrize(("at", "name", "status"), [
    (SECURE, "__Host-soundsible", 200), (SECURE, "soundsible_session", 401),
    (PLAIN, "soundsible_session", 200), (PLAIN, "__Host-soundsible", 401),
])
def test_each_cookie_counts_where_it_was_given(front: Front, at: str, name: str, status: int) -> None:
    token, _ = login(front, at)
    assert ask(front, "GET", "/api/session", at=at, Cookie=f"{name}={token}").status_code == status
    assert ask(front, "GET", "/api/library/tracks", at=at, Cookie=f"{name}={token}").status_code == status


def test_a_cookie_slipped_in_over_http_does_not_stand_in_for_the_secure_one(front: Front) -> None:
    """Somebody on the way can set the plain cookie; the person must not end up in another's account."""
    mine, _ = login(front, SECURE)
    answer = ask(front, "GET", "/api/session", at=SECURE,
                 Cookie=f"soundsible_session={front.house.tokens['ben']}; __Host-soundsible={mine}")
    assert answer.json["user"]["username"] == "ann"


def test_logging_out_over_https_takes_the_secure_cookie_away(front: Front) -> None:
    token, _ = login(front, SECURE)
    answer = ask(front, "DELETE", "/api/session", at=SECURE, Cookie=f"__Host-soundsible={token}")
    assert answer.status_code == 204
    gone = answer.headers["Set-Cookie"]
    assert gone.startswith("__Host-soundsible=;") and "Secure" in gone and "Path=/" in gone
    assert ask(front, "GET", "/api/session", at=SECURE, Cookie=f"__Host-soundsible={token}").status_code == 401


def test_a_bearer_token_goes_both_ways(front: Front) -> None:
    for at in (PLAIN, SECURE):
        assert ask(front, "GET", "/api/session", at=at,
                   Authorization=f"Bearer {front.house.tokens['ann']}").status_code == 200
    assert token_of("Bearer x", {"__Host-soundsible": "y"}, secure=True) == ("x", False)


@pytest.mark.parametrize(("at", "headers", "status"), [
    (SECURE, {"Origin": "https://localhost"}, 201),
    (SECURE, {"Origin": "http://localhost:443"}, 403),
    (SECURE, {"Origin": "http://localhost"}, 403),
    (SECURE, {"Referer": "http://localhost:443/"}, 403),
    (PLAIN, {"Origin": "http://localhost"}, 201),
])
def test_a_page_that_came_over_http_changes_nothing_over_https(
    front: Front, at: str, headers: dict[str, str], status: int
) -> None:
    """Who can change a page on its way must not act through the encrypted door."""
    _, cookie = login(front, at)
    answer = ask(front, "POST", "/api/library/playlists", at=at, body={"name": "x"},
                 Cookie=cookie.partition(";")[0], **headers)
    assert answer.status_code == status


def test_sockets_go_by_the_same_cookie(tmp_path: Path) -> None:
    from shared.sockets import Sockets
    from tests.routes.fakes import FakeStation

    station = FakeStation(tmp_path)
    sockets = Sockets(events=station.events, accounts=station.accounts, feed=station.feed, settings=station.settings)
    try:
        for scheme, name, known in (("http", "soundsible_session", True), ("http", "__Host-soundsible", False),
                                    ("https", "__Host-soundsible", True), ("https", "soundsible_session", False)):
            environ = {"wsgi.url_scheme": scheme, "HTTP_COOKIE": f"{name}=ann-token", "HTTP_HOST": "localhost"}
            assert sockets.knows(environ, "") is known, (scheme, name)
        page = {"HTTP_HOST": "localhost:5005", "HTTP_ORIGIN": "http://localhost:5005"}
        assert sockets.allowed({**page, "wsgi.url_scheme": "http"}) == 0
        assert sockets.allowed({**page, "wsgi.url_scheme": "https"}) == 403
        assert sockets.allowed({**page, "HTTP_ORIGIN": "https://localhost:5005", "wsgi.url_scheme": "https"}) == 0
    finally:
        station.feed.stop()
