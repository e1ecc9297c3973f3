"""A library and an empty bucket on a real S3 server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cloud.houses import CloudHouse
from tests.s3_server import server


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[CloudHouse]:
    house = CloudHouse(tmp_path, server().provider(prefix="home/"))
    yield house
    house.close()


@pytest.fixture
def sealed(tmp_path: Path) -> Iterator[CloudHouse]:
    """Likewise; what goes there is sealed."""
    house = CloudHouse(tmp_path, server().provider(seal_key=bytes(range(32))))
    yield house
    house.close()
