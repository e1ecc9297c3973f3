"""jukeboxControl: steer the player that a person made their jukebox (library.jukebox)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.subsonic.asking import Asked, Refused
from shared.subsonic.calls import Calls

if TYPE_CHECKING:
    from shared.library.jukebox import Jukebox, JukeboxState
    from shared.subsonic.telling import Telling


def calls(*, jukebox: Jukebox, telling: Telling) -> Calls:
    calls = Calls("jukebox")

    @calls.answers("jukeboxControl")
    def control(asked: Asked) -> dict[str, Any]:
        """Steer the open player that is your jukebox."""
        action, person = asked.need("action"), asked.person
        if action == "get":
            state = jukebox.state(person)
            return {"jukeboxPlaylist": {**status(state), "entry": telling.songs(person, state.track_ids)}}
        if action == "status":
            state = jukebox.state(person)
        elif action in ("set", "add"):
            # What is no track here would shift every index behind it.
            known = [one["id"] for one in telling.songs(person, asked.texts("id"))]
            state = jukebox.set(person, known) if action == "set" else jukebox.add(person, known)
        elif action == "skip":
            asked.need("index")
            state = jukebox.skip(person, asked.number("index", 0), asked.number("offset", 0) * 1000)
        elif action == "remove":
            asked.need("index")
            state = jukebox.remove(person, asked.number("index", 0))
        elif action == "setGain":
            state = jukebox.set_gain(person, gain_of(asked.need("gain")))
        elif action in ("start", "stop", "clear", "shuffle"):
            state = {"start": jukebox.start, "stop": jukebox.stop, "clear": jukebox.clear,
                     "shuffle": jukebox.shuffle}[action](person)
        else:
            raise Refused(Refused.GENERIC, f"The jukebox does not know the action {action[:20]!r}.")
        return {"jukeboxStatus": status(state)}

    return calls


def gain_of(given: str) -> float:
    try:
        return float(given)
    except ValueError:
        raise Refused(Refused.GENERIC, "The gain is a number from 0.0 to 1.0.") from None


def status(state: JukeboxState) -> dict[str, Any]:
    """`gain` is what clients know; the OpenAPI document wants a `volume` that is a whole number up to 1."""
    return {"currentIndex": max(state.index, 0), "playing": state.playing, "gain": state.gain,
            "volume": round(state.gain), "position": state.position_ms // 1000}
