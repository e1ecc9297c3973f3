"""Albums: lists, one of them with its tracks, and the pictures of albums, tracks and artists."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields

from sqlalchemy import ColumnElement, Connection, bindparam, func, literal_column, select

from shared.database import Database, driver_cursor
from shared.model.errors import BadInput, NotFound
from shared.model.filepath import to_path
from shared.model.person import Person
from shared.model.track import Album, AlbumWhole, Disc, Filters, Page
from shared.records import folding, revisions, search_index, visible
from shared.records.pages import Heard, Lists, Order, Shuffled, Sort, in_pieces
from shared.records.showing import ARTIST_ARTWORK, show_albums, show_tracks
from shared.records.tables import (
    album_credits,
    album_genres,
    album_listening,
    albums,
    artists,
    artwork,
    discs,
    genres,
    playlist_entries,
    playlists,
    roots,
    tracks,
)
from shared.records.tables import (
    credits as track_credits,
)
from shared.records.tracks import ARTIST_ROLES, EVERYTHING

# Written out, not bound: only so does SQLite use the indexes of visible albums.
VISIBLE: ColumnElement[bool] = literal_column("albums.track_count") > literal_column("0")
MOST_TRACKS = 5_000  # of one album in one answer


def _heard(column: str) -> Heard:
    value = album_listening.c[column]
    return Heard(
        album_listening, album_listening.c.album_id, value, value > 0 if column == "play_count" else value.is_not(None)
    )


SORTS: dict[str, Sort] = {
    "title": Order((albums.c.sort_key,)),
    "artist": Order((albums.c.artist_sort_key, albums.c.year_key, albums.c.sort_key)),
    "added": Order((albums.c.added_at,)),
    "year": Order((albums.c.year_key, albums.c.sort_key)),
    "plays": _heard("play_count"),
    "played": _heard("last_played_at"),
    "favourited": _heard("favourite_at"),
    "random": Shuffled(),
}


@dataclass(frozen=True, slots=True)
class Artwork:
    """A picture as it lies in a music folder. `root` and `path` are as the file system wants them."""

    id: int
    kind: str  # sidecar: `path` is the picture; embedded: `path` is the audio file that holds it
    root: str
    path: str
    version: str
    color: str | None
    kept: str | None = None  # sha256 of a copy in data/covers


_GET = select(albums.c.id).where(albums.c.uid == bindparam("uid"), VISIBLE)
_BY_UID = select(albums.c.uid, albums.c.id).where(albums.c.uid.in_(bindparam("uids", expanding=True)), VISIBLE)
_ARTWORK = select(
    artwork.c.id, artwork.c.kind, roots.c.path, artwork.c.path, artwork.c.version, artwork.c.color, artwork.c.kept
).join(roots, roots.c.id == artwork.c.root_id)
_OF_ALBUM = _ARTWORK.join(albums, albums.c.artwork_id == artwork.c.id).where(albums.c.uid == bindparam("uid"), VISIBLE)
_OF_TRACK = _ARTWORK.where(
    artwork.c.id
    == (
        select(func.coalesce(albums.c.artwork_id, tracks.c.artwork_id))
        .select_from(tracks.outerjoin(albums, albums.c.id == tracks.c.album_id))
        .where(tracks.c.uid == bindparam("uid"), tracks.c.trashed_at.is_(None))
        .scalar_subquery()
    )
)
_OF_ARTIST = _ARTWORK.where(
    artwork.c.id
    == (select(ARTIST_ARTWORK).select_from(artists).where(artists.c.uid == bindparam("uid")).scalar_subquery())
)
_OF_ARTIST_ON_OTHERS = (  # of an artist without albums: one they play on
    _ARTWORK.join(albums, albums.c.artwork_id == artwork.c.id)
    .join(tracks, tracks.c.album_id == albums.c.id)
    .join(track_credits, track_credits.c.track_id == tracks.c.id)
    .join(artists, artists.c.id == track_credits.c.artist_id)
    .where(artists.c.uid == bindparam("uid"), track_credits.c.role.in_(ARTIST_ROLES), VISIBLE)
    .limit(1)
)
_OF_PLAYLIST = (  # of the first of its tracks that has one; somebody else's only when it is shared
    _ARTWORK.join(albums, albums.c.artwork_id == artwork.c.id)
    .join(tracks, tracks.c.album_id == albums.c.id)
    .join(playlist_entries, playlist_entries.c.track_id == tracks.c.id)
    .join(playlists, playlists.c.id == playlist_entries.c.playlist_id)
    .where(
        playlists.c.uid == bindparam("uid"),
        (playlists.c.visibility != "private") | (playlists.c.user_id == bindparam("user")),
        tracks.c.trashed_at.is_(None),
    )
    .order_by(playlist_entries.c.position)
    .limit(1)
)
_IN_ALBUM = (
    select(tracks.c.id)
    .where(tracks.c.album_id == bindparam("album_id"), tracks.c.trashed_at.is_(None))
    .order_by(tracks.c.album_position, tracks.c.id)
    .limit(MOST_TRACKS)
)
_COLOR = re.compile(r"#[0-9a-f]{6}")


def album_id_of(conn: Connection, uid: str, person: Person | None = None) -> int:
    """The inner id of a visible album; `person`: who must see it, inside a transaction. Raises NotFound."""
    found = conn.execute(_GET, {"uid": uid}).scalar_one_or_none()
    if found is None or not visible.sees(conn, person, "album", found):
        raise NotFound("There is no such album in the library.")
    return int(found)


def album_ids_of(conn: Connection, uids: Sequence[str]) -> dict[str, int]:
    return in_pieces(conn, _BY_UID, uids)


class Albums:
    """The library's albums: those with at least one track that is not in the trash."""

    def __init__(self, *, database: Database) -> None:
        self._database = database
        self._lists = Lists(
            database=database,
            id=albums.c.id,
            sorts=SORTS,
            conditions=_conditions,
            ids_of=album_ids_of,
            show=show_albums,
        )

    def list(
        self,
        person: Person,
        *,
        filters: Filters = EVERYTHING,
        sort: str = "title",
        limit: int = 100,
        cursor: str | None = None,
        offset: int | None = None,
        ids: Sequence[str] | None = None,
        seed: int | None = None,
    ) -> Page[Album]:
        """A page of albums; `ids` asks for these, in that order, and nothing else. Raises BadInput."""
        return self._lists.page(
            person, filters=filters, sort=sort, limit=limit, cursor=cursor, offset=offset, ids=ids, seed=seed
        )

    def get(self, person: Person, uid: str) -> AlbumWhole:
        """One album with its tracks in their order, and its discs. Raises NotFound."""
        with self._database.read(person) as conn:
            album_id = album_id_of(conn, uid)
            album = show_albums(conn, person, [album_id])[0]
            its = show_tracks(conn, person, conn.execute(_IN_ALBUM, {"album_id": album_id}).scalars().all())
            titles: dict[int, str | None] = {
                number: title
                for number, title in conn.execute(
                    select(discs.c.number, discs.c.title).where(discs.c.album_id == album_id)
                )
            }
            numbers = sorted({track.disc_number or 1 for track in its})
            return AlbumWhole(
                **{one.name: getattr(album, one.name) for one in fields(Album)},
                tracks=its,
                discs=[Disc(number=number, title=titles.get(number)) for number in numbers],
            )

    # ---- pictures

    def must_see(self, person: Person, uid: str) -> None:
        """Raise NotFound, as for an album that is not there, when a person does not see it."""
        if person.limited:
            with self._database.read(person) as conn:
                album_id_of(conn, uid)

    def artwork_of(self, uid: str, *, person: Person | None = None) -> Artwork | None:
        """The picture of an album, a track, an artist (one of their albums') or a playlist; None when there is none.

        person      None: the station itself asks, and sees all but private playlists.
        """
        given = {"uid": uid, "user": person.user_id if person is not None else 0}
        with self._database.read(person) as conn:
            for query in (_OF_ALBUM, _OF_TRACK, _OF_ARTIST, _OF_ARTIST_ON_OTHERS, _OF_PLAYLIST):
                row = conn.execute(query, given).first()
                if row is not None:
                    return Artwork(row[0], row[1], to_path(row[2]), to_path(row[3]), row[4], row[5], row[6])
        return None

    def set_color(self, artwork_id: int, color: str) -> None:
        """Keep a picture's colour, #rrggbb. What shows it counts as changed."""
        if not _COLOR.fullmatch(color):
            raise BadInput("A colour looks like #1a2b3c.")
        self.set_colors({artwork_id: color})

    def set_colors(self, colors: dict[int, str]) -> None:
        """Keep several pictures' colours in one transaction."""
        with self._database.transaction(durable=False) as conn:
            cursor = driver_cursor(conn)
            new = [(color, artwork_id, color) for artwork_id, color in colors.items()]
            cursor.executemany("UPDATE artwork SET color = ? WHERE id = ? AND color IS NOT ?", new)
            if cursor.rowcount:
                revision = revisions.bump(conn)
                cursor.executemany(
                    "UPDATE albums SET changed_rev = ? WHERE artwork_id = ?",
                    [(revision, artwork_id) for artwork_id in colors],
                )


def _conditions(conn: Connection, person: Person, filters: Filters) -> list[ColumnElement[bool]] | None:
    where: list[ColumnElement[bool]] = [VISIBLE]
    if filters.artist_id is not None:
        artist = select(artists.c.id).where(artists.c.uid == filters.artist_id).scalar_subquery()
        where.append(albums.c.id.in_(select(album_credits.c.album_id).where(album_credits.c.artist_id == artist)))
    if filters.genre is not None:
        where.append(
            albums.c.id.in_(
                select(album_genres.c.album_id)
                .join(genres, genres.c.id == album_genres.c.genre_id)
                .where(genres.c.folded == (folding.same(filters.genre) or filters.genre))
            )
        )
    if filters.year is not None:
        where.append(albums.c.year_key == filters.year)
    if filters.compilation is not None:
        where.append(albums.c.compilation == int(filters.compilation))
    if filters.favourite is not None:
        mine = select(album_listening.c.album_id).where(
            album_listening.c.user_id == person.user_id, album_listening.c.favourite_at.is_not(None)
        )
        where.append(albums.c.id.in_(mine) if filters.favourite else albums.c.id.not_in(mine))
    if filters.q is not None:
        matching = search_index.matching(driver_cursor(conn), "album_words", filters.q, limited=person.limited)
        if matching is None:
            return None
        where.append(albums.c.id.in_(matching))
    return where
