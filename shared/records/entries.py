"""Many tracks, albums or artists at once as plain rows, for the apps of /rest: with all that is kept of them.

The same things as records.showing tells, for who asks for thousands: rows come from the driver as they are (about 15 µs
a track), and whoever asked makes of them what they need. What is in the trash is left out everywhere.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection

from shared.database import Database, driver_cursor
from shared.model.person import Person
from shared.records.settling import chunks


class TrackRow(NamedTuple):
    """Times are Unix seconds. The last five are of the person who asks; None or 0: nothing."""

    key: int
    uid: str
    title: str
    artist: str
    sort_key: str
    track_number: int | None
    disc_number: int | None
    year: int | None
    duration_ms: int
    bpm: float | None
    isrc: str | None
    recording_mbid: str | None
    comment: str | None
    track_gain_db: float | None
    track_peak: float | None
    album_gain_db: float | None
    album_peak: float | None
    added_at: float
    album_key: int | None
    album_uid: str | None
    album: str | None
    album_artist: str | None
    size_bytes: int | None      # None, and so the rest of the file's: there is no row of a file
    mime_type: str | None
    format: str | None
    path: str | None            # beneath its root, as text
    bitrate_kbps: int | None
    sample_rate_hz: int | None
    bit_depth: int | None
    channels: int | None
    artwork_key: int | None     # None: no picture
    favourite_at: float | None
    rating: int | None
    play_count: int | None
    last_played_at: float | None
    bookmark_ms: int | None


class AlbumRow(NamedTuple):
    key: int
    uid: str
    title: str
    sort_key: str
    artist: str
    year: int | None
    date: str | None            # YYYY, YYYY-MM or YYYY-MM-DD
    original_date: str | None
    mbid: str | None
    compilation: int
    track_count: int
    duration_ms: int
    artwork_key: int | None
    added_at: float
    favourite_at: float | None
    rating: int | None
    play_count: int | None
    last_played_at: float | None


class ArtistRow(NamedTuple):
    key: int
    uid: str
    name: str
    sort_name: str
    sort_key: str
    mbid: str | None
    album_count: int
    pictured: int               # whether one of their albums has a picture
    favourite_at: float | None
    rating: int | None
    play_count: int | None


Named = tuple[str, str]         # (public id, name as credited)


@dataclass(frozen=True, slots=True)
class TrackRows:
    """Tracks in the order that was asked for, and what there are several of. By inner ids."""

    rows: list[tuple[Any, ...]]         # each a TrackRow's fields
    credits: dict[int, list[tuple[int, str, str, str]]]     # track → (track, role, public id, name), by role and place
    genres: dict[int, list[str]]        # track → names
    album_artists: dict[int, list[Named]]
    averages: dict[int, float]          # track → mean of everybody's ratings, where there are any


@dataclass(frozen=True, slots=True)
class AlbumRows:
    rows: list[tuple[Any, ...]]                         # each an AlbumRow's fields
    artists: dict[int, list[Named]]
    genres: dict[int, list[str]]
    discs: dict[int, list[tuple[int, str]]]             # (number, title) of those that have one
    averages: dict[int, float]


@dataclass(frozen=True, slots=True)
class ArtistRows:
    rows: list[tuple[Any, ...]]                         # each an ArtistRow's fields
    roles: dict[int, list[str]]
    averages: dict[int, float]


_TRACKS = (
    "SELECT t.id, t.uid, t.title, t.artist, t.sort_key, t.track_number, t.disc_number, t.year, t.duration_ms, t.bpm, "
    "t.isrc, t.recording_mbid, t.comment, t.track_gain_db, t.track_peak, t.album_gain_db, t.album_peak, t.added_at, "
    "t.album_id, a.uid, a.title, a.artist, f.size_bytes, f.mime_type, f.format, f.path, f.bitrate_kbps, "
    "f.sample_rate_hz, f.bit_depth, f.channels, coalesce(a.artwork_id, t.artwork_id), l.favourite_at, l.rating, "
    "l.play_count, l.last_played_at, b.position_ms FROM tracks t LEFT JOIN albums a ON a.id = t.album_id "
    "LEFT JOIN files f ON f.track_id = t.id LEFT JOIN track_listening l ON l.user_id = ?1 AND l.track_id = t.id "
    "LEFT JOIN bookmarks b ON b.user_id = ?1 AND b.kind = 'track' AND b.thing_uid = t.uid "
    "WHERE t.trashed_at IS NULL AND t.id IN ({})"
)
_TRACK_CREDITS = (
    "SELECT c.track_id, c.role, r.uid, c.name FROM credits c JOIN artists r ON r.id = c.artist_id "
    "WHERE c.role <> 'albumartist' AND c.track_id IN ({}) ORDER BY c.track_id, c.role, c.position"
)
_TRACK_GENRES = (
    "SELECT m.track_id, g.name FROM track_genres m JOIN genres g ON g.id = m.genre_id WHERE m.track_id IN ({}) "
    "ORDER BY m.track_id, m.position"
)
_ALBUMS = (
    "SELECT a.id, a.uid, a.title, a.sort_key, a.artist, a.year, a.date, a.original_date, a.mbid, a.compilation, "
    "a.track_count, a.duration_ms, a.artwork_id, a.added_at, l.favourite_at, l.rating, l.play_count, l.last_played_at "
    "FROM albums a LEFT JOIN album_listening l ON l.user_id = ?1 AND l.album_id = a.id "
    "WHERE a.track_count > 0 AND a.id IN ({})"
)
_ALBUM_ARTISTS = (
    "SELECT c.album_id, r.uid, c.name FROM album_credits c JOIN artists r ON r.id = c.artist_id "
    "WHERE c.album_id IN ({}) ORDER BY c.album_id, c.position"
)
_ALBUM_GENRES = (
    "SELECT m.album_id, g.name FROM album_genres m JOIN genres g ON g.id = m.genre_id WHERE m.album_id IN ({}) "
    "ORDER BY m.album_id, m.position"
)
_DISCS = (
    "SELECT album_id, number, title FROM discs WHERE title IS NOT NULL AND album_id IN ({}) ORDER BY album_id, number"
)
_ARTISTS = (
    "SELECT r.id, r.uid, r.name, r.sort_name, r.sort_key, r.mbid, r.album_count, EXISTS (SELECT 1 FROM album_credits c "
    "JOIN albums a ON a.id = c.album_id WHERE c.artist_id = r.id AND a.artwork_id IS NOT NULL AND a.track_count > 0), "
    "l.favourite_at, l.rating, l.play_count FROM artists r "
    "LEFT JOIN artist_listening l ON l.user_id = ?1 AND l.artist_id = r.id "
    "WHERE (r.track_count > 0 OR r.album_count > 0) AND r.id IN ({})"
)
_ARTIST_ROLES = "SELECT DISTINCT artist_id, role FROM credits WHERE artist_id IN ({}) ORDER BY artist_id, role"
_AVERAGES = "SELECT {0}_id, avg(rating) FROM {0}_listening WHERE {0}_id IN ({1}) AND rating > 0 GROUP BY {0}_id"
_KEYS = {
    "track": "SELECT uid, id FROM tracks WHERE trashed_at IS NULL AND uid IN ({})",
    "album": "SELECT uid, id FROM albums WHERE track_count > 0 AND uid IN ({})",
    "artist": "SELECT uid, id FROM artists WHERE (track_count > 0 OR album_count > 0) AND uid IN ({})",
}


class Entries:
    """Rows for the entries of lists. What a limited person does not see is not there."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    def keys(self, person: Person, kind: str, uids: Iterable[str]) -> dict[str, int]:
        """public id → inner id, of those tracks, albums or artists (`kind`) that are there."""
        with self._database.read(person) as conn:
            return _keys(conn, kind, uids)

    def tracks(self, person: Person, keys: Sequence[int]) -> TrackRows:
        """By their inner ids, in that order, one asked for twice comes twice; what is gone is left out."""
        with self._database.read(person) as conn:
            cursor = driver_cursor(conn)
            by_key: dict[int, tuple[Any, ...]] = {}
            credits: defaultdict[int, list[tuple[int, str, str, str]]] = defaultdict(list)
            genres: defaultdict[int, list[str]] = defaultdict(list)
            averages: dict[int, float] = {}
            for marks, part in chunks(dict.fromkeys(keys)):
                rows = cursor.execute(_numbered(_TRACKS, part), (person.user_id, *part)).fetchall()
                by_key.update({row[0]: row for row in rows})
                for row in cursor.execute(_TRACK_CREDITS.format(marks), part).fetchall():
                    credits[row[0]].append(row)
                for key, name in cursor.execute(_TRACK_GENRES.format(marks), part).fetchall():
                    genres[key].append(name)
                averages.update(cursor.execute(_AVERAGES.format("track", marks), part))
            albums = {row[18] for row in by_key.values()} - {None}
            return TrackRows([by_key[key] for key in keys if key in by_key], credits, genres,
                             _named(cursor, _ALBUM_ARTISTS, albums), averages)

    def albums(self, person: Person, keys: Sequence[int]) -> AlbumRows:
        """As `tracks`."""
        with self._database.read(person) as conn:
            cursor = driver_cursor(conn)
            by_key: dict[int, tuple[Any, ...]] = {}
            genres: defaultdict[int, list[str]] = defaultdict(list)
            discs: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)
            averages: dict[int, float] = {}
            for marks, part in chunks(dict.fromkeys(keys)):
                for row in cursor.execute(_numbered(_ALBUMS, part), (person.user_id, *part)):
                    by_key[row[0]] = row
                for key, name in cursor.execute(_ALBUM_GENRES.format(marks), part):
                    genres[key].append(name)
                for key, number, title in cursor.execute(_DISCS.format(marks), part):
                    discs[key].append((number, title))
                averages.update(cursor.execute(_AVERAGES.format("album", marks), part))
            return AlbumRows([by_key[key] for key in keys if key in by_key], _named(cursor, _ALBUM_ARTISTS, by_key),
                             genres, discs, averages)

    def artists(self, person: Person, keys: Sequence[int]) -> ArtistRows:
        """As `tracks`."""
        with self._database.read(person) as conn:
            cursor = driver_cursor(conn)
            by_key: dict[int, tuple[Any, ...]] = {}
            roles: defaultdict[int, list[str]] = defaultdict(list)
            averages: dict[int, float] = {}
            for marks, part in chunks(dict.fromkeys(keys)):
                for row in cursor.execute(_numbered(_ARTISTS, part), (person.user_id, *part)):
                    by_key[row[0]] = row
                for key, role in cursor.execute(_ARTIST_ROLES.format(marks), part):
                    roles[key].append(role)
                averages.update(cursor.execute(_AVERAGES.format("artist", marks), part))
            return ArtistRows([by_key[key] for key in keys if key in by_key], roles, averages)


def _keys(conn: Connection, kind: str, uids: Iterable[str]) -> dict[str, int]:
    cursor = driver_cursor(conn)
    return {uid: key for marks, part in chunks(dict.fromkeys(uids))
            for uid, key in cursor.execute(_KEYS[kind].format(marks), part)}


def _numbered(query: str, part: Sequence[int]) -> str:
    """`query` with marks behind ?1."""
    return query.format(", ".join(f"?{number}" for number in range(2, len(part) + 2)))


def _named(cursor: sqlite3.Cursor, query: str, keys: Iterable[Any]) -> dict[int, list[Named]]:
    found: defaultdict[int, list[Named]] = defaultdict(list)
    for marks, part in chunks(keys):
        for key, uid, name in cursor.execute(query.format(marks), part):
            found[key].append((uid, name))
    return found
