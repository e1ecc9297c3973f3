"""What every test may ask for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.running import RunningStation, make_music, start_station


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
