"""The audit log over HTTP: for owners, a page at a time."""

from __future__ import annotations

import pytest

from tests.routes.houses import Front


def test_an_owner_reads_it_and_nobody_else(front: Front) -> None:
    front.house.audit.write("login", username="ben", address="192.0.2.1", device="phone")
    page = front.get("/api/audit?deed=login&username=BEN&limit=1")
    assert set(page) == {"items", "next_cursor", "total", "revision"}
    line = page["items"][0]
    assert (line["username"], line["address"], line["words"]) == ("ben", "192.0.2.1", "logged in")
    assert line["details"] == {"device": "phone"}
    for who in ("ben", "kid"):
        assert front.ask("GET", "/api/audit", who=who).status == 403
    assert front.ask("GET", "/api/audit", who=None).status == 401


@pytest.mark.parametrize("query", ["deed=danced", "cursor=x", "limit=x", "limit=1&cursor=%00", "cursor=" + "9" * 200])
def test_what_cannot_be_asked_is_400(front: Front, query: str) -> None:
    assert front.ask("GET", f"/api/audit?{query}").status == 400
