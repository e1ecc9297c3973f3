"""Invitations: an owner makes a link, and who opens it makes an account, once.

What the account may and sees is said when the invitation is made. The link's code is 160 random bits, of which only the
hash is stored. It ends with its use, after days, when an owner withdraws it, and when who made it is an owner no more:
somebody who was shut out leaves no way in behind.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.model.errors import BadInput, Conflict, Forbidden, NotFound
from shared.model.person import RIGHTS, Person, rights_of
from shared.records.moments import shown
from shared.security.accounts import DAY_S, Accounts, Login, clean_rights, clean_role, one_line
from shared.security.audit import NO_AUDIT
from shared.security.passwords import clean_password, clean_username
from shared.security.sync_token import TokenExpired, TokenUsed, WrongToken

if TYPE_CHECKING:
    from shared.records.invitations import InvitationRow
    from shared.records.invitations import Invitations as InvitationRecords
    from shared.records.people import Folder
    from shared.security.audit import AuditLog
    from shared.security.throttle import Throttle

log = logging.getLogger(__name__)

CODE_BYTES = 20         # 160 bits; 32 letters and digits
LONGEST_NAME = 100      # characters of whom it is for
KEPT_S = 30 * DAY_S     # that one was used, or ran out, is shown so long
_NOBODY = "\0invitation"    # no account has this name
_WRONG = "This invitation is not, or no longer, one of this station. Ask who invited you for a new link."


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """As owners see it. `state`: open, used, expired, or ended (who made it is an owner no more)."""

    id: str
    name: str           # whom it is for
    role: str
    rights: dict[str, bool]
    said: dict[str, bool | None]
    limited: bool
    folders: list[dict[str, str]]
    state: str
    created_by: str
    created_at: str     # RFC 3339 UTC
    expires_at: str
    used_at: str | None
    used_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A new one. `code` and `link` are shown this once."""

    invitation: Invitation
    code: str = field(repr=False)
    link: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """What a link says to who opens it."""

    station: str
    name: str
    role: str
    expires_at: str


class Invitations:
    """endpoints(): where the station is reached from elsewhere, best first; station(): its name among others."""

    def __init__(
        self,
        *,
        records: InvitationRecords,
        accounts: Accounts,
        throttle: Throttle,
        days: int = 7,
        endpoints: Callable[[], Sequence[str]] = tuple,
        station: Callable[[], Mapping[str, str]] = dict,
        audit: AuditLog = NO_AUDIT,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._records = records
        self._accounts = accounts
        self._throttle = throttle
        self._days = days
        self._endpoints = endpoints
        self._station = station
        self._audit = audit
        self._clock = clock

    # ---- for owners ------------------------------------------------------------------------------------------------

    def make(self, actor: Person, role: str, *, name: str = "", rights: Mapping[str, bool | None] | None = None,
             limited: bool = False, folders: Iterable[Folder] = (), address: str = "") -> Made:
        """A new one. Raises Forbidden, BadInput; Conflict for an owner who would be limited, or too many."""
        self._must_own(actor)
        role, said, wanted = clean_role(role), clean_rights(rights or {}), self._accounts.clean_folders(folders)
        if role == "owner" and (limited or False in said.values()):
            raise Conflict("An owner may do and see everything: invite this person with another role.")
        if wanted and not limited:
            raise BadInput("Folders are named for somebody who is limited to them: say limited, too.", field="folders")
        code = base64.b32encode(secrets.token_bytes(CODE_BYTES)).decode("ascii").lower()
        self._records.prune(self._clock() - KEPT_S)
        row = self._records.add(
            hash=hash_of(code), created_by=actor.user_id, role=role, name=one_line(name, LONGEST_NAME), said=said,
            limited=limited, folders=wanted, expires_at=self._clock() + self._days * DAY_S,
        )
        log.info("invitation %s was made (%s)", row.uid, role)
        self._audit.write("invited", person=actor, address=address, subject=row.name, role=role, id=row.uid)
        at = next(iter(self._endpoints()), "")
        return Made(invitation=self._shown(row), code=code, link=f"{at}/#/invite/{code}")

    def list(self, actor: Person) -> Sequence[Invitation]:
        """All, the newest first; those that are over for a month."""
        self._must_own(actor)
        return [self._shown(row) for row in self._records.list()]

    def withdraw(self, actor: Person, uid: str, address: str = "") -> None:
        """It counts no more; an account that it made stays. Raises Forbidden, NotFound."""
        self._must_own(actor)
        row = self._records.get(uid)
        self._records.remove(uid)
        self._audit.write("invitation_withdrawn", person=actor, address=address, subject=row.name, id=uid)

    # ---- for who is invited ----------------------------------------------------------------------------------------

    def look(self, code: str, address: str = "") -> Welcome:
        """What the link says. Raises WrongToken, TokenUsed, TokenExpired, TooOften."""
        row = self._good(code, address)
        return Welcome(station=self._station().get("name", ""), name=row.name, role=row.role,
                       expires_at=shown(row.expires_at))

    def accept(self, code: str, username: str, password: str, address: str = "", user_agent: str = "") -> Login:
        """Make the account and log in. Of two at once one wins.

        Raises WrongToken, TokenUsed, TokenExpired, TooOften; Conflict when the name is taken and BadInput for a name
        or password that is not allowed: then the invitation stays good.
        """
        row = self._good(code, address)     # before the dear hash
        name, clean = clean_username(username), clean_password(password)
        hashed = self._accounts.hash_password(clean)
        user = self._records.accept(hash_of(code), username=name, password_hash=hashed, now=self._clock())
        if user is None:
            raise TokenUsed("This invitation has just been used or withdrawn. Ask who invited you for a new link.")
        log.info("invitation %s made user %s", row.uid, user.uid)
        login = self._accounts.begin_session(user, address, user_agent)
        self._audit.write("invitation_accepted", person=login.person, address=address, subject=row.name,
                          role=row.role, id=row.uid, invited_by=row.created_by)
        return login

    def _good(self, code: str, address: str) -> InvitationRow:
        """One that can be accepted. Raises WrongToken, TokenUsed, TokenExpired, TooOften."""
        row = None
        with self._throttle.attempt(_NOBODY, address) as attempt:
            try:
                row = self._records.find(hash_of(code))
                attempt.succeeded()
            except NotFound:
                pass
        if row is None or not row.owned:
            raise WrongToken(_WRONG)
        if row.used_at is not None:
            raise TokenUsed("This invitation was used already: each makes one account. If it was you, log in.")
        if row.expires_at <= self._clock():
            raise TokenExpired("This invitation is too old. Ask who invited you for a new link.")
        return row

    def _shown(self, row: InvitationRow) -> Invitation:
        rights = rights_of(row.role, row.said)
        if row.used_at is not None:
            state = "used"
        elif not row.owned:
            state = "ended"
        else:
            state = "open" if row.expires_at > self._clock() else "expired"
        return Invitation(
            id=row.uid, name=row.name, role=row.role, rights={one: one in rights for one in RIGHTS}, said=row.said,
            limited=row.limited, folders=[{"root": root, "path": path} for root, path in row.folders], state=state,
            created_by=row.created_by, created_at=shown(row.created_at), expires_at=shown(row.expires_at),
            used_at=None if row.used_at is None else shown(row.used_at), used_by=row.used_by,
        )

    @staticmethod
    def _must_own(actor: Person) -> None:
        if not actor.owns:
            raise Forbidden("Only an owner of this station may do that.")


def hash_of(code: str) -> bytes:
    # As for tokens: nobody guesses 160 random bits, and the look-up by hash tells nothing by its time.
    return hashlib.sha256(code.strip().lower()[:256].encode("utf-8", "surrogatepass")).digest()
