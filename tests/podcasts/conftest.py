from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.holding.whole import Whole
from tests.media_server import MediaServer, audio
from tests.podcasts.feeds_made import station


@pytest.fixture(scope="module")
def server() -> Iterator[MediaServer]:
    with MediaServer() as one:
        one.add("one.mp3", audio(".mp3", seconds=2))
        yield one


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, server: MediaServer) -> Iterator[Whole]:
    """A station whose downloader runs."""
    one = station(tmp_path_factory.mktemp("station"), server, download_workers=2)
    one.station.engine.start()
    yield one
    one.station.engine.stop()
    one.station.nursery.stop()
    one.station.craft_workers.stop()
    one.station.workers.stop()
    one.station.database.close()
