"""App passwords: what programs that speak the OpenSubsonic API log in with, at /rest alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from flask import request

from shared.model.person import Person
from shared.records.moments import shown
from shared.routes.operation import Body, Door
from shared.security import qr

if TYPE_CHECKING:
    from shared.security.app_passwords import AppPasswords as Held

Scope = Literal["listen", "add", "own"]


class NewAppPassword(Body):
    """`scope`: what the program may do; `own` is all that its person may."""

    name: Annotated[str, msgspec.Meta(max_length=200)] = ""
    scope: Scope = "own"


class MadeAppPassword(msgspec.Struct, kw_only=True):
    """`app_password` is shown this once: it counts as the password, and as the API key, with or without its hyphens.
    `server`: the address for the program, the best of `servers`. `link` opens a page of the station that shows all
    three; they stand behind its #, as a form (server, username, password). `qr` is the link as an SVG picture."""

    id: str
    name: str
    scope: str
    app_password: str
    username: str
    server: str
    servers: list[str]
    link: str
    qr: str


class AppPassword(msgspec.Struct, kw_only=True):
    id: str
    name: str
    scope: str
    created_at: str
    last_used_at: str | None
    last_address: str | None


class AppPasswords(msgspec.Struct, kw_only=True):
    items: list[AppPassword]
    next_cursor: str | None
    total: int
    revision: int


def door(*, app_passwords: Held) -> Door:
    door = Door("app_passwords")

    @door.post("/app-passwords", allows="own_account", body=NewAppPassword, body_optional=True,
               answers={201: MadeAppPassword}, errors=(409,))
    def make_app_password(person: Person, body: NewAppPassword) -> MadeAppPassword:
        """Make an app password of the own account for one program."""
        made = app_passwords.create(person, body.name, scope=body.scope, address=request.remote_addr or "",
                                    here=request.host_url)
        return MadeAppPassword(
            id=made.id, name=made.name, scope=made.scope, app_password=made.secret, username=made.username,
            server=made.server, servers=list(made.servers), link=made.link, qr=qr.svg(made.link))

    @door.get("/app-passwords", allows="own_account", answers={200: AppPasswords})
    def list_app_passwords(person: Person) -> AppPasswords:
        """The own app passwords, the last used first; never what they are."""
        items = [
            AppPassword(id=one.uid, name=one.name, scope=one.scope, created_at=shown(one.created_at),
                        last_used_at=None if one.last_used_at is None else shown(one.last_used_at),
                        last_address=one.last_address or None)
            for one in app_passwords.list(person)
        ]
        return AppPasswords(items=items, next_cursor=None, total=len(items), revision=0)

    @door.delete("/app-passwords/<id>", allows="own_account", answers={204: None}, errors=(404,))
    def revoke_app_password(person: Person, id: str) -> None:
        """Revoke an app password: it counts no more, and what its program is playing ends at once."""
        app_passwords.revoke(person, id, request.remote_addr or "")

    return door
