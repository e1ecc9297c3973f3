"""Rows become what people are shown: tracks, albums, artists by their inner ids, a few queries a page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import BindParameter, Connection, and_, bindparam, func, select

from shared.model.person import Person
from shared.model.track import ROLES, Album, Artist, ArtistRef, Cover, CreditRef, ReplayGain, Track
from shared.records.moments import shown
from shared.records.tables import (
    album_credits,
    album_genres,
    album_listening,
    albums,
    artist_listening,
    artists,
    artwork,
    cached,
    copies,
    files,
    genres,
    origins,
    track_genres,
    track_listening,
    tracks,
)
from shared.records.tables import (
    credits as track_credits,
)

_AT_ONCE = 1000  # tracks; SQLite bounds the values in one statement
_RANKS = {role: rank for rank, role in enumerate(ROLES)}
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_USER: BindParameter[Any] = bindparam("user_id")

_TRACKS = (
    select(
        tracks.c.id,
        tracks.c.uid,
        tracks.c.title,
        tracks.c.artist,
        albums.c.title,
        albums.c.uid,
        albums.c.artist,
        tracks.c.track_number,
        tracks.c.disc_number,
        tracks.c.year,
        tracks.c.duration_ms,
        files.c.size_bytes,
        files.c.format,
        files.c.mime_type,
        files.c.bitrate_kbps,
        files.c.sample_rate_hz,
        files.c.bit_depth,
        files.c.channels,
        tracks.c.isrc,
        tracks.c.recording_mbid,
        tracks.c.track_gain_db,
        tracks.c.track_peak,
        tracks.c.album_gain_db,
        tracks.c.album_peak,
        tracks.c.bpm,
        tracks.c.has_lyrics,
        tracks.c.added_at,
        track_listening.c.favourite_at,
        track_listening.c.rating,
        track_listening.c.play_count,
        files.c.missing_since,
        artwork.c.version,
        artwork.c.color,
        files.c.path,
        origins.c.provider,
    )
    .select_from(
        tracks.outerjoin(files, files.c.track_id == tracks.c.id)
        .outerjoin(albums, albums.c.id == tracks.c.album_id)
        .outerjoin(artwork, artwork.c.id == func.coalesce(albums.c.artwork_id, tracks.c.artwork_id))
        .outerjoin(track_listening, and_(track_listening.c.track_id == tracks.c.id, track_listening.c.user_id == _USER))
        .outerjoin(origins, origins.c.track_id == tracks.c.id)
    )
    .where(tracks.c.id.in_(_IDS))
)
_TRACK_CREDITS = (
    select(
        track_credits.c.track_id, track_credits.c.role, track_credits.c.position, artists.c.uid, track_credits.c.name
    )
    .join(artists, artists.c.id == track_credits.c.artist_id)
    .where(track_credits.c.track_id.in_(_IDS))
)
_TRACK_GENRES = (
    select(track_genres.c.track_id, genres.c.name)
    .join(genres, genres.c.id == track_genres.c.genre_id)
    .where(track_genres.c.track_id.in_(_IDS))
    .order_by(track_genres.c.track_id, track_genres.c.position)
)
_IN_THE_CLOUD = (
    select(copies.c.track_id, cached.c.sha256.is_not(None))
    .select_from(copies.outerjoin(cached, cached.c.sha256 == copies.c.sha256))
    .where(copies.c.track_id.in_(_IDS), copies.c.broken.is_(None))
)
_IN_THE_CACHE = (
    select(files.c.track_id)
    .join(cached, cached.c.sha256 == files.c.sha256)
    .where(files.c.track_id.in_(_IDS), files.c.sha256.is_not(None))
)


def show_tracks(conn: Connection, person: Person, ids: Sequence[int]) -> list[Track]:
    """The tracks `ids`, in that order (one asked for twice comes twice); ids that are gone are left out."""
    if not ids:
        return []
    if len(ids) > _AT_ONCE:
        return [
            track
            for start in range(0, len(ids), _AT_ONCE)
            for track in show_tracks(conn, person, ids[start : start + _AT_ONCE])
        ]
    some: dict[str, Any] = {"ids": list(dict.fromkeys(ids))}
    credited: defaultdict[int, list[tuple[int, int, CreditRef]]] = defaultdict(list)
    for track_id, role, place, uid, name in conn.execute(_TRACK_CREDITS, some).all():
        credited[track_id].append((_RANKS.get(role, 99), place, CreditRef(id=uid, name=name, role=role)))
    in_genres: defaultdict[int, list[str]] = defaultdict(list)
    for track_id, name in conn.execute(_TRACK_GENRES, some).all():
        in_genres[track_id].append(name)
    rows = conn.execute(_TRACKS, {**some, "user_id": person.user_id}).all()
    elsewhere: dict[int, str] = {}
    gone = [row[0] for row in rows if row[30] is not None or row[11] is None]
    if gone:
        for track_id, is_cached in conn.execute(_IN_THE_CLOUD, {"ids": gone}).all():
            if is_cached or track_id not in elsewhere:
                elsewhere[track_id] = "cache" if is_cached else "cloud"
        elsewhere |= dict.fromkeys(conn.scalars(_IN_THE_CACHE, {"ids": gone}), "cache")
    by_id: dict[int, Track] = {}
    for (
        track_id,
        uid,
        title,
        artist,
        album,
        album_uid,
        album_artist,
        number,
        disc,
        year,
        duration_ms,
        size,
        format_,
        mime_type,
        bitrate,
        sample_rate,
        depth,
        channels,
        isrc,
        mbid,
        track_gain,
        track_peak,
        album_gain,
        album_peak,
        bpm,
        has_lyrics,
        added_at,
        favourite_at,
        rating,
        play_count,
        missing_since,
        version,
        color,
        path,
        fetched_by,
    ) in rows:
        its = credited[track_id]
        its.sort(key=_by_rank)
        here = missing_since is None and size is not None
        by_id[track_id] = Track(
            id=uid,
            title=title,
            artist=artist,
            artists=[one[2] for one in its],
            album=album,
            album_id=album_uid,
            album_artist=album_artist,
            track_number=number,
            disc_number=disc,
            year=year,
            genres=in_genres[track_id],
            duration_ms=duration_ms,
            size_bytes=size or 0,
            format=format_ or "mp3",
            mime_type=mime_type or "audio/mpeg",
            bitrate_kbps=bitrate,
            sample_rate_hz=sample_rate,
            bit_depth=depth,
            channels=channels,
            isrc=isrc,
            recording_mbid=mbid,
            replaygain=ReplayGain(track_gain, track_peak, album_gain, album_peak),
            bpm=bpm,
            has_lyrics=bool(has_lyrics),
            added_at=shown(added_at),
            favourite=favourite_at is not None,
            rating=rating or 0,
            play_count=play_count or 0,
            place="local" if here else elsewhere.get(track_id, "missing"),
            cover=Cover(version=version, color=color) if version is not None else None,
            fetched_by=fetched_by,
            path=path if person.sees_files and path is not None else None,
        )
    return [by_id[track_id] for track_id in ids if track_id in by_id]


def _by_rank(one: tuple[int, int, CreditRef]) -> tuple[int, int]:
    return one[0], one[1]


_ALBUMS = (
    select(
        albums.c.id,
        albums.c.uid,
        albums.c.title,
        albums.c.artist,
        albums.c.year,
        albums.c.date,
        albums.c.track_count,
        albums.c.disc_count,
        albums.c.duration_ms,
        albums.c.compilation,
        albums.c.mbid,
        albums.c.added_at,
        album_listening.c.favourite_at,
        album_listening.c.play_count,
        artwork.c.version,
        artwork.c.color,
    )
    .select_from(
        albums.outerjoin(artwork, artwork.c.id == albums.c.artwork_id).outerjoin(
            album_listening, and_(album_listening.c.album_id == albums.c.id, album_listening.c.user_id == _USER)
        )
    )
    .where(albums.c.id.in_(_IDS))
)
_ALBUM_CREDITS = (
    select(album_credits.c.album_id, artists.c.uid, album_credits.c.name)
    .join(artists, artists.c.id == album_credits.c.artist_id)
    .where(album_credits.c.album_id.in_(_IDS))
    .order_by(album_credits.c.album_id, album_credits.c.position)
)
_ALBUM_GENRES = (
    select(album_genres.c.album_id, genres.c.name)
    .join(genres, genres.c.id == album_genres.c.genre_id)
    .where(album_genres.c.album_id.in_(_IDS))
    .order_by(album_genres.c.album_id, album_genres.c.position)
)


def show_albums(conn: Connection, person: Person, ids: Sequence[int]) -> list[Album]:
    """The albums `ids`, in that order; ids that are gone are left out."""
    if not ids:
        return []
    if len(ids) > _AT_ONCE:
        return [
            album
            for start in range(0, len(ids), _AT_ONCE)
            for album in show_albums(conn, person, ids[start : start + _AT_ONCE])
        ]
    some: dict[str, Any] = {"ids": list(dict.fromkeys(ids))}
    credited: defaultdict[int, list[ArtistRef]] = defaultdict(list)
    for album_id, uid, name in conn.execute(_ALBUM_CREDITS, some).all():
        credited[album_id].append(ArtistRef(id=uid, name=name))
    in_genres: defaultdict[int, list[str]] = defaultdict(list)
    for album_id, name in conn.execute(_ALBUM_GENRES, some).all():
        in_genres[album_id].append(name)
    by_id: dict[int, Album] = {}
    for (
        album_id,
        uid,
        title,
        artist,
        year,
        date,
        track_count,
        disc_count,
        duration_ms,
        compilation,
        mbid,
        added_at,
        favourite_at,
        play_count,
        version,
        color,
    ) in conn.execute(_ALBUMS, {**some, "user_id": person.user_id}).all():
        by_id[album_id] = Album(
            id=uid,
            title=title,
            artist=artist,
            artists=credited[album_id],
            year=year,
            date=date,
            genres=in_genres[album_id],
            track_count=track_count,
            disc_count=disc_count,
            duration_ms=duration_ms,
            compilation=bool(compilation),
            mbid=mbid,
            added_at=shown(added_at),
            favourite=favourite_at is not None,
            play_count=play_count or 0,
            cover=Cover(version=version, color=color) if version is not None else None,
        )
    return [by_id[album_id] for album_id in ids if album_id in by_id]


# An artist's picture is that of the first of their albums that has one: first come, so that an artist of a thousand
# albums costs no more than one of two.
ARTIST_ARTWORK = (
    select(albums.c.artwork_id)
    .join(album_credits, album_credits.c.album_id == albums.c.id)
    .where(album_credits.c.artist_id == artists.c.id, albums.c.artwork_id.is_not(None), albums.c.track_count > 0)
    .order_by(album_credits.c.album_id)
    .limit(1)
    .correlate(artists)
    .scalar_subquery()
)
_ARTISTS = (
    select(
        artists.c.id,
        artists.c.uid,
        artists.c.name,
        artists.c.sort_name,
        artists.c.album_count,
        artists.c.track_count,
        artists.c.mbid,
        artist_listening.c.favourite_at,
        artwork.c.version,
        artwork.c.color,
    )
    .select_from(
        artists.outerjoin(
            artist_listening, and_(artist_listening.c.artist_id == artists.c.id, artist_listening.c.user_id == _USER)
        ).outerjoin(artwork, artwork.c.id == ARTIST_ARTWORK)
    )
    .where(artists.c.id.in_(_IDS))
)


def show_artists(conn: Connection, person: Person, ids: Sequence[int]) -> list[Artist]:
    """The artists `ids`, in that order; ids that are gone are left out."""
    if not ids:
        return []
    by_id: dict[int, Artist] = {}
    for artist_id, uid, name, sort_name, album_count, track_count, mbid, favourite_at, version, color in conn.execute(
        _ARTISTS, {"ids": list(dict.fromkeys(ids)), "user_id": person.user_id}
    ).all():
        by_id[artist_id] = Artist(
            id=uid,
            name=name,
            sort_name=sort_name,
            album_count=album_count,
            track_count=track_count,
            mbid=mbid,
            favourite=favourite_at is not None,
            cover=Cover(version=version, color=color) if version is not None else None,
        )
    return [by_id[artist_id] for artist_id in ids if artist_id in by_id]
