"""A station that pairs, as one process has it, and the other side of it: a device with a sync token."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from shared.records.devices import Devices as DeviceRecords
from shared.records.pairings import Pairings
from shared.security import sync_token
from shared.security.devices import Devices
from shared.security.identity import Identity, fingerprint_of, verify
from shared.security.pairing import Granted, Pairing
from tests.security.houses import PASSWORD, Clock, House, open_house

HERE = ["http://192.168.7.7:5005", "https://192.168.7.7:5005"]


@dataclass
class Pairs:
    """`house` with its pairing and devices."""

    house: House
    identity: Identity
    records: Pairings
    pairing: Pairing
    devices: Devices

    def person(self, name: str) -> Any:
        return self.house.accounts.who(self.house.accounts.login(name, PASSWORD).token)


@contextmanager
def pairs_in(folder: Path, clock: Clock, *, owner: bool = True) -> Iterator[Pairs]:
    house = open_house(folder / "library.db", clock)
    if owner:
        house.accounts.ensure_owner(("ann", PASSWORD))
    yield pairs_of(house, folder)
    house.database.close()


def pairs_of(house: House, folder: Path, *, minutes: int = 10) -> Pairs:
    identity, records = Identity(folder=folder / "identity"), Pairings(database=house.database)
    events = house.accounts._events
    return Pairs(
        house, identity, records,
        Pairing(
            pairings=records, people=house.people, accounts=house.accounts, identity=identity, events=events,
            endpoints=lambda: HERE, station=lambda: {"id": identity.fingerprint, "name": "Attic"}, minutes=minutes,
            clock=house.clock),
        Devices(records=DeviceRecords(database=house.database), people=house.people, accounts=house.accounts,
                events=events, clock=house.clock),
    )


def told(granted: Granted) -> Any:
    """What a door would make of a grant."""
    return {"token": granted.token, "device": msgspec.to_builtins(granted.device)}


@dataclass
class Program:
    """A device that proves its secret and believes nobody else than the station in its token."""

    text: str
    name: str = "kitchen"

    def __post_init__(self) -> None:
        self.token = sync_token.read(self.text)
        self.key = sync_token.pairing_key(self.token.secret)
        self.nonce = sync_token.new_nonce()

    def claim(self) -> dict[str, str]:
        return {"id": self.token.id, "nonce": self.nonce, "name": self.name, "proof": sync_token.proof_of(
            self.key, id=self.token.id, nonce=self.nonce, name=self.name, fingerprint=self.token.fingerprint)}

    def take(self, answer: dict[str, Any], public_key: str) -> Any:
        """The grant in the station's answer. Raises ValueError when it is not from the station of the token."""
        if fingerprint_of(public_key) != self.token.fingerprint:
            raise ValueError("another station")
        message = sync_token.grant_message(
            id=self.token.id, nonce=self.nonce, server_nonce=answer["server_nonce"],
            fingerprint=self.token.fingerprint, sealed=answer["sealed"])
        if not verify(public_key, message, sync_token.unb64(answer["signature"])):
            raise ValueError("not signed by the station")
        key = sync_token.grant_key(self.key, self.nonce, answer["server_nonce"])
        return json.loads(sync_token.unseal(key, sync_token.unb64(answer["sealed"])))
