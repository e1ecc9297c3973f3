"""What a scan recalls beyond paths and sizes: lyrics beside files, content hashes, the tags of files that vanished."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from shared.database import Database, driver_cursor
from shared.records.settling import chunks


@dataclass(frozen=True, slots=True)
class Vanished:
    """A missing file's track, as it was last known."""

    file_id: int
    title: str
    artist: str
    album: str | None
    track_number: int | None
    duration_ms: int
    format: str
    isrc: str | None
    recording_mbid: str | None
    audio_md5: str | None


class Recall:
    """Read by the scanner alone; the hot questions are in Scans."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    def make_room(self) -> None:
        """Let this process keep more of the database in memory while it writes: a scan's process, not the station."""
        with self._database.transaction(durable=False) as conn:
            cursor = driver_cursor(conn)
            cursor.execute("PRAGMA cache_size = -65536")
            cursor.execute("PRAGMA wal_autocheckpoint = 4000")

    def missing(self) -> list[int]:
        """File ids of everything that is missing now, of all roots, forgotten ones too; not what is in the trash."""
        with self._database.read() as conn:
            rows = driver_cursor(conn).execute(
                "SELECT id FROM files WHERE missing_since IS NOT NULL AND trashed_from IS NULL"
            )
            return [row[0] for row in rows]

    def vanished(self) -> list[Vanished]:
        """The same, with what their tags said. About 3 µs each."""
        with self._database.read() as conn:
            rows = driver_cursor(conn).execute(
                "SELECT f.id, t.title, t.artist, a.title, t.track_number, t.duration_ms, f.format, t.isrc, "
                "t.recording_mbid, f.audio_md5 FROM files f JOIN tracks t ON t.id = f.track_id "
                "LEFT JOIN albums a ON a.id = t.album_id "
                "WHERE f.missing_since IS NOT NULL AND f.trashed_from IS NULL"
            )
            return [Vanished(*row) for row in rows]

    def in_trash(self, root_id: int) -> list[tuple[str, str, str, int, int]]:
        """(track's public id, path, trashed_from, size_bytes, mtime_ns) of what this root holds in the trash."""
        with self._database.read() as conn:
            return (
                driver_cursor(conn)
                .execute(
                    "SELECT t.uid, f.path, coalesce(f.trashed_from, f.path), f.size_bytes, f.mtime_ns FROM tracks t "
                    "CROSS JOIN files f ON f.track_id = t.id WHERE t.trashed_at IS NOT NULL AND f.root_id = ?",
                    (root_id,),
                )
                .fetchall()
            )

    def places(self, root_id: int, uids: Iterable[str]) -> dict[str, str]:
        """public id → path, of those tracks among `uids` that this root holds outside the trash."""
        with self._database.read() as conn:
            return {
                row[0]: row[1]
                for marks, part in chunks(uids)
                for row in driver_cursor(conn).execute(
                    "SELECT t.uid, f.path FROM tracks t JOIN files f ON f.track_id = t.id WHERE t.trashed_at IS NULL "
                    f"AND f.root_id = ? AND t.uid IN ({marks})",
                    (root_id, *part),
                )
            }

    def lyrics(self, root_id: int) -> dict[str, str]:
        """path → "size-mtime_ns" of the .lrc that lay beside the file when it was read."""
        with self._database.read() as conn:
            return dict(
                driver_cursor(conn)
                .execute(
                    "SELECT path, sidecar_lyrics FROM files WHERE root_id = ? AND sidecar_lyrics IS NOT NULL",
                    (root_id,),
                )
                .fetchall()
            )

    def keep_lyrics(self, root_id: int, stamps: Mapping[str, str | None]) -> None:
        """Remember the .lrc each of these files was read with."""
        with self._database.transaction(durable=False) as conn:
            driver_cursor(conn).executemany(
                "UPDATE files SET sidecar_lyrics = ? WHERE root_id = ? AND path = ?",
                [(stamp, root_id, path) for path, stamp in stamps.items()],
            )

    def hashes(self, root_id: int) -> dict[int, str]:
        """file id → SHA-256, where it is known."""
        with self._database.read() as conn:
            return dict(
                driver_cursor(conn)
                .execute("SELECT id, sha256 FROM files WHERE root_id = ? AND sha256 IS NOT NULL", (root_id,))
                .fetchall()
            )

    def track_uids(self, file_ids: Iterable[int]) -> list[str]:
        """Public ids of these files' tracks."""
        with self._database.read() as conn:
            return [
                row[0]
                for marks, part in chunks(file_ids)
                for row in driver_cursor(conn).execute(
                    f"SELECT t.uid FROM files f JOIN tracks t ON t.id = f.track_id WHERE f.id IN ({marks})",
                    part,
                )
            ]
