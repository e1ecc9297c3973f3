"""The nightly look at what the station rests on: its database, its search index, and some of the cached tracks."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from shared.database import Database
from shared.model.errors import SoundsibleError
from shared.model.work import Moved, Stopped
from shared.ports import Work
from shared.records import notes as records
from shared.records import soundness
from shared.records.notes import Notes

DATABASE_REMEDY = ("Stop the station and restore the last backup (tool restore --list), or put the newest copy of "
                   "library.db beside it in its place.")
SEARCH_REMEDY = "Restore the last backup; until then everything plays, and search may miss some."


class Cached(Protocol):
    """What of storage.cache.Cache is needed here."""

    def check(self, work: Work | None = None) -> dict[str, int]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    message: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfCheckReport:
    """`cache`: what a sample of it was found to be (files, bytes, wrong, gone); what was wrong has left it already,
    which is no problem: it is fetched again."""

    ok: bool
    checked_at: float       # Unix time
    took_ms: int
    problems: list[Problem] = field(default_factory=list)
    cache: dict[str, int] = field(default_factory=dict)


class SelfCheck:
    """Run by the tool (`doctor --self-check`), at night by itself. `cache` is None where there is none to look at."""

    def __init__(self, *, database: Database, cache: Cached | None = None, clock: Callable[[], float] = time.time
                 ) -> None:
        self._database = database
        self._cache = cache
        self._clock = clock
        self._notes = Notes(database=database)

    def run(self, work: Work) -> SelfCheckReport:
        """Look, and keep the result for `last`. Some seconds for 100,000 tracks, and what the sample of the cache
        takes; nobody waits for it. Raises Stopped; what was found until then is not kept."""
        begun, started = self._clock(), time.monotonic()
        problems: list[Problem] = []
        _go_on(work, Moved("checking the database", 0, 3))
        problems += [Problem(message=f"The database is damaged: {one}.", remedy=DATABASE_REMEDY)
                     for one in soundness.integrity(self._database)]
        _go_on(work, Moved("checking the search index", 1, 3))
        if not problems:
            problems += [Problem(message=f"{one[:1].upper()}{one[1:]}.", remedy=SEARCH_REMEDY)
                         for one in soundness.search_index(self._database)]
        _go_on(work, Moved("checking cached tracks", 2, 3))
        cache = self._cache.check(work) if self._cache is not None else {}
        _go_on(work, Moved("checking cached tracks", 3, 3))
        if cache.get("wrong"):
            work.log("warning", f"{cache['wrong']:,} cached tracks were not what they should be and were removed; they "
                                "are fetched again when they are played. A disk that does this often is failing.")
        report = SelfCheckReport(ok=not problems, checked_at=begun, problems=problems, cache=cache,
                                 took_ms=round((time.monotonic() - started) * 1000))
        try:
            self._notes.put(records.SELF_CHECK, asdict(report))
        except SoundsibleError as error:    # a damaged file may take no note of it
            if report.ok:
                raise
            work.log("error", error.message)
        return report

    def last(self) -> dict[str, Any]:
        """The last report as JSON; empty when there has been none."""
        return self._notes.get(records.SELF_CHECK)


def _go_on(work: Work, moved: Moved) -> None:
    work.tell(moved)
    if work.stopped():
        raise Stopped
