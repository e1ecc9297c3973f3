"""The accounts of this station: only an owner makes and changes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from shared.model.errors import NotFound
from shared.model.person import Person
from shared.routes.operation import Body, Door
from shared.routes.session import Name, Secret

if TYPE_CHECKING:
    from shared.security.accounts import Accounts

Role = Literal["owner", "adult", "child", "guest"]


class NewUser(Body):
    """A password has ten characters or more; there is no other rule."""

    username: Name
    password: Secret
    role: Role = "adult"


class UserEdit(Body):
    """What is left out stays. A new password ends the account's sessions."""

    username: Name | UnsetType = UNSET
    password: Secret | UnsetType = UNSET
    role: Role | UnsetType = UNSET


class User(msgspec.Struct, kw_only=True):
    id: str
    username: str
    role: str
    created_at: str


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
        items = [_shown(one) for one in accounts.users(person)]
        return Users(items=items, next_cursor=None, total=len(items), revision=0)

    @door.post("/users", allows="owns", body=NewUser, answers={201: User}, errors=(409,))
    def make_user(person: Person, body: NewUser) -> User:
        """Make an account."""
        return _shown(accounts.make_user(person, body.username, body.password, body.role))

    @door.get("/users/<id>", allows="owns", answers={200: User}, errors=(404,))
    def one_user(person: Person, id: str) -> User:
        """One account."""
        for one in accounts.users(person):
            if one.id == id:
                return _shown(one)
        raise NotFound("There is no such user.")

    @door.patch("/users/<id>", allows="owns", body=UserEdit, answers={200: User}, errors=(404, 409))
    def edit_user(person: Person, id: str, body: UserEdit) -> User:
        """Change an account. The last owner stays one."""
        fields = {name: value for name, value in msgspec.structs.asdict(body).items() if value is not UNSET}
        return _shown(accounts.change_user(person, id, **fields))

    @door.delete("/users/<id>", allows="owns", answers={204: None}, errors=(404, 409))
    def remove_user(person: Person, id: str) -> None:
        """Remove an account with its playlists and listening. The last owner stays."""
        accounts.remove_user(person, id)

    return door


def _shown(user: Any) -> User:
    return User(id=user.id, username=user.username, role=user.role, created_at=user.created_at)
