"""Which recording a fetched file is, and what shall stand in its tags (implements ports.Identifier).

The wish (what a catalogue, a person or the file's tags say) is looked for in MusicBrainz. A sure match harmonises the
tags; a doubtful one changes nothing and is marked for a person to look at, unless the sound itself settles it
(AcoustID). A service that is down takes nothing away: the wish's own names are tags enough. What joins an album of the
library is tagged so that the two stay one album.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from dataclasses import fields as rows_of
from typing import TYPE_CHECKING, Any, Protocol

from shared.metadata.acoustid import AcoustId, Heard
from shared.metadata.asking import Breakers
from shared.metadata.client import MusicBrainzClient
from shared.metadata.coverart import CoverArt, optional
from shared.metadata.harmonise import ALIKE, Wish, alike, of_release, plain, title_of, wish
from shared.metadata.lrclib import LrcLib
from shared.metadata.musicbrainz import DOUBTFUL, Chosen, Finder, Match
from shared.model.download import Cancelled, Failure, Wanted
from shared.model.track import AudioFacts, Metadata

if TYPE_CHECKING:
    from shared.ports import Lookups
    from shared.settings import Settings

log = logging.getLogger(__name__)

SOUNDS_LIKE = 0.85              # a fingerprint's score (of 1) from which it is believed
_UNNAMED_SOUNDS_LIKE = 0.95     # … when nothing else speaks for it
_TRUSTED, _GUESSED = 0.6, 0.3   # confidence without MusicBrainz: named by a catalogue | by a page or a person's words
_KEPT = ("title", "artist", "album", "album_artist", "isrc", "track_number", "track_total", "disc_number", "disc_total",
         "date", "original_date", "genres", "compilation", "recording_mbid", "release_mbid", "release_group_mbid")


@dataclass(frozen=True, slots=True)
class Identity:
    """ports.Identified."""

    metadata: Metadata
    confidence: float
    review: str | None = None
    cover: bytes | None = None
    lyrics: str | None = None
    sources: dict[str, Any] = field(default_factory=dict)


class Standing(Protocol):
    """An album of the library (records.namesakes)."""

    @property
    def release_mbid(self) -> str | None:
        ...


class Identifier:
    """Asks around. Up to three requests to MusicBrainz a track (one a second for the whole process), one or two to
    LRCLIB, one or two for a cover; an album's second track costs less. `house(album artist, album)` tells the
    library's album of that name, or None.
    """

    def __init__(self, *, settings: Settings, client: MusicBrainzClient | None = None, lookups: Lookups | None = None,
                 breakers: Breakers | None = None, covers: CoverArt | None = None, lyrics: LrcLib | None = None,
                 acoustid: AcoustId | None = None,
                 house: Callable[[str, str], Standing | None] | None = None) -> None:
        self._house = house
        self._finder = Finder(
            client=client or MusicBrainzClient(settings=settings, lookups=lookups, breakers=breakers))
        self._covers = covers or CoverArt(settings=settings, lookups=lookups, breakers=breakers)
        self._lyrics = lyrics or LrcLib(settings=settings, lookups=lookups, breakers=breakers)
        self._acoustid = acoustid or AcoustId(settings=settings, breakers=breakers)

    def identify(self, wanted: Wanted, in_file: Metadata, facts: AudioFacts, *, path: str,
                 cancelled: Callable[[], bool]) -> Identity:
        """See ports.Identifier. Raises Cancelled, nothing else."""

        def check() -> None:
            if cancelled():
                raise Cancelled

        wished = wish(wanted, in_file)
        duration_ms = facts.duration_ms or wished.wanted.duration_ms
        match: Match | None = None
        chosen: Chosen | None = None
        review: str | None = None
        heard: list[Heard] = []
        try:
            matches = self._finder.find(wished, duration_ms, check=check)
            match = matches[0] if matches else None
            if match is None or not match.sure:
                match, review, heard = self._settle(wished, matches, duration_ms, path, cancelled)
            if match is not None:
                chosen = self._finder.choose(wished, match, check=check)
        except Failure as failure:
            if match is None or not match.sure:
                match = None
            chosen = None
            review = f"{failure.message.rstrip('.')}: the names are {_whose(wished)}."

        if match is not None:
            recording = chosen.filled(match.recording) if chosen else match.recording
            metadata = of_release(wished, in_file, recording, chosen.release if chosen else None,
                                  chosen.place if chosen else None)
            confidence = match.score / 100
        else:
            metadata = plain(wished, in_file)
            confidence = _TRUSTED if wished.trusted else _GUESSED
            if review is None and not wished.named:
                review = "Nobody knows what this is: it has no title or no artist."
        check()
        cover = self._cover(wished, metadata)
        check()
        metadata = self._beside(metadata, wished, in_file, match)
        lyrics = wished.wanted.lyrics
        if lyrics is None and (match is not None or wished.trusted):
            lyrics = self._words(metadata, facts)
        check()
        return Identity(metadata, round(confidence, 3), review, cover, lyrics,
                        _sources(wanted, in_file, wished, match, chosen, heard, metadata))

    # ---- doubts ----------------------------------------------------------------------------------------------------

    def _settle(self, wished: Wish, matches: list[Match], duration_ms: int | None, path: str,
                cancelled: Callable[[], bool]) -> tuple[Match | None, str | None, list[Heard]]:
        """What to do with a doubt: (a match that is sure after all, a sentence for people, what was heard)."""
        best = matches[0] if matches and matches[0].score >= DOUBTFUL else None
        doubt = (f"Perhaps this is {best.label} (MusicBrainz, {best.score:.0f} of 100). Nothing was changed."
                 if best else None)
        if wished.trusted and best is None:
            return None, None, []       # a catalogue named it; MusicBrainz need not know it
        if not self._acoustid.ready:
            return None, doubt, []
        try:
            heard = self._acoustid.listen(path, cancelled=cancelled)
        except (Failure, OSError) as error:
            log.info("AcoustID could not settle a doubt: %s", error)
            return None, doubt, []
        believed = [one for one in heard if one.score >= SOUNDS_LIKE]
        scores = {one.mbid: one.score for one in believed}
        for match in matches:           # one of those that the names led to
            if match.score >= DOUBTFUL and (score := scores.get(str(match.recording.get("id")))):
                return replace(match, score=round(100 * score, 1), by="fingerprint"), None, heard
        for one in believed:
            fits = self._fits(wished, one)
            if fits or (not wished.named and one.score >= _UNNAMED_SOUNDS_LIKE):
                found = self._finder.by_id(wished, one.mbid, duration_ms)
                if found is not None:
                    return replace(found, score=round(100 * one.score, 1)), None, heard
        if believed and wished.named and believed[0].title:
            return None, (f"It sounds like “{believed[0].title}” by {believed[0].artist or 'somebody'} (AcoustID). "
                          "Nothing was changed."), heard
        return None, doubt, heard

    @staticmethod
    def _fits(wished: Wish, heard: Heard) -> bool:
        wanted = wished.wanted
        if not (wanted.title and heard.title):
            return False
        mine, theirs = title_of(wanted.title), title_of(heard.title)
        main = wanted.artists[0] if wanted.artists else wanted.artist
        return (alike(mine.base, theirs.base) >= ALIKE and mine.versions == theirs.versions
                and (not main or not heard.artist or max(alike(main, heard.artist),
                                                         alike(wanted.artist, heard.artist)) >= 70))

    # ---- the library's own album -----------------------------------------------------------------------------------

    def _beside(self, metadata: Metadata, wished: Wish, in_file: Metadata, match: Match | None) -> Metadata:
        """Tags with which the track joins the library's album of the same name, if there is one.

        An album that is known by its names alone is joined by names alone; one that is known by a release is joined
        when the recording stands on that release, or when nothing more is known than that a catalogue names the album.
        """
        if self._house is None or not (metadata.album and metadata.album_artist):
            return metadata
        there = self._house(metadata.album_artist, metadata.album)
        if there is None or there.release_mbid == metadata.release_mbid:
            return metadata
        if there.release_mbid is None:
            return replace(metadata, release_mbid=None, release_group_mbid=None)
        if match is not None:
            try:
                chosen = self._finder.on(wished, match, there.release_mbid)
            except Failure as failure:
                log.info("the library's own release could not be looked at: %s", failure.message)
                chosen = None
            if chosen is not None:
                return of_release(wished, in_file, chosen.filled(match.recording), chosen.release, chosen.place)
        if metadata.release_mbid is None and wished.trusted:
            return replace(metadata, release_mbid=there.release_mbid)
        return metadata

    # ---- what goes with it -----------------------------------------------------------------------------------------

    def _cover(self, wished: Wish, metadata: Metadata) -> bytes | None:
        """The catalogue's own picture; else the archive's; else what a page showed."""
        url = wished.wanted.cover_url
        if url and wished.trusted and (data := optional(self._covers.at, url)):
            return data
        if metadata.release_mbid or metadata.release_group_mbid:
            data = optional(self._covers.front, metadata.release_mbid, metadata.release_group_mbid)
            if data:
                return data
        return optional(self._covers.at, url) if url and not wished.trusted else None

    def _words(self, metadata: Metadata, facts: AudioFacts) -> str | None:
        if not (metadata.title and metadata.artist and facts.duration_ms):
            return None
        try:
            return self._lyrics.lyrics(title=metadata.title, artist=metadata.artist, album=metadata.album,
                                       duration_ms=facts.duration_ms)
        except Failure as failure:
            log.info("no lyrics: %s", failure.message)
            return None


def _whose(wished: Wish) -> str:
    if wished.trusted:
        return f"those of {wished.wanted.source.capitalize()}"
    return "those of the file" if wished.said_by.get("title") == "file" else "as they were given"


def _sources(wanted: Wanted, in_file: Metadata, wished: Wish, match: Match | None, chosen: Chosen | None,
             heard: list[Heard], metadata: Metadata) -> dict[str, Any]:
    """What each said and what was chosen, as JSON, for the track's origin."""
    said: dict[str, Any] = {
        "file": {name: _json(value) for name in _KEPT if (value := getattr(in_file, name))},
        "catalogue": {"source": wanted.source} | {
            row.name: _json(value) for row in rows_of(Wanted)
            if row.name not in ("lyrics", "fetch_url") and (value := getattr(wanted, row.name))},
    }
    if match is not None:
        said["musicbrainz"] = {
            "recording": match.recording.get("id"), "release": chosen.release.get("id") if chosen else None,
            "score": match.score, "parts": dict(match.parts), "by": match.by,
        }
    if heard:
        said["acoustid"] = [{"recording": one.mbid, "score": round(one.score, 3)} for one in heard[:5]]
    own = plain(wished, in_file)
    by: dict[str, Any] = {}
    for name in _KEPT:
        value = getattr(metadata, name)
        if not value:
            continue
        theirs = match is not None and value != getattr(own, name)
        by[name] = {"value": _json(value), "from": "musicbrainz" if theirs else wished.said_by.get(name, "catalogue")}
    said["chosen"] = by
    return said


def _json(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
