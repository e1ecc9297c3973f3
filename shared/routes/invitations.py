"""Invitations: owners make links, and who opens one makes an account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from flask import Response, request
from msgspec import UNSET, UnsetType

from shared.model.person import Person
from shared.routes.operation import Body, Door
from shared.routes.session import Name, Secret, Session, session_of
from shared.routes.users import (
    FolderNames,
    FolderShown,
    Rights,
    RightsOwn,
    RightsSaid,
    Role,
    folders_of,
    said_of,
    shown_folders,
)

if TYPE_CHECKING:
    from shared.security import invitations as security
    from shared.security.accounts import Accounts


class NewInvitation(Body):
    """`name`: whom it is for, in words. The rest is what the account will have."""

    role: Role = "adult"
    name: Annotated[str, msgspec.Meta(max_length=200)] = ""
    rights: RightsSaid | UnsetType = UNSET
    limited: bool = False
    folders: FolderNames | UnsetType = UNSET


class Invitation(msgspec.Struct, kw_only=True):
    """`state`: open, used, expired, or ended (who made it is an owner no more)."""

    id: str
    name: str
    role: str
    rights: Rights
    said: RightsOwn
    limited: bool
    folders: list[FolderShown]
    state: str
    created_by: str
    created_at: str
    expires_at: str
    used_at: str | None
    used_by: str | None


class InvitationMade(Invitation, kw_only=True):
    """`code` and `link` are shown this once."""

    code: str
    link: str


class InvitationList(msgspec.Struct, kw_only=True):
    items: list[Invitation]
    next_cursor: str | None
    total: int
    revision: int


class InvitationSays(msgspec.Struct, kw_only=True):
    """What a link says to who opens it: to which station, as what, and until when."""

    station: str
    name: str
    role: str
    expires_at: str


class Acceptance(Body):
    username: Name
    password: Secret


def door(*, invitations: security.Invitations, accounts: Accounts) -> Door:
    door = Door("invitations")

    @door.post("/invitations", allows="owns", body=NewInvitation, answers={201: InvitationMade}, errors=(409,))
    def invite(person: Person, body: NewInvitation) -> InvitationMade:
        """Make an invitation; its link is shown this once."""
        made = invitations.make(person, body.role, name=body.name, rights=said_of(body.rights), limited=body.limited,
                                folders=folders_of(body.folders) or (), address=_address())
        # At the address that is used here, where the station knows of no other.
        link = made.link if "://" in made.link else f"{request.host_url.rstrip('/')}{made.link}"
        return InvitationMade(**msgspec.structs.asdict(_shown(made.invitation)), code=made.code, link=link)

    @door.get("/invitations", allows="owns", answers={200: InvitationList})
    def list_invitations(person: Person) -> InvitationList:
        """All invitations, the newest first; those that are over stay for a month."""
        items = [_shown(one) for one in invitations.list(person)]
        return InvitationList(items=items, next_cursor=None, total=len(items), revision=0)

    # One name for both: it is one place in the path, whatever stands there.
    @door.delete("/invitations/<code>", allows="owns", answers={204: None}, errors=(404,))
    def withdraw_invitation(person: Person, code: str) -> None:
        """Withdraw an invitation, by its id."""
        invitations.withdraw(person, code, _address())

    @door.get("/invitations/<code>", allows="open", answers={200: InvitationSays}, errors=(410, 429))
    def read_invitation(code: str) -> InvitationSays:
        """What an invitation says, by the code in its link."""
        said = invitations.look(code, _address())
        return InvitationSays(station=said.station, name=said.name, role=said.role, expires_at=said.expires_at)

    @door.post("/invitations/<code>/accept", allows="open", body=Acceptance, answers={201: Session},
               errors=(409, 410, 429))
    def accept_invitation(code: str, body: Acceptance) -> Response:
        """Make the account and log in, as `POST /session` does."""
        return session_of(accounts, invitations.accept(
            code, body.username, body.password, _address(), request.headers.get("User-Agent", "")[:200]), 201)

    return door


def _shown(one: security.Invitation) -> Invitation:
    return Invitation(
        id=one.id, name=one.name, role=one.role, rights=Rights(**one.rights), said=RightsOwn(**one.said),
        limited=one.limited, folders=shown_folders(one.folders), state=one.state, created_by=one.created_by,
        created_at=one.created_at, expires_at=one.expires_at, used_at=one.used_at, used_by=one.used_by,
    )


def _address() -> str:
    return request.remote_addr or ""
