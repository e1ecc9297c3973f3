"""Music that goes with other music, from what is known: how it sounds where that was listened to, and tags and habits.

The sounds are compared by a worker process of their own (library.neighbours): the station itself holds no matrix, and
the process ends when nobody has asked for a while.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from shared.model.errors import SoundsibleError
from shared.model.person import Person
from shared.model.sound import ENOUGH
from shared.model.units import Seconds
from shared.ports import Workers
from shared.records.likeness import AlbumFacts, ArtistFacts, Seed
from shared.records.likeness import Likeness as Records
from shared.records.sounds import Sounds

log = logging.getLogger(__name__)

LOOKED_S: Seconds = 30.0        # so long it is remembered whether enough of the library is known
SEEDS = 5                       # tracks of an album or artist whose neighbours are looked for
TIMEOUT_S: Seconds = 30.0
MOST = 500                      # tracks an answer has
LONGEST = 100                   # of a way
NOT_SUPPORTED = -1.0            # a likeness that is not told by the sound


class Match(NamedTuple):
    """likeness: 0 to 1, or NOT_SUPPORTED."""

    uid: str
    likeness: float


class Likeness:
    """hear_now(uid): has a track listened to at once, if that can be; whether it then is known."""

    def __init__(
        self, *, records: Records, sounds: Sounds, workers: Workers, database: Path, folder: Path,
        hear_now: Callable[[str], bool] = lambda uid: False, clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._records = records
        self._sounds = sounds
        self._workers = workers
        self._database, self._folder = str(database), str(folder)
        self._hear_now = hear_now
        self._clock = clock
        self._lock = threading.Lock()
        self._looked: tuple[str, float, bool] | None = None

    # ---- by everything that is known

    def similar(self, person: Person, uid: str, limit: int) -> list[str]:
        """Tracks that go with a track, an album or an artist, the best first. Raises NotFound."""
        seed = self._records.seed(person, uid)
        limit = min(limit, MOST)
        return self._records.similar(person, seed, limit, sounds=self._sounding(person, seed, limit))

    def similar_artists(self, person: Person, uid: str, limit: int) -> list[str]:
        """Artists whose music goes with it, the best first. Raises NotFound."""
        seed = self._records.seed(person, uid)
        return self._records.similar_artists(person, seed, min(limit, MOST), sounds=self._sounding(person, seed, 100))

    def top(self, person: Person, artist_uid: str, limit: int) -> list[str]:
        """See records.likeness."""
        return self._records.top(person, artist_uid, min(limit, MOST))

    def artist_named(self, person: Person, name: str) -> str | None:
        return self._records.artist_named(person, name)

    def artist_of(self, person: Person, uid: str) -> ArtistFacts | None:
        return self._records.artist_of(person, uid)

    def album_of(self, person: Person, uid: str) -> AlbumFacts | None:
        return self._records.album_of(person, uid)

    # ---- by their sound

    def known(self) -> bool:
        """Whether enough of the library is known by its sound for comparing to make sense. Looked at now and then."""
        stamp, now = self._sounds.stamp(), self._clock()
        if not stamp:
            return False
        looked = self._looked
        if looked is None or now - looked[1] > LOOKED_S:
            with self._lock:
                looked = self._looked
                if looked is None or now - looked[1] > LOOKED_S:
                    coverage = self._sounds.coverage()
                    looked = self._looked = (
                        stamp, now, coverage.known >= 2 and coverage.known >= ENOUGH * coverage.tracks)
        return looked[2]

    def sounding_like(self, person: Person, uid: str, limit: int) -> list[Match]:
        """Tracks that sound like a track, the most alike first. Where its sound is not to be had, tracks that go with
        it by tags, with a likeness of -1. Raises NotFound, also for what is no track."""
        seed = self._track(person, uid)
        limit = min(limit, MOST)
        if not limit:
            return []
        if not self._ensure(person, [uid]):
            return [Match(one, NOT_SUPPORTED) for one in self._records.similar(person, seed, limit)]
        return self._shown(person, self._workers.run(
            "shared.library.neighbours:near", self._database, self._folder, self._sounds.stamp(), [seed.id],
            limit + 10, self._sounds.seen(person), timeout_s=TIMEOUT_S))[:limit]

    def path(self, person: Person, first: str, last: str, limit: int) -> list[Match]:
        """A way from one track to another in steps that are small to the ear, both among them, and how much each sounds
        like the first. Where their sound is not to be had, the two alone, with a likeness of -1. Raises NotFound."""
        ends = [self._track(person, one) for one in (first, last)]
        if limit < 2 and first != last:
            limit = 2
        found = None
        if self._ensure(person, [first, last]):
            found = self._workers.run(
                "shared.library.neighbours:path", self._database, self._folder, self._sounds.stamp(), ends[0].id,
                ends[1].id, min(limit, LONGEST), self._sounds.seen(person), timeout_s=TIMEOUT_S)
        if found is None:
            return [Match(one, NOT_SUPPORTED) for one in dict.fromkeys((first, last))]
        return self._shown(person, found)

    # ---- inside

    def _track(self, person: Person, uid: str) -> Seed:
        return self._records.seed(person, uid, kinds=("track",))

    def _ensure(self, person: Person, uids: list[str]) -> bool:
        """Whether the sound of all these tracks is known, if need be by listening now."""
        missing = [one for one in dict.fromkeys(uids) if one not in self._sounds.known(person, uids)]
        try:
            return all(self._hear_now(one) for one in missing)
        except SoundsibleError as error:
            log.warning("a track cannot be listened to now: %s", error.message)
            return False

    def _shown(self, person: Person, found: list[tuple[int, float]]) -> list[Match]:
        """What a person still sees of what was found."""
        uids = self._sounds.uids(person, [one for one, _ in found])
        return [Match(uids[one], round(likeness, 4)) for one, likeness in found if one in uids]

    def _sounding(self, person: Person, seed: Seed, limit: int) -> dict[int, float] | None:
        """How much tracks sound like some of the seed's, by inner id; None where too little is known."""
        if not self.known():
            return None
        step = max(1, len(seed.own) // SEEDS)
        try:
            found = self._workers.run(
                "shared.library.neighbours:near", self._database, self._folder, self._sounds.stamp(),
                list(seed.own[::step][:SEEDS]), 4 * limit + 100, self._sounds.seen(person), timeout_s=TIMEOUT_S)
        except SoundsibleError as error:        # tags are better than nothing
            log.warning("the sounds cannot be compared now: %s", error.message)
            return None
        return dict(found)
