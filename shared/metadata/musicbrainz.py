"""Which recording of MusicBrainz is meant, and which of its releases it shall belong to.

Asked by MBID, then ISRC, then by words; each answer is weighed alike, an id or ISRC being one more reason among others:
catalogues confuse them. The weights are this project's own; 80 of 100 and more is sure, 55 and more is doubtful.
"""

from __future__ import annotations

import math
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.audio.fields import date_of
from shared.metadata.client import MusicBrainzClient, quoted
from shared.metadata.harmonise import VARIOUS_ARTISTS, Wish, alike, title_of, versions_in
from shared.model.download import Failure, Wanted
from shared.model.units import Milliseconds

SURE, DOUBTFUL = 80.0, 55.0
WEIGHTS = {"id": 25.0, "isrc": 25.0, "title": 30.0, "artist": 30.0, "duration": 25.0, "album": 10.0}
TOO_FAR_S = 15.0                # more seconds apart is never sure
_CAP_FAR, _CAP_OTHER = 70.0, 50.0
_SAME_NAME = 75.0               # less alike is never sure
_ARTICLE = re.compile(r"(?:the|los|las|die|les)\s+(?=\S)|,\s*the\Z", re.IGNORECASE)
_MOST_REMEMBERED = 500          # albums whose release is known

Recording = Mapping[str, Any]
Release = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Match:
    """A recording that may be meant."""

    recording: Recording
    score: float                                    # 0-100
    parts: Mapping[str, float] = field(default_factory=dict)
    by: str = "words"                               # id | isrc | release | words | fingerprint
    release: Release | None = None                  # the whole release it was found in, when that was known before

    @property
    def sure(self) -> bool:
        return self.score >= SURE

    @property
    def label(self) -> str:
        return f"“{self.recording.get('title', '?')}” by {self.recording.get('artist-credit-phrase', '?')}"


@dataclass(frozen=True, slots=True)
class Chosen:
    """A release, and where in it the recording stands."""

    release: Release
    place: Mapping[str, Any]                        # {"medium": …, "track": …}

    def filled(self, recording: Recording) -> Recording:
        """`recording` with what only its release tells of it (ISRCs, tags)."""
        return {**(self.place["track"].get("recording") or {}), **recording}


# ---- weighing ----------------------------------------------------------------------------------------------------


def weigh(wish: Wish, recording: Recording, duration_ms: Milliseconds | None, *, by: str = "words") -> Match:
    """How likely `recording` is the one that is wished. Pure."""
    wanted = wish.wanted
    parts: dict[str, float] = {}
    cap = 100.0
    title = title_of(str(recording.get("title", "")))
    asked = title_of(wanted.title) if wanted.title else None
    if asked is not None:
        parts["title"] = max(alike(asked.base, title.base), alike(wanted.title, recording.get("title")))
        cap = _cap(parts["title"], by)
    if wanted.artist:
        parts["artist"] = artist_score(wanted, recording.get("artist-credit", ()))
        cap = min(cap, _cap(parts["artist"], by))
    length = _length(recording)
    if duration_ms and length:
        apart_s = abs(duration_ms - length) / 1000
        parts["duration"] = 100 * math.exp(-0.1 * max(0.0, apart_s - 1.0))
        if apart_s > TOO_FAR_S:
            cap = min(cap, _CAP_FAR)
    if wanted.isrc and recording.get("isrc-list"):
        parts["isrc"] = 100.0 if wanted.isrc in recording["isrc-list"] else 40.0
    if by == "id":
        parts["id"] = 100.0
    if wanted.album and (on := recording.get("release-list")):
        parts["album"] = max(album_score(wanted.album, release) for release in on)
    total = sum(WEIGHTS[name] for name in parts)
    score = sum(WEIGHTS[name] * value for name, value in parts.items()) / total if total else 0.0
    if not {"title", "artist"} & parts.keys() and by == "words":
        cap = 0.0
    if by == "words" and "artist" not in parts:
        cap = min(cap, SURE - 5)        # a title alone is worth nothing
    if asked is not None:
        made = title.versions | versions_in(str(recording.get("disambiguation", "")))
        meant = asked.versions | (versions_in(wanted.album or "") & made)
        if wrong := made ^ meant:
            parts["version"] = max(0.0, 100.0 - 40.0 * len(wrong))
            score *= 0.5 ** len(wrong)         # another recording of it, however alike the rest is
    if recording.get("video") == "true":
        score *= 0.9
    return Match(recording, round(min(score, cap), 1), {name: round(value, 1) for name, value in parts.items()}, by)


def _cap(alikeness: float, by: str) -> float:
    """The most a match can score whose title or artist is so alike, however well the rest fits."""
    if alikeness < 60:
        return _CAP_OTHER if by == "words" else _CAP_FAR
    return SURE - 5 if alikeness < _SAME_NAME else 100.0


def artist_score(wanted: Wanted, credit: Iterable[Any]) -> float:
    """0-100: how alike the wanted artist and an artist credit are; the main ones count, guests hardly."""
    names: list[list[str]] = []         # each with its spellings
    joined = ""
    for one in credit:
        if isinstance(one, str):
            joined += one
            continue
        artist = one.get("artist") or {}
        spelt = [str(name) for name in (one.get("name"), artist.get("name"), artist.get("sort-name")) if name]
        if spelt:
            names.append(spelt)
            joined += spelt[0]
    if not names:
        return 0.0
    main = wanted.artists[0] if wanted.artists else wanted.artist or ""
    best = max(alike(wanted.artist, joined), *(_same(main, one) for one in names[0]))
    for others in names[1:]:            # credited in another order
        best = max(best, *(_same(main, one) * 0.9 for one in others))
    first = max(_same(name, one) for one in names[0] for name in (*wanted.artists, wanted.artist or ""))
    return max(best, first * 0.9)


def _same(one: str, other: str) -> float:
    """How alike two artists' names are; "The" may stand before, behind, or be missing."""
    return max(alike(one, other), alike(_ARTICLE.sub("", one), _ARTICLE.sub("", other)) * 0.98)


def album_score(album: str, release: Release) -> float:
    """0-100: how alike an album's name and a release are; another edition of it is 85."""
    shown = str(release.get("title", ""))
    if (same := alike(album, shown)) >= 97:
        return same
    edition = str(release.get("disambiguation", ""))
    if edition and alike(album, f"{shown} {edition}") >= 95:
        return 100.0
    mine, theirs = title_of(album), title_of(shown)
    bare = alike(_without_edition(mine.base), _without_edition(theirs.base))
    return min(bare, 85.0) if bare >= 90 else min(same, 75.0)


_EDITION = re.compile(
    r"\s*[(\[][^()\[\]]*(?:edition|deluxe|version|remaster|expanded|anniversary|bonus|reissue)[^()\[\]]*[)\]]"
    r"|\s+-\s+(?:single|ep)\Z", re.IGNORECASE)


def _without_edition(name: str) -> str:
    return _EDITION.sub("", " ".join(name.split())).strip() or name


def _length(recording: Recording) -> int | None:
    try:
        return int(recording.get("length") or 0) or None
    except (TypeError, ValueError):
        return None


# ---- asking ------------------------------------------------------------------------------------------------------


class Finder:
    """Finds recordings and chooses releases; one to three requests a track, fewer when its album was met before."""

    def __init__(self, *, client: MusicBrainzClient) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._releases: OrderedDict[str, str] = OrderedDict()   # an album's key → the release chosen for it

    def find(self, wish: Wish, duration_ms: Milliseconds | None, *, check: Callable[[], None]) -> list[Match]:
        """Recordings that may be meant, the likeliest first. `check` is called before each request.

        Raises Failure when MusicBrainz cannot be asked.
        """
        wanted = wish.wanted
        matches: list[Match] = []
        if known := self._known(wanted):
            check()
            if (release := self._release(known)) and (found := _in_release(wish, release, duration_ms)):
                return [found]
        if wanted.recording_mbid:
            check()
            if one := self._recording(wanted.recording_mbid):
                matches.append(weigh(wish, one, duration_ms, by="id"))
        if not _sure(matches) and wanted.isrc:
            check()
            matches += [weigh(wish, one, duration_ms, by="isrc")
                        for one in self._client.recordings_by_isrc(wanted.isrc)]
        if not _sure(matches) and wanted.title and wanted.artist:
            check()
            met = {one.recording.get("id") for one in matches}
            matches += [weigh(wish, one, duration_ms) for one in self._search(wanted) if one.get("id") not in met]
        return sorted(matches, key=lambda one: self._rank(wish, one))

    def by_id(self, wish: Wish, mbid: str, duration_ms: Milliseconds | None) -> Match | None:
        """The recording that a fingerprint named."""
        one = self._recording(mbid)
        return None if one is None else weigh(wish, one, duration_ms, by="fingerprint")

    def choose(self, wish: Wish, match: Match, *, check: Callable[[], None]) -> Chosen | None:
        """The release the recording shall belong to: the wanted album's, else official and early, rather an album
        than a compilation. None when the wanted album is none of them: then the wish's own album stands, so that an
        album's tracks stay together.
        """
        wanted = wish.wanted
        mbid = str(match.recording.get("id", ""))
        key = _album_key(wanted)
        if match.release is not None and (place := _place(match.release, mbid, wanted)):
            return Chosen(match.release, place)
        if known := self._known(wanted):
            check()
            if (found := self._release(known)) and (place := _place(found, mbid, wanted)):
                return Chosen(found, place)
        check()
        listed = self._client.releases_of_recording(mbid)
        for release in best_releases(wanted, listed)[:2]:
            check()
            found = self._release(str(release.get("id", "")))
            if found and (place := _place(found, mbid, wanted)):
                if key:
                    self._remember(key, str(found["id"]))
                return Chosen(found, place)
        return None

    def on(self, wish: Wish, match: Match, release_mbid: str) -> Chosen | None:
        """That release, if the recording stands on it."""
        found = self._release(release_mbid)
        place = _place(found, str(match.recording.get("id", "")), wish.wanted) if found else None
        return Chosen(found, place) if found and place else None

    def _known(self, wanted: Wanted) -> str | None:
        """The release that is wanted, or was chosen for the wanted album before."""
        key = _album_key(wanted)
        with self._lock:
            return wanted.release_mbid or (self._releases.get(key) if key else None)

    def _rank(self, wish: Wish, match: Match) -> tuple[Any, ...]:
        """Of equally likely recordings: the better known one, which is on more releases; then the older."""
        on: Sequence[Release] = match.recording.get("release-list", ())
        proper = [one for one in on if _kind(one) == 0]
        dates = sorted(date_of(one.get("date") or "") or "9999" for one in on)
        return (-round(match.score), -match.score if match.by in ("id", "isrc") else 0, not proper,
                -match.parts.get("album", 0.0), dates[0] if dates else "9999", str(match.recording.get("id", "")))

    def _recording(self, mbid: str) -> Recording | None:
        try:
            return self._client.recording(mbid)
        except Failure as failure:
            if failure.code == "not_found":
                return None
            raise

    def _release(self, mbid: str) -> Release | None:
        try:
            return self._client.release(mbid)
        except Failure as failure:
            if failure.code == "not_found":
                return None
            raise

    def _search(self, wanted: Wanted) -> list[dict[str, Any]]:
        title = title_of(wanted.title or "")
        main = wanted.artists[0] if wanted.artists else wanted.artist or ""
        query = f"+recording:{quoted(title.base)} +artist:{quoted(main)}"
        if wanted.album:
            query += f" release:{quoted(wanted.album)}"
        for version in sorted(title.versions):
            query += f" {quoted(version)}"
        return self._client.search_recordings(query, limit=25)

    def _remember(self, key: str, mbid: str) -> None:
        with self._lock:
            self._releases[key] = mbid
            self._releases.move_to_end(key)
            while len(self._releases) > _MOST_REMEMBERED:
                self._releases.popitem(last=False)


def _in_release(wish: Wish, release: Release, duration_ms: Milliseconds | None) -> Match | None:
    """The one track of a known release that is surely meant: then nobody else needs to be asked."""
    wanted, sure = wish.wanted, []
    for medium in release.get("medium-list", ()):
        for track in medium.get("track-list", ()):
            held = track.get("recording") or {}
            recording = {**held, "title": track.get("title") or held.get("title"),
                         "artist-credit": track.get("artist-credit") or held.get("artist-credit") or (),
                         "length": held.get("length") or track.get("length")}
            same = bool(wanted.recording_mbid) and held.get("id") == wanted.recording_mbid
            match = weigh(wish, recording, duration_ms, by="id" if same else "words")
            if same and match.sure:
                return Match(held, match.score, match.parts, "id", release)
            if match.sure:
                sure.append(Match(held, match.score, match.parts, "release", release))
    recordings = {str(one.recording.get("id")) for one in sure}
    return max(sure, key=lambda one: one.score) if len(recordings) == 1 else None


def _sure(matches: Iterable[Match]) -> bool:
    return any(one.sure for one in matches)


def _album_key(wanted: Wanted) -> str | None:
    if not wanted.album:
        return None
    return "\x1f".join(str(one or "").casefold() for one in (
        wanted.album, wanted.album_artist or (wanted.artists[0] if wanted.artists else wanted.artist)))


def best_releases(wanted: Wanted, releases: Iterable[Release]) -> list[Release]:
    """The releases that may be chosen, the best first. With a wanted album: only those of its name; another edition
    only when its number of tracks is the wanted one. Pure."""
    fitting = []
    for one in releases:
        score = album_score(wanted.album, one) if wanted.album else 100.0
        edition = score < 97
        if edition and (score < 85 or (wanted.track_total and wanted.track_total not in _totals(one))):
            continue
        fitting.append((one, edition))

    def rank(pair: tuple[Release, bool]) -> tuple[Any, ...]:
        one, edition = pair
        group = one.get("release-group") or {}
        date = date_of(one.get("date") or "")
        total_fits = bool(wanted.track_total and wanted.track_total in _totals(one))
        first = date_of(group.get("first-release-date") or "") or "9999"
        return (
            edition, one.get("status") not in ("Official", None), 0 if wanted.album else _kind(one),
            not total_fits if wanted.track_total else False,
            _year_apart(wanted.date, date) if wanted.album else 0,
            "" if wanted.album else first, date or "9999",
            one.get("country") not in ("XW", "XE"), str(one.get("id", "")),
        )

    return [one for one, _ in sorted(fitting, key=rank)]


def _kind(release: Release) -> int:
    """0 an album of the artist's own … larger is less wanted."""
    group = release.get("release-group") or {}
    secondary = {str(one).casefold() for one in group.get("secondary-type-list", ())}
    primary = str(group.get("primary-type") or group.get("type") or "").casefold()
    various = any(isinstance(one, Mapping) and (one.get("artist") or {}).get("id") == VARIOUS_ARTISTS
                  for one in release.get("artist-credit", ()))
    if various or secondary & {"compilation", "dj-mix", "mixtape/street"}:
        return 4
    if secondary & {"live", "remix", "demo", "interview", "spokenword", "audiobook"}:
        return 3
    return {"album": 0, "ep": 1, "single": 2}.get(primary, 3)


def _totals(release: Release) -> set[int]:
    """How many tracks a release has: each medium's, and all together."""
    counts = [int(one.get("track-count") or len(one.get("track-list", ()))) for one in release.get("medium-list", ())]
    return {*counts, sum(counts)} - {0}


def _year_apart(wanted: str | None, date: str | None) -> int:
    if not wanted or not date:
        return 50
    return abs(int(wanted[:4]) - int(date[:4]))


def _place(release: Release, mbid: str, wanted: Wanted) -> dict[str, Any] | None:
    """Where the recording stands in a whole release; of several places the wanted number."""
    places = [
        {"medium": medium, "track": track}
        for medium in release.get("medium-list", ()) for track in medium.get("track-list", ())
        if (track.get("recording") or {}).get("id") == mbid
    ]
    if not places:
        return None

    def far(place: dict[str, Any]) -> tuple[bool, bool]:
        return (bool(wanted.disc_number) and str(place["medium"].get("position")) != str(wanted.disc_number),
                bool(wanted.track_number) and str(place["track"].get("position")) != str(wanted.track_number))

    return min(places, key=far)
