"""What the catalogue in a bucket tells of tracks, and how far it has been told.

A track is to be told (again) to a provider when a copy of it came there, or when the library's row of it changed,
after the catalogue was last written. That is asked of the tables, not remembered in passing: so nothing is forgotten
when a process dies between an object and its piece of the catalogue.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from shared.database import Database, driver_cursor
from shared.model.track import AudioFacts, Credit, Lyrics, Metadata, ReplayGain
from shared.records import revisions
from shared.records.settling import chunks

SLACK_S = 120.0  # a row may come into the tables so long after its moment


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldTrack:
    """A track as the library has it, whole: enough to make its rows again."""

    uid: str
    metadata: Metadata
    facts: AudioFacts
    root: str  # absolute path of its music folder, as text (see model.filepath)
    path: str  # relative to it, as text
    size_bytes: int
    mtime_ns: int
    added_at: float
    lyrics: tuple[Lyrics, ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """How far the catalogue at one provider goes."""

    at: float = 0.0  # the youngest copy that is in it (Unix time)
    revision: int = 0  # of the library


_ROWS = (
    "SELECT t.id, t.uid, t.title, t.artist, t.track_number, t.track_total, t.disc_number, t.disc_total, t.year, "
    "t.date, t.original_date, t.bpm, t.isrc, t.recording_mbid, t.comment, t.track_gain_db, t.track_peak, "
    "t.album_gain_db, t.album_peak, t.duration_ms, t.added_at, a.title, a.artist, a.loose, a.compilation, a.key, "
    "a.mbid, a.release_group_mbid, d.title, r.path, f.path, f.size_bytes, f.mtime_ns, f.format, f.mime_type, "
    "f.bitrate_kbps, f.sample_rate_hz, f.bit_depth, f.channels FROM tracks t JOIN files f ON f.track_id = t.id "
    "JOIN roots r ON r.id = f.root_id LEFT JOIN albums a ON a.id = t.album_id "
    "LEFT JOIN discs d ON d.album_id = t.album_id AND d.number = t.disc_number"
)
_AWAITED = (
    "SELECT t.uid, max(k.added_at), t.changed_rev FROM copies k JOIN tracks t ON t.id = k.track_id "
    "WHERE k.provider = ? AND k.broken IS NULL AND t.trashed_at IS NULL AND (k.added_at > ? OR t.changed_rev > ?) "
    "GROUP BY t.id"
)


class Telling:
    def __init__(self, *, database: Database) -> None:
        self._database = database

    def station_id(self) -> str:
        with self._database.read() as conn:
            row = driver_cursor(conn).execute("SELECT value FROM state WHERE name = 'station_id'").fetchone()
        return str(row[0]) if row else ""

    def awaited(self, provider: str) -> tuple[dict[str, Told], Told]:
        """The tracks that the catalogue at `provider` does not tell of as they are (id → its youngest copy and its
        revision), and how far it goes once it does. Empty when there is nothing new, else with those of the last
        two minutes, which may have been told already."""
        with self._database.read() as conn:
            cursor = driver_cursor(conn)
            told = _told(conn, provider)
            if told.at > time.time() + SLACK_S:
                told = Told()  # this machine's clock went back: nothing can be said of what came when
            (youngest,) = cursor.execute(
                "SELECT coalesce(max(added_at), 0) FROM copies WHERE provider = ?", (provider,)
            ).fetchone()
            reached = Told(max(youngest, told.at), revisions.current(conn))
            if cursor.execute(f"{_AWAITED} LIMIT 1", (provider, told.at, told.revision)).fetchone() is None:
                return {}, reached
            rows = cursor.execute(_AWAITED, (provider, told.at - SLACK_S, told.revision))
            return {uid: Told(at, revision) for uid, at, revision in rows}, reached

    def reached(self, provider: str, told: Told) -> None:
        """The catalogue at `provider` goes so far now."""
        with self._database.transaction(durable=False) as conn:
            driver_cursor(conn).execute(
                "INSERT OR REPLACE INTO state (name, value) VALUES (?, ?)",
                (_name(provider), json.dumps([told.at, told.revision])),
            )

    def tracks(self, uids: Iterable[str]) -> dict[str, ToldTrack]:
        """These tracks, whole; those that are gone or in the trash are left out. About 60 µs each."""
        found: dict[str, ToldTrack] = {}
        with self._database.read() as conn:
            cursor = driver_cursor(conn)
            for marks, part in chunks(dict.fromkeys(uids)):
                rows = cursor.execute(f"{_ROWS} WHERE t.trashed_at IS NULL AND t.uid IN ({marks})", part).fetchall()
                ids = [row[0] for row in rows]
                if not ids:
                    continue
                credits = _grouped(
                    cursor,
                    "SELECT c.track_id, c.name, c.role, a.mbid, CASE WHEN a.sort_name <> a.name THEN a.sort_name END "
                    "FROM credits c JOIN artists a ON a.id = c.artist_id WHERE c.track_id IN ({}) "
                    "ORDER BY c.track_id, c.role, c.position",
                    ids,
                )
                genres = _grouped(
                    cursor,
                    "SELECT g.track_id, n.name FROM track_genres g JOIN genres n ON n.id = g.genre_id "
                    "WHERE g.track_id IN ({}) ORDER BY g.track_id, g.position",
                    ids,
                )
                words = _grouped(
                    cursor,
                    "SELECT track_id, text, synced, language, source FROM lyrics WHERE track_id IN ({}) "
                    "ORDER BY track_id, position",
                    ids,
                )
                for row in rows:
                    found[row[1]] = _track(
                        row, credits.get(row[0], ()), genres.get(row[0], ()), words.get(row[0], ())
                    )
        return found


def _track(row: Any, credits: Iterable[Any], genres: Iterable[Any], words: Iterable[Any]) -> ToldTrack:
    (
        _, uid, title, artist, number, track_total, disc, disc_total, year, date, original_date, bpm, isrc, mbid,
        comment, track_gain, track_peak, album_gain, album_peak, duration_ms, added_at, album, album_artist, loose,
        compilation, key, release, release_group, disc_title, root, path, size, mtime_ns, format, mime_type, kbps,
        hertz, depth, channels,
    ) = row  # fmt: skip
    by_mbid = key is not None and key.startswith("mbid:")
    return ToldTrack(
        uid=uid,
        metadata=Metadata(
            title=title, artist=artist, album=album, album_artist=None if loose else album_artist,
            credits=tuple(Credit(*one) for one in credits), track_number=number, track_total=track_total,
            disc_number=disc, disc_total=disc_total, disc_title=disc_title, year=year, date=date,
            original_date=original_date, genres=tuple(name for (name,) in genres), compilation=bool(compilation),
            isrc=isrc, recording_mbid=mbid, release_mbid=release if by_mbid else None,
            release_group_mbid=release_group if by_mbid else None, bpm=bpm,
            replaygain=ReplayGain(track_gain, track_peak, album_gain, album_peak), comment=comment,
        ),
        facts=AudioFacts(format, mime_type, duration_ms, kbps, hertz, depth, channels),
        root=root, path=path, size_bytes=size, mtime_ns=mtime_ns, added_at=added_at,
        lyrics=tuple(Lyrics(text, bool(synced), language, source) for text, synced, language, source in words),
    )  # fmt: skip


def _grouped(cursor: Any, query: str, ids: list[int]) -> dict[int, list[Any]]:
    """Rows by their first column, which is left out of them."""
    found: dict[int, list[Any]] = {}
    for marks, part in chunks(ids):
        for track_id, *rest in cursor.execute(query.format(marks), part):
            found.setdefault(track_id, []).append(rest)
    return found


def _told(conn: Connection, provider: str) -> Told:
    row = driver_cursor(conn).execute("SELECT value FROM state WHERE name = ?", (_name(provider),)).fetchone()
    try:
        return Told(*json.loads(row[0])) if row else Told()
    except (ValueError, TypeError):
        return Told()


def _name(provider: str) -> str:
    return f"catalogue:{provider}"
