"""Whom others vouch for: a reverse proxy that names in a header who is logged in, and an OpenID Connect provider.

Which account that is decides who can take whose over, so:

- A provider's person is known by issuer and subject alone. A name at a provider can often be chosen, or change hands;
  so nobody becomes "ann" by being called ann there. An account is connected by its own person (logged in here, with
  the password, and then there), or by an owner.
- A proxy named in `trusted_proxies` names an account by its user name. Who configures that says that the proxy decides
  who is who. It must be exactly that name: only capital and small letters are the same.
- Somebody unknown gets an account of the role `new_people`, never an owner's, under a name that is free; with "off",
  none.

Whoever comes this way is not asked for the second factor of the account: that guards the password, and the proxy or
provider has its own.
"""

from __future__ import annotations

import logging
import secrets
import unicodedata
from typing import TYPE_CHECKING

from shared.model.errors import BadInput, Conflict, Forbidden
from shared.model.person import Person
from shared.security.accounts import Accounts, Login, one_line
from shared.security.audit import NO_AUDIT
from shared.security.passwords import clean_username

if TYPE_CHECKING:
    from shared.records.people import People, UserRow
    from shared.security.audit import AuditLog
    from shared.security.openid import Vouched

log = logging.getLogger(__name__)


class NobodyKnown(Forbidden):
    """Vouched for, but without an account here."""

    code = "nobody_known"


class NameTaken(Conflict):
    """Vouched for under a name that is somebody's here."""

    code = "name_taken"


class Vouching:
    """new_people: the role of who is unknown, or "off"."""

    def __init__(self, *, people: People, accounts: Accounts, new_people: str = "off", header: str = "",
                 audit: AuditLog = NO_AUDIT) -> None:
        self._people = people
        self._accounts = accounts
        self._new_people = new_people
        self._header = header
        self._audit = audit

    @property
    def header(self) -> str:
        """The header in which a trusted proxy names who is logged in; "": none does."""
        return self._header

    def by_proxy(self, named: str, address: str = "", user_agent: str = "") -> Login:
        """A session for whom a trusted proxy names. Raises NobodyKnown, NameTaken, BadInput."""
        name = clean_username(named)
        user = self._people.find_user(name)
        if user is None:
            user = self._make(name, None)
        elif not _same(user.username, name):
            raise NameTaken(f"The proxy names {name}, which is too much like {user.username} here.")
        return self._begin(user, "proxy", address, user_agent)

    def by_provider(self, vouched: Vouched, address: str = "", user_agent: str = "") -> Login:
        """A session for whom the provider vouches for. Raises NobodyKnown, NameTaken, BadInput."""
        user = self._people.find_identity(vouched.identity)
        if user is None:
            if not vouched.username:
                raise NobodyKnown("Nobody here is connected with you at the provider, which does not tell your name, "
                                  "either. Log in with your password and connect the two, or ask an owner.")
            name = clean_username(vouched.username)
            if self._people.find_user(name) is not None:
                raise NameTaken(f"There is an account {name} here that is not connected with you at the provider. If "
                                "it is yours, log in with its password and connect the two; else ask an owner.")
            user = self._make(name, vouched.identity)
        return self._begin(user, "provider", address, user_agent)

    def connect(self, person: Person, vouched: Vouched, address: str = "") -> None:
        """From now on `person` logs in through the provider, too. Raises Conflict when somebody else does so."""
        self._people.set_identity(person.id, vouched.identity)
        self._audit.write("user_changed", person=person, address=address, subject=person.username,
                          identity=vouched.identity)

    def disconnect(self, person: Person, password: str, address: str = "") -> None:
        """No more. Raises Forbidden when the password is wrong, TooOften."""
        self._accounts.prove(person, password, address)
        self._people.set_identity(person.id, None)
        self._audit.write("user_changed", person=person, address=address, subject=person.username, identity="none")

    def _make(self, name: str, identity: str | None) -> UserRow:
        if self._new_people == "off":
            raise NobodyKnown(f"{name} has no account at this station: ask an owner for one.")
        # A password that nobody knows; an owner can set another.
        hashed = self._accounts.hash_password(secrets.token_urlsafe(32))
        try:
            made = self._people.make_user(name, hashed, self._new_people, identity=identity)
        except Conflict:
            raise NameTaken(f"There is an account {name} here already. Try again.") from None
        log.info("user %s was made for somebody who was vouched for (%s)", made.uid, self._new_people)
        self._audit.write("user_made", username=made.username, subject=made.username, role=self._new_people,
                          vouched_by="proxy" if identity is None else "provider")
        return made

    def _begin(self, user: UserRow, by: str, address: str, user_agent: str) -> Login:
        login = self._accounts.begin_session(user, address, user_agent)
        self._audit.write("login", person=login.person, address=address, device=one_line(user_agent), vouched_by=by)
        return login


def named_in(value: str) -> str:
    """The user name in a header's value as WSGI gives it (UTF-8 read as Latin-1). Raises BadInput when it could be two
    names: then the header came twice."""
    try:
        text = value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        text = value
    text = unicodedata.normalize("NFC", text).strip()
    if "," in text:
        raise BadInput("The proxy names more than one person; it must set its header, not add to it.")
    return text


def _same(mine: str, theirs: str) -> bool:
    return mine == theirs or (mine.isascii() and theirs.isascii() and mine.lower() == theirs.lower())
