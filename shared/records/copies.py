"""Copies of tracks in buckets: which there are, which count, and whose file was taken off this machine for them.

A copy counts while its row is there and `broken` is NULL. One object may be the copy of several tracks (the same
file twice in the library); what is learned of an object is written to all its rows. The revision moves for the
tracks whose place changes by it, which are those whose file is not here.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypedDict

from sqlalchemy import Connection

from shared.database import Database, driver_cursor
from shared.model.cloud import Copy
from shared.model.errors import Conflict, NotFound
from shared.model.filepath import to_path, to_text
from shared.model.source import TrackFile
from shared.records import places, revisions
from shared.records.settling import chunks

_PAGE = 1000  # rows at once, of a list that is streamed

_COPY = (
    "SELECT t.uid, k.provider, k.key, k.size_bytes, k.stored_bytes, k.sha256, k.format, k.mime_type, k.bitrate_kbps, "
    "k.compression, k.source_sha256, k.source_size_bytes, k.source_mtime_ns, k.etag, k.sealed, k.verified_at, "
    "k.broken, k.added_at FROM copies k JOIN tracks t ON t.id = k.track_id"
)
_BEST_FIRST = "ORDER BY k.broken IS NOT NULL, k.compression <> '', k.verified_at DESC, k.id"
_PUT = (
    "INSERT INTO copies (track_id, provider, key, size_bytes, stored_bytes, sha256, format, mime_type, bitrate_kbps, "
    "compression, source_sha256, source_size_bytes, source_mtime_ns, etag, sealed, verified_at, broken, added_at) "
    f"VALUES ({', '.join('?' * 18)}) ON CONFLICT (track_id, provider, key) DO UPDATE SET size_bytes = "
    "excluded.size_bytes, stored_bytes = excluded.stored_bytes, sha256 = excluded.sha256, format = excluded.format, "
    "mime_type = excluded.mime_type, bitrate_kbps = excluded.bitrate_kbps, compression = excluded.compression, "
    "source_sha256 = excluded.source_sha256, source_size_bytes = excluded.source_size_bytes, "
    "source_mtime_ns = excluded.source_mtime_ns, etag = excluded.etag, sealed = excluded.sealed, "
    "verified_at = excluded.verified_at, broken = excluded.broken"
)
_SOURCE = (
    "SELECT t.uid, r.path, f.path, f.size_bytes, f.mtime_ns, f.mime_type, f.format, t.duration_ms, f.sha256, "
    "f.missing_since IS NOT NULL, t.album_sort_key, t.album_position, t.id FROM tracks t "
    "JOIN files f ON f.track_id = t.id JOIN roots r ON r.id = f.root_id WHERE t.trashed_at IS NULL"
)
_EXACT_COPY = (  # of the file as its row tells it
    "SELECT 1 FROM copies k WHERE k.track_id = f.track_id AND k.broken IS NULL AND k.compression = '' "
    "AND k.source_size_bytes = f.size_bytes AND k.source_mtime_ns = f.mtime_ns"
)
_PINNED = (
    "SELECT 1 FROM pins p WHERE (p.kind = 'track' AND p.uid = t.uid) OR (p.kind = 'album' AND p.uid = "
    "(SELECT a.uid FROM albums a WHERE a.id = t.album_id))"
)


class ProviderTotals(TypedDict):
    copies: int     # that count
    tracks: int
    bytes: int      # in the bucket, each object once
    broken: int     # copies that do not count


class Totals(TypedDict):
    """Sizes in bytes."""

    providers: dict[str, ProviderTotals]
    local: int                  # tracks with their file on this machine
    local_bytes: int
    only_in_cloud: int          # tracks whose file is not here, with a copy that counts
    only_in_cloud_bytes: int    # their files, if they were here
    offloadable: int            # tracks here, not pinned, with an exact copy of the file as it is known
    offloadable_bytes: int
    missing: int                # tracks that are in none of the three places


class Copies:
    """What lies in buckets."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    # ---- looking

    def of(self, track_uid: str, *, broken: bool = False) -> list[Copy]:
        """The copies of a track that count, exact ones first, then those verified last; with `broken` also those
        that do not, at the end. One query by index, also for a track that is not there."""
        with self._database.read() as conn:
            return _some(
                driver_cursor(conn),
                f"{_COPY} WHERE t.uid = ? {'' if broken else 'AND k.broken IS NULL'} {_BEST_FIRST}",
                (track_uid,),
            )

    def of_tracks(self, uids: Iterable[str]) -> dict[str, list[Copy]]:
        """As `of`, for many tracks: those without a copy that counts are left out."""
        found: dict[str, list[Copy]] = {}
        with self._database.read() as conn:
            for marks, part in chunks(dict.fromkeys(uids)):
                for one in _some(
                    driver_cursor(conn), f"{_COPY} WHERE t.uid IN ({marks}) AND k.broken IS NULL {_BEST_FIRST}", part
                ):
                    found.setdefault(one.track_id, []).append(one)
        return found

    def at(self, provider: str, key: str) -> list[Copy]:
        """The object at `key` as the copy of each track it belongs to; broken or not."""
        with self._database.read() as conn:
            return _some(
                driver_cursor(conn), f"{_COPY} WHERE k.provider = ? AND k.key = ? ORDER BY k.id", (provider, key)
            )

    def with_content(self, sha256: str) -> list[Copy]:
        """Copies that count and give these bytes, whichever track's they are; the last verified first."""
        with self._database.read() as conn:
            return _some(
                driver_cursor(conn), f"{_COPY} WHERE k.sha256 = ? AND k.broken IS NULL {_BEST_FIRST}", (sha256,)
            )

    def doubtful(self, most: int) -> list[Copy]:
        """Copies that do not count, of tracks whose file is not on this machine, also of those whose row is in the
        trash alone. Costs a look through what does not count."""
        with self._database.read() as conn:
            return _some(
                driver_cursor(conn),
                f"{_COPY} JOIN files f ON f.track_id = t.id WHERE k.broken IS NOT NULL AND f.missing_since IS NOT NULL "
                "AND f.trashed_from IS NULL ORDER BY k.id LIMIT ?",
                (most,),
            )

    def keys(self, provider: str) -> Iterator[tuple[str, int]]:
        """Every key that has a row, broken or not, with its bytes in the bucket; sorted, each once.

        Asked for in pages: what is written meanwhile may be in it or not.
        """
        after = ""
        while True:
            with self._database.read() as conn:
                page = (
                    driver_cursor(conn)
                    .execute(
                        "SELECT key, max(stored_bytes) FROM copies WHERE provider = ? AND key > ? GROUP BY key "
                        "ORDER BY key LIMIT ?",
                        (provider, after, _PAGE),
                    )
                    .fetchall()
                )
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1][0]

    def sources(self, uids: Iterable[str] | None = None, *, root: str | None = None) -> Iterator[TrackFile]:
        """The files of visible tracks (all, or these), also of those that are missing, by album and position.

        `root` (absolute path) leaves out other music folders. All are asked for in pages of 1000, so that 100,000
        never stand in memory; those named by `uids` are sorted in memory.
        """
        where, values = ("", ()) if root is None else (" AND r.path = ?", (to_text(root),))
        if uids is not None:
            rows: list[Any] = []
            with self._database.read() as conn:
                for marks, part in chunks(dict.fromkeys(uids)):
                    rows += driver_cursor(conn).execute(
                        f"{_SOURCE} AND t.uid IN ({marks}){where}", (*part, *values)
                    ).fetchall()
            rows.sort(key=lambda row: row[10:13])
            yield from map(_file, rows)
            return
        after: tuple[Any, ...] = ("", -1, -1)
        while True:
            with self._database.read() as conn:
                page = (
                    driver_cursor(conn)
                    .execute(
                        f"{_SOURCE} AND (t.album_sort_key, t.album_position, t.id) > (?, ?, ?){where} "
                        "ORDER BY t.album_sort_key, t.album_position, t.id LIMIT ?",
                        (*after, *values, _PAGE),
                    )
                    .fetchall()
                )
            yield from map(_file, page)
            if len(page) < _PAGE:
                return
            after = tuple(page[-1][10:13])

    def sharing(self, places: Mapping[str, tuple[str, str]]) -> set[str]:
        """Those of these tracks (public id → device and inode of the file, as it lies there now) whose file is another
        track's file, too: by a link, or a second name. Costs a look at every file's row, 0.1 s at 100,000."""
        named: dict[tuple[str, str], set[str]] = {}
        for uid, place in places.items():
            named.setdefault(place, set()).add(uid)
        with self._database.read() as conn:
            for device, inode, uid in driver_cursor(conn).execute(
                "SELECT f.device, f.inode, t.uid FROM files f JOIN tracks t ON t.id = f.track_id "
                "WHERE f.inode IS NOT NULL AND f.missing_since IS NULL"
            ):
                if (device, inode) in named:
                    named[device, inode].add(uid)
        return {uid for uids in named.values() if len(uids) > 1 for uid in uids} & places.keys()

    def track_uids(
        self, *, album: str | None = None, artist: str | None = None, paths: Sequence[str] = (),
        everything: bool = False,
    ) -> list[str]:
        """Visible tracks of the album, of the artist (public ids), or at or beneath one of `paths` (absolute, as the
        file system has them; not looked at), all of them together, by album and position. Raises NotFound for an
        album or an artist that is not there; a path without tracks gives none."""
        ways: list[str] = ["1"] if everything else []
        values: list[Any] = []
        with self._database.read() as conn:
            cursor = driver_cursor(conn)
            if album is not None:
                ways.append("t.album_id = ?")
                values.append(_id(cursor, "albums", album, "album"))
            if artist is not None:
                ways.append(
                    "t.id IN (SELECT track_id FROM credits WHERE artist_id = ? AND role IN ('artist', 'albumartist'))"
                )
                values.append(_id(cursor, "artists", artist, "artist"))
            if paths:
                roots = cursor.execute("SELECT id, path FROM roots").fetchall()
                for path in paths:
                    for root_id, inside in _inside(to_text(os.path.normpath(path)), roots):
                        if inside:
                            ways.append("(f.root_id = ? AND (f.path = ? OR (f.path > ? AND f.path < ?)))")
                            values += [root_id, inside, f"{inside}/", f"{inside}0"]
                        else:
                            ways.append("f.root_id = ?")
                            values.append(root_id)
            found: dict[str, tuple[Any, ...]] = {}
            for way, its in _with_values(ways, values):
                for row in cursor.execute(
                    "SELECT t.uid, t.album_sort_key, t.album_position, t.id FROM tracks t JOIN files f "
                    f"ON f.track_id = t.id WHERE t.trashed_at IS NULL AND {way}",
                    its,
                ):
                    found[row[0]] = row[1:]
        return sorted(found, key=lambda uid: found[uid])

    def totals(self) -> Totals:
        """How much lies where. Costs about 1 s at 100,000 tracks with a copy each, half of them offloaded."""
        with self._database.read() as conn:
            cursor = driver_cursor(conn)
            providers: dict[str, ProviderTotals] = {
                row[0]: ProviderTotals(copies=row[1], tracks=row[2], bytes=0, broken=row[3])
                for row in cursor.execute(
                    "SELECT provider, count(*) - count(broken), count(DISTINCT CASE WHEN broken IS NULL THEN track_id "
                    "END), count(broken) FROM copies GROUP BY provider ORDER BY provider"
                )
            }
            for provider, stored in cursor.execute(
                "SELECT provider, sum(stored) FROM (SELECT provider, max(stored_bytes) AS stored FROM copies "
                "WHERE broken IS NULL GROUP BY provider, key) GROUP BY provider"
            ):
                providers[provider]["bytes"] = stored
            visible = "FROM files JOIN tracks t ON t.id = files.track_id WHERE t.trashed_at IS NULL AND"
            local, local_bytes = cursor.execute(
                f"SELECT count(*), coalesce(sum(files.size_bytes), 0) {visible} {places.LOCAL}"
            ).fetchone()
            cloud, cloud_bytes = cursor.execute(
                f"SELECT count(*), coalesce(sum(files.size_bytes), 0) {visible} {places.ABSENT} AND EXISTS (SELECT 1 "
                "FROM copies k WHERE k.track_id = files.track_id AND k.broken IS NULL)"
            ).fetchone()
            free, free_bytes = cursor.execute(
                "SELECT count(*), coalesce(sum(f.size_bytes), 0) FROM files f JOIN tracks t ON t.id = f.track_id "
                f"WHERE t.trashed_at IS NULL AND f.missing_since IS NULL AND EXISTS ({_EXACT_COPY}) "
                f"AND NOT EXISTS ({_PINNED})"
            ).fetchone()
            (missing,) = cursor.execute(f"SELECT count(*) {visible} {places.NOWHERE}").fetchone()
        return Totals(
            providers=providers, local=local, local_bytes=local_bytes, only_in_cloud=cloud,
            only_in_cloud_bytes=cloud_bytes, offloadable=free, offloadable_bytes=free_bytes, missing=missing,
        )  # fmt: skip

    # ---- writing

    def put(self, copies: Sequence[Copy]) -> None:
        """Keep these copies, each in the place of one of the same track, provider and key; one transaction.

        A file that is still as it was when the copy was made (size, mtime) gets the hash that was found for it. Those
        of tracks that are gone meanwhile are left out.
        """
        if not copies:
            return
        now = time.time()
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            ids: dict[str, int] = {}
            for marks, part in chunks({one.track_id for one in copies}):
                ids.update(cursor.execute(f"SELECT uid, id FROM tracks WHERE uid IN ({marks})", part).fetchall())
            there = [one for one in copies if one.track_id in ids]
            cursor.executemany(
                _PUT,
                [
                    (
                        ids[one.track_id], one.provider, one.key, one.size_bytes, one.stored_bytes, one.sha256,
                        one.format, one.mime_type, one.bitrate_kbps, one.compression, one.source_sha256,
                        one.source_size_bytes, one.source_mtime_ns, one.etag, int(one.sealed), one.verified_at,
                        one.broken, one.added_at or now,
                    )
                    for one in there
                ],
            )  # fmt: skip
            cursor.executemany(
                "UPDATE files SET sha256 = ? "
                "WHERE track_id = ? AND size_bytes = ? AND mtime_ns = ? AND sha256 IS NOT ?",
                [
                    (
                        one.source_sha256, ids[one.track_id], one.source_size_bytes, one.source_mtime_ns,
                        one.source_sha256,
                    )
                    for one in there
                ],
            )  # fmt: skip
            _tell(conn, [ids[one.track_id] for one in there])

    def verified(self, provider: str, key: str, etag: str, at: float) -> None:
        """The object was found right (size and checksum) at `at`: its rows count, again if they did not."""
        with self._database.transaction(durable=False) as conn:
            cursor = driver_cursor(conn)
            back = cursor.execute(
                "SELECT track_id FROM copies WHERE provider = ? AND key = ? AND broken IS NOT NULL", (provider, key)
            ).fetchall()
            cursor.execute(
                "UPDATE copies SET etag = ?, verified_at = ?, broken = NULL WHERE provider = ? AND key = ?",
                (etag, at, provider, key),
            )
            _tell(conn, [track_id for (track_id,) in back])

    def broken(self, provider: str, key: str, why: str) -> None:
        """The object is gone or its bytes are wrong: its rows stay, but no longer count."""
        with self._database.transaction() as conn:
            ids = driver_cursor(conn).execute(
                "UPDATE copies SET broken = ? WHERE provider = ? AND key = ? AND broken IS NOT ? RETURNING track_id",
                (why, provider, key, why),
            )
            _tell(conn, [track_id for (track_id,) in ids.fetchall()])

    def drop(self, provider: str, keys: Iterable[str]) -> int:
        """Forget all rows of these objects (their bytes are somebody else's matter); how many rows went."""
        with self._database.transaction() as conn:
            gone: list[int] = []
            for marks, part in chunks(keys):
                gone += [
                    track_id
                    for (track_id,) in driver_cursor(conn)
                    .execute(
                        f"DELETE FROM copies WHERE provider = ? AND key IN ({marks}) RETURNING track_id",
                        (provider, *part),
                    )
                    .fetchall()
                ]
            _tell(conn, gone)
            return len(gone)

    def drop_of(self, track_uid: str, provider: str | None = None) -> list[Copy]:
        """Forget a track's copies, at `provider` or everywhere; those that went, broken ones too."""
        where, values = ("", ()) if provider is None else (" AND k.provider = ?", (provider,))
        with self._database.transaction() as conn:
            cursor = driver_cursor(conn)
            gone = _some(cursor, f"{_COPY} WHERE t.uid = ?{where} {_BEST_FIRST}", (track_uid, *values))
            if gone:
                (track_id,) = cursor.execute("SELECT id FROM tracks WHERE uid = ?", (track_uid,)).fetchone()
                cursor.executemany(
                    "DELETE FROM copies WHERE track_id = ? AND provider = ? AND key = ?",
                    [(track_id, one.provider, one.key) for one in gone],
                )
                _tell(conn, [track_id])
            return gone

    # ---- the file of a track that lies in the cloud

    def offloaded(self, uid: str, at: float | None) -> None:
        """The track's file is taken off this machine on purpose, at `at`: it counts as absent from now on. None: it
        is here after all, as it was. Raises NotFound."""
        with self._database.transaction() as conn:
            track_id = _file_of(conn, uid)
            driver_cursor(conn).execute(
                "UPDATE files SET offloaded_at = ?, missing_since = CASE WHEN ? IS NULL THEN NULL ELSE "
                "coalesce(missing_since, ?) END, inode = CASE WHEN ? IS NULL THEN inode END WHERE track_id = ?",
                (at, at, at, at, track_id),  # the system gives the inode to the next file
            )
            _touch(conn, [track_id])

    def came_back(self, uid: str, size: int, mtime_ns: int, sha256: str, path: str) -> None:
        """The track's file is on this machine again: at `path` (relative to its music folder, as the file system has
        it), with these facts. Raises NotFound, and Conflict when another track's file is known to lie there."""
        with self._database.transaction() as conn:
            track_id = _file_of(conn, uid)
            cursor = driver_cursor(conn)
            if cursor.execute(
                "SELECT 1 FROM files WHERE path = ? AND track_id <> ? AND root_id = (SELECT root_id FROM files "
                "WHERE track_id = ?)",
                (to_text(path), track_id, track_id),
            ).fetchone():
                raise Conflict("Another track's file lies where this one would go.")
            cursor.execute(
                "UPDATE files SET path = ?, size_bytes = ?, mtime_ns = ?, sha256 = ?, device = NULL, inode = NULL, "
                "missing_since = NULL, offloaded_at = NULL WHERE track_id = ?",
                (to_text(path), size, mtime_ns, sha256, track_id),
            )
            _touch(conn, [track_id])


def _tell(conn: Connection, track_ids: Iterable[int]) -> None:
    """The copies of these tracks changed: the revision moves for those whose file is not here."""
    cursor = driver_cursor(conn)
    absent = [
        track_id
        for marks, part in chunks(set(track_ids))
        for (track_id,) in cursor.execute(
            f"SELECT t.id FROM tracks t LEFT JOIN files ON files.track_id = t.id WHERE t.id IN ({marks}) AND "
            f"({places.ABSENT} OR files.id IS NULL)",
            part,
        ).fetchall()
    ]
    if absent:
        _touch(conn, absent)


def _touch(conn: Connection, track_ids: Sequence[int]) -> None:
    revision = revisions.bump(conn)
    driver_cursor(conn).executemany(
        "UPDATE tracks SET changed_rev = ? WHERE id = ?", [(revision, track_id) for track_id in track_ids]
    )


def _file_of(conn: Connection, uid: str) -> int:
    row = (
        driver_cursor(conn)
        .execute("SELECT t.id FROM tracks t JOIN files f ON f.track_id = t.id WHERE t.uid = ?", (uid,))
        .fetchone()
    )
    if row is None:
        raise NotFound("There is no such track in the library.")
    return int(row[0])


def _id(cursor: sqlite3.Cursor, table: str, uid: str, word: str) -> int:
    row = cursor.execute(f"SELECT id FROM {table} WHERE uid = ?", (uid,)).fetchone()
    if row is None:
        raise NotFound(f"There is no such {word} in the library.")
    return int(row[0])


def _inside(path: str, roots: Sequence[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """The music folders (by id) that `path` lies in, with where; "" for all of one that is `path` or beneath it."""
    for root_id, root in roots:
        trunk = root.rstrip("/")
        if path in (trunk, root) or f"{trunk}/".startswith(f"{path.rstrip('/')}/"):
            yield root_id, ""
        elif path.startswith(f"{trunk}/"):
            yield root_id, path[len(trunk) + 1 :]


def _with_values(ways: Sequence[str], values: Sequence[Any]) -> Iterator[tuple[str, Sequence[Any]]]:
    begin = 0
    for way in ways:
        end = begin + way.count("?")
        yield way, values[begin:end]
        begin = end


def _some(cursor: sqlite3.Cursor, query: str, values: Sequence[Any]) -> list[Copy]:
    return [
        Copy(
            track_id=row[0], provider=row[1], key=row[2], size_bytes=row[3], stored_bytes=row[4], sha256=row[5],
            format=row[6], mime_type=row[7], bitrate_kbps=row[8], compression=row[9], source_sha256=row[10],
            source_size_bytes=row[11], source_mtime_ns=row[12], etag=row[13], sealed=bool(row[14]),
            verified_at=row[15], broken=row[16], added_at=row[17],
        )
        for row in cursor.execute(query, values)
    ]  # fmt: skip


def _file(row: Any) -> TrackFile:
    return TrackFile(
        row[0], to_path(row[1]), to_path(row[2]), row[3], row[4], row[5], row[6], row[7], row[8], bool(row[9])
    )
