"""What the clean-up asks of the library: who refers to what; and rows that go to the trash, and come back.

A row that goes to the trash alone, because its file is in none of the three places, keeps `trashed_from` NULL: that
is how it differs from a track that a person put there. When its file turns up again, a scan takes the row out of the
trash, with its id, plays and playlists.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from shared.database import Database, driver_cursor
from shared.records import revisions
from shared.records.search_index import Indexing
from shared.records.settling import Names, Settling, chunks, remember_removed
from shared.records.tracks import playlists_with, recount_playlists

GONE = "gone"  # copies.broken of an object that is no longer there
_PAGE = 1000
_HASH = re.compile(r"[0-9a-f]{64}")

Object = tuple[str, str]  # provider, key

_NO_COPY = (  # that may still be there
    f"NOT EXISTS (SELECT 1 FROM copies k WHERE k.track_id = t.id AND (k.broken IS NULL OR k.broken <> '{GONE}'))"
)
_NOT_CACHED = (
    "NOT EXISTS (SELECT 1 FROM cached c WHERE c.sha256 = f.sha256) AND NOT EXISTS (SELECT 1 FROM copies k "
    "JOIN cached c ON c.sha256 = k.sha256 WHERE k.track_id = t.id)"
)


@dataclass(frozen=True, slots=True)
class RootRow:
    """A music folder. `path` is absolute, as text."""

    id: int
    path: str
    forgotten: bool = False  # taken out of the library by a person: nothing in it is touched


@dataclass(frozen=True, slots=True)
class PlacelessRow:
    """A visible track that lies neither in the cache nor in a bucket. Whether its file is there is to be looked at."""

    track_id: str
    title: str
    artist: str
    path: str  # relative to its root, as text
    device: str | None  # the file's st_dev at the last scan that read it
    missing: bool  # a scan did not find it


@dataclass(frozen=True, slots=True)
class CachedRow:
    sha256: str
    size_bytes: int
    mtime_ns: int
    verified_at: float
    last_used_at: float
    referred: bool  # some track, visible or in the trash, or some copy has this content


@dataclass(frozen=True, slots=True)
class UploadRow:
    provider: str
    key: str
    upload_id: str
    spool: str | None
    updated_at: float


class Leftovers:
    """Safe to use while a station writes to the same library: every deed looks again before it is done."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    # ---- who refers to what

    def roots(self) -> list[RootRow]:
        """All of them, also those taken out of the library while they have tracks."""
        with self._database.read() as conn:
            rows = driver_cursor(conn).execute(
                "SELECT id, path, forgotten_at IS NOT NULL FROM roots "
                "WHERE EXISTS (SELECT 1 FROM files WHERE files.root_id = roots.id) ORDER BY position, id"
            )
            return [RootRow(row[0], row[1], bool(row[2])) for row in rows]

    def placeless(
        self, root_id: int, *, gone: Collection[Object] = (), uncached: Collection[str] = ()
    ) -> Iterator[PlacelessRow]:
        """Visible tracks of a root with no copy that counts and nothing in the cache, by path; read in pages.

        gone        objects that were just found to be gone, whatever their rows say
        uncached    hashes with a row in `cached` whose file is not there
        """
        copied, cached = self._elsewhere(frozenset(gone), frozenset(uncached))
        after = ""
        while True:
            with self._database.read() as conn:
                page = (
                    driver_cursor(conn)
                    .execute(
                        "SELECT t.uid, t.title, t.artist, f.path, f.device, f.missing_since IS NOT NULL, t.id "
                        "FROM files f JOIN tracks t ON t.id = f.track_id "
                        "WHERE f.root_id = ? AND f.path > ? AND t.trashed_at IS NULL ORDER BY f.path LIMIT ?",
                        (root_id, after, _PAGE),
                    )
                    .fetchall()
                )
            for row in page:
                if row[6] not in copied and row[6] not in cached:
                    yield PlacelessRow(row[0], row[1], row[2], row[3], row[4], bool(row[5]))
            if len(page) < _PAGE:
                return
            after = page[-1][3]

    def _elsewhere(self, gone: frozenset[Object], uncached: frozenset[str]) -> tuple[set[int], set[int]]:
        """Inner ids of the tracks with a copy that may be there, and of those with their content in the cache."""
        with self._database.read() as conn:
            cursor = driver_cursor(conn)
            copied = {
                track_id
                for track_id, provider, key in cursor.execute(
                    "SELECT track_id, provider, key FROM copies"
                )
                if (provider, key) not in gone
            }
            cached = {
                track_id
                for track_id, sha256 in cursor.execute(
                    "SELECT f.track_id, c.sha256 FROM cached c JOIN files f ON f.sha256 = c.sha256 UNION ALL "
                    "SELECT k.track_id, c.sha256 FROM cached c JOIN copies k ON k.sha256 = c.sha256"
                )
                if sha256 not in uncached
            }
        return copied, cached

    def devices(self, root_id: int) -> set[str]:
        """The devices that the files of a root lay on when they were read, of those that are not missing."""
        with self._database.read() as conn:
            rows = driver_cursor(conn).execute(
                "SELECT DISTINCT device FROM files WHERE root_id = ? AND missing_since IS NULL "
                "AND trashed_from IS NULL AND device IS NOT NULL",
                (root_id,),
            )
            return {device for (device,) in rows}

    def paths(self, root_id: int) -> set[str]:
        """Every path that the library knows in a root, whatever became of it, and those that cannot be read."""
        with self._database.read() as conn:
            rows = driver_cursor(conn).execute(
                "SELECT path FROM files WHERE root_id = ? UNION SELECT path FROM bad_files WHERE root_id = ?",
                (root_id, root_id),
            )
            return {path for (path,) in rows}

    def cached(self) -> list[CachedRow]:
        """What the cache is said to hold."""
        with self._database.read() as conn:
            rows = driver_cursor(conn).execute(
                "SELECT sha256, size_bytes, mtime_ns, verified_at, last_used_at, "
                "EXISTS (SELECT 1 FROM files f WHERE f.sha256 = cached.sha256) "
                "OR EXISTS (SELECT 1 FROM copies k WHERE k.sha256 = cached.sha256) FROM cached ORDER BY sha256"
            )
            return [CachedRow(row[0], row[1], row[2], row[3], row[4], bool(row[5])) for row in rows]

    def wanted_content(self, hashes: Iterable[str]) -> set[str]:
        """Of these hashes, those that some track or some copy has."""
        with self._database.read() as conn:
            return {
                sha256
                for marks, part in chunks(hashes)
                for (sha256,) in driver_cursor(conn).execute(
                    f"SELECT sha256 FROM files WHERE sha256 IN ({marks}) UNION "
                    f"SELECT sha256 FROM copies WHERE sha256 IN ({marks})",
                    (*part, *part),
                )
            }

    def pictures(self) -> Iterator[tuple[str, str, str, str]]:
        """(kind, root, path, version) of every picture the library knows; root and path as text."""
        with self._database.read() as conn:
            yield from driver_cursor(conn).execute(
                "SELECT a.kind, r.path, a.path, a.version FROM artwork a JOIN roots r ON r.id = a.root_id"
            )

    def hashes_to_undo(self) -> set[str]:
        """Every sha256 that a step which can still be taken back speaks of."""
        with self._database.read() as conn:
            rows = driver_cursor(conn).execute(
                "SELECT e.content FROM journal_entries e JOIN journal j ON j.id = e.journal_id "
                "WHERE j.state <> 'undone'"
            )
            return {found for (content,) in rows for found in _HASH.findall(content)}

    def uploads(self) -> list[UploadRow]:
        """Uploads in parts, under way or cut off."""
        with self._database.read() as conn:
            rows = driver_cursor(conn).execute("SELECT provider, key, upload_id, spool, updated_at FROM uploads")
            return [UploadRow(*row) for row in rows]

    def objects(self, provider: str) -> dict[str, bool]:
        """Every key of a provider that has a row → whether one of its rows counts or may count again."""
        with self._database.read() as conn:
            rows = driver_cursor(conn).execute(
                f"SELECT key, max(broken IS NULL OR broken <> '{GONE}') FROM copies WHERE provider = ? GROUP BY key",
                (provider,),
            )
            return {key: bool(counts) for key, counts in rows}

    def gone(self) -> list[Object]:
        """Objects that were called gone, as copies of visible tracks."""
        with self._database.read() as conn:
            return (
                driver_cursor(conn)
                .execute(
                    "SELECT DISTINCT k.provider, k.key FROM copies k JOIN tracks t ON t.id = k.track_id "
                    f"WHERE k.broken = '{GONE}' AND t.trashed_at IS NULL ORDER BY 1, 2"
                )
                .fetchall()
            )

    def bereft(self, uids: Iterable[str]) -> set[str]:
        """Of these tracks, those whose file is not here and that have no copy: as when the library was brought back
        from before their copies were made. Those in the trash alone are among them."""
        with self._database.read() as conn:
            return {
                uid
                for marks, part in chunks(uids)
                for (uid,) in driver_cursor(conn).execute(
                    f"SELECT t.uid FROM tracks t JOIN files f ON f.track_id = t.id WHERE t.uid IN ({marks}) "
                    f"AND f.missing_since IS NOT NULL AND f.trashed_from IS NULL AND {_NO_COPY}",
                    part,
                )
            }

    def referred(self, provider: str, keys: Iterable[str]) -> set[str]:
        """Of these keys, those that have a row now."""
        with self._database.read() as conn:
            return {
                key
                for marks, part in chunks(keys)
                for (key,) in driver_cursor(conn).execute(
                    f"SELECT DISTINCT key FROM copies WHERE provider = ? AND key IN ({marks})", (provider, *part)
                )
            }

    def strangers(self, uids: Iterable[str]) -> set[str]:
        """Of these tracks, those that this library neither has nor had."""
        with self._database.read() as conn:
            return strangers(conn, uids)

    def station_id(self) -> str:
        with self._database.read() as conn:
            row = driver_cursor(conn).execute("SELECT value FROM state WHERE name = 'station_id'").fetchone()
            return str(row[0])

    def trashed_before(self, moment: float) -> list[tuple[str, str, str, str, int, bool]]:
        """Tracks in the trash since before `moment`: (id, title, root, path there, size_bytes, whether the row went
        there alone), the oldest first."""
        with self._database.read() as conn:
            return [
                (row[0], row[1], row[2], row[3], int(row[4]), bool(row[5]))
                for row in driver_cursor(conn).execute(
                    "SELECT t.uid, t.title, r.path, f.path, CASE WHEN f.missing_since IS NULL THEN f.size_bytes "
                    "ELSE 0 END, f.trashed_from IS NULL FROM tracks t JOIN files f ON f.track_id = t.id "
                    "JOIN roots r ON r.id = f.root_id WHERE t.trashed_at IS NOT NULL AND t.trashed_at < ? "
                    "ORDER BY t.trashed_at, t.id",
                    (moment,),
                )
            ]

    # ---- what is done

    def trash_rows(self, uids: Sequence[str], *, only_missing: bool) -> list[str]:
        """Put rows into the trash, in one transaction: those that are still visible and have neither a copy that may
        be there nor anything in the cache, with `only_missing` those that no scan has found again meanwhile. Those
        that went. They count as missing from then on, whether a scan has noticed or not."""
        now = time.time()
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            found: dict[int, str] = {}
            for marks, part in chunks(uids):
                missing = " AND f.missing_since IS NOT NULL" if only_missing else ""
                for track_id, uid in cursor.execute(
                    f"SELECT t.id, t.uid FROM tracks t JOIN files f ON f.track_id = t.id WHERE t.uid IN ({marks}) "
                    f"AND t.trashed_at IS NULL AND f.trashed_from IS NULL{missing} AND {_NO_COPY} AND {_NOT_CACHED}",
                    part,
                ):
                    found[track_id] = uid
            if found:
                with _moving(conn, list(found)) as revision:
                    for marks, part in chunks(found):
                        cursor.execute(
                            f"UPDATE tracks SET trashed_at = ?, changed_rev = ? WHERE id IN ({marks})",
                            (now, revision, *part),
                        )
                        cursor.execute(
                            "UPDATE files SET missing_since = coalesce(missing_since, ?) "
                            f"WHERE track_id IN ({marks})",
                            (now, *part),
                        )
                    remember_removed(cursor, "track", list(found.values()), revision)
            return list(found.values())

    def restore_rows(self, uids: Sequence[str], *, before: float | None = None) -> list[str]:
        """Take rows that went to the trash alone out of it again, in one transaction; those that came back. With
        `before` (Unix time) only those that went there earlier."""
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            found: dict[int, str] = {}
            for marks, part in chunks(uids):
                found.update(
                    cursor.execute(
                        f"SELECT t.id, t.uid FROM tracks t JOIN files f ON f.track_id = t.id WHERE t.uid IN ({marks}) "
                        "AND t.trashed_at IS NOT NULL AND f.trashed_from IS NULL AND (? IS NULL OR t.trashed_at < ?)",
                        (*part, before, before),
                    ).fetchall()
                )
            take_out_of_trash(conn, list(found))
            return list(found.values())

    def drop_cached(self, hashes: Iterable[str]) -> set[str]:
        """Forget rows of the cache that nothing refers to; those that went."""
        with self._database.transaction(durable=False) as conn:
            return {
                sha256
                for marks, part in chunks(hashes)
                for (sha256,) in driver_cursor(conn)
                .execute(
                    f"DELETE FROM cached WHERE sha256 IN ({marks}) AND NOT EXISTS (SELECT 1 FROM files f WHERE "
                    "f.sha256 = cached.sha256) AND NOT EXISTS (SELECT 1 FROM copies k WHERE k.sha256 = cached.sha256) "
                    "RETURNING sha256",
                    part,
                )
                .fetchall()
            }

    def forget_cached(self, hashes: Iterable[str]) -> None:
        """Forget rows of the cache whose files are not there."""
        with self._database.transaction(durable=False) as conn:
            for marks, part in chunks(hashes):
                driver_cursor(conn).execute(f"DELETE FROM cached WHERE sha256 IN ({marks})", part)

    def put_cached(self, row: CachedRow) -> None:
        """Back again; a row that is there stays as it is."""
        with self._database.transaction(durable=False) as conn:
            driver_cursor(conn).execute(
                "INSERT OR IGNORE INTO cached (sha256, size_bytes, mtime_ns, verified_at, last_used_at) "
                "VALUES (?, ?, ?, ?, ?)",
                (row.sha256, row.size_bytes, row.mtime_ns, row.verified_at, row.last_used_at),
            )

    def mark_gone(self, provider: str, keys: Iterable[str]) -> set[str]:
        """The objects are no longer there: their rows stay and do not count. Those that were marked now."""
        with self._database.transaction() as conn:
            return _mark(conn, provider, keys, GONE, "broken IS NULL")

    def unmark_gone(self, provider: str, keys: Iterable[str]) -> set[str]:
        """The rows count again as before; those that do."""
        with self._database.transaction() as conn:
            return _mark(conn, provider, keys, None, f"broken = '{GONE}'")


def strangers(conn: Connection, uids: Iterable[str]) -> set[str]:
    """Of these tracks, those that this library neither has nor had; in the caller's transaction."""
    unknown = set(uids)
    cursor = driver_cursor(conn)
    for query in (
        "SELECT uid FROM tracks WHERE uid IN ({})",
        "SELECT uid FROM removed WHERE kind = 'track' AND uid IN ({})",
    ):
        for marks, part in chunks(sorted(unknown)):
            unknown.difference_update(uid for (uid,) in cursor.execute(query.format(marks), part))
    return unknown


def take_out_of_trash(conn: Connection, track_ids: Sequence[int]) -> None:
    """Tracks in the trash are visible again, in the caller's transaction; the file of each is told of elsewhere."""
    if not track_ids:
        return
    cursor = driver_cursor(conn)
    with _moving(conn, track_ids) as revision:
        for marks, part in chunks(track_ids):
            cursor.execute(
                f"UPDATE tracks SET trashed_at = NULL, added_rev = ?, changed_rev = ? WHERE id IN ({marks})",
                (revision, revision, *part),
            )
            cursor.execute(
                "DELETE FROM removed WHERE kind = 'track' AND uid IN "
                f"(SELECT uid FROM tracks WHERE id IN ({marks}))",
                part,
            )


class _moving:
    """While it is open, tracks come or go; albums, artists, genres, playlists and the index follow at its end."""

    def __init__(self, conn: Connection, track_ids: Sequence[int]) -> None:
        self._conn = conn
        self._ids = track_ids

    def __enter__(self) -> int:
        cursor, now = driver_cursor(self._conn), time.time()
        self._revision = revisions.bump(self._conn)
        self._indexing = Indexing(cursor)
        names = Names(cursor, self._revision, now, self._indexing)
        self._settling = Settling(cursor, self._revision, now, names, self._indexing)
        self._settling.before(self._ids)
        return self._revision

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is not None:
            return
        self._settling.after(self._ids)
        self._settling.settle()
        self._indexing.write()
        recount_playlists(self._conn, playlists_with(self._conn, self._ids), self._revision)


def _mark(conn: Connection, provider: str, keys: Iterable[str], broken: str | None, condition: str) -> set[str]:
    cursor = driver_cursor(conn)
    marked: set[str] = set()
    tracks: set[int] = set()
    for marks, part in chunks(keys):
        for key, track_id in cursor.execute(
            f"UPDATE copies SET broken = ? WHERE provider = ? AND {condition} AND key IN ({marks}) "
            "RETURNING key, track_id",
            (broken, provider, *part),
        ).fetchall():
            marked.add(key)
            tracks.add(track_id)
    if tracks:
        revision = revisions.bump(conn)
        for marks, ids in chunks(tracks):
            cursor.execute(f"UPDATE tracks SET changed_rev = ? WHERE id IN ({marks})", (revision, *ids))
    return marked
