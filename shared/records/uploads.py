"""Uploads in parts that are under way or were cut off, and what else an upload asks of the library."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from shared.database import Database, driver_cursor
from shared.model.cloud import Copy
from shared.model.track import AudioFacts
from shared.model.units import Bytes
from shared.records.leftovers import strangers
from shared.records.settling import chunks


@dataclass(frozen=True, slots=True)
class Part:
    number: int  # from 1
    etag: str
    size_bytes: Bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """An object on its way in parts. Its bytes can still be had: from the track's file, or from `spool`."""

    provider: str
    key: str  # whole
    upload_id: str
    sha256: str  # of the plain bytes that are uploaded
    part_bytes: Bytes
    parts: tuple[Part, ...] = ()
    spool: str | None = None  # path of the compressed file, where there is one
    updated_at: float = 0.0


_PENDING = "SELECT provider, key, upload_id, sha256, part_bytes, parts, spool, updated_at FROM uploads"


class UploadRecords:
    def __init__(self, *, database: Database) -> None:
        self._database = database

    # ---- in parts

    def get(self, provider: str, key: str) -> Pending | None:
        with self._database.read() as conn:
            row = driver_cursor(conn).execute(f"{_PENDING} WHERE provider = ? AND key = ?", (provider, key)).fetchone()
        return None if row is None else _pending(row)

    def all(self, provider: str | None = None) -> list[Pending]:
        """What is under way or was cut off, the oldest first."""
        where, values = ("", ()) if provider is None else (" WHERE provider = ?", (provider,))
        with self._database.read() as conn:
            rows = driver_cursor(conn).execute(f"{_PENDING}{where} ORDER BY updated_at, key", values)
            return [_pending(row) for row in rows]

    def begin(self, pending: Pending) -> None:
        """An upload in parts was begun at the provider; takes the place of an older one of the same object."""
        with self._database.transaction(durable=False) as conn:
            driver_cursor(conn).execute(
                "INSERT OR REPLACE INTO uploads (provider, key, upload_id, sha256, part_bytes, parts, spool, "
                "updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    pending.provider, pending.key, pending.upload_id, pending.sha256, pending.part_bytes,
                    _text(pending.parts), pending.spool, time.time(),
                ),
            )  # fmt: skip

    def part(self, provider: str, key: str, upload_id: str, part: Part) -> None:
        """A part has arrived. Outlives the process; what a power cut takes, the provider still knows."""
        with self._database.transaction(durable=False) as conn:
            cursor = driver_cursor(conn)
            row = cursor.execute(
                "SELECT parts FROM uploads WHERE provider = ? AND key = ? AND upload_id = ?", (provider, key, upload_id)
            ).fetchone()
            if row is None:
                return
            parts = {one.number: one for one in _parts(row[0])} | {part.number: part}
            cursor.execute(
                "UPDATE uploads SET parts = ?, updated_at = ? WHERE provider = ? AND key = ? AND upload_id = ?",
                (_text([parts[number] for number in sorted(parts)]), time.time(), provider, key, upload_id),
            )

    def end(self, provider: str, key: str) -> None:
        """It is whole, or given up."""
        with self._database.transaction(durable=False) as conn:
            driver_cursor(conn).execute("DELETE FROM uploads WHERE provider = ? AND key = ?", (provider, key))

    # ---- tracks

    def facts(self, uids: Iterable[str]) -> dict[str, AudioFacts]:
        """What the library knows of these tracks' sound; those without a file are left out."""
        found: dict[str, AudioFacts] = {}
        with self._database.read() as conn:
            for marks, part in chunks(dict.fromkeys(uids)):
                for uid, *facts in driver_cursor(conn).execute(
                    "SELECT t.uid, f.format, f.mime_type, t.duration_ms, f.bitrate_kbps, f.sample_rate_hz, "
                    f"f.bit_depth, f.channels FROM tracks t JOIN files f ON f.track_id = t.id WHERE t.uid IN ({marks})",
                    part,
                ):
                    found[uid] = AudioFacts(*facts)
        return found

    def broken(self, provider: str) -> set[str]:
        """Whole keys of objects there that do not count: gone, or their bytes came back wrong."""
        with self._database.read() as conn:
            rows = driver_cursor(conn).execute(
                "SELECT DISTINCT key FROM copies WHERE provider = ? AND broken IS NOT NULL", (provider,)
            )
            return {key for (key,) in rows}

    def strangers(self, uids: Iterable[str]) -> set[str]:
        """Of these tracks, those that this library neither has nor had."""
        with self._database.read() as conn:
            return strangers(conn, uids)

    def forget(self, copies: Sequence[Copy]) -> None:
        """These rows go, and no other track's of the same object: the track has a newer copy there. (Nobody's place
        changes: its file is here, it was just read.)"""
        with self._database.transaction() as conn:
            driver_cursor(conn).executemany(
                "DELETE FROM copies WHERE provider = ? AND key = ? AND track_id = "
                "(SELECT id FROM tracks WHERE uid = ?)",
                [(one.provider, one.key, one.track_id) for one in copies],
            )


def _pending(row: Sequence[Any]) -> Pending:
    provider, key, upload_id, sha256, part_bytes, parts, spool, updated_at = row
    return Pending(
        provider=provider, key=key, upload_id=upload_id, sha256=sha256, part_bytes=part_bytes,
        parts=tuple(_parts(parts)), spool=spool, updated_at=updated_at,
    )  # fmt: skip


def _parts(text: str) -> list[Part]:
    return [Part(*one) for one in json.loads(text)]


def _text(parts: Iterable[Part]) -> str:
    return json.dumps([[one.number, one.etag, one.size_bytes] for one in parts])
