"""docs/api.md is what the program says of itself."""

from __future__ import annotations

from shared.routes import describe
from tests.running import ROOT


def test_the_page_in_the_documents_is_the_current_one() -> None:
    written = (ROOT / "docs" / "api.md").read_text("utf-8")
    assert written == describe.current(), "run python3 -m shared.routes.describe > docs/api.md"


def test_every_operation_is_a_row() -> None:
    document = {"paths": {"/api/x": {"get": {"summary": "See x", "responses": {"200": {}}, "tags": ["things"]}}}}
    assert "| `GET /api/x` | See x | 200 |" in describe.page(document)
