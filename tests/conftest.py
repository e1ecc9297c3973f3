"""What every test may ask for, and what makes all of them quick: compiled sources, prepared databases, few examples.

With HYPOTHESIS_PROFILE=long property tests try their fullest, and tests of interruptions try every moment.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import hypothesis
import pytest

from shared.database import Database
from shared.records.moments import make_uid
from shared.security.passwords import Passwords
from tests.patience import LONG
from tests.running import Quick, RunningStation, make_music, start_station

# The tests start hundreds of processes: Python's own caches are kept, whatever the machine says. They are not tracked.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

hypothesis.settings.register_profile("short", max_examples=40, deadline=None)
hypothesis.settings.register_profile("long", max_examples=400, deadline=None)
hypothesis.settings.load_profile("long" if LONG else "short")


#: Whoever shares the files among processes gives these out first, so that none is left alone with a long one.
LONG_FIRST = ("journeys", "web", "upkeep", "cloud", "setup_tool", "library", "serving", "storage", "shared")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    place = {folder: number for number, folder in enumerate(LONG_FIRST)}
    items.sort(key=lambda item: place.get(item.path.relative_to(here).parts[0], len(place)))


@pytest.fixture(scope="session", autouse=True)
def _databases_from_one() -> Iterator[None]:
    """A new database is a copy of the first that this process made, with an id of its own: 3 ms instead of 30.

    Other processes, as a station is one, make theirs themselves; so do the tests that ask for `made_anew`.
    """
    make, whole = Database._make, sqlite3.connect(":memory:", check_same_thread=False)

    def copied(self: Database) -> str:
        if not whole.execute("SELECT 1 FROM sqlite_master").fetchone():
            version = make(self)
            with closing(sqlite3.connect(self.path)) as first:
                first.backup(whole)
            return version
        with closing(sqlite3.connect(self.path, isolation_level=None)) as new:
            whole.backup(new)
            new.execute("UPDATE state SET value = ? WHERE name = 'station_id'", (make_uid(),))
        return str(whole.execute("SELECT version_num FROM alembic_version").fetchone()[0])

    patch = pytest.MonkeyPatch()
    patch.setattr(Database, "_make", copied)
    patch.setattr(Database, "_make_anew", make, raising=False)
    yield
    patch.undo()
    whole.close()


@pytest.fixture(scope="session", autouse=True)
def _cheap_hashes() -> Iterator[None]:
    """argon2id with little memory in this process: 1 ms instead of 50. Stations hash as stations do, and so does what
    tells its Passwords another cost."""
    usual = Passwords.__init__.__kwdefaults__ or {}
    patch = pytest.MonkeyPatch()
    patch.setitem(usual, "memory_kib", 64)
    yield
    patch.undo()


@pytest.fixture
def made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Databases are made as a station makes its own."""
    monkeypatch.setattr(Database, "_make", Database._make_anew)  # type: ignore[attr-defined]


@pytest.fixture(scope="session", autouse=True)
def _stations_from_one() -> Iterator[None]:
    """Stations begin where they have imported everything: half a second of work instead of two."""
    Quick.wanted = True
    yield
    Quick.wanted = False
    if Quick.nest is not None:
        Quick.nest.end()


@pytest.fixture(scope="session")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStation]:
    """One station for the whole session: read from it, or clean up what you change."""
    base = tmp_path_factory.mktemp("station")
    running = start_station(base / "home", [make_music(base / "music")])
    try:
        running.wait_for_scan()
        yield running
    finally:
        running.stop()
