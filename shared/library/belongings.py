"""Playlists, favourites, ratings and plays of one person as one document, to take along to another library or to keep.

    {"soundsible": 1, "exported_at": …, "username": …, "tracks": [track …],
     "playlists": [{"id", "name", "comment", "visibility", "created_at", "updated_at", "tracks": [place …]}],
     "favourites": {"tracks": [{"track": place, "at"}], "albums": [{"id", "mbid", "title", "artist", "at"}],
                    "artists": [{"id", "mbid", "name", "at"}]},
     "ratings": [{"track": place, "rating"}], "plays": [{"track": place, "at", "ms"}]}

    track: {"id", "isrc", "mbid", "title", "artist", "album", "duration_ms"}; a place is its number in "tracks".

A track is found again by its id (in the same library), its ISRC, its recording's MusicBrainz id, else by title, artist
and length. Documents come from strangers: their shape, sizes and counts are bounded before anything is done with them.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec

from shared.model.errors import BadInput
from shared.model.person import Person
from shared.model.units import MIB, Bytes
from shared.records import belongings as records
from shared.records.belongings import Group, Identity, Mine, Taken, in_order
from shared.records.moments import shown

KINDS = ("playlists", "favourites", "ratings", "plays")
DOCUMENT_BYTES: Bytes = 256 * MIB       # read from a file, by a program that ends afterwards
SHOWN_MISSING = 200                     # tracks that are named when they are not here

MOST_TRACKS, MOST_PLAYS, MOST_PLAYLISTS, MOST_FAVOURITES = 500_000, 2_000_000, 10_000, 500_000

Id = Annotated[str, msgspec.Meta(max_length=64)]
Text = Annotated[str, msgspec.Meta(max_length=1000)]
Comment = Annotated[str, msgspec.Meta(max_length=5000)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
Place = Annotated[int, msgspec.Meta(ge=0, lt=MOST_TRACKS)]
Moment = Annotated[str, msgspec.Meta(max_length=40)]
Places = Annotated[list[Place], msgspec.Meta(max_length=100_000)]


class _Part(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """Unknown fields are refused: what is not understood cannot be taken over."""


class TrackIdentity(_Part, kw_only=True):
    id: Id = ""
    isrc: Id = ""
    mbid: Id = ""
    title: Text = ""
    artist: Text = ""
    album: Text = ""
    duration_ms: Annotated[int, msgspec.Meta(ge=0, le=7 * 86_400_000)] = 0


class PlaylistContent(_Part, kw_only=True):
    id: Id = ""
    name: Name
    visibility: Literal["private", "shared", "collaborative"] = "private"
    created_at: Moment = ""
    updated_at: Moment = ""
    comment: Comment = ""
    tracks: Places = []


class FavouriteTrack(_Part, kw_only=True):
    track: Place
    at: Moment | None = None


class FavouriteAlbum(_Part, kw_only=True):
    id: Id = ""
    mbid: Id = ""
    title: Text
    artist: Text = ""
    at: Moment | None = None


class FavouriteArtist(_Part, kw_only=True):
    id: Id = ""
    mbid: Id = ""
    name: Text
    at: Moment | None = None


class Favourites(_Part, kw_only=True, omit_defaults=False):
    tracks: Annotated[list[FavouriteTrack], msgspec.Meta(max_length=MOST_FAVOURITES)] = []
    albums: Annotated[list[FavouriteAlbum], msgspec.Meta(max_length=20_000)] = []
    artists: Annotated[list[FavouriteArtist], msgspec.Meta(max_length=20_000)] = []


class TrackRating(_Part, kw_only=True):
    """One to five stars; 0 takes them away."""

    track: Place
    rating: Annotated[int, msgspec.Meta(ge=0, le=5)]


class TrackPlay(_Part, kw_only=True):
    track: Place
    at: Moment
    ms: Annotated[int, msgspec.Meta(ge=0, le=7 * 86_400_000)] | None = None


class Document(_Part, kw_only=True, omit_defaults=False):
    """What GET /api/export gives and POST /api/import takes."""

    soundsible: Literal[1]
    exported_at: Moment = ""
    username: Text = ""
    tracks: Annotated[list[TrackIdentity], msgspec.Meta(max_length=MOST_TRACKS)] = []
    playlists: Annotated[list[PlaylistContent], msgspec.Meta(max_length=MOST_PLAYLISTS)] = []
    favourites: Favourites = msgspec.field(default_factory=Favourites)
    ratings: Annotated[list[TrackRating], msgspec.Meta(max_length=MOST_FAVOURITES)] = []
    plays: Annotated[list[TrackPlay], msgspec.Meta(max_length=MOST_PLAYS)] = []


class PlaylistReport(msgspec.Struct, kw_only=True):
    made: int
    updated: int
    same: int


class ImportReport(msgspec.Struct, kw_only=True):
    """What an import changed, or with `dry_run` would change. `ratings`, `favourites`, `plays`: how many were new or
    became another. `not_found`: tracks that this library does not have, the first of them; `missing` counts all."""

    playlists: PlaylistReport
    ratings: int
    favourites: int
    plays: int
    not_found: list[TrackIdentity]
    missing: int
    dry_run: bool


class Belongings:
    """Everybody's own things, out and in."""

    def __init__(self, *, records: records.Belongings) -> None:
        self._records = records

    def document(self, person: Person, what: Collection[str] = KINDS) -> Document:
        """The person's own things of those kinds. Raises BadInput for a kind that there is not."""
        return _document(person, self._records.of(person, kinds(what)))

    def take(self, person: Person, document: Document, *, what: Collection[str] = KINDS, dry_run: bool = False,
             private: bool = False) -> ImportReport:
        """Make what the document tells of the person's own. `private`: playlists are shared with nobody, whatever the
        document says. Raises BadInput when it contradicts itself."""
        given = _given(document, kinds(what), private=private)
        taken = self._records.take(person, given, dry_run=dry_run)
        return _report(document, taken, dry_run)


def kinds(what: Collection[str]) -> tuple[str, ...]:
    """In the order of KINDS. Raises BadInput."""
    for one in what:
        if one not in KINDS:
            raise BadInput(f"There is no kind {one[:40]!r}; there are {', '.join(KINDS)}.", field="what")
    return tuple(one for one in KINDS if one in what)


_read_document = msgspec.json.Decoder(Document).decode


def read(text: bytes) -> Document:
    """A document from its JSON. Raises BadInput; never takes more memory than a few times its size."""
    try:
        return _read_document(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise BadInput(f"This is no document of playlists and listening: {str(problem)[:300]}.") from None


def written(document: Document) -> bytes:
    return msgspec.json.encode(document)


# ---- out ---------------------------------------------------------------------------------------------------------


def _document(person: Person, mine: Mine) -> Document:
    places: dict[int, int] = {}
    tracks: list[TrackIdentity] = []
    for key, one in in_order(mine):
        places[key] = len(tracks)
        tracks.append(_track(one))
    return Document(
        soundsible=1, exported_at=shown(time.time()), username=person.username, tracks=tracks,
        playlists=[PlaylistContent(
            id=one.uid, name=one.name, visibility=one.visibility,  # type: ignore[arg-type]
            created_at=shown(one.created_at), updated_at=shown(one.updated_at), comment=one.comment,
            tracks=[places[track] for track in one.track_ids if track in places],
        ) for one in mine.playlists],
        favourites=Favourites(
            tracks=[FavouriteTrack(track=places[key], at=shown(at)) for key, at in mine.favourites if key in places],
            albums=[FavouriteAlbum(id=one.uid, mbid=one.mbid, title=one.name, artist=one.artist, at=shown(at))
                    for one, at in mine.albums],
            artists=[FavouriteArtist(id=one.uid, mbid=one.mbid, name=one.name, at=shown(at))
                     for one, at in mine.artists],
        ),
        ratings=[TrackRating(track=places[key], rating=rating) for key, rating in mine.ratings if key in places],
        plays=[TrackPlay(track=places[key], at=shown(at), ms=ms) for key, at, ms in mine.plays if key in places],
    )


def _track(one: Identity) -> TrackIdentity:
    return TrackIdentity(id=one.uid, isrc=one.isrc, mbid=one.mbid, title=one.title[:1000], artist=one.artist[:1000],
                 album=one.album[:1000], duration_ms=max(0, min(one.duration_ms, 7 * 86_400_000)))


# ---- in ----------------------------------------------------------------------------------------------------------


def _given(document: Document, what: Sequence[str], *, private: bool) -> records.Given:
    count = len(document.tracks)

    def there(place: int, field: str) -> int:
        if place >= count:
            raise BadInput(f"The document names track {place} and has only {count}.", field=field)
        return place

    def playlists() -> Iterator[records.NewPlaylist]:
        for one in document.playlists:
            name = " ".join(_plain(one.name).split())
            if not name:
                raise BadInput("A playlist needs a name.", field="playlists")
            yield records.NewPlaylist(one.id, name, "private" if private else one.visibility,
                                      [there(place, "playlists") for place in one.tracks], _plain(one.comment))

    liked = document.favourites
    wants = set(what)
    return records.Given(
        tracks=[Identity(_plain(one.id), _plain(one.isrc).replace("-", "").upper(), _plain(one.mbid).lower(),
                         _plain(one.title), _plain(one.artist), _plain(one.album), one.duration_ms)
                for one in document.tracks],
        playlists=list(playlists()) if "playlists" in wants else (),
        favourites=[(there(one.track, "favourites"), _moment(one.at, "favourites")) for one in liked.tracks]
        if "favourites" in wants else (),
        albums=[(Group(_plain(one.id), _plain(one.mbid).lower(), _plain(one.title), _plain(one.artist)),
                 _moment(one.at, "favourites")) for one in liked.albums] if "favourites" in wants else (),
        artists=[(Group(_plain(one.id), _plain(one.mbid).lower(), _plain(one.name), ""),
                  _moment(one.at, "favourites")) for one in liked.artists] if "favourites" in wants else (),
        ratings=[(there(one.track, "ratings"), one.rating) for one in document.ratings] if "ratings" in wants else (),
        plays=[(there(one.track, "plays"), _at(one.at, "plays"), one.ms) for one in document.plays]
        if "plays" in wants else (),
    )


def _plain(text: str) -> str:
    """Without what no database takes: half a surrogate pair, zero bytes."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-8", "ignore").decode("utf-8").replace("\0", "")


def _moment(text: str | None, field: str) -> float | None:
    return None if text is None else _at(text, field)


def _at(text: str, field: str) -> float:
    """Unix seconds of an RFC 3339 moment. Raises BadInput."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError("no zone")
        return moment.timestamp()
    except (ValueError, OverflowError):
        raise BadInput(f"{text[:40]!r} is no moment as 2026-01-31T20:15:00Z is one.", field=field) from None


def _report(document: Document, taken: Taken, dry_run: bool) -> ImportReport:
    return ImportReport(
        playlists=PlaylistReport(made=taken.playlists_made, updated=taken.playlists_updated,
                                 same=taken.playlists_same),
        ratings=taken.ratings, favourites=taken.favourites, plays=taken.plays,
        not_found=[document.tracks[place] for place in taken.not_found[:SHOWN_MISSING]],
        missing=len(taken.not_found), dry_run=dry_run,
    )
