"""One house a module."""

from __future__ import annotations

import pytest

from tests.routes.houses import Front


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Front:
    return Front(tmp_path_factory.mktemp("house"))
