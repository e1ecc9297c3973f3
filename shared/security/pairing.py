"""Pairing: somebody who is logged in makes a sync token, a new device brings it back once and gets a token of its own.

What a device may is said when the sync token is made, and is never more than who makes it may; a device that may only
listen, or listen and add, makes none. A sync token ends after minutes, with its use, and with the login that made it.
The secret in it is never stored: the database holds a key derived from it, with which a device can also prove that it
has the secret, and the station answer so that only that device can read it (sync_token).
"""

from __future__ import annotations

import hmac
import json
import logging
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from shared.events import DevicesChanged, EventBus
from shared.model.errors import BadInput, Conflict, Forbidden, NotFound
from shared.model.person import SCOPES, Person
from shared.model.units import Seconds
from shared.records.moments import shown
from shared.security import sync_token
from shared.security.accounts import DAY_S, DEVICE_DAYS, Accounts, new_token, one_line
from shared.security.audit import NO_AUDIT
from shared.security.sync_token import TokenExpired, TokenUsed, WrongToken, b64

if TYPE_CHECKING:
    from shared.records.pairings import Claimed, PairingRow, Pairings
    from shared.records.people import People
    from shared.security.audit import AuditLog
    from shared.security.throttle import Throttle

log = logging.getLogger(__name__)

MOST_OPEN = 20          # sync tokens of one person that wait to be used
MOVE_S: Seconds = 180.0     # how long a login can be taken to another address
LONGEST_NAME = 100      # characters of a device's name
_WRONG = "This sync token is not, or no longer, one of this station. Make a new one in the player (You → Devices)."
_NOBODY = "\0pairing"   # no account has this name


class Identity(Protocol):
    """Who the station is: shared.security.identity.Identity."""

    @property
    def fingerprint(self) -> str: ...

    @property
    def public_key(self) -> str: ...

    def sign(self, data: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A new sync token. `token` and `link` hold the secret and are shown this once."""

    id: str
    token: str = field(repr=False)
    link: str = field(repr=False)
    name: str
    scope: str
    expires_at: str     # RFC 3339 UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """A sync token that waits to be used."""

    id: str
    name: str
    scope: str
    created_at: str
    expires_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """What a device gets. `token` is shown this once; `expires_at` in Unix seconds."""

    token: str = field(repr=False)
    expires_at: float | None
    device: Claimed
    person: Person
    pairing_id: str
    moved: bool         # an earlier login goes on; no new device


class Pairing:
    """The sync tokens of this station.

    endpoints       its addresses, best first; asked when a token is made.
    station         the station as others name it: at least its id and name.
    """

    def __init__(
        self,
        *,
        pairings: Pairings,
        people: People,
        accounts: Accounts,
        identity: Identity,
        events: EventBus,
        endpoints: Callable[[], Sequence[str]],
        station: Callable[[], Mapping[str, str]],
        minutes: int = 10,
        throttle: Throttle | None = None,
        audit: AuditLog = NO_AUDIT,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._pairings = pairings
        self._people = people
        self._accounts = accounts
        self._identity = identity
        self._events = events
        self._endpoints = endpoints
        self._station = station
        self._valid_s = 60.0 * minutes
        self._throttle = throttle or accounts.throttle
        self._audit = audit
        self._clock = clock

    # ---- making them -------------------------------------------------------------------------------------------------

    def make(self, actor: Person, *, name: str = "", scope: str = SCOPES[0], user_id: int | None = None,
             kind: str = "device", address: str = "", here: str = "") -> Made:
        """A sync token for a device (or station) of `actor`; an owner may say for whose, by inner id.

        `here`: the address that `actor` has come to, told last. Raises Forbidden for a device that manages nobody,
        BadInput, NotFound.
        """
        if actor.scope != "own":
            raise Forbidden("This device may listen or add music, not pair others. Do it where you are logged in.")
        if scope not in SCOPES:
            raise BadInput(f"There is no scope {scope!r}: use one of {', '.join(SCOPES)}.", field="scope")
        if user_id is not None and user_id != actor.user_id and not actor.owns:
            raise Forbidden("Only an owner of this station pairs devices for somebody else.")
        made = self._make(actor, kind=kind, name=clean_name(name), scope=scope, valid_s=self._valid_s,
                          user_id=actor.user_id if user_id is None else user_id, here=here)
        self._audit.write("pairing_made", person=actor, address=address, subject=made.name, scope=scope)
        return made

    def move(self, actor: Person) -> Made:
        """A sync token with which this very login goes on at another address of the station."""
        return self._make(actor, kind="move", name="", scope=actor.scope, valid_s=MOVE_S, user_id=actor.user_id)

    def open(self, actor: Person) -> list[Open]:
        """The actor's sync tokens that wait to be used, the newest first; to the operator, everybody's."""
        _must_manage(actor)
        return [
            Open(id=one.uid, name=one.name, scope=one.scope, created_at=shown(one.created_at),
                 expires_at=shown(one.expires_at))
            for one in self._pairings.open(actor.user_id or None, now=self._clock())
        ]

    def withdraw(self, actor: Person, uid: str) -> None:
        """End a sync token before it is used. Raises NotFound."""
        _must_manage(actor)
        if not self._pairings.withdraw(uid, user_id=actor.user_id or None, now=self._clock()):
            raise NotFound("There is no such sync token that waits to be used.")

    def became(self, uid: str) -> tuple[bool, str]:
        """Whether a sync token has been used, and by which device, by name. Raises NotFound."""
        row = self._pairings.find(uid)
        if row is None:
            raise NotFound("There is no such sync token.")
        if row.used_at is None:
            return False, ""
        return True, next((one.name for one in self._people.tokens(row.user_id) if one.id == row.token_id), "")

    def _make(self, actor: Person, *, kind: str, name: str, scope: str, valid_s: Seconds, user_id: int,
              here: str = "") -> Made:
        now = self._clock()
        secret = secrets.token_bytes(sync_token.SECRET_BYTES)
        row = self._pairings.add(
            user_id=user_id, kind=kind, key=sync_token.pairing_key(secret), name=name, scope=scope,
            token_id=actor.token_id or None, now=now, expires_at=now + valid_s, most_open=MOST_OPEN,
        )
        endpoints = list(self._endpoints())
        if here and here.rstrip("/") not in endpoints:
            endpoints.append(here.rstrip("/"))
        token = sync_token.make(id=row.uid, fingerprint=self._identity.fingerprint, secret=secret,
                                name=self._station()["name"], endpoints=endpoints)
        return Made(id=row.uid, token=token, link=sync_token.link(token, endpoints[0] if endpoints else ""),
                    name=name, scope=scope, expires_at=shown(row.expires_at))

    # ---- using them --------------------------------------------------------------------------------------------------

    def claim(self, text: str, *, name: str = "", address: str = "", station: bool = False) -> Granted:
        """Use a sync token, given whole. Another `station` may only listen, whatever the token says. Raises WrongToken,
        TokenUsed, TokenExpired, TooOften, Conflict."""
        token = sync_token.read(text)
        if token.fingerprint != self._identity.fingerprint:
            raise WrongToken(f"This sync token is for another station{f', {token.name}' if token.name else ''}. "
                             "Open its link, or make a token here.")
        key = sync_token.pairing_key(token.secret)
        row = self._proved(token.id, lambda row: hmac.compare_digest(row.key, key), address)
        return self._grant(row, clean_name(name), address, station)

    def claim_by_proof(self, uid: str, *, nonce: str, proof: str, name: str = "", address: str = "",
                       station: bool = False, answer: Callable[[Granted], Any]) -> dict[str, Any]:
        """Use a sync token without saying its secret. What `answer` makes of the grant (JSON) comes back sealed.

        {id, server_nonce, sealed, signature} as sync_token tells. Raises as `claim` does, BadInput for a bad nonce.
        """
        sync_token.nonce_of(nonce)
        fingerprint = self._identity.fingerprint

        def fits(row: PairingRow) -> bool:
            right = sync_token.proof_of(row.key, id=uid, nonce=nonce, name=name, fingerprint=fingerprint)
            return hmac.compare_digest(right.encode(), proof.encode("utf-8", "replace"))

        row = self._proved(uid, fits, address)
        told = answer(self._grant(row, clean_name(name), address, station))
        server_nonce = sync_token.new_nonce()
        sealed = b64(sync_token.seal(sync_token.grant_key(row.key, nonce, server_nonce), json.dumps(told).encode()))
        signature = self._identity.sign(sync_token.grant_message(
            id=uid, nonce=nonce, server_nonce=server_nonce, fingerprint=fingerprint, sealed=sealed))
        return {"id": uid, "server_nonce": server_nonce, "sealed": sealed, "signature": b64(signature)}

    def signature(self, challenge: str) -> str:
        """The station's word that it is who its fingerprint says. Raises BadInput for a challenge of the wrong size."""
        return b64(self._identity.sign(sync_token.challenge_message(challenge)))

    def told_of_station(self) -> dict[str, str]:
        """The station as devices remember it."""
        station = self._station()
        return {"id": station["id"], "name": station["name"], "fingerprint": self._identity.fingerprint,
                "public_key": self._identity.public_key}

    def _proved(self, uid: str, fits: Callable[[PairingRow], bool], address: str) -> PairingRow:
        """The row behind a right secret. Whether a token was used or is too old is for who has its secret."""
        with self._throttle.attempt(_NOBODY, address) as attempt:
            row = self._pairings.find(uid)
            if row is not None and fits(row):
                attempt.succeeded()
        if row is None or not attempt.right:
            log.info("a wrong sync token came from %s", address or "an unknown address")
            raise WrongToken(_WRONG)
        self._must_be_open(row)
        return row

    def _must_be_open(self, row: PairingRow) -> None:
        if row.used_at is not None:
            raise TokenUsed("This sync token was used already: each is good for one device. Make a new one.")
        if row.expires_at <= self._clock():
            raise TokenExpired("This sync token is too old, or was withdrawn. Make a new one.")

    # ---- other stations ----------------------------------------------------------------------------------------------

    def is_station(self, actor: Person, fingerprint: str, *, token_id: int | None = None, uid: str = "") -> None:
        """A device of `actor`, told by its token or by the sync token it used, is the station with this fingerprint.
        It takes the place of what that station was given before."""
        if token_id is None:
            row = self._pairings.find(uid)
            if row is None or row.used_at is None or row.token_id is None:
                return
            token_id = row.token_id
        self._pairings.is_station(token_id, fingerprint)
        self._take_back(actor, [one for one in self._pairings.of_station(actor.user_id, fingerprint)
                                if one != token_id])

    def forget_station(self, actor: Person, fingerprint: str) -> None:
        """Take back whatever that station of `actor` was given here: it is out at once."""
        self._take_back(actor, self._pairings.of_station(actor.user_id, fingerprint))

    def _take_back(self, actor: Person, token_ids: list[int]) -> None:
        if token_ids:
            self._accounts.revoke(token_ids)
            self._events.publish(DevicesChanged(actor.user_id))

    # ------------------------------------------------------------------------------------------------------------------

    def _grant(self, row: PairingRow, name: str, address: str, station: bool) -> Granted:
        now = self._clock()
        token, digest = new_token()
        moved = row.kind == "move"
        if moved and station:
            raise BadInput("This sync token takes a login to another address. Make one for a station (You → Devices).",
                           field="station")
        station = station or row.kind == "station"
        device = self._pairings.move(row, hash=digest, now=now) if moved else self._pairings.claim(
            row, hash=digest, name=name or row.name or "New device",
            scope=SCOPES[0] if station else row.scope, station=station, now=now, address=address,
            expires_at=now + DEVICE_DAYS * DAY_S)
        if device is None:      # somebody was quicker, or it ended in this moment
            self._must_be_open(self._pairings.find(row.uid) or row)
            raise TokenUsed("This sync token has just been used or withdrawn. Make a new one.")
        if moved:
            self._accounts.ended([device.token_id])     # what is open for the token before
        person = self._accounts.who(token, address)
        if person is None:      # revoked, or its person removed, before it was ever used
            raise Conflict("The new device was revoked in this very moment. Make a new sync token.")
        log.info("token %s of user %s was %s", device.uid, person.id, "moved" if moved else "paired")
        self._audit.write("device_moved" if moved else "station_paired" if station else "device_paired",
                          person=person, address=address, subject=device.name, scope=device.scope)
        self._events.publish(DevicesChanged(person.user_id))
        return Granted(token=token, expires_at=device.expires_at, device=device, person=person, pairing_id=row.uid,
                       moved=moved)


def clean_name(name: str) -> str:
    """A device's name: printable, one line, short."""
    return one_line(name, LONGEST_NAME)


def _must_manage(actor: Person) -> None:
    if actor.scope != "own":
        raise Forbidden("This device may listen or add music, not look after others.")
