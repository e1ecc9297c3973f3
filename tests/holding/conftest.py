"""One application for all that knock at its doors."""

from __future__ import annotations

import pytest

from tests.holding.whole import Whole, whole


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    return whole(tmp_path_factory.mktemp("whole"))
