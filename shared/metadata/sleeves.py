"""Where a better front cover of an album may be had: the Cover Art Archive by its MBIDs, else by its name; Deezer.

Bytes only; never decoded here. Whether what was found is better is for others to say.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.metadata.asking import Breakers, ask, guarded, session
from shared.metadata.client import MusicBrainzClient, Pace, pace_of, quoted
from shared.metadata.coverart import CoverArt
from shared.metadata.harmonise import VARIOUS_ARTISTS, alike
from shared.metadata.musicbrainz import album_score
from shared.model.download import Failure

if TYPE_CHECKING:
    from shared.ports import Lookups
    from shared.settings import Settings

log = logging.getLogger(__name__)

SOURCES = ("coverart", "deezer")        # in the order they are asked
DEEZER, DEEZER_NAME, OPERATION = "deezer", "Deezer", "cover"
KEPT_S = 7 * 86_400.0
SAME_ALBUM, SAME_ARTIST = 97.0, 90.0    # of 100: how alike the names must be to be meant
_INTERVAL_S = 0.12                      # https://developers.deezer.com/api : 50 requests / 5 seconds
_PUBLIC_DEEZER = "https://api.deezer.com"
_DEEZER_PACE = Pace(_INTERVAL_S)
_VARIOUS = frozenset({"various artists", "various", "va"})


@dataclass(frozen=True, slots=True)
class Sought:
    """An album that a cover is sought for."""

    title: str
    artist: str
    mbid: str | None = None
    release_group_mbid: str | None = None
    tracks: int = 0


@dataclass(frozen=True, slots=True)
class Offered:
    """A picture that was found."""

    source: str         # one of SOURCES
    data: bytes
    sure: bool          # found by the album's own id, not by its name


class Sleeves:
    """Finds pictures. What was not found is remembered in `lookups`, so that it is not asked for again for a while."""

    def __init__(self, *, settings: Settings, lookups: Lookups | None = None, breakers: Breakers | None = None,
                 client: MusicBrainzClient | None = None, covers: CoverArt | None = None) -> None:
        self._client = client or MusicBrainzClient(
            settings=settings, lookups=lookups, breakers=breakers, pace=pace_of(settings))
        self._covers = covers or CoverArt(settings=settings, lookups=lookups, breakers=breakers)
        self._deezer = settings.deezer_url.rstrip("/")
        self._contact = settings.contact
        self._lookups = lookups
        self._breakers = breakers
        self._pace = _DEEZER_PACE if self._deezer == _PUBLIC_DEEZER else Pace(0.0)
        self._lock = threading.Lock()
        self._session: Any = None

    def of(self, source: str, album: Sought) -> Iterator[Offered]:
        """What `source` offers for `album`, the likeliest first, each fetched when it is asked for.

        Costs a request or a few each. Raises Failure when the source cannot be asked.
        """
        deeds: dict[str, Callable[[Sought], Iterator[Offered]]] = {
            "coverart": self._from_archive, "deezer": self._from_deezer}
        return deeds[source](album)

    def _from_archive(self, album: Sought) -> Iterator[Offered]:
        if album.mbid and (data := self._covers.front(album.mbid)) is not None:
            yield Offered("coverart", data, True)
        group = album.release_group_mbid
        if group and (data := self._covers.front(None, group)) is not None:
            yield Offered("coverart", data, True)
        if not (album.mbid or group):
            group = self._group_of(album)
            if group and (data := self._covers.front(None, group)) is not None:
                yield Offered("coverart", data, False)

    def _group_of(self, album: Sought) -> str | None:
        """The release group that is called as `album` is; None when none is, or several are."""
        if not (album.title and album.artist):
            return None
        various = album.artist.casefold() in _VARIOUS
        who = f"arid:{VARIOUS_ARTISTS}" if various else f"artist:{quoted(album.artist)}"
        found = []
        for one in self._client.search_release_groups(f"releasegroup:{quoted(album.title)} AND {who}", limit=10):
            names = [str(each.get("name") or (each.get("artist") or {}).get("name", ""))
                     for each in one.get("artist-credit", ()) if isinstance(each, dict)]
            shown = str(one.get("artist-credit-phrase") or " & ".join(names))
            alikeness = max((alike(album.artist, name) for name in (shown, *names[:1])), default=0.0)
            if album_score(album.title, one) >= SAME_ALBUM and (various or alikeness >= SAME_ARTIST):
                found.append(one)
        albums = [one for one in found if str(one.get("primary-type", "")).casefold() == "album"] or found
        return str(albums[0].get("id")) if len(albums) == 1 else None

    # ---- Deezer -----------------------------------------------------------------------------------------------------

    def _from_deezer(self, album: Sought) -> Iterator[Offered]:
        link = self._deezer_link(album)
        if link and (data := self._covers.at(link)) is not None:
            yield Offered("deezer", data, False)

    def _deezer_link(self, album: Sought) -> str | None:
        """Where Deezer's own largest picture of the album lies."""
        if not (album.title and album.artist):
            return None
        words = album.title if album.artist.casefold() in _VARIOUS else f"{album.artist} {album.title}"
        key = json.dumps([self._deezer, "album", album.artist, album.title, album.tracks], ensure_ascii=False)
        if self._lookups is not None:
            kept = self._lookups.get("deezer covers", key, max_age_s=KEPT_S)
            if isinstance(kept, dict):
                return kept.get("link")
        with self._pace.turn(), guarded(self._breakers, DEEZER, OPERATION):
            self._pace.wait()
            with self._lock:
                if self._session is None:
                    self._session = session(self._contact)
            answer = ask(self._session, "GET", f"{self._deezer}/search/album", provider=DEEZER, name=DEEZER_NAME,
                         params={"q": words, "limit": 10})
        link = _best_of(answer.body, album)
        if self._lookups is not None:
            self._lookups.put("deezer covers", key, {"link": link})
        return link


def _best_of(body: bytes, album: Sought) -> str | None:
    """The cover's link of the album that is meant, in an answer of Deezer's search. Raises Failure."""
    try:
        answer = json.loads(body)
        if isinstance(error := answer.get("error"), dict):
            if error.get("code") == 4:
                raise Failure("rate_limited", "Deezer asks to be left alone for a few seconds.", provider=DEEZER,
                              retry_after_s=5.0)
            if error.get("code") in (600, 800):
                return None
            raise Failure("service_error", "Deezer could not answer.", provider=DEEZER)
        rows = answer["data"]
        fitting = [
            (row.get("nb_tracks") != album.tracks, at, link) for at, row in enumerate(rows)
            if isinstance(link := row.get("cover_xl"), str) and link.startswith(("https://", "http://"))
            and album_score(album.title, {"title": row.get("title", "")}) >= SAME_ALBUM
            and alike(album.artist, (row.get("artist") or {}).get("name")) >= SAME_ARTIST
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Failure("garbage", "Deezer sent something that is not its format.", provider=DEEZER) from error
    return min(fitting)[2] if fitting else None
