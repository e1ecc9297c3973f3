"""The library as a catalogue: an album that is not whole, and what it lacks.

What an album should hold is said by the other catalogues; what of that is there already, by the library.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from rapidfuzz.fuzz import ratio

from odst.matching import fold, wanted_key
from shared.model.download import Failure, Offer, Wanted
from shared.model.errors import NotFound
from shared.model.track import AlbumWhole, Track
from shared.ports import Catalogue

SAME_TITLE = 88         # of 100
SAME_ALBUM = 80
NEAR_MS = 7_000
SAID = 8                # albums looked at in a catalogue's search


class Local:
    """`album_of` gives an album of the library, whole, by its id (raises NotFound); `catalogues` are asked in order."""

    name = "local"
    guards_itself = True    # what fails is a catalogue that it asks, and has a circuit breaker of its own

    def __init__(self, *, album_of: Callable[[str], AlbumWhole], catalogues: Sequence[Catalogue]) -> None:
        self._album_of = album_of
        self._catalogues = tuple(catalogues)

    def understands(self, url: str) -> bool:
        return False

    def resolve(self, url: str) -> Offer:
        raise Failure("bad_link", "The library has no links.", provider=self.name)

    def search(self, words: str, *, limit: int) -> list[Offer]:
        return []       # the library has a search of its own

    def album(self, id: str) -> Offer:
        """What the library's album `id` lacks, as `tracks`; `track_count` is how many it would have.

        Every track names this album as the library does, so that it comes to stand in it. Raises Failure: not_found
        when there is no such album or nobody knows its tracks; else what the catalogues raised.
        """
        try:
            ours = self._album_of(id)
        except NotFound as error:
            raise Failure("not_found", error.message, provider=self.name) from error
        told = self._told(ours)
        lacking = [
            replace(one, album=ours.title, album_artist=ours.artist, date=ours.date or one.date)
            for one in lacks(ours.tracks, told.tracks)
        ]
        return Offer(kind="album", source=self.name, id=id, title=ours.title, artist=ours.artist,
                     date=ours.date or told.date, url=told.url, track_count=len(told.tracks),
                     cover_url=told.cover_url, tracks=tuple(lacking))

    def _told(self, ours: AlbumWhole) -> Offer:
        """The album as the first catalogue tells it that knows it."""
        failures = []
        for catalogue in self._catalogues:
            try:
                if catalogue.name == "musicbrainz" and ours.mbid:
                    return catalogue.album(ours.mbid)
            except Failure as failure:
                failures.append(failure)
        for catalogue in self._catalogues:
            try:
                if (found := self._found(catalogue, ours)) is not None:
                    return found
            except Failure as failure:
                failures.append(failure)
        raise next((one for one in failures if one.retryable), None) or Failure(
            "not_found", f"No catalogue knows the tracks of '{ours.title}' by {ours.artist}.", provider=self.name)

    def _found(self, catalogue: Catalogue, ours: AlbumWhole) -> Offer | None:
        """The album in `catalogue` by artist and title: of those that hold all our tracks, the most alike."""
        words = ours.title if ours.compilation else f"{ours.artist} {ours.title}"
        near = [one for one in catalogue.search(words, limit=SAID) if one.kind == "album" and _same_album(ours, one)]
        near.sort(key=lambda one: -_alike(one.title, ours.title))
        for one in near[:3]:
            whole = catalogue.album(one.id)
            unknown = len(ours.tracks) - (len(whole.tracks) - len(lacks(ours.tracks, whole.tracks)))
            if whole.tracks and unknown <= len(ours.tracks) // 4:   # another edition may name a few otherwise
                return whole
        return None


def lacks(ours: Sequence[Track], told: Sequence[Wanted]) -> list[Wanted]:
    """Those of `told` that none of our tracks is. One of ours stands for one of theirs, the most alike first."""
    pairs = sorted(((_sameness(track, wanted), here, there) for here, track in enumerate(ours)
                    for there, wanted in enumerate(told)), key=lambda pair: (-pair[0], pair[2], pair[1]))
    taken, had = set[int](), set[int]()
    for sameness, here, there in pairs:
        if sameness <= 0:
            break
        if here not in taken and there not in had:
            taken.add(here)
            had.add(there)
    return [wanted for there, wanted in enumerate(told) if there not in had]


def _sameness(track: Track, wanted: Wanted) -> float:
    """0: not the same recording; else the more the surer."""
    if track.isrc and wanted.isrc and track.isrc.upper() == wanted.isrc:
        return 400.0
    if track.recording_mbid and track.recording_mbid == wanted.recording_mbid:
        return 400.0
    alike = _alike(track.title, wanted.title or "")
    placed = (track.track_number is not None and track.track_number == wanted.track_number
              and (track.disc_number or 1) == (wanted.disc_number or 1))
    near = not (track.duration_ms and wanted.duration_ms) or abs(track.duration_ms - wanted.duration_ms) <= NEAR_MS
    if alike >= SAME_TITLE and (near or placed):
        return alike + (100 if placed else 0) + (50 if near else 0)
    if placed and near and alike >= 60:     # spelled otherwise, at its place and as long
        return alike
    return 0.0


def _same_album(ours: AlbumWhole, offer: Offer) -> bool:
    artist = ours.compilation or not offer.artist or _alike(offer.artist, ours.artist) >= SAME_ALBUM
    return artist and _alike(offer.title, ours.title) >= SAME_ALBUM


def _alike(one: str, other: str) -> float:
    """0-100. 100 when they differ in nothing that makes another recording: (feat. …), - Remastered 2011."""
    if wanted_key(Wanted(title=one)) == wanted_key(Wanted(title=other)):
        return 100.0
    return ratio(fold(one), fold(other))
