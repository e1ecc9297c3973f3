"""The jukebox: what a person's apps have one of their open players play.

The station makes no sound itself. A player that a person made their jukebox (on the computer at the stereo, the tablet
on the wall) follows this queue and reports where it is; apps of the same person fill and steer it. All of it is in
memory: a restart is silence. Positions between two reports are told by the clock.
"""

from __future__ import annotations

import random
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from shared.events import EventBus, JukeboxMoved
from shared.model.errors import BadInput, Conflict
from shared.model.person import Person
from shared.model.units import Milliseconds, Seconds

MOST_TRACKS = 10_000
MOST_PEOPLE = 500           # whose queues are kept
HELD_S: Seconds = 45.0      # a player that was not heard of for so long is no jukebox any more


@dataclass(frozen=True, slots=True, kw_only=True)
class JukeboxState:
    """`index` is -1 while the queue is empty; `gain` 0-1; `held`: a player is there to play it."""

    track_ids: tuple[str, ...] = ()
    index: int = -1
    playing: bool = False
    position_ms: Milliseconds = 0
    gain: float = 0.8
    held: bool = False
    turn: int = 0           # moves with every command, so that a report from before it is known as old


@dataclass(slots=True)
class _Queue:
    state: JukeboxState = field(default_factory=JukeboxState)
    moved_at: float = 0.0       # monotonic; when position_ms was so
    heard_at: float = float("-inf")
    device: str = ""


class Jukebox:
    """Every person's. Each command answers with the state after it. Raises BadInput, Conflict (nobody plays)."""

    def __init__(self, *, events: EventBus, clock: Callable[[], float] = time.monotonic) -> None:
        self._events = events
        self._clock = clock
        self._lock = threading.Lock()
        self._queues: OrderedDict[int, _Queue] = OrderedDict()

    # ---- apps

    def state(self, person: Person) -> JukeboxState:
        with self._lock:
            return self._now(self._of(person))

    def set(self, person: Person, track_ids: Sequence[str]) -> JukeboxState:
        """These tracks instead of what was in the queue."""
        _check(len(track_ids))
        return self._change(person, lambda now: replace(
            now, track_ids=tuple(track_ids), index=0 if track_ids else -1, position_ms=0,
            playing=now.playing and bool(track_ids)))

    def add(self, person: Person, track_ids: Sequence[str]) -> JukeboxState:
        """These tracks behind what is in the queue."""
        def change(now: JukeboxState) -> JukeboxState:
            _check(len(now.track_ids) + len(track_ids))
            every = (*now.track_ids, *track_ids)
            return replace(now, track_ids=every, index=max(now.index, 0) if every else -1)

        return self._change(person, change)

    def clear(self, person: Person) -> JukeboxState:
        return self.set(person, ())

    def remove(self, person: Person, index: int) -> JukeboxState:
        def change(now: JukeboxState) -> JukeboxState:
            _inside(now, index)
            rest = now.track_ids[:index] + now.track_ids[index + 1:]
            gone = index == now.index
            at = now.index - 1 if index < now.index else min(now.index, len(rest) - 1)
            return replace(now, track_ids=rest, index=at, position_ms=0 if gone else now.position_ms,
                           playing=now.playing and bool(rest))

        return self._change(person, change)

    def shuffle(self, person: Person) -> JukeboxState:
        """The queue in another order; what plays now goes on, at its beginning."""
        def change(now: JukeboxState) -> JukeboxState:
            if now.index < 0:
                return now
            others = [*now.track_ids[:now.index], *now.track_ids[now.index + 1:]]
            random.shuffle(others)
            return replace(now, track_ids=(now.track_ids[now.index], *others), index=0)

        return self._change(person, change)

    def skip(self, person: Person, index: int, position_ms: Milliseconds = 0) -> JukeboxState:
        """Go on with another track of the queue. Raises Conflict when there is no player to do so."""
        def change(now: JukeboxState) -> JukeboxState:
            _inside(now, index)
            _audible(now)
            return replace(now, index=index, position_ms=max(0, position_ms), playing=True)

        return self._change(person, change)

    def start(self, person: Person) -> JukeboxState:
        """Raises Conflict when there is no player to do so."""
        def change(now: JukeboxState) -> JukeboxState:
            _audible(now)
            return replace(now, playing=now.index >= 0)

        return self._change(person, change)

    def stop(self, person: Person) -> JukeboxState:
        return self._change(person, lambda now: replace(now, playing=False))

    def set_gain(self, person: Person, gain: float) -> JukeboxState:
        if not 0.0 <= gain <= 1.0:
            raise BadInput("The gain is a number from 0.0 to 1.0.", field="gain")
        return self._change(person, lambda now: replace(now, gain=gain))

    # ---- the player that plays

    def hold(self, person: Person, device: str) -> JukeboxState:
        """This player is the person's jukebox from now on, instead of any other. `device`: its own name for itself."""
        with self._lock:
            queue = self._of(person)
            queue.device, queue.heard_at = device, self._clock()
            state = self._now(queue)
        self._events.publish(JukeboxMoved(person.user_id, state.turn))
        return state

    def let_go(self, person: Person, device: str) -> None:
        with self._lock:
            queue = self._of(person)
            if queue.device != device:
                return
            queue.device, queue.heard_at = "", float("-inf")
            self._keep(queue, replace(self._now(queue), playing=False, held=False))
            turn = queue.state.turn
        self._events.publish(JukeboxMoved(person.user_id, turn))

    def report(self, person: Person, device: str, *, turn: int, index: int, position_ms: Milliseconds,
               playing: bool) -> JukeboxState | None:
        """Where the player is. The state it shall be in; None: another player is the jukebox now.

        A report from before the last command changes nothing.
        """
        with self._lock:
            queue = self._of(person)
            if queue.device != device:
                return None
            queue.heard_at = self._clock()
            now = self._now(queue)
            if turn == now.turn and -1 <= index < max(1, len(now.track_ids)):
                self._keep(queue, replace(now, index=index if now.track_ids else -1, playing=playing,
                                          position_ms=max(0, position_ms)), command=False)
            return self._now(queue)

    # ---- inside

    def _of(self, person: Person) -> _Queue:
        queue = self._queues.setdefault(person.user_id, _Queue())
        self._queues.move_to_end(person.user_id)
        if len(self._queues) > MOST_PEOPLE:
            self._queues.popitem(last=False)
        return queue

    def _now(self, queue: _Queue) -> JukeboxState:
        held = self._clock() - queue.heard_at < HELD_S
        state = replace(queue.state, held=held, playing=queue.state.playing and held)
        if state.playing:
            return replace(state, position_ms=state.position_ms + int((self._clock() - queue.moved_at) * 1000))
        return state

    def _keep(self, queue: _Queue, state: JukeboxState, *, command: bool = True) -> None:
        queue.state = replace(state, turn=state.turn + 1) if command else state
        queue.moved_at = self._clock()

    def _change(self, person: Person, change: Callable[[JukeboxState], JukeboxState]) -> JukeboxState:
        with self._lock:
            queue = self._of(person)
            self._keep(queue, change(self._now(queue)))
            state = self._now(queue)
        self._events.publish(JukeboxMoved(person.user_id, state.turn))
        return state


def _check(count: int) -> None:
    if count > MOST_TRACKS:
        raise BadInput(f"The jukebox takes at most {MOST_TRACKS} tracks.", field="id")


def _inside(state: JukeboxState, index: int) -> None:
    if not 0 <= index < len(state.track_ids):
        raise BadInput(f"The jukebox has {len(state.track_ids)} tracks; there is none at {index}.", field="index")


def _audible(state: JukeboxState) -> None:
    if not state.held:
        raise Conflict("No player is your jukebox now. Open the station's player where the sound shall come from, and "
                       "switch on You → Apps → Jukebox there.")
