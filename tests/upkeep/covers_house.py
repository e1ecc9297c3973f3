"""A scanned music folder with everything that covers and tags are mended by; every part is the real one."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from shared.audio.pool import WorkerPool
from shared.database import Database, driver_cursor
from shared.library.covers import Covers
from shared.library.kept_covers import KeptCovers
from shared.library.scanner import scan
from shared.metadata.sleeves import Offered, Sought
from shared.model.cloud import Copy
from shared.model.work import Moved
from shared.records.albums import Albums
from shared.records.artworks import Artworks
from shared.records.copies import Copies
from shared.records.journal import JournalRecords
from shared.records.recall import Recall
from shared.records.scans import Scans
from shared.records.upkeep import Upkeep
from shared.storage.access import Access
from shared.upkeep.better_covers import BetterCovers
from shared.upkeep.journal import Journal


def drawn(size: int, seed: int = 0, *, height: int | None = None, kind: str = "JPEG") -> bytes:
    """A picture of its own for each seed, the same in every size."""
    width, height = size, height or size
    image = Image.new("RGB", (width, height), (250, 240, 230))
    draw = ImageDraw.Draw(image)
    for number in range(9):
        if (seed * 37 + 11) >> number & 1:
            x, y = number % 3, number // 3
            draw.rectangle((width * x // 3, height * y // 3, width * (x + 1) // 3, height * (y + 1) // 3),
                           fill=(20 * number, 40, 120))
    out = io.BytesIO()
    image.save(out, kind, quality=90)
    return out.getvalue()


class Shop(dict[str, list[Offered]]):
    """Stands in for what may be found outside: album title → what is offered, by source."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, Sought]] = []
        self.trouble: Exception | None = None

    def sell(self, title: str, data: bytes, source: str = "coverart", *, sure: bool = True) -> None:
        self.setdefault(title, []).append(Offered(source, data, sure))

    def of(self, source: str, album: Sought) -> Iterator[Offered]:
        self.asked.append((source, album))
        if self.trouble is not None:
            raise self.trouble
        return iter([one for one in self.get(album.title, ()) if one.source == source])


class Following:
    """ports.Work that ends after so many looks."""

    def __init__(self, looks: int = 1 << 30) -> None:
        self.left, self.told, self.said = looks, list[Moved](), list[str]()

    def tell(self, moved: Moved) -> None:
        self.told.append(moved)

    def log(self, level: str, message: str) -> None:
        self.said.append(message)

    def stopped(self) -> bool:
        self.left -= 1
        return self.left < 0


class House:
    def __init__(self, base: Path, workers: WorkerPool | None = None) -> None:
        self.base, self.music = base, base / "music"
        self.music.mkdir(parents=True, exist_ok=True)
        (base / "data").mkdir(exist_ok=True)
        self.database = Database(base / "data" / "library.db")
        self.database.prepare()
        self.scans = Scans(database=self.database)
        if not self.scans.roots():
            self.scans.add_root(str(self.music))
        self.access = Access()
        self.workers = workers or WorkerPool(size=2, name="covers tests")
        self.own_workers = workers is None
        self.shop = Shop()
        self.records, self.artworks = Upkeep(database=self.database), Artworks(database=self.database)
        self.journal = Journal(records=JournalRecords(database=self.database), folder=base / "data")
        self.kept = KeptCovers(records=self.artworks, access=self.access, workers=self.workers,
                               folder=base / "data" / "covers")
        self.covers = Covers(albums=Albums(database=self.database), access=self.access, workers=self.workers,
                             folder=base / "cache" / "covers", kept=self.kept)

    def better(self, uploads: Any = None) -> BetterCovers:
        return BetterCovers(
            records=self.records, artworks=self.artworks, access=self.access, workers=self.workers, sleeves=self.shop,
            journal=self.journal, folder=self.base / "cache" / "better", trash=self.base / "data" / "trash",
            uploads=uploads)

    def scan(self) -> None:
        scan(self.scans.roots(), scans=self.scans, recall=Recall(database=self.database), pool=self.workers)

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        with self.database.read() as conn:
            return driver_cursor(conn).execute(query, values).fetchall()

    def store(self, uid: str) -> None:
        """Say that a copy of this track lies in a bucket."""
        Copies(database=self.database).put([Copy(
            track_id=uid, provider="r2", key=f"music/{uid}", size_bytes=1, stored_bytes=1, sha256="a" * 64,
            format="flac", mime_type="audio/flac", bitrate_kbps=None, compression="", source_sha256="a" * 64,
            source_size_bytes=1, source_mtime_ns=1, etag="e", sealed=False, verified_at=1.0, added_at=1.0)])

    def album(self, title: str) -> str:
        return str(self.rows("SELECT uid FROM albums WHERE title = ?", [title])[0][0])

    def shown(self, title: str) -> tuple[int, int]:
        """How large the cover of an album is, as it is shown at most."""
        with Image.open(self.covers.get(self.album(title), 1200).path) as image:
            return image.size

    def files(self) -> list[Path]:
        return sorted(one for one in self.music.rglob("*") if one.is_file())

    def strays(self) -> list[str]:
        return [one.name for one in self.music.rglob("*") if one.name.startswith(".") or one.suffix == ".part"]

    def close(self) -> None:
        self.covers.stop()
        self.access.stop()
        if self.own_workers:
            self.workers.stop()
        self.database.close()


