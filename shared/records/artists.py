"""Artists: lists, and one of them with the albums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, or_, select

from shared.database import Database, driver_cursor
from shared.model.errors import NotFound
from shared.model.person import Person
from shared.model.track import Artist, ArtistWhole, Filters, Page
from shared.records import folding, search_index, visible
from shared.records.albums import VISIBLE as VISIBLE_ALBUM
from shared.records.pages import Heard, Lists, Order, Sort, in_pieces
from shared.records.showing import show_albums, show_artists
from shared.records.tables import (
    album_credits,
    albums,
    artist_listening,
    artists,
    genres,
    track_genres,
    tracks,
)
from shared.records.tables import (
    credits as track_credits,
)
from shared.records.tracks import ARTIST_ROLES, EVERYTHING

_VISIBLE = or_(artists.c.track_count > 0, artists.c.album_count > 0)
MOST_ALBUMS = 2_000  # of one artist in one answer

SORTS: dict[str, Sort] = {
    "name": Order((artists.c.sort_key,)),
    "added": Order((artists.c.added_at,)),
    "albums": Order((artists.c.album_count,)),
    "plays": Heard(
        artist_listening, artist_listening.c.artist_id, artist_listening.c.play_count, artist_listening.c.play_count > 0
    ),
    "favourited": Heard(
        artist_listening,
        artist_listening.c.artist_id,
        artist_listening.c.favourite_at,
        artist_listening.c.favourite_at.is_not(None),
    ),
}

_GET = select(artists.c.id).where(artists.c.uid == bindparam("uid"), _VISIBLE)
_BY_UID = select(artists.c.uid, artists.c.id).where(artists.c.uid.in_(bindparam("uids", expanding=True)), _VISIBLE)
_OWN_ALBUMS = (
    select(albums.c.id)
    .join(album_credits, album_credits.c.album_id == albums.c.id)
    .where(album_credits.c.artist_id == bindparam("artist_id"), VISIBLE_ALBUM)
    .order_by(albums.c.year_key.desc(), albums.c.sort_key, albums.c.id)
    .limit(MOST_ALBUMS)
)
_APPEARS_ON = (
    select(albums.c.id)
    .distinct()
    .join(tracks, tracks.c.album_id == albums.c.id)
    .join(track_credits, track_credits.c.track_id == tracks.c.id)
    .where(
        track_credits.c.artist_id == bindparam("artist_id"),
        track_credits.c.role.in_(ARTIST_ROLES),
        tracks.c.trashed_at.is_(None),
        VISIBLE_ALBUM,
    )
    .order_by(albums.c.year_key.desc(), albums.c.id)
    .limit(MOST_ALBUMS)
)


def artist_id_of(conn: Connection, uid: str, person: Person | None = None) -> int:
    """The inner id of an artist that is shown; `person`: who must see them, inside a transaction. Raises NotFound."""
    found = conn.execute(_GET, {"uid": uid}).scalar_one_or_none()
    if found is None or not visible.sees(conn, person, "artist", found):
        raise NotFound("There is no such artist in the library.")
    return int(found)


def _artist_ids_of(conn: Connection, uids: Sequence[str]) -> dict[str, int]:
    return in_pieces(conn, _BY_UID, uids)


class Artists:
    """The library's artists: those of a track or an album that is shown."""

    def __init__(self, *, database: Database) -> None:
        self._database = database
        self._lists = Lists(
            database=database,
            id=artists.c.id,
            sorts=SORTS,
            conditions=_conditions,
            ids_of=_artist_ids_of,
            show=show_artists,
        )

    def list(
        self,
        person: Person,
        *,
        filters: Filters = EVERYTHING,
        sort: str = "name",
        limit: int = 100,
        cursor: str | None = None,
        offset: int | None = None,
        ids: Sequence[str] | None = None,
        seed: int | None = None,
    ) -> Page[Artist]:
        """A page of artists; `ids` asks for these, in that order, and nothing else. Raises BadInput."""
        return self._lists.page(
            person, filters=filters, sort=sort, limit=limit, cursor=cursor, offset=offset, ids=ids, seed=seed
        )

    def get(self, person: Person, uid: str) -> ArtistWhole:
        """One artist with the albums: the own ones first, then those of others that they play on; each the newest
        first. Raises NotFound."""
        with self._database.read(person) as conn:
            artist_id = artist_id_of(conn, uid)
            artist = show_artists(conn, person, [artist_id])[0]
            own = conn.execute(_OWN_ALBUMS, {"artist_id": artist_id}).scalars().all()
            also = conn.execute(_APPEARS_ON, {"artist_id": artist_id}).scalars().all()
            its = show_albums(conn, person, list(dict.fromkeys([*own, *also]))[:MOST_ALBUMS])
            return ArtistWhole(**{one.name: getattr(artist, one.name) for one in fields(Artist)}, albums=its)


def _conditions(conn: Connection, person: Person, filters: Filters) -> list[ColumnElement[bool]] | None:
    where: list[ColumnElement[bool]] = [_VISIBLE]
    if filters.role == "album":
        where.append(artists.c.album_count > 0)
    if filters.genre is not None:
        genre = (
            select(genres.c.id)
            .where(genres.c.folded == (folding.same(filters.genre) or filters.genre))
            .scalar_subquery()
        )
        of_genre: Any = (
            select(track_credits.c.artist_id)
            .join(track_genres, track_genres.c.track_id == track_credits.c.track_id)
            .where(track_genres.c.genre_id == genre, track_credits.c.role.in_(ARTIST_ROLES))
        )
        where.append(artists.c.id.in_(of_genre))
    if filters.favourite is not None:
        mine = select(artist_listening.c.artist_id).where(
            artist_listening.c.user_id == person.user_id, artist_listening.c.favourite_at.is_not(None)
        )
        where.append(artists.c.id.in_(mine) if filters.favourite else artists.c.id.not_in(mine))
    if filters.q is not None:
        matching = search_index.matching(driver_cursor(conn), "artist_words", filters.q, limited=person.limited)
        if matching is None:
            return None
        where.append(artists.c.id.in_(matching))
    return where
