"""The devices and sessions of an account: which there are, when and from where they were used, and their end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from flask import request

from shared.model.person import Person
from shared.records.moments import shown
from shared.routes.operation import Body, Door, Query
from shared.security.devices import DEVICE, SESSION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.security.devices import Devices as HeldDevices
    from shared.security.devices import Held


class Whose(Query):
    """`user`: a user's id, or `all`, for an owner; else the own."""

    user: Annotated[str, msgspec.Meta(max_length=64)] | None = None


class NewName(Body):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class Holder(msgspec.Struct, kw_only=True):
    id: str
    username: str


class Device(msgspec.Struct, kw_only=True):
    """`kind`: a device, another station, or the session of a browser. `current`: the one that asks. It ends by itself
    at `expires_at`, unless it is used."""

    id: str
    name: str
    kind: Literal["device", "station", "session"]
    scope: str
    created_at: str
    last_used_at: str | None
    last_address: str | None
    expires_at: str | None
    current: bool
    user: Holder


class Devices(msgspec.Struct, kw_only=True):
    items: list[Device]
    next_cursor: str | None
    total: int
    revision: int


class BrowserSession(Device, kw_only=True):
    """A log-in with a password. `user_agent`: what the browser calls itself; `name`: that in words."""

    user_agent: str


class Sessions(msgspec.Struct, kw_only=True):
    items: list[BrowserSession]
    next_cursor: str | None
    total: int
    revision: int


def door(*, devices: HeldDevices) -> Door:
    door = Door("devices")

    @door.get("/devices", allows="logged_in", query=Whose, answers={200: Devices}, errors=(403, 404))
    def list_devices(person: Person, query: Whose) -> Devices:
        """The paired devices, the last used first; a device with limited rights sees itself alone."""
        items = [_device(one) for one in devices.list(person, DEVICE, query.user)]
        return Devices(items=items, next_cursor=None, total=len(items), revision=0)

    @door.patch("/devices/<id>", allows="own_account", body=NewName, answers={200: Device}, errors=(404,))
    def rename_device(person: Person, id: str, body: NewName) -> Device:
        """Give a device another name."""
        return _device(devices.rename(person, id, body.name))

    # For every device: it may take itself off.
    @door.delete("/devices/<id>", allows="logged_in", answers={204: None}, errors=(404,))
    def revoke_device(person: Person, id: str) -> None:
        """Revoke a device: its token counts no more, and what it is playing ends at once."""
        devices.end(person, DEVICE, id, request.remote_addr or "")

    @door.get("/sessions", allows="own_account", query=Whose, answers={200: Sessions}, errors=(403, 404))
    def list_sessions(person: Person, query: Whose) -> Sessions:
        """Where the account is logged in with its password, the last used first."""
        items = [_session(one) for one in devices.list(person, SESSION, query.user)]
        return Sessions(items=items, next_cursor=None, total=len(items), revision=0)

    @door.delete("/sessions/<id>", allows="own_account", answers={204: None}, errors=(404,))
    def end_session(person: Person, id: str) -> None:
        """End a session; what it is playing ends at once."""
        devices.end(person, SESSION, id, request.remote_addr or "")

    @door.delete("/sessions", allows="own_account", answers={204: None})
    def end_other_sessions(person: Person) -> None:
        """End all sessions of the own account but this one."""
        devices.end_others(person, request.remote_addr or "")

    return door


def _device(held: Held) -> Device:
    return Device(**_fields(held), name=held.row.name)


def _session(held: Held) -> BrowserSession:
    return BrowserSession(**_fields(held), name=browser_of(held.row.name), user_agent=held.row.name)


def _fields(held: Held) -> dict[str, Any]:
    row = held.row
    return {
        "id": row.uid, "kind": "station" if row.station else row.kind, "scope": row.scope,
        "created_at": shown(row.created_at),
        "last_used_at": None if row.last_used_at is None else shown(row.last_used_at),
        "last_address": row.last_address or None,
        "expires_at": None if row.expires_at is None else shown(row.expires_at), "current": held.current,
        "user": Holder(id=row.user_uid, username=row.username),
    }


# The first that is found: many browsers name others, too.
_BROWSERS = (("Edg", "Edge"), ("OPR/", "Opera"), ("Vivaldi", "Vivaldi"), ("SamsungBrowser", "Samsung Internet"),
             ("Firefox", "Firefox"), ("FxiOS", "Firefox"), ("CriOS", "Chrome"), ("Chromium", "Chromium"),
             ("Chrome", "Chrome"), ("Safari", "Safari"), ("curl", "curl"), ("Python", "a Python program"))
_SYSTEMS = (("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"),
            ("CrOS", "ChromeOS"), ("Mac OS X", "macOS"), ("Macintosh", "macOS"), ("Linux", "Linux"))


def browser_of(user_agent: str) -> str:
    """What a browser calls itself, in words: Firefox on Linux."""
    browser = _first(_BROWSERS, user_agent)
    system = _first(_SYSTEMS, user_agent)
    if browser and system:
        return f"{browser} on {system}"
    return browser or system or "An unknown program"


def _first(known: Sequence[tuple[str, str]], text: str) -> str:
    return next((name for mark, name in known if mark in text), "")
