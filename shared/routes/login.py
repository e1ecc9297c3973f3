"""Logging in elsewhere: through a trusted proxy, or an OpenID Connect provider."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated

import msgspec
from flask import Response, request

from shared.model.errors import Forbidden, NotFound, SoundsibleError
from shared.model.person import Person
from shared.routes.guard import give_cookie
from shared.routes.operation import Body, Door, Query
from shared.routes.respond import json_of
from shared.routes.session import Password, Session, session_of
from shared.security.proxies import PROXY
from shared.security.vouching import named_in

if TYPE_CHECKING:
    from shared.security.accounts import Accounts
    from shared.security.openid import OpenId
    from shared.security.vouching import Vouching

log = logging.getLogger(__name__)

JOURNEY, SECURE_JOURNEY = "soundsible_journey", "__Host-soundsible-journey"
JOURNEY_S = 600
CALLBACK = "/login/oidc/callback"    # what people tell their provider
HOME = "/"      # where every log-in ends; nothing that a request says leads elsewhere
_Text = Annotated[str, msgspec.Meta(max_length=4000)]


class Provider(msgspec.Struct, kw_only=True):
    """`name`: for the button."""

    name: str


class WaysIn(msgspec.Struct, kw_only=True):
    """How people log in here. `proxy`: whom a trusted proxy says this is; `POST /login/proxy` makes it so."""

    password: bool
    oidc: Provider | None
    proxy: str | None


class Leaving(msgspec.Struct, kw_only=True):
    """Where the browser goes to be connected."""

    url: str


class Return(Query):
    """As the provider sends the browser back."""

    code: _Text | None = None
    state: _Text | None = None
    iss: _Text | None = None
    error: _Text | None = None


class ByProxy(Body):
    """No fields."""


def door(*, openid: OpenId, vouching: Vouching, accounts: Accounts) -> Door:
    door = Door("login")

    def proxy_says() -> str | None:
        """Whom a trusted proxy names; None when none does. From anybody else the header is nothing."""
        if not vouching.header or PROXY not in request.environ:
            return None
        return named_in(request.headers.get(vouching.header, "")) or None

    @door.get("/login/ways", allows="open", outside=True, answers={200: WaysIn})
    def ways_in() -> WaysIn:
        """How people log in here."""
        return WaysIn(password=True, oidc=Provider(name=openid.name) if openid.enabled else None, proxy=proxy_says())

    @door.post("/login/proxy", allows="open", outside=True, body=ByProxy, body_optional=True, answers={201: Session},
               errors=(403, 409))
    def log_in_by_proxy(body: ByProxy) -> Response:
        """Log in as whom the trusted proxy names. Without one: 403."""
        named = proxy_says()
        if named is None:
            raise Forbidden("No trusted proxy says who you are.")
        return session_of(accounts, vouching.by_proxy(named, _address(), _browser()), 201)

    @door.get("/login/oidc", allows="open", outside=True, answers={302: None}, errors=(404,))
    def leave_for_provider() -> Response:
        """Go to the OpenID Connect provider. What fails on the way comes back as `/#/login?problem=<code>`."""
        _must_be_on(openid)
        try:
            url, sealed = openid.begin(_callback())
        except SoundsibleError as problem:
            return _with_problem(problem)
        return _with_journey(_to(url), sealed)

    @door.get(CALLBACK, allows="open", outside=True, query=Return, answers={302: None}, errors=(404,))
    def come_back(person: Person | None, query: Return) -> Response:
        """Come back from the provider, logged in."""
        _must_be_on(openid)
        try:
            with accounts.throttle.attempt("\0openid", _address()) as attempt:
                try:
                    answer = _arrive(person, query)
                    attempt.succeeded()
                except SoundsibleError as problem:
                    log.info("a log-in through the provider failed: %s", problem.message)
                    answer = _with_problem(problem)
        except SoundsibleError as problem:      # too often, or too many at once
            answer = _with_problem(problem)
        return _without_journey(answer)

    def _arrive(person: Person | None, query: Return) -> Response:
        cookie = request.cookies.get(SECURE_JOURNEY if request.is_secure else JOURNEY, "")
        journey = openid.journey(cookie, query.state or "")
        if query.error is not None or not query.code:
            raise Forbidden("The provider did not let you in.")
        # An account is connected by who is logged in with it, now and in this browser.
        if journey.link and (person is None or person.id != journey.link or person.scope != "own"):
            raise Forbidden("Log in first, then connect the account.")
        vouched = openid.finish(journey, query.code, query.iss or "")
        if journey.link and person is not None:
            vouching.connect(person, vouched, _address())
            return _to(HOME)
        login = vouching.by_provider(vouched, _address(), _browser())
        answer = _to(HOME)
        give_cookie(answer, login.token, accounts.expiry_of(login.expires_at)[1])
        return answer

    @door.post("/me/identity", allows="own_account", body=Password, answers={200: Leaving}, errors=(404, 422, 429))
    def connect(person: Person, body: Password) -> Response:
        """Begin to connect the own account with oneself at the provider: the answer says where to go."""
        _must_be_on(openid)
        accounts.prove(person, body.password, _address())
        url, sealed = openid.begin(_callback(), link=person.id)
        return _with_journey(json_of(Leaving(url=url), 200), sealed)

    @door.delete("/me/identity", allows="own_account", body=Password, answers={204: None}, errors=(429,))
    def disconnect(person: Person, body: Password) -> None:
        """The provider vouches for this account no more."""
        vouching.disconnect(person, body.password, _address())

    return door


def _must_be_on(openid: OpenId) -> None:
    if not openid.enabled:
        raise NotFound("This station has no OpenID Connect provider (settings oidc_issuer, oidc_client_id).")


def _callback() -> str:
    """At the address that is used here: its Host was found to be the station's own."""
    return f"{request.host_url.rstrip('/')}{CALLBACK}"


def _with_problem(problem: SoundsibleError) -> Response:
    return _to(f"{HOME}#/login?problem={problem.code}")


def _to(url: str) -> Response:
    return Response(status=302, headers={"Location": url, "Cache-Control": "no-store"})


def _with_journey(answer: Response, sealed: str) -> Response:
    answer.set_cookie(SECURE_JOURNEY if request.is_secure else JOURNEY, sealed, max_age=JOURNEY_S, path="/",
                      secure=request.is_secure, httponly=True, samesite="Lax")
    return answer


def _without_journey(answer: Response) -> Response:
    answer.delete_cookie(SECURE_JOURNEY if request.is_secure else JOURNEY, path="/", secure=request.is_secure,
                         httponly=True, samesite="Lax")
    return answer


def _address() -> str:
    return request.remote_addr or ""


def _browser() -> str:
    return request.headers.get("User-Agent", "")[:200]
