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
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.events import DevicesChanged, EventBus, PersonChanged, SessionsEnded
from shared.model.errors import BadInput, BadSetting, Conflict, Forbidden, NotFound, NotLoggedIn, TooOften
from shared.model.person import RIGHTS, ROLES, SCOPES, Person, rights_of
from shared.model.units import Seconds
from shared.records.moments import shown
from shared.security.audit import NO_AUDIT, AuditLog
from shared.security.passwords import Passwords, clean_password, clean_username
from shared.security.throttle import Throttle

if TYPE_CHECKING:
    from shared.records.people import Folder, People, UserRow
    from shared.security.second_factor import NewFactor, SecondFactors

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

APP = "app"     # the kind of token that app passwords are (records.app_passwords)

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
    rights: dict[str, bool] = field(default_factory=dict)           # by right: what the person may
    said: dict[str, bool | None] = field(default_factory=dict)      # what was said of this person; None: as the role
    limited: bool = False
    folders: list[dict[str, str]] = field(default_factory=list)     # {root, path}; they count while limited
    second_factor: bool = False
    identity: bool = False      # logs in through an OpenID Connect provider


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
        audit: AuditLog = NO_AUDIT,
        factors: SecondFactors | None = None,
        on_disk: Callable[[str, str], bool] = lambda root, path: False,
    ) -> None:
        """`on_disk(root, path)`: whether a music folder has this folder in it, now."""
        self._people = people
        self._audit = audit
        self._factors = factors
        self._on_disk = on_disk
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
        self._seen: dict[int, tuple[bytes, int]] = {}           # token id → (hash, whose), of those that were used here
        self._marks: dict[int, tuple[Any, ...]] | None = None   # user id → what a Person is made of, as last seen
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
                    self.look_at_people()
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
                (token_id, at, address, self._lives_until(kind, at))
                for token_id, (at, address, kind) in due.items()
            ])
        return len(due)

    def _lives_until(self, kind: str, used_at: float) -> float | None:
        """When a token ends that is not used any more; None: only when it is revoked."""
        if kind == APP:
            return None
        return used_at + (self._session_s if kind == "session" else DEVICE_DAYS * DAY_S)

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
        gone = {token_id: user_id for token_id, (digest, user_id) in seen.items() if alive.get(token_id) != digest}
        self.ended(list(gone))
        for user_id in set(gone.values()):
            self._events.publish(DevicesChanged(user_id))

    def look_at_people(self) -> None:
        """Ask anew about people whose role, rights or name another process changed, or whom it removed, and tell of
        them."""
        marks, before = self._people.marks(), self._marks
        self._marks = marks
        changed = [] if before is None else [one for one, mark in marks.items() if before.get(one, mark) != mark]
        changed += [one for one in before or () if one not in marks]
        if changed:
            self._forget()
        for user_id in changed:
            self._events.publish(PersonChanged(user_id))

    # ---- logging in ------------------------------------------------------------------------------------------------

    def login(self, username: str, password: str, address: str = "", user_agent: str = "",
              code: str | None = None) -> Login:
        """A new session for who knows the password and, where one is on, has the second factor (`code`); never one
        that the caller brought along.

        Raises NotLoggedIn (the same for a wrong name and a wrong password, and as late), TooOften, Overloaded; and
        after the right password alone SecondFactorNeeded and SecondFactorWrong, which count as failures, too.
        """
        missing: NotLoggedIn | None = None
        used = None
        try:
            with self.throttle.attempt(username, address) as attempt:
                user = self._find(username)
                right = self._passwords.fits(user.password_hash if user else None, password) and user is not None
                if right and user is not None and user.has_second_factor:
                    try:
                        used = self._second_factors().check(user, code)
                        attempt.succeeded()
                    except NotLoggedIn as problem:
                        missing = problem
                elif right:
                    attempt.succeeded()
        except TooOften:
            self._audit.write("login_locked", username=self._known(username), address=address)
            raise
        if user is None or not right:
            log.info("a login failed from %s", address or "an unknown address")
            # The name is written only when it is one: people type their password there, too.
            self._audit.write("login_failed", username=user.username if user else "", address=address)
            raise NotLoggedIn(_WRONG)
        if missing is not None:
            if code:
                self._audit.write("login_failed", username=user.username, address=address, why="second factor")
            raise missing
        if self._passwords.outdated(user.password_hash):
            user = self._renew_hash(user, password)
        login = self.begin_session(user, address, user_agent)
        if used is not None and used.recovery_left is not None:
            self._audit.write("recovery_used", person=login.person, address=address,
                              recovery_codes_left=used.recovery_left)
        else:
            self._audit.write("login", person=login.person, address=address, device=one_line(user_agent))
        return login

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
        return self._behind(hash_of(token), address, app=False)

    def behind_app(self, hash: bytes, address: str = "") -> Person | None:
        """The same for an app password, by its hash: those count at /rest alone, and nothing else counts there."""
        return self._behind(hash, address, app=True)

    def _behind(self, digest: bytes, address: str, *, app: bool) -> Person | None:
        now = self._clock()
        entry = self._remembered.get(digest)
        if entry is None or time.monotonic() >= entry.until:
            entry = self._look_up(digest, now, entry)
        if entry is None or now >= entry.expires_at or (entry.kind == APP) is not app:
            return None
        if now - entry.touched_at >= TOUCHED_S:
            entry.touched_at = now
            self._used[entry.person.token_id] = (now, address, entry.kind)
        return entry.person

    def logout(self, person: Person, address: str = "") -> None:
        """End the session that `person` speaks through."""
        self.revoke([person.token_id])
        self._audit.write("logout", person=person, address=address)

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
            if self._seen.get(token.id, (digest,))[0] != digest:    # the id of one that is gone
                self.ended([token.id])
            self._remembered[digest] = entry
            if len(self._seen) >= SEEN:
                self._seen = {}
            self._seen[token.id] = digest, user.id
        return entry

    def _find(self, username: str) -> UserRow | None:
        try:
            return self._people.find_user(clean_username(username))
        except BadInput:
            return None

    def _known(self, username: str) -> str:
        user = self._find(username)
        return user.username if user else ""

    def _second_factors(self) -> SecondFactors:
        if self._factors is None:   # an account's second factor is never passed over
            raise NotLoggedIn("This part of the station cannot check second factors: log in at the player.")
        return self._factors

    def _renew_hash(self, user: UserRow, password: str) -> UserRow:
        """Hash with today's parameters. Nothing else about the account changes."""
        renewed = self._passwords.hash(clean_password(password))
        return self._people.change_user(user.uid, password_hash=renewed, only_if_hash=user.password_hash)

    def hash_password(self, clean: str) -> str:
        """For who makes an account in a transaction of their own. Raises Overloaded."""
        return self._passwords.hash(clean)

    # ---- the own account -------------------------------------------------------------------------------------------

    def prove(self, person: Person, password: str, address: str = "", *, field: str = "password") -> UserRow:
        """The own account, by its password once more: before what a stolen session must not be able to do.

        Raises Forbidden when it is wrong or the device has limited rights, TooOften.
        """
        if person.scope != "own":
            raise Forbidden("A device with limited rights cannot change the account.")
        # Guessing through a stolen session is limited, without touching the person's own log-ins.
        with self.throttle.attempt(f"\0token {person.token_id}", address) as attempt:
            user = self._people.get_user(person.id)
            if user is not None and self._passwords.fits(user.password_hash, password):
                attempt.succeeded()
        if user is None or not attempt.right:
            raise Forbidden("The current password is wrong.", field=field)
        return user

    def change_password(self, person: Person, current: str, new: str, address: str = "") -> None:
        """Set the own password; every other session of this person ends, this one stays.

        Raises Forbidden when `current` is wrong, BadInput for a new one that is not allowed, TooOften.
        """
        clean = clean_password(new)
        user = self.prove(person, current, address, field="current")
        self._people.change_user(user.uid, password_hash=self._passwords.hash(clean))
        self._end_all(user.id, but=person.token_id, kind="session")
        log.info("the password of %s was changed", user.uid)
        self._audit.write("password_changed", person=person, address=address)

    def has_second_factor(self, person: Person) -> bool:
        user = self._people.get_user(person.id)
        return user is not None and bool(user.has_second_factor)

    def has_identity(self, person: Person) -> bool:
        """Whether somebody at the OpenID Connect provider is this account's person."""
        user = self._people.get_user(person.id)
        return user is not None and bool(user.has_identity)

    def begin_second_factor(self, person: Person, password: str, address: str = "") -> NewFactor:
        """A new secret for the own account; see SecondFactors.begin. Raises Forbidden, Conflict, TooOften."""
        self.prove(person, password, address)
        return self._second_factors().begin(person)

    def confirm_second_factor(self, person: Person, code: str, address: str = "") -> list[str]:
        """Switch it on; the recovery codes. See SecondFactors.confirm."""
        codes = self._second_factors().confirm(person, code)
        self._audit.write("second_factor_on", person=person, address=address)
        return codes

    def end_second_factor(self, person: Person, password: str, code: str, address: str = "") -> None:
        """Switch the own one off, by password and a code (or a recovery code). Raises Forbidden, WrongCode, TooOften;
        Conflict when there is none."""
        from shared.security.second_factor import WrongCode

        user = self.prove(person, password, address)
        if not user.has_second_factor:
            raise Conflict("No second factor is on.")
        try:
            self._second_factors().check(user, code)
        except NotLoggedIn as problem:      # who asks is logged in: a 401 would say that they are not
            raise WrongCode(problem.message, field="code") from None
        self._second_factors().switch_off(user.id)
        self._audit.write("second_factor_off", person=person, address=address)

    # ---- everybody's accounts: an owner's business -----------------------------------------------------------------

    def users(self, actor: Person) -> list[User]:
        """All accounts, the oldest first."""
        _must_own(actor)
        folders = self._people.folders()
        return [shown_user(one, folders.get(one.id, ())) for one in self._people.users()]

    def make_user(self, actor: Person, username: str, password: str, role: str, *,
                  rights: Mapping[str, bool | None] | None = None, limited: bool = False,
                  folders: Iterable[Folder] = (), address: str = "") -> User:
        """A new account. Raises Conflict when the name is taken or an owner would be limited, BadInput, Forbidden."""
        _must_own(actor)
        name, clean, role = clean_username(username), clean_password(password), clean_role(role)
        said, wanted = clean_rights(rights or {}), self.clean_folders(folders)
        made = self._people.make_user(name, self._passwords.hash(clean), role, said=said, limited=limited,
                                      folders=wanted, by=actor.user_id)
        log.info("user %s was made (%s)", made.uid, role)
        self._audit.write("user_made", person=actor, address=address, subject=made.username,
                          **_told(role=role, rights=said, limited=limited or None, folders=wanted))
        return self._shown(made)

    def change_user(self, actor: Person, uid: str, *, username: str | None = None, password: str | None = None,
                    role: str | None = None, rights: Mapping[str, bool | None] | None = None,
                    limited: bool | None = None, folders: Iterable[Folder] | None = None, address: str = "") -> User:
        """Change what is given; of `rights` those that are named, None meaning as the role has it. It counts at once.
        A new password, and a lower role, end that person's sessions.

        Raises Forbidden, NotFound, BadInput; Conflict for the last owner, a name that is taken, or an owner who would
        be limited or lose a right.
        """
        _must_own(actor)
        name = None if username is None else clean_username(username)
        hashed = None if password is None else self._passwords.hash(clean_password(password))
        said = None if rights is None else clean_rights(rights)
        wanted = None if folders is None else self.clean_folders(folders)
        before = self._user(uid)
        if role is not None:
            role = clean_role(role)
            if uid == actor.id and ROLES.index(role) < ROLES.index(actor.role):
                raise Forbidden("Nobody raises the own role.")
        after = self._people.change_user(uid, username=name, password_hash=hashed, role=role, said=said,
                                         limited=limited, folders=wanted, by=actor.user_id)
        self._forget()
        lowered = ROLES.index(after.role) > ROLES.index(before.role)
        if hashed is not None or lowered:
            self._end_all(before.id, but=actor.token_id if uid == actor.id and not lowered else 0)
        self._events.publish(PersonChanged(after.id))
        log.info("user %s was changed", uid)
        self._audit.write("user_changed", person=actor, address=address, subject=before.username,
                          **_told(username=name, password=hashed and True, role=role, rights=said, limited=limited,
                                  folders=wanted))
        if wanted is not None or (limited is not None and limited != before.limited):
            self._audit.write("folders_changed", person=actor, address=address, subject=after.username, hears=(
                ", ".join("/".join(one) for one in self._people.folders(after.id).get(after.id, ())) or "no folder"
            ) if after.limited else "everything")
        return self._shown(after)

    def remove_user(self, actor: Person, uid: str, address: str = "") -> None:
        """Remove an account and all that is its own. Raises Forbidden, NotFound; Conflict for the last owner."""
        _must_own(actor)
        user = self._user(uid)
        ended = self._people.token_ids(user.id)
        self._people.delete_user(uid, by=actor.user_id)
        self.ended(ended)
        self._events.publish(PersonChanged(user.id))
        log.info("user %s was removed", uid)
        self._audit.write("user_removed", person=actor, address=address, subject=user.username)

    def reset_second_factor(self, actor: Person, uid: str, address: str = "") -> User:
        """Switch off somebody else's second factor, whose phone and recovery codes are gone.

        Not the own one: a stolen session would get rid of it. Raises Forbidden, NotFound.
        """
        _must_own(actor)
        user = self._user(uid)
        if uid == actor.id:
            raise Forbidden("The own second factor is switched off with password and code, under the own account. "
                            "Without them: python3 run.py tool users second-factor NAME off.")
        self._people.set_factor(user.id, None)
        self._audit.write("second_factor_off", person=actor, address=address, subject=user.username)
        return self._shown(self._user(uid))

    def set_identity(self, actor: Person, uid: str, identity: str | None, address: str = "") -> User:
        """Connect an account with somebody at the OpenID Connect provider ("issuer subject"), or with nobody.

        Raises Forbidden, NotFound; Conflict when another account is connected with them.
        """
        _must_own(actor)
        after = self._people.set_identity(uid, identity)
        self._audit.write("user_changed", person=actor, address=address, subject=after.username,
                          identity="none" if identity is None else identity)
        return self._shown(after)

    def clean_folders(self, folders: Iterable[Folder]) -> list[Folder]:
        """`folders` in their plain form, each once. Raises BadInput for one that is not there, or leads elsewhere."""
        found: dict[Folder, None] = {}
        for root, path in folders:
            parts = [part for part in path.split("/") if part]
            if path.startswith("/") or "\0" in path or any(part in (".", "..") for part in parts):
                raise BadInput(f"{path!r} is no path beneath a music folder, like Artist/Album.", field="folders")
            plain = "/".join(parts)
            if plain and not self._people.has_music_in(root, plain) and not self._on_disk(root, plain):
                raise BadInput(f"There is no folder {plain!r} in {root}.", field="folders")
            found[root, plain] = None
        return list(found)

    def _shown(self, user: UserRow) -> User:
        return shown_user(user, self._people.folders(user.id).get(user.id, ()))

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
            return self._shown(self.make_first_owner(*given))
        except Conflict:    # another process was quicker
            return None
        except BadInput as error:
            raise BadSetting(f"The setting owner (SOUNDSIBLE_OWNER) cannot be used: {error.message}") from None

    def make_first_owner(self, username: str, password: str, address: str = "") -> UserRow:
        """The one owner of a station that has none. Raises Conflict when it has one, whoever was quicker."""
        name, clean = clean_username(username), clean_password(password)
        made = self._people.make_first_owner(name, self._passwords.hash(clean))
        log.info("the station has an owner: user %s", made.uid)
        self._audit.write("owner_made", person=person_of(made, scope="own", token_id=0), address=address)
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
                  scope=scope if scope in SCOPES else SCOPES[0], token_id=token_id, rights=rights_of(role, user.said),
                  limited=bool(user.limited) and role != "owner")


def shown_user(user: UserRow, folders: Iterable[Folder] = ()) -> User:
    rights = rights_of(user.role, user.said)
    return User(
        id=user.uid, username=user.username, role=user.role, created_at=shown(user.created_at),
        rights={right: right in rights for right in RIGHTS}, said=user.said,
        limited=bool(user.limited) and user.role != "owner",
        folders=[{"root": root, "path": path} for root, path in folders],
        second_factor=bool(user.has_second_factor), identity=bool(user.has_identity),
    )


def _must_own(actor: Person) -> None:
    if not actor.owns:
        raise Forbidden("Only an owner of this station may do that.")


def clean_role(role: str) -> str:
    if role not in ROLES:
        raise BadInput(f"There is no role {role!r}: use one of {', '.join(ROLES)}.", field="role")
    return role


def clean_rights(rights: Mapping[str, bool | None]) -> dict[str, bool | None]:
    for right in rights:
        if right not in RIGHTS:
            raise BadInput(f"There is no right {right!r}: use one of {', '.join(RIGHTS)}.", field="rights")
    return dict(rights)


def _told(**details: Any) -> dict[str, Any]:
    """What the audit log tells of a change: only what was given."""
    return {name: value for name, value in details.items() if value not in (None, [], {})}
