"""Log in, ask who one is, log out; the own account; the very first set-up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from flask import Response, request

from shared.model.errors import NotLoggedIn
from shared.model.person import Person
from shared.routes.guard import give_cookie, take_cookie, token_of_request
from shared.routes.operation import Body, Door
from shared.routes.respond import json_of

if TYPE_CHECKING:
    from shared.security.accounts import Accounts
    from shared.security.setup import Setup

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Secret = Annotated[str, msgspec.Meta(max_length=1000)]


class Login(Body):
    username: Name
    password: Secret


class Claim(Body):
    """`code` stands in the link that the terminal showed."""

    code: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    username: Name
    password: Secret


class NewPassword(Body):
    current: Secret
    new: Secret


class Whom(msgspec.Struct, kw_only=True):
    """The person behind a session."""

    id: str
    username: str
    role: str
    scope: str


class Session(msgspec.Struct, kw_only=True):
    """`token` works as `Authorization: Bearer` and is shown this once; the cookie holds the same."""

    token: str
    expires_at: str | None
    user: Whom


class SessionWho(msgspec.Struct, kw_only=True):
    user: Whom


class SetupState(msgspec.Struct, kw_only=True):
    needed: bool


def whom(person: Person) -> Whom:
    return Whom(id=person.id, username=person.username, role=person.role, scope=person.scope)


def door(*, accounts: Accounts, setup: Setup) -> Door:
    door = Door("session")

    def begin(token: str, expires_at: float | None, person: Person, status: int) -> Response:
        shown, max_age_s = accounts.expiry_of(expires_at)
        answer = json_of(Session(token=token, expires_at=shown, user=whom(person)), status)
        give_cookie(answer, token, max_age_s)
        return answer

    @door.post("/session", allows="open", body=Login, answers={200: Session}, errors=(429,))
    def log_in(body: Login) -> Response:
        """Log in.

        The answer's token is for programs; browsers keep the cookie. Too many wrong passwords are answered with 429.
        """
        token, expires_at, person = accounts.login(
            body.username, body.password, request.remote_addr or "", request.headers.get("User-Agent", "")[:200]
        )
        return begin(token, expires_at, person, 200)

    # Open, so that 401 comes with the words of this route; contracts.md names /session as open.
    @door.get("/session", allows="open", answers={200: SessionWho})
    def who_am_i(person: Person | None) -> SessionWho:
        """Who is logged in."""
        if person is None:
            raise NotLoggedIn("Nobody is logged in here.")
        return SessionWho(user=whom(person))

    @door.delete("/session", allows="open", answers={204: None})
    def log_out(person: Person | None) -> Response:
        """End this session; its token counts no more."""
        if person is None:
            raise NotLoggedIn("Nobody is logged in here.")
        accounts.logout(person)
        answer = Response(status=204)
        if token_of_request()[1]:
            take_cookie(answer)
        return answer

    @door.get("/me", allows="logged_in", answers={200: Whom})
    def me(person: Person) -> Whom:
        """The own account."""
        return whom(person)

    @door.post("/me/password", allows="own_account", body=NewPassword, answers={204: None}, errors=(429,))
    def change_password(person: Person, body: NewPassword) -> None:
        """Change the own password; every other session of this account ends."""
        accounts.change_password(person, body.current, body.new, request.remote_addr or "")

    @door.get("/setup", allows="open", answers={200: SetupState})
    def setup_state() -> SetupState:
        """Whether this station still waits for its owner."""
        return SetupState(needed=setup.needed())

    @door.post("/setup", allows="open", body=Claim, answers={201: Session}, errors=(403, 409, 429))
    def claim(body: Claim) -> Response:
        """Become the owner, with the code of the one-time link that the terminal showed."""
        token, expires_at, person = setup.claim(
            body.code, body.username, body.password, request.remote_addr or "",
            request.headers.get("User-Agent", "")[:200],
        )
        return begin(token, expires_at, person, 201)

    return door
