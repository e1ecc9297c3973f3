"""Accounts: who may log in, who is behind a token, and who may change whom.

A token is 256 random bits; only its SHA-256 is stored. Who is behind it is remembered for two seconds. A token that
is revoked counts no more at once; one that another process revoked (the command line) half a second later, when the
thread of this room has seen it, and tells whoever holds sockets or streams open for it. Nothing is written while a
request is answered: when a token was last used is kept in batches, by the same thread.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from shared.events import EventBus, SessionsEnded
from shared.model.errors import BadInput, BadSetting, Conflict, Forbidden, NotFound, NotLoggedIn
from shared.model.person import ROLES, SCOPES, Person
from shared.model.units import Seconds
from shared.records.moments import shown
from shared.security.passwords import Passwords, clean_password, clean_username
from shared.security.throttle import Throttle

if TYPE_CHECKING:
    from shared.records.people import People, UserRow

log = logging.getLogger(__name__)

DAY_S: Seconds = 86_400.0
REMEMBERED_S: Seconds = 2.0     # how long the answer of `who` may be old
REMEMBERED = 4096               # tokens whose answer is remembered
SEEN = 65_536                   # tokens in use that are looked after; more than a house full of people can have
TOUCHED_S: Seconds = 60.0       # a token's last use is written this seldom
LOOK_S: Seconds = 0.3           # so often the background thread asks whether another process changed something
ROUND_S: Seconds = 5.0          # so often it looks at all tokens in use in any case: some run out
WRITE_S: Seconds = 30.0         # so often uses are written
DEVICE_DAYS = 365               # a device that is not used for so long has to be paired again
LONGEST_TOKEN = 256             # characters; longer ones are not looked at
SESSIONS = 200                  # of one person; the least recently used end first

# Who works on the machine itself, with the data folder in hand, is an owner without an account.
OPERATOR = Person(user_id=0, id="", username="", role="owner")

_WRONG = "The user name or the password is wrong."


class Login(NamedTuple):
    """A new session. `token` is shown this once; `expires_at` in Unix seconds, None: never."""

    token: str
    expires_at: float | None
    person: Person


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """The public user."""

    id: str
    username: str
    role: str
    created_at: str     # RFC 3339 UTC


@dataclass(slots=True)
class _Remembered:
    person: Person
    kind: str
    until: float            # monotonic
    expires_at: float       # Unix seconds
    touched_at: float       # when its last use was written, Unix seconds


class Accounts:
    """People, their passwords and their tokens."""

    def __init__(
        self,
        *,
        people: People,
        throttle: Throttle,
        events: EventBus,
        session_days: int = 90,
        passwords: Passwords | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._people = people
        self.throttle = throttle
        self._events = events
        self._session_s = session_days * DAY_S
        self._passwords = passwords or Passwords()
        self._clock = clock
        # Read and written without a lock, one whole entry at a time: asked for every request. `_turn` moves with
        # every revocation, so that an answer read before it is not remembered after it.
        self._remembered: dict[bytes, _Remembered] = {}
        self._turn = 0
        self._used: dict[int, tuple[float, str, str]] = {}      # token id → (when, address, kind), not yet written
        self._seen: dict[int, bytes] = {}                       # token id → hash, of those that were used here
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    # ---- the background --------------------------------------------------------------------------------------------

    def start(self) -> None:
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="accounts", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(2)
            self._thread = None
        self.write_uses()

    def _run(self) -> None:
        version, looked_at = -1, float("-inf")
        written_at = time.monotonic()
        while not self._stop.wait(LOOK_S):
            now = time.monotonic()
            try:
                found = self._people.data_version()
                if found != version or now - looked_at >= ROUND_S:
                    self.end_revoked()
                    version, looked_at = found, now
                if now - written_at >= WRITE_S:
                    written_at = now
                    self.write_uses()
            except Exception:  # the edge of this thread: the next round tries again
                log.exception("the round through the sessions failed")
                self._stop.wait(ROUND_S)

    def write_uses(self) -> int:
        """Write when tokens were last used, in one transaction; sessions that are used live on. How many."""
        due, self._used = self._used, {}
        if due:
            self._people.touch_tokens([
                (token_id, at, address, at + (self._session_s if kind == "session" else DEVICE_DAYS * DAY_S))
                for token_id, (at, address, kind) in due.items()
            ])
        return len(due)

    def used(self, token_id: int) -> tuple[float, str] | None:
        """When (Unix seconds) and from where a token was last used, if that is not written yet."""
        found = self._used.get(token_id)
        return None if found is None else found[:2]

    def end_revoked(self) -> None:
        """Tell of the tokens that other processes revoked or that ran out, so that their sockets end."""
        seen = dict(self._seen)
        if not seen:
            return
        alive = self._people.live_tokens(list(seen), now=self._clock())
        self.ended([token_id for token_id, digest in seen.items() if alive.get(token_id) != digest])

    # ---- logging in ------------------------------------------------------------------------------------------------

    def login(self, username: str, password: str, address: str = "", user_agent: str = "") -> Login:
        """A new session for who knows the password; never one that the caller brought along.

        Raises NotLoggedIn (the same for a wrong name and a wrong password, and as late), TooOften, Overloaded.
        """
        with self.throttle.attempt(username, address) as attempt:
            user = self._find(username)
            if self._passwords.fits(user.password_hash if user else None, password) and user is not None:
                attempt.succeeded()
        if user is None or not attempt.right:
            log.info("a login failed from %s", address or "an unknown address")
            raise NotLoggedIn(_WRONG)
        if self._passwords.outdated(user.password_hash):
            user = self._renew_hash(user, password)
        return self.begin_session(user, address, user_agent)

    def begin_session(self, user: UserRow, address: str = "", user_agent: str = "") -> Login:
        """A session for `user`, whose password was just checked."""
        now = self._clock()
        token, digest = new_token()
        try:
            token_id = self._people.add_token(
                user_id=user.id, kind="session", hash=digest, name=one_line(user_agent), scope="own",
                expires_at=now + self._session_s, last_address=address,
            )
        except NotFound:    # removed while the password was being checked
            raise NotLoggedIn(_WRONG) from None
        # The password may have been changed while it was being checked.
        found = self._people.find_token(digest)
        if found is None or found[1].password_hash != user.password_hash:
            self._people.revoke_tokens([token_id])
            raise NotLoggedIn(_WRONG)
        if len(self._people.token_ids(user.id, kind="session")) > SESSIONS:
            self.ended(self._people.trim_tokens(user.id, kind="session", keep=SESSIONS, now=now))
        return Login(token, now + self._session_s, person_of(found[1], scope="own", token_id=token_id))

    def expiry_of(self, expires_at: float | None) -> tuple[str | None, int | None]:
        """(as RFC 3339 UTC, seconds from now) for an answer and its cookie."""
        if expires_at is None:
            return None, None
        return shown(expires_at), max(0, int(expires_at - self._clock()))

    def who(self, token: str, address: str = "") -> Person | None:
        """The person behind `token` now, or None. A dictionary look-up; every two seconds one query."""
        if not token or len(token) > LONGEST_TOKEN:
            return None
        digest = hash_of(token)
        now = self._clock()
        entry = self._remembered.get(digest)
        if entry is None or time.monotonic() >= entry.until:
            entry = self._look_up(digest, now, entry)
        if entry is None or now >= entry.expires_at:
            return None
        if now - entry.touched_at >= TOUCHED_S:
            entry.touched_at = now
            self._used[entry.person.token_id] = (now, address, entry.kind)
        return entry.person

    def logout(self, person: Person) -> None:
        """End the session that `person` speaks through."""
        self.revoke([person.token_id])

    def _look_up(self, digest: bytes, now: float, before: _Remembered | None) -> _Remembered | None:
        turn = self._turn
        found = self._people.find_token(digest)
        if found is None:
            if before is not None:      # another process revoked it
                self.ended([before.person.token_id])
            return None
        token, user = found
        entry = _Remembered(
            person=person_of(user, scope=token.scope, token_id=token.id),
            kind=token.kind,
            until=time.monotonic() + REMEMBERED_S,
            expires_at=float("inf") if token.expires_at is None else token.expires_at,
            touched_at=max(before.touched_at if before else 0.0, token.last_used_at or 0.0),
        )
        if turn == self._turn and now < entry.expires_at:
            if len(self._remembered) >= REMEMBERED:
                self._remembered = {}
            if self._seen.get(token.id, digest) != digest:  # the id of one that is gone
                self.ended([token.id])
            self._remembered[digest] = entry
            if len(self._seen) >= SEEN:
                self._seen = {}
            self._seen[token.id] = digest
        return entry

    def _find(self, username: str) -> UserRow | None:
        try:
            return self._people.find_user(clean_username(username))
        except BadInput:
            return None

    def _renew_hash(self, user: UserRow, password: str) -> UserRow:
        """Hash with today's parameters. Nothing else about the account changes."""
        renewed = self._passwords.hash(clean_password(password))
        return self._people.change_user(user.uid, password_hash=renewed, only_if_hash=user.password_hash)

    # ---- the own account -------------------------------------------------------------------------------------------

    def change_password(self, person: Person, current: str, new: str, address: str = "") -> None:
        """Set the own password; every other session of this person ends, this one stays.

        Raises Forbidden when `current` is wrong, BadInput for a new one that is not allowed, TooOften.
        """
        if person.scope != "own":
            raise Forbidden("A device with limited rights cannot change the password.")
        clean = clean_password(new)
        # Guessing through a stolen session is limited, without touching the person's own log-ins.
        with self.throttle.attempt(f"\0token {person.token_id}", address) as attempt:
            user = self._people.find_user(person.username)
            if (user is not None and user.uid == person.id
                    and self._passwords.fits(user.password_hash, current)):
                attempt.succeeded()
        if user is None or not attempt.right:
            raise Forbidden("The current password is wrong.", field="current")
        self._people.change_user(user.uid, password_hash=self._passwords.hash(clean))
        self._end_all(user.id, but=person.token_id, kind="session")
        log.info("the password of %s was changed", user.uid)

    # ---- everybody's accounts: an owner's business -----------------------------------------------------------------

    def users(self, actor: Person) -> list[User]:
        """All accounts, the oldest first."""
        _must_own(actor)
        return [shown_user(one) for one in self._people.users()]

    def make_user(self, actor: Person, username: str, password: str, role: str) -> User:
        """A new account. Raises Conflict when the name is taken, BadInput, Forbidden."""
        _must_own(actor)
        name, clean, role = clean_username(username), clean_password(password), _role(role)
        made = self._people.make_user(name, self._passwords.hash(clean), role)
        log.info("user %s was made (%s)", made.uid, role)
        return shown_user(made)

    def change_user(self, actor: Person, uid: str, *, username: str | None = None, password: str | None = None,
                    role: str | None = None) -> User:
        """Change what is given. A new password, and a lower role, end that person's sessions.

        Raises Forbidden, NotFound, BadInput; Conflict for the last owner or a name that is taken.
        """
        _must_own(actor)
        name = None if username is None else clean_username(username)
        hashed = None if password is None else self._passwords.hash(clean_password(password))
        before = self._user(uid)
        if role is not None:
            role = _role(role)
            if uid == actor.id and ROLES.index(role) < ROLES.index(actor.role):
                raise Forbidden("Nobody raises the own role.")
        after = self._people.change_user(uid, username=name, password_hash=hashed, role=role)
        self._forget()
        lowered = ROLES.index(after.role) > ROLES.index(before.role)
        if hashed is not None or lowered:
            self._end_all(before.id, but=actor.token_id if uid == actor.id and not lowered else 0)
        log.info("user %s was changed", uid)
        return shown_user(after)

    def remove_user(self, actor: Person, uid: str) -> None:
        """Remove an account and all that is its own. Raises Forbidden, NotFound; Conflict for the last owner."""
        _must_own(actor)
        user = self._user(uid)
        ended = self._people.token_ids(user.id)
        self._people.delete_user(uid)
        self.ended(ended)
        log.info("user %s was removed", uid)

    def _user(self, uid: str) -> UserRow:
        user = self._people.get_user(uid)
        if user is None:
            raise NotFound("There is no such user.")
        return user

    # ---- the first owner -------------------------------------------------------------------------------------------

    def owned(self) -> bool:
        """Whether this station has an owner."""
        return self._people.count_owners() > 0

    def ensure_owner(self, given: tuple[str, str] | None) -> User | None:
        """On the first start, make the owner that the settings name; None when there is nothing to do."""
        if given is None or self.owned():
            return None
        try:
            return shown_user(self.make_first_owner(*given))
        except Conflict:    # another process was quicker
            return None
        except BadInput as error:
            raise BadSetting(f"The setting owner (SOUNDSIBLE_OWNER) cannot be used: {error.message}") from None

    def make_first_owner(self, username: str, password: str) -> UserRow:
        """The one owner of a station that has none. Raises Conflict when it has one, whoever was quicker."""
        name, clean = clean_username(username), clean_password(password)
        made = self._people.make_first_owner(name, self._passwords.hash(clean))
        log.info("the station has an owner: user %s", made.uid)
        return made

    # ---- endings ---------------------------------------------------------------------------------------------------

    def _end_all(self, user_id: int, *, but: int = 0, kind: str | None = None) -> None:
        self.revoke([one for one in self._people.token_ids(user_id, kind=kind) if one != but])

    def revoke(self, token_ids: list[int]) -> None:
        """Remove these tokens, whose ever they are: who may do that was asked before."""
        if token_ids:
            self._people.revoke_tokens(token_ids)
        self.ended(token_ids)

    def ended(self, token_ids: list[int]) -> None:
        """These tokens count no more: forget them here, tell whoever holds something open for them."""
        if not token_ids:
            return
        self._forget()
        for token_id in token_ids:
            self._seen.pop(token_id, None)
            self._used.pop(token_id, None)
        self._events.publish(SessionsEnded(tuple(token_ids)))

    def _forget(self) -> None:
        self._turn += 1
        self._remembered = {}


# ---- small pure parts --------------------------------------------------------------------------------------------


def new_token() -> tuple[str, bytes]:
    """A token and the hash that is stored of it."""
    token = secrets.token_urlsafe(32)
    return token, hash_of(token)


def hash_of(token: str) -> bytes:
    # A plain hash is enough: nobody guesses 256 random bits. And the look-up by hash tells nothing by its time.
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def one_line(text: str, most: int = 200) -> str:
    """`text` as a name for people: printable, one line, short."""
    return "".join(one if one.isprintable() else " " for one in text[:most]).strip()


def person_of(user: UserRow, *, scope: str, token_id: int) -> Person:
    role = user.role if user.role in ROLES else ROLES[-1]
    return Person(user_id=user.id, id=user.uid, username=user.username, role=role,
                  scope=scope if scope in SCOPES else SCOPES[0], token_id=token_id)


def shown_user(user: UserRow) -> User:
    return User(id=user.uid, username=user.username, role=user.role, created_at=shown(user.created_at))


def _must_own(actor: Person) -> None:
    if not actor.owns:
        raise Forbidden("Only an owner of this station may do that.")


def _role(role: str) -> str:
    if role not in ROLES:
        raise BadInput(f"There is no role {role!r}: use one of {', '.join(ROLES)}.", field="role")
    return role
