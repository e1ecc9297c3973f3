"""Who may what: the own account, and for owners everybody's.

The account's password is never taken as a login here: apps log in with app passwords. Nor is the own one set here,
where nobody is asked for the old one: who overheard an app password would take the account over. The protocol's many
roles are few here: adminRole is an owner; uploadRole says who may add music, coverArtRole who may edit the library; the
others are everybody's, or nobody's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from flask import Response, request

from shared.model.errors import BadInput, NotFound
from shared.model.person import SHARING, Person
from shared.records.people import People
from shared.records.scans import Scans
from shared.security.accounts import Accounts, User
from shared.security.passwords import clean_username, fold_username
from shared.subsonic import avatars
from shared.subsonic.asking import Asked, Refused
from shared.subsonic.calls import Calls

# What is asked of a new account, and the right that it means here.
RIGHTS = {"uploadRole": "add", "coverArtRole": "edit"}
_IN_THE_PLAYER = "Change your own password in the player, where the old one is asked for."


def calls(*, accounts: Accounts, people: People, scans: Scans, shares: bool, jukebox: bool = True) -> Calls:
    """shares, jukebox: whether this station does that at all."""
    calls = Calls("users")

    @calls.answers("getUser")
    def get_user(asked: Asked) -> dict[str, Any]:
        """What a person may; of others, for owners."""
        name = asked.need("username")
        if _is(asked.person, name):
            return {"user": own(asked.person)}
        _must_own(asked.person, "Only an owner of this station sees other people's accounts.")
        user = named(asked.person, name)
        return {"user": told(user)}

    @calls.answers("getUsers", allows="owns")
    def get_users(asked: Asked) -> dict[str, Any]:
        """Everybody with an account."""
        return {"users": {"user": [told(one) for one in accounts.users(asked.person)]}}

    @calls.answers("createUser", allows="owns")
    def create_user(asked: Asked) -> None:
        """Make an account. Who makes no owner makes an adult with the rights that are named."""
        name, password = asked.need("username"), _password(asked.need("password"))
        asked.need("email")     # the protocol wants one; nobody is written to here
        owner = asked.flag("adminRole")
        folders = chosen(asked)
        rights: dict[str, bool | None] = {right: asked.flag(role) for role, right in RIGHTS.items()}
        with _of_the_account():
            accounts.make_user(
                asked.person, name, password, "owner" if owner else "adult",
                rights={} if owner else {**rights, "delete": False}, limited=folders is not None,
                folders=folders or (), address=asked.address)

    @calls.answers("updateUser", allows="owns")
    def update_user(asked: Asked) -> None:
        """Change an account: what is given, and nothing else."""
        user = named(asked.person, asked.need("username"))
        password = asked.text("password")
        if password and user.id == asked.person.id:
            raise Refused(Refused.FORBIDDEN, _IN_THE_PLAYER)
        role = None
        if asked.has("adminRole") and asked.flag("adminRole") != (user.role == "owner"):
            role = "owner" if asked.flag("adminRole") else "adult"
        owner = (role or user.role) == "owner"
        rights = {right: asked.flag(name) for name, right in RIGHTS.items() if asked.has(name)}
        given = asked.has("musicFolderId")
        folders = chosen(asked)
        with _of_the_account():
            accounts.change_user(
                asked.person, user.id, password=_password(password) if password else None, role=role,
                rights=None if owner or not rights else rights, limited=folders is not None if given else None,
                folders=folders, address=asked.address)

    @calls.answers("deleteUser", allows="owns")
    def delete_user(asked: Asked) -> None:
        """Remove an account with all that is its own."""
        accounts.remove_user(asked.person, named(asked.person, asked.need("username")).id, asked.address)

    @calls.answers("changePassword", allows="own_account")
    def change_password(asked: Asked) -> None:
        """Set somebody else's password, for owners. The own one is changed in the player, by the old one."""
        name, password = asked.need("username"), _password(asked.need("password"))
        if _is(asked.person, name):
            raise Refused(Refused.FORBIDDEN, _IN_THE_PLAYER)
        _must_own(asked.person, "Only an owner of this station sets other people's passwords.")
        user = named(asked.person, name)
        if user.id == asked.person.id:
            raise Refused(Refused.FORBIDDEN, _IN_THE_PLAYER)
        with _of_the_account():
            accounts.change_user(asked.person, user.id, password=password, address=asked.address)

    @calls.answers("tokenInfo", extension="apiKeyAuthentication")
    def token_info(asked: Asked) -> dict[str, Any]:
        """Whose API key it is."""
        return {"tokenInfo": {"username": asked.person.username}}

    @calls.answers("getAvatar")
    def get_avatar(asked: Asked) -> Response:
        """A small picture of a person, drawn from the name."""
        name = asked.need("username")
        if not _is(asked.person, name) and asked.person.owns:
            name = named(asked.person, name).username
        # To others a name that is nobody's has a picture, too: who has an account here is not theirs to know.
        picture = avatars.drawn(fold_username(name[:256]))
        answer = Response(picture, content_type=avatars.PNG)
        answer.headers["Cache-Control"] = "private, max-age=86400"
        answer.set_etag(hashlib.blake2b(picture, digest_size=8).hexdigest())
        return answer.make_conditional(request)     # type: ignore[return-value,unused-ignore]

    # ---- accounts in the protocol's words

    def named(actor: Person, name: str) -> User:
        """Raises NotFound."""
        try:
            row = people.find_user(clean_username(name))
        except BadInput:
            row = None
        for user in accounts.users(actor):
            if row is not None and user.id == row.uid:
                return user
        raise NotFound("There is no such user.")

    def told(user: User) -> dict[str, Any]:
        """Another person as that person's own devices may."""
        return _roles(user.username, owner=user.role == "owner", account=True, adds=user.rights["add"],
                      edits=user.rights["edit"], shares=shares and user.role in SHARING, jukebox=jukebox,
                      folders=numbers({one["root"] for one in user.folders} if user.limited else None))

    def own(person: Person) -> dict[str, Any]:
        """Who asks, as this very app password may."""
        seen = {root for root, _ in people.folders(person.user_id).get(person.user_id, ())} if person.limited else None
        return _roles(person.username, owner=person.owns, account=person.scope == "own", adds=person.adds,
                      edits=person.edits, shares=shares and person.shares, jukebox=jukebox, folders=numbers(seen))

    def numbers(seen: set[str] | None) -> list[int]:
        """The music folders that somebody sees something of; None: all."""
        return [one.id for one in scans.roots() if seen is None or one.path in seen]

    def chosen(asked: Asked) -> list[tuple[str, str]] | None:
        """The music folders that are given; None for all of them. Raises NotFound."""
        wanted = set(asked.numbers("musicFolderId"))
        if not wanted:
            return None
        known = {one.id: one.path for one in scans.roots()}
        if not wanted <= set(known):
            raise NotFound("There is no such music folder.")
        return None if wanted == set(known) else [(known[one], "") for one in sorted(wanted)]

    return calls


def _roles(username: str, *, owner: bool, account: bool, adds: bool, edits: bool, shares: bool, jukebox: bool,
           folders: Iterable[int]) -> dict[str, Any]:
    """Every role as a boolean: clients read them without asking whether they are there."""
    return {
        "username": username, "scrobblingEnabled": True, "maxBitRate": 0, "adminRole": owner, "settingsRole": account,
        "downloadRole": True, "uploadRole": adds, "playlistRole": True, "coverArtRole": edits, "commentRole": True,
        "podcastRole": adds, "streamRole": True, "jukeboxRole": jukebox, "shareRole": shares,
        "videoConversionRole": False, "folder": list(folders),
    }


@contextmanager
def _of_the_account() -> Iterator[None]:
    """What is wrong with a password is told with the word which password it is."""
    try:
        yield
    except BadInput as problem:
        if problem.details.get("field") != "password":
            raise
        raise Refused(Refused.GENERIC, f"{problem.message} This is the account's own password, for the player; apps "
                      "log in with app passwords.") from None


def _is(person: Person, name: str) -> bool:
    return fold_username(name[:256]) == fold_username(person.username)


def _must_own(person: Person, sentence: str) -> None:
    if not person.owns:
        raise Refused(Refused.FORBIDDEN, sentence)


def _password(given: str) -> str:
    """As it was given, or in hexadecimal behind enc:. Raises Refused."""
    if not given.startswith("enc:"):
        return given
    try:
        return bytes.fromhex(given[4:]).decode()
    except ValueError:
        raise Refused(Refused.GENERIC, "The password after enc: is hexadecimal UTF-8.") from None
