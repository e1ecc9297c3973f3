"""What is playing now, on which app of whom; and when what was heard of it makes a play.

In memory: a restart forgets. Apps tell how playing goes on (`report`), or merely that something was put on (`began`).
From what they tell follows where they are by now, when they must be through, and that a track was heard: half of it, or
four minutes. It is counted when it is stopped or something else begins, once, however many ways an app has of telling
the same listening: `scrobbled` says whether a play that is told outright was counted already.
"""

from __future__ import annotations

import logging
import threading
import time
import zlib
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

from shared.events import EventBus, NowPlayingMoved
from shared.model.errors import BadInput, NotFound, SoundsibleError
from shared.model.person import Person
from shared.model.units import Milliseconds

log = logging.getLogger(__name__)

STATES = ("starting", "playing", "paused", "stopped")
ENOUGH_MS: Milliseconds = 240_000   # of a long track
GRACE_S = 60.0                      # that an app may be late at a track's end
UNKNOWN_S = 600.0                   # that a thing of unknown length is thought to play
PAUSED_S = 1800.0                   # that a pause may last
MOST = 500                          # apps that are followed; those that were silent for longest go
MOST_OF_PERSON = 20                 # of these: an app that calls itself otherwise each time drives out no others
REMEMBERED = 16                     # listenings of one app that are over and were counted
SAME_S = 60.0                       # so much may two ways of telling a moment differ
FASTEST = 10.0                      # times the usual speed

Count = Callable[[Person, str, str, float, Milliseconds, str], None]


@dataclass(slots=True)
class Playing:
    """One app's playing. Moments in Unix seconds."""

    person: Person
    client: str
    uid: str
    kind: str                       # track | episode
    duration_ms: Milliseconds       # 0: not known
    state: str
    position_ms: Milliseconds       # at `told_at`
    rate: float
    told_at: float
    began_at: float
    began_ms: Milliseconds          # the place in it where this listening began
    furthest_ms: Milliseconds
    quiet: bool = True              # nothing of it is counted
    told: bool = False              # the app tells itself that it was heard, or that was counted before

    @property
    def player_id(self) -> int:
        """The same for the same app, 31 bits."""
        return zlib.crc32(f"{self.person.token_id}\0{self.client}".encode("utf-8", "replace")) & 0x7FFFFFFF

    def position(self, now: float) -> Milliseconds:
        """Where it is by now."""
        at = self.position_ms
        if self.state == "playing":
            at += max(0, int((now - self.told_at) * 1000 * self.rate))
        return min(at, self.duration_ms) if self.duration_ms else at

    def ends_at(self) -> float:
        """When it must be over, if nothing more is heard of it."""
        if self.state == "paused":
            return self.told_at + PAUSED_S
        if not self.duration_ms:
            return self.told_at + UNKNOWN_S
        left_ms = max(0, self.duration_ms - self.position_ms)
        return self.told_at + left_ms / 1000 / max(self.rate, 0.1) + GRACE_S

    def heard(self, now: float) -> bool:
        """Whether so much of it was heard by now that it counts."""
        self.furthest_ms = max(self.furthest_ms, self.position(now))
        enough = min(self.duration_ms / 2, ENOUGH_MS) if self.duration_ms else ENOUGH_MS
        return self.furthest_ms - self.began_ms >= enough


class NowPlaying:
    """Everybody's apps. Safe from any thread.

    length_of(person, kind, uid)    of what is played, in ms; None: not known. Raises NotFound, also for what the
                                    person does not see.
    count(person, kind, uid, began_at, heard_ms, client)    something was heard
    """

    def __init__(
        self, *, events: EventBus, length_of: Callable[[Person, str, str], Milliseconds | None], count: Count,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._events = events
        self._length_of = length_of
        self._count = count
        self._clock = clock
        self._lock = threading.Lock()
        self._playing: OrderedDict[tuple[int, int, str], Playing] = OrderedDict()
        # what was counted, by app: (uid, from, until)
        self._counted: OrderedDict[tuple[int, int, str], deque[tuple[str, float, float]]] = OrderedDict()
        self._unwritten: list[Playing] = []     # counted, while the library could not be written to

    def report(
        self, person: Person, client: str, uid: str, kind: str = "track", state: str = "playing",
        position_ms: Milliseconds = 0, rate: float = 1.0, *, quiet: bool = False,
    ) -> None:
        """An app tells where it is. `quiet`: shown, but nothing of it is counted. Raises NotFound, BadInput."""
        if state not in STATES:
            raise BadInput(f"A state is {', '.join(STATES)}.", field="state")
        if not 0 < rate <= FASTEST or position_ms < 0:
            raise BadInput("This is no speed, or no place in a track.", field="rate")
        length_ms = self._length_of(person, kind, uid) or 0
        now, key = self._clock(), _key(person, client)
        position_ms = min(position_ms, length_ms) if length_ms else position_ms
        due: list[Playing] = []
        with self._lock:
            due += self._through(now)
            before = self._playing.get(key)
            news = before is None or (before.uid, before.state) != (uid, state)
            if before is not None and (before.uid != uid or (state == "starting" and before.heard(now))):
                self._end(key, before, min(now, before.ends_at()), due)
                before = None
            if before is None:
                # What is told of at its end alone was begun at its beginning.
                began_ms = 0 if state == "stopped" else position_ms
                before = Playing(person, client, uid, kind, length_ms, state, position_ms, rate, now,
                                 now - (position_ms - began_ms) / 1000 / rate, began_ms, position_ms)
                before.told = state == "stopped" and self._ended_twice(key, before)
                self._playing[key] = before
            before.state, before.position_ms, before.rate, before.told_at = state, position_ms, rate, now
            before.person = person
            before.furthest_ms = max(before.furthest_ms, position_ms)
            before.quiet = quiet
            self._playing.move_to_end(key)
            if state == "stopped":
                self._end(key, before, now, due)
            self._bound(person, due)
        self._tell(before, due, news)

    def began(self, person: Person, client: str, uid: str, kind: str = "track") -> None:
        """An app tells that something was put on, and will say when it was heard. Raises NotFound."""
        length_ms = self._length_of(person, kind, uid) or 0
        now, key = self._clock(), _key(person, client)
        due: list[Playing] = []
        with self._lock:
            due += self._through(now)
            before = self._playing.get(key)
            if before is not None and before.uid == uid and not before.quiet:
                return      # it is followed more closely already
            if before is not None:
                self._end(key, before, min(now, before.ends_at()), due)
            # The same, a moment later, is told once more and not put on once more.
            again = before is not None and before.uid == uid and now - before.began_at < SAME_S
            began_at = before.began_at if before is not None and again else now
            new = Playing(person, client, uid, kind, length_ms, "playing", 0, 1.0, now, began_at, 0, 0)
            self._playing[key] = new
            self._playing.move_to_end(key)
            self._bound(person, due)
        self._tell(new, due)

    def scrobbled(self, person: Person, client: str, uid: str, at: float | None, kind: str = "track") -> bool:
        """An app tells that something was heard, `at` (Unix seconds; None: now): whether that was counted already. If
        not, what is playing is not counted once more. The same told twice of a track is found by the records; of an
        episode, whose plays have no records of their own, here."""
        now, key = self._clock(), _key(person, client)
        moment = now if at is None else at
        with self._lock:
            one = self._playing.get(key)
            if one is not None and one.uid == uid and one.began_at - SAME_S <= moment <= now + SAME_S:
                before, one.told = one.told, True
                return before and kind == "episode" and moment <= one.ends_at() + SAME_S
            if any(known == uid and begun - SAME_S <= moment <= until + SAME_S
                   for known, begun, until in self._counted.get(key, ())):
                return True
            if kind == "episode":
                self._remember(key, uid, moment, moment)
            return False

    def playing(self, person: Person) -> list[Playing]:
        """What all apps play now, the latest first. What of it a person sees is for who shows it to say."""
        now = self._clock()
        with self._lock:
            due = self._through(now)
            found = [one for one in reversed(self._playing.values()) if one.state != "stopped"]
        self._tell(None, due)
        return found

    def minutes_ago(self, one: Playing) -> int:
        return max(0, int((self._clock() - one.told_at) // 60))

    def position_of(self, one: Playing) -> Milliseconds:
        return one.position(self._clock())

    # ---- inside, with the lock held ----------------------------------------------------------------------------

    def _through(self, now: float) -> list[Playing]:
        """End what must be over by now; those of it that count."""
        due: list[Playing] = []
        for key, one in [(key, one) for key, one in self._playing.items() if one.ends_at() <= now]:
            self._end(key, one, one.told_at, due)   # nobody said that it played on
        return due

    def _bound(self, person: Person, due: list[Playing]) -> None:
        """End what was silent for longest of too many: of this person's apps first, then of everybody's."""
        own = [key for key in self._playing if key[0] == person.user_id]
        every = list(self._playing)
        for key in (*own[:max(0, len(own) - MOST_OF_PERSON)], *every[:max(0, len(every) - MOST)]):
            if key in self._playing:
                self._end(key, self._playing[key], self._playing[key].told_at, due)

    def _end(self, key: tuple[int, int, str], one: Playing, at: float, due: list[Playing]) -> None:
        """It is over; into `due` when it counts."""
        del self._playing[key]
        if one.heard(at) and not one.quiet and not one.told:
            due.append(one)
            self._remember(key, one.uid, one.began_at, at)

    def _remember(self, key: tuple[int, int, str], uid: str, begun: float, until: float) -> None:
        self._counted.setdefault(key, deque(maxlen=REMEMBERED)).append((uid, begun, until))
        self._counted.move_to_end(key)
        while len(self._counted) > MOST:
            self._counted.popitem(last=False)

    def _ended_twice(self, key: tuple[int, int, str], one: Playing) -> bool:
        """Whether its end was told before."""
        differ_s = min(SAME_S, one.duration_ms / 2000) if one.duration_ms else SAME_S
        return any(known == one.uid and abs(begun - one.began_at) <= differ_s
                   for known, begun, _ in self._counted.get(key, ()))

    # ---- without it

    def _tell(self, moved: Playing | None, due: list[Playing], news: bool = True) -> None:
        with self._lock:
            due, self._unwritten = [*self._unwritten, *due], []
        for place, one in enumerate(due):
            try:
                self._count(one.person, one.kind, one.uid, one.began_at, one.furthest_ms - one.began_ms, one.client)
            except NotFound:        # it left the library meanwhile
                continue
            except SoundsibleError as problem:      # a full disk, a library that others hold: tried again with the next
                log.warning("%d plays cannot be written now: %s", len(due) - place, problem.message)
                with self._lock:
                    self._unwritten = [*due[place:], *self._unwritten][:MOST]
                break
            except Exception:       # the person is gone, too: nobody else is to hear of it
                log.exception("a play of %s was not counted", one.uid)
        if moved is not None:
            self._events.publish(NowPlayingMoved(
                moved.person.user_id, moved.client, moved.uid, moved.kind, moved.state, moved.position_ms, news,
                moved.began_at))


def _key(person: Person, client: str) -> tuple[int, int, str]:
    return person.user_id, person.token_id, client
