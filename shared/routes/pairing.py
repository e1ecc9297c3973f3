"""Pair new devices: make sync tokens, claim them, and take a login to another address of the station."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from flask import Response, request
from msgspec import UNSET, UnsetType

from shared.model.errors import BadInput
from shared.model.person import Person
from shared.routes.guard import give_cookie
from shared.routes.operation import Body, Door
from shared.routes.respond import json_of
from shared.routes.session import Whom, whom
from shared.security import qr

if TYPE_CHECKING:
    from shared.security.accounts import Accounts
    from shared.security.pairing import Granted, Pairing

Scope = Literal["listen", "add", "own"]
DeviceName = Annotated[str, msgspec.Meta(max_length=200)]
Nonce = Annotated[str, msgspec.Meta(max_length=128)]


class NewToken(Body):
    """`scope`: what the device may do; `own` is all that its person may, `listen` manages nobody."""

    name: DeviceName = ""
    scope: Scope = "listen"


class SyncToken(msgspec.Struct, kw_only=True):
    """`token` is shown this once. `link` opens the player with it; `qr` is the link as an SVG picture."""

    id: str
    token: str
    link: str
    name: str
    scope: str
    expires_at: str
    qr: str


class OpenToken(msgspec.Struct, kw_only=True):
    id: str
    name: str
    scope: str
    created_at: str
    expires_at: str


class OpenTokens(msgspec.Struct, kw_only=True):
    items: list[OpenToken]
    next_cursor: str | None
    total: int
    revision: int


class MoveToken(msgspec.Struct, kw_only=True):
    token: str
    expires_at: str


class Claim(Body):
    """Either the whole `token` (with a `challenge` for the station to sign), or the `proof` of its secret.

    `station`: another station claims it, which may only listen, whatever the token says.

    key = HKDF-SHA256(secret, no salt, "soundsible pairing 1");
    proof = HMAC-SHA256(key, "claim", id, nonce, name, fingerprint, joined by zero bytes). All in base64url.
    """

    token: Annotated[str, msgspec.Meta(max_length=4000)] | None = None
    name: DeviceName = ""
    challenge: Nonce | None = None
    id: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    nonce: Nonce | None = None
    proof: Nonce | None = None
    station: bool = False


class NewDevice(msgspec.Struct, kw_only=True):
    id: str
    name: str
    scope: str


class ThisStation(msgspec.Struct, kw_only=True):
    """`signature`: over "soundsible claim 1", a zero byte, and the challenge's bytes; ECDSA P-256, r and s."""

    id: str
    name: str
    fingerprint: str
    public_key: str
    signature: str | UnsetType = UNSET


class Paired(msgspec.Struct, kw_only=True):
    """To a whole token: `token` works as `Authorization: Bearer` and is shown this once (a browser gets it as its
    cookie, too), with `expires_at`, `device` and `user`.

    To a proof: that same answer, sealed for who has the secret, with `id`, `server_nonce`, `sealed` and `signature`.
    sealed = nonce (12 bytes) and AES-256-GCM with HKDF-SHA256(key, salt nonce + server_nonce, "soundsible grant 1"),
    where key is the one that the proof was made with;
    signature over "soundsible grant 1", id, nonce, server_nonce, fingerprint, sealed, joined by zero bytes.
    """

    station: ThisStation
    token: str | UnsetType = UNSET
    expires_at: str | UnsetType | None = UNSET
    device: NewDevice | UnsetType = UNSET
    user: Whom | UnsetType = UNSET
    id: str | UnsetType = UNSET
    server_nonce: str | UnsetType = UNSET
    sealed: str | UnsetType = UNSET
    signature: str | UnsetType = UNSET


def door(*, pairing: Pairing, accounts: Accounts) -> Door:
    door = Door("pairing")

    @door.post("/pairing/tokens", allows="own_account", body=NewToken, body_optional=True, answers={201: SyncToken})
    def make_sync_token(person: Person, body: NewToken) -> SyncToken:
        """Make a sync token for a new device of the own account, good once, for some minutes."""
        made = pairing.make(person, name=body.name, scope=body.scope, address=request.remote_addr or "",
                            here=request.host_url)
        return SyncToken(id=made.id, token=made.token, link=made.link, name=made.name, scope=made.scope,
                         expires_at=made.expires_at, qr=qr.svg(made.link))

    @door.get("/pairing/tokens", allows="own_account", answers={200: OpenTokens})
    def list_sync_tokens(person: Person) -> OpenTokens:
        """The own sync tokens that wait to be used."""
        items = [OpenToken(id=one.id, name=one.name, scope=one.scope, created_at=one.created_at,
                           expires_at=one.expires_at) for one in pairing.open(person)]
        return OpenTokens(items=items, next_cursor=None, total=len(items), revision=0)

    @door.delete("/pairing/tokens/<id>", allows="own_account", answers={204: None}, errors=(404,))
    def withdraw_sync_token(person: Person, id: str) -> None:
        """End a sync token before it is used."""
        pairing.withdraw(person, id)

    # For every device: it is the same one, elsewhere.
    @door.post("/pairing/move", allows="logged_in", answers={201: MoveToken})
    def move_login(person: Person) -> MoveToken:
        """A sync token with which this very login goes on at another address of the station (from HTTP to HTTPS)."""
        made = pairing.move(person)
        return MoveToken(token=made.token, expires_at=made.expires_at)

    @door.post("/pairing/claim", allows="open", body=Claim, answers={201: Paired}, errors=(409, 410, 429))
    def claim_sync_token(body: Claim) -> Response | Paired:
        """Become a device of the station with a sync token: given whole, or proved.

        A token that is used, too old or withdrawn is answered with 410, a wrong one with 400.
        """
        address = request.remote_addr or ""
        if body.token is not None:
            if (body.id, body.nonce, body.proof) != (None, None, None):
                raise BadInput("Give the token, or the proof of it, not both.", field="proof")
            signature = UNSET if body.challenge is None else pairing.signature(body.challenge)
            return begin(pairing.claim(body.token, name=body.name, address=address, station=body.station), signature)
        if body.id is None or body.nonce is None or body.proof is None:
            raise BadInput("A sync token is missing: give it as 'token', or id, nonce and proof.", field="token")
        sealed = pairing.claim_by_proof(
            body.id, nonce=body.nonce, proof=body.proof, name=body.name, address=address,
            station=body.station, answer=lambda granted: msgspec.to_builtins(paired(granted)))
        return Paired(station=ThisStation(**pairing.told_of_station()), **sealed)

    def paired(granted: Granted, signature: str | UnsetType = UNSET) -> Paired:
        device = granted.device
        return Paired(
            token=granted.token, expires_at=accounts.expiry_of(granted.expires_at)[0],
            device=NewDevice(id=device.uid, name=device.name, scope=device.scope),
            station=ThisStation(**pairing.told_of_station(), signature=signature), user=whom(granted.person),
        )

    def begin(granted: Granted, signature: str | UnsetType) -> Response:
        answer = json_of(paired(granted, signature), 201)
        if _from_our_page():
            give_cookie(answer, granted.token, accounts.expiry_of(granted.expires_at)[1])
        return answer

    return door


def _from_our_page() -> bool:
    """Whether a browser asks; the guard has seen to it that its page is one of the station's."""
    return "Origin" in request.headers or request.headers.get("Sec-Fetch-Site") == "same-origin"
