"""MusicBrainz, asked through musicbrainzngs: one request a second for the whole process, answers kept.

musicbrainzngs builds the questions and reads the XML. Its transport is replaced (see `_library`): its own has no
time limit, tries eight times while it holds a lock, and does not hear Retry-After.

    search_recordings(query, limit=) search_releases(…) search_release_groups(…) search_artists(…)   → list of dicts
    recordings_by_isrc(isrc)                                                                         → list of dicts
    recording(mbid) release(mbid) release_group(mbid) artist(mbid)                                   → dict
    releases_of_recording(mbid) releases_of_group(mbid) release_groups_of_artist(mbid)               → list of dicts

The dicts are musicbrainzngs' own. Lists are empty when there is nothing; a single thing that does not exist raises
Failure("not_found"). All raise Failure(provider="musicbrainz"). A question whose answer is kept costs nothing; any
other waits for its turn (a second for each question before it).
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from shared import __version__
from shared.metadata.asking import Breakers, ask, guarded, session
from shared.model.download import Failure

if TYPE_CHECKING:
    from shared.ports import Lookups
    from shared.settings import Settings

log = logging.getLogger(__name__)

SERVICE = "musicbrainz"
NAME = "MusicBrainz"
OPERATION = "lookup"                # its circuit breaker
INTERVAL_S = 1.0                    # MusicBrainz blocks clients above one request a second.
KEPT_S = 30 * 86_400.0
NOTHING_KEPT_S = 86_400.0           # what was not found may have been added by tomorrow
SHORT_REST_S = 5.0                  # a Retry-After up to this is waited for; a longer one is handed on

RECORDING = ["artists", "artist-credits", "isrcs", "tags"]
RELEASE = ["artists", "artist-credits", "recordings", "release-groups", "media", "isrcs", "tags", "labels"]
RELEASES = ["release-groups", "media", "artist-credits"]

_SPECIAL = re.compile(r'([+\-&|!(){}\[\]^"~*?:\\/])')


def quoted(text: str) -> str:
    """`text` as one phrase of the search language: nothing in it is an operator."""
    return '"' + _SPECIAL.sub(r"\\\1", text.replace("\x00", "")) + '"'


class Pace:
    """Lets one at a time through, in the order they came, and no two closer together than an interval."""

    def __init__(self, interval_s: float = INTERVAL_S, *, clock: Callable[[], float] = time.monotonic,
                 sleep: Callable[[float], None] = time.sleep) -> None:
        self.interval_s = interval_s
        self._clock = clock
        self._sleep = sleep
        self._changed = threading.Condition()
        self._next_ticket = 0
        self._serving = 0
        self._free_at = float("-inf")

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Alone inside. What is asked within calls `wait` before each request."""
        with self._changed:
            ticket = self._next_ticket
            self._next_ticket += 1
            while self._serving != ticket:
                self._changed.wait()
        try:
            yield
        finally:
            with self._changed:
                self._serving += 1
                self._changed.notify_all()

    def wait(self) -> None:
        """Until the next request may go out. Only within a turn."""
        while (delay := self._free_at - self._clock()) > 0:
            self._sleep(delay)
        self._free_at = self._clock() + self.interval_s

    def rest(self, seconds: float) -> None:
        """No request for so long."""
        self._free_at = max(self._free_at, self._clock() + seconds)

    def resting_s(self) -> float:
        """How long until a request may go out, beyond the usual interval; 0 when at once."""
        left = self._free_at - self._clock()
        return left if left > self.interval_s else 0.0


_PACE = Pace()                      # one for the whole process, whoever asks
_PUBLIC = ("musicbrainz.org", "beta.musicbrainz.org", "test.musicbrainz.org")


def pace_of(settings: Settings) -> Pace:
    """How fast upkeep may ask: everything in the library is asked for, which a mirror of one's own answers as fast as
    it can; the public MusicBrainz wants a second between two questions."""
    host = settings.musicbrainz_url.partition("://")[2].partition("/")[0].partition(":")[0].lower()
    return _PACE if host in _PUBLIC else Pace(0.0)


class MusicBrainzClient:
    """All questions to MusicBrainz. One for the process is enough; several share the pace."""

    def __init__(self, *, settings: Settings, lookups: Lookups | None = None, breakers: Breakers | None = None,
                 pace: Pace = _PACE) -> None:
        scheme, _, self._host = settings.musicbrainz_url.partition("://")
        self._https = scheme == "https"
        self._contact = settings.contact or "self-hosted music station"
        self._lookups = lookups
        self._breakers = breakers
        self._pace = pace
        self._session: Any = None

    # ---- searches (the query is Lucene's language; `quoted` makes a phrase of a text) ------------------------------

    def search_recordings(self, query: str, *, limit: int = 25) -> list[dict[str, Any]]:
        """Recordings with their artists, releases (with group types, media and track numbers), ISRCs, ext:score."""
        return self._list("search_recordings", "recording-list", query=query, limit=limit)

    def search_releases(self, query: str, *, limit: int = 25) -> list[dict[str, Any]]:
        return self._list("search_releases", "release-list", query=query, limit=limit)

    def search_release_groups(self, query: str, *, limit: int = 25) -> list[dict[str, Any]]:
        return self._list("search_release_groups", "release-group-list", query=query, limit=limit)

    def search_artists(self, query: str, *, limit: int = 25) -> list[dict[str, Any]]:
        return self._list("search_artists", "artist-list", query=query, limit=limit)

    # ---- single things ---------------------------------------------------------------------------------------------

    def recordings_by_isrc(self, isrc: str) -> list[dict[str, Any]]:
        """Recordings with artists, ISRCs and releases (these without their groups)."""
        found = self._one("get_recordings_by_isrc", "isrc", isrc, includes=["artists", "isrcs", "releases"])
        return list(found.get("recording-list", ())) if found else []

    def recording(self, mbid: str) -> dict[str, Any]:
        """A recording with artist credit, ISRCs and tags; ask releases_of_recording for where it is found."""
        return self._must("get_recording_by_id", "recording", mbid, RECORDING)

    def release(self, mbid: str) -> dict[str, Any]:
        """A release, whole: media, tracks, recordings with their credits and ISRCs, its group, tags."""
        return self._must("get_release_by_id", "release", mbid, RELEASE)

    def release_group(self, mbid: str) -> dict[str, Any]:
        """An album as an idea, with its releases."""
        return self._must("get_release_group_by_id", "release-group", mbid, ["artist-credits", "releases", "tags"])

    def artist(self, mbid: str) -> dict[str, Any]:
        return self._must("get_artist_by_id", "artist", mbid, ["tags"])

    # ---- what belongs to a thing (up to 100 each) -------------------------------------------------------------------

    def releases_of_recording(self, mbid: str) -> list[dict[str, Any]]:
        """The releases a recording is on: with groups, media (no tracks) and credits."""
        return self._list("browse_releases", "release-list", recording=mbid, includes=RELEASES, limit=100)

    def releases_of_group(self, mbid: str) -> list[dict[str, Any]]:
        return self._list("browse_releases", "release-list", release_group=mbid, includes=RELEASES, limit=100)

    def release_groups_of_artist(self, mbid: str) -> list[dict[str, Any]]:
        return self._list("browse_release_groups", "release-group-list", artist=mbid, includes=["artist-credits"],
                          limit=100)

    # ---- asking ----------------------------------------------------------------------------------------------------

    def _list(self, deed: str, inner: str, **given: Any) -> list[dict[str, Any]]:
        answer = self._ask(deed, (), given)
        return list(answer.get(inner, ())) if answer else []

    def _one(self, deed: str, inner: str, key: str, *, includes: list[str]) -> dict[str, Any] | None:
        answer = self._ask(deed, (key,), {"includes": includes})
        found = answer.get(inner) if answer else None
        return found if isinstance(found, dict) else None

    def _must(self, deed: str, inner: str, mbid: str, includes: list[str]) -> dict[str, Any]:
        found = self._one(deed, inner, mbid, includes=includes)
        if found is None:
            raise Failure("not_found", f"MusicBrainz knows no {inner} {mbid}.", provider=SERVICE)
        return found

    def _ask(self, deed: str, args: tuple[str, ...], given: dict[str, Any]) -> dict[str, Any] | None:
        """The answer of musicbrainzngs' function `deed`; None when there is no such thing."""
        key = json.dumps([self._host, deed, *args, given], sort_keys=True, ensure_ascii=False)
        kept = self._kept(key)
        if kept is not None:
            return kept.get("answer")
        with self._pace.turn():
            kept = self._kept(key)      # who came before may have asked the same: an album's tracks share their release
            if kept is not None:
                return kept.get("answer")
            with guarded(self._breakers, SERVICE, OPERATION):
                answer = self._request(deed, args, given)
        if self._lookups is not None:
            nothing = answer is None or not any(answer.values())
            self._lookups.put(SERVICE, key, {"answer": answer, "at": time.time(), "nothing": nothing})
        return answer

    def _kept(self, key: str) -> dict[str, Any] | None:
        if self._lookups is None:
            return None
        kept = self._lookups.get(SERVICE, key, max_age_s=KEPT_S)
        if not isinstance(kept, dict) or "answer" not in kept:
            return None
        if kept.get("nothing") and time.time() - float(kept.get("at", 0.0)) > NOTHING_KEPT_S:
            return None
        return kept

    def _request(self, deed: str, args: tuple[str, ...], given: dict[str, Any]) -> dict[str, Any] | None:
        """Ask now. Only within this process's turn: musicbrainzngs holds the address in globals."""
        for last in (False, True):
            resting = self._pace.resting_s()
            if resting > SHORT_REST_S:
                raise Failure("rate_limited", f"MusicBrainz asked to be left alone for {resting:.0f} s more.",
                              provider=SERVICE, retry_after_s=resting)
            try:
                return self._call(deed, args, given)
            except Failure as failure:
                if failure.code == "rate_limited":
                    self._pace.rest(failure.retry_after_s or INTERVAL_S)
                    if not last and (failure.retry_after_s or 0) <= SHORT_REST_S:
                        continue
                raise
        raise AssertionError("unreachable")

    def _call(self, deed: str, args: tuple[str, ...], given: dict[str, Any]) -> dict[str, Any] | None:
        musicbrainzngs = _library()
        musicbrainzngs.set_hostname(self._host, use_https=self._https)
        musicbrainzngs.set_useragent("Soundsible", __version__, self._contact)
        if self._session is None:
            self._session = session(self._contact)
        self._pace.wait()
        _TRANSPORT.fetch = self._fetch
        try:
            answer: dict[str, Any] = getattr(musicbrainzngs, deed)(*args, **given)
            return answer
        except _NothingThere:
            return None
        except musicbrainzngs.UsageError as error:      # a text that its own checks refuse: no such thing then
            log.debug("MusicBrainz was not asked: %s", error)
            return None
        except (musicbrainzngs.MusicBrainzError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise Failure("garbage", "MusicBrainz sent something that is not its format.", provider=SERVICE) from error
        finally:
            _TRANSPORT.fetch = None

    def _fetch(self, url: str, agent: str) -> bytes:
        answer = ask(self._session, "GET", url, provider=SERVICE, name=NAME,
                     headers={"User-Agent": agent, "Accept": "application/xml"})
        if answer.status in (400, 404):
            raise _NothingThere
        if b"<metadata" not in answer.body[:2000] or b"<!DOCTYPE" in answer.body:    # only bombs have a document type
            raise Failure("garbage", "MusicBrainz sent something that is not its format.", provider=SERVICE)
        return answer.body


class _NothingThere(Exception):
    """404, or an id that is none."""


class _Transport(threading.local):
    """Who fetches for musicbrainzngs in this thread."""

    fetch: Callable[[str, str], bytes] | None = None


_TRANSPORT = _Transport()


def _read(opener: Any, request: Any, body: Any = None, **_: Any) -> bytes:
    """Stands in for musicbrainzngs.musicbrainz._safe_read: the same question over our own session."""
    if _TRANSPORT.fetch is None or body:
        raise RuntimeError("MusicBrainz is asked through MusicBrainzClient, and only asked")
    return _TRANSPORT.fetch(request.full_url, request.get_header("User-agent"))


def _library() -> Any:
    """musicbrainzngs with our transport; imported only now."""
    import musicbrainzngs
    from musicbrainzngs import musicbrainz

    if musicbrainz._safe_read is not _read:
        musicbrainz._safe_read = _read
        musicbrainzngs.set_rate_limit(False)        # Pace keeps the one request a second
        logging.getLogger("musicbrainzngs").setLevel(logging.WARNING)   # it tells of each element it does not know
    return musicbrainzngs
