"""The jukebox as the player sees it: be the one that plays, say where it is. Apps steer it over /rest."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from shared.model.errors import Conflict
from shared.model.person import Person
from shared.routes.operation import Body, Door, Query

if TYPE_CHECKING:
    from shared.library.jukebox import Jukebox, JukeboxState

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class Player(Body):
    """`device`: what this player calls itself, the same as long as it is open."""

    device: Name


class Going(Query):
    device: Name


class Where(Body):
    """`turn`: of the state that the player has last heard of."""

    device: Name
    turn: Annotated[int, msgspec.Meta(ge=0)]
    index: Annotated[int, msgspec.Meta(ge=-1, le=100_000)]
    position_ms: Annotated[int, msgspec.Meta(ge=0, le=2**40)]
    playing: bool


class Told(msgspec.Struct, kw_only=True):
    track_ids: list[str]
    index: int
    playing: bool
    position_ms: int
    gain: float
    held: bool
    turn: int


def door(*, jukebox: Jukebox) -> Door:
    door = Door("jukebox")

    @door.get("/jukebox", allows="logged_in", answers={200: Told})
    def state(person: Person) -> dict[str, Any]:
        """What your jukebox plays, and whether a player is there to do so (`held`)."""
        return told(jukebox.state(person))

    @door.put("/jukebox/player", allows="logged_in", body=Player, answers={200: Told})
    def hold(person: Person, body: Player) -> dict[str, Any]:
        """Be the jukebox: this player plays what apps tell it, instead of any other of yours."""
        return told(jukebox.hold(person, body.device))

    @door.delete("/jukebox/player", allows="logged_in", query=Going, answers={204: None})
    def let_go(person: Person, query: Going) -> None:
        """Be the jukebox no longer."""
        jukebox.let_go(person, query.device)

    @door.post("/jukebox/report", allows="logged_in", body=Where, answers={200: Told}, errors=(409,))
    def report(person: Person, body: Where) -> dict[str, Any]:
        """Say where the player is, at least every 30 s; the state it shall be in. 409: another one is the jukebox now.

        Whenever the jukebox was told something, `jukebox:changed {turn}` comes over Socket.IO.
        """
        state = jukebox.report(person, body.device, turn=body.turn, index=body.index, position_ms=body.position_ms,
                               playing=body.playing)
        if state is None:
            raise Conflict("Another player is your jukebox now.")
        return told(state)

    return door


def told(state: JukeboxState) -> dict[str, Any]:
    made = asdict(state)
    made["track_ids"] = list(state.track_ids)
    return made
