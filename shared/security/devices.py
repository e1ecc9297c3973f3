"""Devices and sessions: who sees them, names them, and ends them at once.

Everybody looks after their own; an owner after everybody's. A device that may only listen, or listen and add, manages
nobody: it sees itself, and may end itself. What is not yours is not there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from shared.events import DevicesChanged, EventBus
from shared.model.errors import BadInput, Forbidden, NotFound
from shared.model.person import Person
from shared.security.audit import NO_AUDIT
from shared.security.pairing import clean_name

if TYPE_CHECKING:
    from shared.records.devices import DeviceRow
    from shared.records.devices import Devices as DeviceRecords
    from shared.records.people import People
    from shared.security.accounts import Accounts
    from shared.security.audit import AuditLog

DEVICE, SESSION = "device", "session"
EVERYBODY = "all"
_GONE = {DEVICE: "There is no such device.", SESSION: "There is no such session."}
_DEED = {DEVICE: "device_revoked", SESSION: "session_ended"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A device or session as `actor` sees it."""

    row: DeviceRow
    current: bool       # the one that asks


class Devices:
    """Looks after the tokens of devices and sessions."""

    def __init__(self, *, records: DeviceRecords, people: People, accounts: Accounts, events: EventBus,
                 audit: AuditLog = NO_AUDIT, clock: Callable[[], float] = time.time) -> None:
        self._records = records
        self._people = people
        self._accounts = accounts
        self._events = events
        self._audit = audit
        self._clock = clock

    def list(self, actor: Person, kind: str, whose: str | None = None) -> Sequence[Held]:
        """Those of `whose` (a user's id, or "all"; None: the actor's own), the last used first.

        To the operator, who has none, None means all. Raises Forbidden, NotFound.
        """
        if whose in (None, actor.id):
            user_id = actor.user_id or None
        elif not actor.owns:
            raise Forbidden("Only an owner of this station sees the devices of others.")
        elif whose == EVERYBODY:
            user_id = None
        else:
            user = self._people.get_user(whose or "")
            if user is None:
                raise NotFound("There is no such user.")
            user_id = user.id
        found = self._records.list(kind, user_id=user_id, now=self._clock())
        if actor.scope != "own":
            found = [one for one in found if one.id == actor.token_id]
        return [Held(row=self._fresh(one), current=one.id == actor.token_id) for one in found]

    def get(self, actor: Person, kind: str, uid: str) -> Held:
        """One that `actor` may see. Raises NotFound."""
        found = self._records.find(kind, uid, user_id=None if actor.owns else actor.user_id)
        if found is None or (actor.scope != "own" and found.id != actor.token_id):
            raise NotFound(_GONE[kind])
        return Held(row=self._fresh(found), current=found.id == actor.token_id)

    def rename(self, actor: Person, uid: str, name: str) -> Held:
        """Give a device another name. Raises NotFound, BadInput, Forbidden."""
        if actor.scope != "own":
            raise Forbidden("This device may listen or add music, not look after devices.")
        held = self.get(actor, DEVICE, uid)
        clean = clean_name(name)
        if not clean:
            raise BadInput("A device needs a name that can be seen.", field="name")
        if not self._records.rename(held.row.id, held.row.uid, clean):
            raise NotFound(_GONE[DEVICE])
        self._events.publish(DevicesChanged(held.row.user_id))
        return replace(held, row=replace(held.row, name=clean))

    def end(self, actor: Person, kind: str, uid: str, address: str = "") -> Held:
        """Revoke a device, or end a session: its token counts no more, its sockets and streams end. Raises NotFound."""
        held = self.get(actor, kind, uid)
        self._accounts.revoke([held.row.id])
        self._told(actor, [held], address)
        return held

    def end_others(self, actor: Person, address: str = "") -> int:
        """End all sessions of the actor but the one that asks. How many."""
        if actor.scope != "own":
            raise Forbidden("This device may listen or add music, not look after sessions.")
        others = [one for one in self.list(actor, SESSION) if not one.current]
        self._accounts.revoke([one.row.id for one in others])
        self._told(actor, others, address)
        return len(others)

    def _told(self, actor: Person, held: Sequence[Held], address: str) -> None:
        for one in held:
            self._audit.write(_DEED[one.row.kind], person=actor, address=address, subject=one.row.name,
                              **({} if one.row.user_id == actor.user_id else {"of": one.row.username}))
        for user_id in {one.row.user_id for one in held}:
            self._events.publish(DevicesChanged(user_id))

    def _fresh(self, row: DeviceRow) -> DeviceRow:
        """With a use that is known here and not written yet."""
        used = self._accounts.used(row.id)
        if used is None or (row.last_used_at is not None and used[0] <= row.last_used_at):
            return row
        return replace(row, last_used_at=used[0], last_address=used[1] or row.last_address)
