"""Log in, ask who one is, log out; the own account and its second factor; the very first set-up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from flask import Response, request

from shared.model.errors import NotLoggedIn
from shared.model.person import Person
from shared.routes.guard import give_cookie, take_cookie, token_of_request
from shared.routes.operation import Body, Door
from shared.routes.respond import json_of
from shared.security import qr

if TYPE_CHECKING:
    from shared.security import accounts as security
    from shared.security.accounts import Accounts
    from shared.security.setup import Setup

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Secret = Annotated[str, msgspec.Meta(max_length=1000)]


Code = Annotated[str, msgspec.Meta(max_length=100)]


class Login(Body):
    """`code`: of the second factor, where one is on, or a recovery code."""

    username: Name
    password: Secret
    code: Code | None = None


class Claim(Body):
    """`code` stands in the link that the terminal showed."""

    code: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    username: Name
    password: Secret


class NewPassword(Body):
    current: Secret
    new: Secret


class Password(Body):
    """The own password, once more."""

    password: Secret


class FactorCode(Body):
    code: Code


class FactorEnd(Body):
    """`code`: one that the app shows now, or a recovery code."""

    password: Secret
    code: Code


class May(msgspec.Struct, kw_only=True):
    """What this person may on this device: fetch music, change tags, move tracks to the trash."""

    add: bool
    edit: bool
    delete: bool


class Whom(msgspec.Struct, kw_only=True):
    """The person behind a session. `limited`: sees the music of some folders alone."""

    id: str
    username: str
    role: str
    scope: str
    rights: May
    limited: bool


class Me(Whom, kw_only=True):
    """`second_factor`: whether one is on; `identity`: whether the account is connected with somebody at the OpenID
    Connect provider."""

    second_factor: bool
    identity: bool


class NewSecondFactor(msgspec.Struct, kw_only=True):
    """Shown this once, and not on before a code was confirmed. `uri` is what `qr` (an SVG picture) holds."""

    secret: str
    uri: str
    qr: str


class RecoveryCodes(msgspec.Struct, kw_only=True):
    """Each is good once, in place of a code; shown this once."""

    recovery_codes: list[str]


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
    return Whom(**_whom(person))


def _whom(person: Person) -> dict[str, Any]:
    return {
        "id": person.id, "username": person.username, "role": person.role, "scope": person.scope,
        "rights": May(add=person.adds, edit=person.edits, delete=person.deletes), "limited": person.limited,
    }


def session_of(accounts: Accounts, login: security.Login, status: int) -> Response:
    """A new session as its answer: told in the body, kept in the browser's cookie."""
    expires_at, max_age_s = accounts.expiry_of(login.expires_at)
    answer = json_of(Session(token=login.token, expires_at=expires_at, user=whom(login.person)), status)
    give_cookie(answer, login.token, max_age_s)
    return answer


def door(*, accounts: Accounts, setup: Setup) -> Door:
    door = Door("session")

    @door.post("/session", allows="open", body=Login, answers={200: Session}, errors=(429,))
    def log_in(body: Login) -> Response:
        """Log in.

        The answer's token is for programs; browsers keep the cookie. Too many wrong passwords are answered with 429.
        Where a second factor is on, the right password alone is answered with 401 and the code
        `second_factor_needed`: ask again with `code`.
        """
        return session_of(accounts, accounts.login(
            body.username, body.password, _address(), _browser(), code=body.code), 200)

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
        accounts.logout(person, _address())
        answer = Response(status=204)
        if token_of_request()[1]:
            take_cookie(answer)
        return answer

    @door.get("/me", allows="logged_in", answers={200: Me})
    def me(person: Person) -> Me:
        """The own account."""
        return Me(**_whom(person), second_factor=accounts.has_second_factor(person),
                  identity=accounts.has_identity(person))

    @door.post("/me/password", allows="own_account", body=NewPassword, answers={204: None}, errors=(429,))
    def change_password(person: Person, body: NewPassword) -> None:
        """Change the own password; every other session of this account ends."""
        accounts.change_password(person, body.current, body.new, _address())

    @door.post("/me/second-factor", allows="own_account", body=Password, answers={200: NewSecondFactor},
               errors=(409, 429))
    def begin_second_factor(person: Person, body: Password) -> NewSecondFactor:
        """Begin to set up a second factor: a secret for an authenticator app. It counts once a code was confirmed."""
        made = accounts.begin_second_factor(person, body.password, _address())
        return NewSecondFactor(secret=made.secret, uri=made.uri, qr=qr.svg(made.uri))

    @door.post("/me/second-factor/confirm", allows="own_account", body=FactorCode, answers={200: RecoveryCodes},
               errors=(409, 429))
    def confirm_second_factor(person: Person, body: FactorCode) -> RecoveryCodes:
        """Switch the second factor on by the code that the app shows; devices that are paired go on as they are."""
        return RecoveryCodes(recovery_codes=accounts.confirm_second_factor(person, body.code, _address()))

    @door.delete("/me/second-factor", allows="own_account", body=FactorEnd, answers={204: None}, errors=(409, 429))
    def end_second_factor(person: Person, body: FactorEnd) -> None:
        """Switch the own second factor off."""
        accounts.end_second_factor(person, body.password, body.code, _address())

    @door.get("/setup", allows="open", answers={200: SetupState})
    def setup_state() -> SetupState:
        """Whether this station still waits for its owner."""
        return SetupState(needed=setup.needed())

    @door.post("/setup", allows="open", body=Claim, answers={201: Session}, errors=(403, 409, 429))
    def claim(body: Claim) -> Response:
        """Become the owner, with the code of the one-time link that the terminal showed."""
        return session_of(accounts, setup.claim(
            body.code, body.username, body.password, _address(), _browser()), 201)

    return door


def _address() -> str:
    return request.remote_addr or ""


def _browser() -> str:
    return request.headers.get("User-Agent", "")[:200]
