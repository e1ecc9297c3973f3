"""The accounts of this station, what each may do and see: only an owner makes and changes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from flask import request
from msgspec import UNSET, UnsetType

from shared.model.errors import NotFound
from shared.model.person import Person
from shared.routes.operation import Body, Door
from shared.routes.session import Name, Secret

if TYPE_CHECKING:
    from shared.records.people import Folder
    from shared.security import accounts as security
    from shared.security.accounts import Accounts

Role = Literal["owner", "adult", "child", "guest"]


class RightsSaid(Body):
    """What is said of this person alone: yes, no, or null: as the role has it. What is left out stays. Owners may
    everything."""

    add: bool | UnsetType | None = UNSET        # fetch new music
    edit: bool | UnsetType | None = UNSET       # change tags, start scans
    delete: bool | UnsetType | None = UNSET     # move tracks to the trash, and out of it


class FolderName(Body):
    """A folder: `root` is a music folder of the station, `path` leads beneath it ("" is all of it)."""

    root: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
    path: Annotated[str, msgspec.Meta(max_length=4096)] = ""


FolderNames = Annotated[list[FolderName], msgspec.Meta(max_length=1000)]


class NewUser(Body):
    """A password has ten characters or more; there is no other rule. `limited`: sees the music of `folders` alone."""

    username: Name
    password: Secret
    role: Role = "adult"
    rights: RightsSaid | UnsetType = UNSET
    limited: bool = False
    folders: FolderNames | UnsetType = UNSET


class UserEdit(Body):
    """What is left out stays. A new password ends the account's sessions. `folders` are all that a limited person
    sees. `identity` can only be taken away, with null: then nobody at the provider is this account's person."""

    username: Name | UnsetType = UNSET
    password: Secret | UnsetType = UNSET
    role: Role | UnsetType = UNSET
    rights: RightsSaid | UnsetType = UNSET
    limited: bool | UnsetType = UNSET
    folders: FolderNames | UnsetType = UNSET
    identity: UnsetType | None = UNSET


class Rights(msgspec.Struct, kw_only=True):
    """What somebody may, all in all."""

    add: bool
    edit: bool
    delete: bool


class RightsOwn(msgspec.Struct, kw_only=True):
    """What was said of this person alone; null: as the role has it."""

    add: bool | None
    edit: bool | None
    delete: bool | None


class FolderShown(msgspec.Struct, kw_only=True):
    root: str
    path: str


class User(msgspec.Struct, kw_only=True):
    """`second_factor`: whether one is on; `identity`: whether somebody at the OpenID Connect provider is this account's
    person."""

    id: str
    username: str
    role: str
    created_at: str
    rights: Rights
    said: RightsOwn
    limited: bool
    folders: list[FolderShown]
    second_factor: bool
    identity: bool


class Users(msgspec.Struct, kw_only=True):
    items: list[User]
    next_cursor: str | None
    total: int
    revision: int


def door(*, accounts: Accounts) -> Door:
    door = Door("users")

    @door.get("/users", allows="owns", answers={200: Users})
    def list_users(person: Person) -> Users:
        """All accounts."""
        items = [shown_user(one) for one in accounts.users(person)]
        return Users(items=items, next_cursor=None, total=len(items), revision=0)

    @door.post("/users", allows="owns", body=NewUser, answers={201: User}, errors=(409,))
    def make_user(person: Person, body: NewUser) -> User:
        """Make an account."""
        return shown_user(accounts.make_user(
            person, body.username, body.password, body.role, rights=said_of(body.rights) or {}, limited=body.limited,
            folders=folders_of(body.folders) or [], address=_address(),
        ))

    @door.get("/users/<id>", allows="owns", answers={200: User}, errors=(404,))
    def one_user(person: Person, id: str) -> User:
        """One account."""
        for one in accounts.users(person):
            if one.id == id:
                return shown_user(one)
        raise NotFound("There is no such user.")

    @door.patch("/users/<id>", allows="owns", body=UserEdit, answers={200: User}, errors=(404, 409))
    def edit_user(person: Person, id: str, body: UserEdit) -> User:
        """Change an account. It counts at once. The last owner stays one."""
        fields = {name: value for name in ("username", "password", "role", "limited")
                  if (value := getattr(body, name)) is not UNSET}
        changed = accounts.change_user(person, id, **fields, rights=said_of(body.rights),
                                       folders=folders_of(body.folders), address=_address())
        if body.identity is None:
            changed = accounts.set_identity(person, id, None, _address())
        return shown_user(changed)

    @door.delete("/users/<id>", allows="owns", answers={204: None}, errors=(404, 409))
    def remove_user(person: Person, id: str) -> None:
        """Remove an account with its playlists and listening. The last owner stays."""
        accounts.remove_user(person, id, _address())

    @door.delete("/users/<id>/second-factor", allows="owns", answers={200: User}, errors=(404,))
    def reset_second_factor(person: Person, id: str) -> User:
        """Switch off the second factor of somebody whose phone is gone."""
        return shown_user(accounts.reset_second_factor(person, id, _address()))

    return door


def said_of(rights: RightsSaid | UnsetType) -> dict[str, bool | None] | None:
    """The rights that a body names."""
    if rights is UNSET:
        return None
    return {name: value for name, value in msgspec.structs.asdict(rights).items() if value is not UNSET}


def folders_of(folders: list[FolderName] | UnsetType) -> list[Folder] | None:
    return None if folders is UNSET else [(one.root, one.path) for one in folders]


def shown_folders(folders: Any) -> list[FolderShown]:
    return [FolderShown(root=one["root"], path=one["path"]) for one in folders]


def shown_user(user: security.User) -> User:
    return User(
        id=user.id, username=user.username, role=user.role, created_at=user.created_at, rights=Rights(**user.rights),
        said=RightsOwn(**user.said), limited=user.limited, folders=shown_folders(user.folders),
        second_factor=user.second_factor, identity=user.identity,
    )


def _address() -> str:
    return request.remote_addr or ""
