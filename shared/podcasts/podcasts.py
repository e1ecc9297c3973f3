"""What people do with podcasts, and the thread that looks at their feeds.

A feed is asked every few hours, a little earlier or later each time so that not all come at once; one that fails is
left alone for an hour, then two, four …, a day at most, and its reason is shown. What is new joins the list; the newest
few are fetched when somebody wants them kept.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr  # nosec B406  # it writes XML; nothing is read with it

from shared.events import EventBus, PodcastsChanged
from shared.model.download import Failure
from shared.model.errors import Conflict, NotFound, SoundsibleError
from shared.model.person import Person
from shared.model.podcast import EpisodeSound, EpisodeWhole, Podcast
from shared.model.units import Seconds
from shared.podcasts import cleaning
from shared.podcasts.feeds import Feeds
from shared.podcasts.fetching import Episodes
from shared.podcasts.relaying import Relayed, Relays

if TYPE_CHECKING:
    from shared.records.podcasts import Podcasts as Records
    from shared.records.podcasts import TakenIn

log = logging.getLogger(__name__)

WAKE_S: Seconds = 60.0              # the clock is looked at so often at least
FIRST_S: Seconds = 30.0             # after the start, when the station has enough to do
APART_S = (0.3, 2.0)                # between two looks, at random: many may be due at once
SPREAD = 0.1                        # the times of feeds wander by this part
BACK_OFF_S: Seconds = 3600.0        # after a failure; twice as long after each further one
LONGEST_BACK_OFF_S: Seconds = 86_400.0
MOST_KEPT = 100                     # episodes of one podcast that are fetched by themselves
REFRESHED_S: Seconds = 60.0         # a feed is not asked more often than that, however often people wish


class Podcasts:
    """records: records.podcasts.Podcasts. `start` and `stop` are the station's; the rest is for any thread."""

    def __init__(
        self, *, records: Records, feeds: Feeds, episodes: Episodes, relays: Relays, events: EventBus, hours: int,
        clock: Callable[[], float] = time.time, first_s: Seconds = FIRST_S,
        apart_s: tuple[float, float] = APART_S,
    ) -> None:
        self.records = records
        self.episodes = episodes
        self._feeds = feeds
        self._relays = relays
        self._events = events
        self._every_s = hours * 3600.0
        self._clock = clock
        self._first_s = first_s
        self._apart_s = apart_s
        self._failed: dict[str, int] = {}       # podcast → failures in a row
        self._busy: set[str] = set()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    # ---- start and stop

    def start(self) -> None:
        """Go on with what was being fetched, and look at feeds from now on."""
        if self._thread is None:
            self.episodes.recover()
            self._ending.clear()
            self._thread = threading.Thread(target=self._run, name="podcasts", daemon=True)
            self._thread.start()

    def stop(self, timeout_s: Seconds = 1.0) -> None:
        """Look no more. A look under way ends by itself."""
        self._ending.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
            self._thread = None

    # ---- feeds

    def add(self, person: Person, url: str, *, keep: int = 0) -> Podcast:
        """Follow a feed; it is read at once, so that what is no feed is refused. Also takes the address of a page that
        names its feed, and one without https:// in front. Raises Failure, Conflict."""
        url, answer = self._feeds.found_at(cleaning.with_scheme(url.strip()))
        if answer.feed is None:
            raise Failure("not_audio", "The feed's server does not give it.")
        uid = self.records.add(person.user_id, url, title=answer.feed.title, keep=keep, now=self._clock())
        now = self._clock()
        self.records.take_in(uid, answer.feed, now=now, next_at=now + self._next_s(), etag=answer.etag,
                             modified=answer.modified)
        self._fetch_newest(uid)
        self._events.publish(PodcastsChanged(uid))
        return self.records.get(person, uid)

    def change(self, person: Person, uid: str, *, keep: int) -> Podcast:
        """Raises NotFound."""
        self.records.change(uid, keep=keep)
        self._fetch_newest(uid)
        self._events.publish(PodcastsChanged(uid))
        return self.records.get(person, uid)

    def remove(self, uid: str) -> None:
        """Follow it no more; its files go. Raises NotFound."""
        running = self.records.remove(uid)
        self.episodes.forget(uid, running)
        self._failed.pop(uid, None)
        self._events.publish(PodcastsChanged(uid))

    def refresh(self) -> None:
        """Look at all feeds soon, but for those that were looked at a moment ago."""
        self.records.hurry(self._clock(), least_s=REFRESHED_S)
        self._wake.set()

    def image_url(self, uid: str) -> str:
        """Where the picture of a podcast, or of an episode, is. Raises NotFound when there is none."""
        url = self.records.image_url(uid)
        if not url:
            raise NotFound("There is no picture of this podcast.")
        return url

    # ---- OPML

    def opml(self, person: Person) -> str:
        """All feeds, as other programs take them in."""
        lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<opml version="2.0">',
                 "  <head><title>Podcasts</title></head>", "  <body>"]
        for one in self.records.every(person):
            home = f" htmlUrl={quoteattr(one.link)}" if one.link else ""
            name = quoteattr(one.title)
            lines.append(f'    <outline type="rss" text={name} title={name} xmlUrl={quoteattr(one.url)}{home}/>')
        return "\n".join([*lines, "  </body>", "</opml>", ""])

    def take_opml(self, person: Person, text: str) -> list[dict[str, Any]]:
        """Follow all feeds that an OPML file names; they are read one after the other, later. [{url, title, status:
        added | there | failed, id, reason}]. Raises UnreadableFile."""
        told: list[dict[str, Any]] = []
        known: set[str] = set()
        for one in self._feeds.opml(text):
            url = one["url"]
            if url in known:
                continue
            known.add(url)
            row: dict[str, Any] = {"url": url, "title": one["title"], "status": "added", "id": None, "reason": None}
            try:
                if not cleaning.link(url):
                    raise Failure("bad_link", "This is not a web link.")
                self._feeds.check_shape(url)
                row["id"] = self.records.add(person.user_id, url, title=one["title"], now=self._clock())
            except Conflict as conflict:
                row |= {"status": "there" if "id" in conflict.details else "failed",
                        "id": conflict.details.get("id"), "reason": conflict.message}
            except SoundsibleError as error:
                row |= {"status": "failed", "reason": error.message}
            told.append(row)
        if any(one["status"] == "added" for one in told):
            self._events.publish(PodcastsChanged(""))
            self._wake.set()
        return told

    # ---- episodes

    def download(self, person: Person, uid: str) -> None:
        """Raises NotFound, Failure."""
        self.episodes.fetch(uid, person.user_id)

    def sound_of(self, uid: str) -> EpisodeSound:
        """See fetching.Episodes.sound_of."""
        return self.episodes.sound_of(uid)

    def entries(self, person: Person, uids: list[str] | tuple[str, ...]) -> dict[str, EpisodeWhole]:
        """Those of `uids` that are episodes."""
        return self.records.wholes(person, uids)

    def relay(self, uid: str, *, range: str | None = None, head: bool = False) -> Relayed:
        """An episode from where it lies, for one that is not fetched. Raises NotFound, Failure, Overloaded."""
        wish = self.records.wish(uid)
        return self._relays.open(wish.url, range=range, head=head)

    # ---- looking at feeds

    def look(self, uid: str) -> TakenIn | None:
        """Look at one feed now: what changed, None when nothing did or somebody else is looking. What goes wrong is
        written down and not raised, but for NotFound."""
        with self._lock:
            if uid in self._busy:
                return None
            self._busy.add(uid)
        try:
            return self._look(uid)
        finally:
            with self._lock:
                self._busy.discard(uid)

    def _look(self, uid: str) -> TakenIn | None:
        due = self.records.one(uid)
        try:
            # What was never read whole is asked for whole.
            fresh = due.status != "new"
            answer = self._feeds.look(due.url, etag=due.etag if fresh else "", modified=due.modified if fresh else "")
        except SoundsibleError as error:
            self._failed[uid] = count = self._failed.get(uid, 0) + 1
            wait_s = max(min(BACK_OFF_S * 2 ** (min(count, 10) - 1), LONGEST_BACK_OFF_S),
                         getattr(error, "retry_after_s", None) or 0)
            now = self._clock()
            self.records.looked(uid, now=now, next_at=now + _spread(wait_s), error=error.message)
            self._events.publish(PodcastsChanged(uid))
            return None
        self._failed.pop(uid, None)
        now = self._clock()
        taken = None
        if answer.feed is None:
            self.records.looked(uid, now=now, next_at=now + self._next_s())
        else:
            taken = self.records.take_in(uid, answer.feed, now=now, next_at=now + self._next_s(), etag=answer.etag,
                                         modified=answer.modified)
            if taken.new or taken.changed or taken.removed or due.status != "completed":
                self._events.publish(PodcastsChanged(uid))
        self._fetch_newest(uid)
        return taken

    def _fetch_newest(self, uid: str) -> None:
        for wish in self.records.lacking(uid):
            try:
                self.episodes.fetch(wish.uid, wish.user_id)
            except SoundsibleError as error:
                log.info("an episode of %s is not fetched: %s", wish.podcast_title, error.message)
                return

    def _next_s(self) -> Seconds:
        return _spread(self._every_s)

    def _run(self) -> None:
        self._ending.wait(self._first_s)
        while not self._ending.is_set():
            self._wake.clear()
            try:
                for one in self.records.due(self._clock()):
                    if self._ending.is_set():
                        return
                    try:
                        self.look(one.uid)
                    except NotFound:        # removed meanwhile
                        continue
                    self._ending.wait(random.uniform(*self._apart_s))  # nosec B311  # spreads load; guards nothing
            except Exception:       # the edge of this thread: the next round tries again
                log.exception("looking at podcasts failed")
                self._ending.wait(WAKE_S)
            self._wake.wait(WAKE_S)


def _spread(seconds: Seconds) -> Seconds:
    return seconds * random.uniform(1 - SPREAD, 1 + SPREAD)  # nosec B311  # spreads load; guards nothing
