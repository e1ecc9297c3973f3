"""A downloader over a real database, with a shop, a shelf and crafts of the tests' own that do as they are told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from odst.breaker import Breakers
from odst.disk import Disk
from odst.engine import Engine
from odst.ledger import Ledger
from odst.queue import MemoryDispatcher
from odst.running import Running
from odst.service import Service
from odst.staging import Staging
from odst.throttle import Throttle
from shared.database import Database
from shared.events import DownloadMoved, EventBus
from shared.library.keepings import plan
from shared.model.download import (
    OVER,
    Candidate,
    Download,
    DownloadWhole,
    Failure,
    Fetched,
    Offer,
    Options,
    Progress,
    Request,
    Wanted,
)
from shared.model.person import Person
from shared.model.track import AudioFacts, Metadata
from shared.model.units import GIB
from shared.records.breakers import BreakerRow
from shared.records.breakers import Breakers as StoredBreakers
from shared.records.downloads import Downloads
from shared.records.people import People
from shared.settings import Settings

SONG = b"sound" * 100


class Shop:
    """A provider: what it has for a link, and what happens when that is fetched, one thing after the other."""

    name = "direct"
    slots = 4

    def __init__(self, name: str = "direct", slots: int = 4) -> None:
        self.name, self.slots = name, slots
        self.goods: dict[str, list[Any]] = {}       # link → what each fetch of it does; the last one for ever
        self.lists: dict[str, list[Wanted]] = {}    # link → the tracks that it leads to
        self.shelf: dict[str, list[Candidate]] = {} # title → what a search finds
        self.fetched: list[str] = []
        self.resolved: list[str] = []
        self.running = 0
        self.most_running = 0
        self._lock = threading.Lock()

    def has(self, link: str, *outcomes: Any) -> str:
        self.goods[link] = list(outcomes) or [SONG]
        return link

    def understands(self, url: str) -> bool:
        return url.startswith("http")

    def resolve(self, url: str) -> Offer:
        self.resolved.append(url)
        tracks = self.lists.get(url)
        if tracks is None:
            tracks = [Wanted(title=url.rpartition("/")[2], artist="Band", source=self.name, source_url=url,
                             fetch_url=url)]
        return Offer(kind="track" if len(tracks) == 1 else "playlist", source=self.name, id=url, title=url,
                     tracks=tuple(tracks))

    def find(self, wanted: Wanted, options: Options, *, limit: int) -> list[Candidate]:
        if wanted.fetch_url:
            return [Candidate(provider=self.name, locator={"url": wanted.fetch_url}, title=wanted.title or "?",
                              artist=wanted.artist or "", certain=True)]
        found = self.shelf.get(wanted.title or "", [])
        if isinstance(found, Failure):
            raise found
        return found

    def offer(self, title: str, link: str, *outcomes: Any, artist: str = "Band", **more: Any) -> Candidate:
        """Something that a search for `title` finds."""
        candidate = Candidate(provider=self.name, locator={"url": link}, title=title, artist=artist, **more)
        self.shelf.setdefault(title, []).append(candidate)
        self.has(link, *outcomes)
        return candidate

    def fetch(self, candidate: Candidate, fetching: Any) -> Fetched:
        link = str(candidate.locator["url"])
        with self._lock:
            self.fetched.append(link)
            self.running += 1
            self.most_running = max(self.most_running, self.running)
            script = self.goods.get(link, [SONG])
            outcome = script.pop(0) if len(script) > 1 else script[0]
        try:
            if callable(outcome):
                outcome = outcome(fetching)
            if isinstance(outcome, BaseException):
                raise outcome
            path = fetching.folder / "song.flac"
            path.write_bytes(outcome)
            fetching.report(Progress(bytes=len(outcome), total_bytes=len(outcome)))
            return Fetched(path=str(path), said=Wanted(title=candidate.title, source=self.name))
        finally:
            with self._lock:
                self.running -= 1

    def operation(self, candidate: Candidate) -> str:
        return str(candidate.locator["url"]).split("/")[2] if self.name == "direct" else "fetch"


@dataclass
class Shelf:
    """ports.Intake in memory: tracks by title."""

    folder: Path
    tracks: dict[str, bytes] = field(default_factory=dict)
    admitted: list[str] = field(default_factory=list)
    better: set[str] = field(default_factory=set)
    trouble: Failure | None = None
    during: Callable[[], None] | None = None
    origins: dict[str, dict[str, Any]] = field(default_factory=dict)

    def ready(self) -> None:
        pass

    def staging(self) -> Path:
        if self.trouble is not None:
            raise self.trouble
        (self.folder / "staging").mkdir(parents=True, exist_ok=True)
        return self.folder / "staging"

    def owned(self, wanted: Wanted) -> str | None:
        return f"track-{wanted.title}" if wanted.title in self.tracks else None

    def worth_replacing(self, track_id: str, options: Options) -> bool:
        return track_id in self.better

    def admit(self, path: Path, metadata: Metadata, facts: AudioFacts, *, origin: dict[str, Any],
              replace: str | None, **_: Any) -> Any:
        if self.during is not None:
            self.during()
        title = metadata.title or "?"
        same = title in self.tracks and replace is None
        if not same:
            self.tracks[title] = path.read_bytes()
            self.admitted.append(title)
            self.origins[title] = origin
            path.unlink()

        class Admitted:
            track_id = f"track-{title}"
            path = f"{title}.flac"
            duplicate_of = f"track-{title}" if same else None
            replaced = replace is not None

        return Admitted()


class Crafts:
    """ports.Workers: what each craft answers or raises."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.format = "flac"
        self.bad: dict[bytes, Exception] = {}       # content → what looking at it raises
        self.upsampled = False
        self.before: dict[str, Callable[[], None]] = {}     # craft → what happens when it is to begin

    def run(self, deed: str, /, *args: Any, timeout_s: float = 30.0, **kwargs: Any) -> Any:
        self.calls.append((deed, args, kwargs))
        self.before.pop(deed.rpartition(":")[2], lambda: None)()
        if deed.endswith("inspect:inspect"):
            content = Path(args[0]).read_bytes()
            if content in self.bad:
                raise self.bad[content]
            facts = AudioFacts(self.format, "audio/x", 180_000, bitrate_kbps=900, sample_rate_hz=44100, bit_depth=16,
                               channels=2)
            return {"facts": facts, "metadata": Metadata(), "picture_bytes": 0, "upsampled": self.upsampled,
                    "cutoff_hz": 16_000}
        if deed.endswith("loudness:measure"):
            return {"track_gain_db": -3.0, "track_peak": 0.9}
        return None

    def did(self, name: str) -> list[tuple[Any, ...]]:
        return [args for deed, args, _ in self.calls if deed.endswith(name)]


class Names:
    """ports.Identifier: what was wanted is what it is."""

    def identify(self, wanted: Wanted, in_file: Metadata, facts: AudioFacts, *, path: str, cancelled: Any) -> Any:
        class Told:
            metadata = Metadata(title=wanted.title, artist=wanted.artist)
            confidence = 1.0
            review = cover = lyrics = None
            sources: dict[str, Any] = {"chosen": "wanted"}

        return Told()


class Clock:
    """Time that goes on by itself and can be set forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


class Search:
    """odst.search, of one shop."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.offers: list[Offer] = []
        self.albums: dict[str, Offer] = {}

    def resolve(self, url: str) -> Offer:
        return self.shop.resolve(url)

    def album(self, source: str, id: str) -> Offer:
        return self.albums[id]


class House:
    """All of it, started with `house.running()`."""

    def __init__(self, folder: Path, *, shops: tuple[Shop, ...] = (), **settings: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.settings = Settings(home=folder, **{"download_level": "off", **settings})
        self.database = Database(folder / "library.db")
        self.database.prepare()
        self.records = Downloads(database=self.database)
        people = People(database=self.database)
        self.ann = self._person(people, "ann", "owner")
        self.ben = self._person(people, "ben", "adult")
        self.events = EventBus()
        self.moved: list[tuple[int, Download]] = []
        self.events.subscribe(DownloadMoved, lambda event: self.moved.append((event.user_id, event.download)))
        self.shops = shops or (Shop(),)
        self.shop = self.shops[0]
        self.shelf = Shelf(folder / "music")
        self.crafts = Crafts()
        self.clock = Clock()
        self.kept: list[dict[str, Any]] = []
        self.free = 100 * GIB
        self.search = Search(self.shop)
        self._build()

    def _person(self, people: People, name: str, role: str) -> Person:
        known = people.find_user(name)
        if known is None:
            people.make_user(name, "x", role)
            known = people.find_user(name)
        assert known is not None
        return Person(user_id=known.id, id=known.uid, username=name, role=role)

    def _build(self) -> None:
        self.breakers = Breakers(store=StoredBreakers(database=self.database), row=BreakerRow, clock=self.clock)
        self.dispatcher = MemoryDispatcher(clock=self.clock)
        self.running_ones = Running()
        self.ledger = Ledger(records=self.records, events=self.events)
        self.throttle = Throttle(events=self.events, share=0.33)
        self.disk = Disk(folder=self.shelf.staging, least=self.settings.download_min_free_bytes,
                         free=lambda folder: self.free)
        self.staging = Staging(root=self.shelf.staging)
        self.engine = Engine(
            records=self.records, dispatcher=self.dispatcher, ledger=self.ledger, running=self.running_ones,
            events=self.events, providers=self.shops, resolve=self.search.resolve,
            search=lambda words: self.search.offers, track=lambda uid: Wanted(title=uid.removeprefix("track-")),
            intake=self.shelf, identifier=Names(), workers=self.crafts, keepings=self, breakers=self.breakers,
            throttle=self.throttle, disk=self.disk, staging=self.staging, settings=self.settings, clock=self.clock)
        self.service = Service(
            records=self.records, dispatcher=self.dispatcher, engine=self.engine, ledger=self.ledger,
            running=self.running_ones, search=self.search, intake=self.shelf, breakers=self.breakers,
            throttle=self.throttle, disk=self.disk, staging=self.staging, settings=self.settings,
            understood=lambda url: url.startswith("http"))

    # ---- library.keepings

    plan = staticmethod(plan)

    def keep(self, path: str, target: str, **how: Any) -> dict[str, Any]:
        self.kept.append(how)
        Path(target).write_bytes(b"kept " + Path(path).read_bytes())
        return {"format": how["format"], "duration_ms": 180_000, "note": None, "bitrate_kbps": how["bitrate_kbps"]}

    @contextmanager
    def running(self) -> Iterator[House]:
        self.engine.start()
        try:
            yield self
        finally:
            self.engine.stop()

    def again(self) -> None:
        """As after a restart: the same database, everything else anew."""
        self._build()

    # ---- asking

    def ask(self, url: str, **more: Any) -> str:
        return self.service.submit(self.ann, Request(url=url, **more))[0].id

    def want(self, title: str, **more: Any) -> str:
        wanted = Wanted(title=title, artist="Band", source="deezer", **more)
        return self.service.submit(self.ann, Request(wanted=wanted))[0].id

    def whole(self, uid: str) -> DownloadWhole:
        return self.records.whole(self.ann, uid)

    def until(self, uid: str, *statuses: str, timeout_s: float = 10.0) -> DownloadWhole:
        """Until it has one of `statuses` (or is over)."""
        wanted = set(statuses) or {one.value for one in OVER}
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            shown = self.whole(uid)
            if shown.status in wanted:
                return shown
            time.sleep(0.005)
        raise AssertionError(f"it is {shown.status}, not {wanted}: {shown.error} {shown.history}")

    def path_of(self, uid: str) -> list[str]:
        """The statuses it has had, in order."""
        return [row.to for row in self.whole(uid).history]


def until(there: Callable[[], object], timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not there():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.005)


def held(gate: threading.Event, content: bytes = SONG) -> Callable[[Any], bytes]:
    """A fetch that goes on until `gate` is set, and minds being stopped."""

    def fetch(fetching: Any) -> bytes:
        fetching.report(Progress(bytes=1, total_bytes=len(content)))
        (fetching.folder / "part").write_bytes(b"half")
        while not gate.wait(0.005):
            fetching.report(Progress(bytes=2, total_bytes=len(content)))
        return content

    return fetch


__all__ = ["SONG", "House", "Shop", "held", "replace", "until"]
