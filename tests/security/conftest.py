"""Accounts for the tests of this room."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.security.houses import PASSWORD, Clock, House, open_house


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def house(tmp_path: Path, clock: Clock) -> Iterator[House]:
    """No owner yet."""
    opened = open_house(tmp_path / "library.db", clock)
    yield opened
    opened.database.close()


@pytest.fixture
def owned(house: House) -> House:
    """With the owner ann."""
    house.accounts.ensure_owner(("ann", PASSWORD))
    return house


@pytest.fixture
def other(owned: House) -> Iterator[House]:
    """The same station as another process sees it."""
    opened = open_house(owned.database.path, owned.clock)
    yield opened
    opened.database.close()
