"""What a scan asks of the library and tells it: roots, known files, batches, reports."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from shared.database import Database, driver_cursor
from shared.model.errors import Conflict, NotFound
from shared.model.scan import BadEntry, Batch, Known, ScanReport
from shared.records import revisions
from shared.records.intake import Intake, make_ready
from shared.records.leftovers import take_out_of_trash
from shared.records.moments import make_uid, shown
from shared.records.search_index import Indexing
from shared.records.settling import chunks
from shared.records.tables import bad_files, files, roots, scans, state, tracks

_MOST_BAD = 5_000  # entries shown in a report
_MOST_REMOVED = 50_000  # things remembered as gone; who was away for longer loads the library anew


@dataclass(frozen=True, slots=True)
class Root:
    """A music folder. `path` is absolute, as text (see model.filepath)."""

    id: int
    path: str
    position: int


@dataclass(frozen=True, slots=True)
class BatchResult:
    added: int
    changed: int
    moved: int
    missing: int
    revision: int


_KNOWN = (
    "SELECT id, track_id, path, size_bytes, mtime_ns, device, inode, missing_since IS NOT NULL, "
    "trashed_from IS NOT NULL FROM files"
)


class Scans:
    """The scanner's view of the library."""

    def __init__(self, *, database: Database) -> None:
        self._database = database
        self._counts: tuple[int, dict[int, int]] | None = None      # (library revision, files of each root)

    # ---- music folders

    def roots(self) -> list[Root]:
        with self._database.read() as conn:
            rows = conn.execute(
                select(roots.c.id, roots.c.path, roots.c.position)
                .where(roots.c.forgotten_at.is_(None))
                .order_by(roots.c.position, roots.c.id)
            )
            return [Root(*row) for row in rows]

    def add_root(self, path: str) -> Root:
        """Remember the music folder `path`; one that is known (or was forgotten) keeps its id and its tracks."""
        with self._database.transaction() as conn:
            known = conn.execute(
                select(roots.c.id, roots.c.position, roots.c.forgotten_at).where(roots.c.path == path)
            ).first()
            if known is not None:
                if known.forgotten_at is not None:
                    conn.execute(update(roots).where(roots.c.id == known.id).values(forgotten_at=None))
                return Root(known.id, path, known.position)
            position = conn.execute(select(func.coalesce(func.max(roots.c.position) + 1, 0))).scalar_one()
            root_id = conn.execute(
                insert(roots).values(path=path, position=position, added_at=time.time()).returning(roots.c.id)
            ).scalar_one()
            return Root(root_id, path, position)

    def forget_root(self, path: str) -> None:
        """Take `path` out of the library: its tracks are missing from now on, nothing is deleted. Raises NotFound."""
        now = time.time()
        with self._database.transaction() as conn:
            root_id = conn.execute(
                update(roots)
                .where(roots.c.path == path, roots.c.forgotten_at.is_(None))
                .values(forgotten_at=now)
                .returning(roots.c.id)
            ).scalar_one_or_none()
            if root_id is None:
                raise NotFound(f"{path} is not one of the music folders.")
            revision = revisions.bump(conn)
            there = select(files.c.track_id).where(files.c.root_id == root_id, files.c.missing_since.is_(None))
            conn.execute(update(tracks).where(tracks.c.id.in_(there)).values(changed_rev=revision))
            conn.execute(
                update(files)
                .where(files.c.root_id == root_id, files.c.missing_since.is_(None))
                .values(missing_since=now)
            )
            conn.execute(delete(bad_files).where(bad_files.c.root_id == root_id))

    def track_counts(self) -> dict[int, int]:
        """Files of each root, by its id; those in the trash are not counted. Counted anew when the library moved."""
        with self._database.read() as conn:
            library, kept = revisions.library(conn), self._counts
            if kept is None or kept[0] != library:
                rows = conn.execute(
                    select(files.c.root_id, func.count())
                    .join(tracks, tracks.c.id == files.c.track_id)
                    .where(tracks.c.trashed_at.is_(None))
                    .group_by(files.c.root_id)
                )
                kept = self._counts = (library, {root_id: count for root_id, count in rows})
            return dict(kept[1])

    def folders_in(self, root_id: int, path: str, limit: int = 1000) -> list[tuple[str, int]]:
        """The folders right beneath `path` ("": of the whole root) that tracks are known in, with how many lie in each
        or deeper; by name, the first `limit`. Costs one pass over what lies beneath `path`."""
        above = f"{path}/" if path else ""
        with self._database.read() as conn:
            rows = driver_cursor(conn).execute(
                "SELECT substr(f.path, ?2, instr(substr(f.path, ?2), '/') - 1) AS name, count(*) "
                "FROM files f JOIN tracks t ON t.id = f.track_id WHERE f.root_id = ?1 AND t.trashed_at IS NULL "
                "AND (?3 = '' OR f.path >= ?3 AND f.path < ?4) AND instr(substr(f.path, ?2), '/') > 0 "
                "GROUP BY name ORDER BY name LIMIT ?5",
                (root_id, len(above) + 1, above, f"{path}0", limit),
            )
            return [(name, count) for name, count in rows]

    def expects_files(self, root_id: int) -> bool:
        """Whether the folder of this root should hold files: it has tracks that were not all taken off this machine on
        purpose. Some µs."""
        with self._database.read() as conn:
            return (
                driver_cursor(conn)
                .execute(
                    "SELECT 1 FROM files f JOIN tracks t ON t.id = f.track_id WHERE f.root_id = ? "
                    "AND t.trashed_at IS NULL AND f.offloaded_at IS NULL LIMIT 1",
                    (root_id,),
                )
                .fetchone()
                is not None
            )

    def lost_roots(self) -> list[str]:
        """Paths of the music folders that have tracks, all of them missing, and not all taken off this machine on
        purpose. Some µs unless there is one."""
        files_of = (
            "SELECT 1 FROM files JOIN tracks ON tracks.id = files.track_id WHERE files.root_id = roots.id "
            "AND tracks.trashed_at IS NULL"
        )
        with self._database.read() as conn:
            rows = driver_cursor(conn).execute(
                f"SELECT path FROM roots WHERE forgotten_at IS NULL AND EXISTS ({files_of} AND offloaded_at IS NULL) "
                f"AND NOT EXISTS ({files_of} AND missing_since IS NULL)"
            )
            return [path for (path,) in rows]

    # ---- what is known

    def known(self, root_id: int) -> dict[str, tuple[int, int, int, int]]:
        """path → (file id, size_bytes, mtime_ns, flags: 1 missing, 2 in the trash, 4 read with lyrics beside it, 8
        taken off this machine on purpose).

        One query, for the whole root.
        """
        with self._database.read() as conn:
            return {
                path: (file_id, size, mtime, flags)
                for path, file_id, size, mtime, flags in driver_cursor(conn).execute(
                    "SELECT path, id, size_bytes, mtime_ns, "
                    "(missing_since IS NOT NULL) + 2 * (trashed_from IS NOT NULL) + 4 * (sidecar_lyrics IS NOT NULL) "
                    "+ 8 * (offloaded_at IS NOT NULL) FROM files WHERE +root_id = ?",
                    (root_id,),
                )
            }  # the plus: through the table, not its index by path

    def known_file(self, file_ids: Iterable[int]) -> list[Known]:
        """The whole of some known files; ids that are gone are left out."""
        with self._database.read() as conn:
            cursor = driver_cursor(conn)
            return [
                _known(row)
                for marks, part in chunks(file_ids)
                for row in cursor.execute(f"{_KNOWN} WHERE id IN ({marks})", part)
            ]

    def vanished_candidates(
        self,
        *,
        inodes: Sequence[tuple[str, str]] = (),
        stats: Sequence[tuple[int, int]] = (),
        tags: Sequence[tuple[str, str, int]] = (),
    ) -> list[Known]:
        """Files marked missing (in any root, none in the trash) that one of the new files may be, told by (device,
        inode), by (size_bytes, mtime_ns), or by (title, artist, duration_ms) as they are shown."""
        with self._database.read() as conn:
            missing = driver_cursor(conn).execute(f"{_KNOWN} WHERE missing_since IS NOT NULL AND trashed_from IS NULL")
            by_inode, by_stat = set(inodes), set(stats)
            every = [_known(row) for row in missing]
            found = {
                one.file_id: one
                for one in every
                if (one.device, one.inode) in by_inode or (one.size_bytes, one.mtime_ns) in by_stat
            }
            if tags:
                wanted, by_track = set(tags), {one.track_id: one for one in every}
                for marks, part in chunks(by_track):
                    for track_id, title, artist, duration_ms in driver_cursor(conn).execute(
                        f"SELECT id, title, artist, duration_ms FROM tracks WHERE id IN ({marks})", part
                    ):
                        if (title, artist, duration_ms) in wanted:
                            found[by_track[track_id].file_id] = by_track[track_id]
            return list(found.values())

    def bad(self, root_id: int) -> dict[str, tuple[int, int]]:
        """path → (size_bytes, mtime_ns) of files that could not be read as they were then."""
        with self._database.read() as conn:
            rows = conn.execute(
                select(bad_files.c.path, bad_files.c.size_bytes, bad_files.c.mtime_ns).where(
                    bad_files.c.root_id == root_id
                )
            )
            return {path: (size, mtime) for path, size, mtime in rows}

    def bad_entries(self, limit: int = _MOST_BAD) -> list[BadEntry]:
        """All files that cannot be read now, of every root that is not forgotten."""
        with self._database.read() as conn:
            return _bad_entries(conn, limit)

    def pictures(self, root_id: int) -> dict[str, tuple[str, int, int]]:
        """folder → (path, size_bytes, mtime_ns) of the picture lying in it."""
        with self._database.read() as conn:
            return {
                folder: (path, size, mtime)
                for folder, path, size, mtime in driver_cursor(conn).execute(
                    "SELECT folder, path, size_bytes, mtime_ns FROM artwork WHERE root_id = ? AND kind <> 'embedded'",
                    (root_id,),
                )
            }

    # ---- writing

    def apply(self, batch: Batch) -> BatchResult:
        """Write `batch` in one transaction; the revision moves once when anything is in it.

        A file in `new` whose path is known already counts as changed. A Picture with an empty path says that its
        folder has none any more. Costs some tens of µs a track, all tables and the search index included.
        """
        if not len(batch):
            with self._database.read() as conn:
                return BatchResult(0, 0, 0, 0, revisions.current(conn))
        new = [make_ready(batch.root_id, one.found, one.reading, one.sha256) for one in batch.new]
        with self._database.transaction(durable=False, bulk=True) as conn:
            _welcome_back(conn, batch)
            revision = revisions.bump(conn)
            intake = Intake(driver_cursor(conn), root_id=batch.root_id, revision=revision, now=time.time())
            intake.take(batch, new)
            return BatchResult(intake.added, intake.changed, intake.moved, intake.missing, revision)

    def set_sha256(self, hashes: dict[int, str]) -> None:
        """Keep content hashes: file id → lower-case hex. Nothing that is shown moves."""
        with self._database.transaction(durable=False) as conn:
            driver_cursor(conn).executemany(
                "UPDATE files SET sha256 = ? WHERE id = ?", [(sha256, file_id) for file_id, sha256 in hashes.items()]
            )

    def duplicates(self) -> list[list[str]]:
        """Public ids of tracks with the same content, as far as their hashes are known; grouped."""
        with self._database.read() as conn:
            groups: dict[str, list[str]] = {}
            for sha256, uid in driver_cursor(conn).execute(
                "SELECT f.sha256, t.uid FROM files f JOIN tracks t ON t.id = f.track_id WHERE f.sha256 IN (SELECT "
                "sha256 FROM files WHERE sha256 IS NOT NULL AND missing_since IS NULL AND trashed_from IS NULL "
                "GROUP BY sha256 HAVING count(*) > 1) AND f.missing_since IS NULL AND f.trashed_from IS NULL "
                "ORDER BY f.sha256, t.id"
            ):
                groups.setdefault(sha256, []).append(uid)
            return list(groups.values())

    def finish(self) -> None:
        """The end of a scan: albums, artists and pictures nobody refers to any more go. Free when nothing changed."""
        with self._database.read() as conn:
            last = conn.execute(select(state.c.value).where(state.c.name == "finished_revision")).scalar_one_or_none()
            if last == str(revisions.library(conn)):
                return
        with self._database.transaction(durable=False) as conn:
            clear(conn)
            conn.execute(delete(state).where(state.c.name == "finished_revision"))
            conn.execute(insert(state).values(name="finished_revision", value=str(revisions.library(conn))))

    # ---- reports

    def start(self, uid: str | None = None, deep: bool = False) -> ScanReport:
        """Remember that a scan began. One that never ended is remembered as failed: its process is no more."""
        report = ScanReport(id=uid or make_uid(), state="running", phase="walk", started_at=shown(time.time()))
        with self._database.transaction(durable=False) as conn:
            for row in conn.execute(select(scans.c.id, scans.c.report).where(scans.c.state == "running")).all():
                cut_off = {
                    **json.loads(row.report),
                    "state": "failed",
                    "phase": None,
                    "message": "The scan was cut off; the next one goes on where it was.",
                }
                conn.execute(
                    update(scans)
                    .where(scans.c.id == row.id)
                    .values(state="failed", report=json.dumps(cut_off), finished_at=time.time())
                )
            if conn.execute(select(scans.c.id).where(scans.c.uid == report.id)).first():
                raise Conflict("A scan with this id has been.")
            conn.execute(
                insert(scans).values(
                    uid=report.id, state="running", deep=int(deep), report=_as_json(report), started_at=time.time()
                )
            )
            # The last hundred are history enough.
            conn.execute(delete(scans).where(scans.c.id <= select(func.max(scans.c.id) - 100).scalar_subquery()))
        return report

    def progress(self, report: ScanReport) -> None:
        """Keep how far a scan is, or (state done or failed) how it ended."""
        ended = report.state in ("done", "failed")
        with self._database.transaction(durable=False) as conn:
            conn.execute(
                update(scans)
                .where(scans.c.uid == report.id)
                .values(state=report.state, report=_as_json(report), finished_at=time.time() if ended else None)
            )

    def last(self) -> ScanReport | None:
        """The newest scan's report; `bad` lists all files that cannot be read now, whichever scan met them."""
        with self._database.read() as conn:
            row = conn.execute(select(scans.c.report).order_by(scans.c.id.desc()).limit(1)).first()
            if row is None:
                return None
            kept: dict[str, Any] = json.loads(row.report)
            kept.pop("bad", None)
            return replace(ScanReport(**kept), bad=_bad_entries(conn, _MOST_BAD))


def _welcome_back(conn: Connection, batch: Batch) -> None:
    """Rows that went to the trash alone, because their files were nowhere, are visible again when those turn up."""
    found = [*batch.returned, *(one.file_id for one in batch.changed), *(one.file_id for one in batch.moved)]
    if found:
        back = [
            track_id
            for marks, part in chunks(found)
            for (track_id,) in driver_cursor(conn).execute(
                f"SELECT t.id FROM files f JOIN tracks t ON t.id = f.track_id WHERE f.id IN ({marks}) "
                "AND f.trashed_from IS NULL AND t.trashed_at IS NOT NULL",
                part,
            )
        ]
        take_out_of_trash(conn, back)


def clear(conn: Connection) -> None:
    """Remove rows nobody refers to: albums without tracks, artists without credits, pictures without albums; forget
    the oldest removals beyond a bound."""
    cursor = driver_cursor(conn)
    indexing = Indexing(cursor)
    empty = cursor.execute(
        "SELECT id FROM albums a WHERE track_count = 0 AND NOT EXISTS (SELECT 1 FROM tracks t WHERE t.album_id = a.id)"
    ).fetchall()
    cursor.executemany("DELETE FROM albums WHERE id = ?", empty)
    indexing.forget("album_words", (row[0] for row in empty))
    forsaken = cursor.execute(
        "SELECT id FROM artists a WHERE track_count = 0 AND album_count = 0 AND NOT EXISTS "
        "(SELECT 1 FROM credits c WHERE c.artist_id = a.id) AND NOT EXISTS "
        "(SELECT 1 FROM album_credits c WHERE c.artist_id = a.id)"
    ).fetchall()
    cursor.executemany("DELETE FROM artists WHERE id = ?", forsaken)
    indexing.forget("artist_words", (row[0] for row in forsaken))
    cursor.execute(
        "DELETE FROM genres WHERE track_count = 0 AND NOT EXISTS "
        "(SELECT 1 FROM track_genres g WHERE g.genre_id = genres.id)"
    )
    cursor.execute(
        "DELETE FROM artwork WHERE kind = 'embedded' AND NOT EXISTS (SELECT 1 FROM albums a WHERE "
        "a.artwork_id = artwork.id) AND NOT EXISTS (SELECT 1 FROM tracks t WHERE t.artwork_id = artwork.id)"
    )
    for table in ("albums", "artists"):
        cursor.execute(
            f"UPDATE {table} SET predecessor_id = NULL WHERE predecessor_id IS NOT NULL "
            f"AND predecessor_id NOT IN (SELECT id FROM {table})"
        )
    indexing.write()
    prune_removed(conn)


def prune_removed(conn: Connection, keep: int = _MOST_REMOVED) -> None:
    """Forget the oldest removals beyond `keep`; who asks for changes since before that is told to begin anew."""
    cursor = driver_cursor(conn)
    row = cursor.execute("SELECT rev FROM removed ORDER BY rev DESC LIMIT 1 OFFSET ?", (keep,)).fetchone()
    if row is not None:
        cursor.execute("DELETE FROM removed WHERE rev <= ?", row)
        cursor.execute("UPDATE state SET value = ? WHERE name = 'oldest_revision'", (str(row[0]),))


def _known(row: tuple[Any, ...]) -> Known:
    return Known(row[0], row[1], row[2], row[3], row[4], row[5], row[6], bool(row[7]), bool(row[8]))


def _bad_entries(conn: Connection, limit: int) -> list[BadEntry]:
    rows = conn.execute(
        select(bad_files.c.path, bad_files.c.reason)
        .join(roots, roots.c.id == bad_files.c.root_id)
        .where(roots.c.forgotten_at.is_(None))
        .order_by(roots.c.position, bad_files.c.path)
        .limit(limit)
    )
    return [BadEntry(path=path, reason=reason) for path, reason in rows]


def _as_json(report: ScanReport) -> str:
    # The bad files have a table of their own.
    return json.dumps({**asdict(report), "bad": []})
