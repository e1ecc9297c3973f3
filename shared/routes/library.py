"""Look through the library: lists, wholes, search, what changed, the trash, the missing, the music folders."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from flask import Response, request

from shared.model import track as model
from shared.model.errors import BadInput
from shared.model.person import Person
from shared.model.track import (
    Album,
    AlbumWhole,
    Artist,
    ArtistWhole,
    Filters,
    Genre,
    Page,
    SearchResult,
    Track,
)
from shared.records.tracks import Letter, LibraryStats, TrashedTrack
from shared.routes import lrc
from shared.routes.folders import FolderBelow, Root
from shared.routes.operation import Body, Door, Query
from shared.routes.respond import json_of, unless_known
from shared.security.audit import NO_AUDIT

if TYPE_CHECKING:
    from shared.library.shelf import Shelf
    from shared.records.albums import Albums
    from shared.records.artists import Artists
    from shared.records.changes import Changes
    from shared.records.genres import Genres
    from shared.records.search import Search
    from shared.records.tracks import Tracks
    from shared.routes.folders import Folders
    from shared.security.audit import AuditLog

MOST_ITEMS = 500
Text = Annotated[str, msgspec.Meta(max_length=500)]
Offset = Annotated[int, msgspec.Meta(ge=0, le=2**31)]
Year = Annotated[int, msgspec.Meta(ge=0, le=9999)]
Seed = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


def _one_of(*words: str) -> msgspec.Meta:
    return msgspec.Meta(pattern=f"^-?({'|'.join(words)})$",
                        description=f"One of {', '.join(words)}; a leading - turns it round.")


TrackSort = Annotated[str, _one_of("title", "artist", "album", "added", "year", "duration", "plays", "played",
                                   "rating", "random", "favourited")]
AlbumSort = Annotated[str, _one_of("title", "artist", "added", "year", "plays", "played", "random")]
ArtistSort = Annotated[str, _one_of("name", "added", "plays", "albums")]
GenreSort = Annotated[str, _one_of("name", "tracks", "albums")]


class Paging(Query):
    """`limit` is clamped to 1-500. The next page is asked for with its `cursor`; or jump with `offset`."""

    limit: int = 100
    cursor: Text | None = None
    offset: Offset | None = None

    @property
    def page(self) -> dict[str, Any]:
        return {"limit": min(max(self.limit, 1), MOST_ITEMS), "cursor": self.cursor, "offset": self.offset}


class Listing(Paging):
    """`ids`: these and in this order, separated by commas, 500 at most. `seed` repeats a random order."""

    ids: Annotated[str, msgspec.Meta(max_length=40_000)] | None = None
    seed: Seed | None = None
    q: Text | None = None

    @property
    def page(self) -> dict[str, Any]:
        ids = None if self.ids is None else [one for one in self.ids.split(",") if one]
        if ids is not None and len(ids) > MOST_ITEMS:
            raise BadInput(f"At most {MOST_ITEMS} ids can be asked for at once.", field="ids")
        return {**super().page, "ids": ids, "seed": self.seed}


class TrackListing(Listing):
    sort: TrackSort = "title"
    album_id: Text | None = None
    artist_id: Text | None = None
    genre: Text | None = None
    year: Year | None = None
    favourite: bool | None = None
    place: Literal["local", "cache", "cloud", "missing"] | None = None

    @property
    def filters(self) -> Filters:
        return Filters(album_id=self.album_id, artist_id=self.artist_id, genre=self.genre, year=self.year,
                       favourite=self.favourite, place=self.place, q=self.q)


class AlbumListing(Listing):
    sort: AlbumSort = "title"
    artist_id: Text | None = None
    genre: Text | None = None
    year: Year | None = None
    favourite: bool | None = None
    compilation: bool | None = None

    @property
    def filters(self) -> Filters:
        return Filters(artist_id=self.artist_id, genre=self.genre, year=self.year, favourite=self.favourite,
                       compilation=self.compilation, q=self.q)


class ArtistListing(Listing):
    """`role=album`: only those who have albums of their own."""

    sort: ArtistSort = "name"
    genre: Text | None = None
    favourite: bool | None = None
    role: Literal["album"] | None = None

    @property
    def filters(self) -> Filters:
        return Filters(genre=self.genre, favourite=self.favourite, role=self.role, q=self.q)


class GenreListing(Paging):
    sort: GenreSort = "name"


class Finding(Query):
    q: Annotated[str, msgspec.Meta(max_length=1000)] = ""
    limit: int = 20


class Since(Query):
    since: Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class Letters(Query):
    of: Literal["albums", "artists", "tracks"]
    sort: Literal["title", "artist", "name"] | None = None


class LetterIndex(msgspec.Struct, kw_only=True):
    """Where each letter begins in a list, for jumping."""

    letters: list[Letter]


class Line(msgspec.Struct, kw_only=True):
    start_ms: int | None
    text: str


class LyricLines(msgspec.Struct, kw_only=True):
    synced: bool
    language: str | None
    lines: list[Line]


class PurgeMissing(Body):
    """Without `track_ids`: all that are missing."""

    track_ids: Annotated[list[Text], msgspec.Meta(max_length=100_000)] | None = None


class Removed(msgspec.Struct, kw_only=True):
    removed: int


class RootPath(Body):
    path: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]


class Roots(msgspec.Struct, kw_only=True):
    items: list[Root]


class Beneath(Query):
    """`root`: a music folder; `path`: a folder in it, all of it when left out."""

    root: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
    path: Annotated[str, msgspec.Meta(max_length=4096)] = ""


class FoldersBelow(msgspec.Struct, kw_only=True):
    items: list[FolderBelow]


def door(
    *, tracks: Tracks, albums: Albums, artists: Artists, genres: Genres, search: Search, changes: Changes,
    shelf: Shelf, folders: Folders, revision: Callable[[], int], audit: AuditLog = NO_AUDIT,
) -> Door:
    """`revision` tells the library's as it is now; it costs one small read."""
    door = Door("library")

    def page(kind: str, person: Person, query: Any, make: Callable[[], Any]) -> Response:
        if query.sort.endswith("random") and query.seed is None:
            return json_of(make())
        asked = msgspec.structs.astuple(query)
        return unless_known((kind, person.user_id, person.sees_files, person.limited, revision(), asked), make)

    @door.get("/library/tracks", allows="logged_in", query=TrackListing, answers={200: Page[Track]})
    def list_tracks(person: Person, query: TrackListing) -> Response:
        """The tracks, filtered and sorted."""
        return page("tracks", person, query,
                    lambda: tracks.list(person, filters=query.filters, sort=query.sort, **query.page))

    @door.get("/library/albums", allows="logged_in", query=AlbumListing, answers={200: Page[Album]})
    def list_albums(person: Person, query: AlbumListing) -> Response:
        """The albums, filtered and sorted."""
        return page("albums", person, query,
                    lambda: albums.list(person, filters=query.filters, sort=query.sort, **query.page))

    @door.get("/library/artists", allows="logged_in", query=ArtistListing, answers={200: Page[Artist]})
    def list_artists(person: Person, query: ArtistListing) -> Response:
        """The artists, filtered and sorted."""
        return page("artists", person, query,
                    lambda: artists.list(person, filters=query.filters, sort=query.sort, **query.page))

    @door.get("/library/genres", allows="logged_in", query=GenreListing, answers={200: Page[Genre]})
    def list_genres(person: Person, query: GenreListing) -> Response:
        """The genres with how much there is of each."""
        return page("genres", person, query, lambda: genres.list(person, sort=query.sort, **query.page))

    @door.get("/library/tracks/<id>", allows="logged_in", answers={200: Track}, errors=(404,))
    def one_track(person: Person, id: str) -> Track:
        """One track."""
        return tracks.get(person, id)

    @door.get("/library/albums/<id>", allows="logged_in", answers={200: AlbumWhole}, errors=(404,))
    def one_album(person: Person, id: str) -> AlbumWhole:
        """One album with its tracks."""
        return albums.get(person, id)

    @door.get("/library/artists/<id>", allows="logged_in", answers={200: ArtistWhole}, errors=(404,))
    def one_artist(person: Person, id: str) -> ArtistWhole:
        """One artist with the albums."""
        return artists.get(person, id)

    @door.get("/library/tracks/<id>/lyrics", allows="logged_in", answers={200: LyricLines}, errors=(404,))
    def lyrics(person: Person, id: str) -> LyricLines:
        """The words of a track, with times where the file has them; no lyrics are no lines."""
        found = tracks.lyrics(id, person=person)
        if not found:
            return LyricLines(synced=False, language=None, lines=[])
        best = next((one for one in found if one.synced), found[0])
        if best.synced and (timed := lrc.lines(best.text)):
            return LyricLines(synced=True, language=best.language,
                              lines=[Line(start_ms=start, text=words) for start, words in timed])
        return LyricLines(synced=False, language=best.language,
                          lines=[Line(start_ms=None, text=line.rstrip()) for line in best.text.strip().splitlines()])

    @door.get("/library/search", allows="logged_in", query=Finding, answers={200: SearchResult})
    def find(person: Person, query: Finding) -> SearchResult:
        """Search as one types: any word's beginning, no accents needed, small typos forgiven; best first."""
        if not query.q.strip():
            return SearchResult(tracks=[], albums=[], artists=[])
        return search.find(person, query.q, limit=min(max(query.limit, 1), MOST_ITEMS))

    @door.get("/library/changes", allows="logged_in", query=Since, answers={200: model.Changes}, errors=(410,))
    def what_changed(person: Person, query: Since) -> model.Changes:
        """What was added, changed and removed since a revision.

        410: that is too long ago to tell; ask for everything anew. The own favourites, ratings and plays count as
        changes of their tracks.
        """
        return changes.since(person, query.since)

    @door.get("/library/index", allows="logged_in", query=Letters, answers={200: LetterIndex})
    def letters(person: Person, query: Letters) -> Response:
        """At which offset each letter begins, for jumping in long lists."""
        sort = query.sort or ("name" if query.of == "artists" else "title")
        whose = (person.user_id,) if person.limited else ()
        return unless_known(("index", query.of, sort, *whose, revision()),
                            lambda: LetterIndex(letters=list(tracks.letters(query.of, sort, person=person))))

    @door.get("/library/stats", allows="logged_in", answers={200: LibraryStats})
    def stats(person: Person) -> LibraryStats:
        """How much there is."""
        return tracks.stats(person=person)

    # ---- what is gone, or may go

    @door.get("/library/trash", allows="deletes", query=Paging, answers={200: Page[TrashedTrack]})
    def trash(person: Person, query: Paging) -> Page[TrashedTrack]:
        """The tracks in the trash: each with `trashed_at`."""
        return tracks.trashed(limit=query.page["limit"], cursor=query.cursor, person=person)

    @door.post("/library/trash/<id>/restore", allows="deletes", answers={200: Track}, errors=(404, 409, 422))
    def restore(person: Person, id: str) -> Track:
        """Put a track back where it lay."""
        tracks.must_see(person, id, trashed=True)
        shelf.restore(id)
        return tracks.get(person, id)

    @door.delete("/library/trash/<id>", allows="deletes", answers={204: None}, errors=(404, 422))
    def purge(person: Person, id: str) -> None:
        """Remove a track in the trash for ever, and its file."""
        tracks.must_see(person, id, trashed=True)
        shelf.purge(id)

    @door.post("/library/missing/purge", allows="owns", body=PurgeMissing, body_optional=True,
               answers={200: Removed})
    def purge_missing(person: Person, body: PurgeMissing) -> Removed:
        """Forget tracks whose files are missing. No file is touched."""
        return Removed(removed=tracks.purge_missing(body.track_ids))

    # ---- the music folders

    @door.get("/library/roots", allows="sees_files", answers={200: Roots})
    def list_roots(person: Person) -> Roots:
        """The music folders and whether they answer."""
        return Roots(items=folders.all())

    @door.get("/library/folders", allows="owns", query=Beneath, answers={200: FoldersBelow}, errors=(404,))
    def list_folders(person: Person, query: Beneath) -> FoldersBelow:
        """The folders that hold tracks, one level at a time: to say which of them somebody hears."""
        return FoldersBelow(items=folders.below(query.root, query.path))

    @door.post("/library/roots", allows="owns", body=RootPath, answers={201: Root}, errors=(409, 422))
    def add_root(person: Person, body: RootPath) -> Root:
        """Add a music folder of the station's machine; it is scanned at once."""
        root = folders.add(body.path)
        audit.write("folders_changed", person=person, address=request.remote_addr or "", subject=root.path,
                    what="added")
        return root

    @door.delete("/library/roots", allows="owns", body=RootPath, answers={204: None}, errors=(404,))
    def forget_root(person: Person, body: RootPath) -> None:
        """Take a music folder out. Its tracks become missing; no file is touched."""
        folders.forget(body.path)
        audit.write("folders_changed", person=person, address=request.remote_addr or "", subject=body.path,
                    what="taken out")

    return door
