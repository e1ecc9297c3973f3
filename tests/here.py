"""A scan in this process: the real one, without the two processes that it usually has, for tests of something else."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from shared import settings
from shared.library.scanner import scan
from shared.records.recall import Recall


class HereAndNow:
    """Readers that read in this process."""

    def map_batches(self, deed: str, batches: Iterable[list[Any]], /, *, timeout_s: float
                    ) -> Iterator[tuple[int, list[Any]]]:
        module, _, name = deed.partition(":")
        for number, items in enumerate(batches):
            yield number, getattr(importlib.import_module(module), name)(items)


def rescan(station: Any) -> Any:
    """All of its music folders; the report."""
    roots = station.scans.roots()
    return scan(roots, scans=station.scans, recall=Recall(database=station.database), pool=HereAndNow(), every=roots)


def take_up(folder: Path) -> None:
    """What `tool scan FOLDER` does at the home that the environment names."""
    from setup_tool.rooms import rooms

    with rooms(settings.load(), make=True) as station:
        station.shelf.add_root(str(folder))
        assert rescan(station).state == "done"
