"""Listen to a search result or a link before it is fetched: streamed through an isolated child, nothing is kept.

A link of a source is heard itself. A catalogue has no sound: the first of these that works is heard instead: Deezer's
thirty seconds of that recording, or the best candidate that a searching provider has.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from odst import matching
from odst.search import SEARCHING, AcquireSearch
from shared.model.download import Failure, Offer, Options, Wanted
from shared.model.errors import BadInput, Overloaded
from shared.model.units import MIB, Bytes, Seconds
from shared.ports import Provider

log = logging.getLogger(__name__)

AT_ONCE = 4
LIMIT_S: Seconds = 15 * 60.0        # a whole track at the pace of its playing, and some patience
LIMIT_BYTES: Bytes = 200 * MIB
CANDIDATES = 8                      # looked at for what a catalogue names
TRIED = 3
_SMALLEST = Options(quality="smallest")
_LINKS = {
    "deezer": "https://www.deezer.com/track/{}", "spotify": "https://open.spotify.com/track/{}",
    "musicbrainz": "https://musicbrainz.org/recording/{}", "youtube": "https://www.youtube.com/watch?v={}",
}


class Nursery(Protocol):
    """What is used of odst.nursery.Nursery."""

    def open(self, job: dict[str, Any], *, limit_s: Seconds, limit_bytes: Bytes) -> Any: ...


class Clips(Protocol):
    """A catalogue that has a short piece of its recordings (odst.catalogues.deezer.Deezer)."""

    def preview_url(self, wanted: Wanted) -> str | None: ...


class Heard:
    """A preview that has begun. Iterate (`chunks()`) and close; closing ends the child, also before the first byte."""

    def __init__(self, stream: Any, places: threading.Semaphore) -> None:
        said = stream.said if isinstance(stream.said, dict) else {}
        self.mime_type = str(said.get("mime") or "application/octet-stream")
        self.title = said.get("title")
        self._stream = stream
        self._bytes: Iterator[bytes] = iter(stream)
        self._places: threading.Semaphore | None = places
        self._lock = threading.Lock()

    def chunks(self) -> Heard:
        return self

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._bytes)
        except Failure as failure:      # the headers are out: all that is left is to end here
            log.info("a preview ended early: %s", failure.message)
            self.close()
            raise StopIteration from failure
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        with self._lock:
            places, self._places = self._places, None
        if places is None:
            return
        try:
            self._stream.close()
        finally:
            places.release()

    def __enter__(self) -> Heard:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Previews:
    """`search` finds out what a link is; `providers` in the order of trust; `clips` has short pieces. `cookies`: the
    setting's file."""

    def __init__(self, *, nursery: Nursery, search: AcquireSearch, providers: Sequence[Provider],
                 clips: Clips | None = None, cookies: str | None = None, at_once: int = AT_ONCE) -> None:
        self._nursery = nursery
        self._search = search
        self._providers = tuple(providers)
        self._clips = clips
        self._cookies = cookies
        self._places = threading.Semaphore(at_once)

    def open(self, *, url: str | None = None, source: str | None = None, id: str | None = None) -> Heard:
        """Begin to play a link, or the track `id` of `source`. Returns once it is known what comes.

        Raises Failure, BadInput, Overloaded when as many as may are listened to already.
        """
        if url is None:
            if source not in _LINKS or not id:
                raise BadInput("A preview needs a link, or a source with the id of a track of its own.")
            url = _LINKS[source].format(id)
        if not self._places.acquire(blocking=False):
            raise Overloaded("As many previews as this station bears are listened to already. Try again in a moment.",
                             retry_after_s=5)
        try:
            return Heard(self._stream(url), self._places)
        except BaseException:
            self._places.release()
            raise

    def _stream(self, url: str) -> Any:
        if not self._search.of_catalogue(url):
            for provider in self._providers:
                if provider.understands(url):
                    return self._begin(url, site=provider.name != "direct")
        offer = self._search.resolve(url)       # raises when nobody knows the link
        wanted = _first(offer)
        if wanted.fetch_url:
            return self._begin(wanted.fetch_url, site=False)
        return self._of_recording(wanted)

    def _of_recording(self, wanted: Wanted) -> Any:
        failures = []
        try:
            clip = self._clips.preview_url(wanted) if self._clips is not None else None
            if clip is not None:
                return self._begin(clip, site=False)
        except Failure as failure:
            failures.append(failure)
        for provider in self._providers:
            if provider.name not in SEARCHING:
                continue
            try:
                found = matching.rank(wanted, provider.find(wanted, _SMALLEST, limit=CANDIDATES), _SMALLEST)
            except Failure as failure:
                failures.append(failure)
                continue
            for candidate in [one for one in found if one.rejected is None][:TRIED]:
                try:
                    return self._begin(str(candidate.locator.get("url")), site=True)
                except Failure as failure:
                    failures.append(failure)
        raise next(iter(failures), None) or Failure(
            "no_candidates", "Nobody has a sound of this that could be heard before it is fetched.")

    def _begin(self, url: str, *, site: bool) -> Any:
        job = {"deed": "preview", "url": url, "site": site, "cookies": self._cookies}
        return self._nursery.open(job, limit_s=LIMIT_S, limit_bytes=LIMIT_BYTES)


def _first(offer: Offer) -> Wanted:
    """The track that stands for an offer."""
    if not offer.tracks:
        raise Failure("no_candidates", f"There is nothing in '{offer.title}' to listen to.")
    return offer.tracks[0]
