"""Declare what a call of /rest is named, who may, and what answers it.

    calls = Calls("browsing")

    @calls.answers("getAlbum")
    def get_album(asked: Asked) -> dict[str, Any]: ...      # {"album": {…}}

The deed gets the call and gives the envelope's content, None for an empty one, or a Flask Response of its own (sound,
pictures). It raises Refused, or any SoundsibleError, which is told in the protocol's numbers.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Response

from shared.routes.operation import RULES
from shared.subsonic.asking import Asked

Deed = Callable[[Asked], Mapping[str, Any] | Response | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One method of the protocol."""

    name: str
    deed: Deed
    room: str
    allows: str = "logged_in"       # a word of routes.operation.RULES; "open": without login
    extension: str = ""             # the OpenSubsonic extension it belongs to
    declined: bool = False          # this station does not do that, and says so
    summary: str = ""


class Calls:
    """The calls of one room."""

    def __init__(self, room: str) -> None:
        self.room = room
        self.all: list[Call] = []

    def answers(self, *names: str, allows: str = "logged_in", extension: str = "",
                declined: bool = False) -> Callable[[Deed], Deed]:
        """The decorated deed answers these calls."""
        if allows not in RULES:
            raise ValueError(f"{names} allow {allows!r}, which is no rule")

        def take(deed: Deed) -> Deed:
            summary = inspect.cleandoc(deed.__doc__ or "").partition("\n")[0].rstrip(".")
            self.all += [Call(name=name, deed=deed, room=self.room, allows=allows, extension=extension,
                              declined=declined, summary=summary) for name in names]
            return deed

        return take


def by_name(rooms: Iterable[Calls]) -> dict[str, Call]:
    """Every call by its name. Raises ValueError for one that two rooms answer."""
    found: dict[str, Call] = {}
    for calls in rooms:
        for call in calls.all:
            if call.name in found:
                raise ValueError(f"{call.name} is answered by {found[call.name].room} and by {call.room}")
            found[call.name] = call
    return found
