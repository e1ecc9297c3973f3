"""Ask all catalogues and searching providers at once what they have; find out what a link leads to.

An answer is what arrived in time, with each source's failure named. Who answers late is heard at the next ask. A
source is asked by few threads of its own, so that one that hangs holds neither the others nor the station.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

from odst.breaker import called
from odst.matching import fold, wanted_key
from shared.model.download import Failure, Offer, Options, Wanted
from shared.model.units import Seconds
from shared.outbound import Link
from shared.ports import Catalogue, Provider

log = logging.getLogger(__name__)
_T = TypeVar("_T")

SEARCHING = frozenset({"youtube"})  # providers whose search costs little; slskd's would earn a ban
DEADLINE_S: Seconds = 6.0
FRESH_S: Seconds = 120.0            # an answer is as good for so long
FAILED_FRESH_S: Seconds = 5.0       # a failure is told again for so long, so that typing does not hammer
ASKS_AT_ONCE = 3                    # of one source; a further one is told that it is busy
KEPT = 200                          # answers
KEPT_TRACKS = 20_000                # in all of them: what a link leads to may be long
KINDS = ("track", "album", "artist", "playlist")
SHARE = {"track": 0.6, "album": 0.2, "artist": 0.1, "playlist": 0.1}    # of a mixed answer
SAME_S = 5                          # tracks of one name this far apart are not one recording
MOST_WORDS = 300
MOST_LINK = 4000

_LINK = re.compile(r"(?:https?://|spotify:(?:track|album|playlist|artist|user):)\S+", re.IGNORECASE)
_BARE = re.compile(
    r"(?:www\.|m\.|music\.|open\.|link\.)?(?:youtube\.com|youtu\.be|spotify\.com|deezer\.com|soundcloud\.com|"
    r"musicbrainz\.org|[a-z0-9-]+\.bandcamp\.com|archive\.org)/\S+", re.IGNORECASE)
_FOREIGN = re.compile(
    r"(?!https?:)(?:([a-z][a-z0-9+.-]*)://|(data|file|javascript|magnet|mailto):\S)\S*$", re.IGNORECASE)
_VIDEO = re.compile(r"[A-Za-z0-9_-]{11}")


class Breakers(Protocol):
    """What is used of odst.breaker.Breakers."""

    def guard(self, name: str, operation: str) -> AbstractContextManager[Any]: ...


class _Answer:
    """What one ask gave, once it is there."""

    def __init__(self) -> None:
        self.there = threading.Event()
        self.value: Any = None
        self.failure: Failure | None = None
        self.at = 0.0           # when it came, of time.monotonic()

    @property
    def tracks(self) -> int:
        """How many it holds."""
        return len(self.value.tracks) if isinstance(self.value, Offer) else 0

    def fresh(self, now: float) -> bool:
        """Whether it need not be asked for anew; also while it is under way."""
        return not self.there.is_set() or now - self.at < (FAILED_FRESH_S if self.failure else FRESH_S)


class AcquireSearch:
    """`catalogues` and `providers` in the order of trust. `owned` tells the library's track for a Wanted."""

    def __init__(self, *, catalogues: Sequence[Catalogue], providers: Sequence[Provider] = (),
                 owned: Callable[[Wanted], str | None] | None = None, breakers: Breakers | None = None,
                 deadline_s: Seconds = DEADLINE_S) -> None:
        self._catalogues = tuple(catalogues)
        self._providers = tuple(providers)
        self._owned = owned
        self._breakers = breakers
        self._deadline_s = deadline_s
        self._lock = threading.Lock()
        self._answers: OrderedDict[tuple[str, ...], _Answer] = OrderedDict()
        self._under_way: dict[str, int] = {}

    # ---- words ----------------------------------------------------------------------------------------------------

    def search(self, words: str, limit: int = 20) -> dict[str, list[Any]]:
        """{"items": [Offer], "failures": [{source, code, message}]}, within the deadline.

        Items are tracks, albums, artists and playlists, `limit` at most, each thing once however many sources know
        it, owned tracks with their `track_id`; each without its tracks. A link in place of words is resolved.
        """
        words = " ".join(words.split())[:MOST_LINK]
        if not words:
            return {"items": [], "failures": []}
        if is_link(words):
            try:
                return {"items": [replace(self.resolve(words), tracks=())], "failures": []}
            except Failure as failure:
                return {"items": [], "failures": [_told(failure.provider or "link", failure)]}
        words, limit = words[:MOST_WORDS], max(1, limit)
        asked: list[tuple[str, _Answer]] = []
        ends_at = time.monotonic() + self._deadline_s
        for source in self._catalogues:
            if not getattr(source, "configured", True):
                continue            # nobody to ask; and who was not asked has not answered
            asked.append((source.name, self._ask(source, words, limit, partial(source.search, words, limit=limit))))
        for provider in self._providers:
            if provider.name in SEARCHING:
                deed = partial(_found, provider, words, limit)
                asked.append((provider.name, self._ask(provider, words, limit, deed)))
        lists: list[list[Offer]] = []
        failures = []
        for name, answer in asked:
            if not answer.there.wait(max(0.0, ends_at - time.monotonic())):
                failures.append({"source": name, "code": "timed_out",
                                 "message": f"{called(name)} has not answered yet. Ask again in a moment."})
            elif answer.failure is not None:
                failures.append(_told(name, answer.failure))
            else:
                lists.append(answer.value)
        return {"items": [self._marked(one) for one in _shares(_merged(lists), limit)], "failures": failures}

    # ---- links and albums -----------------------------------------------------------------------------------------

    def resolve(self, url: str, *, fresh: bool = False) -> Offer:
        """What a link leads to, with all its tracks; the same for two minutes, unless it must be `fresh`. Raises
        Failure."""
        link = whole_link(url)
        if len(link) > MOST_LINK:
            raise Failure("bad_link", "This link is too long to be one.")
        what = ("resolve", link)
        if fresh:
            with self._lock:
                kept = self._answers.get(what)
                if kept is not None and kept.there.is_set():
                    del self._answers[what]
        return self._shared(what, lambda: self._resolve(link))

    def of_catalogue(self, url: str) -> bool:
        """Whether a link is one of a catalogue's. Pure."""
        link = whole_link(url)
        return any(one.understands(link) for one in self._catalogues)

    def understands(self, url: str) -> bool:
        """Whether anybody here would know what to do with a link. Pure."""
        link = whole_link(url)
        return self.of_catalogue(link) or any(one.understands(link) for one in self._providers)

    def album(self, source: str, id: str) -> Offer:
        """The album `id` of the catalogue named `source`; of "local" what it lacks. Raises Failure."""
        for catalogue in self._catalogues:
            if catalogue.name == source:
                ask = partial(self._guarded, catalogue, "resolve", partial(catalogue.album, id))
                return self._shared(("album", source, id), ask, keep=source != "local")
        known = ", ".join(one.name for one in self._catalogues) or "none"
        raise Failure("not_configured", f"There is no catalogue '{source}' here; there is: {known}.")

    def tracks_owned(self, offer: Offer) -> list[str | None]:
        """For each of the offer's tracks the library's track, or None. One look into the library each."""
        return [self._owned(one) if self._owned else None for one in offer.tracks]

    def _resolve(self, link: str) -> Offer:
        for catalogue in self._catalogues:
            if catalogue.understands(link):
                return self._guarded(catalogue, "resolve", partial(catalogue.resolve, link))
        told: Failure | None = None
        for provider in self._providers:
            if provider.understands(link):
                try:
                    return self._guarded(provider, _operation(provider.name, link), partial(provider.resolve, link))
                except Failure as failure:
                    if failure.code not in ("unsupported", "not_audio"):
                        raise
                    told = told or failure      # perhaps it is something for the next one
        if told is not None:
            raise told
        Link(link)      # raises bad_link with what is wrong about it
        raise Failure("unsupported", "Nobody here knows what to do with this link.")

    # ---- asking ---------------------------------------------------------------------------------------------------

    def _shared(self, what: tuple[str, ...], deed: Callable[[], Offer], *, keep: bool = True) -> Offer:
        """The kept answer to `what`; who asks the same while it is under way waits for it. Failures are not kept."""
        while True:
            with self._lock:
                answer, mine = self._answers.get(what), False
                if answer is None or not answer.fresh(time.monotonic()) or (answer.there.is_set() and answer.failure):
                    answer, mine = self._begin(what), True
            if not mine:
                answer.there.wait()
                if answer.failure is None and answer.value is not None:
                    return self._marked(answer.value)
                if answer.failure is not None:
                    raise answer.failure
                continue    # who asked was interrupted
            try:
                answer.value = deed()
            except Failure as failure:
                answer.failure = failure
                raise
            finally:
                answer.at = time.monotonic()
                answer.there.set()
                if answer.value is None or not keep:
                    with self._lock:
                        if self._answers.get(what) is answer:
                            del self._answers[what]
            return self._marked(answer.value)

    def _ask(self, source: Catalogue | Provider, words: str, limit: int, deed: Callable[[], list[Offer]]) -> _Answer:
        """The answer of a source, perhaps still under way in a thread of its own."""
        name = source.name
        key = ("search", name, words.casefold(), str(limit))
        with self._lock:
            answer = self._answers.get(key)
            if answer is not None and answer.fresh(time.monotonic()):
                self._answers.move_to_end(key)
                return answer
            if self._under_way.get(name, 0) >= ASKS_AT_ONCE:
                busy = _Answer()
                busy.failure = Failure("timed_out", f"{called(name)} is still busy with earlier questions.",
                                       provider=name)
                busy.there.set()
                return busy
            self._under_way[name] = self._under_way.get(name, 0) + 1
            answer = self._begin(key)

        def run() -> None:
            try:
                answer.value = self._guarded(source, "search", deed)
            except Failure as failure:
                answer.failure = failure
            except Exception:       # the edge of a thread
                log.exception("asking %s failed", name)
                answer.failure = Failure("internal", f"Asking {called(name)} failed; the station's log tells more.",
                                         provider=name)
            finally:
                answer.at = time.monotonic()
                answer.there.set()
                with self._lock:
                    self._under_way[name] -= 1

        threading.Thread(target=run, name=f"ask-{name}", daemon=True).start()
        return answer

    def _begin(self, key: tuple[str, ...]) -> _Answer:
        """A new answer under `key`, with the lock held."""
        now = time.monotonic()
        for old in [one for one, answer in self._answers.items() if not answer.fresh(now)]:
            del self._answers[old]
        tracks = sum(answer.tracks for answer in self._answers.values())
        while self._answers and (len(self._answers) >= KEPT or tracks > KEPT_TRACKS):
            tracks -= self._answers.popitem(last=False)[1].tracks
        answer = self._answers[key] = _Answer()
        self._answers.move_to_end(key)
        return answer

    def _guarded(self, source: Catalogue | Provider, operation: str, deed: Callable[[], _T]) -> _T:
        """`deed` behind the source's circuit breaker, unless it has one of its own."""
        guard: AbstractContextManager[Any] = nullcontext()
        if self._breakers is not None and not getattr(source, "guards_itself", False):
            guard = self._breakers.guard(source.name, operation)
        with guard:
            return deed()

    def _marked(self, offer: Offer) -> Offer:
        """`offer`, of a track the library's own when it is there."""
        if offer.kind != "track" or self._owned is None:
            return offer
        wanted = offer.tracks[0] if offer.tracks else Wanted(
            title=offer.title, artist=offer.artist, album=offer.album, isrc=offer.isrc, duration_ms=offer.duration_ms)
        return replace(offer, track_id=self._owned(wanted))


def _found(provider: Provider, words: str, limit: int) -> list[Offer]:
    """What a provider finds for words, as offers."""
    found = []
    for one in provider.find(Wanted(title=words), Options(), limit=limit):
        id, url = str(one.locator.get("key") or ""), one.locator.get("url")
        if isinstance(url, str) and one.title:
            cover = one.extra.get("cover_url") or (f"https://i.ytimg.com/vi/{id}/hqdefault.jpg"
                                                   if provider.name == "youtube" and _VIDEO.fullmatch(id) else None)
            found.append(Offer(kind="track", source=provider.name, id=id or url, title=one.title, url=url,
                               artist=one.artist or None, album=one.album, duration_ms=one.duration_ms, isrc=one.isrc,
                               explicit=one.explicit, cover_url=cover))
    return found


# ---- many answers → one -------------------------------------------------------------------------------------------


def _merged(lists: Iterable[list[Offer]]) -> list[Offer]:
    """All offers, the first of each source before the second of any. A thing that several know is told by the first
    of them in the order of trust, its gaps filled by the others."""
    found: dict[tuple[Any, ...], list[list[Any]]] = {}
    order: list[list[Any]] = []         # [offer, trust]; in place
    ranked = sorted(((rank, trust, offer) for trust, offers in enumerate(lists) for kind in KINDS
                     for rank, offer in enumerate(one for one in offers if one.kind == kind)), key=lambda one: one[:2])
    for _, trust, offer in ranked:
        same = None
        for key in _keys(offer):
            same = next((one for one in found.get(key, ()) if one[1] != trust and _near(one[0], offer)), None)
            if same is not None:
                break
        if same is None:
            same = [offer, trust]
            order.append(same)
        elif trust < same[1]:
            same[:] = [_filled(offer, same[0]), trust]
        else:
            same[0] = _filled(same[0], offer)
        for key in (*_keys(offer), *_keys(same[0])):
            if same not in found.setdefault(key, []):
                found[key].append(same)
    return [offer for offer, _ in order]


def _keys(offer: Offer) -> Iterator[tuple[Any, ...]]:
    if offer.kind == "track":
        if offer.isrc:
            yield ("track", offer.isrc)
        yield ("track", wanted_key(Wanted(title=offer.title, artist=offer.artist)))
    elif offer.kind == "album":
        yield ("album", fold(offer.title), fold((offer.artist or "").split(",")[0]))
    elif offer.kind == "artist":
        yield ("artist", fold(offer.title))


def _near(one: Offer, other: Offer) -> bool:
    if one.kind == "album":
        return not (one.track_count and other.track_count) or one.track_count == other.track_count
    return (not (one.duration_ms and other.duration_ms)
            or abs(one.duration_ms - other.duration_ms) <= SAME_S * 1000)


def _filled(offer: Offer, other: Offer) -> Offer:
    gaps = {name: getattr(other, name) for name in ("album", "date", "duration_ms", "track_count", "cover_url", "isrc",
                                                    "explicit") if getattr(offer, name) is None}
    return replace(offer, **gaps) if gaps else offer


def _shares(offers: list[Offer], limit: int) -> list[Offer]:
    """`limit` of them: mostly tracks, some of each other kind; what a kind does not need the others get."""
    of = {kind: [one for one in offers if one.kind == kind] for kind in KINDS}
    few = {kind: min(len(of[kind]), max(1, round(SHARE[kind] * limit))) for kind in KINDS}
    while sum(few.values()) > limit:
        few[max(KINDS, key=lambda kind: (few[kind] > 0, few[kind] - SHARE[kind] * limit))] -= 1
    for kind in KINDS:
        few[kind] += min(len(of[kind]) - few[kind], limit - sum(few.values()))
    return [one for kind in KINDS for one in of[kind][:few[kind]]]


# ---- links --------------------------------------------------------------------------------------------------------


def is_link(words: str) -> bool:
    """Whether a person typed a link, also one without its https://."""
    return bool(_LINK.fullmatch(words.strip()) or _BARE.fullmatch(words.strip()))


def foreign_scheme(words: str) -> str | None:
    """The scheme of what is a link, but not one that anybody here follows ("ftp", "magnet"); None of other words."""
    found = _FOREIGN.match(words.strip())
    return (found[1] or found[2]).lower() if found else None


def whole_link(url: str) -> str:
    """A link as it is followed: with its https://."""
    link = url.strip()
    return f"https://{link}" if _BARE.fullmatch(link) else link


def _operation(name: str, link: str) -> str:
    """The circuit breaker of resolving a link: one a host, but one for all of a provider's own site."""
    try:
        host = (urlsplit(link).hostname or "").lower()
    except ValueError:
        host = ""
    return "resolve" if not host or host.endswith((f"{name}.com", "youtu.be")) else host


def _told(source: str, failure: Failure) -> dict[str, str]:
    return {"source": source, "code": failure.code, "message": failure.message}
