"""MusicBrainz as a catalogue: links and words → recordings and releases, with their identifiers.

The client keeps the one request a second and its own circuit breaker; it is handed in.
"""

from __future__ import annotations

import re
from typing import Any, Protocol
from urllib.parse import urlsplit

from odst.catalogues.asking import date, isrc, key, names, part, rows, text, whole
from shared.model.download import Failure, Offer, Wanted

SITE = "https://musicbrainz.org"
MOST_ALBUMS = 15        # of one artist; each costs a second
_MBID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_LINK = re.compile(rf"^/(recording|release-group|release|artist)/({_MBID})(?:/|$)", re.IGNORECASE)
_HOSTS = frozenset({"musicbrainz.org", "www.musicbrainz.org", "beta.musicbrainz.org"})
_SPECIAL = re.compile(r'([+\-&|!(){}\[\]^"~*?:\\/])')
_OPERATOR = re.compile(r"\b(AND|OR|NOT|TO)\b")


class Client(Protocol):
    """What is used of shared.metadata.client.MusicBrainzClient; the dicts are musicbrainzngs' own."""

    def search_recordings(self, query: str, *, limit: int) -> list[dict[str, Any]]: ...

    def search_release_groups(self, query: str, *, limit: int) -> list[dict[str, Any]]: ...

    def search_releases(self, query: str, *, limit: int) -> list[dict[str, Any]]: ...

    def recording(self, mbid: str) -> dict[str, Any]: ...

    def release(self, mbid: str) -> dict[str, Any]: ...

    def release_group(self, mbid: str) -> dict[str, Any]: ...

    def artist(self, mbid: str) -> dict[str, Any]: ...

    def releases_of_recording(self, mbid: str) -> list[dict[str, Any]]: ...

    def releases_of_group(self, mbid: str) -> list[dict[str, Any]]: ...


class MusicBrainz:
    """MusicBrainz' catalogue. `coverart_url`: the Cover Art Archive, for links to pictures."""

    name = "musicbrainz"
    guards_itself = True    # its client has a circuit breaker already

    def __init__(self, *, client: Client, coverart_url: str = "https://coverartarchive.org") -> None:
        self._client = client
        self._covers = coverart_url.rstrip("/")

    def understands(self, url: str) -> bool:
        return _read(url) is not None

    def resolve(self, url: str) -> Offer:
        found = _read(url)
        if found is None:
            raise Failure("bad_link", "This is no link to a recording, release or artist of MusicBrainz.",
                          provider=self.name)
        kind, mbid = found
        if kind == "recording":
            return self._recording(mbid)
        if kind == "artist":
            return self._artist(mbid)
        return self._release(mbid) if kind == "release" else self._group(mbid)

    def album(self, id: str) -> Offer:
        """`id` of a release or of a release group."""
        if not re.fullmatch(_MBID, id, re.IGNORECASE):
            raise Failure("bad_link", "This is no id of MusicBrainz'.", provider=self.name)
        try:
            return self._release(id)
        except Failure as failure:
            if failure.code != "not_found":
                raise
        return self._group(id)

    def search(self, words: str, *, limit: int) -> list[Offer]:
        """Recordings, then albums (release groups). Two asks, so two seconds."""
        query = plain(words)
        if not query:
            return []
        found = []
        for one in self._client.search_recordings(query, limit=limit):
            wanted = self._wanted_of(one, best(rows(one.get("release-list"))))
            found.append(self._offer_of(wanted))
        try:
            groups = self._client.search_release_groups(query, limit=max(3, limit // 3))
        except Failure:
            if not found:
                raise
            groups = []
        found += [self._album_offer("release-group", one) for one in groups]
        return [one for one in found if one.id and one.title]

    # ---- one kind each --------------------------------------------------------------------------------------------

    def _recording(self, mbid: str) -> Offer:
        about = self._client.recording(mbid)
        wanted = self._wanted_of(about, best(self._client.releases_of_recording(mbid)))
        if not wanted.title:
            raise Failure("garbage", "MusicBrainz answered something unexpected.", provider=self.name)
        return self._offer_of(wanted, tracks=(wanted,))

    def _release(self, mbid: str) -> Offer:
        about = self._client.release(mbid)
        return self._album_offer("release", about, tracks=self._tracks_of(about))

    def _group(self, mbid: str) -> Offer:
        release = best(self._client.releases_of_group(mbid))
        if not release:
            self._client.release_group(mbid)        # raises not_found when there is no such group
            raise Failure("not_found", "MusicBrainz lists no release of this album yet.", provider=self.name)
        return self._release(key(release.get("id")))

    def _artist(self, mbid: str) -> Offer:
        """The tracks of an artist's official albums, EPs and singles, the newest first, each recording once."""
        about = self._client.artist(mbid)
        groups: dict[str, list[dict[str, Any]]] = {}
        for release in self._client.search_releases(f"arid:{mbid} AND status:official", limit=100):
            group = part(release, "release-group")
            if not group.get("secondary-type-list"):    # live, compilation, remix …
                groups.setdefault(key(group.get("id")) or key(release.get("id")), []).append(release)
        chosen = sorted(map(best, groups.values()), key=lambda one: date(one.get("date")) or "", reverse=True)
        tracks: dict[str, Wanted] = {}
        for release in chosen[:MOST_ALBUMS]:
            for wanted in self._tracks_of(self._client.release(key(release.get("id")))):
                tracks.setdefault(f"{wanted.artist} {wanted.title}".casefold(), wanted)
        return Offer(kind="artist", source=self.name, id=mbid, title=text(about.get("name")) or "",
                     url=f"{SITE}/artist/{mbid}", track_count=len(tracks), tracks=tuple(tracks.values()))

    # ---- MusicBrainz' words → ours --------------------------------------------------------------------------------

    def _tracks_of(self, release: dict[str, Any]) -> list[Wanted]:
        """All audio tracks of a release with their places."""
        media = rows(release.get("medium-list"))
        found = []
        for disc, medium in enumerate(media, 1):
            listed = rows(medium.get("track-list"))
            for number, track in enumerate(listed, 1):
                recording = part(track, "recording")
                if recording.get("video") == "true":
                    continue
                found.append(self._wanted_of(
                    {**recording, **{name: track[name] for name in ("title", "artist-credit", "artist-credit-phrase",
                                                                    "length") if track.get(name)}},
                    release, track_number=whole(track.get("position"), 1, 9999) or number, track_total=len(listed),
                    disc_number=whole(medium.get("position"), 1, 999) or disc, disc_total=len(media)))
        return [one for one in found if one.title]

    def _wanted_of(self, recording: dict[str, Any], release: dict[str, Any], **places: Any) -> Wanted:
        id, release_id = key(recording.get("id")), key(release.get("id"))
        group = part(release, "release-group")
        credited = credit(release) or None
        if not places:      # a search tells where on each release the recording stands
            for medium in rows(release.get("medium-list")):
                for track in rows(medium.get("track-list")):
                    places = {"track_number": whole(track.get("number"), 1, 9999),
                              "disc_number": whole(medium.get("position"), 1, 999),
                              "track_total": whole(medium.get("track-count"), 1, 9999)}
        codes = recording.get("isrc-list")
        return Wanted(
            title=text(recording.get("title")), artist=credit(recording) or credited,
            artists=artists(recording) or artists(release), album=text(release.get("title")), album_artist=credited,
            isrc=next((code for one in codes if (code := isrc(one))), None) if isinstance(codes, list) else None,
            duration_ms=whole(recording.get("length"), 1, 10**9),
            date=date(release.get("date")) or date(group.get("first-release-date")),
            recording_mbid=id or None, release_mbid=release_id or None,
            cover_url=self._cover("release", release_id), source=self.name,
            source_url=f"{SITE}/recording/{id}" if id else None, source_id=id or None, **places,
        )

    def _offer_of(self, wanted: Wanted, tracks: tuple[Wanted, ...] = ()) -> Offer:
        return Offer(
            kind="track", source=self.name, id=wanted.source_id or "", title=wanted.title or "", url=wanted.source_url,
            artist=wanted.artist, album=wanted.album, date=wanted.date, duration_ms=wanted.duration_ms,
            cover_url=wanted.cover_url, isrc=wanted.isrc, tracks=tracks,
        )

    def _album_offer(self, kind: str, about: dict[str, Any], *, tracks: list[Wanted] | None = None) -> Offer:
        id = key(about.get("id"))
        group = part(about, "release-group")
        return Offer(
            kind="album", source=self.name, id=id, title=text(about.get("title")) or "", url=f"{SITE}/{kind}/{id}",
            artist=credit(about) or None,
            date=next(filter(None, map(date, (about.get("date"), about.get("first-release-date"),
                                              group.get("first-release-date")))), None),
            track_count=None if tracks is None else len(tracks), cover_url=self._cover(kind, id),
            tracks=tuple(tracks or ()),
        )

    def _cover(self, kind: str, id: str) -> str | None:
        return f"{self._covers}/{kind}/{id}/front-500" if id else None


def credit(one: dict[str, Any]) -> str:
    """The artist credit as it is shown: names and the words between them."""
    if phrase := text(one.get("artist-credit-phrase")):
        return phrase
    pieces = one.get("artist-credit")
    if not isinstance(pieces, list):
        return ""
    return text("".join(piece if isinstance(piece, str) else str(piece.get("name") or part(piece, "artist").get("name")
                        or "") for piece in pieces if isinstance(piece, (str, dict)))) or ""


def artists(one: dict[str, Any]) -> tuple[str, ...]:
    return names(part(row, "artist").get("name") or row.get("name") for row in rows(one.get("artist-credit")))


def best(releases: list[dict[str, Any]]) -> dict[str, Any]:
    """The release that a recording is best known by: official, an album, no collection, the first; {} of none."""

    def order(one: dict[str, Any]) -> tuple[Any, ...]:
        group = part(one, "release-group")
        kind = group.get("primary-type") or group.get("type")
        kinds = ("Album", "EP", "Single")
        return (one.get("status") not in (None, "Official"), bool(group.get("secondary-type-list")),
                kinds.index(kind) if kind in kinds else len(kinds), date(one.get("date")) or "9999")

    return min(releases, key=order, default={})


def plain(words: str) -> str:
    """`words` for MusicBrainz' search language, none of them an operator."""
    escaped = _SPECIAL.sub(r"\\\1", " ".join(words.replace("\0", "").split()))
    return _OPERATOR.sub(lambda found: found[1].lower(), escaped)


def _read(url: str) -> tuple[str, str] | None:
    try:
        parts = urlsplit(url.strip())
        host = (parts.hostname or "").lower()
    except ValueError:
        return None
    if parts.scheme.lower() not in ("http", "https") or host not in _HOSTS:
        return None
    found = _LINK.match(parts.path)
    return (found[1].lower(), found[2].lower()) if found else None
