"""One house a module: read from it, or clean up what you change."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.subsonic.house import House


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    made = House(tmp_path_factory.mktemp("house"))
    yield made
    made.close()
