"""App passwords: what programs that speak the OpenSubsonic API log in with, each its own, named and revocable.

That protocol's usual login is md5(password + salt), which nobody can check who keeps only a hash. So the account's
password is never taken there; a program gets a random one, which stands sealed (vault) in the database. It is a token
like those of devices (scope, last use, revoked at once, also by another process), and counts at /rest alone.

Right ones are never kept waiting, however many wrong ones came: 120 random bits are not guessed, and a forgotten
program with an old one must not lock out the others of its household. Wrong ones are counted per account and address
(throttle), apart from log-ins with passwords.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlencode

from shared.events import DevicesChanged, EventBus, PersonChanged, SessionsEnded
from shared.model.errors import BadInput, Forbidden, NotFound, NotLoggedIn, TooOften
from shared.model.person import SCOPES, Person
from shared.security.accounts import hash_of, one_line
from shared.security.audit import NO_AUDIT
from shared.security.passwords import clean_username, fold_username
from shared.security.throttle import Throttle
from shared.vault import SealedElsewhere

if TYPE_CHECKING:
    from shared.records.app_passwords import AppPasswordRow, SealedSecret
    from shared.records.app_passwords import AppPasswords as Records
    from shared.records.people import People
    from shared.security.accounts import Accounts
    from shared.security.audit import AuditLog
    from shared.vault import Vault

log = logging.getLogger(__name__)

# Crockford's digits: no i, l, o, u. What people read wrongly is read right.
DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
_READ = str.maketrans({"o": "0", "i": "1", "l": "1", "-": None, " ": None})
LENGTH, GROUP = 24, 4           # digits of 5 bits; so many stand together
LONGEST_NAME = 100
LONGEST = 256                   # characters of what a program brings; longer ones are not looked at
USUAL = 8                       # app passwords of one person that are tried at least, made-up ones among them
REMEMBERED = 256                # people whose app passwords are known in memory
_WRONG = ("The user name or the app password is wrong. The account's own password does not count here: make an app "
          "password in the player (You → Apps), or with: tool app-password create.")
_NOBODYS = "0" * LENGTH
_BY_KEY = "\0key"               # no account has this name


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A new one. `secret` and `link` are shown this once."""

    id: str
    name: str
    scope: str
    username: str
    secret: str = field(repr=False)     # as people read it: groups with hyphens
    server: str                         # the address for the program
    servers: tuple[str, ...]            # all of the station's, the best first
    link: str = field(repr=False)       # a page of the station; what the program needs stands behind its #


class AppPasswords:
    """Makes, lists, revokes and recognises them.

    endpoints   the station's addresses, best first.
    """

    def __init__(self, *, records: Records, people: People, accounts: Accounts, vault: Vault, events: EventBus,
                 endpoints: Callable[[], Sequence[str]], throttle: Throttle | None = None,
                 audit: AuditLog = NO_AUDIT) -> None:
        self._records = records
        self._people = people
        self._accounts = accounts
        self._vault = vault
        self._events = events
        self._endpoints = endpoints
        self._throttle = throttle or Throttle()
        self._audit = audit
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Sequence[tuple[str, bytes]]] = OrderedDict()  # folded name → (secret, hash)
        events.subscribe(SessionsEnded, lambda event: self._forget())
        events.subscribe(PersonChanged, lambda event: self._forget())

    # ---- looking after them ----------------------------------------------------------------------------------------

    def create(self, actor: Person, name: str, *, scope: str = "own", user_id: int | None = None, address: str = "",
               here: str = "") -> Made:
        """A new one for `actor`; the operator says for whom, by inner id. `here`: the address that `actor` came to.

        Raises Forbidden for a device that manages nobody, BadInput, NotFound, Conflict for too many.
        """
        _must_manage(actor)
        whose = actor.user_id if user_id is None else user_id
        if whose != actor.user_id and not actor.owns:
            raise Forbidden("Only an owner of this station makes app passwords for somebody else.")
        if scope not in SCOPES:
            raise BadInput(f"There is no scope {scope!r}: use one of {', '.join(SCOPES)}.", field="scope")
        secret = new_secret()
        row = self._records.add(whose, name=clean_name(name), scope=scope, hash=hash_of(secret),
                                sealed=self._vault.seal(secret))
        self._forget(row.username)
        self._audit.write("app_password_made", person=actor, address=address, subject=row.name, scope=scope,
                          **_of(actor, row))
        self._events.publish(DevicesChanged(row.user_id))
        servers = self._servers(here)
        server, shown = servers[0] if servers else "", in_groups(secret)
        told = urlencode({"server": server, "username": row.username, "password": shown})
        return Made(id=row.uid, name=row.name, scope=scope, username=row.username, secret=shown, server=server,
                    servers=tuple(servers), link=f"{server}/connect#{told}")

    def list(self, actor: Person, *, user_id: int | None = None) -> Sequence[AppPasswordRow]:
        """The actor's, the last used first; to the operator everybody's, or those of `user_id`. Raises Forbidden."""
        _must_manage(actor)
        return [self._fresh(one) for one in self._records.list(actor.user_id or user_id)]

    def revoke(self, actor: Person, uid: str, address: str = "") -> AppPasswordRow:
        """It counts no more, and what is on its way to its program ends. Raises NotFound, Forbidden."""
        _must_manage(actor)
        row = self._records.find(uid, user_id=actor.user_id or None)
        if row is None:
            raise NotFound("There is no such app password.")
        self._accounts.revoke([row.id])
        self._audit.write("app_password_revoked", person=actor, address=address, subject=row.name, **_of(actor, row))
        self._events.publish(DevicesChanged(row.user_id))
        return row

    def of(self, person: Person) -> AppPasswordRow | None:
        """The one that `person` speaks through, if it is one."""
        return next((one for one in self._records.list(person.user_id) if one.id == person.token_id), None)

    # ---- recognising them ------------------------------------------------------------------------------------------

    def by_key(self, key: str, *, address: str) -> Person:
        """Who is behind an app password alone. Raises NotLoggedIn, TooOften."""
        person = self._behind(key, address)
        if person is None:
            self._wrong(_BY_KEY, address)
        return person

    def by_password(self, username: str, password: str, *, address: str) -> Person:
        """Who is behind a name and an app password. Raises NotLoggedIn, TooOften."""
        person = self._behind(password, address)
        if person is None or not _same_name(person, username):
            self._wrong(username, address)
        return person

    def by_digest(self, username: str, digest: str, salt: str, *, address: str) -> Person:
        """The same from md5(password + salt), in hexadecimal. Raises NotLoggedIn, TooOften."""
        folded = _folded(username)
        if folded and max(len(digest), len(salt)) <= LONGEST:
            given, behind = digest.lower().encode("utf-8", "replace"), salt.encode("utf-8", "surrogatepass")
            tried: set[bytes] = set()
            for known in (self._known.get(folded, ()), None):
                # None: not among those in memory; it may have been made a moment ago, by another process.
                for secret, hash in self._learn(folded) if known is None else known:
                    if hash not in tried and _fits(secret, behind, given):
                        person = self._accounts.behind_app(hash, address)
                        if person is not None and _same_name(person, username):
                            return person
                    tried.add(hash)
            for _ in range(len(tried), USUAL):  # who has an account here, and apps, is not told by the time it takes
                _fits(_NOBODYS, behind, given)
        self._wrong(username, address)

    def _behind(self, given: str, address: str) -> Person | None:
        secret = canonical(given) if len(given) <= LONGEST else ""
        return self._accounts.behind_app(hash_of(secret), address) if len(secret) == LENGTH else None

    def _wrong(self, username: str, address: str) -> NoReturn:
        # The name is written only when it is one, as for log-ins with passwords.
        user = self._people.find_user(username) if _folded(username) else None
        known = "" if user is None else user.username
        try:
            with self._throttle.attempt(f"\0app {username}", address):
                pass
        except TooOften:
            self._audit.write("login_locked", username=known, address=address, why="app password")
            raise
        log.info("a login with an app password failed from %s", address or "an unknown address")
        self._audit.write("login_failed", username=known, address=address, why="app password")
        raise NotLoggedIn(_WRONG)

    # ---- what is known in memory -----------------------------------------------------------------------------------

    def _learn(self, folded: str) -> Sequence[tuple[str, bytes]]:
        """The (secret, hash) of one person as they are now. Opening one costs ten times what trying it does."""
        opened = {hash: secret for secret, hash in self._known.get(folded, ())}
        found = [(secret, one.hash) for one in self._records.secrets_of(folded)
                 if (secret := opened.get(one.hash) or self._opened(one))]
        with self._lock:
            self._known.pop(folded, None)
            if found:
                self._known[folded] = found
                while len(self._known) > REMEMBERED:
                    self._known.popitem(last=False)
        return found

    def _opened(self, one: SealedSecret) -> str:
        try:
            return self._vault.open(one.sealed)
        except SealedElsewhere:     # it still counts as a key or password: by its hash
            return ""

    def _forget(self, username: str | None = None) -> None:
        with self._lock:
            if username is None:
                self._known.clear()
            else:
                self._known.pop(fold_username(username), None)

    def _servers(self, here: str) -> Sequence[str]:
        """Where a program may be told to go, the best first."""
        found = [one.rstrip("/") for one in self._endpoints()]
        if here and here.rstrip("/") not in found:
            found.append(here.rstrip("/"))
        return found

    def _fresh(self, row: AppPasswordRow) -> AppPasswordRow:
        """With a use that is known here and not written yet."""
        used = self._accounts.used(row.id)
        if used is None or (row.last_used_at is not None and used[0] <= row.last_used_at):
            return row
        return replace(row, last_used_at=used[0], last_address=used[1] or row.last_address)


# ---- small pure parts ----------------------------------------------------------------------------------------------


def new_secret() -> str:
    return "".join(secrets.choice(DIGITS) for _ in range(LENGTH))


def canonical(given: str) -> str:
    """What a person or program gave in the one spelling that is kept."""
    return given.strip().lower().translate(_READ)


def in_groups(secret: str) -> str:
    """As it is shown, and may be given: in groups, with hyphens."""
    return "-".join(secret[at:at + GROUP] for at in range(0, len(secret), GROUP))


def clean_name(name: str) -> str:
    return one_line(name, LONGEST_NAME) or "An app"


def _fits(secret: str, salt: bytes, digest: bytes) -> bool:
    """Whether `digest` is the MD5 of `secret` and `salt`, with or without the hyphens."""
    found = False
    for spelt in (in_groups(secret), secret):
        made = hashlib.md5(spelt.encode("ascii") + salt, usedforsecurity=False).hexdigest()    # nosec B324  # the protocol's
        found |= hmac.compare_digest(made.encode("ascii"), digest)
    return found


def _folded(username: str) -> str:
    """The form by which names are the same; "" for what cannot be one."""
    try:
        return fold_username(clean_username(username))
    except BadInput:
        return ""


def _same_name(person: Person, username: str) -> bool:
    return fold_username(person.username) == _folded(username)


def _of(actor: Person, row: AppPasswordRow) -> dict[str, str]:
    return {} if row.user_id == actor.user_id else {"of": row.username}


def _must_manage(actor: Person) -> None:
    if actor.scope != "own":
        raise Forbidden("This device may listen or add music, not look after app passwords.")
